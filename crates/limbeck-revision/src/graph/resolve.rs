//! From texts to revisions: ids, unique beginnings of ids, labels, `head`, `heads`, `base`, and a branch before `@`.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::error::GraphError;
use super::select::Selection;
use super::target::{Place, signed_number};
use super::walk::{Along, NodeSet};
use super::{Node, RevisionGraph};
use crate::ids::RevisionId;

/// A text that names revisions, before ids are looked up.
#[derive(Debug)]
pub(super) struct Symbol<'t> {
    /// The part before the first `@`.
    pub(super) branch: Option<&'t str>,
    pub(super) name: Name<'t>,
}

/// What the rest of the text names.
#[derive(Debug)]
pub(super) enum Name<'t> {
    /// `base`.
    Base,
    /// `head` or `heads`: the revisions are known already.
    Heads(Vec<usize>),
    /// An id, the beginning of one, or a label.
    Text(&'t str),
}

impl RevisionGraph {
    /// The one revision that `text` names: an id, a unique beginning of one, a label (the revision that carries it),
    /// `head`, or one of these after `branch@`. None for `base`, and for `head` of an empty history.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotFound`], [`GraphError::AmbiguousPrefix`], [`GraphError::NoSuchBranch`],
    /// [`GraphError::NotInBranch`] and [`GraphError::MultipleHeads`].
    pub fn get(&self, text: &str) -> Result<Option<&Node>, GraphError> {
        Ok(self.get_index(text)?.map(|it| &self.nodes[it]))
    }

    /// All revisions that a text or a list of texts names; `heads` are the real heads, `branch@heads` all heads of the
    /// branch, `-N` the revisions N steps below each real head.
    ///
    /// # Errors
    ///
    /// As [`Self::get`], and [`GraphError::WalkedTooFar`] for a relative name that leaves the history.
    pub fn get_all(&self, selection: &Selection) -> Result<Vec<&Node>, GraphError> {
        Ok(self
            .get_indices(selection)?
            .into_iter()
            .map(|it| &self.nodes[it])
            .collect())
    }

    /// The head, of the whole history or of one branch; none if there is none.
    ///
    /// # Errors
    ///
    /// [`GraphError::MultipleHeads`], and as [`Self::get`] for the branch.
    pub fn current_head(&self, branch: Option<&str>) -> Result<Option<&Node>, GraphError> {
        Ok(self.single_head(branch)?.map(|it| &self.nodes[it]))
    }

    /// Every revision that is in force where the version table holds `rows`, newest of its branch: the rows, and the
    /// tips of other branches that they depend on (what `current` prints).
    ///
    /// # Errors
    ///
    /// As [`Self::get`], for the rows.
    pub fn all_current(&self, rows: &Selection) -> Result<Vec<&Node>, GraphError> {
        let rows = self.get_indices(rows)?;
        Ok(self
            .all_current_indices(&rows)
            .into_iter()
            .map(|it| &self.nodes[it])
            .collect())
    }

