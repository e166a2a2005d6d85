//! Slow, obvious answers, written from `docs/semantics.md` and from nothing else: plain loops over plain events,
//! every possible attempt tried. The fast answers of the crate must equal these on small random logs.

#![allow(dead_code, reason = "each test binary that includes this file uses a part of it")]

#[path = "oracle/dropoff.rs"]
pub mod dropoff;
#[path = "oracle/facts.rs"]
pub mod facts;
#[path = "oracle/funnel.rs"]
pub mod funnel;
#[path = "oracle/paths.rs"]
pub mod paths;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// One event. Times are µs; an empty page means that the event has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub visitor: String,
    pub time: i64,
    pub event: String,
    pub page: String,
    pub device: String,
    pub value: Option<i64>,
}

// ---------------------------------------------------------------- order and sessions (sections 1 and 2)

/// Section 1: each visitor's events in journey order: by time, then by arrival.
pub fn order(events: &[Event]) -> BTreeMap<String, Vec<Event>> {
    let mut visitors: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events {
        visitors.entry(event.visitor.clone()).or_default().push(event.clone());
    }
    for journey in visitors.values_mut() {
        journey.sort_by_key(|event| event.time); // a stable sort
    }
    visitors
}

/// Section 2, `timeout_edge`: must the gap exceed the timeout, or only reach it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Exceeds,
    Reaches,
}

/// Section 2: the sessions of one visitor, whose events stand in journey order.
pub fn sessions(journey: &[Event], timeout_us: i64, edge: Edge) -> Vec<Vec<Event>> {
    let mut sessions: Vec<Vec<Event>> = Vec::new();
    for (i, event) in journey.iter().enumerate() {
        let gap = if i == 0 { 0 } else { event.time - journey[i - 1].time };
        let split = match edge {
            Edge::Exceeds => gap > timeout_us,
            Edge::Reaches => gap >= timeout_us,
        };
        if i == 0 || split {
            sessions.push(Vec::new());
        }
        sessions.last_mut().expect("opened by the first event").push(event.clone());
    }
    sessions
}

/// The sessions of all visitors, visitor by visitor.
pub fn all_sessions(events: &[Event], timeout_us: i64, edge: Edge) -> Vec<Vec<Event>> {
    order(events).values().flat_map(|journey| sessions(journey, timeout_us, edge)).collect()
}

// ---------------------------------------------------------------- the funnel (section 4)

#[derive(Clone, Debug)]
pub enum Step {
    Name(String),
    Any(Vec<String>),
}

impl Step {
    pub fn fits(&self, event: &Event) -> bool {
        match self {
            Step::Name(name) => *name == event.event,
            Step::Any(names) => names.contains(&event.event),
        }
    }
}

/// How a step follows the one before it: `>` or `>>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    Eventually,
    Directly,
}

/// Whether `>` may use events of equal time in any order, or only in the order of their arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    Any,
    Arrival,
}

/// The plain definition of section 4. `hops[i]` leads from step i to step i + 1, within `limits[i]` if there is one; no
/// window means no limit of the whole.
#[derive(Clone, Debug)]
pub struct Funnel {
    pub steps: Vec<Step>,
    pub hops: Vec<Hop>,
    pub limits: Vec<Option<i64>>,
    pub window: Option<i64>,
    pub ties: Ties,
}

/// Section 4: how many steps this journey (in journey order) reaches.
pub fn funnel_depth(funnel: &Funnel, journey: &[Event]) -> usize {
    reported_attempt(funnel, journey).len()
}

/// Section 4, the reported attempt, as positions in the journey: the greatest depth; of those the earliest last step;
/// of those the latest first; of those the earliest second, then third …; of those the earliest events.
pub fn reported_attempt(funnel: &Funnel, journey: &[Event]) -> Vec<usize> {
    let best = attempts(funnel, journey).into_iter().min_by_key(|attempt| {
        let times: Vec<i64> = attempt.iter().map(|&i| journey[i].time).collect();
        (Reverse(attempt.len()), times.last().copied(), Reverse(times.first().copied()), times, attempt.clone())
    });
    best.unwrap_or_default()
}

