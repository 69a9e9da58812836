//! SQL that is tried, whoever wrote it, changes nothing outside its scratch database, and what ordinary schemas need works.

use std::process::Command;

use limbeck_testkit::{Binaries, Cluster, TestDb};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::common::{Ran, World};

/// A server of its own, since what belongs to the whole server is looked at.
struct Server {
    _cluster: Cluster,
    db: TestDb,
    conn: PgConnection,
}

impl Server {
    async fn start() -> Self {
        let cluster = Cluster::start(&Binaries::find().unwrap()).unwrap();
        let db = TestDb::create_in(&cluster, "precious", "template0")
            .await
            .unwrap();
        let conn = db.connect().await.unwrap();
        let mut server = Self {
            _cluster: cluster,
            db,
            conn,
        };
        let sql = "CREATE ROLE guard LOGIN PASSWORD 'guard'; CREATE TABLE precious (a int); INSERT INTO precious VALUES (1);";
        server.execute(sql).await;
        server
    }

    async fn execute(&mut self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.conn)
            .await
            .unwrap();
    }

    /// Everything that belongs to the whole server, as text.
    async fn state(&mut self) -> String {
        let sql = "SELECT concat_ws(E'\\n', (SELECT string_agg(r::text, ' ' ORDER BY r.oid) FROM pg_authid r), (SELECT \
                   string_agg(concat_ws(' ', d.datname, d.datdba, d.datacl), ' ' ORDER BY d.oid) FROM pg_database d), (SELECT \
                   string_agg(m::text, ' ') FROM pg_auth_members m), (SELECT string_agg(s.slot_name, ' ') FROM \
                   pg_replication_slots s), (SELECT string_agg(t::text, ' ' ORDER BY t.oid) FROM pg_tablespace t), (SELECT \
                   string_agg(s::text, ' ') FROM pg_db_role_setting s), (SELECT string_agg(c::text, ' ') FROM pg_shdescription c), \
                   (SELECT string_agg(f::text, ' ') FROM pg_file_settings f WHERE f.sourcefile LIKE '%auto.conf'), (SELECT \
                   count(*) FROM precious), (SELECT count(*) FROM pg_largeobject_metadata))";
        let row = sqlx::query(sql).fetch_one(&mut self.conn).await.unwrap();
        row.get(0)
    }
}

