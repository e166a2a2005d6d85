//! Section 4, the funnel with options: every attempt is listed, those against a rule are struck out, and of the rest
//! the best is taken.
//!
//! Readings that the definitions leave open:
//! - Inside of a block nothing comes before anything: `increasing` is about the way to its earliest event and from its last, and under
//!   `Ties::Step` its members stand at one step.
//! - What stops an open attempt (`Each`) is the first excluding event after its last event, be that one of an optional step.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

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
    EndLater,
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

/// What a step asks for: one event; one event or none; or one event for each of its so many members, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Required,
    Optional,
    Block(usize),
}

/// `hops[i]` leads from step i to step i + 1, within `limits[i]` µs if there is one. `hold` holds the device. `steps`
/// has the members of a block one by one, in the order of writing: of `a > (b & c) > d` it has four, and two hops.
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

/// A reported attempt, its events as positions in the journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many required steps and blocks are filled.
    pub depth: usize,
    /// The event of the last one of them.
    pub last: usize,
    /// The event of each step; of a block the last of its events; none if the step is left out or not reached.
    pub events: Vec<Option<usize>>,
}

/// The reported attempts of one journey, as positions in it; `sessions[i]` is the number of event i's session. There is
/// at most one unless the entry is `Each` or `All`.
pub fn reported(options: &Options, journey: &[Event], sessions: &[usize]) -> Vec<Vec<usize>> {
    reported_of_kinds(options, &all_required(options), journey, sessions).into_iter().map(Found::reached).collect()
}

/// The same for steps of these kinds, one for each step.
pub fn reported_of_kinds(options: &Options, kinds: &[Kind], journey: &[Event], sessions: &[usize]) -> Vec<Found> {
    let ranked = Ranked::new(options, kinds, journey, sessions);
    let (openers, attempts) = (ranked.openers(), ranked.attempts());
    let found = match options.entry {
        Entry::Best | Entry::First | Entry::Last => Vec::from_iter(ranked.entered(&openers, &attempts)),
        Entry::All => openers.iter().filter_map(|&opener| ranked.opened_by(opener, &attempts)).collect(),
        Entry::Each => ranked.one_after_another(&openers, &attempts),
    };
    found.iter().map(|attempt| ranked.found(attempt)).collect()
}

/// The reported attempt among those that hold each value, in the order of the values; first and last entries are those
/// of each value.
pub fn reported_by_held(options: &Options, journey: &[Event], sessions: &[usize]) -> Vec<(String, Vec<usize>)> {
    let found = reported_of_kinds_by_held(options, &all_required(options), journey, sessions);
    found.into_iter().map(|(value, found)| (value, found.reached())).collect()
}

/// The same for steps of these kinds.
pub fn reported_of_kinds_by_held(
    options: &Options,
    kinds: &[Kind],
    journey: &[Event],
    sessions: &[usize],
) -> Vec<(String, Found)> {
    let ranked = Ranked::new(options, kinds, journey, sessions);
    let (openers, attempts) = (ranked.openers(), ranked.attempts());
    let values: BTreeSet<&str> = openers.iter().map(|&opener| ranked.device(opener)).collect();
    let mut found = Vec::new();
    for value in values {
        let is_held = |opener: usize| ranked.device(opener) == value;
        let openers: Vec<usize> = openers.iter().copied().filter(|&x| is_held(x)).collect();
        let attempts: Vec<Attempt> = attempts.iter().filter(|attempt| is_held(attempt.first())).cloned().collect();
        if let Some(attempt) = ranked.entered(&openers, &attempts) {
            found.push((value.to_string(), ranked.found(&attempt)));
        }
    }
    found
}

impl Found {
    /// Where all steps are required, those reached say everything.
    fn reached(self) -> Vec<usize> {
        self.events.into_iter().flatten().collect()
    }
}

fn all_required(options: &Options) -> Vec<Kind> {
    vec![Kind::Required; options.steps.len()]
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
    let kinds = all_required(options);
    let ranked = Ranked::new(options, &kinds, journey, &vec![0; journey.len()]);
    let two_steps = |k: usize, a, b| a != b && ranked.may_hop(k - 1, a, b) && ranked.in_window(a, b);
    let continued = |k: usize| ranked.filling(k - 1).any(|a| ranked.filling(k).any(|b| two_steps(k, a, b)));
    (0..options.steps.len()).map(|k| (ranked.filling(k).count() > 0, k > 0 && continued(k))).collect()
}

