//! What quoted tokens say: identifiers and the content of strings.

use std::borrow::Cow;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::str::Chars;

use crate::lexer::string_parts;
use crate::token::{Token, TokenKind};

/// The identifier that a token is; `escape` is the escape character of a `U&"…"`.
pub(crate) fn ident<'a>(token: &Token<'a>, escape: char) -> Option<Cow<'a, str>> {
    match token.kind {
        // PostgreSQL folds ASCII letters alone where characters have several bytes.
        TokenKind::Word if token.text.bytes().any(|it| it.is_ascii_uppercase()) => {
            Some(Cow::Owned(token.text.to_ascii_lowercase()))
        }
        TokenKind::Word => Some(Cow::Borrowed(token.text)),
        TokenKind::QuotedIdent => Some(unquoted(token.text, '"')),
        TokenKind::UnicodeIdent => {
            unicode(&unquoted(token.text.get(2..)?, '"'), escape).map(Cow::Owned)
        }
        _ => None,
    }
}

/// The content of a string constant; `escape` is the escape character of a `U&'…'`.
pub(crate) fn value<'a>(token: &Token<'a>, escape: char) -> Option<Cow<'a, str>> {
    match token.kind {
        TokenKind::String => Some(plain(token.text, 0)),
        TokenKind::NationalString | TokenKind::BitString | TokenKind::HexString => {
            Some(plain(token.text, 1))
        }
        TokenKind::UnicodeString => unicode(&plain(token.text, 2), escape).map(Cow::Owned),
        TokenKind::EscapeString => escaped(token.text).map(Cow::Owned),
        TokenKind::DollarString => {
            let tag = token.text.find('$').and_then(|first| {
                let length = token.text.get(first + 1..)?.find('$')?;
                token.text.get(..length + 2)
            })?;
            let inner = token.text.get(tag.len()..)?;
            Some(Cow::Borrowed(
                inner
                    .strip_suffix(tag)
                    .filter(|_| token.closed)
                    .unwrap_or(inner),
            ))
        }
        _ => None,
    }
}

/// What is between quotes, with doubled ones made single. The closing quote may lack.
fn unquoted(text: &str, quote: char) -> Cow<'_, str> {
    let inner = text.strip_prefix(quote).unwrap_or(text);
    let inner = match inner.strip_suffix(quote) {
        Some(it) if is_closing(inner, quote) => it,
        _ => inner,
    };
    match inner.contains(quote) {
        true => Cow::Owned(inner.replace(&format!("{quote}{quote}"), &quote.to_string())),
        false => Cow::Borrowed(inner),
    }
}

/// Whether the last quote of `inner` closes: of the quotes at its end an odd number stand there.
fn is_closing(inner: &str, quote: char) -> bool {
    inner.chars().rev().take_while(|it| *it == quote).count() % 2 == 1
}

/// The contents of the parts of a string without backslashes, whose quote is at `open`.
fn plain(text: &str, open: usize) -> Cow<'_, str> {
    let mut content = Cow::Borrowed("");
    let _ = string_parts(text, open, false, |begin, end| {
        let inner = match end {
            Some(end) => text.get(begin..end - 1),
            None => text.get(begin..),
        };
        let inner = inner.unwrap_or_default();
        let inner = match inner.contains('\'') {
            true => Cow::Owned(inner.replace("''", "'")),
            false => Cow::Borrowed(inner),
        };
        match content.is_empty() {
            true => content = inner,
            false => content.to_mut().push_str(&inner),
        }
        ControlFlow::Continue(())
    });
    content
}

/// The content of an `E'…'` ("Lexical Structure", "String Constants with C-Style Escapes"). None for an escape that the
/// server refuses, and for bytes that make no character.
fn escaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let whole = string_parts(text, 1, true, |begin, end| {
        let inner = match end {
            Some(end) => text.get(begin..end - 1),
            None => text.get(begin..),
        };
        match inner.and_then(|it| escaped_part(it, &mut bytes)) {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    });
    whole.is_continue().then_some(())?;
    String::from_utf8(bytes).ok()
}

fn escaped_part(inner: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chars = inner.chars().peekable();
    let push = |c: char, bytes: &mut Vec<u8>| {
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                chars.next_if_eq(&'\'');
                push('\'', bytes);
            }
            '\\' => match chars.next()? {
                'b' => bytes.push(8),
                'f' => bytes.push(12),
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                'v' => bytes.push(11),
                'u' => push(point(&mut chars, 4)?, bytes),
                'U' => push(point(&mut chars, 8)?, bytes),
                'x' => match digits(&mut chars, 16, 2) {
                    Some(code) => bytes.push(u8::try_from(code).ok()?),
                    None => bytes.push(b'x'),
                },
                octal @ '0'..='7' => {
                    let mut code = octal.to_digit(8)?;
                    for _ in 0..2 {
                        let Some(digit) = chars.peek().and_then(|it| it.to_digit(8)) else {
                            break;
                        };
                        code = code * 8 + digit;
                        chars.next();
                    }
                    bytes.push((code & 0xff) as u8);
                }
                other => push(other, bytes),
            },
            other => push(other, bytes),
        }
    }
    Some(())
}

/// Up to `most` digits, as one number; none if there is no digit.
fn digits(chars: &mut Peekable<Chars<'_>>, radix: u32, most: usize) -> Option<u32> {
    let mut code = None;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|it| it.to_digit(radix)) else {
            break;
        };
        code = Some(code.unwrap_or(0) * radix + digit);
        chars.next();
    }
    code
}

/// The code point of exactly `n` hexadecimal digits, and a second one if it is the first half of a surrogate pair.
fn point(chars: &mut Peekable<Chars<'_>>, n: usize) -> Option<char> {
    let first = exactly(chars, n)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    (chars.next()? == '\\').then_some(())?;
    let second = match chars.next()? {
        'u' => exactly(chars, 4)?,
        'U' => exactly(chars, 8)?,
        _ => return None,
    };
    pair(first, second)
}

fn exactly(chars: &mut Peekable<Chars<'_>>, n: usize) -> Option<u32> {
    let mut code = 0_u32;
    for _ in 0..n {
        code = code.checked_mul(16)? + chars.next()?.to_digit(16)?;
    }
    Some(code)
}

fn pair(first: u32, second: u32) -> Option<char> {
    (0xdc00..0xe000).contains(&second).then_some(())?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

/// A text with the escapes of `U&'…'`: `\0061`, `\+000061`, and `\\`.
fn unicode(inner: &str, escape: char) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    let code = |chars: &mut Peekable<Chars<'_>>| match chars.next_if_eq(&'+') {
        Some(_) => exactly(chars, 6),
        None => exactly(chars, 4),
    };
    while let Some(c) = chars.next() {
        if c != escape {
            out.push(c);
        } else if chars.next_if_eq(&escape).is_some() {
            out.push(escape);
        } else {
            let first = code(&mut chars)?;
            out.push(match (0xd800..0xdc00).contains(&first) {
                true => {
                    (chars.next()? == escape).then_some(())?;
                    pair(first, code(&mut chars)?)?
                }
                false => char::from_u32(first)?,
            });
        }
    }
    Some(out)
}
