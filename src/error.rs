//! What can go wrong, sorted by who is to blame.
//!
//! An [`Error`] is one boxed word wide, so that a `Result` stays cheap on hot paths. Its message says what happened in
//! lower case and without advice; the advice is the separate [`Error::hint`], which the program prints after a blank line.

use std::fmt;
use std::path::Path;

/// The result of all that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The one error type of the crate.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

/// Who is to blame, and so what the reader can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: a file is missing, unreadable or not writable.
    Io,
    /// The bytes of an input are not what its format promises.
    Input,
    /// The columns of an input do not give the roles that the questions need.
    Mapping,
    /// A question, flag or job file is ill-posed or contradicts itself.
    Question,
    /// The answer does not fit into the memory or the limits that were given.
    Limit,
    /// clickpath is wrong: please report it.
    Bug,
}

impl Error {
    /// An error of `kind` with a message in lower case that says what happened.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), hint: None }))
    }

    /// An [input](ErrorKind::Input) error: the bytes of an input are to blame.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// A [mapping](ErrorKind::Mapping) error: the columns of an input are to blame.
    pub fn mapping(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mapping, message)
    }

    /// A [question](ErrorKind::Question) error: what was asked is to blame.
    pub fn question(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Question, message)
    }

    /// A [limit](ErrorKind::Limit) error: memory or another limit is too small.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// A [bug](ErrorKind::Bug): something that cannot happen did.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, message)
    }

    /// An input/output error about `path`.
    pub fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{}: {error}", path.display()))
    }

    /// The same error with advice: a sentence that says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error with `context` and a colon before its message.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// Who is to blame.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it, if the place that failed knew.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {}

/// The candidate that is nearest to `word`, if one is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    if lower.is_empty() {
        return None;
    }
    let likeness = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let slips = strsim::osa_distance(&lower, &candidate);
        let score = strsim::jaro_winkler(&lower, &candidate);
        (score >= 0.84 || slips <= 1.max(lower.chars().count() / 4)).then_some(score)
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((likeness(candidate)?, candidate)))
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn nearest_finds_slips_and_nothing_far_away() {
        let names = ["purchase", "add_to_cart", "view_item"];
        assert_eq!(nearest("purchse", names), Some("purchase"));
        assert_eq!(nearest("add-to-cart", names), Some("add_to_cart"));
        assert_eq!(nearest("zebra", names), None);
        assert_eq!(nearest("byu", ["sell", "buy"]), Some("buy"));
    }
}
