use limbeck::Table;

#[derive(Table)]
struct Organization {
    #[column(primary_key)]
    id: i64,
}

#[derive(Table)]
struct Account {
    #[column(references = Organization::idd)]
    organization_id: i64,
}

fn main() {}
