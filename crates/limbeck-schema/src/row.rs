//! How catalog rows reach the kinds: a row is read left to right, column by column.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use crate::ident::{Ident, Name};

/// One row of a catalog statement. The positions are those of the `SELECT` list, from 0.
pub trait Row {
    /// A text or name column.
    ///
    /// # Errors
    /// If the column is missing or is no text.
    fn text(&self, at: usize) -> Result<Option<&str>, DecodeError>;
    /// A boolean column.
    ///
    /// # Errors
    /// If the column is missing or no boolean.
    fn boolean(&self, at: usize) -> Result<Option<bool>, DecodeError>;
    /// An `int8` column.
    ///
    /// # Errors
    /// If the column is missing or no `int8`.
    fn integer(&self, at: usize) -> Result<Option<i64>, DecodeError>;
    /// A `text[]` column; null is an empty list.
    ///
    /// # Errors
    /// If the column is missing or no `text[]`.
    fn list(&self, at: usize) -> Result<Vec<String>, DecodeError>;
}

/// A catalog row that does not read as its statement promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {at} of the row is not {expected}")]
pub struct DecodeError {
    /// The position in the `SELECT` list, from 0.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// What decoding shares between rows: the default schema, and copies of names and texts.
#[derive(Debug)]
pub struct Decoding {
    default_schema: Ident,
    names: Copies<Ident>,
    texts: Copies<Arc<str>>,
    unknown: BTreeSet<String>,
}

impl Decoding {
    /// Names of this schema are read as names without one.
    pub fn new(default_schema: Ident) -> Self {
        Self {
            default_schema,
            names: Copies::new(),
            texts: Copies::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// The names of options that were passed over, since nothing is known of them.
    pub fn into_unknown(self) -> BTreeSet<String> {
        self.unknown
    }

    /// A shared copy of a name: a column name that stands in ten thousand tables is kept once.
    pub fn intern(&mut self, name: &str) -> Ident {
        self.names.get(name)
    }

    /// A shared copy of a text that stands in many rows.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        self.texts.get(text)
    }
}

/// Copies of texts that were met lately. Each text has one slot, and of two that meet in a slot the later one stays: what
/// is missed is made once more, so that looking takes one comparison however many texts there are.
#[derive(Debug)]
struct Copies<T> {
    slots: Vec<Option<T>>,
}

impl<T: Borrow<str> + Clone + for<'a> From<&'a str>> Copies<T> {
    const SLOTS: usize = 1 << 15;

    const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    fn get(&mut self, text: &str) -> T {
        self.slots.resize(Self::SLOTS, None);
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        let at = usize::try_from(hasher.finish() % Self::SLOTS as u64).unwrap_or_default();
        let slot = &mut self.slots[at];
        match slot {
            Some(known) if (*known).borrow() == text => known.clone(),
            _ => slot.insert(T::from(text)).clone(),
        }
    }
}

/// A row being read from left to right.
pub struct Fields<'a> {
    row: &'a dyn Row,
    decoding: &'a mut Decoding,
    at: usize,
}

impl<'a> Fields<'a> {
    /// Starts at the first column.
    pub fn new(row: &'a dyn Row, decoding: &'a mut Decoding) -> Self {
        Self {
            row,
            decoding,
            at: 0,
        }
    }

    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    /// The next column, a text that may be null.
    ///
    /// # Errors
    /// If it is no text.
    pub fn text_or_null(&mut self) -> Result<Option<&'a str>, DecodeError> {
        let at = self.next();
        self.row.text(at)
    }

