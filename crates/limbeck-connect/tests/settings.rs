//! What connection settings come to: from the string, the service, the environment and the files of a user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use limbeck_connect::{ConnectError, Environment, Origin, Settings};

/// A user's folder.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn parse(
    text: &str,
    variables: &[(&str, &str)],
    home: Option<&Path>,
) -> Result<Settings, ConnectError> {
    let environment = Environment::new(variables.iter().copied(), home, Some("me"));
    Settings::parse_in(text, Origin::Argument("--url".to_owned()), &environment)
}

#[track_caller]
fn check(text: &str, variables: &[(&str, &str)], expected: &str) {
    let settings = parse(text, variables, None).map_err(|it| it.to_string());
    assert_eq!(
        settings.map(|it| it.target().to_string()),
        Ok(expected.to_owned()),
        "{text}"
    );
}

#[track_caller]
fn refuse(text: &str, variables: &[(&str, &str)], expected: &[&str]) {
    let error = parse(text, variables, None).expect_err(text).to_string();
    assert!(!error.contains('\n'), "{error}");
    for it in expected {
        assert!(error.contains(it), "{it:?} is not in {error}");
    }
}

#[test]
fn targets_are_those_of_libpq() {
    check("postgresql://h", &[], "database me on h:5432 as me");
    check("postgresql://u@h:1/d", &[], "database d on h:1 as u");
    check("postgresql://[::1]:7/d", &[], "database d on [::1]:7 as me");
    check(
        "postgresql://u@/d?host=/run/pg&port=6",
        &[],
        "database d on /run/pg/.s.PGSQL.6 as u",
    );
    check(
        "postgresql://%2Frun%2Fpg/d",
        &[],
        "database d on /run/pg/.s.PGSQL.5432 as me",
    );
    check(
        "postgresql://a:1,b,[::1]:3/d",
        &[],
        "database d on a:1, b:5432, [::1]:3 as me",
    );
    check(
        "host=a,b port=7 dbname=d",
        &[],
        "database d on a:7, b:7 as me",
    );
    check(
        "host=db hostaddr=10.0.0.1 dbname=d",
        &[],
        "database d on db:5432 (10.0.0.1) as me",
    );
    check(
        "hostaddr=::1 dbname=d",
        &[],
        "database d on [::1]:5432 as me",
    );
    check(
        "postgresql://localhost/d?host=other&user=x",
        &[],
        "database d on other:5432 as x",
    );
}

#[test]
fn the_environment_gives_what_the_string_leaves_out() {
    let variables = [
        ("PGHOST", "h"),
        ("PGPORT", "7"),
        ("PGUSER", "u"),
        ("PGDATABASE", "d"),
    ];
    check("", &variables, "database d on h:7 as u");
    check("postgresql://", &variables, "database d on h:7 as u");
    check("postgresql://x/y", &variables, "database y on x:7 as u");
    check("dbname='' host=x", &variables, "database u on x:7 as u");
    check(
        "",
        &[("PGHOST", "a,b"), ("PGHOSTADDR", "::1,::2")],
        "database me on a:5432 (::1), b:5432 (::2) as me",
    );
}

