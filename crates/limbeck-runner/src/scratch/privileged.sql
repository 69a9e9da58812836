SET search_path = pg_catalog, pg_temp;
CREATE TABLE information_schema.limbeck_owners (classid oid, objid oid, owner oid, PRIMARY KEY (classid, objid));
REVOKE ALL ON information_schema.limbeck_owners FROM PUBLIC;
GRANT SELECT ON information_schema.limbeck_owners TO PUBLIC;

-- Runs one statement with the rights of its owner, if that role approves of exactly this statement at this moment: a session
-- of its own holds the advisory lock of the statement's digest. The caller's search path is in force for the statement
-- alone. No event trigger fires, and what the statement makes belongs to the caller afterwards, where the server allows it.
CREATE FUNCTION pg_catalog.limbeck_privileged(statement pg_catalog.text, kind pg_catalog.text) RETURNS pg_catalog.void
LANGUAGE plpgsql SECURITY DEFINER AS $limbeck$
DECLARE
    path pg_catalog.text := pg_catalog.current_setting('search_path');
    triggers pg_catalog.text;
    replication pg_catalog.text;
    always pg_catalog.text[] := '{}';
    caller pg_catalog.name := session_user;
    digest pg_catalog.int8;
    found_name pg_catalog.text;
    item record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    digest := ('x' || substr(encode(sha256(convert_to(statement, 'UTF8')), 'hex'), 1, 16))::bit(64)::int8;
    IF NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND
        l.mode = 'ExclusiveLock' AND l.objsubid = 1 AND ((l.classid::int8 << 32) | l.objid::int8) = digest AND a.usename = current_user)
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'this statement is not approved';
    END IF;
    IF kind NOT IN ('event', 'setting') THEN
        triggers := current_setting('event_triggers', true);
        IF triggers IS NOT NULL THEN
            PERFORM set_config('event_triggers', 'off', true);
        ELSE
            -- Before PostgreSQL 17. Those that fire always, or on replicas, are disabled meanwhile.
            replication := current_setting('session_replication_role');
            PERFORM set_config('session_replication_role', 'replica', true);
            FOR item IN SELECT e.evtname, e.evtenabled FROM pg_event_trigger e WHERE e.evtenabled IN ('A', 'R') LOOP
                EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', item.evtname);
                always := always || format('ALTER EVENT TRIGGER %I ENABLE %s', item.evtname,
                    CASE item.evtenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END);
            END LOOP;
        END IF;
    END IF;
    IF kind = 'script' THEN
        -- The script of an extension looks names up in schemas in which the caller may have made something.
        SELECT 'function ' || p.oid::regprocedure::text INTO found_name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE p.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND EXISTS (SELECT FROM pg_proc b
            WHERE b.proname = p.proname AND b.pronamespace = 'pg_catalog'::regnamespace AND b.oid < 16384) AND NOT EXISTS (SELECT
            FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')) LIMIT 1;
        IF found_name IS NULL THEN
            SELECT 'operator ' || o.oid::regoperator::text INTO found_name FROM pg_operator o JOIN pg_namespace n ON n.oid =
                o.oprnamespace WHERE o.oid >= 16384 AND n.nspname !~ '^pg_' AND EXISTS (SELECT FROM pg_operator b WHERE b.oprname =
                o.oprname AND b.oprnamespace = 'pg_catalog'::regnamespace) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid
                = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e') LIMIT 1;
        END IF;
        IF found_name IS NOT NULL THEN
            RAISE insufficient_privilege USING MESSAGE = format('%s has the name of one of PostgreSQL''s own, which the script of '
                'an extension would call instead; create the extension first', found_name);
        END IF;
    END IF;
    PERFORM set_config('search_path', path, true);
    EXECUTE statement;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF kind IN ('code', 'wrapper') THEN
        found_name := limbeck_unsafe();
        IF found_name IS NOT NULL THEN
            RAISE insufficient_privilege USING MESSAGE = found_name;
        END IF;
    END IF;
    FOR item IN SELECT o.classid, o.objid, o.owner, o.word, (pg_identify_object(o.classid, o.objid, 0)).identity FROM
        limbeck_owned() o WHERE o.owner <> quote_ident(caller)::regrole ORDER BY o.word = 'SEQUENCE' LOOP
        BEGIN
            EXECUTE format('ALTER %s %s OWNER TO %I', item.word, item.identity, caller);
        EXCEPTION WHEN OTHERS THEN
            -- Some objects belong to a superuser or to nobody.
            CONTINUE;
        END;
        IF item.owner = quote_ident(current_user)::regrole THEN
            DELETE FROM information_schema.limbeck_owners w WHERE (w.classid, w.objid) = (item.classid, item.objid);
        ELSE
            INSERT INTO information_schema.limbeck_owners VALUES (item.classid, item.objid, item.owner)
                ON CONFLICT (classid, objid) DO UPDATE SET owner = excluded.owner;
        END IF;
    END LOOP;
    FOREACH found_name IN ARRAY always LOOP
        EXECUTE found_name;
    END LOOP;
    IF replication IS NOT NULL THEN
        PERFORM set_config('session_replication_role', replication, true);
    END IF;
    IF triggers IS NOT NULL THEN
        PERFORM set_config('event_triggers', triggers, true);
    END IF;
    PERFORM pg_catalog.set_config('search_path', path, true);
END
$limbeck$;

-- What has an owner that can be changed, with the word of its ALTER. Objects of extensions and functions in machine code
-- keep theirs.
CREATE FUNCTION pg_catalog.limbeck_owned(OUT classid oid, OUT objid oid, OUT owner oid, OUT word text) RETURNS SETOF record
LANGUAGE sql STABLE AS $limbeck$
    SELECT o.classid, o.objid, o.owner, o.word FROM (
        SELECT 'pg_class'::regclass::oid, c.oid, c.relowner, c.relnamespace, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN
            'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END FROM pg_class c WHERE
            c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner, t.typnamespace, 'TYPE' FROM pg_type t LEFT JOIN pg_class c ON
            c.oid = t.typrelid WHERE coalesce(c.relkind, 'c') = 'c' AND t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e
            WHERE e.typarray = t.oid)
        UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.proowner, p.pronamespace, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a'
            THEN 'AGGREGATE' ELSE 'FUNCTION' END FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname NOT IN
            ('internal', 'c') OR p.prokind = 'a'
        UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner, 0, 'SCHEMA' FROM pg_namespace n
        UNION ALL SELECT 'pg_operator'::regclass, o.oid, o.oprowner, o.oprnamespace, 'OPERATOR' FROM pg_operator o
        UNION ALL SELECT 'pg_opclass'::regclass, o.oid, o.opcowner, o.opcnamespace, 'OPERATOR CLASS' FROM pg_opclass o
        UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, o.opfowner, o.opfnamespace, 'OPERATOR FAMILY' FROM pg_opfamily o
        UNION ALL SELECT 'pg_foreign_server'::regclass, s.oid, s.srvowner, 0, 'SERVER' FROM pg_foreign_server s
        UNION ALL SELECT 'pg_collation'::regclass, c.oid, c.collowner, c.collnamespace, 'COLLATION' FROM pg_collation c
        UNION ALL SELECT 'pg_conversion'::regclass, c.oid, c.conowner, c.connamespace, 'CONVERSION' FROM pg_conversion c
        UNION ALL SELECT 'pg_ts_config'::regclass, c.oid, c.cfgowner, c.cfgnamespace, 'TEXT SEARCH CONFIGURATION' FROM pg_ts_config c
        UNION ALL SELECT 'pg_ts_dict'::regclass, d.oid, d.dictowner, d.dictnamespace, 'TEXT SEARCH DICTIONARY' FROM pg_ts_dict d
        UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxowner, s.stxnamespace, 'STATISTICS' FROM pg_statistic_ext s
        UNION ALL SELECT 'pg_publication'::regclass, p.oid, p.pubowner, 0, 'PUBLICATION' FROM pg_publication p
    ) o(classid, objid, owner, namespace, word) LEFT JOIN pg_namespace n ON n.oid = o.namespace WHERE (o.objid >= 16384 OR o.word =
        'SCHEMA' AND o.objid = 2200) AND coalesce(n.nspname, '') !~ '^pg_' AND coalesce(n.nspname, '') <> 'information_schema' AND
        NOT (o.word = 'SCHEMA' AND EXISTS (SELECT FROM pg_namespace p WHERE p.oid = o.objid AND (p.nspname ~ '^pg_' OR p.nspowner =
        (SELECT r.oid FROM pg_roles r WHERE r.rolname = 'pg_database_owner')))) AND NOT EXISTS (SELECT FROM pg_depend d WHERE
        d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'e')