/// An attempt up to the last step that it fills, as the ranks of the events of each step. They ascend; a step that is
/// left out has none.
#[derive(Clone, Debug, Default)]
struct Attempt(Vec<Vec<usize>>);

impl Attempt {
    /// The step that it fills last, counting from 1.
    fn reach(&self) -> usize {
        self.0.len()
    }

    fn first(&self) -> usize {
        self.0[0][0]
    }

    /// The event of a step (from 0).
    fn event(&self, step: usize) -> Option<usize> {
        self.0.get(step)?.last().copied()
    }

    /// The event of the step that is filled last; none before the first step is.
    fn last(&self) -> Option<usize> {
        self.0.iter().filter_map(|events| events.last().copied()).next_back()
    }

    fn contains(&self, x: usize) -> bool {
        self.0.iter().any(|events| events.contains(&x))
    }

    fn with(&self, events: &[usize]) -> Attempt {
        Attempt([self.0.as_slice(), &[events.to_vec()]].concat())
    }
}

/// A journey in rank order. From here on an event is named by its rank.
struct Ranked<'a> {
    options: &'a Options,
    kinds: &'a [Kind],
    events: Vec<&'a Event>,
    sessions: Vec<usize>,
    /// The position in the journey of each rank.
    position: Vec<usize>,
}

impl<'a> Ranked<'a> {
    /// Rank order is journey order; with `Ties::Step` each instant is sorted by the lowest step that its events fit.
    fn new(options: &'a Options, kinds: &'a [Kind], journey: &'a [Event], sessions: &[usize]) -> Self {
        assert_fit(options, kinds);
        let mut position: Vec<usize> = (0..journey.len()).collect();
        if options.ties == Ties::Step {
            let lowest = |i: usize| lowest_step(options, kinds, &journey[i]).unwrap_or(usize::MAX);
            position.sort_by_key(|&i| (journey[i].time, lowest(i)));
        }
        let events = position.iter().map(|&i| &journey[i]).collect();
        let sessions = position.iter().map(|&i| sessions[i]).collect();
        Ranked { options, kinds, events, sessions, position }
    }

    fn all(&self) -> Range<usize> {
        0..self.events.len()
    }

    fn time(&self, x: usize) -> i64 {
        self.events[x].time
    }

    fn device(&self, x: usize) -> &str {
        &self.events[x].device
    }

    fn found(&self, attempt: &Attempt) -> Found {
        let position = |step| attempt.event(step).map(|x| self.position[x]);
        Found {
            depth: self.depth(attempt),
            last: self.position[self.last_required(attempt)],
            events: (0..self.kinds.len()).map(position).collect(),
        }
    }

    /// The steps that an attempt fills and that count, from 0.
    fn counted(&self, attempt: &Attempt) -> impl DoubleEndedIterator<Item = usize> {
        (0..attempt.reach()).filter(|&step| self.kinds[step] != Kind::Optional)
    }

    fn depth(&self, attempt: &Attempt) -> usize {
        self.counted(attempt).count()
    }

    fn last_required(&self, attempt: &Attempt) -> usize {
        let step = self.counted(attempt).next_back().expect("the first step is required");
        attempt.event(step).expect("and what is required is filled")
    }

    /// Fills this one of `Options::steps`: fits it, and may hold its device.
    fn fills(&self, member: usize, x: usize) -> bool {
        let never = self.options.hold == Some(Missing::Never) && self.device(x).is_empty();
        self.options.steps[member].fits(self.events[x]) && !never
    }

    fn filling(&self, member: usize) -> impl Iterator<Item = usize> {
        self.all().filter(move |&x| self.fills(member, x))
    }

    fn openers(&self) -> Vec<usize> {
        self.filling(0).collect()
    }

    // ------------------------------------------------------------ all attempts

    /// Every attempt of every depth that all rules but `Remove` and the entry allow. The last step that it fills may be
    /// an optional one.
    fn attempts(&self) -> Vec<Attempt> {
        let mut all = Vec::new();
        let mut longest = vec![Attempt::default()];
        for (step, kind) in self.kinds.iter().enumerate() {
            let mut longer = Vec::new();
            for attempt in &longest {
                longer.extend(self.fillings(step, attempt).iter().map(|events| attempt.with(events)));
            }
            all.extend(longer.iter().cloned());
            if *kind == Kind::Optional {
                longer.extend(longest.iter().map(|attempt| attempt.with(&[])));
            }
            longest = longer;
        }
        all.retain(|attempt| !self.is_stopped(attempt) && !self.is_ended_by_repeat(attempt));
        all
    }

