//! What a comparison leaves alone on both sides, whatever they are: objects by kind, schema, name and owner.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};
use limbeck_schema::{Desired, Ident, Key, KindTag, Object, Schema};
use sqlx::{PgConnection, Row};

use crate::{Catalog, CatalogError, Unmanaged, own_rows};

/// Kinds of what is not managed, as far as rules may name them.
const OTHER_KINDS: &[&str] = &[
    "aggregate",
    "cast",
    "event trigger",
    "extension",
    "foreign table",
    "function",
    "materialized view",
    "operator",
    "partition",
    "policy",
    "procedure",
    "publication",
    "rule",
    "statistics",
    "subscription",
    "trigger",
    "view",
];

/// The kind whose objects are the schemas themselves.
const SCHEMA: &str = "schema";

/// Why a rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreError {
    /// A pattern is no glob.
    #[error(
        "{glob:?} is no pattern: {problem}; `*` stands for any text, `?` for a character, `[abc]` for one of several"
    )]
    Glob {
        /// The pattern.
        glob: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such kind.
    #[error("there is no kind {kind:?}; kinds are {}", kinds())]
    Kind {
        /// What stands there.
        kind: String,
    },
    /// A rule that says nothing.
    #[error("a rule says nothing; name a kind, schema, name or owner")]
    Empty,
}

fn kinds() -> String {
    let all = KindTag::ALL.iter().map(|it| it.name());
    all.chain(OTHER_KINDS.iter().copied())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A rule as it is written; what it does not say is left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoreRule {
    /// The kind, as messages name it.
    pub kind: Option<String>,
    /// A glob over schemas.
    pub schema: Option<String>,
    /// A glob over names, with or without the schema; of parts of a table with or without the table.
    pub name: Option<String>,
    /// A glob over the roles that own objects.
    pub owner: Option<String>,
}

#[derive(Clone, Debug)]
struct Rule {
    kind: Option<String>,
    schema: Option<GlobMatcher>,
    name: Option<GlobMatcher>,
    owner: Option<GlobMatcher>,
}

/// Rules for what is left alone.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
    /// Owners, where a rule asks for them, by class, schema and name.
    owners: BTreeMap<(String, String, String), BTreeSet<String>>,
}

impl Ignore {
    /// Reads rules.
    ///
    /// # Errors
    /// [`IgnoreError`].
    pub fn new(rules: impl IntoIterator<Item = IgnoreRule>) -> Result<Self, IgnoreError> {
        let rules: Result<Vec<Rule>, _> = rules.into_iter().map(Rule::new).collect();
        Ok(Self {
            rules: rules?,
            owners: BTreeMap::new(),
        })
    }

    /// Whether nothing is left alone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Takes note of who owns what in a database, if a rule asks for it.
    ///
    /// # Errors
    /// [`CatalogError::Query`].
    pub async fn note_owners(&mut self, conn: &mut PgConnection) -> Result<(), CatalogError> {
        const SQL: &str = "SELECT o.class, n.nspname::text, o.name, r.rolname::text FROM (SELECT 'relation' AS class, \
                           relnamespace AS space, relname::text AS name, relowner AS owner FROM pg_class UNION ALL SELECT 'type', \
                           typnamespace, typname::text, typowner FROM pg_type UNION ALL SELECT 'collation', collnamespace, \
                           collname::text, collowner FROM pg_collation UNION ALL SELECT 'function', pronamespace, proname::text, \
                           proowner FROM pg_proc UNION ALL SELECT 'schema', oid, '', nspowner FROM pg_namespace) o JOIN pg_namespace \
                           n ON n.oid = o.space JOIN pg_roles r ON r.oid = o.owner WHERE n.nspname !~ '^pg_' AND n.nspname <> \
                           'information_schema'";
        if self.rules.iter().all(|it| it.owner.is_none()) {
            return Ok(());
        }
        let failed = |source| CatalogError::Query {
            what: "owners",
            source,
        };
        for row in own_rows(conn, SQL).await.map_err(failed)? {
            let text = |at: usize| row.try_get::<String, _>(at).map_err(failed);
            let key = (text(0)?, text(1)?, text(2)?);
            self.owners.entry(key).or_default().insert(text(3)?);
        }
        Ok(())
    }

