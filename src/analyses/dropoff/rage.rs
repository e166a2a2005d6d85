//! Rage: the same event again and again within seconds.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, SECOND};

/// The longest time from the first to the third of three equal events.
const WITHIN: i64 = 5 * SECOND;

/// The last events of one name and page.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// Number of the journey that they are in.
    journey: u64,
    last: i64,
    before_last: Option<i64>,
    /// Whether the last one was in a burst.
    raging: bool,
}

/// Finds bursts: three or more events of one name and page, of which every three in a row take at most 5 s from first to third.
/// Other events may lie between. One thread's scratch.
#[derive(Debug, Default)]
pub(super) struct Rage {
    recent: HashMap<(Code, Code), Recent, RandomState>,
    journey: u64,
}

impl Rage {
    /// Calls `burst` with the place of the event that makes each burst one: its third.
    pub fn bursts(&mut self, journey: Journey<'_>, mut burst: impl FnMut(usize)) {
        self.journey += 1;
        let (times, events, pages) = (journey.times(), journey.events(), journey.pages());
        for (at, &time) in times.iter().enumerate().filter(|(at, _)| is_dense(times, *at)) {
            let code = |codes: &[Code]| codes.get(at).copied().unwrap_or(MISSING);
            if self.begins_burst((code(events), code(pages)), time) {
                burst(at);
            }
        }
    }

    /// Takes in the next event of the journey, and says whether a burst begins with it.
    fn begins_burst(&mut self, kind: (Code, Code), time: i64) -> bool {
        let journey = self.journey;
        let previous = self.recent.get(&kind).copied().filter(|recent| recent.journey == journey);
        let third_last = previous.and_then(|recent| recent.before_last);
        let raging = third_last.is_some_and(|first| time - first <= WITHIN);
        let before_last = previous.map(|recent| recent.last);
        self.recent.insert(kind, Recent { journey, last: time, before_last, raging });
        raging && previous.is_some_and(|recent| !recent.raging)
    }
}

/// Whether event number `at` is one of three events in a row, equal or not, within the time. All others are in no burst, and a
/// log has few that are: so most events are never looked up.
fn is_dense(times: &[i64], at: usize) -> bool {
    let first = at.saturating_sub(2);
    times[first..].windows(3).take(at + 1 - first).any(|three| three[2] - three[0] <= WITHIN)
}
