//! The keeper of scratch databases: a thread with a connection of its own to their server. It creates them, holds the lock
//! that tells other runs that they are in use, ends statements that take too long, and removes everything at the end,
//! however the command ends that asked for them.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread;
use std::time::Duration;

use limbeck_connect::{ConnectError, Settings, close};
use limbeck_schema::{Ident, Literal};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::clean;
use crate::error::one_line;

/// How long the removal of everything may take before the program ends without it.
const REMOVAL: Duration = Duration::from_secs(10);

/// How long `CREATE DATABASE` may go on after nobody wants the database any more.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// How often running statements are looked at, at most and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What could not be removed, a message each.
static LEFT_BEHIND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns a message for each scratch database and role that could not be removed since the last call, with the statement
/// that removes it.
#[must_use]
pub fn left_behind() -> Vec<String> {
    std::mem::take(&mut *LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(super) fn leave_behind(message: String) {
    LEFT_BEHIND
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(message);
}

/// What has been created on a server and is to be removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub(super) databases: BTreeSet<String>,
    pub(super) role: Option<String>,
}

/// What the thread and its owner both see.
#[derive(Debug, Default)]
struct Shared {
    made: Mutex<Made>,
    /// Whether a statement was ended because it took too long.
    expired: AtomicBool,
}

impl Shared {
    fn made(&self) -> Made {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Made) -> T) -> T {
        change(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Answer<T> = oneshot::Sender<Result<T, sqlx::Error>>;

/// What the thread is asked for.
enum Ask {
    /// To run a query on its connection.
    Rows(String, Answer<Vec<PgRow>>),
    /// To create a role, by this statement.
    Role(String, String, Answer<()>),
    /// To create a database, by this statement.
    Database(String, String, Answer<()>),
    /// To run statements in one of its databases, with its own rights.
    Inside(String, String, Answer<()>),
    /// To remove a database.
    Remove(String, blocking::Sender<()>),
    /// To remove the role.
    RemoveRole(Answer<()>),
    /// To end statements that run longer than this from now on.
    Limit(Duration),
}

/// The keeper's handle. When the last one goes, everything it made is removed.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) options: Settings,
    asks: Option<mpsc::UnboundedSender<Ask>>,
    /// Goes with the handle, which the thread notices whatever it is doing.
    alive: Option<oneshot::Sender<()>>,
    ended: Mutex<blocking::Receiver<()>>,
    shared: Arc<Shared>,
}

impl Host {
    /// Connects to a server.
    pub(super) async fn start(options: Settings) -> Result<Self, ConnectError> {
        let (asks, asked) = mpsc::unbounded_channel();
        let (alive, gone) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let (end, ended) = blocking::channel();
        let shared = Arc::new(Shared::default());
        let keeper = Keeper {
            options: options.clone(),
            shared: Arc::clone(&shared),
            limit: None,
            late: BTreeSet::new(),
        };
        thread::Builder::new()
            .name("limbeck scratch".to_owned())
            .spawn(move || {
                if let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    runtime.block_on(keeper.run(asked, gone, ready));
                }
                // The receiver may be gone after its own time limit.
                let _ = end.send(());
            })
            .map_err(|error| lost(&options, &error))?;
        let host = Self {
            options,
            asks: Some(asks),
            alive: Some(alive),
            ended: Mutex::new(ended),
            shared,
        };
        is_ready
            .await
            .unwrap_or_else(|_| Err(lost(&host.options, &std::io::ErrorKind::BrokenPipe.into())))?;
        Ok(host)
    }

    async fn ask<T>(&self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, sqlx::Error> {
        let (answer, answered) = oneshot::channel();
        if let Some(asks) = &self.asks {
            // Where the thread is gone, so is the other end of the answer.
            let _ = asks.send(ask(answer));
        }
        answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    pub(super) async fn rows(&self, sql: impl Into<String>) -> Result<Vec<PgRow>, sqlx::Error> {
        let sql = sql.into();
        self.ask(|answer| Ask::Rows(sql, answer)).await
    }

    pub(super) async fn row(&self, sql: impl Into<String>) -> Result<PgRow, sqlx::Error> {
        self.rows(sql).await?.pop().ok_or(sqlx::Error::RowNotFound)
    }

    pub(super) async fn create_role(&self, name: &str, sql: String) -> Result<(), sqlx::Error> {
        self.ask(|answer| Ask::Role(name.to_owned(), sql, answer))
            .await
    }

    pub(super) async fn create_database(&self, name: &str, sql: String) -> Result<(), sqlx::Error> {
        self.ask(|answer| Ask::Database(name.to_owned(), sql, answer))
            .await
    }

    pub(super) async fn inside(&self, database: &str, sql: String) -> Result<(), sqlx::Error> {
        self.ask(|answer| Ask::Inside(database.to_owned(), sql, answer))
            .await
    }

    pub(super) async fn remove_role(&self) -> Result<(), sqlx::Error> {
        self.ask(Ask::RemoveRole).await
    }

    /// Ends statements of its databases and its role that run longer than this.
    pub(super) fn limit(&self, limit: Duration) {
        if let Some(asks) = &self.asks {
            let _ = asks.send(Ask::Limit(limit));
        }
    }

    /// Whether a statement took too long and was ended.
    pub(super) fn has_expired(&self) -> bool {
        self.shared.expired.load(Ordering::SeqCst)
    }

    /// Removes a database, and waits for that.
    pub(super) fn remove(&self, database: &str) {
        let (done, is_done) = blocking::channel();
        if let Some(asks) = &self.asks
            && asks.send(Ask::Remove(database.to_owned(), done)).is_ok()
        {
            // What is not removed in time is tried again at the end.
            let _ = is_done.recv_timeout(REMOVAL);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.asks.take());
        drop(self.alive.take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(blocking::RecvTimeoutError::Timeout) = ended.recv_timeout(REMOVAL + LAST_WAIT) {
            clean::say_left(
                &self.options,
                &self.shared.made(),
                "the server did not answer in time",
            );
        }
    }
}

/// The thread's side.
struct Keeper {
    options: Settings,
    shared: Arc<Shared>,
    limit: Option<Duration>,
    /// Statements that were cancelled at the last look.
    late: BTreeSet<(i32, String)>,
}

impl Keeper {
    async fn run(
        mut self,
        mut asks: mpsc::UnboundedReceiver<Ask>,
        mut gone: oneshot::Receiver<()>,
        ready: oneshot::Sender<Result<(), ConnectError>>,
    ) {
        let connected = tokio::select! {
            it = self.options.connect() => it,
            _ = &mut gone => return,
        };
        let mut conn = match connected {
            Ok(conn) => conn,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        loop {
            let look = self.limit.filter(|_| self.is_watching());
            let look = look.map_or(Duration::MAX, |it| (it / 4).clamp(LOOKS.0, LOOKS.1));
            tokio::select! {
                biased;
                _ = &mut gone => break,
                ask = asks.recv() => match ask {
                    Some(ask) => if self.answer(&mut conn, ask, &mut gone).await.is_break() { break },
                    None => break,
                },
                () = wait(look) => {
                    let looked = timeout(REMOVAL, self.end_late(&mut conn));
                    tokio::select! {
                        _ = looked => {}
                        _ = &mut gone => break,
                    }
                }
            }
        }
        self.remove_all(conn).await;
    }

    fn is_watching(&self) -> bool {
        !self.shared.made().databases.is_empty()
    }

    /// Does what is asked for; breaks off where nobody waits any more.
    async fn answer(
        &mut self,
        conn: &mut PgConnection,
        ask: Ask,
        gone: &mut oneshot::Receiver<()>,
    ) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        match ask {
            Ask::Limit(limit) => self.limit = Some(limit),
            Ask::Rows(sql, answer) => {
                let done = conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)));
                let Some(done) = unless(gone, done).await else {
                    return Break(());
                };
                let _ = answer.send(done);
            }
            Ask::Role(name, sql, answer) => {
                self.shared.change(|it| it.role = Some(name));
                let Some(done) = unless(gone, clean::run(conn, &sql)).await else {
                    return Break(());
                };
                if is_refusal(&done) {
                    self.shared.change(|it| it.role = None);
                }
                let _ = answer.send(done);
            }
            Ask::Database(name, sql, answer) => {
                self.shared.change(|it| it.databases.insert(name.clone()));
                let done = self.create(conn, &sql, gone).await;
                if is_refusal(&done) {
                    self.shared.change(|it| it.databases.remove(&name));
                }
                let _ = answer.send(done);
            }
            Ask::Inside(database, sql, answer) => {
                let options = clean::inside(conn, &self.options, &database).await;
                let done = async {
                    let mut inside = options.connect().await?;
                    clean::run(&mut inside, &sql).await?;
                    close(inside).await;
                    Ok(())
                };
                let Some(done) = unless(gone, done).await else {
                    return Break(());
                };
                let _ = answer.send(done);
            }
            Ask::Remove(database, done) => {
                let removed = clean::remove_database(conn, &self.options, &database);
                if let Ok(Ok(())) = timeout(REMOVAL, removed).await {
                    self.shared.change(|it| it.databases.remove(&database));
                }
                let _ = done.send(());
            }
            Ask::RemoveRole(answer) => {
                let role = self.shared.made().role;
                let done = match &role {
                    Some(role) => clean::remove_role(conn, role).await,
                    None => Ok(()),
                };
                if done.is_ok() {
                    self.shared.change(|it| it.role = None);
                }
                let _ = answer.send(done);
            }
        }
        Continue(())
    }

    /// Creates a database. Where nobody wants it any more meanwhile, the statement is cancelled, and waited for: a database
    /// that comes into being afterwards would stay.
    async fn create(
        &self,
        conn: &mut PgConnection,
        sql: &str,
        gone: &mut oneshot::Receiver<()>,
    ) -> Result<(), sqlx::Error> {
        let pid = conn
            .fetch_one(sqlx::raw_sql("SELECT pg_catalog.pg_backend_pid()"))
            .await?;
        let pid: i32 = pid.try_get(0)?;
        let created = clean::run(conn, sql);
        tokio::pin!(created);
        tokio::select! {
            done = &mut created => done,
            _ = gone => {
                let cancel = async {
                    if let Ok(mut other) = self.options.connect().await {
                        let _ = clean::run(&mut other, &format!("SELECT pg_catalog.pg_cancel_backend({pid})")).await;
                        close(other).await;
                    }
                };
                let both = async { tokio::join!(cancel, &mut created).1 };
                timeout(LAST_WAIT, both).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
            }
        }
    }

    /// Cancels statements that run too long, and ends the sessions of those that go on all the same.
    async fn end_late(&mut self, conn: &mut PgConnection) {
        let made = self.shared.made();
        let Some(limit) = self.limit else { return };
        let names: Vec<String> = made
            .databases
            .iter()
            .map(|it| Literal(it).to_string())
            .collect();
        let sql = format!(
            "SELECT a.pid, a.query_start::pg_catalog.text FROM pg_catalog.pg_stat_activity a WHERE (a.usename \
             OPERATOR(pg_catalog.=) {} OR a.datname OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.name[])) AND a.state \
             OPERATOR(pg_catalog.=) 'active' AND a.query_start OPERATOR(pg_catalog.<) \
             pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '{} milliseconds'::pg_catalog.interval AND a.pid \
             OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()",
            Literal(made.role.as_deref().unwrap_or_default()),
            names.join(", "),
            limit.as_millis()
        );
        let rows = conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        let found: BTreeSet<(i32, String)> = rows
            .unwrap_or_default()
            .iter()
            .filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?)))
            .collect();
        for it in &found {
            self.shared.expired.store(true, Ordering::SeqCst);
            let end = match self.late.contains(it) {
                true => "pg_terminate_backend",
                false => "pg_cancel_backend",
            };
            // It may have ended by itself.
            let _ = clean::run(conn, &format!("SELECT pg_catalog.{end}({})", it.0)).await;
        }
        self.late = found;
    }

    /// Removes what was made, within a time limit, and notes what is left.
    async fn remove_all(&self, mut conn: PgConnection) {
        let until = Instant::now() + REMOVAL;
        let mut reason = "the server did not answer in time".to_owned();
        let mut is_lost = false;
        while !self.shared.made().databases.is_empty() || self.shared.made().role.is_some() {
            if is_lost {
                let connected = self.options.connect();
                match tokio::time::timeout_at(until, connected).await {
                    Ok(Ok(it)) => conn = it,
                    Ok(Err(error)) => {
                        reason = one_line(&error.to_string());
                        break;
                    }
                    Err(_) => break,
                }
            }
            let removal = self.remove_once(&mut conn);
            match tokio::time::timeout_at(until, removal).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    reason = clean::answer(&error);
                    if is_lost || error.as_database_error().is_some() {
                        break;
                    }
                    is_lost = true;
                }
                Err(_) => break,
            }
        }
        clean::say_left(&self.options, &self.shared.made(), &reason);
        close(conn).await;
    }

    async fn remove_once(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for database in self.shared.made().databases {
            clean::remove_database(conn, &self.options, &database).await?;
            self.shared.change(|it| it.databases.remove(&database));
        }
        if let Some(role) = self.shared.made().role {
            clean::remove_role(conn, &role).await?;
            self.shared.change(|it| it.role = None);
        }
        Ok(())
    }
}

