//! Scratch databases and the proof on a real server.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, Unmanaged, compare_desired};
use limbeck_revision::{Header, Revision, RevisionId, Segment, SegmentMode};
use limbeck_runner::{Claim, Proof, Scratch, prove};
use limbeck_schema::{Desired, Scope};
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, Connection};

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
async fn check(old: &str, new: &str, upgrade: &str, downgrade: &str) -> Proof {
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
    let scratch = Scratch::create(Some(db.url()), None).await.unwrap();
    let claim = Claim {
        current: &compared.catalog,
        unmanaged: &unmanaged,
        desired: &compared.desired,
        revision: &revision,
    };
    let proof = prove(&scratch, &claim).await.unwrap();
    let name = scratch.name().to_owned();
    drop(scratch);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(left, 0, "{name} is dropped");
    proof
}

const OLD: &str = "CREATE TABLE t (a int);";
const NEW: &str = "CREATE TABLE t (a int, b text);";

#[tokio::test]
async fn what_leads_there_and_back_holds() {
    let proof = check(
        OLD,
        NEW,
        "ALTER TABLE t ADD b text;",
        "ALTER TABLE t DROP b;",
    )
    .await;
    assert!(matches!(proof, Proof::Held { .. }), "{proof}");
}

#[tokio::test]
async fn what_does_not_is_refuted_with_what_is_left() {
    let cases = [
        (
            "ALTER TABLE t ADD b int;",
            "",
            "proof: refuted, differences are left after the upgrade: ",
        ),
        (
            "ALTER TABLE t ADD b text;",
            "SELECT 1;",
            "proof: refuted, differences are left after the downgrade: drop column t.b",
        ),
        (
            "ALTER TABLE t ADD b nope;",
            "",
            "proof: refuted, the upgrade fails: `ALTER TABLE t ADD b nope`: type \"nope\" does not exist",
        ),
    ];
    for (upgrade, downgrade, expected) in cases {
        let proof = check(OLD, NEW, upgrade, downgrade).await.to_string();
        assert!(proof.starts_with(expected), "{proof}");
    }
}

#[tokio::test]
async fn a_state_that_needs_what_is_not_managed_cannot_be_rebuilt() {
    let old = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int DEFAULT f());";
    let proof = check(
        old,
        &format!("{old} ALTER TABLE t ADD b text;"),
        "ALTER TABLE t ADD b text;",
        "ALTER TABLE t DROP b;",
    )
    .await
    .to_string();
    assert!(
        proof.starts_with("proof: not run (the current state cannot be rebuilt")
            && proof.contains("function public.f()"),
        "{proof}"
    );
}
