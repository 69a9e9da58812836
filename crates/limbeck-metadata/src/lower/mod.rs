//! Lowering: what is declared becomes a [`Desired`] state, with every name chosen, every type and reference resolved.
//!
//! Tables are taken in the order of their names and their parts are sorted as they come, so that the sorted map of the
//! schema is built in one pass; what is wrong is found on the way and said with the place of its declaration.

mod columns;
mod constraints;
mod elements;
pub(crate) mod implied;
mod names;
mod objects;
mod references;
mod scope;
mod sequences;
mod table;
mod types;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::kinds::Comment;
use limbeck_schema::{Desired, Ident, Key, KindTag, Name, Object, Schema, SqlType};

use crate::error::MetaDataError;
use crate::lower::names::{Names, Pending};
use crate::merge::declared_twice;
use crate::model;
use crate::model::MetaData;
use crate::naming::{NamingConvention, Templates, fits};

/// What lowering has to know about the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerOptions {
    /// The default schema, `current_schema()`: names in it are names without schema.
    pub default_schema: Ident,
}

impl Default for LowerOptions {
    /// The default schema is `public`.
    fn default() -> Self {
        Self {
            default_schema: Ident::new("public"),
        }
    }
}

impl MetaData {
    /// The desired state that this metadata declares.
    ///
    /// Every key in [`Desired::places`] is that of a table, type or sequence; a part of a table is declared where
    /// its table is. Comments that are declared empty do not exist, as in PostgreSQL.
    ///
    /// # Errors
    /// If something is declared twice, refers to what is not declared, has a name that cannot be made, is too long or
    /// stands for two objects, or is declared in a way that PostgreSQL would not take; if a variable has no value. The
    /// message has the place.
    pub fn lower(&self, options: &LowerOptions) -> Result<Desired, MetaDataError> {
        lower(&*self.expanded()?, options)
    }

    /// As [`Self::lower`], with placeholders in the places of variables, which tell how names are written where the
    /// variables have to be written ([`limbeck_schema::Spelling`]).
    ///
    /// # Errors
    /// As [`Self::lower`].
    pub fn lower_placed(&self, options: &LowerOptions) -> Result<Desired, MetaDataError> {
        lower(&self.placed()?, options)
    }
}

/// The desired state that metadata without variables declares.
fn lower(metadata: &MetaData, options: &LowerOptions) -> Result<Desired, MetaDataError> {
    let mut lowering = Lowering::new(metadata, options)?;
    lowering.objects()?;
    let tables: Vec<(Name, &model::Table)> = lowering
        .tables
        .iter()
        .map(|(name, it)| (name.clone(), *it))
        .collect();
    for (name, table) in tables {
        if !lowering.is_ignored(&name) {
            lowering
                .table(name, table)
                .map_err(|error| error.at(table.place.as_deref()))?;
        }
    }
    lowering.name_pending();
    lowering.finish()
}

/// The state of one lowering.
struct Lowering<'a> {
    metadata: &'a MetaData,
    default_schema: &'a Ident,
    templates: Templates,
    tables: BTreeMap<Name, &'a model::Table>,
    enums: BTreeMap<Name, &'a model::EnumType>,
    /// Declared types that are no enum types.
    declared_types: BTreeSet<Name>,
    /// Types by their spelling: ten thousand tables spell few.
    types: RefCell<BTreeMap<&'a str, SqlType>>,
    /// The sequences of serial columns, by table and column.
    serials: BTreeMap<(Name, &'a Ident), Name>,
    names: Names<'a>,
    pending: Vec<Pending<'a>>,
    /// By kind, and for comments by the kind of what they are about: the order of keys.
    objects: BTreeMap<(KindTag, Option<KindTag>), Vec<Object>>,
    unnamed: BTreeSet<Key>,
    places: BTreeMap<Key, String>,
}

