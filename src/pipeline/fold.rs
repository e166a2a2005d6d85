//! The second pass: all threads take partitions, largest first, group each and ask every question of it.
//!
//! Where a question writes rows, partitions are taken in their order instead and their rows are written in it: so the rows come in
//! the same order whatever the threads, and none of them is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::analyses::{Bound, State};
use crate::budget::{Budget, Held};
use crate::error::{Error, Result};
use crate::journeys::{Grouper, Journeys, Names, Partitions};
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

/// Sends the events that are in memory to disk if the visitors of the largest partition would not fit beside them.
pub(super) fn make_room(partitions: &mut Partitions, names: &Names, filters: usize, budget: &Budget) -> Result<()> {
    let working = |partition| partitions.working_bytes(partition, names) * (1 + filters);
    // A quarter is for the counts.
    let needed = (0..partitions.count()).map(working).max().unwrap_or(0).saturating_mul(4) / 3;
    if needed > budget.free() { partitions.spill(budget) } else { Ok(()) }
}

impl Fold<'_> {
    /// Groups every partition and asks all questions of it.
    pub fn run(&self, pool: &ThreadPool) -> Result<Folded> {
        let mut order: Vec<usize> =
            (0..self.partitions.count()).filter(|&partition| self.partitions.events(partition) > 0).collect();
        if self.questions.iter().all(|question| question.rows.is_none()) {
            order.sort_by_key(|&partition| std::cmp::Reverse(self.partitions.events(partition)));
        }
        let turns = Turns::default();
        let shares = Shares::new(self, &order, pool.current_num_threads());
        let next = Mutex::new(0);
        let parts: Vec<Result<Folded>> = pool.broadcast(|_| {
            let mut worker = FoldWorker::new(self, &shares);
            loop {
                // The lock is held until the partition may be worked on: so whoever waits, waits for earlier turns alone.
                let mut next = lock(&next);
                let turn = *next;
                let Some(&partition) = order.get(turn).filter(|_| !turns.stopped()) else { return Ok(worker.folded) };
                *next += 1;
                let entered = shares.enter(self.working_bytes(partition));
                drop(next);
                worker.fold(partition, &turns, turn).inspect_err(|_| turns.stop())?;
                drop(entered);
            }
        });
        let mut total: Option<Folded> = None;
        for part in parts {
            let part = part?;
            total = Some(match total {
                None => part,
                Some(total) => pool.install(|| self.merge(total, part)),
            });
        }
        total.ok_or_else(|| Error::bug("a run without threads"))
    }

    /// Bytes that a partition takes while it is worked on: with a copy for each choice of events.
    fn working_bytes(&self, partition: usize) -> usize {
        self.partitions.working_bytes(partition, self.names) * (1 + self.filters.len())
    }

    fn merge(&self, mut into: Folded, from: Folded) -> Folded {
        let states = into.states.par_iter_mut().zip(from.states);
        self.questions.par_iter().zip(states).for_each(|(question, (into, from))| question.bound.merge(into, from));
        into.all.add(from.all);
        into.filtered.iter_mut().zip(from.filtered).for_each(|(into, from)| into.add(from));
        into
    }
}

/// How the threads share the memory that is left.
struct Shares {
    /// Bytes that the counts of one thread may take before they are relieved.
    counts: usize,
    /// Bytes that the visitors of one partition may take while all threads have one.
    visitors: usize,
    /// Whether there is a partition that takes more: then nobody keeps memory from one partition to the next.
    any_larger: bool,
    /// Read by who works on a partition, written by who must be alone for it.
    alone: RwLock<()>,
}

