//! Databases of their own, and what pg_dump says of them.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use limbeck_testkit::{Cluster, TEST_URL, TestDb, cluster, dump_objects, pg_dump};
use sqlx::{Connection, PgConnection};

async fn exists(name: &str) -> bool {
    let mut conn = PgConnection::connect(&cluster().url("postgres"))
        .await
        .expect("a connection");
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut conn)
        .await
        .expect("an answer")
}

async fn run(db: &TestDb, sql: &'static str) {
    sqlx::raw_sql(sql)
        .execute(db.pool())
        .await
        .expect("the SQL runs");
}

#[tokio::test]
async fn a_database_is_empty_and_goes_with_its_value_whoever_is_connected() {
    let db = TestDb::create("Käse \"1\"").await;
    let name = db.name().to_owned();
    assert!(name.starts_with("Käse \"1\"_") && exists(&name).await);
    let mut conn = db.connect().await.expect("a connection");
    run(&db, "CREATE TABLE t (x int)").await;
    let found: String =
        sqlx::query_scalar("SELECT current_database()::text WHERE NOT EXISTS (SELECT FROM t)")
            .fetch_one(&mut conn)
            .await
            .expect("an answer");
    assert_eq!(found, name);
    drop(db);
    assert!(!exists(&name).await);
    assert!(conn.ping().await.is_err());
}

#[tokio::test]
async fn a_database_goes_when_its_test_panics() {
    let (send, receive) = std::sync::mpsc::channel();
    let panicked = tokio::spawn(async move {
        let db = TestDb::create("panics").await;
        send.send(db.name().to_owned()).expect("the receiver lives");
        panic!("this panic belongs to the test");
    });
    assert!(panicked.await.is_err());
    let name: String = receive.recv().expect("the database was there");
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn a_template_is_copied() {
    let template = TestDb::create("template").await;
    run(&template, "CREATE TABLE account (id int)").await;
    template.close().await;
    let (one, two) = (
        TestDb::from_template("one", template.name()).await,
        TestDb::from_template("two", template.name()).await,
    );
    run(&one, "DROP TABLE account").await;
    run(&two, "INSERT INTO account VALUES (1)").await;
}

#[tokio::test]
async fn a_missing_template_is_named() {
    let error = TestDb::create_in(cluster(), "x", "no such template")
        .await
        .expect_err("no template");
    let text = error.full();
    assert!(
        text.contains("template database \"no such template\" does not exist"),
        "{text}"
    );
}

#[test]
fn a_borrowed_server_serves_as_well_and_lives_on() {
    let own = cluster();
    let borrowed = Cluster::borrow(&own.url("postgres")).expect("the server is there");
    assert_eq!(
        (borrowed.port(), borrowed.major(), borrowed.socket_dir()),
        (own.port(), own.major(), own.socket_dir())
    );
    assert_eq!(borrowed.url("a"), own.url("a"));
    drop(borrowed);
    Cluster::borrow(&own.url("postgres")).expect("the server is still there");
}

#[test]
fn an_unreachable_server_is_an_error_without_the_password() {
    let error = Cluster::borrow("postgresql://postgres:secret@127.0.0.1:1/postgres")
        .expect_err("nobody listens");
    let text = error.full();
    assert!(
        text.starts_with("cannot connect to the server of LIMBECK_TEST_URL: "),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(TEST_URL, "LIMBECK_TEST_URL");
}

#[tokio::test]
async fn dumps_are_equal_whatever_the_order_and_without_our_own_tables() {
    let (one, two) = (TestDb::create("one").await, TestDb::create("two").await);
    run(
        &one,
        "CREATE TABLE a (x int NOT NULL, y numeric(5,2) DEFAULT 0, z text); CREATE INDEX i ON a (x, y);
         ALTER TABLE a ALTER x SET STATISTICS 5, ALTER y SET STATISTICS 6; CREATE TABLE b (k int PRIMARY KEY);",
    )
    .await;
    run(
        &two,
        "CREATE TABLE b (k int PRIMARY KEY); CREATE TABLE limbeck_version (version_num text);
         CREATE TABLE a (z text, y numeric(5,2) DEFAULT 0, x int NOT NULL); CREATE INDEX i ON a (x, y);
         ALTER TABLE a ALTER x SET STATISTICS 5, ALTER y SET STATISTICS 6;",
    )
    .await;
    let objects = |db: &TestDb| dump_objects(&pg_dump(db.url()).expect("pg_dump runs"));
    assert_eq!(objects(&one), objects(&two));
    run(&two, "ALTER TABLE a ALTER x DROP NOT NULL").await;
    assert_ne!(objects(&one), objects(&two));
}

#[test]
fn a_dump_of_no_database_is_an_error() {
    let error = pg_dump(&cluster().url("no such database")).expect_err("no database");
    let text = error.to_string();
    assert!(
        text.starts_with("pg_dump failed: ") && text.contains("no such database"),
        "{text}"
    );
}
