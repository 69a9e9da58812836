//! What declarations become: JSON in, one line per object out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck_metadata::{LowerOptions, MetaData};
use limbeck_schema::kinds::{Element, Excluded, KeyIndex};
use limbeck_schema::{Desired, Ident, List, Object};

fn lower(json: &str) -> Desired {
    let metadata = MetaData::from_json(json, "models.json").unwrap();
    let desired = metadata.lower(&LowerOptions::default()).unwrap();
    // The JSON form says the same after a round trip.
    let again = MetaData::from_json(&metadata.to_json().unwrap(), "again").unwrap();
    assert_eq!(
        again.lower(&LowerOptions::default()).unwrap().schema,
        desired.schema
    );
    desired
}

/// The key and what the tests look at; the summaries of the kinds are for people and may change.
fn line(object: &Object) -> String {
    let mut line = object.key().to_string();
    let mut say = |text: String| line.push_str(&format!(" {text}"));
    match object {
        Object::Column(it) => {
            say(it.ty.to_string());
            it.collation
                .iter()
                .for_each(|it| say(format!("collate {it}")));
            it.default
                .iter()
                .for_each(|it| say(format!("default {it}")));
            it.identity
                .iter()
                .for_each(|it| say(format!("identity {} {:?}", it.always, it.options)));
            if !it.nullable {
                say("not null".into());
            }
        }
        Object::Sequence(it) => say(it.ty.to_string()),
        Object::SequenceOwner(it) => say(format!("{}.{}", it.table, it.column)),
        Object::EnumType(it) => say(it.labels.join(", ")),
        Object::PrimaryKey(it) => say(key_index(&it.index)),
        Object::Unique(it) => say(key_index(&it.index)),
        Object::Check(it) => say(it.expression.to_string()),
        Object::Exclusion(it) => {
            let excluded = |it: &Excluded| format!("{} {}", it.element.sql(), it.operator);
            say(it
                .elements
                .iter()
                .map(excluded)
                .collect::<Vec<_>>()
                .join(", "));
        }
        Object::Index(it) => {
            say(format!(
                "({})",
                it.elements
                    .iter()
                    .map(Element::sql)
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
            it.predicate
                .iter()
                .for_each(|it| say(format!("where {it}")));
            say(format!(
                "{} include {} {:?}",
                it.method,
                List::<Ident>(&it.include),
                it.options.to_map()
            ));
        }
        Object::ForeignKey(it) => {
            say(format!(
                "({}) to {} ({})",
                List(&it.columns),
                it.references.table,
                List(&it.references.columns)
            ));
            say(format!(
                "{:?} ({}) {:?}",
                it.on_delete,
                List(&it.on_delete_columns),
                it.deferral
            ));
        }
        Object::Comment(it) => say(it.text.clone()),
        _ => {}
    }
    line
}

fn key_index(it: &KeyIndex) -> String {
    format!("({})", List(&it.columns))
}

/// Compares the lines of the objects but for plain tables.
#[track_caller]
fn check(json: &str, expected: &[&str]) -> Desired {
    let desired = lower(json);
    let lines: Vec<String> = desired
        .schema
        .objects()
        .filter(|it| !matches!(it, Object::Table(_)))
        .map(line)
        .collect();
    assert_eq!(lines, expected, "{lines:#?}");
    desired
}

#[test]
fn a_primary_key_makes_its_columns_not_null() {
    check(
        r#"{"limbeck": 1, "tables": [{"name": "account", "columns": [{"name": "id", "type": "int8"}],
            "primary_key": {"columns": ["id"]}}]}"#,
        &[
            "column account.id bigint not null",
            "primary key account.pk_account (id)",
        ],
    );
}

