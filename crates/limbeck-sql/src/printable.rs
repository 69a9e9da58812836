//! SQL without hidden characters, that means the same; and SQL that psql passes on as it is.

use std::borrow::Cow;
use std::fmt::Write;

use crate::token::{Token, TokenKind};
use crate::tokens;
use crate::visible::{is_hidden, one_line, visible_lines};

/// Returns SQL with the meaning of `sql` in which no character is hidden ([`crate::is_hidden`]), but for the line feeds and
/// tabs between tokens and in strings: identifiers become `U&"\000D"`, strings `E'\r'`, and in comments stand escapes.
///
/// A server whose encoding lacks a character refuses the escape, as it would refuse the character.
#[must_use]
pub fn printable(sql: &str) -> Cow<'_, str> {
    if !sql.contains(is_hidden) {
        return Cow::Borrowed(sql);
    }
    let all: Vec<Token<'_>> = tokens(sql).collect();
    let mut out = String::with_capacity(sql.len() + 16);
    for (at, token) in all.iter().enumerate() {
        if !token.text.contains(is_hidden) {
            out.push_str(token.text);
            continue;
        }
        let mut rest = all[at + 1..].iter().filter(|it| !it.kind.is_trivia());
        let uescape = rest.next().is_some_and(|it| it.is_word("UESCAPE"));
        let uescape = uescape.then(|| rest.next()?.value()).flatten();
        match uescape.and_then(|it| it.chars().next()) {
            Some(escape) => in_place(&mut out, token.text, escape),
            None => rewrite(&mut out, token),
        }
    }
    Cow::Owned(out)
}

/// Writes a token that has hidden characters.
fn rewrite(out: &mut String, token: &Token<'_>) {
    let kept = |c: char| matches!(c, '\n' | '\t');
    match token.kind {
        TokenKind::Space => space(out, token.text),
        TokenKind::Word | TokenKind::QuotedIdent | TokenKind::UnicodeIdent => {
            match token.ident().filter(|_| token.closed) {
                Some(name) => {
                    part(out);
                    unicode_ident(out, &name);
                }
                None => out.push_str(&visible_lines(token.text)),
            }
        }
        kind if kind.is_string() && !token.text.contains(|c| is_hidden(c) && !kept(c)) => {
            out.push_str(token.text);
        }
        TokenKind::String
        | TokenKind::EscapeString
        | TokenKind::NationalString
        | TokenKind::UnicodeString
        | TokenKind::DollarString => match token.value().filter(|_| token.closed) {
            Some(value) => {
                part(out);
                if token.kind == TokenKind::NationalString {
                    out.push_str("NCHAR ");
                }
                escape_string(out, &value);
            }
            None => out.push_str(&visible_lines(token.text)),
        },
        TokenKind::BlockComment => out.push_str(&visible_lines(token.text)),
        _ => out.push_str(&one_line(token.text)),
    }
}

/// Keeps a token that begins with a letter apart from a word before it, which a quote needs no space for.
fn part(out: &mut String) {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    if out.ends_with(joins) {
        out.push(' ');
    }
}

/// White space in which every line ends with a line feed.
fn space(out: &mut String, text: &str) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            ' ' | '\n' | '\t' => out.push(c),
            _ => out.push(' '),
        }
    }
}

fn unicode_ident(out: &mut String, name: &str) {
    out.push_str("U&\"");
    for c in name.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\\' => out.push_str("\\\\"),
            c if is_hidden(c) => unicode_escape(out, c, '\\'),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn unicode_escape(out: &mut String, c: char, escape: char) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match code {
        ..0x10000 => write!(out, "{escape}{code:04X}"),
        _ => write!(out, "{escape}+{code:06X}"),
    };
}

/// A token that names its escape character itself, with its hidden characters escaped by that one.
fn in_place(out: &mut String, text: &str, escape: char) {
    for c in text.chars() {
        match is_hidden(c) {
            true => unicode_escape(out, c, escape),
            false => out.push(c),
        }
    }
}

