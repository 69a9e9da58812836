//! The folders of revisions: those of the command line, of the config file, and of the modules that the program holds.

use std::path::{Path, PathBuf};

use limbeck_metadata::Module;
use limbeck_revision::{Embedded, Location, Missing, RevisionDirectory};
use limbeck_runner::History;
use serde::Deserialize;

use crate::config::REVISIONS;
use crate::context::Context;
use crate::error::CliError;

/// A folder of the config file: its path alone, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a folder, or { path = \"…\", branch = \"…\", recursive = true }"
)]
pub(crate) enum Folder {
    /// The path.
    Path(PathBuf),
    /// The path and more.
    Table(FolderTable),
}

/// A folder with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FolderTable {
    /// The folder.
    pub path: PathBuf,
    /// The branch label whose new revisions belong here.
    pub branch: Option<String>,
    /// Whether its subfolders hold revisions too.
    #[serde(default)]
    pub recursive: bool,
}

impl Folder {
    /// The branch label whose new revisions belong here.
    pub(crate) fn branch(&self) -> Option<&str> {
        match self {
            Self::Path(_) => None,
            Self::Table(it) => it.branch.as_deref(),
        }
    }

    fn location(&self, resolve: impl Fn(&Path) -> PathBuf) -> Location {
        match self {
            Self::Path(path) => plain(resolve(path)),
            Self::Table(FolderTable {
                path,
                branch,
                recursive,
            }) => Location {
                path: resolve(path),
                recursive: *recursive,
                branch: branch.clone(),
            },
        }
    }
}

/// Where revisions come from.
#[derive(Debug)]
struct Places {
    locations: Vec<Location>,
    embedded: Vec<Embedded>,
}

impl Context<'_> {
    /// The folders of revisions that there are on this machine, or could be.
    #[must_use]
    pub(crate) fn locations(&self) -> Vec<Location> {
        self.places().locations
    }

    fn places(&self) -> Places {
        let resolve = |it: &Path| self.config.resolve(it);
        let configured: Vec<_> = self
            .config
            .revisions
            .iter()
            .map(|it| it.location(resolve))
            .collect();
        if !self.global.revisions.is_empty() {
            // A folder that the config file knows keeps what it says of it.
            let named = self.global.revisions.iter().map(|path| {
                let known = configured.iter().find(|it| same(&it.path, path));
                known.cloned().unwrap_or_else(|| plain(path.clone()))
            });
            return Places {
                locations: named.collect(),
                embedded: Vec::new(),
            };
        }
        let mut places = Places {
            locations: Vec::new(),
            embedded: Vec::new(),
        };
        for it in Module::all() {
            let path = Path::new(it.folder);
            if path.is_dir() {
                places.locations.push(Location {
                    path: path.to_owned(),
                    recursive: false,
                    branch: Some(it.name.to_owned()),
                });
            } else {
                places.embedded.push(Embedded {
                    name: it.name,
                    files: it.files,
                });
            }
        }
        places.locations.extend(configured);
        let default = resolve(REVISIONS.as_ref());
        let has_modules = !places.locations.is_empty() || !places.embedded.is_empty();
        if !has_modules || (self.config.revisions.is_empty() && default.is_dir()) {
            places.locations.push(plain(default));
        }
        places
    }

    /// The revisions.
    ///
    /// # Errors
    /// If a folder or a file cannot be read, or the files contradict each other.
    pub(crate) fn history(&self) -> Result<History, CliError> {
        self.load(Missing::Refuse)
    }

    /// The revisions of those folders that are there: for a new revision, the first one makes its folder.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub(crate) fn history_so_far(&self) -> Result<History, CliError> {
        self.load(Missing::Empty)
    }

    fn load(&self, missing: Missing) -> Result<History, CliError> {
        let Places {
            locations,
            embedded,
        } = self.places();
        let directory = RevisionDirectory::load_all(&locations, &embedded, missing)?;
        Ok(History::new(directory)?.with_variables(self.variables.clone()))
    }

    /// The folder that belongs to a branch.
    pub(crate) fn branch_folder(&self, branch: &str) -> Option<PathBuf> {
        let mut locations = self.locations().into_iter();
        let found = locations.find(|it| it.branch.as_deref() == Some(branch));
        found.map(|it| it.path)
    }
}

fn plain(path: PathBuf) -> Location {
    Location {
        path,
        recursive: false,
        branch: None,
    }
}

/// Whether two paths lead to one folder, as far as that can be said of folders that need not be there.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    let whole = |it: &Path| {
        let absolute = std::path::absolute(it).unwrap_or_else(|_| it.to_owned());
        absolute.canonicalize().unwrap_or(absolute)
    };
    one == other || whole(one) == whole(other)
}
