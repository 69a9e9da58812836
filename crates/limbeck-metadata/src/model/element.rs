//! Elements of declared indexes and exclusion constraints.

use std::fmt;

use limbeck_schema::Ident;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Sort direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// `ASC`, the default.
    #[default]
    Asc,
    /// `DESC`.
    Desc,
}

/// Where nulls sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// `NULLS FIRST`, the default for `DESC`.
    First,
    /// `NULLS LAST`, the default for `ASC`.
    Last,
}

/// A column or an expression, with how it is indexed. In JSON a bare text is a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The column; an element has either this or an expression.
    pub column: Option<Ident>,
    /// The SQL expression.
    pub expression: Option<String>,
    /// The operator of an exclusion constraint.
    pub operator: Option<String>,
    /// An operator class, `text_pattern_ops`, with its parameters, `gist_trgm_ops(siglen=32)`.
    pub opclass: Option<String>,
    /// A collation other than the column's own.
    pub collation: Option<String>,
    /// Sort direction.
    pub order: Order,
    /// Where nulls sort; absent: last for ascending, first for descending, as PostgreSQL has it.
    pub nulls: Option<Nulls>,
}

impl Element {
    /// A column.
    pub fn column(name: impl Into<Ident>) -> Self {
        Self {
            column: Some(name.into()),
            ..Self::default()
        }
    }

    /// An SQL expression.
    pub fn expression(sql: impl Into<String>) -> Self {
        Self {
            expression: Some(sql.into()),
            ..Self::default()
        }
    }

    /// The operator of an exclusion constraint.
    #[must_use]
    pub fn operator(self, operator: impl Into<String>) -> Self {
        Self {
            operator: Some(operator.into()),
            ..self
        }
    }

    /// An operator class other than the type's default.
    #[must_use]
    pub fn opclass(self, opclass: impl Into<String>) -> Self {
        Self {
            opclass: Some(opclass.into()),
            ..self
        }
    }

    /// A collation other than the column's own.
    #[must_use]
    pub fn collation(self, collation: impl Into<String>) -> Self {
        Self {
            collation: Some(collation.into()),
            ..self
        }
    }

    /// `DESC`.
    #[must_use]
    pub fn desc(self) -> Self {
        Self {
            order: Order::Desc,
            ..self
        }
    }

    /// `NULLS FIRST`.
    #[must_use]
    pub fn nulls_first(self) -> Self {
        Self {
            nulls: Some(Nulls::First),
            ..self
        }
    }

    /// `NULLS LAST`.
    #[must_use]
    pub fn nulls_last(self) -> Self {
        Self {
            nulls: Some(Nulls::Last),
            ..self
        }
    }

    fn is_bare_column(&self) -> bool {
        self.column.is_some()
            && *self
                == Self {
                    column: self.column.clone(),
                    ..Self::default()
                }
    }
}

impl<T: Into<Ident>> From<T> for Element {
    fn from(column: T) -> Self {
        Self::column(column)
    }
}

/// The object form of an element.
#[derive(Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a column name or an object with `column` or `expression`"
)]
struct Full {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<Ident>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opclass: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collation: Option<String>,
    #[serde(default, skip_serializing_if = "is_asc")]
    order: Order,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nulls: Option<Nulls>,
}

fn is_asc(order: &Order) -> bool {
    *order == Order::Asc
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_bare_column() {
            return self.column.serialize(serializer);
        }
        let Self {
            column,
            expression,
            operator,
            opclass,
            collation,
            order,
            nulls,
        } = self.clone();
        Full {
            column,
            expression,
            operator,
            opclass,
            collation,
            order,
            nulls,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name or an object with `column` or `expression`")
            }

            fn visit_str<E: Error>(self, column: &str) -> Result<Element, E> {
                Ok(Element::column(column))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                let Full {
                    column,
                    expression,
                    operator,
                    opclass,
                    collation,
                    order,
                    nulls,
                } = Full::deserialize(MapAccessDeserializer::new(map))?;
                if column.is_some() == expression.is_some() {
                    return Err(A::Error::custom(
                        "an element has either `column` or `expression`",
                    ));
                }
                Ok(Element {
                    column,
                    expression,
                    operator,
                    opclass,
                    collation,
                    order,
                    nulls,
                })
            }
        }
        deserializer.deserialize_any(Elements)
    }
}
