//! Models of a PostgreSQL database, as `limbeck inspect --format rust` wrote them.
//!
//! They need of the crate `limbeck` the features `chrono`, `json`, `rust_decimal`, `uuid`.

use chrono::{DateTime, NaiveDate, Utc};
use limbeck::{MetaData, PgEnum, Table};
use rust_decimal::Decimal;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

#[derive(PgEnum)]
#[pg_enum(comment = "who may read a record and its files")]
pub enum Access {
    Open,
    Embargoed,
    Restricted,
}

#[derive(PgEnum)]
pub enum PidScheme {
    Doi,
    Handle,
    Oai,
}

#[derive(PgEnum)]
pub enum RecordStatus {
    Draft,
    Published,
    Withdrawn,
}

#[derive(Table)]
#[table(
    comment = "people who can sign in",
    index("lower((email)::text)", unique)
)]
pub struct Account {
    #[column(primary_key, identity)]
    pub id: i64,
    #[column(length = 255, check(name = "email", "(email)::text ~~ '%_@_%'::text"))]
    pub email: String,
    #[column(length = 80, unique)]
    pub username: Option<String>,
    #[column(comment = "argon2id, in PHC string format")]
    pub password_hash: Option<String>,
    #[column(default = "'{}'::jsonb")]
    pub preferences: Value,
    #[column(default = "true")]
    pub active: bool,
    #[column(default = "now()")]
    pub created_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
}

#[derive(Table)]
#[table(primary_key(account_id, role_id))]
pub struct AccountRole {
    #[column(references = Account, on_delete = cascade)]
    pub account_id: i64,
    #[column(references = Role, on_delete = cascade, index)]
    pub role_id: i32,
    #[column(default = "CURRENT_TIMESTAMP")]
    pub granted_at: DateTime<Utc>,
}

#[derive(Table)]
pub struct BibliographicCatalogue {
    #[column(primary_key, identity)]
    pub id: i32,
    #[column(unique)]
    pub url: String,
    #[column(default = "'1 day'::interval")]
    pub harvest_every: Duration,
}

#[derive(Table)]
pub struct BibliographicCatalogueSynchronisationRun {
    #[column(primary_key, serial)]
    pub id: i32,
    #[column(references = BibliographicCatalogue, on_delete = cascade, index)]
    pub bibliographic_catalogue_id: i32,
    #[column(default = "now()")]
    pub started_at: DateTime<Utc>,
    #[column(default = "'{}'::text[]")]
    pub problems: Vec<String>,
}

#[derive(Table)]
pub struct Bucket {
    #[column(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    #[column(references = Record, on_delete = cascade, index)]
    pub record_id: Option<Uuid>,
    #[column(references = StorageLocation, on_delete = restrict)]
    pub location_id: i32,
    #[column(check(name = "quota", "quota_bytes > 0"))]
    pub quota_bytes: Option<i64>,
    #[column(default = "false")]
    pub locked: bool,
}

#[derive(Table)]
pub struct Community {
    #[column(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    #[column(
        length = 100,
        unique,
        check(name = "slug", "(slug)::text ~ '^[a-z0-9-]+$'::text")
    )]
    pub slug: String,
    pub title: String,
    #[column(references = Account, on_delete = restrict, index)]
    pub owner_id: i64,
    #[column(references = Organization, on_delete = set_null)]
    pub organization_id: Option<i64>,
}

#[derive(Table)]
#[table(comment = "printed copies on the shelves")]
pub struct Copy {
    #[column(primary_key, identity)]
    pub id: i64,
    #[column(references = Record, on_delete = restrict, index)]
    pub record_id: Uuid,
    #[column(length = 20, collation = "C", unique)]
    pub barcode: String,
    pub shelf: Option<String>,
    #[column(precision = 8, scale = 2)]
    pub price: Option<Decimal>,
}

#[derive(Table)]
pub struct FileInstance {
    #[column(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    #[column(unique)]
    pub uri: String,
    #[column(default = "0", check(name = "size", "size >= 0"))]
    pub size: i64,
    #[column(comment = "SHA-256")]
    pub checksum: Option<Vec<u8>>,
    pub last_checked_at: Option<DateTime<Utc>>,
}

#[derive(Table)]
#[table(
    primary_key(bucket_id, key, version),
    index(
        bucket_id,
        key,
        name = "ix_file_version_head",
        unique,
        where = "is_head"
    )
)]
pub struct FileVersion {
    #[column(references = Bucket, on_delete = cascade)]
    pub bucket_id: Uuid,
    pub key: String,
    #[column(check(name = "version", "version > 0"))]
    pub version: i32,
    #[column(references = FileInstance, on_delete = restrict, index)]
    pub file_id: Option<Uuid>,
    #[column(default = "true")]
    pub is_head: bool,
}

