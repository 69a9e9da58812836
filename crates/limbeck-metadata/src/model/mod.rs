//! The declared model: plain data whose serde form is the JSON metadata, with builder methods.
//!
//! Names are as PostgreSQL stores them (unquoted, case kept); types, collations, operator classes and expressions are
//! SQL text. A builder method and a JSON key of one name say the same thing.

mod column;
mod constraint;
mod element;
mod foreign_key;
mod index;
mod metadata;
mod name;
mod objects;
mod table;
pub(crate) mod texts;
mod types;

pub use column::{Column, Identity};
pub use constraint::{Check, Exclusion, PrimaryKey, Unique};
pub use element::{Element, Nulls, Order};
pub use foreign_key::{Action, ForeignKey, Match, References};
pub use index::Index;
pub use metadata::{Ignore, MetaData, Version};
pub use name::{GivenName, exact};
pub use objects::{EnumType, Namespace, OwnedBy, Sequence};
pub use table::Table;
pub use types::{
    Attribute, Collation, CompositeType, Domain, DomainCheck, Physical, Provider, RangeType,
    StorageMode,
};

use limbeck_schema::Ident;
use serde::{Deserialize, Deserializer};

/// Names from whatever names are at hand.
pub(crate) fn idents<I>(names: I) -> Vec<Ident>
where
    I: IntoIterator,
    I::Item: Into<Ident>,
{
    names.into_iter().map(Into::into).collect()
}

pub(crate) fn is_false(it: &bool) -> bool {
    !it
}

pub(crate) fn is_true(it: &bool) -> bool {
    *it
}

pub(crate) fn yes() -> bool {
    true
}

/// Reads a list without spare room: most lists have one or two items, and there are many of them.
pub(crate) fn lean<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::deserialize(deserializer)?;
    list.shrink_to_fit();
    Ok(list)
}
