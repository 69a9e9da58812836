//! What a row has to satisfy: tables with their columns and constraints, and the types of the columns.

use std::collections::BTreeMap;

use limbeck_catalog::own_rows;
use limbeck_schema::{Ident, Name, own_sql};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::narrow::narrow;

/// Everything about tables that decides whether a row fits.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The tables, by the object id of each.
    pub(super) tables: BTreeMap<i64, Table>,
    /// The types, by the object id of each.
    pub(super) types: BTreeMap<i64, Type>,
}

/// A table to be filled.
#[derive(Debug)]
pub(super) struct Table {
    /// The name for people, without the default schema.
    pub(super) shown: String,
    /// The name for statements, `public."Order"`.
    pub(super) name: String,
    /// The columns that a statement may give a value, in order.
    pub(super) columns: Vec<Column>,
    /// Conditions on its rows, the partition's bounds among them.
    pub(super) checks: Vec<Check>,
    /// References to other tables and to itself.
    pub(super) references: Vec<Reference>,
}

/// A column that takes values.
#[derive(Debug)]
pub(super) struct Column {
    /// `pg_attribute.attnum`.
    pub(super) number: i16,
    /// The name for statements.
    pub(super) name: String,
    /// The object id of its type.
    pub(super) ty: i64,
    /// What its values are made of, a type with its modifier (`pg_attribute.atttypmod`): its own, or those of a narrower
    /// column that refers to it.
    pub(super) made_of: (i64, i32),
    /// The type as PostgreSQL prints it, `character varying(9)`.
    pub(super) type_text: String,
    /// Whether it takes NULL.
    pub(super) nullable: bool,
    /// Whether a key, a unique index or an exclusion wants its values to differ.
    pub(super) distinct: bool,
}

/// A condition that rows satisfy.
#[derive(Debug)]
pub(super) struct Check {
    /// The columns it mentions; none where one of them takes no values.
    pub(super) columns: Option<Vec<i16>>,
    /// The condition as `pg_get_expr` prints it.
    pub(super) expression: String,
}

/// A foreign key.
#[derive(Debug)]
pub(super) struct Reference {
    /// The columns that refer.
    pub(super) columns: Vec<i16>,
    /// The object id of the table that they refer to.
    pub(super) table: i64,
    /// The columns there.
    pub(super) targets: Vec<i16>,
    /// Whether one NULL asks for all to be NULL (`MATCH FULL`).
    pub(super) full: bool,
}

/// A type of `pg_type`.
#[derive(Debug)]
pub(super) struct Type {
    /// The name for casts, `pg_catalog.int4`.
    pub(super) name: String,
    /// The bare name, `int4`.
    pub(super) bare: String,
    /// What it is made of.
    pub(super) form: Form,
}

/// What a type is made of, with the object ids and modifiers of the parts.
#[derive(Debug)]
pub(super) enum Form {
    Base,
    Enum(Vec<String>),
    Array(i64),
    Range(i64),
    Multirange(i64),
    Composite(Vec<(i64, i32)>),
    Domain {
        base: i64,
        modifier: i32,
        checks: Vec<String>,
    },
}

/// The tables of users, whose rows are theirs to fill: neither PostgreSQL's own nor an extension's, with their columns.
/// Partitioned tables are filled through their partitions.
const COLUMNS: &str = "SELECT c.oid::int8, n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname), \
     coalesce(a.attnum, 0::int2), quote_ident(a.attname), coalesce(a.atttypid::int8, 0), coalesce(a.atttypmod, -1), \
     coalesce(format_type(a.atttypid, a.atttypmod), ''), coalesce(a.attnotnull, false), coalesce(a.attgenerated <> '', false), \
     CASE WHEN c.relispartition THEN pg_get_partition_constraintdef(c.oid) END, current_schema()::text FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT \
     a.attisdropped WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT \
     FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e') AND {prints} ORDER BY c.oid, \
     a.attnum";

