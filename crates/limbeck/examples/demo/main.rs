//! `make demo`: the main job from models to revisions and back, on a throwaway server, in a throwaway folder.
//!
//! Every command line goes through `limbeck::cli::run_with`, as in a program that brings its models along. The walk ends
//! with an error at the first one that does not do what the text around it says.

mod edited;
mod models;
mod screen;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use limbeck::MetaData;
use limbeck_testkit::{Binaries, Cluster, TestDb};

use screen::{Streams, cat, comment, echo, edit, grep, head, say, say_error};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match prepare_and_walk() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&format!("demo: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn prepare_and_walk() -> Result<()> {
    let binaries = Binaries::find()?;
    let cluster = Cluster::start(&binaries)?;
    let folder = tempfile::tempdir()?;
    // So that paths read as they would in a project of one's own.
    std::env::set_current_dir(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let db = TestDb::create_in(&cluster, "library", "template0").await?;
        Demo {
            url: db.url().to_owned(),
        }
        .walk(binaries.version())
        .await
    });
    // A folder that somebody stands in cannot be removed everywhere.
    std::env::set_current_dir(std::env::temp_dir())?;
    done
}

struct Demo {
    url: String,
}

impl Demo {
    async fn walk(&self, version: &str) -> Result<()> {
        let models = models::metadata();
        // `postgres (PostgreSQL) 15.18 (Debian …)`
        let number = version.split(' ').nth(2).unwrap_or_default();
        say(&format!(
            "An application keeps publications, their files, and printed copies to lend. It declares {} tables as Rust\n\
             structs, in crates/limbeck/examples/demo/models.rs. This walk runs in an empty folder, on a throwaway server\n\
             (PostgreSQL {number}). Both are gone when it ends.",
            models.tables.len()
        ))?;
        self.first_revision(&models).await?;
        self.second_revision(&models::edited_metadata()).await?;
        self.way_back(&models).await?;
        say(
            "\nDone. Every step did what it said; otherwise an error would stand here.\n\n\
             What to type next:\n\
             \x20 make test                            every test, on a throwaway server\n\
             \x20 cargo run -p limbeck-cli -- --help   the commands; `help COMMAND` shows examples\n\
             \x20 less README.md                       five minutes with your own models, in Rust or another language\n\
             \x20 less docs/guide.md                   attributes, settings, hazards, coming from Alembic",
        )
    }

    async fn first_revision(&self, models: &MetaData) -> Result<()> {
        comment("A config file and a folder for revisions.")?;
        self.run(&["init"], models, 0).await?;
        comment("The database, which is empty. The models are built into this program.")?;
        echo(&format!("export DATABASE_URL={}", self.url))?;
        comment("Compare both, and write the difference down as a revision.")?;
        let n_known = revisions()?.len();
        self.run(
            &["revision", "--autogenerate", "-m", "First tables"],
            models,
            0,
        )
        .await?;
        let first = newest_revision(n_known)?;
        comment("The file is SQL, the upgrade first. It begins like this:")?;
        head(&first, ");")?;
        comment(
            "Names follow the convention of the models. One of more than 63 bytes is cut, and ends with a hash:",
        )?;
        grep("_run_bib", &first)?;
        comment("Run it. What is in the file is what runs.")?;
        self.run(&["upgrade"], models, 0).await?;
        comment("Do models and database agree now? Exit status 0 says so.")?;
        self.run(&["check"], models, 0).await?;
        self.run(&["current"], models, 0).await
    }

    async fn second_revision(&self, models: &MetaData) -> Result<()> {
        comment(
            "Now the models change: a new status, which an index uses at once, a column with a check, a table of reviews.",
        )?;
        edit(include_str!("models.rs"), include_str!("edited.rs"))?;
        comment("What does that ask of the database? Exit status 1 says that something differs.")?;
        self.run(&["check"], models, 1).await?;
        comment("Write it down. This is the whole file, as a reviewer gets it:")?;
        let n_known = revisions()?.len();
        self.run(
            &[
                "--quiet",
                "revision",
                "--autogenerate",
                "-m",
                "Review records",
            ],
            models,
            0,
        )
        .await?;
        cat(&newest_revision(n_known)?)?;
        comment("Run it, and look again.")?;
        self.run(&["upgrade"], models, 0).await?;
        self.run(&["check"], models, 0).await?;
        self.run(&["history", "--indicate-current"], models, 0)
            .await
    }

    async fn way_back(&self, models: &MetaData) -> Result<()> {
        comment("Undo it, and compare with the models as they were before the edit.")?;
        self.run(&["downgrade", "-1"], models, 0).await?;
        self.run(&["check"], models, 0).await
    }

    /// Runs a command line of Limbeck and insists on its exit status.
    async fn run(&self, args: &[&str], models: &MetaData, expected: u8) -> Result<()> {
        let shown: Vec<String> = args.iter().map(|it| quoted(it)).collect();
        let line = format!("limbeck {}", shown.join(" "));
        echo(&line)?;
        // The option says what the variable says above, whatever the caller's environment holds.
        let line_args = ["limbeck", "--url", &self.url]
            .into_iter()
            .chain(args.iter().copied())
            .map(OsString::from);
        let streams = Streams::default();
        let (mut out, mut err) = (streams.stream(), streams.stream());
        let status =
            limbeck::cli::run_with(line_args, Some(models.clone()), &mut out, &mut err).await;
        streams.note_hidden()?;
        if status != expected {
            return Err(format!(
                "`{line}` ended with exit status {status}, and {expected} was expected"
            )
            .into());
        }
        Ok(())
    }
}

/// The one revision file that is new.
fn newest_revision(n_known: usize) -> Result<PathBuf> {
    let mut files = revisions()?;
    match files.pop() {
        Some((_, path)) if files.len() == n_known => Ok(path),
        _ => Err("the command said that it wrote a revision, and there is no new file".into()),
    }
}

/// The revision files, the oldest first.
fn revisions() -> Result<Vec<(std::time::SystemTime, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir("revisions")? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "sql") {
            files.push((fs::metadata(&path)?.modified()?, path));
        }
    }
    files.sort();
    Ok(files)
}

/// An argument as a shell needs it.
fn quoted(arg: &str) -> String {
    if arg.contains(' ') {
        format!("\"{arg}\"")
    } else {
        arg.to_owned()
    }
}
