//! Loads SQL files into a database, statement by statement, the server being the only judge of what they say.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use limbeck_catalog::own_rows;
use limbeck_revision::{SplitError, Statement, split};
use limbeck_schema::{Ident, Literal};
use limbeck_sql::Head;
use sqlx::{Executor, PgConnection};

use crate::error::{ServerError, one_line};
use crate::extension::NoExtension;
use crate::scratch::{Scratch, connects_nowhere, execute, mentions};
use crate::sql_files::{SqlText, passed_over};

/// Why SQL files could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The settings behind a file could not be reset.
    #[error("cannot reset the settings behind {}, which may leave a transaction open", .path.display())]
    Reset {
        /// The file.
        path: PathBuf,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file in another encoding.
    #[error("{}:{line}: the file is not in UTF-8; convert it, or have pg_dump write it with --encoding=UTF8", .path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is wrong.
        line: usize,
    },
    /// A file with a byte that no SQL has.
    #[error("{}:{line}: the file holds a NUL byte; remove it", .path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A folder without files.
    #[error("the folder {} holds no .sql file, in no subfolder either", .0.display())]
    Empty(PathBuf),
    /// A file that begins a transaction and does not end it.
    #[error("{} ends inside a transaction, so nothing of it would stay; write COMMIT at its end, or leave BEGIN out", .0.display())]
    Open(PathBuf),
    /// A text that is not made of SQL statements.
    #[error("{}:{}: {}", .path.display(), .error.line, .error.problem)]
    Split {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SplitError,
    },
    /// A statement whose effect would not be the scratch database's alone.
    #[error(
        "{place}: {statement} changes the whole server or another one, which is not part of a database's schema; take it \
         out of the file, or put it into a DO block that tolerates what is there already"
    )]
    ClusterWide {
        /// Where it stands.
        place: Spot,
        /// Its first words.
        statement: String,
    },
    /// A block that would create a role which is not there.
    #[error(
        "{place}: the block creates {}, and roles belong to the whole server; create it there first, then the block finds it",
        role.as_ref().map_or_else(|| "roles whose names are not written out".to_owned(), |it| format!("role {it}"))
    )]
    Role {
        /// Where it stands.
        place: Spot,
        /// The role, if its name stands in the block.
        role: Option<Ident>,
    },
    /// The server has not the extension that a statement creates.
    #[error("{place}: {extension}")]
    Extension {
        /// Where it stands.
        place: Box<Spot>,
        /// The extension and the server.
        extension: Box<NoExtension>,
    },
    /// The server refused a statement.
    #[error("{place}: {answer}")]
    Statement {
        /// Where it stands.
        place: Box<Spot>,
        /// The statement.
        sql: String,
        /// What the server says.
        answer: Box<ServerError>,
    },
    /// The connection failed.
    #[error("{place}: the connection failed: {}", one_line(&.source.to_string()))]
    Driver {
        /// The statement under way.
        place: Spot,
        /// What the driver says.
        source: sqlx::Error,
    },
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// The whole line.
    pub text: String,
}

impl Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl LoadError {
    /// The same error in a scratch database, where an extension that its server lacks gets a message of its own.
    #[must_use]
    pub fn in_scratch(self, scratch: &Scratch) -> Self {
        match self {
            Self::Statement { place, sql, answer } => {
                match NoExtension::of(&sql, &answer, scratch) {
                    Some(it) => Self::Extension {
                        place,
                        extension: Box::new(it),
                    },
                    None => Self::Statement {
                        place,
                        sql,
                        answer: Box::new(scratch.explain(*answer)),
                    },
                }
            }
            other => other,
        }
    }

