//! What a database holds before and after a revision: the rows of its tables and the places of its sequences.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_catalog::own_rows;
use limbeck_schema::{Ident, Name, own_sql};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::row_security::Excepted;

/// How many tables are read by one statement.
const TABLES_AT_ONCE: usize = 100;

/// The columns of users' tables, each with its type. Where that is a type of users' too, a digest of all such types goes
/// with it: one that keeps its name and changes its labels or attributes may print its values otherwise. Generated
/// columns follow from others.
const COLUMNS: &str = "WITH types AS (SELECT md5(concat((SELECT string_agg(format('%s %s', e.enumtypid::regtype, e.enumlabel), \
     ' ' ORDER BY e.enumtypid::regtype::text, e.enumsortorder) FROM pg_enum e), (SELECT string_agg(format('%s %s %s', \
     c.oid::regclass, f.attname, format_type(f.atttypid, f.atttypmod)), ' ' ORDER BY c.oid::regclass::text, f.attnum) FROM \
     pg_class c JOIN pg_attribute f ON f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped WHERE c.relkind = 'c'), (SELECT \
     string_agg(format('%s %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod)), ' ' ORDER BY t.oid::regtype::text) FROM \
     pg_type t WHERE t.typtype = 'd' AND t.oid >= 16384))) AS digest) SELECT c.oid::int8, n.nspname::text, c.relname::text, \
     quote_ident(a.attname), concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.atttypid >= 16384 THEN types.digest \
     END), current_schema()::text FROM types, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON \
     a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' WHERE c.relkind = 'r' AND n.nspname !~ \
     '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass \
     AND e.objid = c.oid AND e.deptype = 'e') AND {prints} ORDER BY c.oid, a.attnum";

const SEQUENCES: &str = "SELECT schemaname::text, sequencename::text, last_value, increment_by < 0, current_schema()::text FROM \
     pg_sequences WHERE schemaname !~ '^pg_' AND {prints}";

/// What a database holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    tables: BTreeMap<i64, Rows>,
    /// The last values by name, none where none was taken yet, and whether the sequence descends.
    sequences: BTreeMap<Name, (Option<i64>, bool)>,
}

/// A table's rows.
#[derive(Clone, Debug)]
struct Rows {
    name: Name,
    /// For statements.
    quoted: String,
    columns: Vec<(String, String)>,
    rows: Vec<Vec<Option<String>>>,
}

/// Something that was there and is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The table or sequence.
    pub(crate) name: Name,
    pub(crate) kind: LossKind,
    /// What is lost, as a sentence without an end.
    pub(crate) line: String,
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossKind {
    Rows,
    Values,
    Place,
}

impl Holding {
    /// Reads everything that tables other than Limbeck's own hold.
    pub(crate) async fn read(
        conn: &mut PgConnection,
        own_tables: &[Name],
    ) -> Result<Self, sqlx::Error> {
        let mut acc = Self::default();
        for row in own_rows(conn, &COLUMNS.replace("{prints}", own_sql::PRINTS)).await? {
            let name = name(row.try_get(1)?, row.try_get(2)?, row.try_get(5)?);
            let (schema, bare): (String, String) = (row.try_get(1)?, row.try_get(2)?);
            let full = Name::qualified(Some(Ident::from(schema)), Ident::from(bare));
            if own_tables.iter().any(|it| *it == name || *it == full) {
                continue;
            }
            let table = acc.tables.entry(row.try_get(0)?).or_insert_with(|| Rows {
                name,
                quoted: full.to_string(),
                columns: Vec::new(),
                rows: Vec::new(),
            });
            if let Some(column) = row.try_get(3)? {
                table.columns.push((column, row.try_get(4)?));
            }
        }
        let excepted = Excepted::begin(conn).await?;
        acc.read_rows(conn).await?;
        excepted.end(conn).await?;
        for row in own_rows(conn, &SEQUENCES.replace("{prints}", own_sql::PRINTS)).await? {
            let name = name(row.try_get(0)?, row.try_get(1)?, row.try_get(4)?);
            acc.sequences
                .insert(name, (row.try_get(2)?, row.try_get(3)?));
        }
        Ok(acc)
    }

    async fn read_rows(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let oids: Vec<i64> = self.tables.keys().copied().collect();
        for some in oids.chunks(TABLES_AT_ONCE) {
            let selects: Vec<String> = some
                .iter()
                .filter_map(|oid| {
                    let Rows {
                        quoted, columns, ..
                    } = self.tables.get(oid)?;
                    let texts: Vec<String> = columns
                        .iter()
                        .map(|(it, _)| format!("{it}::pg_catalog.text"))
                        .collect();
                    Some(format!(
                        "SELECT {oid}::pg_catalog.int8, ARRAY[{}]::pg_catalog.text[] FROM ONLY {quoted}",
                        texts.join(", ")
                    ))
                })
                .collect();
            for row in fetch(conn, &selects.join(" UNION ALL ")).await? {
                if let Some(table) = self.tables.get_mut(&row.try_get(0)?) {
                    table.rows.push(row.try_get(1)?);
                }
            }
        }
        Ok(())
    }

