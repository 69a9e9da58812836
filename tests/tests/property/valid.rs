//! Brings a random state to one that PostgreSQL takes: references that lead nowhere go, names become unique, attributes
//! that do not fit their type are left out. What slips through is refused by the server and not counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Base, Body, Column, Expr, Family, Id, Index, Item, PLAIN, PUBLIC, State, Ty, Unique, Value,
};

/// Makes a state fit for a server of this major version.
pub(crate) fn settle(state: &mut State, major: u32) {
    loop {
        let before = state.clone();
        let ids: Vec<Id> = state.items.keys().copied().collect();
        for id in ids {
            let Some(mut item) = state.items.remove(&id) else {
                continue;
            };
            let keep = has_home(state, id, &item) && {
                // Types that lead back to themselves are found only with the item in its place.
                state.items.insert(id, item.clone());
                types(state, id, &mut item.body);
                let keep = fits(state, id, &mut item, major);
                state.items.remove(&id);
                keep
            };
            if keep {
                state.items.insert(id, item);
            }
        }
        keys_are_not_null(state);
        names(state, major);
        if *state == before {
            return;
        }
    }
}

fn has_home(state: &State, id: Id, item: &Item) -> bool {
    if matches!(item.body, Body::Schema) {
        return true;
    }
    let home = state.get(item.home).map(|it| &it.body);
    id != PUBLIC
        && match home {
            Some(Body::Schema) => !item.body.is_part(),
            Some(Body::Table { .. }) => item.body.is_part(),
            _ => false,
        }
}

/// What is of a type that is gone, or that leads back here, becomes text.
fn types(state: &State, id: Id, body: &mut Body) {
    let is_column = matches!(body, Body::Column(_));
    let is_range = matches!(body, Body::Range { .. });
    for ty in body.types() {
        if let Base::User(it) = ty.base {
            let exists = state.get(it).is_some_and(|it| it.body.is_type());
            if !exists || (!is_column && state.reaches(it, id)) {
                *ty = Ty::TEXT;
            }
        }
        if is_range && !state.is_sorted(ty) {
            *ty = Ty::INT;
        }
    }
}

fn fits(state: &State, id: Id, item: &mut Item, major: u32) -> bool {
    let home = item.home;
    let own: BTreeSet<Id> = state.columns(home).into_iter().collect();
    for list in item.body.column_lists() {
        let mut seen = BTreeSet::new();
        list.retain(|it| own.contains(it) && seen.insert(*it));
    }
    match &mut item.body {
        Body::Schema | Body::Collation { .. } | Body::Table { .. } => true,
        Body::Enum { values } => !values.is_empty(),
        Body::Domain { .. } | Body::Composite { .. } => true,
        Body::Range { multirange, .. } => {
            *multirange = multirange.take().filter(|_| major >= 14);
            true
        }
        Body::Sequence { owner, .. } => {
            let table = owner
                .and_then(|it| state.get(it))
                .filter(|it| matches!(it.body, Body::Column(_)));
            let fits = table
                .and_then(|it| state.get(it.home))
                .is_some_and(|it| it.home == home);
            *owner = owner.filter(|_| fits);
            true
        }
        Body::Column(it) => {
            column(state, id, home, it, major);
            true
        }
        Body::Primary(it) => {
            it.nulls_not_distinct = false;
            let first = state
                .parts(home)
                .find(|(_, it)| matches!(it.body, Body::Primary(_)));
            key(state, it) && first.is_none_or(|(it, _)| it >= id)
        }
        Body::Unique(it) => {
            it.nulls_not_distinct &= major >= 15;
            key(state, it)
        }
        Body::Check { expr, .. } => !expr.columns.is_empty(),
        Body::Exclusion {
            columns, predicate, ..
        } => {
            *predicate = predicate.take().filter(|it| !it.columns.is_empty());
            columns.retain(|it| is_sorted(state, *it));
            !columns.is_empty()
        }
        Body::ForeignKey(it) => {
            let is_unlogged = |id: Id| {
                matches!(
                    state.get(id).map(|it| &it.body),
                    Some(Body::Table { unlogged: true, .. })
                )
            };
            let Some((table, columns)) = state.referenced(it.target) else {
                return false;
            };
            columns.len() == it.columns.len()
                && !columns.is_empty()
                && columns.iter().collect::<BTreeSet<_>>().len() == columns.len()
                && (is_unlogged(home) || !is_unlogged(table))
                && it
                    .columns
                    .iter()
                    .zip(&columns)
                    .all(|(a, b)| may_refer(state, *a, *b))
        }
        Body::Index(it) => index(state, it, &own, major),
    }
}

