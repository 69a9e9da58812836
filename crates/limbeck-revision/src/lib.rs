//! Revision files: ids, graph, targets, format and directories.
//!
//! A revision is one SQL file with a header. This crate reads and writes such files and knows how they follow each
//! other; it runs nothing, and of SQL it knows what `limbeck-sql` does.

pub mod alembic;
pub mod directory;
pub mod error;
pub mod filename;
pub mod files;
pub mod format;
pub mod graph;
pub mod header;
pub mod ids;

pub use directory::{
    Embedded, FieldChange, LoadedHeader, Location, Missing, NewFile, RevisionDirectory,
};
pub use error::{RevisionError, SyntaxProblem};
pub use filename::FileNaming;
pub use format::{Revision, Segment, SegmentMode};
pub use header::{Checksums, Dependency, Header};
pub use ids::{IdError, RevisionId};
pub use jiff::Timestamp;
pub use limbeck_sql::{SplitError, SplitProblem, Statement, split};