/// Whether the server itself refused, so that nothing was made.
fn is_refusal(done: &Result<(), sqlx::Error>) -> bool {
    matches!(done, Err(error) if error.as_database_error().is_some())
}

/// The outcome of a future, unless the owner goes before.
async fn unless<T>(gone: &mut oneshot::Receiver<()>, it: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = it => Some(done),
        _ = gone => None,
    }
}

async fn wait(time: Duration) {
    match time {
        Duration::MAX => std::future::pending().await,
        time => sleep(time).await,
    }
}

/// A statement that takes the lock of a scratch database's or role's name on this connection.
pub(super) fn lock(name: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_advisory_lock({})",
        key(&Literal(name).to_string())
    )
}

/// The key of the lock of a name, given as an SQL expression.
pub(super) fn key(name: &str) -> String {
    format!("pg_catalog.hashtextextended({name}, 7)")
}

/// `DROP DATABASE` as a person would write it.
pub(super) fn drop_database(name: &str) -> String {
    format!("DROP DATABASE {} WITH (FORCE)", Ident::new(name))
}

/// The thread could not be started, or is gone.
fn lost(options: &Settings, error: &std::io::Error) -> ConnectError {
    ConnectError::Connect {
        target: Box::new(options.target()),
        reason: format!("no thread for the connection: {error}"),
        remedy: String::new(),
        code: None,
    }
}
