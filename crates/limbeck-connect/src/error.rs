//! What can go wrong with connection settings and with connecting.

use std::fmt;
use std::path::PathBuf;

use crate::Target;

/// Where a setting comes from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An argument of the command line, such as `--url`.
    Argument(String),
    /// An environment variable.
    Environment(String),
    /// A setting of a config file, such as `url of limbeck.toml`.
    Config(String),
    /// A service of a service file.
    Service {
        /// The service.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// The program's own code.
    Program,
    /// Nothing gave it: it is the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "the argument {name}"),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::Config(name) => write!(f, "{name}"),
            Self::Service { name, path } => {
                write!(f, "the service {name} in {}", path.display())
            }
            Self::Program => f.write_str("the connection string"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// Why there is no connection. No variant contains text of a connection string beyond the names of its parts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A connection string is neither a URL nor a list of keywords and values.
    #[error(
        "cannot read the connection string from {origin}: {problem}; write postgresql://user@host:port/database or host=… user=… dbname=…"
    )]
    Syntax {
        /// Where the string is from.
        origin: Origin,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A setting that is unknown, invalid, contradicts another one, or is not supported.
    #[error("the setting {setting} from {origin} {problem}; {remedy}")]
    Setting {
        /// Its name, such as `sslmode`.
        setting: String,
        /// Where its value is from.
        origin: Box<Origin>,
        /// What is wrong with it, as the end of a sentence.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// No server took the connection.
    #[error("cannot connect to {target}: {reason}{remedy}")]
    Connect {
        /// What was to be connected to.
        target: Box<Target>,
        /// What the server, the network or TLS says.
        reason: String,
        /// What to do, with the semicolon before it; empty where nothing is known.
        remedy: String,
        /// SQLSTATE, where the server refused.
        code: Option<String>,
    },
    /// A connection string is to be read from a file or from standard input, and cannot.
    #[error("cannot read the connection string from {place}: {problem}")]
    Read {
        /// The file, or standard input.
        place: String,
        /// Why not.
        problem: String,
    },
}

impl From<ConnectError> for sqlx::Error {
    /// Makes it an error of the network's, for code between statements that has no other.
    fn from(error: ConnectError) -> Self {
        Self::Io(std::io::Error::other(error))
    }
}

impl ConnectError {
    pub(crate) fn setting(
        setting: &str,
        origin: &Origin,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Setting {
            setting: setting.to_owned(),
            origin: Box::new(origin.clone()),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the SQLSTATE of the server's refusal, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Connect { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}
