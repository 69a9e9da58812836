//! The grammar of targets: `[BRANCH@][SYMBOL][+N|-N]` (Alembic's `_relative_destination`), and walking by it.
//!
//! A number has a sign here, always: `1777278349` is an id, `+1777278349` is far away.

use std::collections::BTreeSet;

use super::RevisionGraph;
use super::error::GraphError;
use super::resolve::{Name, Symbol};
use super::select::{Overwalk, Selection};
use super::walk::Along;

/// Where a walk can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below all bases.
    Base,
    /// At a revision.
    Revision(usize),
}

impl Place {
    pub(super) fn revision(self) -> Option<usize> {
        match self {
            Self::Base => None,
            Self::Revision(it) => Some(it),
        }
    }
}

/// A target that counts steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Relative<'t> {
    branch: Option<&'t str>,
    /// What it counts from; none for what the database holds.
    symbol: Option<&'t str>,
    /// The number with its sign, as written.
    text: &'t str,
    steps: i64,
}

/// Where a downgrade leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DowngradeTarget {
    /// The label or id that narrows it to one branch.
    pub(super) branch: Option<String>,
    pub(super) place: Place,
    /// The merge that is undone last, so that all it follows is left; `place` is one of these.
    pub(super) merge: Option<usize>,
}

/// A number with its sign, and nothing else.
pub(super) fn signed_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-'])?;
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    // More steps than fit are more than any history has.
    let steps = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if text.starts_with('-') { -steps } else { steps })
}

impl<'t> Relative<'t> {
    fn parse(target: &'t str) -> Option<Self> {
        let (branch, rest) = match target.rsplit_once('@') {
            Some((branch, rest)) if !branch.is_empty() => (Some(branch), rest),
            Some(_) => return None,
            None => (None, target),
        };
        let (symbol, text) = rest.split_at(rest.rfind(['+', '-'])?);
        let steps = signed_number(text)?;
        Some(Self {
            branch,
            symbol: (!symbol.is_empty()).then_some(symbol),
            text,
            steps,
        })
    }

    fn length_error(&self) -> GraphError {
        GraphError::RelativeLength {
            relative: self.text.to_owned(),
        }
    }

    /// Refuses to count from a revision that is a part of another one since a squash: what stood beside it is gone.
    fn refuse_replaced(&self, graph: &RevisionGraph) -> Result<(), GraphError> {
        match self.symbol.and_then(|it| graph.replaced(it)) {
            Some((revision, by)) => Err(GraphError::ReplacedStart {
                revision,
                by: by.origin(),
            }),
            None => Ok(()),
        }
    }

    /// The symbol, within the branch if there is one.
    fn start(&self, graph: &RevisionGraph, symbol: &str) -> Result<Place, GraphError> {
        let text = self
            .branch
            .map_or_else(|| symbol.to_owned(), |branch| format!("{branch}@{symbol}"));
        Ok(graph.get_index(&text)?.map_or(Place::Base, Place::Revision))
    }
}

impl RevisionGraph {
    /// Walks up (`steps` > 0) or down along `revises`. `branch` chooses at forks on the way up and at merges on the way
    /// down. None if the walk leaves the history, unless `stop_at_end`.
    pub(super) fn walk(
        &self,
        start: Place,
        steps: i64,
        branch: Option<&str>,
        stop_at_end: bool,
    ) -> Result<Option<Place>, GraphError> {
        let mut place = start;
        for _ in 0..steps.unsigned_abs() {
            let choices = match (place, steps > 0) {
                (Place::Base, true) => self.bases.clone(),
                (Place::Revision(it), true) => self.links[it].next.clone(),
                (Place::Base, false) => Vec::new(),
                (Place::Revision(it), false) if self.links[it].down.is_empty() => {
                    place = Place::Base;
                    continue;
                }
                (Place::Revision(it), false) => self.links[it].down.clone(),
            };
            let choices = match branch {
                Some(branch) if steps > 0 || choices.len() > 1 => {
                    self.filter_lineage(&choices, branch, Along::Versioned)?
                }
                _ => choices,
            };
            match choices.as_slice() {
                [] => return Ok(stop_at_end.then_some(place)),
                [next] => place = Place::Revision(*next),
                _ => {
                    return Err(GraphError::AmbiguousWalk {
                        from: self.name_of(place),
                        choices: self.ids(choices),
                    });
                }
            }
        }
        Ok(Some(place))
    }

