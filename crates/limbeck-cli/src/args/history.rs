//! The arguments of the commands that read the history, or rearrange it.

use clap::{Args, ValueEnum};

/// `current`.
#[derive(Debug, Args)]
pub(crate) struct Current {
    /// Exit status 1 unless the database is at all heads
    #[arg(long)]
    pub check_heads: bool,
}

/// `heads`.
#[derive(Debug, Args)]
pub(crate) struct Heads {
    /// Leave out heads that other revisions depend on
    #[arg(long)]
    pub resolve_dependencies: bool,
    /// Exit status 1 if there is more than one head, or more than one of a labelled branch
    #[arg(long)]
    pub single: bool,
}

/// `history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// From and to: [START]:[END]
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub rev_range: Option<String>,
    /// Mark the revisions at which the database is
    #[arg(short, long)]
    pub indicate_current: bool,
    /// Draw the branches beside the lines, as `git log --graph` does
    #[arg(long, conflicts_with = "format")]
    pub graph: bool,
    /// Print it for another program
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<HistoryFormat>,
}

/// What `history` prints for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// Graphviz's language
    Dot,
    /// A Mermaid flowchart
    Mermaid,
    /// As --json
    Json,
}

/// `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Revisions, heads, or current
    #[arg(id = "names", required = true, value_name = "REV")]
    pub revisions: Vec<String>,
}

/// `rebase`.
#[derive(Debug, Args)]
pub(crate) struct Rebase {
    /// The head of the revisions to move [default: of two heads the one that the database has not reached]
    #[arg(id = "name", value_name = "REV")]
    pub revision: Option<String>,
    /// The head to move them onto [default: the other one of the branch]
    #[arg(long, value_name = "REV")]
    pub onto: Option<String>,
    /// Do not ask the database whether they are applied
    #[arg(long)]
    pub unchecked: bool,
}

/// `remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The revision
    #[arg(id = "name", value_name = "REV")]
    pub revision: String,
    /// Do not ask the database whether it is applied
    #[arg(long)]
    pub unchecked: bool,
}

/// `squash`.
#[derive(Debug, Args)]
pub(crate) struct Squash {
    /// [START]:[END] with both ends, as `history -r` takes it
    #[arg(value_name = "RANGE", allow_hyphen_values = true)]
    pub range: String,
    /// What it does [default: a list of the revisions]
    #[arg(short, long, value_name = "MESSAGE")]
    pub message: Option<String>,
    /// Keep the SQL of the revisions, also where it could be planned anew
    #[arg(long)]
    pub keep_sql: bool,
    /// Prove it and print the new file, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}
