//! The published JSON Schema names the keys that the reader takes, no more and no fewer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use limbeck_metadata::MetaData;
use serde_json::Value;

/// The keys that the reader lists when it meets one that it does not know.
fn keys_read(document: &str) -> BTreeSet<String> {
    let error = MetaData::from_json(document, "models.json")
        .unwrap_err()
        .to_string();
    let (_, list) = error
        .split_once("expected ")
        .unwrap_or_else(|| panic!("no list of keys in: {error}"));
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Compares a definition of the schema with the reader's answer to a document with an unknown key at its place.
#[track_caller]
fn check(definition: &str, document: &str) {
    let schema: Value = serde_json::from_str(include_str!("../metadata.schema.json")).unwrap();
    let definition = schema
        .pointer(definition)
        .unwrap_or_else(|| panic!("no {definition}"));
    let published: BTreeSet<String> = definition["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(published, keys_read(document));
    assert_eq!(definition["additionalProperties"], Value::Bool(false));
}

#[test]
fn every_object_has_the_keys_of_the_reader() {
    let table = |part: &str| format!(r#"{{"limbeck": 1, "tables": [{{"name": "t", {part}}}]}}"#);
    check("", r#"{"limbeck": 1, "?": 0}"#);
    check(
        "/$defs/naming_convention/oneOf/2",
        r#"{"limbeck": 1, "naming_convention": {"?": 0}}"#,
    );
    check(
        "/$defs/namespace",
        r#"{"limbeck": 1, "schemas": [{"?": 0}]}"#,
    );
    check("/$defs/enum", r#"{"limbeck": 1, "enums": [{"?": 0}]}"#);
    check(
        "/$defs/sequence",
        r#"{"limbeck": 1, "sequences": [{"?": 0}]}"#,
    );
    check("/$defs/domain", r#"{"limbeck": 1, "domains": [{"?": 0}]}"#);
    check(
        "/$defs/domain_check",
        r#"{"limbeck": 1, "domains": [{"checks": [{"?": 0}]}]}"#,
    );
    check(
        "/$defs/composite_type",
        r#"{"limbeck": 1, "composite_types": [{"?": 0}]}"#,
    );
    check(
        "/$defs/attribute",
        r#"{"limbeck": 1, "composite_types": [{"attributes": [{"?": 0}]}]}"#,
    );
    check("/$defs/range", r#"{"limbeck": 1, "ranges": [{"?": 0}]}"#);
    check(
        "/$defs/collation",
        r#"{"limbeck": 1, "collations": [{"?": 0}]}"#,
    );
    check(
        "/$defs/owned_by",
        r#"{"limbeck": 1, "sequences": [{"owned_by": {"?": 0}}]}"#,
    );
    check("/$defs/table", &table(r#""?": 0"#));
    check("/$defs/column", &table(r#""columns": [{"?": 0}]"#));
    check(
        "/$defs/identity",
        &table(r#""columns": [{"identity": {"?": 0}}]"#),
    );
    check(
        "/$defs/physical",
        &table(r#""columns": [{"physical": {"?": 0}}]"#),
    );
    check("/$defs/primary_key", &table(r#""primary_key": {"?": 0}"#));
    check("/$defs/unique", &table(r#""uniques": [{"?": 0}]"#));
    check(
        "/$defs/foreign_key",
        &table(r#""foreign_keys": [{"?": 0}]"#),
    );
    check(
        "/$defs/references",
        &table(r#""foreign_keys": [{"references": {"?": 0}}]"#),
    );
    check("/$defs/check", &table(r#""checks": [{"?": 0}]"#));
    check("/$defs/exclusion", &table(r#""exclusions": [{"?": 0}]"#));
    check(
        "/$defs/element/oneOf/1",
        &table(r#""indexes": [{"elements": [{"?": 0}]}]"#),
    );
    check("/$defs/index", &table(r#""indexes": [{"?": 0}]"#));
    check(
        "/$defs/name/oneOf/1",
        &table(r#""indexes": [{"name": {"?": 0}}]"#),
    );
    check("/$defs/ignore", r#"{"limbeck": 1, "ignore": {"?": 0}}"#);
}
