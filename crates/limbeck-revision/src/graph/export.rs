//! The history in the languages of programs that draw graphs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Node, RevisionGraph};

impl RevisionGraph {
    /// `nodes` as a graph in Graphviz's DOT language (<https://graphviz.org/doc/info/lang.html>): an arrow from each
    /// revision to those it follows, a dashed one to those it depends on.
    #[must_use]
    pub fn dot(&self, nodes: &[&Node]) -> String {
        let mut out =
            String::from("digraph revisions {\n    rankdir = BT;\n    node [shape = box];\n");
        for node in nodes {
            let label = quoted(&self.caption(node, "\n")).replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _ = writeln!(out, "    {} [label = {label}];", quoted(node.id.as_str()));
        }
        for Edge { from, to, follows } in self.edges(nodes) {
            let (from, to) = (nodes[from].id.as_str(), nodes[to].id.as_str());
            let style = if follows { "" } else { " [style = dashed]" };
            let _ = writeln!(out, "    {} -> {}{style};", quoted(from), quoted(to));
        }
        out.push_str("}\n");
        out
    }

    /// `nodes` as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>), with the arrows of
    /// [`Self::dot`].
    #[must_use]
    pub fn mermaid(&self, nodes: &[&Node]) -> String {
        let mut out = String::from("flowchart BT\n");
        for (at, node) in nodes.iter().enumerate() {
            let text = self.caption(node, "\n");
            let text = text
                .replace('&', "&amp;")
                .replace('"', "&quot;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = writeln!(out, "    r{at}[\"{}\"]", text.replace('\n', "<br/>"));
        }
        for Edge { from, to, follows } in self.edges(nodes) {
            let arrow = if follows { "-->" } else { "-.->" };
            let _ = writeln!(out, "    r{from} {arrow} r{to}");
        }
        out
    }

    /// The id with the labels that the revision itself carries, and its title.
    fn caption(&self, node: &Node, separator: &str) -> String {
        let labels = match node.labels.as_slice() {
            [] => String::new(),
            labels => format!(" ({})", labels.join(", ")),
        };
        let title = node.title();
        let separator = if title.is_empty() { "" } else { separator };
        format!("{}{labels}{separator}{title}", node.id)
    }

    /// The edges among `nodes`, as places in it: `revises` of each, then what it depends on besides.
    fn edges(&self, nodes: &[&Node]) -> Vec<Edge> {
        let places: BTreeMap<&str, usize> = nodes
            .iter()
            .enumerate()
            .map(|(at, it)| (it.id.as_str(), at))
            .collect();
        let mut edges = Vec::new();
        for (from, node) in nodes.iter().enumerate() {
            let Some(relations) = self.relations(node.id.as_str()) else {
                continue;
            };
            let mut add = |others: &[&Node], follows| {
                let known = others.iter().filter_map(|it| places.get(it.id.as_str()));
                edges.extend(known.map(|&to| Edge { from, to, follows }));
            };
            add(&relations.down, true);
            add(&relations.depends_on, false);
        }
        edges
    }
}

/// An arrow between two of a list of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    /// Whether it is `revises`, rather than `depends on`.
    follows: bool,
}

/// A text in DOT's double quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::super::{Node, RevisionGraph};
    use crate::header::Dependency;

    #[test]
    fn arrows_lead_to_what_is_followed_and_needed() {
        let mut first = Node::new("a1".parse().unwrap(), Vec::new());
        first.doc = "say \"<a>\"".to_owned();
        let mut second = Node::new("b1".parse().unwrap(), vec!["a1".parse().unwrap()]);
        second.labels = vec!["lib".to_owned()];
        let mut third = Node::new("c1".parse().unwrap(), Vec::new());
        third.depends_on = vec![Dependency {
            target: "lib".to_owned(),
            if_present: true,
        }];
        let graph = RevisionGraph::new([first, second, third]).unwrap();
        let nodes: Vec<_> = graph.nodes().iter().rev().collect();
        let expect = r#"digraph revisions {
    rankdir = BT;
    node [shape = box];
    "c1" [label = "c1"];
    "b1" [label = "b1 (lib)"];
    "a1" [label = "a1\nsay \"<a>\""];
    "c1" -> "b1" [style = dashed];
    "b1" -> "a1";
}
"#;
        assert_eq!(graph.dot(&nodes), expect);
        let expect = r#"flowchart BT
    r0["c1"]
    r1["b1 (lib)"]
    r2["a1<br/>say &quot;&lt;a&gt;&quot;"]
    r0 -.-> r1
    r1 --> r2
"#;
        assert_eq!(graph.mermaid(&nodes), expect);
    }
}
