//! `squash`: several revisions become one, which is proven to do what they did before any file is changed.

mod join;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use limbeck_catalog::{
    Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired, read_facts,
};
use limbeck_plan::migration;
use limbeck_revision::graph::{Direction, Node, Squash as Range};
use limbeck_revision::{
    Checksums, Header, NewFile, Revision as File, RevisionId, Segment, Timestamp,
};
use limbeck_runner::{
    History, Proof, Runner, Scratch, SquashClaim, check_replay, prove_squash, same_rows,
};
use limbeck_schema::variables::used;
use limbeck_schema::{Desired, Scope};
use sqlx::Connection;

use super::Outcome;
use super::revision::{NEW_FILE, review};
use crate::args::Squash;
use crate::context::Context;
use crate::error::CliError;
use crate::read_back::check_revision;
use crate::variables::{plain_segments, plain_statements};

/// How many remarks on what is not managed a reason has room for.
const SHOWN_DIFFERENCES: usize = 3;

/// Scratch databases before and after the revisions of the range.
struct Stages {
    before: Scratch,
    after: Scratch,
    read: ReadOptions,
}

/// A squashed revision that holds.
struct Squashed {
    file: File,
    form: Form,
    proof: Proof,
}

/// Where its SQL comes from.
enum Form {
    /// Planned from the state before the range to the state after it.
    Planned,
    /// The members' own, one after the other, with the reason.
    Kept(String),
}

/// What became of the files.
struct Written {
    path: PathBuf,
    removed: Vec<PathBuf>,
}

