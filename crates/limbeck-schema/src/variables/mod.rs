//! Variables: `${prefix}` in names that are declared and in SQL, with a value that each database has of its own.
//!
//! A value is a name, a part of one, a number, or text inside a string, and never a piece of SQL: it is written the way
//! the place where its reference stands needs it, with quotes where that is inside of quotes and with quotes around where
//! a name would need them, so that no value reaches beyond its place.
//!
//! | in SQL | becomes |
//! |---|---|
//! | `${prefix}file` | the name, in quotes if it needs them; letters outside of the value are folded as PostgreSQL does |
//! | `"${prefix}File"` | the name as it stands |
//! | `'${prefix}'` | text |
//! | `${n}` by itself, for a number | the number |
//! | `$$ … ${prefix}file … $$` | as outside, since such a body is mostly SQL |
//! | `${hash:fk_${prefix}file_name}`, `${cut:…}` | the name, shortened as a naming convention does it |
//! | `${:prefix}` | `${prefix}`, without any variable |
//!
//! In a comment to the end of the line a reference becomes the value if there is one; other comments are left as they are,
//! and so is what is no reference (`${a.b}`, `$1`).

mod pieces;
mod place;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

pub use place::{PLACE_MARKS, has_placeholder, is_placed, restore};

use crate::ident::{Ident, MAX_IDENTIFIER_BYTES};
use crate::truncation::Truncation;
use pieces::dollar_tag;
pub(crate) use pieces::{Piece, PieceKind, pieces};
pub(crate) use place::referring;

/// What begins a reference.
const OPEN: &str = "${";

/// What stands for [`OPEN`] where no variable is meant.
const ESCAPED: &str = "${:";

/// Variables with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    /// Whether the values are placeholders.
    placed: bool,
}

/// Why a variable cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// It cannot be named so.
    #[error(
        "{name:?} cannot name a variable: use letters, digits and underscores, and no digit first"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Its value holds what no name needs and some strings would read as something else.
    #[error(
        "the value of the variable {name} holds a backslash or a control character; no value may"
    )]
    Value {
        /// The variable.
        name: String,
    },
    /// It has no value.
    #[error(
        "the variable {name} is not defined: write it under [variables] in limbeck.toml, or pass `-x {name}=…`; where \
         no variable is meant, write ${{:{name}}}"
    )]
    Undefined {
        /// The variable.
        name: String,
    },
    /// Nothing is left where a name has to stand.
    #[error("{text} is empty, and a name has to stand there")]
    Empty {
        /// The reference.
        text: String,
    },
    /// PostgreSQL would cut the name off, and another name could become the same.
    #[error(
        "{text} makes the name {name}, which has {bytes} bytes and PostgreSQL keeps {MAX_IDENTIFIER_BYTES}; shorten it, \
         or write ${{hash:…}} around a name that a naming convention makes"
    )]
    TooLong {
        /// The name with its references.
        text: String,
        /// The name.
        name: String,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The value would end the string that it stands in.
    #[error("the value of {text} would end the string around it; quote that string another way")]
    Quote {
        /// The reference, or the string's tag.
        text: String,
    },
}

/// A reference in SQL that cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Misuse {
    /// The first byte of the name or string with the reference.
    pub at: usize,
    /// What is wrong with it.
    pub problem: VariableError,
}

