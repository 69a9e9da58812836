//! Expressions: kept as text, compared by a lossless token form here and by the server elsewhere.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::sync::Arc;

use serde::Serialize;

use crate::ident::{Ident, parse_ident};
use crate::sql_type::{SqlType, is_built_in};

/// An SQL expression, without the parentheses that enclose all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Expr(Arc<str>);

/// Where an expression stands; it decides through which door the server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A condition: check constraint, index or exclusion predicate.
    Condition,
    /// A value: an index or exclusion element.
    Value,
    /// A default of a column of this type.
    Default(SqlType),
    /// A stored generated column of this type.
    Generated(SqlType),
}

/// An expression of an object, with its role, for the one who canonicalises.
#[derive(Debug)]
pub struct ExprSlot<'a> {
    /// Where it stands.
    pub role: Role,
    /// The expression, to be replaced by an equal spelling.
    pub expr: &'a mut Expr,
}

impl Expr {
    /// Takes SQL text; white space around it and parentheses around all of it are dropped, since they mean nothing.
    pub fn new(sql: impl AsRef<str>) -> Self {
        let mut text = sql.as_ref().trim();
        while let Some(inner) = strip_parentheses(text) {
            text = inner.trim();
        }
        Self(Arc::from(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lossless token form: white space, the case of unquoted words and needless quotes of identifiers go.
    /// Two expressions with one form are one expression to PostgreSQL; two forms may still be equal.
    pub fn normal(&self) -> Vec<Token<'_>> {
        tokens(&self.0)
    }

    /// Whether the text alone shows that both are one expression.
    pub fn same_tokens(&self, other: &Self) -> bool {
        self.0 == other.0 || self.normal() == other.normal()
    }

    /// Whether this is a literal and the other the same literal with its type said, as the catalog prints the constant
    /// that a column of that type makes of it: `'{}'` and `'{}'::jsonb`.
    pub fn is_literal_in(&self, other: &Self, ty: &SqlType) -> bool {
        let brackets = if ty.is_array() { "[]" } else { "" };
        let plain = self.0.starts_with('\'')
            && matches!(self.normal().as_slice(), [Token::Text(it)] if *it == &*self.0);
        plain
            && other
                .0
                .strip_prefix(&*self.0)
                .is_some_and(|it| it == format!("::{}{brackets}", ty.base()))
    }

    /// Whether it is `NULL`, cast or not.
    pub(crate) fn is_null(&self) -> bool {
        let mut text = self.0.trim();
        while let Some(inner) = strip_parentheses(text) {
            text = inner.trim();
        }
        let tokens = tokens(text);
        let is_null = |it: &Token<'_>| matches!(it, Token::Word(it) if it.as_str() == "null");
        // `NULL::numeric(10,2)::text`: nothing but words, numbers and brackets follows a cast.
        let casts = tokens.get(1..).unwrap_or_default();
        tokens
            .iter()
            .find(|it| **it != Token::Mark("("))
            .is_some_and(is_null)
            && casts.iter().all(|it| match it {
                Token::Word(it) => it.as_str() == "collate" || !OPERATORS.contains(&it.as_str()),
                Token::Text(_) => true,
                Token::Mark(it) => {
                    matches!(*it, "::" | "(" | ")" | "," | "." | "[" | "]")
                        || it.starts_with(|c: char| c.is_ascii_digit() || c == '"')
                }
            })
            && (casts.is_empty() || casts.contains(&Token::Mark("::")))
    }

    /// Whether this condition, or one of those that it joins by `AND`, is that a column is not null.
    pub(crate) fn implies_not_null(&self, column: &Ident) -> bool {
        let tokens = self.normal();
        let word = |at: usize| match tokens.get(at) {
            Some(Token::Word(it)) => Some(it.as_str()),
            _ => None,
        };
        // For each bracket that is open, whether it is one that only groups conditions.
        let mut groups: Vec<bool> = Vec::new();
        let mut begins = true;
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::Mark("(") => groups.push(begins),
                Token::Mark(")") => drop(groups.pop()),
                Token::Word(it) if it.as_str() == "or" && groups.iter().all(|it| *it) => {
                    return false;
                }
                token => {
                    let is_column = begins && token.clone().name().as_ref() == Some(column);
                    let said = [at + 1, at + 2, at + 3].map(word);
                    let closes = |it: &&Token<'_>| **it == Token::Mark(")");
                    let next = tokens.get(at + 4..).unwrap_or_default();
                    let next = at + 4 + next.iter().take_while(closes).count();
                    let ends = next >= tokens.len() || word(next) == Some("and");
                    let is_said = said == [Some("is"), Some("not"), Some("null")];
                    if is_column && is_said && ends && groups.iter().all(|it| *it) {
                        return true;
                    }
                }
            }
            begins = match token {
                Token::Mark("(") => begins,
                token => matches!(token, Token::Word(it) if it.as_str() == "and"),
            };
        }
        false
    }

