//! The program `clickpath`: errors, hints and exit codes. Everything else is in the library.

use std::process::ExitCode;

use clickpath::cli::{self, Verdict};

/// 0: answered. 1: answered, but a rate is under the wanted one. 2: an error, clap's own included.
fn main() -> ExitCode {
    match cli::crash::guarded(cli::main) {
        Ok(Verdict::Answered) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::from(1),
        Err(error) => {
            cli::printer::error(&error);
            ExitCode::from(2)
        }
    }
}
