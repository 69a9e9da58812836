//! Running a segment outside transactions, so that a kill at any moment leaves nothing that the next run could do twice.
//!
//! A statement that can run in a transaction shares one with its row of the log. The others are announced in the log
//! before they run, with what of the catalog they may change; [`crate::take_up`] reads that after a kill.

use limbeck_sql::Transaction;

use crate::apply::{Lost, is_locked, millis};
use crate::error::{RunnerError, ServerError, lost, one_line};
use crate::half_done::{HalfDone, Reached};
use crate::options::Answer;
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::session::Scope;
use crate::statement::{self, Left, Manner};
use crate::take_up::{Earlier, Fate};
use crate::work::{Resume, Work};

/// SQLSTATE active_sql_transaction: the statement cannot run inside a transaction block.
const ACTIVE_TRANSACTION: &str = "25001";
/// SQLSTATE invalid_transaction_termination: a procedure or a `DO` block would commit.
const INVALID_TERMINATION: &str = "2D000";

/// A statement of a segment outside transactions, with its row in the log.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'w, 'h> {
    work: &'w Work<'h>,
    segment: usize,
    /// The statement, from 0.
    at: usize,
    /// The row of the log.
    id: i64,
}

impl Spot<'_, '_> {
    fn sql(&self) -> &str {
        self.sql_at(self.at)
    }

    fn sql_at(&self, at: usize) -> &str {
        let statement = self.work.statements(self.segment).get(at);
        statement.map_or("", |it| &it.sql)
    }
}

/// How a statement ended that was tried in a transaction.
enum Tried {
    Done,
    /// It can only run outside of transactions.
    Refused,
}

/// What a run that goes on does with the statement at which the earlier one stopped.
enum Next {
    Run,
    GoOnAfter,
}

impl Runner {
    /// Runs a segment outside transactions, statement by statement.
    pub(crate) async fn outside(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        resume: Option<&Resume>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        self.create_missing().await?;
        self.missing.clear();
        if let Some(it) = self.options.lock_timeout {
            let sql = format!("SET lock_timeout = {}", millis(it));
            self.session.own("set lock_timeout", &sql).await?;
        }
        let mut spot = self.first_spot(work, segment, resume).await?;
        if let Some(resume) = resume {
            self.repeat_settings(spot, progress).await?;
            if let Next::GoOnAfter = self.take_up(spot, resume, progress).await? {
                spot.at += 1;
                self.note(spot, &Reached::NotBegun).await?;
            }
        }
        while spot.at < work.statements(segment).len() {
            if self.session.is_cancelled() {
                let during = format!("before {}", work.place(segment, spot.at));
                return Err(RunnerError::Cancelled {
                    during,
                    state: work.state_stopped(segment, spot.at, Lost::Nothing),
                });
            }
            progress(self.beginning(work, segment, spot.at));
            spot.at = self.step(spot, progress).await?;
        }
        self.finish(spot).await
    }

    /// The row of the log to write in, and the statement to begin with.
    async fn first_spot<'w, 'h>(
        &mut self,
        work: &'w Work<'h>,
        segment: usize,
        resume: Option<&Resume>,
    ) -> Result<Spot<'w, 'h>, RunnerError> {
        let spot = |id, at| Spot {
            work,
            segment,
            at,
            id,
        };
        if let Some(it) = resume {
            let first = it.half_done.statement.map_or(0, |it| it.saturating_sub(1));
            return Ok(spot(it.id, first));
        }
        let logging = format!("write the log table {}", self.tables.log);
        let sql = self.tables.insert_log(&work.entry(segment, Some(1)), false);
        let id = self.session.one(&logging, &sql).await?;
        let id = id.ok_or_else(|| RunnerError::own(&logging, sqlx::Error::RowNotFound))?;
        Ok(spot(id, 0))
    }

    /// Runs one statement, or all from a `BEGIN` to its end; returns the statement to go on with.
    async fn step(
        &mut self,
        spot: Spot<'_, '_>,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        match statement::manner(spot.sql()) {
            Manner::Begin => return self.block(spot, progress).await,
            Manner::Session => self.in_session(spot).await?,
            Manner::Outside => self.alone(spot, progress).await?,
            Manner::Together => match self.together(spot, progress).await? {
                Tried::Done => {}
                Tried::Refused => self.alone(spot, progress).await?,
            },
        }
        Ok(spot.at + 1)
    }

