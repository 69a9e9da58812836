//! Comparing runs no function of a stranger's, and answers the same whatever settings a database or a role has.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::os::unix::fs::PermissionsExt;

use limbeck_catalog::{Catalog, ReadOptions, Unmanaged, compare_metadata};
use limbeck_metadata::MetaData;
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, PgConnection};

async fn execute(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

/// Compares a table of a stranger's with models of it. Whatever the stranger's functions say of themselves, they must not
/// run; if an error is expected, it holds this text.
#[track_caller]
fn check(table: &str, column: &str, more: &str, expected: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let answer = runtime.block_on(async {
        let db = TestDb::create("strangers").await;
        let mut conn = db.connect().await.unwrap();
        let role = format!("{}_mallory", db.name());
        let setup = format!(
            "CREATE ROLE \"{role}\"; GRANT CREATE ON SCHEMA public TO \"{role}\"; SET ROLE \"{role}\"; \
             CREATE FUNCTION hit(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN EXECUTE pg_catalog.format('COPY (SELECT \
             1) TO %L', '{}/' || what); RETURN true; END $$; \
             CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hit('function'); RETURN 1; END $$; \
             CREATE DOMAIN d AS text CHECK (hit('domain')); CREATE TYPE pair AS (a d); CREATE TYPE span AS RANGE (subtype = d); \
             CREATE FUNCTION to_pair(text) RETURNS pair LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hit('cast'); RETURN NULL; \
             END $$; CREATE CAST (text AS pair) WITH FUNCTION to_pair AS IMPLICIT; \
             SET check_function_bodies = off; CREATE TABLE t ({table}); RESET ALL; RESET ROLE",
            folder.path().display()
        );
        execute(&mut conn, &setup).await;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let models = format!("{{\"limbeck\": 1, \"tables\": [{{\"name\": \"t\", \"columns\": [{column}]{more}}}]}}");
        let models = MetaData::from_json(&models, "models.json").unwrap();
        let answer = compare_metadata(&mut conn, &models).await;
        execute(&mut conn, &format!("DROP OWNED BY \"{role}\" CASCADE; DROP ROLE \"{role}\"")).await;
        answer.map(drop).map_err(|it| it.to_string())
    });
    let hits: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(hits.is_empty(), "{table}: {hits:?}, {answer:?}");
    match (answer, expected) {
        (Ok(()), None) => {}
        (Err(error), Some(text)) => assert!(error.contains(text), "{error}"),
        (answer, expected) => panic!("{table}: {answer:?}, not {expected:?}"),
    }
}

#[test]
fn what_the_server_plans_is_not_given_to_it_as_such() {
    check(
        "a int, b int GENERATED ALWAYS AS (a * 2) STORED",
        r#"{"name": "a", "type": "int"}, {"name": "b", "type": "int", "generated": "f(1)"}"#,
        "",
        None,
    );
    check(
        "a int",
        r#"{"name": "a", "type": "int", "default": "f(1) + 1"}"#,
        r#", "checks": [{"name": "k", "expression": "f(2) = a"}], "indexes": [{"name": "i", "elements": [{"expression": "f(1) + a"}], "where": "f(3) = 1"}]"#,
        None,
    );
}

#[test]
fn a_constant_of_a_domain_is_not_checked() {
    check(
        "a d DEFAULT 'x', b text CHECK (b <> 'y'::d), c pair",
        r#"{"name": "a", "type": "d", "default": "'z'::d"}, {"name": "b", "type": "text"}, {"name": "c", "type": "pair", "default": "'(1)'::text"}"#,
        r#", "checks": [{"name": "t_b_check", "expression": "b <> 'z'::d"}]"#,
        Some("domain d of role"),
    );
    check(
        "a d DEFAULT 'x', b text CHECK (b <> 'y'::d)",
        r#"{"name": "a", "type": "d", "default": "'z'::d"}, {"name": "b", "type": "text"}"#,
        r#", "checks": [{"name": "t_b_check", "expression": "b <> 'z'::d"}]"#,
        None,
    );
}

#[test]
fn a_literal_that_would_run_a_strangers_check_is_refused() {
    const EXPECTED: Option<&str> = Some("reading it would run the domain d of role");
    for (ty, default) in [
        ("d[]", "'{ x }'"),
        ("pair", "'( x )'"),
        ("span", "'[a, b )'"),
    ] {
        check(
            &format!("a {ty}"),
            &format!(r#"{{"name": "a", "type": "{ty}", "default": "{default}"}}"#),
            "",
            EXPECTED,
        );
    }
    check(
        "a text",
        r#"{"name": "a", "type": "text"}"#,
        r#", "checks": [{"name": "k", "expression": "('{x}'::d[])[1] = a"}]"#,
        EXPECTED,
    );
}

/// What a database with these objects says when read over this connection.
async fn account(db: &TestDb) -> (Catalog, Unmanaged) {
    let mut conn = db.connect().await.unwrap();
    let catalog = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .unwrap();
    (catalog, Unmanaged::read(&mut conn).await.unwrap())
}

#[tokio::test]
async fn no_setting_changes_what_is_read() {
    let db = TestDb::create("settings").await;
    let mut conn = db.connect().await.unwrap();
    execute(
        &mut conn,
        r"CREATE TABLE t (a text DEFAULT E'a\\nb', b bytea DEFAULT '\x0041ff', c interval DEFAULT '-1 day -02:03:04', d date
          DEFAULT '2020-02-01', e timestamptz DEFAULT '2020-02-01 12:00:00+05', f float8 DEFAULT 0.1, g text[] DEFAULT '{NULL, a}',
          h text CHECK (h IS NULL OR h <> E'\\'), i float4 DEFAULT 1.1); CREATE VIEW v AS SELECT E'\\'::text AS x, '-1 day'::interval
          AS y FROM t WHERE b <> '\x01'; CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    )
    .await;
    let (expected, others) = account(&db).await;
    for setting in [
        "quote_all_identifiers = on",
        "standard_conforming_strings = off",
        "bytea_output = escape",
        "IntervalStyle = sql_standard",
        "DateStyle = 'German, DMY'",
        "TimeZone = 'Asia/Tokyo'",
        "extra_float_digits = -15",
        "xmlbinary = hex",
        "array_nulls = off",
        "transform_null_equals = on",
        "row_security = off",
        "backslash_quote = off",
        "default_transaction_read_only = on",
        "default_transaction_isolation = serializable",
        "session_replication_role = replica",
        "check_function_bodies = off",
        "lc_messages = 'C'",
        "search_path = public, pg_catalog",
    ] {
        let database = format!("ALTER DATABASE \"{}\"", db.name());
        execute(&mut conn, &format!("{database} SET {setting}")).await;
        let (catalog, unmanaged) = account(&db).await;
        assert_eq!(catalog.schema, expected.schema, "{setting}");
        let mut unmanaged = unmanaged;
        let is_kept = |word: &str| word != "setting of the database";
        unmanaged.objects.retain(|key, _| is_kept(&key.0));
        assert_eq!(unmanaged, others, "{setting}");
        execute(&mut conn, "SET default_transaction_read_only = off").await;
        execute(&mut conn, &format!("{database} RESET ALL")).await;
    }
}
