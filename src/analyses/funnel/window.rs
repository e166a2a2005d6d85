//! How far the last step of an attempt may be from the first.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::units::Span;

/// How much time an attempt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Window {
    /// From the first step to the last, the far edge included.
    Of(Span),
    /// The session of the first step and so many less one after it.
    Sessions(u32),
    /// The first step and so many events less one after it.
    Events(u32),
    /// The session, which the grain must be.
    Session,
    /// As long as the log.
    None,
}

impl std::str::FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Window> {
        match text {
            "session" => Ok(Window::Session),
            "none" => Ok(Window::None),
            _ => match text.split_once(' ').map(|(count, unit)| (count.parse(), unit.trim())) {
                Some((Ok(count @ 1..), "session" | "sessions")) => Ok(Window::Sessions(count)),
                Some((Ok(count @ 1..), "event" | "events")) => Ok(Window::Events(count)),
                Some((Ok(_), "session" | "sessions" | "event" | "events")) => {
                    Err(Error::question(format!("{text:?} is no window: nothing is inside it"))
                        .hint("the first step counts: '1 session' is its own, '2 events' are it and the next one"))
                }
                _ => text.parse().map(Window::Of),
            },
        }
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Window::Of(span) => span.fmt(f),
            Window::Sessions(count) => write!(f, "{count} sessions"),
            Window::Events(count) => write!(f, "{count} events"),
            Window::Session => f.write_str("session"),
            Window::None => f.write_str("none"),
        }
    }
}

impl TryFrom<String> for Window {
    type Error = Error;

    fn try_from(text: String) -> Result<Window> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.to_string()
    }
}