    /// Every word and quoted identifier in the text, and those inside string literals (`nextval('s'::regclass)`):
    /// a superset of the names that the expression can depend on. A cast to a built-in type is one to that type, also
    /// where another schema has a type of its name: `pg_catalog` is searched first.
    pub fn words(&self) -> BTreeSet<Ident> {
        let mut acc = BTreeSet::new();
        let tokens_here = tokens(&self.0);
        for (at, token) in tokens_here.iter().enumerate() {
            let is_cast = at > 0 && tokens_here[at - 1] == Token::Mark("::");
            let is_path = tokens_here.get(at + 1) == Some(&Token::Mark("."));
            match token.clone() {
                Token::Word(it) if is_cast && !is_path && is_built_in(&it) => {}
                Token::Word(it) => drop(acc.insert(it)),
                Token::Text(it) => {
                    let inner = content(it);
                    acc.extend(tokens(&inner).into_iter().filter_map(Token::name));
                }
                token => acc.extend(token.name()),
            }
        }
        acc
    }

    /// The text as one operand: bare when it is a literal, a call or a cast, in parentheses otherwise.
    pub fn operand(&self) -> String {
        if self.is_operand() {
            self.0.to_string()
        } else {
            format!("({})", self.0)
        }
    }

    /// The text as an index element: bare only when it is one function call (`CREATE INDEX`, parameter `expression`).
    pub fn element(&self) -> String {
        if self.is_call() {
            self.0.to_string()
        } else {
            format!("({})", self.0)
        }
    }

    fn is_operand(&self) -> bool {
        let mut depth = 0_i32;
        let found = tokens(&self.0);
        found.iter().enumerate().all(|(at, token)| match token {
            Token::Mark("(" | "[") => {
                depth += 1;
                true
            }
            Token::Mark(")" | "]") => {
                depth -= 1;
                true
            }
            _ if depth > 0 => true,
            Token::Mark(mark) => {
                matches!(*mark, "::" | "." | ":")
                    || mark.starts_with(|c: char| c.is_ascii_digit() || c == '"')
                    || (at == 0 && matches!(*mark, "-" | "+"))
            }
            Token::Word(word) => !OPERATORS.contains(&word.as_str()),
            Token::Text(_) => true,
        })
    }

    fn is_call(&self) -> bool {
        let found = tokens(&self.0);
        let mut at = 0;
        while matches!(found.get(at), Some(Token::Word(_) | Token::Mark("."))) {
            at += 1;
        }
        if at == 0 || found.get(at) != Some(&Token::Mark("(")) || is_special_call(&found[0]) {
            return false;
        }
        let mut depth = 0_i32;
        for (offset, token) in found[at..].iter().enumerate() {
            match token {
                Token::Mark("(") => depth += 1,
                Token::Mark(")") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at + offset + 1 == found.len();
            }
        }
        false
    }
}

/// Words between operands.
const OPERATORS: &[&str] = &[
    "and", "or", "not", "is", "in", "like", "ilike", "between", "similar", "collate", "at", "case",
    "isnull", "notnull", "overlaps",
];

