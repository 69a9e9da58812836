//! The command line on a real server.

mod bad_input;
mod common;
mod sources;
mod verify;
mod walk;
