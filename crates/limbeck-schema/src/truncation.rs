//! What happens to generated names of more than 63 bytes.

use std::fmt::{self, Display, Write as _};

use crate::ident::MAX_IDENTIFIER_BYTES;
use crate::variables::is_placed;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// What happens to a generated name of more than 63 bytes. Both policies count bytes and never cut inside a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncation {
    /// SQLAlchemy's: the first 55 bytes, `_`, and the last four hexadecimal digits of the name's md5
    /// (`SQLCompiler._truncate_and_render_maxlen_name`). For ASCII names the result is SQLAlchemy's own.
    #[default]
    Hash,
    /// PostgreSQL's: the first 63 bytes (`truncate_identifier`).
    Cut,
}

impl Display for Truncation {
    /// As metadata and references name it: `hash`, `cut`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "hash",
            Self::Cut => "cut",
        })
    }
}

impl Truncation {
    /// The name as it is created.
    pub fn apply(self, name: String) -> String {
        // A name with a placeholder is shortened once it has its value.
        if name.len() <= MAX_IDENTIFIER_BYTES || is_placed(&name) {
            return name;
        }
        match self {
            Self::Cut => prefix(&name, MAX_IDENTIFIER_BYTES).to_owned(),
            Self::Hash => {
                let digest = Md5::digest(name.as_bytes());
                let mut short = prefix(&name, MAX_IDENTIFIER_BYTES - 8).to_owned();
                short.push('_');
                for byte in &digest[digest.len() - 2..] {
                    // Writing to a string cannot fail.
                    let _ = write!(short, "{byte:02x}");
                }
                short
            }
        }
    }
}

/// The longest prefix of whole characters in so many bytes.
fn prefix(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: Truncation, name: &str, expected: &str) {
        let short = policy.apply(name.to_owned());
        assert_eq!(short, expected);
        assert!(short.len() <= MAX_IDENTIFIER_BYTES);
    }

    #[test]
    fn hash_gives_the_names_of_sqlalchemy() {
        // Measured with SQLAlchemy 2.
        check(
            Truncation::Hash,
            "fk_another_table_name_that_is_quite_long_too_some_column_name_that_is_long_other",
            "fk_another_table_name_that_is_quite_long_too_some_colum_8f14",
        );
    }

    #[test]
    fn names_that_fit_are_kept() {
        let name = "x".repeat(MAX_IDENTIFIER_BYTES);
        check(Truncation::Hash, &name, &name);
        check(Truncation::Cut, &name, &name);
    }

    #[test]
    fn characters_are_never_cut() {
        let name = "ö".repeat(40);
        check(Truncation::Cut, &name, &"ö".repeat(31));
        let short = Truncation::Hash.apply(name);
        assert!(short.starts_with(&"ö".repeat(27)) && short.len() == 27 * 2 + 5);
    }
}