    /// The next column, a text.
    ///
    /// # Errors
    /// If it is null or no text.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let at = self.next();
        self.row.text(at)?.ok_or(DecodeError {
            at,
            expected: "a text",
        })
    }

    /// The next column, a text that stands in many rows: one copy is kept.
    ///
    /// # Errors
    /// If it is null or no text.
    pub fn text_shared(&mut self) -> Result<Arc<str>, DecodeError> {
        let text = self.text()?;
        Ok(self.decoding.share(text))
    }

    /// The next column, a name.
    ///
    /// # Errors
    /// If it is null or no text.
    pub fn ident(&mut self) -> Result<Ident, DecodeError> {
        let text = self.text()?;
        Ok(self.decoding.intern(text))
    }

    /// The next column, a name that may be null.
    ///
    /// # Errors
    /// If it is no text.
    pub fn ident_or_null(&mut self) -> Result<Option<Ident>, DecodeError> {
        Ok(self.text_or_null()?.map(|it| self.decoding.intern(it)))
    }

    /// The next column, a schema's name; the default schema reads as `None`.
    ///
    /// # Errors
    /// If it is no text.
    pub fn schema(&mut self) -> Result<Option<Ident>, DecodeError> {
        Ok(self
            .ident_or_null()?
            .filter(|it| *it != self.decoding.default_schema))
    }

    /// The next two columns, schema and name.
    ///
    /// # Errors
    /// If the name is null or one is no text.
    pub fn name(&mut self) -> Result<Name, DecodeError> {
        let name = Name {
            schema: self.ident_or_null()?,
            name: self.ident()?,
        };
        Ok(name.in_default(&self.decoding.default_schema))
    }

    /// The next two columns, schema and name of a type.
    ///
    /// # Errors
    /// If the name is null or one is no text.
    pub fn type_name(&mut self) -> Result<Name, DecodeError> {
        let name = Name {
            schema: self.ident_or_null()?,
            name: self.ident()?,
        };
        Ok(name.type_in_default(&self.decoding.default_schema))
    }

    /// A name from two texts of a list, schema and name.
    pub fn qualified(&mut self, schema: &str, name: &str) -> Name {
        let schema = self.decoding.intern(schema);
        Name {
            schema: Some(schema),
            name: self.decoding.intern(name),
        }
        .in_default(&self.decoding.default_schema)
    }

    /// The next two columns, schema and name, both null for none. A name in `pg_catalog` needs no schema.
    ///
    /// # Errors
    /// If one is no text.
    pub fn name_or_null(&mut self) -> Result<Option<Name>, DecodeError> {
        let schema = self.schema()?.filter(|it| it.as_str() != "pg_catalog");
        Ok(self.ident_or_null()?.map(|name| Name { schema, name }))
    }

    /// The next column, a boolean.
    ///
    /// # Errors
    /// If it is null or no boolean.
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        let at = self.next();
        self.row.boolean(at)?.ok_or(DecodeError {
            at,
            expected: "a boolean",
        })
    }

    /// The next column, a boolean that may be null.
    ///
    /// # Errors
    /// If it is no boolean.
    pub fn boolean_or_null(&mut self) -> Result<Option<bool>, DecodeError> {
        let at = self.next();
        self.row.boolean(at)
    }

    /// The next column, an `int8` that may be null.
    ///
    /// # Errors
    /// If it is no `int8`.
    pub fn integer_or_null(&mut self) -> Result<Option<i64>, DecodeError> {
        let at = self.next();
        self.row.integer(at)
    }

    /// The next column, an `int8`.
    ///
    /// # Errors
    /// If it is null or no `int8`.
    pub fn integer(&mut self) -> Result<i64, DecodeError> {
        let at = self.next();
        self.row.integer(at)?.ok_or(DecodeError {
            at,
            expected: "an int8",
        })
    }

    /// The next column, options as a `text[]` of `name=value`. Those of unknown names are passed over and noted: a server
    /// may keep some for itself, which `pg_dump` leaves out.
    ///
    /// # Errors
    /// If it is no `text[]`.
    pub fn options(&mut self, is_known: impl Fn(&str) -> bool) -> Result<Vec<String>, DecodeError> {
        let mut list = self.list()?;
        list.retain(|it| {
            let name = it.split_once('=').map_or(it.as_str(), |(name, _)| name);
            let known = is_known(name);
            if !known && !self.decoding.unknown.contains(name) {
                self.decoding.unknown.insert(name.to_owned());
            }
            known
        });
        Ok(list)
    }

    /// The next column, a `text[]`.
    ///
    /// # Errors
    /// If it is no `text[]`.
    pub fn list(&mut self) -> Result<Vec<String>, DecodeError> {
        let at = self.next();
        self.row.list(at)
    }
}
