//! Comparing: read, let the server judge, diff.

use limbeck_metadata::{LowerOptions, MetaData, MetaDataError};
use limbeck_schema::{Desired, Op};
use sqlx::PgConnection;

use crate::canonical::canonicalise;
use crate::read::Session;
use crate::{Catalog, CompareError, ReadOptions};

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct CompareOptions {
    /// What to leave out of the catalog.
    pub read: ReadOptions,
}

/// Both sides and what differs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The current state.
    pub catalog: Catalog,
    /// The desired state, with every expression that the server takes for the current one spelled like it.
    pub desired: Desired,
    /// What differs; empty when both sides agree.
    pub ops: Vec<Op>,
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

/// As [`compare`], for metadata that is not needed any more: it is lowered while the catalog is read, and its memory
/// is free before the two sides meet.
///
/// # Errors
/// [`CompareError`].
pub async fn compare_owned(
    conn: &mut PgConnection,
    metadata: MetaData,
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let session = Session::read(conn).await?;
    let lower = LowerOptions {
        default_schema: session.default_schema.clone(),
    };
    let lowering = tokio::task::spawn_blocking(move || metadata.lower(&lower));
    compare_in(
        conn,
        session,
        async {
            lowering
                .await
                .unwrap_or_else(|it| std::panic::resume_unwind(it.into_panic()))
        },
        options,
    )
    .await
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
    compare_in(conn, session, async { Ok(desired) }, options).await
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
    compare_in(conn, session, async { Ok(desired) }, options).await
}

async fn compare_in(
    conn: &mut PgConnection,
    session: Session,
    desired: impl Future<Output = Result<Desired, MetaDataError>>,
    options: &CompareOptions,
) -> Result<Comparison, CompareError> {
    let in_recovery = session.in_recovery;
    let narrow_path = session.narrow_path.clone();
    let catalog = Catalog::read_in(conn, session, &options.read).await?;
    let mut desired = desired.await?;
    canonicalise(conn, &catalog, &mut desired, in_recovery, &narrow_path).await?;
    let ops = limbeck_plan::diff(&catalog.schema, &desired)?;
    Ok(Comparison {
        catalog,
        desired,
        ops,
    })
}
