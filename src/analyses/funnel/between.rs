//! What lies between two steps: the events of a journey behind the one that fills a step, up to the one that fills the next, or, of those
//! who left there, up to where they could have gone on.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use super::follow::Follow;
use crate::analyses::Notes;
use crate::analyses::graph::Tally;
use crate::analyses::next::OTHER;
use crate::analyses::step::Hit;
use crate::counts::{Grid, Turn};
use crate::error::Result;
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Visitor};
use crate::rates::rate;
use crate::reports::set_apart;
use crate::spill::Spill;
use crate::units::Top;

/// How much of it is shown.
pub struct Between {
    /// How many codes of events there are.
    events: u64,
    /// The steps that cannot be left out, from 0: neighbours are pairs.
    steps: Vec<usize>,
    shown: Top,
}

/// What became of the attempts that did the first of two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They did the next one too.
    Converted,
    /// They did not.
    Left,
}

/// An event that lies between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct BetweenRow {
    /// The step that it comes behind, from 0.
    pub from: usize,
    /// The next step that cannot be left out.
    pub to: usize,
    /// What became of the attempts.
    pub way: Way,
    /// The name of the event, or all `(other)`.
    pub event: String,
    /// How often it happened.
    pub count: u64,
    /// To how many; `None` for all others: one may have met several.
    pub met: Option<Met>,
}

/// To how many an event happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Met {
    /// Visitors with it.
    pub visitors: u64,
    /// Attempts with it: what the funnel counts.
    pub attempts: u64,
    /// These of all attempts that went this way.
    pub share: Option<f64>,
}

/// What is counted of each pair of steps, way and event.
#[derive(Clone, Debug)]
pub struct BetweenCounts {
    sums: Grid<Tally>,
    turn: Turn,
}

impl Way {
    const ALL: [Way; 2] = [Way::Converted, Way::Left];

    /// What it is called in answers.
    pub fn name(self) -> &'static str {
        match self {
            Way::Converted => "converted",
            Way::Left => "left",
        }
    }
}

impl Between {
    /// Of a funnel whose `steps`, from 0, cannot be left out, bound to the names of a run.
    pub fn new(steps: Vec<usize>, shown: Top, names: &Names, notes: &mut Notes) -> Between {
        if (0..names.events.len() as Code).all(|code| code == MISSING) {
            notes.tell("the log has no names of events: what lies between the steps has none either".to_owned());
        }
        Between { events: names.events.len() as u64, steps, shown }
    }

    /// No counts yet.
    pub fn counts(&self) -> BetweenCounts {
        BetweenCounts { sums: Grid::new((self.steps.len() as u64 - 1) * 2 * self.events), turn: Turn::default() }
    }

    /// Takes in a reported attempt.
    pub fn count(
        &self,
        follow: &Follow,
        counts: &mut BetweenCounts,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        attempt: &[Hit],
    ) {
        counts.turn.next_journey();
        let behind = |step: &usize| attempt.get(*step).map(|hit| hit.at as usize + 1);
        for (pair, steps) in self.steps.windows(2).enumerate() {
            let Some(start) = behind(&steps[0]) else { break };
            let (way, end) = match behind(&steps[1]) {
                Some(next) => (Way::Converted, next - 1),
                None => (Way::Left, follow.end(visitor, journey, attempt)),
            };
            self.add(counts, journey, attempt, (pair, way), start..end);
        }
    }

    fn add(
        &self,
        BetweenCounts { sums, turn }: &mut BetweenCounts,
        journey: Journey<'_>,
        attempt: &[Hit],
        (pair, way): (usize, Way),
        within: Range<usize>,
    ) {
        let first = (pair as u64 * 2 + way as u64) * self.events;
        // Of equal times the event of an earlier step may come later in the journey.
        for at in within.filter(|&at| attempt.iter().all(|hit| hit.at as usize != at)) {
            let event = journey.events().get(at).copied().unwrap_or(MISSING);
            sums.at(first + u64::from(event)).count(*turn);
        }
    }

    /// The events between the steps in their order, the most frequent first; `reached` has for each step how many attempts do it.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn finish(&self, counts: BetweenCounts, reached: &[u64], names: &Names) -> Result<Vec<BetweenRow>> {
        let mut cells = vec![Vec::new(); (self.steps.len() - 1) * 2];
        counts.sums.drain(|number, sum| {
            cells[(number / self.events) as usize].push(((number % self.events) as Code, sum));
        })?;
        let mut rows = Vec::new();
        for (number, events) in cells.into_iter().enumerate() {
            let (from, to) = (self.steps[number / 2], self.steps[number / 2 + 1]);
            let way = Way::ALL[number % 2];
            let attempts = match way {
                Way::Converted => reached[to],
                Way::Left => reached[from] - reached[to],
            };
            let row = |(event, count, met)| BetweenRow { from, to, way, event, count, met };
            rows.extend(self.most_frequent(events, attempts, names).into_iter().map(row));
        }
        Ok(rows)
    }

    /// The events that are shown by name, and the rest in one.
    fn most_frequent(
        &self,
        mut events: Vec<(Code, Tally)>,
        attempts: u64,
        names: &Names,
    ) -> Vec<(String, u64, Option<Met>)> {
        let name = |code: Code| names.events.name(code);
        events.sort_unstable_by_key(|(code, sum)| (Reverse(sum.count), name(*code)));
        let (named, rest) = events.split_at(self.shown.limit().min(events.len()));
        // A tally counts journeys, and each attempt is one to it.
        let met = |&Tally { visitors, journeys, .. }: &Tally| Met {
            visitors,
            attempts: journeys,
            share: rate(journeys, attempts),
        };
        let row = |(code, sum): &(Code, Tally)| (set_apart(name(*code), OTHER).into_owned(), sum.count, Some(met(sum)));
        let other = (!rest.is_empty()).then(|| (OTHER.to_owned(), rest.iter().map(|(_, sum)| sum.count).sum(), None));
        named.iter().map(row).chain(other).collect()
    }
}

impl BetweenCounts {
    /// Begins the next visitor.
    pub fn next_visitor(&mut self) {
        self.turn.next_visitor();
    }

    pub fn merge(&mut self, from: BetweenCounts) {
        self.sums.merge(from.sums);
    }

    pub fn bytes(&self) -> usize {
        self.sums.bytes()
    }

    /// # Errors
    /// If the disk is full or fails.
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.sums.relieve(spill)
    }
}
