//! Models of a PostgreSQL database, as `limbeck inspect --format rust` wrote them.
//!
//! They need of the crate `limbeck` the features `chrono`, `json`, `rust_decimal`, `uuid`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use limbeck::{
    Attribute, Collation, CompositeType, Domain, DomainCheck, Element, EnumType, Index, MetaData,
    Model, Namespace, NamingConvention, PgEnum, PrimaryKey, Provider, RangeType, Sequence, Table,
};
use rust_decimal::Decimal;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

#[derive(PgEnum)]
#[pg_enum(name = "Size", rename_all = "UPPERCASE")]
pub enum Size {
    S,
    M,
    L,
    #[pg_enum(rename = "l")]
    L2,
    #[pg_enum(rename = "2XL")]
    V2xl,
}

#[derive(PgEnum)]
#[pg_enum(comment = "where an order stands")]
pub enum OrderStatus {
    New,
    #[pg_enum(rename = "in progress")]
    InProgress,
    Done,
    Type,
    Self_,
}

#[derive(PgEnum)]
#[pg_enum(schema = "audit", rename_all = "UPPERCASE")]
pub enum Level {
    Info,
    Warning,
}

#[derive(Table)]
#[table(
    unlogged,
    exclude(
        name = "one_at_a_time",
        room = "=",
        during = "&&",
        where = "note IS NULL"
    )
)]
pub struct Booking {
    pub room: i32,
    #[column(sql_type = "tstzrange")]
    pub during: String,
    pub note: Option<String>,
}

#[derive(Table)]
#[table(inherits("parent"))]
pub struct Child {
    pub extra: Option<String>,
}

#[derive(Table)]
#[table(
    comment = "people who buy\nand come again",
    with(fillfactor = 80, "toast.autovacuum_enabled" = "off"),
    check(name = "born_before_seen", "born < seen"),
    index(
        columns(name(desc, nulls = last), r#type),
        name = "customer_by_name",
        include(email),
        where = "self"
    ),
    index("lower((name)::text)")
)]
pub struct Customer {
    #[column(
        primary_key(comment = "the key", index_comment = "the index of the key"),
        identity(comment = "numbers of customers")
    )]
    pub id: i64,
    #[column(sql_type = "email", unique)]
    pub email: Option<String>,
    #[column(
        length = 80,
        statistics = 500,
        with(n_distinct = "-0.5"),
        index(opclass = "text_pattern_ops"),
        comment = r#"as they write it: "\d""#
    )]
    pub name: String,
    #[column(sql_type = "char(1)", default = "'p'::bpchar")]
    pub r#type: String,
    #[column(name = "self")]
    pub self_: Option<bool>,
    #[column(name = "e-Mail", collation = "natural_sort")]
    pub e_mail: Option<String>,
    #[column(sql_type = "address")]
    pub address: Option<String>,
    pub rating: Option<f32>,
    pub score: Option<f64>,
    #[column(
        precision = 12,
        scale = 2,
        default = "0",
        check("credit >= (0)::numeric")
    )]
    pub credit: Decimal,
    pub flags: Option<Vec<i16>>,
    pub initials: Option<i8>,
    #[column(storage = external)]
    pub photo: Option<Vec<u8>>,
    pub born: Option<NaiveDate>,
    pub opens: Option<NaiveTime>,
    #[column(precision = 3)]
    pub seen: Option<DateTime<Utc>>,
    #[column(name = "createdAt", default = "now()")]
    pub created_at_2: NaiveDateTime,
    pub created_at: Option<DateTime<Utc>>,
    pub host: Option<IpAddr>,
    pub patience: Option<Duration>,
    #[column(sql_type = "interval day to second(2)")]
    pub waits: Option<String>,
    #[column(
        default = "'{}'::jsonb",
        index(method = gin, with(fastupdate = "off"), opclass = "jsonb_path_ops")
    )]
    pub document: Value,
    #[column(sql_type = "json")]
    pub raw: Option<Value>,
    #[column(
        default = "gen_random_uuid()",
        index(name = "customer_token", unique, comment = "for links")
    )]
    pub token: Uuid,
    #[column(length = 20, default = "'{}'::character varying[]")]
    pub tags: Vec<String>,
    #[column(
        sql_type = "tsvector",
        generated = "to_tsvector('simple'::regconfig, (name)::text)"
    )]
    pub search: Option<String>,
}

#[derive(Table)]
pub struct Empty {}

#[derive(Table)]
#[table(partition_by = "RANGE (at)")]
pub struct Event {
    pub at: NaiveDate,
    pub what: Option<String>,
}

#[derive(Table)]
#[table(name = "option")]
pub struct OptionTable {
    pub value: Option<String>,
    pub columns: Option<String>,
    #[column(check("name <> ''::text"))]
    pub name: Option<String>,
}

