//! Every document that the program writes is of the shape that `docs/schemas` promises, and of no other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use crate::support::{answer_in, ask, root, shop};

/// Where the schemas are for the validator, which reads no files: any place will do.
const BASE: &str = "json-schema:///";

/// The schemas by file name.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let entries = fs::read_dir(root().join("docs/schemas")).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path))).collect()
});

static REGISTRY: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let resources = SCHEMAS.iter().map(|(name, schema)| (format!("{BASE}{name}"), schema));
    Registry::new().extend(resources).unwrap().prepare().unwrap()
});

/// The checkers by the id that a document names: `clickpath.funnel/1`.
static VALIDATORS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let options = || jsonschema::options().with_base_uri(BASE).with_registry(&REGISTRY);
    SCHEMAS.iter().map(|(name, schema)| (id_of(name), options().build(schema).unwrap())).collect()
});

/// `clickpath.funnel.1.json` is the file of `clickpath.funnel/1`.
fn id_of(file: &str) -> String {
    let (name, version) = file.strip_suffix(".json").unwrap().rsplit_once('.').unwrap();
    format!("{name}/{version}")
}

/// What is wrong with a document, by the schema that it names.
fn problems(document: &Value) -> Vec<String> {
    problems_of(document["schema"].as_str().expect("a document names its schema"), document)
}

/// What is wrong with a document that should be of the schema `id`.
fn problems_of(id: &str, document: &Value) -> Vec<String> {
    let validator = VALIDATORS.get(id).unwrap_or_else(|| panic!("there is no schema of {id}"));
    validator.iter_errors(document).map(|error| format!("{id} {}: {error}", error.instance_path())).collect()
}

fn assert_valid(document: &Value, asked: &str) {
    let problems = problems(document);
    assert!(problems.is_empty(), "{asked}:\n{}", problems.join("\n"));
}

/// Questions that between them show every part of every report.
const QUESTIONS: [&[&str]; 30] = [
    &["inspect"],
    &["report"],
    &["summary"],
    &["summary", "--by", "platform", "--by", "acquisition_channel", "--page-view", "home", "--max-events", "5"],
    &["funnel", "--steps", "catalog > cart"],
    &["funnel", "--steps", "catalog > zebra", "--by", "platform", "--grain", "session", "--session", "session_id"],
    &[
        "funnel",
        "--steps",
        "catalog > cart > purchase",
        "--dropped-next",
        "2",
        "--by",
        "platform",
        "--compare",
        "platform=mobile,desktop",
    ],
    &[
        "funnel",
        "--steps",
        "catalog > cart",
        "--trend",
        "week",
        "--mature",
        "--window",
        "1d",
        "--by",
        "platform",
        "--drivers",
        "9",
        "--driver-dim",
        "weekday",
    ],
    &["funnel", "--steps", "catalog > cart > purchase", "--between", "2", "--by", "platform"],
    &["funnel", "--steps", "catalog > cart", "--like", "mixpanel", "--dedupe", "1s"],
    &["funnel", "--steps", "catalog > cart", "--like", "clickhouse:strict_order+allow_reentry"],
    &["funnel", "--steps", "catalog > cart", "--like", "ua", "--by", "platform"],
    &["flow", "--by", "platform", "--depth", "3", "--top", "2"],
    &["flow", "--start", "cart", "--top", "all", "--hide", "home", "--group", "/a/* = A"],
    &["flow", "--end", "cart", "--occurrence", "every", "--highlight", "catalog", "--by", "platform", "--top", "2"],
    &["flow", "--through", "cart", "--depth", "2", "--occurrence", "last", "--top", "all"],
    &["flow", "--start", "home", "--end", "cart", "--direction", "backwards", "--top", "3"],
    &["flow", "--from-dim", "platform", "--highlight", "zebra", "--depth", "2"],
    &["graph", "--by", "platform", "--min-count", "20", "--max-duration", "2h"],
    &["graph", "--grain", "visitor", "--repeats", "keep", "--collapse", "home"],
    &["paths", "--by", "platform", "--top", "all", "--matrix", "--hide", "home"],
    &["paths", "--grain", "visitor", "--around", "cart", "--before", "2", "--after", "0"],
    &["abandonment", "--by", "platform"],
    &["abandonment", "--purchase-rule", "anywhere", "--recover-within", "1d"],
    &["conversion", "--goal", "purchase", "--goal", "cart", "--by", "platform"],
    &["conversion", "--goal", "zebra"],
    &["dropoff", "--by", "platform", "--next", "1", "--error", "cart"],
    &["dropoff", "--grain", "visitor", "--goal", "zebra"],
    &["gaps", "--of", "platform", "--by", "acquisition_channel"],
    &["gaps", "--of", "event", "--grain", "session", "--goal", "node(cart)"],
];