#[test]
fn a_service_gives_what_the_string_leaves_out_and_wins_over_the_environment() {
    let home = Home::new();
    let file = home.file("svc", "[app]\nhost=s\nport=9\ndbname=d\n", 0o644);
    let named = [
        ("PGSERVICEFILE", file.as_str()),
        ("PGHOST", "no"),
        ("PGUSER", "u"),
    ];
    check(
        "postgresql://?service=app",
        &named,
        "database d on s:9 as u",
    );
    check("service=app port=8", &named, "database d on s:8 as u");
    let chosen = [("PGSERVICEFILE", file.as_str()), ("PGSERVICE", "app")];
    check("postgresql://", &chosen, "database d on s:9 as me");
    check(
        &format!("service=app servicefile={file}"),
        &[],
        "database d on s:9 as me",
    );
    let remedy = format!("add [nosuch] to {file}");
    refuse(
        "service=nosuch",
        &[("PGSERVICEFILE", &file), ("PGSYSCONFDIR", "/nosuch")],
        &[
            "from the argument --url",
            "which no service file defines",
            &remedy,
        ],
    );
    refuse(
        "",
        &[
            ("PGSERVICEFILE", &file),
            ("PGSERVICE", "nosuch"),
            ("PGSYSCONFDIR", "/nosuch"),
        ],
        &["from the environment variable PGSERVICE", &remedy],
    );
    refuse(
        "service=app",
        &[("PGSERVICEFILE", "/nosuch/svc")],
        &[
            "the environment variable PGSERVICEFILE",
            "/nosuch/svc, which is not there",
        ],
    );
    let own = Home::new();
    own.file(
        ".pg_service.conf",
        "[own]\nhost=o\nsslmode=verifyfull\n",
        0o644,
    );
    let settings = parse("service=own sslmode=disable", &[], Some(own.path())).unwrap();
    assert_eq!(settings.server(), "o:5432");
    let error = parse("service=own", &[], Some(own.path()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("the service own in "), "{error}");
    assert!(error.contains("did you mean verify-full?"), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_its_origin_and_the_nearest_known_one() {
    refuse(
        "postgresql://h/d",
        &[("PGSSLMODE", "verifyfull")],
        &[
            "the setting sslmode from the environment variable PGSSLMODE has the invalid value verifyfull",
            "did you mean verify-full?",
        ],
    );
    refuse(
        "sslmode=Require",
        &[],
        &["invalid value Require", "did you mean require?"],
    );
    refuse(
        "target_session_attrs=readwrite",
        &[],
        &["did you mean read-write?"],
    );
    refuse(
        "load_balance_hosts=yes",
        &[],
        &["write one of disable, random"],
    );
    refuse(
        "connect_timeout=soon",
        &[],
        &["connect_timeout", "soon", "a whole number"],
    );
    refuse("port=0", &[], &["the setting port", "from 1 to 65535"]);
    refuse(
        "host=h",
        &[("PGPORT", "x")],
        &["the environment variable PGPORT"],
    );
    refuse(
        "hostaddr=localhost",
        &[],
        &["an IP address; a name belongs to host"],
    );
    refuse(
        "host=a,b port=1,2,3",
        &[],
        &["the setting port", "3 values for 2 hosts"],
    );
    refuse(
        "host=a,b hostaddr=::1",
        &[],
        &["the setting hostaddr", "1 values for 2 hosts"],
    );
    refuse("host=@abstract", &[], &["an abstract socket"]);
    refuse(
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        &[],
        &["is older than ssl_min_protocol_version"],
    );
    refuse(
        "ssl_max_protocol_version=TLSv1.1",
        &[],
        &["did you mean TLSv1.2?"],
    );
}

#[test]
fn values_that_may_hold_a_password_are_not_shown() {
    let dotnet = "Host=localhost;Password=sesame";
    for (text, variables) in [
        (dotnet, &[][..]),
        ("host=localhost;password=sesame", &[]),
        ("host=h sslmode='require password=sesame'", &[]),
        ("postgresql://u@h/d?sslmode=require;password%3Dsesame", &[]),
        ("host=h port=sesame", &[]),
        ("host=u:sesame@h", &[]),
        ("", &[("PGHOST", "h:1 password=sesame")]),
    ] {
        let error = parse(text, variables, None).expect_err(text).to_string();
        assert!(!error.contains("sesame"), "{error}");
    }
}

#[test]
fn settings_that_the_driver_cannot_keep_are_refused_with_the_reason() {
    refuse(
        "channel_binding=require",
        &[],
        &[
            "the setting channel_binding from the argument --url is not supported",
            "set it to prefer or disable",
        ],
    );
    refuse(
        "",
        &[("PGCHANNELBINDING", "require")],
        &["the environment variable PGCHANNELBINDING"],
    );
    for text in [
        "gssencmode=require",
        "keepalives=0",
        "keepalives_idle=10",
        "keepalives_interval=10",
        "keepalives_count=3",
        "tcp_user_timeout=1000",
        "krbsrvname=other",
        "gssdelegation=1",
        "sslnegotiation=direct",
        "sslcompression=1",
        "sslpassword=x",
        "sslcrl=x",
        "sslcrldir=x",
        "requirepeer=postgres",
        "require_auth=scram-sha-256",
        "replication=database",
        "sslcertmode=require",
    ] {
        let name = text.split_once('=').unwrap().0;
        refuse(
            text,
            &[],
            &[&format!("the setting {name} from the argument --url")],
        );
    }
    for text in [
        "channel_binding=prefer gssencmode=prefer keepalives=1 keepalives_idle=0 sslcompression=0 sslnegotiation=postgres",
        "channel_binding=disable gssencmode=disable krbsrvname=postgres replication=off requirepeer='' sslpassword=''",
        "client_encoding=UTF8 fallback_application_name=x sslsni=1 min_protocol_version=3.0",
    ] {
        parse(text, &[], None).map_err(|it| it.to_string()).unwrap();
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    refuse(
        "sslmode=disable sslrootcert=ca.crt",
        &[],
        &["the setting sslrootcert", "is never used", "is disable"],
    );
    refuse(
        "sslrootcert=ca.crt",
        &[("PGSSLMODE", "disable")],
        &["sslmode from the environment variable PGSSLMODE is disable"],
    );
    refuse(
        "sslrootcert=system sslmode=require",
        &[],
        &["weaker than verify-full"],
    );
    refuse(
        "sslmode=verify-ca",
        &[],
        &["sslrootcert names no file of authorities"],
    );
    refuse("sslcert=a.crt", &[], &["sslkey names no private key"]);
    refuse("sslkey=a.key", &[], &["sslcert names no certificate"]);
    refuse(
        "sslmode=require sslmode=prefer",
        &[],
        &["given twice with different values"],
    );
    parse("sslmode=disable", &[("PGSSLROOTCERT", "ca.crt")], None).unwrap();
    parse("sslmode=require sslmode=require", &[], None).unwrap();
}

#[test]
fn a_password_file_that_others_can_read_is_ignored_and_said() {
    let home = Home::new();
    let notices = |mode| {
        home.file(".pgpass", "h:*:*:me:hunter3\n", mode);
        let settings = parse("host=h", &[], Some(home.path())).unwrap();
        assert!(
            !format!("{settings:?}").contains("hunter3"),
            "no output shows it"
        );
        settings.take_notices()
    };
    assert_eq!(notices(0o600), [""; 0]);
    let said = notices(0o644);
    assert!(
        said.len() == 1 && said[0].contains("run chmod 600"),
        "{said:?}"
    );
    let other = home.file("passes", "", 0o640);
    let named = parse(&format!("host=h passfile={other}"), &[], Some(home.path())).unwrap();
    assert!(named.take_notices()[0].contains("passes is not used"));
    let set = parse("host=h password=x", &[], Some(home.path())).unwrap();
    assert_eq!(set.take_notices(), [""; 0], "nobody asked for the file");
}

#[test]
fn an_encoding_other_than_utf8_is_said_not_to_be_used() {
    let settings = parse("host=h", &[("PGCLIENTENCODING", "LATIN1")], None).unwrap();
    let said = settings.take_notices();
    assert!(
        said[0].contains("client_encoding from the environment variable PGCLIENTENCODING"),
        "{said:?}"
    );
}

#[test]
fn a_connection_string_is_read_from_a_file() {
    let home = Home::new();
    let file = home.file("url", "postgresql://u:hunter4@h:1/d\n", 0o600);
    let settings = Settings::parse_argument(&format!("@{file}"), "--url").unwrap();
    assert_eq!(settings.target().to_string(), "database d on h:1 as u");
    assert_eq!(settings.take_notices(), [""; 0]);
    let file = home.file("open", "postgresql://u:hunter4@h:1/d\n", 0o644);
    let settings = Settings::parse_argument(&format!("@{file}"), "--url").unwrap();
    assert!(settings.take_notices()[0].contains("run chmod 600"));
    for (name, text) in [("empty", "\n"), ("wrong", "nosuch://u:hunter4@h/d")] {
        let file = home.file(name, text, 0o600);
        let error = Settings::parse_argument(&format!("@{file}"), "--url")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&file) && !error.contains("hunter4"),
            "{error}"
        );
    }
    let error = Settings::parse_argument("", "--url").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the argument --url: it is empty")
    );
    let error = Settings::parse_argument("@/nosuch/url", "--url")
        .unwrap_err()
        .to_string();
    assert!(error.contains("/nosuch/url"), "{error}");
}
