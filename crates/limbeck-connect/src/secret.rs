//! Passwords, and texts in which they are not to be seen.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use limbeck_sql::{Rules, TokenKind, tokens, tokens_with};

/// What stands where a password was.
const HIDDEN: &str = "***";

/// Passwords of the connection settings that this process has read, in every form in which a text may hold them; the
/// longest first, so that no part of one is left.
static KNOWN: Mutex<BTreeSet<(std::cmp::Reverse<usize>, String)>> = Mutex::new(BTreeSet::new());

/// A value that no `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Remembers a secret, so that [`redact`] hides it wherever it appears later. Connection settings do this by themselves
/// for each password that they read.
pub fn register(secret: &str) {
    // Fewer characters are no secret, and hiding them everywhere would make messages unreadable.
    if secret.trim().chars().count() < 3 {
        return;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = |upper: bool| -> String {
        let code = |byte: u8| match (plain(byte), upper) {
            (true, _) => char::from(byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        };
        secret.bytes().map(code).collect()
    };
    let escaped = |quote: char| -> String {
        let escape = |c: char| match c == quote || c == '\\' {
            true => format!("\\{c}"),
            false => c.to_string(),
        };
        secret.chars().map(escape).collect()
    };
    let forms = [
        secret.to_owned(),
        encoded(true),
        encoded(false),
        secret.replace('\'', "''"),
        secret.replace('"', "\"\""),
        escaped('\''),
        escaped('"'),
        secret.escape_debug().to_string(),
        secret.split_whitespace().collect::<Vec<_>>().join(" "),
    ];
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.extend(forms.map(|it| (std::cmp::Reverse(it.len()), it)));
}

/// Returns a text with every password in it replaced by `***`: those of the connection settings that this process has
/// read, in plain and in encoded forms, and what stands where a password of another connection string, of a role, of a
/// user mapping or of a subscription would stand.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut acc = text.to_owned();
    {
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, secret) in known.iter() {
            if acc.contains(secret.as_str()) {
                acc = hide_word(&acc, secret);
            }
        }
    }
    if acc.contains("://") {
        acc = hide_in_urls(&acc);
    }
    hide_values(&acc)
}

/// Hides a word where it stands by itself: a password `app` is not hidden in `application`.
fn hide_word(text: &str, word: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let (first, last) = (word.chars().next(), word.chars().next_back());
    let (starts, ends) = (first.is_some_and(part), last.is_some_and(part));
    let mut acc = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let before_it = before
            .chars()
            .next_back()
            .or_else(|| acc.chars().next_back());
        let inside = (starts && before_it.is_some_and(part))
            || (ends && after.chars().next().is_some_and(part));
        acc.push_str(before);
        acc.push_str(if inside { word } else { HIDDEN });
        rest = after;
    }
    acc + rest
}

/// Hides the passwords of URLs. What stands before an `@` may be one, since people forget to encode characters; in
/// PostgreSQL's own URLs it may hold blanks and quotes.
fn hide_in_urls(text: &str) -> String {
    let mut acc = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let scheme = before[..at].to_ascii_lowercase();
        let own = scheme.ends_with("postgresql") || scheme.ends_with("postgres");
        acc.push_str(before);
        let ends = |c: char| match own {
            true => matches!(c, '\n' | '\r'),
            false => c.is_whitespace() || matches!(c, '"' | '\'' | '`'),
        };
        let end = after.find(ends).unwrap_or(after.len());
        // The next URL of the line is one of its own.
        let end = after[..end].find("://").unwrap_or(end);
        let (word, tail) = after.split_at(end);
        match word
            .rsplit_once('@')
            .map(|(user, host)| (user.split_once(':'), host))
        {
            Some((Some((user, _)), host)) if !user.contains(char::is_whitespace) => {
                acc.push_str(&format!("{user}:{HIDDEN}@{host}"));
            }
            _ => acc.push_str(word),
        }
        rest = tail;
    }
    acc + rest
}

