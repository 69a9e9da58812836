//! The kinds of objects: one file each, and one line each in the registry below.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::expr::ExprSlot;
use crate::facts::{Facts, Holder};
use crate::key::Key;
use crate::op::Verdict;
use crate::own_sql;
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::sql_type::SqlType;
use crate::statement::Script;

mod cast;
mod check;
mod collation;
mod column;
mod comment;
mod composite_type;
mod constraint;
mod domain;
mod domain_check;
mod element;
mod enum_type;
mod exclusion;
mod foreign_key;
mod identity;
mod index;
mod inheritance;
mod inherited_column;
mod kind;
mod loss;
mod named;
mod namespace;
mod not_null;
mod parameters;
mod physical;
mod primary_key;
mod range;
mod registry;
mod retype;
mod sequence;
mod sequence_owner;
mod table;
mod unique;
mod usage;

pub use constraint::{Deferral, KeyIndex};
pub use element::{Defaults, Element, ElementKey, Nulls, Order};
pub use kind::{
    Context, Difference, Event, Kind, Reaction, Replacement, Shown, Since, Slot, Stage,
};
pub use named::{NameVisitor, Named, default_name};
pub use not_null::NotNull;
pub use parameters::Parameters;
use registry::kinds;

kinds! {
    namespace::Namespace = "schema",
    collation::Collation = "collation",
    enum_type::EnumType = "enum",
    domain::Domain = "domain",
    domain_check::DomainCheck = "domain check",
    composite_type::CompositeType = "composite type",
    range::Range = "range",
    sequence::Sequence = "sequence",
    table::Table = "table",
    column::Column = "column",
    inherited_column::InheritedColumn = "inherited column",
    sequence_owner::SequenceOwner = "sequence owner",
    primary_key::PrimaryKey = "primary key",
    unique::Unique = "unique",
    check::Check = "check",
    exclusion::Exclusion = "exclusion",
    index::Index = "index",
    foreign_key::ForeignKey = "foreign key",
    comment::Comment = "comment",
}

impl KindTag {
    /// The kinds that columns can be of.
    pub const TYPES: &[Self] = &{
        let mut types = [Self::ALL[0]; N_TYPES];
        let (mut at, mut found) = (0, 0);
        while at < Self::ALL.len() {
            if Self::ALL[at].is_type() {
                types[found] = Self::ALL[at];
                found += 1;
            }
            at += 1;
        }
        types
    };

    /// The kind of this name, as `name` gives it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }
}

const N_TYPES: usize = {
    let (mut at, mut found) = (0, 0);
    while at < KindTag::ALL.len() {
        if KindTag::ALL[at].is_type() {
            found += 1;
        }
        at += 1;
    }
    found
};

impl fmt::Display for KindTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for KindTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Object {
    /// Judges two states of one object.
    pub fn verdict(current: &Self, desired: &Self) -> Verdict {
        Self::compare(current, desired).verdict()
    }

    /// What differs, a phrase each.
    pub fn changes(current: &Self, desired: &Self) -> Vec<String> {
        Self::compare(current, desired).changes
    }

    /// Whether both are equal but for their names.
    pub fn same_but_name(&self, other: &Self) -> bool {
        self.kind() == other.kind()
            && Self::compare(&self.with_key(&other.key()), other) == Difference::default()
    }
}

pub use collation::Provider;
pub use composite_type::Attribute;
pub use exclusion::Excluded;
pub use foreign_key::{Action, References};
pub use identity::Identity;
pub use inheritance::{align, default_of, has_inheritance, is_not_null};
pub use inherited_column::OwnDefault;
pub use physical::{Physical, StorageMode};
pub use retype::questions;
pub use sequence::SequenceOptions;
pub use table::columns_of;
pub use usage::{operands_of, type_owner};

/// The setting that holds the objects of one catalog that belong to extensions, as an `oid[]`. Asking `pg_depend` once
/// for all of them is cheaper than asking it in every statement; without the setting nothing is left out.
fn extension_setting(class: &str) -> String {
    format!("limbeck.{class}")
}

/// The statement that puts the objects of extensions into settings of the transaction, before the kinds are read.
pub fn extension_objects_sql() -> String {
    let classes = ["pg_class", "pg_type", "pg_namespace", "pg_collation"];
    let each: Vec<String> = classes
        .iter()
        .map(|it| {
            format!(
                "set_config('{}', coalesce((SELECT array_agg(objid)::text FROM pg_depend WHERE classid = '{it}'::regclass AND \
                 deptype = 'e'), '{{}}'), true)",
                extension_setting(it)
            )
        })
        .collect();
    format!("SELECT {}", each.join(", "))
}

/// What every catalog statement leaves out: PostgreSQL's own schemas and what belongs to an extension.
/// `n` is the alias of `pg_namespace`, `class` the catalog of the object and `oid` its column. With it comes the path by
/// which names are printed ([`own_sql::PRINTS`]).
pub(crate) fn user_objects(class: &str, oid: &str) -> String {
    let setting = extension_setting(class);
    format!(
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND {oid} <> ALL ((SELECT \
         coalesce(nullif(current_setting('{setting}', true), ''), '{{}}')::oid[])::oid[]) AND {}",
        own_sql::PRINTS
    )
}
