//! Whole visitors, in order, cut into sessions: what every question folds over.

mod block;
mod names;
mod partition;
mod sessionize;
mod store;
mod view;

pub use crate::events::{
    Account, Comparison, Condition, DAY, Group, NodeKind, NodeRule, PageViews, SECOND, TOUCHES, glob, instant, local,
};
pub use names::{Names, Needs};
pub use partition::Grouper;
pub use sessionize::{CampaignRule, SessionRule, TimeoutEdge};
use sessionize::{Cuts, Cutter};
pub use store::{Arrival, Loaded, Partitions, Scatter, Store};
pub use view::{Repeats, Shown, Shows, View};

use crate::events::Columns;
use crate::ids::{Code, MISSING, Shape, place_hash};

/// One partition: every event of each of its visitors, in journey order. Struct of arrays.
///
/// One list of session bounds per distinct session rule asked for, one column of nodes per distinct node rule.
#[derive(Debug, Default)]
pub struct Journeys {
    columns: Columns,
    /// Begin of each visitor in the columns; one more at the end.
    offsets: Vec<u32>,
    keys: Vec<VisitorKey>,
    /// Whether no two events of a visitor are at the same time, as far as is known.
    apart: Vec<bool>,
    /// The ids of the visitors, if a question shows them.
    ids: Vec<String>,
    sessions: Vec<Cuts>,
    nodes: Vec<Nodes>,
    /// The events of each visitor as a set; empty if no question needs the names of events.
    sets: Vec<EventSet>,
}

/// The node of each event by one rule.
#[derive(Debug, Default)]
struct Nodes {
    codes: Vec<Code>,
    /// Whether every event has one.
    whole: bool,
}

/// A set of names of events: so that most visitors are told from those that have an event without a look at their events.
///
/// The first 63 codes have a bit each, all others share one. What is not in the set is not there; what is may not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u64);

impl EventSet {
    /// Every name.
    pub const ALL: EventSet = EventSet(u64::MAX);

    /// Whether both may have a name.
    #[inline]
    pub fn meets(self, other: EventSet) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<Code> for EventSet {
    #[inline]
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> EventSet {
        /// From a table, because shifts of many codes at once cost more than one by one.
        const BITS: [u64; 64] = {
            let mut bits = [1; 64];
            let mut code = 1;
            while code < 64 {
                bits[code] = bits[code - 1] << 1;
                code += 1;
            }
            bits
        };
        EventSet(codes.into_iter().fold(0, |set, code| set | BITS[code.min(63) as usize]))
    }
}

/// Who a visitor of a partition is.
#[derive(Clone, Copy, Debug)]
pub struct VisitorKey {
    pub(crate) shape: Shape,
    /// For ids that do not fit into a number: which block of the partition holds the id, and where.
    pub(crate) block: u32,
    pub(crate) id: u32,
    /// The number itself, or a stable hash of the id.
    pub(crate) key: u64,
}

impl Journeys {
    fn clear(&mut self) {
        self.columns.clear();
        self.offsets.clear();
        self.keys.clear();
        self.apart.clear();
        self.ids.clear();
    }

    /// How many events there are.
    pub fn events(&self) -> usize {
        self.offsets.last().map_or(0, |&end| end as usize)
    }

    /// Replaces `into` by the events that fulfil condition number `bit`, and the visitors that have any.
    ///
    /// It must be asked before [`prepare`](Self::prepare): sessions are cut from what is left.
    pub fn filter(&self, bit: usize, into: &mut Journeys) {
        into.clear();
        let mut kept: Vec<u32> = Vec::new();
        into.offsets.push(0);
        for (number, visitor) in self.offsets.windows(2).enumerate() {
            let before = kept.len();
            kept.extend((visitor[0]..visitor[1]).filter(|&at| self.columns.bits[at as usize] >> bit & 1 == 1));
            if kept.len() > before {
                into.offsets.push(kept.len() as u32);
                into.keys.push(self.keys[number]);
                into.apart.push(self.apart[number]);
                into.ids.extend(self.ids.get(number).cloned());
            }
        }
        into.columns.gather(&self.columns, &kept);
    }

    /// The numbers of the visitors in the order of their stable hashes, then of their ids: an order that depends on nothing but
    /// who they are. The ids must be known.
    pub fn by_hash(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.keys.len() as u32).collect();
        let key = |number: &u32| {
            let VisitorKey { shape, key, .. } = self.keys[*number as usize];
            (place_hash(shape, key), self.ids.get(*number as usize))
        };
        numbers.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        numbers
    }

