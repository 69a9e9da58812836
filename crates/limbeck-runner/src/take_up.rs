//! Going on after a kill: what becomes of the statement that was under way.

use limbeck_schema::{Ident, Literal};
use sqlx::Row;

use crate::error::{RunnerError, ServerError};
use crate::runner::Runner;
use crate::work::words;

impl Runner {
    /// Whether a statement that was under way when a run was killed had been done then: creating says that the object
    /// is there, dropping that it is not. An index that was left invalid by `CREATE INDEX CONCURRENTLY` is no such
    /// object: it is dropped here and built anew.
    pub(crate) async fn was_done(
        &mut self,
        sql: &str,
        error: &sqlx::Error,
    ) -> Result<bool, RunnerError> {
        let Some(answer) = ServerError::of(error) else {
            return Ok(false);
        };
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

    async fn rebuild_if_invalid(
        &mut self,
        name: &str,
        table: &str,
        sql: &str,
    ) -> Result<bool, RunnerError> {
        let doing = format!("look at the index {name}");
        let query = format!(
            "SELECT i.indisvalid, i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = to_regclass({}) AND c.relname = {}",
            Literal(table),
            Literal(Ident::parse(name).unwrap_or_else(|| name.into()).as_str()),
        );
        let rows = self.session.query(&doing, &query).await?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        let valid: bool = row
            .try_get(0)
            .map_err(|error| RunnerError::own(&doing, error))?;
        if valid {
            return Ok(true);
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
        self.session
            .own(&format!("build the index {index} again"), sql)
            .await?;
        Ok(true)
    }
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
        assert_eq!(index_name("CREATE INDEX ix ON account (email)"), None);
    }
}
