//! The graph, tested by drawings.
//!
//! A drawing is a list of lines with `;` between them: in `a <- b <- c` each revises the one before it, `c,d <- e` is a
//! merge, `x ~ b` says that x depends on b, `x ~? b` that it does so if b is present, and `x(label)` gives a label.
//! Revisions come in the order in which the drawing mentions them first.

#![expect(
    clippy::unwrap_used,
    reason = "a drawing that is none has to stop the test"
)]

use std::collections::BTreeSet;

use limbeck_revision::graph::{
    Direction, GraphError, Head, LineFormat, Move, Node, RangeOptions, RevisionGraph, Selection,
    StampMove, Step,
};
use limbeck_revision::{Dependency, RevisionId};

const LINE: &str = "a <- b <- c";
const FORK: &str = "a <- b <- c(left); b <- d(right) <- e";
const DIAMOND: &str = "a <- b; a <- c; b,c <- d";
const SHOP: &str = "s1(shop) <- s2 <- s3; u1(user) <- u2 <- u3; u2 ~ s2";

fn draw(drawing: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for line in drawing
        .split(';')
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        if let Some((from, to)) = line.split_once('~') {
            let (to, if_present) = to.strip_prefix('?').map_or((to, false), |it| (it, true));
            let at = mention(&mut nodes, from);
            let targets = to.split(',').map(|it| Dependency {
                target: it.trim().to_owned(),
                if_present,
            });
            nodes[at].depends_on.extend(targets);
            continue;
        }
        let mut below: Vec<RevisionId> = Vec::new();
        for part in line.split("<-") {
            let here: Vec<usize> = part.split(',').map(|it| mention(&mut nodes, it)).collect();
            for &it in &here {
                nodes[it].down.extend(below.iter().cloned());
            }
            below = here.into_iter().map(|it| nodes[it].id.clone()).collect();
        }
    }
    nodes
}

fn mention(nodes: &mut Vec<Node>, text: &str) -> usize {
    let (name, label) = match text.trim().trim_end_matches(')').split_once('(') {
        Some((name, label)) => (name, Some(label)),
        None => (text.trim(), None),
    };
    let at = nodes
        .iter()
        .position(|it| it.id.as_str() == name)
        .unwrap_or_else(|| {
            nodes.push(Node::new(id(name), Vec::new()));
            nodes.len() - 1
        });
    nodes[at].labels.extend(label.map(str::to_owned));
    at
}

fn id(text: &str) -> RevisionId {
    RevisionId::new(text).unwrap()
}

fn ids(texts: &str) -> Vec<RevisionId> {
    texts.split_whitespace().map(id).collect()
}

fn graph(drawing: &str) -> RevisionGraph {
    RevisionGraph::new(draw(drawing)).unwrap()
}

fn names(nodes: &[&Node]) -> String {
    nodes
        .iter()
        .map(|it| it.id.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn run(graph: &RevisionGraph, command: &str, rows: &[RevisionId]) -> Result<Vec<Step>, GraphError> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["upgrade", target] => graph.upgrade(target, rows),
        ["downgrade", target] => graph.downgrade(target, rows),
        ["stamp", targets @ ..] => graph.stamp(targets, rows),
        _ => panic!("no command: {command}"),
    }
}

/// What a step does to the rows: `-a` deleted, `+a` inserted, `a>b` updated.
fn rows_of(step: &Step) -> String {
    let mut parts: Vec<String> = step.delete.iter().map(|it| format!("-{it}")).collect();
    parts.extend(step.insert.iter().map(|it| format!("+{it}")));
    parts.extend(step.update.iter().map(|(old, new)| format!("{old}>{new}")));
    parts.join(" ")
}