/// What no SQL that is tried may do. `DIR` is a folder that everybody may write to.
const HOSTILE: &[&str] = &[
    "ALTER /* x */ ROLE guard SUPERUSER",
    "ALTER -- x\nROLE guard SUPERUSER",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN ALTER ROLE guard SUPERUSER; END $f$; SELECT f()",
    "DO $$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END $$",
    "SELECT set_config('role', 'postgres', false); DO $$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END $$",
    "RESET SESSION AUTHORIZATION; RESET ROLE; DO $$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END $$",
    "SELECT set_config('session_authorization', 'postgres', false)",
    "DO $$ BEGIN EXECUTE 'ALTER SY' || 'STEM SET work_mem = ''77MB'''; END $$",
    "DROP /* x */ DATABASE precious",
    "DO $$ BEGIN EXECUTE 'ALTER DATA' || 'BASE postgres SET work_mem = ''77kB'''; END $$",
    "COMMENT ON /* x */ DATABASE postgres IS 'hacked'",
    "GRANT pg_read_all_data TO guard /* on */",
    "CREATE TABLESPACE x LOCATION 'DIR'",
    "COPY (SELECT 1) TO PROGRAM 'touch DIR/pwned'",
    "COPY (SELECT 1) TO 'DIR/pwned'",
    "SELECT lo_export(lo_from_bytea(0, 'x'), 'DIR/pwned')",
    "SELECT pg_read_file('/etc/passwd')",
    "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC; SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_create_physical_replication_slot('slot')",
    "SELECT pg_reload_conf()",
    // The role that runs a privileged statement must neither call these functions nor let them be called for it.
    "CREATE FUNCTION f() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END \
     $f$; ALTER FUNCTION f() OWNER TO postgres; SELECT f()",
    "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'ALT' || 'ER \
     ROLE guard SUPERUSER'; RETURN new; END $f$; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t \
     OWNER TO postgres; ALTER FUNCTION f() OWNER TO postgres; INSERT INTO t VALUES (1)",
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END $f$; \
     CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f(); ALTER EVENT TRIGGER e ENABLE ALWAYS; CREATE FOREIGN DATA WRAPPER w",
    "CREATE FUNCTION f(text[], oid) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'ALT' || 'ER ROLE guard SUPERUSER'; END $f$; \
     CREATE FOREIGN DATA WRAPPER w VALIDATOR f OPTIONS (a 'b')",
    "CREATE FUNCTION f(text[], oid) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'COPY (SELECT 1) TO PRO' || 'GRAM ''touch \
     DIR/pwned'''; END $f$; CREATE FOREIGN DATA WRAPPER w VALIDATOR f",
    "CREATE FOREIGN DATA WRAPPER w; CREATE FUNCTION f(text[], oid) RETURNS void LANGUAGE plpgsql AS $f$ BEGIN EXECUTE 'COPY (SELECT \
     1) TO PRO' || 'GRAM ''touch DIR/pwned'''; END $f$; ALTER FOREIGN DATA WRAPPER w VALIDATOR f OPTIONS (ADD a 'b')",
    "CREATE FOREIGN DATA WRAPPER w; ALTER FUNCTION lo_export(oid, text) OWNER TO SESSION_USER; SELECT lo_export(lo_from_bytea(0, \
     'x'), 'DIR/pwned')",
    "CREATE FOREIGN DATA WRAPPER w; ALTER SCHEMA pg_catalog OWNER TO /* me */ session_user; CREATE FUNCTION pg_catalog.x() RETURNS \
     int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FOREIGN DATA WRAPPER w; DO $$ BEGIN EXECUTE format('ALTER FUNCTION lo_export(oid, text) OWNER TO %I', session_user); END \
     $$",
    "GRANT EXECUTE ON FUNCTION lo_export(oid, text) TO PUBLIC; SELECT lo_export(lo_from_bytea(0, 'x'), 'DIR/pwned')",
    "CREATE EXTENSION dblink; ALTER FUNCTION dblink_connect_u(text) OWNER TO SESSION_USER",
    "CREATE FUNCTION f(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'; SELECT f('/etc/passwd')",
    "CREATE FUNCTION f(int8) RETURNS text LANGUAGE internal STRICT AS 'textin'; SELECT f(1)",
    "CREATE FUNCTION f(text) RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system'",
    "CREATE TRUSTED LANGUAGE l HANDLER plpgsql_call_handler",
    "SET session_replication_role = replica; SELECT pg_catalog.limbeck_privileged('ALTER ROLE guard SUPERUSER', 'plain')",
    "CREATE FOREIGN DATA WRAPPER w; SELECT pg_catalog.limbeck_privileged('ALTER ROLE guard SUPERUSER', 'plain')",
    "CREATE SCHEMA s AUTHORIZATION postgres CREATE TABLE t (a int DEFAULT lo_export(1, 'DIR/pwned'))",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=postgres' PUBLICATION p",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=postgres' PUBLICATION p WITH (connect = false); ALTER SUBSCRIPTION s ENABLE",
    "CREATE PUBLICATION p FOR ALL TABLES; ALTER ROLE guard SUPERUSER",
];

/// Runs a command that may fail, and looks at the server afterwards.
#[track_caller]
fn check_unchanged(before: &str, after: &str, folder: &std::path::Path, what: &str) {
    assert_eq!(before, after, "{what}");
    assert!(!folder.join("pwned").exists(), "{what}");
}

