//! Stamps: version rows that move without anything being run.

use limbeck_revision::graph::{Direction, Step};

use crate::error::{RunnerError, word};
use crate::history::History;
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::tables::LogEntry;

impl Runner {
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

    async fn stamp_locked(
        &mut self,
        history: &History,
        targets: &[&str],
        purge: bool,
        progress: &mut Progress<'_>,
    ) -> Result<usize, RunnerError> {
        let rows = if purge {
            Vec::new()
        } else {
            // A stamp is the remedy where the version table is gone.
            self.rows_if_there().await?.unwrap_or_default()
        };
        let steps = history.graph.stamp(targets, &rows)?;
        self.find_missing().await?;
        self.session.own("begin a transaction", "BEGIN").await?;
        let done = self.stamp_steps(history, &steps, purge, progress).await;
        if let Err(error) = done {
            let _ = self.session.execute("ROLLBACK").await;
            return Err(error);
        }
        self.session
            .own("commit the version rows", "COMMIT")
            .await?;
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
            self.session
                .own(&doing, &self.tables.delete_versions())
                .await?;
        }
        for step in steps {
            let Step {
                revision,
                direction,
                from,
                to,
                ..
            } = step;
            progress(Event::Running {
                direction: *direction,
                revision,
                from,
                to,
                doc: &history.title(revision),
            });
            let checksum = match history.directory.get(revision) {
                Some(_) => history.checksum(revision)?,
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
        let entry = LogEntry {
            revision,
            direction,
            segment: 1,
            segments: 1,
            statement: None,
            checksum,
        };
        let doing = format!("write the log table {}", self.tables.log);
        self.session
            .own(&doing, &self.tables.insert_log(&entry, true))
            .await
            .map(drop)
    }
}
