//! What can stop a run, with where the database stands then.

use std::fmt::{self, Display};
use std::path::PathBuf;

use limbeck_revision::graph::{Direction, GraphError};
use limbeck_schema::Name;
use sqlx::postgres::PgDatabaseError;

use crate::extension::NoExtension;
use crate::lock::Holder;
use crate::scratch::Scratch;

/// The word for a direction in the log, in messages and on the command line.
pub(crate) fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Upgrade => "upgrade",
        Direction::Downgrade => "downgrade",
        Direction::Stamp => "stamp",
    }
}

/// A statement of a revision, as a person finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The revision's id.
    pub revision: String,
    /// Which way it ran.
    pub direction: Direction,
    /// Its file.
    pub path: PathBuf,
    /// The line of the statement in the file, from 1.
    pub line: usize,
    /// The statement's beginning, on one line.
    pub statement: String,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            revision,
            direction,
            path,
            line,
            statement,
        } = self;
        write!(
            f,
            "{} of revision {revision} at {}:{line}, statement `{statement}`",
            word(*direction),
            path.display()
        )
    }
}

/// What the server answered, free of the driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ServerError {
    /// The SQLSTATE (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
    pub code: String,
    /// The primary message.
    pub message: String,
    /// The detail.
    pub detail: Option<String>,
    /// The hint.
    pub hint: Option<String>,
    /// Where in the statement's text, in characters from 1.
    pub position: Option<usize>,
}

impl Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", one_line(&self.message), self.code)?;
        if let Some(detail) = &self.detail {
            write!(f, "; detail: {}", one_line(detail))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; hint: {}", one_line(hint))?;
        }
        Ok(())
    }
}

impl ServerError {
    /// The server's answer in a driver's error, if it is one.
    pub(crate) fn of(error: &sqlx::Error) -> Option<Self> {
        let it = error
            .as_database_error()?
            .try_downcast_ref::<PgDatabaseError>()?;
        let position = match it.position() {
            Some(sqlx::postgres::PgErrorPosition::Original(at)) => Some(at),
            Some(sqlx::postgres::PgErrorPosition::Internal { .. }) | None => None,
        };
        Some(Self {
            code: it.code().to_owned(),
            message: it.message().to_owned(),
            detail: it.detail().map(str::to_owned),
            hint: it.hint().map(str::to_owned),
            position,
        })
    }

    /// Whether the server ends the connection with this: class 08 (connection exception), and 57P01 to 57P03
    /// (shutdown by an administrator or a crash).
    fn ends_connection(&self) -> bool {
        self.code.starts_with("08") || matches!(self.code.as_str(), "57P01" | "57P02" | "57P03")
    }
}

/// Where a segment that did not finish stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfDone {
    /// The revision's id.
    pub revision: String,
    /// Which way it ran.
    pub direction: Direction,
    /// The first segment that is not finished, from 1.
    pub segment: usize,
    /// How many segments there are.
    pub segments: usize,
    /// In a segment outside a transaction: the statement at which the run stopped, from 1.
    pub statement: Option<usize>,
    /// How far that statement came.
    pub reached: Reached,
}

/// How far a statement outside a transaction came before its run stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was not begun, or it is rolled back.
    NotBegun,
    /// It was sent to the server, and the log does not say how it ended.
    UnderWay {
        /// The state of the catalog before it, as [`crate::take_up`] reads it.
        before: Option<String>,
    },
    /// It failed.
    Failed {
        /// The server's answer.
        error: String,
        /// The state of the catalog before it, if it was run outside a transaction.
        before: Option<String>,
    },
}

/// The word of the log for a statement that is next in its segment.
const NOT_BEGUN: &str = "not begun";
/// The word of the log for a statement that was sent to the server outside a transaction.
const UNDER_WAY: &str = "under way";
/// In the log, the state of the catalog before a statement that was run outside a transaction follows these words.
const BEFORE: &str = "; before it: ";

impl Reached {
    /// Reads the column `error` of an unfinished row of the log. Limbeck 0.1 left it empty for a statement under way.
    pub(crate) fn read(error: Option<&str>) -> Self {
        let Some(error) = error else {
            return Self::UnderWay { before: None };
        };
        let (said, before) = match error.rsplit_once(BEFORE) {
            Some((said, before)) => (said, Some(before.to_owned())),
            None => (error, None),
        };
        match said {
            NOT_BEGUN => Self::NotBegun,
            UNDER_WAY => Self::UnderWay { before },
            _ => Self::Failed {
                error: said.to_owned(),
                before,
            },
        }
    }