    /// Leaves objects alone in a comparison of two states. Nothing is done without rules.
    ///
    /// # Errors
    /// The number of objects if all that is desired is left alone, and all that is there.
    pub(crate) fn apply(
        &self,
        current: &Schema,
        desired: &mut Desired,
        default_schema: &Ident,
    ) -> Result<(), usize> {
        if self.is_empty() {
            return Ok(());
        }
        let sides = [current, &desired.schema];
        let mut ignored = self.ignored(&sides, default_schema);
        let n_objects = current.len() + desired.schema.len();
        let all = |schema: &Schema| schema.iter().all(|(key, _)| ignored.contains(key));
        if !desired.schema.is_empty() && all(current) && all(&desired.schema) {
            return Err(n_objects);
        }
        keep_what_is_needed(current, &desired.schema, &mut ignored);
        desired.scope.ignored.extend(ignored);
        Ok(())
    }

    /// Takes out of a state what is left alone, unless what stays needs it.
    pub fn leave_out(&self, catalog: &mut Catalog) {
        if self.is_empty() {
            return;
        }
        let Catalog {
            schema,
            default_schema,
            ..
        } = catalog;
        let mut ignored = self.ignored(&[schema], default_schema);
        loop {
            let staying = schema.iter().filter(|(key, _)| !ignored.contains(*key));
            let needed: BTreeSet<Key> = staying
                .flat_map(|(_, object)| object.depends_on(schema))
                .filter(|it| ignored.contains(it))
                .collect();
            if needed.is_empty() {
                break;
            }
            let is_needed = |key: &Key| needed.iter().any(|it| it.qualified() == key.qualified());
            ignored.retain(|it| !is_needed(it));
        }
        schema.retain(|key, _| !ignored.contains(key));
    }

    /// What the rules match in some states, with all that belongs to it.
    fn ignored(&self, sides: &[&Schema], default_schema: &Ident) -> BTreeSet<Key> {
        let keys = sides.iter().flat_map(|it| it.iter());
        let matched = keys.filter(|(key, _)| self.matches(key, default_schema));
        let mut ignored: BTreeSet<Key> = matched.map(|(key, _)| key.clone()).collect();
        for schema in sides {
            let covered: Vec<Key> = schema
                .iter()
                .filter(|(_, object)| is_covered(object, schema, &ignored))
                .map(|(key, _)| key.clone())
                .collect();
            ignored.extend(covered);
        }
        ignored
    }

    /// Takes out of what is not managed what is left alone.
    pub fn retain(&self, unmanaged: &mut Unmanaged) {
        if !self.is_empty() {
            unmanaged
                .objects
                .retain(|(word, identity), _| !self.matches_other(word, identity));
        }
    }

    fn matches(&self, key: &Key, default_schema: &Ident) -> bool {
        if key.about.is_some() {
            return false;
        }
        let kind = key.kind.name();
        let is_schema = kind == SCHEMA;
        let space = if is_schema {
            key.name.as_str()
        } else {
            key.schema.as_ref().unwrap_or(default_schema).as_str()
        };
        let class = match kind {
            SCHEMA | "collation" => kind,
            "table" | "sequence" | "sequence owner" | "index" => "relation",
            _ if key.part.is_some() => "relation",
            _ => "type",
        };
        let name = (!is_schema).then_some(key.name.as_str());
        let part = key.part.as_ref().map(Ident::as_str);
        self.rules.iter().any(|rule| {
            let asks_part = part.is_some() && rule.kind.is_none() && kind != "index";
            !asks_part
                && rule.takes_kind(kind)
                && rule.takes(space, name, part)
                && self.owned_as(rule, class, space, key.part.as_ref().map_or(name, |_| name))
        })
    }

    fn owned_as(&self, rule: &Rule, class: &str, space: &str, name: Option<&str>) -> bool {
        let Some(wanted) = &rule.owner else {
            return true;
        };
        let key = (
            class.to_owned(),
            space.to_owned(),
            name.unwrap_or_default().to_owned(),
        );
        let owners = self.owners.get(&key).into_iter().flatten();
        owners.into_iter().any(|it| wanted.is_match(it))
    }

