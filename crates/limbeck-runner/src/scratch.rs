//! Scratch databases: empty databases of the same kind as the target, for SQL that must not touch the target itself.
//!
//! One is created on the target's own server where the role may, so that version, locale and extensions are those of the
//! target; else on a server that the user names for this; else on a throwaway server of the target's major version, if its
//! programs are on this machine. It is dropped with the value, also on an error, a panic or
//! when the future that holds it is dropped. What a killed process leaves behind is found by its name and dropped by the
//! next run.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use limbeck_catalog::{own_row, own_rows};
use limbeck_connect::{ConnectError, Origin, Settings};
use limbeck_schema::{Ident, Literal, own_sql};
use limbeck_testkit::{Binaries, Cluster};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::error::one_line;

/// How the names of scratch databases begin.
pub const SCRATCH_PREFIX: &str = "limbeck_scratch_";

/// A scratch database without connections is a leftover once it is older than this. A live run has pauses between two
/// connections, but none as long.
const LEFTOVER_AGE: Duration = Duration::from_mins(10);

/// How messages call the server that the target is on.
const TARGETS: &str = "the target's server";

/// The end of a name: the server's clock and randomness.
const TAIL: &str = "SELECT to_hex(extract(epoch FROM clock_timestamp())::int8) || '_' || \
     substr(replace(gen_random_uuid()::text, '-', ''), 1, 10)";

/// Why there is no scratch database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScratchError {
    /// None of the ways led to one.
    #[error(
        "no scratch database can be had: {}; either grant CREATEDB to the role (ALTER ROLE … CREATEDB), or name a server \
         to create it on: write url = \"postgresql://…\" under [scratch] in limbeck.toml, or install the server programs of \
         the target's major version on this machine (LIMBECK_PG_BIN names their folder)", .reasons.join("; ")
    )]
    None {
        /// What stood in each way.
        reasons: Vec<String>,
    },
    /// A server cannot be reached.
    #[error("cannot use {what}")]
    Connect {
        /// Which one.
        what: String,
        /// Why not.
        source: ConnectError,
    },
    /// A statement of the scratch database's own set-up failed.
    #[error("cannot {doing} the scratch database {name}")]
    SetUp {
        /// What was done.
        doing: &'static str,
        /// Its name.
        name: String,
        /// What the driver says.
        source: sqlx::Error,
    },
}

/// What a target says of itself, for a scratch database to be like it.
#[derive(Clone, Debug)]
struct Likeness {
    /// `server_version_num` without its minor version.
    major: i32,
    /// The clauses of `CREATE DATABASE`, with and without the locale.
    clauses: String,
    encoding: String,
    /// Settings that are the target database's own (`ALTER DATABASE … SET`), with their values.
    settings: Vec<(String, String)>,
    default_schema: Option<Ident>,
    /// The server's clock and randomness, for a name.
    tail: String,
}

/// An empty database that is dropped with the value, whoever is still connected to it.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    /// Whose server it is on: `the target's server`.
    whose: &'static str,
    server: Settings,
    likeness: Likeness,
    /// The server, if it is one of our own.
    embedded: Option<Embedded>,
}

/// A throwaway server for scratch databases. It ends with the last value, and with the process however that ends.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Cluster>);

/// The throwaway server that is running, for further scratch databases.
static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Embedded {
    /// A server of that major version, or of any where none is asked for.
    async fn start(major: Option<i32>) -> Result<Self, String> {
        let major = major.and_then(|it| u32::try_from(it).ok());
        let running = RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        if let Some(it) = running.filter(|it| major.is_none_or(|major| major == it.major())) {
            return Ok(Self(it));
        }
        // A start takes seconds, in which the command can be interrupted; the server then ends with its value.
        let start = move || {
            let binaries = major.map_or_else(Binaries::find, Binaries::find_major)?;
            Cluster::start(&binaries)
        };
        let started = tokio::task::spawn_blocking(start).await;
        let cluster = started
            .map_err(|error| error.to_string())?
            .map_err(|error| error.full())?;
        let cluster = Arc::new(cluster);
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&cluster);
        Ok(Self(cluster))
    }
}

