//! Running a revision's segments in a scratch database whose tables have rows.
//!
//! A statement that fails is tried again on empty tables. If it works there, it is one that only works on empty tables:
//! if the file states that hazard (`-- hazard may-fail: …`), that is told and the trial goes on; else it is refuted.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_catalog::own_rows;
use limbeck_revision::{Segment, SegmentMode, SplitError};
use limbeck_schema::{Ident, Name};
use limbeck_sql::{Head, Transaction, is_line_end, own_lines, significant};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::error::{ServerError, one_line};
use crate::extension::NoExtension;
use crate::keep::{Holding, Loss, LossKind, truncation};
use crate::proof::{Proof, Stop, not_run};
use crate::scratch::{self, Rights, Scratch, ScratchError};
use crate::statement::control;
use crate::work::{controls_transaction, shown};

/// A statement with what the file says above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    sql: String,
    /// What it is for: the lines of the comment.
    label: String,
    /// The hazards that the comment states, `may-fail`, and their advice.
    hazards: Vec<(String, String)>,
}

impl Step {
    fn states(&self, hazards: &[&str]) -> bool {
        self.hazards
            .iter()
            .any(|(it, _)| hazards.contains(&it.as_str()))
    }

    /// What it does, in a few words.
    fn title(&self) -> String {
        if self.label.is_empty() {
            format!("`{}`", shown(&self.sql))
        } else {
            self.label.clone()
        }
    }

    /// Its first word in capitals.
    fn verb(&self) -> String {
        let head = Head::of(&self.sql);
        head.map_or_else(String::new, |it| it.verb)
    }

    fn mentions(&self, name: &Name) -> bool {
        let wanted = name.name.as_str();
        let texts = [&self.sql, &self.label];
        let advice = self.hazards.iter().map(|(_, it)| it);
        texts.into_iter().chain(advice).any(|text| {
            text.match_indices(wanted).any(|(at, _)| {
                let inside = |c: char| c.is_alphanumeric() || c == '_';
                !text[..at].ends_with(inside) && !text[at + wanted.len()..].starts_with(inside)
            })
        })
    }
}

/// The statements of a segment. A comment counts for all statements that follow it without a blank line or another
/// comment between.
pub(crate) fn steps(segment: &Segment) -> Result<Vec<Step>, SplitError> {
    let lines: Vec<&str> = segment.text.split(is_line_end).collect();
    let comments: BTreeMap<usize, &str> = own_lines(&segment.text)
        .iter()
        .map(|it| (it.line, it.text))
        .collect();
    let mut acc: Vec<Step> = Vec::new();
    for statement in segment.statements()? {
        // Counted from 1, as the lines of the comments are.
        let line = statement.line - segment.line + 1;
        let n_comments = (1..line)
            .rev()
            .take_while(|it| comments.contains_key(it))
            .count();
        let above = comments.range(line - n_comments..line);
        let follows = line > 1 && lines.get(line - 2).is_some_and(|it| !it.trim().is_empty());
        let mut step = Step {
            sql: statement.sql,
            label: String::new(),
            hazards: Vec::new(),
        };
        if let (true, Some(last)) = (n_comments == 0 && follows, acc.last()) {
            step.label.clone_from(&last.label);
            step.hazards.clone_from(&last.hazards);
        }
        let mut label = Vec::new();
        for (_, comment) in above {
            let text = comment.trim_start_matches('-').trim();
            match text
                .strip_prefix("hazard ")
                .and_then(|it| it.split_once(':'))
            {
                Some((hazard, advice)) => {
                    let hazard = hazard.trim().to_owned();
                    step.hazards.push((hazard, advice.trim().to_owned()));
                }
                None => label.push(text),
            }
        }
        if !label.is_empty() {
            step.label = label.join(", ");
        }
        acc.push(step);
    }
    Ok(acc)
}

/// A statement that the server refused.
struct Failure {
    /// Its place among the steps.
    at: usize,
    answer: String,
    server: Option<ServerError>,
    /// The table whose rows it is about, as far as the server says.
    table: Option<String>,
}

