//! Comparing metadata with live databases: spellings, names, roles, mistakes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what a test cannot set up fails the test"
)]

use limbeck_catalog::{Catalog, CompareOptions, ReadOptions, compare};
use limbeck_metadata::MetaData;
use limbeck_testkit::TestDb;
use sqlx::AssertSqlSafe;

async fn database(sql: &str) -> TestDb {
    let db = TestDb::create("compare").await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(db.pool())
        .await
        .unwrap();
    db
}

/// What is found between a database and metadata, or the error.
async fn found(sql: &str, metadata: &str) -> Result<Vec<String>, String> {
    let db = database(sql).await;
    let metadata = MetaData::from_json(metadata, "models.json").map_err(|it| it.to_string())?;
    let mut conn = db.connect().await.unwrap();
    let it = compare(&mut conn, &metadata, &CompareOptions::default())
        .await
        .map_err(|it| it.to_string())?;
    Ok(it.ops.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(found: Result<Vec<String>, String>, expected: &[&str]) {
    assert_eq!(
        found,
        Ok(expected.iter().map(|it| (*it).to_owned()).collect())
    );
}

#[track_caller]
fn check_error(found: Result<Vec<String>, String>, parts: &[&str]) {
    let message = found.expect_err("an error is expected");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert_eq!(
        message.lines().count(),
        1,
        "an error is one line: {message}"
    );
}

/// One table `t` whose column `c` has a type and a default.
fn with_default(ty: &str, default: &str) -> String {
    let column = serde_json::json!({ "name": "c", "type": ty, "default": default });
    serde_json::json!({ "limbeck": 1, "tables": [{ "name": "t", "columns": [column] }] })
        .to_string()
}

/// A table with people's usual columns, a check and an index.
fn with_check(expression: &str, index: &str) -> String {
    serde_json::json!({ "limbeck": 1, "tables": [{ "name": "t",
        "columns": [{ "name": "age", "type": "int" }, { "name": "status", "type": "text" }, { "name": "kind", "type": "varchar(10)" },
                    { "name": "email", "type": "text" }, { "name": "a", "type": "text" }, { "name": "b", "type": "text" }],
        "checks": [{ "name": { "exact": "ck" }, "expression": expression }],
        "indexes": [{ "name": { "exact": "ix" }, "elements": [{ "expression": index }] }] }] })
    .to_string()
}

const TABLE: &str = "CREATE TABLE t (age int, status text, kind varchar(10), email text, a text, b text, CONSTRAINT ck CHECK";

#[tokio::test]
async fn an_unchanged_default_is_no_difference_however_it_is_spelled() {
    for (ty, database_says, metadata_says) in [
        ("timestamptz", "CURRENT_TIMESTAMP", "current_timestamp"),
        ("timestamptz", "now()", "NOW()"),
        ("text", "'x'", "'x'::text"),
        ("text", "'x'::text", "'x'"),
        ("varchar(20)", "'x'", "'x'"),
        ("interval", "interval '1 day'", "'1 day'::interval"),
        ("interval", "'1 day'", "interval '1 day'"),
        ("jsonb", "'{}'", "'{}'"),
        ("json", "'{\"a\": 1}'", "'{\"a\": 1}'::json"),
        ("int[]", "'{}'", "'{}'::int[]"),
        ("text[]", "ARRAY['a','b']", "array['a', 'b']"),
        ("boolean", "true", "'t'"),
        ("boolean", "'true'", "TRUE"),
        ("numeric(10,2)", "0", "0"),
        ("bigint", "-1", "-1"),
        ("integer", "(1 + 2) * 3", "(1+2)*3"),
        ("date", "'2020-01-01'", "date '2020-01-01'"),
        ("uuid", "gen_random_uuid()", "gen_random_uuid()"),
    ] {
        let sql = format!("CREATE TABLE t (c {ty} DEFAULT {database_says})");
        let it = found(&sql, &with_default(ty, metadata_says)).await;
        assert_eq!(it, Ok(Vec::new()), "{database_says} / {metadata_says}");
    }
}

#[tokio::test]
async fn an_unchanged_check_or_index_is_no_difference_however_it_is_spelled() {
    for (check, spelled) in [
        ("(age > 0)", "age>0"),
        ("(status IN ('a', 'b'))", "status in ('a','b')"),
        ("(kind IN ('a', 'b'))", "kind in ('a','b')"),
        (
            "(age > 0 AND (age < 9 OR age = 10))",
            "age>0 and (age<9 or age=10)",
        ),
        ("(t.age > 0)", "age > 0"),
        ("(age > 0)", "t.age > 0"),
        ("(age BETWEEN 1 AND 5)", "age >= 1 AND age <= 5"),
    ] {
        for (index, text) in [
            ("lower(email)", "lower( email )"),
            ("(a || ' ' || b)", "a||' '||b"),
            ("((a || b))", "(a||b)"),
        ] {
            let sql = format!("{TABLE} {check}); CREATE INDEX ix ON t ({index})");
            let it = found(&sql, &with_check(spelled, text)).await;
            assert_eq!(it, Ok(Vec::new()), "{check} / {spelled}, {index} / {text}");
        }
    }
}

#[tokio::test]
async fn a_change_of_meaning_is_found() {
    let sql = format!("{TABLE} (age > 0)); CREATE INDEX ix ON t (lower(email))");
    check(
        found(&sql, &with_check("age >= 0", "upper(email)")).await,
        &[
            "replace check t.ck (PostgreSQL cannot change the condition of a check): expression age > 0 -> age >= 0",
            "replace index t.ix (PostgreSQL cannot change what an index holds): elements (lower(email)) -> (upper(email))",
        ],
    );
    check(
        found(
            "CREATE TABLE t (c text DEFAULT 'X')",
            &with_default("text", "'x'"),
        )
        .await,
        &["alter column t.c: default 'X'::text -> 'x'"],
    );
}

#[tokio::test]
async fn an_expression_that_can_never_work_is_an_error_at_its_place() {
    let sql = format!("{TABLE} (age > 0)); CREATE INDEX ix ON t (lower(email))");
    check_error(
        found(&sql, &with_check("agee > 0", "lower(email)")).await,
        &[
            "models.json: tables[0]",
            "check t.ck",
            "agee > 0",
            "column \"agee\" does not exist",
        ],
    );
    check_error(
        found("", &with_check("age > 0", "lowwer(email)")).await,
        &["index t.ix", "function lowwer(text) does not exist"],
    );
}

#[tokio::test]
async fn what_this_very_change_adds_is_no_error() {
    let metadata = r#"{"limbeck": 1, "enums": [{"name": "mood", "labels": ["sad", "glad"]}],
        "tables": [{"name": "t", "columns": [{"name": "m", "type": "mood", "default": "'glad'"}, {"name": "n", "type": "int"}],
                    "checks": [{"name": {"exact": "ck"}, "expression": "n > 0 AND m <> 'glad'"}]}]}"#;
    let sql = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (m mood, CONSTRAINT ck CHECK (m <> 'sad'))";
    check(
        found(sql, metadata).await,
        &[
            "alter enum mood: labels (sad) -> (sad, glad)",
            "alter column t.m: default none -> 'glad'",
            "add column t.n integer",
            "replace check t.ck (PostgreSQL cannot change the condition of a check): expression m <> 'sad'::mood -> n > 0 AND m \
             <> 'glad'",
        ],
    );
}

#[tokio::test]
async fn an_unknown_type_is_an_error_that_names_the_column() {
    check_error(
        found("", &with_default("nosuch", "1")).await,
        &["column t.c", "nosuch", "does not exist"],
    );
}

#[tokio::test]
async fn a_name_that_postgresql_gave_becomes_a_rename() {
    let metadata = r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [{"name": "id", "type": "int"}, {"name": "a", "type": "int"}],
        "primary_key": {"columns": ["id"]}, "uniques": [{"columns": ["a"]}],
        "checks": [{"name": "positive", "expression": "a>0"}]}]}"#;
    check(
        found(
            "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE CHECK (a > 0))",
            metadata,
        )
        .await,
        &[
            "rename primary key t.t_pkey to pk_t",
            "rename unique t.t_a_key to uq_t_a",
            "rename check t.t_a_check to ck_t_positive",
        ],
    );
}

