//! Names that need not be said: those that lowering would choose without them. What writes metadata asks here.

use std::collections::BTreeSet;

use limbeck_schema::kinds::default_name;
use limbeck_schema::{Ident, Name};

use crate::error::MetaDataError;
use crate::lower::columns::collation_name;
use crate::lower::constraints::texts;
use crate::lower::elements::{default_columns, element_columns, mentioned_columns};
use crate::lower::table::InTable;
use crate::model::{self, GivenName};
use crate::naming::{Facts, Template, Templates, choose};

/// How many names had to be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Names that no template and no default makes.
    pub(crate) n_names: usize,
    /// Of them, names that a template would change.
    pub(crate) n_exact: usize,
}

/// A collation as metadata says it, without quotes where none are needed.
pub(crate) fn collation_text(name: &Name) -> String {
    let bare = name.name.as_str();
    if name.schema.is_none() && collation_name(bare).as_ref() == Some(name) {
        bare.to_owned()
    } else {
        name.to_string()
    }
}

/// Takes the names from a table's parts that lowering makes by itself; all of them are given.
///
/// # Errors
/// If the table declares a column twice, or its names are too long.
pub(crate) fn shorten_names(
    table: &mut model::Table,
    inherited: BTreeSet<&Ident>,
    templates: &Templates,
) -> Result<Said, MetaDataError> {
    let full = table.clone();
    let name = Name {
        schema: full.schema.clone(),
        name: full.name.clone(),
    };
    let it = InTable::new(name, &full, full.schema.as_ref())?.with_inherited(inherited);
    let mut acc = Shortening {
        templates,
        said: Said::default(),
    };
    if let (Some(key), Some(full)) = (&mut table.primary_key, &full.primary_key) {
        let facts = it.facts("primary key", full.columns.iter().collect(), None);
        key.name = acc.short(templates.pk.as_ref(), facts, Vec::new, "pkey", &full.name);
    }
    for (unique, full) in table.uniques.iter_mut().zip(&full.uniques) {
        let facts = it.facts("unique constraint", full.columns.iter().collect(), None);
        let columns = || texts(full.columns.iter().chain(&full.include));
        unique.name = acc.short(templates.uq.as_ref(), facts, columns, "key", &full.name);
    }
    for (check, full) in table.checks.iter_mut().zip(&full.checks) {
        let columns = mentioned_columns(&it, &full.expression);
        let facts = it.facts("check constraint", columns.clone(), None);
        check.name = acc.check(facts, columns, &full.name);
    }
    for (exclusion, full) in table.exclusions.iter_mut().zip(&full.exclusions) {
        let facts = it.facts(
            "exclusion constraint",
            element_columns(&it, &full.elements),
            None,
        );
        let columns = || default_columns(&full.elements, &full.include);
        exclusion.name = acc.short(templates.ex.as_ref(), facts, columns, "excl", &full.name);
    }
    for (index, full) in table.indexes.iter_mut().zip(&full.indexes) {
        let facts = it.facts("index", element_columns(&it, &full.elements), None);
        let columns = || default_columns(&full.elements, &full.include);
        index.name = acc.short(templates.ix.as_ref(), facts, columns, "idx", &full.name);
    }
    for (key, full) in table.foreign_keys.iter_mut().zip(&full.foreign_keys) {
        let mut facts = it.facts("foreign key", full.columns.iter().collect(), None);
        // Templates that name the referred columns are not among those that are tried.
        facts.referred = Some((&full.references.table, &full.references.columns));
        let columns = || texts(&full.columns);
        key.name = acc.short(templates.fk.as_ref(), facts, columns, "fkey", &full.name);
    }
    Ok(acc.said)
}

struct Shortening<'t> {
    templates: &'t Templates,
    said: Said,
}

impl Shortening<'_> {
    /// The name that has to be given for a part to have its full name.
    fn short(
        &mut self,
        template: Option<&Template>,
        facts: Facts<'_>,
        columns: impl FnOnce() -> Vec<String>,
        suffix: &str,
        full: &Option<GivenName>,
    ) -> Option<GivenName> {
        let full = full.as_ref()?.ident();
        let made = match choose(template, self.templates.truncate, &facts) {
            Ok(Some(made)) => Some(made),
            Ok(None) => {
                let columns = columns();
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                Some(default_name(facts.table, &columns, suffix))
            }
            Err(_) => None,
        };
        if made.as_ref() == Some(full) {
            return None;
        }
        self.said.n_names += 1;
        Some(GivenName::Name(full.clone()))
    }

    /// As [`Self::short`], for a check: its template may hold the name that is given.
    fn check(
        &mut self,
        facts: Facts<'_>,
        columns: Vec<&Ident>,
        full: &Option<GivenName>,
    ) -> Option<GivenName> {
        let template = self.templates.ck.as_ref();
        if !template.is_some_and(Template::wants_name) {
            let columns = if columns.len() == 1 {
                texts(columns)
            } else {
                Vec::new()
            };
            return self.short(template, facts, || columns, "check", full);
        }
        let full = full.as_ref()?.ident();
        // The name that is given stands at the end of the templates that are tried.
        let ends = full
            .as_str()
            .char_indices()
            .map(|(at, _)| &full.as_str()[at..]);
        for end in ends {
            let given = GivenName::Name(Ident::new(end));
            let facts = Facts {
                given: Some(&given),
                ..facts.clone()
            };
            let made = choose(template, self.templates.truncate, &facts);
            if made.is_ok_and(|it| it.as_ref() == Some(full)) {
                return Some(given);
            }
        }
        self.said.n_names += 1;
        self.said.n_exact += 1;
        Some(GivenName::Exact(full.clone()))
    }
}
