//! `current`, `heads`, `history`, `branches` and `show`: what there is and where the database is, as Alembic prints it.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_revision::graph::{Head, LineFormat, Node, RevisionGraph, Selection};
use limbeck_revision::{Dependency, RevisionError, RevisionId};
use limbeck_runner::{Current as Standing, History as Revisions, RunnerError};
use serde::Serialize;

use super::Outcome;
use crate::args::{Current, Heads, History, HistoryFormat, Show};
use crate::context::Context;
use crate::error::CliError;

/// A revision as JSON.
#[derive(Debug, Serialize)]
struct Listed<'g> {
    revision: &'g RevisionId,
    revises: &'g [RevisionId],
    depends_on: &'g [Dependency],
    replaces: &'g [RevisionId],
    branch_labels: Vec<&'g str>,
    /// `head`, `effective head`, or null.
    head: Option<&'static str>,
    branch_point: bool,
    merge_point: bool,
    current: bool,
    message: &'g str,
    path: Option<String>,
}

impl Context<'_> {
    pub(super) async fn current(&mut self, options: &Current) -> Result<Outcome, CliError> {
        let standing = self.runner(self.runner_options()).await?.current().await?;
        if let Some(it) = &standing.half_done {
            self.output.say(&format!(
                "warning: {}",
                RunnerError::HalfDone(Box::new(it.clone()))
            ));
        }
        let revisions = match self.history() {
            // Where the database is can be said without the files.
            Err(CliError::Runner(RunnerError::Revision(RevisionError::MissingFolder { path })))
                if !options.check_heads =>
            {
                self.output.say(&format!(
                    "warning: there is no revision folder {}",
                    path.display()
                ));
                for row in &standing.rows {
                    self.output.line(row.as_str());
                }
                return Ok(Outcome::Agree);
            }
            found => found?,
        };
        let graph = &revisions.graph;
        // A row that no file has is named as such.
        graph.applied(&standing.rows)?;
        let nodes = graph.all_current(&Selection::from(standing.rows.as_slice()))?;
        if self.output.json {
            self.print(
                graph,
                &nodes,
                &standing.rows.iter().cloned().collect(),
                LineFormat::Current,
            )?;
        } else if self.output.verbose {
            self.explain_current(&revisions, &nodes, &standing)?;
        } else {
            self.print(graph, &nodes, &BTreeSet::new(), LineFormat::Current)?;
            // Where the database is can be said without reading every file.
            for it in standing.changed(&revisions).unwrap_or_default() {
                self.output.warn(&it);
            }
        }
        let heads: BTreeSet<_> = graph.real_heads().iter().map(|it| &it.id).collect();
        if options.check_heads && heads != standing.rows.iter().collect() {
            self.output
                .say("Database is not on all head revisions; run `limbeck upgrade`");
            return Ok(Outcome::Differ);
        }
        Ok(Outcome::Agree)
    }

    /// The blocks of the current revisions, with what the log says of them, and the files that changed since.
    fn explain_current(
        &mut self,
        revisions: &Revisions,
        nodes: &[&Node],
        standing: &Standing,
    ) -> Result<(), CliError> {
        for node in nodes {
            let mut block = revisions.graph.block(node, &BTreeSet::new());
            if let Some(it) = standing.log.get(node.id.as_str()) {
                block.push_str(&format!(
                    "\n    {}: {} by {}, took {:.3} s",
                    it.direction, it.finished, it.by, it.seconds
                ));
            }
            self.output.block(&block);
        }
        for it in standing.changed(revisions)? {
            self.output.warn(&it);
        }
        Ok(())
    }

    pub(super) fn list_heads(&mut self, options: &Heads) -> Result<Outcome, CliError> {
        let graph = self.history()?.graph;
        let nodes = if options.resolve_dependencies {
            graph.real_heads()
        } else {
            graph.heads()
        };
        self.print(&graph, &nodes, &BTreeSet::new(), LineFormat::Heads)?;
        if !options.single {
            return Ok(Outcome::Agree);
        }
        let several = heads_beside_each_other(&graph);
        for (branch, heads) in &several {
            let of = branch
                .as_ref()
                .map_or_else(String::new, |it| format!(" of branch {it}"));
            self.output.error(&format!(
                "there are {} heads{of}; run `limbeck rebase` if the revisions of one are not applied yet, else `limbeck \
                 merge {}`",
                heads.len(),
                heads.join(" ")
            ));
        }
        Ok(if several.is_empty() {
            Outcome::Agree
        } else {
            Outcome::Differ
        })
    }

    pub(super) async fn list_history(&mut self, options: &History) -> Result<Outcome, CliError> {
        let graph = self.history()?.graph;
        let range = options.rev_range.as_deref();
        // The database is asked only where it matters, so that history works without one.
        let asks = options.indicate_current
            || range.is_some_and(|it| it.split(':').any(|it| it.trim() == "current"));
        let rows = if asks {
            self.runner(self.runner_options()).await?.rows().await?
        } else {
            Vec::new()
        };
        graph.applied(&rows)?;
        let nodes = graph.history(range, &rows)?;
        let current = if options.indicate_current {
            rows.into_iter().collect()
        } else {
            BTreeSet::new()
        };
        match options.format {
            Some(HistoryFormat::Dot) => self.output.text(&graph.dot(&nodes)),
            Some(HistoryFormat::Mermaid) => self.output.text(&graph.mermaid(&nodes)),
            Some(HistoryFormat::Json) => self.output.json = true,
            None => {}
        }
        if options.graph && !self.output.json {
            let verbose = self.output.verbose;
            let text = |node: &Node| {
                if verbose {
                    graph.block(node, &current)
                } else {
                    graph.line(node, LineFormat::History, &current)
                }
            };
            for line in graph.draw(&nodes, text) {
                self.output.block(&line);
            }
        } else if matches!(options.format, None | Some(HistoryFormat::Json)) {
            self.print(&graph, &nodes, &current, LineFormat::History)?;
        }
        Ok(Outcome::Agree)
    }

    pub(super) fn branches(&mut self) -> Result<Outcome, CliError> {
        let graph = self.history()?.graph;
        if self.output.json {
            let points: Vec<_> = graph
                .nodes()
                .iter()
                .filter(|it| {
                    graph
                        .relations(it.id.as_str())
                        .is_some_and(|it| it.branch_point)
                })
                .collect();
            self.print(&graph, &points, &BTreeSet::new(), LineFormat::Branches)?;
            return Ok(Outcome::Agree);
        }
        for line in graph.branches(self.output.verbose) {
            self.output.block(&line);
        }
        Ok(Outcome::Agree)
    }

    pub(super) async fn show(&mut self, options: &Show) -> Result<Outcome, CliError> {
        let graph = self.history()?.graph;
        let nodes = self.named(&graph, &options.revisions).await?;
        self.output.verbose = true;
        self.print(&graph, &nodes, &BTreeSet::new(), LineFormat::History)?;
        Ok(Outcome::Agree)
    }

    /// The revisions that texts name; `current` are the database's.
    pub(super) async fn named<'g>(
        &mut self,
        graph: &'g RevisionGraph,
        texts: &[String],
    ) -> Result<Vec<&'g Node>, CliError> {
        let mut nodes: Vec<&Node> = Vec::new();
        for text in texts {
            let selection = if text == "current" {
                let rows = self.runner(self.runner_options()).await?.rows().await?;
                graph.applied(&rows)?;
                Selection::from(rows.as_slice())
            } else {
                Selection::from(text.as_str())
            };
            for node in graph.get_all(&selection)? {
                if !nodes.iter().any(|it| it.id == node.id) {
                    nodes.push(node);
                }
            }
        }
        Ok(nodes)
    }

    /// Prints revisions as JSON, as blocks, or a line each.
    fn print(
        &mut self,
        graph: &RevisionGraph,
        nodes: &[&Node],
        current: &BTreeSet<RevisionId>,
        format: LineFormat,
    ) -> Result<(), CliError> {
        if self.output.json {
            let listed: Vec<_> = nodes.iter().map(|it| listed(graph, it, current)).collect();
            return self.output.json(&listed);
        }
        for node in nodes {
            let text = if self.output.verbose {
                graph.block(node, current)
            } else {
                graph.line(node, format, current)
            };
            self.output.block(&text);
        }
        Ok(())
    }
}