$limbeck$;

-- What of the caller's could run machine code that does not fit its arguments, or the caller's own code with more rights. Null
-- where there is nothing.
CREATE FUNCTION pg_catalog.limbeck_unsafe() RETURNS text LANGUAGE sql STABLE AS $limbeck$
    WITH own_proc AS (
        SELECT p.* FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid >= 16384 AND p.prokind = 'f' AND l.lanname =
            'internal' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND
            d.deptype = 'e')
    ), own_type AS (
        SELECT t.* FROM pg_type t WHERE t.oid >= 16384 AND (t.typtype = 'b' OR NOT t.typisdefined) AND NOT EXISTS (SELECT FROM
            pg_type e WHERE e.typarray = t.oid) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND
            d.objid = t.oid AND d.deptype = 'e')
    ), model AS (
        -- The types of PostgreSQL whose values an own type has: all its functions are those of the model.
        SELECT t.oid AS own, m.oid AS model FROM own_type t JOIN pg_type m ON m.oid < 16384 AND m.typtype = 'b' AND m.typelem = 0
            WHERE (NOT t.typisdefined OR (t.typlen, t.typbyval, t.typalign, t.typelem, t.typanalyze::oid) = (m.typlen, m.typbyval,
            m.typalign, m.typelem, m.typanalyze::oid) AND to_jsonb(t)->>'typsubscript' IS NOT DISTINCT FROM
            to_jsonb(m)->>'typsubscript') AND NOT EXISTS (SELECT FROM own_proc p WHERE (p.prorettype = t.oid OR t.oid = ANY
            (p.proargtypes)) AND NOT EXISTS (SELECT FROM pg_proc b WHERE b.oid < 16384 AND b.prosrc = p.prosrc AND b.prolang =
            p.prolang AND (CASE p.prorettype WHEN t.oid THEN m.oid ELSE p.prorettype END) = b.prorettype AND
            array_replace(string_to_array(p.proargtypes::text, ' ')::oid[], t.oid, m.oid) = string_to_array(b.proargtypes::text,
            ' ')::oid[]))
    ), fit AS (
        SELECT p.oid FROM own_proc p JOIN pg_proc b ON b.oid < 16384 AND b.prosrc = p.prosrc AND b.prolang = p.prolang AND b.proacl
            IS NULL AND b.prokind = 'f' AND b.proisstrict = p.proisstrict AND b.proretset = p.proretset AND b.pronargs = p.pronargs
            AND p.provariadic = 0 AND p.proargmodes IS NULL AND (b.prorettype = p.prorettype OR EXISTS (SELECT FROM model m WHERE
            (m.own, m.model) = (p.prorettype, b.prorettype))) AND NOT EXISTS (SELECT FROM generate_series(0, p.pronargs - 1) i
            WHERE p.proargtypes[i] <> b.proargtypes[i] AND NOT EXISTS (SELECT FROM model m WHERE (m.own, m.model) =
            (p.proargtypes[i], b.proargtypes[i])))
    ), reason AS (
        SELECT format('function %s does not have the arguments and the result of PostgreSQL''s own function %s', p.oid::regprocedure,
            p.prosrc) AS text FROM own_proc p WHERE p.oid NOT IN (SELECT f.oid FROM fit f)
        UNION ALL SELECT format('type %s is not stored as the type of PostgreSQL whose functions it has', format_type(t.oid, NULL))
            FROM own_type t WHERE t.typisdefined AND NOT EXISTS (SELECT FROM model m WHERE m.own = t.oid)
        UNION ALL SELECT format('the cast from %s to %s takes values for those of another type', format_type(c.castsource, NULL),
            format_type(c.casttarget, NULL)) FROM pg_cast c WHERE c.oid >= 16384 AND c.castmethod = 'b' AND NOT EXISTS (SELECT FROM
            pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'e') AND NOT EXISTS (SELECT FROM
            model m WHERE (m.own, m.model) IN ((c.castsource, c.casttarget), (c.casttarget, c.castsource))) AND NOT EXISTS (SELECT
            FROM model m JOIN model o ON o.model = m.model WHERE (m.own, o.own) = (c.castsource, c.casttarget))
        UNION ALL SELECT format('operator class %I uses the function %s for another type or access method than PostgreSQL does',
            o.opcname, a.amproc::regprocedure) FROM pg_opclass o JOIN pg_amproc a ON a.amprocfamily = o.opcfamily JOIN pg_proc p ON
            p.oid = a.amproc WHERE o.oid >= 16384 AND 'internal'::regtype = ANY (p.proargtypes) AND NOT EXISTS (SELECT FROM
            pg_depend d WHERE d.classid = 'pg_opclass'::regclass AND d.objid = o.oid AND d.deptype = 'e') AND NOT EXISTS (SELECT
            FROM pg_opclass b JOIN pg_amproc c ON c.amprocfamily = b.opcfamily WHERE b.oid < 16384 AND b.opcmethod = o.opcmethod
            AND b.opckeytype = o.opckeytype AND b.opcintype = o.opcintype AND (c.amprocnum, c.amproc) = (a.amprocnum, a.amproc) AND
            c.amproclefttype = a.amproclefttype AND NOT EXISTS (SELECT FROM pg_amproc x JOIN pg_proc y ON y.oid = x.amproc WHERE
            x.amprocfamily = o.opcfamily AND 'internal'::regtype = ANY (y.proargtypes) AND NOT EXISTS (SELECT FROM pg_amproc z
            WHERE z.amprocfamily = b.opcfamily AND (z.amprocnum, z.amproc) = (x.amprocnum, x.amproc))))
        UNION ALL SELECT format('the validator of foreign data wrapper %I is a function that anybody could have written', w.fdwname)
            FROM pg_foreign_data_wrapper w JOIN pg_proc p ON p.oid = w.fdwvalidator JOIN pg_language l ON l.oid = p.prolang WHERE
            l.lanname NOT IN ('internal', 'c')
        UNION ALL SELECT format('text search template %I is made of functions that do not belong together', t.tmplname) FROM
            pg_ts_template t WHERE t.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid =
            'pg_ts_template'::regclass AND d.objid = t.oid AND d.deptype = 'e') AND NOT EXISTS (SELECT FROM pg_ts_template b WHERE
            b.oid < 16384 AND (b.tmplinit::oid, b.tmpllexize::oid) = (t.tmplinit::oid, t.tmpllexize::oid))
        UNION ALL SELECT format('text search parser %I is made of functions that do not belong together', t.prsname) FROM
            pg_ts_parser t WHERE t.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid =
            'pg_ts_parser'::regclass AND d.objid = t.oid AND d.deptype = 'e') AND NOT EXISTS (SELECT FROM pg_ts_parser b WHERE b.oid
            < 16384 AND (b.prsstart::oid, b.prstoken::oid, b.prsend::oid, b.prsheadline::oid, b.prslextype::oid) =
            (t.prsstart::oid, t.prstoken::oid, t.prsend::oid, t.prsheadline::oid, t.prslextype::oid))
    ) SELECT min(r.text) FROM reason r
$limbeck$;

REVOKE ALL ON FUNCTION pg_catalog.limbeck_owned(), pg_catalog.limbeck_unsafe() FROM PUBLIC;
