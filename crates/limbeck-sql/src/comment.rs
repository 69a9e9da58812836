//! Comment lines, and scripts made of them and of statements.

use std::fmt::{self, Display};

use crate::visible::one_line_keeping;

/// A `--` comment of one line, as `Display` writes it with its line end. Whatever the text holds, nothing of it leaves the
/// line.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'a> {
    text: &'a str,
    kept: &'a [char],
}

impl<'a> Comment<'a> {
    /// A comment with this text, in which line ends and hidden characters are escapes.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, kept: &[] }
    }

    /// The same, with the characters `kept` as they are; line ends are not kept.
    #[must_use]
    pub fn keeping(self, kept: &'a [char]) -> Self {
        Self { kept, ..self }
    }
}

impl Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = one_line_keeping(self.text, self.kept);
        match text.trim_end() {
            "" => writeln!(f, "--"),
            text => writeln!(f, "-- {text}"),
        }
    }
}
