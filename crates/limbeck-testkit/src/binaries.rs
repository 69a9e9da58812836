//! Finding the server programs of PostgreSQL: `initdb`, `pg_ctl`, `postgres`.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::TestkitError;

/// The variable that names the folder of server programs to use before all others.
const FOLDER: &str = "LIMBECK_PG_BIN";
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// A folder of server programs, known to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
    version: String,
}

impl Binaries {
    /// The first server programs found, searching in this order: `LIMBECK_PG_BIN` (a folder), `PATH`,
    /// `pg_config --bindir`, the folders of Linux distributions, Homebrew and Postgres.app (newest first), then the embedded
    /// builds that `make postgres` installs in `.limbeck/pg` of the workspace or in the user's or machine's cache.
    ///
    /// # Errors
    ///
    /// [`TestkitError::NoBinaries`] with the places searched and the command that installs them;
    /// [`TestkitError::BadFolder`] when `LIMBECK_PG_BIN` is set and wrong.
    pub fn find() -> Result<Self, TestkitError> {
        first(&places(), None)
    }

    /// The first server programs of that major version.
    ///
    /// # Errors
    ///
    /// As [`Binaries::find`].
    pub fn find_major(major: u32) -> Result<Self, TestkitError> {
        first(&places(), Some(major))
    }

    /// Every usable folder of server programs, in the order of the search, each once.
    ///
    /// # Errors
    ///
    /// [`TestkitError::BadFolder`] when `LIMBECK_PG_BIN` is set and wrong.
    pub fn all() -> Result<Vec<Self>, TestkitError> {
        all_in(&places())
    }

