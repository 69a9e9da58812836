//! Going on after a kill or a failure outside transactions: the catalog tells what became of the statement that was under
//! way.
//!
//! Before such a statement runs, the log gets what of the catalog it may change. The next run compares. Nobody else
//! works at the same statement meanwhile: a server process whose client is gone holds the lock of the version table
//! until its statement has ended.

use limbeck_schema::Literal;
use limbeck_sql::QualifiedName;

use crate::error::RunnerError;
use crate::runner::Runner;
use crate::session::get;
use crate::statement::Left;

/// What became of a statement that was broken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was done.
    Done,
    /// It was not done, or can be repeated.
    Again,
    /// It had left these indexes invalid, which were dropped: it is to be run again.
    Dropped(Vec<String>),
    /// It was done in part; this statement does the rest.
    Finish(String),
    /// Nothing tells.
    Unknown,
}

/// How an earlier try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The server refused it.
    Failed,
    /// The run was killed.
    Killed,
}

/// The word for a part of the catalog that is not there.
const NONE: &str = "none";

impl Runner {
    /// The part of the catalog that a statement may change, as a text for the log.
    pub(crate) async fn before(&mut self, left: &Left) -> Result<String, RunnerError> {
        const DOING: &str = "look at what the statement is going to change";
        let (what, sql) = match left {
            Left::Nothing | Left::Unknown => return Ok("outside a transaction".to_owned()),
            Left::Index { table, .. } => (
                "indexes",
                format!(
                    "SELECT i.indexrelid::pg_catalog.text FROM pg_catalog.pg_index i \
                     WHERE i.indrelid OPERATOR(pg_catalog.=) {}",
                    regclass(table)
                ),
            ),
            Left::NoIndex { index } => (
                "index",
                format!(
                    "SELECT {}::pg_catalog.oid::pg_catalog.text",
                    regclass(index)
                ),
            ),
            Left::Copies => ("invalid indexes", copies()),
            Left::Partition { table, partition } => (
                "partition",
                format!(
                    "SELECT inhrelid::pg_catalog.oid::pg_catalog.text FROM {}",
                    inherits(table, partition)
                ),
            ),
            Left::Shared {
                catalog,
                column,
                name,
                ..
            } => ("object", named(catalog, column, name)),
            Left::Prepared { gid } => (
                "transaction",
                format!(
                    "SELECT transaction::pg_catalog.text FROM pg_catalog.pg_prepared_xacts \
                     WHERE gid OPERATOR(pg_catalog.=) {}",
                    Literal(gid)
                ),
            ),
            Left::Label { type_name, label } => ("label", labels(type_name, label)),
        };
        let found = self.texts(DOING, &sql).await?;
        Ok(match found.is_empty() {
            true => format!("{what} {NONE}"),
            false => format!("{what} {}", found.join(" ")),
        })
    }

