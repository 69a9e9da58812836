//! One application's models by derive, by builders and as JSON: all three say the same.
#![expect(dead_code, reason = "the models are declared and never filled")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use limbeck::{
    Action, Check, Column, ColumnType, Element, EnumType, Exclusion, ForeignKey, Identity, Index,
    LowerOptions, MetaData, PgEnum, PrimaryKey, References, Table, TypeInfo, Unique,
};
use limbeck_schema::Desired;

/// The models by derive.
mod derived {
    use super::{ColumnType, PgEnum, Table, TypeInfo};

    #[derive(PgEnum)]
    #[pg_enum(comment = "what it is read on")]
    pub(crate) enum Medium {
        Paper,
        EBook,
        Audio,
    }

    #[derive(PgEnum)]
    #[pg_enum(schema = "desk", rename_all = "UPPERCASE")]
    pub(crate) enum LoanState {
        Out,
        #[pg_enum(rename = "BACK")]
        Returned,
    }

    #[derive(Table)]
    #[table(comment = "who wrote it")]
    #[table(unique(name, born, name = "uq_author_name_born", nulls_not_distinct))]
    #[table(index("lower(name)", name = "ix_author_lower_name"))]
    pub(crate) struct Author<'a> {
        #[column(primary_key, identity(always, start = 100))]
        pub(crate) id: i64,
        #[column(length = 200, collation = "C", comment = "as printed")]
        pub(crate) name: &'a str,
        pub(crate) born: Option<chrono::NaiveDate>,
        #[column(skip)]
        pub(crate) books: Vec<Book>,
    }

    #[derive(Table)]
    #[table(
        foreign_key(
            columns(follows_isbn, follows_edition),
            references = Self(isbn, edition),
            on_delete = set_null,
            on_delete_columns(follows_edition),
            match_full,
            initially_deferred
        ),
        check(name = "first_edition", "edition > 0", not_valid),
        index(
            title,
            price(desc, nulls = last),
            include(medium),
            where = "price IS NOT NULL",
            with(fillfactor = 80)
        )
    )]
    pub(crate) struct Book {
        #[column(primary_key)]
        pub(crate) isbn: String,
        #[column(primary_key, default = "1")]
        pub(crate) edition: i16,
        #[column(references = Author::id, on_delete = restrict, index)]
        pub(crate) author_id: i64,
        pub(crate) title: String,
        #[column(sql_type = "tsvector", generated = "to_tsvector('simple', title)", index(method = gin))]
        pub(crate) title_words: (),
        #[column(default = "'paper'")]
        pub(crate) medium: Medium,
        #[column(precision = 10, scale = 2, check(name = "price_positive", "price > 0"))]
        pub(crate) price: Option<rust_decimal::Decimal>,
        #[column(default = "'{}'")]
        pub(crate) tags: Vec<String>,
        pub(crate) r#type: Option<serde_json::Value>,
        pub(crate) follows_isbn: Option<String>,
        pub(crate) follows_edition: Option<i16>,
    }

    /// A type of the application's own.
    pub(crate) struct Period;

    impl ColumnType for Period {
        fn type_info() -> TypeInfo {
            TypeInfo::new("tstzrange")
        }
    }

    #[derive(Table)]
    #[table(
        name = "Loan",
        schema = "desk",
        primary_key(columns(id), name = "loan_key", include(copy))
    )]
    #[table(exclude(
        copy = "=",
        period = "&&",
        where = "state = 'OUT'",
        name = "one_at_a_time"
    ))]
    #[table(foreign_key(columns(isbn, book_edition), references = Book, on_update = cascade, name = "loan_of_book"))]
    pub(crate) struct LoanRecord {
        #[column(serial)]
        pub(crate) id: i32,
        pub(crate) copy: uuid::Uuid,
        #[column(name = "book_isbn")]
        pub(crate) isbn: String,
        pub(crate) book_edition: i16,
        pub(crate) period: Period,
        pub(crate) state: Option<LoanState>,
    }

    #[derive(Table)]
    #[table(
        primary_key(room, kept, without_overlaps),
        unique(label, kept, without_overlaps),
        check(name = "short", "length(label) < 20", not_enforced),
        foreign_key(columns(room, kept), references = Self(room, kept), period, not_enforced)
    )]
    pub(crate) struct Shelf {
        #[column(sql_type = "int4range")]
        pub(crate) room: (),
        pub(crate) kept: Period,
        pub(crate) label: String,
        #[column(virtual_generated = "upper(label)")]
        pub(crate) shout: Option<String>,
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "it is the whole application, said once more"
)]
fn built() -> MetaData {
    let author = Table::new("author")
        .comment("who wrote it")
        .column(Column::new("id", "bigint").identity_with(Identity::new().always().start(100)))
        .column(
            Column::new("name", "text")
                .length(200)
                .not_null()
                .collation("C")
                .comment("as printed"),
        )
        .column(Column::new("born", "date"))
        .primary_key(["id"])
        .unique(
            Unique::new(["name", "born"])
                .name("uq_author_name_born")
                .nulls_not_distinct(),
        )
        .index(Index::new([Element::expression("lower(name)")]).name("ix_author_lower_name"));
    let follows = References::new("book").columns(["isbn", "edition"]);
    let book = Table::new("book")
        .column(Column::of::<String>("isbn"))
        .column(Column::of::<i16>("edition").default("1"))
        .column(Column::new("author_id", "int8").not_null())
        .column(Column::new("title", "text").not_null())
        .column(
            Column::new("title_words", "tsvector")
                .not_null()
                .generated("to_tsvector('simple', title)"),
        )
        .column(Column::of::<derived::Medium>("medium").default("'paper'"))
        .column(Column::new("price", "numeric").precision_and_scale(10, 2))
        .column(Column::of::<Vec<String>>("tags").default("'{}'"))
        .column(Column::new("type", "jsonb"))
        .column(Column::of::<Option<String>>("follows_isbn"))
        .column(Column::of::<Option<i16>>("follows_edition"))
        .primary_key(["isbn", "edition"])
        .foreign_key(
            ForeignKey::new(["author_id"], References::new("author").columns(["id"]))
                .on_delete(Action::Restrict),
        )
        .foreign_key(
            ForeignKey::new(["follows_isbn", "follows_edition"], follows)
                .on_delete(Action::SetNull)
                .on_delete_columns(["follows_edition"])
                .match_full()
                .initially_deferred(),
        )
        .check(Check::new("price > 0").name("price_positive"))
        .check(Check::new("edition > 0").name("first_edition").not_valid())
        .index(["author_id"])
        .index(Index::new(["title_words"]).method("gin"))
        .index(
            Index::new([
                Element::column("title"),
                Element::column("price").desc().nulls_last(),
            ])
            .include(["medium"])
            .predicate("price IS NOT NULL")
            .with("fillfactor", "80"),
        );
    let loan = Table::new("Loan")
        .schema("desk")
        .column(Column::new("id", "integer").serial())
        .column(Column::of::<uuid::Uuid>("copy"))
        .column(Column::of::<String>("book_isbn"))
        .column(Column::of::<i16>("book_edition"))
        .column(Column::new("period", "tstzrange").not_null())
        .column(Column::new("state", "desk.loan_state"))
        .primary_key(PrimaryKey::new(["id"]).name("loan_key").include(["copy"]))
        .foreign_key(
            ForeignKey::new(["book_isbn", "book_edition"], References::new("book"))
                .on_update(Action::Cascade)
                .name("loan_of_book"),
        )
        .exclusion(
            Exclusion::new([
                Element::column("copy").operator("="),
                Element::column("period").operator("&&"),
            ])
            .predicate("state = 'OUT'")
            .name("one_at_a_time"),
        );
    let shelf = Table::new("shelf")
        .column(Column::new("room", "int4range").not_null())
        .column(Column::new("kept", "tstzrange").not_null())
        .column(Column::new("label", "text").not_null())
        .column(Column::new("shout", "text").virtual_generated("upper(label)"))
        .primary_key(PrimaryKey::new(["room", "kept"]).without_overlaps())
        .unique(Unique::new(["label", "kept"]).without_overlaps())
        .foreign_key(
            ForeignKey::new(["room", "kept"], References::new("shelf"))
                .period()
                .not_enforced(),
        )
        .check(
            Check::new("length(label) < 20")
                .name("short")
                .not_enforced(),
        );
    MetaData::new()
        .enum_type(EnumType::new("loan_state", ["OUT", "BACK"]).schema("desk"))
        .table(author)
        .table(book)
        .table(loan)
        .table(shelf)
}

