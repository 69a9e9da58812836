//! Which step must run before which.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::kinds::Slot;
use limbeck_schema::{Key, Object, Op, Schema, Stage};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::propagate::{Complete, event};
use crate::steps::{Steps, Work, is_type};

/// Edges between steps, by their places in `Steps::steps`.
#[derive(Debug)]
pub(crate) struct Edges {
    /// For each step those that must run after it.
    pub after: Vec<BTreeSet<usize>>,
}

impl Edges {
    pub(crate) fn new(
        steps: &Steps<'_>,
        complete: &Complete,
        current: &Schema,
        desired: &Schema,
        version: u32,
    ) -> Self {
        let mut acc = Self {
            after: vec![BTreeSet::new(); steps.steps.len()],
        };
        for (key, op) in &complete.ops {
            if let Some(object) = op.desired() {
                acc.acquire(steps, key, object, desired);
            }
            if let Some(object) = op.current() {
                acc.release(steps, complete, key, object, current);
            }
            acc.own_order(steps, key, op);
        }
        acc.renames(steps, complete);
        acc.slots(steps, complete, version);
        acc
    }

    fn add(&mut self, before: Option<&usize>, after: Option<&usize>) {
        if let (Some(before), Some(after)) = (before, after)
            && before != after
        {
            self.after[*before].insert(*after);
        }
    }

    /// What the new state needs comes first.
    fn acquire(&mut self, steps: &Steps<'_>, key: &Key, object: &Object, desired: &Schema) {
        for dependency in object.depends_on(desired) {
            self.add(steps.ready.get(&dependency), steps.ready.get(key));
        }
    }

    /// What the old state held on to goes or changes only afterwards.
    fn release(
        &mut self,
        steps: &Steps<'_>,
        complete: &Complete,
        key: &Key,
        object: &Object,
        current: &Schema,
    ) {
        let gone = steps.gone.get(key);
        for dependency in object.depends_on(current) {
            let target = steps.gone.get(&dependency);
            if gone.is_some() {
                self.add(gone, target);
            } else if let Some(released) = steps.released.get(key).filter(|_| !is_type(&dependency))
            {
                self.add(Some(released), target);
            } else {
                self.add(steps.touched.get(key), target);
            }
            // What a table's own ALTER changes is nothing to a column that goes; to its constraints it is.
            let is_column_of =
                dependency.part.is_none() && key.kind.drop_stage() == Stage::DropColumns;
            let one_table =
                (&key.schema, &key.name) == (&dependency.schema, &dependency.name) && !is_column_of;
            let matters = complete
                .ops
                .get(&dependency)
                .is_some_and(|op| event(op).is_some())
                || one_table;
            // An old self that stands aside may hold on to another one.
            let stays = gone.is_some_and(|it| steps.steps[*it].work == Work::DropAside);
            if stays {
                self.before_aside(steps, key, &dependency);
            } else if gone.is_some() && matters {
                self.add(gone, steps.touched.get(&dependency));
            }
        }
    }

    /// What is renamed aside is addressed by what it uses, as long as that has its own name.
    fn before_aside(&mut self, steps: &Steps<'_>, key: &Key, dependency: &Key) {
        let is_aside = |it: &&usize| steps.steps[**it].work == Work::Aside;
        self.add(
            steps.touched.get(key).filter(is_aside),
            steps.touched.get(dependency).filter(is_aside),
        );
    }

    /// What is renamed, and what is about it, is addressed by its new name from then on, and by no other.
    fn renames(&mut self, steps: &Steps<'_>, complete: &Complete) {
        let renames: BTreeMap<Key, usize> = steps
            .steps
            .iter()
            .enumerate()
            .filter(|(_, it)| it.work == Work::Rename)
            .map(|(at, it)| (it.key.clone(), at))
            .collect();
        for key in complete.ops.keys() {
            let rename = renames
                .get(key)
                .or_else(|| key.subject().and_then(|it| renames.get(&it)));
            for it in [&steps.released, &steps.gone, &steps.touched, &steps.ready] {
                self.add(rename, it.get(key));
            }
        }
    }

    /// The steps of one object among themselves.
    fn own_order(&mut self, steps: &Steps<'_>, key: &Key, op: &Op) {
        let (ready, gone) = (steps.ready.get(key), steps.gone.get(key));
        self.add(steps.released.get(key), steps.touched.get(key));
        if matches!(op, Op::Replace { .. }) {
            match steps.touched.get(key) {
                Some(aside) => {
                    self.add(Some(aside), ready);
                    self.add(ready, gone);
                }
                None => self.add(gone, ready),
            }
        }
    }

    /// A place is taken only after it has been left.
    fn slots(&mut self, steps: &Steps<'_>, complete: &Complete, version: u32) {
        let mut left: BTreeMap<Slot, Vec<usize>> = BTreeMap::new();
        let mut taken: Vec<(Slot, usize)> = Vec::new();
        let renames = steps
            .steps
            .iter()
            .enumerate()
            .filter(|(_, it)| it.work == Work::Rename);
        for (at, op) in renames.map(|(at, it)| (at, it.op)) {
            left_and_taken(op, version, Some(at), Some(at), &mut left, &mut taken);
        }
        for (key, op) in &complete.ops {
            let leaves = match op {
                Op::Alter { .. } => steps.released.get(key).or(steps.touched.get(key)),
                _ => steps.touched.get(key).or(steps.gone.get(key)),
            };
            left_and_taken(
                op,
                version,
                leaves.copied(),
                steps.ready.get(key).copied(),
                &mut left,
                &mut taken,
            );
        }
        for (slot, at) in taken {
            for before in left.get(&slot).into_iter().flatten() {
                self.add(Some(before), Some(&at));
            }
        }
    }

    /// Groups of steps that wait for each other, each group in order of place.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.after.len(), self.after.len());
        for _ in &self.after {
            graph.add_node(());
        }
        for (before, all) in self.after.iter().enumerate() {
            for after in all {
                graph.add_edge(NodeIndex::new(before), NodeIndex::new(*after), ());
            }
        }
        tarjan_scc(&graph)
            .into_iter()
            .filter(|it| it.len() > 1)
            .map(|it| {
                let mut places: Vec<usize> = it.into_iter().map(NodeIndex::index).collect();
                places.sort_unstable();
                places
            })
            .collect()
    }
}

fn left_and_taken(
    op: &Op,
    version: u32,
    leaves: Option<usize>,
    takes: Option<usize>,
    left: &mut BTreeMap<Slot, Vec<usize>>,
    taken: &mut Vec<(Slot, usize)>,
) {
    let slots = |it: &Object| -> Vec<Slot> {
        let all = it.slots().into_iter();
        all.filter_map(|it| it.on(version)).collect()
    };
    let before: BTreeSet<Slot> = op.current().into_iter().flat_map(slots).collect();
    let after: BTreeSet<Slot> = op.desired().into_iter().flat_map(slots).collect();
    let replaced = matches!(op, Op::Replace { .. });
    for slot in before.iter().filter(|it| replaced || !after.contains(it)) {
        left.entry(slot.clone()).or_default().extend(leaves);
    }
    let new = after
        .into_iter()
        .filter(|it| replaced || !before.contains(it));
    taken.extend(new.filter_map(|slot| takes.map(|at| (slot, at))));
}
