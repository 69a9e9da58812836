//! From revisions to a graph: keys, edges, order, normalised dependencies, labels.
//!
//! Everything here is linear in revisions and edges, but for the dependencies that several revisions share, which take
//! one bit each per revision.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::error::{CycleKind, GraphError};
use super::walk::NodeSet;
use super::{Key, Links, Node, RevisionGraph};

/// Builds the graph. The checks come in Alembic's order, so that of several troubles the same one is reported.
pub(super) fn build(nodes: Vec<Node>) -> Result<RevisionGraph, GraphError> {
    let mut keys = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        refuse_self_loops(node)?;
        if let Some(Key { node: first, .. }) = keys.insert(
            node.id.to_string(),
            Key {
                node: index,
                rank: index,
            },
        ) {
            return Err(GraphError::Duplicate {
                revision: node.id.clone(),
                first: nodes[first].origin(),
                second: node.origin(),
            });
        }
    }
    add_replaced(&nodes, &mut keys)?;
    let labels = add_labels(&nodes, &mut keys)?;
    let mut graph = RevisionGraph {
        links: vec![Links::default(); nodes.len()],
        nodes,
        keys,
        labels,
        heads: Vec::new(),
        real_heads: Vec::new(),
        bases: Vec::new(),
    };
    add_edges(&mut graph)?;
    let all = 0..graph.nodes.len();
    graph.heads = all
        .clone()
        .filter(|&it| graph.links[it].next.is_empty())
        .collect();
    graph.real_heads = all
        .clone()
        .filter(|&it| graph.links[it].all_next.is_empty())
        .collect();
    graph.bases = all.filter(|&it| graph.links[it].down.is_empty()).collect();
    refuse_cycles(&graph)?;
    let order = sort(&graph)?;
    for (rank, &index) in order.iter().enumerate() {
        graph.links[index].rank = rank;
    }
    normalize_dependencies(&mut graph, &order);
    propagate_labels(&mut graph, &order);
    Ok(graph)
}

fn refuse_self_loops(node: &Node) -> Result<(), GraphError> {
    let kind = if node.down.contains(&node.id) {
        CycleKind::SelfLoop
    } else if node
        .depends_on
        .iter()
        .any(|it| it.target == node.id.as_str())
    {
        CycleKind::DependencySelfLoop
    } else {
        return Ok(());
    };
    Err(GraphError::Cycle {
        kind,
        revisions: vec![node.id.clone()],
        files: node.path.iter().cloned().collect(),
    })
}

/// Ids without a file lead to the revision that does their work since a squash.
fn add_replaced(nodes: &[Node], keys: &mut BTreeMap<String, Key>) -> Result<(), GraphError> {
    for (index, node) in nodes.iter().enumerate() {
        for id in &node.replaces {
            let key = Key {
                node: index,
                rank: usize::MAX,
            };
            let Some(Key { node: other, .. }) = keys.insert(id.to_string(), key) else {
                continue;
            };
            let (other, by) = (nodes[other].origin(), node.origin());
            return Err(if other.revision == *id {
                GraphError::AlsoReplaced { there: other, by }
            } else {
                GraphError::ReplacedTwice {
                    revision: id.clone(),
                    first: other,
                    second: by,
                }
            });
        }
    }
    Ok(())
}

fn add_labels(nodes: &[Node], keys: &mut BTreeMap<String, Key>) -> Result<Vec<String>, GraphError> {
    let mut labels = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        for label in &node.labels {
            if let Some(other) = keys.get(label) {
                return Err(GraphError::LabelTaken {
                    label: label.clone(),
                    from: node.origin(),
                    other: nodes[other.node].origin(),
                });
            }
            keys.insert(
                label.clone(),
                Key {
                    node: index,
                    rank: nodes.len() + labels.len(),
                },
            );
            labels.push(label.clone());
        }
    }
    Ok(labels)
}

