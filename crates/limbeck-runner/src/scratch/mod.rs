//! Scratch databases: empty databases of the same kind as the target, for SQL that must not touch the target itself.
//!
//! One is created on the target's own server where the role may, so that version, locale and extensions are those of the
//! target; else on a server that the user names for this; else on a throwaway server of the target's major version, if its
//! programs are on this machine. The SQL runs as a role that is made for the database, logs in with a random password and
//! may do nothing outside of it. Database and role are dropped with the value, also on an error, a panic or when the future
//! that holds it is dropped. What a killed process leaves behind is dropped by the next run.

mod clean;
mod embedded;
mod host;
mod likeness;
mod options;
mod privileged;
mod rights;
mod roles;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use limbeck_catalog::{CatalogError, Unmanaged};
use limbeck_connect::{Origin, Settings, close};
use limbeck_schema::{Ident, Literal};
use sqlx::PgConnection;

pub use self::embedded::Embedded;
pub use self::host::left_behind;
pub use self::options::{STATEMENT_TIMEOUT, ScratchError, ScratchOptions};
pub(crate) use self::privileged::connects_nowhere;
pub use self::rights::Rights;
pub use self::rights::execute;
pub(crate) use self::roles::mentions;

use self::clean::{answer, run};
use self::host::{Host, lock};
use self::likeness::{Likeness, Role};
use crate::error::{ServerError, one_line};

/// How the names of scratch databases and of their roles begin.
pub const SCRATCH_PREFIX: &str = "limbeck_scratch_";

/// How messages call the server that the target is on.
const TARGETS: &str = "the target's server";

/// The end of a name: the server's clock and randomness.
const TAIL: &str = "SELECT pg_catalog.concat(pg_catalog.to_hex(pg_catalog.date_part('epoch', \
     pg_catalog.clock_timestamp())::pg_catalog.int8), '_', pg_catalog.substr(pg_catalog.replace(pg_catalog.gen_random_uuid()::\
     pg_catalog.text, '-', ''), 1, 10))";

/// An empty database that is dropped with the value, whoever is still connected to it.
#[derive(Debug)]
pub struct Scratch {
    name: String,
    /// Whose server it is on: `the target's server`.
    whose: &'static str,
    /// How SQL that is tried connects to it.
    options: Settings,
    likeness: Likeness,
    statement_timeout: Duration,
    /// Where SQL is run by a role without rights: what runs the statements that need more.
    rights: Option<Rights>,
    /// A connection that nobody has used yet.
    spare: Mutex<Option<PgConnection>>,
    // Fields drop in this order: the server goes last.
    host: Arc<Host>,
    /// The server, if it is one of our own.
    embedded: Option<Embedded>,
}

impl Scratch {
    /// Creates a scratch database like the database `target`, for SQL that is not trusted; see [`Self::with`].
    ///
    /// # Errors
    /// As [`Self::with`].
    pub async fn create(
        target: Option<&Settings>,
        fallback: Option<&Settings>,
    ) -> Result<Self, ScratchError> {
        Self::with(&ScratchOptions {
            target,
            fallback,
            ..ScratchOptions::default()
        })
        .await
    }

