//! One revision to run: its statements, how they are named in messages, and where the database stands between them.

use std::path::Path;

use limbeck_revision::graph::{Direction, Step};
use limbeck_revision::{Revision, RevisionError, RevisionId, Segment, SegmentMode, Statement};
use limbeck_sql::Transaction;

use crate::apply::Lost;
use crate::error::{Place, RunnerError, one_line, word};
use crate::half_done::HalfDone;
use crate::history::History;
use crate::progress::Event;
use crate::statement;
use crate::tables::LogEntry;

/// How much of a statement a message shows.
const SHOWN_CHARS: usize = 72;

/// One revision to run in one direction, with what that does to the version rows.
#[derive(Clone, Debug)]
pub(crate) struct Work<'a> {
    pub(crate) step: &'a Step,
    pub(crate) path: &'a Path,
    pub(crate) doc: String,
    pub(crate) checksum: String,
    pub(crate) segments: Vec<Part>,
}

/// A segment split into its statements.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) transaction: bool,
    pub(crate) statements: Vec<Statement>,
}

/// Where a killed or failed run left the revision that is run now.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) id: i64,
    pub(crate) half_done: HalfDone,
    /// Whether the last segment named in the log is done, so that the next one is the first to run.
    pub(crate) finished: bool,
}

impl Work<'_> {
    pub(crate) fn id(&self) -> &RevisionId {
        &self.step.revision
    }

    /// How many segments are logged: a revision without SQL counts as one empty segment in a transaction.
    pub(crate) fn n_segments(&self) -> usize {
        self.segments.len().max(1)
    }

    pub(crate) fn statements(&self, at: usize) -> &[Statement] {
        self.segments.get(at).map_or(&[], |it| &it.statements)
    }

    /// What is said when it begins.
    pub(crate) fn running(&self) -> Event<'_> {
        let Step {
            revision,
            direction,
            from,
            to,
            ..
        } = self.step;
        Event::Running {
            direction: *direction,
            revision,
            from,
            to,
            doc: &self.doc,
        }
    }

    /// Makes one transaction of all segments.
    ///
    /// # Errors
    /// [`RunnerError::Segments`] for a revision with a segment outside of transactions.
    pub(crate) fn join(&mut self) -> Result<(), RunnerError> {
        if self.segments.iter().any(|it| !it.transaction) {
            return Err(self.cannot_join());
        }
        if self.segments.len() > 1 {
            let parts = std::mem::take(&mut self.segments);
            self.segments = vec![Part {
                transaction: true,
                statements: parts.into_iter().flat_map(|it| it.statements).collect(),
            }];
        }
        Ok(())
    }

    /// The refusal to run it in one transaction.
    pub(crate) fn cannot_join(&self) -> RunnerError {
        RunnerError::Segments {
            revision: self.id().to_string(),
            path: self.path.to_path_buf(),
        }
    }

    pub(crate) fn place(&self, segment: usize, statement: usize) -> Place {
        let statements = self.statements(segment);
        let (line, text) = match statements.get(statement) {
            Some(it) => (it.line, shown(&it.sql)),
            // The commit fails for what a deferred constraint found out about an earlier statement.
            None => (
                statements.last().map_or(1, |it| it.line),
                "COMMIT".to_owned(),
            ),
        };
        Place {
            revision: self.id().to_string(),
            direction: self.step.direction,
            path: self.path.to_path_buf(),
            line,
            statement: text,
        }
    }

    pub(crate) fn entry(&self, segment: usize, statement: Option<usize>) -> LogEntry<'_> {
        LogEntry {
            revision: self.id().as_str(),
            direction: word(self.step.direction),
            segment: segment + 1,
            segments: self.n_segments(),
            statement,
            checksum: &self.checksum,
        }
    }

    /// Where the database stands when segment `segment` was rolled back.
    pub(crate) fn state_rolled_back(&self, segment: usize) -> String {
        let id = self.id();
        match (segment, self.step.direction) {
            (0, Direction::Downgrade) => {
                format!("the database is as before the downgrade of revision {id}")
            }
            (0, Direction::Upgrade | Direction::Stamp) => {
                format!("the database is as before revision {id}")
            }
            (n_done, _) => format!(
                "segment {} of {} is rolled back, what is before it stays committed ({}); run the same command again to \
                 go on there",
                n_done + 1,
                self.n_segments(),
                numbered(n_done)
            ),
        }
    }

    /// What a failure of statement `statement` of a segment in a transaction leaves open; the number of statements means
    /// the commit.
    pub(crate) fn lost(&self, segment: usize, statement: usize) -> Lost {
        match statement >= self.statements(segment).len() {
            true => Lost::Commit,
            false => Lost::Nothing,
        }
    }

    /// Where the database is when statement `statement` of a segment outside a transaction failed.
    pub(crate) fn state_stopped(&self, segment: usize, statement: usize, of: Lost) -> String {
        let is_first = segment == 0 && statement == 0;
        let done = self.done_before(segment, statement);
        match of {
            Lost::Nothing | Lost::Commit if is_first => {
                format!("the database is as before revision {}", self.id())
            }
            Lost::Nothing | Lost::Commit => format!(
                "it is rolled back, {done} stay in force; run the same command again to go on at this statement"
            ),
            Lost::Statement if is_first => format!(
                "it runs outside a transaction: nothing before it was run, so but for traces of its own the database is \
                 as before revision {}",
                self.id()
            ),
            Lost::Statement => {
                format!(
                    "{done} stay in force; run the same command again to go on at this statement"
                )
            }
            Lost::Anything => {
                let done = match is_first {
                    true => String::new(),
                    false => format!(", and so does what was run before it ({done})"),
                };
                format!(
                    "it runs outside a transaction, so what it committed before it failed stays{done}; run the same \
                     command again with --resume again (run it once more), --resume done or --resume skip (go on after it)"
                )
            }
        }
    }

    /// The segments and statements before a statement of a segment outside a transaction.
    fn done_before(&self, segment: usize, statement: usize) -> String {
        let mut done = Vec::new();
        if segment > 0 {
            done.push(numbered(segment));
        }
        if statement > 0 {
            let first = if statement == 1 {
                "statement 1".to_owned()
            } else {
                format!("statements 1 to {statement}")
            };
            done.push(format!("{first} of segment {}", segment + 1));
        }
        done.join(" and ")
    }

    /// Refuses statements that begin or end a transaction, before anything is run; outside of transactions only those
    /// that the log could not follow.
    pub(crate) fn check_control(&self) -> Result<(), RunnerError> {
        for (segment, part) in self.segments.iter().enumerate() {
            let found = match part.transaction {
                true => part
                    .statements
                    .iter()
                    .position(|it| controls_transaction(&it.sql))
                    .map(|at| (at, RUNNERS_WORK)),
                false => misplaced_control(&part.statements),
            };
            if let Some((at, problem)) = found {
                return Err(RunnerError::Control {
                    place: Box::new(self.place(segment, at)),
                    problem,
                });
            }
        }
        Ok(())
    }
}