#[test]
fn serial_is_a_column_with_an_owned_sequence() {
    let expected = [
        "sequence \"My_id_seq\" integer",
        "column \"My\".id integer default nextval('\"My_id_seq\"'::regclass) not null",
        "sequence owner \"My_id_seq\" \"My\".id",
    ];
    check(
        r#"{"limbeck": 1, "tables": [{"name": "My", "columns": [{"name": "id", "type": "int", "serial": true}]}]}"#,
        &expected,
    );
    check(
        r#"{"limbeck": 1, "tables": [{"name": "My", "columns": [{"name": "id", "type": "SERIAL"}]}]}"#,
        &expected,
    );
    check(
        r#"{"limbeck": 1, "schema": "app", "tables": [{"name": "t", "columns": [{"name": "id", "type": "bigserial"}]}]}"#,
        &[
            "schema app",
            "sequence app.t_id_seq bigint",
            "column app.t.id bigint default nextval('app.t_id_seq'::regclass) not null",
            "sequence owner app.t_id_seq app.t.id",
        ],
    );
}

#[test]
fn identity_numbers_have_the_defaults_of_their_type() {
    check(
        r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [
            {"name": "a", "type": "int", "identity": {}},
            {"name": "b", "type": "bigint", "identity": {"always": true, "increment": -1, "cache": 5}}]}]}"#,
        &[
            "column t.a integer identity false SequenceOptions { start: 1, increment: 1, min: 1, max: 2147483647, cache: 1, cycle: false } not null",
            "column t.b bigint identity true SequenceOptions { start: -1, increment: -1, min: -9223372036854775808, max: -1, cache: 5, cycle: false } not null",
        ],
    );
}

#[test]
fn names_follow_the_convention_and_given_names_are_kept() {
    let table = r#""tables": [{"name": "t", "schema": "s", "columns": [{"name": "a", "type": "int"}, {"name": "b", "type": "int"}],
        "uniques": [{"columns": ["a", "b"]}, {"name": "given", "columns": ["b"]}],
        "checks": [{"name": "positive", "expression": "a > 0"}, {"name": {"exact": "as_is"}, "expression": "b > 0"}],
        "indexes": [{"elements": ["a"]}, {"elements": [{"expression": "lower(b)"}, "a"]}]}]"#;
    let columns = ["schema s", "column s.t.a integer", "column s.t.b integer"];
    let limbeck = [
        columns.as_slice(),
        &[
            "unique s.t.given (b)",
            "unique s.t.uq_t_a (a, b)",
            "check s.t.as_is b > 0",
            "check s.t.ck_t_positive a > 0",
            "index s.t.ix_s_t_a (a) btree include  {}",
            "index s.t.ix_s_t_b (lower(b), a) btree include  {}",
        ],
    ];
    check(&format!(r#"{{"limbeck": 1, {table}}}"#), &limbeck.concat());
    let postgresql = [
        columns.as_slice(),
        &[
            "unique s.t.given (b)",
            "unique s.t.t_a_b_key (a, b)",
            "check s.t.as_is b > 0",
            "check s.t.positive a > 0",
            "index s.t.t_a_idx (a) btree include  {}",
            "index s.t.t_lower_a_idx (lower(b), a) btree include  {}",
        ],
    ];
    let desired = check(
        &format!(r#"{{"limbeck": 1, "naming_convention": "postgresql", {table}}}"#),
        &postgresql.concat(),
    );
    let unnamed: Vec<String> = desired.unnamed.iter().map(ToString::to_string).collect();
    assert_eq!(
        unnamed,
        [
            "unique s.t.t_a_b_key",
            "index s.t.t_a_idx",
            "index s.t.t_lower_a_idx"
        ]
    );
}

#[test]
fn default_names_are_numbered_as_postgresql_does() {
    check(
        r#"{"limbeck": 1, "naming_convention": "postgresql", "tables": [{"name": "t", "columns": [{"name": "a", "type": "int"}],
            "checks": [{"expression": "a > 0"}, {"expression": "a < 9"}, {"expression": "1 < 2"}, {"name": "t_check1", "expression": "true"},
                       {"expression": "3 < 4"}],
            "indexes": [{"elements": ["a"]}, {"elements": ["a"], "where": "a > 5"}],
            "exclusions": [{"elements": [{"column": "a", "operator": "="}], "comment": "one only"}]}]}"#,
        &[
            "column t.a integer",
            "check t.t_a_check a > 0",
            "check t.t_a_check1 a < 9",
            "check t.t_check 1 < 2",
            "check t.t_check1 true",
            "check t.t_check2 3 < 4",
            "exclusion t.t_a_excl a =",
            "index t.t_a_idx (a) btree include  {}",
            "index t.t_a_idx1 (a) where a > 5 btree include  {}",
            "comment on exclusion t.t_a_excl one only",
        ],
    );
}

