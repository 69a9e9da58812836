//! Statements of Limbeck's own in a session whose settings belong to somebody else.

use limbeck_schema::own_sql;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Executor};

/// Runs a statement of Limbeck's own and returns its rows. The session's search path does not apply to it, and is as
/// before afterwards; see [`own_sql::enclosed`]. The statement may contain no text of somebody else's but literals and
/// quoted names.
///
/// # Errors
/// The driver's.
pub async fn own_rows(conn: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    let sql = AssertSqlSafe(own_sql::enclosed(sql));
    conn.fetch_all(sqlx::raw_sql(sql)).await
}

/// Runs a statement of Limbeck's own that returns one row; see [`own_rows`].
///
/// # Errors
/// The driver's, and [`sqlx::Error::RowNotFound`].
pub async fn own_row(conn: &mut PgConnection, sql: &str) -> Result<PgRow, sqlx::Error> {
    let mut rows = own_rows(conn, sql).await?;
    rows.pop().ok_or(sqlx::Error::RowNotFound)
}
