//! What conversion answers.

use serde_json::{Value, json};

use super::{GoalCounts, GrainCounts};
use crate::durations::Summary;
use crate::rates::{rate, wilson};
use crate::reports::{Cell, Report, Table};

/// The goals in the order in which they were named, and of how many sessions and visitors.
pub(super) struct ConversionReport {
    pub sessions: u64,
    pub visitors: u64,
    pub goals: Vec<GoalRow>,
}

pub(super) struct GoalRow {
    goal: String,
    conversions: u64,
    /// In millionths; nothing if no event of the goal carries one.
    value: Option<i128>,
    session: Grain,
    visitor: Grain,
}

/// A goal at one grain.
struct Grain {
    converting: u64,
    rate: Option<f64>,
    interval: Option<[f64; 2]>,
    /// Of those who reach the goal.
    time: Option<Summary>,
    steps: Option<Summary>,
}

impl Grain {
    fn new(counts: GrainCounts, all: u64) -> Grain {
        Grain {
            converting: counts.converting,
            rate: rate(counts.converting, all),
            interval: wilson(counts.converting, all),
            time: counts.times.summary(90),
            steps: counts.steps.summary(90),
        }
    }

    /// Converting, rate and its interval.
    fn cells(&self) -> [Cell; 4] {
        let [low, high] = self.interval.map_or([Cell::Null, Cell::Null], |interval| interval.map(Cell::Rate));
        [Cell::Count(self.converting), Cell::rate(self.rate), low, high]
    }
}

impl GoalRow {
    pub fn new(goal: String, counts: GoalCounts, sessions: u64, visitors: u64) -> GoalRow {
        GoalRow {
            goal,
            conversions: counts.conversions,
            value: (counts.valued > 0).then_some(counts.value),
            session: Grain::new(counts.sessions, sessions),
            visitor: Grain::new(counts.visitors, visitors),
        }
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
        let to_goal = self.goals.iter().flat_map(GoalRow::to_goal).collect();
        vec![
            Table {
                name: "goals",
                columns: GOALS.map(str::to_owned).to_vec(),
                rows: self.goals.iter().map(GoalRow::cells).collect(),
            },
            Table { name: "to_goal", columns: TO_GOAL.map(str::to_owned).to_vec(), rows: to_goal },
        ]
    }

    fn json(&self) -> Value {
        let goals: Vec<Value> = self.goals.iter().map(GoalRow::json).collect();
        json!({ "sessions": self.sessions, "visitors": self.visitors, "goals": goals })
    }

    /// The session rate of the first goal.
    fn rate(&self) -> Option<f64> {
        self.goals.first().and_then(|goal| goal.session.rate)
    }
}
