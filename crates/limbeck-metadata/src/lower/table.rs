//! Tables: what lowering knows while it is in one, and the order in which its parts are taken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use limbeck_schema::{Ident, Key, KindTag, Name, kinds};

use crate::error::MetaDataError;
use crate::lower::names::{Pending, PendingPart};
use crate::lower::objects::sort_parts;
use crate::lower::{Lowering, columns};
use crate::model::{self, GivenName};
use crate::naming::{Facts, fits};

/// What lowering knows while it is in one table.
pub(super) struct InTable<'a> {
    pub(super) table: &'a model::Table,
    pub(super) name: Name,
    /// The schema as declared, for labels.
    pub(super) schema: Option<&'a Ident>,
    /// The columns with their positions from 0, sorted by name.
    columns: Vec<(&'a Ident, usize)>,
    /// The names of constraints, and what has them.
    pub(super) constraints: BTreeMap<Ident, Rc<Facts<'a>>>,
    /// Columns that come from the tables it inherits from.
    inherited: BTreeSet<&'a Ident>,
    pub(super) pending: Vec<PendingPart<'a>>,
}

impl<'a> InTable<'a> {
    pub(super) fn new(
        name: Name,
        table: &'a model::Table,
        schema: Option<&'a Ident>,
    ) -> Result<Self, MetaDataError> {
        let columns = sorted_columns(table);
        let it = Self {
            table,
            name,
            schema,
            columns,
            constraints: BTreeMap::new(),
            inherited: BTreeSet::new(),
            pending: Vec::new(),
        };
        for (column, _) in &it.columns {
            fits(column, || format!("column of {}", it.object()))?;
        }
        match it.columns.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => {
                let problem = format!("column {} is declared twice; remove one of them", pair[0].0);
                Err(MetaDataError::invalid(it.object(), problem))
            }
            None => Ok(it),
        }
    }

    /// With columns that come from the tables it inherits from.
    pub(super) fn with_inherited(self, inherited: BTreeSet<&'a Ident>) -> Self {
        Self { inherited, ..self }
    }

    pub(super) fn object(&self) -> String {
        format!("table {}", self.name)
    }

    pub(super) fn has_column(&self, name: &Ident) -> bool {
        self.column(name).is_some()
    }

    /// The column of this name, as it is declared.
    pub(super) fn column(&self, name: &Ident) -> Option<&'a Ident> {
        self.columns
            .binary_search_by(|it| it.0.cmp(name))
            .ok()
            .map(|at| self.columns[at].0)
            .or_else(|| self.inherited.get(name).copied())
    }

    /// What templates can say about a part.
    pub(super) fn facts(
        &self,
        kind: &'static str,
        columns: Vec<&'a Ident>,
        given: Option<&'a GivenName>,
    ) -> Facts<'a> {
        Facts {
            kind,
            schema: self.schema,
            table: &self.table.name,
            columns,
            referred: None,
            given,
        }
    }

    /// Whether the columns of a key or `INCLUDE` list are there, each once.
    ///
    /// # Errors
    /// If one is not declared or stands twice, or there is none.
    pub(super) fn check_columns(
        &self,
        facts: &Facts<'_>,
        columns: &[Ident],
        list: &str,
    ) -> Result<(), MetaDataError> {
        if columns.is_empty() && list == "columns" {
            return Err(MetaDataError::invalid(
                facts.describe(),
                "it names no column; name at least one",
            ));
        }
        for (at, column) in columns.iter().enumerate() {
            if !self.has_column(column) {
                return Err(self.missing_column(facts, column));
            }
            if columns[..at].contains(column) {
                let problem = format!("column {column} stands twice in its {list}; remove one");
                return Err(MetaDataError::invalid(facts.describe(), problem));
            }
        }
        Ok(())
    }

    pub(super) fn missing_column(&self, facts: &Facts<'_>, column: &Ident) -> MetaDataError {
        let problem = format!(
            "table {} has no column {column}; declare it or correct the name",
            self.name
        );
        MetaDataError::missing(facts.describe(), problem)
    }
}