    /// Every set of events that may fill this step next, one event for each member, each set in rank order. The hop
    /// leads to the first of them; the others come behind it.
    fn fillings(&self, step: usize, attempt: &Attempt) -> BTreeSet<Vec<usize>> {
        let mut sets = BTreeSet::from([Vec::new()]);
        for member in members(self.kinds, step) {
            let mut larger = BTreeSet::new();
            for set in &sets {
                let may_join = |x: &usize| !set.contains(x) && self.may_take(attempt, *x);
                for x in self.filling(member).filter(may_join) {
                    let mut set = [set.as_slice(), &[x]].concat();
                    set.sort_unstable();
                    larger.insert(set);
                }
            }
            sets = larger;
        }
        sets.retain(|set| attempt.last().is_none_or(|last| self.may_hop(step - 1, last, set[0])));
        sets
    }

    /// May x be among the events of this attempt, wherever the hops lead?
    fn may_take(&self, attempt: &Attempt, x: usize) -> bool {
        if attempt.reach() == 0 {
            return true;
        }
        let is_new = self.options.reuse || !attempt.contains(x);
        is_new && self.holds(attempt, x) && self.in_window(attempt.first(), x)
    }

    /// Has x the device that the attempt holds, if it holds one?
    fn holds(&self, attempt: &Attempt, x: usize) -> bool {
        self.options.hold.is_none() || self.device(x) == self.device(attempt.first())
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
        let counts = |x: usize| !self.options.among_steps || self.lowest_step(x).is_some();
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

    /// `Stop`: an excluding event between e_from and e_to, or the last event if it is before e_to.
    fn is_stopped(&self, attempt: &Attempt) -> bool {
        self.exclusions(Effect::Stop).any(|exclusion| {
            let Some(from) = attempt.event(exclusion.from - 1) else { return false };
            let to = attempt.event(exclusion.to - 1).or(attempt.last());
            to.is_some_and(|to| self.happens_between(exclusion, from, to))
        })
    }

    /// `Remove`: no excluding event between e_from and e_to or, if only e_from is reached, after it in the window.
    fn is_clean(&self, attempt: &Attempt) -> bool {
        !self.exclusions(Effect::Remove).any(|exclusion| {
            let Some(from) = attempt.event(exclusion.from - 1) else { return false };
            match attempt.event(exclusion.to - 1) {
                Some(to) => self.happens_between(exclusion, from, to),
                None => self.first_in_window(exclusion, attempt.first(), from).is_some(),
            }
        })
    }

    /// Does a step that was reached repeat? `EndAny`: from step 2 to the last but one, up to the last event. `EndLater`:
    /// from step 1. `EndLast`: any step, up to the event of the next. And no attempt may look away from an event: each step is done by the
    /// first one after the step before that counts as it.
    fn is_ended_by_repeat(&self, attempt: &Attempt) -> bool {
        let (depth, events) = (attempt.reach(), attempt.0.concat());
        let counts_as = |step: usize, x: usize| self.lowest_step(x) == Some(step) && self.holds(attempt, x);
        let repeats = |step: usize, until: usize| (events[step] + 1..=until).any(|x| counts_as(step, x));
        let looks_away = |step: usize| (events[step - 1] + 1..events[step]).any(|x| counts_as(step, x));
        match self.options.on_repeat {
            OnRepeat::Ignore => false,
            OnRepeat::EndAny => {
                (1..depth).any(looks_away) || (1..depth - 1).any(|step| repeats(step, events[depth - 1]))
            }
            OnRepeat::EndLater => {
                (1..depth).any(looks_away) || (0..depth - 1).any(|step| repeats(step, events[depth - 1]))
            }
            OnRepeat::EndLast => {
                (1..depth).any(looks_away) || (0..depth - 1).any(|step| repeats(step, events[step + 1]))
            }
        }
    }

    // ------------------------------------------------------------ the reported attempt

    /// The greatest depth; of those the earliest last required event; of those the latest first; of those the most
    /// optional steps; of those the earliest second, then third …, where any event is earlier than none; of those the
    /// lowest ranks. With a window of events the ranks are the times. Where equal times have an order, the ranks alone
    /// say which of two events of a step is the earlier.
    fn best<'b>(&self, attempts: impl Iterator<Item = &'b Attempt>) -> Option<Attempt> {
        let moment = |x: usize| if matches!(self.options.window, Window::Events(_)) { x as i64 } else { self.time(x) };
        let best = attempts.min_by_key(|attempt| {
            let events: Vec<Option<usize>> = (0..self.kinds.len()).map(|step| attempt.event(step)).collect();
            let filled = events.iter().flatten().count();
            let earlier = |x: usize| if self.options.ties == Ties::Any { moment(x) } else { x as i64 };
            let moments: Vec<(bool, Option<i64>)> = events.iter().map(|x| (x.is_none(), x.map(earlier))).collect();
            let ends = (moment(self.last_required(attempt)), Reverse(moment(attempt.first())));
            (Reverse(self.depth(attempt)), ends, Reverse(filled), moments, events)
        });
        best.cloned()
    }