/// Runs a command on a history and rows; expects one line per step, or a part of the error.
#[track_caller]
fn check(drawing: &str, rows: &str, command: &str, expect: &[&str]) {
    let graph = graph(drawing);
    let found: Vec<String> = match run(&graph, command, &ids(rows)) {
        Ok(steps) => steps
            .iter()
            .map(|it| format!("{}: {}", graph.log_line(it), rows_of(it)))
            .collect(),
        Err(err) => {
            assert!(
                expect.len() == 1 && err.to_string().contains(expect[0]),
                "{command} of {rows}: {err}"
            );
            return;
        }
    };
    assert_eq!(found, expect, "{command} of {rows}");
}

#[track_caller]
fn check_build(drawing: &str, expect: &str) {
    match RevisionGraph::new(draw(drawing)) {
        Ok(_) => panic!("{drawing} was built"),
        Err(err) => assert!(err.to_string().contains(expect), "{drawing}: {err}"),
    }
}

#[test]
fn heads_and_bases_of_a_history() {
    let cases = [
        ("", "", "", ""),
        (LINE, "c", "c", "a"),
        (FORK, "c e", "c e", "a"),
        (DIAMOND, "d", "d", "a"),
        (SHOP, "s3 u3", "s3 u3", "s1 u1"),
        ("s1 <- s2; u1; u1 ~ s2", "s2 u1", "u1", "s1 u1"),
        ("s1(shop) <- s2; u1; u1 ~ shop", "s2 u1", "s2 u1", "s1 u1"),
        ("a <- b; b ~? gone", "b", "b", "a"),
    ];
    for (drawing, heads, real_heads, bases) in cases {
        let graph = graph(drawing);
        let found = [graph.heads(), graph.real_heads(), graph.bases()].map(|it| names(&it));
        assert_eq!(found, [heads, real_heads, bases], "{drawing}");
    }
}

#[test]
fn circles_are_errors_that_name_the_revisions() {
    check_build(
        "a <- a",
        "self-loop is detected in revisions (a); correct its revises line",
    );
    check_build(
        "a <- b <- c; c <- a",
        "cycle is detected in revisions (a, b, c)",
    );
    check_build(
        "x <- y; a <- b <- a",
        "cycle is detected in revisions (a, b)",
    );
    check_build(
        "o <- x <- y <- p; y <- x",
        "cycle is detected in revisions (x, y)",
    );
    check_build("a ~ a", "dependency self-loop is detected in revisions (a)");
    check_build(
        "a(l); a ~ l",
        "dependency self-loop is detected in revisions (a)",
    );
    check_build(
        "o; a <- b; a ~ b",
        "dependency cycle is detected in revisions (a, b)",
    );
    check_build(
        "o <- a <- p; q <- b <- r; a ~ b; b ~ a",
        "dependency cycle is detected in revisions (a, b)",
    );
}

#[test]
fn missing_revisions_and_taken_labels_are_errors_with_a_remedy() {
    let mut nodes = draw("a <- b");
    nodes[1].down = ids("gone");
    let err = RevisionGraph::new(nodes.clone().into_iter().map(|it| it.at("revisions/x.sql")))
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "revision gone referenced from b (revisions/x.sql) is not present; restore its file, or correct the revises \
         line of b (revisions/x.sql)"
    );
    check_build("a ~ gone", "write \"gone if present\"");
    check_build(
        "a(x) <- b(x)",
        "branch name 'x' in revision b already used by revision a; choose another label",
    );
    check_build(
        "a(b) <- b",
        "branch name 'b' in revision a already used by revision b",
    );
}

#[test]
fn a_duplicate_id_names_both_files() {
    let nodes = ["one.sql", "two.sql"].map(|path| Node::new(id("a"), Vec::new()).at(path));
    let err = RevisionGraph::new(nodes).unwrap_err().to_string();
    assert!(err.contains("a (one.sql) and a (two.sql)"), "{err}");
}

