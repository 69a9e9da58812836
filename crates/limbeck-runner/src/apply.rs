//! Running one revision: its segments, its log rows, its version rows, and what is said when a statement fails.

use std::path::Path;
use std::time::Duration;

use limbeck_revision::graph::{Direction, Step};
use limbeck_revision::{RevisionId, Statement};
use sqlx::Row;

use crate::error::{HalfDone, Place, RunnerError, ServerError, lost, one_line, word};
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::session::is_cancel;
use crate::tables::LogEntry;

/// SQLSTATE lock_not_available: `lock_timeout` is over.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How much of a statement a message shows.
const SHOWN_CHARS: usize = 72;

/// One revision to run in one direction, with what that does to the version rows.
#[derive(Clone, Debug)]
pub(crate) struct Work<'a> {
    pub(crate) step: &'a Step,
    pub(crate) path: &'a Path,
    pub(crate) doc: String,
    pub(crate) checksum: String,
    pub(crate) segments: Vec<Part>,
}

/// A segment split into its statements.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) transaction: bool,
    pub(crate) statements: Vec<Statement>,
}

/// Where a killed or failed run left the revision that is run now.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) id: i64,
    pub(crate) half_done: HalfDone,
    /// Whether the last segment named in the log is done, so that the next one is the first to run.
    pub(crate) finished: bool,
}

/// Why an attempt to run a segment ended.
enum Stop {
    /// A statement failed, by its index; the number of statements means the commit.
    Statement(usize, sqlx::Error),
    /// Something of the runner's own failed.
    Own(RunnerError),
}

impl From<RunnerError> for Stop {
    fn from(error: RunnerError) -> Self {
        Self::Own(error)
    }
}

impl Work<'_> {
    pub(crate) fn id(&self) -> &RevisionId {
        &self.step.revision
    }

    /// How many segments are logged: a revision without SQL counts as one empty segment in a transaction.
    pub(crate) fn n_segments(&self) -> usize {
        self.segments.len().max(1)
    }

    fn statements(&self, at: usize) -> &[Statement] {
        self.segments.get(at).map_or(&[], |it| &it.statements)
    }

    fn place(&self, segment: usize, statement: usize) -> Place {
        let statements = self.statements(segment);
        let (line, text) = match statements.get(statement) {
            Some(it) => (it.line, shown(&it.sql)),
            // The commit fails for what a deferred constraint found out about an earlier statement.
            None => (statements.last().map_or(1, |it| it.line), "COMMIT".to_owned()),
        };
        Place {
            revision: self.id().to_string(),
            direction: self.step.direction,
            path: self.path.to_path_buf(),
            line,
            statement: text,
        }
    }

    fn entry(&self, segment: usize, statement: Option<usize>) -> LogEntry<'_> {
        LogEntry {
            revision: self.id().as_str(),
            direction: word(self.step.direction),
            segment: segment + 1,
            segments: self.n_segments(),
            statement,
            checksum: &self.checksum,
        }
    }

    /// Where the database stands when segment `segment` was rolled back.
    fn state_rolled_back(&self, segment: usize) -> String {
        let id = self.id();
        match (segment, self.step.direction) {
            (0, Direction::Downgrade) => format!("the database is as before the downgrade of revision {id}"),
            (0, Direction::Upgrade | Direction::Stamp) => format!("the database is as before revision {id}"),
            (n_done, _) => format!(
                "segment {} of {} is rolled back, what is before it stays committed ({}); run the same command again to \
                 go on there",
                n_done + 1,
                self.n_segments(),
                segments(n_done)
            ),
        }
    }

    /// Where the database stands when statement `statement` of a segment outside a transaction failed.
    fn state_stopped(&self, segment: usize, statement: usize) -> String {
        if segment == 0 && statement == 0 {
            return format!(
                "it runs outside a transaction: nothing before it was run, so but for traces of its own the database is \
                 as before revision {}",
                self.id()
            );
        }
        let mut done = Vec::new();
        if segment > 0 {
            done.push(segments(segment));
        }
        if statement > 0 {
            done.push(format!("the first {statement} statements of segment {}", segment + 1));
        }
        format!("{} stay in force; run the same command again to go on at this statement", done.join(" and "))
    }

    /// Refuses statements that begin or end a transaction, before anything is run.
    pub(crate) fn check_control(&self) -> Result<(), RunnerError> {
        for (segment, it) in self.segments.iter().enumerate() {
            if let Some(at) = it.statements.iter().position(|it| controls_transaction(&it.sql)) {
                return Err(RunnerError::Control { place: self.place(segment, at) });
            }
        }
        Ok(())
    }
}

