//! What the attributes of the derive macros mean, one by one.
#![expect(dead_code, reason = "the models are declared and never filled")]

use limbeck::{
    Action, Column, Element, Exclusion, ForeignKey, Index, LowerOptions, MetaData, Model, PgEnum,
    PrimaryKey, References, Table, Unique,
};

/// The derive only calls the builders, so what it builds is what a builder builds.
#[track_caller]
fn check<M: Model>(expected: Table) {
    let mut built = M::table();
    built.place = None;
    assert_eq!(built, expected);
}

#[derive(Table)]
#[table(unregistered)]
struct HTTPRequest {
    #[column(primary_key)]
    request_id: i64,
    r#where: Option<Vec<u8>>,
}

#[test]
fn names_are_those_of_struct_and_fields() {
    check::<HTTPRequest>(
        Table::new("http_request")
            .column(Column::new("request_id", "bigint").not_null())
            .column(Column::new("where", "bytea"))
            .primary_key(["request_id"]),
    );
}

#[derive(Table)]
#[table(unregistered, name = "t", unlogged, primary_key(b, a))]
struct Ordered {
    a: i32,
    b: i32,
}

#[test]
fn a_primary_key_on_the_struct_has_its_own_order() {
    check::<Ordered>(
        Table::new("t")
            .unlogged()
            .column(Column::new("a", "integer").not_null())
            .column(Column::new("b", "integer").not_null())
            .primary_key(PrimaryKey::new(["b", "a"])),
    );
}

#[derive(Table)]
#[table(unregistered, name = "t")]
struct Options {
    #[column(
        unique(name = "only_one", deferrable),
        index(name = "by_a", desc, where = "a > 0")
    )]
    a: i32,
    #[column(nullable)]
    b: i32,
    #[column(sql_type = "citext")]
    c: Option<std::path::PathBuf>,
    #[column(nullable = false)]
    d: Option<i32>,
    #[column(sql_type = "serial")]
    e: i32,
}

#[test]
fn options_of_one_column() {
    check::<Options>(
        Table::new("t")
            .column(Column::new("a", "integer").not_null())
            .column(Column::new("b", "integer"))
            .column(Column::new("c", "citext"))
            .column(Column::new("d", "integer").not_null())
            .column(Column::new("e", "serial").not_null())
            .unique(Unique::new(["a"]).name("only_one").deferrable())
            .index(
                Index::new([Element::column("a").desc()])
                    .name("by_a")
                    .predicate("a > 0"),
            ),
    );
}

#[derive(Table)]
#[table(unregistered, name = "node", foreign_key(columns(parent), references = "node"(id)))]
struct Node {
    #[column(primary_key)]
    id: i32,
    #[column(references = Node::id, foreign_key = "to_parent", deferrable)]
    parent: Option<i32>,
    #[column(references = "public.node(id)", on_delete = "set null")]
    next: Option<i32>,
}

#[test]
fn references_are_models_or_names() {
    let to = |columns| References::new("node").columns([columns]);
    check::<Node>(
        Table::new("node")
            .column(Column::new("id", "integer").not_null())
            .column(Column::new("parent", "integer"))
            .column(Column::new("next", "integer"))
            .primary_key(["id"])
            .foreign_key(
                ForeignKey::new(["parent"], to("id"))
                    .name("to_parent")
                    .deferrable(),
            )
            .foreign_key(
                ForeignKey::new(["next"], to("id").schema("public")).on_delete(Action::SetNull),
            )
            .foreign_key(ForeignKey::new(["parent"], to("id"))),
    );
}

/// Columns that are named like options are named in a list of columns.
#[derive(Table)]
#[table(
    unregistered,
    name = "t",
    unique(columns(name, deferrable)),
    index(columns(unique(desc), "lower(name)"), name = "i")
)]
#[table(exclude(elements(name = "=", unique(opclass = "int4_ops") = "<>"), name = "x", method = btree))]
struct Awkward {
    name: String,
    unique: i32,
    deferrable: bool,
}

#[test]
fn columns_may_be_named_like_options() {
    check::<Awkward>(
        Table::new("t")
            .column(Column::new("name", "text").not_null())
            .column(Column::new("unique", "integer").not_null())
            .column(Column::new("deferrable", "boolean").not_null())
            .unique(["name", "deferrable"])
            .index(
                Index::new([
                    Element::column("unique").desc(),
                    Element::expression("lower(name)"),
                ])
                .name("i"),
            )
            .exclusion(
                Exclusion::new([
                    Element::column("name").operator("="),
                    Element::column("unique").opclass("int4_ops").operator("<>"),
                ])
                .name("x")
                .method("btree"),
            ),
    );
}

#[test]
fn columns_are_known_by_their_fields() {
    assert_eq!(Node::COLUMNS.parent.name, "parent");
    assert_eq!(Node::table_name(), (None, "node"));
}

#[derive(PgEnum)]
#[pg_enum(unregistered)]
#[sqlx(type_name = "audit.\"Level\"", rename_all = "kebab-case")]
enum Severity {
    #[sqlx(rename = "ok")]
    Fine,
    VeryBad,
}

#[derive(PgEnum)]
#[pg_enum(unregistered)]
#[sqlx(type_name = "plain")]
enum Plain {
    AsItIs,
}

#[test]
fn enums_follow_what_they_say_to_sqlx() {
    let ty = Severity::enum_type();
    assert_eq!(
        (ty.schema.unwrap().as_str(), ty.name.as_str()),
        ("audit", "Level")
    );
    assert_eq!(ty.labels, ["ok", "very-bad"]);
    assert_eq!(Plain::enum_type().labels, ["AsItIs"]);
    let _ = (Severity::Fine, Severity::VeryBad, Plain::AsItIs);
}

#[derive(Table)]
#[table(unregistered, name = "${prefix}owner")]
struct Owner {
    #[column(primary_key, identity)]
    id: i64,
}

#[derive(Table)]
#[table(unregistered)]
struct Pet {
    #[column(primary_key, identity)]
    id: i64,
    #[column(references = Owner, index)]
    owner_id: i64,
    #[column(references = "${prefix}owner(id)")]
    second_owner_id: Option<i64>,
    #[column(references = Pet)]
    parent_id: Option<i64>,
}

#[test]
fn names_may_hold_variables() {
    let keys = |metadata: MetaData| {
        let desired = metadata
            .variable("prefix", "p_")
            .lower(&LowerOptions::default());
        let keys = desired.map(|it| it.schema.iter().map(|(key, _)| key.to_string()).collect());
        keys.unwrap_or_else(|error| vec![error.to_string()])
    };
    let part = keys(MetaData::new().model::<Owner>().model::<Pet>());
    assert_eq!(
        part[part.len() - 3..],
        [
            "foreign key pet.fk_pet_owner_id_p_owner",
            "foreign key pet.fk_pet_parent_id_pet",
            "foreign key pet.fk_pet_second_owner_id_p_owner",
        ]
    );
    let all = keys(
        MetaData::new()
            .model::<Owner>()
            .model::<Pet>()
            .table_prefix("x_"),
    );
    assert_eq!(
        all[all.len() - 3..],
        [
            "foreign key x_pet.fk_x_pet_owner_id_x_p_owner",
            "foreign key x_pet.fk_x_pet_parent_id_x_pet",
            "foreign key x_pet.fk_x_pet_second_owner_id_x_p_owner",
        ]
    );
}