    /// Walks down for a downgrade: a merge that comes last goes alone, whichever way on there would be.
    fn walk_back(
        &self,
        start: Place,
        steps: i64,
        branch: Option<&str>,
        stop_at_end: bool,
    ) -> Result<Option<(Place, Option<usize>)>, GraphError> {
        let before = self.walk(start, steps + 1, branch, stop_at_end)?;
        if let Some(Place::Revision(it)) = before
            && let [first, _, ..] = self.links[it].down[..]
        {
            return Ok(Some((Place::Revision(first), Some(it))));
        }
        let place = self.walk(start, steps, branch, stop_at_end)?;
        Ok(place.map(|it| (it, None)))
    }

    /// Walks down (`steps` < 0) all ways at merges. A way that leaves the history ends at its last revision; without
    /// `stop_at_end` there is nothing then.
    pub(super) fn walk_all(
        &self,
        start: usize,
        steps: i64,
        stop_at_end: bool,
    ) -> Option<BTreeSet<usize>> {
        let mut level = BTreeSet::from([start]);
        for _ in 0..steps.unsigned_abs() {
            let mut next = BTreeSet::new();
            for it in &level {
                match self.links[*it].down.as_slice() {
                    [] if stop_at_end => drop(next.insert(*it)),
                    [] => return None,
                    down => next.extend(down.iter().copied()),
                }
            }
            if next == level {
                break;
            }
            level = next;
        }
        Some(level)
    }

    /// The lower end of a history that counts from a revision, `REV-N` or `REV+N`: with `-N` the revisions N steps below
    /// on all ways that lead there. None for any other end.
    pub(super) fn relative_lower(&self, text: &str) -> Result<Option<Selection>, GraphError> {
        let Some(relative) = Relative::parse(text) else {
            return Ok(None);
        };
        let Some(symbol) = relative.symbol else {
            return Ok(None);
        };
        relative.refuse_replaced(self)?;
        let start = relative.start(self, symbol)?;
        let places = match start {
            Place::Revision(it) if relative.steps < 0 => {
                let level = self.walk_all(it, relative.steps, true).unwrap_or_default();
                self.lowest(&level)
            }
            _ => {
                let place = self.walk(start, relative.steps, relative.branch, true)?;
                place.and_then(Place::revision).into_iter().collect()
            }
        };
        let ids = places.iter().map(|it| self.id(*it).to_string());
        Ok(Some(Selection::Many(ids.collect())))
    }

    /// Those of `indices` that have no other of them below.
    pub(super) fn lowest(&self, indices: &BTreeSet<usize>) -> Vec<usize> {
        let is_lowest = |it: &usize| {
            let below = self.ancestors(&[*it], Along::Dependencies);
            !indices
                .iter()
                .any(|other| other != it && below.contains(*other))
        };
        indices.iter().copied().filter(is_lowest).collect()
    }

    /// Those of `indices` that are below no other of them.
    fn highest(&self, indices: &BTreeSet<usize>) -> Vec<usize> {
        let is_highest = |it: &usize| {
            let mut others = indices.iter().filter(|other| *other != it);
            !others.any(|other| self.ancestors(&[*other], Along::Dependencies).contains(*it))
        };
        indices.iter().copied().filter(is_highest).collect()
    }

    pub(super) fn name_of(&self, place: Place) -> String {
        match place {
            Place::Base => "base".to_owned(),
            Place::Revision(it) => self.id(it).to_string(),
        }
    }

