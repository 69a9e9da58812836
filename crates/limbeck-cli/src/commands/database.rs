//! `db`: the database itself, and all that the models declare at once, without revisions. The commands are Invenio's.

use std::collections::BTreeSet;

use limbeck_plan::{Plan, migration, outline, plan};
use limbeck_revision::RevisionId;
use limbeck_schema::{Desired, Ident, Key, Name, Op, Schema};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::Outcome;
use crate::args::{Db, Destroy};
use crate::context::{Context, Purpose};
use crate::error::{CliError, one_line};

/// SQLSTATE insufficient_privilege.
const NO_PRIVILEGE: &str = "42501";
/// SQLSTATE duplicate_database: somebody was faster.
const DUPLICATE_DATABASE: &str = "42P04";
/// SQLSTATE object_in_use: others are connected.
const IN_USE: &str = "55006";
/// SQLSTATE dependent_objects_still_exist.
const NEEDED: &str = "2BP01";

/// How many objects a message names.
const SHOWN: usize = 3;

impl Context<'_> {
    pub(super) async fn database(&mut self, command: &Db) -> Result<Outcome, CliError> {
        match command {
            Db::Init => self.create_database().await,
            Db::Create => self.create_all().await,
            Db::Drop(it) => self.drop_all(it.yes_i_know).await,
            Db::Destroy(it) => self.drop_database(it).await,
        }
    }

    async fn create_database(&mut self) -> Result<Outcome, CliError> {
        let Server { mut conn, name } = self.server().await?;
        let sql = format!("CREATE DATABASE {}", Ident::new(&name));
        let created = match run(&mut conn, &sql).await {
            Err(error) if code(&error).as_deref() == Some(DUPLICATE_DATABASE) => false,
            Err(error) => return Err(refused(format!("create the database {name}"), error)),
            Ok(()) => true,
        };
        self.tell_database(&name, "created", created)?;
        if !created {
            self.output
                .say(&format!("database {name} is there already"));
        }
        Ok(Outcome::Agree)
    }

    async fn drop_database(&mut self, options: &Destroy) -> Result<Outcome, CliError> {
        let Server { mut conn, name } = self.server().await?;
        if !options.yes_i_know {
            return Err(CliError::NotConfirmed {
                what: format!("the whole database {name}"),
            });
        }
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = {})",
            limbeck_schema::Literal(&name)
        );
        let found = limbeck_catalog::own_row(&mut conn, &sql).await;
        let found = found.and_then(|row| sqlx::Row::try_get::<bool, _>(&row, 0));
        let doing = || format!("drop the database {name}");
        let found = found.map_err(|error| refused(doing(), error))?;
        if found {
            let force = if options.force { " WITH (FORCE)" } else { "" };
            let sql = format!("DROP DATABASE IF EXISTS {}{force}", Ident::new(&name));
            run(&mut conn, &sql)
                .await
                .map_err(|error| refused(doing(), error))?;
        }
        self.tell_database(&name, "dropped", found)?;
        if !found {
            self.output.say(&format!("there is no database {name}"));
        }
        Ok(Outcome::Agree)
    }

    fn tell_database(&mut self, name: &str, word: &str, done: bool) -> Result<(), CliError> {
        if self.output.json {
            return self
                .output
                .json(&serde_json::json!({ "database": name, word: done }));
        }
        if done {
            self.output.line(&format!("{word} database {name}"));
        }
        Ok(())
    }

    /// A connection to the database's server that is not to the database itself.
    async fn server(&mut self) -> Result<Server, CliError> {
        let settings = self.settings()?.clone();
        let name = settings.database().to_owned();
        let mut trouble = None;
        for other in ["postgres", "template1"] {
            if other == name {
                continue;
            }
            match self.open_connection(&settings.with_database(other)).await {
                Ok(conn) => return Ok(Server { conn, name }),
                Err(error) => drop(trouble.get_or_insert(error)),
            }
        }
        Err(trouble.unwrap_or(CliError::NoUrl))
    }

    /// Creates what the models declare and is not there, then says that the database is at the heads.
    async fn create_all(&mut self) -> Result<Outcome, CliError> {
        let history = self.history_so_far()?;
        let mut heads: Vec<RevisionId> = history
            .graph
            .real_heads()
            .iter()
            .map(|it| it.id.clone())
            .collect();
        heads.sort();
        let mut runner = self.runner(self.runner_options()).await?;
        let rows = runner.rows().await?;
        if !rows.is_empty() && rows != heads {
            let rows: Vec<_> = rows.iter().map(RevisionId::as_str).collect();
            return Err(CliError::NotEmpty {
                problem: format!(
                    "the version table says {}: `limbeck upgrade` brings the database to the heads",
                    rows.join(", ")
                ),
            });
        }
        let compared = self
            .compare(None, None, Purpose::Report)
            .await?
            .resolved()?;
        let kept: Vec<String> = outline(&compared.ops)
            .into_iter()
            .filter(|it| !matches!(it, Op::Create(_)))
            .map(|it| one_line(&it.to_string()))
            .collect();
        if !kept.is_empty() {
            return Err(CliError::NotEmpty {
                problem: format!(
                    "the models ask for {}; `limbeck diff` shows all of it, and `limbeck revision --autogenerate` writes \
                     a revision for it",
                    some(&kept)
                ),
            });
        }
        let upgrade = migration(
            &compared.catalog.schema,
            &compared.desired,
            compared.catalog.version,
        )?
        .upgrade;
        let mut conn = self.connect().await?;
        run_plan(&mut conn, &upgrade, "create what the models declare", &[]).await?;
        if rows.is_empty() && !heads.is_empty() {
            runner
                .stamp(&history, &["heads"], false, &mut |_| ())
                .await?;
        }
        let created = lines(&compared.ops);
        if self.output.json {
            self.output
                .json(&serde_json::json!({ "created": created, "current": heads }))?;
            return Ok(Outcome::Agree);
        }
        for line in &created {
            self.output.line(line);
        }
        if created.is_empty() {
            self.output.say("nothing to create: all of it is there");
        }
        if !heads.is_empty() {
            let heads: Vec<_> = heads.iter().map(RevisionId::as_str).collect();
            self.output
                .say(&format!("the database is at {}", heads.join(", ")));
        }
        Ok(Outcome::Agree)
    }

    /// Drops what the models declare and is there, with all its parts, and Limbeck's own tables.
    async fn drop_all(&mut self, yes_i_know: bool) -> Result<Outcome, CliError> {
        let compared = self
            .compare(None, None, Purpose::Report)
            .await?
            .resolved()?;
        let current = &compared.catalog.schema;
        let rest = without(current, &compared.desired);
        let gone: Vec<Op> = current
            .iter()
            .filter(|(key, _)| !rest.contains(key))
            .map(|(_, object)| Op::Drop(object.clone()))
            .collect();
        let dropped = lines(&gone);
        if !yes_i_know {
            let what = match dropped.as_slice() {
                [] => "where the database stands".to_owned(),
                some_of => format!(
                    "{} with all rows, and where the database stands",
                    some(some_of).replace("drop ", "")
                ),
            };
            return Err(CliError::NotConfirmed { what });
        }
        let way = plan(current, &rest, compared.catalog.version)?;
        let own = self.runner_options().own_tables();
        let mut conn = self.connect().await?;
        run_plan(&mut conn, &way, "drop what the models declare", &own).await?;
        if self.output.json {
            return self
                .output
                .json(&serde_json::json!({ "dropped": dropped }))
                .map(|()| Outcome::Agree);
        }
        for line in &dropped {
            self.output.line(line);
        }
        if dropped.is_empty() {
            self.output.say("nothing to drop: none of it is there");
        }
        Ok(Outcome::Agree)
    }
}

