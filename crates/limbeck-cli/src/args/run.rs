//! The arguments of `upgrade` and `downgrade`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::{Together, read_lock_timeout, read_lock_wait};

/// `upgrade`.
#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// A revision, part of its id, head, heads, +N, or BRANCH@head; FROM:TO with --sql
    #[arg(
        id = "to",
        value_name = "TARGET",
        default_value = "heads",
        allow_negative_numbers = true
    )]
    pub target: String,
    /// Print the SQL as a script instead of running it
    #[arg(long)]
    pub sql: bool,
    /// Print the revisions that would be run, with their statements and hazards counted, and run nothing
    #[arg(short = 'n', long, conflicts_with = "sql")]
    pub dry_run: bool,
    /// How to run them
    #[command(flatten)]
    pub how: How,
}

/// `downgrade`.
#[derive(Debug, Args)]
pub(crate) struct Downgrade {
    /// A revision, part of its id, base, -N, or BRANCH@base; FROM:TO with --sql
    #[arg(
        id = "to",
        value_name = "TARGET",
        default_value = "-1",
        allow_negative_numbers = true
    )]
    pub target: String,
    /// Print the SQL as a script instead of running it; needs FROM:TO
    #[arg(long)]
    pub sql: bool,
    /// Print the revisions that would be undone, with their statements and hazards counted, and run nothing
    #[arg(short = 'n', long, conflicts_with = "sql")]
    pub dry_run: bool,
    /// How to run them
    #[command(flatten)]
    pub how: How,
}

/// How revisions are run.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// Run revisions that state hazards, where the config file asks for this
    #[arg(long)]
    pub accept_hazards: bool,
    /// What is committed together: each segment, each revision, or the whole run [default: transaction of the config
    /// file, then segment]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub transaction: Option<Together>,
    /// How long a statement waits for a lock, as 500ms, 5s or 1min; 0 for the server's setting [default: lock_timeout of
    /// the config file, then 5s]
    #[arg(long, value_name = "TIME", value_parser = read_lock_timeout)]
    pub lock_timeout: Option<Duration>,
    /// How long to wait for another run to end, as 30s or 5min; 0 not to wait [default: lock_wait of the config file, then
    /// as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = read_lock_wait)]
    pub lock_wait: Option<Duration>,
    /// What became of the statement outside a transaction during which an earlier run was broken off, where the run asks
    #[arg(long, value_enum, value_name = "ANSWER", conflicts_with_all = ["sql", "dry_run"])]
    pub resume: Option<Answer>,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    /// It was done: go on after it
    Done,
    /// It was not done, or may be repeated: run it
    Again,
    /// Leave it out: go on after it
    Skip,
}

impl From<Answer> for limbeck_runner::Answer {
    fn from(it: Answer) -> Self {
        match it {
            Answer::Done => Self::Done,
            Answer::Again => Self::Again,
            Answer::Skip => Self::Skip,
        }
    }
}
