//! `limbeck inspect --format rust`: the models that it writes are compiled here, and agree with the database that they
//! were written of.
//!
//! Set `BLESS=1` to have the files written anew; read them like code before they are accepted.

#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::path::Path;

use limbeck::{LowerOptions, MetaData};
use limbeck_catalog::{CompareOptions, compare, compare_desired};
use limbeck_schema::{Desired, Op, Scope};
use limbeck_testkit::TestDb;
use sqlx::AssertSqlSafe;

#[path = "../../../crates/limbeck/examples/demo/edited.rs"]
mod edited;
#[expect(
    dead_code,
    unreachable_pub,
    reason = "models declare tables and handle no rows"
)]
mod kitchen_sink;
#[path = "../../../crates/limbeck/examples/demo/models.rs"]
mod models;
#[expect(
    dead_code,
    unreachable_pub,
    reason = "models declare tables and handle no rows"
)]
mod repository;

async fn inspect(db: &TestDb) -> String {
    let args = ["limbeck", "--url", db.url(), "inspect", "--format", "rust"];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = args.map(std::ffi::OsString::from);
    let status = limbeck_cli::run_with(args, None, &mut out, &mut err).await;
    let err = String::from_utf8(err).unwrap();
    assert_eq!(status, 0, "{err}");
    String::from_utf8(out).unwrap()
}

async fn execute(db: &TestDb, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    sql.execute(db.pool()).await.unwrap();
}

/// What is written of a database is what stands in the file, and what the file declares is what the database has.
async fn check(db: &TestDb, file: &str, compiled: &str, models: MetaData) {
    let written = inspect(db).await;
    if std::env::var_os("BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rust_models");
        std::fs::write(path.join(file), &written).unwrap();
        return;
    }
    assert_eq!(written, compiled, "{file} is not what is written");
    let mut conn = db.connect().await.unwrap();
    let how = CompareOptions::default();
    let lines = |ops: &[Op]| ops.iter().map(ToString::to_string).collect::<Vec<_>>();
    let ops = compare(&mut conn, &models, &how).await.unwrap().ops;
    assert_eq!(lines(&ops), [""; 0]);
    // And with every kind in scope, so that nothing is missed for not being managed.
    let desired = Desired {
        scope: Scope::everything(),
        ..models.lower(&LowerOptions::default()).unwrap()
    };
    let ops = compare_desired(&mut conn, desired, &how).await.unwrap().ops;
    assert_eq!(lines(&ops), [""; 0]);
}

#[tokio::test]
async fn something_of_every_kind() {
    let db = TestDb::create("kitchen_sink").await;
    execute(&db, include_str!("kitchen_sink.sql")).await;
    let text = include_str!("kitchen_sink.rs");
    check(&db, "kitchen_sink.rs", text, kitchen_sink::metadata()).await;
}

#[tokio::test]
async fn the_models_of_an_application() {
    let db = TestDb::create("repository").await;
    let mut conn = db.connect().await.unwrap();
    let declared = models::metadata();
    let it = compare(&mut conn, &declared, &CompareOptions::default())
        .await
        .unwrap();
    let way = limbeck_plan::migration(&it.catalog.schema, &it.desired, it.catalog.version).unwrap();
    for statement in way.upgrade.statements() {
        execute(&db, &statement.sql).await;
    }
    let text = include_str!("repository.rs");
    check(&db, "repository.rs", text, repository::metadata()).await;
}
