//! What can be wrong with declared metadata.

/// Why metadata cannot be read, merged or lowered. Every message is one line that names the object and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaDataError {
    /// The text is not JSON, or not the JSON of metadata.
    #[error("{place}:{line}:{column}: {message}")]
    Json {
        /// The file or whatever the text came from.
        place: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The JSON is of a version that this program does not read.
    #[error(
        "{place}: \"limbeck\": {found} is a version of JSON metadata that this program does not know; it reads version 1"
    )]
    Version {
        /// The file or whatever the text came from.
        place: String,
        /// The version found.
        found: u64,
    },
    /// An error with the place where its object is declared.
    #[error("{place}: {error}")]
    At {
        /// Where the object is declared.
        place: String,
        /// What is wrong there.
        error: Box<MetaDataError>,
    },
    /// Two declarations of one object.
    #[error("{object} is declared twice, {first} and {second}; remove one of them")]
    DeclaredTwice {
        /// Kind and name of the object.
        object: String,
        /// Where it is declared first.
        first: String,
        /// Where it is declared again.
        second: String,
    },
    /// Two metadata to be merged have different naming conventions.
    #[error(
        "the naming conventions of {first} and {second} differ; give both the same `naming_convention`, or state it in one only"
    )]
    Conventions {
        /// The first metadata.
        first: String,
        /// The other one.
        second: String,
    },
    /// Something is declared in a way that PostgreSQL or Limbeck cannot take.
    #[error("{object}: {problem}")]
    Invalid {
        /// Kind and name of the object.
        object: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A reference to a table or column that is not there.
    #[error("{object}: {problem}")]
    Missing {
        /// Kind and name of the object that refers.
        object: String,
        /// What is missing, and the remedy.
        problem: String,
    },
    /// A name cannot be made or is too long.
    #[error("{object}: {problem}")]
    Name {
        /// Kind, columns and table of the object to be named.
        object: String,
        /// What is wrong with the name, and the remedy.
        problem: String,
    },
    /// Two objects would end with the same name.
    #[error("{first} and {second} would both be named {name}; give one of them another name")]
    Collision {
        /// The name.
        name: String,
        /// Kind, columns and table of the one.
        first: String,
        /// Kind, columns and table of the other.
        second: String,
    },
    /// A naming template that cannot be read.
    #[error("naming convention, template {kind} \"{template}\": {problem}")]
    Template {
        /// `ix`, `uq`, `ck`, `fk`, `pk` or `ex`.
        kind: &'static str,
        /// The template.
        template: String,
        /// What is wrong, and the remedy.
        problem: String,
    },
}

impl MetaDataError {
    /// The same error with the place of its object, if that is known and not said yet.
    pub(crate) fn at(self, place: Option<&str>) -> Self {
        match (place, self) {
            (Some(place), error)
                if !matches!(error, Self::At { .. } | Self::DeclaredTwice { .. }) =>
            {
                Self::At {
                    place: place.to_owned(),
                    error: Box::new(error),
                }
            }
            (_, error) => error,
        }
    }

    /// The same error about an object, if it names none.
    pub(crate) fn within(self, of: &str) -> Self {
        match self {
            Self::Invalid { object, problem } if object.is_empty() => Self::invalid(of, problem),
            error => error,
        }
    }

    pub(crate) fn invalid(object: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid {
            object: object.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn missing(object: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Missing {
            object: object.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn name(object: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Name {
            object: object.into(),
            problem: problem.into(),
        }
    }
}
