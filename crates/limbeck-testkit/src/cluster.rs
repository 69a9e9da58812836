//! Throwaway clusters, and the one that a test process or a whole test run shares.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::sync::OnceLock;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::database::wait_for;
use crate::error::{TestkitError, tail};
use crate::keeper::{Keeper, Refusal};
use crate::leftovers::{Folder, sweep};

/// The variable that names a server to use instead of starting one: a superuser's URL. `limbeck-cluster run` sets it.
pub const TEST_URL: &str = "LIMBECK_TEST_URL";

/// How often a port that somebody else took in the meantime is replaced by another one.
const PORTS_TO_TRY: usize = 20;

/// The port in the name of a socket that nobody else sees.
const SOCKET_PORT: u16 = 5432;

/// Where a server of our own listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On a port of 127.0.0.1 and on a socket.
    Local,
    /// On a socket in a private folder.
    Socket,
}

/// A PostgreSQL server for throwaway databases: one of our own, stopped and removed on drop, or a borrowed one.
#[derive(Debug)]
pub struct Cluster {
    /// The maintenance database's URL.
    url: String,
    port: u16,
    /// That of a server of our own.
    password: Option<String>,
    socket_dir: Option<PathBuf>,
    major: u32,
    // Fields drop in this order: the server ends before its folder goes.
    _keeper: Option<Keeper>,
    _folder: Option<Folder>,
}

impl Cluster {
    /// Creates and starts a cluster: UTF-8, locale `C.UTF-8` where the system has it and else `C`, superuser `postgres` with a
    /// random password, no waiting for disks, listening on a free port of 127.0.0.1 and on a socket in a private folder.
    /// Nobody connects without the password, which is in the URL.
    ///
    /// Run by root, the server runs as `postgres` or else `nobody`. It is stopped and its files are removed when the value is
    /// dropped, also by a panic; when the value is in a static; and when this process is killed.
    ///
    /// # Errors
    ///
    /// [`TestkitError::NoAccount`], [`TestkitError::File`] and [`TestkitError::Spawn`] by the operating system,
    /// [`TestkitError::Failed`] from initdb, [`TestkitError::NotReady`] with the end of the server's log.
    pub fn start(binaries: &Binaries) -> Result<Self, TestkitError> {
        Self::start_on(binaries, Listen::Local)
    }

    /// As [`Cluster::start`], but listening on the socket alone: other accounts of the machine cannot even ask for entry.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`].
    pub fn start_private(binaries: &Binaries) -> Result<Self, TestkitError> {
        Self::start_on(binaries, Listen::Socket)
    }

    fn start_on(binaries: &Binaries, listen: Listen) -> Result<Self, TestkitError> {
        let account = Account::choose()?;
        sweep(binaries, account);
        let folder = Folder::create(account)?;
        let password = random()?;
        initdb(binaries, account, folder.path(), &password)?;
        let mut attempt = 1;
        let (port, keeper) = loop {
            let port = match listen {
                Listen::Local => free_port()?,
                Listen::Socket => SOCKET_PORT,
            };
            match Keeper::start(binaries, account, folder.path(), port, listen) {
                Ok(keeper) => break (port, keeper),
                Err(Refusal::PortTaken) if attempt < PORTS_TO_TRY => attempt += 1,
                Err(Refusal::PortTaken) => {
                    let log = format!("{PORTS_TO_TRY} free ports in a row were taken by others");
                    return Err(TestkitError::NotReady {
                        what: "found no port",
                        log,
                    });
                }
                Err(Refusal::Error(error)) => return Err(error),
            }
        };
        let url = match listen {
            Listen::Local => format!("postgresql://postgres:{password}@127.0.0.1:{port}/postgres"),
            Listen::Socket => format!(
                "postgresql://postgres:{password}@localhost:{port}/postgres?host={}",
                encoded(&folder.path().to_string_lossy())
            ),
        };
        Ok(Self {
            url,
            port,
            password: Some(password),
            socket_dir: Some(folder.path().to_path_buf()),
            major: binaries.major(),
            _keeper: Some(keeper),
            _folder: Some(folder),
        })
    }

