//! `clickpath generate`: a log to try things on, and to measure with.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, value_parser};

use crate::cli::{described, parsed, printer};
use crate::error::{Error, Result};
use crate::generate::Options;

pub fn command() -> Command {
    let output = Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Where the log goes; the suffix says the format: .parquet, .csv, .ndjson");
    described(
        Options::augment_args(Command::new("generate")).arg(output),
        "A reproducible log of a shop that does not exist, in any size",
        "\
clickpath generate --events 100K -o events.parquet
clickpath generate --events 20K --bots 1% --ties 5% --out-of-order 2% -o events.csv
clickpath generate --events 20K --shuffle --seed 7 -o events.ndjson
clickpath generate --events 50K --files 10 --visitors 5K -o events.csv",
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let options: Options = parsed(matches)?;
    let output: &PathBuf = matches.get_one("output").ok_or_else(|| Error::bug("the output is required"))?;
    for file in options.write(output)? {
        printer::line(&format!("wrote {}", file.display()));
    }
    Ok(())
}
