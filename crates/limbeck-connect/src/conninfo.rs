//! Connection strings, as libpq's `conninfo_parse` and `conninfo_uri_parse` read them.

use crate::error::{ConnectError, Origin};
use crate::parameter::{PARAMETERS, find, nearest, remedy};

/// The pairs of a connection string, in their order. `PQconninfoParse` knows the same two forms.
pub(crate) type Pairs = Vec<(&'static str, String)>;

const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// Whether a text is meant as a connection string: a URL, or keywords and values that begin with a known keyword.
#[must_use]
pub fn is_connection_string(text: &str) -> bool {
    let text = text.trim_start();
    SCHEMES.iter().any(|it| text.starts_with(it))
        || text
            .split_once('=')
            .is_some_and(|(name, _)| find(name.trim_end()).is_some())
}

/// Takes a connection string apart.
pub(crate) fn parse(text: &str, origin: &Origin) -> Result<Pairs, ConnectError> {
    let syntax = |problem| ConnectError::Syntax {
        origin: origin.clone(),
        problem,
    };
    let text = text.trim();
    let mut pairs = Pairs::new();
    match SCHEMES.iter().find_map(|it| text.strip_prefix(it)) {
        Some(rest) => parse_url(rest, origin, &mut pairs)?,
        None if text.is_empty() => {}
        None if text.contains('=') => parse_keywords(text, origin, &mut pairs)?,
        None => {
            return Err(syntax(
                "it is neither a URL nor a list of keywords and values",
            ));
        }
    }
    Ok(pairs)
}

/// Looks a parameter up by the name that was written.
fn known(name: &str, origin: &Origin, after_password: bool) -> Result<&'static str, ConnectError> {
    if let Some(it) = find(name) {
        return Ok(it.name);
    }
    let near = nearest(
        &name.to_ascii_lowercase(),
        PARAMETERS.iter().map(|it| it.name),
    )
    .is_some();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    // What stands behind a password may be its second half.
    if !name.chars().all(plain) || name.is_empty() || name.len() > 40 || (after_password && !near) {
        let problem = match after_password {
            true => {
                "the word behind the password is no parameter (a value with blanks is put into single quotes)"
            }
            false => "it has a parameter with an invalid name",
        };
        return Err(ConnectError::Syntax {
            origin: origin.clone(),
            problem,
        });
    }
    Err(ConnectError::setting(
        name,
        origin,
        "is not known",
        remedy(name).unwrap_or_else(|| "remove it, or see the parameters of libpq".to_owned()),
    ))
}

fn parse_url(rest: &str, origin: &Origin, pairs: &mut Pairs) -> Result<(), ConnectError> {
    let syntax = |problem| ConnectError::Syntax {
        origin: origin.clone(),
        problem,
    };
    let (address, query) = split_query(rest);
    let (authority, database) = match address.split_once('/') {
        Some((authority, database)) => (authority, Some(database)),
        None => (address, None),
    };
    let (user_info, hosts) = match authority.split_once('@') {
        Some((user_info, hosts)) => (Some(user_info), hosts),
        None => (None, authority),
    };
    let misplaced =
        hosts.contains('@') || (user_info.is_none() && database.is_some_and(|it| it.contains('@')));
    if misplaced {
        return Err(syntax(
            "there is an @ where the host or the database is expected (in user and password / is written as %2F, @ as %40, \
             ? as %3F, : as %3A)",
        ));
    }
    let decode = |text: &str| decode(text).map_err(syntax);
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        if !user.is_empty() {
            pairs.push(("user", decode(user)?));
        }
        if let Some(password) = password.filter(|it| !it.is_empty()) {
            crate::secret::register(password);
            pairs.push(("password", decode(password)?));
        }
    }
    let (names, ports) = split_hosts(hosts).map_err(syntax)?;
    if names.iter().any(|it| !it.is_empty()) {
        pairs.push(("host", decode(&names.join(","))?));
    }
    if ports.iter().any(|it| !it.is_empty()) {
        pairs.push(("port", decode(&ports.join(","))?));
    }
    if let Some(database) = database.filter(|it| !it.is_empty()) {
        pairs.push(("dbname", decode(database)?));
    }
    let from_address = pairs.len();
    for pair in query.into_iter().flat_map(|it| it.split('&')) {
        if pair.is_empty() {
            continue;
        }
        let Some((name, value)) = pair.split_once('=') else {
            return Err(syntax("a parameter behind the ? has no value"));
        };
        if value.contains('=') {
            return Err(syntax(
                "a parameter behind the ? has a second = (write it as %3D)",
            ));
        }
        let (name, value) = (decode(name)?, decode(value)?);
        // JDBC's spelling, which libpq takes.
        let (name, value) = match (name.as_str(), value.as_str()) {
            ("ssl", "true") => ("sslmode", "require".to_owned()),
            _ => (known(&name, origin, false)?, value),
        };
        once(&pairs[from_address..], name, &value, origin)?;
        // The parameters come later than the address, so they win.
        pairs.push((name, value));
    }
    Ok(())
}