/// A connection to a server, for what cannot be done from inside a database.
struct Server {
    conn: PgConnection,
    /// The database that it is about.
    name: String,
}

/// The current state without what is desired, and without what goes with that.
fn without(current: &Schema, desired: &Desired) -> Schema {
    let mut gone: BTreeSet<Key> = current
        .iter()
        .map(|(key, _)| key)
        .filter(|key| desired.schema.contains(key))
        .cloned()
        .collect();
    loop {
        let before = gone.len();
        for (key, object) in current.iter() {
            let owners = [
                object.parent(),
                key.subject(),
                object.goes_with(current),
                object.managed_with(current),
            ];
            if owners.into_iter().flatten().any(|it| gone.contains(&it)) {
                gone.insert(key.clone());
            }
        }
        if gone.len() == before {
            break;
        }
    }
    let mut rest = current.clone();
    rest.retain(|key, _| !gone.contains(key));
    rest
}

/// Runs a plan, and drops tables of Limbeck's own in the last transaction.
async fn run_plan(
    conn: &mut PgConnection,
    plan: &Plan,
    doing: &str,
    own: &[Name],
) -> Result<(), CliError> {
    let fail = |sql: &str, error| refused(format!("{doing}, statement `{}`", one_line(sql)), error);
    let mut statements: Vec<String> = Vec::new();
    for segment in &plan.segments {
        let mut texts: Vec<String> = segment
            .steps
            .iter()
            .flat_map(|it| &it.statements)
            .map(|it| it.sql.clone())
            .collect();
        if segment.transaction {
            texts.insert(0, "BEGIN".to_owned());
            texts.push("COMMIT".to_owned());
        }
        statements.append(&mut texts);
    }
    let last_commits = statements.last().is_some_and(|it| it == "COMMIT");
    if last_commits {
        statements.pop();
    }
    statements.extend(own.iter().map(|it| format!("DROP TABLE IF EXISTS {it}")));
    if last_commits {
        statements.push("COMMIT".to_owned());
    }
    for sql in &statements {
        if let Err(error) = run(conn, sql).await {
            let _ = run(conn, "ROLLBACK").await;
            return Err(fail(sql, error));
        }
    }
    Ok(())
}

async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|it| it.into_owned())
}

fn refused(doing: String, source: sqlx::Error) -> CliError {
    let remedy = match code(&source).as_deref() {
        Some(NO_PRIVILEGE) => {
            "the role may not: connect as one that owns it, or grant the right (ALTER ROLE … CREATEDB for databases)"
        }
        Some(IN_USE) => "end the other connections, or pass --force",
        Some(NEEDED) => "drop what depends on it first, or declare it among the models",
        _ => "nothing of the last transaction was kept; see to the cause and run the command again",
    };
    CliError::Database {
        doing,
        remedy,
        source,
    }
}

/// What differs, a line each, without the parts of what comes or goes as a whole.
fn lines(ops: &[Op]) -> Vec<String> {
    outline(ops)
        .into_iter()
        .map(|it| one_line(&it.to_string()))
        .collect()
}

/// The first few of a list, and how many more there are.
fn some(items: &[String]) -> String {
    let shown = items[..items.len().min(SHOWN)].join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
