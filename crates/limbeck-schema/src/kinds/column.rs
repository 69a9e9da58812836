//! Columns (`pg_attribute`, `pg_attrdef`, and `pg_sequence` for identity).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::facts::{Facts, Held, Holder, Typed};
use crate::ident::{Ident, Literal, Name};
use crate::key::Key;
use crate::kinds::collation::collation_key;
use crate::kinds::constraint::{is_false, mentioned_columns, on_live_table};
use crate::kinds::identity::{filled, narrows, write_identity, write_restart};
use crate::kinds::sequence::{OPTION_COLUMNS, SequenceOptions};
use crate::kinds::usage::{mentioned_sequences, mentioned_types, owner_of};
use crate::kinds::{
    Context, Difference, Event, Identity, Kind, KindTag, NameVisitor, Named, NotNull, Physical,
    Reaction, Since, Slot, Stage, named, retype, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Hazard, Lock, Script};

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The table.
    pub table: Name,
    /// The name.
    pub name: Ident,
    /// Where it stands in the table. PostgreSQL cannot change it, so it is never a difference.
    pub position: i64,
    /// The type.
    #[serde(rename = "type")]
    pub ty: SqlType,
    /// A collation other than the type's own; in a box, since few columns have one and there are many columns.
    pub collation: Option<Box<Name>>,
    /// Whether it takes nulls.
    pub nullable: bool,
    /// `DEFAULT`.
    pub default: Option<Expr>,
    /// The constraint behind NOT NULL (PostgreSQL 18); `None` where nothing says it, which agrees with any name.
    #[serde(skip_serializing_if = "NotNull::says_nothing")]
    pub not_null: Option<Box<NotNull>>,
    /// `GENERATED ALWAYS AS (…)`.
    pub generated: Option<Expr>,
    /// Whether what is generated is `VIRTUAL` (PostgreSQL 18) rather than `STORED`.
    #[serde(rename = "virtual", skip_serializing_if = "is_false")]
    pub is_virtual: bool,
    /// Whether the server that the column was read from can give it another expression in place (PostgreSQL 17). It says
    /// nothing about the column, so it is never a difference; of two states one was read from a server.
    #[serde(skip)]
    pub can_set_expression: bool,
    /// `GENERATED … AS IDENTITY`; in a box, since few columns have one and there are many columns.
    pub identity: Option<Box<Identity>>,
    /// How its values are kept and measured; `None` where nothing says it, which agrees with anything. Shared, since
    /// hardly any column has something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical: Option<Arc<Physical>>,
}

impl Column {
    /// A nullable column with every default.
    pub fn new(table: Name, name: impl Into<Ident>, ty: SqlType) -> Self {
        Self {
            table,
            name: name.into(),
            position: 0,
            ty,
            collation: None,
            nullable: true,
            default: None,
            not_null: None,
            generated: None,
            is_virtual: false,
            can_set_expression: false,
            identity: None,
            physical: None,
        }
    }

    /// The column as `CREATE TABLE` and `ADD COLUMN` have it.
    fn definition(&self) -> String {
        let Self {
            name,
            ty,
            collation,
            default,
            generated,
            is_virtual,
            identity,
            ..
        } = self;
        let mut sql = format!("{name} {ty}");
        if let Some(collation) = collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        if let Some(default) = default {
            sql.push_str(&format!(" DEFAULT {}", default.operand()));
        }
        if let Some(generated) = generated {
            let kept = if *is_virtual { "VIRTUAL" } else { "STORED" };
            sql.push_str(&format!(" GENERATED ALWAYS AS ({generated}) {kept}"));
        }
        if let Some(identity) = identity {
            sql.push_str(&format!(" {}", identity.clause(self)));
        }
        sql.push_str(&NotNull::clause(self));
        sql
    }

    /// The type and collation, as casts go by them.
    pub(crate) fn typed(&self) -> Typed {
        (self.ty.clone(), self.collation.as_deref().cloned())
    }

    pub(crate) fn alter_prefix(&self) -> String {
        format!("ALTER TABLE {} ALTER COLUMN {}", self.table, self.name)
    }

    /// What of it stands in statements of their own behind those that create it.
    pub(crate) fn write_rest(&self, ctx: &Context<'_>, acc: &mut Script) {
        NotNull::write_rest(self, ctx, acc);
        if let Some(physical) = &self.physical {
            Physical::write(&Physical::default(), physical, false, self, ctx, acc);
        }
    }

    fn generates(&self) -> bool {
        self.identity.is_some() || self.generated.is_some()
    }
}

impl Kind for Column {
    const CREATE: Stage = Stage::Columns;
    const DROP: Stage = Stage::DropColumns;
    const READING: u32 = 10;