    /// Whether what is not managed is left alone, by what it is (`view`) and its identity (`public.v`); what is said of an
    /// object (`grants on relation`) or is a part of it (`trigger`) goes with the object.
    fn matches_other(&self, word: &str, identity: &str) -> bool {
        let (own, holder) = match identity.rsplit_once(" on ") {
            Some((own, holder)) => (Some(own), holder),
            None => (None, identity),
        };
        let names = dotted(holder);
        let is_schema = names.len() < 2;
        let [space, name] = match names.as_slice() {
            [only] => [only.as_str(), ""],
            [space, name, ..] => [space.as_str(), name.as_str()],
            [] => return false,
        };
        let name = (!is_schema).then_some(name);
        let class = match word {
            "function" | "procedure" | "aggregate" => "function",
            _ if is_schema => SCHEMA,
            _ if word.ends_with("type") => "type",
            _ => "relation",
        };
        let own = own.map(|it| dotted(it).join("."));
        self.rules.iter().any(|rule| {
            let owned = self.owned_as(rule, class, space, name);
            match rule.kind.as_deref() {
                Some(kind) if kind == word => owned && rule.takes(space, name, own.as_deref()),
                // Facts of a managed object are named after it.
                Some(kind) if word.contains(" on ") || word.contains(" of ") => {
                    word.ends_with(kind) && owned && rule.takes(space, name, None)
                }
                Some("table") if own.is_some() => owned && rule.takes(space, name, None),
                Some(_) => false,
                None => owned && rule.takes(space, name, None),
            }
        })
    }
}

impl Rule {
    fn new(rule: IgnoreRule) -> Result<Self, IgnoreError> {
        let IgnoreRule {
            kind,
            schema,
            name,
            owner,
        } = rule;
        if let Some(kind) = &kind
            && KindTag::from_name(kind).is_none()
            && !OTHER_KINDS.contains(&kind.as_str())
        {
            return Err(IgnoreError::Kind { kind: kind.clone() });
        }
        let texts = [&kind, &schema, &name, &owner];
        if texts.iter().all(|it| it.is_none()) {
            return Err(IgnoreError::Empty);
        }
        Ok(Self {
            kind,
            schema: glob(schema)?,
            name: glob(name)?,
            owner: glob(owner)?,
        })
    }

    fn takes_kind(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|it| it == kind)
    }

    /// Whether schema and name fit. A schema itself has no name beside its own.
    fn takes(&self, space: &str, name: Option<&str>, part: Option<&str>) -> bool {
        if self.schema.as_ref().is_some_and(|it| !it.is_match(space)) {
            return false;
        }
        let Some(wanted) = &self.name else {
            // Who names an owner means what the role owns, and not the parts one by one.
            return true;
        };
        let texts = match (name, part) {
            (None, _) => vec![space.to_owned()],
            (Some(name), None) => vec![name.to_owned(), format!("{space}.{name}")],
            (Some(name), Some(part)) => vec![
                part.to_owned(),
                format!("{space}.{part}"),
                format!("{name}.{part}"),
                format!("{space}.{name}.{part}"),
            ],
        };
        texts.iter().any(|it| wanted.is_match(it))
    }
}

fn glob(text: Option<String>) -> Result<Option<GlobMatcher>, IgnoreError> {
    let Some(text) = text else { return Ok(None) };
    match GlobBuilder::new(&text).build() {
        Ok(it) => Ok(Some(it.compile_matcher())),
        Err(error) => Err(IgnoreError::Glob {
            problem: error.kind().to_string(),
            glob: text,
        }),
    }
}

/// Whether an object is ignored, or belongs to one that is.
fn is_covered(object: &Object, schema: &Schema, ignored: &BTreeSet<Key>) -> bool {
    let key = object.key();
    if ignored.contains(&key) {
        return true;
    }
    let holders = [key.subject(), object.parent(), object.managed_with(schema)];
    holders.into_iter().flatten().any(|holder| {
        holder != key
            && (ignored.contains(&holder)
                || schema
                    .get(&holder)
                    .is_some_and(|it| is_covered(it, schema, ignored)))
    })
}

/// Leaves alone what is not desired but is needed by what is left alone, a schema for one: it could not be dropped.
fn keep_what_is_needed(current: &Schema, desired: &Schema, ignored: &mut BTreeSet<Key>) {
    let mut open: Vec<Key> = ignored.iter().cloned().collect();
    while let Some(key) = open.pop() {
        let Some(object) = current.get(&key) else {
            continue;
        };
        for needed in object.depends_on(current) {
            let is_kept = current.contains(&needed) && !desired.contains(&needed);
            if is_kept && ignored.insert(needed.clone()) {
                open.push(needed);
            }
        }
    }
}

/// The parts of a name as PostgreSQL prints it, without quotes; what follows a function's name is left out.
fn dotted(text: &str) -> Vec<String> {
    let mut acc = Vec::new();
    let mut part = String::new();
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => acc.push(std::mem::take(&mut part)),
            '(' | ' ' if !quoted => break,
            c => part.push(c),
        }
    }
    acc.push(part);
    acc
}