/// Forms that look like calls but are expressions of their own grammar, which `CREATE INDEX` wants in parentheses.
fn is_special_call(token: &Token<'_>) -> bool {
    matches!(token, Token::Word(word) if matches!(word.as_str(), "cast" | "row" | "array" | "exists" | "not" | "case" | "in"))
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token of the lossless form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token<'a> {
    /// A word or quoted identifier, folded as PostgreSQL folds it. A quoted keyword stays apart from the keyword,
    /// because its text keeps the quotes (see `Mark`).
    Word(Ident),
    /// A string, bit string or dollar-quoted literal, as written.
    Text(&'a str),
    /// An operator, number, bracket, comma or quoted keyword.
    Mark(&'a str),
}

/// What a string literal says, `it's` for `'it''s'` and `E'it''s'`.
fn content(literal: &str) -> String {
    let escapes = literal.starts_with(['e', 'E']);
    let inner = literal.trim_start_matches(['e', 'E']);
    let inner = inner.strip_prefix('\'').unwrap_or(inner);
    let inner = inner.strip_suffix('\'').unwrap_or(inner).replace("''", "'");
    if escapes {
        inner.replace("\\\\", "\\")
    } else {
        inner
    }
}

impl Token<'_> {
    /// The name that it can be: a word, or a keyword in quotes.
    fn name(self) -> Option<Ident> {
        match self {
            Self::Word(it) => Some(it),
            Self::Mark(it) => Ident::parse(it).filter(|_| it.starts_with('"')),
            Self::Text(_) => None,
        }
    }
}

/// Splits SQL text into tokens; comments and white space go.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut acc = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            c if c.is_whitespace() => {
                rest = rest.trim_start();
                continue;
            }
            '-' if rest.starts_with("--") => {
                rest = rest.split_once('\n').map_or("", |(_, it)| it);
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = rest.split_once("*/").map_or("", |(_, it)| it);
                continue;
            }
            '\'' => push(&mut acc, Token::Text, rest, string_end(rest, 1, false)),
            'e' | 'E' if rest[1..].starts_with('\'') => {
                push(&mut acc, Token::Text, rest, string_end(rest, 2, true))
            }
            'b' | 'B' | 'x' | 'X' | 'n' | 'N' if rest[1..].starts_with('\'') => {
                push(&mut acc, Token::Text, rest, string_end(rest, 2, false))
            }
            '$' if dollar_end(rest).is_some() => push(
                &mut acc,
                Token::Text,
                rest,
                dollar_end(rest).unwrap_or(rest.len()),
            ),
            '"' => quoted_word(&mut acc, rest),
            c if c.is_alphabetic() || c == '_' => match parse_ident(rest) {
                Some((ident, after)) => {
                    acc.push(Token::Word(ident));
                    rest.len() - after.len()
                }
                None => push(&mut acc, Token::Mark, rest, c.len_utf8()),
            },
            c if c.is_ascii_digit() => {
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
                    .unwrap_or(rest.len());
                push(&mut acc, Token::Mark, rest, end)
            }
            ':' if rest.starts_with("::") => push(&mut acc, Token::Mark, rest, 2),
            c if is_operator(c) => {
                let end = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
                push(&mut acc, Token::Mark, rest, end)
            }
            c => push(&mut acc, Token::Mark, rest, c.len_utf8()),
        };
        rest = &rest[taken..];
    }
    acc
}

fn push<'a>(
    acc: &mut Vec<Token<'a>>,
    make: fn(&'a str) -> Token<'a>,
    rest: &'a str,
    end: usize,
) -> usize {
    acc.push(make(&rest[..end]));
    end
}

fn quoted_word<'a>(acc: &mut Vec<Token<'a>>, rest: &'a str) -> usize {
    let Some((ident, after)) = parse_ident(rest) else {
        return push(acc, Token::Mark, rest, rest.len());
    };
    let end = rest.len() - after.len();
    // `"user"` and `user` are different things, so a word that needs its quotes keeps them in the token.
    if ident.to_string().starts_with('"')
        && ident
            .as_str()
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_')
    {
        return push(acc, Token::Mark, rest, end);
    }
    acc.push(Token::Word(ident));
    end
}

fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

fn string_end(sql: &str, start: usize, backslashes: bool) -> usize {
    let bytes = sql.as_bytes();
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if backslashes => at += 1,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
            b'\'' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    sql.len()
}

fn dollar_end(sql: &str) -> Option<usize> {
    let close = sql[1..].find('$')? + 2;
    let tag = &sql[..close];
    let inner = &tag[1..tag.len() - 1];
    if inner.starts_with(|c: char| c.is_ascii_digit())
        || !inner.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return None;
    }
    Some(sql[close..].find(tag)? + close + tag.len())
}

