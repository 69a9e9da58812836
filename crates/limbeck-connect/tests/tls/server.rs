//! A server with certificates that are made for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use limbeck_connect::{Environment, Origin, Settings};
use limbeck_testkit::{Binaries, Cluster};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use sqlx::{AssertSqlSafe, PgConnection};

/// What the server's certificate is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// For localhost and 127.0.0.1, signed by an authority.
    Own,
    /// The same, and expired.
    Expired,
    /// For the common name localhost alone.
    Common,
    /// For localhost, an authority itself, and signed by nobody else.
    OwnAuthority,
}

/// The server, and a folder with `ca.crt`, `other.crt`, `server.crt`, and `client` and `stranger` with their keys.
pub(crate) struct Server {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(common: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params
}

impl Server {
    /// A file with an authority's certificate.
    pub(crate) fn authority() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), authority("somebody").pem()).unwrap();
        file
    }

    pub(crate) async fn start(names: Names) -> Self {
        let cluster = Cluster::start(&Binaries::find().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let it = Self { cluster, folder };
        let (ca, other) = (authority("tests"), authority("others"));
        it.write("ca.crt", &ca.pem());
        it.write("other.crt", &other.pem());
        let key = KeyPair::generate().unwrap();
        let certificate = match names {
            Names::Own => params("server", &["localhost", "127.0.0.1"]).signed_by(&key, &ca),
            Names::Common => params("localhost", &[]).signed_by(&key, &ca),
            Names::Expired => {
                let mut params = params("server", &["localhost"]);
                params.not_before = rcgen::date_time_ymd(2001, 1, 1);
                params.not_after = rcgen::date_time_ymd(2002, 1, 1);
                params.signed_by(&key, &ca)
            }
            Names::OwnAuthority => {
                let mut params = params("server", &["localhost"]);
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                params.self_signed(&key)
            }
        };
        let certificate = certificate.unwrap().pem();
        it.write("server.crt", &certificate);
        for (name, ca) in [("client", &ca), ("stranger", &other)] {
            let key = KeyPair::generate().unwrap();
            let certificate = params("certified", &[]).signed_by(&key, ca).unwrap();
            it.write(&format!("{name}.crt"), &certificate.pem());
            it.write(&format!("{name}.key"), &key.serialize_pem());
        }
        let own = it.cluster.url("postgres");
        let settings = Settings::parse_in(&own, Origin::Program, &Environment::default()).unwrap();
        let mut conn = settings.connect().await.unwrap();
        // The server wants its key for itself; a file of COPY's own everybody could read.
        for (name, text) in [
            ("server.crt", &certificate),
            ("server.key", &key.serialize_pem()),
            ("root.crt", &ca.pem()),
        ] {
            let sql = format!(
                "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
            );
            run(&mut conn, &sql).await;
        }
        let sql = "CREATE ROLE certified LOGIN; CREATE ROLE encrypted LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE boss LOGIN;
            CREATE TEMPORARY TABLE hba AS SELECT unnest(ARRAY['hostssl all certified all cert',
                'hostssl all encrypted all trust', 'hostnossl all plain all trust', 'hostnossl all encrypted all reject',
                'hostssl all plain all reject', 'host all boss all trust']) AS line
            UNION ALL SELECT unnest(string_to_array(pg_read_file(current_setting('hba_file')), E'\\n'));
            DO $$ BEGIN EXECUTE format('COPY hba TO %L', current_setting('hba_file')); END $$";
        run(&mut conn, sql).await;
        run(&mut conn, "ALTER SYSTEM SET ssl_ca_file = 'root.crt'").await;
        run(&mut conn, "ALTER SYSTEM SET ssl = on").await;
        run(&mut conn, "SELECT pg_reload_conf()").await;
        limbeck_connect::close(conn).await;
        // The server takes a moment to read its files again.
        let text = format!("{} host=127.0.0.1 user=boss sslmode=require", it.address());
        let settings = Settings::parse_in(&text, Origin::Program, &Environment::default()).unwrap();
        while settings.connect().await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        it
    }

    /// The settings that all connections share; a later user replaces the one here.
    pub(crate) fn address(&self) -> String {
        format!("port={} dbname=postgres", self.cluster.port())
    }

    /// A text with the names of files for `CA`, `OTHER`, `SERVER`, `CLIENT`, `STRANGER` and `FOLDER`.
    pub(crate) fn filled(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let mut text = text.replace("FOLDER", &folder);
        for (word, name) in [
            ("=CA", "ca.crt"),
            ("=OTHER", "other.crt"),
            ("=SERVER", "server.crt"),
            ("=CLIENT", "client"),
            ("=STRANGER", "stranger"),
        ] {
            text = text.replace(word, &format!("={folder}/{name}"));
        }
        match text.contains("user=") {
            true => text,
            false => format!("{text} user=boss"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}
