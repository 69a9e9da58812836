//! Declared domains, composite types, range types and collations.

use std::collections::BTreeMap;

use limbeck_schema::Ident;
pub use limbeck_schema::kinds::{Provider, StorageMode};
use serde::{Deserialize, Serialize};

use crate::model::{is_false, is_true, lean, yes};

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The type that it stands on, spelled in SQL.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it takes nulls.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub nullable: bool,
    /// `DEFAULT`, an SQL expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A collation other than the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Check constraints.
    #[serde(
        default,
        deserialize_with = "lean",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub checks: Vec<DomainCheck>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

/// A check constraint of a domain. Naming conventions do not speak about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainCheck {
    /// The name; absent: PostgreSQL's default, and any name will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Ident>,
    /// The condition on `VALUE`, an SQL expression.
    pub expression: String,
    /// `NOT VALID`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_valid: bool,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompositeType {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The attributes, in order.
    #[serde(default, deserialize_with = "lean")]
    pub attributes: Vec<Attribute>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

/// An attribute of a composite type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The name.
    pub name: Ident,
    /// The type, spelled in SQL.
    #[serde(rename = "type")]
    pub ty: String,
    /// A collation other than the type's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A range type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeType {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The type of its bounds, spelled in SQL.
    pub subtype: String,
    /// An operator class other than the subtype's default, `name` or `schema.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opclass: Option<String>,
    /// A collation other than the subtype's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// The function that brings ranges to their canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// The function that measures the distance of two bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtype_diff: Option<String>,
    /// The multirange type (PostgreSQL 14); absent: the name that PostgreSQL gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multirange: Option<String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

/// A collation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collation {
    /// The name.
    pub name: Ident,
    /// The schema; absent: that of the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// Who knows its rules: `libc`, the default, `icu` or `builtin` (PostgreSQL 17).
    #[serde(default, with = "provider", skip_serializing_if = "is_libc")]
    pub provider: Option<Provider>,
    /// The locale; with libc that of sorting, `LC_COLLATE`.
    pub locale: String,
    /// `LC_CTYPE`, for libc alone; absent: the locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Whether only equal bytes are equal.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub deterministic: bool,
    /// Further rules in ICU's own language (PostgreSQL 16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it is declared.
    #[serde(skip)]
    pub place: Option<String>,
}

/// How the values of a column are kept and measured. Once it is stated, what is absent has PostgreSQL's default; a column
/// without it is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Physical {
    /// `SET STORAGE`: `plain`, `external`, `main` or `extended`.
    #[serde(default, with = "storage", skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageMode>,
    /// `SET COMPRESSION` (PostgreSQL 14): `pglz` or `lz4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Ident>,
    /// `SET STATISTICS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<i64>,
    /// Attribute options, `n_distinct`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
}

fn is_libc(it: &Option<Provider>) -> bool {
    matches!(it, None | Some(Provider::Libc))
}

