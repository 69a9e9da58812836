use limbeck::Table;

struct Organization {
    id: i64,
}

#[derive(Table)]
struct Account {
    #[column(references = Organization::id)]
    organization_id: i64,
}

fn main() {}
