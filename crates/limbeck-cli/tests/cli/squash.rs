//! `squash`: what one revision in the place of several looks like, and what databases make of it.

use crate::common::{Ran, World, snapshot};

/// Definitions alone: a table that is made, widened and renamed, and what follows.
async fn definitions() -> World {
    let world = World::new("squash").await;
    world.revision("aaaa", "", "CREATE TABLE a (id int);", "DROP TABLE a;");
    world.revision(
        "bbbb",
        "aaaa",
        "CREATE TABLE old (id int UNIQUE);\nCREATE TYPE mood AS ENUM ('sad');",
        "DROP TYPE mood;\nDROP TABLE old;",
    );
    world.revision(
        "cccc",
        "bbbb",
        "ALTER TABLE old RENAME TO b;\nALTER TYPE mood ADD VALUE 'happy'",
        "DROP TYPE mood;\nCREATE TYPE mood AS ENUM ('sad');\nALTER TABLE b RENAME TO old;",
    );
    world.revision(
        "dddd",
        "cccc",
        "ALTER TABLE b ADD about text;",
        "ALTER TABLE b DROP about;",
    );
    world.revision("eeee", "dddd", "CREATE TABLE e ();", "DROP TABLE e;");
    world
}

#[expect(clippy::unwrap_used, reason = "the helper of a test fails the test")]
fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.path(&format!("revisions/{name}"))).unwrap()
}

/// Checks that a squash fails with one line that holds `expect`, and that no file changed.
#[track_caller]
fn check_refused(ran: &Ran, before: &[String], after: &[String], expect: &str) {
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(
        ran.err.starts_with("error: ") && ran.err.lines().count() == 1 && ran.err.contains(expect),
        "{expect}\nis not in\n{}",
        ran.err
    );
    assert_eq!(before, after);
}

async fn refused(world: &World, args: &[&str], expect: &str) {
    let before = world.written();
    let ran = world.run(args).await;
    check_refused(&ran, &before, &world.written(), expect);
}

