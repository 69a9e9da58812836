//! The names in objects, lent out to one who knows other names for the same objects; and names that PostgreSQL makes.

use crate::ident::{Ident, Name};
use crate::kinds::KindTag;
use crate::variables::is_placed;

/// A name in an object: its own, or that of an object that it names.
#[derive(Debug)]
pub enum Named<'a> {
    /// An object in a schema, or a schema itself.
    Object(KindTag, &'a mut Name),
    /// A part of a table or domain: what it is part of, and its own name.
    Part(KindTag, &'a mut Name, &'a mut Ident),
    /// A column of the table that is named first.
    Column(&'a mut Name, &'a mut Ident),
}

/// Takes the names one after the other.
pub type NameVisitor<'v> = dyn FnMut(Named<'_>) + 'v;

/// Lends out the columns of a table by their names.
pub(crate) fn columns<'a>(
    table: &Name,
    columns: impl IntoIterator<Item = &'a mut Ident>,
    visit: &mut NameVisitor<'_>,
) {
    for column in columns {
        visit(Named::Column(&mut table.clone(), column));
    }
}

/// Lends out the names of collations.
pub(crate) fn collations<'a>(
    collations: impl IntoIterator<Item = &'a mut Name>,
    visit: &mut NameVisitor<'_>,
) {
    for it in collations {
        visit(Named::Object(KindTag::Collation, it));
    }
}

/// The name that PostgreSQL makes of a table, columns and a suffix: `t_a_key`, cut so that it fits
/// (`makeObjectName` in `indexcmds.c`: the longer of the two names loses bytes first).
pub fn default_name(table: &Ident, columns: &[&str], suffix: &str) -> Ident {
    let middle = columns.join("_");
    let (mut first, mut second) = (table.as_str(), middle.as_str());
    let fixed = suffix.len() + 1 + usize::from(!second.is_empty());
    let shorten = |it: &str| it.char_indices().next_back().map_or(0, |(at, _)| at);
    // A placeholder stands for a value of another length.
    let fits = is_placed(first) || is_placed(second);
    while !fits && first.len() + second.len() + fixed > crate::MAX_IDENTIFIER_BYTES {
        if first.len() > second.len() {
            first = &first[..shorten(first)];
        } else {
            second = &second[..shorten(second)];
        }
    }
    let parts: Vec<&str> = [first, second, suffix]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect();
    Ident::from(parts.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names_are_cut_as_postgresql_cuts_them() {
        let check = |table: &str, columns: &[&str], suffix: &str, expected: &str| {
            assert_eq!(
                default_name(&Ident::new(table), columns, suffix).as_str(),
                expected
            );
        };
        check("t", &["a", "b"], "key", "t_a_b_key");
        check("t", &[], "pkey", "t_pkey");
        let (long, other) = ("a".repeat(40), "b".repeat(40));
        check(
            &long,
            &[&other],
            "fkey",
            &format!("{}_{}_fkey", "a".repeat(29), "b".repeat(28)),
        );
    }
}
