//! Hazards against what the server does: a table that is written anew has another file afterwards
//! (`pg_relation_filenode`), and values that are said to stay come back from the way there and back.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::fmt::Write as _;

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, compare_desired, read_facts};
use limbeck_plan::{Migration, Plan, PlanStep, migration};
use limbeck_schema::{Desired, Hazard, Scope};
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, PgConnection};

async fn execute(conn: &mut PgConnection, sql: &str) -> Result<(), String> {
    let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    let done = query.execute(conn).await;
    done.map(drop).map_err(|it| format!("{sql}: {it}"))
}

/// One text that the server gives.
async fn text(conn: &mut PgConnection, sql: String) -> Option<String> {
    let query = sqlx::query_scalar(AssertSqlSafe(sql));
    query.persistent(false).fetch_one(conn).await.unwrap()
}

/// A database in the old state, and the way to the new one.
async fn prepared(old: &str, new: &str) -> (TestDb, PgConnection, Migration) {
    let (db, goal) = (
        TestDb::create("hazards").await,
        TestDb::create("hazards_goal").await,
    );
    let mut conn = goal.connect().await.unwrap();
    execute(&mut conn, new).await.unwrap();
    let goal = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .unwrap();
    let desired = Desired {
        schema: goal.schema,
        scope: Scope::everything(),
        ..Desired::default()
    };
    let mut conn = db.connect().await.unwrap();
    execute(&mut conn, old).await.unwrap();
    let mut it = compare_desired(&mut conn, desired, &CompareOptions::default())
        .await
        .unwrap();
    it.desired.facts = read_facts(&mut conn, &it.catalog, &it.desired, &it.ops)
        .await
        .unwrap();
    let way = migration(&it.catalog.schema, &it.desired, it.catalog.version).unwrap();
    (db, conn, way)
}

fn steps(plan: &Plan) -> impl Iterator<Item = &PlanStep> {
    plan.segments.iter().flat_map(|it| &it.steps)
}

/// The hazards that are stated for a table.
fn hazards(plan: &Plan, table: &str) -> Vec<Hazard> {
    let own = steps(plan).filter(|it| it.key.name.as_str() == table);
    let warnings = own
        .flat_map(|it| &it.statements)
        .flat_map(|it| &it.warnings);
    warnings.map(|it| it.hazard).collect()
}

/// Runs what a plan does to a table; gives whether its rows were written anew, or why the server refused.
async fn rewrites(conn: &mut PgConnection, plan: &Plan, table: &str) -> Result<bool, String> {
    let file = format!("SELECT pg_relation_filenode('{table}')::text");
    let before = text(conn, file.clone()).await;
    let own = steps(plan).filter(|it| it.key.name.as_str() == table);
    for statement in own.flat_map(|it| &it.statements) {
        execute(conn, &statement.sql).await?;
    }
    Ok(text(conn, file).await != before)
}

