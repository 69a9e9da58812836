//! Opening connections: the hosts in turn, TLS as far as asked for, and always within a time.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bridge::{Bridge, Seen, Stream};
use crate::error::ConnectError;
use crate::settings::{Host, SessionKind, Settings};
use crate::tls::{Connector, Mode};

/// How long the goodbye of a connection may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// The request for TLS, <https://www.postgresql.org/docs/18/protocol-message-formats.html>.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// SQLSTATE invalid_authorization_specification: no line of `pg_hba.conf` is for such a connection.
const NO_LINE: &str = "28000";

/// SQLSTATE cannot_connect_now: the server starts or stops.
const NOT_NOW: &str = "57P03";

/// Why one server did not take a connection.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It cannot be reached, or says nothing that makes sense.
    Network(String),
    /// TLS cannot be had as asked for.
    Tls {
        reason: String,
        /// With the semicolon before it.
        remedy: String,
    },
    /// It refuses.
    Server { message: String, code: String },
    /// It is not what `target_session_attrs` asks for.
    Session(&'static str),
}

impl Trouble {
    fn of_driver(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(it) => Self::Server {
                message: it.message().to_owned(),
                code: it.code().unwrap_or_default().into_owned(),
            },
            sqlx::Error::Tls(it) => Self::Tls {
                reason: format!("TLS cannot be had: {it}"),
                remedy: "; look at sslmode".to_owned(),
            },
            sqlx::Error::Io(it) if it.kind() == std::io::ErrorKind::InvalidData => Self::Tls {
                reason: format!("TLS cannot be had: {it}"),
                remedy: "; look at sslmode".to_owned(),
            },
            sqlx::Error::Io(it) => Self::Network(network(it)),
            sqlx::Error::Protocol(it) => {
                Self::Network(format!("the server's answer cannot be used: {it}"))
            }
            other => Self::Network(other.to_string()),
        }
    }

    /// Whether another host may do better. As with libpq, a refusal by a server that runs is the last word.
    fn is_of_host(&self) -> bool {
        match self {
            Self::Network(_) | Self::Tls { .. } | Self::Session(_) => true,
            Self::Server { code, .. } => code == NOT_NOW,
        }
    }

    /// Whether the other of TLS and no TLS may do better.
    fn is_of_encryption(&self) -> bool {
        match self {
            Self::Tls { .. } => true,
            Self::Server { code, .. } => code == NO_LINE,
            _ => false,
        }
    }
}