    /// Creates a scratch database like the database `target`: on its server, else on that of `fallback`, else
    /// on a throwaway server of its major version. Leftovers of killed runs on the same server are dropped.
    ///
    /// Its SQL runs as a role of its own. Where there can be none, an ordinary role's SQL runs as that role; that of a
    /// role with more rights runs only if it is trusted.
    ///
    /// Its default schema has the name of the target's, and settings of the target database (`ALTER DATABASE … SET`) on
    /// which the texts of expressions depend hold in its connections.
    ///
    /// # Errors
    /// [`ScratchError::None`] with what stood in each way, and [`ScratchError::Connect`] if the target cannot be reached.
    pub async fn with(options: &ScratchOptions<'_>) -> Result<Self, ScratchError> {
        let mut reasons = Vec::new();
        let mut target = None;
        if let Some(settings) = options.target {
            let (host, wanted) = reach(settings, TARGETS).await?;
            let place = Place {
                host: Arc::new(host),
                whose: TARGETS,
                options,
                embedded: None,
            };
            match place.create(&wanted, &wanted.role, &wanted.clauses).await {
                Ok(it) => return Ok(it),
                Err(reason) => reasons.push(reason),
            }
            target = Some((place, wanted));
        } else {
            reasons.push("no database is named whose server could hold it".to_owned());
        }
        let likeness = target.as_ref().map(|(_, it)| it);
        let what = "the server that [scratch] names";
        match options.fallback {
            Some(settings) => {
                let tried = elsewhere(settings, what, likeness, options, None, &mut reasons);
                if let Some(it) = tried.await? {
                    return Ok(it);
                }
            }
            None => reasons.push("[scratch] names no server".to_owned()),
        }
        match Embedded::start(likeness.map(|it| it.major)).await {
            Ok(it) => {
                let what = "the throwaway server";
                let settings = Settings::parse(&it.url(), Origin::Program);
                let settings = settings.map_err(|source| ScratchError::Connect {
                    what: what.to_owned(),
                    source,
                })?;
                let tried = elsewhere(&settings, what, likeness, options, Some(it), &mut reasons);
                if let Some(it) = tried.await? {
                    return Ok(it);
                }
            }
            Err(reason) => reasons.push(format!(
                "no throwaway server can be started ({})",
                one_line(&reason)
            )),
        }
        let mut trust_helps = false;
        if let Some((place, wanted)) = &target
            && wanted.role.can_create()
        {
            if !wanted.role.is_privileged() {
                let made = place.plain(wanted, &wanted.clauses).await;
                return made.map_err(|error| {
                    reasons.push(answer(&error));
                    ScratchError::None {
                        reasons,
                        trust_helps,
                    }
                });
            }
            trust_helps = true;
        }
        Err(ScratchError::None {
            reasons,
            trust_helps,
        })
    }

    /// The throwaway server it is on, if it is. Who holds the value saves the next scratch database a start.
    #[must_use]
    pub fn embedded(&self) -> Option<Embedded> {
        self.embedded.clone()
    }