impl Scratch {
    /// Creates a scratch database like that of the settings `target`: on its server, else on that of `fallback`, else
    /// on a throwaway server of its major version. Leftovers of killed runs on the same server are dropped.
    ///
    /// Its default schema has the name of the target's, and settings of the target database (`ALTER DATABASE … SET`)
    /// hold in its connections, since the texts of expressions depend on them.
    ///
    /// # Errors
    /// [`ScratchError::None`] with what stood in each way, and [`ScratchError::Connect`] if the target cannot be reached.
    pub async fn create(
        target: Option<&Settings>,
        fallback: Option<&Settings>,
    ) -> Result<Self, ScratchError> {
        let mut reasons = Vec::new();
        let mut likeness = None;
        if let Some(settings) = target {
            let (server, mut conn) = connect(settings, TARGETS).await?;
            let wanted = Likeness::read(&mut conn)
                .await
                .map_err(|source| failed("prepare", "", source))?;
            match Self::create_on(server, TARGETS, &mut conn, wanted.clone(), &wanted.clauses).await
            {
                Ok(it) => return Ok(it),
                Err(error) => reasons.push(format!(
                    "the target's server refuses to create one ({})",
                    answer(&error)
                )),
            }
            let _ = conn.close().await;
            likeness = Some(wanted);
        } else {
            reasons.push("no database is named whose server could hold it".to_owned());
        }
        let named = "the server that [scratch] names";
        match fallback {
            Some(settings) => {
                let tried =
                    Self::create_elsewhere(settings, named, likeness.as_ref(), &mut reasons);
                if let Some(it) = tried.await? {
                    return Ok(it);
                }
            }
            None => reasons.push("[scratch] names no server".to_owned()),
        }
        let embedded = match Embedded::start(likeness.as_ref().map(|it| it.major)).await {
            Ok(it) => it,
            Err(reason) => {
                reasons.push(format!(
                    "no throwaway server can be started ({})",
                    one_line(&reason)
                ));
                return Err(ScratchError::None { reasons });
            }
        };
        let what = "the throwaway server";
        let settings = Settings::parse(&embedded.0.url("postgres"), Origin::Program);
        let settings = settings.map_err(|source| ScratchError::Connect {
            what: what.to_owned(),
            source,
        })?;
        let tried = Self::create_elsewhere(&settings, what, likeness.as_ref(), &mut reasons);
        match tried.await? {
            Some(it) => Ok(it.on(Some(embedded))),
            None => Err(ScratchError::None { reasons }),
        }
    }

    /// Creates one on a server that is not the target's; none, with a reason more, if the server refuses.
    async fn create_elsewhere(
        settings: &Settings,
        what: &'static str,
        likeness: Option<&Likeness>,
        reasons: &mut Vec<String>,
    ) -> Result<Option<Self>, ScratchError> {
        let (server, mut conn) = connect(settings, what).await?;
        let own = Likeness::read(&mut conn)
            .await
            .map_err(|source| failed("prepare", "", source))?;
        let wanted = match likeness {
            Some(it) if it.major != own.major => {
                reasons.push(format!(
                    "{what} is PostgreSQL {} and the target's is {}",
                    own.major, it.major
                ));
                return Ok(None);
            }
            Some(it) => Likeness {
                tail: own.tail.clone(),
                ..it.clone()
            },
            None => own,
        };
        // Another system may not know the target's locale; names and types do not depend on it.
        let plain = format!(
            "ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'",
            Literal(&wanted.encoding)
        );
        for clauses in [wanted.clauses.clone(), plain] {
            match Self::create_on(server.clone(), what, &mut conn, wanted.clone(), &clauses).await {
                Ok(it) => return Ok(Some(it)),
                Err(error) => {
                    reasons.push(format!("{what} refuses to create one ({})", answer(&error)));
                }
            }
        }
        reasons.dedup();
        Ok(None)
    }

