//! Where models come from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use limbeck_connect::{Origin, Settings, is_connection_string, redact};
use limbeck_metadata::MetaData;

use crate::error::{CliError, one_line};
use crate::variables::ENVIRONMENT;

/// A source of models, as the command line or the config file names it.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file of JSON metadata.
    Json(PathBuf),
    /// A program that prints JSON metadata, with its arguments.
    Program(Vec<String>),
    /// A database to compare with.
    Database(Box<Settings>),
    /// A file of SQL, or a folder of them.
    Sql(PathBuf),
    /// The history, up to a target.
    Revisions(String),
}

impl Source {
    /// Reads a source's name.
    ///
    /// # Errors
    /// [`CliError::Target`] with what is supported.
    pub(crate) fn parse(text: &str, argument: &str) -> Result<Self, CliError> {
        let origin = Origin::Argument(argument.to_owned());
        Self::parse_in(text, &origin, Path::to_path_buf)
    }

    /// As [`Self::parse`], from another place and with paths seen from another folder.
    pub(crate) fn parse_in(
        text: &str,
        origin: &Origin,
        resolve: impl Fn(&Path) -> PathBuf,
    ) -> Result<Self, CliError> {
        let refuse = |problem| {
            Err(CliError::Target {
                source_text: shown(text),
                problem,
            })
        };
        if let Some(command) = text.strip_prefix("cmd:") {
            return match words(command) {
                Some(words) if !words.is_empty() => Ok(Self::Program(words)),
                Some(_) => refuse("no program is named"),
                None => refuse("a quote is not closed"),
            };
        }
        if is_connection_string(text) {
            return Ok(Self::Database(Box::new(Settings::parse(
                text,
                origin.clone(),
            )?)));
        }
        if let Some(target) = text.strip_prefix("revisions:") {
            let target = if target.is_empty() { "heads" } else { target };
            return Ok(Self::Revisions(target.to_owned()));
        }
        let path = resolve(Path::new(text));
        let extension = path.extension().and_then(|it| it.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Ok(Self::Json(path)),
            Some("sql") => Ok(Self::Sql(path)),
            // A folder that is not there yet is found missing when it is read, with the folder it was looked for in.
            _ if path.is_dir() || text.ends_with('/') => Ok(Self::Sql(path)),
            _ => refuse("it is no .json or .sql file, no folder and no known prefix"),
        }
    }
}

/// A source's name for a message; none of what may be a connection string that was written wrongly.
fn shown(text: &str) -> String {
    match text.contains(['@', '=']) {
        true => "what may be a connection string".to_owned(),
        false => redact(text),
    }
}

/// Reads a file of JSON metadata.
///
/// # Errors
/// [`CliError::Read`] and [`CliError::MetaData`].
pub(crate) fn read_json(path: &Path) -> Result<MetaData, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(MetaData::from_json(&text, &path.display().to_string())?)
}

/// Runs a program and reads the JSON metadata that it prints. Its standard error is the user's.
///
/// # Errors
/// [`CliError::Program`] and [`CliError::MetaData`].
pub(crate) fn run_program(
    words: &[String],
    values: &[(String, String)],
) -> Result<MetaData, CliError> {
    let (program, arguments) = words
        .split_first()
        .map_or(("", words), |(first, rest)| (first.as_str(), rest));
    let fail = |what: String| CliError::Program {
        program: program.to_owned(),
        what,
    };
    let output = Command::new(program)
        .args(arguments)
        .envs(
            values
                .iter()
                .map(|(name, value)| (format!("{ENVIRONMENT}{name}"), value)),
        )
        .stdin(Stdio::null())
        .output()
        .map_err(|error| fail(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(fail(format!(
            "failed ({}): {}",
            output.status,
            tail(&output.stderr)
        )));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| fail("printed something that is not UTF-8".to_owned()))?;
    Ok(MetaData::from_json(&text, &format!("cmd:{program}"))?)
}

/// The end of what a program said, on one line.
pub(crate) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().filter(|it| !it.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join(" | ");
    if last.is_empty() {
        "it said nothing".to_owned()
    } else {
        one_line(&last)
    }
}

/// Splits a command at white space, with `'…'` and `"…"` kept together; `None` if a quote is not closed.
pub(crate) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_does() {
        let check =
            |text: &str, expected: &[&str]| assert_eq!(words(text).unwrap(), expected, "{text}");
        check("a  b", &["a", "b"]);
        check("a 'b c' \"d'e\" f''g ''", &["a", "b c", "d'e", "fg", ""]);
        assert_eq!(words("a 'b"), None);
    }

    #[test]
    fn sources_that_are_not_supported_say_what_is() {
        for text in ["models.yaml", "cmd:", "cmd:a 'b", "no-such-folder"] {
            let error = Source::parse(text, "--target").unwrap_err().to_string();
            assert!(
                error.contains("supported are a .json or .sql file") && error.contains(text),
                "{error}"
            );
        }
        let check = |text: &str, expected: &str| {
            let source = Source::parse(text, "--target").unwrap();
            assert_eq!(format!("{source:?}"), expected, "{text}");
        };
        check("m.json", "Json(\"m.json\")");
        check("schema.sql", "Sql(\"schema.sql\")");
        check("SCHEMA.SQL", "Sql(\"SCHEMA.SQL\")");
        check(".", "Sql(\".\")");
        check("revisions:", "Revisions(\"heads\")");
        check("revisions:9e31", "Revisions(\"9e31\")");
        check("cmd:python m.py", "Program([\"python\", \"m.py\"])");
    }
}
