use proptest::prelude::*;

use super::*;

fn share((part, whole): (u64, u64)) -> Share {
    Share { part, whole }
}

/// The second share against the first.
fn contrast(a: (u64, u64), b: (u64, u64)) -> Contrast {
    Contrast { a: share(a), b: share(b) }
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

#[test]
fn differences_have_the_published_intervals() {
    // Newcombe 1998, table II, method 10.
    for (b, a, low, high) in [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ] {
        let [found_low, found_high] = contrast(a, b).interval().unwrap();
        close(found_low, low, 5e-5);
        close(found_high, high, 5e-5);
    }
}

#[test]
fn p_values_are_the_published_ones() {
    // Heart attacks of the Physicians' Health Study under aspirin and placebo (Agresti, Categorical Data Analysis): X² = 25.014.
    close(contrast((104, 11_037), (189, 11_034)).p().unwrap(), 5.692e-7, 5e-11);
    // Fisher's lady tasting tea (1935), where 2 are expected, and his twins of criminals (1962; X² = 13.03), where the least is 5.2.
    close(contrast((3, 4), (1, 4)).p().unwrap(), 17.0 / 35.0, 1e-15);
    close(fisher(share((10, 13)), share((2, 17))), 0.000_536_7, 5e-8);
    close(contrast((2, 17), (10, 13)).p().unwrap(), 0.000_306, 5e-7);
}

#[test]
fn odds_ratios_are_the_published_ones() {
    // Hay fever of children with and without eczema (Bland and Altman 2000, BMJ 320, 1468): 4.89, 4.00 to 5.99.
    let ratio = contrast((928, 928 + 13_525), (141, 141 + 420)).odds_ratio().unwrap();
    close(ratio.ratio, 4.89, 5e-3);
    close(ratio.interval[0], 4.00, 5e-3);
    close(ratio.interval[1], 5.99, 5e-3);
    close(ratio.strength, ratio.interval[0].ln(), 1e-12);
    // With ½ added to 0, 10, 5, 5: (0.5 × 5.5) ÷ (10.5 × 5.5).
    let ratio = contrast((5, 10), (0, 10)).odds_ratio().unwrap();
    close(ratio.ratio, 0.5 / 10.5, 1e-15);
    let error = (1.0 / 0.5 + 1.0 / 10.5 + 2.0 / 5.5_f64).sqrt();
    close(ratio.interval[1], (0.5 / 10.5) * (1.959_964 * error).exp(), 1e-5);
    // Without a count of 0 nothing is added.
    close(contrast((1, 3), (2, 3)).odds_ratio().unwrap().ratio, 4.0, 1e-14);
}

#[test]
fn what_has_no_answer_is_undefined() {
    for (a, b) in [((0, 0), (1, 2)), ((1, 2), (0, 0)), ((0, 0), (0, 0))] {
        let contrast = contrast(a, b);
        assert_eq!((contrast.difference(), contrast.interval(), contrast.p()), (None, None, None));
        assert_eq!(contrast.odds_ratio(), None);
    }
    for same in [contrast((0, 40), (0, 50)), contrast((40, 40), (50, 50))] {
        assert_eq!((same.difference(), same.p(), same.odds_ratio()), (Some(0.0), Some(1.0), None));
    }
}

#[test]
fn corrected_p_values_are_those_of_holm() {
    assert_eq!(holm(&[]), Vec::<f64>::new());
    assert_eq!(holm(&[0.2]), [0.2]);
    for (found, expected) in holm(&[0.01, 0.04, 0.03, 0.005]).into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
        close(found, expected, 1e-15);
    }
    assert_eq!(holm(&[0.5, 0.5, 1.0]), [1.0, 1.0, 1.0]);
}

/// C(n, k), exact for small n.
fn choose(n: u64, k: u64) -> u128 {
    (0..k).fold(1, |all, at| all * u128::from(n - at) / u128::from(at + 1))
}

/// Fisher's exact test in whole numbers: the ways to draw each table.
fn fisher_by_enumeration(a: Share, b: Share) -> f64 {
    let parts = a.part + b.part;
    let ways = |part: u64| choose(a.whole, part) * choose(b.whole, parts - part);
    let tables = (0..=parts).filter(|&part| part <= a.whole && parts - part <= b.whole);
    let (all, as_extreme) = tables.fold((0, 0), |(all, extreme), part| {
        let ways_of_it = ways(part);
        (all + ways_of_it, extreme + if ways_of_it <= ways(a.part) { ways_of_it } else { 0 })
    });
    as_extreme as f64 / all as f64
}

