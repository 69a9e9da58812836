//! Modules that bring their revisions and models along, in one program.

#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;

use limbeck::{MetaData, Module};
use limbeck_testkit::TestDb;

mod accounts {
    //! As a crate of its own would look.

    #[derive(limbeck::Table)]
    #[expect(dead_code, reason = "only the declaration counts")]
    pub(crate) struct Account {
        #[column(primary_key, identity)]
        id: i64,
    }

    limbeck::module! {
        name: "accounts",
        revisions: "tests/modules/accounts",
        metadata: limbeck::MetaData::new().model::<Account>(),
    }
}

mod records {
    //! One that needs the others.

    #[derive(limbeck::Table)]
    #[expect(dead_code, reason = "only the declaration counts")]
    struct Record {
        #[column(primary_key, identity)]
        id: i64,
        #[column(references = super::accounts::Account)]
        account_id: i64,
    }

    limbeck::module! {
        name: "records",
        revisions: "tests/modules/records",
        metadata: limbeck::MetaData::new().model::<Record>(),
    }
}

// One that was compiled on a machine whose folders are not here.
limbeck::__private::inventory::submit! {
    Module {
        name: "audit",
        folder: "/nowhere/audit/revisions",
        files: &[(
            "u1.sql",
            "-- Create the audit branch\n-- revision: u1\n-- branch labels: audit\n-- upgrade\nCREATE SCHEMA audit;\n\
             -- downgrade\nDROP SCHEMA audit;\n",
        )],
        metadata: MetaData::new,
    }
}

/// Runs a command line on a database; gives the status and both streams.
async fn run(db: &TestDb, args: &[&str]) -> (u8, String) {
    let args = ["limbeck", "--url", db.url()]
        .into_iter()
        .chain(args.iter().copied());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let metadata = Some(MetaData::modules().unwrap());
    let status =
        limbeck::cli::run_with(args.map(OsString::from), metadata, &mut out, &mut err).await;
    (status, String::from_utf8([out, err].concat()).unwrap())
}

#[test]
fn modules_know_their_files_and_models() {
    let modules: Vec<_> = Module::all().map(|it| (it.name, it.files.len())).collect();
    assert_eq!(modules, [("accounts", 1), ("audit", 1), ("records", 1)]);
    let (name, text) = Module::all().next().unwrap().files[0];
    assert_eq!(name, "a1_create_accounts.sql");
    assert!(text.starts_with("-- Create accounts\n"), "{text}");
    let metadata = MetaData::modules().unwrap();
    let tables: Vec<_> = metadata.tables.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(tables, ["account", "record"]);
}

#[tokio::test]
async fn a_program_upgrades_its_modules_in_the_order_of_their_dependencies() {
    let db = TestDb::create("linked").await;
    let (status, text) = run(&db, &["upgrade"]).await;
    assert_eq!(status, 0, "{text}");
    let order: Vec<_> = ["-> a1", "-> u1", "-> r1"]
        .iter()
        .map(|it| text.find(it).unwrap())
        .collect();
    assert!(order[0] < order[2] && order[1] < order[2], "{text}");
    assert_eq!(run(&db, &["check"]).await.0, 0);
    let (status, text) = run(&db, &["heads", "--resolve-dependencies"]).await;
    assert_eq!((status, text.as_str()), (0, "r1 (records) (head)\n"));
    let (status, text) = run(&db, &["show", "audit"]).await;
    assert!(status == 0 && text.contains("Path: audit/u1.sql"), "{text}");
    let (status, text) = run(&db, &["remove", "u1", "--unchecked"]).await;
    assert!(
        status == 2 && text.contains("r1") && text.contains("depends on it"),
        "{text}"
    );
    assert_eq!(run(&db, &["downgrade", "base"]).await.0, 0);
}
