//! Section 4, the funnel with options: every attempt is listed, those against a rule are struck out, and of the rest
//! the best is taken.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Event, Hop, Step};

/// How far an attempt may reach from its first event, the far edge included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    None,
    /// µs.
    Time(i64),
    /// The session of the first event and the n − 1 after it.
    Sessions(usize),
    /// The first event and the n − 1 ranks after it.
    Events(usize),
}

/// The order of events of equal time: whichever suits, by arrival, or by the lowest step that they fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    Any,
    Arrival,
    Step,
}

/// What the repeat of a step ends: nothing, or an attempt that has reached any further step, or only just that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRepeat {
    Ignore,
    EndAny,
    EndLast,
}

/// Which events that fit step 1 may open an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Best,
    First,
    Last,
    Each,
    All,
}

/// Does an excluding event stop the attempt, or remove the journey?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Stop,
    Remove,
}

/// Does a missing value hold with a missing one, or with nothing?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Match,
    Never,
}

/// `what` must not happen between the steps `from` and `to`, which count from 1.
#[derive(Clone, Debug)]
pub struct Exclusion {
    pub what: Step,
    pub from: usize,
    pub to: usize,
    pub effect: Effect,
}

/// `hops[i]` leads from step i to step i + 1, within `limits[i]` µs if there is one. `hold` holds the device.
#[derive(Clone, Debug)]
pub struct Options {
    pub steps: Vec<Step>,
    pub hops: Vec<Hop>,
    pub limits: Vec<Option<i64>>,
    pub window: Window,
    pub ties: Ties,
    pub among_steps: bool,
    pub increasing: bool,
    pub reuse: bool,
    pub exclusions: Vec<Exclusion>,
    pub on_repeat: OnRepeat,
    pub entry: Entry,
    pub hold: Option<Missing>,
}

/// The reported attempts of one journey, as positions in it; `sessions[i]` is the number of event i's session. There is
/// at most one unless the entry is `Each` or `All`.
pub fn reported(options: &Options, journey: &[Event], sessions: &[usize]) -> Vec<Vec<usize>> {
    let ranked = Ranked::new(options, journey, sessions);
    let (openers, attempts) = (ranked.openers(), ranked.attempts());
    let found = match options.entry {
        Entry::Best | Entry::First | Entry::Last => Vec::from_iter(ranked.entered(&openers, &attempts)),
        Entry::All => openers.iter().filter_map(|&opener| ranked.opened_by(opener, &attempts)).collect(),
        Entry::Each => ranked.one_after_another(&openers, &attempts),
    };
    found.iter().map(|attempt| ranked.positions(attempt)).collect()
}

/// The reported attempt among those that hold each value, in the order of the values; first and last entries are those
/// of each value.
pub fn reported_by_held(options: &Options, journey: &[Event], sessions: &[usize]) -> Vec<(String, Vec<usize>)> {
    let ranked = Ranked::new(options, journey, sessions);
    let (openers, attempts) = (ranked.openers(), ranked.attempts());
    let values: BTreeSet<&str> = openers.iter().map(|&opener| ranked.device(opener)).collect();
    let mut found = Vec::new();
    for value in values {
        let openers: Vec<usize> = openers.iter().copied().filter(|&x| ranked.device(x) == value).collect();
        let attempts: Vec<_> = attempts.iter().filter(|attempt| ranked.device(attempt[0]) == value).cloned().collect();
        if let Some(attempt) = ranked.entered(&openers, &attempts) {
            found.push((value.to_string(), ranked.positions(&attempt)));
        }
    }
    found
}

/// Order = any: the greatest number of different steps that different events fill inside one window.
pub fn any_order(steps: &[Step], window: Window, journey: &[Event]) -> usize {
    let inside = |first: &Event, event: &Event| match window {
        Window::None => true,
        Window::Time(width) => event.time >= first.time && event.time - first.time <= width,
        Window::Sessions(_) | Window::Events(_) => panic!("any order has no window or one of time"),
    };
    let held = |first| fill(steps, &journey.iter().filter(|event| inside(first, event)).collect::<Vec<_>>());
    journey.iter().map(held).max().unwrap_or(0)
}