/// The binomial distribution of `whole` draws, by the chance of each number.
fn binomial(whole: u64, rate: f64) -> Vec<f64> {
    let chance =
        |part: u64| choose(whole, part) as f64 * rate.powi(part as i32) * (1.0 - rate).powi((whole - part) as i32);
    (0..=whole).map(chance).collect()
}

#[test]
fn nineteen_of_twenty_intervals_hold_the_true_difference() {
    // Exact coverage, over all outcomes. Newcombe found a mean of 0.952 and a least of 0.867 in his tables.
    let mut coverages = Vec::new();
    for (whole_a, whole_b) in [(12, 30), (25, 25), (40, 18)] {
        for (rate_a, rate_b) in [(0.1, 0.1), (0.5, 0.5), (0.2, 0.45), (0.9, 0.6)] {
            let (a, b) = (binomial(whole_a, rate_a), binomial(whole_b, rate_b));
            let mut coverage = 0.0;
            for (part_a, chance_a) in a.iter().enumerate() {
                for (part_b, chance_b) in b.iter().enumerate() {
                    let contrast = contrast((part_a as u64, whole_a), (part_b as u64, whole_b));
                    let [low, high] = contrast.interval().unwrap();
                    let holds = low <= rate_b - rate_a && rate_b - rate_a <= high;
                    coverage += if holds { chance_a * chance_b } else { 0.0 };
                }
            }
            assert!(coverage > 0.92, "{coverage} for {rate_a} of {whole_a} and {rate_b} of {whole_b}");
            coverages.push(coverage);
        }
    }
    close(coverages.iter().sum::<f64>() / coverages.len() as f64, 0.95, 0.015);
}

#[test]
fn large_numbers_are_no_trouble() {
    let billion = 1_000_000_000;
    let rare = contrast((3, billion), (40, 1_000_000)).p().unwrap();
    assert!(rare > 0.0 && rare < 1e-90, "{rare}");
    assert_eq!(contrast((0, billion), (billion, billion)).p(), Some(0.0));
    assert_eq!(contrast((1, billion), (1, billion)).p(), Some(1.0));
}

proptest! {
    #[test]
    fn the_exact_test_is_the_count_of_all_tables(a in 0..25u64, b in 0..25u64, more_a in 0..25u64, more_b in 0..25u64) {
        let (a, b) = (share((a, a + more_a)), share((b, b + more_b)));
        prop_assume!(a.whole > 0 && b.whole > 0);
        let (found, expected) = (fisher(a, b), fisher_by_enumeration(a, b));
        prop_assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn swapping_the_shares_turns_the_answer_around(a in 0..400u64, b in 0..400u64, more_a in 0..400u64, more_b in 0..400u64) {
        let there = contrast((a, a + more_a), (b, b + more_b));
        let back = Contrast { a: there.b, b: there.a };
        prop_assert_eq!(there.p(), back.p());
        prop_assert_eq!(there.difference(), back.difference().map(|difference| -difference));
        prop_assert_eq!(there.interval(), back.interval().map(|[low, high]| [-high, -low]));
        prop_assert_eq!(there.odds_ratio().map(|odds| odds.strength), back.odds_ratio().map(|odds| odds.strength));
        if let (Some(there), Some(back)) = (there.odds_ratio(), back.odds_ratio()) {
            prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn estimates_lie_in_their_intervals(a in 0..400u64, b in 0..400u64, more_a in 1..400u64, more_b in 1..400u64) {
        let contrast = contrast((a, a + more_a), (b, b + more_b));
        let (difference, [low, high]) = (contrast.difference().unwrap(), contrast.interval().unwrap());
        prop_assert!(-1.0 <= low && low <= difference && difference <= high && high <= 1.0);
        let p = contrast.p().unwrap();
        prop_assert!((0.0..=1.0).contains(&p));
        if let Some(OddsRatio { ratio, interval: [low, high], .. }) = contrast.odds_ratio() {
            prop_assert!(low <= ratio && ratio <= high);
        }
    }

    #[test]
    fn correcting_is_stricter_and_keeps_the_order(p in prop::collection::vec(0.0..=1.0f64, 0..20)) {
        let corrected = holm(&p);
        for (at, value) in p.iter().enumerate() {
            prop_assert!(*value <= corrected[at] && corrected[at] <= 1.0);
            prop_assert!(p.iter().zip(&corrected).all(|(other, kept)| other > value || *kept <= corrected[at]));
        }
        // The smallest counts as many times as there are tests.
        let smallest = |of: &[f64]| of.iter().copied().fold(1.0, f64::min);
        prop_assert_eq!(smallest(&corrected), (smallest(&p) * p.len().max(1) as f64).min(1.0));
    }
}
