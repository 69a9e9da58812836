//! The statement that reads what no kind stands for.
//!
//! A definition is a text that only has to be equal where the objects are: names of roles that own something are written
//! `owner`, sets are sorted, and numbers that differ between two databases of the same content are left out.

/// What a catalog of objects is asked for besides their identity.
struct Plain {
    catalog: &'static str,
    /// The word for its objects; empty where the server's own word is taken.
    word: &'static str,
    /// What makes their definition; `o` is the row.
    definition: &'static str,
    /// Which rows are meant.
    condition: &'static str,
}

const fn plain(
    catalog: &'static str,
    word: &'static str,
    definition: &'static str,
    condition: &'static str,
) -> Plain {
    Plain {
        catalog,
        word,
        definition,
        condition,
    }
}

/// The catalogs whose objects have an identity of their own.
const PLAIN: &[Plain] = &[
    plain(
        "pg_extension",
        "extension",
        "concat_ws(' ', o.extversion, (SELECT nspname FROM pg_namespace WHERE oid = o.extnamespace), obj_description(o.oid, \
         'pg_extension'))",
        "o.extname <> 'plpgsql'",
    ),
    plain(
        "pg_trigger",
        "trigger",
        "concat_ws(' ', pg_get_triggerdef(o.oid), o.tgenabled)",
        "NOT o.tgisinternal AND o.tgparentid = 0",
    ),
    plain(
        "pg_rewrite",
        "rule",
        "concat_ws(' ', pg_get_ruledef(o.oid), o.ev_enabled)",
        "o.rulename <> '_RETURN'",
    ),
    plain(
        "pg_policy",
        "policy",
        "concat_ws(' ', o.polcmd, o.polpermissive, array(SELECT pg_get_userbyid(r)::text FROM unnest(o.polroles) r ORDER BY 1), \
         'using', pg_get_expr(o.polqual, o.polrelid), 'check', pg_get_expr(o.polwithcheck, o.polrelid))",
        "true",
    ),
    plain(
        "pg_statistic_ext",
        "statistics",
        "concat_ws(' ', pg_get_statisticsobjdef(o.oid), nullif(o.stxstattarget, -1))",
        "true",
    ),
    plain(
        "pg_event_trigger",
        "event trigger",
        "concat_ws(' ', o.evtevent, o.evtfoid::regprocedure, o.evtenabled, array(SELECT unnest(o.evttags) ORDER BY 1))",
        "true",
    ),
    plain(
        "pg_publication",
        "publication",
        "concat_ws(' ', o.puballtables, o.pubinsert, o.pubupdate, o.pubdelete, o.pubtruncate, o.pubviaroot, \
         to_jsonb(o)->>'pubgencols', {publication})",
        "true",
    ),
    plain(
        "pg_cast",
        "cast",
        "concat_ws(' ', o.castfunc::regprocedure, o.castcontext, o.castmethod)",
        "true",
    ),
    plain(
        "pg_operator",
        "operator",
        "concat_ws(' ', o.oprcode::regprocedure, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest::regproc, \
         o.oprjoin::regproc, o.oprcanmerge, o.oprcanhash)",
        "true",
    ),
    // What a class brings into its family is told with the class, what was added to the family later with the family.
    plain(
        "pg_opclass",
        "operator class",
        "concat_ws(' ', format_type(o.opcintype, NULL), o.opcdefault, format_type(o.opckeytype, NULL), (SELECT i.identity FROM \
         pg_identify_object('pg_opfamily'::regclass, o.opcfamily, 0) i))",
        "true",
    ),
    plain(
        "pg_opfamily",
        "operator family",
        "concat_ws(' ', array(SELECT concat_ws(' ', a.amopstrategy, a.amopopr::regoperator, a.amoppurpose, CASE WHEN \
         a.amopsortfamily <> 0 THEN (SELECT i.identity FROM pg_identify_object('pg_opfamily'::regclass, a.amopsortfamily, 0) i) END) FROM pg_amop a WHERE a.amopfamily = o.oid \
         ORDER BY 1), array(SELECT concat_ws(' ', a.amprocnum, format_type(a.amproclefttype, NULL), \
         format_type(a.amprocrighttype, NULL), a.amproc::regprocedure) FROM pg_amproc a WHERE a.amprocfamily = o.oid ORDER BY 1))",
        "true",
    ),
    plain(
        "pg_ts_config",
        "text search configuration",
        "concat_ws(' ', (SELECT i.identity FROM pg_identify_object('pg_ts_parser'::regclass, o.cfgparser, 0) i), array(SELECT \
         m.maptokentype || ' ' || m.mapseqno || ' ' || m.mapdict::regdictionary FROM pg_ts_config_map m WHERE m.mapcfg = o.oid \
         ORDER BY m.maptokentype, m.mapseqno))",
        "true",
    ),
    plain(
        "pg_ts_dict",
        "text search dictionary",
        "concat_ws(' ', (SELECT i.identity FROM pg_identify_object('pg_ts_template'::regclass, o.dicttemplate, 0) i), \
         o.dictinitoption)",
        "true",
    ),
    plain(
        "pg_ts_parser",
        "text search parser",
        "concat_ws(' ', o.prsstart, o.prstoken, o.prsend, o.prsheadline, o.prslextype)",
        "true",
    ),
    plain(
        "pg_ts_template",
        "text search template",
        "concat_ws(' ', o.tmplinit, o.tmpllexize)",
        "true",
    ),
    plain(
        "pg_foreign_data_wrapper",
        "foreign data wrapper",
        "concat_ws(' ', o.fdwhandler::regprocedure, o.fdwvalidator::regprocedure, array(SELECT \
         unnest(o.fdwoptions) ORDER BY 1))",
        "true",
    ),
    plain(
        "pg_foreign_server",
        "foreign server",
        "concat_ws(' ', (SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid = o.srvfdw), o.srvtype, o.srvversion, \
         array(SELECT unnest(o.srvoptions) ORDER BY 1))",
        "true",
    ),
    plain(
        "pg_language",
        "language",
        "concat_ws(' ', o.lanpltrusted, o.lanplcallfoid::regprocedure, o.laninline::regprocedure, \
         o.lanvalidator::regprocedure)",
        "true",
    ),
    plain(
        "pg_transform",
        "transform",
        "concat_ws(' ', o.trffromsql, o.trftosql)",
        "true",
    ),
    plain(
        "pg_conversion",
        "conversion",
        "concat_ws(' ', o.conproc, o.condefault, o.conforencoding, o.contoencoding)",
        "true",
    ),
    plain(
        "pg_am",
        "access method",
        "concat_ws(' ', o.amhandler, o.amtype)",
        "true",
    ),
    plain(
        "pg_default_acl",
        "default privileges",
        "array(SELECT a::text FROM unnest(o.defaclacl) a ORDER BY 1)::text",
        "true",
    ),
    plain(
        "pg_proc",
        "",
        "CASE WHEN o.prokind = 'a' THEN (SELECT concat_ws(' ', to_jsonb(a) - \
         '{aggfnoid,aggtranstype,aggmtranstype,aggsortop}'::text[], format_type(a.aggtranstype, NULL), \
         format_type(a.aggmtranstype, NULL), a.aggsortop::regoperator, o.proparallel) FROM pg_aggregate a WHERE a.aggfnoid = \
         o.oid) ELSE pg_get_functiondef(o.oid) END",
        "true",
    ),
    plain(
        "pg_type",
        "base type",
        "concat_ws(' ', o.typlen, o.typbyval, o.typinput, o.typoutput, o.typreceive, o.typsend, o.typmodin, o.typmodout, \
         o.typanalyze, o.typalign, o.typstorage, o.typcategory, o.typispreferred, o.typdelim, format_type(nullif(o.typelem, \
         0), NULL), o.typdefault, o.typcollation <> 0, to_jsonb(o)->>'typsubscript')",
        "o.typtype = 'b' AND o.typisdefined AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)",
    ),
    plain("pg_type", "shell type", "''", "NOT o.typisdefined"),
];

