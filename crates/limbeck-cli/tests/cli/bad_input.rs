//! Bad input: one line that names the thing and the remedy, exit status 2, nothing half-written, no password.

use std::process::Command;

use crate::common::{Ran, World};
use limbeck_testkit::{Binaries, Cluster, TestDb};

/// Names and contents.
type Files = &'static [(&'static str, &'static str)];

/// Checks that a command line failed with one line that holds all of `expected`.
#[track_caller]
fn check(ran: &Ran, expected: &[&str]) {
    let Ran { status, out, err } = ran;
    assert_eq!((*status, out.as_str()), (2, ""), "{err}");
    assert!(
        err.starts_with("error: ") && err.lines().count() == 1 && !err.contains("secret"),
        "{err}"
    );
    for it in expected {
        assert!(err.contains(it), "{it:?} is not in {err}");
    }
}

#[tokio::test]
async fn servers_that_cannot_be_reached_are_named_without_the_password() {
    let world = World::new("unreachable").await;
    let bare = async |url: &str| {
        world
            .run_bare(&["--url", url, "--revisions", "{}", "current"], None)
            .await
    };
    check(
        &bare("postgresql://me:secret@127.0.0.1:1/x").await,
        &[
            "cannot connect to database x on 127.0.0.1:1 as me: Connection refused",
            "is the server running",
        ],
    );
    check(
        &bare("postgresql://me:sec/secret@127.0.0.1:1/x").await,
        &[
            "the argument --url",
            "in user and password / is written as %2F",
        ],
    );
    check(
        &bare("mysql://me:secret@h/x").await,
        &[
            "it is neither a URL nor a list",
            "postgresql://user@host:port/database",
        ],
    );
    let missing = world.db.url().replace(world.db.name(), "nosuch");
    check(
        &bare(&missing).await,
        &["database \"nosuch\" does not exist; create the database first"],
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such() {
    let world = World::new("password").await;
    // A server of its own, since the others of the tests ask nobody for a password.
    let cluster = Cluster::start(&Binaries::find().unwrap()).unwrap();
    let db = TestDb::create_in(&cluster, "password", "template0")
        .await
        .unwrap();
    let demand = "CREATE ROLE me LOGIN PASSWORD 'right';
        CREATE TEMPORARY TABLE hba AS SELECT 'host all me all scram-sha-256' AS line UNION ALL
        SELECT unnest(string_to_array(pg_read_file(current_setting('hba_file')), E'\\n'));
        DO $$ BEGIN EXECUTE format('COPY hba TO %L', current_setting('hba_file')); END $$;
        SELECT pg_reload_conf();";
    let mut conn = db.connect().await.unwrap();
    sqlx::raw_sql(demand).execute(&mut conn).await.unwrap();
    let url = db.url_as("me", "secret");
    // The server takes a moment to read the file again.
    let ran = loop {
        let ran = world
            .run_bare(&["--url", &url, "--revisions", "{}", "current"], None)
            .await;
        if ran.status != 0 {
            break ran;
        }
    };
    check(
        &ran,
        &[
            " as me: ",
            "password authentication failed",
            "check user and password",
        ],
    );
}

#[tokio::test]
async fn missing_permissions_are_named_with_the_object() {
    let world = World::new("permission").await;
    world.revision("aaaa1", "", "CREATE TABLE a ();", "");
    let role = format!("reader_{}", world.db.name().replace('-', "_"));
    world
        .execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN PASSWORD 'reader'; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
    let url = world.db.url_as(&role, "reader");
    let ran = world
        .run_bare(
            &["--url", &url, "--revisions", "{}/revisions", "upgrade"],
            None,
        )
        .await;
    world.execute(&format!("DROP ROLE \"{role}\"")).await;
    let err = ran.err.lines().last().unwrap_or_default().to_owned() + "\n";
    check(
        &Ran { err, ..ran },
        &[
            "create the version table public.limbeck_version",
            "permission denied for schema public",
        ],
    );
}

#[tokio::test]
async fn mistakes_in_models_are_named_with_their_place() {
    let world = World::new("models").await;
    let column = r#"{"name": "id", "type": "int"}"#;
    let table =
        |name: &str, more: &str| format!(r#"{{"name": "{name}", "columns": [{column}]{more}}}"#);
    let long = "x".repeat(64);
    let cases: &[(String, &[&str])] = &[
        (
            r#"{"limbeck": 1, "tables": ["#.to_owned(),
            &["models.json:1:"],
        ),
        (r#"{"limbeck": 2}"#.to_owned(), &["models.json", "version"]),
        ("[]".to_owned(), &["models.json:1:1", "\"limbeck\": 1"]),
        (
            format!(
                r#"{{"limbeck": 1, "tables": [{}, {}]}}"#,
                table("t", ""),
                table("t", "")
            ),
            &["table t", "twice"],
        ),
        (
            format!(
                r#"{{"limbeck": 1, "tables": [{}]}}"#,
                table("t", r#", "indexes": [{"elements": ["nosuch"]}]"#)
            ),
            &["tables[0]", "nosuch"],
        ),
        (
            format!(r#"{{"limbeck": 1, "tables": [{}]}}"#, table(&long, "")),
            &["tables[0]", "63"],
        ),
    ];
    for (text, expected) in cases {
        let models = world.write("models.json", text);
        check(&world.run(&["check", "--target", &models]).await, expected);
        check(
            &world
                .run(&["revision", "--autogenerate", "-m", "x", "--target", &models])
                .await,
            expected,
        );
    }
    assert!(!world.path("revisions").exists());
    check(
        &world.run(&["check", "--target", "{}/nosuch.json"]).await,
        &["DIR/nosuch.json"],
    );
    check(
        &world.run(&["check", "--target", "models.yaml"]).await,
        &["models.yaml", "supported are"],
    );
    check(
        &world.run(&["check", "--target", "nosuch.sql"]).await,
        &["cannot read nosuch.sql"],
    );
    check(&world.run(&["check"]).await, &["--target models.json"]);
    check(
        &world
            .run(&["check", "--target", "cmd:nosuch-program"])
            .await,
        &["\"nosuch-program\" cannot be run"],
    );
    check(
        &world.run(&["-c", "{}/nosuch.toml", "check"]).await,
        &["DIR/nosuch.toml"],
    );
    let config = world.write(
        "limbeck.toml",
        "url = 'postgresql://me:secret@h/x'\nrevision = []\n",
    );
    check(
        &world.run(&["-c", &config, "check"]).await,
        &["DIR/limbeck.toml:2: unknown field `revision`"],
    );
}

#[tokio::test]
async fn mistakes_in_revision_files_are_named_with_file_and_line() {
    let world = World::new("files").await;
    let cases: &[(Files, &[&str])] = &[
        (&[("a.sql", "SELECT 1;\n")], &["a.sql", "is not a revision"]),
        (
            &[(
                "a.sql",
                "-- revision: a1\n-- revises: <base>\n\n-- upgrade\nSELECT 'open;\n\n-- downgrade\n",
            )],
            &["a.sql:5", "closing '"],
        ),
        (
            &[(
                "a.sql",
                "-- revision: a1\n-- revises: <base>\n-- rewises: x\n-- upgrade\n-- downgrade\n",
            )],
            &["a.sql:3"],
        ),
        (
            &[
                (
                    "a.sql",
                    "-- revision: a1\n-- revises: <base>\n\n-- upgrade\n-- downgrade\n",
                ),
                (
                    "b.sql",
                    "-- revision: a1\n-- revises: <base>\n\n-- upgrade\n-- downgrade\n",
                ),
            ],
            &["a1", "a.sql", "b.sql", "another id"],
        ),
        (
            &[(
                "a.sql",
                "-- revision: a1\n-- revises: a0\n\n-- upgrade\n-- downgrade\n",
            )],
            &["revision a0", "a.sql", "restore"],
        ),
    ];
    for (files, expected) in cases {
        let _ = std::fs::remove_dir_all(world.path("revisions"));
        for (name, text) in *files {
            world.write(&format!("revisions/{name}"), text);
        }
        check(&world.run(&["upgrade"]).await, expected);
    }
    std::fs::remove_dir_all(world.path("revisions")).unwrap();
    check(
        &world.run(&["upgrade"]).await,
        &["DIR/revisions", "limbeck init"],
    );
    check(
        &world.run(&["revision", "-m", "x", "--rev-id", "a b"]).await,
        &["\"a b\""],
    );
    assert!(!world.path("revisions").exists());
}

#[tokio::test]
async fn folders_that_cannot_be_written_are_named() {
    let world = World::new("unwritable").await;
    let file = world.write("file", "");
    let inside = format!("{file}/revisions");
    let ran = world
        .run_bare(
            &[
                "--url",
                world.db.url(),
                "--revisions",
                &inside,
                "revision",
                "-m",
                "x",
            ],
            None,
        )
        .await;
    check(
        &ran,
        &[
            "cannot write DIR/file/revisions/",
            "a file stands where its folder should be",
        ],
    );
    check(
        &world.run_bare(&["init", &inside], None).await,
        &["DIR/file/revisions", "cannot create the folder"],
    );
}

#[tokio::test]
async fn a_full_disk_leaves_no_file_behind() {
    let world = World::new("full").await;
    std::fs::create_dir(world.path("revisions")).unwrap();
    // A file may have no bytes here, which the program meets as it meets a full disk: in the middle of writing.
    let script = format!(
        "trap '' XFSZ; ulimit -f 0; exec '{}' --url '{}' --revisions '{}' revision -m full",
        env!("CARGO_BIN_EXE_limbeck"),
        world.db.url(),
        world.path("revisions").display()
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(
        err.starts_with("error: cannot write ")
            && err.contains("nothing was changed")
            && err.lines().count() == 1,
        "{err}"
    );
    assert_eq!(
        std::fs::read_dir(world.path("revisions")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn a_lost_connection_says_what_to_do() {
    let world = World::new("lost").await;
    world.revision(
        "aaaa1",
        "",
        "CREATE TABLE a ();\nSELECT pg_terminate_backend(pg_backend_pid());",
        "",
    );
    let ran = world.run(&["-q", "upgrade"]).await;
    check(
        &ran,
        &[
            "connection was lost during the upgrade of revision aaaa1",
            "aaaa1.sql:8",
            "limbeck current",
        ],
    );
}

#[tokio::test]
async fn the_program_itself_ends_with_the_right_status() {
    let folder = tempfile::tempdir().unwrap();
    let limbeck = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limbeck"));
        command
            .args(args)
            .current_dir(folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("PGHOST");
        command
    };
    let output = limbeck(&["current"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (
            output.status.code(),
            err.starts_with("error: no database is named; pass --url")
        ),
        (Some(2), true),
        "{err}"
    );
    assert_eq!(
        limbeck(&["nosuch"]).output().unwrap().status.code(),
        Some(2)
    );
    let help = limbeck(&["--help"]).output().unwrap();
    assert_eq!(
        (help.status.code(), help.stderr.is_empty()),
        (Some(0), true)
    );
    if let Ok(full) = std::fs::File::options().write(true).open("/dev/full") {
        let output = limbeck(&["ensure-version", "--sql"])
            .stdout(full)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (
                output.status.code(),
                err.starts_with("error: cannot write the result: ")
            ),
            (Some(2), true),
            "{err}"
        );
    }
}
