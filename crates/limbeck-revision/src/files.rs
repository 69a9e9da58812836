//! Writing files so that nobody ever sees half of one: to a temporary file beside it, to the disk, then renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::RevisionError;
use crate::ids::RevisionId;

/// Writes a new file; its folder has to exist.
///
/// # Errors
///
/// [`RevisionError::Exists`] if there is such a file, [`RevisionError::Write`] if it cannot be written; nothing is left
/// behind then.
pub fn write_new(path: &Path, text: &str) -> Result<(), RevisionError> {
    commit(path, |file| file.write_all(text.as_bytes()), place_new)
}

/// Replaces the content of a file that exists, and keeps its permissions. A symbolic link stays one.
///
/// # Errors
///
/// [`RevisionError::Read`] if there is no such file, [`RevisionError::Write`] if it cannot be written; the file is as it
/// was then.
pub fn replace(path: &Path, text: &str) -> Result<(), RevisionError> {
    let unreadable = |source| RevisionError::Read {
        path: path.to_owned(),
        source,
    };
    let target = path.canonicalize().map_err(unreadable)?;
    let permissions = fs::metadata(&target).map_err(unreadable)?.permissions();
    let fill = |file: &mut File| {
        file.set_permissions(permissions)?;
        file.write_all(text.as_bytes())
    };
    commit(&target, fill, |temporary, path| fs::rename(temporary, path))
}

/// Fills a temporary file and has it placed at `path`.
fn commit(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
    place: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), RevisionError> {
    let written = Temporary::beside(path).and_then(|(temporary, mut file)| {
        fill(&mut file)?;
        file.sync_all()?;
        place(&temporary.0, path)
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => RevisionError::Exists {
            path: path.to_owned(),
        },
        kind => RevisionError::Write {
            path: path.to_owned(),
            remedy: remedy(kind),
            source,
        },
    })?;
    sync_folder(path);
    Ok(())
}

/// Gives the temporary file its name unless there is such a file already.
fn place_new(temporary: &Path, path: &Path) -> io::Result<()> {
    // A hard link fails if the name is taken, where a rename would silently replace the other file. Some file systems
    // have no hard links.
    match fs::hard_link(temporary, path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Err(err),
        Ok(()) => Ok(()),
        Err(_) if fs::symlink_metadata(path).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(temporary, path),
    }
}

/// Makes the new name last. Not every system can open a folder, and the file itself is safe by now.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

/// What to do about a file that cannot be written.
pub(crate) fn remedy(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make the folder writable for you"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some disk space and run the command again"
        }
        io::ErrorKind::NotFound => "create its folder, or name another one",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where its folder should be; move it"
        }
        io::ErrorKind::InvalidFilename => "choose a shorter message or file template",
        _ => "see to the cause and run the command again",
    }
}

/// A temporary file, removed when this is dropped; by then it has another name or is not wanted.
struct Temporary(PathBuf);

impl Temporary {
    /// Creates it in the folder of `path`. Its name begins with a dot, so that revision folders pass it over.
    fn beside(path: &Path) -> io::Result<(Self, File)> {
        let mut name = OsString::from(".");
        name.push(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        // The name may be as long as names can be.
        if name.len() > 64 {
            name = ".limbeck".into();
        }
        name.push(format!(".{}.tmp", RevisionId::generate()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)?;
        Ok((Self(temporary), file))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_written_once_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        write_new(&path, "one").unwrap();
        let err = write_new(&path, "two").unwrap_err();
        assert_eq!(
            err.to_string(),
            format!(
                "{} exists already; remove it, or choose another id, message or file template",
                path.display()
            ),
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(names(folder.path()), ["a.sql"]);
    }

    #[test]
    fn what_is_not_there_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let err = replace(&folder.path().join("a.sql"), "x").unwrap_err();
        assert!(matches!(err, RevisionError::Read { .. }), "{err}");
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_are_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.sql"), folder.path().join("b.sql"));
        write_new(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    /// The error of a full disk, as the operating system makes it.
    #[cfg(target_os = "linux")]
    fn fill_disk(file: &mut File) -> io::Result<()> {
        file.write_all(b"half")?;
        OpenOptions::new()
            .write(true)
            .open("/dev/full")?
            .write_all(b"the other half")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        let expect = format!(
            "cannot write {}, nothing was changed; free some disk space and run the command again",
            path.display(),
        );
        assert_eq!(
            commit(&path, fill_disk, place_new).unwrap_err().to_string(),
            expect
        );
        assert!(names(folder.path()).is_empty());

        write_new(&path, "one").unwrap();
        assert_eq!(
            commit(&path, fill_disk, |from, to| fs::rename(from, to))
                .unwrap_err()
                .to_string(),
            expect
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(names(folder.path()), ["a.sql"]);
    }

    #[test]
    fn an_impossible_folder_is_an_error_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        write_new(&folder.path().join("file"), "").unwrap();
        for (path, remedy) in [
            (
                "file/a.sql",
                "a file stands where its folder should be; move it",
            ),
            ("none/a.sql", "create its folder, or name another one"),
        ] {
            let path = folder.path().join(path);
            let expect = format!(
                "cannot write {}, nothing was changed; {remedy}",
                path.display()
            );
            assert_eq!(write_new(&path, "x").unwrap_err().to_string(), expect);
        }
        assert_eq!(names(folder.path()), ["file"]);
    }
}
