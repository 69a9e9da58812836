//! A segment that did not finish, and how far it came.

use std::fmt::{self, Display};

use limbeck_revision::graph::Direction;

use crate::error::{one_line, word};

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
        /// The state of the catalog before it, as `take_up` reads it.
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
