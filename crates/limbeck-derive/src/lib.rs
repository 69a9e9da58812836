//! Derive macros for Limbeck models: `#[derive(Table)]` on structs, `#[derive(PgEnum)]` on enums.
//!
//! The macros only call the builders of `limbeck`, so that everything a derive can say a builder can say. They are used
//! through that crate, which re-exports them; mistakes in attributes are compile errors that point at the attribute.

mod attribute;
mod column;
mod elements;
mod embed;
mod enums;
mod expand;
mod parts;
mod reference;
mod table;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Declares a table by a struct: one column a field, named by the field.
///
/// # The struct: `#[table(…)]`
///
/// - `name = "account"` (otherwise the struct's name in snake case), `schema = "app"`, `comment = "…"`, `unlogged`,
///   `with(fillfactor = 70)`, `partition_by = "RANGE (created_at)"`, `inherits("parent")`
/// - `primary_key(a, b, name = "…", include(c), deferrable, initially_deferred)`
/// - `unique(a, b, name = "…", nulls_not_distinct, include(c), deferrable, initially_deferred)`
/// - `check(name = "positive", "balance >= 0", no_inherit, not_valid)`
/// - `foreign_key(columns(a, b), references = Other(x, y), on_delete = cascade, on_delete_columns(a), on_update = …,
///   match_full, deferrable, initially_deferred, not_valid, name = "…")`; a table without a model is
///   `references = "schema.table"(x, y)`
/// - `exclude(room = "=", "tsrange(a, b)" = "&&", method = gist, where = "…", name = "…")`
/// - `index(a, b(desc, nulls = last, opclass = "…", collation = "…"), "lower(email)", unique, method = gin,
///   where = "…", include(c), nulls_not_distinct, with(fillfactor = 70), name = "…")`
/// - `unregistered`: `MetaData::registered` does not find it; `crate = path`: where `limbeck` is
///
/// Columns are written as the fields are named. Where a column has the name of an option, `columns(…)` (and for
/// exclusions `elements(…)`) holds columns only.
///
/// # Fields: `#[column(…)]`
///
/// - `name = "…"`, `skip`, `comment = "…"`, `collation = "…"`, `nullable` or `nullable = false` (otherwise `Option` says so)
/// - type: `length = 255`, `precision = 10, scale = 2`, `sql_type = "citext"`
/// - value: `default = "now()"`, `generated = "a || b"`, `identity`, `identity(always, start = 1, increment = 1, min = 1,
///   max = 9, cache = 1, cycle, sequence = "…", comment = "…")`, `serial`
/// - storage: `storage = external`, `compression = lz4`, `statistics = 500`, `with(n_distinct = 100)`
/// - constraints of this column alone: `primary_key`, `unique`, `unique(name = "…", …)`, `check(name = "…", "…")`,
///   `index`, `index(name = "…", unique, method = gin, desc, …)`, `references = Other::id` with `on_delete = cascade`,
///   `on_update = …`, `deferrable`, `initially_deferred`, `foreign_key = "name"`; `references = Other` is its primary
///   key, `references = "schema.table(id)"` a table without a model
#[proc_macro_derive(Table, attributes(table, column))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    table::Table::read(&input)
        .map(|it| expand::table(&it))
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Declares an enum type by an enum without fields: one label a variant.
///
/// `#[pg_enum(name = "status", schema = "app", rename_all = "snake_case", comment = "…")]` on the enum,
/// `#[pg_enum(rename = "…")]` on a variant. The name is the enum's in snake case, and so are the labels unless
/// `rename_all` says otherwise (`snake_case`, `lowercase`, `UPPERCASE`, `camelCase`, `PascalCase`,
/// `SCREAMING_SNAKE_CASE`, `kebab-case`, or `verbatim` for the variants' own names). Where the enum carries
/// `#[sqlx(type_name = "…", rename_all = "…")]`, that is followed, and so is sqlx's rule that variants keep their names
/// unless it says otherwise: what sqlx binds is what is declared.
#[proc_macro_derive(PgEnum, attributes(pg_enum, sqlx))]
pub fn derive_pg_enum(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    enums::PgEnum::read(&input)
        .map(|it| it.expand())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// The `.sql` files of a folder of the crate, as `&[(name, text)]` sorted by name: what `limbeck::module!` embeds.
#[proc_macro]
pub fn revision_files(input: TokenStream) -> TokenStream {
    let folder = parse_macro_input!(input as syn::LitStr);
    embed::files(&folder)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
