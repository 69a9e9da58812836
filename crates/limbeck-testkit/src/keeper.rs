//! The server process and the shell that keeps it.
//!
//! Values in statics are never dropped and a killed process drops nothing, so the end of a server cannot rest on `Drop`
//! alone. A small shell is the server's parent and holds the reading end of a pipe whose writing end is ours alone. When the
//! pipe closes, because we closed it or because this process is gone for whatever reason, the shell stops the server
//! and removes the folder. As the parent it can neither miss the server's end nor signal a stranger with a recycled pid.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::cluster::Listen;
use crate::error::{TestkitError, tail};

/// `$1` is the folder, the rest the server and its arguments. SIGQUIT is PostgreSQL's immediate shutdown: nothing here
/// is worth a checkpoint. When the server ends by itself, `exited` says so, and the folder stays for its log to be read.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
folder=$1
shift
"$@" 3<&- >>"$folder/log" 2>&1 &
server=$!
(read -r _ <&3; kill -QUIT "$server") 2>/dev/null &
watcher=$!
wait "$server"
echo "$?" >"$folder/exited"
kill "$watcher" 2>/dev/null
wait "$watcher"
read -r _ <&3
cd /
rm -rf "$folder"
"#;

/// How long a server may take to start: far beyond any start of an empty cluster, so that only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; dropping it stops the server and waits for its end.
#[derive(Debug)]
pub(crate) struct Keeper {
    shell: Child,
}

/// Why a server did not start.
pub(crate) enum Refusal {
    /// Another process took the port between our choice and the server's; choose another.
    PortTaken,
    /// Anything else.
    Error(TestkitError),
}

impl From<TestkitError> for Refusal {
    fn from(error: TestkitError) -> Self {
        Self::Error(error)
    }
}

impl Keeper {
    /// Starts the server of the cluster in `folder` on `port` and waits until it accepts connections.
    pub(crate) fn start(
        binaries: &Binaries,
        account: Account,
        folder: &Path,
        port: u16,
        listen: Listen,
    ) -> Result<Self, Refusal> {
        let log = folder.join("log");
        for stale in [&log, &folder.join("exited")] {
            match fs::remove_file(stale) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(TestkitError::file("remove", stale)(error).into());
                }
                _ => {}
            }
        }
        let mut command = account.command("sh", folder);
        command
            .args(["-c", SCRIPT, "limbeck-keeper"])
            .arg(folder)
            .arg(binaries.postgres());
        for setting in settings(folder, port, listen) {
            command.arg("-c").arg(setting);
        }
        command.arg("-D").arg(folder.join("data"));
        // A process group of its own keeps the terminal's Ctrl-C away from the keeper, which has to outlive us.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let shell = command
            .spawn()
            .map_err(TestkitError::spawn(Path::new("sh")))?;
        let mut keeper = Self { shell };
        keeper.wait_until_ready(folder, &log)?;
        Ok(keeper)
    }

    /// Waits for the status line `ready` in `postmaster.pid` (its eighth line, since PostgreSQL 10).
    fn wait_until_ready(&mut self, folder: &Path, log: &Path) -> Result<(), Refusal> {
        let pid_file = folder.join("data/postmaster.pid");
        let since = Instant::now();
        let what = loop {
            let status = fs::read_to_string(&pid_file).unwrap_or_default();
            if status
                .lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            if folder.join("exited").exists() || !matches!(self.shell.try_wait(), Ok(None)) {
                break "ended while starting";
            }
            if since.elapsed() > PATIENCE {
                break "did not become ready in time";
            }
            sleep(Duration::from_millis(5));
        };
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.contains("could not bind") || text.contains("could not create any TCP/IP sockets") {
            // The server is gone and its keeper waits to remove the folder, which the next attempt still needs.
            let _ = self.shell.kill();
            return Err(Refusal::PortTaken);
        }
        Err(TestkitError::NotReady {
            what,
            log: tail(&text, 3),
        }
        .into())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // An error means that the shell is gone already, which is what is wanted.
        let _ = self.shell.wait();
    }
}

/// Settings for a server whose data nobody will miss: no write waits for a disk.
fn settings(folder: &Path, port: u16, listen: Listen) -> Vec<String> {
    vec![
        "fsync=off".into(),
        "synchronous_commit=off".into(),
        "full_page_writes=off".into(),
        "shared_buffers=128MB".into(),
        "max_connections=200".into(),
        // pg_dump locks every table of a schema at once, and benchmarks have 10,000 of them.
        "max_locks_per_transaction=256".into(),
        "timezone=UTC".into(),
        "log_timezone=UTC".into(),
        match listen {
            Listen::Local => "listen_addresses=127.0.0.1".into(),
            Listen::Socket => "listen_addresses=".into(),
        },
        "unix_socket_permissions=0700".into(),
        format!("port={port}"),
        format!("unix_socket_directories={}", folder.display()),
    ]
}
