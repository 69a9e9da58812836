//! What every command needs: config, database, models, history.

use std::path::PathBuf;

use limbeck_catalog::{
    Catalog, CompareOptions, Comparison, ReadOptions, compare, compare_desired, connect,
};
use limbeck_metadata::MetaData;
use limbeck_revision::{FileNaming, Location};
use limbeck_runner::{History, Runner, RunnerOptions};
use limbeck_schema::{Desired, Ident, Name, Scope};
use sqlx::{PgConnection, Row};

use crate::args::Global;
use crate::config::{Config, REVISIONS};
use crate::error::CliError;
use crate::output::Output;
use crate::source::{Source, read_json, run_program};

/// A command's surroundings.
pub(crate) struct Context<'o> {
    /// Options of every command.
    pub global: Global,
    /// The config file's content.
    pub config: Config,
    /// The models that the program brought along.
    pub metadata: Option<MetaData>,
    /// Where results and talk go.
    pub output: Output<'o>,
}

impl Context<'_> {
    /// The database's URL.
    ///
    /// # Errors
    /// [`CliError::NoUrl`], and if a variable of the config file's has no value.
    pub(crate) fn url(&self) -> Result<String, CliError> {
        if let Some(url) = &self.global.url {
            return Ok(url.clone());
        }
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(url),
            _ => self.config.url()?.ok_or(CliError::NoUrl),
        }
    }

    /// A connection to the database.
    ///
    /// # Errors
    /// If there is none, or it cannot be reached.
    pub(crate) async fn connect(&self) -> Result<PgConnection, CliError> {
        Ok(connect(&self.url()?).await?)
    }

    /// What the runner is told.
    #[must_use]
    pub(crate) fn runner_options(&self) -> RunnerOptions {
        self.config.runner_options()
    }

    /// A runner on the database.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub(crate) async fn runner(&self, options: RunnerOptions) -> Result<Runner, CliError> {
        Ok(Runner::new(self.connect().await?, options).await?)
    }

    /// The folders of revisions.
    #[must_use]
    pub(crate) fn locations(&self) -> Vec<Location> {
        let folders: Vec<PathBuf> = if !self.global.revisions.is_empty() {
            self.global.revisions.clone()
        } else if !self.config.revisions.is_empty() {
            self.config
                .revisions
                .iter()
                .map(|it| self.config.resolve(it))
                .collect()
        } else {
            vec![self.config.resolve(REVISIONS.as_ref())]
        };
        folders
            .into_iter()
            .map(|path| Location {
                path,
                recursive: false,
                branch: None,
            })
            .collect()
    }

    /// The revisions.
    ///
    /// # Errors
    /// If a folder or a file cannot be read, or the files contradict each other.
    pub(crate) fn history(&self) -> Result<History, CliError> {
        Ok(History::load(&self.locations())?)
    }

    /// The revisions of those folders that are there: for a new revision, the first one makes its folder.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub(crate) fn history_so_far(&self) -> Result<History, CliError> {
        let mut locations = self.locations();
        locations.retain(|it| it.path.exists());
        Ok(History::load(&locations)?)
    }

    /// The revisions, with the folders created where they are missing.
    ///
    /// # Errors
    /// As [`Self::history`], and if a folder cannot be created.
    pub(crate) fn history_to_write(&self) -> Result<History, CliError> {
        for Location { path, .. } in self.locations() {
            std::fs::create_dir_all(&path).map_err(|source| CliError::Folder { path, source })?;
        }
        self.history()
    }

    /// How new files are named.
    ///
    /// # Errors
    /// If the config file's template or time zone cannot be used.
    pub(crate) fn naming(&self) -> Result<FileNaming, CliError> {
        use limbeck_revision::filename::{
            DEFAULT_SLUG_LENGTH, DEFAULT_TEMPLATE, DEFAULT_TIME_ZONE,
        };
        let Config {
            file_template,
            timezone,
            truncate_slug_length,
            ..
        } = &self.config;
        Ok(FileNaming::new(
            file_template.as_deref().unwrap_or(DEFAULT_TEMPLATE),
            truncate_slug_length.unwrap_or(DEFAULT_SLUG_LENGTH),
            timezone.as_deref().unwrap_or(DEFAULT_TIME_ZONE),
        )?)
    }

    /// The state of the database.
    ///
    /// # Errors
    /// If it cannot be reached or read.
    pub(crate) async fn inspect(&self) -> Result<Catalog, CliError> {
        let mut conn = self.connect().await?;
        let options = self.read_options(&mut conn).await?;
        Ok(Catalog::read(&mut conn, &options).await?)
    }

    /// The database next to the models.
    ///
    /// # Errors
    /// If either cannot be had, or they cannot be compared.
    pub(crate) async fn compare(&mut self) -> Result<Comparison, CliError> {
        let target = self.target()?;
        let mut conn = self.connect().await?;
        let options = CompareOptions {
            read: self.read_options(&mut conn).await?,
        };
        match target {
            Target::MetaData(metadata) => Ok(compare(&mut conn, &metadata, &options).await?),
            Target::Database(url) => {
                let mut other = connect(&url).await?;
                let read = self.read_options(&mut other).await?;
                let schema = Catalog::read(&mut other, &read).await?.schema;
                let desired = Desired {
                    schema,
                    scope: Scope::everything(),
                    ..Desired::default()
                };
                Ok(compare_desired(&mut conn, desired, &options).await?)
            }
        }
    }

    /// The models: those named by the command line, else those that the program brought along, else those of the config
    /// file.
    fn target(&mut self) -> Result<Target, CliError> {
        let source = match (
            &self.global.target,
            self.metadata.take(),
            &self.config.target,
        ) {
            (Some(text), _, _) => Source::parse(text)?,
            (None, Some(metadata), _) => return Ok(Target::MetaData(Box::new(metadata))),
            (None, None, Some(text)) => Source::parse(text)?.within(|it| self.config.resolve(it)),
            (None, None, None) => return Err(CliError::NoTarget),
        };
        let metadata = match source {
            Source::Json(path) => read_json(&path)?,
            Source::Program(words) => run_program(&words, &self.global.values)?,
            Source::Database(url) => return Ok(Target::Database(url)),
        };
        Ok(Target::MetaData(Box::new(metadata)))
    }

    /// Limbeck's own tables, named as the catalog names them: without the default schema.
    async fn read_options(&self, conn: &mut PgConnection) -> Result<ReadOptions, CliError> {
        let mut own_tables = self.runner_options().own_tables();
        if own_tables.iter().any(|it| it.schema.is_some()) {
            let what = "the default schema";
            let row = sqlx::query("SELECT current_schema()::text")
                .fetch_one(conn)
                .await;
            let schema = row.and_then(|it| it.try_get::<Option<String>, _>(0));
            let schema =
                schema.map_err(|source| limbeck_catalog::CatalogError::Query { what, source })?;
            if let Some(schema) = schema.map(Ident::from) {
                own_tables = own_tables
                    .into_iter()
                    .map(|it: Name| it.in_default(&schema))
                    .collect();
            }
        }
        Ok(ReadOptions { own_tables })
    }
}

/// Models that are at hand.
enum Target {
    MetaData(Box<MetaData>),
    Database(String),
}