fn segments(n: usize) -> String {
    if n == 1 { "segment 1".to_owned() } else { format!("segments 1 to {n}") }
}

fn shown(sql: &str) -> String {
    let line = one_line(sql);
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// Whether a statement begins or ends a transaction; savepoints do neither.
fn controls_transaction(sql: &str) -> bool {
    let words: Vec<_> = words(sql).take(3).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["begin" | "commit" | "end" | "abort", ..] | ["start" | "prepare", "transaction", ..] => true,
        ["rollback", second, third] => !(*second == "to" || *third == "to"),
        ["rollback", second] => *second != "to",
        ["rollback"] => true,
        _ => false,
    }
}

/// The words of a statement in lower case.
fn words(sql: &str) -> impl Iterator<Item = String> {
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|it| !it.is_empty()).map(str::to_ascii_lowercase)
}

impl Runner {
    /// Runs one revision, from its first segment or from where an earlier run stopped.
    pub(crate) async fn apply(
        &mut self,
        work: &Work<'_>,
        resume: Option<Resume>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        work.check_control()?;
        let first = resume.as_ref().map_or(0, |it| it.half_done.segment - 1);
        for segment in first..work.n_segments() {
            if work.segments.get(segment).is_none_or(|it| it.transaction) {
                self.in_transaction(work, segment, progress).await?;
            } else {
                let resume = resume.as_ref().filter(|it| segment == first && !it.finished);
                self.outside(work, segment, resume, progress).await?;
            }
        }
        self.session.restore().await
    }

