//! Runs over a history: up, down, stamps, and where the database stands.

use std::collections::BTreeMap;
use std::time::Instant;

use limbeck_revision::graph::{Direction, GraphError, RevisionGraph, Step};
use limbeck_revision::{Revision, RevisionId, Segment, SegmentMode};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Decode, Postgres, Row, Type};

use crate::apply::{Part, Resume, Work};
use crate::error::{HalfDone, RunnerError, word};
use crate::history::History;
use crate::options::RunnerOptions;
use crate::progress::{Event, Progress};
use crate::session::{Canceller, Session};
use crate::tables::{LogEntry, Tables};

/// Runs revisions on one connection.
#[derive(Debug)]
pub struct Runner {
    pub(crate) session: Session,
    pub(crate) options: RunnerOptions,
    pub(crate) tables: Tables,
    /// What creates those of Limbeck's tables that are not there, until it is committed.
    pub(crate) missing: Vec<(String, String)>,
}

/// Where a database stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Current {
    /// The rows of the version table, sorted.
    pub rows: Vec<RevisionId>,
    /// A revision that was left half done.
    pub half_done: Option<HalfDone>,
    /// The last finished entry of each revision in the log.
    pub log: BTreeMap<String, Entry>,
}

/// What the log says of a revision that was run to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `upgrade`, `downgrade` or `stamp`.
    pub direction: String,
    /// The checksum of what was run.
    pub checksum: String,
    /// When it was finished, as PostgreSQL prints it.
    pub finished: String,
    /// Who ran it.
    pub by: String,
    /// How long its last segment took.
    pub seconds: f64,
}

/// The first line of the log that a run has to look at.
#[derive(Debug)]
struct LastEntry {
    resume: Resume,
    checksum: String,
}

impl Current {
    /// Applied revisions whose files are no longer what was run, with their files' checksums compared to the log's.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn changed(&self, history: &History) -> Result<Vec<RevisionId>, RunnerError> {
        let mut changed = Vec::new();
        for (id, entry) in self.log.iter().filter(|(_, it)| it.direction == word(Direction::Upgrade)) {
            let Some(node) = history.graph.node(id) else { continue };
            if history.directory.read(&node.id)?.checksum() != entry.checksum {
                changed.push(node.id.clone());
            }
        }
        Ok(changed)
    }
}

impl Runner {
    /// Takes over a connection. Nothing is created.
    ///
    /// # Errors
    /// [`RunnerError::NoSchema`] where `search_path` leads to no schema, and the server's.
    pub async fn new(conn: PgConnection, options: RunnerOptions) -> Result<Self, RunnerError> {
        let session = Session::new(conn).await?;
        let tables = Tables::new(&options, Some(&session.schema));
        Ok(Self { session, options, tables, missing: Vec::new() })
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
    /// [`RunnerError::Row`] for a row that is no revision id, and the server's.
    pub async fn rows(&mut self) -> Result<Vec<RevisionId>, RunnerError> {
        let table = self.tables.version.clone();
        if !self.session.exists(&table).await? {
            return Ok(Vec::new());
        }
        let doing = format!("read the version table {table}");
        let rows = self.session.query(&doing, &self.tables.select_versions()).await?;
        let mut ids = Vec::new();
        for row in rows {
            let text: String = get(&doing, &row, 0)?;
            ids.push(RevisionId::new(&text).map_err(|_| RunnerError::Row { table: table.clone(), text })?);
        }
        ids.sort();
        Ok(ids)
    }

    /// Where the database stands. Nothing is created and nothing locked.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn current(&mut self) -> Result<Current, RunnerError> {
        let rows = self.rows().await?;
        if !self.session.exists(&self.tables.log.clone()).await? {
            return Ok(Current { rows, half_done: None, log: BTreeMap::new() });
        }
        let half_done = self.last_entry().await?.map(|it| it.resume.half_done);
        Ok(Current { rows, half_done, log: self.log_entries().await? })
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
        self.run(history, &|graph, rows| graph.upgrade(target, rows), progress).await
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
        self.run(history, &|graph, rows| graph.downgrade(target, rows), progress).await
    }

    /// Makes the version table say `targets` without running anything; with `purge` it is emptied first, whatever it
    /// holds. Gives the number of changed branches.
    ///
    /// # Errors
    /// As [`Self::rows`], and for targets that the history does not have.
    pub async fn stamp(
        &mut self,
        history: &History,
        targets: &[&str],
        purge: bool,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        self.lock(progress).await?;
        let done = self.stamp_locked(history, targets, purge, progress).await;
        self.unlock(done).await
    }

    /// Creates the version table and the log table where they are not there.
    ///
    /// # Errors
    /// The server's.
    pub async fn ensure_version(&mut self) -> Result<(), RunnerError> {
        self.find_missing().await?;
        self.session.own("begin a transaction", "BEGIN").await?;
        self.create_missing().await?;
        self.session.own("commit the version table", "COMMIT").await?;
        self.missing.clear();
        Ok(())
    }

