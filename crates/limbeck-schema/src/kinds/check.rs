//! Check constraints of tables (`pg_constraint`, contype `c`).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::{self, mentioned_columns, on_live_table};
use crate::kinds::usage::mentioned_types;
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Reaction, Since, Slot, Stage,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// A check constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The table.
    pub table: Name,
    /// The name.
    pub name: Ident,
    /// The condition.
    pub expression: Expr,
    /// `NO INHERIT`.
    pub no_inherit: bool,
    /// False for `NOT VALID`.
    pub valid: bool,
    /// False for `NOT ENFORCED` (PostgreSQL 18), which says nothing about `valid`.
    #[serde(skip_serializing_if = "constraint::is_true")]
    pub enforced: bool,
}

impl Check {
    fn definition(&self) -> String {
        let Self {
            table: _,
            name,
            expression,
            no_inherit,
            valid,
            enforced,
        } = self;
        let no_inherit = if *no_inherit { " NO INHERIT" } else { "" };
        let not_valid = constraint::validity_clause(*valid, *enforced);
        format!("CONSTRAINT {name} CHECK ({expression}){no_inherit}{not_valid}")
    }
}

impl Kind for Check {
    const CREATE: Stage = Stage::Constraints;
    const DROP: Stage = Stage::DropParts;
    const RENAMES: bool = true;
    const READING: u32 = 4;

    fn catalog_sql(version: u32) -> String {
        let validity = constraint::validity(version);
        let columns = format!(", pg_get_expr(c.conbin, c.conrelid), c.connoinherit, {validity}");
        constraint::catalog_sql('c', &columns, "", "")
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            table: fields.name()?,
            name: fields.ident()?,
            expression: Expr::new(fields.text()?),
            no_inherit: fields.boolean()?,
            valid: fields.boolean()?,
            enforced: fields.boolean()?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::Check, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        let words = self.expression.words();
        mentioned_columns(&self.table, &words, acc);
        mentioned_types(schema, &self.table, &words, acc);
    }

    fn newer(&self) -> Vec<Since> {
        if self.enforced {
            Vec::new()
        } else {
            vec![constraint::NOT_ENFORCED]
        }
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            table,
            name,
            expression,
            no_inherit,
            valid,
            enforced,
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.fixed(
            "expression",
            expression,
            &desired.expression,
            "PostgreSQL cannot change the condition of a check",
        );
        it.fixed(
            "no inherit",
            no_inherit,
            &desired.no_inherit,
            "PostgreSQL cannot change whether a check is inherited",
        );
        if it.field("enforced", enforced, &desired.enforced) {
            it.replace_because("PostgreSQL cannot change whether a check is enforced");
        } else if it.field("valid", valid, &desired.valid) && *valid {
            it.replace_because("PostgreSQL cannot make a valid constraint not valid");
        }
        it
    }

    fn summary(&self) -> String {
        let not_valid = constraint::validity_clause(self.valid, self.enforced).to_lowercase();
        format!("{} ({}){not_valid}", self.key(), self.expression)
    }

    fn address(key: &Key) -> String {
        constraint::address(key)
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let statement =
            constraint::add(acc, Lock::AccessExclusive, &self.table, &self.definition());
        if self.valid && self.enforced && on_live_table(ctx, &self.table) {
            statement.warn(
                Hazard::MayFail,
                format!(
                    "reads every row of {} while nobody can use it, and fails if one does not fit; add it not valid, then validate it",
                    self.table
                ),
            );
        }
    }

    fn alter(_current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        constraint::validate(acc, &desired.key());
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
        // `NOT VALID` has no meaning, and no place, in `CREATE TABLE`.
        self.valid.then(|| self.definition())
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Part(KindTag::Check, &mut self.table, &mut self.name));
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::constraint(&self.table, &self.name)]
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Retyped | Event::Redefined => Reaction::Keep,
            _ => Reaction::Rebuild,
        }
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        vec![ExprSlot {
            role: Role::Condition,
            expr: &mut self.expression,
        }]
    }
}