    /// The offending line with what is wrong under the place, over three lines; none if no place is known.
    #[must_use]
    pub fn excerpt(&self) -> Option<String> {
        let (place, message) = match self {
            Self::Statement { place, answer, .. } => (place.as_ref(), one_line(&answer.message)),
            Self::ClusterWide { place, .. } => (place, "changes the whole server".to_owned()),
            Self::Role { place, .. } => (place, "creates a role".to_owned()),
            Self::Extension { place, extension } => {
                (place.as_ref(), one_line(&extension.answer.message))
            }
            Self::Reset { .. }
            | Self::Read { .. }
            | Self::Encoding { .. }
            | Self::Nul { .. }
            | Self::Empty(_)
            | Self::Open(_)
            | Self::Split { .. }
            | Self::Driver { .. } => {
                return None;
            }
        };
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs are kept, so that the mark stands where a terminal shows the text.
        let indent: String = place
            .text
            .chars()
            .take(place.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        Some(format!(
            "{margin} |\n{number} | {}\n{margin} | {indent}^ {message}",
            place.text
        ))
    }
}

/// Runs the statements of SQL files, each file's settings reset behind it. What `pg_dump` writes runs as it stands; gives
/// what of it was passed over, a line each: the rows of `COPY`, and settings that the server does not have. `CREATE SCHEMA`
/// is passed over for the scratch database's default schema, which is there already.
///
/// # Errors
/// [`LoadError`]; what ran before stays.
pub async fn load(
    scratch: &Scratch,
    conn: &mut PgConnection,
    files: &[PathBuf],
) -> Result<Vec<String>, LoadError> {
    let mut passed = Vec::new();
    for path in files {
        let SqlText { text, notes } = SqlText::read(path)?;
        passed.extend(notes);
        let statements = split(&text).map_err(|error| LoadError::Split {
            path: path.clone(),
            error,
        })?;
        let mut source = Source {
            path,
            text: &text,
            at: 0,
            line: 1,
        };
        // Strings are read as they were when the text was cut into statements, whatever the database's setting is.
        let strings = sqlx::raw_sql("SET standard_conforming_strings = on");
        strings
            .execute(&mut *conn)
            .await
            .map_err(|error| LoadError::Driver {
                place: source.spot(0),
                source: error,
            })?;
        for statement in &statements {
            source.find(statement);
            if let Some(words) = cluster_wide(&statement.sql) {
                return Err(LoadError::ClusterWide {
                    place: source.spot(0),
                    statement: words,
                });
            }
            if let Some(role) = missing_role(conn, &statement.sql).await {
                return Err(LoadError::Role {
                    place: source.spot(0),
                    role,
                });
            }
            passed.extend(run(scratch, conn, &source, statement).await?);
        }
        if in_transaction(conn).await {
            return Err(LoadError::Open(path.clone()));
        }
        // What a file sets is its own affair: `pg_dump` empties the search path, and the next file would feel it.
        scratch
            .reset(conn)
            .await
            .map_err(|source| LoadError::Reset {
                path: path.clone(),
                source,
            })?;
    }
    Ok(passed)
}

/// Whether a transaction is open that changed something.
async fn in_transaction(conn: &mut PgConnection) -> bool {
    const SQL: &str = "SELECT WHERE pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL";
    let found = conn.fetch_optional(sqlx::raw_sql(SQL)).await;
    matches!(found, Ok(Some(_)))
}

async fn run(
    scratch: &Scratch,
    conn: &mut PgConnection,
    source: &Source<'_>,
    statement: &Statement,
) -> Result<Option<String>, LoadError> {
    let rights = scratch.rights();
    let Err(error) = execute(rights.as_ref(), conn, &statement.sql).await else {
        return Ok(None);
    };
    let Some(answer) = ServerError::of(&error) else {
        return Err(LoadError::Driver {
            place: source.spot(0),
            source: error,
        });
    };
    // 42P06 is duplicate_schema.
    let known = answer.code == "42P06"
        && scratch
            .default_schema()
            .is_some_and(|it| answer.message.contains(&format!("\"{}\"", it.as_str())));
    if known && statement.head().is_some_and(|it| it.is("CREATE", "SCHEMA")) {
        return Ok(None);
    }
    if let Some(note) = passed_over(&statement.sql, &answer) {
        return Ok(Some(format!("{}: {note}", source.spot(0))));
    }
    let position = answer.position.map_or(0, |it| it.saturating_sub(1));
    Err(LoadError::Statement {
        place: Box::new(source.spot(position)),
        sql: statement.sql.clone(),
        answer: Box::new(answer),
    })
}

/// A file being run.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    /// Where the statement under way begins.
    at: usize,
    /// Its line.
    line: usize,
}

