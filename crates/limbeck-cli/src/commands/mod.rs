//! The commands.

mod allow;
mod compare;
mod database;
mod edit;
mod import;
mod init;
mod inspect;
mod rearrange;
mod revision;
mod run;
mod squash;
mod standing;
mod status;
mod verify;

use crate::args::Command;
use crate::context::Context;
use crate::error::CliError;

/// How a command that did its work ended, as in diff(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both sides agree, or the work is done.
    Agree,
    /// Something differs.
    Differ,
}

impl Context<'_> {
    /// Runs a command.
    ///
    /// # Errors
    /// [`CliError`].
    pub(crate) async fn run(&mut self, command: Command) -> Result<Outcome, CliError> {
        match command {
            Command::Init(it) => self.init(&it),
            Command::ListTemplates => self.list_templates(),
            Command::Mkdir(it) => self.mkdir(&it),
            Command::Revision(it) => self.revision(&it).await,
            Command::Allow(it) => self.allow(&it),
            Command::Check => self.check().await,
            Command::Diff(it) => self.diff(&it).await,
            Command::Upgrade(it) => self.upgrade(&it).await,
            Command::Downgrade(it) => self.downgrade(&it).await,
            Command::Current(it) => self.current(&it).await,
            Command::Heads(it) => self.list_heads(&it),
            Command::History(it) => self.list_history(&it).await,
            Command::Branches => self.branches(),
            Command::Show(it) => self.show(&it).await,
            Command::Merge(it) => self.merge(&it),
            Command::Stamp(it) => self.stamp(&it).await,
            Command::Locate => self.locate().await,
            Command::Edit(it) => self.edit(&it).await,
            Command::Verify(it) => self.verify(&it).await,
            Command::Inspect(it) => self.write_or_list(&it).await,
            Command::EnsureVersion(it) => self.ensure_version(&it).await,
            Command::Rebase(it) => self.rebase(&it).await,
            Command::Remove(it) => self.remove(&it).await,
            Command::Squash(it) => self.squash(&it).await,
            Command::Import { command } => self.import(&command),
            Command::Db { command } => self.database(&command).await,
        }
    }
}
