//! Answers that are a graph: what the formats that draw share.

use std::borrow::Cow;

use super::text::visible;
use super::{Answer, Format, OutputFile, people, suffix};
use crate::error::{Error, Result};

/// Nodes and the links between them, both in the order of the report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    /// One line that says what is drawn.
    pub title: String,
    /// The nodes, which links name by their places here.
    pub nodes: Vec<DrawnNode>,
    /// The links between them.
    pub links: Vec<DrawnLink>,
    /// Nodes that are left out because no link of theirs is drawn.
    pub loose: u64,
}

/// A node of a drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnNode {
    /// What it stands for, and so its shape.
    pub kind: NodeKind,
    /// Its name, out of a log: hostile until escaped.
    pub name: String,
    /// How often it occurs.
    pub count: u64,
    /// What else is known of it, as a word of ours and a number: `("dropped", 12)`. Nothing is said of zero.
    pub facts: Vec<(&'static str, u64)>,
    /// The column that it stands in, from 0, if the drawing has columns.
    pub column: Option<usize>,
}

/// What a node stands for, which decides its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A node of journeys.
    Node,
    /// Those that are not shown by name.
    Other,
    /// Where journeys begin.
    Start,
    /// Where journeys end.
    End,
}

/// A link of a drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnLink {
    /// Numbers of the two nodes.
    pub from: usize,
    /// The number of the node that it leads to.
    pub to: usize,
    /// How often it occurs.
    pub count: u64,
    /// The share of the link in all occurrences of the node before it, if there is one.
    pub share: Option<f64>,
}

/// Characters of a name that are drawn: a longer one would leave no room for the others.
const LONGEST: usize = 60;

/// Strokes of links, in pixels: from that of the rarest to that of the most frequent.
const STROKES: [f64; 2] = [1.0, 8.0];

impl Drawing {
    /// The same without the nodes that have no link.
    #[must_use]
    pub fn without_loose_nodes(mut self) -> Drawing {
        let mut linked = vec![false; self.nodes.len()];
        self.links.iter().for_each(|link| (linked[link.from], linked[link.to]) = (true, true));
        let numbers: Vec<usize> =
            linked.iter().scan(0, |next, &linked| Some(std::mem::replace(next, *next + usize::from(linked)))).collect();
        for link in &mut self.links {
            (link.from, link.to) = (numbers[link.from], numbers[link.to]);
        }
        let before = self.nodes.len();
        let mut linked = linked.into_iter();
        self.nodes.retain(|_| linked.next() == Some(true));
        self.loose += (before - self.nodes.len()) as u64;
        self
    }

    /// `12 nodes and 40 links; 3 nodes have none and are left out`
    pub fn size(&self) -> String {
        let (nodes, links) = (self.nodes.len() as u64, self.links.len() as u64);
        let drawn = format!("{} and {}", people::counted(nodes, "node"), people::counted(links, "link"));
        match self.loose {
            0 => drawn,
            1 => format!("{drawn}; 1 node has none and is left out"),
            loose => format!("{drawn}; {} nodes have none and are left out", people::count(loose)),
        }
    }

    /// How thick a link is drawn, by its share of the most frequent one: `4.5`.
    pub fn stroke(&self, link: &DrawnLink) -> String {
        let most = self.links.iter().map(|link| link.count).max().unwrap_or(0).max(1);
        let [least, full] = STROKES;
        format!("{:.1}", least + (full - least) * link.count as f64 / most as f64)
    }
}

impl DrawnNode {
    /// Its name as far as it is drawn, in one line, with nothing hidden in it. Not yet escaped for any format.
    pub fn short_name(&self) -> Cow<'_, str> {
        short(&self.name)
    }

    /// What stands below the name: `1,234 · dropped 12`.
    pub fn line(&self) -> String {
        let known = self.facts.iter().filter(|(_, count)| *count > 0);
        let facts = known.map(|(word, count)| format!("{word} {}", people::count(*count)));
        std::iter::once(people::count(self.count)).chain(facts).collect::<Vec<_>>().join(" · ")
    }
}

