//! Names as PostgreSQL stores them. Quoting happens in `Display`, here and nowhere else.

use std::borrow::Borrow;
use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// PostgreSQL keeps this many bytes of an identifier: `NAMEDATALEN` is 64 and one byte ends the string.
pub const MAX_IDENTIFIER_BYTES: usize = 64 - 1;

/// Keywords of PostgreSQL 13 to 18 that are not unreserved, sorted. An identifier equal to one of them is quoted, as
/// `quote_ident` does (PostgreSQL documentation, appendix "SQL Key Words").
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "json",
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_object",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "merge_action",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// Names of types in `pg_catalog` that a type of somebody's own may have too, sorted (`pg_type.typname`).
const CATALOG_TYPES: &[&str] = &[
    "any",
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cid",
    "cidr",
    "circle",
    "date",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int4range",
    "int8",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "numrange",
    "oid",
    "path",
    "point",
    "polygon",
    "record",
    "text",
    "tid",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "trigger",
    "tsquery",
    "tsrange",
    "tstzrange",
    "tsvector",
    "unknown",
    "uuid",
    "varbit",
    "varchar",
    "void",
    "xid",
    "xid8",
    "xml",
];

/// An SQL identifier, exactly as the catalog stores it; prints quoted where PostgreSQL needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ident(Arc<str>);

impl Ident {
    /// Takes a name as PostgreSQL stores it: unquoted, case kept.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The bare name. It is for comparison and messages, never for SQL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads one identifier as SQL spells it: unquoted ones are folded to lower case, quoted ones are kept.
    /// `None` if the text is not one identifier.
    pub fn parse(sql: &str) -> Option<Self> {
        let (ident, rest) = parse_ident(sql.trim())?;
        rest.is_empty().then_some(ident)
    }

    fn is_plain(&self) -> bool {
        let mut bytes = self.0.bytes();
        bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && KEYWORDS.binary_search(&self.as_str()).is_err()
    }
}

impl Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_plain() {
            return f.write_str(&self.0);
        }
        write_quoted(f, &self.0, '"')
    }
}

impl Borrow<str> for Ident {
    /// For looking one up in a set by its bare name; the order is that of the text.
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Ident {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Ident {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for c in text.chars() {
        if c == quote {
            f.write_char(quote)?;
        }
        f.write_char(c)?;
    }
    f.write_char(quote)
}

/// Reads one identifier from the front of an SQL text; gives it and the rest.
pub(crate) fn parse_ident(sql: &str) -> Option<(Ident, &str)> {
    let token = limbeck_sql::tokens(sql).next().filter(|it| it.closed)?;
    let ident = token.ident().filter(|it| !it.is_empty())?;
    Some((Ident::from(ident.into_owned()), &sql[token.end()..]))
}

/// A name with its schema; `schema: None` is the default schema, which is `current_schema()` of the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The schema, `None` for the default one.
    pub schema: Option<Ident>,
    /// The name inside the schema.
    pub name: Ident,
}

impl Name {
    /// A name in the default schema.
    pub fn plain(name: impl Into<Ident>) -> Self {
        Self {
            schema: None,
            name: name.into(),
        }
    }

    /// A name in a schema.
    pub fn qualified(schema: Option<Ident>, name: impl Into<Ident>) -> Self {
        Self {
            schema,
            name: name.into(),
        }
    }

    /// Reads `name` or `schema.name` as SQL spells it; `None` if the text is neither.
    pub fn parse(sql: &str) -> Option<Self> {
        let (first, rest) = parse_ident(sql.trim())?;
        match rest.strip_prefix('.') {
            Some(rest) => Some(Self {
                schema: Some(first),
                name: Ident::parse(rest)?,
            }),
            None => rest.is_empty().then_some(Self {
                schema: None,
                name: first,
            }),
        }
    }

    /// The same name with the default schema left out, or put in where PostgreSQL would otherwise find a relation of
    /// its own: `pg_catalog` is searched first, and all its relations begin with `pg_`.
    pub fn in_default(self, default_schema: &Ident) -> Self {
        let hidden = self.name.as_str().starts_with("pg_");
        self.shown(default_schema, hidden)
    }

    /// As `in_default`, for the name of a type: those of PostgreSQL's own types hide others.
    pub fn type_in_default(self, default_schema: &Ident) -> Self {
        let hidden = CATALOG_TYPES.binary_search(&self.name.as_str()).is_ok();
        self.shown(default_schema, hidden)
    }

    /// The name of the place that it holds. Relations and types have the default schema put in under different
    /// conditions, so where either may have it, nobody looks at the schema.
    pub fn place(self) -> Self {
        let name = self.name.as_str();
        let is_hidden = name.starts_with("pg_") || CATALOG_TYPES.binary_search(&name).is_ok();
        Self {
            schema: self.schema.filter(|_| !is_hidden),
            ..self
        }
    }

    fn shown(self, default_schema: &Ident, hidden: bool) -> Self {
        let schema = match self.schema {
            None if hidden => Some(default_schema.clone()),
            Some(it) if it == *default_schema && !hidden => None,
            it => it,
        };
        Self { schema, ..self }
    }

    /// Another name in the same schema.
    pub fn sibling(&self, name: Ident) -> Self {
        Self {
            schema: self.schema.clone(),
            name,
        }
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}", self.name)
    }
}

/// A string literal; `Display` quotes it so that it reads back the same whatever `standard_conforming_strings` says.
#[derive(Clone, Copy, Debug)]
pub struct Literal<'a>(pub &'a str);

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.contains('\\') {
            return write_quoted(f, self.0, '\'');
        }
        f.write_str("E'")?;
        for c in self.0.chars() {
            if matches!(c, '\'' | '\\') {
                f.write_char(c)?;
            }
            f.write_char(c)?;
        }
        f.write_char('\'')
    }
}

/// Names as a list, `a, b`.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T>(pub &'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, it) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{it}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stored: &str, printed: &str) {
        let ident = Ident::new(stored);
        assert_eq!(ident.to_string(), printed);
        assert_eq!(Ident::parse(printed), Some(ident));
    }

    #[test]
    fn identifiers_are_quoted_only_where_needed() {
        check("account", "account");
        check("_a1", "_a1");
        check("User", "\"User\"");
        check("user", "\"user\"");
        check("with space", "\"with space\"");
        check("quo\"te", "\"quo\"\"te\"");
        check("größe", "\"größe\"");
        check("1st", "\"1st\"");
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn literals_escape_quotes_and_backslashes() {
        assert_eq!(Literal("it's").to_string(), "'it''s'");
        assert_eq!(Literal("a\\b'").to_string(), "E'a\\\\b'''");
    }

    #[test]
    fn qualified_names_are_read_as_sql_spells_them() {
        assert_eq!(
            Name::parse("Audit.\"Log\""),
            Some(Name::qualified(Some("audit".into()), "Log"))
        );
        assert_eq!(Name::parse("a.b.c"), None);
        assert_eq!(Name::parse(""), None);
    }
}
