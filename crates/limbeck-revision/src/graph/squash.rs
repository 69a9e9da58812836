//! Which revisions a range to squash holds, and what is said of the one that comes in their place.

use super::error::GraphError;
use super::select::{Overwalk, Selection, ends_of};
use super::target::{Place, signed_number};
use super::walk::{Along, NodeSet};
use super::{Node, RevisionGraph};
use crate::header::Dependency;
use crate::ids::RevisionId;

/// One revision in the place of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Squash {
    /// The revisions of the range, oldest first. The last one gives its id: what follows it and version rows that are
    /// past it stay as they are.
    pub members: Vec<RevisionId>,
    /// What the first of them follows.
    pub revises: Vec<RevisionId>,
    /// The branch labels of all of them.
    pub labels: Vec<String>,
    /// What they depend on, but for each other.
    pub depends_on: Vec<Dependency>,
    /// All members but the last one, and what they replace themselves, oldest first.
    pub replaces: Vec<RevisionId>,
    /// What has to be applied before, oldest first.
    pub before: Vec<RevisionId>,
}

impl RevisionGraph {
    /// The squash of a range `[start]:[end]`, whose ends are those of [`Self::history`], both included. The revisions
    /// have to follow each other, and nothing else may follow one of them but the last.
    ///
    /// # Errors
    ///
    /// [`GraphError::HistoryRange`], [`GraphError::SquashNothing`], [`GraphError::SquashOne`],
    /// [`GraphError::SquashEnd`], [`GraphError::SquashMerge`], [`GraphError::SquashFork`],
    /// [`GraphError::SquashLabel`], [`GraphError::SquashBetween`], [`GraphError::RangeNotAncestor`], and as [`Self::get`] for the ends.
    pub fn squash(&self, range: &str, rows: &[RevisionId]) -> Result<Squash, GraphError> {
        let (start, end) = ends_of(range)?;
        let nothing = || GraphError::SquashNothing {
            range: range.to_owned(),
        };
        let last = self.squash_end(start, end, rows)?.ok_or_else(nothing)?;
        let first = self.squash_start(start, last, rows)?;
        let line = self.ancestors(&[last], Along::Versioned);
        if first.is_some_and(|it| !line.contains(it)) {
            return Err(GraphError::RangeNotAncestor {
                lower: start.to_owned(),
                upper: end.to_owned(),
            });
        }
        let members = self.straight(first, last)?;
        if let [only] = members.as_slice() {
            return Err(GraphError::SquashOne {
                range: range.to_owned(),
                revision: self.id(*only).clone(),
            });
        }
        self.refuse_own_labels(&members, last)?;
        let before = self.needed_before(&members, last)?;
        let nodes = || members.iter().map(|&it| &self.nodes[it]);
        let replaced = |node: &Node| {
            let own = (node.id != *self.id(last)).then(|| node.id.clone());
            node.replaces.iter().cloned().chain(own).collect::<Vec<_>>()
        };
        Ok(Squash {
            revises: self.nodes[members[0]].down.clone(),
            labels: nodes().flat_map(|it| it.labels.clone()).collect(),
            depends_on: self.united(&members),
            replaces: nodes().flat_map(replaced).collect(),
            members: self.ids(members),
            before,
        })
    }