    /// Cuts sessions and finds nodes by the rules of a run.
    pub fn prepare(&mut self, names: &Names) {
        self.sessions.resize_with(names.session_rules().len(), Cuts::default);
        for (cuts, rule) in self.sessions.iter_mut().zip(names.session_rules()) {
            cuts.cut(&mut Cutter::new(rule, names), &self.offsets, &mut self.columns);
        }
        self.nodes.resize_with(names.node_tables().len(), Nodes::default);
        for (Nodes { codes, whole }, table) in self.nodes.iter_mut().zip(names.node_tables()) {
            codes.clear();
            table.nodes(&self.columns.event, &self.columns.page, codes);
            *whole = !codes.contains(&MISSING);
        }
        self.sets.clear();
        if !self.columns.event.is_empty() {
            let events = |visitor: &[u32]| &self.columns.event[visitor[0] as usize..visitor[1] as usize];
            self.sets
                .extend(self.offsets.windows(2).map(|visitor| events(visitor).iter().copied().collect::<EventSet>()));
        }
    }

    /// The visitors of the partition, by first appearance in the log.
    pub fn visitors(&self) -> impl Iterator<Item = Visitor<'_>> {
        (0..self.keys.len() as u32).map(|number| self.visitor(number))
    }

    /// The visitor of a number below their count.
    pub fn visitor(&self, number: u32) -> Visitor<'_> {
        Visitor { journeys: self, number, chosen: None }
    }

    /// How many sessions the rule `rule` made in this partition.
    pub fn sessions(&self, rule: usize) -> usize {
        let cuts = &self.sessions[rule];
        cuts.bounds.len() - self.keys.len()
    }
}

/// What an analysis sees: one whole visitor. [`whole`](Visitor::whole) and [`sessions`](Visitor::sessions) are views of the same columns.
#[derive(Clone, Copy, Debug)]
pub struct Visitor<'a> {
    journeys: &'a Journeys,
    number: u32,
    /// The sessions that a segment leaves, by number; all if not given.
    chosen: Option<&'a [u32]>,
}

impl<'a> Visitor<'a> {
    /// The visitor's number in its partition.
    pub fn number(&self) -> usize {
        self.number as usize
    }

    /// The visitor's id as it stands in the log; empty if no question shows ids.
    pub fn id(&self) -> &'a str {
        self.journeys.ids.get(self.number as usize).map_or("", String::as_str)
    }

    /// All events of the visitor as one journey.
    #[inline]
    pub fn whole(&self) -> Journey<'a> {
        let at = self.number as usize;
        self.journey(self.journeys.offsets[at], self.journeys.offsets[at + 1])
    }

    /// The names of all events of the visitor, whatever the segment.
    #[inline]
    pub fn event_set(&self) -> EventSet {
        self.journeys.sets.get(self.number as usize).copied().unwrap_or(EventSet::ALL)
    }

    /// Whether no two events of the visitor are at the same time, as far as is known.
    #[inline]
    pub fn is_apart(&self) -> bool {
        self.journeys.apart[self.number as usize]
    }

    /// The visitor's sessions by rule number `rule`, ordered by their first events; only those of the segment, if there is one.
    #[inline(always)]
    pub fn sessions(&self, rule: usize) -> impl Iterator<Item = Journey<'a>> + use<'a> {
        self.numbered_sessions(rule).map(|(_, session)| session)
    }

    /// The same, each with its number among all sessions of the visitor, counted from 0.
    #[inline(always)]
    pub fn numbered_sessions(&self, rule: usize) -> impl Iterator<Item = (u32, Journey<'a>)> + use<'a> {
        self.numbered(Unit::Session(rule))
    }

    /// All sessions of the visitor, and for each whether it is one of the segment.
    #[inline(always)]
    pub fn all_sessions(&self, rule: usize) -> impl Iterator<Item = (Journey<'a>, bool)> + use<'a> {
        let mut chosen = self.chosen.map(|numbers| numbers.iter().peekable());
        let all = Visitor { chosen: None, ..*self }.numbered_sessions(rule);
        all.map(move |(number, session)| {
            let chosen = chosen.as_mut().is_none_or(|chosen| chosen.next_if_eq(&&number).is_some());
            (session, chosen)
        })
    }

    /// The journeys of a grain: the whole visitor, or its sessions.
    #[inline(always)]
    pub fn journeys(&self, unit: Unit) -> impl Iterator<Item = Journey<'a>> + use<'a> {
        self.numbered(unit).map(|(_, journey)| journey)
    }

    /// The same, each session with its number among all sessions of the visitor, from 0; a whole visitor is number 0.
    #[inline(always)]
    pub fn numbered(&self, unit: Unit) -> impl Iterator<Item = (u32, Journey<'a>)> + use<'a> {
        let at = self.number as usize;
        let (bounds, numbers) = match unit {
            Unit::Visitor => (&self.journeys.offsets[at..at + 2], None),
            Unit::Session(rule) => (self.bounds(rule), self.chosen),
        };
        let visitor = *self;
        let count = numbers.map_or(bounds.len() - 1, <[u32]>::len);
        (0..count).map(move |at| {
            let journey = numbers.map_or(at, |numbers| numbers[at] as usize);
            (journey as u32, visitor.journey(bounds[journey], bounds[journey + 1]))
        })
    }

    /// The same visitor with only the sessions of the given numbers.
    pub fn with_sessions(&self, numbers: &'a [u32]) -> Visitor<'a> {
        Visitor { chosen: Some(numbers), ..*self }
    }

    #[inline]
    fn bounds(&self, rule: usize) -> &'a [u32] {
        let cuts = &self.journeys.sessions[rule];
        let at = self.number as usize;
        &cuts.bounds[cuts.first[at] as usize..cuts.first[at + 1] as usize]
    }

    #[inline]
    fn journey(&self, start: u32, end: u32) -> Journey<'a> {
        Journey { journeys: self.journeys, start: start as usize, end: end as usize }
    }
}

/// What makes a journey in a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Each visitor is one journey.
    Visitor,
    /// Each session by this rule number is one journey.
    Session(usize),
}

