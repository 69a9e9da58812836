//! SQL text as PostgreSQL and psql read it: tokens, statements, and the head of a statement.
//!
//! - [`tokens`] cuts any text into tokens without losing a byte; [`significant`] leaves out white space and comments.
//! - [`split`] cuts a text into statements.
//! - [`Head`] reads the first words of a statement: verb, kind of object, modifiers and names, however they are spaced
//!   and whatever comments stand between them.
//! - [`Cursor`] reads on from there, word by word.
//! - [`one_line`] makes a text safe to stand in a message or on a terminal, and [`Comment`] is the only writer of comment
//!   lines.
//! - [`printable`] gives SQL that means the same without control characters, [`for_psql`] a script that psql leaves alone.
//!
//! The rules are those of the PostgreSQL documentation, page "Lexical Structure", and of the server's own scanner where
//! the page is silent. The crate does no IO, and no text makes it panic.

mod comment;
mod cursor;
mod decode;
mod head;
mod lexer;
mod objects;
mod printable;
mod split;
mod token;
mod visible;

pub use comment::Comment;
pub use cursor::{Cursor, QualifiedName};
pub use head::{Head, Modifier, Transaction};
pub use lexer::{Rules, Tokens, significant, tokens, tokens_with};
pub use printable::{for_psql, printable};
pub use split::{SplitError, SplitProblem, Splitter, Statement, own_lines, split, split_with};
pub use token::{Token, TokenKind};
pub use visible::{
    excerpt, is_hidden, is_line_end, is_space, one_line, one_line_keeping, visible_json,
    visible_lines,
};
