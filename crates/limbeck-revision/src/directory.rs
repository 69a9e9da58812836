//! Revision folders: every header at once, a body when it is asked for, and new files.

mod edit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::error::RevisionError;
use crate::filename::FileNaming;
use crate::files;
use crate::format::Revision;
use crate::header::{Header, HeaderReader};
use crate::ids::RevisionId;

pub use edit::FieldChange;

/// Why a file that can be read says something else than the revision it was written from.
const LOST_MARKERS: &str = "its SQL has comments `-- segment:` of its own, or its fields have white space at their \
                            ends, line breaks or blank items; remove them";

/// One folder that holds revisions (Alembic's `version_locations`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder.
    pub path: PathBuf,
    /// Whether its subfolders hold revisions too (Alembic's `recursive_version_locations`).
    pub recursive: bool,
    /// The branch label whose new revisions belong here.
    pub branch: Option<String>,
}

/// The revision files that a program was compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// What messages call the folder.
    pub name: &'static str,
    /// Each file's name and text, sorted by name.
    pub files: &'static [(&'static str, &'static str)],
}

/// What a folder that does not exist means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An error.
    Refuse,
    /// A folder without revisions, which the first one makes.
    Empty,
}

/// A revision of a folder, without its SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedHeader {
    /// What the file says about itself.
    pub header: Header,
    /// The file.
    pub path: PathBuf,
}

/// What a new file needs beside its content.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// How files are named.
    pub naming: &'a FileNaming,
    /// The time of writing.
    pub at: Timestamp,
    /// The folder; must be the path of a [`Location`]. Without it, the revision's label or parent decides.
    pub folder: Option<&'a Path>,
}

/// The revisions of some folders.
#[derive(Clone, Debug)]
pub struct RevisionDirectory {
    locations: Vec<Location>,
    /// In the order of the locations, then of the paths.
    headers: Vec<LoadedHeader>,
    by_id: BTreeMap<RevisionId, usize>,
    /// The texts of those that are compiled in.
    embedded: BTreeMap<RevisionId, &'static str>,
}

impl RevisionDirectory {
    /// Reads the header of every `*.sql` file in the folders. Files and folders whose names begin with a dot are passed
    /// over, and a folder that is reached twice is read once.
    ///
    /// # Errors
    ///
    /// [`RevisionError::MissingFolder`], [`RevisionError::Read`], [`RevisionError::NotARevision`] for a file without
    /// an id, [`RevisionError::NotUtf8`], [`RevisionError::Syntax`] for a header that is not right, and
    /// [`RevisionError::DuplicateId`].
    pub fn load(locations: &[Location]) -> Result<Self, RevisionError> {
        Self::load_all(locations, &[], Missing::Refuse)
    }

    /// Reads the folders as [`Self::load`] does, and takes what the program was compiled with besides, first.
    ///
    /// # Errors
    ///
    /// As [`Self::load`]; [`RevisionError::MissingFolder`] only where `missing` says so.
    pub fn load_all(
        locations: &[Location],
        embedded: &[Embedded],
        missing: Missing,
    ) -> Result<Self, RevisionError> {
        let mut loaded = Self {
            locations: locations.to_vec(),
            headers: Vec::new(),
            by_id: BTreeMap::new(),
            embedded: BTreeMap::new(),
        };
        for Embedded { name, files } in embedded {
            for (file, text) in *files {
                let path = Path::new(name).join(file);
                let header = read_header(text.as_bytes(), &path)?;
                loaded.embedded.insert(header.revision.clone(), text);
                loaded.add(LoadedHeader { header, path })?;
            }
        }
        let mut seen = BTreeSet::new();
        for location in locations {
            if missing == Missing::Empty && !location.path.exists() {
                continue;
            }
            let mut files = Vec::new();
            collect_files(&location.path, location.recursive, &mut seen, &mut files)?;
            files.sort();
            for path in files {
                let file = File::open(&path).map_err(unreadable(&path))?;
                let header = read_header(BufReader::with_capacity(2048, file), &path)?;
                loaded.add(LoadedHeader { header, path })?;
            }
        }
        Ok(loaded)
    }

    fn add(&mut self, loaded: LoadedHeader) -> Result<(), RevisionError> {
        let revision = loaded.header.revision.clone();
        if let Some(first) = self.get(&revision) {
            return Err(RevisionError::DuplicateId {
                revision,
                first: first.path.clone(),
                second: loaded.path,
            });
        }
        self.by_id.insert(revision, self.headers.len());
        self.headers.push(loaded);
        Ok(())
    }

    /// The folders that were read.
    #[must_use]
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// Every revision's header with its file, in the order of the locations, then of the paths; what was written since
    /// comes last.
    pub fn headers(&self) -> impl Iterator<Item = &LoadedHeader> {
        self.headers.iter()
    }

    /// The header and file of one revision.
    #[must_use]
    pub fn get(&self, revision: &RevisionId) -> Option<&LoadedHeader> {
        self.by_id.get(revision).map(|&it| &self.headers[it])
    }

    /// Reads the whole file of a revision.
    ///
    /// # Errors
    ///
    /// [`RevisionError::UnknownRevision`], [`RevisionError::Read`], and those of [`Revision::parse`].
    pub fn read(&self, revision: &RevisionId) -> Result<Revision, RevisionError> {
        let Some(LoadedHeader { path, .. }) = self.get(revision) else {
            return Err(RevisionError::UnknownRevision {
                revision: revision.clone(),
            });
        };
        if let Some(text) = self.embedded.get(revision) {
            return Revision::parse(text, path);
        }
        let bytes = fs::read(path).map_err(unreadable(path))?;
        let text = String::from_utf8(bytes).map_err(|it| {
            let valid = &it.as_bytes()[..it.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&it| it == b'\n').count();
            RevisionError::NotUtf8 {
                path: path.clone(),
                line,
            }
        })?;
        Revision::parse(&text, path)
    }

