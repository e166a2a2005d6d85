//! Answers for people: `--format table`.

mod rows;

use std::io::Write;

use arrow_schema::SchemaRef;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Row, TableComponent, Width};

use super::text::visible;
use super::{Answer, Cell, Format, Options, RowWriter, Table, footer, people, wanted_tables};
use crate::error::Result;

/// Blanks between two columns.
const GAP: u16 = 2;

/// Text columns are never wider than this, and are not made narrower than that to fit a terminal.
const WIDEST: u16 = 60;
const NARROWEST: u16 = 12;

/// Characters of a text that are laid out at all: enough for any width, and a page of a megabyte costs nothing.
const LONGEST: usize = 4 * WIDEST as usize;

/// A single row of more cells than this is shown upright.
const LONGEST_ROW: usize = 8;

/// Longer names of columns are shown in two lines.
const LONGEST_HEADING: usize = 14;

const BOLD: &str = "1";
const DIM: &str = "2";

/// Title, tables and footer, made to be read.
pub struct Terminal;

impl Format for Terminal {
    fn name(&self) -> &'static str {
        "table"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["txt"]
    }

    fn holds_notes(&self) -> bool {
        true
    }

    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>> {
        let alone = answers.len() == 1;
        let texts: Result<Vec<_>> = answers.iter().map(|answer| text_of(answer, alone, options)).collect();
        Ok(texts?.join("\n").into_bytes())
    }

    /// The first rows and how many more there are: for people, and so nothing that a job keeps.
    fn rows(&self, schema: &SchemaRef, out: Box<dyn Write + Send>, options: &Options) -> Result<Box<dyn RowWriter>> {
        Ok(Box::new(rows::FirstRows::new(schema, out, options.clone())))
    }
}

/// One answer, its parts a blank line apart.
fn text_of(answer: &Answer, alone: bool, options: &Options) -> Result<String> {
    let mut tables = wanted_tables(answer, options)?;
    if options.table.is_none() {
        tables.retain(|table| !answer.report.aside().contains(&table.name));
    }
    let named = tables.len() > 1;

    let mut parts = vec![styled(BOLD, &visible(&answer.report.title()), options)];
    for (place, table) in tables.iter().enumerate() {
        // A table by itself needs no name.
        let heading = named.then(|| styled(BOLD, table.name, options));
        let whole = match (alone, place) {
            (false, _) => "--format json".to_owned(),
            // The first is the one that csv writes unless told otherwise.
            (true, 0) if options.table.is_none() => "--format csv".to_owned(),
            (true, _) => format!("--format csv --table {}", table.name),
        };
        let lines = heading.into_iter().chain(table_lines(table, &whole, options));
        parts.push(lines.collect::<Vec<_>>().join("\n"));
    }
    let footer = footer::lines(answer).join("\n");
    parts.extend((!footer.is_empty()).then_some(footer));
    Ok(parts.join("\n\n") + "\n")
}

/// Header, rows and a count of the rows left out; `whole` are the flags that write them all.
fn table_lines(table: &Table, whole: &str, options: &Options) -> Vec<String> {
    let upright = upright(table);
    let table = upright.as_ref().unwrap_or(table);
    let shown = &table.rows[..table.rows.len().min(options.rows)];
    let mut lines: Vec<String> =
        laid_out(table, shown, options.width).lines().map(|line| line.trim_end().to_owned()).collect();
    for line in lines.iter_mut().take(header_height(table) + 1) {
        *line = styled(DIM, line, options);
    }
    if table.rows.is_empty() {
        lines.push("(no rows)".to_owned());
    }
    let hidden = table.rows.len() - shown.len();
    lines.extend(left_out(hidden as u64, whole));
    lines
}

/// How many rows are not shown, if there are such, and where they are.
fn left_out(hidden: u64, whole: &str) -> Option<String> {
    let rows = people::counted(hidden, "more row");
    (hidden > 0).then(|| format!("… and {rows}; {whole} has them all"))
}

/// A single long row as one line per value: nobody reads a row of 14 columns.
fn upright(table: &Table) -> Option<Table> {
    let [row] = &table.rows[..] else { return None };
    let lines = || table.columns.iter().zip(row);
    (row.len() > LONGEST_ROW).then(|| Table {
        name: table.name,
        columns: vec![String::new(), String::new()],
        rows: lines().map(|(column, cell)| vec![Cell::Text(column.clone()), cell.clone()]).collect(),
    })
}

/// A column's name in two lines where it is long, so that it does not widen a column of short numbers.
fn heading(name: &str) -> String {
    let middle = name.len() / 2;
    let places = name.match_indices('_').map(|(at, _)| at).filter(|_| name.len() > LONGEST_HEADING);
    match places.min_by_key(|at| at.abs_diff(middle)) {
        Some(at) => format!("{}\n{}", visible(&name[..at]), visible(&name[at + 1..])),
        None => visible(name).into_owned(),
    }
}

fn header_height(table: &Table) -> usize {
    table.columns.iter().map(|column| heading(column).lines().count()).max().unwrap_or(1).max(1)
}

/// `rows` in columns: text to the left, all else to the right, one line each.
fn laid_out(table: &Table, rows: &[Vec<Cell>], width: Option<usize>) -> comfy_table::Table {
    let mut grid = comfy_table::Table::new();
    grid.load_preset(NOTHING).set_style(TableComponent::HeaderLines, '─').set_truncation_indicator("…");
    grid.set_header(Row::from(table.columns.iter().map(|column| shortened(heading(column)))));
    for row in rows {
        grid.add_row(one_line(row.iter().map(people::cell)));
    }

    let is_text: Vec<bool> = (0..table.columns.len()).map(|column| holds_text(rows, column)).collect();
    let limit = text_limit(&grid.column_max_content_widths(), &is_text, width);
    let last = table.columns.len().saturating_sub(1);
    for ((place, column), is_text) in grid.column_iter_mut().enumerate().zip(is_text) {
        let gap = if place == last { 0 } else { GAP };
        // Visible text holds no NUL, so that a long text is cut where the width ends and not at its last blank.
        column.set_padding((0, gap)).set_delimiter('\0');
        if is_text {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(limit + gap)));
        } else {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    grid
}

fn one_line(cells: impl Iterator<Item = String>) -> Row {
    let mut row = Row::from(cells.map(shortened));
    row.max_height(1);
    row
}

/// Cuts what is far too long for any terminal: laying it out would take quadratic time.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn holds_text(rows: &[Vec<Cell>], column: usize) -> bool {
    rows.iter().any(|row| matches!(row.get(column), Some(Cell::Text(_))))
}

/// How wide text columns may be for the table to fit into `width`. Numbers are never cut: half a number is a wrong one.
fn text_limit(natural: &[u16], is_text: &[bool], width: Option<usize>) -> u16 {
    let Some(width) = width else { return WIDEST };
    let gaps = usize::from(GAP) * natural.len().saturating_sub(1);
    let fits = |limit: &u16| {
        let columns = natural.iter().zip(is_text);
        let used = columns.map(|(natural, text)| usize::from(if *text { *natural.min(limit) } else { *natural }));
        used.sum::<usize>() + gaps <= width
    };
    (NARROWEST..=WIDEST).rev().find(fits).unwrap_or(NARROWEST)
}

fn styled(style: &str, text: &str, options: &Options) -> String {
    if options.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
