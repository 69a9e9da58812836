//! A database in which a stranger planted functions, operators, types and views: no command runs one of them as a
//! superuser.

use std::os::unix::fs::PermissionsExt;

use crate::common::World;

/// What everybody may create in, beside the schema of the role's own name.
const PLANTS: &str = include_str!("planted.sql");

const MODELS: &str = r#"{
  "limbeck": 1,
  "enums": [{"name": "status", "labels": ["open", "closed"]}],
  "tables": [{
    "name": "account",
    "comment": "people",
    "columns": [
      {"name": "id", "type": "bigint", "identity": {}},
      {"name": "email", "type": "varchar(255)", "nullable": false},
      {"name": "status", "type": "status", "nullable": false, "default": "'open'"},
      {"name": "size", "type": "integer", "generated": "length(email)"}
    ],
    "primary_key": {"columns": ["id"]},
    "uniques": [{"columns": ["email"]}],
    "checks": [{"name": "email_set", "expression": "length(email) > 0"}],
    "indexes": [{"elements": [{"expression": "lower(email)"}], "where": "status = 'open'"}]
  }]
}"#;

/// A database with plants in some schemas, and the folder that they write to.
struct Hostile {
    world: World,
    hits: tempfile::TempDir,
    mallory: String,
}

impl Hostile {
    async fn new(label: &str, schemas: &[&str]) -> Self {
        let world = World::new(label).await;
        let hits = tempfile::tempdir().unwrap();
        std::fs::set_permissions(hits.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mallory = format!("{}_mallory", world.db.name());
        let database = world.db.name();
        world
            .execute(&format!(
                "CREATE ROLE \"{mallory}\" LOGIN; GRANT CREATE ON DATABASE \"{database}\" TO \"{mallory}\""
            ))
            .await;
        for schema in schemas {
            world
                .execute(&format!(
                    "CREATE SCHEMA IF NOT EXISTS \"{schema}\"; GRANT ALL ON SCHEMA \"{schema}\" TO \"{mallory}\""
                ))
                .await;
        }
        let it = Self {
            world,
            hits,
            mallory,
        };
        let plants = PLANTS
            .replace("{schemas}", &format!("{{{}}}", schemas.join(",")))
            .replace("{folder}", &it.hits.path().display().to_string());
        it.as_mallory(&plants).await;
        it
    }

    async fn as_mallory(&self, sql: &str) {
        let begin = format!("SET SESSION AUTHORIZATION \"{}\"", self.mallory);
        let sql = format!("{begin}; {sql}; RESET SESSION AUTHORIZATION; RESET ALL");
        self.world.execute(&sql).await;
    }

    /// What was run as a superuser since the last time.
    fn hits(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.hits.path()).unwrap();
        let mut acc: Vec<String> = entries
            .map(|it| {
                let path = it.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::remove_file(path).unwrap();
                text.trim().to_owned()
            })
            .collect();
        acc.sort();
        acc
    }

    async fn end(self) {
        let Self { world, mallory, .. } = self;
        world
            .execute(&format!(
                "DROP OWNED BY \"{mallory}\" CASCADE; DROP ROLE \"{mallory}\""
            ))
            .await;
    }

    /// Runs a command line, which may fail but must not run a plant.
    async fn walk(&self, args: &[&str], statuses: &[u8]) {
        let ran = self.world.run(args).await;
        assert_eq!(self.hits(), [""; 0], "{args:?}: {}{}", ran.out, ran.err);
        assert!(
            statuses.contains(&ran.status),
            "{args:?}: {}{}",
            ran.out,
            ran.err
        );
    }
}

