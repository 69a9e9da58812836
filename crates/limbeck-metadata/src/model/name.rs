//! Names that users give to constraints and indexes.

use std::fmt;

use limbeck_schema::Ident;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A given name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenName {
    /// Final, unless the template of the kind holds `%(constraint_name)s`: then the value of that token.
    Name(Ident),
    /// Final whatever the template says (SQLAlchemy's `conv`).
    Exact(Ident),
}

/// A name that no template touches; in JSON `{"exact": "name"}`.
pub fn exact(name: impl Into<Ident>) -> GivenName {
    GivenName::Exact(name.into())
}

impl GivenName {
    /// The name as given.
    pub fn ident(&self) -> &Ident {
        match self {
            Self::Name(it) | Self::Exact(it) => it,
        }
    }
}

impl<T: Into<Ident>> From<T> for GivenName {
    fn from(name: T) -> Self {
        Self::Name(name.into())
    }
}

impl Serialize for GivenName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Name(name) => name.serialize(serializer),
            Self::Exact(name) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("exact", name)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for GivenName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = GivenName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or {\"exact\": name}")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<GivenName, E> {
                Ok(GivenName::Name(Ident::new(name)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GivenName, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "exact" {
                        return Err(A::Error::unknown_field(&key, &["exact"]));
                    }
                    name = Some(map.next_value::<Ident>()?);
                }
                name.map(GivenName::Exact)
                    .ok_or_else(|| A::Error::missing_field("exact"))
            }
        }
        deserializer.deserialize_any(Names)
    }
}