#[derive(Table)]
#[table(
    unique(id, customer_id, name = "order_of_customer"),
    foreign_key(
        name = "same_customer",
        columns(parent, customer_id),
        references = Order(id, customer_id),
        match_full
    )
)]
pub struct Order {
    #[column(primary_key, serial)]
    pub id: i32,
    #[column(references = Customer, on_delete = cascade)]
    pub customer_id: i64,
    #[column(
        references = Customer,
        on_delete = set_null,
        on_update = cascade,
        initially_deferred
    )]
    pub agent_id: Option<i64>,
    #[column(default = "'new'::order_status")]
    pub status: OrderStatus,
    #[column(default = "nextval('invoice_number'::regclass)")]
    pub number: i64,
    pub parent: Option<i32>,
}

#[derive(Table)]
#[table(
    primary_key(order_id, position, name = "order_line_key"),
    unique(order_id, product, deferrable)
)]
pub struct OrderLine {
    #[column(references = Order, on_delete = cascade)]
    pub order_id: i32,
    pub position: i32,
    #[column(length = 12, references = Product, index(name = "order_line_product"))]
    pub product: String,
    #[column(sql_type = "quantity")]
    pub n: Option<i32>,
}

#[derive(Table)]
pub struct Parent {
    pub id: i32,
    pub kind: Option<String>,
}

#[derive(Table)]
#[table(unique(columns(r#where, method)))]
pub struct Product {
    #[column(primary_key, length = 12)]
    pub code: String,
    pub size: Option<Size>,
    pub sizes: Option<Vec<Size>>,
    #[column(sql_type = "nothing")]
    pub void: Option<String>,
    #[column(sql_type = "price_range")]
    pub prices: Option<String>,
    #[column(sql_type = "quantity")]
    pub left_over: Option<i32>,
    pub r#where: Option<String>,
    pub method: Option<String>,
}

#[derive(Table)]
#[table(name = "customer", schema = "audit")]
pub struct AuditCustomer {
    #[column(references = Customer)]
    pub id: Option<i64>,
    pub note: Option<String>,
}

#[derive(Table)]
#[table(schema = "audit")]
pub struct Entry {
    #[column(
        primary_key,
        identity(
            always,
            start = 10,
            increment = 2,
            max = 99999,
            sequence = "entry_number"
        )
    )]
    pub id: i64,
    pub level: Level,
    #[column(references = Customer)]
    pub customer_id: Option<i64>,
    #[column(default = "now()")]
    pub at: DateTime<Utc>,
}

/// Everything that the database holds.
pub fn metadata() -> MetaData {
    MetaData::new()
        .naming_convention(NamingConvention::postgresql())
        .namespace(Namespace::new("audit").comment("who did what"))
        .namespace(Namespace::new("public").comment(r#"the "application""#))
        .collation(
            Collation::new("natural_sort", "en-u-kn-true")
                .provider(Provider::Icu)
                .nondeterministic(),
        )
        .enum_type(EnumType::new("nothing", [] as [&str; 0]))
        .domain(
            Domain::new("email", "text")
                .collation("C")
                .check(DomainCheck::new(r"VALUE ~ '^[^@\s]+@[^@]+$'::text")),
        )
        .domain(
            Domain::new("quantity", "integer")
                .not_null()
                .default("1")
                .check(
                    DomainCheck::new("VALUE > 0")
                        .name("positive")
                        .comment("none is nothing"),
                )
                .comment("how many"),
        )
        .composite_type(
            CompositeType::new("address")
                .attribute(Attribute::new("street", "text"))
                .attribute(
                    Attribute::new("zip", "varchar(10)")
                        .collation("C")
                        .comment(r#"with a "-" in it"#),
                )
                .attribute(Attribute::new("town", "text")),
        )
        .range(
            RangeType::new("price_range", "numeric")
                .subtype_diff("numrange_subdiff")
                .multirange("prices"),
        )
        .sequence(
            Sequence::new("invoice_number")
                .start(1000)
                .increment(5)
                .cache(10)
                .cycle()
                .owned_by("order", "number")
                .comment("never reused"),
        )
        .pg_enum::<Size>()
        .pg_enum::<OrderStatus>()
        .pg_enum::<Level>()
        .model::<Booking>()
        .table(
            Child::table()
                .primary_key(PrimaryKey::new(["id"]).name("child_id"))
                .index(Index::new([Element::column("kind")]).name("child_kind")),
        )
        .model::<Customer>()
        .model::<Empty>()
        .model::<Event>()
        .model::<OptionTable>()
        .model::<Order>()
        .model::<OrderLine>()
        .model::<Parent>()
        .model::<Product>()
        .model::<AuditCustomer>()
        .model::<Entry>()
}
