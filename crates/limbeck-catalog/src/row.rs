//! Driver rows as the kinds read them.

use limbeck_schema::row::{DecodeError, Row};
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Decode, Postgres, Row as _, ValueRef as _};

/// A row of the driver.
pub(crate) struct DriverRow<'a>(pub &'a PgRow);

impl DriverRow<'_> {
    /// The types of the statements are known, so values are decoded without asking the driver whether they fit.
    fn value<'r, T: Decode<'r, Postgres>>(
        &'r self,
        at: usize,
        expected: &'static str,
    ) -> Result<Option<T>, DecodeError> {
        let raw: PgValueRef<'r> = self
            .0
            .try_get_raw(at)
            .map_err(|_| DecodeError { at, expected })?;
        if raw.is_null() {
            return Ok(None);
        }
        T::decode(raw)
            .map(Some)
            .map_err(|_| DecodeError { at, expected })
    }
}

impl Row for DriverRow<'_> {
    fn text(&self, at: usize) -> Result<Option<&str>, DecodeError> {
        self.value(at, "a text")
    }

    fn boolean(&self, at: usize) -> Result<Option<bool>, DecodeError> {
        self.value(at, "a boolean")
    }

    fn integer(&self, at: usize) -> Result<Option<i64>, DecodeError> {
        self.value(at, "an int8")
    }

    fn list(&self, at: usize) -> Result<Vec<String>, DecodeError> {
        Ok(self.value(at, "a text[]")?.unwrap_or_default())
    }
}
