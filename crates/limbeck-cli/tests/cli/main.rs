//! The command line on a real server.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail the test")]

mod allow;
mod bad_input;
mod common;
mod connections;
mod database;
mod field;
mod harmless;
mod hostile;
mod import;
mod inspect;
mod modules;
mod planted;
mod rearrange;
mod signals;
mod sources;
mod squash;
mod standing;
mod unresolved;
mod variables;
mod verify;
mod walk;
