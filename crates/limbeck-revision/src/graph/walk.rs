//! Sets of revisions, what lies above and below them, and the order in which they are listed.

use super::error::GraphError;
use super::{Links, RevisionGraph};

/// A set of revisions by index, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeSet(Vec<u64>);

/// Which edges are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// `revises` only.
    Versioned,
    /// `revises` and `depends on`: who has a revision has what is below it.
    Dependencies,
    /// These, and from what depends on a part of a squash to the whole of it: what has to be applied before.
    Order,
}

impl NodeSet {
    /// The empty set for `size` revisions.
    pub(super) fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    /// `starts` and everything that can be reached from them over `edges`.
    pub(super) fn reach<I: IntoIterator<Item = usize>>(
        size: usize,
        starts: &[usize],
        edges: impl Fn(usize) -> I,
    ) -> Self {
        let mut seen = Self::new(size);
        let mut todo = starts.to_vec();
        while let Some(index) = todo.pop() {
            if seen.insert(index) {
                todo.extend(edges(index).into_iter().filter(|&it| !seen.contains(it)));
            }
        }
        seen
    }

    /// Adds a revision; true if it was not there.
    pub(super) fn insert(&mut self, index: usize) -> bool {
        let word = &mut self.0[index / 64];
        let bit = 1 << (index % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|it| it & (1 << (index % 64)) != 0)
    }

    pub(super) fn union_with(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(it, other)| *it |= other);
    }

    pub(super) fn intersect_with(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(it, other)| *it &= other);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(it, other)| *it &= !other);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|&it| it == 0)
    }

    /// The members, in order of arrival of the revisions.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| at * 64 + bit)
        })
    }
}

fn below(links: &Links, along: Along) -> impl Iterator<Item = usize> {
    let (implied, parts): (&[usize], &[usize]) = match along {
        Along::Versioned => (&links.down, &[]),
        Along::Dependencies => (&links.normalized_down, &[]),
        Along::Order => (&links.normalized_down, &links.parts),
    };
    implied.iter().chain(parts).copied()
}

fn above(links: &Links, along: Along) -> impl Iterator<Item = usize> {
    let (implied, parts): (&[usize], &[usize]) = match along {
        Along::Versioned => (&links.next, &[]),
        Along::Dependencies => (&links.all_next, &[]),
        Along::Order => (&links.all_next, &links.part_next),
    };
    implied.iter().chain(parts).copied()
}

impl RevisionGraph {
    /// `starts` and everything they need.
    pub(super) fn ancestors(&self, starts: &[usize], along: Along) -> NodeSet {
        NodeSet::reach(self.nodes.len(), starts, |it| below(&self.links[it], along))
    }

    /// `starts` and everything that needs them.
    pub(super) fn descendants(&self, starts: &[usize], along: Along) -> NodeSet {
        NodeSet::reach(self.nodes.len(), starts, |it| above(&self.links[it], along))
    }

    /// As [`Self::ancestors`] with dependencies, for revisions that were asked for by name.
    ///
    /// # Errors
    ///
    /// [`GraphError::Overlap`] if one of them contains another.
    pub(super) fn requested_ancestors(&self, starts: &[usize]) -> Result<NodeSet, GraphError> {
        self.requested(starts, |it| &self.links[it].normalized_down)?;
        Ok(self.ancestors(starts, Along::Order))
    }

    /// As [`Self::descendants`] without dependencies, for revisions that were asked for by name.
    ///
    /// # Errors
    ///
    /// [`GraphError::Overlap`] if one of them contains another.
    pub(super) fn requested_descendants(&self, starts: &[usize]) -> Result<NodeSet, GraphError> {
        self.requested(starts, |it| &self.links[it].next)
    }

