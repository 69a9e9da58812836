//! What every command needs: config, database, models, history.

use std::sync::mpsc::{Receiver, channel};

use limbeck_catalog::{
    Catalog, CompareOptions, Comparison, ReadOptions, Unmanaged, compare, compare_desired,
    compare_loaded, connect,
};
use limbeck_metadata::MetaData;
use limbeck_revision::FileNaming;
use limbeck_revision::graph::Direction;
use limbeck_runner::{
    Embedded, Runner, RunnerOptions, Scratch, ScratchOptions, check_replay, execute, load,
    sql_files,
};
use limbeck_schema::{Desired, Ident, Name, Op, Scope, Variables};
use sqlx::{Connection, PgConnection, Row};

use crate::args::Global;
use crate::config::Config;
use crate::error::{CliError, one_line};
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
    /// The values of the variables in revisions and models.
    pub variables: Variables,
    /// Where results and talk go.
    pub output: Output<'o>,
    /// The throwaway server for scratch databases, once one was needed.
    pub embedded: Option<Embedded>,
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

    /// The database, or the source `from`, next to the models, or the source `to`.
    ///
    /// # Errors
    /// If either cannot be had, or they cannot be compared.
    pub(crate) async fn compare(
        &mut self,
        from: Option<&str>,
        to: Option<&str>,
        purpose: Purpose,
    ) -> Result<Compared, CliError> {
        let from = from.map(Source::parse).transpose()?;
        let target = self.target(to)?;
        let like = self.like(from.as_ref(), &target)?;
        let companion = from.is_none().then(|| self.url()).transpose()?;
        let mut current = match from {
            None => Opened::database(self.connect().await?),
            Some(source) => self.open(source, like.as_deref(), purpose).await?,
        };
        let read = self.read_options(&mut current.conn).await?;
        let options = CompareOptions {
            read: ReadOptions { companion, ..read },
        };
        let rest = match (&target, purpose) {
            // Models do not speak about what Limbeck does not manage.
            (Target::Models(_), Purpose::Report) => Unmanaged::default(),
            _ => current.unmanaged().await?,
        };
        let source = match target {
            Target::Models(load) => {
                let (load, kept) = self.with_variables(load, purpose);
                let it = compare_loaded(&mut current.conn, load, &options).await?;
                return Ok(Compared::new(it, rest, kept.try_recv().ok()));
            }
            Target::Source(source) => source,
        };
        let mut other = self.open(source, like.as_deref(), Purpose::Report).await?;
        let read = self.read_options(&mut other.conn).await?;
        let schema = Catalog::read(&mut other.conn, &read).await?.schema;
        let unmanaged = other.unmanaged().await?;
        other.close().await;
        self.say_unmanaged(&rest, &unmanaged)?;
        let desired = Desired {
            schema,
            scope: Scope::everything(),
            ..Desired::default()
        };
        let it = compare_desired(&mut current.conn, desired, &options).await?;
        Ok(Compared::new(it, rest, None))
    }

    /// Models with the values of variables; and for a new revision, once they are loaded, the models themselves if they
    /// have variables to be written.
    fn with_variables(&self, load: Load, purpose: Purpose) -> (Load, Receiver<MetaData>) {
        let variables = self.variables.clone();
        let (keep, kept) = channel();
        let load = move || {
            let mut models = load()?;
            models.set_variables(&variables);
            if purpose == Purpose::Revision && models.mentions_variables() {
                // Who does not wait for them does not need them.
                let _ = keep.send(models.clone());
            }
            Ok(models)
        };
        (Box::new(load), kept)
    }

    /// Names what is not managed, and warns where it differs.
    fn say_unmanaged(&mut self, current: &Unmanaged, desired: &Unmanaged) -> Result<(), CliError> {
        for line in desired.lines() {
            self.output.say(&format!("not managed: {line}"));
        }
        let differences = Unmanaged::differences(current, desired);
        for line in &differences {
            self.output
                .warn(&format!("not managed, so left as it is: {line}"));
        }
        let n_objects = desired.objects.len().max(differences.len());
        if self.global.strict && n_objects > 0 {
            return Err(CliError::Unmanaged { n_objects });
        }
        Ok(())
    }

    /// The database that scratch databases are to be like; none if no side is one and none is named.
    fn like(&self, from: Option<&Source>, target: &Target) -> Result<Option<String>, CliError> {
        match (from, target) {
            (Some(Source::Database(url)), _) => return Ok(Some(url.clone())),
            (Some(_), Target::Source(Source::Database(url))) => return Ok(Some(url.clone())),
            _ => {}
        }
        match self.url() {
            Ok(url) => Ok(Some(url)),
            Err(CliError::NoUrl) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The database that the proof's scratch database is to be like.
    ///
    /// # Errors
    /// If a variable of the config file's URL has no value.
    pub(crate) fn proof_url(&self, from: Option<&str>) -> Result<Option<String>, CliError> {
        match (from.map(Source::parse).transpose()?, self.url()) {
            (Some(Source::Database(url)), _) | (_, Ok(url)) => Ok(Some(url)),
            (_, Err(CliError::NoUrl)) => Ok(None),
            (_, Err(error)) => Err(error),
        }
    }

    /// A connection to a source's state: to itself if it is a database, else to a scratch database that was brought to it.
    async fn open(
        &mut self,
        source: Source,
        like: Option<&str>,
        purpose: Purpose,
    ) -> Result<Opened, CliError> {
        let metadata = match source {
            Source::Database(url) => return Ok(Opened::database(connect(&url).await?)),
            Source::Sql(path) => {
                let files = sql_files(&path)?;
                let scratch = self.scratch(like).await?;
                let mut conn = scratch.connect().await?;
                let loaded = load(&scratch, &mut conn, &files).await;
                loaded.map_err(|error| error.in_scratch(&scratch))?;
                // The files may have changed the connection's settings.
                let _ = conn.close().await;
                return Opened::scratch(scratch).await;
            }
            Source::Revisions(target) => {
                let history = match purpose {
                    Purpose::Report => self.history()?,
                    Purpose::Revision => self.history_so_far()?,
                };
                let scratch = self.scratch(like).await?;
                let options = self.runner_options();
                let steps = history.graph.upgrade(&target, &[])?;
                let mut conn = scratch.connect().await?;
                check_replay(&mut conn, &history, &steps, &[Direction::Upgrade]).await?;
                let mut runner = Runner::in_scratch(&scratch, conn, options).await?;
                let output = &mut self.output;
                runner
                    .upgrade(&history, &target, &mut |event| output.explain_event(&event))
                    .await
                    .map_err(|error| error.in_scratch(&scratch))?;
                return Opened::scratch(scratch).await;
            }
            Source::Json(path) => read_json(&path)?,
            Source::Program(words) => run_program(&words, &self.program_values())?,
        };
        let mut metadata = metadata;
        metadata.set_variables(&self.variables);
        let mut opened = Opened::scratch(self.scratch(like).await?).await?;
        opened.build(&metadata).await?;
        Ok(opened)
    }

    /// An empty scratch database.
    ///
    /// # Errors
    /// If none can be had.
    pub(crate) async fn scratch(&mut self, like: Option<&str>) -> Result<Scratch, CliError> {
        let fallback = self.config.scratch_url()?;
        let scratch = Scratch::with(&ScratchOptions {
            target: like,
            fallback: fallback.as_deref(),
            trusted: self.global.trusted,
            statement_timeout: self.config.scratch_timeout(),
        })
        .await?;
        if let Some(it) = scratch.embedded() {
            self.output
                .explain("a throwaway server is started for scratch databases");
            self.embedded = Some(it);
        }
        self.output
            .explain(&format!("scratch database {}", scratch.name()));
        Ok(scratch)
    }

    /// The models: those named by the command line, else those that the program brought along, else those of the config
    /// file.
    fn target(&mut self, to: Option<&str>) -> Result<Target, CliError> {
        let source = match (
            to.or(self.global.target.as_deref()),
            self.metadata.take(),
            &self.config.target,
        ) {
            (Some(text), _, _) => Source::parse(text)?,
            (None, Some(metadata), _) => return Ok(Target::Models(Box::new(|| Ok(metadata)))),
            (None, None, Some(text)) => Source::parse_in(text, |it| self.config.resolve(it))?,
            (None, None, None) => return Err(CliError::NoTarget),
        };
        Ok(match source {
            Source::Json(path) => Target::Models(Box::new(move || read_json(&path))),
            Source::Program(words) => {
                let values = self.program_values();
                Target::Models(Box::new(move || run_program(&words, &values)))
            }
            it @ (Source::Database(_) | Source::Sql(_) | Source::Revisions(_)) => {
                Target::Source(it)
            }
        })
    }

    /// What a program that prints models finds in its environment: the variables, and what else `-x` says.
    fn program_values(&self) -> Vec<(String, String)> {
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        variables.chain(self.global.values.clone()).collect()
    }

    /// Limbeck's own tables, named as the catalog names them: without the default schema.
    pub(crate) async fn read_options(
        &self,
        conn: &mut PgConnection,
    ) -> Result<ReadOptions, CliError> {
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
        let companion = None;
        Ok(ReadOptions {
            own_tables,
            companion,
        })
    }
}

/// What a comparison is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To say what differs.
    Report,
    /// To write a revision and try it.
    Revision,
}

