//! The proof: a new revision is run up and down in a scratch database before anybody relies on it.
//!
//! The current state is rebuilt there from what was read of it and every table gets a few rows. Then the upgrade runs as
//! it is written, and nothing may differ from what is desired; then the downgrade, and nothing may differ from the start.
//! Tables that are still there keep their rows and values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired};
use limbeck_revision::Revision;
use limbeck_schema::{Desired, Key, Name, Object, Schema, Scope, Verdict};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::error::{ServerError, one_line};
use crate::extension::NoExtension;
use crate::keep::Holding;
use crate::rebuild::Rebuild;
use crate::scratch::{self, Scratch, ScratchError};
use crate::seed::seed;
use crate::trial::Trial;

/// How many remarks the header of a file has room for.
const SHOWN_NOTES: usize = 3;

/// What is said of an upgrade that leads to another state than it should.
pub(crate) const ELSEWHERE: &str = "the squashed upgrade leads elsewhere";

/// How many statements of a rebuild are sent at once.
const STATEMENTS_AT_ONCE: usize = 200;

/// How a proof ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// The upgrade leads to the desired state and the downgrade back, and tables keep their rows.
    Held {
        /// The server's version, `15.18`.
        version: String,
        /// How many tables had rows all the way.
        n_tables: usize,
        /// What else there is to know, a line each: statements that fail where there are rows and say so, values that
        /// the revision changes, tables that were tried empty.
        notes: Vec<String>,
    },
    /// It does not.
    Refuted {
        /// What was tried: `the upgrade fails`, `differences are left after the upgrade` and so on.
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

impl Proof {
    /// What there is to know beside the outcome, a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Held { notes, .. } => notes,
            Self::Refuted { .. } | Self::NotRun { .. } => &[],
        }
    }
}

impl Display for Proof {
    /// As the header of a revision file says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held {
                version,
                n_tables,
                notes,
            } => {
                write!(
                    f,
                    "proof: upgraded, empty diff, downgraded, equal  (PostgreSQL {version})"
                )?;
                f.write_str(&rows_line("   ", *n_tables, notes))
            }
            Self::Refuted { step, lines } => {
                write!(f, "proof: refuted, {step}: {}", lines.join("; "))
            }
            Self::NotRun { reason } => write!(f, "proof: not run ({reason})"),
        }
    }
}