/// Every command that has to do with the database, and the statuses that it may end with.
fn commands() -> Vec<(Vec<&'static str>, &'static [u8])> {
    const DONE: &[u8] = &[0];
    const ANY: &[u8] = &[0, 1, 2];
    let target = ["--target", "{}/models.json"];
    let with = |args: &[&'static str]| [args, &target].concat();
    vec![
        (with(&["check"]), &[1]),
        (with(&["diff"]), &[0, 1]),
        (
            with(&[
                "revision",
                "--autogenerate",
                "-m",
                "first",
                "--rev-id",
                "aaaa",
            ]),
            DONE,
        ),
        (vec!["heads"], DONE),
        (vec!["history"], DONE),
        (vec!["branches"], DONE),
        (vec!["show", "aaaa"], DONE),
        (vec!["ensure-version"], DONE),
        (vec!["current"], DONE),
        (vec!["upgrade", "--sql"], DONE),
        (vec!["upgrade"], DONE),
        (vec!["current", "--json"], DONE),
        (with(&["check"]), ANY),
        (vec!["check", "--target", "{}/models.sql"], ANY),
        (vec!["check", "--target", "revisions:"], ANY),
        (vec!["inspect"], DONE),
        (vec!["inspect", "--format", "sql"], ANY),
        (vec!["inspect", "--format", "json"], ANY),
        (vec!["inspect", "--format", "rust"], ANY),
        (vec!["downgrade", "--sql", "aaaa:base"], DONE),
        (vec!["downgrade", "base"], DONE),
        (vec!["revision", "-m", "by hand", "--rev-id", "bbbb"], DONE),
        (vec!["upgrade", "--transaction", "run"], DONE),
        (vec!["verify"], ANY),
        (vec!["locate"], ANY),
        (vec!["stamp", "base", "--unchecked"], DONE),
        (vec!["stamp", "bbbb"], ANY),
        (vec!["stamp", "base", "--unchecked", "--purge"], DONE),
        (vec!["squash", "aaaa:bbbb", "--dry-run"], ANY),
        (
            vec![
                "revision", "-m", "other", "--rev-id", "cccc", "--head", "aaaa", "--splice",
            ],
            DONE,
        ),
        (vec!["merge", "-m", "both"], DONE),
        (vec!["remove", "cccc"], ANY),
        (with(&["db", "drop", "--yes-i-know"]), ANY),
        (with(&["db", "create"]), ANY),
        (vec!["db", "init"], DONE),
        (vec!["list-templates"], DONE),
        (vec!["mkdir"], ANY),
        (vec!["rebase"], ANY),
    ]
}

async fn check(label: &str, schemas: &[&str], path: &str, of_role: bool) {
    let it = Hostile::new(label, schemas).await;
    let world = &it.world;
    let whose = if of_role {
        format!("ROLE CURRENT_USER IN DATABASE \"{}\"", world.db.name())
    } else {
        format!("DATABASE \"{}\"", world.db.name())
    };
    world
        .execute(&format!("ALTER {whose} SET search_path = {path}"))
        .await;
    world.write("models.json", MODELS);
    world.write("models.sql", "CREATE TABLE account (id bigint PRIMARY KEY, email varchar(255) CHECK (length(email) > 0));");
    for (args, statuses) in commands() {
        it.walk(&args, statuses).await;
    }
    it.end().await;
}

#[tokio::test]
async fn no_plant_runs_where_the_database_searches_public_first() {
    check("hostile_public", &["public"], "public", false).await;
}

#[tokio::test]
async fn no_plant_runs_in_any_schema_of_a_long_path() {
    check(
        "hostile_long",
        &["public", "postgres", "app"],
        "\"$user\", app, public",
        true,
    )
    .await;
}

#[tokio::test]
async fn no_plant_runs_where_the_catalog_is_searched_last() {
    check(
        "hostile_last",
        &["public", "app"],
        "app, public, pg_catalog",
        false,
    )
    .await;
}

#[tokio::test]
async fn no_plant_runs_where_the_catalog_is_searched_in_between() {
    check(
        "hostile_between",
        &["public", "app"],
        "app, pg_catalog, public",
        true,
    )
    .await;
}
