//! What comparisons leave alone, and what hangs on objects beside what they compare.

use limbeck_catalog::{Catalog, Comparison, Ignore, attached};
use limbeck_plan::Migration;

use crate::context::{Compared, Context};
use crate::error::CliError;
use crate::ignore::rules;

impl Context<'_> {
    /// What comparisons leave alone.
    pub(crate) fn ignore(&self) -> Ignore {
        // The config file is refused where one of its rules cannot be used.
        rules(&self.config.ignore).unwrap_or_default()
    }

    /// Names options that were passed over, each once.
    pub(crate) fn explain_unknown(&mut self, catalog: &Catalog) {
        for name in &catalog.unknown_options {
            self.output.explain(&format!(
                "the option {name} is not known, so it is passed over"
            ));
        }
    }

    /// Names what the config file's `ignore` left alone, and options that were passed over.
    pub(crate) fn explain_ignored(&mut self, comparison: &Comparison) {
        self.explain_unknown(&comparison.catalog);
        if self.config.ignore.is_empty() {
            return;
        }
        let ignored = comparison.desired.scope.ignored.iter();
        let whole = ignored.filter(|it| it.part.is_none() && it.about.is_none());
        let names: Vec<String> = whole.map(ToString::to_string).collect();
        self.output.explain(&match names.as_slice() {
            [] => "ignored: nothing, no pattern of `ignore` matches".to_owned(),
            names => format!("ignored: {}", names.join(", ")),
        });
    }

    /// States in a migration what hangs on objects that go; the database is asked only if any goes.
    ///
    /// # Errors
    /// If it cannot be reached or read.
    pub(crate) async fn state_attached(
        &mut self,
        compared: &mut Compared,
        migration: &mut Migration,
    ) -> Result<(), CliError> {
        let catalog = &compared.catalog;
        let going = migration.going(&catalog.schema);
        if going.is_empty() {
            return Ok(());
        }
        let mut conn = self.connect().await?;
        compared.attached = attached(&mut conn, going, &catalog.default_schema).await?;
        migration.state_attached(&compared.attached);
        Ok(())
    }
}
