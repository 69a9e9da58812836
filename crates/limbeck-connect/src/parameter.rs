//! The parameters of connection strings, after
//! <https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS>.

/// A parameter of libpq's.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// The environment variable that gives its value where a connection string does not.
    pub(crate) variable: Option<&'static str>,
    pub(crate) support: Support,
}

/// How far a parameter is supported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Support {
    /// Its value is used.
    Used,
    /// Only values that ask for nothing are accepted.
    Only {
        values: &'static [&'static str],
        reason: &'static str,
    },
}

const fn used(name: &'static str, variable: &'static str) -> Parameter {
    Parameter {
        name,
        variable: Some(variable),
        support: Support::Used,
    }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    values: &'static [&'static str],
    reason: &'static str,
) -> Parameter {
    let support = Support::Only { values, reason };
    Parameter {
        name,
        variable,
        support,
    }
}

const KEEPALIVES: &str = "the driver cannot set keepalives of a connection, so the system's apply";
const GSS: &str = "the driver has no GSSAPI";
const OAUTH: &str = "the driver has no OAuth";
const SCRAM: &str = "the driver authenticates by the password alone";
const METHODS: &str = "the driver cannot restrict how the server asks for a password";

/// Every parameter that libpq knows.
pub(crate) const PARAMETERS: &[Parameter] = &[
    used("host", "PGHOST"),
    used("hostaddr", "PGHOSTADDR"),
    used("port", "PGPORT"),
    used("dbname", "PGDATABASE"),
    used("user", "PGUSER"),
    used("password", "PGPASSWORD"),
    used("passfile", "PGPASSFILE"),
    used("connect_timeout", "PGCONNECT_TIMEOUT"),
    used("client_encoding", "PGCLIENTENCODING"),
    used("options", "PGOPTIONS"),
    used("application_name", "PGAPPNAME"),
    Parameter {
        name: "fallback_application_name",
        variable: None,
        support: Support::Used,
    },
    used("service", "PGSERVICE"),
    used("servicefile", "PGSERVICEFILE"),
    used("target_session_attrs", "PGTARGETSESSIONATTRS"),
    used("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    used("sslmode", "PGSSLMODE"),
    used("sslrootcert", "PGSSLROOTCERT"),
    used("sslcert", "PGSSLCERT"),
    used("sslkey", "PGSSLKEY"),
    used("sslcertmode", "PGSSLCERTMODE"),
    used("sslsni", "PGSSLSNI"),
    used("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    used("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    only("require_auth", Some("PGREQUIREAUTH"), &[""], METHODS),
    only(
        "channel_binding",
        Some("PGCHANNELBINDING"),
        &["prefer", "disable"],
        "the driver has no channel binding; sslmode=verify-full protects against a server in the middle too",
    ),
    only("keepalives", None, &["1"], KEEPALIVES),
    only("keepalives_idle", None, &["0"], KEEPALIVES),
    only("keepalives_interval", None, &["0"], KEEPALIVES),
    only("keepalives_count", None, &["0"], KEEPALIVES),
    only(
        "tcp_user_timeout",
        None,
        &["0"],
        "the driver cannot set this timeout of a connection, so the system's applies",
    ),
    only(
        "replication",
        None,
        &["false", "off", "no", "0"],
        "a replication connection runs no migrations",
    ),
    only(
        "gssencmode",
        Some("PGGSSENCMODE"),
        &["prefer", "disable"],
        "the driver has no GSSAPI; sslmode encrypts",
    ),
    only("krbsrvname", Some("PGKRBSRVNAME"), &["postgres"], GSS),
    only("gsslib", Some("PGGSSLIB"), &["gssapi"], GSS),
    only("gssdelegation", Some("PGGSSDELEGATION"), &["0"], GSS),
    only(
        "sslnegotiation",
        Some("PGSSLNEGOTIATION"),
        &["postgres"],
        "the driver always asks the server for TLS first",
    ),
    only(
        "sslcompression",
        Some("PGSSLCOMPRESSION"),
        &["0"],
        "TLS is not compressed any more",
    ),
    only(
        "sslpassword",
        None,
        &[""],
        "a private key with a passphrase cannot be read; write the key without one (openssl pkey) and protect its file",
    ),
    only(
        "sslcrl",
        Some("PGSSLCRL"),
        &[""],
        "revocation lists are not read",
    ),
    only(
        "sslcrldir",
        Some("PGSSLCRLDIR"),
        &[""],
        "revocation lists are not read",
    ),
    only("sslkeylogfile", None, &[""], "TLS keys are not logged"),
    only(
        "requirepeer",
        Some("PGREQUIREPEER"),
        &[""],
        "the driver cannot ask who owns the server behind a socket; choose a socket folder that only the server's account may write to",
    ),
    only(
        "min_protocol_version",
        Some("PGMINPROTOCOLVERSION"),
        &["3.0"],
        "the driver speaks protocol 3.0",
    ),
    only(
        "max_protocol_version",
        Some("PGMAXPROTOCOLVERSION"),
        &["3.0", "3.2", "latest"],
        "no such version",
    ),
    only("scram_client_key", None, &[""], SCRAM),
    only("scram_server_key", None, &[""], SCRAM),
    only("oauth_issuer", None, &[""], OAUTH),
    only("oauth_client_id", None, &[""], OAUTH),
    only("oauth_client_secret", None, &[""], OAUTH),
    only("oauth_scope", None, &[""], OAUTH),
];

/// Returns the parameter of that name.
pub(crate) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|it| it.name == name)
}

/// Returns a remedy for a parameter that libpq does not know: its other name, or the nearest known one.
pub(crate) fn remedy(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let other = match lower.as_str() {
        "schema" | "currentschema" | "search_path" | "searchpath" => {
            return Some("to set the search path, write options=-c search_path=NAME, in a URL options=-csearch_path%3DNAME".into());
        }
        "ssl" | "usessl" | "tls" | "ssl_mode" | "ssl-mode" => "sslmode",
        "ssl-root-cert" | "ssl-ca" | "sslca" | "ssl_ca" | "sslrootca" => "sslrootcert",
        "ssl-cert" => "sslcert",
        "ssl-key" => "sslkey",
        "database" | "db" | "initial catalog" => "dbname",
        "username" | "uid" | "user_id" | "user id" => "user",
        "pwd" | "pass" | "passwd" => "password",
        "server" | "hostname" | "socket" => "host",
        "timeout" | "connecttimeout" | "connection_timeout" => "connect_timeout",
        "applicationname" | "app" => "application_name",
        "targetservertype" => "target_session_attrs",
        _ => {
            return nearest(&lower, PARAMETERS.iter().map(|it| it.name))
                .map(|it| format!("did you mean {it}?"));
        }
    };
    Some(format!("did you mean {other}?"))
}

/// Returns the candidate that differs least from a word in lower case, if it differs by little.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distance = |it: &&str| strsim::damerau_levenshtein(word, &it.to_ascii_lowercase());
    let best = candidates.into_iter().min_by_key(distance)?;
    let limit = (word.chars().count() / 3).max(1);
    (distance(&best) <= limit).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_parameter_has_a_remedy() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(remedy(name).as_deref(), expected, "{name}");
        };
        check("sslmod", Some("did you mean sslmode?"));
        check("PASSWORD", Some("did you mean password?"));
        check("dbnam", Some("did you mean dbname?"));
        check(
            "target_session_attr",
            Some("did you mean target_session_attrs?"),
        );
        check("database", Some("did you mean dbname?"));
        check("frobnicate", None);
        assert!(remedy("schema").is_some_and(|it| it.contains("search_path=NAME")));
    }
}
