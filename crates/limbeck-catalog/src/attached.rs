//! What hangs on objects beside what kinds describe, and goes when they go: owner, grants, replica identity, the mark of
//! `CLUSTER`, statistics, triggers, policies, rules and publications. It is asked only of objects that a plan drops or builds
//! anew, of all of them with one statement.

use std::collections::BTreeMap;

use limbeck_schema::{Ident, Key, KindTag, Literal};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row};

use crate::{CatalogError, own_rows};

/// What hangs on an object, a phrase each.
pub type Attached = BTreeMap<Key, Vec<String>>;

/// The objects that are asked about: their place in the list, what they are, schema, name, and the part of a table.
const WANTED: &str = "WITH w AS (SELECT * FROM json_to_recordset({wanted}::json) AS w(place int, class text, space text, name text, part \
     text)), r AS (SELECT w.place, w.class, w.part, c.* FROM w JOIN pg_namespace n ON n.nspname = w.space JOIN pg_class c ON \
     c.relnamespace = n.oid AND c.relname = CASE w.class WHEN 'index' THEN w.part ELSE w.name END WHERE w.class IN ('relation', \
     'index', 'column')), t AS (SELECT w.place, t.* FROM w JOIN pg_namespace n ON n.nspname = w.space JOIN pg_type t ON \
     t.typnamespace = n.oid AND t.typname = w.name WHERE w.class = 'type'), s AS (SELECT w.place, n.* FROM w JOIN pg_namespace n ON \
     n.nspname = w.name WHERE w.class = 'schema'), a AS (SELECT r.place, r.relowner, a.* FROM r JOIN pg_attribute a ON a.attrelid = \
     r.oid AND a.attname = r.part WHERE r.class = 'column'), o AS (SELECT place, relowner AS owner, relacl AS acl, 'relation' AS \
     class FROM r WHERE class = 'relation' UNION ALL SELECT place, typowner, typacl, 'type' FROM t UNION ALL SELECT place, nspowner, \
     nspacl, 'schema' FROM s UNION ALL SELECT place, relowner, attacl, 'column' FROM a) ";

/// What is asked, by the order in which it is said.
const ASKED: &[&str] = &[
    "SELECT o.place, 1, 'owner ' || quote_ident(pg_get_userbyid(o.owner)) FROM o WHERE o.class <> 'column' AND \
     pg_get_userbyid(o.owner) <> current_user",
    "SELECT o.place, 2, 'grants to ' || string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE \
     quote_ident(pg_get_userbyid(g.grantee)) END, ', ') FROM o, aclexplode(o.acl) g WHERE g.grantee <> o.owner GROUP BY o.place",
    "SELECT o.place, 3, 'USAGE is revoked from PUBLIC' FROM o WHERE o.class = 'type' AND o.acl IS NOT NULL AND NOT EXISTS (SELECT \
     FROM aclexplode(o.acl) g WHERE g.grantee = 0)",
    "SELECT r.place, 4, 'replica identity of ' || i.indrelid::regclass FROM r JOIN pg_index i ON i.indexrelid = r.oid WHERE \
     i.indisreplident",
    "SELECT r.place, 4, 'the mark of CLUSTER of ' || i.indrelid::regclass FROM r JOIN pg_index i ON i.indexrelid = r.oid WHERE \
     i.indisclustered",
    "SELECT r.place, 4, 'replica identity' FROM r WHERE r.class = 'relation' AND r.relkind IN ('r', 'p') AND r.relreplident <> 'd'",
    "SELECT r.place, 5, 'row security' FROM r WHERE r.class = 'relation' AND r.relrowsecurity",
    "SELECT r.place, 6, 'trigger ' || quote_ident(g.tgname) || ', whose function ' || g.tgfoid::regprocedure || ' stays' FROM r JOIN \
     pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal WHERE r.class = 'relation'",
    "SELECT r.place, 7, 'policy ' || quote_ident(p.polname) FROM r JOIN pg_policy p ON p.polrelid = r.oid WHERE r.class = 'relation'",
    "SELECT r.place, 7, 'rule ' || quote_ident(u.rulename) FROM r JOIN pg_rewrite u ON u.ev_class = r.oid WHERE r.class = 'relation'",
    "SELECT r.place, 8, 'statistics ' || quote_ident(e.stxname) FROM r JOIN pg_statistic_ext e ON e.stxrelid = r.oid WHERE r.class = \
     'relation'",
    "SELECT a.place, 8, 'statistics ' || quote_ident(e.stxname) FROM a JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND \
     d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.classid = 'pg_statistic_ext'::regclass JOIN pg_statistic_ext e ON \
     e.oid = d.objid",
    "SELECT r.place, 9, 'publication ' || quote_ident(b.pubname) FROM r JOIN pg_publication_rel x ON x.prrelid = r.oid JOIN \
     pg_publication b ON b.oid = x.prpubid WHERE r.class = 'relation'",
];

/// What of these kinds can have something hanging on it, and how it is looked for.
fn class(kind: KindTag) -> Option<&'static str> {
    match kind.name() {
        "table" | "sequence" => Some("relation"),
        "column" => Some("column"),
        "index" | "primary key" | "unique" | "exclusion" => Some("index"),
        "enum" | "domain" | "composite type" | "range" => Some("type"),
        "schema" => Some("schema"),
        _ => None,
    }
}

/// Reads what hangs on objects of a database. Nothing is asked where no object can have anything.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn attached<'k>(
    conn: &mut PgConnection,
    keys: impl IntoIterator<Item = &'k Key>,
    default_schema: &Ident,
) -> Result<Attached, CatalogError> {
    let failed = |source| CatalogError::Query {
        what: "what hangs on objects that go",
        source,
    };
    let mut wanted = Vec::new();
    let mut texts = Vec::new();
    for key in keys {
        let Some(class) = class(key.kind).filter(|_| key.about.is_none()) else {
            continue;
        };
        let space = key.schema.as_ref().unwrap_or(default_schema);
        let part = key.part.as_ref().map_or("", Ident::as_str);
        texts.push(json!({
            "place": wanted.len(),
            "class": class,
            "space": space.as_str(),
            "name": key.name.as_str(),
            "part": part,
        }));
        wanted.push(key);
    }
    let mut acc = Attached::new();
    if wanted.is_empty() {
        return Ok(acc);
    }
    let list = Literal(&Value::Array(texts).to_string()).to_string();
    let sql = format!(
        "{}SELECT * FROM ({}) q(place, nth, text) ORDER BY 1, 2, 3",
        WANTED.replace("{wanted}", &list),
        ASKED.join(" UNION ALL ")
    );
    for row in own_rows(conn, &sql).await.map_err(failed)? {
        let place: i32 = row.try_get(0).map_err(failed)?;
        let text: String = row.try_get(2).map_err(failed)?;
        let key = usize::try_from(place).ok().and_then(|it| wanted.get(it));
        if let Some(key) = key {
            acc.entry((*key).clone()).or_default().push(text);
        }
    }
    Ok(acc)
}
