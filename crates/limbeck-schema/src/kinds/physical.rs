//! How PostgreSQL keeps and measures the values of a column: storage mode, compression, statistics target, attribute
//! options (`pg_attribute.attstorage`, `attcompression`, `attstattarget`, `attoptions`).

use std::sync::{Arc, LazyLock};

use serde::Serialize;

use crate::ident::Ident;
use crate::key::Key;

use crate::kinds::constraint::on_live_table;
use crate::kinds::inheritance::{followers, has_children};
use crate::kinds::{Column, Context, Difference, KindTag, Object, Parameters, Shown, Since};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::{Lock, Script};

/// Where long values go (`ALTER TABLE … SET STORAGE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageMode {
    /// In the row, as they are.
    Plain,
    /// Out of the row, as they are.
    External,
    /// In the row, compressed.
    Main,
    /// Out of the row, compressed.
    Extended,
}

impl StorageMode {
    pub(crate) fn from_catalog(code: &str) -> Self {
        match code {
            "p" => Self::Plain,
            "e" => Self::External,
            "m" => Self::Main,
            _ => Self::Extended,
        }
    }

    /// The default of a type, for servers before 16, where `SET STORAGE DEFAULT` is not known.
    pub(crate) fn of_type(schema: &Schema, ty: &SqlType) -> Self {
        const PLAIN: &[&str] = &[
            "\"char\"",
            "bigint",
            "boolean",
            "box",
            "circle",
            "date",
            "double precision",
            "integer",
            "interval",
            "line",
            "lseg",
            "macaddr",
            "macaddr8",
            "money",
            "name",
            "oid",
            "pg_lsn",
            "point",
            "real",
            "smallint",
            "uuid",
            "xid",
            "time with time zone",
            "time without time zone",
            "timestamp with time zone",
            "timestamp without time zone",
        ];
        if ty.is_array() {
            return Self::Extended;
        }
        let name = ty.user_defined();
        if let Some(Object::Domain(it)) = name
            .as_ref()
            .and_then(|it| schema.get(&Key::of(KindTag::Domain, it)))
        {
            return Self::of_type(schema, &it.base);
        }
        let is_enum = name.is_some_and(|it| schema.contains(&Key::of(KindTag::EnumType, &it)));
        match ty.base().as_str() {
            it if is_enum || PLAIN.contains(&it) => Self::Plain,
            "numeric" | "inet" | "cidr" => Self::Main,
            _ => Self::Extended,
        }
    }
}

impl Shown for StorageMode {
    fn shown(&self) -> String {
        match self {
            Self::Plain => "plain",
            Self::External => "external",
            Self::Main => "main",
            Self::Extended => "extended",
        }
        .into()
    }
}

/// How the values of a column are kept and measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Physical {
    /// A storage mode other than the type's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageMode>,
    /// A compression method other than the server's setting (PostgreSQL 14), `lz4` or `pglz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Ident>,
    /// A statistics target other than the server's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<i64>,
    /// Attribute options, `n_distinct`.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub options: Parameters,
}

impl Physical {
    /// The select list that `decode` reads, for `pg_attribute a` and its type `t`.
    pub(crate) fn columns(version: u32) -> String {
        let compression = if version >= 140_000 {
            "nullif(a.attcompression, '')::text"
        } else {
            "NULL"
        };
        // The target that stands for the setting is -1, and null since 17.
        format!(
            "CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END, {compression}, nullif(a.attstattarget, \
             -1)::int8, {}",
            Self::options("a")
        )
    }

    /// The column of the select list that `decode_options` reads, of a row of `pg_attribute`.
    pub(crate) fn options(row: &str) -> String {
        format!("{row}.attoptions")
    }

    pub(crate) fn decode_options(fields: &mut Fields<'_>) -> Result<Parameters, DecodeError> {
        let is_known = |it: &str| matches!(it, "n_distinct" | "n_distinct_inherited");
        Ok(Parameters::read(fields.options(is_known)?))
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            storage: fields.text_or_null()?.map(StorageMode::from_catalog),
            compression: fields
                .text_or_null()?
                .map(|it| Ident::new(if it == "l" { "lz4" } else { "pglz" })),
            statistics: fields.integer_or_null()?,
            options: Self::decode_options(fields)?,
        })
    }

    /// The one copy of the state in which nothing is said, or a copy of its own.
    pub fn shared(self) -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<Physical>> = LazyLock::new(Arc::default);
        if self == **DEFAULT {
            DEFAULT.clone()
        } else {
            Arc::new(self)
        }
    }

    /// What only newer servers have.
    pub(crate) fn newer(&self) -> Option<Since> {
        self.compression.as_ref().map(|_| Since {
            what: "COMPRESSION",
            major: 14,
        })
    }

    pub(crate) fn compare(current: &Self, desired: &Self, it: &mut Difference) {
        let Self {
            storage,
            compression,
            statistics,
            options,
        } = current;
        it.field("storage", storage, &desired.storage);
        it.field("compression", compression, &desired.compression);
        it.field("statistics target", statistics, &desired.statistics);
        it.field("options", options, &desired.options);
    }

    /// Writes what leads from one state of a column to another. A change of the type leaves storage and compression at
    /// the new type's defaults (`ATExecAlterColumnType`).
    pub(crate) fn write(
        current: &Self,
        desired: &Self,
        retyped: bool,
        column: &Column,
        ctx: &Context<'_>,
        acc: &mut Script,
    ) {
        let Self {
            storage,
            compression,
            statistics,
            options,
        } = current;
        let (storage, compression) = if retyped {
            (None, None)
        } else {
            (*storage, compression.clone())
        };
        let alter = format!("ALTER TABLE {} ALTER COLUMN {}", column.table, column.name);
        if storage != desired.storage {
            let mode = match desired.storage {
                Some(it) => it.shown(),
                None if ctx.version >= 160_000 => "default".into(),
                None => StorageMode::of_type(ctx.desired, &column.ty).shown(),
            };
            acc.push(
                Lock::AccessExclusive,
                format!("{alter} SET STORAGE {}", mode.to_uppercase()),
            );
        }
        if compression != desired.compression {
            let method = desired
                .compression
                .as_ref()
                .map_or("default", Ident::as_str);
            acc.push(
                Lock::AccessExclusive,
                format!("{alter} SET COMPRESSION {method}"),
            );
            // It does not recurse. A table that comes later takes the method over as it is created.
            let followers = followers(ctx.desired, &column.table, &column.name);
            for child in followers.into_iter().filter(|it| on_live_table(ctx, it)) {
                acc.push(
                    Lock::AccessExclusive,
                    format!(
                        "ALTER TABLE {child} ALTER COLUMN {} SET COMPRESSION {method}",
                        column.name
                    ),
                );
            }
        }
        if *statistics != desired.statistics {
            let target = desired.statistics.unwrap_or(-1);
            // A table that inherits has a target of its own.
            let only = if has_children(ctx.desired, &column.table) {
                "ONLY "
            } else {
                ""
            };
            let alone = format!(
                "ALTER TABLE {only}{} ALTER COLUMN {}",
                column.table, column.name
            );
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("{alone} SET STATISTICS {target}"),
            );
        }
        for clause in options.changes(&desired.options) {
            acc.push(Lock::ShareUpdateExclusive, format!("{alter} {clause}"));
        }
    }
}
