//! The config file, `limbeck.toml`.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use limbeck_connect::{Origin, Settings};
use limbeck_runner::{RunnerOptions, STATEMENT_TIMEOUT, Transactions};
use limbeck_schema::{Ident, Name};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::allow::ConfigFile;
use crate::error::CliError;
use crate::folders::Folder;
use crate::ignore::{Entry, rules};

/// The name of the config file that is read without being named.
pub(crate) const FILE_NAME: &str = "limbeck.toml";

/// The folder of revisions where nothing names one.
pub(crate) const REVISIONS: &str = "revisions";

/// What a config file says. Paths are relative to its folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The database; `${NAME}` stands for an environment variable.
    pub url: Option<String>,
    /// Folders of revisions.
    #[serde(default)]
    pub revisions: Vec<Folder>,
    /// The models.
    pub target: Option<String>,
    /// What comparisons leave alone on both sides, whatever these are.
    #[serde(default)]
    pub ignore: Vec<Entry>,
    /// How revision files are named, with Alembic's tokens.
    pub file_template: Option<String>,
    /// The time zone of file names and of `created:`.
    pub timezone: Option<String>,
    /// The longest slug in a file name.
    pub truncate_slug_length: Option<usize>,
    /// The version table.
    #[serde(default)]
    pub version_table: TableName,
    /// The log table.
    #[serde(default)]
    pub log_table: TableName,
    /// How long a statement waits for a lock.
    #[serde(default, deserialize_with = "lock_timeout")]
    pub lock_timeout: Option<Duration>,
    /// How long a run waits for another one to end.
    #[serde(default, deserialize_with = "lock_wait")]
    pub lock_wait: Option<Duration>,
    /// How often a transaction is tried when a lock is not to be had.
    pub lock_tries: Option<NonZeroU32>,
    /// What a run commits together.
    #[serde(default)]
    pub transaction: Together,
    /// Which revisions need `--accept-hazards`.
    #[serde(default)]
    pub review: Review,
    /// Variables of revisions and models, each with its value.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Where scratch databases are created if the target's server refuses.
    #[serde(default)]
    pub scratch: ScratchServer,
    /// Programs to run on a revision file that was just written.
    #[serde(default)]
    pub post_write_hooks: Vec<Hook>,
    /// The folder of the file.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The file itself; none where all settings are defaults.
    #[serde(skip)]
    pub file: Option<ConfigFile>,
}

/// A server for scratch databases.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchServer {
    /// Any database of it; `${NAME}` stands for an environment variable.
    pub url: Option<String>,
    /// How long a statement in a scratch database may run, `5min`.
    #[serde(default, deserialize_with = "lock_timeout")]
    pub statement_timeout: Option<Duration>,
}

/// What a run commits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Together {
    /// Each segment by itself.
    #[default]
    Segment,
    /// Each revision with all its segments.
    Revision,
    /// All revisions of the run.
    Run,
}

/// Which revisions need an acknowledgement before they are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Review {
    /// None.
    #[default]
    Off,
    /// Those that state hazards.
    Hazards,
}

/// A table's name, as `"name"` or as `{ name = "…", schema = "…" }`; exactly as the catalog has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a name, or { name = \"…\", schema = \"…\" }"
)]
pub(crate) enum TableName {
    /// The default.
    #[default]
    #[serde(skip)]
    Default,
    /// The name alone.
    Plain(String),
    /// The name, the schema, or both.
    Parts(TableParts),
}

/// The parts of a table's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableParts {
    /// The name.
    pub name: Option<String>,
    /// The schema.
    pub schema: Option<String>,
}

impl TableName {
    fn or(&self, default: Name) -> Name {
        match self {
            Self::Default => default,
            Self::Plain(name) => Name::plain(name.as_str()),
            Self::Parts(TableParts { name, schema }) => Name::qualified(
                schema.as_deref().map(Ident::from),
                name.as_deref().map_or(default.name, Ident::from),
            ),
        }
    }
}

