//! The command line: commands, options and their help.

mod database;
mod history;
mod import;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::{Together, read_lock_timeout, read_lock_wait};

pub(crate) use database::{Db, Destroy};
pub(crate) use history::{Current, Heads, History, HistoryFormat, Rebase, Remove, Show, Squash};
pub(crate) use import::{Import, ImportAlembic};

/// Compares declared models with a live PostgreSQL database and writes, runs and keeps track of revisions.
#[derive(Debug, Parser)]
#[command(
    name = "limbeck",
    version,
    about = "PostgreSQL schema migrations from declared models",
    long_about = "Compares declared models with a live PostgreSQL database, writes the difference as a revision file \
                  (upgrade and downgrade, in order, annotated for review), runs revisions and keeps track of them.",
    after_help = "Examples:\n  limbeck init\n  limbeck revision --autogenerate -m \"add email\" --target models.json\n  \
                  limbeck upgrade\n  limbeck check --target models.json\n\nExit status: 0 agree or done, 1 differences \
                  found, 2 trouble."
)]
pub(crate) struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command, before or after it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The config file [default: limbeck.toml, if it is there]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database: a connection string as psql takes it (postgresql://user@host/name, or host=… dbname=…), @FILE that holds
    /// one, or - for standard input [default: $DATABASE_URL, then url of the config file, then PGHOST, PGDATABASE, PGSERVICE]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// A folder of revisions; repeatable [default: revisions of the config file, then ./revisions]
    #[arg(long, global = true, value_name = "DIR")]
    pub revisions: Vec<PathBuf>,
    /// The models: a .json or .sql file, a folder of .sql files, postgresql://…, revisions:[TARGET], or cmd:PROGRAM ARGS
    /// that prints JSON metadata [default: target of the config file]
    #[arg(long, global = true, value_name = "SOURCE")]
    pub target: Option<String>,
    /// A value for the variable ${NAME} of revisions and models, and for a cmd: source, which finds it in its environment as
    /// LIMBECK_X_NAME; repeatable [default: LIMBECK_X_NAME, then [variables] of the config file]
    #[arg(short = 'x', global = true, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub values: Vec<(String, String)>,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Fail where a source holds objects that Limbeck does not manage, instead of naming them
    #[arg(long, global = true)]
    pub strict: bool,
    /// Run the SQL of sources, revisions and proofs in scratch databases with all the rights of the database's role, because
    /// all of it is your own
    #[arg(long, global = true, env = "LIMBECK_TRUSTED", value_parser = clap::builder::FalseyValueParser::new())]
    pub trusted: bool,
    /// Whether to colour the output
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to colour the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a config file and a folder for revisions
    #[command(
        after_help = "Examples:\n  limbeck init\n  limbeck init services/accounts\n  limbeck init --template modules"
    )]
    Init(Init),
    /// List the templates of `init`
    #[command(
        alias = "list_templates",
        after_help = "Example:\n  limbeck list-templates"
    )]
    ListTemplates,
    /// Create the revision folders that are missing
    #[command(after_help = "Examples:\n  limbeck mkdir\n  limbeck mkdir accounts")]
    Mkdir(Mkdir),
    /// Write a new revision file, empty or with what the models ask for
    #[command(
        after_help = "Examples:\n  limbeck revision -m \"move names\"\n  limbeck revision --autogenerate -m \"add email\" \
                            --target models.json\n  limbeck revision --branch accounts \"add email\""
    )]
    Revision(Revision),
    /// Allow the config file to name programs and servers, until it is edited
    #[command(
        after_help = "Examples:\n  limbeck allow\n  limbeck allow services/accounts/limbeck.toml\n  limbeck allow --list\n  \
                      limbeck allow --revoke\n\nA config file can name a program that prints the models (cmd:), post-write \
                      hooks and a server for scratch databases, or send environment variables to a server. None of that \
                      happens until this user allowed the file. On a terminal it is asked about. LIMBECK_ALLOW=1 in the \
                      environment, for CI, allows any file."
    )]
    Allow(Allow),
    /// Say what differs between the models and the database; exit status 1 if anything does
    #[command(
        after_help = "Examples:\n  limbeck check --target models.json\n  limbeck check --json | jq '.[].summary'"
    )]
    Check,
    /// Print the SQL that would bring the database to the models
    #[command(
        after_help = "Examples:\n  limbeck diff --target models.json\n  limbeck diff --reverse > undo.sql\n  limbeck diff \
                            old.sql new.sql\n  limbeck diff revisions: postgresql://h/production"
    )]
    Diff(Diff),
    /// Run revisions up to a target
    #[command(
        after_help = "Examples:\n  limbeck upgrade\n  limbeck upgrade --dry-run\n  limbeck upgrade +1\n  limbeck upgrade 9e31\n  limbeck upgrade --sql \
                            f0e7:head > upgrade.sql"
    )]
    Upgrade(Upgrade),
    /// Undo revisions down to a target
    #[command(
        after_help = "Examples:\n  limbeck downgrade\n  limbeck downgrade -2\n  limbeck downgrade base\n  limbeck downgrade \
                            --sql 9e31:f0e7 > downgrade.sql"
    )]
    Downgrade(Downgrade),
    /// Say at which revisions the database is
    #[command(
        after_help = "Examples:\n  limbeck current\n  limbeck current -v\n  limbeck current --check-heads"
    )]
    Current(Current),
    /// List the revisions that nothing follows
    #[command(
        after_help = "Examples:\n  limbeck heads\n  limbeck heads --resolve-dependencies\n  limbeck heads --single"
    )]
    Heads(Heads),
    /// List revisions, newest first
    #[command(
        visible_alias = "log",
        after_help = "Examples:\n  limbeck history\n  limbeck history -i -v\n  limbeck history -r f0e7:head\n  limbeck history \
                      -r -3:current\n  limbeck history --graph\n  limbeck history --format dot | dot -Tsvg > history.svg"
    )]
    History(History),
    /// List the revisions that several others follow
    #[command(after_help = "Example:\n  limbeck branches")]
    Branches,
    /// Print what is known of revisions
    #[command(after_help = "Examples:\n  limbeck show 9e31\n  limbeck show current")]
    Show(Show),
    /// Write a revision that brings branches together
    #[command(
        after_help = "Examples:\n  limbeck merge\n  limbeck merge 9e31 ab12 -m \"merge accounts\""
    )]
    Merge(Merge),
    /// Say at which revisions the database is, without running anything; refused, with exit status 1, where it is not
    #[command(
        after_help = "Examples:\n  limbeck stamp head\n  limbeck stamp 9e31 --purge\n  limbeck stamp 9e31 --unchecked"
    )]
    Stamp(Stamp),
    /// Find the revision whose objects the database has, or the nearest; exit status 1 if none has them
    #[command(after_help = "Example:\n  limbeck locate")]
    Locate,
    /// Open the files of revisions in $EDITOR
    #[command(after_help = "Example:\n  limbeck edit head")]
    Edit(Edit),
    /// Try revisions in a scratch database with rows: each up, down and up again; exit status 2 if one does not hold
    #[command(
        after_help = "Examples:\n  limbeck verify\n  limbeck verify head\n  limbeck verify 9e31:f0e7\n  limbeck verify --json \
                            | jq '.revisions[] | select(.outcome != \"held\")'"
    )]
    Verify(Verify),
    /// List the database's objects, or write the database as SQL, as JSON metadata or as Rust models
    #[command(
        after_help = "Examples:\n  limbeck inspect\n  limbeck inspect --json > objects.json\n  limbeck inspect --format sql \
                            -o schema.sql\n  limbeck inspect --format json -o models.json\n  limbeck inspect --format rust -o \
                            src/models.rs\n\nViews, functions and whatever else is not managed is named on standard error and \
                            not written; --strict makes it an error. A fact that the format cannot say is named, too, and the \
                            exit status is 2 then."
    )]
    Inspect(Inspect),
    /// Create the version table if it is not there
    #[command(
        alias = "ensure_version",
        after_help = "Example:\n  limbeck ensure-version"
    )]
    EnsureVersion(EnsureVersion),
    /// After a merge in version control: move revisions that are not applied onto the other head
    #[command(
        after_help = "Examples:\n  limbeck rebase\n  limbeck rebase 9e31\n  limbeck rebase 9e31 --onto ab12"
    )]
    Rebase(Rebase),
    /// Delete a revision that is not applied, and have what follows it follow its parent
    #[command(after_help = "Example:\n  limbeck remove 9e31")]
    Remove(Remove),
    /// Put one revision into the place of several that follow each other, proven to do the same
    #[command(
        after_help = "Examples:\n  limbeck squash 9e31:f0e7\n  limbeck squash :f0e7 -m \"all of 1.0\"\n  limbeck squash 9e31: \
                      --dry-run\n\nThe new revision keeps the id of the last one, so that databases which are there or past it \
                      have it. Those in the middle of the range have to be brought there first."
    )]
    Squash(Squash),
    /// Take over revisions that another tool wrote
    #[command(
        after_help = "Example:\n  limbeck import alembic migrations/versions --sql upgrade.sql --sql downgrade.sql"
    )]
    Import {
        /// Whose.
        #[command(subcommand)]
        command: Import,
    },
    /// Create or drop the database, or all that the models declare
    #[command(
        after_help = "Examples:\n  limbeck db init\n  limbeck db create\n  limbeck db drop --yes-i-know\n  limbeck db \
                      destroy --yes-i-know"
    )]
    Db {
        /// What to do.
        #[command(subcommand)]
        command: Db,
    },
}

