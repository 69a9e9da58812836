//! Going on after a kill or a failure outside transactions: what becomes of the statement that was under way.

use limbeck_schema::{Ident, Literal, own_sql};
use sqlx::Row;

use crate::error::{RunnerError, ServerError};
use crate::runner::Runner;
use crate::work::words;

/// What is known of an earlier try of a statement outside a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// There was none.
    Nothing,
    /// The server refused it.
    Failed,
    /// The run was killed, so it may have been done or not.
    Killed,
}

impl Before {
    /// What is known after one more try that failed.
    pub(crate) fn and_failed(self) -> Self {
        match self {
            Self::Nothing | Self::Failed => Self::Failed,
            Self::Killed => Self::Killed,
        }
    }
}

/// What an earlier try has to do with how a statement ended now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TakeUp {
    /// Nothing.
    Not,
    /// The earlier try had done it.
    Done,
    /// The earlier try had left an invalid index, which is dropped now.
    Again {
        /// The index.
        index: String,
    },
}

/// Whether a statement outside a transaction that got no lock can be run again: not if it commits on its way, as
/// procedures do, and not if it leaves behind what it did that far. An index that `CREATE INDEX CONCURRENTLY` leaves
/// invalid is known by its name.
pub(crate) fn is_repeatable(sql: &str) -> bool {
    let words: Vec<_> = words(sql).collect();
    match words.first().map(String::as_str) {
        Some("call" | "do") => false,
        _ if !words.iter().any(|it| it == "concurrently") => true,
        Some("drop" | "refresh") => true,
        Some("create") => index_name(sql).is_some(),
        _ => false,
    }
}

impl Runner {
    /// What an earlier try has to do with the end of a statement: where creating says that the object is there, or
    /// dropping that it is not, a run that was killed had done it. An index that is there but invalid was left by `CREATE
    /// INDEX CONCURRENTLY`; nobody builds it now, since then the statement would have waited for the lock of its table.
    pub(crate) async fn take_up(
        &mut self,
        sql: &str,
        done: &Result<u64, sqlx::Error>,
        before: Before,
    ) -> Result<TakeUp, RunnerError> {
        if before == Before::Nothing {
            return Ok(TakeUp::Not);
        }
        let code = match done {
            // With IF NOT EXISTS an invalid index is passed over.
            Ok(_) => String::new(),
            Err(error) => match ServerError::of(error) {
                Some(answer) => answer.code,
                None => return Ok(TakeUp::Not),
            },
        };
        let first = words(sql).next().unwrap_or_default();
        let was_done = match (code.as_str(), index_name(sql)) {
            // Success, duplicate_table (indexes too), duplicate_object.
            ("" | "42P07" | "42710", Some((name, table))) => {
                match self.drop_if_invalid(&name, &table).await? {
                    Found::Dropped(index) => return Ok(TakeUp::Again { index }),
                    Found::Valid => done.is_err(),
                    Found::Nothing => false,
                }
            }
            ("42P07" | "42710", None) => first == "create",
            // undefined_table, undefined_object.
            ("42P01" | "42704", _) => first == "drop",
            _ => false,
        };
        Ok(match was_done && before == Before::Killed {
            true => TakeUp::Done,
            false => TakeUp::Not,
        })
    }

    async fn drop_if_invalid(&mut self, name: &str, table: &str) -> Result<Found, RunnerError> {
        let doing = format!("look at the index {name}");
        let query = format!(
            "SELECT i.indisvalid, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE {} AND i.indrelid = to_regclass({}) AND c.relname = {}",
            own_sql::PRINTS,
            Literal(table),
            Literal(Ident::parse(name).unwrap_or_else(|| name.into()).as_str()),
        );
        let rows = self.session.query(&doing, &query).await?;
        let Some(row) = rows.first() else {
            return Ok(Found::Nothing);
        };
        let valid: bool = row
            .try_get(0)
            .map_err(|error| RunnerError::own(&doing, error))?;
        if valid {
            return Ok(Found::Valid);
        }
        let index: String = row
            .try_get(1)
            .map_err(|error| RunnerError::own(&doing, error))?;
        self.session
            .own(
                &format!("drop the invalid index {index}"),
                &format!("DROP INDEX CONCURRENTLY {index}"),
            )
            .await?;
        Ok(Found::Dropped(index))
    }
}

/// The index that a statement is to build.
enum Found {
    Nothing,
    Valid,
    /// It was invalid.
    Dropped(String),
}

/// The name and the table of `CREATE [UNIQUE] INDEX CONCURRENTLY [IF NOT EXISTS] name ON [ONLY] table`.
fn index_name(sql: &str) -> Option<(String, String)> {
    let lower = sql.to_ascii_lowercase();
    let head = lower.split_whitespace().take(4).collect::<Vec<_>>();
    if !(head.starts_with(&["create", "index", "concurrently"])
        || head.starts_with(&["create", "unique", "index", "concurrently"]))
    {
        return None;
    }
    let after = lower.find("concurrently")? + "concurrently".len();
    let rest = skip_word(sql.get(after..)?.trim_start(), "if not exists");
    let (name, rest) = quoted_end(rest).map(|end| rest.split_at(end))?;
    if name.eq_ignore_ascii_case("on") {
        // The server gives the name.
        return None;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrent_index_gives_its_name_and_table() {
        let check = |sql, name: &str, table: &str| {
            assert_eq!(
                index_name(sql),
                Some((name.to_owned(), table.to_owned())),
                "{sql}"
            );
        };
        check(
            "CREATE INDEX CONCURRENTLY ix ON account (email)",
            "ix",
            "account",
        );
        check(
            "create unique index concurrently if not exists \"I x\"\nON ONLY s.\"T t\"(a)",
            "\"I x\"",
            "s.\"T t\"",
        );
        for sql in [
            "CREATE INDEX ix ON account (email)",
            "CREATE INDEX CONCURRENTLY ON account (email)",
        ] {
            assert_eq!(index_name(sql), None);
        }
    }

    #[test]
    fn what_leaves_traces_is_not_run_again() {
        for sql in [
            "CREATE INDEX CONCURRENTLY ix ON account (email)",
            "DROP INDEX CONCURRENTLY ix",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "ALTER TYPE status ADD VALUE 'gone'",
            "VACUUM account",
        ] {
            assert!(is_repeatable(sql), "{sql}");
        }
        for sql in [
            "CREATE INDEX CONCURRENTLY ON account (email)",
            "REINDEX INDEX CONCURRENTLY ix",
            "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
            "call fill()",
            "DO $$ BEGIN COMMIT; END $$",
        ] {
            assert!(!is_repeatable(sql), "{sql}");
        }
    }
}
