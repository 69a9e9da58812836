//! Values that columns can share: a key that narrower columns refer to gets values which fit into these as well.

use std::collections::BTreeMap;

use super::facts::{Facts, Form};
use super::values::{beneath, longest};

/// A column by its table's object id and its number.
type Place = (i64, i16);

/// What a value is made of: a type with its modifier.
type Made = (i64, i32);

/// Has columns that refer to each other, however many steps apart, make their values of the narrowest of their types.
pub(super) fn narrow(facts: &mut Facts) {
    let mut groups: BTreeMap<Place, Place> = BTreeMap::new();
    for (oid, table) in &facts.tables {
        for reference in &table.references {
            for (column, target) in reference.columns.iter().zip(&reference.targets) {
                let one = root(&groups, (*oid, *column));
                let other = root(&groups, (reference.table, *target));
                if one != other {
                    groups.insert(one, other);
                }
            }
        }
    }
    let mut members: BTreeMap<Place, Vec<Made>> = BTreeMap::new();
    for (place, made) in columns(facts) {
        members.entry(root(&groups, place)).or_default().push(made);
    }
    let narrowest: BTreeMap<Place, Made> = members
        .iter()
        .filter_map(|(root, types)| Some((*root, narrowest_of(facts, types)?)))
        .collect();
    for (oid, table) in &mut facts.tables {
        for column in &mut table.columns {
            let found = narrowest.get(&root(&groups, (*oid, column.number)));
            column.made_of = *found.unwrap_or(&column.made_of);
        }
    }
}

/// The narrowest of some types; without digits behind the point where another of them has none.
fn narrowest_of(facts: &Facts, types: &[Made]) -> Option<Made> {
    let (oid, modifier) = types.iter().min_by_key(|it| room(facts, **it)).copied()?;
    let bare = |it: &Made| beneath(facts, it.0, it.1).map_or("", |(ty, _)| ty.bare.as_str());
    let is_whole = |it: &Made| matches!(bare(it), "int2" | "int4" | "int8" | "oid");
    if bare(&(oid, modifier)) != "numeric" || !types.iter().any(is_whole) {
        return Some((oid, modifier));
    }
    let whole = i32::try_from(room(facts, (oid, modifier)).1).unwrap_or(1);
    Some((oid, (whole << 16) + 4))
}

fn root(groups: &BTreeMap<Place, Place>, mut place: Place) -> Place {
    while let Some(next) = groups.get(&place) {
        place = *next;
    }
    place
}

fn columns(facts: &Facts) -> impl Iterator<Item = (Place, Made)> {
    facts.tables.iter().flat_map(|(oid, table)| {
        let columns = table.columns.iter();
        columns.map(move |it| ((*oid, it.number), it.made_of))
    })
}

/// How much a type holds, among those whose values can be equal. A domain with checks comes first: what it takes, the
/// others take as well.
fn room(facts: &Facts, (oid, modifier): Made) -> (bool, usize) {
    let is_free = !facts
        .types
        .get(&oid)
        .is_some_and(|it| matches!(&it.form, Form::Domain { checks, .. } if !checks.is_empty()));
    let Some((ty, modifier)) = beneath(facts, oid, modifier) else {
        return (is_free, usize::MAX);
    };
    let room = match ty.bare.as_str() {
        "int2" => 4,
        "int4" | "oid" => 9,
        "int8" => 18,
        "numeric" if modifier >= 4 => {
            let scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
            usize::try_from(((modifier - 4) >> 16) - scale).unwrap_or(0)
        }
        // Fractions come last: the others would round them.
        "float4" => 100,
        "float8" => 200,
        "numeric" => 300,
        "date" => 1,
        _ => longest(ty, modifier).unwrap_or(usize::MAX),
    };
    (is_free, room)
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Column, Reference, Table, Type};
    use super::*;

    fn facts(tables: &[(i64, i64, Option<i64>)]) -> Facts {
        let mut facts = Facts::default();
        for (oid, name) in [
            (21, "int2"),
            (23, "int4"),
            (20, "int8"),
            (1082, "date"),
            (1114, "timestamp"),
            (1700, "numeric"),
        ] {
            let ty = Type {
                name: format!("pg_catalog.{name}"),
                bare: name.to_owned(),
                form: Form::Base,
            };
            facts.types.insert(oid, ty);
        }
        for (oid, ty, parent) in tables {
            let column = Column {
                number: 1,
                name: "id".to_owned(),
                ty: *ty,
                made_of: (*ty, -1),
                type_text: String::new(),
                nullable: false,
                distinct: true,
            };
            let references = parent.iter().map(|it| Reference {
                columns: vec![1],
                table: *it,
                targets: vec![1],
                full: false,
            });
            let table = Table {
                shown: String::new(),
                name: String::new(),
                columns: vec![column],
                checks: Vec::new(),
                references: references.collect(),
            };
            facts.tables.insert(*oid, table);
        }
        facts
    }

    #[test]
    fn columns_that_refer_to_each_other_share_the_narrowest_type() {
        let check = |tables: &[(i64, i64, Option<i64>)], expected: &[i64]| {
            let mut facts = facts(tables);
            narrow(&mut facts);
            let found: Vec<i64> = columns(&facts).map(|(_, (ty, _))| ty).collect();
            assert_eq!(found, expected, "{tables:?}");
        };
        check(
            &[(1, 20, None), (2, 23, Some(1)), (3, 20, None)],
            &[23, 23, 20],
        );
        // A row refers to one that refers to one.
        check(
            &[(1, 20, None), (2, 23, Some(1)), (3, 21, Some(2))],
            &[21, 21, 21],
        );
        check(&[(1, 21, None), (2, 20, Some(1))], &[21, 21]);
        check(&[(1, 1114, None), (2, 1082, Some(1))], &[1082, 1082]);
    }
}
