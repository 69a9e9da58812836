//! The crash walk: runs of a history of twenty revisions that are killed, asked to end or cut off, at statement boundaries
//! and at random moments. Run again, each ends in the state of an undisturbed run, or with a question that only people can
//! answer; answered with the truth, it ends there too.
//!
//! `make crash-walk` walks to every boundary and to 200 random moments of each form of `--transaction`. `CRASH_WALK=50`
//! walks to 50 of each; without it, a small sample is taken. `LIMBECK_SEED` repeats a walk.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use limbeck_testkit::{TestDb, dump_objects, pg_dump, pg_dump_rows};
use tempfile::TempDir;

use crate::proxy::{Hit, Proxy, Side, port};

/// How a run is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    Term,
    Int,
    Hup,
    Cut,
}

const BLOWS: [Blow; 5] = [Blow::Kill, Blow::Term, Blow::Int, Blow::Hup, Blow::Cut];

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Statement(usize, Side),
    After(Duration),
}

/// A form of `--transaction` with its history, a database to begin with, and where a run ends.
struct Course {
    form: &'static str,
    folder: TempDir,
    template: TestDb,
    end: State,
    n_statements: usize,
    took: Duration,
}

#[derive(Default)]
struct State {
    schema: Vec<String>,
    rows: Vec<String>,
    version: Vec<String>,
    log: Vec<String>,
}

/// Numbers that depend on the seed alone.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        // The constants are those of splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }
}

/// What is there before the first revision.
const BEGINNING: &str = "
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT n, n FROM generate_series(1, 50) n;
CREATE TABLE batch (n int);
CREATE PROCEDURE work(first int) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO batch VALUES (first);
    COMMIT;
    PERFORM pg_sleep(0.005);
    INSERT INTO batch VALUES (first + 1);
    COMMIT;
END
$$;
CREATE SCHEMA other;
";

/// Revision number `n`; `alone` says whether segments outside transactions are allowed.
fn upgrade(n: usize, alone: bool, major: u32) -> String {
    let outside = if alone {
        "-- segment: no transaction\n"
    } else {
        ""
    };
    let inside = if alone {
        "-- segment: transaction\n"
    } else {
        ""
    };
    let concurrently = if alone { " CONCURRENTLY" } else { "" };
    let table = format!(
        "CREATE TABLE t{n} (id int PRIMARY KEY, a int);\nINSERT INTO t{n} SELECT i, i FROM generate_series(1, 20) i;\n"
    );
    match n % 10 {
        1 => format!("{table}SELECT pg_sleep(0.005);\nCREATE INDEX ON t{n} (a);"),
        2 => format!(
            "{outside}UPDATE account SET balance = balance * 2;\nINSERT INTO account VALUES ({n}00, 1);\nDELETE FROM account WHERE id = {n};"
        ),
        3 => format!(
            "{inside}{table}{outside}CREATE INDEX /* big */{concurrently} IF NOT EXISTS i{n} ON t{n} (a);\nCREATE INDEX{concurrently} ON t{n} (a, id);\n{inside}ALTER TABLE t{n} ADD b int;"
        ),
        4 if alone => format!(
            "{inside}CREATE TYPE mood{n} AS ENUM ('a');\n{outside}ALTER TYPE mood{n} ADD VALUE 'b';\nALTER TYPE mood{n} ADD VALUE IF NOT EXISTS 'c' BEFORE 'b';\n{inside}CREATE TABLE m{n} (m mood{n} DEFAULT 'b');\nINSERT INTO m{n} VALUES ('c');"
        ),
        4 => format!("CREATE TYPE mood{n} AS ENUM ('a', 'c', 'b');"),
        5 => format!(
            "{inside}{table}CREATE INDEX d{n} ON t{n} (a);\n{outside}REINDEX TABLE{concurrently} t{n};\nDROP INDEX{concurrently} d{n};"
        ),
        6 => {
            let (detach, concurrently) = match alone && major >= 14 {
                true => (outside, " CONCURRENTLY"),
                false => ("", ""),
            };
            format!(
                "{inside}CREATE TABLE p{n} (id int) PARTITION BY RANGE (id);\nCREATE TABLE p{n}_1 PARTITION OF p{n} FOR VALUES FROM (1) TO (9);\nINSERT INTO p{n} VALUES (1), (2);\n{detach}ALTER TABLE p{n} DETACH PARTITION p{n}_1{concurrently};"
            )
        }
        7 if alone => format!(
            "{outside}SET search_path = other;\nCREATE TABLE o{n} (id int);\nBEGIN;\nINSERT INTO o{n} VALUES (1);\nINSERT INTO o{n} VALUES (2);\nCOMMIT;\nINSERT INTO o{n} SELECT id + 2 FROM o{n};"
        ),
        7 => format!("SET search_path = other;\nCREATE TABLE o{n} (id int);"),
        8 if alone => format!("{outside}CALL work({n});\nINSERT INTO batch VALUES (-{n});"),
        8 => format!("INSERT INTO batch VALUES ({n});"),
        9 => format!("{table}SET lock_timeout = '1min';\nSET SESSION AUTHORIZATION pg_monitor;"),
        _ => format!(
            "{outside}INSERT INTO account SELECT {n}000 + i, i FROM generate_series(1, 30) i;\n{}",
            if alone { "VACUUM account;" } else { "" }
        ),
    }
}

