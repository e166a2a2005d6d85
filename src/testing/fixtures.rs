//! Events in short, for tests.

use super::Event;

/// An event of visitor `visitor` at `seconds`.
pub fn event(visitor: &str, seconds: i64, name: &str) -> Event {
    Event {
        visitor: visitor.into(),
        time: seconds * 1_000_000,
        event: name.into(),
        page: String::new(),
        device: String::new(),
        value: None,
    }
}

/// One visitor's events, `name@seconds` with blanks between: `A@0 B@1`.
pub fn visitor(id: &str, events: &str) -> Vec<Event> {
    let parts = events.split_whitespace().map(|part| part.split_once('@').unwrap());
    parts.map(|(name, seconds)| event(id, seconds.parse().unwrap(), name)).collect()
}
