//! Events that are sent twice: of the same event within a short time a funnel looks at the first alone.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::analyses::steps::{Order, Trail};
use crate::ids::{Code, MISSING};
use crate::journeys::Journey;

/// The events of a journey that are left. One thread's scratch.
#[derive(Default)]
pub struct Kept {
    places: Vec<u32>,
    times: Vec<i64>,
    /// By name and page the time of the last event that was left.
    last: HashMap<(Code, Code), i64, RandomState>,
}

impl Kept {
    /// Finds the events that come no less than `within` after the last one left of the same name and page.
    fn find(&mut self, journey: Journey<'_>, within: i64) {
        self.places.clear();
        self.times.clear();
        self.last.clear();
        let code = |codes: &[Code], at: usize| codes.get(at).copied().unwrap_or(MISSING);
        for (at, &time) in journey.times().iter().enumerate() {
            let what = (code(journey.events(), at), code(journey.pages(), at));
            if self.last.get(&what).is_some_and(|&last| time - last < within) {
                continue;
            }
            self.last.insert(what, time);
            self.places.push(at as u32);
            self.times.push(time);
        }
    }

    /// Takes the others out of a trail and brings it into order, as if they had never been.
    pub fn arrange(&mut self, journey: Journey<'_>, within: i64, order: Order, trail: &mut Trail) {
        self.find(journey, within);
        trail.hits.retain_mut(|hit| match self.places.binary_search(&hit.at) {
            Ok(number) => {
                hit.at = number as u32;
                true
            }
            Err(_) => false,
        });
        trail.arrange(order, &self.times);
        if trail.ranks.is_empty() {
            trail.ranks.extend(trail.hits.iter().map(|hit| hit.at));
        }
        trail.hits.iter_mut().for_each(|hit| hit.at = self.places[hit.at as usize]);
    }
}
