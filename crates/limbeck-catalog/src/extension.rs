//! What needs something that the other side lacks and that no kind stands for: an extension, a function, an operator.

use std::collections::BTreeMap;

use limbeck_schema::{Ident, Key, Name};
use sqlx::{Connection, PgConnection, Row};

use crate::{Catalog, CatalogError, Unmanaged};

/// The objects of a state that need what another database does not have, each with that, `extension citext`. `conn` leads
/// to the database that holds the state.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn needing(
    conn: &mut PgConnection,
    catalog: &Catalog,
    unmanaged: &Unmanaged,
    other: &Unmanaged,
) -> Result<BTreeMap<Key, String>, CatalogError> {
    let lacks = |it: &&(String, String)| !other.objects.contains_key(*it);
    let lacking: Vec<String> = unmanaged
        .objects
        .keys()
        .filter(lacks)
        .map(|(word, name)| format!("{word} {name}"))
        .collect();
    let mut acc = BTreeMap::new();
    if lacking.is_empty() {
        return Ok(acc);
    }
    let failed = |source| CatalogError::Query {
        what: "what needs functions and extensions",
        source,
    };
    let mut tx = conn.begin_with("BEGIN READ ONLY").await.map_err(failed)?;
    // Nothing is searched, so that names are printed as those of what is not managed are.
    let set = "SELECT pg_catalog.set_config('search_path', '', true)";
    let set = sqlx::query(set).persistent(false);
    set.execute(&mut *tx).await.map_err(failed)?;
    let rows = sqlx::query(DEPENDENTS)
        .persistent(false)
        .bind(&lacking)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
    tx.rollback().await.map_err(failed)?;
    for row in rows {
        let what: String = row.try_get(0).map_err(failed)?;
        let (schema, name): (String, String) = (
            row.try_get(1).map_err(failed)?,
            row.try_get(2).map_err(failed)?,
        );
        let part: Option<String> = row.try_get(3).map_err(failed)?;
        let name = Name::qualified(Some(Ident::from(schema)), Ident::from(name));
        let name = name.in_default(&catalog.default_schema).place();
        let part = part.map(Ident::from);
        let is_it =
            |key: &&Key| key.about.is_none() && key.part == part && key.qualified().place() == name;
        for key in catalog.schema.iter().map(|(key, _)| key).filter(is_it) {
            acc.insert(key.clone(), what.clone());
        }
    }
    Ok(acc)
}

/// What depends on things of these names: columns, defaults, constraints, indexes, domains. What an extension brings, and
/// what comes along with that, counts as the extension.
const DEPENDENTS: &str = "\
    WITH m AS (SELECT 'extension ' OPERATOR(pg_catalog.||) pg_catalog.quote_ident(e.extname) AS what, d.classid, d.objid FROM \
    pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refclassid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid OPERATOR(pg_catalog.=) d.refobjid WHERE d.deptype \
    OPERATOR(pg_catalog.=) 'e'), \
    own AS (SELECT * FROM m UNION SELECT m.what, d.classid, d.objid FROM m JOIN pg_catalog.pg_depend d ON d.refclassid \
    OPERATOR(pg_catalog.=) m.classid AND d.refobjid OPERATOR(pg_catalog.=) m.objid WHERE d.deptype OPERATOR(pg_catalog.=) 'i'), \
    every AS (SELECT * FROM own UNION ALL SELECT i.type OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) i.identity, x.refclassid, \
    x.refobjid FROM (SELECT DISTINCT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d WHERE d.refobjid \
    OPERATOR(pg_catalog.>=) 16384 AND d.deptype OPERATOR(pg_catalog.=) ANY ('{n,a}'::pg_catalog.\"char\"[]) AND d.refclassid OPERATOR(pg_catalog.=) ANY \
    ('{pg_catalog.pg_proc,pg_catalog.pg_operator,pg_catalog.pg_opclass,pg_catalog.pg_type,pg_catalog.pg_ts_config,\
    pg_catalog.pg_ts_dict}'::pg_catalog.regclass[]::pg_catalog.oid[])) x, pg_catalog.pg_identify_object(x.refclassid, x.refobjid, 0) \
    i WHERE NOT EXISTS (SELECT FROM own WHERE own.classid OPERATOR(pg_catalog.=) x.refclassid AND own.objid OPERATOR(pg_catalog.=) \
    x.refobjid)), \
    u AS (SELECT DISTINCT every.what, d.classid, d.objid, d.objsubid FROM every JOIN pg_catalog.pg_depend d ON \
    d.refclassid OPERATOR(pg_catalog.=) every.classid AND d.refobjid OPERATOR(pg_catalog.=) every.objid WHERE every.what \
    OPERATOR(pg_catalog.=) ANY ($1) AND d.deptype OPERATOR(pg_catalog.=) ANY ('{n,a}'::pg_catalog.\"char\"[]) AND NOT EXISTS (SELECT \
    FROM own o WHERE o.classid OPERATOR(pg_catalog.=) d.classid AND o.objid OPERATOR(pg_catalog.=) d.objid)) \
    SELECT u.what::pg_catalog.text, n.nspname::pg_catalog.text, coalesce(t.relname, c.relname)::pg_catalog.text, coalesce(CASE \
    WHEN t.oid IS NOT NULL THEN c.relname END, a.attname)::pg_catalog.text FROM u JOIN pg_catalog.pg_class c ON u.classid \
    OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid OPERATOR(pg_catalog.=) u.objid JOIN \
    pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace LEFT JOIN pg_catalog.pg_index x ON x.indexrelid \
    OPERATOR(pg_catalog.=) c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) x.indrelid LEFT JOIN \
    pg_catalog.pg_attribute a ON u.objsubid OPERATOR(pg_catalog.<>) 0 AND a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum \
    OPERATOR(pg_catalog.=) u.objsubid \
    UNION ALL SELECT u.what::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, \
    a.attname::pg_catalog.text FROM u JOIN pg_catalog.pg_attrdef f ON u.classid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid OPERATOR(pg_catalog.=) u.objid JOIN pg_catalog.pg_class c ON c.oid \
    OPERATOR(pg_catalog.=) f.adrelid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace JOIN \
    pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.=) f.adnum \
    UNION ALL SELECT u.what::pg_catalog.text, n.nspname::pg_catalog.text, coalesce(c.relname, t.typname)::pg_catalog.text, \
    o.conname::pg_catalog.text FROM u JOIN pg_catalog.pg_constraint o ON u.classid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.oid OPERATOR(pg_catalog.=) u.objid LEFT JOIN pg_catalog.pg_class c ON \
    c.oid OPERATOR(pg_catalog.=) o.conrelid LEFT JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) o.contypid JOIN \
    pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) coalesce(c.relnamespace, t.typnamespace) \
    UNION ALL SELECT u.what::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, NULL FROM u JOIN \
    pg_catalog.pg_type t ON u.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid \
    OPERATOR(pg_catalog.=) u.objid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace";
