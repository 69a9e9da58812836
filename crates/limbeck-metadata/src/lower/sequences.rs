//! The numbers of sequences, of their own and behind identity columns.

use limbeck_schema::SqlType;
use limbeck_schema::kinds::SequenceOptions;

use crate::error::MetaDataError;
use crate::model::{Identity, Sequence};

/// What is declared about a sequence's numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    start: Option<i64>,
    increment: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    cache: Option<i64>,
    cycle: bool,
}

impl From<&Identity> for Numbers {
    fn from(it: &Identity) -> Self {
        let Identity {
            always: _,
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            ..
        } = *it;
        Self {
            start,
            increment,
            min,
            max,
            cache,
            cycle: cycle.unwrap_or_default(),
        }
    }
}

impl From<&Sequence> for Numbers {
    fn from(it: &Sequence) -> Self {
        let Sequence {
            start,
            increment,
            min,
            max,
            cache,
            cycle,
            ..
        } = *it;
        Self {
            start,
            increment,
            min,
            max,
            cache,
            cycle: cycle.unwrap_or_default(),
        }
    }
}

impl Numbers {
    /// The numbers with PostgreSQL's defaults for a type (`CREATE SEQUENCE`, `init_params` in `sequence.c`).
    ///
    /// # Errors
    /// If PostgreSQL would not take them.
    pub(super) fn options(
        self,
        ty: &str,
        object: impl Fn() -> String,
    ) -> Result<SequenceOptions, MetaDataError> {
        let increment = self.increment.unwrap_or(1);
        let defaults = SequenceOptions::defaults(ty, increment);
        let min = self.min.unwrap_or(defaults.min);
        let max = self.max.unwrap_or(defaults.max);
        let start = self.start.unwrap_or(if increment < 0 { max } else { min });
        let cache = self.cache.unwrap_or(1);
        let widest = (
            SequenceOptions::defaults(ty, -1).min,
            SequenceOptions::defaults(ty, 1).max,
        );
        let problem = if increment == 0 {
            "increment must not be zero".to_owned()
        } else if min < widest.0 || max > widest.1 {
            format!("min {min} and max {max} do not fit into {ty}")
        } else if min >= max {
            format!("min {min} must be less than max {max}")
        } else if start < min || start > max {
            format!("start {start} is not between min {min} and max {max}")
        } else if cache < 1 {
            format!("cache {cache} must be greater than zero")
        } else {
            return Ok(SequenceOptions {
                start,
                increment,
                min,
                max,
                cache,
                cycle: self.cycle,
            });
        };
        Err(MetaDataError::invalid(object(), problem))
    }
}

/// The type, if a sequence can count in it.
pub(super) fn integer_type(ty: SqlType) -> Option<SqlType> {
    matches!(ty.as_str(), "smallint" | "integer" | "bigint").then_some(ty)
}
