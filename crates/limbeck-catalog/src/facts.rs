//! What a server says of changes before they are planned: tried on temporary tables of one column, which are rolled back,
//! and read from its catalog. Nothing of the database itself is touched, and no function of it is called.

use std::collections::{BTreeMap, BTreeSet};

use limbeck_schema::facts::{Coercion, Facts, Held, Holder, Recast, Typed, Using};
use limbeck_schema::kinds::questions;
use limbeck_schema::{Desired, Expr, Ident, Key, Name, Op, Role, SqlType};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use crate::{Catalog, CatalogError};

/// The temporary table on which changes are tried.
const TABLE: &str = "pg_temp.limbeck_fact";

/// The same table as it is built from nothing.
const FRESH: &str = "pg_temp.limbeck_fresh";

/// Reads what a plan of these operations has to know.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn read_facts(
    conn: &mut PgConnection,
    catalog: &Catalog,
    desired: &Desired,
    ops: &[Op],
) -> Result<Facts, CatalogError> {
    let asked = questions(ops, &catalog.schema, &desired.schema);
    let mut facts = Facts::default();
    let failed = |source| CatalogError::Query {
        what: "what a change comes to",
        source,
    };
    if asked.holders {
        read_holders(conn, &catalog.default_schema, &mut facts)
            .await
            .map_err(failed)?;
    }
    let mut defaults = asked.defaults.clone();
    let is_idle = asked.coercions.is_empty() && asked.recasts.is_empty() && defaults.is_empty();
    // A standby, or a role that may not make temporary tables, tries nothing: then the plan goes by known rules.
    if !is_idle && let Some(mut trial) = Trial::begin(conn).await {
        for (from, to) in &asked.coercions {
            if let Some(how) = trial.coercion(from, to).await.map_err(failed)? {
                facts.coerces(from.clone(), to.clone(), how);
            }
        }
        for it in trial.volatile(&defaults).await.map_err(failed)? {
            let (question, volatile) = it;
            defaults.remove(&question);
            facts.is_volatile(question.0, question.1, volatile);
        }
        for it in &asked.recasts {
            for back in [false, true] {
                for key in trial.recast(it, back).await.map_err(failed)? {
                    facts.recasts(key, back);
                }
            }
        }
        trial.end().await;
    } else {
        for it in asked.recasts.iter().flat_map(|it| &it.expressions) {
            facts.recasts(it.key.clone(), false);
            facts.recasts(it.key.clone(), true);
        }
    }
    if !defaults.is_empty() {
        by_name(conn, defaults, &mut facts).await.map_err(failed)?;
    }
    if !asked.domains.is_empty() {
        domains(conn, &asked.domains, &mut facts)
            .await
            .map_err(failed)?;
    }
    Ok(facts)
}

/// A transaction that is rolled back.
struct Trial<'a> {
    conn: &'a mut PgConnection,
}

/// A statement that the server refused, by its SQLSTATE.
struct Refused(String);

impl<'a> Trial<'a> {
    async fn begin(conn: &'a mut PgConnection) -> Option<Self> {
        conn.execute("BEGIN READ WRITE").await.ok()?;
        let mut it = Self { conn };
        let probe = format!("CREATE TEMPORARY TABLE {TABLE} () ON COMMIT DROP");
        match it.attempt(&probe).await {
            Ok(Ok(_)) => Some(it),
            _ => {
                it.end().await;
                None
            }
        }
    }

    async fn end(self) {
        // Nothing was to stay; if the connection is gone, nothing did.
        let _ = self.conn.execute("ROLLBACK").await;
    }

    /// Runs statements, gives the rows of them, and undoes them.
    async fn attempt(&mut self, sql: &str) -> Result<Result<Vec<PgRow>, Refused>, sqlx::Error> {
        let sql = format!("SAVEPOINT limbeck_fact; {sql}");
        let done = self.conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await;
        let done = match done {
            Ok(rows) => Ok(rows),
            Err(sqlx::Error::Database(it)) => {
                Err(Refused(it.code().unwrap_or_default().into_owned()))
            }
            Err(error) => return Err(error),
        };
        self.conn.execute("ROLLBACK TO limbeck_fact").await?;
        Ok(done)
    }