impl Source<'_> {
    /// Moves to a statement, which stands behind the last one and on its line.
    fn find(&mut self, statement: &Statement) {
        let n_lines = statement.line.saturating_sub(self.line);
        let line_start = match n_lines {
            0 => self.at,
            n => {
                let mut ends = self.text[self.at..].match_indices('\n');
                ends.nth(n - 1).map_or(self.at, |(at, _)| self.at + at + 1)
            }
        };
        if let Some(at) = self.text[line_start..].find(&statement.sql) {
            self.at = line_start + at;
            self.line = statement.line;
        }
    }

    /// The place so many characters behind the statement's beginning.
    fn spot(&self, n_chars: usize) -> Spot {
        let rest = &self.text[self.at..];
        let at = self.at
            + rest
                .char_indices()
                .nth(n_chars)
                .map_or(rest.len(), |(at, _)| at);
        let before = &self.text[..at];
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        Spot {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            text: self.text[start..]
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

/// The first words of a statement that changes roles, databases, tablespaces or the server's configuration, or that
/// reaches another server.
pub(crate) fn cluster_wide(sql: &str) -> Option<String> {
    let head = Head::of(sql)?;
    head_cluster_wide(&head).or_else(|| changed_in_block(sql))
}

fn head_cluster_wide(head: &Head<'_>) -> Option<String> {
    let object = head.object.unwrap_or_default();
    let shared = matches!(
        object,
        "ROLE" | "USER" | "GROUP" | "DATABASE" | "TABLESPACE" | "PARAMETER" | "OWNED" | "SYSTEM"
    );
    let verb = head.verb.as_str();
    match verb {
        "CREATE" | "ALTER" | "DROP" | "REASSIGN" if shared => Some(format!("{verb} {object}")),
        "COMMENT" if shared => Some(format!("COMMENT ON {object}")),
        "SECURITY" if shared => Some("SECURITY LABEL".to_owned()),
        // What is granted on an object is the database's own; membership in a role is not.
        "GRANT" | "REVOKE" if shared => Some(verb.to_owned()),
        // It makes a slot for itself on the server that it names.
        "CREATE" if object == "SUBSCRIPTION" && !connects_nowhere(head) => {
            Some("CREATE SUBSCRIPTION".to_owned())
        }
        "ALTER" if object == "SUBSCRIPTION" => {
            let rest = head.rest();
            let word = ["ENABLE", "REFRESH"]
                .into_iter()
                .find(|it| rest.is_at(it))?;
            Some(format!("ALTER SUBSCRIPTION … {word}"))
        }
        "EXPLAIN" => {
            let (explained, is_run) = head.explained()?;
            is_run.then(|| head_cluster_wide(&explained)).flatten()
        }
        _ => None,
    }
}

/// What a `DO` block changes of the whole server: `ALTER ROLE`. The name of a database that is put together (`ALTER DATABASE
/// %I`) may be that of the scratch database.
fn changed_in_block(sql: &str) -> Option<String> {
    let found = mentions(sql)
        .into_iter()
        .find(|it| it.verb != "CREATE" && !(it.object == "DATABASE" && it.name.is_none()))?;
    Some(format!("{} {}", found.verb, found.object))
}

/// The roles that a `DO` block says it creates; none for a role whose name is put together.
fn roles_created(sql: &str) -> Vec<Option<Ident>> {
    let created = mentions(sql).into_iter();
    created
        .filter(|it| it.verb == "CREATE" && it.object != "DATABASE")
        .map(|it| it.name.map(Ident::from))
        .collect()
}

/// The first role that a block would create although it is not there; the inner none where its name is not known.
pub(crate) async fn missing_role(conn: &mut PgConnection, sql: &str) -> Option<Option<Ident>> {
    for role in roles_created(sql) {
        let Some(name) = &role else {
            return Some(role);
        };
        let sql = format!(
            "SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) {}",
            Literal(name.as_str())
        );
        let found = own_rows(conn, &sql).await;
        if found.is_ok_and(|it| it.is_empty()) {
            return Some(role);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_reach_beyond_the_database_are_told() {
        let check = |sql: &str, expected: Option<&str>| {
            assert_eq!(cluster_wide(sql).as_deref(), expected, "{sql}")
        };
        check("CREATE ROLE a", Some("CREATE ROLE"));
        check("drop database x", Some("DROP DATABASE"));
        check("ALTER SYSTEM SET a = 1", Some("ALTER SYSTEM"));
        check("CREATE USER MAPPING FOR a SERVER b", None);
        check("CREATE TABLE role (a int)", None);
        check("DO $$ BEGIN CREATE ROLE a; END $$", None);
        check(
            "DO $$ BEGIN CREATE ROLE a; ALTER  ROLE a LOGIN; END $$",
            Some("ALTER ROLE"),
        );
        check("DO $$ BEGIN DROP USER MAPPING FOR a SERVER b; END $$", None);
        check(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I', x); END $$",
            None,
        );
        check(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I LOGIN', x); END $$",
            Some("ALTER ROLE"),
        );
        check("GRANT CONNECT ON DATABASE a TO b", Some("GRANT"));
        check("reassign owned by a to b", Some("REASSIGN OWNED"));
        check(
            "CREATE SUBSCRIPTION a CONNECTION 'x' PUBLICATION b",
            Some("CREATE SUBSCRIPTION"),
        );
        check(
            "CREATE SUBSCRIPTION a CONNECTION 'x' PUBLICATION b WITH (connect = false)",
            None,
        );
        check("GRANT a TO b", Some("GRANT"));
        check("GRANT SELECT ON a TO b", None);
        check("comment on role a is 'x'", Some("COMMENT ON ROLE"));
    }

    #[test]
    fn roles_of_blocks_are_found_by_name() {
        let check = |sql: &str, expected: &[Option<&str>]| {
            let expected: Vec<_> = expected.iter().map(|it| it.map(Ident::from)).collect();
            assert_eq!(roles_created(sql), expected, "{sql}");
        };
        check(
            "DO $$ BEGIN create  role App; CREATE USER \"Me\" LOGIN; END $$",
            &[Some("app"), Some("Me")],
        );
        check(
            "DO $$ BEGIN EXECUTE format('CREATE ROLE %I', x); END $$",
            &[None],
        );
        check("DO $$ BEGIN CREATE TABLE role (a int); END $$", &[]);
        check("SELECT 'create role a'", &[]);
    }

    #[test]
    fn a_place_is_line_and_column_of_the_file() {
        let text = "SELECT 1; -- SELECT 2\n\tSELECT ä, 2;\nSELECT 2";
        let statements = split(text).unwrap();
        let mut source = Source {
            path: Path::new("a.sql"),
            text,
            at: 0,
            line: 1,
        };
        let mut spots = Vec::new();
        for it in &statements {
            source.find(it);
            spots.push((source.spot(0).to_string(), source.spot(7).to_string()));
        }
        let expected = [
            ("a.sql:1:1", "a.sql:1:8"),
            ("a.sql:2:2", "a.sql:2:9"),
            ("a.sql:3:1", "a.sql:3:8"),
        ];
        assert_eq!(spots, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        let error = LoadError::Statement {
            place: Box::new(source.spot(7)),
            sql: String::new(),
            answer: Box::new(ServerError {
                code: "42601".into(),
                message: "no".into(),
                detail: None,
                hint: None,
                position: None,
            }),
        };
        assert_eq!(
            error.excerpt().unwrap(),
            "  |\n3 | SELECT 2\n  |        ^ no"
        );
    }
}
