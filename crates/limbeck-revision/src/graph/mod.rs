//! The revision graph: what follows what, and how to get from the rows of a database to a target.
//!
//! Revisions follow others (`revises`) and may need others besides (`depends on`). The first kind of edge makes the
//! branches: *bases* follow nothing, *heads* are followed by nothing, a *branch point* is followed by several, a *merge
//! point* follows several. The second kind only says what has to be there first. A head that something depends on is
//! an *effective* head: whoever holds the dependent holds it too, so it is no row of the version table; the others are
//! *real* heads.
//!
//! The semantics are those of Alembic's revision map (`script/revision.py`, `script/base.py`, `runtime/migration.py`),
//! checked against records of its own tests, except that a duplicate id, a missing parent and an ambiguous downgrade
//! are errors.
//!
//! - `build`: checks the revisions and links them; `resolve`: from texts to revisions; `walk`: sets and order;
//! - `target`: the grammar of targets; `select`: which revisions lie between two ends; `steps`: what an upgrade,
//!   downgrade or stamp does; `rows`: the version rows of each step; `lines`: how a revision is printed;
//! - `draw`: the history with lanes beside it; `export`: the history for programs that draw graphs;
//! - `rearrange`: what a rebase or a removal changes; `squash`: the one revision that comes in the place of several.

mod build;
mod draw;
mod error;
mod export;
mod lines;
mod rearrange;
mod resolve;
mod rows;
mod select;
mod squash;
mod steps;
mod target;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::header::{Dependency, Header};
use crate::ids::RevisionId;

pub use error::{CycleKind, GraphError, Origin};
pub use lines::LineFormat;
pub use rearrange::{Rebase, Relinked, Removal};
pub use rows::RowChange;
pub use select::{BasePolicy, Ends, Overwalk, RangeOptions, Selection, Travel};
pub use squash::Squash;
pub use steps::{Direction, Move, StampMove, Step};

/// One revision, as the graph needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: RevisionId,
    /// The revisions it follows: none for a base, several for a merge.
    pub down: Vec<RevisionId>,
    /// What has to be applied before it besides.
    pub depends_on: Vec<Dependency>,
    /// The branch labels that it carries itself.
    pub labels: Vec<String>,
    /// The revisions whose work it does since a squash; texts that name them name it.
    pub replaces: Vec<RevisionId>,
    /// What it does; the first paragraph is its title.
    pub doc: String,
    /// Its file; none for a revision that is compiled in.
    pub path: Option<PathBuf>,
}

impl Node {
    /// A revision without dependencies, labels, text or file.
    #[must_use]
    pub fn new(id: RevisionId, down: Vec<RevisionId>) -> Self {
        Self {
            id,
            down,
            depends_on: Vec::new(),
            labels: Vec::new(),
            replaces: Vec::new(),
            doc: String::new(),
            path: None,
        }
    }

    /// The same revision with the file it comes from.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The title: the first paragraph of the text, on one line.
    #[must_use]
    pub fn title(&self) -> String {
        let paragraph = self.doc.trim().split("\n\n").next().unwrap_or_default();
        paragraph
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn origin(&self) -> Origin {
        Origin {
            revision: self.id.clone(),
            path: self.path.clone(),
        }
    }
}

impl From<Header> for Node {
    fn from(header: Header) -> Self {
        let Header {
            revision,
            message,
            revises,
            branch_labels,
            depends_on,
            replaces,
            checksum: _,
            created: _,
            review: _,
        } = header;
        Self {
            id: revision,
            down: revises,
            depends_on,
            labels: branch_labels,
            replaces,
            doc: message,
            path: None,
        }
    }
}

impl From<&Header> for Node {
    fn from(header: &Header) -> Self {
        header.clone().into()
    }
}

/// All revisions with their links; immutable once built.
#[derive(Clone, Debug)]
pub struct RevisionGraph {
    nodes: Vec<Node>,
    links: Vec<Links>,
    /// Ids, labels, and ids that a squash replaced.
    keys: BTreeMap<String, Key>,
    labels: Vec<String>,
    heads: Vec<usize>,
    real_heads: Vec<usize>,
    bases: Vec<usize>,
}

/// The edges of one revision, as indices into the nodes.
#[derive(Clone, Debug, Default)]
struct Links {
    /// Parents by `revises`.
    down: Vec<usize>,
    /// Dependencies, labels resolved, absent optional ones left out.
    dependencies: Vec<usize>,
    /// Parents and those dependencies that no ancestor by `revises` has already.
    normalized_down: Vec<usize>,
    /// Squashed revisions that it depends on a part of: they have to be applied before it, but who has it need not have
    /// them, as a database that is in the middle of the squash.
    parts: Vec<usize>,
    /// Children by `revises`.
    next: Vec<usize>,
    /// Children and dependents.
    all_next: Vec<usize>,
    /// The revisions that depend on a part of it.
    part_next: Vec<usize>,
    /// Labels, own and inherited, as indices into the graph's labels.
    labels: BTreeSet<usize>,
    /// The place in an order in which everything comes after what it needs.
    rank: usize,
}

/// What an id or a label stands for.
#[derive(Clone, Copy, Debug)]
struct Key {
    node: usize,
    /// Ids in order of arrival, then labels, then replaced ids: the order in which several matches are listed.
    rank: usize,
}

/// How a head is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing follows or needs it.
    Real,
    /// Nothing follows it, but another revision depends on it, so that it is no row of its own.
    Effective,
}

