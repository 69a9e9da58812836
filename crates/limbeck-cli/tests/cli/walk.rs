//! The whole path on a real server, as a person walks it.

use crate::common::{World, snapshot};
use limbeck_metadata::{Column, MetaData, Table};
use limbeck_testkit::{dump_objects, pg_dump};

const MODELS: &str = r#"{
  "limbeck": 1,
  "enums": [{"name": "status", "labels": ["open", "closed"]}],
  "tables": [{
    "name": "account",
    "comment": "people who can sign in",
    "columns": [
      {"name": "id", "type": "bigint", "identity": {}},
      {"name": "email", "type": "varchar(255)", "nullable": false},
      {"name": "status", "type": "status", "nullable": false, "default": "'open'"}
    ],
    "primary_key": {"columns": ["id"]},
    "uniques": [{"columns": ["email"]}],
    "checks": [{"name": "email_set", "expression": "email <> ''"}],
    "indexes": [{"elements": ["status"]}]
  }]
}"#;

/// The same with one column more, and a default less.
fn edited() -> String {
    MODELS
        .replace(
            r#""nullable": false, "default": "'open'"}"#,
            r#""nullable": false}, {"name": "note", "type": "text"}"#,
        )
        .replace("people who can sign in", "people")
}

#[tokio::test]
async fn models_become_revisions_and_revisions_a_database() {
    let world = World::new("walk").await;
    world.write("models.json", MODELS);
    let mut said = String::new();
    let target = ["--target", "{}/models.json"];
    let autogenerate = |message, id| {
        let mut args = vec!["revision", "--autogenerate", "-m", message, "--rev-id", id];
        args.extend_from_slice(&target);
        args
    };
    world
        .transcribe(&mut said, &["check", target[0], target[1]])
        .await;
    world
        .transcribe(&mut said, &autogenerate("First tables", "aaaa0001"))
        .await;
    world
        .transcribe(&mut said, &autogenerate("Too early", "aaaa0009"))
        .await;
    world.transcribe(&mut said, &["upgrade"]).await;
    world
        .transcribe(&mut said, &["check", target[0], target[1]])
        .await;
    world
        .transcribe(&mut said, &autogenerate("Nothing", "aaaa0009"))
        .await;
    let first = pg_dump(world.db.url()).unwrap();
    world.write("models.json", &edited());
    world
        .transcribe(&mut said, &["diff", target[0], target[1]])
        .await;
    world
        .transcribe(&mut said, &autogenerate("Add notes", "aaaa0002"))
        .await;
    world.transcribe(&mut said, &["upgrade"]).await;
    world.transcribe(&mut said, &["upgrade"]).await;
    world
        .transcribe(&mut said, &["check", target[0], target[1]])
        .await;
    world.transcribe(&mut said, &["current", "-v"]).await;
    world.transcribe(&mut said, &["history", "-i"]).await;
    world.transcribe(&mut said, &["downgrade"]).await;
    let back = pg_dump(world.db.url()).unwrap();
    assert_eq!(dump_objects(&back), dump_objects(&first));
    world.transcribe(&mut said, &["current"]).await;
    world.transcribe(&mut said, &["downgrade", "base"]).await;
    world.transcribe(&mut said, &["inspect"]).await;
    snapshot("walk", &said);
    let file = std::fs::read_to_string(world.path("revisions/aaaa0002_add_notes.sql")).unwrap();
    snapshot("walk_second_revision", &file);
}