/// Splits at the first `?` behind the user's name and password, which may contain one.
fn split_query(rest: &str) -> (&str, Option<&str>) {
    let end = rest.find('/').unwrap_or(rest.len());
    let begin = rest[..end].find('@').map_or(0, |it| it + 1);
    match rest[begin..].find('?') {
        Some(at) => (&rest[..begin + at], Some(&rest[begin + at + 1..])),
        None => (rest, None),
    }
}

/// Takes `host:port,[::1]:port` apart.
fn split_hosts(text: &str) -> Result<(Vec<&str>, Vec<&str>), &'static str> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        let (name, after) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (name, after) = inside
                    .split_once(']')
                    .ok_or("the [ of an IPv6 address has no ]")?;
                if name.is_empty() {
                    return Err("the IPv6 address between [ and ] is empty");
                }
                (name, after)
            }
            None => rest.split_at(rest.find([':', ',']).unwrap_or(rest.len())),
        };
        let (port, after) = match after.strip_prefix(':') {
            Some(it) => it.split_at(it.find(',').unwrap_or(it.len())),
            None => ("", after),
        };
        if !port.is_empty() && port.parse::<u16>().is_err() && !port.contains('%') {
            return Err(
                "a port is no number below 65536 (a : or / of a password is written as %3A or %2F; \
                 an IPv6 address stands in [ and ])",
            );
        }
        names.push(name);
        ports.push(port);
        match after.strip_prefix(',') {
            Some(it) => rest = it,
            None if after.is_empty() => return Ok((names, ports)),
            None => return Err("there is something between ] and the port"),
        }
    }
}

/// Decodes `%40`; a `+` stays a `+`, as with libpq.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str =
        "a % is not followed by two hexadecimal digits (a plain % is written as %25)";
    let mut acc = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            acc.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next().ok_or(WRONG)?).to_digit(16);
            digit.and_then(|it| u8::try_from(it).ok()).ok_or(WRONG)
        };
        let byte = digit()? * 16 + digit()?;
        if byte == 0 {
            return Err("it contains %00");
        }
        acc.push(byte);
    }
    String::from_utf8(acc).map_err(|_| "its percent-encoded bytes are not UTF-8")
}

fn parse_keywords(text: &str, origin: &Origin, pairs: &mut Pairs) -> Result<(), ConnectError> {
    let syntax = |problem| ConnectError::Syntax {
        origin: origin.clone(),
        problem,
    };
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let after_password = pairs.last().is_some_and(|(name, _)| *name == "password");
        let end = rest
            .find(|c: char| c == '=' || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Err(syntax(
                "a word in it has no = and no value (a value with blanks is put into single quotes)",
            ));
        };
        let (value, after) = keyword_value(after.trim_start()).map_err(syntax)?;
        if name.eq_ignore_ascii_case("password") {
            crate::secret::register(&value);
        }
        let name = known(name, origin, after_password)?;
        once(pairs, name, &value, origin)?;
        pairs.push((name, value));
        rest = after.trim_start();
    }
    Ok(())
}

/// Reads a value, plain or quoted, and returns the rest behind it.
fn keyword_value(text: &str) -> Result<(String, &str), &'static str> {
    let quoted = text.strip_prefix('\'');
    let body = quoted.unwrap_or(text);
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None if quoted.is_some() => break,
                None => {}
            },
            '\'' if quoted.is_some() => return Ok((value, &body[at + 1..])),
            _ if quoted.is_none() && c.is_ascii_whitespace() => return Ok((value, &body[at..])),
            _ => value.push(c),
        }
    }
    match quoted {
        Some(_) => Err("a single quote is not closed"),
        None => Ok((value, "")),
    }
}

