//! Sources that are SQL, a database or the history, scratch databases, and the proof.

use std::process::Command;

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
            "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n",
            "DIR/x.sql:2: COPY FROM stdin",
            "",
        ),
        (
            "BEGIN;\nCREATE TABLE t (a int);\n",
            "DIR/x.sql ends inside a transaction, so nothing of it would stay",
            "",
        ),
        (
            "GRANT CONNECT ON DATABASE postgres TO PUBLIC;",
            "DIR/x.sql:1:1: GRANT changes the whole server or another one",
            "",
        ),
        (
            "DO $$ BEGIN ALTER ROLE limbeck_joe SUPERUSER; END $$;",
            "DIR/x.sql:1:1: ALTER ROLE changes the whole server",
            "",
        ),
        (
            "SELECT 1;\n  CREATE EXTENSION IF NOT EXISTS limbeck_none;\n",
            "DIR/x.sql:2:3: the extension limbeck_none cannot be created on the target's server (",
            "2 |   CREATE EXTENSION IF NOT EXISTS limbeck_none;",
        ),
        (
            "DO $$ BEGIN CREATE ROLE limbeck_joe; END $$;",
            "DIR/x.sql:1:1: the block creates role limbeck_joe, and roles belong to the whole server",
            "creates a role",
        ),
        (
            "CREATE ROLE limbeck_joe; GRANT limbeck_joe TO postgres;",
            "DIR/x.sql:1:1: CREATE ROLE changes the whole server",
            "",
        ),
        (
            "CREATE TABLESPACE limbeck_space LOCATION '/nowhere';",
            "DIR/x.sql:1:1: CREATE TABLESPACE changes the whole server",
            "",
        ),
        (
            "SELECT 1;\nDROP DATABASE limbeck;",
            "DIR/x.sql:2:1: DROP DATABASE changes the whole server",
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
    assert_eq!(roles(&world).await, 0);
}

async fn roles(world: &World) -> usize {
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'limbeck\\_joe%'";
    world.query(sql).await.len()
}

/// What a command said of its scratch databases, none of which may be there any more.
async fn nothing_is_left(world: &World, args: &[&str]) -> String {
    let mut all = vec!["-v"];
    all.extend_from_slice(args);
    let ran = world.run(&all).await;
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    let named = ran
        .err
        .lines()
        .filter_map(|it| it.strip_prefix("scratch database "));
    let named: Vec<&str> = named.collect();
    assert!(!named.is_empty(), "{}", ran.err);
    for name in named {
        let sql = format!("SELECT datname::text FROM pg_database WHERE datname = '{name}'");
        assert!(world.query(&sql).await.is_empty(), "{name} is left");
    }
    assert_eq!(world.ok(&["inspect"]).await, "");
    format!("{}{}", ran.out, ran.err)
}

#[tokio::test]
async fn what_fails_half_way_leaves_no_scratch_database_and_no_trace_in_the_target() {
    let world = World::new("half_way").await;
    world.write("x.sql", "CREATE TABLE t (a int);\nCREATE TABLE u (a nope);");
    nothing_is_left(&world, &["check", "--target", "{}/x.sql"]).await;
    let args = ["revision", "--autogenerate", "--target", "{}/x.sql"];
    nothing_is_left(&world, &args).await;
    world.revision("aa", "", "CREATE TABLE t (a int);", "DROP TABLE t;");
    world.revision("bb", "aa", "CREATE TABLE u (a nope);", "DROP TABLE u;");
    let args = ["check", "--target", "revisions:"];
    let text = nothing_is_left(&world, &args).await;
    assert!(
        text.contains("upgrade of revision bb at DIR/revisions/bb.sql"),
        "{text}"
    );
    nothing_is_left(&world, &["verify"]).await;
    world.revision(
        "bb",
        "aa",
        "CREATE ROLE limbeck_joe;",
        "DROP ROLE limbeck_joe;",
    );
    for args in [&args[..], &["verify"]] {
        let text = nothing_is_left(&world, args).await;
        let expected = "statement `CREATE ROLE limbeck_joe` changes the whole server, which dropping a scratch database does not";
        assert!(text.contains(expected), "{text}");
    }
    let block = "DO $$ BEGIN CREATE ROLE limbeck_joe; END $$;";
    world.revision("bb", "aa", block, "SELECT 1;");
    let text = nothing_is_left(&world, &["verify", "aa:bb"]).await;
    assert!(text.contains("creates the role limbeck_joe"), "{text}");
    assert_eq!(roles(&world).await, 0);
}

