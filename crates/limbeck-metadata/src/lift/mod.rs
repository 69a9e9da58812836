//! Lifting: a schema that was read becomes the metadata that lowers to it.
//!
//! Whatever is lifted is lowered again and held against the schema, so that what metadata has no word for is named
//! instead of lost: a new field of a kind shows up there by itself.

mod table;
mod types;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{self, Display};

use limbeck_schema::kinds::{SequenceOptions, align, has_inheritance};
use limbeck_schema::{Ident, Key, KindTag, Name, Object, Schema, SqlType};

use crate::error::MetaDataError;
use crate::lower::LowerOptions;
use crate::lower::implied::{Said, shorten_names};
use crate::model::{self, MetaData};
use crate::naming::NamingConvention;

/// A schema as metadata.
#[derive(Clone, Debug)]
pub struct Lifted {
    /// The metadata. Names that its naming convention makes are left to it.
    pub metadata: MetaData,
    /// What metadata cannot say, by key.
    pub left_out: Vec<LeftOut>,
}

/// An object, or a fact of it, that what is written has no word for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The object.
    pub key: Key,
    /// What of it is missing, a phrase each, first as it is and then as metadata has it; empty where all of it is.
    pub facts: Vec<String>,
}

impl LeftOut {
    /// What of a schema another one, made from what was written of it, does not have.
    #[must_use]
    pub fn between(schema: &Schema, made: &Schema) -> Vec<Self> {
        let mut acc = Vec::new();
        for (key, object) in schema.iter() {
            let facts = match made.get(key) {
                None => Vec::new(),
                Some(it) => match Object::changes(object, it) {
                    facts if facts.is_empty() => continue,
                    facts => facts,
                },
            };
            let key = key.clone();
            acc.push(Self { key, facts });
        }
        acc
    }
}

impl Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, facts } = self;
        match facts.as_slice() {
            [] => write!(f, "{key}"),
            facts => write!(f, "{key}: {}", facts.join(", ")),
        }
    }
}

impl MetaData {
    /// As [`Self::lift`], with every name said and nothing held against the schema.
    pub fn lift_in_full(schema: &Schema, options: &LowerOptions) -> Self {
        Lift {
            schema,
            default_schema: &options.default_schema,
        }
        .metadata()
    }

    /// The metadata that lowers to a schema, in the default schema that `options` name.
    ///
    /// Names of constraints and indexes are given where no convention makes them. The convention is Limbeck's or
    /// PostgreSQL's, whichever leaves fewer names to say. What looks like a variable in the schema is written as text.
    ///
    /// # Errors
    /// If the schema holds what cannot be declared at all; the message names the object.
    pub fn lift(schema: &Schema, options: &LowerOptions) -> Result<Lifted, MetaDataError> {
        let full = Self::lift_in_full(schema, options);
        let mut explicit = BTreeSet::new();
        loop {
            let metadata = with_short_names(&full, &explicit, options)?.escaped()?;
            // A name that is made may be taken: then all names of its table are said, and in the end all.
            let lowered = match metadata.lower(options) {
                Ok(it) => it.schema,
                Err(MetaDataError::Collision { .. } | MetaDataError::At { .. })
                    if explicit.len() < full.tables.len() =>
                {
                    explicit = full.tables.iter().map(table_name).collect();
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (mut schema, mut lowered) = (Cow::Borrowed(schema), lowered);
            if has_inheritance(&schema) {
                align(schema.to_mut(), &mut lowered);
            }
            let left_out = LeftOut::between(&schema, &lowered);
            let n_before = explicit.len();
            let renamed = left_out
                .iter()
                .filter(|it| it.facts.is_empty() && it.key.part.is_some());
            explicit.extend(renamed.map(|it| it.key.qualified()));
            if explicit.len() == n_before {
                return Ok(Lifted { metadata, left_out });
            }
        }
    }
}

fn table_name(table: &model::Table) -> Name {
    Name {
        schema: table.schema.clone(),
        name: table.name.clone(),
    }
}

/// The metadata with the convention that leaves the fewest names to say; the tables of `explicit` say all of theirs.
fn with_short_names(
    full: &MetaData,
    explicit: &BTreeSet<Name>,
    options: &LowerOptions,
) -> Result<MetaData, MetaDataError> {
    let (limbeck, said) = shortened(full, NamingConvention::limbeck(), explicit, options)?;
    let (postgresql, other) = shortened(full, NamingConvention::postgresql(), explicit, options)?;
    if said.n_exact == 0 && said.n_names <= other.n_names {
        return Ok(limbeck);
    }
    Ok(postgresql.naming_convention(NamingConvention::postgresql()))
}

fn shortened(
    full: &MetaData,
    convention: NamingConvention,
    explicit: &BTreeSet<Name>,
    options: &LowerOptions,
) -> Result<(MetaData, Said), MetaDataError> {
    let templates = convention.templates()?;
    let mut metadata = full.clone();
    let mut said = Said::default();
    let parents = |table: &model::Table| -> Vec<Name> {
        let names = table.inherits.iter().filter_map(|it| Name::parse(it));
        names
            .map(|it| it.in_default(&options.default_schema))
            .collect()
    };
    for table in &mut metadata.tables {
        let mut inherited = BTreeSet::new();
        let (mut todo, mut seen) = (parents(table), BTreeSet::new());
        while let Some(name) = todo.pop() {
            let found = full.tables.iter().find(|it| table_name(it) == name);
            if let (Some(found), true) = (found, seen.insert(name)) {
                inherited.extend(found.columns.iter().map(|it| &it.name));
                todo.extend(parents(found));
            }
        }
        if explicit.contains(&table_name(table)) {
            // Checks say names that the template leaves alone.
            for it in table.checks.iter_mut().filter_map(|it| it.name.as_mut()) {
                *it = model::GivenName::Exact(it.ident().clone());
            }
            continue;
        }
        let Said { n_names, n_exact } = shorten_names(table, inherited, &templates)?;
        said.n_names += n_names;
        said.n_exact += n_exact;
    }
    Ok((metadata, said))
}

/// A schema, while it is lifted.
struct Lift<'a> {
    schema: &'a Schema,
    default_schema: &'a Ident,
}

impl<'a> Lift<'a> {
    /// Metadata that says every name.
    fn metadata(&self) -> MetaData {
        let mut metadata = MetaData::new();
        for object in self.schema.objects() {
            match object {
                Object::Namespace(it) => metadata.schemas.push(self.namespace(&it.name)),
                Object::Collation(it) => metadata.collations.push(self.collation(it)),
                Object::EnumType(it) => metadata.enums.push(self.enum_type(it)),
                Object::Domain(it) => metadata.domains.push(self.domain(it)),
                Object::CompositeType(it) => metadata.composite_types.push(self.composite_type(it)),
                Object::Range(it) => metadata.ranges.push(self.range(it)),
                Object::Sequence(it) => metadata.sequences.extend(self.sequence(it)),
                Object::Table(it) => metadata.tables.push(self.table(it)),
                // These are written where the object is that they belong to.
                Object::DomainCheck(_)
                | Object::Column(_)
                | Object::InheritedColumn(_)
                | Object::SequenceOwner(_)
                | Object::PrimaryKey(_)
                | Object::Unique(_)
                | Object::Check(_)
                | Object::Exclusion(_)
                | Object::Index(_)
                | Object::ForeignKey(_)
                | Object::Comment(_) => {}
            }
        }
        let default = self.namespace(self.default_schema);
        if default.comment.is_some() {
            metadata.schemas.push(default);
        }
        metadata
    }

