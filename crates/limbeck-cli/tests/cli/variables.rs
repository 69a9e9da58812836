//! Variables: one history for databases whose tables have different prefixes.

use limbeck_testkit::{dump_objects, pg_dump};

use crate::common::{World, snapshot};

const CONFIG: &str =
    "revisions = [\"revisions\"]\ntarget = \"models.json\"\n\n[variables]\nprefix = \"irma_\"\n";

/// Two tables with a prefix, one of them mixed in case, with a serial, an enum type, and names that are too long.
const FIRST: &str = r#"{
  "limbeck": 1,
  "table_prefix": "${prefix}",
  "enums": [{"name": "${prefix}status", "labels": ["new", "done"]}],
  "tables": [
    {
      "name": "file",
      "columns": [
        {"name": "id", "type": "bigint", "serial": true},
        {"name": "status", "type": "${prefix}status", "default": "'new'"},
        {"name": "price", "type": "text", "comment": "as ${price} or ${:price}"}
      ],
      "primary_key": {"columns": ["id"]},
      "checks": [{"name": "price", "expression": "price <> '${:price}' AND status <> 'done'::${prefix}status"}]
    },
    {
      "name": "fileWeb",
      "columns": [
        {"name": "id", "type": "bigint", "identity": {}},
        {"name": "file", "type": "bigint"},
        {"name": "a_column_with_a_name_of_some_length", "type": "bigint"}
      ],
      "primary_key": {"columns": ["id"]},
      "foreign_keys": [{"columns": ["file"], "references": {"table": "file"}}],
      "indexes": [
        {"elements": ["file"]},
        {"elements": ["a_column_with_a_name_of_some_length"]}
      ]
    }
  ]
}"#;

/// A value is added, a table goes, and a column comes.
const SECOND: &str = r#"{
  "limbeck": 1,
  "table_prefix": "${prefix}",
  "enums": [{"name": "${prefix}status", "labels": ["new", "gone", "done"]}],
  "tables": [
    {
      "name": "file",
      "columns": [
        {"name": "id", "type": "bigint", "serial": true},
        {"name": "status", "type": "${prefix}status", "default": "'new'"},
        {"name": "price", "type": "text", "comment": "as ${price} or ${:price}"},
        {"name": "size", "type": "integer"}
      ],
      "primary_key": {"columns": ["id"]},
      "checks": [{"name": "price", "expression": "price <> '${:price}' AND status <> 'done'::${prefix}status"}]
    }
  ]
}"#;

impl World {
    /// A test whose settings are in its folder.
    async fn configured(label: &str) -> Self {
        let mut world = Self::new(label).await;
        world.use_config();
        world.write("limbeck.toml", CONFIG);
        world.write("models.json", FIRST);
        world
    }
}

fn target(world: &World) -> String {
    world.path("models.json").display().to_string()
}

#[tokio::test]
async fn a_name_that_looks_like_a_placeholder_is_refused() {
    let world = World::configured("placeholder").await;
    world
        .execute("CREATE TABLE \"\u{1}prefix\u{2}victim\" (a int)")
        .await;
    let ran = world.run(&["revision", "--autogenerate", "-m", "x"]).await;
    let begin = "error: table \"\\u{1}prefix\\u{2}victim\" has a control character (U+0001 or U+0002) in a name or text";
    assert!(ran.status == 2 && ran.err.contains(begin), "{}", ran.err);
    assert!(world.written().is_empty());
}

