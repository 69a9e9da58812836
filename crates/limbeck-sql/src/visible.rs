//! Text of others in comment lines and on terminals: nothing in it can end the line or command the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character ends a line for PostgreSQL's scanner and for psql, and so a `--` comment: LF and CR.
#[must_use]
pub fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// Whether a character is white space to PostgreSQL's scanner. No character outside ASCII is: there all are letters.
#[must_use]
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
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
    escaped(text, |c| !is_line_end(c) && kept.contains(&c))
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |c: char| is_hidden(c) && !keep(c);
    let Some(first) = text.find(is_escaped) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(clean);
    for c in rest.chars() {
        match c {
            c if !is_escaped(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(out)
}

/// Returns what a message shows of a text that may be long: its first `most` characters on one line, with one blank for
/// each run of white space, and `…` if there is more.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut n_chars = 0;
    for word in text.split_whitespace() {
        let gap = usize::from(n_chars > 0);
        let shown: String = word
            .chars()
            .take(most.saturating_sub(n_chars + gap))
            .collect();
        let n_shown = shown.chars().count();
        if n_shown > 0 {
            out.push_str(&" ".repeat(gap));
            out.push_str(&one_line(&shown));
            n_chars += gap + n_shown;
        }
        if shown.len() < word.len() {
            out.push('…');
            break;
        }
    }
    out
}

/// Characters that show nothing or change how their neighbours are shown: Unicode's format characters and whatever else
/// is to be ignored where it cannot be displayed (`Default_Ignorable_Code_Point`), but for the selectors of emoji and
/// Hangul fillers that fonts draw. Line and paragraph separators are among them. Sorted.
const HIDDEN: &[(u32, u32)] = &[
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
];

/// Whether a character is a control character (C0, DEL, C1), ends a line, changes the direction of text, or has no width.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let code = u32::from(c);
    c.is_control()
        || HIDDEN
            .binary_search_by(|&(first, last)| {
                if last < code {
                    std::cmp::Ordering::Less
                } else if first > code {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok()
}

/// Returns `text` with its lines and tabs: every other hidden character is an escape, as in [`one_line`].
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// Returns JSON with escapes for the characters that JSON itself lets stand in strings.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    let kept = |c: char| matches!(c, '\n' | '\t');
    if !json.contains(|c| is_hidden(c) && !kept(c)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) && !kept(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a text on one line, and with its lines.
    #[track_caller]
    fn check(text: &str, line: &str, lines: &str) {
        assert_eq!(one_line(text), line);
        assert_eq!(visible_lines(text), lines);
    }

    #[test]
    fn hidden_characters_are_escapes_and_all_others_stay() {
        check("größe 表 🙂 a\\b", "größe 表 🙂 a\\b", "größe 表 🙂 a\\b");
        check("a\r\nb\tc", "a\\r\\nb\\tc", "a\\r\nb\tc");
        check(
            "\u{1b}]0;x\u{7}\u{7f}\u{9b}2J",
            "\\u{1b}]0;x\\u{7}\\u{7f}\\u{9b}2J",
            "\\u{1b}]0;x\\u{7}\\u{7f}\\u{9b}2J",
        );
        check(
            "a\u{202e}b\u{2066}c\u{200b}d\u{feff}e",
            "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}e",
            "a\\u{202e}b\\u{2066}c\\u{200b}d\\u{feff}e",
        );
        check(
            "\u{85}\u{2028}\u{b}\u{c}\0",
            "\\u{85}\\u{2028}\\u{b}\\u{c}\\u{0}",
            "\\u{85}\\u{2028}\\u{b}\\u{c}\\u{0}",
        );
    }

    #[test]
    fn json_says_the_same_without_hidden_characters() {
        let value = serde_json::json!({ "a\u{202e}": "\u{1b}\u{7f}\u{9b}\u{e0041}\n" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = visible_json(&text);
        assert!(!shown.contains(|c| is_hidden(c) && c != '\n'), "{shown}");
        let back: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn ranges_are_sorted() {
        assert!(HIDDEN.is_sorted_by(|a, b| a.1 < b.0) && HIDDEN.iter().all(|it| it.0 <= it.1));
    }
}
