//! Keys: what names an object, and the order in which everything is compared and written.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::ident::{Ident, Name};
use crate::kinds::KindTag;

/// A kind and a path. Keys order everything: by kind, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// The kind of the object.
    pub kind: KindTag,
    /// For an object that is *about* another one (a comment): the other one's kind; the path is the other one's too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<KindTag>,
    /// The schema; `None` is the default schema, and for a schema itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Ident>,
    /// The name, or the table's name for a part of a table.
    pub name: Ident,
    /// The part's own name: column, constraint, index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Ident>,
}

impl Key {
    /// The key of an object that stands in a schema by itself.
    pub fn of(kind: KindTag, name: &Name) -> Self {
        Self {
            kind,
            about: None,
            schema: name.schema.clone(),
            name: name.name.clone(),
            part: None,
        }
    }

    /// The key of a part of a table.
    pub fn part(kind: KindTag, table: &Name, part: &Ident) -> Self {
        Self {
            part: Some(part.clone()),
            ..Self::of(kind, table)
        }
    }

    /// The key of a `kind` object that is about this one.
    pub fn about(&self, kind: KindTag) -> Self {
        Self {
            kind,
            about: Some(self.kind),
            ..self.clone()
        }
    }

    /// For an object that is about another one, the other one's key.
    pub fn subject(&self) -> Option<Self> {
        self.about.map(|kind| Self {
            kind,
            about: None,
            ..self.clone()
        })
    }

    /// The name with its schema: the object's own, or its table's.
    pub fn qualified(&self) -> Name {
        Name {
            schema: self.schema.clone(),
            name: self.name.clone(),
        }
    }

    /// The name that is this object's own: the part's if it has one.
    pub fn own_name(&self) -> &Ident {
        self.part.as_ref().unwrap_or(&self.name)
    }

    /// The path as people read it, `audit.log.created_at`.
    pub fn path(&self) -> String {
        match &self.part {
            Some(part) => format!("{}.{part}", self.qualified()),
            None => self.qualified().to_string(),
        }
    }

    /// How keys order within one stage of a script: table by table, kinds in their registered order.
    pub fn script_order(&self) -> impl Ord + use<> {
        (
            self.schema.clone(),
            self.name.clone(),
            self.kind,
            self.about,
            self.part.clone(),
        )
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.about {
            Some(about) => write!(f, "{} on {} {}", self.kind, about, self.path()),
            None => write!(f, "{} {}", self.kind, self.path()),
        }
    }
}
