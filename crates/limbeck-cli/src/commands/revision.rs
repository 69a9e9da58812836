//! `revision` and `merge`: new files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use limbeck_plan::{Migration, Plan, migration, outline};
use limbeck_revision::graph::{GraphError, RevisionGraph, Selection};
use limbeck_revision::{
    Dependency, FileNaming, Header, NewFile, Revision as File, RevisionId, Timestamp,
};
use limbeck_runner::{Claim, History, Proof, RunnerError, prove};

use super::Outcome;
use super::compare::unresolved_line;
use crate::args::{Merge, Revision};
use crate::config::Hook;
use crate::context::{Compared as Comparison, Context, Purpose};
use crate::error::CliError;
use crate::read_back::check_revision;
use crate::source::tail;
use crate::variables::written;

/// What messages call a file before it is written.
pub(super) const NEW_FILE: &str = "the new file";

impl Context<'_> {
    pub(super) async fn revision(&mut self, options: &Revision) -> Result<Outcome, CliError> {
        // Whatever can be refused is refused before anything is written, the folder included.
        self.require_hooks_allowed()?;
        let naming = self.naming()?;
        let id = new_id(options.rev_id.as_deref())?;
        let mut history = self.history_so_far()?;
        let message = options
            .message
            .as_ref()
            .or(options.text.as_ref())
            .cloned()
            .unwrap_or_default();
        let mut header = Header::new(id, message.trim());
        let Branching { parents, labels } = branching(&history.graph, options)?;
        header.revises = parents;
        header.branch_labels = labels;
        header.depends_on = dependencies(&history.graph, &options.depends_on)?;
        let branch = options.branch.as_deref();
        let folder = options
            .version_path
            .clone()
            .or_else(|| branch.and_then(|it| self.branch_folder(it)));
        let mut file = File::new(header);
        if options.autogenerate {
            let Some((comparison, migration)) =
                self.generate(&history, options.from.as_deref()).await?
            else {
                self.output
                    .say("No new upgrade operations detected; no revision is written.");
                if self.output.json {
                    self.output.json(&serde_json::Value::Null)?;
                }
                return Ok(Outcome::Agree);
            };
            let it = written(&comparison, &migration, &history)?;
            file.upgrade = it.upgrade;
            file.downgrade = it.downgrade;
            let [up, down] = &it.expected;
            let mut file = check_revision(&file, Path::new(NEW_FILE), up, down)?;
            self.say_variables(&it.left_out, &comparison)?;
            if let Some(models) = &comparison.models {
                history.variables.overlay(&models.variables()?);
            }
            let run = history.expand(file.clone(), Path::new(NEW_FILE))?;
            let proof = self.prove(&comparison, &run, options).await?;
            file.header.review = Some(format!(
                "{}{}   {proof}",
                review(&migration.upgrade.hazards()),
                self.refused(&migration)
            ));
            let written = self.write(history, file, &naming, folder.as_deref())?;
            return match proof {
                Proof::Refuted { .. } => Err(CliError::Refuted {
                    proof: proof.to_string(),
                }),
                _ => Ok(written),
            };
        }
        self.write(history, file, &naming, folder.as_deref())
    }

    /// Says what of variables a person should know of a new revision.
    fn say_variables(
        &mut self,
        left_out: &[String],
        comparison: &Comparison,
    ) -> Result<(), CliError> {
        for name in left_out {
            self.output.warn(&format!(
                "the name {name} is shortened by PostgreSQL, so the revision has it with the present value of its \
                 variable; give it a shorter name, or one of its own"
            ));
        }
        let Some(models) = &comparison.models else {
            return Ok(());
        };
        let variables = models.variables()?;
        for (name, _) in variables
            .iter()
            .filter(|(name, _)| self.variables.get(name).is_none())
        {
            self.output.warn(&format!(
                "the variable {name} has its value from the models; write it under [variables] in limbeck.toml, where \
                 `limbeck upgrade` looks for it"
            ));
        }
        Ok(())
    }

    /// Says what the server will refuse a revision for, as its header does: no scratch database holds it.
    fn refused(&mut self, migration: &Migration) -> String {
        let holders = |plan: &Plan| -> Vec<String> {
            let all: BTreeSet<String> = plan
                .statements()
                .flat_map(|it| it.held_by.iter().cloned())
                .collect();
            all.into_iter().collect()
        };
        let (up, down) = (holders(&migration.upgrade), holders(&migration.downgrade));
        let (way, all) = match (up.is_empty(), down.is_empty()) {
            (true, true) => return String::new(),
            (true, false) => ("downgrade", down),
            (false, _) => ("upgrade", up),
        };
        let names = all.join(", ");
        self.output.warn(&format!(
            "the server will refuse the {way} while {names} {} there; the revision says where",
            if all.len() == 1 { "is" } else { "are" }
        ));
        format!("   refused: the {way}, by what uses it and is not managed ({names})")
    }

    /// Tries a new revision in a scratch database.
    async fn prove(
        &mut self,
        comparison: &Comparison,
        file: &File,
        options: &Revision,
    ) -> Result<Proof, CliError> {
        if options.no_proof {
            return Ok(Proof::NotRun {
                reason: "--no-proof".to_owned(),
            });
        }
        let like = self.proof_settings(options.from.as_deref())?;
        let scratch = match self.scratch(like.as_ref()).await {
            Ok(it) => it,
            Err(error @ CliError::NotAllowed { .. }) => return Err(error),
            // The revision is as good as it was before; it only could not be tried.
            Err(error) => {
                let reason = error.line();
                self.output
                    .warn(&format!("the revision is not proven: {reason}"));
                return Ok(Proof::NotRun {
                    reason: "no scratch database".to_owned(),
                });
            }
        };
        let claim = Claim {
            current: &comparison.catalog,
            unmanaged: &comparison.unmanaged,
            desired: &comparison.desired,
            revision: file,
        };
        let proof = prove(&scratch, &claim).await?;
        match &proof {
            Proof::NotRun { reason } => self
                .output
                .warn(&format!("the revision is not proven: {reason}")),
            it => self.output.explain(&it.to_string()),
        }
        for note in proof.notes() {
            self.output.warn(&format!("proof: {note}"));
        }
        Ok(proof)
    }

    pub(super) fn merge(&mut self, options: &Merge) -> Result<Outcome, CliError> {
        self.require_hooks_allowed()?;
        let naming = self.naming()?;
        let history = self.history()?;
        let graph = &history.graph;
        let mut parents: Vec<RevisionId> = Vec::new();
        for target in &options.targets {
            for node in graph.get_all(&Selection::from(target.as_str()))? {
                if !parents.contains(&node.id) {
                    parents.push(node.id.clone());
                }
            }
        }
        if parents.len() < 2 {
            let found = parents
                .first()
                .map_or_else(|| "no revision is".to_owned(), |it| format!("only {it} is"));
            return Err(CliError::NothingToMerge { found });
        }
        check_heads(graph, &parents, options.splice)?;
        let names: Vec<_> = parents.iter().map(RevisionId::as_str).collect();
        let message = options
            .message
            .clone()
            .unwrap_or_else(|| format!("merge {}", names.join(" and ")));
        let mut header = Header::new(new_id(options.rev_id.as_deref())?, message.trim());
        header.branch_labels.clone_from(&options.branch_label);
        header.revises = parents;
        self.write(history, File::new(header), &naming, None)
    }

    /// What the models ask for; none if nothing.
    async fn generate(
        &mut self,
        history: &History,
        from: Option<&str>,
    ) -> Result<Option<(Comparison, Migration)>, CliError> {
        if from.is_none() {
            self.require_heads(history).await?;
        }
        let mut comparison = self.compare(from, None, Purpose::Revision).await?;
        let mut migration = migration(
            &comparison.catalog.schema,
            &comparison.desired,
            comparison.catalog.version,
        )?;
        if from.is_none() {
            self.state_attached(&mut comparison, &mut migration).await?;
        }
        for op in outline(&migration.ops) {
            self.output.say(&format!("Detected: {op}"));
        }
        for it in &comparison.unresolved {
            self.output.say(&unresolved_line(it));
        }
        CliError::unresolved(&comparison.unresolved)?;
        Ok((!migration.ops.is_empty()).then_some((comparison, migration)))
    }

    /// A database that lacks revisions would get them once more.
    async fn require_heads(&mut self, history: &History) -> Result<(), CliError> {
        let standing = self.runner(self.runner_options()).await?.current().await?;
        history.graph.applied(&standing.rows)?;
        if let Some(half_done) = standing.half_done {
            return Err(RunnerError::HalfDone(Box::new(half_done)).into());
        }
        let mut heads: Vec<_> = history
            .graph
            .real_heads()
            .into_iter()
            .map(|it| it.id.clone())
            .collect();
        heads.sort();
        if heads != standing.rows {
            return Err(CliError::NotUpToDate {
                rows: list(&standing.rows),
                heads: list(&heads),
            });
        }
        Ok(())
    }

    fn write(
        &mut self,
        mut history: History,
        mut file: File,
        naming: &FileNaming,
        folder: Option<&Path>,
    ) -> Result<Outcome, CliError> {
        let at = Timestamp::now();
        file.header.created = Some(naming.created(at));
        let path = history
            .directory
            .write(&file, NewFile { naming, at, folder })?;
        if self.output.json {
            let Header {
                revision, revises, ..
            } = &file.header;
            self.output.json(
                &serde_json::json!({ "revision": revision, "revises": revises, "path": path }),
            )?;
        } else {
            self.output.line(&path.display().to_string());
        }
        for hook in self.config.post_write_hooks.clone() {
            self.output
                .explain(&format!("running post-write hook {:?}", hook.name));
            self.run_hook(&hook, &path)?;
        }
        Ok(Outcome::Agree)
    }

    fn run_hook(&self, hook: &Hook, path: &Path) -> Result<(), CliError> {
        let fail = |what: String| CliError::Hook {
            name: hook.name.clone(),
            what,
            path: path.to_owned(),
        };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = absolute.display().to_string();
        let mut words: Vec<String> = hook
            .command
            .iter()
            .map(|it| it.replace("{file}", &file))
            .collect();
        if !hook.command.iter().any(|it| it.contains("{file}")) {
            words.push(file);
        }
        let cwd: PathBuf = self
            .config
            .resolve(hook.cwd.as_deref().unwrap_or(Path::new("")));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        if !cwd.as_os_str().is_empty() {
            command.current_dir(&cwd);
        }
        let output = command
            .output()
            .map_err(|error| fail(format!("cannot run {:?}: {error}", words[0])))?;
        if output.status.success() {
            return Ok(());
        }
        let said = if output.stderr.is_empty() {
            output.stdout
        } else {
            output.stderr
        };
        Err(fail(format!("failed ({}): {}", output.status, tail(&said))))
    }
}

