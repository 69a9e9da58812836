//! Before/after pairs: upgrade makes the one state of the other, downgrade brings it back, and `pg_dump` says so.
//!
//! A pair is a folder `fixtures/pairs/KIND/CASE` with `old.sql` and `new.sql`, and `seed.sql` where rows matter. One whose
//! name ends in `-pg17` runs on servers of version 17 and newer. Set `LIMBECK_PAIRS` to another folder of such folders to
//! run those, `LIMBECK_PAIR` to a part of a name to run few, and `LIMBECK_PAIR_SAMPLE` to a number to run one in so many of
//! those that are of no version.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, compare_desired};
use limbeck_plan::{Migration, Plan};
use limbeck_schema::{Desired, Scope};
use limbeck_testkit::{TestDb, dump_objects, pg_dump};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

type Result<T> = std::result::Result<T, String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Every folder below that holds a pair.
fn pairs() -> Vec<PathBuf> {
    let root = std::env::var("LIMBECK_PAIRS").map_or_else(|_| fixtures(), PathBuf::from);
    let part = std::env::var("LIMBECK_PAIR").unwrap_or_default();
    let mut acc = Vec::new();
    let mut todo = vec![root];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir)
            .unwrap()
            .map(|it| it.unwrap().path())
        {
            if entry.is_dir() {
                todo.push(entry);
            } else if entry.ends_with("old.sql") && dir.to_string_lossy().contains(&part) {
                acc.push(dir.clone());
            }
        }
    }
    acc.sort();
    acc
}

/// The oldest major version that knows what the pair is about, from an ending of its name such as `-pg17`.
fn oldest(dir: &Path) -> u32 {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once("-pg")
        .and_then(|(_, major)| major.parse().ok())
        .unwrap_or(0)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pairs")
}

async fn load(db: &TestDb, file: &Path) -> Result<()> {
    let sql = std::fs::read_to_string(file).map_err(text)?;
    let mut conn = db.connect().await.map_err(text)?;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .map_err(|it| format!("setup {}: {it}", file.display()))?;
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
    Err(format!("{acc}\n{}", script(plan)))
}

async fn compare(
    conn: &mut PgConnection,
    desired: &Catalog,
) -> Result<(Catalog, Desired, Migration)> {
    let desired = Desired {
        schema: desired.schema.clone(),
        scope: Scope::everything(),
        ..Desired::default()
    };
    let it = compare_desired(conn, desired, &CompareOptions::default())
        .await
        .map_err(text)?;
    let migration = limbeck_plan::migration(&it.catalog.schema, &it.desired, it.catalog.version)
        .map_err(text)?;
    Ok((it.catalog, it.desired, migration))
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

async fn holds(old: &TestDb, new: &TestDb, dir: &Path) -> Result<()> {
    reset(old).await?;
    reset(new).await?;
    load(old, &dir.join("old.sql")).await?;
    load(new, &dir.join("new.sql")).await?;
    if dir.join("seed.sql").exists() {
        load(old, &dir.join("seed.sql")).await?;
    }
    let (before, after) = (
        pg_dump(old.url()).map_err(text)?,
        pg_dump(new.url()).map_err(text)?,
    );
    let mut conn = old.connect().await.map_err(text)?;
    let target = read(&mut new.connect().await.map_err(text)?).await?;
    let (_, _, migration) = compare(&mut conn, &target).await?;
    if dump_objects(&before) == dump_objects(&after) {
        return if migration.ops.is_empty() {
            Ok(())
        } else {
            Err(format!("false drift: {:?}", migration.ops))
        };
    }
    if migration.ops.is_empty() {
        return Err("the difference was missed".into());
    }
    run(&mut conn, &migration.upgrade).await?;
    same(
        "upgrade",
        &pg_dump(old.url()).map_err(text)?,
        &after,
        &migration.upgrade,
    )?;
    let (_, _, again) = compare(&mut conn, &target).await?;
    if !again.ops.is_empty() {
        return Err(format!("differences are left: {}", script(&again.upgrade)));
    }
    run(&mut conn, &migration.downgrade).await?;
    same(
        "downgrade",
        &pg_dump(old.url()).map_err(text)?,
        &before,
        &migration.downgrade,
    )
}

async fn server_major() -> Result<u32> {
    let db = TestDb::create("version").await;
    let mut conn = db.connect().await.map_err(text)?;
    Ok(read(&mut conn).await?.version / 10_000)
}

/// Pairs that run at the same time.
const WORKERS: usize = 3;

/// Runs pairs of the queue until there are none, on two databases of its own.
async fn work(queue: std::sync::Arc<std::sync::Mutex<Vec<PathBuf>>>) -> Vec<String> {
    let (old, new) = (TestDb::create("old").await, TestDb::create("new").await);
    let mut acc = Vec::new();
    loop {
        let next = queue.lock().unwrap().pop();
        let Some(dir) = next else { return acc };
        acc.extend(
            holds(&old, &new, &dir)
                .await
                .err()
                .map(|it| format!("{}: {it}", dir.display())),
        );
    }
}

#[test]
fn every_pair_upgrades_and_downgrades_to_equal_dumps() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let major = runtime.block_on(server_major()).unwrap();
    let sample: usize =
        std::env::var("LIMBECK_PAIR_SAMPLE").map_or(1, |it| it.parse().expect("a number"));
    let mut pairs = pairs();
    let mut plain = 0..;
    pairs.retain(|it| match oldest(it) {
        0 => plain
            .next()
            .is_some_and(|n: usize| n.is_multiple_of(sample)),
        oldest => oldest <= major,
    });
    assert!(
        !pairs.is_empty(),
        "there are pairs to run on PostgreSQL {major}"
    );
    let queue = std::sync::Arc::new(std::sync::Mutex::new(pairs.clone()));
    let failures: Vec<String> = runtime.block_on(async {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| tokio::spawn(work(queue.clone())))
            .collect();
        let mut acc = Vec::new();
        for it in workers {
            acc.extend(it.await.unwrap_or_else(|it| vec![it.to_string()]));
        }
        acc
    });
    assert!(
        failures.is_empty(),
        "{} of {} pairs fail\n{}",
        failures.len(),
        pairs.len(),
        failures.join("\n\n")
    );
}
