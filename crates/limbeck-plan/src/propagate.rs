//! What a change asks of objects that stay the same: a check on a column whose type is swapped has to go and come
//! again, a column of a swapped type has to be converted.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::{Event, Facts, Key, KindTag, Object, Op, Reaction, Replacement, Schema};

use crate::steps::is_type;

/// Operations by key, completed by what they ask of others.
pub(crate) struct Complete {
    /// The operations. A rename stands under the key that it gives.
    pub ops: BTreeMap<Key, Op>,
    /// Renames of objects that have another operation as well.
    pub renames: Vec<Op>,
    /// Objects that are converted because a type they use is swapped.
    pub swapped: BTreeSet<Key>,
    /// Types that are dropped while a type of another kind takes their name and their users; with that type.
    pub exchanged: BTreeMap<Key, Key>,
}

impl Complete {
    /// What is replaced by renaming its old self aside.
    pub(crate) fn asides(&self) -> BTreeSet<Key> {
        let is_aside = |op: &Op| matches!(event(op), Some(Event::Swapped));
        let replaced = self
            .ops
            .iter()
            .filter(|(_, op)| is_aside(op))
            .map(|(key, _)| key);
        replaced
            .chain(self.exchanged.iter().flat_map(|(old, new)| [old, new]))
            .cloned()
            .collect()
    }
}

const WHY: &str = "what it depends on is rebuilt";

pub(crate) fn complete(
    current: &Schema,
    desired: &Schema,
    ops: Vec<Op>,
    facts: &Facts,
) -> Complete {
    let (renames, rest): (Vec<_>, Vec<_>) = ops
        .into_iter()
        .partition(|op| matches!(op, Op::Rename { .. }));
    let mut acc = Complete {
        ops: rest.into_iter().map(|op| (op.key(), op)).collect(),
        renames,
        swapped: BTreeSet::new(),
        exchanged: BTreeMap::new(),
    };
    let obstacles: Vec<_> = acc
        .ops
        .values()
        .filter_map(|op| obstacle(op, current))
        .collect();
    for (key, why) in obstacles {
        build_anew(&mut acc, &key, why, current, desired);
    }
    let mut queue: Vec<(Key, Event)> = acc
        .ops
        .iter()
        .filter_map(|(key, op)| event(op).map(|event| (key.clone(), event)))
        .collect();
    if queue.is_empty() {
        return acc;
    }
    let dependents = dependents(current, desired);
    acc.exchanged = exchanged(&acc.ops, |key| {
        let users = dependents.get(key).into_iter().flatten();
        users
            .filter(|it| it.about.is_none())
            .any(|it| current.contains(it) && desired.contains(it))
    });
    queue.extend(
        acc.exchanged
            .keys()
            .map(|key| (key.clone(), Event::Swapped)),
    );
    let mut seen = BTreeSet::new();
    while let Some((key, event)) = queue.pop() {
        if !seen.insert((key.clone(), event)) {
            continue;
        }
        for dependent in dependents.get(&key).into_iter().flatten() {
            let (Some(before), Some(after)) = (current.get(dependent), desired.get(dependent))
            else {
                continue;
            };
            let mut reaction = after.react(event).max(before.react(event));
            if event == Event::Retyped && facts.is_recast(dependent) {
                reaction = Reaction::Rebuild;
            }
            let next = match reaction {
                Reaction::Keep => None,
                Reaction::Convert => convert(&mut acc, dependent, before, after),
                Reaction::Rebuild => rebuild(&mut acc, dependent, before, after),
            };
            queue.extend(next.map(|event| (dependent.clone(), event)));
            if let Some((key, why)) = acc.ops.get(dependent).and_then(|op| obstacle(op, current)) {
                queue.extend(
                    build_anew(&mut acc, &key, why, current, desired).map(|event| (key, event)),
                );
            }
        }
    }
    acc
}

