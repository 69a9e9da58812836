//! Statements of a text, and what is an error in it.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use limbeck_sql::split;

/// Splits `sql` and compares with `expect`, a list of (line, statement).
#[track_caller]
fn check(sql: &str, expect: &[(usize, &str)]) {
    let found = split(sql).unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.line, it.sql.as_str())).collect();
    assert_eq!(found, expect, "of {sql:?}");
}

#[track_caller]
fn check_error(sql: &str, expect: &str) {
    assert_eq!(split(sql).unwrap_err().to_string(), expect, "of {sql:?}");
}

#[test]
fn statements_end_at_semicolons() {
    check("", &[]);
    check(" ;; \n;", &[]);
    check("SELECT 1", &[(1, "SELECT 1")]);
    check(
        "SELECT 1;SELECT 2 ;\n\nSELECT\n3;",
        &[(1, "SELECT 1"), (1, "SELECT 2"), (3, "SELECT\n3")],
    );
    check(
        "\u{feff}SELECT 1;\r\nSELECT 2;\r\n",
        &[(1, "SELECT 1"), (2, "SELECT 2")],
    );
}

#[test]
fn comments_end_nothing_and_are_left_out_around_statements() {
    check("-- a; b\nSELECT 1 -- c; d\n;-- e;", &[(2, "SELECT 1")]);
    check(
        "SELECT /* ; /* ; */ ; */ 1;",
        &[(1, "SELECT /* ; /* ; */ ; */ 1")],
    );
    check("/* one\n two */ SELECT 1 /* x */;", &[(2, "SELECT 1")]);
    check("-- only a comment", &[]);
    check(
        "SELECT 1 -- it's\rAS one;",
        &[(1, "SELECT 1 -- it's\rAS one")],
    );
    check("SELECT 2-- c;\n-1;", &[(1, "SELECT 2-- c;\n-1")]);
    check("SELECT 2*/**/3;", &[(1, "SELECT 2*/**/3")]);
}

