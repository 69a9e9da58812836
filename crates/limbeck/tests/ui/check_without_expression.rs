use limbeck::Table;

#[derive(Table)]
#[table(check(name = "positive"))]
struct Account {
    #[column(primary_key)]
    id: Option<i64>,
}

fn main() {}
