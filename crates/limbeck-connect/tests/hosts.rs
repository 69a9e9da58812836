//! Several hosts, what they have to be, and servers that say nothing.

use std::io::Read;
use std::net::TcpListener;

use limbeck_connect::{Origin, Settings};
use limbeck_testkit::{TestDb, cluster};
use sqlx::{AssertSqlSafe, Row};

/// Settings for a database, with other hosts and parameters: `HOSTS` is replaced by the address of the server.
fn settings(db: &TestDb, hosts: &str, parameters: &str) -> Settings {
    let port = cluster().port();
    let here = format!("127.0.0.1:{port}");
    let url = db.url().replace(&here, &hosts.replace("HERE", &here));
    let joint = if url.contains('?') { "&" } else { "?" };
    let url = format!("{url}{joint}{parameters}");
    Settings::parse(&url, Origin::Argument("--url".to_owned())).unwrap()
}

/// `expected` is the name that the server lists the connection under, or parts of the error.
async fn check(db: &TestDb, hosts: &str, parameters: &str, expected: Result<&str, &[&str]>) {
    let opened = settings(db, hosts, parameters).connect().await;
    match (opened, expected) {
        (Ok(mut conn), Ok(name)) => {
            let sql = "SELECT current_setting('application_name'), current_setting('geqo')";
            let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
            assert_eq!(row.get::<String, _>(0), name, "{hosts} {parameters}");
            let geqo = if parameters.contains("geqo") {
                "off"
            } else {
                "on"
            };
            assert_eq!(row.get::<String, _>(1), geqo, "{hosts} {parameters}");
            limbeck_connect::close(conn).await;
        }
        (Err(error), Err(parts)) => {
            let error = error.to_string();
            for it in parts {
                assert!(error.contains(it), "{it:?} is not in {error}");
            }
        }
        (opened, expected) => panic!("{hosts} {parameters}: {opened:?} and not {expected:?}"),
    }
}

#[tokio::test]
async fn hosts_are_tried_in_turn() {
    let db = TestDb::create("hosts").await;
    check(&db, "HERE", "", Ok("limbeck")).await;
    check(
        &db,
        "127.0.0.1:1,HERE",
        "application_name=deploy",
        Ok("deploy"),
    )
    .await;
    check(
        &db,
        "HERE,127.0.0.1:1",
        "fallback_application_name=x",
        Ok("x"),
    )
    .await;
    check(
        &db,
        "127.0.0.1:1,HERE",
        "load_balance_hosts=random",
        Ok("limbeck"),
    )
    .await;
    check(&db, "HERE", "options=-c%20geqo%3Doff", Ok("limbeck")).await;
    check(
        &db,
        "127.0.0.1:1,127.0.0.1:2",
        "",
        Err(&[
            "127.0.0.1:1: Connection refused; 127.0.0.1:2: Connection refused",
            "is the server running",
        ]),
    )
    .await;
    // A server that refuses has the last word.
    check(
        &db,
        "HERE,127.0.0.1:1",
        "dbname=nosuch",
        Err(&["database \"nosuch\" does not exist; create the database first"]),
    )
    .await;
}

#[tokio::test]
async fn servers_have_to_be_what_is_asked_for() {
    let db = TestDb::create("session").await;
    for kind in ["any", "read-write", "primary", "prefer-standby"] {
        check(
            &db,
            "HERE",
            &format!("target_session_attrs={kind}"),
            Ok("limbeck"),
        )
        .await;
    }
    check(
        &db,
        "HERE",
        "target_session_attrs=standby",
        Err(&["the server is no standby", "target_session_attrs"]),
    )
    .await;
    check(
        &db,
        "HERE,HERE",
        "target_session_attrs=read-only",
        Err(&["the session is not read-only"]),
    )
    .await;
    let sql = format!(
        "ALTER DATABASE \"{}\" SET default_transaction_read_only = on",
        db.name()
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(db.pool())
        .await
        .unwrap();
    check(
        &db,
        "HERE",
        "target_session_attrs=read-write",
        Err(&["the session is read-only"]),
    )
    .await;
    check(
        &db,
        "127.0.0.1:1,HERE",
        "target_session_attrs=read-only",
        Ok("limbeck"),
    )
    .await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_connect_timeout() {
    let db = TestDb::create("silent").await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    // It takes connections, and answers none of them.
    std::thread::spawn(move || {
        let taken: Vec<_> = silent.incoming().collect();
        drop(taken);
    });
    check(
        &db,
        &format!("{address}"),
        "connect_timeout=1",
        Err(&["no answer within 1 s (connect_timeout)"]),
    )
    .await;
    check(
        &db,
        &format!("{address},HERE"),
        "connect_timeout=1",
        Ok("limbeck"),
    )
    .await;
    let silent = settings(&db, &address.to_string(), "connect_timeout=0");
    assert!(
        silent.cancel(1).await.is_err(),
        "a request to cancel is not waited for"
    );
}

/// PgBouncer, as it is installed, refuses every parameter of the startup message but these
/// (<https://www.pgbouncer.org/config.html#ignore_startup_parameters>).
#[tokio::test]
async fn poolers_take_the_startup_message() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
        stream.read_exact(&mut message).unwrap();
        String::from_utf8_lossy(&message[4..]).into_owned()
    });
    let text =
        format!("host=127.0.0.1 port={port} dbname=d user=u sslmode=disable connect_timeout=5");
    let settings = Settings::parse(&text, Origin::Program).unwrap();
    assert!(settings.connect().await.is_err(), "nobody answers");
    let sent = sent.join().unwrap();
    let names = sent.split('\0').step_by(2).filter(|it| !it.is_empty());
    for name in names {
        let taken = [
            "user",
            "database",
            "client_encoding",
            "DateStyle",
            "TimeZone",
            "application_name",
        ];
        assert!(taken.contains(&name), "{name}");
    }
}
