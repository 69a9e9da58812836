//! A bridge between the driver, which opens sockets by itself, and a server: for TLS connections that the driver cannot
//! make, and for watching what a server asks for.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

/// How long the end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much is passed on at once.
const CHUNK: usize = 64 << 10;

/// The longest path that a socket may have on all systems.
const LONGEST_PATH: usize = 100;

/// A connection to a server, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a bridge has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Sights>>);

#[derive(Debug, Default)]
struct Sights {
    /// The server asked for the password as it is.
    cleartext: bool,
    /// Why the server's side ended.
    error: Option<io::Error>,
}

impl Seen {
    fn note(&self, change: impl FnOnce(&mut Sights)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn cleartext(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cleartext
    }

    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .error
            .take()
    }
}

/// How many bridges there are.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Waits until what was written to connections that are closed has been sent on, half a second at most. A program calls it
/// before its runtime ends, so that the server gets the goodbye of every connection.
pub async fn settle() {
    const STEP: Duration = Duration::from_millis(5);
    for _ in 0..100 {
        if LIVE.load(Ordering::Acquire) == 0 {
            return;
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Counts a bridge as long as it is there.
struct Counted;

impl Counted {
    fn new() -> Self {
        LIVE.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A socket for one connection of the driver's, in a folder that only this account can enter.
pub(crate) struct Bridge {
    folder: tempfile::TempDir,
    pub(crate) seen: Seen,
}

impl Bridge {
    /// Opens the socket and passes on what is written to it, on a task that ends with either side.
    ///
    /// # Errors
    /// If no socket can be made in the folder for temporary files.
    pub(crate) fn start(server: Box<dyn Stream>, port: u16) -> io::Result<Self> {
        let folder = private_folder()?;
        let listener = UnixListener::bind(socket(folder.path(), port))?;
        let seen = Seen::default();
        let (counted, task) = (Counted::new(), pass_on(listener, server, seen.clone()));
        tokio::spawn(async move {
            task.await;
            drop(counted);
        });
        Ok(Self { folder, seen })
    }

    /// Returns the folder of the socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn private_folder() -> io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("limbeck-")
        .permissions(std::fs::Permissions::from_mode(0o700));
    let folder = builder.tempdir()?;
    match socket(folder.path(), u16::MAX).as_os_str().len() > LONGEST_PATH {
        true => builder.tempdir_in("/tmp"),
        false => Ok(folder),
    }
}

/// The path that PostgreSQL's clients look for.
fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

async fn pass_on(listener: UnixListener, server: Box<dyn Stream>, seen: Seen) {
    let Ok((driver, _)) = listener.accept().await else {
        return;
    };
    drop(listener);
    let (server_read, mut server_write) = tokio::io::split(server);
    let (mut driver_read, driver_write) = driver.into_split();
    let up = tokio::io::copy(&mut driver_read, &mut server_write);
    let down = back(server_read, driver_write, &seen);
    tokio::select! {
        _ = up => {
            // The driver is done. What it wrote last, its goodbye, is sent; nobody reads an answer.
            let _ = tokio::time::timeout(GOODBYE, server_write.shutdown()).await;
        }
        done = down => {
            // The driver finds its socket closed; the reason is kept for whoever reports it.
            if let Err(error) = done {
                seen.note(|it| it.error = Some(error));
            }
        }
    }
}

async fn back(
    server: impl AsyncRead + Unpin,
    mut driver: tokio::net::unix::OwnedWriteHalf,
    seen: &Seen,
) -> io::Result<()> {
    let mut server = BufReader::with_capacity(CHUNK, server);
    let mut watch = Watch::default();
    let mut chunk = [0; 1024];
    while !watch.done {
        let n = server.read(&mut chunk).await?;
        if n == 0 {
            return Ok(());
        }
        watch.see(&chunk[..n]);
        if watch.cleartext {
            seen.note(|it| it.cleartext = true);
        }
        driver.write_all(&chunk[..n]).await?;
    }
    tokio::io::copy_buf(&mut server, &mut driver)
        .await
        .map(drop)
}

/// Reads along what a server says until the user is authenticated.
#[derive(Debug, Default)]
struct Watch {
    /// The message's first bytes: its kind, its length, and of an authentication request the method.
    head: Vec<u8>,
    /// How many bytes of the message are still to come.
    rest: usize,
    cleartext: bool,
    done: bool,
}

impl Watch {
    /// <https://www.postgresql.org/docs/18/protocol-message-formats.html>
    fn see(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.done {
                return;
            }
            if self.rest > 0 {
                self.rest -= 1;
                continue;
            }
            self.head.push(*byte);
            match self.head[..] {
                [b'R', _, _, _, _, a, b, c, d] => {
                    match u32::from_be_bytes([a, b, c, d]) {
                        0 => self.done = true,
                        3 => self.cleartext = true,
                        _ => {}
                    }
                    self.skip(8);
                }
                [b'R', ..] => {}
                [_, _, _, _, _] => self.skip(4),
                _ => {}
            }
        }
    }

    /// Goes on to the next message, of which `seen` bytes of the length have been read.
    fn skip(&mut self, seen: usize) {
        let length = match self.head[..] {
            [_, a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        self.rest = usize::try_from(length)
            .unwrap_or_default()
            .saturating_sub(seen);
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;

    #[track_caller]
    fn check(bytes: &[u8], cleartext: bool, done: bool) {
        // However the bytes arrive.
        for size in [1, 3, bytes.len()] {
            let mut watch = Watch::default();
            bytes.chunks(size).for_each(|it| watch.see(it));
            assert_eq!((watch.cleartext, watch.done), (cleartext, done), "{size}");
        }
    }

    #[test]
    fn a_request_for_the_plain_password_is_seen() {
        let (clear, md5) = (b"R\0\0\0\x08\0\0\0\x03", b"R\0\0\0\x0c\0\0\0\x05R\0\0\x03");
        let (ok, notice) = (b"R\0\0\0\x08\0\0\0\0", b"N\0\0\0\x08R\0\0\x03");
        check(clear, true, false);
        check(&[&clear[..], ok].concat(), true, true);
        check(&[&md5[..], ok].concat(), false, true);
        check(&[&notice[..], ok, clear].concat(), false, true);
        check(&[&notice[..], clear].concat(), true, false);
    }
}