    /// What it takes to come from one type to another; `None` where one of them is not there.
    async fn coercion(
        &mut self,
        from: &Typed,
        to: &Typed,
    ) -> Result<Option<Coercion>, sqlx::Error> {
        /// `datatype_mismatch`: there is no cast that is applied by itself.
        const MISMATCH: &str = "42804";
        let mut way = Using::Nothing;
        // A type without an order has no index of the plain sort.
        let mut index = true;
        loop {
            let using = match way {
                Using::Nothing => String::new(),
                Using::Cast => format!(" USING c::{}", to.0),
                Using::Detour => " USING NULL".to_owned(),
            };
            let build = if index {
                format!("CREATE INDEX ON {TABLE} (c); ")
            } else {
                String::new()
            };
            // What is new has its own number for a file name, and keeps it unless it is written anew. An index is
            // always made anew, with the old one's file where that can stay.
            let sql = format!(
                "CREATE TEMPORARY TABLE {TABLE} (c {}) ON COMMIT DROP; {build}ALTER TABLE {TABLE} ALTER COLUMN c TYPE {}{using}; \
                 SELECT t.relfilenode OPERATOR(pg_catalog.<>) t.oid, coalesce(i.relfilenode OPERATOR(pg_catalog.=) i.oid, true) \
                 FROM pg_catalog.pg_class t LEFT JOIN pg_catalog.pg_index x ON x.indrelid OPERATOR(pg_catalog.=) t.oid LEFT JOIN \
                 pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) x.indexrelid WHERE t.oid OPERATOR(pg_catalog.=) \
                 '{TABLE}'::pg_catalog.regclass",
                typed(from),
                typed(to)
            );
            match self.attempt(&sql).await? {
                Ok(rows) => {
                    let Some(row) = rows.last() else {
                        return Ok(None);
                    };
                    return Ok(Some(Coercion {
                        using: way,
                        rewrites: way == Using::Detour || row.try_get(0)?,
                        reindexes: row.try_get(1)?,
                    }));
                }
                Err(Refused(code)) => match way {
                    Using::Nothing if code == MISMATCH => way = Using::Cast,
                    _ if index => index = false,
                    Using::Nothing => return Ok(None),
                    Using::Cast => way = Using::Detour,
                    Using::Detour => return Ok(None),
                },
            }
        }
    }

    /// Whether defaults are volatile, of those that the server can read as things stand: PostgreSQL looks at the functions
    /// in the expression (`contain_volatile_functions`), and so does this. A function in SQL counts as it is declared, although
    /// PostgreSQL may put its body in its place first: to find that out it would have to be planned, which calls functions.
    async fn volatile(
        &mut self,
        defaults: &BTreeSet<(SqlType, Expr)>,
    ) -> Result<Vec<((SqlType, Expr), bool)>, sqlx::Error> {
        /// Columns in one table, far below the limit.
        const AT_ONCE: usize = 300;
        let all: Vec<&(SqlType, Expr)> = defaults.iter().collect();
        let mut todo: Vec<&[&(SqlType, Expr)]> = all.chunks(AT_ONCE).collect();
        let mut acc = Vec::new();
        while let Some(some) = todo.pop() {
            let columns: Vec<String> = some
                .iter()
                .enumerate()
                .map(|(at, (ty, default))| format!("c{at} {ty} DEFAULT ({default}\n)"))
                .collect();
            let sql = format!(
                "CREATE TEMPORARY TABLE {TABLE} ({}) ON COMMIT DROP; {VOLATILE}",
                columns.join(", ")
            );
            match self.attempt(&sql).await? {
                Ok(rows) => {
                    let volatile: BTreeMap<usize, bool> = rows
                        .iter()
                        .map(|row| {
                            let number: i16 = row.try_get(0)?;
                            let at = usize::try_from(number - 1).unwrap_or_default();
                            Ok((at, row.try_get(1)?))
                        })
                        .collect::<Result<_, sqlx::Error>>()?;
                    // A default that is null leaves no expression behind.
                    let told = some.iter().enumerate().map(|(at, it)| {
                        (
                            (*it).clone(),
                            volatile.get(&at).copied().unwrap_or_default(),
                        )
                    });
                    acc.extend(told);
                }
                Err(_) if some.len() > 1 => {
                    let (left, right) = some.split_at(some.len() / 2);
                    todo.extend([left, right]);
                }
                Err(_) => {}
            }
        }
        Ok(acc)
    }

