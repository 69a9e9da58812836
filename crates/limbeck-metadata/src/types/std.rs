//! Types of the standard library.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::types::{ArrayElement, ColumnType, TypeInfo, columns};

columns! {
    bool => "boolean",
    i8 => "\"char\"",
    i16 => "smallint",
    i32 => "integer",
    i64 => "bigint",
    f32 => "real",
    f64 => "double precision",
    str => "text",
    String => "text",
}

impl ColumnType for [u8] {
    fn type_info() -> TypeInfo {
        TypeInfo::new("bytea")
    }
}

impl<const N: usize> ColumnType for [u8; N] {
    fn type_info() -> TypeInfo {
        TypeInfo::new("bytea")
    }
}

impl ColumnType for Vec<u8> {
    fn type_info() -> TypeInfo {
        TypeInfo::new("bytea")
    }
}

// PostgreSQL has arrays of `bytea` too.
impl ArrayElement for [u8] {}
impl ArrayElement for Vec<u8> {}
impl<const N: usize> ArrayElement for [u8; N] {}

/// The array type of an element type: PostgreSQL has one type for any number of dimensions.
fn array<T: ArrayElement + ?Sized>() -> TypeInfo {
    let element = T::type_info();
    TypeInfo {
        sql: format!("{}[]", element.sql).into(),
        nullable: false,
        enum_type: element.enum_type,
    }
}

impl<T: ArrayElement> ColumnType for [T] {
    fn type_info() -> TypeInfo {
        array::<T>()
    }
}

impl<T: ArrayElement> ColumnType for Vec<T> {
    fn type_info() -> TypeInfo {
        array::<T>()
    }
}

impl<T: ArrayElement, const N: usize> ColumnType for [T; N] {
    fn type_info() -> TypeInfo {
        array::<T>()
    }
}

impl<T: ColumnType> ColumnType for Option<T> {
    fn type_info() -> TypeInfo {
        TypeInfo {
            nullable: true,
            ..T::type_info()
        }
    }
}

// The elements of any array may be null.
impl<T: ArrayElement> ArrayElement for Option<T> {}

macro_rules! pointers {
    ($($Type:ty),*) => {$(
        impl<T: ColumnType + ?Sized> ColumnType for $Type {
            fn type_info() -> TypeInfo {
                T::type_info()
            }
        }

        impl<T: ArrayElement + ?Sized> ArrayElement for $Type {}
    )*};
}

pointers!(&T, Box<T>, Rc<T>, Arc<T>);

impl<T: ColumnType + ToOwned + ?Sized> ColumnType for Cow<'_, T> {
    fn type_info() -> TypeInfo {
        T::type_info()
    }
}

impl<T: ArrayElement + ToOwned + ?Sized> ArrayElement for Cow<'_, T> {}

columns! {
    std::time::Duration => "interval",
    core::net::IpAddr => "inet",
}
