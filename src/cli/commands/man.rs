//! `clickpath man [DIR]`: the manual, one page for the program and one for each command.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::described;
use crate::cli::output::to_stdout;
use crate::error::{Error, Result};
use crate::reports::file;

pub fn command() -> Command {
    let folder = Arg::new("dir")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .value_hint(clap::ValueHint::DirPath)
        .help("Write all pages into this folder, one for each command; without it the page of the program goes to standard output");
    described(Command::new("man").arg(folder), "The manual pages", "clickpath man > clickpath.1\nclickpath man man1")
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let pages = pages().map_err(|error| Error::bug(format!("the manual cannot be written: {error}")))?;
    let Some(folder) = matches.get_one::<PathBuf>("dir") else {
        return pages.first().map_or(Ok(()), |(_, page)| to_stdout(page));
    };
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, &error))?;
    let write = |(name, page): &(String, Vec<u8>)| file::Pending::create(&folder.join(name))?.filled(page);
    file::commit_all(pages.iter().map(write).collect::<Result<_>>()?)
}

/// The pages by the names of their files, that of the program first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = crate::cli::command().disable_help_subcommand(true);
    program.build();
    let commands: Vec<Command> = program.get_subcommands().cloned().collect();
    [program].into_iter().chain(commands).map(page).collect()
}

fn page(command: Command) -> io::Result<(String, Vec<u8>)> {
    let behind = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let with_commands = command.has_subcommands();
    let man = Man::new(command).source(concat!("clickpath ", env!("CARGO_PKG_VERSION"))).manual("clickpath");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if with_commands {
        man.render_subcommands_section(&mut page)?;
    }
    render_behind(&behind, &mut page)?;
    Ok((man.get_filename(), page))
}

/// What stands at the end of a help text: each paragraph with its heading is a section, kept line by line.
fn render_behind(text: &str, page: &mut impl Write) -> io::Result<()> {
    let mut roff = Roff::new();
    for paragraph in text.split("\n\n") {
        let Some((heading, lines)) = paragraph.split_once(":\n") else { continue };
        roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    page.write_all(roff.render().as_bytes())
}
