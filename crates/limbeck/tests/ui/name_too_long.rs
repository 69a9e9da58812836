use limbeck::Table;

#[derive(Table)]
#[table(name = "a_name_of_a_table_that_is_longer_than_postgresql_keeps_of_any_identifier")]
struct Account {
    id: i64,
}

fn main() {}
