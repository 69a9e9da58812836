//! sea-schema's own discovery as an independent witness: what it reports, Limbeck's catalog reports too. What it
//! leaves out (indexes that are not unique, names of schemas, defaults' exact text) is not asked of it.

use limbeck_catalog::{Catalog, ReadOptions, sea};
use limbeck_schema::Name;
use limbeck_schema::kinds::{KindTag, Object, columns_of};
use limbeck_testkit::TestDb;
use sea_schema::postgres::def::{TableDef, Type};
use sea_schema::postgres::discovery::SchemaDiscovery;

const SQL: &str = r#"
    CREATE TYPE status AS ENUM ('new', 'done');
    CREATE TABLE org (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(80) NOT NULL UNIQUE);
    CREATE TABLE "Account" (
        id serial PRIMARY KEY, org_id bigint NOT NULL REFERENCES org ON DELETE CASCADE, "e Mail" text,
        balance numeric(10, 2) DEFAULT 0, status status NOT NULL DEFAULT 'new', seen timestamptz, day date, tags text[],
        data jsonb, raw bytea, code char(3), bits bit varying(5), token uuid, ok boolean,
        CONSTRAINT two UNIQUE (org_id, code), CONSTRAINT positive CHECK (balance >= 0)
    );
"#;

/// A table as both sides tell it, so that the two can be compared line by line.
fn theirs(table: &TableDef) -> Vec<String> {
    let mut acc: Vec<String> = Vec::new();
    for it in &table.columns {
        let ty = match &it.col_type {
            Type::Array(_) | Type::Enum(_) | Type::Unknown(_) => None,
            it => Some(it.clone()),
        };
        acc.push(format!(
            "column {} {ty:?} not null {} identity {}",
            it.name,
            it.not_null.is_some(),
            it.is_identity
        ));
    }
    acc.extend(
        table
            .primary_key_constraints
            .iter()
            .map(|it| format!("primary key {} {:?}", it.name, it.columns)),
    );
    acc.extend(
        table
            .unique_constraints
            .iter()
            .map(|it| format!("unique {} {:?}", it.name, it.columns)),
    );
    acc.extend(table.reference_constraints.iter().map(|it| {
        format!(
            "foreign key {} {:?} {} {:?}",
            it.name, it.columns, it.table, it.foreign_columns
        )
    }));
    acc.sort();
    acc
}

fn ours(catalog: &Catalog, table: &Name) -> Vec<String> {
    let mut acc: Vec<String> = Vec::new();
    for it in columns_of(&catalog.schema, table) {
        let ty = sea::column_type(&it.ty);
        let identity = it.identity.is_some();
        acc.push(format!(
            "column {} {ty:?} not null {} identity {identity}",
            it.name.as_str(),
            !it.nullable
        ));
    }
    for (_, object) in KindTag::ALL
        .iter()
        .flat_map(|kind| catalog.schema.parts(*kind, table))
    {
        let names = |it: &[limbeck_schema::Ident]| {
            it.iter()
                .map(|it| it.as_str().to_owned())
                .collect::<Vec<_>>()
        };
        match object {
            Object::PrimaryKey(it) => acc.push(format!(
                "primary key {} {:?}",
                it.name.as_str(),
                names(&it.index.columns)
            )),
            Object::Unique(it) => acc.push(format!(
                "unique {} {:?}",
                it.name.as_str(),
                names(&it.index.columns)
            )),
            Object::ForeignKey(it) => acc.push(format!(
                "foreign key {} {:?} {} {:?}",
                it.name.as_str(),
                names(&it.columns),
                it.references.table.name.as_str(),
                names(&it.references.columns)
            )),
            _ => {}
        }
    }
    acc.sort();
    acc
}

#[tokio::test]
async fn the_catalog_agrees_with_sea_schemas_discovery() {
    let db = TestDb::create("sea").await;
    sqlx::raw_sql(SQL).execute(db.pool()).await.unwrap();
    let catalog = Catalog::read(&mut db.connect().await.unwrap(), &ReadOptions::default())
        .await
        .unwrap();
    let discovered = SchemaDiscovery::new(db.pool().clone(), "public")
        .discover()
        .await
        .unwrap();
    assert_eq!(discovered.tables.len(), 2);
    for table in &discovered.tables {
        assert_eq!(
            ours(&catalog, &Name::plain(table.info.name.as_str())),
            theirs(table)
        );
    }
    let labels: Vec<_> = discovered
        .enums
        .iter()
        .map(|it| (it.typename.clone(), it.values.clone()))
        .collect();
    assert_eq!(
        labels,
        [(
            "status".to_owned(),
            vec!["new".to_owned(), "done".to_owned()]
        )]
    );
    let key = limbeck_schema::Key::of(KindTag::EnumType, &Name::plain("status"));
    assert!(
        matches!(catalog.schema.get(&key), Some(Object::EnumType(it)) if it.labels == labels[0].1)
    );
}
