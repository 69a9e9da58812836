//! Scratch databases and the proof on a real server.

mod states;

use limbeck_runner::{Proof, Scratch};
use limbeck_testkit::TestDb;
use states::{check, check_dropped};

const OLD: &str = "CREATE TABLE t (a int);";
const NEW: &str = "CREATE TABLE t (a int, b text);";

#[tokio::test]
async fn what_leads_there_and_back_holds() {
    let proof = check(
        OLD,
        NEW,
        "ALTER TABLE t ADD b text;",
        "ALTER TABLE t DROP b;",
    )
    .await;
    assert!(matches!(proof, Proof::Held { .. }), "{proof}");
}

#[tokio::test]
async fn what_does_not_is_refuted_with_what_is_left() {
    let cases = [
        (
            "ALTER TABLE t ADD b int;",
            "",
            "proof: refuted, differences are left after the upgrade: ",
        ),
        (
            "ALTER TABLE t ADD b text;",
            "SELECT 1;",
            "proof: refuted, differences are left after the downgrade: drop column t.b",
        ),
        (
            "ALTER TABLE t ADD b nope;",
            "",
            "proof: refuted, the upgrade fails: `ALTER TABLE t ADD b nope`: type \"nope\" does not exist",
        ),
    ];
    for (upgrade, downgrade, expected) in cases {
        let proof = check(OLD, NEW, upgrade, downgrade).await.to_string();
        assert!(proof.starts_with(expected), "{proof}");
    }
}

#[tokio::test]
async fn a_state_that_needs_what_is_not_managed_cannot_be_rebuilt() {
    let old = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int DEFAULT f());";
    let proof = check(
        old,
        &format!("{old} ALTER TABLE t ADD b text;"),
        "ALTER TABLE t ADD b text;",
        "ALTER TABLE t DROP b;",
    )
    .await
    .to_string();
    assert!(
        proof.starts_with("proof: not run (the current state cannot be rebuilt")
            && proof.contains("function public.f()"),
        "{proof}"
    );
}

#[tokio::test]
async fn an_extension_that_the_scratch_server_lacks_is_named() {
    // As if its files had been removed after it was created.
    let old = format!(
        "{OLD} INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) SELECT 99999, \
         'limbeck_none', 10, oid, true, '1' FROM pg_namespace WHERE nspname = 'public'"
    );
    let proof = check(
        &old,
        NEW,
        "ALTER TABLE t ADD b text;",
        "ALTER TABLE t DROP b;",
    )
    .await
    .to_string();
    let expected = "proof: not run (the current state cannot be rebuilt: the extension limbeck_none cannot be created on the \
                    target's server (";
    assert!(proof.starts_with(expected), "{proof}");
    assert!(proof.contains("[scratch] in limbeck.toml"), "{proof}");
}

#[tokio::test]
async fn what_is_not_managed_and_has_a_name_that_is_given_away_is_named() {
    let part = "CREATE TABLE p (a int) PARTITION BY LIST (a);";
    let proof = check(
        &format!("{part} CREATE TABLE t PARTITION OF p FOR VALUES IN (1);"),
        &format!("{part} {OLD}"),
        OLD,
        "DROP TABLE t;",
    )
    .await
    .to_string();
    let expected = "proof: not run (partition public.t, which is not managed, has a name that the upgrade gives away)";
    assert_eq!(proof, expected);
}

/// With a connection to it that is open, in a task and on a thread with a runtime of its own.
#[tokio::test]
async fn a_panic_drops_the_scratch_database() {
    let db = TestDb::create("panic").await;
    let (named, mut names) = tokio::sync::mpsc::unbounded_channel();
    for on_thread in [false, true] {
        let (url, named) = (db.url().to_owned(), named.clone());
        let work = async move {
            let scratch = Scratch::create(Some(&settings(&url)), None).await.unwrap();
            let _open = scratch.connect().await.unwrap();
            named.send(scratch.name().to_owned()).unwrap();
            panic!("in the middle of a proof");
        };
        let task = match on_thread {
            false => tokio::spawn(work),
            true => tokio::task::spawn_blocking(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(work)
            }),
        };
        assert!(task.await.unwrap_err().is_panic());
        let name = names.recv().await.unwrap();
        check_dropped(&mut db.connect().await.unwrap(), &name).await;
    }
}

/// The settings of a URL.
fn settings(url: &str) -> limbeck_connect::Settings {
    limbeck_connect::Settings::parse(url, limbeck_connect::Origin::Program).unwrap()
}
