//! Types whose literals run somebody else's code as soon as they are parsed.
//!
//! PostgreSQL makes a constant of `'{x}'::d[]` while it parses. For a domain by itself that takes the input function of the
//! type below it, and the domain's checks come when the value is used. Within an array, a composite type or a range the
//! checks run at once; so does the function that brings a range to its canonical form. An expression with such a literal is
//! given to the server only if the domain and what its checks call belong to this role, to a superuser, or to a role whose
//! rights this one has.

use std::collections::BTreeMap;

use limbeck_schema::{Expr, Ident, SqlType, Token};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// What must not meet a literal, with why.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    /// By the type's bare name; whether its own literals run the code, or those of its arrays alone.
    types: BTreeMap<Ident, (bool, String)>,
    functions: BTreeMap<Ident, String>,
    operators: BTreeMap<String, String>,
}

impl Strangers {
    /// The statement to be read from.
    pub(crate) const SQL: &str = "
        WITH RECURSIVE us AS (
            SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user
        ), trusted AS MATERIALIZED (
            SELECT r.oid FROM pg_roles r, us
            WHERE r.oid = us.oid OR r.rolsuper OR NOT us.rolsuper AND pg_has_role(r.oid, 'USAGE')
        ), called AS (
            SELECT d.objid AS checked, p.proowner AS owner
            FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
            WHERE d.classid = 'pg_constraint'::regclass AND d.refclassid = 'pg_proc'::regclass
            UNION ALL
            SELECT d.objid, o.oprowner
            FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid
            WHERE d.classid = 'pg_constraint'::regclass AND d.refclassid = 'pg_operator'::regclass
        ), strange AS (
            SELECT t.oid, false AS runs, format('domain %s of role %I', t.typname, pg_get_userbyid(t.typowner)) AS culprit
            FROM pg_type t
            WHERE t.typtype = 'd' AND EXISTS (
                SELECT FROM pg_constraint c
                WHERE c.contypid = t.oid AND c.contype = 'c' AND (
                    t.typowner NOT IN (SELECT oid FROM trusted)
                    OR EXISTS (
                        SELECT FROM called WHERE called.checked = c.oid AND called.owner NOT IN (SELECT oid FROM trusted)
                    )
                )
            )
            UNION ALL
            SELECT r.rngtypid, true, format('function %s of role %I', p.proname, pg_get_userbyid(p.proowner))
            FROM pg_range r JOIN pg_proc p ON p.oid = r.rngcanonical
            WHERE p.proowner NOT IN (SELECT oid FROM trusted)
        ), reached AS (
            SELECT oid, runs, culprit FROM strange
            UNION
            SELECT t.oid, t.typtype <> 'd' OR s.runs, s.culprit
            FROM reached s JOIN pg_type t
            ON t.typcategory = 'A' AND t.typelem = s.oid
            OR t.typtype = 'd' AND t.typbasetype = s.oid
            OR t.typtype = 'c' AND EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = s.oid
            )
            OR t.typtype IN ('r', 'm') AND EXISTS (
                SELECT FROM pg_range r
                WHERE r.rngtypid = t.oid AND r.rngsubtype = s.oid
                OR to_jsonb(r)->>'rngmultitypid' = t.oid::text AND r.rngtypid = s.oid
            )
        )
        SELECT 'type', t.typname, r.runs, r.culprit FROM reached r JOIN pg_type t ON t.oid = r.oid
        UNION ALL
        SELECT 'function', p.proname, true, r.culprit
        FROM reached r JOIN pg_proc p ON p.prorettype = r.oid OR r.oid = ANY (p.proargtypes::oid[])
        WHERE r.runs
        UNION ALL
        SELECT 'operator', o.oprname, true, r.culprit
        FROM reached r JOIN pg_operator o ON r.oid IN (o.oprleft, o.oprright, o.oprresult)
        WHERE r.runs";

    pub(crate) fn decode(rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let mut acc = Self::default();
        for row in rows {
            let (sort, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let (runs, culprit): (bool, String) = (row.try_get(2)?, row.try_get(3)?);
            match sort.as_str() {
                "function" => drop(acc.functions.insert(Ident::from(name), culprit)),
                "operator" => drop(acc.operators.insert(name, culprit)),
                _ => {
                    let known = acc.types.entry(Ident::from(name)).or_default();
                    *known = (known.0 || runs, culprit);
                }
            }
        }
        Ok(acc)
    }

    /// Whose code would run if the server parsed an expression over columns of these types; none if nobody's.
    pub(crate) fn would_run<'a>(
        &self,
        expr: &Expr,
        types: impl IntoIterator<Item = &'a SqlType>,
    ) -> Option<&str> {
        let tokens = expr.normal();
        if self.types.is_empty() || !has_literal(&tokens) {
            return None;
        }
        let of_columns = types.into_iter().find_map(|it| self.of_type(it));
        of_columns.or_else(|| (0..tokens.len()).find_map(|at| self.at(&tokens, at)))
    }

    fn of_type(&self, ty: &SqlType) -> Option<&str> {
        let (runs, culprit) = self.types.get(&ty.user_defined()?.name)?;
        (*runs || ty.is_array()).then_some(culprit.as_str())
    }

    /// Whether a token is a type that is cast to, a function that is called, or an operator.
    fn at(&self, tokens: &[Token<'_>], at: usize) -> Option<&str> {
        let next = tokens.get(at + 1);
        let word = match &tokens[at] {
            Token::Mark(it) if it.starts_with('"') => &Ident::parse(it)?,
            Token::Mark(it) => return self.operators.get(*it).map(String::as_str),
            Token::Word(it) => it,
            Token::Text(_) => return None,
        };
        if next == Some(&Token::Mark("("))
            && let Some(culprit) = self.functions.get(word)
        {
            return Some(culprit.as_str());
        }
        let (runs, culprit) = self.types.get(word)?;
        let of_array = next == Some(&Token::Mark("["))
            || matches!(next, Some(Token::Word(it)) if it.as_str() == "array");
        let mut before = at;
        while before >= 2 && tokens[before - 1] == Token::Mark(".") {
            before -= 2;
        }
        let cast = before > 0
            && match &tokens[before - 1] {
                Token::Mark(it) => *it == "::",
                Token::Word(it) => it.as_str() == "as",
                Token::Text(_) => false,
            };
        let typed = matches!(next, Some(Token::Text(_)));
        ((cast || typed) && (*runs || of_array)).then_some(culprit.as_str())
    }
}