    /// The programs in `dir`. Symbolic links are followed, so that the server finds its own libraries and data files.
    ///
    /// # Errors
    ///
    /// [`TestkitError::BadFolder`] when one of the programs is missing, is a script, or does not run.
    pub fn in_folder(dir: &Path) -> Result<Self, TestkitError> {
        let bad = |why: String| TestkitError::BadFolder {
            dir: dir.to_path_buf(),
            why,
        };
        let postgres = fs::canonicalize(dir.join("postgres"))
            .map_err(|error| bad(format!("no program postgres ({error})")))?;
        let real = postgres.parent().unwrap_or(dir);
        // A folder of links (as /usr/local/bin often is) stands for the folder its links lead to.
        let home = if PROGRAMS.iter().all(|program| real.join(program).exists()) {
            real
        } else {
            dir
        };
        for program in PROGRAMS {
            let path = home.join(program);
            if !is_native(&path) {
                return Err(bad(format!("{program} is missing or not a native program")));
            }
        }
        let version = version_of(&home.join("postgres")).map_err(|error| bad(error.full()))?;
        let major = major_of(&version)
            .ok_or_else(|| bad(format!("cannot read a version from `{version}`")))?;
        Ok(Self {
            dir: home.to_path_buf(),
            major,
            version,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The major version: 15 of 15.18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// What `postgres --version` prints: `postgres (PostgreSQL) 15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of another program in the folder, such as `pg_dump`, if it is there: embedded builds hold only the server.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir.join(name)).filter(|path| is_native(path))
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(crate) fn pg_ctl(&self) -> PathBuf {
        self.dir.join("pg_ctl")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }
}

/// One place to look at: how a person would name it, and the folders it stands for.
struct Place {
    label: String,
    dirs: Vec<PathBuf>,
    /// Whether a folder that does not hold the programs is an error rather than a miss: somebody named it.
    named: bool,
}

impl Place {
    fn of(label: impl Into<String>, dirs: Vec<PathBuf>) -> Self {
        Self {
            label: label.into(),
            dirs,
            named: false,
        }
    }

    /// The folders `parent/<prefix>VERSION/suffix`, newest version first.
    fn versioned(parent: &Path, prefix: &str, suffix: &str) -> Self {
        let mut found: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let version = name.strip_prefix(prefix)?.trim_start_matches('@');
                let numbers = version
                    .split('.')
                    .map(|part| part.parse().unwrap_or(0))
                    .collect();
                Some((numbers, entry.path().join(suffix)))
            })
            .collect();
        found.sort_by_key(|(numbers, _)| Reverse(numbers.clone()));
        let label = format!("{}/{prefix}*/{suffix}", parent.display());
        Self::of(label, found.into_iter().map(|(_, dir)| dir).collect())
    }
}

fn places() -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(dir) = std::env::var_os(FOLDER).filter(|dir| !dir.is_empty()) {
        places.push(Place {
            label: FOLDER.to_owned(),
            dirs: vec![dir.into()],
            named: true,
        });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.push(Place::of("PATH", std::env::split_paths(&path).collect()));
    places.push(Place::of(
        "pg_config --bindir",
        pg_config_bindir().into_iter().collect(),
    ));
    places.push(Place::versioned(
        Path::new("/usr/lib/postgresql"),
        "",
        "bin",
    ));
    places.push(Place::versioned(Path::new("/usr"), "pgsql-", "bin"));
    for homebrew in [
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/home/linuxbrew/.linuxbrew/opt",
    ] {
        places.push(Place::versioned(Path::new(homebrew), "postgresql", "bin"));
    }
    places.push(Place::versioned(
        Path::new("/Applications/Postgres.app/Contents/Versions"),
        "",
        "bin",
    ));
    for root in embedded_roots() {
        places.push(Place::versioned(&root, "", "bin"));
    }
    places
}

/// Where `scripts/install-postgres.sh` puts embedded builds, each in a folder named by its major version, and the client
/// programs that they lack, in `client`.
pub(crate) fn embedded_roots() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf);
    let here = std::env::current_dir().ok().and_then(|dir| {
        dir.ancestors()
            .find(|dir| dir.join(".limbeck/pg").is_dir())
            .map(Path::to_path_buf)
    });
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    let mut roots: Vec<PathBuf> = [workspace, here]
        .into_iter()
        .flatten()
        .map(|dir| dir.join(".limbeck/pg"))
        .collect();
    roots.extend(cache.map(|dir| dir.join("limbeck/pg")));
    // Root installs here when the server's account cannot enter the workspace.
    roots.push(PathBuf::from("/var/cache/limbeck/pg"));
    roots.dedup();
    roots
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim())
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
}

fn first(places: &[Place], major: Option<u32>) -> Result<Binaries, TestkitError> {
    for place in places {
        for found in usable(place)? {
            if major.is_none_or(|major| major == found.major) {
                return Ok(found);
            }
        }
    }
    let number = major.map(|major| format!(" {major}")).unwrap_or_default();
    Err(TestkitError::NoBinaries {
        wanted: format!("PostgreSQL{number}"),
        searched: places.iter().map(|place| place.label.clone()).collect(),
        install: major.map_or_else(
            || "make postgres".to_owned(),
            |major| format!("make postgres PG_MAJOR={major}"),
        ),
    })
}

fn all_in(places: &[Place]) -> Result<Vec<Binaries>, TestkitError> {
    let mut all: Vec<Binaries> = Vec::new();
    for place in places {
        for found in usable(place)? {
            if all.iter().all(|known| known.dir != found.dir) {
                all.push(found);
            }
        }
    }
    Ok(all)
}

