//! The revisions of some folders with their graph.

use limbeck_revision::graph::{Node, RevisionGraph};
use limbeck_revision::{Location, RevisionDirectory, RevisionId};

use crate::error::RunnerError;

/// Revision files and how they follow each other.
#[derive(Clone, Debug)]
pub struct History {
    /// The files.
    pub directory: RevisionDirectory,
    /// How they follow each other.
    pub graph: RevisionGraph,
}

impl History {
    /// Reads the headers of all files in the folders and links them.
    ///
    /// # Errors
    /// Those of [`RevisionDirectory::load`] and [`RevisionGraph::new`].
    pub fn load(locations: &[Location]) -> Result<Self, RunnerError> {
        Self::new(RevisionDirectory::load(locations)?)
    }

    /// Links the revisions of a directory.
    ///
    /// # Errors
    /// Those of [`RevisionGraph::new`].
    pub fn new(directory: RevisionDirectory) -> Result<Self, RunnerError> {
        let nodes: Vec<_> = directory
            .headers()
            .map(|it| Node::from(&it.header).at(&it.path))
            .collect();
        Ok(Self {
            graph: RevisionGraph::new(nodes)?,
            directory,
        })
    }

    /// The title of a revision; empty if it is not there.
    #[must_use]
    pub fn title(&self, revision: &RevisionId) -> String {
        self.graph
            .node(revision.as_str())
            .map(Node::title)
            .unwrap_or_default()
    }
}
