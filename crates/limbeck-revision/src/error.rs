//! What can go wrong with revision files and their folders.

use std::io;
use std::path::PathBuf;

use limbeck_sql::SplitProblem;

use crate::ids::{IdError, RevisionId};

/// An error of reading, naming or writing revision files. Each message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// The file is a revision, but a line of it cannot be understood.
    #[error("{}:{line}: {problem}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: SyntaxProblem,
    },
    /// The file lies in a revision folder and has no id.
    #[error("{} is not a revision: no `-- revision: ID` in the comment at its top; add that line, or move the file \
             elsewhere", .path.display())]
    NotARevision {
        /// The file.
        path: PathBuf,
    },
    /// The file holds bytes that are no text.
    #[error("{}:{line}: not UTF-8 text; save the file in UTF-8", .path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line of the first such byte, counted from 1.
        line: usize,
    },
    /// Two files have one id.
    #[error("two files are revision {revision}: {} and {}; give one of them another id, or remove it",
            .first.display(), .second.display())]
    DuplicateId {
        /// The id.
        revision: RevisionId,
        /// The file that comes first in order.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// No file has this id.
    #[error(
        "no revision {revision} in the revision folders; `limbeck history` lists what is there"
    )]
    UnknownRevision {
        /// The id.
        revision: RevisionId,
    },
    /// A revision that is to be changed has no file here.
    #[error(
        "revision {revision} is compiled into the program and has no file here; do this where its source is"
    )]
    Embedded {
        /// Its id.
        revision: RevisionId,
    },
    /// A revision folder does not exist.
    #[error("there is no revision folder {}; create it with `limbeck init` or `limbeck mkdir`, or name another with --revisions",
            .path.display())]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A revision folder or file cannot be read.
    #[error("cannot read {}; check that it exists and that you may read it", .path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A revision file cannot be written. Nothing was left behind.
    #[error("cannot write {}, nothing was changed; {remedy}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// What is at a path cannot be written into.
    #[error("cannot write {}; {remedy}", .path.display())]
    Put {
        /// The path.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// The operating system's reason.
        source: Option<io::Error>,
    },
    /// A squashed revision is written, and a file that it replaces is still there.
    #[error("revision {by} is squashed, but {} cannot be deleted; delete it by hand, for {by} does its work now", .path.display())]
    Leftover {
        /// The revision that replaces the file's.
        by: RevisionId,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file to be written exists.
    #[error("{} exists already; remove it, or choose another id, message or file template", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The revision to be written would not be read back as it is.
    #[error("revision {revision} is not written, for it would not be read back as it is: {why}")]
    NotReadable {
        /// Its id.
        revision: RevisionId,
        /// What reading it says, and the remedy.
        why: String,
    },
    /// All revisions are compiled in, so a new one has no place.
    #[error(
        "all revisions are compiled into the program, and no folder could take the new file; do this where its source \
         is, or name a folder with --revisions"
    )]
    NoFolder,
    /// There are several revision folders, and nothing says which one a new file belongs in.
    #[error(
        "several revision folders could take the new file ({folders}); choose one with --version-path, or write its \
         branch beside one of them in limbeck.toml"
    )]
    WhichFolder {
        /// The folders, separated by commas.
        folders: String,
    },
    /// The folder for a new file is not among the revision folders.
    #[error("{} is not one of the revision folders ({folders}); choose one of them, or add it to the configuration",
            .path.display())]
    UnknownFolder {
        /// The folder.
        path: PathBuf,
        /// The revision folders, separated by commas.
        folders: String,
    },
    /// The file template makes a folder below one that is read without its subfolders.
    #[error("the file template puts {} in a subfolder, where it would not be found; make the revision folder {} \
             recursive, or take the slash out of the template", .file.display(), .folder.display())]
    NotRecursive {
        /// The file, relative to the folder.
        file: PathBuf,
        /// The revision folder.
        folder: PathBuf,
    },
    /// The file template cannot be understood, or makes no file name.
    #[error("file template {template:?}: {problem}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// There is no such time zone.
    #[error(
        "unknown time zone {name:?}; use `utc`, `local`, or an IANA name such as Europe/Vienna"
    )]
    TimeZone {
        /// The name.
        name: String,
    },
}

/// What can be wrong with a line of a revision file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxProblem {
    /// A header field stands twice.
    #[error("`{field}:` stands twice in the header; remove one of them")]
    FieldTwice {
        /// The field.
        field: &'static str,
    },
    /// A header field has no value.
    #[error("`{field}:` has no value; write one, or remove the line")]
    FieldEmpty {
        /// The field.
        field: &'static str,
    },
    /// A line among the header fields is none.
    #[error("{line:?} is no header field ({}); put remarks above `-- revision:` or below `-- upgrade`",
            .known.join(", "))]
    UnknownField {
        /// The line, without its dashes.
        line: String,
        /// The fields there are.
        known: Vec<&'static str>,
    },
    /// A header field names an impossible id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A branch label or a dependency has a character that targets and lists use for something else.
    #[error(
        "`{field}:` contains {text:?}, which is no name; use letters, digits and underscores, and commas between"
    )]
    Name {
        /// The field.
        field: &'static str,
        /// The text.
        text: String,
    },
    /// The checksums that a squash noted cannot be read.
    #[error(
        "`checksum:` contains {text:?}, which no squash wrote; put the line back from version control, or remove it"
    )]
    Checksum {
        /// The text.
        text: String,
    },
    /// `<base>` stands beside an id.
    #[error("`revises:` names <base> and a revision; keep one of them")]
    BaseAmongRevises,
    /// SQL stands in the header.
    #[error(
        "SQL before the line `-- upgrade`; move it below that line, or write the line above it"
    )]
    SqlBeforeUpgrade,
    /// A section is missing.
    #[error(
        "no line `-- {section}` in the file; add it, with the SQL of the {section} (or nothing) below it"
    )]
    NoSection {
        /// `upgrade` or `downgrade`.
        section: &'static str,
    },
    /// A section stands twice, or before the one it should follow.
    #[error(
        "a second or misplaced line `-- {section}`; a revision has one upgrade, then one downgrade"
    )]
    SectionTwice {
        /// `upgrade` or `downgrade`.
        section: &'static str,
    },
    /// A segment marker says something unknown.
    #[error(
        "unknown segment {mode:?}; write `-- segment: transaction` or `-- segment: no transaction`"
    )]
    UnknownSegment {
        /// What it says.
        mode: String,
    },
    /// The SQL cannot be split into statements.
    #[error(transparent)]
    Sql(#[from] SplitProblem),
}