/// Two types and a value of the first, at every length and precision that PostgreSQL treats in a way of its own.
const PAIRS: &[(&str, &str, &str)] = &[
    ("varchar(50)", "varchar(51)", "'x'"),
    ("varchar(50)", "varchar(40)", "'x'"),
    ("varchar(50)", "text", "'x'"),
    ("varchar(50)", "varchar", "'x'"),
    ("text", "varchar", "'x'"),
    ("text", "varchar(50)", "'x'"),
    ("varchar", "text", "'x'"),
    ("char(5)", "char(8)", "'x'"),
    ("char(5)", "char(3)", "'x'"),
    ("char(5)", "varchar(5)", "'x'"),
    ("char(5)", "text", "'x'"),
    ("varchar(5)", "char(5)", "'x'"),
    ("numeric(10,2)", "numeric(12,2)", "1.5"),
    ("numeric(10,2)", "numeric", "1.5"),
    ("numeric(10,2)", "numeric(12,3)", "1.5"),
    ("numeric(10,2)", "numeric(8,2)", "1.5"),
    ("numeric", "numeric(10,2)", "1.5"),
    ("timestamp(3)", "timestamp", "'2024-01-01 10:00:00.5'"),
    ("timestamp(3)", "timestamp(6)", "'2024-01-01 10:00:00.5'"),
    ("timestamp(3)", "timestamp(0)", "'2024-01-01 10:00:00.5'"),
    (
        "timestamptz(2)",
        "timestamptz(4)",
        "'2024-01-01 10:00:00.5+00'",
    ),
    (
        "timestamptz",
        "timestamptz(3)",
        "'2024-01-01 10:00:00.5+00'",
    ),
    ("timestamp", "timestamptz", "'2024-01-01 10:00:00.5'"),
    ("timestamptz", "timestamp", "'2024-01-01 10:00:00.5+00'"),
    ("time(2)", "time", "'10:00:00.5'"),
    ("time", "time(2)", "'10:00:00.5'"),
    ("interval(2)", "interval", "'1 day 01:02:03.5'"),
    ("interval", "interval(2)", "'1 day 01:02:03.5'"),
    ("interval", "interval hour to minute", "'1 day 01:02:03.5'"),
    ("interval hour to minute", "interval", "'1 day 01:02:03.5'"),
    ("varbit(4)", "varbit(8)", "B'101'"),
    ("varbit(4)", "varbit", "B'101'"),
    ("bit(4)", "bit(8)", "B'1010'"),
    ("bit(4)", "varbit(4)", "B'1010'"),
    ("cidr", "inet", "'10.0.0.0/8'"),
    ("inet", "cidr", "'10.0.0.0/8'"),
    ("smallint", "integer", "1"),
    ("integer", "bigint", "1"),
    ("bigint", "integer", "1"),
    ("integer", "numeric", "1"),
    ("integer", "text", "1"),
    ("real", "double precision", "1.5"),
    ("double precision", "real", "1.5"),
    ("json", "jsonb", "'{}'"),
    ("jsonb", "json", "'{}'"),
    ("varchar(20)[]", "varchar(30)[]", "'{a,b}'"),
    ("text[]", "varchar[]", "'{a,b}'"),
    ("varchar[]", "text[]", "'{a,b}'"),
    ("varchar(20)[]", "varchar(10)[]", "'{a,b}'"),
    ("integer[]", "bigint[]", "'{1,2}'"),
    ("date", "timestamp", "'2024-01-01'"),
    ("timestamp", "date", "'2024-01-01 10:00:00.5'"),
    ("text", "citext", "'x'"),
    ("citext", "text", "'x'"),
    ("varchar(9)", "citext", "'x'"),
    ("integer", "plain", "1"),
    ("plain", "integer", "1"),
    ("integer", "above_zero", "1"),
    ("above_zero", "integer", "1"),
    ("xml", "text", "'<a/>'"),
    ("oid", "bigint", "1"),
    ("regclass", "oid", "'pg_class'"),
    ("name", "text", "'x'"),
    ("text", "name", "'x'"),
    ("uuid", "text", "'00000000-0000-4000-8000-000000000001'"),
    ("bytea", "text", "'\\x61'"),
    ("boolean", "integer", "true"),
    ("text", "text COLLATE \"C\"", "'x'"),
    ("varchar(20)", "varchar(20) COLLATE \"C\"", "'x'"),
    ("money", "numeric", "1"),
    ("int4range", "int8range", "'[1,2)'"),
    ("numeric(5,0)", "integer", "1"),
    ("integer", "numeric(4,0)", "1"),
    ("bigint", "numeric(20,0)", "1"),
    // Domains over domains, those with a NOT NULL alone, and arrays of them.
    ("varchar(20)", "short", "'x'"),
    ("short", "varchar(30)", "'x'"),
    ("plain", "over_plain", "1"),
    ("integer", "over_above_zero", "1"),
    ("integer", "filled", "1"),
    ("integer[]", "plain[]", "'{1,2}'"),
    ("numeric(6,2)", "money", "1.5"),
    ("macaddr", "macaddr8", "'08:00:2b:01:02:03'"),
    ("mood", "text", "'a'"),
    ("text", "mood", "'a'"),
    ("timetz(1)", "timetz(3)", "'10:00:00.5+00'"),
    (
        "interval day to second(2)",
        "interval day to second(4)",
        "'1 day 01:02:03.5'",
    ),
    ("\"char\"", "text", "'x'"),
    ("integer", "regclass", "1259"),
    ("json", "text", "'{}'"),
];

