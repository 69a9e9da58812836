//! Names, comments and texts of strangers: nothing in them becomes SQL, leaves its line, or commands a terminal.

use crate::common::{Ran, World};
use limbeck_sql::is_hidden;
use limbeck_testkit::{TestDb, psql};

/// What ends a line for PostgreSQL, psql, editors or terminals.
const LINE_ENDS: &[&str] = &[
    "\n", "\r", "\r\n", "\n\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\u{1e}",
];

/// Sets a terminal's title, clears the screen (in both forms), turns the letters around, and hides.
const COMMANDS: &str = "\u{1b}]0;owned\u{7}\u{9b}2J\u{7f}\u{202e}\u{200b}\u{2066}\u{feff}\t";

const NO_MODELS: &str = r#"{"limbeck": 1, "tables": []}"#;

/// A role that has nothing to lose. Its name is short, since it has to fit into other names.
async fn mallory(world: &World) -> String {
    let name = world.db.name();
    let role = format!("m_{}", name[name.len() - 12..].replace('-', "_"));
    world.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    role
}

/// Whether the role became a superuser.
async fn is_superuser(world: &World, role: &str) -> bool {
    let sql = format!("SELECT rolsuper::text FROM pg_roles WHERE rolname = '{role}'");
    world.query(&sql).await == ["true"]
}

