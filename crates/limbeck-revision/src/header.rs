//! The header of a revision: who it is, what it follows, and what people should know about it.
//!
//! In the file it is a block of line comments: the message, an empty comment line, fields from `-- revision:` on.

use std::fmt::{self, Write as _};
use std::ops::ControlFlow;

use limbeck_sql::{Comment, is_hidden, one_line, one_line_keeping};
use serde::{Deserialize, Serialize};

use crate::directory::FieldChange;
use crate::error::SyntaxProblem;
use crate::ids::RevisionId;

/// Everything a revision says about itself, apart from its SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The revision's id.
    pub revision: RevisionId,
    /// What the revision does, in the author's words; may be several lines, never has blank ends.
    pub message: String,
    /// The revisions it follows: none for a base, several for a merge.
    pub revises: Vec<RevisionId>,
    /// Names of the branch that this revision begins (or carries).
    pub branch_labels: Vec<String>,
    /// Revisions that have to be applied before it without being followed by it.
    pub depends_on: Vec<Dependency>,
    /// The revisions whose work it does since a squash, oldest first; they have no files any more.
    pub replaces: Vec<RevisionId>,
    /// Since a squash: which texts of its own file stand for each other.
    pub checksum: Option<Checksums>,
    /// When it was written, as text (`2026-11-21 18:09:04 UTC`); informative only.
    pub created: Option<String>,
    /// What the writer found out about it (hazards, proof); free text of one line, kept verbatim.
    pub review: Option<String>,
}

/// A revision that has to be applied first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// A revision id or a branch label.
    pub target: String,
    /// Whether a target that is not in the history is passed over (`X if present`) rather than an error.
    pub if_present: bool,
}

/// What a squash notes of the file of the revision that kept its id, so that databases which ran the file from before
/// have what it says now, and a later edit by hand is noticed all the same.
///
/// Checksums are those of [`crate::Revision::checksum`], cut to their first digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksums {
    /// That of the file as the squash wrote it.
    pub file: String,
    /// Those of the files that stood under the id before.
    pub was: Vec<String>,
}

/// How much of a checksum a header shows: enough that no edit hits the same digits.
const CHECKSUM_DIGITS: usize = 16;