#[tokio::test]
async fn revisions_hold_the_variable_and_fit_every_value() {
    let world = World::configured("variables").await;
    let mut said = String::new();
    let generate = [
        "revision",
        "--autogenerate",
        "--rev-id",
        "aaaa0001",
        "-m",
        "first",
    ];
    world.transcribe(&mut said, &generate).await;
    world.transcribe(&mut said, &["upgrade"]).await;
    world.transcribe(&mut said, &["check"]).await;
    let first = pg_dump(world.db.url()).unwrap();
    world.write("models.json", SECOND);
    let generate = [
        "revision",
        "--autogenerate",
        "--rev-id",
        "aaaa0002",
        "-m",
        "second",
    ];
    world.transcribe(&mut said, &generate).await;
    for args in [
        &["upgrade"] as &[&str],
        &["check"],
        &["verify"],
        &["downgrade", "aaaa0001"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    let back = pg_dump(world.db.url()).unwrap();
    assert_eq!(dump_objects(&back), dump_objects(&first));
    world.transcribe(&mut said, &["downgrade", "base"]).await;
    for id in ["aaaa0001_first", "aaaa0002_second"] {
        let file = std::fs::read_to_string(world.path(&format!("revisions/{id}.sql"))).unwrap();
        said.push_str(&format!("== {id}.sql\n{file}\n"));
    }
    snapshot("variables", &said);
    let long = "a_prefix_that_is_longer_than_most_of_them_";
    for value in ["", "Mixed ", "it's\"; DROP TABLE x; --", long] {
        let value = format!("prefix={value}");
        let with = |args: &[&'static str]| [&["-x", &value], args].concat();
        for args in [
            with(&["upgrade", "aaaa0001"]),
            with(&["upgrade"]),
            with(&["check"]),
            with(&["stamp", "head"]),
            with(&["downgrade", "base"]),
        ] {
            let ran = world.run(&args).await;
            assert_eq!(ran.status, 0, "{args:?}: {}{}", ran.out, ran.err);
        }
    }
    let left = world.query("SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1").await;
    assert_eq!(left, ["limbeck_log", "limbeck_version"]);
}

#[tokio::test]
async fn values_are_looked_for_in_order_and_have_to_be_there() {
    let world = World::configured("variables_values").await;
    world.write("limbeck.toml", "revisions = [\"revisions\"]\n");
    world.revision(
        "r1",
        "",
        "CREATE TABLE ${prefix}a (x text DEFAULT '${prefix}');\n\nCREATE FUNCTION ${prefix}f() RETURNS bigint LANGUAGE sql AS \
         $$ SELECT count(*) FROM ${prefix}a $$;",
        "DROP FUNCTION ${prefix}f();\nDROP TABLE ${prefix}a;",
    );
    let mut said = String::new();
    for args in [
        &["upgrade"] as &[&str],
        &["upgrade", "--sql"],
        &["upgrade", "--dry-run"],
        &["verify"],
        &["-x", "prefix=\\", "upgrade"],
        &["-x", "prefix=p_", "upgrade", "--sql"],
        &["-x", "prefix=p_", "upgrade", "--dry-run"],
        &["-x", "prefix=p_", "verify"],
        &["-x", "prefix=p_", "upgrade"],
        &["-x", "prefix=q_", "current", "-v"],
        &["-x", "prefix=q_", "downgrade"],
        &["-x", "prefix=p_", "show", "head"],
        &["-x", "prefix=p_", "check", "--target", "revisions:"],
        &["-x", "prefix=p_", "downgrade"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    snapshot("variables_values", &said);
}

#[tokio::test]
async fn models_may_have_values_of_their_own() {
    let world = World::configured("variables_models").await;
    world.write("limbeck.toml", "revisions = [\"revisions\"]\n");
    let models = FIRST.replacen('{', "{\"variables\": {\"prefix\": \"m_\"},", 1);
    world.write("models.json", &models);
    let target = target(&world);
    let mut said = String::new();
    let args = [
        "--target",
        &target,
        "revision",
        "--autogenerate",
        "--rev-id",
        "aaaa0001",
        "-m",
        "first",
    ];
    let ran = world.run(&args).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    said.push_str(&ran.err);
    for args in [
        &["--target", &target, "upgrade"] as &[&str],
        &["--target", &target, "-x", "prefix=m_", "upgrade"],
        &["--target", &target, "check"],
        &["--target", &target, "-x", "prefix=n_", "check"],
    ] {
        let ran = world.run(args).await;
        said.push_str(&format!("[status {}] {}{}\n", ran.status, ran.out, ran.err));
    }
    snapshot("variables_models", &said);
}

#[tokio::test]
async fn a_squash_keeps_the_variables() {
    let world = World::configured("variables_squash").await;
    world.revision(
        "aaaa",
        "",
        "CREATE TABLE ${prefix}a (x int);",
        "DROP TABLE ${prefix}a;",
    );
    world.revision(
        "bbbb",
        "aaaa",
        "ALTER TABLE ${prefix}a ADD y text DEFAULT '${:y}';",
        "ALTER TABLE ${prefix}a DROP y;",
    );
    world.ok(&["upgrade"]).await;
    let mut said = String::new();
    for args in [
        &["squash", "aaaa:bbbb"] as &[&str],
        &["current", "-v"],
        &["downgrade", "base"],
        &["-x", "prefix=other_", "upgrade"],
        &["-x", "prefix=other_", "downgrade", "base"],
    ] {
        world.transcribe(&mut said, args).await;
    }
    let files = world.written();
    let file = std::fs::read_to_string(world.path("revisions").join(&files[0])).unwrap();
    snapshot(
        "variables_squash",
        &format!("{said}== {}\n{file}", files.join(", ")),
    );
}