/// A choice among few words, in JSON by its word.
macro_rules! by_word {
    ($module:ident, $Type:ident, $($word:literal => $value:ident),*) => {
        mod $module {
            use std::borrow::Cow;

            use limbeck_schema::kinds::$Type;
            use serde::de::Error;
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            pub(super) fn serialize<S: Serializer>(it: &Option<$Type>, serializer: S) -> Result<S::Ok, S::Error> {
                let word = it.map(|it| match it { $($Type::$value => $word),* });
                word.serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<$Type>, D::Error> {
                let word = Option::<Cow<'_, str>>::deserialize(deserializer)?;
                match word.as_deref() {
                    None => Ok(None),
                    $(Some($word) => Ok(Some($Type::$value)),)*
                    Some(other) => Err(D::Error::unknown_variant(other, &[$($word),*])),
                }
            }
        }
    };
}

by_word!(provider, Provider, "libc" => Libc, "icu" => Icu, "builtin" => Builtin);
by_word!(storage, StorageMode, "plain" => Plain, "external" => External, "main" => Main, "extended" => Extended);

/// Builder methods that say one optional thing each.
macro_rules! optional {
    ($($Type:ident: $($(#[$doc:meta])* $field:ident: $Value:ty,)*;)*) => {$(
        impl $Type {
            $($(#[$doc])*
            #[must_use]
            pub fn $field(self, $field: impl Into<$Value>) -> Self {
                Self { $field: Some($field.into()), ..self }
            })*
        }
    )*};
}

optional! {
    Domain:
        /// The schema.
        schema: Ident,
        /// `DEFAULT`, an SQL expression.
        default: String,
        /// A collation other than the type's own.
        collation: String,
        /// The comment.
        comment: String,
        /// Where it is declared, for messages.
        place: String,;
    DomainCheck:
        /// The name.
        name: Ident,
        /// The comment.
        comment: String,;
    CompositeType:
        /// The schema.
        schema: Ident,
        /// The comment.
        comment: String,
        /// Where it is declared, for messages.
        place: String,;
    Attribute:
        /// A collation other than the type's own.
        collation: String,
        /// The comment.
        comment: String,;
    RangeType:
        /// The schema.
        schema: Ident,
        /// An operator class other than the subtype's default.
        opclass: String,
        /// A collation other than the subtype's own.
        collation: String,
        /// The function that brings ranges to their canonical form.
        canonical: String,
        /// The function that measures the distance of two bounds.
        subtype_diff: String,
        /// The multirange type (PostgreSQL 14).
        multirange: String,
        /// The comment.
        comment: String,
        /// Where it is declared, for messages.
        place: String,;
    Collation:
        /// The schema.
        schema: Ident,
        /// `LC_CTYPE`, for libc alone.
        ctype: String,
        /// Further rules in ICU's own language (PostgreSQL 16).
        rules: String,
        /// The comment.
        comment: String,
        /// Where it is declared, for messages.
        place: String,;
}

impl Domain {
    /// A nullable domain over a type spelled in SQL.
    pub fn new(name: impl Into<Ident>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            ty: ty.into(),
            nullable: true,
            default: None,
            collation: None,
            checks: Vec::new(),
            comment: None,
            place: None,
        }
    }

    /// `NOT NULL`.
    #[must_use]
    pub fn not_null(self) -> Self {
        Self {
            nullable: false,
            ..self
        }
    }

    /// A check constraint.
    #[must_use]
    pub fn check(mut self, check: DomainCheck) -> Self {
        self.checks.push(check);
        self
    }
}

impl DomainCheck {
    /// A condition on `VALUE`.
    pub fn new(expression: impl Into<String>) -> Self {
        Self {
            name: None,
            expression: expression.into(),
            not_valid: false,
            comment: None,
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
}

impl CompositeType {
    /// A composite type without attributes.
    pub fn new(name: impl Into<Ident>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            attributes: Vec::new(),
            comment: None,
            place: None,
        }
    }

    /// One more attribute.
    #[must_use]
    pub fn attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }
}

impl Attribute {
    /// An attribute of a type spelled in SQL.
    pub fn new(name: impl Into<Ident>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: ty.into(),
            collation: None,
            comment: None,
        }
    }
}

impl RangeType {
    /// A range type over a type spelled in SQL.
    pub fn new(name: impl Into<Ident>, subtype: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            subtype: subtype.into(),
            opclass: None,
            collation: None,
            canonical: None,
            subtype_diff: None,
            multirange: None,
            comment: None,
            place: None,
        }
    }
}

impl Collation {
    /// A collation of the operating system's.
    pub fn new(name: impl Into<Ident>, locale: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            provider: None,
            locale: locale.into(),
            ctype: None,
            deterministic: true,
            rules: None,
            comment: None,
            place: None,
        }
    }

    /// Who knows its rules.
    #[must_use]
    pub fn provider(self, provider: Provider) -> Self {
        Self {
            provider: Some(provider),
            ..self
        }
    }

    /// Texts may be equal that are not equal byte for byte.
    #[must_use]
    pub fn nondeterministic(self) -> Self {
        Self {
            deterministic: false,
            ..self
        }
    }
}
