use limbeck::Table;

#[derive(Table)]
#[table(engine = "innodb")]
struct Account {
    id: i64,
}

fn main() {}
