//! Runs on a real server: up, down, failures, and where the database stands after them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod locks;
mod scripts;
mod standing;
mod take_up;

use common::World;
use limbeck_runner::{RunnerError, Transactions, script};
use limbeck_schema::Name;
use limbeck_testkit::{TestDb, dump_objects, pg_dump, psql};

#[tokio::test]
async fn revisions_go_up_and_down_with_their_rows() {
    let mut world = World::new("updown").await;
    world.tables(3);
    assert_eq!(world.upgrade("+1").await.unwrap(), 1);
    assert_eq!(world.rows().await, ["r001"]);
    assert_eq!(world.upgrade("heads").await.unwrap(), 2);
    assert_eq!(world.said[0], "Running upgrade r001 -> r002, Do r002.");
    assert_eq!(world.table_names().await, ["t1", "t2", "t3"]);
    assert_eq!(world.upgrade("heads").await.unwrap(), 0);
    assert_eq!(world.downgrade("-1").await.unwrap(), 1);
    assert_eq!(world.said[0], "Running downgrade r003 -> r002, Do r003.");
    assert_eq!(world.downgrade("base").await.unwrap(), 2);
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec![], vec![])
    );
    let log = world
        .query("SELECT revision || ' ' || direction FROM limbeck_log ORDER BY id")
        .await;
    assert_eq!(
        log,
        [
            "r001 upgrade",
            "r002 upgrade",
            "r003 upgrade",
            "r003 downgrade",
            "r002 downgrade",
            "r001 downgrade"
        ]
    );
    let complete = "SELECT count(*)::text FROM limbeck_log WHERE duration >= '0' AND by = session_user AND error IS NULL";
    assert_eq!(world.query(complete).await, ["6"]);
}

#[tokio::test]
async fn reading_creates_nothing() {
    let mut world = World::new("reading").await;
    assert_eq!(world.rows().await, Vec::<String>::new());
    assert_eq!(world.upgrade("heads").await.unwrap(), 0);
    world.runner().await.current().await.unwrap();
    let tables = world
        .query("SELECT relname::text FROM pg_class WHERE relname ~ 'limbeck'")
        .await;
    assert_eq!(tables, Vec::<String>::new());
}

