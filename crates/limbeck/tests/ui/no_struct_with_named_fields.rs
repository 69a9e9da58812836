use limbeck::{PgEnum, Table};

#[derive(Table)]
struct Account(i64);

#[derive(Table)]
struct Generic<T> {
    id: T,
}

#[derive(Table)]
enum Kind {
    A,
}

#[derive(PgEnum)]
enum Status {
    New,
    Done(i64),
}

fn main() {}
