//! Connection settings from everywhere they can come from, and passwords that are shown nowhere.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use limbeck_testkit::cluster;

use crate::common::{Ran, World};

/// The parts of the database's URL.
struct Parts {
    user: String,
    password: String,
    host: String,
    port: u16,
    database: String,
}

impl Parts {
    fn of(world: &World) -> Self {
        let url = world.db.url().strip_prefix("postgresql://").unwrap();
        let user_info = url.split_once('@').unwrap().0;
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            host: "127.0.0.1".to_owned(),
            port: cluster().port(),
            database: world.db.name().to_owned(),
        }
    }

    fn keywords(&self) -> String {
        let Self {
            user,
            password,
            host,
            port,
            database,
        } = self;
        format!("host={host} port = {port} user='{user}' password='{password}' dbname='{database}'")
    }
}

/// The program, in the world's folder and without settings of the tests' own environment.
fn program(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limbeck"));
    command
        .args(arguments)
        .current_dir(world.folder.path())
        .env("XDG_STATE_HOME", world.path("state"));
    for name in [
        "DATABASE_URL",
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
    ] {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn check(world: &World, arguments: &[&str], variables: &[(&str, &str)]) {
    let mut command = program(world, arguments);
    command.envs(variables.iter().copied());
    let Ran { status, err, .. } = world.run_program(&mut command);
    assert_eq!(status, 0, "{arguments:?} {variables:?}: {err}");
}

#[tokio::test]
async fn connection_settings_come_from_everywhere_psql_takes_them_from() {
    let world = World::new("settings").await;
    fs::create_dir(world.path("revisions")).unwrap();
    let parts = Parts::of(&world);
    let keywords = parts.keywords();
    let here = format!("127.0.0.1:{}", parts.port);
    let two = world
        .db
        .url()
        .replace(&here, &format!("127.0.0.1:1,{here}"));
    let service = keywords
        .replace(" = ", "=")
        .replace('\'', "")
        .replace(' ', "\n");
    let service = world.write("svc", &format!("[app]\n{service}\n"));
    check(&world, &["--url", &keywords, "current"], &[]);
    check(&world, &["--url", &two, "current"], &[]);
    check(&world, &["current"], &[("DATABASE_URL", &keywords)]);
    let named = [("PGSERVICEFILE", service.as_str())];
    check(
        &world,
        &["--url", "postgresql://?service=app", "current"],
        &named,
    );
    check(
        &world,
        &["--url", "postgresql://", "current"],
        &[named[0], ("PGSERVICE", "app")],
    );
    check(&world, &["current"], &[named[0], ("PGSERVICE", "app")]);
    let port = parts.port.to_string();
    let variables = [
        ("PGHOST", parts.host.as_str()),
        ("PGPORT", &port),
        ("PGUSER", &parts.user),
        ("PGPASSWORD", &parts.password),
        ("PGDATABASE", &parts.database),
    ];
    check(&world, &["current"], &variables);
    check(
        &world,
        &[
            "--target",
            &keywords,
            "check",
            "--quiet",
            "--url",
            "service=app",
        ],
        &named,
    );
    world.write("limbeck.toml", &format!("url = \"{keywords}\"\n"));
    check(&world, &["current"], &[]);
}

#[tokio::test]
async fn a_connection_string_need_not_stand_among_the_arguments() {
    let world = World::new("arguments").await;
    fs::create_dir(world.path("revisions")).unwrap();
    world.revision("aaaa1", "", "CREATE TABLE a ();", "DROP TABLE a;");
    let file = world.write("url", world.db.url());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    check(&world, &["--url", "@url", "current"], &[]);
    let mut command = program(&world, &["--url", "-", "upgrade"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(world.db.url().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let ran = world.run_program(&mut program(&world, &["--url", "-", "current"]));
    assert!(
        ran.err.contains("standard input: it is empty"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn the_application_name_is_kept() {
    let world = World::new("named").await;
    let sql = "INSERT INTO seen SELECT current_setting('application_name');";
    world.execute("CREATE TABLE seen (name text)").await;
    world.revision("aaaa1", "", sql, "DELETE FROM seen;");
    let joint = if world.db.url().contains('?') {
        '&'
    } else {
        '?'
    };
    let url = format!("{}{joint}application_name=deploy-42", world.db.url());
    let ran = world
        .run_bare(
            &["--url", &url, "--revisions", "{}/revisions", "upgrade"],
            None,
        )
        .await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(world.query("SELECT name FROM seen").await, ["deploy-42"]);
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_with_their_origin() {
    let world = World::new("wrong").await;
    fs::create_dir(world.path("revisions")).unwrap();
    let joint = if world.db.url().contains('?') {
        '&'
    } else {
        '?'
    };
    let with = |parameter: &str| format!("{}{joint}{parameter}", world.db.url());
    for (url, variables, expected) in [
        (
            with("sslmod=require"),
            &[][..],
            "the setting sslmod from the argument --url is not known; did you mean sslmode?",
        ),
        (
            with("schema=app"),
            &[],
            "to set the search path, write options=-c search_path=NAME",
        ),
        (
            with("target_session_attrs=standby"),
            &[],
            "the server is no standby",
        ),
        (
            with("channel_binding=require"),
            &[],
            "the driver has no channel binding",
        ),
        (
            with("service=nosuch"),
            &[("PGSYSCONFDIR", "/nosuch")],
            "which no service file defines",
        ),
        (
            with("connect_timeout=1"),
            &[("PGSSLMODE", "verifyfull")],
            "the environment variable PGSSLMODE has the invalid value verifyfull",
        ),
    ] {
        let mut command = program(&world, &["--url", &url, "current"]);
        command.envs(variables.iter().copied());
        let Ran { status, err, .. } = world.run_program(&mut command);
        assert!(
            status == 2 && err.lines().count() == 1 && err.contains(expected),
            "{err}"
        );
    }
    world.write(
        "limbeck.toml",
        "url = \"postgresql://h/d?sslmod=require\"\n",
    );
    let ran = world.run_program(&mut program(&world, &["current"]));
    assert!(
        ran.err
            .contains("the setting sslmod from url of the config file"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn no_message_shows_a_password() {
    let world = World::new("hidden").await;
    fs::create_dir(world.path("revisions")).unwrap();
    for url in [
        "postgresql://u:ses'ame@localhost:1/x",
        "postgresql://u:my sesame@localhost:1/x",
        "postgresql://u:my\"sesame@localhost:1/x",
        "postgresql://u:my`sesame@localhost:1/x",
        "postgresql://u:ses/ame@localhost:1/x",
        "postgresql://u:a@sesame@localhost:1/x",
        "host=localhost port=1 user=u password='my sesame' dbname=x",
        "host=localhost port=1 user=u password = sesame",
        "host=localhost port=1 user=u password=my sesame",
        "Host=localhost;Port=1;Username=u;Password=sesame",
        "postgres:/u:sesame@localhost/x",
        "user=u PASSWORD=sesame",
        "sesame",
    ] {
        for arguments in [["--url", url, "current"], ["diff", url, "revisions:"]] {
            let arguments: Vec<_> = ["--revisions", "{}/revisions"]
                .into_iter()
                .chain(arguments)
                .collect();
            let Ran { status, out, err } = world.run_bare(&arguments, None).await;
            assert_eq!((status, out.as_str()), (2, ""), "{err}");
            let shown = ["ses", "ame"].iter().all(|it| err.contains(it));
            // What is taken for the name of a file is shown.
            assert!(
                !shown || (url == "sesame" && arguments.contains(&"diff")),
                "{err}"
            );
        }
    }
    world.write(
        "limbeck.toml",
        "url = \"postgresql://u:${PGPASSWORD}@localhost:1/x\"\n",
    );
    let mut command = program(&world, &["current"]);
    command.env("PGPASSWORD", "my sesame");
    let ran = world.run_program(&mut command);
    assert!(
        ran.err.contains("database x on localhost:1 as u") && !ran.err.contains("sesame"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn passwords_in_answers_of_the_server_are_hidden_from_output_and_log() {
    let world = World::new("answers").await;
    let parts = Parts::of(&world);
    let role = format!("boss_{}", world.db.name());
    world
        .execute(&format!(
            "CREATE ROLE \"{role}\" LOGIN SUPERUSER PASSWORD 'hunter''55'"
        ))
        .await;
    let url = format!(
        "postgresql://{role}:hunter%2755@127.0.0.1:{}/{}",
        parts.port, parts.database
    );
    for (id, upgrade) in [
        (
            "aaaa1",
            "DO $$ BEGIN RAISE EXCEPTION 'cannot reach postgresql://u:sesame@h/d'; END $$;",
        ),
        (
            "aaaa2",
            "DO $$ BEGIN RAISE EXCEPTION 'it is hunter''55 or hunter%%2755'; END $$;",
        ),
        ("aaaa3", "ALTER ROLE nosuch_role PASSWORD 'sesame';"),
        (
            "aaaa4",
            "ALTER ROLE nosuch_role WITH ENCRYPTED PASSWORD /* x */ E'ses\\'ame';",
        ),
        (
            "aaaa5",
            "CREATE USER MAPPING FOR CURRENT_USER SERVER nosuch OPTIONS (user 'a', password 'sesame');",
        ),
        (
            "aaaa6",
            "SELECT nosuch_dblink('host=h user=u password=sesame', 'SELECT 1');",
        ),
        (
            "aaaa7",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=sesame nosuch=1' PUBLICATION p;",
        ),
        ("aaaa8", "ALTER ROLE nosuch_role PASSWORD $p$sesame$p$;"),
    ] {
        let folder = format!("revisions-{id}");
        let text = format!(
            "-- Do {id}\n--\n-- revision: {id}\n-- revises: <base>\n\n-- upgrade\n-- segment: no transaction\n{upgrade}\n\n-- downgrade\n"
        );
        world.write(&format!("{folder}/{id}.sql"), &text);
        let folder = format!("{{}}/{folder}");
        let arguments = ["--url", &url, "--revisions", &folder, "-v", "upgrade"];
        let Ran { status, out, err } = world.run_bare(&arguments, None).await;
        let log = world
            .query("SELECT coalesce(error, '') FROM limbeck_log")
            .await
            .join("\n");
        assert_ne!(status, 0, "{id}: {err}");
        for it in ["sesame'", "sesame@", "=sesame ", "hunter", "ses\\'"] {
            assert!(
                ![&out, &err, &log].iter().any(|text| text.contains(it)),
                "{id}: {it:?} is in {out}{err}{log}"
            );
        }
        world
            .execute("DROP TABLE IF EXISTS limbeck_log, limbeck_version")
            .await;
    }
    world
        .execute(&format!("REASSIGN OWNED BY \"{role}\" TO CURRENT_USER; DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""))
        .await;
}