/// `rows: kept in 3 tables; …`, with the first remarks; nothing where no table had rows and there is none.
fn rows_line(before: &str, n_tables: usize, notes: &[String]) -> String {
    let mut parts = Vec::new();
    match n_tables {
        0 => {}
        1 => parts.push("kept in 1 table".to_owned()),
        n => parts.push(format!("kept in {n} tables")),
    }
    parts.extend(notes.iter().take(SHOWN_NOTES).cloned());
    if notes.len() > SHOWN_NOTES {
        parts.push(format!("and {} more", notes.len() - SHOWN_NOTES));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!("{before}rows: {}", parts.join("; "))
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
pub(crate) enum Stop {
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
    ended(done)
}

/// Tries a revision that is there already in a scratch database that holds the state before it: up, down and up again.
/// Each time the state of before has to come back, what no kind stands for included.
///
/// # Errors
/// [`ScratchError`] if the scratch database is lost on the way.
pub async fn verify(
    scratch: &Scratch,
    revision: &Revision,
    read: &ReadOptions,
) -> Result<Proof, ScratchError> {
    let mut conn = scratch.connect().await?;
    let done = try_again(scratch, &mut conn, revision, read, None).await;
    let _ = conn.close().await;
    ended(done)
}

pub(crate) fn ended(done: Result<Proof, Stop>) -> Result<Proof, ScratchError> {
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
    let read = ReadOptions {
        own_tables: Vec::new(),
        companion: None,
    };
    if let Some(taken) = taken(claim) {
        return Err(not_run(format!(
            "{taken}, which is not managed, has a name that the upgrade gives away"
        ))
        .into());
    }
    rebuild(scratch, conn, current, unmanaged).await?;
    let start = everything(&current.schema.as_created());
    let differs = differences(conn, start.clone(), &read).await?;
    if !differs.is_empty() {
        return Err(not_run(format!("the rebuilt state differs: {}", differs.join("; "))).into());
    }
    let mut trial = Trial::new(scratch, &[], unmanaged.has_objects());
    for line in untried(claim) {
        trial.note(line);
    }
    let n_tables = fill(conn, &mut trial, &[]).await?;
    let before = holding(conn, &[]).await?;
    trial.run("upgrade", &revision.upgrade).await?;
    require_equal(
        "differences are left after the upgrade",
        differences(conn, desired.clone(), &read).await?,
    )?;
    let between = holding(conn, &[]).await?;
    trial.weigh("upgrade", &revision.upgrade, &before, &between)?;
    trial.run("downgrade", &revision.downgrade).await?;
    require_equal(
        "differences are left after the downgrade",
        differences(conn, start, &read).await?,
    )?;
    let after = holding(conn, &[]).await?;
    trial.weigh("downgrade", &revision.downgrade, &between, &after)?;
    let version = version(conn).await;
    Ok(Proof::Held {
        version,
        n_tables: n_tables.saturating_sub(trial.n_emptied()),
        notes: trial.notes,
    })
}

/// What is not managed and has the name of a relation that the upgrade creates.
fn taken(claim: &Claim<'_>) -> Option<String> {
    let Claim {
        current,
        unmanaged,
        desired,
        ..
    } = claim;
    let created = desired.schema.iter();
    let created = created.filter(|(key, _)| !current.schema.contains(key));
    let mut slots = created.flat_map(|(_, object)| object.slots());
    slots.find_map(|it| {
        let schema = it.name.schema.as_ref().unwrap_or(&current.default_schema);
        let is_relation = it.space == "relation";
        is_relation
            .then(|| unmanaged.relation(schema, &it.name.name))
            .flatten()
    })
}

/// Partitions of tables that change: they are not managed, so they were not there. A line for each such table.
fn untried(claim: &Claim<'_>) -> Vec<String> {
    let Claim {
        current,
        unmanaged,
        desired,
        ..
    } = claim;
    let table = |key: &Key| {
        let name = key.qualified();
        let schema = name.schema.as_ref().unwrap_or(&current.default_schema);
        format!("{schema}.{}", name.name)
    };
    let differs = |key: &Key, object: &Object| match desired.schema.get(key) {
        None => desired.scope.covers(object, &current.schema),
        Some(it) => Object::verdict(object, it) != Verdict::Same,
    };
    let all = current.schema.iter();
    let changed = all.filter(|(key, it)| differs(key, it)).map(|(key, _)| key);
    let created = desired.schema.iter().map(|(key, _)| key);
    let created = created.filter(|it| !current.schema.contains(it));
    let touched: BTreeSet<String> = changed.chain(created).map(table).collect();
    let mut partitions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (partition, table) in &unmanaged.partitions {
        if touched.contains(table) {
            partitions.entry(table).or_default().push(partition);
        }
    }
    let line = |(table, names): (&str, Vec<&str>)| {
        let shown: Vec<&str> = names.iter().take(SHOWN_NOTES).copied().collect();
        let more = match names.len() - shown.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!(
            "partitions of {table} are not managed and were not there ({}{more}): the server may refuse what they do not \
             agree with",
            shown.join(", ")
        )
    };
    partitions.into_iter().map(line).collect()
}

/// Up, down and up again. Where it is known what the upgrade leads to, the first one has to lead there.
pub(crate) async fn try_again(
    scratch: &Scratch,
    conn: &mut PgConnection,
    revision: &Revision,
    read: &ReadOptions,
    known: Option<(Schema, Unmanaged)>,
) -> Result<Proof, Stop> {
    let own_tables = &read.own_tables;
    let (start, start_rest) = state(conn, read, scratch).await?;
    let mut trial = Trial::new(scratch, own_tables, false);
    let n_tables = fill(conn, &mut trial, own_tables).await?;
    let mut held = holding(conn, own_tables).await?;
    let mut reached = known;
    for (nth, way) in ["upgrade", "downgrade", "upgrade"].into_iter().enumerate() {
        let (segments, step, expected) = match (way, &reached) {
            ("downgrade", _) => (
                &revision.downgrade,
                "the downgrade does not undo the upgrade",
                Some((&start, &start_rest)),
            ),
            (_, None) => (&revision.upgrade, "", None),
            (_, Some((schema, rest))) => (
                &revision.upgrade,
                if nth == 0 {
                    ELSEWHERE
                } else {
                    "the second upgrade leads elsewhere"
                },
                Some((schema, rest)),
            ),
        };
        trial.run(way, segments).await?;
        match expected {
            None => {}
            Some((schema, rest)) => {
                let mut differs = differences(conn, everything(schema), read).await?;
                let (_, now) = state(conn, read, scratch).await?;
                differs.extend(Unmanaged::differences(&now, rest));
                require_equal(step, differs)?;
            }
        }
        if expected.is_none() {
            reached = Some(state(conn, read, scratch).await?);
        }
        let now = holding(conn, own_tables).await?;
        trial.weigh(way, segments, &held, &now)?;
        held = now;
    }
    let version = version(conn).await;
    Ok(Proof::Held {
        version,
        n_tables: n_tables.saturating_sub(trial.n_emptied()),
        notes: trial.notes,
    })
}

/// Puts rows into the tables; gives how many hold some.
pub(crate) async fn fill(
    conn: &mut PgConnection,
    trial: &mut Trial<'_>,
    own_tables: &[Name],
) -> Result<usize, Stop> {
    let seeded = seed(conn, own_tables).await.map_err(|error| {
        not_run(format!(
            "the tables cannot be given rows: {}",
            answer(&error)
        ))
    })?;
    for (table, reason) in &seeded.empty {
        trial.note(format!("{table} was tried empty ({reason})"));
    }
    Ok(seeded.n_tables)
}

pub(crate) async fn holding(conn: &mut PgConnection, own_tables: &[Name]) -> Result<Holding, Stop> {
    let held = Holding::read(conn, own_tables).await;
    held.map_err(|error| not_run(format!("the rows cannot be read: {}", answer(&error))).into())
}

pub(crate) async fn state(
    conn: &mut PgConnection,
    read: &ReadOptions,
    scratch: &Scratch,
) -> Result<(Schema, Unmanaged), Stop> {
    let failed = |error| not_run(format!("the state cannot be read: {error}"));
    let schema = Catalog::read(conn, read).await.map_err(failed)?.schema;
    let rest = scratch.unmanaged(conn).await.map_err(failed)?;
    Ok((schema, rest))
}

pub(crate) fn require_equal(step: &'static str, lines: Vec<String>) -> Result<(), Stop> {
    if lines.is_empty() {
        Ok(())
    } else {
        Err(Proof::Refuted { step, lines }.into())
    }
}

pub(crate) fn everything(schema: &Schema) -> Desired {
    Desired {
        schema: schema.clone(),
        scope: Scope::everything(),
        ..Desired::default()
    }
}

pub(crate) fn not_run(reason: impl AsRef<str>) -> Proof {
    Proof::NotRun {
        reason: one_line(reason.as_ref()),
    }
}

/// Brings the empty database to the current state.
async fn rebuild(
    scratch: &Scratch,
    conn: &mut PgConnection,
    current: &Catalog,
    unmanaged: &Unmanaged,
) -> Result<(), Stop> {
    let rebuild = Rebuild::new(current, unmanaged)
        .map_err(|error| not_run(format!("the current state cannot be rebuilt: {error}")))?;
    let failed = |sql: &str, error: &sqlx::Error| {
        let server = ServerError::of(error);
        if let Some(it) = server.and_then(|it| NoExtension::of(sql, &it, scratch)) {
            return not_run(format!("the current state cannot be rebuilt: {it}"));
        }
        let reason = format!(
            "the current state cannot be rebuilt, `{}`: {}",
            one_line(sql),
            answer(error)
        );
        let objects = rebuild.missing_objects.join("; ");
        not_run(if objects.is_empty() {
            reason
        } else {
            format!("{reason}; not managed and so not there: {objects}")
        })
    };
    let rights = scratch.rights();
    let statements: Vec<Cow<'_, str>> = rebuild.statements().collect();
    for some in statements.chunks(STATEMENTS_AT_ONCE) {
        // Sent together they are one transaction. If one fails, all are tried alone: the culprit is to be named, and
        // some statements work in no transaction.
        if execute(conn, &some.join(";\n")).await.is_ok() {
            continue;
        }
        for sql in some {
            scratch::execute(rights.as_ref(), conn, sql)
                .await
                .map_err(|error| failed(sql, &error))?;
        }
    }
    Ok(())
}

pub(crate) async fn differences(
    conn: &mut PgConnection,
    desired: Desired,
    read: &ReadOptions,
) -> Result<Vec<String>, Stop> {
    let options = CompareOptions {
        read: read.clone(),
        ..CompareOptions::default()
    };
    match compare_desired(conn, desired, &options).await {
        Ok(it) => Ok(it.ops.iter().map(|op| one_line(&op.to_string())).collect()),
        Err(error) => Err(not_run(format!("the states cannot be compared: {error}")).into()),
    }
}

async fn version(conn: &mut PgConnection) -> String {
    let row = conn
        .fetch_one(sqlx::raw_sql(
            "SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1)",
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
