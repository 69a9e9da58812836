//! The `limbeck` command line, also as a library, so that a program can bring its models along:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use limbeck_metadata::{Column, MetaData, Table};
//!
//! fn main() -> ExitCode {
//!     let account = Table::new("account").column(Column::new("id", "bigint").identity()).primary_key(["id"]);
//!     limbeck_cli::run(MetaData::new().table(account))
//! }
//! ```
//!
//! Exit status as in diff(1): 0 agree or done, 1 differences found, 2 trouble; 130 for a run that was cancelled.

mod alembic;
mod allow;
mod args;
mod beside;
mod commands;
mod config;
mod context;
mod error;
mod folders;
mod ignore;
mod live;
mod output;
mod read_back;
mod signals;
mod source;
mod variables;

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser;
use limbeck_metadata::MetaData;

use crate::args::{Cli, Color, Command};
use crate::commands::Outcome;
use crate::config::Config;
use crate::context::Context;
use crate::error::CliError;
use crate::live::Terminal;
use crate::output::Output;
use crate::variables::variables;

/// The exit status for trouble.
const TROUBLE: u8 = 2;

/// Runs the command line of this process; `metadata` are the models where `--target` names none. The revisions of all
/// modules that the program links count too.
pub fn run(metadata: MetaData) -> ExitCode {
    start(Some(metadata))
}

/// Runs the command line of this process with the revisions and models of all modules that the program links
/// ([`limbeck_metadata::Module`]).
pub fn run_modules() -> ExitCode {
    match MetaData::modules() {
        Ok(metadata) => start(Some(metadata)),
        Err(error) => ExitCode::from(fail(&error.into())),
    }
}

/// Runs the command line of this process without models of its own: the program `limbeck`.
pub fn run_alone() -> ExitCode {
    start(None)
}

/// Runs a command line (the program's name first) on streams of the caller's; gives the exit status.
///
/// The environment variables `LIMBECK_ALLOW`, `XDG_STATE_HOME`, `HOME`, `DATABASE_URL`, `NO_COLOR`, `VISUAL` and `EDITOR`, those that the config file names and those
/// that begin with `LIMBECK_X_` are read, and relative paths are seen from the current folder.
pub async fn run_with(
    args: impl IntoIterator<Item = OsString>,
    metadata: Option<MetaData>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> u8 {
    run_on(args, metadata, out, err, Terminal::No).await
}

async fn run_on(
    args: impl IntoIterator<Item = OsString>,
    metadata: Option<MetaData>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
    terminal: Terminal,
) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let text = limbeck_connect::redact(&error.render().to_string());
            let text = limbeck_sql::visible_lines(&text);
            // Help and version are results, asked for.
            if error.use_stderr() {
                let _ = err.write_all(text.as_bytes());
                return TROUBLE;
            }
            let _ = out.write_all(text.as_bytes());
            return 0;
        }
    };
    let mut output = Output::new(out, err, &cli.global, terminal);
    let config = match Config::read(cli.global.config.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            output.error(&error.line());
            return error.status();
        }
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables = variables(&cli.global, &config, metadata.as_ref(), environment);
    let variables = match variables {
        Ok(variables) => variables,
        Err(error) => {
            output.error(&error.line());
            return error.status();
        }
    };
    let mut context = Context {
        global: cli.global,
        config,
        metadata,
        variables,
        output,
        embedded: None,
        asks: terminal == Terminal::Yes && std::io::stdin().is_terminal(),
        allowed: Cell::new(false),
        database: OnceLock::new(),
    };
    let done = run_or_interrupt(&mut context, cli.command).await;
    let done = done.and_then(|outcome| context.output.finish().map(|()| outcome));
    for it in limbeck_runner::left_behind() {
        context.output.warn(&it);
    }
    limbeck_connect::settle().await;
    match done {
        Ok(Outcome::Agree) => 0,
        Ok(Outcome::Differ) => 1,
        Err(error) => {
            let _ = context.output.finish();
            context.output.error(&error.line());
            if let Some(text) = error.excerpt() {
                context.output.error_lines(&text);
            }
            error.status()
        }
    }
}

/// Runs a command. One that is asked to end drops the scratch databases it has; those that run revisions have the
/// server end their statement instead, and `edit` leaves Ctrl-C to the editor.
async fn run_or_interrupt(
    context: &mut Context<'_>,
    command: Command,
) -> Result<Outcome, CliError> {
    if matches!(
        command,
        Command::Downgrade(_) | Command::Edit(_) | Command::Stamp(_) | Command::Upgrade(_)
    ) {
        return context.run(command).await;
    }
    tokio::select! {
        biased;
        done = context.run(command) => done,
        () = signals::interrupted() => Err(CliError::Interrupted),
    }
}

/// Runs on a thread of its own, since the caller's may belong to a runtime already, which must not be blocked.
fn start(metadata: Option<MetaData>) -> ExitCode {
    signals::is_program();
    let worker = std::thread::Builder::new()
        .name("limbeck".to_owned())
        .stack_size(16 << 20)
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => {
                    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
                    let terminal = match err.is_terminal() {
                        true => Terminal::Yes,
                        false => Terminal::No,
                    };
                    let run = run_on(std::env::args_os(), metadata, &mut out, &mut err, terminal);
                    let status = runtime.block_on(run);
                    // A look-up of a host's name that hangs must not hold up the end.
                    runtime.shutdown_background();
                    status
                }
                Err(error) => fail(&CliError::Start(error)),
            }
        });
    let status = match worker {
        // A panic has printed its message already.
        Ok(worker) => worker.join().unwrap_or(TROUBLE),
        Err(error) => fail(&CliError::Start(error)),
    };
    ExitCode::from(status)
}

fn fail(error: &CliError) -> u8 {
    let global = args::Global {
        config: None,
        url: None,
        revisions: Vec::new(),
        target: None,
        values: Vec::new(),
        verbose: 0,
        quiet: false,
        json: false,
        strict: false,
        trusted: false,
        color: Color::Auto,
    };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    Output::new(&mut out, &mut err, &global, Terminal::No).error(&error.line());
    error.status()
}
