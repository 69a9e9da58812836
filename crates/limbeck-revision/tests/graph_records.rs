//! Calls of Alembic's revision map with their results, replayed on the graph.
//!
//! `$LIMBECK_CASES/alembic/graph.jsonl` holds what Alembic's own tests called; without that variable a small file of
//! hand-written records of the same format is used. Each record is a history, a call with arguments, and a result or an
//! error. The deliberate changes: a duplicate id, a missing parent, and `-N` with several rows are errors, and a downgrade
//! leaves no row that another row implies.

#![expect(
    clippy::unwrap_used,
    reason = "a record that is not of the format has to stop the test"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use limbeck_revision::graph::{
    BasePolicy, Direction, Ends, GraphError, Move, Node, Overwalk, RangeOptions, RevisionGraph,
    Selection, StampMove, Step, Travel,
};
use limbeck_revision::{Dependency, IdError, RevisionId};
use serde_json::{Value, json};

#[test]
fn records_give_alembics_results() {
    let (path, text) = records();
    let mut disagreements = Vec::new();
    let mut n_records = 0;
    for line in text.lines().filter(|it| !it.trim().is_empty()) {
        let record: Value = serde_json::from_str(line).unwrap();
        n_records += 1;
        if let Err(why) = replay(&record) {
            let context: Vec<String> = ["test", "call", "args", "kw", "graph"]
                .iter()
                .map(|it| format!("{it}: {}", record[it]))
                .collect();
            disagreements.push(format!("{why}\n  {}", context.join("\n  ")));
        }
    }
    assert!(n_records > 0, "{} has no records", path.display());
    assert!(
        disagreements.is_empty(),
        "{} of {n_records} records of {} disagree\n\n{}",
        disagreements.len(),
        path.display(),
        disagreements.join("\n\n")
    );
}

fn records() -> (PathBuf, String) {
    let path = match std::env::var_os("LIMBECK_CASES") {
        Some(cases) => PathBuf::from(cases).join("alembic/graph.jsonl"),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graph.jsonl"),
    };
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    (path, text)
}

/// What both sides give for one call: revisions in order or without, steps, or an error.
#[derive(Debug, PartialEq)]
enum Outcome {
    List(Vec<String>),
    Set(BTreeSet<String>),
    Steps(Vec<Recorded>),
}

/// A step as recorded; the order of what it joins is that of a Python set.
#[derive(Debug, PartialEq)]
struct Recorded {
    stamp: bool,
    upgrade: bool,
    branch_move: Option<bool>,
    from: BTreeSet<String>,
    to: BTreeSet<String>,
    log: Option<String>,
}

fn replay(record: &Value) -> Result<(), String> {
    let call = record["call"].as_str().unwrap();
    let expected_error = record.get("error");
    let nodes: Result<Vec<Node>, IdError> = record["graph"]
        .as_array()
        .unwrap()
        .iter()
        .map(node)
        .collect();
    let nodes = match (nodes, expected_error) {
        (Ok(nodes), _) => nodes,
        (Err(IdError::Illegal { .. }), Some(_)) if call == "build" => return Ok(()),
        (Err(err), _) => return Err(format!("no history: {err}")),
    };
    let whole = is_whole(&nodes);
    let graph = match (RevisionGraph::new(nodes), call) {
        (Ok(_), _) if !whole => {
            return Err("a duplicate id or a missing parent was accepted".into());
        }
        (Ok(graph), "build") => {
            return match expected_error {
                Some(expect) => Err(format!("built, but expected {expect}")),
                None => same_ends(&graph, record),
            };
        }
        (Ok(graph), _) => graph,
        (Err(GraphError::Duplicate { .. } | GraphError::MissingParent { .. }), _) if !whole => {
            return Ok(());
        }
        (Err(err), "build") => {
            return expected_error.map_or_else(
                || Err(format!("not built: {err}")),
                |it| same_error(&err, it),
            );
        }
        (Err(err), _) => return Err(format!("not built: {err}")),
    };
    same_ends(&graph, record)?;
    if record["args"].as_array().unwrap().iter().any(is_bytes) {
        // Rows that a driver hands over as bytes: no value of our types.
        return expected_error
            .map(|_| ())
            .ok_or_else(|| "bytes were accepted".into());
    }
    match (answer(&graph, call, record), expected_error) {
        (Err(GraphError::AmbiguousDowngrade { .. }), _) if has_several_rows(record) => Ok(()),
        (Err(err), Some(expect)) => same_error(&err, expect),
        (Err(err), None) => Err(format!("error: {err}\n  expected: {}", record["result"])),
        (Ok(found), Some(expect)) => Err(format!("found: {found:?}\n  expected error: {expect}")),
        (Ok(found), None) => {
            let mut expected = expected(&record["result"], &found);
            if found != expected
                && let Outcome::Set(rows) = &mut expected
                && call == "update_to_step"
                && matches!(step(&record["args"][1]), Move::Downgrade(_))
            {
                drop_implied(&graph, rows);
            }
            if found == expected {
                Ok(())
            } else {
                Err(format!("found:    {found:?}\n  expected: {expected:?}"))
            }
        }
    }
}