    /// The revisions that an upgrade of `rows` to `target` is to reach.
    pub(super) fn upgrade_targets(
        &self,
        rows: &Selection,
        target: &Selection,
        overwalk: Overwalk,
    ) -> Result<Vec<usize>, GraphError> {
        let relative = match target {
            Selection::One(target) => Relative::parse(target),
            Selection::Many(_) => None,
        };
        let Some(relative) = relative else {
            return self.get_indices(target);
        };
        relative.refuse_replaced(self)?;
        let stop_at_end = overwalk == Overwalk::StopAtEnd;
        let Some(symbol) = relative.symbol else {
            if relative.steps <= 0 {
                return Err(relative.length_error());
            }
            let start = self.upgrade_start(rows, relative.branch)?;
            let place = self.walk(start, relative.steps, relative.branch, stop_at_end)?;
            return Ok(place
                .ok_or_else(|| relative.length_error())?
                .revision()
                .into_iter()
                .collect());
        };
        let place = if relative.steps > 0 {
            let start = self.get_index(symbol)?.map_or(Place::Base, Place::Revision);
            self.walk(start, relative.steps, relative.branch, stop_at_end)?
        } else {
            let start = relative.start(self, symbol)?;
            match (self.walk(start, relative.steps, None, stop_at_end), start) {
                // At a merge all ways down are meant.
                (Err(error @ GraphError::AmbiguousWalk { .. }), Place::Revision(it)) => {
                    let level = self.walk_all(it, relative.steps, stop_at_end);
                    return level.map(|it| self.highest(&it)).ok_or(error);
                }
                (place, _) => place?,
            }
        };
        let too_far = || GraphError::WalkedTooFar {
            target: target.to_string(),
        };
        Ok(place.ok_or_else(too_far)?.revision().into_iter().collect())
    }

    /// What `+N` counts from: the one row, or the newest held revision of the branch, or base.
    fn upgrade_start(&self, rows: &Selection, branch: Option<&str>) -> Result<Place, GraphError> {
        let rows = self.get_indices(rows)?;
        let mut starts = match branch {
            Some(branch) => self.filter_lineage(&rows, branch, Along::Versioned)?,
            None => rows.clone(),
        };
        if let (true, Some(branch)) = (starts.is_empty(), branch) {
            let held: Vec<usize> = self.ancestors(&rows, Along::Dependencies).iter().collect();
            starts = self.tips(&self.filter_lineage(&held, branch, Along::Versioned)?);
        }
        match starts.as_slice() {
            [] => Ok(Place::Base),
            [start] => Ok(Place::Revision(*start)),
            _ => Err(GraphError::AmbiguousUpgrade {
                rows: self.ids(starts),
            }),
        }
    }

    /// Those of `indices` that no other of them follows or needs.
    fn tips(&self, indices: &[usize]) -> Vec<usize> {
        let mut needed = super::walk::NodeSet::new(self.nodes.len());
        for it in indices
            .iter()
            .flat_map(|&it| &self.links[it].normalized_down)
        {
            needed.insert(*it);
        }
        indices
            .iter()
            .copied()
            .filter(|&it| !needed.contains(it))
            .collect()
    }

    /// Where a downgrade of `rows` to `target` is to end.
    pub(super) fn downgrade_target(
        &self,
        rows: &Selection,
        target: &Selection,
        overwalk: Overwalk,
    ) -> Result<DowngradeTarget, GraphError> {
        let text = match target {
            Selection::One(text) => text.as_str(),
            Selection::Many(texts) => match texts.as_slice() {
                [] => {
                    return Ok(DowngradeTarget {
                        branch: None,
                        place: Place::Base,
                        merge: None,
                    });
                }
                [text] => text.as_str(),
                // Several ends cannot be wound back to at once; each of them can.
                _ => {
                    return Err(GraphError::NotADowngrade {
                        target: target.to_string(),
                    });
                }
            },
        };
        let Some(relative) = Relative::parse(text) else {
            let (branch, symbol) = match text.rsplit_once('@') {
                Some((branch, symbol)) if !branch.is_empty() => (Some(branch), symbol),
                Some((_, symbol)) => (None, symbol),
                None => (None, text),
            };
            branch.map(|it| self.branch(it)).transpose()?;
            let place = match branch {
                // The branch decides which of several heads is meant.
                Some(branch) if symbol == "head" => self.get_index(&format!("{branch}@head"))?,
                _ => self.get_index(symbol)?,
            };
            let place = place.map_or(Place::Base, Place::Revision);
            return Ok(DowngradeTarget {
                branch: branch.map(str::to_owned),
                place,
                merge: None,
            });
        };
        relative.refuse_replaced(self)?;
        let stop_at_end = overwalk == Overwalk::StopAtEnd;
        let (branch, (place, merge)) = match relative.symbol {
            None if relative.steps >= 0 => return Err(relative.length_error()),
            None => {
                let start = self.downgrade_start(rows, &relative, text)?;
                let branch = relative
                    .branch
                    .map_or_else(|| self.id(start).to_string(), str::to_owned);
                let start = Place::Revision(start);
                let place = self.walk_back(start, relative.steps, relative.branch, stop_at_end)?;
                (Some(branch), place.ok_or_else(|| relative.length_error())?)
            }
            Some(symbol) => {
                let place = if relative.steps >= 0 {
                    let start = self.get_index(symbol)?.map_or(Place::Base, Place::Revision);
                    let place = self.walk(start, relative.steps, relative.branch, stop_at_end)?;
                    place.map(|it| (it, None))
                } else {
                    let start = relative.start(self, symbol)?;
                    self.walk_back(start, relative.steps, relative.branch, stop_at_end)?
                };
                let too_far = || GraphError::WalkedTooFar {
                    target: text.to_owned(),
                };
                (
                    relative.branch.map(str::to_owned),
                    place.ok_or_else(too_far)?,
                )
            }
        };
        Ok(DowngradeTarget {
            branch,
            place,
            merge,
        })
    }

