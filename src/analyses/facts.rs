//! What is known of a journey as a whole: facts to break answers down by, to choose journeys by, and to write as rows.

use chrono::{Datelike, NaiveDateTime, Timelike};
use chrono_tz::Tz;

use super::periods::Period;
use super::{Bounce, Conventions};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, PageViews, local};

/// A fact with few values. Its codes are numbers in the order in which the values are shown; those of pages are the codes of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The page of the first page view.
    EntryPage,
    /// The page of the last page view.
    ExitPage,
    /// The number of the session among those of its visitor in this log, from 1.
    SessionNumber,
    /// Whether the session is its visitor's first in this log.
    NewOrReturning,
    /// Of the first event, by local date and hour, as all that follow.
    Weekday,
    Hour,
    Day,
    /// The week by ISO 8601.
    Week,
    Month,
}

impl Fact {
    /// All facts by name.
    pub const ALL: [(&'static str, Fact); 9] = [
        ("entry_page", Fact::EntryPage),
        ("exit_page", Fact::ExitPage),
        ("session_number", Fact::SessionNumber),
        ("new_or_returning", Fact::NewOrReturning),
        ("weekday", Fact::Weekday),
        ("hour", Fact::Hour),
        ("day", Fact::Day),
        ("week", Fact::Week),
        ("month", Fact::Month),
    ];

    pub fn named(name: &str) -> Option<Fact> {
        Fact::ALL.iter().find(|(known, _)| *known == name).map(|(_, fact)| *fact)
    }

    /// Whether only a session has it.
    fn of_sessions(self) -> bool {
        matches!(self, Fact::SessionNumber | Fact::NewOrReturning)
    }

    pub fn of_pages(self) -> bool {
        matches!(self, Fact::EntryPage | Fact::ExitPage)
    }

    /// The value of a code. Page codes are those of `names`.
    pub fn value(self, code: Code, names: &Names) -> String {
        match self {
            Fact::EntryPage | Fact::ExitPage => names.pages.name(code).to_owned(),
            Fact::SessionNumber => code.to_string(),
            Fact::NewOrReturning => (if code == 0 { "new" } else { "returning" }).to_owned(),
            Fact::Weekday => WEEKDAYS[code as usize % 7].to_owned(),
            Fact::Hour => format!("{code:02}"),
            Fact::Day => Period::Day.name(code),
            Fact::Week => Period::Week.name(code),
            Fact::Month => Period::Month.name(code),
        }
    }

    /// The code of a value. Of pages only those that the log has are known.
    fn read(self, value: &str, names: &Names) -> Option<Code> {
        let number = |number: Option<usize>| number.map(|number| number as Code);
        let code = match self {
            Fact::EntryPage | Fact::ExitPage => names.pages.code(value),
            Fact::SessionNumber | Fact::Hour => value.parse().ok(),
            Fact::NewOrReturning => number(["new", "returning"].iter().position(|known| *known == value)),
            Fact::Weekday => number(WEEKDAYS.iter().position(|known| *known == value)),
            Fact::Day => Period::Day.read(value),
            Fact::Week => Period::Week.read(value),
            Fact::Month => Period::Month.read(value),
        };
        code.filter(|&code| self.value(code, names) == value)
    }
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The facts that are told by rules of a run.
#[derive(Debug)]
pub struct Facts {
    views: PageViews,
    /// By event code: whether its events never make or break a bounce.
    passive: Vec<bool>,
    bounce: Bounce,
    zone: Tz,
}

/// The events of a journey, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub page_views: u64,
    /// Events that are neither page views nor passive.
    pub actions: u64,
}

impl Facts {
    pub fn new(conventions: &Conventions, names: &Names) -> Facts {
        let passive = (0..names.events.len() as Code)
            .map(|code| code != MISSING && conventions.passive.iter().any(|name| name == names.events.name(code)));
        Facts {
            views: PageViews::new(&conventions.page_views, &names.events),
            passive: passive.collect(),
            bounce: conventions.bounce,
            zone: names.zone,
        }
    }

    /// The code of a fact of a journey; `number` is that of the session, from 0.
    pub fn code(&self, fact: Fact, number: u32, journey: Journey<'_>) -> Code {
        match fact {
            Fact::EntryPage => self.page(journey, 0..journey.len()),
            Fact::ExitPage => self.page(journey, (0..journey.len()).rev()),
            Fact::SessionNumber => number + 1,
            Fact::NewOrReturning => u32::from(number > 0),
            Fact::Weekday => self.local(journey).weekday().num_days_from_monday(),
            Fact::Hour => self.local(journey).hour(),
            Fact::Day => Period::Day.code(self.local(journey)),
            Fact::Week => Period::Week.code(self.local(journey)),
            Fact::Month => Period::Month.code(self.local(journey)),
        }
    }

    /// The page of the first page view among the events `order`.
    fn page(&self, journey: Journey<'_>, mut order: impl Iterator<Item = usize>) -> Code {
        let pages = journey.pages();
        if pages.is_empty() {
            return MISSING;
        }
        order.find(|&at| pages[at] != MISSING && self.is_view(journey, at)).map_or(MISSING, |at| pages[at])
    }

    fn is_view(&self, journey: Journey<'_>, at: usize) -> bool {
        let code = |column: &[Code]| column.get(at).copied().unwrap_or(MISSING);
        self.views.contains(code(journey.events()), code(journey.pages()))
    }

    fn local(&self, journey: Journey<'_>) -> NaiveDateTime {
        local(self.zone, journey.start_time())
    }

