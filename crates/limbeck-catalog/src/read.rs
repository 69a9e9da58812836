//! Reading: one snapshot, one statement a kind, whatever the number of tables.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt;
use limbeck_connect::Settings;
use limbeck_schema::kinds::extension_objects_sql;
use limbeck_schema::row::{Decoding, Fields};
use limbeck_schema::{Ident, Key, KindTag, Name, Schema};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::CatalogError;
use crate::row::DriverRow;

/// The oldest server that is supported.
const OLDEST: u32 = 13;

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
}

/// What a connection says of itself before anything is read.
pub(crate) struct Session {
    pub default_schema: Ident,
    pub version: u32,
    pub in_recovery: bool,
    /// The text to set `search_path` to so that just the default schema is searched.
    pub narrow_path: String,
    /// Whether a second connection is worth its while.
    pub is_large: bool,
}

impl Session {
    pub(crate) async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        const SQL: &str = "SELECT current_schema()::text, current_setting('server_version_num')::int4, pg_is_in_recovery(), \
                           quote_ident(current_schema()), current_setting('search_path'), pg_relation_size('pg_class') > $1";
        /// A catalog of about a thousand tables; below, a second connection costs more than it wins.
        const LARGE_BYTES: i64 = 1 << 20;
        let failed = |source| CatalogError::Query {
            what: "the session",
            source,
        };
        let row = sqlx::query(SQL)
            .persistent(false)
            .bind(LARGE_BYTES)
            .fetch_one(conn)
            .await
            .map_err(failed)?;
        let version: i32 = row.try_get(1).map_err(failed)?;
        let version = u32::try_from(version).unwrap_or_default();
        if version / 10_000 < OLDEST {
            return Err(CatalogError::TooOld {
                found: version / 10_000,
            });
        }
        let default_schema: Option<String> = row.try_get(0).map_err(failed)?;
        let Some(default_schema) = default_schema else {
            return Err(CatalogError::NoSchema {
                search_path: row.try_get(4).map_err(failed)?,
            });
        };
        Ok(Self {
            default_schema: Ident::from(default_schema),
            version,
            in_recovery: row.try_get(2).map_err(failed)?,
            narrow_path: row.try_get(3).map_err(failed)?,
            is_large: row.try_get(5).map_err(failed)?,
        })
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
        Self::read_in(conn, session, options).await
    }

    pub(crate) async fn read_in(
        conn: &mut PgConnection,
        session: Session,
        options: &ReadOptions,
    ) -> Result<Self, CatalogError> {
        let mut tx = conn.begin_with(BEGIN).await.map_err(broken)?;
        prepare(&mut tx, &session).await?;
        let mut companion = match &options.companion {
            Some(it) if session.is_large => Companion::join(&mut tx, it, &session).await,
            _ => None,
        };
        let queue = Queue::new();
        let schema = match &mut companion {
            None => queue.read(&mut tx, &session).await,
            Some(Companion(other)) => {
                let both =
                    tokio::try_join!(queue.read(&mut tx, &session), queue.read(other, &session));
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
            default_schema: session.default_schema,
            version: session.version,
        })
    }
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

fn broken(source: sqlx::Error) -> CatalogError {
    let what = "the snapshot";
    CatalogError::Query { what, source }
}

/// Settings of a transaction that reads. Names and expressions are printed relative to the search path, so it is the
/// default schema alone. The planner takes catalogs for large and would spend more on just-in-time compilation and on
/// workers than it wins, and the statements join in the order in which they should, so it need not look for a better
/// one. Joins of a large catalog fit into this much memory.
async fn prepare(conn: &mut PgConnection, session: &Session) -> Result<(), CatalogError> {
    const SET: &str = "SELECT set_config('search_path', $1, true), set_config('jit', 'off', true), \
                       set_config('max_parallel_workers_per_gather', '0', true), set_config('work_mem', '64MB', true), \
                       set_config('join_collapse_limit', '1', true), set_config('from_collapse_limit', '1', true)";
    let set = sqlx::query(SET)
        .persistent(false)
        .bind(&session.narrow_path);
    set.execute(&mut *conn).await.map_err(broken)?;
    let extensions = sqlx::query(AssertSqlSafe(extension_objects_sql())).persistent(false);
    extensions.execute(conn).await.map_err(broken)?;
    Ok(())
}

/// A second connection in the same snapshot, so that two of the server's processes share the work.
struct Companion(PgConnection);

impl Companion {
    /// `None` where there can be none: the snapshot cannot be shared, or no connection is left. One is enough.
    async fn join(conn: &mut PgConnection, settings: &Settings, session: &Session) -> Option<Self> {
        let export = sqlx::query_scalar("SELECT pg_export_snapshot()").persistent(false);
        let snapshot: String = export.fetch_one(conn).await.ok()?;
        let mut other = settings.connect().await.ok()?;
        let join = format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{snapshot}'");
        sqlx::raw_sql(AssertSqlSafe(join))
            .execute(&mut other)
            .await
            .ok()?;
        prepare(&mut other, session).await.ok()?;
        Some(Self(other))
    }
}

/// The kinds still to be read, those first that take longest, so that two connections end at about the same time.
struct Queue {
    kinds: Vec<KindTag>,
    next: AtomicUsize,
}

impl Queue {
    fn new() -> Self {
        let mut kinds = KindTag::ALL.to_vec();
        kinds.sort_by_key(|it| Reverse(it.reading()));
        let next = AtomicUsize::new(0);
        Self { kinds, next }
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
    let query = sqlx::query(AssertSqlSafe(kind.catalog_sql(version))).persistent(false);
    let mut rows = query.fetch(conn);
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