/// What a publication holds, by version: row filters, lists of columns and whole schemas came with PostgreSQL 15.
const fn publication(version: u32) -> &'static str {
    if version >= 150_000 {
        "array(SELECT concat_ws(' ', r.prrelid::regclass, pg_get_expr(r.prqual, r.prrelid), (SELECT array_agg(a.attname ORDER \
         BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))) FROM \
         pg_publication_rel r WHERE r.prpubid = o.oid ORDER BY 1), array(SELECT p.pnnspid::regnamespace::text FROM \
         pg_publication_namespace p WHERE p.pnpubid = o.oid ORDER BY 1)"
    } else {
        "array(SELECT r.prrelid::regclass::text FROM pg_publication_rel r WHERE r.prpubid = o.oid ORDER BY 1)"
    }
}

/// The options of a subscription that everybody may read; the connection is not among them.
const fn subscription(version: u32) -> &'static str {
    match version {
        160_000.. => {
            "s.subbinary, s.substream, s.subtwophasestate, s.subdisableonerr, s.subpasswordrequired, s.subrunasowner, \
             s.suborigin, s.subslotname, s.subsynccommit"
        }
        150_000.. => {
            "s.subbinary, s.substream, s.subtwophasestate, s.subdisableonerr, s.subslotname, s.subsynccommit"
        }
        140_000.. => "s.subbinary, s.substream, s.subslotname, s.subsynccommit",
        _ => "''",
    }
}

