//! What of connection settings may be shown: hosts, ports, database and user.

use std::fmt;

/// Where a connection leads to. Its `Display` is fit for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The servers that are tried in turn, each as `host:port` or as the path of its socket.
    pub servers: Vec<String>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            servers,
            database,
            user,
        } = self;
        write!(f, "database {database} on {} as {user}", servers.join(", "))
    }
}
