//! Random edits: what people do to a schema between two revisions, and what they hardly ever do.

use crate::alter::alter;
use crate::model::{Body, Case, Id, State, Value};
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