    /// Writes a new revision and returns its file. The file appears whole or not at all, and never takes another's
    /// place.
    ///
    /// # Errors
    ///
    /// [`RevisionError::DuplicateId`] and [`RevisionError::Exists`] for what is there already,
    /// [`RevisionError::NotReadable`] if the file would not be read back as `revision`,
    /// [`RevisionError::NoFolder`], [`RevisionError::WhichFolder`], [`RevisionError::UnknownFolder`] and
    /// [`RevisionError::NotRecursive`] if it has no place, [`RevisionError::Template`], and [`RevisionError::Write`] with
    /// the remedy.
    pub fn write(
        &mut self,
        revision: &Revision,
        new: NewFile<'_>,
    ) -> Result<PathBuf, RevisionError> {
        let location = self.location_for(&revision.header, new.folder)?;
        let name = new.naming.path(&revision.header, new.at)?;
        let path = location.path.join(&name);
        let id = &revision.header.revision;
        if let Some(first) = self.get(id) {
            return Err(RevisionError::DuplicateId {
                revision: id.clone(),
                first: first.path.clone(),
                second: path,
            });
        }
        if name.components().count() > 1 && !location.recursive {
            return Err(RevisionError::NotRecursive {
                file: name,
                folder: location.path.clone(),
            });
        }
        let text = revision.render();
        // Better no file than one that says something else.
        let why = match Revision::parse(&text, &path) {
            Ok(read) if read == revision.as_written() => None,
            Ok(_) => Some(LOST_MARKERS.to_owned()),
            Err(err) => Some(err.to_string()),
        };
        if let Some(why) = why {
            return Err(RevisionError::NotReadable {
                revision: id.clone(),
                why,
            });
        }
        create_parent(&path)?;
        files::write_new(&path, &text)?;
        self.add(LoadedHeader {
            header: revision.header.clone(),
            path: path.clone(),
        })?;
        Ok(path)
    }

    /// Where a new revision belongs: the folder that was asked for, the only one, the one of its branch label, or the
    /// one that its parent's file is in.
    fn location_for(
        &self,
        header: &Header,
        folder: Option<&Path>,
    ) -> Result<&Location, RevisionError> {
        let folders = || {
            let all: Vec<_> = self
                .locations
                .iter()
                .map(|it| it.path.display().to_string())
                .collect();
            all.join(", ")
        };
        if let Some(folder) = folder {
            let found = self
                .locations
                .iter()
                .find(|it| same_folder(&it.path, folder));
            return found.ok_or_else(|| RevisionError::UnknownFolder {
                path: folder.to_owned(),
                folders: folders(),
            });
        }
        match self.locations.as_slice() {
            [] => return Err(RevisionError::NoFolder),
            [only] => return Ok(only),
            _ => {}
        }
        let labelled = |it: &&Location| {
            it.branch
                .as_ref()
                .is_some_and(|it| header.branch_labels.contains(it))
        };
        let parent = || {
            let file = &self.get(header.revises.first()?)?.path;
            // Of nested folders, the innermost holds the file.
            let holding = self
                .locations
                .iter()
                .filter(|it| file.starts_with(&it.path));
            holding.max_by_key(|it| it.path.components().count())
        };
        let found = self.locations.iter().find(labelled).or_else(parent);
        found.ok_or_else(|| RevisionError::WhichFolder { folders: folders() })
    }
}

fn same_folder(one: &Path, other: &Path) -> bool {
    one == other
        || one
            .canonicalize()
            .is_ok_and(|it| other.canonicalize().is_ok_and(|other| it == other))
}

fn create_parent(path: &Path) -> Result<(), RevisionError> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(parent).map_err(|source| RevisionError::Write {
        path: path.to_owned(),
        remedy: files::remedy(source.kind()),
        source,
    })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> RevisionError {
    let path = path.to_owned();
    |source| RevisionError::Read { path, source }
}

/// Adds the `*.sql` files of a folder to `files`, unless the folder is in `seen`.
fn collect_files(
    folder: &Path,
    recursive: bool,
    seen: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), RevisionError> {
    let real = folder
        .canonicalize()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RevisionError::MissingFolder {
                path: folder.to_owned(),
            },
            _ => unreadable(folder)(source),
        })?;
    if !seen.insert(real) {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let is_sql = path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("sql"));
        if !is_sql && !recursive {
            continue;
        }
        let mut kind = entry.file_type().map_err(unreadable(&path))?;
        if kind.is_symlink() {
            kind = fs::metadata(&path).map_err(unreadable(&path))?.file_type();
        }
        if kind.is_dir() && recursive {
            collect_files(&path, recursive, seen, files)?;
        } else if kind.is_file() && is_sql {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads a file up to the end of its header.
fn read_header(mut file: impl BufRead, path: &Path) -> Result<Header, RevisionError> {
    let mut reader = HeaderReader::default();
    let mut bytes = Vec::with_capacity(128);
    for number in 1_usize.. {
        bytes.clear();
        if file
            .read_until(b'\n', &mut bytes)
            .map_err(unreadable(path))?
            == 0
        {
            break;
        }
        let Ok(mut line) = str::from_utf8(&bytes) else {
            return Err(RevisionError::NotUtf8 {
                path: path.to_owned(),
                line: number,
            });
        };
        if number == 1 {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if let ControlFlow::Break(_) = reader.take(number, line) {
            break;
        }
    }
    let header = reader
        .finish()
        .map_err(|(line, problem)| RevisionError::Syntax {
            path: path.to_owned(),
            line,
            problem,
        })?;
    header.ok_or_else(|| RevisionError::NotARevision {
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests;