/// How many of the steps these events can fill: the first step stays empty or takes any event that fits it.
fn fill(steps: &[Step], events: &[&Event]) -> usize {
    let Some((step, rest)) = steps.split_first() else { return 0 };
    let mut most = fill(rest, events);
    for i in (0..events.len()).filter(|&i| step.fits(events[i])) {
        let others = [&events[..i], &events[i + 1..]].concat();
        most = most.max(1 + fill(rest, &others));
    }
    most
}

/// Open funnel, per step: does some event fit it (entered), and can one follow an event of the step before (continued)?
pub fn open(options: &Options, journey: &[Event]) -> Vec<(bool, bool)> {
    assert!(!matches!(options.window, Window::Sessions(_)), "an open funnel is not told the sessions");
    let ranked = Ranked::new(options, journey, &vec![0; journey.len()]);
    let two_steps = |k: usize, a, b| a != b && ranked.may_hop(k - 1, a, b) && ranked.in_window(a, b);
    let continued = |k: usize| ranked.filling(k - 1).any(|a| ranked.filling(k).any(|b| two_steps(k, a, b)));
    (0..options.steps.len()).map(|k| (ranked.filling(k).count() > 0, k > 0 && continued(k))).collect()
}

/// A journey in rank order. From here on an event is named by its rank, and an attempt is a list of ranks.
struct Ranked<'a> {
    options: &'a Options,
    events: Vec<&'a Event>,
    sessions: Vec<usize>,
    /// The position in the journey of each rank.
    position: Vec<usize>,
}

impl<'a> Ranked<'a> {
    /// Rank order is journey order; with `Ties::Step` each instant is sorted by the lowest step that its events fit.
    fn new(options: &'a Options, journey: &'a [Event], sessions: &[usize]) -> Self {
        let mut position: Vec<usize> = (0..journey.len()).collect();
        if options.ties == Ties::Step {
            position.sort_by_key(|&i| (journey[i].time, lowest_step(options, &journey[i]).unwrap_or(usize::MAX)));
        }
        let events = position.iter().map(|&i| &journey[i]).collect();
        let sessions = position.iter().map(|&i| sessions[i]).collect();
        Ranked { options, events, sessions, position }
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.events.len()
    }

    fn time(&self, x: usize) -> i64 {
        self.events[x].time
    }

    fn device(&self, x: usize) -> &str {
        &self.events[x].device
    }

    fn positions(&self, attempt: &[usize]) -> Vec<usize> {
        attempt.iter().map(|&x| self.position[x]).collect()
    }

    /// Fills step `step` (from 0): fits it, and may hold its device.
    fn fills(&self, step: usize, x: usize) -> bool {
        let never = self.options.hold == Some(Missing::Never) && self.device(x).is_empty();
        self.options.steps[step].fits(self.events[x]) && !never
    }

    fn filling(&self, step: usize) -> impl Iterator<Item = usize> {
        self.all().filter(move |&x| self.fills(step, x))
    }

    fn openers(&self) -> Vec<usize> {
        self.filling(0).collect()
    }

    // ------------------------------------------------------------ all attempts

    /// Every attempt of every depth that all rules but `Remove` and the entry allow.
    fn attempts(&self) -> Vec<Vec<usize>> {
        let mut all: Vec<Vec<usize>> = Vec::new();
        let mut longest: Vec<Vec<usize>> = vec![Vec::new()];
        for step in 0..self.options.steps.len() {
            let mut longer = Vec::new();
            for attempt in &longest {
                for x in self.filling(step).filter(|&x| self.may_follow(attempt, x)) {
                    longer.push([attempt.as_slice(), &[x]].concat());
                }
            }
            all.extend(longer.iter().cloned());
            longest = longer;
        }
        all.retain(|attempt| !self.is_stopped(attempt) && !self.is_ended_by_repeat(attempt));
        all
    }

    /// May x be the next event of this attempt?
    fn may_follow(&self, attempt: &[usize], x: usize) -> bool {
        let (Some(&first), Some(&last)) = (attempt.first(), attempt.last()) else { return true };
        let is_new = self.options.reuse || !attempt.contains(&x);
        let holds = self.options.hold.is_none() || self.device(x) == self.device(first);
        is_new && holds && self.in_window(first, x) && self.may_hop(attempt.len() - 1, last, x)
    }

