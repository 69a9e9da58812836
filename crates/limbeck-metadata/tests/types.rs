//! The SQL type of every Rust type is the one that sqlx binds it to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use limbeck_metadata::ColumnType;
use limbeck_schema::{Ident, SqlType};
use sqlx::postgres::types::{
    Oid, PgCiText, PgHstore, PgInterval, PgLQuery, PgLTree, PgMoney, PgPoint, PgRange,
};
use sqlx::types::Json;
use sqlx::{Postgres, Type, TypeInfo};

#[track_caller]
fn check<T: ColumnType + Type<Postgres>>(expected: &str) {
    let public = Ident::new("public");
    let ours = <T as ColumnType>::type_info();
    let bound = <T as Type<Postgres>>::type_info();
    assert_eq!(
        SqlType::parse(&ours.sql, &public).unwrap().as_str(),
        expected
    );
    assert_eq!(
        SqlType::parse(&bound.name().to_lowercase(), &public)
            .unwrap()
            .as_str(),
        expected,
        "sqlx: {}",
        bound.name()
    );
}

#[test]
fn types_of_the_standard_library() {
    check::<bool>("boolean");
    check::<i8>("\"char\"");
    check::<i16>("smallint");
    check::<i32>("integer");
    check::<i64>("bigint");
    check::<f32>("real");
    check::<f64>("double precision");
    check::<String>("text");
    check::<&str>("text");
    check::<Box<str>>("text");
    check::<Cow<'_, str>>("text");
    check::<Vec<u8>>("bytea");
    check::<&[u8]>("bytea");
    check::<[u8; 16]>("bytea");
    check::<std::time::Duration>("interval");
    check::<std::net::IpAddr>("inet");
}

#[test]
fn arrays_options_and_pointers_follow_their_type() {
    check::<Vec<i64>>("bigint[]");
    check::<Vec<String>>("text[]");
    check::<[i32; 3]>("integer[]");
    check::<Vec<Vec<u8>>>("bytea[]");
    check::<Vec<Option<i32>>>("integer[]");
    check::<Option<Vec<bool>>>("boolean[]");
    check::<Arc<String>>("text");
    check::<Rc<i32>>("integer");
    assert!(
        <Option<i32> as ColumnType>::type_info().nullable
            && !<i32 as ColumnType>::type_info().nullable
    );
}

#[test]
fn types_of_other_crates() {
    check::<chrono::DateTime<chrono::Utc>>("timestamp with time zone");
    check::<chrono::DateTime<chrono::FixedOffset>>("timestamp with time zone");
    check::<chrono::NaiveDateTime>("timestamp without time zone");
    check::<chrono::NaiveDate>("date");
    check::<chrono::NaiveTime>("time without time zone");
    check::<chrono::Duration>("interval");
    check::<time::OffsetDateTime>("timestamp with time zone");
    check::<time::PrimitiveDateTime>("timestamp without time zone");
    check::<time::Date>("date");
    check::<time::Time>("time without time zone");
    check::<time::Duration>("interval");
    check::<uuid::Uuid>("uuid");
    check::<Vec<uuid::Uuid>>("uuid[]");
    check::<rust_decimal::Decimal>("numeric");
    check::<bigdecimal::BigDecimal>("numeric");
    check::<serde_json::Value>("jsonb");
    check::<ipnetwork::IpNetwork>("inet");
}

#[test]
fn types_of_sqlx() {
    check::<Json<Vec<String>>>("jsonb");
    check::<PgInterval>("interval");
    check::<PgMoney>("money");
    check::<PgPoint>("point");
    check::<PgCiText>("citext");
    check::<PgHstore>("hstore");
    check::<PgLTree>("ltree");
    check::<PgLQuery>("lquery");
    check::<Oid>("oid");
    check::<PgRange<i32>>("int4range");
    check::<PgRange<i64>>("int8range");
    check::<PgRange<rust_decimal::Decimal>>("numrange");
    check::<PgRange<bigdecimal::BigDecimal>>("numrange");
    check::<PgRange<chrono::NaiveDate>>("daterange");
    check::<PgRange<chrono::NaiveDateTime>>("tsrange");
    check::<PgRange<chrono::DateTime<chrono::Utc>>>("tstzrange");
    check::<PgRange<time::Date>>("daterange");
    check::<PgRange<time::PrimitiveDateTime>>("tsrange");
    check::<PgRange<time::OffsetDateTime>>("tstzrange");
    check::<Vec<PgRange<i32>>>("int4range[]");
}
