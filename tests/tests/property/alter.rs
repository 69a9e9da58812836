//! Random changes of one attribute of one item.

use crate::model::{Body, Column, Expr, ForeignKey, Id, Index, State, Ty, Unique, Value};
use crate::random::Dice;

/// Changes one attribute of an item, or its comment.
pub(crate) fn alter(dice: &mut Dice<'_>, state: &mut State, id: Id) {
    let Some(mut item) = state.items.get(&id).cloned() else {
        return;
    };
    if dice.chance(15) {
        let goes = item.comment.is_some() && dice.chance(50);
        item.comment = (!goes).then(|| format!("changed {}", dice.small()));
    } else if item.body.is_part() {
        part(dice, state, item.home, &mut item.body);
    } else {
        whole(dice, state, &mut item.body);
    }
    state.items.insert(id, item);
}

fn whole(dice: &mut Dice<'_>, state: &State, body: &mut Body) {
    match body {
        Body::Collation { locale } => *locale = dice.locale(),
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
            _ => toggle(multirange, format!("many {}", dice.next)),
        },
        Body::Sequence { options, owner } => match dice.below(3) {
            0 => {
                let all = state.ids(|it| matches!(it, Body::Column(_)));
                let goes = owner.is_some() && dice.chance(50);
                *owner = dice.pick(&all).filter(|_| !goes);
            }
            _ => *options = dice.numbers(),
        },
        Body::Table {
            unlogged,
            fillfactor,
            ..
        } => match dice.below(3) {
            0 => *unlogged = !*unlogged,
            _ => toggle(fillfactor, 70),
        },
        _ => {}
    }
}

fn part(dice: &mut Dice<'_>, state: &State, table: Id, body: &mut Body) {
    let columns = state.columns(table);
    match body {
        Body::Column(it) => column(dice, it, state, table),
        Body::Primary(it) | Body::Unique(it) => key(dice, it, &columns),
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
            1 => toggle(predicate, dice.expr(&columns)),
            _ => *deferral = (*deferral + 1) % 3,
        },
        Body::ForeignKey(it) => foreign_key(dice, it),
        Body::Index(it) => index(dice, it, state, &columns),
        _ => {}
    }
}

fn column(dice: &mut Dice<'_>, it: &mut Column, state: &State, table: Id) {
    let other = dice.column(state, table);
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
            let goes = it.value != Value::None && dice.chance(40);
            it.value = if goes { Value::None } else { other.value };
        }
        6 | 7 => it.not_null = !it.not_null,
        8 => it.collation = other.collation.filter(|_| it.collation.is_none()),
        _ => {
            (it.storage, it.compression) = (other.storage, other.compression);
            it.statistics = Some(u16::from(dice.small()) * 20 + 20);
        }
    }
}

fn key(dice: &mut Dice<'_>, it: &mut Unique, columns: &[Id]) {
    let other = dice.unique(columns);
    match dice.below(5) {
        0 => it.columns = other.columns,
        1 => it.columns.reverse(),
        2 => it.include = other.include,
        3 => it.deferral = (it.deferral + 1) % 3,
        _ => (it.fillfactor, it.nulls_not_distinct) = (Some(80), !it.nulls_not_distinct),
    }
}

fn foreign_key(dice: &mut Dice<'_>, it: &mut ForeignKey) {
    match dice.below(6) {
        0 => it.on_delete = dice.small(),
        1 => it.on_update = dice.small(),
        2 => it.full = !it.full,
        3 => it.not_valid = !it.not_valid,
        4 => it.columns.reverse(),
        _ => it.deferral = (it.deferral + 1) % 3,
    }
}

fn index(dice: &mut Dice<'_>, it: &mut Index, state: &State, columns: &[Id]) {
    let other = dice.index(state, columns);
    match dice.below(7) {
        0 => it.elements = other.elements,
        1 => it.elements.reverse(),
        2 => it.unique = !it.unique,
        3 => it.method = other.method,
        4 => toggle::<Expr>(&mut it.predicate, dice.expr(columns)),
        5 => it.include = other.include,
        _ => toggle(&mut it.fillfactor, 75),
    }
}

fn toggle<T>(it: &mut Option<T>, value: T) {
    *it = if it.is_some() { None } else { Some(value) };
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