/// What `pg_class` holds besides tables, indexes, sequences and composite types. A partition is told with what it has beside
/// its parent's columns, constraints and indexes, but for its comments, triggers and policies.
const RELATIONS: &str = "\
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'partition' \
    END, format('%I.%I', n.nspname, c.relname), concat_ws(' ', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, \
    CASE WHEN c.relkind = 'm' THEN c.relispopulated END, c.relpersistence, array(SELECT unnest(c.reloptions) ORDER BY 1), \
    array(SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid ORDER BY 1), pg_get_expr(c.relpartbound, \
    c.oid), pg_get_partkeydef(c.oid), (SELECT concat_ws(' ', s.srvname, array(SELECT unnest(f.ftoptions) ORDER BY 1)) FROM \
    pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid), array_remove(array(SELECT CASE WHEN c.relispartition THEN \
    nullif(concat_ws(' ', a.attname, CASE WHEN a.attnotnull AND NOT p.attnotnull THEN 'not null' END, CASE WHEN \
    pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM pg_get_expr(e.adbin, e.adrelid) THEN concat_ws(' ', 'default', \
    pg_get_expr(d.adbin, d.adrelid)) END, CASE WHEN a.attstorage <> p.attstorage THEN a.attstorage END, CASE WHEN \
    nullif(a.attstattarget, -1) IS DISTINCT FROM nullif(p.attstattarget, -1) THEN coalesce(a.attstattarget, -1) END, CASE WHEN \
    to_jsonb(a)->>'attcompression' <> to_jsonb(p)->>'attcompression' THEN to_jsonb(a)->>'attcompression' END, {options}), \
    a.attname::text) ELSE concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), nullif(a.attcollation, \
    t.typcollation)::regcollation, a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), \
    a.attfdwoptions, {options}, nullif(a.attstattarget, -1), CASE WHEN c.relkind <> 'v' THEN nullif(a.attstorage, t.typstorage) \
    END, to_jsonb(a)->>'attcompression') END FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON \
    (d.adrelid, d.adnum) = (a.attrelid, a.attnum) LEFT JOIN pg_attribute p ON c.relispartition AND p.attname = a.attname AND \
    p.attrelid = (SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = c.oid) LEFT JOIN pg_attrdef e ON (e.adrelid, e.adnum) = \
    (p.attrelid, p.attnum) WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname), NULL), array(SELECT \
    concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid) FROM pg_index i WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT \
    FROM pg_inherits h WHERE h.inhrelid = i.indexrelid) ORDER BY 1), array(SELECT o.conname || ' ' || pg_get_constraintdef(o.oid) \
    FROM pg_constraint o WHERE o.conrelid = c.oid AND (NOT c.relispartition OR o.conislocal AND o.conparentid = 0) ORDER BY 1)) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (c.relkind IN ('v', 'm', 'f') OR c.relispartition AND \
    c.relkind IN ('r', 'p')) AND c.relpersistence <> 't' AND {user}";

