//! Alembic's recorded comparisons: the database's DDL and a neutral model, converted to JSON metadata and compared.
//!
//! `LIMBECK_CASES` names the folder whose `alembic/autogenerate.jsonl` is read; without it the project's own records
//! are. A record's `truth.equal` says whether both sides are equal by PostgreSQL's catalog.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::path::{Path, PathBuf};

use limbeck_catalog::{CompareOptions, compare_desired};
use limbeck_metadata::{LowerOptions, MetaData};
use limbeck_schema::{Ident, Name};
use limbeck_testkit::TestDb;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

/// Disagreements that are known, by a part of the record's id, with their reasons.
const KNOWN: &[(&str, &str)] = &[(
    "[column]#",
    "the neutral model leaves out checks that were written on a column, so there is nothing to compare",
)];

fn records() -> Vec<Value> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/alembic");
    let folder =
        std::env::var_os("LIMBECK_CASES").map_or(own, |it| PathBuf::from(it).join("alembic"));
    let text = std::fs::read_to_string(folder.join("autogenerate.jsonl")).unwrap();
    text.lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// A name as the record has it is final; none is none.
fn name(value: &Value) -> Value {
    value
        .as_str()
        .map_or(Value::Null, |it| json!({ "exact": it }))
}

fn metadata(model: &Value) -> Value {
    let mut enums = Vec::new();
    let tables: Vec<Value> = list(model, "tables")
        .iter()
        .map(|it| table(it, &mut enums))
        .collect();
    let sequences: Vec<Value> = list(model, "sequences")
        .iter()
        .map(|it| json!({ "name": it["name"], "schema": it["schema"] }))
        .collect();
    json!({ "limbeck": 1, "naming_convention": "postgresql", "tables": tables, "enums": enums, "sequences": sequences })
}

