//! What becomes of the history when revisions that are not applied move onto another head, or when one goes.

use std::collections::BTreeSet;

use super::error::GraphError;
use super::walk::{Along, NodeSet};
use super::{Node, RevisionGraph};
use crate::ids::RevisionId;

/// A revision with the revisions that it is to follow.
pub type Relinked = (RevisionId, Vec<RevisionId>);

/// A move of revisions from one head to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebase {
    /// The revisions that move, oldest first.
    pub moved: Vec<RevisionId>,
    /// Those of them that get other parents.
    pub relinked: Vec<Relinked>,
    /// The revisions that they come to stand on besides those that they stood on, oldest first.
    pub passed: Vec<RevisionId>,
}

/// What follows from taking a revision out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its children, which get its parents.
    pub relinked: Vec<Relinked>,
    /// The child that gets its branch labels, with all that it carries then.
    pub labels: Option<(RevisionId, Vec<String>)>,
}

impl RevisionGraph {
    /// Everything that a database has whose version table holds `rows`.
    ///
    /// # Errors
    ///
    /// [`GraphError::UnknownRow`].
    pub fn applied(&self, rows: &[RevisionId]) -> Result<BTreeSet<RevisionId>, GraphError> {
        let rows = self.row_indices(rows)?;
        let held = self.ancestors(&rows, Along::Dependencies);
        Ok(held.iter().map(|it| self.id(it).clone()).collect())
    }

    /// The other heads that share a revision with the head `tip`: those that it could be moved onto.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn siblings(&self, tip: &str) -> Result<Vec<&Node>, GraphError> {
        let Some(tip) = self.get_index(tip)? else {
            return Ok(Vec::new());
        };
        let line = self.ancestors(&[tip], Along::Versioned);
        let shares = |&it: &usize| {
            let mut other = self.ancestors(&[it], Along::Versioned);
            other.intersect_with(&line);
            it != tip && !other.is_empty()
        };
        let heads: Vec<usize> = self.heads.iter().copied().filter(shares).collect();
        Ok(self.pick(&heads))
    }

    /// Moves what `tip` has and `onto` has not, so that it follows `onto`.
    ///
    /// # Errors
    ///
    /// [`GraphError::NothingToMove`], [`GraphError::NothingShared`], [`GraphError::MoveInCircle`], and as
    /// [`Self::get`].
    pub fn rebase(&self, tip: &str, onto: &str) -> Result<Rebase, GraphError> {
        let (Some(tip), Some(onto)) = (self.get_index(tip)?, self.get_index(onto)?) else {
            return Err(GraphError::NothingToMove {
                tip: tip.to_owned(),
                onto: onto.to_owned(),
            });
        };
        let [line, goal] = [tip, onto].map(|it| self.ancestors(&[it], Along::Versioned));
        let less = |all: &NodeSet, other: &NodeSet| {
            let mut rest = all.clone();
            rest.subtract(other);
            rest
        };
        let (moved, passed) = (less(&line, &goal), less(&goal, &line));
        let names = || (self.id(tip).to_string(), self.id(onto).to_string());
        if moved.is_empty() || passed.is_empty() {
            let (tip, onto) = names();
            return Err(GraphError::NothingToMove { tip, onto });
        }
        if less(&line, &moved).is_empty() {
            let (tip, onto) = names();
            return Err(GraphError::NothingShared { tip, onto });
        }
        let mut needed = self.ancestors(&[onto], Along::Order);
        needed.intersect_with(&moved);
        if let Some(revision) = needed.iter().next() {
            return Err(GraphError::MoveInCircle {
                revision: self.id(revision).clone(),
                onto: self.id(onto).clone(),
            });
        }
        let mut relinked = Vec::new();
        for it in moved.iter() {
            let down = &self.links[it].down;
            if down.iter().any(|it| goal.contains(*it)) {
                let parents = down
                    .iter()
                    .map(|&it| if goal.contains(it) { onto } else { it });
                relinked.push((self.id(it).clone(), self.distinct(parents)));
            }
        }
        Ok(Rebase {
            moved: self.oldest_first(&moved),
            relinked,
            passed: self.oldest_first(&passed),
        })
    }

    /// What follows from taking out the revision with exactly this id: its children follow its parents, and its only
    /// child carries its branch labels.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotFound`], [`GraphError::Needed`] where another revision depends on it, and
    /// [`GraphError::LabelsOfFork`].
    pub fn removal(&self, id: &str) -> Result<Removal, GraphError> {
        let index = self.index(id).ok_or_else(|| GraphError::NotFound {
            text: id.to_owned(),
        })?;
        let (node, links) = (&self.nodes[index], &self.links[index]);
        let needs_it = |it: &&Node| {
            it.depends_on.iter().any(|needed| {
                let mut ids = std::iter::once(&node.id).chain(&node.replaces);
                let by_id = ids.any(|it| it.as_str() == needed.target);
                let by_label = links.next.is_empty() && node.labels.contains(&needed.target);
                !needed.if_present && (by_id || by_label)
            })
        };
        let by: Vec<_> = self
            .nodes
            .iter()
            .filter(needs_it)
            .map(Node::origin)
            .collect();
        if !by.is_empty() {
            let revision = node.id.clone();
            return Err(GraphError::Needed { revision, by });
        }
        let relinked = links.next.iter().map(|&child| {
            let down = self.links[child].down.iter().flat_map(|&it| {
                if it == index {
                    links.down.clone()
                } else {
                    vec![it]
                }
            });
            (self.id(child).clone(), self.distinct(down))
        });
        let labels = match (node.labels.is_empty(), links.next.as_slice()) {
            (true, _) | (_, []) => None,
            (false, [child]) => {
                let child = &self.nodes[*child];
                let labels = node.labels.iter().chain(&child.labels);
                Some((child.id.clone(), labels.cloned().collect()))
            }
            (false, _) => {
                return Err(GraphError::LabelsOfFork {
                    revision: node.id.clone(),
                    labels: node.labels.clone(),
                });
            }
        };
        Ok(Removal {
            relinked: relinked.collect(),
            labels,
        })
    }

    fn distinct(&self, indices: impl Iterator<Item = usize>) -> Vec<RevisionId> {
        let mut ids: Vec<RevisionId> = Vec::new();
        for it in indices.map(|it| self.id(it)) {
            if !ids.contains(it) {
                ids.push(it.clone());
            }
        }
        ids
    }

    pub(super) fn oldest_first(&self, members: &NodeSet) -> Vec<RevisionId> {
        let mut order: Vec<usize> = members.iter().collect();
        order.sort_by_key(|&it| self.links[it].rank);
        self.ids(order)
    }
}
