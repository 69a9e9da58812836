//! What a database holds that no kind stands for yet: named, so that nothing is passed over in silence.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::CatalogError;

/// Objects by what they are and what they are called (`view`, `public.v`), each with its definition as a text that is
/// only good for telling whether two are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmanaged {
    /// The objects.
    pub objects: BTreeMap<(String, String), String>,
}

/// The catalogs whose objects need no more than their identity and their row without its oids. Each is a table, the word
/// for its objects, the columns that make its definition, and a condition. `o` is the row.
const PLAIN: &[(&str, &str, &str, &str)] = &[
    (
        "pg_extension",
        "extension",
        "o.extversion",
        "o.extname <> 'plpgsql'",
    ),
    (
        "pg_trigger",
        "trigger",
        "concat_ws(' ', pg_get_triggerdef(o.oid), o.tgenabled)",
        "NOT o.tgisinternal AND o.tgparentid = 0",
    ),
    (
        "pg_rewrite",
        "rule",
        "concat_ws(' ', pg_get_ruledef(o.oid), o.ev_enabled)",
        "o.rulename <> '_RETURN'",
    ),
    (
        "pg_policy",
        "policy",
        "concat_ws(' ', o.polcmd, o.polpermissive, array(SELECT pg_get_userbyid(r)::text FROM unnest(o.polroles) r ORDER BY 1), \
         'using', pg_get_expr(o.polqual, o.polrelid), 'check', pg_get_expr(o.polwithcheck, o.polrelid))",
        "true",
    ),
    (
        "pg_statistic_ext",
        "statistics",
        "concat_ws(' ', pg_get_statisticsobjdef(o.oid), o.stxstattarget)",
        "true",
    ),
    (
        "pg_event_trigger",
        "event trigger",
        "concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, o.evtenabled, o.evttags)",
        "true",
    ),
    (
        "pg_publication",
        "publication",
        "concat_ws(' ', o.puballtables, o.pubinsert, o.pubupdate, o.pubdelete, o.pubtruncate, o.pubviaroot, \
         array(SELECT r.prrelid::regclass::text FROM pg_publication_rel r WHERE r.prpubid = o.oid ORDER BY 1))",
        "true",
    ),
    (
        "pg_cast",
        "cast",
        "concat_ws(' ', o.castfunc::regprocedure, o.castcontext, o.castmethod)",
        "true",
    ),
    (
        "pg_operator",
        "operator",
        "concat_ws(' ', o.oprcode::regprocedure, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest::regproc, \
         o.oprjoin::regproc, o.oprcanmerge, o.oprcanhash)",
        "true",
    ),
    (
        "pg_opclass",
        "operator class",
        "concat_ws(' ', format_type(o.opcintype, NULL), o.opcdefault, format_type(o.opckeytype, NULL))",
        "true",
    ),
    ("pg_opfamily", "operator family", "''", "true"),
    (
        "pg_ts_config",
        "text search configuration",
        "array(SELECT m.maptokentype || ' ' || m.mapseqno || ' ' || m.mapdict::regdictionary FROM pg_ts_config_map m \
         WHERE m.mapcfg = o.oid ORDER BY m.maptokentype, m.mapseqno)::text",
        "true",
    ),
    (
        "pg_ts_dict",
        "text search dictionary",
        "o.dictinitoption",
        "true",
    ),
    (
        "pg_ts_parser",
        "text search parser",
        "concat_ws(' ', o.prsstart, o.prstoken, o.prsend)",
        "true",
    ),
    (
        "pg_ts_template",
        "text search template",
        "concat_ws(' ', o.tmplinit, o.tmpllexize)",
        "true",
    ),
    (
        "pg_foreign_data_wrapper",
        "foreign data wrapper",
        "array(SELECT unnest(o.fdwoptions) ORDER BY 1)::text",
        "true",
    ),
    (
        "pg_foreign_server",
        "foreign server",
        "concat_ws(' ', o.srvtype, o.srvversion, array(SELECT unnest(o.srvoptions) ORDER BY 1))",
        "true",
    ),
    (
        "pg_language",
        "language",
        "concat_ws(' ', o.lanpltrusted, o.lanplcallfoid::regprocedure)",
        "true",
    ),
    (
        "pg_transform",
        "transform",
        "concat_ws(' ', o.trffromsql, o.trftosql)",
        "true",
    ),
    (
        "pg_conversion",
        "conversion",
        "concat_ws(' ', o.conproc, o.condefault)",
        "true",
    ),
    ("pg_am", "access method", "o.amhandler::text", "true"),
    (
        "pg_default_acl",
        "default privileges",
        "array(SELECT a::text FROM unnest(o.defaclacl) a ORDER BY 1)::text",
        "true",
    ),
    (
        "pg_proc",
        "",
        "CASE WHEN o.prokind = 'a' THEN (SELECT concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggcombinefn, \
         format_type(a.aggtranstype, NULL), a.aggsortop::regoperator, a.agginitval, a.aggfinalmodify, a.aggmtransfn, o.proparallel) \
         FROM pg_aggregate a WHERE a.aggfnoid = o.oid) ELSE pg_get_functiondef(o.oid) END",
        "true",
    ),
    (
        "pg_type",
        "base type",
        "concat_ws(' ', o.typlen, o.typinput, o.typoutput, o.typalign, o.typstorage, o.typcategory)",
        "o.typtype = 'b' AND o.typelem = 0",
    ),
    ("pg_type", "shell type", "''", "NOT o.typisdefined"),
];

