//! The rules of the module written down a second time, as plainly as possible: one byte after the other, all in memory.

use crate::events::{Reason, shown};
use crate::sources::csv::record::Limits;
use crate::sources::testing::{Content, Record};

type Fields = Vec<Vec<u8>>;

pub fn content(text: &[u8], delimiter: u8, columns: usize, limits: Limits, first_line: u64) -> Content {
    let mut content = Content::default();
    let mut at = 0;
    while at < text.len() {
        let line = first_line + text[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        if text[at..].starts_with(b"\n") || text[at..].starts_with(b"\r\n") {
            at = line_end(text, at);
            continue;
        }
        let (mut end, mut verdict) = record(text, at, delimiter, limits);
        let known = end.min(at + limits.record);
        if end > known {
            end = line_end(text, known);
            verdict = Err(Reason::RecordTooLong);
        }
        match verdict.and_then(|fields| judge(fields, columns)) {
            Ok(fields) => content.records.push((line, fields)),
            Err(reason) => content.rejected.push((line, reason, shown(&text[at..known]))),
        }
        at = end;
    }
    content
}

fn judge(mut fields: Fields, columns: usize) -> Result<Record, Reason> {
    if fields.len() < columns {
        return Err(Reason::TooFewFields);
    }
    if fields.drain(columns..).any(|field| !field.is_empty()) {
        return Err(Reason::TooManyFields);
    }
    Ok(fields.into_iter().map(|field| Some(field).filter(|field| !field.is_empty())).collect())
}

/// The offset behind the first line feed from `at` on.
fn line_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < text.len() && text[end] != b'\n' {
        end += 1;
    }
    (end + 1).min(text.len())
}

/// The record at `start`: its end and its fields.
fn record(text: &[u8], start: usize, delimiter: u8, limits: Limits) -> (usize, Result<Fields, Reason>) {
    let mut fields = Vec::new();
    let mut at = start;
    loop {
        if at < text.len() && text[at] == b'"' {
            let Some((field, after)) = quoted(text, at, delimiter, limits) else {
                return (line_end(text, at), Err(Reason::StrayQuote));
            };
            fields.push(field);
            at = after;
        } else {
            let mut field = Vec::new();
            while at < text.len() && text[at] != delimiter && text[at] != b'\n' && !text[at..].starts_with(b"\r\n") {
                field.push(text[at]);
                at += 1;
            }
            fields.push(field);
        }
        if at == text.len() || text[at] != delimiter {
            return (line_end(text, at), Ok(fields));
        }
        at += 1;
    }
}

/// The quoted field at `opening` and the offset behind its closing quote, unless it is a stray.
fn quoted(text: &[u8], opening: usize, delimiter: u8, limits: Limits) -> Option<(Vec<u8>, usize)> {
    let mut field = Vec::new();
    let mut at = opening + 1;
    loop {
        if at == text.len() || at - opening + 1 > limits.quoted_bytes {
            return None;
        }
        if text[at..].starts_with(b"\"\"") {
            at += 1;
        } else if text[at] == b'"' {
            break;
        }
        field.push(text[at]);
        at += 1;
    }
    let lines = 1 + text[opening..at].iter().filter(|byte| **byte == b'\n').count();
    let rest = &text[at + 1..];
    let proper = rest.is_empty() || rest[0] == delimiter || rest[0] == b'\n' || rest.starts_with(b"\r\n");
    (proper && lines <= limits.quoted_lines).then_some((field, at + 1))
}