impl Context<'_> {
    pub(super) async fn squash(&mut self, options: &Squash) -> Result<Outcome, CliError> {
        // Whatever can be refused is refused before anything is tried.
        let naming = self.naming()?;
        let mut history = self.history()?;
        let asks = options.range.split(':').any(|it| it.trim() == "current");
        let rows = if asks {
            self.runner(self.runner_options()).await?.rows().await?
        } else {
            Vec::new()
        };
        let range = history.graph.squash(&options.range, &rows)?;
        let mut old = Vec::new();
        for it in &range.members {
            history.directory.file(it)?;
            old.push(history.directory.read(it)?);
        }
        let at = Timestamp::now();
        let mut header = header(&range, &old, options.message.as_deref());
        header.created = Some(naming.created(at));
        let squashed = self
            .prove_range(options, &history, &range, &old, &header)
            .await?;
        let file = seal(squashed.file, &squashed.proof, &old);
        for note in squashed.proof.notes() {
            self.output.warn(&format!("proof: {note}"));
        }
        self.output.say(&match &squashed.form {
            Form::Planned => "The SQL is planned anew: the revisions hold definitions alone, and the plan leads to the \
                              same state and rows."
                .to_owned(),
            Form::Kept(why) => format!("The revisions' own SQL is kept, one after the other: {why}."),
        });
        let written = if options.dry_run {
            None
        } else {
            let gone = &range.members[..range.members.len() - 1];
            let new = NewFile {
                naming: &naming,
                at,
                folder: None,
            };
            let (path, removed) = history.directory.squash(&file, gone, new)?;
            Some(Written { path, removed })
        };
        self.say_squashed(&file, &squashed.form, &squashed.proof, written)?;
        Ok(Outcome::Agree)
    }

    /// Makes the squashed revision in the form that holds.
    async fn prove_range(
        &mut self,
        options: &Squash,
        history: &History,
        range: &Range,
        old: &[File],
        header: &Header,
    ) -> Result<Squashed, CliError> {
        let stages = self.stages(history, range).await?;
        let why = if options.keep_sql {
            "--keep-sql asks for it".to_owned()
        } else if uses_variables(old) {
            "they have variables, of which a plan would know only the values".to_owned()
        } else {
            let run: Result<Vec<_>, _> = range.members.iter().map(|it| history.read(it)).collect();
            match planned(&stages, history, &run?, header).await? {
                Ok(it) => return Ok(it),
                Err(why) => why,
            }
        };
        let mut file = File::new(header.clone());
        (file.upgrade, file.downgrade) = join::join(old);
        let [up, down] = join::expected(old);
        let file = check_revision(&file, Path::new(NEW_FILE), &up, &down)?;
        let run = history.expand(file.clone(), Path::new(NEW_FILE))?;
        match stages.prove(&run).await? {
            proof @ Proof::Held { .. } => Ok(Squashed {
                file,
                form: Form::Kept(why),
                proof,
            }),
            proof => Err(CliError::NotSquashed {
                proof: proof.to_string(),
            }),
        }
    }

    /// Brings one scratch database to the state before the range, and a copy of it to the state after it.
    async fn stages(&mut self, history: &History, range: &Range) -> Result<Stages, CliError> {
        let like = self.proof_settings(None)?;
        let before = self.scratch(like.as_ref()).await?;
        let mut conn = before.connect().await?;
        let last = range.members.last().map_or("base", RevisionId::as_str);
        let steps = history.graph.upgrade(last, &[])?;
        check_replay(&mut conn, history, &steps, &[Direction::Upgrade]).await?;
        let members: Vec<_> = steps
            .into_iter()
            .filter(|it| range.members.contains(&it.revision))
            .collect();
        check_replay(&mut conn, history, &members, &[Direction::Downgrade]).await?;
        let mut runner = Runner::in_scratch(&before, conn, self.runner_options()).await?;
        // Both databases are to have Limbeck's tables, or none of them.
        runner.ensure_version().await?;
        self.run_all(&mut runner, history, &range.before).await?;
        let _ = runner.into_connection().close().await;
        let after = before.copy().await?;
        let conn = after.connect().await?;
        let mut runner = Runner::in_scratch(&after, conn, self.runner_options()).await?;
        self.run_all(&mut runner, history, &range.members).await?;
        let mut conn = runner.into_connection();
        let read = self.read_options(&mut conn).await?;
        let _ = conn.close().await;
        Ok(Stages {
            before,
            after,
            read,
        })
    }

    async fn run_all(
        &mut self,
        runner: &mut Runner,
        history: &History,
        ids: &[RevisionId],
    ) -> Result<(), CliError> {
        for id in ids {
            let output = &mut self.output;
            let say = &mut |event: limbeck_runner::Event<'_>| output.explain_event(&event);
            let done = runner.upgrade(history, id.as_str(), say).await;
            done.map_err(|source| CliError::SquashReplay {
                source: Box::new(source),
            })?;
        }
        Ok(())
    }

    fn say_squashed(
        &mut self,
        file: &File,
        form: &Form,
        proof: &Proof,
        written: Option<Written>,
    ) -> Result<(), CliError> {
        let Header {
            revision,
            replaces,
            revises,
            ..
        } = &file.header;
        if self.output.json {
            let (form, why) = match form {
                Form::Planned => ("planned", None),
                Form::Kept(why) => ("kept", Some(why)),
            };
            let text = written.is_none().then(|| file.render());
            let (path, removed) = match written {
                Some(it) => (Some(it.path), it.removed),
                None => (None, Vec::new()),
            };
            return self.output.json(&serde_json::json!({
                "revision": revision,
                "revises": revises,
                "replaces": replaces,
                "form": form,
                "why": why,
                "proof": proof.to_string(),
                "path": path,
                "removed": removed,
                "text": text,
            }));
        }
        let Some(Written { path, removed }) = written else {
            self.output.file(&file.render());
            self.output.say("Nothing is changed.");
            return Ok(());
        };
        self.output.line(&format!("squashed {}", path.display()));
        for it in removed {
            self.output.line(&format!("removed {}", it.display()));
        }
        let within: Vec<_> = replaces.iter().map(RevisionId::as_str).collect();
        let within = match within.as_slice() {
            [others @ .., last] if !others.is_empty() => {
                format!("{} or {last}", others.join(", "))
            }
            few => few.concat(),
        };
        self.output.say(&format!(
            "Databases at {revision} or past it have it already. One at {within} has to be brought to {revision} first, with \
             the files from before."
        ));
        Ok(())
    }
}

impl Stages {
    async fn prove(&self, revision: &File) -> Result<Proof, CliError> {
        let Self {
            before,
            after,
            read,
        } = self;
        Ok(prove_squash(&SquashClaim {
            before,
            after,
            revision,
            read,
        })
        .await?)
    }
}

/// Whether any of the files refers to a variable.
fn uses_variables(files: &[File]) -> bool {
    let mut segments = files
        .iter()
        .flat_map(|it| it.upgrade.iter().chain(&it.downgrade));
    segments.any(|it| !used(&it.text).is_empty())
}

