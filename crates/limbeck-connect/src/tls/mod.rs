//! TLS settings, after <https://www.postgresql.org/docs/18/libpq-ssl.html>.

#![cfg_attr(
    not(any(feature = "tls-rustls", feature = "tls-native-tls")),
    expect(
        dead_code,
        reason = "without TLS the settings are checked, and nothing reads the files"
    )
)]

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::error::{ConnectError, Origin};
use crate::values::Values;

#[cfg(feature = "tls-rustls")]
mod rustls;
#[cfg(feature = "tls-rustls")]
pub(crate) use rustls::Connector;

#[cfg(all(feature = "tls-native-tls", not(feature = "tls-rustls")))]
mod native;
#[cfg(all(feature = "tls-native-tls", not(feature = "tls-rustls")))]
pub(crate) use native::Connector;

#[cfg(not(any(feature = "tls-rustls", feature = "tls-native-tls")))]
mod none;
#[cfg(not(any(feature = "tls-rustls", feature = "tls-native-tls")))]
pub(crate) use none::Connector;

/// Whether this build has TLS.
pub(crate) const AVAILABLE: bool = cfg!(any(feature = "tls-rustls", feature = "tls-native-tls"));

/// `sslmode`, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// A version of TLS that a connection may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// TLS 1.0 or 1.1, which only a lower bound may name: no newer connection has them.
    Old,
    Tls12,
    Tls13,
}

/// Which authorities may have signed the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// It is not looked at.
    Any,
    /// Those that the system trusts.
    System,
    /// Those of a file.
    File(PathBuf, Origin),
}

/// The certificate that the server may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) certificate: (PathBuf, Origin),
    pub(crate) key: (PathBuf, Origin),
}

/// How a connection is encrypted, and how its server is verified.
#[derive(Clone, Debug)]
pub(crate) struct TlsSettings {
    pub(crate) mode: Mode,
    pub(crate) mode_origin: Origin,
    pub(crate) roots: Roots,
    pub(crate) identity: Option<Identity>,
    /// Whether the server is told by which name it is called.
    pub(crate) sni: bool,
    pub(crate) versions: (Version, Version),
}

impl TlsSettings {
    pub(crate) fn read(values: &Values, environment: &Environment) -> Result<Self, ConnectError> {
        let modes = [
            ("disable", Mode::Disable),
            ("allow", Mode::Allow),
            ("prefer", Mode::Prefer),
            ("require", Mode::Require),
            ("verify-ca", Mode::VerifyCa),
            ("verify-full", Mode::VerifyFull),
        ];
        let given = values.choice("sslmode", &modes)?;
        let system = values.text("sslrootcert") == Some("system");
        let mut mode = given.unwrap_or(match system {
            true => Mode::VerifyFull,
            false => Mode::Prefer,
        });
        let mode_origin = values.origin("sslmode");
        contradictions(values, mode, &mode_origin)?;
        let mut roots = roots(values, environment);
        // libpq verifies the chain too where the authority's file is there.
        if mode == Mode::Require && matches!(roots, Roots::File(..)) {
            mode = Mode::VerifyCa;
        }
        if mode < Mode::VerifyCa {
            roots = Roots::Any;
        } else if roots == Roots::Any {
            if mode == Mode::VerifyCa {
                return Err(ConnectError::setting(
                    "sslmode",
                    &mode_origin,
                    "asks to verify the server's certificate, and sslrootcert names no file of authorities",
                    "set sslrootcert to the file of the server's authority, or sslmode to verify-full for those that the system \
                     trusts",
                ));
            }
            roots = Roots::System;
        }
        Ok(Self {
            mode,
            mode_origin,
            roots,
            identity: identity(values, environment, mode)?,
            sni: values
                .choice("sslsni", &[("1", true), ("0", false)])?
                .unwrap_or(true),
            versions: versions(values)?,
        })
    }

    /// Whether the driver's own TLS does all that the settings ask for: encryption without any verification.
    pub(crate) fn is_plain(&self) -> bool {
        let any = (Version::Old, Version::Tls13);
        self.mode < Mode::VerifyCa
            && self.identity.is_none()
            && self.sni
            && (self.versions == any || self.versions == (Version::Tls12, Version::Tls13))
    }
}