fn node(value: &Value) -> Result<Node, IdError> {
    let texts = |key: &str| strings(&value[key]);
    let down = texts("down")
        .iter()
        .map(|it| RevisionId::new(it))
        .collect::<Result<_, _>>()?;
    let mut node = Node::new(RevisionId::new(value["rev"].as_str().unwrap())?, down);
    node.depends_on = texts("depends_on")
        .into_iter()
        .map(|target| Dependency {
            target,
            if_present: false,
        })
        .collect();
    node.labels = texts("labels");
    Ok(node)
}

fn is_whole(nodes: &[Node]) -> bool {
    let ids: BTreeSet<&RevisionId> = nodes.iter().map(|it| &it.id).collect();
    ids.len() == nodes.len()
        && nodes
            .iter()
            .flat_map(|it| &it.down)
            .all(|it| ids.contains(it))
}

fn same_ends(graph: &RevisionGraph, record: &Value) -> Result<(), String> {
    for (key, found) in [
        ("heads", graph.heads()),
        ("bases", graph.bases()),
        ("real_heads", graph.real_heads()),
    ] {
        let Some(expected) = record.get(key) else {
            continue;
        };
        let expected: BTreeSet<String> = strings(expected).into_iter().collect();
        let found: BTreeSet<String> = names(&found).into_iter().collect();
        if found != expected {
            return Err(format!("{key} {found:?}\n  expected: {expected:?}"));
        }
    }
    Ok(())
}

fn answer(graph: &RevisionGraph, call: &str, record: &Value) -> Result<Outcome, GraphError> {
    let args = record["args"].as_array().unwrap();
    let arg = |at: usize| args.get(at).map_or(Selection::BASE, selection);
    let list = |nodes: Vec<&Node>| Outcome::List(names(&nodes));
    Ok(match call {
        "get_revision" => match arg(0) {
            Selection::One(text) => list(graph.get(&text)?.into_iter().collect()),
            many => list(graph.get_all(&many)?),
        },
        "get_revisions" if args[0].is_object() => {
            Outcome::Set(names(&graph.get_all(&arg(0))?).into_iter().collect())
        }
        "get_revisions" => list(graph.get_all(&arg(0))?),
        "iterate_revisions" => list(graph.iterate(&arg(0), &arg(1), options(&record["kw"]))?),
        "filter_for_lineage" => {
            list(graph.filter_for_lineage(&arg(0), args[1].as_str().unwrap_or("base"))?)
        }
        "get_current_head" => {
            let branch = args
                .first()
                .or(record["kw"].get("branch_label"))
                .and_then(Value::as_str);
            list(graph.current_head(branch)?.into_iter().collect())
        }
        "_get_all_current" => {
            Outcome::Set(names(&graph.all_current(&arg(0))?).into_iter().collect())
        }
        "_upgrade_revs" => {
            let moves = graph.upgrade_moves(&arg(0), &arg(1))?;
            if let (Some(rows), Some(target)) = (rows(graph, &arg(1)), args[0].as_str()) {
                same_steps(&moves, graph.upgrade(target, &rows)?);
            }
            Outcome::Steps(moves.iter().map(|it| recorded(graph, it)).collect())
        }
        "_downgrade_revs" => {
            let moves = graph.downgrade_moves(&arg(0), &arg(1))?;
            if let (Some(rows), Some(target)) = (rows(graph, &arg(1)), args[0].as_str()) {
                same_steps(&moves, graph.downgrade(target, &rows)?);
            }
            Outcome::Steps(moves.iter().map(|it| recorded(graph, it)).collect())
        }
        "_stamp_revs" => {
            let targets = arg(0);
            let targets: Vec<&str> = match &targets {
                Selection::One(text) => vec![text],
                Selection::Many(texts) => texts.iter().map(String::as_str).collect(),
            };
            let moves = graph.stamp_moves(&targets, &arg(1))?;
            if let (Some(rows), [_]) = (rows(graph, &arg(1)), targets.as_slice()) {
                assert_eq!(graph.stamp(&targets, &rows)?.len(), moves.len());
            }
            Outcome::Steps(moves.iter().map(|it| recorded(graph, it)).collect())
        }
        "update_to_step" => {
            let mut rows: BTreeSet<RevisionId> = rows(graph, &arg(0))
                .unwrap_or_default()
                .into_iter()
                .collect();
            graph.apply(&mut rows, &step(&args[1]))?;
            Outcome::Set(rows.iter().map(ToString::to_string).collect())
        }
        other => panic!("a record of an unknown call: {other}"),
    })
}

