//! A whole schema as one sorted map of keyed objects.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Serialize, Serializer};

use crate::facts::Facts;
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::{KindTag, Object, Since};

/// Every object of one state, sorted by key. Equal content means equal schema and equal bytes out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    objects: BTreeMap<Key, Object>,
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.objects.values())
    }
}

impl FromIterator<Object> for Schema {
    fn from_iter<T: IntoIterator<Item = Object>>(iter: T) -> Self {
        let mut acc = Self::default();
        acc.extend(iter);
        acc
    }
}

impl Extend<Object> for Schema {
    /// Adds objects in portions: sorted together they cost less time than one by one, and a portion costs less memory
    /// than all of them.
    fn extend<T: IntoIterator<Item = Object>>(&mut self, iter: T) {
        const PORTION: usize = 16 * 1024;
        let mut iter = iter.into_iter();
        loop {
            let portion = iter.by_ref().take(PORTION).map(|it| (it.key(), it));
            let mut portion: BTreeMap<Key, Object> = portion.collect();
            if portion.is_empty() {
                return;
            }
            self.objects.append(&mut portion);
        }
    }
}

impl Schema {
    /// A schema without objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object; gives back the one that stood under the same key, if any.
    pub fn insert(&mut self, object: impl Into<Object>) -> Option<Object> {
        let object = object.into();
        self.objects.insert(object.key(), object)
    }

    /// Takes in all objects of another schema.
    pub fn append(&mut self, mut other: Self) {
        self.objects.append(&mut other.objects);
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &Key) -> Option<Object> {
        self.objects.remove(key)
    }

    /// What creating its objects makes: itself, but for facts that no statement brings about.
    #[must_use]
    pub fn as_created(&self) -> Self {
        let mut made = self.clone();
        made.extend(self.objects().filter_map(Object::as_created));
        made
    }

    /// The object under a key.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.get(key)
    }

    /// The object under a key, to be changed. Its key must stay the same.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Object> {
        self.objects.get_mut(key)
    }

    /// Whether there is an object under a key.
    pub fn contains(&self, key: &Key) -> bool {
        self.objects.contains_key(key)
    }

    /// All objects, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter()
    }

    /// All objects, by key, to be changed. Their keys must stay the same.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Object)> {
        self.objects.iter_mut()
    }

    /// All objects, by key.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Keeps the objects for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &Object) -> bool) {
        self.objects.retain(|key, object| keep(key, object));
    }

    /// The objects of one kind, by key.
    pub fn of_kind(&self, kind: KindTag) -> impl Iterator<Item = (&Key, &Object)> {
        let first = Key {
            kind,
            about: None,
            schema: None,
            name: Ident::new(""),
            part: None,
        };
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.kind == kind)
    }

    /// The objects of one kind in or of one table (or other name), by key.
    pub fn parts<'a>(
        &'a self,
        kind: KindTag,
        table: &Name,
    ) -> impl Iterator<Item = (&'a Key, &'a Object)> + use<'a> {
        let first = Key::of(kind, table);
        let table = table.clone();
        self.objects
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(move |(key, _)| {
                key.kind == kind
                    && key.about.is_none()
                    && key.name == table.name
                    && key.schema == table.schema
            })
    }

    /// The key under which a type of this name stands, whichever kind of type it is.
    pub fn type_key(&self, name: &Name) -> Option<Key> {
        KindTag::TYPES
            .iter()
            .map(|kind| Key::of(*kind, name))
            .find(|key| self.contains(key))
    }
}

/// What a source of desired state speaks about. What it does not manage is never dropped and never called drift.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scope {
    /// Managed kinds; `None` means every kind.
    pub kinds: Option<BTreeSet<KindTag>>,
    /// Managed schemas (`None` inside is the default schema); `None` means every schema.
    pub schemas: Option<BTreeSet<Option<Ident>>>,
    /// Globs (`*`, `?`) over `table` or `schema.table`: these tables with their parts are left alone on both sides.
    pub ignored_tables: Vec<String>,
    /// Objects that are left alone on both sides, each of their parts as well.
    pub ignored: BTreeSet<Key>,
}

