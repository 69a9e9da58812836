//! What a config file may have this user do: a file that names programs or servers has to be allowed once, and again after
//! every edit, as direnv does it.
//!
//! A folder that somebody else wrote may hold a `limbeck.toml`, and no command run in the folder may do what a stranger
//! chose. What was allowed is remembered in the user's state folder: for each file an entry whose name is a digest of the
//! file's path and content.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use limbeck_connect::{Environment, Origin, Settings};
use limbeck_sql::one_line as visible;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::context::Context;
use crate::error::{CliError, one_line};

/// The environment variable by which a caller answers for the config file, for example in CI.
pub(crate) const VARIABLE: &str = "LIMBECK_ALLOW";

/// Something that a config file has Limbeck do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Run a program that prints the models, the whole `cmd:` source.
    Models(String),
    /// Run a program on new revision files: the hook's name, and its command.
    Hook(String, Vec<String>),
    /// Create scratch databases on a server.
    Scratch(String),
    /// Send environment variables to a server as part of the URL.
    Url(String),
}

impl Wish {
    /// What it is, as in "it would …".
    pub(crate) fn line(&self) -> String {
        let text = match self {
            Self::Models(command) => format!("run `{command}` (target)"),
            Self::Hook(name, words) => {
                format!("run `{}` (post-write hook {name:?})", words.join(" "))
            }
            Self::Scratch(url) => format!("use {} ([scratch] url)", server(url)),
            Self::Url(url) => format!("send {} to {} (url)", variables(url), server(url)),
        };
        one_line(&text)
    }
}

/// All that a config file has Limbeck do.
pub(crate) fn wishes(config: &Config) -> Vec<Wish> {
    let mut all = Vec::new();
    if let Some(url) = config.url.as_deref().filter(|it| sends_variables(it)) {
        all.push(Wish::Url(url.to_owned()));
    }
    let target = config.target.as_deref();
    if let Some(command) = target.and_then(|it| it.strip_prefix("cmd:")) {
        all.push(Wish::Models(command.trim().to_owned()));
    }
    all.extend(config.scratch.url.clone().map(Wish::Scratch));
    let hooks = config.post_write_hooks.iter();
    all.extend(hooks.map(|it| Wish::Hook(it.name.clone(), it.command.clone())));
    all
}

/// The server that a connection string names, and nothing else of the string.
fn server(url: &str) -> String {
    let environment = Environment::new([], None, Some(""));
    let settings = Settings::parse_in(url, Origin::Program, &environment);
    settings.map_or_else(
        |_| "a server of its choice".to_owned(),
        |it| format!("the server {}", it.server()),
    )
}

/// The variables of the environment that a connection string names, but for those of PostgreSQL's own clients
/// (`PGPASSWORD`), which go to the server of any connection string.
fn names(url: &str) -> impl Iterator<Item = &str> {
    let names = url.split("${").skip(1);
    let names = names.map(|it| it.split_once('}').map_or(it, |(name, _)| name));
    names.filter(|it| !it.starts_with("PG"))
}

fn variables(url: &str) -> String {
    let names: Vec<&str> = names(url).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("the environment variable{plural} {}", names.join(", "))
}

/// Whether a connection string has a place of its own to which it sends variables of the environment. One that is a
/// variable as a whole leads nowhere else than where the value says.
fn sends_variables(url: &str) -> bool {
    let whole = url.trim().strip_prefix("${");
    let whole = whole.is_some_and(|it| it.find('}') == Some(it.len() - 1));
    !whole && names(url).next().is_some()
}

/// A config file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    /// As it was named.
    pub path: PathBuf,
    /// The content that the settings were read from.
    pub text: String,
}

impl ConfigFile {
    /// The path by which the file is remembered: absolute, without links.
    fn real_path(&self) -> PathBuf {
        real(&self.path)
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.real_path().as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(self.text.as_bytes());
        format!("{:x}", hash.finalize())
    }
}

/// The path without links, also of a file that is gone if its folder is there.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = absolute.canonicalize() {
        return real;
    }
    match (
        absolute.parent().map(Path::canonicalize),
        absolute.file_name(),
    ) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => absolute,
    }
}

/// The files that this user allowed.
#[derive(Debug)]
pub(crate) struct Allowed {
    folder: PathBuf,
}

/// A file that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The file.
    pub path: PathBuf,
    /// Whether it still is as it was allowed.
    pub unchanged: bool,
}

