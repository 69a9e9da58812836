//! Which revisions lie between two ends: what an upgrade or a downgrade takes, and ranges of the history.

use std::fmt;

use super::error::GraphError;
use super::target::{BranchFilter, DowngradeTarget, Place};
use super::walk::{Along, NodeSet};
use super::{Node, RevisionGraph};
use crate::ids::RevisionId;

/// One end of a range: one target, or a list of names such as the rows of a version table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A target as typed; may be relative, or of a branch.
    One(String),
    /// Names, none for base.
    Many(Vec<String>),
}

impl Selection {
    /// Nothing: the state before all revisions.
    pub const BASE: Self = Self::Many(Vec::new());

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

impl From<&str> for Selection {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

impl From<&[RevisionId]> for Selection {
    fn from(rows: &[RevisionId]) -> Self {
        Self::Many(rows.iter().map(ToString::to_string).collect())
    }
}

impl From<&[&str]> for Selection {
    fn from(names: &[&str]) -> Self {
        Self::Many(names.iter().map(|&it| it.to_owned()).collect())
    }
}

/// As in Alembic's messages: the names with commas, `base` for none.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<&str> = self.texts().collect();
        f.write_str(if texts.is_empty() { "base" } else { "" })?;
        f.write_str(&texts.join(", "))
    }
}

/// Which way a range is travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// What is missing at the lower end for the upper one.
    Upgrade,
    /// What has to go at the upper end for the lower one, whatever depends on it included.
    Downgrade,
}

/// Whether the lower end belongs to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It does.
    Inclusive,
    /// It does not.
    Exclusive,
}

/// What becomes of branches that do not begin at the lower end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasePolicy {
    /// They are taken from their base: an upgrade takes dependencies of other branches along.
    Implicit,
    /// Only what follows the lower end is taken.
    Explicit,
}

/// What a relative end beyond the history means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwalk {
    /// An error.
    Refuse,
    /// The end of the history.
    StopAtEnd,
}

/// How a range is read; no default, as every command has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeOptions {
    /// Which way.
    pub travel: Travel,
    /// Whether with the lower end.
    pub ends: Ends,
    /// Other branches.
    pub base: BasePolicy,
    /// Relative ends beyond the history.
    pub overwalk: Overwalk,
}

impl RangeOptions {
    /// As `upgrade` reads its target.
    pub const UPGRADE: Self = Self {
        travel: Travel::Upgrade,
        ends: Ends::Exclusive,
        base: BasePolicy::Implicit,
        overwalk: Overwalk::Refuse,
    };
    /// As `downgrade` reads its target.
    pub const DOWNGRADE: Self = Self {
        travel: Travel::Downgrade,
        ends: Ends::Exclusive,
        base: BasePolicy::Explicit,
        overwalk: Overwalk::Refuse,
    };
    /// As `history` reads its range.
    pub const HISTORY: Self = Self {
        travel: Travel::Upgrade,
        ends: Ends::Inclusive,
        base: BasePolicy::Explicit,
        overwalk: Overwalk::StopAtEnd,
    };
}

/// Both ends of a range `[start]:[end]`.
pub(super) fn ends_of(range: &str) -> Result<(&str, &str), GraphError> {
    match range.trim().split_once(':') {
        Some((start, end)) if !end.contains(':') => Ok((start.trim(), end.trim())),
        _ => Err(GraphError::HistoryRange {
            range: range.trim().to_owned(),
        }),
    }
}

impl RevisionGraph {
    /// The revisions from `upper` down to `lower`, newest first (`RevisionMap.iterate_revisions`).
    ///
    /// # Errors
    ///
    /// Every error of targets: see [`Self::get`], and [`GraphError::NotAncestor`], [`GraphError::Overlap`],
    /// [`GraphError::AmbiguousUpgrade`], [`GraphError::AmbiguousDowngrade`], [`GraphError::AmbiguousWalk`],
    /// [`GraphError::WalkedTooFar`], [`GraphError::RelativeLength`], [`GraphError::NotADowngradeOfBranch`].
    pub fn iterate(
        &self,
        upper: &Selection,
        lower: &Selection,
        options: RangeOptions,
    ) -> Result<Vec<&Node>, GraphError> {
        Ok(self
            .iterate_indices(upper, lower, options)?
            .into_iter()
            .map(|it| &self.nodes[it])
            .collect())
    }

