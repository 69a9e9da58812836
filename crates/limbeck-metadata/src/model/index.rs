//! Declared indexes.

use std::collections::BTreeMap;

use limbeck_schema::Ident;
use serde::{Deserialize, Serialize};

use crate::model::{Element, GivenName, idents, is_false, lean};

/// An index that does not belong to a constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The name; absent: by the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// `UNIQUE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// The access method.
    #[serde(default = "btree", skip_serializing_if = "is_btree")]
    pub method: Ident,
    /// Columns and expressions, in order.
    #[serde(deserialize_with = "lean")]
    pub elements: Vec<Element>,
    /// `INCLUDE` columns.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub include: Vec<Ident>,
    /// `WHERE …`, an SQL expression.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// `NULLS NOT DISTINCT` (PostgreSQL 15).
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// Storage parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// Statistics targets, by the number of the column in the index, from 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<i64, i64>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

fn btree() -> Ident {
    Ident::new("btree")
}

fn is_btree(method: &Ident) -> bool {
    method.as_str() == "btree"
}

impl Index {
    /// A `btree` index on columns and expressions.
    pub fn new<I: IntoIterator<Item: Into<Element>>>(elements: I) -> Self {
        Self {
            name: None,
            unique: false,
            method: btree(),
            elements: elements.into_iter().map(Into::into).collect(),
            include: Vec::new(),
            predicate: None,
            nulls_not_distinct: false,
            with: BTreeMap::new(),
            statistics: BTreeMap::new(),
            comment: None,
        }
    }

    /// The name; without it the naming convention names it.
    #[must_use]
    pub fn name(self, name: impl Into<GivenName>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// `UNIQUE`.
    #[must_use]
    pub fn unique(self) -> Self {
        Self {
            unique: true,
            ..self
        }
    }

    /// The access method, `gin`.
    #[must_use]
    pub fn method(self, method: impl Into<Ident>) -> Self {
        Self {
            method: method.into(),
            ..self
        }
    }

    /// `INCLUDE` columns.
    #[must_use]
    pub fn include<I: IntoIterator<Item: Into<Ident>>>(self, columns: I) -> Self {
        Self {
            include: idents(columns),
            ..self
        }
    }

    /// `WHERE …`, an SQL expression.
    #[must_use]
    pub fn predicate(self, sql: impl Into<String>) -> Self {
        Self {
            predicate: Some(sql.into()),
            ..self
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

    /// A storage parameter, `fillfactor`, `70`.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<String>) -> Self {
        self.with.insert(parameter.into(), value.into());
        self
    }

    /// The statistics target of a column of the index, counted from 1.
    #[must_use]
    pub fn statistics(mut self, column: i64, target: i64) -> Self {
        self.statistics.insert(column, target);
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

impl<T: Into<Element>, const N: usize> From<[T; N]> for Index {
    fn from(elements: [T; N]) -> Self {
        Self::new(elements)
    }
}
