//! A value of any type, by number: two numbers give two values where the type has that many.

use std::collections::BTreeMap;

use limbeck_schema::Literal;

use super::facts::{Column, Facts, Form, Type};

/// How deep types may be made of each other.
const DEEPEST: usize = 8;

/// The numbers of values have two digits, so that texts that hold them are in their order.
const FIRST: usize = 11;

/// Makes values of types.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// What values of a domain there are, as its checks let them; by the domain's object id.
    pub(super) domains: BTreeMap<i64, Vec<String>>,
}

impl Values {
    /// The `n`th value for a column, as an expression; none for a type without a known value.
    pub(super) fn of(&self, facts: &Facts, column: &Column, n: usize) -> Option<String> {
        let (ty, modifier) = column.made_of;
        self.sample(facts, ty, modifier, n, 0)
    }

    /// The `n`th value of a type, as an expression.
    pub(super) fn sample(
        &self,
        facts: &Facts,
        oid: i64,
        modifier: i32,
        n: usize,
        depth: usize,
    ) -> Option<String> {
        let ty = facts.types.get(&oid)?;
        if depth > DEEPEST {
            return None;
        }
        let part = |oid, modifier, n| self.sample(facts, oid, modifier, n, depth + 1);
        match &ty.form {
            Form::Base => {
                Some(base(ty, modifier, n).unwrap_or_else(|| {
                    format!("{}::{}", Literal(&(FIRST + n).to_string()), ty.name)
                }))
            }
            Form::Enum(labels) => labels
                .get(n % labels.len().max(1))
                .map(|it| format!("{}::{}", Literal(it), ty.name)),
            Form::Array(element) => Some(format!(
                "ARRAY[{}]::{}",
                part(*element, modifier, n)?,
                ty.name
            )),
            Form::Range(bound) => {
                let bound_type = &facts.types.get(bound)?.name;
                let (lower, upper) = (part(*bound, -1, 2 * n)?, part(*bound, -1, 2 * n + 1)?);
                Some(format!(
                    "{}(({lower})::{bound_type}, ({upper})::{bound_type})",
                    ty.name
                ))
            }
            Form::Multirange(range) => Some(format!("{}({})", ty.name, part(*range, -1, n)?)),
            Form::Composite(fields) => {
                let fields: Option<Vec<String>> = fields
                    .iter()
                    .map(|(oid, modifier)| part(*oid, *modifier, n))
                    .collect();
                Some(format!("ROW({})::{}", fields?.join(", "), ty.name))
            }
            Form::Domain { base, modifier, .. } => match self.domains.get(&oid) {
                Some(known) => known.get(n % known.len().max(1)).cloned(),
                None => part(*base, *modifier, n).map(|it| format!("({it})::{}", ty.name)),
            },
        }
    }

    /// More values of a type, for conditions that the first ones do not satisfy.
    pub(super) fn more(&self, facts: &Facts, oid: i64, modifier: i32) -> Vec<String> {
        let mut acc: Vec<String> = (0..4)
            .filter_map(|n| self.sample(facts, oid, modifier, n, 0))
            .collect();
        let Some(ty) = facts.types.get(&oid) else {
            return acc;
        };
        match &ty.form {
            Form::Enum(labels) => {
                acc.extend(
                    labels
                        .iter()
                        .map(|it| format!("{}::{}", Literal(it), ty.name)),
                );
            }
            Form::Domain { base, modifier, .. } => match self.domains.get(&oid) {
                Some(known) => acc.extend(known.iter().cloned()),
                None => acc.extend(self.more(facts, *base, *modifier)),
            },
            Form::Array(_) => acc.push(format!("'{{}}'::{}", ty.name)),
            Form::Base => acc.extend(
                others(ty)
                    .iter()
                    .map(|it| format!("{}::{}", Literal(it), ty.name)),
            ),
            Form::Range(_) | Form::Multirange(_) | Form::Composite(_) => {}
        }
        acc
    }
}

