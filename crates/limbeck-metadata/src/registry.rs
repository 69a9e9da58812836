//! Models that derive macros made: the traits they implement, and the registry that finds all of them in a binary.

use crate::model::{EnumType, MetaData, Table};

/// A struct that declares a table; `#[derive(Table)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no table",
    note = "derive `limbeck::Table` for it, or name the table as \"table(column)\""
)]
pub trait Model {
    /// The columns by their field names.
    type Columns;

    /// The columns by their field names: `Account::COLUMNS.email.name`.
    const COLUMNS: Self::Columns;

    /// The schema, if the model names one, and the table's name.
    fn table_name() -> (Option<&'static str>, &'static str);

    /// The table.
    fn table() -> Table;
}

/// A Rust enum that declares an enum type; `#[derive(PgEnum)]` implements it.
pub trait PgEnum {
    /// The enum type.
    fn enum_type() -> EnumType;
}

/// A column of a model, by its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnRef {
    /// The column's name.
    pub name: &'static str,
}

/// What a derive macro registers.
#[derive(Clone, Copy, Debug)]
pub enum Registered {
    /// A model's table.
    Table(fn() -> Table),
    /// A Rust enum's type.
    EnumType(fn() -> EnumType),
}

inventory::collect!(Registered);

impl MetaData {
    /// Every model and enum that a derive macro registered in this binary, sorted by schema, name and place.
    ///
    /// A crate whose models nothing refers to may be left out by the linker; name one of its items in that case.
    pub fn registered() -> Self {
        let mut metadata = Self::new();
        for it in inventory::iter::<Registered> {
            match it {
                Registered::Table(table) => metadata = metadata.table(table()),
                Registered::EnumType(ty) => metadata.add_enum(ty()),
            }
        }
        metadata
            .tables
            .sort_by(|a, b| (&a.schema, &a.name, &a.place).cmp(&(&b.schema, &b.name, &b.place)));
        metadata
            .enums
            .sort_by(|a, b| (&a.schema, &a.name, &a.place).cmp(&(&b.schema, &b.name, &b.place)));
        metadata.place = Some("the registered models".into());
        metadata
    }
}
