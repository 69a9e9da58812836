//! The arguments of `db`.

use clap::{Args, Subcommand};

/// `db`.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Create the database if it is not there
    #[command(after_help = "Example:\n  limbeck db init --url postgresql://localhost/app")]
    Init,
    /// Create all that the models declare, in order, and stamp the heads
    #[command(after_help = "Example:\n  limbeck db create --target models.json")]
    Create,
    /// Drop all that the models declare, and Limbeck's own tables
    #[command(after_help = "Example:\n  limbeck db drop --yes-i-know --target models.json")]
    Drop(Destruction),
    /// Drop the database
    #[command(
        after_help = "Examples:\n  limbeck db destroy --yes-i-know\n  limbeck db destroy --yes-i-know --force"
    )]
    Destroy(Destroy),
}

/// `db drop`.
#[derive(Debug, Args)]
pub(crate) struct Destruction {
    /// Say that the data may go
    #[arg(long)]
    pub yes_i_know: bool,
}

/// `db destroy`.
#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// Say that the data may go
    #[arg(long)]
    pub yes_i_know: bool,
    /// End the connections of others first
    #[arg(long)]
    pub force: bool,
}