    /// The revisions of a range `[start]:[end]`, newest first, both ends included; everything without a range.
    ///
    /// An end is any target or `current`, which is `rows`. The start may be `-N`, N steps below each end, and the end
    /// `+N`, N steps above the start. Steps down from a merge go all ways. `:X@head` shows what an upgrade to it would run, dependencies included; `X@base:`
    /// shows what a downgrade to it would remove of the branch.
    ///
    /// # Errors
    ///
    /// [`GraphError::HistoryRange`], [`GraphError::RangeNotAncestor`], and as [`Self::iterate`].
    pub fn history(
        &self,
        range: Option<&str>,
        rows: &[RevisionId],
    ) -> Result<Vec<&Node>, GraphError> {
        let (start, end) = ends_of(range.unwrap_or(":"))?;
        if [start, end].contains(&"current") {
            self.row_indices(rows)?;
        }
        let end_of_range = |text: &str, default: &str| match text {
            "" => Selection::from(default),
            "current" => Selection::from(rows),
            text => Selection::from(text),
        };
        let lower = self.relative_lower(start)?;
        let lower = lower.unwrap_or_else(|| end_of_range(start, "base"));
        let upper = end_of_range(end, "heads");
        let not_ancestor = |err| match err {
            GraphError::NotAncestor { .. } => GraphError::RangeNotAncestor {
                lower: start.to_owned(),
                upper: end.to_owned(),
            },
            err => err,
        };
        let indices = match super::target::signed_number(start) {
            Some(steps) if steps < 0 => self.last_steps(&upper, steps),
            _ => self.iterate_indices(&upper, &lower, RangeOptions::HISTORY),
        };
        Ok(indices
            .map_err(not_ancestor)?
            .into_iter()
            .map(|it| &self.nodes[it])
            .collect())
    }

    /// The revisions down to `steps` (negative) below each revision of `upper`.
    fn last_steps(&self, upper: &Selection, steps: i64) -> Result<Vec<usize>, GraphError> {
        let uppers = self.upgrade_targets(&Selection::BASE, upper, Overwalk::StopAtEnd)?;
        let mut members = NodeSet::new(self.nodes.len());
        for &it in &uppers {
            let lower = match self.walk(Place::Revision(it), steps, None, true) {
                Err(GraphError::AmbiguousWalk { .. }) => {
                    let level = self.walk_all(it, steps, true).unwrap_or_default();
                    let lowest = self.lowest(&level);
                    Selection::Many(lowest.iter().map(|it| self.id(*it).to_string()).collect())
                }
                lower => match lower?.and_then(Place::revision) {
                    Some(lower) => Selection::One(self.id(lower).to_string()),
                    None => Selection::BASE,
                },
            };
            let upper = Selection::One(self.id(it).to_string());
            for it in self.iterate_indices(&upper, &lower, RangeOptions::HISTORY)? {
                members.insert(it);
            }
        }
        Ok(self.newest_first(&members, &uppers))
    }

    pub(super) fn iterate_indices(
        &self,
        upper: &Selection,
        lower: &Selection,
        options: RangeOptions,
    ) -> Result<Vec<usize>, GraphError> {
        let (members, heads) = match options.travel {
            Travel::Upgrade => self.collect_upgrade(upper, lower, options)?,
            Travel::Downgrade => self.collect_downgrade(upper, lower, options)?,
        };
        Ok(self.newest_first(&members, &heads))
    }