/// Refuses settings that cannot all be meant.
fn contradictions(values: &Values, mode: Mode, mode_origin: &Origin) -> Result<(), ConnectError> {
    if values.text("sslrootcert") == Some("system") && mode < Mode::VerifyFull {
        return Err(ConnectError::setting(
            "sslmode",
            mode_origin,
            "is weaker than verify-full, and sslrootcert is system: anybody can have a certificate of a public authority",
            "set sslmode to verify-full, or sslrootcert to a file",
        ));
    }
    if mode != Mode::Disable {
        return Ok(());
    }
    for name in ["sslrootcert", "sslcert", "sslkey"] {
        let Some((_, origin)) = values.get(name) else {
            continue;
        };
        // Variables hold for many connections, so the one at hand may differ.
        if matches!(origin, Origin::Environment(it) if it.starts_with("PG")) {
            continue;
        }
        return Err(ConnectError::setting(
            name,
            origin,
            format!("is never used, since sslmode from {mode_origin} is disable"),
            "set sslmode to verify-full, or remove it",
        ));
    }
    Ok(())
}

/// A file of the user's folder for PostgreSQL, if it is there.
fn of_user(environment: &Environment, name: &str) -> Option<(PathBuf, Origin)> {
    let path = environment.home()?.join(".postgresql").join(name);
    path.exists().then_some((path, Origin::Default))
}

fn roots(values: &Values, environment: &Environment) -> Roots {
    match values.get("sslrootcert") {
        Some(("system", _)) => Roots::System,
        Some((path, origin)) => Roots::File(path.into(), origin.clone()),
        None => of_user(environment, "root.crt")
            .map_or(Roots::Any, |(path, origin)| Roots::File(path, origin)),
    }
}

fn identity(
    values: &Values,
    environment: &Environment,
    mode: Mode,
) -> Result<Option<Identity>, ConnectError> {
    let wanted = values.choice("sslcertmode", &[("allow", true), ("disable", false)]);
    if !wanted?.unwrap_or(true) || mode == Mode::Disable {
        return Ok(None);
    }
    let file = |setting: &str, name: &str| match values.get(setting) {
        Some((path, origin)) => Some((PathBuf::from(path), origin.clone())),
        None => of_user(environment, name),
    };
    let pair = (
        file("sslcert", "postgresql.crt"),
        file("sslkey", "postgresql.key"),
    );
    match pair {
        (Some(certificate), Some(key)) => Ok(Some(Identity { certificate, key })),
        (Some((path, origin)), None) => Err(ConnectError::setting(
            "sslcert",
            &origin,
            format!("names {}, and sslkey names no private key", path.display()),
            "set sslkey to the key of the certificate",
        )),
        (None, Some((path, origin))) if values.get("sslkey").is_some() => {
            Err(ConnectError::setting(
                "sslkey",
                &origin,
                format!("names {}, and sslcert names no certificate", path.display()),
                "set sslcert to the certificate of the key",
            ))
        }
        (None, _) => Ok(None),
    }
}

fn versions(values: &Values) -> Result<(Version, Version), ConnectError> {
    let (old, new) = (
        [("TLSv1", Version::Old), ("TLSv1.1", Version::Old)],
        [("TLSv1.2", Version::Tls12), ("TLSv1.3", Version::Tls13)],
    );
    let name = "ssl_min_protocol_version";
    let least = values.choice(name, &[old[0], old[1], new[0], new[1]])?;
    let name = "ssl_max_protocol_version";
    let most = values.choice(name, &new)?;
    let range = (
        least.unwrap_or(Version::Tls12),
        most.unwrap_or(Version::Tls13),
    );
    if range.0 > range.1 {
        return Err(ConnectError::setting(
            name,
            &values.origin(name),
            "is older than ssl_min_protocol_version",
            "raise it, or lower the other",
        ));
    }
    Ok(range)
}

/// Reads a file of certificates.
pub(crate) fn read(setting: &str, path: &Path, origin: &Origin) -> Result<Vec<u8>, ConnectError> {
    let remedy = "mend the path, or the file's permissions";
    std::fs::read(path).map_err(|error| {
        let problem = format!("names {}, which cannot be read: {error}", path.display());
        ConnectError::setting(setting, origin, problem, remedy)
    })
}

/// Reads a private key that only its owner, or root and a group, can read, and that has no passphrase.
pub(crate) fn read_key(path: &Path, origin: &Origin) -> Result<Vec<u8>, ConnectError> {
    let pem = read("sslkey", path, origin)?;
    let refuse = |problem: &str, remedy: String| {
        let problem = format!("names {}, {problem}", path.display());
        Err(ConnectError::setting("sslkey", origin, problem, remedy))
    };
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        // libpq takes a key of root that a group may read.
        let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        if metadata.mode() & forbidden != 0 {
            let remedy = format!("run chmod 600 {}", path.display());
            return refuse("which other accounts can read", remedy);
        }
    }
    let text = String::from_utf8_lossy(&pem);
    if text.contains("ENCRYPTED") {
        let remedy = format!(
            "write the key without one: openssl pkey -in {} -out NEW.key, and protect its file",
            path.display()
        );
        return refuse(
            "which has a passphrase, and Limbeck cannot ask for it",
            remedy,
        );
    }
    Ok(pem)
}