/// Hides what follows the word `password`, or a word that ends so, if it is a value: behind `=` or `:`, or in quotes.
fn hide_values(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut acc = String::with_capacity(text.len());
    let mut done = 0;
    let mut from = 0;
    let words = ["password", "passwd", "pwd", "passphrase"];
    while let Some((at, word)) = words
        .iter()
        .filter_map(|word| lower[from..].find(word).map(|at| (from + at, word)))
        .min()
    {
        from = at + word.len();
        let Some((begin, end)) = value_behind(text, from) else {
            continue;
        };
        acc.push_str(&text[done..begin]);
        acc.push_str(HIDDEN);
        (done, from) = (end, end);
    }
    acc + &text[done..]
}

/// Returns the bytes of the value behind the word that ends at `at`, without its quotes.
fn value_behind(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    // The word may be quoted: "password": "…", "password" 'x'.
    let unquoted = rest.strip_prefix(['"', '\'', '`']).unwrap_or(rest);
    let rest = skip_blank(unquoted);
    // A colon is one of JSON's, with a quote behind it, or one of prose.
    let (assigned, value) = match (rest.strip_prefix('='), rest.strip_prefix(':')) {
        (Some(it), _) => (true, it.trim_start()),
        (None, Some(it)) => (false, it.trim_start()),
        (None, None) => (false, rest),
    };
    // A value without quotes may begin as a comment does, or end with a letter and a quote that is none of its own.
    let quoted = Some(skip_blank(value)).filter(|it| it.starts_with(['\'', '"', '$']));
    let rest = quoted.unwrap_or(value);
    let begin = |it: &str| text.len() - it.len();
    let is_bare = assigned && !rest.starts_with(['\'', '"', '$']);
    if let Some((from, to)) = literal(rest).filter(|_| !is_bare) {
        return Some((begin(rest) + from, begin(rest) + to));
    }
    if !assigned || rest.starts_with(HIDDEN) {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '&' | ';' | ',' | '\'' | '"' | '`' | ')');
    let length = rest.find(ends).unwrap_or(rest.len());
    (length > 0).then_some((begin(rest), begin(rest) + length))
}

/// Returns the bytes between the quotes of the string or quoted name that a text begins with. A backslash may escape a
/// quote, as it does in connection strings, in JSON, and in SQL where the server or an `E` says so.
fn literal(text: &str) -> Option<(usize, usize)> {
    if text.starts_with('"') {
        return Some((1, 1 + quoted_length(&text[1..])));
    }
    let rules = Rules {
        standard_conforming_strings: false,
    };
    let token = tokens_with(text, rules)
        .next()
        .filter(|it| it.kind.is_string())?;
    let quote = match token.kind {
        TokenKind::DollarString => {
            let inner = token.text.strip_prefix('$')?;
            &token.text[..inner.find('$')? + 2]
        }
        _ => "'",
    };
    let from = token.text.find(quote)? + quote.len();
    let to = token.text.len() - if token.closed { quote.len() } else { 0 };
    Some((from, to.max(from)))
}

/// Returns the length of what a double quote holds: up to the closing one, that is neither doubled nor behind a backslash.
fn quoted_length(body: &str) -> usize {
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == '"' && chars.next_if(|(_, next)| *next == '"').is_none() {
            return at;
        }
    }
    body.len()
}

