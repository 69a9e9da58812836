//! The scripts that `alembic upgrade --sql` and `alembic downgrade --sql` print, cut into revisions.
//!
//! Alembic begins each revision with a comment, `-- Running upgrade A -> B`. What follows up to the next one is its SQL,
//! with statements on the version table and, where Alembic commits in between, `COMMIT;` and `BEGIN;`.

use std::collections::BTreeMap;

use limbeck_sql::{
    Head, SplitError, Splitter, Statement, TokenKind, Transaction, is_line_end, split, tokens,
};

use super::error::ImportError;
use crate::format::{Segment, SegmentMode};
use crate::graph::Direction;
use crate::ids::RevisionId;

/// The SQL of revisions, as Alembic ran or would run them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlembicSql {
    upgrades: BTreeMap<RevisionId, Vec<Segment>>,
    downgrades: BTreeMap<RevisionId, Vec<Segment>>,
    /// How many statements stood before the first revision and are of no revision.
    pub n_outside: usize,
}

/// A part of a script, from one comment to the next.
struct Part<'a> {
    /// Which revision in which direction; none before the first comment.
    of: Option<(Direction, RevisionId)>,
    text: &'a str,
    /// The line where it begins, counted from 1.
    line: usize,
}

/// How much of a script is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All of it.
    Whole,
    /// All but the last revision: the program that wrote it failed there.
    Broken,
}

impl AlembicSql {
    /// Adds what a script holds. `name` is what messages call it; `version_tables` are names of tables whose statements
    /// are left out.
    ///
    /// # Errors
    /// [`ImportError::Script`] for SQL that cannot be split, [`ImportError::Twice`] if a revision was added with other
    /// SQL before.
    pub fn add(
        &mut self,
        text: &str,
        name: &str,
        completeness: Completeness,
        version_tables: &[&str],
    ) -> Result<(), ImportError> {
        let text = text.replace("\r\n", "\n");
        let at = |SplitError { line, problem }: SplitError, before: usize| ImportError::Script {
            script: name.to_owned(),
            line: line + before,
            problem,
        };
        let mut parts = parts(&text, completeness).map_err(|it| at(it, 0))?;
        if completeness == Completeness::Broken {
            parts.pop();
        }
        for Part { of, text, line } in parts {
            let statements = split(text).map_err(|it| at(it, line - 1))?;
            let Some((direction, revision)) = of else {
                let left_out = |it: &&Statement| {
                    transaction(&it.sql).is_none() && !is_about(&it.sql, version_tables)
                };
                self.n_outside += statements.iter().filter(left_out).count();
                continue;
            };
            let segments = segments(&statements, version_tables);
            let (section, map) = match direction {
                Direction::Downgrade => ("downgrade", &mut self.downgrades),
                Direction::Upgrade | Direction::Stamp => ("upgrade", &mut self.upgrades),
            };
            if map.get(&revision).is_some_and(|it| *it != segments) {
                return Err(ImportError::Twice {
                    script: name.to_owned(),
                    line,
                    revision,
                    section,
                });
            }
            map.insert(revision, segments);
        }
        Ok(())
    }

    /// What a revision runs; none if no script says.
    #[must_use]
    pub fn get(&self, direction: Direction, revision: &RevisionId) -> Option<&[Segment]> {
        let map = match direction {
            Direction::Downgrade => &self.downgrades,
            Direction::Upgrade | Direction::Stamp => &self.upgrades,
        };
        map.get(revision).map(Vec::as_slice)
    }
}

/// Cuts a script at its comments. Of a broken one, what cannot be read ends the last part.
fn parts(text: &str, completeness: Completeness) -> Result<Vec<Part<'_>>, SplitError> {
    let mut parts = vec![Part {
        of: None,
        text: "",
        line: 1,
    }];
    let mut begin = 0;
    let mut splitter = Splitter::new(text);
    for token in tokens(text) {
        let is_nested = splitter.is_nested();
        match splitter.take(token) {
            Ok(()) => {}
            Err(_) if completeness == Completeness::Broken => break,
            Err(error) => return Err(error),
        }
        let at_line_start = token.start == 0 || text[..token.start].ends_with(is_line_end);
        if token.kind != TokenKind::LineComment || !at_line_start || is_nested {
            continue;
        }
        let Some(of) = running(token.text) else {
            continue;
        };
        if let Some(last) = parts.last_mut() {
            last.text = &text[begin..token.start];
        }
        splitter.end_statement();
        begin = token.end();
        parts.push(Part {
            of: Some(of),
            text: "",
            line: token.line,
        });
    }
    if let Some(last) = parts.last_mut() {
        last.text = &text[begin..];
    }
    Ok(parts)
}

/// What `-- Running upgrade A -> B` announces: an upgrade to B, or a downgrade from A.
fn running(comment: &str) -> Option<(Direction, RevisionId)> {
    let rest = comment.strip_prefix("--")?.trim_start();
    let rest = rest.strip_prefix("Running ")?;
    let (direction, rest) = rest.split_once(' ')?;
    let (from, to) = rest.split_once("->")?;
    let (direction, id) = match direction {
        "upgrade" => (Direction::Upgrade, to),
        "downgrade" => (Direction::Downgrade, from),
        _ => return None,
    };
    // Alembic's log has the message behind a comma.
    let id = id.split(',').next().unwrap_or(id).trim();
    Some((direction, RevisionId::new(id).ok()?))
}

/// The statements as segments: `COMMIT` and `BEGIN` lead out of the transaction and back.
fn segments(statements: &[Statement], version_tables: &[&str]) -> Vec<Segment> {
    let mut mode = SegmentMode::Transaction;
    let mut runs: Vec<(SegmentMode, String)> = Vec::new();
    for Statement { sql, .. } in statements {
        if let Some(next) = transaction(sql) {
            mode = next;
            continue;
        }
        if is_about(sql, version_tables) {
            continue;
        }
        match runs.last_mut() {
            Some((last, text)) if *last == mode => text.push_str(&format!("\n\n{sql};")),
            _ => runs.push((mode, format!("{sql};"))),
        }
    }
    runs.into_iter()
        .map(|(mode, text)| Segment::new(mode, &text))
        .collect()
}

/// What follows a statement that begins or ends a transaction; none for any other.
fn transaction(sql: &str) -> Option<SegmentMode> {
    match Head::of(sql)?.transaction()? {
        Transaction::Begin => Some(SegmentMode::Transaction),
        Transaction::Commit => Some(SegmentMode::NoTransaction),
        _ => None,
    }
}

/// Whether a statement is Alembic's own, on its version table.
fn is_about(sql: &str, version_tables: &[&str]) -> bool {
    let Some(head) = Head::of(sql) else {
        return false;
    };
    let is_of_a_table = match head.verb.as_str() {
        "CREATE" | "DROP" => head.object == Some("TABLE"),
        verb => matches!(verb, "INSERT" | "DELETE" | "UPDATE"),
    };
    let name = head.name().map_or("", |it| it.name());
    is_of_a_table && version_tables.contains(&name)
}