#[tokio::test]
async fn what_metadata_does_not_manage_is_left_alone() {
    let sql = "CREATE SEQUENCE counter; CREATE SCHEMA other; CREATE TABLE other.t (id int); CREATE VIEW v AS SELECT 1 AS one; \
               CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (9)";
    let metadata = r#"{"limbeck": 1, "ignore": {"tables": ["part"]}, "tables": []}"#;
    check(found(sql, metadata).await, &[]);
}

#[tokio::test]
async fn an_operator_class_or_collation_that_is_the_default_may_be_said() {
    let metadata = r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [{"name": "a", "type": "text", "collation": "C"}],
        "indexes": [{"name": {"exact": "ix"}, "elements": [{"column": "a", "opclass": "text_ops", "collation": "C"}]}]}]}"#;
    check(
        found(
            "CREATE TABLE t (a text COLLATE \"C\"); CREATE INDEX ix ON t (a)",
            metadata,
        )
        .await,
        &[],
    );
}

#[tokio::test]
async fn a_role_that_owns_nothing_reads_all() {
    let sql = r#"CREATE SCHEMA s; CREATE TYPE s."Mood" AS ENUM ('sad', 'it''s "glad"'); CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
        CREATE TABLE s."Odd Name" ("größe" varchar(100000), "select" s."Mood"[], gone int, n numeric(10,2)[], p s.positive,
            CONSTRAINT "the check" CHECK ("größe" <> 'ä')); ALTER TABLE s."Odd Name" DROP COLUMN gone;
        CREATE UNIQUE INDEX "an Index" ON s."Odd Name" (lower("größe")) WHERE "größe" IS NOT NULL;
        CREATE TABLE s.child (id int PRIMARY KEY, parent int REFERENCES s.child); COMMENT ON TABLE s.child IS 'ümläut''s'"#;
    let db = database(sql).await;
    let mut conn = db.connect().await.unwrap();
    let owner = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .unwrap();
    let role = format!("limbeck_nobody_{}", std::process::id());
    let setup = format!("CREATE ROLE {role}; SET ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(setup))
        .execute(&mut conn)
        .await
        .unwrap();
    let nobody = Catalog::read(&mut conn, &ReadOptions::default()).await;
    let clean = format!("RESET ROLE; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(clean))
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(nobody.unwrap().schema, owner.schema);
    let lines: Vec<String> = owner
        .schema
        .objects()
        .map(limbeck_schema::Object::summary)
        .collect();
    for expected in [
        r#"enum s."Mood" ('sad', 'it''s "glad"')"#,
        r#"column s."Odd Name"."größe" character varying(100000)"#,
        r#"column s."Odd Name"."select" s."Mood"[]"#,
        r#"column s."Odd Name".n numeric(10,2)[]"#,
        r#"unique index "an Index" on s."Odd Name" (lower(("größe")::text)) WHERE "größe" IS NOT NULL"#,
        "comment on table s.child: ümläut's",
    ] {
        assert!(
            lines.contains(&expected.to_owned()),
            "{expected} is not in {lines:#?}"
        );
    }
}

#[tokio::test]
async fn a_large_catalog_read_by_two_connections_is_the_same() {
    // An index and a toast table each make the catalog large with fewer tables.
    let sql = "DO $$ BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text UNIQUE)', i); \
               END LOOP; END $$";
    let db = database(sql).await;
    let mut conn = db.connect().await.unwrap();
    let alone = Catalog::read(&mut conn, &ReadOptions::default())
        .await
        .unwrap();
    let options = ReadOptions {
        companion: Some(settings(db.url())),
        ..ReadOptions::default()
    };
    let together = Catalog::read(&mut conn, &options).await.unwrap();
    assert_eq!(together.schema, alone.schema);
    assert_eq!(alone.schema.len(), 1100 * 5);
    let options = ReadOptions {
        companion: Some(settings("postgresql://nobody@127.0.0.1:1/none")),
        ..ReadOptions::default()
    };
    let refused = Catalog::read(&mut conn, &options).await.unwrap();
    assert_eq!(refused.schema, alone.schema, "one connection is enough");
}

#[tokio::test]
async fn a_null_with_a_type_is_no_default() {
    for ty in [
        "char(36)",
        "varchar(20)",
        "text",
        "numeric(10,2)",
        "timestamp(3)",
        "bit(3)",
        "varchar(4)[]",
    ] {
        let metadata = |default: Option<&str>| {
            let mut column = serde_json::json!({ "name": "c", "type": ty });
            if let Some(default) = default {
                column["default"] = default.into();
            }
            serde_json::json!({ "limbeck": 1, "tables": [{ "name": "t", "columns": [column] }] })
                .to_string()
        };
        let (with, without) = (
            format!("CREATE TABLE t (c {ty} DEFAULT NULL);"),
            format!("CREATE TABLE t (c {ty});"),
        );
        check(found(&with, &metadata(None)).await, &[]);
        check(found(&with, &metadata(Some("NULL"))).await, &[]);
        check(found(&without, &metadata(Some("NULL"))).await, &[]);
        check(
            found(&without, &metadata(Some(&format!("NULL::{ty}")))).await,
            &[],
        );
    }
    // In a domain's column it hides the domain's own default.
    let sql = "CREATE DOMAIN d AS int DEFAULT 3; CREATE TABLE t (c d DEFAULT NULL);";
    let column = serde_json::json!({ "name": "c", "type": "d" });
    let metadata =
        serde_json::json!({ "limbeck": 1, "tables": [{ "name": "t", "columns": [column] }] })
            .to_string();
    let found = found(sql, &metadata).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

#[tokio::test]
async fn an_element_that_is_a_bare_column_is_the_column() {
    let index = |expression: &str| {
        serde_json::json!({ "limbeck": 1, "naming_convention": "postgresql", "tables": [{ "name": "t",
            "columns": [{ "name": "a", "type": "int" }, { "name": "User", "type": "text" }, { "name": "b", "type": "text" }],
            "indexes": [{ "elements": [{ "expression": expression }, { "expression": "b", "order": "desc" }] }] }] })
        .to_string()
    };
    for (element, expression) in [
        ("a", "a"),
        ("a", "(a)"),
        ("a", " ((A)) "),
        ("a", "\"a\""),
        ("\"User\"", "(\"User\")"),
        ("\"User\" COLLATE \"C\"", "\"User\" COLLATE \"C\""),
        ("(a + 1)", "a + 1"),
    ] {
        let sql = format!(
            "CREATE TABLE t (a int, \"User\" text, b text); CREATE INDEX ON t ({element}, b DESC);"
        );
        check(found(&sql, &index(expression)).await, &[]);
    }
}

/// The settings of a URL.
fn settings(url: &str) -> limbeck_connect::Settings {
    limbeck_connect::Settings::parse(url, limbeck_connect::Origin::Program).unwrap()
}
