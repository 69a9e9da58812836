//! SQL text cut into pieces, as far as variables need it: where a reference stands decides how its value is written.
//!
//! Pieces are the tokens of `limbeck-sql`, but for references outside of quotes, which are part of the word around them.
//! Nothing is ever an error here: what is not closed goes on to the end of the text, and the server says what is wrong
//! with it.

use limbeck_sql::TokenKind;

use super::reference;

/// A piece of SQL text. All pieces together are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: PieceKind,
    pub(crate) text: &'a str,
    /// Its first byte in the whole text.
    pub(crate) start: usize,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// White space.
    Space,
    /// `-- …` without its line end, or `/* … */`.
    Comment,
    /// `'…'` with whatever prefix.
    Text,
    /// `"…"` with whatever prefix.
    Quoted,
    /// `$tag$…$tag$`.
    Dollar,
    /// A name, a keyword or a number, with the references inside it: `${prefix}file`.
    Word,
    /// `${:`, which stands for `${`.
    Escape,
    /// Any other token.
    Symbol,
}

/// The pieces of a text.
pub(crate) fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &sql[at..];
        if rest.is_empty() {
            return None;
        }
        let (kind, length) = piece(rest);
        let it = Piece {
            kind,
            text: &rest[..length],
            start: at,
        };
        at += length;
        Some(it)
    })
}

fn piece(rest: &str) -> (PieceKind, usize) {
    if rest.starts_with("${:") {
        return (PieceKind::Escape, "${:".len());
    }
    if reference(rest).is_some() {
        return (PieceKind::Word, word(rest, 0));
    }
    let Some(token) = limbeck_sql::tokens(rest).next() else {
        return (PieceKind::Symbol, rest.len());
    };
    let length = token.text.len();
    match token.kind {
        TokenKind::Space => (PieceKind::Space, length),
        it if it.is_comment() => (PieceKind::Comment, length),
        it if it.is_quoted_ident() => (PieceKind::Quoted, length),
        TokenKind::DollarString => (PieceKind::Dollar, length),
        it if it.is_string() => (PieceKind::Text, length),
        TokenKind::Word => (PieceKind::Word, word(rest, 0)),
        TokenKind::Number if reference(&rest[length..]).is_some() => {
            (PieceKind::Word, word(rest, length))
        }
        TokenKind::Number => (PieceKind::Word, length),
        TokenKind::MetaCommand => (PieceKind::Symbol, 1),
        _ => (PieceKind::Symbol, length),
    }
}

/// `$tag$` at the beginning of a text.
pub(super) fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let length = inner.find(|c: char| !is_word(c)).unwrap_or(inner.len());
    let numbered = inner.starts_with(|c: char| c.is_ascii_digit());
    (!numbered && inner[length..].starts_with('$')).then(|| &text[..length + 2])
}

/// The length of a word with references in it, which goes on at `at`.
fn word(rest: &str, mut at: usize) -> usize {
    while let Some(c) = rest[at..].chars().next() {
        if let Some((_, length)) = reference(&rest[at..]) {
            at += length;
        } else if is_word(c) || (c == '$' && at > 0 && !rest[at..].starts_with("${")) {
            at += c.len_utf8();
        } else {
            break;
        }
    }
    at
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every piece but white space, with its kind's first letter.
    #[track_caller]
    fn check(sql: &str, expected: &[&str]) {
        let found: Vec<_> = pieces(sql)
            .filter(|it| it.kind != PieceKind::Space)
            .map(|it| format!("{:.1} {}", format!("{:?}", it.kind), it.text))
            .collect();
        assert_eq!(found, expected);
        let whole: String = pieces(sql).map(|it| it.text).collect();
        assert_eq!(whole, sql);
    }

    #[test]
    fn what_quotes_a_text_is_known() {
        check("'a''b' \"c\"\"d\"", &["T 'a''b'", "Q \"c\"\"d\""]);
        check("E'a\\'b' e'c'", &["T E'a\\'b'", "T e'c'"]);
        check("U&'a' u&\"b\" N'c'", &["T U&'a'", "Q u&\"b\"", "T N'c'"]);
        check("$$a'b$$ $x$ $$ $x$", &["D $$a'b$$", "D $x$ $$ $x$"]);
        check("'open", &["T 'open"]);
        check("e'a'\n'\\'${b}'", &["T e'a'\n'\\'${b}'"]);
    }

    #[test]
    fn references_are_part_of_the_word_around_them() {
        check("${a}b.c${d}", &["W ${a}b", "S .", "W c${d}"]);
        check("x${hash:fk_${a}_b}", &["W x${hash:fk_${a}_b}"]);
        check(
            "${:a} ${} $1",
            &["E ${:", "W a", "S }", "S $", "S {", "S }", "S $1"],
        );
        check("a$b$c", &["W a$b$c"]);
        check("1${a}b 1.5", &["W 1${a}b", "W 1.5"]);
        check("a::b->>'c'", &["W a", "S ::", "W b", "S ->>", "T 'c'"]);
        check("1$a$;$a$", &["W 1", "D $a$;$a$"]);
    }

    #[test]
    fn comments_nest_and_end_with_their_line() {
        check("a -- it's\nb", &["W a", "C -- it's", "W b"]);
        check("/* a /* b */ */c", &["C /* a /* b */ */", "W c"]);
    }
}