fn add_edges(graph: &mut RevisionGraph) -> Result<(), GraphError> {
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let mut down = Vec::new();
        let mut dependencies = Vec::new();
        let mut parts = Vec::new();
        for it in &node.depends_on {
            match graph.keys.get(&it.target) {
                Some(key) if key.node == index => {
                    return Err(GraphError::Cycle {
                        kind: CycleKind::DependencySelfLoop,
                        revisions: vec![node.id.clone()],
                        files: node.path.iter().cloned().collect(),
                    });
                }
                Some(key) if graph.is_part(&it.target, key.node) => push_new(&mut parts, key.node),
                Some(key) => push_new(&mut dependencies, key.node),
                None if it.if_present => {}
                None => {
                    return Err(GraphError::MissingDependency {
                        missing: it.target.clone(),
                        from: node.origin(),
                    });
                }
            }
        }
        for it in &node.down {
            let Some(parent) = graph.index(it.as_str()) else {
                let (revision, from) = (it.clone(), node.origin());
                return Err(match graph.replacing(it.as_str()) {
                    Some(by) => GraphError::ReplacedParent {
                        revision,
                        by: by.origin(),
                        from,
                    },
                    None => GraphError::MissingParent {
                        missing: revision,
                        from,
                    },
                });
            };
            push_new(&mut down, parent);
        }
        for &parent in &down {
            graph.links[parent].next.push(index);
            graph.links[parent].all_next.push(index);
        }
        for &needed in dependencies.iter().filter(|it| !down.contains(it)) {
            graph.links[needed].all_next.push(index);
        }
        parts.retain(|it| !down.contains(it) && !dependencies.contains(it));
        for &needed in &parts {
            graph.links[needed].part_next.push(index);
        }
        graph.links[index].parts = parts;
        graph.links[index].down = down;
        graph.links[index].dependencies = dependencies;
    }
    Ok(())
}

fn push_new(list: &mut Vec<usize>, index: usize) {
    if !list.contains(&index) {
        list.push(index);
    }
}

/// A revision that cannot be reached both from a head and from a base lies on, above or below a circle only. This is
/// Alembic's test, with its lists; [`sort`] finds the circles that lie between a base and a head.
fn refuse_cycles(graph: &RevisionGraph) -> Result<(), GraphError> {
    let links = &graph.links;
    let real_bases: Vec<usize> = graph
        .bases
        .iter()
        .copied()
        .filter(|&it| links[it].dependencies.is_empty())
        .collect();
    let all_down = |it: usize| {
        links[it]
            .down
            .iter()
            .chain(&links[it].dependencies)
            .copied()
    };
    let below = NodeSet::reach(links.len(), &graph.heads, |it| {
        links[it].down.iter().copied()
    });
    let above = NodeSet::reach(links.len(), &graph.bases, |it| {
        links[it].next.iter().copied()
    });
    refuse_cut_off(graph, CycleKind::Cycle, &below, &above)?;
    let below = NodeSet::reach(links.len(), &graph.real_heads, all_down);
    let above = NodeSet::reach(links.len(), &real_bases, |it| {
        links[it].all_next.iter().copied()
    });
    refuse_cut_off(graph, CycleKind::DependencyCycle, &below, &above)
}

fn refuse_cut_off(
    graph: &RevisionGraph,
    kind: CycleKind,
    below: &NodeSet,
    above: &NodeSet,
) -> Result<(), GraphError> {
    let cut_off: Vec<usize> = (0..graph.nodes.len())
        .filter(|&it| !(below.contains(it) && above.contains(it)))
        .collect();
    refuse_circle(graph, kind, &cut_off)
}

fn refuse_circle(
    graph: &RevisionGraph,
    kind: CycleKind,
    members: &[usize],
) -> Result<(), GraphError> {
    if members.is_empty() {
        return Ok(());
    }
    let mut revisions = graph.ids(members.iter().copied());
    // Alembic lists everything in order of arrival if all are affected, and the affected ones sorted otherwise.
    if members.len() < graph.nodes.len() {
        revisions.sort();
    }
    let files = members
        .iter()
        .filter_map(|&it| graph.nodes[it].path.clone())
        .collect();
    Err(GraphError::Cycle {
        kind,
        revisions,
        files,
    })
}

