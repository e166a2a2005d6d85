//! How many get through a list of steps, where they stop, and how long it takes.

mod backfill;
mod between;
mod bound;
mod compare;
mod counts;
mod dedupe;
mod drivers;
mod dropped;
mod explain;
mod follow;
mod histogram;
mod hold;
mod members;
mod options;
mod report;
mod scanned;
#[cfg(test)]
mod tests;
mod ties;
mod touch;
mod trend;
mod visitors;
mod window;

use std::num::NonZeroU64;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono_tz::Tz;
use clap::{Args, ValueHint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::common::{Common, Grain, one_or_many};
use super::compare::Compare;
pub use super::compare::Compared;
pub use super::next::Next;
use super::periods::Period;
use super::step::{Hop, HopKind, Matcher, Step, StepsSpec};
use super::steps::{Chart, Kind, MEMBERS, Rules};
pub use super::steps::{Effect, Entry, HoldMissing, OnRepeat, ScanMode};
use super::{Bound, By, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::error::{Error, Result};
use crate::journeys::{DAY, Names, Needs, Unit, instant};
use crate::reports::find_for_rows;
use crate::units::{Span, Top};
use between::Between;
pub use between::{BetweenRow, Met, Way};
use bound::BoundFunnel;
use compare::Comparing;
pub use compare::Comparison;
pub use drivers::{Driver, DriverReport};
use drivers::{DriverSearch, Drivers};
use dropped::DroppedNext;
use follow::{Follow, pairs};
pub use histogram::Bin;
pub use options::{Among, Count, ExcludeSpec, StepOrder, Times, WindowFrom};
use options::{Options, Shape};
pub use report::{FunnelReport, StepRow};
pub use ties::TieOrder;
pub use touch::Touch;
use trend::Trend;
pub use trend::TrendRow;
use visitors::VisitorRows;
pub use window::Window;

/// A funnel as written.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct FunnelSpec {
    /// The steps: names of events, /globs of pages, node(NAME), alternatives (a | b), first(STEP) for the visitor's first one in the
    /// log, conditions purchase{value > 0}, STEP? may be left out, (a & b) in any order; `>` is eventually, `>>` is directly next, `>[10m]` and `>>[10m]` within this time of the
    /// step before
    #[arg(long, value_name = "STEPS")]
    pub steps: Option<StepsSpec>,
    /// The hops between the steps of a list, in a job file.
    #[arg(skip)]
    pub hops: Vec<toml::Value>,
    /// The longest way from the first step to the last: a duration, 'N sessions', 'N events', session, or none [default: 7d;
    /// session with --grain session]
    #[arg(long, value_name = "WINDOW")]
    pub window: Option<Window>,
    /// What the window is measured from [default: first]
    #[arg(long, value_name = "STEP")]
    pub window_from: Option<WindowFrom>,
    /// Whether the steps must come in their order [default: ordered]
    #[arg(long, value_name = "ORDER")]
    pub order: Option<StepOrder>,
    /// Let journeys enter at every step, and not at the first one alone
    #[arg(long)]
    pub open: bool,
    /// Which order events of equal time may be used in: any, arrival (as in the log), step (by the steps that they fit), or
    /// grace:2s (any, and a step may come so much before the one before it) [default: any; arrival where the order matters]
    #[arg(long, value_name = "ORDER")]
    pub ties: Option<TieOrder>,
    /// Among which events `>>` looks for the next one [default: events]
    #[arg(long, value_name = "EVENTS")]
    pub strict_among: Option<Among>,
    /// How the times of the steps may follow each other [default: non-decreasing]
    #[arg(long, value_name = "RULE")]
    pub times: Option<Times>,
    /// Let one event fill several steps; --reuse=false forbids it again where --like allows it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub reuse: Option<bool>,
    /// What a repeat of a step does to an attempt that has done it [default: ignore]
    #[arg(long, value_name = "RULE")]
    pub on_repeat: Option<OnRepeat>,
    /// Look at the first alone of events with the same name and page that come less than this apart
    #[arg(long, value_name = "DURATION")]
    pub dedupe: Option<Span>,
    /// Let a step stand for all steps before it, in whatever order they come; --backfill=false forbids it again where --like
    /// sets it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub backfill: Option<bool>,
    /// Match by one scan that keeps the last attempt at each step, as ClickHouse's windowFunnel in this mode (repeatable)
    #[arg(long, value_name = "MODE")]
    pub scan: Vec<ScanMode>,
    /// What must not happen between two steps: STEP@FROM-TO, or STEP for all of them; STEP@FROM-TO:remove has an effect of its own
    /// (repeatable)
    #[arg(long, value_name = "STEP@FROM-TO")]
    pub exclude: Vec<ExcludeSpec>,
    /// What an excluded event does: it stops the attempt, or removes the journey if no other attempt is as deep [default: stop]
    #[arg(long, value_name = "EFFECT")]
    pub exclude_effect: Option<Effect>,
    /// A column whose value all events of an attempt share, or each(COLUMN) for one element of its lists (repeatable)
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_many")]
    pub hold: Vec<String>,
    /// Whether a missing value holds with a missing one [default: match]
    #[arg(long, value_name = "RULE")]
    pub hold_missing: Option<HoldMissing>,
    /// Which events of the first step open an attempt [default: best]
    #[arg(long, value_name = "ENTRY")]
    pub entry: Option<Entry>,
    /// What is counted [default: by the grain; attempts with --entry each or all]
    #[arg(long, value_name = "UNIT")]
    pub count: Option<Count>,
    /// Show the events of this visitor, the steps that each fills, and why its attempts ended
    #[arg(long, value_name = "VISITOR")]
    pub explain: Option<String>,
    /// Only attempts whose first step is at this time or later; the other steps may be at any time
    #[arg(long, value_name = "TIME")]
    pub entered_from: Option<String>,
    /// Only attempts whose first step is before this time; they are followed until their window ends
    #[arg(long, value_name = "TIME")]
    pub entered_to: Option<String>,
    /// For each step also what those did next who came no further: the N most frequent nodes, or `all`; the rest are counted in
    /// one (other)
    #[arg(long, value_name = "N")]
    pub dropped_next: Option<Top>,
    /// Also which events lie between each step and the next one, for those who went on and for those who left: the N most frequent,
    /// or `all`; the rest are counted in one (other)
    #[arg(long, value_name = "N")]
    pub between: Option<Top>,
    /// Also how many went on of those who entered in each hour, day, week or month, by local date
    #[arg(long, value_name = "PERIOD")]
    pub trend: Option<Period>,
    /// Leave out attempts that begin less than one window before the log ends; how many is said
    #[arg(long)]
    pub mature: bool,
    /// Also two parts of the journeys side by side, and how likely chance alone makes such a difference: DIM=A,B for two values of
    /// anything that --by takes, or period:A..B for entries in two periods such as 2026-05..2026-06 (repeatable)
    #[arg(long, value_name = "DIM=A,B")]
    #[serde(deserialize_with = "one_or_many")]
    pub compare: Vec<String>,
    /// Also what goes with getting to the last step: the N strongest of the events in between, or `all` (and see --driver-dim)
    #[arg(long, value_name = "N")]
    pub drivers: Option<Top>,
    /// A column or fact whose values may be drivers too (repeatable)
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_many")]
    pub driver_dim: Vec<String>,
    /// How many journeys there must be with a driver, and how many without [default: 10]
    #[arg(long, value_name = "N")]
    pub min_support: Option<NonZeroU64>,
    /// Whose value of a column of --by counts: the first or the last of the visitor's events that fit a step; `all`: the funnel once
    /// for each value, over its events alone; step:N: once for each value that an attempt has at that step; entries: once for each
    /// value of the events of the first step, which open attempts of their own [default: first]
    #[arg(long, value_name = "TOUCH")]
    pub touch: Option<Touch>,
    /// Also write a row for each attempt that is counted to this file (.csv, .jsonl or .parquet; in a job a name inside of the
    /// output folder): the visitor, how far it came, where it dropped, and when it was at each step
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub visitors_out: Option<PathBuf>,
}

impl FunnelSpec {
    /// A funnel of steps in the step language, `view > cart >> (pay | order{price >= 10})`, with the defaults.
    pub fn of(steps: &str) -> FunnelSpec {
        FunnelSpec { steps: Some(steps.into()), ..FunnelSpec::default() }
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
        let steps = self.steps.as_ref().ok_or_else(|| {
            Error::question("a funnel needs steps").hint("name them: --steps 'view_item > add_to_cart > purchase'")
        })?;
        let (steps, hops) = steps.steps(&self.hops, &common.steps)?;
        check_steps(&steps)?;
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
                .hint("say --grain session, --window '1 session', or give --window a duration"));
        }
        if matches!(window, Window::Sessions(_)) && (grain == Grain::Session || common.sessions.own) {
            let reason =
                "a window of several sessions needs visitors as the grain, and sessions that follow each other";
            return Err(Error::question(reason).hint("leave --grain and --session out, or give --window a duration"));
        }
        let options = Options::new(&self, &steps, &hops, window, grain, &common.steps)?;
        let drivers = Drivers::new(&self, steps.len(), &options, grain)?;
        if self.explain.is_some() && options.shape != Shape::Ordered {
            return Err(Error::question("--explain shows attempts at steps in their order")
                .hint("leave --open and --order any out"));
        }
        let touch = Touch::new(&self, &common.by, &options, steps.len())?;
        if let Some(file) = &self.visitors_out {
            if options.shape != Shape::Ordered {
                return Err(Error::question("--visitors-out has a row for each attempt at steps in their order")
                    .hint("leave --open and --order any out"));
            }
            find_for_rows(file).map_err(|error| error.within("--visitors-out"))?;
        }
        if self.dropped_next.is_some() && options.shape == Shape::Open {
            return Err(Error::question("in an open funnel a journey drops out at several steps")
                .hint("ask for --dropped-next without --open"));
        }
        if self.between.is_some() && options.shape != Shape::Ordered {
            return Err(Error::question("--between looks between steps that follow each other in their order")
                .hint("leave --open and --order any out"));
        }
        if self.mature && !matches!(window, Window::Of(_)) {
            return Err(Error::question(format!("--mature needs a window that is a duration, not {window}"))
                .hint("only then can an attempt begin too late to be followed: give --window a duration"));
        }
        let entered = Entered { from: self.entered_from, to: self.entered_to };
        // Its zone is not known yet; whether it is a time at all does not depend on it.
        entered.bind(Tz::UTC)?;
        let best = options.count == Count::Visitors && grain == Grain::Session;
        if (self.trend.is_some() || self.mature) && (best || options.shape != Shape::Ordered) {
            return Err(Error::question(
                "--trend and --mature tell attempts at steps in their order by when they begin",
            )
            .hint("leave --open, --order any and --count visitors out"));
        }
        let compare = Compare::parse_all(&self.compare).map_err(|error| error.within("--compare"))?;
        compare::check(&compare, steps.len(), options.shape, grain)?;
        let shown = Shown {
            dropped_next: self.dropped_next,
            between: self.between,
            trend: self.trend,
            mature: self.mature,
            explain: self.explain,
            compare,
            drivers,
            visitors: self.visitors_out,
        };
        Ok(Box::new(Funnel { steps, hops, window, options, entered, touch, shown, grain, common }))
    }
}

