//! What a database holds that no kind stands for yet: named, so that nothing is passed over in silence.

use std::collections::BTreeMap;

use limbeck_schema::{Ident, own_sql};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::CatalogError;
use crate::read::Patience;

mod statement;

/// Objects by what they are and what they are called (`view`, `public.v`), each with its definition as a text that is
/// only good for telling whether two are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmanaged {
    /// The objects.
    pub objects: BTreeMap<(String, String), String>,
    /// The extensions among them, in the order in which they were created.
    pub extensions: Vec<Extension>,
    /// Each partition with every table above it, `public.t1` with `public.t`.
    pub partitions: Vec<(String, String)>,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: Ident,
    /// The schema that holds its objects.
    pub schema: Ident,
}

/// What is said of an object that another side may leave unsaid: SQL without `OWNER TO` gives everything to whoever runs
/// it, and speaks of no owner. Beginnings of words.
const OPTIONAL: &[&str] = &["owner of ", "setting of the database", "comment on the"];

/// What is no object that a statement could refer to. Beginnings of words.
const FACTS: &[&str] = &[
    "access method of",
    "clustered index",
    "comment on",
    "default privileges",
    "extension",
    "grants on",
    "owner of ",
    "replica identity",
    "row security",
    "security label on",
    "setting of the database",
    "statistics targets of",
    "switched-off triggers of",
    "storage parameters of",
    "tablespace of",
];

fn begins_with(word: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|it| word.starts_with(it))
}

impl Unmanaged {
    /// Reads what no kind stands for, in one statement, and the extensions in another.
    ///
    /// # Errors
    /// [`CatalogError::Query`].
    pub async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        let mut patience = Patience::default();
        loop {
            match Self::read_once(conn).await {
                Err(error) if error.is_disturbance() => patience.wait(error).await?,
                done => return done,
            }
        }
    }

    async fn read_once(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        let failed = |source| CatalogError::Query {
            what: "objects that are not managed",
            source,
        };
        // Nothing else is searched, so that every name is printed with its schema.
        let settings = own_sql::read_settings(own_sql::PATH);
        let begin = AssertSqlSafe(format!("BEGIN READ ONLY; {settings}"));
        let mut tx = conn.begin_with(begin).await.map_err(failed)?;
        const VERSION: &str = "SELECT current_setting('server_version_num')::int4";
        let version: i32 = sqlx::query_scalar(VERSION)
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        let statement = statement::statement(u32::try_from(version).unwrap_or_default());
        let query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
        let rows = query.fetch_all(&mut *tx).await.map_err(failed)?;
        let extensions = Extension::read(&mut tx).await.map_err(failed)?;
        let partitions = partitions(&mut tx).await.map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        let mut objects = BTreeMap::new();
        for row in rows {
            let definition: Option<String> = row.try_get(2).map_err(failed)?;
            let key = (
                row.try_get(0).map_err(failed)?,
                row.try_get(1).map_err(failed)?,
            );
            objects.insert(key, definition.unwrap_or_default());
        }
        Ok(Self {
            objects,
            extensions,
            partitions,
        })
    }

    /// The relation that has a name, `partition public.t1`, if one has.
    #[must_use]
    pub fn relation(&self, schema: &Ident, name: &Ident) -> Option<String> {
        const WORDS: &[&str] = &["view", "materialized view", "foreign table", "partition"];
        let identity = format!("{schema}.{name}");
        let mut words = WORDS.iter().map(|it| ((*it).to_owned(), identity.clone()));
        let (word, name) = words.find(|it| self.objects.contains_key(it))?;
        Some(format!("{word} {name}"))
    }

    /// Whether there is something that a statement could refer to, beside extensions.
    #[must_use]
    pub fn has_objects(&self) -> bool {
        self.objects
            .keys()
            .any(|(word, _)| !begins_with(word, FACTS))
    }

    /// The objects that a statement could refer to, as lines.
    #[must_use]
    pub fn object_lines(&self) -> Vec<String> {
        self.grouped(|word| !begins_with(word, FACTS))
    }

    /// The objects as lines: what they are, then their names.
    pub fn lines(&self) -> Vec<String> {
        self.grouped(|_| true)
    }

    fn grouped(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut acc: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let keys = self.objects.keys().filter(|(word, _)| wanted(word));
        keys.for_each(|(word, name)| acc.entry(word).or_default().push(name));
        acc.into_iter()
            .map(|(word, names)| format!("{word} {}", names.join(", ")))
            .collect()
    }

    /// What differs between two states, a line each. An owner is told where the desired state names one.
    pub fn differences(current: &Self, desired: &Self) -> Vec<String> {
        let mut acc = Vec::new();
        for (key, definition) in &current.objects {
            match desired.objects.get(key) {
                None if begins_with(&key.0, OPTIONAL) => {}
                None => acc.push((key, "is not desired")),
                Some(it) if it != definition => acc.push((key, "is defined otherwise")),
                Some(_) => {}
            }
        }
        acc.extend(
            desired
                .objects
                .keys()
                .filter(|it| !current.objects.contains_key(*it))
                .map(|it| (it, "is missing")),
        );
        acc.sort();
        acc.into_iter()
            .map(|((word, name), how)| format!("{word} {name} {how}"))
            .collect()
    }
}

impl Extension {
    async fn read(conn: &mut PgConnection) -> Result<Vec<Self>, sqlx::Error> {
        const SQL: &str = "SELECT e.extname::text, n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = \
                           e.extnamespace WHERE e.extname <> 'plpgsql' ORDER BY e.oid";
        let rows = sqlx::query(SQL).persistent(false).fetch_all(conn).await?;
        let read = |row: &sqlx::postgres::PgRow| {
            let (name, schema): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Self {
                name: Ident::from(name),
                schema: Ident::from(schema),
            })
        };
        rows.iter().map(read).collect()
    }
}

/// The partitions of tables, each with every table above it: `public.t1` and `public.t`.
async fn partitions(conn: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    const SQL: &str = "SELECT format('%I.%I', m.nspname, p.relname), format('%I.%I', n.nspname, a.relname) FROM pg_class p JOIN \
                       pg_namespace m ON m.oid = p.relnamespace CROSS JOIN LATERAL pg_partition_ancestors(p.oid) u(relid) JOIN pg_class \
                       a ON a.oid = u.relid JOIN pg_namespace n ON n.oid = a.relnamespace WHERE p.relispartition AND p.relkind IN ('r', \
                       'p', 'f') AND a.oid <> p.oid ORDER BY 1, 2";
    let rows = conn.fetch_all(sqlx::raw_sql(SQL)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}
