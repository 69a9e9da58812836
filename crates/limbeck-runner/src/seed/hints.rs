//! What a condition's text says about the values that satisfy it: its literals, its numbers, its patterns.

use limbeck_schema::Literal;
use limbeck_sql::{Cursor, Token, TokenKind, significant};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::facts::{Facts, Form, Type};
use super::values::{beneath, is_number, is_text, longest};

/// How long a text may be that a number in a condition asks for.
const LONGEST: usize = 300;

/// How many texts are made of one pattern.
const PER_PATTERN: usize = 4;

/// Something that stands in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A string, with the type it is cast to.
    Text(String, Option<String>),
    /// A regular expression.
    Regex(String),
    /// A pattern of LIKE.
    Like(String),
    /// A number.
    Number(String),
}

/// The hints of a condition as `pg_get_expr` prints it.
pub(super) fn hints(expression: &str) -> Vec<Hint> {
    let tokens: Vec<Token<'_>> = significant(expression).collect();
    let mut acc = Vec::new();
    let mut cursor = Cursor::new(&tokens);
    let mut operator = "";
    while let Some(token) = cursor.bump() {
        if token.kind == TokenKind::Number {
            acc.push(Hint::Number(token.text.to_owned()));
        } else if token.kind.is_string() {
            let text = token.value().unwrap_or_default().into_owned();
            let cast = cursor.take_mark("::").then(|| cast(&mut cursor)).flatten();
            acc.push(match operator {
                "~" | "~*" | "!~" | "!~*" => Hint::Regex(text),
                "~~" | "~~*" | "!~~" | "!~~*" => Hint::Like(text),
                _ => Hint::Text(text, cast),
            });
        }
        if !token.is_mark("(") {
            operator = match token.kind {
                TokenKind::Operator => token.text,
                _ => "",
            };
        }
    }
    acc
}

/// The type behind a `::` without its modifiers.
fn cast(cursor: &mut Cursor<'_, '_>) -> Option<String> {
    // A type of several words, `timestamp with time zone`, is followed by a word that belongs to no type.
    const BEHIND: [&str; 9] = [
        "AND", "OR", "THEN", "ELSE", "WHEN", "END", "IS", "COLLATE", "AT",
    ];
    let mut acc = String::new();
    while let Some(next) = cursor.peek() {
        if next.is_mark(".") {
            acc.push('.');
        } else if next.is_mark("[") {
            acc.push_str("[]");
            while cursor.peek().is_some_and(|it| !it.is_mark("]")) {
                cursor.bump();
            }
        } else if let Some(name) = next
            .ident()
            .filter(|_| BEHIND.iter().all(|it| !next.is_word(it)))
        {
            if !acc.is_empty() && !acc.ends_with('.') {
                acc.push(' ');
            }
            acc.push_str(&name);
        } else if !acc.is_empty() && cursor.parenthesis().is_some() {
            continue;
        } else {
            break;
        }
        cursor.bump();
    }
    (!acc.is_empty()).then_some(acc)
}

/// Values for a column that the hints of its conditions ask for.
pub(super) fn values(facts: &Facts, oid: i64, modifier: i32, hints: &[Hint]) -> Vec<String> {
    let Some((ty, modifier)) = beneath(facts, oid, modifier) else {
        return Vec::new();
    };
    let mut acc = Vec::new();
    for hint in hints {
        acc.extend(of_hint(facts, ty, hint));
    }
    if ty.bare == "json" || ty.bare == "jsonb" {
        acc.extend(objects(ty, hints));
    }
    let fits = |it: &String| longest(ty, modifier).is_none_or(|most| it.chars().count() <= most);
    let mut acc: Vec<String> = acc
        .into_iter()
        .filter(|it| !is_text(ty) || fits(it))
        .map(|it| format!("{}::{}", Literal(&it), ty.name))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    acc.retain(|it| seen.insert(it.clone()));
    acc
}

