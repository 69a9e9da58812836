//! Databases in two states, and the proof of what leads from one to the other.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired};
use limbeck_revision::{Header, Revision, RevisionId, Segment, SegmentMode};
use limbeck_runner::{Claim, Proof, Scratch, prove};
use limbeck_schema::{Desired, Scope};
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The state that SQL makes of an empty database.
async fn state(sql: &str) -> (TestDb, Catalog, Unmanaged) {
    let db = TestDb::create("state").await;
    let mut conn = db.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    let catalog = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .unwrap();
    let unmanaged = Unmanaged::read(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    (db, catalog, unmanaged)
}

/// Proves that `upgrade` and `downgrade` lead from one state to the other and back.
pub(crate) async fn check(old: &str, new: &str, upgrade: &str, downgrade: &str) -> Proof {
    let (db, _, unmanaged) = state(old).await;
    let (_new_db, goal, _) = state(new).await;
    let desired = Desired {
        schema: goal.schema,
        scope: Scope::everything(),
        ..Desired::default()
    };
    let mut conn = db.connect().await.unwrap();
    let compared = compare_desired(&mut conn, desired, &CompareOptions::default())
        .await
        .unwrap();
    let mut revision = Revision::new(Header::new(RevisionId::generate(), "x"));
    revision.upgrade = vec![Segment::new(SegmentMode::Transaction, upgrade)];
    revision.downgrade = vec![Segment::new(SegmentMode::Transaction, downgrade)];
    let scratch = Scratch::create(Some(&settings(db.url())), None)
        .await
        .unwrap();
    let claim = Claim {
        current: &compared.catalog,
        unmanaged: &unmanaged,
        desired: &compared.desired,
        revision: &revision,
    };
    let proof = prove(&scratch, &claim).await.unwrap();
    let name = scratch.name().to_owned();
    drop(scratch);
    check_dropped(&mut conn, &name).await;
    proof
}

/// Checks that the server has no database of that name.
pub(crate) async fn check_dropped(conn: &mut PgConnection, name: &str) {
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_one(conn)
        .await
        .unwrap();
    assert_eq!(left, 0, "{name} is dropped");
}

/// The settings of a URL.
fn settings(url: &str) -> limbeck_connect::Settings {
    limbeck_connect::Settings::parse(url, limbeck_connect::Origin::Program).unwrap()
}
