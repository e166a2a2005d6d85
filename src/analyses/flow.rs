//! The behaviour flow: which nodes journeys are at by position, where they go next and where they end.

mod bound;
mod counts;
mod readings;
mod report;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::facts::{By, Facts};
use super::pattern::{BoundPattern, Occurrences};
use super::step::{Pattern, nowhere, parse_pattern};
use super::{Bound, Common, Grain, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Names, Needs};
use crate::reports::set_apart;
use crate::units::Top;
use bound::BoundFlow;
use counts::Numbers;
pub use readings::Direction;
use readings::{Anchor, Readings};
pub use report::{FlowLink, FlowNode, FlowReport};

/// What stands for the nodes of a column that are not shown by name.
const OTHER: &str = "(other)";

/// The question `flow`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct FlowSpec {
    /// How many columns, at most 50: the nodes of a journey up to this position; with --through so many to each side [default: 10]
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// How many nodes of each column are shown, or `all`; the rest are counted in one node (other), whose visitors are
    /// not known [default: 20]
    #[arg(long, value_name = "N")]
    pub top: Option<Top>,
    /// Read each journey from this node on, or from the first node of this pattern; journeys without it take no part [default: the
    /// first node]
    #[arg(long, value_name = "PATTERN")]
    pub start: Option<String>,
    /// Read each journey up to this node, or the last node of this pattern, and backwards unless told otherwise; with --start from there
    /// to the next of it [default: the last node]
    #[arg(long, value_name = "PATTERN")]
    pub end: Option<String>,
    /// Read each journey to both sides of this node, or of the first node of this pattern, which is position 0
    #[arg(long, value_name = "PATTERN")]
    pub through: Option<String>,
    /// Which places of --start, --end or --through: with `every` each is a reading of its own, and readings are counted, not journeys
    /// [default: first]
    #[arg(long, value_name = "WHICH")]
    pub occurrence: Option<Occurrences>,
    /// Whether positions count from the first node that is read or from the last [default: forwards; backwards with --end alone]
    #[arg(long, value_name = "DIRECTION")]
    pub direction: Option<Direction>,
    /// A column in front of the first: the values of this column of the log or fact of journeys, as --by takes them
    #[arg(long, value_name = "COLUMN")]
    pub from_dim: Option<String>,
    /// Count for each node and link also how many of its journeys have this node anywhere
    #[arg(long, value_name = "NODE")]
    pub highlight: Option<String>,
}

impl Spec for FlowSpec {
    type Report = SegmentedReport<FlowReport>;

    const NAME: &'static str = "flow";
    const ABOUT: &'static str =
        "The behaviour flow by position: where journeys are, where they go next and where they end";
    const EXAMPLES: &'static str = "\
clickpath flow sample-data/shop.csv.gz
clickpath flow sample-data/shop.csv.gz --depth 5 --top 3 --by platform
clickpath flow sample-data/shop.csv.gz --start add_to_cart --top all
clickpath flow sample-data/shop.csv.gz --end purchase --depth 4 --top 5
clickpath flow sample-data/shop.csv.gz --through cart --depth 2 --top 3";

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let depth = self.depth.unwrap_or(10);
        if !(1..=50).contains(&depth) {
            return Err(Error::question(format!("a flow has 1 to 50 columns, not {depth}"))
                .hint("give --depth a number from 1 to 50; whole journeys of any length are a question for paths"));
        }
        let (readings, scope) = (self.readings(&common)?, PathScope::new(common));
        let highlight = self.highlight.clone().map(|node| ("highlight", node));
        let hidden = |(_, node): &(&str, String)| scope.common.hide.contains(node);
        let anchors = readings.anchor.patterns().into_iter().map(|(option, pattern)| (option, pattern.to_string()));
        if let Some((option, node)) = anchors.chain(highlight).find(hidden) {
            return Err(Error::question(format!("--{option} names the hidden node {node:?}, which no journey shows"))
                .hint(format!("take it out of --{option} or out of --hide")));
        }
        if scope.grain == Grain::Visitor {
            By::refuse_session_facts(self.from_dim.as_slice())?;
        }
        let top = self.top.unwrap_or(Top::TWENTY);
        Ok(Box::new(Flow { scope, depth, top, readings, from_dim: self.from_dim, highlight: self.highlight }))
    }
}