    /// A copy of it as it is now, to which nobody may be connected meanwhile. It is dropped with its value.
    ///
    /// # Errors
    /// [`ScratchError::SetUp`].
    pub async fn copy(&self) -> Result<Self, ScratchError> {
        let spare = self.take_spare();
        if let Some(conn) = spare {
            close(conn).await;
        }
        let made = async {
            let row = self.host.row(TAIL).await?;
            let tail: String = sqlx::Row::try_get(&row, 0)?;
            let name = format!("{SCRATCH_PREFIX}{}_{tail}", std::process::id());
            let owner = self.rights.as_ref().map(|_| self.options.user());
            self.host.rows(lock(&name)).await?;
            let source = format!("TEMPLATE {}", Ident::new(&self.name));
            create_database(&self.host, &name, owner, &source).await?;
            Ok(Self {
                whose: self.whose,
                options: self.options.with_database(&name),
                likeness: self.likeness.clone(),
                statement_timeout: self.statement_timeout,
                rights: self.rights.as_ref().map(|it| it.of_copy(&name)),
                spare: Mutex::new(None),
                host: Arc::clone(&self.host),
                embedded: self.embedded.clone(),
                name,
            })
        };
        made.await
            .map_err(|source| failed("copy", &self.name, source))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose server it is on, and where: `the target's server (localhost:5432)`.
    pub(crate) fn server_name(&self) -> String {
        format!("{} ({})", self.whose, self.options.server())
    }

    /// The schema of names without one, which is there already.
    #[must_use]
    pub fn default_schema(&self) -> Option<&Ident> {
        self.likeness.default_schema.as_ref()
    }

    /// What runs the statements that the role of its connections has not the rights for; none where that role is the
    /// target's own.
    #[must_use]
    pub fn rights(&self) -> Option<Rights> {
        self.rights.clone()
    }

    /// What of the database no kind stands for, read over `conn`, a connection to it. It is said as it would be of the
    /// target: what belongs to the role of its SQL belongs to the target's role, and to other roles what that SQL gave them.
    ///
    /// # Errors
    /// As [`Unmanaged::read`].
    pub async fn unmanaged(&self, conn: &mut PgConnection) -> Result<Unmanaged, CatalogError> {
        let mut acc = Unmanaged::read(conn).await?;
        let Some(rights) = &self.rights else {
            return Ok(acc);
        };
        let (own, targets) = (self.options.user(), &self.likeness.role.name);
        let said = |text: String| match text.contains(own) {
            true => text.replace(own, targets),
            false => text,
        };
        acc.objects = std::mem::take(&mut acc.objects)
            .into_iter()
            .map(|((word, name), text)| ((word, said(name)), said(text)))
            // What needs a superuser for its owner has the role that made the database.
            .filter(|((word, _), text)| !(word.starts_with("owner of ") && *text == rights.owner()))
            .collect();
        for (word, identity, owner) in rights.owners(conn).await? {
            acc.objects
                .insert((format!("owner of {word}"), identity), owner);
        }
        Ok(acc)
    }

    /// Adds to a server's answer what is special about scratch databases: a role without rights, a time limit.
    pub(crate) fn explain(&self, mut answer: ServerError) -> ServerError {
        let hint = match answer.code.as_str() {
            "42501" if self.rights.is_some() => {
                "SQL that is tried runs as a role without rights outside its scratch database; if all of it is your own, \
                 --trusted or LIMBECK_TRUSTED=1 runs it with the rights of the database's role"
                    .to_owned()
            }
            "57014" | "57P01" if self.host.has_expired() || answer.message.contains("timeout") => format!(
                "a statement in a scratch database may run for {} s (statement_timeout under [scratch] in limbeck.toml)",
                self.statement_timeout.as_secs_f32()
            ),
            _ => return answer,
        };
        answer.hint = Some(match answer.hint {
            Some(it) => format!("{it}; {hint}"),
            None => hint,
        });
        answer
    }

    /// A connection to it, with the target database's settings.
    ///
    /// # Errors
    /// [`ScratchError::SetUp`].
    pub async fn connect(&self) -> Result<PgConnection, ScratchError> {
        if let Some(conn) = self.take_spare() {
            return Ok(conn);
        }
        self.open()
            .await
            .map_err(|source| failed("connect to", &self.name, source))
    }

    fn take_spare(&self) -> Option<PgConnection> {
        self.spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        run(&mut conn, &self.settings()).await?;
        Ok(conn)
    }

    /// Brings a connection's settings back to those of its start.
    pub(crate) async fn reset(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let sql = format!(
            "RESET SESSION AUTHORIZATION; RESET ALL; {}",
            self.settings()
        );
        run(conn, &sql).await
    }

    fn settings(&self) -> String {
        let timeout = self.statement_timeout.as_millis().to_string();
        let own = [
            // Nothing in it survives a crash of the server, so nothing needs to wait for the disk.
            ("synchronous_commit", "off"),
            ("default_transaction_read_only", "off"),
            ("default_transaction_isolation", "read committed"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("statement_timeout", timeout.as_str()),
        ];
        let likeness = &self.likeness.settings;
        let likeness = likeness
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let calls: Vec<String> = own
            .into_iter()
            .chain(likeness)
            .map(|(name, value)| {
                format!(
                    "pg_catalog.set_config({}, {}, false)",
                    Literal(name),
                    Literal(value)
                )
            })
            .collect();
        format!("SELECT {}", calls.join(", "))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.take_spare());
        self.host.remove(&self.name);
    }
}

/// A server that is tried.
struct Place<'a> {
    host: Arc<Host>,
    whose: &'static str,
    options: &'a ScratchOptions<'a>,
    embedded: Option<Embedded>,
}