/// An ordered sequence of events under analysis. It is never empty. All columns have the same length.
#[derive(Clone, Copy, Debug)]
pub struct Journey<'a> {
    journeys: &'a Journeys,
    start: usize,
    end: usize,
}

impl<'a> Journey<'a> {
    /// How many events it has, at least one.
    #[allow(clippy::len_without_is_empty, reason = "a journey is never empty")]
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Where it begins in the journey of all events of its visitor.
    pub fn place_in(&self, whole: Journey<'_>) -> usize {
        self.start - whole.start
    }

    /// µs since 1970 UTC, never going back.
    #[inline]
    pub fn times(&self) -> &'a [i64] {
        &self.journeys.columns.time[self.start..self.end]
    }

    /// Codes of the event names; empty if no question needs them.
    #[inline]
    pub fn events(&self) -> &'a [Code] {
        self.column(&self.journeys.columns.event)
    }

    /// Codes of the pages; empty if no question needs them.
    #[inline]
    pub fn pages(&self) -> &'a [Code] {
        self.column(&self.journeys.columns.page)
    }

    /// Millionths; empty if no question needs them.
    #[inline]
    pub fn values(&self) -> &'a [i64] {
        self.column(&self.journeys.columns.value)
    }

    /// One bit per condition; empty if there is none.
    #[inline]
    pub fn bits(&self) -> &'a [u64] {
        self.column(&self.journeys.columns.bits)
    }

    /// Codes of dimension number `dimension`.
    #[inline]
    pub fn dimension(&self, dimension: usize) -> &'a [Code] {
        self.column(&self.journeys.columns.dimensions[dimension])
    }

    /// Nodes by rule number `rule`.
    #[inline]
    pub fn nodes(&self, rule: usize) -> &'a [Code] {
        self.column(&self.journeys.nodes[rule].codes)
    }

    /// Whether every event of the partition has a node by rule number `rule`.
    #[inline]
    fn has_all_nodes(&self, rule: usize) -> bool {
        self.journeys.nodes[rule].whole
    }

    /// Time of the first event, in µs.
    #[inline]
    pub fn start_time(&self) -> i64 {
        self.times()[0]
    }

    /// Time of the last event, in µs.
    #[inline]
    pub fn end_time(&self) -> i64 {
        self.times()[self.len() - 1]
    }

    #[inline]
    fn column<T>(&self, column: &'a [T]) -> &'a [T] {
        if column.is_empty() { &[] } else { &column[self.start..self.end] }
    }
}
