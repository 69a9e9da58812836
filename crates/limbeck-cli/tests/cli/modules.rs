//! Twelve modules with branches, dependencies, a merge and optional dependencies, through every command.

use std::process::{Command, Stdio};

use limbeck_testkit::{dump_objects, pg_dump};

use crate::common::{World, snapshot};

/// Runs command lines, one in each line, and writes down what they said.
async fn transcript(world: &World, commands: &str) -> String {
    let mut said = String::new();
    for line in commands.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        world.transcribe(&mut said, &words).await;
    }
    said
}

/// The words of a line; single quotes keep a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, piece) in line.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[tokio::test]
async fn modules_are_listed() {
    let world = World::of_modules("modules").await;
    let said = transcript(
        &world,
        "
        heads
        heads --resolve-dependencies
        heads --single
        branches
        branches -v
        show rdm@head accounts
        history
        log -r :oauth@head
        history -r accounts@base:accounts@head
        history -r -1:rdm@head -v
        history --graph
        history --graph -v -r ac0000000002:accounts@head
        history --format dot -r :oauth@head
        history --format mermaid -r accounts@base:accounts@head
        history --format json -r 1746626978:
        list-templates
        mkdir
        mkdir accounts
        mkdir nosuch
        ",
    )
    .await;
    snapshot("modules_listed", &said);
}

/// Invenio's own test of its modules' migrations: create all, compare; drop all; upgrade, compare; stamp; downgrade one
/// branch; upgrade, compare.
#[tokio::test]
async fn modules_are_upgraded_and_taken_back() {
    let world = World::of_modules("modules").await;
    let said = transcript(
        &world,
        "
        db create
        current --check-heads
        check
        db drop --yes-i-know
        current
        upgrade
        check
        stamp
        current --check-heads
        current -v
        history -i -r rdm@base:rdm@head
        downgrade -1
        downgrade rdm@-1
        downgrade rdm@base
        current
        downgrade communities@base
        upgrade communities@head
        upgrade
        check
        current --check-heads
        stamp accounts@base --purge --unchecked
        stamp rdm@head default@head --unchecked
        current
        stamp heads
        downgrade base
        inspect
        ",
    )
    .await;
    snapshot("modules_upgraded", &said);
}

#[tokio::test]
async fn modules_get_new_revisions_in_their_own_folders() {
    let world = World::of_modules("modules").await;
    let said = transcript(
        &world,
        "
        revision 'Which branch?'
        revision --branch accounts 'Add phones' --rev-id ac0000000005
        revision -b accounts Again --head base
        revision -b accounts Elsewhere --head 0a0000000002
        revision --head oauth@head 'Add scopes' --rev-id 0a0000000003
        revision -b accounts Fork --head 1777278349
        revision -b accounts Fork --head 1777278349 --splice --rev-id ac0000000006
        heads --single
        merge accounts@heads --rev-id ac0000000007
        revision --empty --branch ldap 'Create the ldap branch'
        revision --empty --branch ldap 'Create the ldap branch' --version-path {}/users/revisions -d ac0000000002 -d 'statistics if present' -l directory --rev-id 1da000000001
        revision -b ldap 'Off the map' --version-path {}/ldap
        show ldap ac0000000007
        heads
        upgrade -q
        current
        revision -b oauth 'A local one' --head 0a0000000002 --splice --rev-id 0a0000000004
        rebase
        history -r 0a0000000002:oauth@head
        remove 0a0000000004
        remove accounts@head
        remove 5d0000000002
        ensure-version
        ",
    )
    .await;
    snapshot("modules_revisions", &said);
    let file = std::fs::read_dir(world.path("users/revisions"))
        .unwrap()
        .filter_map(|it| std::fs::read_to_string(it.unwrap().path()).ok())
        .find(|it| it.contains("revision:      1da000000001"))
        .unwrap();
    assert!(
        file.contains("branch labels: ldap, directory")
            && file.contains("depends on:    ac0000000002, statistics if present"),
        "{file}"
    );
}

#[tokio::test]
async fn scripts_of_branched_histories_are_complete() {
    let world = World::of_modules("modules").await;
    let said = transcript(
        &world,
        "
        upgrade files@head --sql
        upgrade accounts@head --sql -q
        downgrade --sql files@head:files@base
        ",
    )
    .await;
    snapshot("modules_scripts", &said);
}

