//! The program `limbeck`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A large catalog is read on one thread and the models on another; this allocator lets each use what the other freed.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    limbeck_cli::run_alone()
}