    /// The objects whose expressions would not be as they shall be after their columns have changed their types one by
    /// one: PostgreSQL reads the text of each again then, with the casts that it has added before.
    async fn recast(&mut self, it: &Recast, back: bool) -> Result<BTreeSet<Key>, sqlx::Error> {
        let (before, after) = if back {
            (&it.after, &it.before)
        } else {
            (&it.before, &it.after)
        };
        let body = |columns: &[(Ident, SqlType, Option<Name>)], is_after: bool| {
            let columns = columns.iter().map(|(name, ty, collation)| {
                format!("{name} {}", typed(&(ty.clone(), collation.clone())))
            });
            let checks = it.expressions.iter().enumerate().map(|(at, one)| {
                let expr = if is_after == back {
                    &one.before
                } else {
                    &one.after
                };
                match one.role {
                    Role::Value => format!("CONSTRAINT l{at} CHECK (({expr}\n) IS NOT NULL)"),
                    _ => format!("CONSTRAINT l{at} CHECK ({expr}\n)"),
                }
            });
            columns.chain(checks).collect::<Vec<_>>().join(", ")
        };
        let alters = it.columns.iter().filter_map(|name| {
            let (_, ty, collation) = after.iter().find(|(it, ..)| it == name)?;
            let ty = typed(&(ty.clone(), collation.clone()));
            Some(format!(
                "ALTER TABLE {TABLE} ALTER COLUMN {name} TYPE {ty} USING NULL; "
            ))
        });
        let sql = format!(
            "CREATE TEMPORARY TABLE {TABLE} ({}) ON COMMIT DROP; {}CREATE TEMPORARY TABLE {FRESH} ({}) ON COMMIT DROP; SELECT \
             pg_catalog.substr(o.conname::pg_catalog.text, 2)::pg_catalog.int4 FROM pg_catalog.pg_constraint o JOIN \
             pg_catalog.pg_constraint f ON f.conname OPERATOR(pg_catalog.=) o.conname WHERE o.conrelid OPERATOR(pg_catalog.=) \
             '{TABLE}'::pg_catalog.regclass AND f.conrelid OPERATOR(pg_catalog.=) '{FRESH}'::pg_catalog.regclass AND o.contype \
             OPERATOR(pg_catalog.=) 'c' AND pg_catalog.pg_get_expr(o.conbin, o.conrelid) OPERATOR(pg_catalog.<>) \
             pg_catalog.pg_get_expr(f.conbin, f.conrelid)",
            body(before, false),
            alters.collect::<String>(),
            body(after, true)
        );
        Ok(match self.attempt(&sql).await? {
            // Where it cannot be tried, building anew is right in any case.
            Err(_) => it.expressions.iter().map(|it| it.key.clone()).collect(),
            Ok(rows) => {
                let mut acc = BTreeSet::new();
                for row in rows {
                    let at: i32 = row.try_get(0)?;
                    let at = usize::try_from(at).unwrap_or_default();
                    acc.extend(it.expressions.get(at).map(|it| it.key.clone()));
                }
                acc
            }
        })
    }
}

/// The volatile functions of the defaults of the table on trial. A stored expression says each function that it calls,
/// and those behind operators; conversions through text call the functions that read and write the types.
const VOLATILE: &str = "\
    SELECT d.adnum, d.adbin::pg_catalog.text OPERATOR(pg_catalog.~) '\\{NEXTVALUEEXPR' OR EXISTS (SELECT FROM \
    pg_catalog.regexp_matches(d.adbin::pg_catalog.text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m(found) JOIN \
    pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) m.found[1]::pg_catalog.oid WHERE p.provolatile OPERATOR(pg_catalog.=) 'v') \
    OR d.adbin::pg_catalog.text OPERATOR(pg_catalog.~) '\\{COERCEVIAIO' AND EXISTS (SELECT FROM \
    pg_catalog.regexp_matches(d.adbin::pg_catalog.text, ':resulttype ([0-9]+)', 'g') AS m(found) JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) m.found[1]::pg_catalog.oid JOIN \
    pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.typinput::pg_catalog.oid WHERE p.provolatile OPERATOR(pg_catalog.=) 'v') \
    FROM pg_catalog.pg_attrdef d WHERE d.adrelid OPERATOR(pg_catalog.=) 'pg_temp.limbeck_fact'::pg_catalog.regclass";

fn typed((ty, collation): &Typed) -> String {
    match collation {
        None => ty.to_string(),
        Some(it) => format!("{ty} COLLATE {it}"),
    }
}

