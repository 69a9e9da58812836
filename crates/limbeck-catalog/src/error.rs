//! What can go wrong while reading and comparing.

use limbeck_connect::ConnectError;
use limbeck_metadata::MetaDataError;
use limbeck_plan::PlanError;
use limbeck_schema::Key;
use limbeck_schema::kinds::Since;
use limbeck_schema::row::DecodeError;

use crate::Unresolved;

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// There is no connection: the settings are wrong, or no server takes it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A pool gives no connection.
    #[error("cannot take a connection of the pool: {}", answer(.source))]
    Pool {
        /// What the driver says.
        source: sqlx::Error,
    },
    /// The server is older than what is supported.
    #[error("the server is PostgreSQL {found}; 13 is the oldest that is supported")]
    TooOld {
        /// Its major version.
        found: u32,
    },
    /// `search_path` leads to no schema.
    #[error(
        "the connection has no default schema: search_path is {search_path}; create that schema or set search_path"
    )]
    NoSchema {
        /// The setting.
        search_path: String,
    },
    /// A statement failed.
    #[error("cannot read {what} from the catalog: {}", answer(.source))]
    Query {
        /// What was read.
        what: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// Others create and drop objects all the time.
    #[error(
        "the catalog changes while it is read, {tries} times in a row: {source}; run the command again when nobody else \
         creates or drops objects"
    )]
    Disturbed {
        /// How often it was read.
        tries: u32,
        /// What went wrong the last time.
        source: Box<CatalogError>,
    },
    /// A row does not read as its statement promises.
    #[error("cannot read {what} from the catalog: {source}")]
    Decode {
        /// What was read.
        what: &'static str,
        /// Which column.
        source: DecodeError,
    },
}

impl CatalogError {
    /// Whether it can come from others who create and drop objects while the catalog is read: the snapshot holds what
    /// functions of the catalog do not find any more.
    pub(crate) fn is_disturbance(&self) -> bool {
        /// Internal error (a cache lookup that failed), and what does not exist.
        const CODES: &[&str] = &["XX000", "42P01", "42703", "42704", "42883", "3F000"];
        match self {
            Self::Decode { .. } => true,
            Self::Query { source, .. } => source
                .as_database_error()
                .and_then(|it| it.code())
                .is_some_and(|it| CODES.contains(&it.as_ref())),
            _ => false,
        }
    }
}

/// What the server says, without the place in its own sources that the driver adds; what the driver says where it is not
/// the server that speaks.
#[must_use]
pub fn answer(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |it| it.message().to_owned())
}

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The catalog could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The metadata contradicts itself.
    #[error(transparent)]
    MetaData(#[from] MetaDataError),
    /// A difference that nothing can bring about.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A type that neither the server nor the metadata knows.
    #[error("{}{key} has the type {ty}: {message}; declare the type, create its extension, or mend the name", at(.place))]
    UnknownType {
        /// Where it was declared.
        place: Option<String>,
        /// The object.
        key: Box<Key>,
        /// The type as declared.
        ty: String,
        /// What the server says.
        message: String,
    },
    /// An expression that the server rejects, and not because of what this comparison would add.
    #[error("{}{key} has the expression {expression}: {message}{remedy}", at(.place))]
    Expression {
        /// Where it was declared.
        place: Option<String>,
        /// The object.
        key: Box<Key>,
        /// The expression as declared, cut where it is long.
        expression: String,
        /// What the server says.
        message: String,
        /// What to do, with a semicolon before it.
        remedy: &'static str,
    },
    /// Something that no kind stands for and that the database does not have.
    #[error(
        "{key} needs the {what}, which the database does not have; create it there first, in a revision written by hand"
    )]
    Lacks {
        /// The object.
        key: Box<Key>,
        /// What it needs, `extension citext`.
        what: String,
    },
    /// Something else of the same comparison that cannot be had.
    #[error("{key} needs {needed}, which cannot be brought about as things stand; see there")]
    Needed {
        /// The object.
        key: Box<Key>,
        /// What it needs.
        needed: Box<Key>,
    },
    /// Several objects that cannot be judged or planned.
    #[error("{}", several(.0))]
    Unresolved(Vec<Unresolved>),
    /// Something is desired that the server is too old for.
    #[error(
        "{}{key} needs PostgreSQL {} for {}, and the server is PostgreSQL {found}; leave it out, or use a newer server",
        at(.place), .since.major, .since.what
    )]
    Newer {
        /// Where it was declared.
        place: Option<String>,
        /// The object.
        key: Box<Key>,
        /// What is newer than the server.
        since: Since,
        /// The server's major version.
        found: u32,
    },
    /// What is to be left alone is everything.
    #[error(
        "nothing is left to compare: `ignore` matches all {n_objects} objects of both sides; name only what is not yours"
    )]
    NothingLeft {
        /// How many objects there are.
        n_objects: usize,
    },
    /// The server cannot judge expressions for this role.
    #[error(
        "cannot have the server judge {count} expressions: {message}; grant TEMPORARY on the database to the role, or \
         connect to the primary server"
    )]
    Judge {
        /// How many expressions need judging.
        count: usize,
        /// What the server says.
        message: String,
    },
}

fn several(all: &[Unresolved]) -> String {
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

fn at(place: &Option<String>) -> String {
    place
        .as_ref()
        .map_or_else(String::new, |it| format!("{it}: "))
}
