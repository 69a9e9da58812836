//! Writing files so that nobody ever sees half of one: to a temporary file beside it, to the disk, then renamed. Only
//! regular files are replaced; devices, pipes and sockets are written into.

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
    let metadata = fs::metadata(&target).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(not_a_file(path, &metadata));
    }
    let fill = |file: &mut File| {
        keep_owner(file, &metadata);
        file.set_permissions(metadata.permissions())?;
        file.write_all(text.as_bytes())
    };
    commit(&target, fill, |temporary, path| fs::rename(temporary, path))
}

/// What a name of a file stands for, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Nothing yet, or a regular file: written whole or not at all.
    File(PathBuf),
    /// This process's own standard output.
    Stdout,
    /// A device, a named pipe, a socket, or a descriptor that is open: written into as it is.
    Stream(PathBuf),
}

impl Destination {
    /// Finds out what is at a path. A symbolic link that leads nowhere yet stands for the file that it names.
    ///
    /// # Errors
    ///
    /// [`RevisionError::Put`] if it is a folder, or its links lead in a circle or cannot be read.
    pub fn of(path: &Path) -> Result<Self, RevisionError> {
        let fail = |source: io::Error| put_error(path, source);
        let mut at = path.to_owned();
        for _ in 0..MAX_LINKS {
            match descriptor(&at) {
                Some(Descriptor::Stdout) => return Ok(Self::Stdout),
                Some(_) => return Ok(Self::Stream(at)),
                None => {}
            }
            let metadata = match fs::symlink_metadata(&at) {
                Ok(it) => it,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::File(at)),
                Err(error) => return Err(fail(error)),
            };
            if metadata.is_symlink() {
                let next = fs::read_link(&at).map_err(fail)?;
                at = at.parent().unwrap_or(Path::new("")).join(next);
            } else if metadata.is_file() {
                return Ok(Self::File(at));
            } else if metadata.is_dir() {
                return Err(not_a_file(path, &metadata));
            } else {
                return Ok(Self::Stream(at));
            }
        }
        Err(fail(io::Error::other("too many symbolic links")))
    }

    /// Writes a text there. A regular file keeps its owner and permissions; where it cannot be replaced, because its
    /// folder is closed or it is mounted by itself, it is written over.
    ///
    /// # Errors
    ///
    /// [`RevisionError::Write`] and [`RevisionError::Put`] if it cannot be written.
    pub fn write(&self, text: &str) -> Result<(), RevisionError> {
        match self {
            Self::File(path) => match fs::symlink_metadata(path) {
                Ok(_) => match replace(path, text) {
                    Err(RevisionError::Write { source, .. }) if is_closed(source.kind()) => {
                        fs::write(path, text).map_err(|source| put_error(path, source))
                    }
                    done => done,
                },
                Err(_) => write_new(path, text),
            },
            Self::Stdout => match io::stdout().write_all(text.as_bytes()) {
                // Whoever closed the pipe has read enough.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(put_error(Path::new("/dev/stdout"), error))
                }
                _ => Ok(()),
            },
            Self::Stream(path) => match write_into(path, text.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(put_error(path, error))
                }
                _ => Ok(()),
            },
        }
    }
}

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;

/// An open file of this process, as a path names it: `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Descriptor {
    Stdout,
    Other,
}

fn descriptor(path: &Path) -> Option<Descriptor> {
    let name = path.file_name()?.to_str()?;
    let parent = path.parent()?;
    let folder = parent.canonicalize().ok()?;
    let in_proc = folder.starts_with("/proc") && folder.file_name().is_some_and(|it| it == "fd");
    if !(in_proc || folder == Path::new("/dev/fd")) || name.parse::<u32>().is_err() {
        return None;
    }
    let own = !in_proc
        || folder
            == Path::new("/proc")
                .join(std::process::id().to_string())
                .join("fd");
    let own = own || parent == Path::new("/proc/self/fd");
    Some(if own && name == "1" {
        Descriptor::Stdout
    } else {
        Descriptor::Other
    })
}

