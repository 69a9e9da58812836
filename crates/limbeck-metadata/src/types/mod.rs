//! The SQL type of a Rust type: what sqlx binds it to (`sqlx::Type<Postgres>`), told without a driver.

mod crates;
mod std;

use ::std::borrow::Cow;

#[cfg(feature = "sqlx")]
pub use crates::RangeElement;

use crate::model::EnumType;

/// Types that are one SQL type each, and elements of arrays.
macro_rules! columns {
    ($($Type:ty => $sql:literal,)*) => {$(
        impl $crate::types::ColumnType for $Type {
            fn type_info() -> $crate::types::TypeInfo {
                $crate::types::TypeInfo::new($sql)
            }
        }

        impl $crate::types::ArrayElement for $Type {}
    )*};
}
use columns;

/// What a Rust type is as a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    /// The type as SQL spells it.
    pub sql: Cow<'static, str>,
    /// Whether nulls are a value of it: `Option`.
    pub nullable: bool,
    /// The declared enum type that it is or is an array of.
    pub enum_type: Option<EnumType>,
}

impl TypeInfo {
    /// A type that takes no nulls, as SQL spells it.
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sql: sql.into(),
            nullable: false,
            enum_type: None,
        }
    }

    /// An enum type.
    pub fn of_enum(ty: EnumType) -> Self {
        let name = limbeck_schema::Name {
            schema: ty.schema.clone(),
            name: ty.name.clone(),
        };
        Self {
            sql: name.to_string().into(),
            nullable: false,
            enum_type: Some(ty),
        }
    }
}

/// A Rust type that a column can hold.
///
/// Implement it for a type of your own by giving the SQL type that it is bound to:
///
/// ```
/// use limbeck_metadata::{ColumnType, TypeInfo};
///
/// struct Email(String);
///
/// impl ColumnType for Email {
///     fn type_info() -> TypeInfo {
///         TypeInfo::new("citext")
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "no SQL type is known for `{Self}`",
    note = "name one with `#[column(sql_type = \"…\")]`, implement `ColumnType`, or turn on the feature of its crate"
)]
pub trait ColumnType {
    /// The SQL type.
    fn type_info() -> TypeInfo;
}

/// A Rust type whose arrays PostgreSQL knows; bytes are not one of them, since `Vec<u8>` is `bytea`.
#[diagnostic::on_unimplemented(
    message = "no SQL array type is known for elements of type `{Self}`"
)]
pub trait ArrayElement: ColumnType {}
