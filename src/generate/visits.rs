//! Visits → events in the order in which they are written.

use rayon::prelude::*;

use super::{Options, Random, Row};

/// A kind of page: what it is called in paths, and the event of a look at it.
pub struct Kind {
    pub path: &'static str,
    pub event: &'static str,
}

const fn kind(path: &'static str, event: &'static str) -> Kind {
    Kind { path, event }
}

pub const KINDS: [Kind; 11] = [
    kind("/", "page_view"),
    kind("/category", "view_item_list"),
    kind("/product", "view_item"),
    kind("/search", "search"),
    kind("/cart", "add_to_cart"),
    kind("/checkout", "begin_checkout"),
    kind("/shipping", "add_shipping_info"),
    kind("/payment", "add_payment_info"),
    kind("/purchase", "purchase"),
    kind("/help", "page_view"),
    kind("/account", "page_view"),
];
const CATEGORY: usize = 1;
const PRODUCT: usize = 2;
const PURCHASE: usize = 8;
const LEAVE: usize = KINDS.len();

pub const SOURCES: [&str; 8] =
    ["direct", "google", "newsletter", "facebook", "bing", "affiliate", "instagram", "partner"];
pub const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];

/// Where visits begin, where visitors come from and what they hold, in hundredths: chosen so that the figures are those of a shop.
const ENTRY: [u16; 11] = [34, 22, 24, 10, 1, 0, 0, 0, 0, 5, 4];
const SOURCE: [u16; 8] = [30, 25, 15, 10, 8, 6, 4, 2];
const DEVICE: [u16; 3] = [58, 34, 8];

/// Row: this kind. Column: the next one; the last column ends the visit. In hundredths.
const NEXT: [[u16; 12]; 11] = [
    [2, 40, 16, 18, 1, 0, 0, 0, 0, 3, 3, 17],
    [4, 16, 52, 8, 1, 0, 0, 0, 0, 1, 1, 17],
    [3, 20, 26, 7, 17, 0, 0, 0, 0, 2, 1, 24],
    [3, 10, 55, 14, 1, 0, 0, 0, 0, 1, 1, 15],
    [3, 10, 14, 3, 4, 38, 0, 0, 0, 3, 2, 23],
    [2, 1, 2, 1, 7, 2, 58, 0, 0, 3, 2, 22],
    [1, 0, 1, 1, 4, 5, 2, 68, 0, 2, 1, 15],
    [1, 0, 1, 0, 3, 3, 4, 3, 72, 2, 0, 11],
    [15, 8, 7, 2, 0, 0, 0, 0, 0, 3, 15, 50],
    [15, 10, 12, 5, 3, 3, 2, 1, 0, 9, 5, 35],
    [15, 10, 12, 5, 4, 2, 0, 0, 0, 5, 12, 35],
];

/// Events of an average visit by [`NEXT`], for the number of visits that are planned.
const EVENTS_PER_VISIT: f64 = 4.73;
const EVENTS_OF_A_ROBOT: usize = 300;
const LONGEST_VISIT: usize = 200;
const ROBOTS: u64 = 10;

/// 1 September 2026.
const BEGIN: i64 = 1_788_220_800_000_000;
const SPAN: f64 = 90.0 * 86_400e6;
const SECOND: f64 = 1e6;
/// The longest delay of an event that is written late.
const LATE: f64 = 3_600e6;

/// One page of each kind.
pub const FEWEST_PAGES: u64 = KINDS.len() as u64;

/// How many pages each kind has if there are `pages` in all.
pub fn pages(pages: u32) -> [u32; KINDS.len()] {
    let mut counts = [1; KINDS.len()];
    let more = pages - KINDS.len() as u32;
    counts[CATEGORY] += (more / 2).min(299);
    counts[PRODUCT] += more - (more / 2).min(299);
    counts
}

/// One of `weights`, which are hundredths: the last one takes what is left.
#[inline]
fn choose(random: &mut Random, weights: &[u16]) -> usize {
    let mut rest = random.below(100) as u16;
    for (choice, &weight) in weights.iter().enumerate() {
        if rest < weight {
            return choice;
        }
        rest -= weight;
    }
    weights.len() - 1
}

/// Visits of neighbouring starts that are made in one go.
const CHUNK: u64 = 1 << 15;
/// Chunks that are made side by side.
const CHUNKS: u64 = 8;

/// An event and when it is written.
type Arriving = (i64, Row);

/// All visits, chunk by chunk.
pub struct Walk {
    options: Options,
    pages: [u32; KINDS.len()],
    people: u64,
    /// µs between the starts of two visits.
    step: f64,
    next: u64,
    /// Events that are written after the next chunk has begun.
    waiting: Vec<Arriving>,
    /// Events that are still to be given.
    left: u64,
}

