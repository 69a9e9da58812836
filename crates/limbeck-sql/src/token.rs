//! A token: its kind, its text and its place.

use std::borrow::Cow;

use crate::decode;

/// One token of an SQL text. The texts of all tokens, one after the other, are the whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The kind of token.
    pub kind: TokenKind,
    /// The token as written, with its quotes.
    pub text: &'a str,
    /// The offset of its first byte in the whole text.
    pub start: usize,
    /// The line of its first byte, counted from 1. A line ends with LF, CR LF, or a CR alone.
    pub line: usize,
    /// Whether a string, quoted identifier or block comment has its end; true for every other token. A token that is
    /// not closed reaches to the end of the text.
    pub closed: bool,
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    /// White space.
    Space,
    /// `-- …` without its line end, which is LF or CR.
    LineComment,
    /// `/* … */`; such comments nest.
    BlockComment,
    /// A keyword or an unquoted identifier.
    Word,
    /// `"…"`.
    QuotedIdent,
    /// `U&"…"`.
    UnicodeIdent,
    /// `'…'`. Like every string but the dollar-quoted one, it goes on after white space with a line break, and then the
    /// white space, the comments in it and the next part belong to the token.
    String,
    /// `E'…'`.
    EscapeString,
    /// `B'…'`.
    BitString,
    /// `X'…'`.
    HexString,
    /// `N'…'`.
    NationalString,
    /// `U&'…'`.
    UnicodeString,
    /// `$tag$…$tag$`.
    DollarString,
    /// `1`, `1.5e3`, `.5`, `0xFF`, `1_000`, without a sign.
    Number,
    /// `$1`.
    Parameter,
    /// An operator such as `+` or `<=`, cut as PostgreSQL cuts it.
    Operator,
    /// `,` `;` `.` `(` `)` `[` `]` `:` `::` `:=` `..`.
    Punctuation,
    /// A backslash outside quotes and the rest of its line: a command to psql.
    MetaCommand,
    /// A character that SQL has no use for, such as `{` or a `$` alone.
    Other,
}

impl TokenKind {
    /// Whether the server passes over such a token: white space and comments.
    #[must_use]
    pub fn is_trivia(self) -> bool {
        matches!(self, Self::Space) || self.is_comment()
    }

    /// Whether it is a comment of either form.
    #[must_use]
    pub fn is_comment(self) -> bool {
        matches!(self, Self::LineComment | Self::BlockComment)
    }

    /// Whether it is a string constant of any form.
    #[must_use]
    pub fn is_string(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::EscapeString
                | Self::BitString
                | Self::HexString
                | Self::NationalString
                | Self::UnicodeString
                | Self::DollarString
        )
    }

    /// Whether it is an identifier in quotes of either form.
    #[must_use]
    pub fn is_quoted_ident(self) -> bool {
        matches!(self, Self::QuotedIdent | Self::UnicodeIdent)
    }
}

impl<'a> Token<'a> {
    /// The offset behind its last byte.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, in any case. A quoted identifier is no keyword.
    #[must_use]
    pub fn is_word(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this operator or punctuation.
    #[must_use]
    pub fn is_mark(&self, mark: &str) -> bool {
        matches!(self.kind, TokenKind::Operator | TokenKind::Punctuation) && self.text == mark
    }

    /// The identifier that a word or quoted identifier is: folded or without its quotes, not cut to 63 bytes. None for
    /// other tokens. A `U&"…"` is read with the backslash as its escape character; [`crate::Cursor::name`] knows
    /// `UESCAPE`.
    #[must_use]
    pub fn ident(&self) -> Option<Cow<'a, str>> {
        decode::ident(self, '\\')
    }

    /// The content of a string constant; the digits of a bit string. None for other tokens and for escapes that
    /// PostgreSQL refuses. A `U&'…'` is read with the backslash as its escape character.
    #[must_use]
    pub fn value(&self) -> Option<Cow<'a, str>> {
        decode::value(self, '\\')
    }
}