/// An order in which everything comes after its parents and dependencies, earlier revisions first among the ready.
fn sort(graph: &RevisionGraph) -> Result<Vec<usize>, GraphError> {
    let links = &graph.links;
    let mut waits: Vec<usize> = (0..links.len()).map(|it| needed(&links[it])).collect();
    let mut ready: VecDeque<usize> = (0..links.len()).filter(|&it| waits[it] == 0).collect();
    let mut order = Vec::with_capacity(links.len());
    while let Some(index) = ready.pop_front() {
        order.push(index);
        for &next in links[index].all_next.iter().chain(&links[index].part_next) {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push_back(next);
            }
        }
    }
    if order.len() == links.len() {
        return Ok(order);
    }
    // What is left over lies on or above a circle; what nothing left over needs is only above it.
    let mut left: Vec<bool> = waits.iter().map(|&it| it > 0).collect();
    let mut above: Vec<usize> = (0..links.len()).rev().filter(|&it| left[it]).collect();
    while let Some(index) = above.pop() {
        let it = &links[index];
        if left[index] && !it.all_next.iter().chain(&it.part_next).any(|&it| left[it]) {
            left[index] = false;
            above.extend(it.down.iter().chain(&it.dependencies).chain(&it.parts));
        }
    }
    let members: Vec<usize> = (0..links.len()).filter(|&it| left[it]).collect();
    let versioned = members
        .iter()
        .all(|&it| links[it].dependencies.is_empty() && links[it].parts.is_empty());
    let kind = if versioned {
        CycleKind::Cycle
    } else {
        CycleKind::DependencyCycle
    };
    refuse_circle(graph, kind, &members)?;
    Ok(order)
}

fn needed(links: &Links) -> usize {
    links.down.len()
        + links.parts.len()
        + links
            .dependencies
            .iter()
            .filter(|it| !links.down.contains(it))
            .count()
}

/// Leaves out the dependencies that an ancestor by `revises` has too: whoever holds the ancestor holds them.
fn normalize_dependencies(graph: &mut RevisionGraph, order: &[usize]) {
    let links = &mut graph.links;
    // Only what several revisions depend on can be left out anywhere.
    let mut times = vec![0_usize; links.len()];
    for needed in links.iter().flat_map(|it| &it.dependencies) {
        times[*needed] += 1;
    }
    let mut n_shared = 0;
    let bits: Vec<Option<usize>> = times
        .iter()
        .map(|&it| {
            (it > 1).then(|| {
                n_shared += 1;
                n_shared - 1
            })
        })
        .collect();
    let mut inherited = vec![NodeSet::new(0); links.len()];
    for &index in order {
        let mut set = NodeSet::new(n_shared);
        for &parent in &links[index].down {
            set.union_with(&inherited[parent]);
            for bit in links[parent].dependencies.iter().filter_map(|&it| bits[it]) {
                set.insert(bit);
            }
        }
        let mut normalized = links[index].down.clone();
        for &needed in &links[index].dependencies {
            if !bits[needed].is_some_and(|bit| set.contains(bit)) {
                push_new(&mut normalized, needed);
            }
        }
        links[index].normalized_down = normalized;
        inherited[index] = set;
    }
}

/// Gives every revision the labels of its branch: a label goes to everything that follows its revision and, while the
/// line neither forks nor merges all the way up, also down to the first fork or merge (`RevisionMap._add_branches`).
fn propagate_labels(graph: &mut RevisionGraph, order: &[usize]) {
    let mut own = vec![BTreeSet::new(); graph.nodes.len()];
    for (label, text) in graph.labels.iter().enumerate() {
        own[graph.keys[text].node].insert(label);
    }
    let links = &mut graph.links;
    for &index in order {
        let mut labels = own[index].clone();
        for &parent in &links[index].down {
            labels.extend(&links[parent].labels);
        }
        links[index].labels = labels;
    }
    let plain = |links: &Links| links.all_next.len() <= 1 && links.down.len() <= 1;
    let mut straight = vec![false; links.len()];
    for &index in order.iter().rev() {
        straight[index] = plain(&links[index]) && links[index].next.iter().all(|&it| straight[it]);
    }
    for index in (0..links.len()).filter(|&it| straight[it] && !own[it].is_empty()) {
        let mut parent = links[index].down.first().copied();
        while let Some(it) = parent.filter(|&it| plain(&links[it])) {
            links[it].labels.extend(&own[index]);
            parent = links[it].down.first().copied();
        }
    }
}