/// Refuses a parameter that is given twice with two values.
fn once(
    pairs: &[(&'static str, String)],
    name: &'static str,
    value: &str,
    origin: &Origin,
) -> Result<(), ConnectError> {
    if pairs
        .iter()
        .any(|(other, it)| *other == name && it != value)
    {
        return Err(ConnectError::setting(
            name,
            origin,
            "is given twice with different values",
            "remove one of them",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let pairs = parse(text, &Origin::Program).map_err(|it| it.to_string());
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        assert_eq!(pairs, Ok(expected), "{text}");
    }

    #[track_caller]
    fn refuse(text: &str, hidden: &str, expected: &str) {
        let error = parse(text, &Origin::Argument("--url".into()))
            .expect_err(text)
            .to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.contains("the argument --url"), "{text}: {error}");
        assert!(
            hidden.is_empty() || !error.contains(hidden),
            "{text}: {error}"
        );
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        check("postgresql://", &[]);
        check("postgres://localhost", &[("host", "localhost")]);
        check(
            "postgresql://u:p@h:5433/db?connect_timeout=10&application_name=a%20b",
            &[
                ("user", "u"),
                ("password", "p"),
                ("host", "h"),
                ("port", "5433"),
                ("dbname", "db"),
                ("connect_timeout", "10"),
                ("application_name", "a b"),
            ],
        );
        check(
            "postgresql://[2001:db8::1234]:5433/database",
            &[
                ("host", "2001:db8::1234"),
                ("port", "5433"),
                ("dbname", "database"),
            ],
        );
        check("postgresql://[::1]", &[("host", "::1")]);
        check(
            "postgresql://a:1,b:2,[::1]/db",
            &[("host", "a,b,::1"), ("port", "1,2,"), ("dbname", "db")],
        );
        check(
            "postgresql://u@/db?host=/run/pg",
            &[("user", "u"), ("dbname", "db"), ("host", "/run/pg")],
        );
        check("postgresql:///db", &[("dbname", "db")]);
        check(
            "postgresql://:5433/db",
            &[("port", "5433"), ("dbname", "db")],
        );
        check(
            "postgresql://%2Frun%2Fpg/db",
            &[("host", "/run/pg"), ("dbname", "db")],
        );
        check(
            "postgresql://localhost/db?host=/run/pg",
            &[("host", "localhost"), ("dbname", "db"), ("host", "/run/pg")],
        );
        check("postgresql://?service=app", &[("service", "app")]);
        check(
            "postgresql://h?ssl=true",
            &[("host", "h"), ("sslmode", "require")],
        );
        check(
            "postgresql://md5u:it's@h/d\n",
            &[
                ("user", "md5u"),
                ("password", "it's"),
                ("host", "h"),
                ("dbname", "d"),
            ],
        );
        check(
            "postgresql://u:a?b#c:d@h/",
            &[("user", "u"), ("password", "a?b#c:d"), ("host", "h")],
        );
        check(
            "postgresql://h/d?user=me@server&password=a+b",
            &[
                ("host", "h"),
                ("dbname", "d"),
                ("user", "me@server"),
                ("password", "a+b"),
            ],
        );
    }

    #[test]
    fn keywords_and_values_are_read_as_libpq_reads_them() {
        check("", &[]);
        check(
            "host=localhost port = 5433 dbname= mydb",
            &[("host", "localhost"), ("port", "5433"), ("dbname", "mydb")],
        );
        check(
            r"user=u password='my \'secret\\' dbname=''",
            &[("user", "u"), ("password", r"my 'secret\"), ("dbname", "")],
        );
        check(
            r"password=a\ b user=u",
            &[("password", "a b"), ("user", "u")],
        );
        check("options='-c geqo=off'", &[("options", "-c geqo=off")]);
        check("host=", &[("host", "")]);
    }

    #[test]
    fn what_cannot_be_read_is_said_and_not_shown() {
        refuse(
            "postgres:/u:secret@localhost/x",
            "secret",
            "neither a URL nor",
        );
        refuse("secret", "secret", "neither a URL nor");
        refuse("mysql://root:secret@h/x?a=b", "secret", "invalid name");
        refuse(
            "postgresql://u:pa/sesame@host/db",
            "sesame",
            "an @ where the host",
        );
        refuse("postgresql://u:p@ss@host/db", "ss@", "an @ where the host");
        refuse("postgresql://u:secret", "secret", "a port is no number");
        refuse("postgresql://h:70000/x", "70000", "a port is no number");
        refuse(
            "postgresql://::1/x",
            "",
            "an IPv6 address stands in [ and ]",
        );
        refuse("postgresql://[::1/x", "", "has no ]");
        refuse("postgresql://[::1]x/x", "", "between ] and the port");
        refuse("postgresql://u:100%secret@h/x", "secret", "written as %25");
        refuse("postgresql://h/x?sslmode", "", "has no value");
        refuse("postgresql://h/x?sslmode=a=b", "", "second =");
        refuse(
            "postgresql://h/x?sslmod=require",
            "",
            "sslmod from the argument --url is not known; did you mean sslmode?",
        );
        refuse(
            "postgresql://h/x?schema=app",
            "",
            "options=-c search_path=NAME",
        );
        refuse("postgresql://h/x?nonsense=1", "", "the setting nonsense");
        refuse("user=u PASSWORD=secret", "secret", "the setting PASSWORD");
        refuse(
            "user=u password=my secret",
            "secret",
            "has no = and no value",
        );
        refuse("user=u password=my sec=ret", "sec", "behind the password");
        refuse("password=a sslmod=require", "", "did you mean sslmode?");
        refuse("user=u password='secret", "secret", "is not closed");
        refuse("sslmode=require sslmode=disable", "", "given twice");
        refuse(
            "postgresql://h/?sslmode=require&sslmode=disable",
            "",
            "given twice",
        );
    }

    #[test]
    fn connection_strings_are_told_from_files() {
        for text in [
            "postgres://",
            "postgresql://h/d",
            "host=h",
            " dbname = x",
            "service=app",
        ] {
            assert!(is_connection_string(text), "{text}");
        }
        for text in ["models.json", "a=b.sql", "cmd:x --host=y", ""] {
            assert!(!is_connection_string(text), "{text}");
        }
    }
}
