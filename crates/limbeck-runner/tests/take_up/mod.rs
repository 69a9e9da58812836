//! Statements outside transactions: what a run that was killed or failed there leaves, and how the next one goes on.

use crate::common::World;
use limbeck_runner::{Answer, Reached, RunnerError, Transactions};

/// Writes the log of a run that was killed while a statement of `r001` was under way; `before` is what it had noted.
async fn killed_at(world: &World, statement: usize, before: Option<&str>) {
    let checksum = world
        .history()
        .directory
        .read(&"r001".parse().unwrap())
        .unwrap()
        .checksum();
    world.runner().await.ensure_version().await.unwrap();
    let error = match before {
        Some(it) => format!("'under way; before it: {it}'"),
        None => "NULL".to_owned(),
    };
    world
        .execute(&format!(
            "INSERT INTO limbeck_log (revision, direction, segment, segments, statement, checksum, started, error) \
             VALUES ('r001', 'upgrade', 1, 1, {statement}, '{checksum}', now(), {error})"
        ))
        .await;
}

/// A database in which `done` was run, with a run of `sql` that was killed there, and what the next run says.
async fn check(setup: &str, sql: &str, before: Option<&str>, done: &str, expected: &str) -> World {
    let mut world = World::new("taken_up").await;
    world.execute(setup).await;
    world.revision(
        "r001",
        "",
        &format!("-- segment: no transaction\n{sql};"),
        "",
    );
    let before = match before {
        Some(query) => Some(world.query(query).await.concat()),
        None => None,
    };
    killed_at(&world, 1, before.as_deref()).await;
    if !done.is_empty() {
        world.execute(done).await;
    }
    world
        .upgrade("heads")
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    let said = world.said.join("\n");
    assert!(said.contains(expected), "{sql}: {said}");
    assert_eq!(world.rows().await, ["r001"], "{sql}");
    world
}

/// The server's major version.
async fn major() -> u32 {
    let world = World::new("major").await;
    let sql = "SELECT (current_setting('server_version_num')::int / 10000)::text";
    world.query(sql).await[0].parse().unwrap()
}

const INVALID: &str = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i1'::regclass";
const NO_INDEXES: &str = "SELECT 'indexes none'";

#[tokio::test]
async fn an_index_is_taken_up_however_its_statement_is_written() {
    for sql in [
        "CREATE INDEX CONCURRENTLY i1 ON t1 (id)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS /* hot */ i1 ON t1 (id)",
        "create index /* big */ concurrently\n  if not  exists I1 on only \"t1\"(id)",
        "CREATE INDEX CONCURRENTLY \"i1\" ON public.t1 (id)",
    ] {
        for before in [Some(NO_INDEXES), None] {
            let table = "CREATE TABLE t1 (id int)";
            let index = "CREATE INDEX i1 ON t1 (id)";
            check(
                table,
                sql,
                before,
                index,
                "was done by the run that was broken off",
            )
            .await;
            let left = format!("{index}; {INVALID}");
            let world = check(
                table,
                sql,
                before,
                &left,
                "had left the index public.i1 invalid",
            )
            .await;
            let valid = "SELECT string_agg(indisvalid::text, ',') FROM pg_index WHERE indrelid = 't1'::regclass";
            assert_eq!(world.query(valid).await, ["true"], "{sql}");
        }
    }
}

#[tokio::test]
async fn an_index_without_a_name_is_known_by_those_that_were_there_before() {
    let setup = "CREATE TABLE t1 (id int); CREATE INDEX old ON t1 (id)";
    let before = Some("SELECT 'indexes ' || 'old'::regclass::oid");
    let left = "CREATE INDEX ON t1 (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't1_id_idx'::regclass";
    let sql = "CREATE INDEX CONCURRENTLY ON t1 (id)";
    let world = check(
        setup,
        sql,
        before,
        left,
        "had left the index public.t1_id_idx invalid",
    )
    .await;
    assert_eq!(world.table_names().await, ["old", "t1", "t1_id_idx"]);
    let world = check(setup, sql, before, "CREATE INDEX ON t1 (id)", "was done by").await;
    assert_eq!(world.table_names().await, ["old", "t1", "t1_id_idx"]);
    let world = check(
        setup,
        sql,
        before,
        "",
        "goes on with segment 1 of 1 at its statement 1",
    )
    .await;
    assert_eq!(world.table_names().await, ["old", "t1", "t1_id_idx"]);
}

