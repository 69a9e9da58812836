//! What a change of type does to values: which of them it refuses, and which it changes (documentation, chapter "Data
//! Types", and the conversion functions of `pg_cast`).

use crate::kinds::cast::{is_time, precision};
use crate::sql_type::SqlType;

/// What may happen to values on the way from one type to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Which values are refused.
    pub fails: Option<&'static str>,
    /// Which values come out otherwise.
    pub changes: Option<&'static str>,
}

const NOTHING: Loss = Loss {
    fails: None,
    changes: None,
};
const TOO_LONG: &str = "a value is longer than the new type allows";
const OUT_OF_RANGE: &str = "a value is out of the new type's range";
const UNREADABLE: &str = "a value does not read as one of the new type";
const ROUNDED: &str = "values are rounded";
const BLANKS: &str = "blanks at the end of a value are lost";
const ZONE: &str = "times are taken in the TimeZone of the session that runs it";
/// `TimestampTimestampTzRequiresRewrite`.
const MOMENT: &str = "times are taken in the TimeZone of the session that runs it, and unless that is UTC every row is written anew";

fn fails(why: &'static str) -> Loss {
    Loss {
        fails: Some(why),
        changes: None,
    }
}

fn changes(how: &'static str) -> Loss {
    Loss {
        fails: None,
        changes: Some(how),
    }
}

fn both(why: &'static str, how: &'static str) -> Loss {
    Loss {
        fails: Some(why),
        changes: Some(how),
    }
}

/// What happens to values of one type that become those of another; domains have been looked through.
pub(crate) fn loss(from: &SqlType, to: &SqlType) -> Loss {
    if from == to {
        return NOTHING;
    }
    if from.is_array() != to.is_array() {
        return into_text(to)
            .filter(|_| from.is_array())
            .unwrap_or(fails(UNREADABLE));
    }
    let (source, target) = (from.base(), to.base());
    let (source, target) = (source.as_str(), target.as_str());
    if let (Some(a), Some(b)) = (Number::of(from), Number::of(to)) {
        return number(a, b);
    }
    if is_text(source) && (is_text(target) || target == "name") {
        return text(from, to);
    }
    if let Some(loss) = into_text(to) {
        return loss;
    }
    if is_text(source) || source == "name" {
        return match target {
            "jsonb" => both(UNREADABLE, "the order and repetition of keys are lost"),
            _ if to.modifiers().is_empty() && target != "real" => fails(UNREADABLE),
            _ => both(UNREADABLE, ROUNDED),
        };
    }
    times(from, to)
        .or_else(|| bits(from, to))
        .or_else(|| others(source, target))
        .unwrap_or(both(
            UNREADABLE,
            "what the conversion makes of a value may say less",
        ))
}

fn is_text(ty: &str) -> bool {
    matches!(
        ty,
        "text" | "character varying" | "character" | "bpchar" | "citext"
    )
}

/// The longest text that a type takes; none where there is no limit.
fn limit(ty: &SqlType) -> Option<i64> {
    ty.modifiers().first().copied()
}

fn is_padded(ty: &SqlType) -> bool {
    matches!(ty.base().as_str(), "character" | "bpchar")
}

fn text(from: &SqlType, to: &SqlType) -> Loss {
    if to.base() == "name" {
        return changes("what is longer than 63 bytes is cut off");
    }
    let shorter = match (limit(from), limit(to)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(was), Some(is)) => is < was,
    };
    Loss {
        fails: shorter.then_some(TOO_LONG),
        // A padded type takes blanks at the end for none; too many of them are cut off by any.
        changes: (!is_padded(from) && (shorter || is_padded(to))).then_some(BLANKS),
    }
}

/// What any type becomes as text.
fn into_text(to: &SqlType) -> Option<Loss> {
    match to.base().as_str() {
        "name" => Some(changes("what is longer than 63 bytes is cut off")),
        "\"char\"" => Some(changes("all but the first character is lost")),
        it if is_text(it) => Some(match limit(to) {
            None => NOTHING,
            Some(_) => fails(TOO_LONG),
        }),
        _ => None,
    }
}

/// A type of numbers, by what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    /// Whole numbers of so many decimal digits.
    Whole(i64),
    /// `oid` and its like.
    Oid,
    /// Digits before and after the point; none where there is no limit.
    Decimal(Option<(i64, i64)>),
    /// Floating point of so many digits.
    Float(i64),
    Money,
}

