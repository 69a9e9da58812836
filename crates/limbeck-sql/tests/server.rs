//! The server and psql as witnesses: what they take for a statement, a line end, a string or a name, the lexer does too.

use limbeck_sql::{is_line_end, one_line, significant, split, tokens};
use limbeck_testkit::{TestDb, psql};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, PgConnection, Row};

/// What the texts below write into.
const SETUP: &str = "CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE t (a int, \"begin\" int, \"end\" int, \"case\" int, \"a;b\" int);
INSERT INTO t VALUES (1, 2, 3, 4, 5);
CREATE FUNCTION note(text) RETURNS int LANGUAGE sql AS $$ INSERT INTO log (what) VALUES ($1) RETURNING 1 $$;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM note(TG_OP); RETURN NEW; END $$;";

/// Texts of several statements, with how many there are. Each notes something.
const TEXTS: &[(usize, &str)] = &[
    (2, "SELECT note('1'); SELECT note('2')"),
    (2, "SELECT note('a;''b;'); SELECT note('c')"),
    (2, r"SELECT note('back\'); SELECT note(';')"),
    (2, r"SELECT note(E'a\';b'); SELECT note(e'\\')"),
    (2, "SELECT note('a'\n';b'); SELECT note('2')"),
    (2, "SELECT note(E'a'\n-- it's\n'\\';b'); SELECT note('2')"),
    (2, "SELECT note(E'a' -- '\r  '\\';b'); SELECT note('2')"),
    (2, r"SELECT note(U&'d\0061;t\\'); SELECT note('2')"),
    (2, r"SELECT note(U&'!0061;\' UESCAPE '!'); SELECT note('2')"),
    (2, "SELECT note($$a;'b$$); SELECT note($x$ $$; $y$ $x$)"),
    (
        2,
        "SELECT note($größe_1$;$größe$ $größe_1$); SELECT note('2')",
    ),
    (2, "SELECT note('1') -- a; b\n; SELECT note('2') -- c; d"),
    (2, "SELECT note('1') -- it's\r; SELECT note('2')"),
    (
        2,
        "SELECT note('1') /* ; /* ; */ ' ; */; SELECT note('2') /* \" */",
    ),
    (2, "SELECT note('1')/*/ ; */; SELECT note('2')/**/"),
    (
        2,
        "SELECT note((2*/**/3)::text); SELECT note((2-- c;\n-1)::text)",
    ),
    (
        2,
        "SELECT note((5+--;\n-1)::text); SELECT note((2*-1)::text)",
    ),
    (2, "SELECT note(\"a;b\"::text) FROM t; SELECT note('2')"),
    (
        2,
        "SELECT note(U&\"a\\003bb\"::text) FROM t; SELECT note('2')",
    ),
    (
        2,
        "SELECT note(a::text) AS \"x\"\";\" FROM t; SELECT note('2')",
    ),
    (
        2,
        "SELECT note(x.begin::text), x.begin atomic FROM t x; SELECT note('2')",
    ),
    (2, "SELECT note('1'), a begin FROM t; SELECT note('2')"),
    (2, "SELECT note('1') a$b$c; SELECT note('2') d$b$e"),
    (
        3,
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql\nBEGIN ATOMIC\n  SELECT note('x');\n  -- hazard; END;\n  \
         SELECT CASE WHEN a = 3 THEN 'x' ELSE (CASE a WHEN 1 THEN 'y' END) END FROM t;\nEND; SELECT note(f()); SELECT note('2')",
    ),
    (
        3,
        "CREATE OR REPLACE PROCEDURE p() begin /* ; */ atomic; SELECT note('x'); end; CALL p(); SELECT note('2')",
    ),
    (
        3,
        "CREATE FUNCTION g(begin int, atomic int) RETURNS text RETURN 'g;'; SELECT note(g(1, 2)); SELECT note('2')",
    ),
    (
        3,
        "CREATE RULE r AS ON INSERT TO t DO (SELECT note('rule'); SELECT note('more')); INSERT INTO t VALUES (1); SELECT note('2')",
    ),
    (
        3,
        "CREATE FUNCTION h() RETURNS text LANGUAGE plpgsql AS $f$\nBEGIN\n-- hazard drops: it's ; $$\n-- segment: no transaction\n\
         RETURN 'h';\nEND $f$; SELECT note(h()); SELECT note('2')",
    ),
    (
        2,
        ";; /* only */ ; SELECT note('1');; -- none\n; SELECT note('2');",
    ),
    (
        3,
        "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION noted(); INSERT INTO t VALUES (7); SELECT note('2')",
    ),
    (
        3,
        "PREPARE q AS SELECT note($1); EXECUTE q('1;'); SELECT note('2')",
    ),
];