/// The columns of a table with their positions from 0, sorted by name.
pub(super) fn sorted_columns(table: &model::Table) -> Vec<(&Ident, usize)> {
    let mut columns: Vec<_> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, it)| (&it.name, at))
        .collect();
    columns.sort_unstable();
    columns
}

impl<'a> Lowering<'a> {
    /// The tables that one inherits from.
    ///
    /// # Errors
    /// If a name cannot be read.
    fn parents(&self, name: &Name, table: &model::Table) -> Result<Vec<Name>, MetaDataError> {
        let parent = |text: &String| {
            let Some(parent) = Name::parse(text) else {
                let problem = format!(
                    "it inherits from `{text}`, which is no name; write `name` or `schema.name`"
                );
                return Err(MetaDataError::invalid(format!("table {name}"), problem));
            };
            Ok(self.resolve(parent.schema.as_ref(), &parent.name))
        };
        table.inherits.iter().map(parent).collect()
    }

    /// The columns of tables and of those they inherit from.
    pub(super) fn inherited(&self, parents: &[Name]) -> BTreeSet<&'a Ident> {
        let mut columns = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut todo: Vec<Name> = parents.to_vec();
        while let Some(name) = todo.pop() {
            let Some(table) = self.tables.get(&name).copied() else {
                continue;
            };
            if seen.insert(name.clone()) {
                columns.extend(table.columns.iter().map(|it| &it.name));
                todo.extend(self.parents(&name, table).unwrap_or_default());
            }
        }
        columns
    }

    pub(super) fn table(
        &mut self,
        name: Name,
        table: &'a model::Table,
    ) -> Result<(), MetaDataError> {
        let schema = table.schema.as_ref().or(self.metadata.schema.as_ref());
        let parents = self.parents(&name, table)?;
        let inherited = self.inherited(&parents);
        let mut it = InTable::new(name, table, schema)?.with_inherited(inherited);
        let ends: Vec<_> = self
            .objects
            .iter()
            .map(|(group, objects)| (*group, objects.len()))
            .collect();
        self.comment(Key::of(KindTag::Table, &it.name), table.comment.as_deref());
        self.push(kinds::Table {
            unlogged: table.unlogged,
            options: table.with.clone().into(),
            partition_by: table.partition_by.as_deref().map(|it| it.trim().to_owned()),
            inherits: parents,
            ..kinds::Table::new(it.name.clone())
        });
        for column in table.columns.iter().filter(|it| columns::is_serial(it)) {
            self.serial(&it.name, table, column)?;
        }
        self.sequence_comments(&it.name, table);
        table
            .primary_key
            .iter()
            .try_for_each(|key| self.primary_key(&mut it, key))?;
        table
            .uniques
            .iter()
            .try_for_each(|unique| self.unique(&mut it, unique))?;
        table
            .checks
            .iter()
            .try_for_each(|check| self.check(&mut it, check))?;
        table
            .exclusions
            .iter()
            .try_for_each(|exclusion| self.exclusion(&mut it, exclusion))?;
        table
            .indexes
            .iter()
            .try_for_each(|index| self.index(&mut it, index))?;
        table
            .foreign_keys
            .iter()
            .try_for_each(|key| self.foreign_key(&mut it, key))?;
        let ends: BTreeMap<_, _> = ends.into_iter().collect();
        for (group, objects) in &mut self.objects {
            sort_parts(&mut objects[ends.get(group).copied().unwrap_or(0)..]);
        }
        if !it.pending.is_empty() {
            let taken: BTreeSet<Ident> = it.constraints.into_keys().collect();
            self.pending.push(Pending {
                table: it.name,
                taken,
                parts: it.pending,
            });
        }
        Ok(())
    }
}
