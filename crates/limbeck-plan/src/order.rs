//! One order out of many: by dependency, and among those that are ready by stage, table and key.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use limbeck_schema::{Context, Key, Object, Op, Script, Tx};

use crate::diff::Paired;
use crate::graph::Edges;
use crate::plan::{Plan, PlanSegment, PlanStep};
use crate::propagate::{Complete, complete};
use crate::steps::{Folding, Step, Steps, Work};
use crate::{PlanError, created};

pub(crate) fn plan(pairs: &Paired<'_>, ops: Vec<Op>, version: u32) -> Result<Plan, PlanError> {
    let (current, desired) = (pairs.current.as_ref(), pairs.desired.as_ref());
    // Foreign keys stand inside `CREATE TABLE` unless tables need each other; then they stand by themselves, and if
    // that is not enough the other constraints do too.
    let (mut references, mut all, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    loop {
        let complete = complete(
            current,
            desired,
            without_renames(&ops, &names),
            &pairs.facts,
        );
        let folding = |key: &Key| match (all.contains(key), references.contains(key)) {
            (true, _) => Folding::Nothing,
            (false, true) => Folding::ButReferences,
            (false, false) => Folding::All,
        };
        let steps = Steps::new(&complete, current, desired, version, folding);
        let edges = Edges::new(&steps, &complete, current, desired, version);
        let knots: Vec<Key> = edges
            .cycles()
            .concat()
            .into_iter()
            .map(|it| steps.steps[it].key.clone())
            .collect();
        if knots.is_empty() {
            let order = sorted(&steps, &edges);
            return Ok(write(&steps, &order, &complete, pairs, version));
        }
        let known = references.len() + all.len() + names.len();
        names.extend(
            complete
                .renames
                .iter()
                .map(Op::key)
                .filter(|it| knots.contains(it)),
        );
        for key in &knots {
            if !references.insert(key.clone()) {
                all.insert(key.clone());
            }
        }
        if references.len() + all.len() + names.len() == known {
            return Err(PlanError::Cycle(knots));
        }
    }
}

/// Objects that swap their names cannot be renamed one after the other, so they are dropped and created.
fn without_renames(ops: &[Op], names: &BTreeSet<Key>) -> Vec<Op> {
    let replace = |op: &Op| match op {
        Op::Rename { current, desired } if names.contains(&desired.key()) => Op::Replace {
            current: current.clone(),
            desired: desired.clone(),
            why: "another object has to give up the name first",
        },
        op => op.clone(),
    };
    ops.iter().map(replace).collect()
}

fn sorted(steps: &Steps<'_>, edges: &Edges) -> Vec<usize> {
    let rank = |at: usize| {
        let Step {
            work, stage, key, ..
        } = &steps.steps[at];
        Reverse((*stage, key.script_order(), *work, at))
    };
    let mut waits = vec![0_usize; steps.steps.len()];
    edges.after.iter().flatten().for_each(|it| waits[*it] += 1);
    let mut ready: BinaryHeap<_> = (0..waits.len())
        .filter(|it| waits[*it] == 0)
        .map(rank)
        .collect();
    let mut acc = Vec::with_capacity(waits.len());
    while let Some(Reverse((.., at))) = ready.pop() {
        acc.push(at);
        for next in &edges.after[at] {
            waits[*next] -= 1;
            if waits[*next] == 0 {
                ready.push(rank(*next));
            }
        }
    }
    acc
}

fn write(
    steps: &Steps<'_>,
    order: &[usize],
    complete: &Complete,
    pairs: &Paired<'_>,
    version: u32,
) -> Plan {
    let (current, desired) = (pairs.current.as_ref(), pairs.desired.as_ref());
    let (created, asides) = (created(complete.ops.values()), complete.asides());
    let mut plan = Plan::default();
    let mut pending: BTreeSet<Key> = BTreeSet::new();
    for (place, at) in order.iter().enumerate() {
        let step = &steps.steps[*at];
        let swapped = complete.swapped.contains(&step.key);
        let inline = step.inline.iter().filter_map(|it| it.inline()).collect();
        let ctx = Context {
            version,
            current,
            desired,
            created: &created,
            inline,
            swapped,
            asides: &asides,
            facts: &pairs.facts,
        };
        let mut script = Script::default();
        run(step, &ctx, &mut script);
        if script.statements.is_empty() {
            continue;
        }
        let commits = script.statements.iter().any(|it| it.tx == Tx::CommitAfter);
        if !commits && !pending.is_empty() {
            let rest = order[place..].iter().map(|it| &steps.steps[*it]);
            if uses(rest, &pending, pairs) {
                plan.segments.push(PlanSegment {
                    transaction: true,
                    steps: Vec::new(),
                });
            }
            pending.clear();
        }
        if commits {
            pending.insert(step.key.clone());
        }
        let outside = script.statements.iter().any(|it| it.tx == Tx::Outside);
        if plan
            .segments
            .last()
            .is_none_or(|it| it.transaction == outside)
        {
            plan.segments.push(PlanSegment {
                transaction: !outside,
                steps: Vec::new(),
            });
        }
        let step = PlanStep {
            key: step.key.clone(),
            ops: vec![describe(step, &script)],
            statements: script.statements,
            goes: matches!(step.work, Work::Drop | Work::Aside),
        };
        plan.segments
            .last_mut()
            .into_iter()
            .for_each(|it| it.steps.push(step.clone()));
    }
    plan
}

fn run(step: &Step<'_>, ctx: &Context<'_>, acc: &mut Script) {
    match (step.work, step.op) {
        (Work::Rename, Op::Rename { current, desired }) => Object::rename(current, desired, acc),
        (Work::Release, Op::Alter { current, desired }) => {
            Object::release(current, desired, ctx, acc)
        }
        (Work::Alter, Op::Alter { current, desired }) => Object::alter(current, desired, ctx, acc),
        (Work::Drop, op) => op.current().into_iter().for_each(|it| {
            it.drop(ctx, acc);
            held(it, ctx, acc);
        }),
        (Work::Aside, op) => op.current().into_iter().for_each(|it| it.move_aside(acc)),
        (Work::DropAside, op) => op.current().into_iter().for_each(|it| {
            it.drop_aside(ctx, acc);
            held(it, ctx, acc);
        }),
        (_, op) => op.desired().into_iter().for_each(|it| it.create(ctx, acc)),
    }
}

/// Names what holds on to something that goes.
fn held(object: &Object, ctx: &Context<'_>, acc: &mut Script) {
    if let Some(last) = acc.statements.last_mut() {
        last.held(object.key(), &object.holders(ctx.facts));
    }
}

/// The line above a step's statements.
fn describe(step: &Step<'_>, script: &Script) -> String {
    match (step.work, step.op) {
        (Work::Drop, Op::Replace { why, .. }) => format!("drop {} to replace it: {why}", step.key),
        (Work::Create, Op::Replace { desired, .. }) => format!("add {} again", desired.summary()),
        (Work::Aside, _) => format!("rename {} aside, to build it anew", step.key),
        (Work::DropAside, _) => format!("drop the old {}", step.key),
        (Work::Release, _) => format!("alter {}: let go of what is replaced", step.key),
        (Work::Alter, Op::Alter { current, desired })
            if Object::changes(current, desired).is_empty() =>
        {
            let converts = script.statements.iter().any(|it| it.sql.contains(" TYPE "));
            if converts {
                format!("convert {} to the new type", step.key)
            } else {
                format!("alter {}: keep what it has of its own", step.key)
            }
        }
        (_, op) => op.to_string(),
    }
}

/// Whether one of the steps needs, directly or through others, one of these keys.
fn uses<'a>(
    rest: impl Iterator<Item = &'a Step<'a>>,
    pending: &BTreeSet<Key>,
    pairs: &Paired<'_>,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut queue: Vec<Key> = Vec::new();
    for step in rest {
        for object in step
            .op
            .desired()
            .into_iter()
            .chain(step.inline.iter().copied())
        {
            queue.extend(object.depends_on(&pairs.desired));
        }
    }
    while let Some(key) = queue.pop() {
        if pending.contains(&key) {
            return true;
        }
        if let Some(object) = pairs.desired.get(&key).filter(|_| seen.insert(key)) {
            queue.extend(object.depends_on(&pairs.desired));
        }
    }
    false
}