/// Every attempt of every depth from 1: all choices of different events that keep the rules.
pub fn attempts(funnel: &Funnel, journey: &[Event]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut longest: Vec<Vec<usize>> = vec![Vec::new()];
    for step in &funnel.steps {
        let mut longer = Vec::new();
        for attempt in &longest {
            for i in (0..journey.len()).filter(|&i| step.fits(&journey[i]) && may_follow(funnel, journey, attempt, i)) {
                longer.push([attempt.as_slice(), &[i]].concat());
            }
        }
        all.extend(longer.iter().cloned());
        longest = longer;
    }
    all
}

/// May the event at `next` be the next one of this attempt?
fn may_follow(funnel: &Funnel, journey: &[Event], attempt: &[usize], next: usize) -> bool {
    let (Some(&first), Some(&last)) = (attempt.first(), attempt.last()) else { return true };
    let time = |i: usize| journey[i].time;
    let in_window = funnel.window.is_none_or(|window| time(next) - time(first) <= window);
    let in_order = match (funnel.hops[attempt.len() - 1], funnel.ties) {
        (Hop::Directly, _) => next == last + 1,
        (Hop::Eventually, Ties::Any) => time(next) >= time(last),
        (Hop::Eventually, Ties::Arrival) => next > last,
    };
    let in_limit =
        funnel.limits.get(attempt.len() - 1).copied().flatten().is_none_or(|limit| time(next) - time(last) <= limit);
    in_window && in_limit && in_order && !attempt.contains(&next)
}

// ---------------------------------------------------------------- nodes, transitions, flow (sections 3 and 5)

/// Section 3: what to do with repeats in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    Keep,
    First,
    Last,
}

/// Section 2: a page view by its name; where no names are given, every event with a page.
pub fn is_page_view(event: &Event, page_views: &[&str]) -> bool {
    if page_views.is_empty() { !event.page.is_empty() } else { page_views.contains(&event.event.as_str()) }
}

/// Section 3, the node rule `auto`: the page for page views that have one, the event name for everything else.
pub fn auto_node(event: &Event, page_views: &[&str]) -> String {
    let page = is_page_view(event, page_views) && !event.page.is_empty();
    if page { event.page.clone() } else { event.event.clone() }
}

