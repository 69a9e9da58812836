//! Connection settings: a connection string with its service, the environment and the defaults, read and checked.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::environment::Environment;
use crate::error::{ConnectError, Origin};
use crate::passfile::{self, Found, Wanted};
use crate::secret::{Secret, register};
use crate::target::Target;
use crate::tls::{Mode, TlsSettings};
use crate::values::{Values, invalid};

/// How long one server is waited for where `connect_timeout` says nothing, and where it asks to wait for ever.
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(10);

/// The folders in which servers put their sockets: of Debian and Red Hat, of builds from source.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

const PORT: u16 = 5432;

/// All that is known about a connection before it is opened. Neither `Debug` nor any message shows a password.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) application_name: String,
    pub(crate) options: Option<String>,
    /// How long one server is waited for.
    pub(crate) timeout: Duration,
    pub(crate) session: SessionKind,
    /// Whether the hosts are tried in random order.
    pub(crate) random: bool,
    pub(crate) tls: TlsSettings,
    origin: Origin,
    notices: Arc<Mutex<Vec<String>>>,
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// Its name, which its certificate has to state; of a socket the folder.
    pub(crate) name: String,
    /// Its address, if that is not to be looked up by the name.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) password: Option<Secret>,
}

impl Host {
    /// Whether it is reached by a socket of this machine.
    pub(crate) fn is_socket(&self) -> bool {
        self.address.is_none() && self.name.starts_with('/')
    }

    /// Whether nothing of a connection to it leaves this machine.
    pub(crate) fn is_local(&self) -> bool {
        let address = self.address.or_else(|| self.name.parse().ok());
        self.is_socket()
            || match address {
                Some(it) => it.is_loopback(),
                None => self.name.eq_ignore_ascii_case("localhost"),
            }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            address,
            port,
            password: _,
        } = self;
        match address {
            _ if self.is_socket() => write!(f, "{name}/.s.PGSQL.{port}"),
            Some(it) if it.to_string() != *name => write!(f, "{name}:{port} ({it})"),
            _ if name.contains(':') => write!(f, "[{name}]:{port}"),
            _ => write!(f, "{name}:{port}"),
        }
    }
}

