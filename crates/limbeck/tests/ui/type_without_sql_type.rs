use limbeck::Table;

struct Money;

#[derive(Table)]
struct Account {
    balance: Money,
}

fn main() {}
