//! `rebase` and `remove`, as after a merge in version control.

use crate::common::{World, snapshot};

/// Two people's revisions after the same one: `b1` and `b2` are to be the local ones.
async fn merged() -> World {
    let world = World::new("rearrange").await;
    world.revision("zzzz", "", "CREATE TABLE z ();", "DROP TABLE z;");
    world.revision("a1", "zzzz", "CREATE TABLE a ();", "DROP TABLE a;");
    world.revision("b1", "zzzz", "CREATE TABLE b ();", "DROP TABLE b;");
    world.revision("b2", "b1", "CREATE TABLE b2 ();", "DROP TABLE b2;");
    world
}

#[tokio::test]
async fn local_revisions_move_onto_the_other_head() {
    let world = merged().await;
    let mut said = String::new();
    for args in [
        &["heads", "--single"] as &[&str],
        &["rebase"],
        &["upgrade", "a1"],
        &["rebase"],
        &["heads", "--single"],
        &["history", "--graph"],
        &["rebase"],
        &["rebase", "b2", "--onto", "zzzz"],
        &["upgrade"],
        &["check", "--target", "revisions:"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("rebase", &said);
    let file = std::fs::read_to_string(world.path("revisions/b1.sql")).unwrap();
    assert!(
        file.starts_with("-- Do b1\n--\n-- revision: b1\n-- revises:       a1\n\n-- upgrade\nCREATE TABLE b ();\n"),
        "{file}"
    );
}

#[tokio::test]
async fn applied_revisions_do_not_move() {
    let world = merged().await;
    world.ok(&["upgrade", "b1"]).await;
    let mut said = String::new();
    for args in [
        &["rebase", "b2"] as &[&str],
        &["downgrade", "zzzz"],
        &["rebase", "b2", "--json"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("rebase_applied", &said);
}

#[tokio::test]
async fn a_removed_revision_leaves_its_child_to_its_parent() {
    let world = merged().await;
    let mut said = String::new();
    for args in [
        &["upgrade", "b1"] as &[&str],
        &["remove", "b1"],
        &["remove", "b1", "--unchecked", "--json"],
        &["history"],
        &["current"],
        &["stamp", "zzzz", "--purge"],
        &["stamp", "zzzz", "--purge", "--unchecked"],
        &["remove", "b2"],
        &["remove", "nosuch"],
        &["history"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("remove", &said);
    assert!(!world.path("revisions/b1.sql").exists());
}