/// A revision on trial.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    scratch: &'a Scratch,
    own_tables: &'a [Name],
    /// Whether the database lacks objects of the target's that no kind stands for.
    lacks_objects: bool,
    /// The tables that were emptied for a statement to work.
    emptied: BTreeSet<i64>,
    all_emptied: bool,
    /// What there is to say, in order.
    pub(crate) notes: Vec<String>,
}

impl<'a> Trial<'a> {
    pub(crate) fn new(scratch: &'a Scratch, own_tables: &'a [Name], lacks_objects: bool) -> Self {
        Self {
            scratch,
            own_tables,
            lacks_objects,
            emptied: BTreeSet::new(),
            all_emptied: false,
            notes: Vec::new(),
        }
    }

    /// How many tables were emptied for a statement to work.
    pub(crate) fn n_emptied(&self) -> usize {
        self.emptied.len()
    }

    pub(crate) fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Runs segments as the runner does, on a connection of their own, since they may change its settings. `way` is
    /// `upgrade` or `downgrade`.
    pub(crate) async fn run(
        &mut self,
        way: &'static str,
        segments: &[Segment],
    ) -> Result<(), Stop> {
        let mut conn = self.scratch.connect().await?;
        for segment in segments {
            let steps = steps(segment).map_err(|error| fails(way, error.to_string()))?;
            let in_transaction = segment.mode == SegmentMode::Transaction;
            let misplaced = steps
                .iter()
                .find(|it| in_transaction && controls_transaction(&it.sql));
            if let Some(it) = misplaced {
                let line = format!(
                    "`{}` begins or ends a transaction, which is the runner's work",
                    shown(&it.sql)
                );
                return Err(fails(way, line).into());
            }
            if in_transaction {
                self.run_steps(&mut conn, way, &steps, true).await?;
            } else {
                for part in transactions(&steps) {
                    match part {
                        [first, body @ .., last] if controls_transaction(&first.sql) => {
                            if control(&last.sql) == Some(Transaction::Commit) {
                                self.run_steps(&mut conn, way, body, true).await?;
                            }
                        }
                        _ => self.run_steps(&mut conn, way, part, false).await?,
                    }
                }
            }
        }
        let _ = conn.close().await;
        Ok(())
    }

    /// Runs steps until they work, on ever emptier tables.
    async fn run_steps(
        &mut self,
        conn: &mut PgConnection,
        way: &'static str,
        steps: &[Step],
        in_transaction: bool,
    ) -> Result<(), Stop> {
        let rights = self.scratch.rights();
        let mut failures: Vec<Failure> = Vec::new();
        while let Some(failure) = attempt(rights.as_ref(), conn, steps, in_transaction).await {
            if !self.make_way(conn, &failure).await? {
                return Err(self.fail(way, steps, &failure).into());
            }
            failures.push(failure);
        }
        for failure in failures {
            let Some(step) = steps.get(failure.at).or(steps.last()) else {
                continue;
            };
            let line = format!("{}: {}", step.title(), failure.answer);
            if step.states(&["may-fail", "changes-values", "deletes-data"]) {
                self.note(format!("fails on tables that have rows: {line}"));
            } else {
                let step = if way == "upgrade" {
                    "the upgrade fails on tables that have rows"
                } else {
                    "the downgrade fails on tables that have rows"
                };
                return Err(Proof::Refuted {
                    step,
                    lines: vec![line],
                }
                .into());
            }
        }
        Ok(())
    }