/// Starts a run of the course's history.
fn run(course: &Course, url: &str, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_limbeck"))
        .args(["--url", url, "--revisions"])
        .arg(course.folder.path())
        .args(["upgrade", "--transaction", course.form])
        .args(more)
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

impl Course {
    async fn new(form: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = TestDb::create("walk").await;
        execute(&template, BEGINNING).await;
        let version = texts(&template, "SELECT current_setting('server_version_num')").await;
        let major = version[0].parse::<u32>().unwrap() / 10_000;
        // A database that somebody is connected to is no template.
        template.close().await;
        for n in 1..=20 {
            let revises = match n {
                1 => "<base>".to_owned(),
                n => format!("r{:02}", n - 1),
            };
            let text = format!(
                "-- Do {n}\n--\n-- revision: r{n:02}\n-- revises: {revises}\n\n-- upgrade\n{}\n\n-- downgrade\n",
                upgrade(n, form == "segment", major)
            );
            std::fs::write(folder.path().join(format!("r{n:02}.sql")), text).unwrap();
        }
        let mut course = Self {
            form,
            folder,
            template,
            end: State::default(),
            n_statements: 0,
            took: Duration::ZERO,
        };
        let db = course.database().await;
        let proxy = Proxy::start(port(db.url()));
        let since = Instant::now();
        let output = run(&course, &proxy.url(db.url()), &[])
            .wait_with_output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        course.took = since.elapsed();
        course.n_statements = proxy.count();
        course.end = State::of(&db).await;
        course
    }

    async fn database(&self) -> TestDb {
        TestDb::from_template("walked", self.template.name()).await
    }

    /// Disturbs one run, and takes it up until it is through. Returns whether a question was asked.
    async fn walk(&self, blow: Blow, moment: Moment) -> bool {
        let place = format!("--transaction {}, {blow:?} at {moment:?}", self.form);
        let db = self.database().await;
        let proxy = Proxy::start(port(db.url()));
        let (send, strike) = channel();
        if let Moment::Statement(at, side) = moment {
            let (done, strike_done) = channel::<()>();
            let act = move || {
                send.send(done).unwrap();
                // The blow falls before the statement goes on.
                let _ = strike_done.recv();
                blow == Blow::Cut
            };
            proxy.hit(Hit {
                at,
                side,
                act: Box::new(act),
            });
        }
        let mut child = run(self, &proxy.url(db.url()), &[]);
        match moment {
            Moment::After(delay) => {
                std::thread::sleep(delay);
                self.strike(blow, &mut child, &proxy);
            }
            Moment::Statement(..) => {
                // A run that ends before that statement is not disturbed at all.
                while child.try_wait().unwrap().is_none() {
                    if let Ok(_done) = strike.recv_timeout(Duration::from_millis(5)) {
                        self.strike(blow, &mut child, &proxy);
                        break;
                    }
                }
            }
        }
        let output = child.wait_with_output().unwrap();
        drop(proxy);
        let asked = self.take_up(&db, &place, &said(&output)).await;
        let differences = State::of(&db).await.differences(&self.end);
        assert!(differences.is_empty(), "{place}: {differences:#?}");
        asked
    }

    fn strike(&self, blow: Blow, child: &mut Child, proxy: &Proxy) {
        let signal = match blow {
            Blow::Kill => return child.kill().unwrap(),
            Blow::Cut => return proxy.cut(),
            Blow::Term => "-TERM",
            Blow::Int => "-INT",
            Blow::Hup => "-HUP",
        };
        // It may have ended already.
        let _ = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .stderr(Stdio::null())
            .status();
    }

    /// Runs again until the history is through.
    async fn take_up(&self, db: &TestDb, place: &str, first: &str) -> bool {
        let mut more: Vec<&str> = Vec::new();
        let mut story = first.to_owned();
        let mut asked = false;
        for _ in 0..4 {
            let output = run(self, db.url(), &more).wait_with_output().unwrap();
            story.push_str(&format!("---- {more:?}\n{}", said(&output)));
            if output.status.success() {
                return asked;
            }
            assert!(
                said(&output).contains("--resume done") && said(&output).contains("CALL work("),
                "{place}: {story}"
            );
            asked = true;
            more = vec!["--resume", self.answer(db).await];
        }
        panic!("{place}: {story}");
    }

    /// The truth about a procedure that commits on its way: done, to be run again, or done in part, which is completed.
    async fn answer(&self, db: &TestDb) -> &'static str {
        let half = "SELECT n::text FROM batch a WHERE n IN (8, 18) AND NOT EXISTS (SELECT FROM batch b WHERE b.n = a.n + 1)";
        let n_done = "SELECT count(*)::text FROM batch WHERE n = (SELECT CASE revision WHEN 'r08' THEN 9 ELSE 19 END \
                      FROM limbeck_log ORDER BY id DESC LIMIT 1)";
        match texts(db, half).await.first() {
            Some(n) => {
                execute(db, &format!("INSERT INTO batch VALUES ({n} + 1)")).await;
                "done"
            }
            None if texts(db, n_done).await == ["1"] => "done",
            None => "again",
        }
    }
}

