//! Domains (`pg_type`, typtype `d`). Their checks are objects of their own, written inside `CREATE DOMAIN` where they
//! can stand there.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::facts::{Facts, Held, Holder};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::collation::collation_key;
use crate::kinds::enum_type::aside;
use crate::kinds::named::default_name;
use crate::kinds::namespace::schema_key;
use crate::kinds::usage::{Stored, mentioned_types, owner_of, stored};
use crate::kinds::{
    Context, Difference, Kind, KindTag, NameVisitor, Named, Object, Replacement, Slot, Stage,
    named, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script};

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// The name.
    pub name: Name,
    /// The type that it stands on.
    pub base: SqlType,
    /// A collation other than the base type's own.
    pub collation: Option<Name>,
    /// Whether it takes nulls.
    pub nullable: bool,
    /// The name of the constraint behind NOT NULL (PostgreSQL 17); `None` where nothing says it, which agrees with any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_null: Option<Ident>,
    /// `DEFAULT`.
    pub default: Option<Expr>,
}

/// Why a constraint that is to be validated builds the domain anew.
pub(crate) const INSIDE: &str =
    "PostgreSQL cannot validate a domain whose values stand inside arrays, composites or ranges";

impl Domain {
    /// A nullable domain without a default.
    pub fn new(name: Name, base: SqlType) -> Self {
        Self {
            name,
            base,
            collation: None,
            nullable: true,
            not_null: None,
            default: None,
        }
    }

    /// The name that PostgreSQL gives the constraint behind NOT NULL where it is free (`ChooseConstraintName`).
    fn default_not_null(&self) -> Ident {
        default_name(&self.name.name, &[], "not_null")
    }

    /// `NOT NULL` with a space before it, and with its name where PostgreSQL would give it another one.
    fn not_null_clause(&self, is_taken: bool) -> String {
        match &self.not_null {
            _ if self.nullable => String::new(),
            Some(it) if is_taken || *it != self.default_not_null() => {
                format!(" CONSTRAINT {it} NOT NULL")
            }
            _ => " NOT NULL".into(),
        }
    }

    /// The definition. While its old self stands aside, that one has the name that its constraint would be given.
    fn definition(&self, is_taken: bool) -> String {
        let Self {
            name,
            base,
            collation,
            nullable: _,
            not_null: _,
            default,
        } = self;
        let mut sql = format!("{name} AS {base}");
        if let Some(collation) = collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(default) = default {
            sql.push_str(&format!(" DEFAULT {}", default.operand()));
        }
        sql.push_str(&self.not_null_clause(is_taken));
        sql
    }
}

impl Kind for Domain {
    const CREATE: Stage = Stage::CreateTypes;
    const DROP: Stage = Stage::DropTypes;
    const IS_TYPE: bool = true;
    const REPLACEMENT: Replacement = Replacement::Aside;

    fn catalog_sql(version: u32) -> String {
        let not_null = if version >= 170_000 {
            "(SELECT c.conname FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'n')"
        } else {
            "NULL::name"
        };
        format!(
            "SELECT n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typcollation <> \
             b.typcollation THEN nco.nspname END, CASE WHEN t.typcollation <> b.typcollation THEN co.collname END, NOT \
             t.typnotnull, {not_null}, pg_get_expr(t.typdefaultbin, 0) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
             JOIN pg_type b ON b.oid = t.typbasetype LEFT JOIN pg_collation co ON co.oid = t.typcollation LEFT JOIN \
             pg_namespace nco ON nco.oid = co.collnamespace WHERE t.typtype = 'd' AND {}",
            user_objects("pg_type", "t.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        acc.push(Self {
            name: fields.type_name()?,
            base: SqlType::from_catalog(fields.text_shared()?),
            collation: fields.name_or_null()?,
            nullable: fields.boolean()?,
            not_null: fields.ident_or_null()?,
            default: fields.text_or_null()?.map(Expr::new),
        });
        Ok(())
    }

    fn key(&self) -> Key {
        Key::of(KindTag::Domain, &self.name)
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(schema_key(&self.name));
        acc.extend(owner_of(schema, &self.base));
        acc.extend(self.collation.as_ref().map(collation_key));
        if let Some(default) = &self.default {
            let words = default.words();
            mentioned_types(schema, &self.name, &words, acc);
            acc.extend(
                words
                    .into_iter()
                    .map(|it| Key::of(KindTag::Sequence, &self.name.sibling(it))),
            );
        }
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL cannot change what a domain stands on";
        let Self {
            name,
            base,
            collation,
            nullable,
            not_null,
            default,
        } = current;
        let mut it = Difference::default();
        it.field("name", name, &desired.name);
        it.fixed("base type", base, &desired.base, WHY);
        it.fixed("collation", collation, &desired.collation, WHY);
        if !it.field("nullable", nullable, &desired.nullable)
            && not_null.is_some()
            && desired.not_null.is_some()
        {
            it.field("not null name", not_null, &desired.not_null);
        }
        it.field("default", default, &desired.default);
        it
    }