    async fn run(
        &mut self,
        history: &History,
        plan: &(dyn Fn(&RevisionGraph, &[RevisionId]) -> Result<Vec<Step>, GraphError> + Sync),
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
        plan: &(dyn Fn(&RevisionGraph, &[RevisionId]) -> Result<Vec<Step>, GraphError> + Sync),
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        // Another run may have moved the rows while this one waited.
        let steps = plan(&history.graph, &self.rows().await?)?;
        self.find_missing().await?;
        let mut resume = self.check_log(history, &steps, progress).await?;
        // All files are read before the first one runs, so that a mistake in a later one stops nothing half way.
        let works = steps.iter().map(|it| work(history, it)).collect::<Result<Vec<_>, _>>()?;
        for it in &works {
            it.check_control()?;
            self.check_hazards(history, it)?;
        }
        for it in &works {
            let Step { revision, direction, from, to, .. } = it.step;
            progress(Event::Running { direction: *direction, revision, from, to, doc: &it.doc });
            let since = Instant::now();
            let resumed = resume.take();
            if let Some(LastEntry { resume, checksum }) = &resumed {
                let HalfDone { segment, segments, .. } = resume.half_done;
                if segments != it.n_segments() {
                    let half_done = resume.half_done.clone();
                    return Err(RunnerError::Rearranged { half_done, found: it.n_segments() });
                }
                progress(Event::Resuming { revision, segment, segments });
                if *checksum != it.checksum {
                    progress(Event::Warning(format!(
                        "the file of revision {revision} changed since its first segments were run; the rest is run as \
                         it is now"
                    )));
                }
            }
            self.apply(it, resumed.map(|it| it.resume), progress).await?;
            progress(Event::Done { revision, took: since.elapsed() });
        }
        Ok(works.len())
    }

    /// Warns of changed files and finds the revision to go on with, which has to be the first step.
    async fn check_log(
        &mut self,
        history: &History,
        steps: &[Step],
        progress: &mut Progress<'_>,
    ) -> Result<Option<LastEntry>, RunnerError> {
        if !self.session.exists(&self.tables.log.clone()).await? {
            return Ok(None);
        }
        let current = Current { rows: Vec::new(), half_done: None, log: self.log_entries().await? };
        for id in current.changed(history)? {
            progress(Event::Warning(format!("the file of revision {id} changed since it was applied")));
        }
        let Some(last) = self.last_entry().await? else { return Ok(None) };
        let half_done = &last.resume.half_done;
        let goes_on = steps.first().is_some_and(|it| {
            it.revision.as_str() == half_done.revision && it.direction == half_done.direction
        });
        if goes_on { Ok(Some(last)) } else { Err(RunnerError::HalfDone(half_done.clone())) }
    }

    fn check_hazards(&self, history: &History, work: &Work<'_>) -> Result<(), RunnerError> {
        if !self.options.refuse_hazards {
            return Ok(());
        }
        let revision = history.directory.read(work.id())?;
        let mut names: Vec<_> = segments(&revision, work.step.direction)
            .iter()
            .flat_map(|it| it.text.lines())
            .filter_map(|line| line.trim().strip_prefix("-- hazard "))
            .map(|it| it.split(':').next().unwrap_or(it).to_owned())
            .collect();
        let hazards = names.len();
        names.sort();
        names.dedup();
        if hazards == 0 {
            return Ok(());
        }
        Err(RunnerError::Hazards {
            revision: work.id().to_string(),
            direction: work.step.direction,
            hazards,
            kinds: names,
            path: work.path.to_path_buf(),
        })
    }

