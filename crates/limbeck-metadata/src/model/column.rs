//! Declared columns.

use limbeck_schema::Ident;
use serde::{Deserialize, Serialize};

use crate::model::{EnumType, Physical, StorageMode, is_false, is_true, yes};
use crate::types::{ColumnType, TypeInfo};

/// A column of a declared table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name.
    pub name: Ident,
    /// The type in any spelling that PostgreSQL accepts; user types as `name` or `schema.name`, quoted as in SQL.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it takes nulls. The columns of a primary key never do, whatever is said here.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub nullable: bool,
    /// `DEFAULT`, an SQL expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `GENERATED ALWAYS AS (…)`, an SQL expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// Whether what is generated is `VIRTUAL` (PostgreSQL 18) rather than `STORED`.
    #[serde(rename = "virtual", default, skip_serializing_if = "is_false")]
    pub is_virtual: bool,
    /// `GENERATED … AS IDENTITY`; it makes the column not null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<Identity>>,
    /// An integer column with an owned sequence `<table>_<column>_seq` and the default that takes its next value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub serial: bool,
    /// A collation other than the type's own: `C`, `"de-x-icu"` or `schema.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// How its values are kept and measured; absent: as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical: Option<Box<Physical>>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The enum type that it was made with, until a table takes it.
    #[serde(skip)]
    pub(crate) enum_type: Option<Box<EnumType>>,
}

/// `GENERATED … AS IDENTITY` with the numbers of its sequence; what is absent has PostgreSQL's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `ALWAYS` rather than `BY DEFAULT`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub always: bool,
    /// `START WITH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<i64>,
    /// `INCREMENT BY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment: Option<i64>,
    /// `MINVALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// `MAXVALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// `CACHE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<i64>,
    /// `CYCLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<bool>,
    /// `SEQUENCE NAME`, in the table's schema; absent: PostgreSQL names it, and any name will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Ident>,
    /// The comment on its sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    /// A nullable column of a type spelled in SQL.
    pub fn new(name: impl Into<Ident>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: ty.into(),
            nullable: true,
            default: None,
            generated: None,
            is_virtual: false,
            identity: None,
            serial: false,
            collation: None,
            physical: None,
            comment: None,
            enum_type: None,
        }
    }

    /// A column that holds a Rust type: its SQL type, not null unless the type is an `Option`. A Rust enum brings its
    /// enum type along to the metadata.
    pub fn of<T: ColumnType>(name: impl Into<Ident>) -> Self {
        let TypeInfo {
            sql,
            nullable,
            enum_type,
        } = T::type_info();
        Self {
            nullable,
            enum_type: enum_type.map(Box::new),
            ..Self::new(name, sql)
        }
    }

    /// Takes nulls or not.
    #[must_use]
    pub fn nullable(self, nullable: bool) -> Self {
        Self { nullable, ..self }
    }

    /// `NOT NULL`.
    #[must_use]
    pub fn not_null(self) -> Self {
        self.nullable(false)
    }

    /// Another type, spelled in SQL.
    #[must_use]
    pub fn sql_type(self, ty: impl Into<String>) -> Self {
        Self {
            ty: ty.into(),
            ..self
        }
    }

    /// The length of a text type: `text` becomes `varchar(length)`, other types get the modifier.
    #[must_use]
    pub fn length(self, length: u32) -> Self {
        let base = self.ty.trim_end_matches("[]");
        let brackets = &self.ty[base.len()..];
        let base = if base == "text" { "varchar" } else { base };
        let ty = format!("{base}({length}){brackets}");
        Self { ty, ..self }
    }

    /// The precision of a numeric, time or interval type: `numeric(precision)`, `timestamptz(precision)`.
    #[must_use]
    pub fn precision(self, precision: u32) -> Self {
        let base = self.ty.trim_end_matches("[]");
        let ty = format!("{base}({precision}){}", &self.ty[base.len()..]);
        Self { ty, ..self }
    }

    /// The precision and scale of `numeric(precision, scale)`.
    #[must_use]
    pub fn precision_and_scale(self, precision: u32, scale: i32) -> Self {
        let base = self.ty.trim_end_matches("[]");
        let ty = format!("{base}({precision},{scale}){}", &self.ty[base.len()..]);
        Self { ty, ..self }
    }

    /// `DEFAULT`, an SQL expression.
    #[must_use]
    pub fn default(self, sql: impl Into<String>) -> Self {
        Self {
            default: Some(sql.into()),
            ..self
        }
    }

    /// `GENERATED ALWAYS AS (…) STORED`, an SQL expression.
    #[must_use]
    pub fn generated(self, sql: impl Into<String>) -> Self {
        Self {
            generated: Some(sql.into()),
            ..self
        }
    }

    /// `GENERATED ALWAYS AS (…) VIRTUAL` (PostgreSQL 18), an SQL expression.
    #[must_use]
    pub fn virtual_generated(self, sql: impl Into<String>) -> Self {
        Self {
            is_virtual: true,
            ..self.generated(sql)
        }
    }

    /// `GENERATED BY DEFAULT AS IDENTITY`.
    #[must_use]
    pub fn identity(self) -> Self {
        self.identity_with(Identity::default())
    }

    /// `GENERATED … AS IDENTITY` with the numbers of its sequence.
    #[must_use]
    pub fn identity_with(self, identity: Identity) -> Self {
        Self {
            identity: Some(Box::new(identity)),
            nullable: false,
            ..self
        }
    }

    /// An owned sequence and the default that takes its next value.
    #[must_use]
    pub fn serial(self) -> Self {
        Self {
            serial: true,
            nullable: false,
            ..self
        }
    }

    /// A collation other than the type's own: `C`, `"de-x-icu"` or `schema.name`.
    #[must_use]
    pub fn collation(self, collation: impl Into<String>) -> Self {
        Self {
            collation: Some(collation.into()),
            ..self
        }
    }

    /// `SET STORAGE`.
    #[must_use]
    pub fn storage(mut self, mode: StorageMode) -> Self {
        self.physical.get_or_insert_default().storage = Some(mode);
        self
    }

    /// `SET COMPRESSION` (PostgreSQL 14): `pglz` or `lz4`.
    #[must_use]
    pub fn compression(mut self, method: impl Into<Ident>) -> Self {
        self.physical.get_or_insert_default().compression = Some(method.into());
        self
    }

    /// `SET STATISTICS`.
    #[must_use]
    pub fn statistics(mut self, target: i64) -> Self {
        self.physical.get_or_insert_default().statistics = Some(target);
        self
    }

    /// An attribute option, `n_distinct`, `-0.5`.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>, value: impl Into<String>) -> Self {
        let physical = self.physical.get_or_insert_default();
        physical.with.insert(option.into(), value.into());
        self
    }

    /// The comment.
    #[must_use]
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self {
            comment: Some(comment.into()),
            ..self
        }
    }
}