#[tokio::test]
async fn what_is_dropped_detached_rebuilt_or_added_is_taken_up() {
    let setup = "CREATE TABLE t1 (id int); CREATE INDEX i1 ON t1 (id)";
    let index = Some("SELECT 'index ' || 'i1'::regclass::oid");
    for sql in [
        "DROP INDEX CONCURRENTLY i1",
        "drop index /* x */ concurrently \"public\".i1",
    ] {
        check(setup, sql, index, "DROP INDEX i1", "was done by").await;
        let world = check(setup, sql, index, INVALID, "Running").await;
        assert_eq!(world.table_names().await, ["t1"]);
    }
    let copies = Some("SELECT 'invalid indexes none'");
    for sql in [
        "REINDEX TABLE CONCURRENTLY t1",
        "REINDEX (VERBOSE) INDEX /* x */ CONCURRENTLY i1",
        "REINDEX (VERBOSE, CONCURRENTLY) INDEX i1",
    ] {
        // PostgreSQL 13 knows the word only behind the kind.
        if sql.contains(", CONCURRENTLY") && major().await < 14 {
            continue;
        }
        let left = "CREATE INDEX i1_ccnew ON t1 (id); \
                    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i1_ccnew'::regclass";
        let world = check(
            setup,
            sql,
            copies,
            left,
            "had left the index public.i1_ccnew invalid",
        )
        .await;
        assert_eq!(world.table_names().await, ["i1", "t1"]);
    }
    let setup = "CREATE TYPE mood AS ENUM ('a')";
    let sql = "ALTER TYPE mood ADD VALUE /* x */ 'b'";
    check(
        setup,
        sql,
        None,
        "ALTER TYPE mood ADD VALUE 'b'",
        "was done by",
    )
    .await;
    check(setup, sql, None, "", "Running").await;
}

#[tokio::test]
async fn a_partition_that_is_about_to_be_detached_is_detached() {
    let setup = "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9)";
    if major().await < 14 {
        return;
    }
    let before = Some("SELECT 'partition ' || 'p1'::regclass::oid");
    let sql = "ALTER TABLE ONLY p DETACH PARTITION public.p1 /* slowly */ CONCURRENTLY";
    let pending = "UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'p1'::regclass";
    let left = "SELECT count(*)::text FROM pg_inherits";
    let world = check(setup, sql, before, pending, "FINALIZE` does the rest").await;
    assert_eq!(world.query(left).await, ["0"]);
    let world = check(
        setup,
        sql,
        before,
        "ALTER TABLE p DETACH PARTITION p1",
        "was done by",
    )
    .await;
    assert_eq!(world.query(left).await, ["0"]);
    let world = check(setup, sql, before, "", "Running").await;
    assert_eq!(world.query(left).await, ["0"]);
}

const WORK: &str = "CREATE TABLE t1 (id int); CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ \
                    BEGIN INSERT INTO t1 VALUES (1); COMMIT; END $$";

