//! One revision in the place of several: which ranges can be squashed, and how the replaced ids lead to what is left.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_revision::graph::{GraphError, Node, RevisionGraph, Step};
use limbeck_revision::{Dependency, RevisionId};

/// A history from `id: parent parent | dependency optional? (label) = replaced`, oldest first, separated by commas.
fn graph(drawing: &str) -> Result<RevisionGraph, GraphError> {
    let nodes = drawing.split(',').map(|it| {
        let (it, replaces) = it.split_once('=').unwrap_or((it, ""));
        let (it, label) = match it.trim().strip_suffix(')') {
            Some(it) => it.split_once('(').unwrap(),
            None => (it, ""),
        };
        let (id, rest) = it.split_once(':').unwrap();
        let (down, needed) = rest.split_once('|').unwrap_or((rest, ""));
        let id = id.trim();
        let mut node = Node::new(id.parse().unwrap(), ids(down)).at(format!("{id}.sql"));
        node.depends_on = needed
            .split_whitespace()
            .map(|it| Dependency {
                target: it.trim_end_matches('?').to_owned(),
                if_present: it.ends_with('?'),
            })
            .collect();
        node.labels = label.split_whitespace().map(str::to_owned).collect();
        node.replaces = ids(replaces);
        node
    });
    RevisionGraph::new(nodes)
}

fn ids(text: &str) -> Vec<RevisionId> {
    text.split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect()
}

fn words<T: ToString>(items: &[T]) -> String {
    let words: Vec<_> = items.iter().map(ToString::to_string).collect();
    words.join(" ")
}

