//! Types of other crates, each by the feature of its crate.

#[cfg(feature = "sqlx")]
use crate::types::{ArrayElement, ColumnType, TypeInfo};

#[cfg(feature = "chrono")]
crate::types::columns! {
    chrono::NaiveDate => "date",
    chrono::NaiveTime => "time",
    chrono::NaiveDateTime => "timestamp",
    chrono::Duration => "interval",
    chrono::DateTime<chrono::Utc> => "timestamptz",
    chrono::DateTime<chrono::Local> => "timestamptz",
    chrono::DateTime<chrono::FixedOffset> => "timestamptz",
}

#[cfg(feature = "time")]
crate::types::columns! {
    time::Date => "date",
    time::Time => "time",
    time::PrimitiveDateTime => "timestamp",
    time::OffsetDateTime => "timestamptz",
    time::Duration => "interval",
}

#[cfg(feature = "uuid")]
crate::types::columns! {
    uuid::Uuid => "uuid",
}

#[cfg(feature = "rust_decimal")]
crate::types::columns! {
    rust_decimal::Decimal => "numeric",
}

#[cfg(feature = "bigdecimal")]
crate::types::columns! {
    bigdecimal::BigDecimal => "numeric",
}

#[cfg(feature = "json")]
crate::types::columns! {
    serde_json::Value => "jsonb",
}

#[cfg(feature = "ipnetwork")]
crate::types::columns! {
    ipnetwork::IpNetwork => "inet",
}

#[cfg(feature = "sqlx")]
crate::types::columns! {
    sqlx::postgres::types::Oid => "oid",
    sqlx::postgres::types::PgCiText => "citext",
    sqlx::postgres::types::PgHstore => "hstore",
    sqlx::postgres::types::PgInterval => "interval",
    sqlx::postgres::types::PgLQuery => "lquery",
    sqlx::postgres::types::PgLTree => "ltree",
    sqlx::postgres::types::PgMoney => "money",
    sqlx::postgres::types::PgPoint => "point",
}

#[cfg(feature = "sqlx")]
impl<T> ColumnType for sqlx::types::Json<T> {
    fn type_info() -> TypeInfo {
        TypeInfo::new("jsonb")
    }
}

#[cfg(feature = "sqlx")]
impl<T> ArrayElement for sqlx::types::Json<T> {}

/// A type that PostgreSQL has ranges of.
#[cfg(feature = "sqlx")]
pub trait RangeElement {
    /// The range type.
    const RANGE: &'static str;
}

#[cfg(feature = "sqlx")]
impl<T: RangeElement> ColumnType for sqlx::postgres::types::PgRange<T> {
    fn type_info() -> TypeInfo {
        TypeInfo::new(T::RANGE)
    }
}

#[cfg(feature = "sqlx")]
impl<T: RangeElement> ArrayElement for sqlx::postgres::types::PgRange<T> {}

#[cfg(feature = "sqlx")]
macro_rules! ranges {
    ($($(#[$feature:meta])? $Type:ty => $range:literal,)*) => {$(
        $(#[$feature])?
        impl RangeElement for $Type {
            const RANGE: &'static str = $range;
        }
    )*};
}

#[cfg(feature = "sqlx")]
ranges! {
    i32 => "int4range",
    i64 => "int8range",
    #[cfg(feature = "rust_decimal")] rust_decimal::Decimal => "numrange",
    #[cfg(feature = "bigdecimal")] bigdecimal::BigDecimal => "numrange",
    #[cfg(feature = "chrono")] chrono::NaiveDate => "daterange",
    #[cfg(feature = "chrono")] chrono::NaiveDateTime => "tsrange",
    #[cfg(feature = "chrono")] chrono::DateTime<chrono::Utc> => "tstzrange",
    #[cfg(feature = "chrono")] chrono::DateTime<chrono::Local> => "tstzrange",
    #[cfg(feature = "chrono")] chrono::DateTime<chrono::FixedOffset> => "tstzrange",
    #[cfg(feature = "time")] time::Date => "daterange",
    #[cfg(feature = "time")] time::PrimitiveDateTime => "tsrange",
    #[cfg(feature = "time")] time::OffsetDateTime => "tstzrange",
}
