//! `clickpath completions SHELL`: what a shell needs to complete our commands and flags.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::cli::described;
use crate::cli::output::to_stdout;
use crate::error::{Error, Result};

pub fn command() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(value_parser!(Shell))
        .help("The shell that is to complete commands and flags");
    described(
        Command::new("completions").arg(shell),
        "Completions for a shell, to standard output",
        "clickpath completions bash > clickpath.bash\nclickpath completions zsh > _clickpath",
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let shell: &Shell = matches.get_one("shell").ok_or_else(|| Error::bug("the shell is required"))?;
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut crate::cli::command(), "clickpath", &mut script);
    to_stdout(&script)
}
