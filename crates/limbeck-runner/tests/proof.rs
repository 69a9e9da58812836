//! Scratch databases and the proof on a real server.

mod states;

use limbeck_runner::Proof;
use states::check;

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