/// Defaults that cannot be read yet are volatile if they name a function that is.
async fn by_name(
    conn: &mut PgConnection,
    defaults: BTreeSet<(SqlType, Expr)>,
    facts: &mut Facts,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "SELECT DISTINCT p.proname::pg_catalog.text FROM pg_catalog.pg_proc p WHERE p.provolatile \
                       OPERATOR(pg_catalog.=) 'v' AND p.proname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1)";
    let words = |it: &Expr| it.words().into_iter().map(|it| it.as_str().to_owned());
    let all: BTreeSet<String> = defaults.iter().flat_map(|(_, it)| words(it)).collect();
    let all: Vec<String> = all.into_iter().collect();
    let names: Vec<String> = sqlx::query_scalar(SQL)
        .persistent(false)
        .bind(&all)
        .fetch_all(conn)
        .await?;
    for (ty, default) in defaults {
        let volatile = words(&default).any(|it| names.contains(&it));
        facts.is_volatile(ty, default, volatile);
    }
    Ok(())
}

/// Which types are domains with constraints, their own or those of a domain below.
async fn domains(
    conn: &mut PgConnection,
    types: &BTreeSet<SqlType>,
    facts: &mut Facts,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "\
        WITH RECURSIVE d AS (SELECT x.name, t.oid, t.typtype, t.typbasetype, t.typnotnull FROM \
        pg_catalog.unnest($1::pg_catalog.text[]) AS x(name) JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) \
        pg_catalog.to_regtype(x.name)::pg_catalog.oid UNION ALL SELECT d.name, t.oid, t.typtype, t.typbasetype, t.typnotnull FROM d \
        JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) d.typbasetype WHERE d.typtype OPERATOR(pg_catalog.=) 'd') SELECT \
        DISTINCT d.name FROM d WHERE d.typtype OPERATOR(pg_catalog.=) 'd' AND (d.typnotnull OR EXISTS (SELECT FROM \
        pg_catalog.pg_constraint o WHERE o.contypid OPERATOR(pg_catalog.=) d.oid))";
    let names: Vec<String> = types.iter().map(SqlType::base).collect();
    let found: Vec<String> = sqlx::query_scalar(SQL)
        .persistent(false)
        .bind(&names)
        .fetch_all(conn)
        .await?;
    for ty in types {
        facts.is_constrained(ty.clone(), found.contains(&ty.base()));
    }
    Ok(())
}

