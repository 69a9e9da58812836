//! How a statement of a segment outside transactions is run, and what a try of it that is broken off may leave behind.

use limbeck_sql::{Cursor, Head, Modifier, QualifiedName, Token, Transaction, significant};

/// How a statement of a segment outside transactions is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It changes the session alone. A run that goes on further down repeats it first.
    Session,
    /// It begins a transaction that a later statement of the segment ends.
    Begin,
    /// In a transaction with its row of the log; or outside of one, if the server says that it cannot run in one.
    Together,
    /// Outside of transactions, as is known before the server is asked.
    Outside,
}

/// What a statement that runs outside a transaction may have left when its run was broken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing that would be in the way of running it again, and running it twice does what running it once does.
    Nothing,
    /// `CREATE INDEX CONCURRENTLY`: the index, valid or not.
    Index {
        /// Its name, if the statement gives one.
        name: Option<String>,
        table: QualifiedName,
    },
    /// `DROP INDEX CONCURRENTLY`: no index, or an invalid one.
    NoIndex { index: QualifiedName },
    /// `REINDEX CONCURRENTLY`: invalid indexes beside those that were to be rebuilt.
    Copies,
    /// `DETACH PARTITION … CONCURRENTLY`: a partition that is detached, or about to be.
    Partition {
        table: QualifiedName,
        partition: QualifiedName,
    },
    /// A database, a tablespace or a subscription that is there or gone.
    Shared {
        /// The table of the catalog, its column for the name, and the name.
        catalog: &'static str,
        column: &'static str,
        name: String,
        is_created: bool,
    },
    /// `COMMIT PREPARED`, `ROLLBACK PREPARED`: no such prepared transaction any more.
    Prepared { gid: String },
    /// `ALTER TYPE … ADD VALUE`: the label. Only Limbeck 0.1 ran it outside a transaction.
    Label {
        type_name: QualifiedName,
        label: String,
    },
    /// Anything, or a part of it.
    Unknown,
}

impl Left {
    /// Whether a statement that got no lock can be tried again by itself.
    pub(crate) fn is_repeatable(&self) -> bool {
        *self != Self::Unknown
    }
}

/// How `sql`, one statement, is run outside transactions.
pub(crate) fn manner(sql: &str) -> Manner {
    let Some(head) = Head::of(sql) else {
        return Manner::Together;
    };
    match head.transaction() {
        Some(Transaction::Begin) => return Manner::Begin,
        Some(Transaction::CommitPrepared | Transaction::RollbackPrepared) => {
            return Manner::Outside;
        }
        _ => {}
    }
    match head.verb.as_str() {
        "SET" | "RESET" | "SHOW" | "DISCARD" | "LISTEN" | "UNLISTEN" | "PREPARE" | "DEALLOCATE"
        | "LOAD" | "CLOSE" => Manner::Session,
        "SELECT" if head.tokens().iter().any(|it| it.is_word("set_config")) => Manner::Session,
        "VACUUM" => Manner::Outside,
        "DO" if commits(head.tokens()) => Manner::Outside,
        _ if head.has(Modifier::Concurrently) && head.verb != "REFRESH" => Manner::Outside,
        _ => match left(sql) {
            Left::Partition { .. } | Left::Shared { .. } => Manner::Outside,
            _ if head.is("ALTER", "SYSTEM") => Manner::Outside,
            _ if head.verb == "REINDEX" => match head.object {
                Some("SCHEMA" | "DATABASE" | "SYSTEM") => Manner::Outside,
                _ => Manner::Together,
            },
            _ => Manner::Together,
        },
    }
}

