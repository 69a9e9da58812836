//! Running one revision: its segments, its log rows, its version rows, and what is said when a statement fails.

use std::time::Duration;

use crate::error::{Place, ROLLS_BACK, RunnerError, ServerError, lost};
use crate::options::Transactions;
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::session::{Scope, is_cancel};
use crate::work::{Resume, Work};
use limbeck_revision::graph::Step;

/// SQLSTATE lock_not_available: `lock_timeout` is over.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// SQLSTATE unsafe_new_enum_value_usage: an enum's value is used before it is committed.
const UNSAFE_NEW_ENUM_VALUE: &str = "55P04";

/// The facts about the database that a failure leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// None: the transaction was open, and is rolled back.
    Nothing,
    /// If the connection is lost: whether the transaction was committed.
    Commit,
    /// How far a statement came that ran outside a transaction; the catalog tells.
    Statement,
    /// How far a statement came that ran outside a transaction; nothing tells.
    Anything,
}

impl Lost {
    /// What is said of it when the connection is lost.
    fn state(self) -> &'static str {
        match self {
            Self::Nothing => ROLLS_BACK,
            Self::Commit => "it is not known whether the transaction was committed",
            Self::Statement => {
                "it is not known how far the statement came, which the next run finds out"
            }
            Self::Anything => "it is not known how far the statement came",
        }
    }
}

/// Why an attempt to run a segment ended.
enum Stop {
    /// A statement failed, by its index; the number of statements means the commit.
    Statement(usize, sqlx::Error),
    /// Something of the runner's own failed.
    Own(RunnerError),
}

impl From<RunnerError> for Stop {
    fn from(error: RunnerError) -> Self {
        Self::Own(error)
    }
}

impl Runner {
    /// Runs one revision, from its first segment or from where an earlier run stopped.
    pub(crate) async fn apply(
        &mut self,
        work: &Work<'_>,
        resume: Option<Resume>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        work.check_control()?;
        let first = resume.as_ref().map_or(0, |it| it.half_done.segment - 1);
        for segment in first..work.n_segments() {
            if work.segments.get(segment).is_none_or(|it| it.transaction) {
                self.in_transaction(work, segment, progress).await?;
            } else {
                let resume = resume
                    .as_ref()
                    .filter(|it| segment == first && !it.finished);
                self.outside(work, segment, resume, progress).await?;
            }
        }
        Ok(())
    }

    /// Runs a segment in a transaction, again and again while a lock is not to be had.
    async fn in_transaction(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        let mut tries = 1;
        loop {
            let (statement, error) = match self.attempt(work, segment, progress).await {
                Ok(()) => {
                    self.missing.clear();
                    return Ok(());
                }
                Err(Stop::Own(error)) => {
                    // A connection that is gone rolls back by itself.
                    let _ = self.session.execute("ROLLBACK").await;
                    return Err(error);
                }
                Err(Stop::Statement(statement, error)) => (statement, error),
            };
            let _ = self.session.execute("ROLLBACK").await;
            if !self.tries_again(work, &error, tries, progress).await {
                let state = work.state_rolled_back(segment);
                let locked = is_locked(&error).then_some(tries);
                let place = work.place(segment, statement);
                let of = work.lost(segment, statement);
                return Err(self.failure(place, state, error, locked, of));
            }
            tries += 1;
        }
    }

    /// Runs a segment in a transaction once.
    async fn attempt(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        progress: &mut Progress<'_>,
    ) -> Result<(), Stop> {
        self.session.own("begin a transaction", "BEGIN").await?;
        self.create_missing().await?;
        let is_left = self.run_segment(work, segment, progress).await?;
        let n_statements = work.statements(segment).len();
        self.session
            .begins(format!("during the {}", work.place(segment, n_statements)));
        self.commit(n_statements).await?;
        if is_left {
            self.session.tidy(Scope::Session).await?;
        }
        Ok(())
    }

