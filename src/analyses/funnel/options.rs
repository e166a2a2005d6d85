//! Which attempts of a funnel are looked at, and what ends them: as written, and as meant.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::hold::Hold;
use super::{FunnelSpec, TieOrder, Window, backfill, scanned};
use crate::analyses::common::Grain;
use crate::analyses::named::NamedSteps;
use crate::analyses::step::{Hop, HopKind, Step, StepsSpec};
use crate::analyses::steps::{
    Between, Effect, Entry, HoldMissing, Kind, OnRepeat, Order, Plan, Rules, Scan, ScanMode, Ties,
};
use crate::error::{Error, Result};
use crate::units::Span;

/// What the window is measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum WindowFrom {
    /// The first step.
    #[default]
    First,
    /// The step before: it is the limit of every hop.
    Previous,
}

/// Among which events `>>` looks for the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Among {
    /// All of the journey.
    #[default]
    Events,
    /// Those that fit a step.
    Steps,
}

/// How the times of an attempt's steps may follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// Two steps may be at one time.
    #[default]
    NonDecreasing,
    /// Each step is later than the one before.
    Increasing,
}

/// Whether steps must come in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum StepOrder {
    /// They must.
    #[default]
    Ordered,
    /// So many steps are done as one window holds.
    Any,
}

/// What kind of funnel it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Entered at the first step.
    Ordered,
    /// Steps in any order.
    Unordered,
    /// Entered at any step.
    Open,
}

impl Shape {
    /// What it is called in titles.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Ordered => "Funnel",
            Shape::Unordered => "Funnel in any order",
            Shape::Open => "Open funnel",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Visitors; with sessions as the grain each by its best session.
    Visitors,
    /// Sessions.
    Sessions,
    /// All attempts that are opened.
    Attempts,
    /// Each value that a journey's attempts hold.
    Held,
}

impl Count {
    /// What it is called in titles.
    pub fn name(self) -> &'static str {
        match self {
            Count::Visitors => "visitors",
            Count::Sessions => "sessions",
            Count::Attempts => "attempts",
            Count::Held => "held values",
        }
    }
}

/// What must not happen between two steps, as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "an exclusion is a string or a table")]
pub enum ExcludeSpec {
    /// `support_chat@1-3`, for all steps `support_chat`, with an effect of its own `support_chat@1-3:remove`.
    Text(String),
    /// `{ event = "support_chat", from = 1, to = 3, effect = "remove" }`
    Table(toml::Table),
}

impl From<&str> for ExcludeSpec {
    fn from(text: &str) -> Self {
        ExcludeSpec::Text(text.to_owned())
    }
}

/// What must not happen between two steps, as meant.
#[derive(Clone, Debug)]
pub struct Exclusion {
    pub step: Step,
    pub between: Between,
}

impl Exclusion {
    fn new(written: &ExcludeSpec, effect: Effect, steps: usize, named: &NamedSteps) -> Result<Exclusion> {
        let (what, mut between) = match written {
            ExcludeSpec::Text(text) => {
                let (what, from, to, own) = ends(text).unwrap_or((text, 1, steps, None));
                let own =
                    own.map(|own| Effect::from_str(own, false).map_err(|_| no_effect(format!("{own:?} is no effect"))));
                (StepsSpec::from(what), Between { from, to, effect: own.transpose()?.unwrap_or(effect) })
            }
            ExcludeSpec::Table(table) => {
                let mut table = table.clone();
                let mut number = |key: &str, otherwise: usize| match table.remove(key) {
                    None => Ok(otherwise),
                    Some(toml::Value::Integer(number)) => Ok(usize::try_from(number).unwrap_or(0)),
                    Some(other) => Err(Error::question(format!("{key} = {other} is no number of a step"))
                        .hint("steps are counted from 1: from = 1, to = 3")),
                };
                let (from, to) = (number("from", 1)?, number("to", steps)?);
                let effect = table.remove("effect").map_or(Ok(effect), Effect::deserialize);
                let effect = effect.map_err(|error| no_effect(error.message().to_owned()))?;
                (StepsSpec::List(vec![toml::Value::Table(table)]), Between { from, to, effect })
            }
        };
        let (mut what, hops) = what.steps(&[], named)?;
        if !hops.is_empty() {
            return Err(Error::question("it is more than one step").hint("give each event its own --exclude"));
        }
        between.to = between.to.min(steps + 1);
        if between.from == 0 || between.from >= between.to || between.to > steps {
            return Err(Error::question(format!(
                "there is nothing between the steps {} and {}",
                between.from, between.to
            ))
            .hint(format!("the steps are numbered 1 to {steps}: --exclude 'support_chat@1-{steps}'")));
        }
        let step = what.swap_remove(0);
        step.alone("what is excluded")?;
        Ok(Exclusion { step, between })
    }
}