/// The nodes of one session with their times.
pub fn path(session: &[Event], node: &dyn Fn(&Event) -> String, repeats: Repeats) -> Vec<(String, i64)> {
    let mut path: Vec<(String, i64)> = Vec::new();
    for event in session {
        let name = node(event);
        match path.last_mut() {
            Some(last) if repeats != Repeats::Keep && last.0 == name => {
                if repeats == Repeats::Last {
                    last.1 = event.time;
                }
            }
            _ => path.push((name, event.time)),
        }
    }
    path
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    pub count: usize,
    pub sessions: usize,
    pub visitors: usize,
    /// Time between the two nodes, one per occurrence, ascending.
    pub times: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCounts {
    pub count: usize,
    pub sessions: usize,
    pub visitors: usize,
    pub entries: usize,
    pub exits: usize,
}

/// Section 5, the graph: neighbouring nodes of the sessions.
pub fn transitions(
    sessions: &[Vec<Event>],
    node: &dyn Fn(&Event) -> String,
    repeats: Repeats,
) -> BTreeMap<(String, String), Transition> {
    let mut found: BTreeMap<(String, String), Transition> = BTreeMap::new();
    let mut who = Who::default();
    for (s, session) in sessions.iter().enumerate() {
        for pair in path(session, node, repeats).windows(2) {
            let key = (pair[0].0.clone(), pair[1].0.clone());
            who.saw(&key, s, session);
            found.entry(key).or_default().times.push(pair[1].1 - pair[0].1);
        }
    }
    for (key, transition) in &mut found {
        transition.times.sort_unstable();
        transition.count = transition.times.len();
        (transition.sessions, transition.visitors) = who.counts(key);
    }
    found
}

/// Section 5, the graph: occurrences, entries and exits per node.
pub fn nodes(
    sessions: &[Vec<Event>],
    node: &dyn Fn(&Event) -> String,
    repeats: Repeats,
) -> BTreeMap<String, NodeCounts> {
    let mut found: BTreeMap<String, NodeCounts> = BTreeMap::new();
    let mut who = Who::default();
    for (s, session) in sessions.iter().enumerate() {
        let path = path(session, node, repeats);
        for (p, (name, _)) in path.iter().enumerate() {
            who.saw(name, s, session);
            let counts = found.entry(name.clone()).or_default();
            counts.count += 1;
            counts.entries += usize::from(p == 0);
            counts.exits += usize::from(p + 1 == path.len());
        }
    }
    for (name, counts) in &mut found {
        (counts.sessions, counts.visitors) = who.counts(name);
    }
    found
}

/// Which sessions and which visitors had something.
#[derive(Default)]
struct Who<K>(BTreeMap<K, (BTreeSet<usize>, BTreeSet<String>)>);

impl<K: Ord + Clone> Who<K> {
    fn saw(&mut self, key: &K, session: usize, events: &[Event]) {
        let (sessions, visitors) = self.0.entry(key.clone()).or_default();
        sessions.insert(session);
        visitors.insert(events[0].visitor.clone());
    }

    fn counts(&self, key: &K) -> (usize, usize) {
        self.0.get(key).map_or((0, 0), |(sessions, visitors)| (sessions.len(), visitors.len()))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowNode {
    pub through: usize,
    pub entered: usize,
    pub dropped: usize,
    pub beyond: usize,
    pub visitors: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowLink {
    pub count: usize,
    pub visitors: usize,
}

/// Columns by (position, node), links by (position of their beginning, from, to). Positions count from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub columns: BTreeMap<(usize, String), FlowNode>,
    pub links: BTreeMap<(usize, String, String), FlowLink>,
}

/// Section 5, the flow forwards, all nodes shown. With a `start` node each session is read from its first occurrence
/// on, and sessions without it take no part.
pub fn flow(
    sessions: &[Vec<Event>],
    node: &dyn Fn(&Event) -> String,
    repeats: Repeats,
    depth: usize,
    start: Option<&str>,
) -> Flow {
    let mut flow = Flow::default();
    let (mut at_node, mut on_link) = (Who::default(), Who::default());
    for (s, session) in sessions.iter().enumerate() {
        let whole = path(session, node, repeats);
        let from = start.map_or(Some(0), |name| whole.iter().position(|(node, _)| node == name));
        let Some(from) = from else { continue };
        let names: Vec<&String> = whole[from..].iter().map(|(name, _)| name).collect();
        for (i, name) in names.iter().take(depth).enumerate() {
            let (key, next) = ((i + 1, name.to_string()), names.get(i + 1));
            at_node.saw(&key, s, session);
            let here = flow.columns.entry(key).or_default();
            here.through += 1;
            here.entered += usize::from(i == 0);
            here.dropped += usize::from(next.is_none());
            here.beyond += usize::from(next.is_some() && i + 1 == depth);
            if let Some(next) = next.filter(|_| i + 1 < depth) {
                let key = (i + 1, name.to_string(), next.to_string());
                on_link.saw(&key, s, session);
                flow.links.entry(key).or_default().count += 1;
            }
        }
    }
    flow.columns.iter_mut().for_each(|(key, node)| node.visitors = at_node.counts(key).1);
    flow.links.iter_mut().for_each(|(key, link)| link.visitors = on_link.counts(key).1);
    flow
}

// ---------------------------------------------------------------- abandonment and summary (section 6)

/// Section 6: which purchase completes a journey that started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurchaseRule {
    AfterFirst,
    AfterLast,
    Anywhere,
}

/// What is asked. `start` opens a cart or a checkout; `cart` and `remove` carry the value left behind.
#[derive(Clone, Debug)]
pub struct AbandonmentQuestion<'a> {
    pub start: &'a [&'a str],
    pub cart: &'a [&'a str],
    pub remove: &'a [&'a str],
    pub purchase: &'a [&'a str],
    pub rule: PurchaseRule,
    pub recover_within: i64,
    /// The time of the log's last event.
    pub log_end: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abandonment {
    pub started: usize,
    pub completed: usize,
    pub abandoned: usize,
    pub recovered: usize,
    pub too_recent: usize,
    pub lost: usize,
    /// Null where no add-to-cart event that was left behind carries a value.
    pub value_left: Option<i64>,
    pub visitors_started: usize,
    /// The rule of the session applied to the visitor's whole history.
    pub visitors_never_purchased: usize,
    pub visitors_with_abandoned_session: usize,
    pub visitors_with_recovered_session: usize,
}