#[tokio::test]
async fn sql_that_is_tried_changes_nothing_outside() {
    let mut server = Server::start().await;
    let world = World::new("harmless").await;
    let before = server.state().await;
    let url = server.db.url().to_owned();
    let folder = world.folder.path();
    for (n, sql) in HOSTILE.iter().enumerate() {
        let sql = sql.replace("DIR", &folder.display().to_string());
        world.write("a.sql", &sql);
        world.revision("aa", "", "CREATE TABLE a ();", "DROP TABLE a;");
        world.revision("bb", "aa", &sql, "SELECT 1;");
        let source = ["check", "--target", "{}/a.sql"];
        let ways: &[&[&str]] = &[
            &["check", "--target", "revisions:"],
            &["verify"],
            &["squash", "aa:bb", "--dry-run"],
        ];
        // Each way runs every third.
        for args in [&source[..], ways[n % ways.len()]] {
            let all = [&["--url", &url, "--revisions", "{}/revisions"], args].concat();
            let ran = world.run_bare(&all, None).await;
            assert_ne!(ran.status, 0, "{args:?} {sql}: {}", ran.err);
            check_unchanged(
                &before,
                &server.state().await,
                folder,
                &format!("{args:?} {sql}"),
            );
        }
    }
}

/// The proof builds everybody's tables anew and fills them: what their constraints and defaults call, it calls without rights.
#[tokio::test]
async fn the_proof_runs_what_strangers_wrote_without_rights() {
    let mut server = Server::start().await;
    let world = World::new("strangers").await;
    let dir = world.folder.path().display().to_string();
    let bait = format!(
        "CREATE TABLE bait1 (a int, CHECK ((pg_create_physical_replication_slot('slot', true)).slot_name IS NOT NULL)); CREATE TABLE \
         bait2 (a int, CHECK (lo_export(424242, '{dir}/pwned') = 1)); CREATE TABLE bait3 (a text DEFAULT pg_read_file('/etc/passwd')); \
         CREATE TABLE bait4 (a int CHECK (set_config('session_authorization', 'postgres', false) IS NULL))"
    );
    server.execute(&bait).await;
    let before = server.state().await;
    world.write(
        "models.json",
        "{\"limbeck\": 1, \"tables\": [{\"name\": \"n\", \"columns\": [{\"name\": \"a\", \"type\": \"int\"}]}]}",
    );
    let url = server.db.url().to_owned();
    let args = [
        "--url",
        &url,
        "--revisions",
        "{}/revisions",
        "revision",
        "--autogenerate",
        "-m",
        "x",
        "--target",
        "{}/models.json",
    ];
    let ran = world.run_bare(&args, None).await;
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.err.contains("permission denied for function lo_export"),
        "{}",
        ran.err
    );
    check_unchanged(&before, &server.state().await, world.folder.path(), "proof");
}

