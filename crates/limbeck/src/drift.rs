//! Asserting in tests that models and database agree.

use limbeck_catalog::{CompareError, compare_metadata};
use limbeck_metadata::MetaData;
use sqlx::{Acquire, Postgres};

/// The differences between a database and metadata as a readable list, `None` when they agree.
///
/// # Errors
/// [`CompareError`], as [`compare_metadata`]; a connection that the pool does not give comes as
/// [`CompareError::Catalog`].
pub async fn differences<'c>(
    conn: impl Acquire<'c, Database = Postgres>,
    metadata: &MetaData,
) -> Result<Option<String>, CompareError> {
    let acquired = conn.acquire().await;
    let mut conn = acquired.map_err(|source| limbeck_catalog::CatalogError::Pool { source })?;
    let ops = compare_metadata(&mut conn, metadata).await?;
    if ops.is_empty() {
        return Ok(None);
    }
    let list: Vec<String> = ops.iter().map(|op| format!("  {op}")).collect();
    Ok(Some(format!(
        "the database differs from the models in {} places:\n{}",
        ops.len(),
        list.join("\n")
    )))
}

/// Fails the test with the list of differences unless the database agrees with the metadata.
///
/// The first argument is a `&PgPool` or a `&mut PgConnection`, the second a [`MetaData`]. It is used in async code.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) {
/// limbeck::assert_no_drift!(&pool, limbeck::MetaData::registered());
/// # }
/// ```
///
/// # Panics
/// If there are differences, or if the comparison cannot be made.
#[macro_export]
macro_rules! assert_no_drift {
    ($conn:expr, $metadata:expr $(,)?) => {
        match $crate::differences($conn, &$metadata).await {
            Ok(None) => {}
            Ok(Some(differences)) => panic!("{differences}"),
            Err(error) => panic!("cannot compare the database with the models: {error}"),
        }
    };
}
