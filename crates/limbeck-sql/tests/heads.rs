//! Heads of statements, however they are spaced and commented.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use limbeck_sql::{Head, Modifier, Transaction};

/// Compares verb and object, modifiers, names and the first word behind with `expect`.
#[track_caller]
fn check(sql: &str, expect: (&str, &[Modifier], &[&str], &str)) {
    let head = Head::of(sql).expect("there is a token");
    let what = match head.object {
        Some(object) => format!("{} {object}", head.verb),
        None => head.verb.clone(),
    };
    let names: Vec<_> = head.names.iter().map(|it| it.parts.join(".")).collect();
    let modifiers: Vec<_> = head.modifiers.iter().copied().collect();
    let next = head.rest().peek().map_or("", |it| it.text);
    let (e_what, e_modifiers, e_names, e_next) = expect;
    assert_eq!(
        (what.as_str(), modifiers.as_slice(), next),
        (e_what, e_modifiers, e_next),
        "of {sql:?}"
    );
    assert_eq!(names, e_names, "of {sql:?}");
}

use Modifier::{
    Concurrently, Constraint, IfExists, IfNotExists, Local, Only, OrReplace, Session, Temporary,
    Unique,
};

#[test]
fn comments_and_spacing_hide_nothing() {
    check(
        "DROP /* x */ DATABASE other",
        ("DROP DATABASE", &[], &["other"], ""),
    );
    check(
        "DROP/**/DATABASE/**/other",
        ("DROP DATABASE", &[], &["other"], ""),
    );
    check(
        "ALTER -- x\nSYSTEM SET a = 1",
        ("ALTER SYSTEM", &[], &[], "SET"),
    );
    check(
        "-- a\rALTER -- DATABASE\rSYSTEM RESET ALL",
        ("ALTER SYSTEM", &[], &[], "RESET"),
    );
    check(
        "CREATE INDEX /* big */ CONCURRENTLY IF NOT  EXISTS ix ON t (a)",
        ("CREATE INDEX", &[Concurrently, IfNotExists], &["ix"], "ON"),
    );
    check(
        "create\tunique\nindex concurrently s_x on only s.\"T t\" (a)",
        ("CREATE INDEX", &[Unique, Concurrently], &["s_x"], "on"),
    );
    check(
        "ALTER TYPE a.b ADD VALUE IF NOT EXISTS 'x'",
        ("ALTER TYPE", &[], &["a.b"], "ADD"),
    );
    check(
        "ALTER /* a */ TYPE -- b\n a /**/ . /**/ b\nADD VALUE 'x'",
        ("ALTER TYPE", &[], &["a.b"], "ADD"),
    );
    check(
        "SET /*x*/ LOCAL ROLE bob",
        ("SET ROLE", &[Local], &[], "bob"),
    );
}

#[test]
fn kinds_of_objects_and_names_are_read() {
    check(
        "CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int",
        ("CREATE FUNCTION", &[OrReplace], &["s.f"], "("),
    );
    check(
        "DROP FUNCTION IF EXISTS f(int), g (text, int) CASCADE",
        ("DROP FUNCTION", &[IfExists], &["f", "g"], "CASCADE"),
    );
    check(
        "CREATE GLOBAL TEMPORARY TABLE IF NOT EXISTS \"A b\" (a int)",
        ("CREATE TABLE", &[Temporary, IfNotExists], &["A b"], "("),
    );
    check(
        "ALTER TABLE IF EXISTS ONLY a.b * DETACH PARTITION c CONCURRENTLY",
        ("ALTER TABLE", &[IfExists, Only], &["a.b"], "DETACH"),
    );
    check(
        "ALTER FOREIGN DATA WRAPPER w OPTIONS ()",
        ("ALTER FOREIGN DATA WRAPPER", &[], &["w"], "OPTIONS"),
    );
    check(
        "CREATE USER MAPPING IF NOT EXISTS FOR bob SERVER s",
        ("CREATE USER MAPPING", &[IfNotExists], &[], "FOR"),
    );
    check(
        "CREATE USER bob SUPERUSER",
        ("CREATE USER", &[], &["bob"], "SUPERUSER"),
    );
    check("ALTER USER ALL SET a = 1", ("ALTER USER", &[], &[], "ALL"));
    check("CREATE INDEX ON t (a)", ("CREATE INDEX", &[], &[], "ON"));
    check(
        "CREATE SCHEMA AUTHORIZATION bob",
        ("CREATE SCHEMA", &[], &[], "AUTHORIZATION"),
    );
    check(
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a.b",
        ("CREATE TRIGGER", &[Constraint], &["t"], "AFTER"),
    );
}

