//! Before/after pairs: upgrade makes the one state of the other, downgrade brings it back, and `pg_dump` says so.
//!
//! A pair is a folder `fixtures/pairs/KIND/CASE` with `old.sql` and `new.sql`, and `seed.sql` where rows matter. One whose
//! name ends in `-pg17` runs on servers of version 17 and newer. Set `LIMBECK_PAIRS` to another folder of such folders to
//! run those, `LIMBECK_PAIR` to a part of a name to run few, and `LIMBECK_PAIR_SAMPLE` to a number to run one in so many of
//! those that are of no version.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]

use std::path::{Path, PathBuf};

use limbeck_testkit::TestDb;
use limbeck_tests::pair::{Pair, holds, oldest, server_major};

/// Every folder below that holds a pair.
fn pairs() -> Vec<PathBuf> {
    let root = std::env::var("LIMBECK_PAIRS").map_or_else(|_| fixtures(), PathBuf::from);
    let part = std::env::var("LIMBECK_PAIR").unwrap_or_default();
    let mut acc = Vec::new();
    let mut todo = vec![root];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir)
            .unwrap()
            .map(|it| it.unwrap().path())
        {
            if entry.is_dir() {
                todo.push(entry);
            } else if entry.ends_with("old.sql") && dir.to_string_lossy().contains(&part) {
                acc.push(dir.clone());
            }
        }
    }
    acc.sort();
    acc
}

/// The scripts of a pair.
fn read(dir: &Path) -> Pair {
    let script = |name: &str| std::fs::read_to_string(dir.join(name));
    Pair {
        old: script("old.sql").unwrap(),
        new: script("new.sql").unwrap(),
        seed: script("seed.sql").ok(),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/pairs")
}

/// Pairs that run at the same time.
const WORKERS: usize = 3;

/// Runs pairs of the queue until there are none, on two databases of its own.
async fn work(queue: std::sync::Arc<std::sync::Mutex<Vec<PathBuf>>>) -> Vec<String> {
    let (old, new) = (TestDb::create("old").await, TestDb::create("new").await);
    let mut acc = Vec::new();
    loop {
        let next = queue.lock().unwrap().pop();
        let Some(dir) = next else { return acc };
        acc.extend(
            holds(&old, &new, &read(&dir))
                .await
                .err()
                .map(|it| format!("{}: {it}", dir.display())),
        );
    }
}

#[test]
fn every_pair_upgrades_and_downgrades_to_equal_dumps() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let major = runtime.block_on(async { server_major(&TestDb::create("version").await).await });
    let major = major.unwrap();
    let sample: usize =
        std::env::var("LIMBECK_PAIR_SAMPLE").map_or(1, |it| it.parse().expect("a number"));
    let mut pairs = pairs();
    let mut plain = 0..;
    pairs.retain(|it| match oldest(it) {
        0 => plain
            .next()
            .is_some_and(|n: usize| n.is_multiple_of(sample)),
        oldest => oldest <= major,
    });
    assert!(
        !pairs.is_empty(),
        "there are pairs to run on PostgreSQL {major}"
    );
    let queue = std::sync::Arc::new(std::sync::Mutex::new(pairs.clone()));
    let failures: Vec<String> = runtime.block_on(async {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| tokio::spawn(work(queue.clone())))
            .collect();
        let mut acc = Vec::new();
        for it in workers {
            acc.extend(it.await.unwrap_or_else(|it| vec![it.to_string()]));
        }
        acc
    });
    assert!(
        failures.is_empty(),
        "{} of {} pairs fail\n{}",
        failures.len(),
        pairs.len(),
        failures.join("\n\n")
    );
}