/// Both sides of a comparison, and what of the current one is not managed.
pub(crate) struct Compared {
    /// The current state.
    pub catalog: Catalog,
    /// The desired state, spelled like the current one where both are equal.
    pub desired: Desired,
    /// What differs.
    pub ops: Vec<Op>,
    /// What of the current database no kind stands for.
    pub unmanaged: Unmanaged,
    /// The models, for a new revision, if they have variables.
    pub models: Option<MetaData>,
}

impl Compared {
    /// What differs, without both sides. Their many objects are freed beside, so that nobody waits for it.
    pub(crate) fn into_ops(self) -> Vec<Op> {
        let Self {
            catalog,
            desired,
            ops,
            ..
        } = self;
        std::thread::spawn(move || drop((catalog, desired)));
        ops
    }

    fn new(comparison: Comparison, unmanaged: Unmanaged, models: Option<MetaData>) -> Self {
        let Comparison {
            catalog,
            desired,
            ops,
        } = comparison;
        Self {
            catalog,
            desired,
            ops,
            unmanaged,
            models,
        }
    }
}

/// What loads models.
type Load = Box<dyn FnOnce() -> Result<MetaData, CliError> + Send>;

/// What is to be reached.
enum Target {
    /// Declared models, loaded while the database is read.
    Models(Load),
    /// A state that a database holds or is brought to.
    Source(Source),
}