    fn namespace(&self, name: &Ident) -> model::Namespace {
        model::Namespace {
            name: name.clone(),
            comment: self.comment(&Key::of(KindTag::Namespace, &Name::plain(name.clone()))),
        }
    }

    /// The comment on an object.
    fn comment(&self, subject: &Key) -> Option<String> {
        match self.schema.get(&subject.about(KindTag::Comment)) {
            Some(Object::Comment(it)) => Some(it.text.clone()),
            _ => None,
        }
    }

    /// The comment on a named object.
    fn comment_on(&self, kind: KindTag, name: &Name) -> Option<String> {
        self.comment(&Key::of(kind, name))
    }

    /// A type as people write it, where that is read as the same type.
    fn type_text(&self, ty: &SqlType) -> String {
        let short = short_type(ty);
        match SqlType::parse(&short, self.default_schema) {
            Some(read) if read == *ty => short,
            _ => ty.as_str().to_owned(),
        }
    }
}

/// `varchar(50)` for `character varying(50)`, and the like.
fn short_type(ty: &SqlType) -> String {
    let base = ty.base();
    let short = match base.as_str() {
        "character varying" => "varchar",
        "character" => "char",
        "bit varying" => "varbit",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time with time zone" => "timetz",
        "time without time zone" => "time",
        _ => return ty.as_str().to_owned(),
    };
    let element = ty.element();
    let modifiers = match (element.find('('), element.find(')')) {
        (Some(open), Some(close)) => &element[open..=close],
        _ => "",
    };
    let brackets = if ty.is_array() { "[]" } else { "" };
    format!("{short}{modifiers}{brackets}")
}

/// The numbers of a sequence, each where it is not PostgreSQL's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    start: Option<i64>,
    increment: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    cache: Option<i64>,
    cycle: Option<bool>,
}

impl Numbers {
    fn new(ty: &str, options: &SequenceOptions) -> Self {
        let SequenceOptions {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
        } = *options;
        let defaults = SequenceOptions::defaults(ty, increment);
        let first = if increment < 0 { max } else { min };
        Self {
            start: (start != first).then_some(start),
            increment: (increment != 1).then_some(increment),
            min: (min != defaults.min).then_some(min),
            max: (max != defaults.max).then_some(max),
            cache: (cache != 1).then_some(cache),
            cycle: cycle.then_some(true),
        }
    }
}
