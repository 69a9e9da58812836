//! A pooler that gives each transaction whichever server connection was used last, as pgbouncer does with `pool_mode =
//! transaction`.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::proxy::{at_port, message, startup};

/// The server connections that no transaction has now, the last one used at the end.
type Pool = Arc<Mutex<Vec<TcpStream>>>;

/// Starts the pooler in front of a server's port, for as long as the test runs; returns the port of it.
fn start(server: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let pool = Pool::default();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let pool = Arc::clone(&pool);
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            std::thread::spawn(move || serve(client.unwrap(), server, &pool));
        }
    });
    port
}

/// The connection string of a pooler in front of a database.
pub(crate) fn url(url: &str) -> String {
    at_port(url, start(crate::proxy::port(url)))
}

/// Serves a client. Its own server connection greets it, and belongs to all from then on.
fn serve(mut client: TcpStream, mut server: TcpStream, pool: &Pool) -> Option<()> {
    let first = startup(&mut client)?;
    server.write_all(&first).ok()?;
    loop {
        let greeting = message(&mut server, true)?;
        client.write_all(&greeting).ok()?;
        match greeting[0] {
            b'Z' => break,
            b'E' => return None,
            // The server asks for a password, or goes on with it.
            b'R' if greeting[5..9] != [0; 4] && greeting[5..9] != [0, 0, 0, 12] => {
                server.write_all(&message(&mut client, true)?).ok()?;
            }
            _ => {}
        }
    }
    pool.lock().unwrap().push(server);
    let mut held: Option<TcpStream> = None;
    loop {
        let said = message(&mut client, true)?;
        if said[0] == b'X' {
            return None;
        }
        let mut server = match held.take() {
            Some(it) => it,
            None => pool.lock().unwrap().pop()?,
        };
        server.write_all(&said).ok()?;
        if said[0] == b'Q' || said[0] == b'S' {
            loop {
                let answer = message(&mut server, true)?;
                client.write_all(&answer).ok()?;
                if answer[0] == b'Z' {
                    match answer[5] {
                        b'I' => pool.lock().unwrap().push(server),
                        _ => held = Some(server),
                    }
                    break;
                }
            }
        } else {
            held = Some(server);
        }
    }
}