/// The same, but psql takes every `end` in a body for the end of something.
const TEXTS_OF_THE_SERVER: &[(usize, &str)] = &[(
    3,
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT t.case AS case, t.end end_of, a AS end FROM t; \
     SELECT note('x'); SELECT 'y' AS end; END; SELECT note(f()); SELECT note('2')",
)];

async fn noted(conn: &mut PgConnection) -> Vec<String> {
    let rows = sqlx::query("SELECT what FROM log ORDER BY n")
        .persistent(false)
        .fetch_all(conn)
        .await
        .expect("there is a log");
    rows.iter().map(|it| it.get(0)).collect()
}

/// Undoes what a text made.
async fn forget(conn: &mut PgConnection) {
    let sql = format!("DEALLOCATE ALL; DROP SCHEMA public CASCADE; CREATE SCHEMA public; {SETUP}");
    conn.execute(AssertSqlSafe(sql)).await.expect("SQL of ours");
}

#[tokio::test]
async fn statements_are_those_of_the_server_and_of_psql() {
    let db = TestDb::create("statements").await;
    let mut conn = PgConnection::connect(db.url()).await.expect("a server");
    conn.execute(SETUP).await.expect("SQL of ours");
    for &(n, text) in TEXTS.iter().chain(TEXTS_OF_THE_SERVER) {
        let statements = split(text).unwrap_or_else(|it| panic!("{it} in {text:?}"));
        assert_eq!(
            statements.len(),
            n,
            "statements of {text:?}: {statements:?}"
        );
        // The simple protocol takes the whole text, and the server finds the statements.
        conn.execute(AssertSqlSafe(text))
            .await
            .unwrap_or_else(|it| panic!("the server refuses {text:?}: {it}"));
        let by_server = noted(&mut conn).await;
        assert!(by_server.len() >= 2, "{text:?} notes {by_server:?}");
        forget(&mut conn).await;
        // The extended protocol refuses more than one statement at once.
        for it in &statements {
            sqlx::query(AssertSqlSafe(it.sql.as_str()))
                .persistent(false)
                .execute(&mut conn)
                .await
                .unwrap_or_else(|error| panic!("{:?} of {text:?} is not one: {error}", it.sql));
        }
        assert_eq!(noted(&mut conn).await, by_server, "of {text:?}");
        forget(&mut conn).await;
        if TEXTS_OF_THE_SERVER.contains(&(n, text)) {
            continue;
        }
        psql(db.url(), text).unwrap_or_else(|it| panic!("psql refuses {text:?}: {it}"));
        assert_eq!(noted(&mut conn).await, by_server, "psql on {text:?}");
        forget(&mut conn).await;
    }
}

#[tokio::test]
async fn lines_end_where_the_server_and_psql_end_them() {
    let db = TestDb::create("line_ends").await;
    let mut conn = PgConnection::connect(db.url()).await.expect("a server");
    conn.execute(SETUP).await.expect("SQL of ours");
    let separators: Vec<char> = ('\u{1}'..='\u{a0}')
        .chain(['\u{2028}', '\u{2029}', '\u{feff}', '\u{202e}'])
        .filter(|it| !it.is_ascii_graphic())
        .collect();
    let (mut script, mut expect) = (String::new(), Vec::new());
    for c in separators {
        let code = u32::from(c);
        let text = format!("SELECT note('{code}') --{c}, note('{code} goes on')\n");
        let goes_on = tokens(&text).any(|it| it.text.ends_with("goes on'"));
        assert_eq!(goes_on, is_line_end(c), "{c:?}");
        let safe = one_line(&format!("{c}, note('{code} goes on')")).into_owned();
        script.push_str(&format!("{text};SELECT note('{code}') --{safe}\n;"));
        expect.push(code.to_string());
        expect.extend(is_line_end(c).then(|| format!("{code} goes on")));
        expect.push(code.to_string());
    }
    conn.execute(AssertSqlSafe(script.as_str()))
        .await
        .expect("SQL");
    assert_eq!(noted(&mut conn).await, expect, "the server");
    conn.execute("DELETE FROM log").await.expect("SQL of ours");
    psql(db.url(), &script).expect("SQL");
    assert_eq!(noted(&mut conn).await, expect, "psql");
}

