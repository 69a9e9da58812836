//! What no kind stands for is named, whatever it is.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use limbeck_catalog::Unmanaged;
use limbeck_testkit::TestDb;
use sqlx::AssertSqlSafe;

/// Builds a state and requires these lines, no more and no fewer.
#[track_caller]
fn check(sql: &str, expected: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let lines = runtime.block_on(async {
        let db = TestDb::create("unmanaged").await;
        let mut conn = db.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut conn)
            .await
            .unwrap();
        Unmanaged::read(&mut conn).await.unwrap().lines()
    });
    assert_eq!(lines, expected);
}

#[test]
fn a_typed_table_is_named() {
    check(
        "CREATE TYPE person AS (id int, name text); CREATE TABLE t OF person (PRIMARY KEY (id)); CREATE TABLE plain (a int)",
        &["typed table public.t"],
    );
}

#[test]
fn what_tables_have_besides_their_parts_is_named() {
    check(
        "CREATE TABLE t (a int PRIMARY KEY, b text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t REPLICA IDENTITY \
         FULL; ALTER TABLE t CLUSTER ON t_pkey; CREATE POLICY p ON t USING (true); CREATE RULE r AS ON DELETE TO t DO INSTEAD \
         NOTHING; CREATE STATISTICS s ON a, b FROM t; GRANT SELECT ON t TO PUBLIC; GRANT UPDATE (b) ON t TO PUBLIC",
        &[
            "clustered index public.t_pkey",
            "grants on column public.t.b",
            "grants on relation public.t",
            "policy p on public.t",
            "replica identity public.t",
            "row security public.t",
            "rule r on public.t",
            "statistics public.s",
        ],
    );
}

#[test]
fn partitions_and_views_are_named_and_their_parents_are_not() {
    check(
        "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE parent \
         (a int); CREATE TABLE child (b int) INHERITS (parent); CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW m \
         AS SELECT a FROM t",
        &[
            "materialized view public.m",
            "partition public.t1",
            "view public.v",
        ],
    );
}

#[test]
fn routines_triggers_and_types_of_other_kinds_are_named() {
    check(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (a int); CREATE \
         TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE PROCEDURE p() LANGUAGE sql AS ''; CREATE \
         AGGREGATE total (int) (SFUNC = int4pl, STYPE = int); CREATE TYPE shell",
        &[
            "aggregate public.total(integer)",
            "function public.f()",
            "procedure public.p()",
            "shell type public.shell",
            "trigger g on public.t",
        ],
    );
}
