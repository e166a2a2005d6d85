//! The program `clickpath`: errors, hints and exit codes. Everything else is in the library.

use std::process::ExitCode;

use clickpath::cli;

/// 0: answered. 2: an error, clap's own included. (1 is kept for answers that miss a wanted rate.)
fn main() -> ExitCode {
    match cli::crash::guarded(cli::main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::printer::line(&format!("error: {error}"));
            if let Some(hint) = error.advice() {
                cli::printer::line(&format!("\nhint: {hint}"));
            }
            ExitCode::from(2)
        }
    }
}
