//! Answers that are a graph, for Graphviz: `dot -Tsvg graph.dot > graph.svg`.

use std::fmt::Write;

use super::drawing::{self, Drawing, DrawnNode, NodeKind};
use super::text::visible;
use super::{Answer, Format, Options, OutputFile};
use crate::error::Result;

/// Nodes with their counts, links as wide as they are frequent.
pub struct Dot;

/// What all drawings begin with.
const STYLE: &str = r##"  graph [rankdir=LR, labelloc=t, fontname="Helvetica,Arial,sans-serif"]
  node [shape=box, style="rounded,filled", fillcolor="#eef3fa", color="#5b7aa6", fontname="Helvetica,Arial,sans-serif"]
  edge [color="#5b7aa6", fontsize=10, fontname="Helvetica,Arial,sans-serif"]
"##;

impl Format for Dot {
    fn name(&self) -> &'static str {
        "dot"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["dot", "gv"]
    }

    fn render(&self, answers: &[Answer], _options: &Options) -> Result<Vec<u8>> {
        drawing::render(self, answers, text_of)
    }

    fn files(&self, answer: &Answer, _options: &Options) -> Result<Vec<OutputFile>> {
        Ok(drawing::files(self, answer, text_of))
    }
}

fn text_of(drawing: &Drawing, notes: &[String]) -> String {
    let mut text = format!("// {}\n// {}\n", visible(&drawing.title), drawing.size());
    for note in notes {
        _ = writeln!(text, "// note: {}", visible(note));
    }
    text.push_str("digraph clickpath {\n");
    text.push_str(STYLE);
    _ = writeln!(text, "  label=\"{}\"", escaped(&visible(&drawing.title)));
    for (number, node) in drawing.nodes.iter().enumerate() {
        let label = format!("{}\\n{}", escaped(&node.short_name()), node.line());
        _ = writeln!(text, "  n{number} [label=\"{label}\"{}]", look(node.kind));
    }
    text.push_str(&columns(&drawing.nodes));
    for link in &drawing.links {
        let (line, stroke) = (link.line(), drawing.stroke(link));
        _ = writeln!(text, "  n{} -> n{} [label=\"{line}\", penwidth={stroke}]", link.from, link.to);
    }
    text + "}\n"
}

/// How a node that is no common one differs.
fn look(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Node => "",
        NodeKind::Other => ", style=\"rounded,dashed\"",
        NodeKind::Start | NodeKind::End => ", shape=oval, style=filled, fillcolor=\"#dddddd\"",
    }
}

/// The nodes of one column stand above each other.
fn columns(nodes: &[DrawnNode]) -> String {
    let last = nodes.iter().filter_map(|node| node.column).max();
    let column = |column: usize| {
        let here = nodes.iter().enumerate().filter(|(_, node)| node.column == Some(column));
        let names: Vec<String> = here.map(|(number, _)| format!("n{number}")).collect();
        format!("  {{ rank=same; {} }}\n", names.join("; "))
    };
    last.map_or(String::new(), |last| (0..=last).map(column).collect())
}

/// What stands inside of quotes in a label: there a backslash and an ampersand mean more than themselves.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('&', "&amp;")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::super::drawing::fixtures::{chain, columns, graph};
    use super::super::fixtures::{answer, drawn, hostile_names};
    use super::*;

    #[test]
    fn a_graph_is_drawn_with_its_counts() {
        let expected = format!(
            r##"// Graph: transitions of sessions
// 4 nodes and 4 links
// note: the step purchase occurs nowhere
digraph clickpath {{
{STYLE}  label="Graph: transitions of sessions"
  n0 [label="start\n1,300", shape=oval, style=filled, fillcolor="#dddddd"]
  n1 [label="view_item\n2,000"]
  n2 [label="purchase\n40 · dropped 12"]
  n3 [label="end\n1,300", shape=oval, style=filled, fillcolor="#dddddd"]
  n0 -> n1 [label="1,300 · 100.0%", penwidth=8.0]
  n1 -> n1 [label="660 · 33.0%", penwidth=4.6]
  n1 -> n2 [label="40 · 2.0%", penwidth=1.2]
  n2 -> n3 [label="40", penwidth=1.2]
}}
"##
        );
        let bytes = Dot.render(&[drawn("graph", graph())], &Options::default()).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_flow_stands_in_columns() {
        let text = text_of(&columns(), &[]);
        assert!(text.contains("  { rank=same; n0 }\n  { rank=same; n1; n2 }\n"), "{text}");
        assert!(text.contains("  n2 [label=\"(other)\\n2\", style=\"rounded,dashed\"]\n"), "{text}");
    }

    #[test]
    fn a_job_draws_what_can_be_drawn() {
        let files = Dot.files(&drawn("graph", graph()), &Options::default()).unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["graph.dot"]);
        assert_eq!(Dot.files(&answer(vec![]), &Options::default()).unwrap(), []);
    }

    #[test]
    fn no_name_leaves_its_quotes() {
        let names = hostile_names();
        for line in text_of(&chain(&names), &names).lines().filter(|line| !line.starts_with("//")) {
            let mut outside = String::new();
            let (mut quoted, mut escaped) = (false, false);
            for character in line.chars() {
                match character {
                    '"' if !escaped => quoted = !quoted,
                    other if !quoted => outside.push(other),
                    _ => {}
                }
                escaped = quoted && character == '\\' && !escaped;
            }
            assert!(!quoted, "{line}");
            let ours = |c: char| c.is_ascii_alphanumeric() || " []{}=,;->.#".contains(c);
            assert!(outside.chars().all(ours), "{line}");
        }
    }

    /// The drawing of `dot`, the program, or nothing where it is not installed.
    fn svg(text: &str) -> Option<String> {
        let mut dot = Command::new("dot");
        let dot = dot.arg("-Tsvg").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = dot.spawn().ok()?;
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !complaints.contains("syntax error"), "{complaints}\n{text}");
        Some(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "a test says what it skips")]
    fn graphviz_draws_every_name_as_a_name() {
        let names = hostile_names();
        let Some(svg) = svg(&text_of(&chain(&names), &names)) else {
            println!("skipped: Graphviz's dot is not here");
            return;
        };
        let elements = |start: &str| svg.matches(start).count();
        assert_eq!(elements("class=\"node\""), names.len());
        assert_eq!(elements("class=\"edge\""), names.len() - 1);
        assert_eq!([elements("<script"), elements("<img"), elements("<a "), elements("<image")], [0; 4]);
        for node in ["evil", "n999"] {
            assert!(!svg.contains(&format!("<title>{node}</title>")), "a name became the node {node}");
        }
        // Each label is the name and its count.
        assert_eq!(elements(">1</text>"), names.len());
        assert!(svg.contains(r"C:\new\table\"), "{svg}");
    }
}