    fn on(mut self, embedded: Option<Embedded>) -> Self {
        self.embedded = embedded;
        self
    }

    /// The throwaway server it is on, if it is. Who holds the value saves the next scratch database a start.
    #[must_use]
    pub fn embedded(&self) -> Option<Embedded> {
        self.embedded.clone()
    }

    async fn create_on(
        server: Settings,
        whose: &'static str,
        conn: &mut PgConnection,
        likeness: Likeness,
        clauses: &str,
    ) -> Result<Self, sqlx::Error> {
        drop_leftovers(conn).await;
        let source = format!("TEMPLATE template0 {clauses}");
        let it = Self::create_from(server, whose, conn, likeness, &source).await?;
        let mut inside = it.open().await?;
        if let Some(schema) = &it.likeness.default_schema {
            run(
                &mut inside,
                &format!("CREATE SCHEMA IF NOT EXISTS {schema}"),
            )
            .await?;
        }
        let _ = inside.close().await;
        Ok(it)
    }

    /// Creates one from what `source` says of its template.
    async fn create_from(
        server: Settings,
        whose: &'static str,
        conn: &mut PgConnection,
        likeness: Likeness,
        source: &str,
    ) -> Result<Self, sqlx::Error> {
        let name = format!("{SCRATCH_PREFIX}{}_{}", std::process::id(), likeness.tail);
        let sql = format!("CREATE DATABASE {name} {source}");
        // From here on the value's end drops the database, even if the answer never comes.
        let it = Self {
            name,
            whose,
            server,
            likeness,
            embedded: None,
        };
        let created = run(conn, &sql).await;
        if let Err(error) = created {
            if error.as_database_error().is_some() {
                // The server refused, so there is nothing to drop.
                std::mem::forget(it);
            }
            return Err(error);
        }
        let remark = format!(
            "scratch database of limbeck, process {}; safe to drop when nobody is connected",
            std::process::id()
        );
        // The remark is for people; a database without it is as good.
        let _ = run(
            conn,
            &format!("COMMENT ON DATABASE {} IS {}", it.name, Literal(&remark)),
        )
        .await;
        Ok(it)
    }

    /// A copy of it as it is now, to which nobody may be connected meanwhile. It is dropped with its value.
    ///
    /// # Errors
    /// [`ScratchError::SetUp`] and [`ScratchError::Connect`].
    pub async fn copy(&self) -> Result<Self, ScratchError> {
        let what = "the server of the scratch database";
        let mut conn = self
            .server
            .connect()
            .await
            .map_err(|source| ScratchError::Connect {
                what: what.to_owned(),
                source,
            })?;
        let failed = |source| failed("copy", &self.name, source);
        let row = own_row(&mut conn, TAIL).await.map_err(failed)?;
        let tail = row.try_get(0).map_err(failed)?;
        let likeness = Likeness {
            tail,
            ..self.likeness.clone()
        };
        let template = format!("TEMPLATE {}", self.name);
        let made = Self::create_from(
            self.server.clone(),
            self.whose,
            &mut conn,
            likeness,
            &template,
        )
        .await;
        let _ = conn.close().await;
        let embedded = self.embedded.clone();
        made.map(|it| it.on(embedded)).map_err(failed)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose server it is on, and where: `the target's server (localhost:5432)`.
    pub(crate) fn server_name(&self) -> String {
        format!("{} ({})", self.whose, self.server.server())
    }

    /// The schema of names without one, which is there already.
    #[must_use]
    pub fn default_schema(&self) -> Option<&Ident> {
        self.likeness.default_schema.as_ref()
    }

    /// A connection to it, with the target database's settings.
    ///
    /// # Errors
    /// [`ScratchError::SetUp`].
    pub async fn connect(&self) -> Result<PgConnection, ScratchError> {
        self.open()
            .await
            .map_err(|source| failed("connect to", &self.name, source))
    }

    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = self.server.with_database(&self.name).connect().await?;
        let calls: Vec<String> = self
            .likeness
            .settings
            .iter()
            .map(|(name, value)| {
                format!(
                    "pg_catalog.set_config({}, {}, false)",
                    Literal(name),
                    Literal(value)
                )
            })
            .collect();
        // Nothing in it survives a crash of the server, so nothing needs to wait for the disk.
        let calls =
            std::iter::once("pg_catalog.set_config('synchronous_commit', 'off', false)".to_owned())
                .chain(calls);
        run(
            &mut conn,
            &format!("SELECT {}", calls.collect::<Vec<_>>().join(", ")),
        )
        .await?;
        Ok(conn)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // `FORCE` (PostgreSQL 13) ends connections that are still open.
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let inside = self.server.with_database(&self.name);
        // A failure is not reported: the server may be gone, or the run fails for a better reason already. The next run
        // finds what is left.
        wait_for(async move {
            if let Ok(mut conn) = server.connect().await {
                if run(&mut conn, &sql).await.is_err() {
                    drop_subscriptions(&inside).await;
                    let _ = run(&mut conn, &sql).await;
                }
                let _ = conn.close().await;
            }
        });
    }
}

