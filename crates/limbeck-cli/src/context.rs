//! What every command needs: config, database, models, history.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};

use limbeck_catalog::{
    Attached, Catalog, CompareOptions, Comparison, Ignore, ReadOptions, Unmanaged, Unresolved,
    compare, compare_desired, compare_loaded, needing, read_facts,
};
use limbeck_connect::{Origin, Settings};
use limbeck_metadata::MetaData;
use limbeck_revision::FileNaming;
use limbeck_revision::graph::Direction;
use limbeck_runner::{
    Embedded, Runner, RunnerOptions, Scratch, ScratchOptions, check_replay, execute, load,
    sql_files,
};
use limbeck_schema::{Desired, Ident, Name, Op, Scope, Variables};
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::allow::{Wish, wishes};
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
    /// Whether there is a person at a terminal to answer questions.
    pub asks: bool,
    /// Whether the config file is known to be allowed.
    pub allowed: Cell<bool>,
    /// The connection settings, once they were read.
    pub database: OnceLock<Settings>,
}

/// How messages call the argument that names the current side of a comparison.
const FROM: &str = "FROM";

impl Context<'_> {
    /// The database's connection settings, which are read once: from `--url`, from `DATABASE_URL`, from the config file, or
    /// from libpq's variables.
    ///
    /// # Errors
    /// [`CliError::NoUrl`], and if they cannot be read.
    pub(crate) fn settings(&self) -> Result<&Settings, CliError> {
        if let Some(it) = self.database.get() {
            return Ok(it);
        }
        let settings = self.read_settings()?;
        Ok(self.database.get_or_init(|| settings))
    }

    fn read_settings(&self) -> Result<Settings, CliError> {
        if let Some(url) = &self.global.url {
            return Ok(Settings::parse_argument(url, "--url")?);
        }
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => {
                let origin = Origin::Environment("DATABASE_URL".to_owned());
                return Ok(Settings::parse(&url, origin)?);
            }
            _ => {}
        }
        // Before the string is read: the values of its variables are in what an error says about it.
        for wish in wishes(&self.config) {
            if matches!(wish, Wish::Url(_)) {
                self.require_allowed(&wish)?;
            }
        }
        if let Some(it) = self.config.settings()? {
            return Ok(it);
        }
        Settings::from_environment()?.ok_or(CliError::NoUrl)
    }

    /// A connection to the database.
    ///
    /// # Errors
    /// If there is none, or it cannot be reached.
    pub(crate) async fn connect(&mut self) -> Result<PgConnection, CliError> {
        let settings = self.settings()?.clone();
        self.open_connection(&settings).await
    }

    /// A connection with the given settings. What the user should know about it is said.
    pub(crate) async fn open_connection(
        &mut self,
        settings: &Settings,
    ) -> Result<PgConnection, CliError> {
        let opened = settings.connect().await;
        for notice in settings.take_notices() {
            self.output.warn(&notice);
        }
        Ok(opened?)
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
    pub(crate) async fn runner(&mut self, options: RunnerOptions) -> Result<Runner, CliError> {
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
    pub(crate) async fn inspect(&mut self) -> Result<Catalog, CliError> {
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
        let from = from.map(|it| Source::parse(it, FROM)).transpose()?;
        let target = self.target(to)?;
        let like = self.like(from.as_ref(), &target)?.cloned();
        let companion = match from {
            None => Some(self.settings()?.clone()),
            Some(_) => None,
        };
        let mut current = match from {
            None => Opened::database(self.connect().await?),
            Some(source) => self.open(source, like.as_ref(), purpose).await?,
        };
        let read = self.read_options(&mut current.conn).await?;
        let mut options = CompareOptions {
            read: ReadOptions { companion, ..read },
            ignore: self.ignore(),
            tells_unresolved: true,
            ..CompareOptions::default()
        };
        let rest = match (&target, purpose) {
            // Models do not speak about what Limbeck does not manage.
            (Target::Models(_), Purpose::Report | Purpose::Plan) => Unmanaged::default(),
            _ => current.unmanaged().await?,
        };
        let source = match target {
            Target::Models(load) => {
                let (load, kept) = self.with_variables(load, purpose);
                let it = compare_loaded(&mut current.conn, load, &options).await?;
                let it = with_facts(&mut current.conn, it, purpose).await?;
                self.explain_ignored(&it);
                return Ok(Compared::new(it, rest, kept.try_recv().ok()));
            }
            Target::Source(source) => source,
        };
        let mut other = self.open(source, like.as_ref(), Purpose::Report).await?;
        let read = self.read_options(&mut other.conn).await?;
        let goal = Catalog::read(&mut other.conn, &read).await?;
        let unmanaged = other.unmanaged().await?;
        options.needing = needing(&mut other.conn, &goal, &unmanaged, &rest).await?;
        for conn in [&mut current.conn, &mut other.conn] {
            options.ignore.note_owners(conn).await?;
        }
        other.close().await;
        self.say_unmanaged(&rest, &unmanaged, &options.ignore)?;
        let desired = Desired {
            schema: goal.schema,
            scope: Scope::everything(),
            ..Desired::default()
        };
        let it = compare_desired(&mut current.conn, desired, &options).await?;
        let it = with_facts(&mut current.conn, it, purpose).await?;
        self.explain_ignored(&it);
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
    fn say_unmanaged(
        &mut self,
        current: &Unmanaged,
        desired: &Unmanaged,
        ignore: &Ignore,
    ) -> Result<(), CliError> {
        let (mut current, mut desired) = (current.clone(), desired.clone());
        ignore.retain(&mut current);
        ignore.retain(&mut desired);
        for line in desired.lines() {
            self.output.say(&format!("not managed: {line}"));
        }
        let differences = Unmanaged::differences(&current, &desired);
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
    fn like<'a>(
        &'a self,
        from: Option<&'a Source>,
        target: &'a Target,
    ) -> Result<Option<&'a Settings>, CliError> {
        match (from, target) {
            (Some(Source::Database(it)), _) => return Ok(Some(it)),
            (Some(_), Target::Source(Source::Database(it))) => return Ok(Some(it)),
            _ => {}
        }
        match self.settings() {
            Ok(it) => Ok(Some(it)),
            Err(CliError::NoUrl) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The database that the proof's scratch database is to be like.
    ///
    /// # Errors
    /// If a variable of the config file's URL has no value.
    pub(crate) fn proof_settings(&self, from: Option<&str>) -> Result<Option<Settings>, CliError> {
        let from = from.map(|it| Source::parse(it, FROM)).transpose()?;
        match (from, self.settings()) {
            (Some(Source::Database(it)), _) => Ok(Some(*it)),
            (_, Ok(it)) => Ok(Some(it.clone())),
            (_, Err(CliError::NoUrl)) => Ok(None),
            (_, Err(error)) => Err(error),
        }
    }

    /// A connection to a source's state: to itself if it is a database, else to a scratch database that was brought to it.
    async fn open(
        &mut self,
        source: Source,
        like: Option<&Settings>,
        purpose: Purpose,
    ) -> Result<Opened, CliError> {
        let metadata = match source {
            Source::Database(it) => {
                return Ok(Opened::database(self.open_connection(&it).await?));
            }
            Source::Sql(path) => {
                let files = sql_files(&path)?;
                let scratch = self.scratch(like).await?;
                let mut conn = scratch.connect().await?;
                let loaded = load(&scratch, &mut conn, &files).await;
                for note in loaded.map_err(|error| error.in_scratch(&scratch))? {
                    self.output.say(&note);
                }
                // The files may have changed the connection's settings.
                let _ = conn.close().await;
                return Opened::scratch(scratch).await;
            }
            Source::Revisions(target) => {
                let history = match purpose {
                    Purpose::Report | Purpose::Plan => self.history()?,
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
    pub(crate) async fn scratch(&mut self, like: Option<&Settings>) -> Result<Scratch, CliError> {
        let fallback = self.config.scratch_settings()?;
        if let Some(url) = &self.config.scratch.url {
            self.require_allowed(&Wish::Scratch(url.clone()))?;
        }
        let scratch = Scratch::with(&ScratchOptions {
            target: like,
            fallback: fallback.as_ref(),
            trusted: self.global.trusted,
            statement_timeout: self.config.scratch_timeout(),
        })
        .await;
        for settings in [like, fallback.as_ref()].into_iter().flatten() {
            for notice in settings.take_notices() {
                self.output.warn(&notice);
            }
        }
        let scratch = scratch?;
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
            (Some(text), _, _) => Source::parse(text, "--target")?,
            (None, Some(metadata), _) => return Ok(Target::Models(Box::new(|| Ok(metadata)))),
            (None, None, Some(text)) => {
                let origin = Origin::Config("target of the config file".to_owned());
                let source = Source::parse_in(text, &origin, |it| self.config.resolve(it))?;
                if let (Source::Program(_), Some(command)) = (&source, text.strip_prefix("cmd:")) {
                    self.require_allowed(&Wish::Models(command.trim().to_owned()))?;
                }
                source
            }
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
            let row = conn
                .fetch_one(sqlx::raw_sql("SELECT pg_catalog.current_schema()"))
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
    /// To show what leads there.
    Plan,
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
    /// What cannot be judged or brought about.
    pub unresolved: Vec<Unresolved>,
    /// What of the current database no kind stands for.
    pub unmanaged: Unmanaged,
    /// What hangs on objects of the current database that go; empty until it is asked for.
    pub attached: Attached,
    /// The models, for a new revision, if they have variables.
    pub models: Option<MetaData>,
}

impl Compared {
    /// What differs, without both sides. Their many objects are freed beside, so that nobody waits for it.
    pub(crate) fn into_ops(self) -> (Vec<Op>, Vec<Unresolved>) {
        let Self {
            catalog,
            desired,
            ops,
            unresolved,
            ..
        } = self;
        std::thread::spawn(move || drop((catalog, desired)));
        (ops, unresolved)
    }

    /// The comparison, if all that differs can be brought about.
    ///
    /// # Errors
    /// [`CliError::Unresolved`].
    pub(crate) fn resolved(self) -> Result<Self, CliError> {
        CliError::unresolved(&self.unresolved)?;
        Ok(self)
    }

    fn new(comparison: Comparison, unmanaged: Unmanaged, models: Option<MetaData>) -> Self {
        let Comparison {
            catalog,
            desired,
            ops,
            unresolved,
        } = comparison;
        Self {
            catalog,
            desired,
            ops,
            unresolved,
            unmanaged,
            attached: Attached::new(),
            models,
        }
    }
}

/// Asks the server what a plan of the differences has to know, where there will be one.
async fn with_facts(
    conn: &mut PgConnection,
    mut it: Comparison,
    purpose: Purpose,
) -> Result<Comparison, CliError> {
    if purpose != Purpose::Report && !it.ops.is_empty() {
        it.desired.facts = read_facts(conn, &it.catalog, &it.desired, &it.ops).await?;
    }
    Ok(it)
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
        limbeck_connect::close(conn).await;
        drop(scratch);
    }
}
