//! Connection settings as psql takes them, and connections opened with them.
//!
//! [`Settings::parse`] reads URLs, keywords and values, services, `PG*` variables and password files after
//! <https://www.postgresql.org/docs/18/libpq-connect.html>, and refuses what is unknown, contradicts itself or is not
//! supported. [`Settings::connect`] tries the hosts in turn. No message shows text of a connection string: only hosts,
//! ports, database and user ([`Target`]); [`redact`] takes passwords out of the texts of others.
//!
//! TLS is the feature `tls-rustls` or `tls-native-tls`; with both, rustls is used.
//!
//! ```no_run
//! # async fn example() -> Result<(), limbeck_connect::ConnectError> {
//! use limbeck_connect::{Origin, Settings};
//!
//! let settings = Settings::parse("postgresql://db.example.org/app?sslmode=verify-full", Origin::Program)?;
//! println!("connecting to {}", settings.target());
//! let conn = settings.connect().await?;
//! limbeck_connect::close(conn).await;
//! # Ok(())
//! # }
//! ```

mod argument;
mod bridge;
mod conninfo;
mod environment;
mod error;
mod open;
mod parameter;
mod passfile;
mod secret;
mod service;
mod settings;
mod target;
mod tls;
mod values;

pub use bridge::settle;
pub use conninfo::is_connection_string;
pub use environment::Environment;
pub use error::{ConnectError, Origin};
pub use open::close;
pub use secret::{redact, register};
pub use settings::Settings;
pub use target::Target;