    /// What became of a statement that an earlier run began; `before` is what the log says of the catalog before it.
    pub(crate) async fn fate(
        &mut self,
        left: &Left,
        before: Option<&str>,
        earlier: Earlier,
    ) -> Result<Fate, RunnerError> {
        let known = before.map(|it| {
            let oids = it.split_whitespace().skip(1);
            oids.filter(|it| it.bytes().all(|it| it.is_ascii_digit()))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        match left {
            Left::Nothing => Ok(Fate::Again),
            Left::Unknown => Ok(Fate::Unknown),
            Left::Index { name, table } => {
                self.fate_of_index(name.as_deref(), table, known.as_deref(), earlier)
                    .await
            }
            Left::Copies => {
                let found = self.texts("look for invalid indexes", &copies()).await?;
                let known = known.unwrap_or_default();
                let new = found.into_iter().filter(|it| !known.contains(it));
                self.drop_indexes(new.collect()).await
            }
            Left::Partition { table, partition } => {
                let sql = format!(
                    "SELECT (pg_catalog.to_jsonb(i) OPERATOR(pg_catalog.->>) 'inhdetachpending') FROM {}",
                    inherits(table, partition)
                );
                let found = self.texts("look at the partition", &sql).await?;
                Ok(match found.first().map(String::as_str) {
                    Some("true") => Fate::Finish(format!(
                        "ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE"
                    )),
                    Some(_) => Fate::Again,
                    None => gone(known.as_deref(), earlier),
                })
            }
            Left::NoIndex { index } => {
                let sql = format!(
                    "SELECT {}::pg_catalog.oid::pg_catalog.text",
                    regclass(index)
                );
                self.fate_of_drop(&sql, known.as_deref(), earlier).await
            }
            Left::Prepared { .. } => {
                let sql = self.before(left).await?;
                Ok(match sql.ends_with(NONE) {
                    true => gone(known.as_deref(), earlier),
                    false => Fate::Again,
                })
            }
            Left::Shared {
                catalog,
                column,
                name,
                is_created,
            } => {
                let sql = named(catalog, column, name);
                match is_created {
                    true => self.fate_of_create(&sql, known.as_deref(), earlier).await,
                    false => self.fate_of_drop(&sql, known.as_deref(), earlier).await,
                }
            }
            Left::Label { type_name, label } => {
                let sql = labels(type_name, label);
                self.fate_of_create(&sql, known.as_deref(), earlier).await
            }
        }
    }

    /// The fate of a statement that creates what a query finds.
    async fn fate_of_create(
        &mut self,
        sql: &str,
        known: Option<&[String]>,
        earlier: Earlier,
    ) -> Result<Fate, RunnerError> {
        let found = self.texts("look for what was to be created", sql).await?;
        let is_new = |it: &String| known.is_none_or(|known| !known.contains(it));
        Ok(
            match found.iter().any(is_new) && earlier == Earlier::Killed {
                true => Fate::Done,
                false => Fate::Again,
            },
        )
    }

    /// The fate of a statement that drops what a query finds.
    async fn fate_of_drop(
        &mut self,
        sql: &str,
        known: Option<&[String]>,
        earlier: Earlier,
    ) -> Result<Fate, RunnerError> {
        let found = self.texts("look for what was to be dropped", sql).await?;
        let stays = found
            .iter()
            .any(|it| known.is_none_or(|known| known.contains(it)));
        Ok(match stays {
            true => Fate::Again,
            false => gone(known, earlier),
        })
    }

    async fn fate_of_index(
        &mut self,
        name: Option<&str>,
        table: &QualifiedName,
        known: Option<&[String]>,
        earlier: Earlier,
    ) -> Result<Fate, RunnerError> {
        const DOING: &str = "look at the index";
        let by_name = name.map_or_else(String::new, |it| {
            format!(
                " AND c.relname OPERATOR(pg_catalog.=) {}::pg_catalog.name",
                Literal(it)
            )
        });
        let sql = format!(
            "SELECT i.indexrelid::pg_catalog.text, i.indisvalid FROM pg_catalog.pg_index i \
             JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
             WHERE i.indrelid OPERATOR(pg_catalog.=) {}{by_name}",
            regclass(table)
        );
        let (mut valid, mut invalid) = (Vec::new(), Vec::new());
        for row in self.session.query_as_it_is(DOING, &sql).await? {
            let oid: String = get(DOING, &row, 0)?;
            if known.is_some_and(|known| known.contains(&oid)) {
                continue;
            }
            match get(DOING, &row, 1)? {
                true => valid.push(oid),
                false => invalid.push(oid),
            }
        }
        if name.is_none() && (known.is_none() || valid.len() + invalid.len() > 1) {
            // Which of the table's indexes the statement was about cannot be told.
            return Ok(match (earlier, valid.is_empty() && invalid.is_empty()) {
                (Earlier::Failed, _) | (_, true) => Fate::Again,
                (Earlier::Killed, false) => Fate::Unknown,
            });
        }
        if !invalid.is_empty() {
            return self.drop_indexes(invalid).await;
        }
        Ok(match !valid.is_empty() && earlier == Earlier::Killed {
            true => Fate::Done,
            false => Fate::Again,
        })
    }

    /// Drops invalid indexes by their oids.
    async fn drop_indexes(&mut self, oids: Vec<String>) -> Result<Fate, RunnerError> {
        if oids.is_empty() {
            return Ok(Fate::Again);
        }
        let sql = format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             WHERE c.oid OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog.oid[])",
            oids.join(",")
        );
        let names = self.texts("name the invalid indexes", &sql).await?;
        for name in &names {
            self.session
                .own(
                    &format!("drop the invalid index {name}"),
                    &format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"),
                )
                .await?;
        }
        Ok(Fate::Dropped(names))
    }

    /// The first column of a query, without NULLs.
    async fn texts(&mut self, doing: &str, sql: &str) -> Result<Vec<String>, RunnerError> {
        let rows = self.session.query_as_it_is(doing, sql).await?;
        let texts = rows.iter().map(|row| get::<Option<String>>(doing, row, 0));
        texts.filter_map(Result::transpose).collect()
    }
}

/// The fate of a statement that removes what is not there now.
fn gone(known: Option<&[String]>, earlier: Earlier) -> Fate {
    // What was not there before it either made the statement fail.
    let was_there = known.is_none_or(|it| !it.is_empty());
    match was_there && earlier == Earlier::Killed {
        true => Fate::Done,
        false => Fate::Again,
    }
}

/// The relation that a name leads to on the search path; NULL if there is none.
fn regclass(name: &QualifiedName) -> String {
    format!("pg_catalog.to_regclass({})", Literal(&name.to_string()))
}

fn inherits(table: &QualifiedName, partition: &QualifiedName) -> String {
    format!(
        "pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) {} \
         AND i.inhrelid OPERATOR(pg_catalog.=) {}",
        regclass(table),
        regclass(partition)
    )
}

/// The indexes that a broken-off `REINDEX CONCURRENTLY` left invalid (documentation, page "REINDEX", "Rebuilding Indexes
/// Concurrently"), but for those that some session is building now.
fn copies() -> String {
    "SELECT i.indexrelid::pg_catalog.text FROM pg_catalog.pg_index i \
     JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
     WHERE NOT i.indisvalid AND c.relname OPERATOR(pg_catalog.~) '_cc(new|old)[0-9]*$' \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p \
     WHERE p.index_relid OPERATOR(pg_catalog.=) i.indexrelid)"
        .to_owned()
}

fn named(catalog: &str, column: &str, name: &str) -> String {
    format!(
        "SELECT oid::pg_catalog.text FROM pg_catalog.{catalog} \
         WHERE {column} OPERATOR(pg_catalog.=) {}::pg_catalog.name",
        Literal(name)
    )
}

fn labels(type_name: &QualifiedName, label: &str) -> String {
    format!(
        "SELECT e.oid::pg_catalog.text FROM pg_catalog.pg_enum e \
         WHERE e.enumtypid OPERATOR(pg_catalog.=) pg_catalog.to_regtype({}) \
         AND e.enumlabel OPERATOR(pg_catalog.=) {}::pg_catalog.name",
        Literal(&type_name.to_string()),
        Literal(label)
    )
}