    /// What `upper` needs less what `lower` has.
    fn collect_upgrade(
        &self,
        upper: &Selection,
        lower: &Selection,
        options: RangeOptions,
    ) -> Result<(NodeSet, Vec<usize>), GraphError> {
        let mut targets = self.upgrade_targets(lower, upper, options.overwalk)?;
        if let Selection::One(lower) = lower
            && let Some(filter) = self.in_branch_of(lower)?
        {
            targets.retain(|&it| self.is_in(it, filter));
        }
        let required = self.requested_ancestors(&targets)?;
        let current = self.lower_end(upper, lower, &required, options)?;
        let mut needs = required;
        needs.subtract(&self.requested_ancestors(&current)?);
        if options.ends == Ends::Inclusive {
            for &it in &current {
                needs.insert(it);
            }
        }
        if !current.is_empty() && options.base == BasePolicy::Explicit {
            needs.intersect_with(&self.requested_descendants(&current)?);
        }
        Ok((needs, targets))
    }

    fn is_in(&self, index: usize, filter: BranchFilter) -> bool {
        match filter {
            BranchFilter::Label(label) => self.links[index].labels.contains(&label),
            BranchFilter::Line(revision) => self
                .line_through(&[revision], Along::Versioned)
                .contains(index),
        }
    }

    /// The revisions of the lower end, which have to be among those that the upper end needs.
    fn lower_end(
        &self,
        upper: &Selection,
        lower: &Selection,
        required: &NodeSet,
        options: RangeOptions,
    ) -> Result<Vec<usize>, GraphError> {
        let mut places = Vec::new();
        for text in lower.texts() {
            places.extend(self.get_places(text)?);
        }
        let revisions: Vec<usize> = places
            .iter()
            .filter_map(|it| it.and_then(Place::revision))
            .collect();
        if options.base == BasePolicy::Explicit
            && revisions.iter().any(|&it| !required.contains(it))
        {
            return Err(GraphError::NotAncestor {
                lower: lower.to_string(),
                upper: upper.to_string(),
            });
        }
        // A relative lower end that the heads are too near to counts from the upper end instead.
        if places.first() == Some(&None) {
            let DowngradeTarget { place, .. } =
                self.downgrade_target(upper, lower, options.overwalk)?;
            return Ok(place.revision().into_iter().collect());
        }
        Ok(revisions)
    }

    /// Where a downgrade to a place begins to take what stands on it.
    fn roots_above(&self, place: Place, ends: Ends) -> Vec<usize> {
        match place {
            Place::Base => self.bases.clone(),
            Place::Revision(it) if ends == Ends::Inclusive => vec![it],
            Place::Revision(it) => self.links[it].next.clone(),
        }
    }

    /// What stands on `lower`, by `revises` or as a dependent, of what `upper` has.
    fn collect_downgrade(
        &self,
        upper: &Selection,
        lower: &Selection,
        options: RangeOptions,
    ) -> Result<(NodeSet, Vec<usize>), GraphError> {
        let DowngradeTarget {
            branch,
            place,
            merge,
        } = self.downgrade_target(upper, lower, options.overwalk)?;
        let mut roots = match (place, merge) {
            (_, Some(merge)) => vec![merge],
            (it, None) => self.roots_above(it, options.ends),
        };
        if let (Some(branch), true) = (&branch, roots.len() > 1) {
            let line = self.ancestors(&[self.branch(branch)?], Along::Versioned);
            roots.retain(|&it| line.contains(it));
            if roots.is_empty() {
                return Err(GraphError::NotADowngradeOfBranch {
                    branch: branch.clone(),
                    target: self.name_of(place),
                });
            }
        }
        let heads = self.get_indices(upper)?;
        let active = self.ancestors(&heads, Along::Dependencies);
        let mut dropped = self.descendants(&roots, Along::Order);
        dropped.intersect_with(&active);
        if options.base == BasePolicy::Implicit {
            let mut others = active;
            others.subtract(&self.ancestors(&roots, Along::Order));
            dropped.union_with(&others);
        }
        match place {
            Place::Revision(it) if dropped.is_empty() && !heads.contains(&it) => {
                Err(GraphError::NotAncestor {
                    lower: lower.to_string(),
                    upper: upper.to_string(),
                })
            }
            _ => Ok((dropped, heads)),
        }
    }
}