/// Constraints, and unique indexes beside them. Columns of the number 0 are expressions.
const CONSTRAINTS: &str = "SELECT k.conrelid::int8, k.contype::text, coalesce(k.conkey, '{}'), k.confrelid::int8, \
     coalesce(k.confkey, '{}'), pg_get_expr(k.conbin, k.conrelid), coalesce(k.confmatchtype = 'f', false) FROM pg_constraint k \
     WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conrelid >= 16384 AND {prints} UNION ALL SELECT i.indrelid::int8, 'u', \
     string_to_array(i.indkey::text, ' ')::int2[], 0, '{}', NULL, false FROM pg_index i WHERE i.indisunique AND i.indrelid >= \
     16384";

/// Types that a column can have. The parts of each are texts, what they say depends on the type's kind. The multirange
/// of a range is known since PostgreSQL 14, so that the row of `pg_range` is read as JSON.
const TYPES: &str = "SELECT t.oid::int8, format('%I.%I', n.nspname, t.typname), t.typname::text, CASE WHEN t.typtype = 'b' AND \
     t.typcategory = 'A' AND t.typelem <> 0 THEN 'a' ELSE t.typtype::text END, t.typelem::int8, t.typbasetype::int8, t.typtypmod, \
     CASE t.typtype WHEN 'e' THEN ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY \
     e.enumsortorder) WHEN 'd' THEN ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint k WHERE k.contypid = t.oid AND \
     k.contype = 'c' ORDER BY k.conname) WHEN 'c' THEN ARRAY(SELECT a.atttypid::int8 || ' ' || a.atttypmod FROM pg_attribute a \
     WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) WHEN 'r' THEN ARRAY(SELECT \
     r.rngsubtype::int8::text FROM pg_range r WHERE r.rngtypid = t.oid) WHEN 'm' THEN ARRAY(SELECT r.rngtypid::int8::text FROM \
     pg_range r WHERE to_jsonb(r)->>'rngmultitypid' = t.oid::text) ELSE '{}'::text[] END FROM pg_type t JOIN pg_namespace n ON \
     n.oid = t.typnamespace WHERE (t.typtype IN ('b', 'd', 'e', 'r', 'm') OR t.typtype = 'c' AND n.nspname !~ '^pg_' AND \
     n.nspname <> 'information_schema') AND {prints}";

impl Facts {
    /// Reads the facts of all tables but Limbeck's own.
    pub(super) async fn read(
        conn: &mut PgConnection,
        own_tables: &[Name],
    ) -> Result<Self, sqlx::Error> {
        let mut facts = Self::default();
        let mut generated = Vec::new();
        for row in own(conn, COLUMNS).await? {
            facts.add_column(&row, own_tables, &mut generated)?;
        }
        for row in own(conn, CONSTRAINTS).await? {
            facts.add_constraint(&row)?;
        }
        if !facts.tables.is_empty() {
            for row in own(conn, TYPES).await? {
                let ty = Type::read(&row)?;
                facts.types.insert(row.try_get(0)?, ty);
            }
        }
        narrow(&mut facts);
        Ok(facts)
    }

