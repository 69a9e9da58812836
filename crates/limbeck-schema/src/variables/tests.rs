//! What references become, and what becomes of placeholders.

use super::*;

fn variables(values: &[(&str, &str)]) -> Variables {
    let mut it = Variables::new();
    for (name, value) in values {
        it.set(name, value).unwrap();
    }
    it
}

/// Expands SQL with `p` and `n`.
#[track_caller]
fn check(p: &str, sql: &str, expected: &str) {
    let variables = variables(&[("p", p), ("n", "10")]);
    let made = match variables.expand_sql(sql) {
        Ok(it) => it.into_owned(),
        Err(it) => format!("{}: {it}", it.at),
    };
    if let Some(part) = expected.strip_prefix("error ") {
        assert!(made.contains(part), "{made}");
    } else {
        assert_eq!(made, expected);
    }
}

#[test]
fn names_are_quoted_where_the_value_needs_it() {
    check("irma_", "SELECT * FROM ${p}File", "SELECT * FROM irma_file");
    check(
        "Irma_",
        "SELECT * FROM ${p}File",
        "SELECT * FROM \"Irma_file\"",
    );
    check("Irma_", "\"${p}File\".x", "\"Irma_File\".x");
    check("", "DROP TABLE ${p}user", "DROP TABLE \"user\"");
    check("s", "${p}.t${p} ${p}", "s.ts s");
    check("a b", "c_${p}_${n}d", "\"c_a b_10d\"");
}

#[test]
fn values_do_not_reach_beyond_their_place() {
    let evil = "x\"; DROP TABLE y; --'";
    check(
        evil,
        "DROP TABLE ${p}z",
        "DROP TABLE \"x\"\"; DROP TABLE y; --'z\"",
    );
    check(
        evil,
        "DROP TABLE \"${p}\"",
        "DROP TABLE \"x\"\"; DROP TABLE y; --'\"",
    );
    check(evil, "SELECT '${p}'", "SELECT 'x\"; DROP TABLE y; --'''");
    check(
        evil,
        "SELECT E'\\'${p}'",
        "SELECT E'\\'x\"; DROP TABLE y; --'''",
    );
    check(evil, "SELECT E'\\${p}'", "SELECT E'\\${p}'");
    check(
        evil,
        "SELECT E'\\\\${p}'",
        "SELECT E'\\\\x\"; DROP TABLE y; --'''",
    );
    check(
        evil,
        "SELECT '\\${p}'",
        "error would end the string around it",
    );
    check(
        "$$ x",
        "DO $$ '${p}' $$",
        "error would end the string around it",
    );
    check("$$ x", "DO $a$ '${p}' $a$", "DO $a$ '$$ x' $a$");
    check(
        "a\"b",
        "'\"${p}s\"'::regclass, '${p}'",
        "'\"a\"\"bs\"'::regclass, 'a\"b'",
    );
    for value in ["a\\", "a\nb", "\u{1}"] {
        check(
            value,
            "SELECT ${p}",
            "error 7: the value of the variable p holds a backslash",
        );
        check(value, "SELECT 1", "SELECT 1");
    }
    let mut variables = Variables::new();
    assert!(variables.set("1p", "").is_err() && variables.set("", "").is_err());
}

#[test]
fn bodies_are_read_as_sql() {
    check(
        "Irma_",
        "AS $$ INSERT INTO ${p}log VALUES ('${p}') $$",
        "AS $$ INSERT INTO \"Irma_log\" VALUES ('Irma_') $$",
    );
}

#[test]
fn numbers_stand_by_themselves() {
    check("", "LIMIT ${n}", "LIMIT 10");
    check("", "t${n}, ${n}t, '${n}'", "t10, \"10t\", '10'");
}

#[test]
fn what_is_no_reference_stays() {
    check("x", "-- ${p}file ${q} ${:p}\na", "-- xfile ${q} ${:p}\na");
    check(
        "x",
        "-- ${q}\n/* ${q} */ ${:q} '${:q}' ${a.b} $1 $$ $q$ ${:q} $q$ $$",
        "-- ${q}\n/* ${q} */ ${q} '${q}' ${a.b} $1 $$ $q$ ${q} $q$ $$",
    );
}

#[test]
fn what_cannot_be_is_said_with_its_place() {
    check(
        "",
        "SELECT ${q}",
        "error 7: the variable q is not defined: write it under [variables]",
    );
    check(
        "",
        "DO $$ a ${q} $$",
        "error 8: the variable q is not defined",
    );
    check("", "DROP TABLE ${p}", "error 11: ${p} is empty");
    check(
        &"x".repeat(60),
        "DROP TABLE ${p}_tab",
        "error which has 64 bytes",
    );
    check(&"x".repeat(60), "\"${p}_tab\"", "error which has 64 bytes");
}

#[test]
fn long_names_are_shortened_as_conventions_do() {
    let long = "file_that_has_a_name_that_is_longer_than_most_of_them_are";
    check(
        "irma_",
        &format!("${{hash:fk_${{p}}{long}}}"),
        "fk_irma_file_that_has_a_name_that_is_longer_than_most_o_5e04",
    );
    check(
        "irma_",
        &format!("${{cut:fk_${{p}}{long}}}"),
        "fk_irma_file_that_has_a_name_that_is_longer_than_most_of_them_a",
    );
    check("Irma_", "${hash:ix_${p}File}", "\"ix_Irma_File\"");
    // What is not closed is no reference, and the server says so.
    check("x", "${hash:ix_${p}file", "${hash:ix_xfile");
}

#[test]
fn what_was_made_with_placeholders_becomes_references() {
    let placed = variables(&[("p", "x")]).placeholders();
    let place = |sql: &str| placed.expand_sql(sql).unwrap().into_owned();
    let check = |sql: &str, expected: &str| {
        assert_eq!(restore(&place(sql), Truncation::Hash), expected);
    };
    check("DROP TABLE ${p}file", "DROP TABLE ${p}file");
    check("DROP TABLE \"${p}File\"", "DROP TABLE \"${p}File\"");
    check("SELECT '${p}', '${:q}'", "SELECT '${p}', '${:q}'");
    let long = "file_that_has_a_name_that_is_long_for_one";
    check(
        &format!("DROP INDEX ix_${{p}}{long}"),
        &format!("DROP INDEX ${{hash:ix_${{p}}{long}}}"),
    );
    let comment = format!("-- it's {} {}", place("${p}file"), place("\"${p}File\""));
    assert_eq!(
        restore(&comment, Truncation::Hash),
        "-- it's ${p}file \"${p}File\""
    );
}

#[test]
fn what_is_written_is_found() {
    let sql = "CREATE TABLE ${p}a (\"B${q}\" text DEFAULT '${r}'); -- ${s}\nSELECT ${hash:x${t}}";
    assert_eq!(
        used(sql).into_iter().collect::<Vec<_>>(),
        ["p", "q", "r", "t"]
    );
    assert_eq!(written_names(sql), ["${p}a", "B${q}", "${hash:x${t}}"]);
    assert_eq!(escape("'${a}' -- ${b}"), "'${:a}' -- ${b}");
}
