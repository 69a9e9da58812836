//! Which names are taken, and PostgreSQL's default names for what nobody named.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use limbeck_schema::kinds::default_name;
use limbeck_schema::{Ident, Key, KindTag, Name, Object};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::table::InTable;
use crate::naming::{Facts, Template, choose};

/// The names of relations (tables, indexes, sequences and the indexes behind constraints) in every schema.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    relations: BTreeMap<Name, Holder<'a>>,
}

/// What has a name.
#[derive(Debug)]
enum Holder<'a> {
    Object(&'static str),
    Part(Rc<Facts<'a>>),
}

impl Names<'_> {
    /// Takes the name of a table or sequence. Two tables of one name are for the caller to find.
    ///
    /// # Errors
    /// If something else has it.
    pub(super) fn relation(
        &mut self,
        kind: &'static str,
        name: &Name,
    ) -> Result<(), MetaDataError> {
        match self.relations.insert(name.clone(), Holder::Object(kind)) {
            Some(first) if !matches!(first, Holder::Object("table")) || kind != "table" => {
                Err(collision(
                    name.to_string(),
                    &describe(&first, name),
                    format!("{kind} {name}"),
                ))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_taken(&self, name: &Name) -> bool {
        self.relations.contains_key(name)
    }
}

fn describe(holder: &Holder<'_>, name: &Name) -> String {
    match holder {
        Holder::Object(kind) => format!("{kind} {name}"),
        Holder::Part(facts) => facts.describe(),
    }
}

fn collision(name: String, first: &str, second: String) -> MetaDataError {
    MetaDataError::Collision {
        name,
        first: first.to_owned(),
        second,
    }
}

/// The parts of a table that PostgreSQL is to name, until all other names are known.
pub(super) struct Pending<'a> {
    pub(super) table: Name,
    /// Names of other constraints of the table.
    pub(super) taken: BTreeSet<Ident>,
    pub(super) parts: Vec<PendingPart<'a>>,
}

/// A part that PostgreSQL is to name.
pub(super) struct PendingPart<'a> {
    object: Object,
    columns: Vec<String>,
    suffix: &'static str,
    is_constraint: bool,
    is_relation: bool,
    comments: Comments<'a>,
}

/// What is said about a part, and about the index behind it.
#[derive(Clone, Copy)]
pub(super) struct Comments<'a> {
    pub(super) own: Option<&'a str>,
    pub(super) index: Option<&'a str>,
}

impl<'a> From<Option<&'a str>> for Comments<'a> {
    fn from(own: Option<&'a str>) -> Self {
        Self { own, index: None }
    }
}

/// How a kind of part is named.
pub(super) struct Naming<'t> {
    /// The template of the convention, if it has one for the kind.
    pub(super) template: Option<&'t Template>,
    /// What PostgreSQL's default name ends with.
    pub(super) suffix: &'static str,
    /// Whether the name has to be unique among the constraints of the table.
    pub(super) is_constraint: bool,
    /// Whether it has to be unique among the relations of the schema.
    pub(super) is_relation: bool,
}

impl<'a> Lowering<'a> {
    /// Names a part of a table, and adds it with its comment; or puts it by until PostgreSQL's default can be told.
    /// `columns` gives the parts of that default.
    ///
    /// # Errors
    /// If the name cannot be made, or something else has it.
    pub(super) fn part(
        &mut self,
        it: &mut InTable<'a>,
        naming: impl Fn(&crate::naming::Templates) -> Naming<'_>,
        facts: Facts<'a>,
        comments: impl Into<Comments<'a>>,
        columns: impl FnOnce() -> Vec<String>,
        build: impl FnOnce(Ident) -> Object,
    ) -> Result<(), MetaDataError> {
        let Naming {
            template,
            suffix,
            is_constraint,
            is_relation,
        } = naming(&self.templates);
        let Some(name) = choose(template, self.templates.truncate, &facts)? else {
            let columns = columns();
            let comments = comments.into();
            let object = build(first_choice(&it.table.name, &columns, suffix));
            it.pending.push(PendingPart {
                object,
                columns,
                suffix,
                is_constraint,
                is_relation,
                comments,
            });
            return Ok(());
        };
        let facts = Rc::new(facts);
        if is_constraint && let Some(first) = it.constraints.insert(name.clone(), facts.clone()) {
            return Err(collision(
                name.to_string(),
                &first.describe(),
                facts.describe(),
            ));
        }
        if is_relation {
            let relation = it.name.sibling(name.clone());
            if let Some(first) = self
                .names
                .relations
                .insert(relation.clone(), Holder::Part(facts.clone()))
            {
                let first = describe(&first, &relation);
                return Err(collision(relation.to_string(), &first, facts.describe()));
            }
        }
        let object = build(name);
        self.comments(&object, comments.into());
        self.push(object);
        Ok(())
    }

    fn comments(&mut self, object: &Object, comments: Comments<'_>) {
        let Comments { own, index } = comments;
        if own.is_some() || index.is_some() {
            let key = object.key();
            let index_key = Key {
                kind: KindTag::Index,
                ..key.clone()
            };
            self.comment(key, own);
            self.comment(index_key, index);
        }
    }

    /// Gives the parts that nobody named the names that PostgreSQL would give them in a fresh database
    /// (`ChooseRelationName`, `ChooseConstraintName`: the first free one of `x`, `x1`, `x2`).
    pub(super) fn name_pending(&mut self) {
        for Pending {
            table,
            mut taken,
            parts,
        } in std::mem::take(&mut self.pending)
        {
            for part in parts {
                let PendingPart {
                    object,
                    columns,
                    suffix,
                    is_constraint,
                    is_relation,
                    comments,
                } = part;
                let numbered = (0..).map(|pass| match pass {
                    0 => first_choice(&table.name, &columns, suffix),
                    _ => first_choice(&table.name, &columns, &format!("{suffix}{pass}")),
                });
                let mut free = numbered.filter(|name| {
                    let relation = || table.sibling(name.clone());
                    !(is_constraint && taken.contains(name)
                        || is_relation && self.names.is_taken(&relation()))
                });
                let name = free
                    .next()
                    .unwrap_or_else(|| object.key().own_name().clone());
                drop(free);
                if is_relation {
                    self.names
                        .relations
                        .insert(table.sibling(name.clone()), Holder::Object("relation"));
                }
                taken.insert(name.clone());
                let key = object.key();
                let named = if key.own_name() == &name {
                    object
                } else {
                    object.with_key(&Key {
                        part: Some(name),
                        ..key
                    })
                };
                self.comments(&named, comments);
                self.unnamed.insert(named.key());
                self.push(named);
            }
        }
    }
}

fn first_choice(table: &Ident, columns: &[String], suffix: &str) -> Ident {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    default_name(table, &columns, suffix)
}