#[test]
fn long_names_are_shortened_by_the_policy() {
    let table = |convention: &str| {
        format!(
            r#"{{"limbeck": 1, "naming_convention": {convention}, "tables": [{{"name": "another_table_name_that_is_quite_long_too",
            "columns": [{{"name": "some_column_name_that_is_long", "type": "int"}}],
            "uniques": [{{"columns": ["some_column_name_that_is_long"]}}]}}]}}"#
        )
    };
    let name = |json: &str| {
        let desired = lower(json);
        let unique = desired
            .schema
            .objects()
            .find(|it| matches!(it, Object::Unique(_)))
            .unwrap();
        unique.key().own_name().as_str().to_owned()
    };
    // The first is what SQLAlchemy 2 makes of it.
    let hashed = name(&table("\"limbeck\""));
    assert!(
        hashed.starts_with("uq_another_table_name_that_is_quite_long_too_some_colum_")
            && hashed.len() == 60,
        "{hashed}"
    );
    let cut = name(&table(
        r#"{"uq": "uq_%(table_name)s_%(column_0_name)s", "truncate": "cut"}"#,
    ));
    assert_eq!(
        cut,
        "uq_another_table_name_that_is_quite_long_too_some_column_name_t"
    );
}

#[test]
fn references_without_columns_mean_the_primary_key() {
    check(
        r#"{"limbeck": 1, "tables": [
            {"name": "org", "columns": [{"name": "id", "type": "int"}], "primary_key": {"columns": ["id"]}},
            {"name": "member", "columns": [{"name": "org_id", "type": "int"}],
             "foreign_keys": [{"columns": ["org_id"], "references": {"table": "org"}, "on_delete": "SET NULL",
                               "on_delete_columns": ["org_id"], "initially_deferred": true}]}]}"#,
        &[
            "column member.org_id integer",
            "column org.id integer not null",
            "primary key org.pk_org (id)",
            "foreign key member.fk_member_org_id_org (org_id) to org (id) SetNull (org_id) Deferred",
        ],
    );
}

#[test]
fn types_find_their_enum_in_the_schema_of_the_metadata() {
    check(
        r#"{"limbeck": 1, "schema": "app", "enums": [{"name": "status", "labels": ["new", "done"], "comment": "how far"}],
            "tables": [{"name": "t", "columns": [{"name": "a", "type": "status"}, {"name": "b", "type": "status[]"},
                                                 {"name": "c", "type": "citext", "collation": "C"}]}]}"#,
        &[
            "schema app",
            "enum app.status new, done",
            "column app.t.a app.status",
            "column app.t.b app.status[]",
            "column app.t.c citext collate \"C\"",
            "comment on enum app.status how far",
        ],
    );
}

#[test]
fn elements_have_the_defaults_of_their_direction() {
    check(
        r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}],
            "indexes": [{"name": "i", "unique": true, "method": "gist", "include": ["b"], "with": {"fillfactor": "70"}, "elements": [
                {"column": "a", "order": "desc"}, {"column": "b", "order": "desc", "nulls": "last"},
                {"column": "a", "nulls": "first", "collation": "C", "opclass": "gist_trgm_ops(siglen = 32)"}]}]}]}"#,
        &[
            "column t.a text",
            "column t.b text",
            "index t.i (a DESC, b DESC NULLS LAST, a COLLATE \"C\" gist_trgm_ops (siglen=32) NULLS FIRST) gist include b {\"fillfactor\": \"70\"}",
        ],
    );
}

