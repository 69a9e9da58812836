-- Objects of a stranger, mallory, in every schema that anybody may create in: {schemas}. Each of them writes a file into
-- {folder} when a superuser runs it. A file is there whatever becomes of the transaction, and a read-only one may write
-- it too. What calls it says that it is immutable, so that planning alone may call it.
SET search_path = pg_catalog;
SET client_min_messages = error;

CREATE SCHEMA planted;
CREATE FUNCTION planted.hit(what text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('COPY (SELECT %L) TO %L', what, '{folder}/' || md5(what));
    END IF;
    RETURN true;
END $$;

-- Functions: every one that PostgreSQL has under a name that statements about the catalog use, with the same arguments,
-- and with each argument's nearest relatives in its place, so that one of them is the better match.
DO $plant$
DECLARE
    schema text;
    f record;
    arguments text;
    near record;
    nearest text[] := ARRAY['text name', 'text varchar', 'text "char"', 'bigint integer', 'bigint smallint', 'oid regclass',
        'oid integer', 'regclass oid', 'name text', '"char" text', 'double precision numeric'];
BEGIN
    FOREACH schema IN ARRAY '{schemas}'::text[] LOOP
        FOR f IN
            SELECT p.proname, format_type(p.prorettype, NULL) AS result,
                ARRAY(SELECT format_type(a, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u(a, n) ORDER BY n) AS types
            FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
            AND (p.proname ~ '^(pg_get_|pg_.*lock|has_|quote_|to_|set_|current_|array_|json|format|regexp|string_|obj_|acl)'
                OR p.proname IN ('lower', 'upper', 'length', 'md5', 'now', 'clock_timestamp', 'unnest', 'hashtextextended',
                    'split_part', 'substr', 'substring', 'replace', 'concat', 'starts_with', 'gen_random_uuid', 'nextval',
                    'setval', 'getdatabaseencoding', 'pg_char_to_encoding', 'pg_encoding_to_char', 'pg_relation_size',
                    'pg_is_in_recovery', 'pg_my_temp_schema', 'pg_backend_pid', 'pg_cancel_backend', 'pg_export_snapshot',
                    'pg_identify_object', 'pg_has_role', 'date_part', 'extract', 'timezone', 'int4', 'int8', 'text', 'name',
                    'nullif', 'coalesce', 'greatest', 'pg_current_xact_id_if_assigned', 'version', 'like', 'btrim', 'row_to_json',
                    'pg_terminate_backend', 'pg_sleep', 'pg_listening_channels', 'current_schemas', 'to_jsonb', 'abs', 'mod'))
        LOOP
            FOR near IN
                SELECT f.types AS types
                UNION
                SELECT ARRAY(SELECT CASE WHEN t = split_part(pair, ' ', 1) THEN substr(pair, strpos(pair, ' ') + 1) ELSE t END
                    FROM unnest(f.types) WITH ORDINALITY u(t, n) ORDER BY n)
                FROM unnest(nearest) pair
            LOOP
                arguments := array_to_string(near.types, ', ');
                BEGIN
                    EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN PERFORM
                        planted.hit(%L); RETURN NULL; END $f$', schema, f.proname, arguments, f.result,
                        format('function %s.%s(%s)', schema, f.proname, arguments));
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP;
        END LOOP;
    END LOOP;
END $plant$;

-- Operators between the types of the catalog: those that PostgreSQL has, and those that would be nearer.
DO $plant$
DECLARE
    schema text;
    o record;
BEGIN
    FOREACH schema IN ARRAY '{schemas}'::text[] LOOP
        FOR o IN
            WITH types(t) AS (
                SELECT unnest(ARRAY['text', 'name', 'oid', '"char"', 'smallint', 'integer', 'bigint', 'boolean', 'regclass',
                    'character varying', 'text[]', 'name[]', 'oid[]', 'smallint[]', 'int2vector', 'oidvector', 'jsonb',
                    'timestamp with time zone', 'interval', 'double precision', 'numeric', 'aclitem[]', 'pg_node_tree'])
            ), known AS (
                SELECT DISTINCT p.oprname, format_type(p.oprleft, NULL) AS l, format_type(p.oprright, NULL) AS r
                FROM pg_operator p
                WHERE format_type(p.oprleft, NULL) IN (SELECT t FROM types) AND format_type(p.oprright, NULL) IN (SELECT t FROM types)
            ), nearer AS (
                SELECT n AS oprname, a.t AS l, b.t AS r
                FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~~', '!~~', '+', '-', '*', '/', '&', '->>'])
                n, types a, types b
                WHERE a.t IN ('text', 'name', 'oid', '"char"', 'smallint', 'integer', 'bigint', 'regclass', 'character varying')
                AND b.t IN ('text', 'name', 'oid', '"char"', 'smallint', 'integer', 'bigint', 'regclass', 'character varying')
            )
            SELECT oprname, l, r, CASE WHEN oprname IN ('||', '->>') THEN 'text' WHEN oprname IN ('+', '-', '*', '/', '&')
                THEN 'integer' ELSE 'boolean' END AS result
            FROM (SELECT * FROM known UNION SELECT * FROM nearer) every
        LOOP
            BEGIN
                EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN PERFORM
                    planted.hit(%L); RETURN NULL; END $f$', schema, 'operator ' || o.oprname, o.l, o.r, o.result,
                    format('operator %s.%s (%s, %s)', schema, o.oprname, o.l, o.r));
                EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = %I.%I, LEFTARG = %s, RIGHTARG = %s)', schema, o.oprname, schema,
                    'operator ' || o.oprname, o.l, o.r);
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END LOOP;
END $plant$;