/// What tables and indexes have besides their parts. Each is a word, a definition and a condition on `pg_class c`.
const OF_RELATIONS: &[(&str, &str, &str)] = &[
    (
        "typed table",
        "format_type(c.reloftype, NULL)",
        "c.reloftype <> 0",
    ),
    (
        "tablespace of",
        "(SELECT s.spcname::text FROM pg_tablespace s WHERE s.oid = c.reltablespace)",
        "c.reltablespace <> 0",
    ),
    (
        "access method of",
        "(SELECT m.amname::text FROM pg_am m WHERE m.oid = c.relam)",
        "EXISTS (SELECT FROM pg_am m WHERE m.oid = c.relam AND m.amtype = 't' AND m.amname <> 'heap')",
    ),
    (
        "row security",
        "concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity)",
        "c.relkind IN ('r', 'p') AND (c.relrowsecurity OR c.relforcerowsecurity)",
    ),
    (
        "replica identity",
        "concat_ws(' ', c.relreplident, (SELECT i.indexrelid::regclass FROM pg_index i WHERE i.indrelid = c.oid AND \
         i.indisreplident))",
        "c.relkind IN ('r', 'p', 'm') AND c.relreplident <> 'd'",
    ),
    (
        "clustered index",
        "''",
        "EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.oid AND i.indisclustered)",
    ),
    (
        "statistics targets of index",
        "array(SELECT concat_ws(' ', a.attnum, a.attstattarget) FROM pg_attribute a WHERE a.attrelid = c.oid AND \
         nullif(a.attstattarget, -1) IS NOT NULL ORDER BY a.attnum)::text",
        "c.relkind IN ('i', 'I') AND (c.relispartition OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype \
         IN ('p', 'u', 'x')) OR EXISTS (SELECT FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid WHERE x.indexrelid = c.oid \
         AND (t.relispartition OR t.relkind = 'm'))) AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND \
         nullif(a.attstattarget, -1) IS NOT NULL)",
    ),
    (
        "storage parameters of the long values of",
        "(SELECT array(SELECT unnest(t.reloptions) ORDER BY 1)::text FROM pg_class t WHERE t.oid = c.reltoastrelid)",
        "(c.relkind = 'm' OR c.relispartition) AND EXISTS (SELECT FROM pg_class t WHERE t.oid = c.reltoastrelid AND t.reloptions \
         IS NOT NULL)",
    ),
];

/// Where a sort of objects keeps who may do what.
struct Grants {
    word: &'static str,
    identity: &'static str,
    owner: &'static str,
    list: &'static str,
    rows: &'static str,
    /// The letter of `acldefault`.
    letter: &'static str,
    /// Where `pg_init_privs` keeps what `initdb` or an extension granted.
    object: &'static str,
}

const fn grants(
    word: &'static str,
    identity: &'static str,
    (owner, list): (&'static str, &'static str),
    rows: &'static str,
    letter: &'static str,
    object: &'static str,
) -> Grants {
    Grants {
        word,
        identity,
        owner,
        list,
        rows,
        letter,
        object,
    }
}

/// Everything that has a list of rights. What it began with is not told; what `initdb` grants in `information_schema` it
/// does not write down.
const GRANTS: &[Grants] = &[
    grants(
        "relation",
        "format('%I.%I', n.nspname, c.relname)",
        ("c.relowner", "c.relacl"),
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema'",
        "(CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END)::\"char\"",
        "'pg_class'::regclass, c.oid, 0",
    ),
    grants(
        "column",
        "format('%I.%I.%I', n.nspname, c.relname, t.attname)",
        ("c.relowner", "t.attacl"),
        "pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace",
        "'c'",
        "'pg_class'::regclass, c.oid, t.attnum",
    ),
    grants(
        "schema",
        "n.nspname::text",
        ("n.nspowner", "n.nspacl"),
        "(SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname <> 'information_schema') n",
        "'n'",
        "'pg_namespace'::regclass, n.oid, 0",
    ),
    grants(
        "function",
        "p.oid::regprocedure::text",
        ("p.proowner", "p.proacl"),
        "pg_proc p",
        "'f'",
        "'pg_proc'::regclass, p.oid, 0",
    ),
    grants(
        "type",
        "format_type(t.oid, NULL)",
        ("t.typowner", "t.typacl"),
        "pg_type t",
        "'T'",
        "'pg_type'::regclass, t.oid, 0",
    ),
    grants(
        "language",
        "quote_ident(l.lanname)",
        ("l.lanowner", "l.lanacl"),
        "pg_language l",
        "'l'",
        "'pg_language'::regclass, l.oid, 0",
    ),
    grants(
        "foreign data wrapper",
        "quote_ident(w.fdwname)",
        ("w.fdwowner", "w.fdwacl"),
        "pg_foreign_data_wrapper w",
        "'F'",
        "'pg_foreign_data_wrapper'::regclass, w.oid, 0",
    ),
    grants(
        "foreign server",
        "quote_ident(s.srvname)",
        ("s.srvowner", "s.srvacl"),
        "pg_foreign_server s",
        "'S'",
        "'pg_foreign_server'::regclass, s.oid, 0",
    ),
];

