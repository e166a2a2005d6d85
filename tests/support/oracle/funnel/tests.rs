use super::super::tests::log;
use super::*;

/// Names, all joined by `>`, with every option off.
fn plain(steps: &str, ties: Ties) -> Options {
    let names = |word: &str| Step::Any(word.split('|').map(String::from).collect());
    let steps: Vec<Step> = steps.split(' ').map(names).collect();
    let (hops, limits) = (vec![Hop::Eventually; steps.len() - 1], vec![None; steps.len() - 1]);
    let (window, exclusions, on_repeat, entry) = (Window::None, Vec::new(), OnRepeat::Ignore, Entry::Best);
    let (among_steps, increasing, reuse, hold) = (false, false, false, None);
    Options { steps, hops, limits, window, ties, among_steps, increasing, reuse, exclusions, on_repeat, entry, hold }
}

fn without_x(steps: &str, from: usize, to: usize, effect: Effect) -> Options {
    let exclusions = vec![Exclusion { what: Step::Name("X".into()), from, to, effect }];
    Options { exclusions, ..plain(steps, Ties::Any) }
}

/// The attempts in a log in which all is one session.
fn found(options: &Options, text: &str) -> Vec<Vec<usize>> {
    let journey = log(text);
    reported(options, &journey, &vec![0; journey.len()])
}

fn one(options: &Options, text: &str) -> Vec<usize> {
    found(options, text).pop().unwrap_or_default()
}

fn none() -> Vec<usize> {
    Vec::new()
}

/// "A@0 B@1" on the devices "m-" is A on device m and B without one.
fn on_devices(text: &str, devices: &str) -> Vec<Event> {
    let set = |(event, device): (Event, char)| Event { device: device.to_string().replace('-', ""), ..event };
    log(text).into_iter().zip(devices.chars()).map(set).collect()
}

#[test]
fn which_attempt_is_reported() {
    let of = |steps, text| one(&plain(steps, Ties::Any), text);
    assert_eq!(of("A B C", "A@0 B@1 B@9 C@10"), [0, 1, 3], "the earliest second step");
    assert_eq!(of("A B", "A@0 A@5 B@6 A@7 B@8"), [1, 2], "the earliest last step, then the latest first");
    assert_eq!(of("A B", "B@3 A@3 A@3 B@3"), [1, 0], "of equal times the lowest ranks");
    assert_eq!(of("A B", "X@0 B@1"), none());
}

#[test]
fn a_window_of_events_ranks_instead_of_timing() {
    let options = |n| Options { window: Window::Events(n), ..plain("A B", Ties::Arrival) };
    assert_eq!(one(&options(2), "A@0 X@1 B@2"), [0]);
    assert_eq!(one(&options(3), "A@0 X@1 B@2"), [0, 2]);
    assert_eq!(one(&options(3), "A@0 A@0 B@0 B@0"), [1, 2], "the latest first rank");
    assert_eq!(one(&plain("A B", Ties::Arrival), "A@0 A@0 B@0 B@0"), [0, 2], "by time it is no later");
}

#[test]
fn a_window_of_time_or_sessions() {
    let options = Options { window: Window::Time(10), ..plain("A B C", Ties::Any) };
    assert_eq!(one(&options, "A@0 B@10 C@11"), [0, 1]);
    let reach = |n| {
        let options = Options { window: Window::Sessions(n), ..plain("A B C", Ties::Any) };
        reported(&options, &log("A@0 B@50 C@99"), &[4, 5, 6])[0].len()
    };
    assert_eq!([1, 2, 3].map(reach), [1, 2, 3]);
    let options = Options { window: Window::Sessions(2), ..plain("A B", Ties::Any) };
    assert_eq!(reported(&options, &log("B@0 A@0"), &[0, 1]), [[1]], "never back into an earlier session");
}

#[test]
fn ties() {
    let of = |ties| one(&plain("A B C", ties), "C@4 B@4 A@4 X@4");
    assert_eq!(of(Ties::Any), [2, 1, 0]);
    assert_eq!(of(Ties::Arrival), [2]);
    assert_eq!(of(Ties::Step), [2, 1, 0]);
    assert_eq!(one(&plain("A|B B", Ties::Step), "B@0 A@0"), [0], "both stand at step 1, and B came first");
    let increasing = Options { increasing: true, ..plain("A B", Ties::Any) };
    assert_eq!(one(&increasing, "A@0 B@0 B@1"), [0, 2]);
}

