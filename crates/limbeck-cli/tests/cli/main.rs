//! The command line on a real server.

mod bad_input;
mod common;
mod inspect;
mod sources;
mod walk;
