//! `import alembic`, with the files and the scripts of a real Alembic.

use std::path::Path;

use crate::common::{World, copy, snapshot};

/// A test with a copy of `fixtures/alembic_project`.
async fn project(label: &str) -> World {
    let world = World::new(label).await;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/alembic_project");
    copy(&fixture, &world.path("alembic"));
    world.write("limbeck.toml", "version_table = \"alembic_version\"\n");
    world
}

const CONFIG: [&str; 2] = ["-c", "{}/limbeck.toml"];

#[tokio::test]
async fn alembics_revisions_are_taken_over() {
    let world = project("import").await;
    let mut said = String::new();
    let import = ["import", "alembic", "{}/alembic"];
    let program = ["--alembic", "sh '{}/alembic/alembic.sh'"];
    for args in [
        &[&CONFIG[..], &import, &program].concat() as &[&str],
        &["history"],
        &["heads"],
        // Whatever is here already stays as it is.
        &[&CONFIG[..], &import, &program, &["--json"]].concat(),
    ] {
        world.transcribe(&mut said, args).await;
    }
    for name in world.written() {
        let text = std::fs::read_to_string(world.path("revisions").join(&name)).unwrap();
        said.push_str(&format!("== {name}\n{text}\n"));
    }
    let folder = world.folder.path().display().to_string();
    snapshot("import_alembic", &said.replace(&folder, "DIR"));
}

#[tokio::test]
async fn databases_of_alembics_stay_where_they_are() {
    let world = project("import_stay").await;
    world
        .execute(
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY); INSERT INTO alembic_version VALUES \
             ('b2b2b2b2b2b2'); CREATE TABLE account (id serial PRIMARY KEY, note text, email varchar(255)); CREATE INDEX \
             ix_account_email ON account (email)",
        )
        .await;
    let mut said = String::new();
    for args in [
        &[
            "import",
            "alembic",
            "{}/alembic",
            "--sql",
            "{}/alembic/printed/upgrade_a1a1_d4d4.sql",
            "--sql",
            "{}/alembic/printed/downgrade_e5e5_base.sql",
        ] as &[&str],
        &["current"],
        &["upgrade", "reports@head"],
        &["upgrade"],
        &["current"],
        &["downgrade", "a1a1"],
    ] {
        let args = [&CONFIG[..], args].concat();
        world.transcribe(&mut said, &args).await;
    }
    snapshot("import_databases", &said);
    let rows = "SELECT version_num::text FROM alembic_version";
    // What the reports depend on is implied by their row.
    assert_eq!(world.query(rows).await, ["d4d4d4d4d4d4"]);
}

/// Nothing is written where anything is wrong.
#[tokio::test]
async fn what_cannot_be_imported_leaves_nothing() {
    let world = project("import_bad").await;
    let mut said = String::new();
    let import = ["import", "alembic", "{}/alembic"];
    let scripts = ["--sql", "{}/alembic/printed/downgrade_e5e5_base.sql"];
    world.write("none/readme.txt", "");
    world.write("odd/f6.py", "revision = 'f6'\ndepends_on = found_out\n");
    world.write("lost/f7.py", "revision = 'f7'\ndown_revision = 'nosuch'\n");
    world.write("plain/f8.py", "revision = 'f8'\ndef upgrade(): op.do()\n");
    world.write("broken.sql", "-- Running upgrade  -> f8\n\nSELECT 'a;\n");
    world.write("revisions.txt", "");
    for args in [
        &["import", "alembic", "{}/none"] as &[&str],
        &["import", "alembic", "{}/nowhere"],
        &["import", "alembic", "{}/odd"],
        &["import", "alembic", "{}/lost", scripts[0], scripts[1]],
        &[
            "import", "alembic", "{}/plain", "{}/plain", scripts[0], scripts[1],
        ],
        &["import", "alembic", "{}/plain", "--sql", "{}/broken.sql"],
        &[
            "import",
            "alembic",
            "{}/plain",
            "--alembic",
            "no-such-program",
        ],
        &[
            "import",
            "alembic",
            "{}/plain",
            "--alembic",
            "sh -c 'echo No such option: --sql >&2; exit 2'",
        ],
        &[
            "import",
            "alembic",
            "{}/plain",
            scripts[0],
            scripts[1],
            "--depends-on",
            "f9=f8",
        ],
        &[
            "import",
            "alembic",
            "{}/plain",
            scripts[0],
            scripts[1],
            "--depends-on",
            "f8",
        ],
        &[
            import[0],
            import[1],
            import[2],
            scripts[0],
            scripts[1],
            "--version-path",
            "{}/elsewhere",
        ],
    ] {
        world.transcribe(&mut said, args).await;
        assert_eq!(world.written(), [""; 0], "{args:?}");
    }
    snapshot("import_refused", &said);
    let ran = world
        .run(&[
            "import",
            "alembic",
            "{}/odd",
            scripts[0],
            scripts[1],
            "--depends-on",
            "f6=f8 if present",
            "-q",
        ])
        .await;
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "DIR/revisions/f6_.sql\n"),
        "{}",
        ran.err
    );
}
