//! Each system by its published rules, in a file of its own, and what holds for all presets.

mod adobe;
mod amplitude;
mod clickhouse;
mod ga4;
mod matomo;
mod mixpanel;
mod plausible;
mod posthog;
mod retentioneering;
mod ua;
mod umami;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::analyses::{CommonSpec, KINDS};
use crate::testing::{Event, ask, check_laws, logs, visitor};

/// A question as in the table of a job.
fn asked(kind: &str, table: &str) -> Result<Box<dyn Question>> {
    let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
    let mut table: Table = table.parse().unwrap();
    let common = CommonSpec::default().take_from(&mut table)?.resolve_for(kind.name, false)?;
    (kind.from_table)(table, common)
}

/// A funnel like a system, with more keys of a job behind its steps.
fn funnel(like: &str, steps: &str, more: &str) -> Box<dyn Question> {
    asked("funnel", &format!("like = '{like}'\nsteps = '{steps}'\n{more}")).unwrap()
}

/// How many come to each step of a funnel.
fn entered(like: &str, steps: &str, more: &str, log: &[Event]) -> Vec<u64> {
    let (report, _) = ask(&*funnel(like, steps, more), log);
    report["steps"].as_array().unwrap().iter().map(|step| step["entered"].as_u64().unwrap()).collect()
}

/// How far one visitor comes.
fn depth(like: &str, steps: &str, more: &str, events: &str) -> u64 {
    entered(like, steps, more, &visitor("v", events)).iter().sum()
}

/// How many sessions a visitor has.
fn sessions(like: &str, events: &str) -> u64 {
    sessions_of(like, &visitor("v", events))
}

/// How many sessions a log has.
fn sessions_of(like: &str, log: &[Event]) -> u64 {
    sessions_with(like, "", log)
}

/// The same with more keys.
fn sessions_with(like: &str, more: &str, log: &[Event]) -> u64 {
    let (report, _) = ask(&*asked("summary", &format!("like = '{like}'\n{more}")).unwrap(), log);
    report["sessions"].as_u64().unwrap()
}

/// Events of a visitor that all carry one campaign, or none if it is empty: in these logs every column has the values of the device.
fn from(campaign: &str, events: &str) -> Vec<Event> {
    visitor("v", events).into_iter().map(|event| Event { device: campaign.into(), ..event }).collect()
}

/// Whole paths with their counts.
fn paths(like: &str, events: &str) -> Value {
    let (report, _) =
        ask(&*asked("paths", &format!("like = '{like}'\nnode = 'event'")).unwrap(), &visitor("v", events));
    report["paths"].as_array().unwrap().iter().map(|row| row["path"].clone()).collect()
}

fn assumptions(question: &dyn Question) -> Vec<String> {
    serde_json::from_value(question.rules()["assumptions"].clone()).unwrap()
}

/// Every system, alone and with each of its modes.
fn presets() -> Vec<String> {
    let of = |(name, text): &(&str, &str)| {
        let table: Table = text.parse().unwrap();
        let modes = table.get("modes").and_then(toml::Value::as_table).into_iter().flat_map(Table::keys);
        let modes = modes.map(|mode| format!("{name}:{mode}"));
        [(*name).to_owned()].into_iter().chain(modes).collect::<Vec<_>>()
    };
    SYSTEMS.iter().flat_map(of).collect()
}

#[test]
fn all_eleven_systems_are_there() {
    let names: Vec<&str> = SYSTEMS.iter().map(|(name, _)| *name).collect();
    let wanted = "ga4 ua adobe mixpanel amplitude posthog matomo plausible umami clickhouse retentioneering";
    assert_eq!(names.join(" "), wanted);
}