/// The parts of `support_chat@1-3` or `support_chat@1-3:remove`.
fn ends(text: &str) -> Option<(&str, usize, usize, Option<&str>)> {
    let (what, ends) = text.rsplit_once('@')?;
    let (from, to) = ends.split_once('-')?;
    let (to, effect) = to.split_once(':').map_or((to, None), |(to, effect)| (to, Some(effect.trim())));
    Some((what, from.trim().parse().ok()?, to.trim().parse().ok()?, effect))
}

fn no_effect(reason: String) -> Error {
    Error::question(reason).hint("an excluded event has the effect stop or remove")
}

impl std::fmt::Display for Exclusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Between { from, to, effect } = self.between;
        let effect = match effect {
            Effect::Stop => "stop",
            Effect::Remove => "remove",
        };
        write!(f, "{}@{from}-{to}:{effect}", self.step)
    }
}

/// The options of a funnel as meant.
#[derive(Clone, Debug)]
pub struct Options {
    pub shape: Shape,
    pub ties: TieOrder,
    pub window_from: WindowFrom,
    among: Among,
    times: Times,
    reuse: bool,
    on_repeat: OnRepeat,
    pub dedupe: Option<Span>,
    pub backfill: bool,
    scan: Vec<ScanMode>,
    pub exclusions: Vec<Exclusion>,
    pub entry: Entry,
    pub count: Count,
    /// The columns whose values an attempt holds.
    pub hold: Hold,
    hold_missing: HoldMissing,
}

impl Options {
    /// Settles the options, and refuses those that contradict each other.
    pub fn new(
        spec: &FunnelSpec,
        steps: &[Step],
        hops: &[Hop],
        window: Window,
        grain: Grain,
        named: &NamedSteps,
    ) -> Result<Options> {
        let direct = hops.iter().any(|hop| hop.kind == HopKind::Directly);
        let effect = spec.exclude_effect.unwrap_or_default();
        let exclusion = |written| Exclusion::new(written, effect, steps.len(), named);
        let exclusions = spec.exclude.iter().map(exclusion).collect::<Result<Vec<_>>>();
        let entry = spec.entry.unwrap_or_default();
        let every = matches!(entry, Entry::Each | Entry::All);
        let options = Options {
            shape: match spec.order.unwrap_or_default() {
                StepOrder::Any => Shape::Unordered,
                StepOrder::Ordered if spec.open => Shape::Open,
                StepOrder::Ordered => Shape::Ordered,
            },
            ties: spec.ties.unwrap_or(if !spec.scan.is_empty() {
                TieOrder::Step
            } else if needs_order(spec, direct, window).is_some() {
                TieOrder::Arrival
            } else {
                TieOrder::Any
            }),
            window_from: spec.window_from.unwrap_or_default(),
            among: spec.strict_among.unwrap_or_default(),
            times: spec.times.unwrap_or_default(),
            reuse: spec.reuse.unwrap_or_default(),
            on_repeat: spec.on_repeat.unwrap_or_default(),
            dedupe: spec.dedupe,
            backfill: spec.backfill.unwrap_or_default(),
            scan: spec.scan.clone(),
            exclusions: exclusions.map_err(|error| error.within("--exclude"))?,
            entry,
            count: spec.count.unwrap_or(match grain {
                _ if every => Count::Attempts,
                Grain::Visitor => Count::Visitors,
                Grain::Session => Count::Sessions,
            }),
            hold: Hold::new(&spec.hold)?,
            hold_missing: spec.hold_missing.unwrap_or_default(),
        };
        options.check(spec, direct, window, grain)?;
        options.check_shape(spec, hops, window, grain)?;
        options.check_kinds(steps)?;
        options.ties.check_grace(spec, hops, window, options.removes())?;
        backfill::check(spec, hops)?;
        scanned::check(spec, hops, window)?;
        Ok(options)
    }

    /// Whether an exclusion removes journeys.
    fn removes(&self) -> bool {
        self.exclusions.iter().any(|exclusion| exclusion.between.effect == Effect::Remove)
    }