/// A database with a source's state.
struct Opened {
    conn: PgConnection,
    /// It lives as long as the connection.
    scratch: Option<Scratch>,
}

impl Opened {
    fn database(conn: PgConnection) -> Self {
        Self {
            conn,
            scratch: None,
        }
    }

    async fn scratch(scratch: Scratch) -> Result<Self, CliError> {
        Ok(Self {
            conn: scratch.connect().await?,
            scratch: Some(scratch),
        })
    }

    /// Brings an empty database to declared models.
    async fn build(&mut self, metadata: &MetaData) -> Result<(), CliError> {
        let it = compare(&mut self.conn, metadata, &CompareOptions::default()).await?;
        let migration =
            limbeck_plan::migration(&it.catalog.schema, &it.desired, it.catalog.version)?;
        let rights = self.scratch.as_ref().and_then(Scratch::rights);
        for statement in migration.upgrade.statements() {
            execute(rights.as_ref(), &mut self.conn, &statement.sql)
                .await
                .map_err(|source| CliError::Build {
                    statement: one_line(&statement.sql),
                    source,
                })?;
        }
        Ok(())
    }

    /// What of it no kind stands for.
    async fn unmanaged(&mut self) -> Result<Unmanaged, CliError> {
        Ok(match &self.scratch {
            Some(scratch) => scratch.unmanaged(&mut self.conn).await?,
            None => Unmanaged::read(&mut self.conn).await?,
        })
    }

    /// Ends it before its time, so that two scratch databases need not be held longer than one is used.
    async fn close(self) {
        let Self { conn, scratch } = self;
        let _ = conn.close().await;
        drop(scratch);
    }
}
