//! `rebase` and `remove`: revisions that are not applied yet find another place, or go.

use std::collections::BTreeSet;

use limbeck_revision::graph::{GraphError, Node, Rebase as Moves, Removal, RevisionGraph};
use limbeck_revision::{FieldChange, RevisionId};
use limbeck_runner::History;

use super::Outcome;
use crate::args::{Rebase, Remove};
use crate::context::Context;
use crate::error::CliError;

impl Context<'_> {
    pub(super) async fn rebase(&mut self, options: &Rebase) -> Result<Outcome, CliError> {
        let mut history = self.history()?;
        let graph = history.graph.clone();
        let applied = self.applied(&graph, options.unchecked).await?;
        let (tip, onto) = ends(&graph, options, &applied)?;
        let moves = graph.rebase(&tip, &onto)?;
        if let Some(revision) = moves.moved.iter().find(|it| applied.contains(*it)) {
            return Err(in_force(&graph, revision));
        }
        for (id, parents) in &moves.relinked {
            history
                .directory
                .change(id, FieldChange::Revises(parents))?;
        }
        let after = History::new(history.directory)?.graph;
        self.say_moves(&graph, &after, &moves)?;
        Ok(Outcome::Agree)
    }

    /// The files that changed, as `history` shows their revisions now, and what a person should look at.
    fn say_moves(
        &mut self,
        before: &RevisionGraph,
        after: &RevisionGraph,
        moves: &Moves,
    ) -> Result<(), CliError> {
        let old = |id: &RevisionId| -> &[RevisionId] {
            before
                .node(id.as_str())
                .map_or(&[], |it| it.down.as_slice())
        };
        if self.output.json {
            let relinked: Vec<_> = moves
                .relinked
                .iter()
                .map(|(id, parents)| {
                    serde_json::json!({ "revision": id, "from": old(id), "revises": parents })
                })
                .collect();
            let Moves { moved, passed, .. } = moves;
            return self.output.json(
                &serde_json::json!({ "moved": moved, "relinked": relinked, "passed": passed }),
            );
        }
        for (id, parents) in &moves.relinked {
            let line = format!("{id}: revises {}, was {}", list(parents), list(old(id)));
            self.output.line(&line);
        }
        self.output
            .say("The revisions that moved now run after these:");
        for node in moves.passed.iter().filter_map(|it| after.node(it.as_str())) {
            self.output.say(&format!("    {}", titled(node)));
        }
        self.output.say(
            "Look whether both sides change the same objects: what moved was written without the others. Then \
             `limbeck verify`, and `limbeck upgrade`.",
        );
        Ok(())
    }

    pub(super) async fn remove(&mut self, options: &Remove) -> Result<Outcome, CliError> {
        let mut history = self.history()?;
        let graph = history.graph.clone();
        let Some(node) = graph.get(&options.revision)? else {
            return Err(GraphError::NotFound {
                text: options.revision.clone(),
            }
            .into());
        };
        let applied = self.applied(&graph, options.unchecked).await?;
        if applied.contains(&node.id) {
            return Err(in_force(&graph, &node.id));
        }
        let Removal { relinked, labels } = graph.removal(node.id.as_str())?;
        // The children first: if this ends half way, the revision is a head of its own, and can be removed again.
        for (id, parents) in &relinked {
            history
                .directory
                .change(id, FieldChange::Revises(parents))?;
        }
        let removed = history.directory.remove(&node.id)?;
        if let Some((id, labels)) = &labels {
            history
                .directory
                .change(id, FieldChange::BranchLabels(labels))?;
        }
        if self.output.json {
            let relinked: Vec<_> = relinked
                .iter()
                .map(|(id, parents)| serde_json::json!({ "revision": id, "revises": parents }))
                .collect();
            let revision = &node.id;
            self.output.json(
                &serde_json::json!({ "removed": revision, "path": removed.path, "relinked": relinked }),
            )?;
        } else {
            self.output
                .line(&format!("removed {}", removed.path.display()));
            for (id, parents) in &relinked {
                self.output
                    .line(&format!("{id}: revises {}, was {}", list(parents), node.id));
            }
            if let Some((id, labels)) = &labels {
                self.output
                    .line(&format!("{id}: branch labels {}", labels.join(", ")));
            }
        }
        if !node.depends_on.is_empty() && !relinked.is_empty() {
            let needed: Vec<_> = node.depends_on.iter().map(ToString::to_string).collect();
            self.output.say(&format!(
                "{} depended on {}; add that to what followed it, if it needs it",
                node.id,
                needed.join(", ")
            ));
        }
        Ok(Outcome::Agree)
    }

    /// The revisions that the database has; none if nobody is to ask it.
    async fn applied(
        &mut self,
        graph: &RevisionGraph,
        unchecked: bool,
    ) -> Result<BTreeSet<RevisionId>, CliError> {
        if unchecked {
            self.output.warn(
                "the database is not asked; a database that has the revision would not fit its files any more",
            );
            return Ok(BTreeSet::new());
        }
        if matches!(self.settings(), Err(CliError::NoUrl)) {
            self.output.say(
                "The database is asked what is applied to it; with --unchecked it is not asked.",
            );
        }
        let rows = self.runner(self.runner_options()).await?.rows().await?;
        Ok(graph.applied(&rows)?)
    }
}

