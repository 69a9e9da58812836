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

/// Something that mallory has where Limbeck's tables belong; `{mallory}` and `{hit}` are replaced.
async fn refused(label: &str, cases: &[(&str, &str)]) {
    let it = Hostile::new(label, &["spare"]).await;
    it.world.revision("aaaa", "", "SELECT 1;", "");
    let public = format!("GRANT ALL ON SCHEMA public TO \"{}\"", it.mallory);
    it.world.execute(&public).await;
    for (sql, expected) in cases {
        it.as_mallory(sql).await;
        for args in [
            &["current"] as &[&str],
            &["upgrade"],
            &["stamp", "aaaa", "--unchecked"],
            &["stamp", "aaaa", "--unchecked", "--purge"],
            &["downgrade", "base"],
        ] {
            let ran = it.world.run(args).await;
            assert_eq!(it.hits(), [""; 0], "{sql}: {args:?}");
            assert_eq!(ran.status, 2, "{sql}: {args:?}: {}", ran.out);
            assert!(ran.err.contains(expected), "{sql}: {args:?}: {}", ran.err);
        }
        let gone = "DROP VIEW IF EXISTS limbeck_view; DROP TABLE IF EXISTS child; DO $$ BEGIN IF to_regclass('limbeck_version') \
                    IS NOT NULL THEN EXECUTE (SELECT 'DROP ' || CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END || \
                    ' limbeck_version CASCADE' FROM pg_class WHERE oid = to_regclass('limbeck_version')); END IF; END $$; \
                    DROP TABLE IF EXISTS limbeck_log CASCADE";
        it.world.execute(gone).await;
    }
    it.end().await;
}

const VERSION: &str = "CREATE TABLE public.limbeck_version (version_num varchar(255) PRIMARY KEY)";

#[tokio::test]
async fn a_version_table_that_runs_a_strangers_code_is_refused() {
    let table = |more: &str| format!("{VERSION}; {more}");
    let hit = "CREATE OR REPLACE FUNCTION planted.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM planted.hit('a trigger'); \
               RETURN NEW; END $$";
    let cases = [
        (
            "CREATE VIEW public.limbeck_version AS SELECT 'aaaa'::varchar AS version_num WHERE planted.hit('a view')".to_owned(),
            "is no ordinary table",
        ),
        (
            table(&format!(
                "{hit}; CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON public.limbeck_version FOR EACH STATEMENT EXECUTE \
                 FUNCTION planted.fire()"
            )),
            "has a trigger whose function belongs to another role",
        ),
        (
            table(
                "CREATE RULE r AS ON INSERT TO public.limbeck_version DO ALSO SELECT planted.hit('a rule')",
            ),
            "has a rule",
        ),
        (
            table("ALTER TABLE public.limbeck_version ADD x boolean DEFAULT planted.hit('a default')"),
            "has a default",
        ),
        (
            table("ALTER TABLE public.limbeck_version ADD CHECK (planted.hit(version_num))"),
            "has a check",
        ),
        (
            table("CREATE TABLE child () INHERITS (public.limbeck_version)"),
            "has children",
        ),
        (
            "CREATE DOMAIN public.id AS varchar CHECK (planted.hit('a domain')); CREATE TABLE public.limbeck_version (version_num \
             public.id PRIMARY KEY)"
                .to_owned(),
            "of that role's own type",
        ),
    ];
    let cases: Vec<(&str, &str)> = cases.iter().map(|(sql, it)| (sql.as_str(), *it)).collect();
    refused("strange_version", &cases).await;
}

/// Alembic's table, and Limbeck's, made by the role that owns the application.
#[tokio::test]
async fn plain_tables_of_another_role_are_used() {
    let it = Hostile::new("plain_version", &["public"]).await;
    it.world.revision("aaaa", "", "SELECT 1;", "");
    it.as_mallory(VERSION).await;
    for args in [
        &["upgrade"] as &[&str],
        &["current"],
        &["downgrade", "base"],
        &["upgrade"],
    ] {
        it.walk(args, &[0]).await;
    }
    let give = format!(
        "ALTER TABLE public.limbeck_log OWNER TO \"{0}\"; ALTER TABLE public.limbeck_version OWNER TO \"{0}\"",
        it.mallory
    );
    it.world.execute(&give).await;
    for args in [
        &["current"] as &[&str],
        &["downgrade", "base"],
        &["upgrade"],
    ] {
        it.walk(args, &[0]).await;
    }
    it.end().await;
}