impl Number {
    fn of(ty: &SqlType) -> Option<Self> {
        Some(match ty.base().as_str() {
            "smallint" => Self::Whole(5),
            "integer" => Self::Whole(10),
            "bigint" => Self::Whole(19),
            "real" => Self::Float(6),
            "double precision" => Self::Float(15),
            "money" => Self::Money,
            "oid" => Self::Oid,
            it if it.starts_with("reg") && it != "refcursor" => Self::Oid,
            "numeric" => Self::Decimal(match ty.modifiers().as_slice() {
                [precision, scale] => Some((precision - scale, *scale)),
                _ => None,
            }),
            _ => return None,
        })
    }
}

fn number(from: Number, to: Number) -> Loss {
    use Number::{Decimal, Float, Money, Oid, Whole};
    match (from, to) {
        (Whole(was), Whole(is)) if is < was => fails(OUT_OF_RANGE),
        (Whole(_), Whole(_)) | (Oid, Oid) => NOTHING,
        (Whole(was), Decimal(Some((before, _)))) if before < was => fails(OUT_OF_RANGE),
        (Whole(_), Decimal(_)) => NOTHING,
        (Whole(was), Float(digits)) if digits < was => changes(ROUNDED),
        (Whole(_), Float(_)) | (Oid, Whole(19)) => NOTHING,
        (Whole(10), Oid) => changes("numbers below zero become large ones"),
        (Oid, Whole(10)) => changes("large numbers become ones below zero"),
        (Whole(19), Money) | (Whole(_), Oid) | (Oid, Whole(_)) => fails(OUT_OF_RANGE),
        (Whole(_), Money) => NOTHING,
        (Decimal(Some((before, after))), Whole(is)) => Loss {
            fails: (before >= is).then_some(OUT_OF_RANGE),
            changes: (after > 0).then_some(ROUNDED),
        },
        (Decimal(None) | Float(_), Whole(_) | Money | Decimal(Some(_)))
        | (Decimal(None), Float(_)) => both(OUT_OF_RANGE, ROUNDED),
        (Decimal(Some((before, after))), Decimal(Some((is_before, is_after)))) => Loss {
            fails: (is_before < before || is_after < after && is_before == before)
                .then_some(OUT_OF_RANGE),
            changes: (is_after < after).then_some(ROUNDED),
        },
        (Decimal(_), Decimal(_)) | (Money, Decimal(None)) => NOTHING,
        (Decimal(Some((before, after))), Float(digits)) => Loss {
            fails: (before > if digits < 15 { 38 } else { 308 }).then_some(OUT_OF_RANGE),
            changes: (before + after > digits || after > 0).then_some(ROUNDED),
        },
        (Decimal(Some((before, after))), Money) => Loss {
            fails: (before > 16).then_some(OUT_OF_RANGE),
            changes: (after > 2).then_some(ROUNDED),
        },
        (Money, Decimal(Some((before, after)))) => Loss {
            fails: (before < 17).then_some(OUT_OF_RANGE),
            changes: (after < 2).then_some(ROUNDED),
        },
        (Float(was), Float(is)) if is < was => both(OUT_OF_RANGE, ROUNDED),
        (Float(_), Float(_)) => NOTHING,
        (Float(_), Decimal(None)) => changes(ROUNDED),
        _ => both(UNREADABLE, ROUNDED),
    }
}

/// Dates, times and intervals.
fn times(from: &SqlType, to: &SqlType) -> Option<Loss> {
    let (source, target) = (from.base(), to.base());
    let zoned = |it: &str| it.contains("with time zone");
    let moment = |it: &str| it.starts_with("timestamp");
    let known = |it: &str| is_time(it) || matches!(it, "date" | "interval");
    if !known(&source) || !known(&target) {
        return None;
    }
    let coarser = precision(to) < precision(from);
    Some(match (source.as_str(), target.as_str()) {
        ("interval", "interval") => {
            let (was, is) = (from.interval_fields(), to.interval_fields());
            let narrower = !is.is_empty() && is != was;
            if narrower {
                changes("fields that the new type does not have are lost")
            } else if coarser {
                changes(ROUNDED)
            } else {
                NOTHING
            }
        }
        (a, b) if a == b && coarser => changes(ROUNDED),
        (a, b) if a == b => NOTHING,
        (a, b) if moment(a) && moment(b) => changes(MOMENT),
        ("date", b) if zoned(b) => changes(ZONE),
        ("date", b) if moment(b) => NOTHING,
        (a, "date") if moment(a) => changes("the time of day is lost"),
        (a, b) if moment(a) && !moment(b) => changes("the day is lost"),
        (a, _) if zoned(a) => changes("the time zone is lost"),
        (_, b) if zoned(b) => changes(ZONE),
        (_, "interval") if coarser => changes(ROUNDED),
        (_, "interval") => NOTHING,
        ("interval", _) => changes("whole days are lost"),
        _ => return None,
    })
}

