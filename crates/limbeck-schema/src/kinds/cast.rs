//! What PostgreSQL does when a column changes its type: which casts it applies by itself, which have to be written,
//! and which leave the rows as they are on disk (`pg_cast`, documentation of `CREATE CAST` and `ALTER TABLE`).

use std::fmt::Display;

use crate::sql_type::SqlType;

const NUMBERS: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "numeric",
];
const STRINGS: &[&str] = &[
    "text",
    "character varying",
    "character",
    "bpchar",
    "name",
    "citext",
];
const TIMES: &[&str] = &[
    "timestamp with time zone",
    "timestamp without time zone",
    "date",
];

/// Pairs with an implicit or assignment cast besides those inside the families above.
const ASSIGNED: &[(&str, &str)] = &[
    ("integer", "money"),
    ("bigint", "money"),
    ("numeric", "money"),
    ("money", "numeric"),
    ("timestamp with time zone", "time without time zone"),
    ("timestamp with time zone", "time with time zone"),
    ("timestamp without time zone", "time without time zone"),
    ("time without time zone", "time with time zone"),
    ("time with time zone", "time without time zone"),
    ("time without time zone", "interval"),
    ("interval", "time without time zone"),
    ("cidr", "inet"),
    ("inet", "cidr"),
    ("macaddr", "macaddr8"),
    ("macaddr8", "macaddr"),
    ("json", "jsonb"),
    ("jsonb", "json"),
    ("bit", "bit varying"),
    ("bit varying", "bit"),
    ("text", "\"char\""),
];

/// `oid` and its aliases (documentation, "Object Identifier Types").
fn is_oid(ty: &str) -> bool {
    matches!(
        ty,
        "oid"
            | "regclass"
            | "regcollation"
            | "regconfig"
            | "regdictionary"
            | "regnamespace"
            | "regoper"
            | "regoperator"
            | "regproc"
            | "regprocedure"
            | "regrole"
            | "regtype"
    )
}

/// Whether `ALTER COLUMN … TYPE` does it without a `USING` clause.
fn is_assigned(from: &str, to: &str) -> bool {
    let both = |family: &[&str]| family.contains(&from) && family.contains(&to);
    let whole = |it: &str| matches!(it, "integer" | "bigint");
    let oids = (is_oid(from) && (is_oid(to) || whole(to))) || (whole(from) && is_oid(to));
    from == to
        || STRINGS.contains(&to)
        || both(NUMBERS)
        || both(TIMES)
        || ASSIGNED.contains(&(from, to))
        || oids
}

/// The `USING` expression of a type change; `None` where PostgreSQL needs none.
pub(crate) fn using(column: &dyn Display, from: &SqlType, to: &SqlType) -> Option<String> {
    let (source, target) = (from.base(), to.base());
    let (source, target) = (source.as_str(), target.as_str());
    if from.is_array() == to.is_array() && is_assigned(source, target)
        || !to.is_array() && STRINGS.contains(&target)
    {
        return None;
    }
    if from.is_array() || to.is_array() {
        let brackets = if from.is_array() && to.is_array() {
            "[]"
        } else {
            ""
        };
        return Some(format!("{column}::text{brackets}::{to}"));
    }
    let number = |it: &str| NUMBERS.contains(&it);
    Some(match (source, target) {
        ("boolean", "integer") | ("integer", "boolean") => format!("{column}::{to}"),
        ("boolean", it) if number(it) => format!("{column}::integer::{to}"),
        (it, "boolean") if number(it) => format!("({column} <> 0)"),
        (it, "timestamp with time zone") if number(it) => {
            format!("to_timestamp({column}::double precision)")
        }
        (it, "timestamp without time zone" | "date") if number(it) => {
            format!("(to_timestamp({column}::double precision) AT TIME ZONE 'UTC')::{to}")
        }
        (time, it) if number(it) && TIMES.contains(&time) => {
            format!("extract(epoch FROM {column})::{to}")
        }
        (it, _) if STRINGS.contains(&it) && it != "name" => format!("{column}::{to}"),
        _ => format!("{column}::text::{to}"),
    })
}

/// The `USING` expression that converts values of a type's old self to its new one.
pub(crate) fn through_text(column: &dyn Display, to: &SqlType) -> String {
    let brackets = if to.is_array() { "[]" } else { "" };
    format!("{column}::text{brackets}::{to}")
}

/// Whether every row is written anew (documentation of `ALTER TABLE`, notes: binary coercible types and unconstrained
/// or wider lengths leave the rows as they are).
pub(crate) fn rewrites(from: &SqlType, to: &SqlType) -> bool {
    let limit = |it: &SqlType| -> Option<u64> {
        let text = it.as_str();
        text[text.find('(')? + 1..text.find(')')?].parse().ok()
    };
    match (from.base().as_str(), to.base().as_str()) {
        ("character varying" | "text", "text") => false,
        ("character varying", "character varying") => match (limit(from), limit(to)) {
            (_, None) => false,
            (Some(a), Some(b)) => b < a,
            (None, Some(_)) => true,
        },
        ("text", "character varying") => limit(to).is_some(),
        ("cidr", "inet") => false,
        _ => true,
    }
}

/// Whether values may be lost or changed on the way: a narrower type, or one that says less.
pub(crate) fn may_lose(from: &SqlType, to: &SqlType) -> bool {
    let rank = |it: &str| NUMBERS.iter().position(|n| *n == it);
    let (source, target) = (from.base(), to.base());
    match (rank(&source), rank(&target)) {
        (Some(a), Some(b)) if source != target => {
            b < a || (source == "bigint" && target == "double precision")
        }
        _ if target == "text" || (target == "character varying" && !to.as_str().contains('(')) => {
            false
        }
        _ => rewrites(from, to) && !(source == "date" && target.starts_with("timestamp")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Ident;

    #[track_caller]
    fn check(from: &str, to: &str, expected: Option<&str>) {
        let ty = |it: &str| SqlType::parse(it, &Ident::new("public")).unwrap();
        assert_eq!(
            using(&Ident::new("c"), &ty(from), &ty(to)).as_deref(),
            expected
        );
    }

    #[test]
    fn a_using_clause_is_written_only_where_there_is_no_assignment_cast() {
        check("integer", "bigint", None);
        check("varchar(50)", "text", None);
        check("integer", "text", None);
        check("json", "jsonb", None);
        check("text", "integer", Some("c::integer"));
        check("text", "status", Some("c::status"));
        check("mood", "status", Some("c::text::status"));
        check(
            "real",
            "timestamptz",
            Some("to_timestamp(c::double precision)"),
        );
        check("timestamptz", "real", Some("extract(epoch FROM c)::real"));
        check("boolean", "bigint", Some("c::integer::bigint"));
        check("bigint", "boolean", Some("(c <> 0)"));
        check("mood[]", "status[]", Some("c::text[]::status[]"));
    }

    #[test]
    fn widening_text_leaves_the_rows_alone() {
        let ty = |it: &str| SqlType::parse(it, &Ident::new("public")).unwrap();
        assert!(!rewrites(&ty("varchar(10)"), &ty("varchar(20)")));
        assert!(!rewrites(&ty("varchar(10)"), &ty("text")));
        assert!(rewrites(&ty("integer"), &ty("bigint")));
        assert!(rewrites(&ty("varchar(20)"), &ty("varchar(10)")));
    }
}