#[track_caller]
fn check(left: &MetaData, right: &MetaData) {
    let lines = |metadata: &MetaData| {
        let Desired { schema, scope, .. } = metadata.lower(&LowerOptions::default()).unwrap();
        let objects: Vec<String> = schema.objects().map(|it| format!("{it:?}")).collect();
        (objects, scope)
    };
    let ((left, left_scope), (right, right_scope)) = (lines(left), lines(right));
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left, right);
    }
    assert_eq!((left.len(), left_scope), (right.len(), right_scope));
}

#[test]
fn builders_say_what_json_says() {
    let json = MetaData::from_json(include_str!("library.json"), "library.json").unwrap();
    check(&built(), &json);
}

#[test]
fn derives_say_what_builders_say() {
    check(&MetaData::registered(), &built());
    let picked = MetaData::new()
        .model::<derived::Author<'_>>()
        .model::<derived::Book>()
        .model::<derived::LoanRecord>()
        .model::<derived::Shelf>();
    check(&picked, &built());
}

#[test]
fn json_says_again_what_it_was_written_from() {
    let json = built().to_json().unwrap();
    check(&MetaData::from_json(&json, "written").unwrap(), &built());
}

#[test]
fn derived_models_know_their_place() {
    let metadata = MetaData::registered();
    let places: Vec<&str> = metadata
        .tables
        .iter()
        .filter_map(|it| it.place.as_deref())
        .collect();
    assert_eq!(places.len(), 4);
    assert!(
        places.iter().all(|it| it.contains("three_forms.rs:")),
        "{places:?}"
    );
}
