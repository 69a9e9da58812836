//! `db`: databases and all their tables at once.

use sqlx::Connection;

use crate::common::{World, snapshot};

const MODELS: &str = r#"{
  "limbeck": 1,
  "enums": [{"name": "status", "labels": ["open"]}],
  "tables": [
    {"name": "item", "columns": [{"name": "id", "type": "int"}, {"name": "status", "type": "status"},
     {"name": "owner", "type": "int"}], "primary_key": {"columns": ["id"]},
     "foreign_keys": [{"columns": ["owner"], "references": {"table": "owner"}}]},
    {"name": "owner", "columns": [{"name": "id", "type": "int"}], "primary_key": {"columns": ["id"]}}
  ]
}"#;

#[tokio::test]
async fn all_tables_come_and_go_at_once() {
    let world = World::new("dball").await;
    world.write("models.json", MODELS);
    world.revision("aaaa1", "", "SELECT 1;", "");
    let mut said = String::new();
    let target = ["--target", "{}/models.json"];
    let all = |command: &'static [&'static str]| [command, &target].concat();
    world.transcribe(&mut said, &all(&["db", "drop"])).await;
    world.transcribe(&mut said, &all(&["db", "create"])).await;
    world.transcribe(&mut said, &["current"]).await;
    world.transcribe(&mut said, &all(&["check"])).await;
    world.transcribe(&mut said, &all(&["db", "create"])).await;
    // What the models do not declare stays, and what stands in the way is named.
    world.execute("ALTER TABLE item ADD extra int").await;
    world.transcribe(&mut said, &all(&["db", "create"])).await;
    world
        .execute("CREATE TABLE other (id int, owner int REFERENCES owner)")
        .await;
    world.transcribe(&mut said, &all(&["db", "drop"])).await;
    world
        .transcribe(&mut said, &all(&["db", "drop", "--yes-i-know"]))
        .await;
    world
        .execute("ALTER TABLE other DROP CONSTRAINT other_owner_fkey")
        .await;
    world
        .transcribe(&mut said, &all(&["db", "drop", "--yes-i-know"]))
        .await;
    world
        .transcribe(&mut said, &all(&["db", "drop", "--yes-i-know", "--json"]))
        .await;
    world.transcribe(&mut said, &["inspect"]).await;
    snapshot("db_create_drop", &said);
    let left = world
        .query("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        .await;
    assert_eq!(left, ["other"]);
}

#[tokio::test]
async fn a_database_behind_the_revisions_is_not_created() {
    let world = World::new("dbbehind").await;
    world.write("models.json", MODELS);
    world.revision("aaaa1", "", "SELECT 1;", "");
    world.ok(&["upgrade"]).await;
    world.revision("aaaa2", "aaaa1", "SELECT 1;", "");
    let ran = world
        .run(&["db", "create", "--target", "{}/models.json"])
        .await;
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (
            2,
            "error: `limbeck db create` only creates, and the version table says aaaa1: `limbeck upgrade` brings the \
             database to the heads\n"
        )
    );
}

#[tokio::test]
async fn a_database_comes_and_goes() {
    let world = World::new("dbself").await;
    let name = format!("{}_new", world.db.name());
    let url = world.db.url().replace(world.db.name(), &name);
    let run = async |args: &[&str]| {
        let all = [&["--url", url.as_str(), "db"], args].concat();
        let ran = world.run_bare(&all, None).await;
        let text = format!("{}{}", ran.out, ran.err).replace(&name, "NAME");
        (ran.status, text)
    };
    let said = |text: &str| text.to_owned();
    assert_eq!(run(&["init"]).await, (0, said("created database NAME\n")));
    assert_eq!(
        run(&["init"]).await,
        (0, said("database NAME is there already\n"))
    );
    let (status, text) = run(&["destroy"]).await;
    assert_eq!(
        (status, text.as_str()),
        (
            2,
            "error: the whole database NAME would be lost; pass --yes-i-know if that is meant\n"
        )
    );
    let other = sqlx::PgConnection::connect(&url).await.unwrap();
    let (status, text) = run(&["destroy", "--yes-i-know"]).await;
    assert!(
        status == 2
            && text.starts_with(
                "error: cannot drop the database NAME; end the other connections, or pass --force"
            ),
        "{text}"
    );
    let forced = run(&["destroy", "--yes-i-know", "--force"]).await;
    assert_eq!(forced, (0, said("dropped database NAME\n")));
    drop(other);
    let (status, text) = run(&["destroy", "--yes-i-know"]).await;
    assert_eq!((status, text.as_str()), (0, "there is no database NAME\n"));
    let (status, text) = run(&["create"]).await;
    assert!(status == 2 && text.contains("does not exist"), "{text}");
}