    /// Runs a statement that changes the session alone.
    async fn in_session(&mut self, spot: Spot<'_, '_>) -> Result<(), RunnerError> {
        if let Err(error) = self.run_at(spot, spot.at).await {
            return Err(self.stopped(spot, spot.at, error, 1, None).await?);
        }
        if statement::manner(spot.sql()) == Manner::Session && is_discard(spot.sql()) {
            self.keep_lock().await?;
        }
        self.note(next(spot), &Reached::NotBegun).await
    }

    /// Runs a statement in a transaction with its row of the log, again and again while a lock is not to be had.
    async fn together(
        &mut self,
        spot: Spot<'_, '_>,
        progress: &mut Progress<'_>,
    ) -> Result<Tried, RunnerError> {
        let mut tries = 1;
        loop {
            self.session
                .own("begin a transaction", "BEGIN READ WRITE")
                .await?;
            let error = match self.run_at(spot, spot.at).await {
                Ok(()) => return self.commit_with(next(spot), "COMMIT", spot).await,
                Err(error) => error,
            };
            // A connection that is gone rolls back by itself.
            let _ = self.session.execute("ROLLBACK").await;
            let code = ServerError::of(&error).map(|it| it.code);
            if matches!(
                code.as_deref(),
                Some(ACTIVE_TRANSACTION | INVALID_TERMINATION)
            ) {
                return Ok(Tried::Refused);
            }
            if !self.tries_again(spot.work, &error, tries, progress).await {
                return Err(self.stopped(spot, spot.at, error, tries, None).await?);
            }
            tries += 1;
        }
    }

    /// Writes the log in the open transaction, which `end` commits: the run has come to `reached`. `spot` is where the
    /// transaction began.
    async fn commit_with(
        &mut self,
        reached: Spot<'_, '_>,
        end: &str,
        spot: Spot<'_, '_>,
    ) -> Result<Tried, RunnerError> {
        if let Err(error) = self.write(reached, &Reached::NotBegun).await {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        let n_statements = spot.work.statements(spot.segment).len();
        match self.session.execute(end).await {
            Ok(_) => Ok(Tried::Done),
            Err(error) => Err(self.stopped(spot, n_statements, error, 1, None).await?),
        }
    }

    /// Runs the statements from a `BEGIN` to the `COMMIT` or `ROLLBACK` that ends its transaction.
    async fn block(
        &mut self,
        spot: Spot<'_, '_>,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        let (work, segment) = (spot.work, spot.segment);
        let statements = work.statements(segment);
        let ends = |it: &limbeck_revision::Statement| {
            matches!(
                statement::control(&it.sql),
                Some(Transaction::Commit | Transaction::Rollback)
            )
        };
        let length = statements.iter().skip(spot.at).position(ends);
        let end = length.map_or(statements.len(), |it| spot.at + it);
        let body = statements.get(spot.at..end).unwrap_or_default();
        let commits = statement::control(spot.sql_at(end)) == Some(Transaction::Commit);
        let writes = !body.iter().any(|it| statement::is_read_only(&it.sql));
        let after = Spot {
            at: end + 1,
            ..spot
        };
        let mut tries = 1;
        'tries: loop {
            for at in spot.at..end {
                if at > spot.at {
                    progress(self.beginning(work, segment, at));
                }
                let Err(error) = self.run_at(spot, at).await else {
                    continue;
                };
                let _ = self.session.execute("ROLLBACK").await;
                if self.tries_again(work, &error, tries, progress).await {
                    tries += 1;
                    continue 'tries;
                }
                return Err(self.stopped(spot, at, error, tries, None).await?);
            }
            break;
        }
        if commits && writes {
            self.commit_with(after, spot.sql_at(end), spot).await?;
        } else {
            if let Err(error) = self.run_at(spot, end).await {
                return Err(self.stopped(spot, end, error, tries, None).await?);
            }
            self.note(after, &Reached::NotBegun).await?;
        }
        Ok(end + 1)
    }