#[tokio::test]
async fn status_commands_print_as_alembic_does() {
    let world = World::new("status").await;
    world.revision("aaaa1", "", "CREATE TABLE a ();", "DROP TABLE a;");
    world.revision("aaaa2", "aaaa1", "", "");
    world.revision("aaaa3", "aaaa1", "-- segment: no transaction\nVACUUM;", "");
    let mut said = String::new();
    for args in [
        &["heads"] as &[&str],
        &["heads", "-v"],
        &["history"],
        &["log", "-r", "aaaa1:aaaa2"],
        &["history", "-r", "aaaa1"],
        &["branches"],
        &["show", "aaaa2"],
        &["upgrade", "head"],
        &["upgrade", "aaaa2"],
        &["current"],
        &["current", "--check-heads"],
        &["history", "-r", "-1:current", "-i"],
        &["revision", "-m", "late", "--rev-id", "aaaa9"],
        &[
            "revision", "-m", "late", "--rev-id", "aaaa9", "--head", "aaaa1",
        ],
        &["merge", "aaaa2"],
        &["merge", "--rev-id", "aaaa4"],
        &["upgrade", "-q"],
        &["upgrade", "--json"],
        &["current", "--check-heads"],
        &[
            "revision",
            "side",
            "--rev-id",
            "bbbb1",
            "--head",
            "base",
            "--branch-label",
            "side",
            "--depends-on",
            "aaaa4",
        ],
        &["upgrade", "side@head"],
        &["current"],
        &["current", "--json"],
        &["stamp", "aaaa4", "--purge"],
        &["heads", "--resolve-dependencies"],
        &["downgrade", "-1"],
        &["downgrade", "--sql", "aaaa3:aaaa1"],
        &["downgrade", "--sql"],
        &["upgrade", "aaaa1:aaaa2"],
        &["upgrade", "nosuch"],
        &["ensure-version", "--sql"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("status", &said);
}

#[tokio::test]
async fn a_program_brings_its_models_along() {
    let world = World::new("embedded").await;
    let metadata = || {
        MetaData::new().table(
            Table::new("thing")
                .column(Column::new("id", "int").identity())
                .primary_key(["id"]),
        )
    };
    let ran = world
        .run_bare(&["check", "--url", world.db.url()], Some(metadata()))
        .await;
    assert_eq!(
        (ran.status, ran.out.contains("create table thing")),
        (1, true),
        "{}",
        ran.err
    );
    world.execute("CREATE TABLE thing (id int GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_thing PRIMARY KEY)").await;
    let ran = world
        .run_bare(
            &["check", "--url", world.db.url(), "--json"],
            Some(metadata()),
        )
        .await;
    assert_eq!((ran.status, ran.out.as_str()), (0, "[]\n"), "{}", ran.err);
}

#[tokio::test]
async fn a_database_can_be_the_target() {
    let (world, other) = (World::new("target").await, World::new("target").await);
    other
        .execute("CREATE TABLE t1 (id int); CREATE VIEW unseen AS SELECT 1")
        .await;
    let ran = world.run(&["check", "--target", other.db.url()]).await;
    assert_eq!(
        (ran.status, ran.out.contains("create table t1")),
        (1, true),
        "{}",
        ran.err
    );
    world
        .ok(&[
            "revision",
            "--autogenerate",
            "-m",
            "as there",
            "--target",
            other.db.url(),
        ])
        .await;
    world.ok(&["upgrade"]).await;
    world.ok(&["check", "--target", other.db.url()]).await;
}

#[tokio::test]
async fn a_program_can_print_the_models() {
    let world = World::new("program").await;
    world.write("models.json", MODELS);
    let script = world.write(
        "emit.sh",
        "echo said >&2; test \"$LIMBECK_X_which\" = models && cat \"$1\"\n",
    );
    let target = format!("cmd:sh {script} '{}'", world.path("models.json").display());
    let ran = world
        .run(&["check", "--target", &target, "-x", "which=models"])
        .await;
    assert_eq!(
        (ran.status, ran.out.contains("create table account")),
        (1, true),
        "{}",
        ran.err
    );
    let ran = world.run(&["check", "--target", &target]).await;
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (
            2,
            "error: the program \"sh\" failed (exit status: 1): said\n"
        )
    );
}

#[tokio::test]
async fn init_and_the_config_file_are_enough_to_work() {
    let world = World::new("init").await;
    let ran = world.run_bare(&["init", "{}/app"], None).await;
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "DIR/app/limbeck.toml\nDIR/app/revisions\n")
    );
    let ran = world.run_bare(&["init", "{}/app"], None).await;
    assert_eq!(
        (
            ran.status,
            ran.err.contains("DIR/app/limbeck.toml exists already")
        ),
        (2, true),
        "{}",
        ran.err
    );
    // The file as it is written is a valid one, and so is what its comments show.
    let written = std::fs::read_to_string(world.path("app/limbeck.toml")).unwrap();
    let shown: String = written
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(it) if it.contains(" = ") || it.starts_with("[[") => format!("{it}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(
        shown.contains("\n[[post_write_hooks]]\n") && shown.contains("\ntarget = "),
        "{shown}"
    );
    let shown = shown
        .replace(
            "postgresql://me:${PGPASSWORD}@localhost/app",
            world.db.url(),
        )
        .replace("pg_format", "true");
    world.write("app/limbeck.toml", &shown);
    world.write("app/models.json", MODELS);
    let config = ["-c", "{}/app/limbeck.toml"];
    let args = ["revision", "--autogenerate", "first", config[0], config[1]];
    let ran = world.run_program(world.program(&args).env("LIMBECK_ALLOW", "1"));
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("DIR/app/revisions/") && ran.out.ends_with("_first.sql\n"),
        "{}",
        ran.out
    );
    let ran = world
        .run_bare(&[config[0], config[1], "upgrade", "head"], None)
        .await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(
        world
            .query("SELECT count(*)::text FROM limbeck_version")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn hooks_run_on_the_new_file_and_their_failure_is_told() {
    let world = World::new("hooks").await;
    let hook =
        |command: &str| format!("[[post_write_hooks]]\nname = \"stamp\"\ncommand = {command}\n");
    let config = world.write(
        "limbeck.toml",
        &hook(r#"["sh", "-c", "echo '-- seen' >> \"$0\"", "{file}"]"#),
    );
    let run = |message: &str, id: &str| {
        let revisions = world.path("revisions").display().to_string();
        let args = [
            "-c",
            &config,
            "--revisions",
            &revisions,
            "revision",
            "-m",
            message,
            "--rev-id",
            id,
        ];
        world.run_program(world.program(&args).env("LIMBECK_ALLOW", "1"))
    };
    let ran = run("one", "aaaa1");
    assert_eq!(ran.status, 0, "{}", ran.err);
    let file = world.path(ran.out.trim().trim_start_matches("DIR/"));
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .ends_with("-- seen\n")
    );
    world.write(
        "limbeck.toml",
        &hook(r#"["sh", "-c", "echo no >&2; exit 3"]"#),
    );
    let ran = run("two", "aaaa2");
    let expected = "error: post-write hook \"stamp\" failed (exit status: 3): no; DIR/revisions/aaaa2_two.sql is written and stays\n";
    assert_eq!((ran.status, ran.err.as_str()), (2, expected));
    assert!(world.path("revisions/aaaa2_two.sql").exists());
}

#[tokio::test]
async fn hazards_are_accepted_where_the_config_file_asks_for_it() {
    let world = World::new("review").await;
    let config = world.write("limbeck.toml", "review = \"hazards\"\n");
    world.revision(
        "aaaa1",
        "",
        "CREATE TABLE a ();",
        "-- hazard deletes-data: every row is lost\nDROP TABLE a;",
    );
    world.ok(&["-c", &config, "upgrade"]).await;
    let ran = world.run(&["-c", &config, "downgrade"]).await;
    assert_eq!(
        (
            ran.status,
            ran.err.contains("states hazards (deletes-data)")
        ),
        (2, true),
        "{}",
        ran.err
    );
    world
        .ok(&["-c", &config, "downgrade", "--accept-hazards"])
        .await;
}