/// The type beneath domains, with its modifier.
pub(super) fn beneath(facts: &Facts, oid: i64, modifier: i32) -> Option<(&Type, i32)> {
    let (mut oid, mut modifier) = (oid, modifier);
    for _ in 0..=DEEPEST {
        let ty = facts.types.get(&oid)?;
        let Form::Domain {
            base, modifier: it, ..
        } = &ty.form
        else {
            return Some((ty, modifier));
        };
        (oid, modifier) = (*base, *it);
    }
    None
}

/// The longest text of a type, in characters: `varchar(n)` and `char(n)` have `n` plus 4 as their modifier.
pub(super) fn longest(ty: &Type, modifier: i32) -> Option<usize> {
    let limited = matches!(ty.bare.as_str(), "varchar" | "bpchar") && modifier >= 4;
    limited.then(|| usize::try_from(modifier - 4).unwrap_or(1))
}

/// Whether values of a type are texts.
pub(super) fn is_text(ty: &Type) -> bool {
    matches!(
        ty.bare.as_str(),
        "text" | "varchar" | "bpchar" | "name" | "citext"
    )
}

/// Whether values of a type are numbers.
pub(super) fn is_number(ty: &Type) -> bool {
    matches!(
        ty.bare.as_str(),
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money"
    )
}

/// The `n`th value of a base type. Numbers are large, so that rows that a revision itself inserts do not meet them.
fn base(ty: &Type, modifier: i32, n: usize) -> Option<String> {
    let (name, k) = (&ty.name, FIRST + n);
    let cast = |text: String| Some(format!("{}::{}", Literal(&text), name));
    match ty.bare.as_str() {
        "bool" => Some(n.is_multiple_of(2).to_string()),
        "int2" => Some(format!("{}::int2", 31_000 + k)),
        "int4" | "oid" => Some(format!("{}::{name}", 700_000 + k)),
        "int8" => Some(format!("{}::int8", 7_000_000_000_u64 + k as u64)),
        "float4" | "float8" => Some(format!("{}.5::{name}", 700 + k)),
        "numeric" => Some(numeric(modifier, k)),
        "money" => cast(k.to_string()),
        "text" | "name" | "citext" => Some(Literal(&format!("limbeck {k}")).to_string()),
        "varchar" | "bpchar" => {
            let text = format!("limbeck {k}");
            let length = usize::try_from(modifier - 4).unwrap_or(text.len());
            Some(Literal(&fitted(&text, length)).to_string())
        }
        "char" => Some(format!(
            "'{}'::\"char\"",
            char::from(b'a' + u8::try_from(n % 26).unwrap_or(0))
        )),
        "bytea" => cast(format!("\\x{k:04}")),
        "uuid" => cast(format!("00000000-0000-4000-8000-0000000000{k:02}")),
        "date" => Some(format!("(date '2020-01-01' + {k})")),
        "timestamp" | "timestamptz" => {
            Some(format!("({name} '2020-01-01 12:00' + interval '{k} days')"))
        }
        "time" | "timetz" => cast(format!("08:{:02}", k % 60)),
        "interval" => cast(format!("{k} hours")),
        "bit" | "varbit" => {
            let length = usize::try_from(modifier).unwrap_or(8).max(1);
            let bits = format!("{k:0length$b}");
            Some(format!("B'{}'", &bits[bits.len() - length..]))
        }
        "json" | "jsonb" => cast(format!("{{\"limbeck\": {k}}}")),
        "jsonpath" => cast(format!("$.a{k}")),
        "xml" => cast(format!("<a>{k}</a>")),
        "inet" => cast(format!("10.0.0.{k}")),
        "cidr" => cast(format!("10.0.{k}.0/24")),
        "macaddr" => cast(format!("08:00:2b:01:02:{k:02}")),
        "macaddr8" => cast(format!("08:00:2b:01:02:03:04:{k:02}")),
        "point" => cast(format!("({k},1)")),
        "line" => cast(format!("{{1,2,{k}}}")),
        "lseg" | "path" => cast(format!("[({k},1),({k},2)]")),
        "box" => cast(format!("({k},1),({k}.5,2)")),
        "polygon" => cast(format!("(({k},1),({k},2),({k}.5,2))")),
        "circle" => cast(format!("<({k},1),0.2>")),
        "tsvector" | "tsquery" | "ltree" | "lquery" => cast(format!("limbeck{k}")),
        "hstore" => cast(format!("limbeck=>{k}")),
        "regclass" => cast("pg_catalog.pg_class".to_owned()),
        "regtype" => cast("pg_catalog.int4".to_owned()),
        "regproc" => cast("pg_catalog.now".to_owned()),
        "regrole" => Some("current_user::regrole".to_owned()),
        "regnamespace" => cast("pg_catalog".to_owned()),
        "regconfig" => cast("pg_catalog.simple".to_owned()),
        "tid" => cast(format!("(0,{k})")),
        "pg_lsn" => cast(format!("0/{k}")),
        "pg_snapshot" | "txid_snapshot" => cast(format!("{k}:{k}:")),
        "geometry" | "geography" => cast(format!("POINT({k} 1)")),
        "cube" => cast(format!("({k})")),
        "vector" | "halfvec" => {
            let length = usize::try_from(modifier).unwrap_or(3).max(1);
            cast(format!("[{}]", vec![k.to_string(); length].join(",")))
        }
        _ => None,
    }
}