/// The head to move and the one to move it onto.
fn ends(
    graph: &RevisionGraph,
    options: &Rebase,
    applied: &BTreeSet<RevisionId>,
) -> Result<(String, String), CliError> {
    if let (Some(tip), Some(onto)) = (&options.revision, &options.onto) {
        return Ok((tip.clone(), onto.clone()));
    }
    let trouble = |problem: String| CliError::RebaseWhat { problem };
    if let Some(tip) = &options.revision {
        let siblings = names(&graph.siblings(tip)?);
        return match siblings.as_slice() {
            [onto] => Ok((tip.clone(), onto.clone())),
            [] => Err(trouble(format!(
                "no other head shares a revision with {tip}; `limbeck heads` lists them"
            ))),
            several => Err(trouble(format!(
                "it could go onto {}; name one by --onto",
                several.join(" or ")
            ))),
        };
    }
    let mut pairs = Vec::new();
    for tip in names(&graph.heads()) {
        for onto in names(&graph.siblings(&tip)?) {
            let free = |it: &Moves| it.moved.iter().all(|it| !applied.contains(it));
            let wanted = options.onto.as_ref().is_none_or(|it| onto.starts_with(it));
            if wanted && graph.rebase(&tip, &onto).is_ok_and(|it| free(&it)) {
                pairs.push((tip.clone(), onto));
            }
        }
    }
    match pairs.as_slice() {
        [pair] => Ok(pair.clone()),
        [] => Err(trouble(
            "no two heads share a revision and have one side that is not applied; `limbeck heads` lists them, and \
             `limbeck merge` brings them together"
                .to_owned(),
        )),
        several => {
            let ways: Vec<_> = several
                .iter()
                .map(|(tip, onto)| format!("`limbeck rebase {tip} --onto {onto}`"))
                .collect();
            Err(trouble(format!(
                "it could be {}; move those that nobody else has",
                ways.join(" or ")
            )))
        }
    }
}

fn names(nodes: &[&Node]) -> Vec<String> {
    nodes.iter().map(|it| it.id.to_string()).collect()
}

/// The refusal to touch a revision that is applied.
fn in_force(graph: &RevisionGraph, revision: &RevisionId) -> CliError {
    let below = graph.node(revision.as_str()).and_then(|it| it.down.first());
    CliError::Applied {
        revision: revision.to_string(),
        below: below.map_or_else(|| "base".to_owned(), ToString::to_string),
    }
}

fn titled(node: &Node) -> String {
    let path = node
        .path
        .as_ref()
        .map_or_else(String::new, |it| format!(" ({})", it.display()));
    match node.title() {
        title if title.is_empty() => format!("{}{path}", node.id),
        title => format!("{}, {title}{path}", node.id),
    }
}

fn list(ids: &[RevisionId]) -> String {
    match ids {
        [] => "<base>".to_owned(),
        ids => ids
            .iter()
            .map(RevisionId::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}
