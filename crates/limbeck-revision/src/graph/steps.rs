//! What an upgrade, a downgrade or a stamp does, step by step, and what each step does to the version table.
//!
//! The version table holds the real heads of what is applied. A step deletes its row (a base goes, or what is left is
//! implied by another row), inserts one (a base, or none of its parents is a row), updates one to another, and at a
//! merge point or a dependency deletes or inserts the other rows besides (`HeadMaintainer.update_to_step`).

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

/// What one step does to the version table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowChange {
    /// Rows to delete.
    pub delete: Vec<RevisionId>,
    /// Rows to insert.
    pub insert: Vec<RevisionId>,
    /// Rows to change from one id to another.
    pub update: Vec<(RevisionId, RevisionId)>,
}

/// As [`RowChange`], by index.
#[derive(Debug, Default)]
struct Change {
    delete: Vec<usize>,
    insert: Vec<usize>,
    update: Vec<(usize, usize)>,
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
        let mut current: BTreeSet<usize> = self.row_indices(rows)?.into_iter().collect();
        let mut steps = Vec::new();
        for it in self.stamp_moves(targets, &rows.into())? {
            let Some(it) = self.narrow(it, &current) else { continue };
            steps.push(self.step(&mut current, &it)?);
        }
        Ok(steps)
    }

    /// The moves of an upgrade, oldest first (`ScriptDirectory._upgrade_revs`).
    ///
    /// # Errors
    ///
    /// As [`Self::upgrade`], but for the rows, which may be shortened here.
    pub fn upgrade_moves(&self, target: &Selection, rows: &Selection) -> Result<Vec<Move>, GraphError> {
        let mut found = self.iterate_indices(target, rows, RangeOptions::UPGRADE).map_err(|err| match err {
            GraphError::NotAncestor { .. } => GraphError::NotAnUpgrade { target: target.to_string() },
            err => for_target(err, target),
        })?;
        found.reverse();
        Ok(found.into_iter().map(|it| Move::Upgrade(self.id(it).clone())).collect())
    }

    /// The moves of a downgrade, newest first (`ScriptDirectory._downgrade_revs`).
    ///
    /// # Errors
    ///
    /// As [`Self::downgrade`], but for the rows, which may be shortened here.
    pub fn downgrade_moves(&self, target: &Selection, rows: &Selection) -> Result<Vec<Move>, GraphError> {
        let found = self.iterate_indices(rows, target, RangeOptions::DOWNGRADE).map_err(|err| match err {
            GraphError::NotAncestor { .. } => GraphError::NotADowngrade { target: target.to_string() },
            err => for_target(err, target),
        })?;
        Ok(found.into_iter().map(|it| Move::Downgrade(self.id(it).clone())).collect())
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
        for target in if targets.is_empty() { &["base"][..] } else { targets } {
            let of_target = self.filter_lineage(&rows, target, Along::Dependencies).map_err(for_stamp)?;
            for it in of_target {
                if !related.contains(&it) {
                    related.push(it);
                }
            }
            destinations.extend(self.get_indices(&(*target).into()).map_err(for_stamp)?);
        }
        let leave = |&it: &usize| Move::Stamp { from: self.ids([it]), to: Vec::new(), by: StampMove::Leave };
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
            let from = if by == StampMove::Enter { Vec::new() } else { self.ids(related.iter().copied()) };
            moves.push(Move::Stamp { from, to: self.ids([destination]), by });
        }
        Ok(moves)
    }

    /// What `step` does to `rows`, which are changed accordingly (`HeadMaintainer.update_to_step`).
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`] and [`GraphError::RowMismatch`].
    pub fn apply(&self, rows: &mut BTreeSet<RevisionId>, step: &Move) -> Result<RowChange, GraphError> {
        let listed: Vec<RevisionId> = rows.iter().cloned().collect();
        let mut current: BTreeSet<usize> = self.row_indices(&listed)?.into_iter().collect();
        let Step { delete, insert, update, .. } = self.step(&mut current, step)?;
        *rows = self.ids(current).into_iter().collect();
        Ok(RowChange { delete, insert, update })
    }

    fn bind(&self, rows: &[RevisionId], moves: &[Move]) -> Result<Vec<Step>, GraphError> {
        let mut current: BTreeSet<usize> = self.row_indices(rows)?.into_iter().collect();
        moves.iter().map(|it| self.step(&mut current, it)).collect()
    }

    /// A stamp with those rows only that are still there and lie on one line with its target.
    fn narrow(&self, step: Move, current: &BTreeSet<usize>) -> Option<Move> {
        let Move::Stamp { from, to, by: StampMove::Up | StampMove::Down } = &step else { return Some(step) };
        let destination = self.index(to.first()?.as_str())?;
        if current.contains(&destination) {
            return None;
        }
        let line = self.line_through(&[destination], Along::Dependencies);
        let held = |it: &&RevisionId| {
            self.index(it.as_str()).is_some_and(|it| current.contains(&it) && line.contains(it))
        };
        let from: Vec<RevisionId> = from.iter().filter(held).cloned().collect();
        let above = self.descendants(&[destination], Along::Dependencies);
        let by = match from.first().and_then(|it| self.index(it.as_str())) {
            None => StampMove::Enter,
            Some(it) if above.contains(it) => StampMove::Down,
            Some(_) => StampMove::Up,
        };
        Some(Move::Stamp { from, to: to.clone(), by })
    }

    fn step(&self, current: &mut BTreeSet<usize>, step: &Move) -> Result<Step, GraphError> {
        let index = |id: &RevisionId| self.index(id.as_str()).ok_or_else(|| GraphError::UnknownRow { row: id.clone() });
        let (revision, direction, from, to, change) = match step {
            Move::Upgrade(id) => {
                let it = index(id)?;
                let change = self.change_by_upgrade(it, current);
                (it, Direction::Upgrade, self.ids(self.links[it].down.iter().copied()), vec![id.clone()], change)
            }
            Move::Downgrade(id) => {
                let it = index(id)?;
                let change = self.change_by_downgrade(it, current);
                (it, Direction::Downgrade, vec![id.clone()], self.ids(self.links[it].down.iter().copied()), change)
            }
            Move::Stamp { from, to, by } => {
                let sources = from.iter().map(index).collect::<Result<Vec<_>, _>>()?;
                let destinations = to.iter().map(index).collect::<Result<Vec<_>, _>>()?;
                let Some(&revision) = destinations.first().or(sources.first()) else {
                    return Err(GraphError::NotFound { text: String::new() });
                };
                let change = change_by_stamp(&sources, &destinations, *by, current);
                (revision, Direction::Stamp, from.clone(), to.clone(), change)
            }
        };
        self.change(current, revision, &change)?;
        let update = change.update.iter().map(|&(old, new)| (self.id(old).clone(), self.id(new).clone())).collect();
        Ok(Step {
            revision: self.id(revision).clone(),
            direction,
            from,
            to,
            delete: self.ids(change.delete),
            insert: self.ids(change.insert),
            update,
        })
    }

    fn change_by_upgrade(&self, revision: usize, current: &BTreeSet<usize>) -> Change {
        let down = &self.links[revision].normalized_down;
        let rows: Vec<usize> = down.iter().copied().filter(|it| current.contains(it)).collect();
        let others = || current.iter().copied().filter(|it| !down.contains(it));
        match rows.as_slice() {
            [] => Change { insert: vec![revision], ..Change::default() },
            [row] => Change { update: vec![(*row, revision)], ..Change::default() },
            // A parent that another row implies is no row of its own.
            _ => replace(rows.into_iter().filter(|&it| !self.any_needs(others(), it)).collect(), revision),
        }
    }

    fn change_by_downgrade(&self, revision: usize, current: &BTreeSet<usize>) -> Change {
        let down = &self.links[revision].normalized_down;
        if !current.contains(&revision) {
            // The row is missing; naming the update that Alembic would do lets `change` say so.
            return Change { update: down.first().map(|&it| (revision, it)).into_iter().collect(), ..Change::default() };
        }
        let others: Vec<usize> = current.iter().copied().filter(|&it| it != revision).collect();
        let implied = |it: usize| {
            if others.is_empty() {
                self.any_needs(down.iter().copied().filter(|&other| other != it), it)
            } else {
                self.any_needs(others.iter().copied(), it)
            }
        };
        let mut left: Vec<usize> = down.iter().copied().filter(|&it| !implied(it)).collect();
        match left.pop() {
            None => Change { delete: vec![revision], ..Change::default() },
            Some(last) => Change { insert: left, update: vec![(revision, last)], ..Change::default() },
        }
    }

    /// Carries out a change on the rows, which have to fit.
    fn change(&self, rows: &mut BTreeSet<usize>, revision: usize, change: &Change) -> Result<(), GraphError> {
        let mismatch = |row: usize, found| GraphError::RowMismatch {
            revision: self.id(revision).clone(),
            row: self.id(row).clone(),
            found,
        };
        let Change { delete, insert, update } = change;
        for &row in delete.iter().chain(update.iter().map(|(old, _)| old)) {
            if !rows.remove(&row) {
                return Err(mismatch(row, false));
            }
        }
        for &row in insert.iter().chain(update.iter().map(|(_, new)| new)) {
            if !rows.insert(row) {
                return Err(mismatch(row, true));
            }
        }
        Ok(())
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
            Direction::Upgrade | Direction::Downgrade => self.node(step.revision.as_str()).map(Node::title),
        };
        let title = title.filter(|it| !it.is_empty()).map_or_else(String::new, |it| format!(", {it}"));
        let [from, to] = [&step.from, &step.to].map(|it| super::error::comma(it));
        format!("{verb} {from} -> {to}{title}")
    }
}

/// The last of the rows becomes the revision, the others go.
fn replace(mut rows: Vec<usize>, revision: usize) -> Change {
    match rows.pop() {
        Some(last) => Change { delete: rows, update: vec![(last, revision)], ..Change::default() },
        None => Change { insert: vec![revision], ..Change::default() },
    }
}

fn change_by_stamp(from: &[usize], to: &[usize], by: StampMove, current: &BTreeSet<usize>) -> Change {
    let missing = from.iter().any(|it| !current.contains(it));
    let new = to.iter().any(|it| !current.contains(it));
    match (by, to) {
        (StampMove::Leave, _) | (_, []) => Change { delete: from.to_vec(), ..Change::default() },
        (StampMove::Enter, _) if new => Change { insert: to.to_vec(), ..Change::default() },
        (StampMove::Up, _) if missing && new => Change { insert: to.to_vec(), ..Change::default() },
        (_, [revision, ..]) => replace(from.to_vec(), *revision),
    }
}

/// `head` was a target, so the answer speaks of targets.
fn for_target(err: GraphError, target: &Selection) -> GraphError {
    match err {
        GraphError::MultipleHeads { heads, .. } => GraphError::MultipleTargets { argument: target.to_string(), heads },
        err => err,
    }
}

fn for_stamp(err: GraphError) -> GraphError {
    match err {
        GraphError::MultipleHeads { heads, .. } => GraphError::MultipleStamps { heads },
        err => err,
    }
}