fn column(state: &State, id: Id, table: Id, it: &mut Column, major: u32) {
    let is_collation = |it: Id| {
        matches!(
            state.get(it).map(|it| &it.body),
            Some(Body::Collation { .. })
        )
    };
    let collatable = state.is_collatable(&it.ty);
    it.collation = it.collation.filter(|it| collatable && is_collation(*it));
    let family = state.family(&it.ty);
    let plain = it.ty.user().is_none() && !it.ty.array;
    match &mut it.value {
        Value::None | Value::Default(_) => {}
        Value::Next(sequence) => {
            let there = matches!(
                state.get(*sequence).map(|it| &it.body),
                Some(Body::Sequence { .. })
            );
            if !there || !matches!(family, Family::Int | Family::Number | Family::Text) || !plain {
                it.value = Value::None;
            }
        }
        Value::Serial | Value::Identity { .. } => {
            if plain && family == Family::Int {
                it.not_null = true;
            } else {
                it.value = Value::None;
            }
        }
        Value::Generated(Expr { columns, .. }) => {
            let is_source = |it: &Id| {
                *it != id
                    && state.get(*it).is_some_and(|it| it.home == table)
                    && state
                        .column(*it)
                        .is_some_and(|it| !matches!(it.value, Value::Generated(_)))
            };
            columns.retain(is_source);
            if columns.is_empty()
                || !plain
                || !matches!(family, Family::Text | Family::Int | Family::Bool)
            {
                it.value = Value::None;
            }
        }
    }
    // Values of fixed length can be kept in one way only.
    let long = matches!(family, Family::Text | Family::Json | Family::Array);
    it.storage = it.storage.filter(|_| long);
    it.compression = it.compression.filter(|_| long && major >= 14);
}

fn is_sorted(state: &State, column: Id) -> bool {
    state
        .column(column)
        .is_some_and(|it| state.is_sorted(&it.ty))
}

fn key(state: &State, it: &mut Unique) -> bool {
    it.columns.retain(|it| is_sorted(state, *it));
    let columns = it.columns.clone();
    it.include.retain(|it| !columns.contains(it));
    !it.columns.is_empty()
}

fn may_refer(state: &State, from: Id, to: Id) -> bool {
    let (Some(from), Some(to)) = (state.column(from), state.column(to)) else {
        return false;
    };
    let whole = |it: &Ty| it.user().is_none() && state.family(it) == Family::Int;
    !matches!(from.value, Value::Generated(_))
        && (from.ty == to.ty || (whole(&from.ty) && whole(&to.ty)))
}

fn index(state: &State, it: &mut Index, own: &BTreeSet<Id>, major: u32) -> bool {
    it.elements.retain(|it| own.contains(&it.column));
    it.include.retain(|it| own.contains(it));
    if let Some(predicate) = &mut it.predicate {
        predicate.columns.retain(|it| own.contains(it));
    }
    it.predicate = it.predicate.take().filter(|it| !it.columns.is_empty());
    if !it
        .elements
        .iter()
        .all(|element| suits(state, it.method, element))
    {
        it.method = "btree";
    }
    let method = it.method;
    it.elements.retain(|it| suits(state, method, it));
    if method != "btree" {
        it.elements.truncate(1);
        it.include.clear();
        it.unique = false;
    }
    if matches!(method, "gin" | "brin") {
        it.fillfactor = None;
    }
    let columns: Vec<Id> = it.elements.iter().map(|it| it.column).collect();
    let mut seen = BTreeSet::new();
    it.include
        .retain(|it| !columns.contains(it) && seen.insert(*it));
    it.nulls_not_distinct &= it.unique && major >= 15;
    for element in &mut it.elements {
        let Some(column) = state.column(element.column) else {
            continue;
        };
        let family = state.family(&column.ty);
        let is_collation = |it: &Id| {
            matches!(
                state.get(*it).map(|it| &it.body),
                Some(Body::Collation { .. })
            )
        };
        element.collation = element
            .collation
            .filter(is_collation)
            .filter(|_| family == Family::Text && method != "gin");
        let name = |ty: &Ty| {
            if let Base::Plain(it) = ty.base {
                PLAIN[it].sql
            } else {
                ""
            }
        };
        let text =
            element.expression || matches!(name(&column.ty), "text" | "varchar" | "varchar(20)");
        element.pattern &= match method {
            "btree" => family == Family::Text && text && element.collation.is_none(),
            "gin" => name(&column.ty) == "jsonb" && !column.ty.array,
            _ => false,
        };
    }
    !it.elements.is_empty()
}

