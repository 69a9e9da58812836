//! The Rust type of a column, and what its attribute has to say of the SQL type.

use limbeck_metadata::Column;
use limbeck_schema::{Name, SqlType};

use crate::File;
use crate::item::Item;

/// Which modifiers a Rust type's SQL type can take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Modifiers {
    None,
    /// `length = n`, which makes `varchar` of `text`; without it the type is said.
    Length,
    /// `precision = n`.
    Precision,
    /// `precision = n, scale = n`.
    Scale,
}

/// A Rust type, without what may hold it.
struct Found {
    rust: String,
    /// The module to name, and what of it.
    uses: &'static [(&'static str, &'static str)],
    feature: Option<&'static str>,
    modifiers: Modifiers,
    /// Whether the SQL type has to be said.
    said: bool,
}

impl Found {
    fn plain(rust: impl Into<String>) -> Self {
        Self {
            rust: rust.into(),
            uses: &[],
            feature: None,
            modifiers: Modifiers::None,
            said: false,
        }
    }

    /// A type of which only the text is known.
    fn text() -> Self {
        Self {
            said: true,
            ..Self::plain("String")
        }
    }

    fn of(
        rust: &str,
        uses: &'static [(&'static str, &'static str)],
        feature: Option<&'static str>,
        modifiers: Modifiers,
    ) -> Self {
        Self {
            uses,
            feature,
            modifiers,
            ..Self::plain(rust)
        }
    }
}

/// The Rust type of a built-in type; the guide's table of types the other way round.
fn built_in(base: &str) -> Found {
    use Modifiers::{Length, Precision, Scale};
    match base {
        "boolean" => Found::plain("bool"),
        "\"char\"" => Found::plain("i8"),
        "smallint" => Found::plain("i16"),
        "integer" => Found::plain("i32"),
        "bigint" => Found::plain("i64"),
        "real" => Found::plain("f32"),
        "double precision" => Found::plain("f64"),
        "text" => Found::plain("String"),
        "character varying" => Found::of("String", &[], None, Length),
        "bytea" => Found::plain("Vec<u8>"),
        "inet" => Found::of("IpAddr", &[("std::net", "IpAddr")], None, Modifiers::None),
        "interval" => Found::of("Duration", &[("std::time", "Duration")], None, Precision),
        "date" => Found::of(
            "NaiveDate",
            &[("chrono", "NaiveDate")],
            Some("chrono"),
            Modifiers::None,
        ),
        "time without time zone" => Found::of(
            "NaiveTime",
            &[("chrono", "NaiveTime")],
            Some("chrono"),
            Precision,
        ),
        "timestamp without time zone" => Found::of(
            "NaiveDateTime",
            &[("chrono", "NaiveDateTime")],
            Some("chrono"),
            Precision,
        ),
        "timestamp with time zone" => {
            let uses = &[("chrono", "DateTime"), ("chrono", "Utc")];
            Found::of("DateTime<Utc>", uses, Some("chrono"), Precision)
        }
        "numeric" => Found::of(
            "Decimal",
            &[("rust_decimal", "Decimal")],
            Some("rust_decimal"),
            Scale,
        ),
        "uuid" => Found::of("Uuid", &[("uuid", "Uuid")], Some("uuid"), Modifiers::None),
        "jsonb" => Found::of(
            "Value",
            &[("serde_json", "Value")],
            Some("json"),
            Modifiers::None,
        ),
        "json" => Found {
            said: true,
            ..Found::of(
                "Value",
                &[("serde_json", "Value")],
                Some("json"),
                Modifiers::None,
            )
        },
        _ => Found::text(),
    }
}

impl File<'_> {
    /// The type of a column's field, and the items of its attribute that say the SQL type.
    pub(crate) fn field_type(&mut self, column: &Column, is_null: bool) -> (String, Vec<Item>) {
        let parsed = SqlType::parse(&column.ty, self.default_schema);
        let is_array = parsed.as_ref().is_some_and(SqlType::is_array);
        let mut found = parsed
            .as_ref()
            .map_or_else(Found::text, |it| self.found(it));
        let modifiers = parsed.as_ref().map_or_else(Vec::new, modifiers);
        let mut items = Vec::new();
        if !found.said {
            match (found.modifiers, modifiers.as_slice()) {
                (Modifiers::None | Modifiers::Precision | Modifiers::Scale, []) => {}
                (Modifiers::Length, [n]) => items.push(Item::leaf(format!("length = {n}"))),
                (Modifiers::Precision, [n]) => items.push(Item::leaf(format!("precision = {n}"))),
                (Modifiers::Scale, [n, scale]) => {
                    items.push(Item::leaf(format!("precision = {n}")));
                    items.push(Item::leaf(format!("scale = {scale}")));
                }
                _ => found.said = true,
            }
        }
        if found.said {
            items.push(Item::text("sql_type", &column.ty));
        }
        for (module, name) in found.uses {
            self.uses(module, name);
        }
        self.features.extend(found.feature);
        let rust = if is_array {
            format!("Vec<{}>", found.rust)
        } else {
            found.rust
        };
        let rust = if is_null {
            format!("Option<{rust}>")
        } else {
            rust
        };
        (rust, items)
    }

    fn found(&self, ty: &SqlType) -> Found {
        let Some(name) = ty.user_defined() else {
            let base = ty.base();
            // `interval day to second` has fields, which no attribute says.
            let has_fields = base == "interval" && ty.element().starts_with("interval ");
            return if has_fields {
                Found::text()
            } else {
                built_in(&base)
            };
        };
        let name = name.in_default(self.default_schema);
        if let Some(rust) = self.names.enum_of(&name) {
            return Found::plain(rust);
        }
        Found {
            said: true,
            ..self
                .below(&name)
                .map_or_else(Found::text, |base| self.found(&base))
        }
    }

    /// What a domain stands on.
    fn below(&self, name: &Name) -> Option<SqlType> {
        let mut domains = self.metadata.domains.iter();
        let domain =
            domains.find(|it| self.names.resolve(it.schema.as_ref(), &it.name) == *name)?;
        let base = SqlType::parse(&domain.ty, self.default_schema)?;
        // A domain over an array is an array without brackets; its text is known, its elements are not.
        (!base.is_array()).then_some(base)
    }
}

/// The modifiers of a type, `10` and `2` of `numeric(10,2)`.
fn modifiers(ty: &SqlType) -> Vec<String> {
    let element = ty.element();
    if ty.user_defined().is_some() {
        return Vec::new();
    }
    let inner = element
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let split = |it: &str| it.split(',').map(|it| it.trim().to_owned()).collect();
    inner.map_or_else(Vec::new, |(inner, _)| split(inner))
}
