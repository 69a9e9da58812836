//! Running SQL as a role without rights, and the statements that need more by the role that made the database.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use limbeck_catalog::CatalogError;
use limbeck_schema::Literal;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::host::Host;
use super::likeness::Role;
use super::privileged::Privileged;
use super::roles::without_present_roles;

/// What makes the functions by which a scratch database runs a statement with more rights.
const FUNCTIONS: &str = include_str!("privileged.sql");

/// The digest of a statement, `$1` being its text.
const DIGEST: &str = "('x' OPERATOR(pg_catalog.||) pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(\
     pg_catalog.convert_to({}, 'UTF8')), 'hex'), 1, 16))::pg_catalog.bit(64)::pg_catalog.int8";

/// Runs the statements of a scratch database that its role has not the rights for, one at a time, each chosen by its first
/// words and approved by itself. Nothing of the SQL that is tried is evaluated by it.
#[derive(Clone, Debug)]
pub struct Rights {
    host: Arc<Host>,
    database: String,
    /// The role that made the database.
    owner: String,
    /// Whether that role may do everything.
    has_more: bool,
    /// Whether the database has the functions.
    installed: Arc<AtomicBool>,
}

impl Rights {
    pub(super) fn new(host: &Arc<Host>, database: &str, owner: &Role) -> Self {
        Self {
            host: Arc::clone(host),
            database: database.to_owned(),
            owner: owner.name.clone(),
            has_more: owner.is_superuser,
            installed: Arc::default(),
        }
    }

    /// The role that made the database.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Those of a copy of the database.
    pub(super) fn of_copy(&self, database: &str) -> Self {
        let installed = self.installed.load(Ordering::SeqCst);
        Self {
            database: database.to_owned(),
            installed: Arc::new(AtomicBool::new(installed)),
            ..self.clone()
        }
    }

    /// Runs a statement of the SQL that is tried, by its role if the server lets that, else with more rights if it is a
    /// statement that needs them.
    async fn execute(&self, conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = without_present_roles(sql);
        let Some(privileged) = Privileged::of(&sql).filter(|_| self.has_more) else {
            return plain(conn, &sql).await;
        };
        // In a transaction, the first try must not end it.
        let in_transaction = plain(conn, "SAVEPOINT limbeck_statement").await.is_ok();
        let done = plain(conn, &sql).await;
        if done.as_ref().err().is_none_or(|it| !is_refused(it)) {
            if in_transaction && done.is_ok() {
                plain(conn, "RELEASE SAVEPOINT limbeck_statement").await?;
            }
            return done;
        }
        if in_transaction {
            plain(conn, "ROLLBACK TO SAVEPOINT limbeck_statement").await?;
            plain(conn, "RELEASE SAVEPOINT limbeck_statement").await?;
        }
        self.run(conn, &privileged).await
    }

    async fn run(
        &self,
        conn: &mut PgConnection,
        statement: &Privileged<'_>,
    ) -> Result<u64, sqlx::Error> {
        if !self.installed.load(Ordering::SeqCst) {
            self.host
                .inside(&self.database, FUNCTIONS.to_owned())
                .await?;
            self.installed.store(true, Ordering::SeqCst);
        }
        let digest = DIGEST.replace("{}", &Literal(&statement.sql).to_string());
        let lock = format!("SELECT pg_catalog.pg_advisory_lock({digest})");
        self.host.rows(lock).await?;
        let done = sqlx::query("SELECT pg_catalog.limbeck_privileged($1, $2)")
            .persistent(false)
            .bind(statement.sql.as_ref())
            .bind(statement.kind.word())
            .execute(conn)
            .await;
        let unlock = format!("SELECT pg_catalog.pg_advisory_unlock({digest})");
        self.host.rows(unlock).await?;
        done.map(|_| 0)
    }

    /// The objects that the SQL gave to other roles, with their sort and owner. They belong to its own role all the same,
    /// so that statements that follow can change them.
    pub(super) async fn owners(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Vec<(String, String, String)>, CatalogError> {
        const SQL: &str = "SELECT i.type, i.identity, pg_catalog.pg_get_userbyid(o.owner)::pg_catalog.text FROM \
             information_schema.limbeck_owners o, pg_catalog.pg_identify_object(o.classid, o.objid, 0) i WHERE i.identity IS NOT \
             NULL";
        if !self.installed.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let failed = |source| CatalogError::Query {
            what: "owners",
            source,
        };
        let path = "SELECT pg_catalog.current_setting('search_path')";
        let row = conn.fetch_one(sqlx::raw_sql(path)).await.map_err(failed)?;
        let path: String = row.try_get(0).map_err(failed)?;
        // Names are to be printed with their schemas.
        plain(conn, "SET search_path = ''").await.map_err(failed)?;
        let rows = conn.fetch_all(sqlx::raw_sql(SQL)).await.map_err(failed)?;
        let back = format!(
            "SELECT pg_catalog.set_config('search_path', {}, false)",
            Literal(&path)
        );
        plain(conn, &back).await.map_err(failed)?;
        let read =
            |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(failed)
    }
}

/// Runs a statement of SQL that is tried; gives the number of rows. `rights` are those of its scratch database.
///
/// # Errors
/// The driver's.
pub async fn execute(
    rights: Option<&Rights>,
    conn: &mut PgConnection,
    sql: &str,
) -> Result<u64, sqlx::Error> {
    match rights {
        Some(rights) => rights.execute(conn, sql).await,
        None => plain(conn, sql).await,
    }
}

async fn plain(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    let done = conn
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await?;
    Ok(done.rows_affected())
}

/// Whether the server refuses for want of rights.
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    code.as_ref().map(Cow::as_ref) == Some("42501")
}