impl Place<'_> {
    /// Creates a database here, or says why there can be none.
    async fn create(
        &self,
        wanted: &Likeness,
        role: &Role,
        clauses: &str,
    ) -> Result<Scratch, String> {
        clean::remove_leftovers(&self.host).await;
        let whose = self.whose;
        let (may, is) = (&role.name, format!("on {whose} role {}", role.name));
        if !role.can_create() {
            return Err(format!(
                "{is} may not create databases (ALTER ROLE {} CREATEDB)",
                Ident::new(may)
            ));
        }
        if self.options.trusted {
            let made = self.plain(wanted, clauses).await;
            return made.map_err(|it| format!("{whose} refuses to create one ({})", answer(&it)));
        }
        if !role.can_delegate() {
            return Err(format!(
                "{is} may not create the role that the SQL would run as (ALTER ROLE {} CREATEROLE)",
                Ident::new(may)
            ));
        }
        let made = self.delegated(wanted, role, clauses).await;
        made.map_err(|(doing, error)| format!("{whose} {doing} ({})", answer(&error)))
    }

    /// Creates a database for SQL that runs as the role of this connection.
    async fn plain(&self, wanted: &Likeness, clauses: &str) -> Result<Scratch, sqlx::Error> {
        let name = name(wanted);
        self.host.rows(lock(&name)).await?;
        let source = format!("TEMPLATE template0 {clauses}");
        create_database(&self.host, &name, None, &source).await?;
        let scratch = self.scratch(name, self.host.options.clone(), wanted, None);
        scratch.begin().await?;
        Ok(scratch)
    }

    /// Creates a role and a database that belongs to it. An error comes with what refused.
    async fn delegated(
        &self,
        wanted: &Likeness,
        own: &Role,
        clauses: &str,
    ) -> Result<Scratch, (&'static str, sqlx::Error)> {
        const REFUSES_ROLE: &str = "refuses to create a role for it";
        const REFUSES: &str = "refuses to create one";
        let name = name(wanted);
        let role = Ident::new(&name);
        let doing = |doing: &'static str| move |error| (doing, error);
        self.host.rows(lock(&name)).await.map_err(doing(REFUSES))?;
        let sql = format!(
            "CREATE ROLE {role} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
            Literal(&wanted.secret)
        );
        let created = self.host.create_role(&name, sql).await;
        created.map_err(doing(REFUSES_ROLE))?;
        if !own.is_superuser {
            // To create and drop a database of that role.
            let options = if wanted.major >= 16 {
                " WITH INHERIT TRUE, SET TRUE"
            } else {
                ""
            };
            let granted = self
                .host
                .rows(format!("GRANT {role} TO CURRENT_USER{options}"));
            granted.await.map_err(doing(REFUSES_ROLE))?;
        }
        let source = format!("TEMPLATE template0 {clauses}");
        let created = create_database(&self.host, &name, Some(&name), &source).await;
        if let Err(error) = created {
            let _ = self.host.remove_role().await;
            return Err((REFUSES, error));
        }
        if wanted.major < 15 && own.is_superuser {
            // Its privileges are then those that it begins with, which no comparison tells.
            let sql = format!(
                "ALTER SCHEMA public OWNER TO {role}; UPDATE pg_catalog.pg_init_privs i SET initprivs = n.nspacl FROM \
                 pg_catalog.pg_namespace n WHERE n.nspname = 'public' AND i.objoid = n.oid AND i.objsubid = 0 AND i.classoid = \
                 'pg_catalog.pg_namespace'::pg_catalog.regclass"
            );
            self.host.inside(&name, sql).await.map_err(doing(REFUSES))?;
        }
        let options = self.host.options.with_user(&name, &wanted.secret);
        let rights = Rights::new(&self.host, &name, own);
        let scratch = self.scratch(name, options, wanted, Some(rights));
        if let Err(error) = scratch.begin().await {
            let host = Arc::clone(&self.host);
            drop(scratch);
            let _ = host.remove_role().await;
            return Err(("lets no role of its own log in", error));
        }
        Ok(scratch)
    }

    fn scratch(
        &self,
        name: String,
        options: Settings,
        likeness: &Likeness,
        rights: Option<Rights>,
    ) -> Scratch {
        let statement_timeout = self.options.statement_timeout;
        self.host.limit(statement_timeout);
        Scratch {
            options: options.with_database(&name),
            name,
            whose: self.whose,
            likeness: likeness.clone(),
            statement_timeout,
            rights,
            spare: Mutex::new(None),
            host: Arc::clone(&self.host),
            embedded: self.embedded.clone(),
        }
    }
}