/// What a broken-off try of `sql` outside a transaction may have left.
pub(crate) fn left(sql: &str) -> Left {
    let tokens: Vec<_> = significant(sql).collect();
    let mut cursor = Cursor::new(&tokens);
    if cursor.take("CREATE") {
        return created(cursor);
    }
    if cursor.take("DROP INDEX CONCURRENTLY") {
        cursor.take("IF EXISTS");
        return match cursor.name() {
            Some(index) => Left::NoIndex { index },
            None => Left::Unknown,
        };
    }
    if cursor.take("DROP") {
        return shared(cursor, false);
    }
    if cursor.take("REINDEX") {
        return Left::Copies;
    }
    if cursor.take("ALTER TABLE") {
        return partition(cursor);
    }
    if cursor.take("ALTER TYPE") {
        return label(cursor);
    }
    if cursor.take("COMMIT PREPARED") || cursor.take("ROLLBACK PREPARED") {
        return match cursor.string() {
            Some(gid) => Left::Prepared { gid },
            None => Left::Unknown,
        };
    }
    let repeats = [
        "VACUUM",
        "ANALYZE",
        "ANALYSE",
        "CLUSTER",
        "REFRESH",
        "ALTER SYSTEM",
        "CHECKPOINT",
        "DISCARD",
    ];
    match repeats.iter().any(|it| cursor.is_at(it)) {
        true => Left::Nothing,
        false => Left::Unknown,
    }
}

fn created(mut cursor: Cursor<'_, '_>) -> Left {
    let mut index = cursor;
    index.take("UNIQUE");
    if !index.take("INDEX CONCURRENTLY") {
        return shared(cursor, true);
    }
    cursor = index;
    cursor.take("IF NOT EXISTS");
    let name = cursor.ident();
    let is_on = cursor.take("ON");
    cursor.take("ONLY");
    match cursor.name().filter(|_| is_on) {
        Some(table) => Left::Index { name, table },
        None => Left::Unknown,
    }
}

fn shared(mut cursor: Cursor<'_, '_>, is_created: bool) -> Left {
    let catalogs = [
        ("DATABASE", "pg_database", "datname"),
        ("TABLESPACE", "pg_tablespace", "spcname"),
        ("SUBSCRIPTION", "pg_subscription", "subname"),
    ];
    let Some((_, catalog, column)) = catalogs.into_iter().find(|(kind, ..)| cursor.take(kind))
    else {
        return Left::Unknown;
    };
    cursor.take("IF EXISTS");
    match cursor.ident() {
        Some(name) => Left::Shared {
            catalog,
            column,
            name,
            is_created,
        },
        None => Left::Unknown,
    }
}

fn partition(mut cursor: Cursor<'_, '_>) -> Left {
    cursor.take("IF EXISTS");
    cursor.take("ONLY");
    let table = cursor.name();
    cursor.take_mark("*");
    if !cursor.take("DETACH PARTITION") {
        return Left::Unknown;
    }
    match (table, cursor.name()) {
        (Some(table), Some(partition)) if cursor.is_at("CONCURRENTLY") => {
            Left::Partition { table, partition }
        }
        _ => Left::Unknown,
    }
}

fn label(mut cursor: Cursor<'_, '_>) -> Left {
    let type_name = cursor.name();
    if !cursor.take("ADD VALUE") {
        return Left::Unknown;
    }
    cursor.take("IF NOT EXISTS");
    match (type_name, cursor.string()) {
        (Some(type_name), Some(label)) => Left::Label { type_name, label },
        _ => Left::Unknown,
    }
}

