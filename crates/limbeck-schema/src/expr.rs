//! Expressions: kept as text, compared by a lossless token form here and by the server elsewhere.

use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::sync::Arc;

use limbeck_sql::{TokenKind, is_space, significant};
use serde::Serialize;

use crate::ident::Ident;
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
    /// Takes SQL text; white space around it and parentheses around all of it are dropped, since they mean nothing, and so
    /// is a comment at the end, which would reach into what is written behind.
    pub fn new(sql: impl AsRef<str>) -> Self {
        let text = without_parentheses(sql.as_ref().trim_matches(is_space));
        let text = without_last_comment(text);
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
        if self.0 == other.0 {
            return true;
        }
        let (mut own, mut theirs) = (significant(&self.0), significant(&other.0));
        loop {
            match (own.next(), theirs.next()) {
                (None, None) => return true,
                (Some(own), Some(theirs)) if is_same(&own, &theirs) => {}
                _ => return false,
            }
        }
    }

    /// Whether this is a literal and the other the same literal with its type said, as the catalog prints the constant
    /// that a column of that type makes of it: `'{}'` and `'{}'::jsonb`.
    pub fn is_literal_in(&self, other: &Self, ty: &SqlType) -> bool {
        let brackets = if ty.is_array() { "[]" } else { "" };
        let plain = significant(&self.0)
            .next()
            .is_some_and(|it| it.kind == TokenKind::String && it.text.len() == self.0.len());
        plain
            && other
                .0
                .strip_prefix(&*self.0)
                .is_some_and(|it| it == format!("::{}{brackets}", ty.base()))
    }

    /// Whether it is `NULL`, cast or not.
    pub(crate) fn is_null(&self) -> bool {
        let tokens = self.normal();
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
        // The brackets that are open, by number, and those in which something else than `AND` joins conditions.
        let (mut open, mut others) = (vec![0], BTreeSet::new());
        let (mut found, mut begins) = (Vec::new(), true);
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::Mark("(") => {
                    open.push(at + 1);
                    others.extend((!begins).then_some(at + 1));
                }
                Token::Mark(")") => drop(open.pop()),
                Token::Word(it) if it.as_str() == "or" => others.extend(open.last().copied()),
                token => {
                    let name = match token {
                        Token::Word(it) => Some(it.clone()),
                        Token::Mark(it) => Ident::parse(it).filter(|_| it.starts_with('"')),
                        Token::Text(_) => None,
                    };
                    let is_column = begins && name.as_ref() == Some(column);
                    let is_said = [at + 1, at + 2, at + 3].map(word)
                        == [Some("is"), Some("not"), Some("null")];
                    let closes = |it: &&Token<'_>| **it == Token::Mark(")");
                    let next = tokens.get(at + 4..).unwrap_or_default();
                    let next = at + 4 + next.iter().take_while(closes).count();
                    let ends = next >= tokens.len() || matches!(word(next), Some("and" | "or"));
                    if is_column && is_said && ends {
                        found.push(open.clone());
                    }
                }
            }
            begins = match token {
                Token::Mark("(") => begins,
                token => matches!(token, Token::Word(it) if matches!(it.as_str(), "and" | "or")),
            };
        }
        found
            .iter()
            .any(|open| open.iter().all(|it| !others.contains(it)))
    }

    /// Every word and quoted identifier in the text, and those inside string literals (`nextval('s'::regclass)`):
    /// a superset of the names that the expression can depend on. A cast to a built-in type is one to that type, also
    /// where another schema has a type of its name: `pg_catalog` is searched first.
    pub fn words(&self) -> BTreeSet<Ident> {
        let mut acc = BTreeSet::new();
        let tokens_here: Vec<_> = significant(&self.0).collect();
        for (at, token) in tokens_here.iter().enumerate() {
            let is_cast = at > 0 && tokens_here[at - 1].is_mark("::");
            let is_path = tokens_here.get(at + 1).is_some_and(|it| it.is_mark("."));
            match name(token) {
                Some(it) if is_cast && !is_path && is_built_in_word(token, &it) => {}
                Some(it) => drop(acc.insert(it)),
                None => {
                    let inner = token.value().unwrap_or_default();
                    acc.extend(significant(&inner).filter_map(|it| name(&it)));
                }
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
                    || is_number(mark)
                    || mark.starts_with('"')
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

/// Splits SQL text into tokens; comments and white space go.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    significant(sql).map(|it| normal(&it)).collect()
}

fn normal<'a>(token: &limbeck_sql::Token<'a>) -> Token<'a> {
    let is_quoted = token.kind.is_quoted_ident();
    match name(token) {
        // `"user"` and `user` are different things, so a word that needs its quotes keeps them in the token.
        Some(ident) if is_quoted && is_keyword(&ident) => Token::Mark(token.text),
        Some(ident) => Token::Word(ident),
        None if token.kind.is_string() => Token::Text(token.text),
        None => Token::Mark(token.text),
    }
}