impl Walk {
    pub fn new(options: &Options) -> Walk {
        let events = options.events.0;
        let robots = options.bots.0;
        let mean = EVENTS_PER_VISIT * (1.0 - robots) + EVENTS_OF_A_ROBOT as f64 * robots;
        Walk {
            pages: pages(options.pages.0 as u32),
            people: options.visitors.map_or(events / 11, |visitors| visitors.0).max(1),
            step: SPAN / (events as f64 / mean).max(1.0),
            next: 0,
            waiting: Vec::new(),
            left: events,
            options: options.clone(),
        }
    }

    /// The next events; nothing when there are as many as were asked for.
    pub fn next(&mut self) -> Option<Vec<Row>> {
        if self.left == 0 {
            return None;
        }
        let chunks: Vec<u64> = (0..CHUNKS).map(|chunk| self.next + chunk * CHUNK).collect();
        let walk = &*self;
        let made: Vec<Vec<Arriving>> = chunks.par_iter().map(|&first| walk.chunk(first)).collect();
        self.next += CHUNKS * CHUNK;
        let mut arriving = std::mem::take(&mut self.waiting);
        made.into_iter().for_each(|chunk| arriving.extend(chunk));
        // Stable, and so what is in order already is merged and not sorted.
        arriving.sort_by_key(|(arrival, _)| *arrival);
        let begin = self.start(self.next);
        self.waiting = arriving.split_off(arriving.partition_point(|(arrival, _)| *arrival < begin));
        arriving.truncate(self.left as usize);
        self.left -= arriving.len() as u64;
        Some(arriving.into_iter().map(|(_, row)| row).collect())
    }

    /// No visit from number `visit` on starts earlier.
    fn start(&self, visit: u64) -> i64 {
        BEGIN + (visit as f64 * self.step) as i64
    }

    fn chunk(&self, first: u64) -> Vec<Arriving> {
        let mut events = Vec::with_capacity(CHUNK as usize * 6);
        (first..first + CHUNK).for_each(|visit| self.visit(visit, &mut events));
        events.sort_by_key(|(arrival, _)| *arrival);
        events
    }

    fn visit(&self, visit: u64, events: &mut Vec<Arriving>) {
        let Options { skew, ties, bots, out_of_order, seed, .. } = &self.options;
        let random = &mut Random::new(*seed, visit);
        let start = self.start(visit) + (random.share() * self.step) as i64;
        if random.share() < bots.0 {
            return self.robot(random, start, events);
        }
        let visitor = self.visitor(random, skew.0);
        let (source, device) = (choose(random, &SOURCE) as u8, choose(random, &DEVICE) as u8);
        let (mut kind, mut time) = (choose(random, &ENTRY), start);
        for _ in 0..LONGEST_VISIT {
            let page = self.page(random, kind);
            let cents = if kind == PURCHASE { amount(random) } else { 0 };
            let late = if random.share() < out_of_order.0 { (random.share() * LATE) as i64 } else { 0 };
            let row = Row { time, visitor, page, cents, kind: kind as u8, source, device };
            events.push((time + late, row));
            kind = choose(random, &NEXT[kind]);
            if kind == LEAVE {
                return;
            }
            let pause = (0.5 + 45.0 * random.exponential()) * SECOND;
            time += if random.share() < ties.0 { 0 } else { pause as i64 };
        }
    }

    /// One visit in twenty is that of a frequent visitor; all others come as likely as each other.
    fn visitor(&self, random: &mut Random, skew: f64) -> u64 {
        let (one, frequent) = (random.share() < skew, random.share() < 0.05);
        let among = if frequent { (self.people / 50).max(1) } else { self.people };
        let number = random.below(among);
        id(if one { 0 } else { number + 1 })
    }

    /// Half of the looks at products and categories go to a few, the others to all alike.
    fn page(&self, random: &mut Random, kind: usize) -> u32 {
        let pages = self.pages[kind];
        if pages == 1 {
            return 0;
        }
        let popular = random.next() & 1 == 0;
        let share = random.share();
        (if popular { share * share * share * share } else { share } * f64::from(pages)) as u32
    }

    fn robot(&self, random: &mut Random, start: i64, events: &mut Vec<Arriving>) {
        let visitor = id(self.people + 1 + random.below(ROBOTS));
        let first = random.below(self.pages[PRODUCT].into());
        events.extend((0..EVENTS_OF_A_ROBOT as u64).map(|number| {
            let page = ((first + number) % u64::from(self.pages[PRODUCT])) as u32;
            let time = start + number as i64 * SECOND as i64;
            (time, Row { time, visitor, page, cents: 0, kind: PRODUCT as u8, source: 0, device: 1 })
        }));
    }
}

/// Numbers that lie next to each other get ids that do not.
fn id(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The sum of two exponentials with a mean of 40.
fn amount(random: &mut Random) -> u32 {
    (4000.0 * (random.exponential() + random.exponential())) as u32 + 1
}