/// The steps bound to rows are the moves, and their rows fit.
#[track_caller]
fn same_steps(moves: &[Move], steps: Vec<Step>) {
    assert_eq!(steps.len(), moves.len());
    for (step, expected) in steps.into_iter().zip(moves) {
        match (expected, step.direction) {
            (Move::Upgrade(id), Direction::Upgrade)
            | (Move::Downgrade(id), Direction::Downgrade) => {
                assert_eq!(id, &step.revision);
            }
            _ => panic!("{step:?} is no {expected:?}"),
        }
    }
}

/// Leaves out the rows that another row implies.
fn drop_implied(graph: &RevisionGraph, rows: &mut BTreeSet<String>) {
    let implies = |upper: &String, lower: &String| {
        let needed = graph
            .iterate(
                &upper.as_str().into(),
                &Selection::BASE,
                RangeOptions::UPGRADE,
            )
            .unwrap();
        upper != lower && needed.iter().any(|it| it.id.as_str() == lower)
    };
    let implied: BTreeSet<String> = rows
        .iter()
        .filter(|lower| rows.iter().any(|upper| implies(upper, lower)))
        .cloned()
        .collect();
    rows.retain(|it| !implied.contains(it));
}

fn options(kw: &Value) -> RangeOptions {
    let flag = |key: &str, default| kw[key].as_bool().unwrap_or(default);
    RangeOptions {
        travel: if flag("select_for_downgrade", false) {
            Travel::Downgrade
        } else {
            Travel::Upgrade
        },
        ends: if flag("inclusive", false) {
            Ends::Inclusive
        } else {
            Ends::Exclusive
        },
        base: if flag("implicit_base", false) {
            BasePolicy::Implicit
        } else {
            BasePolicy::Explicit
        },
        overwalk: if flag("assert_relative_length", true) {
            Overwalk::Refuse
        } else {
            Overwalk::StopAtEnd
        },
    }
}

fn recorded(graph: &RevisionGraph, it: &Move) -> Recorded {
    let set = |ids: &[RevisionId]| ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let (id, upgrade) = match it {
        Move::Upgrade(id) => (id, true),
        Move::Downgrade(id) => (id, false),
        Move::Stamp { from, to, by } => {
            return Recorded {
                stamp: true,
                upgrade: matches!(by, StampMove::Enter | StampMove::Up),
                branch_move: Some(matches!(by, StampMove::Enter | StampMove::Leave)),
                from: set(from),
                to: set(to),
                log: None,
            };
        }
    };
    let relations = graph.relations(id.as_str()).unwrap();
    let own = set(std::slice::from_ref(id));
    let needs = names(&relations.needs).into_iter().collect();
    let down = names(&relations.down).join(", ");
    let (from, to, log) = if upgrade {
        (needs, own, format!("upgrade {down} -> {id}"))
    } else {
        (own, needs, format!("downgrade {id} -> {down}"))
    };
    Recorded {
        stamp: false,
        upgrade,
        branch_move: None,
        from,
        to,
        log: Some(log),
    }
}

