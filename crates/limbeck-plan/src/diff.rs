//! The diff: a merge join of two sorted maps, after those that only changed their names have been paired.

use std::borrow::Cow;

use limbeck_schema::{Desired, Facts, Key, KindTag, Object, Op, Schema, Verdict};

/// Two states whose pairs stand under the same keys, and the renames that brought them there.
pub(crate) struct Paired<'a> {
    /// The current state under its new names.
    pub current: Cow<'a, Schema>,
    /// The desired state; what nobody named has the name that it has on the server.
    pub desired: Cow<'a, Schema>,
    /// The renames.
    pub renames: Vec<Op>,
    /// What a server says of the changes.
    pub facts: Facts,
}

impl<'a> Paired<'a> {
    pub(crate) fn new(current: &'a Schema, desired: &'a Desired) -> Self {
        let mut it = Self {
            current: Cow::Borrowed(current),
            desired: Cow::Borrowed(&desired.schema),
            renames: Vec::new(),
            facts: desired.facts.clone(),
        };
        let mut candidates = desired.unmatched(current);
        if candidates.is_empty() {
            return it;
        }
        for (key, object) in desired.schema.iter().filter(|(key, _)| key.kind.renames()) {
            let unnamed = desired.unnamed.contains(key);
            let same = current
                .get(key)
                .is_some_and(|it| Object::verdict(it, object) == Verdict::Same);
            if same || (!unnamed && current.contains(key)) {
                continue;
            }
            let Some(group) = candidates.get_mut(&Desired::group(key)) else {
                continue;
            };
            let Some(at) = group
                .iter()
                .position(|it| current.get(it).is_some_and(|it| it.same_but_name(object)))
            else {
                continue;
            };
            let found = group.remove(at);
            if unnamed {
                rekey(it.desired.to_mut(), key, &found);
            } else {
                it.renames.extend(current.get(&found).map(|was| Op::Rename {
                    current: was.clone(),
                    desired: was.with_key(key),
                }));
                rekey(it.current.to_mut(), &found, key);
            }
        }
        it
    }
}

/// Moves an object and what is about it to another key.
fn rekey(schema: &mut Schema, from: &Key, to: &Key) {
    for about in KindTag::ALL {
        let old = from.about(*about);
        if let Some(object) = schema.remove(&old) {
            schema.insert(object.with_key(&to.about(*about)));
        }
    }
    if let Some(object) = schema.remove(from) {
        schema.insert(object.with_key(to));
    }
}

/// Whether what is desired was not asked for: a whole database holds it without that.
fn is_unsaid(object: &Object, schema: &Schema, desired: &Desired) -> bool {
    desired.scope.kinds.is_none() && object.is_implied(schema)
}

/// The operations between two paired states: the renames, then everything by key.
/// With them what nothing can bring about, each with its reason.
pub(crate) fn ops(pairs: &Paired<'_>, desired: &Desired) -> (Vec<Op>, Vec<(Key, &'static str)>) {
    let mut acc = pairs.renames.clone();
    let mut unsupported = Vec::new();
    let (mut current, mut wanted) = (
        pairs.current.iter().peekable(),
        pairs.desired.iter().peekable(),
    );
    loop {
        let order = match (current.peek(), wanted.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let left = if order.is_le() { current.next() } else { None };
        let right = if order.is_ge() { wanted.next() } else { None };
        match (left, right) {
            (Some((_, object)), None)
                if desired.scope.covers(object, &pairs.current)
                    && !object.is_implied(&pairs.current) =>
            {
                acc.push(Op::Drop(object.clone()));
            }
            (None, Some((key, object)))
                if !desired.scope.ignores(key) && !is_unsaid(object, &pairs.desired, desired) =>
            {
                acc.push(Op::Create(object.clone()))
            }
            (Some((key, a)), Some((_, b))) if !desired.scope.ignores(key) => {
                match Object::verdict(a, b) {
                    Verdict::Same => {}
                    Verdict::Alter => acc.push(Op::Alter {
                        current: a.clone(),
                        desired: b.clone(),
                    }),
                    Verdict::Replace(why) => acc.push(Op::Replace {
                        current: a.clone(),
                        desired: b.clone(),
                        why,
                    }),
                    Verdict::Unsupported(why) => unsupported.push((key.clone(), why)),
                }
            }
            _ => {}
        }
    }
    (acc, unsupported)
}