/// Says an error of the network's without its number.
fn network(error: &std::io::Error) -> String {
    let text = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => return "the server closed the connection".to_owned(),
        _ => error.to_string(),
    };
    match text.split_once(" (os error") {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

impl Settings {
    /// Opens a connection: to the first of the hosts that takes it and is what `target_session_attrs` asks for. It ends
    /// after `connect_timeout` for each host, or 30 s, whatever the network does.
    ///
    /// # Errors
    /// [`ConnectError::Connect`] with what each host says, and [`ConnectError::Setting`] for certificates that cannot be
    /// used.
    pub async fn connect(&self) -> Result<PgConnection, ConnectError> {
        let directly = |host: &Host| self.is_direct(host);
        let connector = match self.hosts.iter().all(directly) {
            true => None,
            false => Connector::new(&self.tls)?,
        };
        let mut order: Vec<&Host> = self.hosts.iter().collect();
        if self.random {
            shuffle(&mut order);
        }
        let kinds: &[SessionKind] = match self.session {
            SessionKind::PreferStandby => &[SessionKind::Standby, SessionKind::Any],
            _ => std::slice::from_ref(&self.session),
        };
        let mut troubles: Vec<(&Host, Trouble)> = Vec::new();
        for kind in kinds {
            troubles.clear();
            for host in &order {
                match self.open(host, connector.as_ref(), *kind).await {
                    Ok(conn) => return Ok(conn),
                    Err(trouble) => {
                        let is_last = !trouble.is_of_host();
                        troubles.push((host, trouble));
                        if is_last {
                            return Err(self.failed(troubles));
                        }
                    }
                }
            }
        }
        Err(self.failed(troubles))
    }

    /// Asks the server to cancel what the backend `pid` does, over a connection of its own, within 2 s.
    ///
    /// # Errors
    /// [`ConnectError`], when the server cannot be reached; then the statement may go on.
    pub async fn cancel(&self, pid: i32) -> Result<(), ConnectError> {
        const LIMIT: Duration = Duration::from_secs(2);
        let cancelled = async {
            let mut conn = self.connect().await?;
            let sql = sqlx::query("SELECT pg_catalog.pg_cancel_backend($1)").persistent(false);
            let done = sql.bind(pid).execute(&mut conn).await;
            close(conn).await;
            done.map(drop)
                .map_err(|error| self.failed_at(&self.hosts[0], Trouble::of_driver(&error)))
        };
        let silent = || {
            let trouble = Trouble::Network("no answer within 2 s".to_owned());
            Err(self.failed_at(&self.hosts[0], trouble))
        };
        timeout(LIMIT, cancelled).await.unwrap_or_else(|_| silent())
    }

    fn failed_at(&self, host: &Host, trouble: Trouble) -> ConnectError {
        self.failed(vec![(host, trouble)])
    }

    /// One line of all that went wrong.
    fn failed(&self, troubles: Vec<(&Host, Trouble)>) -> ConnectError {
        let single = troubles.len() == 1;
        let mut target = self.target();
        if let (true, [(host, _)]) = (single, &troubles[..]) {
            target.servers = vec![host.to_string()];
        }
        let (mut reasons, mut last) = (Vec::new(), (String::new(), None));
        for (host, trouble) in troubles {
            let (reason, remedy, code) = match trouble {
                Trouble::Network(it) => (
                    it,
                    "; is the server running, and are host and port right?".to_owned(),
                    None,
                ),
                Trouble::Tls { reason, remedy } => (reason, remedy, None),
                Trouble::Session(it) => (
                    it.to_owned(),
                    "; look at target_session_attrs and the hosts".to_owned(),
                    None,
                ),
                Trouble::Server { message, code } => {
                    (message, remedy(&code).to_owned(), Some(code))
                }
            };
            let reason = crate::redact(&reason);
            reasons.push(match single {
                true => reason,
                false => format!("{host}: {reason}"),
            });
            last = (remedy, code);
        }
        let (remedy, code) = last;
        ConnectError::Connect {
            target: Box::new(target),
            reason: reasons.join("; "),
            remedy,
            code,
        }
    }

    /// Opens a connection to one host, with TLS, without, or with the one and then the other.
    async fn open(
        &self,
        host: &Host,
        connector: Option<&Connector>,
        kind: SessionKind,
    ) -> Result<PgConnection, Trouble> {
        let modes: &[Mode] = match self.tls.mode {
            _ if host.is_socket() => &[Mode::Disable],
            Mode::Allow => &[Mode::Disable, Mode::Require],
            Mode::Prefer => &[Mode::Prefer, Mode::Disable],
            _ => std::slice::from_ref(&self.tls.mode),
        };
        let mut first = None;
        for mode in modes {
            let opened = match self.is_direct(host) {
                true => self.open_directly(host, *mode).await,
                false => self.open_by_bridge(host, connector, *mode).await,
            };
            match opened {
                Ok(conn) => return self.fit(conn, kind).await,
                Err(it) if it.is_of_encryption() => drop(first.get_or_insert(it)),
                // A second try that comes to nothing says less than the first.
                Err(it) => return Err(first.unwrap_or(it)),
            }
        }
        Err(first.unwrap_or_else(|| Trouble::Network("it was not tried".to_owned())))
    }

    /// Whether the driver does all that is asked for: without verification, and where nobody reads along.
    fn is_direct(&self, host: &Host) -> bool {
        host.is_socket() || (host.is_local() && self.tls.is_plain())
    }

    /// Has the driver do all of it.
    async fn open_directly(&self, host: &Host, mode: Mode) -> Result<PgConnection, Trouble> {
        let name = host
            .address
            .map_or_else(|| host.name.clone(), |it| it.to_string());
        let options = self.options(host).host(&name).port(host.port);
        let options = options.ssl_mode(match mode {
            Mode::Disable | Mode::Allow => PgSslMode::Disable,
            Mode::Prefer => PgSslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => PgSslMode::Require,
        });
        let opened = timeout(self.timeout, PgConnection::connect_with(&options)).await;
        let opened = opened.map_err(|_| self.silent())?;
        opened.map_err(|error| Trouble::of_driver(&error))
    }

    /// Connects, asks for TLS, and has the driver begin its session on what came out.
    async fn open_by_bridge(
        &self,
        host: &Host,
        connector: Option<&Connector>,
        mode: Mode,
    ) -> Result<PgConnection, Trouble> {
        let reached = timeout(self.timeout, self.reach(host, connector, mode)).await;
        let (stream, encrypted) = reached.map_err(|_| self.silent())??;
        let bridge = Bridge::start(stream, host.port).map_err(|error| {
            Trouble::Network(format!("no socket can be made for it: {}", network(&error)))
        })?;
        let options = self.options(host).socket(bridge.folder()).port(host.port);
        let options = options.ssl_mode(PgSslMode::Disable);
        let opened = timeout(self.timeout, PgConnection::connect_with(&options)).await;
        if !encrypted && !host.is_local() && bridge.seen.cleartext() {
            self.notice(format!(
                "the password went to {host} unencrypted, where everybody on the way can read it; set sslmode to verify-full, and \
                 password_encryption and pg_hba.conf of the server to scram-sha-256"
            ));
        }
        match opened.map_err(|_| self.silent())? {
            Ok(conn) => Ok(conn),
            Err(error) => Err(explain(&error, &bridge.seen)),
        }
    }

    /// Connects to a server, and makes it a TLS connection if the mode asks for it and the server offers it.
    async fn reach(
        &self,
        host: &Host,
        connector: Option<&Connector>,
        mode: Mode,
    ) -> Result<(Box<dyn Stream>, bool), Trouble> {
        let failed = |error: std::io::Error| Trouble::Network(network(&error));
        let connected = match host.address {
            Some(address) => TcpStream::connect((address, host.port)).await,
            None => TcpStream::connect((host.name.as_str(), host.port)).await,
        };
        let mut stream = connected.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let connector = match connector {
            Some(it) if mode > Mode::Allow => it,
            _ => return Ok((Box::new(stream), false)),
        };
        stream.write_all(&TLS_REQUEST).await.map_err(failed)?;
        // Not a byte more: what follows has to be encrypted.
        match stream.read_u8().await.map_err(failed)? {
            b'S' => Ok((connector.handshake(host, stream).await?, true)),
            b'N' if mode == Mode::Prefer => Ok((Box::new(stream), false)),
            b'N' => Err(Trouble::Tls {
                reason: "the server offers no TLS".to_owned(),
                remedy: format!(
                    "; set ssl = on there, or a weaker sslmode than the one from {}",
                    self.tls.mode_origin
                ),
            }),
            _ => Err(Trouble::Network(
                "the server's answer to the request for TLS cannot be used".to_owned(),
            )),
        }
    }

    fn silent(&self) -> Trouble {
        let seconds = self.timeout.as_secs();
        Trouble::Network(format!("no answer within {seconds} s (connect_timeout)"))
    }

    /// What the driver is told whatever the way.
    fn options(&self, host: &Host) -> PgConnectOptions {
        let password = host.password.as_ref().map_or("", |it| &it.0);
        // The shortest exact form of numbers is the default of all servers that are supported; poolers refuse the setting.
        let options = PgConnectOptions::new_without_pgpass()
            .username(&self.user)
            .password(password)
            .database(&self.database)
            .application_name(&self.application_name)
            .extra_float_digits(None)
            .disable_statement_logging();
        match &self.options {
            // The driver has read the variable by itself.
            Some(it) if std::env::var("PGOPTIONS").ok().as_deref() != Some(it.as_str()) => {
                options.options(pairs(it))
            }
            _ => options,
        }
    }

    /// Gives the connection back if its server is of the kind that is asked for.
    async fn fit(
        &self,
        mut conn: PgConnection,
        kind: SessionKind,
    ) -> Result<PgConnection, Trouble> {
        if kind == SessionKind::Any {
            return Ok(conn);
        }
        const SQL: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
                           pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on'";
        let asked = async {
            let row = sqlx::query(SQL)
                .persistent(false)
                .fetch_one(&mut conn)
                .await?;
            Ok::<(bool, bool), sqlx::Error>((row.try_get(0)?, row.try_get(1)?))
        };
        let answer = timeout(self.timeout, asked)
            .await
            .map_err(|_| self.silent())?;
        let (standby, read_only) = answer.map_err(|error| Trouble::of_driver(&error))?;
        let problem = match kind {
            SessionKind::ReadWrite if read_only => "the session is read-only",
            SessionKind::ReadOnly if !read_only => "the session is not read-only",
            SessionKind::Primary if standby => "the server is a standby",
            SessionKind::Standby if !standby => "the server is no standby",
            _ => return Ok(conn),
        };
        close(conn).await;
        Err(Trouble::Session(problem))
    }
}

/// Ends a connection politely, within half a second.
pub async fn close(conn: PgConnection) {
    // Whoever is not there any more needs no goodbye.
    let _ = timeout(GOODBYE, conn.close()).await;
}

/// Says why the driver could not begin a session over a bridge: by what ended the server's side, if that is known.
fn explain(error: &sqlx::Error, seen: &Seen) -> Trouble {
    match (error, seen.take_error()) {
        (sqlx::Error::Io(_), Some(cause)) => {
            #[cfg(feature = "tls-rustls")]
            if let Some(it) = cause
                .get_ref()
                .and_then(|it| it.downcast_ref::<rustls::Error>())
            {
                let remedy = "; it may ask for a client certificate: set sslcert and sslkey to one that its authority signed";
                return Trouble::Tls {
                    reason: format!("the server ended the TLS connection: {it}"),
                    remedy: remedy.to_owned(),
                };
            }
            Trouble::Network(network(&cause))
        }
        _ => Trouble::of_driver(error),
    }
}

fn remedy(code: &str) -> &'static str {
    match code {
        "28P01" => "; check user and password",
        "28000" => "; check user and password, and pg_hba.conf of the server",
        "3D000" => "; create the database first",
        "42501" => "; the role needs CONNECT on the database",
        "53300" => "; end connections, or raise max_connections",
        _ => "",
    }
}

