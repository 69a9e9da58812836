//! One connection: its statements, its settings, and how it is cancelled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use limbeck_connect::{ConnectError, Settings};
use limbeck_schema::{Ident, Literal, Name, own_sql};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Decode, Executor, PgConnection, Postgres, Row, Type};

use crate::error::RunnerError;
use crate::own_tables::{Guard, Standing, look};
use crate::scratch::{Rights, execute};

/// How often a run that pauses looks whether it is to end.
const CANCEL_LOOKS: Duration = Duration::from_millis(100);

/// A connection with what is known about it.
#[derive(Debug)]
pub(crate) struct Session {
    conn: PgConnection,
    pub(crate) schema: Ident,
    pub(crate) pid: i32,
    start: Start,
    shared: Arc<Shared>,
    guard: Guard,
    /// In a scratch database: what runs the statements that need more than its role may.
    pub(crate) rights: Option<Rights>,
}

/// The settings that a connection has when a runner takes it over. `RESET ALL` goes back to those that it was opened
/// with; the program that embeds the runner may have set these since.
#[derive(Debug)]
struct Start {
    search_path: String,
    role: String,
    /// The session's user where it is not the one that logged in.
    user: Option<String>,
    /// Whether the session has temporary tables.
    has_temporary: bool,
}

/// For how long settings are brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// For what runs next on the connection.
    Session,
    /// For the rest of the transaction; then the settings of the revision are in force again.
    Transaction,
}

/// What the runner and those who would end its run both know.
#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    /// The statement or step that is under way.
    during: Mutex<String>,
}

/// Ends the statement that a [`Runner`](crate::Runner) is waiting for, from outside.
#[derive(Clone, Debug)]
pub struct Canceller {
    pid: i32,
    shared: Arc<Shared>,
}

impl Canceller {
    /// Asks the server to cancel the statement of the runner's connection (`pg_cancel_backend`), over a connection of
    /// its own with `settings`. The run then rolls back and ends with [`RunnerError::Cancelled`], before the next statement
    /// at the latest.
    ///
    /// # Errors
    /// [`ConnectError`], when the server does not answer within 2 s; the run ends before its next statement all the same.
    pub async fn cancel(&self, settings: &Settings) -> Result<(), ConnectError> {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        settings.cancel(self.pid).await
    }

