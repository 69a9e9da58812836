//! Alembic as a program that prints the SQL of revisions.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use limbeck_revision::RevisionId;
use limbeck_revision::alembic::{AlembicFile, AlembicSql, Completeness};
use limbeck_revision::graph::Direction;

use crate::error::CliError;
use crate::source::{tail, words};

const UPGRADE: &str = "upgrade";
const DOWNGRADE: &str = "downgrade";

/// The program, and what it said so far.
pub(crate) struct Alembic<'t> {
    words: Vec<String>,
    version_tables: &'t [&'t str],
    /// What was printed.
    pub sql: AlembicSql,
    /// Why there is nothing of a revision's section.
    pub failures: BTreeMap<(RevisionId, &'static str), String>,
}

impl<'t> Alembic<'t> {
    /// The program that a command line names.
    ///
    /// # Errors
    /// [`CliError::Program`] if it names none.
    pub(crate) fn new(command: &str, version_tables: &'t [&'t str]) -> Result<Self, CliError> {
        let words = words(command).filter(|it| !it.is_empty());
        let words = words.ok_or_else(|| CliError::Program {
            program: command.to_owned(),
            what: "is no command line; name a program with its arguments".to_owned(),
        })?;
        Ok(Self {
            words,
            version_tables,
            sql: AlembicSql::default(),
            failures: BTreeMap::new(),
        })
    }

    /// Asks for the SQL of all revisions at once, and for those that are missing then one by one: a revision that fails
    /// stands in the way of those that follow it only in a script of them all.
    ///
    /// # Errors
    /// [`CliError::Program`] if it cannot be run or knows no `--sql`, and for scripts that cannot be read.
    pub(crate) fn ask(
        &mut self,
        files: &[&AlembicFile],
        heads: &[RevisionId],
        explain: &mut dyn FnMut(&str),
    ) -> Result<(), CliError> {
        let ups: Vec<_> = files.iter().filter(|it| !it.upgrade.empty).collect();
        let downs: Vec<_> = files.iter().filter(|it| !it.downgrade.empty).collect();
        if !ups.is_empty() {
            // Whatever this fails at is asked for again by itself.
            let _ = self.run(UPGRADE, "heads", explain)?;
        }
        for file in ups {
            let header = &file.header;
            let parents = header.revises.iter().map(RevisionId::as_str);
            let dependencies = header.depends_on.iter().map(|it| it.target.as_str());
            let begins: Vec<_> = parents.chain(dependencies).collect();
            let id = &header.revision;
            let targets = begins
                .iter()
                .map(|it| format!("{it}:{id}"))
                .chain(begins.is_empty().then(|| id.to_string()));
            self.try_each((UPGRADE, Direction::Upgrade), id, targets, explain)?;
        }
        if !downs.is_empty() {
            for head in heads {
                let _ = self.run(DOWNGRADE, &format!("{head}:base"), explain)?;
            }
        }
        for file in downs {
            let header = &file.header;
            let id = &header.revision;
            let ends = header.revises.iter().map(RevisionId::as_str);
            let base = header.revises.is_empty().then_some("base");
            let targets = ends.chain(base).map(|it| format!("{id}:{it}"));
            self.try_each((DOWNGRADE, Direction::Downgrade), id, targets, explain)?;
        }
        Ok(())
    }

    /// Asks for one revision until there is something of it.
    fn try_each(
        &mut self,
        (verb, direction): (&'static str, Direction),
        id: &RevisionId,
        targets: impl Iterator<Item = String>,
        explain: &mut dyn FnMut(&str),
    ) -> Result<(), CliError> {
        for target in targets {
            if self.sql.get(direction, id).is_some() {
                break;
            }
            if let Err(why) = self.run(verb, &target, explain)? {
                self.failures.insert((id.clone(), verb), why);
            }
        }
        Ok(())
    }

    /// Runs it once; gives what it said if it failed.
    fn run(
        &mut self,
        verb: &'static str,
        target: &str,
        explain: &mut dyn FnMut(&str),
    ) -> Result<Result<(), String>, CliError> {
        let (program, arguments) = self
            .words
            .split_first()
            .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let shown = format!("{} {verb} {target} --sql", self.words.join(" "));
        explain(&shown);
        let fail = |what: String| CliError::Program {
            program: program.to_owned(),
            what,
        };
        let output = Command::new(program)
            .args(arguments)
            .args([verb, target, "--sql"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                fail(format!(
                    "cannot be run: {error}; name another one by --alembic, or pass scripts of its by --sql"
                ))
            })?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() && said.contains("--sql") {
            return Err(fail(format!(
                "has no --sql ({}); record a run of it and pass the script by --sql",
                tail(&output.stderr)
            )));
        }
        let (completeness, done) = if output.status.success() {
            (Completeness::Whole, Ok(()))
        } else {
            let said = if output.stderr.is_empty() {
                &output.stdout
            } else {
                &output.stderr
            };
            (Completeness::Broken, Err(last_line(said)))
        };
        let text = String::from_utf8_lossy(&output.stdout);
        self.sql
            .add(&text, &shown, completeness, self.version_tables)?;
        Ok(done)
    }
}

/// The last line of what a program said, which is where Python names the error.
fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rfind(|it| !it.trim().is_empty());
    last.unwrap_or("it said nothing").trim().to_owned()
}
