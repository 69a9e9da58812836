//! The settings under which Limbeck's own statements are parsed and run, so that no object of somebody else's takes the
//! place of PostgreSQL's and no setting of a database or a role changes the answer.
//!
//! PostgreSQL looks for the best match of a function, operator, type or table in all schemas of `search_path`, so that
//! `public.quote_ident(name)` wins over `pg_catalog.quote_ident(text)` wherever a name is quoted, even with `pg_catalog`
//! in front. A statement of Limbeck's own is therefore *parsed* with [`PATH`] alone. Where it prints names relative to
//! another path (`pg_get_expr`, `format_type`, the output of `regclass`), that path is set while the statement *runs*, by
//! the condition [`PRINTS`]: everything has been resolved by then.

/// The search path under which statements are parsed.
///
/// `pg_temp` stands last because a path that does not name it is searched for tables and types in `pg_temp` first: a
/// revision that creates a temporary table `pg_class` would be read instead of the catalog.
pub const PATH: &str = "pg_catalog, pg_temp";

/// The setting that holds the search path by which a statement prints.
const PRINTED: &str = "limbeck.search_path";

/// Settings on which it depends what the catalog prints, how a literal is read, and how a catalog is planned. `DateStyle`
/// keeps the order of day and month.
const SETTINGS: &[(&str, &str)] = &[
    ("quote_all_identifiers", "off"),
    ("standard_conforming_strings", "on"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "2"),
    ("bytea_output", "hex"),
    ("xmlbinary", "base64"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    // An error instead of a policy that somebody else wrote.
    ("row_security", "off"),
    // The planner takes catalogs for large and would spend more on compiling than it wins.
    ("jit", "off"),
];

/// The condition by which a statement prints names as the path of [`read_settings`] or of the session around
/// [`enclosed`] has it. PostgreSQL evaluates a condition before the `SELECT` list of the row it is about, and this one,
/// which depends on no row, once and first. Each `SELECT` of a `UNION` needs its own.
pub const PRINTS: &str =
    "(SELECT set_config('search_path', current_setting('limbeck.search_path'), true)) IS NOT NULL";

/// The statement that brings the path back after one with [`PRINTS`].
pub const RESET_PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp";

/// The statements that prepare a transaction for reading, to be sent in one message after `BEGIN`. `printed` is the search
/// path by which names are printed.
#[must_use]
pub fn read_settings(printed: &str) -> String {
    let calls: Vec<String> = SETTINGS
        .iter()
        .map(|(name, value)| format!("set_config('{name}', '{value}', true)"))
        .collect();
    format!(
        "{RESET_PATH}; SELECT set_config('{PRINTED}', {}, true), {}",
        crate::Literal(printed),
        calls.join(", ")
    )
}

/// A statement in a session whose settings belong to somebody else, a revision for example: they are put aside for the
/// statement and brought back after it. To be sent as one message; only the statement itself gives rows. It must be able
/// to run in a transaction.
///
/// The first statement is parsed under a path that is not to be trusted, so that its function is qualified and it has no
/// operator. A failure needs no bringing back: what was set is local to the transaction that it ends.
#[must_use]
pub fn enclosed(sql: &str) -> String {
    if resolves_nothing(sql) {
        return sql.to_owned();
    }
    format!(
        "SELECT WHERE pg_catalog.set_config('{PRINTED}', pg_catalog.current_setting('search_path'), true) IS NULL; \
         {RESET_PATH}; {sql}; SELECT WHERE pg_catalog.set_config('search_path', pg_catalog.current_setting('{PRINTED}'), \
         true) IS NULL"
    )
}

/// A statement that creates an object of Limbeck's own, with event triggers off where this role may turn them off: a
/// superuser, since PostgreSQL 17. To be [`enclosed`].
#[must_use]
pub fn without_event_triggers(sql: &str) -> String {
    const MAY: &str =
        "FROM pg_settings WHERE name = 'event_triggers' AND current_setting('is_superuser') = 'on'";
    format!(
        "SELECT WHERE (SELECT concat(set_config('limbeck.event_triggers', setting, true), set_config('event_triggers', 'off', \
         true)) {MAY}) = ''; {sql}; SELECT WHERE (SELECT set_config('event_triggers', \
         current_setting('limbeck.event_triggers'), true) {MAY}) = ''"
    )
}

/// Whether a statement is one in which nothing is looked up by the search path but tables and indexes by their names:
/// transaction control, and statements that can run in no transaction.
fn resolves_nothing(sql: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "SET",
        "RESET",
        "DROP INDEX CONCURRENTLY",
    ];
    let begins = |it: &&str| {
        sql.strip_prefix(*it)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    !sql.contains(';') && BEGINNINGS.iter().any(|it| begins(&it))
}

/// A statement that reads, inside of a transaction whose settings belong to somebody else: it runs as under
/// [`read_settings`], of which nothing is left afterwards. To be sent as one message.
#[must_use]
pub fn enclosed_read(sql: &str, printed: &str) -> String {
    format!(
        "SAVEPOINT limbeck_read; {}; {sql}; ROLLBACK TO limbeck_read",
        quiet_settings(printed)
    )
}

/// [`read_settings`] by statements that give no rows.
fn quiet_settings(printed: &str) -> String {
    let mut acc = RESET_PATH.to_owned();
    for (name, value) in SETTINGS.iter().chain([&(PRINTED, printed)]) {
        let value = crate::Literal(value);
        acc.push_str(&format!("; SET LOCAL {name} = {value}"));
    }
    acc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_under_somebody_elses_path_is_qualified() {
        let text = enclosed("SELECT 1");
        let first = text.split(';').next().unwrap();
        for (at, _) in first.match_indices('(') {
            let word = first[..at].rsplit([' ', '(']).next().unwrap();
            assert!(word.starts_with("pg_catalog."), "{word} in {first}");
        }
    }

    #[test]
    fn a_path_is_quoted_as_a_value() {
        let path = "\"it's\", \"a;b\"";
        assert!(read_settings(path).contains("'\"it''s\", \"a;b\"'"));
        assert!(enclosed_read("SELECT 1", path).contains("= '\"it''s\", \"a;b\"'"));
    }
}
