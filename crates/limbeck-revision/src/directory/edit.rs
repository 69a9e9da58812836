//! Changes of revisions that are there: a field of the header, the whole file, or one file in the place of several.

use std::fs;
use std::path::{Path, PathBuf};

use super::{LOST_MARKERS, LoadedHeader, NewFile, RevisionDirectory};
use crate::error::RevisionError;
use crate::files;
use crate::format::Revision;
use crate::graph::Node;
use crate::header::{Header, replace_field};
use crate::ids::RevisionId;

/// A field of a header with its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldChange<'a> {
    /// What the revision follows; nothing for a base.
    Revises(&'a [RevisionId]),
    /// The branch labels that it carries.
    BranchLabels(&'a [String]),
}

impl FieldChange<'_> {
    fn apply(self, header: &mut Header) {
        match self {
            Self::Revises(ids) => header.revises = ids.to_vec(),
            Self::BranchLabels(labels) => header.branch_labels = labels.to_vec(),
        }
    }
}

impl RevisionDirectory {
    /// Changes one field in the file of a revision. Every other byte stays, so what runs and its checksum stay too.
    ///
    /// # Errors
    ///
    /// [`RevisionError::UnknownRevision`], [`RevisionError::Embedded`], [`RevisionError::NotReadable`] if the file
    /// would not be read back with just that change, and those of reading and writing files.
    pub fn change(
        &mut self,
        revision: &RevisionId,
        change: FieldChange<'_>,
    ) -> Result<(), RevisionError> {
        let (index, path) = self.file_of(revision)?;
        let before = self.read(revision)?;
        let mut after = before.clone();
        change.apply(&mut after.header);
        let text = fs::read_to_string(&path).map_err(super::unreadable(&path))?;
        let text = replace_field(&text, &after.header, change);
        let why = match Revision::parse(&text, &path) {
            Ok(read) if read == after => None,
            Ok(_) => {
                Some("its header has lines that cannot be told apart; edit it by hand".to_owned())
            }
            Err(err) => Some(err.to_string()),
        };
        if let Some(why) = why {
            let revision = revision.clone();
            return Err(RevisionError::NotReadable { revision, why });
        }
        files::replace(&path, &text)?;
        self.headers[index].header = after.header;
        Ok(())
    }

    /// Deletes the file of a revision.
    ///
    /// # Errors
    ///
    /// [`RevisionError::UnknownRevision`], [`RevisionError::Embedded`] and [`RevisionError::Write`].
    pub fn remove(&mut self, revision: &RevisionId) -> Result<LoadedHeader, RevisionError> {
        let (index, path) = self.file_of(revision)?;
        fs::remove_file(&path).map_err(|source| RevisionError::Write {
            remedy: files::remedy(source.kind()),
            path,
            source,
        })?;
        let removed = self.headers.remove(index);
        self.count();
        Ok(removed)
    }

    /// The file of a revision, to be changed.
    ///
    /// # Errors
    ///
    /// [`RevisionError::UnknownRevision`] and [`RevisionError::Embedded`].
    pub fn file(&self, revision: &RevisionId) -> Result<&Path, RevisionError> {
        let (index, _) = self.file_of(revision)?;
        Ok(&self.headers[index].path)
    }

    /// Puts a revision into the place of the one that has its id, and deletes the files of those that it replaces; gives
    /// its file and the deleted ones.
    ///
    /// The file takes the place of the old one in one step, so the revision is there whole at any time, and no id is there
    /// twice. If this ends half way, files are left that the revision replaces, and the next reading of the history says
    /// so. At last the file gets the name that a new one would have, in the folder it is in, unless that is taken.
    ///
    /// # Errors
    ///
    /// [`RevisionError::UnknownRevision`], [`RevisionError::Embedded`], [`RevisionError::NotReadable`],
    /// [`RevisionError::NotRecursive`], [`RevisionError::Template`] and [`RevisionError::Write`], with nothing changed;
    /// [`RevisionError::Leftover`] for the first file that could not be deleted.
    pub fn squash(
        &mut self,
        revision: &Revision,
        gone: &[RevisionId],
        new: NewFile<'_>,
    ) -> Result<(PathBuf, Vec<PathBuf>), RevisionError> {
        let id = &revision.header.revision;
        let (index, old) = self.file_of(id)?;
        let mut removed = Vec::new();
        for it in gone {
            removed.push(self.file_of(it)?.1);
        }
        let path = self.renamed(&old, revision, new)?;
        let text = revision.render();
        let why = match Revision::parse(&text, &old) {
            Ok(read) if read == revision.as_written() => None,
            Ok(_) => Some(LOST_MARKERS.to_owned()),
            Err(err) => Some(err.to_string()),
        };
        if let Some(why) = why {
            let revision = id.clone();
            return Err(RevisionError::NotReadable { revision, why });
        }
        files::replace(&old, &text)?;
        self.headers[index].header = revision.header.clone();
        let mut left = None;
        for path in &removed {
            if let Err(source) = fs::remove_file(path) {
                left.get_or_insert(RevisionError::Leftover {
                    by: id.clone(),
                    path: path.clone(),
                    source,
                });
            }
        }
        if let Some(error) = left {
            return Err(error);
        }
        // A name that is taken, or cannot be given, is no loss: the old one does as well.
        let free = fs::symlink_metadata(&path).is_err();
        let moved = free && super::create_parent(&path).is_ok() && fs::rename(&old, &path).is_ok();
        let path = if moved { path } else { old };
        self.headers[index].path.clone_from(&path);
        self.headers
            .retain(|it| !gone.contains(&it.header.revision));
        self.count();
        Ok((path, removed))
    }

    /// The name of a new file for `revision` in the place of the file `old`.
    fn renamed(
        &self,
        old: &Path,
        revision: &Revision,
        new: NewFile<'_>,
    ) -> Result<PathBuf, RevisionError> {
        // The text below the title may list what was squashed, which is no name.
        let mut header = revision.header.clone();
        header.message = Node::from(&header).title();
        let name = new.naming.path(&header, new.at)?;
        if name.components().count() == 1 {
            return Ok(old.with_file_name(name));
        }
        let holding = self.locations.iter().filter(|it| old.starts_with(&it.path));
        match holding.max_by_key(|it| it.path.components().count()) {
            Some(it) if it.recursive => Ok(it.path.join(name)),
            Some(it) => Err(RevisionError::NotRecursive {
                file: name,
                folder: it.path.clone(),
            }),
            None => Ok(old.to_owned()),
        }
    }

    /// Finds the places of all revisions anew.
    fn count(&mut self) {
        let ids = self.headers.iter().enumerate();
        self.by_id = ids
            .map(|(at, it)| (it.header.revision.clone(), at))
            .collect();
    }

    /// The place and the file of a revision that is no compiled-in one.
    fn file_of(&self, revision: &RevisionId) -> Result<(usize, std::path::PathBuf), RevisionError> {
        let Some(&index) = self.by_id.get(revision) else {
            return Err(RevisionError::UnknownRevision {
                revision: revision.clone(),
            });
        };
        if self.embedded.contains_key(revision) {
            return Err(RevisionError::Embedded {
                revision: revision.clone(),
            });
        }
        Ok((index, self.headers[index].path.clone()))
    }
}
