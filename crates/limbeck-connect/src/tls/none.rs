//! Builds without TLS.

use tokio::net::TcpStream;

use super::TlsSettings;
use crate::bridge::Stream;
use crate::error::ConnectError;
use crate::open::Trouble;
use crate::settings::Host;

/// Never made: settings that need TLS are refused before.
#[derive(Debug)]
pub(crate) enum Connector {}

impl Connector {
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as with TLS")]
    pub(crate) fn new(_: &TlsSettings) -> Result<Option<Self>, ConnectError> {
        Ok(None)
    }

    pub(crate) async fn handshake(
        &self,
        _: &Host,
        _: TcpStream,
    ) -> Result<Box<dyn Stream>, Trouble> {
        match *self {}
    }
}