/// What only more rights can do, one statement after the other.
const PRIVILEGED: &[&str] = &[
    "CREATE EXTENSION pageinspect; COMMENT ON EXTENSION pageinspect IS 'x'; DROP EXTENSION pageinspect;",
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN END $f$; CREATE EVENT TRIGGER e ON sql_drop EXECUTE \
     FUNCTION f(); ALTER EVENT TRIGGER e ENABLE ALWAYS; CREATE FOREIGN DATA WRAPPER w; DROP EVENT TRIGGER e; CREATE EVENT TRIGGER e2 ON sql_drop EXECUTE FUNCTION f();",
    "CREATE FOREIGN DATA WRAPPER w OPTIONS (a 'b'); CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (c 'd'); CREATE USER MAPPING FOR \
     guard SERVER s OPTIONS (e 'f'); CREATE FOREIGN TABLE t (a int) SERVER s; ALTER SERVER s OWNER TO guard; ALTER FOREIGN TABLE t \
     OWNER TO guard; ALTER FOREIGN TABLE t ADD b int; ALTER FOREIGN DATA WRAPPER w OPTIONS (SET a 'c');",
    "CREATE PUBLICATION p FOR ALL TABLES; ALTER PUBLICATION p SET (publish = 'insert');",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false); ALTER SUBSCRIPTION s SET (slot_name = NONE); \
     DROP SUBSCRIPTION s; CREATE SUBSCRIPTION s2 CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false);",
    "CREATE TYPE t; CREATE FUNCTION t_in(cstring) RETURNS t LANGUAGE internal IMMUTABLE STRICT AS 'textin'; CREATE FUNCTION t_out(t) \
     RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'; CREATE TYPE t (INPUT = t_in, OUTPUT = t_out, LIKE = text); CREATE \
     CAST (t AS text) WITHOUT FUNCTION AS IMPLICIT; CREATE TABLE x (a t); INSERT INTO x VALUES ('y'); COMMENT ON TYPE t IS 'z';",
    "CREATE OPERATOR CLASS o FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, \
     FUNCTION 1 btint4cmp(int4, int4); CREATE TABLE x (a int); CREATE INDEX i ON x (a o);",
    "CREATE ACCESS METHOD m TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE x (a int) USING m;",
    "CREATE SCHEMA s AUTHORIZATION guard; CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO guard; ALTER TABLE s.t ADD b int; GRANT \
     SELECT ON s.t TO guard; CREATE VIEW v AS SELECT a FROM s.t; ALTER VIEW v OWNER TO guard; ALTER DEFAULT PRIVILEGES FOR ROLE guard \
     GRANT SELECT ON TABLES TO PUBLIC; ALTER SCHEMA public OWNER TO guard; CREATE TABLE public.u ();",
    "SET session_replication_role = replica; CREATE TABLE x (a int); DO $$ BEGIN CREATE ROLE guard; EXCEPTION WHEN duplicate_object THEN \
     NULL; END $$; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO guard; REVOKE EXECUTE ON FUNCTION pg_ls_waldir() FROM guard;",
];

#[tokio::test]
async fn what_needs_more_rights_works_a_statement_at_a_time() {
    let mut server = Server::start().await;
    let world = World::new("privileged").await;
    let before = server.state().await;
    let url = server.db.url().to_owned();
    for sql in PRIVILEGED {
        world.write("a.sql", sql);
        world.revision("aa", "", sql, "");
        // Twice the same, once from a file and once from a transaction of a revision.
        let args = [
            "--url",
            &url,
            "--revisions",
            "{}/revisions",
            "diff",
            "revisions:",
            "{}/a.sql",
        ];
        let ran = world.run_bare(&args, None).await;
        assert!(
            ran.status == 0 && !ran.err.contains("not managed, so"),
            "{sql}: {}{}",
            ran.out,
            ran.err
        );
        check_unchanged(&before, &server.state().await, world.folder.path(), sql);
    }
}

/// Owners and privileges are compared as they were meant, whichever role SQL is tried by.
#[tokio::test]
async fn owners_are_compared_as_the_sql_names_them() {
    let mut server = Server::start().await;
    let world = World::new("owners").await;
    let sql = "DROP TABLE IF EXISTS precious; CREATE TABLE t (a int); ALTER TABLE t OWNER TO guard; GRANT SELECT ON t TO PUBLIC; CREATE \
               SCHEMA s AUTHORIZATION guard; CREATE TABLE u (a int); ALTER TABLE u OWNER TO postgres; ALTER DEFAULT PRIVILEGES GRANT \
               SELECT ON TABLES TO guard; CREATE PUBLICATION p FOR ALL TABLES;";
    server.execute(sql).await;
    world.write("a.sql", sql);
    world.write("b.sql", &sql.replace("ALTER TABLE t OWNER TO guard", ""));
    let url = server.db.url().to_owned();
    let check = async |file: &str| {
        let args = ["--url", &url, "check", "--target", file];
        let Ran { status, err, .. } = world.run_bare(&args, None).await;
        assert_eq!(status, 0, "{err}");
        err
    };
    let said = check("{}/a.sql").await;
    assert!(!said.contains("so left as it is"), "{said}");
    world.write(
        "c.sql",
        &sql.replace("u OWNER TO postgres", "u OWNER TO guard"),
    );
    let said = check("{}/c.sql").await;
    assert!(
        said.contains("owner of table public.u is missing"),
        "{said}"
    );
    server.execute("DROP PUBLICATION p").await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended() {
    let world = World::new("too_long").await;
    world.write("limbeck.toml", "[scratch]\nstatement_timeout = \"300ms\"\n");
    let stubborn = "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(1000); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    for sql in [
        "SELECT pg_sleep(1000)",
        "SET statement_timeout = 0; SELECT pg_sleep(1000)",
        stubborn,
    ] {
        world.write("a.sql", sql);
        let ran = world
            .run(&["-c", "{}/limbeck.toml", "check", "--target", "{}/a.sql"])
            .await;
        assert_eq!(ran.status, 2, "{}", ran.err);
        assert!(
            sql == stubborn || ran.err.contains("may run for 0.3 s"),
            "{}",
            ran.err
        );
    }
}

