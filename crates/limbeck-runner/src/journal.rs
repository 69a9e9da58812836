//! What the log says: where a database stands, and what a run has to go on with.

use std::collections::BTreeMap;

use limbeck_revision::RevisionId;
use limbeck_revision::graph::Direction;

use crate::error::{RunnerError, word};
use crate::half_done::{HalfDone, Reached};
use crate::history::{Change, History};
use crate::runner::Runner;
use crate::session::get;
use crate::work::Resume;

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
    /// Its place in the log.
    pub(crate) number: i64,
}

/// The first line of the log that a run has to look at.
#[derive(Debug)]
pub(crate) struct LastEntry {
    pub(crate) resume: Resume,
    pub(crate) checksum: String,
}

impl Current {
    /// Returns what is to be said of applied revisions that are no longer what was run: the file changed or is gone, or
    /// a variable in it has another value. The checksums of files are compared to those of the log; a file that a squash
    /// wrote stands for those from before it.
    ///
    /// # Errors
    /// If a file cannot be read, or a variable has no value.
    pub fn changed(&self, history: &History) -> Result<Vec<String>, RunnerError> {
        let mut changed = Vec::new();
        let last_stamp = self
            .log
            .values()
            .filter(|it| it.direction == word(Direction::Stamp))
            .map(|it| it.number)
            .max();
        let first = self.log.values().map(|it| it.number).min();
        for (id, entry) in self
            .log
            .iter()
            .filter(|(_, it)| it.direction == word(Direction::Upgrade))
        {
            let Some(node) = history.graph.node(id) else {
                // What a stamp went below may be removed; only the log's order tells.
                let is_applied = last_stamp.is_none_or(|it| it < entry.number);
                if is_applied && history.graph.replaced(id).is_none() {
                    changed.push(format!(
                        "the log says that revision {id} is applied, and its file is gone; put it back from version \
                         control, or write with `limbeck stamp` where the database is"
                    ));
                }
                continue;
            };
            let is_known = |it: &RevisionId| self.log.contains_key(it.as_str());
            changed.extend(match history.change_since(&node.id, &entry.checksum)? {
                Change::None => None,
                Change::Variable => Some(format!(
                    "a variable of revision {id} had another value when it was applied"
                )),
                Change::File => Some(format!(
                    "the file of revision {id} changed since it was applied"
                )),
                // A log that begins with this revision knows none from before it.
                Change::Squashed(replaced)
                    if !replaced.is_empty()
                        && (replaced.iter().any(is_known) || first == Some(entry.number)) =>
                {
                    None
                }
                Change::Squashed(_) => Some(format!(
                    "the file of revision {id} changed since it was applied; the line `checksum:` of its header says that \
                     a squash wrote it, and the log knows no revision that it would replace"
                )),
            });
        }
        Ok(changed)
    }
}

impl Runner {
    /// Where the database stands. Nothing is created and nothing locked.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn current(&mut self) -> Result<Current, RunnerError> {
        let rows = self.rows().await?;
        if !self.session.exists(&self.tables.log.clone()).await? {
            return Ok(Current {
                rows,
                half_done: None,
                log: BTreeMap::new(),
            });
        }
        let half_done = self.last_entry().await?.map(|it| it.resume.half_done);
        Ok(Current {
            rows,
            half_done,
            log: self.log_entries().await?,
        })
    }

    pub(crate) async fn log_entries(&mut self) -> Result<BTreeMap<String, Entry>, RunnerError> {
        let doing = format!("read the log table {}", self.tables.log);
        let mut log = BTreeMap::new();
        for row in self
            .session
            .query(&doing, &self.tables.select_finished())
            .await?
        {
            let entry = Entry {
                direction: get(&doing, &row, 1)?,
                checksum: get(&doing, &row, 2)?,
                finished: get(&doing, &row, 3)?,
                by: get(&doing, &row, 4)?,
                seconds: get::<Option<f64>>(&doing, &row, 5)?.unwrap_or_default(),
                number: get(&doing, &row, 6)?,
            };
            log.insert(get(&doing, &row, 0)?, entry);
        }
        Ok(log)
    }

    /// The last entry of the log, if it says that a revision is half done.
    pub(crate) async fn last_entry(&mut self) -> Result<Option<LastEntry>, RunnerError> {
        let doing = format!("read the log table {}", self.tables.log);
        let rows = self
            .session
            .query(&doing, &self.tables.select_last())
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let number =
            |at| get::<i32>(&doing, row, at).map(|it| usize::try_from(it).unwrap_or_default());
        let (segment, segments, finished) = (number(3)?, number(4)?, get(&doing, row, 7)?);
        if finished && segment >= segments {
            return Ok(None);
        }
        let direction = match get::<String>(&doing, row, 2)?.as_str() {
            "downgrade" => Direction::Downgrade,
            _ => Direction::Upgrade,
        };
        let statement = get::<Option<i32>>(&doing, row, 5)?.and_then(|it| usize::try_from(it).ok());
        let error: Option<String> = get(&doing, row, 8)?;
        let half_done = HalfDone {
            revision: get(&doing, row, 1)?,
            direction,
            segment: if finished { segment + 1 } else { segment },
            segments,
            statement: if finished { None } else { statement },
            reached: Reached::read(error.as_deref()),
        };
        let resume = Resume {
            id: get(&doing, row, 0)?,
            half_done,
            finished,
        };
        Ok(Some(LastEntry {
            resume,
            checksum: get(&doing, row, 6)?,
        }))
    }
}