    /// Those of `targets` that lie on one line with what `check_against` names, by `revises` only.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub fn filter_for_lineage(
        &self,
        targets: &Selection,
        check_against: &str,
    ) -> Result<Vec<&Node>, GraphError> {
        let targets = self.get_indices(targets)?;
        let kept = self.filter_lineage(&targets, check_against, Along::Versioned)?;
        Ok(kept.into_iter().map(|it| &self.nodes[it]).collect())
    }

    pub(super) fn get_index(&self, text: &str) -> Result<Option<usize>, GraphError> {
        let Symbol { branch, name } = self.symbol(text)?;
        match name {
            Name::Base => {
                branch.map(|it| self.branch(it)).transpose()?;
                Ok(None)
            }
            Name::Heads(heads) if heads.len() > 1 => Err(GraphError::MultipleHeads {
                argument: text.to_owned(),
                heads: self.ids(heads),
            }),
            Name::Heads(heads) => Ok(heads.first().copied()),
            Name::Text(text) => self.find(text, branch).map(Some),
        }
    }

    /// As [`Self::get_all`]; places at or below a base are left out.
    pub(super) fn get_indices(&self, selection: &Selection) -> Result<Vec<usize>, GraphError> {
        let mut indices = Vec::new();
        for text in selection.texts() {
            for place in self.get_places(text)? {
                match place {
                    Some(Place::Revision(it)) => indices.push(it),
                    Some(Place::Base) => {}
                    None => {
                        return Err(GraphError::WalkedTooFar {
                            target: text.to_owned(),
                        });
                    }
                }
            }
        }
        Ok(indices)
    }

    /// What one text names; none for a relative name that leaves the history.
    pub(super) fn get_places(&self, text: &str) -> Result<Vec<Option<Place>>, GraphError> {
        let Symbol { branch, name } = self.symbol(text)?;
        match name {
            Name::Base => Ok(Vec::new()),
            Name::Heads(heads) => Ok(heads
                .into_iter()
                .map(|it| Some(Place::Revision(it)))
                .collect()),
            Name::Text(number) if signed_number(number).is_some_and(|it| it < 0) => {
                let steps = signed_number(number).unwrap_or_default();
                let of_branch =
                    |it: &usize| branch.is_none_or(|branch| self.labels_of(*it).contains(&branch));
                let heads = self.real_heads.iter().copied().filter(of_branch);
                heads
                    .map(|it| self.walk(Place::Revision(it), steps, None, false))
                    .collect()
            }
            Name::Text(name) => Ok(vec![Some(Place::Revision(self.find(name, branch)?))]),
        }
    }

    /// The rows of a version table, which are whole ids.
    pub(super) fn row_indices(&self, rows: &[RevisionId]) -> Result<Vec<usize>, GraphError> {
        let find = |row: &RevisionId| {
            self.index(row.as_str()).ok_or_else(|| {
                let row = row.clone();
                match self.replacing(row.as_str()) {
                    Some(by) => GraphError::replaced_row(row, by),
                    None => GraphError::UnknownRow { row },
                }
            })
        };
        let rows: Vec<usize> = rows.iter().map(find).collect::<Result<_, _>>()?;
        match self.lacking(&rows) {
            Some((part, whole)) => {
                let by = &self.nodes[whole];
                Err(GraphError::replaced_row(part, by))
            }
            None => Ok(rows),
        }
    }

    /// Whether a dependency on `target`, which leads to the revision at `node`, is on a part of what that one was made of
    /// by a squash. A label may have stood at any part.
    pub(super) fn is_part(&self, target: &str, node: usize) -> bool {
        let Node { id, replaces, .. } = &self.nodes[node];
        !replaces.is_empty() && id.as_str() != target
    }

    /// A squashed revision that is not among what `indices` stand for although something that is depends on a part of it:
    /// the part, and the whole.
    pub(super) fn lacking(&self, indices: &[usize]) -> Option<(RevisionId, usize)> {
        if self.nodes.iter().all(|it| it.replaces.is_empty()) {
            return None;
        }
        let held = self.ancestors(indices, Along::Dependencies);
        let mut parts = held
            .iter()
            .flat_map(|it| self.links[it].parts.iter().map(move |&whole| (it, whole)));
        let (from, whole) = parts.find(|(_, whole)| !held.contains(*whole))?;
        let node = &self.nodes[whole];
        let named = self.nodes[from].depends_on.iter().map(|it| &it.target);
        let named = named
            .filter_map(|it| node.replaces.iter().find(|part| part.as_str() == it))
            .next();
        Some((named.or(node.replaces.last())?.clone(), whole))
    }

    /// The revision that does the work of the revision with exactly this id since a squash.
    pub(super) fn replacing(&self, id: &str) -> Option<&Node> {
        let node = &self.nodes[self.keys.get(id)?.node];
        let replaces = node.replaces.iter().any(|it| it.as_str() == id);
        (replaces && node.id.as_str() != id).then_some(node)
    }

    /// The replaced id that a target names or begins, with the revision that does its work since a squash; none if the
    /// target names something that is there.
    #[must_use]
    pub fn replaced(&self, text: &str) -> Option<(RevisionId, &Node)> {
        let id = text.rsplit_once('@').map_or(text, |(_, it)| it);
        let index = self.find(id, None).ok()?;
        let node = &self.nodes[index];
        let is_there = |it: &str| it.starts_with(id);
        if is_there(node.id.as_str()) || node.labels.iter().any(|it| is_there(it)) {
            return None;
        }
        let replaced = node.replaces.iter().find(|it| is_there(it.as_str()))?;
        Some((replaced.clone(), node))
    }

    pub(super) fn symbol<'t>(&self, text: &'t str) -> Result<Symbol<'t>, GraphError> {
        let (branch, name) = match text.split_once('@') {
            Some((branch, name)) => (Some(branch), name),
            None => (None, text),
        };
        let name = match name {
            "base" => Name::Base,
            "head" => Name::Heads(self.single_head(branch)?.into_iter().collect()),
            "heads" => Name::Heads(match branch {
                Some(branch) => self.filter_lineage(&self.heads, branch, Along::Versioned)?,
                None => self.real_heads.clone(),
            }),
            text => Name::Text(text),
        };
        Ok(Symbol { branch, name })
    }

    fn single_head(&self, branch: Option<&str>) -> Result<Option<usize>, GraphError> {
        let heads = match branch {
            Some(branch) => self.filter_lineage(&self.heads, branch, Along::Versioned)?,
            None => self.heads.clone(),
        };
        if heads.len() > 1 {
            let argument = branch.map_or_else(|| "head".to_owned(), |it| format!("{it}@head"));
            return Err(GraphError::MultipleHeads {
                argument,
                heads: self.ids(heads),
            });
        }
        Ok(heads.first().copied())
    }

    /// The revision that stands for a branch: the one with the label, or any revision of it.
    pub(super) fn branch(&self, branch: &str) -> Result<usize, GraphError> {
        match self.find(branch, None) {
            Err(GraphError::NotFound { .. }) => Err(GraphError::NoSuchBranch {
                branch: branch.to_owned(),
            }),
            found => found,
        }
    }

    /// The revision with an id or label that is `text` or, if it is longer than three characters, begins with it.
    pub(super) fn find(&self, text: &str, branch: Option<&str>) -> Result<usize, GraphError> {
        let lineage = branch
            .map(|it| Ok(self.line_through(&[self.branch(it)?], Along::Versioned)))
            .transpose()?;
        let found = match self.keys.get(text) {
            Some(key) => key.node,
            None => self.find_beginning(text, lineage.as_ref())?,
        };
        match (branch, lineage) {
            (Some(branch), Some(lineage)) if !lineage.contains(found) => {
                Err(GraphError::NotInBranch {
                    revision: self.id(found).clone(),
                    branch: branch.to_owned(),
                })
            }
            _ => Ok(found),
        }
    }

    fn find_beginning(&self, text: &str, lineage: Option<&NodeSet>) -> Result<usize, GraphError> {
        let mut matches = Vec::new();
        if !text.is_empty() {
            let from_text = self
                .keys
                .range::<str, _>((Bound::Included(text), Bound::Unbounded))
                .take_while(|(name, _)| name.starts_with(text));
            let long = from_text.filter(|(name, _)| name.chars().count() > 3);
            matches.extend(long.filter(|(_, key)| lineage.is_none_or(|it| it.contains(key.node))));
        }
        matches.sort_by_key(|(_, key)| key.rank);
        // Several ids that one revision replaced mean that one.
        let nodes: BTreeSet<usize> = matches.iter().map(|(_, key)| key.node).collect();
        if nodes.len() == 1 && matches.iter().any(|(_, key)| key.rank == usize::MAX) {
            matches.truncate(1);
        }
        match matches.as_slice() {
            [] => Err(GraphError::NotFound {
                text: text.to_owned(),
            }),
            [(_, key)] => Ok(key.node),
            several => {
                let matches = several.iter().map(|(name, _)| (*name).clone()).collect();
                Err(GraphError::AmbiguousPrefix {
                    text: text.to_owned(),
                    matches,
                })
            }
        }
    }

    /// Everything that lies above or below one of `indices`.
    pub(super) fn line_through(&self, indices: &[usize], along: Along) -> NodeSet {
        let mut line = self.ancestors(indices, along);
        line.union_with(&self.descendants(indices, along));
        line
    }

    /// Those of `targets` that lie on one line with what `check_against` names, or all if that is `base`.
    pub(super) fn filter_lineage(
        &self,
        targets: &[usize],
        check_against: &str,
        along: Along,
    ) -> Result<Vec<usize>, GraphError> {
        let Symbol { branch, name } = self.symbol(check_against)?;
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let mut through: Vec<usize> = branch
            .map(|it| self.branch(it))
            .transpose()?
            .into_iter()
            .collect();
        match name {
            Name::Base => {}
            Name::Heads(heads) => through.extend(heads),
            Name::Text(text) => through.push(self.find(text, None)?),
        }
        if through.is_empty() {
            return Ok(targets.to_vec());
        }
        let line = self.line_through(&through, along);
        Ok(targets
            .iter()
            .copied()
            .filter(|&it| line.contains(it))
            .collect())
    }

    pub(super) fn all_current_indices(&self, rows: &[usize]) -> Vec<usize> {
        let held = self.ancestors(rows, Along::Dependencies);
        // What is held is closed downwards, so whatever has a held descendant has a held child.
        let is_tip = |&it: &usize| !self.links[it].next.iter().any(|&next| held.contains(next));
        held.iter().filter(is_tip).collect()
    }
}