    fn check(&self, spec: &FunnelSpec, direct: bool, window: Window, grain: Grain) -> Result<()> {
        let every = matches!(self.entry, Entry::Each | Entry::All);
        let increasing = self.times == Times::Increasing;
        let order = needs_order(spec, direct, window).filter(|_| self.ties == TieOrder::Any);
        let duration = matches!(window, Window::Of(_));
        let own = "leave one of them out";
        let refused = [
            (order.is_some(), order.unwrap_or_default(), "leave --ties out, or say --ties arrival"),
            (
                increasing && self.ties != TieOrder::Any,
                "increasing times and an order of equal times exclude each other",
                own,
            ),
            (increasing && direct, "`>>` may be followed at the same time: it cannot have increasing times", own),
            (
                self.reuse && direct,
                "an event cannot come directly after itself: `>>` and --reuse exclude each other",
                own,
            ),
            (
                self.reuse && increasing,
                "an event is not later than itself: --reuse and increasing times exclude each other",
                own,
            ),
            (
                self.among == Among::Steps && !direct && self.scan.is_empty(),
                "--strict-among says what `>>` looks at, and there is no `>>`",
                "leave it out",
            ),
            (
                self.exclusions.len() > 16,
                "a funnel has at most 16 exclusions",
                "put them together: --exclude '(a | b)'",
            ),
            (
                self.removes() && every,
                "an exclusion that removes visitors needs one attempt for each",
                "say --exclude-effect stop",
            ),
            (
                self.hold.each.is_some() && every,
                "of every attempt it would have to be told which element of the list it holds",
                "leave --entry out; --count held counts each element",
            ),
            (
                self.hold.each.is_some() && spec.visitors_out.is_some(),
                "--visitors-out has a column for each value that is held, and none for one element of a list",
                "leave one of them out",
            ),
            (
                spec.hold_missing.is_some() && self.hold.is_empty(),
                "nothing is held that could be missing",
                "name it: --hold device",
            ),
            (
                self.count == Count::Held && self.hold.is_empty(),
                "no values are held that could be counted",
                "name them: --hold device",
            ),
            (
                self.count == Count::Held && every,
                "values that are held are counted once each, not once for each attempt",
                "leave --entry out",
            ),
            (
                (self.count == Count::Attempts) != every && self.count != Count::Held,
                "every attempt is counted with --entry each or all, and only then",
                "say --entry each --count attempts",
            ),
            (
                (self.count == Count::Sessions) && grain == Grain::Visitor,
                "a funnel of visitors has no sessions to count",
                "say --grain session",
            ),
            (
                self.window_from == WindowFrom::Previous && !duration,
                "a window from step to step is a duration",
                "say --window 30m",
            ),
        ];
        match refused.into_iter().find(|(refused, ..)| *refused) {
            Some((_, reason, hint)) => Err(Error::question(reason).hint(hint)),
            None => Ok(()),
        }
    }

    /// Refuses what funnels that are open or have no order cannot answer.
    fn check_shape(&self, spec: &FunnelSpec, hops: &[Hop], window: Window, grain: Grain) -> Result<()> {
        let unordered = self.shape == Shape::Unordered;
        let enters = self.entry != Entry::Best || spec.entered_from.is_some() || spec.entered_to.is_some();
        let counts = matches!((self.count, grain), (Count::Visitors, Grain::Visitor) | (Count::Sessions, _));
        let timed = matches!(window, Window::Of(_) | Window::None | Window::Session);
        let what = if unordered { "a funnel in any order" } else { "an open funnel" };
        let refused = [
            (unordered && spec.open, "is open already: it is entered at every step"),
            (enters, "is entered at every step: it has no --entry, --entered-from or --entered-to"),
            (!self.exclusions.is_empty(), "has no steps that exclusions lie between"),
            (!self.hold.is_empty(), "has no first step whose value could be held"),
            (self.on_repeat != OnRepeat::Ignore, "has no attempts that a repeat could end"),
            (!counts, "counts journeys of its grain"),
            (unordered && !timed, "has a duration as its window, the session, or none"),
            (unordered && self.window_from != WindowFrom::First, "has one window for all steps"),
            (unordered && hops.iter().any(|hop| *hop != Hop::EVENTUALLY), "has no hops of a kind or with a limit"),
            (unordered && self.ties != TieOrder::Any, "has no order of equal times"),
            (unordered && self.times != Times::NonDecreasing, "has no order of times"),
            (unordered && self.reuse, "needs an event for each step"),
        ];
        match refused.into_iter().find(|(refused, _)| *refused && self.shape != Shape::Ordered) {
            Some((_, reason)) => {
                Err(Error::question(format!("{what} {reason}")).hint("leave one of the two options out"))
            }
            None => Ok(()),
        }
    }

