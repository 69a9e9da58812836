//! `limbeck-cluster run -- COMMAND`: runs a command with a PostgreSQL server of its own, which ends with the command.

use std::ffi::OsString;
use std::future::pending;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use limbeck_testkit::{Binaries, Cluster, TEST_URL};
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

const USAGE: &str = "usage: limbeck-cluster run [--major N] -- COMMAND [ARGUMENT]...

Starts a throwaway PostgreSQL server, runs the command and removes the server again, also when interrupted.
The command finds the server in LIMBECK_TEST_URL, DATABASE_URL, PGHOST, PGPORT, PGUSER and PGPASSWORD, and its
programs in LIMBECK_PG_BIN. Exits with the command's status, or with 2 when the command could not be run.

example: limbeck-cluster run --major 15 -- cargo test --workspace";

/// How long a command may take to end after an interrupt before it is killed.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let status = match parse(std::env::args_os().skip(1).collect()) {
        Ok(Some(request)) => run(request).await,
        Ok(None) => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(message) => Err(format!("{message}; see limbeck-cluster --help")),
    };
    match status {
        Ok(status) => ExitCode::from(code(status)),
        Err(message) => {
            say(&format!("limbeck-cluster: {message}"));
            ExitCode::from(2)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "stdout belongs to the command that is run"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

struct Request {
    major: Option<u32>,
    program: OsString,
    arguments: Vec<OsString>,
}

/// The request in the arguments; none where help is asked for.
fn parse(arguments: Vec<OsString>) -> Result<Option<Request>, String> {
    let mut arguments = arguments.into_iter();
    match arguments.next() {
        Some(word) if word == "run" => {}
        Some(word) if word == "--help" || word == "-h" || word == "help" => return Ok(None),
        Some(word) => return Err(format!("unknown command `{}`", word.display())),
        None => return Err("a command is missing".into()),
    }
    let mut major = None;
    let program = loop {
        let word = arguments.next().ok_or("the command to run is missing")?;
        if word == "--major" {
            let number = arguments.next().ok_or("--major needs a number")?;
            let number = number.to_str().and_then(|number| number.parse().ok());
            major = Some(number.ok_or("--major needs a number, such as 15")?);
        } else if word == "--" {
            break arguments.next().ok_or("the command to run is missing")?;
        } else if word.to_str().is_some_and(|word| word.starts_with('-')) {
            return Err(format!("unknown option `{}`", word.display()));
        } else {
            break word;
        }
    };
    Ok(Some(Request {
        major,
        program,
        arguments: arguments.collect(),
    }))
}

async fn run(request: Request) -> Result<ExitStatus, String> {
    // From here on a signal no longer ends this process, which first has a server to end.
    let mut signals = Signals::catch().map_err(|error| format!("cannot catch signals: {error}"))?;
    let binaries = request
        .major
        .map_or_else(Binaries::find, Binaries::find_major)
        .map_err(|error| error.full())?;
    let cluster = Cluster::start(&binaries).map_err(|error| error.full())?;
    let url = cluster.url("postgres");
    let mut child = tokio::process::Command::new(&request.program)
        .args(&request.arguments)
        .env(TEST_URL, &url)
        .env("DATABASE_URL", &url)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", cluster.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", cluster.password().unwrap_or_default())
        .env("LIMBECK_PG_BIN", binaries.dir())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", request.program.display()))?;
    supervise(&mut child, &mut signals)
        .await
        .map_err(|error| format!("cannot wait for {}: {error}", request.program.display()))
}

/// Waits for the command, passing signals on; after the first one it has [`GRACE`] to end.
async fn supervise(child: &mut Child, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    let mut deadline: Option<Instant> = None;
    loop {
        let overdue = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            status = child.wait() => return status,
            name = signals.next() => {
                if let Some(pid) = child.id() {
                    pass_on(name, pid);
                }
                deadline.get_or_insert_with(|| Instant::now() + GRACE);
            }
            () = overdue => {
                child.start_kill()?;
                deadline = None;
            }
        }
    }
}

/// Sends the signal to the process. The shell's own `kill` does it, since sending one takes unsafe code in Rust.
fn pass_on(name: &str, pid: u32) {
    // A failure means that the process has ended meanwhile.
    let _ = Command::new("sh")
        .args([
            "-c",
            "kill -s \"$1\" \"$2\" 2>/dev/null",
            "kill",
            name,
            &pid.to_string(),
        ])
        .status();
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next signal, as kill(1) takes it.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "INT",
            _ = self.terminate.recv() => "TERM",
            _ = self.hang_up.recv() => "HUP",
        }
    }
}

/// The status as a shell gives it: the command's own, or 128 and the signal that ended it.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(2)
}
