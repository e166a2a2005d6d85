use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::cutter::Dates;
use super::*;
use crate::dictionary::Dictionary;
use crate::events::{SECOND, TOUCHES, local};
use crate::journeys::{Names, Needs};

const RULE: SessionRule = SessionRule {
    timeout: Some(30),
    edge: TimeoutEdge::Exceeds,
    max_duration: None,
    max_events: None,
    split_at_midnight: false,
    split_on_campaign: CampaignRule::Never,
    split_on: Vec::new(),
    own: false,
    fallback: 30,
};

/// An event as rules see it.
#[derive(Clone, Debug, Default)]
struct Event {
    time: i64,
    name: &'static str,
    /// Source, medium, campaign.
    touches: [&'static str; 3],
    id: u64,
}

/// The numbers of the events of each session of one visitor.
fn cut_events(rule: &SessionRule, zone: Tz, events: &[Event]) -> Vec<Vec<usize>> {
    let mut needs = Needs::of_sessions(rule);
    needs.add(Needs::of_dimensions(&TOUCHES.map(|touch| touch.dimension.to_owned())));
    let (mut names, mut values) = (Dictionary::default(), [(); 3].map(|()| Dictionary::default()));
    let mut columns = Columns { dimensions: vec![Vec::new(); 3], ..Columns::default() };
    for (at, event) in events.iter().enumerate() {
        columns.time.push(event.time);
        columns.event.push(names.intern(event.name));
        columns.session.push(event.id);
        // Which event it is, wherever it ends up.
        columns.value.push(at as i64);
        for ((column, values), touch) in columns.dimensions.iter_mut().zip(&mut values).zip(event.touches) {
            column.push(values.intern(touch));
        }
    }
    let mut names = Names::new(&needs, names, Dictionary::default(), values.into(), None);
    names.zone = zone;
    let mut cuts = Cuts::default();
    cuts.cut(&mut Cutter::new(rule, &names), &[0, events.len() as u32], &mut columns);
    assert_eq!(cuts.first, [0, cuts.bounds.len() as u32]);
    let values = |range: std::ops::Range<usize>| columns.value[range].iter().map(|&at| at as usize).collect::<Vec<_>>();
    assert!(values(0..events.len()).is_sorted(), "the visitor's own order stays");
    cuts.bounds.windows(2).map(|bounds| values(bounds[0] as usize..bounds[1] as usize)).collect()
}

/// The times of each session of one visitor.
fn cut(rule: &SessionRule, times: &[i64], ids: &[u64]) -> Vec<Vec<i64>> {
    let id = |at: usize| ids.get(at).copied().unwrap_or_default();
    let events: Vec<Event> =
        times.iter().enumerate().map(|(at, &time)| Event { time, id: id(at), ..Event::default() }).collect();
    let times = |session: &Vec<usize>| session.iter().map(|&at| times[at]).collect();
    cut_events(rule, Tz::UTC, &events).iter().map(times).collect()
}

#[test]
fn a_gap_must_exceed_or_reach_the_timeout() {
    assert_eq!(cut(&RULE, &[0, 30, 61], &[]), [vec![0, 30], vec![61]]);
    let reaches = SessionRule { edge: TimeoutEdge::Reaches, ..RULE };
    assert_eq!(cut(&reaches, &[0, 30, 59], &[]), [vec![0], vec![30, 59]]);
    assert_eq!(cut(&RULE, &[5], &[]), [vec![5]]);
}

#[test]
fn timeout_zero_keeps_one_instant_together() {
    let zero = SessionRule { timeout: Some(0), ..RULE };
    assert_eq!(cut(&zero, &[1, 1, 2], &[]), [vec![1, 1], vec![2]]);
}

#[test]
fn length_and_number_of_events_split_too() {
    let long = SessionRule { max_duration: Some(40), ..RULE };
    assert_eq!(cut(&long, &[0, 20, 40, 60, 80], &[]), [vec![0, 20, 40], vec![60, 80]]);
    let two = SessionRule { max_events: Some(2), ..RULE };
    assert_eq!(cut(&two, &[0, 1, 2, 3, 4], &[]), [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn own_sessions_may_interleave_and_need_no_timeout() {
    let own = SessionRule { own: true, timeout: None, ..RULE };
    assert_eq!(cut(&own, &[0, 500, 501], &[7, 7, 8]), [vec![0, 500], vec![501]]);
    assert_eq!(cut(&own, &[0, 1, 2, 3], &[7, 8, 7, 9]), [vec![0, 2], vec![1], vec![3]]);
    let split = SessionRule { own: true, ..RULE };
    assert_eq!(cut(&split, &[0, 1, 50], &[7, 8, 7]), [vec![0], vec![1], vec![50]]);
}

#[test]
fn events_without_an_id_fall_back_to_the_timeout_among_themselves() {
    let own = SessionRule { own: true, timeout: None, ..RULE };
    assert_eq!(cut(&own, &[0, 10, 20, 60], &[0, 7, 0, 0]), [vec![0, 20], vec![10], vec![60]]);
}

/// How many events each session has.
fn sizes(rule: &SessionRule, zone: Tz, events: &[Event]) -> Vec<usize> {
    cut_events(rule, zone, events).iter().map(Vec::len).collect()
}

fn at(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
}

#[test]
fn midnight_is_that_of_the_zone() {
    let rule = SessionRule { timeout: None, split_at_midnight: true, ..RULE };
    let log =
        |times: &[&str]| times.iter().map(|time| Event { time: at(time), ..Event::default() }).collect::<Vec<_>>();
    let evening = log(&["2024-05-01T21:59:59Z", "2024-05-01T22:00:00Z", "2024-05-02T00:00:00Z"]);
    assert_eq!(sizes(&rule, Tz::UTC, &evening), [2, 1]);
    assert_eq!(sizes(&rule, Tz::Europe__Berlin, &evening), [1, 2]);
    assert_eq!(sizes(&rule, Tz::America__New_York, &evening), [3]);
    // The last day of summer time has 25 hours in Berlin, the first has 23.
    let autumn = log(&["2024-10-26T22:00:00Z", "2024-10-27T22:30:00Z", "2024-10-27T23:00:00Z"]);
    assert_eq!(sizes(&rule, Tz::Europe__Berlin, &autumn), [2, 1]);
    let spring = log(&["2024-03-30T23:00:00Z", "2024-03-31T21:30:00Z", "2024-03-31T22:00:00Z"]);
    assert_eq!(sizes(&rule, Tz::Europe__Berlin, &spring), [2, 1]);
    // Samoa had no 30 December 2011.
    let samoa = log(&["2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"]);
    assert_eq!(sizes(&rule, Tz::Pacific__Apia, &samoa), [1, 1]);
    // Whole years apart is another date too.
    assert_eq!(sizes(&rule, Tz::UTC, &log(&["2023-05-01T12:00:00Z", "2024-05-01T12:00:00Z"])), [1, 1]);
}

/// One event a second with these campaigns; those without a name are direct.
fn campaigns(names: &[&'static str]) -> Vec<Event> {
    let event =
        |(at, &name): (usize, &&'static str)| Event { time: at as i64, touches: ["", "", name], ..Event::default() };
    names.iter().enumerate().map(event).collect()
}

#[test]
fn a_new_campaign_splits_and_a_direct_visit_does_not() {
    let always = SessionRule { timeout: None, split_on_campaign: CampaignRule::Always, ..RULE };
    let not_from_direct = SessionRule { split_on_campaign: CampaignRule::NotFromDirect, ..always.clone() };
    let both = |names: &[&'static str]| [&always, &not_from_direct].map(|rule| sizes(rule, Tz::UTC, &campaigns(names)));
    assert_eq!(both(&["x", "", "", "x", ""]), [[5], [5]], "pages inside carry none, and the same one changes nothing");
    assert_eq!(both(&["x", "", "y", "", "x"]), [[2, 2, 1], [2, 2, 1]]);
    assert_eq!(both(&["", "", "x", "", "y"]), [vec![2, 2, 1], vec![4, 1]], "whether a direct session takes one on");
    for none in ["(direct)", "direct", "(none)", "(not set)"] {
        assert_eq!(both(&["x", none, "x"]), [[3], [3]], "{none}");
    }
    // Each of the three counts.
    for touches in [["s", "m", "d"], ["s", "d", "c"], ["d", "m", "c"], ["s", "m", ""]] {
        let mut log = campaigns(&["", ""]);
        (log[0].touches, log[1].touches) = (["s", "m", "c"], touches);
        assert_eq!(sizes(&always, Tz::UTC, &log), [1, 1], "{touches:?}");
    }
}

#[test]
fn a_campaign_is_remembered_beyond_a_session_that_is_direct() {
    let always = SessionRule { split_on_campaign: CampaignRule::Always, ..RULE };
    let not_from_direct = SessionRule { split_on_campaign: CampaignRule::NotFromDirect, ..RULE };
    let mut log = campaigns(&["x", "", "", "x", "", "y", "z"]);
    log[1..].iter_mut().for_each(|event| event.time += 100);
    assert_eq!(sizes(&always, Tz::UTC, &log), [1, 4, 1, 1]);
    // x is taken on by the direct session.
    assert_eq!(sizes(&not_from_direct, Tz::UTC, &log), [1, 4, 1, 1]);
    log[3].touches[2] = "";
    assert_eq!(sizes(&always, Tz::UTC, &log), [1, 4, 1, 1]);
    assert_eq!(sizes(&not_from_direct, Tz::UTC, &log), [1, 5, 1], "y is taken on");
}

#[test]
fn an_event_may_start_a_session() {
    let rule = SessionRule { timeout: None, split_on: vec!["login".into(), "open".into()], ..RULE };
    let log = |names: &[&'static str]| names.iter().map(|&name| Event { name, ..Event::default() }).collect::<Vec<_>>();
    assert_eq!(sizes(&rule, Tz::UTC, &log(&["a", "login", "b", "", "open", "login"])), [1, 3, 1, 1]);
    assert_eq!(sizes(&rule, Tz::UTC, &log(&["login", "a"])), [2]);
    let unnamed = SessionRule { split_on: vec![String::new()], ..rule };
    assert_eq!(sizes(&unnamed, Tz::UTC, &log(&["a", "", "b"])), [3], "no name is no event's name");
}

#[test]
fn own_sessions_are_split_each_by_itself() {
    let own = SessionRule { own: true, timeout: None, split_on_campaign: CampaignRule::Always, ..RULE };
    // Two tabs with a campaign each.
    let mut log = campaigns(&["x", "y", "", "x", "y", "z"]);
    log.iter_mut().zip([7, 8, 7, 7, 8, 8]).for_each(|(event, id)| event.id = id);
    assert_eq!(cut_events(&own, Tz::UTC, &log), [vec![0, 2, 3], vec![1, 4], vec![5]]);
}

/// When a session starts, word by word.
fn starts(rule: &SessionRule, zone: Tz, session: &[&Event], before: &[&Event], next: &Event) -> bool {
    let (first, last) = (session[0], session[session.len() - 1]);
    let date = |event: &Event| -> NaiveDate { local(zone, event.time).date() };
    let gap = next.time - last.time;
    let timeout = if rule.own && next.id == 0 { rule.timeout.or(Some(rule.fallback)) } else { rule.timeout };
    let campaign = |event: &Event| -> Option<[&'static str; 3]> {
        let touches = event.touches.map(|touch| if touch == "(none)" { "" } else { touch });
        (touches != [""; 3]).then_some(touches)
    };
    let known = before.iter().rev().find_map(|event| campaign(event));
    let changes = campaign(next).is_some() && campaign(next) != known;
    let by_timeout = match rule.edge {
        TimeoutEdge::Exceeds => timeout.is_some_and(|timeout| gap > timeout),
        TimeoutEdge::Reaches => timeout.is_some_and(|timeout| gap >= timeout),
    };
    let by_campaign = match rule.split_on_campaign {
        CampaignRule::Never => false,
        CampaignRule::Always => changes,
        CampaignRule::NotFromDirect => changes && session.iter().any(|event| campaign(event).is_some()),
    };
    by_timeout
        || by_campaign
        || rule.max_duration.is_some_and(|longest| next.time - first.time > longest)
        || rule.max_events.is_some_and(|most| session.len() >= most as usize)
        || (rule.split_at_midnight && date(next) != date(last))
        || rule.split_on.iter().any(|name| name == next.name)
}

fn oracle(rule: &SessionRule, zone: Tz, events: &[Event]) -> Vec<Vec<usize>> {
    let ids: BTreeSet<u64> = events.iter().map(|event| if rule.own { event.id } else { 0 }).collect();
    let mut all = Vec::new();
    for id in ids {
        let of_id: Vec<usize> = (0..events.len()).filter(|&at| !rule.own || events[at].id == id).collect();
        let mut sessions: Vec<Vec<usize>> = Vec::new();
        for (number, &at) in of_id.iter().enumerate() {
            let look = |numbers: &[usize]| numbers.iter().map(|&at| &events[at]).collect::<Vec<_>>();
            match sessions.last_mut() {
                Some(session) if !starts(rule, zone, &look(session), &look(&of_id[..number]), &events[at]) => {
                    session.push(at);
                }
                _ => sessions.push(vec![at]),
            }
        }
        all.extend(sessions);
    }
    all.sort();
    all
}

fn rules() -> impl Strategy<Value = SessionRule> {
    let hours = |most: i64| prop::option::of((0..most).prop_map(|hours| hours * 3600 * SECOND));
    let campaigns = [CampaignRule::Never, CampaignRule::Always, CampaignRule::NotFromDirect];
    let names = prop::sample::subsequence(vec!["a", "b"], 0..=2);
    let edge = prop::sample::select(vec![TimeoutEdge::Exceeds, TimeoutEdge::Reaches]);
    let limits = (hours(4), hours(9), prop::option::of(1..6u32));
    (limits, edge, any::<(bool, bool)>(), prop::sample::select(campaigns.to_vec()), names).prop_map(
        |((timeout, max_duration, max_events), edge, (split_at_midnight, own), split_on_campaign, names)| SessionRule {
            timeout,
            edge,
            max_duration,
            max_events,
            split_at_midnight,
            split_on_campaign,
            split_on: names.into_iter().map(str::to_owned).collect(),
            own,
            fallback: 7200 * SECOND,
        },
    )
}

/// Events half an hour apart or more, around the nights in which clocks are changed.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let names = prop::sample::select(vec!["", "a", "b", "c", "d", "e"]);
    let touch = || prop::sample::select(vec!["", "", "", "", "(none)", "x", "y"]);
    let event = (0..6i64, names, [touch(), touch(), touch()], 0..3u64);
    let begin = prop::sample::select(vec!["2024-03-30T20:00:00Z", "2024-10-26T16:00:00Z", "2018-11-03T20:00:00Z"]);
    (begin, prop::collection::vec(event, 1..24)).prop_map(|(begin, events)| {
        let mut time = at(begin);
        let mut event = |(gap, name, touches, id)| {
            time += gap * 1800 * SECOND;
            Event { time, name, touches, id }
        };
        events.into_iter().map(&mut event).collect()
    })
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        // Changes its clocks at midnight, so that some days begin at one.
        Tz::America__Sao_Paulo,
        Tz::Asia__Kolkata,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn all_rules_together_are_those_of_the_oracle(rule in rules(), zone in zones(), log in events()) {
        prop_assert_eq!(cut_events(&rule, zone, &log), oracle(&rule, zone, &log));
    }

    #[test]
    fn dates_are_local_dates(zone in zones(), times in prop::collection::vec(-40_000_000..40_000_000i64, 1..40)) {
        let mut dates = Dates::new(zone);
        let times: Vec<i64> = times.into_iter().map(|minutes| minutes * 60 * SECOND - 1).collect();
        let known: Vec<i32> = times.iter().map(|&time| dates.date(time)).collect();
        for (&a, number) in times.iter().zip(&known) {
            let same = |&(&b, other): &(&i64, &i32)| (local(zone, a).date() == local(zone, b).date()) == (number == other);
            prop_assert!(times.iter().zip(&known).all(|pair| same(&pair)));
        }
    }
}

/// Every quarter of an hour of years with all kinds of changes, in and out of order.
#[test]
fn dates_are_right_on_the_days_of_changes() {
    for zone in
        [Tz::Europe__Berlin, Tz::America__Sao_Paulo, Tz::Pacific__Apia, Tz::Australia__Lord_Howe, Tz::America__St_Johns]
    {
        let mut dates = Dates::new(zone);
        let begin = at("2011-01-01T00:00:00Z");
        for quarter in (0..35_040).chain((0..35_040).rev()) {
            let time = begin + quarter * 900 * SECOND;
            let number = chrono::Datelike::num_days_from_ce(&local(zone, time).date());
            assert_eq!(dates.date(time), number, "{zone} {time}");
        }
    }
}