/// Whether an access method has a default operator class for an element.
fn suits(state: &State, method: &str, element: &crate::model::Element) -> bool {
    let Some(column) = state.column(element.column) else {
        return false;
    };
    let family = state.family(&column.ty);
    let is = |name: &str| {
        matches!(column.ty.base, Base::Plain(it) if PLAIN[it].sql == name) && !column.ty.array
    };
    match method {
        "btree" => element.expression || state.is_sorted(&column.ty),
        "hash" => {
            matches!(family, Family::Text | Family::Int | Family::Enum(_)) && !element.expression
        }
        "brin" => family == Family::Int && !element.expression,
        "gist" => (family == Family::Range || is("point") || is("tsvector")) && !element.expression,
        _ => {
            let plain_array =
                column.ty.array && matches!(column.ty.base, Base::Plain(it) if PLAIN[it].sorted);
            (plain_array || is("jsonb") || is("tsvector")) && !element.expression
        }
    }
}

fn keys_are_not_null(state: &mut State) {
    let keys: Vec<Id> = state
        .items
        .values()
        .filter_map(|it| {
            if let Body::Primary(it) = &it.body {
                Some(it.columns.clone())
            } else {
                None
            }
        })
        .flatten()
        .collect();
    for id in keys {
        if let Some(Body::Column(it)) = state.items.get_mut(&id).map(|it| &mut it.body) {
            it.not_null = true;
        }
    }
}

/// Gives a name that is taken in one of its spaces a number behind it.
fn names(state: &mut State, major: u32) {
    let mut taken: BTreeMap<(&'static str, Id), BTreeSet<String>> = BTreeMap::new();
    let ids: Vec<Id> = state.items.keys().copied().collect();
    for id in ids {
        let Some(item) = state.get(id) else { continue };
        let home = item.home;
        let schema = if item.body.is_part() {
            state.get(home).map_or(PUBLIC, |it| it.home)
        } else {
            home
        };
        let mut spaces = Vec::new();
        match item.body {
            Body::Schema => spaces.push(("schema", PUBLIC)),
            Body::Collation { .. } => spaces.push(("collation", schema)),
            Body::Column(_) => spaces.push(("column", home)),
            Body::Enum { .. } | Body::Domain { .. } | Body::Range { .. } => {
                spaces.push(("type", schema))
            }
            Body::Table { .. } | Body::Composite { .. } => {
                spaces.extend([("type", schema), ("relation", schema)])
            }
            // Sequences had row types until PostgreSQL 13.
            Body::Sequence { .. } if major < 14 => {
                spaces.extend([("type", schema), ("relation", schema)]);
            }
            Body::Sequence { .. } | Body::Index(_) => spaces.push(("relation", schema)),
            Body::Primary(_) | Body::Unique(_) | Body::Exclusion { .. } => {
                spaces.extend([("relation", schema), ("constraint", home)]);
            }
            Body::Check { .. } | Body::ForeignKey(_) => spaces.push(("constraint", home)),
        }
        let is_free = |name: &str| {
            spaces
                .iter()
                .all(|it| !taken.get(it).is_some_and(|it| it.contains(name)))
        };
        let mut name = item.name.clone();
        let mut n = id;
        while !is_free(&name) {
            name = numbered(&item.name, n);
            n += 1000;
        }
        for it in spaces {
            taken.entry(it).or_default().insert(name.clone());
        }
        if let Some(item) = state.items.get_mut(&id) {
            item.name = name;
        }
    }
}

/// A name with a number behind it, in the 63 bytes that PostgreSQL keeps.
fn numbered(name: &str, n: Id) -> String {
    let suffix = format!("_{n}");
    let mut kept = name;
    while kept.len() + suffix.len() > 63 {
        kept = kept.char_indices().last().map_or("", |(at, _)| &kept[..at]);
    }
    format!("{kept}{suffix}")
}
