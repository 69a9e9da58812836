//! Histories and databases that do not fit: tables and files that are gone, headers that nobody wrote so, locks of others.

use std::time::Duration;

use crate::common::World;
use limbeck_runner::{Event, RunnerError, script};
use limbeck_testkit::{TestDb, psql};

#[tokio::test]
async fn a_version_table_that_vanished_is_no_new_database() {
    let mut world = World::new("vanished").await;
    world.tables(2);
    world.upgrade("heads").await.unwrap();
    world.execute("DROP TABLE limbeck_version").await;
    for text in [
        world.upgrade_error("heads").await,
        world.downgrade_error("base").await,
        world
            .runner()
            .await
            .current()
            .await
            .unwrap_err()
            .to_string(),
    ] {
        assert!(
            text.contains("the version table public.limbeck_version is not there")
                && text.contains("revisions were run, r002 last")
                && text.contains("limbeck stamp"),
            "{text}"
        );
    }
    let (history, mut runner) = (world.history(), world.runner().await);
    runner
        .stamp(&history, &["r002"], false, &mut |_| ())
        .await
        .unwrap();
    assert_eq!(world.upgrade("heads").await.unwrap(), 0);
    // One that was brought back to the base may begin anew.
    world.downgrade("base").await.unwrap();
    world.execute("DROP TABLE limbeck_version").await;
    assert_eq!(world.upgrade("heads").await.unwrap(), 2);
}

#[tokio::test]
async fn an_applied_revision_without_a_file_is_named() {
    let mut world = World::new("gone").await;
    world.tables(3);
    world.upgrade("heads").await.unwrap();
    std::fs::remove_file(world.folder.path().join("r002.sql")).unwrap();
    world.revision(
        "r003",
        "r001",
        "CREATE TABLE t3 (id int);",
        "DROP TABLE t3;",
    );
    world.upgrade("heads").await.unwrap();
    let said = world.said.join("\n");
    assert!(
        said.contains("the log says that revision r002 is applied, and its file is gone"),
        "{said}"
    );
    std::fs::remove_file(world.folder.path().join("r003.sql")).unwrap();
    let text = world.upgrade_error("heads").await;
    assert!(
        text.contains("'r003'") && text.contains("restore its file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_checksum_that_no_squash_wrote_hides_no_edit() {
    let mut world = World::new("forged").await;
    world.tables(2);
    world.upgrade("heads").await.unwrap();
    let sum = |world: &World| {
        let id = "r001".parse().unwrap();
        world.history().directory.read(&id).unwrap().checksum()[..16].to_owned()
    };
    let old = sum(&world);
    let path = world.revision("r001", "", "CREATE TABLE t1 (id bigint);", "DROP TABLE t1;");
    let new = sum(&world);
    let text = std::fs::read_to_string(&path).unwrap();
    for more in ["", "-- replaces: r000\n"] {
        let forged = text.replace(
            "-- revises: <base>\n",
            &format!("-- revises: <base>\n{more}-- checksum: {new}, was {old}\n"),
        );
        std::fs::write(&path, forged).unwrap();
        let changed = world.runner().await.current().await.unwrap();
        let changed = changed.changed(&world.history()).unwrap().join("\n");
        // The first revision of a log may have followed one from before it.
        assert_eq!(
            changed.contains("the file of revision r001 changed since it was applied"),
            more.is_empty(),
            "{changed}"
        );
    }
}

#[tokio::test]
async fn a_run_that_waits_names_the_one_that_has_the_lock_and_waits_as_long_as_it_is_told() {
    let mut world = World::new("waits").await;
    world.tables(1);
    world.revision("r002", "r001", "SELECT pg_sleep(600);", "");
    let (history, mut first) = (world.history(), world.runner().await);
    let mut silent = |_: Event<'_>| ();
    let holding = first.upgrade(&history, "heads", &mut silent);
    let looking = async {
        let asleep = "SELECT pid::text FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active' AND \
                      datname = current_database()";
        let pid = loop {
            if let Some(pid) = world.query(asleep).await.pop() {
                break pid;
            }
        };
        for wait in [Duration::ZERO, Duration::from_millis(50)] {
            world.options.lock_wait = Some(wait);
            let error = world.upgrade("heads").await.unwrap_err();
            assert!(matches!(error, RunnerError::Busy { .. }), "{error:?}");
            let text = error.to_string();
            for part in [
                "another run has the lock of the version table public.limbeck_version",
                &format!("server process {pid}, of user "),
                "connected since 20",
                "active since 20",
                "statement `SELECT pg_sleep(600)`",
                &format!("SELECT pg_terminate_backend({pid})"),
            ] {
                assert!(text.contains(part), "{part} is not in: {text}");
            }
            let waited = world
                .said
                .iter()
                .any(|it| it.contains(&format!("waiting for it to end: server process {pid}")));
            assert_eq!(waited, !wait.is_zero(), "{:?}", world.said);
        }
        world
            .execute(&format!("SELECT pg_cancel_backend({pid})"))
            .await;
    };
    let (done, ()) = tokio::join!(holding, looking);
    done.unwrap_err();
}

#[tokio::test]
async fn a_script_stops_before_it_changes_a_database_that_it_is_not_for() {
    let world = World::new("guarded").await;
    world.tables(3);
    let history = world.history();
    let of = |from: &[&str], to: &str| {
        let rows: Vec<_> = from.iter().map(|it| it.parse().unwrap()).collect();
        let steps = history.graph.upgrade(to, &rows).unwrap();
        script(&history, &steps, &rows, &world.options).unwrap()
    };
    let db = TestDb::create("guarded").await;
    let (first, second) = (of(&[], "r001"), of(&["r001"], "heads"));
    let refused = |script: &str| psql(db.url(), script).unwrap_err().to_string();
    assert!(refused(&second).contains("limbeck_version"));
    psql(db.url(), &first).unwrap();
    assert!(refused(&first).contains("the database is not before it"));
    psql(db.url(), &second).unwrap();
    assert!(refused(&second).contains("the database is not at r001"));
    assert!(refused(&of(&[], "heads")).contains("the database is not before it"));
    let rows: Vec<String> = sqlx::query_scalar("SELECT version_num::text FROM limbeck_version")
        .fetch_all(db.pool())
        .await
        .unwrap();
    assert_eq!(rows, ["r003"]);
}

#[tokio::test]
async fn settings_of_a_revision_end_with_it_in_scripts_as_in_runs() {
    let world = World::new("scripted").await;
    world.revision(
        "r001",
        "",
        "SET statement_timeout = '1min';\nSELECT set_config('search_path', '', false);\nCREATE TABLE public.t1 (id int);\nSET \
         SESSION AUTHORIZATION pg_monitor;",
        "",
    );
    world.revision(
        "r002",
        "r001",
        "-- segment: no transaction\nSET ROLE pg_monitor;",
        "",
    );
    world.revision(
        "r003",
        "r002",
        "CREATE TABLE t2 AS SELECT current_setting('statement_timeout') || current_user = '0' || session_user AS it;",
        "",
    );
    let history = world.history();
    let steps = history.graph.upgrade("heads", &[]).unwrap();
    let text = script(&history, &steps, &[], &world.options).unwrap();
    let without_psql: String = text
        .lines()
        .filter(|it| !it.starts_with('\\'))
        .map(|it| format!("{it}\n"))
        .collect();
    assert!(limbeck_sql::split(&without_psql).is_ok());
    psql(world.db.url(), &text).unwrap();
    assert_eq!(world.query("SELECT it::text FROM t2").await, ["true"]);
    assert_eq!(world.rows().await, ["r003"]);
}