#[test]
fn labels_go_up_the_branch_and_down_a_plain_line() {
    let cases = [
        ("a <- b(x) <- c", "a:x b:x c:x"),
        ("a <- b <- c(x); b <- d", "a: b: c:x d:"),
        ("a <- b(x) <- c; b <- d", "a: b:x c:x d:x"),
        ("a(x) <- b(y)", "a:x,y b:x,y"),
        ("a(x) <- c; b(y) <- c", "a:x c:x,y b:y"),
        // A dependent makes a fork too, so the label does not go down past it.
        ("a <- b <- c(x); d ~ b", "a: b: c:x d:"),
    ];
    for (drawing, expect) in cases {
        let graph = graph(drawing);
        let labels = |it: &Node| graph.relations(it.id.as_str()).unwrap().labels.join(",");
        let found: Vec<String> = graph
            .nodes()
            .iter()
            .map(|it| format!("{}:{}", it.id, labels(it)))
            .collect();
        assert_eq!(found.join(" "), expect, "{drawing}");
    }
}

#[test]
fn dependencies_that_an_ancestor_has_are_left_out() {
    let graph = graph("s1 <- s2; u1 <- u2 <- u3; u2 ~ s1; u3 ~ s1, s2");
    let needs = |it: &str| names(&graph.relations(it).unwrap().needs);
    assert_eq!([needs("u2"), needs("u3")], ["u1 s1", "u2 s2"]);
}

#[test]
fn names_find_revisions() {
    let graph = graph("ab12cd <- ab34ef(feature) <- 1777278349; ab34ef <- abc; ab34ef <- 12345678");
    let cases = [
        ("ab12cd", "ab12cd"),
        ("ab1", "ab12cd"),
        ("abc", "abc"),
        ("feature", "ab34ef"),
        ("feat", "ab34ef"),
        ("1777278349", "1777278349"),
        ("17", "1777278349"),
        ("feature@17", "1777278349"),
        ("base", ""),
        (
            "ab",
            "multiple revisions start with 'ab': 'ab12cd', 'ab34ef'...",
        ),
        (
            "x",
            "no such revision or branch 'x'; please ensure at least four characters",
        ),
        ("", "no such revision or branch ''"),
        ("feature@", "no such revision or branch ''"),
        ("none@abc", "no such branch: 'none'"),
        (
            "12345678@abc",
            "revision abc is not a member of branch '12345678'",
        ),
        (
            "head",
            "multiple heads are present for given argument 'head'; 1777278349, abc, 12345678",
        ),
    ];
    for (text, expect) in cases {
        match graph.get(text) {
            Ok(found) => assert_eq!(found.map_or("", |it| it.id.as_str()), expect, "{text:?}"),
            Err(err) => assert!(
                !expect.is_empty() && err.to_string().contains(expect),
                "{text:?}: {err}"
            ),
        }
    }
}

#[test]
fn upgrades_take_what_is_missing_in_order() {
    check(
        LINE,
        "",
        "upgrade head",
        &[
            "upgrade  -> a: +a",
            "upgrade a -> b: a>b",
            "upgrade b -> c: b>c",
        ],
    );
    check(LINE, "c", "upgrade heads", &[]);
    check(LINE, "a", "upgrade +1", &["upgrade a -> b: a>b"]);
    check(LINE, "a", "upgrade a+1", &["upgrade a -> b: a>b"]);
    check(LINE, "a", "upgrade head-1", &["upgrade a -> b: a>b"]);
    check(FORK, "b", "upgrade left@head", &["upgrade b -> c: b>c"]);
    check(FORK, "c", "upgrade right@+1", &["upgrade b -> d: +d"]);
    check(
        DIAMOND,
        "b c",
        "upgrade head",
        &["upgrade b, c -> d: -b c>d"],
    );
    check(
        DIAMOND,
        "a",
        "upgrade d-1",
        &["upgrade a -> c: a>c", "upgrade a -> b: +b"],
    );
    check(
        SHOP,
        "u1",
        "upgrade user@head",
        &[
            "upgrade  -> s1: +s1",
            "upgrade s1 -> s2: s1>s2",
            "upgrade u1 -> u2: -u1 s2>u2",
            "upgrade u2 -> u3: u2>u3",
        ],
    );
    check(SHOP, "u3", "upgrade heads", &["upgrade s2 -> s3: +s3"]);
}

