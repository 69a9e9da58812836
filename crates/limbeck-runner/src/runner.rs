//! Runs over a history: up and down, under one lock, each revision checked before the first one runs.

use std::time::Instant;

use limbeck_revision::graph::{Direction, GraphError, RevisionGraph, Step};
use limbeck_revision::{RevisionId, Segment};
use limbeck_schema::own_sql;
use sqlx::postgres::PgConnection;

use crate::error::{HalfDone, RunnerError, word};
use crate::history::History;
use crate::journal::{Current, LastEntry};
use crate::options::{RunnerOptions, Transactions};
use crate::progress::{Event, Progress};
use crate::scratch::Scratch;
use crate::session::{Canceller, Session, get};
use crate::tables::Tables;
use crate::work::{Work, segments, work};

/// Finds the steps from the rows of the version table.
type Planner<'p> =
    dyn Fn(&RevisionGraph, &[RevisionId]) -> Result<Vec<Step>, GraphError> + Sync + 'p;

/// Runs revisions on one connection.
#[derive(Debug)]
pub struct Runner {
    pub(crate) session: Session,
    pub(crate) options: RunnerOptions,
    pub(crate) tables: Tables,
    /// What creates those of Limbeck's tables that are not there, until it is committed.
    pub(crate) missing: Vec<(String, String)>,
    /// Which revision of how many is run, from 1.
    pub(crate) place: (usize, usize),
}

impl Runner {
    /// Takes over a connection. Nothing is created.
    ///
    /// # Errors
    /// [`RunnerError::NoSchema`] where `search_path` leads to no schema, and the server's.
    pub async fn new(conn: PgConnection, options: RunnerOptions) -> Result<Self, RunnerError> {
        let mut session = Session::new(conn).await?;
        let tables = Tables::new(&options, Some(&session.schema));
        session.guard([tables.version.clone(), tables.log.clone()]);
        Ok(Self {
            session,
            options,
            tables,
            missing: Vec::new(),
            place: (0, 0),
        })
    }

