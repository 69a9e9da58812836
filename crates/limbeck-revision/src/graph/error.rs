//! What can be wrong with a history or with a target in it.
//!
//! The wording is Alembic's, in lower case, so that people who know it recognise the situation; what to do about it
//! follows after a semicolon.

use std::fmt;
use std::path::PathBuf;

use super::Node;
use crate::ids::RevisionId;

/// Why a graph cannot be built, a revision not be found, or a target not be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two files have the same id. Alembic warns and lets the last one win.
    #[error(
        "revision {revision} is present more than once: {first} and {second}; give one of them another id, or delete it"
    )]
    Duplicate {
        /// The id that both have.
        revision: RevisionId,
        /// Where it was first.
        first: Origin,
        /// Where it was again.
        second: Origin,
    },
    /// A revision follows one that is not in the history. Alembic warns and then fails on the missing key.
    #[error(
        "revision {missing} referenced from {from} is not present; restore its file, or correct the revises line of {from}"
    )]
    MissingParent {
        /// The id that no file has.
        missing: RevisionId,
        /// The revision that names it.
        from: Origin,
    },
    /// A revision follows one that a squash made a part of another one.
    #[error(
        "revision {revision} referenced from {from} is replaced by {by}; if {from} does not need what came after \
         {revision} to be absent, have its revises line say {}", by.revision
    )]
    ReplacedParent {
        /// The id without a file.
        revision: RevisionId,
        /// The revision that does its work.
        by: Origin,
        /// The revision that names it.
        from: Origin,
    },
    /// A revision is there although another one says that it replaces it, as after a squash that was stopped half way.
    #[error(
        "revision {} is present, and replaced by {}; delete {there}, for {by} does its work, or put back the files from \
         before the squash", there.revision, by.revision
    )]
    AlsoReplaced {
        /// The one that is replaced.
        there: Origin,
        /// The one that replaces it.
        by: Origin,
    },
    /// Two revisions replace the same one.
    #[error(
        "revision {revision} is replaced by two others: {first} and {second}; put back the files of one of the two \
         squashes from version control"
    )]
    ReplacedTwice {
        /// The id without a file.
        revision: RevisionId,
        /// The first one that replaces it.
        first: Origin,
        /// The other one.
        second: Origin,
    },
    /// The version table holds an id that a squash made a part of another revision.
    #[error(
        "revision {row} is replaced by {by}, so that a database which is at {row} cannot go on from there; bring it to \
         {} with the files from before the squash, which version control has, then take the squash", by.revision
    )]
    ReplacedRow {
        /// The row.
        row: RevisionId,
        /// The revision that does its work.
        by: Origin,
    },
    /// A relative target counts from a revision that a squash made a part of another one.
    #[error(
        "cannot count from revision {revision}, which is replaced by {by}; count from {}", by.revision
    )]
    ReplacedStart {
        /// The id without a file.
        revision: RevisionId,
        /// The revision that does its work.
        by: Origin,
    },
    /// A revision depends on something that is neither an id nor a branch label of the history.
    #[error(
        "dependency {missing} referenced from {from} is not present; restore its file, correct the depends on line of \
         {from}, or write \"{missing} if present\""
    )]
    MissingDependency {
        /// The id or label that no file has.
        missing: String,
        /// The revision that names it.
        from: Origin,
    },
    /// A branch label is the id of a revision or the label of another one.
    #[error(
        "branch name '{label}' in revision {from} already used by revision {other}; choose another label"
    )]
    LabelTaken {
        /// The label.
        label: String,
        /// The later of the two.
        from: Origin,
        /// The earlier of the two.
        other: Origin,
    },
    /// Revisions follow or depend on themselves, directly or in a circle.
    #[error(
        "{kind} is detected in revisions ({}){}; correct {}",
        comma(revisions), in_files(files), kind.line()
    )]
    Cycle {
        /// Which kind of line closes the circle, and whether it is one revision's.
        kind: CycleKind,
        /// The revisions that lie on, or are cut off by, the circle.
        revisions: Vec<RevisionId>,
        /// Their files, where they have one.
        files: Vec<PathBuf>,
    },
    /// No id and no label is, or begins with, the text.
    #[error(
        "can't locate revision identified by '{text}': no such revision or branch '{text}'{}",
        short_hint(text)
    )]
    NotFound {
        /// What was asked for.
        text: String,
    },
    /// The version table holds an id that no file has.
    #[error(
        "can't locate revision identified by '{row}', which the version table holds: no such revision or branch \
         '{row}'; restore its file, or stamp with --purge"
    )]
    UnknownRow {
        /// The row.
        row: RevisionId,
    },
    /// Several ids or labels begin with the text.
    #[error(
        "can't locate revision identified by '{text}': multiple revisions start with '{text}': {}; give more characters",
        first_three(matches)
    )]
    AmbiguousPrefix {
        /// What was asked for.
        text: String,
        /// All that begin with it.
        matches: Vec<String>,
    },
    /// The part before `@` is neither a label nor a revision.
    #[error("no such branch: '{branch}'; the branches are listed by limbeck heads")]
    NoSuchBranch {
        /// What was asked for.
        branch: String,
    },
    /// The part after `@` is a revision of another branch.
    #[error(
        "revision {revision} is not a member of branch '{branch}'; leave out '{branch}@', or name its own branch"
    )]
    NotInBranch {
        /// The revision.
        revision: RevisionId,
        /// The label or revision that names the branch.
        branch: String,
    },
    /// `head` where there are several.
    #[error(
        "multiple heads are present for given argument '{argument}'; {}; name one of them, '<branchname>@head', or \
         'heads' for all of them",
        comma(heads)
    )]
    MultipleHeads {
        /// The target, as written.
        argument: String,
        /// The heads that it could mean.
        heads: Vec<RevisionId>,
    },
    /// `head` as the target of an upgrade or a downgrade where there are several.
    #[error(
        "multiple head revisions are present for given argument '{argument}'; please specify a specific target \
         revision, '<branchname>@{argument}' to narrow to a specific head, or 'heads' for all heads ({})",
        comma(heads)
    )]
    MultipleTargets {
        /// The target, as written.
        argument: String,
        /// The heads that it could mean.
        heads: Vec<RevisionId>,
    },
    /// `head` as the target of a stamp where there are several.
    #[error(
        "multiple heads are present; please specify a single target revision, or 'heads' for all of them ({})",
        comma(heads)
    )]
    MultipleStamps {
        /// The heads that it could mean.
        heads: Vec<RevisionId>,
    },
    /// Two of several requested revisions lie on one line, so that one is asked for twice.
    #[error(
        "requested revision {revision} overlaps with other requested revisions {}; name the newest of them only, or, if \
         they are rows of the version table, stamp it",
        comma(others)
    )]
    Overlap {
        /// The upper one.
        revision: RevisionId,
        /// Those that it contains.
        others: Vec<RevisionId>,
    },
    /// The ends of a range do not lie on one line.
    #[error(
        "revision {lower} is not an ancestor of revision {upper}; swap them, or choose revisions of one branch"
    )]
    NotAncestor {
        /// The lower end, as written.
        lower: String,
        /// The upper end, as written.
        upper: String,
    },
    /// The ends of a history range do not lie on one line.
    #[error(
        "requested range {lower}:{upper} does not refer to ancestor/descendant revisions along the same branch; swap \
         its ends, or choose revisions of one branch"
    )]
    RangeNotAncestor {
        /// The start, as written.
        lower: String,
        /// The end, as written.
        upper: String,
    },
    /// A history range without its colon.
    #[error(
        "history range requires [start]:[end], [start]:, or :[end]; '{range}' has no single colon"
    )]
    HistoryRange {
        /// The range, as written.
        range: String,
    },
    /// The target is not above what the database holds.
    #[error(
        "destination {target} is not a valid upgrade target from current head(s); see limbeck current and limbeck history"
    )]
    NotAnUpgrade {
        /// The target, as written.
        target: String,
    },
    /// The target is not below what the database holds.
    #[error(
        "destination {target} is not a valid downgrade target from current head(s); see limbeck current and limbeck history"
    )]
    NotADowngrade {
        /// The target, as written.
        target: String,
    },
    /// The branch of a downgrade's target has no revision above it.
    #[error(
        "not a valid downgrade target from current heads: nothing of branch '{branch}' follows {target}; name the branch to wind back"
    )]
    NotADowngradeOfBranch {
        /// The label or revision that names the branch.
        branch: String,
        /// The revision, or base.
        target: String,
    },
    /// `+N` where the database holds several revisions.
    #[error(
        "ambiguous upgrade from multiple current revisions {}; name the branch, as in '<branchname>@+1'",
        comma(rows)
    )]
    AmbiguousUpgrade {
        /// The revisions it could start from.
        rows: Vec<RevisionId>,
    },
    /// `-N` where the database holds several revisions. Alembic warns and takes the first row.
    #[error(
        "ambiguous downgrade {target} from multiple current revisions {}; name the branch, as in '<branchname>@-1'",
        comma(rows)
    )]
    AmbiguousDowngrade {
        /// The target, as written.
        target: String,
        /// The revisions it could start from.
        rows: Vec<RevisionId>,
    },
    /// A relative walk comes to a fork.
    #[error(
        "ambiguous walk from {from}: it could go to {}; name one of them, or the branch before an '@'",
        comma(choices)
    )]
    AmbiguousWalk {
        /// Where the walk forks: a revision, or base.
        from: String,
        /// Where it could go on.
        choices: Vec<RevisionId>,
    },
    /// `REV+N` or `REV-N` leaves the history.
    #[error("walked too far: '{target}' lies outside of the history; use a smaller number")]
    WalkedTooFar {
        /// The target, as written.
        target: String,
    },
    /// `+N` or `-N` leaves the history, or goes the wrong way.
    #[error("relative revision {relative} didn't produce {} migrations; {}", relative.trim_start_matches(['+', '-']), relative_hint(relative))]
    RelativeLength {
        /// The signed number, as written.
        relative: String,
    },
    /// A rebase of a revision that follows its goal, or that its goal follows.
    #[error("nothing to move: {tip} and {onto} lie on one line; name two heads")]
    NothingToMove {
        /// The head of what was to be moved.
        tip: String,
        /// Where it was to be moved.
        onto: String,
    },
    /// A rebase between branches that have different beginnings.
    #[error(
        "{tip} and {onto} share no revision, so they are branches of their own; bring them together by `limbeck merge \
         {tip} {onto}`, or leave both"
    )]
    NothingShared {
        /// The head of what was to be moved.
        tip: String,
        /// Where it was to be moved.
        onto: String,
    },
    /// A rebase onto a revision that depends on one that is to be moved.
    #[error(
        "cannot move {revision} onto {onto}, which depends on it; move the other side, or merge them"
    )]
    MoveInCircle {
        /// The revision that was to be moved.
        revision: RevisionId,
        /// Where it was to be moved.
        onto: RevisionId,
    },
    /// A revision that is to be removed is another one's dependency.
    #[error(
        "cannot remove {revision}: {} depends on it; correct the depends on line there first",
        list(by)
    )]
    Needed {
        /// The revision.
        revision: RevisionId,
        /// Those that depend on it.
        by: Vec<Origin>,
    },
    /// A revision that is to be removed names a branch that several revisions continue.
    #[error(
        "cannot remove {revision}: it carries {}, and several revisions follow it; move the branch labels line to one \
         of them first",
        comma(labels)
    )]
    LabelsOfFork {
        /// The revision.
        revision: RevisionId,
        /// Its labels.
        labels: Vec<String>,
    },
    /// A squash of nothing.
    #[error("nothing to squash: no revision lies in '{range}'; `limbeck history` lists them")]
    SquashNothing {
        /// The range, as written.
        range: String,
    },
    /// A squash of one revision.
    #[error(
        "nothing to squash: {revision} alone lies in '{range}', and a squash takes two or more"
    )]
    SquashOne {
        /// The range, as written.
        range: String,
        /// The revision.
        revision: RevisionId,
    },
    /// An end of a squash is no single revision.
    #[error(
        "cannot tell what to squash: '{end}' is {}; name one revision",
        if revisions.is_empty() { "base".to_owned() } else { comma(revisions) }
    )]
    SquashEnd {
        /// The end, as written.
        end: String,
        /// What it names.
        revisions: Vec<RevisionId>,
    },
    /// A squash across a revision that follows several.
    #[error(
        "cannot squash across {revision}, which merges {}; begin the range with it, or end it below",
        comma(merges)
    )]
    SquashMerge {
        /// The merge point.
        revision: Origin,
        /// What it follows.
        merges: Vec<RevisionId>,
    },
    /// A squash across a revision that something outside of the range follows.
    #[error(
        "cannot squash across {revision}, which {} follows too; end the range with it and begin another one above, or \
         move the other side by `limbeck rebase`",
        list(by)
    )]
    SquashFork {
        /// The branch point.
        revision: Origin,
        /// What follows it and is not in the range.
        by: Vec<Origin>,
    },
    /// A squash of a revision that another one depends on by its label.
    #[error(
        "cannot squash {revision} yet: {by} depends on its label {label}; have the depends on line there say {revision}, \
         which changes nothing else"
    )]
    SquashLabel {
        /// The last revision of the range.
        revision: RevisionId,
        /// Its label.
        label: String,
        /// The revision that depends on it.
        by: Origin,
    },
    /// A squash of revisions between which another one has to run.
    #[error(
        "cannot squash across {between}, which needs {below} and has to be applied before {above}; squash up to {below}, \
         and from there on"
    )]
    SquashBetween {
        /// The revision outside of the range.
        between: Origin,
        /// The revision of the range that it needs.
        below: RevisionId,
        /// The last revision of the range.
        above: RevisionId,
    },
    /// The rows do not fit the step: one that it replaces is missing, or one that it adds is there.
    #[error(
        "the version rows do not fit the step to {revision}: expected to match one row '{row}', {} found; compare \
         limbeck current with the database, then stamp it",
        if *found { "one too many" } else { "0" }
    )]
    RowMismatch {
        /// The revision whose step it is.
        revision: RevisionId,
        /// The row that is missing, or is there already.
        row: RevisionId,
        /// Whether it is there already.
        found: bool,
    },
}

