//! The names in objects, lent out to one who knows other names for the same objects.

use crate::ident::{Ident, Name};
use crate::kinds::KindTag;

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
