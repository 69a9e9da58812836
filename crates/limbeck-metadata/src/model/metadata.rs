//! Metadata: everything that one source declares.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::Ident;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    Collation, CompositeType, Domain, EnumType, Namespace, RangeType, Sequence, Table,
};
use crate::naming::NamingConvention;
use crate::registry::{Model, PgEnum};

/// The version of the JSON form: the number 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    /// The version that this program reads and writes.
    pub const NUMBER: u64 = 1;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self),
            other => Err(D::Error::custom(format!(
                "unknown version {other}, expected {}",
                Self::NUMBER
            ))),
        }
    }
}

/// What is left alone on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// Globs (`*`, `?`) over `table` or `schema.table`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
}

impl Ignore {
    fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

/// Everything that one source declares: tables with their parts, types, sequences, collations, schemas, and how they are
/// named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaData {
    /// The version of the JSON form.
    #[serde(rename = "limbeck")]
    pub(crate) version: Version,
    /// For editors: where the JSON Schema is. It is read and forgotten.
    #[serde(rename = "$schema", default, skip_serializing)]
    pub(crate) json_schema: Editor,
    /// The schema of everything that names none; absent: the connection's default schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// How unnamed constraints and indexes are named; absent: [`NamingConvention::limbeck`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming_convention: Option<NamingConvention>,
    /// Kinds that are managed although none may be declared (`schema`, `sequence`, `domain`, `composite type`, `range`,
    /// `collation`), in addition to tables with their parts and enum types: what is there and not declared is dropped.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub manages: BTreeSet<String>,
    /// What is left alone on both sides.
    #[serde(default, skip_serializing_if = "Ignore::is_empty")]
    pub ignore: Ignore,
    /// Variables, each with the value it has unless another one is given: see [`MetaData::variable`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// What the names of all tables begin with: see [`MetaData::table_prefix`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_prefix: Option<String>,
    /// Schemas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<Namespace>,
    /// Enum types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enums: Vec<EnumType>,
    /// Domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Domain>,
    /// Composite types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub composite_types: Vec<CompositeType>,
    /// Range types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<RangeType>,
    /// Collations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collations: Vec<Collation>,
    /// Sequences of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<Sequence>,
    /// Tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// Where it comes from, for messages.
    #[serde(skip)]
    pub place: Option<String>,
    /// Set by a merge of metadata that each name their own schema: the connection's default schema is nobody's then.
    #[serde(skip)]
    pub(crate) leaves_default_schema: bool,
}

/// A value that says nothing to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Editor;

impl<'de> Deserialize<'de> for Editor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl MetaData {
    /// Metadata that declares nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The schema of everything that names none.
    #[must_use]
    pub fn schema(self, schema: impl Into<Ident>) -> Self {
        Self {
            schema: Some(schema.into()),
            ..self
        }
    }

    /// How unnamed constraints and indexes are named.
    #[must_use]
    pub fn naming_convention(self, convention: NamingConvention) -> Self {
        Self {
            naming_convention: Some(convention),
            ..self
        }
    }

    /// Manages a kind (`sequence`, `schema`, `domain`) even if none is declared.
    #[must_use]
    pub fn manages(mut self, kind: impl Into<String>) -> Self {
        self.manages.insert(kind.into());
        self
    }

    /// Leaves tables alone on both sides; a glob over `table` or `schema.table`.
    #[must_use]
    pub fn ignore_table(mut self, glob: impl Into<String>) -> Self {
        self.ignore.tables.push(glob.into());
        self
    }

    /// One more schema.
    #[must_use]
    pub fn namespace(mut self, schema: Namespace) -> Self {
        self.schemas.push(schema);
        self
    }

    /// One more enum type; the very same one twice is one.
    #[must_use]
    pub fn enum_type(mut self, ty: EnumType) -> Self {
        self.add_enum(ty);
        self
    }

    /// One more domain.
    #[must_use]
    pub fn domain(mut self, domain: Domain) -> Self {
        self.domains.push(domain);
        self
    }

    /// One more composite type.
    #[must_use]
    pub fn composite_type(mut self, ty: CompositeType) -> Self {
        self.composite_types.push(ty);
        self
    }

    /// One more range type.
    #[must_use]
    pub fn range(mut self, ty: RangeType) -> Self {
        self.ranges.push(ty);
        self
    }

    /// One more collation.
    #[must_use]
    pub fn collation(mut self, collation: Collation) -> Self {
        self.collations.push(collation);
        self
    }

    /// One more sequence.
    #[must_use]
    pub fn sequence(mut self, sequence: Sequence) -> Self {
        self.sequences.push(sequence);
        self
    }

    /// One more table, with the enum types that its columns have by [`Column::of`](crate::Column::of).
    #[must_use]
    pub fn table(mut self, mut table: Table) -> Self {
        for ty in std::mem::take(&mut table.enum_types) {
            self.add_enum(ty);
        }
        self.tables.push(table);
        self
    }

    /// The table of a model, with the enum types of its columns.
    #[must_use]
    pub fn model<M: Model>(self) -> Self {
        self.table(M::table())
    }

    /// The type of a Rust enum.
    #[must_use]
    pub fn pg_enum<E: PgEnum>(mut self) -> Self {
        self.add_enum(E::enum_type());
        self
    }

    /// Where it comes from, for messages.
    #[must_use]
    pub fn place(self, place: impl Into<String>) -> Self {
        Self {
            place: Some(place.into()),
            ..self
        }
    }

    /// Adds an enum type unless the very same one is there: two models may use one enum.
    pub(crate) fn add_enum(&mut self, ty: EnumType) {
        if !self.enums.iter().any(|it| it.coincides(&ty)) {
            self.enums.push(ty);
        }
    }
}