    async fn commit(&mut self, n_statements: usize) -> Result<(), Stop> {
        let committed = self.session.execute("COMMIT").await;
        committed
            .map(drop)
            .map_err(|error| Stop::Statement(n_statements, error))
    }

    /// Runs the statements of a segment and what belongs to them in Limbeck's tables, in the transaction that is open.
    /// Returns whether they left more than settings in the session.
    async fn run_segment(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        progress: &mut Progress<'_>,
    ) -> Result<bool, Stop> {
        if let Some(it) = self.options.lock_timeout {
            let sql = format!("SET LOCAL lock_timeout = {}", millis(it));
            self.session.own("set lock_timeout", &sql).await?;
        }
        let statements = work.statements(segment);
        for (at, statement) in statements.iter().enumerate() {
            self.check_cancelled(work, segment, at)?;
            progress(self.beginning(work, segment, at));
            self.session
                .begins(format!("during the {}", work.place(segment, at)));
            self.session
                .execute(&statement.sql)
                .await
                .map_err(|error| Stop::Statement(at, error))?;
        }
        self.check_cancelled(work, segment, statements.len())?;
        // Limbeck's own tables may be out of reach for a role that the revision set.
        let is_left = self.session.restore(Scope::Session).await?;
        let log = self.tables.insert_log(&work.entry(segment, None), true);
        self.session
            .own(&format!("write the log table {}", self.tables.log), &log)
            .await?;
        if segment + 1 == work.n_segments() {
            self.move_rows(work.step).await?;
        }
        Ok(is_left)
    }

    /// Runs all revisions in one transaction, again and again while a lock is not to be had.
    pub(crate) async fn apply_all(
        &mut self,
        works: &[Work<'_>],
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        const STATE: &str = "nothing of the run is committed: the database is as before it";
        let mut tries = 1;
        let mut announced = 0;
        loop {
            let (work, stop) = match self.attempt_all(works, &mut announced, progress).await {
                Ok(()) => {
                    self.missing.clear();
                    return Ok(());
                }
                Err(it) => it,
            };
            // A connection that is gone rolls back by itself.
            let _ = self.session.execute("ROLLBACK").await;
            let (statement, error) = match stop {
                Stop::Own(RunnerError::Cancelled { during, .. }) => {
                    let state = STATE.to_owned();
                    return Err(RunnerError::Cancelled { during, state });
                }
                Stop::Own(error) => return Err(error),
                Stop::Statement(statement, error) => (statement, error),
            };
            if !self.tries_again(work, &error, tries, progress).await {
                let place = work.place(0, statement);
                let locked = is_locked(&error).then_some(tries);
                let of = work.lost(0, statement);
                return Err(self.failure(place, STATE.to_owned(), error, locked, of));
            }
            tries += 1;
        }
    }

    /// Runs all revisions once; what stops them comes with the revision that it happened in. The first `announced` of
    /// them were said to run in an earlier try.
    async fn attempt_all<'w, 'h>(
        &mut self,
        works: &'w [Work<'h>],
        announced: &mut usize,
        progress: &mut Progress<'_>,
    ) -> Result<(), (&'w Work<'h>, Stop)> {
        let (Some(first), Some(last)) = (works.first(), works.last()) else {
            return Ok(());
        };
        let begun = self.session.own("begin a transaction", "BEGIN").await;
        begun.map_err(|it| (first, it.into()))?;
        let created = self.create_missing().await;
        created.map_err(|it| (first, it.into()))?;
        let (n_before, of) = self.place;
        for (at, work) in works.iter().enumerate() {
            let since = std::time::Instant::now();
            self.place = (n_before + at + 1, of);
            if at >= *announced {
                progress(work.running());
                *announced = at + 1;
            }
            let done = self.run_segment(work, 0, progress).await;
            if done.map_err(|it| (work, it))? {
                let tidied = self.session.tidy(Scope::Transaction).await;
                tidied.map_err(|it| (work, it.into()))?;
            }
            progress(Event::Done {
                revision: work.id(),
                took: since.elapsed(),
            });
        }
        self.place = (n_before, of);
        let n_statements = last.statements(0).len();
        self.session
            .begins(format!("during the {}", last.place(0, n_statements)));
        self.commit(n_statements).await.map_err(|it| (last, it))
    }