/// Whether there is a literal that a type's input function would read.
pub(crate) fn has_literal(tokens: &[Token<'_>]) -> bool {
    tokens.iter().any(|it| matches!(it, Token::Text(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_that_run_checks_are_told_from_those_that_do_not() {
        let culprit = || "domain d of role mallory".to_owned();
        let strangers = Strangers {
            types: [("d", false), ("pair", true), ("_d", true)]
                .map(|(name, runs)| (Ident::from(name), (runs, culprit())))
                .into(),
            functions: [(Ident::from("first"), culprit())].into(),
            operators: [("<+>".to_owned(), culprit())].into(),
        };
        let check = |expr: &str, types: &[&str], expected: bool| {
            let types: Vec<SqlType> = types.iter().map(|it| SqlType::from_catalog(*it)).collect();
            let found = strangers.would_run(&Expr::new(expr), &types);
            assert_eq!(found.is_some(), expected, "{expr}");
        };
        check("a = 'x'", &["d"], false);
        check("a = 'x'::d", &["text"], false);
        check("a = '{x}'", &["d[]"], true);
        check("a = b", &["d[]", "d[]"], false);
        check("'{x}'::app.d[] IS NULL", &[], true);
        check("CAST('{x}' AS d ARRAY) IS NULL", &[], true);
        check("a = '(x)'", &["pair"], true);
        check("pair '(x)' IS NULL", &[], true);
        check("pair = 'x'", &["text"], false);
        check("first('{x}') > 1", &[], true);
        check("a <+> '{x}'", &["integer"], true);
    }
}