/// What a reference asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reference<'a> {
    /// `${name}`
    Variable(&'a str),
    /// `${hash:…}` and `${cut:…}`
    Fitted(Truncation, &'a str),
}

/// A part of a name or a string.
enum Part<'a> {
    Plain(&'a str),
    Reference(Reference<'a>),
    /// [`ESCAPED`]
    Escape,
}

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a variable its value, in place of one that it had. A value that no variable may have is refused once it is
    /// used.
    ///
    /// # Errors
    /// [`VariableError::Name`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), VariableError> {
        if !is_name(name) {
            let name = name.to_owned();
            return Err(VariableError::Name { name });
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, it)| (&**name, &**it))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes over the values of others, in place of those that are here.
    pub fn overlay(&mut self, others: &Self) {
        let others = others.values.iter();
        self.values
            .extend(others.map(|(name, it)| (name.clone(), it.clone())));
    }

    /// A name with its references replaced.
    ///
    /// # Errors
    /// [`VariableError::Undefined`] and [`VariableError::Value`].
    pub fn expand_name<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, VariableError> {
        if !mentions(text) {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Reference(it) => out.push_str(&self.value(it)?),
                Part::Escape => out.push_str(OPEN),
            }
        }
        Ok(Cow::Owned(out))
    }

    /// SQL with its references replaced; no line moves to another place.
    ///
    /// # Errors
    /// [`Misuse`] with the first reference that has no value or would not stay in its place.
    pub fn expand_sql<'t>(&self, sql: &'t str) -> Result<Cow<'t, str>, Misuse> {
        if !mentions(sql) {
            return Ok(Cow::Borrowed(sql));
        }
        let mut out = String::with_capacity(sql.len());
        for piece in pieces(sql) {
            let at = piece.start;
            let text = self.expand_piece(piece).map_err(|it| Misuse {
                at: at + it.at,
                problem: it.problem,
            })?;
            out.push_str(&text);
        }
        Ok(Cow::Owned(out))
    }

    fn expand_piece<'t>(&self, piece: Piece<'t>) -> Result<Cow<'t, str>, Misuse> {
        let Piece { kind, text, .. } = piece;
        let here = |problem| Misuse { at: 0, problem };
        match kind {
            PieceKind::Escape => Ok(Cow::Borrowed(OPEN)),
            _ if !mentions(text) => Ok(Cow::Borrowed(text)),
            PieceKind::Comment if text.starts_with("--") => Ok(Cow::Owned(self.comment(text))),
            PieceKind::Space | PieceKind::Comment | PieceKind::Symbol => Ok(Cow::Borrowed(text)),
            PieceKind::Text => self.string(text).map(Cow::Owned).map_err(here),
            PieceKind::Quoted => self.quoted(text).map(Cow::Owned).map_err(here),
            PieceKind::Word => self.word(text).map(Cow::Owned).map_err(here),
            PieceKind::Dollar => self.dollar(text).map(Cow::Owned),
        }
    }

    /// A name or number outside of quotes.
    fn word(&self, text: &str) -> Result<String, VariableError> {
        let mut name = String::new();
        for part in parts(text) {
            match part {
                Part::Plain(text) => name.push_str(&text.to_ascii_lowercase()),
                Part::Reference(it) => name.push_str(&self.value(it)?),
                Part::Escape => name.push_str(OPEN),
            }
        }
        if name.is_empty() {
            let text = text.to_owned();
            return Err(VariableError::Empty { text });
        }
        let alone = reference(text).is_some_and(|(_, length)| length == text.len());
        if alone && is_number(&name) {
            return Ok(name);
        }
        fits(text, &name)?;
        Ok(Ident::from(name).to_string())
    }

    /// A name inside of quotes.
    fn quoted(&self, text: &str) -> Result<String, VariableError> {
        let out = self.fill(text, '"')?;
        if let Some(name) = Ident::parse(&out) {
            fits(text, name.as_str())?;
        }
        Ok(out)
    }

    /// A string. With backslashes that escape, one before a reference takes its dollar sign; elsewhere a setting of the
    /// server (`standard_conforming_strings`) could make it escape a quote of the value's.
    fn string(&self, text: &str) -> Result<String, VariableError> {
        let escapes = text.starts_with(['e', 'E']);
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("\\${") {
            let n_backslashes = rest[..=at]
                .bytes()
                .rev()
                .take_while(|&it| it == b'\\')
                .count();
            let (before, after) = rest.split_at(at + 1);
            out.push_str(&self.fill(before, '\'')?);
            if n_backslashes % 2 == 0 {
                rest = after;
                continue;
            }
            if escapes {
                out.push_str(OPEN);
                rest = &after[OPEN.len()..];
                continue;
            }
            rest = after;
            if let Some((it, length)) = reference(after)
                && self.value(it)?.contains('\'')
            {
                let text = after[..length].to_owned();
                return Err(VariableError::Quote { text });
            }
        }
        out.push_str(&self.fill(rest, '\'')?);
        Ok(out)
    }

    /// A dollar-quoted string, whose body is read as SQL.
    fn dollar(&self, text: &str) -> Result<String, Misuse> {
        let tag = dollar_tag(text).unwrap_or_default();
        let body = text[tag.len()..].strip_suffix(tag);
        let body = body.unwrap_or(&text[tag.len()..]);
        let expanded = self.expand_sql(body).map_err(|it| Misuse {
            at: tag.len() + it.at,
            ..it
        })?;
        if expanded.contains(tag) {
            let text = tag.to_owned();
            let problem = VariableError::Quote { text };
            return Err(Misuse { at: 0, problem });
        }
        Ok(format!(
            "{tag}{expanded}{}",
            &text[tag.len() + body.len()..]
        ))
    }

    /// A comment to the end of the line, which no value can leave. It is for people: what has no value stays.
    fn comment(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            let found =
                reference(after).and_then(|(it, length)| Some((self.value(it).ok()?, length)));
            let length = match found {
                Some((value, length)) => {
                    out.push_str(&value);
                    length
                }
                None => {
                    out.push_str(OPEN);
                    OPEN.len()
                }
            };
            rest = &after[length..];
        }
        out.push_str(rest);
        out
    }

    /// Replaces references inside of quotes. In a string, `"…"` is mostly a name that the server reads out of it.
    fn fill(&self, text: &str, quote: char) -> Result<String, VariableError> {
        let mut out = String::new();
        for part in parts(text) {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Reference(it) => {
                    let mut value = self.value(it)?.replace(quote, &format!("{quote}{quote}"));
                    if quote == '\'' && out.matches('"').count() % 2 == 1 {
                        value = value.replace('"', "\"\"");
                    }
                    out.push_str(&value);
                }
                Part::Escape => out.push_str(OPEN),
            }
        }
        Ok(out)
    }

    fn value(&self, reference: Reference<'_>) -> Result<Cow<'_, str>, VariableError> {
        match reference {
            Reference::Variable(name) => {
                let named = || name.to_owned();
                let value = self.get(name);
                let value = value.ok_or_else(|| VariableError::Undefined { name: named() })?;
                if !self.placed && value.chars().any(|c| c.is_control() || c == '\\') {
                    return Err(VariableError::Value { name: named() });
                }
                Ok(Cow::Borrowed(value))
            }
            Reference::Fitted(policy, text) => {
                let name = self.expand_name(text)?.into_owned();
                Ok(Cow::Owned(policy.apply(name)))
            }
        }
    }
}

