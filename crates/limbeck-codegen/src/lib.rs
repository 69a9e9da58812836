//! Rust models written from metadata, as a person would write them: `#[derive(Table)]` and `#[derive(PgEnum)]` where
//! they can say it, builder calls for the rest.
//!
//! ```
//! use limbeck_metadata::{Column, MetaData, Table};
//!
//! let account = Table::new("account")
//!     .column(Column::new("id", "bigint").identity())
//!     .column(Column::new("e-mail", "varchar(80)"))
//!     .primary_key(["id"]);
//! let text = limbeck_codegen::rust(&MetaData::new().table(account), &"public".into());
//! assert!(text.contains(
//!     r#"
//! #[derive(Table)]
//! pub struct Account {
//!     #[column(primary_key, identity)]
//!     pub id: i64,
//!     #[column(name = "e-mail", length = 80)]
//!     pub e_mail: Option<String>,
//! }
//! "#
//! ));
//! ```

mod builders;
mod enums;
mod item;
mod names;
mod parts;
mod tables;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use limbeck_metadata::{MetaData, NamingConvention};
use limbeck_schema::Ident;

use crate::names::Names;

/// What stands before the models.
const HEAD: &str =
    "//! Models of a PostgreSQL database, as `limbeck inspect --format rust` wrote them.\n";

/// A file of Rust models that declares what the metadata declares: a struct for each table, an enum for each enum type,
/// and a function `metadata` with all of it and with what the derives cannot say. `default_schema` is where types
/// without a schema are.
///
/// The names of Rust are made of PostgreSQL's by the customs of Rust; where that changes one, the attribute has the
/// original. Types of the crates chrono, uuid, `rust_decimal` and `serde_json` stand for PostgreSQL's; the head of the file
/// says which features of `limbeck` that takes. The text is formatted as rustfmt formats it.
pub fn rust(metadata: &MetaData, default_schema: &Ident) -> String {
    let names = Names::new(metadata, default_schema);
    let mut file = File {
        metadata,
        default_schema,
        names,
        uses: BTreeMap::new(),
        features: BTreeSet::new(),
    };
    let models = file.models();
    let function = file.function();
    let mut acc = HEAD.to_owned();
    if !file.features.is_empty() {
        let features: Vec<_> = file.features.iter().map(|it| format!("`{it}`")).collect();
        acc.push_str(&format!(
            "//!\n//! They need of the crate `limbeck` the features {}.\n",
            features.join(", ")
        ));
    }
    acc.push('\n');
    acc.push_str(&file.imports());
    acc.push_str(&models);
    acc.push_str(&function);
    acc
}

/// What is known while a file is written.
struct File<'a> {
    metadata: &'a MetaData,
    default_schema: &'a Ident,
    names: Names,
    /// What is used of each crate or module.
    uses: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Features of `limbeck` that teach the types of other crates.
    features: BTreeSet<&'static str>,
}

impl File<'_> {
    fn uses(&mut self, module: &'static str, name: &'static str) {
        self.uses.entry(module).or_default().insert(name);
    }

    /// The structs and enums.
    fn models(&mut self) -> String {
        let mut acc = String::new();
        for ty in &self.metadata.enums {
            acc.push_str(&self.enum_type(ty).unwrap_or_default());
        }
        for table in &self.metadata.tables {
            acc.push_str(&self.table(table));
        }
        acc
    }

    /// The function that gives all of it.
    fn function(&mut self) -> String {
        let metadata = self.metadata;
        self.uses("limbeck", "MetaData");
        let mut calls: Vec<String> = Vec::new();
        if metadata.naming_convention == Some(NamingConvention::postgresql()) {
            self.uses("limbeck", "NamingConvention");
            calls.push("naming_convention(NamingConvention::postgresql())".to_owned());
        }
        calls.extend(self.objects());
        for ty in &metadata.enums {
            if let Some(name) = self.names.enum_type(ty) {
                calls.push(format!("pg_enum::<{name}>()"));
            }
        }
        for table in &metadata.tables {
            let name = self.names.model(table).to_owned();
            let more = self.more(table);
            calls.push(if more.is_empty() {
                format!("model::<{name}>()")
            } else {
                self.uses("limbeck", "Model");
                item::call("table", &format!("{name}::table()"), &more, 2)
            });
        }
        let body = item::chain("MetaData::new()", &calls, 1);
        format!(
            "\n/// Everything that the database holds.\npub fn metadata() -> MetaData {{\n    {body}\n}}\n"
        )
    }

    fn imports(&self) -> String {
        let mut acc = String::new();
        for (module, names) in &self.uses {
            let names: Vec<_> = names.iter().copied().collect();
            let line = match names.as_slice() {
                [only] => format!("use {module}::{only};\n"),
                several => format!("use {module}::{{{}}};\n", several.join(", ")),
            };
            if line.len() <= item::WIDTH + 1 {
                acc.push_str(&line);
                continue;
            }
            acc.push_str(&format!("use {module}::{{\n"));
            let mut row = String::from("   ");
            for name in &names {
                if row.len() + name.len() + 2 > item::WIDTH {
                    acc.push_str(&row);
                    acc.push('\n');
                    row = String::from("   ");
                }
                row.push_str(&format!(" {name},"));
            }
            acc.push_str(&format!("{row}\n}};\n"));
        }
        acc
    }
}