impl Allowed {
    /// The user's own, in `$XDG_STATE_HOME/limbeck/allowed`, or `~/.local/state/limbeck/allowed`.
    ///
    /// # Errors
    /// [`CliError::State`] if the environment names no folder.
    pub(crate) fn of_user() -> Result<Self, CliError> {
        let named = |name: &str| {
            let path = std::env::var_os(name).map(PathBuf::from);
            path.filter(|it| it.is_absolute())
        };
        let state = named("XDG_STATE_HOME")
            .or_else(|| Some(named("HOME")?.join(".local").join("state")))
            .or_else(|| named("LOCALAPPDATA"));
        let state = state.ok_or_else(|| CliError::State {
            path: "~/.local/state/limbeck/allowed".into(),
            problem: "neither XDG_STATE_HOME nor HOME is an absolute path; set one".to_owned(),
        })?;
        Ok(Self {
            folder: state.join("limbeck").join("allowed"),
        })
    }

    fn fail(&self, doing: &str, error: &io::Error) -> CliError {
        CliError::State {
            path: self.folder.clone(),
            problem: format!("cannot {doing} ({error}); make it a folder that only you can write"),
        }
    }

    /// Whether others could have written the entries.
    ///
    /// # Errors
    /// [`CliError::State`] if they could.
    fn check(&self) -> Result<(), CliError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let Ok(metadata) = fs::metadata(&self.folder) else {
                return Ok(());
            };
            let problem = if metadata.uid() != rustix::process::geteuid().as_raw() {
                "it belongs to another user; set XDG_STATE_HOME to a folder of yours"
            } else if metadata.mode() & 0o022 != 0 {
                "others can write it; `chmod 700` it"
            } else {
                return Ok(());
            };
            return Err(CliError::State {
                path: self.folder.clone(),
                problem: problem.to_owned(),
            });
        }
        #[cfg(not(unix))]
        Ok(())
    }

    /// Whether the file was allowed as it is.
    ///
    /// # Errors
    /// [`CliError::State`] if others could have written the answer.
    pub(crate) fn holds(&self, file: &ConfigFile) -> Result<bool, CliError> {
        self.check()?;
        let path = fs::read(self.folder.join(file.digest())).ok();
        Ok(path.is_some_and(|it| it == file.real_path().as_os_str().as_encoded_bytes()))
    }

    /// Remembers the file, and forgets what it was before.
    ///
    /// # Errors
    /// [`CliError::State`] if the state folder cannot be written.
    pub(crate) fn add(&self, file: &ConfigFile) -> Result<(), CliError> {
        self.create_folder()
            .map_err(|error| self.fail("create the folder", &error))?;
        self.check()?;
        self.remove(&file.path)?;
        let path = self.folder.join(file.digest());
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let written = options
            .open(path)
            .and_then(|mut it| it.write_all(file.real_path().as_os_str().as_encoded_bytes()));
        match written {
            // Another process allowed it meanwhile.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(self.fail("write an entry", &error))
            }
            _ => Ok(()),
        }
    }

    fn create_folder(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(&self.folder)
    }

    /// Forgets all that was remembered of a file; gives whether there was anything.
    ///
    /// # Errors
    /// [`CliError::State`] if an entry cannot be deleted.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, CliError> {
        let path = real(path);
        let mut found = false;
        for (entry, of) in self.read()? {
            if of == path {
                found = true;
                fs::remove_file(entry).map_err(|error| self.fail("delete an entry", &error))?;
            }
        }
        Ok(found)
    }

    /// The files, sorted by their paths.
    ///
    /// # Errors
    /// [`CliError::State`] if the state folder cannot be read.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, CliError> {
        let entry = |(entry, path): (PathBuf, PathBuf)| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let now = ConfigFile { path, text };
            Entry {
                unchanged: entry.file_name().is_some_and(|it| *it == *now.digest()),
                path: now.path,
            }
        };
        let mut all: Vec<Entry> = self.read()?.into_iter().map(entry).collect();
        all.sort();
        Ok(all)
    }

    /// The entries with the paths in them.
    fn read(&self) -> Result<Vec<(PathBuf, PathBuf)>, CliError> {
        let fail = |error: io::Error| self.fail("read the folder", &error);
        let found = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            found => found.map_err(fail)?,
        };
        let mut all = Vec::new();
        for entry in found {
            let entry = entry.map_err(fail)?.path();
            if let Ok(bytes) = fs::read(&entry) {
                all.push((entry, path_of(bytes)));
            }
        }
        Ok(all)
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Whether the environment answers for config files.
///
/// # Errors
/// [`CliError::AllowVariable`] if it says neither yes nor no.
fn by_environment() -> Result<bool, CliError> {
    match std::env::var(VARIABLE).as_deref() {
        Ok("1") => Ok(true),
        Ok("" | "0") | Err(std::env::VarError::NotPresent) => Ok(false),
        _ => Err(CliError::AllowVariable),
    }
}

