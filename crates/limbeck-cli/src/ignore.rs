//! `ignore` of the config file: what comparisons leave alone, whatever the sources are.

use limbeck_catalog::{Ignore, IgnoreError, IgnoreRule};
use serde::Deserialize;

/// An entry: a glob over names, or a table of conditions that have to hold together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a pattern over names, or { kind = \"…\", schema = \"…\", name = \"…\", owner = \"…\" } with some of these"
)]
pub(crate) enum Entry {
    /// A glob over `name` or `schema.name`.
    Name(String),
    /// Conditions.
    Rule(Conditions),
}

/// The conditions of an entry; each that is there has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conditions {
    /// The kind, as messages name it.
    pub kind: Option<String>,
    /// A glob over schemas.
    pub schema: Option<String>,
    /// A glob over names.
    pub name: Option<String>,
    /// A glob over owners.
    pub owner: Option<String>,
}

impl From<&Entry> for IgnoreRule {
    fn from(entry: &Entry) -> Self {
        match entry.clone() {
            Entry::Name(name) => Self {
                name: Some(name),
                ..Self::default()
            },
            Entry::Rule(Conditions {
                kind,
                schema,
                name,
                owner,
            }) => Self {
                kind,
                schema,
                name,
                owner,
            },
        }
    }
}

/// Reads the entries.
///
/// # Errors
/// [`IgnoreError`].
pub(crate) fn rules(entries: &[Entry]) -> Result<Ignore, IgnoreError> {
    Ignore::new(entries.iter().map(IgnoreRule::from))
}