/// Section 6. Takes the sessions of all visitors, each visitor's in their order.
pub fn abandonment(sessions: &[Vec<Event>], question: &AbandonmentQuestion<'_>) -> Abandonment {
    let mut answer = Abandonment::default();
    let mut visitors: BTreeMap<&str, Vec<&[Event]>> = BTreeMap::new();
    for session in sessions {
        visitors.entry(&session[0].visitor).or_default().push(session);
    }
    for sessions in visitors.values() {
        let (mut abandoned, mut recovered) = (0, 0);
        for (s, session) in sessions.iter().enumerate() {
            let Some(completed) = completes(session, question) else { continue };
            answer.started += 1;
            if completed {
                answer.completed += 1;
                continue;
            }
            abandoned += 1;
            let last_chance = latest(session).saturating_add(question.recover_within);
            let rescues =
                |later: &&[Event]| later[0].time <= last_chance && !times(later, question.purchase).is_empty();
            if sessions[s + 1..].iter().any(rescues) {
                recovered += 1;
            } else if last_chance > question.log_end {
                answer.too_recent += 1;
            } else {
                answer.lost += 1;
            }
            if let Some(value) = value_left(session, question) {
                *answer.value_left.get_or_insert(0) += value;
            }
        }
        answer.abandoned += abandoned;
        answer.recovered += recovered;
        answer.visitors_with_abandoned_session += usize::from(abandoned > 0);
        answer.visitors_with_recovered_session += usize::from(recovered > 0);
        if let Some(completed) = completes(&sessions.concat(), question) {
            answer.visitors_started += 1;
            answer.visitors_never_purchased += usize::from(!completed);
        }
    }
    answer
}

/// None: nothing was started. Otherwise: does a purchase complete it? The same instant counts as after.
fn completes(journey: &[Event], question: &AbandonmentQuestion<'_>) -> Option<bool> {
    let starts = times(journey, question.start);
    let purchases = times(journey, question.purchase);
    let (first, last) = (*starts.iter().min()?, *starts.iter().max()?);
    Some(match question.rule {
        PurchaseRule::AfterFirst => purchases.iter().any(|&time| time >= first),
        PurchaseRule::AfterLast => purchases.iter().any(|&time| time >= last),
        PurchaseRule::Anywhere => !purchases.is_empty(),
    })
}

/// Section 6: the value of the add-to-cart events since the session's last purchase, less that of the removals.
fn value_left(session: &[Event], question: &AbandonmentQuestion<'_>) -> Option<i64> {
    let last_purchase = times(session, question.purchase).into_iter().max();
    let sum = |names: &[&str]| {
        let since = session.iter().filter(|event| last_purchase.is_none_or(|time| event.time > time));
        let values: Vec<i64> = since.filter(|event| named(event, names)).filter_map(|event| event.value).collect();
        if values.is_empty() { None } else { Some(values.iter().sum::<i64>()) }
    };
    Some(sum(question.cart)? - sum(question.remove).unwrap_or(0))
}

fn named(event: &Event, names: &[&str]) -> bool {
    names.contains(&event.event.as_str())
}

fn times(journey: &[Event], names: &[&str]) -> Vec<i64> {
    journey.iter().filter(|event| named(event, names)).map(|event| event.time).collect()
}

fn latest(journey: &[Event]) -> i64 {
    journey.iter().map(|event| event.time).max().expect("a session is never empty")
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub visitors: usize,
    pub sessions: usize,
    pub page_views: usize,
    pub events: usize,
    /// Exactly one page view and otherwise only passive events.
    pub bounces: usize,
    /// One event of any kind.
    pub single_event_sessions: usize,
    /// Last minus first event of each session, ascending.
    pub durations: Vec<i64>,
    pub converting_sessions: usize,
    pub converting_visitors: usize,
}

