//! The second pass: all threads take partitions, largest first, group each and ask every question of it.
//!
//! Where a question writes rows, partitions are taken in their order instead and their rows are written in it: so the rows come in
//! the same order whatever the threads, and none of them is kept.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rayon::ThreadPool;

use crate::analyses::{Bound, State};
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::journeys::{Grouper, Journeys, Names, PARTITIONS, Partitions};
use crate::reports::RowWriter;
use crate::spill::Spill;
use crate::sync::lock;

/// A question as the second pass asks it.
pub(super) struct FoldQuestion {
    pub bound: Box<dyn Bound>,
    /// The number of its choice of events in [`Fold::filters`], if it does not look at all of them.
    pub filter: Option<usize>,
    /// Where its rows go, if it writes rows.
    pub rows: Option<Mutex<Box<dyn RowWriter>>>,
}

/// The second pass over all partitions.
pub(super) struct Fold<'a> {
    pub partitions: &'a Partitions,
    pub names: &'a Names,
    pub questions: &'a [FoldQuestion],
    /// Numbers of the conditions that choose events for some questions.
    pub filters: &'a [usize],
    /// Whether a question shows the ids of visitors.
    pub ids: bool,
    pub budget: &'a Budget,
    /// Where counts go that outgrow their share of the budget.
    pub spill: &'a Arc<Spill>,
}

/// What the second pass gives.
pub(super) struct Folded {
    /// One merged state per question.
    pub states: Vec<State>,
    /// Of all events.
    pub all: Extent,
    /// Of the events that each filter leaves.
    pub filtered: Vec<Extent>,
}

/// How much of a log was looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    pub events: u64,
    pub visitors: u64,
    /// Sessions by session rule.
    pub sessions: Vec<u64>,
}

impl Extent {
    fn count(&mut self, journeys: &Journeys, names: &Names) {
        let sessions = (0..names.session_rules().len()).map(|rule| journeys.sessions(rule) as u64).collect();
        let visitors = journeys.visitors().count() as u64;
        self.add(Extent { events: journeys.events() as u64, visitors, sessions });
    }

    fn add(&mut self, other: Extent) {
        self.events += other.events;
        self.visitors += other.visitors;
        self.sessions.resize(self.sessions.len().max(other.sessions.len()), 0);
        self.sessions.iter_mut().zip(other.sessions).for_each(|(into, from)| *into += from);
    }
}

impl Fold<'_> {
    /// Groups every partition and asks all questions of it.
    pub fn run(&self, pool: &ThreadPool) -> Result<Folded> {
        let mut order: Vec<usize> =
            (0..PARTITIONS).filter(|&partition| self.partitions.events(partition) > 0).collect();
        if self.questions.iter().all(|question| question.rows.is_none()) {
            order.sort_by_key(|&partition| std::cmp::Reverse(self.partitions.events(partition)));
        }
        let (next, turns) = (AtomicUsize::new(0), Turns::default());
        // The rest is for the visitors of the partitions, and for merging the counts of two threads.
        let share = self.budget.free() / 4 / pool.current_num_threads();
        let parts: Vec<Result<Folded>> = pool.broadcast(|_| {
            let mut worker = FoldWorker::new(self, share);
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let Some(&partition) = order.get(turn) else { return Ok(worker.folded) };
                if turns.stopped() {
                    return Ok(worker.folded);
                }
                worker.fold(partition, &turns, turn).inspect_err(|_| turns.stop())?;
            }
        });
        let mut total: Option<Folded> = None;
        for part in parts {
            let part = part?;
            total = Some(match total {
                None => part,
                Some(total) => self.merge(total, part),
            });
        }
        total.ok_or_else(|| Error::bug("a run without threads"))
    }

    fn merge(&self, mut into: Folded, from: Folded) -> Folded {
        for ((question, into), from) in self.questions.iter().zip(&mut into.states).zip(from.states) {
            question.bound.merge(into, from);
        }
        into.all.add(from.all);
        into.filtered.iter_mut().zip(from.filtered).for_each(|(into, from)| into.add(from));
        into
    }
}

/// Whose turn it is to write rows: partitions in their order.
#[derive(Default)]
struct Turns {
    now: Mutex<usize>,
    next: Condvar,
    stop: AtomicBool,
}

