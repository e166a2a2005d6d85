//! Answers that are a graph, for Mermaid: GitHub and many wikis draw a code block called `mermaid`.

use std::fmt::Write;

use super::drawing::{self, Drawing, NodeKind};
use super::text::visible;
use super::{Answer, Format, Options, OutputFile};
use crate::error::Result;

/// Nodes with their counts, links as wide as they are frequent.
pub struct Mermaid;

/// Mermaid refuses larger drawings unless its `maxEdges` is raised.
const MOST_LINKS: usize = 500;

impl Format for Mermaid {
    fn name(&self) -> &'static str {
        "mermaid"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["mmd", "mermaid"]
    }

    fn render(&self, answers: &[Answer], _options: &Options) -> Result<Vec<u8>> {
        drawing::render(self, answers, text_of)
    }

    fn files(&self, answer: &Answer, _options: &Options) -> Result<Vec<OutputFile>> {
        Ok(drawing::files(self, answer, text_of))
    }
}

fn text_of(drawing: &Drawing, notes: &[String]) -> String {
    let mut text = format!("flowchart LR\n  %% {}\n  %% {}\n", escaped(&drawing.title), drawing.size());
    if drawing.links.len() > MOST_LINKS {
        _ = writeln!(text, "  %% Mermaid draws {MOST_LINKS} links unless its maxEdges is set higher");
    }
    for note in notes {
        _ = writeln!(text, "  %% note - {}", escaped(note));
    }
    for (number, node) in drawing.nodes.iter().enumerate() {
        let [open, close] = brackets(node.kind);
        let label = format!("{}<br/>{}", escaped(&node.short_name()), node.line());
        _ = writeln!(text, "  n{number}{open}\"{label}\"{close}");
    }
    for link in &drawing.links {
        _ = writeln!(text, "  n{} -->|\"{}\"| n{}", link.from, link.line(), link.to);
    }
    for (number, link) in drawing.links.iter().enumerate() {
        _ = writeln!(text, "  linkStyle {number} stroke-width:{}px", drawing.stroke(link));
    }
    text
}

/// The shape of a node.
fn brackets(kind: NodeKind) -> [&'static str; 2] {
    match kind {
        NodeKind::Node => ["[", "]"],
        NodeKind::Other => ["[/", "/]"],
        NodeKind::Start | NodeKind::End => ["([", "])"],
    }
}

/// Text in one line, in which everything that could mean something to Mermaid or to HTML is an entity of Mermaid.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (shown, mut before) = (visible(text), None);
    let mut rest = shown.chars().peekable();
    while let Some(character) = rest.next() {
        if is_plain(before, character, rest.peek().copied()) {
            escaped.push(character);
        } else {
            _ = write!(escaped, "#{};", u32::from(character));
        }
        before = Some(character);
    }
    escaped
}

