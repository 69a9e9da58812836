//! Random edits: what people do to a schema between two revisions, and what they hardly ever do.

use crate::model::{Body, Case, Id, State, Ty, Value};
use crate::random::Dice;
use crate::valid::settle;

/// A state and what some edits made of it; sometimes two states that have nothing but names in common.
pub(crate) fn case(dice: &mut Dice<'_>) -> Case {
    let old = dice.state();
    if dice.chance(5) {
        return Case {
            new: dice.state(),
            old,
        };
    }
    let mut new = old.clone();
    for _ in 0..=dice.below(6) {
        edit(dice, &mut new);
        settle(&mut new, dice.major);
    }
    if dice.chance(50) {
        Case { old, new }
    } else {
        Case { old: new, new: old }
    }
}

fn edit(dice: &mut Dice<'_>, state: &mut State) {
    let ids = state.ids(|it| !matches!(it, Body::Schema));
    match dice.below(24) {
        0 => drop(dice.add_table(state)),
        1 | 2 => drop(dice.add_object(state)),
        3 | 4 => {
            let tables = state.ids(|it| matches!(it, Body::Table { .. }));
            if let Some(table) = dice.pick(&tables) {
                dice.add_part(state, table);
            }
        }
        5 => {
            let tables = state.ids(|it| matches!(it, Body::Table { .. }));
            if let Some(table) = dice.pick(&tables) {
                let column = dice.column(state, table);
                dice.add(state, table, Body::Column(column));
            }
        }
        6..=8 => drop(dice.pick(&ids).map(|it| state.items.remove(&it))),
        9 | 10 => rename(dice, state),
        11 | 12 => swap_names(dice, state),
        13 => move_home(dice, state),
        14 => replace_by_another(dice, state),
        15 => retype_both_ends(dice, state),
        16 => {
            let schemas = state.ids(|it| matches!(it, Body::Schema));
            match dice.pick(&schemas) {
                Some(it) if it != crate::model::PUBLIC && dice.chance(50) => {
                    drop(state.items.remove(&it))
                }
                _ => drop(dice.add(state, crate::model::PUBLIC, Body::Schema)),
            }
        }
        _ => {
            if let Some(id) = dice.pick(&ids) {
                alter(dice, state, id);
            }
        }
    }
}

fn rename(dice: &mut Dice<'_>, state: &mut State) {
    let parts = state.ids(|it| it.is_constraint() || matches!(it, Body::Index(_)));
    let all = state.ids(|it| !matches!(it, Body::Schema));
    let id = if dice.chance(70) {
        dice.pick(&parts)
    } else {
        dice.pick(&all)
    };
    let name = dice.name();
    if let Some(item) = id.and_then(|it| state.items.get_mut(&it)) {
        item.name = name;
    }
}

/// Two objects that stand side by side exchange their names.
fn swap_names(dice: &mut Dice<'_>, state: &mut State) {
    let all = state.ids(|it| !matches!(it, Body::Schema));
    let Some(one) = dice.pick(&all) else { return };
    let home = state.items[&one].home;
    let beside: Vec<Id> = state
        .parts(home)
        .map(|(id, _)| id)
        .filter(|it| *it != one)
        .collect();
    let alike: Vec<Id> = beside
        .iter()
        .copied()
        .filter(|it| {
            std::mem::discriminant(&state.items[it].body)
                == std::mem::discriminant(&state.items[&one].body)
        })
        .collect();
    let other = if dice.chance(75) {
        dice.pick(&alike)
    } else {
        dice.pick(&beside)
    };
    let Some(other) = other else { return };
    let (first, second) = (
        state.items[&one].name.clone(),
        state.items[&other].name.clone(),
    );
    for (id, name) in [(one, second), (other, first)] {
        if let Some(item) = state.items.get_mut(&id) {
            item.name = name;
        }
    }
}

