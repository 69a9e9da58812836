//! Removing scratch databases and their roles: those of this run, and those of runs that were killed.

use limbeck_connect::{Settings, close};
use limbeck_schema::{Ident, Literal};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::SCRATCH_PREFIX;
use super::host::{Host, Made, drop_database, key, leave_behind};
use crate::error::one_line;

pub(super) async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}

pub(super) fn answer(error: &sqlx::Error) -> String {
    one_line(&limbeck_catalog::answer(error))
}

/// Settings of a connection to a scratch database with the rights of whoever made it. Since PostgreSQL 17 an event trigger
/// may be about connecting.
pub(super) async fn inside(
    conn: &mut PgConnection,
    options: &Settings,
    database: &str,
) -> Settings {
    const SQL: &str = "SELECT pg_catalog.current_setting('event_triggers', true) IS NOT NULL";
    let row = conn.fetch_one(sqlx::raw_sql(SQL)).await;
    let options = options.with_database(database);
    match row.and_then(|it| it.try_get::<bool, _>(0)) {
        Ok(true) => options.with_option("event_triggers", "off"),
        _ => options,
    }
}

/// Drops a database, whoever is connected to it and whatever holds it.
pub(super) async fn remove_database(
    conn: &mut PgConnection,
    options: &Settings,
    name: &str,
) -> Result<(), sqlx::Error> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident::new(name));
    let Err(error) = run(conn, &sql).await else {
        return Ok(());
    };
    if error.as_database_error().is_none() {
        return Err(error);
    }
    let template = format!("ALTER DATABASE {} IS_TEMPLATE false", Ident::new(name));
    let _ = run(conn, &template).await;
    let inside = inside(conn, options, name).await;
    release(&inside).await;
    run(conn, &sql).await
}

/// Drops the subscriptions of a database and ends its prepared transactions, which would keep it from being dropped. Slots
/// of subscriptions, if there are any, are another server's.
async fn release(inside: &Settings) {
    const SQL: &str = "SELECT pg_catalog.format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); \
         DROP SUBSCRIPTION %1$I', s.subname) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid \
         OPERATOR(pg_catalog.=) s.subdbid WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() UNION ALL SELECT \
         pg_catalog.format('ROLLBACK PREPARED %L', x.gid) FROM pg_catalog.pg_prepared_xacts x WHERE x.database \
         OPERATOR(pg_catalog.=) pg_catalog.current_database()";
    let Ok(mut conn) = inside.connect().await else {
        return;
    };
    for row in conn.fetch_all(sqlx::raw_sql(SQL)).await.unwrap_or_default() {
        if let Ok(sql) = row.try_get::<String, _>(0) {
            for sql in sql.split("; ") {
                let _ = run(&mut conn, sql).await;
            }
        }
    }
    close(conn).await;
}

/// Drops a role, with the databases that it owns under whatever name.
pub(super) async fn remove_role(conn: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    let name = Ident::new(role);
    let sql = format!("DROP ROLE IF EXISTS {name}");
    if run(conn, &sql).await.is_ok() {
        return Ok(());
    }
    let owned = format!(
        "SELECT d.datname::pg_catalog.text FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) \
         d.datdba WHERE r.rolname OPERATOR(pg_catalog.=) {}",
        Literal(role)
    );
    let rows = conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(owned))).await?;
    for row in rows {
        run(conn, &drop_database(row.try_get(0)?)).await?;
    }
    let _ = run(conn, &format!("DROP OWNED BY {name}")).await;
    run(conn, &sql).await
}

/// Notes what is left on a server, each with the statement that removes it.
pub(super) fn say_left(options: &Settings, made: &Made, reason: &str) {
    let server = options.server();
    for name in &made.databases {
        let sql = drop_database(name);
        leave_behind(format!(
            "the scratch database {name} may be left on {server} ({reason}); the next run that can removes it, or: {sql}"
        ));
    }
    if let Some(role) = &made.role {
        leave_behind(format!(
            "the role {role} may be left on {server} ({reason}); the next run that can removes it, or: DROP ROLE {}",
            Ident::new(role)
        ));
    }
}

/// Drops the scratch databases and roles of killed runs: those whose lock nobody holds. What cannot be dropped is somebody
/// else's.
pub(super) async fn remove_leftovers(host: &Host) {
    let is_held = |name: &str| {
        let key = key(&format!("{name}::pg_catalog.text"));
        // The two halves of the key, as `pg_locks` shows them, in whatever database it was taken.
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.objsubid \
             OPERATOR(pg_catalog.=) 1 AND (l.classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) \
             l.objid::pg_catalog.int8 OPERATOR(pg_catalog.=) {key})"
        )
    };
    let sql = format!(
        "SELECT true, d.datname::pg_catalog.text FROM pg_catalog.pg_database d WHERE \
         pg_catalog.starts_with(d.datname::pg_catalog.text, '{SCRATCH_PREFIX}') AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND \
         NOT {} UNION ALL SELECT false, r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r WHERE \
         pg_catalog.starts_with(r.rolname::pg_catalog.text, '{SCRATCH_PREFIX}') AND NOT {} ORDER BY 1 DESC",
        is_held("d.datname"),
        is_held("r.rolname")
    );
    for row in host.rows(sql).await.unwrap_or_default() {
        let (Ok(is_database), Ok(name)) = (row.try_get::<bool, _>(0), row.try_get::<String, _>(1))
        else {
            continue;
        };
        if !is_own_name(&name) {
            continue;
        }
        if is_database {
            host.remove(&name);
        } else {
            // A role that still owns something stays for the next run.
            let sql = format!("DROP ROLE IF EXISTS {}", Ident::new(&name));
            let _ = host.rows(sql).await;
        }
    }
}

/// Whether a name is one of Limbeck's, `limbeck_scratch_<pid>_<hex seconds>_<random>`.
fn is_own_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(SCRATCH_PREFIX) else {
        return false;
    };
    let [pid, since, random] = rest.split('_').collect::<Vec<_>>()[..] else {
        return false;
    };
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
    pid.parse::<u32>().is_ok() && hex(since) && hex(random)
}

#[cfg(test)]
mod tests {
    use super::is_own_name;

    #[test]
    fn only_databases_of_exactly_that_name_are_leftovers() {
        let check = |name: &str, expected: bool| assert_eq!(is_own_name(name), expected, "{name}");
        check("limbeck_scratch_12_10_ab12", true);
        check("limbeck_scratch_12_10", false);
        check("limbeck_scratch_mine", false);
        check("limbeck_scratch_12_10_ab_1", false);
        check("limbeck_scratch_x_10_ab", false);
        check("my_limbeck_scratch_12_10_ab12", false);
    }
}