/// Squashes a range; `expect` is `members / revises / labels / depends on / replaces / before`, or a piece of the error.
#[track_caller]
fn check(drawing: &str, range: &str, expect: &str) {
    let found = match graph(drawing).unwrap().squash(range, &ids("aaaa")) {
        Ok(it) => [
            words(&it.members),
            words(&it.revises),
            words(&it.labels),
            words(&it.depends_on),
            words(&it.replaces),
            words(&it.before),
        ]
        .join(" / "),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
}

const LINE: &str = "aaaa:, bbbb: aaaa, cccc: bbbb, dddd: cccc";

#[test]
fn a_line_becomes_its_last_revision() {
    check(LINE, "bbbb:cccc", "bbbb cccc / aaaa /  /  / bbbb / aaaa");
    check(LINE, "base:cccc", "aaaa bbbb cccc /  /  /  / aaaa bbbb / ");
    check(LINE, ":bbbb", "aaaa bbbb /  /  /  / aaaa / ");
    check(LINE, "cccc:", "cccc dddd / bbbb / ");
    check(LINE, "cccc:head", "cccc dddd / bbbb / ");
    check(LINE, "-1:", "cccc dddd / bbbb / ");
    check(LINE, "bbbb:+1", "bbbb cccc / aaaa / ");
    check(LINE, "current:dddd-1", "aaaa bbbb cccc /  / ");
    let labelled = "aaaa:, bbbb: aaaa (x), cccc: bbbb (y)";
    check(
        labelled,
        "x:y@head",
        "bbbb cccc / aaaa / x y /  / bbbb / aaaa",
    );
    let again = "aaaa:, cccc: aaaa = bbbb, dddd: cccc";
    check(
        again,
        "cccc:dddd",
        "cccc dddd / aaaa /  /  / bbbb cccc / aaaa",
    );
    check(again, "bbbb:dddd", "cccc dddd / aaaa / ");
}

#[test]
fn the_ends_of_a_line_may_fork_and_merge() {
    let diamond =
        "aaaa:, bbbb: aaaa, cccc: aaaa, dddd: bbbb cccc, eeee: dddd, ffff: eeee, gggg: eeee";
    check(
        diamond,
        "dddd:eeee",
        "dddd eeee / bbbb cccc /  /  / dddd / aaaa bbbb cccc",
    );
    check(
        diamond,
        "bbbb:eeee",
        "cannot squash across dddd (dddd.sql), which merges bbbb, cccc; begin the range with it",
    );
    check(
        diamond,
        "eeee:ffff",
        "cannot squash across eeee (eeee.sql), which gggg (gggg.sql) follows too; end the range with it",
    );
    check(diamond, "aaaa:bbbb", "which cccc (cccc.sql) follows too");
    check(diamond, "eeee:", "multiple heads are present");
    check(diamond, "dddd:heads", "'heads' is ffff, gggg; name one");
}

#[test]
fn dependencies_of_all_members_are_the_squashed_ones() {
    check(
        "xxxx:, yyyy: (why), aaaa: | gone? xxxx?, bbbb: aaaa | xxxx aaaa why, cccc: bbbb | bbbb",
        "aaaa:cccc",
        "aaaa bbbb cccc /  /  / gone if present xxxx why / aaaa bbbb / xxxx yyyy",
    );
    check(
        "aaaa:, bbbb: aaaa, xxxx: | aaaa, cccc: bbbb | xxxx",
        "aaaa:cccc",
        "cannot squash across xxxx (xxxx.sql), which needs aaaa and has to be applied before cccc; squash up to aaaa",
    );
    check(
        "aaaa:, bbbb: aaaa, cccc: bbbb, xxxx: | bbbb",
        "aaaa:cccc",
        "aaaa bbbb cccc / ",
    );
    let labelled = "aaaa: (one), bbbb: aaaa (two), xxxx: | one, yyyy: | two";
    check(
        labelled,
        "aaaa:bbbb",
        "cannot squash bbbb yet: yyyy (yyyy.sql) depends on its label two; have the depends on line there say bbbb",
    );
    check(
        &labelled.replace("| two", "| bbbb"),
        "aaaa:bbbb",
        "aaaa bbbb /  / one two / ",
    );
}

#[test]
fn what_is_no_range_says_why() {
    check(LINE, "cccc", "'cccc' has no single colon");
    check(LINE, "a:b:c", "'a:b:c' has no single colon");
    check(LINE, "base:base", "no revision lies in 'base:base'");
    check(LINE, "cccc:cccc", "cccc alone lies in 'cccc:cccc'");
    check(
        LINE,
        "dddd:bbbb",
        "requested range dddd:bbbb does not refer",
    );
    check(
        LINE,
        "nope:dddd",
        "can't locate revision identified by 'nope'",
    );
    check("aaaa:, bbbb:", "aaaa:bbbb", "requested range aaaa:bbbb");
}

/// Asks for a target of a history where `bbbb` does the work of `aaaa` and `acdc` since a squash; `expect` is what it
/// is, or a piece of the error.
#[track_caller]
fn check_target(text: &str, expect: &str) {
    let graph =
        graph("zzzz:, bbbb: zzzz = aaaa acdc, cccc: bbbb | zzzz, xxxx: | acdc, abba:").unwrap();
    let found = match graph.upgrade(text, &[]) {
        Ok(steps) => {
            let steps: Vec<_> = steps.iter().map(|it| &it.revision).collect();
            words(&steps)
        }
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
    let named = graph.replaced(text).map(|(id, _)| id.to_string());
    assert_eq!(
        named.is_some(),
        text.starts_with("aa") && !text.contains('+') || text == "acdc"
    );
}

#[test]
fn replaced_ids_lead_to_the_revision_that_replaces_them() {
    check_target("aaaa", "zzzz bbbb");
    check_target("acdc", "zzzz bbbb");
    check_target("aaa", "zzzz bbbb");
    check_target("xxxx", "zzzz bbbb xxxx");
    check_target(
        "a",
        "multiple revisions start with 'a': 'abba', 'aaaa', 'acdc'",
    );
    check_target(
        "aaaa+1",
        "cannot count from revision aaaa, which is replaced by bbbb (bbbb.sql); count from bbbb",
    );
}

#[test]
fn version_rows_within_a_squash_are_refused() {
    let graph = graph("bbbb: = aaaa, cccc: bbbb").unwrap();
    let expect = "revision aaaa is replaced by bbbb (bbbb.sql), so that a database which is at aaaa cannot go on from \
                  there; bring it to bbbb with the files from before the squash";
    let rows = ids("aaaa");
    for error in [
        graph.upgrade("heads", &rows).unwrap_err(),
        graph.downgrade("base", &rows).unwrap_err(),
        graph.stamp(&["cccc"], &rows).unwrap_err(),
        graph.history(Some("current:"), &rows).unwrap_err(),
        graph.applied(&rows).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with(expect), "{error}");
    }
    let steps = graph.downgrade("base", &ids("cccc")).unwrap();
    assert_eq!(
        words(&steps.iter().map(|it| &it.revision).collect::<Vec<_>>()),
        "cccc bbbb"
    );
}

/// Upgrades from rows to a target and back to the base; `expect` are the steps and the rows after the upgrade, and the
/// steps back, or a piece of the error.
#[track_caller]
fn check_parts(rows: &str, target: &str, expect: &str) {
    let drawing =
        "bbbb: (label) = aaaa, cccc: bbbb, xxxx: | aaaa, yyyy: xxxx | bbbb, vvvv: | label";
    let graph = graph(drawing).unwrap();
    let mut rows = ids(rows);
    let found = match graph.upgrade(target, &rows) {
        Ok(steps) => {
            for it in &steps {
                rows.retain(|row| !it.delete.contains(row));
                rows.retain(|row| it.update.iter().all(|(from, _)| from != row));
                rows.extend(it.insert.iter().cloned());
                rows.extend(it.update.iter().map(|(_, to)| to.clone()));
            }
            rows.sort();
            let back = graph.downgrade("base", &rows).unwrap();
            let ids = |it: &[Step]| words(&it.iter().map(|it| &it.revision).collect::<Vec<_>>());
            format!("{} / {} / {}", ids(&steps), words(&rows), ids(&back))
        }
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
}

#[test]
fn who_depends_on_a_part_of_a_squash_needs_the_whole_and_does_not_stand_for_it() {
    check_parts("", "xxxx", "bbbb xxxx / bbbb xxxx / xxxx bbbb");
    check_parts("", "vvvv", "bbbb vvvv / bbbb vvvv / vvvv bbbb");
    check_parts("", "yyyy", "bbbb xxxx yyyy / yyyy / yyyy xxxx bbbb");
    check_parts("bbbb", "xxxx", "xxxx / bbbb xxxx / ");
    check_parts("bbbb xxxx", "cccc", "cccc / cccc xxxx / ");
    check_parts("cccc", "xxxx", "xxxx / cccc xxxx / cccc xxxx bbbb");
    check_parts(
        "bbbb xxxx",
        "heads",
        "vvvv yyyy cccc / cccc vvvv yyyy / cccc yyyy xxxx vvvv bbbb",
    );
    // Before the squash, xxxx stood for aaaa and vvvv for who knows what.
    let expect = "revision aaaa is replaced by bbbb (bbbb.sql), so that a database which is at aaaa cannot go on";
    check_parts("xxxx", "heads", expect);
    check_parts("vvvv", "heads", expect);
}

#[test]
fn a_stamp_writes_down_the_whole_as_well() {
    let graph = graph("bbbb: = aaaa, cccc: bbbb, xxxx: | aaaa").unwrap();
    for (target, rows, expect) in [
        ("xxxx", "", "xxxx bbbb"),
        ("xxxx", "cccc", "xxxx"),
        ("cccc", "", "cccc"),
    ] {
        let steps = graph.stamp(&[target], &ids(rows)).unwrap();
        let inserted: Vec<_> = steps.iter().flat_map(|it| it.insert.clone()).collect();
        assert_eq!(words(&inserted), expect, "{target} {rows}");
    }
    assert_eq!(
        words(
            &graph
                .real_heads()
                .iter()
                .map(|it| &it.id)
                .collect::<Vec<_>>()
        ),
        "cccc xxxx"
    );
}

/// Builds a history in vain.
#[track_caller]
fn check_refused(drawing: &str, expect: &str) {
    let found = graph(drawing).unwrap_err().to_string();
    assert!(found.contains(expect), "{found}\nis not\n{expect}");
}

#[test]
fn a_history_that_contradicts_its_squashes_is_refused() {
    check_refused(
        "aaaa:, bbbb: = aaaa",
        "revision aaaa is present, and replaced by bbbb; delete aaaa (aaaa.sql), for bbbb (bbbb.sql) does its work",
    );
    check_refused(
        "bbbb: = aaaa, cccc: bbbb = aaaa",
        "revision aaaa is replaced by two others: bbbb (bbbb.sql) and cccc (cccc.sql)",
    );
    check_refused(
        "bbbb: = aaaa, cccc: aaaa",
        "revision aaaa referenced from cccc (cccc.sql) is replaced by bbbb (bbbb.sql)",
    );
    check_refused("bbbb: = aaaa, cccc: bbbb (aaaa)", "already used");
    check_refused("bbbb: | aaaa = aaaa", "dependency self-loop");
}

#[test]
fn what_a_replaced_id_is_needed_for_keeps_the_squashed_revision() {
    let error = graph("bbbb: = aaaa, xxxx: | aaaa")
        .unwrap()
        .removal("bbbb")
        .unwrap_err();
    assert!(error.to_string().starts_with("cannot remove bbbb: xxxx"));
}
