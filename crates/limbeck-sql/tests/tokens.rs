//! Tokens of every construct, and what is true of the tokens of any text.

use limbeck_sql::{Rules, Token, TokenKind, one_line, one_line_keeping, tokens, tokens_with};
use proptest::prelude::*;

use TokenKind::{
    BitString, BlockComment, DollarString, EscapeString, HexString, LineComment, MetaCommand,
    NationalString, Number, Operator, Other, Parameter, Punctuation, QuotedIdent, Space, String,
    UnicodeIdent, UnicodeString, Word,
};

/// Compares the tokens of `sql` but white space with `expect`.
#[track_caller]
fn check(sql: &str, expect: &[(TokenKind, &str)]) {
    let found: Vec<_> = tokens(sql)
        .filter(|it| it.kind != Space)
        .map(|it| (it.kind, it.text))
        .collect();
    assert_eq!(found, expect, "of {sql:?}");
}

/// Compares what the only token of `sql` says with `expect`.
#[track_caller]
fn check_said(sql: &str, expect: Option<&str>) {
    let found: Vec<Token<'_>> = tokens(sql).collect();
    let [token] = found.as_slice() else {
        panic!("{sql:?} is {found:?}");
    };
    let said = token.value().or_else(|| token.ident());
    assert_eq!(said.as_deref(), expect, "of {sql:?}");
}

#[test]
fn comments_nest_and_end_with_their_line() {
    check(
        "a -- it's\nb",
        &[(Word, "a"), (LineComment, "-- it's"), (Word, "b")],
    );
    check("-- a\rb", &[(LineComment, "-- a"), (Word, "b")]);
    check(
        "--a\u{2028}b\u{85}c\u{b}d",
        &[(LineComment, "--a\u{2028}b\u{85}c\u{b}d")],
    );
    check(
        "/* a /* b */ */c/**/",
        &[
            (BlockComment, "/* a /* b */ */"),
            (Word, "c"),
            (BlockComment, "/**/"),
        ],
    );
    check("/*/ */ a", &[(BlockComment, "/*/ */"), (Word, "a")]);
    check("/***/a", &[(BlockComment, "/***/"), (Word, "a")]);
}