#[test]
fn upgrades_that_cannot_be_are_errors_with_a_remedy() {
    check(
        LINE,
        "c",
        "upgrade +5",
        &["relative revision +5 didn't produce 5 migrations"],
    );
    check(
        LINE,
        "c",
        "upgrade -1",
        &["relative revision -1 didn't produce 1 migrations"],
    );
    check(LINE, "a", "upgrade b+5", &["walked too far: 'b+5'"]);
    check(
        LINE,
        "gone",
        "upgrade head",
        &["'gone', which the version table holds"],
    );
    check(
        LINE,
        "a",
        "upgrade gone",
        &["can't locate revision identified by 'gone'"],
    );
    check(
        FORK,
        "a",
        "upgrade head",
        &["please specify a specific target revision, '<branchname>@head'"],
    );
    check(
        FORK,
        "b",
        "upgrade +1",
        &["ambiguous walk from b: it could go to c, d"],
    );
    check(
        FORK,
        "c d",
        "upgrade +1",
        &["ambiguous upgrade from multiple current revisions c, d; name the branch"],
    );
}

#[test]
fn downgrades_take_what_stands_on_the_target() {
    check(LINE, "c", "downgrade -1", &["downgrade c -> b: c>b"]);
    check(
        LINE,
        "b",
        "downgrade base",
        &["downgrade b -> a: b>a", "downgrade a -> : -a"],
    );
    check(
        LINE,
        "c",
        "downgrade base+1",
        &["downgrade c -> b: c>b", "downgrade b -> a: b>a"],
    );
    check(LINE, "c", "downgrade c", &[]);
    check(
        DIAMOND,
        "d",
        "downgrade b",
        &["downgrade d -> b, c: +b d>c"],
    );
    // One step back from a merge undoes the merge, and leaves all it follows.
    for target in [
        "downgrade -1",
        "downgrade d-1",
        "downgrade b@-1",
        "downgrade head-1",
    ] {
        check(DIAMOND, "d", target, &["downgrade d -> b, c: +b d>c"]);
    }
    check(
        DIAMOND,
        "d",
        "downgrade b@-2",
        &["downgrade d -> b, c: +b d>c", "downgrade b -> a: -b"],
    );
    check(
        FORK,
        "c e",
        "downgrade right@b",
        &["downgrade e -> d: e>d", "downgrade d -> b: -d"],
    );
    check(
        FORK,
        "c e",
        "downgrade right@-1",
        &["downgrade e -> d: e>d"],
    );
    check(
        SHOP,
        "s3 u3",
        "downgrade user@base",
        &[
            "downgrade u3 -> u2: u3>u2",
            "downgrade u2 -> u1: u2>u1",
            "downgrade u1 -> : -u1",
        ],
    );
    check(
        SHOP,
        "u2",
        "downgrade shop@base",
        &[
            "downgrade u2 -> u1: +u1 u2>s2",
            "downgrade s2 -> s1: s2>s1",
            "downgrade s1 -> : -s1",
        ],
    );
}

#[test]
fn downgrades_that_cannot_be_are_errors_that_list_the_choices() {
    check(
        FORK,
        "c e",
        "downgrade -1",
        &["ambiguous downgrade -1 from multiple current revisions c, e; name the branch"],
    );
    check(
        DIAMOND,
        "d",
        "downgrade -2",
        &["ambiguous walk from d: it could go to b, c; name one of them"],
    );
    check(
        LINE,
        "",
        "downgrade -1",
        &["relative revision -1 didn't produce 1 migrations"],
    );
    check(
        LINE,
        "b",
        "downgrade +1",
        &["relative revision +1 didn't produce 1 migrations"],
    );
    check(
        LINE,
        "b",
        "downgrade -3",
        &["relative revision -3 didn't produce 3 migrations"],
    );
    check(LINE, "c", "downgrade b-3", &["walked too far: 'b-3'"]);
    check(
        LINE,
        "a",
        "downgrade c",
        &["destination c is not a valid downgrade target from current head(s)"],
    );
    check(
        LINE,
        "a",
        "downgrade typo@base",
        &["no such branch: 'typo'"],
    );
    check(
        FORK,
        "c e",
        "downgrade head",
        &["multiple head revisions are present for given argument 'head'"],
    );
}