impl Context<'_> {
    /// Has the user allow what the config file wants: asks on a terminal, and refuses elsewhere.
    ///
    /// # Errors
    /// [`CliError::NotAllowed`] if it is not allowed, and [`CliError::State`] if that cannot be told.
    pub(crate) fn require_allowed(&self, wish: &Wish) -> Result<(), CliError> {
        let Some(file) = &self.config.file else {
            return Ok(());
        };
        if self.allowed.get() || by_environment()? {
            return Ok(());
        }
        let refused = |why: Option<CliError>| CliError::NotAllowed {
            path: file.path.clone(),
            wish: wish.line(),
            why: why
                .map(|it| format!(" ({})", it.line()))
                .unwrap_or_default(),
        };
        let allowed = Allowed::of_user().map_err(|it| refused(Some(it)))?;
        if !allowed.holds(file).map_err(|it| refused(Some(it)))? {
            if !self.asks {
                return Err(refused(None));
            }
            let mut text = format!("{} is not allowed yet. It would\n", shown(&file.path));
            for it in wishes(&self.config) {
                text.push_str(&format!("    {}\n", visible(&it.line())));
            }
            if !self.confirmed(&format!("{text}Allow that, until the file is edited?")) {
                return Err(refused(None));
            }
            allowed.add(file)?;
        }
        self.allowed.set(true);
        Ok(())
    }

    /// Has the user allow every post-write hook.
    ///
    /// # Errors
    /// As [`Self::require_allowed`].
    pub(crate) fn require_hooks_allowed(&self) -> Result<(), CliError> {
        for hook in &self.config.post_write_hooks {
            self.require_allowed(&Wish::Hook(hook.name.clone(), hook.command.clone()))?;
        }
        Ok(())
    }

    /// Has the user agree to running Alembic where the command line does not name it: it runs Python files of the folder.
    ///
    /// # Errors
    /// [`CliError::AlembicNotNamed`] without agreement.
    pub(crate) fn require_alembic(&self, program: &str) -> Result<(), CliError> {
        let text = format!(
            "`{program}` runs env.py and the revisions of this folder as programs. Run it?"
        );
        if by_environment()? || (self.asks && self.confirmed(&text)) {
            return Ok(());
        }
        Err(CliError::AlembicNotNamed)
    }

    /// Asks a question on the terminal; anything but a yes is a no.
    fn confirmed(&self, question: &str) -> bool {
        let mut err = io::stderr().lock();
        let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
        drop(err);
        let mut answer = String::new();
        let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
    }
}

/// A path on one line.
pub(crate) fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, sends: bool) {
        assert_eq!(sends_variables(url), sends, "{url}");
    }

    #[test]
    fn urls_that_send_variables_to_a_server_of_theirs_are_known() {
        check("postgresql://h/x", false);
        check("${DATABASE_URL}", false);
        check("postgresql://me:${PGPASSWORD}@h/x", false);
        check("postgresql://me:${SECRET}@h/x", true);
        check("${DATABASE_URL}?host=h", true);
        check("${A}${B}", true);
        check("host=h password=${SECRET", true);
    }

    #[test]
    fn an_edit_of_the_file_voids_it_and_so_does_another_place() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = Allowed {
            folder: folder.path().join("state/limbeck/allowed"),
        };
        let path = folder.path().join("limbeck.toml");
        fs::write(&path, "a = 1").unwrap();
        let file = |name: &str, text: &str| ConfigFile {
            path: folder.path().join(name),
            text: text.to_owned(),
        };
        let holds = |name: &str, text: &str| allowed.holds(&file(name, text)).unwrap();
        let entry = |unchanged| Entry {
            path: path.canonicalize().unwrap(),
            unchanged,
        };
        assert!(!holds("limbeck.toml", "a = 1"));
        allowed.add(&file("limbeck.toml", "a = 1")).unwrap();
        allowed.add(&file("limbeck.toml", "a = 1")).unwrap();
        assert!(holds("limbeck.toml", "a = 1") && holds("./limbeck.toml", "a = 1"));
        assert!(!holds("limbeck.toml", "a = 2") && !holds("other.toml", "a = 1"));
        assert_eq!(allowed.entries().unwrap(), [entry(true)]);
        fs::write(&path, "a = 2").unwrap();
        assert_eq!(allowed.entries().unwrap(), [entry(false)]);
        allowed.add(&file("limbeck.toml", "a = 2")).unwrap();
        assert!(!holds("limbeck.toml", "a = 1"));
        assert!(allowed.remove(&path).unwrap() && !allowed.remove(&path).unwrap());
        assert!(!holds("limbeck.toml", "a = 2"));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_reads_and_writes_what_is_remembered() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let allowed = Allowed {
            folder: folder.path().join("limbeck/allowed"),
        };
        let file = ConfigFile {
            path: folder.path().join("limbeck.toml"),
            text: String::new(),
        };
        allowed.add(&file).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&allowed.folder), 0o700);
        assert_eq!(mode(&allowed.folder.join(file.digest())), 0o600);
        fs::set_permissions(&allowed.folder, fs::Permissions::from_mode(0o777)).unwrap();
        let error = allowed.holds(&file).unwrap_err().line();
        assert!(error.contains("others can write it"), "{error}");
    }
}
