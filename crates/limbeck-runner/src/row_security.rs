//! Tables whose policies hold for their owner too (`FORCE ROW LEVEL SECURITY`). The role that SQL is tried by owns the tables,
//! and is to see and fill all of them.

use limbeck_catalog::own_rows;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// Those tables, each with the statement that excepts the owner and the one that does so no more.
const FORCED: &str = "SELECT format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', n.nspname, c.relname), format('ALTER TABLE \
     %I.%I FORCE ROW LEVEL SECURITY', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE \
     c.relforcerowsecurity AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')";

/// Tables whose owner is excepted from their policies for a time.
#[derive(Debug, Default)]
pub(crate) struct Excepted {
    back: Vec<String>,
}

impl Excepted {
    /// Excepts the owner.
    pub(crate) async fn begin(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut it = Self::default();
        for row in own_rows(conn, FORCED).await? {
            run(conn, row.try_get(0)?).await?;
            it.back.push(row.try_get(1)?);
        }
        Ok(it)
    }

    /// Brings the tables back to how they were.
    pub(crate) async fn end(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for sql in self.back {
            run(conn, sql).await?;
        }
        Ok(())
    }
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await
        .map(drop)
}
