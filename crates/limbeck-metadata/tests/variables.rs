//! Variables in declared metadata: what they become, how names follow, and how they are written into SQL again.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_metadata::{
    Check, Column, EnumType, ForeignKey, LowerOptions, MetaData, References, Sequence, Table,
};
use limbeck_schema::{Ident, Spelling, Truncation, Variables};

fn file() -> Table {
    Table::new("file")
        .column(Column::new("id", "bigint").identity())
        .column(Column::new("status", "${prefix}status").default("'new'"))
        .column(Column::new("number", "bigint").serial())
        .primary_key(["id"])
        .check(Check::new("${prefix}fits(status, '${:x}')").name("fits"))
}

fn tag() -> Table {
    Table::new("tag")
        .column(Column::new("file", "bigint"))
        .foreign_key(ForeignKey::new(["file"], References::new("file")))
        .index(["file"])
}

fn models() -> MetaData {
    MetaData::new()
        .variable("prefix", "irma_")
        .table_prefix("${prefix}")
        .enum_type(EnumType::new("${prefix}status", ["new"]))
        .table(file())
        .table(tag())
}

fn keys(metadata: &MetaData) -> Vec<String> {
    let desired = metadata.lower(&LowerOptions::default()).unwrap();
    desired
        .schema
        .iter()
        .map(|(key, _)| key.to_string())
        .collect()
}

/// What lowering says of metadata that it refuses.
#[track_caller]
fn refused(metadata: &MetaData, part: &str) {
    let error = metadata.lower(&LowerOptions::default()).unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn names_follow_the_prefix() {
    assert_eq!(
        keys(&models()),
        [
            "enum irma_status",
            "sequence irma_file_number_seq",
            "table irma_file",
            "table irma_tag",
            "column irma_file.id",
            "column irma_file.number",
            "column irma_file.status",
            "column irma_tag.file",
            "sequence owner irma_file_number_seq",
            "primary key irma_file.pk_irma_file",
            "check irma_file.ck_irma_file_fits",
            "index irma_tag.ix_irma_tag_file",
            "foreign key irma_tag.fk_irma_tag_file_irma_file",
        ]
    );
}

#[test]
fn other_values_come_before_those_of_the_metadata() {
    let mut values = Variables::new();
    values.set("prefix", "").unwrap();
    let mut models = models();
    models.set_variables(&values);
    assert!(keys(&models).contains(&"foreign key tag.fk_tag_file_file".to_owned()));
}

#[test]
fn a_part_of_the_tables_can_have_a_prefix() {
    let part = MetaData::new()
        .variable("prefix", "irma_")
        .table_prefix("${prefix}")
        .enum_type(EnumType::new("${prefix}status", ["new"]))
        .table(file());
    let rest = MetaData::new().table(tag());
    let merged = MetaData::merge([part, rest]).unwrap();
    let keys = keys(&merged);
    assert!(
        keys.contains(&"foreign key tag.fk_tag_file_irma_file".to_owned()),
        "{keys:?}"
    );
}

#[test]
fn json_says_the_same() {
    let text = models().to_json().unwrap();
    assert!(text.contains("\"table_prefix\": \"${prefix}\""), "{text}");
    let read = MetaData::from_json(&text, "models.json").unwrap();
    assert_eq!(keys(&read), keys(&models()));
}

#[test]
fn what_cannot_be_is_said_with_its_object() {
    let table = Table::new("${nope}file").place("src/file.rs:3");
    refused(
        &MetaData::new().table(table),
        "src/file.rs:3: table \"${nope}file\": the variable nope is not defined",
    );
    refused(
        &models().variable("prefix", "a\\"),
        "the value of the variable prefix holds a backslash",
    );
    refused(&models().variable("1", ""), "\"1\" cannot name a variable");
    let long = Table::new("x".repeat(60)).place("a.rs:1");
    refused(
        &MetaData::new()
            .variable("p", "irma_")
            .table_prefix("${p}")
            .table(long),
        "has 65 bytes",
    );
}

/// The names with placeholders in a state, as revision files write them.
#[test]
fn states_are_spelled_with_variables_again() {
    let models = models().sequence(Sequence::new("file"));
    let options = LowerOptions::default();
    for value in ["irma_", ""] {
        let mut values = Variables::new();
        values.set("prefix", value).unwrap();
        let mut models = models.clone();
        models.set_variables(&values);
        let real = if value.is_empty() {
            // A sequence `file` would stand where the table is.
            models.sequences.clear();
            models.lower(&options).unwrap()
        } else {
            models.lower(&options).unwrap()
        };
        let placed = models.lower_placed(&options).unwrap();
        let policy = Truncation::Hash;
        let schema = Ident::new("public");
        let spelling = Spelling::new(&placed.schema, &values, policy, &schema).unwrap();
        assert_eq!(spelling.schema(&real.schema, &real.scope), placed.schema);
        assert_eq!(spelling.left_out(&real.schema), Vec::<String>::new());
    }
}