-- Aggregates, types with checks, and views in the place of catalogs.
CREATE FUNCTION planted.step(text, anyelement) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM planted.hit('an aggregate');
    RETURN NULL;
END $$;
DO $plant$
DECLARE
    schema text;
    a text;
    t text;
BEGIN
    FOREACH schema IN ARRAY '{schemas}'::text[] LOOP
        FOREACH a IN ARRAY ARRAY['array_agg', 'string_agg', 'count', 'max', 'min', 'bool_or', 'json_agg', 'sum'] LOOP
            FOREACH t IN ARRAY ARRAY['text', 'name', 'oid', 'integer', 'bigint', 'smallint', 'boolean', '"char"'] LOOP
                EXECUTE format('CREATE AGGREGATE %I.%I(%s) (SFUNC = planted.step, STYPE = text)', schema, a, t);
            END LOOP;
        END LOOP;
        FOREACH t IN ARRAY ARRAY['text', 'name', 'oid', 'int2', 'int4', 'int8', 'bool', 'varchar', 'bpchar', 'regclass',
            'regnamespace', 'regtype', 'regprocedure', 'regcollation', 'timestamptz', 'interval', 'float8', 'numeric', 'jsonb',
            'char', 'int2vector', 'aclitem'] LOOP
            EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%I CHECK (planted.hit(%L))', schema, t, t,
                format('type %s.%s', schema, t));
        END LOOP;
        FOR t, a IN
            SELECT c.relname, string_agg(format('c.%I', f.attname), ', ' ORDER BY f.attnum)
            FROM pg_class c JOIN pg_attribute f ON f.attrelid = c.oid
            WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')
            AND f.attnum > 0 AND f.atttypid <> 'anyarray'::regtype AND f.atttypid IS DISTINCT FROM to_regtype('pg_statistic[]')
            GROUP BY c.relname
        LOOP
            EXECUTE format('CREATE VIEW %I.%I AS SELECT %s, planted.hit(%L) AS planted_hit FROM pg_catalog.%I c', schema, t,
                a, format('view %s.%s', schema, t), t);
        END LOOP;
    END LOOP;
END $plant$;
