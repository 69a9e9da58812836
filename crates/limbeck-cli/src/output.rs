//! Where results and talk go: results to standard output, talk to standard error.
//!
//! All that a command prints leaves through [`Output`], which shows no control character of anybody else's: in lines they
//! are escapes ([`limbeck_sql::one_line`]), in JSON they are JSON's, in SQL they are PostgreSQL's.

use std::io::{self, IsTerminal, Write};

use limbeck_connect::redact;
use limbeck_runner::Event;
use limbeck_sql::{for_psql, one_line, printable, visible_json, visible_lines};
use serde::Serialize;

use crate::args::{Color, Global};
use crate::error::CliError;
use crate::live::{Live, Terminal};

/// The two streams, and how they are written to.
pub(crate) struct Output<'o> {
    out: &'o mut (dyn Write + Send),
    err: &'o mut (dyn Write + Send),
    /// Whether results are JSON.
    pub json: bool,
    /// Whether more is said.
    pub verbose: bool,
    /// Whether only results and errors are said.
    pub quiet: bool,
    color: bool,
    /// The line that says what runs.
    pub live: Live,
    /// The first failure to write; a closed pipe is none.
    failed: Option<io::Error>,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Something new.
    Create,
    /// Something that goes.
    Drop,
    /// Something that changes.
    Alter,
    /// A remark.
    Remark,
    /// An error.
    Error,
}

impl Tone {
    /// The ANSI code that begins it.
    fn code(self) -> &'static str {
        match self {
            Self::Create => "\u{1b}[32m",
            Self::Drop | Self::Error => "\u{1b}[31m",
            Self::Alter => "\u{1b}[33m",
            Self::Remark => "\u{1b}[2m",
        }
    }
}

impl<'o> Output<'o> {
    /// Streams with the options of the command line.
    pub(crate) fn new(
        out: &'o mut (dyn Write + Send),
        err: &'o mut (dyn Write + Send),
        global: &Global,
        terminal: Terminal,
    ) -> Self {
        let talks = !global.quiet && !global.json;
        let terminal = if talks { terminal } else { Terminal::No };
        Self {
            out,
            err,
            json: global.json,
            verbose: global.verbose > 0,
            quiet: global.quiet,
            color: colored(global.color),
            live: Live::new(terminal),
            failed: None,
        }
    }

    /// A line of the result.
    pub(crate) fn line(&mut self, text: &str) {
        self.put(&format!("{}\n", one_line(text)));
    }

    /// Several lines of the result, the last one without its end.
    pub(crate) fn block(&mut self, text: &str) {
        self.put(&format!("{}\n", visible_lines(text)));
    }

    /// A line of the result in colour.
    pub(crate) fn toned(&mut self, tone: Tone, text: &str) {
        if self.color {
            self.put(&format!("{}{}\u{1b}[0m\n", tone.code(), one_line(text)));
        } else {
            self.line(text);
        }
    }

    /// A result of several lines, its last line ended.
    pub(crate) fn text(&mut self, text: &str) {
        self.put(&visible_lines(text));
    }

    /// The text of a revision file.
    pub(crate) fn file(&mut self, text: &str) {
        self.put(&printable(text));
    }

    /// A script for psql, its last line ended.
    pub(crate) fn sql(&mut self, sql: &str) {
        let sql = printable(sql);
        let sql = for_psql(&sql);
        if !self.color {
            return self.put(&sql);
        }
        for line in sql.lines() {
            if line.starts_with("--") {
                self.toned(Tone::Remark, line);
            } else {
                self.put(&format!("{line}\n"));
            }
        }
    }

    /// A result that is JSON already, its last line ended.
    pub(crate) fn json_text(&mut self, json: &str) {
        self.put(&visible_json(json));
    }

    fn put(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()) {
            self.note(error);
        }
    }

    /// A result as JSON.
    ///
    /// # Errors
    /// If the value cannot be JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).map_err(CliError::Json)?;
        self.put(&format!("{}\n", visible_json(&text)));
        Ok(())
    }

    /// A line of talk, left out by `--quiet`.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.live.clear();
            let _ = writeln!(self.err, "{}", one_line(&redact(text)));
        }
    }

    /// A line of talk that only `--verbose` asks for.
    pub(crate) fn explain(&mut self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// What happens in a run that serves another purpose, as talk that only `--verbose` asks for.
    pub(crate) fn explain_event(&mut self, event: &Event<'_>) {
        if !matches!(event, Event::Statement { .. }) {
            self.explain(&event.line());
        }
    }

    /// A warning, left out by `--quiet`.
    pub(crate) fn warn(&mut self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// An error's further lines.
    pub(crate) fn error_lines(&mut self, text: &str) {
        let _ = writeln!(self.err, "{}", visible_lines(text));
    }

    /// An error.
    pub(crate) fn error(&mut self, text: &str) {
        self.live.clear();
        let (on, off) = if self.color {
            (Tone::Error.code(), "\u{1b}[0m")
        } else {
            ("", "")
        };
        let _ = writeln!(self.err, "{on}error:{off} {}", one_line(text));
    }

    /// Ends the output.
    ///
    /// # Errors
    /// If the result could not be written.
    pub(crate) fn finish(&mut self) -> Result<(), CliError> {
        if let Err(error) = self.out.flush() {
            self.note(error);
        }
        self.failed
            .take()
            .map_or(Ok(()), |error| Err(CliError::Output(error)))
    }

    fn note(&mut self, error: io::Error) {
        // Whoever closed the pipe, `head` for one, has read enough.
        if error.kind() != io::ErrorKind::BrokenPipe && self.failed.is_none() {
            self.failed = Some(error);
        }
    }
}

fn colored(when: Color) -> bool {
    match when {
        Color::Always => true,
        Color::Never => false,
        // A variable that is set to nothing does not count (no-color.org).
        Color::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
                && io::stdout().is_terminal()
                && io::stderr().is_terminal()
        }
    }
}
