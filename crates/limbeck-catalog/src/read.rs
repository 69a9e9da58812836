//! Reading: one snapshot, one statement a kind, whatever the number of tables.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use limbeck_connect::Settings;
use limbeck_schema::kinds::extension_objects_sql;
use limbeck_schema::row::{Decoding, Fields};
use limbeck_schema::{Ident, Key, KindTag, Name, Schema, own_sql};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::CatalogError;
use crate::row::DriverRow;

/// The oldest server that is supported.
const OLDEST: u32 = 13;

/// The schema that new databases have.
const IMPLIED: &str = "public";

/// What to leave out.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Limbeck's own tables; by default those of the default configuration.
    pub own_tables: Vec<Name>,
    /// The connection settings of the same database, for a second connection where the catalog is large.
    pub companion: Option<Settings>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            own_tables: vec![Name::plain("limbeck_version"), Name::plain("limbeck_log")],
            companion: None,
        }
    }
}

/// The state of a database.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Its objects.
    pub schema: Schema,
    /// The schema of names without one: `current_schema()`.
    pub default_schema: Ident,
    /// `server_version_num`, for example 150018.
    pub version: u32,
    /// Options of tables, columns and indexes that are not known, by name: they were passed over.
    pub unknown_options: BTreeSet<String>,
}

/// What a connection says of itself before anything is read.
pub(crate) struct Session {
    pub default_schema: Ident,
    pub version: u32,
    pub in_recovery: bool,
    /// The text to set `search_path` to so that just the default schema is searched.
    pub narrow_path: String,
    pub is_superuser: bool,
    /// Whether a second connection is worth its while.
    pub is_large: bool,
}

impl Session {
    pub(crate) async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        // It asks for the search path, so it runs under that path: every function is qualified, and what would need an
        // operator or another type is done here.
        const SQL: &str = "SELECT pg_catalog.current_schema(), pg_catalog.current_setting('server_version_num'), \
                           pg_catalog.pg_is_in_recovery(), pg_catalog.quote_ident(pg_catalog.current_schema()), \
                           pg_catalog.current_setting('search_path'), pg_catalog.current_setting('is_superuser'), \
                           pg_catalog.pg_relation_size('pg_catalog.pg_class')";
        /// A catalog of about a thousand tables; below, a second connection costs more than it wins.
        const LARGE_BYTES: i64 = 1 << 20;
        let failed = |source| CatalogError::Query {
            what: "the session",
            source,
        };
        let row = conn.fetch_one(sqlx::raw_sql(SQL)).await.map_err(failed)?;
        let version: String = row.try_get(1).map_err(failed)?;
        let version = version.parse().unwrap_or_default();
        if version / 10_000 < OLDEST {
            return Err(CatalogError::TooOld {
                found: version / 10_000,
            });
        }
        let search_path: String = row.try_get(4).map_err(failed)?;
        let found: Option<String> = row.try_get(0).map_err(failed)?;
        let narrow_path: Option<String> = row.try_get(3).map_err(failed)?;
        // Where every schema of the path is missing, the one that new databases have is the place of names without one.
        let implied = || listed(&search_path, IMPLIED).then(|| IMPLIED.to_owned());
        let Some(default_schema) = found.or_else(implied) else {
            return Err(CatalogError::NoSchema { search_path });
        };
        let is_superuser: String = row.try_get(5).map_err(failed)?;
        let size: i64 = row.try_get(6).map_err(failed)?;
        Ok(Self {
            default_schema: Ident::from(default_schema),
            version,
            in_recovery: row.try_get(2).map_err(failed)?,
            narrow_path: narrow_path.unwrap_or_else(|| IMPLIED.to_owned()),
            is_superuser: is_superuser == "on",
            is_large: size > LARGE_BYTES,
        })
    }

    /// Begins the transaction that the catalog is read in, with its settings; `and` comes first in it.
    ///
    /// The planner would spend more on workers than it wins, and the statements join in the order in which they should, so
    /// it need not look for a better one. Joins of a large catalog fit into this much memory.
    fn begin(&self, and: &str) -> String {
        const PLANNING: &str = "SELECT set_config('max_parallel_workers_per_gather', '0', true), set_config('work_mem', '64MB', \
                                true), set_config('join_collapse_limit', '1', true), set_config('from_collapse_limit', '1', true)";
        let settings = own_sql::read_settings(&self.narrow_path);
        let extensions = extension_objects_sql();
        format!("{BEGIN}; {and}{settings}; {PLANNING}; {extensions}")
    }
}

impl Catalog {
    /// Reads the database in one `REPEATABLE READ READ ONLY` transaction. A role that owns nothing can do it.
    ///
    /// # Errors
    /// [`CatalogError`], which names the kind that could not be read.
    pub async fn read(
        conn: &mut PgConnection,
        options: &ReadOptions,
    ) -> Result<Self, CatalogError> {
        let session = Session::read(conn).await?;
        Self::read_in(conn, &session, options).await
    }

    pub(crate) async fn read_in(
        conn: &mut PgConnection,
        session: &Session,
        options: &ReadOptions,
    ) -> Result<Self, CatalogError> {
        let mut patience = Patience::default();
        loop {
            match Self::read_once(conn, session, options).await {
                Err(error) if error.is_disturbance() => patience.wait(error).await?,
                done => return done,
            }
        }
    }

