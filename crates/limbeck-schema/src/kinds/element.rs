//! The elements of indexes and exclusion constraints, and the catalog columns that tell them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::expr::{Expr, ExprSlot, Role};
use crate::ident::{Ident, Name};
use crate::key::Key;
use crate::kinds::collation::collation_key;
use crate::kinds::constraint::mentioned_columns;
use crate::kinds::usage::mentioned_types;
use crate::kinds::{NameVisitor, Shown, named, parameters};
use crate::row::{DecodeError, Fields};
use crate::schema::Schema;

/// What an element indexes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElementKey {
    /// A column.
    Column(Ident),
    /// An expression.
    Expression(Expr),
}

/// Sort direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// `ASC`, the default.
    #[default]
    Asc,
    /// `DESC`.
    Desc,
}

/// Where nulls sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nulls {
    /// `NULLS FIRST`, the default for `DESC`.
    First,
    /// `NULLS LAST`, the default for `ASC`.
    Last,
}

/// One element of an index or exclusion constraint. Two are equal if PostgreSQL would build the same: an operator
/// class or collation that is the default anyway may be said or not.
#[derive(Clone, Debug, Serialize)]
pub struct Element {
    /// What is indexed.
    pub key: ElementKey,
    /// A collation other than the column's own.
    pub collation: Option<Name>,
    /// An operator class other than the type's default.
    pub opclass: Option<Name>,
    /// Parameters of the operator class, `siglen=32`.
    pub opclass_options: Vec<String>,
    /// Sort direction.
    pub order: Order,
    /// Where nulls sort.
    pub nulls: Nulls,
    /// What the catalog has where nothing has to be said.
    #[serde(skip)]
    pub defaults: Defaults,
}

/// The operator class and collation that an element of the catalog has by default.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    collation: Option<Name>,
    opclass: Option<Name>,
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            key,
            collation,
            opclass,
            opclass_options,
            order,
            nulls,
            defaults,
        } = self;
        let same = |a: &Option<Name>,
                    a_default: &Option<Name>,
                    b: &Option<Name>,
                    b_default: &Option<Name>| {
            a == b || (a.is_none() && b == a_default) || (b.is_none() && a == b_default)
        };
        *key == other.key
            && same(
                collation,
                &defaults.collation,
                &other.collation,
                &other.defaults.collation,
            )
            && same(
                opclass,
                &defaults.opclass,
                &other.opclass,
                &other.defaults.opclass,
            )
            && *opclass_options == other.opclass_options
            && *order == other.order
            && *nulls == other.nulls
    }
}

impl Eq for Element {}

impl Element {
    /// A column with every default.
    pub fn column(name: impl Into<Ident>) -> Self {
        Self::new(ElementKey::Column(name.into()))
    }

    /// An expression with every default.
    pub fn expression(sql: impl AsRef<str>) -> Self {
        Self::new(ElementKey::Expression(Expr::new(sql)))
    }

    fn new(key: ElementKey) -> Self {
        let (collation, opclass, opclass_options) = (None, None, Vec::new());
        let defaults = Defaults::default();
        Self {
            key,
            collation,
            opclass,
            opclass_options,
            order: Order::Asc,
            nulls: Nulls::Last,
            defaults,
        }
    }

    /// The text in `CREATE INDEX` and `EXCLUDE`.
    pub fn sql(&self) -> String {
        let mut sql = match &self.key {
            ElementKey::Column(name) => name.to_string(),
            ElementKey::Expression(expr) => expr.element(),
        };
        if let Some(collation) = &self.collation {
            sql.push_str(&format!(" COLLATE {collation}"));
        }
        match (&self.opclass, self.opclass_options.as_slice()) {
            (None, _) => {}
            (Some(opclass), []) => sql.push_str(&format!(" {opclass}")),
            (Some(opclass), options) => {
                sql.push_str(&format!(" {opclass} ({})", options.join(", ")))
            }
        }
        match (self.order, self.nulls) {
            (Order::Asc, Nulls::Last) => {}
            (Order::Asc, Nulls::First) => sql.push_str(" NULLS FIRST"),
            (Order::Desc, Nulls::First) => sql.push_str(" DESC"),
            (Order::Desc, Nulls::Last) => sql.push_str(" DESC NULLS LAST"),
        }
        sql
    }

    pub(crate) fn depends_on(&self, table: &Name, schema: &Schema, acc: &mut BTreeSet<Key>) {
        acc.extend(self.collation.as_ref().map(collation_key));
        let words = match &self.key {
            ElementKey::Column(name) => BTreeSet::from([name.clone()]),
            ElementKey::Expression(expr) => {
                let words = expr.words();
                mentioned_types(schema, table, &words, acc);
                words
            }
        };
        mentioned_columns(table, &words, acc);
    }

