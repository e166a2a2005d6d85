//! The flags that all commands share, also the tables `[input]` and `[output]` of a job file: one struct for both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::format::{Item, StrftimeItems};
use chrono_tz::Tz;
use clap::Args;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};
use crate::events::{Clock, Derived, PageRule, Reading, Roles, Scan, instant};
use crate::frame::Expression;
use crate::pipeline::{Input, InputFile, Limits};
use crate::sources::{Encoding, TextOptions, format};
use crate::units::{Fraction, Size};

/// What is read, and how.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Input")]
pub struct InputSpec {
    /// Log files, globs, folders, or - for standard input, in the order that settles equal times
    #[arg(value_name = "INPUT", value_hint = clap::ValueHint::AnyPath)]
    pub files: Vec<String>,
    /// Format of the files: auto, csv, tsv, ndjson, parquet or ipc [default: auto, by the content of each file]
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<String>,
    /// Column of the visitor; repeat it for files that call it otherwise [default: guessed and printed]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub visitor: Vec<String>,
    /// Column of the time; repeat it for files that call it otherwise [default: guessed and printed]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub time: Vec<String>,
    /// Column of the event name, or none; repeat it for files that call it otherwise [default: guessed and printed]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub event: Vec<String>,
    /// Column of the page or URL, or none; repeat it for files that call it otherwise [default: guessed and printed]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub page: Vec<String>,
    /// Column of the amount, or none; repeat it for files that call it otherwise [default: guessed and printed]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub value: Vec<String>,
    /// Column of the log's own session id: its sessions are used, the timeout is off [default: none]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub session: Vec<String>,
    /// Column of the channel that a visit came through, for --by first_channel [default: guessed, or utm_source of the page]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub source: Vec<String>,
    /// Column of its medium, for --by first_medium [default: guessed, or utm_medium of the page]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub medium: Vec<String>,
    /// Column of its campaign, for --by first_campaign [default: guessed, or utm_campaign of the page]
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_more")]
    pub campaign: Vec<String>,
    /// Columns that questions may name; a missing one is an error (repeatable)
    #[arg(long = "dim", value_name = "COLUMN")]
    pub dimensions: Vec<String>,
    /// Delimiter of text files: one character, or tab [default: found out]
    #[arg(long, value_name = "CHAR")]
    pub delimiter: Option<String>,
    /// Text encoding of the files [default: UTF-8, or by byte order mark]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<Encoding>,
    /// How times are written, in strftime's signs [default: RFC 3339, YYYY-MM-DD HH:MM:SS, or epoch numbers]
    #[arg(long, value_name = "FORMAT")]
    pub time_format: Option<String>,
    /// Time zone of times that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Leave out events before this time
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Leave out events at or after this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Use only events that fulfil this SQL expression: "country = 'DE' AND revenue > 10"
    #[arg(long = "where", value_name = "SQL")]
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Make a column of others: "channel = CASE WHEN source = 'ads' THEN 'paid' ELSE 'free' END" (repeatable)
    #[arg(long, value_name = "NAME = SQL")]
    #[serde(deserialize_with = "derived")]
    pub derive: Vec<String>,
    /// Read /order/18223 as /order/:id: numbers, UUIDs and long hex strings in pages
    #[arg(long)]
    pub fold_ids: bool,
    /// Make the first bad record and every warning about a question an error
    #[arg(long)]
    pub strict: bool,
    /// Write the rejected records to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// The greatest share of bad records that is accepted [default: 10%]
    #[arg(long, value_name = "RATE")]
    pub max_rejects: Option<Fraction>,
}