/// Logs that leave much undefined: without events, without records that can be used, with one event, and with odd values.
const ODD_LOGS: [&str; 3] = [
    "user_id,timestamp,event,platform,acquisition_channel,session_id,value\n",
    "user_id,timestamp,event,platform,acquisition_channel,session_id,value\nv,2024-01-01T00:00:00.000001Z,cart,,,,\n",
    "user_id,timestamp,event,platform,acquisition_channel,session_id,value\n\
        v,-62135596800,catalog,\u{202e},\"a\n\",x,-0.000001\nv,0,add_to_cart,x,,x,many\nv,1,purchase,x,,,1e9\n\
        w,0,catalog,(all),,,\nw,0,cart,(all),,,\n",
];

fn asked(question: &[&str], log: &Path) -> Value {
    ask(question[0], &[log], &question[1..])
}

#[test]
fn every_schema_is_one_and_is_called_as_its_file() {
    for (name, schema) in SCHEMAS.iter() {
        assert!(jsonschema::meta::is_valid(schema), "{name} is no JSON Schema");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        assert_eq!(schema["$id"], name.as_str());
    }
    assert_eq!(VALIDATORS.len(), SCHEMAS.len());
}

/// The ids of schemas in the program's own text.
fn ids_in_the_program() -> BTreeSet<String> {
    let (mut folders, mut ids) = (vec![root().join("src")], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).unwrap();
            let found = text.split("\"clickpath.").skip(1).filter_map(|rest| rest.split(['"', '\\']).next());
            ids.extend(found.filter(|id| id.contains('/')).map(|id| format!("clickpath.{id}")));
        }
    }
    ids
}

#[test]
fn every_document_of_the_program_has_a_schema_and_no_schema_is_idle() {
    // Rejected records are only ever written as CSV; the envelope is a part of the others.
    let (never_json, never_alone) = ("clickpath.rejects/1", "clickpath.envelope/1");
    let mut emitted = ids_in_the_program();
    assert!(emitted.remove(never_json));
    let mut described: BTreeSet<String> = SCHEMAS.keys().map(|name| id_of(name)).collect();
    assert!(described.remove(never_alone));
    assert_eq!(emitted, described);
}

#[test]
fn answers_about_the_sample_log_are_of_their_schemas() {
    for question in QUESTIONS {
        assert_valid(&asked(question, &shop()), &question.join(" "));
    }
}

#[test]
fn answers_about_odd_logs_are_of_their_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    for text in ODD_LOGS {
        fs::write(&log, text).unwrap();
        for question in QUESTIONS {
            assert_valid(&asked(question, &log), &format!("{} about {text}", question.join(" ")));
        }
    }
}

#[test]
fn what_a_job_writes_is_of_its_schemas() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log.csv"), ODD_LOGS[2]).unwrap();
    let job = "input.files = ['log.csv']\n[[funnel]]\nsteps = 'catalog > cart'\nfail_under = 0.1\nby = ['platform']\n[[journeys]]\n[[graph]]\n";
    fs::write(folder.path().join("job.toml"), job).unwrap();
    answer_in(folder.path(), &["run", "job.toml", "--output-dir", "out", "--stats", "out/stats.json"]);
    let checked = answer_in(folder.path(), &["check", "job.toml", "--format", "json"]);
    assert_strict(&serde_json::from_str(&checked).unwrap());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path().join("out")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            let document = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            assert_valid(&document, &name);
            assert_strict(&document);
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(names, ["funnel.json", "graph.json", "journeys.json", "run.json", "stats.json"]);
}

#[test]
fn answers_that_are_changed_are_of_no_schema() {
    for question in [
        &["inspect"][..],
        &["summary", "--by", "platform"],
        &["funnel", "--steps", "catalog > cart", "--by", "platform"],
        &["funnel", "--steps", "catalog > cart", "--dropped-next", "2", "--compare", "period:2024-03..2024-04"],
        &[
            "funnel",
            "--steps",
            "catalog > cart",
            "--trend",
            "month",
            "--mature",
            "--drivers",
            "all",
            "--driver-dim",
            "platform",
        ],
        &["funnel", "--steps", "catalog > cart", "--between", "1"],
        &["flow", "--depth", "2", "--top", "1", "--by", "platform"],
        &["flow", "--through", "cart", "--depth", "1", "--top", "1", "--occurrence", "every", "--highlight", "home"],
        &["graph", "--min-count", "1500", "--by", "platform"],
        &["paths", "--top", "2", "--matrix", "--depth", "2", "--by", "platform"],
        &["abandonment", "--by", "platform"],
        &["conversion", "--goal", "purchase", "--by", "platform"],
        &["dropoff", "--by", "platform", "--next", "1", "--error", "cart", "--group", "* = any"],
        &["gaps", "--of", "platform", "--by", "acquisition_channel"],
    ] {
        assert_strict(&asked(question, &shop()));
    }
    let report = asked(&["report"], &shop());
    let (mut unknown, mut renamed) = (report.clone(), report);
    unknown["answers"][0]["report"]["zebra"] = json!(1);
    renamed["answers"][0]["schema"] = json!("clickpath.graph/1");
    assert!(!problems(&unknown).is_empty() && !problems(&renamed).is_empty());
}