#[tokio::test]
async fn what_only_people_can_know_is_asked() {
    for (answer, n_rows) in [
        (Answer::Done, "0"),
        (Answer::Skip, "0"),
        (Answer::Again, "1"),
    ] {
        let mut world = World::new("asked").await;
        world.execute(WORK).await;
        world.revision(
            "r001",
            "",
            "-- segment: no transaction\nCALL work();\nCREATE TABLE t2 ();",
            "",
        );
        killed_at(&world, 1, Some("outside a transaction")).await;
        let error = world.upgrade("heads").await.unwrap_err();
        assert!(matches!(error, RunnerError::Unknown { .. }), "{error:?}");
        let text = world.text(&error);
        for part in [
            "stopped in segment 1 of 1 while its statement 1 was under way",
            "`CALL work()` at r001.sql:8 was done, or how much of it",
            "--resume done",
            "--resume again",
            "--resume skip",
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        world.options.resume = Some(answer);
        world.upgrade("heads").await.unwrap();
        assert_eq!(
            world.query("SELECT count(*)::text FROM t1").await,
            [n_rows],
            "{answer:?}"
        );
        assert_eq!(world.table_names().await, ["t1", "t2"]);
        // There is nothing to answer any more.
        world.tables(0);
        world.revision("r002", "r001", "CREATE TABLE t3 ();", "");
        let text = world.upgrade_error("heads").await;
        assert!(text.contains("nothing for --resume to answer"), "{text}");
    }
}

#[tokio::test]
async fn a_procedure_that_failed_after_a_commit_is_asked_about_and_one_before_it_is_not() {
    let mut world = World::new("half").await;
    world
        .execute(
            "CREATE TABLE t1 (id int); CREATE PROCEDURE half() LANGUAGE plpgsql AS $$ \
             BEGIN INSERT INTO t1 VALUES (1); COMMIT; PERFORM 1 / (SELECT count(*) - 2 FROM t1); END $$; \
             CREATE PROCEDURE early() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t1 VALUES (1); PERFORM 1 / 0; COMMIT; END $$",
        )
        .await;
    world.execute("INSERT INTO t1 VALUES (0)").await;
    world.revision("r001", "", "-- segment: no transaction\nCALL half();", "");
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("what it committed before it failed stays")
            && text.contains("--resume again"),
        "{text}"
    );
    let error = world.upgrade("heads").await.unwrap_err();
    assert!(matches!(error, RunnerError::Unknown { .. }), "{error:?}");
    let mut world = World::new("none").await;
    world.execute("CREATE TABLE t1 (id int)").await;
    world
        .execute("CREATE PROCEDURE early() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t1 VALUES (1); PERFORM 1 / 0; COMMIT; END $$")
        .await;
    world.revision("r001", "", "-- segment: no transaction\nCALL early();", "");
    for _ in 0..2 {
        let text = world.upgrade_error("heads").await;
        assert!(text.contains("as before revision r001"), "{text}");
    }
    assert_eq!(world.query("SELECT count(*)::text FROM t1").await, ["0"]);
}

#[tokio::test]
async fn rows_are_changed_once_however_often_a_run_is_killed() {
    let mut world = World::new("once").await;
    world
        .execute("CREATE TABLE t1 (id int, n int); INSERT INTO t1 VALUES (1, 100)")
        .await;
    let kill = "SELECT pg_terminate_backend(pg_backend_pid()) WHERE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'calm');";
    let up = format!(
        "-- segment: no transaction\nUPDATE t1 SET n = n * 2;\n{kill}\nBEGIN ISOLATION LEVEL SERIALIZABLE;\n\
         UPDATE t1 SET n = n + 1;\nSAVEPOINT a;\nDELETE FROM t1;\nROLLBACK TO a;\nCOMMIT;\nBEGIN;\nDELETE FROM t1;\nROLLBACK;\n\
         INSERT INTO t1 SELECT 2, n FROM t1;"
    );
    world.revision("r001", "", &up, "");
    for _ in 0..3 {
        let error = world.upgrade("heads").await.unwrap_err();
        assert!(
            matches!(error, RunnerError::ConnectionLost { .. }),
            "{error:?}"
        );
    }
    let half_done = world
        .runner()
        .await
        .current()
        .await
        .unwrap()
        .half_done
        .unwrap();
    assert_eq!(
        (half_done.statement, half_done.reached),
        (Some(2), Reached::NotBegun)
    );
    world.execute("CREATE TABLE calm ()").await;
    world.upgrade("heads").await.unwrap();
    let rows = world
        .query("SELECT id || ' ' || n FROM t1 ORDER BY 1")
        .await;
    assert_eq!(rows, ["1 201", "2 201"]);
}