impl Likeness {
    async fn read(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        // The columns of the locale differ by version (15: provider and ICU locale, 17: one column for both), so the row
        // is read as JSON.
        // The search path is known by the setting that `own_sql` puts it aside in.
        const SQL: &str = "SELECT current_setting('server_version_num')::int4 / 10000, pg_encoding_to_char(d.encoding)::text, \
             d.datcollate::text, d.datctype::text, to_jsonb(d)->>'datlocprovider', coalesce(to_jsonb(d)->>'datlocale', \
             to_jsonb(d)->>'daticulocale'), to_jsonb(d)->>'daticurules', current_schema()::text, array(SELECT name FROM \
             pg_settings WHERE source IN ('database', 'user', 'database user') AND context IN ('user', 'superuser') ORDER BY \
             name) || 'search_path'::text, array(SELECT setting FROM pg_settings WHERE source IN ('database', 'user', 'database \
             user') AND context IN ('user', 'superuser') ORDER BY name) || replace(current_setting('limbeck.search_path'), '\"$user\"', quote_ident(current_user)), to_hex(extract(epoch FROM clock_timestamp())::int8) || '_' || \
             substr(replace(gen_random_uuid()::text, '-', ''), 1, 10) FROM pg_database d WHERE d.datname = current_database() AND ";
        let sql = format!("{SQL}{}", own_sql::PRINTS);
        let row = own_row(conn, &sql).await?;
        let (encoding, collate, ctype): (String, String, String) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let mut clauses = format!(
            "ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            Literal(&encoding),
            Literal(&collate),
            Literal(&ctype)
        );
        let locale = text(&row, 5)?;
        match (text(&row, 4)?.as_deref(), locale) {
            (Some("i"), Some(locale)) => {
                clauses.push_str(&format!(
                    " LOCALE_PROVIDER icu ICU_LOCALE {}",
                    Literal(&locale)
                ));
                if let Some(rules) = text(&row, 6)? {
                    clauses.push_str(&format!(" ICU_RULES {}", Literal(&rules)));
                }
            }
            (Some("b"), Some(locale)) => {
                clauses.push_str(&format!(
                    " LOCALE_PROVIDER builtin BUILTIN_LOCALE {}",
                    Literal(&locale)
                ));
            }
            _ => {}
        }
        let (names, values): (Vec<String>, Vec<String>) = (row.try_get(8)?, row.try_get(9)?);
        let default_schema = text(&row, 7)?.map(Ident::from);
        // A path that leads nowhere would leave the scratch database without a place for names.
        let leads = |name: &str| name != "search_path" || default_schema.is_some();
        let settings = names.into_iter().zip(values);
        Ok(Self {
            major: row.try_get(0)?,
            clauses,
            encoding,
            settings: settings.filter(|(name, _)| leads(name)).collect(),
            default_schema,
            tail: row.try_get(10)?,
        })
    }
}

fn text(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    row.try_get(at)
}

