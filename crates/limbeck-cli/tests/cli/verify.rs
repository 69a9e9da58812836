//! `verify`: revisions tried up, down and up again, with rows.

use crate::common::World;

fn history(world: &World) {
    world.revision("aa", "", "CREATE TABLE t (a int);", "DROP TABLE t;");
    world.revision("bb", "aa", "ALTER TABLE t ADD b int;", "SELECT 1;");
    world.revision(
        "cc",
        "bb",
        "ALTER TABLE t ADD c int;",
        "ALTER TABLE t DROP c;",
    );
}

#[tokio::test]
async fn a_history_is_verified_step_by_step() {
    let world = World::new("verify").await;
    history(&world);
    let ran = world.run(&["verify"]).await;
    let out = "aa: upgraded, downgraded, equal, upgraded, equal\nbb: refuted, the downgrade does not undo the upgrade: drop \
               column t.b\ncc: upgraded, downgraded, equal, upgraded, equal; rows kept in 1 table\n";
    assert_eq!((ran.status, ran.out.as_str()), (2, out), "{}", ran.err);
    assert_eq!(
        ran.err,
        "error: 1 of 3 revisions does not hold; correct the file by hand and verify again\n"
    );
    world.revision(
        "bb",
        "aa",
        "ALTER TABLE t ADD b int;",
        "ALTER TABLE t DROP b;",
    );
    world.ok(&["verify"]).await;
    world.ok(&["verify", "--all"]).await;
}

#[tokio::test]
async fn one_revision_or_a_range_is_verified_and_the_others_only_run() {
    let world = World::new("verify_some").await;
    history(&world);
    for (range, expected) in [
        ("cc", "cc: upgraded, downgraded, equal"),
        ("head", "cc: upgraded, downgraded, equal"),
        ("cc:", "cc: upgraded, downgraded, equal"),
        (":aa", "aa: upgraded, downgraded, equal"),
    ] {
        let out = world.ok(&["verify", range]).await;
        assert!(
            out.starts_with(expected) && out.lines().count() == 1,
            "{range}: {out}"
        );
    }
    assert_eq!(world.run(&["verify", "aa:bb"]).await.status, 2);
    assert_eq!(world.run(&["verify", "nosuch"]).await.status, 2);
}

#[tokio::test]
async fn the_result_is_json_where_asked_for() {
    let world = World::new("verify_json").await;
    history(&world);
    let ran = world.run(&["--json", "verify"]).await;
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let expected = serde_json::json!({ "proven": false, "revisions": [
        { "revision": "aa", "outcome": "held", "tables": 0, "notes": [] },
        { "revision": "bb", "outcome": "refuted", "step": "the downgrade does not undo the upgrade", "lines": ["drop column t.b"] },
        { "revision": "cc", "outcome": "held", "tables": 1, "notes": [] },
    ] });
    assert_eq!((ran.status, json), (2, expected));
}

#[tokio::test]
async fn branches_and_objects_that_are_not_managed_are_verified_too() {
    let world = World::new("verify_branches").await;
    world.revision("aa", "", "CREATE TABLE t (a int);", "DROP TABLE t;");
    let view = "CREATE VIEW v AS SELECT a FROM t;";
    world.revision("bb", "aa", view, "DROP VIEW v;");
    let function = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';";
    world.revision("cc", "aa", function, "SELECT 1;");
    world.revision("dd", "bb, cc", "", "");
    let ran = world.run(&["verify"]).await;
    let refuted =
        "cc: refuted, the downgrade does not undo the upgrade: function public.f() is not desired";
    assert!(ran.out.contains(refuted), "{}{}", ran.out, ran.err);
    let held = ran.out.lines().filter(|it| it.contains("upgraded, equal"));
    assert_eq!((ran.status, held.count()), (2, 3), "{}", ran.out);
}

#[tokio::test]
async fn a_statement_that_only_works_on_empty_tables_is_found() {
    let world = World::new("verify_rows").await;
    world.revision(
        "aa",
        "",
        "CREATE TABLE t (a int, b text NOT NULL CHECK (b <> ''));",
        "DROP TABLE t;",
    );
    let down = "ALTER TABLE t ALTER a DROP NOT NULL;";
    world.revision("bb", "aa", "ALTER TABLE t ALTER a SET NOT NULL;", down);
    let ran = world.run(&["verify", "bb"]).await;
    assert!(
        ran.out
            .contains("bb: refuted, the upgrade fails on tables that have rows: "),
        "{}",
        ran.out
    );
    let filled = "UPDATE t SET a = 0 WHERE a IS NULL;\nALTER TABLE t ALTER a SET NOT NULL;";
    world.revision("bb", "aa", filled, down);
    let out = world.ok(&["verify", "bb"]).await;
    assert!(
        out.ends_with("rows kept in 1 table\n    t.a changes values\n"),
        "{out}"
    );
}

#[tokio::test]
async fn a_history_that_does_not_replay_is_an_error_and_leaves_nothing() {
    let world = World::new("verify_broken").await;
    world.revision("aa", "", "CREATE TABLE t (a nope);", "DROP TABLE t;");
    world.revision("bb", "aa", "SELECT 1;", "");
    let ran = world.run(&["verify", "bb"]).await;
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(
        ran.err
            .contains("upgrade of revision aa at DIR/revisions/aa.sql")
            && ran.err.contains("type \"nope\" does not exist"),
        "{}",
        ran.err
    );
    let ran = world.run(&["verify"]).await;
    assert_eq!(ran.status, 2);
    assert!(
        ran.out
            .starts_with("aa: refuted, the upgrade fails: `CREATE TABLE t (a nope)`"),
        "{}",
        ran.out
    );
    assert_eq!(world.ok(&["inspect"]).await, "");
}
