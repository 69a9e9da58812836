//! Programs and servers that a config file names: asked about on a terminal, refused elsewhere, remembered until an edit.

use std::path::Path;

use crate::common::{Ran, World, copy};

/// A config file whose models a program prints, with the lines that a test adds.
fn config(world: &World, more: &str) -> String {
    world.write("models.json", r#"{"limbeck": 1, "tables": []}"#);
    world.write("models.sh", "echo ran >> \"$1.ran\"; cat \"$1\"\n");
    let (script, models) = (world.path("models.sh"), world.path("models.json"));
    let target = format!(
        "target = \"cmd:sh {} {}\"\n",
        script.display(),
        models.display()
    );
    world.write("limbeck.toml", &format!("{target}{more}"))
}

/// How often the program of the config file ran.
fn runs(world: &World) -> usize {
    let text = std::fs::read_to_string(world.path("models.json.ran")).unwrap_or_default();
    text.lines().count()
}

/// Runs a command line with the config file, on no terminal.
fn run(world: &World, args: &[&str]) -> Ran {
    world.run_program(&mut world.program(&[&["-c", "{}/limbeck.toml"], args].concat()))
}

/// Checks that a command line is refused with one line, and that nothing ran.
#[track_caller]
fn check_refused(world: &World, args: &[&str], would: &str) {
    let before = runs(world);
    let ran = run(world, args);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{}", ran.err);
    let begin = format!("error: DIR/limbeck.toml is not allowed yet and would {would}");
    assert!(
        ran.err.starts_with(&begin)
            && ran.err.contains("`limbeck allow DIR/limbeck.toml`")
            && ran.err.lines().count() == 1,
        "{}",
        ran.err
    );
    assert_eq!(runs(world), before);
}

#[tokio::test]
async fn a_program_of_a_config_file_runs_once_it_is_allowed_and_until_an_edit() {
    let world = World::new("allow").await;
    config(&world, "");
    let would = "run `sh DIR/models.sh DIR/models.json` (target); read the file";
    check_refused(&world, &["check"], would);
    check_refused(&world, &["revision", "--autogenerate", "-m", "x"], would);
    assert!(!world.path("state").exists() && !world.path("revisions").exists());

    let ran = run(&world, &["allow"]);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "allowed DIR/limbeck.toml\n")
    );
    assert_eq!(
        ran.err,
        "it may now run `sh DIR/models.sh DIR/models.json` (target)\n"
    );
    assert_eq!((run(&world, &["check"]).status, runs(&world)), (0, 1));
    assert_eq!(run(&world, &["allow", "--list"]).out, "DIR/limbeck.toml\n");

    config(&world, "lock_tries = 1\n");
    check_refused(&world, &["check"], would);
    let edited = "DIR/limbeck.toml (edited since, so not allowed now)\n";
    assert_eq!(run(&world, &["allow", "--list"]).out, edited);
    assert_eq!(run(&world, &["allow", "{}/limbeck.toml"]).status, 0);
    assert_eq!(run(&world, &["check"]).status, 0);

    let ran = run(&world, &["allow", "--revoke"]);
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "revoked DIR/limbeck.toml\n")
    );
    check_refused(&world, &["check"], would);
    let ran = run(&world, &["allow", "--revoke"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, ""));
    assert_eq!(run(&world, &["allow", "--list"]).out, "");
}