    /// The best of these attempts, which with `Remove` must be clean and as deep as the best of any kind.
    fn report<'b>(&self, attempts: impl Iterator<Item = &'b Attempt> + Clone) -> Option<Attempt> {
        let deepest = self.depth(&self.best(attempts.clone())?);
        self.best(attempts.filter(|attempt| self.depth(attempt) == deepest && self.is_clean(attempt)))
    }

    fn opened_by(&self, opener: usize, attempts: &[Attempt]) -> Option<Attempt> {
        self.report(attempts.iter().filter(|attempt| attempt.first() == opener))
    }

    /// `Best`, `First` and `Last`.
    fn entered(&self, openers: &[usize], attempts: &[Attempt]) -> Option<Attempt> {
        match self.options.entry {
            Entry::Best => self.report(attempts.iter()),
            Entry::First => self.opened_by(*openers.first()?, attempts),
            Entry::Last => self.opened_by(*openers.last()?, attempts),
            Entry::Each | Entry::All => panic!("one attempt cannot be all of them"),
        }
    }

    /// `Each`: an attempt opens where none is open any more.
    fn one_after_another(&self, openers: &[usize], attempts: &[Attempt]) -> Vec<Attempt> {
        let mut found = Vec::new();
        let mut next = openers.first().copied();
        while let Some(attempt) = next.and_then(|opener| self.opened_by(opener, attempts)) {
            next = openers.iter().copied().find(|&x| match self.end(&attempt) {
                Some(end) => x > end,
                None => x > attempt.first() && self.is_past_window(attempt.first(), x),
            });
            found.push(attempt);
        }
        found
    }

    /// Where an attempt ends before its window does: at its last rank if it is complete, else at the first event that
    /// stops it.
    fn end(&self, attempt: &Attempt) -> Option<usize> {
        let reach = attempt.reach();
        if reach == self.kinds.len() {
            return attempt.0.iter().flatten().copied().max();
        }
        let last = attempt.last()?;
        let stops = self.exclusions(Effect::Stop).filter(|exclusion| (exclusion.from..exclusion.to).contains(&reach));
        stops.filter_map(|exclusion| self.first_in_window(exclusion, attempt.first(), last)).min()
    }

    fn lowest_step(&self, x: usize) -> Option<usize> {
        lowest_step(self.options, self.kinds, self.events[x])
    }
}

/// The lowest step (from 0) that this event fits, whatever its device; what fits a member fits the block.
fn lowest_step(options: &Options, kinds: &[Kind], event: &Event) -> Option<usize> {
    let fits = |step: &usize| members(kinds, *step).any(|member| options.steps[member].fits(event));
    (0..kinds.len()).find(fits)
}

/// Which of `Options::steps` make up this step (from 0): one, or the members of a block.
fn members(kinds: &[Kind], step: usize) -> Range<usize> {
    let size = |kind: &Kind| if let Kind::Block(size) = kind { *size } else { 1 };
    let from = kinds[..step].iter().map(size).sum();
    from..from + size(&kinds[step])
}

/// What is asked must be something that has an answer.
fn assert_fit(options: &Options, kinds: &[Kind]) {
    let last = kinds.len() - 1;
    assert_eq!(options.hops.len(), last, "a hop between any two steps");
    assert_eq!(members(kinds, last).end, options.steps.len(), "a member of its own for each");
    assert!(kinds[0] == Kind::Required && kinds[last] != Kind::Optional, "the first step and the last one count");
    let is_counted = |step: usize| kinds[step - 1] != Kind::Optional;
    let count = |exclusion: &Exclusion| is_counted(exclusion.from) && is_counted(exclusion.to);
    assert!(options.exclusions.iter().all(count), "exclusions name steps that count");
    let is_plain = !options.reuse && options.on_repeat == OnRepeat::Ignore;
    assert!(is_plain || kinds.iter().all(|kind| *kind == Kind::Required), "for required steps only");
}

#[cfg(test)]
#[path = "funnel/tests.rs"]
mod tests;