/// `target_session_attrs`: which servers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Settings {
    /// Reads a connection string in this process's environment: a URL or keywords and values, as libpq takes them. What
    /// it leaves out comes from its service, from environment variables, from the password file and from libpq's defaults.
    ///
    /// # Errors
    /// [`ConnectError::Syntax`] and [`ConnectError::Setting`], which name the setting and where its value is from.
    pub fn parse(text: &str, origin: Origin) -> Result<Self, ConnectError> {
        // An empty string is a variable that was not set rather than a wish for the defaults; `postgresql://` is that.
        if text.trim().is_empty() {
            let problem = "it is empty";
            return Err(ConnectError::Syntax { origin, problem });
        }
        Self::parse_in(text, origin, &Environment::of_process())
    }

    /// Returns the settings that environment variables alone give; `None` where none of them names a host, a database or
    /// a service.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_environment() -> Result<Option<Self>, ConnectError> {
        let environment = Environment::of_process();
        if !environment.names_a_database() {
            return Ok(None);
        }
        let origin = Origin::Environment("PGHOST".to_owned());
        Self::parse_in("", origin, &environment).map(Some)
    }

    /// Reads a connection string in the given environment. Only the service file, the password file and the names of
    /// certificate files are looked at.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_in(
        text: &str,
        origin: Origin,
        environment: &Environment,
    ) -> Result<Self, ConnectError> {
        let values = Values::collect(text, &origin, environment)?;
        let user = match (values.text("user"), environment.user()) {
            (Some(it), _) | (None, Some(it)) => it.to_owned(),
            (None, None) => {
                return Err(ConnectError::setting(
                    "user",
                    &origin,
                    "is missing, and the account's name cannot be read",
                    "name the role",
                ));
            }
        };
        let database = values.text("dbname").unwrap_or(&user).to_owned();
        let mut notices = Vec::new();
        let mut hosts = hosts(&values)?;
        passwords(
            &mut hosts,
            &values,
            (&database, &user),
            environment,
            &mut notices,
        );
        if let Some((encoding, origin)) = values.get("client_encoding") {
            let plain = encoding.replace(['-', '_'], "").to_ascii_lowercase();
            if !matches!(plain.as_str(), "utf8" | "unicode" | "auto") {
                notices.push(format!(
                    "client_encoding from {origin} is not used: Limbeck speaks UTF8"
                ));
            }
        }
        let name = ["application_name", "fallback_application_name"];
        let name = name.iter().find_map(|it| values.text(it));
        let settings = Self {
            tls: TlsSettings::read(&values, environment)?,
            timeout: timeout(&values)?,
            session: session(&values)?,
            random: values
                .choice(
                    "load_balance_hosts",
                    &[("disable", false), ("random", true)],
                )?
                .unwrap_or_default(),
            application_name: name.unwrap_or("limbeck").to_owned(),
            options: values.text("options").map(str::to_owned),
            hosts,
            user,
            database,
            origin,
            notices: Arc::new(Mutex::new(notices)),
        };
        settings.check_tls_support()?;
        Ok(settings)
    }

    /// Refuses modes that need TLS where the program has none.
    fn check_tls_support(&self) -> Result<(), ConnectError> {
        let needs = self.tls.mode > Mode::Prefer && self.hosts.iter().any(|it| !it.is_socket());
        if needs && !crate::tls::AVAILABLE {
            return Err(ConnectError::setting(
                "sslmode",
                &self.tls.mode_origin,
                "asks for TLS, which this build does not have",
                "build with the feature tls-rustls or tls-native-tls",
            ));
        }
        Ok(())
    }

    /// Returns the same settings for another database of the server.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            ..self.clone()
        }
    }

    /// Returns the same settings for another role, with its password.
    #[must_use]
    pub fn with_user(&self, user: &str, password: &str) -> Self {
        register(password);
        let mut it = self.clone();
        user.clone_into(&mut it.user);
        for host in &mut it.hosts {
            host.password = Some(Secret(password.to_owned()));
        }
        it
    }

    /// Returns the same settings with another name that the server lists the connection under.
    #[must_use]
    pub fn with_application_name(&self, name: &str) -> Self {
        Self {
            application_name: name.to_owned(),
            ..self.clone()
        }
    }

    /// Returns the same settings with a limit to how long one server is waited for, if theirs is longer.
    #[must_use]
    pub fn with_timeout(&self, limit: Duration) -> Self {
        Self {
            timeout: self.timeout.min(limit),
            ..self.clone()
        }
    }

    /// Returns the same settings with a setting of the session more, which the server takes as the connection begins.
    #[must_use]
    pub fn with_option(&self, name: &str, value: &str) -> Self {
        let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
        let before = self
            .options
            .as_ref()
            .map_or_else(String::new, |it| format!("{it} "));
        Self {
            options: Some(format!("{before}-c {name}={value}")),
            ..self.clone()
        }
    }

    /// Returns the database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the role's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns where the settings are from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns what may be shown of the settings.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            servers: self.hosts.iter().map(ToString::to_string).collect(),
            database: self.database.clone(),
            user: self.user.clone(),
        }
    }

    /// Returns the servers alone, as `host:port` or the path of a socket.
    #[must_use]
    pub fn server(&self) -> String {
        self.target().servers.join(", ")
    }

    /// Takes what the user should know about the settings and about the connections opened with them so far: a password
    /// file that is not used, a password that crossed a network unencrypted. Each notice is returned once.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a notice.
    pub(crate) fn notice(&self, text: String) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if !notices.contains(&text) {
            notices.push(text);
        }
    }
}

fn list<'a>(values: &'a Values, name: &str) -> Vec<&'a str> {
    values
        .text(name)
        .map_or_else(Vec::new, |it| it.split(',').map(str::trim).collect())
}

