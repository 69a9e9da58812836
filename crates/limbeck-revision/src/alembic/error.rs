//! What can go wrong with Alembic's files and scripts.

use std::io;
use std::path::PathBuf;

use limbeck_sql::SplitProblem;

use crate::ids::{IdError, RevisionId};

/// An error of reading what Alembic wrote. Each message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A folder or a file cannot be read.
    #[error("cannot read {}; name the folder with Alembic's revision files", .path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A folder holds nothing of Alembic's.
    #[error("the folder {} holds no revisions of Alembic's (.py files); name the versions folder", .path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A Python file of a versions folder is no revision.
    #[error("{} is not a revision of Alembic's: no `revision = \"…\"` at its outermost level; move the file elsewhere", .path.display())]
    NoRevision {
        /// The file.
        path: PathBuf,
    },
    /// A header cannot be read without running it.
    #[error("{}:{line}: {problem}", .path.display())]
    Python {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, and the remedy.
        problem: String,
    },
    /// A name that Limbeck cannot take over.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A script cannot be cut into statements.
    #[error("{script}:{line}: {problem}")]
    Script {
        /// The script.
        script: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: SplitProblem,
    },
    /// Two scripts disagree.
    #[error(
        "{script}:{line}: revision {revision} has other SQL for its {section} here than before; pass one script of it only"
    )]
    Twice {
        /// The later script.
        script: String,
        /// The line, counted from 1.
        line: usize,
        /// The revision.
        revision: RevisionId,
        /// `upgrade` or `downgrade`.
        section: &'static str,
    },
}
