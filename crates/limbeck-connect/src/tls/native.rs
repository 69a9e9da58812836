//! TLS by the system's library.

use native_tls::{Certificate, Identity, Protocol, TlsConnector};
use tokio::net::TcpStream;

use super::{Mode, Roots, TlsSettings, Version, read, read_key};
use crate::bridge::Stream;
use crate::error::ConnectError;
use crate::open::Trouble;
use crate::settings::Host;

/// What makes TLS connections.
pub(crate) struct Connector(tokio_native_tls::TlsConnector);

impl Connector {
    /// Reads the certificates that the settings name; `None` where they ask for no TLS.
    ///
    /// # Errors
    /// [`ConnectError::Setting`] for a file that cannot be used.
    pub(crate) fn new(settings: &TlsSettings) -> Result<Option<Self>, ConnectError> {
        if settings.mode == Mode::Disable {
            return Ok(None);
        }
        let version = |it| match it {
            Version::Old => Protocol::Tlsv10,
            Version::Tls12 => Protocol::Tlsv12,
            Version::Tls13 => Protocol::Tlsv13,
        };
        let (least, most) = settings.versions;
        let mut builder = TlsConnector::builder();
        builder
            .danger_accept_invalid_certs(settings.mode < Mode::VerifyCa)
            .danger_accept_invalid_hostnames(settings.mode < Mode::VerifyFull)
            .use_sni(settings.sni)
            .min_protocol_version(Some(version(least)))
            .max_protocol_version((most < Version::Tls13).then(|| version(most)));
        if let Roots::File(path, origin) = &settings.roots {
            let pem = read("sslrootcert", path, origin)?;
            let found = Certificate::stack_from_pem(&pem).unwrap_or_default();
            if found.is_empty() {
                let problem = format!("names {}, which holds no certificate", path.display());
                let remedy = "name a file of PEM form (BEGIN CERTIFICATE)";
                return Err(ConnectError::setting(
                    "sslrootcert",
                    origin,
                    problem,
                    remedy,
                ));
            }
            builder.disable_built_in_roots(true);
            for it in found {
                builder.add_root_certificate(it);
            }
        }
        if let Some(identity) = &settings.identity {
            let (path, origin) = &identity.certificate;
            let chain = read("sslcert", path, origin)?;
            let (path, origin) = &identity.key;
            let key = read_key(path, origin)?;
            let identity = Identity::from_pkcs8(&chain, &key).map_err(|error| {
                let problem = format!("names {}, which cannot be used: {error}", path.display());
                let remedy = "name the key of sslcert in the form PKCS #8 (openssl pkey writes it)";
                ConnectError::setting("sslkey", origin, problem, remedy)
            })?;
            builder.identity(identity);
        }
        let connector = builder.build().map_err(|error| {
            let origin = &settings.mode_origin;
            ConnectError::setting(
                "sslmode",
                origin,
                format!("cannot be had: {error}"),
                "mend it",
            )
        })?;
        Ok(Some(Self(connector.into())))
    }

    /// Makes a connection to a server a TLS connection.
    ///
    /// # Errors
    /// [`Trouble::Tls`] with the reason.
    pub(crate) async fn handshake(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<Box<dyn Stream>, Trouble> {
        match self.0.connect(&host.name, stream).await {
            Ok(it) => Ok(Box::new(it)),
            Err(error) => Err(Trouble::Tls {
                reason: format!("the TLS handshake failed: {error}"),
                remedy: "; look at sslmode, sslrootcert and the server's certificate".to_owned(),
            }),
        }
    }
}
