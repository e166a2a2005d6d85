//! Steps that may be left out, and blocks. An attempt is written as the position of each step's event: `0 - 2` leaves out
//! or does not reach the second step, and what has no attempt is empty.

use super::super::{Ties::*, *};
use super::{log, on_devices, without_x};

/// A question as it is written, "A >[5] B? >> (C|D&E) > F": limits in µs, and nothing set but the order of equal times.
struct Asked {
    options: Options,
    kinds: Vec<Kind>,
}

fn asked(text: &str, ties: Ties) -> Asked {
    let (mut members, mut kinds, mut hops, mut limits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for word in text.split(' ') {
        if word.starts_with('>') {
            hops.push(if word.starts_with(">>") { Hop::Directly } else { Hop::Eventually });
            limits.push(word.trim_matches(['>', '[', ']']).parse().ok());
            continue;
        }
        let names: Vec<&str> = word.trim_matches(['(', ')', '?']).split('&').collect();
        kinds.push(match names.len() {
            1 if word.ends_with('?') => Kind::Optional,
            1 => Kind::Required,
            size => Kind::Block(size),
        });
        members.extend(names);
    }
    let plain = super::plain(&members.join(" "), ties);
    Asked { options: Options { hops, limits, ..plain }, kinds }
}

impl Asked {
    /// With other options; those that make up the steps stay as they are.
    fn with(mut self, set: impl FnOnce(&mut Options)) -> Asked {
        set(&mut self.options);
        self
    }

    fn without_x(self, from: usize, to: usize, effect: Effect) -> Asked {
        self.with(|options| options.exclusions = without_x("A B", from, to, effect).exclusions)
    }

    fn found(&self, journey: &[Event]) -> Vec<Found> {
        reported_of_kinds(&self.options, &self.kinds, journey, &vec![0; journey.len()])
    }

    fn all(&self, text: &str) -> Vec<String> {
        self.found(&log(text)).iter().map(shown).collect()
    }

    fn one(&self, text: &str) -> String {
        self.all(text).pop().unwrap_or_default()
    }
}

fn shown(found: &Found) -> String {
    let place = |x: &Option<usize>| x.map_or("-".to_string(), |x| x.to_string());
    found.events.iter().map(place).collect::<Vec<_>>().join(" ")
}

/// Under `Ties::Any`, and what has `>>` in it by arrival.
fn one(steps: &str, text: &str) -> String {
    asked(steps, if steps.contains(">>") { Arrival } else { Any }).one(text)
}

// ---------------------------------------------------------------- optional steps

#[test]
fn with_and_without_the_optional_step() {
    let of = |text| one("A > B? > C", text);
    assert_eq!(of("A@0 B@1 C@2"), "0 1 2");
    assert_eq!(of("A@0 C@2"), "0 - 1");
    assert_eq!(of("A@0 C@1 B@2"), "0 - 1", "B comes too late");
    assert_eq!(of("B@0 A@1 C@2"), "1 - 2", "or too early");
    assert_eq!(of("A@0 B@1 B@2 C@3"), "0 1 3", "the earlier one");
    assert_eq!(of("C@0 B@0 A@0"), "2 1 0", "of one time in any order");
    assert_eq!(asked("A > B? > C", Arrival).one("A@0 C@0 B@0"), "0 - 1");
    assert_eq!(of("B@0 C@1"), "", "the first step is required");
}

#[test]
fn optional_steps_add_no_depth() {
    let of = |text| asked("A > B? > C > D", Any).found(&log(text)).pop().unwrap();
    assert_eq!(of("A@0 B@1 C@2"), Found { depth: 2, last: 2, events: vec![Some(0), Some(1), Some(2), None] });
    assert_eq!(of("A@0 B@1"), Found { depth: 1, last: 0, events: vec![Some(0), Some(1), None, None] });
    assert_eq!(of("A@0 C@1 D@2"), Found { depth: 3, last: 2, events: vec![Some(0), None, Some(1), Some(2)] });
}

#[test]
fn the_ends_matter_more_than_optional_steps() {
    let of = |text| one("A > B? > C", text);
    assert_eq!(of("A@0 C@1 B@2 C@3"), "0 - 1", "the earliest last step");
    assert_eq!(of("A@0 B@1 A@2 C@3"), "2 - 3", "the latest first step");
    assert_eq!(of("A@0 B@0 A@0 C@3"), "0 1 3", "of equal times the lowest places");
    assert_eq!(asked("A > B? > C", Arrival).one("A@0 B@0 A@0 C@3"), "0 1 3", "here only one of the two has a B");
}

#[test]
fn two_optional_steps_of_which_only_one_can_be_had() {
    let of = |text| one("A > B? > C? > D", text);
    assert_eq!(of("A@0 B@1 C@2 D@3"), "0 1 2 3");
    assert_eq!(of("A@0 C@1 B@2 D@3"), "0 2 - 3", "the first of them, although the other happens first");
    assert_eq!(of("A@0 C@1 B@2 C@3 D@4"), "0 2 3 4", "both");
    assert_eq!(one("A > B? > B? > C", "A@0 B@1 C@2"), "0 1 - 2", "one event fills one step");
    assert_eq!(one("A > B? > C? > D? > E", "A@0 C@1 D@2 B@3 E@4"), "0 - 1 2 4", "two are more than one");
}

#[test]
fn optional_steps_behind_the_last_required_one() {
    assert_eq!(one("A > B? > C? > D", "A@0 B@1 C@2"), "0 1 2 -");
    assert_eq!(one("A > B? > C? > D", "A@0 C@2"), "0 - 1 -");
    assert_eq!(one("A > B? > C", "A@0 A@1 B@2"), "0 2 -", "the earliest last required step is the first A");
    assert_eq!(one("A > B > C? > D", "A@0 B@1 C@2 B@3"), "0 1 2 -");
    assert_eq!(one("A > B > C? > D", "A@0 B@1 A@2 B@3 C@4"), "0 1 4 -");
    let window = |width| asked("A > B? > C", Any).with(|options| options.window = Window::Time(width));
    assert_eq!([1, 2].map(|width| window(width).one("A@0 B@2")), ["0 - -", "0 1 -"], "inside of the window");
    assert_eq!(window(2).one("A@0 A@5 B@6"), "0 - -", "an attempt with B is no deeper than the first A alone");
    assert_eq!(one("A >[1] B? > C", "A@0 B@2"), "0 - -", "within its hop");
    assert_eq!(one("A >> B? > C", "A@0 X@1 B@2"), "0 - -");
}

#[test]
fn a_limit_that_holds_only_by_way_of_an_optional_step() {
    let of = |text| one("A > B? >[5] C", text);
    assert_eq!(of("A@0 B@6 C@10"), "0 1 2");
    assert_eq!(of("A@0 C@10"), "0 - -");
    assert_eq!(of("A@0 C@5"), "0 - 1", "from A, where B is left out");
    assert_eq!(of("A@0 B@4 C@10"), "0 1 -");
    assert_eq!(of("A@0 B@4 B@5 C@10"), "0 2 3");
    assert_eq!(one("A >[5] B? > C", "A@0 B@6 C@7"), "0 - 2", "the limit is B's, not C's");
    assert_eq!(one("A >[5] B? >[5] C? >[5] D", "A@0 B@5 C@10 D@15"), "0 1 2 3");
    assert_eq!(one("A >[5] B? >[5] C? >[5] D", "A@0 B@5 D@15"), "0 1 - -");
}

#[test]
fn directly_by_way_of_an_optional_step() {
    let of = |text| one("A > B? >> C", text);
    assert_eq!(of("A@0 B@1 C@2"), "0 1 2");
    assert_eq!(of("A@0 C@1"), "0 - 1");
    assert_eq!(of("A@0 X@1 C@2"), "0 - -");
    assert_eq!(of("A@0 X@1 B@2 C@3"), "0 2 3");
    assert_eq!(of("A@0 B@1 X@2 C@3"), "0 1 -");
    assert_eq!(one("A >> B? > C", "A@0 X@1 B@2 C@3"), "0 - 3");
    let among_steps = |steps| asked(steps, Arrival).with(|options| options.among_steps = true);
    assert_eq!(among_steps("A > B? >> C").one("A@0 X@1 B@2 X@3 C@4"), "0 2 4");
    assert_eq!(among_steps("A >[1] B? >> C").one("A@0 B@2 C@3"), "0 - -", "what is left out comes between");
}

#[test]
fn increasing_times_of_the_steps_that_are_filled() {
    let of = |text| asked("A > B? > C", Any).with(|options| options.increasing = true).one(text);
    assert_eq!(of("A@0 B@0 C@1"), "0 - 2");
    assert_eq!(of("A@0 B@1 C@1"), "0 - 2", "the last step matters more");
    assert_eq!(of("A@0 B@1 C@2"), "0 1 2");
    assert_eq!(of("A@0 C@0"), "0 - -");
}

// ---------------------------------------------------------------- blocks

#[test]
fn a_block_in_whatever_order() {
    let of = |text| one("A > (B&C) > D", text);
    assert_eq!(of("A@0 B@1 C@2 D@3"), "0 2 3", "its event is its last one");
    assert_eq!(of("A@0 C@1 B@2 D@3"), "0 2 3");
    assert_eq!(of("A@0 X@1 C@2 X@3 B@4 X@5 D@6"), "0 4 6");
    assert_eq!(of("A@0 B@1 D@2"), "0 - -", "incomplete");
    assert_eq!(of("B@0 A@1 C@2 D@3"), "1 - -", "B comes before the step before");
    assert_eq!(of("A@0 B@1 D@2 C@3"), "0 3 -", "C comes after the step after");
    let found = asked("A > (B&C) > D", Any).found(&log("A@0 B@1 C@2")).pop();
    assert_eq!(found, Some(Found { depth: 2, last: 2, events: vec![Some(0), Some(2), None] }));
    assert_eq!(one("A > (B&C&D)", "A@0 D@1 B@2 C@3"), "0 3");
    assert_eq!(one("A > (B&C&D)", "A@0 D@1 B@2 D@3"), "0 -");
    assert_eq!(one("A > (B&C) > (B&C)", "A@0 B@1 B@2 C@3 C@4 B@5"), "0 3 5", "all events are different");
}

#[test]
fn which_block_is_reported() {
    let of = |text| one("A > (B&C)", text);
    assert_eq!(of("A@0 C@1 B@5 B@9"), "0 2", "the earliest last event");
    assert_eq!(of("A@0 A@1 B@2 C@3"), "1 3", "the latest first step");
    assert_eq!(of("A@0 B@1 A@2 C@3 B@4"), "0 3", "but the earliest last event before that");
    assert_eq!(of("A@0 C@1 B@2 B@2"), "0 2", "of equal times the lower place");
    assert_eq!(one("A > (B&C) > D", "A@0 B@1 C@2 B@3 D@4"), "0 2 4", "the earliest second step");
}

#[test]
fn a_block_of_equal_times() {
    assert_eq!(one("A > (B&C) > D", "A@0 C@0 B@0 D@0"), "0 2 3");
    assert_eq!(one("A > (B&C) > D", "D@0 C@0 B@0 A@0"), "3 2 0");
    assert_eq!(one("A > (B&C) > D", "A@0 C@1 D@1 B@1"), "0 3 2", "its last event by place, though D is used after it");
    let by_arrival = |text| asked("A > (B&C) > D", Arrival).one(text);
    assert_eq!(by_arrival("A@0 C@0 B@0 D@0"), "0 2 3");
    assert_eq!(by_arrival("B@0 A@0 C@0 D@0"), "1 - -");
    assert_eq!(by_arrival("A@0 B@0 D@0 C@0"), "0 3 -");
    assert_eq!(asked("A > (B&C) > D", Step).one("D@0 C@0 B@0 A@0"), "3 2 0", "B and C stand at step 2 alike");
}

#[test]
fn an_event_that_fits_two_members_fills_one() {
    let of = |text| one("A > (B|C&B) > D", text);
    assert_eq!(of("A@0 B@1 D@2"), "0 - -");
    assert_eq!(of("A@0 B@1 C@2 D@3"), "0 2 3", "B leaves the first member to C");
    assert_eq!(of("A@0 C@1 B@2 D@3"), "0 2 3");
    assert_eq!(of("A@0 B@1 B@2 D@3"), "0 2 3");
    assert_eq!(of("A@0 C@1 C@2 D@3"), "0 - -");
    assert_eq!(one("A > (A&B)", "A@0 B@1"), "0 -", "the first step has used it");
    assert_eq!(one("A > (A&B)", "A@0 B@1 A@2"), "0 2");
}

#[test]
fn limits_and_windows_of_a_block() {
    assert_eq!(one("A >[5] (B&C)", "A@0 B@5 C@50"), "0 2", "the limit is about its earliest event");
    assert_eq!(one("A >[5] (B&C)", "A@0 B@6 C@7"), "0 -");
    assert_eq!(one("A > (B&C) >[5] D", "A@0 B@1 C@9 D@14"), "0 2 3", "and the next one about its last");
    assert_eq!(one("A > (B&C) >[5] D", "A@0 C@1 B@9 D@15"), "0 2 -");
    assert_eq!(one("A > (B&C) >[5] D", "A@0 B@1 C@2 B@9 D@14"), "0 3 4", "a later B keeps D in reach");
    let window = |width| asked("A > (B&C)", Any).with(|options| options.window = Window::Time(width));
    assert_eq!([5, 6].map(|width| window(width).one("A@0 B@5 C@6")), ["0 -", "0 2"]);
    let ranks = |n| asked("A > (B&C)", Arrival).with(|options| options.window = Window::Events(n));
    assert_eq!([3, 4].map(|n| ranks(n).one("A@0 C@0 X@0 B@0")), ["0 -", "0 3"]);
    let sessions = |n| {
        let Asked { options, kinds } = asked("A > (B&C)", Any);
        let options = Options { window: Window::Sessions(n), ..options };
        shown(&reported_of_kinds(&options, &kinds, &log("A@0 B@1 C@2"), &[0, 0, 1])[0])
    };
    assert_eq!([1, 2].map(sessions), ["0 -", "0 2"]);
}

#[test]
fn directly_to_a_block_and_from_it() {
    let of = |text| one("A >> (B&C) >> D", text);
    assert_eq!(of("A@0 C@1 B@2 D@3"), "0 2 3");
    assert_eq!(of("A@0 B@1 X@2 C@3 D@4"), "0 3 4", "whatever happens inside");
    assert_eq!(of("A@0 X@1 B@2 C@3 D@4"), "0 - -");
    assert_eq!(of("A@0 C@1 B@2 X@3 D@4"), "0 2 -");
    assert_eq!(of("A@0 B@1 C@2 B@3 D@4"), "0 2 -", "with the second B the first one comes between");
    assert_eq!(of("A@0 C@1 C@2 B@3 D@4"), "0 3 4", "inside, a C that is not needed may");
}

#[test]
fn increasing_times_up_to_a_block_and_from_it() {
    let of = |text| asked("A > (B&C) > D", Any).with(|options| options.increasing = true).one(text);
    assert_eq!(of("A@0 B@0 C@1 D@2"), "0 - -", "each of its events is later than the step before");
    assert_eq!(of("A@0 B@1 C@2 D@2"), "0 2 -");
    assert_eq!(of("A@0 B@1 C@1 D@2"), "0 2 3", "inside it, nothing comes before anything");
}

#[test]
fn optional_steps_around_a_block() {
    let of = |text| one("A > B? >[5] (C&D) > E? > F", text);
    assert_eq!(of("A@0 B@9 D@10 C@11 E@12 F@13"), "0 1 3 4 5");
    assert_eq!(of("A@0 D@10 C@11 F@13"), "0 - - - -");
    assert_eq!(of("A@0 D@5 B@6 C@7 F@8"), "0 - 3 - 4", "B would have to come before D");
    assert_eq!(of("A@0 D@1 C@2 E@3"), "0 - 2 3 -");
    assert_eq!(of("A@0 D@1 B@2 E@3"), "0 2 - - -", "a block is required");
}

// ---------------------------------------------------------------- exclusions, entries, held devices

#[test]
fn an_exclusion_across_an_optional_step() {
    let both =
        |text| [Effect::Stop, Effect::Remove].map(|effect| asked("A > B? > C", Any).without_x(1, 3, effect).one(text));
    assert_eq!(both("A@0 B@1 C@2"), ["0 1 2", "0 1 2"]);
    assert_eq!(both("A@0 B@1 X@2 C@3"), ["0 1 -", ""]);
    assert_eq!(both("A@0 X@1 B@2"), ["0 - -", ""], "optional steps after it do not count either");
    assert_eq!(both("A@0 B@1 X@1 C@2"), ["0 1 -", ""], "beside B, but between A and C");
    assert_eq!(both("A@0 B@1 C@2 X@2"), ["0 1 2", "0 1 2"]);
    assert_eq!(both("A@0 X@1 A@2 B@3 C@4"), ["2 3 4", "2 3 4"], "a clean one as deep");
    let later = |effect| asked("A > B? > C > D", Any).without_x(3, 4, effect).one("A@0 B@1 X@2 C@3 X@4");
    assert_eq!(
        [later(Effect::Stop), later(Effect::Remove)],
        ["0 1 3 -", ""],
        "steps are counted with the optional ones"
    );
}

#[test]
fn the_depth_that_a_clean_attempt_must_have_is_without_optional_steps() {
    let asked = asked("A > B > C? > D", Any).without_x(2, 4, Effect::Remove);
    assert_eq!(asked.one("A@0 B@1 C@2 X@3"), "");
    assert_eq!(asked.one("A@0 B@1 C@2 X@3 A@4 B@5"), "4 5 - -", "as deep as the one with C");
    assert_eq!(asked.one("A@0 X@1 B@2 C@3"), "0 2 3 -");
}

#[test]
fn an_exclusion_before_and_after_a_block() {
    let both = |from, to, text| {
        [Effect::Stop, Effect::Remove].map(|effect| asked("A > (B&C) > D", Any).without_x(from, to, effect).one(text))
    };
    assert_eq!(both(1, 2, "A@0 B@1 X@2 C@3 D@4"), ["0 - -", ""], "the block's event is C");
    assert_eq!(both(1, 2, "A@0 B@1 C@2 X@2 D@3"), ["0 2 4", "0 2 4"]);
    assert_eq!(both(2, 3, "A@0 B@1 X@2 C@3 D@4"), ["0 3 4", "0 3 4"]);
    assert_eq!(both(2, 3, "A@0 B@1 C@2 X@3 D@4"), ["0 2 -", ""]);
    assert_eq!(both(2, 3, "A@0 B@1 C@2 X@3 B@4 D@5"), ["0 4 5", "0 4 5"], "the block with the later B ends after X");
    assert_eq!(both(2, 3, "A@0 B@1 X@2"), ["0 - -", "0 - -"], "the block is not filled");
    assert_eq!(both(2, 3, "A@0 C@1 B@2 X@3"), ["0 2 -", ""]);
    let by_arrival = asked("A > (B&C) > D", Arrival).without_x(1, 2, Effect::Stop);
    assert_eq!(by_arrival.one("A@0 B@0 X@0 C@0"), "0 - -", "in the order of the log");
}

#[test]
fn entries() {
    let of = |steps, entry, text| asked(steps, Any).with(|options| options.entry = entry).all(text);
    let optional = |entry| of("A > B? > C", entry, "A@0 B@1 A@2 C@3 A@4 B@5");
    assert_eq!(optional(Entry::Best), ["2 - 3"]);
    assert_eq!(optional(Entry::First), ["0 1 3"]);
    assert_eq!(optional(Entry::Last), ["4 5 -"]);
    assert_eq!(optional(Entry::All), ["0 1 3", "2 - 3", "4 5 -"]);
    assert_eq!(optional(Entry::Each), ["0 1 3", "4 5 -"], "the second A finds the first attempt open");
    let block = |entry| of("A > (B&C)", entry, "A@0 B@1 A@2 C@3 A@4 C@5 B@6");
    assert_eq!(block(Entry::First), ["0 3"]);
    assert_eq!(block(Entry::All), ["0 3", "2 6", "4 6"]);
    assert_eq!(block(Entry::Each), ["0 3", "4 6"]);
}

#[test]
fn each_attempt_ends_by_its_exclusion_or_its_window() {
    let each = |asked: Asked| asked.with(|options| options.entry = Entry::Each);
    let stopped = each(asked("A > B? > C", Any).without_x(1, 3, Effect::Stop));
    assert_eq!(stopped.all("A@0 B@1 X@2 A@3 C@4"), ["0 1 -", "3 - 4"]);
    assert_eq!(stopped.all("A@0 B@1 A@2 C@4"), ["0 1 3"]);
    let stopped = each(asked("A > (B&C)", Any).without_x(1, 2, Effect::Stop));
    assert_eq!(stopped.all("A@0 B@1 X@2 A@3 C@4 B@5"), ["0 -", "3 5"]);
    let window = each(asked("A > B? > C", Any)).with(|options| options.window = Window::Time(5));
    assert_eq!(window.all("A@0 B@4 A@5 A@6 C@7"), ["0 1 -", "3 - 4"], "an optional step makes it no longer");
}

#[test]
fn held_devices() {
    let with = |steps, text, devices| {
        let asked = asked(steps, Any).with(|options| options.hold = Some(Missing::Match));
        shown(&asked.found(&on_devices(text, devices))[0])
    };
    assert_eq!(with("A > B? > C", "A@0 B@1 C@2", "mdm"), "0 - 2");
    assert_eq!(with("A > (B&C)", "A@0 B@1 C@2 B@3", "mdmm"), "0 3");
    assert_eq!(with("A > (B&C)", "A@0 B@1 C@2", "mmd"), "0 -");
    let Asked { options, kinds } = asked("A > B? > C", Any);
    let options = Options { hold: Some(Missing::Match), ..options };
    let by_value = reported_of_kinds_by_held(&options, &kinds, &on_devices("A@0 A@1 B@2 C@3", "mddm"), &[0; 4]);
    let by_value: Vec<(&str, String)> = by_value.iter().map(|(value, found)| (value.as_str(), shown(found))).collect();
    assert_eq!(by_value, [("d", "1 2 -".to_string()), ("m", "0 - 3".to_string())]);
}

// ---------------------------------------------------------------- held against the funnel of required steps

/// Every journey of five events of these kinds, with equal times among them.
fn every_journey() -> impl Iterator<Item = Vec<Event>> {
    (0..4_usize.pow(5)).map(|n| {
        let name = |at: usize| ["A", "B", "C", "D"][n / 4_usize.pow(at as u32) % 4];
        log(&(0..5).map(|at| format!("{}@{}", name(at), [0, 0, 1, 2, 2][at])).collect::<Vec<_>>().join(" "))
    })
}

/// How many required steps, and when the first and the last of them are.
fn ends(asked: &Asked, journey: &[Event]) -> Option<(usize, i64, i64)> {
    let found = asked.found(journey).pop()?;
    Some((found.depth, journey[found.events[0]?].time, journey[found.last].time))
}

#[test]
fn an_optional_step_changes_neither_the_depth_nor_the_ends() {
    let mut filled = 0;
    for ties in [Any, Arrival] {
        let [optional, absent, required] =
            ["A > B? > C > D", "A > C > D", "A > B > C > D"].map(|steps| asked(steps, ties));
        for journey in every_journey() {
            let (with, without) = (ends(&optional, &journey), ends(&absent, &journey));
            assert_eq!(with, without, "{journey:?}");
            let Some((3, first, last)) = with else { continue };
            let has_b = optional.found(&journey)[0].events[1].is_some();
            assert_eq!(has_b, ends(&required, &journey) == Some((4, first, last)), "{journey:?}");
            filled += usize::from(has_b);
        }
    }
    assert!(filled > 0);
}

#[test]
fn a_block_is_the_better_one_of_its_orders() {
    let mut filled = 0;
    for ties in [Any, Arrival] {
        let [block, forth, back] = ["A > (B&C) > D", "A > B > C > D", "A > C > B > D"].map(|steps| asked(steps, ties));
        for journey in every_journey() {
            // Of two steps of the four one is the first, and the other only a part of the block.
            let orders = [&forth, &back].into_iter().filter_map(|order| ends(order, &journey));
            let orders = orders.filter(|(depth, ..)| *depth > 2);
            let best = orders.max_by_key(|&(depth, first, last)| (depth, Reverse(last), first));
            let found = ends(&block, &journey);
            match best {
                Some((depth, first, last)) => assert_eq!(found, Some((depth - 1, first, last)), "{journey:?}"),
                None => assert!(found.is_none_or(|(depth, ..)| depth == 1), "{journey:?}"),
            }
            filled += usize::from(best.is_some());
        }
    }
    assert!(filled > 0);
}
