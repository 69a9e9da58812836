//! Indexes (`pg_index`) that do not belong to a constraint.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::constraint::{column_keys, mentioned_columns, on_live_table};
use crate::kinds::element::{self, Decoded, Element, ElementKey, include_clause};
use crate::kinds::usage::mentioned_types;
use crate::kinds::{
    Context, Difference, Event, Kind, KindTag, NameVisitor, Named, Parameters, Reaction, Shown,
    Since, Slot, Stage, named, parameters, user_objects,
};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;
use crate::statement::{Hazard, Lock, Script};

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Index {
    /// The table.
    pub table: Name,
    /// The name, in the table's schema.
    pub name: Ident,
    /// `UNIQUE`.
    pub unique: bool,
    /// The access method, `btree`.
    pub method: Ident,
    /// The elements, in order.
    pub elements: Vec<Element>,
    /// `INCLUDE` columns.
    pub include: Vec<Ident>,
    /// `NULLS NOT DISTINCT` (PostgreSQL 15).
    pub nulls_not_distinct: bool,
    /// Storage parameters.
    pub options: Parameters,
    /// `WHERE …`.
    pub predicate: Option<Expr>,
    /// False for one whose concurrent build failed (`pg_index.indisvalid`).
    pub valid: bool,
    /// Statistics targets other than the server's setting, by the numbers of its columns; `None` where nothing says them,
    /// which agrees with any.
    #[serde(skip_serializing_if = "no_targets")]
    pub statistics: Option<BTreeMap<i64, i64>>,
    /// Whether it was read as the index of a partitioned table, whose parameters cannot be altered. It says nothing about
    /// the index, so it is never a difference; of two states one was read from a server.
    #[serde(skip)]
    pub partitioned: bool,
}

fn no_targets(it: &Option<BTreeMap<i64, i64>>) -> bool {
    it.as_ref().is_none_or(BTreeMap::is_empty)
}

impl Shown for BTreeMap<i64, i64> {
    fn shown(&self) -> String {
        let each = self
            .iter()
            .map(|(column, target)| format!("{column}: {target}"));
        format!("({})", each.collect::<Vec<_>>().join(", "))
    }
}

impl Index {
    /// A plain `btree` index.
    pub fn new(table: Name, name: impl Into<Ident>, elements: Vec<Element>) -> Self {
        Self {
            table,
            name: name.into(),
            unique: false,
            method: Ident::new("btree"),
            elements,
            include: Vec::new(),
            nulls_not_distinct: false,
            options: Parameters::default(),
            predicate: None,
            valid: true,
            statistics: None,
            partitioned: false,
        }
    }

    fn qualified(&self) -> Name {
        self.table.sibling(self.name.clone())
    }

    /// What follows the table: `USING gin (a) INCLUDE (b) WHERE c`.
    fn rest(&self) -> String {
        let method = if self.method.as_str() == "btree" {
            String::new()
        } else {
            format!("USING {} ", self.method)
        };
        let elements: Vec<_> = self.elements.iter().map(Element::sql).collect();
        let nulls = if self.nulls_not_distinct {
            " NULLS NOT DISTINCT"
        } else {
            ""
        };
        let mut sql = format!(
            "{method}({}){}{nulls}",
            elements.join(", "),
            include_clause(&self.include)
        );
        sql.push_str(&self.options.with_clause());
        if let Some(predicate) = &self.predicate {
            sql.push_str(&format!(" WHERE {predicate}"));
        }
        sql
    }

    /// Whether it is a unique index over just these columns, so that a foreign key can hold on to it.
    pub(crate) fn is_key_on(&self, columns: &BTreeSet<&Ident>) -> bool {
        let own: BTreeSet<&Ident> = self
            .elements
            .iter()
            .filter_map(|it| {
                if let ElementKey::Column(name) = &it.key {
                    Some(name)
                } else {
                    None
                }
            })
            .collect();
        self.unique && !self.has_expressions() && own == *columns
    }

    /// Writes what leads from other statistics targets to its own.
    fn write_targets(&self, was: &BTreeMap<i64, i64>, acc: &mut Script) {
        let Some(wanted) = &self.statistics else {
            return;
        };
        let columns: BTreeSet<&i64> = was.keys().chain(wanted.keys()).collect();
        for column in columns {
            let target = wanted.get(column);
            if was.get(column) != target {
                let target = target.copied().unwrap_or(-1);
                let index = self.qualified();
                acc.push(
                    Lock::ShareUpdateExclusive,
                    format!("ALTER INDEX {index} ALTER COLUMN {column} SET STATISTICS {target}"),
                );
            }
        }
    }