/// A funnel as meant.
#[derive(Clone, Debug)]
pub struct Funnel {
    steps: Vec<Step>,
    /// The hop into each step but the first.
    hops: Vec<Hop>,
    window: Window,
    options: Options,
    entered: Entered,
    touch: Touch,
    grain: Grain,
    shown: Shown,
    common: Common,
}

/// What is shown beside the usual.
#[derive(Clone, Debug)]
struct Shown {
    /// How much of what the dropped did next.
    dropped_next: Option<Top>,
    /// How much of what lies between the steps.
    between: Option<Top>,
    trend: Option<Period>,
    /// Whether entries too late to be followed are left out.
    mature: bool,
    /// A visitor's events.
    explain: Option<String>,
    /// Two parts of the journeys each.
    compare: Vec<Compare>,
    /// What goes with getting to the last step.
    drivers: Option<Drivers>,
    /// The file of its rows.
    visitors: Option<PathBuf>,
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
        rules.insert("ties".into(), json!(self.options.ties));
        rules.extend(self.options.printed(self.grain));
        for (rule, time) in [("entered_from", &self.entered.from), ("entered_to", &self.entered.to)] {
            if let Some(time) = time {
                rules.insert(rule.into(), json!(time));
            }
        }
        if let Some(visitor) = &self.shown.explain {
            rules.insert("explain".into(), json!(visitor));
        }
        if self.shown.mature {
            rules.insert("mature".into(), json!(true));
        }
        if let Some(period) = self.shown.trend {
            rules.insert("trend".into(), json!(period));
        }
        rules.extend(compare::rules(&self.shown.compare, self.steps.len(), self.options.shape));
        if let Some(shown) = self.shown.dropped_next {
            rules.insert("dropped_next".into(), json!(shown));
        }
        if let Some(drivers) = &self.shown.drivers {
            rules.extend(drivers.rules());
        }
        if self.looks_at_nodes() {
            // It is of no account here what becomes of repeats.
            let in_force = |(rule, _): &(String, Value)| !["repeats", "collapse"].contains(&rule.as_str());
            rules.extend(self.common.node_rules().into_iter().filter(in_force));
        }
        if let Some(shown) = self.shown.between {
            rules.insert("between".into(), json!(shown));
        }
        if self.cuts_sessions() {
            rules.extend(self.common.session_rules());
        }
        rules.extend(self.common.by_rule());
        if !self.common.by.is_empty() {
            rules.insert("touch".into(), json!(self.touch));
        }
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        if self.cuts_sessions() {
            needs.add(self.common.session_needs());
        }
        let excluded = self.options.exclusions.iter().map(|exclusion| &exclusion.step);
        self.steps.iter().chain(excluded).for_each(|step| step.needs(&self.common.nodes, &mut needs));
        needs.add(Needs::of_dimensions(&self.options.hold.columns));
        needs.add(Compare::needs(&self.shown.compare));
        if let Some(drivers) = &self.shown.drivers {
            needs.add(drivers.needs());
        }
        if self.looks_at_nodes() {
            needs.add(Needs::of_nodes(&self.common.nodes));
        }
        needs.scan.value = true;
        needs.ids |= self.shown.explain.is_some() || self.shown.visitors.is_some();
        needs.scan.event |=
            self.shown.explain.is_some() || self.shown.between.is_some() || self.options.dedupe.is_some();
        needs.scan.page |= self.options.dedupe.is_some();
        needs
    }

    fn rows_file(&self) -> Option<&Path> {
        self.shown.visitors.as_deref()
    }

    fn check_floor(&self) -> Result<()> {
        if self.options.shape == Shape::Open {
            return Err(Error::question(
                "an open funnel is entered at every step: no rate of the last to the first is defined",
            )
            .hint("leave --open out, or the floor"));
        }
        Ok(())
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let unit = self.common.unit(self.grain, names, notes)?;
        let direct = self.hops.iter().enumerate().filter(|(_, hop)| hop.kind == HopKind::Directly);
        let direct = direct.map(|(at, _)| 2u64 << at).sum();
        let span = match self.window {
            Window::Of(span) => Some(span.0),
            _ => None,
        };
        let window = match self.window {
            Window::Sessions(count) | Window::Events(count) => Some(i64::from(count) - 1),
            _ => span.filter(|_| self.options.window_from == WindowFrom::First),
        };
        let kinds: Vec<Kind> = self.steps.iter().map(Step::kind).collect();
        let (steps, limits, chart) = (self.steps.len(), self.limits(), Chart::new(&kinds));
        let rules = Rules { steps, direct, limits, window, chart, ..self.options.rules() };
        let views = &self.common.conventions.page_views;
        let slots: Vec<Step> = self.steps.iter().flat_map(Step::slots).cloned().collect();
        let matcher = Matcher::new(&slots, &self.common.nodes, views, names, notes)?;
        let excluded: Vec<Step> = self.options.exclusions.iter().map(|exclusion| exclusion.step.clone()).collect();
        let excluded = (!excluded.is_empty())
            .then(|| Matcher::new(&excluded, &self.common.nodes, views, names, notes))
            .transpose()?;
        let entered = self.entered.bind(names.zone)?;
        // An attempt that begins after this time had less than a whole window.
        let open_after = names.span.and_then(|(_, last)| Some(last.saturating_sub(span?)));
        let mature = open_after.filter(|_| self.shown.mature).map(|after| entered.start..entered.end.min(after + 1));
        let sessions = matches!(self.window, Window::Sessions(_)).then(|| self.common.session(names, notes));
        let pairs = if self.options.shape == Shape::Open { pairs(&rules) } else { Vec::new() };
        let plan = self.options.plan(rules);
        let series = self.touch.series(&self.common.by, plan.entry, names)?;
        let mut follow = Follow {
            single: None,
            shape: self.options.shape,
            pairs,
            excluded,
            order: self.options.order(self.window),
            dedupe: self.options.dedupe.map(|span| span.0),
            backfill: self.options.backfill,
            hold: self.options.hold.columns.iter().map(|name| names.dimension(name)).collect::<Result<_>>()?,
            lists: self.options.hold.lists(names)?,
            sessions: sessions.transpose()?,
            entered: mature.clone().unwrap_or(entered.clone()),
            plan,
            matcher,
            series,
        };
        follow.find_short_way();
        let follow = Arc::new(follow);
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let (best, last) = (self.options.count == Count::Visitors && unit != Unit::Visitor, self.touch == Touch::Last);
        let visitors = self.shown.visitors.is_some().then(|| {
            let hold = &self.options.hold.columns;
            VisitorRows::new(Arc::clone(&follow), unit, steps.clone(), hold, &self.common, names, notes)
        });
        let visitors = visitors.map(|rows| rows.map(|rows| rows.by_best(best)));
        let visitors = visitors.map(|rows| rows.map(|rows| if last { rows.by_last() } else { rows }));
        let scope = || PathScope { grain: self.grain, common: self.common.clone() };
        let dropped_next =
            self.shown.dropped_next.map(|shown| DroppedNext::new(&scope(), self.steps.len(), shown, names, notes));
        let driving = (self.window, &self.options);
        let drivers = self.shown.drivers.as_ref();
        let drivers = drivers.map(|asked| DriverSearch::new(asked, driving, &scope(), names, notes));
        let bound = BoundFunnel {
            follow,
            unit,
            count: self.options.count,
            explain: self.shown.explain.clone(),
            trend: self.shown.trend.map(|period| Trend { period, zone: names.zone }),
            dropped_next: dropped_next.transpose()?,
            drivers: drivers.transpose()?,
            comparing: Comparing::new(&self.shown.compare, &self.common, names, notes)?,
            between: self.shown.between.map(|shown| Between::new(required(&self.steps), shown, names, notes)),
            visitors: visitors.transpose()?,
            steps,
            slots: slots.iter().map(ToString::to_string).collect(),
            title: format!("{} of {}: {}", self.options.shape.name(), self.options.count.name(), self.text()),
            open_after,
            asked: mature.map(|_| entered),
        };
        let by = Segmented::new(bound, &self.common, names, notes)?;
        Ok(Box::new(if self.touch == Touch::Last { by.by_last() } else { by }))
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
        let whole = match (self.window, self.options.window_from) {
            (Window::Of(span), WindowFrom::Previous) => Some(span),
            _ => None,
        };
        let limit = |hop: &Hop| hop.limit.into_iter().chain(whole).min().map(|limit| limit.0);
        let limits: Vec<Option<i64>> = [None].into_iter().chain(self.hops.iter().map(limit)).collect();
        if limits.iter().all(Option::is_none) { Vec::new() } else { limits }
    }

    /// Whether the question looks at nodes.
    fn looks_at_nodes(&self) -> bool {
        self.shown.dropped_next.is_some() || self.shown.drivers.is_some()
    }

    /// Whether the question looks at sessions.
    fn cuts_sessions(&self) -> bool {
        self.grain == Grain::Session || matches!(self.window, Window::Sessions(_))
    }
}

