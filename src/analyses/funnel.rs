//! How many get through a list of steps, where they stop, and how long it takes.

mod report;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use chrono_tz::Tz;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::common::{Common, Grain};
use super::step::{Hit, Hop, HopKind, Matcher, Step, StepsSpec};
use super::steps::{Rules, Single, Ties, Work as Matching};
use super::{Analysis, Bound, By, Notes, Question, Segmented, SegmentedReport, Spec};
use crate::durations::ExactDurations;
use crate::error::{Error, Result};
use crate::ids::NO_VALUE;
use crate::journeys::{DAY, Journey, Names, Needs, Unit, Visitor, instant};
use crate::rates::{rate, wilson};
use crate::spill::Spill;
use crate::units::Span;
pub use report::{FunnelReport, StepRow};

/// A funnel as written.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct FunnelSpec {
    /// The steps: names of events, /globs of pages, node(NAME), alternatives (a | b), conditions purchase{value > 0}; `>` is
    /// eventually, `>>` is directly next, `>[10m]` and `>>[10m]` within this time of the step before
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<StepsSpec>,
    /// The hops between the steps of a list, in a job file.
    #[arg(skip)]
    pub hops: Vec<toml::Value>,
    /// The longest time from the first step to the last: a duration, session, or none [default: 7d; session with --grain session]
    #[arg(long, value_name = "WINDOW")]
    pub window: Option<Window>,
    /// Which order events of equal time may be used in [default: any; arrival with direct hops]
    #[arg(long, value_name = "ORDER")]
    pub ties: Option<Ties>,
    /// Only attempts whose first step is at this time or later; the other steps may be at any time
    #[arg(long, value_name = "TIME")]
    pub entered_from: Option<String>,
    /// Only attempts whose first step is before this time; they are followed until their window ends
    #[arg(long, value_name = "TIME")]
    pub entered_to: Option<String>,
}

impl FunnelSpec {
    /// A funnel of steps in the step language, `view > cart >> (pay | order{price >= 10})`, with the defaults.
    pub fn of(steps: &str) -> FunnelSpec {
        FunnelSpec { steps: Some(steps.into()), ..FunnelSpec::default() }
    }
}

/// How much time an attempt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Window {
    /// From the first step to the last, the far edge included.
    Of(Span),
    /// The session, which the grain must be.
    Session,
    /// As long as the log.
    None,
}

impl std::str::FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Window> {
        match text {
            "session" => Ok(Window::Session),
            "none" => Ok(Window::None),
            _ => text.parse().map(Window::Of),
        }
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Window::Of(span) => span.fmt(f),
            Window::Session => f.write_str("session"),
            Window::None => f.write_str("none"),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = Error;

    fn try_from(text: String) -> Result<Window> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.to_string()
    }
}

impl Spec for FunnelSpec {
    type Report = SegmentedReport<FunnelReport>;

    const NAME: &'static str = "funnel";
    const ABOUT: &'static str = "How many get through a list of steps, where they stop, and how long it takes";
    const EXAMPLES: &'static str = "\
clickpath funnel sample-data/shop.csv.gz --steps 'catalog > add_to_cart > purchase'
clickpath funnel sample-data/shop.csv.gz --steps 'add_to_cart >> cart' --grain session";

    /// Nobody can guess the steps.
    const IN_REPORT: bool = false;

