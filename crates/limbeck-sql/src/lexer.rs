//! The lexer: `squawk-lexer`'s rules, with those of PostgreSQL's that it leaves out.
//!
//! Added are: strings that go on after a line break (the second part of an `E'…'` knows backslashes too), strings with
//! `standard_conforming_strings` off, operators of more than one character, and psql's commands. Characters that
//! `squawk-lexer` joins to a number or a parameter as junk are tokens of their own, as older servers take them; newer
//! ones refuse them.

use std::ops::ControlFlow;

use squawk_lexer::{LiteralKind, TokenKind as Raw};

use crate::token::{Token, TokenKind};

/// PostgreSQL refuses operators of more bytes (`NAMEDATALEN` is 64), so no more are looked at.
const MAX_OPERATOR_BYTES: usize = 64;

/// Settings of the server that change how a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The server's `standard_conforming_strings`: whether a backslash in `'…'` is an ordinary character. It is on by
    /// default.
    pub standard_conforming_strings: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            standard_conforming_strings: true,
        }
    }
}

/// Returns all tokens of `sql`, white space and comments included.
#[must_use]
pub fn tokens(sql: &str) -> Tokens<'_> {
    tokens_with(sql, Rules::default())
}

/// Returns all tokens of `sql` as a server with other settings reads it.
#[must_use]
pub fn tokens_with(sql: &str, rules: Rules) -> Tokens<'_> {
    Tokens {
        sql,
        at: 0,
        line: 1,
        rules,
    }
}

/// Returns the tokens of `sql` that mean something to the server: no white space, no comments.
pub fn significant(sql: &str) -> impl Iterator<Item = Token<'_>> + Clone {
    tokens(sql).filter(|it| !it.kind.is_trivia())
}

/// The tokens of a text, in order.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
    rules: Rules,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.sql.get(self.at..).filter(|it| !it.is_empty())?;
        let found = read(rest, self.rules);
        // Never taken: a length of the lexer's is at least 1 and ends a character.
        let text = rest
            .get(..found.length)
            .filter(|it| !it.is_empty())
            .unwrap_or(rest);
        let token = Token {
            kind: found.kind,
            text,
            start: self.at,
            line: self.line,
            closed: found.closed,
        };
        self.at += text.len();
        self.line += line_ends(text, self.sql.as_bytes().get(self.at).copied());
        Some(token)
    }
}

/// How many lines end in `text`, behind which the byte `next` stands: a CR before a LF ends none of its own.
fn line_ends(text: &str, next: Option<u8>) -> usize {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter(|&(at, &byte)| {
        byte == b'\n' || byte == b'\r' && bytes.get(at + 1).copied().or(next) != Some(b'\n')
    });
    ends.count()
}

struct Found {
    kind: TokenKind,
    length: usize,
    closed: bool,
}

impl Found {
    fn closed(kind: TokenKind, length: usize) -> Self {
        Self {
            kind,
            length,
            closed: true,
        }
    }
}

/// The token at the beginning of `rest`, which is not empty.
fn read(rest: &str, rules: Rules) -> Found {
    // `squawk-lexer` passes over a byte order mark; to the server it is a letter, as every character outside ASCII.
    if rest.starts_with(squawk_lexer::BOM) {
        return Found::closed(TokenKind::Word, word(rest));
    }
    let Some(raw) = squawk_lexer::tokenize(rest).next() else {
        return Found::closed(TokenKind::Other, rest.len());
    };
    let length = usize::try_from(raw.len).unwrap_or(rest.len());
    let (kind, length, closed) = match raw.kind {
        Raw::Whitespace => (TokenKind::Space, length, true),
        Raw::LineComment => (TokenKind::LineComment, length, true),
        Raw::BlockComment { terminated } => (TokenKind::BlockComment, length, terminated),
        Raw::Ident => (TokenKind::Word, length, true),
        Raw::QuotedIdent {
            terminated,
            uescape: true,
        } => (TokenKind::UnicodeIdent, length, terminated),
        Raw::QuotedIdent { terminated, .. } => (TokenKind::QuotedIdent, length, terminated),
        Raw::Literal { kind } => return literal(rest, kind, length, rules),
        Raw::PositionalParam {
            trailing_junk_start: 0 | 1,
        } => (TokenKind::Other, 1, true),
        Raw::PositionalParam {
            trailing_junk_start,
        } => (TokenKind::Parameter, size(trailing_junk_start), true),
        Raw::Colon if rest.starts_with("::") || rest.starts_with(":=") => {
            (TokenKind::Punctuation, 2, true)
        }
        Raw::Semi
        | Raw::Colon
        | Raw::Dot
        | Raw::DotDot
        | Raw::Comma
        | Raw::OpenParen
        | Raw::CloseParen
        | Raw::OpenBracket
        | Raw::CloseBracket => (TokenKind::Punctuation, length, true),
        _ if is_operator(rest.as_bytes()[0]) => (TokenKind::Operator, operator(rest), true),
        _ if rest.starts_with('\\') => (
            TokenKind::MetaCommand,
            rest.find('\n').unwrap_or(rest.len()),
            true,
        ),
        _ => (TokenKind::Other, length, true),
    };
    Found {
        kind,
        length,
        closed,
    }
}

fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn literal(rest: &str, kind: LiteralKind, length: usize, rules: Rules) -> Found {
    let plain = !rules.standard_conforming_strings;
    let (kind, open, backslashes) = match kind {
        LiteralKind::Int {
            base,
            trailing_junk_start,
            ..
        } => {
            let digits = size(trailing_junk_start);
            // `0x` without digits: the zero is the number.
            let is_bare = base != squawk_lexer::Base::Decimal && digits <= 2;
            let length = if is_bare { 1 } else { digits };
            return Found::closed(TokenKind::Number, length);
        }
        LiteralKind::Numeric {
            empty_exponent_start,
            trailing_junk_start,
        } => {
            let length = size(empty_exponent_start.unwrap_or(trailing_junk_start));
            return Found::closed(TokenKind::Number, length);
        }
        LiteralKind::DollarQuotedString { terminated } => {
            return Found {
                kind: TokenKind::DollarString,
                length,
                closed: terminated,
            };
        }
        LiteralKind::Str { .. } => (TokenKind::String, 0, plain),
        LiteralKind::NationalStr { .. } => (TokenKind::NationalString, 1, plain),
        LiteralKind::ByteStr { .. } => (TokenKind::HexString, 1, false),
        LiteralKind::BitStr { .. } => (TokenKind::BitString, 1, false),
        LiteralKind::EscStr { .. } => (TokenKind::EscapeString, 1, true),
        LiteralKind::UnicodeEscStr { .. } => (TokenKind::UnicodeString, 2, false),
    };
    let end = string_end(rest, open, backslashes);
    Found {
        kind,
        length: end.unwrap_or(rest.len()),
        closed: end.is_some(),
    }
}

/// The end of the string whose quote is at `open`, with the parts in which it goes on.
fn string_end(text: &str, open: usize, backslashes: bool) -> Option<usize> {
    let mut end = None;
    let _ = string_parts(text, open, backslashes, |_, part_end| {
        end = part_end;
        ControlFlow::Continue(())
    });
    end
}

/// Calls `part` with the content of each part of a string, as offsets: where it begins, and where it ends behind its
/// closing quote, or nowhere.
pub(crate) fn string_parts(
    text: &str,
    open: usize,
    backslashes: bool,
    mut part: impl FnMut(usize, Option<usize>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut next = Some(open);
    while let Some(quote) = next {
        let end = part_end(text.as_bytes(), quote + 1, backslashes);
        part(quote + 1, end)?;
        next = end.and_then(|it| continuation(text.as_bytes(), it));
    }
    ControlFlow::Continue(())
}

/// The offset behind the quote that closes the part of a string whose content begins at `at`.
fn part_end(bytes: &[u8], mut at: usize, backslashes: bool) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'\\' if backslashes => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The quote at which a string goes on that has closed before `at`: white space with a line break may stand between, and
/// line comments in it.
fn continuation(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut is_broken = false;
    loop {
        match bytes.get(at)? {
            b'\n' | b'\r' => {
                is_broken = true;
                at += 1;
            }
            b' ' | b'\t' | b'\x0b' | b'\x0c' => at += 1,
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at += bytes[at..]
                    .iter()
                    .position(|&it| it == b'\n' || it == b'\r')?;
            }
            b'\'' if is_broken => return Some(at),
            _ => return None,
        }
    }
}

/// The length of the word at the beginning of `rest`.
fn word(rest: &str) -> usize {
    let is_part =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    rest.bytes().take_while(|it| is_part(it)).count()
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

/// The length of the operator at the beginning of `rest`: the longest run of operator characters before a comment,
/// which ends in `+` or `-` only if it holds one of `~ ! @ # % ^ & | ` ?` ("Lexical Structure", "Operators").
fn operator(rest: &str) -> usize {
    let bytes = &rest.as_bytes()[..rest.len().min(MAX_OPERATOR_BYTES)];
    let run = bytes.iter().take_while(|it| is_operator(**it)).count();
    let comment = |at: &usize| bytes[*at..].starts_with(b"--") || bytes[*at..].starts_with(b"/*");
    let mut end = (1..run).find(comment).unwrap_or(run);
    let is_special = bytes[..end].iter().any(|it| b"~!@#^&|`?%".contains(it));
    while end > 1 && !is_special && matches!(bytes[end - 1], b'+' | b'-') {
        end -= 1;
    }
    end
}