/// What no kind stands for and holds on to something that a kind stands for (`pg_depend`, `refobjsubid` for columns), so
/// that the server refuses to drop it, or to give a column another type (`RememberAllDependentForRebuilding`). Arrays and
/// multiranges hold on to what they are made of; what belongs to an extension is told with the extension.
const HOLDERS: &str = "\
    SELECT CASE WHEN e.refobjsubid OPERATOR(pg_catalog.<>) 0 THEN 'column' ELSE e.space END, e.schema::pg_catalog.text, \
    e.name::pg_catalog.text, coalesce(e.part, a.attname)::pg_catalog.text, i.type OPERATOR(pg_catalog.||) ' ' \
    OPERATOR(pg_catalog.||) i.identity, coalesce(e.relation OPERATOR(pg_catalog.=) coalesce(g.tgrelid, y.polrelid, r.ev_class, \
    b.prrelid), false) FROM (\
    SELECT d.*, 'relation' AS space, n.nspname AS schema, c.relname AS name, NULL::pg_catalog.name AS part, c.oid AS relation FROM \
    pg_catalog.pg_depend d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.refobjid AND NOT c.relispartition JOIN \
    pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE d.refclassid OPERATOR(pg_catalog.=) \
    'pg_catalog.pg_class'::pg_catalog.regclass AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,S}'::pg_catalog.\"char\"[]) \
    UNION ALL SELECT d.*, 'type', n.nspname, t.typname, NULL, t.typrelid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type u ON \
    u.oid OPERATOR(pg_catalog.=) d.refobjid LEFT JOIN pg_catalog.pg_range m ON pg_catalog.to_jsonb(m) OPERATOR(pg_catalog.->>) \
    'rngmultitypid' OPERATOR(pg_catalog.=) u.oid::pg_catalog.text JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) \
    coalesce(m.rngtypid, CASE WHEN u.typcategory OPERATOR(pg_catalog.=) 'A' AND u.typelem OPERATOR(pg_catalog.<>) 0 THEN u.typelem \
    ELSE u.oid END) JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace WHERE d.refclassid \
    OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass \
    UNION ALL SELECT d.*, 'constraint', n.nspname, c.relname, o.conname, c.oid FROM pg_catalog.pg_depend d JOIN \
    pg_catalog.pg_constraint o ON o.oid OPERATOR(pg_catalog.=) d.refobjid JOIN pg_catalog.pg_class c ON c.oid \
    OPERATOR(pg_catalog.=) o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE \
    d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
    UNION ALL SELECT d.*, 'collation', n.nspname, l.collname, NULL, NULL FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_collation l \
    ON l.oid OPERATOR(pg_catalog.=) d.refobjid JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) l.collnamespace WHERE \
    d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_collation'::pg_catalog.regclass \
    UNION ALL SELECT d.*, 'schema', NULL, n.nspname, NULL, NULL FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid \
    OPERATOR(pg_catalog.=) d.refobjid WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass) e \
    LEFT JOIN pg_catalog.pg_attribute a ON e.refobjsubid OPERATOR(pg_catalog.<>) 0 AND a.attrelid OPERATOR(pg_catalog.=) e.refobjid \
    AND a.attnum OPERATOR(pg_catalog.=) e.refobjsubid \
    LEFT JOIN pg_catalog.pg_rewrite r ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid \
    OPERATOR(pg_catalog.=) e.objid \
    LEFT JOIN pg_catalog.pg_trigger g ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass AND g.oid \
    OPERATOR(pg_catalog.=) e.objid \
    LEFT JOIN pg_catalog.pg_policy y ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_policy'::pg_catalog.regclass AND y.oid \
    OPERATOR(pg_catalog.=) e.objid \
    LEFT JOIN pg_catalog.pg_publication_rel b ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_publication_rel'::pg_catalog.regclass \
    AND b.oid OPERATOR(pg_catalog.=) e.objid \
    LEFT JOIN pg_catalog.pg_class k ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass AND k.oid \
    OPERATOR(pg_catalog.=) e.objid \
    LEFT JOIN pg_catalog.pg_type w ON e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass AND w.oid \
    OPERATOR(pg_catalog.=) e.objid, \
    pg_catalog.pg_identify_object(CASE WHEN r.rulename OPERATOR(pg_catalog.=) '_RETURN' THEN \
    'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid ELSE e.classid END, CASE WHEN r.rulename OPERATOR(pg_catalog.=) \
    '_RETURN' THEN r.ev_class ELSE e.objid END, 0) i \
    WHERE e.deptype OPERATOR(pg_catalog.=) 'n' AND e.objid OPERATOR(pg_catalog.>=) 16384 AND e.refobjid OPERATOR(pg_catalog.>=) \
    16384 AND e.classid OPERATOR(pg_catalog.<>) ALL \
    ('{pg_catalog.pg_constraint,pg_catalog.pg_attrdef,pg_catalog.pg_collation,pg_catalog.pg_statistic_ext}'::pg_catalog.regclass[]::pg_catalog.oid[]) \
    AND (k.oid IS NULL OR k.relkind OPERATOR(pg_catalog.=) ANY ('{v,m,f}'::pg_catalog.\"char\"[]) OR k.relispartition AND e.space OPERATOR(pg_catalog.=) 'type' AND k.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[])) AND (w.oid IS NULL OR \
    w.typtype OPERATOR(pg_catalog.=) ANY ('{b,p}'::pg_catalog.\"char\"[])) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid OPERATOR(pg_catalog.=) e.classid AND \
    x.objid OPERATOR(pg_catalog.=) e.objid AND x.deptype OPERATOR(pg_catalog.=) 'e') ORDER BY 1, 2, 3, 4, 5";

async fn read_holders(
    conn: &mut PgConnection,
    default_schema: &Ident,
    facts: &mut Facts,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(HOLDERS)
        .persistent(false)
        .fetch_all(conn)
        .await?;
    for row in rows {
        let (space, schema): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        let (name, part): (String, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
        let name = Name::qualified(schema.map(Ident::from), Ident::from(name));
        let name = name.in_default(default_schema);
        let part = part.map(Ident::from);
        let held = match (space.as_str(), part) {
            ("column", Some(part)) => Held::Column(name, part),
            ("constraint", Some(part)) => Held::Constraint(name, part),
            ("type", _) => Held::Type(name),
            ("collation", _) => Held::Collation(name),
            ("schema", _) => Held::Schema(name.name),
            _ => Held::Relation(name),
        };
        let what: String = row.try_get(4)?;
        let holder = Holder {
            // A name may hold line breaks, and stands in a comment of one line.
            name: what.split_whitespace().collect::<Vec<_>>().join(" "),
            is_part: row.try_get(5)?,
        };
        facts.holds(held, holder);
    }
    facts.all_holders();
    Ok(())
}