    fn add_column(
        &mut self,
        row: &PgRow,
        own_tables: &[Name],
        generated: &mut Vec<(i64, i16)>,
    ) -> Result<(), sqlx::Error> {
        let oid: i64 = row.try_get(0)?;
        let (schema, bare): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let default: Option<String> = row.try_get(12)?;
        let in_default = default.as_deref() == Some(schema.as_str());
        let shown = Name {
            schema: (!in_default).then(|| Ident::from(schema.as_str())),
            name: Ident::from(bare.as_str()),
        };
        let full = Name {
            schema: Some(Ident::from(schema.as_str())),
            name: Ident::from(bare.as_str()),
        };
        if own_tables.iter().any(|it| *it == shown || *it == full) {
            return Ok(());
        }
        let bounds: Option<String> = row.try_get(11)?;
        let name: String = row.try_get(3)?;
        let table = self.tables.entry(oid).or_insert_with(|| Table {
            shown: shown.to_string(),
            name,
            columns: Vec::new(),
            checks: bounds
                .into_iter()
                .map(|expression| Check {
                    columns: None,
                    expression,
                })
                .collect(),
            references: Vec::new(),
        });
        let number: i16 = row.try_get(4)?;
        if number == 0 {
            return Ok(());
        }
        if row.try_get(10)? {
            generated.push((oid, number));
            return Ok(());
        }
        let not_null: bool = row.try_get(9)?;
        table.columns.push(Column {
            number,
            name: row.try_get(5)?,
            ty: row.try_get(6)?,
            made_of: (row.try_get(6)?, row.try_get(7)?),
            type_text: row.try_get(8)?,
            nullable: !not_null,
            distinct: false,
        });
        Ok(())
    }

    fn add_constraint(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let oid: i64 = row.try_get(0)?;
        let Some(table) = self.tables.get_mut(&oid) else {
            return Ok(());
        };
        let kind: String = row.try_get(1)?;
        let columns: Vec<i16> = row.try_get(2)?;
        match kind.as_str() {
            "c" => {
                let takes_values = columns
                    .iter()
                    .all(|it| table.columns.iter().any(|column| column.number == *it));
                table.checks.push(Check {
                    columns: takes_values.then_some(columns),
                    expression: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
                });
            }
            "f" => table.references.push(Reference {
                columns,
                table: row.try_get(3)?,
                targets: row.try_get(4)?,
                full: row.try_get(6)?,
            }),
            _ => {
                for column in &mut table.columns {
                    // What an expression is made of is not said, so every column may be part of it.
                    column.distinct |= columns.contains(&column.number) || columns.contains(&0);
                }
            }
        }
        Ok(())
    }
}

impl Table {
    /// The place of a column in the list of those that take values.
    pub(super) fn place(&self, number: i16) -> Option<usize> {
        self.columns.iter().position(|it| it.number == number)
    }

    /// Whether a reference can be left open by a NULL.
    pub(super) fn can_be_open(&self, reference: &Reference) -> bool {
        let mut nullable = reference
            .columns
            .iter()
            .map(|it| self.place(*it).is_some_and(|it| self.columns[it].nullable));
        if reference.full {
            nullable.all(|it| it)
        } else {
            nullable.any(|it| it)
        }
    }
}

impl Type {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let kind: String = row.try_get(3)?;
        let parts: Vec<Option<String>> = row.try_get(7)?;
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let number =
            |text: Option<&String>| text.and_then(|it| it.parse().ok()).unwrap_or_default();
        let form = match kind.as_str() {
            "a" => Form::Array(row.try_get(4)?),
            "e" => Form::Enum(parts),
            "r" => Form::Range(number(parts.first())),
            "m" => Form::Multirange(number(parts.first())),
            "c" => {
                let field = |text: &String| {
                    let (ty, modifier) = text.split_once(' ')?;
                    Some((ty.parse().ok()?, modifier.parse().ok()?))
                };
                Form::Composite(parts.iter().filter_map(field).collect())
            }
            "d" => Form::Domain {
                base: row.try_get(5)?,
                modifier: row.try_get(6)?,
                checks: parts,
            },
            _ => Form::Base,
        };
        Ok(Self {
            name: row.try_get(1)?,
            bare: row.try_get(2)?,
            form,
        })
    }
}

/// The rows of a statement about the catalog.
async fn own(conn: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    own_rows(conn, &sql.replace("{prints}", own_sql::PRINTS)).await
}

/// The rows of a query that has text of tables and their constraints in it, which is read under the session's settings.
pub(super) async fn rows(conn: &mut PgConnection, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .persistent(false)
        .fetch_all(conn)
        .await
}
