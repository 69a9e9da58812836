//! `assert_no_drift!` against a real server.
#![cfg(feature = "compare")]

use limbeck::{Column, MetaData, Table, assert_no_drift};
use limbeck_testkit::TestDb;

fn metadata() -> MetaData {
    MetaData::new().table(
        Table::new("account")
            .column(Column::new("id", "bigint").not_null())
            .primary_key(["id"]),
    )
}

#[tokio::test]
async fn agreeing_sides_pass() {
    let db = TestDb::create("drift").await;
    sqlx::raw_sql("CREATE TABLE account (id bigint CONSTRAINT pk_account PRIMARY KEY)")
        .execute(db.pool())
        .await
        .unwrap();
    assert_no_drift!(db.pool(), metadata());
    assert_no_drift!(&mut db.connect().await.unwrap(), metadata());
}

#[tokio::test]
#[should_panic(expected = "add column account.id bigint not null")]
async fn a_difference_fails_with_the_list() {
    let db = TestDb::create("drift").await;
    sqlx::raw_sql("CREATE TABLE account ()")
        .execute(db.pool())
        .await
        .unwrap();
    assert_no_drift!(db.pool(), metadata());
}