    fn summary(&self) -> String {
        let definition = self.definition(false);
        let rest = definition
            .strip_prefix(&self.name.to_string())
            .unwrap_or_default();
        format!(
            "{}{}",
            self.key(),
            rest.replacen(" AS ", " as ", 1)
                .replace("NOT NULL", "not null")
                .replace("DEFAULT", "default")
        )
    }

    fn address(key: &Key) -> String {
        format!("DOMAIN {}", key.qualified())
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        // A domain takes over the default of the domain that it stands on.
        let inherits = matches!(
            owner_of(ctx.desired, &self.base).and_then(|it| ctx.desired.get(&it)),
            Some(Object::Domain(it)) if it.default.is_some() && !self.base.is_array()
        );
        let none = if inherits && self.default.is_none() {
            " DEFAULT NULL"
        } else {
            ""
        };
        let checks: String = ctx.inline.iter().map(|it| format!("\n    {it}")).collect();
        let definition = self.definition(ctx.asides.contains(&self.key()));
        acc.push(
            Lock::None,
            format!("CREATE DOMAIN {definition}{none}{checks}"),
        );
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        let Self {
            name,
            base: _,
            collation: _,
            nullable,
            not_null,
            default,
        } = current;
        if *default != desired.default {
            let to = match &desired.default {
                Some(it) => format!("SET DEFAULT {}", it.operand()),
                None => "DROP DEFAULT".into(),
            };
            acc.push(Lock::None, format!("ALTER DOMAIN {name} {to}"));
        }
        if *nullable && !desired.nullable {
            let named = desired
                .not_null
                .as_ref()
                .filter(|it| **it != desired.default_not_null());
            let set = match named {
                Some(it) => format!("ADD CONSTRAINT {it} NOT NULL"),
                None => "SET NOT NULL".into(),
            };
            acc.push(Lock::Share, format!("ALTER DOMAIN {name} {set}")).warn(
                Hazard::MayFail,
                format!("reads every column of {name} while writes wait, and fails if one is null in a row"),
            );
        }
        if let (Some(was), Some(is)) = (not_null, &desired.not_null)
            && was != is
        {
            acc.push(
                Lock::None,
                format!("ALTER DOMAIN {name} RENAME CONSTRAINT {was} TO {is}"),
            );
        }
        if !*nullable && desired.nullable {
            acc.push(Lock::None, format!("ALTER DOMAIN {name} DROP NOT NULL"));
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP DOMAIN {}", self.name));
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            name: key.qualified(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        named::collations(&mut self.collation, visit);
        if let Some(name) = &mut self.not_null {
            visit(Named::Part(
                KindTag::DomainCheck,
                &mut self.name.clone(),
                name,
            ));
        }
        visit(Named::Object(KindTag::Domain, &mut self.name));
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts.holders(&Held::Type(self.name.clone())).to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::ty(self.name.clone())]
    }

    fn obstacle(
        current: Option<&Self>,
        desired: &Self,
        schema: &Schema,
    ) -> Option<(Key, &'static str)> {
        let becomes_not_null = current.is_some_and(|it| it.nullable) && !desired.nullable;
        let key = desired.key();
        (becomes_not_null && stored(schema, &key) == Stored::Inside).then_some((key, INSIDE))
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        let role = Role::Default(self.base.clone());
        self.default
            .as_mut()
            .map(|expr| ExprSlot { role, expr })
            .into_iter()
            .collect()
    }

    fn types(&mut self) -> Vec<&mut SqlType> {
        vec![&mut self.base]
    }

    fn move_aside(&self, acc: &mut Script) {
        acc.push(
            Lock::None,
            format!(
                "ALTER DOMAIN {} RENAME TO {}",
                self.name,
                aside(&self.name).name
            ),
        );
    }

    fn drop_aside(&self, ctx: &Context<'_>, acc: &mut Script) {
        acc.push(Lock::None, format!("DROP DOMAIN {}", aside(&self.name)))
            .warn_unless(
                ctx.facts.knows_holders(),
                Hazard::MayFail,
                "fails if a function or view that is not in this revision still uses the domain",
            );
    }
}