/// Objects whose keys come from the log or from options to come.
const OPEN: [&str; 6] = ["rules", "by", "rejected_reasons", "nulled", "roles", "stage"];

/// Keys that may be missing.
const OPTIONAL: [&str; 12] = [
    "segments",
    "highlighted",
    "journeys_left_out",
    "fail_under",
    "dropped_next",
    "between",
    "trend",
    "comparison",
    "comparison_tests",
    "drivers",
    "driver_tests",
    "drivers_too_rare",
];

/// Asserts that no change of `document` is accepted: a key more or less, a value of another type, a count or rate that is none.
fn assert_strict(document: &Value) {
    assert_valid(document, "before any change");
    let id = document["schema"].as_str().unwrap();
    let mut places = Vec::new();
    collect(document, String::new(), &mut places);
    assert!(places.len() > 10, "only {} places were found", places.len());
    for place in places {
        for (change, changed) in changes(document, &place) {
            assert!(!problems_of(id, &changed).is_empty(), "{id}: {place} {change} is accepted");
        }
    }
}

/// The pointers of all values outside of [`OPEN`] objects. Of a list the first two and the last: the others are like them.
fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    places.push(place.clone());
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !OPEN.contains(&key.as_str())) {
                collect(value, format!("{place}/{key}"), places);
            }
        }
        Value::Array(items) => {
            let last = items.len().saturating_sub(1);
            for (at, item) in items.iter().enumerate().filter(|(at, _)| *at < 2 || *at == last) {
                collect(item, format!("{place}/{at}"), places);
            }
        }
        _ => {}
    }
}

/// Wrong documents that differ from `document` at `place`, and how.
fn changes(document: &Value, place: &str) -> Vec<(&'static str, Value)> {
    let value = document.pointer(place).unwrap();
    let with = |new: Value| {
        let mut changed = document.clone();
        *changed.pointer_mut(place).unwrap() = new;
        changed
    };
    let key = place.rsplit('/').next().unwrap_or_default();
    let mut changes = vec![("as a truth", with(json!(true))), ("as a text in a list", with(json!(["x"])))];
    match value {
        Value::Object(fields) => {
            let mut more = value.clone();
            more["zebra"] = json!(0);
            changes.push(("with one key more", with(more)));
            for gone in fields.keys().filter(|key| !OPTIONAL.contains(&key.as_str())) {
                let mut less = fields.clone();
                less.shift_remove(gone);
                changes.push(("with one key less", with(Value::Object(less))));
            }
        }
        Value::Number(_) => {
            changes.push(("as a text", with(json!("1"))));
            let below = MAY_BE_BELOW_ZERO.contains(&key)
                || (key == "position" && ["/matrix/", "/columns/", "/links/"].iter().any(|list| place.contains(list)))
                || (place.contains("/comparison/") && place.contains("/interval/"));
            if !below {
                changes.push(("below zero", with(json!(-1))));
            }
            if is_rate(key) {
                changes.push(("above one", with(json!(1.5))));
            }
            if value.is_u64() && !place.contains("seconds") {
                changes.push(("as half a count", with(json!(0.5))));
            }
        }
        Value::String(_) => changes.push(("as a number", with(json!(1)))),
        Value::Bool(_) => changes.retain(|(change, _)| *change != "as a truth"),
        Value::Array(_) => changes.retain(|(change, _)| *change != "as a text in a list" || !is_text_list(key)),
        Value::Null => {}
    }
    changes
}

const MAY_BE_BELOW_ZERO: [&str; 6] =
    ["value", "value_left", "value_lost", "mean_goal_value", "excess_drops", "difference"];

fn is_rate(key: &str) -> bool {
    let ends = ["rate", "share", "probability"].iter().any(|end| key.ends_with(end));
    (ends && key != "click_through_rate") || key.starts_with("of_")
}

/// Lists that may hold any text.
fn is_text_list(key: &str) -> bool {
    ["notes", "columns", "questions", "path"].contains(&key)
}