#[tokio::test]
async fn definitions_are_planned_anew() {
    let world = definitions().await;
    world.ok(&["upgrade"]).await;
    let mut said = String::new();
    for args in [
        &["squash", "bbbb:dddd", "--dry-run"] as &[&str],
        &["squash", "bbbb:dddd"],
        &["history"],
        &["show", "cccc"],
        &["current", "-v"],
        &["upgrade"],
        &["upgrade", "--sql", "aaaa:dddd"],
        &["verify"],
        &["check", "--target", "revisions:"],
        &["downgrade", "aaaa"],
        &["upgrade", "bbb"],
        &["upgrade", "cccc+1"],
        &["stamp", "cccc"],
        &["locate"],
        &["upgrade"],
        &["check", "--target", "revisions:"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("squash_planned", &said);
    let names = ["aaaa.sql", "dddd_squash_bbbb_to_dddd.sql", "eeee.sql"];
    assert_eq!(world.written(), names);
}

#[tokio::test]
async fn a_database_within_the_range_is_told_what_to_do() {
    let world = definitions().await;
    world.ok(&["upgrade", "cccc"]).await;
    world.ok(&["squash", "bbbb:dddd", "-m", "squashed"]).await;
    let mut said = String::new();
    for args in [
        &["upgrade"] as &[&str],
        &["upgrade", "--dry-run"],
        &["downgrade", "base"],
        &["current"],
        &["show", "current"],
        &["history", "-i"],
        &["revision", "--autogenerate", "--target", "revisions:"],
        &["stamp", "dddd"],
        &["upgrade", "--sql", "cccc:eeee"],
        &["remove", "eeee"],
        &["locate"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("squash_within", &said);
}

#[tokio::test]
async fn a_later_edit_of_the_squashed_file_is_noticed() {
    let world = definitions().await;
    world.ok(&["upgrade"]).await;
    world
        .ok(&["squash", "bbbb:dddd", "-m", "squashed", "-q"])
        .await;
    let quiet = world.run(&["upgrade"]).await;
    assert!(!quiet.err.contains("changed"), "{}", quiet.err);
    // A squash of squashes stands for all files that stood under its id.
    world.ok(&["squash", ":dddd", "-m", "again", "-q"]).await;
    let quiet = world.run(&["upgrade"]).await;
    assert!(!quiet.err.contains("changed"), "{}", quiet.err);
    let text = read(&world, "dddd_again.sql");
    assert!(
        text.contains("\n-- replaces:      aaaa, bbbb, cccc\n"),
        "{text}"
    );
    world.write("revisions/dddd_again.sql", &text.replace("about", "remark"));
    let warned = world.run(&["upgrade"]).await.err;
    let expect = "the file of revision dddd changed since it was applied";
    assert!(warned.contains(expect), "{warned}");
}

/// Rows and views: what no plan can stand for.
async fn rows() -> World {
    let world = World::new("squash_rows").await;
    world.revision("aaaa", "", "CREATE TABLE a (id int);", "DROP TABLE a;");
    world.revision(
        "bbbb",
        "aaaa",
        "ALTER TABLE a ADD b int;\nUPDATE a SET b = id;",
        "ALTER TABLE a DROP b;",
    );
    world.revision(
        "cccc",
        "bbbb",
        "CREATE VIEW v AS SELECT b FROM a;",
        "DROP VIEW v;",
    );
    world.revision(
        "dddd",
        "cccc",
        "-- segment: no transaction\nCREATE INDEX CONCURRENTLY i ON a (b);",
        "DROP INDEX i;",
    );
    world
}

#[tokio::test]
async fn what_is_more_than_definitions_is_kept() {
    let world = rows().await;
    let mut said = String::new();
    for args in [
        &["upgrade"] as &[&str],
        &["squash", "bbbb:", "--dry-run"],
        &["squash", "cccc:dddd", "-m", "views", "--json"],
        &["squash", ":bbbb", "-m", "rows"],
        &["squash", ":", "--message", "all"],
        &["upgrade"],
        &["downgrade"],
        &["upgrade"],
        &["verify"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("squash_kept", &said);
}

/// Squashes `bbbb:cccc` of three revisions and gives what it says.
async fn say(label: &str, bodies: [(&str, &str); 3], options: &[&str]) -> (World, Ran) {
    let world = World::new(label).await;
    let ids = ["aaaa", "bbbb", "cccc"];
    for (n, (up, down)) in bodies.into_iter().enumerate() {
        world.revision(ids[n], if n == 0 { "" } else { ids[n - 1] }, up, down);
    }
    let args = [&["squash", "bbbb:cccc", "-m", "both"], options].concat();
    let ran = world.run(&args).await;
    (world, ran)
}

/// Checks why the SQL of two revisions is kept that follow a table `a`.
async fn check_kept(label: &str, b: (&str, &str), c: (&str, &str), expect: &str) {
    let a = ("CREATE TABLE a (id int, k int DEFAULT 0);", "DROP TABLE a;");
    let (world, ran) = say(label, [a, b, c], &[]).await;
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    let expect = format!("The revisions' own SQL is kept, one after the other: {expect}");
    assert!(
        ran.err.contains(&expect),
        "{expect}\nis not in\n{}",
        ran.err
    );
    let text = read(&world, "cccc_both.sql");
    assert!(text.contains("-- from revision bbbb, Do bbbb\n"), "{text}");
}

#[tokio::test]
async fn a_plan_that_would_do_otherwise_to_rows_is_not_taken() {
    check_kept(
        "squash_rename",
        (
            "ALTER TABLE a RENAME k TO l;",
            "ALTER TABLE a RENAME l TO k;",
        ),
        ("CREATE TABLE c ();", "DROP TABLE c;"),
        "a plan may not do the same to rows, the rows of a are others",
    )
    .await;
    check_kept(
        "squash_default",
        (
            "ALTER TABLE a ADD l int DEFAULT 7;",
            "ALTER TABLE a DROP l;",
        ),
        (
            "ALTER TABLE a ALTER l DROP DEFAULT;",
            "ALTER TABLE a ALTER l SET DEFAULT 7;",
        ),
        "a plan may not do the same to rows, the rows of a are others",
    )
    .await;
    check_kept(
        "squash_order",
        ("ALTER TABLE a ADD z int;", "ALTER TABLE a DROP z;"),
        ("ALTER TABLE a ADD b int;", "ALTER TABLE a DROP b;"),
        "a plan may not do the same to rows, the columns of a are others, or in another order",
    )
    .await;
    check_kept(
        "squash_view",
        ("CREATE VIEW v AS SELECT 1 AS x;", "DROP VIEW v;"),
        ("CREATE TABLE c ();", "DROP TABLE c;"),
        "they change what is not managed (view public.v is missing before them)",
    )
    .await;
}

#[tokio::test]
async fn keep_sql_keeps_the_sql() {
    let bodies = [
        ("CREATE TABLE a ();", "DROP TABLE a;"),
        ("CREATE TABLE b ();", "DROP TABLE b"),
        ("CREATE TABLE c ()", "DROP TABLE c;"),
    ];
    let (world, ran) = say("squash_keep", bodies, &["--keep-sql"]).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    let text = read(&world, "cccc_both.sql");
    let (_, body) = text.split_once("\n-- upgrade\n").unwrap();
    let expect = "\
-- ------------------------------------------------------------------
-- from revision bbbb, Do bbbb

CREATE TABLE b ();

-- from revision cccc, Do cccc

CREATE TABLE c ()
;

-- downgrade
-- ------------------------------------------------------------------
-- from revision cccc, Do cccc

DROP TABLE c;

-- from revision bbbb, Do bbbb

DROP TABLE b
;
";
    assert_eq!(body, expect);
}

#[tokio::test]
async fn what_is_refuted_changes_nothing() {
    let bodies = [
        ("CREATE TABLE a ();", "DROP TABLE a;"),
        ("CREATE TABLE b ();", ""),
        ("CREATE TABLE c ();", "DROP TABLE c;"),
    ];
    let (world, ran) = say("squash_refuted", bodies, &["--keep-sql"]).await;
    let names = ["aaaa.sql", "bbbb.sql", "cccc.sql"].map(str::to_owned);
    check_refused(
        &ran,
        &names,
        &world.written(),
        "the squashed revision does not hold, and nothing is changed, proof: refuted, the downgrade does not undo the \
         upgrade: drop table b; mend the revisions",
    );
    world.revision("bbbb", "aaaa", "CREATE TABLE b (x nope);", "DROP TABLE b;");
    refused(
        &world,
        &["squash", ":"],
        "cannot squash, and nothing is changed: the revisions do not run in a scratch \
             database; mend them first: upgrade of revision bbbb at DIR/revisions/bbbb.sql:7",
    )
    .await;
    world.revision("bbbb", "aaaa", "CREATE ROLE limbeck_nobody;", "");
    refused(
        &world,
        &["squash", ":"],
        "revision bbbb at DIR/revisions/bbbb.sql:7",
    )
    .await;
    world.revision("bbbb", "aaaa", "SELECT 'x;", "");
    refused(
        &world,
        &["squash", ":"],
        "bbbb.sql:7: the string that starts here is not closed",
    )
    .await;
}

#[tokio::test]
async fn ranges_that_cannot_be_squashed_say_why() {
    let world = definitions().await;
    world.revision("ffff", "bbbb", "CREATE TABLE f ();", "DROP TABLE f;");
    world.revision("9999", "eeee, ffff", "", "");
    for (range, expect) in [
        (
            "bbbb:dddd",
            "cannot squash across bbbb (DIR/revisions/bbbb.sql), which ffff",
        ),
        (
            ":9999",
            "cannot squash across 9999 (DIR/revisions/9999.sql), which merges eeee, ffff",
        ),
        ("cccc:cccc", "cccc alone lies in 'cccc:cccc'"),
        ("cccc", "'cccc' has no single colon"),
        ("dddd:cccc", "does not refer to ancestor/descendant"),
        ("nope:cccc", "can't locate revision identified by 'nope'"),
        ("base:base", "no revision lies in 'base:base'"),
        ("base:current", "no revision lies in 'base:current'"),
    ] {
        refused(&world, &["squash", range], expect).await;
    }
    world.ok(&["squash", "cccc:dddd"]).await;
}

#[tokio::test]
async fn others_may_depend_on_what_was_squashed() {
    let world = definitions().await;
    world.write(
        "more/xxxx.sql",
        "-- revision: xxxx\n-- depends on: bbbb\n-- upgrade\nCREATE TABLE x ();\n-- downgrade\nDROP TABLE x;\n",
    );
    let both = ["--revisions", "{}/more"];
    let run = async |args: &[&str]| world.run(&[&both, args].concat()).await;
    assert_eq!(run(&["upgrade", "xxxx"]).await.status, 0);
    let ran = run(&["squash", "bbbb:dddd", "-m", "squashed"]).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    // The version table holds xxxx alone: it has the part of dddd that it depends on, and not the rest.
    for args in [&["upgrade"] as &[&str], &["upgrade", "-n"], &["current"]] {
        let ran = run(args).await;
        let expect = "revision bbbb is replaced by dddd";
        assert!(ran.status == 2 && ran.err.contains(expect), "{}", ran.err);
    }
    world
        .execute("DROP TABLE limbeck_log, limbeck_version, a, old, x; DROP TYPE mood")
        .await;
    for args in [
        &["upgrade"] as &[&str],
        &["current"],
        &["verify"],
        &["downgrade", "base"],
    ] {
        let ran = run(args).await;
        assert_eq!(ran.status, 0, "{args:?} {}{}", ran.out, ran.err);
    }
}

#[tokio::test]
async fn files_that_are_left_over_are_named() {
    let world = definitions().await;
    let left = read(&world, "bbbb.sql");
    world.ok(&["squash", "bbbb:dddd", "-m", "squashed"]).await;
    world.write("revisions/bbbb.sql", &left);
    refused(
        &world,
        &["history"],
        "revision bbbb is present, and replaced by dddd; delete bbbb (DIR/revisions/bbbb.sql), for dddd \
         (DIR/revisions/dddd_squashed.sql) does its work",
    )
    .await;
}

/// Stops a run half way, squashes `bbbb:cccc`, and checks that the run cannot go on with other files.
async fn check_half(label: &str, begin: &str, run: &[&str], expect: &str) {
    let world = World::new(label).await;
    world.revision("aaaa", "", "CREATE TABLE a ();", "DROP TABLE a;");
    let two = |one: &str, other: &str| {
        format!("-- segment: transaction\n{one}\n-- segment: transaction\n{other}")
    };
    for (id, revises) in [("bbbb", "aaaa"), ("cccc", "bbbb")] {
        let up = two(
            &format!("CREATE TABLE {id} ();"),
            &format!("CREATE TABLE {id}_more ();"),
        );
        let down = two(
            &format!("DROP TABLE {id};"),
            &format!("DROP TABLE {id}_more;"),
        );
        world.revision(id, revises, &up, &down);
    }
    let squash = ["squash", "bbbb:cccc", "--keep-sql", "-m", "both"];
    if run[0] == "downgrade" {
        world.ok(&["upgrade"]).await;
    }
    world.execute(begin).await;
    assert_eq!(world.run(run).await.status, 2);
    world.ok(&squash).await;
    for run in [run, &[run, &["--dry-run"]].concat()] {
        let ran = world.run(run).await;
        assert!(ran.status == 2 && ran.err.contains(expect), "{}", ran.err);
    }
}

#[tokio::test]
async fn a_run_that_stopped_half_way_does_not_go_on_in_another_file() {
    check_half(
        "squash_half_up",
        "CREATE TABLE bbbb_more ()",
        &["upgrade"],
        "the upgrade of revision bbbb stopped in segment 2 of 2, and the squashed revision cccc replaced its file since; \
         finish it with the files from before the squash",
    )
    .await;
    check_half(
        "squash_half_down",
        "DROP TABLE cccc_more",
        &["downgrade"],
        "the downgrade of revision cccc stopped in segment 2 of 2, and the squashed revision cccc replaced its file since; \
         finish it with the files from before the squash",
    )
    .await;
}

#[tokio::test]
async fn modules_are_squashed_each_in_its_folder() {
    let world = World::of_modules("squash_modules").await;
    world.ok(&["upgrade"]).await;
    let mut said = String::new();
    for args in [
        &["squash", ":default@head", "-m", "default"] as &[&str],
        &["squash", "requests:requests@head", "-m", "requests"],
        &["squash", "rdm@base:1746626978", "-m", "rdm"],
        &["upgrade"],
        &["show", "db0000000002", "4f0000000001", "rdm"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("squash_modules", &said);
    world.ok(&["downgrade", "base"]).await;
    world.ok(&["upgrade"]).await;
    assert_eq!(world.ok(&["check"]).await, "");
    world.ok(&["downgrade", "accounts@base"]).await;
    world.ok(&["upgrade"]).await;
    world.ok(&["verify", "requests"]).await;
}
