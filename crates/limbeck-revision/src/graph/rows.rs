//! What each step does to the version table.
//!
//! The version table holds the real heads of what is applied. A step deletes its row (a base goes, or what is left is
//! implied by another row), inserts one (a base, or none of its parents is a row), updates one to another, and at a
//! merge point or a dependency deletes or inserts the other rows besides (`HeadMaintainer.update_to_step`).

use std::collections::BTreeSet;

use super::RevisionGraph;
use super::error::GraphError;
use super::steps::{Direction, Move, StampMove, Step};
use super::walk::{Along, NodeSet};
use crate::ids::RevisionId;

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

/// The version table, and what it stands for.
pub(super) struct State {
    pub(super) rows: BTreeSet<usize>,
    /// The rows and everything that they need.
    applied: NodeSet,
}

impl RevisionGraph {
    /// What `step` does to `rows`, which are changed accordingly (`HeadMaintainer.update_to_step`).
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`] and [`GraphError::RowMismatch`].
    pub fn apply(
        &self,
        rows: &mut BTreeSet<RevisionId>,
        step: &Move,
    ) -> Result<RowChange, GraphError> {
        let listed: Vec<RevisionId> = rows.iter().cloned().collect();
        let mut state = self.state(&listed)?;
        let Step {
            delete,
            insert,
            update,
            ..
        } = self.step(&mut state, step)?;
        *rows = self.ids(state.rows).into_iter().collect();
        Ok(RowChange {
            delete,
            insert,
            update,
        })
    }

    pub(super) fn bind(
        &self,
        rows: &[RevisionId],
        moves: &[Move],
    ) -> Result<Vec<Step>, GraphError> {
        let mut state = self.state(rows)?;
        moves.iter().map(|it| self.step(&mut state, it)).collect()
    }

    pub(super) fn state(&self, rows: &[RevisionId]) -> Result<State, GraphError> {
        let rows = self.row_indices(rows)?;
        let applied = self.ancestors(&rows, Along::Dependencies);
        Ok(State {
            rows: rows.into_iter().collect(),
            applied,
        })
    }

    pub(super) fn step(&self, state: &mut State, step: &Move) -> Result<Step, GraphError> {
        let index = |id: &RevisionId| {
            self.index(id.as_str())
                .ok_or_else(|| GraphError::UnknownRow { row: id.clone() })
        };
        let (revision, direction, from, to, change) = match step {
            Move::Upgrade(id) => {
                let it = index(id)?;
                let change = self.change_by_upgrade(it, state);
                state.applied.insert(it);
                (
                    it,
                    Direction::Upgrade,
                    self.ids(self.links[it].down.iter().copied()),
                    vec![id.clone()],
                    change,
                )
            }
            Move::Downgrade(id) => {
                let it = index(id)?;
                let change = self.change_by_downgrade(it, state);
                state.applied.remove(it);
                (
                    it,
                    Direction::Downgrade,
                    vec![id.clone()],
                    self.ids(self.links[it].down.iter().copied()),
                    change,
                )
            }
            Move::Stamp { from, to, by } => {
                let sources = from.iter().map(index).collect::<Result<Vec<_>, _>>()?;
                let destinations = to.iter().map(index).collect::<Result<Vec<_>, _>>()?;
                let Some(&revision) = destinations.first().or(sources.first()) else {
                    return Err(GraphError::NotFound {
                        text: String::new(),
                    });
                };
                let change = change_by_stamp(&sources, &destinations, *by, &state.rows);
                (revision, Direction::Stamp, from.clone(), to.clone(), change)
            }
        };
        self.change(&mut state.rows, revision, &change)?;
        if direction == Direction::Stamp {
            let rows: Vec<usize> = state.rows.iter().copied().collect();
            state.applied = self.ancestors(&rows, Along::Dependencies);
        }
        let update = change
            .update
            .iter()
            .map(|&(old, new)| (self.id(old).clone(), self.id(new).clone()))
            .collect();
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

    fn change_by_upgrade(&self, revision: usize, state: &State) -> Change {
        let down = &self.links[revision].normalized_down;
        let rows: Vec<usize> = down
            .iter()
            .copied()
            .filter(|it| state.rows.contains(it))
            .collect();
        // A parent that another row implies is no row of its own, but a damaged table may have it.
        let implied = |it: usize| {
            self.links[it]
                .all_next
                .iter()
                .any(|&next| state.applied.contains(next))
                && self.any_needs(
                    state
                        .rows
                        .iter()
                        .copied()
                        .filter(|other| !down.contains(other)),
                    it,
                )
        };
        match rows.as_slice() {
            [] => Change {
                insert: vec![revision],
                ..Change::default()
            },
            [row] => Change {
                update: vec![(*row, revision)],
                ..Change::default()
            },
            _ => replace(
                rows.into_iter().filter(|&it| !implied(it)).collect(),
                revision,
            ),
        }
    }

    fn change_by_downgrade(&self, revision: usize, state: &State) -> Change {
        let down = &self.links[revision].normalized_down;
        if !state.rows.contains(&revision) {
            // The row is missing; naming the update that Alembic would do lets `change` say so.
            return Change {
                update: down.first().map(|&it| (revision, it)).into_iter().collect(),
                ..Change::default()
            };
        }
        // What something else that stays needs is implied. Alembic looks at the other parents only if there is no other
        // row, and so can leave rows that the next upgrade refuses as overlapping.
        let implied = |it: usize| {
            let needed = self.links[it]
                .all_next
                .iter()
                .any(|&next| next != revision && state.applied.contains(next));
            needed || state.rows.contains(&it)
        };
        let mut left: Vec<usize> = down.iter().copied().filter(|&it| !implied(it)).collect();
        match left.pop() {
            None => Change {
                delete: vec![revision],
                ..Change::default()
            },
            Some(last) => Change {
                insert: left,
                update: vec![(revision, last)],
                ..Change::default()
            },
        }
    }

    /// Carries out a change on the rows, which have to fit.
    fn change(
        &self,
        rows: &mut BTreeSet<usize>,
        revision: usize,
        change: &Change,
    ) -> Result<(), GraphError> {
        let mismatch = |row: usize, found| GraphError::RowMismatch {
            revision: self.id(revision).clone(),
            row: self.id(row).clone(),
            found,
        };
        let Change {
            delete,
            insert,
            update,
        } = change;
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
}

/// The last of the rows becomes the revision, the others go.
fn replace(mut rows: Vec<usize>, revision: usize) -> Change {
    match rows.pop() {
        Some(last) => Change {
            delete: rows,
            update: vec![(last, revision)],
            ..Change::default()
        },
        None => Change {
            insert: vec![revision],
            ..Change::default()
        },
    }
}

fn change_by_stamp(
    from: &[usize],
    to: &[usize],
    by: StampMove,
    current: &BTreeSet<usize>,
) -> Change {
    let missing = from.iter().any(|it| !current.contains(it));
    let new = to.iter().any(|it| !current.contains(it));
    match (by, to) {
        (StampMove::Leave, _) | (_, []) => Change {
            delete: from.to_vec(),
            ..Change::default()
        },
        (StampMove::Enter, _) if new => Change {
            insert: to.to_vec(),
            ..Change::default()
        },
        (StampMove::Up, _) if missing && new => Change {
            insert: to.to_vec(),
            ..Change::default()
        },
        (_, [revision, ..]) => replace(from.to_vec(), *revision),
    }
}