    /// A server that somebody else started and ends; `url` is a superuser's.
    ///
    /// # Errors
    ///
    /// [`TestkitError::Url`] when it is no PostgreSQL URL, [`TestkitError::Sql`] when the server cannot be reached.
    pub fn borrow(url: &str) -> Result<Self, TestkitError> {
        let options =
            PgConnectOptions::from_str(url).map_err(|source| TestkitError::Url { source })?;
        let port = options.get_port();
        let (number, sockets) = wait_for(async move {
            let doing = "connect to the server of LIMBECK_TEST_URL";
            let mut conn = PgConnection::connect_with(&options)
                .await
                .map_err(TestkitError::sql(doing))?;
            sqlx::query_as::<_, (i32, String)>(
                "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
                 pg_catalog.current_setting('unix_socket_directories')",
            )
            .fetch_one(&mut conn)
            .await
            .map_err(TestkitError::sql("read the server's version"))
        })?;
        Ok(Self {
            url: url.to_owned(),
            port,
            password: None,
            socket_dir: sockets
                .split(',')
                .map(str::trim)
                .find(|dir| !dir.is_empty())
                .map(PathBuf::from),
            // `server_version_num` is the major version times 10000 plus the minor one.
            major: u32::try_from(number / 10_000).unwrap_or_default(),
            _keeper: None,
            _folder: None,
        })
    }

    /// The superuser's URL of the named database: `postgresql://postgres:…@127.0.0.1:40001/name`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        with_database(&self.url, database)
    }

    /// The superuser's password, of a server of our own; a borrowed one has its password in the URL, if it has any.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The TCP port, which is also part of the name of the socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's Unix socket; of a borrowed server as the server names it, if it has one.
    #[must_use]
    pub fn socket_dir(&self) -> Option<&Path> {
        self.socket_dir.as_deref()
    }

    /// The server's major version: 15 of 15.18.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }
}

/// The server of this process's tests: the one that `LIMBECK_TEST_URL` names when it is set, else one of our own that starts at
/// the first call and ends with the process.
///
/// # Panics
///
/// When there is none to be had: no test that asks for a server can go on. [`try_cluster`] returns the error instead.
#[must_use]
pub fn cluster() -> &'static Cluster {
    match try_cluster() {
        Ok(cluster) => cluster,
        Err(error) => panic!("no server for the tests: {}", error.full()),
    }
}

/// As [`cluster()`], with the error of the first call.
///
/// # Errors
///
/// Those of [`Binaries::find`], [`Cluster::start`] and [`Cluster::borrow`].
pub fn try_cluster() -> Result<&'static Cluster, &'static TestkitError> {
    static SHARED: OnceLock<Result<Cluster, TestkitError>> = OnceLock::new();
    let shared =
        SHARED.get_or_init(
            || match env::var(TEST_URL).ok().filter(|url| !url.is_empty()) {
                Some(url) => Cluster::borrow(&url),
                None => Cluster::start(&Binaries::find()?),
            },
        );
    shared.as_ref()
}

/// A password: 128 random bits.
fn random() -> Result<String, TestkitError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    File::open(source)
        .and_then(|mut it| it.read_exact(&mut bytes))
        .map_err(TestkitError::file("read", source))?;
    Ok(bytes.iter().map(|it| format!("{it:02x}")).collect())
}

fn initdb(
    binaries: &Binaries,
    account: Account,
    folder: &Path,
    password: &str,
) -> Result<(), TestkitError> {
    // The folder is the account's alone, and so is what is in it.
    let file = folder.join("password");
    fs::write(&file, password).map_err(TestkitError::file("create", &file))?;
    account.own(&file)?;
    let done = initdb_anyhow(binaries, account, folder);
    fs::remove_file(&file).map_err(TestkitError::file("remove", &file))?;
    done
}

