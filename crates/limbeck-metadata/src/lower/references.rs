//! Foreign keys: what they refer to has to be there.

use limbeck_schema::kinds;
use limbeck_schema::{Ident, Name};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::lower::constraints::{deferral, texts};
use crate::lower::names::Naming;
use crate::lower::table::InTable;
use crate::model::{self, Action, Match};
use crate::naming::Facts;

impl<'a> Lowering<'a> {
    pub(super) fn foreign_key(
        &mut self,
        it: &mut InTable<'a>,
        key: &'a model::ForeignKey,
    ) -> Result<(), MetaDataError> {
        let model::ForeignKey {
            name,
            columns,
            references,
            on_delete,
            on_update,
            on_delete_columns,
            match_type,
            deferrable,
            initially_deferred,
            not_valid,
            not_enforced,
            period,
            comment,
        } = key;
        let mut facts = it.facts("foreign key", columns.iter().collect(), name.as_ref());
        it.check_columns(&facts, columns, "columns")?;
        check_on_delete_columns(&facts, key)?;
        let table = self.resolve(references.schema.as_ref(), &references.table);
        let targets = self.targets(&facts, &table, &references.columns)?;
        if targets.len() != columns.len() {
            let problem = format!(
                "it has {} columns and refers to {} of table {table} ({}); name as many on both sides",
                columns.len(),
                targets.len(),
                limbeck_schema::List(targets)
            );
            return Err(MetaDataError::invalid(facts.describe(), problem));
        }
        facts.referred = Some((&references.table, targets));
        let lowered = kinds::ForeignKey {
            table: it.name.clone(),
            name: it.name.name.clone(),
            columns: columns.clone(),
            references: kinds::References {
                table,
                columns: targets.to_vec(),
            },
            on_delete: *on_delete,
            on_delete_columns: on_delete_columns.clone(),
            on_update: *on_update,
            match_full: *match_type == Match::Full,
            deferral: deferral(*deferrable, *initially_deferred),
            valid: !not_valid || *not_enforced,
            enforced: !not_enforced,
            period: *period,
            switched_off: false,
        };
        self.part(
            it,
            |templates| Naming {
                template: templates.fk.as_ref(),
                suffix: "fkey",
                is_constraint: true,
                is_relation: false,
            },
            facts,
            comment.as_deref(),
            || texts(columns),
            |name| kinds::ForeignKey { name, ..lowered }.into(),
        )
    }

    /// The columns that are referred to: those named, or the primary key.
    fn targets(
        &self,
        facts: &Facts<'a>,
        name: &Name,
        named: &'a [Ident],
    ) -> Result<&'a [Ident], MetaDataError> {
        let missing = |problem: String| Err(MetaDataError::missing(facts.describe(), problem));
        let Some(table) = self.tables.get(name).copied() else {
            return match (self.is_ignored(name), named) {
                (true, []) => missing(format!(
                    "it refers to the primary key of table {name}, which is ignored and not declared; name the columns"
                )),
                (true, _) => Ok(named),
                (false, _) => missing(format!(
                    "it refers to table {name}, which is not declared; declare it, or list it in ignore.tables"
                )),
            };
        };
        let own_name = [name.clone()];
        let known = || self.inherited(&own_name);
        if let Some(column) = named.iter().find(|it| {
            !table.columns.iter().any(|column| column.name == **it) && !known().contains(it)
        }) {
            return missing(format!(
                "it refers to column {column} of table {name}, which has no such column; declare it or correct the name"
            ));
        }
        let primary: &[Ident] = table
            .primary_key
            .as_ref()
            .map_or(&[], |it| it.columns.as_slice());
        match named {
            [] if primary.is_empty() => missing(format!(
                "it refers to the primary key of table {name}, which has none; name the columns or declare a primary key"
            )),
            [] => Ok(primary),
            _ if is_key(table, named) => Ok(named),
            _ => missing(format!(
                "it refers to ({}) of table {name}, where no primary key, unique constraint or unique index is on just \
                 these columns; declare one",
                limbeck_schema::List(named)
            )),
        }
    }
}

/// Whether rows of a table can be referred to by these columns (`transformFkeyCheckAttrs`).
fn is_key(table: &model::Table, columns: &[Ident]) -> bool {
    let same =
        |key: &[Ident]| key.len() == columns.len() && columns.iter().all(|it| key.contains(it));
    let is_unique_index = |index: &model::Index| {
        let key: Vec<Ident> = index
            .elements
            .iter()
            .filter_map(|it| it.column.clone())
            .collect();
        index.unique && index.predicate.is_none() && key.len() == index.elements.len() && same(&key)
    };
    table
        .primary_key
        .as_ref()
        .is_some_and(|it| same(&it.columns))
        || table.uniques.iter().any(|it| same(&it.columns))
        || table.indexes.iter().any(is_unique_index)
}

fn check_on_delete_columns(
    facts: &Facts<'_>,
    key: &model::ForeignKey,
) -> Result<(), MetaDataError> {
    let model::ForeignKey {
        columns,
        on_delete,
        on_delete_columns,
        ..
    } = key;
    if on_delete_columns.is_empty() {
        return Ok(());
    }
    let problem = if !matches!(on_delete, Action::SetNull | Action::SetDefault) {
        "on_delete_columns goes with on_delete `set null` or `set default` only".to_owned()
    } else if let Some(column) = on_delete_columns.iter().find(|it| !columns.contains(it)) {
        format!("column {column} in on_delete_columns is none of its own columns")
    } else {
        return Ok(());
    };
    Err(MetaDataError::invalid(facts.describe(), problem))
}