impl Turns {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A thread failed: nobody waits for it.
    fn stop(&self) {
        let _now = lock(&self.now);
        self.stop.store(true, Ordering::Relaxed);
        self.next.notify_all();
    }

    /// Does `work` when all turns before `turn` are over. Turns are taken in order, so the one before is under way.
    fn take(&self, turn: usize, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut now = lock(&self.now);
        while *now != turn && !self.stopped() {
            now = self.next.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        drop(now);
        if self.stopped() {
            return Ok(());
        }
        work()?;
        *lock(&self.now) += 1;
        self.next.notify_all();
        Ok(())
    }
}

/// One thread that folds partitions.
struct FoldWorker<'a> {
    fold: &'a Fold<'a>,
    grouper: Grouper,
    /// All events of the partition.
    journeys: Journeys,
    /// The events of the partition that each filter leaves.
    filtered: Vec<Journeys>,
    folded: Folded,
    states_held: Held<'a>,
    working: Held<'a>,
    /// The most bytes that a partition took.
    most: usize,
    /// The bytes that the counts may take before they are relieved.
    share: usize,
}

impl<'a> FoldWorker<'a> {
    fn new(fold: &'a Fold<'a>, share: usize) -> Self {
        let filters = fold.filters.len();
        let folded = Folded {
            states: fold.questions.iter().map(|question| question.bound.start()).collect(),
            all: Extent::default(),
            filtered: vec![Extent::default(); filters],
        };
        FoldWorker {
            grouper: Grouper::default(),
            journeys: Journeys::default(),
            filtered: (0..filters).map(|_| Journeys::default()).collect(),
            folded,
            states_held: Held::new(fold.budget, "the counts of the answers"),
            working: Held::new(fold.budget, "the visitors of one partition"),
            most: 0,
            share,
            fold,
        }
    }

    fn fold(&mut self, partition: usize, turns: &Turns, turn: usize) -> Result<()> {
        let Fold { partitions, names, questions, .. } = *self.fold;
        if partitions.events(partition) > u32::MAX as usize / 4 {
            return Err(Error::limit("more than a billion events fall into one of the 256 partitions of visitors")
                .hint("ask for a part of the log at a time, with --from and --to"));
        }
        // The scratch keeps the size of the largest partition.
        let bytes = partitions.working_bytes(partition, names) * (1 + self.filtered.len());
        self.most = self.most.max(bytes);
        self.working.hold(self.most)?;
        self.group(partition);
        for (question, state) in questions.iter().zip(&mut self.folded.states) {
            let journeys = question.filter.map_or(&self.journeys, |filter| &self.filtered[filter]);
            question.bound.fold(state, journeys, names)?;
        }
        if questions.iter().any(|question| question.rows.is_some()) {
            turns.take(turn, || self.write())?;
        }
        if self.states_bytes() > self.share {
            for (question, state) in questions.iter().zip(&mut self.folded.states) {
                question.bound.relieve(state, self.fold.spill)?;
            }
        }
        self.states_held.hold(self.states_bytes())
    }

    fn states_bytes(&self) -> usize {
        let states = self.fold.questions.iter().zip(&self.folded.states);
        states.map(|(question, state)| question.bound.bytes(state)).sum()
    }

    /// Groups a partition, and once more what each filter leaves of it.
    fn group(&mut self, partition: usize) {
        let Fold { partitions, names, filters, ids, .. } = *self.fold;
        partitions.group(partition, &mut self.grouper, &mut self.journeys);
        if ids {
            partitions.identify(&mut self.journeys);
        }
        for ((&filter, part), extent) in filters.iter().zip(&mut self.filtered).zip(&mut self.folded.filtered) {
            self.journeys.filter(filter, part);
            part.prepare(names);
            extent.count(part, names);
        }
        self.journeys.prepare(names);
        self.folded.all.count(&self.journeys, names);
    }

    /// Writes the rows of the partition.
    fn write(&self) -> Result<()> {
        for question in self.fold.questions {
            let (Some(rows), Some(writer)) = (question.bound.rows(), &question.rows) else { continue };
            let journeys = question.filter.map_or(&self.journeys, |filter| &self.filtered[filter]);
            let mut writer = lock(writer);
            rows.write(journeys, self.fold.names, &mut |batch| writer.write(&batch))?;
        }
        Ok(())
    }
}
