//! One of Alembic's revision files, read as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::error::ImportError;
use super::python::{Fault, Kind, Line, Token, Value, assignment, lines, literal};
use crate::header::{Dependency, Header};
use crate::ids::RevisionId;

/// Names in a function that look into the database, so that what runs may differ from one database to another.
const LOOKS: [&str; 7] = [
    "get_bind",
    "inspect",
    "Inspector",
    "get_inspector",
    "Session",
    "sessionmaker",
    "is_offline_mode",
];

/// What Alembic's template writes below the message.
const DOCSTRING_FIELDS: [&str; 5] = [
    "Revision ID:",
    "Revises:",
    "Create Date:",
    "Branch Labels:",
    "Depends on:",
];

/// What a file of Alembic's says without being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlembicFile {
    /// The file.
    pub path: PathBuf,
    /// The header that Limbeck's file gets.
    pub header: Header,
    /// When it was written, if it says so; Alembic's times have no zone and are read as UTC.
    pub created: Option<Timestamp>,
    /// Its `upgrade()`.
    pub upgrade: Body,
    /// Its `downgrade()`.
    pub downgrade: Body,
}

/// A function of an Alembic revision, as far as its text tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Whether it does nothing: no such function, or `pass` and a docstring.
    pub empty: bool,
    /// The first name that looks into the database, with its line.
    pub looks: Option<(String, usize)>,
}

impl AlembicFile {
    /// Reads a file's text. `depends_on` is, by revision, what to take instead of the file's own `depends_on`, which
    /// Alembic may compute as the file is loaded.
    ///
    /// # Errors
    /// [`ImportError::Python`] with the line of what is no literal or not understood, [`ImportError::NoRevision`]
    /// for a file without an id.
    pub fn parse(
        text: &str,
        path: &Path,
        depends_on: &BTreeMap<String, Vec<Dependency>>,
    ) -> Result<Self, ImportError> {
        let at = |Fault { line, problem }| ImportError::Python {
            path: path.to_owned(),
            line,
            problem,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = lines(text).map_err(at)?;
        let id = match field(&lines, "revision").map_err(at)? {
            Some((Value::Text(id), line)) => RevisionId::new(&id).map_err(|error| {
                at(Fault {
                    line,
                    problem: error.to_string(),
                })
            })?,
            _ => {
                return Err(ImportError::NoRevision {
                    path: path.to_owned(),
                });
            }
        };
        let docstring = docstring(&lines).unwrap_or_default();
        let (message, created) = split_docstring(docstring);
        let mut header = Header::new(id, message);
        for text in list(&lines, "down_revision").map_err(at)?.0 {
            header.revises.push(RevisionId::new(&text)?);
        }
        header.branch_labels = list(&lines, "branch_labels").map_err(at)?.0;
        header.depends_on = match depends_on.get(header.revision.as_str()) {
            Some(given) => given.clone(),
            None => {
                let (texts, _) = list(&lines, "depends_on").map_err(|it| {
                    let remedy = format!(
                        "{}; or say what it is: --depends-on \"{}=REV, REV if present\"",
                        it.problem, header.revision
                    );
                    at(Fault {
                        problem: remedy,
                        ..it
                    })
                })?;
                let plain = |target| Dependency {
                    target,
                    if_present: false,
                };
                texts.into_iter().map(plain).collect()
            }
        };
        header.created = created.map(str::to_owned);
        Ok(Self {
            path: path.to_owned(),
            header,
            created: created.and_then(timestamp),
            upgrade: body(&lines, "upgrade"),
            downgrade: body(&lines, "downgrade"),
        })
    }
}

/// The value of a name of the file's outermost level, the last one if there are several, with its line.
fn field(lines: &[Line], name: &'static str) -> Result<Option<(Value, usize)>, Fault> {
    let mut found = lines
        .iter()
        .filter_map(assignment)
        .filter(|it| it.0 == name);
    let Some((_, tokens)) = found.next_back() else {
        return Ok(None);
    };
    let line = tokens.first().map_or(1, |it| it.line);
    match literal(tokens) {
        Some(value) => Ok(Some((value, line))),
        None => Err(Fault {
            line,
            problem: format!(
                "{name} is computed when Python loads the file, and no Python is run here; write it as a plain string, \
                 a tuple, a list or None"
            ),
        }),
    }
}

/// The same as a list, with its line; an empty string says nothing, as to Alembic.
fn list(lines: &[Line], name: &'static str) -> Result<(Vec<String>, usize), Fault> {
    let Some((value, line)) = field(lines, name)? else {
        return Ok((Vec::new(), 1));
    };
    let mut texts = match value {
        Value::None => Vec::new(),
        Value::Text(text) => vec![text],
        Value::Texts(texts) => texts,
    };
    texts.retain(|it| !it.is_empty());
    Ok((texts, line))
}

fn docstring(lines: &[Line]) -> Option<&str> {
    match lines.first()?.tokens.as_slice() {
        [
            Token {
                kind: Kind::Text(text),
                ..
            },
        ] => Some(text),
        _ => None,
    }
}

/// The message and the date of a docstring, without what else Alembic's template writes there.
fn split_docstring(text: &str) -> (String, Option<&str>) {
    let is_field = |it: &&str| DOCSTRING_FIELDS.iter().any(|name| it.starts_with(name));
    let message: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|it| !is_field(it))
        .collect();
    let created = text
        .lines()
        .find_map(|it| it.trim().strip_prefix("Create Date:"))
        .map(str::trim)
        .filter(|it| !it.is_empty());
    (message.join("\n").trim().to_owned(), created)
}

fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(it) = text.parse() {
        return Some(it);
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A function of the outermost level.
fn body(lines: &[Line], name: &str) -> Body {
    let is_it = |it: &Line| {
        it.outermost
            && matches!(it.tokens.as_slice(), [def, function, ..] if def.is_word("def") && function.is_word(name))
    };
    let Some(at) = lines.iter().position(is_it) else {
        return Body {
            empty: true,
            looks: None,
        };
    };
    let inside = lines[at + 1..].iter().take_while(|it| !it.outermost);
    let statements: Vec<&[Token]> = std::iter::once(behind_colon(&lines[at].tokens))
        .chain(inside.map(|it| it.tokens.as_slice()))
        .collect();
    let look = |it: &Token| match &it.kind {
        Kind::Word(word) if LOOKS.contains(&word.as_str()) => Some((word.clone(), it.line)),
        _ => None,
    };
    Body {
        empty: statements.iter().all(|it| does_nothing(it)),
        looks: statements.iter().copied().flatten().find_map(look),
    }
}

/// What stands on the line of `def` itself, as in `def upgrade(): pass`.
fn behind_colon(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    for (at, it) in tokens.iter().enumerate() {
        match it.kind {
            Kind::Symbol('(' | '[' | '{') => depth += 1,
            Kind::Symbol(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Kind::Symbol(':') if depth == 0 => return &tokens[at + 1..],
            _ => {}
        }
    }
    &[]
}

fn does_nothing(statement: &[Token]) -> bool {
    statement.iter().all(|it| {
        matches!(it.kind, Kind::Text(_) | Kind::Symbol('.' | ';'))
            || it.is_word("pass")
            || it.is_word("return")
            || it.is_word("None")
    })
}