fn initdb_anyhow(binaries: &Binaries, account: Account, folder: &Path) -> Result<(), TestkitError> {
    // Both collate by code point; `C` alone would not know the case of letters beyond ASCII. Not every system has the first.
    let first = initdb_with(binaries, account, folder, "C.UTF-8");
    match first {
        Err(TestkitError::Failed { ref output, .. }) if output.contains("locale") => {
            initdb_with(binaries, account, folder, "C")
        }
        done => done,
    }
}

fn initdb_with(
    binaries: &Binaries,
    account: Account,
    folder: &Path,
    locale: &str,
) -> Result<(), TestkitError> {
    let program = binaries.initdb();
    let output = account
        .command(&program, folder)
        .args([
            "--no-sync",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--username=postgres",
        ])
        .arg(format!("--locale={locale}"))
        .arg(format!("--pwfile={}", folder.join("password").display()))
        .arg("-D")
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .output()
        .map_err(TestkitError::spawn(&program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(TestkitError::Failed {
        program: "initdb".into(),
        output: tail(&String::from_utf8_lossy(&output.stderr), 3),
    })
}

/// A port that was free a moment ago; [`Keeper::start`] says when it no longer is.
fn free_port() -> Result<u16, TestkitError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(TestkitError::file(
            "find a free port of",
            Path::new("127.0.0.1"),
        ))
}

/// The URL with the role and its password replaced.
pub(crate) fn with_role(url: &str, role: &str, password: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    let host = url[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    let (role, password) = (encoded(role), encoded(password));
    format!("{}{role}:{password}@{}", &url[..start], &url[host..])
}

/// The URL with its database replaced. Userinfo, host and parameters stay as they are.
fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) = url
        .split_once('?')
        .map_or((url, None), |(address, rest)| (address, Some(rest)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..]
        .find('/')
        .map_or(address.len(), |at| authority + at);
    let mut changed = format!("{}/{}", &address[..end], encoded(database));
    if let Some(parameters) = parameters {
        changed.push('?');
        changed.push_str(parameters);
    }
    changed
}

/// A text as it may stand in a URL.
fn encoded(text: &str) -> String {
    let mut acc = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            acc.push(char::from(byte));
        } else {
            acc.push_str(&format!("%{byte:02X}"));
        }
    }
    acc
}

#[cfg(test)]
mod tests {
    use super::{Cluster, with_database, with_role};

    #[track_caller]
    fn check(url: &str, database: &str, expected: &str) {
        assert_eq!(with_database(url, database), expected);
    }

    #[test]
    fn a_url_changes_its_database_and_nothing_else() {
        check(
            "postgresql://postgres@127.0.0.1:5/postgres",
            "a",
            "postgresql://postgres@127.0.0.1:5/a",
        );
        check("postgres://u:p%2F@h", "a", "postgres://u:p%2F@h/a");
        check(
            "postgresql://h/x?host=/run/pg&a=b/c",
            "y",
            "postgresql://h/y?host=/run/pg&a=b/c",
        );
        check(
            "postgresql://h/x",
            "Größe 1/2?",
            "postgresql://h/Gr%C3%B6%C3%9Fe%201%2F2%3F",
        );
    }

    #[test]
    fn a_url_changes_its_role_and_nothing_else() {
        let check = |url: &str, expected: &str| assert_eq!(with_role(url, "a b", "c"), expected);
        check(
            "postgresql://u:p@h:5/x?y=@",
            "postgresql://a%20b:c@h:5/x?y=@",
        );
        check("postgresql://h/x", "postgresql://a%20b:c@h/x");
    }

    #[test]
    fn a_wrong_server_url_is_an_error_without_its_text() {
        let error = Cluster::borrow("mysql://root:secret@h/x").expect_err("not PostgreSQL");
        assert!(!error.full().contains("secret"), "{}", error.full());
    }
}
