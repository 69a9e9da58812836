//! Placeholders: values that stand for the variables themselves, while SQL is made whose file shall hold references.
//!
//! A placeholder is the variable's name between two control characters, which no name has that people declare. So a name
//! that was expanded with placeholders tells which part of it came from a variable, through everything that is done to it.

use super::pieces::{Piece, PieceKind, pieces};
use super::{ESCAPED, OPEN, Variables};
use crate::ident::{Ident, MAX_IDENTIFIER_BYTES};
use crate::truncation::Truncation;

const BEGIN: char = '\u{1}';
const END: char = '\u{2}';

/// A value of up to so many bytes fits into a name beside its other parts; without so much room, `${hash:…}` stands around.
const ROOM: usize = 24;

impl Variables {
    /// The same variables, each with a placeholder for its value.
    #[must_use]
    pub fn placeholders(&self) -> Self {
        let placed = |name: &String| (name.clone(), format!("{BEGIN}{name}{END}"));
        Self {
            values: self.values.keys().map(placed).collect(),
            placed: true,
        }
    }
}

/// Whether a text holds placeholders.
#[must_use]
pub fn is_placed(text: &str) -> bool {
    text.contains(BEGIN)
}

/// Whether a text holds a character that begins or ends placeholders.
#[must_use]
pub fn has_placeholder(text: &str) -> bool {
    text.contains(PLACE_MARKS)
}

/// The characters between which a placeholder stands.
pub const PLACE_MARKS: [char; 2] = [BEGIN, END];

/// SQL that was made with placeholders as a revision file holds it: with references for the placeholders, and with
/// whatever else looks like a reference as text. Names that could become too long for PostgreSQL with another value are
/// shortened by `policy`.
#[must_use]
pub fn restore(sql: &str, policy: Truncation) -> String {
    let mut out = String::with_capacity(sql.len());
    for Piece { kind, text, .. } in pieces(sql) {
        match kind {
            PieceKind::Comment => out.push_str(&comment(text, policy)),
            PieceKind::Quoted if is_placed(text) => match Ident::parse(text) {
                Some(it) => out.push_str(&name(it.as_str(), policy)),
                None => out.push_str(&references(&escaped(text))),
            },
            _ => out.push_str(&references(&escaped(text))),
        }
    }
    out
}

/// A name with placeholders as text of a reference, `${prefix}file`.
#[must_use]
pub(crate) fn referring(name: &str) -> String {
    references(&escaped(name))
}

fn escaped(text: &str) -> String {
    text.replace(OPEN, ESCAPED)
}

fn references(text: &str) -> String {
    text.replace(BEGIN, OPEN).replace(END, "}")
}

/// A name with placeholders, as it is written outside of quotes if that means the same.
fn name(placed: &str, policy: Truncation) -> String {
    let mut own = String::new();
    let mut rest = placed;
    let begins_own = !placed.starts_with(BEGIN);
    let mut n_values = 0;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        own.push_str(before);
        n_values += 1;
        rest = after.split_once(END).map_or("", |(_, it)| it);
    }
    own.push_str(rest);
    let text = referring(placed);
    if own.len() + n_values * ROOM > MAX_IDENTIFIER_BYTES {
        return format!("{OPEN}{policy}:{text}}}");
    }
    let is_plain = own
        .bytes()
        .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
        && !(begins_own && own.starts_with(|c: char| c.is_ascii_digit()));
    if is_plain {
        text
    } else {
        format!("\"{}\"", text.replace('"', "\"\""))
    }
}

/// A comment, in which names are written as in SQL.
fn comment(text: &str, policy: Truncation) -> String {
    let mut out = String::new();
    let mut rest = text;
    while is_placed(rest) {
        let quoted = rest.find('"').and_then(|begin| {
            let end = begin + 1 + rest[begin + 1..].find('"')?;
            Some((begin, end + 1))
        });
        let Some((begin, end)) = quoted else { break };
        let (before, after) = (&rest[..begin], &rest[end..]);
        out.push_str(before);
        match Ident::parse(&rest[begin..end]).filter(|it| is_placed(it.as_str())) {
            Some(it) => out.push_str(&name(it.as_str(), policy)),
            None => out.push_str(&rest[begin..end]),
        }
        rest = after;
    }
    out.push_str(rest);
    references(&out)
}
