//! Metadata against databases that use what only some versions of PostgreSQL have. Each case names the oldest version that
//! loads it, and runs on that one and newer ones.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use limbeck_catalog::{CompareOptions, compare};
use limbeck_metadata::MetaData;
use limbeck_testkit::TestDb;
use sqlx::AssertSqlSafe;

/// Compares a database that `sql` made with a table `t` of these parts, a JSON object without its braces.
async fn check(oldest: u32, sql: &str, table: &str, expected: &[&str]) {
    let db = TestDb::create("versions").await;
    let version: String = sqlx::query_scalar("SHOW server_version_num")
        .fetch_one(db.pool())
        .await
        .unwrap();
    if version.parse::<u32>().unwrap() / 10_000 < oldest {
        return;
    }
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(db.pool())
        .await
        .unwrap();
    let json = format!(
        r#"{{"limbeck": 1, "naming_convention": "postgresql", "tables": [{{"name": "t", {table}}}]}}"#
    );
    let metadata = MetaData::from_json(&json, "models.json").unwrap();
    let mut conn = db.connect().await.unwrap();
    let found = compare(&mut conn, &metadata, &CompareOptions::default())
        .await
        .unwrap();
    let found: Vec<String> = found.ops.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{sql}");
}

const NOT_NULL: &str = r#""columns": [{"name": "a", "type": "int", "nullable": false}]"#;

#[tokio::test]
async fn a_declared_not_null_agrees_with_any_name_of_its_constraint() {
    check(13, "CREATE TABLE t (a int NOT NULL)", NOT_NULL, &[]).await;
    let named = "CREATE TABLE t (a int CONSTRAINT there NOT NULL)";
    check(13, named, NOT_NULL, &[]).await;
    let renamed =
        "CREATE TABLE u (b int NOT NULL); ALTER TABLE u RENAME b TO a; ALTER TABLE u RENAME TO t";
    check(13, renamed, NOT_NULL, &[]).await;
    let sql = "CREATE TABLE t (a int NOT NULL NO INHERIT)";
    check(18, sql, NOT_NULL, &[]).await;
}

#[tokio::test]
async fn a_declared_not_null_is_a_valid_one() {
    let nullable = "alter column t.a: nullable true -> false";
    check(13, "CREATE TABLE t (a int)", NOT_NULL, &[nullable]).await;
    let sql = "CREATE TABLE t (a int); ALTER TABLE t ADD NOT NULL a NOT VALID";
    let expected = "alter column t.a: not null valid false -> true";
    check(18, sql, NOT_NULL, &[expected]).await;
}

#[tokio::test]
async fn a_generated_column_is_stored_unless_it_is_declared_virtual() {
    let columns = |more: &str| {
        format!(
            r#""columns": [{{"name": "a", "type": "int"}}, {{"name": "b", "type": "int", "generated": "a+1"{more}}}]"#
        )
    };
    let (stored, is_virtual) = (columns(""), columns(r#", "virtual": true"#));
    let sql =
        |kept: &str| format!("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) {kept})");
    let why =
        "replace column t.b (PostgreSQL cannot change whether the values of a column are kept)";
    check(13, &sql("STORED"), &stored, &[]).await;
    check(18, &sql("VIRTUAL"), &is_virtual, &[]).await;
    check(
        18,
        &sql("VIRTUAL"),
        &stored,
        &[&format!("{why}: virtual true -> false")],
    )
    .await;
    check(
        18,
        &sql("STORED"),
        &is_virtual,
        &[&format!("{why}: virtual false -> true")],
    )
    .await;
}

#[tokio::test]
async fn another_expression_is_set_in_place_from_17_on() {
    let table = r#""columns": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "generated": "a + 2"}]"#;
    let sql = "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED)";
    check(
        17,
        sql,
        table,
        &["alter column t.b: generated a + 1 -> a + 2"],
    )
    .await;
    check(
        13,
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 2) STORED)",
        table,
        &[],
    )
    .await;
}