fn bits(from: &SqlType, to: &SqlType) -> Option<Loss> {
    let varies = |it: &str| it == "bit varying";
    let known = |it: &str| it == "bit" || varies(it);
    let (source, target) = (from.base(), to.base());
    if !known(&source) || !known(&target) {
        return None;
    }
    Some(match (limit(from), limit(to)) {
        (was, is) if !varies(&target) && (varies(&source) || was != is) => {
            fails("a value has another length than the new type")
        }
        (_, None) => NOTHING,
        (Some(was), Some(is)) if was <= is => NOTHING,
        _ => fails(TOO_LONG),
    })
}

fn others(source: &str, target: &str) -> Option<Loss> {
    Some(match (source, target) {
        ("jsonb", "json") | ("cidr", "inet") | ("macaddr", "macaddr8") => NOTHING,
        ("json", "jsonb") => both(
            "a value holds what jsonb does not, such as \\u0000",
            "the order and repetition of keys are lost",
        ),
        ("inet", "cidr") => changes("the bits behind the network are lost"),
        ("macaddr8", "macaddr") => fails(UNREADABLE),
        ("boolean", "smallint" | "integer" | "bigint" | "numeric") => NOTHING,
        (
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision",
            "boolean",
        ) => changes("every number but zero becomes true"),
        ("int4range", "int8range" | "numrange") | ("int8range", "numrange") => NOTHING,
        ("tsrange", "tstzrange") | ("tstzrange", "tsrange") => changes(ZONE),
        ("int8range", "int4range") => fails(OUT_OF_RANGE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ident::Ident;

    /// `f` where values may be refused, `c` where they may come out otherwise.
    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let ty = |it: &str| SqlType::parse(it, &Ident::new("public")).unwrap();
        let Loss { fails, changes } = loss(&ty(from), &ty(to));
        let said = [fails.map(|_| 'f'), changes.map(|_| 'c')];
        let said: String = said.into_iter().flatten().collect();
        assert_eq!(said, expected, "{from} to {to}");
    }

    #[test]
    fn texts_lose_what_is_too_long() {
        check("varchar(50)", "varchar(51)", "");
        check("varchar(50)", "varchar(40)", "fc");
        check("text", "varchar", "");
        check("char(5)", "char(8)", "");
        check("char(5)", "char(3)", "f");
        check("char(5)", "text", "");
        check("varchar(5)", "char(5)", "c");
        check("text", "name", "c");
        check("citext", "text", "");
        check("varchar(20)[]", "varchar(10)[]", "fc");
        check("uuid", "text", "");
        check("integer", "varchar(3)", "f");
        check("text", "integer", "f");
    }

    #[test]
    fn numbers_overflow_or_are_rounded() {
        check("integer", "bigint", "");
        check("bigint", "integer", "f");
        check("bigint", "double precision", "c");
        check("integer", "real", "c");
        check("smallint", "real", "");
        check("numeric(10,2)", "numeric(12,2)", "");
        check("numeric(10,2)", "numeric(12,3)", "");
        check("numeric(10,2)", "numeric(8,2)", "f");
        check("numeric(10,2)", "numeric(10,1)", "c");
        check("numeric(10,2)", "numeric", "");
        check("numeric", "numeric(10,2)", "fc");
        check("numeric(5,0)", "integer", "");
        check("numeric(10,0)", "integer", "f");
        check("integer", "numeric(4,0)", "f");
        check("bigint", "numeric(20,0)", "");
        check("double precision", "real", "fc");
        check("money", "numeric", "");
        check("regclass", "oid", "");
        check("integer", "oid", "c");
    }

    #[test]
    fn times_lose_precision_fields_and_zones() {
        check("timestamp(3)", "timestamp", "");
        check("timestamp(3)", "timestamp(0)", "c");
        check("timestamp", "timestamptz", "c");
        check("date", "timestamp", "");
        check("timestamp", "date", "c");
        check("interval", "interval hour to minute", "c");
        check("interval hour to minute", "interval", "");
        check("interval(2)", "interval", "");
        check("time", "interval", "");
    }

    #[test]
    fn the_rest_goes_by_its_own_rules() {
        check("bit(4)", "bit(8)", "f");
        check("bit(4)", "varbit(4)", "");
        check("varbit(8)", "varbit(4)", "f");
        check("json", "jsonb", "fc");
        check("inet", "cidr", "c");
        check("boolean", "integer", "");
        check("point", "box", "fc");
    }
}
