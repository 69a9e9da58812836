limbeck::module! {
    name: "accounts",
    revisions: "no/such/folder",
    metadata: limbeck::MetaData::new(),
}

fn main() {}