/// Letters and digits of any script, and signs inside of words.
fn is_plain(before: Option<char>, character: char, after: Option<char>) -> bool {
    let in_word = || [before, after].iter().all(|beside| beside.is_some_and(char::is_alphanumeric));
    match character {
        // Mermaid itself writes entities with these, and reads those of a log as its own.
        'ﬂ' | '¶' | 'ß' | '°' => false,
        ',' | '/' => true,
        // Newer versions read labels as markdown: lists, emphasis, links to www.…
        ' ' | '-' => before.is_some(),
        '_' => in_word(),
        '.' => in_word() && before != Some('w') && before != Some('W'),
        other => other.is_alphanumeric() || !other.is_ascii(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::fixtures::{chain, columns, graph, link};
    use super::super::fixtures::{answer, drawn, hostile_names};
    use super::*;

    #[test]
    fn a_graph_is_drawn_with_its_counts() {
        let expected = r#"flowchart LR
  %% Graph#58; transitions of sessions
  %% 4 nodes and 4 links
  %% note - the step purchase occurs nowhere
  n0(["start<br/>1,300"])
  n1["view_item<br/>2,000"]
  n2["purchase<br/>40 · dropped 12"]
  n3(["end<br/>1,300"])
  n0 -->|"1,300 · 100.0%"| n1
  n1 -->|"660 · 33.0%"| n1
  n1 -->|"40 · 2.0%"| n2
  n2 -->|"40"| n3
  linkStyle 0 stroke-width:8.0px
  linkStyle 1 stroke-width:4.6px
  linkStyle 2 stroke-width:1.2px
  linkStyle 3 stroke-width:1.2px
"#;
        let bytes = Mermaid.render(&[drawn("graph", graph())], &Options::default()).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_job_draws_what_can_be_drawn() {
        let files = Mermaid.files(&drawn("flow", columns()), &Options::default()).unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["flow.mmd"]);
        assert_eq!(Mermaid.files(&answer(vec![]), &Options::default()).unwrap(), []);
    }

    #[test]
    fn more_links_than_mermaid_takes_are_said() {
        let many = |links| Drawing { links: vec![link(0, 0, 1, 1.0); links], ..chain(&["a".to_owned()]) };
        assert!(!text_of(&many(500), &[]).contains("maxEdges"));
        assert!(text_of(&many(501), &[]).contains("  %% Mermaid draws 500 links unless its maxEdges is set higher\n"));
    }

    #[test]
    fn names_become_entities() {
        let cases = [
            ("view_item", "view_item"),
            ("/größe/日本語/नमस्ते", "/grö#223;e/日本語/नमस्ते"),
            ("\"]", "#34;#93;"),
            ("<b>", "#60;b#62;"),
            ("#quot;", "#35;quot#59;"),
            ("1. one", "1#46; one"),
            ("- one", "#45; one"),
            ("_it_", "#95;it#95;"),
            ("www.evil.example", "www#46;evil.example"),
            ("/product/42.html", "/product/42.html"),
            ("two\nlines", "two#92;nlines"),
            ("ﬂ°°60¶ß", "#64258;#176;#176;60#182;#223;"),
        ];
        for (name, text) in cases {
            assert_eq!(escaped(name), text);
        }
    }

    /// The whole of what we write, as a grammar of lines; no more of Mermaid can be reached.
    fn is_ours(line: &str) -> bool {
        const TEXT: &str = r"(?:[\p{L}\p{M}\p{N}\p{S}\p{P}&&[^\x00-\x7fﬂ¶ß°]]|[A-Za-z0-9 _/.,-]|#[0-9]+;)*";
        const COUNT: &str = r"[0-9]{1,3}(?:,[0-9]{3})*(?: · [a-z]+ [0-9,]+)*(?: · [<>]?[0-9,.]+%)?";
        let forms = [
            "flowchart LR".to_owned(),
            format!("  %% {TEXT}"),
            format!(r#"  n[0-9]+(?:\["{TEXT}<br/>{COUNT}"\]|\(\["{TEXT}<br/>{COUNT}"\]\)|\[/"{TEXT}<br/>{COUNT}"/\])"#),
            format!(r#"  n[0-9]+ -->\|"{COUNT}"\| n[0-9]+"#),
            r"  linkStyle [0-9]+ stroke-width:[0-9]\.[0-9]px".to_owned(),
        ];
        forms.iter().any(|form| regex::Regex::new(&format!("^{form}$")).unwrap().is_match(line))
    }

    #[test]
    fn every_line_is_of_our_own_grammar() {
        let names = hostile_names();
        let texts = [text_of(&graph(), &names), text_of(&columns(), &[]), text_of(&chain(&names), &names)];
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(is_ours(line), "{line}");
            // Mermaid takes the semicolon off the end of what looks like a style with a colour in it.
            assert!(!line.contains("style") || !line.contains(':'), "{line}");
        }
        for foreign in ["  click n0 href \"x\"", "  n0[\"a\"b<br/>1\"]", "  %%{init}%%", "  style n0 fill:#f00", "end"]
        {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }
}
