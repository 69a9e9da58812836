//! A proxy between the program and the server that sees where one statement ends and the next begins (documentation, page
//! "Message Formats"): it cuts connections, goes silent, or calls a function there.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "the helpers of a test fail the test"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Which side of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Before the server gets it.
    Before,
    /// After the server has answered, before the program gets the answer.
    After,
}

/// What happens at a statement, once.
pub(crate) struct Hit {
    /// The statement's number among all that pass, from 1.
    pub(crate) at: usize,
    pub(crate) side: Side,
    /// What is done; whether all connections are cut then.
    pub(crate) act: Box<dyn FnOnce() -> bool + Send>,
}

#[derive(Default)]
struct Shared {
    /// How many statements have passed.
    count: AtomicUsize,
    hit: Mutex<Option<Hit>>,
    streams: Mutex<Vec<TcpStream>>,
    silent: Mutex<bool>,
    spoken: Condvar,
    closed: AtomicBool,
}

/// The proxy; it ends with the value.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to a server's port on this machine.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", server)))
                else {
                    continue;
                };
                accepting.join(client, server);
            }
        });
        Self { port, shared }
    }

    /// A connection string with this proxy in the place of the server.
    pub(crate) fn url(&self, url: &str) -> String {
        at_port(url, self.port)
    }

    pub(crate) fn hit(&self, hit: Hit) {
        *self.shared.hit.lock().unwrap() = Some(hit);
    }

    /// How many statements have passed.
    pub(crate) fn count(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// How many clients have connected.
    pub(crate) fn n_clients(&self) -> usize {
        self.shared.streams.lock().unwrap().len() / 2
    }

    /// Passes nothing on any more, neither way, without closing anything.
    pub(crate) fn silence(&self) {
        *self.shared.silent.lock().unwrap() = true;
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.shared.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        *self.shared.silent.lock().unwrap() = false;
        self.shared.spoken.notify_all();
        self.shared.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// The port of a connection string.
pub(crate) fn port(url: &str) -> u16 {
    let server = url.rsplit_once('@').expect("a user").1;
    let server = server.split(['/', '?']).next().unwrap();
    server.rsplit_once(':').expect("a port").1.parse().unwrap()
}

/// A connection string with another port on this machine.
pub(crate) fn at_port(url: &str, port: u16) -> String {
    let (before, after) = url.rsplit_once('@').expect("a user");
    let (_, database) = after.split_once('/').expect("a database");
    format!("{before}@127.0.0.1:{port}/{database}")
}

/// Reads a message with its type, or one without as the first one is. None at the end.
pub(crate) fn message(stream: &mut TcpStream, has_type: bool) -> Option<Vec<u8>> {
    let mut bytes = vec![0; if has_type { 5 } else { 4 }];
    stream.read_exact(&mut bytes).ok()?;
    let length = bytes[bytes.len() - 4..].try_into().unwrap();
    let rest = usize::try_from(u32::from_be_bytes(length)).unwrap() - 4;
    let at = bytes.len();
    bytes.resize(at + rest, 0);
    stream.read_exact(&mut bytes[at..]).ok()?;
    Some(bytes)
}

/// Reads the first message of a client, having refused encryption.
pub(crate) fn startup(client: &mut TcpStream) -> Option<Vec<u8>> {
    const ENCRYPTIONS: [u32; 2] = [80_877_103, 80_877_104];
    loop {
        let first = message(client, false)?;
        let code = u32::from_be_bytes(first.get(4..8)?.try_into().unwrap());
        if !ENCRYPTIONS.contains(&code) {
            return Some(first);
        }
        client.write_all(b"N").ok()?;
    }
}

impl Shared {
    fn cut(&self) {
        for it in self.streams.lock().unwrap().drain(..) {
            let _ = it.shutdown(Shutdown::Both);
        }
    }

    fn join(self: &Arc<Self>, mut client: TcpStream, mut server: TcpStream) {
        for it in [&client, &server] {
            it.set_nodelay(true).unwrap();
            self.streams.lock().unwrap().push(it.try_clone().unwrap());
        }
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let Some(first) = startup(&mut client) else {
                return;
            };
            shared.wait_while_silent();
            if server.write_all(&first).is_err() {
                return;
            }
            let pending = Arc::new(AtomicUsize::new(0));
            let answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (back, number) = (Arc::clone(&shared), Arc::clone(&pending));
            std::thread::spawn(move || back.answers(answers.0, answers.1, &number));
            shared.statements(client, server, &pending);
        });
    }

    /// Passes what the client says.
    fn statements(&self, mut client: TcpStream, mut server: TcpStream, pending: &AtomicUsize) {
        while let Some(message) = message(&mut client, true) {
            self.wait_while_silent();
            if message[0] == b'Q' {
                let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
                pending.store(number, Ordering::SeqCst);
                if self.strikes(number, Side::Before) {
                    return;
                }
            }
            if server.write_all(&message).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    /// Passes what the server says.
    fn answers(&self, mut server: TcpStream, mut client: TcpStream, pending: &AtomicUsize) {
        while let Some(message) = message(&mut server, true) {
            self.wait_while_silent();
            let is_ready = message[0] == b'Z';
            if is_ready && self.strikes(pending.load(Ordering::SeqCst), Side::After) {
                return;
            }
            if client.write_all(&message).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    fn wait_while_silent(&self) {
        let mut silent = self.silent.lock().unwrap();
        while *silent {
            silent = self.spoken.wait(silent).unwrap();
        }
    }

    /// Does what is to be done at a statement; whether everything is cut now.
    fn strikes(&self, number: usize, side: Side) -> bool {
        let mut place = self.hit.lock().unwrap();
        let Some(hit) = place.take_if(|it| it.at == number && it.side == side) else {
            return false;
        };
        drop(place);
        let cuts = (hit.act)();
        if cuts {
            self.cut();
        }
        cuts
    }
}