/// `inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// What to write the database as [default: a list of its objects]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The file to write to, in place of one that is there; a device or a pipe is written into, and - is standard output
    /// [default: standard output]
    #[arg(short, long, value_name = "FILE", requires = "format")]
    pub output: Option<PathBuf>,
}

/// What a database is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A script that makes the same of an empty database
    Sql,
    /// JSON metadata
    Json,
    /// Models with #[derive(Table)]
    Rust,
}

/// `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write them
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// What to write: see `limbeck list-templates`
    #[arg(short, long, value_name = "NAME", default_value = "generic")]
    pub template: String,
}

/// `mkdir`.
#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    /// Branches with a folder of their own, or folders [default: all that are configured]
    #[arg(id = "names", value_name = "BRANCH|DIR")]
    pub folders: Vec<String>,
}

/// `allow`.
#[derive(Debug, Args)]
pub(crate) struct Allow {
    /// The config file [default: that of --config, then limbeck.toml]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// List the files that are allowed
    #[arg(long, conflicts_with_all = ["file", "revoke"])]
    pub list: bool,
    /// Allow the file no more
    #[arg(long)]
    pub revoke: bool,
}

/// `revision`.
#[derive(Debug, Args)]
pub(crate) struct Revision {
    /// What it does
    #[arg(value_name = "MESSAGE", conflicts_with = "message")]
    pub text: Option<String>,
    /// What it does
    #[arg(short, long, value_name = "MESSAGE")]
    pub message: Option<String>,
    /// Fill it with what the models ask for
    #[arg(long, conflicts_with = "empty")]
    pub autogenerate: bool,
    /// Compare the models with this source instead of the database; revisions: is the history itself
    #[arg(long, value_name = "SOURCE", requires = "autogenerate")]
    pub from: Option<String>,
    /// Do not try it up and down in a scratch database before it is written
    #[arg(long)]
    pub no_proof: bool,
    /// Leave it to be filled by hand, which is the default
    #[arg(long)]
    pub empty: bool,
    /// Its id, instead of a random one
    #[arg(long, value_name = "ID")]
    pub rev_id: Option<String>,
    /// The branch it belongs to: it follows the branch's head and goes into the branch's folder; a branch that is not
    /// there begins with it
    #[arg(short, long, value_name = "LABEL")]
    pub branch: Option<String>,
    /// The revision it follows; repeatable [default: head]
    #[arg(
        short = 'p',
        long,
        alias = "parent",
        value_name = "REV",
        allow_hyphen_values = true
    )]
    pub head: Vec<String>,
    /// Follow a revision that others follow already
    #[arg(long)]
    pub splice: bool,
    /// A label for the branch that begins with it; repeatable
    #[arg(short = 'l', long, alias = "label", value_name = "LABEL")]
    pub branch_label: Vec<String>,
    /// A revision or label that has to be applied before it; "REV if present" for one that may be missing; repeatable
    #[arg(short = 'd', long, alias = "depend", value_name = "REV")]
    pub depends_on: Vec<String>,
    /// The folder for the file, where there are several
    #[arg(long, alias = "path", value_name = "DIR")]
    pub version_path: Option<PathBuf>,
}

