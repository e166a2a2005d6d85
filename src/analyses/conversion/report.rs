//! What conversion answers.

use serde_json::{Value, json};

use super::{GoalCounts, GrainCounts};
use crate::durations::Summary;
use crate::error::Result;
use crate::rates::{rate, wilson};
use crate::reports::{Cell, Report, Table};

/// The goals in the order in which they were named, and of how many sessions and visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversionReport {
    /// All sessions, converting or not.
    pub sessions: u64,
    /// All visitors, converting or not.
    pub visitors: u64,
    /// One for each goal, in the order in which they were named.
    pub goals: Vec<GoalReport>,
}

/// Who reaches one goal.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalReport {
    /// As the user wrote it.
    pub goal: String,
    /// Events that fit it.
    pub conversions: u64,
    /// Of these events, in millionths; nothing if none of them carries one.
    pub value: Option<i128>,
    /// Counted in sessions.
    pub session: GrainReport,
    /// Counted in visitors.
    pub visitor: GrainReport,
}

/// Who reaches a goal, counted in sessions or in visitors.
#[derive(Clone, Debug, PartialEq)]
pub struct GrainReport {
    /// Those with at least one event of the goal.
    pub converting: u64,
    /// Of all, as a fraction, and its 95 % interval; undefined if there are none.
    pub rate: Option<f64>,
    /// The Wilson 95 % interval of `rate`, low and high end as fractions; `None` if there are none.
    pub interval: Option<[f64; 2]>,
    /// Seconds from the first event to the first of the goal, over those who reach it; the percentile is the 90th.
    pub time: Option<Summary>,
    /// Nodes before the first event of the goal, over the same.
    pub steps: Option<Summary>,
}

impl GrainReport {
    fn new(counts: GrainCounts, all: u64) -> Result<GrainReport> {
        Ok(GrainReport {
            converting: counts.converting,
            rate: rate(counts.converting, all),
            interval: wilson(counts.converting, all),
            time: counts.times.summary(90)?,
            steps: counts.steps.summary(90)?,
        })
    }

    /// Converting, rate and its interval.
    fn cells(&self) -> [Cell; 4] {
        let [low, high] = self.interval.map_or([Cell::Null, Cell::Null], |interval| interval.map(Cell::Rate));
        [Cell::Count(self.converting), Cell::rate(self.rate), low, high]
    }
}

impl GoalReport {
    pub(super) fn new(goal: String, counts: GoalCounts, sessions: u64, visitors: u64) -> Result<GoalReport> {
        Ok(GoalReport {
            goal,
            conversions: counts.conversions,
            value: (counts.valued > 0).then_some(counts.value),
            session: GrainReport::new(counts.sessions, sessions)?,
            visitor: GrainReport::new(counts.visitors, visitors)?,
        })
    }

    fn value(&self) -> Cell {
        self.value.map_or(Cell::Null, Cell::Money)
    }

    fn cells(&self) -> Vec<Cell> {
        let front = [Cell::Text(self.goal.clone()), Cell::Count(self.conversions)];
        front.into_iter().chain(self.session.cells()).chain(self.visitor.cells()).chain([self.value()]).collect()
    }

    /// A row for each grain: how long it takes and how many nodes.
    fn to_goal(&self) -> [Vec<Cell>; 2] {
        [("session", &self.session), ("visitor", &self.visitor)].map(|(grain, of)| {
            let cells = |summary: Option<Summary>, cell: fn(f64) -> Cell| {
                summary.map_or([const { Cell::Null }; 3], |it| [it.mean, it.median, it.percentile].map(cell))
            };
            let front = [Cell::Text(self.goal.clone()), Cell::Text(grain.to_owned()), Cell::Count(of.converting)];
            let (times, steps) = (cells(of.time, Cell::Seconds), cells(of.steps, Cell::Number));
            front.into_iter().chain(times).chain(steps).collect()
        })
    }

    fn json(&self) -> Value {
        let numbers = |summary: Option<Summary>| {
            summary.map(|it| json!({ "mean": it.mean, "median": it.median, "p90": it.percentile }))
        };
        let (session, visitor) = (&self.session, &self.visitor);
        json!({
            "goal": self.goal,
            "conversions": self.conversions,
            "converting_sessions": session.converting,
            "converting_visitors": visitor.converting,
            "session_rate": session.rate,
            "visitor_rate": visitor.rate,
            "intervals": { "session_rate": session.interval, "visitor_rate": visitor.interval },
            "value": self.value().json(),
            "time_to_goal_s": { "session": numbers(session.time), "visitor": numbers(visitor.time) },
            "steps_to_goal": { "session": numbers(session.steps), "visitor": numbers(visitor.steps) },
        })
    }
}

impl Report for ConversionReport {
    fn title(&self) -> String {
        let goals: Vec<&str> = self.goals.iter().map(|goal| goal.goal.as_str()).collect();
        format!("Conversion of sessions and visitors: {}", goals.join(", "))
    }

    fn tables(&self) -> Vec<Table> {
        const GOALS: [&str; 11] = [
            "goal",
            "conversions",
            "converting_sessions",
            "session_rate",
            "session_rate_low",
            "session_rate_high",
            "converting_visitors",
            "visitor_rate",
            "visitor_rate_low",
            "visitor_rate_high",
            "value",
        ];
        const TO_GOAL: [&str; 9] = [
            "goal",
            "grain",
            "converting",
            "time_mean_s",
            "time_median_s",
            "time_p90_s",
            "steps_mean",
            "steps_median",
            "steps_p90",
        ];
        let to_goal = self.goals.iter().flat_map(GoalReport::to_goal).collect();
        vec![
            Table {
                name: "goals",
                columns: GOALS.map(str::to_owned).to_vec(),
                rows: self.goals.iter().map(GoalReport::cells).collect(),
            },
            Table { name: "to_goal", columns: TO_GOAL.map(str::to_owned).to_vec(), rows: to_goal },
        ]
    }

    fn json(&self) -> Value {
        let goals: Vec<Value> = self.goals.iter().map(GoalReport::json).collect();
        json!({ "sessions": self.sessions, "visitors": self.visitors, "goals": goals })
    }

    /// The session rate of the first goal.
    fn rate(&self) -> Option<f64> {
        self.goals.first().and_then(|goal| goal.session.rate)
    }
}