    /// Lends out the names in elements: columns of the table, and collations.
    pub(crate) fn names<'a>(
        elements: impl IntoIterator<Item = &'a mut Self>,
        table: &Name,
        visit: &mut NameVisitor<'_>,
    ) {
        for Self { key, collation, .. } in elements {
            if let ElementKey::Column(column) = key {
                named::columns(table, [column], visit);
            }
            named::collations(collation, visit);
        }
    }

    pub(crate) fn slot(&mut self) -> Option<ExprSlot<'_>> {
        match &mut self.key {
            ElementKey::Column(_) => None,
            ElementKey::Expression(expr) => Some(ExprSlot {
                role: Role::Value,
                expr,
            }),
        }
    }
}

impl Shown for Element {
    fn shown(&self) -> String {
        self.sql()
    }
}

/// The select list that `decode` reads, for an index `x` (`pg_index`) with one row an element.
///
/// A collation counts when it is not the column's own, and for an expression when it is neither the database's
/// default nor that of a column (`pg_get_indexdef` prints by the same rule, from the expression's own collation).
pub(crate) const COLUMNS: &str = "k.ord > x.indnkeyatts, a.attname, CASE WHEN k.att = 0 THEN pg_get_indexdef(x.indexrelid, k.ord::int, false) END, \
     k.coll <> 0 AND k.coll <> coalesce(a.attcollation, 100), nco.nspname, co.collname, \
     coalesce(NOT oc.opcdefault OR ia.attoptions IS NOT NULL, false), noc.nspname, oc.opcname, \
     coalesce(k.opt & 1 = 1, false), coalesce(k.opt & 2 = 2, false), ia.attoptions";

/// The joins that `COLUMNS` needs.
pub(crate) const JOINS: &str = "CROSS JOIN LATERAL unnest(x.indkey::int2[], x.indclass::oid[], x.indcollation::oid[], x.indoption::int2[]) \
     WITH ORDINALITY k(att, cls, coll, opt, ord) \
     LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.att AND a.attnum > 0 \
     LEFT JOIN pg_attribute ia ON ia.attrelid = x.indexrelid AND ia.attnum = k.ord AND ia.attoptions IS NOT NULL \
     LEFT JOIN pg_opclass oc ON oc.oid = k.cls LEFT JOIN pg_namespace noc ON noc.oid = oc.opcnamespace \
     LEFT JOIN pg_collation co ON co.oid = k.coll LEFT JOIN pg_namespace nco ON nco.oid = co.collnamespace";

/// One element read from the catalog, or an `INCLUDE` column.
pub(crate) enum Decoded {
    Element(Element),
    Include(Ident),
}

/// Reads the columns of `COLUMNS`.
pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Decoded, DecodeError> {
    let included = fields.boolean()?;
    let column = fields.ident_or_null()?;
    let expression = fields.text_or_null()?;
    let key = match (column, expression) {
        (Some(column), _) if included => {
            return Ok(Decoded::Include(column));
        }
        (Some(column), _) => ElementKey::Column(column),
        (None, expression) => ElementKey::Expression(Expr::new(expression.unwrap_or_default())),
    };
    let mut own_collation = fields.boolean_or_null()?.unwrap_or_default();
    let collation = fields.name_or_null()?;
    let own_opclass = fields.boolean()?;
    let opclass = fields.name_or_null()?;
    let order = if fields.boolean()? {
        Order::Desc
    } else {
        Order::Asc
    };
    let nulls = if fields.boolean()? {
        Nulls::First
    } else {
        Nulls::Last
    };
    if let ElementKey::Expression(expr) = &key {
        own_collation &= !expr.words().contains(&Ident::new("collate"));
    }
    let split = |own: bool, name: Option<Name>| if own { (name, None) } else { (None, name) };
    let (collation, default_collation) = split(own_collation, collation);
    let (opclass, default_opclass) = split(own_opclass, opclass);
    let defaults = Defaults {
        collation: default_collation,
        opclass: default_opclass,
    };
    let opclass_options = fields.options(parameters::of_indexes)?;
    Ok(Decoded::Element(Element {
        key,
        collation,
        opclass,
        opclass_options,
        order,
        nulls,
        defaults,
    }))
}

/// ` INCLUDE (…)` or nothing.
pub(crate) fn include_clause(include: &[Ident]) -> String {
    if include.is_empty() {
        String::new()
    } else {
        format!(" INCLUDE ({})", crate::List(include))
    }
}