/// A revision with everything that the graph knows about it.
#[derive(Clone, Debug)]
pub struct Relations<'g> {
    /// The revision.
    pub node: &'g Node,
    /// Its parents.
    pub down: Vec<&'g Node>,
    /// What it depends on, labels resolved, absent optional ones left out.
    pub depends_on: Vec<&'g Node>,
    /// Its parents and those dependencies that no ancestor has already: what its step replaces in the version table.
    pub needs: Vec<&'g Node>,
    /// Its children.
    pub next: Vec<&'g Node>,
    /// The revisions that follow or depend on it.
    pub dependents: Vec<&'g Node>,
    /// Its branch labels, own and inherited, sorted.
    pub labels: Vec<&'g str>,
    /// Whether it is a head, and how.
    pub head: Option<Head>,
    /// Whether several revisions follow it.
    pub branch_point: bool,
    /// Whether it follows several revisions.
    pub merge_point: bool,
}

impl RevisionGraph {
    /// Links the revisions. Their order matters for ties only: among equals the earlier one is listed first, so the
    /// caller gives them in an order that does not change between runs (by file name, as Alembic does).
    ///
    /// # Errors
    ///
    /// [`GraphError::Duplicate`], [`GraphError::AlsoReplaced`], [`GraphError::ReplacedTwice`],
    /// [`GraphError::MissingParent`], [`GraphError::ReplacedParent`], [`GraphError::MissingDependency`],
    /// [`GraphError::LabelTaken`] and [`GraphError::Cycle`].
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Result<Self, GraphError> {
        build::build(nodes.into_iter().collect())
    }

    /// All revisions, in the order they were given.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The revision with exactly this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.index(id).map(|it| &self.nodes[it])
    }

    /// Revisions that nothing follows, real and effective.
    #[must_use]
    pub fn heads(&self) -> Vec<&Node> {
        self.pick(&self.heads)
    }

    /// Revisions that nothing follows or depends on: what an up-to-date version table holds.
    #[must_use]
    pub fn real_heads(&self) -> Vec<&Node> {
        self.pick(&self.real_heads)
    }

    /// Revisions that follow nothing.
    #[must_use]
    pub fn bases(&self) -> Vec<&Node> {
        self.pick(&self.bases)
    }

    /// Every branch label with the revision that carries it, sorted.
    #[must_use]
    pub fn labels(&self) -> Vec<(&str, &Node)> {
        let mut labels: Vec<(&str, &Node)> = self
            .labels
            .iter()
            .map(|it| (it.as_str(), &self.nodes[self.keys[it].node]))
            .collect();
        labels.sort_by_key(|(label, _)| *label);
        labels
    }

    /// What the graph knows about the revision with exactly this id.
    #[must_use]
    pub fn relations(&self, id: &str) -> Option<Relations<'_>> {
        let index = self.index(id)?;
        let links = &self.links[index];
        Some(Relations {
            node: &self.nodes[index],
            down: self.pick(&links.down),
            depends_on: self.pick(&[links.dependencies.as_slice(), &links.parts].concat()),
            needs: self.pick(&links.normalized_down),
            next: self.pick(&links.next),
            dependents: self.pick(&[links.all_next.as_slice(), &links.part_next].concat()),
            labels: self.labels_of(index),
            head: self.head(index),
            branch_point: links.next.len() > 1,
            merge_point: links.down.len() > 1,
        })
    }

    /// The place of exactly this id; labels are no ids.
    fn index(&self, id: &str) -> Option<usize> {
        let key = self.keys.get(id)?;
        (self.nodes[key.node].id.as_str() == id).then_some(key.node)
    }

    fn head(&self, index: usize) -> Option<Head> {
        let links = &self.links[index];
        match (links.next.is_empty(), links.all_next.is_empty()) {
            (false, _) => None,
            (true, true) => Some(Head::Real),
            (true, false) => Some(Head::Effective),
        }
    }

    fn labels_of(&self, index: usize) -> Vec<&str> {
        let mut labels: Vec<&str> = self.links[index]
            .labels
            .iter()
            .map(|&it| self.labels[it].as_str())
            .collect();
        labels.sort_unstable();
        labels
    }

    fn pick(&self, indices: &[usize]) -> Vec<&Node> {
        indices.iter().map(|&it| &self.nodes[it]).collect()
    }

    fn id(&self, index: usize) -> &RevisionId {
        &self.nodes[index].id
    }

    fn ids(&self, indices: impl IntoIterator<Item = usize>) -> Vec<RevisionId> {
        indices.into_iter().map(|it| self.id(it).clone()).collect()
    }
}