    async fn read_once(
        conn: &mut PgConnection,
        session: &Session,
        options: &ReadOptions,
    ) -> Result<Self, CatalogError> {
        let begin = AssertSqlSafe(session.begin(""));
        let mut tx = conn.begin_with(begin).await.map_err(broken)?;
        let mut companion = match &options.companion {
            Some(it) if session.is_large => Companion::join(&mut tx, it, session).await,
            _ => None,
        };
        let queue = Queue::new();
        let schema = match &mut companion {
            None => queue.read(&mut tx, session).await,
            Some(Companion(other)) => {
                let both =
                    tokio::try_join!(queue.read(&mut tx, session), queue.read(other, session));
                both.map(|(mut schema, rest)| {
                    schema.append(rest);
                    schema
                })
            }
        };
        let mut schema = schema?;
        tx.rollback().await.map_err(broken)?;
        if let Some(Companion(other)) = companion {
            limbeck_connect::close(other).await;
        }
        if !options.own_tables.is_empty() {
            let is_own = |key: &Key| {
                let mut own = options.own_tables.iter();
                own.any(|it| it.name == key.name && it.schema == key.schema)
            };
            schema.retain(|key, _| !is_own(key));
        }
        Ok(Self {
            schema,
            default_schema: session.default_schema.clone(),
            version: session.version,
            unknown_options: queue.unknown.into_inner().unwrap_or_default(),
        })
    }
}

/// Whether a search path lists a schema.
fn listed(search_path: &str, schema: &str) -> bool {
    let mut names = search_path.split(',');
    names.any(|it| it.trim().trim_matches('"') == schema)
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

fn broken(source: sqlx::Error) -> CatalogError {
    let what = "the snapshot";
    CatalogError::Query { what, source }
}

/// How often the catalog has been read while others changed it.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits a little before it is read again.
    ///
    /// # Errors
    /// [`CatalogError::Disturbed`] once it was read often enough.
    pub(crate) async fn wait(&mut self, error: CatalogError) -> Result<(), CatalogError> {
        const TRIES: u32 = 6;
        self.tries += 1;
        if self.tries == TRIES {
            return Err(CatalogError::Disturbed {
                tries: TRIES,
                source: Box::new(error),
            });
        }
        tokio::time::sleep(Duration::from_millis(20) * self.tries).await;
        Ok(())
    }
}

/// A second connection in the same snapshot, so that two of the server's processes share the work.
struct Companion(PgConnection);

impl Companion {
    /// `None` where there can be none: the snapshot cannot be shared, or no connection is left. One is enough.
    async fn join(conn: &mut PgConnection, settings: &Settings, session: &Session) -> Option<Self> {
        let export = sqlx::raw_sql("SELECT pg_catalog.pg_export_snapshot()");
        let snapshot: String = conn.fetch_one(export).await.ok()?.try_get(0).ok()?;
        let mut other = settings.connect().await.ok()?;
        let join = session.begin(&format!("SET TRANSACTION SNAPSHOT '{snapshot}'; "));
        sqlx::raw_sql(AssertSqlSafe(join))
            .execute(&mut other)
            .await
            .ok()?;
        Some(Self(other))
    }
}

/// The kinds still to be read, those first that take longest, so that two connections end at about the same time.
struct Queue {
    kinds: Vec<KindTag>,
    next: AtomicUsize,
    /// Options of unknown names that were met.
    unknown: Mutex<BTreeSet<String>>,
}

impl Queue {
    fn new() -> Self {
        let mut kinds = KindTag::ALL.to_vec();
        kinds.sort_by_key(|it| Reverse(it.reading()));
        Self {
            kinds,
            next: AtomicUsize::new(0),
            unknown: Mutex::default(),
        }
    }

    /// Reads kinds until none is left.
    async fn read(
        &self,
        conn: &mut PgConnection,
        session: &Session,
    ) -> Result<Schema, CatalogError> {
        let mut decoding = Decoding::new(session.default_schema.clone());
        let mut schema = Schema::new();
        while let Some(kind) = self.kinds.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            read_kind(conn, *kind, session.version, &mut decoding, &mut schema).await?;
        }
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.extend(decoding.into_unknown());
        Ok(schema)
    }
}

async fn read_kind(
    conn: &mut PgConnection,
    kind: KindTag,
    version: u32,
    decoding: &mut Decoding,
    acc: &mut Schema,
) -> Result<(), CatalogError> {
    let failed = |source| CatalogError::Query {
        what: kind.name(),
        source,
    };
    let mut collector = kind.collector();
    // The statement is ours: nothing of it comes from outside.
    let sql = format!("{}; {}", kind.catalog_sql(version), own_sql::RESET_PATH);
    let mut rows = conn.fetch(sqlx::raw_sql(AssertSqlSafe(sql)));
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        collector
            .row(&mut Fields::new(&DriverRow(&row), decoding))
            .map_err(|source| CatalogError::Decode {
                what: kind.name(),
                source,
            })?;
    }
    collector.finish(acc);
    Ok(())
}