fn move_home(dice: &mut Dice<'_>, state: &mut State) {
    let all = state.ids(|it| !matches!(it, Body::Schema) && !it.is_part());
    let home = dice.home(state);
    if let Some(item) = dice.pick(&all).and_then(|it| state.items.get_mut(&it)) {
        item.home = home;
    }
}

/// An object goes and another one takes its name, mostly of another kind; its users become text or follow it.
fn replace_by_another(dice: &mut Dice<'_>, state: &mut State) {
    let all = state.ids(|it| !matches!(it, Body::Schema | Body::Table { .. }) && !it.is_part());
    let Some(id) = dice.pick(&all) else { return };
    let new = dice.add_object(state);
    let (Some(was), Some(mut is)) = (state.items.remove(&id), state.items.remove(&new)) else {
        return;
    };
    (is.name, is.home) = (was.name, was.home);
    let key = if dice.chance(60) { id } else { new };
    state.items.insert(key, is);
}

/// A column and those that refer to it change their type together.
fn retype_both_ends(dice: &mut Dice<'_>, state: &mut State) {
    let keys: Vec<_> = state
        .items
        .values()
        .filter_map(|it| {
            if let Body::ForeignKey(it) = &it.body {
                Some(it.clone())
            } else {
                None
            }
        })
        .collect();
    let Some(key) = dice.pick(&keys) else { return };
    let Some((_, referenced)) = state.referenced(key.target) else {
        return;
    };
    let at = dice.below(referenced.len());
    let ty = dice.ty(state);
    let mut group: Vec<Id> = vec![referenced[at]];
    group.extend(key.columns.get(at));
    for other in &keys {
        if let Some((_, columns)) = state.referenced(other.target) {
            group.extend(
                columns
                    .iter()
                    .zip(&other.columns)
                    .filter(|(to, _)| **to == referenced[at])
                    .map(|(_, from)| *from),
            );
        }
    }
    for id in group {
        if let Some(Body::Column(it)) = state.items.get_mut(&id).map(|it| &mut it.body) {
            it.ty = ty.clone();
            it.value = Value::None;
        }
    }
}