const RUNNERS_WORK: &str = "begins or ends a transaction, which is the runner's work; remove it, or mark the segment as \
                            outside a transaction";

/// The first statement of a segment outside transactions that the log could not follow, and what is wrong with it.
fn misplaced_control(statements: &[Statement]) -> Option<(usize, &'static str)> {
    let mut begun = None;
    for (at, it) in statements.iter().enumerate() {
        match statement::control(&it.sql) {
            Some(Transaction::Begin) if begun.is_some() => {
                return Some((
                    at,
                    "begins a transaction inside of another one; end that one before it",
                ));
            }
            Some(Transaction::Begin) => begun = Some(at),
            Some(Transaction::Commit | Transaction::Rollback) if begun.is_none() => {
                return Some((
                    at,
                    "ends a transaction that no statement of its segment begins; remove it, or add BEGIN",
                ));
            }
            Some(Transaction::Commit | Transaction::Rollback) if statement::chains(&it.sql) => {
                return Some((
                    at,
                    "begins the next transaction at once, which the log cannot follow; write a BEGIN of its own",
                ));
            }
            Some(Transaction::Commit | Transaction::Rollback) => begun = None,
            Some(Transaction::Prepare) => {
                return Some((
                    at,
                    "prepares a transaction, which would hold the log's row too; write COMMIT",
                ));
            }
            _ => {}
        }
    }
    begun.map(|at| {
        (
            at,
            "begins a transaction that its segment does not end; add COMMIT",
        )
    })
}

