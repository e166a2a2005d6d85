//! What each session is, and goals reached in it, by plain loops.
//!
//! Readings that the definitions leave open:
//! - The sessions of a visitor are numbered from 1 in the order of their first events; the first is *new*, all others *returning*.
//! - Entry and exit page are those of the first and last page view that has a page; a session without one has neither.
//! - Weekday, hour, day, week and month are those of a journey's first event, in `--tz`.
//! - A visitor as a journey has the facts of its whole history; it is session number 1 and new.
//! - `first:COLUMN` and `last:COLUMN` are the first and last non-empty value among the events of the journey.
//! - The steps to a goal are the nodes of the path of the events before it: that of these events alone, whatever comes after them.

use std::collections::BTreeMap;

use super::paths::{View, nodes_of};
use super::{Event, is_page_view};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub visitor: String,
    /// From 1, in the life of the visitor.
    pub number: usize,
    pub start: i64,
    pub end: i64,
    pub events: usize,
    pub page_views: usize,
    pub entry_page: Option<String>,
    pub exit_page: Option<String>,
    pub bounce: bool,
}

/// The facts of each of a visitor's journeys, which stand in their order.
pub fn facts(journeys: &[Vec<Event>], page_views: &[&str], passive: &[&str]) -> Vec<Facts> {
    journeys.iter().enumerate().map(|(at, journey)| facts_of(journey, at + 1, page_views, passive)).collect()
}

fn facts_of(journey: &[Event], number: usize, page_views: &[&str], passive: &[&str]) -> Facts {
    let views: Vec<&Event> = journey.iter().filter(|event| is_page_view(event, page_views)).collect();
    let pages: Vec<&String> = views.iter().map(|view| &view.page).filter(|page| !page.is_empty()).collect();
    let others = journey.iter().filter(|event| !is_page_view(event, page_views));
    let only_passive = others.clone().all(|event| passive.contains(&event.event.as_str()));
    Facts {
        visitor: journey[0].visitor.clone(),
        number,
        start: journey[0].time,
        end: journey[journey.len() - 1].time,
        events: journey.len(),
        page_views: views.len(),
        entry_page: pages.first().map(ToString::to_string),
        exit_page: pages.last().map(ToString::to_string),
        bounce: views.len() == 1 && only_passive,
    }
}

/// The first and the last non-empty device among the events of a journey; empty if there is none.
pub fn first_device(journey: &[Event]) -> String {
    journey.iter().map(|event| event.device.clone()).find(|device| !device.is_empty()).unwrap_or_default()
}

/// See [`first_device`].
pub fn last_device(journey: &[Event]) -> String {
    journey.iter().rev().map(|event| event.device.clone()).find(|device| !device.is_empty()).unwrap_or_default()
}

/// How far it is to a goal, over those who reach it, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToGoal {
    /// µs from the first event to the first goal event.
    pub times: Vec<i64>,
    /// The nodes on the path before that one.
    pub steps: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    pub sessions: usize,
    pub visitors: usize,
    /// Goal events.
    pub conversions: usize,
    pub converting_sessions: usize,
    pub converting_visitors: usize,
    /// The sum of the values of the goal events; null if none has one.
    pub value: Option<i64>,
    pub in_session: ToGoal,
    /// From a visitor's first event; the paths of its sessions one after the other, each on its own.
    pub in_life: ToGoal,
}