/// The name that a token is, in quotes or without.
fn name(token: &limbeck_sql::Token<'_>) -> Option<Ident> {
    let name = token.ident().filter(|it| token.closed && !it.is_empty())?;
    Some(Ident::from(name.into_owned()))
}

/// Whether a name is in quotes for no other reason than that it is a keyword.
fn is_keyword(ident: &Ident) -> bool {
    let mut bytes = ident.as_str().bytes();
    bytes.all(|it| it.is_ascii_lowercase() || it == b'_') && ident.to_string().starts_with('"')
}

fn is_built_in_word(token: &limbeck_sql::Token<'_>, ident: &Ident) -> bool {
    is_built_in(ident) && !(token.kind.is_quoted_ident() && is_keyword(ident))
}

/// Whether two tokens are equal in the lossless form; it is made of identifiers only.
fn is_same(own: &limbeck_sql::Token<'_>, theirs: &limbeck_sql::Token<'_>) -> bool {
    match (own.kind, theirs.kind) {
        (TokenKind::Word, TokenKind::Word) => own.text.eq_ignore_ascii_case(theirs.text),
        (a, b) if a.is_quoted_ident() || b.is_quoted_ident() => normal(own) == normal(theirs),
        _ => own.text == theirs.text,
    }
}

fn is_number(mark: &str) -> bool {
    let digits = mark.strip_prefix('.').unwrap_or(mark);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// The text without the parentheses that enclose all of it, however many there are.
fn without_parentheses(text: &str) -> &str {
    if !text.starts_with('(') {
        return text;
    }
    let mut openings = Vec::new();
    let mut open: Vec<Opening> = Vec::new();
    let mut is_leading = true;
    for token in limbeck_sql::tokens(text) {
        if token.is_mark("(") {
            let nth = is_leading.then(|| openings.len());
            if is_leading {
                openings.push((token.end(), None));
            }
            open.push(Opening { nth, is_row: false });
        } else {
            is_leading &= token.kind == TokenKind::Space;
        }
        if token.is_mark(",")
            && let Some(it) = open.last_mut()
        {
            it.is_row = true;
        }
        if token.is_mark(")") {
            match open.pop() {
                Some(Opening {
                    nth: Some(nth),
                    is_row: false,
                }) => openings[nth].1 = Some(token.start),
                Some(_) => {}
                None => break,
            }
        }
    }
    let mut found = text;
    let mut end = text.len();
    for (begin, close) in openings {
        match close {
            Some(close) if text[close + 1..end].trim_matches(is_space).is_empty() => {
                end = close;
                found = text[begin..end].trim_matches(is_space);
            }
            _ => break,
        }
    }
    found
}

/// The text without comments at its end, if one of them could be a line comment.
fn without_last_comment(text: &str) -> &str {
    if !text.contains("--") {
        return text;
    }
    let end = significant(text).last().map_or(0, |it| it.end());
    &text[..end]
}

/// A parenthesis that is open.
struct Opening {
    /// Which one of those it is that the text begins with; none if other things stand before it.
    nth: Option<usize>,
    /// Whether a comma in it makes it a row constructor.
    is_row: bool,
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
        check("'a' 'b'", "'a'\n'b'", false);
        check("x = e'\\'' -- a'", "x = e'\\''", true);
        check("a\u{a0}", "a", false);
        check("$a$ -- (b) $a$", "$a$ $a$", false);
        check("a /* /* b */ */ > 0", "a > 0", true);
        check("2*-1", "2 * -1", true);
        check("2@-1", "2 @ -1", false);
    }

    #[test]
    fn parentheses_are_dropped_where_they_enclose_all() {
        let check = |sql: &str, expect: &str| assert_eq!(Expr::new(sql).as_str(), expect, "{sql}");
        check(" ( ( a ) ) ", "a");
        check("((a, b))", "(a, b)");
        check("((a), (b))", "((a), (b))");
        check("((a) + (b))", "(a) + (b)");
        check("(')')", "')'");
        check("(a -- )\n)", "a");
        check("'--' -- a", "'--'");
        check("a -- b\n+ c", "a -- b\n+ c");
        check("((a)", "((a)");
        check("(a))", "(a))");
        check("(a) (b)", "(a) (b)");
        check("()", "");
        let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
        check(&deep, "a");
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
        check("((b > 0) OR (c > 0)) AND (a IS NOT NULL)", true);
        check("((a IS NOT NULL) AND (b > 0)) OR (c > 0)", false);
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