    /// Empties the table that a failure is about, or all; false if there is nothing to empty.
    async fn make_way(&mut self, conn: &mut PgConnection, failure: &Failure) -> Result<bool, Stop> {
        if self.all_emptied {
            return Ok(false);
        }
        // An index that could not be built concurrently stays as an invalid one.
        let invalid = "SELECT format('DROP INDEX %I.%I', n.nspname, c.relname) FROM pg_index i JOIN pg_class c ON c.oid = \
                       i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relkind = 'i'";
        let drops = own_rows(conn, invalid).await.unwrap_or_default();
        for row in drops {
            if let Ok(sql) = row.try_get::<String, _>(0) {
                let _ = execute(conn, &sql).await;
            }
        }
        let before = Holding::read(conn, self.own_tables).await.map_err(lost)?;
        let named = failure
            .table
            .as_ref()
            .map(|it| format!("TRUNCATE {it} CASCADE"));
        let mut emptied = BTreeSet::new();
        if let Some(sql) = named
            && execute(conn, &sql).await.is_ok()
        {
            let after = Holding::read(conn, self.own_tables).await.map_err(lost)?;
            emptied = before
                .filled()
                .difference(&after.filled())
                .copied()
                .collect();
        }
        if emptied.is_empty() {
            self.all_emptied = true;
            emptied = before.filled();
            if emptied.is_empty() || execute(conn, &truncation(&before)).await.is_err() {
                return Ok(false);
            }
        }
        self.emptied.extend(emptied);
        Ok(true)
    }

    /// The end for a statement that fails on empty tables too.
    fn fail(&self, way: &'static str, steps: &[Step], failure: &Failure) -> Proof {
        let sql = steps.get(failure.at).map_or("COMMIT", |it| &it.sql);
        let explained = failure.server.clone();
        let explained = explained.map(|it| self.scratch.explain(it).to_string());
        let answer = explained.as_ref().unwrap_or(&failure.answer);
        let line = format!("`{}`: {answer}", one_line(sql));
        let server = failure.server.as_ref();
        if let Some(it) = server.and_then(|it| NoExtension::of(sql, it, self.scratch)) {
            return not_run(format!("the {way} fails: {it}"));
        }
        // What is not managed is not in the scratch database, so its lack proves nothing.
        let code = server.map(|it| it.code.as_str()).unwrap_or_default();
        let lacks = matches!(code, "42883" | "42704" | "42P01");
        if lacks && self.lacks_objects {
            not_run(format!(
                "the {way} fails, for want of an object that is not managed: {line}"
            ))
        } else {
            fails(way, line)
        }
    }

