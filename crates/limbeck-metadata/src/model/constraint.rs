//! Declared primary keys, unique, check and exclusion constraints.

use std::collections::BTreeMap;

use limbeck_schema::Ident;
use serde::{Deserialize, Serialize};

use crate::model::{Element, GivenName, idents, is_false, lean};

/// A primary key. Its columns are not null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrimaryKey {
    /// The name; absent: by the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// The columns, in order.
    #[serde(deserialize_with = "lean")]
    pub columns: Vec<Ident>,
    /// Whether the last column is `WITHOUT OVERLAPS` (PostgreSQL 18).
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_overlaps: bool,
    /// `INCLUDE` columns.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub include: Vec<Ident>,
    /// `DEFERRABLE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`; it makes the constraint deferrable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// Storage parameters of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The comment on its index, which is another than the constraint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_comment: Option<String>,
}

/// A unique constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The name; absent: by the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// The columns, in order.
    #[serde(deserialize_with = "lean")]
    pub columns: Vec<Ident>,
    /// Whether the last column is `WITHOUT OVERLAPS` (PostgreSQL 18).
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_overlaps: bool,
    /// `INCLUDE` columns.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub include: Vec<Ident>,
    /// `NULLS NOT DISTINCT` (PostgreSQL 15).
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// `DEFERRABLE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`; it makes the constraint deferrable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// Storage parameters of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The comment on its index, which is another than the constraint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_comment: Option<String>,
}

/// A check constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The name; absent: by the naming convention. Under a template with `%(constraint_name)s` it has to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// The condition, an SQL expression.
    pub expression: String,
    /// `NO INHERIT`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_inherit: bool,
    /// `NOT VALID`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_valid: bool,
    /// `NOT ENFORCED` (PostgreSQL 18): nothing is checked, whether `not_valid` is said or not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_enforced: bool,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An exclusion constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The name; absent: by the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// The access method.
    #[serde(default = "gist", skip_serializing_if = "is_gist")]
    pub method: Ident,
    /// The elements, each with its operator.
    #[serde(deserialize_with = "lean")]
    pub elements: Vec<Element>,
    /// `INCLUDE` columns.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub include: Vec<Ident>,
    /// `WHERE (…)`, an SQL expression.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// `DEFERRABLE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`; it makes the constraint deferrable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// Storage parameters of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The comment on its index, which is another than the constraint's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_comment: Option<String>,
}

fn gist() -> Ident {
    Ident::new("gist")
}

fn is_gist(method: &Ident) -> bool {
    method.as_str() == "gist"
}

macro_rules! common_builders {
    ($($Type:ident)*) => {$(
        impl $Type {
            /// The name; without it the naming convention names it.
            #[must_use]
            pub fn name(self, name: impl Into<GivenName>) -> Self {
                Self { name: Some(name.into()), ..self }
            }

            /// The comment.
            #[must_use]
            pub fn comment(self, comment: impl Into<String>) -> Self {
                Self { comment: Some(comment.into()), ..self }
            }
        }
    )*};
}

macro_rules! index_builders {
    ($($Type:ident)*) => {$(
        impl $Type {
            /// `INCLUDE` columns.
            #[must_use]
            pub fn include<I: IntoIterator<Item: Into<Ident>>>(self, columns: I) -> Self {
                Self { include: idents(columns), ..self }
            }

            /// `DEFERRABLE`.
            #[must_use]
            pub fn deferrable(self) -> Self {
                Self { deferrable: true, ..self }
            }

            /// `DEFERRABLE INITIALLY DEFERRED`.
            #[must_use]
            pub fn initially_deferred(self) -> Self {
                Self { deferrable: true, initially_deferred: true, ..self }
            }

            /// The comment on its index.
            #[must_use]
            pub fn index_comment(self, comment: impl Into<String>) -> Self {
                Self { index_comment: Some(comment.into()), ..self }
            }

            /// A storage parameter of the index, `fillfactor`, `70`.
            #[must_use]
            pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Self {
                self.with.insert(parameter.into(), value.into());
                self
            }
        }
    )*};
}

macro_rules! key_builders {
    ($($Type:ident)*) => {$(
        impl $Type {
            /// `WITHOUT OVERLAPS` behind the last column, a range (PostgreSQL 18).
            #[must_use]
            pub fn without_overlaps(self) -> Self {
                Self { without_overlaps: true, ..self }
            }
        }
    )*};
}

common_builders!(PrimaryKey Unique Check Exclusion);
key_builders!(PrimaryKey Unique);
index_builders!(PrimaryKey Unique Exclusion);

impl PrimaryKey {
    /// A primary key on columns.
    pub fn new<I: IntoIterator<Item: Into<Ident>>>(columns: I) -> Self {
        Self {
            columns: idents(columns),
            ..Self::default()
        }
    }
}

impl<T: Into<Ident>, const N: usize> From<[T; N]> for PrimaryKey {
    fn from(columns: [T; N]) -> Self {
        Self::new(columns)
    }
}

impl Unique {
    /// A unique constraint on columns.
    pub fn new<I: IntoIterator<Item: Into<Ident>>>(columns: I) -> Self {
        Self {
            columns: idents(columns),
            ..Self::default()
        }
    }

    /// `NULLS NOT DISTINCT` (PostgreSQL 15).
    #[must_use]
    pub fn nulls_not_distinct(self) -> Self {
        Self {
            nulls_not_distinct: true,
            ..self
        }
    }
}

impl<T: Into<Ident>, const N: usize> From<[T; N]> for Unique {
    fn from(columns: [T; N]) -> Self {
        Self::new(columns)
    }
}

impl Check {
    /// A check constraint on an SQL expression.
    pub fn new(expression: impl Into<String>) -> Self {
        Self {
            expression: expression.into(),
            ..Self::default()
        }
    }

    /// `NO INHERIT`.
    #[must_use]
    pub fn no_inherit(self) -> Self {
        Self {
            no_inherit: true,
            ..self
        }
    }

    /// `NOT VALID`.
    #[must_use]
    pub fn not_valid(self) -> Self {
        Self {
            not_valid: true,
            ..self
        }
    }

    /// `NOT ENFORCED` (PostgreSQL 18).
    #[must_use]
    pub fn not_enforced(self) -> Self {
        Self {
            not_enforced: true,
            ..self
        }
    }
}

impl Exclusion {
    /// A `gist` exclusion constraint on elements, each with its operator.
    pub fn new<I: IntoIterator<Item: Into<Element>>>(elements: I) -> Self {
        Self {
            name: None,
            method: gist(),
            elements: elements.into_iter().map(Into::into).collect(),
            include: Vec::new(),
            predicate: None,
            deferrable: false,
            initially_deferred: false,
            with: BTreeMap::new(),
            comment: None,
            index_comment: None,
        }
    }

    /// The access method.
    #[must_use]
    pub fn method(self, method: impl Into<Ident>) -> Self {
        Self {
            method: method.into(),
            ..self
        }
    }

    /// `WHERE (…)`, an SQL expression.
    #[must_use]
    pub fn predicate(self, sql: impl Into<String>) -> Self {
        Self {
            predicate: Some(sql.into()),
            ..self
        }
    }
}
