//! What connection settings take from around them: environment variables, the user's folder and name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment in which connection settings are read.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    user: Option<String>,
}

impl Environment {
    /// Returns the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PG"))
            .collect();
        Self {
            variables,
            home: std::env::home_dir(),
            user: whoami::username().ok(),
        }
    }

    /// Returns an environment of these variables, this home folder and this user.
    #[must_use]
    pub fn new<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        home: Option<&Path>,
        user: Option<&str>,
    ) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            variables: variables.into_iter().map(owned).collect(),
            home: home.map(Path::to_path_buf),
            user: user.map(str::to_owned),
        }
    }

    /// Returns a variable's value, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether a variable names a server or a database: only then can there be a connection without any string.
    pub(crate) fn names_a_database(&self) -> bool {
        let names = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"];
        names.iter().any(|it| self.get(it).is_some())
    }
}