    /// May hop `hop` (from 0) lead from a to b?
    fn may_hop(&self, hop: usize, a: usize, b: usize) -> bool {
        let in_order = match self.options.ties {
            Ties::Any => self.time(b) >= self.time(a),
            Ties::Arrival | Ties::Step => b > a || (self.options.reuse && b == a),
        };
        let increases = !self.options.increasing || self.time(b) > self.time(a);
        let direct = self.options.hops[hop] == Hop::Eventually || self.is_next(a, b);
        let limit = self.options.limits.get(hop).copied().flatten();
        in_order && increases && direct && limit.is_none_or(|limit| self.time(b) - self.time(a) <= limit)
    }

    /// `Directly`: no event has a rank between; with `among_steps`, none that fits a step, whatever its device.
    fn is_next(&self, a: usize, b: usize) -> bool {
        let counts = |x: usize| !self.options.among_steps || lowest_step(self.options, self.events[x]).is_some();
        b > a && !(a + 1..b).any(counts)
    }

    /// May an attempt that begins at `first` take x?
    fn in_window(&self, first: usize, x: usize) -> bool {
        let earlier_session =
            matches!(self.options.window, Window::Sessions(_)) && self.sessions[x] < self.sessions[first];
        !self.is_past_window(first, x) && !earlier_session
    }

    /// Does x lie beyond the far edge of the window of `first`?
    fn is_past_window(&self, first: usize, x: usize) -> bool {
        match self.options.window {
            Window::None => false,
            Window::Time(width) => self.time(x) - self.time(first) > width,
            Window::Sessions(n) => self.sessions[x] >= self.sessions[first].saturating_add(n),
            Window::Events(n) => x >= first.saturating_add(n),
        }
    }

    // ------------------------------------------------------------ exclusions and repeats

    /// Does x come after a? Under `Ties::Any` by time, else by rank.
    fn is_after(&self, x: usize, a: usize) -> bool {
        match self.options.ties {
            Ties::Any => self.time(x) > self.time(a),
            Ties::Arrival | Ties::Step => x > a,
        }
    }

    /// Does an excluding event lie strictly between a and b?
    fn happens_between(&self, exclusion: &Exclusion, a: usize, b: usize) -> bool {
        let is_between = |x: usize| self.is_after(x, a) && self.is_after(b, x);
        self.all().any(|x| exclusion.what.fits(self.events[x]) && is_between(x))
    }

    /// The first excluding event, by rank, that comes after a and not past the window of `first`.
    fn first_in_window(&self, exclusion: &Exclusion, first: usize, a: usize) -> Option<usize> {
        let is_open = |x: usize| self.is_after(x, a) && !self.is_past_window(first, x);
        self.all().find(|&x| exclusion.what.fits(self.events[x]) && is_open(x))
    }