/// Quotes a name.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[tokio::test]
async fn no_line_end_in_a_name_leaves_the_line_that_shows_it() {
    let world = World::new("line_ends").await;
    let role = mallory(&world).await;
    let grab = format!("ALTER ROLE {role} SUPERUSER; --");
    world.write("models.json", NO_MODELS);
    world.write("revisions/.keep", "");
    let mut statements = Vec::new();
    for (at, end) in LINE_ENDS.iter().enumerate() {
        let name = quoted(&format!("{at}{end}{grab}"));
        let text = format!("x{end}{grab}");
        statements.push(format!(
            "CREATE TABLE {name} (a int CHECK (a::text <> '{text}'), {name} int DEFAULT length('{text}'));
             COMMENT ON TABLE {name} IS '{text}'; CREATE TYPE {} AS ENUM ('{text}');
             CREATE VIEW {} AS SELECT * FROM {name}",
            quoted(&format!("{at}e{end}{grab}")),
            quoted(&format!("{at}v{end}{grab}")),
        ));
    }
    world.execute(&statements.join(";")).await;
    let before = world.ok(&["inspect", "--json"]).await;
    let target = ["--target", "{}/models.json"];
    let script = world.run(&[&["diff"], &target[..]].concat()).await.out;
    assert!(
        !script.contains(['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}']),
        "{script}"
    );
    for line in script.lines() {
        assert!(!line.starts_with("ALTER ROLE"), "{script}");
    }
    // Views stand in the way of the tables, so the proof does not hold, but it runs.
    let new = [
        "revision",
        "--autogenerate",
        "-m",
        "harmless",
        "--rev-id",
        "aaaa1",
    ];
    let ran = world.run(&[&new, &target[..]].concat()).await;
    assert!(!is_superuser(&world, &role).await, "{}", ran.err);
    let sql = world.ok(&["upgrade", "--sql"]).await;
    let other = TestDb::create("line_ends_psql").await;
    let _ = psql(other.url(), &sql);
    world
        .execute(
            &LINE_ENDS
                .iter()
                .enumerate()
                .map(|(at, end)| format!("DROP VIEW {}", quoted(&format!("{at}v{end}{grab}"))))
                .collect::<Vec<_>>()
                .join(";"),
        )
        .await;
    let ran = world.run(&["upgrade"]).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(
        world.run(&[&["check"], &target[..]].concat()).await.status,
        0
    );
    let ran = world.run(&["downgrade", "base"]).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(world.ok(&["inspect", "--json"]).await, before);
    assert!(!is_superuser(&world, &role).await);
    world.execute(&format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn no_line_end_in_a_header_leaves_its_line() {
    let world = World::new("header_ends").await;
    world.write("revisions/.keep", "");
    for (at, end) in LINE_ENDS.iter().enumerate() {
        let id = format!("aaaa{at}");
        let message = format!("one{end}ALTER ROLE x; --");
        let ran = world
            .run(&["revision", "-m", &message, "--rev-id", &id])
            .await;
        assert_eq!(ran.status, 0, "{}", ran.err);
    }
    world.run(&["merge", "-m", "a\rDROP TABLE x;"]).await;
    for name in world.written() {
        let text = std::fs::read_to_string(world.path("revisions").join(&name)).unwrap();
        let hidden = |c: char| is_hidden(c) && c != '\n';
        assert!(!text.contains(hidden), "{name}: {text:?}");
        let statements = limbeck_sql::split(&text).unwrap();
        assert!(statements.is_empty(), "{name}: {statements:?}");
    }
    let sql = world.ok(&["upgrade", "--sql"]).await;
    psql(world.db.url(), &sql).unwrap();
    let squashed = world.run(&["squash", ":", "--dry-run"]).await;
    assert_eq!(squashed.status, 0, "{}", squashed.err);
    assert!(
        limbeck_sql::split(&squashed.out).unwrap().is_empty(),
        "{}",
        squashed.out
    );
}

/// A database and a folder in which everything that has a name or a text has control characters in it.
async fn hostile_world(label: &str) -> World {
    let world = World::new(label).await;
    let name = |what: &str| quoted(&format!("{what}{COMMANDS}\r\n"));
    let text = format!("text{COMMANDS}\r\n\\x");
    world
        .execute(&format!(
            "CREATE TYPE {ty} AS ENUM ({text}, 'b');
             CREATE TABLE {table} ({column} {ty} DEFAULT {text}, b text CONSTRAINT {check} CHECK (b <> {text}));
             COMMENT ON TABLE {table} IS {text}; CREATE INDEX {index} ON {table} (({column} = {text}));
             CREATE VIEW {view} AS SELECT b FROM {table}; CREATE FUNCTION {function}() RETURNS int LANGUAGE sql
             AS 'SELECT 1'",
            ty = name("ty"),
            table = name("table"),
            column = name("column"),
            check = name("check"),
            index = name("index"),
            view = name("view"),
            function = name("function"),
            text = format!("E'{}'", text.replace('\\', "\\\\")),
        ))
        .await;
    world.write("models.json", NO_MODELS);
    world.write(&format!("models{COMMANDS}.json"), "{");
    let header = |id: &str, revises: &str, labels: &str| {
        format!(
            "-- Do {COMMANDS}\r{id}\n-- more {COMMANDS}\n--\n-- revision: {id}\n-- revises: {revises}\n{labels}\
             -- created: {COMMANDS}\n-- review: hazards {COMMANDS}\n"
        )
    };
    let up = format!(
        "-- hazard may-fail: {COMMANDS}\nCREATE TABLE \"t{COMMANDS}\" (a text DEFAULT '{COMMANDS}');"
    );
    let first = header("aaaa1", "<base>", "");
    let down = format!("DROP TABLE \"t{COMMANDS}\";");
    world.write(
        "revisions/a.sql",
        &format!("{first}\n-- upgrade\n{up}\n\n-- downgrade\n{down}\n"),
    );
    let second = header("aaaa2", "aaaa1", "-- branch labels: side\n");
    let fails =
        format!("DO $$ BEGIN RAISE EXCEPTION '%', '{COMMANDS}'; END $$;\nSELECT \"{COMMANDS}\";");
    world.write(
        "revisions/b.sql",
        &format!("{second}\n-- upgrade\n{fails}\n\n-- downgrade\n"),
    );
    world
}

/// Every command that prints, with what it prints most of.
const COMMAND_LINES: &[&[&str]] = &[
    &["check", "--target", "{}/models.json"],
    &["check", "--json", "--target", "{}/models.json"],
    &["diff", "--target", "{}/models.json"],
    &["diff", "--reverse", "--target", "{}/models.json"],
    &["diff", "--json", "--target", "{}/models.json"],
    &["check", "--target", "{}/models\u{1b}[2J.json"],
    &["inspect"],
    &["inspect", "--json"],
    &["inspect", "--format", "sql"],
    &["inspect", "--format", "json"],
    &["inspect", "--format", "rust"],
    &["inspect", "--format", "json", "-o", "{}/written\u{1b}.json"],
    &["inspect", "--format", "sql", "-o", "/dev/stdout"],
    &["history"],
    &["history", "-v"],
    &["history", "--graph", "-v"],
    &["history", "--json"],
    &["history", "--format", "dot"],
    &["history", "--format", "mermaid"],
    &["show", "aaaa1"],
    &["heads", "-v"],
    &["branches", "-v"],
    &["upgrade", "--sql"],
    &["upgrade", "--dry-run"],
    &["upgrade", "-v", "aaaa1"],
    &["current", "-v"],
    &["upgrade", "-v"],
    &["locate"],
    &["verify"],
    &["stamp", "aaaa2"],
    &["squash", "aaaa1:aaaa1", "--dry-run"],
    &["downgrade", "--sql", "aaaa1:base"],
    &["downgrade", "-v", "base"],
    &["merge", "-m", "\u{1b}[2J"],
    &["revision", "-m", "\u{1b}[2J\u{202e}", "--rev-id", "\u{1b}"],
    &[
        "revision",
        "--autogenerate",
        "--from",
        "revisions:aaaa1",
        "--no-proof",
        "-m",
        "\u{1b}[2J",
        "--target",
        "{}/models.json",
    ],
    &["rebase", "\u{1b}[2J"],
    &["db", "destroy", "--target", "{}/models.json"],
    &["--target", "\u{1b}[2J", "check"],
    &["nosuch\u{1b}[2J"],
    &["-c", "{}/\u{1b}[2J.toml", "check"],
    &["allow", "{}/\u{1b}[2J.toml"],
];

#[track_caller]
fn check_shown(args: &[&str], shown: &str) {
    let hidden: Vec<char> = shown
        .chars()
        .filter(|it| is_hidden(*it) && *it != '\n')
        .collect();
    // JSON and SQL are laid out with tabs nowhere, and no name brings one.
    assert!(hidden.is_empty(), "{args:?}: {hidden:?} in {shown:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_control_character_reaches_a_terminal_or_a_pipe() {
    let world = hostile_world("terminal").await;
    for args in COMMAND_LINES {
        let all = [&["--revisions", "{}/revisions", "--color", "never"], *args].concat();
        let Ran { out, err, .. } = world.run_program(&mut world.program(&all));
        for shown in [&out, &err] {
            check_shown(args, shown);
        }
        let ran = world.on_terminal(&mut world.program(&all), "");
        assert!(
            !(out.is_empty() && err.is_empty() && ran.out.is_empty()),
            "{args:?}"
        );
        check_shown(args, &ran.out);
    }
}

#[tokio::test]
async fn what_is_shown_without_control_characters_means_the_same() {
    let world = hostile_world("same").await;
    world
        .execute(&format!(
            "DROP VIEW {}",
            quoted(&format!("view{COMMANDS}\r\n"))
        ))
        .await;
    let script = world.ok(&["inspect", "--format", "sql"]).await;
    let other = TestDb::create("same_psql").await;
    psql(other.url(), &script).unwrap();
    let ran = world.run(&["check", "--target", other.url()]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
    world
        .ok(&["inspect", "--format", "sql", "-o", "{}/written.sql"])
        .await;
    let ran = world.run(&["check", "--target", "{}/written.sql"]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
    let undo = world
        .run(&["diff", "--target", "{}/models.json", "--reverse"])
        .await
        .out;
    let gone = world.run(&["diff", "--target", "{}/models.json"]).await.out;
    psql(other.url(), &gone).unwrap();
    psql(other.url(), &undo).unwrap();
    let ran = world.run(&["check", "--target", other.url()]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
    let json = world.ok(&["inspect", "--format", "json"]).await;
    world.write("shown.json", &json);
    let ran = world.run(&["check", "--target", "{}/shown.json"]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
}

#[tokio::test]
async fn psql_finds_neither_its_variables_nor_its_commands_in_a_script() {
    let world = World::new("psql").await;
    world
        .execute(
            "CREATE TABLE a (\"USER\" int, \"\\! touch x\" text DEFAULT '\\! touch y', n int[],
             CONSTRAINT c CHECK (n[1:\"USER\"] <> '{}' AND n[\"USER\":2] IS NOT NULL));
             COMMENT ON TABLE a IS ':USER :''USER'' :\"USER\" \\q'",
        )
        .await;
    let script = world.ok(&["inspect", "--format", "sql"]).await;
    let other = TestDb::create("psql_other").await;
    psql(other.url(), &format!("\\set 2 1\n{script}")).unwrap();
    let ran = world.run(&["check", "--target", other.url()]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
    let up = "-- \\! touch z\nCREATE TABLE b (\"USER\" int, n int[] CHECK (n[1:\"USER\"] IS NOT NULL)); -- :USER\n\
              CREATE FUNCTION f(n int[], USERS int) RETURNS int[] LANGUAGE sql AS $$ SELECT n[1:USERS] $$;";
    let ran = world.run(&["upgrade"]).await;
    assert_eq!(ran.status, 2, "{}", ran.out);
    world.revision("aaaa1", "", up, "");
    let sql = world.ok(&["upgrade", "--sql"]).await;
    psql(other.url(), &sql).unwrap();
    world.ok(&["upgrade"]).await;
    let ran = world.run(&["check", "--target", other.url()]).await;
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
}
