//! The command line on a real server.

mod bad_input;
mod common;
mod database;
mod import;
mod inspect;
mod modules;
mod rearrange;
mod signals;
mod sources;
mod squash;
mod standing;
mod unresolved;
mod unresolved;
mod variables;
mod verify;
mod walk;