    const RATE: Option<&'static str> = Some("the last step ÷ the first");

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let steps = self.steps.ok_or_else(|| {
            Error::question("a funnel needs steps").hint("name them: --steps 'view_item > add_to_cart > purchase'")
        })?;
        let (steps, hops) = steps.steps(&self.hops, &common.steps)?;
        if steps.len() > 64 {
            return Err(Error::question(format!("a funnel has at most 64 steps, not {}", steps.len())));
        }
        let direct = hops.iter().any(|hop| hop.kind == HopKind::Directly);
        let ties = self.ties.unwrap_or(if direct { Ties::Arrival } else { Ties::Any });
        if direct && ties == Ties::Any {
            return Err(Error::question("a funnel with `>>` cannot use equal times in any order")
                .hint("`>>` asks for the log's own order: leave --ties out, or say --ties arrival"));
        }
        let grain = common.grain.unwrap_or(Grain::Visitor);
        if grain == Grain::Visitor {
            By::refuse_session_facts(&common.by)?;
        }
        let window = self.window.unwrap_or(match grain {
            Grain::Visitor => Window::Of(Span(7 * DAY)),
            Grain::Session => Window::Session,
        });
        if (grain, window) == (Grain::Visitor, Window::Session) {
            return Err(Error::question("a funnel of visitors has no session to end in")
                .hint("say --grain session, or give --window a duration"));
        }
        let entered = Entered { from: self.entered_from, to: self.entered_to };
        // Its zone is not known yet; whether it is a time at all does not depend on it.
        entered.bind(Tz::UTC)?;
        Ok(Box::new(Funnel { steps, hops, window, ties, entered, grain, common }))
    }
}

/// A funnel as meant.
#[derive(Clone, Debug)]
pub struct Funnel {
    steps: Vec<Step>,
    /// The hop into each step but the first.
    hops: Vec<Hop>,
    window: Window,
    ties: Ties,
    entered: Entered,
    grain: Grain,
    common: Common,
}

/// When the first step must be, as written.
#[derive(Clone, Debug)]
struct Entered {
    from: Option<String>,
    to: Option<String>,
}

impl Entered {
    /// The same in µs, times without a zone read in `zone`; the end is not included.
    fn bind(&self, zone: Tz) -> Result<Range<i64>> {
        let time = |text: &Option<String>, otherwise, flag: &str| match text {
            None => Ok(otherwise),
            Some(text) => instant(text, zone).map_err(|error| error.within(flag)),
        };
        let range = time(&self.from, i64::MIN, "--entered-from")?..time(&self.to, i64::MAX, "--entered-to")?;
        if range.is_empty() {
            return Err(Error::question("--entered-from is not before --entered-to")
                .hint("first steps from --entered-from on and before --entered-to count"));
        }
        Ok(range)
    }
}

impl Question for Funnel {
    fn schema(&self) -> &'static str {
        "clickpath.funnel/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::new();
        rules.insert("steps".into(), json!(self.text()));
        rules.extend(self.common.steps.rule(&self.steps));
        rules.insert("grain".into(), json!(self.grain));
        rules.insert("window".into(), json!(self.window));
        rules.insert("ties".into(), json!(self.ties));
        for (rule, time) in [("entered_from", &self.entered.from), ("entered_to", &self.entered.to)] {
            if let Some(time) = time {
                rules.insert(rule.into(), json!(time));
            }
        }
        if self.grain == Grain::Session {
            rules.extend(self.common.session_rules());
        }
        rules.extend(self.common.by_rule());
        if !self.common.by.is_empty() {
            rules.insert("touch".into(), json!("first"));
        }
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        if self.grain == Grain::Session {
            needs.add(Needs::of_sessions(&self.common.sessions));
        }
        self.steps.iter().for_each(|step| step.needs(&self.common.nodes, &mut needs));
        needs.scan.value = true;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let unit = self.common.unit(self.grain, names)?;
        let direct = self.hops.iter().enumerate().filter(|(_, hop)| hop.kind == HopKind::Directly);
        let window = match self.window {
            Window::Of(span) => Some(span.0),
            Window::Session | Window::None => None,
        };
        let direct = direct.map(|(at, _)| 2u64 << at).sum();
        let rules = Rules { steps: self.steps.len(), direct, limits: self.limits(), window, ties: self.ties };
        let views = &self.common.conventions.page_views;
        let matcher = Matcher::new(&self.steps, &self.common.nodes, views, names, notes)?;
        let entered = self.entered.bind(names.zone)?;
        let single = matcher.by_event_alone().filter(|_| entered == ALWAYS);
        let bound = BoundFunnel {
            single: single.and_then(|by_event| Single::new(&rules, by_event)),
            matcher,
            rules,
            unit,
            entered,
            steps: self.steps.iter().map(ToString::to_string).collect(),
            title: format!("Funnel of {}s: {}", name(self.grain), self.text()),
            // An attempt that begins after this time had less than a whole window.
            open_after: names.span.and_then(|(_, last)| Some(last.saturating_sub(window?))),
        };
        Ok(Box::new(Segmented::new(bound, &self.common, names)?))
    }
}

