use limbeck::Table;

#[derive(Table)]
#[table(unique(email, nmae))]
struct Account {
    email: String,
    name: String,
}

fn main() {}