#[derive(Table)]
#[table(
    check(name = "days", "until_day > from_day"),
    exclude(
        name = "ex_loan_one_at_a_time",
        "int8range(copy_id, copy_id, '[]'::text)" = "&&",
        "daterange(from_day, until_day)" = "&&"
    )
)]
pub struct Loan {
    #[column(primary_key, identity)]
    pub id: i64,
    #[column(references = Copy, on_delete = restrict)]
    pub copy_id: i64,
    #[column(references = Account, on_delete = restrict, index)]
    pub account_id: i64,
    #[column(default = "CURRENT_DATE")]
    pub from_day: NaiveDate,
    #[column(default = "CURRENT_DATE + 28")]
    pub until_day: NaiveDate,
    pub returned_at: Option<DateTime<Utc>>,
}

#[derive(Table)]
#[table(check(name = "not_its_own_parent", "parent_id <> id"))]
pub struct Organization {
    #[column(primary_key, identity)]
    pub id: i64,
    pub name: String,
    #[column(
        length = 9,
        unique,
        comment = "identifier in the Research Organization Registry, without its prefix"
    )]
    pub ror: Option<String>,
    #[column(references = Organization, on_delete = set_null, index)]
    pub parent_id: Option<i64>,
}

#[derive(Table)]
#[table(unique(scheme, value))]
pub struct PersistentIdentifier {
    #[column(primary_key, identity(always, start = 1000))]
    pub id: i64,
    pub scheme: PidScheme,
    #[column(length = 255, collation = "C")]
    pub value: String,
    #[column(references = Record, on_delete = set_null, index)]
    pub record_id: Option<Uuid>,
    #[column(default = "now()")]
    pub registered_at: DateTime<Utc>,
}

#[derive(Table)]
#[table(check(name = "not_to_itself", "target_id <> pid_id"))]
pub struct PidRedirect {
    #[column(primary_key, references = PersistentIdentifier, on_delete = cascade)]
    pub pid_id: i64,
    #[column(references = PersistentIdentifier, on_delete = restrict, index)]
    pub target_id: i64,
}

#[derive(Table)]
#[table(
    comment = "what is published, and what will be",
    check(
        name = "published_at",
        "(status <> 'published'::record_status) OR (published_at IS NOT NULL)"
    ),
    index(owner_id, updated_at(desc), name = "ix_record_owner_id_updated_at"),
    index("lower(title)")
)]
pub struct Record {
    #[column(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    #[column(default = "'draft'::record_status")]
    pub status: RecordStatus,
    #[column(default = "'open'::access")]
    pub access: Access,
    pub title: String,
    #[column(default = "'{}'::text[]")]
    pub keywords: Vec<String>,
    #[column(index(method = gin, opclass = "jsonb_path_ops"))]
    pub metadata: Value,
    #[column(check(
        name = "publication_year",
        "(publication_year >= 1000) AND (publication_year <= 9999)"
    ))]
    pub publication_year: Option<i16>,
    #[column(references = Account, on_delete = restrict)]
    pub owner_id: i64,
    #[column(default = "now()")]
    pub updated_at: DateTime<Utc>,
    #[column(index(include(title), where = "status = 'published'::record_status"))]
    pub published_at: Option<DateTime<Utc>>,
    #[column(
        sql_type = "tsvector",
        generated = "to_tsvector('simple'::regconfig, title)",
        index(method = gin)
    )]
    pub search: String,
}

#[derive(Table)]
#[table(primary_key(record_id, community_id))]
pub struct RecordCommunity {
    #[column(references = Record, on_delete = cascade)]
    pub record_id: Uuid,
    #[column(references = Community, on_delete = cascade, index)]
    pub community_id: Uuid,
    #[column(references = Account, on_delete = set_null)]
    pub added_by: Option<i64>,
}

#[derive(Table)]
pub struct Role {
    #[column(primary_key, identity)]
    pub id: i32,
    #[column(length = 80, unique)]
    pub name: String,
    pub description: Option<String>,
}

#[derive(Table)]
pub struct StorageLocation {
    #[column(primary_key, identity)]
    pub id: i32,
    #[column(length = 20, unique)]
    pub name: String,
    pub uri: String,
    #[column(default = "false", index(unique, where = "is_default"))]
    pub is_default: bool,
}

/// Everything that the database holds.
pub fn metadata() -> MetaData {
    MetaData::new()
        .pg_enum::<Access>()
        .pg_enum::<PidScheme>()
        .pg_enum::<RecordStatus>()
        .model::<Account>()
        .model::<AccountRole>()
        .model::<BibliographicCatalogue>()
        .model::<BibliographicCatalogueSynchronisationRun>()
        .model::<Bucket>()
        .model::<Community>()
        .model::<Copy>()
        .model::<FileInstance>()
        .model::<FileVersion>()
        .model::<Loan>()
        .model::<Organization>()
        .model::<PersistentIdentifier>()
        .model::<PidRedirect>()
        .model::<Record>()
        .model::<RecordCommunity>()
        .model::<Role>()
        .model::<StorageLocation>()
}
