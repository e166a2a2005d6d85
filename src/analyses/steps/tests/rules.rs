//! What rules say of themselves to those who ask more than for an attempt.

use super::*;

/// `a > (b & c) > d? > e`, and the plain list of as many steps.
fn charted() -> Rules {
    let kinds = [Kind::Required, Kind::Block(2), Kind::Optional, Kind::Required];
    Rules { steps: 4, chart: Chart::new(&kinds), ..Rules::default() }
}

fn listed() -> Rules {
    Rules { steps: 4, ..Rules::default() }
}

#[test]
fn the_slots_of_steps() {
    assert_eq!((charted().slots(), listed().slots()), (5, 4));
    assert_eq!([0, 1, 2, 3].map(|step| charted().slots_of(step)), [0b1, 0b110, 0b1000, 0b10000]);
    assert_eq!([0, 1, 2, 3].map(|step| listed().slots_of(step)), [0b1, 0b10, 0b100, 0b1000]);
}

#[test]
fn a_hit_counts_as_the_step_of_its_first_slot() {
    let counted = |rules: Rules| {
        let mut hits = [0b1, 0b10, 0b100, 0b11000, 0b10000, 0].map(|mask| Hit::new(0, mask, 0));
        rules.count_steps(&mut hits);
        hits.map(|hit| hit.counts_as)
    };
    assert_eq!(counted(charted()), [0, 1, 1, 2, 3, Hit::FITS_NONE]);
    assert_eq!(counted(listed()), [0, 1, 2, 3, 4, Hit::FITS_NONE]);
}

#[test]
fn the_depth_is_the_last_step_that_cannot_be_left_out() {
    assert_eq!([0, 1, 2, 3, 4].map(|filled| charted().depth(filled)), [0, 1, 2, 2, 4]);
    assert_eq!([0, 1, 2, 3, 4].map(|filled| listed().depth(filled)), [0, 1, 2, 3, 4]);
}

#[test]
fn the_step_that_an_event_may_fill_next() {
    assert_eq!(listed().next_step(1, 0b10), Some(1));
    assert_eq!(listed().next_step(1, 0b101), None);
    assert_eq!(listed().next_step(4, 0b10000), None, "nothing is behind the last step");
    assert_eq!(charted().next_step(0, 0b110), None);
    assert_eq!(charted().next_step(1, 0b100), Some(1), "a block may begin with any of its members");
    assert_eq!(charted().next_step(1, 0b1000), None, "a block cannot be left out");
    assert_eq!(charted().next_step(2, 0b10000), Some(3), "an optional step can");
    assert_eq!(charted().next_step(2, 0b11000), Some(2));
}

#[test]
fn the_limit_of_the_next_step_is_the_longest_of_those_that_may_come_next() {
    let limits = |rules: Rules, limits: [Option<i64>; 4]| {
        let rules = Rules { limits: limits.to_vec(), ..rules };
        [1, 2, 3, 4].map(|passed| rules.next_limit(passed))
    };
    assert_eq!(limits(listed(), [None, Some(5), Some(9), None]), [Some(5), Some(9), None, None]);
    assert_eq!(limits(charted(), [None, Some(5), Some(9), Some(7)]), [Some(5), Some(9), Some(7), None]);
    assert_eq!(limits(charted(), [None, Some(5), Some(7), Some(9)]), [Some(5), Some(9), Some(9), None]);
    assert_eq!(limits(charted(), [None, Some(5), Some(7), None]), [Some(5), None, None, None]);
    assert_eq!(listed().next_limit(1), None, "no hop has a limit");
}

#[test]
fn the_ways_of_a_chart() {
    // `a > b? > (c & d) > e`: states 1 and 2 behind a and b, 3 to 5 in the block, 6 behind e.
    let kinds = [Kind::Required, Kind::Optional, Kind::Block(2), Kind::Required];
    let chart = Chart::new(&kinds).expect("not all are required");
    assert_eq!(chart.way(1, 2), Some(0b10));
    assert_eq!(chart.way(1, 5), Some(0b1100), "b may be left out");
    assert_eq!(chart.way(1, 6), Some(0b11100));
    assert_eq!(chart.way(2, 6), Some(0b11100));
    assert_eq!(chart.way(3, 6), Some(0b11000), "what is left of the block");
    assert_eq!(chart.way(3, 5), Some(0b1000));
    assert_eq!(chart.way(3, 4), None, "what is done stays done");
    assert_eq!(chart.states_behind(1, 0), 2..6, "behind b, and where the block is begun");
    assert_eq!(chart.states_behind(1, 0b1100), 2..7);
    assert_eq!(chart.states_behind(3, 0b100), 4..6);
    assert_eq!(chart.states_behind(3, 0b1000), 4..7);
    assert_eq!(chart.states_inside(3), 4..6);
    assert_eq!(chart.states_inside(1), 2..2);
    assert_eq!([0b1, 0b101, 0b1101, 0b11101].map(|mask| chart.most(mask)), [1, 1, 3, 4]);
    assert_eq!(chart.optional(), 0b10);
    assert_eq!(
        [(0, 2), (0, 3), (1, 3), (2, 5)].map(|(after, until)| chart.optional_between(after, until)),
        [0, 0b10, 0b10, 0]
    );
}

#[test]
fn an_instant_is_ordered_by_step_among_all_of_its_events() {
    // At 5 come six events: none, the second step, an excluded one, the first step, none, an excluded one.
    let times = [1, 5, 5, 5, 5, 5, 5, 9];
    let excluded = |at| Hit { excluded: 1, ..Hit::new(5, 0, at) };
    let hits =
        vec![Hit::new(1, 1, 0), Hit::new(5, 0b10, 2), excluded(3), Hit::new(5, 1, 4), excluded(6), Hit::new(9, 1, 7)];
    let mut trail = Trail { hits, ..Trail::default() };
    trail.arrange(Order { by_step: true, ..Order::default() }, &times);
    assert_eq!(trail.hits.iter().map(|hit| hit.at).collect::<Vec<_>>(), [0, 4, 2, 3, 6, 7]);
    assert_eq!(trail.ranks, [0, 1, 2, 4, 6, 7]);
}
