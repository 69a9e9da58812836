//! The program behind connections that break, go silent, or are shared with others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod pooler;
mod proxy;
mod walk;

use std::process::{Child, Command, Output, Stdio};

use limbeck_testkit::TestDb;
use proxy::{Proxy, port};
use tempfile::TempDir;

const SLEEPING: &str = "SELECT pg_sleep(600)";

/// A database, and a folder with one revision.
struct World {
    db: TestDb,
    folder: TempDir,
}

impl World {
    async fn new(label: &str, upgrade: &str) -> Self {
        let it = Self {
            db: TestDb::create(label).await,
            folder: tempfile::tempdir().unwrap(),
        };
        it.revision("aaaa1", "<base>", upgrade);
        it
    }

    fn revision(&self, id: &str, revises: &str, upgrade: &str) {
        let text = format!(
            "-- Do {id}\n--\n-- revision: {id}\n-- revises: {revises}\n\n-- upgrade\n{upgrade}\n\n-- downgrade\n"
        );
        std::fs::write(self.folder.path().join(format!("{id}.sql")), text).unwrap();
    }

    fn start(&self, url: &str, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_limbeck"))
            .args(["--url", url, "--revisions"])
            .arg(self.folder.path())
            .args(args)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, url: &str, args: &[&str]) -> Output {
        self.start(url, args).wait_with_output().unwrap()
    }

    async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(self.db.pool())
            .await
            .unwrap()
    }

    /// Waits until a query counts one.
    async fn until(&self, sql: &str) {
        while self.count(sql).await != 1 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

#[track_caller]
fn check(output: &Output, status: i32, parts: &[&str]) {
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{err}");
    for part in parts {
        assert!(err.contains(part), "{part} is not in: {err}");
    }
}

const ASLEEP: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query \
                      = 'SELECT pg_sleep(600)'";

#[tokio::test]
async fn a_run_whose_connection_went_silent_ends_when_asked_and_says_what_is_not_known() {
    for (signal, upgrade) in [
        ("-TERM", format!("CREATE TABLE a ();\n{SLEEPING};")),
        ("-INT", format!("-- segment: no transaction\n{SLEEPING};")),
        ("-HUP", format!("CREATE TABLE a ();\n{SLEEPING};")),
    ] {
        let world = World::new("silent", &upgrade).await;
        let proxy = Proxy::start(port(world.db.url()));
        let child = world.start(&proxy.url(world.db.url()), &["upgrade"]);
        world.until(ASLEEP).await;
        proxy.silence();
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        check(
            &output,
            130,
            &[
                "cancelled during the upgrade of revision aaaa1",
                "statement `SELECT pg_sleep(600)`, and the server did not answer",
                "it is not known whether that was done",
                "`limbeck current`",
            ],
        );
        assert!(!String::from_utf8_lossy(&output.stderr).contains("as before"));
    }
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_a_run_that_a_cancel_does_not_end() {
    let world = World::new("twice", &format!("CREATE TABLE a ();\n{SLEEPING};")).await;
    let proxy = Proxy::start(port(world.db.url()));
    let child = world.start(&proxy.url(world.db.url()), &["upgrade"]);
    world.until(ASLEEP).await;
    proxy.silence();
    send("-INT", &child);
    send("-INT", &child);
    check(
        &child.wait_with_output().unwrap(),
        130,
        &["the server did not answer"],
    );
}

#[tokio::test]
async fn other_commands_end_as_well_when_the_server_is_silent() {
    for args in [
        &["current"] as &[&str],
        &["inspect"],
        &["verify"],
        &["stamp", "head", "--unchecked"],
        &["ensure-version"],
        &["history", "-i"],
    ] {
        let world = World::new("silent", "CREATE TABLE a ();").await;
        let proxy = Proxy::start(port(world.db.url()));
        proxy.silence();
        let mut child = world.start(&proxy.url(world.db.url()), args);
        // It has its handlers by the time that it connects.
        while proxy.n_clients() == 0 {
            assert_eq!(child.try_wait().unwrap(), None, "{args:?}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        send("-TERM", &child);
        let output = child.wait_with_output().unwrap();
        check(&output, 130, &["error: "]);
    }
}

#[tokio::test]
async fn a_pooler_that_shares_connections_between_transactions_is_refused_and_nothing_stays_locked()
{
    let world = World::new("pooled", "CREATE TABLE a ();").await;
    let url = pooler::url(world.db.url());
    for args in [&["upgrade"] as &[&str], &["stamp", "head", "--unchecked"]] {
        check(
            &world.run(&url, args),
            2,
            &[
                "goes through a pooler that shares server connections between transactions",
                "pool_mode = session",
            ],
        );
    }
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database \
                WHERE datname = current_database())";
    assert_eq!(world.count(left).await, 0);
    let made =
        "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'limbeck_version', 'limbeck_log')";
    assert_eq!(world.count(made).await, 0);
    // One that keeps a connection for each client is none of that sort.
    let proxy = Proxy::start(port(world.db.url()));
    check(&world.run(&proxy.url(world.db.url()), &["upgrade"]), 0, &[]);
}

#[tokio::test]
async fn a_cut_connection_says_whether_the_transaction_was_to_be_committed() {
    let world = World::new("cut", "CREATE TABLE a ();").await;
    let direct = Proxy::start(port(world.db.url()));
    check(
        &world.run(&direct.url(world.db.url()), &["upgrade"]),
        0,
        &[],
    );
    world.revision(
        "aaaa2",
        "aaaa1",
        &format!("CREATE TABLE b ();\n{SLEEPING};"),
    );
    let proxy = Proxy::start(port(world.db.url()));
    let child = world.start(&proxy.url(world.db.url()), &["upgrade"]);
    world.until(ASLEEP).await;
    proxy.cut();
    check(
        &child.wait_with_output().unwrap(),
        2,
        &[
            "the connection was lost during the upgrade of revision aaaa2",
            "PostgreSQL rolls back what was not committed",
        ],
    );
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND datname = \
               current_database()";
    world.count(end).await;
}
