//! PostgreSQL schemas as data: one sorted map of keyed objects, the operations between two of them, and the SQL of
//! each kind of object.
//!
//! Nothing here does IO. Catalog rows come in through [`row`], declared models through `limbeck-metadata`, and text
//! leaves through [`Statement`]s. A kind of object is one file in [`kinds`] and one line in its registry.

mod expr;
pub mod facts;
mod ident;
mod key;
pub mod kinds;
mod op;
pub mod own_sql;
pub mod row;
mod schema;
mod spelling;
mod sql_type;
mod statement;
mod truncation;
pub mod variables;

pub use expr::{Expr, ExprSlot, Role, Token};
pub use facts::Facts;
pub use ident::{Ident, List, Literal, MAX_IDENTIFIER_BYTES, Name};
pub use key::Key;
pub use kinds::{Context, Event, Kind, KindTag, Object, Reaction, Replacement, Stage};
pub use op::{Op, Verdict};
pub use schema::{Desired, Group, Schema, Scope, matches_glob};
pub use spelling::Spelling;
pub use sql_type::SqlType;
pub use statement::{Hazard, Lock, Script, Statement, Tx, Warning};
pub use truncation::Truncation;
pub use variables::Variables;