impl Scope {
    /// Every kind in every schema.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether an object of the current state may be dropped or called different by this source.
    pub fn covers(&self, object: &Object, current: &Schema) -> bool {
        let key = object.key();
        if self.ignores(&key) {
            return false;
        }
        let subject = key.subject();
        if let Some(subject) = subject {
            // The default schema is no object, but it can have a comment.
            return match current.get(&subject) {
                Some(it) => self.covers(it, current),
                None => self
                    .kinds
                    .as_ref()
                    .is_none_or(|it| it.contains(&subject.kind)),
            };
        }
        let in_schema = self
            .schemas
            .as_ref()
            .is_none_or(|it| it.contains(&key.schema));
        match object
            .managed_with(current)
            .and_then(|owner| current.get(&owner))
        {
            Some(owner) => self.covers(owner, current),
            None => in_schema && self.kinds.as_ref().is_none_or(|it| it.contains(&key.kind)),
        }
    }

    /// Whether the object is ignored, or of an ignored table.
    pub fn ignores(&self, key: &Key) -> bool {
        if self.ignored.contains(key) {
            return true;
        }
        if self.ignored_tables.is_empty() {
            return false;
        }
        let name = key.qualified();
        let bare = name.name.as_str();
        let full = name
            .schema
            .as_ref()
            .map(|it| format!("{}.{bare}", it.as_str()));
        self.ignored_tables.iter().any(|glob| {
            matches_glob(glob, bare) || full.as_ref().is_some_and(|it| matches_glob(glob, it))
        })
    }
}

/// Whether `*` (any text) and `?` (any character) of a glob match all of a text.
pub fn matches_glob(glob: &str, text: &str) -> bool {
    let mut glob_chars = glob.chars();
    match glob_chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = glob_chars.as_str();
            matches_glob(rest, text)
                || text
                    .char_indices()
                    .any(|(at, c)| matches_glob(rest, &text[at + c.len_utf8()..]))
        }
        Some(wanted) => {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| wanted == '?' || wanted == c)
                && matches_glob(glob_chars.as_str(), chars.as_str())
        }
    }
}

/// A desired state with what is known about it besides its objects.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The objects.
    pub schema: Schema,
    /// What the source manages.
    pub scope: Scope,
    /// Objects whose name nobody chose: PostgreSQL's default name stands in the key, and a current object that is
    /// equal but for its name is the same object.
    pub unnamed: BTreeSet<Key>,
    /// Where each object was declared, as the user would look for it (`src/models.rs:12`, `models.json: tables[3]`).
    pub places: BTreeMap<Key, String>,
    /// What a server says of the changes that lead here; nothing where it was not asked.
    pub facts: Facts,
}

/// Objects of one kind in one table or schema: only among them one is taken for another under a new name.
pub type Group = (KindTag, Option<Ident>, Option<Ident>);

impl Desired {
    /// The objects that a server of this `server_version_num` cannot have, each with what of it is newer.
    pub fn newer_than(&self, version: u32) -> Vec<(&Key, Since)> {
        let managed = self
            .schema
            .iter()
            .filter(|(key, _)| !self.scope.ignores(key));
        let all =
            managed.flat_map(|(key, object)| object.newer().into_iter().map(move |it| (key, it)));
        all.filter(|(_, it)| it.major > version / 10_000).collect()
    }

    /// The group of a key.
    pub fn group(key: &Key) -> Group {
        (
            key.kind,
            key.schema.clone(),
            key.part.as_ref().map(|_| key.name.clone()),
        )
    }

    /// Managed current objects that may only have another name here: of kinds that are renamed without being asked,
    /// and not known under their own key. By group, each in the order of the keys.
    pub fn unmatched(&self, current: &Schema) -> BTreeMap<Group, Vec<Key>> {
        let mut acc: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
        for (key, object) in current.iter().filter(|(key, _)| key.kind.renames()) {
            let known = self.schema.contains(key) && !self.unnamed.contains(key);
            if !known && self.scope.covers(object, current) {
                acc.entry(Self::group(key)).or_default().push(key.clone());
            }
        }
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs_match_whole_names() {
        assert!(
            matches_glob("audit.*", "audit.log")
                && matches_glob("*", "")
                && matches_glob("a?c*", "abcd")
        );
        assert!(!matches_glob("audit", "audit_log") && !matches_glob("?", ""));
    }
}