/// Heads that ought to be one: several of one labelled branch, or several outside of such branches. A branch within a
/// branch that has a label of its own is meant to stand beside the other.
fn heads_beside_each_other(graph: &RevisionGraph) -> Vec<(Option<String>, Vec<String>)> {
    let mut groups: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for node in graph.heads() {
        let labels = graph
            .relations(node.id.as_str())
            .map(|it| it.labels)
            .unwrap_or_default();
        groups.entry(labels).or_default().push(node.id.to_string());
    }
    let several = groups.into_iter().filter(|(_, heads)| heads.len() > 1);
    several
        .map(|(labels, heads)| ((!labels.is_empty()).then(|| labels.join(", ")), heads))
        .collect()
}

fn listed<'g>(
    graph: &'g RevisionGraph,
    node: &'g Node,
    current: &BTreeSet<RevisionId>,
) -> Listed<'g> {
    let relations = graph.relations(node.id.as_str());
    let head = relations
        .as_ref()
        .and_then(|it| it.head)
        .map(|it| match it {
            Head::Real => "head",
            Head::Effective => "effective head",
        });
    Listed {
        revision: &node.id,
        revises: &node.down,
        depends_on: &node.depends_on,
        replaces: &node.replaces,
        head,
        branch_point: relations.as_ref().is_some_and(|it| it.branch_point),
        merge_point: relations.as_ref().is_some_and(|it| it.merge_point),
        branch_labels: relations.map(|it| it.labels).unwrap_or_default(),
        current: current.contains(&node.id),
        message: &node.doc,
        path: node.path.as_ref().map(|it| it.display().to_string()),
    }
}
