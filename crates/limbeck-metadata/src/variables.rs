//! Variables in declared metadata: `${prefix}` in names and SQL texts, and a prefix for all tables of one metadata.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::variables::{Misuse, VariableError, escape, escape_name, mentions};
use limbeck_schema::{Ident, Name, Truncation, Variables};
use serde::Serialize;

use crate::error::MetaDataError;
use crate::model::MetaData;
use crate::model::texts::{Text, TextVisitor};
use crate::naming::NamingConvention;

/// A table by its schema, if it names one, and its name.
type Declared = (Option<Ident>, Ident);

impl MetaData {
    /// A variable with its value, unless [`Self::set_variables`] gives it another one: names, types and expressions may
    /// say `${name}` for it. A name of letters, digits and underscores; a wrong one, or a value with a backslash or a
    /// control character, is found by [`Self::lower`].
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// What the names of all tables of this metadata begin with, mostly a variable: `${prefix}`. Names that a convention
    /// makes follow, and references to these tables as well.
    #[must_use]
    pub fn table_prefix(self, prefix: impl Into<String>) -> Self {
        Self {
            table_prefix: Some(prefix.into()),
            ..self
        }
    }

    /// How names that are too long are shortened.
    #[must_use]
    pub fn truncation(&self) -> Truncation {
        let limbeck = NamingConvention::limbeck();
        let convention = self.naming_convention.as_ref();
        convention.unwrap_or(&limbeck).truncation()
    }

    /// Gives variables their values, in place of those that the metadata has for them.
    pub fn set_variables(&mut self, values: &Variables) {
        let values = values.iter();
        self.variables
            .extend(values.map(|(name, it)| (name.to_owned(), it.to_owned())));
    }

    /// The variables with the values that they have now.
    ///
    /// # Errors
    /// If a name cannot be one.
    pub fn variables(&self) -> Result<Variables, MetaDataError> {
        let mut variables = Variables::new();
        for (name, value) in &self.variables {
            let set = variables.set(name, value);
            set.map_err(|error| {
                MetaDataError::invalid("variables", error.to_string()).at(self.place.as_deref())
            })?;
        }
        Ok(variables)
    }

    /// Whether a name, type or expression may hold a variable.
    #[must_use]
    pub fn mentions_variables(&self) -> bool {
        fn any<T: Serialize>(items: &[T]) -> bool {
            // What cannot be written down is not silently passed over.
            let text = |it: &T| serde_json::to_string(it);
            items
                .iter()
                .any(|it| text(it).map_or(true, |it| mentions(&it)))
        }
        let Self {
            version: _,
            json_schema: _,
            schema,
            naming_convention: _,
            manages: _,
            ignore,
            variables: _,
            table_prefix,
            schemas,
            enums,
            domains,
            composite_types,
            ranges,
            collations,
            sequences,
            tables,
            place: _,
            leaves_default_schema: _,
        } = self;
        table_prefix.is_some()
            || any(schema.as_slice())
            || any(&ignore.tables)
            || any(schemas)
            || any(enums)
            || any(domains)
            || any(composite_types)
            || any(ranges)
            || any(collations)
            || any(sequences)
            || any(tables)
    }