fn convert(acc: &mut Complete, key: &Key, before: &Object, after: &Object) -> Option<Event> {
    match acc.ops.get(key) {
        Some(Op::Create(_) | Op::Drop(_) | Op::Replace { .. } | Op::Rename { .. }) => return None,
        Some(Op::Alter { .. }) => {}
        None => {
            acc.ops.insert(
                key.clone(),
                Op::Alter {
                    current: before.clone(),
                    desired: after.clone(),
                },
            );
        }
    }
    acc.swapped.insert(key.clone()).then_some(Event::Converted)
}

fn rebuild(acc: &mut Complete, key: &Key, before: &Object, after: &Object) -> Option<Event> {
    match acc.ops.get(key) {
        Some(Op::Create(_) | Op::Drop(_) | Op::Replace { .. } | Op::Rename { .. }) => return None,
        Some(Op::Alter { .. }) | None => {}
    }
    let op = Op::Replace {
        current: before.clone(),
        desired: after.clone(),
        why: WHY,
    };
    let next = event(&op);
    acc.ops.insert(key.clone(), op);
    next
}

/// Types that go while one of another kind comes under their name, and that are used before and after.
fn exchanged(ops: &BTreeMap<Key, Op>, is_used: impl Fn(&Key) -> bool) -> BTreeMap<Key, Key> {
    let is_aside = |key: &Key| {
        is_type(key) && key.kind.replacement() == Replacement::Aside && key.about.is_none()
    };
    let dropped = ops
        .iter()
        .filter(|(key, op)| matches!(op, Op::Drop(_)) && is_aside(key));
    dropped
        .filter_map(|(key, _)| {
            let others = KindTag::TYPES.iter().map(|kind| Key {
                kind: *kind,
                ..key.clone()
            });
            let new = others
                .filter(is_aside)
                .find(|it| matches!(ops.get(it), Some(Op::Create(_))))?;
            is_used(key).then(|| (key.clone(), new))
        })
        .collect()
}

/// What has to be built anew for an operation to be possible.
fn obstacle(op: &Op, current: &Schema) -> Option<(Key, &'static str)> {
    match op {
        Op::Create(it) | Op::Replace { desired: it, .. } => Object::obstacle(None, it, current),
        Op::Alter {
            current: before,
            desired: after,
        } => Object::obstacle(Some(before), after, current),
        Op::Drop(_) | Op::Rename { .. } => None,
    }
}

/// Replaces what is in the way, unless it goes or is replaced anyhow; gives what that means for others.
fn build_anew(
    acc: &mut Complete,
    key: &Key,
    why: &'static str,
    current: &Schema,
    desired: &Schema,
) -> Option<Event> {
    let (Some(before), Some(after)) = (current.get(key), desired.get(key)) else {
        return None;
    };
    if matches!(
        acc.ops.get(key),
        Some(Op::Create(_) | Op::Drop(_) | Op::Replace { .. })
    ) {
        return None;
    }
    let op = Op::Replace {
        current: before.clone(),
        desired: after.clone(),
        why,
    };
    let next = event(&op);
    acc.ops.insert(key.clone(), op);
    next
}

/// What an operation means for those that depend on its object.
pub(crate) fn event(op: &Op) -> Option<Event> {
    match op {
        Op::Create(_) | Op::Rename { .. } => None,
        Op::Drop(_) => Some(Event::Dropped),
        Op::Alter { current, desired } => Object::event(current, desired),
        Op::Replace { current, .. } => Some(match current.kind().replacement() {
            Replacement::DropCreate => Event::Replaced,
            Replacement::Aside => Event::Swapped,
        }),
    }
}

fn dependents(current: &Schema, desired: &Schema) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut acc: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for schema in [current, desired] {
        for (key, object) in schema.iter() {
            for dependency in object.depends_on(schema) {
                acc.entry(dependency).or_default().insert(key.clone());
            }
        }
    }
    acc
}
