//! How revisions are printed: the one-line forms and the block of Alembic's commands, so that what greps its output
//! works here (`Script.cmd_format`, `Script.log_entry`).

use std::collections::BTreeSet;

use super::error::comma;
use super::{Head, Node, Relations, RevisionGraph};
use crate::ids::RevisionId;

/// Which parts a line has besides the id and its `(head)`, `(effective head)` and `(current)` marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// `REV (labels) (head)`, as `heads` prints.
    Heads,
    /// `DOWN (DEPS) -> REV (labels) (head) (branchpoint) (mergepoint), doc`, as `history` prints.
    History,
    /// `REV (head) (branchpoint) (mergepoint)`, as `current` prints.
    Current,
    /// `REV (labels) (head) (branchpoint) (mergepoint)`, as `branches` prints.
    Branches,
    /// The same with its title, as `branches` prints the children when verbose.
    BranchesWithTitle,
}

impl LineFormat {
    fn labels(self) -> bool {
        self != Self::Current
    }

    fn parents(self) -> bool {
        self == Self::History
    }

    fn tree(self) -> bool {
        self != Self::Heads
    }

    fn title(self) -> bool {
        matches!(self, Self::History | Self::BranchesWithTitle)
    }
}

impl RevisionGraph {
    /// One line about a revision. `current` are the revisions to mark as such; none unless the caller was asked to.
    #[must_use]
    pub fn line(&self, node: &Node, format: LineFormat, current: &BTreeSet<RevisionId>) -> String {
        let Some(Relations {
            down,
            labels,
            head,
            branch_point,
            merge_point,
            ..
        }) = self.relations(node.id.as_str())
        else {
            return node.id.to_string();
        };
        let mut line = String::new();
        if format.parents() {
            line.push_str(&names(&down));
            line.push_str(&parenthesised(&self.declared_dependencies(node)));
            line.push_str(" -> ");
        }
        line.push_str(node.id.as_str());
        if format.labels() {
            line.push_str(&parenthesised(&labels));
        }
        line.push_str(match head {
            Some(Head::Real) => " (head)",
            Some(Head::Effective) => " (effective head)",
            None => "",
        });
        line.push_str(mark(current.contains(&node.id), " (current)"));
        if format.tree() {
            line.push_str(mark(branch_point, " (branchpoint)"));
            line.push_str(mark(merge_point, " (mergepoint)"));
        }
        let title = node.title();
        if format.title() && !title.is_empty() {
            line.push_str(", ");
            line.push_str(&title);
        }
        line
    }

    /// The block about a revision that `show` and the verbose commands print, with a line end after its text.
    #[must_use]
    pub fn block(&self, node: &Node, current: &BTreeSet<RevisionId>) -> String {
        let Some(Relations {
            down,
            next,
            labels,
            head,
            branch_point,
            merge_point,
            ..
        }) = self.relations(node.id.as_str())
        else {
            return format!("Rev: {}\n", node.id);
        };
        let mut block = format!(
            "Rev: {}{}{}{}{}\n",
            node.id,
            mark(head.is_some(), " (head)"),
            mark(branch_point, " (branchpoint)"),
            mark(merge_point, " (mergepoint)"),
            mark(current.contains(&node.id), " (current)"),
        );
        let mut field = |name: &str, value: &str| {
            block.push_str(name);
            block.push_str(": ");
            block.push_str(value);
            block.push('\n');
        };
        field(if merge_point { "Merges" } else { "Parent" }, &names(&down));
        let dependencies = self.declared_dependencies(node);
        if !dependencies.is_empty() {
            field("Also depends on", &comma(&dependencies));
        }
        if !node.replaces.is_empty() {
            field("Replaces", &comma(&node.replaces));
        }
        if branch_point {
            field("Branches into", &names(&next));
        }
        if !labels.is_empty() {
            field("Branch names", &comma(&labels));
        }
        if let Some(path) = &node.path {
            field("Path", &path.display().to_string());
        }
        block.push('\n');
        for line in node.doc.trim().lines() {
            block.push_str(format!("    {line}").trim_end());
            block.push('\n');
        }
        block
    }

    /// Every branch point with the lines of its children and an empty one below it, as `branches` prints them.
    #[must_use]
    pub fn branches(&self, verbose: bool) -> Vec<String> {
        let none = BTreeSet::new();
        let below = if verbose {
            LineFormat::BranchesWithTitle
        } else {
            LineFormat::Branches
        };
        let order = self.newest_first(
            &self.ancestors(&self.heads, super::walk::Along::Dependencies),
            &self.heads,
        );
        let mut lines = Vec::new();
        for index in order
            .into_iter()
            .filter(|&it| self.links[it].next.len() > 1)
        {
            let node = &self.nodes[index];
            lines.push(if verbose {
                self.block(node, &none)
            } else {
                self.line(node, LineFormat::Branches, &none)
            });
            let indent = " ".repeat(node.id.as_str().chars().count());
            for child in self.pick(&self.links[index].next) {
                lines.push(format!("{indent} -> {}", self.line(child, below, &none)));
            }
            lines.push(String::new());
        }
        lines
    }

    /// The dependencies as the file names them, but for optional ones that are absent.
    fn declared_dependencies<'n>(&self, node: &'n Node) -> Vec<&'n str> {
        node.depends_on
            .iter()
            .map(|it| it.target.as_str())
            .filter(|it| self.keys.contains_key(*it))
            .collect()
    }
}

fn names(nodes: &[&Node]) -> String {
    if nodes.is_empty() {
        return "<base>".to_owned();
    }
    comma(&nodes.iter().map(|it| it.id.as_str()).collect::<Vec<_>>())
}

fn parenthesised(items: &[&str]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!(" ({})", comma(items))
    }
}

fn mark(holds: bool, text: &'static str) -> &'static str {
    if holds { text } else { "" }
}