    fn exclusions(&self, effect: Effect) -> impl Iterator<Item = &'a Exclusion> {
        self.options.exclusions.iter().filter(move |exclusion| exclusion.effect == effect)
    }

    /// `Stop`: an excluding event between e_from and e_to, or the last step if it is before e_to.
    fn is_stopped(&self, attempt: &[usize]) -> bool {
        self.exclusions(Effect::Stop).filter(|exclusion| attempt.len() > exclusion.from).any(|exclusion| {
            let to = exclusion.to.min(attempt.len());
            self.happens_between(exclusion, attempt[exclusion.from - 1], attempt[to - 1])
        })
    }

    /// `Remove`: no excluding event between e_from and e_to or, if only e_from is reached, after it in the window.
    fn is_clean(&self, attempt: &[usize]) -> bool {
        !self.exclusions(Effect::Remove).filter(|exclusion| attempt.len() >= exclusion.from).any(|exclusion| {
            let from = attempt[exclusion.from - 1];
            match attempt.get(exclusion.to - 1) {
                Some(&to) => self.happens_between(exclusion, from, to),
                None => self.first_in_window(exclusion, attempt[0], from).is_some(),
            }
        })
    }

    /// Does a step that was reached repeat? `EndAny`: from step 2 to the last but one, up to the last event. `EndLast`:
    /// any step, up to the event of the next. And no attempt may look away from an event: each step is done by the
    /// first one after the step before that counts as it.
    fn is_ended_by_repeat(&self, attempt: &[usize]) -> bool {
        let depth = attempt.len();
        let repeats = |step: usize, until: usize| {
            let is_repeat = |x: usize| lowest_step(self.options, self.events[x]) == Some(step);
            let is_held = |x: usize| self.options.hold.is_none() || self.device(x) == self.device(attempt[0]);
            self.all().any(|x| x > attempt[step] && x <= until && is_repeat(x) && is_held(x))
        };
        let looks_away = |step: usize| {
            let is_missed = |x: usize| lowest_step(self.options, self.events[x]) == Some(step);
            let is_held = |x: usize| self.options.hold.is_none() || self.device(x) == self.device(attempt[0]);
            (attempt[step - 1] + 1..attempt[step]).any(|x| is_missed(x) && is_held(x))
        };
        match self.options.on_repeat {
            OnRepeat::Ignore => false,
            OnRepeat::EndAny => {
                (1..depth).any(looks_away) || (1..depth - 1).any(|step| repeats(step, attempt[depth - 1]))
            }
            OnRepeat::EndLast => {
                (1..depth).any(looks_away) || (0..depth - 1).any(|step| repeats(step, attempt[step + 1]))
            }
        }
    }

    // ------------------------------------------------------------ the reported attempt

    /// The greatest depth; of those the earliest last event; of those the latest first; of those the earliest second,
    /// then third …; of those the lowest ranks. With a window of events the ranks are the times.
    fn best(&self, attempts: impl Iterator<Item = Vec<usize>>) -> Option<Vec<usize>> {
        let moment =
            |&x: &usize| if matches!(self.options.window, Window::Events(_)) { x as i64 } else { self.time(x) };
        attempts.min_by_key(|attempt| {
            let moments: Vec<i64> = attempt.iter().map(moment).collect();
            (Reverse(attempt.len()), moments.last().copied(), Reverse(moments[0]), moments, attempt.clone())
        })
    }

    /// The best of these attempts, which with `Remove` must be clean and as deep as the best of any kind.
    fn report(&self, attempts: &[Vec<usize>]) -> Option<Vec<usize>> {
        let deepest = self.best(attempts.iter().cloned())?.len();
        self.best(attempts.iter().filter(|attempt| attempt.len() == deepest && self.is_clean(attempt)).cloned())
    }

    fn opened_by(&self, opener: usize, attempts: &[Vec<usize>]) -> Option<Vec<usize>> {
        self.report(&attempts.iter().filter(|attempt| attempt[0] == opener).cloned().collect::<Vec<_>>())
    }

    /// `Best`, `First` and `Last`.
    fn entered(&self, openers: &[usize], attempts: &[Vec<usize>]) -> Option<Vec<usize>> {
        match self.options.entry {
            Entry::Best => self.report(attempts),
            Entry::First => self.opened_by(*openers.first()?, attempts),
            Entry::Last => self.opened_by(*openers.last()?, attempts),
            Entry::Each | Entry::All => panic!("one attempt cannot be all of them"),
        }
    }

    /// `Each`: an attempt opens where none is open any more.
    fn one_after_another(&self, openers: &[usize], attempts: &[Vec<usize>]) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        let mut next = openers.first().copied();
        while let Some(attempt) = next.and_then(|opener| self.opened_by(opener, attempts)) {
            next = openers.iter().copied().find(|&x| match self.end(&attempt) {
                Some(end) => x > end,
                None => x > attempt[0] && self.is_past_window(attempt[0], x),
            });
            found.push(attempt);
        }
        found
    }

    /// Where an attempt ends before its window does: at its last rank if it is complete, else at the first event that
    /// stops it.
    fn end(&self, attempt: &[usize]) -> Option<usize> {
        let depth = attempt.len();
        if depth == self.options.steps.len() {
            return attempt.iter().copied().max();
        }
        let stops = self.exclusions(Effect::Stop).filter(|exclusion| (exclusion.from..exclusion.to).contains(&depth));
        stops.filter_map(|exclusion| self.first_in_window(exclusion, attempt[0], attempt[depth - 1])).min()
    }
}