impl Funnel {
    /// The steps with their hops.
    fn text(&self) -> String {
        let first = self.steps[0].to_string();
        self.hops.iter().zip(&self.steps[1..]).fold(first, |text, (hop, step)| format!("{text} {hop} {step}"))
    }

    /// For each step the limit of the hop into it; none at all if no hop has one.
    fn limits(&self) -> Vec<Option<i64>> {
        if self.hops.iter().all(|hop| hop.limit.is_none()) {
            return Vec::new();
        }
        [None].into_iter().chain(self.hops.iter().map(|hop| hop.limit.map(|limit| limit.0))).collect()
    }
}

fn name(grain: Grain) -> &'static str {
    match grain {
        Grain::Session => "session",
        Grain::Visitor => "visitor",
    }
}

/// A funnel bound to the names of a run.
struct BoundFunnel {
    matcher: Matcher,
    rules: Rules,
    /// The short way, if the funnel is of the kind that has one.
    single: Option<Single>,
    unit: Unit,
    /// When the first step must be, in µs.
    entered: Range<i64>,
    steps: Vec<String>,
    title: String,
    open_after: Option<i64>,
}

/// One thread's scratch.
#[derive(Default)]
pub struct Work {
    /// The events that fit steps.
    hits: Vec<Hit>,
    /// Those of the reported attempt.
    attempt: Vec<Hit>,
    matching: Matching,
}

/// What a funnel counts.
#[derive(Clone, Debug)]
pub struct FunnelCounts {
    journeys: u64,
    /// Those who begin less than one window before the log ends.
    open: u64,
    steps: Vec<StepCounts>,
}

/// What is counted of those who reach a step.
#[derive(Clone, Debug, Default)]
struct StepCounts {
    entered: u64,
    /// Of all steps but the first.
    from_previous: ExactDurations,
    /// Of the third step and those behind it: for the second both times are one.
    from_first: ExactDurations,
    /// Sum of the values of the step's events, in millionths, and how many had one.
    value: i128,
    valued: u64,
}

impl Analysis for BoundFunnel {
    type Work = Work;
    type Partial = FunnelCounts;
    type Report = FunnelReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    /// The first value among the events that fit a step breaks a funnel down.
    fn touches(&self, journey: Journey<'_>, at: usize) -> bool {
        self.matcher.mask(journey, at) != 0
    }

    fn empty(&self) -> FunnelCounts {
        FunnelCounts { journeys: 0, open: 0, steps: self.steps.iter().map(|_| StepCounts::default()).collect() }
    }

    fn observe(&self, work: &mut Work, counts: &mut FunnelCounts, visitor: Visitor<'_>) {
        let steps = self.matcher.may_fit(visitor);
        let single = self.single.as_ref().filter(|_| visitor.is_apart());
        for journey in visitor.journeys(self.unit) {
            counts.journeys += 1;
            if steps & 1 == 0 {
                continue;
            }
            let most = steps.trailing_ones() as usize;
            match single {
                Some(single) => single.attempt(journey.events(), journey.times(), most, &mut work.attempt),
                None => self.attempt(work, journey, steps),
            }
            let Some(&Hit { time: start, .. }) = work.attempt.first() else { continue };
            counts.open += u64::from(self.open_after.is_some_and(|after| start > after));
            let mut previous = start;
            for (number, (step, &Hit { time, at, .. })) in counts.steps.iter_mut().zip(&work.attempt).enumerate() {
                step.count(journey.values().get(at as usize).copied());
                if number > 0 {
                    step.from_previous.add(time - previous);
                }
                if number > 1 {
                    step.from_first.add(time - start);
                }
                previous = time;
            }
        }
    }

