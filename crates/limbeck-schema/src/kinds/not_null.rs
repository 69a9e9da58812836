//! Not-null constraints of columns (`pg_constraint`, contype `n`, PostgreSQL 18). Before, a column's NOT NULL had neither
//! a name nor options; now it may have them, and it is still a part of its column.

use serde::Serialize;

use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::{self, is_false, is_true};
use crate::kinds::named::default_name;
use crate::kinds::{Column, Context, Difference, Kind, KindTag, Object, Since};
use crate::row::{DecodeError, Fields};
use crate::statement::{Hazard, Lock, Script};

/// The constraint behind a column's NOT NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotNull {
    /// A name other than the one that PostgreSQL makes, `<table>_<column>_not_null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Ident>,
    /// `NO INHERIT`.
    #[serde(skip_serializing_if = "is_false")]
    pub no_inherit: bool,
    /// False for `NOT VALID`.
    #[serde(skip_serializing_if = "is_true")]
    pub valid: bool,
}

impl NotNull {
    /// The select list that `decode` reads, with the constraint as `nn`.
    pub(crate) fn columns(version: u32) -> &'static str {
        if version >= 180_000 {
            "nn.conname, nn.connoinherit, nn.convalidated"
        } else {
            "NULL::name, NULL::bool, NULL::bool"
        }
    }

    /// The join that `columns` needs, for `pg_attribute a`.
    pub(crate) fn join(version: u32) -> &'static str {
        if version >= 180_000 {
            " LEFT JOIN pg_constraint nn ON nn.conrelid = a.attrelid AND nn.contype = 'n' AND nn.conkey = ARRAY[a.attnum]"
        } else {
            ""
        }
    }

    /// What only newer servers have: before PostgreSQL 18 every NOT NULL was valid and inherited.
    pub(crate) fn newer(&self) -> Option<Since> {
        let what = if self.no_inherit {
            "NOT NULL NO INHERIT"
        } else {
            "NOT NULL NOT VALID"
        };
        (self.no_inherit || !self.valid).then_some(Since { what, major: 18 })
    }

    /// Reads the constraint of a column; `None` where the server knows of none.
    pub(crate) fn decode(
        fields: &mut Fields<'_>,
        table: &Name,
        column: &Ident,
    ) -> Result<Option<Self>, DecodeError> {
        let name = fields.ident_or_null()?;
        let (no_inherit, valid) = (fields.boolean_or_null()?, fields.boolean_or_null()?);
        Ok(name.map(|name| Self {
            name: Some(name).filter(|it| *it != not_null_name(table, column)),
            no_inherit: no_inherit.unwrap_or(false),
            valid: valid.unwrap_or(true),
        }))
    }

    /// Whether there is no more to say than that the column is not null.
    pub(crate) fn says_nothing(it: &Option<Box<Self>>) -> bool {
        it.as_deref().is_none_or(
            |Self {
                 name,
                 no_inherit,
                 valid,
             }| name.is_none() && !no_inherit && *valid,
        )
    }

    /// What differs between the constraints of a column that is not null on both sides. Where a side says nothing about
    /// it, it agrees with any name, but not with rows that nobody has checked.
    pub(crate) fn compare(
        current: &Option<Box<Self>>,
        desired: &Option<Box<Self>>,
        it: &mut Difference,
    ) {
        let is_valid = |it: &Option<Box<Self>>| it.as_ref().is_none_or(|it| it.valid);
        it.field("not null valid", &is_valid(current), &is_valid(desired));
        if let (
            Some(Self {
                name,
                no_inherit,
                valid: _,
            }),
            Some(desired),
        ) = (current.as_deref(), desired)
        {
            it.field("not null name", name, &desired.name);
            it.field("not null no inherit", no_inherit, &desired.no_inherit);
        }
    }

    /// The clause of a column's definition, with a space before it. What is not valid has no place there.
    pub(crate) fn clause(column: &Column) -> String {
        let name = match &column.not_null {
            _ if column.nullable => return String::new(),
            None => String::new(),
            Some(it) if !it.valid => return String::new(),
            Some(it) => it
                .name
                .as_ref()
                .map_or_else(String::new, |it| format!(" CONSTRAINT {it}")),
        };
        let no_inherit = column.not_null.as_ref().is_some_and(|it| it.no_inherit);
        format!(
            "{name} NOT NULL{}",
            if no_inherit { " NO INHERIT" } else { "" }
        )
    }

    /// Writes what the definition of a new column could not say.
    pub(crate) fn write_rest(column: &Column, ctx: &Context<'_>, acc: &mut Script) {
        if !column.nullable && column.not_null.as_ref().is_some_and(|it| !it.valid) {
            Self::add(column, ctx, acc);
        }
    }

    /// Whether a check that is there before and after says already that no row is null, so that PostgreSQL looks at none
    /// (`NotNullImpliedByRelConstraints`).
    fn is_proven(column: &Column, ctx: &Context<'_>) -> bool {
        let checks = ctx.current.parts(KindTag::Check, &column.table);
        let proves = |(key, object): (&Key, &Object)| match (object, ctx.desired.get(key)) {
            (Object::Check(was), Some(Object::Check(is))) => {
                was == is && is.valid && is.enforced && is.expression.implies_not_null(&column.name)
            }
            _ => false,
        };
        checks.into_iter().any(proves)
    }

    /// Writes what makes a column not null.
    pub(crate) fn add(column: &Column, ctx: &Context<'_>, acc: &mut Script) {
        let Column {
            table, name: own, ..
        } = column;
        let said = column
            .not_null
            .as_ref()
            .filter(|_| !Self::says_nothing(&column.not_null));
        let sql = match said {
            None => format!("ALTER TABLE {table} ALTER COLUMN {own} SET NOT NULL"),
            Some(it) => {
                let no_inherit = if it.no_inherit { " NO INHERIT" } else { "" };
                let not_valid = constraint::validity_clause(it.valid, true);
                let name = it.name_on(column);
                format!(
                    "ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {own}{no_inherit}{not_valid}"
                )
            }
        };
        let statement = acc.push(Lock::AccessExclusive, sql);
        if said.is_none_or(|it| it.valid) && !Self::is_proven(column, ctx) {
            statement.warn(
                Hazard::MayFail,
                format!("reads every row of {table} while nobody can use it, and fails if {own} is null in one; fill it first"),
            );
        }
    }

    /// Writes what leads from one constraint to another, of a column that is not null on both sides.
    pub(crate) fn alter(current: &Column, desired: &Column, ctx: &Context<'_>, acc: &mut Script) {
        let table = &desired.table;
        let is_valid = |it: &Column| it.not_null.as_ref().is_none_or(|it| it.valid);
        if is_valid(current) && !is_valid(desired) {
            acc.push(
                Lock::AccessExclusive,
                format!(
                    "ALTER TABLE {table} ALTER COLUMN {} DROP NOT NULL",
                    desired.name
                ),
            );
            Self::add(desired, ctx, acc);
            return;
        }
        if let (Some(was), Some(is)) = (&current.not_null, &desired.not_null) {
            let (old, new) = (was.name_on(current), is.name_on(desired));
            if old != new {
                acc.push(
                    Lock::AccessExclusive,
                    format!("ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}"),
                );
            }
            if was.no_inherit != is.no_inherit {
                let inherit = if is.no_inherit {
                    "NO INHERIT"
                } else {
                    "INHERIT"
                };
                acc.push(
                    Lock::AccessExclusive,
                    format!("ALTER TABLE {table} ALTER CONSTRAINT {new} {inherit}"),
                );
            }
        }
        let known = desired.not_null.as_ref().map(|it| it.name_on(desired));
        let known = known.or_else(|| current.not_null.as_ref().map(|it| it.name_on(current)));
        if let Some(name) = known.filter(|_| !is_valid(current) && is_valid(desired)) {
            constraint::validate(
                acc,
                &Key {
                    part: Some(name),
                    ..desired.key()
                },
            );
        }
    }

    /// The name, made or given.
    pub(crate) fn name_on(&self, column: &Column) -> Ident {
        self.name
            .clone()
            .unwrap_or_else(|| not_null_name(&column.table, &column.name))
    }
}

/// The name that PostgreSQL makes where it is free (`ChooseConstraintName`).
fn not_null_name(table: &Name, column: &Ident) -> Ident {
    default_name(&table.name, &[column.as_str()], "not_null")
}