impl InputSpec {
    /// Settles how to read; `files` are what the inputs stand for.
    pub fn resolve(&self, files: Vec<InputFile>) -> Result<Input> {
        let zone: Tz = match &self.tz {
            None => Tz::UTC,
            Some(name) => name.parse().map_err(|_| {
                Error::question(format!("{name:?} is not a time zone")).hint("use an IANA name: --tz Europe/Berlin")
            })?,
        };
        if let Some(format) =
            self.time_format.as_deref().filter(|format| StrftimeItems::new(format).any(|item| item == Item::Error))
        {
            return Err(Error::question(format!("--time-format {format:?} is not a format"))
                .hint("use strftime's signs: --time-format '%d/%b/%Y:%H:%M:%S %z'"));
        }
        let clock = Clock::new(zone, self.time_format.clone());
        let instant = |flag: &str, text: &Option<String>| {
            let read = |text: &String| instant(text, zone).map_err(|error| error.within(flag));
            text.as_ref().map(read).transpose()
        };
        let (from, to) = (instant("--from", &self.from)?, instant("--to", &self.to)?);
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            return Err(
                Error::question("--from is not before --to").hint("events from --from on and before --to are kept")
            );
        }
        Ok(Input {
            files,
            sources: Vec::new(),
            text: TextOptions {
                format: self.input_format.as_deref().filter(|name| *name != "auto").map(format).transpose()?,
                named: Vec::new(),
                delimiter: self.delimiter.as_deref().map(delimiter).transpose()?,
                encoding: self.encoding,
            },
            roles: self.roles(),
            dimensions: self.dimensions.clone(),
            reading: Reading {
                scan: Scan {
                    filter: self
                        .filter
                        .as_deref()
                        .map(Expression::parse)
                        .transpose()
                        .map_err(|e| e.within("--where"))?,
                    derived: Derived::list(&self.derive).map_err(|e| e.within("--derive"))?,
                    ..Scan::default()
                },
                page: PageRule { fold_ids: self.fold_ids },
                clock,
                from,
                to,
                keep_rejects: self.rejects.is_some(),
            },
        })
    }

    /// The columns that were named for a role.
    pub fn roles(&self) -> Roles {
        Roles {
            visitor: self.visitor.clone(),
            time: self.time.clone(),
            event: self.event.clone(),
            page: self.page.clone(),
            value: self.value.clone(),
            session: self.session.clone(),
            source: self.source.clone(),
            medium: self.medium.clone(),
            campaign: self.campaign.clone(),
        }
    }

    /// Whether the log's own session id makes the sessions.
    pub fn own_sessions(&self) -> bool {
        self.session.iter().any(|column| column != "none")
    }
}

/// A text, or a list of texts.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a column must be a text or a list of texts")]
    enum OneOrMore {
        One(String),
        More(Vec<String>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(name) => vec![name],
        OneOrMore::More(names) => names,
    })
}

/// Derived columns as `"name = SQL"`, one or many, or as a table of names.
fn derived<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
        Named(BTreeMap<String, String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(text) => vec![text],
        Written::Many(texts) => texts,
        Written::Named(columns) => columns.into_iter().map(|(name, sql)| format!("{name} = {sql}")).collect(),
    })
}

/// Any single byte of ASCII that does not already mean something: itself, `tab`, or `\\xNN`.
fn delimiter(text: &str) -> Result<u8> {
    let byte = match text.as_bytes() {
        b"tab" | b"\\t" => Some(b'\t'),
        [b'\\', b'x', _, _] => u8::from_str_radix(&text[2..], 16).ok(),
        [byte] => Some(*byte),
        _ => None,
    };
    byte.filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0)).ok_or_else(|| {
        Error::question(format!("{text:?} is not a delimiter"))
            .hint("use one character (--delimiter ';'), the word tab, or a byte in hex (--delimiter '\\x01')")
    })
}

/// What the run may use and what it says while it runs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// Number of threads [default: all]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory that the run may use [default: half of the machine's]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// Write what the run took to this file, as JSON: seconds, memory, bytes and events
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// Folder for events and counts that do not fit into the memory [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub spill_dir: Option<PathBuf>,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Say more: what each file is, memory and time
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

impl RunArgs {
    pub fn limits(&self, input: &InputSpec) -> Result<Limits> {
        let threads = match self.threads {
            Some(0) => {
                return Err(Error::question("--threads 0 leaves nobody to work").hint("give at least one thread"));
            }
            Some(threads) => threads,
            None => Limits::default().threads,
        };
        Ok(Limits {
            threads,
            memory: self.memory.map_or_else(half_of_memory, |size| size.0),
            spill_dir: self.spill_dir.clone(),
            max_rejects: input.max_rejects.map_or(Limits::default().max_rejects, |rate| rate.0),
            strict: input.strict,
        })
    }
}

/// Half of what the machine or its control group has; 4 GiB where neither says.
fn half_of_memory() -> usize {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kib| kib * 1024)
    });
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (total, group) {
        (Some(total), Some(group)) => total.min(group) / 2,
        (one, other) => one.or(other).map_or(4 << 30, |memory| memory / 2),
    }
}

/// Where answers go, and in which form.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Form of the answer: table, json, jsonl, csv, markdown, parquet, dot or mermaid [default: table on a terminal, json
    /// elsewhere, by the suffix with -o]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Write to this file instead (repeatable; the suffix says the form)
    #[arg(short, long, value_name = "FILE")]
    pub output: Vec<PathBuf>,
    /// The table to write, for forms that hold one
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
    /// Leave CSV texts that a spreadsheet would run as a formula as they are
    #[arg(long)]
    pub csv_raw: bool,
}

/// The rate that an answer must reach: for questions that have one.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct RateArgs {
    /// Exit with 1 if the rate of the answer is lower: a funnel's last step ÷ its first, a conversion's rate of sessions for its first goal
    #[arg(long, value_name = "RATE")]
    pub fail_under: Option<Fraction>,
}