    /// The error of a run that is given up while the server has not answered.
    #[must_use]
    pub fn left(&self) -> RunnerError {
        let during = self.shared.during.lock();
        RunnerError::Left {
            during: during.unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Session {
    /// Takes over a connection.
    pub(crate) async fn new(mut conn: PgConnection) -> Result<Self, RunnerError> {
        const DOING: &str = "read the connection's settings";
        // It asks for the search path, so it runs under that path. Revisions are cut into statements by the rules of
        // `standard_conforming_strings`, so they have to run under it.
        let sql = "SELECT pg_catalog.current_schema()::pg_catalog.text, pg_catalog.pg_backend_pid(), \
                   pg_catalog.current_setting('search_path'), pg_catalog.current_setting('role'), \
                   (SELECT CASE WHEN s.usesysid OPERATOR(pg_catalog.=) r.oid THEN NULL ELSE r.rolname::pg_catalog.text END \
                   FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) s, pg_catalog.pg_roles r \
                   WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER), \
                   pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid, \
                   pg_catalog.set_config('standard_conforming_strings', 'on', false)";
        let row = fetch(&mut conn, sql)
            .await
            .map_err(|error| RunnerError::own(DOING, error))?
            .pop();
        let row = row.ok_or_else(|| RunnerError::own(DOING, sqlx::Error::RowNotFound))?;
        let text = |at: usize| get::<Option<String>>(DOING, &row, at);
        let schema = text(0)?.ok_or(RunnerError::NoSchema)?;
        let start = Start {
            search_path: text(2)?.unwrap_or_default(),
            role: text(3)?.unwrap_or_default(),
            user: text(4)?,
            has_temporary: get(DOING, &row, 5)?,
        };
        Ok(Self {
            schema: schema.into(),
            pid: get(DOING, &row, 1)?,
            conn,
            start,
            shared: Arc::default(),
            guard: Guard::default(),
            rights: None,
        })
    }

    /// Returns a handle that ends the statements of this connection from outside.
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller {
            pid: self.pid,
            shared: Arc::clone(&self.shared),
        }
    }

    /// Whether the user wants it to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// Notes the statement or step that begins, for the message of a run that is given up.
    pub(crate) fn begins(&self, during: String) {
        let mut place = self.shared.during.lock();
        match &mut place {
            Ok(it) => **it = during,
            Err(poisoned) => **poisoned.get_mut() = during,
        }
    }

    /// The connection itself.
    pub(crate) fn into_inner(self) -> PgConnection {
        self.conn
    }

    /// Runs text of a revision; gives the driver's error back as it is.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        execute(self.rights.as_ref(), &mut self.conn, sql).await
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

    /// Runs a statement under the settings of the session, for one that means what a revision means by its names. All else
    /// in it has to be qualified.
    pub(crate) async fn own_as_it_is(&mut self, doing: &str, sql: &str) -> Result<(), RunnerError> {
        let done = self.execute(sql).await;
        done.map(drop).map_err(|error| self.own_error(doing, error))
    }

    /// The rows of a query under the settings of the session; see [`Self::own_as_it_is`].
    pub(crate) async fn query_as_it_is(
        &mut self,
        doing: &str,
        sql: &str,
    ) -> Result<Vec<PgRow>, RunnerError> {
        fetch(&mut self.conn, sql)
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

    /// The one value of a query of Limbeck's own, if it has a row.
    pub(crate) async fn one<T>(&mut self, doing: &str, sql: &str) -> Result<Option<T>, RunnerError>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        let rows = self.query(doing, sql).await?;
        rows.first().map(|row| get(doing, row, 0)).transpose()
    }

    /// Waits, unless the user wants it to end meanwhile.
    pub(crate) async fn pause(&self, pause: Duration) {
        let until = tokio::time::Instant::now() + pause;
        while !self.is_cancelled() && tokio::time::Instant::now() < until {
            let slice = until - tokio::time::Instant::now();
            tokio::time::sleep(slice.min(CANCEL_LOOKS)).await;
        }
    }

    /// Brings the settings back to those of the start, and checks that the connection still leads to the same server
    /// process. Returns whether the session has more than settings to lose: prepared statements, cursors, temporary
    /// tables, or channels that it listens on.
    pub(crate) async fn restore(&mut self, scope: Scope) -> Result<bool, RunnerError> {
        const DOING: &str = "reset the connection's settings";
        let sql = self.start.sql(scope);
        let rows = self.query_as_it_is(DOING, &sql).await?;
        let row = rows
            .last()
            .ok_or_else(|| RunnerError::own(DOING, sqlx::Error::RowNotFound))?;
        let pid: i32 = get(DOING, row, 0)?;
        if pid == self.pid {
            return get(DOING, row, 1);
        }
        Err(RunnerError::Pooled {
            found: format!(
                "two statements of the run met two server processes, {} and {pid}",
                self.pid
            ),
        })
    }

    /// Ends what a revision left in the session beside settings; in a transaction, what ends with it stays.
    pub(crate) async fn tidy(&mut self, scope: Scope) -> Result<(), RunnerError> {
        const DOING: &str = "end what the revision left in the session";
        let names = self
            .query(
                DOING,
                "SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql",
            )
            .await?;
        let mut sql = "CLOSE ALL; UNLISTEN *".to_owned();
        for row in &names {
            let name: String = get(DOING, row, 0)?;
            sql.push_str(&format!("; DEALLOCATE {}", Ident::from(name)));
        }
        self.own(DOING, &sql).await?;
        if self.start.has_temporary {
            return Ok(());
        }
        match scope {
            Scope::Session => self.own(DOING, "DISCARD TEMP").await.map(drop),
            Scope::Transaction => {
                self.own(DOING, "SAVEPOINT limbeck").await?;
                // Tables with constraints that are checked at the commit cannot go before it.
                let after = match self.execute("DISCARD TEMP").await {
                    Ok(_) => "RELEASE limbeck",
                    Err(_) => "ROLLBACK TO limbeck",
                };
                self.own(DOING, after).await.map(drop)
            }
        }
    }
}

impl Start {
    /// The statements that bring its settings back. The last one returns the server process, and whether the session
    /// has more than settings.
    fn sql(&self, scope: Scope) -> String {
        let set = |name: &str, value: &str, local: bool| {
            format!(
                "pg_catalog.set_config('{name}', {}, {local})",
                Literal(value)
            )
        };
        let local = scope == Scope::Transaction;
        let mut sql = String::new();
        let mut values = vec![
            "pg_catalog.pg_backend_pid()".to_owned(),
            match scope {
                Scope::Session => LEFT_IN_SESSION.to_owned(),
                Scope::Transaction => "false".to_owned(),
            },
        ];
        match (&self.user, scope) {
            (Some(user), _) => values.push(set("session_authorization", user, local)),
            (None, Scope::Session) => sql.push_str("RESET SESSION AUTHORIZATION; "),
            (None, Scope::Transaction) => {
                sql.push_str("SET LOCAL SESSION AUTHORIZATION DEFAULT; ");
            }
        }
        values.push(set("role", &self.role, local));
        match scope {
            Scope::Session => {
                sql.push_str("RESET ALL; ");
                values.push(set("search_path", &self.search_path, false));
                values.push(set("standard_conforming_strings", "on", false));
            }
            Scope::Transaction => values.push(set("statement_timeout", "0", true)),
        }
        format!("{sql}SELECT {}", values.join(", "))
    }
}

/// Whether the session has prepared statements, cursors, channels or temporary tables.
const LEFT_IN_SESSION: &str = "EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) \
     OR EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) \
     OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) \
     OR CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid \
     THEN EXISTS (SELECT FROM pg_catalog.pg_class \
     WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) ELSE false END";

/// Whether the server says that it was asked to cancel (SQLSTATE 57014).
pub(crate) fn is_cancel(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|it| it == "57014")
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
