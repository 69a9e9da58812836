//! The guard of Limbeck's own tables. Whoever may create tables in the default schema can have been there first, with a
//! view, a trigger, a rule, a policy or a default that runs functions of theirs with the rights of whoever runs Limbeck.
//!
//! A table with such an attachment is used where it belongs to this role, to a superuser, or to a role whose rights this
//! one has; everything else has to be as Limbeck and Alembic create it.

use std::collections::BTreeMap;

use limbeck_schema::{Literal, Name};

/// The tables of a runner, looked after in every statement that names one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    tables: BTreeMap<Name, Option<Standing>>,
}

/// What was found of a table that may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// It belongs to the role of this number, which is trusted, and has no trigger: only these two need another look.
    Plain { owner: i64 },
    /// Everything needs another look.
    Other,
}

impl Guard {
    pub(crate) fn new(tables: impl IntoIterator<Item = Name>) -> Self {
        Self {
            tables: tables.into_iter().map(|it| (it, None)).collect(),
        }
    }

    /// The tables that a statement names and of which nothing is known yet.
    pub(crate) fn unknown(&self, sql: &str) -> Vec<Name> {
        let named = self.tables.iter().filter(|(it, _)| names(sql, it));
        let unknown = named.filter(|(_, standing)| standing.is_none());
        unknown.map(|(it, _)| it.clone()).collect()
    }

    pub(crate) fn learn(&mut self, table: &Name, found: Standing) {
        if let Some(standing) = self.tables.get_mut(table) {
            *standing = Some(found);
        }
    }

    /// The statement with the guards of the tables that it names in front, as one message. Each locks its table first, so
    /// that what it finds stays true, and fails if a stranger's code would run.
    pub(crate) fn before(&self, sql: &str) -> String {
        let mode = if sql.starts_with("SELECT") {
            "ACCESS SHARE"
        } else {
            "ROW EXCLUSIVE"
        };
        let named = self.tables.iter().filter(|(it, _)| names(sql, it));
        let guards = named.map(|(it, standing)| {
            let found = match standing {
                Some(Standing::Plain { owner }) => format!(
                    "SELECT CASE WHEN c.relkind = 'r' AND c.relowner = {owner} AND NOT c.relhastriggers THEN NULL ELSE \
                     'was changed meanwhile' END, 0, false FROM pg_class c WHERE c.oid = to_regclass({})",
                    Literal(&it.to_string())
                ),
                Some(Standing::Other) | None => trouble(it),
            };
            format!(
                "LOCK TABLE ONLY {it} IN {mode} MODE; SELECT FROM ({found}) AS found(trouble, owner, plain) WHERE ({} || trouble)::int4 IS \
                 NOT NULL; ",
                Literal(&format!("the table {it} "))
            )
        });
        guards.chain([sql.to_owned()]).collect()
    }
}

/// Whether a statement reads or changes a table, which it names as `Name` or as sea-query does.
fn names(sql: &str, table: &Name) -> bool {
    let own = |it: &str| format!("\"{}\"", it.replace('"', "\"\""));
    let quoted = match &table.schema {
        Some(schema) => format!("{}.{}", own(schema.as_str()), own(table.name.as_str())),
        None => own(table.name.as_str()),
    };
    let ends = |at: usize| {
        let next = sql[at..].chars().next();
        next.is_none_or(|it| !it.is_alphanumeric() && !matches!(it, '_' | '$' | '"'))
    };
    let found = |place: &str| {
        let mut places = sql.match_indices(place);
        places.any(|(at, _)| ends(at + place.len()))
    };
    let words = ["FROM", "INTO", "UPDATE"];
    let mut places = words
        .iter()
        .flat_map(|word| [format!("{word} {table}"), format!("{word} {quoted}")]);
    places.any(|it| found(&it))
}

/// The statement that looks for a table: why it must not be used, null if it may be; the number of its owner, null if that
/// one is not trusted or the table has triggers. No row if there is no such table.
pub(crate) fn look(table: &Name) -> String {
    let found = trouble(table);
    format!(
        "SELECT found.trouble, CASE WHEN found.plain THEN found.owner END FROM ({found}) AS found(trouble, owner, plain)"
    )
}

/// Why a table must not be used, null if it may be.
fn trouble(table: &Name) -> String {
    let quoted = table.to_string();
    format!(
        "WITH us AS (
            SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user
        ), trusted AS (
            SELECT r.oid
            FROM pg_roles r, us
            WHERE r.oid = us.oid OR r.rolsuper OR NOT us.rolsuper AND pg_has_role(r.oid, 'USAGE')
        )
        SELECT CASE
            WHEN c.relkind <> 'r' THEN 'is no ordinary table'
            WHEN EXISTS (
                SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND p.proowner NOT IN (SELECT oid FROM trusted)
            ) THEN 'has a trigger whose function belongs to another role'
            WHEN c.relowner IN (SELECT oid FROM trusted) THEN NULL
            WHEN EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)
            THEN 'belongs to another role and has a rule'
            WHEN c.relrowsecurity AND NOT (SELECT rolsuper FROM us)
            THEN 'belongs to another role and has row security'
            WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
            THEN 'belongs to another role and has children'
            WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x'))
            THEN 'belongs to another role and has a check'
            WHEN EXISTS (
                SELECT FROM pg_index i
                WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
            ) THEN 'belongs to another role and has an index with an expression'
            WHEN EXISTS (
                SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND t.typnamespace <> 'pg_catalog'::regnamespace
            ) THEN 'belongs to another role and has a column of that role''s own type'
            WHEN EXISTS (
                SELECT FROM pg_attrdef d
                WHERE d.adrelid = c.oid
                AND pg_get_expr(d.adbin, d.adrelid) NOT IN ('SESSION_USER', '(finished - started)')
            ) THEN 'belongs to another role and has a default'
        END, c.relowner::int8, NOT c.relhastriggers AND c.relowner IN (SELECT oid FROM trusted)
        FROM pg_class c
        WHERE c.oid = to_regclass({})",
        Literal(&quoted)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_a_statement_are_found() {
        let guard = Guard::new([Name::parse("public.limbeck_log").unwrap()]);
        let check = |sql: &str, expected: bool| {
            assert_eq!(guard.before(sql) != sql, expected, "{sql}");
        };
        check("SELECT id FROM public.limbeck_log ORDER BY id", true);
        check("SELECT id FROM public.limbeck_log\nORDER BY id", true);
        check(r#"UPDATE "public"."limbeck_log" SET "id" = 1"#, true);
        check(
            r#"INSERT INTO "public"."limbeck_log" ("id") VALUES (1)"#,
            true,
        );
        check(r#"DELETE FROM "public"."limbeck_log""#, true);
        check("SELECT id FROM public.limbeck_log2", false);
        check("CREATE TABLE IF NOT EXISTS public.limbeck_log ()", false);
        check("SELECT to_regclass('x public.limbeck_log')", false);
    }
}