#[cfg(test)]
mod tests {
    use limbeck_schema::Name;

    use super::*;

    fn ignore(rules: &[[&str; 4]]) -> Ignore {
        let text = |it: &str| (!it.is_empty()).then(|| it.to_owned());
        let rule = |[kind, schema, name, owner]: &[&str; 4]| IgnoreRule {
            kind: text(kind),
            schema: text(schema),
            name: text(name),
            owner: text(owner),
        };
        Ignore::new(rules.iter().map(rule)).unwrap()
    }

    fn key(kind: &str, schema: Option<&str>, name: &str, part: Option<&str>) -> Key {
        let name = Name {
            schema: schema.map(Ident::new),
            name: Ident::new(name),
        };
        Key {
            part: part.map(Ident::new),
            ..Key::of(KindTag::from_name(kind).unwrap(), &name)
        }
    }

    #[test]
    fn rules_take_kinds_schemas_and_names() {
        let public = Ident::new("public");
        let check = |rule: [&str; 4], it: (&str, Option<&str>, &str, Option<&str>), expected| {
            let (kind, schema, name, part) = it;
            let found = ignore(&[rule]).matches(&key(kind, schema, name, part), &public);
            assert_eq!(found, expected, "{rule:?} {it:?}");
        };
        let job = ("table", Some("cron"), "job", None);
        let own = ("table", None, "job", None);
        let column = ("column", None, "job", Some("old_state"));
        let index = ("index", None, "job", Some("old_ix"));
        check(["", "", "cron.*", ""], job, true);
        check(["", "", "cron.*", ""], own, false);
        check(["", "", "public.j?b", ""], own, true);
        check(["", "", "job", ""], job, true);
        check(["", "cron", "", ""], job, true);
        check(["", "cron", "", ""], ("schema", None, "cron", None), true);
        check(["", "c*", "x", ""], job, false);
        check(["sequence", "", "job", ""], job, false);
        check(["table", "", "job", ""], job, true);
        // Parts are asked for by their kind; indexes have names beside those of tables.
        check(["", "", "old_*", ""], column, false);
        check(["", "", "old_*", ""], index, true);
        check(["column", "", "old_*", ""], column, true);
        check(["column", "", "job.old_*", ""], column, true);
        check(["column", "", "task.*", ""], column, false);
    }

    #[test]
    fn what_is_not_managed_goes_with_what_it_is_about() {
        let check = |rule: [&str; 4], word: &str, identity: &str, expected: bool| {
            let found = ignore(&[rule]).matches_other(word, identity);
            assert_eq!(found, expected, "{rule:?} {word} {identity}");
        };
        check(["", "", "cron.*", ""], "view", "cron.v", true);
        check(
            ["", "", "cron.*", ""],
            "function",
            "cron.f(integer, text)",
            true,
        );
        check(
            ["", "", "cron.*", ""],
            "function",
            "public.f(cron.job)",
            false,
        );
        check(["", "", "job", ""], "trigger", "stamp on cron.job", true);
        check(
            ["trigger", "", "stamp", ""],
            "trigger",
            "stamp on cron.job",
            true,
        );
        check(
            ["table", "", "job", ""],
            "trigger",
            "stamp on cron.job",
            true,
        );
        check(["view", "", "", ""], "trigger", "stamp on cron.job", false);
        check(["", "", "job", ""], "grants on relation", "cron.job", true);
        check(["", "cron", "", ""], "grants on schema", "cron", true);
        check(["view", "", "v*", ""], "view", "public.\"vA\"", true);
        check(["", "", "pg_*", ""], "extension", "pg_cron", true);
    }

    #[test]
    fn rules_that_cannot_be_used_say_why() {
        let check = |rule: IgnoreRule, expected: &str| {
            let error = Ignore::new([rule]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let name = |it: &str| Some(it.to_owned());
        check(
            IgnoreRule {
                name: name("a[b"),
                ..IgnoreRule::default()
            },
            "\"a[b\" is no pattern: unclosed character class",
        );
        check(
            IgnoreRule {
                kind: name("tables"),
                ..IgnoreRule::default()
            },
            "there is no kind \"tables\"; kinds are schema, collation, enum",
        );
        check(IgnoreRule::default(), "a rule says nothing");
    }
}
