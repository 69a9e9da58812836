//! Changes of revisions that are there: a field of the header, or the whole file.

use std::fs;

use super::{LoadedHeader, RevisionDirectory};
use crate::error::RevisionError;
use crate::files;
use crate::format::Revision;
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
        self.by_id = self
            .headers
            .iter()
            .enumerate()
            .map(|(at, it)| (it.header.revision.clone(), at))
            .collect();
        Ok(removed)
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