    /// Each start is walked in turn, not beyond what an earlier one has seen, so an overlap is found at the later one.
    fn requested<'g>(
        &'g self,
        starts: &[usize],
        edges: impl Fn(usize) -> &'g [usize],
    ) -> Result<NodeSet, GraphError> {
        let mut wanted = NodeSet::new(self.nodes.len());
        for &it in starts {
            wanted.insert(it);
        }
        let mut seen = NodeSet::new(self.nodes.len());
        for &start in starts {
            let mut todo = vec![start];
            let mut others = Vec::new();
            while let Some(index) = todo.pop() {
                if index != start && wanted.contains(index) && !others.contains(&index) {
                    others.push(index);
                }
                if seen.insert(index) {
                    todo.extend_from_slice(edges(index));
                }
            }
            if !others.is_empty() {
                others.sort_unstable();
                return Err(GraphError::Overlap {
                    revision: self.id(start).clone(),
                    others: self.ids(others),
                });
            }
        }
        Ok(seen)
    }

    /// Whether one of `starts` is, needs or follows `target`.
    pub(super) fn any_needs(&self, starts: impl IntoIterator<Item = usize>, target: usize) -> bool {
        // Nothing that comes before the target in an order of needs can need it.
        let rank = self.links[target].rank;
        let mut seen = NodeSet::new(self.nodes.len());
        let mut todo: Vec<usize> = starts.into_iter().collect();
        while let Some(index) = todo.pop() {
            if index == target {
                return true;
            }
            if self.links[index].rank > rank && seen.insert(index) {
                todo.extend_from_slice(&self.links[index].normalized_down);
            }
        }
        false
    }

    /// Lists `members` newest first, as Alembic orders them: from each of `heads`, earlier revisions first, one branch
    /// is followed as deep as possible and left only for a branch that still needs what comes next.
    pub(super) fn newest_first(&self, members: &NodeSet, heads: &[usize]) -> Vec<usize> {
        let mut todo = members.clone();
        let mut output = Vec::new();
        let mut heads: Vec<usize> = heads
            .iter()
            .copied()
            .filter(|&it| todo.contains(it))
            .collect();
        loop {
            heads.sort_unstable();
            heads.dedup();
            self.descend(&heads, &mut todo, &mut output);
            if todo.is_empty() {
                return output;
            }
            // A range whose upper end hangs on it by a dependency only does not contain that end; begin at its tips.
            heads = todo
                .iter()
                .filter(|&it| !above(&self.links[it], Along::Order).any(|it| todo.contains(it)))
                .collect();
        }
    }

    fn descend(&self, heads: &[usize], todo: &mut NodeSet, output: &mut Vec<usize>) {
        let mut tips: Vec<Tip> = heads.iter().map(|&it| Tip::at(it)).collect();
        let mut is_tip = NodeSet::new(self.nodes.len());
        for &it in heads {
            is_tip.insert(it);
        }
        let mut current = 0;
        while let Some(tip) = tips.get(current) {
            let candidate = tip.node;
            let needed_by =
                (0..tips.len()).find(|&it| it != current && tips[it].needs(candidate, self));
            if let Some(other) = needed_by {
                current = other;
                continue;
            }
            if todo.contains(candidate) {
                todo.remove(candidate);
                output.push(candidate);
            }
            let links = &self.links[candidate];
            let next: Vec<usize> = below(links, Along::Order)
                .filter(|&it| todo.contains(it) && !is_tip.contains(it))
                .collect();
            is_tip.remove(candidate);
            for &it in &next {
                is_tip.insert(it);
            }
            match next.split_first() {
                None => {
                    tips.remove(current);
                    current = current.saturating_sub(1);
                }
                // Down a plain line what the tip needs stays the same, but for what has been listed.
                Some((&first, [])) if links.normalized_down.len() + links.parts.len() == 1 => {
                    tips[current].node = first
                }
                Some((&first, rest)) => {
                    tips[current] = Tip::at(first);
                    tips.extend(rest.iter().map(|&it| Tip::at(it)));
                }
            }
        }
    }
}

/// Where one of the branches that are being listed has got to.
struct Tip {
    node: usize,
    /// What it needs, itself included; found out when first asked for.
    ancestors: Option<NodeSet>,
}

impl Tip {
    fn at(node: usize) -> Self {
        Self {
            node,
            ancestors: None,
        }
    }

    fn needs(&mut self, candidate: usize, graph: &RevisionGraph) -> bool {
        let node = self.node;
        self.ancestors
            .get_or_insert_with(|| graph.ancestors(&[node], Along::Order))
            .contains(candidate)
    }
}
