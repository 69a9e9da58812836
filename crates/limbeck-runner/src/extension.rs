//! Extensions that the server of a scratch database does not have.

use std::fmt::{self, Display};

use limbeck_schema::Ident;
use limbeck_sql::Head;

use crate::error::ServerError;
use crate::scratch::Scratch;

/// An extension that could not be created in a scratch database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoExtension {
    /// The extension.
    pub name: Ident,
    /// The server, `the target's server (localhost:5432)`.
    pub server: String,
    /// What the server says.
    pub answer: ServerError,
}

impl NoExtension {
    /// What a refused statement of a scratch database comes to, if it creates an extension that the server lacks or the
    /// role may not create.
    pub(crate) fn of(sql: &str, answer: &ServerError, scratch: &Scratch) -> Option<Self> {
        // `feature_not_supported` says that the files are not there, `undefined_file` did so until PostgreSQL 14.
        let lacks = matches!(answer.code.as_str(), "0A000" | "58P01" | "42501");
        Some(Self {
            name: created(sql).filter(|_| lacks)?,
            server: scratch.server_name(),
            answer: answer.clone(),
        })
    }
}

impl Display for NoExtension {
    /// Which extension, where, why and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            server,
            answer,
        } = self;
        let remedy = if answer.code == "42501" {
            "have its owner allow it to the role"
        } else {
            "install it there"
        };
        write!(
            f,
            "the extension {name} cannot be created on {server}, where scratch databases are: {answer}; {remedy}, or name a \
             server that has it as url under [scratch] in limbeck.toml"
        )
    }
}

/// The extension that a statement creates, if it is `CREATE EXTENSION`.
fn created(sql: &str) -> Option<Ident> {
    let head = Head::of(sql)?;
    let name = head.name().filter(|_| head.is("CREATE", "EXTENSION"))?;
    Some(Ident::from(name.name().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::created;

    #[test]
    fn the_extension_of_a_statement_is_found() {
        let check = |sql: &str, expected: Option<&str>| {
            assert_eq!(
                created(sql).as_ref().map(|it| it.as_str()),
                expected,
                "{sql}"
            );
        };
        check("CREATE EXTENSION citext", Some("citext"));
        check(
            "create extension\nIF NOT EXISTS \"uuid-ossp\" WITH SCHEMA a",
            Some("uuid-ossp"),
        );
        check("CREATE EXTENSION If Not Exists PostGIS;", Some("postgis"));
        check("CREATE TABLE extension (a int)", None);
        check("CREATE EXTENSION", None);
    }
}
