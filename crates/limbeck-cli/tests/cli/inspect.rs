//! `inspect`: a database written as SQL, as JSON metadata and as Rust.

use crate::common::World;

use std::process::{Command, Stdio};

const SQL: &str = "CREATE SCHEMA audit; CREATE DOMAIN quantity AS int CHECK (VALUE > 0); CREATE TYPE mood AS ENUM ('a', 'b'); \
                   CREATE TABLE account (id serial PRIMARY KEY, m mood, n quantity, email varchar(80) UNIQUE); CREATE TABLE \
                   audit.log (account_id int REFERENCES account, at timestamptz DEFAULT now());";

#[tokio::test]
async fn what_is_written_is_a_source_that_agrees() {
    let world = World::new("inspect").await;
    world.execute(SQL).await;
    for (format, file) in [("sql", "{}/schema.sql"), ("json", "{}/models.json")] {
        // A second time, in place of the file that is there.
        for _ in 0..2 {
            let args = ["inspect", "--format", format, "-o", file];
            assert_eq!(world.ok(&args).await, file.replace("{}", "DIR") + "\n");
        }
        assert_eq!(world.ok(&["check", "--target", file]).await, "");
        assert_eq!(world.ok(&["inspect", "-f", format]).await, {
            let path = world.path(file.trim_start_matches("{}/"));
            std::fs::read_to_string(path).unwrap()
        });
    }
    let ran = world
        .run(&["inspect", "--format", "sql", "-o", "{}/none/x.sql"])
        .await;
    assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("DIR/none/x.sql"), "{}", ran.err);
    assert_eq!(world.run(&["inspect", "-o", "{}/x.sql"]).await.status, 2);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_written_into_and_stays() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let world = World::new("inspect_into").await;
    world.execute(SQL).await;
    let expect = world.ok(&["inspect", "-f", "sql"]).await;
    let made = Command::new("mkfifo").arg(world.path("pipe")).status();
    assert!(made.unwrap().success());
    let pipe = world.path("pipe");
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    assert_eq!(
        world.ok(&["inspect", "-f", "sql", "-o", "{}/pipe"]).await,
        ""
    );
    assert_eq!(reader.join().unwrap(), expect);
    let kind = std::fs::symlink_metadata(world.path("pipe")).unwrap();
    assert!(kind.file_type().is_fifo());

    assert_eq!(
        world.ok(&["inspect", "-f", "sql", "-o", "/dev/null"]).await,
        ""
    );
    let kind = std::fs::symlink_metadata("/dev/null").unwrap();
    assert!(kind.file_type().is_char_device());
    for stdout in ["/dev/stdout", "-"] {
        assert_eq!(
            world.ok(&["inspect", "-f", "sql", "-o", stdout]).await,
            expect
        );
    }
    // A descriptor that the shell opened to add to a file.
    let log = world.path("log").display().to_string();
    std::fs::write(&log, "before\n").unwrap();
    let script = format!(
        "exec '{}' --url '{}' inspect -f sql -o /dev/fd/3 3>>'{log}'",
        env!("CARGO_BIN_EXE_limbeck"),
        world.db.url()
    );
    let done = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output();
    assert_eq!(done.unwrap().status.code(), Some(0));
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        format!("before\n{expect}")
    );

    let target = world.write("real.sql", "old");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.sql", world.path("link.sql")).unwrap();
    world
        .ok(&["inspect", "-f", "sql", "-o", "{}/link.sql"])
        .await;
    assert!(
        std::fs::symlink_metadata(world.path("link.sql"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(std::fs::read_to_string(&target).unwrap(), expect);
    let mode = std::fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let ran = world.run(&["inspect", "-f", "sql", "-o", "{}"]).await;
    let expect = "error: cannot write DIR; it is a folder, so name a file in it\n";
    assert_eq!((ran.status, ran.err.as_str()), (2, expect));
}

#[tokio::test]
async fn what_is_not_written_is_named() {
    let world = World::new("inspect_lacks").await;
    world.execute(SQL).await;
    world
        .execute("CREATE VIEW small AS SELECT id FROM account")
        .await;
    for format in ["sql", "json", "rust"] {
        let ran = world.run(&["inspect", "--format", format]).await;
        let said = "not managed, so not written: view public.small";
        assert!(ran.status == 0 && ran.err.contains(said), "{}", ran.err);
        let strict = world
            .run(&["inspect", "--strict", "--format", format])
            .await;
        assert_eq!((strict.status, strict.out), (2, ran.out), "{}", strict.err);
    }
    // An index that is not valid, as a concurrent build that failed leaves it, can be declared by nobody.
    world.execute("CREATE INDEX broken ON account (n)").await;
    world
        .execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass")
        .await;
    for format in ["sql", "json", "rust"] {
        let ran = world.run(&["inspect", "--format", format]).await;
        let said = "left out: index account.broken: valid false -> true";
        assert!(
            ran.status == 2 && ran.err.contains(said),
            "{format}: {}",
            ran.err
        );
        assert!(ran.out.contains("broken"), "{format}: {}", ran.out);
    }
    // Models that want it have it built again, and the proof holds although no statement makes such an index.
    let valid = format!("{SQL}; CREATE INDEX broken ON account (n);");
    world.write("valid.sql", &valid);
    let ran = world.run(&["check", "--target", "{}/valid.sql"]).await;
    let said = "replace index account.broken (its build failed, so it has to be built again)";
    assert!(ran.status == 1 && ran.out.contains(said), "{}", ran.out);
    let revision = [
        "revision",
        "--autogenerate",
        "-m",
        "broken",
        "--rev-id",
        "aa",
        "--target",
        "{}/valid.sql",
    ];
    world.ok(&revision).await;
    let text = std::fs::read_to_string(world.path("revisions/aa_broken.sql")).unwrap();
    assert!(text.contains("proof: upgraded, empty diff"), "{text}");
    world.ok(&["upgrade"]).await;
    world.ok(&["check", "--target", "{}/valid.sql"]).await;
}