/// A program that is run on a revision file that was just written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    /// What messages call it.
    pub name: String,
    /// The program and its arguments; `{file}` stands for the revision file, which comes last if it is not named.
    pub command: Vec<String>,
    /// Where it runs, relative to the config file's folder, which is the default.
    pub cwd: Option<PathBuf>,
}

impl Config {
    /// Reads a config file. Without a `path` it is `limbeck.toml` of the current folder, which may be missing.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or has an unknown key: with its line.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, CliError> {
        let file = path.unwrap_or(Path::new(FILE_NAME));
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(CliError::Read {
                    path: file.to_owned(),
                    source,
                });
            }
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| CliError::Config {
            path: file.to_owned(),
            line: error.span().map_or(1, |it| line_of(&text, &it)),
            problem: crate::error::one_line(error.message()),
        })?;
        config.folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        config.check(file)?;
        config.file = Some(ConfigFile {
            path: file.to_owned(),
            text,
        });
        Ok(config)
    }

    fn check(&self, file: &Path) -> Result<(), CliError> {
        let branches: Vec<&str> = self.revisions.iter().filter_map(Folder::branch).collect();
        let twice = |(at, it): &(usize, &&str)| branches[..*at].contains(*it);
        if let Some((_, branch)) = branches.iter().enumerate().find(twice) {
            return Err(CliError::Setting {
                path: file.to_owned(),
                problem: format!(
                    "revisions: the branch {branch:?} has two folders; new revisions can go to one only"
                ),
            });
        }
        if let Err(error) = rules(&self.ignore) {
            return Err(CliError::Setting {
                path: file.to_owned(),
                problem: format!("ignore: {error}"),
            });
        }
        match self
            .post_write_hooks
            .iter()
            .find(|it| it.command.is_empty())
        {
            Some(hook) => Err(CliError::Setting {
                path: file.to_owned(),
                problem: format!(
                    "post_write_hooks: the command of {:?} is empty; name a program",
                    hook.name
                ),
            }),
            None => Ok(()),
        }
    }

    /// A path of the file, seen from the current folder.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        if self.folder.as_os_str().is_empty() {
            path.to_owned()
        } else {
            self.folder.join(path)
        }
    }

    /// The settings of `url`, with its variables replaced.
    ///
    /// # Errors
    /// If a variable is not set, or the connection string cannot be read.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, CliError> {
        self.read_settings("url", self.url.as_deref())
    }

    /// The settings of the server for scratch databases.
    ///
    /// # Errors
    /// As [`Self::settings`].
    pub(crate) fn scratch_settings(&self) -> Result<Option<Settings>, CliError> {
        self.read_settings("[scratch] url", self.scratch.url.as_deref())
    }

    /// Reads a connection string of the file. The values of its variables are part of the string, so a password in one of
    /// them is encoded as the string asks for.
    fn read_settings(
        &self,
        setting: &'static str,
        url: Option<&str>,
    ) -> Result<Option<Settings>, CliError> {
        let Some(url) = url else {
            return Ok(None);
        };
        let url = expand(setting, url, |name| std::env::var(name).ok())?;
        let origin = Origin::Config(format!("{setting} of the config file"));
        Ok(Some(Settings::parse(&url, origin)?))
    }

    /// How long a statement in a scratch database may run.
    pub(crate) fn scratch_timeout(&self) -> Duration {
        let said = self.scratch.statement_timeout;
        said.filter(|it| !it.is_zero()).unwrap_or(STATEMENT_TIMEOUT)
    }

    /// What the runner is told.
    pub(crate) fn runner_options(&self) -> RunnerOptions {
        let default = RunnerOptions::default();
        RunnerOptions {
            version_table: self.version_table.or(default.version_table),
            log_table: self.log_table.or(default.log_table),
            lock_timeout: self
                .lock_timeout
                .map_or(default.lock_timeout, timeout_option),
            lock_wait: self.lock_wait,
            lock_tries: self.lock_tries.map_or(default.lock_tries, NonZeroU32::get),
            ..default
        }
    }
}

