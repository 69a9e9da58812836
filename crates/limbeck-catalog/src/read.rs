//! Reading: one snapshot, one statement a kind, whatever the number of tables.

use futures_util::TryStreamExt;
use limbeck_schema::kinds::extension_objects_sql;
use limbeck_schema::row::{Decoding, Fields};
use limbeck_schema::{Ident, KindTag, Name, Object, Schema};
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
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            own_tables: vec![Name::plain("limbeck_version"), Name::plain("limbeck_log")],
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
}

impl Session {
    pub(crate) async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        const SQL: &str = "SELECT current_schema()::text, current_setting('server_version_num')::int4, pg_is_in_recovery(), \
                           quote_ident(current_schema()), current_setting('search_path')";
        let failed = |source| CatalogError::Query {
            what: "the session",
            source,
        };
        let row = sqlx::query(SQL)
            .persistent(false)
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
        let failed = |source| CatalogError::Query {
            what: "the snapshot",
            source,
        };
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut tx = conn.begin_with(begin).await.map_err(failed)?;
        // Names and expressions are printed relative to the search path, so it is the default schema alone. The planner
        // takes catalogs for large and would spend more on just-in-time compilation than it wins.
        // The statements join in the order in which they should, so the planner need not look for a better one.
        const SET: &str = "SELECT set_config('search_path', $1, true), set_config('jit', 'off', true), \
                           set_config('join_collapse_limit', '1', true), set_config('from_collapse_limit', '1', true)";
        let set = sqlx::query(SET)
            .persistent(false)
            .bind(&session.narrow_path);
        set.execute(&mut *tx).await.map_err(failed)?;
        let extensions = sqlx::query(AssertSqlSafe(extension_objects_sql())).persistent(false);
        extensions.execute(&mut *tx).await.map_err(failed)?;
        let mut objects: Vec<Object> = Vec::new();
        let mut decoding = Decoding::new(session.default_schema.clone());
        for kind in KindTag::ALL {
            read_kind(&mut tx, *kind, session.version, &mut decoding, &mut objects).await?;
        }
        tx.rollback().await.map_err(failed)?;
        let mut schema: Schema = objects.into_iter().collect();
        if !options.own_tables.is_empty() {
            schema.retain(|key, _| !options.own_tables.contains(&key.qualified()));
        }
        Ok(Self {
            schema,
            default_schema: session.default_schema,
            version: session.version,
        })
    }
}

async fn read_kind(
    conn: &mut PgConnection,
    kind: KindTag,
    version: u32,
    decoding: &mut Decoding,
    acc: &mut Vec<Object>,
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