/// Section 6, the counts behind the KPIs: every rate is one of them divided by the sessions or the visitors.
pub fn summary(sessions: &[Vec<Event>], page_views: &[&str], passive: &[&str], goal: &[&str]) -> Summary {
    let mut answer = Summary { sessions: sessions.len(), ..Summary::default() };
    let mut visitors: BTreeMap<&str, bool> = BTreeMap::new();
    for session in sessions {
        let views = session.iter().filter(|event| is_page_view(event, page_views)).count();
        let others_passive = session.iter().all(|event| is_page_view(event, page_views) || named(event, passive));
        let converts = session.iter().any(|event| named(event, goal));
        answer.page_views += views;
        answer.events += session.len();
        answer.bounces += usize::from(views == 1 && others_passive);
        answer.single_event_sessions += usize::from(session.len() == 1);
        answer.durations.push(latest(session) - session[0].time);
        answer.converting_sessions += usize::from(converts);
        *visitors.entry(&session[0].visitor).or_default() |= converts;
    }
    answer.durations.sort_unstable();
    answer.visitors = visitors.len();
    answer.converting_visitors = visitors.values().filter(|&&converts| converts).count();
    answer
}

/// Section 7: the mean, or null for no values.
pub fn mean(values: &[i64]) -> Option<f64> {
    let sum: i128 = values.iter().map(|&value| i128::from(value)).sum();
    (!values.is_empty()).then(|| sum as f64 / values.len() as f64)
}

/// The median of ascending values: for an even count the mean of the two in the middle.
pub fn median(ascending: &[i64]) -> Option<f64> {
    let n = ascending.len();
    if n == 0 { None } else { mean(&[ascending[(n - 1) / 2], ascending[n / 2]]) }
}