impl Checksums {
    /// The checksum of a file that comes in the place of those with the checksums `was`.
    #[must_use]
    pub fn new<'a>(file: &str, was: impl IntoIterator<Item = &'a str>) -> Self {
        let short = |it: &str| it.chars().take(CHECKSUM_DIGITS).collect::<String>();
        let mut all = Vec::new();
        for it in was.into_iter().map(short) {
            if !all.contains(&it) {
                all.push(it);
            }
        }
        Self {
            file: short(file),
            was: all,
        }
    }

    /// Whether `checksum` is that of a file from before.
    #[must_use]
    pub fn was(&self, checksum: &str) -> bool {
        self.was.iter().any(|it| checksum.starts_with(it))
    }

    fn parse(text: &str) -> Result<Self, SyntaxProblem> {
        let problem = || SyntaxProblem::Checksum {
            text: text.to_owned(),
        };
        let (file, was) = text.split_once(WAS).ok_or_else(problem)?;
        let all: Vec<&str> = was.split(',').map(str::trim).collect();
        let digits = |it: &&str| {
            it.len() == CHECKSUM_DIGITS
                && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !std::iter::once(&file).chain(&all).all(digits) {
            return Err(problem());
        }
        Ok(Self {
            file: file.to_owned(),
            was: all.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// As it is written in the file: `90ab12cd34ef5678, was 12cd34ef567890ab`.
impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, was } = self;
        write!(f, "{file}{WAS}{}", list(was))
    }
}

const REVISION: &str = "revision";
const REVISES: &str = "revises";
const BRANCH_LABELS: &str = "branch labels";
const DEPENDS_ON: &str = "depends on";
const REPLACES: &str = "replaces";
const CHECKSUM: &str = "checksum";
const CREATED: &str = "created";
const REVIEW: &str = "review";
const FIELDS: [&str; 8] = [
    REVISION,
    REVISES,
    BRANCH_LABELS,
    DEPENDS_ON,
    REPLACES,
    CHECKSUM,
    CREATED,
    REVIEW,
];

/// What `revises:` says in a revision that follows nothing.
const BASE: &str = "<base>";
const IF_PRESENT: &str = " if present";
const WAS: &str = ", was ";

impl Header {
    /// A header with an id and a message, that follows nothing.
    #[must_use]
    pub fn new(revision: RevisionId, message: impl Into<String>) -> Self {
        Self {
            revision,
            message: message.into(),
            revises: Vec::new(),
            branch_labels: Vec::new(),
            depends_on: Vec::new(),
            replaces: Vec::new(),
            checksum: None,
            created: None,
            review: None,
        }
    }

    /// Whether a database that ran a file with the checksum `applied` under this id has what the file says now, whose
    /// checksum is `now`.
    #[must_use]
    pub fn accepts(&self, applied: &str, now: &str) -> bool {
        let squashed = |it: &Checksums| now.starts_with(&it.file) && it.was(applied);
        applied == now || self.checksum.as_ref().is_some_and(squashed)
    }

    /// The header as it is read from a file that was written of it: without hidden characters.
    pub(crate) fn as_written(&self) -> Self {
        let shown = |it: &Option<String>| it.as_deref().map(|it| one_line(it).into_owned());
        Self {
            message: lines(&self.message).join("\n"),
            created: shown(&self.created),
            review: shown(&self.review),
            ..self.clone()
        }
    }

    /// The header as the comment lines it is in the file.
    pub(crate) fn render(&self) -> String {
        let Self {
            revision,
            message,
            revises,
            branch_labels,
            depends_on,
            replaces,
            checksum,
            created,
            review,
        } = self;
        let mut out = String::new();
        // PostgreSQL ends a comment at a lone carriage return too, so that ends a line here.
        for line in lines(message) {
            let escape = if needs_escape(&line) { "\\" } else { "" };
            comment(&mut out, &format!("{escape}{line}"));
        }
        if !message.trim().is_empty() {
            comment(&mut out, "");
        }
        field(&mut out, REVISION, revision.as_str());
        field(
            &mut out,
            REVISES,
            &if revises.is_empty() {
                BASE.to_owned()
            } else {
                list(revises)
            },
        );
        field(&mut out, BRANCH_LABELS, &list(branch_labels));
        field(&mut out, DEPENDS_ON, &list(depends_on));
        field(&mut out, REPLACES, &list(replaces));
        let checksum = checksum.as_ref().map(ToString::to_string);
        field(&mut out, CHECKSUM, &checksum.unwrap_or_default());
        field(&mut out, CREATED, created.as_deref().unwrap_or_default());
        if let Some(review) = review.as_deref().filter(|it| !it.trim().is_empty()) {
            comment(&mut out, "");
            comment(&mut out, &format!("{REVIEW}: {}", one_line(review.trim())));
        }
        // A header without a message would begin with an empty comment line.
        out.trim_start_matches("--\n").to_owned()
    }
}

/// The text of a revision's file with the one field as `header` has it; every other byte stays. A field that is not
/// there yet comes below those that stand before it in a new file.
pub(crate) fn replace_field(text: &str, header: &Header, change: FieldChange<'_>) -> String {
    let (name, value) = match change {
        FieldChange::Revises(_) if header.revises.is_empty() => (REVISES, BASE.to_owned()),
        FieldChange::Revises(_) => (REVISES, list(&header.revises)),
        FieldChange::BranchLabels(_) => (BRANCH_LABELS, list(&header.branch_labels)),
    };
    let mut new_line = String::new();
    field(&mut new_line, name, &value);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let comments = lines.iter().take_while(|it| {
        let comment = it.trim_end().strip_prefix("--");
        comment.map_or(it.trim().is_empty(), |it| !is_section(it.trim_start()))
    });
    let fields: Vec<Option<&str>> = comments
        .map(|it| {
            let line = it.trim_end().strip_prefix("--")?;
            Some(split_field(line.strip_prefix(' ').unwrap_or(line))?.0)
        })
        .collect();
    let at = |name: &str| fields.iter().position(|it| *it == Some(name));
    let line_end = lines
        .first()
        .map_or("\n", |it| if it.ends_with("\r\n") { "\r\n" } else { "\n" });
    let new_line = new_line.replace('\n', line_end);
    match at(name) {
        Some(place) => lines[place] = &new_line,
        None => {
            let before = [REVISES, REVISION].into_iter().find_map(at);
            lines.insert(before.map_or(0, |it| it + 1), &new_line);
        }
    }
    lines.concat()
}

/// The lines of a message, in which only tabs are kept of what is hidden. PostgreSQL ends a comment at a lone carriage
/// return too, so that ends a line here.
fn lines(message: &str) -> Vec<String> {
    let message = message.trim().replace("\r\n", "\n");
    let lines = message.split(['\n', '\r']);
    lines
        .map(|it| one_line_keeping(it, &['\t']).into_owned())
        .collect()
}

fn comment(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", Comment::new(text).keeping(&['\t']));
}

/// A field with its value in the common column; none if it has no value.
fn field(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        comment(
            out,
            &format!("{:<15}{}", format!("{name}:"), one_line(value.trim())),
        );
    }
}