impl<'a> Lowering<'a> {
    fn new(metadata: &'a MetaData, options: &'a LowerOptions) -> Result<Self, MetaDataError> {
        let limbeck = NamingConvention::limbeck();
        let templates = metadata
            .naming_convention
            .as_ref()
            .unwrap_or(&limbeck)
            .templates();
        let mut it = Self {
            metadata,
            default_schema: &options.default_schema,
            templates: templates.map_err(|error| error.at(metadata.place.as_deref()))?,
            tables: BTreeMap::new(),
            enums: BTreeMap::new(),
            declared_types: BTreeSet::new(),
            types: RefCell::default(),
            serials: BTreeMap::new(),
            names: Names::default(),
            pending: Vec::new(),
            objects: BTreeMap::new(),
            unnamed: BTreeSet::new(),
            places: BTreeMap::new(),
        };
        for table in &metadata.tables {
            let name = it.resolve(table.schema.as_ref(), &table.name);
            fits(&table.name, || "table".into())
                .map_err(|error| error.at(table.place.as_deref()))?;
            it.names.relation("table", &name)?;
            it.place(KindTag::Table, &name, table.place.as_deref());
            if let Some(first) = it.tables.insert(name.clone(), table) {
                return Err(declared_twice(
                    &format!("table {name}"),
                    first.place.as_deref(),
                    table.place.as_deref(),
                ));
            }
        }
        for ty in &metadata.enums {
            let name = it.resolve_type(ty.schema.as_ref(), &ty.name);
            it.place(KindTag::EnumType, &name, ty.place.as_deref());
            if let Some(first) = it.enums.insert(name.clone(), ty) {
                return Err(declared_twice(
                    &format!("enum {name}"),
                    first.place.as_deref(),
                    ty.place.as_deref(),
                ));
            }
        }
        for (kind, schema, name, place) in Self::declared_types(metadata) {
            let name = it.resolve_type(schema, name);
            it.place(kind, &name, place);
            if !it.declared_types.insert(name.clone()) {
                let problem = "two declared types have this name; rename one of them";
                return Err(MetaDataError::invalid(format!("{kind} {name}"), problem).at(place));
            }
        }
        Ok(it)
    }

    /// A declared name with its schema, the default one left out.
    fn resolve(&self, schema: Option<&Ident>, name: &Ident) -> Name {
        let schema = schema.or(self.metadata.schema.as_ref());
        Name {
            schema: schema.cloned(),
            name: name.clone(),
        }
        .in_default(self.default_schema)
    }

    /// As [`Self::resolve`], for the name of a type: one that is named like a built-in type keeps its schema.
    fn resolve_type(&self, schema: Option<&Ident>, name: &Ident) -> Name {
        let schema = schema.or(self.metadata.schema.as_ref());
        Name::qualified(schema.cloned(), name.clone()).type_in_default(self.default_schema)
    }

    fn is_ignored(&self, name: &Name) -> bool {
        let bare = name.name.as_str();
        let schema = name.schema.as_ref().unwrap_or(self.default_schema);
        self.metadata.ignore.tables.iter().any(|glob| {
            limbeck_schema::matches_glob(glob, bare)
                || (glob.contains('.')
                    && limbeck_schema::matches_glob(glob, &format!("{}.{bare}", schema.as_str())))
        })
    }

    fn push(&mut self, object: impl Into<Object>) {
        let object = object.into();
        self.objects
            .entry((object.kind(), None))
            .or_default()
            .push(object);
    }

    fn comment(&mut self, subject: Key, text: Option<&str>) {
        if let Some(comment) = comment_on(subject, text) {
            let about = comment.subject.kind;
            self.objects
                .entry((KindTag::Comment, Some(about)))
                .or_default()
                .push(comment.into());
        }
    }

    fn place(&mut self, kind: KindTag, name: &Name, place: Option<&str>) {
        if let Some(place) = place {
            self.places
                .entry(Key::of(kind, name))
                .or_insert_with(|| place.to_owned());
        }
    }

    /// Puts everything into one map, in the order of keys. Columns and their comments, which are most of all objects,
    /// are made on the way, so that they never stand in a list of their own.
    fn finish(mut self) -> Result<Desired, MetaDataError> {
        let scope = self.scope();
        let mut before = std::mem::take(&mut self.objects);
        let mut between = before.split_off(&(KindTag::Column, None));
        let after = between.split_off(&(KindTag::Comment, Some(KindTag::Column)));
        let tables: Vec<_> = self
            .tables
            .iter()
            .filter(|(name, _)| !self.is_ignored(name))
            .collect();
        let list = |objects: BTreeMap<_, Vec<Object>>| objects.into_values().flatten().map(Ok);
        let columns = tables
            .iter()
            .flat_map(|(name, table)| self.columns(name, table));
        let comments = tables
            .iter()
            .flat_map(|(name, table)| columns::comments(name, table))
            .map(Ok);
        let schema: Schema = list(before)
            .chain(columns)
            .chain(list(between))
            .chain(comments)
            .chain(list(after))
            .collect::<Result<_, _>>()?;
        Ok(Desired {
            schema,
            scope,
            unnamed: self.unnamed,
            places: self.places,
            facts: limbeck_schema::Facts::default(),
        })
    }
}

fn comment_on(subject: Key, text: Option<&str>) -> Option<Comment> {
    let text = text.filter(|it| !it.is_empty())?;
    Some(Comment {
        subject,
        text: text.to_owned(),
    })
}