fn of_hint(facts: &Facts, ty: &Type, hint: &Hint) -> Vec<String> {
    match hint {
        Hint::Text(text, cast) if is_text(ty) => {
            let mut acc = vec![text.clone()];
            if cast.as_deref().is_some_and(|it| it.ends_with("[]")) {
                acc.extend(elements(text));
            }
            acc
        }
        Hint::Text(text, cast) => match &ty.form {
            Form::Enum(labels) => labels.iter().filter(|it| *it == text).cloned().collect(),
            _ if is_number(ty) => text.parse::<f64>().map_or(Vec::new(), |_| around(ty, text)),
            // Of other types, only what is cast to the very type is surely a value of it.
            Form::Array(_) | Form::Base | Form::Range(_) => cast
                .as_deref()
                .filter(|it| same_type(facts, ty, it))
                .map(|_| text.clone())
                .into_iter()
                .collect(),
            _ => Vec::new(),
        },
        Hint::Number(text) if is_number(ty) => around(ty, text),
        Hint::Number(text) if is_text(ty) => match text.parse::<usize>() {
            Ok(n) if n <= LONGEST => ["a", "A", "1"].iter().map(|it| it.repeat(n)).collect(),
            _ => Vec::new(),
        },
        Hint::Number(text) => match (&ty.form, text.parse::<usize>()) {
            (Form::Array(element), Ok(n @ 1..=20)) => facts
                .types
                .get(element)
                .and_then(|it| match &it.form {
                    Form::Enum(labels) => labels.first().cloned(),
                    _ if is_number(it) || is_text(it) => Some("1".to_owned()),
                    _ => None,
                })
                .map(|it| format!("{{{}}}", vec![it; n].join(",")))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        },
        Hint::Regex(pattern) if is_text(ty) => matching(pattern),
        Hint::Like(pattern) if is_text(ty) => liked(pattern),
        Hint::Regex(_) | Hint::Like(_) => Vec::new(),
    }
}

/// Whether the text of a cast names the type.
fn same_type(facts: &Facts, ty: &Type, text: &str) -> bool {
    let bare = text.split('(').next().unwrap_or(text).trim();
    let element = match &ty.form {
        Form::Array(element) => facts.types.get(element),
        _ => None,
    };
    let known = match bare.trim_end_matches("[]") {
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "boolean" => "bool",
        "character varying" => "varchar",
        "integer" => "int4",
        other => other.rsplit('.').next().unwrap_or(other),
    };
    element.map_or(ty.bare.as_str(), |it| &it.bare) == known
        && bare.ends_with("[]") == element.is_some()
}

/// A number and its neighbours.
fn around(ty: &Type, text: &str) -> Vec<String> {
    let whole = ty.bare.starts_with("int");
    let Ok(it) = text.parse::<f64>() else {
        return Vec::new();
    };
    let limit = match ty.bare.as_str() {
        "int2" => 32_767.0,
        "int4" => 2_147_483_647.0,
        _ => 1e15,
    };
    let mut acc: Vec<String> = [it, it + 1.0, it - 1.0, -it]
        .iter()
        .filter(|it| it.abs() <= limit)
        .map(|it| {
            if whole {
                format!("{it:.0}")
            } else {
                it.to_string()
            }
        })
        .collect();
    if !whole {
        acc.extend([it + 0.5, it - 0.5, it / 2.0].map(|it| it.to_string()));
    }
    acc
}

/// The elements of an array's text, `{a,"b c"}`.
fn elements(text: &str) -> Vec<String> {
    let inner = text.trim_start_matches('{').trim_end_matches('}');
    inner
        .split(',')
        .map(|it| it.trim_matches('"').to_owned())
        .collect()
}

/// Objects with all the keys that a condition mentions.
fn objects(ty: &Type, hints: &[Hint]) -> Vec<String> {
    let keys: Vec<&String> = hints
        .iter()
        .filter_map(|it| match it {
            Hint::Text(text, cast) if cast.as_deref() != Some(ty.bare.as_str()) => Some(text),
            _ => None,
        })
        .collect();
    let object = |value: &str| {
        let fields: Vec<String> = keys.iter().map(|it| format!("{it:?}: {value}")).collect();
        format!("{{{}}}", fields.join(", "))
    };
    if keys.is_empty() {
        return Vec::new();
    }
    ["1", "\"a\"", "{}", "[]", "true"].map(object).to_vec()
}