/// Where no role can be made that logs in, and no server be started, a superuser's SQL runs only if that is asked for.
#[tokio::test]
async fn untrusted_sql_is_refused_where_it_would_run_as_a_superuser() {
    let mut server = Server::start().await;
    let world = World::new("untrusted").await;
    server
        .execute(
            "CREATE TEMPORARY TABLE hba (line text); INSERT INTO hba VALUES ('host all postgres all scram-sha-256'); DO $$ BEGIN EXECUTE \
             format('COPY hba TO %L', current_setting('hba_file')); END $$; SELECT pg_reload_conf();",
        )
        .await;
    world.write("a.sql", "CREATE TABLE precious (a int);");
    let file = world.path("a.sql").display().to_string();
    let url = server.db.url().to_owned();
    let run = |more: &[&str], binaries: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_limbeck"))
            .args(["--url", &url, "check", "--target", &file])
            .args(more)
            .env("LIMBECK_PG_BIN", binaries)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    // The server takes a moment to read the file again.
    let (status, text) = loop {
        let (status, text) = run(&[], "/nowhere");
        if status != Some(0) {
            break (status, text);
        }
    };
    assert_eq!(status, Some(2), "{text}");
    for part in [
        "the target's server lets no role of its own log in",
        "--trusted",
        "LIMBECK_TRUSTED=1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (status, text) = run(&["--trusted"], "/nowhere");
    assert_eq!(status, Some(0), "{text}");
    let binaries = Binaries::find().unwrap();
    let (status, text) = run(&["-v"], &binaries.dir().display().to_string());
    assert!(
        status == Some(0) && text.contains("a throwaway server is started"),
        "{text}"
    );
    let sql = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'limbeck%'";
    let row = sqlx::query(sql).fetch_one(&mut server.conn).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
}

/// A role that may create roles and databases is enough for ordinary SQL.
#[tokio::test]
async fn a_role_that_may_create_roles_has_its_sql_run_by_another() {
    let mut server = Server::start().await;
    let world = World::new("createrole").await;
    server
        .execute("CREATE ROLE maker LOGIN PASSWORD 'unguessed' CREATEDB CREATEROLE")
        .await;
    world.write(
        "a.sql",
        "CREATE TABLE t AS SELECT current_user::text AS a, pg_read_file('/etc/passwd') AS b;",
    );
    let url = server.db.url_as("maker", "unguessed");
    let before = server.state().await;
    let args = ["--url", &url, "check", "--target", "{}/a.sql"];
    let ran = world.run_bare(&args, None).await;
    assert!(
        ran.err
            .contains("permission denied for function pg_read_file"),
        "{}",
        ran.err
    );
    world.write("a.sql", "CREATE TABLE t (a int);");
    let ran = world
        .run_bare(
            &["-v", "--url", &url, "check", "--target", "{}/a.sql"],
            None,
        )
        .await;
    assert!(
        ran.status == 1 && !ran.err.contains("throwaway"),
        "{}",
        ran.err
    );
    assert_eq!(before, server.state().await);
}