/// Takes the sessions of all visitors, each visitor's in their order.
pub fn conversion(sessions: &[Vec<Event>], view: &View<'_>, goal: &dyn Fn(&Event) -> bool) -> Conversion {
    let mut answer = Conversion { sessions: sessions.len(), ..Conversion::default() };
    let mut visitors: BTreeMap<&str, Vec<&Vec<Event>>> = BTreeMap::new();
    sessions.iter().for_each(|session| visitors.entry(&session[0].visitor).or_default().push(session));
    let steps = |events: &[Event]| nodes_of(events, view).len() as i64;
    for sessions in visitors.values() {
        let (mut before, mut reached) = (0, false);
        for session in sessions {
            let goals: Vec<usize> = (0..session.len()).filter(|&at| goal(&session[at])).collect();
            answer.conversions += goals.len();
            for value in goals.iter().filter_map(|&at| session[at].value) {
                *answer.value.get_or_insert(0) += value;
            }
            let Some(&first) = goals.first() else {
                before += steps(session);
                continue;
            };
            let to_goal = steps(&session[..first]);
            answer.converting_sessions += 1;
            answer.in_session.times.push(session[first].time - session[0].time);
            answer.in_session.steps.push(to_goal);
            if !reached {
                reached = true;
                answer.in_life.times.push(session[first].time - sessions[0][0].time);
                answer.in_life.steps.push(before + to_goal);
            }
        }
        answer.converting_visitors += usize::from(reached);
    }
    answer.visitors = visitors.len();
    for to_goal in [&mut answer.in_session, &mut answer.in_life] {
        to_goal.times.sort_unstable();
        to_goal.steps.sort_unstable();
    }
    answer
}

/// Wilson's 95 % interval of `hits` out of `n`; null of none.
pub fn wilson(hits: usize, n: usize) -> Option<[f64; 2]> {
    if n == 0 {
        return None;
    }
    let (z, n, p) = (1.959_963_984_540_054_f64, n as f64, hits as f64 / n as f64);
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some([-1.0, 1.0].map(|sign| ((middle + sign * reach) / (1.0 + z * z / n)).clamp(0.0, 1.0)))
}

/// The journeys by the value that `of` gives each.
pub fn split(journeys: &[Vec<Event>], of: &dyn Fn(&[Event]) -> String) -> BTreeMap<String, Vec<Vec<Event>>> {
    let mut parts: BTreeMap<String, Vec<Vec<Event>>> = BTreeMap::new();
    for journey in journeys {
        parts.entry(of(journey)).or_default().push(journey.clone());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    #[test]
    fn entry_exit_and_bounce() {
        let mut session = log("click@0 view@1 view@2 scroll@3 view@4");
        session[2].page = "/a".into();
        session[3].page = "/s".into();
        let found = facts(&[session, log("view@90 scroll@91")], &["view"], &["scroll"]);
        assert_eq!((found[0].number, found[0].page_views, found[0].bounce), (1, 3, false));
        assert_eq!((found[0].entry_page.as_deref(), found[0].exit_page.as_deref()), (Some("/a"), Some("/a")));
        assert_eq!((found[1].number, found[1].bounce, found[1].entry_page.clone()), (2, true, None));
        assert_eq!((found[1].start, found[1].end, found[1].events), (90, 91, 2));
    }

    #[test]
    fn the_first_goal_counts_for_time_and_steps() {
        let sessions =
            [log("A@0 A@1 B@2 buy@5=3 buy@9=4"), log("A@100 buy@101"), log("w/A@0"), log("w/A@50 w/C@60 w/buy@61")];
        let node = |event: &Event| Some(event.event.clone());
        let view = View { node: &node, repeats: super::super::Repeats::First, hide: &[] };
        let found = conversion(&sessions, &view, &|event| event.event == "buy");
        assert_eq!((found.conversions, found.converting_sessions, found.converting_visitors), (4, 3, 2));
        assert_eq!((found.sessions, found.visitors, found.value), (4, 2, Some(7)));
        assert_eq!((found.in_session.times, found.in_session.steps), (vec![1, 5, 11], vec![1, 2, 2]));
        assert_eq!((found.in_life.times, found.in_life.steps), (vec![5, 61], vec![2, 3]));
    }

    #[test]
    fn the_interval_of_a_half() {
        let [low, high] = wilson(5, 10).expect("there are ten");
        assert!((low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        assert!(wilson(0, 3).is_some_and(|[low, _]| low.abs() < 1e-12));
    }
}