    pub fn tally(&self, journey: Journey<'_>) -> Tally {
        let mut tally = Tally::default();
        for at in 0..journey.len() {
            let event = journey.events().get(at).copied().unwrap_or(MISSING);
            if self.is_view(journey, at) {
                tally.page_views += 1;
            } else if !self.passive[event as usize] {
                tally.actions += 1;
            }
        }
        tally
    }

    pub fn bounces(&self, journey: Journey<'_>, tally: Tally) -> bool {
        match self.bounce {
            Bounce::PageView => tally.page_views == 1 && tally.actions == 0,
            Bounce::SingleEvent => journey.len() == 1,
        }
    }
}

/// What breaks an answer down: a column of the log or a fact.
#[derive(Clone, Debug)]
pub struct By {
    /// As the user wrote it.
    pub name: String,
    pub(super) lender: Lender,
}

/// What lends a journey its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lender {
    /// The first non-empty value of a dimension, by its number in the run.
    First(usize),
    /// The last non-empty value.
    Last(usize),
    Fact(Fact),
}

/// A breakdown as written: which column, and whether its last value counts.
fn column(name: &str) -> (&str, bool) {
    match (name.strip_prefix("first:"), name.strip_prefix("last:")) {
        (Some(column), _) => (column, false),
        (_, Some(column)) => (column, true),
        _ => (name, false),
    }
}

impl By {
    /// Binds a breakdown to the numbers of a run.
    pub fn new(name: &str, names: &Names) -> Result<By> {
        let lender = match (Fact::named(name), column(name)) {
            (Some(fact), _) => Lender::Fact(fact),
            (None, (column, false)) => Lender::First(names.dimension(column)?),
            (None, (column, true)) => Lender::Last(names.dimension(column)?),
        };
        Ok(By { name: name.to_owned(), lender })
    }

    /// What must be read for breakdowns of these names.
    pub fn needs(names: &[String]) -> Needs {
        let columns: Vec<String> =
            names.iter().filter(|name| Fact::named(name).is_none()).map(|name| column(name).0.to_owned()).collect();
        let mut needs = Needs::of_dimensions(&columns);
        if names.iter().filter_map(|name| Fact::named(name)).any(Fact::of_pages) {
            (needs.scan.event, needs.scan.page) = (true, true);
        }
        needs
    }

    /// Refuses facts of sessions where a visitor is one journey.
    pub fn refuse_session_facts(names: &[String]) -> Result<()> {
        match names.iter().find(|name| Fact::named(name).is_some_and(Fact::of_sessions)) {
            None => Ok(()),
            Some(name) => {
                Err(Error::question(format!("{name} is a fact of sessions; here a whole visitor is one journey"))
                    .hint("say --grain session, or break down by something else"))
            }
        }
    }

    /// Whether the name of a breakdown says which value of a column counts.
    pub fn says_which(name: &str) -> bool {
        !By::is_fact(name) && column(name).0 != name
    }

    /// Whether a breakdown is by a fact of journeys, and by no column.
    pub fn is_fact(name: &str) -> bool {
        Fact::named(name).is_some()
    }

    /// The same by the last value of a column.
    pub fn last(self) -> By {
        let lender = match self.lender {
            Lender::First(dimension) => Lender::Last(dimension),
            other => other,
        };
        By { lender, ..self }
    }

    /// The code of a journey's value. Only events that `touches` lend the value of a dimension.
    pub fn code(&self, facts: &Facts, number: u32, journey: Journey<'_>, touches: impl Fn(usize) -> bool) -> Code {
        let (dimension, last) = match self.lender {
            Lender::Fact(fact) => return facts.code(fact, number, journey),
            Lender::First(dimension) => (dimension, false),
            Lender::Last(dimension) => (dimension, true),
        };
        let values = journey.dimension(dimension);
        let lends = |&at: &usize| values[at] != MISSING && touches(at);
        let mut places = 0..values.len();
        let at = if last { places.rfind(lends) } else { places.find(lends) };
        at.map_or(MISSING, |at| values[at])
    }

    /// The code of a value: nothing if the log has no such value.
    ///
    /// # Errors
    /// If no log could have it.
    pub fn code_of(&self, value: &str, names: &Names) -> Result<Option<Code>> {
        match self.lender {
            Lender::First(dimension) | Lender::Last(dimension) => Ok(names.dimension_names(dimension).code(value)),
            Lender::Fact(fact) => match fact.read(value, names) {
                None if !fact.of_pages() => {
                    let reason = format!("{} is never {value:?}", self.name);
                    Err(Error::question(reason)
                        .hint(format!("its values are written as --by {} shows them", self.name)))
                }
                code => Ok(code),
            },
        }
    }

    /// All values that the log has, if it is no fact that is a number or a date.
    pub fn known<'a>(&self, names: &'a Names) -> Option<&'a Dictionary> {
        match self.lender {
            Lender::First(dimension) | Lender::Last(dimension) => Some(names.dimension_names(dimension)),
            Lender::Fact(fact) => fact.of_pages().then_some(&names.pages),
        }
    }

    /// The value of a code, and its rank: values are shown by rank, then by their bytes.
    pub fn value(&self, code: Code, names: &Names) -> (Code, String) {
        match self.lender {
            Lender::First(dimension) | Lender::Last(dimension) => {
                (0, names.dimension_names(dimension).name(code).to_owned())
            }
            Lender::Fact(fact) if fact.of_pages() => (0, fact.value(code, names)),
            Lender::Fact(fact) => (code, fact.value(code, names)),
        }
    }
}

#[cfg(test)]
mod tests;
