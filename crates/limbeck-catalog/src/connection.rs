//! Connections, and connection strings that may be shown.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use crate::CatalogError;

/// Opens a connection. The password of the connection string is shown nowhere.
///
/// # Errors
/// [`CatalogError::Url`] and [`CatalogError::Connect`].
pub async fn connect(url: &str) -> Result<PgConnection, CatalogError> {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let options = PgConnectOptions::from_str(url).map_err(|it| it.to_string());
    let reason = if is_url {
        options.as_ref().err().cloned()
    } else {
        Some("it does not begin with postgresql://".into())
    };
    let (Ok(options), None) = (options, &reason) else {
        return Err(CatalogError::Url {
            url: redact(url),
            reason: reason.unwrap_or_default(),
        });
    };
    let options = options
        .application_name("limbeck")
        .disable_statement_logging();
    PgConnection::connect_with(&options)
        .await
        .map_err(|source| CatalogError::Connect {
            url: redact(url),
            source,
        })
}

/// A text with the passwords of all connection strings in it replaced by `***`. Whatever stands before the last `@` of a
/// word with `://` may hold a password, since people forget to encode `/`, `?` and `#`.
pub fn redact(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    let mut acc = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        acc.push_str(before);
        let (word, tail) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let user_and_host = word.rsplit_once('@');
        match user_and_host.map(|(user, host)| (user.split_once(':'), host)) {
            Some((Some((user, _)), host)) => acc.push_str(&format!("{user}:***@{host}")),
            Some((None, _)) | None => acc.push_str(word),
        }
        rest = tail;
    }
    acc.push_str(rest);
    hide_parameters(&acc)
}

/// Hides the values of `password=…`.
fn hide_parameters(text: &str) -> String {
    const NAME: &str = "password=";
    let mut acc = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NAME) {
        let (before, value) = rest.split_at(at + NAME.len());
        acc.push_str(before);
        acc.push_str("***");
        let end = value.find(|c: char| c == '&' || c.is_whitespace());
        rest = &value[end.unwrap_or(value.len())..];
    }
    acc + rest
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn passwords_are_never_shown() {
        let check = |text: &str, expected: &str| assert_eq!(redact(text), expected);
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
            "postgresql://host/db?user=a&password=b&x=1",
            "postgresql://host/db?user=a&password=***&x=1",
        );
        check(
            "postgresql://me:p/q?r#s@host/db",
            "postgresql://me:***@host/db",
        );
        check(
            "postgresql://me:p@ss@host/db",
            "postgresql://me:***@host/db",
        );
    }
}
