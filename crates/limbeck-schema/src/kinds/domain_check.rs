//! Check constraints of domains (`pg_constraint`, contype `c`, with `contypid`).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::domain::INSIDE;
use crate::kinds::usage::{Stored, mentioned_types, stored};
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Slot, Stage, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// A check constraint of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainCheck {
    /// The domain.
    pub domain: Name,
    /// The name.
    pub name: Ident,
    /// The condition on `VALUE`.
    pub expression: Expr,
    /// False for `NOT VALID`.
    pub valid: bool,
}

impl DomainCheck {
    fn definition(&self) -> String {
        let Self {
            domain: _,
            name,
            expression,
            valid,
        } = self;
        let not_valid = if *valid { "" } else { " NOT VALID" };
        format!("CONSTRAINT {name} CHECK ({expression}){not_valid}")
    }

    fn domain_key(&self) -> Key {
        Key::of(KindTag::Domain, &self.domain)
    }

    fn alter_prefix(&self) -> String {
        format!("ALTER DOMAIN {}", self.domain)
    }
}

impl Kind for DomainCheck {
    const CREATE: Stage = Stage::Constraints;
    const DROP: Stage = Stage::DropParts;
    const RENAMES: bool = true;

    fn catalog_sql(_version: u32) -> String {
        format!(
            "SELECT n.nspname, t.typname, c.conname, pg_get_expr(c.conbin, 0), c.convalidated FROM pg_constraint c JOIN \
             pg_type t ON t.oid = c.contypid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE c.contype = 'c' AND {}",
            user_objects("pg_type", "t.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            domain: fields.type_name()?,
            name: fields.ident()?,
            expression: Expr::new(fields.text()?),
            valid: fields.boolean()?,
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::DomainCheck, &self.domain, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(self.domain_key())
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        // `VALUE` is the keyword, whatever types there are.
        let mut words = self.expression.words();
        words.remove("value");
        mentioned_types(schema, &self.domain, &words, acc);
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            domain,
            name,
            expression,
            valid,
        } = current;
        let mut it = Difference::default();
        it.field("domain", domain, &desired.domain);
        it.field("name", name, &desired.name);
        it.fixed(
            "expression",
            expression,
            &desired.expression,
            "PostgreSQL cannot change the condition of a check",
        );
        if it.field("valid", valid, &desired.valid) && *valid {
            it.replace_because("PostgreSQL cannot make a valid constraint not valid");
        }
        it
    }

    fn summary(&self) -> String {
        let not_valid = if self.valid { "" } else { " not valid" };
        format!("{} ({}){not_valid}", self.key(), self.expression)
    }

    fn address(key: &Key) -> String {
        format!(
            "CONSTRAINT {} ON DOMAIN {}",
            key.own_name(),
            key.qualified()
        )
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let lock = if self.valid { Lock::Share } else { Lock::None };
        let statement = acc.push(
            lock,
            format!("{} ADD {}", self.alter_prefix(), self.definition()),
        );
        if self.valid && ctx.is_live(&self.domain_key()) {
            statement.warn(
                Hazard::MayFail,
                format!(
                    "reads every column of {} while writes wait, and fails if a value does not fit; add it not valid, then \
                     validate it",
                    self.domain
                ),
            );
        }
    }

    fn alter(_current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::Share,
            format!(
                "{} VALIDATE CONSTRAINT {}",
                desired.alter_prefix(),
                desired.name
            ),
        )
        .warn(
            Hazard::MayFail,
            format!(
                "reads every column of {} while writes wait, and fails if a value does not fit",
                desired.domain
            ),
        );
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!("{} DROP CONSTRAINT {}", self.alter_prefix(), self.name),
        );
    }

    fn rename(current: &Self, desired: &Self, acc: &mut Script) {
        let sql = format!(
            "{} RENAME CONSTRAINT {} TO {}",
            current.alter_prefix(),
            current.name,
            desired.name
        );
        acc.push(Lock::None, sql);
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            domain: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        }
    }

    fn inline(&self) -> Option<String> {
        // `NOT VALID` has no place in `CREATE DOMAIN`.
        self.valid.then(|| self.definition())
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        visit(Named::Part(
            KindTag::DomainCheck,
            &mut self.domain,
            &mut self.name,
        ));
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::constraint(&self.domain, &self.name)]
    }

    fn obstacle(
        current: Option<&Self>,
        desired: &Self,
        schema: &Schema,
    ) -> Option<(Key, &'static str)> {
        let is_validated = desired.valid && current.is_none_or(|it| !it.valid);
        let domain = desired.domain_key();
        let held =
            is_validated && schema.contains(&domain) && stored(schema, &domain) == Stored::Inside;
        held.then_some((domain, INSIDE))
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        vec![ExprSlot {
            role: Role::Condition,
            expr: &mut self.expression,
        }]
    }
}