    /// Runs a statement that can only run outside of transactions, announced in the log, again and again while a lock is
    /// not to be had, if repeating it is safe.
    async fn alone(
        &mut self,
        spot: Spot<'_, '_>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        let left = statement::left(spot.sql());
        let before = self.before(&left).await?;
        self.note(
            spot,
            &Reached::UnderWay {
                before: Some(before.clone()),
            },
        )
        .await?;
        let mut tries = 1;
        loop {
            let Err(error) = self.run_at(spot, spot.at).await else {
                return self.note(next(spot), &Reached::NotBegun).await;
            };
            if left.is_repeatable() && self.tries_again(spot.work, &error, tries, progress).await {
                tries += 1;
                let fate = self.fate(&left, Some(&before), Earlier::Failed).await?;
                match fate {
                    Fate::Finish(sql) => {
                        self.session
                            .own_as_it_is("finish the statement", &sql)
                            .await?;
                        return self.note(next(spot), &Reached::NotBegun).await;
                    }
                    Fate::Dropped(names) => {
                        progress(Event::Warning(self.dropped(spot, &names)));
                    }
                    Fate::Done | Fate::Again | Fate::Unknown => {}
                }
                continue;
            }
            return Err(self
                .stopped(spot, spot.at, error, tries, Some((&left, before)))
                .await?);
        }
    }

    /// Runs a statement of the segment as it is.
    async fn run_at(&mut self, spot: Spot<'_, '_>, at: usize) -> Result<(), sqlx::Error> {
        self.session
            .begins(format!("during the {}", spot.work.place(spot.segment, at)));
        self.session.execute(spot.sql_at(at)).await.map(drop)
    }

