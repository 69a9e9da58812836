//! The list in `fixtures/pairs/AWKWARD.md` names pairs and tests that are there.

use std::path::Path;

/// What a row's place lacks: nothing for a pair with both its scripts, or for a test that its file defines.
fn missing(root: &Path, place: &str) -> Option<String> {
    let found = match place.split_once(": ") {
        Some((file, test)) => std::fs::read_to_string(root.join(file))
            .is_ok_and(|it| it.contains(&format!("fn {test}("))),
        None => {
            let pair = root.join("fixtures/pairs").join(place);
            pair.join("old.sql").is_file() && pair.join("new.sql").is_file()
        }
    };
    (!found).then(|| place.to_owned())
}

#[test]
fn each_awkward_shape_stands_where_the_list_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = std::fs::read_to_string(root.join("fixtures/pairs/AWKWARD.md")).unwrap();
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|it| it.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|it| it.len() == 5 && it[1].parse::<u32>().is_ok())
        .collect();
    let numbers: Vec<u32> = rows.iter().map(|it| it[1].parse().unwrap()).collect();
    assert_eq!(
        numbers,
        (1..=37).collect::<Vec<_>>(),
        "every shape has its row"
    );
    let missing: Vec<String> = rows
        .iter()
        .flat_map(|it| it[3].split(", ").filter_map(|place| missing(&root, place)))
        .collect();
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "what the list names is there"
    );
}
