//! Bad declarations: one line each that names the object, the place and the remedy.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_metadata::{
    Check, Column, EnumType, LowerOptions, MetaData, MetaDataError, NamingConvention, Table,
};

/// Metadata with one table `t` of columns `a` and `b`, and the given keys.
fn table(keys: &str) -> String {
    format!(
        r#"{{"limbeck": 1, "tables": [{{"name": "t", "columns": [{{"name": "a", "type": "int"}}, {{"name": "b", "type": "int"}}], {keys}}}]}}"#
    )
}

fn lower(json: &str) -> Result<(), MetaDataError> {
    MetaData::from_json(json, "models.json")?
        .lower(&LowerOptions::default())
        .map(drop)
}

#[track_caller]
fn check(json: &str, message: &str) {
    let error = lower(json).unwrap_err().to_string();
    assert_eq!(error, message);
    assert!(!error.contains('\n'));
}

#[test]
fn json_errors_have_line_and_column() {
    check(
        "{\"limbeck\": 1,\n \"tabels\": []}",
        "models.json:2:9: unknown field `tabels`, expected one of `limbeck`, `$schema`, `schema`, `naming_convention`, `manages`, `ignore`, `variables`, `table_prefix`, `schemas`, `enums`, `domains`, `composite_types`, `ranges`, `collations`, `sequences`, `tables`",
    );
    check(
        "{\"limbeck\": 1",
        "models.json:1:13: EOF while parsing an object",
    );
    check(
        &table(
            r#""foreign_keys": [{"columns": ["a"], "references": {"table": "t"}, "on_delete": "explode"}]"#,
        ),
        "models.json:1:202: unknown action `explode`, expected `no action`, `restrict`, `cascade`, `set null` or `set default`",
    );
    check(
        "[]",
        "models.json:1:1: this is not JSON metadata: an object with \"limbeck\": 1 is expected",
    );
    check(
        r#"{"tables": []}"#,
        "models.json:1:1: this is not JSON metadata: an object with \"limbeck\": 1 is expected",
    );
    check(
        r#"{"limbeck": 1, "naming_convention": "django"}"#,
        "models.json:1:44: unknown naming convention `django`, expected one of `limbeck`, `invenio`, `postgresql`, `sqlalchemy`",
    );
    check(
        r#"{"limbeck": 1, "naming_convention": {"uq": "%(colum_0_name)s"}}"#,
        "models.json:1:62: naming convention, template uq \"%(colum_0_name)s\": unknown token %(colum_0_name)s; known are %(table_name)s, %(constraint_name)s, %(column_0_name)s (key, label), with another number for another column and 0_N or 0N for all of them",
    );
}

#[test]
fn another_version_is_said_before_anything_else() {
    check(
        r#"{"new_key": 5, "limbeck": 2}"#,
        "models.json: \"limbeck\": 2 is a version of JSON metadata that this program does not know; it reads version 1",
    );
}

#[test]
fn declarations_stand_once() {
    check(
        r#"{"limbeck": 1, "tables": [{"name": "t"}, {"name": "t", "schema": "public"}]}"#,
        "table t is declared twice, at models.json: tables[0] and at models.json: tables[1]; remove one of them",
    );
    check(
        r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}]}"#,
        "models.json: tables[0]: table t: column a is declared twice; remove one of them",
    );
    check(
        &table(r#""indexes": [{"name": "t", "elements": ["a"]}]"#),
        "models.json: tables[0]: table t and index t (a) of table t would both be named t; give one of them another name",
    );
    check(
        r#"{"limbeck": 1, "tables": [{"name": "x"}], "enums": [{"name": "x", "labels": []}]}"#,
        "models.json: enums[0]: table x and enum x would both be named x; give one of them another name",
    );
}

