//! The second pass: all threads take partitions, largest first, group each and ask every question of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::ThreadPool;

use crate::analyses::{Bound, State};
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::journeys::{Grouper, Journeys, Names, PARTITIONS, Partitions};

/// What the second pass gives.
pub(super) struct Folded {
    /// One merged state per question.
    pub states: Vec<State>,
    pub visitors: u64,
    /// Sessions by session rule.
    pub sessions: Vec<u64>,
}

/// Groups every partition and asks all questions of it.
pub(super) fn fold(
    pool: &ThreadPool,
    partitions: &Partitions,
    names: &Names,
    bounds: &[Box<dyn Bound>],
    budget: &Budget,
) -> Result<Folded> {
    let mut order: Vec<usize> = (0..PARTITIONS).filter(|&partition| partitions.events(partition) > 0).collect();
    order.sort_by_key(|&partition| std::cmp::Reverse(partitions.events(partition)));
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let parts: Vec<Result<Folded>> = pool.broadcast(|_| {
        let mut worker = FoldWorker::new(names, bounds, budget);
        while let Some(&partition) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            worker.fold(partitions, partition).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(worker.folded)
    });
    let mut total: Option<Folded> = None;
    for part in parts {
        let part = part?;
        total = Some(match total {
            None => part,
            Some(total) => merge(total, part, bounds),
        });
    }
    total.ok_or_else(|| Error::bug("a run without threads"))
}

fn merge(mut into: Folded, from: Folded, bounds: &[Box<dyn Bound>]) -> Folded {
    for ((bound, into), from) in bounds.iter().zip(&mut into.states).zip(from.states) {
        bound.merge(into, from);
    }
    into.visitors += from.visitors;
    into.sessions.iter_mut().zip(from.sessions).for_each(|(into, from)| *into += from);
    into
}

/// One thread that folds partitions.
struct FoldWorker<'a> {
    names: &'a Names,
    bounds: &'a [Box<dyn Bound>],
    grouper: Grouper,
    journeys: Journeys,
    folded: Folded,
    states_held: Held<'a>,
    working: Held<'a>,
    /// The most bytes that a partition took.
    most: usize,
}

impl<'a> FoldWorker<'a> {
    fn new(names: &'a Names, bounds: &'a [Box<dyn Bound>], budget: &'a Budget) -> Self {
        let folded = Folded {
            states: bounds.iter().map(|bound| bound.start()).collect(),
            visitors: 0,
            sessions: vec![0; names.session_rules().len()],
        };
        let (grouper, journeys) = (Grouper::default(), Journeys::default());
        let states_held = Held::new(budget, "the counts of the answers");
        let working = Held::new(budget, "the visitors of one partition");
        FoldWorker { names, bounds, grouper, journeys, folded, states_held, working, most: 0 }
    }

    fn fold(&mut self, partitions: &Partitions, partition: usize) -> Result<()> {
        if partitions.events(partition) > u32::MAX as usize / 4 {
            return Err(Error::limit("more than a billion events fall into one of the 256 partitions of visitors")
                .hint("ask for a part of the log at a time, with --from and --to"));
        }
        // The scratch keeps the size of the largest partition, which comes first.
        self.most = self.most.max(partitions.working_bytes(partition, self.names));
        self.working.hold(self.most)?;
        partitions.group(partition, &mut self.grouper, &mut self.journeys);
        self.journeys.prepare(self.names);
        for (bound, state) in self.bounds.iter().zip(&mut self.folded.states) {
            bound.fold(state, &self.journeys);
        }
        self.folded.visitors += self.journeys.visitors().count() as u64;
        for (rule, sessions) in self.folded.sessions.iter_mut().enumerate() {
            *sessions += self.journeys.sessions(rule) as u64;
        }
        let states = self.bounds.iter().zip(&self.folded.states);
        self.states_held.hold(states.map(|(bound, state)| bound.bytes(state)).sum())
    }
}