fn list(items: &[impl fmt::Display]) -> String {
    let mut out = String::new();
    for (n, it) in items.iter().enumerate() {
        let separator = if n == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(out, "{separator}{it}");
    }
    out
}

/// As it is written in the file: `dbdbc1b19cf2`, or `dbdbc1b19cf2 if present`.
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target)?;
        if self.if_present {
            f.write_str(IF_PRESENT)?;
        }
        Ok(())
    }
}

/// A line of a message that would be read as something else gets a backslash in the file, and one that has such a
/// backslash gets one more.
fn needs_escape(line: &str) -> bool {
    let line = line.trim_start_matches('\\').trim_end();
    split_field(line).is_some() || is_section(line.trim_start())
}

fn is_section(line: &str) -> bool {
    line == "upgrade" || line == "downgrade"
}

/// The field's name and value, if the text of a comment line is a field.
fn split_field(text: &str) -> Option<(&'static str, &str)> {
    let (name, value) = text.split_once(':')?;
    let name = FIELDS.into_iter().find(|&it| it == name)?;
    Some((name, value.trim()))
}

/// Why the reading of the header stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderEnd {
    /// At a section marker, `-- upgrade` or `-- downgrade`.
    Section,
    /// At a line that is neither blank nor a comment.
    Sql,
}

/// Reads a header line by line, so that a long file need not be read to its end.
#[derive(Debug, Default)]
pub(crate) struct HeaderReader {
    message: Vec<String>,
    in_fields: bool,
    revision: Option<RevisionId>,
    revises: Option<Vec<RevisionId>>,
    branch_labels: Option<Vec<String>>,
    depends_on: Option<Vec<Dependency>>,
    replaces: Option<Vec<RevisionId>>,
    checksum: Option<Checksums>,
    created: Option<String>,
    review: Option<String>,
    /// The first fault; told only of a file that turns out to be a revision.
    fault: Option<(usize, SyntaxProblem)>,
    names_revision: bool,
}

impl HeaderReader {
    /// Takes the next line, without its line feed. To PostgreSQL a carriage return ends a comment as well.
    pub(crate) fn take(&mut self, number: usize, line: &str) -> ControlFlow<HeaderEnd> {
        line.split('\r')
            .try_for_each(|it| self.take_line(number, it))
    }

