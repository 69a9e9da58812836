//! The program `limbeck`.

use std::process::ExitCode;

fn main() -> ExitCode {
    limbeck_cli::run_alone()
}
