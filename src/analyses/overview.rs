//! What is in a log at all: the most frequent events and pages. Asked by `clickpath inspect`.

use serde_json::{Map, Value, json};

use super::{Analysis, Bound, Common, Notes, Question};
use crate::error::Result;
use crate::ids::{Code, MISSING};
use crate::journeys::{Names, Needs, Unit, Visitor};
use crate::reports::{Cell, Report, Table};

/// Counts every event name and every page.
pub struct Overview {
    /// The shared rules, of which only those of sessions are in force.
    pub common: Common,
}

impl Question for Overview {
    fn schema(&self) -> &'static str {
        "clickpath.inspect/1"
    }

    fn rules(&self) -> Map<String, Value> {
        self.common.session_rules()
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.session_needs();
        (needs.scan.event, needs.scan.page, needs.scan.value) = (true, true, true);
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let sessions = self.common.session(names, notes)?;
        Ok(Box::new(BoundOverview { sessions, events: names.events.len(), pages: names.pages.len() }))
    }
}

struct BoundOverview {
    sessions: usize,
    events: usize,
    pages: usize,
}

#[derive(Clone)]
struct OverviewCounts {
    visitors: u64,
    sessions: u64,
    events: Vec<Count>,
    pages: Vec<Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    count: u64,
    visitors: u64,
}

/// The visitor that each name was last met with.
#[derive(Default)]
struct Work {
    visitor: u64,
    events: Vec<u64>,
    pages: Vec<u64>,
}

impl Analysis for BoundOverview {
    type Work = Work;
    type Partial = OverviewCounts;
    type Report = OverviewReport;

    fn unit(&self) -> Unit {
        Unit::Session(self.sessions)
    }

    fn empty(&self) -> OverviewCounts {
        let zeros = |names| vec![Count::default(); names];
        OverviewCounts { visitors: 0, sessions: 0, events: zeros(self.events), pages: zeros(self.pages) }
    }

    fn observe(&self, work: &mut Work, counts: &mut OverviewCounts, visitor: Visitor<'_>) {
        work.visitor += 1;
        counts.visitors += 1;
        counts.sessions += visitor.sessions(self.sessions).count() as u64;
        let whole = visitor.whole();
        count(whole.events(), work.visitor, &mut work.events, &mut counts.events);
        count(whole.pages(), work.visitor, &mut work.pages, &mut counts.pages);
    }

    fn merge(&self, into: &mut OverviewCounts, from: OverviewCounts) {
        let add = |into: &mut Vec<Count>, from: Vec<Count>| {
            for (into, from) in into.iter_mut().zip(from) {
                into.count += from.count;
                into.visitors += from.visitors;
            }
        };
        into.visitors += from.visitors;
        into.sessions += from.sessions;
        add(&mut into.events, from.events);
        add(&mut into.pages, from.pages);
    }

    fn finish(&self, counts: OverviewCounts, names: &Names) -> Result<OverviewReport> {
        let named = |counts: &[Count], name: &dyn Fn(Code) -> String| {
            let mut named: Vec<(String, Count)> = (1..counts.len() as Code)
                .map(|code| (name(code), counts[code as usize]))
                .filter(|(_, count)| count.count > 0)
                .collect();
            named.sort_by(|(a, x), (b, y)| y.count.cmp(&x.count).then_with(|| a.cmp(b)));
            named
        };
        Ok(OverviewReport {
            visitors: counts.visitors,
            sessions: counts.sessions,
            span: names.span,
            events: named(&counts.events, &|code| names.events.name(code).to_owned()),
            pages: named(&counts.pages, &|code| names.pages.name(code).to_owned()),
        })
    }

    fn bytes(&self, counts: &OverviewCounts) -> usize {
        (counts.events.capacity() + counts.pages.capacity()) * size_of::<Count>()
    }
}

fn count(codes: &[Code], visitor: u64, seen: &mut Vec<u64>, counts: &mut [Count]) {
    seen.resize(counts.len(), 0);
    for &code in codes.iter().filter(|code| **code != MISSING) {
        let count = &mut counts[code as usize];
        count.count += 1;
        count.visitors += u64::from(std::mem::replace(&mut seen[code as usize], visitor) != visitor);
    }
}

/// The names of a log and how often they occur.
struct OverviewReport {
    visitors: u64,
    sessions: u64,
    span: Option<(i64, i64)>,
    events: Vec<(String, Count)>,
    pages: Vec<(String, Count)>,
}

impl Report for OverviewReport {
    fn title(&self) -> String {
        "What is in the log".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        let time = |time: Option<i64>| time.map_or(Cell::Null, Cell::Time);
        let overview = Table {
            name: "log",
            columns: ["first_event", "last_event", "visitors", "sessions", "event_names", "pages"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![vec![
                time(self.span.map(|span| span.0)),
                time(self.span.map(|span| span.1)),
                Cell::Count(self.visitors),
                Cell::Count(self.sessions),
                Cell::Count(self.events.len() as u64),
                Cell::Count(self.pages.len() as u64),
            ]],
        };
        let named = |name, column: &str, counts: &[(String, Count)]| Table {
            name,
            columns: vec![column.to_owned(), "count".to_owned(), "visitors".to_owned()],
            rows: counts
                .iter()
                .map(|(name, count)| {
                    vec![Cell::Text(name.clone()), Cell::Count(count.count), Cell::Count(count.visitors)]
                })
                .collect(),
        };
        vec![overview, named("events", "event", &self.events), named("pages", "page", &self.pages)]
    }

    fn json(&self) -> Value {
        let named = |key: &str, counts: &[(String, Count)]| -> Vec<Value> {
            counts
                .iter()
                .map(|(name, count)| json!({ key: name, "count": count.count, "visitors": count.visitors }))
                .collect()
        };
        let time = |time: Option<i64>| time.map_or(Value::Null, |time| Cell::Time(time).json());
        json!({
            "first_event": time(self.span.map(|span| span.0)),
            "last_event": time(self.span.map(|span| span.1)),
            "visitors": self.visitors,
            "sessions": self.sessions,
            "events": named("event", &self.events),
            "pages": named("page", &self.pages),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyses::CommonSpec;
    use crate::testing::{ask, check_laws, logs, visitor};

    fn overview() -> Overview {
        Overview { common: CommonSpec::default().resolve(false).unwrap() }
    }

    #[test]
    fn names_are_counted_by_event_and_visitor() {
        let log = [visitor("1", "A@0 A@1 B@4000"), visitor("2", "A@0")].concat();
        let (report, _) = ask(&overview(), &log);
        assert_eq!(
            report["events"],
            json!([{"event": "A", "count": 3, "visitors": 2}, {"event": "B", "count": 1, "visitors": 1}])
        );
        assert_eq!((&report["visitors"], &report["sessions"]), (&json!(2), &json!(3)));
    }

    proptest::proptest! {
        #[test]
        fn the_laws_hold(log in logs()) {
            check_laws(&overview(), &log);
        }
    }
}
