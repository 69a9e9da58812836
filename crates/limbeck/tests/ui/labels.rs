use limbeck::PgEnum;

#[derive(PgEnum)]
#[pg_enum(rename_all = "Title Case")]
enum Status {
    New,
}

#[derive(PgEnum)]
enum Twice {
    New,
    #[pg_enum(rename = "new")]
    Fresh,
}

fn main() {}
