//! Storage parameters (`reloptions`, `attoptions`): names with values. Their order means nothing, but PostgreSQL keeps it
//! and prints it, so what is written brings it about.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::ident::Literal;
use crate::kinds::Shown;

/// Whether a table can have a parameter of this name, on any server that is known (`reloptions.c`).
pub(crate) fn of_tables(name: &str) -> bool {
    const OWN: &[&str] = &[
        "fillfactor",
        "parallel_workers",
        "toast_tuple_target",
        "user_catalog_table",
    ];
    const SHARED: &[&str] = &[
        "autovacuum_",
        "log_autovacuum_",
        "log_autoanalyze_",
        "vacuum_",
    ];
    let bare = name.strip_prefix("toast.").unwrap_or(name);
    OWN.contains(&bare) || SHARED.iter().any(|it| bare.starts_with(it))
}

/// Whether an index or an operator class can have a parameter of this name. Access methods of extensions have names of
/// their own, but for those that begin as PostgreSQL's.
pub(crate) fn of_indexes(name: &str) -> bool {
    !name.starts_with("pg_")
}

/// Parameters of a table, index or column. Two are equal whatever their order.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    list: Vec<(String, String)>,
    /// Whether the order is one that a server keeps; the one of models is not.
    is_ordered: bool,
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.list.len() == other.list.len() && self.list.iter().all(|it| other.list.contains(it))
    }
}

impl Eq for Parameters {}

impl From<BTreeMap<String, String>> for Parameters {
    fn from(it: BTreeMap<String, String>) -> Self {
        let list = it.into_iter().collect();
        Self {
            list,
            is_ordered: false,
        }
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_map().serialize(serializer)
    }
}

impl Shown for Parameters {
    fn shown(&self) -> String {
        let each = self
            .list
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        format!("({})", each.collect::<Vec<_>>().join(", "))
    }
}

impl Parameters {
    /// The `k=v` list of the catalog.
    pub(crate) fn read(list: Vec<String>) -> Self {
        let pair = |it: String| match it.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (it, String::new()),
        };
        Self {
            list: list.into_iter().map(pair).collect(),
            is_ordered: true,
        }
    }

    /// By name.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.list.iter().cloned().collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(it, _)| it == name)
    }

    /// ` WITH (…)` or nothing.
    pub(crate) fn with_clause(&self) -> String {
        if self.is_empty() {
            String::new()
        } else {
            format!(" WITH {}", sql(&self.list))
        }
    }

    /// What leads from these to others, as `SET (…)` and `RESET (…)` clauses. `SET` puts what it sets behind what stays;
    /// where that is not the order to be reached, all are set anew.
    pub(crate) fn changes(&self, desired: &Self) -> Vec<String> {
        let differs = |it: &&(String, String)| !self.list.contains(it);
        let set: Vec<_> = desired.list.iter().filter(differs).cloned().collect();
        let is_going = |it: &&(String, String)| !desired.has(&it.0);
        let reset: Vec<_> = self.list.iter().filter(is_going).cloned().collect();
        let stays = |it: &&(String, String)| desired.list.contains(it);
        let reached: Vec<_> = self.list.iter().filter(stays).chain(&set).collect();
        let is_reached =
            !desired.is_ordered || by_place(reached) == by_place(desired.list.iter().collect());
        let mut acc = Vec::new();
        if self == desired {
            return acc;
        }
        let (first, then) = if is_reached {
            (set, reset)
        } else {
            (desired.list.clone(), self.list.clone())
        };
        let set = (!first.is_empty()).then(|| format!("SET {}", sql(&first)));
        let names: Vec<&str> = then.iter().map(|(name, _)| name.as_str()).collect();
        let reset = (!names.is_empty()).then(|| format!("RESET ({})", names.join(", ")));
        if is_reached {
            acc.extend(set.into_iter().chain(reset));
        } else {
            acc.extend(reset.into_iter().chain(set));
        }
        acc
    }
}

/// The parameters of the table itself, then those of its long values, which stand in a list of their own.
fn by_place(list: Vec<&(String, String)>) -> [Vec<&(String, String)>; 2] {
    let (toast, own) = list
        .into_iter()
        .partition(|(name, _)| name.starts_with("toast."));
    [own, toast]
}

/// `(k=v, …)`
fn sql(list: &[(String, String)]) -> String {
    let each = list.iter().map(|(name, value)| {
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
        if !value.is_empty() && value.bytes().all(is_plain) {
            format!("{name}={value}")
        } else {
            format!("{name}={}", Literal(value))
        }
    });
    format!("({})", each.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn the_order_of_a_server_is_brought_about() {
        let read = |it: &[&str]| Parameters::read(it.iter().map(|it| (*it).to_owned()).collect());
        let check = |current: &[&str], desired: &[&str], expected: &[&str]| {
            assert_eq!(
                read(current).changes(&read(desired)),
                expected,
                "{current:?} {desired:?}"
            );
        };
        check(&["a=1", "b=2"], &["b=2", "a=1"], &[]);
        check(&["a=1"], &["a=1", "b=x y"], &["SET (b='x y')"]);
        check(&["a=1", "b=2"], &["b=2"], &["RESET (a)"]);
        check(&["a=1", "b=2"], &["b=2", "a=3"], &["SET (a=3)"]);
        check(
            &["a=1", "b=2"],
            &["a=3", "b=2"],
            &["RESET (a, b)", "SET (a=3, b=2)"],
        );
        check(
            &["a=1"],
            &["toast.b=1", "a=1", "c=1"],
            &["SET (toast.b=1, c=1)"],
        );
        let models = Parameters::from(read(&["a=3", "b=2"]).to_map());
        assert_eq!(read(&["a=1", "b=2"]).changes(&models), ["SET (a=3)"]);
    }
}
