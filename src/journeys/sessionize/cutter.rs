//! A session rule in the codes of a run, and what it looks at.

use chrono::{Datelike, Duration, NaiveDateTime};
use chrono_tz::Tz;

use super::super::{DAY, Names, TOUCHES, local};
use super::{CampaignRule, SessionRule};
use crate::events::Columns;
use crate::ids::{Code, MISSING};

/// Source, medium and campaign of an event.
type Campaign = [Code; 3];

/// No source, no medium, no campaign.
const DIRECT: Campaign = [MISSING; 3];

/// What logs write where there is no source, no medium, or no campaign.
const NO_CAMPAIGN: [&str; 6] = ["(direct)", "direct", "Direct", "(none)", "none", "(not set)"];

/// One thread's cutter of sessions by one rule.
#[derive(Debug)]
pub struct Cutter<'a> {
    rule: &'a SessionRule,
    /// The events that start a session.
    starters: Vec<Code>,
    /// Nothing if campaigns split nothing.
    touches: Option<Touches>,
    dates: Dates,
}

/// What a rule looks at of an event. What none is about stays the same for all events.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    time: i64,
    /// Number of the local date.
    date: i32,
    /// Whether its name is one that starts a session.
    starts: bool,
    campaign: Campaign,
}

/// A session as it stands while it is being cut.
#[derive(Clone, Copy)]
pub(super) struct Open {
    start: i64,
    last: i64,
    events: u32,
    date: i32,
    /// The last campaign so far, be it of an earlier session.
    campaign: Campaign,
    /// Whether it is of this session.
    carried: bool,
}

impl<'a> Cutter<'a> {
    /// A rule bound to the names of a run. Events that the log does not have start nothing.
    pub fn new(rule: &'a SessionRule, names: &Names) -> Cutter<'a> {
        let starters = rule.split_on.iter().filter_map(|name| names.events.code(name));
        let touches = (rule.split_on_campaign != CampaignRule::Never).then(|| Touches::find(names)).flatten();
        Cutter {
            rule,
            starters: starters.filter(|&code| code != MISSING).collect(),
            touches,
            dates: Dates::new(names.zone),
        }
    }

    pub(super) fn rule(&self) -> &'a SessionRule {
        self.rule
    }

    /// What the rule looks at of event number `at`.
    #[inline]
    pub(super) fn seen(&mut self, columns: &Columns, at: usize) -> Seen {
        let time = columns.time[at];
        Seen {
            time,
            date: if self.rule.split_at_midnight { self.dates.date(time) } else { 0 },
            starts: !self.starters.is_empty() && self.starters.contains(&columns.event[at]),
            campaign: self.touches.as_ref().map_or(DIRECT, |touches| touches.campaign(columns, at)),
        }
    }

    /// Whether `next` starts a new session after `open`, `timeout` being in force.
    #[inline]
    pub(super) fn splits(&self, open: &Open, next: &Seen, timeout: Option<i64>) -> bool {
        let rule = self.rule;
        timeout.is_some_and(|timeout| rule.edge.splits(next.time - open.last, timeout))
            || rule.max_duration.is_some_and(|longest| next.time - open.start > longest)
            || rule.max_events.is_some_and(|most| open.events >= most)
            || next.date != open.date
            || next.starts
            || rule.split_on_campaign.splits(open, next.campaign)
    }
}

impl CampaignRule {
    #[inline]
    fn splits(self, open: &Open, next: Campaign) -> bool {
        let changes = next != DIRECT && next != open.campaign;
        match self {
            CampaignRule::Never => false,
            CampaignRule::Always => changes,
            CampaignRule::NotFromDirect => changes && open.carried,
        }
    }
}

impl Open {
    /// The first session, which begins with `first`.
    pub(super) fn first(first: &Seen) -> Open {
        let &Seen { time, date, campaign, .. } = first;
        Open { start: time, last: time, events: 1, date, campaign, carried: campaign != DIRECT }
    }

    /// The session after this one, which begins with `first`.
    pub(super) fn next(self, first: &Seen) -> Open {
        let next = Open::first(first);
        if next.carried { next } else { Open { campaign: self.campaign, ..next } }
    }

    /// Takes one more event into the session.
    #[inline]
    pub(super) fn take(&mut self, seen: &Seen) {
        self.last = seen.time;
        self.events += 1;
        if seen.campaign != DIRECT {
            (self.campaign, self.carried) = (seen.campaign, true);
        }
    }
}

/// Where the sources, media and campaigns of events are.
#[derive(Debug)]
struct Touches {
    /// Numbers of the dimensions.
    dimensions: [usize; 3],
    /// The codes of each that stand for none.
    none: [Vec<Code>; 3],
}

impl Touches {
    fn find(names: &Names) -> Option<Touches> {
        let [source, medium, campaign] = TOUCHES.map(|touch| names.dimension(touch.dimension).ok());
        let dimensions = [source?, medium?, campaign?];
        let none = dimensions.map(|dimension| {
            let known = names.dimension_names(dimension);
            NO_CAMPAIGN.iter().filter_map(|name| known.code(name)).collect()
        });
        Some(Touches { dimensions, none })
    }

    #[inline]
    fn campaign(&self, columns: &Columns, at: usize) -> Campaign {
        let mut campaign = DIRECT;
        for ((code, &dimension), none) in campaign.iter_mut().zip(&self.dimensions).zip(&self.none) {
            let carried = columns.dimensions[dimension][at];
            *code = if none.contains(&carried) { MISSING } else { carried };
        }
        campaign
    }
}

/// Local dates of times. Neighbours mostly share one, so the day that was met last is remembered with its bounds.
#[derive(Debug)]
pub(super) struct Dates {
    zone: Tz,
    /// The times from here on and before `until` have the date number `date`.
    from: i64,
    until: i64,
    date: i32,
}

impl Dates {
    pub(super) fn new(zone: Tz) -> Dates {
        Dates { zone, from: 0, until: 0, date: 0 }
    }

    /// The number of the local date of a time in µs: dates differ exactly if their numbers do.
    #[inline]
    pub(super) fn date(&mut self, time: i64) -> i32 {
        if time < self.from || time >= self.until {
            self.find(time);
        }
        self.date
    }

    fn find(&mut self, time: i64) {
        let here = local(self.zone, time);
        let midnight = NaiveDateTime::from(here.date());
        self.date = here.date().num_days_from_ce();
        let begin = time - (here - midnight).num_microseconds().unwrap_or(0);
        // On a day when clocks are changed its bounds are no help.
        let even = local(self.zone, begin) == midnight
            && local(self.zone, begin + DAY - 1) == midnight + Duration::microseconds(DAY - 1);
        (self.from, self.until) = if even { (begin, begin + DAY) } else { (time, time + 1) };
    }
}
