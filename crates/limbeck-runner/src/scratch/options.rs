//! How a scratch database is asked for, and why there is none.

use std::time::Duration;

use limbeck_connect::{ConnectError, Settings};

/// How long a statement in a scratch database may run if nothing else is said.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_mins(2);

/// Why there is no scratch database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScratchError {
    /// None of the ways led to one.
    #[error(
        "no scratch database can be had: {}; either grant CREATEDB and CREATEROLE to the role (ALTER ROLE … CREATEDB \
         CREATEROLE), or name a server to create it on: write url = \"postgresql://…\" under [scratch] in limbeck.toml, or \
         install the server programs of the target's major version on this machine (LIMBECK_PG_BIN names their folder){}",
        .reasons.join("; "), if *.trust_helps { TRUST } else { "" }
    )]
    None {
        /// What stood in each way.
        reasons: Vec<String>,
        /// Whether there would be one if the SQL were trusted.
        trust_helps: bool,
    },
    /// A server cannot be reached.
    #[error("cannot use {what}")]
    Connect {
        /// Which one.
        what: String,
        /// Why not.
        source: ConnectError,
    },
    /// A statement of the scratch database's own set-up failed.
    #[error("cannot {doing} the scratch database {name}")]
    SetUp {
        /// What was done.
        doing: &'static str,
        /// Its name.
        name: String,
        /// What the driver says.
        source: sqlx::Error,
    },
}

const TRUST: &str = "; or, if all SQL of the sources, the revisions and the database is your own, say --trusted or \
                     LIMBECK_TRUSTED=1, and it runs with all the rights of the role";

/// How a scratch database is to be had.
#[derive(Clone, Copy, Debug)]
pub struct ScratchOptions<'a> {
    /// The database that it is to be like, and on whose server it is created first of all.
    pub target: Option<&'a Settings>,
    /// A server that is to be used where the target's cannot be.
    pub fallback: Option<&'a Settings>,
    /// Whether the SQL is the user's own, so that it may run with all the rights of the target's role.
    pub trusted: bool,
    /// How long a statement may run.
    pub statement_timeout: Duration,
}

impl Default for ScratchOptions<'_> {
    fn default() -> Self {
        Self {
            target: None,
            fallback: None,
            trusted: false,
            statement_timeout: STATEMENT_TIMEOUT,
        }
    }
}