impl From<Together> for Transactions {
    fn from(it: Together) -> Self {
        match it {
            Together::Segment => Self::Segment,
            Together::Revision => Self::Revision,
            Together::Run => Self::Run,
        }
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text
        .get(..span.start)
        .map_or(0, |it| it.matches('\n').count())
}

/// Replaces each `${NAME}` of a setting by what `look_up` finds.
fn expand(
    setting: &'static str,
    text: &str,
    look_up: impl Fn(&str) -> Option<String>,
) -> Result<String, CliError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(CliError::Variable {
                setting,
                name: after.to_owned(),
                problem: "has no closing brace",
            });
        };
        let value = look_up(name).ok_or_else(|| CliError::Variable {
            setting,
            name: name.to_owned(),
            problem: "is not set in the environment",
        })?;
        out.push_str(before);
        out.push_str(&value);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// A time to wait for a lock as the runner takes it: none for the server's setting.
pub(crate) fn timeout_option(it: Duration) -> Option<Duration> {
    (it > Duration::ZERO).then_some(it)
}

fn lock_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_lock_timeout(&text).map(Some).map_err(D::Error::custom)
}

fn lock_wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read_lock_wait(&text).map(Some).map_err(D::Error::custom)
}

/// Reads a time to wait for a lock; zero is the server's setting.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_lock_timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is no time; write \"500ms\", \"5s\" or \"1min\", or \"0\" for the server's setting"))
}

/// Reads how long to wait for another run.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_lock_wait(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| {
        format!("{text:?} is no time; write \"30s\" or \"5min\", or \"0\" not to wait")
    })
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..end].parse().ok()?;
    match text[end..].trim() {
        "" if number == 0 => Some(Duration::ZERO),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "min" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        Config::read(Some(&path)).map_err(|error| {
            error
                .to_string()
                .replace(&dir.path().display().to_string(), "DIR")
        })
    }

    #[test]
    fn names_of_tables_are_plain_or_in_parts() {
        let config =
            read("version_table = \"alembic_version\"\nlog_table = { schema = \"Admin\" }")
                .unwrap();
        let options = config.runner_options();
        assert_eq!(options.version_table.to_string(), "alembic_version");
        assert_eq!(options.log_table.to_string(), "\"Admin\".limbeck_log");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            (
                "url = 'x'\nrevision = 'a'",
                "DIR/limbeck.toml:2: unknown field `revision`",
            ),
            ("url = ", "DIR/limbeck.toml:1: "),
            (
                "\n\nlock_timeout = 'soon'",
                "DIR/limbeck.toml:3: \"soon\" is no time",
            ),
            ("ignore = ['a[b']", "ignore: \"a[b\" is no pattern: "),
            (
                "ignore = [{ kind = 'tables' }]",
                "ignore: there is no kind \"tables\"; kinds are ",
            ),
            (
                "ignore = [{ table = 'a' }]",
                "DIR/limbeck.toml:1: expected a pattern over names, or { kind = ",
            ),
            (
                "review = 'never'",
                "DIR/limbeck.toml:1: unknown variant `never`",
            ),
            (
                "revisions = [{ dir = 'a' }]",
                "DIR/limbeck.toml:1: expected a folder, or { path = ",
            ),
            (
                "[[revisions]]\npath = 'a'\nbranch = 'x'\n[[revisions]]\npath = 'b'\nbranch = 'x'",
                "the branch \"x\" has two folders",
            ),
            (
                "[[post_write_hooks]]\nname = 'a'\ncommand = []",
                "the command of \"a\" is empty",
            ),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(
                error.contains(expected) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn variables_are_expanded_or_named() {
        let look_up = |name: &str| (name == "PW").then(|| "s".to_owned());
        assert_eq!(
            expand("url", "postgresql://u:${PW}@h/${PW}", look_up).unwrap(),
            "postgresql://u:s@h/s"
        );
        assert!(
            expand("[scratch] url", "${NO}", look_up)
                .unwrap_err()
                .to_string()
                .contains("[scratch] url of the config file: variable \"NO\" is not set")
        );
        assert!(expand("url", "${PW", look_up).is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        assert_eq!(parse_duration("5"), None);
    }
}
