//! An output format of one's own: every row of the first table as `key=value` pairs.

use clickpath::reports::{Answer, Cell, Format, Options};
use clickpath::{FunnelSpec, Result, Run};

struct Pairs;

impl Format for Pairs {
    fn name(&self) -> &'static str {
        "pairs"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["pairs"]
    }

    fn render(&self, answers: &[Answer], _options: &Options) -> Result<Vec<u8>> {
        let mut text = String::new();
        for table in answers.iter().filter_map(|answer| answer.report.tables().into_iter().next()) {
            for row in &table.rows {
                let values = table.columns.iter().zip(row).filter(|(_, cell)| **cell != Cell::Null);
                // As JSON a name out of a log cannot pass for something else.
                let pairs: Vec<String> = values.map(|(name, cell)| format!("{name}={}", cell.json())).collect();
                text += &(pairs.join(" ") + "\n");
            }
        }
        Ok(text.into_bytes())
    }
}

fn main() -> Result<()> {
    let mut run = Run::over(["sample-data/shop.csv.gz"]);
    run.ask(FunnelSpec::of("catalog > purchase"))?;
    let answers = run.answer()?.into_outcome().answers;
    let text = String::from_utf8_lossy(&Pairs.render(&answers, &Options::default())?).into_owned();
    assert!(text.starts_with("step=\"catalog\" entered=600 "), "{text}");
    Ok(())
}
