//! Foreign keys (`pg_constraint`, contype `f`).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::ident::{Ident, List, Name};
use crate::key::Key;
use crate::kinds::constraint::{self, Deferral, column_keys, on_live_table};
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Object, Reaction, Shown, Since,
    Slot, Stage, named,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script, Statement};

/// What happens to a row when the row it refers to is deleted or its key changes (`confdeltype`, `confupdtype`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// `NO ACTION`.
    #[default]
    NoAction,
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `SET DEFAULT`.
    SetDefault,
}

impl Action {
    /// Reads the action in any case, with spaces, `-` or `_`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Some(
            match text.to_ascii_lowercase().replace(['-', '_'], " ").as_str() {
                "" | "no action" => Self::NoAction,
                "restrict" => Self::Restrict,
                "cascade" => Self::Cascade,
                "set null" => Self::SetNull,
                "set default" => Self::SetDefault,
                _ => return None,
            },
        )
    }

    fn from_catalog(code: &str) -> Self {
        match code {
            "r" => Self::Restrict,
            "c" => Self::Cascade,
            "n" => Self::SetNull,
            "d" => Self::SetDefault,
            _ => Self::NoAction,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

impl Shown for Action {
    fn shown(&self) -> String {
        self.sql().to_lowercase()
    }
}

/// The table and columns that a foreign key refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct References {
    /// The table.
    pub table: Name,
    /// Its columns, in the order of the referring ones.
    pub columns: Vec<Ident>,
}

impl Shown for References {
    fn shown(&self) -> String {
        format!("{} ({})", self.table, List(&self.columns))
    }
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignKey {
    /// The table.
    pub table: Name,
    /// The name.
    pub name: Ident,
    /// The referring columns, in order.
    pub columns: Vec<Ident>,
    /// What they refer to.
    pub references: References,
    /// `ON DELETE`.
    pub on_delete: Action,
    /// The columns that `SET NULL (…)` and `SET DEFAULT (…)` name (PostgreSQL 15); empty for all.
    pub on_delete_columns: Vec<Ident>,
    /// `ON UPDATE`.
    pub on_update: Action,
    /// `MATCH FULL`.
    pub match_full: bool,
    /// When it is checked.
    pub deferral: Deferral,
    /// False for `NOT VALID`.
    pub valid: bool,
    /// False for `NOT ENFORCED` (PostgreSQL 18), which says nothing about `valid`.
    #[serde(skip_serializing_if = "constraint::is_true")]
    pub enforced: bool,
    /// Whether the last column of either side is a `PERIOD` (PostgreSQL 18).
    #[serde(skip_serializing_if = "constraint::is_false")]
    pub period: bool,
    /// Whether a trigger that checks rows for it is switched off (`ALTER TABLE … DISABLE TRIGGER ALL`).
    #[serde(skip_serializing_if = "constraint::is_false")]
    pub switched_off: bool,
}

impl ForeignKey {
    fn definition(&self) -> String {
        let Self {
            table: _,
            name,
            columns,
            ..
        } = self;
        format!(
            "CONSTRAINT {name} FOREIGN KEY ({}) {}",
            self.list(columns),
            self.rest()
        )
    }

    /// The columns of one side.
    fn list(&self, columns: &[Ident]) -> String {
        match columns.split_last() {
            Some((last, rest)) if self.period => format!("{}, PERIOD {last}", List(rest)),
            _ => List(columns).to_string(),
        }
    }

    fn rest(&self) -> String {
        let References { table, columns } = &self.references;
        let mut sql = format!("REFERENCES {table} ({})", self.list(columns));
        if self.match_full {
            sql.push_str(" MATCH FULL");
        }
        if self.on_update != Action::NoAction {
            sql.push_str(&format!(" ON UPDATE {}", self.on_update.sql()));
        }
        if self.on_delete != Action::NoAction {
            sql.push_str(&format!(" ON DELETE {}", self.on_delete.sql()));
        }
        if !self.on_delete_columns.is_empty() {
            sql.push_str(&format!(" ({})", List(&self.on_delete_columns)));
        }
        sql.push_str(&self.deferral.to_string());
        sql.push_str(constraint::validity_clause(self.valid, self.enforced));
        sql
    }

    fn warn(&self, statement: &mut Statement) {
        statement.warn(
            Hazard::MayFail,
            format!(
                "reads every row of {} while writes to it and to {} wait, and fails if a row refers to nothing",
                self.table, self.references.table
            ),
        );
    }
}

impl Kind for ForeignKey {
    const CREATE: Stage = Stage::References;
    const DROP: Stage = Stage::DropReferences;
    const RENAMES: bool = true;

    fn catalog_sql(version: u32) -> String {
        let set = if version >= 150_000 {
            "c.confdelsetcols"
        } else {
            "NULL::int2[]"
        };
        let columns = format!(
            ", a.attname, nr.nspname, r.relname, ra.attname, c.confdeltype::text, coalesce(k.att = ANY ({set}), false), \
             c.confupdtype::text, c.confmatchtype = 'f', c.condeferrable, c.condeferred, {}, {}, c.oid = ANY (ARRAY(SELECT \
             g.tgconstraint FROM pg_trigger g WHERE g.tgisinternal AND g.tgenabled IN ('D', 'R')))",
            constraint::validity(version),
            constraint::period(version),
        );
        let joins = "JOIN pg_class r ON r.oid = c.confrelid JOIN pg_namespace nr ON nr.oid = r.relnamespace CROSS JOIN \
                     LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY k(att, ratt, ord) JOIN pg_attribute a ON \
                     a.attrelid = c.conrelid AND a.attnum = k.att JOIN pg_attribute ra ON ra.attrelid = c.confrelid AND \
                     ra.attnum = k.ratt";
        constraint::catalog_sql('f', &columns, joins, ", k.ord")
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let (table, name, column) = (fields.name()?, fields.ident()?, fields.ident()?);
        let (target, target_column) = (fields.name()?, fields.ident()?);
        let on_delete = Action::from_catalog(fields.text()?);
        let is_set = fields.boolean()?;
        if acc
            .last()
            .is_none_or(|it| it.table != table || it.name != name)
        {
            acc.push(Self {
                table,
                name,
                columns: Vec::new(),
                references: References {
                    table: target,
                    columns: Vec::new(),
                },
                on_delete,
                on_delete_columns: Vec::new(),
                on_update: Action::from_catalog(fields.text()?),
                match_full: fields.boolean()?,
                deferral: Deferral::new(fields.boolean()?, fields.boolean()?),
                valid: fields.boolean()?,
                enforced: fields.boolean()?,
                period: fields.boolean()?,
                switched_off: fields.boolean()?,
            });
        }
        if let Some(last) = acc.last_mut() {
            last.on_delete_columns
                .extend(is_set.then(|| column.clone()));
            last.columns.push(column);
            last.references.columns.push(target_column);
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::ForeignKey, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        let References { table, columns } = &self.references;
        acc.insert(Key::of(KindTag::Table, table));
        acc.extend(column_keys(&self.table, &self.columns).chain(column_keys(table, columns)));
        acc.extend(keys_on(schema, table, columns));
    }

    fn newer(&self) -> Vec<Since> {
        let period = Since {
            what: "PERIOD",
            major: 18,
        };
        let columns = Since {
            what: "the columns of ON DELETE SET NULL and SET DEFAULT",
            major: 15,
        };
        let facts = [
            (!self.enforced, constraint::NOT_ENFORCED),
            (self.period, period),
            (!self.on_delete_columns.is_empty(), columns),
        ];
        facts
            .into_iter()
            .filter_map(|(holds, it)| holds.then_some(it))
            .collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL cannot change what a foreign key refers to or does";
        let Self {
            table,
            name,
            columns,
            references,
            on_delete,
            on_delete_columns,
            on_update,
            match_full,
            deferral,
            valid,
            enforced,
            period,
            switched_off,
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.fixed("columns", columns, &desired.columns, WHY);
        it.fixed("references", references, &desired.references, WHY);
        it.fixed("on delete", on_delete, &desired.on_delete, WHY);
        it.fixed(
            "on delete columns",
            on_delete_columns,
            &desired.on_delete_columns,
            WHY,
        );
        it.fixed("on update", on_update, &desired.on_update, WHY);
        it.fixed("match full", match_full, &desired.match_full, WHY);
        it.field("deferral", deferral, &desired.deferral);
        it.fixed("period", period, &desired.period, WHY);
        // Nobody asks for a foreign key that lets rows pass; a database that has one is told of with its triggers.
        if *switched_off && !desired.switched_off {
            it.fixed(
                "switched off",
                switched_off,
                &desired.switched_off,
                "its triggers are switched off, so it is built anew, which checks the rows",
            );
        }
        if it.field("enforced", enforced, &desired.enforced) {
            if desired.enforced && !desired.valid {
                it.replace_because("PostgreSQL validates a foreign key that becomes enforced");
            }
        } else if it.field("valid", valid, &desired.valid) && *valid {
            it.replace_because("PostgreSQL cannot make a valid constraint not valid");
        }
        it
    }

    fn summary(&self) -> String {
        let rest = self.rest().replacen("REFERENCES", "references", 1);
        format!("{} ({}) {rest}", self.key(), self.list(&self.columns))
    }

    fn address(key: &Key) -> String {
        constraint::address(key)
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let statement = constraint::add(
            acc,
            Lock::ShareRowExclusive,
            &self.table,
            &self.definition(),
        );
        if self.valid && self.enforced && on_live_table(ctx, &self.table) {
            self.warn(statement);
        }
    }

    fn as_created(&self) -> Option<Self> {
        self.switched_off.then(|| Self {
            switched_off: false,
            ..self.clone()
        })
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        if current.deferral != desired.deferral {
            let clause = match desired.deferral {
                Deferral::No => " NOT DEFERRABLE".into(),
                it => it.to_string(),
            };
            let sql = format!(
                "ALTER TABLE {} ALTER CONSTRAINT {}{clause}",
                desired.table, desired.name
            );
            acc.push(Lock::AccessExclusive, sql);
        }
        if current.enforced != desired.enforced {
            let not = if desired.enforced { "" } else { "NOT " };
            let sql = format!(
                "ALTER TABLE {} ALTER CONSTRAINT {} {not}ENFORCED",
                desired.table, desired.name
            );
            let statement = acc.push(Lock::ShareRowExclusive, sql);
            if desired.enforced {
                desired.warn(statement);
            }
        } else if current.valid != desired.valid {
            constraint::validate(acc, &desired.key());
        }
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
        self.valid.then(|| self.definition())
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        named::columns(
            &self.table,
            self.columns.iter_mut().chain(&mut self.on_delete_columns),
            visit,
        );
        named::columns(&self.references.table, &mut self.references.columns, visit);
        visit(Named::Object(KindTag::Table, &mut self.references.table));
        visit(Named::Part(
            KindTag::ForeignKey,
            &mut self.table,
            &mut self.name,
        ));
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::constraint(&self.table, &self.name)]
    }

    fn react(&self, _event: Event) -> Reaction {
        // While the two ends have different types PostgreSQL may have no operator to compare them.
        Reaction::Rebuild
    }
}

/// The keys and unique indexes of a table on just these columns, in any order: what a foreign key can hold on to.
fn keys_on(schema: &Schema, table: &Name, columns: &[Ident]) -> BTreeSet<Key> {
    let wanted: BTreeSet<&Ident> = columns.iter().collect();
    let fits = |object: &Object| match object {
        Object::PrimaryKey(it) => it.index.columns.iter().collect::<BTreeSet<_>>() == wanted,
        Object::Unique(it) => it.index.columns.iter().collect::<BTreeSet<_>>() == wanted,
        Object::Index(it) => it.is_key_on(&wanted),
        _ => false,
    };
    [KindTag::PrimaryKey, KindTag::Unique, KindTag::Index]
        .into_iter()
        .flat_map(|kind| schema.parts(kind, table))
        .filter(|(_, object)| fits(object))
        .map(|(key, _)| key.clone())
        .collect()
}
