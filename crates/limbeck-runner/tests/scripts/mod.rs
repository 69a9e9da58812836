//! Scripts run by psql leave what a run leaves, for linear and for branched histories.

use std::path::{Path, PathBuf};

use crate::common::World;
use limbeck_revision::{Location, RevisionId};
use limbeck_runner::{History, Runner, RunnerOptions, script};
use limbeck_testkit::{TestDb, dump_objects, pg_dump, psql};

/// What a database holds, and its version rows.
async fn state(db: &TestDb) -> (Vec<String>, Vec<String>) {
    let objects = dump_objects(&pg_dump(db.url()).unwrap());
    let sql = "SELECT version_num::text FROM limbeck_version ORDER BY 1";
    let rows = sqlx::query_scalar(sql).fetch_all(db.pool()).await.unwrap();
    (objects, rows)
}

/// Walks `up`, then `down`, target by target, in one database by runs and in another by scripts of the same ranges.
async fn check(history: &History, up: &[&str], down: &[&str]) {
    let options = RunnerOptions::default();
    let (direct, scripted) = (
        TestDb::create("direct").await,
        TestDb::create("scripted").await,
    );
    let mut runner = Runner::new(direct.connect().await.unwrap(), options.clone())
        .await
        .unwrap();
    let legs = up.iter().map(|it| (true, it));
    for (upwards, target) in legs.chain(down.iter().map(|it| (false, it))) {
        let rows: Vec<RevisionId> = runner.rows().await.unwrap();
        let graph = &history.graph;
        let steps = if upwards {
            runner.upgrade(history, target, &mut |_| ()).await.unwrap();
            graph.upgrade(target, &rows).unwrap()
        } else {
            runner
                .downgrade(history, target, &mut |_| ())
                .await
                .unwrap();
            graph.downgrade(target, &rows).unwrap()
        };
        let text = script(history, &steps, &rows, &options).unwrap();
        psql(scripted.url(), &text).unwrap();
        assert_eq!(state(&scripted).await, state(&direct).await, "{target}");
    }
}

#[tokio::test]
async fn a_linear_history_by_scripts_is_one_by_runs() {
    let world = World::new("linear").await;
    world.tables(3);
    let concurrently = "-- segment: transaction\nALTER TABLE t3 ADD a text DEFAULT ';'\n-- segment: no transaction\nCREATE INDEX \
                        CONCURRENTLY i1 ON t1 (id);\nCREATE INDEX CONCURRENTLY i2 ON t2 (id)\n-- segment: transaction\nCREATE \
                        FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'BEGIN; it''s -- no comment' $$";
    let back = "-- segment: no transaction\nDROP INDEX CONCURRENTLY i1;\nDROP INDEX CONCURRENTLY i2;\n-- segment: \
                transaction\nDROP FUNCTION f;\nALTER TABLE t3 DROP a";
    world.revision("r004", "r003", concurrently, back);
    world.revision("r005", "r004", "", "");
    let history = world.history();
    check(&history, &["+2", "heads"], &["-1", "r003", "base"]).await;
}

#[tokio::test]
async fn a_branched_history_by_scripts_is_one_by_runs() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/modules");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(modules)
        .unwrap()
        .map(|it| it.unwrap().path().join("revisions"))
        .filter(|it| it.is_dir())
        .collect();
    folders.sort();
    let location = |path| Location {
        path,
        recursive: true,
        branch: None,
    };
    let locations: Vec<_> = folders.into_iter().map(location).collect();
    let history = History::load(&locations).unwrap();
    check(
        &history,
        &["accounts@head", "records@head", "heads"],
        &["rdm@base", "communities@-1", "accounts@base", "base"],
    )
    .await;
}