#[tokio::test]
async fn a_failing_revision_leaves_the_database_as_before_and_names_the_statement() {
    let mut world = World::new("failing").await;
    world.tables(1);
    world.revision(
        "r002",
        "r001",
        "CREATE TABLE t2 (id int);\n\n-- why\nINSERT INTO t9\nVALUES (1);",
        "",
    );
    let error = world.upgrade("heads").await.unwrap_err();
    assert_eq!(
        world.text(&error),
        "upgrade of revision r002 at r002.sql:10, statement `INSERT INTO t9 VALUES (1)` failed: relation \"t9\" does not \
         exist (SQLSTATE 42P01); the database is as before revision r002"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec!["r001".to_owned()], vec!["t1".to_owned()])
    );
    // A first revision that fails leaves no tables of Limbeck's either.
    let mut empty = World::new("failing").await;
    empty.revision("r001", "", "SELECT 1/0;", "");
    assert!(
        empty
            .upgrade_error("heads")
            .await
            .contains("division by zero (SQLSTATE 22012)")
    );
    assert_eq!(
        empty
            .query("SELECT relname::text FROM pg_class WHERE relname ~ 'limbeck'")
            .await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn deferred_constraints_fail_at_the_commit() {
    let mut world = World::new("deferred").await;
    let up = "CREATE TABLE a (id int PRIMARY KEY, up int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1, 2);";
    world.revision("r001", "", up, "");
    let error = world.upgrade("heads").await.unwrap_err();
    let text = world.text(&error);
    assert!(
        text.contains("statement `COMMIT` failed") && text.contains("SQLSTATE 23503"),
        "{text}"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn mistakes_in_any_file_stop_the_run_before_its_first_statement() {
    let mut world = World::new("mistakes").await;
    world.tables(1);
    world.revision("r002", "r001", "CREATE TABLE t2 (id int);\nCOMMIT;", "");
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("r002.sql:8, statement `COMMIT` begins or ends a transaction"),
        "{text}"
    );
    world.revision("r002", "r001", "SELECT 'open;", "");
    let text = world.upgrade_error("heads").await;
    assert!(
        text.starts_with("r002.sql:7: the string that starts here is not closed"),
        "{text}"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec![], vec![])
    );
}

const SEGMENTS: &str = "-- segment: transaction
CREATE TABLE t1 (id int);
-- segment: no transaction
CREATE INDEX CONCURRENTLY i1 ON t1 (id);
CREATE INDEX CONCURRENTLY i2 ON t2 (id);
-- segment: transaction
CREATE TABLE t3 (id int);";

#[tokio::test]
async fn a_stopped_revision_goes_on_where_it_stopped() {
    let mut world = World::new("segments").await;
    world.revision("r001", "", SEGMENTS, "DROP TABLE t1, t2, t3;");
    let text = world.upgrade_error("heads").await;
    assert_eq!(
        text,
        "upgrade of revision r001 at r001.sql:11, statement `CREATE INDEX CONCURRENTLY i2 ON t2 (id)` failed: relation \
         \"t2\" does not exist (SQLSTATE 42P01); segment 1 and statement 1 of segment 2 stay in force; run the \
         same command again to go on at this statement"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec![], vec!["i1".to_owned(), "t1".to_owned()])
    );
    let half_done = world
        .runner()
        .await
        .current()
        .await
        .unwrap()
        .half_done
        .unwrap();
    assert_eq!(
        (half_done.segment, half_done.segments, half_done.statement),
        (2, 3, Some(2))
    );
    // Nothing else is run meanwhile.
    let text = world.downgrade_error("base").await;
    assert!(
        text.contains("stopped in segment 2 of 3 at its statement 2")
            && text.contains("finish it with `limbeck upgrade r001`"),
        "{text}"
    );
    world.execute("CREATE TABLE t2 (id int)").await;
    assert_eq!(world.upgrade("heads").await.unwrap(), 1);
    assert_eq!(
        world.said[1],
        "revision r001 goes on with segment 2 of 3 at its statement 2, where an earlier run stopped"
    );
    assert_eq!(world.table_names().await, ["i1", "i2", "t1", "t2", "t3"]);
    assert_eq!(world.rows().await, ["r001"]);
    assert_eq!(world.downgrade("base").await.unwrap(), 1);
    assert_eq!(world.table_names().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_killed_run_takes_up_statements_that_were_done_or_left_invalid() {
    for invalid in [false, true] {
        let mut world = World::new("killed").await;
        world.execute("CREATE TABLE t2 (id int)").await;
        world.revision("r001", "", SEGMENTS, "");
        let checksum = world
            .history()
            .directory
            .read(&"r001".parse().unwrap())
            .unwrap()
            .checksum();
        // What a run leaves that was killed after the server had built i1, or while it was building it.
        world.runner().await.ensure_version().await.unwrap();
        world
            .execute("CREATE TABLE t1 (id int); CREATE INDEX i1 ON t1 (id)")
            .await;
        if invalid {
            world
                .execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i1'::regclass")
                .await;
        }
        world
            .execute(&format!(
                "INSERT INTO limbeck_log (revision, direction, segment, segments, statement, checksum, started, finished) \
                 VALUES ('r001', 'upgrade', 1, 3, NULL, '{checksum}', now(), now()), \
                 ('r001', 'upgrade', 2, 3, 1, '{checksum}', now(), NULL)"
            ))
            .await;
        assert_eq!(world.upgrade("heads").await.unwrap(), 1);
        assert!(
            world.said.iter().any(|it| it.contains(if invalid {
                "had left the index public.i1 invalid; it is dropped and built anew"
            } else {
                "was done by the run that was broken off"
            })),
            "{:?}",
            world.said
        );
        let valid = world
            .query(
                "SELECT bool_and(indisvalid)::text FROM pg_index WHERE indrelid = 't1'::regclass",
            )
            .await;
        assert_eq!(valid, ["true"]);
        assert_eq!(world.table_names().await, ["i1", "i2", "t1", "t2", "t3"]);
    }
}

#[tokio::test]
async fn a_stamp_settles_what_was_left_half_done() {
    let mut world = World::new("settles").await;
    world.revision("r001", "", SEGMENTS, "");
    world.upgrade("heads").await.unwrap_err();
    let (history, mut runner) = (world.history(), world.runner().await);
    runner
        .stamp(&history, &["r001"], false, &mut |_| ())
        .await
        .unwrap();
    assert_eq!(runner.current().await.unwrap().half_done, None);
    assert_eq!(world.upgrade("heads").await.unwrap(), 0);
    runner
        .stamp(&history, &["base"], false, &mut |_| ())
        .await
        .unwrap();
    assert_eq!(world.rows().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_connection_is_reported_and_the_next_run_goes_on() {
    let mut world = World::new("lost").await;
    world.tables(1);
    let kill = "SELECT pg_terminate_backend(pg_backend_pid()) WHERE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'calm');";
    world.revision(
        "r002",
        "r001",
        &format!("CREATE TABLE t2 (id int);\n{kill}"),
        "",
    );
    let error = world.upgrade("heads").await.unwrap_err();
    assert!(
        matches!(error, RunnerError::ConnectionLost { .. }),
        "{error:?}"
    );
    let text = world.text(&error);
    assert!(
        text.contains("during the upgrade of revision r002 at r002.sql:8")
            && text.contains("limbeck current"),
        "{text}"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec!["r001".to_owned()], vec!["t1".to_owned()])
    );
    world.execute("CREATE TABLE calm ()").await;
    assert_eq!(world.upgrade("heads").await.unwrap(), 1);
    assert_eq!(world.rows().await, ["r002"]);
}

/// A run that dies at every statement boundary, inside and outside of transactions, once each.
#[tokio::test]
async fn a_run_killed_at_every_boundary_ends_where_an_undisturbed_one_does() {
    check_boundaries(Transactions::Segment).await;
}

#[tokio::test]
async fn so_does_one_with_a_transaction_for_each_revision() {
    check_boundaries(Transactions::Revision).await;
}

#[tokio::test]
async fn so_does_one_that_is_one_transaction() {
    check_boundaries(Transactions::Run).await;
}

async fn check_boundaries(transaction: Transactions) {
    let (mut world, mut calm) = (
        World::new("boundaries").await,
        World::new("boundaries").await,
    );
    world.options.transaction = transaction;
    calm.options.transaction = transaction;
    let outside = match transaction {
        Transactions::Segment => ("no transaction", "CONCURRENTLY "),
        Transactions::Revision | Transactions::Run => ("transaction", ""),
    };
    let mut boundaries = 0;
    for at in 1..=10 {
        let before = if at == 1 {
            String::new()
        } else {
            format!("r{:03}", at - 1)
        };
        let mut boundary = || {
            boundaries += 1;
            format!("SELECT boundary({boundaries});")
        };
        let mut lines = vec![
            boundary(),
            format!("CREATE TABLE t{at} (id int);"),
            boundary(),
        ];
        if at % 3 == 0 {
            lines.insert(0, "-- segment: transaction".to_owned());
            lines.push(format!("-- segment: {}", outside.0));
            lines.extend([
                boundary(),
                format!("CREATE INDEX {}i{at} ON t{at} (id);", outside.1),
                boundary(),
            ]);
            if at % 2 == 0 {
                lines.extend([
                    "-- segment: transaction".to_owned(),
                    format!("ALTER TABLE t{at} ADD a int;"),
                    boundary(),
                ]);
            }
        }
        for it in [&world, &calm] {
            it.revision(&format!("r{at:03}"), &before, &lines.join("\n"), "");
        }
    }
    let function = |body: &str| {
        format!("CREATE FUNCTION boundary(n int) RETURNS text LANGUAGE sql AS $$ {body} $$")
    };
    // A sequence remembers across rollbacks that its boundary has killed already.
    let kill = "SELECT pg_terminate_backend(pg_backend_pid())::text FROM nextval('killed_' || n) AS times WHERE times = 1";
    world.execute(&function(kill)).await;
    calm.execute(&function("SELECT 'calm'")).await;
    for n in 1..=boundaries {
        world.execute(&format!("CREATE SEQUENCE killed_{n}")).await;
    }
    let mut kills = 0;
    while let Err(error) = world.upgrade("heads").await {
        assert!(
            matches!(error, RunnerError::ConnectionLost { .. }),
            "{error}"
        );
        kills += 1;
        assert!(kills <= boundaries, "no progress: {error}");
    }
    assert_eq!(kills, boundaries);
    calm.upgrade("heads").await.unwrap();
    let objects = async |it: &World| (it.table_names().await, it.rows().await);
    assert_eq!(objects(&world).await, objects(&calm).await);
    let finished =
        "SELECT revision || ' ' || segment FROM limbeck_log WHERE finished IS NOT NULL ORDER BY id";
    assert_eq!(world.query(finished).await, calm.query(finished).await);
}

#[tokio::test]
async fn two_runs_at_once_apply_each_revision_once() {
    let mut world = World::new("twice").await;
    world.tables(5);
    world.revision("r006", "r005", "SELECT pg_sleep(0.2);", "");
    let history = world.history();
    let (mut one, mut two) = (world.runner().await, world.runner().await);
    let (mut silent, mut silent_too) = (
        |_: limbeck_runner::Event<'_>| (),
        |_: limbeck_runner::Event<'_>| (),
    );
    let (first, second) = tokio::join!(
        one.upgrade(&history, "heads", &mut silent),
        two.upgrade(&history, "heads", &mut silent_too)
    );
    assert_eq!(first.unwrap() + second.unwrap(), 6);
    assert_eq!(
        world.query("SELECT count(*)::text FROM limbeck_log").await,
        ["6"]
    );
    assert_eq!(world.upgrade("heads").await.unwrap(), 0);
}

/// `CREATE INDEX CONCURRENTLY` waits for every older snapshot, also for that of a session that waits for a lock.
#[tokio::test]
async fn a_run_that_waits_does_not_hold_up_one_that_builds_an_index_concurrently() {
    let world = World::new("concurrently").await;
    world.tables(1);
    world.revision(
        "r002",
        "r001",
        "SELECT pg_sleep(0.3);\n-- segment: no transaction\nCREATE INDEX CONCURRENTLY i1 ON t1 (id);",
        "",
    );
    world.revision(
        "r003",
        "r002",
        "-- segment: no transaction\nCREATE INDEX CONCURRENTLY i2 ON t1 (id);\nDROP INDEX CONCURRENTLY i1;",
        "",
    );
    let history = world.history();
    let (mut one, mut two) = (world.runner().await, world.runner().await);
    let (mut silent, mut silent_too) = (
        |_: limbeck_runner::Event<'_>| (),
        |_: limbeck_runner::Event<'_>| (),
    );
    let (first, second) = tokio::join!(
        one.upgrade(&history, "heads", &mut silent),
        two.upgrade(&history, "heads", &mut silent_too)
    );
    assert_eq!(first.unwrap() + second.unwrap(), 3);
    assert_eq!(world.table_names().await, ["i2", "t1"]);
}

#[tokio::test]
async fn a_cancelled_run_rolls_back() {
    let world = World::new("cancelled").await;
    world.revision(
        "r001",
        "",
        "CREATE TABLE t1 (id int);\nSELECT pg_sleep(600);",
        "",
    );
    let (history, mut runner) = (world.history(), world.runner().await);
    let canceller = runner.canceller();
    let asleep = async {
        let sleeping = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND \
                        query = 'SELECT pg_sleep(600)' AND state = 'active'";
        while world.query(sleeping).await != ["1"] {}
        canceller.cancel(&settings(world.db.url())).await.unwrap();
    };
    let mut silent = |_: limbeck_runner::Event<'_>| ();
    let (done, ()) = tokio::join!(runner.upgrade(&history, "heads", &mut silent), asleep);
    let error = done.unwrap_err();
    assert!(
        error.is_cancelled() && world.text(&error).contains("as before revision r001"),
        "{error}"
    );
    assert_eq!(
        (world.rows().await, world.table_names().await),
        (vec![], vec![])
    );
}

#[tokio::test]
async fn changed_files_are_reported() {
    let mut world = World::new("changed").await;
    world.tables(2);
    world.upgrade("heads").await.unwrap();
    world.revision("r001", "", "CREATE TABLE t1 (id bigint);", "DROP TABLE t1;");
    let current = world.runner().await.current().await.unwrap();
    let changed = current.changed(&world.history()).unwrap();
    assert_eq!(
        changed,
        ["the file of revision r001 changed since it was applied"]
    );
    world.tables(3);
    world.revision("r001", "", "CREATE TABLE t1 (id bigint);", "DROP TABLE t1;");
    world.upgrade("heads").await.unwrap();
    assert_eq!(
        world.said[0],
        "warning: the file of revision r001 changed since it was applied"
    );
}

#[tokio::test]
async fn settings_of_a_revision_do_not_reach_the_next_one() {
    let mut world = World::new("settings").await;
    world.revision(
        "r001",
        "",
        "CREATE SCHEMA other;\nSET search_path = other;\nSET ROLE pg_monitor;",
        "",
    );
    world.revision("r002", "r001", "CREATE TABLE t1 (id int);", "");
    world.upgrade("heads").await.unwrap();
    assert_eq!(world.table_names().await, ["t1"]);
}

#[tokio::test]
async fn an_alembic_version_table_is_used_as_it_is() {
    let mut world = World::new("alembic").await;
    world.tables(2);
    world.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES ('r001')").await;
    world.execute("CREATE TABLE t1 (id int)").await;
    world.options.version_table = Name::plain("alembic_version");
    assert_eq!(world.upgrade("heads").await.unwrap(), 1);
    assert_eq!(
        world
            .query("SELECT version_num::text FROM alembic_version")
            .await,
        ["r002"]
    );
}

#[tokio::test]
async fn rows_that_nobody_knows_are_named_and_purged() {
    let mut world = World::new("purge").await;
    world.tables(1);
    world.runner().await.ensure_version().await.unwrap();
    world
        .execute("INSERT INTO limbeck_version VALUES ('beef')")
        .await;
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("'beef'") && text.contains("--purge"),
        "{text}"
    );
    world
        .execute("UPDATE limbeck_version SET version_num = 'a b'")
        .await;
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("limbeck_version holds \"a b\", which is no revision id"),
        "{text}"
    );
    let (history, mut runner) = (world.history(), world.runner().await);
    runner
        .stamp(&history, &["heads"], true, &mut |_| ())
        .await
        .unwrap();
    assert_eq!(world.rows().await, ["r001"]);
}

#[tokio::test]
async fn stated_hazards_stop_a_run_that_refuses_them() {
    let mut world = World::new("hazards").await;
    world.revision(
        "r001",
        "",
        "CREATE TABLE t1 (id int);",
        "-- hazard deletes-data: all rows go\nDROP TABLE t1;",
    );
    world.options.refuse_hazards = true;
    assert_eq!(world.upgrade("heads").await.unwrap(), 1);
    let text = world.downgrade_error("base").await;
    assert!(
        text.contains("downgrade of revision r001 states hazards (deletes-data)")
            && text.contains("--accept-hazards"),
        "{text}"
    );
    world.options.refuse_hazards = false;
    assert_eq!(world.downgrade("base").await.unwrap(), 1);
}

#[tokio::test]
async fn a_script_does_what_a_run_does() {
    let mut world = World::new("script").await;
    world.tables(2);
    world.revision(
        "r003",
        "r002",
        SEGMENTS.replace("t1 ", "t4 ").replace("t3", "t5").as_str(),
        "DROP TABLE t4, t5;\nDROP INDEX i2",
    );
    let history = world.history();
    let steps = history.graph.upgrade("heads", &[]).unwrap();
    let text = script(&history, &steps, &[], &world.options).unwrap();
    world.upgrade("heads").await.unwrap();
    let other = TestDb::create("script").await;
    psql(other.url(), &text).unwrap();
    let dump = |db: &TestDb| {
        let objects = dump_objects(&pg_dump(db.url()).unwrap());
        objects
            .into_iter()
            .filter(|it| !it.contains("limbeck_log"))
            .collect::<Vec<_>>()
    };
    assert_eq!(dump(&other), dump(&world.db));
    let rows = vec!["r003".parse().unwrap()];
    let back = script(
        &history,
        &history.graph.downgrade("base", &rows).unwrap(),
        &rows,
        &world.options,
    )
    .unwrap();
    psql(other.url(), &back).unwrap();
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM limbeck_version")
        .fetch_one(other.pool())
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// The settings of a URL.
fn settings(url: &str) -> limbeck_connect::Settings {
    limbeck_connect::Settings::parse(url, limbeck_connect::Origin::Program).unwrap()
}
