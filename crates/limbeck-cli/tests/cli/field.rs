//! What databases and SQL files hold beside plain tables, and how much of it is a difference.

use crate::common::World;
use limbeck_testkit::TestDb;
use sqlx::AssertSqlSafe;

/// Runs SQL in the test's database.
async fn sql(world: &World, sql: &str) {
    let mut conn = world.db.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
}

/// A revision made of a target; gives what the command said and the file.
async fn revised(world: &World, target: &str) -> (String, String) {
    let args = [
        "revision",
        "--autogenerate",
        "-m",
        "it",
        "--rev-id",
        "aa",
        "--target",
        target,
    ];
    let ran = world.run(&args).await;
    let text = std::fs::read_to_string(world.path("revisions/aa_it.sql")).unwrap();
    (ran.err, text)
}

#[tokio::test]
async fn what_is_ignored_is_left_alone_on_both_sides_whatever_they_are() {
    let mut world = World::new("ignored").await;
    world.use_config();
    sql(
        &world,
        "CREATE TABLE mine (id int PRIMARY KEY); CREATE TABLE plugin_state (id serial PRIMARY KEY, mine_id int REFERENCES mine); \
         CREATE SCHEMA cron; CREATE TABLE cron.job (id int); CREATE VIEW cron.jobs AS SELECT 1 AS one; CREATE INDEX tmp_ix ON mine \
         ((id + 1)); CREATE TYPE theirs AS ENUM ('a')",
    )
    .await;
    let ignore = "ignore = [\"plugin_*\", \"cron.*\", { kind = \"index\", name = \"tmp_*\" }, { kind = \"enum\", name = \"theirs\" }]";
    world.write(
        "limbeck.toml",
        &format!("revisions = [\"revisions\"]\n{ignore}\n"),
    );
    std::fs::create_dir(world.path("revisions")).unwrap();
    world.write(
        "new.sql",
        "CREATE TABLE mine (id int PRIMARY KEY, note text); CREATE TABLE plugin_other (a int);",
    );
    let ran = world.run(&["check", "--target", "{}/new.sql"]).await;
    assert_eq!(
        (ran.status, ran.out.as_str()),
        (1, "add column mine.note text\n"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let ran = world.run(&["-v", "check", "--target", "{}/new.sql"]).await;
    assert!(
        ran.err.contains(
            "ignored: schema cron, enum theirs, sequence plugin_state_id_seq, table plugin_other"
        ),
        "{}",
        ran.err
    );
    let (err, text) = revised(&world, "{}/new.sql").await;
    assert!(
        text.contains("proof: upgraded, empty diff, downgraded, equal"),
        "{err}{text}"
    );
    assert!(!text.contains("plugin") && !text.contains("cron"), "{text}");
    world.ok(&["upgrade"]).await;
    world.ok(&["check", "--target", "{}/new.sql"]).await;
    let models = "{\"limbeck\":1,\"naming_convention\":\"postgresql\",\"tables\":[{\"name\":\"mine\",\"columns\":[{\"name\":\"id\",\"type\":\
                  \"int\",\"nullable\":false},{\"name\":\"note\",\"type\":\"text\"}],\"primary_key\":{\"columns\":[\"id\"]}},{\"name\":\"plugin_x\",\"columns\":[]}]}";
    world.write("m.json", models);
    world.ok(&["check", "--target", "{}/m.json"]).await;
    let other = TestDb::create("ignored_other").await;
    // `mine` stays: what is left alone refers to it.
    sql(&world, "CREATE TABLE solo (id int)").await;
    let ran = world.run(&["check", "--target", other.url()]).await;
    assert_eq!(ran.out, "drop table solo\n", "{}", ran.err);
    sql(&world, "DROP TABLE solo").await;
    world.write("limbeck.toml", "ignore = [\"*\"]\n");
    let ran = world.run(&["check", "--target", "{}/new.sql"]).await;
    assert_eq!(ran.status, 2, "{}", ran.out);
    assert!(
        ran.err
            .contains("nothing is left to compare: `ignore` matches all"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn what_a_role_owns_can_be_ignored() {
    let mut world = World::new("ignored_owner").await;
    world.use_config();
    let role = format!("{}_owner", world.db.name());
    sql(&world, &format!("CREATE ROLE {role}; CREATE TABLE a (a int); CREATE TABLE b (b int); ALTER TABLE b OWNER TO {role}")).await;
    world.write("limbeck.toml", "ignore = [{ owner = \"*_owner\" }]\n");
    world.write("a.sql", "CREATE TABLE a (a int);");
    world.ok(&["check", "--target", "{}/a.sql"]).await;
    sql(&world, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn an_empty_schema_public_is_no_difference() {
    let world = World::new("no_public").await;
    sql(
        &world,
        "DROP SCHEMA public; CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY)",
    )
    .await;
    world.write(
        "own.sql",
        "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY);",
    );
    world.ok(&["check", "--target", "{}/own.sql"]).await;
    let url = format!("{}?options=-csearch_path%3Dapp", world.db.url());
    for target in ["{}/own.sql", "{}/plain.sql"] {
        world.write("plain.sql", "CREATE TABLE t (id int PRIMARY KEY);");
        let ran = world
            .run_bare(&["--url", &url, "check", "--target", target], None)
            .await;
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    }
    world.write("public.sql", "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY); CREATE TABLE public.u (id int);");
    let ran = world
        .run_bare(&["--url", &url, "check", "--target", "{}/public.sql"], None)
        .await;
    assert_eq!(
        ran.out, "create schema public\ncreate table public.u\n",
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn dumps_of_any_version_are_read_with_their_rows_and_settings_passed_over() {
    let world = World::new("dumps").await;
    sql(
        &world,
        "CREATE TABLE t (id int NOT NULL, n text); CREATE TABLE u (a int)",
    )
    .await;
    world.write(
        "dump/1.SQL",
        "\u{feff}SET statement_timeout = 0;\nSET setting_of_a_newer_server = 0;\nCREATE TABLE public.t (\n    id integer NOT NULL,\n    n text\n);\n\
         COPY public.t (id, n) FROM stdin;\n1\tit's $$ \"\n2\t\\N\n\\.\n\nSELECT * FROM pg_catalog.pg_restore_nothing_stats('a');\n",
    );
    world.write("dump/sub/2.sql", "CREATE TABLE u (a int);");
    let ran = world.run(&["check", "--target", "{}/dump"]).await;
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    for note in [
        "DIR/dump/1.SQL: the rows of COPY are passed over: public.t\n",
        "DIR/dump/1.SQL:2:1: the setting setting_of_a_newer_server is passed over: this server does not have it\n",
        "DIR/dump/1.SQL:12:1: statistics are passed over: this version cannot take them\n",
    ] {
        assert!(ran.err.contains(note), "{}", ran.err);
    }
    std::fs::create_dir(world.path("empty")).unwrap();
    let ran = world.run(&["check", "--target", "{}/empty"]).await;
    assert!(
        ran.err
            .contains("the folder DIR/empty holds no .sql file, in no subfolder either"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn options_that_a_server_keeps_for_itself_are_no_difference() {
    let world = World::new("unknown_options").await;
    sql(&world, "CREATE TABLE t (id int PRIMARY KEY, n text); CREATE TYPE addr AS (street text); ALTER TABLE t ALTER n SET (n_distinct = 5)").await;
    sql(
        &world,
        "SET allow_system_table_mods = on; UPDATE pg_attribute SET attoptions = coalesce(attoptions, '{}') || '{pg_attver=3}'::text[] WHERE \
         attrelid IN ('t'::regclass, 'addr'::regclass) AND attnum > 0; UPDATE pg_class SET reloptions = '{pg_own=1,fillfactor=70}' WHERE relname \
         IN ('t', 't_pkey')",
    )
    .await;
    let target = "CREATE TABLE t (id int, n text, PRIMARY KEY (id) WITH (fillfactor = 70)) WITH (fillfactor = 70); CREATE TYPE addr AS (street text);";
    world.write(
        "t.sql",
        &format!("{target} ALTER TABLE t ALTER n SET (n_distinct = 5);"),
    );
    world.ok(&["check", "--target", "{}/t.sql"]).await;
    let ran = world.run(&["-v", "check", "--target", "{}/t.sql"]).await;
    for name in ["pg_attver", "pg_own"] {
        let line = format!("the option {name} is not known, so it is passed over\n");
        assert_eq!(ran.err.matches(&line).count(), 1, "{}", ran.err);
    }
    world.write("u.sql", target);
    let ran = world.run(&["check", "--target", "{}/u.sql"]).await;
    assert_eq!(
        ran.out, "alter column t.n: options (n_distinct=5) -> ()\n",
        "{}",
        ran.err
    );
    let inspected = world.ok(&["inspect", "--format", "sql"]).await;
    assert!(
        inspected.contains("n_distinct") && !inspected.contains("pg_"),
        "{inspected}"
    );
}

#[tokio::test]
async fn a_foreign_key_that_is_switched_off_is_built_anew() {
    let world = World::new("switched_off").await;
    sql(&world, "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (pid int REFERENCES p); ALTER TABLE c DISABLE TRIGGER ALL").await;
    world.write(
        "t.sql",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (pid int REFERENCES p);",
    );
    let ran = world.run(&["check", "--target", "{}/t.sql"]).await;
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(
        ran.out.contains("foreign key c.c_pid_fkey")
            && ran.out.contains("switched off true -> false"),
        "{}",
        ran.out
    );
    let (err, text) = revised(&world, "{}/t.sql").await;
    assert!(
        text.contains("proof: upgraded, empty diff, downgraded, equal"),
        "{err}{text}"
    );
    world.ok(&["upgrade"]).await;
    world.ok(&["check", "--target", "{}/t.sql"]).await;
}

#[tokio::test]
async fn partitions_follow_their_parent_and_are_named_where_they_could_be_in_the_way() {
    let world = World::new("partitions_follow").await;
    let state = |column: &str| {
        format!(
            "CREATE SCHEMA parts; CREATE TABLE par (k int NOT NULL, val numeric{column}) PARTITION BY LIST (k); CREATE INDEX par_val ON par (val); \
             CREATE TABLE parts.rest PARTITION OF par DEFAULT PARTITION BY LIST (k); CREATE TABLE parts.deep PARTITION OF parts.rest DEFAULT; \
             CREATE VIEW parts.v AS SELECT k FROM parts.deep;"
        )
    };
    sql(&world, &state("")).await;
    world.write("t.sql", &state(", unit text NOT NULL DEFAULT 'K'"));
    let ran = world.run(&["check", "--target", "{}/t.sql"]).await;
    assert_eq!(
        ran.out, "add column par.unit text default 'K'::text not null\n",
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let (_, text) = revised(&world, "{}/t.sql").await;
    assert!(
        text.contains(
            "partitions of public.par are not managed and were not there (parts.deep, parts.rest)"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn what_hangs_on_objects_that_go_is_a_hazard_that_names_it() {
    let world = World::new("attached").await;
    let role = format!("{}_role", world.db.name());
    sql(
        &world,
        &format!(
            "CREATE ROLE {role}; CREATE TYPE state AS ENUM ('a', 'b', 'c'); REVOKE USAGE ON TYPE state FROM PUBLIC; GRANT USAGE ON TYPE state TO \
             {role}; ALTER TYPE state OWNER TO {role}; CREATE TABLE item (id int NOT NULL, s state, price int, total int GENERATED ALWAYS AS (price * 2) \
             STORED); GRANT SELECT (total) ON item TO {role}; CREATE STATISTICS ts ON price, total FROM item; CREATE UNIQUE INDEX item_uq ON item (id); \
             ALTER TABLE item REPLICA IDENTITY USING INDEX item_uq; ALTER TABLE item CLUSTER ON item_uq; CREATE TABLE gone (id int); CREATE FUNCTION \
             stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER stamp BEFORE INSERT ON gone FOR EACH ROW EXECUTE \
             FUNCTION stamp(); CREATE PUBLICATION pub FOR TABLE gone"
        ),
    )
    .await;
    world.write(
        "t.sql",
        "CREATE TYPE state AS ENUM ('a', 'b'); CREATE TABLE item (id int NOT NULL, s state, price int, total bigint GENERATED ALWAYS AS (price * 3) \
         STORED); CREATE UNIQUE INDEX item_uq ON item (id, price);",
    );
    let (err, text) = revised(&world, "{}/t.sql").await;
    let text = text.replace(&role, "ROLE");
    for line in [
        "-- hazard loses-attachments: goes with enum state and is not brought back: owner ROLE; USAGE is revoked from PUBLIC",
        "-- hazard loses-attachments: goes with column item.total and is not brought back: grants to ROLE; statistics ts",
        "-- hazard loses-attachments: goes with index item.item_uq and is not brought back: replica identity of public.item; the mark of CLUSTER of public.item",
        "-- hazard loses-attachments: goes with table gone and is not brought back: trigger stamp, whose function public.stamp() stays; publication pub",
    ] {
        let found = text.contains(line)
            || text.contains(&line.replace(
                "replica identity of public.item; the mark of CLUSTER of public.item",
                "the mark of CLUSTER of public.item; replica identity of public.item",
            ));
        assert!(found, "{line}\n{err}\n{text}");
    }
    sql(
        &world,
        &format!("DROP PUBLICATION pub; DROP OWNED BY {role} CASCADE; DROP ROLE {role}"),
    )
    .await;
}

#[tokio::test]
async fn what_looks_like_a_variable_in_a_database_comes_back_from_every_format() {
    let world = World::new("dollar_brace").await;
    sql(
        &world,
        "CREATE TABLE mail (id int, body text DEFAULT 'Hello ${name}, ${:x} $${y} ${not a var} ${}', \"col${um}n\" int, CONSTRAINT c CHECK (body <> \
         '${name}')); COMMENT ON TABLE mail IS 'uses ${name}'; CREATE INDEX \"ix_${p}\" ON mail (id) WHERE body = '${name}'; CREATE TYPE e AS ENUM \
         ('${a}', '$b')",
    )
    .await;
    for (format, name) in [("json", "i.json"), ("sql", "i.sql")] {
        let target = format!("{{}}/{name}");
        world
            .ok(&["inspect", "--format", format, "-o", &target])
            .await;
        world.ok(&["check", "--target", &target]).await;
        world
            .ok(&["-x", "name=BOB", "-x", "p=q", "check", "--target", &target])
            .await;
    }
}

#[tokio::test]
async fn what_a_child_says_of_inherited_columns_comes_back_from_every_format() {
    let world = World::new("inherited_formats").await;
    sql(
        &world,
        "CREATE TABLE p (a int, b text DEFAULT 'x', n int); CREATE TABLE c () INHERITS (p); ALTER TABLE c ALTER a SET NOT NULL; ALTER TABLE c ALTER a \
         SET DEFAULT 9; ALTER TABLE c ALTER b DROP DEFAULT; ALTER TABLE c ALTER n SET STATISTICS 77; ALTER TABLE c ALTER b SET STORAGE EXTERNAL; CREATE \
         TABLE d (b text DEFAULT 'own') INHERITS (p); CREATE INDEX ix ON p ((a + 1)); ALTER INDEX ix ALTER COLUMN 1 SET STATISTICS 5",
    )
    .await;
    for (format, name) in [("json", "i.json"), ("sql", "i.sql")] {
        let target = format!("{{}}/{name}");
        world
            .ok(&["inspect", "--format", format, "-o", &target])
            .await;
        world.ok(&["check", "--target", &target]).await;
    }
    world.write("t.sql", "CREATE TABLE p (a int, b text DEFAULT 'x', n int); CREATE INDEX ix ON p ((a + 1)); CREATE TABLE c () INHERITS (p); CREATE TABLE d () INHERITS (p);");
    let ran = world.run(&["check", "--target", "{}/t.sql"]).await;
    assert_eq!(
        ran.out,
        "drop inherited column c.a\ndrop inherited column c.b\ndrop inherited column c.n\ndrop inherited column d.b\nalter index p.ix: statistics targets \
         (1: 5) -> ()\n",
        "{}",
        ran.err
    );
}
