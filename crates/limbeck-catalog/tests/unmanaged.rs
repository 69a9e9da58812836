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

#[test]
fn what_belongs_to_partitions_and_to_objects_of_other_kinds_is_named() {
    check(
        "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); COMMENT ON TABLE t1 IS \
         'x'; COMMENT ON COLUMN t1.a IS 'x'; COMMENT ON COLUMN t.a IS 'x'; CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE \
         INDEX i ON m (a); COMMENT ON INDEX i IS 'x'; COMMENT ON VIEW pg_catalog.pg_tables IS NULL; CREATE TYPE shell; COMMENT ON \
         TYPE shell IS 'x'; ALTER TABLE t1 ADD CONSTRAINT c CHECK (a > 0); COMMENT ON CONSTRAINT c ON t1 IS 'x'; COMMENT ON \
         CONSTRAINT c ON t1 IS 'y'; CREATE INDEX e ON t1 ((a + 1)); ALTER INDEX e ALTER COLUMN 1 SET STATISTICS 7",
        &[
            "comment on index public.i",
            "comment on table public.t1",
            "comment on table column public.t1.a",
            "comment on table constraint c on public.t1",
            "comment on type public.shell",
            "materialized view public.m",
            "partition public.t1",
            "shell type public.shell",
            "statistics targets of index public.e",
        ],
    );
}

#[test]
fn foreign_data_text_search_operators_and_publications_are_named() {
    check(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (a int) SERVER s; CREATE \
         USER MAPPING FOR PUBLIC SERVER s OPTIONS (a 'b'); CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple); CREATE TEXT \
         SEARCH DICTIONARY dict (TEMPLATE = simple); CREATE PUBLICATION pub; CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE \
         FUNCTION e(); CREATE FUNCTION same(int, text) RETURNS bool LANGUAGE sql AS 'SELECT \
         true'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = text, FUNCTION = same); CREATE TYPE two AS (a int); CREATE FUNCTION \
         two(int) RETURNS two LANGUAGE sql AS 'SELECT ROW(1)::two'; CREATE CAST (int AS two) WITH FUNCTION two(int); ALTER \
         DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; GRANT USAGE ON FOREIGN SERVER s TO PUBLIC; REVOKE USAGE ON LANGUAGE \
         sql FROM PUBLIC; REVOKE SELECT ON pg_catalog.pg_tables FROM PUBLIC; CREATE OPERATOR FAMILY fam USING btree; CREATE \
         CONVERSION conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; CREATE ACCESS METHOD am TYPE TABLE HANDLER \
         heap_tableam_handler",
        &[
            "access method am",
            "cast (integer AS public.two)",
            "conversion public.conv",
            "default privileges for role postgres on tables",
            "event trigger et",
            "foreign data wrapper w",
            "foreign server s",
            "foreign table public.f",
            "function public.e(), public.same(integer,pg_catalog.text), public.two(integer)",
            "grants on foreign server s",
            "grants on language sql",
            "grants on relation pg_catalog.pg_tables",
            "operator public.===(integer,pg_catalog.text)",
            "operator family public.fam USING btree",
            "publication pub",
            "text search configuration public.conf",
            "text search dictionary public.dict",
            "user mapping public on server s",
        ],
    );
}

#[test]
fn rights_that_an_object_begins_with_are_not_told() {
    check(
        "CREATE TABLE t (a int); GRANT SELECT ON t TO PUBLIC; REVOKE SELECT ON t FROM PUBLIC; CREATE FUNCTION f() RETURNS int \
         LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO PUBLIC",
        &["function public.f()"],
    );
}

#[tokio::test]
async fn owners_are_told_where_the_desired_state_names_one() {
    let dbs = [
        TestDb::create("owners").await,
        TestDb::create("owners").await,
    ];
    // A role that the whole server knows, in case of another run at the same time.
    let role = format!("limbeck_owner_{}", std::process::id());
    let owned = format!("CREATE ROLE {role}; ALTER TABLE t OWNER TO {role}");
    let mut states = Vec::new();
    for (db, owner) in dbs.iter().zip(["", &owned]) {
        let mut conn = db.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE TABLE t (a int); {owner}")))
            .execute(&mut conn)
            .await
            .unwrap();
        states.push(Unmanaged::read(&mut conn).await.unwrap());
    }
    let mut conn = dbs[1].connect().await.unwrap();
    let drop_role = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(drop_role))
        .execute(&mut conn)
        .await
        .unwrap();
    let differences = |a: usize, b: usize| Unmanaged::differences(&states[a], &states[b]);
    assert_eq!(differences(0, 1), ["owner of table public.t is missing"]);
    assert_eq!(differences(1, 0), Vec::<String>::new());
    assert!(!states[1].has_objects());
}

#[tokio::test]
async fn what_two_definitions_differ_in_is_seen() {
    const PAIRS: &[(&str, &str)] = &[
        (
            "CREATE TABLE t (a int, b int); CREATE PUBLICATION p FOR TABLE t",
            "CREATE TABLE t (a int, b int); CREATE PUBLICATION p",
        ),
        (
            "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW m AS SELECT a FROM t",
            "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE INDEX ON m (a)",
        ),
        (
            "CREATE VIEW v AS SELECT 1 AS a",
            "CREATE VIEW v AS SELECT 1 AS a; ALTER VIEW v ALTER a SET DEFAULT 1",
        ),
        (
            "CREATE VIEW v AS SELECT 1 AS a",
            "CREATE VIEW v WITH (security_barrier) AS SELECT 1 AS a",
        ),
        (
            "CREATE OPERATOR FAMILY f USING btree",
            "CREATE OPERATOR FAMILY f USING btree; ALTER OPERATOR FAMILY f USING btree ADD OPERATOR 1 < (int4, int4)",
        ),
        (
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple)",
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, STOPWORDS = english)",
        ),
        (
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE UNLOGGED TABLE p PARTITION OF t FOR VALUES IN (1)",
        ),
        (
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE u (LIKE t) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE u (LIKE t) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF u FOR VALUES IN (1)",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        ),
        (
            "CREATE TABLE t (a int PRIMARY KEY)",
            "CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey",
        ),
    ];
    for (current, desired) in PAIRS {
        let mut states = Vec::new();
        for sql in [current, desired] {
            let db = TestDb::create("differ").await;
            let mut conn = db.connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe((*sql).to_owned()))
                .execute(&mut conn)
                .await
                .unwrap();
            states.push(Unmanaged::read(&mut conn).await.unwrap());
        }
        let found = Unmanaged::differences(&states[0], &states[1]);
        assert_eq!(found.len(), 1, "{desired}: {found:?}");
        let none = Unmanaged::differences(&states[0], &states[0]);
        assert!(none.is_empty(), "{none:?}");
    }
}