/// Takes `options` apart as the server does: `-c name=value`, `-cname=value`, `--name=value`.
fn pairs(options: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = Vec::new();
    let mut word = None::<String>;
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let mut words = words.into_iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(it), _) => it.to_owned(),
            (None, Some("")) => words.next().unwrap_or_default(),
            (None, Some(it)) => it.to_owned(),
            (None, None) => continue,
        };
        if let Some((name, value)) = setting.split_once('=') {
            found.push((name.replace('-', "_"), value.to_owned()));
        }
    }
    found
}

/// Brings hosts into a random order (Fisher and Yates).
fn shuffle(hosts: &mut [&Host]) {
    use std::hash::{BuildHasher, Hasher};
    for last in (1..hosts.len()).rev() {
        // The keys of the standard library's hashing are random.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let other = usize::try_from(random % (last as u64 + 1)).unwrap_or_default();
        hosts.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn options_are_taken_apart_as_the_server_does() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let found = pairs(text);
            let found: Vec<_> = found
                .iter()
                .map(|(a, b)| (a.as_str(), b.as_str()))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "-c geqo=off -csearch_path=a --statement-timeout=5min",
            &[
                ("geqo", "off"),
                ("search_path", "a"),
                ("statement_timeout", "5min"),
            ],
        );
        check(r"-c search_path=a,\ b\\c", &[("search_path", r"a, b\c")]);
        check("-c", &[]);
    }
}