/// Changes one attribute of an item.
fn alter(dice: &mut Dice<'_>, state: &mut State, id: Id) {
    let Some(mut item) = state.items.get(&id).cloned() else {
        return;
    };
    let columns = state.columns(item.home);
    if dice.chance(15) {
        item.comment = if item.comment.is_some() && dice.chance(50) {
            None
        } else {
            Some(format!("changed {}", dice.small()))
        };
        state.items.insert(id, item);
        return;
    }
    match &mut item.body {
        Body::Schema => {}
        Body::Collation { locale } => {
            let mut other = State::default();
            let at = dice.add_object(&mut other);
            match other.items.get(&at).map(|it| &it.body) {
                Some(Body::Collation { locale: it }) => *locale = it,
                _ => *locale = "locale = 'POSIX'",
            }
        }
        Body::Enum { values } => values_changed(dice, values),
        Body::Domain {
            base,
            default,
            not_null,
            checks,
        } => match dice.below(5) {
            0 => *base = dice.ty(state),
            1 => *default = !*default,
            2 => *not_null = !*not_null,
            3 if !checks.is_empty() => drop(checks.remove(0)),
            _ => checks.push((format!("check {}", dice.next), dice.small())),
        },
        Body::Composite { attributes } => match dice.below(4) {
            0 if attributes.len() > 1 => drop(attributes.remove(0)),
            1 => attributes.push((format!("more {}", dice.next), dice.ty(state))),
            2 => attributes.reverse(),
            _ => attributes
                .iter_mut()
                .take(1)
                .for_each(|it| it.1 = dice.ty(state)),
        },
        Body::Range {
            subtype,
            multirange,
        } => match dice.below(2) {
            0 => *subtype = dice.ty(state),
            _ => {
                *multirange = if multirange.is_some() {
                    None
                } else {
                    Some(format!("many {}", dice.next))
                }
            }
        },
        Body::Sequence { options, owner } => match dice.below(3) {
            0 => {
                let all = state.ids(|it| matches!(it, Body::Column(_)));
                *owner = if owner.is_some() && dice.chance(50) {
                    None
                } else {
                    dice.pick(&all)
                };
            }
            _ => *options = dice.numbers(),
        },
        Body::Table {
            unlogged,
            fillfactor,
            ..
        } => match dice.below(3) {
            0 => *unlogged = !*unlogged,
            _ => *fillfactor = if fillfactor.is_some() { None } else { Some(70) },
        },
        Body::Column(it) => {
            let other = dice.column(state, item.home);
            match dice.below(10) {
                0..=2 => {
                    it.ty = if dice.chance(15) {
                        Ty {
                            array: !it.ty.array,
                            ..it.ty.clone()
                        }
                    } else {
                        other.ty
                    };
                    if dice.chance(30) {
                        it.value = other.value;
                    }
                }
                3..=5 => {
                    it.value = if it.value == Value::None {
                        other.value
                    } else if dice.chance(40) {
                        Value::None
                    } else {
                        other.value
                    }
                }
                6 | 7 => it.not_null = !it.not_null,
                8 => {
                    it.collation = if it.collation.is_some() {
                        None
                    } else {
                        other.collation
                    }
                }
                _ => {
                    (it.storage, it.compression, it.statistics) = (
                        other.storage,
                        other.compression,
                        Some(u16::from(dice.small()) * 20 + 20),
                    )
                }
            }
        }
        Body::Primary(it) | Body::Unique(it) => {
            let other = dice.unique(&columns);
            match dice.below(5) {
                0 => it.columns = other.columns,
                1 => it.columns.reverse(),
                2 => it.include = other.include,
                3 => it.deferral = (it.deferral + 1) % 3,
                _ => (it.fillfactor, it.nulls_not_distinct) = (Some(80), !it.nulls_not_distinct),
            }
        }
        Body::Check {
            expr,
            not_valid,
            no_inherit,
        } => match dice.below(4) {
            0 => *not_valid = !*not_valid,
            1 => *no_inherit = !*no_inherit,
            _ => *expr = dice.expr(&columns),
        },
        Body::Exclusion {
            columns: own,
            predicate,
            deferral,
        } => match dice.below(3) {
            0 => *own = dice.some(&columns, 2),
            1 => {
                *predicate = if predicate.is_some() {
                    None
                } else {
                    Some(dice.expr(&columns))
                }
            }
            _ => *deferral = (*deferral + 1) % 3,
        },
        Body::ForeignKey(it) => match dice.below(6) {
            0 => it.on_delete = dice.small(),
            1 => it.on_update = dice.small(),
            2 => it.full = !it.full,
            3 => it.not_valid = !it.not_valid,
            4 => it.columns.reverse(),
            _ => it.deferral = (it.deferral + 1) % 3,
        },
        Body::Index(it) => {
            let other = dice.index(state, &columns);
            match dice.below(7) {
                0 => it.elements = other.elements,
                1 => it.elements.reverse(),
                2 => it.unique = !it.unique,
                3 => it.method = other.method,
                4 => {
                    it.predicate = if it.predicate.is_some() {
                        None
                    } else {
                        Some(dice.expr(&columns))
                    }
                }
                5 => it.include = other.include,
                _ => {
                    it.fillfactor = if it.fillfactor.is_some() {
                        None
                    } else {
                        Some(75)
                    }
                }
            }
        }
    }
    state.items.insert(id, item);
}

/// Labels come at any place, go, change places, or one becomes another.
fn values_changed(dice: &mut Dice<'_>, values: &mut Vec<String>) {
    let at = dice.below(values.len());
    match dice.below(5) {
        0 if values.len() > 1 => drop(values.remove(at)),
        1 => values.reverse(),
        2 => values[at] = format!("other {}", dice.next),
        _ => values.insert(
            at + dice.below(2),
            format!("more {} {}", dice.next, values.len()),
        ),
    }
}