impl GraphError {
    /// The refusal of a database that is at a revision which `by` replaces.
    #[must_use]
    pub fn replaced_row(row: RevisionId, by: &Node) -> Self {
        let by = by.origin();
        Self::ReplacedRow { row, by }
    }
}

/// Where a revision comes from, for messages: its id and, if it has one, its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The id.
    pub revision: RevisionId,
    /// The file; none for a revision that is compiled in.
    pub path: Option<PathBuf>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} ({})", self.revision, path.display()),
            None => write!(f, "{}", self.revision),
        }
    }
}

/// Which lines close a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleKind {
    /// A revision revises itself.
    SelfLoop,
    /// Revisions revise each other in a circle.
    Cycle,
    /// A revision depends on itself.
    DependencySelfLoop,
    /// Revisions revise or depend on each other in a circle.
    DependencyCycle,
}

impl CycleKind {
    fn line(self) -> &'static str {
        match self {
            Self::SelfLoop => "its revises line",
            Self::Cycle => "the revises line of one of them",
            Self::DependencySelfLoop => "its depends on line",
            Self::DependencyCycle => "the revises or depends on line of one of them",
        }
    }
}

impl fmt::Display for CycleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfLoop => "self-loop",
            Self::Cycle => "cycle",
            Self::DependencySelfLoop => "dependency self-loop",
            Self::DependencyCycle => "dependency cycle",
        })
    }
}

pub(super) fn comma<T: AsRef<str>>(items: &[T]) -> String {
    items
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ")
}

fn list(origins: &[Origin]) -> String {
    let names: Vec<_> = origins.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn in_files(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return String::new();
    }
    format!(
        " in {}",
        files
            .iter()
            .map(|it| it.display().to_string())
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// Alembic gives its hint about four characters for short texts only; a longer one is simply unknown.
fn short_hint(text: &str) -> &'static str {
    if text.is_empty() {
        "; write a revision, a branch, heads or base"
    } else if text.chars().count() < 4 {
        "; please ensure at least four characters are present for partial revision identifier matches"
    } else {
        "; limbeck history lists what there is"
    }
}

fn first_three(matches: &[String]) -> String {
    let shown: Vec<String> = matches.iter().take(3).map(|it| format!("'{it}'")).collect();
    format!("{}...", shown.join(", "))
}

fn relative_hint(relative: &str) -> &'static str {
    if relative.starts_with('-') {
        "-N is for a downgrade, and needs as many applied revisions"
    } else {
        "+N is for an upgrade, and needs as many revisions to come"
    }
}
