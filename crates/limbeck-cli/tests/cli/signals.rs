//! The program as a process: signals that end it, and what it shows on a terminal.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

use std::process::{Child, Command, Output, Stdio};

use sqlx::AssertSqlSafe;

use crate::common::World;

/// Starts the program with this test's database and revisions.
fn start(world: &World, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_limbeck"))
        .args(["--url", world.db.url(), "--revisions"])
        .arg(world.path("revisions"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a query gives 1, which the program works at.
async fn until(world: &World, sql: &str) {
    while world.query(sql).await != ["1"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

#[track_caller]
fn check(output: &Output, parts: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    for part in parts {
        assert!(err.contains(part), "{part} is not in: {err}");
    }
}

/// Whether a backend of this test's database works at a query.
fn working(query: &str) -> String {
    format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = \
         '{query}'"
    )
}

const SLEEPING: &str = "SELECT pg_sleep(600)";

#[tokio::test]
async fn signals_cancel_the_statement_and_roll_back() {
    for signal in ["-INT", "-TERM"] {
        let world = World::new("interrupt").await;
        world.revision("aaaa1", "", "CREATE TABLE a ();\nSELECT pg_sleep(600);", "");
        let child = start(&world, &["upgrade"]);
        until(&world, &working(SLEEPING)).await;
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        check(
            &output,
            &[
                "error: cancelled during the upgrade of revision aaaa1",
                "as before revision",
            ],
        );
        until(
            &world,
            &working(SLEEPING).replace("count(*)", "(1 + count(*))"),
        )
        .await;
        let left = "SELECT count(*)::text FROM pg_class WHERE relname IN ('a', 'limbeck_version')";
        assert_eq!(world.query(left).await, ["0"]);
        world.revision("aaaa1", "", "CREATE TABLE a ();\nSELECT pg_sleep(0);", "");
        assert!(start(&world, &["upgrade"]).wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_run_that_waits_is_ended_as_well() {
    let world = World::new("interrupt_waits").await;
    world.revision("aaaa1", "", "CREATE TABLE a ();", "DROP TABLE a;");
    world.ok(&["upgrade"]).await;
    world.revision("aaaa2", "aaaa1", "ALTER TABLE a ADD x int;", "");
    // For the lock of a table: between two tries it pauses for up to half a minute.
    let mut holder = world.db.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE a")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut child = start(&world, &["upgrade", "--lock-timeout", "10ms"]);
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("got no lock in try 3 of 5") {
        line.clear();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    }
    send("-TERM", &child);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("as before revision aaaa2"), "{rest}");
    // For another run.
    let lock = "SELECT pg_advisory_lock(hashtextextended('limbeck ' || current_schema() || '.limbeck_version', 0))";
    sqlx::raw_sql(AssertSqlSafe(lock.to_owned()))
        .execute(&mut holder)
        .await
        .unwrap();
    let mut child = start(&world, &["upgrade"]);
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    line.clear();
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.contains("waiting for it to end"), "{line}");
    send("-INT", &child);
    rest.clear();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("nothing was run"), "{rest}");
}

/// What tries revisions in scratch databases leaves none of them behind.
#[tokio::test]
async fn scratch_databases_go_with_the_program() {
    let world = World::new("interrupt_scratch").await;
    let marked = "SELECT pg_sleep(601)";
    world.revision("aaaa1", "", "CREATE TABLE a ();\nSELECT pg_sleep(601);", "");
    let asleep = format!(
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname LIKE 'limbeck_scratch%' AND state = 'active' AND query = \
         '{marked}'"
    );
    let scratch = "SELECT datname::text FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(601)' AND state = 'active'";
    world.write("models.json", "{\"limbeck\": 1}");
    let target = world.path("models.json").display().to_string();
    for (signal, args) in [
        ("-INT", &["verify"] as &[&str]),
        ("-TERM", &["stamp", "head"]),
        (
            "-TERM",
            &[
                "revision",
                "--autogenerate",
                "--from",
                "revisions:",
                "--target",
                &target,
            ],
        ),
    ] {
        let child = start(&world, args);
        until(&world, &asleep).await;
        let name = world.query(scratch).await.concat();
        send(signal, &child);
        check(&child.wait_with_output().unwrap(), &["error: "]);
        let left = format!("SELECT count(*)::text FROM pg_database WHERE datname = '{name}'");
        assert_eq!(world.query(&left).await, ["0"], "{args:?}");
    }
}

/// On a terminal, what takes long is shown while it runs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_shows_the_statement_that_runs() {
    let world = World::new("terminal").await;
    world.revision("aaaa1", "", "CREATE TABLE a ();\nSELECT pg_sleep(1.5);", "");
    world.revision("aaaa2", "aaaa1", "CREATE TABLE b ();", "");
    let command = format!(
        "{} --url {} --revisions {} upgrade",
        env!("CARGO_BIN_EXE_limbeck"),
        world.db.url(),
        world.path("revisions").display()
    );
    // util-linux runs the command on a terminal of its own and prints what that shows.
    let output = Command::new("script")
        .args(["-qec", &format!("stty cols 100; {command}"), "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for part in [
        "1 s revision 1 of 2 (aaaa1), statement 2 of 2: SELECT pg_sleep(1.5)",
        "revision aaaa1 done in 1.",
        "revision aaaa2 done in 0.",
    ] {
        assert!(shown.contains(part), "{part} is not in: {shown}");
    }
    let output = start(&world, &["downgrade", "base"])
        .wait_with_output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        err,
        "Running downgrade aaaa2 -> aaaa1, Do aaaa2\nRunning downgrade aaaa1 -> , Do aaaa1\n"
    );
}