fn usable(place: &Place) -> Result<Vec<Binaries>, TestkitError> {
    let mut found = Vec::new();
    for dir in &place.dirs {
        // Most folders of PATH hold no server; they are passed over before anything is run.
        if !place.named && !PROGRAMS.iter().all(|program| dir.join(program).exists()) {
            continue;
        }
        match Binaries::in_folder(dir) {
            Ok(binaries) => found.push(binaries),
            Err(error) if place.named => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// Whether the file is a native program (ELF or Mach-O) rather than a wrapper script, by its first bytes.
pub(crate) fn is_native(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    let mach_o = [[0xcf, 0xfa, 0xed, 0xfe], [0xca, 0xfe, 0xba, 0xbe]];
    read.is_ok() && (magic == *b"\x7fELF" || mach_o.contains(&magic))
}

/// What `program --version` prints, on one line.
pub(crate) fn version_of(program: &Path) -> Result<String, TestkitError> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(TestkitError::spawn(program))?;
    let text = |bytes: &[u8]| crate::error::tail(&String::from_utf8_lossy(bytes), 2);
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let program = format!("{} --version", program.display());
    Err(TestkitError::Failed {
        program,
        output: text(&output.stderr),
    })
}

/// The major version in the output of `--version`: `postgres (PostgreSQL) 15.18 (Debian …)` gives 15, `19beta1` gives 19.
pub(crate) fn major_of(version: &str) -> Option<u32> {
    let number = version
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let end = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Binaries, Place, all_in, first, major_of};

    #[track_caller]
    fn check_major(version: &str, expected: Option<u32>) {
        assert_eq!(major_of(version), expected, "{version}");
    }

    #[test]
    fn the_major_version_is_read_from_what_the_program_prints() {
        check_major(
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
            Some(15),
        );
        check_major("postgres (PostgreSQL) 19beta1", Some(19));
        check_major("pg_dump (PostgreSQL) 9.6.24", Some(9));
        check_major("postgres", None);
    }

    #[test]
    fn where_nothing_is_found_the_error_names_the_places_and_the_command() {
        let places = [
            Place::of("PATH", vec![PathBuf::from("/nowhere")]),
            Place::of("elsewhere", vec![]),
        ];
        let message = |major| {
            first(&places, major)
                .expect_err("nothing is there")
                .to_string()
        };
        assert_eq!(
            message(None),
            "no server binaries of PostgreSQL found; searched PATH, elsewhere; to install them: make postgres"
        );
        assert_eq!(
            message(Some(13)),
            "no server binaries of PostgreSQL 13 found; searched PATH, elsewhere; to install them: make postgres PG_MAJOR=13"
        );
    }

    #[test]
    fn a_folder_that_somebody_named_must_hold_the_programs() {
        let named = Place {
            label: "LIMBECK_PG_BIN".into(),
            dirs: vec!["/nowhere".into()],
            named: true,
        };
        let message = first(&[named], None)
            .expect_err("nothing is there")
            .to_string();
        assert!(
            message.starts_with("LIMBECK_PG_BIN=/nowhere: no program postgres"),
            "{message}"
        );
    }

    #[test]
    fn a_folder_of_wrapper_scripts_is_passed_over_and_a_folder_of_links_is_followed() {
        let real = Binaries::find().expect("this machine has a server");
        let scripts = tempfile::tempdir().expect("a folder");
        let links = tempfile::tempdir().expect("a folder");
        for program in super::PROGRAMS {
            std::fs::write(scripts.path().join(program), "#!/bin/sh\n").expect("a script");
            std::os::unix::fs::symlink(real.dir().join(program), links.path().join(program))
                .expect("a link");
        }
        let place = Place::of(
            "PATH",
            vec![
                scripts.path().into(),
                links.path().into(),
                real.dir().into(),
            ],
        );
        assert_eq!(all_in(&[place]).expect("no folder was named"), [real]);
    }

    #[test]
    fn versioned_folders_come_newest_first() {
        let parent = tempfile::tempdir().expect("a folder");
        for name in ["pgsql-9.6", "pgsql-15", "pgsql-9.10", "other"] {
            std::fs::create_dir(parent.path().join(name)).expect("a folder");
        }
        let found = Place::versioned(parent.path(), "pgsql-", "bin").dirs;
        let names: Vec<_> = found
            .iter()
            .filter_map(|dir| dir.parent().and_then(Path::file_name))
            .collect();
        assert_eq!(names, ["pgsql-15", "pgsql-9.10", "pgsql-9.6"]);
    }
}