/// The right to work on a partition.
enum Entered<'a> {
    Together { _guard: RwLockReadGuard<'a, ()> },
    Alone { _guard: RwLockWriteGuard<'a, ()> },
}

impl Shares {
    fn new(fold: &Fold<'_>, partitions: &[usize], threads: usize) -> Shares {
        // The rest of a quarter is for merging the counts of two threads.
        let (free, quarter) = (fold.budget.free(), fold.budget.free() / 4);
        let visitors = (free - quarter) / threads;
        let any_larger = partitions.iter().any(|&partition| fold.working_bytes(partition) > visitors);
        Shares { counts: quarter / threads, visitors, any_larger, alone: RwLock::default() }
    }

    /// Waits until `bytes` may be taken for a partition: more than a share only when nobody else works on one.
    fn enter(&self, bytes: usize) -> Entered<'_> {
        if bytes > self.visitors {
            Entered::Alone { _guard: self.alone.write().unwrap_or_else(PoisonError::into_inner) }
        } else {
            Entered::Together { _guard: self.alone.read().unwrap_or_else(PoisonError::into_inner) }
        }
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
    shares: &'a Shares,
    scratch: Scratch,
    folded: Folded,
    states_held: Held<'a>,
    working: Held<'a>,
    /// The most bytes that the scratch was used for.
    most: usize,
}

/// What a partition is worked on in.
#[derive(Default)]
struct Scratch {
    /// The events of the partition that come from disk.
    buffer: Vec<u8>,
    grouper: Grouper,
    /// All events of the partition.
    journeys: Journeys,
    /// The events of the partition that each filter leaves.
    filtered: Vec<Journeys>,
}

impl Scratch {
    fn journeys(&self, question: &FoldQuestion) -> &Journeys {
        question.filter.map_or(&self.journeys, |filter| &self.filtered[filter])
    }
}

impl<'a> FoldWorker<'a> {
    fn new(fold: &'a Fold<'a>, shares: &'a Shares) -> Self {
        let folded = Folded {
            states: fold.questions.iter().map(|question| question.bound.start()).collect(),
            all: Extent::default(),
            filtered: vec![Extent::default(); fold.filters.len()],
        };
        FoldWorker {
            scratch: Scratch::default(),
            folded,
            states_held: Held::new(fold.budget, "the counts of the answers"),
            working: Held::new(fold.budget, "the visitors of one partition"),
            most: 0,
            fold,
            shares,
        }
    }

    fn fold(&mut self, partition: usize, turns: &Turns, turn: usize) -> Result<()> {
        let Fold { partitions, names, questions, .. } = *self.fold;
        if partitions.events(partition) > u32::MAX as usize / 4 {
            return Err(Error::limit("more than a billion events fall into one partition of visitors")
                .hint("ask for a part of the log at a time, with --from and --to"));
        }
        // The scratch keeps the size of the largest partition.
        self.most = self.most.max(self.fold.working_bytes(partition));
        self.working.hold(self.most)?;
        self.group(partition)?;
        for (question, state) in questions.iter().zip(&mut self.folded.states) {
            question.bound.fold(state, self.scratch.journeys(question), names)?;
        }
        if questions.iter().any(|question| question.rows.is_some()) {
            turns.take(turn, || self.write())?;
        }
        if self.shares.any_larger {
            self.scratch = Scratch::default();
            self.most = 0;
            self.working.hold(0)?;
        }
        if self.states_bytes() > self.shares.counts {
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
    fn group(&mut self, partition: usize) -> Result<()> {
        let Fold { partitions, names, filters, ids, .. } = *self.fold;
        let Scratch { buffer, grouper, journeys, filtered } = &mut self.scratch;
        let loaded = partitions.load(partition, buffer)?;
        loaded.group(grouper, journeys);
        if ids {
            loaded.identify(journeys);
        }
        filtered.resize_with(filters.len(), Journeys::default);
        for ((&filter, part), extent) in filters.iter().zip(filtered).zip(&mut self.folded.filtered) {
            journeys.filter(filter, part);
            part.prepare(names);
            extent.count(part, names);
        }
        journeys.prepare(names);
        self.folded.all.count(journeys, names);
        Ok(())
    }

    /// Writes the rows of the partition.
    fn write(&self) -> Result<()> {
        for question in self.fold.questions {
            let (Some(rows), Some(writer)) = (question.bound.rows(), &question.rows) else { continue };
            let mut writer = lock(writer);
            rows.write(self.scratch.journeys(question), self.fold.names, &mut |batch| writer.write(&batch))?;
        }
        Ok(())
    }
}
