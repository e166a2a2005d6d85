//! Which events a funnel looks at, and what they stand for: `dedupe` and `backfill`.

use proptest::prelude::*;
use serde_json::json;

use super::super::FunnelSpec;
use super::{common, entered};
use crate::analyses::Spec;
use crate::testing::{Event, ask, check_laws, event, logs, question, visitor};

/// The log without the repeats of the same event in the same journey of a visitor less than `within` µs after the last that is kept.
fn without_repeats(log: &[Event], within: i64) -> Vec<Event> {
    let mut ordered: Vec<&Event> = log.iter().collect();
    ordered.sort_by_key(|event| event.time);
    let mut kept: Vec<Event> = Vec::new();
    for event in ordered {
        let same =
            |other: &&Event| (&other.visitor, &other.event, &other.page) == (&event.visitor, &event.event, &event.page);
        let last = kept.iter().rev().find(same);
        if last.is_none_or(|last| event.time - last.time >= within) {
            kept.push(event.clone());
        }
    }
    kept
}

fn deduped(text: &str, within: Option<&str>) -> FunnelSpec {
    let spec: toml::Table = text.parse().unwrap();
    let spec: FunnelSpec = spec.try_into().unwrap();
    FunnelSpec { dedupe: within.map(|span| span.parse().unwrap()), ..spec }
}

/// Funnels to which it matters what stands between steps.
const FUNNELS: [&str; 6] = [
    "steps = 'A > A > B'",
    "steps = 'A >> B > A'",
    "steps = 'A >> A >> B'\nties = 'step'",
    "steps = 'A > B'\nwindow = '3 events'",
    "steps = 'A > B > A'\non_repeat = 'end_any'\ndropped_next = 'all'",
    "steps = 'A > A'\norder = 'any'",
];

proptest! {
    #[test]
    fn dedupe_is_a_log_without_the_repeats(log in logs(), which in prop::sample::select(FUNNELS.to_vec())) {
        let common = common(json!({}));
        let rest = without_repeats(&log, 5_000_000);
        let (found, _) = ask(&*question(deduped(which, Some("5s")), &common), &log);
        let (expected, _) = ask(&*question(deduped(which, None), &common), &rest);
        let shape = |report: &serde_json::Value| (entered(report), report["steps"][1]["time_from_first_s"].clone());
        prop_assert_eq!(shape(&found), shape(&expected), "{}", which);
        check_laws(&*question(deduped(which, Some("5s")), &common), &log);
    }

    #[test]
    fn a_later_step_stands_for_those_before_it(log in logs()) {
        let spec = FunnelSpec { backfill: Some(true), window: Some("none".parse().unwrap()), ..FunnelSpec::of("A > (B | D) > C") };
        let common = common(json!({}));
        let (report, _) = ask(&*question(spec.clone(), &common), &log);
        let step = |event: &Event| ["A", "BD", "C"].iter().position(|names| names.contains(event.event.as_str()));
        let furthest = |who: &str| log.iter().filter(|event| event.visitor == who).filter_map(step).max();
        let mut visitors: Vec<&str> = log.iter().map(|event| event.visitor.as_str()).collect();
        visitors.sort_unstable();
        visitors.dedup();
        let least = |step: usize| visitors.iter().filter(|who| furthest(who).is_some_and(|most| most >= step)).count() as u64;
        prop_assert_eq!(entered(&report), [0, 1, 2].map(least));
        check_laws(&*question(spec, &common), &log);
    }
}

#[test]
fn a_repeat_is_of_the_same_name_and_page_and_less_than_the_time_after() {
    let steps =
        |log: &[Event]| entered(&ask(&*question(deduped("steps = 'A > A'", Some("1s")), &common(json!({}))), log).0);
    assert_eq!(steps(&visitor("v", "A@0 A@0")), [1, 0]);
    assert_eq!(steps(&visitor("v", "A@0 A@1")), [1, 1], "exactly the time after is no repeat");
    let pages = ["/a", "/b"].map(|page| Event { page: page.into(), ..event("v", 0, "A") });
    assert_eq!(steps(&pages), [1, 1]);
    // A long run is not one event: each is held against the last that was kept.
    let run: Vec<Event> = (0..4).map(|n| Event { time: n * 600_000, ..event("v", 0, "A") }).collect();
    assert_eq!(steps(&run), [1, 1]);
    assert_eq!(steps(&run[..2]), [1, 0]);
}

#[test]
fn what_contradicts_them_is_refused() {
    for text in [
        "steps = 'A >> B'\nbackfill = true",
        "steps = 'A > B'\nbackfill = true\nopen = true",
        "steps = 'A > B'\nbackfill = true\nreuse = false",
        "steps = 'A > B'\nbackfill = true\nties = 'grace:1s'",
        "steps = 'A > B'\nbackfill = true\nexclude = ['C']",
        "steps = 'A > B'\nbackfill = true\nscan = ['strict_order']",
        "steps = 'A >> B'\nties = 'grace:1s'",
        "steps = 'A > B > C'\nties = 'grace:1s'\nexclude = [{ event = 'D', effect = 'remove' }]",
        "steps = 'A > B'\nties = 'grace:1s'\non_repeat = 'end_last'",
        "steps = 'A > B'\nties = 'grace:1s'\nwindow = '3 events'",
        "steps = 'A > B'\nscan = ['strict_increase']\ntimes = 'increasing'",
        "steps = 'A > B'\nscan = ['allow_reentry']",
    ] {
        let spec = deduped(text, None);
        let error =
            spec.resolve(common(json!({})).resolve(false).unwrap()).err().unwrap_or_else(|| panic!("{text} is fine"));
        assert!(error.advice().is_some(), "{text}: {error}");
    }
}
