//! What a run says about its input: too many bad records, notes, and the account.

use serde_json::{Map, Value, json};

use super::Limits;
use super::fold::Extent;
use super::open::OpenFile;
use crate::error::{Error, Result};
use crate::events::{Account, Reason};

/// Too many rejected records are an error.
pub(super) fn check_rejects(account: &Account, files: &[OpenFile], limits: &Limits) -> Result<()> {
    let rejected = account.rejected();
    let share = rejected as f64 / account.records.max(1) as f64;
    let allowed = if limits.strict { 0.0 } else { limits.max_rejects };
    if rejected == 0 || share <= allowed {
        return Ok(());
    }
    let reasons: Vec<String> = account.rejected.keys().map(|reason| rejected_note(account, *reason, files)).collect();
    let message = format!("{rejected} of {} records cannot be used: {}", account.records, reasons.join("; "));
    let hint = if limits.strict {
        "without --strict such records are skipped and counted"
    } else {
        "check the columns and the time format with clickpath inspect, write the bad records out with --rejects FILE, or accept more with --max-rejects"
    };
    Err(Error::input(message).hint(hint))
}

/// `3 unreadable time (first: line 7 of log.csv: …)`.
fn rejected_note(account: &Account, reason: Reason, files: &[OpenFile]) -> String {
    let count = account.rejected[&reason];
    let Some(first) = account.first.get(&reason) else { return format!("{count} × {}", reason.name()) };
    let text = first.reject.text.as_deref().map(|text| {
        let shown = String::from_utf8_lossy(text);
        let cut: String = shown.chars().take(80).collect();
        format!(": {cut:?}")
    });
    let path = files[first.file].facts.path.display();
    // Typed files have rows and no text.
    let unit = if text.is_some() { "line" } else { "row" };
    format!("{count} × {} (first: {unit} {} of {path}{})", reason.name(), first.reject.place, text.unwrap_or_default())
}

/// What a reader of any answer must know about the input.
pub(super) fn notes(account: &Account, files: &[OpenFile]) -> Vec<String> {
    let mut notes: Vec<String> = account.rejected.keys().map(|reason| rejected_note(account, *reason, files)).collect();
    if let Some(first) = notes.first_mut() {
        first.insert_str(0, "rejected records: ");
    }
    let clock = account.clock;
    for (count, what) in [
        (clock.repeated, "local times occur twice (end of summer time) and were read as the first"),
        (clock.skipped, "local times do not exist (start of summer time) and were moved forward"),
        (clock.leap, "leap seconds were read as the second before"),
    ] {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    notes
}

/// The account of a question as it stands in every report: `extent` is what it looked at, `rule` is the number of its session rule if
/// it has one, and `left_out` counts the journeys that it was not about.
pub(super) fn account(account: &Account, extent: &Extent, rule: Option<usize>, left_out: u64) -> Map<String, Value> {
    let Value::Object(mut map) = json!({
        "records": account.records,
        "events_read": account.events_read(),
        "used": extent.events,
        "filtered": account.filtered + (account.used - extent.events),
        "duplicates": account.duplicates,
        "rejected": account.rejected(),
        "rejected_reasons": account.rejected.iter().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect::<Map<_, _>>(),
        "nulled": account.nulled,
        "visitors": extent.visitors,
        "sessions": rule.map(|rule| extent.sessions.get(rule).copied().unwrap_or(0)),
    }) else {
        return Map::new();
    };
    if left_out > 0 {
        map.insert("journeys_left_out".to_owned(), json!(left_out));
    }
    map
}
