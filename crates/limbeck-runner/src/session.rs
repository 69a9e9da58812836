//! One connection: its statements, its lock, its settings, and how it is cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use limbeck_connect::{ConnectError, Settings};
use limbeck_schema::{Ident, Literal, Name, own_sql};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Decode, Executor, PgConnection, Postgres, Row, Type};

use crate::error::RunnerError;
use crate::own_tables::{Guard, Standing, look};

/// How soon a run that waits for another one looks again, and how often once that takes long.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LATER_LOOKS: Duration = Duration::from_millis(500);

/// How often a run that pauses looks whether it is to end.
const CANCEL_LOOKS: Duration = Duration::from_millis(100);

/// A connection with what is known about it.
#[derive(Debug)]
pub(crate) struct Session {
    conn: PgConnection,
    pub(crate) schema: Ident,
    pid: i32,
    /// What brings the settings back to those of the start, since a revision may have changed them.
    restore: String,
    cancelled: Arc<AtomicBool>,
    guard: Guard,
}

/// Ends the statement that a [`Runner`](crate::Runner) is waiting for, from outside.
#[derive(Clone, Debug)]
pub struct Canceller {
    pid: i32,
    cancelled: Arc<AtomicBool>,
}

impl Canceller {
    /// Asks the server to cancel what the runner's connection is doing (`pg_cancel_backend`), over a connection of
    /// its own with `settings`. The run then rolls back and ends with [`RunnerError::Cancelled`], before the next statement
    /// at the latest.
    ///
    /// # Errors
    /// [`ConnectError`], when the server does not answer within 2 s; the run ends before its next statement all the same.
    pub async fn cancel(&self, settings: &Settings) -> Result<(), ConnectError> {
        self.cancelled.store(true, Ordering::SeqCst);
        settings.cancel(self.pid).await
    }
}

impl Session {
    /// Takes over a connection.
    pub(crate) async fn new(mut conn: PgConnection) -> Result<Self, RunnerError> {
        const DOING: &str = "read the connection's settings";
        // It asks for the search path, so it runs under that path. Revisions are cut into statements by the rules of
        // `standard_conforming_strings`, so they have to run under it.
        let sql = "SELECT pg_catalog.current_schema(), pg_catalog.pg_backend_pid(), \
                   pg_catalog.current_setting('search_path'), pg_catalog.current_setting('role'), \
                   pg_catalog.set_config('standard_conforming_strings', 'on', false)";
        let row = fetch(&mut conn, sql)
            .await
            .map_err(|error| RunnerError::own(DOING, error))?
            .pop();
        let row = row.ok_or_else(|| RunnerError::own(DOING, sqlx::Error::RowNotFound))?;
        let text = |at: usize| {
            row.try_get::<Option<String>, _>(at)
                .map_err(|error| RunnerError::own(DOING, error))
        };
        let schema = text(0)?.ok_or(RunnerError::NoSchema)?;
        let pid = row
            .try_get(1)
            .map_err(|error| RunnerError::own(DOING, error))?;
        let (path, role) = (text(2)?.unwrap_or_default(), text(3)?.unwrap_or_default());
        // `RESET ALL` goes back to the settings the connection was opened with; the search path and the role may
        // have been set since by the program that embeds the runner.
        let restore = format!(
            "RESET ALL; SELECT pg_catalog.set_config('search_path', {}, false), pg_catalog.set_config('role', {}, false), \
             pg_catalog.set_config('standard_conforming_strings', 'on', false)",
            Literal(&path),
            Literal(&role)
        );
        Ok(Self {
            conn,
            schema: schema.into(),
            pid,
            restore,
            cancelled: Arc::default(),
            guard: Guard::default(),
        })
    }