fn new_id(given: Option<&str>) -> Result<RevisionId, CliError> {
    Ok(given.map_or_else(|| Ok(RevisionId::generate()), RevisionId::new)?)
}

/// How a new revision stands to the others.
struct Branching {
    parents: Vec<RevisionId>,
    labels: Vec<String>,
}

/// What a new revision follows, and the labels it begins a branch with. `--branch` of a label that is there narrows the
/// heads to that branch; one that is not there yet begins with the revision, as flask-alembic has it.
fn branching(graph: &RevisionGraph, options: &Revision) -> Result<Branching, CliError> {
    let mut labels = options.branch_label.clone();
    let heads: Vec<String> = match &options.branch {
        None if options.head.is_empty() => vec!["head".to_owned()],
        None => options.head.clone(),
        Some(branch) => match graph.labels().iter().find(|(label, _)| label == branch) {
            Some(_) if options.head.is_empty() => vec![format!("{branch}@head")],
            Some((_, root)) if options.head.iter().any(|it| it == "base") => {
                return Err(CliError::BranchExists {
                    branch: branch.clone(),
                    revision: root.id.to_string(),
                });
            }
            Some(_) => options
                .head
                .iter()
                .map(|it| format!("{branch}@{it}"))
                .collect(),
            None => {
                if !labels.contains(branch) {
                    labels.insert(0, branch.clone());
                }
                options.head.clone()
            }
        },
    };
    let mut parents: Vec<RevisionId> = Vec::new();
    for text in &heads {
        let nodes = match text.as_str() {
            "base" => Vec::new(),
            "head" => graph.current_head(None)?.into_iter().collect(),
            text => graph.get_all(&Selection::from(text))?,
        };
        for it in nodes {
            if !parents.contains(&it.id) {
                parents.push(it.id.clone());
            }
        }
    }
    check_heads(graph, &parents, options.splice)?;
    Ok(Branching { parents, labels })
}

