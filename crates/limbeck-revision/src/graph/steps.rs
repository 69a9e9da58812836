//! What an upgrade, a downgrade or a stamp does, step by step.

use std::collections::BTreeSet;

use super::error::GraphError;
use super::select::{RangeOptions, Selection};
use super::walk::Along;
use super::{Node, RevisionGraph};
use crate::ids::RevisionId;

/// What a step does with its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Runs its upgrade.
    Upgrade,
    /// Runs its downgrade.
    Downgrade,
    /// Runs nothing; only the version rows change.
    Stamp,
}

/// One step, with its changes of the version table: deletes first, then inserts, then updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The revision that is applied, taken back, or stamped; for a stamp of base the row that goes.
    pub revision: RevisionId,
    /// What is done with it.
    pub direction: Direction,
    /// Where the step starts, dependencies left out, as the log says it: `Running upgrade A, B -> C`.
    pub from: Vec<RevisionId>,
    /// Where it ends, likewise.
    pub to: Vec<RevisionId>,
    /// Rows to delete.
    pub delete: Vec<RevisionId>,
    /// Rows to insert.
    pub insert: Vec<RevisionId>,
    /// Rows to change from one id to another.
    pub update: Vec<(RevisionId, RevisionId)>,
}

/// A step before it is known which rows the version table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A revision's upgrade.
    Upgrade(RevisionId),
    /// A revision's downgrade.
    Downgrade(RevisionId),
    /// A stamp.
    Stamp {
        /// The rows it starts from.
        from: Vec<RevisionId>,
        /// The revision it leads to; none for base.
        to: Vec<RevisionId>,
        /// How the rows change.
        by: StampMove,
    },
}

/// How a stamp changes the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampMove {
    /// A branch that has no row gets one.
    Enter,
    /// A branch loses its row.
    Leave,
    /// Rows below become the revision.
    Up,
    /// Rows above become the revision.
    Down,
}

impl RevisionGraph {
    /// The steps from `rows` up to `target`, oldest first; none if all of it is applied.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`], [`GraphError::MultipleTargets`] for `head` where there are several,
    /// [`GraphError::NotAnUpgrade`], and as [`Self::iterate`].
    pub fn upgrade(&self, target: &str, rows: &[RevisionId]) -> Result<Vec<Step>, GraphError> {
        self.row_indices(rows)?;
        self.bind(rows, &self.upgrade_moves(&target.into(), &rows.into())?)
    }

    /// The steps from `rows` down to `target`, newest first; none if the database is there.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`], [`GraphError::MultipleTargets`] for `head` where there are several,
    /// [`GraphError::NotADowngrade`], [`GraphError::AmbiguousDowngrade`], and as [`Self::iterate`].
    pub fn downgrade(&self, target: &str, rows: &[RevisionId]) -> Result<Vec<Step>, GraphError> {
        self.row_indices(rows)?;
        self.bind(rows, &self.downgrade_moves(&target.into(), &rows.into())?)
    }

    /// The steps that make the version table say `targets`, `base` for none of their branch, without running anything.
    ///
    /// A row that lies above or below a target becomes that target; a target of a branch without a row gets a new one;
    /// rows of other branches stay. Dependencies count as lineage.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`], [`GraphError::MultipleStamps`] for `head` where there are several, and as
    /// [`Self::get`].
    pub fn stamp(&self, targets: &[&str], rows: &[RevisionId]) -> Result<Vec<Step>, GraphError> {
        let mut state = self.state(rows)?;
        let mut steps = Vec::new();
        for it in self.stamp_moves(targets, &rows.into())? {
            let Some(it) = self.narrow(it, &state.rows) else {
                continue;
            };
            steps.push(self.step(&mut state, &it)?);
        }
        Ok(steps)
    }

    /// The moves of an upgrade, oldest first (`ScriptDirectory._upgrade_revs`).
    ///
    /// # Errors
    ///
    /// As [`Self::upgrade`], but for the rows, which may be shortened here.
    pub fn upgrade_moves(
        &self,
        target: &Selection,
        rows: &Selection,
    ) -> Result<Vec<Move>, GraphError> {
        let mut found = self
            .iterate_indices(target, rows, RangeOptions::UPGRADE)
            .map_err(|err| match err {
                GraphError::NotAncestor { .. } => GraphError::NotAnUpgrade {
                    target: target.to_string(),
                },
                err => for_target(err, target),
            })?;
        found.reverse();
        Ok(found
            .into_iter()
            .map(|it| Move::Upgrade(self.id(it).clone()))
            .collect())
    }

    /// The moves of a downgrade, newest first (`ScriptDirectory._downgrade_revs`).
    ///
    /// # Errors
    ///
    /// As [`Self::downgrade`], but for the rows, which may be shortened here.
    pub fn downgrade_moves(
        &self,
        target: &Selection,
        rows: &Selection,
    ) -> Result<Vec<Move>, GraphError> {
        let found = self
            .iterate_indices(rows, target, RangeOptions::DOWNGRADE)
            .map_err(|err| match err {
                GraphError::NotAncestor { .. } => GraphError::NotADowngrade {
                    target: target.to_string(),
                },
                err => for_target(err, target),
            })?;
        Ok(found
            .into_iter()
            .map(|it| Move::Downgrade(self.id(it).clone()))
            .collect())
    }

