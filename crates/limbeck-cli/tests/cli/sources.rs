//! Sources that are SQL, a database or the history, scratch databases, and the proof.

use crate::common::World;
use limbeck_testkit::{Binaries, Cluster, TestDb};
use sqlx::Row;

#[tokio::test]
async fn sql_files_are_loaded_in_order_and_reached_with_a_proof() {
    let world = World::new("sql_source").await;
    world.write(
        "schema/2_view.sql",
        "\\restrict x\nCREATE VIEW small AS SELECT id FROM account WHERE id < 10;\n\\unrestrict x\n",
    );
    world.write(
        "schema/1_tables.sql",
        "SET search_path = '';\nCREATE TYPE public.mood AS ENUM ('a', 'b');\nCREATE TABLE public.account (id int PRIMARY KEY, \
         m public.mood DEFAULT 'a', name varchar(9) CHECK (name IN ('x', 'y')));\n",
    );
    let ran = world.run(&["check", "--target", "{}/schema"]).await;
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(
        ran.err
            .contains("warning: not managed, so left as it is: view public.small is missing"),
        "{}",
        ran.err
    );
    world
        .ok(&[
            "revision",
            "--autogenerate",
            "-m",
            "start",
            "--rev-id",
            "ab",
            "--target",
            "{}/schema",
        ])
        .await;
    let text = std::fs::read_to_string(world.path("revisions/ab_start.sql")).unwrap();
    assert!(
        text.contains("proof: upgraded, empty diff, downgraded, equal  (PostgreSQL "),
        "{text}"
    );
    world.ok(&["upgrade"]).await;
    world.ok(&["check", "--target", "{}/schema"]).await;
    world.ok(&["check", "--target", "revisions:"]).await;
    world.ok(&["diff", "revisions:", world.db.url()]).await;
    let strict = world
        .run(&["check", "--strict", "--target", "{}/schema"])
        .await;
    assert_eq!(strict.status, 2, "{}", strict.err);
}

#[tokio::test]
async fn two_sources_are_compared_and_history_stands_in_for_the_database() {
    let world = World::new("two_sources").await;
    world.write("a.sql", "CREATE TABLE t (a int);");
    world.write("b.sql", "CREATE TABLE t (a int, b text);");
    let ran = world.run(&["diff", "{}/a.sql", "{}/b.sql"]).await;
    assert_eq!(
        (ran.status, ran.out.contains("ADD COLUMN b text")),
        (1, true),
        "{}{}",
        ran.out,
        ran.err
    );
    world.revision("aa", "", "CREATE TABLE t (a int);", "DROP TABLE t;");
    let args = [
        "revision",
        "--autogenerate",
        "--from",
        "revisions:",
        "--rev-id",
        "bb",
        "-m",
        "b",
        "--target",
        "{}/b.sql",
    ];
    world.ok(&args).await;
    let text = std::fs::read_to_string(world.path("revisions/bb_b.sql")).unwrap();
    assert!(
        text.contains("ADD COLUMN b text") && text.contains("proof: upgraded"),
        "{text}"
    );
}

