//! `verify`: the whole history tried in a scratch database, each step up, down and up again.

use limbeck_catalog::{Catalog, CompareOptions, compare_desired};
use limbeck_runner::Runner;
use limbeck_schema::{Desired, Scope};
use sqlx::PgConnection;

use super::Outcome;
use crate::context::Context;
use crate::error::{CliError, one_line};

impl Context<'_> {
    /// Runs all revisions up from nothing; after each one down and up again, the states of before and after have to come
    /// back. Ends at the first one that does not hold.
    pub(super) async fn verify(&mut self) -> Result<Outcome, CliError> {
        let history = self.history()?;
        let steps = history.graph.upgrade("heads", &[])?;
        let like = self.proof_url(None)?;
        let scratch = self.scratch(like.as_deref()).await?;
        let mut conn = scratch.connect().await?;
        let mut runner = Runner::new(scratch.connect().await?, self.runner_options()).await?;
        for step in steps {
            let id = step.revision.as_str();
            let before = self.state(&mut conn).await?;
            runner.upgrade(&history, id, &mut |_| {}).await?;
            // With several rows in the version table no single step down leads back to where this one began.
            if step.to.len() > 1 {
                self.output.line(&format!(
                    "{id}: upgraded; not undone, beside another branch"
                ));
                continue;
            }
            let after = self.state(&mut conn).await?;
            runner.downgrade(&history, "-1", &mut |_| {}).await?;
            let left = self.differences(&mut conn, before).await?;
            if !left.is_empty() {
                // What is not undone stands in the way of whatever follows.
                let text = "refuted, the downgrade does not undo the upgrade";
                self.output
                    .line(&format!("{id}: {text}: {}", left.join("; ")));
                return Ok(Outcome::Differ);
            }
            runner.upgrade(&history, id, &mut |_| {}).await?;
            let left = self.differences(&mut conn, after).await?;
            if !left.is_empty() {
                let text = "refuted, the second upgrade leads elsewhere";
                self.output
                    .line(&format!("{id}: {text}: {}", left.join("; ")));
                return Ok(Outcome::Differ);
            }
            self.output.line(&format!(
                "{id}: upgraded, downgraded, equal, upgraded, equal"
            ));
        }
        Ok(Outcome::Agree)
    }

    async fn state(&self, conn: &mut PgConnection) -> Result<Catalog, CliError> {
        let options = self.read_options(conn).await?;
        Ok(Catalog::read(conn, &options).await?)
    }

    /// What would bring the database back to an earlier state, a line each.
    async fn differences(
        &self,
        conn: &mut PgConnection,
        earlier: Catalog,
    ) -> Result<Vec<String>, CliError> {
        let desired = Desired {
            schema: earlier.schema,
            scope: Scope::everything(),
            ..Desired::default()
        };
        let read = self.read_options(conn).await?;
        let it = compare_desired(conn, desired, &CompareOptions { read }).await?;
        Ok(it.ops.iter().map(|op| one_line(&op.to_string())).collect())
    }
}
