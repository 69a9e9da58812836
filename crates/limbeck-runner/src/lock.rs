//! The advisory lock that lets one run at a time change a database: taking it, naming who has it, and finding out
//! whether a connection can keep it at all.

use std::fmt::{self, Display};
use std::time::Duration;

use limbeck_schema::{Literal, Name};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::time::Instant;

use crate::error::{RunnerError, one_line};
use crate::progress::{Event, Progress};
use crate::runner::Runner;
use crate::session::{Session, get};

/// How soon a run that waits for another one looks again, and how often once that takes long.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LATER_LOOKS: Duration = Duration::from_millis(500);

/// How often two connections look for each other's lock. A pooler that takes the server connection used last is found
/// at the first look, one that takes them in turn once its idle connections are through.
const POOL_LOOKS: usize = 3;

/// How much of a statement is shown.
const SHOWN_CHARS: usize = 80;

/// The session that has the lock. A role without rights to see other sessions finds little more than its `pid`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The server process.
    pub pid: i32,
    /// Its user.
    pub user: Option<String>,
    /// Its `application_name`, if it has one.
    pub application: Option<String>,
    /// Its client's address; none for a local socket.
    pub client: Option<String>,
    /// When it connected, as PostgreSQL prints it.
    pub since: Option<String>,
    /// Its `state`: `active`, `idle`, `idle in transaction`, and so on.
    pub state: Option<String>,
    /// Since when it has that state.
    pub state_since: Option<String>,
    /// Its statement, or its last one while it is idle.
    pub statement: Option<String>,
}

impl Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            user,
            application,
            client,
            since,
            state,
            state_since,
            statement,
        } = self;
        write!(f, "server process {pid}")?;
        let parts = [
            ("of user ", user),
            ("application ", application),
            ("client ", client),
            ("connected since ", since),
        ];
        for (word, part) in parts {
            if let Some(part) = part {
                write!(f, ", {word}{}", one_line(part))?;
            }
        }
        if let Some(state) = state {
            write!(f, ", {state}")?;
            if let Some(since) = state_since {
                write!(f, " since {since}")?;
            }
        }
        if let Some(statement) = statement {
            let line = one_line(statement);
            let shown: String = line.chars().take(SHOWN_CHARS).collect();
            let cut = if shown.len() < line.len() { "…" } else { "" };
            write!(f, ", statement `{shown}{cut}`")?;
        }
        Ok(())
    }
}

impl Session {
    /// Takes the advisory lock of the version table if it is free.
    async fn try_lock(&mut self, table: &Name) -> Result<bool, RunnerError> {
        let doing = format!("lock the version table {table}");
        let sql = format!(
            "SELECT pg_catalog.pg_try_advisory_lock({})",
            lock_key(table)
        );
        self.one(&doing, &sql).await.map(Option::unwrap_or_default)
    }

    /// The session that has the lock now, if there is one.
    async fn holder(&mut self, table: &Name) -> Result<Option<Holder>, RunnerError> {
        let doing = format!("see who has the lock of the version table {table}");
        let rows = self.query(&doing, &holder_sql(&lock_key(table))).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let text = |at: usize| {
            let text = get::<Option<String>>(&doing, row, at)?;
            Ok::<_, RunnerError>(text.filter(|it| !it.is_empty()))
        };
        Ok(Some(Holder {
            pid: get(&doing, row, 0)?,
            user: text(1)?,
            application: text(2)?,
            client: text(3)?,
            since: text(4)?,
            state: text(5)?,
            state_since: text(6)?,
            statement: text(7)?,
        }))
    }

    /// Gives the advisory lock back.
    pub(crate) async fn unlock(&mut self, table: &Name) -> Result<(), RunnerError> {
        let sql = format!("SELECT pg_catalog.pg_advisory_unlock({})", lock_key(table));
        self.own(&format!("unlock the version table {table}"), &sql)
            .await
            .map(drop)
    }
}

impl Runner {
    /// Takes the advisory lock, and waits for another run to give it back as long as the options say.
    ///
    /// It is asked for again and again: a session that waits inside the server holds a snapshot, and `CREATE INDEX
    /// CONCURRENTLY` of the run that has the lock would wait for that snapshot to go, which is a deadlock.
    pub(crate) async fn lock(&mut self, progress: &mut Progress<'_>) -> Result<(), RunnerError> {
        let table = self.tables.version.clone();
        self.session
            .begins(format!("while it waited for another run on {table}"));
        let (since, mut pause) = (Instant::now(), FIRST_LOOK);
        let mut told = None;
        while !self.session.try_lock(&table).await? {
            if self.session.is_cancelled() {
                return Err(RunnerError::Cancelled {
                    during: format!("while it waited for another run on {table}"),
                    state: "nothing was run".to_owned(),
                });
            }
            let left = self
                .options
                .lock_wait
                .map(|most| most.saturating_sub(since.elapsed()));
            if left == Some(Duration::ZERO) {
                let holder = self.session.holder(&table).await?.map(Box::new);
                let waited = self.options.lock_wait.unwrap_or_default();
                return Err(RunnerError::Busy {
                    table,
                    holder,
                    waited,
                });
            }
            // Said again when another run comes in between.
            let holder = self.session.holder(&table).await?;
            let pid = holder.as_ref().map(|it| it.pid);
            if told != Some(pid) && (told.is_none() || pid.is_some()) {
                progress(Event::Waiting {
                    holder: holder.as_ref(),
                });
                told = Some(pid);
            }
            let pause_now = left.map_or(pause, |it| it.min(pause));
            tokio::time::sleep(pause_now).await;
            pause = (pause * 2).min(LATER_LOOKS);
        }
        Ok(())
    }