#[test]
fn stamps_move_the_rows_of_their_branch_only() {
    check(LINE, "", "stamp heads", &["stamp  -> c: +c"]);
    check(LINE, "b", "stamp b", &[]);
    check(LINE, "c", "stamp a", &["stamp c -> a: c>a"]);
    check(LINE, "c", "stamp", &["stamp c -> : -c"]);
    check(FORK, "c e", "stamp b", &["stamp c, e -> b: -c e>b"]);
    check(FORK, "c", "stamp e", &["stamp  -> e: +e"]);
    check(SHOP, "s3 u3", "stamp user@base", &["stamp u3 -> : -u3"]);
    check(
        SHOP,
        "s3 u3",
        "stamp shop@base",
        &["stamp s3 -> : -s3", "stamp u3 -> : -u3"],
    );
    check(
        "s1(shop) <- s2; u1(user) <- u2",
        "s2 u2",
        "stamp user@base",
        &["stamp u2 -> : -u2"],
    );
    check(
        "s1 <- s2; u1 <- u2",
        "s2 u2",
        "stamp s1 u1",
        &["stamp s2 -> s1: s2>s1", "stamp u2 -> u1: u2>u1"],
    );
    check(
        "s1 <- s2; u1 <- u2",
        "s2 u1",
        "stamp s1 u2",
        &["stamp s2 -> s1: s2>s1", "stamp u1 -> u2: u1>u2"],
    );
    check(
        FORK,
        "a",
        "stamp head",
        &["please specify a single target revision"],
    );
}

#[test]
fn ranges_of_the_history() {
    let check = |drawing: &str, range: Option<&str>, rows: &str, expect: &str| {
        let found = graph(drawing)
            .history(range, &ids(rows))
            .map(|it| names(&it));
        match found {
            Ok(found) => assert_eq!(found, expect, "{range:?} of {drawing}"),
            Err(err) => assert!(
                err.to_string().contains(expect) && !expect.is_empty(),
                "{range:?}: {err}"
            ),
        }
    };
    check(LINE, None, "", "c b a");
    check(LINE, Some("b:"), "", "c b");
    check(LINE, Some(":b"), "", "b a");
    check(LINE, Some("a:b"), "", "b a");
    check(LINE, Some(":current"), "b", "b a");
    check(LINE, Some(":current"), "", "");
    check(LINE, Some("current:"), "b", "c b");
    check(LINE, Some("current:+1"), "a", "b a");
    check(LINE, Some("-1:current"), "b", "b a");
    check(LINE, Some("-9:"), "", "c b a");
    check(LINE, Some("-1:"), "", "c b");
    check(FORK, Some("-1:"), "", "c e d b");
    check(FORK, Some(":right@head-1"), "", "d b a");
    check(FORK, Some("b:left@head"), "", "c b");
    check(SHOP, Some(":user@head"), "", "u3 u2 u1 s2 s1");
    check(SHOP, Some("user@base:"), "", "u3 u2 u1 s2 s1");
    check(FORK, None, "", "c e d b a");
    check(
        LINE,
        Some("c:a"),
        "",
        "requested range c:a does not refer to ancestor/descendant revisions",
    );
    check(
        LINE,
        Some("a"),
        "",
        "history range requires [start]:[end], [start]:, or :[end]",
    );
}

