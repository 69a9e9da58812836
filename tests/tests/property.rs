//! Random pairs of states: what holds for every pair in `fixtures/pairs` holds for those that nobody thought of.
//!
//! A case is made of one number, its seed. `LIMBECK_SEED` is the first one (default 1), `SOAK` how many follow (default
//! 40); so `SOAK=1 LIMBECK_SEED=977` runs one case again. A failing case is made small, and its two scripts are left in a
//! folder, ready to become a fixture. `LIMBECK_SHRINK` is how many smaller cases are tried (default 300).
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot set up fails the test"
)]
#![expect(
    clippy::print_stdout,
    reason = "who soaks for minutes wants to see how far it is"
)]

#[path = "property/alter.rs"]
mod alter;
#[path = "property/edit.rs"]
mod edit;
#[path = "property/expression.rs"]
mod expression;
#[path = "property/model.rs"]
mod model;
#[path = "property/random.rs"]
mod random;
#[path = "property/render.rs"]
mod render;
#[path = "property/shrink.rs"]
mod shrink;
#[path = "property/valid.rs"]
mod valid;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use limbeck_testkit::{TestDb, try_cluster};
use limbeck_tests::pair::{Failure, Pair, holds, is_itself};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use crate::model::Case;
use crate::shrink::Cases;

/// What the environment says, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |it| it.parse().unwrap())
}

/// The two databases of a worker.
struct Bench {
    runtime: Runtime,
    old: TestDb,
    new: TestDb,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (old, new) =
            runtime.block_on(async { (TestDb::create("old").await, TestDb::create("new").await) });
        Self { runtime, old, new }
    }

    /// Whether a case holds. Cases that the server itself refuses are rejected.
    fn check(&self, case: &Case) -> Result<(), TestCaseError> {
        let pair = scripts(case);
        let result = self.runtime.block_on(async {
            holds(&self.old, &self.new, &pair).await?;
            // One state in two databases is one state; every fourth case says it for the new one.
            if pair.new.len().is_multiple_of(4) {
                is_itself(&self.old, &self.new, &pair.new).await?;
            }
            Ok(())
        });
        result.map_err(|it| match it {
            Failure::Setup(it) => TestCaseError::reject(it),
            Failure::Broken(it) => TestCaseError::fail(it),
        })
    }
}

fn scripts(case: &Case) -> Pair {
    Pair {
        old: render::sql(&case.old),
        new: render::sql(&case.new),
        seed: None,
    }
}

/// How a seed's case ended.
enum End {
    Held,
    Refused(String),
    Failed(String),
}

/// Runs the case of one seed, and where it fails makes it small and leaves its scripts behind.
fn run(bench: &Bench, seed: u64, major: u32) -> End {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: u32::try_from(setting("LIMBECK_SHRINK", 300)).unwrap(),
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let tree = Cases { major }.new_tree(&mut runner).unwrap();
    let refusal = RefCell::new(None);
    let result = runner.run_one(tree, |case| {
        let result = bench.check(&case);
        if let Err(TestCaseError::Reject(why)) = &result {
            *refusal.borrow_mut() = Some(why.to_string());
        }
        result
    });
    match result {
        Ok(true) => End::Held,
        Ok(false) | Err(TestError::Abort(_)) => End::Refused(refusal.take().unwrap_or_default()),
        Err(TestError::Fail(why, case)) => {
            let dir = leave(seed, &case);
            let dir = dir.display();
            End::Failed(format!(
                "seed {seed}: {why}\n  the pair is in {dir}; run it again by\n    SOAK=1 LIMBECK_SEED={seed} make soak\n  and make a fixture of it by\n    mv {dir} fixtures/pairs/KIND/CASE"
            ))
        }
    }
}

/// Writes a case as a pair.
fn leave(seed: u64, case: &Case) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("property")
        .join(seed.to_string());
    std::fs::create_dir_all(&dir).unwrap();
    let pair = scripts(case);
    std::fs::write(dir.join("old.sql"), pair.old).unwrap();
    std::fs::write(dir.join("new.sql"), pair.new).unwrap();
    dir
}

/// Runs seeds until there are none left; returns the refused and the failed ones.
fn work(next: &AtomicU64, first: u64, count: u64, major: u32) -> (Vec<String>, Vec<String>) {
    let bench = Bench::new();
    let (mut refused, mut failed) = (Vec::new(), Vec::new());
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return (refused, failed);
        }
        match run(&bench, first + n, major) {
            End::Held => {}
            End::Refused(why) => refused.push(format!("seed {}: {why}", first + n)),
            End::Failed(why) => {
                println!("{why}\n");
                failed.push(why);
            }
        }
        if (n + 1).is_multiple_of(100) {
            println!("{} of {count} pairs", n + 1);
        }
    }
}

#[test]
fn random_pairs_upgrade_and_downgrade_to_equal_dumps() {
    let (first, count) = (setting("LIMBECK_SEED", 1), setting("SOAK", 40));
    let major = try_cluster().map(|it| it.major()).unwrap();
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let next = AtomicU64::new(0);
    let (mut refused, mut failed) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| work(&next, first, count, major)))
            .collect();
        for it in workers {
            let (some, others) = it.join().unwrap();
            refused.extend(some);
            failed.extend(others);
        }
    });
    refused.iter().for_each(|it| println!("refused: {it}"));
    println!(
        "{} of {count} random pairs fail, {} were refused by the server",
        failed.len(),
        refused.len()
    );
    assert!(
        failed.is_empty(),
        "{} of {count} random pairs fail\n{}",
        failed.len(),
        failed.join("\n\n")
    );
    let bound = count / 5 + 1;
    let most = u64::try_from(refused.len()).unwrap();
    assert!(
        most <= bound,
        "the generator writes too many states that the server refuses\n{}",
        refused.join("\n")
    );
}
