//! The proof: a new revision is run up and down in a scratch database before anybody relies on it.
//!
//! The current state is rebuilt there from what was read of it, then the upgrade runs as it is written, and nothing may
//! differ from what is desired; then the downgrade, and nothing may differ from the start.

use std::fmt::{self, Display};

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired};
use limbeck_revision::{Revision, Segment, SegmentMode};
use limbeck_schema::{Desired, Schema, Scope};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::error::{ServerError, one_line};
use crate::rebuild::Rebuild;
use crate::scratch::{Scratch, ScratchError};

/// How a proof ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The upgrade leads to the desired state and the downgrade back.
    Held {
        /// The server's version, `15.18`.
        version: String,
    },
    /// It does not.
    Refuted {
        /// What was tried: `upgrade`, `difference after the upgrade` and so on.
        step: &'static str,
        /// The error, or what differs, a line each.
        lines: Vec<String>,
    },
    /// It could not be tried.
    NotRun {
        /// Why not, on one line.
        reason: String,
    },
}

impl Display for Proof {
    /// As the header of a revision file says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { version } => {
                write!(
                    f,
                    "proof: upgraded, empty diff, downgraded, equal  (PostgreSQL {version})"
                )
            }
            Self::Refuted { step, lines } => {
                write!(f, "proof: refuted, {step}: {}", lines.join("; "))
            }
            Self::NotRun { reason } => write!(f, "proof: not run ({reason})"),
        }
    }
}

/// What a revision claims.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The state that it starts from.
    pub current: &'a Catalog,
    /// What of that state's database no kind stands for.
    pub unmanaged: &'a Unmanaged,
    /// The state that it leads to, as it was compared with the current one.
    pub desired: &'a Desired,
    /// The revision as it will be written.
    pub revision: &'a Revision,
}

/// Why a proof ended early.
enum Stop {
    Ended(Proof),
    Scratch(ScratchError),
}

impl From<Proof> for Stop {
    fn from(it: Proof) -> Self {
        Self::Ended(it)
    }
}

impl From<ScratchError> for Stop {
    fn from(it: ScratchError) -> Self {
        Self::Scratch(it)
    }
}

/// Tries what a revision claims in an empty scratch database.
///
/// # Errors
/// [`ScratchError`] if the scratch database is lost on the way.
pub async fn prove(scratch: &Scratch, claim: &Claim<'_>) -> Result<Proof, ScratchError> {
    let mut conn = scratch.connect().await?;
    let done = try_claim(scratch, &mut conn, claim).await;
    let _ = conn.close().await;
    match done {
        Ok(it) | Err(Stop::Ended(it)) => Ok(it),
        Err(Stop::Scratch(error)) => Err(error),
    }
}

async fn try_claim(
    scratch: &Scratch,
    conn: &mut PgConnection,
    claim: &Claim<'_>,
) -> Result<Proof, Stop> {
    let Claim {
        current,
        unmanaged,
        desired,
        revision,
    } = *claim;
    rebuild(conn, current, unmanaged).await?;
    let start = everything(&current.schema);
    let differs = differences(conn, start.clone()).await?;
    if !differs.is_empty() {
        return Err(not_run(format!("the rebuilt state differs: {}", differs.join("; "))).into());
    }
    run(scratch, "the upgrade fails", &revision.upgrade, unmanaged).await?;
    let differs = differences(conn, desired.clone()).await?;
    if !differs.is_empty() {
        return Ok(Proof::Refuted {
            step: "differences are left after the upgrade",
            lines: differs,
        });
    }
    run(
        scratch,
        "the downgrade fails",
        &revision.downgrade,
        unmanaged,
    )
    .await?;
    let differs = differences(conn, start).await?;
    if !differs.is_empty() {
        return Ok(Proof::Refuted {
            step: "differences are left after the downgrade",
            lines: differs,
        });
    }
    let version = version(conn).await;
    Ok(Proof::Held { version })
}

fn everything(schema: &Schema) -> Desired {
    Desired {
        schema: schema.clone(),
        scope: Scope::everything(),
        ..Desired::default()
    }
}

fn not_run(reason: impl AsRef<str>) -> Proof {
    Proof::NotRun {
        reason: one_line(reason.as_ref()),
    }
}

/// Brings the empty database to the current state.
async fn rebuild(
    conn: &mut PgConnection,
    current: &Catalog,
    unmanaged: &Unmanaged,
) -> Result<(), Stop> {
    let rebuild = Rebuild::new(current, unmanaged)
        .map_err(|error| not_run(format!("the current state cannot be rebuilt: {error}")))?;
    for sql in rebuild.statements() {
        execute(conn, sql).await.map_err(|error| {
            let reason = format!(
                "the current state cannot be rebuilt, `{}`: {}",
                one_line(sql),
                answer(&error)
            );
            let objects = unmanaged.lines().join("; ");
            not_run(if objects.is_empty() {
                reason
            } else {
                format!("{reason}; not managed and so not there: {objects}")
            })
        })?;
    }
    Ok(())
}

/// Runs segments as the runner does, on a connection of their own, since they may change its settings.
async fn run(
    scratch: &Scratch,
    step: &'static str,
    segments: &[Segment],
    unmanaged: &Unmanaged,
) -> Result<(), Stop> {
    let mut conn = scratch.connect().await?;
    for segment in segments {
        let refuted = |line: String| Proof::Refuted {
            step,
            lines: vec![line],
        };
        let statements = segment
            .statements()
            .map_err(|error| refuted(error.to_string()))?;
        let in_transaction = segment.mode == SegmentMode::Transaction;
        let begin = in_transaction.then(|| "BEGIN".to_owned());
        let end = in_transaction.then(|| "COMMIT".to_owned());
        for sql in begin
            .into_iter()
            .chain(statements.into_iter().map(|it| it.sql))
            .chain(end)
        {
            let Err(error) = execute(&mut conn, &sql).await else {
                continue;
            };
            let line = format!("`{}`: {}", one_line(&sql), answer(&error));
            // What is not managed is not in the scratch database, so its lack proves nothing.
            let lacks = ServerError::of(&error)
                .is_some_and(|it| matches!(it.code.as_str(), "42883" | "42704" | "42P01"));
            let has_others = unmanaged
                .objects
                .keys()
                .any(|(word, _)| word != "extension");
            return Err(if lacks && has_others {
                not_run(format!(
                    "{step}, for want of an object that is not managed: {line}"
                ))
                .into()
            } else {
                refuted(line).into()
            });
        }
    }
    let _ = conn.close().await;
    Ok(())
}

async fn differences(conn: &mut PgConnection, desired: Desired) -> Result<Vec<String>, Stop> {
    let options = CompareOptions {
        read: ReadOptions {
            own_tables: Vec::new(),
            companion: None,
        },
    };
    match compare_desired(conn, desired, &options).await {
        Ok(it) => Ok(it.ops.iter().map(|op| one_line(&op.to_string())).collect()),
        Err(error) => Err(not_run(format!("the states cannot be compared: {error}")).into()),
    }
}

async fn version(conn: &mut PgConnection) -> String {
    let row = conn
        .fetch_one(sqlx::raw_sql(
            "SELECT split_part(current_setting('server_version'), ' ', 1)",
        ))
        .await;
    row.and_then(|it| it.try_get(0)).unwrap_or_default()
}

fn answer(error: &sqlx::Error) -> String {
    ServerError::of(error).map_or_else(|| one_line(&error.to_string()), |it| it.to_string())
}

async fn execute(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}
