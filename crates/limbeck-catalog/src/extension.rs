//! What needs an extension that the other side lacks.

use std::collections::BTreeMap;

use limbeck_schema::{Ident, Key, Name};
use sqlx::{PgConnection, Row};

use crate::{Catalog, CatalogError, Unmanaged};

/// The objects of a state that need an extension which another database does not have, each with the extension. `conn`
/// leads to the database that holds the state, and has the extension.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn needing(
    conn: &mut PgConnection,
    catalog: &Catalog,
    unmanaged: &Unmanaged,
    other: &Unmanaged,
) -> Result<BTreeMap<Key, Ident>, CatalogError> {
    let has = |name: &Ident| other.extensions.iter().any(|it| it.name == *name);
    let lacking = unmanaged.extensions.iter().filter(|it| !has(&it.name));
    let lacking: Vec<String> = lacking.map(|it| it.name.as_str().to_owned()).collect();
    let mut acc = BTreeMap::new();
    if lacking.is_empty() {
        return Ok(acc);
    }
    let failed = |source| CatalogError::Query {
        what: "what needs extensions",
        source,
    };
    let rows = sqlx::query(DEPENDENTS)
        .persistent(false)
        .bind(&lacking)
        .fetch_all(conn)
        .await
        .map_err(failed)?;
    for row in rows {
        let extension: String = row.try_get(0).map_err(failed)?;
        let (schema, name): (String, String) = (
            row.try_get(1).map_err(failed)?,
            row.try_get(2).map_err(failed)?,
        );
        let part: Option<String> = row.try_get(3).map_err(failed)?;
        let name = Name::qualified(Some(Ident::from(schema)), Ident::from(name));
        let name = name.in_default(&catalog.default_schema);
        let part = part.map(Ident::from);
        let is_it = |key: &&Key| {
            key.about.is_none() && key.part == part && key.qualified().place() == name.clone().place()
        };
        let found = catalog.schema.iter().map(|(key, _)| key).filter(is_it);
        for key in found {
            acc.insert(key.clone(), Ident::from(extension.clone()));
        }
    }
    Ok(acc)
}

/// What depends on members of extensions: columns, defaults, constraints, indexes, types.
const DEPENDENTS: &str = "\
    WITH m AS (SELECT e.extname, d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON \
    d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.oid OPERATOR(pg_catalog.=) d.refobjid \
    WHERE d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)), \
    own AS (SELECT * FROM m UNION SELECT m.extname, d.classid, d.objid FROM m JOIN pg_catalog.pg_depend d ON d.refclassid \
    OPERATOR(pg_catalog.=) m.classid AND d.refobjid OPERATOR(pg_catalog.=) m.objid WHERE d.deptype OPERATOR(pg_catalog.=) 'i'), \
    u AS (SELECT DISTINCT own.extname, d.classid, d.objid, d.objsubid FROM own JOIN pg_catalog.pg_depend d ON d.refclassid \
    OPERATOR(pg_catalog.=) own.classid AND d.refobjid OPERATOR(pg_catalog.=) own.objid WHERE d.deptype OPERATOR(pg_catalog.=) ANY \
    ('{n,a}'::pg_catalog.\"char\"[]) AND NOT EXISTS (SELECT FROM own o WHERE o.classid OPERATOR(pg_catalog.=) d.classid AND o.objid \
    OPERATOR(pg_catalog.=) d.objid)) \
    SELECT u.extname::pg_catalog.text, n.nspname::pg_catalog.text, coalesce(t.relname, c.relname)::pg_catalog.text, coalesce(CASE \
    WHEN t.oid IS NOT NULL THEN c.relname END, a.attname)::pg_catalog.text FROM u JOIN pg_catalog.pg_class c ON u.classid \
    OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid OPERATOR(pg_catalog.=) u.objid JOIN \
    pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace LEFT JOIN pg_catalog.pg_index x ON x.indexrelid \
    OPERATOR(pg_catalog.=) c.oid LEFT JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) x.indrelid LEFT JOIN \
    pg_catalog.pg_attribute a ON u.objsubid OPERATOR(pg_catalog.<>) 0 AND a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum \
    OPERATOR(pg_catalog.=) u.objsubid \
    UNION ALL SELECT u.extname::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, \
    a.attname::pg_catalog.text FROM u JOIN pg_catalog.pg_attrdef f ON u.classid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_attrdef'::pg_catalog.regclass AND f.oid OPERATOR(pg_catalog.=) u.objid JOIN pg_catalog.pg_class c ON c.oid \
    OPERATOR(pg_catalog.=) f.adrelid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace JOIN \
    pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.=) f.adnum \
    UNION ALL SELECT u.extname::pg_catalog.text, n.nspname::pg_catalog.text, coalesce(c.relname, t.typname)::pg_catalog.text, \
    o.conname::pg_catalog.text FROM u JOIN pg_catalog.pg_constraint o ON u.classid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.oid OPERATOR(pg_catalog.=) u.objid LEFT JOIN pg_catalog.pg_class c ON \
    c.oid OPERATOR(pg_catalog.=) o.conrelid LEFT JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) o.contypid JOIN \
    pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) coalesce(c.relnamespace, t.typnamespace) \
    UNION ALL SELECT u.extname::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, NULL FROM u JOIN \
    pg_catalog.pg_type t ON u.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid \
    OPERATOR(pg_catalog.=) u.objid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace";
