//! TLS by rustls: what the server's certificate has to satisfy, and what is said where it does not.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, IpAddr, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Identity, Mode, Roots, TlsSettings, Version, read, read_key};
use crate::bridge::Stream;
use crate::error::ConnectError;
use crate::open::Trouble;
use crate::settings::Host;

/// What makes TLS connections.
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    roots: Roots,
}

impl Connector {
    /// Reads the certificates that the settings name; `None` where they ask for no TLS.
    ///
    /// # Errors
    /// [`ConnectError::Setting`] for a file that cannot be used.
    pub(crate) fn new(settings: &TlsSettings) -> Result<Option<Self>, ConnectError> {
        if settings.mode == Mode::Disable {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let all = [
            (Version::Tls12, &rustls::version::TLS12),
            (Version::Tls13, &rustls::version::TLS13),
        ];
        let (least, most) = settings.versions;
        let versions: Vec<_> = all
            .into_iter()
            .filter(|(it, _)| *it >= least && *it <= most)
            .map(|(_, version)| version)
            .collect();
        let wrong = |error: Error| {
            let origin = &settings.mode_origin;
            ConnectError::setting(
                "sslmode",
                origin,
                format!("cannot be had: {error}"),
                "mend it",
            )
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(settings, provider)?));
        let mut config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = read_identity(identity)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    let (path, origin) = &identity.key;
                    ConnectError::setting(
                        "sslkey",
                        origin,
                        format!(
                            "names {}, which does not go with sslcert: {error}",
                            path.display()
                        ),
                        "name the key of the certificate",
                    )
                })?
            }
        };
        config.enable_sni = settings.sni;
        Ok(Some(Self {
            config: Arc::new(config),
            roots: settings.roots.clone(),
        }))
    }

    /// Makes a connection to a server a TLS connection.
    ///
    /// # Errors
    /// [`Trouble::Tls`] with the reason and the remedy.
    pub(crate) async fn handshake(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<Box<dyn Stream>, Trouble> {
        // A name that no certificate can have is none that could be verified.
        let name = ServerName::try_from(host.name.clone()).unwrap_or(ServerName::IpAddress(
            IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED),
        ));
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.config));
        match connector.connect(name, stream).await {
            Ok(it) => Ok(Box::new(it)),
            Err(error) => Err(self.explain(host, &error)),
        }
    }

    fn explain(&self, host: &Host, error: &std::io::Error) -> Trouble {
        let inner = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
        let (reason, remedy) = match inner {
            Some(error) => reason(error, host, &self.roots),
            None => (format!("the TLS handshake failed: {error}"), String::new()),
        };
        Trouble::Tls { reason, remedy }
    }
}

/// Says why a handshake failed, and what to do.
pub(crate) fn reason(error: &Error, host: &Host, roots: &Roots) -> (String, String) {
    let signers = match roots {
        Roots::File(path, origin) => format!(
            "an authority of {} (sslrootcert from {origin})",
            path.display()
        ),
        Roots::System | Roots::Any => "an authority that the system trusts".to_owned(),
    };
    let (reason, remedy) = match error {
        Error::InvalidCertificate(it) => match it {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                "the server's certificate has expired".to_owned(),
                "renew it on the server, and look at this machine's clock",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                "the server's certificate is not valid yet".to_owned(),
                "look at this machine's clock and at the server's certificate",
            ),
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                format!("the server's certificate is not signed by {signers}"),
                "set sslrootcert to the file of the authority that signed it",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    format!(
                        "the server's certificate is not for the host {}{}",
                        host.name,
                        presented(it)
                    ),
                    "connect by a name of the certificate (hostaddr sets the address), or set sslmode to verify-ca",
                )
            }
            other => (
                format!("the server's certificate cannot be verified: {other}"),
                "set sslrootcert to the file of the authority that signed it; certificates of X.509 version 1 have to be \
                 issued anew with version 3",
            ),
        },
        Error::AlertReceived(it) => (
            format!("the server ended the TLS handshake: {it:?}"),
            "it may ask for a client certificate: set sslcert and sslkey to one that its authority signed",
        ),
        other => (
            format!("the TLS handshake failed: {other}"),
            "look at the server's log",
        ),
    };
    (reason, format!("; {remedy}"))
}

/// The names that a certificate is for, for a message.
fn presented(error: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext { presented, .. } = error else {
        return String::new();
    };
    match presented.is_empty() {
        true => String::new(),
        false => format!(", but for {}", presented.join(", ")),
    }
}

