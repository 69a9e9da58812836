//! Text of others in comment lines and on terminals: nothing in it can end the line or command the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character ends a line for PostgreSQL's scanner and for psql, and so a `--` comment: LF and CR.
#[must_use]
pub fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// Returns `text` as it can stand in a `--` comment, in a message of one line, and on a terminal: line ends, control
/// characters, line and paragraph separators, marks that change the direction of writing, and invisible marks are
/// written as escapes such as `\n` and `\u{202e}`. Everything else stays as it is.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    one_line_keeping(text, &[])
}

/// Returns `text` as [`one_line`] does, but leaves the characters `kept` as they are. A line end is never kept.
#[must_use]
pub fn one_line_keeping<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_hidden = |c: char| is_line_end(c) || is_hidden(c) && !kept.contains(&c);
    let Some(first) = text.find(is_hidden) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(clean);
    for c in rest.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if !is_hidden(c) => out.push(c),
            '\t' => out.push_str("\\t"),
            c => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

/// Whether a character shows nothing of itself and does something to what stands around it.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Line and paragraph separator.
            '\u{2028}' | '\u{2029}'
            // Marks, embeddings, overrides and isolates of direction.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Zero-width space, word joiner and its like, byte order mark, tags.
            | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
