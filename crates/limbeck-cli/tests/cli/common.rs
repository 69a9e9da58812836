//! A database and a folder for one test, and command lines run in it.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "the helpers of a test fail the test"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use limbeck_metadata::MetaData;
use limbeck_testkit::TestDb;
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) folder: TempDir,
    /// What every command line begins with, after the database.
    arguments: [&'static str; 2],
}

/// What a command line came to.
pub(crate) struct Ran {
    pub(crate) status: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) async fn new(label: &str) -> Self {
        Self {
            db: TestDb::create(label).await,
            folder: tempfile::tempdir().unwrap(),
            arguments: ["--revisions", "{}/revisions"],
        }
    }

    /// A test with a copy of the twelve modules in `fixtures/modules`.
    pub(crate) async fn of_modules(label: &str) -> Self {
        let mut world = Self::new(label).await;
        world.use_config();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/modules");
        copy(&fixture, world.folder.path());
        world
    }

    /// Has command lines name the config file of the folder instead of the folder of revisions.
    pub(crate) fn use_config(&mut self) {
        self.arguments = ["-c", "{}/limbeck.toml"];
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Writes a revision; `revises` is empty for a base.
    pub(crate) fn revision(&self, id: &str, revises: &str, upgrade: &str, downgrade: &str) {
        let revises = if revises.is_empty() {
            "<base>"
        } else {
            revises
        };
        let text = format!(
            "-- Do {id}\n--\n-- revision: {id}\n-- revises: {revises}\n\n-- upgrade\n{upgrade}\n\n-- downgrade\n{downgrade}\n"
        );
        self.write(&format!("revisions/{id}.sql"), &text);
    }

    /// The names of the revision files.
    pub(crate) fn written(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path("revisions")) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs a command line with this test's database and revisions; `{}` in it is the folder.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let mut all = vec!["--url", self.db.url()];
        all.extend(self.arguments);
        all.extend_from_slice(args);
        self.run_bare(&all, None).await
    }

    /// Runs a command line as it is.
    pub(crate) async fn run_bare(&self, args: &[&str], metadata: Option<MetaData>) -> Ran {
        let dir = self.folder.path().display().to_string();
        let args = std::iter::once("limbeck".to_owned())
            .chain(args.iter().map(|it| it.replace("{}", &dir)));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status =
            limbeck_cli::run_with(args.map(OsString::from), metadata, &mut out, &mut err).await;
        let text = |bytes| {
            String::from_utf8(bytes)
                .expect("UTF-8")
                .replace(&dir, "DIR")
        };
        Ran {
            status,
            out: text(out),
            err: text(err),
        }
    }

    /// The program itself, with a state folder of the test's own and a command line of this test's database.
    pub(crate) fn program(&self, args: &[&str]) -> Command {
        let dir = self.folder.path().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_limbeck"));
        command
            .args(["--url", self.db.url()])
            .args(args.iter().map(|it| it.replace("{}", &dir)))
            .env("XDG_STATE_HOME", self.path("state"))
            .env_remove("LIMBECK_ALLOW");
        command
    }

    /// Runs [`Self::program`].
    pub(crate) fn run_program(&self, command: &mut Command) -> Ran {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let dir = self.folder.path().display().to_string();
        let text = |bytes| {
            let text = String::from_utf8(bytes).expect("UTF-8");
            text.replace(&dir, "DIR")
        };
        Ran {
            status: output.status.code().unwrap().try_into().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Runs a command line on a terminal where `typed` is typed; gives the status and all that the terminal showed.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_terminal(&self, command: &mut Command, typed: &str) -> Ran {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        use std::io::{Read, Write};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal = std::fs::File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let mut child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(terminal);
        let mut master = std::fs::File::from(master);
        master.write_all(typed.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // Once nobody has the other end open, reading fails.
        let _ = master.read_to_end(&mut bytes);
        let dir = self.folder.path().display().to_string();
        Ran {
            status: child.wait().unwrap().code().unwrap().try_into().unwrap(),
            out: String::from_utf8(bytes)
                .unwrap()
                .replace("\r\n", "\n")
                .replace(&dir, "DIR"),
            err: String::new(),
        }
    }

    /// Runs a command line that has to end well; gives its result.
    pub(crate) async fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args).await;
        assert_eq!(ran.status, 0, "{args:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command line and writes down what it said, as a terminal shows it.
    pub(crate) async fn transcribe(&self, acc: &mut String, args: &[&str]) {
        let ran = self.run(args).await;
        let words: Vec<_> = args
            .iter()
            .map(|it| {
                if it.contains(' ') {
                    format!("\"{it}\"")
                } else {
                    (*it).to_owned()
                }
            })
            .collect();
        acc.push_str(&format!(
            "$ limbeck {}\n",
            words.join(" ").replace("{}/", "")
        ));
        for (prefix, text) in [("", &ran.out), ("stderr: ", &ran.err)] {
            for line in text.lines() {
                acc.push_str(format!("{prefix}{line}").trim_end());
                acc.push('\n');
            }
        }
        if ran.status != 0 {
            acc.push_str(&format!("[status {}]\n", ran.status));
        }
        acc.push('\n');
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(self.db.pool())
            .await
            .expect("a statement");
    }

    /// One column of text as a list.
    pub(crate) async fn query(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(self.db.pool())
            .await
            .expect("a query");
        rows.iter().map(|it| it.get(0)).collect()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Compares with a snapshot in the project's folder for them. Times and folders differ from run to run.
pub(crate) fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../../snapshots/cli");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(
        r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?(\+\d{2}| UTC)",
        "[time]",
    );
    settings.add_filter(r"\(PostgreSQL [\w.]+\)", "(PostgreSQL [version])");
    settings.add_filter(r"took \d+\.\d+ s", "took [seconds]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
