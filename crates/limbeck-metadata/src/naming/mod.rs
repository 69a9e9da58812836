//! The naming convention: templates in SQLAlchemy's syntax that name what its declaration leaves unnamed.
//!
//! The rules are SQLAlchemy's (`sqlalchemy.sql.naming`): a template is used where no name is given, and also where one is
//! given and the template holds `%(constraint_name)s`, which then stands for it.

mod facts;
mod template;

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use facts::Facts;
pub use limbeck_schema::Truncation;
pub(crate) use template::{Template, choose, fits};

use crate::error::MetaDataError;

/// The templates by kind, and what happens to names that are too long. A kind without template gets PostgreSQL's
/// default name, and its objects are recognised whatever name they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamingConvention {
    ix: Option<String>,
    uq: Option<String>,
    ck: Option<String>,
    fk: Option<String>,
    pk: Option<String>,
    ex: Option<String>,
    truncate: Truncation,
}

impl NamingConvention {
    /// The convention of Invenio's projects, and the one used where none is stated. It has no template for exclusion
    /// constraints.
    pub fn limbeck() -> Self {
        Self::default()
            .ix("ix_%(column_0_label)s")
            .uq("uq_%(table_name)s_%(column_0_name)s")
            .ck("ck_%(table_name)s_%(constraint_name)s")
            .fk("fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s")
            .pk("pk_%(table_name)s")
    }

    /// No template at all: PostgreSQL names what has no name.
    pub fn postgresql() -> Self {
        Self::default()
    }

    /// SQLAlchemy's default: a template for indexes only.
    pub fn sqlalchemy() -> Self {
        Self::default().ix("ix_%(column_0_label)s")
    }

    /// The template of indexes.
    #[must_use]
    pub fn ix(self, template: impl Into<String>) -> Self {
        Self {
            ix: Some(template.into()),
            ..self
        }
    }

    /// The template of unique constraints.
    #[must_use]
    pub fn uq(self, template: impl Into<String>) -> Self {
        Self {
            uq: Some(template.into()),
            ..self
        }
    }

    /// The template of check constraints.
    #[must_use]
    pub fn ck(self, template: impl Into<String>) -> Self {
        Self {
            ck: Some(template.into()),
            ..self
        }
    }

    /// The template of foreign keys.
    #[must_use]
    pub fn fk(self, template: impl Into<String>) -> Self {
        Self {
            fk: Some(template.into()),
            ..self
        }
    }

    /// The template of primary keys.
    #[must_use]
    pub fn pk(self, template: impl Into<String>) -> Self {
        Self {
            pk: Some(template.into()),
            ..self
        }
    }

    /// The template of exclusion constraints.
    #[must_use]
    pub fn ex(self, template: impl Into<String>) -> Self {
        Self {
            ex: Some(template.into()),
            ..self
        }
    }

    /// What happens to a generated name that is too long.
    #[must_use]
    pub fn truncate(self, truncate: Truncation) -> Self {
        Self { truncate, ..self }
    }

    /// What happens to a generated name that is too long.
    pub(crate) fn truncation(&self) -> Truncation {
        self.truncate
    }

    /// Reads the templates.
    ///
    /// # Errors
    /// If a template holds an unknown token or a stray `%`.
    pub(crate) fn templates(&self) -> Result<Templates, MetaDataError> {
        let Self {
            ix,
            uq,
            ck,
            fk,
            pk,
            ex,
            truncate,
        } = self;
        let read = |kind, text: &Option<String>| {
            text.as_deref()
                .map(|it| Template::read(kind, it))
                .transpose()
        };
        Ok(Templates {
            ix: read("ix", ix)?,
            uq: read("uq", uq)?,
            ck: read("ck", ck)?,
            fk: read("fk", fk)?,
            pk: read("pk", pk)?,
            ex: read("ex", ex)?,
            truncate: *truncate,
        })
    }

    const PRESETS: &[Preset] = &[
        ("limbeck", Self::limbeck),
        ("invenio", Self::limbeck),
        ("postgresql", Self::postgresql),
        ("sqlalchemy", Self::sqlalchemy),
    ];

    /// The preset of a name: `limbeck` (or `invenio`), `postgresql`, `sqlalchemy`.
    pub fn preset(name: &str) -> Option<Self> {
        Self::PRESETS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, make)| make())
    }
}

/// A convention with a name of its own.
type Preset = (&'static str, fn() -> NamingConvention);

/// A convention whose templates are read.
#[derive(Debug)]
pub(crate) struct Templates {
    pub(crate) ix: Option<Template>,
    pub(crate) uq: Option<Template>,
    pub(crate) ck: Option<Template>,
    pub(crate) fk: Option<Template>,
    pub(crate) pk: Option<Template>,
    pub(crate) ex: Option<Template>,
    pub(crate) truncate: Truncation,
}

/// The object form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uq: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ck: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ex: Option<String>,
    #[serde(default)]
    truncate: Truncation,
}

impl Serialize for NamingConvention {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some((name, _)) = Self::PRESETS.iter().find(|(_, make)| make() == *self) {
            return serializer.serialize_str(name);
        }
        let Self {
            ix,
            uq,
            ck,
            fk,
            pk,
            ex,
            truncate,
        } = self.clone();
        Full {
            ix,
            uq,
            ck,
            fk,
            pk,
            ex,
            truncate,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NamingConvention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Conventions;
        impl<'de> Visitor<'de> for Conventions {
            type Value = NamingConvention;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a preset's name or an object of templates")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<NamingConvention, E> {
                NamingConvention::preset(name).ok_or_else(|| {
                    let known: Vec<_> = NamingConvention::PRESETS
                        .iter()
                        .map(|(known, _)| format!("`{known}`"))
                        .collect();
                    E::custom(format!(
                        "unknown naming convention `{name}`, expected one of {}",
                        known.join(", ")
                    ))
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NamingConvention, A::Error> {
                let Full {
                    ix,
                    uq,
                    ck,
                    fk,
                    pk,
                    ex,
                    truncate,
                } = Full::deserialize(MapAccessDeserializer::new(map))?;
                let convention = NamingConvention {
                    ix,
                    uq,
                    ck,
                    fk,
                    pk,
                    ex,
                    truncate,
                };
                // Read here as well, so that the message has the line.
                convention.templates().map_err(A::Error::custom)?;
                Ok(convention)
            }
        }
        deserializer.deserialize_any(Conventions)
    }
}