    /// The text for the column `error` of the log.
    pub(crate) fn text(&self) -> String {
        let (said, before) = match self {
            Self::NotBegun => (NOT_BEGUN, &None),
            Self::UnderWay { before } => (UNDER_WAY, before),
            Self::Failed { error, before } => (error.as_str(), before),
        };
        match before {
            Some(before) => format!("{said}{BEFORE}{before}"),
            None => said.to_owned(),
        }
    }
}

impl Display for HalfDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            revision,
            direction,
            segment,
            segments,
            statement,
            reached,
        } = self;
        write!(
            f,
            "the {} of revision {revision} stopped in segment {segment} of {segments}",
            word(*direction)
        )?;
        let Some(statement) = statement else {
            return Ok(());
        };
        match reached {
            Reached::NotBegun => write!(f, " before its statement {statement}"),
            Reached::UnderWay { .. } => {
                write!(f, " while its statement {statement} was under way")
            }
            Reached::Failed { error, .. } => {
                write!(f, " at its statement {statement} ({})", one_line(error))
            }
        }
    }
}

/// Why a run ended before its target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// A revision with a segment outside of transactions, where it is to be in one.
    #[error(
        "revision {revision} cannot run in one transaction, for it has a segment outside of any ({}); run up to it, and it \
         by itself with --transaction segment", .path.display()
    )]
    Segments {
        /// The revision.
        revision: String,
        /// Its file.
        path: PathBuf,
    },
    /// A revision file cannot be read.
    #[error(transparent)]
    Revision(#[from] limbeck_revision::RevisionError),
    /// A variable in a revision's SQL cannot be replaced by its value.
    #[error("revision {revision} at {}:{line}: {problem}", .path.display())]
    Variable {
        /// The revision.
        revision: String,
        /// Its file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong with the variable, and the remedy.
        problem: limbeck_schema::variables::VariableError,
    },
    /// The history does not allow what was asked for: unknown or ambiguous target, missing parent.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A statement of Limbeck's own failed.
    #[error("cannot {doing}")]
    Own {
        /// The step and the object: `read the version table limbeck_version`.
        doing: String,
        /// The server's answer.
        source: Box<ServerError>,
    },
    /// The driver failed, not the server.
    #[error("cannot {doing}")]
    Driver {
        /// The step and the object.
        doing: String,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The connection has no default schema.
    #[error(
        "no schema of the search_path exists, so the version table has no place; create the schema, or name one as \
         version_table.schema"
    )]
    NoSchema,
    /// One of Limbeck's tables is not as Limbeck creates it, so that using it would run another role's code.
    #[error(
        "the table {table} {trouble}, so that using it could run that role's code; drop what was added to it, give it to the \
         role that runs Limbeck, or name another table as version_table"
    )]
    Stranger {
        /// The table.
        table: Name,
        /// What is wrong with it, as a verb and its objects.
        trouble: String,
    },
    /// A statement of a revision failed.
    #[error("{place} failed: {answer}; {state}")]
    Failed {
        /// The statement.
        place: Box<Place>,
        /// The server's answer.
        answer: Box<ServerError>,
        /// Where the database stands.
        state: String,
    },
    /// A statement of a revision creates an extension that the server of the scratch database has not.
    #[error("{place} failed: {extension}")]
    Extension {
        /// The statement.
        place: Box<Place>,
        /// The extension and the server.
        extension: Box<NoExtension>,
    },
    /// A lock was not to be had in any try.
    #[error(
        "{place} got no lock in {tries} {} ({answer}); {state}; see who holds it in pg_locks, raise lock_timeout \
         (--lock-timeout) or lock_tries, or run again later", if *.tries == 1 { "try" } else { "tries" }
    )]
    Locked {
        /// The statement.
        place: Box<Place>,
        /// How often it was tried.
        tries: u32,
        /// The server's last answer.
        answer: Box<ServerError>,
        /// Where the database stands.
        state: String,
    },
    /// The connection was lost.
    #[error(
        "the connection was lost {during} ({reason}); {state}: see where the database is with `limbeck current`, then run \
         the same command again, it goes on from there"
    )]
    ConnectionLost {
        /// The statement or step that was under way.
        during: String,
        /// The driver's or the server's words.
        reason: String,
        /// What is known of the database, and what is not.
        state: String,
    },
    /// The run was given up while the server had not answered.
    #[error(
        "cancelled {during}, and the server did not answer: its connection is closed, and it is not known whether that \
         was done; PostgreSQL rolls back what was not committed once it notices: see where the database is with `limbeck \
         current`, then run the same command again, it goes on from there"
    )]
    Left {
        /// The statement or step that was under way.
        during: String,
    },
    /// Another run has the lock.
    #[error(
        "another run has the lock of the version table {table}: {}; {}; when nothing runs there any more, end it with \
         `SELECT pg_terminate_backend({})`", holder_text(.holder.as_deref()), waited_text(*.waited),
        .holder.as_ref().map_or_else(|| "PID".to_owned(), |it| it.pid.to_string())
    )]
    Busy {
        /// The version table.
        table: Name,
        /// The session that has the lock, unless it has just ended.
        holder: Option<Box<Holder>>,
        /// How long this run waited for it.
        waited: std::time::Duration,
    },
    /// The connection does not stay with one server process.
    #[error(
        "the connection goes through a pooler that shares server connections between transactions ({found}), so neither \
         the lock nor the settings of a run can be kept; connect to PostgreSQL itself, or to a pool in session mode \
         (pgbouncer: pool_mode = session)"
    )]
    Pooled {
        /// How that was found out.
        found: String,
    },
    /// A statement was under way outside a transaction, and nothing tells whether it was done.
    #[error(
        "{half_done}, and nothing tells whether `{}` at {}:{} was done, or how much of it; look at what it changes, then \
         run the same command again with --resume done (it was), --resume again (run it again) or --resume skip (leave it \
         out)", .place.statement, .place.path.display(), .place.line
    )]
    Unknown {
        /// Where the run stopped.
        half_done: Box<HalfDone>,
        /// The statement.
        place: Box<Place>,
    },
    /// There is an answer, and no statement that it would be about.
    #[error(
        "no run was broken off at a statement outside a transaction, so there is nothing for --resume to answer; leave \
         it out"
    )]
    NothingToResume,
    /// The log says that revisions are applied, and the version table is not there.
    #[error(
        "the version table {version} is not there, and the log table {log} says that revisions were run, {last} last; bring \
         the version table back from a backup, or find the revision with `limbeck locate` and write it with `limbeck stamp \
         REVISION`; `limbeck stamp base` begins anew"
    )]
    NoVersionTable {
        /// The version table.
        version: Name,
        /// The log table.
        log: Name,
        /// The last revision of the log.
        last: String,
    },
    /// The user ended the run.
    #[error("cancelled {during}; {state}")]
    Cancelled {
        /// The statement or step that was under way.
        during: String,
        /// Where the database stands.
        state: String,
    },
    /// The rows of the version table are not what the run left there.
    #[error(
        "the version table {table} changed meanwhile: {what} when revision {revision} is done, and the server found \
         {found} such rows, not one; see `limbeck current`"
    )]
    Rows {
        /// The version table.
        table: Name,
        /// The change that met no row.
        what: String,
        /// The revision.
        revision: String,
        /// How many rows the server found.
        found: u64,
    },
    /// A row of the version table is no revision id.
    #[error(
        "the version table {table} holds {text:?}, which is no revision id; repair it with `limbeck stamp --purge`"
    )]
    Row {
        /// The version table.
        table: Name,
        /// The row.
        text: String,
    },
    /// A revision was left half done, and the run asked for would not finish it.
    #[error(
        "{0}; finish it with `limbeck {to}`, or undo it by hand and say where the database stands with `limbeck stamp`",
        to = finish(.0)
    )]
    HalfDone(Box<HalfDone>),
    /// A revision was left half done, and its file has other segments now.
    #[error(
        "{half_done}, and its file now has {found} segments; put back the file as it was, or finish by hand and say \
         where the database stands with `limbeck stamp`"
    )]
    Rearranged {
        /// Where it stands.
        half_done: Box<HalfDone>,
        /// How many segments the file has.
        found: usize,
    },
    /// A revision was left half done, and a squash replaced its file since.
    #[error(
        "{half_done}, and the squashed revision {by} replaced its file since; finish it with the files from before the \
         squash, which version control has, then take the squash"
    )]
    HalfReplaced {
        /// Where it stands.
        half_done: Box<HalfDone>,
        /// The revision that does its work now.
        by: String,
    },
    /// A revision states hazards, and the run was told to refuse such ones.
    #[error(
        "the {} of revision {revision} states hazards ({}); read the lines `-- hazard` in {}, then run again \
         with --accept-hazards", word(*.direction), .kinds.join(", "), .path.display()
    )]
    Hazards {
        /// The revision's id.
        revision: String,
        /// Which way it would run.
        direction: Direction,
        /// Their names.
        kinds: Vec<String>,
        /// The file.
        path: PathBuf,
    },
    /// A revision that is run in a scratch database reaches beyond it.
    #[error(
        "{place} {what}, which dropping a scratch database does not undo; do it on the server first, and in the revision \
         only where it is not there yet, in a DO block"
    )]
    ClusterWide {
        /// The statement.
        place: Box<Place>,
        /// What it does.
        what: String,
    },
    /// A revision begins or ends a transaction itself.
    #[error("{place} {problem}")]
    Control {
        /// The statement.
        place: Box<Place>,
        /// What is wrong with it, and the remedy.
        problem: &'static str,
    },
}