#[tokio::test]
async fn the_command_line_and_the_environment_are_the_users_own_words() {
    let world = World::new("own_words").await;
    config(&world, "");
    let target = format!("cmd:cat {}", world.path("models.json").display());
    assert_eq!(run(&world, &["check", "--target", &target]).status, 0);
    assert_eq!(runs(&world), 0);
    let mut command = world.program(&["-c", "{}/limbeck.toml", "check"]);
    let ran = world.run_program(command.env("LIMBECK_ALLOW", "1"));
    assert_eq!((ran.status, runs(&world)), (0, 1), "{}", ran.err);
    let ran = world.run_program(command.env("LIMBECK_ALLOW", "yes"));
    let expect = "error: LIMBECK_ALLOW in the environment is neither 1 nor 0; ";
    assert!(
        ran.status == 2 && ran.err.starts_with(expect),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn hooks_servers_and_variables_are_refused_before_anything_is_written() {
    let world = World::new("allow_hooks").await;
    world.write("models.json", r#"{"limbeck": 1, "tables": []}"#);
    let models = world.path("models.json").display().to_string();
    let hook = "[[post_write_hooks]]\nname = \"fmt\"\ncommand = [\"touch\", \"{file}.touched\"]\n";
    world.write("limbeck.toml", hook);
    let would = "run `touch {file}.touched` (post-write hook \"fmt\"); ";
    check_refused(&world, &["revision", "-m", "x"], would);
    check_refused(&world, &["merge"], would);
    assert!(world.written().is_empty());
    assert_eq!(run(&world, &["check", "--target", &models]).status, 0);

    world.write(
        "limbeck.toml",
        "[scratch]\nurl = \"postgresql://me:secret@elsewhere:5432/x\"\n",
    );
    world.write("empty.sql", "");
    let sql = world.path("empty.sql").display().to_string();
    let would = "use the server elsewhere:5432 ([scratch] url); ";
    check_refused(&world, &["check", "--target", &sql], would);

    world.write(
        "limbeck.toml",
        "url = \"postgresql://me:${HOME}@elsewhere:5432/x\"\n",
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_limbeck"));
    let path = world.path("limbeck.toml");
    let ran = world.run_program(
        command
            .args([Path::new("-c"), &path, Path::new("current")])
            .env("XDG_STATE_HOME", world.path("state"))
            .env_remove("DATABASE_URL"),
    );
    let would = "would send the environment variable HOME to the server elsewhere:5432 (url); ";
    assert!(ran.status == 2 && ran.err.contains(would), "{}", ran.err);
}

#[tokio::test]
async fn what_others_could_have_written_allows_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new("allow_state").await;
    config(&world, "");
    assert_eq!(run(&world, &["allow"]).status, 0);
    let folder = world.path("state/limbeck/allowed");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o770)).unwrap();
    let ran = run(&world, &["check"]);
    let expect = "(DIR/state/limbeck/allowed: others can write it; `chmod 700` it)";
    assert!(ran.status == 2 && ran.err.contains(expect), "{}", ran.err);
    assert_eq!(runs(&world), 0);
    let ran = world.run_program(
        world
            .program(&["-c", "{}/limbeck.toml", "allow"])
            .env("XDG_STATE_HOME", "")
            .env_remove("HOME"),
    );
    let expect = "error: ~/.local/state/limbeck/allowed: neither XDG_STATE_HOME nor HOME is an absolute path; set one\n";
    assert_eq!((ran.status, ran.err.as_str()), (2, expect));
    let ran = run(&world, &["allow", "{}/nosuch.toml"]);
    assert!(
        ran.status == 2 && ran.err.contains("cannot read DIR/nosuch.toml"),
        "{}",
        ran.err
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_person_at_a_terminal_is_asked_once() {
    let world = World::new("allow_asked").await;
    config(&world, "");
    let mut command = world.program(&["-c", "{}/limbeck.toml", "check"]);
    let ran = world.on_terminal(&mut command, "n\n");
    let question = "DIR/limbeck.toml is not allowed yet. It would\n    run `sh DIR/models.sh DIR/models.json` (target)\n\
                    Allow that, until the file is edited? [y/N] ";
    assert!(ran.status == 2 && ran.out.contains(question), "{}", ran.out);
    assert_eq!(runs(&world), 0);
    let ran = world.on_terminal(&mut command, "y\n");
    assert!(ran.status == 0 && ran.out.contains(question), "{}", ran.out);
    let ran = world.on_terminal(&mut command, "");
    assert!(
        ran.status == 0 && !ran.out.contains("allowed"),
        "{}",
        ran.out
    );
    assert_eq!((run(&world, &["check"]).status, runs(&world)), (0, 3));
}

#[tokio::test]
async fn alembic_runs_only_where_the_command_line_names_it() {
    let world = World::new("allow_alembic").await;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/alembic_project");
    copy(&fixture, &world.path("alembic"));
    let ran = run_import(&world, &[]);
    let expect = "error: `alembic` would run env.py and the revisions of this folder as programs; pass --alembic alembic";
    assert!(
        ran.status == 2 && ran.err.starts_with(expect),
        "{}",
        ran.err
    );
    let ran = run_import(&world, &["--alembic", "sh '{}/alembic/alembic.sh'"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
}

/// Imports the folder of a real Alembic.
fn run_import(world: &World, more: &[&str]) -> Ran {
    let args = [
        "--revisions",
        "{}/revisions",
        "import",
        "alembic",
        "{}/alembic",
    ];
    world.run_program(&mut world.program(&[&args, more].concat()))
}
