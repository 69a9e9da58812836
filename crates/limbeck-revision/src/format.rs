//! The revision file: a header, an upgrade section and a downgrade section, each of them SQL in segments.
//!
//! ```sql
//! -- Add email to account.
//! --
//! -- revision:      9e3145d88e64
//! -- revises:       f0e7f3b80a21
//! -- created:       2026-11-21 18:09:04 UTC
//!
//! -- upgrade
//! -- ------------------------------------------------------------------
//! ALTER TABLE account ADD COLUMN email text;
//!
//! -- downgrade
//! -- ------------------------------------------------------------------
//! ALTER TABLE account DROP COLUMN email;
//! ```
//!
//! A section runs in one transaction unless `-- segment: no transaction` and `-- segment: transaction` lines cut it into
//! segments. Such lines count at the beginning of a line and outside of quotes, parentheses and bodies only, so a
//! function's body may hold whatever it likes.

use std::ops::ControlFlow;
use std::path::Path;

use limbeck_sql::{
    Comment, SplitError, Splitter, Statement, TokenKind, is_line_end, own_lines, significant,
    split, tokens,
};
use sha2::{Digest, Sha256};

use crate::error::{RevisionError, SyntaxProblem};
use crate::header::{Header, HeaderEnd, HeaderReader};

const UPGRADE: &str = "upgrade";
const DOWNGRADE: &str = "downgrade";
const SEGMENT: &str = "segment:";
const RULE: &str = "-- ------------------------------------------------------------------";

/// A whole revision file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// What it says about itself.
    pub header: Header,
    /// What the upgrade runs; empty if it does nothing.
    pub upgrade: Vec<Segment>,
    /// What the downgrade runs; empty if it does nothing.
    pub downgrade: Vec<Segment>,
}

/// SQL that runs in one transaction, or outside of any.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Whether it runs in a transaction.
    pub mode: SegmentMode,
    /// The SQL with its comments, laid out as in the file, without blank lines at its ends.
    pub text: String,
    /// The line of the file where the text begins, counted from 1; 1 for a segment that was not read from a file.
    pub line: usize,
}

/// Whether a segment's statements run in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentMode {
    /// All of them in one transaction.
    Transaction,
    /// One by one, outside of any, as `CREATE INDEX CONCURRENTLY` and its like need it.
    NoTransaction,
}

impl SegmentMode {
    /// As the file says it: `transaction` or `no transaction`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::NoTransaction => "no transaction",
        }
    }
}

/// Equality of what runs: where a segment stands in its file does not count.
impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            mode,
            text,
            line: _,
        } = self;
        *mode == other.mode && *text == other.text
    }
}

impl Eq for Segment {}

impl Segment {
    /// A segment of this SQL; blank lines and white space at the ends of `text` are dropped.
    #[must_use]
    pub fn new(mode: SegmentMode, text: &str) -> Self {
        let (skipped, text) = trim_blank_lines(text);
        Self {
            mode,
            text: text.to_owned(),
            line: 1 + skipped,
        }
    }

    /// The statements, each with its line in the file.
    ///
    /// # Errors
    ///
    /// Those of [`split`], with lines of the file; none for a segment of a [`Revision`] that was parsed.
    pub fn statements(&self) -> Result<Vec<Statement>, SplitError> {
        let before = self.line - 1;
        let mut statements = split(&self.text).map_err(|it| SplitError {
            line: it.line + before,
            ..it
        })?;
        for it in &mut statements {
            it.line += before;
        }
        Ok(statements)
    }
}

impl Segment {
    /// The text with its last statement ended: a file may leave out the last semicolon, what is written behind it may not.
    #[must_use]
    pub fn terminated(&self) -> String {
        let text = self.text.trim_end();
        match significant(text).last() {
            // A comment may be the last line.
            Some(last) if !last.is_mark(";") => format!("{text}\n;"),
            _ => text.to_owned(),
        }
    }

    /// What the file says above the statements, in comments that have their line to themselves: the texts behind `--
    /// hazard `.
    pub fn hazards(&self) -> Vec<&str> {
        own_lines(&self.text)
            .iter()
            .filter_map(|it| hazard(it.text))
            .collect()
    }
}

/// The hazard that a comment states, such as `rewrites-table: …`; none if it states none.
#[must_use]
pub fn hazard(comment: &str) -> Option<&str> {
    comment.trim_end().strip_prefix("-- hazard ")
}