/// The revision with SQL that is planned anew; `old` are the members as they are run. Or why there can be none that does all that the members did.
async fn planned(
    stages: &Stages,
    history: &History,
    old: &[File],
    header: &Header,
) -> Result<Result<Squashed, String>, CliError> {
    if let Some(why) = join::beyond_plans(old) {
        return Ok(Err(why));
    }
    let read = &stages.read;
    let mut conn = stages.before.connect().await?;
    let mut goal = stages.after.connect().await?;
    let differs = Unmanaged::differences(
        &stages.before.unmanaged(&mut conn).await?,
        &stages.after.unmanaged(&mut goal).await?,
    );
    if !differs.is_empty() {
        let shown: Vec<_> = differs.iter().take(SHOWN_DIFFERENCES).cloned().collect();
        let objects = shown.join("; ");
        return Ok(Err(format!(
            "they change what is not managed ({objects} before them)"
        )));
    }
    let desired = Desired {
        schema: Catalog::read(&mut goal, read).await?.schema,
        scope: Scope::everything(),
        ..Desired::default()
    };
    let options = CompareOptions {
        read: read.clone(),
        ..CompareOptions::default()
    };
    let mut compared = compare_desired(&mut conn, desired, &options).await?;
    compared.desired.facts = read_facts(
        &mut conn,
        &compared.catalog,
        &compared.desired,
        &compared.ops,
    )
    .await?;
    for it in [conn, goal] {
        let _ = it.close().await;
    }
    let (current, version) = (&compared.catalog.schema, compared.catalog.version);
    let plan = match migration(current, &compared.desired, version) {
        Ok(it) => it,
        Err(error) => return Ok(Err(format!("no plan leads to the same state, {error}"))),
    };
    let mut file = File::new(header.clone());
    file.upgrade = plain_segments(&plan.upgrade);
    file.downgrade = plain_segments(&plan.downgrade);
    let [up, down] = [&plan.upgrade, &plan.downgrade].map(plain_statements);
    let file = check_revision(&file, Path::new(NEW_FILE), &up, &down)?;
    let run = history.expand(file.clone(), Path::new(NEW_FILE))?;
    if let Some(why) = same_rows(&stages.before, old, &run, &read.own_tables).await? {
        return Ok(Err(format!("a plan may not do the same to rows, {why}")));
    }
    Ok(match stages.prove(&run).await? {
        proof @ Proof::Held { .. } => Ok(Squashed {
            file,
            form: Form::Planned,
            proof,
        }),
        proof => Err(format!("the plan does not hold, {proof}")),
    })
}

/// The header but for what is found out later. Without a message of its own it lists the members, whose files go.
fn header(range: &Range, old: &[File], message: Option<&str>) -> Header {
    let id = range
        .members
        .last()
        .or(old.last().map(|it| &it.header.revision));
    let listed = || {
        let lines = old.iter().map(|it| {
            let node = Node::from(&it.header);
            match node.title() {
                title if title.is_empty() => format!("  {}", node.id),
                title => format!("  {}, {title}", node.id),
            }
        });
        let ends = [range.members.first(), range.members.last()]
            .map(|it| it.map_or("", RevisionId::as_str));
        let lines: Vec<_> = lines.collect();
        format!("Squash {} to {}\n\n{}", ends[0], ends[1], lines.join("\n"))
    };
    let message = message.map_or_else(listed, |it| it.trim().to_owned());
    let mut header = Header::new(id.cloned().unwrap_or_else(RevisionId::generate), message);
    header.revises.clone_from(&range.revises);
    header.branch_labels.clone_from(&range.labels);
    header.depends_on.clone_from(&range.depends_on);
    header.replaces.clone_from(&range.replaces);
    header
}

/// Adds what was found out: the review, and the checksums that databases past the revision may have in their logs.
fn seal(mut file: File, proof: &Proof, old: &[File]) -> File {
    file.header.review = Some(format!("{}   {proof}", review(&hazards(&file))));
    let last = old.last();
    let mut was: Vec<String> = last
        .and_then(|it| it.header.checksum.clone())
        .map_or_else(Vec::new, |it| it.was);
    was.extend(last.map(File::checksum));
    let was = was.iter().map(String::as_str);
    file.header.checksum = Some(Checksums::new(&file.checksum(), was));
    file
}

/// The hazards of the upgrade, counted from its comments.
fn hazards(file: &File) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for hazard in file.upgrade.iter().flat_map(Segment::hazards) {
        if let Some((hazard, _)) = hazard.split_once(':') {
            *counts.entry(hazard).or_default() += 1;
        }
    }
    counts
}