fn write_into(path: &Path, bytes: &[u8]) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if fs::metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
            return std::os::unix::net::UnixStream::connect(path)?.write_all(bytes);
        }
    }
    // Where the descriptor is one of a regular file, what is in the file stays.
    let append = descriptor(path).is_some();
    let mut options = OpenOptions::new();
    let mut file = options.write(true).append(append).open(path)?;
    file.write_all(bytes)?;
    file.flush()
}

/// Whether a file cannot be replaced by a rename, but perhaps be written.
fn is_closed(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
    )
}

/// Gives the new file the owner of the old one, if the system lets this user do so.
fn keep_owner(file: &File, old: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let now = file.metadata().map(|it| (it.uid(), it.gid())).ok();
        if now != Some((old.uid(), old.gid())) {
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    #[cfg(not(unix))]
    let _ = (file, old);
}

fn not_a_file(path: &Path, metadata: &fs::Metadata) -> RevisionError {
    let remedy = match metadata.is_dir() {
        true => "it is a folder, so name a file in it",
        false => "it is no regular file, so name one",
    };
    RevisionError::Put {
        path: path.to_owned(),
        remedy,
        source: None,
    }
}

fn put_error(path: &Path, source: io::Error) -> RevisionError {
    RevisionError::Put {
        path: path.to_owned(),
        remedy: remedy(source.kind()),
        source: Some(source),
    }
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
            "make it and its folder writable for you"
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

    /// Writes to what `name` of a folder stands for.
    #[cfg(unix)]
    fn put(folder: &Path, name: &str, text: &str) -> Result<(), RevisionError> {
        Destination::of(&folder.join(name))?.write(text)
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_wherever_they_lead() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("later.sql", path("to_nothing")).unwrap();
        symlink("to_nothing", path("to_a_link")).unwrap();
        symlink("circle", path("circle")).unwrap();
        put(folder.path(), "to_a_link", "one").unwrap();
        put(folder.path(), "to_a_link", "two").unwrap();
        assert_eq!(fs::read_to_string(path("later.sql")).unwrap(), "two");
        for link in ["to_nothing", "to_a_link"] {
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink());
        }
        let err = put(folder.path(), "circle", "x").unwrap_err();
        assert!(matches!(err, RevisionError::Put { .. }), "{err}");
        let names = names(folder.path());
        assert_eq!(names, ["circle", "later.sql", "to_a_link", "to_nothing"]);
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_sockets_are_written_into() {
        use std::io::Read;
        use std::os::unix::fs::FileTypeExt;
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let reader = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
        };
        put(folder.path(), "pipe", "through the pipe").unwrap();
        assert_eq!(reader.join().unwrap(), "through the pipe");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());

        let socket = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        put(folder.path(), "socket", "through the socket").unwrap();
        assert_eq!(reader.join().unwrap(), "through the socket");
        assert!(
            fs::symlink_metadata(&socket)
                .unwrap()
                .file_type()
                .is_socket()
        );

        put(Path::new("/dev"), "null", "x").unwrap();
        let null = fs::symlink_metadata("/dev/null").unwrap();
        assert!(null.file_type().is_char_device());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn open_descriptors_are_written_into_behind_what_is_there() {
        use std::os::fd::AsRawFd;
        assert_eq!(
            Destination::of(Path::new("/dev/stdout")).unwrap(),
            Destination::Stdout
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        fs::write(&path, "one").unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        put(
            Path::new("/proc/self/fd"),
            &file.as_raw_fd().to_string(),
            " two",
        )
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one two");
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let err = Destination::of(folder.path()).unwrap_err();
        let expect = format!(
            "cannot write {}; it is a folder, so name a file in it",
            folder.path().display()
        );
        assert_eq!(err.to_string(), expect);
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