#[tokio::test]
async fn strings_and_names_say_what_the_server_reads() {
    let db = TestDb::create("strings").await;
    let mut conn = PgConnection::connect(db.url()).await.expect("a server");
    for text in [
        "'it''s'",
        "''",
        "''''",
        "'a'\n  'b'",
        "'a' -- x\n'b'",
        "''\r'b'",
        r"'\n'",
        r"E'\n\t\\\'\x41\101\u00e9\U0001F600\q'''",
        r"E'\xc3\xa9'",
        "E'a\\\\'\n'\\n'",
        r"e'\b\f\v\r\1\12\377a'",
        r"U&'d\0061t\+000061\\'",
        r"U&'\d83d\de00'",
        "$$a'b$$",
        "$x$a$$b$x$",
        "$é$$é$",
        "N'a''b'",
        "B'0101'",
        "X'1fA'",
        "E'\\ud83d\\ude00'",
        "'ß\\'",
    ] {
        let found: Vec<_> = significant(text).collect();
        let [token] = found.as_slice() else {
            panic!("{text:?} is {found:?}");
        };
        // The server prints a hexadecimal bit string by its bits.
        let sql = match text.starts_with(['B', 'X']) {
            true => format!("SELECT '{}'::text", token.value().expect("digits")),
            false => format!("SELECT {text}::text"),
        };
        match conn.fetch_one(AssertSqlSafe(sql)).await {
            Ok(row) => {
                let value: String = row.get(0);
                assert_eq!(
                    token.value().as_deref(),
                    Some(value.as_str()),
                    "of {text:?}"
                );
            }
            Err(error) => assert_eq!(token.value(), None, "{text:?}: {error}"),
        }
    }
    for text in [
        "Plain",
        "größe",
        "ÄB_1$x",
        "\"A b\"",
        "\"a\"\"b\"",
        r#"U&"d\0061t""#,
        r#"U&"\\a""#,
        r#"U&"\+01F600""#,
        "_a",
        "\u{a0}",
    ] {
        let found: Vec<_> = significant(text).collect();
        let row = conn
            .fetch_one(AssertSqlSafe(format!("SELECT 1 AS {text}")))
            .await
            .unwrap_or_else(|it| panic!("the server refuses {text:?}: {it}"));
        let ident = found.first().and_then(|it| it.ident());
        assert_eq!(ident.as_deref(), Some(row.column(0).name()), "of {text:?}");
    }
}

#[tokio::test]
async fn backslashes_follow_the_setting_of_the_server() {
    let db = TestDb::create("conforming").await;
    let mut conn = PgConnection::connect(db.url()).await.expect("a server");
    conn.execute(SETUP).await.expect("SQL of ours");
    let text =
        r"SELECT note('a\'); SELECT note(' || $$b$$); SELECT note($$c$$); SELECT note($$d$$); --')";
    for on in [true, false] {
        let setting = format!(
            "SET standard_conforming_strings = {on}; SET escape_string_warning = off; DELETE FROM log"
        );
        conn.execute(AssertSqlSafe(setting))
            .await
            .expect("SQL of ours");
        conn.execute(AssertSqlSafe(text))
            .await
            .expect("SQL either way");
        let n_noted = noted(&mut conn).await.len();
        let rules = limbeck_sql::Rules {
            standard_conforming_strings: on,
        };
        let statements = limbeck_sql::split_with(text, rules).expect("SQL either way");
        assert_eq!(statements.len(), n_noted, "with {on}: {statements:?}");
    }
}
