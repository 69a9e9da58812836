//! Throwaway clusters: what they offer, and that nothing of them stays behind.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use limbeck_testkit::{Binaries, Cluster};
use sqlx::{Connection, PgConnection};

fn start() -> Cluster {
    let binaries = Binaries::find().expect("this machine has a server");
    Cluster::start(&binaries).expect("a server starts")
}

async fn ask(url: &str, question: &'static str) -> String {
    let mut conn = PgConnection::connect(url).await.expect("a connection");
    sqlx::query_scalar(question)
        .fetch_one(&mut conn)
        .await
        .expect("an answer")
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits for what another process is about to do; the limit only ends a test that has failed.
#[track_caller]
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_cluster_answers_over_tcp_and_over_its_socket() {
    let cluster = start();
    let major = ask(
        &cluster.url("postgres"),
        "SELECT current_setting('server_version_num')",
    )
    .await;
    assert_eq!(
        major.parse::<u32>().expect("a number") / 10_000,
        cluster.major()
    );
    let socket = cluster.socket_dir().expect("a socket").display();
    let port = cluster.port();
    let by_socket = format!("postgresql:///template1?host={socket}&port={port}&user=postgres");
    let password = cluster.password().expect("a password");
    assert_eq!(
        ask(
            &format!("{by_socket}&password={password}"),
            "SELECT current_database()::text"
        )
        .await,
        "template1"
    );
    for url in [
        by_socket,
        format!("postgresql://postgres:wrong@127.0.0.1:{port}/postgres"),
    ] {
        let refused = PgConnection::connect(&url).await.expect_err("no password");
        let code = refused.as_database_error().and_then(|it| it.code());
        assert!(
            code.as_deref() == Some("28P01") || code.is_none(),
            "{refused}"
        );
    }
    let facts = "SELECT concat_ws(' ', current_user, current_setting('server_encoding'), upper('ä'),
        (SELECT datcollate FROM pg_database WHERE datname = 'template0'), current_setting('fsync'))";
    assert_eq!(
        ask(&cluster.url("postgres"), facts).await,
        "postgres UTF8 Ä C.UTF-8 off"
    );
}

/// No other account can reach a server that a command starts: it has no TCP port, and its socket is in a closed folder.
#[tokio::test]
async fn a_private_cluster_listens_on_its_socket_alone() {
    let binaries = Binaries::find().expect("this machine has a server");
    let cluster = Cluster::start_private(&binaries).expect("a server starts");
    let addresses = "SELECT concat_ws(' ', current_setting('listen_addresses'), inet_server_port(), (SELECT count(*) FROM \
                     pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'))";
    assert_eq!(ask(&cluster.url("template1"), addresses).await, " 0");
    let folder = cluster.socket_dir().expect("a socket");
    let mode = std::fs::metadata(folder).expect("a folder").permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
}

#[test]
fn dropping_a_cluster_ends_the_server_and_removes_its_files_and_no_other() {
    let (one, two) = (start(), start());
    let folder = one.socket_dir().expect("a socket").to_path_buf();
    let port = one.port();
    assert!(listens(port) && folder.exists());
    drop(one);
    assert!(!listens(port) && !folder.exists());
    assert!(listens(two.port()) && two.socket_dir().is_some_and(Path::exists));
}

#[test]
fn a_panic_ends_the_server_too() {
    let (send, receive) = std::sync::mpsc::channel();
    let panicked = catch_unwind(move || {
        let cluster = start();
        let folder = cluster.socket_dir().expect("a socket").to_path_buf();
        send.send((cluster.port(), folder))
            .expect("the receiver lives");
        panic!("this panic belongs to the test");
    });
    assert!(panicked.is_err());
    let (port, folder) = receive.recv().expect("the server started");
    assert!(!listens(port) && !folder.exists());
}

/// `limbeck-cluster run` with a shell script that has printed its first line.
struct Run {
    process: Child,
    line: String,
    // What the script waits for: dropping it ends a script that has lost its parent.
    _stdin: ChildStdin,
}

