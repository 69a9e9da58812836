//! The models that the edit touches, as they are afterwards. A real project would change them where they stand; here both
//! states have to compile side by side.

#![expect(
    dead_code,
    unreachable_pub,
    reason = "the demo declares tables and handles no rows"
)]

use chrono::{DateTime, Utc};
use limbeck::{PgEnum, Table};
use serde_json::Value;
use uuid::Uuid;

use super::models::{Access, Account};

// The edit.

#[derive(PgEnum)]
pub enum RecordStatus {
    Draft,
    InReview,
    Published,
    Withdrawn,
}

#[derive(Table)]
#[table(
    comment = "what is published, and what will be",
    check(name = "published_at", "status <> 'published' OR published_at IS NOT NULL"),
    check(name = "language", "language ~ '^[a-z]{2,3}$'"),
    index("lower(title)", name = "ix_record_title"),
    index(owner_id, updated_at(desc), name = "ix_record_owner_id_updated_at"),
    index(metadata(opclass = "jsonb_path_ops"), method = gin),
    index(published_at, where = "status = 'published'", include(title)),
    index(updated_at, where = "status = 'in_review'", name = "ix_record_in_review")
)]
pub struct Record {
    #[column(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    #[column(default = "'draft'")]
    pub status: RecordStatus,
    #[column(default = "'open'")]
    pub access: Access,
    pub title: String,
    #[column(length = 3, comment = "ISO 639")]
    pub language: Option<String>,
    #[column(default = "'{}'")]
    pub keywords: Vec<String>,
    pub metadata: Value,
    #[column(check(name = "publication_year", "publication_year BETWEEN 1000 AND 9999"))]
    pub publication_year: Option<i16>,
    #[column(references = Account, on_delete = restrict)]
    pub owner_id: i64,
    #[column(default = "now()")]
    pub updated_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    #[column(sql_type = "tsvector", generated = "to_tsvector('simple'::regconfig, title)", index(method = gin))]
    pub search: String,
}

#[derive(Table)]
#[table(unique(record_id, reviewer_id))]
pub struct Review {
    #[column(primary_key, identity)]
    pub id: i64,
    #[column(references = Record, on_delete = cascade)]
    pub record_id: Uuid,
    #[column(references = Account, on_delete = restrict, index)]
    pub reviewer_id: i64,
    #[column(check(name = "score", "score BETWEEN 1 AND 5"))]
    pub score: Option<i16>,
    #[column(default = "now()")]
    pub created_at: DateTime<Utc>,
}
