//! Runs revisions: version table, log, advisory lock, segments, and going on where a run was stopped.
//!
//! ```no_run
//! # async fn example(conn: sqlx::PgConnection) -> Result<(), limbeck_runner::RunnerError> {
//! use limbeck_revision::Location;
//! use limbeck_runner::{History, Runner, RunnerOptions};
//!
//! let location = Location { path: "revisions".into(), recursive: false, branch: None };
//! let history = History::load(&[location])?;
//! let mut runner = Runner::new(conn, RunnerOptions::default()).await?;
//! runner.upgrade(&history, "heads", &mut |event| println!("{}", event.line())).await?;
//! # Ok(())
//! # }
//! ```

mod apply;
mod dry_run;
mod error;
mod extension;
mod history;
mod journal;
mod keep;
mod load;
mod lock;
mod options;
mod outside;
mod own_tables;
mod progress;
mod proof;
mod rebuild;
mod replay;
mod row_security;
mod runner;
mod scratch;
mod script;
mod seed;
mod session;
mod sql_files;
mod squash;
mod stamp;
mod statement;
mod tables;
mod take_up;
mod trial;
mod work;

pub use dry_run::{Planned, PlannedSegment};
pub use error::{HalfDone, Place, Reached, RunnerError, ServerError};
pub use extension::NoExtension;
pub use history::History;
pub use journal::{Current, Entry};
pub use load::{LoadError, Spot, load};
pub use lock::Holder;
pub use options::{Answer, LOG_TABLE, LONGEST_PAUSE, RunnerOptions, Transactions, VERSION_TABLE};
pub use progress::{Event, Progress};
pub use proof::{Claim, Proof, prove, verify};
pub use rebuild::Rebuild;
pub use replay::check_replay;
pub use runner::Runner;
pub use scratch::{
    Embedded, Rights, SCRATCH_PREFIX, STATEMENT_TIMEOUT, Scratch, ScratchError, ScratchOptions,
    execute, left_behind,
};
pub use script::{script, version_table_script};
pub use session::Canceller;
pub use sql_files::sql_files;
pub use squash::{SquashClaim, prove_squash, same_rows};