    /// What `-N` counts from: the one row (of the branch), or what the rows hold of the branch as a dependency.
    fn downgrade_start(
        &self,
        rows: &Selection,
        relative: &Relative<'_>,
        target: &str,
    ) -> Result<usize, GraphError> {
        let mut starts = self.get_indices(rows)?;
        if let Some(branch) = relative.branch {
            let rows = starts;
            starts = self.filter_lineage(&rows, branch, Along::Versioned)?;
            if starts.is_empty() {
                starts = self.filter_lineage(
                    &self.all_current_indices(&rows),
                    branch,
                    Along::Versioned,
                )?;
            }
        }
        starts.sort_unstable();
        starts.dedup();
        match starts.as_slice() {
            [] => Err(relative.length_error()),
            [start] => Ok(*start),
            _ => Err(GraphError::AmbiguousDowngrade {
                target: target.to_owned(),
                rows: self.ids(starts),
            }),
        }
    }

    /// The label that `text` puts before its `@`; a revision there stands for its branch, if that has one label only.
    pub(super) fn in_branch_of(&self, text: &str) -> Result<Option<BranchFilter>, GraphError> {
        let Some((branch, _)) = text.split_once('@') else {
            return Ok(None);
        };
        if let Some(label) = self.labels.iter().position(|it| it == branch) {
            return Ok(Some(BranchFilter::Label(label)));
        }
        let Symbol {
            name: Name::Text(_),
            ..
        } = self.symbol(branch)?
        else {
            return Ok(None);
        };
        let revision = self.branch(branch)?;
        let labels = &self.links[revision].labels;
        Ok(Some(match (labels.len(), labels.first()) {
            (1, Some(&label)) => BranchFilter::Label(label),
            _ => BranchFilter::Line(revision),
        }))
    }
}

/// Which revisions belong to a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BranchFilter {
    /// Those that carry the label.
    Label(usize),
    /// Those that lie on one line with the revision.
    Line(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_targets_are_told_from_names() {
        let cases = [
            ("+1", Some((None, None, 1))),
            ("-10", Some((None, None, -10))),
            ("lib@+2", Some((Some("lib"), None, 2))),
            ("lib@head-2", Some((Some("lib"), Some("head"), -2))),
            ("ae10+1", Some((None, Some("ae10"), 1))),
            ("v2.0-1", Some((None, Some("v2.0"), -1))),
            ("lib-2@head", None),
            ("1777278349", None),
            ("12", None),
            ("heads", None),
            ("+", None),
            ("a+b", None),
            ("a+1b", None),
            ("@+1", None),
            ("", None),
        ];
        for (text, expect) in cases {
            let found = Relative::parse(text).map(|it| (it.branch, it.symbol, it.steps));
            assert_eq!(found, expect, "{text:?}");
        }
    }

    #[test]
    fn numbers_too_large_to_count_are_far_away() {
        assert_eq!(signed_number("+99999999999999999999"), Some(i64::MAX));
        assert_eq!(signed_number("-99999999999999999999"), Some(-i64::MAX));
    }
}