#[test]
fn presets_set_nothing_but_options_and_say_what_they_assume() {
    let shared: BTreeSet<String> = CommonSpec::fields().into_iter().collect();
    for name in presets() {
        let like: Like = name.parse().unwrap();
        for (table, keys) in &like.tables {
            let Some(keys) = keys.as_table() else {
                assert_eq!(table, ASSUMPTIONS, "{name}");
                continue;
            };
            let kind = KINDS.iter().find(|kind| kind.name == table);
            assert!(kind.is_some() || SHARED.contains(&table.as_str()), "{name} has a table {table}");
            let own: Vec<String> = kind.map_or_else(Vec::new, |kind| (kind.fields)());
            let unknown = keys.keys().find(|key| !shared.contains(*key) && !own.contains(key) && *key != ASSUMPTIONS);
            assert_eq!(unknown, None, "{name}, {table}");
        }
        let said = like.rules("funnel")[ASSUMPTIONS].as_array().unwrap().len();
        assert!((1..10).contains(&said), "{name} says {said} sentences");
    }
}

#[test]
fn no_preset_contradicts_itself() {
    for name in presets().into_iter().filter(|name| name != "clickhouse:allow_reentry") {
        let question = funnel(&name, "a > b", "");
        let said = assumptions(&*question);
        assert!(said.iter().all(|sentence| !sentence.contains("gives way")), "{name}: {said:?}");
        assert_eq!(question.rules()["like"], json!(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn funnels_of_every_preset_keep_the_laws(log in logs()) {
        for name in presets().into_iter().filter(|name| name != "clickhouse:allow_reentry") {
            check_laws(&*funnel(&name, "A > (B | A) > C", "by = ['device']"), &log);
        }
    }
}

#[test]
fn each_question_has_rules_or_is_refused() {
    let mut refused = 0;
    for (name, kind) in presets().iter().flat_map(|name| KINDS.iter().map(move |kind| (name, kind))) {
        let needed = match kind.name {
            "funnel" if name.contains(':') || name == "mixpanel" => "steps = 'a > b'",
            "funnel" => "steps = 'a >[5m] b'",
            "gaps" => "of = 'device'",
            _ => "",
        };
        match asked(kind.name, &format!("like = '{name}'\n{needed}")) {
            Ok(question) => assert_eq!(question.rules()["like"], json!(name), "{}", kind.name),
            Err(error) => {
                assert!(error.to_string().contains(name.as_str()), "{error}");
                assert!(error.advice().is_some(), "{error}");
                refused += 1;
            }
        }
    }
    // ClickHouse knows funnels alone, one of its modes goes with another alone, and Plausible's hops have no limits.
    let kinds = KINDS.len();
    assert_eq!(refused, presets().iter().filter(|name| name.starts_with("clickhouse")).count() * (kinds - 1) + 2);
}

#[test]
fn a_single_key_wins_over_the_preset() {
    let with = |more: &str| funnel("mixpanel", "a > b", more).rules();
    let preset = with("");
    for (key, value) in
        [("window", json!("3d")), ("ties", json!("arrival")), ("entry", json!("last")), ("grain", json!("session"))]
    {
        assert_ne!(preset.get(key), Some(&value), "{key}");
        let mut changed = with(&format!("{key} = {value}"));
        assert_eq!(changed.get(key), Some(&value), "{key}");
        // All else is as the preset has it.
        let mut rest = preset.clone();
        let of_sessions = ["timeout", "timeout_edge", "max_duration", "split_at_midnight", "count"];
        for rules in [&mut changed, &mut rest] {
            rules.retain(|rule, _| rule != key && !of_sessions.contains(&rule.as_str()));
        }
        assert_eq!(changed, rest, "{key}");
    }
    let reuse = |more| funnel("umami", "a > a", more).rules().get("reuse").cloned();
    assert_eq!((reuse(""), reuse("reuse = false")), (Some(json!(true)), None));
}

#[test]
fn the_rules_of_a_job_win_over_the_preset() {
    let mut job: Table = "timeout = '1h'".parse().unwrap();
    let defaults = CommonSpec::default().take_from(&mut job).unwrap();
    let mut table: Table = "like = 'matomo'".parse().unwrap();
    let common = defaults.take_from(&mut table).unwrap().resolve_for("graph", false).unwrap();
    let rules = common.session_rules();
    assert_eq!((&rules["timeout"], &rules["timeout_edge"]), (&json!("1h"), &json!("reaches")));
}

#[test]
fn the_sessions_of_the_log_win_over_the_preset() {
    let rules = |more: &str| {
        let mut table: Table = format!("like = 'adobe'\n{more}").parse().unwrap();
        CommonSpec::default().take_from(&mut table).unwrap().resolve_for("graph", true).unwrap()
    };
    let own = rules("");
    assert_eq!(json!(own.session_rules()), json!({"session": "own id", "timeout": null, "timeout_edge": "exceeds"}));
    let said = own.by_rule()["assumptions"].clone();
    assert!(said.as_array().unwrap().contains(&json!("The log's own ids make the sessions, not the rules of adobe")));
    assert_eq!(rules("timeout = '1h'").session_rules()["timeout"], "1h");
}

#[test]
fn a_default_that_contradicts_what_was_asked_gives_way_and_that_is_said() {
    let question = funnel("posthog", "a > b", "order = 'any'");
    let rules = question.rules();
    assert_eq!((&rules["order"], &rules["ties"], &rules["window"]), (&json!("any"), &json!("any"), &json!("14d")));
    let said = assumptions(&*question);
    assert!(said.last().unwrap().starts_with("ties = \"step\" of posthog gives way to what was asked: "), "{said:?}");
    // What contradicts itself is no less wrong with a preset.
    let error = asked("funnel", "like = 'posthog'\nsteps = 'a >> b'\ntimes = 'increasing'").err().unwrap();
    assert!(error.to_string().starts_with("--like posthog: "), "{error}");
}

#[test]
fn unknown_systems_and_modes_are_refused_with_the_nearest() {
    let refused = |text: &str| {
        let error = text.parse::<Like>().unwrap_err();
        (error.to_string(), error.advice().unwrap().to_owned())
    };
    assert_eq!(refused("mixpanle").1, "did you mean mixpanel?");
    assert_eq!(refused("GA4").1, "did you mean ga4?");
    assert!(refused("zebra").1.starts_with("known are ga4, ua, "));
    assert_eq!(refused("mixpanel:total").1, "did you mean totals?");
    assert_eq!(refused("ga4:strict").1, "it has no modes: leave the colon out");
    let in_a_job = asked("funnel", "like = 'mixpanle'\nsteps = 'a'").err().unwrap().to_string();
    assert!(in_a_job.contains("\"mixpanle\" is no system that is known: did you mean mixpanel?"), "{in_a_job}");
}

/// What a preset sets, written as in a job, and what it assumes.
fn said_of(tables: &Table) -> Vec<String> {
    let said = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => said_of(table),
        toml::Value::Array(sentences) if key == ASSUMPTIONS => {
            sentences.iter().map(|sentence| format!("- {}.", sentence.as_str().unwrap())).collect()
        }
        value => vec![format!("`{key} = {value}`")],
    };
    tables.iter().filter(|(key, _)| *key != ALONE).flat_map(said).collect()
}

#[test]
fn the_document_has_all_that_presets_set_and_assume() {
    let document = include_str!("../../../docs/like.md");
    for (name, text) in SYSTEMS {
        let section = document.split("\n## ").find(|section| section.contains(&format!("\n`--like {name}`")));
        let section = section.unwrap_or_else(|| panic!("{name} is not in docs/like.md"));
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said_of(&text.parse().unwrap());
        assert!(said.len() > 3, "{said:?}");
        for one in said {
            assert!(section.contains(&one), "docs/like.md does not say of {name}: {one}");
        }
    }
}

#[test]
fn modes_add_up_in_any_order() {
    let rules = |like: &str| funnel(like, "a > b", "").rules();
    let (one, other) = ("clickhouse:strict_order+strict_increase", "clickhouse:strict_increase + strict_order");
    assert_eq!(rules(one), rules(other));
    assert_eq!(rules(one)["scan"], json!(["strict_increase", "strict_order"]));
}
