//! A question of one's own: on how many different days does a visitor come?

use std::collections::BTreeMap;

use clickpath::analyses::{Analysis, Bound, Notes, Question};
use clickpath::journeys::{DAY, Names, Unit, Visitor};
use clickpath::reports::{Cell, PlainReport, Table};
use clickpath::{Result, Run};

struct Days;

impl Question for Days {
    fn schema(&self) -> &'static str {
        "example.days/1"
    }
    fn bind(&self, _: &Names, _: &mut Notes) -> Result<Box<dyn Bound>> {
        Ok(Box::new(Days))
    }
}

impl Analysis for Days {
    type Work = ();
    /// Visitors by their number of days.
    type Partial = BTreeMap<usize, u64>;
    type Report = PlainReport;

    fn unit(&self) -> Unit {
        Unit::Visitor
    }
    fn empty(&self) -> Self::Partial {
        BTreeMap::new()
    }
    fn observe(&self, _: &mut (), visitors: &mut Self::Partial, visitor: Visitor<'_>) {
        let day = |time: &i64| time.div_euclid(DAY);
        let days = visitor.whole().times().chunk_by(|a, b| day(a) == day(b)).count();
        *visitors.entry(days).or_default() += 1;
    }
    fn merge(&self, into: &mut Self::Partial, from: Self::Partial) {
        from.into_iter().for_each(|(days, visitors)| *into.entry(days).or_default() += visitors);
    }
    fn finish(&self, visitors: Self::Partial, _: &Names) -> Result<PlainReport> {
        let rows = visitors.iter().map(|(&days, &visitors)| vec![Cell::Count(days as u64), Cell::Count(visitors)]);
        let columns = vec!["days".into(), "visitors".into()];
        let table = Table { name: "days", columns, rows: rows.collect() };
        Ok(PlainReport { title: "Visitors by number of days".into(), tables: vec![table] })
    }
}

fn main() -> Result<()> {
    let mut run = Run::over(["sample-data/shop.csv.gz"]);
    let days = run.ask_question::<PlainReport>("days", Box::new(Days));
    let answers = run.answer()?;
    assert_eq!(answers.report(days).tables[0].rows[0], [Cell::Count(3), Cell::Count(88)]);
    Ok(())
}