/// A number for `numeric(p, s)`, whose modifier is 4 more than `p` and `s` in 16 bits each.
fn numeric(modifier: i32, k: usize) -> String {
    if modifier < 4 {
        return format!("{}.5::numeric", 70_000 + k);
    }
    let precision = (modifier - 4) >> 16;
    // Since PostgreSQL 15 the scale has 11 bits and a sign.
    let scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
    let whole = usize::try_from(precision - scale).unwrap_or(0);
    match (whole, scale) {
        (0, _) => "0::numeric".to_owned(),
        (1, scale) if scale > 0 => format!("{}.5::numeric", k % 10),
        (1, _) => format!("{}::numeric", k % 10),
        (_, scale) if scale > 0 => format!("{k}.5::numeric"),
        (_, _) => format!("{k}::numeric"),
    }
}

/// The end of a text, which holds its number.
fn fitted(text: &str, length: usize) -> String {
    let skipped = text.chars().count().saturating_sub(length);
    text.chars().skip(skipped).collect()
}

/// Values of a base type that conditions tend to ask for.
fn others(ty: &Type) -> &'static [&'static str] {
    match ty.bare.as_str() {
        "bool" => &["true", "false"],
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => &[
            "0", "1", "2", "3", "5", "10", "20", "50", "100", "1000", "2000", "-1",
        ],
        "money" => &["0", "1"],
        "text" | "varchar" | "citext" => &[
            "a",
            "A",
            "ab",
            "abc",
            "ABC",
            "1",
            "limbeck@example.org",
            "https://example.org/limbeck",
            "limbeck-11",
            "limbeck_11",
            "LIMBECK",
            "+491234567",
            "",
            "/limbeck",
        ],
        "bpchar" => &["a", "A", "1"],
        "date" => &["1990-05-05", "2100-01-01"],
        "timestamp" | "timestamptz" => &["1990-05-05 12:00", "2100-01-01 12:00"],
        "time" => &["00:00", "12:00", "23:59"],
        "interval" => &["0", "1 day", "1 month"],
        "json" | "jsonb" => &["{}", "[]", "\"a\"", "1", "true", "[1]", "{\"a\": 1}"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::{fitted, numeric};

    #[test]
    fn numbers_fit_their_precision_and_scale() {
        let check = |precision: i32, scale: i32, expected: &str| {
            let modifier = (precision << 16 | scale & 0x7ff) + 4;
            assert_eq!(
                numeric(modifier, 17),
                expected,
                "numeric({precision},{scale})"
            );
        };
        check(12, 2, "17.5::numeric");
        check(3, 2, "7.5::numeric");
        check(1, 0, "7::numeric");
        check(2, 2, "0::numeric");
        check(3, -2, "17::numeric");
        assert_eq!(numeric(-1, 17), "70017.5::numeric");
    }

    #[test]
    fn short_texts_keep_their_number() {
        assert_eq!(fitted("limbeck 17", 2), "17");
        assert_eq!(fitted("limbeck 17", 20), "limbeck 17");
    }
}