#[test]
fn quotes_hide_semicolons() {
    check("SELECT 'a;''b;', 2;", &[(1, "SELECT 'a;''b;', 2")]);
    check(r"SELECT 'back\', ';';", &[(1, r"SELECT 'back\', ';'")]);
    check(
        r"SELECT E'a\';b', e'\\';SELECT 2",
        &[(1, r"SELECT E'a\';b', e'\\'"), (1, "SELECT 2")],
    );
    check(
        "SELECT E'a'\n  -- so\n '\\';';",
        &[(1, "SELECT E'a'\n  -- so\n '\\';'")],
    );
    check(r"SELECT E'a' '\' ;", &[(1, r"SELECT E'a' '\'")]);
    check(
        r"SELECT U&'d\0061t;\' , U&';';",
        &[(1, r"SELECT U&'d\0061t;\' , U&';'")],
    );
    check(r"SELECT namee'\';", &[(1, r"SELECT namee'\'")]);
    check(
        r#"SELECT ";""'" FROM "a;b";"#,
        &[(1, r#"SELECT ";""'" FROM "a;b""#)],
    );
    check(
        "SELECT x'1F', b'01', N'a;';",
        &[(1, "SELECT x'1F', b'01', N'a;'")],
    );
}

#[test]
fn dollar_quotes_hide_everything() {
    check(
        "DO $$ BEGIN x; END $$;SELECT 1;",
        &[(1, "DO $$ BEGIN x; END $$"), (1, "SELECT 1")],
    );
    check(
        "SELECT $a$ $$;' $b$ $a$;",
        &[(1, "SELECT $a$ $$;' $b$ $a$")],
    );
    check(
        "SELECT $größe_1$;$größe_1$;",
        &[(1, "SELECT $größe_1$;$größe_1$")],
    );
    check(
        "SELECT $1, a$b$c, $2;SELECT 2",
        &[(1, "SELECT $1, a$b$c, $2"), (1, "SELECT 2")],
    );
}

#[test]
fn bodies_and_rules_hold_statements() {
    let function = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n  SELECT CASE WHEN a > 0 THEN \
                    (CASE a WHEN 1 THEN 1 END) END AS end;\n  SELECT t.end, t.case FROM t;\nEND";
    check(
        &format!("{function};\nSELECT 1;"),
        &[(1, function), (6, "SELECT 1")],
    );
    check(
        "CREATE PROCEDURE p() begin atomic; INSERT INTO t VALUES (1); end; BEGIN; END;",
        &[
            (
                1,
                "CREATE PROCEDURE p() begin atomic; INSERT INTO t VALUES (1); end",
            ),
            (1, "BEGIN"),
            (1, "END"),
        ],
    );
    check(
        "CREATE FUNCTION f(begin atomic) RETURNS int RETURN 1; SELECT 2;",
        &[
            (1, "CREATE FUNCTION f(begin atomic) RETURNS int RETURN 1"),
            (1, "SELECT 2"),
        ],
    );
    let rule = "CREATE RULE r AS ON INSERT TO t DO (INSERT INTO a VALUES (1); DELETE FROM b)";
    check(&format!("{rule}; SELECT 1"), &[(1, rule), (1, "SELECT 1")]);
    check("SELECT 1); SELECT 2", &[(1, "SELECT 1)"), (1, "SELECT 2")]);
}

#[test]
fn what_is_not_closed_is_an_error_at_its_start() {
    check_error(
        "SELECT 1;\nSELECT 'a\n;",
        "line 2: the string that starts here is not closed; add the closing '",
    );
    check_error(
        "SELECT 'a''",
        "line 1: the string that starts here is not closed; add the closing '",
    );
    check_error(
        r"SELECT E'a\'",
        "line 1: the string that starts here is not closed; add the closing '",
    );
    check_error(
        r"SELECT E'\",
        "line 1: the string that starts here is not closed; add the closing '",
    );
    check_error(
        "SELECT \"a;\n",
        "line 1: the quoted identifier that starts here is not closed; add the closing \"",
    );
    check_error(
        "\n\nDO $x$ $$;",
        "line 3: the string that starts here is not closed; add the closing $x$",
    );
    check_error(
        "\n/* a /* b */",
        "line 2: the comment that starts here is not closed; add the closing */ (comments nest)",
    );
    check_error(
        "CREATE TABLE t (\n a varchar(3);\nSELECT 1;",
        "line 1: the parenthesis that opens here is not closed; add the closing )",
    );
    check_error(
        "CREATE PROCEDURE p()\nBEGIN ATOMIC SELECT CASE WHEN a THEN 1; END;",
        "line 2: the body that starts here with BEGIN ATOMIC is not closed; add its END",
    );
}

#[test]
fn what_only_psql_knows_is_an_error() {
    check_error(
        "SELECT 1;\n\\connect other\nSELECT 2;",
        "line 2: \\connect is a command to psql, not SQL; remove it",
    );
    check_error(
        "SELECT 1 \\gset",
        "line 1: \\gset is a command to psql, not SQL; remove it",
    );
    let copy = "COPY FROM stdin needs psql to send its data; write INSERT statements instead";
    check_error(
        "\nCOPY public.t (a)\nFROM stdin;\n1\tit's\n\\.\n",
        &format!("line 2: {copy}"),
    );
    check_error(
        "copy t from STDIN with (format csv);",
        &format!("line 1: {copy}"),
    );
    check(
        "COPY (SELECT * FROM stdin) TO '/x';",
        &[(1, "COPY (SELECT * FROM stdin) TO '/x'")],
    );
    check(
        "COPY t FROM '/x'; SELECT * FROM stdin;",
        &[(1, "COPY t FROM '/x'"), (1, "SELECT * FROM stdin")],
    );
}

#[test]
fn no_piece_of_a_text_upsets_the_splitter() {
    let text = "\u{feff}SELECT E'ö\\'' --x\n'y', U&\"é\", $ä$;$ä$ /* /* */ */ FROM t WHERE a[1:2] = $1; CREATE \
                PROCEDURE p() BEGIN ATOMIC SELECT CASE 1 END; END; \\x";
    let places: Vec<_> = text.char_indices().map(|it| it.0).collect();
    for &start in &places {
        for &end in places.iter().filter(|&&it| it >= start) {
            let piece = &text[start..end];
            for statement in split(piece).unwrap_or_default() {
                assert!(piece.contains(&statement.sql), "{statement:?} of {piece:?}");
            }
        }
    }
}
