//! What a run says while it works.

use std::time::Duration;

use limbeck_revision::RevisionId;
use limbeck_revision::graph::Direction;

use crate::error::{one_line, word};
use crate::lock::Holder;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another run has the lock, and this one waits for it.
    Waiting {
        /// The session that has the lock, unless it has just ended.
        holder: Option<&'a Holder>,
    },
    /// A revision begins. [`Event::line`] prints it as Alembic does.
    Running {
        /// Which way.
        direction: Direction,
        /// The revision.
        revision: &'a RevisionId,
        /// The revisions that the step starts from; none at the base.
        from: &'a [RevisionId],
        /// The revisions that the step leads to; none at the base.
        to: &'a [RevisionId],
        /// The first line of its message.
        doc: &'a str,
    },
    /// A statement begins. [`Event::line`] prints it for a line that the next one takes the place of.
    Statement {
        /// The revision.
        revision: &'a RevisionId,
        /// Which revision of the run it is, from 1.
        at: usize,
        /// How many there are.
        of: usize,
        /// Which statement of its segment, from 1.
        statement: usize,
        /// How many the segment has.
        statements: usize,
        /// The SQL.
        sql: &'a str,
    },
    /// A revision goes on where an earlier run stopped.
    Resuming {
        /// The revision.
        revision: &'a RevisionId,
        /// The first segment to run, from 1.
        segment: usize,
        /// How many there are.
        segments: usize,
        /// The statement of that segment to go on with, from 1, where it is outside of transactions.
        statement: Option<usize>,
    },
    /// A lock was not to be had; the transaction is tried again after a pause.
    Retry {
        /// The revision.
        revision: &'a RevisionId,
        /// How often it was tried.
        tries: u32,
        /// How often it will be tried at most.
        most: u32,
        /// The pause.
        pause: Duration,
    },
    /// A revision is done.
    Done {
        /// The revision.
        revision: &'a RevisionId,
        /// How long it took.
        took: Duration,
    },
    /// Something a person should look at.
    Warning(String),
}

/// Takes the events of a run.
pub type Progress<'p> = dyn FnMut(Event<'_>) + Send + 'p;

impl Event<'_> {
    /// The event as one line: `Running upgrade f0e7f3b80a21 -> 9e3145d88e64, Add email` (as Alembic's log prints it).
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Waiting { holder } => {
                let who = holder.map_or_else(String::new, |it| format!(": {it}"));
                format!("another run has the lock of the version table; waiting for it to end{who}")
            }
            Self::Running {
                direction,
                from,
                to,
                doc,
                ..
            } => {
                let comma = if doc.is_empty() { "" } else { ", " };
                format!(
                    "Running {} {} -> {}{comma}{doc}",
                    word(*direction),
                    list(from),
                    list(to)
                )
            }
            Self::Statement {
                revision,
                at,
                of,
                statement,
                statements,
                sql,
            } => format!(
                "revision {at} of {of} ({revision}), statement {statement} of {statements}: {}",
                one_line(sql)
            ),
            Self::Resuming {
                revision,
                segment,
                segments,
                statement,
            } => {
                let at = statement.map_or_else(String::new, |it| format!(" at its statement {it}"));
                format!(
                    "revision {revision} goes on with segment {segment} of {segments}{at}, where an earlier run stopped"
                )
            }
            Self::Retry {
                revision,
                tries,
                most,
                pause,
            } => format!(
                "revision {revision} got no lock in try {tries} of {most}; trying again in {:.1} s",
                pause.as_secs_f64()
            ),
            Self::Done { revision, took } => {
                format!("revision {revision} done in {:.1} s", took.as_secs_f64())
            }
            Self::Warning(text) => format!("warning: {text}"),
        }
    }
}

fn list(ids: &[RevisionId]) -> String {
    ids.iter()
        .map(RevisionId::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