    /// The moves of a stamp, as `ScriptDirectory._stamp_revs` gives them: with several targets, each move names the
    /// rows of all of them, and [`Self::stamp`] narrows it to its own.
    ///
    /// # Errors
    ///
    /// As [`Self::stamp`], but for the rows, which may be shortened here.
    pub fn stamp_moves(&self, targets: &[&str], rows: &Selection) -> Result<Vec<Move>, GraphError> {
        let rows = self.get_indices(rows)?;
        let mut related: Vec<usize> = Vec::new();
        let mut destinations = Vec::new();
        for target in if targets.is_empty() {
            &["base"][..]
        } else {
            targets
        } {
            let of_target = self
                .filter_lineage(&rows, target, Along::Dependencies)
                .map_err(for_stamp)?;
            for it in of_target {
                if !related.contains(&it) {
                    related.push(it);
                }
            }
            destinations.extend(self.get_indices(&(*target).into()).map_err(for_stamp)?);
        }
        let leave = |&it: &usize| Move::Stamp {
            from: self.ids([it]),
            to: Vec::new(),
            by: StampMove::Leave,
        };
        self.add_wholes(&mut destinations, &rows);
        if destinations.is_empty() {
            return Ok(related.iter().map(leave).collect());
        }
        let mut moves = Vec::new();
        for destination in destinations.into_iter().filter(|it| !related.contains(it)) {
            let above = self.descendants(&[destination], Along::Dependencies);
            let below = self.ancestors(&[destination], Along::Dependencies);
            let by = if related.iter().any(|&it| above.contains(it)) {
                StampMove::Down
            } else if related.iter().any(|&it| below.contains(it)) {
                StampMove::Up
            } else {
                StampMove::Enter
            };
            let from = if by == StampMove::Enter {
                Vec::new()
            } else {
                self.ids(related.iter().copied())
            };
            moves.push(Move::Stamp {
                from,
                to: self.ids([destination]),
                by,
            });
        }
        Ok(moves)
    }

    /// Adds the squashed revisions that a stamp needs rows of, because something depends on a part of them.
    fn add_wholes(&self, destinations: &mut Vec<usize>, rows: &[usize]) {
        let mut held = [rows, destinations.as_slice()].concat();
        while let Some((_, whole)) = self.lacking(&held) {
            held.push(whole);
            destinations.push(whole);
        }
    }

    /// A stamp with those rows only that are still there and lie on one line with its target.
    fn narrow(&self, step: Move, current: &BTreeSet<usize>) -> Option<Move> {
        let Move::Stamp {
            from,
            to,
            by: StampMove::Up | StampMove::Down,
        } = &step
        else {
            return Some(step);
        };
        let destination = self.index(to.first()?.as_str())?;
        if current.contains(&destination) {
            return None;
        }
        let line = self.line_through(&[destination], Along::Dependencies);
        let held = |it: &&RevisionId| {
            self.index(it.as_str())
                .is_some_and(|it| current.contains(&it) && line.contains(it))
        };
        let from: Vec<RevisionId> = from.iter().filter(held).cloned().collect();
        let above = self.descendants(&[destination], Along::Dependencies);
        let by = match from.first().and_then(|it| self.index(it.as_str())) {
            None => StampMove::Enter,
            Some(it) if above.contains(it) => StampMove::Down,
            Some(_) => StampMove::Up,
        };
        Some(Move::Stamp {
            from,
            to: to.clone(),
            by,
        })
    }

    /// The line that the log has for a step: `upgrade A, B -> C, title`.
    #[must_use]
    pub fn log_line(&self, step: &Step) -> String {
        let verb = match step.direction {
            Direction::Upgrade => "upgrade",
            Direction::Downgrade => "downgrade",
            Direction::Stamp => "stamp",
        };
        let title = match step.direction {
            Direction::Stamp => None,
            Direction::Upgrade | Direction::Downgrade => {
                self.node(step.revision.as_str()).map(Node::title)
            }
        };
        let title = title
            .filter(|it| !it.is_empty())
            .map_or_else(String::new, |it| format!(", {it}"));
        let [from, to] = [&step.from, &step.to].map(|it| super::error::comma(it));
        format!("{verb} {from} -> {to}{title}")
    }
}

/// `head` was a target, so the answer speaks of targets.
fn for_target(err: GraphError, target: &Selection) -> GraphError {
    match err {
        GraphError::MultipleHeads { heads, .. } => GraphError::MultipleTargets {
            argument: target.to_string(),
            heads,
        },
        err => err,
    }
}

fn for_stamp(err: GraphError) -> GraphError {
    match err {
        GraphError::MultipleHeads { heads, .. } => GraphError::MultipleStamps { heads },
        err => err,
    }
}
