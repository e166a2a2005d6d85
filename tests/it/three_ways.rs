//! The same questions asked by the command line, by a job file and by the library get the same answers.

use std::fs;
use std::sync::LazyLock;

use clickpath::analyses::conversion::ConversionSpec;
use clickpath::analyses::dropoff::DropOffSpec;
use clickpath::analyses::gaps::GapsSpec;
use clickpath::analyses::paths::PathsSpec;
use clickpath::analyses::{KINDS, Kind, Spec};
use clickpath::{AbandonmentSpec, CommonSpec, FlowSpec, FunnelSpec, GraphSpec, Run, SummarySpec};
use serde_json::{Value, json};

use crate::support::{answer_in, ask, shop};

/// A question: its kind, its options as a job file has them, and as flags.
struct Question {
    kind: &'static str,
    options: &'static str,
    flags: &'static [&'static str],
}

const FIVE: &str = "catalog > product_view > add_to_cart > shipping_details > purchase";

const QUESTIONS: &[Question] = &[
    Question {
        kind: "summary",
        options: "by = ['platform']\ntimeout = '10m'",
        flags: &["--by", "platform", "--timeout", "10m"],
    },
    Question {
        kind: "funnel",
        options: "steps = 'catalog > product_view > add_to_cart > shipping_details > purchase'\nby = ['platform']\nwindow = '3d'",
        flags: &["--steps", FIVE, "--by", "platform", "--window", "3d"],
    },
    Question {
        kind: "funnel",
        options: "steps = 'add_to_cart >> cart'\ngrain = 'session'",
        flags: &["--steps", "add_to_cart >> cart", "--grain", "session"],
    },
    Question {
        kind: "flow",
        options: "depth = 4\ntop = 'all'\nstart = 'search'",
        flags: &["--depth", "4", "--top", "all", "--start", "search"],
    },
    Question {
        kind: "flow",
        options: "end = 'cart'\noccurrence = 'every'\nhighlight = 'search'",
        flags: &["--end", "cart", "--occurrence", "every", "--highlight", "search"],
    },
    Question {
        kind: "graph",
        options: "repeats = 'keep'\nhide = ['error_page']\ngroup = ['p*_view = Product']",
        flags: &["--repeats", "keep", "--hide", "error_page", "--group", "p*_view = Product"],
    },
    Question {
        kind: "abandonment",
        options: "purchase_rule = 'after_last'\nrecover_within = '3d'",
        flags: &["--purchase-rule", "after-last", "--recover-within", "3d"],
    },
    Question {
        kind: "paths",
        options: "top = 7\ngrain = 'visitor'\nmax_events = 9",
        flags: &["--top", "7", "--grain", "visitor", "--max-events", "9"],
    },
    Question {
        kind: "dropoff",
        options: "goal = 'add_to_cart'\nhide = ['home']",
        flags: &["--goal", "add_to_cart", "--hide", "home"],
    },
    Question {
        kind: "conversion",
        options: "goal = ['add_to_cart', 'purchase']\nby = ['platform']",
        flags: &["--goal", "add_to_cart", "--goal", "purchase", "--by", "platform"],
    },
    Question {
        kind: "gaps",
        options: "of = 'platform'\ngoal = 'add_to_cart'\ngrain = 'session'",
        flags: &["--of", "platform", "--goal", "add_to_cart", "--grain", "session"],
    },
];

/// The questions that there are, with a name for each.
fn questions() -> Vec<(String, &'static Question)> {
    let known = QUESTIONS.iter().filter(|question| KINDS.iter().any(|kind: &Kind| kind.name == question.kind));
    known.enumerate().map(|(at, question)| (format!("{} {at}", question.kind), question)).collect()
}

/// What must be the same: everything but the name.
fn parts(document: &Value) -> Value {
    json!({ "schema": document["schema"], "rules": document["rules"], "notes": document["notes"],
            "account": document["account"], "report": document["report"] })
}

static BY_FLAGS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    questions().iter().map(|(_, question)| parts(&ask(question.kind, &[&shop()], question.flags))).collect()
});

/// The answers of a job that asks every question with the options that `options` gives it.
fn by_a_job(options: impl Fn(&Question) -> String) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let tables = questions()
        .into_iter()
        .map(|(name, question)| format!("[[{}]]\nname = '{name}'\n{}\n", question.kind, options(question)));
    fs::write(folder.path().join("job.toml"), tables.collect::<String>()).unwrap();
    answer_in(folder.path(), &["run", "job.toml", shop().to_str().unwrap(), "--output-dir", "out"]);
    let read = |(name, _): &(String, _)| {
        let text = fs::read_to_string(folder.path().join("out").join(format!("{name}.json"))).unwrap();
        parts(&serde_json::from_str(&text).unwrap())
    };
    questions().iter().map(read).collect()
}

/// Asks a question of one kind as a user of the library does: with a struct.
fn ask_library<S: Spec>(run: &mut Run, options: &str) {
    let mut table: toml::Table = options.parse().unwrap();
    let common = CommonSpec::default().take_from(&mut table).unwrap();
    run.ask_with(table.try_into::<S>().unwrap(), common).unwrap();
}

fn by_the_library() -> Vec<Value> {
    let mut run = Run::over([shop()]);
    for (_, Question { kind, options, .. }) in questions() {
        match *kind {
            "summary" => ask_library::<SummarySpec>(&mut run, options),
            "funnel" => ask_library::<FunnelSpec>(&mut run, options),
            "flow" => ask_library::<FlowSpec>(&mut run, options),
            "graph" => ask_library::<GraphSpec>(&mut run, options),
            "paths" => ask_library::<PathsSpec>(&mut run, options),
            "dropoff" => ask_library::<DropOffSpec>(&mut run, options),
            "conversion" => ask_library::<ConversionSpec>(&mut run, options),
            "abandonment" => ask_library::<AbandonmentSpec>(&mut run, options),
            "gaps" => ask_library::<GapsSpec>(&mut run, options),
            kind => panic!("the library is not asked for {kind}"),
        }
    }
    let outcome = run.answer().unwrap().into_outcome();
    let answers = outcome.answers.iter().map(|answer| {
        json!({ "schema": answer.schema, "rules": answer.rules, "notes": answer.notes, "account": answer.account,
                "report": answer.report.json() })
    });
    answers.collect()
}

#[test]
fn three_ways_give_the_same_answers() {
    let (job, library) = (by_a_job(|question| question.options.to_owned()), by_the_library());
    assert!(BY_FLAGS.len() >= 6, "too few questions");
    for (at, (name, question)) in questions().iter().enumerate() {
        for (way, found) in [("job", &job[at]), ("library", &library[at])] {
            for part in ["schema", "rules", "notes", "account", "report"] {
                assert_eq!(found[part], BY_FLAGS[at][part], "{name}: the {part} by {way}; flags {:?}", question.flags);
            }
        }
    }
}

/// Otherwise the three ways could agree by not listening at all.
#[test]
fn the_options_change_the_answers() {
    let needed = |question: &Question| match question.kind {
        "funnel" => format!("steps = '{FIVE}'"),
        "gaps" => "of = 'acquisition_channel'".to_owned(),
        _ => String::new(),
    };
    for (at, ((name, _), plain)) in questions().iter().zip(by_a_job(needed)).enumerate() {
        assert_ne!(BY_FLAGS[at]["report"], plain["report"], "{name}");
    }
}