#[tokio::test]
async fn a_subscription_does_not_keep_a_scratch_database() {
    let world = World::new("subscription").await;
    world.write(
        "x.sql",
        "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false, slot_name = 'x'); SELECT nope();",
    );
    nothing_is_left(&world, &["check", "--target", "{}/x.sql"]).await;
}

#[tokio::test]
async fn a_first_revision_from_the_history_makes_the_folder() {
    let world = World::new("from_nothing").await;
    world.write("a.sql", "CREATE TABLE t (a int);");
    let args = [
        "revision",
        "--autogenerate",
        "--from",
        "revisions:",
        "-m",
        "a",
        "--target",
        "{}/a.sql",
    ];
    world.ok(&args).await;
    let missing = ["check", "--target", "revisions:"];
    std::fs::remove_dir_all(world.path("revisions")).unwrap();
    assert_eq!(world.run(&missing).await.status, 2);
}

#[tokio::test]
async fn a_role_that_may_create_no_database_uses_the_named_server() {
    let world = World::new("no_createdb").await;
    let cluster = Cluster::start(&Binaries::find().unwrap()).unwrap();
    let db = TestDb::create_in(&cluster, "poor", "template0")
        .await
        .unwrap();
    let mut conn = db.connect().await.unwrap();
    sqlx::raw_sql(
        "CREATE ROLE poor LOGIN PASSWORD 'unguessed'; GRANT CREATE ON SCHEMA public TO poor;",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    world.write("a.sql", "CREATE TABLE t (a int);");
    world.write("bad.sql", "CREATE TABLE t (a nope);");
    let url = db.url_as("poor", "unguessed");
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
    let ran = world.run_bare(&[&["-v"], &args[..]].concat(), None).await;
    assert!(
        ran.status == 1 && ran.err.contains("a throwaway server is started"),
        "{}",
        ran.err
    );
    let dir = world.folder.path().display().to_string();
    let ran = Command::new(env!("CARGO_BIN_EXE_limbeck"))
        .args(args.iter().map(|it| it.replace("{}", &dir)))
        .env("LIMBECK_PG_BIN", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stderr).unwrap();
    for it in [
        "role poor may not create databases (ALTER ROLE poor CREATEDB)",
        "[scratch] names no server",
        "no throwaway server can be started (LIMBECK_PG_BIN=/nowhere",
        "grant CREATEDB and CREATEROLE to the role",
        "under [scratch] in limbeck.toml",
        "install the server programs",
    ] {
        assert!(
            ran.status.code() == Some(2) && text.contains(it),
            "{it}: {text}"
        );
    }
    world.write("limbeck.toml", "[scratch]\nurl = \"${LIMBECK_NOT_SET}\"\n");
    let ran = world.run_bare(&args, None).await;
    let expected =
        "error: [scratch] url of the config file: variable \"LIMBECK_NOT_SET\" is not set";
    assert!(ran.err.starts_with(expected), "{}", ran.err);
    world.write(
        "limbeck.toml",
        &format!("[scratch]\nurl = \"{}\"\n", cluster.url("postgres")),
    );
    let ran = world.run_bare(&args, None).await;
    let refused = "DIR/limbeck.toml is not allowed yet and would use the server ";
    assert!(ran.status == 2 && ran.err.contains(refused), "{}", ran.err);
    let mut allowed = Command::new(env!("CARGO_BIN_EXE_limbeck"));
    let ran = world.run_program(
        allowed
            .args(args.iter().map(|it| it.replace("{}", &dir)))
            .env("LIMBECK_ALLOW", "1"),
    );
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
