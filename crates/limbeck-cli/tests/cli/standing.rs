//! `stamp` that looks, and `locate`.

use crate::common::{World, snapshot};

/// Two tables, a change of data, and a check.
async fn history(label: &str) -> World {
    let world = World::new(label).await;
    world.revision("aaaa1", "", "CREATE TABLE a (x int);", "DROP TABLE a;");
    world.revision("aaaa2", "aaaa1", "UPDATE a SET x = 1;", "");
    world.revision(
        "aaaa3",
        "aaaa2",
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0);",
        "ALTER TABLE a DROP CONSTRAINT positive;",
    );
    world
}

#[tokio::test]
async fn a_stamp_is_refused_where_the_database_is_not() {
    let world = history("stamp").await;
    world.execute("CREATE TABLE a (x int)").await;
    let mut said = String::new();
    for args in [
        &["stamp"] as &[&str],
        &["stamp", "aaaa3", "--json"],
        &["stamp", "base"],
        &["current"],
        &["stamp", "aaaa2"],
        &["current"],
        &["upgrade", "-q"],
        &["stamp", "aaaa1"],
        &["stamp", "aaaa1", "--unchecked"],
        &["current"],
        &["stamp", "nosuch"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("stamp", &said);
}

/// A script asks no database, so that each start has to be written out.
#[tokio::test]
async fn scripts_start_at_what_is_named() {
    let world = history("scripts").await;
    let mut said = String::new();
    for args in [
        &["stamp", "--sql"] as &[&str],
        &["stamp", "--sql", "aaaa1:aaaa3"],
        &["stamp", "--sql", "aaaa3:base"],
        &["stamp", "--sql", "aaaa1:aaaa2", "aaaa2:aaaa3"],
        &["stamp", "--sql", "--purge", "aaaa1"],
        &["upgrade", "--sql", "current:head"],
        &["upgrade", "--sql", "+1:head"],
        &["upgrade", "--sql", ":head"],
        &["upgrade", "--sql", "aaaa1:"],
        &["downgrade", "--sql", "current:base"],
        &["downgrade", "--sql", "aaaa2"],
        &["edit", "base"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("scripts", &said);
}

/// What PostgreSQL spells otherwise is no difference, nor are version tables of either name.
#[tokio::test]
async fn a_stamp_takes_what_others_built() {
    let world = history("stamp").await;
    world
        .execute(
            "CREATE TABLE alembic_version (version_num text); CREATE TABLE a (x int4, CONSTRAINT positive CHECK ((0 < x) IS \
             NOT FALSE)); ALTER TABLE a DROP CONSTRAINT positive, ADD CONSTRAINT positive CHECK (((x) > (0)))",
        )
        .await;
    world.ok(&["stamp", "head"]).await;
    world.ok(&["current", "--check-heads"]).await;
}

#[tokio::test]
async fn a_history_that_cannot_be_replayed_stamps_nothing_unseen() {
    let world = history("stamp").await;
    world.revision("aaaa4", "aaaa3", "DROP TABLE nosuch;", "");
    let mut said = String::new();
    for args in [
        &["stamp", "aaaa4"] as &[&str],
        &["stamp", "aaaa4", "--unchecked"],
        &["locate"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("stamp_broken_history", &said);
}

#[tokio::test]
async fn a_database_is_located_by_what_is_in_it() {
    let world = history("locate").await;
    let mut said = String::new();
    world.transcribe(&mut said, &["locate"]).await;
    for sql in [
        "CREATE TABLE a (x int)",
        "ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0)",
        "ALTER TABLE a ADD COLUMN y text",
    ] {
        world.execute(sql).await;
        world.transcribe(&mut said, &["locate"]).await;
    }
    world.transcribe(&mut said, &["locate", "--json"]).await;
    snapshot("locate", &said);
}

/// A database that has one branch only, which no place in the order of all branches has.
#[tokio::test]
async fn single_branches_are_located() {
    let world = history("locate").await;
    world.write(
        "revisions/side1.sql",
        "-- Begin the side\n--\n-- revision: side1\n-- revises: <base>\n-- branch labels: side\n\n-- upgrade\nCREATE TABLE side ();\n\n-- downgrade\nDROP TABLE side;\n",
    );
    world.execute("CREATE TABLE side ()").await;
    assert_eq!(world.ok(&["locate"]).await, "side1\n");
    world.execute("CREATE TABLE a (x int)").await;
    world
        .execute("ALTER TABLE a ADD CONSTRAINT positive CHECK (x > 0)")
        .await;
    assert_eq!(world.ok(&["locate"]).await, "aaaa3, side1\n");
    world.ok(&["stamp", "aaaa3", "side1"]).await;
    world.ok(&["current", "--check-heads"]).await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_run_and_runs_nothing() {
    let world = history("dry_run").await;
    world.revision(
        "aaaa4",
        "aaaa3",
        "-- hazard may-fail: fails if a has such rows\nALTER TABLE a ADD UNIQUE (x);\n-- segment: no transaction\nVACUUM a;\nANALYZE a;",
        "-- hazard deletes-data: not really\nSELECT 1;",
    );
    let mut said = String::new();
    for args in [
        &["upgrade", "--dry-run"] as &[&str],
        &["upgrade", "aaaa2", "-n", "--json"],
        &["current"],
        &["upgrade", "-q"],
        &["upgrade", "-n"],
        &["downgrade", "-n"],
        &["downgrade", "aaaa1", "-n"],
        &["upgrade", "aaaa1:aaaa2", "-n"],
        &["upgrade", "nosuch", "-n"],
        &["current"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("dry_run", &said);
}

#[tokio::test]
async fn a_run_can_be_one_transaction() {
    let world = history("one_run").await;
    world.revision(
        "aaaa4",
        "aaaa3",
        "INSERT INTO a VALUES (2); INSERT INTO a VALUES (-1);",
        "",
    );
    world.write("limbeck.toml", "transaction = \"run\"\n");
    let mut said = String::new();
    let run = async |said: &mut String, args: &[&str]| {
        world
            .transcribe(said, &[&["-c", "{}/limbeck.toml"], args].concat())
            .await;
    };
    run(&mut said, &["upgrade"]).await;
    run(&mut said, &["current"]).await;
    run(&mut said, &["upgrade", "aaaa3"]).await;
    run(&mut said, &["current"]).await;
    world.revision(
        "aaaa4",
        "aaaa3",
        "-- segment: no transaction\nVACUUM a;",
        "",
    );
    run(&mut said, &["upgrade"]).await;
    run(&mut said, &["downgrade", "base"]).await;
    snapshot("one_transaction", &said);
    assert_eq!(
        world
            .query("SELECT count(*)::text FROM limbeck_log WHERE finished IS NOT NULL")
            .await,
        ["6"]
    );
}

#[tokio::test]
async fn a_revision_can_be_one_transaction() {
    let world = World::new("one_revision").await;
    world.revision("aaaa1", "", "CREATE TABLE a (x int);", "DROP TABLE a;");
    let segments = "INSERT INTO a VALUES (1);\n-- segment: transaction\nINSERT INTO a VALUES (2);";
    world.revision("aaaa2", "aaaa1", segments, "DELETE FROM a;");
    let fails = segments.replace("(2)", "(1 / 0)");
    world.revision("aaaa3", "aaaa2", &fails, "");
    world.execute("CREATE TYPE e AS ENUM ('a')").await;
    let mut said = String::new();
    for args in [
        &["upgrade", "--transaction", "revision"] as &[&str],
        &["current"],
        &["upgrade", "--dry-run"],
        &["upgrade", "--transaction", "revision", "--dry-run"],
        &[
            "upgrade",
            "aaaa1:aaaa3",
            "--transaction",
            "revision",
            "--sql",
        ],
        &["upgrade", "base:aaaa2", "--transaction", "run", "--sql"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    let fresh =
        "ALTER TYPE e ADD VALUE 'b';\n-- segment: transaction\nCREATE TABLE b (x e DEFAULT 'b');";
    world.revision("aaaa3", "aaaa2", fresh, "DROP TABLE b;");
    world.revision(
        "aaaa4",
        "aaaa3",
        "-- segment: no transaction\nVACUUM a;",
        "",
    );
    world.write(
        "limbeck.toml",
        "transaction = \"revision\"\nrevisions = [\"revisions\"]\n",
    );
    for args in [
        &["-c", "{}/limbeck.toml", "upgrade", "aaaa3"] as &[&str],
        &["-c", "{}/limbeck.toml", "upgrade"],
        &["-c", "{}/limbeck.toml", "upgrade", "aaaa3:aaaa4", "--sql"],
        &[
            "-c",
            "{}/limbeck.toml",
            "upgrade",
            "--transaction",
            "segment",
        ],
        &["current"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("one_revision", &said);
}
