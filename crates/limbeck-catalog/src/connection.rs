//! Connections by connection strings.

use limbeck_connect::{Origin, Settings};
use sqlx::PgConnection;

use crate::CatalogError;

/// Opens a connection by a connection string, as psql takes it: see [`Settings`]. No message shows its text.
///
/// # Errors
/// [`CatalogError::Connect`].
pub async fn connect(url: &str) -> Result<PgConnection, CatalogError> {
    Ok(Settings::parse(url, Origin::Program)?.connect().await?)
}
