//! The proof of a squash: what leads elsewhere, does not come back, or treats rows otherwise is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_catalog::ReadOptions;
use limbeck_revision::{Header, Revision, RevisionId, Segment, SegmentMode};
use limbeck_runner::{Scratch, SquashClaim, prove_squash, same_rows};
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, Connection};

fn revision(upgrade: &str, downgrade: &str) -> Revision {
    let mut it = Revision::new(Header::new(RevisionId::generate(), "x"));
    it.upgrade = vec![Segment::new(SegmentMode::Transaction, upgrade)];
    it.downgrade = vec![Segment::new(SegmentMode::Transaction, downgrade)];
    it
}

async fn run(scratch: &Scratch, sql: &str) {
    let mut conn = scratch.connect().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

/// Tries a revision in the place of one that is `old`, both on a table `t`; `expect` begins the proof, and `rows` is what
/// is said of rows.
async fn check(old: (&str, &str), new: (&str, &str), expect: &str, rows: &str) {
    let db = TestDb::create("squash").await;
    let before = Scratch::create(Some(&settings(db.url())), None)
        .await
        .unwrap();
    run(&before, "CREATE TABLE t (a int, b text);").await;
    let after = before.copy().await.unwrap();
    run(&after, old.0).await;
    let (old, new) = (revision(old.0, old.1), revision(new.0, new.1));
    let claim = SquashClaim {
        before: &before,
        after: &after,
        revision: &new,
        read: &ReadOptions::default(),
    };
    let proof = prove_squash(&claim).await.unwrap().to_string();
    assert!(proof.starts_with(expect), "{proof}\nis not\n{expect}");
    let differs = same_rows(&before, &[old], &new, &[]).await.unwrap();
    assert_eq!(differs.unwrap_or_default(), rows);
}

const HELD: &str = "proof: upgraded, empty diff, downgraded, equal";
const ELSEWHERE: &str = "proof: refuted, the squashed upgrade leads elsewhere: ";

#[tokio::test]
async fn what_does_the_same_holds() {
    let old = ("ALTER TABLE t ADD c int;", "ALTER TABLE t DROP c;");
    check(old, old, HELD, "").await;
    let longer = (
        "ALTER TABLE t ADD d int;\nALTER TABLE t RENAME d TO c;",
        old.1,
    );
    check(old, longer, HELD, "").await;
}

#[tokio::test]
async fn what_leads_elsewhere_is_refuted() {
    let old = ("ALTER TABLE t ADD c int;", "ALTER TABLE t DROP c;");
    let cases = [
        (
            ("ALTER TABLE t ADD c bigint;", old.1),
            format!("{ELSEWHERE}alter column t.c"),
            "the columns of t are others, or in another order",
        ),
        (
            (
                "ALTER TABLE t ADD c int;\nCREATE VIEW v AS SELECT 1 AS x;",
                "DROP VIEW v;\nALTER TABLE t DROP c;",
            ),
            format!("{ELSEWHERE}view public.v is not desired"),
            "",
        ),
        (
            (old.0, "SELECT 1;"),
            "proof: refuted, the downgrade does not undo the upgrade: drop column t.c".to_owned(),
            "the columns of t are others, or in another order",
        ),
        (
            ("ALTER TABLE t ADD c nope;", ""),
            "proof: refuted, the upgrade fails: ".to_owned(),
            "the plan fails on tables that have rows: type \"nope\" does not exist (SQLSTATE 42704)",
        ),
    ];
    for (new, expect, rows) in cases {
        check(old, new, &expect, rows).await;
    }
}

#[tokio::test]
async fn other_rows_are_found() {
    let old = (
        "ALTER TABLE t ALTER a TYPE bigint USING a * 2;",
        "ALTER TABLE t ALTER a TYPE int;",
    );
    let plain = (
        "-- hazard changes-values: t\nALTER TABLE t ALTER a TYPE bigint;",
        old.1,
    );
    check(old, plain, HELD, "the rows of t are others").await;
    let filled = (
        "ALTER TABLE t ADD c int NOT NULL DEFAULT 1;\nALTER TABLE t ALTER c DROP DEFAULT;",
        "ALTER TABLE t DROP c;",
    );
    let strict = (
        "-- hazard may-fail: t\nALTER TABLE t ADD c int NOT NULL;",
        filled.1,
    );
    check(
        filled,
        strict,
        HELD,
        "the plan fails on tables that have rows: column \"c\" of relation \"t\" contains null values (SQLSTATE 23502)",
    )
    .await;
    check(
        strict,
        filled,
        HELD,
        "the revisions fail on tables that have rows: column \"c\" of relation \"t\" contains null values (SQLSTATE 23502)",
    )
    .await;
}

/// The settings of a URL.
fn settings(url: &str) -> limbeck_connect::Settings {
    limbeck_connect::Settings::parse(url, limbeck_connect::Origin::Program).unwrap()
}