#[test]
fn one_event_fills_one_step_unless_reused() {
    for ties in [Ties::Any, Ties::Arrival, Ties::Step] {
        assert_eq!(one(&plain("A A|B", ties), "A@0"), [0]);
        assert_eq!(one(&Options { reuse: true, ..plain("A A|B", ties) }, "A@0"), [0, 0]);
    }
}

#[test]
fn directly_among_all_events_or_those_of_steps() {
    let options = |among_steps, ties| Options { among_steps, hops: vec![Hop::Directly], ..plain("A B", ties) };
    assert_eq!(one(&options(false, Ties::Arrival), "A@0 X@1 B@2"), [0]);
    assert_eq!(one(&options(true, Ties::Arrival), "A@0 X@1 B@2"), [0, 2]);
    assert_eq!(one(&options(true, Ties::Arrival), "A@0 B@1 B@2"), [0, 1]);
    assert_eq!(one(&options(false, Ties::Step), "X@1 B@1 A@1"), [2, 1], "X comes last in the instant");
}

#[test]
fn a_limit_of_one_hop() {
    let options = Options { limits: vec![None, Some(5)], ..plain("A B C", Ties::Any) };
    assert_eq!(one(&options, "A@0 B@10 B@20 C@25"), [0, 2, 3]);
    assert_eq!(one(&options, "A@0 B@10 C@16"), [0, 1]);
}

#[test]
fn an_exclusion_stops_or_removes() {
    let both = |text| [Effect::Stop, Effect::Remove].map(|effect| one(&without_x("A B", 1, 2, effect), text));
    assert_eq!(both("A@0 X@1"), [vec![0], none()]);
    assert_eq!(both("A@0 X@1 B@2"), [vec![0], none()]);
    assert_eq!(both("A@0 X@1 A@2 B@3"), [[2, 3], [2, 3]]);
    assert_eq!(both("X@0 A@0 B@1 X@1"), [[1, 2], [1, 2]], "the same time is not between");
    let arrival = Options { ties: Ties::Arrival, ..without_x("A B", 1, 2, Effect::Stop) };
    assert_eq!(one(&arrival, "A@0 X@0 B@0"), [0], "but a rank is");
}

#[test]
fn an_exclusion_between_later_steps() {
    let both = |text| [Effect::Stop, Effect::Remove].map(|effect| one(&without_x("A B C D", 2, 4, effect), text));
    assert_eq!(both("A@0 X@1"), [[0], [0]], "step 2 is not reached");
    assert_eq!(both("A@0 X@1 B@2 C@3 D@4 X@5"), [[0, 2, 3, 4], [0, 2, 3, 4]]);
    assert_eq!(both("A@0 B@1 X@2 C@3"), [vec![0, 1], none()], "in between already at step 3");
    assert_eq!(both("A@0 B@1 C@2 X@3 D@4"), [vec![0, 1, 2], none()]);
}

#[test]
fn a_removing_exclusion_watches_as_far_as_the_window() {
    let options = Options { window: Window::Time(10), ..without_x("A B", 1, 2, Effect::Remove) };
    assert_eq!(one(&options, "A@0 X@10"), none());
    assert_eq!(one(&options, "A@0 X@11"), [0]);
    assert_eq!(one(&options, "A@0 X@5 A@6"), [2], "another attempt as deep is clean");
    assert_eq!(one(&options, "A@0 X@1 B@2 A@20"), none(), "a clean one that is less deep does not help");
}

#[test]
fn repeats_end_an_attempt() {
    let depth = |on_repeat, text| one(&Options { on_repeat, ..plain("A B C D", Ties::Arrival) }, text).len();
    let depths = |text| [OnRepeat::Ignore, OnRepeat::EndAny, OnRepeat::EndLast].map(|rule| depth(rule, text));
    assert_eq!(depths("A@0 B@1 C@2 D@3"), [4, 4, 4]);
    assert_eq!(depths("A@0 B@1 C@2 B@3 D@4"), [4, 3, 4], "B repeats, but C was the last step");
    assert_eq!(depths("A@0 B@1 C@2 A@3 D@4"), [4, 4, 4], "step 1 may repeat");
    assert_eq!(depths("A@0 B@1 C@2 C@3 D@4"), [4, 3, 3], "no attempt looks away from the earlier C");
    let direct = |on_repeat| Options {
        on_repeat,
        hops: vec![Hop::Eventually, Hop::Directly, Hop::Eventually],
        ..plain("A B C D", Ties::Arrival)
    };
    let depth = |rule| one(&direct(rule), "A@0 B@1 C@2 X@3 C@4 D@5").len();
    assert_eq!([OnRepeat::Ignore, OnRepeat::EndAny, OnRepeat::EndLast].map(depth), [4, 3, 3]);
}