    /// Judges what was lost on the way.
    pub(crate) fn weigh(
        &mut self,
        way: &'static str,
        segments: &[Segment],
        before: &Holding,
        now: &Holding,
    ) -> Result<(), Stop> {
        let steps: Vec<Step> = segments
            .iter()
            .filter_map(|it| steps(it).ok())
            .flatten()
            .collect();
        let mut lines = Vec::new();
        for loss in before.losses(now, &self.emptied) {
            if steps.iter().any(|it| intends(it, &loss)) {
                self.note(loss.line);
            } else {
                lines.push(loss.line);
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let step = if way == "upgrade" {
            "the upgrade loses what tables hold"
        } else {
            "the downgrade loses what tables hold"
        };
        Err(Proof::Refuted { step, lines }.into())
    }
}

/// Whether a statement says that it is there to lose this: by a hazard above it, or, for values, by being a change of
/// rows. Altering a table takes no rows away, whatever it says of a column's values.
fn intends(step: &Step, loss: &Loss) -> bool {
    if !step.mentions(&loss.name) {
        return false;
    }
    let verb = step.verb();
    match loss.kind {
        LossKind::Rows => step.states(&["deletes-data"]) && verb != "ALTER",
        LossKind::Values => {
            step.states(&["deletes-data", "changes-values"])
                || !matches!(verb.as_str(), "ALTER" | "CREATE" | "DROP" | "COMMENT")
        }
        LossKind::Place => {
            step.states(&["deletes-data"])
                || significant(&step.sql)
                    .any(|it| it.is_word("restart") || it.ident().as_deref() == Some("setval"))
        }
    }
}

/// Runs segments as the runner does, on a connection of their own and without making way for anything; gives the server's
/// answer to the first statement that fails.
pub(crate) async fn run_plainly(
    scratch: &Scratch,
    segments: &[Segment],
) -> Result<Option<String>, ScratchError> {
    let mut conn = scratch.connect().await?;
    let rights = scratch.rights();
    let mut failed = None;
    for segment in segments {
        let found = match steps(segment) {
            Ok(it) => it,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let in_transaction = segment.mode == SegmentMode::Transaction;
        if let Some(it) = attempt(rights.as_ref(), &mut conn, &found, in_transaction).await {
            failed = Some(it.answer);
            break;
        }
    }
    let _ = conn.close().await;
    Ok(failed)
}

/// The statements of a segment outside transactions, each by itself, but for those from a `BEGIN` to its end.
fn transactions(steps: &[Step]) -> Vec<&[Step]> {
    let (mut parts, mut rest) = (Vec::new(), steps);
    while let Some(first) = rest.first() {
        let controls = |it: &Step| controls_transaction(&it.sql);
        let length = match controls(first) {
            true => rest
                .iter()
                .skip(1)
                .position(controls)
                .map_or(1, |it| it + 2),
            false => 1,
        };
        let (part, after) = rest.split_at(length);
        parts.push(part);
        rest = after;
    }
    parts
}

/// Runs steps once; gives the first failure, with the transaction rolled back.
async fn attempt(
    rights: Option<&Rights>,
    conn: &mut PgConnection,
    steps: &[Step],
    in_transaction: bool,
) -> Option<Failure> {
    if in_transaction && let Err(error) = execute(conn, "BEGIN").await {
        return Some(Failure::new(0, &error));
    }
    for (at, step) in steps.iter().enumerate() {
        if let Err(error) = scratch::execute(rights, conn, &step.sql).await {
            if in_transaction {
                let _ = execute(conn, "ROLLBACK").await;
            }
            return Some(Failure::new(at, &error));
        }
    }
    if !in_transaction {
        return None;
    }
    // A deferred constraint speaks up at the end; the transaction is rolled back then.
    let done = execute(conn, "COMMIT").await;
    done.err().map(|error| Failure::new(steps.len(), &error))
}

impl Failure {
    fn new(at: usize, error: &sqlx::Error) -> Self {
        let server = ServerError::of(error);
        let told = error.as_database_error().and_then(|it| {
            let it = it.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
            let (schema, table) = (it.schema()?, it.table()?);
            Some(format!("{}.{}", Ident::new(schema), Ident::new(table)))
        });
        Self {
            at,
            answer: server
                .as_ref()
                .map_or_else(|| one_line(&error.to_string()), ToString::to_string),
            server,
            table: told,
        }
    }
}

fn fails(way: &str, line: String) -> Proof {
    let step = if way == "upgrade" {
        "the upgrade fails"
    } else {
        "the downgrade fails"
    };
    Proof::Refuted {
        step,
        lines: vec![line],
    }
}

fn lost(error: sqlx::Error) -> Stop {
    Stop::from(not_run(format!(
        "the rows cannot be read: {}",
        one_line(&error.to_string())
    )))
}

async fn execute(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use limbeck_revision::{Segment, SegmentMode};

    use super::steps;

    #[test]
    fn a_comment_counts_for_the_statements_right_below_it() {
        let text = "-- alter a\n-- hazard may-fail: fill it\nUPDATE a\n  SET b = 1;\nALTER TABLE a ALTER b SET NOT NULL;\n\nSELECT 1;\n-- create c\nCREATE TABLE c ();";
        let segment = Segment::new(SegmentMode::Transaction, text);
        let steps = steps(&segment).unwrap();
        let found: Vec<(String, usize)> = steps
            .iter()
            .map(|it| (it.title(), it.hazards.len()))
            .collect();
        let expected = [
            ("alter a", 1),
            ("alter a", 1),
            ("`SELECT 1`", 0),
            ("create c", 0),
        ];
        assert_eq!(found, expected.map(|(a, n)| (a.to_owned(), n)));
    }
}
