//! Extensions that the server of a scratch database does not have.

use std::fmt::{self, Display};

use limbeck_schema::Ident;

use crate::error::ServerError;
use crate::scratch::Scratch;
use crate::work::words;

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
    let first: Vec<String> = words(sql).take(3).collect();
    if first.get(..2)? != ["create", "extension"] {
        return None;
    }
    let n_words = if first.get(2).is_some_and(|it| it == "if") {
        5
    } else {
        2
    };
    let mut rest = sql;
    for _ in 0..n_words {
        let start = rest.find(char::is_alphanumeric)?;
        let word = &rest[start..];
        rest = &word[word.find(char::is_whitespace)?..];
    }
    let rest = rest.trim_start();
    let end = match rest.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => rest
            .find(|c: char| c.is_whitespace() || c == ';')
            .unwrap_or(rest.len()),
    };
    Ident::parse(&rest[..end])
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
