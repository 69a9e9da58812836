//! Operations: what has to happen to one object. An operation holds both states, so its reverse is always known.

use std::fmt::{self, Display};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::key::Key;
use crate::kinds::Object;

/// What comparing two states of one object comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal.
    Same,
    /// Different, and changed in place.
    Alter,
    /// Different, and only dropping and creating again leads there; says why.
    Replace(&'static str),
    /// Different, and not supported; says why.
    Unsupported(&'static str),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The object is only desired.
    Create(Object),
    /// The object is only current.
    Drop(Object),
    /// Both are there and differ; changed in place.
    Alter {
        /// What is there.
        current: Object,
        /// What shall be there.
        desired: Object,
    },
    /// Both are there and the current one must go before the desired one can come.
    Replace {
        /// What is there.
        current: Object,
        /// What shall be there.
        desired: Object,
        /// Why it cannot be altered.
        why: &'static str,
    },
    /// The object keeps all but its name.
    Rename {
        /// What is there.
        current: Object,
        /// The same under its new name.
        desired: Object,
    },
}

impl Op {
    /// The state before, if there is one.
    pub fn current(&self) -> Option<&Object> {
        match self {
            Self::Create(_) => None,
            Self::Drop(it) => Some(it),
            Self::Alter { current, .. }
            | Self::Replace { current, .. }
            | Self::Rename { current, .. } => Some(current),
        }
    }

    /// The state after, if there is one.
    pub fn desired(&self) -> Option<&Object> {
        match self {
            Self::Drop(_) => None,
            Self::Create(it) => Some(it),
            Self::Alter { desired, .. }
            | Self::Replace { desired, .. }
            | Self::Rename { desired, .. } => Some(desired),
        }
    }

    /// The object's key: the desired one, or the current one of a drop.
    pub fn key(&self) -> Key {
        match self {
            Self::Create(it) | Self::Drop(it) => it.key(),
            Self::Alter { desired, .. }
            | Self::Replace { desired, .. }
            | Self::Rename { desired, .. } => desired.key(),
        }
    }

    /// The verb: `create`, `drop`, `alter`, `replace`, `rename`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Drop(_) => "drop",
            Self::Alter { .. } => "alter",
            Self::Replace { .. } => "replace",
            Self::Rename { .. } => "rename",
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(it) => {
                let verb = if it.parent().is_some() {
                    "add"
                } else {
                    "create"
                };
                write!(f, "{verb} {}", it.summary())
            }
            Self::Drop(it) => write!(f, "drop {}", it.key()),
            Self::Alter { current, desired } => {
                write!(
                    f,
                    "alter {}: {}",
                    desired.key(),
                    Object::changes(current, desired).join(", ")
                )
            }
            Self::Replace {
                current,
                desired,
                why,
            } => {
                let changes = Object::changes(current, desired);
                write!(f, "replace {} ({why})", desired.key())?;
                if !changes.is_empty() {
                    write!(f, ": {}", changes.join(", "))?;
                }
                Ok(())
            }
            Self::Rename { current, desired } => {
                write!(
                    f,
                    "rename {} to {}",
                    current.key(),
                    desired.key().own_name()
                )
            }
        }
    }
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut it = serializer.serialize_struct("Op", 5)?;
        it.serialize_field("op", self.verb())?;
        it.serialize_field("key", &self.key())?;
        it.serialize_field("summary", &self.to_string())?;
        it.serialize_field("current", &self.current())?;
        it.serialize_field("desired", &self.desired())?;
        it.end()
    }
}