/// What becomes of a transaction whose connection is lost before it was to be committed.
pub(crate) const ROLLS_BACK: &str = "PostgreSQL rolls back what was not committed";

fn holder_text(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "a session that has ended meanwhile".to_owned(),
        ToString::to_string,
    )
}

fn waited_text(waited: std::time::Duration) -> String {
    match waited.is_zero() {
        true => "nothing was run, without waiting for it".to_owned(),
        false => format!(
            "nothing was run, after waiting {:.1} s for it (--lock-wait)",
            waited.as_secs_f64()
        ),
    }
}

fn finish(half_done: &HalfDone) -> String {
    match half_done.direction {
        // A downgrade is named by where it leads, not by what it undoes.
        Direction::Downgrade => "downgrade -1".to_owned(),
        Direction::Upgrade | Direction::Stamp => format!("upgrade {}", half_done.revision),
    }
}

impl RunnerError {
    /// The error of a statement of Limbeck's own.
    pub(crate) fn own(doing: impl Into<String>, error: sqlx::Error) -> Self {
        let doing = doing.into();
        if let Some(reason) = lost(&error) {
            return Self::ConnectionLost {
                during: format!("while the runner wanted to {doing}"),
                reason,
                state: ROLLS_BACK.to_owned(),
            };
        }
        match ServerError::of(&error) {
            Some(source) => Self::Own {
                doing,
                source: Box::new(source),
            },
            None => Self::Driver {
                doing,
                source: error,
            },
        }
    }