    async fn stamp_locked(
        &mut self,
        history: &History,
        targets: &[&str],
        purge: bool,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        let rows = if purge { Vec::new() } else { self.rows().await? };
        let steps = history.graph.stamp(targets, &rows)?;
        self.find_missing().await?;
        self.session.own("begin a transaction", "BEGIN").await?;
        let done = self.stamp_steps(history, &steps, purge, progress).await;
        if let Err(error) = done {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        self.session.own("commit the version rows", "COMMIT").await?;
        self.missing.clear();
        Ok(steps.len())
    }

    async fn stamp_steps(
        &mut self,
        history: &History,
        steps: &[Step],
        purge: bool,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        self.create_missing().await?;
        if purge {
            let doing = format!("empty the version table {}", self.tables.version);
            self.session.own(&doing, &self.tables.delete_versions()).await?;
        }
        for step in steps {
            let Step { revision, direction, from, to, .. } = step;
            progress(Event::Running { direction: *direction, revision, from, to, doc: &history.title(revision) });
            let checksum = match history.directory.get(revision) {
                Some(_) => history.directory.read(revision)?.checksum(),
                None => String::new(),
            };
            self.log_stamp(revision.as_str(), &checksum).await?;
            self.move_rows(step).await?;
        }
        if steps.is_empty() {
            // A stamp settles what a run left half done, even where no row moves.
            self.log_stamp("", "").await?;
        }
        Ok(())
    }

    async fn log_stamp(&mut self, revision: &str, checksum: &str) -> Result<(), RunnerError> {
        let direction = word(Direction::Stamp);
        let entry = LogEntry { revision, direction, segment: 1, segments: 1, statement: None, checksum };
        let doing = format!("write the log table {}", self.tables.log);
        self.session.own(&doing, &self.tables.insert_log(&entry, true)).await.map(drop)
    }

    async fn lock(&mut self, progress: &mut Progress<'_>) -> Result<(), RunnerError> {
        let table = self.tables.version.clone();
        if !self.session.try_lock(&table).await? {
            progress(Event::Waiting);
            self.session.lock(&table).await?;
        }
        Ok(())
    }

    /// Gives the lock back. An error of the run comes before one of the unlocking: the server gives the lock back
    /// itself when the connection ends.
    async fn unlock<T>(&mut self, done: Result<T, RunnerError>) -> Result<T, RunnerError> {
        let table = self.tables.version.clone();
        if matches!(done, Err(RunnerError::ConnectionLost { .. } | RunnerError::Driver { .. })) {
            return done;
        }
        let unlocked = self.session.unlock(&table).await;
        let value = done?;
        unlocked.map(|()| value)
    }

    /// Notes which of Limbeck's tables are not there.
    async fn find_missing(&mut self) -> Result<(), RunnerError> {
        self.missing.clear();
        let Tables { version, log } = self.tables.clone();
        if !self.session.exists(&version).await? {
            self.missing.push((format!("create the version table {version}"), self.tables.create_version()));
        }
        if !self.session.exists(&log).await? {
            self.missing.push((format!("create the log table {log}"), self.tables.create_log()));
        }
        Ok(())
    }

    /// Creates what is missing, in the transaction that is open.
    pub(crate) async fn create_missing(&mut self) -> Result<(), RunnerError> {
        for (doing, sql) in self.missing.clone() {
            self.session.own(&doing, &sql).await?;
        }
        Ok(())
    }

    async fn log_entries(&mut self) -> Result<BTreeMap<String, Entry>, RunnerError> {
        let doing = format!("read the log table {}", self.tables.log);
        let mut log = BTreeMap::new();
        for row in self.session.query(&doing, &self.tables.select_finished()).await? {
            let entry = Entry {
                direction: get(&doing, &row, 1)?,
                checksum: get(&doing, &row, 2)?,
                finished: get(&doing, &row, 3)?,
                by: get(&doing, &row, 4)?,
                seconds: get::<Option<f64>>(&doing, &row, 5)?.unwrap_or_default(),
            };
            log.insert(get(&doing, &row, 0)?, entry);
        }
        Ok(log)
    }

    /// The last entry of the log, if it says that a revision is half done.
    async fn last_entry(&mut self) -> Result<Option<LastEntry>, RunnerError> {
        let doing = format!("read the log table {}", self.tables.log);
        let rows = self.session.query(&doing, &self.tables.select_last()).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let number = |at| get::<i32>(&doing, row, at).map(|it| usize::try_from(it).unwrap_or_default());
        let (segment, segments, finished) = (number(3)?, number(4)?, get(&doing, row, 7)?);
        if finished && segment >= segments {
            return Ok(None);
        }
        let direction = match get::<String>(&doing, row, 2)?.as_str() {
            "downgrade" => Direction::Downgrade,
            _ => Direction::Upgrade,
        };
        let statement = get::<Option<i32>>(&doing, row, 5)?.and_then(|it| usize::try_from(it).ok());
        let half_done = HalfDone {
            revision: get(&doing, row, 1)?,
            direction,
            segment: if finished { segment + 1 } else { segment },
            segments,
            statement: if finished { None } else { statement },
            error: get(&doing, row, 8)?,
        };
        let resume = Resume { id: get(&doing, row, 0)?, half_done, finished };
        Ok(Some(LastEntry { resume, checksum: get(&doing, row, 6)? }))
    }
}

fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(doing: &str, row: &'r PgRow, at: usize) -> Result<T, RunnerError> {
    row.try_get(at).map_err(|error| RunnerError::own(doing, error))
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
    let revision = history.directory.read(id)?;
    let path = history
        .directory
        .get(id)
        .map(|it| it.path.as_path())
        .ok_or_else(|| limbeck_revision::RevisionError::UnknownRevision { revision: id.clone() })?;
    let part = |it: &Segment| {
        let transaction = it.mode == SegmentMode::Transaction;
        it.statements().map(|statements| Part { transaction, statements }).map_err(|error| {
            limbeck_revision::RevisionError::Syntax {
                path: path.to_owned(),
                line: error.line,
                problem: error.problem.into(),
            }
        })
    };
    let segments = segments(&revision, step.direction).iter().map(part).collect::<Result<Vec<_>, _>>()?;
    Ok(Work { step, path, doc: history.title(id), checksum: revision.checksum(), segments })
}