    /// Runs a segment in a transaction, again and again while a lock is not to be had.
    async fn in_transaction(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        let most = self.options.lock_tries.max(1);
        let mut tries = 1;
        loop {
            let (statement, error) = match self.attempt(work, segment).await {
                Ok(()) => {
                    self.missing.clear();
                    return Ok(());
                }
                Err(Stop::Own(error)) => {
                    // A connection that is gone rolls back by itself.
                    let _ = self.session.execute("ROLLBACK").await;
                    return Err(error);
                }
                Err(Stop::Statement(statement, error)) => (statement, error),
            };
            let _ = self.session.execute("ROLLBACK").await;
            let locked = ServerError::of(&error).is_some_and(|it| it.code == LOCK_NOT_AVAILABLE);
            if !locked || tries >= most || self.session.is_cancelled() {
                let state = work.state_rolled_back(segment);
                return Err(self.failure(work.place(segment, statement), state, error, locked.then_some(tries)));
            }
            let pause = self.options.pause(tries, chance());
            progress(Event::Retry { revision: work.id(), tries, most, pause });
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    /// Runs a segment in a transaction once.
    async fn attempt(&mut self, work: &Work<'_>, segment: usize) -> Result<(), Stop> {
        let begin = match self.options.lock_timeout {
            Some(it) => format!("BEGIN; SET LOCAL lock_timeout = {}", millis(it)),
            None => "BEGIN".to_owned(),
        };
        self.session.own("begin a transaction", &begin).await?;
        self.create_missing().await?;
        let statements = work.statements(segment);
        for (at, statement) in statements.iter().enumerate() {
            self.check_cancelled(work, segment, at)?;
            self.session.execute(&statement.sql).await.map_err(|error| Stop::Statement(at, error))?;
        }
        self.check_cancelled(work, segment, statements.len())?;
        let log = self.tables.insert_log(&work.entry(segment, None), true);
        self.session.own(&format!("write the log table {}", self.tables.log), &log).await?;
        if segment + 1 == work.n_segments() {
            self.move_rows(work.step).await?;
        }
        self.session.execute("COMMIT").await.map_err(|error| Stop::Statement(statements.len(), error))?;
        Ok(())
    }

    fn check_cancelled(&self, work: &Work<'_>, segment: usize, statement: usize) -> Result<(), RunnerError> {
        if !self.session.is_cancelled() {
            return Ok(());
        }
        let during = format!("before {}", work.place(segment, statement));
        Err(RunnerError::Cancelled { during, state: work.state_rolled_back(segment) })
    }

    /// Runs a segment outside transactions, statement by statement, each announced in the log before it runs.
    async fn outside(
        &mut self,
        work: &Work<'_>,
        segment: usize,
        resume: Option<&Resume>,
        progress: &mut Progress<'_>,
    ) -> Result<(), RunnerError> {
        self.create_missing().await?;
        self.missing.clear();
        if let Some(it) = self.options.lock_timeout {
            self.session.own("set lock_timeout", &format!("SET lock_timeout = {}", millis(it))).await?;
        }
        let logging = format!("write the log table {}", self.tables.log);
        let first = resume.and_then(|it| it.half_done.statement).map_or(0, |it| it - 1);
        let id = match resume {
            Some(it) => it.id,
            None => {
                let sql = self.tables.insert_log(&work.entry(segment, Some(1)), false);
                let rows = self.session.query(&logging, &sql).await?;
                let row = rows.first().ok_or_else(|| RunnerError::own(&logging, sqlx::Error::RowNotFound))?;
                row.try_get(0).map_err(|error| RunnerError::own(&logging, error))?
            }
        };
        for (at, statement) in work.statements(segment).iter().enumerate().skip(first) {
            if self.session.is_cancelled() {
                let during = format!("before {}", work.place(segment, at));
                return Err(RunnerError::Cancelled { during, state: work.state_stopped(segment, at) });
            }
            let announce = self.tables.update_log_statement(id, at + 1, &work.checksum);
            self.session.own(&logging, &announce).await?;
            let Err(error) = self.session.execute(&statement.sql).await else { continue };
            // A killed run leaves open whether its last statement was done; a failed one does not.
            let open = resume.is_some_and(|it| at == first && it.half_done.error.is_none());
            if open && self.was_done(&statement.sql, &error).await? {
                progress(Event::Warning(format!(
                    "{} was done by the run that was killed; going on after it",
                    work.place(segment, at)
                )));
                continue;
            }
            if lost(&error).is_none() {
                let said = self.tables.update_log_error(id, &one_line(&error.to_string()));
                self.session.own(&logging, &said).await?;
            }
            let locked = ServerError::of(&error).filter(|it| it.code == LOCK_NOT_AVAILABLE).map(|_| 1);
            return Err(self.failure(work.place(segment, at), work.state_stopped(segment, at), error, locked));
        }
        self.session.own("begin a transaction", "BEGIN").await?;
        let finished = self.tables.update_log_finished(id);
        self.session.own(&logging, &finished).await?;
        if segment + 1 == work.n_segments() {
            if let Err(error) = self.move_rows(work.step).await {
                let _ = self.session.execute("ROLLBACK").await;
                return Err(error);
            }
        }
        self.session.own("commit the version rows", "COMMIT").await?;
        self.session.restore().await
    }

    /// Moves the version rows from those before the revision to those after it.
    pub(crate) async fn move_rows(&mut self, step: &Step) -> Result<(), RunnerError> {
        let doing = format!("change the version table {}", self.tables.version);
        for change in self.tables.changes(step) {
            let found = self.session.own(&doing, &change.sql).await?;
            if found != 1 {
                return Err(RunnerError::Rows {
                    table: self.tables.version.clone(),
                    what: change.what,
                    revision: step.revision.to_string(),
                    found,
                });
            }
        }
        Ok(())
    }

    /// Whether a statement that was under way when a run was killed had been done then: creating says that the object
    /// is there, dropping that it is not. An index that was left invalid by `CREATE INDEX CONCURRENTLY` is no such
    /// object: it is dropped here and built anew.
    async fn was_done(&mut self, sql: &str, error: &sqlx::Error) -> Result<bool, RunnerError> {
        let Some(answer) = ServerError::of(error) else { return Ok(false) };
        let first = words(sql).next().unwrap_or_default();
        match answer.code.as_str() {
            // undefined_table, undefined_object.
            "42P01" | "42704" => Ok(first == "drop"),
            // duplicate_table (indexes too), duplicate_object.
            "42P07" | "42710" => match index_name(sql) {
                Some((name, table)) => self.rebuild_if_invalid(&name, &table, sql).await,
                None => Ok(first == "create"),
            },
            _ => Ok(false),
        }
    }

    async fn rebuild_if_invalid(&mut self, name: &str, table: &str, sql: &str) -> Result<bool, RunnerError> {
        let doing = format!("look at the index {name}");
        let query = format!(
            "SELECT i.indisvalid, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = to_regclass({}) AND c.relname = {}",
            limbeck_schema::Literal(table),
            limbeck_schema::Literal(limbeck_schema::Ident::parse(name).unwrap_or_else(|| name.into()).as_str()),
        );
        let rows = self.session.query(&doing, &query).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let valid: bool = row.try_get(0).map_err(|error| RunnerError::own(&doing, error))?;
        if valid {
            return Ok(true);
        }
        let index: String = row.try_get(1).map_err(|error| RunnerError::own(&doing, error))?;
        self.session.own(&format!("drop the invalid index {index}"), &format!("DROP INDEX CONCURRENTLY {index}")).await?;
        self.session.own(&format!("build the index {index} again"), sql).await?;
        Ok(true)
    }

    fn failure(&self, place: Place, state: String, error: sqlx::Error, locked: Option<u32>) -> RunnerError {
        if let Some(reason) = lost(&error) {
            return RunnerError::ConnectionLost { during: format!("during the {place}"), reason };
        }
        if self.session.is_cancelled() && error.as_database_error().is_some_and(is_cancel) {
            return RunnerError::Cancelled { during: format!("during the {place}"), state };
        }
        match (ServerError::of(&error), locked) {
            (Some(answer), Some(tries)) => RunnerError::Locked { place, tries, answer, state },
            (Some(answer), None) => RunnerError::Failed { place, answer, state },
            (None, _) => RunnerError::Driver { doing: format!("run the {place} ({state})"), source: error },
        }
    }
}

/// The name and the table of `CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] name ON [ONLY] table`.
fn index_name(sql: &str) -> Option<(String, String)> {
    let lower = sql.to_ascii_lowercase();
    let head = lower.split_whitespace().take(4).collect::<Vec<_>>();
    if !(head.starts_with(&["create", "index", "concurrently"]) || head.starts_with(&["create", "unique", "index", "concurrently"])) {
        return None;
    }
    let after = lower.find("concurrently")? + "concurrently".len();
    let rest = skip_word(sql.get(after..)?.trim_start(), "if not exists");
    let (name, rest) = quoted_end(rest).map(|end| rest.split_at(end))?;
    let rest = skip_word(skip_word(rest.trim_start(), "on"), "only");
    let end = quoted_end(rest)?;
    Some((name.to_owned(), rest[..end].to_owned()))
}

fn skip_word<'a>(text: &'a str, word: &str) -> &'a str {
    match text.get(..word.len()) {
        Some(head) if head.eq_ignore_ascii_case(word) => text[word.len()..].trim_start(),
        _ => text,
    }
}