/// The steps that cannot be left out, from 0.
fn required(steps: &[Step]) -> Vec<usize> {
    (0..steps.len()).filter(|&at| steps[at].kind() != Kind::Optional).collect()
}

/// Refuses steps that cannot stand where they stand, and too many.
fn check_steps(steps: &[Step]) -> Result<()> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Ok(()) };
    let slots: usize = steps.iter().map(|step| step.slots().len()).sum();
    let members = slots - steps.iter().filter(|step| step.slots().len() == 1).count();
    let refused = [
        (slots > 64, format!("a funnel has at most 64 steps, not {slots}"), "members of blocks count as well"),
        (
            members > MEMBERS,
            format!("the blocks of a funnel have at most {MEMBERS} members, not {members}"),
            "what comes in any order alone is --order any",
        ),
        (
            matches!(first.kind(), Kind::Block(_)),
            "a funnel is entered at one step, not at a block".to_owned(),
            "put a step before it, or say --order any",
        ),
        (
            first.kind() == Kind::Optional || last.kind() == Kind::Optional,
            "the first and the last step cannot be left out".to_owned(),
            "`?` stands behind a step between two others",
        ),
    ];
    match refused.into_iter().find(|(refused, ..)| *refused) {
        Some((_, reason, hint)) => Err(Error::question(reason).hint(hint)),
        None => Ok(()),
    }
}