/// The lowest step (from 0) that this event fits, whatever its device.
fn lowest_step(options: &Options, event: &Event) -> Option<usize> {
    options.steps.iter().position(|step| step.fits(event))
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    /// Names, all joined by `>`, with every option off.
    fn plain(steps: &str, ties: Ties) -> Options {
        let names = |word: &str| Step::Any(word.split('|').map(String::from).collect());
        let steps: Vec<Step> = steps.split(' ').map(names).collect();
        let (hops, limits) = (vec![Hop::Eventually; steps.len() - 1], vec![None; steps.len() - 1]);
        let (window, exclusions, on_repeat, entry) = (Window::None, Vec::new(), OnRepeat::Ignore, Entry::Best);
        let (among_steps, increasing, reuse, hold) = (false, false, false, None);
        Options {
            steps,
            hops,
            limits,
            window,
            ties,
            among_steps,
            increasing,
            reuse,
            exclusions,
            on_repeat,
            entry,
            hold,
        }
    }

    fn without_x(steps: &str, from: usize, to: usize, effect: Effect) -> Options {
        let exclusions = vec![Exclusion { what: Step::Name("X".into()), from, to, effect }];
        Options { exclusions, ..plain(steps, Ties::Any) }
    }

    /// The attempts in a log in which all is one session.
    fn found(options: &Options, text: &str) -> Vec<Vec<usize>> {
        let journey = log(text);
        reported(options, &journey, &vec![0; journey.len()])
    }

    fn one(options: &Options, text: &str) -> Vec<usize> {
        found(options, text).pop().unwrap_or_default()
    }

    fn none() -> Vec<usize> {
        Vec::new()
    }

    /// "A@0 B@1" on the devices "m-" is A on device m and B without one.
    fn on_devices(text: &str, devices: &str) -> Vec<Event> {
        let set = |(event, device): (Event, char)| Event { device: device.to_string().replace('-', ""), ..event };
        log(text).into_iter().zip(devices.chars()).map(set).collect()
    }

    #[test]
    fn which_attempt_is_reported() {
        let of = |steps, text| one(&plain(steps, Ties::Any), text);
        assert_eq!(of("A B C", "A@0 B@1 B@9 C@10"), [0, 1, 3], "the earliest second step");
        assert_eq!(of("A B", "A@0 A@5 B@6 A@7 B@8"), [1, 2], "the earliest last step, then the latest first");
        assert_eq!(of("A B", "B@3 A@3 A@3 B@3"), [1, 0], "of equal times the lowest ranks");
        assert_eq!(of("A B", "X@0 B@1"), none());
    }

    #[test]
    fn a_window_of_events_ranks_instead_of_timing() {
        let options = |n| Options { window: Window::Events(n), ..plain("A B", Ties::Arrival) };
        assert_eq!(one(&options(2), "A@0 X@1 B@2"), [0]);
        assert_eq!(one(&options(3), "A@0 X@1 B@2"), [0, 2]);
        assert_eq!(one(&options(3), "A@0 A@0 B@0 B@0"), [1, 2], "the latest first rank");
        assert_eq!(one(&plain("A B", Ties::Arrival), "A@0 A@0 B@0 B@0"), [0, 2], "by time it is no later");
    }

    #[test]
    fn a_window_of_time_or_sessions() {
        let options = Options { window: Window::Time(10), ..plain("A B C", Ties::Any) };
        assert_eq!(one(&options, "A@0 B@10 C@11"), [0, 1]);
        let reach = |n| {
            let options = Options { window: Window::Sessions(n), ..plain("A B C", Ties::Any) };
            reported(&options, &log("A@0 B@50 C@99"), &[4, 5, 6])[0].len()
        };
        assert_eq!([1, 2, 3].map(reach), [1, 2, 3]);
        let options = Options { window: Window::Sessions(2), ..plain("A B", Ties::Any) };
        assert_eq!(reported(&options, &log("B@0 A@0"), &[0, 1]), [[1]], "never back into an earlier session");
    }

    #[test]
    fn ties() {
        let of = |ties| one(&plain("A B C", ties), "C@4 B@4 A@4 X@4");
        assert_eq!(of(Ties::Any), [2, 1, 0]);
        assert_eq!(of(Ties::Arrival), [2]);
        assert_eq!(of(Ties::Step), [2, 1, 0]);
        assert_eq!(one(&plain("A|B B", Ties::Step), "B@0 A@0"), [0], "both stand at step 1, and B came first");
        let increasing = Options { increasing: true, ..plain("A B", Ties::Any) };
        assert_eq!(one(&increasing, "A@0 B@0 B@1"), [0, 2]);
    }

    #[test]
    fn one_event_fills_one_step_unless_reused() {
        for ties in [Ties::Any, Ties::Arrival, Ties::Step] {
            assert_eq!(one(&plain("A A|B", ties), "A@0"), [0]);
            assert_eq!(one(&Options { reuse: true, ..plain("A A|B", ties) }, "A@0"), [0, 0]);
        }
    }

    #[test]
    fn directly_among_all_events_or_those_of_steps() {
        let options = |among_steps, ties| Options { among_steps, hops: vec![Hop::Directly], ..plain("A B", ties) };
        assert_eq!(one(&options(false, Ties::Arrival), "A@0 X@1 B@2"), [0]);
        assert_eq!(one(&options(true, Ties::Arrival), "A@0 X@1 B@2"), [0, 2]);
        assert_eq!(one(&options(true, Ties::Arrival), "A@0 B@1 B@2"), [0, 1]);
        assert_eq!(one(&options(false, Ties::Step), "X@1 B@1 A@1"), [2, 1], "X comes last in the instant");
    }

    #[test]
    fn a_limit_of_one_hop() {
        let options = Options { limits: vec![None, Some(5)], ..plain("A B C", Ties::Any) };
        assert_eq!(one(&options, "A@0 B@10 B@20 C@25"), [0, 2, 3]);
        assert_eq!(one(&options, "A@0 B@10 C@16"), [0, 1]);
    }

    #[test]
    fn an_exclusion_stops_or_removes() {
        let both = |text| [Effect::Stop, Effect::Remove].map(|effect| one(&without_x("A B", 1, 2, effect), text));
        assert_eq!(both("A@0 X@1"), [vec![0], none()]);
        assert_eq!(both("A@0 X@1 B@2"), [vec![0], none()]);
        assert_eq!(both("A@0 X@1 A@2 B@3"), [[2, 3], [2, 3]]);
        assert_eq!(both("X@0 A@0 B@1 X@1"), [[1, 2], [1, 2]], "the same time is not between");
        let arrival = Options { ties: Ties::Arrival, ..without_x("A B", 1, 2, Effect::Stop) };
        assert_eq!(one(&arrival, "A@0 X@0 B@0"), [0], "but a rank is");
    }

    #[test]
    fn an_exclusion_between_later_steps() {
        let both = |text| [Effect::Stop, Effect::Remove].map(|effect| one(&without_x("A B C D", 2, 4, effect), text));
        assert_eq!(both("A@0 X@1"), [[0], [0]], "step 2 is not reached");
        assert_eq!(both("A@0 X@1 B@2 C@3 D@4 X@5"), [[0, 2, 3, 4], [0, 2, 3, 4]]);
        assert_eq!(both("A@0 B@1 X@2 C@3"), [vec![0, 1], none()], "in between already at step 3");
        assert_eq!(both("A@0 B@1 C@2 X@3 D@4"), [vec![0, 1, 2], none()]);
    }

    #[test]
    fn a_removing_exclusion_watches_as_far_as_the_window() {
        let options = Options { window: Window::Time(10), ..without_x("A B", 1, 2, Effect::Remove) };
        assert_eq!(one(&options, "A@0 X@10"), none());
        assert_eq!(one(&options, "A@0 X@11"), [0]);
        assert_eq!(one(&options, "A@0 X@5 A@6"), [2], "another attempt as deep is clean");
        assert_eq!(one(&options, "A@0 X@1 B@2 A@20"), none(), "a clean one that is less deep does not help");
    }

    #[test]
    fn repeats_end_an_attempt() {
        let depth = |on_repeat, text| one(&Options { on_repeat, ..plain("A B C D", Ties::Arrival) }, text).len();
        let depths = |text| [OnRepeat::Ignore, OnRepeat::EndAny, OnRepeat::EndLast].map(|rule| depth(rule, text));
        assert_eq!(depths("A@0 B@1 C@2 D@3"), [4, 4, 4]);
        assert_eq!(depths("A@0 B@1 C@2 B@3 D@4"), [4, 3, 4], "B repeats, but C was the last step");
        assert_eq!(depths("A@0 B@1 C@2 A@3 D@4"), [4, 4, 4], "step 1 may repeat");
        assert_eq!(depths("A@0 B@1 C@2 C@3 D@4"), [4, 3, 3], "no attempt looks away from the earlier C");
        let direct = |on_repeat| Options {
            on_repeat,
            hops: vec![Hop::Eventually, Hop::Directly, Hop::Eventually],
            ..plain("A B C D", Ties::Arrival)
        };
        let depth = |rule| one(&direct(rule), "A@0 B@1 C@2 X@3 C@4 D@5").len();
        assert_eq!([OnRepeat::Ignore, OnRepeat::EndAny, OnRepeat::EndLast].map(depth), [4, 3, 3]);
    }

    #[test]
    fn first_last_and_all_entries() {
        let of = |entry| found(&Options { entry, ..plain("A B", Ties::Any) }, "A@0 A@1 B@2 A@3");
        assert_eq!(of(Entry::Best), [[1, 2]]);
        assert_eq!(of(Entry::First), [[0, 2]]);
        assert_eq!(of(Entry::Last), [[3]]);
        assert_eq!(of(Entry::All), [vec![0, 2], vec![1, 2], vec![3]]);
    }

    #[test]
    fn each_entry_waits_for_the_end_of_the_one_before() {
        let each = |options: Options, text| found(&Options { entry: Entry::Each, ..options }, text);
        let plain = |window| Options { window, ..plain("A B", Ties::Any) };
        assert_eq!(each(plain(Window::None), "A@0 A@1 B@2 A@3"), [vec![0, 2], vec![3]], "ends when complete");
        assert_eq!(each(plain(Window::None), "A@0 A@1"), [[0]], "never ends");
        assert_eq!(each(plain(Window::Time(10)), "A@0 A@10 A@11 B@12"), [vec![0], vec![2, 3]], "ends with its window");
        let stop = without_x("A B", 1, 2, Effect::Stop);
        assert_eq!(each(stop.clone(), "A@0 A@1 X@2 A@3 B@4"), [vec![0], vec![3, 4]], "ends when stopped");
        let stop = Options { window: Window::Time(5), ..stop };
        assert_eq!(each(stop, "A@0 A@6 X@7 A@8"), [[0], [1], [3]], "the first window ends before X");
    }

    #[test]
    fn held_devices() {
        let with = |hold, text, devices| {
            let options = Options { hold: Some(hold), ..plain("A B", Ties::Any) };
            let journey = on_devices(text, devices);
            reported(&options, &journey, &vec![0; journey.len()]).pop().unwrap_or_default()
        };
        assert_eq!(with(Missing::Match, "A@0 A@1 B@2", "mdm"), [0, 2]);
        assert_eq!(with(Missing::Match, "A@0 B@1", "--"), [0, 1]);
        assert_eq!(with(Missing::Match, "A@0 B@1", "m-"), [0]);
        assert_eq!(with(Missing::Never, "A@0 B@1", "--"), none());
        let by_value = |entry, hold| {
            let options = Options { hold: Some(hold), entry, ..plain("A B", Ties::Any) };
            reported_by_held(&options, &on_devices("A@0 A@1 A@2 B@3 A@4", "md-dd"), &[0; 5])
        };
        let pair = |value: &str, attempt: &[usize]| (value.to_string(), attempt.to_vec());
        let best = [pair("", &[2]), pair("d", &[1, 3]), pair("m", &[0])];
        assert_eq!(by_value(Entry::Best, Missing::Match), best);
        assert_eq!(by_value(Entry::First, Missing::Never), best[1..]);
        assert_eq!(by_value(Entry::Last, Missing::Never), [pair("d", &[4]), pair("m", &[0])]);
    }

    #[test]
    fn only_the_held_device_repeats() {
        let depth = |devices| {
            let on_repeat = OnRepeat::EndAny;
            let options = Options { on_repeat, hold: Some(Missing::Match), ..plain("A B C", Ties::Arrival) };
            let hops = vec![Hop::Directly, Hop::Eventually];
            reported(&Options { hops, ..options }, &on_devices("A@0 B@1 B@2 C@3", devices), &[0; 4])[0].len()
        };
        assert_eq!([depth("mmmm"), depth("mmdm")], [2, 3]);
    }

    #[test]
    fn any_order_and_open() {
        let steps = plain("A B A|B", Ties::Any).steps;
        assert_eq!(any_order(&steps, Window::None, &log("B@0 B@5 A@9")), 3);
        assert_eq!(any_order(&steps, Window::Time(8), &log("B@0 B@5 A@9")), 2);
        assert_eq!(any_order(&steps, Window::None, &log("A@0")), 1, "one event fills one step");
        assert_eq!(any_order(&steps, Window::None, &[]), 0);
        let options = Options { window: Window::Time(5), ..plain("A B C D", Ties::Any) };
        let found = open(&options, &log("B@0 C@5 A@6 D@11"));
        assert_eq!(found, [(true, false), (true, false), (true, true), (true, false)]);
        assert_eq!(open(&options, &[]), [(false, false); 4]);
    }
}