#[test]
fn lists_of_names_and_names_of_every_form_are_read() {
    check("DROP TABLE if", ("DROP TABLE", &[], &["if"], ""));
    check(
        "DROP TABLE IF EXISTS a, b . c",
        ("DROP TABLE", &[IfExists], &["a", "b.c"], ""),
    );
    check(
        "DROP OWNED BY bob, eve",
        ("DROP OWNED", &[], &["bob", "eve"], ""),
    );
    check(
        "REASSIGN OWNED BY bob TO eve",
        ("REASSIGN OWNED", &[], &["bob"], "TO"),
    );
    check(
        "CREATE OPERATOR s.@@ (FUNCTION = f)",
        ("CREATE OPERATOR", &[], &["s.@@"], "("),
    );
    check(
        "COMMENT ON DATABASE d IS 'x'",
        ("COMMENT DATABASE", &[], &["d"], "IS"),
    );
    check(
        "COMMENT ON /*x*/ CONSTRAINT c ON t IS 'x'",
        ("COMMENT CONSTRAINT", &[], &["c"], "ON"),
    );
    check(
        "SECURITY LABEL FOR p ON ROLE r IS 'x'",
        ("SECURITY ROLE", &[], &["r"], "IS"),
    );
    check(
        "CREATE TEXT SEARCH DICTIONARY d (a = b)",
        ("CREATE TEXT SEARCH DICTIONARY", &[], &["d"], "("),
    );
    check(
        "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
        ("IMPORT FOREIGN SCHEMA", &[], &["a"], "FROM"),
    );
    check(
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        ("REFRESH MATERIALIZED VIEW", &[Concurrently], &["v"], ""),
    );
    check(
        "REINDEX (VERBOSE, CONCURRENTLY) INDEX s.ix",
        ("REINDEX INDEX", &[Concurrently], &["s.ix"], ""),
    );
    check(
        "REINDEX (CONCURRENTLY off) TABLE t",
        ("REINDEX TABLE", &[], &["t"], ""),
    );
    check(
        "REINDEX TABLE CONCURRENTLY t",
        ("REINDEX TABLE", &[Concurrently], &["t"], ""),
    );
    check(
        "CREATE TABLE U&\"d!0061\" UESCAPE '!' (a int)",
        ("CREATE TABLE", &[], &["da"], "("),
    );
}

#[test]
fn privileges_and_memberships_are_told_apart() {
    check(
        "GRANT pg_read_all_data TO guard",
        ("GRANT ROLE", &[], &["pg_read_all_data"], "TO"),
    );
    check(
        "GRANT a, b TO guard /* on */",
        ("GRANT ROLE", &[], &["a", "b"], "TO"),
    );
    check(
        "GRANT a TO guard GRANTED BY \"on\"",
        ("GRANT ROLE", &[], &["a"], "TO"),
    );
    check(
        "REVOKE ADMIN OPTION FOR a FROM b",
        ("REVOKE ROLE", &[], &["a"], "FROM"),
    );
    check(
        "GRANT SELECT (a, b) ON t, s.u TO x",
        ("GRANT TABLE", &[], &["t", "s.u"], "TO"),
    );
    check(
        "GRANT SELECT ON database TO x",
        ("GRANT TABLE", &[], &["database"], "TO"),
    );
    check(
        "GRANT CONNECT ON DATABASE d TO x",
        ("GRANT DATABASE", &[], &["d"], "TO"),
    );
    check(
        "GRANT ALL ON ALL TABLES IN SCHEMA s TO x",
        ("GRANT ALL IN SCHEMA", &[], &["s"], "TO"),
    );
    check(
        "GRANT EXECUTE ON FUNCTION f(int) TO x",
        ("GRANT FUNCTION", &[], &["f"], "TO"),
    );
}

#[test]
fn rows_and_other_statements_have_their_table() {
    check(
        "INSERT INTO s.t (a) VALUES (1)",
        ("INSERT", &[], &["s.t"], "("),
    );
    check("DELETE FROM ONLY t", ("DELETE", &[Only], &["t"], ""));
    check(
        "TRUNCATE TABLE ONLY a, b",
        ("TRUNCATE", &[Only], &["a", "b"], ""),
    );
    check("COPY t (a) FROM PROGRAM 'x'", ("COPY", &[], &["t"], "("));
    check("COPY (SELECT 1) TO PROGRAM 'x'", ("COPY", &[], &[], "("));
    check("VACUUM FULL VERBOSE t", ("VACUUM", &[], &["t"], ""));
    check("((SELECT 1))", ("SELECT", &[], &[], "1"));
    check("'a'", ("", &[], &[], "'a'"));
    assert_eq!(Head::of(" -- nothing\n/* at all */"), None);
}

