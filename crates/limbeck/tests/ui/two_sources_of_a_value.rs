use limbeck::Table;

#[derive(Table)]
struct Account {
    #[column(identity, default = "1")]
    id: i64,
    #[column(scale = 2)]
    balance: i64,
    #[column(on_delete = cascade)]
    organization_id: i64,
    #[column(references = Account::id, on_delete = explode)]
    parent_id: i64,
}

fn main() {}