    /// The metadata without variables: their values stand in their places, and the prefix before the names of tables.
    ///
    /// # Errors
    /// If a variable has no value, or one that cannot stand where it is used; with the place of the declaration.
    pub(crate) fn expanded(&self) -> Result<Cow<'_, Self>, MetaDataError> {
        if !self.mentions_variables() {
            return Ok(Cow::Borrowed(self));
        }
        self.expanded_by(&self.variables()?).map(Cow::Owned)
    }

    /// The metadata with placeholders in the places of its variables.
    pub(crate) fn placed(&self) -> Result<Self, MetaDataError> {
        self.expanded_by(&self.variables()?.placeholders())
    }

    /// The metadata with everything that looks like a variable as text, for what was read from a database.
    pub(crate) fn escaped(mut self) -> Result<Self, MetaDataError> {
        if self.mentions_variables() {
            self.visit_texts(&mut |text| {
                match text {
                    Text::Name(name) if mentions(name.as_str()) => {
                        *name = Ident::new(escape_name(name.as_str()));
                    }
                    Text::Glob(glob) => *glob = escape_name(glob),
                    Text::Sql(sql) => *sql = escape(sql).into_owned(),
                    Text::Name(_) => {}
                }
                Ok(())
            })?;
        }
        Ok(self)
    }

    fn expanded_by(&self, variables: &Variables) -> Result<Self, MetaDataError> {
        let mut it = self.clone();
        it.write_prefixes();
        it.variables = BTreeMap::new();
        it.visit_texts(&mut |text| expand(text, variables))?;
        Ok(it)
    }

    /// Lends out every text that can hold a variable; an error gets the place of the declaration.
    fn visit_texts(
        &mut self,
        visit: &mut TextVisitor<'_, MetaDataError>,
    ) -> Result<(), MetaDataError> {
        let place = self.place.clone();
        self.own_texts(visit)
            .map_err(|error| error.at(place.as_deref()))?;
        macro_rules! visit_all {
            ($($list:ident $what:literal,)*) => { $(
                for it in &mut self.$list {
                    let object = format!("{} {}", $what, Name::plain(it.name.clone()));
                    it.texts(visit)
                        .map_err(|error| error.within(&object).at(it.place.as_deref()))?;
                }
            )* };
        }
        visit_all! {
            enums "enum",
            domains "domain",
            composite_types "composite type",
            ranges "range",
            collations "collation",
            sequences "sequence",
            tables "table",
        }
        Ok(())
    }

    /// Writes the prefix before the names of tables and their references.
    fn write_prefixes(&mut self) {
        let prefixes = self.take_prefix();
        self.follow_prefixes(&prefixes);
    }

    /// Writes the prefix before the names of the tables that are declared; gives the names that they had and have now.
    pub(crate) fn take_prefix(&mut self) -> BTreeMap<Declared, Ident> {
        let Some(prefix) = self.table_prefix.take() else {
            return BTreeMap::new();
        };
        let mut renamed = BTreeMap::new();
        for table in &mut self.tables {
            let name = Ident::from(format!("{prefix}{}", table.name.as_str()));
            let was = std::mem::replace(&mut table.name, name.clone());
            renamed.insert((table.schema.clone(), was), name);
        }
        renamed
    }

    /// Has what refers to tables refer to them by the names that they have now. A table that is declared here by the name
    /// that is referred to is meant itself.
    pub(crate) fn follow_prefixes(&mut self, renamed: &BTreeMap<Declared, Ident>) {
        if renamed.is_empty() {
            return;
        }
        let declared: BTreeSet<Declared> = self
            .tables
            .iter()
            .map(|it| (it.schema.clone(), it.name.clone()))
            .collect();
        let own = &self.schema;
        let now = |schema: &Option<Ident>, name: &Ident| {
            let mut spellings = vec![(schema.clone(), name.clone())];
            // The metadata's own schema may be named or not.
            if schema == own {
                spellings.push((None, name.clone()));
            } else if schema.is_none() {
                spellings.push((own.clone(), name.clone()));
            }
            if spellings.iter().any(|it| declared.contains(it)) {
                return None;
            }
            spellings.iter().find_map(|it| renamed.get(it)).cloned()
        };
        for sequence in &mut self.sequences {
            if let Some(it) = &mut sequence.owned_by {
                let name = now(&it.schema, &it.table);
                it.table = name.unwrap_or_else(|| it.table.clone());
            }
        }
        for table in &mut self.tables {
            for key in &mut table.foreign_keys {
                let it = &mut key.references;
                let name = now(&it.schema, &it.table);
                it.table = name.unwrap_or_else(|| it.table.clone());
            }
            for parent in &mut table.inherits {
                if let Some(Name { schema, name }) = Name::parse(parent)
                    && let Some(name) = now(&schema, &name)
                {
                    let quoted = name.as_str().replace('"', "\"\"");
                    let schema = schema.map_or_else(String::new, |it| format!("{it}."));
                    *parent = format!("{schema}\"{quoted}\"");
                }
            }
        }
    }
}

fn expand(text: Text<'_>, variables: &Variables) -> Result<(), MetaDataError> {
    let wrong = |it: VariableError| MetaDataError::invalid("", it.to_string());
    match text {
        Text::Name(name) => {
            if mentions(name.as_str()) {
                *name = Ident::new(variables.expand_name(name.as_str()).map_err(wrong)?);
            }
        }
        Text::Glob(glob) => {
            if mentions(glob) {
                *glob = variables.expand_name(glob).map_err(wrong)?.into_owned();
            }
        }
        Text::Sql(sql) => {
            if mentions(sql) {
                let expanded = variables.expand_sql(sql);
                let wrong = |Misuse { problem, .. }| wrong(problem);
                *sql = expanded.map_err(wrong)?.into_owned();
            }
        }
    }
    Ok(())
}