fn escape_string(out: &mut String, value: &str) {
    out.push_str("E'");
    for c in value.chars() {
        // Writing to a string cannot fail.
        let _ = match c {
            '\'' => write!(out, "''"),
            '\\' => write!(out, "\\\\"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            '\n' => writeln!(out),
            c if !is_hidden(c) => write!(out, "{c}"),
            c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
            c if u32::from(c) < 0x10000 => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push('\'');
}

/// Returns a script that psql passes on to the server as it stands. psql puts its own variables where `:name`, `:'name'`,
/// `:"name"` or `:{?name}` stands outside of quotes and comments, as in the slice `a[1:n]`; a space behind the colon keeps
/// it from that, and means nothing to the server.
#[must_use]
pub fn for_psql(sql: &str) -> Cow<'_, str> {
    let begins_name = |it: &Token<'_>| {
        let first = it.text.chars().next();
        first.is_some_and(|c| c.is_alphanumeric() || !c.is_ascii() || "_'\"{".contains(c))
    };
    let mut places = Vec::new();
    let mut last_is_colon = false;
    for token in tokens(sql) {
        if last_is_colon && begins_name(&token) {
            places.push(token.start);
        }
        last_is_colon = token.is_mark(":");
    }
    if places.is_empty() {
        return Cow::Borrowed(sql);
    }
    let mut out = String::with_capacity(sql.len() + places.len());
    let mut done = 0;
    for place in places {
        out.push_str(&sql[done..place]);
        out.push(' ');
        done = place;
    }
    out.push_str(&sql[done..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what SQL becomes, and that it stays so.
    #[track_caller]
    fn check(sql: &str, expect: &str) {
        let found = printable(sql);
        assert_eq!(found, expect);
        assert_eq!(printable(&found), expect);
        let hidden = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
        assert!(!found.contains(hidden), "{found:?}");
    }

    #[test]
    fn sql_without_hidden_characters_stays() {
        check(
            "SELECT 'größe\n\tx', \"A\" -- y\n;",
            "SELECT 'größe\n\tx', \"A\" -- y\n;",
        );
    }

    #[test]
    fn identifiers_become_unicode_escapes() {
        check(
            "DROP TABLE \"t\rDROP TABLE x; --\";",
            "DROP TABLE U&\"t\\000DDROP TABLE x; --\";",
        );
        check("a.\"b\n\"\"c\\\"", "a.U&\"b\\000A\"\"c\\\\\"");
        check("SELECT 1 AS\"\u{202e}\"", "SELECT 1 AS U&\"\\202E\"");
        check("\"\u{e0041}\"", "U&\"\\+0E0041\"");
        check("Caf\u{200b}E", "U&\"caf\\200Be\"");
        check("U&\"a\\0041\u{1b}\"", "U&\"aA\\001B\"");
        check(
            "U&\"a!0041\u{1b}\" UESCAPE '!'",
            "U&\"a!0041!001B\" UESCAPE '!'",
        );
    }

    #[test]
    fn strings_become_escape_strings() {
        check("'a\u{1b}]0;x\\''\r\n'", "E'a\\x1b]0;x\\\\''\\r\n'");
        check("date'\u{202e}'", "date E'\\u202e'");
        check("E'\\\\a\u{7f}\\n'", "E'\\\\a\\x7f\n'");
        check("'a'\n'b\r'", "E'ab\\r'");
        check("N'\u{9b}'", "NCHAR E'\\u009b'");
        check("$x$a'\u{1b}$x$", "E'a''\\x1b'");
        check("U&'\\0041\u{1b}'", "E'A\\x1b'");
    }

    #[test]
    fn comments_and_lines_keep_their_ends() {
        check(
            "-- a\u{1b}b\rSELECT 1;\r\n\u{c}x",
            "-- a\\u{1b}b\nSELECT 1;\n x",
        );
        check("/* \u{202e}\n\r */", "/* \\u{202e}\n\\r */");
        check("'open\u{1b}", "'open\\u{1b}");
    }

    #[track_caller]
    fn check_psql(sql: &str, expect: &str) {
        assert_eq!(for_psql(sql), expect);
    }

    #[test]
    fn psql_finds_no_variable_of_its_own() {
        check_psql(
            "SELECT a[1:n], a[n:\"USER\"], a[:'x'], a[1:2], :{?x}",
            "SELECT a[1: n], a[n: \"USER\"], a[: 'x'], a[1: 2], : {?x}",
        );
        check_psql(
            "x::int, y := 1, ':x', \":x\", $$:x$$ -- :x",
            "x::int, y := 1, ':x', \":x\", $$:x$$ -- :x",
        );
    }
}
