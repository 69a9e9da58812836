//! Comparing: read, let the server judge, diff.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_metadata::{LowerOptions, MetaData};
use limbeck_plan::PlanError;
use limbeck_schema::kinds::align;
use limbeck_schema::{Desired, Key, Op};
use sqlx::PgConnection;

use crate::canonical::{canonicalise, place};
use crate::read::Session;
use crate::unresolved::set_aside;
use crate::{Catalog, CompareError, Ignore, ReadOptions, Unresolved};

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct CompareOptions {
    /// What to leave out of the catalog.
    pub read: ReadOptions,
    /// Whether objects that cannot be judged or planned are left as they are and told in [`Comparison::unresolved`],
    /// beside all other differences; otherwise they end the comparison.
    pub tells_unresolved: bool,
    /// Desired objects that need something which the database does not have and no kind stands for, with that.
    pub needing: BTreeMap<Key, String>,
    /// What to leave alone on both sides.
    pub ignore: Ignore,
}

/// Both sides and what differs.
#[derive(Debug)]
pub struct Comparison {
    /// The current state.
    pub catalog: Catalog,
    /// The desired state, with every expression that the server takes for the current one spelled like it.
    pub desired: Desired,
    /// What differs; empty when both sides agree.
    pub ops: Vec<Op>,
    /// What could not be judged or cannot be brought about; the desired state has it as the current one.
    pub unresolved: Vec<Unresolved>,
}

/// What differs between a database and metadata; an empty list when they agree. It is Alembic's function of that
/// name, with PostgreSQL as the judge of what is equal.
///
/// # Errors
/// [`CompareError`].
pub async fn compare_metadata(
    conn: &mut PgConnection,
    metadata: &MetaData,
) -> Result<Vec<Op>, CompareError> {
    Ok(compare(conn, metadata, &CompareOptions::default())
        .await?
        .ops)
}

/// As [`compare`], for metadata that is still to be loaded: that, and lowering it, happens while the catalog is read.
///
/// # Errors
/// What `load` fails with, and [`CompareError`].
pub async fn compare_loaded<E: From<CompareError> + Send + 'static>(
    conn: &mut PgConnection,
    load: impl FnOnce() -> Result<MetaData, E> + Send + 'static,
    options: &CompareOptions,
) -> Result<Comparison, E> {
    let session = Session::read(conn).await.map_err(CompareError::from)?;
    let lower = LowerOptions {
        default_schema: session.default_schema.clone(),
    };
    // A thread of its own, which ends when it is done, so that its memory goes to those that read.
    let (sender, lowered) = tokio::sync::oneshot::channel();
    let lowering = std::thread::spawn(move || {
        let desired = load().and_then(|it| Ok(it.lower(&lower).map_err(CompareError::from)?));
        // Nobody waits for it where the catalog could not be read.
        let _ = sender.send(desired);
    });
    let desired = async {
        match lowered.await {
            Ok(it) => it,
            // It ended without an answer, so it panicked.
            Err(_) => match lowering.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => std::future::pending().await,
            },
        }
    };
    compare_in(conn, session, desired, options).await
}

/// As [`compare_metadata`], with both sides, for those who go on to plan.
///
/// # Errors
/// [`CompareError`].
pub async fn compare(
    conn: &mut PgConnection,
    metadata: &MetaData,
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let session = Session::read(conn).await?;
    let desired = metadata.lower(&LowerOptions {
        default_schema: session.default_schema.clone(),
    })?;
    compare_in(conn, session, std::future::ready(Ok(desired)), options).await
}

/// As [`compare`], for a desired state that has been lowered already, for this connection's default schema.
///
/// # Errors
/// [`CompareError`].
pub async fn compare_desired(
    conn: &mut PgConnection,
    desired: Desired,
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let session = Session::read(conn).await?;
    compare_in(conn, session, std::future::ready(Ok(desired)), options).await
}

async fn compare_in<E: From<CompareError>>(
    conn: &mut PgConnection,
    session: Session,
    desired: impl Future<Output = Result<Desired, E>>,
    options: &CompareOptions,
) -> Result<Comparison, E> {
    let reading = async {
        let catalog = Catalog::read_in(conn, &session, &options.read).await;
        Ok(catalog.map_err(CompareError::from)?)
    };
    let (mut catalog, mut desired) = tokio::try_join!(reading, desired)?;
    align(&mut catalog.schema, &mut desired.schema);
    let mut ignore = options.ignore.clone();
    let noted = ignore.note_owners(conn).await;
    noted.map_err(CompareError::from)?;
    let applied = ignore.apply(&catalog.schema, &mut desired, &catalog.default_schema);
    applied.map_err(|n_objects| CompareError::NothingLeft { n_objects })?;
    let mut unresolved = premises(&catalog, &mut desired, &options.needing);
    unresolved.extend(canonicalise(conn, &catalog, &mut desired, &session).await?);
    settle(&catalog, &mut desired, &mut unresolved, 0);
    let mut found = limbeck_plan::diff(&catalog.schema, &desired);
    let n_known = unresolved.len();
    for (key, why) in std::mem::take(&mut found.unsupported) {
        let error = PlanError::Unsupported(vec![(key.clone(), why)]);
        unresolved.push(Unresolved::one(&key, error.into()));
    }
    if unresolved.len() > n_known {
        settle(&catalog, &mut desired, &mut unresolved, n_known);
        found = limbeck_plan::diff(&catalog.schema, &desired);
    }
    if !options.tells_unresolved {
        match unresolved.len() {
            0 => {}
            1 => return Err(unresolved.remove(0).error.into()),
            _ => return Err(CompareError::Unresolved(unresolved).into()),
        }
    }
    let ops = found.ops;
    Ok(Comparison {
        catalog,
        desired,
        ops,
        unresolved,
    })
}

/// What cannot be had at all: what needs something that is not there, or a newer server.
fn premises(
    catalog: &Catalog,
    desired: &mut Desired,
    needing: &BTreeMap<Key, String>,
) -> Vec<Unresolved> {
    let mut acc: Vec<Unresolved> = Vec::new();
    for (key, what) in needing
        .iter()
        .filter(|(key, _)| !desired.scope.ignores(key))
    {
        let error = CompareError::Lacks {
            key: Box::new(key.clone()),
            what: what.clone(),
        };
        acc.push(Unresolved::one(key, error));
    }
    for (key, since) in desired.newer_than(catalog.version) {
        let error = CompareError::Newer {
            place: place(&desired.places, key),
            key: Box::new(key.clone()),
            since,
            found: catalog.version / 10_000,
        };
        acc.push(Unresolved::one(key, error));
    }
    settle(catalog, desired, &mut acc, 0);
    acc
}

/// Leaves what is unresolved as it is, from the `first` on, and adds what needs it.
fn settle(catalog: &Catalog, desired: &mut Desired, all: &mut Vec<Unresolved>, first: usize) {
    let keys: BTreeSet<Key> = all[first..].iter().flat_map(|it| it.keys.clone()).collect();
    for (key, needed) in set_aside(&keys, &catalog.schema, desired) {
        if all.iter().all(|it| !it.keys.contains(&key)) {
            let error = CompareError::Needed {
                key: Box::new(key.clone()),
                needed: Box::new(needed),
            };
            all.push(Unresolved::one(&key, error));
        }
    }
}