impl Revision {
    /// A revision with a header only, to be filled by its author.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self {
            header,
            upgrade: Vec::new(),
            downgrade: Vec::new(),
        }
    }

    /// The revision as it is read from a file that was written of it: its header has no hidden characters.
    pub(crate) fn as_written(&self) -> Self {
        Self {
            header: self.header.as_written(),
            ..self.clone()
        }
    }

    /// The whole file. Lines end with a line feed.
    #[must_use]
    pub fn render(&self) -> String {
        let Self {
            header,
            upgrade,
            downgrade,
        } = self;
        let mut out = header.render();
        render_section(&mut out, UPGRADE, upgrade);
        render_section(&mut out, DOWNGRADE, downgrade);
        out
    }

    /// Reads a whole file; `path` is for the messages only. A byte order mark is passed over and CRLF read as a line
    /// feed, in strings too, so that one file runs the same from every checkout.
    ///
    /// # Errors
    ///
    /// [`RevisionError::NotARevision`] without a `-- revision:` line, [`RevisionError::Syntax`] for whatever else is
    /// wrong in the header, the sections or the SQL, each with the line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RevisionError> {
        let text = text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .replace("\r\n", "\n");
        let at = |(line, problem)| RevisionError::Syntax {
            path: path.to_owned(),
            line,
            problem,
        };
        let (header, body) = read_header(&text).map_err(at)?;
        let Some(header) = header else {
            return Err(RevisionError::NotARevision {
                path: path.to_owned(),
            });
        };
        let (upgrade, downgrade) = read_sections(&text, body.map_err(at)?).map_err(at)?;
        Ok(Self {
            header,
            upgrade,
            downgrade,
        })
    }

    /// SHA-256 of what the sections run, in hexadecimal: the header does not count, nor do white space at the ends of
    /// lines, blank lines at the ends of segments, and the way lines end.
    #[must_use]
    pub fn checksum(&self) -> String {
        let Self {
            header: _,
            upgrade,
            downgrade,
        } = self;
        let mut hash = Sha256::new();
        for (name, segments) in [(UPGRADE, upgrade), (DOWNGRADE, downgrade)] {
            hash.update(Comment::new(name).to_string());
            for Segment {
                mode,
                text,
                line: _,
            } in segments
            {
                hash.update(marker(*mode));
                for line in trim_blank_lines(text).1.lines() {
                    hash.update(line.trim_end());
                    hash.update("\n");
                }
            }
        }
        format!("{:x}", hash.finalize())
    }
}

/// The line before a segment of that mode.
fn marker(mode: SegmentMode) -> String {
    Comment::new(&format!("{SEGMENT} {}", mode.as_str())).to_string()
}

fn placeholder(section: &str) -> String {
    let text = format!("Write the SQL of the {section} here.");
    Comment::new(&text).to_string().trim_end().to_owned()
}

fn render_section(out: &mut String, name: &str, segments: &[Segment]) {
    out.push_str(&format!("\n{}{RULE}\n", Comment::new(name)));
    match segments {
        [] => out.push_str(&format!("{}\n", placeholder(name))),
        [
            Segment {
                mode: SegmentMode::Transaction,
                text,
                line: _,
            },
        ] => push_text(out, text),
        _ => {
            for (
                n,
                Segment {
                    mode,
                    text,
                    line: _,
                },
            ) in segments.iter().enumerate()
            {
                let gap = if n == 0 { "" } else { "\n" };
                out.push_str(&format!("{gap}{}", marker(*mode)));
                push_text(out, text);
            }
        }
    }
}

fn push_text(out: &mut String, text: &str) {
    let text = trim_blank_lines(text).1;
    if !text.is_empty() {
        out.push_str(text);
        out.push('\n');
    }
}

/// The text without blank lines before it and white space behind it, and how many lines went from its beginning.
fn trim_blank_lines(text: &str) -> (usize, &str) {
    let text = text.trim_end();
    let begin = text.len() - text.trim_start().len();
    let begin = text[..begin].rfind('\n').map_or(0, |it| it + 1);
    let skipped = text[..begin].matches('\n').count();
    (skipped, &text[begin..])
}

type Fault = (usize, SyntaxProblem);
/// Where the sections begin: byte and line of the marker that ended the header.
type BodyStart = (usize, usize);

/// The header and the beginning of the sections, which is judged only once the file is known to be a revision.
fn read_header(text: &str) -> Result<(Option<Header>, Result<BodyStart, Fault>), Fault> {
    let mut reader = HeaderReader::default();
    let mut start = 0;
    let mut body = Err((
        text.lines().count().max(1),
        SyntaxProblem::NoSection { section: UPGRADE },
    ));
    for (n, line) in text.split('\n').enumerate() {
        match reader.take(n + 1, line) {
            ControlFlow::Continue(()) => start += line.len() + 1,
            ControlFlow::Break(HeaderEnd::Section) => {
                body = Ok((start, n + 1));
                break;
            }
            ControlFlow::Break(HeaderEnd::Sql) => {
                body = Err((n + 1, SyntaxProblem::SqlBeforeUpgrade));
                break;
            }
        }
    }
    Ok((reader.finish()?, body))
}

