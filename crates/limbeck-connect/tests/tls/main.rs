//! TLS against a server with an authority of its own.

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use limbeck_connect::{Environment, Origin, Settings};
use sqlx::{Connection, Row};

use server::{Names, Server};

/// What comes of a connection: whether it is encrypted, or parts of the error.
type Expected<'a> = Result<bool, &'a [&'a str]>;

async fn check(server: &Server, text: &str, expected: Expected<'_>) {
    let text = format!("{} {}", server.address(), server.filled(text));
    let environment = Environment::new([], None, None);
    let settings = Settings::parse_in(&text, Origin::Argument("--url".to_owned()), &environment);
    let opened = match settings {
        Ok(it) => it.connect().await,
        Err(error) => Err(error),
    };
    match (opened, expected) {
        (Ok(mut conn), Ok(encrypted)) => {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
            assert_eq!(row.get::<bool, _>(0), encrypted, "{text}");
            // More than one chunk, there and back.
            let sql = "SELECT repeat($1, 10)";
            let long = "x".repeat(100_000);
            let row = sqlx::query(sql)
                .bind(&long)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            assert_eq!(row.get::<String, _>(0).len(), 1_000_000, "{text}");
            conn.close().await.unwrap();
        }
        (Err(error), Err(parts)) => {
            let error = error.to_string();
            assert!(!error.contains('\n'), "{error}");
            for it in parts {
                assert!(error.contains(it), "{it:?} is not in {error}");
            }
        }
        (opened, expected) => panic!("{text}: {opened:?} and not {expected:?}"),
    }
}

#[tokio::test]
async fn each_mode_asks_for_what_libpq_asks_for() {
    let server = Server::start(Names::Own).await;
    // The server offers TLS.
    check(&server, "host=localhost", Ok(true)).await;
    check(&server, "host=localhost sslmode=prefer sslsni=0", Ok(true)).await;
    check(&server, "host=localhost sslmode=allow", Ok(false)).await;
    check(&server, "host=localhost sslmode=disable", Ok(false)).await;
    check(&server, "host=localhost sslmode=require", Ok(true)).await;
    check(
        &server,
        "host=127.0.0.1 sslmode=verify-full sslrootcert=CA",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=CA",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-ca sslrootcert=CA",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=CA ssl_min_protocol_version=TLSv1.3",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=CA ssl_max_protocol_version=TLSv1.2",
        Ok(true),
    )
    .await;
    // Another name for the same address.
    let elsewhere = "host=db.example.org hostaddr=127.0.0.1";
    check(&server, &format!("{elsewhere} sslmode=require"), Ok(true)).await;
    check(
        &server,
        &format!("{elsewhere} sslmode=verify-ca sslrootcert=CA"),
        Ok(true),
    )
    .await;
    check(
        &server,
        &format!("{elsewhere} sslmode=verify-full sslrootcert=CA"),
        Err(&[
            "the server's certificate is not for the host db.example.org",
            "localhost",
            "set sslmode to verify-ca",
        ]),
    )
    .await;
    // An authority that did not sign it.
    let foreign = &[
        "is not signed by an authority of",
        "other.crt (sslrootcert from the argument --url)",
        "set sslrootcert",
    ];
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=OTHER",
        Err(foreign),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-ca sslrootcert=OTHER",
        Err(foreign),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=require sslrootcert=OTHER",
        Err(foreign),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=require sslrootcert=CA",
        Ok(true),
    )
    .await;
    let unknown = &["is not signed by an authority that the system trusts"];
    check(&server, "host=localhost sslrootcert=system", Err(unknown)).await;
    check(&server, "host=localhost sslmode=verify-full", Err(unknown)).await;
}

