//! What a run would do, without doing it.

use std::path::PathBuf;

use limbeck_revision::graph::{Direction, Step};
use limbeck_revision::{RevisionId, Segment};

use crate::error::{RunnerError, word};
use crate::half_done::{HalfDone, Reached};
use crate::history::History;
use crate::options::Transactions;
use crate::runner::Runner;
use crate::work::{Part, segments, work};

/// A revision that would be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// `upgrade` or `downgrade`.
    pub direction: &'static str,
    /// The revision.
    pub revision: RevisionId,
    /// As the run would announce it: `Running upgrade f0e7 -> 9e31, Add email`.
    pub line: String,
    /// Its file.
    pub path: PathBuf,
    /// Its segments in order; none if it runs nothing.
    pub segments: Vec<PlannedSegment>,
    /// What its lines `-- hazard` say, in the direction of the run.
    pub hazards: Vec<String>,
    /// Where an earlier run stopped inside of it, if one did: this run would go on there.
    pub half_done: Option<HalfDone>,
}

/// A segment that would be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSegment {
    /// Whether it runs in a transaction.
    pub transaction: bool,
    /// How many statements it has.
    pub statements: usize,
}

impl Planned {
    /// Its segments in a few words: `3 statements`, or `2 segments: 1 statement, 2 statements outside transactions`.
    #[must_use]
    pub fn outline(&self) -> String {
        let segment = |it: &PlannedSegment| {
            let plural = if it.statements == 1 { "" } else { "s" };
            let outside = if it.transaction {
                ""
            } else {
                " outside transactions"
            };
            format!("{} statement{plural}{outside}", it.statements)
        };
        match self.segments.as_slice() {
            [] => "no statements".to_owned(),
            [one] => segment(one),
            all => format!(
                "{} segments: {}",
                all.len(),
                all.iter().map(segment).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

impl Planned {
    /// Where the run would go on: `goes on with segment 2 of 3 at its statement 1, where an earlier run stopped`. None if
    /// no earlier run stopped in this revision.
    #[must_use]
    pub fn goes_on(&self) -> Option<String> {
        let HalfDone {
            segment,
            segments,
            statement,
            reached,
            ..
        } = self.half_done.as_ref()?;
        let mut text = format!("goes on with segment {segment} of {segments}");
        if let Some(statement) = statement {
            text.push_str(&format!(" at its statement {statement}"));
        }
        text.push_str(match reached {
            Reached::UnderWay { .. } => {
                ", which was under way when an earlier run was broken off: what became of it is looked up first"
            }
            Reached::Failed { .. } => ", which failed in an earlier run",
            Reached::NotBegun => ", where an earlier run stopped",
        });
        Some(text)
    }
}

impl Runner {
    /// The revisions that [`Self::upgrade`] or [`Self::downgrade`] to `target` would run now, read and checked as a run
    /// does. Nothing is locked and nothing changed, so another run may come in between.
    ///
    /// # Errors
    /// As those two, but for what only the statements themselves can bring about; [`RunnerError::HalfDone`] if an
    /// earlier run stopped inside of a revision.
    pub async fn dry_run(
        &mut self,
        history: &History,
        direction: Direction,
        target: &str,
    ) -> Result<Vec<Planned>, RunnerError> {
        let rows = self.rows().await?;
        let steps = match direction {
            Direction::Downgrade => history.graph.downgrade(target, &rows)?,
            Direction::Upgrade => history.graph.upgrade(target, &rows)?,
            Direction::Stamp => history.graph.stamp(&[target], &rows)?,
        };
        let mut half_done = None;
        if self.session.exists(&self.tables.log.clone()).await? {
            half_done = self.find_half_done(history, &steps).await?;
        }
        let joins = self.options.transaction != Transactions::Segment;
        steps
            .iter()
            .map(|step| {
                let resume = half_done.take().map(|it| it.resume.half_done);
                // What was begun by segments is ended by segments.
                let mut it = planned(history, step, joins && resume.is_none())?;
                it.half_done = resume;
                Ok(it)
            })
            .collect()
    }
}

fn planned(history: &History, step: &Step, joins: bool) -> Result<Planned, RunnerError> {
    let mut it = work(history, step)?;
    it.check_control()?;
    if joins {
        it.join()?;
    }
    let file = history.read(it.id())?;
    let texts = segments(&file, step.direction);
    let hazards = texts.iter().flat_map(Segment::hazards).map(str::to_owned);
    let segment = |it: &Part| PlannedSegment {
        transaction: it.transaction,
        statements: it.statements.len(),
    };
    Ok(Planned {
        direction: word(step.direction),
        revision: it.id().clone(),
        line: it.running().line(),
        path: it.path.to_path_buf(),
        segments: it.segments.iter().map(segment).collect(),
        hazards: hazards.collect(),
        half_done: None,
    })
}