/// Reads `host`, `hostaddr` and `port`, of which each may have several values.
fn hosts(values: &Values) -> Result<Vec<Host>, ConnectError> {
    let (names, addresses, ports) = (
        list(values, "host"),
        list(values, "hostaddr"),
        list(values, "port"),
    );
    let n_hosts = names.len().max(addresses.len()).max(1);
    let count = |setting: &str, found: usize| match found == n_hosts {
        true => Ok(()),
        false => Err(ConnectError::setting(
            setting,
            &values.origin(setting),
            format!("has {found} values for {n_hosts} hosts"),
            "write one for each host",
        )),
    };
    if !addresses.is_empty() {
        count("hostaddr", addresses.len())?;
    }
    if !names.is_empty() {
        count("host", names.len())?;
    }
    if ports.len() > 1 {
        count("port", ports.len())?;
    }
    let one = |n: usize| {
        let port = ports.get(n).or_else(|| ports.first()).copied();
        let port = match port.unwrap_or_default() {
            "" => PORT,
            text => match text.parse() {
                Ok(port) if port > 0 => port,
                _ => {
                    let origin = values.origin("port");
                    let remedy = "write a number from 1 to 65535";
                    return Err(ConnectError::setting(
                        "port",
                        &origin,
                        "has an invalid value",
                        remedy,
                    ));
                }
            },
        };
        let address = match addresses.get(n).copied().unwrap_or_default() {
            "" => None,
            text => Some(text.parse::<IpAddr>().map_err(|_| {
                let remedy = "write an IP address; a name belongs to host";
                ConnectError::setting(
                    "hostaddr",
                    &values.origin("hostaddr"),
                    invalid(text),
                    remedy,
                )
            })?),
        };
        let name = match (names.get(n).copied().unwrap_or_default(), address) {
            ("", Some(address)) => address.to_string(),
            ("", None) => default_host(port),
            (name, _) => checked(name, &values.origin("host"))?,
        };
        Ok(Host {
            name,
            address,
            port,
            password: None,
        })
    };
    (0..n_hosts).map(one).collect()
}

/// Refuses what can be no host, since it may be part of a password or of another language's connection string.
fn checked(name: &str, origin: &Origin) -> Result<String, ConnectError> {
    let refuse =
        |problem: &str, remedy: &str| Err(ConnectError::setting("host", origin, problem, remedy));
    if name.starts_with('@') {
        let problem = "names an abstract socket, which the driver cannot open";
        return refuse(problem, "name a folder or a host");
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%' | '*');
    match name.starts_with('/') || name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => refuse(
            "has an invalid value",
            "write a host name, an IP address or the folder of a socket (in a URL, characters of user and password such as \
             @ / : ? are percent-encoded)",
        ),
    }
}

/// Returns the folder in which a server of this machine has its socket, else `localhost`.
fn default_host(port: u16) -> String {
    let has_socket = |it: &&&str| Path::new(it).join(format!(".s.PGSQL.{port}")).exists();
    SOCKET_FOLDERS
        .iter()
        .find(has_socket)
        .map_or_else(|| "localhost".to_owned(), |it| (*it).to_owned())
}

/// Gives each host its password: the one that is set, else that of the password file.
fn passwords(
    hosts: &mut [Host],
    values: &Values,
    (database, user): (&str, &str),
    environment: &Environment,
    notices: &mut Vec<String>,
) {
    if let Some(password) = values.text("password") {
        register(password);
        for host in hosts {
            host.password = Some(Secret(password.to_owned()));
        }
        return;
    }
    let default = || environment.home().map(|it| it.join(".pgpass"));
    let Some(file) = values.text("passfile").map(PathBuf::from).or_else(default) else {
        return;
    };
    for host in hosts {
        let default_socket = SOCKET_FOLDERS.contains(&host.name.as_str());
        let wanted = Wanted {
            host: if default_socket {
                "localhost"
            } else {
                &host.name
            },
            port: host.port,
            database,
            user,
        };
        match passfile::look_up(&file, wanted) {
            Found::Password(it) => {
                register(&it);
                host.password = Some(Secret(it));
            }
            Found::Nothing => {}
            Found::Ignored(why) if notices.contains(&why) => {}
            Found::Ignored(why) => notices.push(why),
        }
    }
}

fn timeout(values: &Values) -> Result<Duration, ConnectError> {
    Ok(match values.number::<i64>("connect_timeout")? {
        None => TIMEOUT,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(0) | Err(_) => LONGEST_TIMEOUT,
            Ok(seconds) => Duration::from_secs(seconds).min(LONGEST_TIMEOUT),
        },
    })
}

fn session(values: &Values) -> Result<SessionKind, ConnectError> {
    let kinds = [
        ("any", SessionKind::Any),
        ("read-write", SessionKind::ReadWrite),
        ("read-only", SessionKind::ReadOnly),
        ("primary", SessionKind::Primary),
        ("standby", SessionKind::Standby),
        ("prefer-standby", SessionKind::PreferStandby),
    ];
    let kind = values.choice("target_session_attrs", &kinds)?;
    Ok(kind.unwrap_or(SessionKind::Any))
}