    fn merge(&self, into: &mut FunnelCounts, from: FunnelCounts) {
        into.journeys += from.journeys;
        into.open += from.open;
        for (into, from) in into.steps.iter_mut().zip(from.steps) {
            into.entered += from.entered;
            into.from_previous.merge(from.from_previous);
            into.from_first.merge(from.from_first);
            into.value += from.value;
            into.valued += from.valued;
        }
    }

    fn finish(&self, counts: FunnelCounts, _names: &Names) -> Result<FunnelReport> {
        let entered: Vec<u64> = counts.steps.iter().map(|step| step.entered).collect();
        let rows = counts.steps.into_iter().enumerate().map(|(at, step)| {
            let of = |whole| rate(step.entered, whole);
            let from_previous = step.from_previous.summary(90)?;
            let from_first = if at == 1 { from_previous } else { step.from_first.summary(90)? };
            Ok(StepRow {
                step: self.steps[at].clone(),
                entered: step.entered,
                of_first: of(entered[0]),
                of_previous: if at == 0 { of(entered[0]) } else { of(entered[at - 1]) },
                of_all: of(counts.journeys),
                interval: wilson(step.entered, counts.journeys),
                dropped: step.entered - entered.get(at + 1).copied().unwrap_or(step.entered),
                from_previous,
                from_first,
                value: (step.valued > 0).then_some(step.value),
            })
        });
        Ok(FunnelReport {
            title: self.title.clone(),
            journeys: counts.journeys,
            never_entered: counts.journeys - entered[0],
            open_entries: self.open_after.map(|_| counts.open),
            steps: rows.collect::<Result<_>>()?,
        })
    }

    fn bytes(&self, counts: &FunnelCounts) -> usize {
        let times = counts.steps.iter().map(|step| step.from_previous.bytes() + step.from_first.bytes());
        times.sum::<usize>() + counts.steps.capacity() * size_of::<StepCounts>()
    }

    fn relieve(&self, counts: &mut FunnelCounts, spill: &Arc<Spill>) -> Result<()> {
        let mut times = counts.steps.iter_mut().flat_map(|step| [&mut step.from_previous, &mut step.from_first]);
        times.try_for_each(|times| times.relieve(spill))
    }
}

/// A first step at any time.
const ALWAYS: Range<i64> = i64::MIN..i64::MAX;

impl BoundFunnel {
    /// Finds the reported attempt of a journey that may reach the steps in the mask `steps`.
    fn attempt(&self, work: &mut Work, journey: Journey<'_>, steps: u64) {
        let Work { hits, attempt, matching } = work;
        if steps & 2 == 0 && self.entered == ALWAYS {
            self.matcher.first_hit(journey, hits);
        } else {
            self.matcher.hits(journey, hits);
            self.enter(hits);
        }
        let reported = self.rules.attempt(hits, matching);
        attempt.clear();
        attempt.extend(reported.iter().map(|&hit| hits[hit as usize]));
    }

    /// Lets no event outside of the asked-for time be a first step.
    fn enter(&self, hits: &mut [Hit]) {
        if self.entered == ALWAYS {
            return;
        }
        for hit in hits.iter_mut().filter(|hit| !self.entered.contains(&hit.time)) {
            hit.mask &= !1;
        }
    }
}

impl StepCounts {
    fn count(&mut self, value: Option<i64>) {
        self.entered += 1;
        if let Some(value) = value.filter(|value| *value != NO_VALUE) {
            self.value += i128::from(value);
            self.valued += 1;
        }
    }
}
