//! Rows for a database that has none: a few in every table, that satisfy its constraints, with NULLs where they are
//! allowed and with equal values where nothing forbids them.
//!
//! PostgreSQL alone judges whether a row fits: it is inserted, and what is refused is tried with other values. Tables are
//! filled after those that they refer to.

mod facts;
mod hints;
mod narrow;
mod rows;
mod search;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::{Name, own_sql};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use self::facts::{Facts, Form, Reference};
use self::search::served;
use self::values::Values;
use crate::row_security::Excepted;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seeded {
    /// How many tables hold rows now.
    pub(crate) n_tables: usize,
    /// The tables that hold none, each with the reason.
    pub(crate) empty: Vec<(String, String)>,
}

/// A row that is in the database: expressions by the numbers of columns.
type Known = BTreeMap<i16, String>;

/// Fills the tables of one database.
struct Seeder<'c> {
    conn: &'c mut PgConnection,
    facts: Facts,
    values: Values,
    /// Rows of the tables that are done; tables that could not be filled have none.
    known: BTreeMap<i64, Vec<Known>>,
    seeded: Seeded,
}

/// Puts a few rows into every table but Limbeck's own, and moves every sequence once.
///
/// # Errors
/// The driver's, if the connection is lost. A table that the server lets no row into is named in the outcome.
pub(crate) async fn seed(
    conn: &mut PgConnection,
    own_tables: &[Name],
) -> Result<Seeded, sqlx::Error> {
    let facts = Facts::read(&mut *conn, own_tables).await?;
    let mut values = Values::default();
    let used = used_types(&facts);
    search::solve_domains(&mut *conn, &facts, &used, &mut values).await?;
    let excepted = Excepted::begin(&mut *conn).await?;
    let mut seeder = Seeder {
        conn: &mut *conn,
        facts,
        values,
        known: BTreeMap::new(),
        seeded: Seeded::default(),
    };
    seeder.fill_all().await?;
    seeder.move_sequences().await?;
    let mut seeded = seeder.seeded;
    seeded.empty.sort();
    excepted.end(conn).await?;
    Ok(seeded)
}

/// The types of columns with all that they are made of.
fn used_types(facts: &Facts) -> BTreeSet<i64> {
    let mut acc = BTreeSet::new();
    let columns = facts.tables.values().flat_map(|it| &it.columns);
    let mut open: Vec<i64> = columns.map(|it| it.ty).collect();
    while let Some(oid) = open.pop() {
        let Some(ty) = facts.types.get(&oid).filter(|_| acc.insert(oid)) else {
            continue;
        };
        match &ty.form {
            Form::Array(it) | Form::Range(it) | Form::Multirange(it) => open.push(*it),
            Form::Domain { base, .. } => open.push(*base),
            Form::Composite(fields) => open.extend(fields.iter().map(|(it, _)| *it)),
            Form::Base | Form::Enum(_) => {}
        }
    }
    acc
}

impl Seeder<'_> {
    /// Fills tables in the order of their references. Where tables refer to each other in a circle, one goes first that
    /// can leave its references open; where none can, the rows of the circle go in with one statement, at whose end the
    /// references are checked.
    async fn fill_all(&mut self) -> Result<(), sqlx::Error> {
        let mut waiting: BTreeSet<i64> = self.facts.tables.keys().copied().collect();
        let mut left_open = Vec::new();
        while !waiting.is_empty() {
            let ready: Vec<i64> = waiting
                .iter()
                .copied()
                .filter(|it| self.awaited(*it, &waiting).next().is_none())
                .collect();
            if !ready.is_empty() {
                for oid in ready {
                    self.fill(oid).await?;
                    waiting.remove(&oid);
                }
                continue;
            }
            let table = |it: &i64| &self.facts.tables[it];
            let first = waiting.iter().copied().find(|it| {
                self.awaited(*it, &waiting)
                    .all(|reference| table(it).can_be_open(reference))
            });
            if let Some(oid) = first {
                self.fill(oid).await?;
                waiting.remove(&oid);
                left_open.push(oid);
            } else {
                for oid in self.fill_circle(&waiting).await? {
                    waiting.remove(&oid);
                }
            }
        }
        for oid in left_open {
            self.close(oid).await?;
        }
        Ok(())
    }

    /// The references of a table to others that wait.
    fn awaited<'a>(
        &'a self,
        oid: i64,
        waiting: &'a BTreeSet<i64>,
    ) -> impl Iterator<Item = &'a Reference> {
        self.facts.tables[&oid]
            .references
            .iter()
            .filter(move |it| it.table != oid && waiting.contains(&it.table))
    }

    /// Lets one row refer to where it could not before.
    async fn close(&mut self, oid: i64) -> Result<(), sqlx::Error> {
        let table = &self.facts.tables[&oid];
        for reference in table.references.iter().filter(|it| it.table != oid) {
            let Some(parent) = self.known.get(&reference.table).and_then(|it| it.first()) else {
                continue;
            };
            let pairs = reference.columns.iter().zip(&reference.targets);
            let assignments: Option<Vec<String>> = pairs
                .map(|(column, target)| {
                    let name = &table.columns[table.place(*column)?].name;
                    Some(format!("{name} = {}", parent.get(target)?))
                })
                .collect();
            if let Some(assignments) = assignments {
                let name = &table.name;
                let sql = format!(
                    "UPDATE ONLY {name} SET {} WHERE ctid = (SELECT ctid FROM ONLY {name} LIMIT 1)",
                    assignments.join(", ")
                );
                // The row is as good with its reference open.
                served(run(self.conn, &sql).await)?;
            }
        }
        Ok(())
    }

    /// Takes a value from every sequence, so that a sequence which loses its place is noticed.
    async fn move_sequences(&mut self) -> Result<(), sqlx::Error> {
        let sql = "SELECT nextval(c.oid::regclass) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = \
                   'S' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
        served(run(self.conn, &own_sql::enclosed(sql)).await)?;
        Ok(())
    }
}

async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}