    /// The tables with rows, by object id.
    pub(crate) fn filled(&self) -> BTreeSet<i64> {
        let filled = self.tables.iter().filter(|(_, it)| !it.rows.is_empty());
        filled.map(|(oid, _)| *oid).collect()
    }

    /// What first differs between two databases that ought to hold the same, the columns of their tables in the same order
    /// included.
    pub(crate) fn unlike(&self, other: &Self) -> Option<String> {
        let named = |it: &Self| -> BTreeMap<Name, Rows> {
            let tables = it.tables.values().cloned();
            tables.map(|it| (it.name.clone(), it)).collect()
        };
        let (tables, others) = (named(self), named(other));
        for (name, rows) in &tables {
            let Some(other) = others.get(name) else {
                return Some(format!("{name} is in one of both only"));
            };
            if rows.columns != other.columns {
                return Some(format!(
                    "the columns of {name} are others, or in another order"
                ));
            }
            let sorted = |it: &Rows| {
                let mut rows = it.rows.clone();
                rows.sort();
                rows
            };
            if sorted(rows) != sorted(other) {
                return Some(format!("the rows of {name} are others"));
            }
        }
        if let Some(name) = others.keys().find(|it| !tables.contains_key(*it)) {
            return Some(format!("{name} is in one of both only"));
        }
        (self.sequences != other.sequences).then(|| "a sequence stands elsewhere".to_owned())
    }

    /// What of this is missing from what the database holds `now`: rows and values of tables that are still there, and
    /// places of sequences. Tables that were emptied on purpose have nothing to lose.
    pub(crate) fn losses(&self, now: &Self, emptied: &BTreeSet<i64>) -> Vec<Loss> {
        let mut acc = Vec::new();
        for (oid, was) in &self.tables {
            let by_name = || now.tables.values().find(|it| it.name == was.name);
            let Some(is) = now.tables.get(oid).or_else(by_name) else {
                continue;
            };
            if was.rows.is_empty() || emptied.contains(oid) {
                continue;
            }
            if is.rows.len() < was.rows.len() {
                acc.push(Loss {
                    name: is.name.clone(),
                    kind: LossKind::Rows,
                    line: format!(
                        "{} keeps {} of {} rows",
                        is.name,
                        is.rows.len(),
                        was.rows.len()
                    ),
                });
                continue;
            }
            acc.extend(lost_values(was, is));
        }
        for (name, (was, descends)) in &self.sequences {
            let (Some(was), Some((is, _))) = (was, now.sequences.get(name)) else {
                continue;
            };
            let goes_on = is.is_some_and(|is| if *descends { is <= *was } else { is >= *was });
            if !goes_on {
                acc.push(Loss {
                    name: name.clone(),
                    kind: LossKind::Place,
                    line: format!("sequence {name} begins anew"),
                });
            }
        }
        acc
    }
}

/// Columns that are in both states and have lost values.
fn lost_values(was: &Rows, is: &Rows) -> Vec<Loss> {
    let mut acc = Vec::new();
    for (place, (column, ty)) in was.columns.iter().enumerate() {
        let Some(now_at) = is.columns.iter().position(|(it, _)| it == column) else {
            continue;
        };
        let count = |rows: &Rows, at: usize| {
            let mut acc: BTreeMap<Option<String>, usize> = BTreeMap::new();
            for row in &rows.rows {
                *acc.entry(row.get(at).cloned().flatten()).or_default() += 1;
            }
            acc
        };
        let (before, after) = (count(was, place), count(is, now_at));
        let n_values = |counts: &BTreeMap<Option<String>, usize>| -> usize {
            let values = counts.iter().filter(|(it, _)| it.is_some());
            values.map(|(_, n)| n).sum()
        };
        let kept = before
            .iter()
            .all(|(value, n)| after.get(value).is_some_and(|it| it >= n));
        let how = if n_values(&after) < n_values(&before) {
            "loses"
        } else if is.columns[now_at].1 == *ty && !kept {
            "changes"
        } else {
            continue;
        };
        acc.push(Loss {
            name: is.name.clone(),
            kind: LossKind::Values,
            line: format!("{}.{column} {how} values", is.name),
        });
    }
    acc
}

/// The statement that empties tables, and with them those that refer to them.
pub(crate) fn truncation(holding: &Holding) -> String {
    let names: Vec<&str> = holding
        .tables
        .values()
        .map(|it| it.quoted.as_str())
        .collect();
    if names.is_empty() {
        return "SELECT 1".to_owned();
    }
    format!("TRUNCATE {} CASCADE", names.join(", "))
}

fn name(schema: String, bare: String, default: Option<String>) -> Name {
    let schema = (default.as_ref() != Some(&schema)).then(|| Ident::from(schema));
    Name::qualified(schema, Ident::from(bare))
}

async fn fetch(
    conn: &mut PgConnection,
    sql: &str,
) -> Result<Vec<sqlx::postgres::PgRow>, sqlx::Error> {
    if sql.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .persistent(false)
        .fetch_all(conn)
        .await
}
