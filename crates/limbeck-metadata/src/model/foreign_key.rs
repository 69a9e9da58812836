//! Declared foreign keys.

use limbeck_schema::Ident;
pub use limbeck_schema::kinds::Action;
use serde::{Deserialize, Serialize};

use crate::model::{GivenName, idents, is_false, lean};
use crate::registry::Model;

/// `MATCH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// `MATCH SIMPLE`, the default.
    #[default]
    Simple,
    /// `MATCH FULL`.
    Full,
}

/// The table and columns that a foreign key refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The table's schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The table.
    pub table: Ident,
    /// Its columns, in the order of the referring ones; absent: its primary key.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub columns: Vec<Ident>,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// The name; absent: by the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<GivenName>,
    /// The referring columns, in order.
    #[serde(deserialize_with = "lean")]
    pub columns: Vec<Ident>,
    /// What they refer to.
    pub references: References,
    /// `ON DELETE`.
    #[serde(default, with = "action", skip_serializing_if = "is_no_action")]
    pub on_delete: Action,
    /// `ON UPDATE`.
    #[serde(default, with = "action", skip_serializing_if = "is_no_action")]
    pub on_update: Action,
    /// The columns that `SET NULL (…)` and `SET DEFAULT (…)` name (PostgreSQL 15); absent: all.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub on_delete_columns: Vec<Ident>,
    /// `MATCH`.
    #[serde(rename = "match", default, skip_serializing_if = "is_simple")]
    pub match_type: Match,
    /// `DEFERRABLE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`; it makes the constraint deferrable.
    #[serde(default, skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// `NOT VALID`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_valid: bool,
    /// `NOT ENFORCED` (PostgreSQL 18): nothing is checked, whether `not_valid` is said or not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_enforced: bool,
    /// Whether the last column of either side is a `PERIOD` (PostgreSQL 18).
    #[serde(default, skip_serializing_if = "is_false")]
    pub period: bool,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

fn is_no_action(action: &Action) -> bool {
    *action == Action::NoAction
}

fn is_simple(it: &Match) -> bool {
    *it == Match::Simple
}

/// Actions as SQL spells them, in lower case.
mod action {
    use limbeck_schema::kinds::Action;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::borrow::Cow;

    pub(super) fn serialize<S: Serializer>(
        action: &Action,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match action {
            Action::NoAction => "no action",
            Action::Restrict => "restrict",
            Action::Cascade => "cascade",
            Action::SetNull => "set null",
            Action::SetDefault => "set default",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Action, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Action::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "unknown action `{text}`, expected `no action`, `restrict`, `cascade`, `set null` or `set default`"
            ))
        })
    }
}

impl References {
    /// The primary key of a table.
    pub fn new(table: impl Into<Ident>) -> Self {
        Self {
            schema: None,
            table: table.into(),
            columns: Vec::new(),
        }
    }

    /// The primary key of a model's table.
    pub fn model<M: Model>() -> Self {
        let (schema, table) = M::table_name();
        Self {
            schema: schema.map(Ident::new),
            table: Ident::new(table),
            columns: Vec::new(),
        }
    }

    /// The table's schema.
    #[must_use]
    pub fn schema(self, schema: impl Into<Ident>) -> Self {
        Self {
            schema: Some(schema.into()),
            ..self
        }
    }

    /// The columns, in the order of the referring ones.
    #[must_use]
    pub fn columns<I: IntoIterator<Item: Into<Ident>>>(self, columns: I) -> Self {
        Self {
            columns: idents(columns),
            ..self
        }
    }
}

impl ForeignKey {
    /// A foreign key from columns to a table.
    pub fn new<I: IntoIterator<Item: Into<Ident>>>(columns: I, references: References) -> Self {
        Self {
            name: None,
            columns: idents(columns),
            references,
            on_delete: Action::NoAction,
            on_update: Action::NoAction,
            on_delete_columns: Vec::new(),
            match_type: Match::Simple,
            deferrable: false,
            initially_deferred: false,
            not_valid: false,
            not_enforced: false,
            period: false,
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

    /// `ON DELETE`.
    #[must_use]
    pub fn on_delete(self, action: Action) -> Self {
        Self {
            on_delete: action,
            ..self
        }
    }

    /// The columns that `ON DELETE SET NULL (…)` or `SET DEFAULT (…)` names (PostgreSQL 15).
    #[must_use]
    pub fn on_delete_columns<I: IntoIterator<Item: Into<Ident>>>(self, columns: I) -> Self {
        Self {
            on_delete_columns: idents(columns),
            ..self
        }
    }

    /// `ON UPDATE`.
    #[must_use]
    pub fn on_update(self, action: Action) -> Self {
        Self {
            on_update: action,
            ..self
        }
    }

    /// `MATCH FULL`.
    #[must_use]
    pub fn match_full(self) -> Self {
        Self {
            match_type: Match::Full,
            ..self
        }
    }

    /// `DEFERRABLE`.
    #[must_use]
    pub fn deferrable(self) -> Self {
        Self {
            deferrable: true,
            ..self
        }
    }

    /// `DEFERRABLE INITIALLY DEFERRED`.
    #[must_use]
    pub fn initially_deferred(self) -> Self {
        Self {
            deferrable: true,
            initially_deferred: true,
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

    /// `PERIOD` before the last column of either side, a range (PostgreSQL 18).
    #[must_use]
    pub fn period(self) -> Self {
        Self {
            period: true,
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
}
