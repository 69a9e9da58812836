//! What PostgreSQL does when a column changes its type: which casts it applies by itself, which have to be written,
//! and which leave the rows as they are on disk (`pg_cast`, documentation of `CREATE CAST` and `ALTER TABLE`).

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::facts::{Coercion, Typed, Using};
use crate::kinds::usage::owner_of;
use crate::kinds::{Context, KindTag, Object};
use crate::schema::Schema;
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
pub(crate) fn using(
    column: &dyn Display,
    from: &SqlType,
    to: &SqlType,
    how: Using,
) -> Option<String> {
    let (source, target) = (from.base(), to.base());
    let (source, target) = (source.as_str(), target.as_str());
    match how {
        Using::Nothing => return None,
        Using::Cast => return Some(format!("{column}::{to}")),
        Using::Detour => {}
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

/// How a column comes from one type and collation to another: as the server said, else as its rules are known for
/// built-in types, domains looked through on both sides.
pub(crate) fn coercion(from: &Typed, to: &Typed, ctx: &Context<'_>) -> Coercion {
    if let Some(known) = ctx.facts.coercion(from, to) {
        return known;
    }
    let bare = (below(ctx.current, &from.0), below(ctx.desired, &to.0));
    let domain = is_constrained(ctx.desired, &to.0);
    let known = ctx.facts.coercion(
        &(bare.0.clone(), from.1.clone()),
        &(bare.1.clone(), to.1.clone()),
    );
    let known = known.unwrap_or_else(|| assumed(&bare.0, &bare.1, from.1 != to.1));
    Coercion {
        rewrites: known.rewrites || domain,
        ..known
    }
}

/// What is known without a server.
fn assumed(from: &SqlType, to: &SqlType, recollated: bool) -> Coercion {
    let (source, target) = (from.base(), to.base());
    let assigned = from.is_array() == to.is_array() && is_assigned(&source, &target)
        || !to.is_array() && STRINGS.contains(&target.as_str());
    let is_text = |it: &str| matches!(it, "text" | "character varying");
    Coercion {
        using: if assigned {
            Using::Nothing
        } else if STRINGS.contains(&source.as_str()) && !from.is_array() && !to.is_array() {
            Using::Cast
        } else {
            Using::Detour
        },
        rewrites: from != to && !stays(from, to),
        reindexes: recollated || source != target && !(is_text(&source) && is_text(&target)),
    }
}

/// The type at the bottom of a domain, of domains over domains too; any other type is itself.
pub(crate) fn below(schema: &Schema, ty: &SqlType) -> SqlType {
    let mut ty = ty.clone();
    let mut seen = BTreeSet::new();
    while let Some(key) = owner_of(schema, &ty).filter(|_| !ty.is_array()) {
        match schema.get(&key) {
            Some(Object::Domain(it)) if seen.insert(key) => ty = it.base.clone(),
            _ => break,
        }
    }
    ty
}

/// Whether a type is a domain with constraints, its own or those of a domain below it (`DomainHasConstraints`).
pub(crate) fn is_constrained(schema: &Schema, ty: &SqlType) -> bool {
    let mut ty = ty.clone();
    let mut seen = BTreeSet::new();
    while let Some(key) = owner_of(schema, &ty).filter(|_| !ty.is_array()) {
        let Some(Object::Domain(it)) = schema.get(&key) else {
            return false;
        };
        let mut checks = schema.parts(KindTag::DomainCheck, &it.name);
        if !it.nullable || checks.next().is_some() {
            return true;
        }
        if !seen.insert(key) {
            return false;
        }
        ty = it.base.clone();
    }
    false
}

/// Whether the rows stay as they are, by the rules of `ATColumnChangeRequiresRewrite`: types that are binary coercible,
/// and lengths and precisions that only grow, as the planner support functions of the length coercions have it.
fn stays(from: &SqlType, to: &SqlType) -> bool {
    // An array is coerced element by element, which its rows do not survive.
    if from.is_array() || to.is_array() {
        return false;
    }
    let (source, target) = (from.base(), to.base());
    let (was, is) = (from.modifiers(), to.modifiers());
    let grows = match (was.as_slice(), is.as_slice()) {
        (_, []) => true,
        ([was], [is]) => is >= was,
        _ => false,
    };
    match (source.as_str(), target.as_str()) {
        ("character varying" | "text" | "citext" | "xml", "text" | "citext") => true,
        ("character varying" | "text", "character varying") => grows,
        ("bit varying", "bit varying") => grows,
        ("bit" | "character", _) => false,
        ("numeric", "numeric") => match (was.as_slice(), is.as_slice()) {
            (_, []) => true,
            ([p, s], [q, t]) => s == t && q >= p,
            _ => false,
        },
        ("interval", "interval") => {
            let (was, is) = (from.interval_fields(), to.interval_fields());
            (is.is_empty() || is == was) && precision(to) >= precision(from)
        }
        (a, b) if a == b && is_time(a) => precision(to) >= precision(from),
        ("cidr", "inet") => true,
        (a, b) if is_oid(a) && is_oid(b) => true,
        ("integer", b) if is_oid(b) => true,
        (a, "integer") if is_oid(a) => true,
        _ => false,
    }
}

pub(crate) fn is_time(ty: &str) -> bool {
    TIMES[..2].contains(&ty) || matches!(ty, "time without time zone" | "time with time zone")
}

/// The digits of seconds that a type of times keeps.
pub(crate) fn precision(ty: &SqlType) -> i64 {
    ty.modifiers().first().copied().unwrap_or(6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Ident;

    #[track_caller]
    fn check(from: &str, to: &str, expected: Option<&str>) {
        let ty = |it: &str| SqlType::parse(it, &Ident::new("public")).unwrap();
        let (from, to) = (ty(from), ty(to));
        let how = assumed(&from, &to, false).using;
        assert_eq!(
            using(&Ident::new("c"), &from, &to, how).as_deref(),
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
    fn what_only_grows_leaves_the_rows_alone() {
        let check = |from: &str, to: &str, rewrites: bool| {
            let ty = |it: &str| SqlType::parse(it, &Ident::new("public")).unwrap();
            assert_eq!(
                assumed(&ty(from), &ty(to), false).rewrites,
                rewrites,
                "{from} to {to}"
            );
        };
        check("varchar(10)", "varchar(20)", false);
        check("varchar(10)", "text", false);
        check("integer", "bigint", true);
        check("varchar(20)", "varchar(10)", true);
        check("text", "varchar(10)", true);
        check("text[]", "varchar[]", true);
        check("numeric(10,2)", "numeric(12,2)", false);
        check("numeric(10,2)", "numeric(12,3)", true);
        check("timestamp(3)", "timestamp", false);
        check("interval hour to minute", "interval", false);
        check("interval", "interval(2)", true);
        check("varbit(4)", "varbit", false);
        check("regclass", "oid", false);
    }
}
