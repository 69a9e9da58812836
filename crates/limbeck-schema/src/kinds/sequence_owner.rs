//! `OWNED BY` of sequences (`pg_depend` from a sequence to a column): with it a sequence goes when its column goes.
//! It is an object of its own because the column's default needs the sequence first, and the owner needs the column.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Reaction, Slot, Stage,
    user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Lock, Script};

/// The column that owns a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceOwner {
    /// The sequence.
    pub sequence: Name,
    /// The table of the owning column.
    pub table: Name,
    /// The owning column.
    pub column: Ident,
}

impl SequenceOwner {
    fn set(&self, owner: &str, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!("ALTER SEQUENCE {} OWNED BY {owner}", self.sequence),
        );
    }
}

impl Kind for SequenceOwner {
    const CREATE: Stage = Stage::Annotations;
    const DROP: Stage = Stage::DropParts;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname, c.relname, nt.nspname, t.relname, a.attname FROM pg_depend d JOIN pg_class c ON c.oid = \
             d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class t ON t.oid = \
             d.refobjid JOIN pg_namespace nt ON nt.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid AND \
             a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND \
             d.refobjsubid > 0 AND d.deptype = 'a' AND t.relpersistence <> 't' AND {}",
            user_objects("pg_class", "c.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            sequence: fields.name()?,
            table: fields.name()?,
            column: fields.ident()?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::SequenceOwner, &self.sequence)
    }

    fn managed_with(&self, _current: &Schema) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Sequence, &self.sequence))
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.insert(Key::of(KindTag::Sequence, &self.sequence));
        acc.insert(Key::part(KindTag::Column, &self.table, &self.column));
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            sequence,
            table,
            column,
        } = current;
        let mut it = Difference::default();
        it.field("sequence", sequence, &desired.sequence);
        it.field("table", table, &desired.table);
        it.field("column", column, &desired.column);
        it
    }

    fn summary(&self) -> String {
        format!("{} by {}.{}", self.key(), self.table, self.column)
    }

    fn address(key: &Key) -> String {
        format!("SEQUENCE {}", key.qualified())
    }

    fn create(&self, _ctx: &Context<'_>, acc: &mut Script) {
        self.set(&format!("{}.{}", self.table, self.column), acc);
    }

    fn alter(_current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        desired.create(ctx, acc);
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        self.set("NONE", acc);
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            sequence: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Object(KindTag::Sequence, &mut self.sequence));
        visit(Named::Column(&mut self.table, &mut self.column));
    }

    fn slots(&self) -> Vec<Slot> {
        Vec::new()
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            // It moves to another column before the old one goes.
            Event::Dropped | Event::Retyped | Event::Converted | Event::Redefined => Reaction::Keep,
            Event::Replaced | Event::Swapped => Reaction::Rebuild,
        }
    }
}