#[tokio::test]
async fn files_that_are_no_certificates_are_named() {
    let server = Server::start(Names::Own).await;
    fs::write(server.path("none.crt"), "nothing of that kind\n").unwrap();
    let missing = &[
        "the setting sslrootcert from the argument --url names",
        "nosuch.crt, which cannot be read",
    ];
    check(
        &server,
        "host=localhost sslmode=require sslrootcert=FOLDER/nosuch.crt",
        Err(missing),
    )
    .await;
    let none = &[
        "the setting sslrootcert",
        "none.crt, which holds no certificate",
        "PEM",
    ];
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=FOLDER/none.crt",
        Err(none),
    )
    .await;
    let none = &[
        "the setting sslcert",
        "none.crt, which holds no certificate",
    ];
    check(
        &server,
        "host=localhost sslcert=FOLDER/none.crt sslkey=CLIENT.key",
        Err(none),
    )
    .await;
    let none = &["the setting sslkey", "which holds no private key"];
    fs::set_permissions(server.path("none.crt"), fs::Permissions::from_mode(0o600)).unwrap();
    check(
        &server,
        "host=localhost sslcert=CLIENT.crt sslkey=FOLDER/none.crt",
        Err(none),
    )
    .await;
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(server.path("locked.key"), locked).unwrap();
    fs::set_permissions(server.path("locked.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let passphrase = &[
        "the setting sslkey",
        "locked.key, which has a passphrase",
        "openssl pkey",
    ];
    check(
        &server,
        "host=localhost sslcert=CLIENT.crt sslkey=FOLDER/locked.key",
        Err(passphrase),
    )
    .await;
    fs::copy(server.path("client.key"), server.path("open.key")).unwrap();
    fs::set_permissions(server.path("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = &["open.key, which other accounts can read", "run chmod 600"];
    check(
        &server,
        "host=localhost sslcert=CLIENT.crt sslkey=FOLDER/open.key",
        Err(open),
    )
    .await;
    let other = &["the setting sslkey", "does not go with sslcert"];
    check(
        &server,
        "host=localhost sslcert=CLIENT.crt sslkey=STRANGER.key",
        Err(other),
    )
    .await;
}

#[tokio::test]
async fn roles_may_need_a_certificate_or_encryption_or_none() {
    let server = Server::start(Names::Own).await;
    let full = "host=localhost sslmode=verify-full sslrootcert=CA";
    check(
        &server,
        &format!("{full} user=certified sslcert=CLIENT.crt sslkey=CLIENT.key"),
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost user=certified sslcert=CLIENT.crt sslkey=CLIENT.key",
        Ok(true),
    )
    .await;
    check(
        &server,
        &format!("{full} user=certified"),
        Err(&["certificate"]),
    )
    .await;
    check(
        &server,
        &format!("{full} user=certified sslcert=CLIENT.crt sslkey=CLIENT.key sslcertmode=disable"),
        Err(&["certificate"]),
    )
    .await;
    check(
        &server,
        &format!("{full} user=certified sslcert=STRANGER.crt sslkey=STRANGER.key"),
        Err(&[
            "cannot connect to database postgres on localhost:",
            "as certified",
        ]),
    )
    .await;
    // Roles for which pg_hba.conf has a line with TLS only, and without TLS only.
    check(&server, "host=localhost user=encrypted", Ok(true)).await;
    check(
        &server,
        "host=localhost user=encrypted sslmode=allow",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=localhost user=encrypted sslmode=disable",
        Err(&["pg_hba.conf"]),
    )
    .await;
    check(&server, "host=localhost user=plain", Ok(false)).await;
    check(
        &server,
        "host=localhost user=plain sslmode=allow",
        Ok(false),
    )
    .await;
    check(
        &server,
        "host=localhost user=plain sslmode=require",
        Err(&["pg_hba.conf"]),
    )
    .await;
}

#[tokio::test]
async fn an_expired_certificate_is_told_as_such() {
    let server = Server::start(Names::Expired).await;
    let expired = &[
        "the server's certificate has expired",
        "renew it on the server",
    ];
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=CA",
        Err(expired),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-ca sslrootcert=CA",
        Err(expired),
    )
    .await;
    check(&server, "host=localhost sslmode=require", Ok(true)).await;
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_its_own_authority() {
    let server = Server::start(Names::OwnAuthority).await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=SERVER",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=db.example.org hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=SERVER",
        Err(&["is not for the host db.example.org"]),
    )
    .await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=OTHER",
        Err(&["the server's certificate"]),
    )
    .await;
}

#[tokio::test]
async fn a_common_name_counts_where_there_is_no_other_name() {
    let server = Server::start(Names::Common).await;
    check(
        &server,
        "host=localhost sslmode=verify-full sslrootcert=CA",
        Ok(true),
    )
    .await;
    check(
        &server,
        "host=127.0.0.1 sslmode=verify-full sslrootcert=CA",
        Err(&["is not for the host 127.0.0.1"]),
    )
    .await;
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_such() {
    let db = limbeck_testkit::TestDb::create("no_tls").await;
    let joint = if db.url().contains('?') { '&' } else { '?' };
    for (mode, expected) in [("prefer", true), ("require", false)] {
        let url = format!("{}{joint}sslmode={mode}", db.url());
        let opened = Settings::parse(&url, Origin::Program)
            .unwrap()
            .connect()
            .await;
        assert_eq!(opened.is_ok(), expected, "{opened:?}");
    }
    let ca = Server::authority();
    let url = format!(
        "{}{joint}sslmode=verify-ca&sslrootcert={}",
        db.url(),
        ca.path().display()
    );
    let error = Settings::parse(&url, Origin::Program)
        .unwrap()
        .connect()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the server offers no TLS; set ssl = on there"),
        "{error}"
    );
}