impl Scratch {
    /// Opens the first connection, which tells whether its role can log in, and creates the default schema.
    async fn begin(&self) -> Result<(), sqlx::Error> {
        let mut conn = self.open().await?;
        let schema = self.likeness.default_schema.as_ref();
        if let Some(schema) = schema.filter(|it| it.as_str() != "public") {
            run(&mut conn, &format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
        }
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(conn);
        Ok(())
    }
}

/// The name of a new scratch database, and of its role.
fn name(likeness: &Likeness) -> String {
    format!("{SCRATCH_PREFIX}{}_{}", std::process::id(), likeness.tail)
}

async fn create_database(
    host: &Host,
    name: &str,
    owner: Option<&str>,
    source: &str,
) -> Result<(), sqlx::Error> {
    let owner = owner.map_or_else(String::new, |it| format!(" OWNER {}", Ident::new(it)));
    let database = Ident::new(name);
    let sql = format!("CREATE DATABASE {database}{owner} {source}");
    host.create_database(name, sql).await?;
    let remark = format!(
        "scratch database of limbeck, process {}; safe to drop when nobody is connected",
        std::process::id()
    );
    // The remark is for people; a database without it is as good.
    let remark = format!("COMMENT ON DATABASE {database} IS {}", Literal(&remark));
    let _ = host.rows(remark).await;
    Ok(())
}

/// Creates one on a server that is not the target's; none, with a reason more, if the server refuses.
async fn elsewhere(
    settings: &Settings,
    what: &'static str,
    likeness: Option<&Likeness>,
    options: &ScratchOptions<'_>,
    embedded: Option<Embedded>,
    reasons: &mut Vec<String>,
) -> Result<Option<Scratch>, ScratchError> {
    let (host, own) = reach(settings, what).await?;
    let wanted = match likeness {
        Some(it) if it.major != own.major => {
            reasons.push(format!(
                "{what} is PostgreSQL {} and the target's is {}",
                own.major, it.major
            ));
            return Ok(None);
        }
        Some(it) => Likeness {
            tail: own.tail.clone(),
            secret: own.secret.clone(),
            ..it.clone()
        },
        None => own.clone(),
    };
    if embedded.is_some() {
        create_roles(&host, &wanted.roles, &own.roles).await;
    }
    let place = Place {
        host: Arc::new(host),
        whose: what,
        options,
        embedded,
    };
    // Another system may not know the target's locale; names and types do not depend on it.
    let plain = format!(
        "ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'",
        Literal(&wanted.encoding)
    );
    for clauses in [&wanted.clauses, &plain] {
        match place.create(&wanted, &own.role, clauses).await {
            Ok(it) => return Ok(Some(it)),
            Err(reason) => reasons.push(reason),
        }
    }
    reasons.dedup();
    Ok(None)
}

/// Gives a throwaway server roles with the names of the target's, for statements about owners and privileges.
async fn create_roles(host: &Host, wanted: &[String], present: &[String]) {
    let missing = wanted.iter().filter(|it| !present.contains(it));
    let missing = missing.filter(|it| !it.starts_with(SCRATCH_PREFIX));
    let statements: Vec<String> = missing
        .map(|it| format!("CREATE ROLE {}", Ident::new(it)))
        .collect();
    // A statement that needs such a role says that it is not there.
    let _ = host.rows(statements.join("; ")).await;
}

/// Connects to a server, and asks what it is like.
async fn reach(settings: &Settings, what: &str) -> Result<(Host, Likeness), ScratchError> {
    let host = Host::start(settings.clone()).await;
    let host = host.map_err(|source| ScratchError::Connect {
        what: what.to_owned(),
        source,
    })?;
    let likeness = Likeness::read(&host).await;
    let likeness = likeness.map_err(|source| failed("prepare", "", source))?;
    Ok((host, likeness))
}

fn failed(doing: &'static str, name: &str, source: sqlx::Error) -> ScratchError {
    ScratchError::SetUp {
        doing,
        name: name.to_owned(),
        source,
    }
}