    fn take_line(&mut self, number: usize, line: &str) -> ControlFlow<HeaderEnd> {
        let line = line.trim_end();
        let Some(text) = line.strip_prefix("--") else {
            return if line.is_empty() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(HeaderEnd::Sql)
            };
        };
        if is_section(text.trim_start()) {
            return ControlFlow::Break(HeaderEnd::Section);
        }
        let text = text.strip_prefix(' ').unwrap_or(text);
        if let Some((name, value)) = split_field(text) {
            self.in_fields = true;
            self.names_revision |= name == REVISION;
            if let Err(problem) = self.field(name, value) {
                self.fault.get_or_insert((number, problem));
            }
        } else if !self.in_fields {
            let escaped = text.starts_with('\\') && needs_escape(text);
            self.message
                .push(if escaped { &text[1..] } else { text }.to_owned());
        } else if !text.is_empty() {
            let problem = SyntaxProblem::UnknownField {
                line: text.to_owned(),
                known: FIELDS.to_vec(),
            };
            self.fault.get_or_insert((number, problem));
        }
        ControlFlow::Continue(())
    }

    fn field(&mut self, name: &'static str, value: &str) -> Result<(), SyntaxProblem> {
        if value.is_empty() {
            return Err(SyntaxProblem::FieldEmpty { field: name });
        }
        let items = || value.split(',').map(str::trim);
        match name {
            REVISION => put(&mut self.revision, name, RevisionId::new(value)?),
            REVISES if value == BASE => put(&mut self.revises, name, Vec::new()),
            REVISES if items().any(|it| it == BASE) => Err(SyntaxProblem::BaseAmongRevises),
            REVISES => put(
                &mut self.revises,
                name,
                items().map(RevisionId::new).collect::<Result<_, _>>()?,
            ),
            BRANCH_LABELS => put(
                &mut self.branch_labels,
                name,
                items()
                    .map(|it| named(name, it))
                    .collect::<Result<_, _>>()?,
            ),
            DEPENDS_ON => put(
                &mut self.depends_on,
                name,
                items().map(dependency).collect::<Result<_, _>>()?,
            ),
            REPLACES => put(
                &mut self.replaces,
                name,
                items().map(RevisionId::new).collect::<Result<_, _>>()?,
            ),
            CHECKSUM => put(&mut self.checksum, name, Checksums::parse(value)?),
            CREATED => put(&mut self.created, name, value.to_owned()),
            _ => put(&mut self.review, REVIEW, value.to_owned()),
        }
    }

    /// The header; none if there is no `-- revision:` line.
    ///
    /// # Errors
    ///
    /// The line and the problem of the first field that is not right.
    pub(crate) fn finish(self) -> Result<Option<Header>, (usize, SyntaxProblem)> {
        if !self.names_revision {
            return Ok(None);
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        Ok(self.revision.map(|revision| Header {
            revision,
            message: self.message.join("\n").trim().to_owned(),
            revises: self.revises.unwrap_or_default(),
            branch_labels: self.branch_labels.unwrap_or_default(),
            depends_on: self.depends_on.unwrap_or_default(),
            replaces: self.replaces.unwrap_or_default(),
            checksum: self.checksum,
            created: self.created,
            review: self.review,
        }))
    }
}

fn put<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), SyntaxProblem> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(SyntaxProblem::FieldTwice { field }),
    }
}

fn dependency(text: &str) -> Result<Dependency, SyntaxProblem> {
    let (target, if_present) = match text.strip_suffix(IF_PRESENT) {
        Some(target) => (target.trim_end(), true),
        None => (text, false),
    };
    Ok(Dependency {
        target: named(DEPENDS_ON, target)?,
        if_present,
    })
}

/// A branch label, or an id: any word without what targets use, but for the dash, which Alembic's labels may have.
fn named(field: &'static str, text: &str) -> Result<String, SyntaxProblem> {
    let legal = |it: char| {
        !it.is_whitespace() && !is_hidden(it) && !matches!(it, '@' | '+' | ':' | '<' | '>')
    };
    if text.is_empty() || !text.chars().all(legal) {
        return Err(SyntaxProblem::Name {
            field,
            text: text.to_owned(),
        });
    }
    Ok(text.to_owned())
}
