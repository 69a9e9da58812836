//! SQL text cut into pieces, as far as variables need it: where a reference stands decides how its value is written.
//!
//! The lexical rules are those of PostgreSQL's documentation, page "Lexical Structure". Nothing is ever an error here: what
//! is not closed goes on to the end of the text, and the server says what is wrong with it.

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
    /// Any other character.
    Symbol,
}

/// The pieces of a text.
pub(crate) fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &sql[at..];
        let first = rest.chars().next()?;
        let (kind, length) = piece(rest, first);
        let it = Piece {
            kind,
            text: &rest[..length],
            start: at,
        };
        at += length;
        Some(it)
    })
}

fn piece(rest: &str, first: char) -> (PieceKind, usize) {
    let end = |it: Option<usize>| it.unwrap_or(rest.len());
    match first {
        c if c.is_whitespace() => (
            PieceKind::Space,
            end(rest.find(|c: char| !c.is_whitespace())),
        ),
        '-' if rest.starts_with("--") => (PieceKind::Comment, end(rest.find(['\n', '\r']))),
        '/' if rest.starts_with("/*") => (PieceKind::Comment, block_comment(rest)),
        '\'' => (PieceKind::Text, quoted(rest, 0, '\'', false)),
        '"' => (PieceKind::Quoted, quoted(rest, 0, '"', false)),
        '$' if rest.starts_with("${:") => (PieceKind::Escape, "${:".len()),
        '$' if reference(rest).is_some() => (PieceKind::Word, word(rest)),
        '$' => match dollar(rest) {
            Some(length) => (PieceKind::Dollar, length),
            None => (PieceKind::Symbol, 1),
        },
        c if is_word(c) => prefixed(rest).unwrap_or_else(|| (PieceKind::Word, word(rest))),
        c => (PieceKind::Symbol, c.len_utf8()),
    }
}

/// Strings and identifiers with a prefix: `E'…'`, `B'…'`, `X'…'`, `N'…'`, `U&'…'`, `U&"…"`.
fn prefixed(rest: &str) -> Option<(PieceKind, usize)> {
    let mut chars = rest.chars().map(|it| it.to_ascii_lowercase());
    match (chars.next()?, chars.next()?, chars.next()) {
        ('e', '\'', _) => Some((PieceKind::Text, quoted(rest, 1, '\'', true))),
        ('b' | 'x' | 'n', '\'', _) => Some((PieceKind::Text, quoted(rest, 1, '\'', false))),
        ('u', '&', Some('\'')) => Some((PieceKind::Text, quoted(rest, 2, '\'', false))),
        ('u', '&', Some('"')) => Some((PieceKind::Quoted, quoted(rest, 2, '"', false))),
        _ => None,
    }
}

/// The end of what the quote at `open` begins; a doubled quote does not end it.
fn quoted(rest: &str, open: usize, quote: char, backslashes: bool) -> usize {
    let mut chars = rest[open + 1..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslashes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return open + 1 + at + 1;
        }
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of `$tag$…$tag$`.
fn dollar(rest: &str) -> Option<usize> {
    let tag = dollar_tag(rest)?;
    let length = rest[tag.len()..].find(tag);
    Some(length.map_or(rest.len(), |it| tag.len() + it + tag.len()))
}

/// `$tag$` at the beginning of a text.
pub(super) fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let length = inner.find(|c: char| !is_word(c)).unwrap_or(inner.len());
    let numbered = inner.starts_with(|c: char| c.is_ascii_digit());
    (!numbered && inner[length..].starts_with('$')).then(|| &text[..length + 2])
}

fn word(rest: &str) -> usize {
    let mut at = 0;
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
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() && !c.is_whitespace()
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
    }

    #[test]
    fn references_are_part_of_the_word_around_them() {
        check("${a}b.c${d}", &["W ${a}b", "S .", "W c${d}"]);
        check("x${hash:fk_${a}_b}", &["W x${hash:fk_${a}_b}"]);
        check(
            "${:a} ${} $1",
            &["E ${:", "W a", "S }", "S $", "S {", "S }", "S $", "W 1"],
        );
        check("a$b$c", &["W a$b$c"]);
    }

    #[test]
    fn comments_nest_and_end_with_their_line() {
        check("a -- it's\nb", &["W a", "C -- it's", "W b"]);
        check("/* a /* b */ */c", &["C /* a /* b */ */", "W c"]);
    }
}