/// `diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// What to start from, a source as --target takes it [default: the database]
    #[arg(value_name = "FROM", requires = "goal")]
    pub from: Option<String>,
    /// What to reach, a source as --target takes it [default: the target]
    #[arg(id = "goal", value_name = "TO")]
    pub to: Option<String>,
    /// Print the way back, from the models to the database as it is
    #[arg(long)]
    pub reverse: bool,
}

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

/// `merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The revisions to bring together
    #[arg(value_name = "REV", default_value = "heads")]
    pub targets: Vec<String>,
    /// What it does
    #[arg(short, long, value_name = "MESSAGE")]
    pub message: Option<String>,
    /// Its id, instead of a random one
    #[arg(long, value_name = "ID")]
    pub rev_id: Option<String>,
    /// A label for it; repeatable
    #[arg(long, value_name = "LABEL")]
    pub branch_label: Vec<String>,
    /// Allow revisions that are no heads
    #[arg(long)]
    pub splice: bool,
}

/// `stamp`.
#[derive(Debug, Args)]
pub(crate) struct Stamp {
    /// Revisions, head, heads or base; [FROM:]TO with --sql
    #[arg(value_name = "REV", default_value = "heads")]
    pub targets: Vec<String>,
    /// Print the SQL as a script instead of running it, from the base unless a target is FROM:TO
    #[arg(long, conflicts_with_all = ["purge", "unchecked"])]
    pub sql: bool,
    /// Delete all version rows first, also those that name unknown revisions
    #[arg(long)]
    pub purge: bool,
    /// Do not compare the database with what the revisions make in a scratch database
    #[arg(long)]
    pub unchecked: bool,
}