impl DrawnLink {
    /// `1,234 · 45.6%`
    pub fn line(&self) -> String {
        let share = self.share.map(|share| format!(" · {}", people::rate(share)));
        people::count(self.count) + &share.unwrap_or_default()
    }
}

/// `text` in one line, with nothing hidden in it, cut where it is long.
pub fn short(text: &str) -> Cow<'_, str> {
    let end = text.char_indices().nth(LONGEST).map(|(end, _)| end);
    // Cut before it is made visible, so that no escape is cut in half.
    match end {
        None => visible(text),
        Some(end) => Cow::Owned(format!("{}…", visible(&text[..end]))),
    }
}

/// The answer of a run that `format`, which holds one drawing, is to draw.
fn only_drawing<'a>(format: &dyn Format, answers: &'a [Answer]) -> Result<(&'a Answer, Drawing)> {
    let drawn = |answer: &'a Answer| Some((answer, answer.report.drawing()?));
    let mut drawings: Vec<_> = answers.iter().filter_map(drawn).collect();
    match (drawings.pop(), drawings.is_empty()) {
        (Some(drawing), true) => Ok(drawing),
        (None, _) => {
            let names: Vec<&str> = answers.iter().map(|answer| answer.name.as_str()).collect();
            let message = format!("{} draws nodes and links, and {} has none", format.name(), names.join(", "));
            Err(Error::question(message).hint("the answers of flow, graph and gaps can be drawn"))
        }
        (Some((last, _)), false) => {
            let others = drawings.iter().map(|(answer, _)| answer.name.as_str());
            let names: Vec<&str> = others.chain([last.name.as_str()]).collect();
            let message =
                format!("{} holds one drawing, and there are {}: {}", format.name(), names.len(), names.join(", "));
            Err(Error::question(message)
                .hint("ask one of them alone, or all in a job, where each becomes its own file"))
        }
    }
}

/// The one answer that can be drawn, as `text` writes it with its notes.
pub(super) fn render(
    format: &dyn Format,
    answers: &[Answer],
    text: fn(&Drawing, &[String]) -> String,
) -> Result<Vec<u8>> {
    let (answer, drawing) = only_drawing(format, answers)?;
    Ok(text(&drawing, &answer.notes).into_bytes())
}

/// The file of an answer of a job, if it can be drawn.
pub(super) fn files<F: Format>(
    format: &F,
    answer: &Answer,
    text: fn(&Drawing, &[String]) -> String,
) -> Vec<OutputFile> {
    let file = |drawing: Drawing| OutputFile {
        name: format!("{}.{}", answer.name, suffix(format)),
        bytes: text(&drawing, &answer.notes).into_bytes(),
    };
    answer.report.drawing().map(file).into_iter().collect()
}

/// Fixtures of drawings, for the formats that draw.
#[cfg(test)]
pub(super) mod fixtures {
    use super::*;

    pub fn node(kind: NodeKind, name: &str, count: u64) -> DrawnNode {
        DrawnNode { kind, name: name.to_owned(), count, facts: Vec::new(), column: None }
    }

    pub fn link(from: usize, to: usize, count: u64, share: f64) -> DrawnLink {
        DrawnLink { from, to, count, share: Some(share) }
    }

    /// A graph with both ends and a loop.
    pub fn graph() -> Drawing {
        Drawing {
            title: "Graph: transitions of sessions".to_owned(),
            nodes: vec![
                node(NodeKind::Start, "start", 1_300),
                node(NodeKind::Node, "view_item", 2_000),
                DrawnNode { facts: vec![("dropped", 12), ("beyond", 0)], ..node(NodeKind::Node, "purchase", 40) },
                node(NodeKind::End, "end", 1_300),
            ],
            links: vec![
                link(0, 1, 1_300, 1.0),
                link(1, 1, 660, 0.33),
                link(1, 2, 40, 0.02),
                DrawnLink { share: None, ..link(2, 3, 40, 1.0) },
            ],
            loose: 0,
        }
    }