/// Where a possibly quoted and qualified name ends.
fn quoted_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        if *c == '"' {
            quoted = !quoted;
        }
        !quoted && (c.is_whitespace() || *c == '(')
    });
    end.map(|(at, _)| at).filter(|at| *at > 0)
}

fn millis(it: Duration) -> u128 {
    it.as_millis()
}

/// A number between 0 and 1 that two processes rarely share.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_is_told_from_savepoints_and_functions() {
        for sql in ["BEGIN", "commit and chain", "END", "ROLLBACK", "rollback work", "START TRANSACTION READ ONLY", "ABORT"] {
            assert!(controls_transaction(sql), "{sql}");
        }
        for sql in ["ROLLBACK TO a", "rollback to savepoint a", "ROLLBACK WORK TO a", "SAVEPOINT a", "PREPARE a AS SELECT 1"] {
            assert!(!controls_transaction(sql), "{sql}");
        }
    }

    #[test]
    fn a_concurrent_index_gives_its_name_and_table() {
        let check = |sql, name: &str, table: &str| {
            assert_eq!(index_name(sql), Some((name.to_owned(), table.to_owned())), "{sql}");
        };
        check("CREATE INDEX CONCURRENTLY ix ON account (email)", "ix", "account");
        check("create unique index concurrently if not exists \"I x\"\nON ONLY s.\"T t\"(a)", "\"I x\"", "s.\"T t\"");
        assert_eq!(index_name("CREATE INDEX ix ON account (email)"), None);
    }

    #[test]
    fn long_statements_are_shown_cut_and_on_one_line() {
        assert_eq!(shown("SELECT\n  1"), "SELECT 1");
        let long = shown(&format!("SELECT {}", "ß".repeat(100)));
        assert!(long.ends_with('…') && long.chars().count() == SHOWN_CHARS + 1, "{long}");
    }
}