#[test]
fn references_lead_somewhere() {
    let key = |references: &str| {
        table(&format!(
            r#""foreign_keys": [{{"columns": ["a"], "references": {references}}}]"#
        ))
    };
    check(
        &key(r#"{"table": "org"}"#),
        "models.json: tables[0]: foreign key (a) of table t: it refers to table org, which is not declared; declare it, or list it in ignore.tables",
    );
    check(
        &key(r#"{"table": "t", "columns": ["x"]}"#),
        "models.json: tables[0]: foreign key (a) of table t: it refers to column x of table t, which has no such column; declare it or correct the name",
    );
    check(
        &key(r#"{"table": "t"}"#),
        "models.json: tables[0]: foreign key (a) of table t: it refers to the primary key of table t, which has none; name the columns or declare a primary key",
    );
    check(
        &key(r#"{"table": "t", "columns": ["b"]}"#),
        "models.json: tables[0]: foreign key (a) of table t: it refers to (b) of table t, where no primary key, unique constraint or unique index is on just these columns; declare one",
    );
    check(
        &table(r#""uniques": [{"columns": ["c"]}]"#),
        "models.json: tables[0]: unique constraint (c) of table t: table t has no column c; declare it or correct the name",
    );
    check(
        &table(r#""indexes": [{"elements": ["c"]}]"#),
        "models.json: tables[0]: index (c) of table t: table t has no column c; declare it or correct the name",
    );
    check(
        r#"{"limbeck": 1, "sequences": [{"name": "s", "owned_by": {"table": "t", "column": "a"}}]}"#,
        "models.json: sequences[0]: sequence s: it is owned by a column of table t, which is not declared; declare it, or list it in ignore.tables",
    );
}

#[test]
fn names_can_be_made_and_fit() {
    check(
        &table(r#""checks": [{"expression": "a > b"}]"#),
        "models.json: tables[0]: check constraint (a, b) of table t: it has no name, and the ck template \"ck_%(table_name)s_%(constraint_name)s\" holds %(constraint_name)s, which stands for one; give it a name",
    );
    check(
        &table(r#""uniques": [{"columns": ["a", "b"]}, {"columns": ["a"]}]"#),
        "models.json: tables[0]: unique constraint (a, b) of table t and unique constraint (a) of table t would both be named uq_t_a; give one of them another name",
    );
    check(
        &table(r#""indexes": [{"elements": [{"expression": "now()"}]}]"#),
        "models.json: tables[0]: index of table t: the ix template \"ix_%(column_0_label)s\" wants column 0 (from 0) and there are 0; give it a name",
    );
    let long = "x".repeat(64);
    check(
        &table(&format!(
            r#""uniques": [{{"name": "{long}", "columns": ["a"]}}]"#
        )),
        &format!(
            "models.json: tables[0]: unique constraint {long} (a) of table t: the name {long} has 64 bytes and PostgreSQL keeps 63; give it a shorter one"
        ),
    );
}

#[test]
fn columns_are_what_postgresql_takes() {
    let column = |keys: &str| {
        format!(
            r#"{{"limbeck": 1, "tables": [{{"name": "t", "columns": [{{"name": "a", {keys}}}]}}]}}"#
        )
    };
    check(
        &column(r#""type": """#),
        "models.json: tables[0]: column t.a: `` is no type; write it as SQL does, `varchar(50)`",
    );
    check(
        &column(r#""type": "text", "serial": true"#),
        "models.json: tables[0]: column t.a: a serial column has to be smallint, integer or bigint, and this is text",
    );
    check(
        &column(r#""type": "text", "identity": {}"#),
        "models.json: tables[0]: column t.a: an identity column has to be smallint, integer or bigint, and this is text",
    );
    check(
        &column(r#""type": "int", "identity": {"start": 0}"#),
        "models.json: tables[0]: column t.a: start 0 is not between min 1 and max 2147483647",
    );
    check(
        &column(r#""type": "int", "default": "1", "generated": "2""#),
        "models.json: tables[0]: column t.a: it has both default and generated; keep one of them",
    );
    check(
        &column(r#""type": "text", "default": """#),
        "models.json: tables[0]: column t.a: its default expression is empty; write `''` for the empty text, or leave default out",
    );
}

#[test]
fn kinds_to_manage_are_known() {
    let known: Vec<&str> = limbeck_schema::KindTag::ALL
        .iter()
        .map(|it| it.name())
        .collect();
    check(
        r#"{"limbeck": 1, "manages": ["sequences"]}"#,
        &format!(
            "models.json: manages: `sequences` is no kind of object; known are {}",
            known.join(", ")
        ),
    );
}

#[test]
fn merging_names_both_places() {
    let table = |place: &str| MetaData::new().table(Table::new("t").place(place));
    let error = MetaData::merge([table("a.rs:1"), table("b.rs:2")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "table t is declared twice, at a.rs:1 and at b.rs:2; remove one of them"
    );

    let ty = |labels: &[&str], place: &str| {
        MetaData::new().enum_type(EnumType::new("e", labels.iter().copied()).place(place))
    };
    let error = MetaData::merge([ty(&["x"], "a.rs:1"), ty(&["y"], "b.rs:2")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "enum e is declared twice, at a.rs:1 and at b.rs:2; remove one of them"
    );
    assert_eq!(
        MetaData::merge([ty(&["x"], "a.rs:1"), ty(&["x"], "b.rs:2")])
            .unwrap()
            .enums
            .len(),
        1
    );

    let named =
        |convention, place: &str| MetaData::new().naming_convention(convention).place(place);
    let error = MetaData::merge([
        named(NamingConvention::limbeck(), "a"),
        named(NamingConvention::postgresql(), "b"),
    ]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "the naming conventions of a and b differ; give both the same `naming_convention`, or state it in one only"
    );
}

#[test]
fn merging_writes_differing_schemas_on_the_objects() {
    let module = |schema: &str| {
        MetaData::new()
            .schema(schema)
            .enum_type(EnumType::new("e", ["x"]))
            .table(
                Table::new("t")
                    .column(Column::new("a", "e[]"))
                    .check(Check::new("true").name("c")),
            )
    };
    let merged = MetaData::merge([module("one"), module("two")]).unwrap();
    let desired = merged.lower(&LowerOptions::default()).unwrap();
    let keys: Vec<String> = desired
        .schema
        .iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert!(
        keys.contains(&"column one.t.a".into()) && keys.contains(&"check two.t.ck_t_c".into()),
        "{keys:?}"
    );
    let schemas = desired.scope.schemas.unwrap();
    assert!(
        !schemas.contains(&None),
        "nobody spoke about the default schema"
    );
}