/// The value at rank ceil(percent / 100 × n) of n ascending values.
pub fn nearest_rank(ascending: &[i64], percent: usize) -> Option<i64> {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "A@0 B@5=30" is two events of visitor v, the second with a value; "w/C@7" is one of visitor w.
    pub fn log(text: &str) -> Vec<Event> {
        text.split_whitespace().map(one).collect()
    }

    fn one(text: &str) -> Event {
        let (visitor, rest) = text.split_once('/').unwrap_or(("v", text));
        let (event, rest) = rest.split_once('@').expect("an event has a time");
        let (time, value) = rest.split_once('=').map_or((rest, None), |(time, value)| (time, Some(value)));
        Event {
            visitor: visitor.into(),
            time: time.parse().expect("a number"),
            event: event.into(),
            page: String::new(),
            device: String::new(),
            value: value.map(|value| value.parse().expect("a number")),
        }
    }

    /// "a > b|c >> d" as a funnel.
    fn funnel(text: &str, window: Option<i64>, ties: Ties) -> Funnel {
        let (mut steps, mut hops) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            match word {
                ">" => hops.push(Hop::Eventually),
                ">>" => hops.push(Hop::Directly),
                name if !name.contains('|') => steps.push(Step::Name(name.into())),
                names => steps.push(Step::Any(names.split('|').map(String::from).collect())),
            }
        }
        Funnel { steps, hops, limits: Vec::new(), window, ties }
    }

    fn attempt(steps: &str, window: Option<i64>, journey: &str) -> Vec<usize> {
        reported_attempt(&funnel(steps, window, Ties::Any), &log(journey))
    }

    fn by_event(event: &Event) -> String {
        event.event.clone()
    }

    #[test]
    fn order_is_by_time_then_arrival() {
        let visitors = order(&log("B@5 w/X@1 A@5 C@0"));
        assert_eq!(visitors["v"], log("C@0 B@5 A@5"));
        assert_eq!(visitors["w"], log("w/X@1"));
    }

    #[test]
    fn a_gap_of_exactly_the_timeout() {
        let cut = |edge| sessions(&log("A@0 B@10 C@21"), 10, edge);
        assert_eq!(cut(Edge::Exceeds), [log("A@0 B@10"), log("C@21")]);
        assert_eq!(cut(Edge::Reaches), [log("A@0"), log("B@10"), log("C@21")]);
        assert_eq!(all_sessions(&log("A@0 w/A@1 A@99"), 10, Edge::Exceeds).len(), 3);
    }

    #[test]
    fn which_attempt_is_reported() {
        assert_eq!(attempt("A > B > C", None, "A@0 B@1 B@9 C@10"), [0, 1, 3], "the earliest second step");
        assert_eq!(attempt("A > B", None, "A@0 A@5 B@6"), [1, 2], "the latest first step");
        assert_eq!(attempt("A > B", None, "A@0 B@1 A@2 B@3"), [0, 1], "but first of all the earliest last step");
        assert_eq!(attempt("A > B > C", Some(5), "A@0 B@1 A@10 B@11 C@12"), [2, 3, 4], "and the deepest before that");
        assert_eq!(attempt("A > B", None, "A@3 A@3 B@3 B@3"), [0, 2], "of equal times the earliest in the journey");
        assert_eq!(attempt("A > B", None, "X@0 B@1"), [0; 0]);
    }

    #[test]
    fn one_event_fills_one_step() {
        assert_eq!(attempt("A > A", None, "A@0"), [0]);
        assert_eq!(attempt("A > A", None, "A@0 A@0"), [0, 1]);
        assert_eq!(attempt("A|B > A|B > B", None, "B@0 A@0").len(), 2);
    }

    #[test]
    fn equal_times_in_any_order_or_by_arrival() {
        let depth = |steps, ties, journey| funnel_depth(&funnel(steps, None, ties), &log(journey));
        assert_eq!(depth("A > B > C", Ties::Any, "C@4 B@4 A@4"), 3);
        assert_eq!(depth("A > B > C", Ties::Arrival, "C@4 B@4 A@4"), 1);
        assert_eq!(depth("A|B > B", Ties::Any, "B@0 A@0"), 2, "a matching, not a scan");
        assert_eq!(depth("A|B > B", Ties::Arrival, "B@0 A@0"), 1);
        assert_eq!(depth("A > B", Ties::Any, "B@3 A@4"), 1);
    }

    #[test]
    fn the_far_edge_of_the_window_counts() {
        assert_eq!(attempt("A > B", Some(10), "A@0 B@10"), [0, 1]);
        assert_eq!(attempt("A > B", Some(10), "A@0 B@11"), [0]);
        assert_eq!(attempt("A > B > C", Some(10), "A@0 B@6 C@12").len(), 2, "it runs from the first step");
    }

    #[test]
    fn directly_next_in_the_journey_order() {
        assert_eq!(attempt("A >> B", None, "A@0 X@1 B@2"), [0]);
        assert_eq!(attempt("A >> B", None, "A@0 X@1 A@2 B@3"), [2, 3]);
        assert_eq!(attempt("A >> B", None, "B@3 A@3"), [1], "equal times do not help");
        assert_eq!(attempt("A > B >> C", None, "A@0 B@1 X@2 B@3 C@4"), [0, 3, 4]);
    }

    #[test]
    fn transitions_and_repeats() {
        let sessions = [log("A@0 A@2 B@5 B@7 A@9"), log("w/A@0 w/B@1")];
        let times = |repeats, from: &str, to: &str| {
            transitions(&sessions, &by_event, repeats).remove(&(from.into(), to.into())).map(|found| found.times)
        };
        assert_eq!(times(Repeats::First, "A", "B"), Some(vec![1, 5]));
        assert_eq!(times(Repeats::First, "B", "A"), Some(vec![4]));
        assert_eq!(times(Repeats::Last, "A", "B"), Some(vec![1, 5]));
        assert_eq!(times(Repeats::Last, "B", "A"), Some(vec![2]));
        assert_eq!(times(Repeats::Keep, "A", "B"), Some(vec![1, 3]));
        assert_eq!(times(Repeats::Keep, "A", "A"), Some(vec![2]));
        assert_eq!(times(Repeats::First, "A", "A"), None);
        let a = &nodes(&sessions, &by_event, Repeats::First)["A"];
        assert_eq!(*a, NodeCounts { count: 3, sessions: 2, visitors: 2, entries: 2, exits: 1 });
    }

    #[test]
    fn flow_goes_in_and_out() {
        let sessions = [log("A@0 B@1 C@2"), log("A@90"), log("w/X@0 w/A@1 w/B@2")];
        let flow = |start| flow(&sessions, &by_event, Repeats::First, 2, start);
        let (all, from_a) = (flow(None), flow(Some("A")));
        let node =
            |through, entered, dropped, beyond, visitors| FlowNode { through, entered, dropped, beyond, visitors };
        assert_eq!(all.columns[&(1, "A".into())], node(2, 2, 1, 0, 1));
        assert_eq!(all.columns[&(2, "B".into())], node(1, 0, 0, 1, 1));
        assert_eq!(all.columns[&(2, "A".into())], node(1, 0, 0, 1, 1));
        assert_eq!(from_a.columns[&(1, "A".into())], node(3, 3, 1, 0, 2));
        assert_eq!(from_a.columns[&(2, "B".into())], node(2, 0, 1, 1, 2));
        assert_eq!(from_a.links[&(1, "A".into(), "B".into())], FlowLink { count: 2, visitors: 2 });
        assert_eq!((all.columns.len(), all.links.len(), from_a.links.len()), (4, 2, 1));
    }

    #[test]
    fn abandonment_by_rule_and_what_became_of_it() {
        let ask = |text: &str, rule| {
            let (cart, remove, purchase): (&[_], &[_], &[_]) = (&["cart"], &["remove"], &["buy"]);
            let question =
                AbandonmentQuestion { start: cart, cart, remove, purchase, rule, recover_within: 100, log_end: 1000 };
            abandonment(&all_sessions(&log(text), 10, Edge::Exceeds), &question)
        };
        let abandoned = |text, rule| ask(text, rule).abandoned;
        let rules = [PurchaseRule::AfterFirst, PurchaseRule::AfterLast, PurchaseRule::Anywhere];
        assert_eq!(rules.map(|rule| abandoned("cart@0 buy@1 cart@2", rule)), [0, 1, 0]);
        assert_eq!(rules.map(|rule| abandoned("buy@1 cart@2", rule)), [1, 1, 0]);
        assert_eq!(rules.map(|rule| abandoned("buy@2 cart@2", rule)), [0, 0, 0], "the same instant counts as after");
        let became = |text| {
            let answer = ask(text, PurchaseRule::AfterFirst);
            [answer.recovered, answer.too_recent, answer.lost, answer.visitors_never_purchased]
        };
        assert_eq!(became("cart@0 buy@100"), [1, 0, 0, 0], "the last day counts");
        assert_eq!(became("cart@0 buy@101"), [0, 0, 1, 0]);
        assert_eq!(became("cart@0 look@50 buy@60 w/cart@0"), [1, 0, 1, 1]);
        assert_eq!(became("cart@900 w/cart@901"), [0, 1, 1, 2]);
        let left = |text| ask(text, PurchaseRule::AfterLast).value_left;
        assert_eq!(left("cart@0=5 buy@1 cart@2=7 cart@3=2 remove@4=2"), Some(7));
        assert_eq!(left("cart@0"), None);
    }

    #[test]
    fn summary_and_bounces() {
        let sessions = [log("view@0 scroll@4"), log("view@90"), log("w/click@0"), log("w/view@90 w/view@91 w/buy@95")];
        let found = summary(&sessions, &["view"], &["scroll"], &["buy"]);
        assert_eq!((found.visitors, found.sessions, found.page_views, found.events), (2, 4, 4, 7));
        assert_eq!((found.bounces, found.single_event_sessions), (2, 2));
        assert_eq!((found.converting_sessions, found.converting_visitors), (1, 1));
        assert_eq!(found.durations, [0, 0, 4, 5]);
        assert_eq!((mean(&found.durations), median(&found.durations)), (Some(2.25), Some(2.0)));
        assert_eq!([50, 90].map(|percent| nearest_rank(&found.durations, percent)), [Some(0), Some(5)]);
        assert_eq!((mean(&[]), median(&[]), nearest_rank(&[], 50)), (None, None, None));
    }
}