fn check_heads(
    graph: &RevisionGraph,
    parents: &[RevisionId],
    splice: bool,
) -> Result<(), CliError> {
    let is_head = |it: &&RevisionId| {
        graph
            .relations(it.as_str())
            .is_some_and(|it| it.head.is_some())
    };
    match parents.iter().find(|it| !is_head(it)) {
        Some(it) if !splice => Err(CliError::NotAHead {
            revision: it.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Ids are written in full, labels as they are, since what carries a label may change.
fn dependencies(graph: &RevisionGraph, texts: &[String]) -> Result<Vec<Dependency>, CliError> {
    let labels = graph.labels();
    let mut dependencies = Vec::new();
    for text in texts {
        let (text, if_present) = match text.trim().strip_suffix(" if present") {
            Some(text) => (text.trim_end(), true),
            None => (text.as_str(), false),
        };
        let node = match graph.get(text) {
            // What may be missing may be missing here.
            Err(GraphError::NotFound { .. }) if if_present => None,
            found => found?,
        };
        let target = match node {
            Some(node) if !labels.iter().any(|(label, _)| *label == text) => node.id.to_string(),
            _ => text.to_owned(),
        };
        dependencies.push(Dependency { target, if_present });
    }
    Ok(dependencies)
}

/// What the header says of the upgrade's hazards, each with how often it is stated: `hazards 2 (1 deletes-data, 1 may-fail)`.
pub(super) fn review<H: Display>(hazards: &BTreeMap<H, usize>) -> String {
    let sum: usize = hazards.values().sum();
    let kinds: Vec<_> = hazards.iter().map(|(it, n)| format!("{n} {it}")).collect();
    if kinds.is_empty() {
        format!("hazards {sum}")
    } else {
        format!("hazards {sum} ({})", kinds.join(", "))
    }
}

fn list(ids: &[RevisionId]) -> String {
    match ids {
        [] => "base".to_owned(),
        ids => ids
            .iter()
            .map(RevisionId::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}
