//! The live side: a PostgreSQL catalog read in one snapshot, declared expressions judged by the server, and the
//! comparison of both.
//!
//! ```no_run
//! # async fn example(metadata: limbeck_metadata::MetaData) -> Result<(), Box<dyn std::error::Error>> {
//! let mut conn = limbeck_catalog::connect("postgresql://localhost/app").await?;
//! for op in limbeck_catalog::compare_metadata(&mut conn, &metadata).await? {
//!     println!("{op}");
//! }
//! # Ok(())
//! # }
//! ```

mod attached;
mod canonical;
mod compare;
mod connection;
mod error;
mod extension;
mod facts;
mod ignore;
mod judge;
mod own;
mod read;
mod row;
pub mod sea;
mod strangers;
mod unmanaged;
mod unresolved;

pub use attached::{Attached, attached};
pub use compare::{
    CompareOptions, Comparison, compare, compare_desired, compare_loaded, compare_metadata,
};
pub use connection::connect;
pub use error::{CatalogError, CompareError, answer};
pub use extension::needing;
pub use facts::read_facts;
pub use ignore::{Ignore, IgnoreError, IgnoreRule};
pub use own::{own_row, own_rows};
pub use read::{Catalog, ReadOptions};
pub use unmanaged::{Extension, Unmanaged};
pub use unresolved::Unresolved;