    /// A flow of two columns.
    pub fn columns() -> Drawing {
        let at = |column, kind, name, count| DrawnNode { column: Some(column), ..node(kind, name, count) };
        Drawing {
            title: "Flow: the first 2 nodes of sessions".to_owned(),
            nodes: vec![
                at(0, NodeKind::Node, "home", 3),
                at(1, NodeKind::Node, "home", 1),
                at(1, NodeKind::Other, "(other)", 2),
            ],
            links: vec![link(0, 1, 1, 1.0 / 3.0), link(0, 2, 2, 2.0 / 3.0)],
            loose: 0,
        }
    }

    /// Every name as a node of a chain.
    pub fn chain(names: &[String]) -> Drawing {
        Drawing {
            title: names.join(" "),
            nodes: names.iter().map(|name| node(NodeKind::Node, name, 1)).collect(),
            links: (1..names.len()).map(|to| link(to - 1, to, 1, 1.0)).collect(),
            loose: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{answer, drawn};
    use super::super::{dot::Dot, mermaid::Mermaid};
    use super::*;

    #[test]
    fn lines_say_what_is_known() {
        let graph = fixtures::graph();
        let lines: Vec<String> = graph.nodes.iter().map(DrawnNode::line).collect();
        assert_eq!(lines, ["1,300", "2,000", "40 · dropped 12", "1,300"]);
        let lines: Vec<String> = graph.links.iter().map(DrawnLink::line).collect();
        assert_eq!(lines, ["1,300 · 100.0%", "660 · 33.0%", "40 · 2.0%", "40"]);
        assert_eq!(graph.size(), "4 nodes and 4 links");
    }

    #[test]
    fn nodes_without_links_go_and_are_counted() {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let loose = |links| Drawing { links, ..fixtures::chain(&names) }.without_loose_nodes();
        let drawing = loose(vec![fixtures::link(3, 1, 1, 1.0), fixtures::link(3, 3, 1, 1.0)]);
        assert_eq!(drawing.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(drawing.links, [fixtures::link(1, 0, 1, 1.0), fixtures::link(1, 1, 1, 1.0)]);
        assert_eq!(drawing.size(), "2 nodes and 2 links; 2 nodes have none and are left out");
        assert_eq!(loose(vec![]).size(), "0 nodes and 0 links; 4 nodes have none and are left out");
        assert_eq!(fixtures::graph().without_loose_nodes(), fixtures::graph());
    }

    #[test]
    fn strokes_grow_with_the_count() {
        let graph = fixtures::graph();
        let strokes: Vec<String> = graph.links.iter().map(|link| graph.stroke(link)).collect();
        assert_eq!(strokes, ["8.0", "4.6", "1.2", "1.2"]);
        let nothing = Drawing { links: vec![fixtures::link(0, 0, 0, 0.0)], ..Drawing::default() };
        assert_eq!(nothing.stroke(&nothing.links[0]), "1.0");
    }

    #[test]
    fn long_names_are_cut_and_none_in_the_middle_of_an_escape() {
        assert_eq!(short("view_item"), "view_item");
        assert_eq!(short(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(short(&"é".repeat(61)), "é".repeat(60) + "…");
        assert_eq!(short(&("a".repeat(59) + "\u{202e}bc")), "a".repeat(59) + "\\u{202e}…");
    }

    #[test]
    fn one_drawing_is_drawn_and_none_or_two_are_refused() {
        let plain = || answer(vec![]);
        let (graph, flow) = (drawn("graph", fixtures::graph()), drawn("flow", fixtures::columns()));
        let error = only_drawing(&Dot, &[plain()]).err().unwrap();
        assert_eq!(error.to_string(), "dot draws nodes and links, and checkout has none");
        assert_eq!(error.advice(), Some("the answers of flow, graph and gaps can be drawn"));
        let only = [plain(), graph];
        assert_eq!(only_drawing(&Dot, &only).unwrap().0.name, "graph");
        let [_, graph] = only;
        let error = only_drawing(&Mermaid, &[flow, graph]).err().unwrap();
        assert_eq!(error.to_string(), "mermaid holds one drawing, and there are 2: flow, graph");
        let hint = "ask one of them alone, or all in a job, where each becomes its own file";
        assert_eq!(error.advice(), Some(hint));
    }
}