/// What `pg_class` holds besides tables, indexes, sequences and composite types, and what tables have besides their parts.
const RELATIONS: &str = "\
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'partition' \
    END, format('%I.%I', n.nspname, c.relname), concat_ws(' ', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, \
    array(SELECT unnest(c.reloptions) ORDER BY 1), pg_get_expr(c.relpartbound, c.oid), (SELECT concat_ws(' ', s.srvname, \
    array(SELECT unnest(f.ftoptions) ORDER BY 1)) FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE \
    f.ftrelid = c.oid), array(SELECT concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
    pg_get_expr(d.adbin, d.adrelid)) FROM pg_attribute a LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, \
    a.attnum) WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname), \
    array(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid ORDER BY 1), array(SELECT o.conname || \
    ' ' || pg_get_constraintdef(o.oid) FROM pg_constraint o WHERE o.conrelid = c.oid ORDER BY 1)) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (c.relkind IN ('v', 'm', 'f') OR c.relispartition AND \
    c.relkind IN ('r', 'p')) AND c.relpersistence <> 't' AND {user} \
    UNION ALL SELECT 'typed table', format('%I.%I', n.nspname, c.relname), format_type(c.reloftype, NULL) FROM pg_class c JOIN \
    pg_namespace n ON n.oid = c.relnamespace WHERE c.reloftype <> 0 AND c.relpersistence <> 't' AND {user} \
    UNION ALL SELECT 'tablespace of', format('%I.%I', n.nspname, c.relname), s.spcname::text FROM pg_class c JOIN pg_namespace n \
    ON n.oid = c.relnamespace JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE c.relpersistence <> 't' AND {user} \
    UNION ALL SELECT 'access method of', format('%I.%I', n.nspname, c.relname), m.amname::text FROM pg_class c JOIN pg_namespace \
    n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam WHERE m.amtype = 't' AND m.amname <> 'heap' AND c.relpersistence \
    <> 't' AND {user} \
    UNION ALL SELECT 'row security', format('%I.%I', n.nspname, c.relname), concat_ws(' ', c.relrowsecurity, \
    c.relforcerowsecurity) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND \
    (c.relrowsecurity OR c.relforcerowsecurity) AND {user} \
    UNION ALL SELECT 'replica identity', format('%I.%I', n.nspname, c.relname), concat_ws(' ', c.relreplident, (SELECT \
    i.indexrelid::regclass FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)) FROM pg_class c JOIN pg_namespace n \
    ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'd' AND {user} \
    UNION ALL SELECT 'clustered index', format('%I.%I', n.nspname, c.relname), '' FROM pg_class c JOIN pg_namespace n ON n.oid = \
    c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid WHERE i.indisclustered AND {user} \
    UNION ALL SELECT 'grants on relation', format('%I.%I', n.nspname, c.relname), array(SELECT a::text FROM unnest(c.relacl) a \
    ORDER BY 1)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relacl IS NOT NULL AND {user} \
    UNION ALL SELECT 'grants on column', format('%I.%I.%I', n.nspname, c.relname, t.attname), array(SELECT a::text FROM \
    unnest(t.attacl) a ORDER BY 1)::text FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = \
    c.relnamespace WHERE t.attacl IS NOT NULL AND {user} \
    UNION ALL SELECT 'grants on schema', n.nspname::text, array(SELECT a::text FROM unnest(n.nspacl) a ORDER BY 1)::text FROM \
    pg_namespace n LEFT JOIN pg_init_privs p ON (p.objoid, p.classoid) = (n.oid, 'pg_namespace'::regclass) WHERE n.nspacl IS NOT \
    NULL AND n.nspacl IS DISTINCT FROM p.initprivs AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    UNION ALL SELECT 'grants on function', p.oid::regprocedure::text, array(SELECT a::text FROM unnest(p.proacl) a ORDER BY \
    1)::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT NULL AND p.oid >= 16384 AND \
    {user proc} \
    UNION ALL SELECT 'grants on type', format_type(t.oid, NULL), array(SELECT a::text FROM unnest(t.typacl) a ORDER BY 1)::text \
    FROM pg_type t WHERE t.typacl IS NOT NULL AND t.oid >= 16384 \
    UNION ALL SELECT 'user mapping', format('%s on server %I', usename, srvname), '' FROM pg_user_mappings \
    UNION ALL SELECT 'subscription', s.subname::text, array_to_string(s.subpublications, ' ') FROM pg_subscription s JOIN pg_database \
    b ON b.oid = s.subdbid WHERE b.datname = current_database() \
    UNION ALL SELECT 'comment on ' || i.type, i.identity, d.description FROM pg_description d, \
    pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE d.objoid >= 16384 AND d.classoid <> ALL \
    ('{pg_namespace,pg_type,pg_collation,pg_extension}'::regclass[]) AND NOT (d.classoid = 'pg_constraint'::regclass AND \
    EXISTS (SELECT FROM pg_constraint o WHERE o.oid = d.objoid AND o.contype NOT IN ('n', 't'))) AND NOT (d.classoid = 'pg_class'::regclass AND \
    i.type NOT LIKE '%view%' AND i.type NOT LIKE '%foreign%') AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid \
    AND e.objid = d.objoid AND e.deptype = 'e')";