#[test]
fn what_is_in_force_includes_what_rows_imply() {
    let current = |rows: &str| {
        names(
            &graph(SHOP)
                .all_current(&ids(rows).as_slice().into())
                .unwrap(),
        )
    };
    assert_eq!(
        [current("u3"), current("s3 u1"), current("")],
        ["s2 u3", "s3 u1", ""]
    );
}

#[test]
fn rows_that_do_not_fit_are_an_error() {
    let graph = graph(LINE);
    let mut rows: BTreeSet<RevisionId> = ids("a").into_iter().collect();
    let err = graph
        .apply(&mut rows, &Move::Downgrade(id("c")))
        .unwrap_err()
        .to_string();
    assert!(
        err.contains("expected to match one row 'c', 0 found"),
        "{err}"
    );
    let enter = Move::Stamp {
        from: Vec::new(),
        to: ids("b"),
        by: StampMove::Enter,
    };
    graph.apply(&mut rows, &enter).unwrap();
    assert_eq!(rows.into_iter().collect::<Vec<_>>(), ids("a b"));
}

#[test]
fn ranges_go_all_ways_down_from_a_merge() {
    let check = |drawing: &str, range: &str, expected: &str| {
        let graph = graph(drawing);
        let found = graph.history(Some(range), &ids("d")).unwrap();
        let mut found: Vec<String> = found.iter().map(|it| it.id.to_string()).collect();
        found.sort();
        assert_eq!(found.join(" "), expected, "{drawing} {range}");
    };
    for range in ["d-1:", "head-1:", "-1:", "d-1:current"] {
        check(DIAMOND, range, "b c d");
    }
    for range in ["d-2:", "-2:", "d-9:", "-9:"] {
        check(DIAMOND, range, "a b c d");
    }
    check(DIAMOND, ":d-1", "a b c");
    check(DIAMOND, "b-1:c", "a c");
    // Ways of different length: each ends where it leaves the history.
    check("a <- b <- d; c <- d", "d-2:", "a b c d");
    check("a <- b <- d; c <- d", "d-1:", "b c d");
    check(LINE, "c-1:", "b c");
}

#[test]
fn lines_are_alembics() {
    let mut nodes = draw("s1(shop) <- s2; u1(user) <- u2 <- u3; u2 <- u4; u3,u4 <- u5; u2 ~ s2");
    for node in &mut nodes {
        node.doc = format!("Do {}.\n\nAt length.", node.id);
        node.path = Some(format!("revisions/{}.sql", node.id).into());
    }
    let graph = RevisionGraph::new(nodes).unwrap();
    let current: BTreeSet<RevisionId> = ids("u5").into_iter().collect();
    let line = |name: &str, format| graph.line(graph.node(name).unwrap(), format, &current);
    assert_eq!(line("s2", LineFormat::Heads), "s2 (shop) (effective head)");
    assert_eq!(line("u5", LineFormat::Heads), "u5 (user) (head) (current)");
    assert_eq!(
        line("u5", LineFormat::Current),
        "u5 (head) (current) (mergepoint)"
    );
    assert_eq!(
        line("u5", LineFormat::History),
        "u3, u4 -> u5 (user) (head) (current) (mergepoint), Do u5."
    );
    assert_eq!(
        line("u2", LineFormat::History),
        "u1 (s2) -> u2 (user) (branchpoint), Do u2."
    );
    assert_eq!(
        line("s1", LineFormat::History),
        "<base> -> s1 (shop), Do s1."
    );
    assert_eq!(
        graph.branches(false),
        [
            "u2 (user) (branchpoint)",
            "   -> u3 (user)",
            "   -> u4 (user)",
            ""
        ]
    );
    assert_eq!(
        graph.block(graph.node("u2").unwrap(), &current),
        "Rev: u2 (branchpoint)\nParent: u1\nAlso depends on: s2\nBranches into: u3, u4\nBranch names: user\nPath: \
         revisions/u2.sql\n\n    Do u2.\n\n    At length.\n"
    );
    assert!(
        graph
            .block(graph.node("u5").unwrap(), &current)
            .starts_with("Rev: u5 (head) (mergepoint) (current)\nMerges: u3, u4\n")
    );
    assert_eq!(graph.relations("s2").unwrap().head, Some(Head::Effective));
}