/// `edit`.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// Revisions, heads, or current
    #[arg(id = "names", value_name = "REV", default_value = "head")]
    pub revisions: Vec<String>,
}

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A revision, or [START]:[END] with both ends, as `history -r` takes it; the others are only run [default: all]
    #[arg(value_name = "REV|RANGE", allow_hyphen_values = true)]
    pub range: Option<String>,
    /// Try all revisions, which is the default
    #[arg(long, conflicts_with = "range")]
    pub all: bool,
}

/// `ensure-version`.
#[derive(Debug, Args)]
pub(crate) struct EnsureVersion {
    /// Print the SQL instead of running it
    #[arg(long)]
    pub sql: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value))
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') =>
        {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write it as NAME=VALUE, the name of letters, digits and underscores".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn relative_targets_are_values_and_options_stand_anywhere() {
        let cli = Cli::try_parse_from([
            "limbeck",
            "downgrade",
            "-2",
            "--url",
            "postgresql://h/x",
            "-v",
        ])
        .unwrap();
        let Command::Downgrade(it) = cli.command else {
            panic!("another command")
        };
        assert_eq!(
            (
                it.target.as_str(),
                cli.global.verbose,
                cli.global.url.as_deref()
            ),
            ("-2", 1, Some("postgresql://h/x"))
        );
        let cli = Cli::try_parse_from(["limbeck", "--json", "log", "-r", "-3:current"]).unwrap();
        let Command::History(it) = cli.command else {
            panic!("another command")
        };
        assert_eq!(
            (it.rev_range.as_deref(), cli.global.json),
            (Some("-3:current"), true)
        );
        assert!(Cli::try_parse_from(["limbeck", "upgrade", "+1"]).is_ok());
    }

    /// An argument that shares its id with an option of every command would get the other one's value.
    #[test]
    fn arguments_share_no_id_with_the_options_of_every_command() {
        let cli = Cli::command();
        let global: Vec<_> = cli.get_arguments().map(|it| it.get_id().clone()).collect();
        for command in cli.get_subcommands() {
            for it in command.get_arguments() {
                assert!(
                    !global.contains(it.get_id()),
                    "{} {}",
                    command.get_name(),
                    it.get_id()
                );
            }
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        for it in Cli::command().get_subcommands() {
            let help = it
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.starts_with("Example") && help.contains(it.get_name()),
                "{}",
                it.get_name()
            );
        }
    }
}
