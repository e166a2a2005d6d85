//! `--fail-under`: the rates that answers must reach, and what the program's end says of it.

use std::collections::BTreeMap;

use super::printer;
use crate::analyses::KINDS;
use crate::error::Error;
use crate::reports::Answer;
use crate::units::Fraction;

/// What a run of the program came to, if it is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was answered.
    Answered,
    /// Everything was answered, and a rate is under the one that was wanted.
    Missed,
}

/// The least rate of an answer, by the name of its question.
pub type Floors = BTreeMap<String, Fraction>;

/// The error for a floor where there is no rate.
pub fn no_rate(question: &str) -> Error {
    let with: Vec<String> = KINDS.iter().filter_map(|kind| Some(format!("{} ({})", kind.name, kind.rate?))).collect();
    let with = with.join(", ");
    match question {
        "run" => Error::question("each question of a job has its own rate")
            .hint(format!("write fail_under = 0.01 into the table of the question; these have a rate: {with}")),
        _ => Error::question(format!("{question} has no rate that could be too low"))
            .hint(format!("these have one: {with}")),
    }
}

/// Whether an answer reaches its floor. A rate of nothing reaches none: there is no sign that all is well.
pub fn reaches(rate: Option<f64>, floor: Fraction) -> bool {
    rate.is_some_and(|rate| rate >= floor.0)
}

/// Says every miss on standard error.
pub fn judge(answers: &[Answer], floors: &Floors) -> Verdict {
    let mut verdict = Verdict::Answered;
    for answer in answers {
        let Some(&floor) = floors.get(&answer.name) else { continue };
        let rate = answer.report.rate();
        if reaches(rate, floor) {
            continue;
        }
        verdict = Verdict::Missed;
        let found = match rate {
            Some(rate) => format!("{} is under", percent(rate)),
            None => "an undefined rate (there is nothing to divide by) is not".to_owned(),
        };
        // As an error is said, it is said however quiet the run is.
        printer::line(&format!("missed: {}: {found} {}", answer.name, percent(floor.0)));
    }
    verdict
}

/// With as many digits as tell a rate from its neighbours.
fn percent(rate: f64) -> String {
    format!("{}%", (rate * 1e8).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_reached_exactly() {
        let floor = |text: &str| text.parse::<Fraction>().unwrap();
        for (rate, text, reached) in [
            (Some(3.0 / 1000.0), "0.3%", true),
            (Some(7.0 / 100.0), "7%", true),
            (Some(0.0), "0%", true),
            (Some(0.069), "7%", false),
            (None, "0%", false),
        ] {
            assert_eq!(reaches(rate, floor(text)), reached, "{rate:?} {text}");
        }
        assert_eq!(["0.3%", "29%", "100%"].map(|text| percent(floor(text).0)), ["0.3%", "29%", "100%"]);
        assert_eq!(percent(160.0 / 600.0), "26.666667%");
    }
}
