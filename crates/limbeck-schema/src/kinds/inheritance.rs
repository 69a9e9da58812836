//! What a table has of the columns that it inherits: looked up over all its parents.

use crate::expr::Expr;
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::inherited_column::{OwnDefault, SERVERS_CHOICE};
use crate::kinds::{Column, InheritedColumn, Kind, KindTag, Object, StorageMode};
use crate::schema::Schema;
use crate::sql_type::SqlType;

/// What stands under a table for a column: the column itself, or what the table says of it.
pub(crate) enum Found<'a> {
    Column(&'a Column),
    Inherited(Option<&'a InheritedColumn>, Name),
}

pub(crate) fn find<'a>(schema: &'a Schema, table: &Name, column: &Ident) -> Option<Found<'a>> {
    if let Some(Object::Column(it)) = schema.get(&Key::part(KindTag::Column, table, column)) {
        return Some(Found::Column(it));
    }
    let Some(Object::Table(it)) = schema.get(&Key::of(KindTag::Table, table)) else {
        return None;
    };
    let parent = it
        .inherits
        .iter()
        .find(|it| *it != table && find(schema, it, column).is_some())?;
    let own = schema.get(&Key::part(KindTag::InheritedColumn, table, column));
    let own = match own {
        Some(Object::InheritedColumn(it)) => Some(&**it),
        _ => None,
    };
    Some(Found::Inherited(own, parent.clone()))
}

/// The table that a column comes from, if it is inherited and not declared beside that.
pub(crate) fn parent_of(schema: &Schema, table: &Name, column: &Ident) -> Option<Name> {
    match find(schema, table, column)? {
        Found::Column(_) => None,
        Found::Inherited(_, parent) => Some(parent),
    }
}

/// The default of a column that a table has or inherits.
pub fn default_of(schema: &Schema, table: &Name, column: &Ident) -> Option<Expr> {
    match find(schema, table, column)? {
        Found::Column(it) => it.default.clone(),
        Found::Inherited(own, parent) => match own.map(|it| &it.default) {
            Some(OwnDefault::Own(it)) => Some(it.clone()),
            Some(OwnDefault::Nothing) => None,
            Some(OwnDefault::Inherited) | None => default_of(schema, &parent, column),
        },
    }
}

/// Whether a column that a table has or inherits takes no nulls.
pub fn is_not_null(schema: &Schema, table: &Name, column: &Ident) -> bool {
    match find(schema, table, column) {
        Some(Found::Column(it)) => !it.nullable,
        Some(Found::Inherited(own, parent)) => {
            own.is_some_and(|it| it.not_null) || is_not_null(schema, &parent, column)
        }
        None => false,
    }
}

pub(crate) fn type_of(
    schema: &Schema,
    table: &Name,
    column: &Ident,
) -> Option<(SqlType, Option<Name>)> {
    match find(schema, table, column)? {
        Found::Column(it) => Some((it.ty.clone(), it.collation.as_deref().cloned())),
        Found::Inherited(_, parent) => type_of(schema, &parent, column),
    }
}

pub(crate) fn storage_of(schema: &Schema, table: &Name, column: &Ident) -> Option<StorageMode> {
    match find(schema, table, column)? {
        Found::Column(it) => {
            let said = it.physical.as_ref().and_then(|it| it.storage);
            Some(said.unwrap_or_else(|| StorageMode::of_type(schema, &it.ty)))
        }
        Found::Inherited(own, parent) => own
            .and_then(|it| it.storage)
            .or_else(|| storage_of(schema, &parent, column)),
    }
}

pub(crate) fn compression_of(schema: &Schema, table: &Name, column: &Ident) -> Ident {
    let said = match find(schema, table, column) {
        Some(Found::Column(it)) => it.physical.as_ref().and_then(|it| it.compression.clone()),
        Some(Found::Inherited(own, parent)) => Some(
            own.and_then(|it| it.compression.clone())
                .unwrap_or_else(|| compression_of(schema, &parent, column)),
        ),
        None => None,
    };
    said.unwrap_or_else(|| Ident::new(SERVERS_CHOICE))
}

/// Whether tables inherit from a table.
pub(crate) fn has_children(schema: &Schema, table: &Name) -> bool {
    children(schema, table).next().is_some()
}

fn children<'a>(schema: &'a Schema, table: &'a Name) -> impl Iterator<Item = &'a Name> {
    schema
        .of_kind(KindTag::Table)
        .filter_map(move |(_, object)| match object {
            Object::Table(it) if it.inherits.contains(table) => Some(&it.name),
            _ => None,
        })
}

/// The tables that inherit a column and follow its compression.
pub(crate) fn followers(schema: &Schema, table: &Name, column: &Ident) -> Vec<Name> {
    let mut acc = Vec::new();
    let mut open = vec![table.clone()];
    while let Some(table) = open.pop() {
        for child in children(schema, &table) {
            let follows = match find(schema, child, column) {
                Some(Found::Inherited(own, parent)) => {
                    parent == table && own.is_none_or(|it| it.compression.is_none())
                }
                _ => false,
            };
            if follows && !acc.contains(child) {
                acc.push(child.clone());
                open.push(child.clone());
            }
        }
    }
    acc
}

/// Puts two states into one form where a column is inherited on both sides and declared beside that on one alone: no
/// statement leads from the one to the other, and nothing but the text of `CREATE TABLE` differs. What the declaration
/// says is then what the table says of an inherited column.
pub fn align(one: &mut Schema, other: &mut Schema) {
    if has_inheritance(one) && has_inheritance(other) {
        align_one(one, other);
        align_one(other, one);
    }
}

/// Whether a table of a state inherits from another.
pub fn has_inheritance(schema: &Schema) -> bool {
    schema
        .of_kind(KindTag::Table)
        .any(|(_, it)| matches!(it, Object::Table(it) if !it.inherits.is_empty()))
}

fn align_one(schema: &mut Schema, other: &Schema) {
    let mut found = Vec::new();
    for (key, object) in schema.of_kind(KindTag::Table) {
        let Object::Table(table) = object else {
            continue;
        };
        if table.inherits.is_empty() || !other.contains(key) {
            continue;
        }
        for (key, object) in schema.parts(KindTag::Column, &table.name) {
            let Object::Column(column) = object else {
                continue;
            };
            let mut parents = table.inherits.iter();
            let parent = parents.find(|it| find(schema, it, &column.name).is_some());
            if let Some(parent) = parent
                && parent_of(other, &table.name, &column.name).is_some()
            {
                let mut it = InheritedColumn::of_declared(column, schema, parent);
                if column.physical.is_none() {
                    it.keep_physical(other.get(&it.key()));
                }
                found.push((key.clone(), it));
            }
        }
    }
    for (key, it) in found {
        schema.remove(&key);
        if !it.says_nothing() {
            schema.insert(it);
        }
    }
}
