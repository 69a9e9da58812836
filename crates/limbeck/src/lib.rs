//! Schema migrations for PostgreSQL: models in, reviewed and proven revisions out.
//!
//! Declare tables as Rust structs, or by builders, or as JSON that another language wrote; Limbeck compares them with a
//! live database and writes the revision that leads from one to the other, and back.
//!
//! ```
//! use limbeck::{LowerOptions, MetaData, PgEnum, Table};
//!
//! #[derive(PgEnum)]
//! enum Status {
//!     Invited,
//!     SignedUp,
//! }
//!
//! #[derive(Table)]
//! struct Organization {
//!     #[column(primary_key, identity)]
//!     id: i64,
//!     name: String,
//! }
//!
//! #[derive(Table)]
//! #[table(comment = "people who can sign in")]
//! struct Account {
//!     #[column(primary_key, identity)]
//!     id: i64,
//!     #[column(unique, length = 255)]
//!     email: String,
//!     #[column(references = Organization::id, on_delete = cascade, index)]
//!     organization_id: i64,
//!     #[column(check(name = "positive", "balance >= 0"), default = "0")]
//!     balance: i64,
//!     status: Status,
//!     note: Option<String>,
//! }
//!
//! // Every model of the binary; `MetaData::new().model::<Account>()` picks them one by one.
//! let metadata = MetaData::registered();
//! let desired = metadata.lower(&LowerOptions::default())?;
//! let keys: Vec<String> = desired.schema.iter().map(|(key, _)| key.to_string()).collect();
//! for key in [
//!     "enum status",
//!     "primary key account.pk_account",
//!     "unique account.uq_account_email",
//!     "check account.ck_account_positive",
//!     "index account.ix_account_organization_id",
//!     "foreign key account.fk_account_organization_id_organization",
//!     "comment on table account",
//! ] {
//!     assert!(keys.contains(&key.to_owned()), "{key} is none of {keys:#?}");
//! }
//! # Ok::<(), limbeck::MetaDataError>(())
//! ```
//!
//! # Three forms, one meaning
//!
//! What `#[derive(Table)]` says, the builders say too ([`struct@Table`], [`Column`], [`ForeignKey`], …): the derive only calls
//! them. JSON metadata is the builders' serde form ([`MetaData::from_json`], [`MetaData::to_json`]). Several modules'
//! metadata become one with [`MetaData::merge`].
//!
//! # Modules
//!
//! A crate that brings models and revisions to several programs registers both by [`module!`]. A program that links such
//! crates and calls `limbeck::cli::run_modules()` upgrades them all, in the order of their dependencies.
//!
//! # Features
//!
//! None is on by default, and a crate that only declares models compiles no database driver. `chrono`, `time`, `uuid`,
//! `rust_decimal`, `bigdecimal`, `json` (`serde_json::Value`) and `ipnetwork` teach the SQL types of those crates' types;
//! `sqlx` those of sqlx (`PgRange`, `PgInterval`, `Json`). `#[column(sql_type = "…")]` is for any other.
//!
//! `compare` brings `compare_metadata` and `assert_no_drift!`, `cli` the command line to embed (`limbeck::cli::run`).

#[cfg(feature = "compare")]
mod drift;
mod module;

pub use limbeck_derive::{PgEnum, Table};
pub use limbeck_metadata::{
    Action, Attribute, Check, Collation, Column, ColumnRef, ColumnType, CompositeType, Domain,
    DomainCheck, Element, EnumType, Exclusion, ForeignKey, GivenName, Identity, Index,
    LowerOptions, Match, MetaData, MetaDataError, Model, Module, Namespace, NamingConvention,
    Nulls, Order, OwnedBy, PgEnum, Physical, PrimaryKey, Provider, RangeType, References,
    Registered, Sequence, StorageMode, Table, Truncation, TypeInfo, Unique, exact, types,
};

#[cfg(feature = "cli")]
pub use limbeck_cli as cli;
#[cfg(feature = "compare")]
pub use {
    drift::differences,
    limbeck_catalog::{self as catalog, CompareError, compare_metadata},
};

/// What the macros name. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use limbeck_derive::revision_files;
    pub use limbeck_metadata::__private::*;
}
