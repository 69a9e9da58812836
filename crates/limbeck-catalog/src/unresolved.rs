//! What a comparison cannot judge or bring about: told beside all other differences, never instead of them.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use limbeck_schema::{Desired, Key, List, Schema};

use crate::CompareError;

/// Objects that cannot be judged or planned, with the reason and what to do about it.
#[derive(Debug)]
pub struct Unresolved {
    /// The objects.
    pub keys: Vec<Key>,
    /// Why.
    pub error: CompareError,
}

impl Display for Unresolved {
    /// One line; where the reason names no object, the objects follow it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        if matches!(self.error, CompareError::Judge { .. }) {
            write!(f, " ({})", List(&self.keys))?;
        }
        Ok(())
    }
}

impl Unresolved {
    pub(crate) fn one(key: &Key, error: CompareError) -> Self {
        let keys = vec![key.clone()];
        Self { keys, error }
    }
}

/// Leaves objects as they are: they become what they are in the current state, and so does what is new or changed and
/// needs one of them that is not there. Gives those others, each with the one that it needs.
pub(crate) fn set_aside(
    keys: &BTreeSet<Key>,
    current: &Schema,
    desired: &mut Desired,
) -> Vec<(Key, Key)> {
    let mut gone: BTreeSet<Key> = BTreeSet::new();
    let mut others = Vec::new();
    let mut todo: Vec<Key> = keys.iter().cloned().collect();
    loop {
        for key in todo.drain(..) {
            match current.get(&key) {
                Some(object) => drop(desired.schema.insert(object.clone())),
                None => {
                    desired.schema.remove(&key);
                    gone.insert(key);
                }
            }
        }
        if gone.is_empty() {
            return others;
        }
        for (key, object) in desired.schema.iter() {
            if current.get(key) == Some(object) {
                continue;
            }
            let needs = object.depends_on(&desired.schema);
            let needed = needs.intersection(&gone).next();
            let about = key.subject().filter(|it| gone.contains(it));
            if let Some(needed) = needed.cloned().or(about) {
                others.push((key.clone(), needed));
                todo.push(key.clone());
            }
        }
        if todo.is_empty() {
            return others;
        }
    }
}