fn table(table: &Value, enums: &mut Vec<Value>) -> Value {
    let columns: Vec<Value> = list(table, "columns")
        .iter()
        .filter(|it| it["system"] != true)
        .map(|it| column(it, enums))
        .collect();
    let is_column = |it: &str| {
        list(table, "columns")
            .iter()
            .any(|column| column["name"] == it)
    };
    let of = |kind: &str| {
        list(table, "constraints")
            .iter()
            .filter(move |it| it["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let keys = |it: &&Value| {
        let deferrable = it["deferrable"] == true;
        json!({ "name": name(&it["name"]), "columns": it["columns"], "deferrable": deferrable,
                "initially_deferred": deferrable && it["initially"] == "deferred" })
    };
    let primary_key = of("primary_key")
        .iter()
        .map(|it| json!({ "name": name(&it["name"]), "columns": it["columns"] }))
        .next();
    let uniques: Vec<Value> = of("unique").iter().map(keys).collect();
    let checks: Vec<Value> = of("check")
        .iter()
        .map(|it| json!({ "name": name(&it["name"]), "expression": it["sql"] }))
        .collect();
    let foreign_keys: Vec<Value> = of("foreign_key").iter().map(|it| foreign_key(it)).collect();
    let indexes: Vec<Value> = list(table, "indexes")
        .iter()
        .map(|it| index(it, is_column))
        .collect();
    json!({ "name": table["name"], "schema": table["schema"], "comment": table["comment"], "columns": columns,
            "primary_key": primary_key.unwrap_or_default(), "uniques": uniques, "checks": checks,
            "foreign_keys": foreign_keys, "indexes": indexes })
}

fn column(column: &Value, enums: &mut Vec<Value>) -> Value {
    let ty = &column["type"];
    if let Some(it) = ty["enum"].as_object().filter(|it| it["native"] == true) {
        enums.push(json!({ "name": it["name"], "schema": it["schema"], "labels": it["values"] }));
    }
    let mut it = json!({ "name": column["name"], "type": ty["sql"], "nullable": column["nullable"], "comment": column["comment"] });
    let default = &column["default"];
    match default["kind"].as_str() {
        _ if column["serial"] == true => it["serial"] = json!(true),
        Some("literal") => {
            it["default"] = json!(format!(
                "'{}'",
                default["value"]
                    .as_str()
                    .unwrap_or_default()
                    .replace('\'', "''")
            ));
        }
        Some("computed") => it["generated"] = default["sql"].clone(),
        Some("identity") => {
            let fields = default
                .as_object()
                .unwrap()
                .iter()
                .filter(|(field, _)| *field != "kind");
            let renamed = fields
                .map(|(field, value)| (field.trim_end_matches("value").to_owned(), value.clone()));
            it["identity"] = Value::Object(renamed.collect());
        }
        _ => it["default"] = default["sql"].clone(),
    }
    it
}

fn foreign_key(it: &Value) -> Value {
    let deferrable = it["deferrable"] == true || it["initially"].is_string();
    let action = |field: &str| it[field].as_str().unwrap_or("no action").to_owned();
    json!({ "name": name(&it["name"]), "columns": it["columns"], "on_delete": action("ondelete"), "on_update": action("onupdate"),
            "references": { "schema": it["ref_schema"], "table": it["ref_table"], "columns": it["ref_columns"] },
            "deferrable": deferrable, "initially_deferred": it["initially"] == "deferred" })
}

fn index(index: &Value, is_column: impl Fn(&str) -> bool) -> Value {
    let options = &index["options"];
    let ops = &options["postgresql_ops"];
    let elements: Vec<Value> = list(index, "expressions")
        .iter()
        .filter_map(Value::as_str)
        .map(|it| {
            let mut element = element(it, &is_column);
            // SQLAlchemy keys operator classes by column, or by the label of an expression, which is not in the record.
            let label = ops
                .as_object()
                .and_then(|it| it.keys().next())
                .map_or("", String::as_str);
            let named =
                element["column"]
                    .as_str()
                    .unwrap_or(if is_column(label) { "" } else { label });
            if let Some(opclass) = ops[named].as_str() {
                element["opclass"] = json!(opclass);
            }
            element
        })
        .collect();
    json!({ "name": name(&index["name"]), "unique": index["unique"], "elements": elements,
            "method": options["postgresql_using"].as_str().unwrap_or("btree"),
            "include": list(options, "postgresql_include"), "where": options["postgresql_where"],
            "nulls_not_distinct": options["postgresql_nulls_not_distinct"] == true })
}

/// An index expression as SQLAlchemy compiles it: what is indexed, an operator class, direction and nulls.
fn element(text: &str, is_column: impl Fn(&str) -> bool) -> Value {
    let mut it = json!({});
    let mut rest = text.trim().to_owned();
    for (suffix, field, value) in [
        ("nulls first", "nulls", "first"),
        ("nulls last", "nulls", "last"),
        ("desc", "order", "desc"),
        ("asc", "order", "asc"),
    ] {
        let lower = rest.to_lowercase();
        if let Some(cut) = lower
            .strip_suffix(suffix)
            .filter(|it| it.ends_with([' ', ')']))
        {
            rest = rest[..cut.len()].trim_end().to_owned();
            it[field] = json!(value);
        }
    }
    for opclass in ["array_ops", "jsonb_path_ops"] {
        if let Some(cut) = rest
            .strip_suffix(opclass)
            .filter(|it| it.ends_with([' ', ')']))
        {
            rest = cut.trim_end().to_owned();
            it["opclass"] = json!(opclass);
        }
    }
    let bare = rest.trim_matches('"').to_owned();
    if is_column(&bare) {
        it["column"] = json!(bare);
    } else {
        it["expression"] = json!(rest);
    }
    it
}

/// Makes the database empty again; a new one for each record would take most of the time.
const RESET: &str =
    "DROP SCHEMA IF EXISTS test_schema CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public";

/// What the comparison finds; `None` where this server cannot have the record's database (a collation of an operating
/// system's locale).
async fn differences(db: &TestDb, record: &Value) -> Result<Option<Vec<String>>, String> {
    let mut conn = db.connect().await.map_err(|it| it.to_string())?;
    sqlx::raw_sql(RESET)
        .execute(&mut conn)
        .await
        .map_err(|it| it.to_string())?;
    let ddl: Vec<&str> = list(record, "db_ddl")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let all = ddl.join(";\n");
    let schemas = if all.contains("test_schema") {
        "CREATE SCHEMA test_schema;\n"
    } else {
        ""
    };
    match sqlx::raw_sql(AssertSqlSafe(format!("{schemas}{all}")))
        .execute(&mut conn)
        .await
    {
        Err(it) if it.to_string().contains("collation") => return Ok(None),
        it => {
            it.map_err(|it| it.to_string())?;
        }
    }
    let text = metadata(&record["model"]).to_string();
    let metadata = MetaData::from_json(&text, "model").map_err(|it| format!("{it}\n{text}"))?;
    let options = LowerOptions {
        default_schema: Ident::new("public"),
    };
    let mut desired = metadata.lower(&options).map_err(|it| it.to_string())?;
    // The records' truth is about whole databases.
    desired.scope.schemas = None;
    let opts = &record["opts"];
    let own = opts["version_table"]
        .as_str()
        .or(opts["version_table_schema"]
            .as_str()
            .map(|_| "alembic_version"));
    let schema = opts["version_table_schema"].as_str().map(Ident::new);
    let mut options = CompareOptions::default();
    options.read.own_tables.extend(
        own.filter(|it| !text.contains(it))
            .map(|it| Name::qualified(schema, it)),
    );
    let it = compare_desired(&mut conn, desired, &options)
        .await
        .map_err(|it| it.to_string())?;
    Ok(Some(it.ops.iter().map(ToString::to_string).collect()))
}

#[test]
fn recorded_comparisons_agree_with_postgresql() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let records = records();
    assert!(!records.is_empty(), "there are records");
    let db = runtime.block_on(TestDb::create("alembic"));
    let (mut failures, mut unloaded) = (Vec::new(), 0);
    for record in &records {
        let id = record["id"].as_str().unwrap_or_default();
        let expected = record["truth"]["equal"] == true;
        let found = runtime.block_on(differences(&db, record));
        if matches!(found, Ok(None)) {
            unloaded += 1;
            continue;
        }
        if !matches!(&found, Ok(Some(ops)) if ops.is_empty() == expected)
            && !KNOWN.iter().any(|(part, _)| id.contains(part))
        {
            failures.push(format!(
                "{id}: equal is {expected}, found {found:?}\n  truth {}",
                record["truth"]
            ));
        }
    }
    let judged = records.len() - unloaded;
    eprintln!(
        "{} of {judged} recorded comparisons agree",
        judged - failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} of {} disagree\n{}",
        failures.len(),
        records.len(),
        failures.join("\n")
    );
}