/// A line of the body that is no SQL.
enum Marker<'a> {
    Section(&'static str),
    Segment(&'a str),
}

fn read_marker(comment: &str) -> Option<Marker<'_>> {
    let text = comment.trim_start_matches("--").trim();
    match text {
        UPGRADE => Some(Marker::Section(UPGRADE)),
        DOWNGRADE => Some(Marker::Section(DOWNGRADE)),
        _ => text
            .strip_prefix(SEGMENT)
            .map(|it| Marker::Segment(it.trim())),
    }
}

/// The two sections under construction.
#[derive(Default)]
struct Sections {
    upgrade: Option<Vec<Segment>>,
    downgrade: Option<Vec<Segment>>,
    /// Whether a segment marker opened the text that comes next, and what it said.
    mode: Option<SegmentMode>,
}

impl Sections {
    fn open(&mut self, section: &'static str) -> Result<(), SyntaxProblem> {
        match (section, &self.upgrade, &self.downgrade) {
            (UPGRADE, None, _) => self.upgrade = Some(Vec::new()),
            (DOWNGRADE, Some(_), None) => self.downgrade = Some(Vec::new()),
            (DOWNGRADE, None, _) => return Err(SyntaxProblem::NoSection { section: UPGRADE }),
            _ => return Err(SyntaxProblem::SectionTwice { section }),
        }
        self.mode = None;
        Ok(())
    }

    /// Adds the text that ends here, which begins at line `line`.
    fn close_segment(&mut self, text: &str, line: usize) -> Result<(), Fault> {
        let (name, section) = match (&mut self.upgrade, &mut self.downgrade) {
            (_, Some(section)) => (DOWNGRADE, section),
            (Some(section), None) => (UPGRADE, section),
            (None, None) => return Ok(()),
        };
        let mut segment = Segment::new(self.mode.unwrap_or(SegmentMode::Transaction), text);
        segment.line += line - 1;
        let nothing = segment.text.is_empty() || segment.text == placeholder(name);
        if !nothing || self.mode.is_some() {
            segment
                .statements()
                .map_err(|it| (it.line, it.problem.into()))?;
            section.push(segment);
        }
        Ok(())
    }
}

fn read_sections(
    text: &str,
    (start, first_line): BodyStart,
) -> Result<(Vec<Segment>, Vec<Segment>), Fault> {
    let body = &text[start..];
    let mut sections = Sections::default();
    let (mut begin, mut begin_line) = (0, first_line);
    let mut splitter = Splitter::new(body);
    for token in tokens(body) {
        let is_marker = token.kind == TokenKind::LineComment
            && !splitter.is_nested()
            && (token.start == 0 || body[..token.start].ends_with(is_line_end));
        splitter
            .take(token)
            .map_err(|it| (first_line + it.line - 1, it.problem.into()))?;
        let Some(marker) = is_marker.then(|| read_marker(token.text)).flatten() else {
            continue;
        };
        splitter.end_statement();
        sections.close_segment(&body[begin..token.start], begin_line)?;
        let line = first_line + token.line - 1;
        begin = (token.end() + 1).min(body.len());
        begin_line = line + 1;
        match marker {
            Marker::Section(section) => {
                sections.open(section).map_err(|it| (line, it))?;
                if let Some(rule) = body[begin..]
                    .split_inclusive('\n')
                    .next()
                    .filter(|it| is_rule(it))
                {
                    begin += rule.len();
                    begin_line += 1;
                }
            }
            Marker::Segment(mode) => {
                sections.mode = Some(read_mode(mode).map_err(|it| (line, it))?)
            }
        }
    }
    splitter
        .finish()
        .map_err(|it| (first_line + it.line - 1, it.problem.into()))?;
    sections.close_segment(&body[begin..], begin_line)?;
    match (sections.upgrade, sections.downgrade) {
        (Some(upgrade), Some(downgrade)) => Ok((upgrade, downgrade)),
        (None, _) => Err((first_line, SyntaxProblem::NoSection { section: UPGRADE })),
        (_, None) => Err((
            text.lines().count(),
            SyntaxProblem::NoSection { section: DOWNGRADE },
        )),
    }
}

fn is_rule(line: &str) -> bool {
    line.trim_end()
        .strip_prefix("--")
        .is_some_and(|it| it.contains("---") && it.trim().bytes().all(|it| it == b'-'))
}

fn read_mode(text: &str) -> Result<SegmentMode, SyntaxProblem> {
    [SegmentMode::Transaction, SegmentMode::NoTransaction]
        .into_iter()
        .find(|it| it.as_str() == text)
        .ok_or_else(|| SyntaxProblem::UnknownSegment {
            mode: text.to_owned(),
        })
}

#[cfg(test)]
mod tests;