#[test]
fn first_last_and_all_entries() {
    let of = |entry| found(&Options { entry, ..plain("A B", Ties::Any) }, "A@0 A@1 B@2 A@3");
    assert_eq!(of(Entry::Best), [[1, 2]]);
    assert_eq!(of(Entry::First), [[0, 2]]);
    assert_eq!(of(Entry::Last), [[3]]);
    assert_eq!(of(Entry::All), [vec![0, 2], vec![1, 2], vec![3]]);
}

#[test]
fn each_entry_waits_for_the_end_of_the_one_before() {
    let each = |options: Options, text| found(&Options { entry: Entry::Each, ..options }, text);
    let plain = |window| Options { window, ..plain("A B", Ties::Any) };
    assert_eq!(each(plain(Window::None), "A@0 A@1 B@2 A@3"), [vec![0, 2], vec![3]], "ends when complete");
    assert_eq!(each(plain(Window::None), "A@0 A@1"), [[0]], "never ends");
    assert_eq!(each(plain(Window::Time(10)), "A@0 A@10 A@11 B@12"), [vec![0], vec![2, 3]], "ends with its window");
    let stop = without_x("A B", 1, 2, Effect::Stop);
    assert_eq!(each(stop.clone(), "A@0 A@1 X@2 A@3 B@4"), [vec![0], vec![3, 4]], "ends when stopped");
    let stop = Options { window: Window::Time(5), ..stop };
    assert_eq!(each(stop, "A@0 A@6 X@7 A@8"), [[0], [1], [3]], "the first window ends before X");
}

#[test]
fn held_devices() {
    let with = |hold, text, devices| {
        let options = Options { hold: Some(hold), ..plain("A B", Ties::Any) };
        let journey = on_devices(text, devices);
        reported(&options, &journey, &vec![0; journey.len()]).pop().unwrap_or_default()
    };
    assert_eq!(with(Missing::Match, "A@0 A@1 B@2", "mdm"), [0, 2]);
    assert_eq!(with(Missing::Match, "A@0 B@1", "--"), [0, 1]);
    assert_eq!(with(Missing::Match, "A@0 B@1", "m-"), [0]);
    assert_eq!(with(Missing::Never, "A@0 B@1", "--"), none());
    let by_value = |entry, hold| {
        let options = Options { hold: Some(hold), entry, ..plain("A B", Ties::Any) };
        reported_by_held(&options, &on_devices("A@0 A@1 A@2 B@3 A@4", "md-dd"), &[0; 5])
    };
    let pair = |value: &str, attempt: &[usize]| (value.to_string(), attempt.to_vec());
    let best = [pair("", &[2]), pair("d", &[1, 3]), pair("m", &[0])];
    assert_eq!(by_value(Entry::Best, Missing::Match), best);
    assert_eq!(by_value(Entry::First, Missing::Never), best[1..]);
    assert_eq!(by_value(Entry::Last, Missing::Never), [pair("d", &[4]), pair("m", &[0])]);
}

#[test]
fn only_the_held_device_repeats() {
    let depth = |devices| {
        let on_repeat = OnRepeat::EndAny;
        let options = Options { on_repeat, hold: Some(Missing::Match), ..plain("A B C", Ties::Arrival) };
        let hops = vec![Hop::Directly, Hop::Eventually];
        reported(&Options { hops, ..options }, &on_devices("A@0 B@1 B@2 C@3", devices), &[0; 4])[0].len()
    };
    assert_eq!([depth("mmmm"), depth("mmdm")], [2, 3]);
}

#[test]
fn any_order_and_open() {
    let steps = plain("A B A|B", Ties::Any).steps;
    assert_eq!(any_order(&steps, Window::None, &log("B@0 B@5 A@9")), 3);
    assert_eq!(any_order(&steps, Window::Time(8), &log("B@0 B@5 A@9")), 2);
    assert_eq!(any_order(&steps, Window::None, &log("A@0")), 1, "one event fills one step");
    assert_eq!(any_order(&steps, Window::None, &[]), 0);
    let options = Options { window: Window::Time(5), ..plain("A B C D", Ties::Any) };
    let found = open(&options, &log("B@0 C@5 A@6 D@11"));
    assert_eq!(found, [(true, false), (true, false), (true, true), (true, false)]);
    assert_eq!(open(&options, &[]), [(false, false); 4]);
}

#[path = "tests/kinds.rs"]
mod kinds;
