//! What users declare: [`MetaData`] by builders, by `#[derive(Table)]` (which only calls the builders) or as JSON (the
//! builders' serde form), the naming convention, and the lowering to a [`limbeck_schema::Desired`] state.
//!
//! Nothing here does IO. The JSON form is described by `metadata.schema.json` next to this crate's manifest; its
//! version is the value of the key `limbeck`.
//!
//! # Names
//!
//! A name of a constraint or index may be left out: the naming convention then makes it, or PostgreSQL's own default
//! stands where the convention has no template for the kind. A given name is final, except where the template holds
//! `%(constraint_name)s`: there it is the value of that token, so that `"positive"` becomes `ck_account_positive`.
//! [`exact`] (in JSON `{"exact": "positive"}`) gives a name that no template touches.
//!
//! ```
//! use limbeck_metadata::{Check, Column, LowerOptions, MetaData, Table};
//!
//! let metadata = MetaData::new().table(
//!     Table::new("account")
//!         .column(Column::new("id", "bigint").identity())
//!         .column(Column::new("balance", "numeric").not_null())
//!         .primary_key(["id"])
//!         .check(Check::new("balance >= 0").name("positive")),
//! );
//! let desired = metadata.lower(&LowerOptions::default())?;
//! let keys: Vec<_> = desired.schema.iter().map(|(key, _)| key.to_string()).collect();
//! assert_eq!(
//!     keys,
//!     [
//!         "table account",
//!         "column account.balance",
//!         "column account.id",
//!         "primary key account.pk_account",
//!         "check account.ck_account_positive",
//!     ]
//! );
//! # Ok::<(), limbeck_metadata::MetaDataError>(())
//! ```

mod error;
mod json;
mod lift;
mod lower;
mod merge;
pub mod model;
mod module;
pub mod naming;
mod registry;
pub mod types;
mod variables;

pub use error::MetaDataError;
pub use lift::{LeftOut, Lifted};
pub use lower::LowerOptions;
pub use model::{
    Action, Attribute, Check, Collation, Column, CompositeType, Domain, DomainCheck, Element,
    EnumType, Exclusion, ForeignKey, GivenName, Identity, Index, Match, MetaData, Namespace, Nulls,
    Order, OwnedBy, Physical, PrimaryKey, Provider, RangeType, References, Sequence, StorageMode,
    Table, Unique, exact,
};
pub use module::Module;
pub use naming::{NamingConvention, Truncation};
pub use registry::{ColumnRef, Model, PgEnum, Registered};
pub use types::{ColumnType, TypeInfo};

/// What the derive macros name. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