fn step(value: &Value) -> Move {
    let ids = |key: &str| {
        strings(&value[key])
            .iter()
            .map(|it| RevisionId::new(it).unwrap())
            .collect::<Vec<_>>()
    };
    let (from, to) = (ids("from"), ids("to"));
    match (
        value["step"].as_str().unwrap(),
        value["is_upgrade"].as_bool().unwrap(),
        value["branch_move"].as_bool(),
    ) {
        ("RevisionStep", true, _) => Move::Upgrade(to[0].clone()),
        ("RevisionStep", false, _) => Move::Downgrade(from[0].clone()),
        (_, true, Some(true)) => Move::Stamp {
            from,
            to,
            by: StampMove::Enter,
        },
        (_, false, Some(true)) => Move::Stamp {
            from,
            to,
            by: StampMove::Leave,
        },
        (_, true, _) => Move::Stamp {
            from,
            to,
            by: StampMove::Up,
        },
        (_, false, _) => Move::Stamp {
            from,
            to,
            by: StampMove::Down,
        },
    }
}

/// The recorded result, in the form of what was found.
fn expected(value: &Value, found: &Outcome) -> Outcome {
    match found {
        Outcome::Set(_) => Outcome::Set(strings(value).into_iter().collect()),
        Outcome::List(_) => Outcome::List(strings(value)),
        Outcome::Steps(_) => Outcome::Steps(
            value
                .as_array()
                .unwrap()
                .iter()
                .map(recorded_step)
                .collect(),
        ),
    }
}

fn recorded_step(value: &Value) -> Recorded {
    let set = |key: &str| strings(&value[key]).into_iter().collect();
    Recorded {
        stamp: value["step"] == json!("StampStep"),
        upgrade: value["is_upgrade"].as_bool().unwrap(),
        branch_move: value["branch_move"].as_bool(),
        from: set("from"),
        to: set("to"),
        log: value["short_log"].as_str().map(str::to_owned),
    }
}

/// The messages are Alembic's, but for the case of the first letter and what follows it.
fn same_error(found: &GraphError, expected: &Value) -> Result<(), String> {
    let kind = expected["type"].as_str().unwrap();
    let message = expected["message"].as_str().unwrap();
    let lower = |text: &str| text.to_lowercase();
    let same = match kind {
        // Alembic's tuples and its "Nothing to drop" are not for people.
        "RangeNotAncestorError"
            if message.contains("('") || message.contains("Nothing to drop") =>
        {
            matches!(found, GraphError::NotAncestor { .. })
        }
        "AssertionError" | "KeyError" | "TypeError" => true,
        _ => lower(&found.to_string()).contains(&lower(message)),
    };
    if same {
        Ok(())
    } else {
        Err(format!("error: {found}\n  expected error: {expected}"))
    }
}

fn has_several_rows(record: &Value) -> bool {
    let args = record["args"].as_array().unwrap();
    args.iter().any(|it| strings(it).len() > 1)
}

fn is_bytes(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|it| it.iter().any(|it| it.is_number() || is_bytes(it)))
}

fn selection(value: &Value) -> Selection {
    match value {
        Value::String(text) => Selection::One(text.clone()),
        other => Selection::Many(strings(other)),
    }
}

/// The rows of a selection, if they are whole ids.
fn rows(graph: &RevisionGraph, selection: &Selection) -> Option<Vec<RevisionId>> {
    let texts = match selection {
        Selection::One(text) => std::slice::from_ref(text),
        Selection::Many(texts) => texts.as_slice(),
    };
    texts
        .iter()
        .map(|it| graph.node(it).map(|it| it.id.clone()))
        .collect()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Object(set) => strings(&set["set"]),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        other => panic!("not a list of revisions: {other}"),
    }
}

fn names(nodes: &[&Node]) -> Vec<String> {
    nodes.iter().map(|it| it.id.to_string()).collect()
}