    /// Takes the advisory lock again where a statement of the revision gave it up, as `DISCARD ALL` does.
    pub(crate) async fn keep_lock(&mut self) -> Result<(), RunnerError> {
        let table = self.tables.version.clone();
        let doing = format!("see whether the version table {table} is locked");
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE {} \
             AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())",
            is_lock(&lock_key(&table))
        );
        let holds: Option<bool> = self.session.one(&doing, &sql).await?;
        if holds == Some(true) || self.session.try_lock(&table).await? {
            return Ok(());
        }
        let holder = self.session.holder(&table).await?.map(Box::new);
        Err(RunnerError::Busy {
            table,
            holder,
            waited: Duration::ZERO,
        })
    }

    /// Refuses a connection through a pooler that gives each transaction whichever server connection is free, as
    /// pgbouncer does with `pool_mode = transaction`: neither locks nor settings can be kept there. A lock that this
    /// run has is looked for on `other`, a second connection to the same address; only a connection that shares its
    /// server process with this one can take it too.
    ///
    /// # Errors
    /// [`RunnerError::Pooled`], and the server's.
    pub async fn check_pooling(&mut self, other: &mut PgConnection) -> Result<(), RunnerError> {
        const DOING: &str = "find out whether the connection keeps its locks";
        let key = format!("'{}'::pg_catalog.int8", i64::from_ne_bytes(random()));
        let theirs = async |other: &mut PgConnection| {
            let sql = format!(
                "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock({key}) THEN pg_catalog.pg_advisory_unlock({key}) IS NOT NULL \
                 AND pg_catalog.pg_advisory_unlock({key}) IS NOT NULL ELSE false END"
            );
            let row = other
                .fetch_one(sqlx::raw_sql(AssertSqlSafe(sql)))
                .await
                .map_err(|error| RunnerError::own(DOING, error))?;
            row.try_get::<bool, _>(0)
                .map_err(|error| RunnerError::own(DOING, error))
        };
        self.session
            .own(DOING, &format!("SELECT pg_catalog.pg_advisory_lock({key})"))
            .await?;
        let mine = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE {} \
             AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())",
            is_lock(&key)
        );
        let mut kept = true;
        for _ in 0..POOL_LOOKS {
            kept = !theirs(other).await? && self.session.one(DOING, &mine).await? == Some(true);
            if !kept {
                break;
            }
        }
        let unlock = format!("SELECT pg_catalog.pg_advisory_unlock({key})");
        let unlocked: Option<bool> = self.session.one(DOING, &unlock).await?;
        match kept && unlocked == Some(true) {
            true => Ok(()),
            false => Err(RunnerError::Pooled {
                found: "a lock that one connection took belonged to another one afterwards"
                    .to_owned(),
            }),
        }
    }
}

/// Bytes that two processes rarely share.
fn random() -> [u8; 8] {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish().to_ne_bytes()
}

/// Advisory locks are the database's, so the version table alone makes the key.
fn lock_key(table: &Name) -> String {
    format!(
        "pg_catalog.hashtextextended({}, 0)",
        Literal(&format!("limbeck {table}"))
    )
}

/// The condition for a row `l` of `pg_locks` to be an advisory lock of this database with a key of 64 bits
/// (documentation, page "pg_locks").
fn is_lock(key: &str) -> String {
    format!(
        "l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted AND l.objsubid OPERATOR(pg_catalog.=) 1 \
         AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d \
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) \
         AND l.classid::pg_catalog.int8 OPERATOR(pg_catalog.=) \
         (({key} OPERATOR(pg_catalog.>>) 32) OPERATOR(pg_catalog.&) 4294967295) \
         AND l.objid::pg_catalog.int8 OPERATOR(pg_catalog.=) (({key}) OPERATOR(pg_catalog.&) 4294967295)"
    )
}

fn holder_sql(key: &str) -> String {
    format!(
        "SELECT l.pid, a.usename::pg_catalog.text, a.application_name, pg_catalog.host(a.client_addr), \
         pg_catalog.date_trunc('second', a.backend_start)::pg_catalog.text, a.state, \
         pg_catalog.date_trunc('second', a.state_change)::pg_catalog.text, a.query \
         FROM pg_catalog.pg_locks l \
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid \
         WHERE {} LIMIT 1",
        is_lock(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_one_line_with_all_that_is_known() {
        let known = Holder {
            pid: 4711,
            user: Some("deploy".into()),
            application: Some("limbeck".into()),
            client: Some("10.0.0.7".into()),
            since: Some("2026-11-28 03:19:03+00".into()),
            state: Some("active".into()),
            state_since: Some("2026-11-28 03:20:00+00".into()),
            statement: Some(format!("SELECT\n{}", "x".repeat(100))),
        };
        assert_eq!(
            known.to_string(),
            format!(
                "server process 4711, of user deploy, application limbeck, client 10.0.0.7, connected since 2026-11-28 \
                 03:19:03+00, active since 2026-11-28 03:20:00+00, statement `SELECT {}…`",
                "x".repeat(73)
            )
        );
        let unknown = Holder {
            pid: 1,
            ..Holder::default()
        };
        assert_eq!(unknown.to_string(), "server process 1");
    }
}
