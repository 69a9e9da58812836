//! Primary keys (`pg_constraint`, contype `p`, with the index behind them).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::{self, KeyIndex, on_live_table};
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Since, Slot, Stage, named,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrimaryKey {
    /// The table.
    pub table: Name,
    /// The name.
    pub name: Ident,
    /// Columns and what the index carries besides.
    #[serde(flatten)]
    pub index: KeyIndex,
}

impl PrimaryKey {
    fn definition(&self) -> String {
        let Self {
            table: _,
            name,
            index,
        } = self;
        format!("CONSTRAINT {name} PRIMARY KEY {}", index.sql())
    }
}

impl Kind for PrimaryKey {
    const CREATE: Stage = Stage::Constraints;
    const DROP: Stage = Stage::DropParts;
    const RENAMES: bool = true;

    fn catalog_sql(version: u32) -> String {
        constraint::catalog_sql('p', &KeyIndex::columns(version), KeyIndex::JOINS, ", k.ord")
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let (table, name) = (fields.name()?, fields.ident()?);
        if let Some(last) = acc
            .last_mut()
            .filter(|it| it.table == table && it.name == name)
        {
            return last.index.decode(fields);
        }
        let mut index = KeyIndex::new(Vec::new());
        index.decode(fields)?;
        acc.push(Self { table, name, index });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::PrimaryKey, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, _schema: &Schema, acc: &mut BTreeSet<Key>) {
        self.index.depends_on(&self.table, acc);
    }

    fn newer(&self) -> Vec<Since> {
        self.index.newer().into_iter().collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self { table, name, index } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        KeyIndex::compare(index, &desired.index, &mut it);
        it
    }

    fn summary(&self) -> String {
        format!("{} {}", self.key(), self.index.sql())
    }

    fn address(key: &Key) -> String {
        constraint::address(key)
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let statement =
            constraint::add(acc, Lock::AccessExclusive, &self.table, &self.definition());
        if on_live_table(ctx, &self.table) {
            statement.warn(
                Hazard::MayFail,
                format!("builds an index while nobody can use {}, and fails if two rows are equal or one is null", self.table),
            );
        }
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        KeyIndex::alter(
            &current.index,
            &desired.index,
            &desired.table.sibling(desired.name.clone()),
            acc,
        );
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        constraint::drop(acc, &self.key());
    }

    fn rename(current: &Self, desired: &Self, acc: &mut Script) {
        constraint::rename(acc, &current.key(), &desired.key());
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            table: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        }
    }

    fn inline(&self) -> Option<String> {
        Some(self.definition())
    }

    fn merged(&self) -> Option<String> {
        Some(self.index.merged())
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        named::columns(
            &self.table,
            self.index.columns.iter_mut().chain(&mut self.index.include),
            visit,
        );
        visit(Named::Part(
            KindTag::PrimaryKey,
            &mut self.table,
            &mut self.name,
        ));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts
            .holders(&Held::Constraint(self.table.clone(), self.name.clone()))
            .to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        // The constraint's index is a relation of the same name.
        vec![
            Slot::constraint(&self.table, &self.name),
            Slot::relation(self.table.sibling(self.name.clone())),
        ]
    }
}