    /// The last revision of the range; none for an empty history or a range that ends at the base.
    fn squash_end(
        &self,
        start: &str,
        end: &str,
        rows: &[RevisionId],
    ) -> Result<Option<usize>, GraphError> {
        let found = match end {
            "" => return self.get_index("head"),
            "current" => self.row_indices(rows)?,
            text => {
                let lower = match start {
                    "" => Selection::BASE,
                    "current" => Selection::from(rows),
                    // Steps from the end say nothing about where it is.
                    text if signed_number(text).is_some() => Selection::BASE,
                    text => Selection::from(text),
                };
                self.upgrade_targets(&lower, &text.into(), Overwalk::StopAtEnd)?
            }
        };
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            _ => Err(self.no_single_end(end, found)),
        }
    }

    /// The first revision of the range; none if it begins at the base.
    fn squash_start(
        &self,
        start: &str,
        last: usize,
        rows: &[RevisionId],
    ) -> Result<Option<usize>, GraphError> {
        let found = match start {
            "" => return Ok(None),
            "current" => self.row_indices(rows)?,
            text => match signed_number(text).filter(|it| *it < 0) {
                Some(steps) => {
                    let place = self.walk(Place::Revision(last), steps, None, true)?;
                    return Ok(place.and_then(Place::revision));
                }
                None => self.get_indices(&text.into())?,
            },
        };
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            _ => Err(self.no_single_end(start, found)),
        }
    }

    fn no_single_end(&self, end: &str, found: Vec<usize>) -> GraphError {
        GraphError::SquashEnd {
            end: end.to_owned(),
            revisions: self.ids(found),
        }
    }

    /// The revisions from `last` down to `first` or a base, oldest first, if nothing forks or merges between.
    fn straight(&self, first: Option<usize>, last: usize) -> Result<Vec<usize>, GraphError> {
        let mut members = vec![last];
        let mut it = last;
        while Some(it) != first {
            let below = match self.links[it].down.as_slice() {
                [] => break,
                [below] => *below,
                several => {
                    return Err(GraphError::SquashMerge {
                        revision: self.nodes[it].origin(),
                        merges: self.ids(several.iter().copied()),
                    });
                }
            };
            let others = self.links[below].next.iter().filter(|&&next| next != it);
            let by: Vec<_> = others.map(|&it| self.nodes[it].origin()).collect();
            if !by.is_empty() {
                return Err(GraphError::SquashFork {
                    revision: self.nodes[below].origin(),
                    by,
                });
            }
            members.push(below);
            it = below;
        }
        members.reverse();
        Ok(members)
    }

    /// Who depends on a label of the last revision has it whole, and afterwards it could not be told from who depends on
    /// a label of another one.
    fn refuse_own_labels(&self, members: &[usize], last: usize) -> Result<(), GraphError> {
        let Node {
            id,
            labels,
            replaces,
            ..
        } = &self.nodes[last];
        let outside =
            (0..self.nodes.len()).filter(|it| replaces.is_empty() && !members.contains(it));
        for node in outside.map(|it| &self.nodes[it]) {
            let mut targets = node.depends_on.iter().map(|it| &it.target);
            if let Some(label) = targets.find(|it| labels.contains(it)) {
                return Err(GraphError::SquashLabel {
                    revision: id.clone(),
                    label: label.clone(),
                    by: node.origin(),
                });
            }
        }
        Ok(())
    }

    /// What the members need and are not themselves, oldest first; none of it may need one of them.
    fn needed_before(&self, members: &[usize], last: usize) -> Result<Vec<RevisionId>, GraphError> {
        let mut inside = NodeSet::new(self.nodes.len());
        for &it in members {
            inside.insert(it);
        }
        let mut before = self.ancestors(&[last], Along::Order);
        before.subtract(&inside);
        let mut between = self.descendants(members, Along::Order);
        between.intersect_with(&before);
        if let Some(it) = between.iter().next() {
            let needed = self.ancestors(&[it], Along::Order);
            let below = members.iter().rev().find(|&&it| needed.contains(it));
            return Err(GraphError::SquashBetween {
                between: self.nodes[it].origin(),
                below: self.id(*below.unwrap_or(&last)).clone(),
                above: self.id(last).clone(),
            });
        }
        Ok(self.oldest_first(&before))
    }

    /// The dependencies of all members, but for those on members. Who needs something needs it, present or not.
    fn united(&self, members: &[usize]) -> Vec<Dependency> {
        let mut acc: Vec<Dependency> = Vec::new();
        for it in members.iter().flat_map(|&it| &self.nodes[it].depends_on) {
            let key = self.keys.get(&it.target);
            if key.is_some_and(|key| members.contains(&key.node)) {
                continue;
            }
            match acc.iter_mut().find(|other| other.target == it.target) {
                Some(other) => other.if_present &= it.if_present,
                None => acc.push(it.clone()),
            }
        }
        acc
    }
}