#[test]
fn the_table_behind_on_is_found() {
    let check = |sql, expect: &str| {
        let on = Head::of(sql).unwrap().on().map(|it| it.to_string());
        assert_eq!(on.as_deref(), Some(expect), "of {sql:?}");
    };
    check(
        "CREATE INDEX CONCURRENTLY ix ON ONLY s.\"T\" (a)",
        "\"s\".\"T\"",
    );
    check("CREATE INDEX ON t(a)", "\"t\"");
    check(
        "CREATE TRIGGER x INSTEAD OF UPDATE OF a ON v EXECUTE FUNCTION f()",
        "\"v\"",
    );
    check("DROP POLICY p ON t", "\"t\"");
    check("COMMENT ON CONSTRAINT c ON DOMAIN d IS 'x'", "\"d\"");
}

#[test]
fn transactions_are_recognised_in_every_form() {
    use Transaction::*;
    let check =
        |sql, expect| assert_eq!(Head::of(sql).unwrap().transaction(), expect, "of {sql:?}");
    check("BEGIN", Some(Begin));
    check("start /* a */ transaction read only", Some(Begin));
    check("ROLLBACK /* to */ WORK", Some(Rollback));
    check(
        "ROLLBACK /* x */ WORK -- y\n TO SAVEPOINT a",
        Some(RollbackTo),
    );
    check("ROLLBACK TO a", Some(RollbackTo));
    check("ABORT TRANSACTION AND CHAIN", Some(Rollback));
    check("COMMIT AND CHAIN", Some(Commit));
    check("END", Some(Commit));
    check("COMMIT /**/ PREPARED 'x'", Some(CommitPrepared));
    check("ROLLBACK PREPARED 'x'", Some(RollbackPrepared));
    check("PREPARE TRANSACTION 'x'", Some(Prepare));
    check("PREPARE x AS SELECT 1", None);
    check("SAVEPOINT a", Some(Savepoint));
    check("RELEASE SAVEPOINT a", Some(Release));
    check("SELECT 1", None);
}

#[test]
fn settings_have_one_name_however_they_are_set() {
    let check = |sql, expect: Option<&str>| {
        assert_eq!(
            Head::of(sql).unwrap().setting().as_deref(),
            expect,
            "of {sql:?}"
        );
    };
    for sql in [
        "SET ROLE x",
        "set role to x",
        "SET \"ROLE\" = 'x'",
        "SET LOCAL ROLE NONE",
        "SET SESSION role x",
        "RESET role",
    ] {
        check(sql, Some("role"));
    }
    for sql in [
        "SET SESSION AUTHORIZATION x",
        "SET SESSION SESSION AUTHORIZATION x",
        "SET LOCAL SESSION AUTHORIZATION x",
        "RESET SESSION AUTHORIZATION",
        "SET session_authorization = x",
    ] {
        check(sql, Some("session_authorization"));
    }
    check("SET SESSION search_path TO a, b", Some("search_path"));
    check("SET SCHEMA 'a'", Some("search_path"));
    check("SET TIME ZONE 'UTC'", Some("timezone"));
    check("SET local.x = 1", Some("local.x"));
    check("SET LOCAL session.x TO 1", Some("session.x"));
    check("RESET ALL", Some("all"));
    check("SET TRANSACTION READ ONLY", None);
    check("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", None);
    check("SELECT 1", None);
    assert!(Head::of("SET SESSION x = 1").unwrap().has(Session));
}

#[test]
fn an_explained_statement_is_read_too() {
    let check = |sql, expect: (&str, bool)| {
        let (inner, is_run) = Head::of(sql).unwrap().explained().unwrap();
        assert_eq!((inner.verb.as_str(), is_run), expect, "of {sql:?}");
    };
    check("EXPLAIN SELECT 1", ("SELECT", false));
    check(
        "EXPLAIN (COSTS off, ANALYZE) DELETE FROM t",
        ("DELETE", true),
    );
    check("EXPLAIN (ANALYZE false) DELETE FROM t", ("DELETE", false));
    check(
        "explain analyze verbose update t set a = 1",
        ("UPDATE", true),
    );
}

#[test]
fn the_rest_is_read_word_by_word() {
    let head = Head::of("ALTER TYPE a.b ADD VALUE IF NOT EXISTS U&'!0061' UESCAPE '!' BEFORE 'c'")
        .unwrap();
    let mut rest = head.rest();
    assert!(rest.take("ADD VALUE") && rest.take("IF NOT EXISTS"));
    assert_eq!(rest.string().as_deref(), Some("a"));
    assert!(!rest.take("AFTER") && rest.take("BEFORE"));
    assert_eq!(rest.string().as_deref(), Some("c"));
    assert!(rest.is_at_end());
}
