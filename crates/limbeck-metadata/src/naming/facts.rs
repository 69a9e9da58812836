//! What templates can say about an object.

use limbeck_schema::{Ident, Name};

use crate::model::GivenName;

/// What there is to know about an object that is to be named.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    /// The kind as messages have it: `unique constraint`.
    pub(crate) kind: &'static str,
    /// The table's schema as declared (by the table or its metadata), if any: labels begin with it.
    pub(crate) schema: Option<&'a Ident>,
    /// The table.
    pub(crate) table: &'a Ident,
    /// The columns; for an expression the first that it mentions.
    pub(crate) columns: Vec<&'a Ident>,
    /// The table that a foreign key refers to, and its columns.
    pub(crate) referred: Option<(&'a Ident, &'a [Ident])>,
    /// The name given.
    pub(crate) given: Option<&'a GivenName>,
}

impl Facts<'_> {
    /// The object as messages have it: `unique constraint (a, b) of table t`.
    pub(crate) fn describe(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|it| it.as_str()).collect();
        let columns = if columns.is_empty() {
            String::new()
        } else {
            format!(" ({})", columns.join(", "))
        };
        let name = self
            .given
            .map_or_else(String::new, |it| format!(" {}", it.ident()));
        let table = Name {
            schema: self.schema.cloned(),
            name: self.table.clone(),
        };
        format!("{}{name}{columns} of table {table}", self.kind)
    }

    /// A column's label: `<table>_<column>`, and with a schema `<schema>_<table>_<column>`; a dot in the schema's name
    /// becomes `_` (SQLAlchemy's `Column._ddl_label`).
    pub(crate) fn push_label(&self, column: &str, acc: &mut String) {
        if let Some(schema) = self.schema {
            acc.extend(
                schema
                    .as_str()
                    .chars()
                    .map(|it| if it == '.' { '_' } else { it }),
            );
            acc.push('_');
        }
        acc.push_str(self.table.as_str());
        acc.push('_');
        acc.push_str(column);
    }
}
