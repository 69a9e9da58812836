//! From two states to a script: the differences, their order, the segments they run in and what they endanger.
//!
//! Nothing here names a kind of object, does IO or depends on the order in which anything arrived.

mod diff;
mod graph;
mod order;
mod plan;
mod propagate;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::{Desired, Key, Op, Schema, Scope};

pub use plan::{Plan, PlanSegment, PlanStep};

/// Why no plan could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Differences that no statement can bring about; each with its reason.
    #[error("cannot plan {}", list(.0))]
    Unsupported(Vec<(Key, &'static str)>),
    /// Objects that need each other in both directions.
    #[error("cannot order {}: each needs another to come first; split the change into two revisions", keys(.0))]
    Cycle(Vec<Key>),
}

fn list(items: &[(Key, &'static str)]) -> String {
    items
        .iter()
        .map(|(key, why)| format!("{key}: {why}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn keys(items: &[Key]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A reviewed change in both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Migration {
    /// What differs, by key.
    pub ops: Vec<Op>,
    /// From the current state to the desired one.
    pub upgrade: Plan,
    /// Back again: planned afresh with the states swapped, since not every change has a mirror image.
    pub downgrade: Plan,
}

impl Migration {
    /// The objects of the current state that go on the way there, or on the way back where they are there already.
    pub fn going<'a>(&'a self, current: &'a Schema) -> BTreeSet<&'a Key> {
        let all = self.upgrade.going().chain(self.downgrade.going());
        all.filter(|it| current.contains(it)).collect()
    }

    /// States what hangs on objects that go: on the way there, and on the way back where it is not gone by then.
    pub fn state_attached(&mut self, attached: &BTreeMap<Key, Vec<String>>) {
        let gone: BTreeSet<Key> = self.upgrade.going().cloned().collect();
        self.upgrade.state_attached(attached);
        let mut left = attached.clone();
        left.retain(|key, _| !gone.contains(key));
        self.downgrade.state_attached(&left);
    }
}

/// What differs between two states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// What can be brought about, by key.
    pub ops: Vec<Op>,
    /// What nothing can bring about, each with its reason and what to do instead.
    pub unsupported: Vec<(Key, &'static str)>,
}

/// What differs between the current state and what is desired of it, by key. Empty when both agree.
pub fn diff(current: &Schema, desired: &Desired) -> Differences {
    let pairs = diff::Paired::new(current, desired);
    let (ops, unsupported) = diff::ops(&pairs, desired);
    Differences { ops, unsupported }
}

/// The operations, if all that differs can be brought about.
fn planned(pairs: &diff::Paired<'_>, desired: &Desired) -> Result<Vec<Op>, PlanError> {
    match diff::ops(pairs, desired) {
        (ops, unsupported) if unsupported.is_empty() => Ok(ops),
        (_, unsupported) => Err(PlanError::Unsupported(unsupported)),
    }
}

/// The operations that say it all to a reader: not those on parts of what is itself created or dropped.
pub fn outline(ops: &[Op]) -> Vec<&Op> {
    let whole: BTreeSet<Key> = ops
        .iter()
        .filter(|op| matches!(op, Op::Create(_) | Op::Drop(_)))
        .map(Op::key)
        .collect();
    let is_part = |op: &&Op| match op {
        Op::Create(it) | Op::Drop(it) => it.parent().is_some_and(|parent| whole.contains(&parent)),
        _ => false,
    };
    ops.iter().filter(|op| !is_part(op)).collect()
}

/// Plans the way there and back for a server of this `server_version_num`.
///
/// # Errors
/// [`PlanError::Unsupported`] for differences that nothing can bring about, [`PlanError::Cycle`] where no order exists.
pub fn migration(
    current: &Schema,
    desired: &Desired,
    version: u32,
) -> Result<Migration, PlanError> {
    let pairs = diff::Paired::new(current, desired);
    let ops = planned(&pairs, desired)?;
    let upgrade = order::plan(&pairs, ops.clone(), version)?;
    // On the way back the current state is what is wanted, as far as the source manages it.
    let start = Desired {
        schema: scoped(current, desired),
        scope: Scope::everything(),
        facts: desired.facts.reversed(),
        ..Desired::default()
    };
    let mut reached = pairs.desired.into_owned();
    // What is left alone did not come on the way there.
    reached.retain(|key, _| !desired.scope.ignores(key));
    let back = diff::Paired::new(&reached, &start);
    let back_ops = planned(&back, &start)?;
    let downgrade = order::plan(&back, back_ops, version)?;
    Ok(Migration {
        ops,
        upgrade,
        downgrade,
    })
}

/// The plan from one state to another, of everything in them.
///
/// # Errors
/// As [`migration`].
pub fn plan(current: &Schema, desired: &Schema, version: u32) -> Result<Plan, PlanError> {
    let desired = Desired {
        schema: desired.clone(),
        scope: Scope::everything(),
        ..Desired::default()
    };
    let pairs = diff::Paired::new(current, &desired);
    let ops = planned(&pairs, &desired)?;
    order::plan(&pairs, ops, version)
}

/// The part of the current state that the desired one speaks about.
fn scoped(current: &Schema, desired: &Desired) -> Schema {
    current
        .iter()
        .filter(|(key, object)| {
            !desired.scope.ignores(key)
                && (desired.schema.contains(key) || desired.scope.covers(object, current))
        })
        .map(|(_, object)| object.clone())
        .collect()
}

/// The keys that a set of operations creates.
fn created<'a>(ops: impl IntoIterator<Item = &'a Op>) -> BTreeSet<Key> {
    ops.into_iter()
        .filter_map(|op| {
            if let Op::Create(it) = op {
                Some(it.key())
            } else {
                None
            }
        })
        .collect()
}
