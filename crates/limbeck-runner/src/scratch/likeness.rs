//! What a server and a database say of themselves, for a scratch database to be like them.

use limbeck_schema::{Ident, Literal};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::host::Host;

/// Settings of the target database on which the texts of expressions depend, or the schema of names without one.
const SETTINGS: &[&str] = &[
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "array_nulls",
    "backslash_quote",
    "bytea_output",
    "default_text_search_config",
    "default_toast_compression",
    "extra_float_digits",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "standard_conforming_strings",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmlbinary",
    "xmloption",
];

/// What a target says of itself.
#[derive(Clone, Debug)]
pub(super) struct Likeness {
    /// `server_version_num` without its minor version.
    pub(super) major: i32,
    /// The clauses of `CREATE DATABASE`, with the locale.
    pub(super) clauses: String,
    pub(super) encoding: String,
    /// Settings that are the target database's or the role's own (`ALTER DATABASE … SET`), with their values.
    pub(super) settings: Vec<(String, String)>,
    pub(super) default_schema: Option<Ident>,
    /// The names of the server's roles, which statements about owners and privileges refer to.
    pub(super) roles: Vec<String>,
    /// The role of the connection.
    pub(super) role: Role,
    /// The server's clock and randomness, for a name.
    pub(super) tail: String,
    /// Randomness for a password.
    pub(super) secret: String,
}

/// What the role of a connection may do.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the attributes of a role are independent"
)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) is_superuser: bool,
    pub(super) creates_roles: bool,
    pub(super) creates_databases: bool,
    /// Whether it has another right that reaches beyond its own objects: REPLICATION, BYPASSRLS, membership in a role of
    /// PostgreSQL's (`pg_write_server_files`).
    pub(super) has_more: bool,
}

impl Role {
    /// Whether it may do more than an ordinary role.
    pub(super) fn is_privileged(&self) -> bool {
        self.is_superuser || self.creates_roles || self.has_more
    }

    /// Whether it may create a role and a database for it.
    pub(super) fn can_delegate(&self) -> bool {
        self.is_superuser || self.creates_roles && self.creates_databases
    }

    pub(super) fn can_create(&self) -> bool {
        self.is_superuser || self.creates_databases
    }
}

/// The columns of the locale differ by version (15: provider and ICU locale, 17: one column for both), so the row is read as
/// JSON.
const SQL: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog./) 10000, \
     pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text, d.datcollate::pg_catalog.text, d.datctype::pg_catalog.text, \
     pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'datlocprovider', coalesce(pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) \
     'datlocale', pg_catalog.to_jsonb(d) OPERATOR(pg_catalog.->>) 'daticulocale'), pg_catalog.to_jsonb(d) \
     OPERATOR(pg_catalog.->>) 'daticurules', pg_catalog.current_schema()::pg_catalog.text, array(SELECT s.name FROM \
     pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) ANY ('{database,user,database user}'::pg_catalog.text[]) ORDER \
     BY s.name), array(SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) ANY \
     ('{database,user,database user}'::pg_catalog.text[]) ORDER BY s.name), \
     pg_catalog.to_hex(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())::pg_catalog.int8), \
     pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::pg_catalog.text, '-', ''), 1, 10), \
     pg_catalog.concat(pg_catalog.gen_random_uuid(), pg_catalog.gen_random_uuid()), current_user::pg_catalog.text, r.rolsuper, \
     r.rolcreaterole, r.rolcreatedb, r.rolreplication OR r.rolbypassrls OR EXISTS (SELECT FROM pg_catalog.pg_roles m WHERE \
     pg_catalog.starts_with(m.rolname::pg_catalog.text, 'pg_') AND m.rolname OPERATOR(pg_catalog.<>) 'pg_database_owner' AND \
     pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')), pg_catalog.current_setting('search_path'), array(SELECT \
     m.rolname::pg_catalog.text FROM pg_catalog.pg_roles m WHERE NOT pg_catalog.starts_with(m.rolname::pg_catalog.text, 'pg_')) \
     FROM pg_catalog.pg_database d, pg_catalog.pg_roles r WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() \
     AND r.rolname OPERATOR(pg_catalog.=) current_user";

impl Likeness {
    pub(super) async fn read(host: &Host) -> Result<Self, sqlx::Error> {
        let row = host.row(SQL).await?;
        let (encoding, collate, ctype): (String, String, String) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let mut clauses = format!(
            "ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            Literal(&encoding),
            Literal(&collate),
            Literal(&ctype)
        );
        clauses.push_str(&provider(&row)?);
        let role = Role {
            name: row.try_get(13)?,
            is_superuser: row.try_get(14)?,
            creates_roles: row.try_get(15)?,
            creates_databases: row.try_get(16)?,
            has_more: row.try_get(17)?,
        };
        let default_schema = text(&row, 7)?.map(Ident::from);
        let (names, values): (Vec<String>, Vec<String>) = (row.try_get(8)?, row.try_get(9)?);
        let mut settings: Vec<(String, String)> = names.into_iter().zip(values).collect();
        settings.retain(|(name, _)| SETTINGS.contains(&name.as_str()));
        // The path of the connection, in which another role would be another `"$user"`. One that leads nowhere would leave
        // the scratch database without a place for names.
        if default_schema.is_some() {
            let path: String = row.try_get(18)?;
            let path = path.replace("\"$user\"", &Ident::new(&role.name).to_string());
            settings.push(("search_path".to_owned(), path));
        }
        let (since, random): (String, String) = (row.try_get(10)?, row.try_get(11)?);
        Ok(Self {
            major: row.try_get(0)?,
            clauses,
            encoding,
            settings,
            default_schema,
            roles: row.try_get(19)?,
            role,
            tail: format!("{since}_{random}"),
            secret: row.try_get(12)?,
        })
    }
}

/// What `CREATE DATABASE` says of a locale that is not the C library's.
fn provider(row: &PgRow) -> Result<String, sqlx::Error> {
    let locale = text(row, 5)?;
    Ok(match (text(row, 4)?.as_deref(), locale) {
        (Some("i"), Some(locale)) => {
            let rules =
                text(row, 6)?.map_or_else(String::new, |it| format!(" ICU_RULES {}", Literal(&it)));
            format!(
                " LOCALE_PROVIDER icu ICU_LOCALE {}{rules}",
                Literal(&locale)
            )
        }
        (Some("b"), Some(locale)) => {
            format!(
                " LOCALE_PROVIDER builtin BUILTIN_LOCALE {}",
                Literal(&locale)
            )
        }
        _ => String::new(),
    })
}

fn text(row: &PgRow, at: usize) -> Result<Option<String>, sqlx::Error> {
    row.try_get(at)
}