#[tokio::test]
async fn constraints_are_enforced_unless_it_is_declared() {
    let check_of = |more: &str| {
        format!(
            r#""columns": [{{"name": "a", "type": "int"}}], "checks": [{{"name": "positive", "expression": "a > 0"{more}}}]"#
        )
    };
    let (plain, not_enforced) = (check_of(""), check_of(r#", "not_enforced": true"#));
    let sql =
        |more: &str| format!("CREATE TABLE t (a int, CONSTRAINT positive CHECK (a > 0){more})");
    check(13, &sql(""), &plain, &[]).await;
    check(18, &sql(" NOT ENFORCED"), &not_enforced, &[]).await;
    let expected = "replace check t.positive (PostgreSQL cannot change whether a check is enforced): enforced false -> true";
    check(18, &sql(" NOT ENFORCED"), &plain, &[expected]).await;
}

#[tokio::test]
async fn keys_and_references_over_time_are_declared() {
    let table = |key: &str, reference: &str| {
        format!(
            r#""columns": [{{"name": "id", "type": "int4range"}}, {{"name": "at", "type": "daterange"}}],
               "primary_key": {{"columns": ["id", "at"]{key}}},
               "foreign_keys": [{{"columns": ["id", "at"], "references": {{"table": "t"}}{reference}}}]"#
        )
    };
    let plain = "CREATE TABLE t (id int4range, at daterange, PRIMARY KEY (id, at), FOREIGN KEY (id, at) REFERENCES t)";
    check(13, plain, &table("", ""), &[]).await;
    let over_time = "CREATE TABLE t (id int4range, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS), \
                     FOREIGN KEY (id, PERIOD at) REFERENCES t (id, PERIOD at) NOT ENFORCED)";
    let declared = table(
        r#", "without_overlaps": true"#,
        r#", "period": true, "not_enforced": true"#,
    );
    check(18, over_time, &declared, &[]).await;
}

/// Compares an empty database with metadata of these keys, on servers older than `since` alone, where it is refused.
async fn refused(since: u32, keys: &str, expected: &str) {
    let db = TestDb::create("too_new").await;
    let version: String = sqlx::query_scalar("SHOW server_version_num")
        .fetch_one(db.pool())
        .await
        .unwrap();
    let found = version.parse::<u32>().unwrap() / 10_000;
    if found >= since {
        return;
    }
    let json = format!(r#"{{"limbeck": 1, "naming_convention": "postgresql", {keys}}}"#);
    let metadata = MetaData::from_json(&json, "models.json").unwrap();
    let mut conn = db.connect().await.unwrap();
    let error = compare(&mut conn, &metadata, &CompareOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "models.json: {expected}, and the server is PostgreSQL {found}; leave it out, or use a newer server"
        )
    );
}

#[tokio::test]
async fn what_only_newer_servers_have_is_refused_with_its_place() {
    let of_table = |parts: &str| {
        format!(
            r#""tables": [{{"name": "t", "columns": [{{"name": "a", "type": "int"}}, {{"name": "b", "type": "daterange"}}], {parts}}}]"#
        )
    };
    let cases = [
        (
            18,
            r#""checks": [{"name": "c", "expression": "a > 0", "not_enforced": true}]"#,
            "tables[0]: check t.c needs PostgreSQL 18 for NOT ENFORCED",
        ),
        (
            18,
            r#""primary_key": {"name": "k", "columns": ["a", "b"], "without_overlaps": true}"#,
            "tables[0]: primary key t.k needs PostgreSQL 18 for WITHOUT OVERLAPS",
        ),
        (
            15,
            r#""uniques": [{"name": "u", "columns": ["a"], "nulls_not_distinct": true}]"#,
            "tables[0]: unique t.u needs PostgreSQL 15 for NULLS NOT DISTINCT",
        ),
        (
            15,
            r#""indexes": [{"name": "i", "elements": ["a"], "nulls_not_distinct": true}]"#,
            "tables[0]: index t.i needs PostgreSQL 15 for NULLS NOT DISTINCT",
        ),
        (
            15,
            r#""primary_key": {"name": "k", "columns": ["a"]}, "foreign_keys": [{"name": "f", "columns": ["a"],
               "references": {"table": "t"}, "on_delete": "set_null", "on_delete_columns": ["a"]}]"#,
            "tables[0]: foreign key t.f needs PostgreSQL 15 for the columns of ON DELETE SET NULL and SET DEFAULT",
        ),
    ];
    for (since, parts, expected) in cases {
        refused(since, &of_table(parts), expected).await;
    }
    let of_column = |facts: &str| {
        format!(
            r#""tables": [{{"name": "t", "columns": [{{"name": "a", "type": "text", {facts}}}]}}]"#
        )
    };
    let generated = of_column(r#""generated": "'x'", "virtual": true"#);
    let place = "tables[0]";
    refused(
        18,
        &generated,
        &format!("{place}: column t.a needs PostgreSQL 18 for VIRTUAL"),
    )
    .await;
    let compressed = of_column(r#""physical": {"compression": "lz4"}"#);
    refused(
        14,
        &compressed,
        &format!("{place}: column t.a needs PostgreSQL 14 for COMPRESSION"),
    )
    .await;
}