/// Whether the body of a `DO` says `COMMIT` or `ROLLBACK`.
fn commits(tokens: &[Token<'_>]) -> bool {
    tokens
        .iter()
        .filter_map(Token::value)
        .any(|body| significant(&body).any(|it| it.is_word("COMMIT") || it.is_word("ROLLBACK")))
}

/// Whether `sql` lasts as long as the session: a setting that is not the transaction's alone, a prepared statement, a
/// channel.
pub(crate) fn lasts(sql: &str) -> bool {
    let Some(head) = Head::of(sql) else {
        return false;
    };
    let of_transaction =
        head.has(Modifier::Local) || matches!(head.object, Some("TRANSACTION" | "CONSTRAINTS"));
    manner(sql) == Manner::Session
        && !of_transaction
        && !matches!(head.verb.as_str(), "SHOW" | "DISCARD" | "CLOSE")
}

/// Whether `sql` creates a temporary object.
pub(crate) fn is_temporary(sql: &str) -> bool {
    Head::of(sql).is_some_and(|it| it.verb == "CREATE" && it.has(Modifier::Temporary))
}

/// Whether a transaction that `sql` begins, or whose characteristics it sets, can write nothing.
pub(crate) fn is_read_only(sql: &str) -> bool {
    let tokens: Vec<_> = significant(sql).collect();
    let begins = Head::of(sql).is_some_and(|it| {
        it.transaction() == Some(Transaction::Begin) || it.object == Some("TRANSACTION")
    });
    begins
        && tokens
            .windows(2)
            .any(|it| it[0].is_word("READ") && it[1].is_word("ONLY"))
}

/// Whether `sql` ends a transaction and begins another one at once.
pub(crate) fn chains(sql: &str) -> bool {
    let tokens: Vec<_> = significant(sql).collect();
    tokens
        .windows(2)
        .any(|it| it[0].is_word("AND") && it[1].is_word("CHAIN"))
}

/// How `sql` controls transactions, if it does.
pub(crate) fn control(sql: &str) -> Option<Transaction> {
    Head::of(sql)?.transaction()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[&str]) -> QualifiedName {
        QualifiedName {
            parts: parts.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check(sql: &str, expected: Manner, expected_left: Left) {
        assert_eq!((manner(sql), left(sql)), (expected, expected_left), "{sql}");
    }

    #[test]
    fn an_index_is_known_however_its_statement_is_written() {
        for (sql, index, table) in [
            (
                "CREATE INDEX CONCURRENTLY ix ON account (email)",
                Some("ix"),
                name(&["account"]),
            ),
            (
                "create /* big */ unique index\n-- now\nconcurrently if  not exists \"I x\"\nON ONLY s.\"T t\"(a)",
                Some("I x"),
                name(&["s", "T t"]),
            ),
            (
                "CREATE INDEX CONCURRENTLY ON account (email)",
                None,
                name(&["account"]),
            ),
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS/**/IX ON Account(a)",
                Some("ix"),
                name(&["account"]),
            ),
        ] {
            let left = Left::Index {
                name: index.map(str::to_owned),
                table,
            };
            check(sql, Manner::Outside, left);
        }
        check(
            "CREATE INDEX ix ON account (email)",
            Manner::Together,
            Left::Unknown,
        );
    }

    #[test]
    fn statements_that_leave_traces_are_told_from_those_that_cannot_be_repeated() {
        check(
            "DROP INDEX CONCURRENTLY IF EXISTS s.ix",
            Manner::Outside,
            Left::NoIndex {
                index: name(&["s", "ix"]),
            },
        );
        check(
            "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
            Manner::Outside,
            Left::Copies,
        );
        check(
            "REINDEX INDEX /* x */ CONCURRENTLY ix",
            Manner::Outside,
            Left::Copies,
        );
        check("REINDEX TABLE t", Manner::Together, Left::Copies);
        check(
            "ALTER TABLE IF EXISTS ONLY \"A\".t DETACH PARTITION t1 /* x */ CONCURRENTLY",
            Manner::Outside,
            Left::Partition {
                table: name(&["A", "t"]),
                partition: name(&["t1"]),
            },
        );
        check(
            "ALTER TABLE t DETACH PARTITION t1 FINALIZE",
            Manner::Together,
            Left::Unknown,
        );
        check(
            "ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'it''s' BEFORE 'a'",
            Manner::Together,
            Left::Label {
                type_name: name(&["s", "mood"]),
                label: "it's".into(),
            },
        );
        check(
            "CREATE DATABASE \"D\"",
            Manner::Outside,
            Left::Shared {
                catalog: "pg_database",
                column: "datname",
                name: "D".into(),
                is_created: true,
            },
        );
        check("VACUUM (FULL) t", Manner::Outside, Left::Nothing);
        check("CALL p()", Manner::Together, Left::Unknown);
        check("DO $$ BEGIN COMMIT; END $$", Manner::Outside, Left::Unknown);
        check(
            "DO $$ BEGIN PERFORM 1; END $$",
            Manner::Together,
            Left::Unknown,
        );
        check(
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            Manner::Together,
            Left::Nothing,
        );
        check(
            "UPDATE t SET concurrently = 1",
            Manner::Together,
            Left::Unknown,
        );
        check(
            "COMMIT PREPARED 'x'",
            Manner::Outside,
            Left::Prepared { gid: "x".into() },
        );
        check(
            "/* x */ SET search_path = a",
            Manner::Session,
            Left::Unknown,
        );
        check(
            "SELECT pg_catalog.set_config('search_path', '', false)",
            Manner::Session,
            Left::Unknown,
        );
    }
}