/// A history of `size` revisions with forks, merges and dependencies, the same for the same seed.
fn grown(size: usize, seed: u64) -> Vec<Node> {
    let mut state = seed;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    let name = |at: usize| id(&format!("r{at:05}"));
    let mut nodes: Vec<Node> = Vec::new();
    for at in 0..size {
        let near = at.saturating_sub(6);
        let mut parents = BTreeSet::new();
        for _ in 0..[1, 1, 1, 1, 2, 0][next(6)].min(at) {
            parents.insert(name(near + next(at - near)));
        }
        let mut node = Node::new(name(at), parents.into_iter().collect());
        if at > 0 && next(5) == 0 {
            let target = name(next(at)).to_string();
            node.depends_on.push(Dependency {
                target,
                if_present: false,
            });
        }
        nodes.push(node);
    }
    nodes
}

#[test]
fn every_upgrade_is_undone_by_its_downgrade() {
    for seed in 0..60 {
        let graph = RevisionGraph::new(grown(25, seed)).unwrap();
        let up = graph.upgrade("heads", &[]).unwrap();
        assert_eq!(up.len(), graph.nodes().len(), "seed {seed}");
        let mut applied: BTreeSet<RevisionId> = BTreeSet::new();
        let mut rows: BTreeSet<RevisionId> = BTreeSet::new();
        for step in &up {
            let needs = graph.relations(step.revision.as_str()).unwrap().needs;
            assert!(
                needs.iter().all(|it| applied.contains(&it.id)),
                "seed {seed}: {step:?} comes too early"
            );
            applied.insert(step.revision.clone());
            graph
                .apply(&mut rows, &Move::Upgrade(step.revision.clone()))
                .unwrap();
            // At each point the rows stand for exactly what is applied.
            let listed: Vec<RevisionId> = rows.iter().cloned().collect();
            let rest = graph.upgrade("heads", &listed).unwrap();
            assert_eq!(
                rest.len(),
                up.len() - applied.len(),
                "seed {seed}: rows {listed:?}"
            );
        }
        let real_heads: BTreeSet<RevisionId> =
            graph.real_heads().iter().map(|it| it.id.clone()).collect();
        assert_eq!(rows, real_heads, "seed {seed}");
        let listed: Vec<RevisionId> = rows.iter().cloned().collect();
        let down = graph.downgrade("base", &listed).unwrap();
        assert_eq!(down.len(), up.len(), "seed {seed}");
        for (n_undone, step) in (1..).zip(&down) {
            assert_eq!(step.direction, Direction::Downgrade);
            graph
                .apply(&mut rows, &Move::Downgrade(step.revision.clone()))
                .unwrap();
            let listed: Vec<RevisionId> = rows.iter().cloned().collect();
            assert_eq!(
                graph.upgrade("heads", &listed).unwrap().len(),
                n_undone,
                "seed {seed}: rows {listed:?}"
            );
        }
        assert!(rows.is_empty(), "seed {seed}");
    }
}

#[test]
fn ten_thousand_revisions_are_a_history() {
    let graph = RevisionGraph::new(grown(10_000, 7)).unwrap();
    assert!(!graph.real_heads().is_empty());
    let line = (0..10_000).map(|at| {
        let name = |at: usize| id(&format!("r{at:05}"));
        Node::new(name(at), at.checked_sub(1).map(name).into_iter().collect())
    });
    let line = RevisionGraph::new(line).unwrap();
    let all = line
        .iterate(&"head".into(), &Selection::BASE, RangeOptions::UPGRADE)
        .unwrap();
    assert_eq!(all.len(), 10_000);
    assert_eq!(names(&line.heads()), "r09999");
}
