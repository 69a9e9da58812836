//! Declared schemas, enum types and sequences.

use limbeck_schema::Ident;
use serde::{Deserialize, Serialize};

use crate::model::{is_false, lean};

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// The name.
    pub name: Ident,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An enum type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumType {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The labels, in sort order.
    #[serde(deserialize_with = "lean")]
    pub labels: Vec<String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

/// The column that owns a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedBy {
    /// The table.
    pub table: Ident,
    /// The table's schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The column.
    pub column: Ident,
}

/// A sequence of its own; what is absent has PostgreSQL's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// `smallint`, `integer` or `bigint`; absent: `bigint`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub ty: Option<String>,
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
    /// `UNLOGGED` (PostgreSQL 15).
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// The column that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<OwnedBy>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

impl Namespace {
    /// A schema.
    pub fn new(name: impl Into<Ident>) -> Self {
        Self {
            name: name.into(),
            comment: None,
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
}

impl EnumType {
    /// An enum type with its labels, in sort order.
    pub fn new<I: IntoIterator<Item: Into<String>>>(name: impl Into<Ident>, labels: I) -> Self {
        let labels = labels.into_iter().map(Into::into).collect();
        Self {
            name: name.into(),
            schema: None,
            labels,
            comment: None,
            place: None,
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

    /// Where it is declared, for messages.
    #[must_use]
    pub fn place(self, place: impl Into<String>) -> Self {
        Self {
            place: Some(place.into()),
            ..self
        }
    }

    /// Whether both declare the same type, wherever they stand.
    pub(crate) fn coincides(&self, other: &Self) -> bool {
        let Self {
            name,
            schema,
            labels,
            comment,
            place: _,
        } = self;
        let same_comment =
            comment == &other.comment || comment.is_none() || other.comment.is_none();
        *name == other.name && *schema == other.schema && *labels == other.labels && same_comment
    }
}

impl Sequence {
    /// A `bigint` sequence with every default.
    pub fn new(name: impl Into<Ident>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            ty: None,
            start: None,
            increment: None,
            min: None,
            max: None,
            cache: None,
            cycle: None,
            unlogged: false,
            owned_by: None,
            comment: None,
            place: None,
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

    /// `smallint`, `integer` or `bigint`.
    #[must_use]
    pub fn sql_type(self, ty: impl Into<String>) -> Self {
        Self {
            ty: Some(ty.into()),
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

    /// `CYCLE`.
    #[must_use]
    pub fn cycle(self) -> Self {
        Self {
            cycle: Some(true),
            ..self
        }
    }

    /// `UNLOGGED` (PostgreSQL 15).
    #[must_use]
    pub fn unlogged(self) -> Self {
        Self {
            unlogged: true,
            ..self
        }
    }

    /// `OWNED BY` a column of a table in the metadata's schema.
    #[must_use]
    pub fn owned_by(self, table: impl Into<Ident>, column: impl Into<Ident>) -> Self {
        self.owned_by_column(OwnedBy {
            table: table.into(),
            schema: None,
            column: column.into(),
        })
    }

    /// `OWNED BY` a column of a table in any schema.
    #[must_use]
    pub fn owned_by_column(self, owner: OwnedBy) -> Self {
        Self {
            owned_by: Some(owner),
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

    /// Where it is declared, for messages.
    #[must_use]
    pub fn place(self, place: impl Into<String>) -> Self {
        Self {
            place: Some(place.into()),
            ..self
        }
    }
}