    /// What ends its statements from outside.
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller {
            pid: self.pid,
            cancelled: Arc::clone(&self.cancelled),
        }
    }

    /// Whether the user wants it to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> PgConnection {
        self.conn
    }

    /// Runs text of a revision; gives the driver's error back as it is.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let done = self
            .conn
            .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
            .await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement of Limbeck's own; `doing` says what for: `create the version table limbeck_version`.
    pub(crate) async fn own(&mut self, doing: &str, sql: &str) -> Result<u64, RunnerError> {
        let sql = self.prepared(sql).await?;
        self.execute(&sql)
            .await
            .map_err(|error| self.own_error(doing, error))
    }

    /// The rows of a query of Limbeck's own.
    pub(crate) async fn query(
        &mut self,
        doing: &str,
        sql: &str,
    ) -> Result<Vec<PgRow>, RunnerError> {
        let sql = self.prepared(sql).await?;
        fetch(&mut self.conn, &sql)
            .await
            .map_err(|error| self.own_error(doing, error))
    }

    fn own_error(&self, doing: &str, error: sqlx::Error) -> RunnerError {
        let cancelled = self.is_cancelled() && error.as_database_error().is_some_and(is_cancel);
        if cancelled {
            let state = "the transaction under way is rolled back".to_owned();
            return RunnerError::Cancelled {
                during: format!("while the runner wanted to {doing}"),
                state,
            };
        }
        RunnerError::own(doing, error)
    }

    /// Whether one of Limbeck's tables is there and visible to this role.
    ///
    /// # Errors
    /// [`RunnerError::Stranger`] where using it would run somebody else's code.
    pub(crate) async fn exists(&mut self, table: &Name) -> Result<bool, RunnerError> {
        let doing = format!("look for the table {table}");
        let sql = own_sql::enclosed(&look(table));
        let rows = fetch(&mut self.conn, &sql).await;
        let rows = rows.map_err(|error| self.own_error(&doing, error))?;
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        if let Some(trouble) = get(&doing, row, 0)? {
            let table = table.clone();
            return Err(RunnerError::Stranger { table, trouble });
        }
        let owner = get::<Option<i64>>(&doing, row, 1)?;
        let standing = owner.map_or(Standing::Other, |owner| Standing::Plain { owner });
        self.guard.learn(table, standing);
        Ok(true)
    }

    /// A statement of Limbeck's own as it is sent: under PostgreSQL's search path, and with what looks after its tables.
    async fn prepared(&mut self, sql: &str) -> Result<String, RunnerError> {
        for table in self.guard.unknown(sql) {
            self.exists(&table).await?;
        }
        Ok(own_sql::enclosed(&self.guard.before(sql)))
    }

    /// Has every statement that names one of these tables look after it.
    pub(crate) fn guard(&mut self, tables: impl IntoIterator<Item = Name>) {
        self.guard = Guard::new(tables);
    }

    /// Takes the advisory lock of the version table if it is free.
    pub(crate) async fn try_lock(&mut self, table: &Name) -> Result<bool, RunnerError> {
        let doing = format!("lock the version table {table}");
        let sql = format!("SELECT pg_try_advisory_lock({})", lock_key(table));
        let rows = self.query(&doing, &sql).await?;
        match rows.first() {
            Some(row) => row
                .try_get(0)
                .map_err(|error| RunnerError::own(doing, error)),
            None => Ok(false),
        }
    }

    /// Waits for the advisory lock, however long another run takes.
    ///
    /// It is asked for again and again: a session that waits inside the server holds a snapshot, and `CREATE INDEX
    /// CONCURRENTLY` of the run that has the lock would wait for that snapshot to go, which is a deadlock.
    pub(crate) async fn lock(&mut self, table: &Name) -> Result<(), RunnerError> {
        let mut pause = FIRST_LOOK;
        while !self.try_lock(table).await? {
            if self.is_cancelled() {
                return Err(RunnerError::Cancelled {
                    during: format!("while it waited for another run on {table}"),
                    state: "nothing was run".to_owned(),
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOKS);
        }
        Ok(())
    }

    /// Waits, unless the user wants it to end meanwhile.
    pub(crate) async fn pause(&self, pause: Duration) {
        let until = tokio::time::Instant::now() + pause;
        while !self.is_cancelled() && tokio::time::Instant::now() < until {
            let slice = until - tokio::time::Instant::now();
            tokio::time::sleep(slice.min(CANCEL_LOOKS)).await;
        }
    }

    /// Gives the advisory lock back.
    pub(crate) async fn unlock(&mut self, table: &Name) -> Result<(), RunnerError> {
        let sql = format!("SELECT pg_advisory_unlock({})", lock_key(table));
        self.own(&format!("unlock the version table {table}"), &sql)
            .await
            .map(drop)
    }

    /// Brings the settings back to those of the start.
    pub(crate) async fn restore(&mut self) -> Result<(), RunnerError> {
        let sql = self.restore.clone();
        let done = self.execute(&sql).await;
        done.map(drop)
            .map_err(|error| self.own_error("reset the connection's settings", error))
    }
}

/// Whether the server says that it was asked to cancel (SQLSTATE 57014).
pub(crate) fn is_cancel(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|it| it == "57014")
}

/// Advisory locks are the database's, so the version table alone makes the key.
fn lock_key(table: &Name) -> String {
    format!(
        "hashtextextended({}, 0)",
        Literal(&format!("limbeck {table}"))
    )
}

async fn fetch(conn: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
}

/// One value of a row.
pub(crate) fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    doing: &str,
    row: &'r PgRow,
    at: usize,
) -> Result<T, RunnerError> {
    row.try_get(at)
        .map_err(|error| RunnerError::own(doing, error))
}