const TYPES: &str = "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN plain AS integer; \
     CREATE DOMAIN above_zero AS integer CHECK (VALUE > 0); CREATE DOMAIN short AS varchar(20); CREATE DOMAIN over_plain AS plain; \
     CREATE DOMAIN over_above_zero AS above_zero; CREATE DOMAIN filled AS integer NOT NULL;";

#[tokio::test]
async fn a_change_of_type_states_a_rewrite_where_the_rows_are_written_anew() {
    let (mut old, mut new) = (TYPES.to_owned(), TYPES.to_owned());
    for (at, (from, to, value)) in PAIRS.iter().enumerate() {
        let cast = from.split(" COLLATE").next().unwrap();
        // Writing to a `String` cannot fail.
        let _ = write!(
            old,
            "CREATE TABLE t{at} (c {from}); INSERT INTO t{at} VALUES ({value}::{cast});"
        );
        let _ = write!(new, "CREATE TABLE t{at} (c {to});");
    }
    let (_db, mut conn, way) = prepared(&old, &new).await;
    let mut wrong = Vec::new();
    for (at, (from, to, _)) in PAIRS.iter().enumerate() {
        let table = format!("t{at}");
        let value = format!("SELECT c::text FROM {table}");
        let before = text(&mut conn, value.clone()).await;
        let mut keeps = true;
        for (plan, way) in [
            (&way.upgrade, format!("{from} to {to}")),
            (&way.downgrade, format!("{to} to {from}")),
        ] {
            let stated = hazards(plan, &table);
            keeps &= !stated.contains(&Hazard::ChangesValues) || way.starts_with(to);
            match rewrites(&mut conn, plan, &table).await {
                Ok(rewritten) if rewritten == stated.contains(&Hazard::RewritesTable) => {}
                Ok(true) => wrong.push(format!("{way}: a rewrite is not stated")),
                Ok(false) => wrong.push(format!("{way}: a rewrite is stated")),
                Err(_) if stated.contains(&Hazard::MayFail) => {
                    keeps = false;
                    break;
                }
                Err(error) => wrong.push(format!("{way}: a failure is not stated: {error}")),
            }
        }
        let after = text(&mut conn, value).await;
        if keeps && before != after {
            wrong.push(format!(
                "{from} to {to}: {before:?} comes back as {after:?}, unstated"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a new column is, and whether each row gets a value of its own.
const COLUMNS: &[&str] = &[
    "boolean NOT NULL DEFAULT true",
    "text NOT NULL DEFAULT 'x'",
    "timestamptz NOT NULL DEFAULT now()",
    "timestamptz DEFAULT clock_timestamp()",
    "jsonb NOT NULL DEFAULT '{}'",
    "mood NOT NULL DEFAULT 'b'",
    "uuid NOT NULL DEFAULT gen_random_uuid()",
    "text DEFAULT ('n' || random()::text)",
    "double precision DEFAULT random() * 2",
    "text DEFAULT current_user",
    "text[] DEFAULT ARRAY['a', 'b']",
    "text[] DEFAULT ARRAY['a', timeofday()]",
    "integer DEFAULT by_default()",
    "integer DEFAULT marked_stable()",
    "integer DEFAULT public.marked_immutable(1)",
    "integer DEFAULT (1 <+> 2)",
    "text DEFAULT by_default()::text",
    "integer DEFAULT NULL",
    "char(4) DEFAULT NULL",
    "above_zero",
    "above_zero DEFAULT 3",
    "over_above_zero DEFAULT 3",
    "plain DEFAULT 3",
    "over_plain",
    "above_zero[]",
    "integer GENERATED ALWAYS AS (id + 1) STORED",
    "bigint GENERATED ALWAYS AS IDENTITY",
    "bigserial",
    "regclass DEFAULT 'pg_class'",
    "date DEFAULT CURRENT_DATE",
    "bigint DEFAULT nextval('numbers')",
    "interval DEFAULT '1 day'::interval * 2",
];

const FUNCTIONS: &str = "CREATE SEQUENCE numbers; CREATE FUNCTION by_default() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; \
     CREATE FUNCTION marked_stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; CREATE FUNCTION marked_immutable(int) RETURNS \
     int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE FUNCTION adds(int, int) RETURNS int LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1 + $2; END'; \
     CREATE OPERATOR <+> (FUNCTION = adds, LEFTARG = int, RIGHTARG = int);";

#[tokio::test]
async fn a_new_column_states_a_rewrite_where_each_row_gets_a_value_of_its_own() {
    let mut old = format!("{TYPES}{FUNCTIONS}");
    let mut new = old.clone();
    for (at, column) in COLUMNS.iter().enumerate() {
        let _ = write!(
            old,
            "CREATE TABLE t{at} (id int); INSERT INTO t{at} VALUES (1);"
        );
        let _ = write!(new, "CREATE TABLE t{at} (id int, c {column});");
    }
    let (_db, mut conn, way) = prepared(&old, &new).await;
    // What a serial counts by is no part of its table.
    for step in steps(&way.upgrade).filter(|it| it.key.part.is_none()) {
        for statement in &step.statements {
            let _ = execute(&mut conn, &statement.sql).await;
        }
    }
    let mut wrong = Vec::new();
    for (at, column) in COLUMNS.iter().enumerate() {
        let table = format!("t{at}");
        let stated = hazards(&way.upgrade, &table).contains(&Hazard::RewritesTable);
        let rewritten = rewrites(&mut conn, &way.upgrade, &table).await;
        if rewritten != Ok(stated) {
            wrong.push(format!("{column}: stated {stated}, found {rewritten:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks what of the upgrade, as a revision has it, is there and is not there.
async fn check(old: &str, new: &str, there: &[&str], not_there: &[&str]) {
    let (_db, mut conn, way) = prepared(old, new).await;
    let script: String = way.upgrade.segments.iter().map(|it| it.render()).collect();
    for it in there {
        assert!(script.contains(it), "`{it}` is not in:\n{script}");
    }
    for it in not_there {
        assert!(!script.contains(it), "`{it}` is in:\n{script}");
    }
    let refused = way.upgrade.statements().any(|it| !it.held_by.is_empty());
    let mut done = Ok(());
    for statement in way.upgrade.statements() {
        done = done.and(execute(&mut conn, &statement.sql).await);
    }
    assert_eq!(done.is_err(), refused, "{done:?}\n{script}");
}

const TABLE: &str = "CREATE TABLE house (id int PRIMARY KEY, owner int, name varchar(9));";

#[tokio::test]
async fn what_the_server_refuses_a_change_for_is_named_by_column() {
    let new = TABLE.replace("owner int", "owner bigint");
    let none: &[&str] = &["will refuse"];
    let trigger =
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";
    for (holder, named) in [
        ("CREATE VIEW v AS SELECT owner FROM house", "view public.v"),
        ("CREATE VIEW v AS SELECT name FROM house", ""),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT id FROM house WHERE owner = 1",
            "materialized view public.v",
        ),
        (
            "CREATE POLICY p ON house USING (owner = 1)",
            "policy p on public.house",
        ),
        ("CREATE POLICY p ON house USING (id = 1)", ""),
        (
            &format!(
                "{trigger} CREATE TRIGGER g AFTER UPDATE OF owner ON house FOR EACH ROW EXECUTE FUNCTION keep()"
            ),
            "trigger g on public.house",
        ),
        (
            &format!(
                "{trigger} CREATE TRIGGER g AFTER UPDATE OF name ON house FOR EACH ROW EXECUTE FUNCTION keep()"
            ),
            "",
        ),
        (
            "CREATE FUNCTION f() RETURNS SETOF house LANGUAGE sql AS 'SELECT * FROM house'",
            "",
        ),
        (
            "CREATE RULE r AS ON UPDATE TO house WHERE NEW.owner = 1 DO ALSO NOTHING",
            "rule r on public.house",
        ),
    ] {
        let old = format!("{TABLE} {holder}");
        let there = format!("will refuse this: {named} uses house.owner");
        if named.is_empty() {
            check(&old, &new, &[], none).await;
        } else {
            check(&old, &new, &[&there], &[]).await;
        }
    }
}

#[tokio::test]
async fn what_the_server_refuses_a_drop_for_is_named() {
    let rows = "CREATE FUNCTION rows() RETURNS SETOF house LANGUAGE sql AS 'SELECT * FROM house'";
    check(
        &format!("{TABLE} {rows}"),
        "",
        &["function public.rows() uses table house"],
        &[],
    )
    .await;
    let list = "CREATE FUNCTION list(house[]) RETURNS int LANGUAGE sql AS 'SELECT 1'";
    check(&format!("{TABLE} {list}"), "", &["uses table house"], &[]).await;
    let trigger = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g AFTER \
                   UPDATE OF owner ON house FOR EACH ROW EXECUTE FUNCTION keep(); CREATE POLICY p ON house USING (owner = 1)";
    check(&format!("{TABLE} {trigger}"), "", &[], &["will refuse"]).await;
    let grouped = "CREATE VIEW v AS SELECT id, name FROM house GROUP BY id";
    let keyless = TABLE.replace(" PRIMARY KEY", " NOT NULL");
    check(
        &format!("{TABLE} {grouped}"),
        &keyless,
        &["view public.v uses primary key house.house_pkey"],
        &[],
    )
    .await;
    let mood = "CREATE TYPE mood AS ENUM ('a');";
    let function = "CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 1'";
    check(
        &format!("{mood} {function}"),
        "",
        &["function public.f(", "uses enum mood"],
        &[],
    )
    .await;
    check(mood, "", &[], &["fails if a function"]).await;
    let schema = "CREATE SCHEMA app; CREATE TABLE app.t (id int);";
    check(schema, "", &["DROP SCHEMA app"], &["hazard may-fail"]).await;
    let holding = "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    check(
        &format!("{schema} {holding}"),
        "",
        &["function app.f() uses schema app"],
        &[],
    )
    .await;
}

#[tokio::test]
async fn indexes_that_are_built_anew_while_the_rows_stay_are_named() {
    let table = |ty: &str| format!("CREATE TABLE t (c {ty}); CREATE INDEX ix ON t (c);");
    let built = &["hazard blocks-writes", "built or checked anew: index ix"];
    check(
        &table("text"),
        &table("text COLLATE \"C\""),
        built,
        &["rewrites-table"],
    )
    .await;
    check(
        &table("timestamp"),
        &table("timestamptz"),
        built,
        &["rewrites-table"],
    )
    .await;
    check(&table("varchar(9)"), &table("text"), &[], &["hazard"]).await;
    let partial =
        |ty: &str| format!("CREATE TABLE t (c {ty}); CREATE INDEX ix ON t (c) WHERE c <> 'x';");
    check(&partial("varchar(9)"), &partial("varchar(10)"), built, &[]).await;
    let checked =
        |ty: &str| format!("CREATE TABLE t (c {ty}, CONSTRAINT ck CHECK (length(c) > 1));");
    let anew = &["built or checked anew: check ck"];
    check(&checked("varchar(9)"), &checked("varchar(10)"), anew, &[]).await;
}

#[tokio::test]
async fn a_check_that_proves_a_column_filled_takes_the_hazard_away() {
    let table = |null: &str, checks: &str| format!("CREATE TABLE t (a int {null}, b int{checks});");
    let scans = &["hazard may-fail: reads every row of t"];
    let proof = ", CONSTRAINT ck CHECK (a IS NOT NULL AND b > 0)";
    check(
        &table("", proof),
        &table("NOT NULL", proof),
        &["SET NOT NULL"],
        scans,
    )
    .await;
    check(&table("", ""), &table("NOT NULL", ""), scans, &[]).await;
    let other = ", CONSTRAINT ck CHECK (b IS NOT NULL)";
    check(&table("", other), &table("NOT NULL", other), scans, &[]).await;
    // A check that goes in the same revision is gone before.
    check(&table("", proof), &table("NOT NULL", ""), scans, &[]).await;
}