    /// Says in the log, in a transaction of its own, how far the run came.
    async fn note(&mut self, spot: Spot<'_, '_>, reached: &Reached) -> Result<(), RunnerError> {
        self.session
            .own("begin a transaction", "BEGIN READ WRITE")
            .await?;
        if let Err(error) = self.write(spot, reached).await {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        self.session
            .own("commit the row of the log", "COMMIT")
            .await
            .map(drop)
    }

    /// Says in the log how far the run came, in the open transaction, whatever role and settings the revision has set.
    async fn write(&mut self, spot: Spot<'_, '_>, reached: &Reached) -> Result<(), RunnerError> {
        self.session.restore(Scope::Transaction).await?;
        let logging = format!("write the log table {}", self.tables.log);
        let sql = self.tables.update_log_statement(
            spot.id,
            spot.at + 1,
            &spot.work.checksum,
            &reached.text(),
        );
        self.session.own(&logging, &sql).await.map(drop)
    }

    /// Says in the log why a statement failed, and makes the error of it. `alone` is what it may have left, and the
    /// catalog before it, where it ran outside a transaction.
    async fn stopped(
        &mut self,
        spot: Spot<'_, '_>,
        at: usize,
        error: sqlx::Error,
        tries: u32,
        alone: Option<(&Left, String)>,
    ) -> Result<RunnerError, RunnerError> {
        let is_unknown = alone
            .as_ref()
            .is_some_and(|(left, _)| **left == Left::Unknown);
        let of = match (&alone, at >= spot.work.statements(spot.segment).len()) {
            (Some(_), _) if is_unknown => Lost::Anything,
            (Some(_), _) => Lost::Statement,
            (None, true) => Lost::Commit,
            (None, false) => Lost::Nothing,
        };
        if lost(&error).is_none() {
            let reached = Reached::Failed {
                error: one_line(&error.to_string()),
                before: alone.map(|(_, before)| before),
            };
            self.note(spot, &reached).await?;
        }
        let locked = is_locked(&error).then_some(tries);
        let state = spot.work.state_stopped(spot.segment, spot.at, of);
        let place = spot.work.place(spot.segment, at);
        Ok(self.failure(place, state, error, locked, of))
    }

    /// Repeats what the statements before this one said to the session, which has ended since.
    async fn repeat_settings(
        &mut self,
        spot: Spot<'_, '_>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        let statements = spot.work.statements(spot.segment);
        for (at, it) in statements.iter().enumerate().take(spot.at) {
            if statement::lasts(&it.sql)
                && let Err(error) = self.run_at(spot, at).await
            {
                return Err(self.stopped(spot, at, error, 1, None).await?);
            }
            if statement::is_temporary(&it.sql) {
                progress(Event::Warning(format!(
                    "{} made something temporary, which ended with the run that was broken off",
                    spot.work.place(spot.segment, at)
                )));
            }
        }
        Ok(())
    }

    /// Finds out what became of the statement at which an earlier run stopped, and completes it.
    async fn take_up(
        &mut self,
        spot: Spot<'_, '_>,
        resume: &Resume,
        progress: &mut Progress<'_>,
    ) -> Result<Next, RunnerError> {
        let answer = self.options.resume;
        let (earlier, before) = match &resume.half_done.reached {
            Reached::UnderWay { before } => (Earlier::Killed, before),
            Reached::Failed { before, .. } if answered(answer) => {
                let _ = before;
                return Ok(Next::GoOnAfter);
            }
            Reached::Failed {
                before: before @ Some(_),
                ..
            } => (Earlier::Failed, before),
            Reached::Failed { before: None, .. } => return Ok(Next::Run),
            Reached::NotBegun if answered(answer) => return Err(RunnerError::NothingToResume),
            Reached::NotBegun => return Ok(Next::Run),
        };
        let place = spot.work.place(spot.segment, spot.at);
        let left = statement::left(spot.sql());
        match self.fate(&left, before.as_deref(), earlier).await? {
            Fate::Done => {
                progress(Event::Warning(format!(
                    "{place} was done by the run that was broken off; going on after it"
                )));
                Ok(Next::GoOnAfter)
            }
            Fate::Finish(sql) => {
                progress(Event::Warning(format!(
                    "{place} was done in part by the run that was broken off; `{sql}` does the rest"
                )));
                self.session
                    .own_as_it_is("finish the statement", &sql)
                    .await?;
                Ok(Next::GoOnAfter)
            }
            Fate::Dropped(names) => {
                progress(Event::Warning(self.dropped(spot, &names)));
                Ok(Next::Run)
            }
            Fate::Again if answer == Some(Answer::Skip) => Ok(Next::GoOnAfter),
            Fate::Again => Ok(Next::Run),
            Fate::Unknown => match answer {
                Some(Answer::Done | Answer::Skip) => Ok(Next::GoOnAfter),
                Some(Answer::Again) => Ok(Next::Run),
                None => Err(unknown(&resume.half_done, place)),
            },
        }
    }

    fn dropped(&self, spot: Spot<'_, '_>, names: &[String]) -> String {
        let place = spot.work.place(spot.segment, spot.at);
        let names = names.join(", ");
        format!("{place} had left the index {names} invalid; it is dropped and built anew")
    }

    /// Ends the segment: its row of the log, and the version rows if it is the last one.
    async fn finish(&mut self, spot: Spot<'_, '_>) -> Result<(), RunnerError> {
        let logging = format!("write the log table {}", self.tables.log);
        // A role that the revision has set may be unable to begin a transaction that writes.
        let is_left = self.session.restore(Scope::Session).await?;
        if is_left {
            self.session.tidy(Scope::Session).await?;
        }
        self.session.own("begin a transaction", "BEGIN").await?;
        let done = async {
            self.session.restore(Scope::Transaction).await?;
            let finished = self.tables.update_log_finished(spot.id);
            self.session.own(&logging, &finished).await?;
            match spot.segment + 1 == spot.work.n_segments() {
                true => self.move_rows(spot.work.step).await,
                false => Ok(()),
            }
        };
        if let Err(error) = done.await {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        self.session
            .own("commit the version rows", "COMMIT")
            .await
            .map(drop)
    }
}

/// The question about a statement outside a transaction that only people can answer.
fn unknown(half_done: &HalfDone, place: crate::error::Place) -> RunnerError {
    RunnerError::Unknown {
        half_done: Box::new(half_done.clone()),
        place: Box::new(place),
    }
}

/// Whether the user says that the statement is not to be run.
fn answered(answer: Option<Answer>) -> bool {
    matches!(answer, Some(Answer::Done | Answer::Skip))
}

fn is_discard(sql: &str) -> bool {
    limbeck_sql::Head::of(sql).is_some_and(|it| it.verb == "DISCARD")
}

fn next<'w, 'h>(spot: Spot<'w, 'h>) -> Spot<'w, 'h> {
    Spot {
        at: spot.at + 1,
        ..spot
    }
}
