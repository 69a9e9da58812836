//! Names of Rust made of PostgreSQL's: by the customs of Rust, each once, no keyword among them.

use std::collections::{BTreeMap, BTreeSet};

use heck::{ToSnakeCase, ToUpperCamelCase};
use limbeck_metadata::{EnumType, MetaData, Table};
use limbeck_schema::{Ident, Name};

/// Keywords that can stand for a name as `r#type`.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Keywords that cannot.
const NEVER: &[&str] = &["self", "super", "crate", "Self", "_"];

/// Types that the file names, or that every file has.
const TAKEN: &[&str] = &[
    "Attribute",
    "Box",
    "Check",
    "Collation",
    "Column",
    "CompositeType",
    "DateTime",
    "Decimal",
    "Default",
    "Domain",
    "DomainCheck",
    "Drop",
    "Duration",
    "Element",
    "EnumType",
    "Err",
    "Exclusion",
    "Fn",
    "ForeignKey",
    "Index",
    "IpAddr",
    "Iterator",
    "MetaData",
    "Model",
    "NaiveDate",
    "NaiveDateTime",
    "NaiveTime",
    "Namespace",
    "NamingConvention",
    "None",
    "Ok",
    "Option",
    "OwnedBy",
    "PgEnum",
    "PrimaryKey",
    "Provider",
    "RangeType",
    "References",
    "Result",
    "Self",
    "Send",
    "Sequence",
    "Some",
    "String",
    "Sync",
    "Table",
    "Unique",
    "Utc",
    "Uuid",
    "Value",
    "Vec",
];

/// The Rust names of everything in metadata.
pub(crate) struct Names {
    default_schema: Ident,
    models: BTreeMap<Name, String>,
    enums: BTreeMap<Name, String>,
    /// The fields of each table, by column.
    fields: BTreeMap<Name, BTreeMap<Ident, String>>,
}

impl Names {
    pub(crate) fn new(metadata: &MetaData, default_schema: &Ident) -> Self {
        let mut it = Self {
            default_schema: default_schema.clone(),
            models: BTreeMap::new(),
            enums: BTreeMap::new(),
            fields: BTreeMap::new(),
        };
        let mut taken: BTreeSet<String> = TAKEN.iter().map(|it| (*it).to_owned()).collect();
        // Tables first: an enum that is named like one gets the longer name.
        for table in &metadata.tables {
            let name = it.resolve(table.schema.as_ref(), &table.name);
            let rust = type_name(&name, "Table", &mut taken);
            it.models.insert(name.clone(), rust);
            let mut taken = BTreeSet::new();
            // A column whose name can stay gets it before another one does.
            let (mut columns, changed): (Vec<_>, Vec<_>) = table
                .columns
                .iter()
                .map(|it| &it.name)
                .partition(|it| stays(it.as_str()));
            columns.extend(changed);
            let fields = columns.into_iter().map(|column| {
                let field = field_name(column.as_str(), &mut taken);
                (column.clone(), field)
            });
            it.fields.insert(name, fields.collect());
        }
        for ty in metadata.enums.iter().filter(|it| is_rust_enum(it)) {
            let name = it.resolve(ty.schema.as_ref(), &ty.name);
            let rust = type_name(&name, "Enum", &mut taken);
            it.enums.insert(name, rust);
        }
        it
    }

    /// A name without the default schema.
    pub(crate) fn resolve(&self, schema: Option<&Ident>, name: &Ident) -> Name {
        Name::qualified(schema.cloned(), name.clone()).in_default(&self.default_schema)
    }

    /// The struct of a table.
    pub(crate) fn model(&self, table: &Table) -> &str {
        let name = self.resolve(table.schema.as_ref(), &table.name);
        self.model_of(&name).unwrap_or_default()
    }

    /// The struct of the table of a name.
    pub(crate) fn model_of(&self, table: &Name) -> Option<&str> {
        self.models.get(table).map(String::as_str)
    }

    /// The enum of an enum type, if a Rust enum can be it.
    pub(crate) fn enum_type(&self, ty: &EnumType) -> Option<&str> {
        self.enum_of(&self.resolve(ty.schema.as_ref(), &ty.name))
    }

    /// The enum of the enum type of a name.
    pub(crate) fn enum_of(&self, name: &Name) -> Option<&str> {
        self.enums.get(name).map(String::as_str)
    }

    /// The field of a column; none if the column is inherited.
    pub(crate) fn field(&self, table: &Name, column: &Ident) -> Option<&str> {
        let fields = self.fields.get(table)?;
        fields.get(column).map(String::as_str)
    }