/// What is left: mappings, subscriptions, labels, comments, and what the database itself has.
const OTHERS: &str = "\
    SELECT 'user mapping', format('%s on server %I', usename, srvname), array(SELECT unnest(umoptions) ORDER BY 1)::text FROM \
    pg_user_mappings \
    UNION ALL SELECT 'subscription', s.subname::text, concat_ws(' ', s.subenabled, array(SELECT unnest(s.subpublications) ORDER BY \
    1), {subscription}) FROM pg_subscription s JOIN pg_database b ON b.oid = s.subdbid WHERE b.datname = current_database() \
    UNION ALL SELECT 'security label on ' || i.type, i.identity, concat_ws(' ', l.provider, l.label) FROM pg_seclabel l, \
    pg_identify_object(l.classoid, l.objoid, l.objsubid) i \
    UNION ALL SELECT 'comment on ' || i.type, i.identity, d.description FROM pg_description d, \
    pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE d.objoid >= 16384 AND d.classoid <> ALL \
    ('{pg_namespace,pg_collation,pg_extension}'::regclass[]) AND NOT (d.classoid = 'pg_type'::regclass AND EXISTS (SELECT FROM \
    pg_type t WHERE t.oid = d.objoid AND t.typtype IN ('e', 'd', 'r', 'c'))) AND NOT (d.classoid = 'pg_constraint'::regclass AND \
    EXISTS (SELECT FROM pg_constraint o LEFT JOIN pg_class c ON c.oid = o.conrelid WHERE o.oid = d.objoid AND o.contype NOT IN \
    ('n', 't') AND (o.conrelid = 0 OR c.relkind IN ('r', 'p') AND NOT c.relispartition))) AND NOT (d.classoid = \
    'pg_class'::regclass AND EXISTS (SELECT FROM pg_class c LEFT JOIN pg_index x ON x.indexrelid = c.oid LEFT JOIN pg_class t ON \
    t.oid = x.indrelid WHERE c.oid = d.objoid AND c.relkind IN ('r', 'p', 'c', 'S', 'i', 'I') AND NOT c.relispartition AND \
    (t.oid IS NULL OR t.relkind IN ('r', 'p') AND NOT t.relispartition))) AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid \
    = d.classoid AND e.objid = d.objoid AND e.deptype = 'e') \
    UNION ALL SELECT 'switched-off triggers of', format('%I.%I', n.nspname, t.relname), array_agg(DISTINCT k.conname::text ORDER BY \
    k.conname::text)::text FROM pg_trigger g JOIN pg_constraint k ON k.oid = g.tgconstraint JOIN pg_class t ON t.oid = k.conrelid JOIN \
    pg_namespace n ON n.oid = t.relnamespace WHERE g.tgisinternal AND g.tgenabled IN ('D', 'R') AND k.conparentid = 0 GROUP BY 1, 2 \
    UNION ALL SELECT 'comment on the', 'database', d.description FROM pg_shdescription d JOIN pg_database b ON b.oid = d.objoid \
    WHERE d.classoid = 'pg_database'::regclass AND b.datname = current_database() AND d.description NOT LIKE \
    'scratch database of limbeck%' \
    UNION ALL SELECT 'setting of the database', concat_ws(' ', split_part(v, '=', 1), 'for ' || nullif(s.setrole, 0)::regrole), v \
    FROM pg_db_role_setting s JOIN pg_database b ON b.oid = s.setdatabase, unnest(s.setconfig) v WHERE b.datname = \
    current_database() \
    UNION ALL SELECT 'owner of ' || i.type, i.identity, pg_get_userbyid(d.refobjid)::text FROM pg_shdepend d JOIN pg_database b ON \
    b.oid = d.dbid JOIN pg_roles u ON u.rolname = current_user, pg_identify_object(d.classid, d.objid, d.objsubid) i WHERE \
    b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND d.refobjid <> u.oid AND \
    d.objid >= 16384 AND i.type <> 'user mapping' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid \
    = d.objid AND e.deptype = 'e')";