fn read_identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ConnectError> {
    let (path, origin) = &identity.certificate;
    let pem = read("sslcert", path, origin)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = match chain {
        Ok(it) if !it.is_empty() => it,
        _ => return Err(no_certificate("sslcert", path, origin)),
    };
    let (path, origin) = &identity.key;
    let key = PrivateKeyDer::from_pem_slice(&read_key(path, origin)?).map_err(|_| {
        let problem = format!("names {}, which holds no private key", path.display());
        ConnectError::setting(
            "sslkey",
            origin,
            problem,
            "name a file of PEM form (BEGIN PRIVATE KEY)",
        )
    })?;
    Ok((chain, key))
}

fn no_certificate(
    setting: &str,
    path: &std::path::Path,
    origin: &crate::error::Origin,
) -> ConnectError {
    let problem = format!("names {}, which holds no certificate", path.display());
    let remedy = "name a file of PEM form (BEGIN CERTIFICATE)";
    ConnectError::setting(setting, origin, problem, remedy)
}

/// Verifies a server's certificate as far as the mode asks for it.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` where certificates are not verified.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the certificate has to be for the host.
    names: bool,
    /// The certificates of `sslrootcert`, of which one may be the server's own.
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    fn new(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Self, ConnectError> {
        let mut store = RootCertStore::empty();
        let mut trusted = Vec::new();
        match &settings.roots {
            Roots::Any => {
                return Ok(Self {
                    provider,
                    chain: None,
                    names: false,
                    trusted,
                });
            }
            Roots::System => {
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
            }
            Roots::File(path, origin) => {
                let pem = read("sslrootcert", path, origin)?;
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
                trusted = found.map_err(|_| no_certificate("sslrootcert", path, origin))?;
                store.add_parsable_certificates(trusted.iter().cloned());
                if store.is_empty() {
                    return Err(no_certificate("sslrootcert", path, origin));
                }
            }
        }
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        let chain = chain.build().map_err(|error| {
            ConnectError::setting(
                "sslrootcert",
                &settings.mode_origin,
                format!("gives no authority to verify the server by: {error}"),
                "set it to the file of the server's authority",
            )
        })?;
        Ok(Self {
            provider,
            chain: Some(chain),
            names: settings.mode == Mode::VerifyFull,
            trusted,
        })
    }

    /// Whether a certificate is for a name, also where only its common name says so, which libpq takes where there are no
    /// alternative names.
    fn is_for(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
        let alternatives = certificate.subject_alternative_name();
        let alternatives = alternatives
            .ok()
            .flatten()
            .map(|it| &it.value.general_names);
        let wanted = name.to_str();
        let mut names = alternatives.into_iter().flatten().peekable();
        if names.peek().is_some() {
            return names.any(|it| match it {
                GeneralName::DNSName(pattern) => matches_name(pattern, &wanted),
                GeneralName::IPAddress(bytes) => match wanted.parse() {
                    Ok(std::net::IpAddr::V4(it)) => it.octets() == *bytes,
                    Ok(std::net::IpAddr::V6(it)) => it.octets() == *bytes,
                    Err(_) => false,
                },
                _ => false,
            });
        }
        let mut common = certificate.subject().iter_common_name();
        common.any(|it| it.as_str().is_ok_and(|it| matches_name(it, &wanted)))
    }

    /// Verifies a certificate that `sslrootcert` itself holds.
    fn verify_own(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = parsed.validity();
        if now > validity.not_after.timestamp() {
            return Err(CertificateError::Expired);
        }
        if now < validity.not_before.timestamp() {
            return Err(CertificateError::NotValidYet);
        }
        match self.names && !Self::is_for(&parsed, name) {
            true => Err(CertificateError::NotValidForName),
            false => Ok(()),
        }
    }
}

/// Whether a name of a certificate, maybe with a `*` for its first part, is that of the host.
fn matches_name(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    match (pattern.strip_prefix("*."), name.split_once('.')) {
        (Some(rest), Some((_, parent))) => rest.contains('.') && rest.eq_ignore_ascii_case(parent),
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        if self.trusted.iter().any(|it| it == certificate) {
            self.verify_own(certificate, name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = chain.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // The name is looked at last, so the chain holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.names => Ok(ServerCertVerified::assertion()),
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => match X509Certificate::from_der(certificate) {
                Ok((_, it)) if Self::is_for(&it, name) => Ok(ServerCertVerified::assertion()),
                _ => verified,
            },
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::matches_name;

    #[test]
    fn a_star_stands_for_one_part_of_a_name() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        };
        check("db.example.org", "DB.example.org", true);
        check("*.example.org", "db.example.org", true);
        check("*.example.org", "a.db.example.org", false);
        check("*.org", "example.org", false);
        check("db.example.org", "db.example.com", false);
    }
}
