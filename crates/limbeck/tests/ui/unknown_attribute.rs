use limbeck::Table;

#[derive(Table)]
struct Account {
    #[column(lenght = 255)]
    email: String,
    #[column(colour = "red")]
    note: String,
}

fn main() {}