    /// Refuses what cannot be told where steps may be left out or come in any order.
    fn check_kinds(&self, steps: &[Step]) -> Result<()> {
        let optional = |step: usize| steps.get(step - 1).is_some_and(|step| step.kind() == Kind::Optional);
        let ends = |exclusion: &Exclusion| optional(exclusion.between.from) || optional(exclusion.between.to);
        let refused = [
            (self.shape != Shape::Ordered, "are steps of a funnel in order that is entered at the first one"),
            (self.reuse, "need an event each"),
            (self.on_repeat != OnRepeat::Ignore, "cannot end an attempt when they are repeated"),
            (self.ties.grace().is_some(), "have no grace"),
            (self.backfill, "cannot stand for others"),
            (!self.scan.is_empty(), "cannot be scanned"),
            (self.exclusions.iter().any(ends), "may be left out: an exclusion lies between others"),
        ];
        let plain = steps.iter().all(|step| step.kind() == Kind::Required);
        match refused.into_iter().find(|(refused, _)| *refused && !plain) {
            Some((_, reason)) => {
                Err(Error::question(format!("optional steps and blocks {reason}"))
                    .hint("leave one of the two options out"))
            }
            None => Ok(()),
        }
    }

    /// How the events of a journey are brought into order.
    pub fn order(&self, window: Window) -> Order {
        Order {
            by_step: self.ties == TieOrder::Step,
            among_steps: self.among == Among::Steps,
            by_event: matches!(window, Window::Events(_)),
        }
    }

    /// What the core is told, but for steps, hops and window.
    pub fn rules(&self) -> Rules {
        Rules {
            ties: if matches!(self.ties, TieOrder::Any | TieOrder::Grace(_)) { Ties::Any } else { Ties::Arrival },
            grace: self.ties.grace(),
            increasing: self.times == Times::Increasing,
            reuse: self.reuse || self.backfill,
            on_repeat: self.on_repeat,
            exclusions: self.exclusions.iter().map(|exclusion| exclusion.between).collect(),
            scan: (!self.scan.is_empty()).then(|| Scan::new(&self.scan)),
            ..Rules::default()
        }
    }

    /// The same with what attempts are looked at.
    pub fn plan(&self, rules: Rules) -> Plan {
        let hold = (!self.hold.is_empty()).then_some(self.hold_missing);
        Plan { rules, entry: self.entry, hold, each_value: self.count == Count::Held }
    }

    /// Those that are not the usual, as they are printed.
    pub fn printed(&self, grain: Grain) -> Map<String, Value> {
        let usual = if grain == Grain::Session { Count::Sessions } else { Count::Visitors };
        let mut rules = Map::new();
        let mut print = |usual: bool, name: &str, value: Value| {
            if !usual {
                rules.insert(name.into(), value);
            }
        };
        print(self.shape != Shape::Unordered, "order", json!(StepOrder::Any));
        print(self.shape != Shape::Open, "open", json!(true));
        print(self.window_from == WindowFrom::First, "window_from", json!(self.window_from));
        print(self.among == Among::Events, "strict_among", json!(self.among));
        print(self.times == Times::NonDecreasing, "times", json!(self.times));
        print(!self.reuse, "reuse", json!(self.reuse));
        print(self.on_repeat == OnRepeat::Ignore, "on_repeat", json!(self.on_repeat));
        print(self.dedupe.is_none(), "dedupe", json!(self.dedupe));
        print(!self.backfill, "backfill", json!(self.backfill));
        print(self.scan.is_empty(), "scan", json!(self.scan));
        let exclusions: Vec<String> = self.exclusions.iter().map(ToString::to_string).collect();
        print(self.exclusions.is_empty(), "exclude", json!(exclusions));
        print(self.entry == Entry::Best, "entry", json!(self.entry));
        print(self.count == usual, "count", json!(self.count));
        print(self.hold.is_empty(), "hold", json!(self.hold.written()));
        print(self.hold.is_empty(), "hold_missing", json!(self.hold_missing));
        rules
    }
}

/// Why the order of equal times matters, if it does.
fn needs_order(spec: &FunnelSpec, direct: bool, window: Window) -> Option<&'static str> {
    let repeats = spec.on_repeat.is_some_and(|rule| rule != OnRepeat::Ignore);
    match window {
        _ if direct => Some("a funnel with `>>` cannot use equal times in any order"),
        _ if repeats => Some("whether a step is repeated depends on the order of equal times"),
        Window::Events(_) => Some("a window of so many events depends on the order of equal times"),
        _ => None,
    }
}
