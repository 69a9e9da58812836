//! How types are used: whose type a name is, what expressions mention, and how columns hold values of a type.

use std::collections::BTreeSet;

use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::{KindTag, Object, columns_of};
use crate::schema::Schema;
use crate::sql_type::SqlType;

/// The object that brings a type of this name: a type, a range for its multirange type, a table for its row type.
pub fn type_owner(schema: &Schema, name: &Name) -> Option<Key> {
    let table = Key::of(KindTag::Table, name);
    schema
        .type_key(name)
        .or_else(|| schema.contains(&table).then_some(table))
        .or_else(|| multirange_owner(schema, name))
}

fn multirange_owner(schema: &Schema, name: &Name) -> Option<Key> {
    let ranges = schema.of_kind(KindTag::Range);
    ranges
        .filter(
            |(_, it)| matches!(it, Object::Range(range) if range.multirange.as_ref() == Some(name)),
        )
        .map(|(key, _)| key.clone())
        .next()
}

/// The object that brings the type that this is or whose array this is.
pub(crate) fn owner_of(schema: &Schema, ty: &SqlType) -> Option<Key> {
    type_owner(schema, &ty.user_defined()?)
}

/// What expressions on a table or domain can name besides functions and types: its columns, or `VALUE`; each with its
/// type and collation.
pub fn operands_of(schema: &Schema, name: &Name) -> Vec<(Ident, SqlType, Option<Name>)> {
    match schema.get(&Key::of(KindTag::Domain, name)) {
        // The keyword reads as a column of this name where a column can be named.
        Some(Object::Domain(it)) => {
            vec![(Ident::new("value"), it.base.clone(), it.collation.clone())]
        }
        _ => inherited(schema, name)
            .iter()
            .flat_map(|table| columns_of(schema, table))
            .map(|it| {
                (
                    it.name.clone(),
                    it.ty.clone(),
                    it.collation.as_deref().cloned(),
                )
            })
            .collect(),
    }
}

/// A table and those that it inherits from, since columns that come from a parent are objects of the parent alone.
fn inherited(schema: &Schema, table: &Name) -> Vec<Name> {
    let mut acc = vec![table.clone()];
    let mut at = 0;
    while let Some(name) = acc.get(at).cloned() {
        if let Some(Object::Table(it)) = schema.get(&Key::of(KindTag::Table, &name)) {
            let parents = it.inherits.iter().filter(|it| !acc.contains(it)).cloned();
            acc.extend(parents.collect::<Vec<_>>());
        }
        at += 1;
    }
    acc
}

/// Adds, to the keys of columns that are not there, those of the parents' columns that they come from.
pub(crate) fn add_inherited(schema: &Schema, acc: &mut BTreeSet<Key>) {
    let is_missing = |it: &&Key| it.kind == KindTag::Column && !schema.contains(it);
    let missing: Vec<Key> = acc.iter().filter(is_missing).cloned().collect();
    for key in missing {
        let parents = inherited(schema, &key.qualified());
        let found = parents[1..].iter().map(|table| Key {
            part: key.part.clone(),
            ..Key::of(KindTag::Column, table)
        });
        acc.extend(found.filter(|it| schema.contains(it)));
    }
}

/// The sequences that an expression's words name, in the same places as `mentioned_types` looks in.
pub(crate) fn mentioned_sequences(
    schema: &Schema,
    home: &Name,
    words: &BTreeSet<Ident>,
    acc: &mut BTreeSet<Key>,
) {
    let names = names_of(schema, home, words);
    let keys = names.iter().map(|it| Key::of(KindTag::Sequence, it));
    acc.extend(keys.filter(|it| schema.contains(it)));
}

/// What the words of an expression can name: each in the schema of `home`, in the default one, and in those it mentions.
fn names_of(schema: &Schema, home: &Name, words: &BTreeSet<Ident>) -> Vec<Name> {
    let is_schema =
        |it: &&Ident| schema.contains(&Key::of(KindTag::Namespace, &Name::plain((*it).clone())));
    let mut places: BTreeSet<Option<&Ident>> = words.iter().filter(is_schema).map(Some).collect();
    places.extend([None, home.schema.as_ref()]);
    let name = |place: &Option<&Ident>, word: &Ident| Name {
        schema: place.cloned(),
        name: word.clone(),
    };
    words
        .iter()
        .flat_map(|word| places.iter().map(move |it| name(it, word)))
        .collect()
}

/// The types that an expression's words name, in the schema of `home`, in the default one, and in those it mentions.
pub(crate) fn mentioned_types(
    schema: &Schema,
    home: &Name,
    words: &BTreeSet<Ident>,
    acc: &mut BTreeSet<Key>,
) {
    let names = names_of(schema, home, words);
    acc.extend(names.iter().filter_map(|it| schema.type_key(it)));
    if words.contains("collate") {
        let collations = schema.of_kind(KindTag::Collation);
        acc.extend(
            collations
                .filter(|(key, _)| words.contains(&key.name))
                .map(|(key, _)| key.clone()),
        );
    }
}

/// How columns hold values of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stored {
    /// Not at all.
    No,
    /// As their own type, or through domains over it.
    Bare,
    /// Inside an array, a composite, a range or a table's row type; PostgreSQL does not look into those when it
    /// validates a domain, and refuses (documentation of `ALTER DOMAIN`, notes).
    Inside,
}

/// How the columns of a schema hold values of the type under a key.
pub(crate) fn stored(schema: &Schema, ty: &Key) -> Stored {
    let (mut bare, mut inside) = (BTreeSet::from([ty.clone()]), BTreeSet::new());
    let mut found = Stored::No;
    loop {
        let known = bare.len() + inside.len();
        let held =
            |it: &SqlType, bare: &BTreeSet<Key>, inside: &BTreeSet<Key>| match owner_of(schema, it)
            {
                Some(owner) if inside.contains(&owner) => Stored::Inside,
                Some(owner) if bare.contains(&owner) && it.is_array() => Stored::Inside,
                Some(owner) if bare.contains(&owner) => Stored::Bare,
                _ => Stored::No,
            };
        for (key, object) in schema.iter() {
            match object {
                Object::Domain(it) => match held(&it.base, &bare, &inside) {
                    Stored::No => {}
                    Stored::Bare => drop(bare.insert(key.clone())),
                    Stored::Inside => drop(inside.insert(key.clone())),
                },
                Object::CompositeType(it)
                    if it
                        .attributes
                        .iter()
                        .any(|it| held(&it.ty, &bare, &inside) != Stored::No) =>
                {
                    inside.insert(key.clone());
                }
                Object::Range(it) if held(&it.subtype, &bare, &inside) != Stored::No => {
                    inside.insert(key.clone());
                }
                Object::Column(it) => {
                    let how = held(&it.ty, &bare, &inside);
                    if how != Stored::No {
                        inside.insert(Key::of(KindTag::Table, &it.table));
                        found = found.max(how);
                    }
                }
                _ => {}
            }
        }
        if bare.len() + inside.len() == known {
            return found;
        }
    }
}

/// The composite type at the bottom of a type: itself, its element, or what its domain stands on.
pub(crate) fn composite_below(schema: &Schema, ty: &SqlType) -> Option<Key> {
    let mut ty = ty.clone();
    let mut seen = BTreeSet::new();
    loop {
        let key = owner_of(schema, &ty)?;
        match schema.get(&key)? {
            Object::Domain(it) if seen.insert(key.clone()) => ty = it.base.clone(),
            Object::CompositeType(_) => return Some(key),
            _ => return None,
        }
    }
}
