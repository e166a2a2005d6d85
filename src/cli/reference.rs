//! `docs/cli.md`: every command and flag, from the definitions that the program itself is made of.

use clap::builder::PossibleValue;
use clap::{Arg, Args, Command};

use super::args::{InputSpec, OutputArgs, RunArgs};
use crate::analyses::common::{NodeSpec, ScopeSpec, SessionSpec};

const HEAD: &str = "\
# The command line

<!-- Made from the definitions of the program. A test holds it against them; `UPDATE=1 cargo test --test it reference` writes it anew. -->

Flags are written `--like-this`; in a [job file](jobs.md) the same names are keys, written `like_this`. Data go to standard output,
everything else to standard error.

";

/// Flags that many commands share: written once, named with each command that has them.
struct Group {
    heading: &'static str,
    about: &'static str,
    flags: Vec<Arg>,
}

fn group<A: Args>(heading: &'static str, about: &'static str) -> Group {
    let command = A::augment_args(Command::new("group"));
    let flags = command.get_arguments().filter(|arg| !arg.is_positional()).cloned().collect();
    Group { heading, about, flags }
}

fn groups() -> Vec<Group> {
    vec![
        group::<InputSpec>("Input", "What is read, and how. `INPUT` is a log file, a glob, or a folder."),
        group::<SessionSpec>("Sessions", "Where sessions are cut, and what a page view and a bounce are."),
        group::<NodeSpec>("Nodes", "What stands at the places of a path."),
        group::<ScopeSpec>("Scope", "What a question looks at."),
        group::<OutputArgs>("Output", "Where the answer goes, and in which form."),
        group::<RunArgs>("Run", "What a run may use, and what it says."),
    ]
}

/// The reference of the command line, as Markdown.
pub fn reference() -> String {
    let mut program = super::command();
    program.build();
    let groups = groups();
    let mut text = HEAD.to_owned();
    let commands: Vec<&Command> =
        program.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set()).collect();
    text += "| command | |\n|---|---|\n";
    for command in &commands {
        let name = command.get_name();
        let about = cell(&about(command));
        text += &format!("| [`{name}`](#clickpath-{name}) | {about} |\n");
    }
    text += &behind(&program);
    text += "\n## Flags that commands share\n";
    for group in &groups {
        text += &format!("\n### {}\n\n{}\n\n", group.heading, group.about);
        text.extend(group.flags.iter().filter(|flag| !flag.is_hide_set()).map(line));
    }
    for command in commands {
        text += &section(command, &groups);
    }
    text
}

/// What a command is, what is its own, and which groups of flags it takes.
fn section(command: &Command, groups: &[Group]) -> String {
    let mut text = format!("\n## clickpath {}\n\n{}.\n", command.get_name(), about(command).trim_end_matches('.'));
    let usage = command.clone().render_usage().to_string();
    text += &format!("\n```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    let visible: Vec<&Arg> =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").collect();
    let shared = |arg: &Arg| groups.iter().any(|group| group.flags.iter().any(|flag| same(flag, arg)));
    // What is read is the same for all.
    let own: Vec<&&Arg> = visible.iter().filter(|arg| !shared(arg) && arg.get_id() != "files").collect();
    if !own.is_empty() {
        text += "\n";
        text.extend(own.into_iter().map(|arg| line(arg)));
    }
    let taken: Vec<String> = groups.iter().filter_map(|group| taken(group, &visible)).collect();
    if !taken.is_empty() {
        text += &format!("\nIt also takes the flags of {}.\n", taken.join(", "));
    }
    text + &behind(command)
}

/// `[Output](#output)`, if the command takes any of its flags, and those that it does not.
fn taken(group: &Group, visible: &[&Arg]) -> Option<String> {
    let offered = group.flags.iter().filter(|flag| !flag.is_hide_set());
    let (has, lacks): (Vec<&Arg>, Vec<&Arg>) = offered.partition(|flag| visible.iter().any(|arg| same(flag, arg)));
    let link = format!("[{}](#{})", group.heading, group.heading.to_lowercase());
    let names: Vec<String> = lacks.iter().map(|flag| format!("`{}`", long(flag))).collect();
    match (has.is_empty(), names.is_empty()) {
        (true, _) => None,
        (_, true) => Some(link),
        _ => Some(format!("{link} (without {})", names.join(", "))),
    }
}

/// The same flag with the same meaning.
fn same(flag: &Arg, other: &Arg) -> bool {
    let help = |arg: &Arg| arg.get_help().map(ToString::to_string);
    flag.get_id() == other.get_id() && help(flag) == help(other)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn long(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| arg.get_id().to_string(), |long| format!("--{long}"))
}

/// One flag or argument as an item of a list.
fn line(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().join(" ");
    let name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        _ => String::new(),
    };
    let takes = arg.get_action().takes_values();
    // A value that may be left out.
    let may_lack = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    let shown = match (takes, may_lack) {
        (false, _) => name,
        (_, true) if arg.get_long().is_some() => format!("{name}[={values}]"),
        _ => format!("{name} {values}"),
    };
    let mut text =
        format!("- `{}`: {}", shown.trim(), plain(&arg.get_help().map(ToString::to_string).unwrap_or_default()));
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes && !defaults.is_empty() {
        text += &format!(" [default: {}]", defaults.join(", "));
    }
    let shows = takes && !arg.is_hide_possible_values_set();
    let possible: Vec<PossibleValue> = if shows { arg.get_possible_values() } else { Vec::new() };
    let names: Vec<String> = possible.iter().map(|value| format!("`{}`", value.get_name())).collect();
    if possible.iter().all(|value| value.get_help().is_none()) {
        text += &if names.is_empty() { String::new() } else { format!("; one of {}", names.join(", ")) };
        return text + "\n";
    }
    for (name, value) in names.iter().zip(&possible) {
        text += &format!("\n  - {name}: {}", plain(&value.get_help().map(ToString::to_string).unwrap_or_default()));
    }
    text + "\n"
}

/// What stands at the end of a help text: examples as a console block, other paragraphs as they are.
fn behind(command: &Command) -> String {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let mut shown = String::new();
    for paragraph in text.split("\n\n") {
        let Some((heading, lines)) = paragraph.split_once(":\n") else { continue };
        let examples = heading == "Examples";
        let lines = lines.lines().map(|line| {
            // What an example does stands two blanks behind it, for people only.
            let line = line.trim_start();
            if examples { format!("$ {}", line.split("   ").next().unwrap_or(line)) } else { line.to_owned() }
        });
        let block = if examples { "console" } else { "text" };
        let lines: Vec<String> = lines.collect();
        shown += &format!("\n{heading}:\n\n```{block}\n{}\n```\n", lines.join("\n"));
    }
    shown
}

/// Text of ours that Markdown would take for its own signs.
fn plain(text: &str) -> String {
    text.replace('<', "\\<").replace('*', "\\*").replace('\n', " ")
}

/// The same in a cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}
