//! Connection strings as arguments: as they stand, in a file, or from standard input, since other accounts of the machine
//! can read the arguments of a program.

use std::io::{IsTerminal, Read};
use std::path::Path;

use crate::environment::Environment;
use crate::error::{ConnectError, Origin};
use crate::settings::Settings;

impl Settings {
    /// Reads an argument: a connection string, `@FILE` for a file that holds one, or `-` for standard input.
    ///
    /// # Errors
    /// As [`Self::parse`], and [`ConnectError::Read`] if there is nothing to read.
    pub fn parse_argument(text: &str, argument: &str) -> Result<Self, ConnectError> {
        let environment = Environment::of_process();
        if text == "-" {
            let text = from_stdin()?;
            let origin = Origin::Argument(format!("{argument} (standard input)"));
            return Self::parse_in(&text, origin, &environment);
        }
        let Some(path) = text.strip_prefix('@').map(Path::new) else {
            return Self::parse(text, Origin::Argument(argument.to_owned()));
        };
        let text = std::fs::read_to_string(path).map_err(|error| ConnectError::Read {
            place: path.display().to_string(),
            problem: error.to_string(),
        })?;
        let origin = Origin::Argument(format!("{argument} ({})", path.display()));
        let settings = Self::parse_in(
            filled(&text, &path.display().to_string())?,
            origin,
            &environment,
        )?;
        #[cfg(unix)]
        if let Ok(metadata) = path.metadata()
            && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
            && settings.hosts.iter().any(|it| it.password.is_some())
        {
            let shown = path.display();
            settings.notice(format!(
                "other accounts can read {shown}, which holds a password; run chmod 600 {shown}"
            ));
        }
        Ok(settings)
    }
}

fn from_stdin() -> Result<String, ConnectError> {
    const PLACE: &str = "standard input";
    let failed = |problem: String| ConnectError::Read {
        place: PLACE.to_owned(),
        problem,
    };
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(failed(
            "it is a terminal, which would show a password; pipe it in, or write @FILE".to_owned(),
        ));
    }
    let mut text = String::new();
    stdin
        .read_to_string(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    filled(&text, PLACE).map(str::to_owned)
}

/// An empty file would stand for the defaults, which nobody means.
fn filled<'a>(text: &'a str, place: &str) -> Result<&'a str, ConnectError> {
    match text.trim() {
        "" => Err(ConnectError::Read {
            place: place.to_owned(),
            problem: "it is empty".to_owned(),
        }),
        text => Ok(text),
    }
}