/// Texts that a pattern of LIKE matches.
fn liked(pattern: &str) -> Vec<String> {
    let fill = |any: &str| {
        let mut acc = String::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => acc.push_str(any),
                '_' => acc.push('a'),
                '\\' => acc.extend(chars.next()),
                c => acc.push(c),
            }
        }
        acc
    };
    ["", "a", "b", "limbeck11"].map(fill).to_vec()
}

/// Texts that a regular expression matches. PostgreSQL's and Rust's differ in what they know beyond the common part;
/// PostgreSQL judges what comes out.
fn matching(pattern: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(pattern) else {
        return Vec::new();
    };
    let mut acc = Vec::new();
    for n in 0..PER_PATTERN {
        for least in [1, 0] {
            let mut text = String::new();
            sample(&hir, n, least, &mut text);
            if !acc.contains(&text) && text.len() <= LONGEST {
                acc.push(text);
            }
        }
    }
    acc
}

/// Appends the `n`th text that matches, with `least` repetitions of what may be left out.
fn sample(hir: &Hir, n: usize, least: u32, acc: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(it) => acc.push_str(&String::from_utf8_lossy(&it.0)),
        HirKind::Class(it) => acc.extend(character(it, n)),
        HirKind::Repetition(it) => {
            let most = it.max.unwrap_or(u32::MAX);
            let n_times = least.max(it.min).min(most).min(100);
            for _ in 0..n_times {
                sample(&it.sub, n, least, acc);
            }
        }
        HirKind::Capture(it) => sample(&it.sub, n, least, acc),
        HirKind::Concat(parts) => parts.iter().for_each(|it| sample(it, n, least, acc)),
        HirKind::Alternation(parts) => {
            if let Some(it) = parts.get(n % parts.len().max(1)) {
                sample(it, n, least, acc);
            }
        }
    }
}

/// A printable character of a class.
fn character(class: &Class, n: usize) -> Option<char> {
    let in_class = |c: char| match class {
        Class::Unicode(it) => it.ranges().iter().any(|r| r.start() <= c && c <= r.end()),
        Class::Bytes(it) => it
            .ranges()
            .iter()
            .any(|r| char::from(r.start()) <= c && c <= char::from(r.end())),
    };
    let common = ('a'..='z')
        .chain('A'..='Z')
        .chain('0'..='9')
        .chain(' '..='/')
        .chain(':'..='@');
    let found: Vec<char> = common.chain('['..='~').filter(|c| in_class(*c)).collect();
    found.get(n % found.len().max(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::{Hint, hints, liked, matching};

    #[test]
    fn literals_numbers_and_patterns_are_found_in_conditions() {
        let check = |text: &str, expected: &[Hint]| assert_eq!(hints(text), expected, "{text}");
        let text = |it: &str, cast: &str| Hint::Text(it.to_owned(), Some(cast.to_owned()));
        check(
            "((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))",
            &[
                text("a", "character varying"),
                text("it's", "character varying"),
            ],
        );
        check(
            "((price > 10.5) AND (x2 < 3))",
            &[Hint::Number("10.5".into()), Hint::Number("3".into())],
        );
        check(
            "(code ~ '^[A-Z]{3}$'::text)",
            &[Hint::Regex("^[A-Z]{3}$".into())],
        );
        check(
            "((email)::text !~~* '%@%'::text)",
            &[Hint::Like("%@%".into())],
        );
        check(
            "(d > '2020-01-01 00:00:00'::timestamp without time zone AND true)",
            &[text("2020-01-01 00:00:00", "timestamp without time zone")],
        );
        check(
            r"((tags <> '{a,b}'::text[]) OR (E'a\\''b' = c.d) OR (m = 'x'::s.mood) OR (n = '1'::numeric(3,1)))",
            &[
                text("{a,b}", "text[]"),
                Hint::Text(r"a\'b".to_owned(), None),
                text("x", "s.mood"),
                text("1", "numeric"),
            ],
        );
    }

    #[test]
    fn patterns_are_matched() {
        assert_eq!(liked("a\\%_%@%")[1], "a%aa@a");
        assert_eq!(matching("^[A-Z]{3}-\\d{2}$")[0], "AAA-00");
        assert_eq!(matching("^(new|old)$")[1], "old");
        assert!(matching("(?=a)").is_empty());
    }
}
