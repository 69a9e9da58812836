//! Revision ids: what a file, a version row and a command line call a revision.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest id that the version table's `version_num varchar(255)` can hold, in characters.
pub const MAX_ID_LENGTH: usize = 255;

/// Words that name a place in the history, and therefore cannot name one revision.
const RESERVED: [&str; 4] = ["base", "current", "head", "heads"];

/// The id of one revision.
///
/// An id is any text that a target cannot be confused with. Limbeck generates 12 hexadecimal digits as Alembic does,
/// but ids of digits alone (a time in seconds, as flask-alembic writes them) and hand-written ones are ids too.
/// Cloning is cheap; the order is that of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RevisionId(Arc<str>);

impl RevisionId {
    /// Takes `text` as an id.
    ///
    /// # Errors
    ///
    /// [`IdError::Empty`], [`IdError::TooLong`], [`IdError::Reserved`] for `base`, `current`, `head` and `heads`, and
    /// [`IdError::Illegal`] for the characters that mean something in a target (`@`, `-`, `+`, `:`; the first three
    /// are Alembic's), in a header list (`,`) or in a file name (`/`, `\`), for `<` and `>`, which mark `<base>`, and
    /// for white space and control characters.
    pub fn new(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if let Some(character) = text.chars().find(|&it| is_illegal(it)) {
            return Err(IdError::Illegal {
                text: text.to_owned(),
                character,
            });
        }
        if RESERVED.contains(&text) {
            return Err(IdError::Reserved {
                text: text.to_owned(),
            });
        }
        let length = text.chars().count();
        if length > MAX_ID_LENGTH {
            return Err(IdError::TooLong { length });
        }
        Ok(Self(text.into()))
    }

    /// A new random id: the last 12 hexadecimal digits of a version 4 UUID, as Alembic's `util.rev_id()`.
    #[must_use]
    pub fn generate() -> Self {
        let digits = uuid::Uuid::new_v4().simple().to_string();
        Self(digits[digits.len() - 12..].into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_illegal(character: char) -> bool {
    character.is_whitespace()
        || limbeck_sql::is_hidden(character)
        || matches!(
            character,
            '@' | '-' | '+' | ':' | ',' | '/' | '\\' | '<' | '>'
        )
}

impl fmt::Display for RevisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for RevisionId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for RevisionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RevisionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl TryFrom<String> for RevisionId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(&text)
    }
}

impl From<RevisionId> for String {
    fn from(id: RevisionId) -> Self {
        id.as_str().to_owned()
    }
}

/// Why a text is no revision id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// There is no text.
    #[error("a revision id cannot be empty; leave it out and one is generated")]
    Empty,
    /// The text holds a character that a target, a header or a file name uses for something else.
    #[error(
        "revision id {text:?} contains {character:?}; use letters, digits, underscores and dots"
    )]
    Illegal {
        /// The whole text.
        text: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The text is a word that names a place in the history.
    #[error("{text:?} names a place in the history and cannot be a revision id; choose another id")]
    Reserved {
        /// The word.
        text: String,
    },
    /// The text does not fit the version table.
    #[error(
        "revision id of {length} characters is too long; the version table holds {MAX_ID_LENGTH}"
    )]
    TooLong {
        /// Its length in characters.
        length: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        let long = "x".repeat(256);
        let cases = [
            ("9e3145d88e64", ""),
            ("1777278349", ""),
            ("add_email.v2", ""),
            ("größe", ""),
            ("", "cannot be empty"),
            ("a b", "contains ' '"),
            ("a-b", "contains '-'"),
            ("a+1", "contains '+'"),
            ("x@head", "contains '@'"),
            ("a:b", "contains ':'"),
            ("a,b", "contains ','"),
            ("a/b", "contains '/'"),
            ("<base>", "contains '<'"),
            ("head", "names a place"),
            ("base", "names a place"),
            (&long, "256 characters"),
        ];
        for (text, expect) in cases {
            match RevisionId::new(text) {
                Ok(id) => {
                    assert_eq!(expect, "", "{text:?} should be refused");
                    assert_eq!(id.to_string(), text);
                }
                Err(err) => {
                    assert!(
                        !expect.is_empty() && err.to_string().contains(expect),
                        "{text:?}: {err}"
                    );
                }
            }
        }
    }

    #[test]
    fn generated_ids_are_twelve_hex_digits_and_differ() {
        let (first, second) = (RevisionId::generate(), RevisionId::generate());
        assert_ne!(first, second);
        assert_eq!(first.as_str().len(), 12);
        assert!(first.as_str().bytes().all(|it| it.is_ascii_hexdigit()));
    }

    #[test]
    fn an_id_is_text_in_json() {
        let id = RevisionId::new("9e3145d88e64").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""9e3145d88e64""#);
        assert_eq!(
            serde_json::from_str::<RevisionId>(r#""9e3145d88e64""#).unwrap(),
            id
        );
        assert!(serde_json::from_str::<RevisionId>(r#""a b""#).is_err());
    }
}