fn numbered(n: usize) -> String {
    if n == 1 {
        "segment 1".to_owned()
    } else {
        format!("segments 1 to {n}")
    }
}

pub(crate) fn shown(sql: &str) -> String {
    let line = one_line(sql);
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// Whether a statement begins or ends a transaction; savepoints do neither.
pub(crate) fn controls_transaction(sql: &str) -> bool {
    matches!(
        statement::control(sql),
        Some(
            Transaction::Begin
                | Transaction::Commit
                | Transaction::Rollback
                | Transaction::Prepare
                | Transaction::CommitPrepared
                | Transaction::RollbackPrepared
        )
    )
}

/// The words of a statement in lower case.
pub(crate) fn words(sql: &str) -> impl Iterator<Item = String> {
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|it| !it.is_empty())
        .map(str::to_ascii_lowercase)
}

/// What a revision runs in a direction.
pub(crate) fn segments(revision: &Revision, direction: Direction) -> &[Segment] {
    match direction {
        Direction::Upgrade => &revision.upgrade,
        Direction::Downgrade => &revision.downgrade,
        Direction::Stamp => &[],
    }
}

/// Reads the file of a step.
pub(crate) fn work<'a>(history: &'a History, step: &'a Step) -> Result<Work<'a>, RunnerError> {
    let id = &step.revision;
    let (revision, checksum) = history.read_for_log(id)?;
    let path = history
        .directory
        .get(id)
        .map(|it| it.path.as_path())
        .ok_or_else(|| RevisionError::UnknownRevision {
            revision: id.clone(),
        })?;
    let part = |it: &Segment| {
        let transaction = it.mode == SegmentMode::Transaction;
        it.statements()
            .map(|statements| Part {
                transaction,
                statements,
            })
            .map_err(|error| RevisionError::Syntax {
                path: path.to_owned(),
                line: error.line,
                problem: error.problem.into(),
            })
    };
    let segments = segments(&revision, step.direction)
        .iter()
        .map(part)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Work {
        step,
        path,
        doc: history.title(id),
        checksum,
        segments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_is_told_from_savepoints_and_functions() {
        for sql in [
            "BEGIN",
            "commit and chain",
            "END",
            "ROLLBACK",
            "rollback work",
            "ROLLBACK /* to */ WORK",
            "ROLLBACK -- TO x\n",
            "START TRANSACTION READ ONLY",
            "ABORT",
        ] {
            assert!(controls_transaction(sql), "{sql}");
        }
        for sql in [
            "ROLLBACK TO a",
            "rollback to savepoint a",
            "ROLLBACK WORK TO a",
            "SAVEPOINT a",
            "PREPARE a AS SELECT 1",
        ] {
            assert!(!controls_transaction(sql), "{sql}");
        }
    }

    #[test]
    fn long_statements_are_shown_cut_and_on_one_line() {
        assert_eq!(shown("SELECT\n  1"), "SELECT 1");
        let long = shown(&format!("SELECT {}", "ß".repeat(100)));
        assert!(
            long.ends_with('…') && long.chars().count() == SHOWN_CHARS + 1,
            "{long}"
        );
    }
}
