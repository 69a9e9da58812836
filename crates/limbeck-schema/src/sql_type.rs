//! Column types: identity is what `format_type` prints, so every spelling is brought to that text.

use std::fmt::{self, Display};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::expr::{Token, tokens};
use crate::ident::{Ident, Name};
use crate::variables::{Piece, PieceKind, pieces};

/// A column type by its `format_type` text, for example `character varying(50)`, `integer[]`, `audit.status`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlType {
    text: Arc<str>,
}

impl Serialize for SqlType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Aliases of built-in types (PostgreSQL documentation, table "Data Types") and the text `format_type` gives them.
const ALIASES: &[(&str, &str)] = &[
    ("int", "integer"),
    ("int4", "integer"),
    ("int2", "smallint"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("bool", "boolean"),
    ("varchar", "character varying"),
    ("char varying", "character varying"),
    ("national character varying", "character varying"),
    ("national char varying", "character varying"),
    ("nchar varying", "character varying"),
    ("char", "character"),
    ("nchar", "character"),
    ("national character", "character"),
    ("national char", "character"),
    ("decimal", "numeric"),
    ("dec", "numeric"),
    ("varbit", "bit varying"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
];

/// Built-in types as `format_type` names them; any other name is somebody's own type.
const BUILT_IN: &[&str] = &[
    "\"char\"",
    "aclitem",
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "box",
    "bpchar",
    "bytea",
    "character",
    "character varying",
    "cid",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "double precision",
    "gtsvector",
    "inet",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "integer",
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
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "real",
    "refcursor",
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "smallint",
    "text",
    "tid",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "uuid",
    "xid",
    "xid8",
    "xml",
];

impl SqlType {
    /// Takes the text that `format_type(atttypid, atttypmod)` gave.
    pub fn from_catalog(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into() }
    }

    /// Reads a declared type in any spelling. Built-in types come out as `format_type` prints them; other names keep
    /// their modifiers as written. `None` if the text cannot be a type.
    pub fn parse(sql: &str, default_schema: &Ident) -> Option<Self> {
        let parts = Parts::read(sql)?;
        Some(Self {
            text: Arc::from(parts.canonical(default_schema)?),
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text without array brackets.
    pub fn element(&self) -> &str {
        self.text.trim_end_matches("[]")
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.text.ends_with("[]")
    }

    /// The type's name without modifiers and brackets: `timestamp with time zone` for `timestamp(3) with time zone[]`.
    pub fn base(&self) -> String {
        let element = self.element();
        match (element.find('('), element.find(')')) {
            (Some(open), Some(close)) if open < close && !element.starts_with('"') => {
                format!("{}{}", element[..open].trim_end(), &element[close + 1..])
            }
            _ if element.starts_with("interval ") => "interval".into(),
            _ => element.into(),
        }
    }

    /// The numbers among the modifiers: `[10, 2]` of `numeric(10,2)`; none where there are none, or other words.
    pub(crate) fn modifiers(&self) -> Vec<i64> {
        let element = self.element();
        let inside = (element.find('(')).zip(element.find(')'));
        inside
            .filter(|(open, close)| open < close && !element.starts_with('"'))
            .and_then(|(open, close)| {
                let numbers = element[open + 1..close].split(',');
                numbers.map(|it| it.trim().parse().ok()).collect()
            })
            .unwrap_or_default()
    }

    /// What follows `interval`, without the precision: `hour to minute`.
    pub(crate) fn interval_fields(&self) -> &str {
        let rest = self.element().strip_prefix("interval").unwrap_or_default();
        rest.split('(').next().unwrap_or_default().trim()
    }

    /// The name of the user-defined type that this is or whose array this is; `None` for built-in types.
    pub fn user_defined(&self) -> Option<Name> {
        let base = self.base();
        if BUILT_IN.binary_search(&base.as_str()).is_ok() || base.starts_with("interval") {
            return None;
        }
        Name::parse(&base)
    }
}

/// Whether a word is the name of a built-in type, or begins one.
pub(crate) fn is_built_in(word: &Ident) -> bool {
    let word = word.as_str();
    BUILT_IN.binary_search(&word).is_ok() || ALIASES.iter().any(|(alias, _)| *alias == word)
}

/// A type taken apart as its grammar has it: words, modifiers, what follows them, array brackets.
struct Parts {
    words: Vec<String>,
    modifiers: Option<Vec<String>>,
    tail: Vec<String>,
    array: bool,
}

impl Parts {
    fn read(sql: &str) -> Option<Self> {
        let found = tokens(sql);
        let mut parts = Self {
            words: Vec::new(),
            modifiers: None,
            tail: Vec::new(),
            array: false,
        };
        let mut at = 0;
        while at < found.len() {
            match &found[at] {
                Token::Word(word) if word.as_str() == "array" && !parts.words.is_empty() => {
                    parts.array = true
                }
                Token::Word(word) => {
                    let text = word.to_string();
                    // A keyword such as `interval` or `character` is part of the grammar here and is never quoted.
                    let text = if text.trim_matches('"') == word.as_str() && !sql.contains('"') {
                        word.as_str().into()
                    } else {
                        text
                    };
                    if parts.modifiers.is_some() {
                        parts.tail.push(text)
                    } else {
                        parts.words.push(text)
                    }
                }
                Token::Mark("(") => {
                    let close = found[at..].iter().position(|it| *it == Token::Mark(")"))? + at;
                    parts.modifiers = Some(read_modifiers(sql)?);
                    at = close;
                }
                Token::Mark("[") => {
                    let close = found[at..].iter().position(|it| *it == Token::Mark("]"))? + at;
                    parts.array = true;
                    at = close;
                }
                Token::Mark(".") => parts.words.push(".".into()),
                Token::Mark(quoted) if quoted.starts_with('"') => {
                    parts.words.push((*quoted).into())
                }
                Token::Mark("%") | Token::Mark(_) | Token::Text(_) => return None,
            }
            at += 1;
        }
        (!parts.words.is_empty()).then_some(parts)
    }

    fn canonical(&self, default_schema: &Ident) -> Option<String> {
        let mut words = self.words.as_slice();
        if words.len() > 2 && words[0] == "pg_catalog" && words[1] == "." {
            words = &words[2..];
        }
        let brackets = if self.array { "[]" } else { "" };
        if words.iter().any(|it| it == ".") {
            let name = Name::parse(&words.concat())?.type_in_default(default_schema);
            return Some(format!("{name}{}{brackets}", self.modifier_text()));
        }
        let spelled = [words, &self.tail].concat().join(" ");
        if let Some(fields) = spelled.strip_prefix("interval") {
            let fields = fields.trim();
            let space = if fields.is_empty() { "" } else { " " };
            return Some(format!(
                "interval{space}{fields}{}{brackets}",
                self.modifier_text()
            ));
        }
        if spelled == "float" {
            let digits = self
                .modifiers
                .as_ref()
                .map_or(Ok(53), |it| it.concat().parse::<u32>())
                .ok()?;
            return Some(format!(
                "{}{brackets}",
                if digits <= 24 {
                    "real"
                } else {
                    "double precision"
                }
            ));
        }
        let base = ALIASES
            .iter()
            .find(|(alias, _)| *alias == spelled)
            .map_or(spelled.as_str(), |(_, name)| name);
        if BUILT_IN.binary_search(&base).is_err() {
            let name = if words.len() == 1 {
                Name::parse(&words[0])?.to_string()
            } else {
                spelled.clone()
            };
            return Some(format!("{name}{}{brackets}", self.modifier_text()));
        }
        let modifiers = match (base, &self.modifiers) {
            ("character" | "bit", None) => "(1)".into(),
            ("numeric", Some(it)) if it.len() == 1 => format!("({},0)", it[0]),
            _ => self.modifier_text(),
        };
        // The precision of times stands before `with time zone`.
        Some(match base.split_once(' ') {
            Some((kind @ ("timestamp" | "time"), zone)) => {
                format!("{kind}{modifiers} {zone}{brackets}")
            }
            _ => format!("{base}{modifiers}{brackets}"),
        })
    }

    fn modifier_text(&self) -> String {
        self.modifiers
            .as_ref()
            .map_or_else(String::new, |it| format!("({})", it.join(",")))
    }
}

/// The modifiers as they are written, but for white space and comments: to a type's own function they are texts, whose
/// case it may keep (`geometry(MultiPolygon,4326)`).
fn read_modifiers(sql: &str) -> Option<Vec<String>> {
    let is = |it: &Piece<'_>, mark: &str| it.kind == PieceKind::Symbol && it.text == mark;
    let mut all = pieces(sql).skip_while(|it| !is(it, "("));
    all.next()?;
    let mut acc = vec![String::new()];
    for piece in all {
        match piece.kind {
            _ if is(&piece, ")") => return Some(acc),
            _ if is(&piece, ",") => acc.push(String::new()),
            PieceKind::Space | PieceKind::Comment => {}
            _ => acc
                .last_mut()
                .into_iter()
                .for_each(|last| last.push_str(piece.text)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spelled: &str, text: &str) {
        let public = Ident::new("public");
        let ty = SqlType::parse(spelled, &public).unwrap();
        assert_eq!(ty.as_str(), text);
        assert_eq!(
            SqlType::parse(text, &public).unwrap().as_str(),
            text,
            "the canonical text is a fixed point"
        );
    }

    #[test]
    fn every_spelling_of_a_built_in_type_has_one_text() {
        check("int4", "integer");
        check("INT", "integer");
        check("float", "double precision");
        check("FLOAT(24)", "real");
        check("varchar(50)", "character varying(50)");
        check("character varying ( 100000 )", "character varying(100000)");
        check("char", "character(1)");
        check("\"char\"", "\"char\"");
        check("bpchar", "bpchar");
        check("decimal(10, 2)", "numeric(10,2)");
        check("numeric(5)", "numeric(5,0)");
        check("numeric(5,-2)", "numeric(5,-2)");
        check("timestamptz(3)", "timestamp(3) with time zone");
        check("timestamp", "timestamp without time zone");
        check("time(2) with time zone", "time(2) with time zone");
        check("varchar(10)[]", "character varying(10)[]");
        check("int[3][]", "integer[]");
        check("text array", "text[]");
        check("interval day to second(2)", "interval day to second(2)");
        check("interval(3)", "interval(3)");
        check("bit", "bit(1)");
        check("varbit(5)", "bit varying(5)");
        check("pg_catalog.int4", "integer");
    }

    #[test]
    fn user_types_keep_their_name_and_lose_the_default_schema() {
        check("status", "status");
        check("public.status[]", "status[]");
        check("audit.\"Status\"", "audit.\"Status\"");
        check(
            "geometry( MultiPolygon, 4326 )",
            "geometry(MultiPolygon,4326)",
        );
        check("halfvec(3 /* why */)[]", "halfvec(3)[]");
        check("audit.kind(\"A,b\",'It''s')", "audit.kind(\"A,b\",'It''s')");
        check("\"user\"", "\"user\"");
    }

    #[test]
    fn the_base_and_the_user_defined_name_are_told() {
        let ty = |it| SqlType::from_catalog(it);
        assert_eq!(
            ty("timestamp(3) with time zone[]").base(),
            "timestamp with time zone"
        );
        assert_eq!(ty("timestamp(3) with time zone").user_defined(), None);
        assert_eq!(ty("interval day to second(2)").user_defined(), None);
        assert_eq!(
            ty("audit.\"Status\"[]").user_defined(),
            Some(Name::qualified(Some("audit".into()), "Status"))
        );
        assert_eq!(ty("status").user_defined(), Some(Name::plain("status")));
    }
}