#[tokio::test]
async fn settings_above_the_place_where_a_run_goes_on_are_repeated() {
    let mut world = World::new("repeated").await;
    world.execute("CREATE SCHEMA other").await;
    let kill = "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()) WHERE NOT EXISTS (SELECT FROM \
                pg_catalog.pg_class WHERE relname = 'calm');";
    let up = format!(
        "-- segment: no transaction\nSET search_path = other;\nSET SESSION AUTHORIZATION pg_monitor;\nRESET SESSION \
         AUTHORIZATION;\n{kill}\nCREATE TABLE t1 (id int);\nCREATE INDEX CONCURRENTLY i1 ON t1 (id);"
    );
    world.revision("r001", "", &up, "");
    world.upgrade("heads").await.unwrap_err();
    world.execute("CREATE TABLE calm ()").await;
    world.upgrade("heads").await.unwrap();
    let place = world
        .query("SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname IN ('t1', 'i1') ORDER BY relname")
        .await;
    assert_eq!(place, ["other", "other"]);
}

#[tokio::test]
async fn transactions_outside_of_transactions_pair_within_their_segment() {
    for (up, expected) in [
        (
            "BEGIN;\nSELECT 1;",
            "begins a transaction that its segment does not end",
        ),
        (
            "COMMIT;",
            "ends a transaction that no statement of its segment begins",
        ),
        (
            "BEGIN;\nSTART TRANSACTION;\nCOMMIT;",
            "begins a transaction inside of another one",
        ),
        (
            "BEGIN;\nCOMMIT AND CHAIN;\nCOMMIT;",
            "begins the next transaction at once",
        ),
        ("BEGIN;\nPREPARE TRANSACTION 'x';", "prepares a transaction"),
    ] {
        let mut world = World::new("paired").await;
        world.revision("r001", "", &format!("-- segment: no transaction\n{up}"), "");
        let text = world.upgrade_error("heads").await;
        assert!(text.contains(expected), "{up}: {text}");
    }
    let mut world = World::new("paired").await;
    world.revision(
        "r001",
        "",
        "CREATE TABLE t1 ();\nROLLBACK /* to */ WORK;",
        "",
    );
    let text = world.upgrade_error("heads").await;
    assert!(text.contains("begins or ends a transaction"), "{text}");
}

/// What a revision leaves in its session reaches neither the log nor the next revision.
#[tokio::test]
async fn a_revision_leaves_nothing_in_the_session() {
    let leave = "CREATE TEMP TABLE kept (id int);\nPREPARE one AS SELECT 1;\nLISTEN news;\nDECLARE c CURSOR WITH HOLD FOR SELECT \
                 1;\nSET statement_timeout = '200ms';\nSET default_transaction_read_only = on;\nSET standard_conforming_strings = \
                 off;\nSELECT set_config('search_path', '', false);\nSET SESSION AUTHORIZATION pg_monitor;";
    let look = "CREATE TABLE seen AS SELECT session_user::text || ' ' || current_user::text || ' ' || \
                current_setting('search_path') || ' ' || current_setting('standard_conforming_strings') || ' ' || \
                (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_listening_channels()) + \
                (SELECT count(*) FROM pg_cursors WHERE name = 'c') + (SELECT count(*) FROM pg_class WHERE relname = 'kept') AS \
                it;\nSELECT pg_sleep(0.4);";
    let mut seen = Vec::new();
    for (transaction, mark) in [
        (Transactions::Segment, ""),
        (Transactions::Segment, "-- segment: no transaction\n"),
        (Transactions::Revision, ""),
        (Transactions::Run, ""),
    ] {
        let mut world = World::new("left").await;
        world.options.transaction = transaction;
        world.revision("r001", "", &format!("{mark}{leave}"), "");
        world.revision("r002", "r001", look, "");
        world
            .upgrade("heads")
            .await
            .unwrap_or_else(|error| panic!("{transaction:?} {mark}: {error}"));
        let by = "SELECT DISTINCT by FROM limbeck_log";
        assert_eq!(
            world.query(by).await,
            world.query("SELECT session_user::text").await
        );
        seen.extend(world.query("SELECT it FROM seen").await);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].ends_with("public on 0"), "{seen:?}");
}
