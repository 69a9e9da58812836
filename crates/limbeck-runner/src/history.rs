//! The revisions of some folders with their graph.

use std::path::Path;

use limbeck_revision::graph::{Node, RevisionGraph};
use limbeck_revision::{Location, Revision, RevisionDirectory, RevisionId, Segment};
use limbeck_schema::Variables;
use limbeck_schema::variables::{Misuse, used};

use crate::error::RunnerError;

/// Revision files and how they follow each other.
#[derive(Clone, Debug)]
pub struct History {
    /// The files.
    pub directory: RevisionDirectory,
    /// How they follow each other.
    pub graph: RevisionGraph,
    /// The values of the variables in their SQL.
    pub variables: Variables,
}

/// What an applied revision differs in from what was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'h> {
    /// Nothing.
    None,
    /// A variable has another value.
    Variable,
    /// The file is another one.
    File,
    /// The file is another one, and its header says that a squash wrote it in the place of these revisions and of the
    /// file that was run.
    Squashed(&'h [RevisionId]),
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
            variables: Variables::new(),
        })
    }

    /// The same history with values for the variables in its SQL.
    #[must_use]
    pub fn with_variables(self, variables: Variables) -> Self {
        Self { variables, ..self }
    }

    /// Reads a revision as it is run: the values of variables in their places. Lines stay where they are in the file.
    ///
    /// # Errors
    /// As [`RevisionDirectory::read`]; [`RunnerError::Variable`] where a variable has no value or would leave its place.
    pub fn read(&self, revision: &RevisionId) -> Result<Revision, RunnerError> {
        self.run_of(revision, self.directory.read(revision)?)
    }

    fn run_of(&self, revision: &RevisionId, file: Revision) -> Result<Revision, RunnerError> {
        let path = self.directory.get(revision).map(|it| it.path.as_path());
        self.expand(file, path.unwrap_or(Path::new("")))
    }

    /// A revision as it is run; `path` is its file.
    ///
    /// # Errors
    /// [`RunnerError::Variable`].
    pub fn expand(&self, file: Revision, path: &Path) -> Result<Revision, RunnerError> {
        let Revision {
            header,
            upgrade,
            downgrade,
        } = file;
        let expand = |segments: Vec<Segment>| {
            let segments = segments.into_iter();
            let expanded = segments.map(|it| {
                let text = self.variables.expand_sql(&it.text);
                let text = text.map_err(|Misuse { at, problem }| RunnerError::Variable {
                    revision: header.revision.to_string(),
                    path: path.to_owned(),
                    line: it.line + it.text[..at].matches('\n').count(),
                    problem,
                })?;
                Ok(Segment {
                    text: text.into_owned(),
                    ..it
                })
            });
            expanded.collect::<Result<Vec<_>, RunnerError>>()
        };
        Ok(Revision {
            upgrade: expand(upgrade)?,
            downgrade: expand(downgrade)?,
            header,
        })
    }

    /// What the log keeps of a revision: the checksum of its file, and with variables in it also that of what is run, so
    /// that a value that changes is told from a file that does.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn checksum(&self, revision: &RevisionId) -> Result<String, RunnerError> {
        Ok(self.read_for_log(revision)?.1)
    }

    /// Reads a revision as it is run, and what the log keeps of it.
    pub(crate) fn read_for_log(
        &self,
        revision: &RevisionId,
    ) -> Result<(Revision, String), RunnerError> {
        let file = self.directory.read(revision)?;
        let whole = file.checksum();
        let mut segments = file.upgrade.iter().chain(&file.downgrade);
        let is_plain = segments.all(|it| used(&it.text).is_empty());
        let run = self.run_of(revision, file)?;
        let kept = match is_plain {
            true => whole,
            false => format!("{whole} {}", run.checksum()),
        };
        Ok((run, kept))
    }

    /// Compares an applied revision with the checksum in the log.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn change_since(
        &self,
        revision: &RevisionId,
        applied: &str,
    ) -> Result<Change<'_>, RunnerError> {
        let now = self.checksum(revision)?;
        if now == applied {
            return Ok(Change::None);
        }
        let file = |it: &str| it.split(' ').next().unwrap_or_default().to_owned();
        let (file_now, file_applied) = (file(&now), file(applied));
        if file_now == file_applied {
            return Ok(Change::Variable);
        }
        let header = self.directory.get(revision).map(|it| &it.header);
        let squashed = header.filter(|it| it.accepts(&file_applied, &file_now));
        Ok(squashed.map_or(Change::File, |it| Change::Squashed(&it.replaces)))
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