    /// The fields of columns; none if one is inherited.
    pub(crate) fn fields(&self, table: &Name, columns: &[Ident]) -> Option<Vec<String>> {
        let field = |it| self.field(table, it).map(str::to_owned);
        columns.iter().map(field).collect()
    }
}

/// Whether a Rust enum can have these labels: at least one, and none of them empty.
fn is_rust_enum(ty: &EnumType) -> bool {
    !ty.labels.is_empty() && ty.labels.iter().all(|it| !it.is_empty())
}

/// A name of a type that nothing else has: with its schema where that tells it from others, else with a number. The
/// derive makes a type `…Columns` beside each struct.
fn type_name(name: &Name, suffix: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = word(&name.name.as_str().to_upper_camel_case(), "T");
    let schema = name.schema.as_ref().map_or("", Ident::as_str);
    let choices = [
        plain.clone(),
        word(
            &format!("{schema}_{}", name.name.as_str()).to_upper_camel_case(),
            "T",
        ),
        format!("{plain}{suffix}"),
    ];
    let numbered = (2..).map(|number| format!("{plain}{suffix}{number}"));
    let is_free = |it: &String| !taken.contains(it) && !taken.contains(&format!("{it}Columns"));
    let chosen = choices.into_iter().chain(numbered).find(is_free);
    let chosen = chosen.unwrap_or(plain);
    taken.insert(chosen.clone());
    taken.insert(format!("{chosen}Columns"));
    chosen
}

/// Whether a column's name is made of the characters that fields are made of.
fn stays(column: &str) -> bool {
    let custom = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    column.chars().all(custom)
}

fn field_name(column: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = if stays(column) {
        word(column, "c")
    } else {
        word(&column.to_snake_case(), "c")
    };
    let numbered = (2..).map(|number| format!("{plain}_{number}"));
    let mut choices = std::iter::once(plain.clone()).chain(numbered);
    let chosen = choices.find(|it| !taken.contains(it)).unwrap_or(plain);
    taken.insert(chosen.clone());
    escaped(&chosen)
}

/// The variants of labels.
pub(crate) fn variants(labels: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let variant = |label: &String| {
        let plain = word(&label.to_upper_camel_case(), "V");
        let numbered = (2..).map(|number| format!("{plain}{number}"));
        let mut choices = std::iter::once(plain.clone()).chain(numbered);
        let chosen = choices.find(|it| !taken.contains(it)).unwrap_or(plain);
        taken.insert(chosen.clone());
        chosen
    };
    labels.iter().map(variant).collect()
}

/// A name of the characters that names of Rust have; `first` stands before one that does not begin like a name.
fn word(text: &str, first: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|it| unicode_ident::is_xid_continue(*it))
        .collect();
    let begins = |it: char| unicode_ident::is_xid_start(it) || it == '_';
    let named = if kept.starts_with(begins) && kept.chars().any(|it| it != '_') {
        kept
    } else {
        format!("{first}{kept}")
    };
    if NEVER.contains(&named.as_str()) {
        format!("{named}_")
    } else {
        named
    }
}

fn escaped(name: &str) -> String {
    if KEYWORDS.contains(&name) {
        format!("r#{name}")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_customary_escaped_and_told_apart() {
        let mut taken = BTreeSet::new();
        let mut check = |column: &str, expected: &str| {
            assert_eq!(field_name(column, &mut taken), expected, "{column}");
        };
        check("id", "id");
        check("type", "r#type");
        check("self", "self_");
        check("createdAt", "created_at");
        check("created_at", "created_at_2");
        check("e-mail", "e_mail");
        check("2nd", "c2nd");
        check("!?", "c");
        check("Größe", "größe");
        check("_id", "_id");
    }

    #[test]
    fn types_are_told_apart_by_their_schemas_and_from_those_of_rust() {
        let mut taken: BTreeSet<String> = TAKEN.iter().map(|it| (*it).to_owned()).collect();
        let mut check = |schema: Option<&str>, name: &str, expected: &str| {
            let name = Name::qualified(schema.map(Ident::new), Ident::new(name));
            assert_eq!(type_name(&name, "Table", &mut taken), expected);
        };
        check(None, "user_account", "UserAccount");
        check(Some("audit"), "user_account", "AuditUserAccount");
        check(None, "UserAccount", "UserAccountTable");
        check(None, "option", "OptionTable");
        check(None, "user_account_columns", "UserAccountColumnsTable");
        check(None, "7", "T7");
    }
}
