//! A pair of states on a server: upgrade makes the one of the other, downgrade brings it back, and `pg_dump` says so.

use std::fmt::Write as _;
use std::path::Path;

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, compare_desired, read_facts};
use limbeck_plan::{Migration, Plan};
use limbeck_schema::{Desired, Scope};
use limbeck_testkit::{TestDb, dump_objects, pg_dump};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The scripts of two states.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Builds the old state in an empty database.
    pub old: String,
    /// Builds the new state in an empty database.
    pub new: String,
    /// Puts rows into the old state.
    pub seed: Option<String>,
}

/// Why a pair does not hold.
#[derive(Debug)]
pub enum Failure {
    /// The server refused a script of the pair itself.
    Setup(String),
    /// What was planned or compared is wrong, and how.
    Broken(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setup(it) => write!(f, "setup: {it}"),
            Self::Broken(it) => f.write_str(it),
        }
    }
}

impl From<String> for Failure {
    fn from(it: String) -> Self {
        Self::Broken(it)
    }
}

/// The oldest major version that knows what a pair is about, from an ending of its folder's name such as `-pg17`; 0
/// where every version does.
pub fn oldest(dir: &Path) -> u32 {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once("-pg")
        .and_then(|(_, major)| major.parse().ok())
        .unwrap_or(0)
}

/// The major version of the server that a database is on.
///
/// # Errors
/// If it cannot be asked.
pub async fn server_major(db: &TestDb) -> Result<u32> {
    let mut conn = db.connect().await.map_err(text)?;
    Ok(read(&mut conn).await?.version / 10_000)
}

type Result<T> = std::result::Result<T, Failure>;

fn text(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(error.to_string())
}

async fn load(db: &TestDb, script: &str, sql: &str) -> Result<()> {
    let mut conn = db.connect().await.map_err(text)?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .map_err(|it| Failure::Setup(format!("{script}: {it}")))?;
    conn.close().await.map_err(text)
}

async fn read(conn: &mut PgConnection) -> Result<Catalog> {
    Catalog::read(conn, &ReadOptions::default())
        .await
        .map_err(text)
}

async fn run(conn: &mut PgConnection, plan: &Plan) -> Result<()> {
    for segment in &plan.segments {
        let mut tx = conn.begin().await.map_err(text)?;
        for statement in segment.steps.iter().flat_map(|it| &it.statements) {
            sqlx::raw_sql(AssertSqlSafe(statement.sql.clone()))
                .execute(&mut *tx)
                .await
                .map_err(|it| format!("{it}\n  in {}\n  of\n{}", statement.sql, script(plan)))?;
        }
        tx.commit().await.map_err(text)?;
    }
    Ok(())
}

fn script(plan: &Plan) -> String {
    plan.segments
        .iter()
        .map(|it| it.render())
        .collect::<Vec<_>>()
        .join("-- segment\n")
}

fn same(what: &str, got: &str, expected: &str, plan: &Plan) -> Result<()> {
    let (got, expected) = (dump_objects(got), dump_objects(expected));
    if got == expected {
        return Ok(());
    }
    let mut acc = format!("{what}: the dumps differ\n");
    for it in got.iter().filter(|it| !expected.contains(it)) {
        let _ = writeln!(acc, "  - {it}");
    }
    for it in expected.iter().filter(|it| !got.contains(it)) {
        let _ = writeln!(acc, "  + {it}");
    }
    Err(Failure::Broken(format!("{acc}\n{}", script(plan))))
}

async fn compare(conn: &mut PgConnection, desired: &Catalog) -> Result<Migration> {
    let desired = Desired {
        schema: desired.schema.clone(),
        scope: Scope::everything(),
        ..Desired::default()
    };
    let mut it = compare_desired(conn, desired, &CompareOptions::default())
        .await
        .map_err(text)?;
    it.desired.facts = read_facts(conn, &it.catalog, &it.desired, &it.ops)
        .await
        .map_err(text)?;
    limbeck_plan::migration(&it.catalog.schema, &it.desired, it.catalog.version).map_err(text)
}

/// Makes a database as empty as a new one, which would take longer to create.
const RESET: &str = "DO $$ DECLARE s name; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND \
                     nspname <> 'information_schema' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; END $$; \
                     CREATE SCHEMA public; COMMENT ON SCHEMA public IS 'standard public schema'";

async fn reset(db: &TestDb) -> Result<()> {
    let mut conn = db.connect().await.map_err(text)?;
    sqlx::raw_sql(RESET)
        .execute(&mut conn)
        .await
        .map(drop)
        .map_err(text)
}

/// `pg_dump` of a database, without holding up what else there is to do.
async fn dump(db: &TestDb) -> Result<String> {
    let url = db.url().to_owned();
    tokio::task::spawn_blocking(move || pg_dump(&url))
        .await
        .map_err(text)?
        .map_err(text)
}

/// Tries a pair in two databases, which it empties first. Where both dumps are equal, the comparison has to be empty.
///
/// # Errors
/// [`Failure::Setup`] when the server refuses a script, [`Failure::Broken`] with what is wrong, the SQL that was planned,
/// and for unequal dumps what is there (`-`) and what should be (`+`).
pub async fn holds(old: &TestDb, new: &TestDb, pair: &Pair) -> Result<()> {
    let old_side = async {
        reset(old).await?;
        load(old, "old.sql", &pair.old).await?;
        if let Some(seed) = &pair.seed {
            load(old, "seed.sql", seed).await?;
        }
        dump(old).await
    };
    let new_side = async {
        reset(new).await?;
        load(new, "new.sql", &pair.new).await?;
        let target = read(&mut new.connect().await.map_err(text)?).await?;
        Ok::<_, Failure>((dump(new).await?, target))
    };
    // Both are awaited to their ends, since the server does not stop where a side is given up.
    let (before, (after, target)) = match tokio::join!(old_side, new_side) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(it), _) | (_, Err(it)) => return Err(it),
    };
    let mut conn = old.connect().await.map_err(text)?;
    let migration = compare(&mut conn, &target).await?;
    if dump_objects(&before) == dump_objects(&after) {
        return if migration.ops.is_empty() {
            Ok(())
        } else {
            Err(Failure::Broken(format!("false drift: {:?}", migration.ops)))
        };
    }
    if migration.ops.is_empty() {
        return Err(Failure::Broken("the difference was missed".into()));
    }
    run(&mut conn, &migration.upgrade).await?;
    same("upgrade", &dump(old).await?, &after, &migration.upgrade)?;
    let again = compare(&mut conn, &target).await?;
    if !again.ops.is_empty() {
        return Err(Failure::Broken(format!(
            "differences are left: {}",
            script(&again.upgrade)
        )));
    }
    run(&mut conn, &migration.downgrade).await?;
    same(
        "downgrade",
        &dump(old).await?,
        &before,
        &migration.downgrade,
    )
}

/// Loads one script into both databases and requires that nothing differs.
///
/// # Errors
/// As [`holds`].
pub async fn is_itself(old: &TestDb, new: &TestDb, sql: &str) -> Result<()> {
    let both = Pair {
        old: sql.to_owned(),
        new: sql.to_owned(),
        seed: None,
    };
    holds(old, new, &both).await
}