impl State {
    /// What only one of two states has.
    fn differences(&self, other: &Self) -> Vec<String> {
        let pairs = [
            (&self.schema, &other.schema),
            (&self.rows, &other.rows),
            (&self.version, &other.version),
            (&self.log, &other.log),
        ];
        let only = |a: &[String], b: &[String], mark: char| -> Vec<String> {
            let missing = a.iter().filter(|it| !b.contains(it));
            missing.map(|it| format!("{mark} {it}")).collect()
        };
        let mut differences = Vec::new();
        for (a, b) in pairs {
            differences.extend(only(a, b, '+'));
            differences.extend(only(b, a, '-'));
            if a.len() != b.len() {
                differences.push(format!("{} instead of {}", a.len(), b.len()));
            }
        }
        differences
    }

    async fn of(db: &TestDb) -> Self {
        Self {
            schema: dump_objects(&pg_dump(db.url()).unwrap()),
            rows: pg_dump_rows(db.url()).unwrap(),
            version: texts(db, "SELECT version_num::text FROM limbeck_version ORDER BY 1").await,
            log: texts(
                db,
                "SELECT concat_ws(' ', revision, direction, segment, segments, statement, checksum, error) \
                 FROM limbeck_log WHERE finished IS NOT NULL ORDER BY id",
            )
            .await,
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn execute(db: &TestDb, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(db.pool())
        .await
        .unwrap();
}

async fn texts(db: &TestDb, sql: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_all(db.pool())
        .await
        .unwrap()
}

/// How many boundaries and random moments of each form are walked to; none for all boundaries.
fn extent() -> (Option<usize>, usize) {
    match std::env::var("CRASH_WALK").as_deref() {
        Ok("all") => (None, 200),
        Ok(n) => (Some(n.parse().unwrap()), n.parse().unwrap()),
        Err(_) => (Some(8), 8),
    }
}

async fn check(form: &'static str) {
    let seed = match std::env::var("LIMBECK_SEED") {
        Ok(it) => it.parse().unwrap(),
        Err(_) => 1,
    };
    let mut numbers = Numbers(seed);
    let course = Course::new(form).await;
    let (n_boundaries, n_moments) = extent();
    let sides = [Side::Before, Side::After];
    let boundaries: Vec<_> = match n_boundaries {
        None => (1..=course.n_statements)
            .flat_map(|at| sides.map(|side| (at, side)))
            .flat_map(|(at, side)| BLOWS.map(|blow| (blow, Moment::Statement(at, side))))
            .filter(|(blow, moment)| {
                // A signal before a statement is one after the statement before it.
                matches!(moment, Moment::Statement(_, Side::After))
                    || matches!(blow, Blow::Kill | Blow::Cut)
            })
            .collect(),
        Some(n) => (0..n)
            .map(|k| {
                let at = 1 + numbers.below(course.n_statements);
                let blow = BLOWS[k % BLOWS.len()];
                (blow, Moment::Statement(at, sides[numbers.below(2)]))
            })
            .collect(),
    };
    let took = usize::try_from(course.took.as_millis()).unwrap();
    let moments = (0..n_moments).map(|k| {
        let delay = Duration::from_millis(numbers.below(took) as u64);
        (BLOWS[k % BLOWS.len()], Moment::After(delay))
    });
    let mut n_asked = 0;
    let n_points = boundaries.len() + n_moments;
    for (blow, moment) in boundaries.into_iter().chain(moments) {
        n_asked += usize::from(course.walk(blow, moment).await);
    }
    report(&format!(
        "crash walk --transaction {form}, seed {seed}: {n_points} points, {} of them at the boundaries of {} statements; \
         {n_asked} ended in a question",
        n_points - n_moments,
        course.n_statements
    ));
}

#[expect(clippy::print_stdout, reason = "a walk says how far it went")]
fn report(line: &str) {
    println!("{line}");
}

#[tokio::test]
async fn a_disturbed_run_by_segments_ends_where_an_undisturbed_one_does() {
    check("segment").await;
}

#[tokio::test]
async fn so_does_one_by_revisions() {
    check("revision").await;
}

#[tokio::test]
async fn so_does_one_in_one_transaction() {
    check("run").await;
}