    fn collates_expressions(&self) -> bool {
        let is_collated =
            |it: &Element| it.collation.is_some() && matches!(it.key, ElementKey::Expression(_));
        self.elements.iter().any(is_collated)
    }

    fn has_expressions(&self) -> bool {
        self.predicate.is_some()
            || self
                .elements
                .iter()
                .any(|it| matches!(it.key, ElementKey::Expression(_)))
    }
}

impl Kind for Index {
    const CREATE: Stage = Stage::Indexes;
    const DROP: Stage = Stage::DropParts;
    const RENAMES: bool = true;
    const READING: u32 = 6;

    fn catalog_sql(version: u32) -> String {
        let nulls = if version >= 150_000 {
            "x.indnullsnotdistinct"
        } else {
            "false"
        };
        // `pg_get_indexdef` is by far the dearest function here, so it is asked for expressions alone.
        format!(
            "SELECT n.nspname, t.relname, i.relname, x.indisunique, am.amname, {nulls}, i.reloptions, CASE WHEN x.indpred \
             IS NOT NULL THEN pg_get_expr(x.indpred, x.indrelid) END, x.indisvalid OR t.relkind = 'p', t.relkind = 'p', CASE WHEN x.indexrelid = ANY (ARRAY(SELECT \
             s.attrelid FROM pg_attribute s WHERE s.attstattarget >= 0 AND s.attnum > 0)) THEN array(SELECT s.attnum || ' ' || s.attstattarget FROM \
             pg_attribute s WHERE s.attrelid = x.indexrelid AND s.attstattarget >= 0 ORDER BY s.attnum) END, {} FROM pg_index x JOIN \
             pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = \
             t.relnamespace JOIN pg_am am ON am.oid = i.relam {} WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND \
             t.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid AND \
             c.contype IN ('p', 'u', 'x')) AND {} ORDER BY x.indexrelid, k.ord",
            element::COLUMNS,
            element::JOINS,
            user_objects("pg_class", "t.oid")
        )
    }

    fn decode(fields: &mut Fields<'_>, acc: &mut Vec<Self>) -> Result<(), DecodeError> {
        let (table, name) = (fields.name()?, fields.ident()?);
        let mut index = Self {
            unique: fields.boolean()?,
            method: fields.ident()?,
            nulls_not_distinct: fields.boolean()?,
            options: Parameters::read(fields.options(parameters::of_indexes)?),
            predicate: fields.text_or_null()?.map(Expr::new),
            valid: fields.boolean()?,
            partitioned: fields.boolean()?,
            statistics: Some(targets(&fields.list()?)),
            ..Self::new(table, name, Vec::new())
        };
        let decoded = element::decode(fields)?;
        if let Some(last) = acc
            .last_mut()
            .filter(|it| it.name == index.name && it.table == index.table)
        {
            last.take(decoded);
        } else {
            index.take(decoded);
            acc.push(index);
        }
        Ok(())
    }

    fn key(&self) -> Key {
        Key::part(KindTag::Index, &self.table, &self.name)
    }

    fn parent(&self) -> Option<Key> {
        Some(Key::of(KindTag::Table, &self.table))
    }

    fn depends_on(&self, schema: &Schema, acc: &mut BTreeSet<Key>) {
        for element in &self.elements {
            element.depends_on(&self.table, schema, acc);
        }
        acc.extend(column_keys(&self.table, &self.include));
        if let Some(predicate) = &self.predicate {
            let words = predicate.words();
            mentioned_columns(&self.table, &words, acc);
            mentioned_types(schema, &self.table, &words, acc);
        }
    }

    fn newer(&self) -> Vec<Since> {
        let nulls = Since {
            what: "NULLS NOT DISTINCT",
            major: 15,
        };
        self.nulls_not_distinct
            .then_some(nulls)
            .into_iter()
            .collect()
    }

    fn compare(current: &Self, desired: &Self) -> Difference {
        const WHY: &str = "PostgreSQL cannot change what an index holds";
        let Self {
            table,
            name,
            unique,
            method,
            elements,
            include,
            nulls_not_distinct,
            options,
            predicate,
            valid,
            statistics,
            partitioned,
        } = current;
        let mut it = Difference::default();
        it.field("table", table, &desired.table);
        it.field("name", name, &desired.name);
        it.fixed("unique", unique, &desired.unique, WHY);
        it.fixed("method", method, &desired.method, WHY);
        it.fixed("elements", elements, &desired.elements, WHY);
        it.fixed("include", include, &desired.include, WHY);
        it.fixed(
            "nulls not distinct",
            nulls_not_distinct,
            &desired.nulls_not_distinct,
            WHY,
        );
        it.fixed("predicate", predicate, &desired.predicate, WHY);
        it.fixed(
            "valid",
            valid,
            &desired.valid,
            "its build failed, so it has to be built again",
        );
        if it.field("storage parameters", options, &desired.options)
            && (*partitioned || desired.partitioned)
        {
            it.replace_because("PostgreSQL cannot alter the parameters of a partitioned index");
        }
        if let (Some(current), Some(desired)) = (statistics, &desired.statistics) {
            it.field("statistics targets", current, desired);
        }
        it
    }

