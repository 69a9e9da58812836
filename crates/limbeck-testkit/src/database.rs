//! Databases of their own for single tests.

use std::future::Future;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use crate::cluster::{Cluster, try_cluster, with_role};
use crate::error::TestkitError;

/// PostgreSQL keeps 63 bytes of an identifier.
const MAX_IDENTIFIER: usize = 63;

/// A database that is dropped with the value, whoever is still connected to it.
#[derive(Debug)]
pub struct TestDb {
    name: String,
    url: String,
    admin: String,
    pool: PgPool,
}

impl TestDb {
    /// An empty database (of `template0`) on the shared [`cluster()`](crate::cluster()). Its unique name begins with `label`, so that
    /// a person who looks at the server knows it.
    ///
    /// # Panics
    ///
    /// When there is no server or it refuses: a test cannot go on without its database. [`TestDb::create_in`] returns
    /// the error instead.
    pub async fn create(label: &str) -> Self {
        Self::from_template(label, "template0").await
    }

    /// A copy of the database `template`, to which nobody may be connected: [`TestDb::close`] its pool first.
    ///
    /// # Panics
    ///
    /// As [`TestDb::create`].
    pub async fn from_template(label: &str, template: &str) -> Self {
        let cluster = match try_cluster() {
            Ok(cluster) => cluster,
            Err(error) => panic!("no server for the database of `{label}`: {}", error.full()),
        };
        match Self::create_in(cluster, label, template).await {
            Ok(db) => db,
            Err(error) => panic!("no database for `{label}`: {}", error.full()),
        }
    }

    /// A copy of the database `template` (`template0` is an empty one) on the given server.
    ///
    /// # Errors
    ///
    /// [`TestkitError::Sql`] when the server cannot be reached or refuses, [`TestkitError::Url`] when its URL is wrong.
    pub async fn create_in(
        cluster: &Cluster,
        label: &str,
        template: &str,
    ) -> Result<Self, TestkitError> {
        let name = unique_name(label);
        let admin = cluster.url("postgres");
        // Copying files is twice as fast as PostgreSQL 15's default of logging every block, where no disk is waited for.
        let strategy = if cluster.major() >= 15 {
            " STRATEGY FILE_COPY"
        } else {
            ""
        };
        let (new, template) = (quoted(&name), quoted(template));
        let sql = format!("CREATE DATABASE {new} TEMPLATE {template}{strategy}");
        execute(&admin, &sql).await?;
        let url = cluster.url(&name);
        let options =
            PgConnectOptions::from_str(&url).map_err(|source| TestkitError::Url { source })?;
        let pool = PgPoolOptions::new()
            .max_connections(5)
            // A test that opens too many connections should say so while somebody still watches.
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(options);
        Ok(Self {
            name,
            url,
            admin,
            pool,
        })
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another role.
    #[must_use]
    pub fn url_as(&self, role: &str, password: &str) -> String {
        with_role(&self.url, role, password)
    }

    /// A pool of up to five connections, opened when they are needed.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection outside the pool.
    ///
    /// # Errors
    ///
    /// The driver's, when the server cannot be reached.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url).await
    }

    /// Closes the pool's connections, so that the database can serve as a template.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // `FORCE` (PostgreSQL 13) ends the connections of the pool and of programs that the test left behind.
        let sql = format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            quoted(&self.name)
        );
        let admin = self.admin.clone();
        // A failure is not reported: the server may be gone by now, or the test is failing for a better reason already.
        let _ = wait_for(async move { execute(&admin, &sql).await });
    }
}

/// Runs a future to its end on a thread with a runtime of its own, so that it works inside and outside of async code.
pub(crate) fn wait_for<T, F>(future: F) -> Result<T, TestkitError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, TestkitError>> + Send + 'static,
{
    let failed = |why: String| TestkitError::Failed {
        program: "a thread of the testkit".into(),
        output: why,
    };
    thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?
            .block_on(future)
    })
    .join()
    .unwrap_or_else(|_| Err(failed("it panicked".into())))
}

async fn execute(url: &str, sql: &str) -> Result<(), TestkitError> {
    let mut conn = PgConnection::connect(url)
        .await
        .map_err(TestkitError::sql("connect to the test server"))?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .map_err(TestkitError::sql(format!("run `{sql}`")))?;
    // The answer is here; a connection that closes badly changes nothing about it.
    let _ = conn.close().await;
    Ok(())
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// `label`, cut to fit, then the process, the time and a counter: unique also on a server that many processes share and
/// that has databases of killed ones.
fn unique_name(label: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let suffix = format!("_{}_{nanos:x}_{counter}", std::process::id());
    let mut end = label.len().min(MAX_IDENTIFIER - suffix.len());
    while !label.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &label[..end])
}

#[cfg(test)]
mod tests {
    use super::unique_name;

    #[test]
    fn names_are_unique_and_fit_whatever_the_label() {
        let label = "ß".repeat(50);
        let (one, two) = (unique_name(&label), unique_name(&label));
        assert_ne!(one, two);
        assert!(one.len() <= 63 && one.starts_with("ßß"), "{one}");
    }
}
