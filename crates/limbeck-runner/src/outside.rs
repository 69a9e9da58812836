//! Running a segment outside transactions: statement by statement, each announced in the log before it runs.

use sqlx::Row;

use crate::apply::{is_locked, millis};
use crate::error::{RunnerError, lost, one_line};
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::take_up::{Before, TakeUp, is_repeatable};
use crate::work::{Resume, Work};

/// How a statement outside a transaction ended.
enum Ended {
    /// It is done, by this run or by the one that was killed.
    Done,
    /// It failed, after so many tries.
    Failed { error: sqlx::Error, tries: u32 },
}

impl Runner {
    /// Runs a segment outside transactions, statement by statement, each announced in the log before it runs.
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
            self.session
                .own(
                    "set lock_timeout",
                    &format!("SET lock_timeout = {}", millis(it)),
                )
                .await?;
        }
        let logging = format!("write the log table {}", self.tables.log);
        let first = resume
            .and_then(|it| it.half_done.statement)
            .map_or(0, |it| it - 1);
        let id = match resume {
            Some(it) => it.id,
            None => {
                let sql = self.tables.insert_log(&work.entry(segment, Some(1)), false);
                let rows = self.session.query(&logging, &sql).await?;
                let row = rows
                    .first()
                    .ok_or_else(|| RunnerError::own(&logging, sqlx::Error::RowNotFound))?;
                row.try_get(0)
                    .map_err(|error| RunnerError::own(&logging, error))?
            }
        };
        for at in first..work.statements(segment).len() {
            if self.session.is_cancelled() {
                let during = format!("before {}", work.place(segment, at));
                return Err(RunnerError::Cancelled {
                    during,
                    state: work.state_stopped(segment, at),
                });
            }
            let announce = self.tables.update_log_statement(id, at + 1, &work.checksum);
            self.session.own(&logging, &announce).await?;
            let taken_up = resume.filter(|_| at == first);
            let (error, tries) = match self.alone(work, segment, at, taken_up, progress).await? {
                Ended::Done => continue,
                Ended::Failed { error, tries } => (error, tries),
            };
            if lost(&error).is_none() {
                let said = self
                    .tables
                    .update_log_error(id, &one_line(&error.to_string()));
                self.session.own(&logging, &said).await?;
            }
            let locked = is_locked(&error).then_some(tries);
            return Err(self.failure(
                work.place(segment, at),
                work.state_stopped(segment, at),
                error,
                locked,
            ));
        }
        self.session.restore().await?;
        self.session.own("begin a transaction", "BEGIN").await?;
        let finished = self.tables.update_log_finished(id);
        self.session.own(&logging, &finished).await?;
        if segment + 1 == work.n_segments()
            && let Err(error) = self.move_rows(work.step).await
        {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        self.session
            .own("commit the version rows", "COMMIT")
            .await
            .map(drop)
    }

    /// Runs one statement outside transactions, again and again while a lock is not to be had, if repeating it is safe.
    async fn alone(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        at: usize,
        taken_up: Option<&Resume>,
        progress: &mut Progress<'_>,
    ) -> Result<Ended, RunnerError> {
        let Some(sql) = work.statements(segment).get(at).map(|it| it.sql.as_str()) else {
            return Ok(Ended::Done);
        };
        let mut before = match taken_up {
            None => Before::Nothing,
            // A killed run leaves open whether its last statement was done; a failed one does not.
            Some(it) if it.half_done.error.is_none() => Before::Killed,
            Some(_) => Before::Failed,
        };
        progress(self.beginning(work, segment, at));
        let mut tries = 1;
        loop {
            let done = self.session.execute(sql).await;
            if let Err(error) = &done
                && is_repeatable(sql)
                && self.tries_again(work, error, tries, progress).await
            {
                tries += 1;
                before = before.and_failed();
                continue;
            }
            let place = work.place(segment, at);
            match self.take_up(sql, &done, before).await? {
                TakeUp::Done => {
                    progress(Event::Warning(format!(
                        "{place} was done by the run that was killed; going on after it"
                    )));
                    return Ok(Ended::Done);
                }
                TakeUp::Again { index } => {
                    progress(Event::Warning(format!(
                        "{place} had left the index {index} invalid; it is dropped and built anew"
                    )));
                    before = Before::Nothing;
                    continue;
                }
                TakeUp::Not => {}
            }
            return Ok(match done {
                Err(error) => Ended::Failed { error, tries },
                Ok(_) => Ended::Done,
            });
        }
    }
}