/// Whether a text may hold references.
#[must_use]
pub fn mentions(text: &str) -> bool {
    text.contains(OPEN)
}

/// The variables that SQL refers to, outside of comments.
#[must_use]
pub fn used(sql: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    if mentions(sql) {
        let text = pieces(sql).filter(|it| it.kind != PieceKind::Comment);
        text.for_each(|it| note_used(it.text, &mut names));
    }
    names
}

fn note_used<'t>(text: &'t str, names: &mut BTreeSet<&'t str>) {
    for part in parts(text) {
        match part {
            Part::Reference(Reference::Variable(name)) => drop(names.insert(name)),
            Part::Reference(Reference::Fitted(_, inner)) => note_used(inner, names),
            Part::Plain(_) | Part::Escape => {}
        }
    }
}

/// SQL in which nothing is a reference: what looks like one is text.
#[must_use]
pub fn escape(sql: &str) -> Cow<'_, str> {
    if !mentions(sql) {
        return Cow::Borrowed(sql);
    }
    let mut out = String::new();
    for Piece { kind, text, .. } in pieces(sql) {
        match kind {
            PieceKind::Comment => out.push_str(text),
            _ => out.push_str(&text.replace(OPEN, ESCAPED)),
        }
    }
    Cow::Owned(out)
}

/// A name in which nothing is a reference.
#[must_use]
pub fn escape_name(name: &str) -> String {
    name.replace(OPEN, ESCAPED)
}

/// The names in SQL that are written with references, as they stand there, without their quotes.
#[must_use]
pub fn written_names(sql: &str) -> Vec<Cow<'_, str>> {
    let mut names = Vec::new();
    for Piece { kind, text, .. } in pieces(sql).filter(|it| mentions(it.text)) {
        match kind {
            PieceKind::Word => names.push(Cow::Borrowed(text)),
            PieceKind::Quoted => {
                names.extend(Ident::parse(text).map(|it| Cow::Owned(it.as_str().to_owned())));
            }
            _ => {}
        }
    }
    names
}

/// Reads the reference that a text begins with; gives it and its length.
fn reference(text: &str) -> Option<(Reference<'_>, usize)> {
    let inner = text.strip_prefix(OPEN)?;
    let length = inner
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(inner.len());
    let (name, rest) = inner.split_at(length);
    if rest.starts_with('}') && is_name(name) {
        return Some((Reference::Variable(name), OPEN.len() + length + 1));
    }
    let policy = match name {
        "hash" => Truncation::Hash,
        "cut" => Truncation::Cut,
        _ => return None,
    };
    let body = rest.strip_prefix(':')?;
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        let left = &body[at..];
        match left.chars().next()? {
            '}' if depth == 0 => break,
            '}' => (depth, at) = (depth - 1, at + 1),
            _ if left.starts_with(OPEN) => (depth, at) = (depth + 1, at + OPEN.len()),
            c => at += c.len_utf8(),
        }
    }
    let end = OPEN.len() + length + 1 + at + 1;
    Some((Reference::Fitted(policy, &body[..at]), end))
}

/// A text cut at its references.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while let Some(found) = text[at..].find(OPEN) {
        let here = at + found;
        let (part, length) = if text[here..].starts_with(ESCAPED) {
            (Part::Escape, ESCAPED.len())
        } else if let Some((it, length)) = reference(&text[here..]) {
            (Part::Reference(it), length)
        } else {
            at = here + OPEN.len();
            continue;
        };
        parts.push(Part::Plain(&text[begin..here]));
        parts.push(part);
        at = here + length;
        begin = at;
    }
    parts.push(Part::Plain(&text[begin..]));
    parts
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|it| it.is_ascii_alphabetic() || it == b'_')
        && bytes.all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

fn is_number(text: &str) -> bool {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

fn fits(text: &str, name: &str) -> Result<(), VariableError> {
    if name.len() <= MAX_IDENTIFIER_BYTES || is_placed(name) {
        return Ok(());
    }
    Err(VariableError::TooLong {
        text: text.to_owned(),
        name: name.to_owned(),
        bytes: name.len(),
    })
}

#[cfg(test)]
mod tests;
