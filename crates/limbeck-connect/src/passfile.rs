//! Password files, after <https://www.postgresql.org/docs/18/libpq-pgpass.html>.

use std::path::Path;

/// What a password file gives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The password of the first line that matches.
    Password(String),
    /// No file, or no line that matches.
    Nothing,
    /// The file is not used, and why.
    Ignored(String),
}

/// Whom a password is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) database: &'a str,
    pub(crate) user: &'a str,
}

/// Reads a password file. One that others can read is ignored, as libpq does it.
pub(crate) fn look_up(path: &Path, wanted: Wanted<'_>) -> Found {
    let Ok(metadata) = std::fs::metadata(path) else {
        return Found::Nothing;
    };
    if !metadata.is_file() {
        let shown = path.display();
        return Found::Ignored(format!(
            "the password file {shown} is not used: it is not a plain file"
        ));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        let shown = path.display();
        return Found::Ignored(format!(
            "the password file {shown} is not used: other accounts can read it; run chmod 600 {shown}"
        ));
    }
    match std::fs::read(path) {
        Ok(bytes) => search(&String::from_utf8_lossy(&bytes), wanted),
        Err(error) => {
            let shown = path.display();
            Found::Ignored(format!("the password file {shown} cannot be read: {error}"))
        }
    }
}

fn search(text: &str, wanted: Wanted<'_>) -> Found {
    let port = wanted.port.to_string();
    let keys = [wanted.host, &port, wanted.database, wanted.user];
    for line in text.lines().filter(|it| !it.starts_with('#')) {
        let mut rest = line;
        let matches = keys.iter().all(|key| match field(rest) {
            (value, raw, Some(behind)) => {
                rest = behind;
                raw == "*" || value == **key
            }
            _ => false,
        });
        if matches {
            // Characters of the password may be escaped too, a colon needs not.
            let password = unescape(rest);
            return match password.is_empty() {
                true => Found::Nothing,
                false => Found::Password(password),
            };
        }
    }
    Found::Nothing
}

/// Returns the first field without escapes and as it stands, and the rest behind its colon.
fn field(text: &str) -> (String, &str, Option<&str>) {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            ':' => return (unescape(&text[..at]), &text[..at], Some(&text[at + 1..])),
            _ => {}
        }
    }
    (unescape(text), text, None)
}

fn unescape(text: &str) -> String {
    let mut acc = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => acc.extend(chars.next()),
            c => acc.push(c),
        }
    }
    acc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let wanted = Wanted {
            host: "h",
            port: 5432,
            database: "d:b",
            user: "u",
        };
        let expected = expected.map_or(Found::Nothing, |it| Found::Password(it.to_owned()));
        assert_eq!(search(text, wanted), expected, "{text}");
    }

    #[test]
    fn the_first_line_that_matches_gives_the_password() {
        check("h:5432:d\\:b:u:secret\n", Some("secret"));
        check(
            "# a\nx:5432:*:u:no\n*:*:*:*:it's\\:\\\\ok\r\n",
            Some("it's:\\ok"),
        );
        check("h:5433:*:u:no\n", None);
        check("h:5432:d:b:u:no\n", None);
        check("h:5432:*:u:a\n*:*:*:*:b", Some("a"));
        check("h:5432:*:u", None);
        check("h:5432:*:u:", None);
        check("*:*:*:*:a:b", Some("a:b"));
        check("\\*:*:*:*:no", None);
    }
}