#[tokio::test]
async fn sql_that_cannot_be_loaded_is_shown_at_its_place() {
    let world = World::new("bad_source").await;
    let cases = [
        (
            "CREATE TABLE ok (a int);\n\tCREATE TABLE t (a nope);\n",
            "DIR/x.sql:2:20: type \"nope\" does not exist (SQLSTATE 42704)",
            "2 | \tCREATE TABLE t (a nope);\n  | \t                  ^ type \"nope\" does not exist",
        ),
        (
            "CREATE ROLE joe;",
            "DIR/x.sql:1:1: CREATE ROLE changes the whole server",
            "1 | CREATE ROLE joe;",
        ),
        (
            "SELECT 1;\n\\connect other\n",
            "DIR/x.sql:2: \\connect is a command to psql",
            "",
        ),
        (
            "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n\\.\n",
            "DIR/x.sql:2: COPY FROM stdin",
            "",
        ),
        (
            "CREATE EXTENSION no_such_one;",
            // PostgreSQL 13 speaks of a file that is not there, later ones of an extension that is not available.
            "DIR/x.sql:1:1: ",
            "1 | CREATE EXTENSION no_such_one;\n  | ^ ",
        ),
    ];
    for (sql, line, excerpt) in cases {
        world.write("x.sql", sql);
        let ran = world.run(&["check", "--target", "{}/x.sql"]).await;
        assert_eq!(
            (ran.status, ran.out.as_str()),
            (2, ""),
            "{sql}: {}",
            ran.err
        );
        assert!(
            ran.err.starts_with(&format!("error: {line}")) && ran.err.contains(excerpt),
            "{}",
            ran.err
        );
    }
    assert_eq!(world.ok(&["inspect"]).await, "");
}

#[tokio::test]
async fn a_role_that_may_create_no_database_uses_the_named_server() {
    let world = World::new("no_createdb").await;
    let cluster = Cluster::start(&Binaries::find().unwrap()).unwrap();
    let db = TestDb::create_in(&cluster, "poor", "template0")
        .await
        .unwrap();
    let mut conn = db.connect().await.unwrap();
    sqlx::raw_sql("CREATE ROLE poor LOGIN; GRANT CREATE ON SCHEMA public TO poor;")
        .execute(&mut conn)
        .await
        .unwrap();
    world.write("a.sql", "CREATE TABLE t (a int);");
    world.write("bad.sql", "CREATE TABLE t (a nope);");
    let url = db.url().replace("postgres@", "poor@");
    let args = [
        "--url",
        &url,
        "-c",
        "{}/limbeck.toml",
        "check",
        "--target",
        "{}/a.sql",
    ];
    world.write("limbeck.toml", "");
    let ran = world.run_bare(&args, None).await;
    assert_eq!(ran.status, 2, "{}", ran.err);
    for it in [
        "permission denied to create database",
        "CREATEDB",
        "[scratch]",
    ] {
        assert!(ran.err.contains(it), "{it}: {}", ran.err);
    }
    world.write(
        "limbeck.toml",
        &format!("[scratch]\nurl = \"{}\"\n", cluster.url("postgres")),
    );
    let ran = world.run_bare(&args, None).await;
    assert_eq!(ran.status, 1, "{}", ran.err);
    let bad = ["--url", db.url(), "check", "--target", "{}/bad.sql"];
    assert_eq!(world.run_bare(&bad, None).await.status, 2);
    // A server of its own shows that nothing is left.
    let sql = "SELECT count(*) FROM pg_database WHERE datname LIKE 'limbeck\\_scratch%'";
    let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_dropped() {
    let world = World::new("leftovers").await;
    let mut conn = world.db.connect().await.unwrap();
    let old = "limbeck_scratch_1_60000000_ab";
    let _ = sqlx::raw_sql("CREATE DATABASE limbeck_scratch_1_60000000_ab TEMPLATE template0")
        .execute(&mut conn)
        .await;
    world.write("a.sql", "");
    world.ok(&["check", "--target", "{}/a.sql"]).await;
    let row = sqlx::query("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(old)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_history_is_verified_step_by_step() {
    let world = World::new("verify").await;
    world.revision("aa", "", "CREATE TABLE t (a int);", "DROP TABLE t;");
    world.revision("bb", "aa", "ALTER TABLE t ADD b int;", "SELECT 1;");
    let ran = world.run(&["verify"]).await;
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (
            1,
            "aa: upgraded, downgraded, equal, upgraded, equal\nbb: refuted, the downgrade does not undo the upgrade: drop \
             column t.b\n"
        ),
        "{}",
        ran.err
    );
    world.revision(
        "bb",
        "aa",
        "ALTER TABLE t ADD b int;",
        "ALTER TABLE t DROP b;",
    );
    world.ok(&["verify"]).await;
}