    /// The event that a statement begins.
    pub(crate) fn beginning<'w>(&self, work: &'w Work<'_>, segment: usize, at: usize) -> Event<'w> {
        let statements = work.statements(segment);
        let (place, of) = self.place;
        Event::Statement {
            revision: work.id(),
            at: place,
            of,
            statement: at + 1,
            statements: statements.len(),
            sql: statements.get(at).map_or("", |it| &it.sql),
        }
    }

    fn check_cancelled(
        &self,
        work: &Work<'_>,
        segment: usize,
        statement: usize,
    ) -> Result<(), RunnerError> {
        if !self.session.is_cancelled() {
            return Ok(());
        }
        let during = format!("before {}", work.place(segment, statement));
        Err(RunnerError::Cancelled {
            during,
            state: work.state_rolled_back(segment),
        })
    }

    /// Whether what failed is to be tried once more: after a pause, if it got no lock and has tries left.
    pub(crate) async fn tries_again(
        &self,
        work: &Work<'_>,
        error: &sqlx::Error,
        tries: u32,
        progress: &mut Progress<'_>,
    ) -> bool {
        let most = self.options.lock_tries;
        if !is_locked(error) || tries >= most || self.session.is_cancelled() {
            return false;
        }
        let pause = self.options.pause(tries, chance());
        progress(Event::Retry {
            revision: work.id(),
            tries,
            most,
            pause,
        });
        self.session.pause(pause).await;
        true
    }

    /// Moves the version rows from those before the revision to those after it.
    pub(crate) async fn move_rows(&mut self, step: &Step) -> Result<(), RunnerError> {
        let doing = format!("change the version table {}", self.tables.version);
        for change in self.tables.changes(step) {
            let found = self.session.own(&doing, &change.sql).await?;
            if found != 1 {
                return Err(RunnerError::Rows {
                    table: self.tables.version.clone(),
                    what: change.what,
                    revision: step.revision.to_string(),
                    found,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn failure(
        &self,
        place: Place,
        state: String,
        error: sqlx::Error,
        locked: Option<u32>,
        of: Lost,
    ) -> RunnerError {
        if let Some(reason) = lost(&error) {
            return RunnerError::ConnectionLost {
                during: format!("during the {place}"),
                reason,
                state: of.state().to_owned(),
            };
        }
        if self.session.is_cancelled() && error.as_database_error().is_some_and(is_cancel) {
            return RunnerError::Cancelled {
                during: format!("during the {place}"),
                state,
            };
        }
        let answer = ServerError::of(&error);
        let waits_for_commit = self.options.transaction != Transactions::Segment
            && answer
                .as_ref()
                .is_some_and(|it| it.code == UNSAFE_NEW_ENUM_VALUE);
        let state = if waits_for_commit {
            format!(
                "{state}; the value has to be committed first, which --transaction segment does"
            )
        } else {
            state
        };
        match (answer, locked) {
            (Some(answer), Some(tries)) => RunnerError::Locked {
                place: Box::new(place),
                tries,
                answer: Box::new(answer),
                state,
            },
            (Some(answer), None) => RunnerError::Failed {
                place: Box::new(place),
                answer: Box::new(answer),
                state,
            },
            (None, _) => RunnerError::Driver {
                doing: format!("run the {place} ({state})"),
                source: error,
            },
        }
    }
}

/// Whether a lock was not to be had in time.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    ServerError::of(error).is_some_and(|it| it.code == LOCK_NOT_AVAILABLE)
}

pub(crate) fn millis(it: Duration) -> u128 {
    it.as_millis()
}

/// A number between 0 and 1 that two processes rarely share.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
