//! The arguments of `import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use limbeck_revision::Dependency;

/// `import`.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Write Alembic's revisions as revision files, with the same ids, labels and dependencies
    #[command(
        after_help = "Examples:\n  limbeck import alembic migrations/versions --alembic alembic\n  limbeck import alembic migrations/versions \
                      --alembic \"poetry run alembic -c app.ini\"\n  limbeck import alembic migrations/versions --sql \
                      upgrade.sql --sql downgrade.sql\n  limbeck import alembic users/alembic records/alembic --sql \
                      recorded.sql --depends-on \"f252=9e31 if present\""
    )]
    Alembic(ImportAlembic),
}

/// `import alembic`.
#[derive(Debug, Args)]
pub(crate) struct ImportAlembic {
    /// Alembic's versions folders
    #[arg(id = "folders", value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// The program that prints the SQL of revisions; it is run as `alembic upgrade heads --sql` and with single revisions.
    /// It runs the folder's Python files, so without this option it is asked about on a terminal and refused elsewhere
    /// [default: alembic]
    #[arg(long, value_name = "CMD")]
    pub alembic: Option<String>,
    /// Take the SQL from a script that `alembic upgrade --sql`, `alembic downgrade --sql` or the recorder wrote, and run
    /// nothing; repeatable
    #[arg(id = "scripts", long = "sql", value_name = "FILE")]
    pub scripts: Vec<PathBuf>,
    /// What a revision depends on, where its file computes that: "REV=REV, REV if present"; repeatable
    #[arg(long, value_name = "REV=REVS", value_parser = dependencies)]
    pub depends_on: Vec<(String, Vec<Dependency>)>,
    /// The folder for the files, where there are several [default: that of their branch]
    #[arg(long, alias = "path", value_name = "DIR")]
    pub version_path: Option<PathBuf>,
}

fn dependencies(text: &str) -> Result<(String, Vec<Dependency>), String> {
    let Some((revision, list)) = text.split_once('=') else {
        return Err("write it as \"REV=REV, REV if present\"".to_owned());
    };
    let items = list.split(',').map(str::trim).filter(|it| !it.is_empty());
    let dependency = |it: &str| match it.strip_suffix(" if present") {
        Some(target) => Dependency {
            target: target.trim().to_owned(),
            if_present: true,
        },
        None => Dependency {
            target: it.to_owned(),
            if_present: false,
        },
    };
    Ok((revision.trim().to_owned(), items.map(dependency).collect()))
}