/// The options of a column that are known; a server may keep others for itself.
const COLUMN_OPTIONS: &str = "(SELECT array_agg(x ORDER BY x)::text FROM unnest(a.attoptions) x WHERE split_part(x, '=', 1) IN \
                              ('n_distinct', 'n_distinct_inherited'))";

/// What is left out of relations: PostgreSQL's own schemas and what belongs to an extension.
const USER: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE \
                    e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')";

/// A list of rights without the name of the owner, in an order of its own.
fn rights(owner: &str, list: &str) -> String {
    let role = |it: &str| {
        format!(
            "CASE a.{it} WHEN 0 THEN 'PUBLIC' WHEN {owner} THEN 'owner' ELSE pg_get_userbyid(a.{it})::text END"
        )
    };
    format!(
        "array(SELECT concat_ws(' ', {}, a.privilege_type, a.is_grantable, {}) FROM aclexplode({list}) a ORDER BY 1)",
        role("grantee"),
        role("grantor")
    )
}

/// The statement for a server of this `server_version_num`. Its columns are a word, an identity and a definition.
pub(super) fn statement(version: u32) -> String {
    let mut parts = vec![RELATIONS.to_owned(), OTHERS.to_owned()];
    for (word, definition, condition) in OF_RELATIONS {
        parts.push(format!(
            "SELECT '{word}', format('%I.%I', n.nspname, c.relname), {definition} FROM pg_class c JOIN pg_namespace n ON n.oid = \
             c.relnamespace WHERE {condition} AND c.relpersistence <> 't' AND {{user}}"
        ));
    }
    for it in GRANTS {
        let Grants {
            word,
            identity,
            owner,
            list,
            rows,
            letter,
            object,
        } = it;
        let initial = format!(
            "(SELECT b.initprivs FROM pg_init_privs b WHERE (b.classoid, b.objoid, b.objsubid) = ({object}))"
        );
        let has = rights(owner, list);
        let began = rights(
            owner,
            &format!("coalesce({initial}, acldefault({letter}, {owner}))"),
        );
        parts.push(format!(
            "SELECT 'grants on {word}', {identity}, {has}::text FROM {rows} WHERE {list} IS NOT NULL AND {list} IS DISTINCT FROM \
             {initial} AND {has} <> {began}"
        ));
    }
    // What is internal to another object came along with it, as a range type's functions and casts do.
    for it in PLAIN {
        let Plain {
            catalog,
            word,
            definition,
            condition,
        } = it;
        let word = match *word {
            "" => "i.type".to_owned(),
            word => format!("'{word}'"),
        };
        parts.push(format!(
            "SELECT {word}, i.identity, {definition} FROM {catalog} o, pg_identify_object('{catalog}'::regclass, o.oid, 0) i WHERE \
             ({condition}) AND o.oid >= 16384 AND coalesce(i.schema, '') !~ '^pg_' AND coalesce(i.schema, '') <> \
             'information_schema' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass AND e.objid = \
             o.oid AND e.deptype IN ('e', 'i'))"
        ));
    }
    parts
        .join(" UNION ALL ")
        .replace("{user}", USER)
        .replace("{options}", COLUMN_OPTIONS)
        .replace("{publication}", publication(version))
        .replace("{subscription}", subscription(version))
}