#[test]
fn strings_of_every_sort_are_one_token() {
    check("'a''b;' 'c'", &[(String, "'a''b;'"), (String, "'c'")]);
    check(r"'a\' b", &[(String, r"'a\'"), (Word, "b")]);
    check(
        r"E'a\'b' e'\\' ee'x'",
        &[
            (EscapeString, r"E'a\'b'"),
            (EscapeString, r"e'\\'"),
            (Word, "ee"),
            (String, "'x'"),
        ],
    );
    check(
        "b'01' X'1F' N'a' n''",
        &[
            (BitString, "b'01'"),
            (HexString, "X'1F'"),
            (NationalString, "N'a'"),
            (NationalString, "n''"),
        ],
    );
    check(
        r#"U&'d\0061' u&"b""" u & 'x'"#,
        &[
            (UnicodeString, r"U&'d\0061'"),
            (UnicodeIdent, r#"u&"b""""#),
            (Word, "u"),
            (Operator, "&"),
            (String, "'x'"),
        ],
    );
}

#[test]
fn strings_go_on_after_a_line_break() {
    check("'a'\n 'b'", &[(String, "'a'\n 'b'")]);
    check(
        "'a' -- so\r -- and\n'b'",
        &[(String, "'a' -- so\r -- and\n'b'")],
    );
    check(
        "E'a'\n'\\'' b",
        &[(EscapeString, "E'a'\n'\\''"), (Word, "b")],
    );
    check("'a'\n'b\\' c", &[(String, "'a'\n'b\\'"), (Word, "c")]);
    check("'a' 'b'", &[(String, "'a'"), (String, "'b'")]);
    check(
        "'a'\n/* no */ 'b'",
        &[(String, "'a'"), (BlockComment, "/* no */"), (String, "'b'")],
    );
    check("'a' --", &[(String, "'a'"), (LineComment, "--")]);
    check("$$a$$\n'b'", &[(DollarString, "$$a$$"), (String, "'b'")]);
}

#[test]
fn backslashes_escape_where_the_server_says_so() {
    let rules = Rules {
        standard_conforming_strings: false,
    };
    let found = |sql| {
        tokens_with(sql, rules)
            .map(|it| it.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(r"'a\'' b"), [r"'a\''", " ", "b"]);
    assert_eq!(found("N'a\\''\n'\\''b"), ["N'a\\''\n'\\''", "b"]);
    assert_eq!(found(r"B'\'b"), [r"B'\'", "b"]);
    assert_eq!(found(r#""a\"b"#), [r#""a\""#, "b"]);
}

#[test]
fn dollar_quotes_and_parameters_are_told_apart() {
    check(
        "$$a'b$$ $x$ $$ $x$",
        &[(DollarString, "$$a'b$$"), (DollarString, "$x$ $$ $x$")],
    );
    check(
        "$größe_1$;$größe$ $größe_1$",
        &[(DollarString, "$größe_1$;$größe$ $größe_1$")],
    );
    check("$ab$ $a$ab$", &[(DollarString, "$ab$ $a$ab$")]);
    check(
        "$1, $22a",
        &[
            (Parameter, "$1"),
            (Punctuation, ","),
            (Parameter, "$22"),
            (Word, "a"),
        ],
    );
    check("a$b$c", &[(Word, "a$b$c")]);
    check("1$a$;$a$", &[(Number, "1"), (DollarString, "$a$;$a$")]);
    check("$1$a$;$a$", &[(Parameter, "$1"), (DollarString, "$a$;$a$")]);
    check(
        "$a ${b}",
        &[
            (Other, "$"),
            (Word, "a"),
            (Other, "$"),
            (Other, "{"),
            (Word, "b"),
            (Other, "}"),
        ],
    );
}

#[test]
fn words_and_quoted_identifiers_may_have_any_letters() {
    check(
        "größe été_1 _$x",
        &[(Word, "größe"), (Word, "été_1"), (Word, "_$x")],
    );
    check(
        "a\u{feff}b \u{a0}",
        &[(Word, "a\u{feff}b"), (Word, "\u{a0}")],
    );
    check("\u{feff}a", &[(Word, "\u{feff}a")]);
    check(
        r#""a;""'" "b""#,
        &[(QuotedIdent, r#""a;""'""#), (QuotedIdent, r#""b""#)],
    );
}

#[test]
fn numbers_end_where_the_server_ends_them() {
    check(
        "1 1.5e-3 .5 1. 0xFF 1_000 0b01 0o17",
        &[
            (Number, "1"),
            (Number, "1.5e-3"),
            (Number, ".5"),
            (Number, "1."),
            (Number, "0xFF"),
            (Number, "1_000"),
            (Number, "0b01"),
            (Number, "0o17"),
        ],
    );
    check(
        "1..10",
        &[(Number, "1"), (Punctuation, ".."), (Number, "10")],
    );
    check("1e'\\''", &[(Number, "1"), (EscapeString, "e'\\''")]);
    check("0x'1'", &[(Number, "0"), (HexString, "x'1'")]);
    check("12abc", &[(Number, "12"), (Word, "abc")]);
}

#[test]
fn operators_are_cut_as_the_server_cuts_them() {
    check("a<=b", &[(Word, "a"), (Operator, "<="), (Word, "b")]);
    check(
        "2*-1",
        &[
            (Number, "2"),
            (Operator, "*"),
            (Operator, "-"),
            (Number, "1"),
        ],
    );
    check("2@-1", &[(Number, "2"), (Operator, "@-"), (Number, "1")]);
    check(
        "a+--b\nc",
        &[
            (Word, "a"),
            (Operator, "+"),
            (LineComment, "--b"),
            (Word, "c"),
        ],
    );
    check(
        "a*/**/b",
        &[
            (Word, "a"),
            (Operator, "*"),
            (BlockComment, "/**/"),
            (Word, "b"),
        ],
    );
    check("a->>b", &[(Word, "a"), (Operator, "->>"), (Word, "b")]);
    check(
        "a::b := c : d[1]",
        &[
            (Word, "a"),
            (Punctuation, "::"),
            (Word, "b"),
            (Punctuation, ":="),
            (Word, "c"),
            (Punctuation, ":"),
            (Word, "d"),
            (Punctuation, "["),
            (Number, "1"),
            (Punctuation, "]"),
        ],
    );
}

#[test]
fn commands_to_psql_reach_to_the_end_of_the_line() {
    check(
        "a \\gset x\nb",
        &[(Word, "a"), (MetaCommand, "\\gset x"), (Word, "b")],
    );
    check("\\", &[(MetaCommand, "\\")]);
}

#[test]
fn what_is_not_closed_reaches_to_the_end() {
    for sql in [
        "'a;",
        "'a''",
        "E'a\\'",
        "E'\\",
        "\"a",
        "U&\"a",
        "U&'",
        "N'",
        "$x$ $$",
        "$$",
        "/* a /* */",
        "'a'\n'b",
    ] {
        let found: Vec<_> = tokens(sql).collect();
        let [token] = found.as_slice() else {
            panic!("{sql:?} is {found:?}");
        };
        assert!(!token.closed && token.text == sql, "{sql:?}");
    }
    assert!(tokens("'a' \"b\" /* */ $$ $$ E'\\''").all(|it| it.closed));
}

#[test]
fn lines_end_as_the_server_counts_them() {
    let lines: Vec<_> = tokens("a\nb\r\nc\rd '\n\r\n' e")
        .filter(|it| it.kind != Space)
        .map(|it| it.line)
        .collect();
    assert_eq!(lines, [1, 2, 3, 4, 4, 6]);
}

#[test]
fn quoted_tokens_say_what_the_server_reads() {
    check_said("Größe", Some("größe"));
    check_said("ÄB", Some("Äb"));
    check_said(r#""A""b""#, Some(r#"A"b"#));
    check_said(r#""a"""#, Some(r#"a""#));
    check_said(r#"U&"d\0061t\+000061\\""#, Some(r"data\"));
    check_said(r#"U&"\d83d\de00""#, Some("\u{1f600}"));
    check_said(r#"U&"\00""#, None);
    check_said("'it''s'\n''''", Some("it's'"));
    check_said("''\n'b'", Some("b"));
    check_said(
        r"E'a\n\t\\\'\x41\101\u00e9\U0001F600\q'''",
        Some("a\n\t\\'AAé\u{1f600}q'"),
    );
    check_said(r"E'\xc3\xa9'", Some("é"));
    check_said(r"E'\xff'", None);
    check_said(r"E'\u12'", None);
    check_said("$x$a'$$b$x$", Some("a'$$b"));
    check_said("$$ab", Some("ab"));
    check_said("N'a'", Some("a"));
    check_said("X'1f'", Some("1f"));
    check_said("'a", Some("a"));
    check_said("E'a\\", None);
}

#[test]
fn nothing_ends_a_line_that_was_made_one() {
    let check = |text: &str, expect: &str| assert_eq!(one_line(text), expect);
    check("plain é 漢", "plain é 漢");
    check("a\nb\rc\td", "a\\nb\\rc\\td");
    check(
        "\u{1b}[31m\u{7f}\u{85}\u{2028}",
        "\\u{1b}[31m\\u{7f}\\u{85}\\u{2028}",
    );
    check(
        "a\u{202e}b\u{2066}\u{feff}",
        "a\\u{202e}b\\u{2066}\\u{feff}",
    );
    assert_eq!(
        one_line_keeping("\u{1}a\u{2}\n\u{3}", &['\u{1}', '\u{2}', '\n']),
        "\u{1}a\u{2}\\n\\u{3}"
    );
}

#[test]
fn an_excerpt_is_one_line_of_limited_length() {
    let check =
        |text: &str, most, expect: &str| assert_eq!(limbeck_sql::excerpt(text, most), expect);
    check("SELECT\n  1", 20, "SELECT 1");
    check("SELECT 1", 8, "SELECT 1");
    check("SELECT 12", 8, "SELECT 1…");
    check("SELECT 12", 6, "SELECT…");
    check("SELECT 12", 7, "SELECT…");
    check("é\u{1b}é", 2, "é\\u{1b}…");
    check("", 2, "");
}

/// Texts of what is special to the lexer.
fn hostile() -> impl Strategy<Value = std::string::String> {
    let piece = prop::sample::select(vec![
        "'",
        "''",
        "\"",
        "\\",
        "$",
        "$$",
        "$a$",
        "$é$",
        "/*",
        "*/",
        "--",
        "\n",
        "\r",
        " ",
        "E'",
        "e",
        "U&",
        "U&'",
        "U&\"",
        "N'",
        "B'",
        "x",
        "1",
        "0x",
        "1e",
        ".",
        "..",
        ";",
        "(",
        ")",
        ":",
        "::",
        "+",
        "-",
        "*",
        "/",
        "@",
        "é",
        "\u{feff}",
        "\0",
        "{",
        "a",
        "BEGIN ATOMIC",
        "CREATE FUNCTION",
        "END",
        "CASE",
        "DROP",
        "TABLE",
        "ON",
        "SET",
        "GRANT",
        "UESCAPE '!'",
        "\u{b}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|it| it.concat())
}

proptest! {
    #[test]
    fn no_text_loses_a_byte_or_makes_a_panic(text in prop_oneof![hostile(), ".*"], conforming: bool) {
        let rules = Rules { standard_conforming_strings: conforming };
        let mut at = 0;
        for token in tokens_with(&text, rules) {
            prop_assert_eq!(token.start, at);
            prop_assert!(!token.text.is_empty());
            prop_assert_eq!(&text[at..token.end()], token.text);
            let line = 1 + line_ends(&text[..at], &text[at..]);
            prop_assert_eq!(token.line, line);
            let _ = (token.ident(), token.value());
            at = token.end();
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn no_text_upsets_statements_and_heads(text in prop_oneof![hostile(), ".*"]) {
        for it in limbeck_sql::split(&text).unwrap_or_default() {
            prop_assert!(text.contains(&it.sql));
            if it.sql.starts_with('\u{feff}') {
                continue;
            }
            prop_assert!(it.head().is_some());
            let again = limbeck_sql::split(&it.sql);
            prop_assert_eq!(again.map(|them| them.len()), Ok(1));
        }
        if let Some(head) = limbeck_sql::Head::of(&text) {
            let _ = (head.on(), head.setting(), head.transaction(), head.explained());
        }
    }

    #[test]
    fn one_line_is_one_comment(text in prop_oneof![hostile(), ".*", "[\\x00-\\x20\\u{80}-\\u{a0}\\u{2000}-\\u{20ff}]*"]) {
        let line = format!("-- {}", one_line(&text));
        let found: Vec<_> = tokens(&line).collect();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].kind, LineComment);
    }
}

fn line_ends(text: &str, next: &str) -> usize {
    let joined = text.replace("\r\n", "\n");
    let split = text.ends_with('\r') && next.starts_with('\n');
    joined.matches(['\n', '\r']).count() - usize::from(split)
}