/// Skips blanks and SQL's comments.
fn skip_blank(text: &str) -> &str {
    let text = text.trim_start();
    let skipped = tokens(text).take_while(|it| it.kind.is_trivia());
    &text[skipped.last().map_or(0, |it| it.end())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(redact(text), expected);
    }

    #[test]
    fn passwords_of_connection_strings_are_hidden() {
        check(
            "postgresql://me:secret@host:5432/db",
            "postgresql://me:***@host:5432/db",
        );
        check("postgresql://me@host/db", "postgresql://me@host/db");
        check("`postgres://u:a@b#c@h/d?x=1`", "`postgres://u:***@h/d?x=1`");
        check(
            "cannot reach postgres://a:b@c/d now",
            "cannot reach postgres://a:***@c/d now",
        );
        check(
            "postgresql://u:my secret@localhost:1/x",
            "postgresql://u:***@localhost:1/x",
        );
        check(
            "postgresql://u:my\"secret@localhost:1/x",
            "postgresql://u:***@localhost:1/x",
        );
        check("postgresql://md5u:it's@h/d", "postgresql://md5u:***@h/d");
        check(
            "postgresql://me:p/q?r#s@host/db",
            "postgresql://me:***@host/db",
        );
        check(
            "https://u:p@h/x and https://h/y",
            "https://u:***@h/x and https://h/y",
        );
        check(
            "postgresql://h/db?user=a&password=b&x=1",
            "postgresql://h/db?user=a&password=***&x=1",
        );
        check(
            "host=h user=u password = 'my sec\\'ret' dbname=x",
            "host=h user=u password = '***' dbname=x",
        );
        check("user=u PASSWORD=secret", "user=u PASSWORD=***");
        check(
            "{\"password\": \"a\\\"b\", \"x\": 1}",
            "{\"password\": \"***\", \"x\": 1}",
        );
        check("Host=h;Password=x;Y=1", "Host=h;Password=***;Y=1");
    }

    #[test]
    fn passwords_of_statements_are_hidden() {
        check(
            "ALTER ROLE a PASSWORD 'it''s' LOGIN",
            "ALTER ROLE a PASSWORD '***' LOGIN",
        );
        check(
            "CREATE USER a password/* x */E'a\\'b'",
            "CREATE USER a password/* x */E'***'",
        );
        check("PASSWORD $x$a'b$x$ LOGIN", "PASSWORD $x$***$x$ LOGIN");
        check(
            "PASSWORD /* /* */ 'no' */ 'a' LOGIN",
            "PASSWORD /* /* */ 'no' */ '***' LOGIN",
        );
        check(
            "PASSWORD -- x\r'a'\n -- y\n 'b' LOGIN",
            "PASSWORD -- x\r'***' LOGIN",
        );
        check("PASSWORD U&'a\\0062' UESCAPE", "PASSWORD U&'***' UESCAPE");
        check("PASSWORD 'not closed", "PASSWORD '***");
        check("password=/*a*/b", "password=***");
        check(
            "dblink('password=e', 'SELECT 1')",
            "dblink('password=***', 'SELECT 1')",
        );
        check("password = /* x */ 'a b'", "password = /* x */ '***'");
        check(
            "OPTIONS (user 'a', password 'b')",
            "OPTIONS (user 'a', password '***')",
        );
        check(
            "SUBSCRIPTION s CONNECTION 'host=h password=x dbname=d' PUBLICATION p",
            "SUBSCRIPTION s CONNECTION 'host=h password=*** dbname=d' PUBLICATION p",
        );
        check(
            "dblink('host=h password=x', 'SELECT 1')",
            "dblink('host=h password=***', 'SELECT 1')",
        );
        check("ALTER ROLE a PASSWORD NULL", "ALTER ROLE a PASSWORD NULL");
    }

    #[test]
    fn other_texts_are_left_as_they_are() {
        for text in [
            "password authentication failed for user \"u\"",
            "column password_hash text NOT NULL",
            "COMMENT ON COLUMN t.password IS 'a'",
            "column account.password: type text",
            "at 12:30 see http://h:80/x",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn a_known_secret_is_hidden_in_all_its_forms() {
        register("q!x'7 \"z");
        for text in [
            "q!x'7 \"z",
            "q%21x%277%20%22z",
            "q!x''7 \"z",
            "q!x\\'7 \"z",
            "q!x'7 \\\"z",
        ] {
            check(&format!("<{text}>"), "<***>");
        }
        register("hunter2");
        check(
            "hunter2 hunter22 my_hunter2 (hunter2)",
            "*** hunter22 my_hunter2 (***)",
        );
    }
}