    fn summary(&self) -> String {
        let unique = if self.unique { "unique " } else { "" };
        format!(
            "{unique}index {} on {} {}",
            self.name,
            self.table,
            self.rest()
        )
    }

    fn address(key: &Key) -> String {
        format!("INDEX {}", key.qualified().sibling(key.own_name().clone()))
    }

    fn create(&self, ctx: &Context<'_>, acc: &mut Script) {
        let unique = if self.unique { "UNIQUE " } else { "" };
        let sql = format!(
            "CREATE {unique}INDEX {} ON {} {}",
            self.name,
            self.table,
            self.rest()
        );
        let statement = acc.push(Lock::Share, sql);
        if on_live_table(ctx, &self.table) {
            statement.warn(
                Hazard::BlocksWrites,
                format!("writes to {} wait while the index is built", self.table),
            );
            if self.unique {
                statement.warn(Hazard::MayFail, "fails if two rows are equal");
            }
        }
        self.write_targets(&BTreeMap::new(), acc);
    }

    fn as_created(&self) -> Option<Self> {
        (!self.valid).then(|| Self {
            valid: true,
            ..self.clone()
        })
    }

    fn alter(current: &Self, desired: &Self, _ctx: &Context<'_>, acc: &mut Script) {
        for clause in current.options.changes(&desired.options) {
            acc.push(
                Lock::ShareUpdateExclusive,
                format!("ALTER INDEX {} {clause}", desired.qualified()),
            );
        }
        if let Some(was) = &current.statistics {
            desired.write_targets(was, acc);
        }
    }

    fn drop(&self, _ctx: &Context<'_>, acc: &mut Script) {
        acc.push(
            Lock::AccessExclusive,
            format!("DROP INDEX {}", self.qualified()),
        );
    }

    fn rename(current: &Self, desired: &Self, acc: &mut Script) {
        let sql = format!(
            "ALTER INDEX {} RENAME TO {}",
            current.qualified(),
            desired.name
        );
        acc.push(Lock::ShareUpdateExclusive, sql);
    }

    fn with_key(&self, key: &Key) -> Self {
        Self {
            table: key.qualified(),
            name: key.own_name().clone(),
            ..self.clone()
        }
    }

    fn names(&mut self, visit: &mut NameVisitor<'_>) {
        Element::names(&mut self.elements, &self.table, visit);
        named::columns(&self.table, &mut self.include, visit);
        visit(Named::Part(KindTag::Index, &mut self.table, &mut self.name));
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::relation(self.qualified())]
    }

    fn react(&self, event: Event) -> Reaction {
        match event {
            // PostgreSQL builds the index anew from its text, which leaves out a collation that the expression has.
            Event::Retyped if self.collates_expressions() => Reaction::Rebuild,
            Event::Retyped | Event::Redefined => Reaction::Keep,
            // PostgreSQL rebuilds plain indexes itself; expressions name the old self of the type.
            Event::Converted if !self.has_expressions() => Reaction::Keep,
            _ => Reaction::Rebuild,
        }
    }

    fn expressions(&mut self) -> Vec<ExprSlot<'_>> {
        let elements = self.elements.iter_mut().filter_map(Element::slot);
        elements
            .chain(self.predicate.as_mut().map(|expr| ExprSlot {
                role: Role::Condition,
                expr,
            }))
            .collect()
    }
}

/// Statistics targets from texts of a column's number and its target.
fn targets(texts: &[String]) -> BTreeMap<i64, i64> {
    let pair = |it: &String| {
        let (column, target) = it.split_once(' ')?;
        Some((column.parse().ok()?, target.parse().ok()?))
    };
    texts.iter().filter_map(pair).collect()
}

impl Index {
    fn take(&mut self, decoded: Decoded) {
        match decoded {
            Decoded::Element(element) => {
                // Most indexes have one element, where a list that grows by itself makes room for four.
                self.elements.reserve_exact(1);
                self.elements.push(element);
            }
            Decoded::Include(column) => self.include.push(column),
        }
    }
}
