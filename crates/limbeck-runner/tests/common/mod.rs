//! A database and a folder of revisions for one test.

#![expect(clippy::expect_used, reason = "the helpers of a test fail the test")]

use std::path::PathBuf;
use std::time::Duration;

use limbeck_revision::Location;
use limbeck_runner::{Event, History, Runner, RunnerError, RunnerOptions};
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) folder: TempDir,
    pub(crate) options: RunnerOptions,
    /// What the last run said.
    pub(crate) said: Vec<String>,
}

/// What is said of an event; that a statement begins is for terminals.
fn spoken(event: &Event<'_>) -> Option<String> {
    (!matches!(event, Event::Statement { .. })).then(|| event.line())
}

impl World {
    pub(crate) async fn new(label: &str) -> Self {
        let options = RunnerOptions {
            lock_timeout: Some(Duration::from_millis(200)),
            first_pause: Duration::from_millis(20),
            ..RunnerOptions::default()
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            db: TestDb::create(label).await,
            folder,
            options,
            said: Vec::new(),
        }
    }

    /// Writes a revision; `revises` is empty for a base.
    pub(crate) fn revision(
        &self,
        id: &str,
        revises: &str,
        upgrade: &str,
        downgrade: &str,
    ) -> PathBuf {
        let revises = if revises.is_empty() {
            "<base>"
        } else {
            revises
        };
        let text = format!(
            "-- Do {id}.\n--\n-- revision: {id}\n-- revises: {revises}\n\n-- upgrade\n{upgrade}\n\n-- downgrade\n{downgrade}\n"
        );
        let path = self.folder.path().join(format!("{id}.sql"));
        std::fs::write(&path, text).expect("a revision file");
        path
    }

    /// A linear history of tables `t1` to `tN`, ids `r001` and on.
    pub(crate) fn tables(&self, n: usize) {
        for at in 1..=n {
            let before = if at == 1 {
                String::new()
            } else {
                format!("r{:03}", at - 1)
            };
            let (up, down) = (
                format!("CREATE TABLE t{at} (id int);"),
                format!("DROP TABLE t{at};"),
            );
            self.revision(&format!("r{at:03}"), &before, &up, &down);
        }
    }

    pub(crate) fn history(&self) -> History {
        let location = Location {
            path: self.folder.path().to_path_buf(),
            recursive: false,
            branch: None,
        };
        History::load(&[location]).expect("a history")
    }

    pub(crate) async fn runner(&self) -> Runner {
        let conn = self.db.connect().await.expect("a connection");
        Runner::new(conn, self.options.clone())
            .await
            .expect("a runner")
    }

    pub(crate) async fn upgrade(&mut self, target: &str) -> Result<usize, RunnerError> {
        let (history, mut runner) = (self.history(), self.runner().await);
        let mut said = Vec::new();
        let done = runner
            .upgrade(&history, target, &mut |it| said.extend(spoken(&it)))
            .await;
        self.said = said;
        done
    }

    pub(crate) async fn downgrade(&mut self, target: &str) -> Result<usize, RunnerError> {
        let (history, mut runner) = (self.history(), self.runner().await);
        let mut said = Vec::new();
        let done = runner
            .downgrade(&history, target, &mut |it| said.extend(spoken(&it)))
            .await;
        self.said = said;
        done
    }

    /// The error of an upgrade that has to fail.
    pub(crate) async fn upgrade_error(&mut self, target: &str) -> String {
        let error = self
            .upgrade(target)
            .await
            .expect_err("an upgrade that fails");
        self.text(&error)
    }

    /// The error of a downgrade that has to fail.
    pub(crate) async fn downgrade_error(&mut self, target: &str) -> String {
        let error = self
            .downgrade(target)
            .await
            .expect_err("a downgrade that fails");
        self.text(&error)
    }

    pub(crate) async fn rows(&self) -> Vec<String> {
        let rows = self.runner().await.rows().await.expect("version rows");
        rows.iter().map(ToString::to_string).collect()
    }

    /// One column of text as a list.
    pub(crate) async fn query(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(self.db.pool())
            .await
            .expect("a query");
        rows.iter().map(|it| it.get(0)).collect()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(self.db.pool())
            .await
            .expect("a statement");
    }

    /// The tables of the public schema that are not Limbeck's.
    pub(crate) async fn table_names(&self) -> Vec<String> {
        self.query(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i') \
             AND relname !~ '^(limbeck|alembic)_' ORDER BY 1",
        )
        .await
    }

    /// An error without the folder's name, which differs from run to run.
    pub(crate) fn text(&self, error: &RunnerError) -> String {
        error
            .to_string()
            .replace(&format!("{}/", self.folder.path().display()), "")
    }
}