impl Run {
    fn script(script: &str) -> Self {
        let mut process = command(&["--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self {
            _stdin: process.stdin.take().expect("a pipe"),
            process,
            line: line.trim().to_owned(),
        }
    }

    /// The server's port and folder, which the script has printed.
    fn server(&self) -> (u16, PathBuf) {
        let (port, folder) = self.line.split_once(' ').expect("port and folder");
        (port.parse().expect("a port"), folder.into())
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -s $1 $2", "sh", name, &pid])
            .status();
        assert!(sent.expect("sh runs").success());
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limbeck-cluster"));
    command.arg("run").args(arguments).stdin(Stdio::null());
    command
}

/// Prints the server's port and folder, found by its socket, then waits to be ended, or for the end of the test.
const ANNOUNCE: &str = r#"for s in ${TMPDIR:-/tmp}/limbeck-pg-*/.s.PGSQL.$PGPORT /tmp/limbeck-pg-*/.s.PGSQL.$PGPORT; do
    if [ -S "$s" ]; then echo "$PGPORT ${s%/*}"; break; fi
done
exec cat >/dev/null"#;

#[test]
fn a_command_gets_a_server_and_its_status_comes_back() {
    let mut run = Run::script(
        "echo $LIMBECK_TEST_URL $DATABASE_URL $PGHOST:$PGPORT $PGUSER $PGPASSWORD; exit 7",
    );
    let words: Vec<&str> = run.line.split(' ').collect();
    let [test, url, address, user, password] = words[..] else {
        panic!("{}", run.line)
    };
    assert_eq!((test, user), (url, "postgres"));
    let expected = format!("postgresql://postgres:{password}@{address}/postgres");
    assert_eq!(url, expected);
    assert_eq!(run.process.wait().expect("it ends").code(), Some(7));
}

#[test]
fn an_interrupted_command_ends_with_its_server() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut run = Run::script(ANNOUNCE);
        let (port, folder) = run.server();
        assert!(listens(port) && folder.exists());
        run.signal(signal);
        assert_eq!(run.process.wait().expect("it ends").code(), Some(code));
        assert!(!listens(port) && !folder.exists());
    }
}

#[test]
fn a_killed_process_leaves_no_server_and_no_files() {
    let mut run = Run::script(ANNOUNCE);
    let (port, folder) = run.server();
    run.signal("KILL");
    run.process.wait().expect("it ends");
    eventually("the server ends and its files go", || {
        !listens(port) && !folder.exists()
    });
}

#[test]
fn a_server_whose_keeper_was_killed_too_goes_with_the_next_start() {
    let mut run = Run::script(ANNOUNCE);
    let (port, folder) = run.server();
    // The keeper is the one process that has the server's folder as its first argument.
    let kill = r#"for p in /proc/[0-9]*; do
        if tr '\0' ' ' <"$p/cmdline" 2>/dev/null | grep -q "limbeck-keeper $1 "; then kill -KILL "${p#/proc/}"; fi
    done"#;
    if !Path::new("/proc/self/cmdline").exists() {
        return;
    }
    let killed = Command::new("sh")
        .args(["-c", kill, "sh"])
        .arg(&folder)
        .status();
    assert!(killed.is_ok());
    run.signal("KILL");
    run.process.wait().expect("it ends");
    assert!(listens(port) && folder.exists());
    drop(start());
    assert!(!listens(port) && !folder.exists());
}

#[track_caller]
fn check_refused(arguments: &[&str], expected: &str) {
    let output = command(arguments).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn wrong_requests_say_what_is_wrong() {
    check_refused(
        &["--"],
        "limbeck-cluster: the command to run is missing; see limbeck-cluster --help",
    );
    check_refused(
        &["--major", "x", "--", "true"],
        "limbeck-cluster: --major needs a number",
    );
    check_refused(
        &["--minor", "1"],
        "limbeck-cluster: unknown option `--minor`",
    );
    check_refused(
        &["--", "/no/such/program"],
        "limbeck-cluster: cannot run /no/such/program: ",
    );
    check_refused(
        &["--major", "7", "--", "true"],
        "limbeck-cluster: no server binaries of PostgreSQL 7 found; searched ",
    );
}