    fn catalog_sql(version: u32) -> String {
        let physical = Physical::columns(version);
        let (not_null, join) = (NotNull::columns(version), NotNull::join(version));
        let can_set_expression = version >= 170_000;
        format!(
            "SELECT n.nspname, c.relname, a.attname, a.attnum::int8, format_type(a.atttypid, a.atttypmod), CASE WHEN \
             a.attcollation <> t.typcollation THEN nco.nspname END, CASE WHEN a.attcollation <> t.typcollation THEN \
             co.collname END, NOT a.attnotnull, pg_get_expr(d.adbin, CASE a.attgenerated WHEN '' THEN 0 ELSE d.adrelid END), \
             a.attgenerated::text, {can_set_expression}, {not_null}, {physical}, a.attidentity::text, {OPTION_COLUMNS}, s.nspname, s.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN \
             pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation co ON \
             co.oid = a.attcollation AND a.attcollation <> t.typcollation LEFT JOIN pg_namespace nco ON nco.oid = \
             co.collnamespace LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef LEFT \
             JOIN (SELECT i.refobjid, i.refobjsubid, q.*, sc.relname, ns.nspname FROM pg_sequence q JOIN pg_depend i ON i.classid = \
             'pg_class'::regclass AND i.objid = q.seqrelid AND i.refclassid = 'pg_class'::regclass AND i.deptype = 'i' JOIN \
             pg_class sc ON sc.oid = q.seqrelid JOIN pg_namespace ns ON ns.oid = sc.relnamespace) s ON s.refobjid = a.attrelid \
             AND s.refobjsubid = a.attnum AND a.attidentity <> ''{join} WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attislocal AND c.relkind \
             IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND {}",
            user_objects("pg_class", "c.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let mut column = Self {
            table: fields.name()?,
            name: fields.ident()?,
            position: fields.integer()?,
            ty: SqlType::from_catalog(fields.text_shared()?),
            collation: fields.name_or_null()?.map(Box::new),
            nullable: fields.boolean()?,
            default: fields.text_or_null()?.map(Expr::new),
            not_null: None,
            generated: None,
            is_virtual: false,
            can_set_expression: false,
            identity: None,
            physical: None,
        };
        let generated = fields.text()?;
        if !generated.is_empty() {
            column.generated = column.default.take();
            column.is_virtual = generated == "v";
        }
        column.can_set_expression = fields.boolean()?;
        column.not_null = NotNull::decode(fields, &column.table, &column.name)?.map(Box::new);
        column.physical = Some(Physical::decode(fields)?.shared());
        let identity = fields.text()?;
        if !identity.is_empty() {
            let options = SequenceOptions::decode(fields)?;
            column.identity = Some(Box::new(Identity {
                always: identity == "a",
                options,
                sequence: fields.name_or_null()?,
            }));
        }
        acc.push(column);
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::Column, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(owner_of(schema, &self.ty));
        acc.extend(self.collation.as_deref().map(collation_key));
        for expr in self.default.iter().chain(&self.generated) {
            let words = expr.words();
            mentioned_types(schema, &self.table, &words, acc);
            mentioned_sequences(schema, &self.table, &words, acc);
        }
        if let Some(generated) = &self.generated {
            mentioned_columns(&self.table, &generated.words(), acc);
        }
        acc.remove(&self.key());
    }

    fn newer(&self) -> Vec<Since> {
        let generated = self.is_virtual.then_some(Since {
            what: "VIRTUAL",
            major: 18,
        });
        let not_null = self.not_null.as_ref().and_then(|it| it.newer());
        [
            generated,
            not_null,
            self.physical.as_ref().and_then(|it| it.newer()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        let Self {
            table,
            name,
            position: _,
            ty,
            collation,
            nullable,
            default,
            ..
        } = current;
        let Self {
            not_null,
            generated,
            is_virtual,
            can_set_expression: _,
            identity,
            physical,
            ..
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.field("type", ty, &desired.ty);
        it.field("collation", collation, &desired.collation);
        if !it.field("nullable", nullable, &desired.nullable) && !nullable {
            NotNull::compare(not_null, &desired.not_null, &mut it);
        }
        it.field(
            "default",
            &retype::said_default(default, ty),
            &retype::said_default(&desired.default, &desired.ty),
        );
        if it.field("generated", generated, &desired.generated)
            && desired.generated.is_some()
            && !retype::sets_expression(current, desired)
        {
            it.replace_because(
                "PostgreSQL computes a stored generated column only when it is added",
            );
        }
        if it.field("virtual", is_virtual, &desired.is_virtual) {
            it.replace_because("PostgreSQL cannot change whether the values of a column are kept");
        }
        it.field(
            "identity",
            &filled(identity, &desired.identity),
            &filled(&desired.identity, identity),
        );
        if let (Some(current), Some(desired)) = (physical, &desired.physical) {
            Physical::compare(current, desired, &mut it);
        }
        it
    }

    fn summary(&self) -> String {
        let definition = self.definition();
        let rest = definition
            .strip_prefix(&self.name.to_string())
            .unwrap_or_default();
        // Keywords of clauses are lower case in a description, those of expressions stay as they are.
        let clause = NotNull::clause(self);
        let rest = rest.strip_suffix(&clause).map_or_else(
            || rest.to_owned(),
            |it| {
                format!(
                    "{it}{}",
                    clause
                        .replace("NOT NULL", "not null")
                        .replace("CONSTRAINT", "constraint")
                )
            },
        );
        let clause = if self.identity.is_some() {
            " GENERATED BY DEFAULT AS IDENTITY"
        } else {
            " DEFAULT "
        };
        format!(
            "{}{}",
            self.key(),
            rest.replacen(clause, &clause.to_lowercase(), 1)
        )
    }

    fn address(key: &Key) -> String {
        format!("COLUMN {}.{}", key.qualified(), key.own_name())
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let live = on_live_table(ctx, &self.table);
        let fills = self.default.is_some() || self.generates();
        let statement = acc.push(
            Lock::AccessExclusive,
            format!(
                "ALTER TABLE {} ADD COLUMN {}",
                self.table,
                self.definition()
            ),
        );
        if live && !self.nullable && !fills {
            statement.warn(
                Hazard::MayFail,
                format!(
                    "fails if {} has rows; safe steps: add {} nullable, fill it, then set it not null, or give it a default",
                    self.table, self.name
                ),
            );
        }
        if live && !self.nullable && self.generated.is_some() {
            statement.warn(
                Hazard::MayFail,
                format!(
                    "fails if {} comes out null in a row of {}",
                    self.name, self.table
                ),
            );
        }
        if live && let Some(n) = self.few_numbers(ctx.desired) {
            statement.warn(
                Hazard::MayFail,
                format!("fails if {} has more than {n} rows", self.table),
            );
        }
        if live && retype::fills_rows(self, ctx) {
            statement.warn(
                Hazard::RewritesTable,
                "every row is written anew while nobody can use the table",
            );
        }
        self.write_rest(ctx, acc);
    }

    fn release(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        let becomes_identity = current.identity.is_none() && desired.identity.is_some();
        let lets_sequence_go = current
            .serial_sequence(ctx.current)
            .is_some_and(|it| !ctx.desired.contains(&Key::of(KindTag::Sequence, &it)));
        if current.default.is_some() && (becomes_identity || lets_sequence_go) {
            acc.push(
                Lock::AccessExclusive,
                format!("{} DROP DEFAULT", current.alter_prefix()),
            );
        }
        if current.identity.is_some() && desired.identity.is_none() {
            acc.push(
                Lock::AccessExclusive,
                format!("{} DROP IDENTITY", current.alter_prefix()),
            );
        }
    }

    fn alter(current: &Self, desired: &Self, ctx: &Context<'_>, acc: &mut Script) {
        let Self {
            table,
            ty,
            collation,
            nullable,
            default,
            generated,
            identity,
            physical,
            ..
        } = current;
        let alter = current.alter_prefix();
        let mut released = Script::default();
        Self::release(current, desired, ctx, &mut released);
        let converts = retype::is_converted(current, desired, ctx);
        let retype = *ty != desired.ty || *collation != desired.collation || converts;
        let mut has_default = default.is_some()
            && !released
                .statements
                .iter()
                .any(|it| it.sql.ends_with("DROP DEFAULT"));
        if generated.is_some() && desired.generated.is_none() {
            acc.push(Lock::AccessExclusive, format!("{alter} DROP EXPRESSION"));
        }
        if let Some(expr) = desired
            .generated
            .as_ref()
            .filter(|it| generated.as_ref().is_some_and(|was| was != *it))
        {
            acc.push(
                Lock::AccessExclusive,
                format!("{alter} SET EXPRESSION AS ({expr})"),
            )
            .warn(
                Hazard::RewritesTable,
                format!("every row of {table} is written anew while nobody can use the table"),
            );
        }
        // The old default need not fit the new type, and PostgreSQL would try to convert it.
        if has_default && (desired.default.is_none() || *ty != desired.ty || ctx.swapped) {
            acc.push(Lock::AccessExclusive, format!("{alter} DROP DEFAULT"));
            has_default = false;
        }
        if let Some(wanted) = desired
            .identity
            .as_ref()
            .filter(|_| narrows(current, desired))
        {
            write_identity(identity.as_deref(), wanted, current, desired, acc);
        }
        if retype {
            retype::write_type(current, desired, ctx, acc);
        }
        if let Some(expr) = &desired.default
            && (!has_default || desired.default != *default)
        {
            acc.push(
                Lock::AccessExclusive,
                format!("{alter} SET DEFAULT {}", expr.operand()),
            );
        }
        if *nullable && !desired.nullable {
            NotNull::add(desired, ctx, acc);
        }
        if !*nullable && !desired.nullable {
            NotNull::alter(current, desired, ctx, acc);
        }
        if let Some(wanted) = desired
            .identity
            .as_ref()
            .filter(|_| !narrows(current, desired))
        {
            write_identity(identity.as_deref(), wanted, current, desired, acc);
        }
        if !*nullable && desired.nullable {
            acc.push(Lock::AccessExclusive, format!("{alter} DROP NOT NULL"));
        }
        let (was, is) = (
            current.serial_sequence(ctx.current),
            desired.serial_sequence(ctx.desired),
        );
        if let Some(sequence) = is.filter(|it| was.as_ref() != Some(it)) {
            let target = format!("{}::regclass", Literal(&sequence.to_string()));
            write_restart(desired, &target, acc);
        }
        if let (Some(was), Some(is)) = (physical, desired.physical.as_ref().or(physical.as_ref())) {
            Physical::write(was, is, retype, desired, ctx, acc);
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        let statement = acc.push(
            Lock::AccessExclusive,
            format!("ALTER TABLE {} DROP COLUMN {}", self.table, self.name),
        );
        if self.generated.is_none() {
            statement.warn(
                Hazard::DeletesData,
                format!("every value of {}.{} is lost", self.table, self.name),
            );
        }
    }

    fn with_key(&self, key: &Key) -> Self {
        let mut it = Self {
            table: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        };
        // A constraint keeps the name that it was given when its column gets another.
        if let Some(not_null) = it.not_null.as_mut().filter(|_| *key != self.key()) {
            not_null.name = self.not_null.as_ref().map(|was| was.name_on(self));
        }
        it
    }

    fn inline(&self) -> Option<String> {
        Some(self.definition())
    }

    fn position(&self) -> i64 {
        self.position
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        named::collations(self.collation.as_deref_mut(), visit);
        let default = self.default_sequence();
        let follows = self
            .identity
            .as_ref()
            .is_some_and(|it| it.sequence.as_ref() == Some(&default));
        if let Some(sequence) = self.identity.as_mut().and_then(|it| it.sequence.as_mut()) {
            visit(Named::Object(KindTag::Sequence, sequence));
        }
        if let Some(name) = self.not_null.as_mut().and_then(|it| it.name.as_mut()) {
            visit(Named::Part(KindTag::Check, &mut self.table.clone(), name));
        }
        visit(Named::Column(&mut self.table, &mut self.name));
        // A name that PostgreSQL makes is made of the others.
        let made = follows.then(|| self.default_sequence());
        if let (Some(identity), Some(made)) = (&mut self.identity, made) {
            identity.sequence = Some(made);
        }
    }

    fn holders(&self, facts: &Facts) -> Vec<Holder> {
        facts
            .holders(&Held::Column(self.table.clone(), self.name.clone()))
            .to_vec()
    }

    fn slots(&self) -> Vec<Slot> {
        let own = Slot {
            space: "column",
            name: self.table.clone(),
            part: Some(self.name.clone()),
        };
        let sequence = self
            .identity
            .as_ref()
            .map(|_| Slot::relation(self.identity_sequence()));
        let not_null = self.not_null.as_ref().filter(|_| !self.nullable);
        let not_null = not_null.map(|it| Slot::constraint(&self.table, &it.name_on(self)));
        [Some(own), sequence, not_null]
            .into_iter()
            .flatten()
            .collect()
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Swapped if self.generated.is_none() => Reaction::Convert,
            // A generated column cannot follow a change of the columns it reads.
            Event::Swapped | Event::Retyped | Event::Converted | Event::Replaced
                if self.generated.is_some() =>
            {
                Reaction::Rebuild
            }
            _ => Reaction::Keep,
        }
    }

    fn event(current: &Self, desired: &Self) -> Option<Event> {
        let retyped = current.ty != desired.ty || current.collation != desired.collation;
        let redefined = current.default != desired.default
            || current.nullable != desired.nullable
            || (desired.physical.is_some() && current.physical != desired.physical);
        if retyped {
            Some(Event::Retyped)
        } else {
            redefined.then_some(Event::Redefined)
        }
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        let ty = self.ty.clone();
        let default = self.default.as_mut().map(|expr| ExprSlot {
            role: Role::Default(ty.clone()),
            expr,
        });
        let generated = self.generated.as_mut().map(|expr| ExprSlot {
            role: Role::Generated(ty.clone()),
            expr,
        });
        [default, generated].into_iter().flatten().collect()
    }

    fn types(&mut self) -> Vec<&mut SqlType> {
        vec![&mut self.ty]
    }
}
