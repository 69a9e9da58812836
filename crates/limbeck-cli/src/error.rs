//! What the command line says when something is wrong: one line that names the thing and the remedy.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use limbeck_catalog::{CatalogError, CompareError, Unresolved};
use limbeck_connect::ConnectError;
use limbeck_metadata::MetaDataError;
use limbeck_plan::PlanError;
use limbeck_revision::alembic::ImportError;
use limbeck_revision::graph::GraphError;
use limbeck_revision::{IdError, RevisionError};
use limbeck_runner::{LoadError, RunnerError, ScratchError};
use limbeck_schema::variables::VariableError;

use crate::allow::shown;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// From the catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// From the connection settings, or from connecting.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// From the comparison.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// What cannot be judged, or brought about by any statement.
    #[error("{0}")]
    Unresolved(String),
    /// From the models.
    #[error(transparent)]
    MetaData(#[from] MetaDataError),
    /// From the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// From the revision files.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// From the history.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// From a revision id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// From what Alembic wrote.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// `--depends-on` is about a revision that is not in the folders.
    #[error("--depends-on: no file of the folders is revision {revision}; write the whole id")]
    NoSuchImport {
        /// What was named.
        revision: String,
    },
    /// A variable that cannot be one.
    #[error("{from}: {problem}")]
    Value {
        /// Where it comes from.
        from: String,
        /// What is wrong with it.
        problem: VariableError,
    },
    /// From a run.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// From a scratch database.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// From SQL files.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something is not managed, and `--strict` asks for an error then.
    #[error(
        "{n_objects} of the source's objects or of the differences are not managed by Limbeck yet, which --strict forbids"
    )]
    Unmanaged {
        /// How many were named.
        n_objects: usize,
    },
    /// Declared models could not be built in a scratch database.
    #[error("cannot build the models in a scratch database, statement `{statement}`")]
    Build {
        /// The statement, on one line.
        statement: String,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A new revision does not do what it claims.
    #[error(
        "the revision is written but does not hold, {proof}; correct the file by hand, or the models"
    )]
    Refuted {
        /// How the proof ended.
        proof: String,
    },
    /// Revisions of the history do not do what they should.
    #[error(
        "{n_failed} of {n_revisions} {} not hold; correct {} by hand and verify again",
        if *n_failed == 1 { "revisions does" } else { "revisions do" },
        if *n_failed == 1 { "the file" } else { "the files" }
    )]
    NotProven {
        /// How many.
        n_failed: usize,
        /// Of how many.
        n_revisions: usize,
    },
    /// A squashed revision does not do what the revisions did.
    #[error(
        "the squashed revision does not hold, and nothing is changed, {proof}; mend the revisions until `limbeck verify` \
         holds, or squash fewer"
    )]
    NotSquashed {
        /// How the proof ended.
        proof: String,
    },
    /// The revisions of a squash, or those before them, fail.
    #[error(
        "cannot squash, and nothing is changed: the revisions do not run in a scratch database; mend them first"
    )]
    SquashReplay {
        /// What failed.
        source: Box<RunnerError>,
    },
    /// The user ended the command.
    #[error("interrupted")]
    Interrupted,
    /// What a stamp names cannot be built, so that nothing can be compared with it.
    #[error(
        "cannot tell whether the database is at {place}, since its revisions do not run in a scratch database; mend them, \
         or pass --unchecked to stamp without looking"
    )]
    Replay {
        /// Where the stamp would lead.
        place: String,
        /// Why they do not.
        source: Box<RunnerError>,
    },
    /// SQL that was put together would be read as something else.
    #[error(
        "{what} would not be read as it was written, at {object}: {problem}; nothing was run. Rename the object, or report \
         this as a bug"
    )]
    NotReadBack {
        /// What was written.
        what: String,
        /// The object whose statement differs.
        object: String,
        /// What is read instead.
        problem: String,
    },
    /// A control character of a name would be taken for a variable.
    #[error(
        "{object} has a control character (U+0001 or U+0002) in a name or text, which cannot be written into a revision \
         with variables; rename it"
    )]
    Placeholder {
        /// The object.
        object: String,
    },
    /// The config file wants what this user has not allowed.
    #[error(
        "{} is not allowed yet and would {wish}{why}; read the file, then run `limbeck allow {}`, or set LIMBECK_ALLOW=1 \
         where such files are your own",
        shown(.path), shown(.path)
    )]
    NotAllowed {
        /// The config file.
        path: PathBuf,
        /// What it wants.
        wish: String,
        /// Why that cannot be told, in parentheses.
        why: String,
    },
    /// `LIMBECK_ALLOW` has a value that means nothing.
    #[error(
        "LIMBECK_ALLOW in the environment is neither 1 nor 0; set it to 1 to allow every config file, or unset it"
    )]
    AllowVariable,
    /// What was allowed cannot be read or written.
    #[error("{}: {problem}", .path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// Alembic would be run without having been named.
    #[error(
        "`alembic` would run env.py and the revisions of this folder as programs; pass --alembic alembic if you trust them, \
         or scripts that Alembic printed by --sql"
    )]
    AlembicNotNamed,
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A database has what the format has no word for.
    #[error(
        "what is written lacks {n_facts} facts of the database, named above; it differs from the database in them"
    )]
    LeftOut {
        /// How many were named.
        n_facts: usize,
    },
    /// A file is no text.
    #[error("{} is not UTF-8 text; save the file in UTF-8", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A folder cannot be made.
    #[error("cannot create the folder {}; check its parent and its permissions", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The config file cannot be understood.
    #[error("{}:{line}: {problem}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value of the config file cannot be used.
    #[error("{}: {problem}", .path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A variable of the config file has no value.
    #[error("{setting} of the config file: variable {name:?} {problem}; set it{}", if *setting == "url" { ", or pass --url" } else { "" })]
    Variable {
        /// Which setting.
        setting: &'static str,
        /// The variable.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing names a database.
    #[error(
        "no database is named; pass --url postgresql://user@host/name, set DATABASE_URL or PGHOST and PGDATABASE, or write url into limbeck.toml"
    )]
    NoUrl,
    /// Nothing names the models.
    #[error("no models are named; pass --target models.json, or write target into limbeck.toml")]
    NoTarget,
    /// The models are named in a way that is not supported.
    #[error(
        "cannot take models from {source_text}: {problem}; supported are a .json or .sql file, a folder of .sql files, cmd:PROGRAM ARGS, a postgresql:// database, and revisions:[TARGET]"
    )]
    Target {
        /// What was given.
        source_text: String,
        /// Why not.
        problem: &'static str,
    },
    /// A program that was asked for something failed.
    #[error("the program {program:?} {what}")]
    Program {
        /// The program.
        program: String,
        /// How it ended, and what it said.
        what: String,
    },
    /// The database is behind the revisions.
    #[error(
        "Target database is not up to date: it is at {rows}, and the revisions lead to {heads}; run `limbeck upgrade` first"
    )]
    NotUpToDate {
        /// The version rows.
        rows: String,
        /// The heads.
        heads: String,
    },
    /// A new revision would make a branch.
    #[error(
        "Revision {revision} is not a head revision; please specify --splice to create a new branch from this revision"
    )]
    NotAHead {
        /// The revision.
        revision: String,
    },
    /// A branch that is there cannot begin again.
    #[error(
        "branch {branch} begins with {revision} already; leave --head base out to continue it, or name another branch"
    )]
    BranchExists {
        /// The label.
        branch: String,
        /// The revision that carries it.
        revision: String,
    },
    /// `init` does not know the template.
    #[error("there is no template {name:?}; `limbeck list-templates` lists them")]
    Template {
        /// What was asked for.
        name: String,
    },
    /// `mkdir` of a folder that is not configured.
    #[error(
        "{name} is neither a branch with a folder of its own nor one of the revision folders ({known}); add {{ path = \
         \"…\", branch = \"{name}\" }} to revisions in limbeck.toml"
    )]
    UnknownFolder {
        /// What was asked for.
        name: String,
        /// The folders that are configured.
        known: String,
    },
    /// It is not plain which revisions a rebase is to move.
    #[error("cannot tell which revisions to move: {problem}")]
    RebaseWhat {
        /// What is in the way, and the remedy.
        problem: String,
    },
    /// A revision that would be changed is in force.
    #[error(
        "revision {revision} is applied to the database, so it stays as it is; `limbeck downgrade {below}` first, or \
         write a new revision that undoes it"
    )]
    Applied {
        /// The revision.
        revision: String,
        /// Where to downgrade to.
        below: String,
    },
    /// Data would be lost and nobody said so.
    #[error("{what} would be lost; pass --yes-i-know if that is meant")]
    NotConfirmed {
        /// What.
        what: String,
    },
    /// `db create` in a database that is no beginning.
    #[error("`limbeck db create` only creates, and {problem}")]
    NotEmpty {
        /// What is in the way, and the remedy.
        problem: String,
    },
    /// A statement about a whole database, or of `db create` and `db drop`, was refused.
    #[error("cannot {doing}; {remedy}")]
    Database {
        /// What was done.
        doing: String,
        /// What to do about it.
        remedy: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// A merge of fewer than two revisions.
    #[error(
        "nothing to merge: {found} named, and a merge takes two or more; `limbeck heads` lists them"
    )]
    NothingToMerge {
        /// What was named.
        found: String,
    },
    /// A range where a target is needed.
    #[error(
        "Range revision not allowed: {target} is a range, which only --sql takes; name its end"
    )]
    Range {
        /// The target.
        target: String,
    },
    /// A downgrade script without both ends.
    #[error(
        "downgrade with --sql requires <fromrev>:<torev>, as in `limbeck downgrade --sql head:base`"
    )]
    ScriptRange,
    /// Targets without a file, such as the base.
    #[error("no revision files indicated by '{0}'; limbeck history lists what there is")]
    NothingNamed(String),
    /// A script of a stamp that starts at several places.
    #[error("stamp with --sql takes one start; write FROM:TO with the same FROM for every target")]
    StampStarts,
    /// A script that would begin where the database is.
    #[error(
        "with --sql the database is not asked where it is, so a script cannot begin at {from:?}; name the revisions that \
         `limbeck current` prints, or base"
    )]
    ScriptStart {
        /// The beginning, as written.
        from: String,
    },
    /// A post-write hook failed.
    #[error("post-write hook {name:?} {what}; {} is written and stays", .path.display())]
    Hook {
        /// The hook's name.
        name: String,
        /// How it ended, and what it said.
        what: String,
        /// The revision file.
        path: PathBuf,
    },
    /// No editor, or one that failed.
    #[error("cannot edit: {0}")]
    Editor(String),
    /// What would be written exists.
    #[error("{} exists already and is left as it is; remove it, or choose another folder", .0.display())]
    Exists(PathBuf),
    /// The result cannot be written.
    #[error("cannot write the result")]
    Output(#[source] io::Error),
    /// The result cannot be made JSON.
    #[error("cannot write the result as JSON")]
    Json(#[source] serde_json::Error),
    /// The program's own machinery cannot start.
    #[error("cannot start")]
    Start(#[source] io::Error),
}

impl CliError {
    /// The error for what cannot be judged or planned, if there is any.
    ///
    /// # Errors
    /// [`Self::Unresolved`].
    pub(crate) fn unresolved(all: &[Unresolved]) -> Result<(), Self> {
        match all {
            [] => Ok(()),
            [it] => Err(Self::Unresolved(it.to_string())),
            all => Err(Self::Unresolved(format!(
                "{} things cannot be judged or planned; each is listed above as unresolved, with the reason",
                all.len()
            ))),
        }
    }

    /// The exit status: 130 for a run that the user ended, as shells have it, else 2.
    #[must_use]
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Runner(it) if it.is_cancelled() => 130,
            Self::Interrupted => 130,
            _ => 2,
        }
    }

    /// The line of a file at which it happened, with a mark under the place.
    #[must_use]
    pub(crate) fn excerpt(&self) -> Option<String> {
        match self {
            Self::Load(it) => it.excerpt().map(|it| limbeck_connect::redact(&it)),
            _ => None,
        }
    }

    /// The error with its causes on one line, without passwords. A cause that its effect already told is left out.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(it) = cause {
            // The driver adds where in the server's own sources the error was raised, which tells nobody anything.
            let answer = it.downcast_ref::<sqlx::Error>();
            let answer = answer.and_then(sqlx::Error::as_database_error);
            let said = answer.map_or_else(|| it.to_string(), |it| it.message().to_owned());
            if !text.contains(&said) {
                text = format!("{text}: {said}");
            }
            cause = it.source().filter(|_| answer.is_none());
        }
        limbeck_connect::redact(&one_line(&text))
    }
}

/// A text on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_joined_once() {
        let error = CliError::Read {
            path: "a.json".into(),
            source: io::Error::other("no\nsuch"),
        };
        assert_eq!(error.line(), "cannot read a.json: no such");
    }
}