/// What every statement leaves out: PostgreSQL's own schemas and what belongs to an extension.
fn user_objects(class: &str, oid: &str) -> String {
    format!(
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = \
         '{class}'::regclass AND e.objid = {oid} AND e.deptype = 'e')"
    )
}

fn sql() -> String {
    let mut acc = RELATIONS
        .replace("{user}", &user_objects("pg_class", "c.oid"))
        .replace("{user proc}", &user_objects("pg_proc", "p.oid"));
    // What is internal to another object came along with it, as a range type's functions and casts do.
    for (catalog, word, definition, condition) in PLAIN {
        let word = if word.is_empty() {
            "i.type".to_owned()
        } else {
            format!("'{word}'")
        };
        acc.push_str(&format!(
            " UNION ALL SELECT {word}, i.identity, {definition} FROM {catalog} o, pg_identify_object('{catalog}'::regclass, \
             o.oid, 0) i WHERE ({condition}) AND o.oid >= 16384 AND coalesce(i.schema, '') !~ '^pg_' AND coalesce(i.schema, '') <> \
             'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass AND e.objid = \
             o.oid AND e.deptype IN ('e', 'i'))"
        ));
    }
    acc
}

impl Unmanaged {
    /// Reads what no kind stands for, in one statement.
    ///
    /// # Errors
    /// [`CatalogError::Query`].
    pub async fn read(conn: &mut PgConnection) -> Result<Self, CatalogError> {
        let failed = |source| CatalogError::Query {
            what: "objects that are not managed",
            source,
        };
        let mut tx = conn.begin_with("BEGIN READ ONLY").await.map_err(failed)?;
        // Nothing is searched, so that every name is printed with its schema.
        let set = "SELECT set_config('search_path', '', true), set_config('jit', 'off', true)";
        sqlx::query(set)
            .persistent(false)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        let query = sqlx::query(AssertSqlSafe(sql())).persistent(false);
        let rows = query.fetch_all(&mut *tx).await.map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        let mut objects = BTreeMap::new();
        for row in rows {
            let definition: Option<String> = row.try_get(2).map_err(failed)?;
            let key = (
                row.try_get(0).map_err(failed)?,
                row.try_get(1).map_err(failed)?,
            );
            objects.insert(key, definition.unwrap_or_default());
        }
        Ok(Self { objects })
    }

    /// The objects as lines: what they are, then their names.
    pub fn lines(&self) -> Vec<String> {
        let mut acc: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        self.objects
            .keys()
            .for_each(|(word, name)| acc.entry(word).or_default().push(name));
        acc.into_iter()
            .map(|(word, names)| format!("{word} {}", names.join(", ")))
            .collect()
    }

    /// What differs between two states, a line each.
    pub fn differences(current: &Self, desired: &Self) -> Vec<String> {
        let mut acc = Vec::new();
        for (key, definition) in &current.objects {
            match desired.objects.get(key) {
                None => acc.push((key, "is not desired")),
                Some(it) if it != definition => acc.push((key, "is defined otherwise")),
                Some(_) => {}
            }
        }
        acc.extend(
            desired
                .objects
                .keys()
                .filter(|it| !current.objects.contains_key(*it))
                .map(|it| (it, "is missing")),
        );
        acc.sort();
        acc.into_iter()
            .map(|((word, name), how)| format!("{word} {name} {how}"))
            .collect()
    }
}
