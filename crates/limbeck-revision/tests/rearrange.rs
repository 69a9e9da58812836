//! Moving revisions onto another head, and taking them out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_revision::Dependency;
use limbeck_revision::graph::{Node, Relinked, RevisionGraph};

/// A history from `id: parent parent | dependency (label)`, oldest first, separated by commas.
fn graph(drawing: &str) -> RevisionGraph {
    let nodes = drawing.split(',').map(|it| {
        let (it, label) = match it.trim().strip_suffix(')') {
            Some(it) => it.split_once('(').unwrap(),
            None => (it, ""),
        };
        let (id, rest) = it.split_once(':').unwrap();
        let (down, needed) = rest.split_once('|').unwrap_or((rest, ""));
        let down = down.split_whitespace().map(|it| it.parse().unwrap());
        let mut node = Node::new(id.trim().parse().unwrap(), down.collect());
        node.depends_on = needed
            .split_whitespace()
            .map(|it| Dependency {
                target: it.to_owned(),
                if_present: false,
            })
            .collect();
        node.labels = label.split_whitespace().map(str::to_owned).collect();
        node
    });
    RevisionGraph::new(nodes).unwrap()
}

fn shown(relinked: &[Relinked]) -> String {
    let each = relinked.iter().map(|(id, down)| {
        let down: Vec<_> = down.iter().map(AsRef::as_ref).collect();
        format!("{id}: {}", down.join(" "))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Moves `b…` onto `a…` in a history; `expect` is `moved / relinked / passed`, or a piece of the error.
#[track_caller]
fn check_rebase(drawing: &str, tip: &str, onto: &str, expect: &str) {
    let found = match graph(drawing).rebase(tip, onto) {
        Ok(it) => {
            let [moved, passed] = [&it.moved, &it.passed]
                .map(|it| it.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "));
            format!("{moved} / {} / {passed}", shown(&it.relinked))
        }
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
}

#[test]
fn what_one_head_has_alone_moves_onto_the_other() {
    let fork = "z:, a1: z, a2: a1, b1: z, b2: b1";
    check_rebase(fork, "b2", "a2", "b1 b2 / b1: a2 / a1 a2");
    check_rebase(fork, "a2", "b2", "a1 a2 / a1: b2 / b1 b2");
    check_rebase(
        fork,
        "b2",
        "b1",
        "nothing to move: b2 and b1 lie on one line",
    );
    let merged = "z:, y: z, a1: y, b1: z, b2: y, b3: b1 b2";
    check_rebase(merged, "b3", "a1", "b1 b2 b3 / b1: a1, b2: a1 / a1");
}

#[test]
fn what_cannot_move_says_why() {
    check_rebase(
        "a1:, b1:",
        "b1",
        "a1",
        "a1 share no revision, so they are branches of their own",
    );
    check_rebase(
        "z:, b1: z, a1: z | b1",
        "b1",
        "a1",
        "cannot move b1 onto a1, which depends on it",
    );
}

/// Takes a revision out; `expect` is `relinked / child with the labels`, or a piece of the error.
#[track_caller]
fn check_removal(drawing: &str, id: &str, expect: &str) {
    let found = match graph(drawing).removal(id) {
        Ok(it) => {
            let labels = it
                .labels
                .map(|(id, labels)| format!("{id} {}", labels.join(" ")));
            format!("{} / {}", shown(&it.relinked), labels.unwrap_or_default())
        }
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
}

#[test]
fn children_follow_the_parents_of_what_goes() {
    check_removal("a:, b: a, c: b", "b", "c: a / ");
    check_removal("a:, b: a, c: b", "a", "b:  / ");
    check_removal("a:, b: a, c: b", "c", " / ");
    check_removal("a:, b: a, c: a, d: b c, e: d", "d", "e: b c / ");
    check_removal("a:, b: a, c: a, d: b c", "b", "d: a c / ");
    check_removal("a:, b: a (x y), c: b (z)", "b", "c: a / c x y z");
}

#[test]
fn what_others_need_stays() {
    check_removal("a:, b: | a", "a", "cannot remove a: b depends on it");
    check_removal("a: (x), b: | x", "a", "cannot remove a: b depends on it");
    check_removal("a: (x), c: a, b: | x", "a", "c:  / c x");
    check_removal(
        "a: (x), b: a, c: a",
        "a",
        "it carries x, and several revisions follow it",
    );
}
