//! Declared tables.

use std::collections::BTreeMap;

use limbeck_schema::Ident;
use serde::{Deserialize, Serialize};

use crate::model::{
    Check, Column, EnumType, Exclusion, ForeignKey, Index, PrimaryKey, Unique, is_false, lean,
};

/// A table with its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// `UNLOGGED`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// Storage parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// `PARTITION BY`, as `pg_get_partkeydef` prints it: `RANGE (created_at)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// `INHERITS`, the tables in order, each `name` or `schema.name`. Columns that come from them are not declared again.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub inherits: Vec<String>,
    /// The columns, in order.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub columns: Vec<Column>,
    /// The primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<PrimaryKey>,
    /// Unique constraints.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub uniques: Vec<Unique>,
    /// Foreign keys.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub checks: Vec<Check>,
    /// Exclusion constraints.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub exclusions: Vec<Exclusion>,
    /// Indexes.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub indexes: Vec<Index>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
    /// The enum types that came with columns, until metadata takes them.
    #[serde(skip)]
    pub(crate) enum_types: Vec<EnumType>,
}

impl Table {
    /// A table without columns.
    pub fn new(name: impl Into<Ident>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            comment: None,
            unlogged: false,
            with: BTreeMap::new(),
            partition_by: None,
            inherits: Vec::new(),
            columns: Vec::new(),
            primary_key: None,
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            exclusions: Vec::new(),
            indexes: Vec::new(),
            place: None,
            enum_types: Vec::new(),
        }
    }

    /// The schema.
    #[must_use]
    pub fn schema(self, schema: impl Into<Ident>) -> Self {
        Self {
            schema: Some(schema.into()),
            ..self
        }
    }

    /// The comment.
    #[must_use]
    pub fn comment(self, comment: impl Into<String>) -> Self {
        Self {
            comment: Some(comment.into()),
            ..self
        }
    }

    /// `UNLOGGED`.
    #[must_use]
    pub fn unlogged(self) -> Self {
        Self {
            unlogged: true,
            ..self
        }
    }

    /// A storage parameter, `fillfactor`, `70`.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Self {
        self.with.insert(parameter.into(), value.into());
        self
    }

    /// `PARTITION BY`, as `pg_get_partkeydef` prints it: `RANGE (created_at)`.
    #[must_use]
    pub fn partition_by(self, key: impl Into<String>) -> Self {
        Self {
            partition_by: Some(key.into()),
            ..self
        }
    }

    /// `INHERITS` one more table, `name` or `schema.name`.
    #[must_use]
    pub fn inherits(mut self, parent: impl Into<String>) -> Self {
        self.inherits.push(parent.into());
        self
    }

    /// One more column.
    #[must_use]
    pub fn column(mut self, mut column: Column) -> Self {
        self.enum_types
            .extend(column.enum_type.take().map(|it| *it));
        self.columns.push(column);
        self
    }

    /// The primary key: columns, or a [`PrimaryKey`].
    #[must_use]
    pub fn primary_key(self, key: impl Into<PrimaryKey>) -> Self {
        Self {
            primary_key: Some(key.into()),
            ..self
        }
    }

    /// A unique constraint: columns, or a [`Unique`].
    #[must_use]
    pub fn unique(mut self, unique: impl Into<Unique>) -> Self {
        self.uniques.push(unique.into());
        self
    }

    /// A foreign key.
    #[must_use]
    pub fn foreign_key(mut self, key: ForeignKey) -> Self {
        self.foreign_keys.push(key);
        self
    }

    /// A check constraint.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// An exclusion constraint.
    #[must_use]
    pub fn exclusion(mut self, exclusion: Exclusion) -> Self {
        self.exclusions.push(exclusion);
        self
    }

    /// An index: columns, or an [`Index`].
    #[must_use]
    pub fn index(mut self, index: impl Into<Index>) -> Self {
        self.indexes.push(index.into());
        self
    }

    /// Where it is declared, for messages.
    #[must_use]
    pub fn place(self, place: impl Into<String>) -> Self {
        Self {
            place: Some(place.into()),
            ..self
        }
    }
}
