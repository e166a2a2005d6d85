//! One tidy table as a GitHub pipe table.
//!
//! Values are those of CSV; columns are not padded, so that a longer name does not touch every line of a diff. A name out of a log
//! is shown as it is: it opens no cell, no element, no emphasis and, where the reader sees source and text alike, no link.

use super::text::visible;
use super::{Answer, Cell, Format, Options, OutputFile, Table, number, only_table, table_files};
use crate::error::Result;

/// The report's first table, or the one asked for.
pub struct Markdown;

impl Format for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["md", "markdown"]
    }

    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>> {
        Ok(text_of(&only_table(self, answers, options)?).into_bytes())
    }

    fn files(&self, answer: &Answer, _options: &Options) -> Result<Vec<OutputFile>> {
        table_files(self, answer, |table| Ok(text_of(table).into_bytes()))
    }
}

fn text_of(table: &Table) -> String {
    let mut text = String::new();
    push_line(&mut text, table.columns.iter().map(|column| escaped(column)));
    push_line(&mut text, (0..table.columns.len()).map(|column| rule(table, column).to_owned()));
    for row in &table.rows {
        push_line(&mut text, row.iter().map(field));
    }
    text
}

fn push_line(text: &mut String, fields: impl Iterator<Item = String>) {
    text.push('|');
    for field in fields {
        text.push(' ');
        text.push_str(&field);
        text.push_str(if field.is_empty() { "|" } else { " |" });
    }
    text.push('\n');
}

/// Text stands to the left, all else to the right.
fn rule(table: &Table, column: usize) -> &'static str {
    let mut cells = table.rows.iter().filter_map(|row| row.get(column)).filter(|cell| **cell != Cell::Null);
    match cells.next() {
        Some(Cell::Text(_)) | None => "---",
        Some(_) => "---:",
    }
}

/// A value as data; null is an empty cell.
fn field(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => escaped(text),
        Cell::Count(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Rate(value) | Cell::Seconds(value) | Cell::Number(value) => number::float(*value).unwrap_or_default(),
        Cell::Money(millionths) => number::money(*millionths),
        Cell::Time(micros) => number::time(*micros).unwrap_or_default(),
    }
}

/// Text that says itself and does nothing.
fn escaped(text: &str) -> String {
    let shown = visible(text);
    let mut escaped = String::with_capacity(shown.len());
    let mut before = ' ';
    let mut rest = shown.chars().peekable();
    while let Some(character) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // A mention of somebody, or an address.
            '@' => escaped.push_str("&#64;"),
            '|' | '\\' | '`' | '*' | '[' | ']' | '~' | '$' | '#' | '!' => escaped.extend(['\\', character]),
            // Inside of a word it emphasises nothing, and `add_to_cart` stays readable.
            '_' if !(before.is_alphanumeric() && after.is_alphanumeric()) => escaped.push_str("\\_"),
            // `https://…` and `www.…` would become links.
            '/' if before == ':' && after == '/' => escaped.push_str("&#47;"),
            '.' if ends_in_www(&escaped) => escaped.push_str("&#46;"),
            _ => escaped.push(character),
        }
        before = character;
    }
    escaped
}

fn ends_in_www(text: &str) -> bool {
    text.as_bytes().last_chunk::<3>().is_some_and(|end| end.eq_ignore_ascii_case(b"www"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{answer, every_kind, hostile_names, table, text};
    use super::*;

    fn rendered(table: Table) -> String {
        String::from_utf8(Markdown.render(&[answer(vec![table])], &Options::default()).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_written_as_data() {
        let expected = "\
| step | entered | of_first | time_s | lift | value | at |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| view_item | 31106 | 1.0 | 161.25 | -3.5 | -1234.5 | 2024-03-13T10:21:14Z |
| purchase | 0 | | | | | |
";
        assert_eq!(rendered(every_kind()), expected);
    }

    #[test]
    fn names_say_themselves() {
        let cases = [
            ("add_to_cart", "add_to_cart"),
            ("/product/42.html", "/product/42.html"),
            ("a > b (direct)", "a &gt; b (direct)"),
            ("a|b", r"a\|b"),
            (r"a\|b", r"a\\\|b"),
            ("two\nlines", r"two\\nlines"),
            ("`code`", r"\`code\`"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("&lt;", "&amp;lt;"),
            ("*b* _i_ ~s~", r"\*b\* \_i\_ \~s\~"),
            ("![x](javascript:y)", r"\!\[x\](javascript:y)"),
            ("https://evil.example", "https:&#47;/evil.example"),
            ("WWW.evil.example", "WWW&#46;evil.example"),
            ("@team", "&#64;team"),
            ("gpj.\u{202e}exe", r"gpj.\\u{202e}exe"),
        ];
        for (name, shown) in cases {
            assert_eq!(escaped(name), shown);
        }
    }

    #[test]
    fn no_name_changes_the_shape_of_the_table() {
        for name in hostile_names() {
            let markdown = rendered(table("names", &[&name, "n"], vec![vec![text(&name), Cell::Count(1)]]));
            let lines: Vec<&str> = markdown.lines().collect();
            assert_eq!(lines.len(), 3, "{markdown}");
            for line in lines {
                assert_eq!(bars(line), 3, "{line}");
                assert!(!line.contains(['<', '\t', '\r', '\u{1b}', '\u{202e}']), "{line}");
            }
        }
    }

    /// Bars that no backslash takes the meaning from.
    fn bars(line: &str) -> usize {
        let mut escaped = false;
        let mut bars = 0;
        for character in line.chars() {
            bars += usize::from(character == '|' && !escaped);
            escaped = character == '\\' && !escaped;
        }
        bars
    }
}
