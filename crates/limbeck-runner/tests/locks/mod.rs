//! Locks that are not to be had, and what a statement outside transactions leaves when it fails.

use crate::common::World;
use limbeck_runner::{Event, Transactions};
use sqlx::PgConnection;

/// A connection that holds what a statement waits for.
async fn holder(world: &World, sql: &str) -> PgConnection {
    let mut holder = world.db.connect().await.unwrap();
    run(&mut holder, &format!("BEGIN; {sql}")).await;
    holder
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

/// Upgrades while `sql` is held, which ends with the first try that failed; gives what was said.
async fn upgrade_past_a_lock(world: &World, sql: &str) -> Vec<String> {
    let mut holder = holder(world, sql).await;
    let (history, mut runner) = (world.history(), world.runner().await);
    let (locked, mut freed) = tokio::sync::mpsc::unbounded_channel();
    let mut said = Vec::new();
    let mut progress = |event: Event<'_>| {
        if matches!(event, Event::Retry { .. }) {
            locked.send(()).unwrap();
        }
        if !matches!(event, Event::Statement { .. }) {
            said.push(event.line());
        }
    };
    let free = async {
        freed.recv().await.unwrap();
        run(&mut holder, "COMMIT").await;
    };
    let (done, ()) = tokio::join!(runner.upgrade(&history, "heads", &mut progress), free);
    done.unwrap();
    said
}

#[tokio::test]
async fn a_held_lock_is_tried_again_and_then_reported() {
    let mut world = World::new("locked").await;
    world.tables(1);
    world.upgrade("heads").await.unwrap();
    world.revision("r002", "r001", "ALTER TABLE t1 ADD COLUMN a int;", "");
    world.options.lock_tries = 2;
    let mut holder = holder(&world, "LOCK TABLE t1").await;
    let error = world.upgrade("heads").await.unwrap_err();
    assert!(
        world
            .said
            .iter()
            .any(|it| it.starts_with("revision r002 got no lock in try 1 of 2")),
        "{:?}",
        world.said
    );
    let text = world.text(&error);
    assert!(
        text.contains("got no lock in 2 tries") && text.contains("as before revision r002"),
        "{text}"
    );
    run(&mut holder, "COMMIT").await;
    assert_eq!(world.upgrade("heads").await.unwrap(), 1);
}

#[tokio::test]
async fn a_run_that_is_tried_again_announces_each_revision_once() {
    let mut world = World::new("again").await;
    world.tables(1);
    world.upgrade("heads").await.unwrap();
    world.options.transaction = Transactions::Run;
    world.revision("r002", "r001", "CREATE TABLE t2 (id int);", "");
    world.revision("r003", "r002", "ALTER TABLE t1 ADD a int;", "");
    let said = upgrade_past_a_lock(&world, "LOCK TABLE t1").await;
    let running: Vec<_> = said.iter().filter(|it| it.starts_with("Running")).collect();
    assert_eq!(running.len(), 2, "{said:?}");
    assert!(
        said.iter()
            .any(|it| it.starts_with("revision r003 got no lock in try 1 of 5")),
        "{said:?}"
    );
    assert_eq!(world.rows().await, ["r003"]);
}

#[tokio::test]
async fn statements_outside_transactions_are_tried_again() {
    let world = World::new("outside").await;
    world
        .execute("CREATE TABLE t1 (id int); CREATE INDEX i1 ON t1 (id)")
        .await;
    world.revision(
        "r001",
        "",
        "-- segment: no transaction\nDROP INDEX CONCURRENTLY i1;\nALTER TABLE t1 ADD a int;",
        "",
    );
    let said = upgrade_past_a_lock(&world, "LOCK TABLE t1 IN SHARE ROW EXCLUSIVE MODE").await;
    assert!(said[1].starts_with("revision r001 got no lock in try 1 of 5"));
    assert_eq!(
        (world.table_names().await, world.rows().await),
        (vec!["t1".to_owned()], vec!["r001".to_owned()])
    );
}

/// An old snapshot holds up `CREATE INDEX CONCURRENTLY` when the index is there already, but not valid.
#[tokio::test]
async fn an_index_that_a_failed_try_left_invalid_is_built_anew() {
    for sql in [
        "CREATE INDEX CONCURRENTLY i1 ON t1 (id);",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i1 ON t1 (id);",
    ] {
        let world = World::new("invalid").await;
        world.execute("CREATE TABLE t1 (id int)").await;
        world.revision(
            "r001",
            "",
            &format!("-- segment: no transaction\n{sql}"),
            "",
        );
        let said = upgrade_past_a_lock(&world, "INSERT INTO t1 VALUES (1)").await;
        assert!(
            said.iter().any(|it| it
                .contains("had left the index public.i1 invalid; it is dropped and built anew")),
            "{said:?}"
        );
        check_valid(&world).await;
    }
}

async fn check_valid(world: &World) {
    let valid = "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'i1'::regclass";
    assert_eq!(world.query(valid).await, ["true"]);
    assert_eq!(world.rows().await, ["r001"]);
}

#[tokio::test]
async fn a_unique_index_that_failed_is_built_by_the_next_run() {
    let mut world = World::new("unique").await;
    world
        .execute("CREATE TABLE t1 (id int); INSERT INTO t1 VALUES (1), (1)")
        .await;
    let sql = "-- segment: no transaction\nCREATE UNIQUE INDEX CONCURRENTLY i1 ON t1 (id);";
    world.revision("r001", "", sql, "");
    let text = world.upgrade_error("heads").await;
    assert!(text.contains("SQLSTATE 23505"), "{text}");
    world.execute("DELETE FROM t1").await;
    world.upgrade("heads").await.unwrap();
    check_valid(&world).await;
}

#[tokio::test]
async fn what_leaves_traces_is_tried_once() {
    let mut world = World::new("traces").await;
    world
        .execute("CREATE TABLE t1 (id int); CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; ALTER TABLE t1 ADD a int; END $$")
        .await;
    world.revision("r001", "", "-- segment: no transaction\nCALL p();", "");
    let _holder = holder(&world, "LOCK TABLE t1").await;
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("statement `CALL p()` got no lock in 1 try (canceling statement due to lock timeout (SQLSTATE 55P03))")
            && text.contains("--lock-timeout"),
        "{text}"
    );
}