    /// A runner on a connection to a scratch database, whose role may not run every statement by itself.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub async fn in_scratch(
        scratch: &Scratch,
        conn: PgConnection,
        options: RunnerOptions,
    ) -> Result<Self, RunnerError> {
        let mut runner = Self::new(conn, options).await?;
        runner.session.rights = scratch.rights();
        Ok(runner)
    }

    /// What ends a run from outside.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.session.canceller()
    }

    /// Gives the connection back.
    #[must_use]
    pub fn into_connection(self) -> PgConnection {
        self.session.into_inner()
    }

    /// The rows of the version table, sorted; none if there is no such table.
    ///
    /// # Errors
    /// [`RunnerError::Row`] for a row that is no revision id, [`RunnerError::NoVersionTable`] where the log says that the
    /// table has been there, and the server's.
    pub async fn rows(&mut self) -> Result<Vec<RevisionId>, RunnerError> {
        let rows = self.rows_if_there().await?;
        match rows {
            Some(rows) => Ok(rows),
            None => self.check_never_there().await.map(|()| Vec::new()),
        }
    }

    /// Refuses to take a database for a new one whose version table is gone.
    async fn check_never_there(&mut self) -> Result<(), RunnerError> {
        if !self.session.exists(&self.tables.log.clone()).await? {
            return Ok(());
        }
        let log = self.log_entries().await?;
        let applied = log.iter().filter(|(revision, entry)| {
            entry.direction != word(Direction::Downgrade) && !revision.is_empty()
        });
        match applied.max_by_key(|(_, entry)| entry.number) {
            Some((last, _)) => Err(RunnerError::NoVersionTable {
                version: self.tables.version.clone(),
                log: self.tables.log.clone(),
                last: last.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The rows of the version table, sorted; `None` if there is no such table.
    pub(crate) async fn rows_if_there(&mut self) -> Result<Option<Vec<RevisionId>>, RunnerError> {
        let table = self.tables.version.clone();
        if !self.session.exists(&table).await? {
            return Ok(None);
        }
        let doing = format!("read the version table {table}");
        let rows = self
            .session
            .query(&doing, &self.tables.select_versions())
            .await?;
        let mut ids = Vec::new();
        for row in rows {
            let text: String = get(&doing, &row, 0)?;
            ids.push(RevisionId::new(&text).map_err(|_| RunnerError::Row {
                table: table.clone(),
                text,
            })?);
        }
        ids.sort();
        Ok(Some(ids))
    }

    /// Upgrades to `target`; gives the number of revisions that were run.
    ///
    /// # Errors
    /// [`RunnerError`]: a failing revision leaves the database as before it, or says which segments stay committed.
    pub async fn upgrade(
        &mut self,
        history: &History,
        target: &str,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        self.run(
            history,
            &|graph, rows| graph.upgrade(target, rows),
            progress,
        )
        .await
    }

    /// Downgrades to `target`; gives the number of revisions that were run.
    ///
    /// # Errors
    /// As [`Self::upgrade`].
    pub async fn downgrade(
        &mut self,
        history: &History,
        target: &str,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        self.run(
            history,
            &|graph, rows| graph.downgrade(target, rows),
            progress,
        )
        .await
    }

    /// Creates the version table and the log table where they are not there.
    ///
    /// # Errors
    /// The server's.
    pub async fn ensure_version(&mut self) -> Result<(), RunnerError> {
        self.find_missing().await?;
        self.session.own("begin a transaction", "BEGIN").await?;
        self.create_missing().await?;
        self.session
            .own("commit the version table", "COMMIT")
            .await?;
        self.missing.clear();
        Ok(())
    }

    async fn run(
        &mut self,
        history: &History,
        plan: &Planner<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        // What cannot work is said before waiting for the lock.
        plan(&history.graph, &self.rows().await?)?;
        self.lock(progress).await?;
        let done = self.run_locked(history, plan, progress).await;
        self.unlock(done).await
    }

    async fn run_locked(
        &mut self,
        history: &History,
        plan: &Planner<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        // Another run may have moved the rows while this one waited.
        let steps = plan(&history.graph, &self.rows().await?)?;
        self.find_missing().await?;
        let mut resume = self.check_log(history, &steps, progress).await?;
        // All files are read before the first one runs, so that a mistake in a later one stops nothing half way.
        let mut works = steps
            .iter()
            .map(|it| work(history, it))
            .collect::<Result<Vec<_>, _>>()?;
        for it in &works {
            it.check_control()?;
            self.check_hazards(history, it)?;
        }
        let asked = resume.as_ref().and_then(|it| it.resume.half_done.statement);
        if self.options.resume.is_some() && asked.is_none() {
            return Err(RunnerError::NothingToResume);
        }
        // What was begun by segments is ended by segments.
        let n_begun = usize::from(resume.is_some());
        if self.options.transaction != Transactions::Segment {
            works.iter_mut().skip(n_begun).try_for_each(Work::join)?;
        }
        let n_alone = match self.options.transaction {
            Transactions::Segment | Transactions::Revision => works.len(),
            Transactions::Run => n_begun,
        };
        let (alone, together) = works.split_at(n_alone);
        let of = works.len();
        for (at, it) in alone.iter().enumerate() {
            let revision = it.id();
            self.place = (at + 1, of);
            progress(it.running());
            let since = Instant::now();
            let resumed = resume.take();
            if let Some(LastEntry { resume, checksum }) = &resumed {
                let HalfDone {
                    segment,
                    segments,
                    statement,
                    ..
                } = resume.half_done;
                if segments != it.n_segments() {
                    let half_done = Box::new(resume.half_done.clone());
                    return Err(RunnerError::Rearranged {
                        half_done,
                        found: it.n_segments(),
                    });
                }
                progress(Event::Resuming {
                    revision,
                    segment,
                    segments,
                    statement,
                });
                if *checksum != it.checksum {
                    progress(Event::Warning(format!(
                        "the file of revision {revision} changed since its first segments were run; the rest is run as \
                         it is now"
                    )));
                }
            }
            self.apply(it, resumed.map(|it| it.resume), progress)
                .await?;
            progress(Event::Done {
                revision,
                took: since.elapsed(),
            });
        }
        self.place = (n_alone, of);
        self.apply_all(together, progress).await?;
        Ok(of)
    }

    /// Warns of changed files and finds the revision to go on with.
    async fn check_log(
        &mut self,
        history: &History,
        steps: &[Step],
        progress: &mut Progress<'_>,
    ) -> Result<Option<LastEntry>, RunnerError> {
        if !self.session.exists(&self.tables.log.clone()).await? {
            return Ok(None);
        }
        let current = Current {
            rows: Vec::new(),
            half_done: None,
            log: self.log_entries().await?,
        };
        for it in current.changed(history)? {
            progress(Event::Warning(it));
        }
        self.find_half_done(history, steps).await
    }

    /// The revision that an earlier run left half done, which has to be the first step. Needs the log table.
    pub(crate) async fn find_half_done(
        &mut self,
        history: &History,
        steps: &[Step],
    ) -> Result<Option<LastEntry>, RunnerError> {
        let Some(last) = self.last_entry().await? else {
            return Ok(None);
        };
        refuse_replaced(history, &last)?;
        let half_done = &last.resume.half_done;
        let goes_on = steps.first().is_some_and(|it| {
            it.revision.as_str() == half_done.revision && it.direction == half_done.direction
        });
        if goes_on {
            Ok(Some(last))
        } else {
            Err(RunnerError::HalfDone(Box::new(half_done.clone())))
        }
    }

    fn check_hazards(&self, history: &History, work: &Work<'_>) -> Result<(), RunnerError> {
        if !self.options.refuse_hazards {
            return Ok(());
        }
        let revision = history.read(work.id())?;
        let mut names: Vec<_> = segments(&revision, work.step.direction)
            .iter()
            .flat_map(Segment::hazards)
            .map(|it| it.split(':').next().unwrap_or(it).to_owned())
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        Err(RunnerError::Hazards {
            revision: work.id().to_string(),
            direction: work.step.direction,
            kinds: names,
            path: work.path.to_path_buf(),
        })
    }

    /// Gives the lock back. An error of the run comes before one of the unlocking: the server gives the lock back
    /// itself when the connection ends.
    pub(crate) async fn unlock<T>(
        &mut self,
        done: Result<T, RunnerError>,
    ) -> Result<T, RunnerError> {
        let table = self.tables.version.clone();
        if matches!(
            done,
            Err(RunnerError::ConnectionLost { .. }
                | RunnerError::Driver { .. }
                | RunnerError::Pooled { .. })
        ) {
            return done;
        }
        let unlocked = self.session.unlock(&table).await;
        let value = done?;
        unlocked.map(|()| value)
    }

    /// Notes which of Limbeck's tables are not there.
    pub(crate) async fn find_missing(&mut self) -> Result<(), RunnerError> {
        self.missing.clear();
        let Tables { version, log } = self.tables.clone();
        if !self.session.exists(&version).await? {
            self.missing.push((
                format!("create the version table {version}"),
                self.tables.create_version(),
            ));
        }
        if !self.session.exists(&log).await? {
            self.missing.push((
                format!("create the log table {log}"),
                self.tables.create_log(),
            ));
        }
        Ok(())
    }

    /// Creates what is missing, in the transaction that is open.
    pub(crate) async fn create_missing(&mut self) -> Result<(), RunnerError> {
        for (doing, sql) in self.missing.clone() {
            let sql = own_sql::without_event_triggers(&sql);
            self.session.own(&doing, &sql).await?;
        }
        Ok(())
    }
}

/// Refuses to go on with a revision whose file a squash replaced: what is left of it to run stands in the old file.
fn refuse_replaced(history: &History, last: &LastEntry) -> Result<(), RunnerError> {
    let half_done = &last.resume.half_done;
    let id = half_done.revision.as_str();
    let by = match history.graph.node(id) {
        Some(node) => {
            let header = history.directory.get(&node.id).map(|it| &it.header);
            let squashed = header.and_then(|it| it.checksum.as_ref());
            squashed
                .is_some_and(|it| it.was(&last.checksum))
                .then_some(node)
        }
        None => history.graph.replaced(id).map(|(_, node)| node),
    };
    match by {
        Some(by) => Err(RunnerError::HalfReplaced {
            half_done: Box::new(half_done.clone()),
            by: by.id.to_string(),
        }),
        None => Ok(()),
    }
}