#[test]
fn a_default_of_null_is_no_default() {
    check(
        r#"{"limbeck": 1, "tables": [{"name": "t", "columns": [{"name": "a", "type": "text", "default": "NULL"},
            {"name": "b", "type": "text", "default": "null::text"}, {"name": "c", "type": "text", "default": "nullif('a', 'b')"}]}]}"#,
        &[
            "column t.a text",
            "column t.b text",
            "column t.c text default nullif('a', 'b')",
        ],
    );
}

#[test]
fn the_scope_is_what_is_declared() {
    let scope = |json: &str| {
        let desired = lower(json);
        let kinds: Vec<String> = desired
            .scope
            .kinds
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        let schemas: Vec<String> = desired
            .scope
            .schemas
            .iter()
            .flatten()
            .map(|it| it.as_ref().map_or("-", |it| it.as_str()).into())
            .collect();
        (
            kinds.join(" "),
            schemas.join(" "),
            desired.scope.ignored_tables.join(" "),
        )
    };
    let always = "enum table column primary key unique check exclusion index foreign key comment";
    let text = |it: &str| it.to_owned();
    assert_eq!(
        scope(r#"{"limbeck": 1}"#),
        (text(always), text("-"), text(""))
    );
    assert_eq!(
        scope(r#"{"limbeck": 1, "schemas": [{"name": "audit"}], "ignore": {"tables": ["x.*"]}}"#),
        (format!("schema {always}"), text("- audit"), text("x.*"))
    );
    assert_eq!(
        scope(
            r#"{"limbeck": 1, "schema": "app", "sequences": [{"name": "s", "schema": "other"}]}"#
        )
        .1,
        "app other"
    );
    let kinds = scope(r#"{"limbeck": 1, "manages": ["sequence"]}"#).0;
    assert!(
        kinds.contains("sequence owner") && !kinds.contains("schema"),
        "{kinds}"
    );
}

#[test]
fn ignored_tables_are_not_part_of_the_desired_state_but_can_be_referred_to() {
    check(
        r#"{"limbeck": 1, "ignore": {"tables": ["legacy_*"]}, "tables": [
            {"name": "legacy_a", "columns": [{"name": "id", "type": "int"}], "primary_key": {"columns": ["id"]}},
            {"name": "t", "columns": [{"name": "a", "type": "int"}], "foreign_keys": [
                {"columns": ["a"], "references": {"table": "legacy_a"}},
                {"columns": ["a"], "references": {"table": "legacy_b", "columns": ["id"]}}]}]}"#,
        &[
            "column t.a integer",
            "foreign key t.fk_t_a_legacy_a (a) to legacy_a (id) NoAction () No",
            "foreign key t.fk_t_a_legacy_b (a) to legacy_b (id) NoAction () No",
        ],
    );
}

#[test]
fn places_are_those_of_tables_enums_and_sequences() {
    let desired = lower(
        r#"{"limbeck": 1, "enums": [{"name": "e", "labels": []}], "sequences": [{"name": "s"}], "tables": [{"name": "t"}]}"#,
    );
    let places: Vec<String> = desired
        .places
        .iter()
        .map(|(key, place)| format!("{key} {place}"))
        .collect();
    assert_eq!(
        places,
        [
            "enum e models.json: enums[0]",
            "sequence s models.json: sequences[0]",
            "table t models.json: tables[0]"
        ]
    );
}

#[test]
fn the_schema_of_the_connection_is_no_schema() {
    check(
        r#"{"limbeck": 1, "schemas": [{"name": "public"}], "tables": [{"name": "t", "schema": "public",
            "columns": [{"name": "a", "type": "public.status"}], "indexes": [{"elements": ["a"]}]}],
            "enums": [{"name": "status", "labels": ["x"]}]}"#,
        // The label says the schema, because the declaration does; SQLAlchemy makes the same name.
        &[
            "enum status x",
            "column t.a status",
            "index t.ix_public_t_a (a) btree include  {}",
        ],
    );
}