impl FlowSpec {
    /// What of journeys is read. Refuses what contradicts itself, and options that would do nothing.
    fn readings(&self, common: &Common) -> Result<Readings<Pattern>> {
        let anchor = match (&self.through, &self.start, &self.end) {
            (Some(through), None, None) => Anchor::Through(through.clone()),
            (_, Some(start), Some(end)) => Anchor::Between(start.clone(), end.clone()),
            (_, Some(start), None) => Anchor::Start(start.clone()),
            (_, None, Some(end)) => Anchor::End(end.clone()),
            (None, None, None) => Anchor::Whole,
        };
        let otherwise = if matches!(anchor, Anchor::End(_)) { Direction::Backwards } else { Direction::Forwards };
        let direction = self.direction.unwrap_or(otherwise);
        let (through, placed) = (self.through.is_some(), !matches!(anchor, Anchor::Whole));
        let refused = [
            (
                through && (self.start.is_some() || self.end.is_some() || self.direction.is_some()),
                "--through reads both sides of a node, whole journeys and in no direction",
                "leave --through out, or --start, --end and --direction; --start A --end B reads from A to the next B",
            ),
            (
                !placed && self.occurrence.is_some(),
                "--occurrence chooses among the places of a node, and none is named",
                "name it with --start, --end or --through, or leave --occurrence out",
            ),
            (
                self.from_dim.is_some() && (through || direction == Direction::Backwards),
                "--from-dim is a column in front of the first node, and here positions do not count from it",
                "read forwards, with or without --start; or break the answer down with --by",
            ),
        ];
        if let Some((_, reason, hint)) = refused.into_iter().find(|(refused, ..)| *refused) {
            return Err(Error::question(reason).hint(hint));
        }
        let anchor = anchor.map(|text: &String| parse_pattern(text, &common.steps))?;
        Ok(Readings { anchor, occurrence: self.occurrence.unwrap_or_default(), direction })
    }
}

/// The question `flow`, as meant.
struct Flow {
    scope: PathScope,
    depth: u32,
    top: Top,
    readings: Readings<Pattern>,
    from_dim: Option<String>,
    highlight: Option<String>,
}

impl Question for Flow {
    fn schema(&self) -> &'static str {
        "clickpath.flow/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = self.scope.rules();
        rules.insert("depth".into(), json!(self.depth));
        rules.insert("top".into(), json!(self.top));
        rules.extend(self.readings.rules());
        let named = [("from_dim", &self.from_dim), ("highlight", &self.highlight)];
        rules.extend(named.into_iter().filter_map(|(rule, name)| Some((rule.to_owned(), json!(name.as_ref()?)))));
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.scope.needs();
        needs.add(By::needs(self.from_dim.as_slice()));
        let patterns = self.readings.anchor.patterns();
        patterns.iter().for_each(|(_, pattern)| pattern.needs(&self.scope.common.nodes, &mut needs));
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let view = self.scope.view(names, notes)?;
        let nodes = names.node_names(view.nodes);
        let from = self.from_dim.as_ref().map(|name| By::new(name, names)).transpose()?;
        let value = from.as_ref().and_then(|by| by.known(names)).and_then(|values| values.code(OTHER));
        for (what, _) in [("node", nodes.code(OTHER)), ("value", value)].iter().filter(|(_, code)| code.is_some()) {
            notes.tell(format!("the log has a {what} {OTHER} of its own: it is shown as {}", set_apart(OTHER, OTHER)));
        }
        let Readings { anchor, occurrence, direction } = &self.readings;
        let anchor = anchor.map(|pattern| BoundPattern::new(pattern, &self.scope.common, names, notes))?;
        let columns = self.readings.columns(self.depth);
        let flow = BoundFlow {
            title: format!("Flow: {}", self.readings.title(self.depth, self.scope.grain.journeys())),
            unit: self.scope.unit(names, notes)?,
            numbers: Numbers::new(columns.width, nodes.len())?,
            top: self.top,
            readings: Readings { anchor, occurrence: *occurrence, direction: *direction },
            columns,
            highlight: self.highlight.as_ref().map(|node| code(node, nodes, notes)),
            from: from.map(|by| (by, Facts::new(&self.scope.common.conventions, names))),
            view,
        };
        Ok(Box::new(Segmented::new(flow, &self.scope.common, names, notes)?))
    }
}

/// The code of a node. One that the log does not have is MISSING, where no place is: so no journey has it.
fn code(node: &str, nodes: &Dictionary, notes: &mut Notes) -> Code {
    let code = nodes.code(node).unwrap_or(MISSING);
    if code == MISSING {
        notes.warn(nowhere("highlighted node", node, nodes.iter()));
    }
    code
}
