//! Reading a statement word by word.

use std::fmt::{self, Display};

use crate::decode;
use crate::objects::is_reserved;
use crate::token::{Token, TokenKind};

/// A place in a statement's significant tokens. What it reads it passes; what it does not find it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'t, 'a> {
    tokens: &'t [Token<'a>],
}

/// A name with the schema, and whatever else, that stands before it. Its parts are folded or without their quotes, and
/// not cut to 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The parts, from the outermost; at least one.
    pub parts: Vec<String>,
}

impl QualifiedName {
    /// The name itself, its last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// The part before the name, if there is one.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        let at = self.parts.len().checked_sub(2)?;
        self.parts.get(at).map(String::as_str)
    }
}

impl Display for QualifiedName {
    /// Writes every part in quotes, so that the text is SQL for exactly this name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.parts.iter().enumerate() {
            let dot = if n == 0 { "" } else { "." };
            write!(f, "{dot}\"{}\"", part.replace('"', "\"\""))?;
        }
        Ok(())
    }
}

impl<'t, 'a> Cursor<'t, 'a> {
    /// A cursor before the first of these tokens, which are significant ones.
    #[must_use]
    pub fn new(tokens: &'t [Token<'a>]) -> Self {
        Self { tokens }
    }

    /// The tokens ahead.
    #[must_use]
    pub fn rest(&self) -> &'t [Token<'a>] {
        self.tokens
    }

    /// Whether nothing is ahead.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The next token, without passing it.
    #[must_use]
    pub fn peek(&self) -> Option<&'t Token<'a>> {
        self.tokens.first()
    }

    /// Whether these keywords are next, such as `IF NOT EXISTS`; one blank stands between two of them.
    #[must_use]
    pub fn is_at(&self, keywords: &str) -> bool {
        let mut ahead = self.tokens.iter();
        keywords
            .split(' ')
            .all(|word| ahead.next().is_some_and(|it| it.is_word(word)))
    }

    /// Passes these keywords, all of them or none; says whether they were there.
    pub fn take(&mut self, keywords: &str) -> bool {
        let there = self.is_at(keywords);
        if there {
            self.tokens = &self.tokens[keywords.split(' ').count()..];
        }
        there
    }

    /// Passes the first of these phrases that is there, and returns it.
    pub fn take_one<'p>(&mut self, phrases: &[&'p str]) -> Option<&'p str> {
        phrases.iter().copied().find(|it| self.take(it))
    }

    /// Passes this operator or punctuation; says whether it was there.
    pub fn take_mark(&mut self, mark: &str) -> bool {
        let there = self.peek().is_some_and(|it| it.is_mark(mark));
        if there {
            self.bump();
        }
        there
    }

    /// Passes one token.
    pub fn bump(&mut self) -> Option<&'t Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Passes a parenthesis with all that is in it, and returns its inner tokens. One that is not closed reaches to the
    /// end.
    pub fn parenthesis(&mut self) -> Option<&'t [Token<'a>]> {
        self.peek().filter(|it| it.is_mark("("))?;
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.is_mark("(") {
                depth += 1;
            } else if token.is_mark(")") {
                depth -= 1;
            }
            if depth == 0 {
                let inner = &self.tokens[1..at];
                self.tokens = &self.tokens[at + 1..];
                return Some(inner);
            }
        }
        let inner = &self.tokens[1..];
        self.tokens = &[];
        Some(inner)
    }

    /// Passes one identifier: a word that is not reserved, or a quoted identifier, `UESCAPE` included.
    pub fn ident(&mut self) -> Option<String> {
        self.peek()
            .filter(|it| it.kind != TokenKind::Word || !is_reserved(it.text))?;
        self.label()
    }

    /// Passes one identifier where reserved words count as such, as behind a dot.
    pub fn label(&mut self) -> Option<String> {
        let mut ahead = *self;
        let token = ahead.bump()?;
        let ident = decode::ident(token, ahead.escape(token)?)?.into_owned();
        *self = ahead;
        Some(ident)
    }

    /// Passes one string constant, `UESCAPE` included, and returns its content.
    pub fn string(&mut self) -> Option<String> {
        let mut ahead = *self;
        let token = ahead.bump()?;
        let value = decode::value(token, ahead.escape(token)?)?.into_owned();
        *self = ahead;
        Some(value)
    }

    /// The escape character of a `U&` token that was just passed: that of a `UESCAPE` behind it, or the backslash.
    fn escape(&mut self, token: &Token<'_>) -> Option<char> {
        let knows = matches!(
            token.kind,
            TokenKind::UnicodeIdent | TokenKind::UnicodeString
        );
        if !knows || !self.take("UESCAPE") {
            return Some('\\');
        }
        let said = decode::value(self.bump()?, '\\')?;
        let mut chars = said.chars();
        chars.next().filter(|_| chars.next().is_none())
    }

    /// Passes a name with whatever stands before it and a dot. The name of an operator is one too. A reserved word is
    /// none, but behind a dot.
    pub fn name(&mut self) -> Option<QualifiedName> {
        let mut ahead = *self;
        let mut parts = vec![ahead.ident().or_else(|| ahead.operator())?];
        loop {
            let mut further = ahead;
            if !further.take_mark(".") {
                break;
            }
            let Some(part) = further.label().or_else(|| further.operator()) else {
                break;
            };
            parts.push(part);
            ahead = further;
        }
        *self = ahead;
        Some(QualifiedName { parts })
    }

    fn operator(&mut self) -> Option<String> {
        let token = self.peek().filter(|it| it.kind == TokenKind::Operator)?;
        self.bump();
        Some(token.text.to_owned())
    }

    /// Moves to the first of these keywords outside of parentheses, without passing it; says whether there is one. If
    /// not, the cursor stays.
    pub fn find(&mut self, keyword: &str) -> bool {
        let mut ahead = *self;
        while let Some(token) = ahead.peek() {
            if token.is_word(keyword) {
                *self = ahead;
                return true;
            }
            if ahead.parenthesis().is_none() {
                ahead.bump();
            }
        }
        false
    }
}
