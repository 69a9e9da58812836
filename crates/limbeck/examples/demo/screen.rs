//! What the walk shows: sentences, command lines, and what they print, shortened where it is long.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;

/// How many lines of one stream are shown: the first revision of an application detects more than a person reads.
const MOST_LINES: usize = 20;

/// Sentences by themselves.
pub(crate) fn say(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// A sentence before a command.
pub(crate) fn comment(text: &str) -> Result<()> {
    say(&format!("\n# {}", text.replace('\n', "\n# ")))
}

/// A command line, as it would be typed.
pub(crate) fn echo(line: &str) -> Result<()> {
    say(&format!("$ {line}"))
}

/// Says what went wrong.
pub(crate) fn say_error(text: &str) {
    // Where nobody can read it there is nobody to tell.
    let _ = writeln!(io::stderr(), "\n{text}");
}

/// The first lines of a file, through the first one that is `last`.
pub(crate) fn head(path: &Path, last: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let n_lines = 1 + text.lines().take_while(|it| *it != last).count();
    echo(&format!("head -n {n_lines} {}", path.display()))?;
    text.lines().take(n_lines).try_for_each(say)
}

/// The lines of a file with a text in them.
pub(crate) fn grep(text: &str, path: &Path) -> Result<()> {
    echo(&format!("grep {text} {}", path.display()))?;
    let all = fs::read_to_string(path)?;
    all.lines().filter(|it| it.contains(text)).try_for_each(say)
}

/// A whole file.
pub(crate) fn cat(path: &Path) -> Result<()> {
    echo(&format!("cat {}", path.display()))?;
    say(fs::read_to_string(path)?.trim_end())
}

/// Edited items of Rust source, with `+` before each line that is new.
pub(crate) fn edit(before: &str, after: &str) -> Result<()> {
    let known: BTreeSet<&str> = before.lines().map(|it| it.trim_end_matches(',')).collect();
    let is_known = |line: &str| known.contains(line.trim_end_matches(','));
    let (_, items) = after
        .split_once("\n// The edit.\n\n")
        .ok_or("the edited models have no mark before them")?;
    for (n, item) in items.trim_end().split("\n\n").enumerate() {
        if n > 0 {
            say("")?;
        }
        let is_new = item
            .lines()
            .any(|it| it.starts_with("pub ") && !is_known(it));
        for line in item.lines() {
            let sign = if is_new || !is_known(line) { '+' } else { ' ' };
            say(&format!("{sign} {line}"))?;
        }
    }
    Ok(())
}

/// The two streams of one command, of which only the first lines are shown.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Lines that were left out since the last one that was shown.
    hidden: AtomicUsize,
}

impl Streams {
    /// One of them.
    pub(crate) fn stream(&self) -> Stream<'_> {
        Stream {
            both: self,
            line: Vec::new(),
            n_lines: 0,
        }
    }

    /// Says how much was left out.
    pub(crate) fn note_hidden(&self) -> io::Result<()> {
        match self.hidden.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            n => writeln!(io::stdout(), "… and {n} lines more"),
        }
    }
}

/// One stream of a command.
#[derive(Debug)]
pub(crate) struct Stream<'s> {
    both: &'s Streams,
    line: Vec<u8>,
    n_lines: usize,
}

impl Write for Stream<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for byte in text {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.n_lines += 1;
                if self.n_lines <= MOST_LINES {
                    self.both.note_hidden()?;
                    io::stdout().write_all(&self.line)?;
                } else {
                    self.both.hidden.fetch_add(1, Ordering::Relaxed);
                }
                self.line.clear();
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
