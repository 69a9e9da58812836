//! What can go wrong with a throwaway server, with the remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why a server, a database or a dump could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TestkitError {
    /// No folder with `initdb`, `pg_ctl` and `postgres` was found.
    #[error(
        "no server binaries of {wanted} found; searched {}; to install them: {install}",
        searched.join(", ")
    )]
    NoBinaries {
        /// What was looked for: `PostgreSQL` or `PostgreSQL 15`.
        wanted: String,
        /// The places that were searched, in order.
        searched: Vec<String>,
        /// The command that installs what is missing.
        install: String,
    },
    /// The folder that `LIMBECK_PG_BIN` names is not usable.
    #[error("LIMBECK_PG_BIN={}: {why}; name the folder that holds initdb, pg_ctl and postgres", dir.display())]
    BadFolder {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The process is root, PostgreSQL refuses to run as root, and no other account is at hand.
    #[error(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as"
    )]
    NoAccount,
    /// A file or folder of the cluster could not be made, read or changed.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// The step, as an infinitive: `create`, `read`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("cannot run {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program's name.
        program: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The server ended, or did not become ready in time.
    #[error("the PostgreSQL server {what}; its log ends: {log}")]
    NotReady {
        /// `ended while starting` or `did not become ready in time`.
        what: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// `LIMBECK_TEST_URL` is not a PostgreSQL URL. The text itself is left out, since it may hold a password.
    #[error("the server URL is not of the form postgresql://user@host:port/database")]
    Url {
        /// What the parser says.
        source: sqlx::Error,
    },
    /// The server refused a statement of the testkit.
    #[error("cannot {doing}")]
    Sql {
        /// The step and the object: `create database "x"`.
        doing: String,
        /// The server's answer.
        source: sqlx::Error,
    },
    /// No `pg_dump` was found; embedded builds of the server come without it.
    #[error(
        "no pg_dump found in PATH or beside the server binaries; install it, on Debian: apt-get install -y postgresql-client"
    )]
    NoPgDump,
}

impl TestkitError {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }

    pub(crate) fn spawn(program: &Path) -> impl FnOnce(io::Error) -> Self {
        let program = program.to_path_buf();
        move |source| Self::Spawn { program, source }
    }

    pub(crate) fn sql(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Sql { doing, source }
    }

    /// The error with all its causes on one line.
    #[must_use]
    pub fn full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(it) = cause {
            text = format!("{text}: {it}");
            cause = it.source();
        }
        text
    }
}

/// The last `n` lines of `text`, joined by ` | ` so that an error stays one line.
pub(crate) fn tail(text: &str, n: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(n)..].join(" | ")
}
