//! Signals that end a command: Ctrl-C, `SIGTERM` as deployments send it, and `SIGHUP` as a closed terminal does.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a program that is to end may still wait for a server.
const LAST_WAIT: Duration = Duration::from_millis(2500);

/// Whether the process is the program, which may end it.
static IS_PROGRAM: AtomicBool = AtomicBool::new(false);

/// How a command is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// By Ctrl-C: it may take the time it needs, unless asked again.
    Interrupt,
    /// By `SIGTERM` or `SIGHUP`: something else follows soon.
    Terminate,
}

/// The signals since it was made; none gets lost between two waits.
pub(crate) struct Signals {
    #[cfg(unix)]
    streams: [Option<tokio::signal::unix::Signal>; 3],
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn new() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let hangup = (!ignores_hangup())
                .then(|| signal(SignalKind::hangup()).ok())
                .flatten();
            Self {
                streams: [
                    signal(SignalKind::interrupt()).ok(),
                    signal(SignalKind::terminate()).ok(),
                    hangup,
                ],
            }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Request {
        async fn of(stream: &mut Option<tokio::signal::unix::Signal>) {
            if let Some(it) = stream
                && it.recv().await.is_some()
            {
                return;
            }
            // Without a handler the signal ends the process by itself.
            std::future::pending().await
        }
        let [interrupt, terminate, hangup] = &mut self.streams;
        tokio::select! {
            () = of(interrupt) => Request::Interrupt,
            () = of(terminate) => Request::Terminate,
            () = of(hangup) => Request::Terminate,
        }
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Request {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Request::Interrupt
    }
}

/// Whether the process was started to outlive its terminal, as `nohup` does it. Only Linux tells without unsafe code.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|it| it.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1, the lowest bit.
    ignored.is_some_and(|it| u64::from_str_radix(it.trim(), 16).is_ok_and(|it| it & 1 == 1))
}

/// Waits for a signal that ends the command, and sees to it that the program ends soon: what is dropped next may wait for
/// a server too.
pub(crate) async fn interrupted() {
    Signals::new().next().await;
    end_soon();
}

/// Says that this process is the program.
pub(crate) fn is_program() {
    IS_PROGRAM.store(true, Ordering::SeqCst);
}

/// Ends the program soon, whatever it still waits for: a connection that went silent answers to nothing.
pub(crate) fn end_soon() {
    if IS_PROGRAM.load(Ordering::SeqCst) {
        std::thread::spawn(|| {
            std::thread::sleep(LAST_WAIT);
            let _ = writeln!(
                std::io::stderr(),
                "error: interrupted, and a server did not answer in time; what was begun there ends by itself"
            );
            std::process::exit(130);
        });
    }
}
