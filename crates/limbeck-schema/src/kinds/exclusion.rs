//! Exclusion constraints (`pg_constraint`, contype `x`, with the index behind them).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::{self, Deferral, mentioned_columns, on_live_table};
use crate::kinds::element::{self, Decoded, Element, include_clause};
use crate::kinds::usage::mentioned_types;
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Parameters, Reaction, Shown,
    Slot, Stage, named, parameters,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// One element with its operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// What is compared.
    #[serde(flatten)]
    pub element: Element,
    /// The operator, `&&`; `OPERATOR(schema.&&)` outside `pg_catalog` and the default schema.
    pub operator: String,
}

impl Shown for Excluded {
    fn shown(&self) -> String {
        format!("{} WITH {}", self.element.sql(), self.operator)
    }
}

/// An exclusion constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// The table.
    pub table: Name,
    /// The name.
    pub name: Ident,
    /// The access method, `gist`.
    pub method: Ident,
    /// The elements, in order.
    pub elements: Vec<Excluded>,
    /// `INCLUDE` columns.
    pub include: Vec<Ident>,
    /// Storage parameters of the index.
    pub options: Parameters,
    /// `WHERE (…)`.
    pub predicate: Option<Expr>,
    /// When it is checked.
    pub deferral: Deferral,
}

impl Exclusion {
    fn definition(&self) -> String {
        let Self {
            table: _,
            name,
            method,
            elements,
            include,
            options,
            predicate,
            deferral,
        } = self;
        let list: Vec<_> = elements.iter().map(Shown::shown).collect();
        let mut sql = format!(
            "CONSTRAINT {name} EXCLUDE USING {method} ({})",
            list.join(", ")
        );
        sql.push_str(&include_clause(include));
        sql.push_str(&options.with_clause());
        if let Some(predicate) = predicate {
            sql.push_str(&format!(" WHERE ({predicate})"));
        }
        format!("{sql}{deferral}")
    }
}

impl Kind for Exclusion {
    const CREATE: Stage = Stage::Constraints;
    const DROP: Stage = Stage::DropParts;
    const RENAMES: bool = true;

    fn catalog_sql(_version: u32) -> String {
        let columns = format!(
            ", am.amname, pg_get_expr(x.indpred, x.indrelid), c.condeferrable, c.condeferred, i.reloptions, nop.nspname, \
             op.oprname, {}",
            element::COLUMNS
        );
        let joins = format!(
            "JOIN pg_index x ON x.indexrelid = c.conindid JOIN pg_class i ON i.oid = c.conindid JOIN pg_am am ON am.oid = \
             i.relam {} LEFT JOIN pg_operator op ON op.oid = c.conexclop[k.ord] LEFT JOIN pg_namespace nop ON nop.oid = \
             op.oprnamespace",
            element::JOINS
        );
        constraint::catalog_sql('x', &columns, &joins, ", k.ord")
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let (table, name, method) = (fields.name()?, fields.ident()?, fields.ident()?);
        let predicate = fields.text_or_null()?.map(Expr::new);
        let deferral = Deferral::new(fields.boolean()?, fields.boolean()?);
        let options = Parameters::read(fields.options(parameters::of_indexes)?);
        let schema = fields.schema()?.filter(|it| it.as_str() != "pg_catalog");
        let operator = fields.text_or_null()?.unwrap_or_default();
        let operator = schema.map_or_else(
            || operator.to_owned(),
            |it| format!("OPERATOR({it}.{operator})"),
        );
        if acc
            .last()
            .is_none_or(|it| it.table != table || it.name != name)
        {
            let (elements, include) = (Vec::new(), Vec::new());
            acc.push(Self {
                table,
                name,
                method,
                elements,
                include,
                options,
                predicate,
                deferral,
            });
        }
        if let Some(last) = acc.last_mut() {
            match element::decode(fields)? {
                Decoded::Element(element) => last.elements.push(Excluded { element, operator }),
                Decoded::Include(column) => last.include.push(column),
            }
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::Exclusion, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        for it in &self.elements {
            it.element.depends_on(&self.table, schema, acc);
        }
        acc.extend(constraint::column_keys(&self.table, &self.include));
        if let Some(predicate) = &self.predicate {
            let words = predicate.words();
            mentioned_columns(&self.table, &words, acc);
            mentioned_types(schema, &self.table, &words, acc);
        }
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL cannot change what an exclusion constraint compares";
        let Self {
            table,
            name,
            method,
            elements,
            include,
            options,
            predicate,
            deferral,
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.fixed("method", method, &desired.method, WHY);
        it.fixed("elements", elements, &desired.elements, WHY);
        it.fixed("include", include, &desired.include, WHY);
        it.fixed("predicate", predicate, &desired.predicate, WHY);
        it.fixed("deferral", deferral, &desired.deferral, WHY);
        it.field("storage parameters", options, &desired.options);
        it
    }

    fn summary(&self) -> String {
        let definition = self.definition();
        let rest = definition
            .split_once(" EXCLUDE USING ")
            .map_or("", |(_, rest)| rest);
        format!("{} using {rest}", self.key())
    }

    fn address(key: &Key) -> String {
        constraint::address(key)
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let statement =
            constraint::add(acc, Lock::AccessExclusive, &self.table, &self.definition());
        if on_live_table(ctx, &self.table) {
            statement.warn(
                Hazard::MayFail,
                format!("builds an index while nobody can use {}, and fails if two rows exclude each other", self.table),
            );
        }
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        let index = desired.table.sibling(desired.name.clone());
        for clause in current.options.changes(&desired.options) {
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("ALTER INDEX {index} {clause}"),
            );
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        constraint::drop(acc, &self.key());
    }

    fn rename(current: &Self, desired: &Self, acc: &mut Script) {
        constraint::rename(acc, &current.key(), &desired.key());
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            table: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        }
    }

    fn inline(&self) -> Option<String> {
        Some(self.definition())
    }

    fn merged(&self) -> Option<String> {
        let unnamed = Self {
            name: Ident::new("any"),
            options: Parameters::default(),
            ..self.clone()
        };
        Some(unnamed.definition())
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        let elements = self.elements.iter_mut().map(|it| &mut it.element);
        Element::names(elements, &self.table, visit);
        named::columns(&self.table, &mut self.include, visit);
        visit(Named::Part(
            KindTag::Exclusion,
            &mut self.table,
            &mut self.name,
        ));
    }

    fn slots(&self) -> Vec<Slot> {
        vec![
            Slot::constraint(&self.table, &self.name),
            Slot::relation(self.table.sibling(self.name.clone())),
        ]
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            Event::Retyped | Event::Redefined => Reaction::Keep,
            _ => Reaction::Rebuild,
        }
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        let elements = self.elements.iter_mut().filter_map(|it| it.element.slot());
        elements
            .chain(self.predicate.as_mut().map(|expr| ExprSlot {
                role: Role::Condition,
                expr,
            }))
            .collect()
    }
}
