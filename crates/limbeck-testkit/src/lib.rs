//! Throwaway PostgreSQL clusters and databases, for tests, for the demo and for scratch databases.
//!
//! - [`Binaries`] finds the server programs of this machine.
//! - [`Cluster`] runs a server of its own on them, in a temporary folder, and leaves nothing behind, not even when the
//!   process that started it is killed.
//! - [`cluster()`] is the one server of a test process, or the one that a whole test run shares.
//! - [`TestDb`] is a database of its own for one test.
//! - [`pg_dump()`] and [`dump_objects()`] are the outside observer: PostgreSQL's own account of a database, free of order.
//!
//! ```no_run
//! # async fn example() -> Result<(), sqlx::Error> {
//! let db = limbeck_testkit::TestDb::create("accounts").await;
//! sqlx::raw_sql("CREATE TABLE account (id bigint PRIMARY KEY)").execute(db.pool()).await?;
//! let dump = limbeck_testkit::pg_dump(db.url()).expect("pg_dump reads the database");
//! assert!(limbeck_testkit::dump_objects(&dump).iter().any(|object| object.contains("CREATE TABLE public.account")));
//! # Ok(())
//! # }
//! ```

mod account;
mod binaries;
mod cluster;
mod database;
mod dump;
mod error;
mod keeper;
mod leftovers;

pub use binaries::Binaries;
pub use cluster::{Cluster, TEST_URL, cluster, try_cluster};
pub use database::TestDb;
pub use dump::{dump_objects, pg_dump, pg_dump_rows, psql};
pub use error::TestkitError;