impl Identity {
    /// `BY DEFAULT` with every default.
    pub fn new() -> Self {
        Self::default()
    }

    /// `ALWAYS` rather than `BY DEFAULT`.
    #[must_use]
    pub fn always(self) -> Self {
        Self {
            always: true,
            ..self
        }
    }

    /// `START WITH`.
    #[must_use]
    pub fn start(self, start: i64) -> Self {
        Self {
            start: Some(start),
            ..self
        }
    }

    /// `INCREMENT BY`.
    #[must_use]
    pub fn increment(self, increment: i64) -> Self {
        Self {
            increment: Some(increment),
            ..self
        }
    }

    /// `MINVALUE`.
    #[must_use]
    pub fn min(self, min: i64) -> Self {
        Self {
            min: Some(min),
            ..self
        }
    }

    /// `MAXVALUE`.
    #[must_use]
    pub fn max(self, max: i64) -> Self {
        Self {
            max: Some(max),
            ..self
        }
    }

    /// `CACHE`.
    #[must_use]
    pub fn cache(self, cache: i64) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    /// `SEQUENCE NAME`, in the table's schema.
    #[must_use]
    pub fn sequence(self, name: impl Into<Ident>) -> Self {
        Self {
            sequence: Some(name.into()),
            ..self
        }
    }

    /// The comment on its sequence.
    #[must_use]
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self {
            comment: Some(comment.into()),
            ..self
        }
    }

    /// `CYCLE`.
    #[must_use]
    pub fn cycle(self) -> Self {
        Self {
            cycle: Some(true),
            ..self
        }
    }
}