fn strip_parentheses(sql: &str) -> Option<&str> {
    let inner = sql.strip_prefix('(')?.strip_suffix(')')?;
    let mut depth = 0_i32;
    for token in tokens(inner) {
        match token {
            Token::Mark("(") => depth += 1,
            Token::Mark(")") => depth -= 1,
            // A comma at the top makes the parentheses a row constructor.
            Token::Mark(",") if depth == 0 => return None,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, right: &str, same: bool) {
        assert_eq!(
            Expr::new(left).same_tokens(&Expr::new(right)),
            same,
            "{left} / {right}"
        );
    }

    #[test]
    fn white_space_case_and_outer_parentheses_mean_nothing() {
        check("age>0", "(age > 0)", true);
        check("NOW( )", "now()", true);
        check("((a) = (b))", "(a) = (b)", true);
        check("\"age\" > 0", "age > 0", true);
        check("a -- why\n> 0", "a > 0", true);
    }

    #[test]
    fn what_means_something_is_kept() {
        check("'X'", "'x'", false);
        check("\"Age\" > 0", "age > 0", false);
        check("\"user\"", "user", false);
        check("(a) + (b)", "a) + (b", false);
        check("a > 0", "b > 0", false);
        check("(a, b)", "a, b", false);
    }

    #[test]
    fn operands_and_elements_get_parentheses_only_where_needed() {
        let check = |sql: &str, operand: &str, element: &str| {
            assert_eq!(Expr::new(sql).operand(), operand);
            assert_eq!(Expr::new(sql).element(), element);
        };
        check("now()", "now()", "now()");
        check("'x'::text", "'x'::text", "('x'::text)");
        check("-1", "-1", "(-1)");
        check("a || b", "(a || b)", "(a || b)");
        check(
            "lower(a) || upper(b)",
            "(lower(a) || upper(b))",
            "(lower(a) || upper(b))",
        );
        check("s.f(a)", "s.f(a)", "s.f(a)");
    }

    #[test]
    fn a_null_is_one_with_any_casts() {
        for sql in [
            "NULL",
            "null::bpchar",
            "(NULL::numeric)::numeric(10,2)",
            "NULL::\"bit\"[]",
        ] {
            assert!(Expr::new(sql).is_null(), "{sql}");
        }
        for sql in [
            "'NULL'",
            "nullif(a, b)",
            "NULL IS NULL",
            "NULL::text IS NULL",
            "COALESCE(NULL::text, 'a'::text)",
            "1",
        ] {
            assert!(!Expr::new(sql).is_null(), "{sql}");
        }
    }

    #[test]
    fn a_condition_that_a_column_is_not_null_is_seen() {
        let check = |sql: &str, expected: bool| {
            let found = Expr::new(sql).implies_not_null(&Ident::new("a"));
            assert_eq!(found, expected, "{sql}");
        };
        check("a IS NOT NULL", true);
        check("(b > 0) AND (a IS NOT NULL)", true);
        check("((length(b) > 0) AND (a IS NOT NULL)) AND (c = 1)", true);
        check("\"a\" is not null", true);
        check("b IS NOT NULL", false);
        check("a IS NULL", false);
        check("(a IS NOT NULL) OR (b > 0)", false);
        check("(b > 0) OR (a IS NOT NULL)", false);
        check("NOT (b AND (a IS NOT NULL))", false);
        check("f(b AND (a IS NOT NULL))", false);
        check("(a IS NOT NULL) = b", false);
    }

    #[test]
    fn words_reach_into_literals() {
        let words = Expr::new("nextval('audit.\"Seq\"'::regclass)").words();
        assert!(words.contains(&Ident::new("Seq")) && words.contains(&Ident::new("audit")));
        let names = |it: &str, name: &str| Expr::new(it).words().contains(&Ident::new(name));
        assert!(names("nextval('\"select\"'::regclass)", "select"));
        assert!(!names("'a'::text", "text") && !names("'1'::int4", "int4"));
        assert!(names("'a'::public.text", "text") && names("text > 'a'::text", "text"));
        assert!(names("'a'::mood", "mood"));
        assert!(names("nextval('\"it''s\"'::regclass)", "it's"));
        assert!(names(
            r#"nextval(E'"back\\slash"'::regclass)"#,
            r"back\slash"
        ));
    }
}