#[tokio::test]
async fn modules_are_tried_compared_and_edited() {
    let world = World::of_modules("modules").await;
    let mut said = transcript(
        &world,
        "
        verify
        verify accounts@head --json
        verify 1777278349:accounts@head
        diff revisions: {}/models.json
        check
        upgrade
        downgrade rdm@base
        check
        diff
        diff --reverse
        diff revisions:rdm@head revisions:accounts@head
        locate
        upgrade
        diff
        locate
        inspect
        ",
    )
    .await;
    // `cat` for an editor prints what would be edited.
    for args in [&["edit", "ac0000000002"] as &[&str], &["edit", "nosuch"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_limbeck"))
            .args(["--url", world.db.url(), "-c"])
            .arg(world.path("limbeck.toml"))
            .args(args)
            .env_remove("VISUAL")
            .env("EDITOR", "cat")
            .output()
            .unwrap();
        said.push_str(&format!(
            "$ EDITOR=cat limbeck {}\n{}{}\n",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    snapshot("modules_tried", &said);
}

#[tokio::test]
async fn two_upgrades_at_once_both_end_well() {
    let world = World::of_modules("modules").await;
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_limbeck"))
            .args(["--url", world.db.url(), "upgrade", "-c"])
            .arg(world.path("limbeck.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let ended = [start(), start()].map(|it| it.wait_with_output().unwrap());
    let said = ended
        .each_ref()
        .map(|it| String::from_utf8_lossy(&it.stderr));
    assert!(ended.iter().all(|it| it.status.success()), "{said:?}");
    let twice = world
        .query("SELECT revision::text FROM limbeck_log GROUP BY 1 HAVING count(*) > 1")
        .await;
    assert_eq!(twice, Vec::<String>::new());
    let steps = said.map(|it| it.matches("Running upgrade").count());
    assert_eq!(steps[0] + steps[1], 30);
    world.ok(&["check"]).await;
}

#[tokio::test]
async fn created_and_upgraded_databases_are_equal() {
    let (created, upgraded) = (
        World::of_modules("modules").await,
        World::of_modules("modules").await,
    );
    created.ok(&["db", "create"]).await;
    upgraded.ok(&["upgrade"]).await;
    // Columns that came later stand at the end of their tables, which the objects' lines leave out of account.
    let dump = |world: &World| dump_objects(&pg_dump(world.db.url()).unwrap());
    assert_eq!(dump(&created), dump(&upgraded));
    let rows = "SELECT version_num::text FROM limbeck_version ORDER BY 1";
    assert_eq!(created.query(rows).await, upgraded.query(rows).await);
}

#[tokio::test]
async fn the_template_for_modules_makes_folders() {
    let world = World::new("template").await;
    let ran = world
        .run_bare(&["init", "{}/app", "--template", "modules"], None)
        .await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    let written = std::fs::read_to_string(world.path("app/limbeck.toml")).unwrap();
    world.write("app/limbeck.toml", &written.replace("# {", "{"));
    let config = ["-c", "{}/app/limbeck.toml"];
    let ran = world
        .run_bare(&[&config[..], &["mkdir", "records"]].concat(), None)
        .await;
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (0, "DIR/app/records/revisions\n"),
        "{}",
        ran.err
    );
    let ran = world
        .run_bare(&[&config[..], &["heads"]].concat(), None)
        .await;
    assert!(
        ran.status == 2
            && ran
                .err
                .contains("there is no revision folder DIR/app/accounts/revisions; "),
        "{}",
        ran.err
    );
    let ran = world
        .run_bare(&[&config[..], &["mkdir"]].concat(), None)
        .await;
    assert_eq!(ran.out, "DIR/app/accounts/revisions\n", "{}", ran.err);
    let ran = world
        .run_bare(
            &[
                &config[..],
                &[
                    "revision", "--branch", "records", "Begin", "--rev-id", "aaaa1",
                ],
            ]
            .concat(),
            None,
        )
        .await;
    assert_eq!(
        ran.out, "DIR/app/records/revisions/aaaa1_begin.sql\n",
        "{}",
        ran.err
    );
}
