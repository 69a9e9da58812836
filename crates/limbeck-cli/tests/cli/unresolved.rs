//! What cannot be judged or planned, and what the server will refuse: told beside everything else, with the reason.

use crate::common::World;

/// Checks `check`, `diff` and `revision` of a database against SQL: all differences and all reasons are there, status 2,
/// and no file.
async fn check(current: &str, target: &str, differences: &[&str], reasons: &[&str]) {
    let world = World::new("unresolved").await;
    world.execute(current).await;
    world.write("goal.sql", target);
    let ran = world.run(&["check", "--target", "{}/goal.sql"]).await;
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    let listed: Vec<&str> = ran.out.lines().collect();
    for it in differences {
        assert!(listed.contains(it), "{it} is not in {listed:#?}");
    }
    let told = |text: &str, it: &str| {
        text.lines()
            .any(|line| line.contains("unresolved: ") && line.contains(it))
    };
    for it in reasons {
        assert!(told(&ran.out, it), "{it} is not in {listed:#?}");
    }
    assert_eq!(
        listed.len(),
        differences.len() + reasons.len(),
        "{listed:#?}"
    );
    let ran = world.run(&["diff", "--target", "{}/goal.sql"]).await;
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(reasons.iter().all(|it| told(&ran.out, it)), "{}", ran.out);
    let json = world
        .run(&["check", "--json", "--target", "{}/goal.sql"])
        .await;
    assert!(json.out.contains("\"op\": \"unresolved\""), "{}", json.out);
    let ran = world
        .run(&[
            "revision",
            "--autogenerate",
            "-m",
            "x",
            "--target",
            "{}/goal.sql",
        ])
        .await;
    assert_eq!(ran.status, 2, "{}", ran.err);
    assert!(reasons.iter().all(|it| told(&ran.err, it)), "{}", ran.err);
    assert!(world.written().is_empty(), "no file is written");
}

#[tokio::test]
async fn a_table_that_cannot_be_planned_hides_no_other_difference() {
    check(
        "CREATE TABLE reading (day date NOT NULL); CREATE TABLE other (id int);",
        "CREATE TABLE reading (day date NOT NULL, v int) PARTITION BY RANGE (day); CREATE TABLE other (id bigint);",
        &["alter column other.id: type integer -> bigint", "add column reading.v integer"],
        &["table reading: PostgreSQL cannot change how a table is partitioned"],
    )
    .await;
}

#[tokio::test]
async fn a_function_that_only_the_target_has_is_named_with_what_needs_it() {
    check(
        "CREATE TABLE a (id int);",
        "CREATE FUNCTION hello() RETURNS text LANGUAGE sql AS 'SELECT ''hi''::text'; CREATE FUNCTION twice(int) RETURNS int LANGUAGE \
         sql IMMUTABLE AS 'SELECT 2 * $1'; CREATE TYPE mood AS ENUM ('a'); CREATE FUNCTION mood_of(int) RETURNS mood LANGUAGE sql \
         IMMUTABLE AS 'SELECT NULL::mood'; CREATE TABLE a (id bigint, note text DEFAULT hello(), CONSTRAINT ck CHECK (twice(id::int) > \
         2), m mood GENERATED ALWAYS AS (mood_of(1)) STORED); CREATE INDEX ix ON a (twice(id::int));",
        &["create enum mood ('a')", "alter column a.id: type integer -> bigint"],
        &[
            "column a.note needs the function public.hello()",
            "column a.m needs the function public.mood_of(",
            "check a.ck needs the function public.twice(",
            "index a.ix needs the function public.twice(",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_extension_that_only_the_target_creates_is_named_as_the_cause() {
    check(
        "CREATE TABLE company (id int, name text);",
        "CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; CREATE TABLE company (id bigint, name text, mail citext UNIQUE); CREATE \
         INDEX names ON company USING gin (name gin_trgm_ops);",
        &["alter column company.id: type integer -> bigint"],
        &[
            "column company.mail needs the extension citext, which the database does not have; create it there first",
            "unique company.company_mail_key needs the extension citext",
            "index company.names needs the extension pg_trgm",
        ],
    )
    .await;
}

#[tokio::test]
async fn models_that_the_server_cannot_judge_hide_no_other_difference() {
    let world = World::new("unjudged").await;
    world.execute("CREATE TABLE a (id int, n int);").await;
    world.write(
        "m.json",
        r#"{"limbeck": 1, "tables": [{"name": "a", "columns": [{"name": "id", "type": "bigint"},
            {"name": "n", "type": "int", "default": "nothing_known(1)"}, {"name": "g", "type": "strange(Mixed,4)"}],
            "checks": [{"name": {"exact": "ck"}, "expression": "unheard_of(n)"}]}]}"#,
    );
    let ran = world.run(&["check", "--target", "{}/m.json"]).await;
    assert_eq!(ran.status, 2, "{}", ran.err);
    let listed: Vec<&str> = ran.out.lines().collect();
    for it in [
        "alter column a.id: type integer -> bigint",
        "/m.json: tables[0]: column a.g has the type strange(Mixed,4): type \"strange\" does not exist; declare the type",
        "column a.n has the expression nothing_known(1): function nothing_known(integer) does not exist; create the function first",
        "check a.ck has the expression unheard_of(n): function unheard_of(integer) does not exist; create the function first",
    ] {
        assert!(
            listed.iter().any(|line| line.contains(it)),
            "{it} is not in {listed:#?}"
        );
    }
    assert_eq!(listed.len(), 4, "{listed:#?}");
}

#[tokio::test]
async fn what_the_server_will_refuse_stands_in_the_header_whether_a_proof_ran_or_not() {
    let view = "CREATE VIEW v AS SELECT b FROM t;";
    let function =
        "CREATE FUNCTION fits(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';";
    let check = ", CONSTRAINT ck CHECK (fits(a))";
    for (rest, check, proof) in [
        ("", "", "proof: upgraded"),
        (function, check, "proof: not run"),
    ] {
        let world = World::new("refused").await;
        world
            .execute(&format!(
                "{rest} CREATE TABLE t (a int, b int{check}); {view}"
            ))
            .await;
        world.write(
            "goal.sql",
            &format!("{rest} CREATE TABLE t (a int{check});"),
        );
        let args = [
            "revision",
            "--autogenerate",
            "-m",
            "x",
            "--rev-id",
            "ab",
            "--target",
            "{}/goal.sql",
        ];
        let ran = world.run(&args).await;
        assert_eq!(ran.status, 0, "{}", ran.err);
        let said = "warning: the server will refuse the upgrade while view public.v is there";
        assert!(ran.err.contains(said), "{}", ran.err);
        let text = std::fs::read_to_string(world.path("revisions/ab_x.sql")).unwrap();
        let header = text
            .lines()
            .find(|it| it.starts_with("-- review:"))
            .unwrap();
        let refused = "refused: the upgrade, by what uses it and is not managed (view public.v)";
        assert!(
            header.contains(refused) && header.contains(proof),
            "{header}"
        );
        let hazard =
            "-- hazard may-fail: the server will refuse this: view public.v uses column t.b";
        assert!(text.contains(hazard), "{text}");
    }
}