/// Drops the scratch databases of killed runs. What cannot be dropped is somebody else's, or no leftover after all.
async fn drop_leftovers(conn: &mut PgConnection) {
    let sql = format!(
        "SELECT d.datname::text, extract(epoch FROM clock_timestamp())::int8 FROM pg_database d WHERE starts_with(d.datname::text, \
         '{SCRATCH_PREFIX}') AND pg_has_role(d.datdba, 'USAGE') AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)"
    );
    let Ok(rows) = own_rows(conn, &sql).await else {
        return;
    };
    for row in rows {
        let (Ok(name), Ok(now)) = (row.try_get::<String, _>(0), row.try_get::<i64, _>(1)) else {
            continue;
        };
        if is_leftover(&name, now) {
            // Without FORCE: whoever connects meanwhile keeps it.
            let _ = run(
                conn,
                &format!("DROP DATABASE IF EXISTS {}", Ident::new(&name)),
            )
            .await;
        }
    }
}

/// Drops the subscriptions of a database, which would keep it from being dropped. Their slots, if they have any, are
/// another server's.
async fn drop_subscriptions(inside: &Settings) {
    const SQL: &str = "SELECT format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP \
         SUBSCRIPTION %1$I', s.subname) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = \
         current_database()";
    let Ok(mut conn) = inside.connect().await else {
        return;
    };
    for row in own_rows(&mut conn, SQL).await.unwrap_or_default() {
        if let Ok(sql) = row.try_get::<String, _>(0) {
            let _ = run(&mut conn, &sql).await;
        }
    }
    let _ = conn.close().await;
}

/// Whether a database has the name of a scratch database, `limbeck_scratch_<pid>_<hex seconds>_<random>`, and is old.
fn is_leftover(name: &str, now: i64) -> bool {
    let Some(rest) = name.strip_prefix(SCRATCH_PREFIX) else {
        return false;
    };
    let [pid, since, random] = rest.split('_').collect::<Vec<_>>()[..] else {
        return false;
    };
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
    let age = i64::from_str_radix(since, 16).map(|it| now.saturating_sub(it));
    let limit = i64::try_from(LEFTOVER_AGE.as_secs()).unwrap_or(i64::MAX);
    pid.parse::<u32>().is_ok() && hex(random) && age.is_ok_and(|it| it > limit)
}

async fn connect(
    settings: &Settings,
    what: &str,
) -> Result<(Settings, PgConnection), ScratchError> {
    match settings.connect().await {
        Ok(conn) => Ok((settings.clone(), conn)),
        Err(source) => Err(ScratchError::Connect {
            what: what.to_owned(),
            source,
        }),
    }
}

fn failed(doing: &'static str, name: &str, source: sqlx::Error) -> ScratchError {
    ScratchError::SetUp {
        doing,
        name: name.to_owned(),
        source,
    }
}

fn answer(error: &sqlx::Error) -> String {
    one_line(&limbeck_catalog::answer(error))
}

async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}

/// Runs a future to its end on a thread with a runtime of its own, so that it works inside and outside of async code.
fn wait_for(future: impl Future<Output = ()> + Send + 'static) {
    let worker = thread::Builder::new()
        .name("limbeck scratch".to_owned())
        .spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                runtime.block_on(future);
            }
        });
    if let Ok(worker) = worker {
        let _ = worker.join();
    }
}

#[cfg(test)]
mod tests {
    use super::is_leftover;

    #[test]
    fn only_old_databases_of_exactly_that_name_are_leftovers() {
        let check =
            |name: &str, expected: bool| assert_eq!(is_leftover(name, 0x6000), expected, "{name}");
        check("limbeck_scratch_12_10_ab12", true);
        check("limbeck_scratch_12_5fff_ab12", false);
        check("limbeck_scratch_12_10", false);
        check("limbeck_scratch_mine", false);
        check("limbeck_scratch_12_10_ab_1", false);
        check("limbeck_scratch_x_10_ab", false);
        check("my_limbeck_scratch_12_10_ab12", false);
    }
}