    /// The same error of a run in a scratch database, where an extension that its server lacks gets a message of its own.
    #[must_use]
    pub fn in_scratch(self, scratch: &Scratch) -> Self {
        match self {
            Self::Failed {
                place,
                answer,
                state,
            } => match NoExtension::of(&place.statement, &answer, scratch) {
                Some(extension) => Self::Extension {
                    place,
                    extension: Box::new(extension),
                },
                None => Self::Failed {
                    place,
                    answer: Box::new(scratch.explain(*answer)),
                    state,
                },
            },
            other => other,
        }
    }

    /// Whether the user ended the run.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. } | Self::Left { .. })
    }
}

/// If the connection is gone: what was said last.
pub(crate) fn lost(error: &sqlx::Error) -> Option<String> {
    if let Some(it) = ServerError::of(error) {
        return it.ends_connection().then(|| it.to_string());
    }
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            Some(one_line(&error.to_string()))
        }
        _ => None,
    }
}

/// A text with its line ends and runs of white space made single spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_statement_is_one_line_with_its_place_and_the_state() {
        let error = RunnerError::Failed {
            place: Box::new(Place {
                revision: "9e31".into(),
                direction: Direction::Upgrade,
                path: "revisions/9e31_x.sql".into(),
                line: 12,
                statement: "DROP TABLE a".into(),
            }),
            answer: Box::new(ServerError {
                code: "42P01".into(),
                message: "table \"a\" does not exist".into(),
                detail: None,
                hint: Some("look\n  again".into()),
                position: None,
            }),
            state: "the database is as before revision 9e31".into(),
        };
        assert_eq!(
            error.to_string(),
            "upgrade of revision 9e31 at revisions/9e31_x.sql:12, statement `DROP TABLE a` failed: table \"a\" does not \
             exist (SQLSTATE 42P01); hint: look again; the database is as before revision 9e31"
        );
    }
}
