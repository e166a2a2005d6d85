//! Roles ⇄ the user's columns: which column of a file is the visitor, the time, the event.

#[cfg(test)]
mod tests;
mod touches;

use serde::{Deserialize, Serialize};

use super::derived::{Derived, Layout, Visible, with_derived};
use super::predicate::Condition;
use super::raw::{UseAs, Wanted};
use crate::error::{Error, Result, nearest};
use crate::frame::Expression;
pub use touches::TOUCHES;
use touches::{Touch, missing_campaign};

/// The columns as the user named them; a role that is not named is guessed from [`Role::guesses`].
///
/// Of several names the first that a file has is taken. The name `none` says that the log has no such column, or need not
/// have one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Columns that hold the id of the visitor.
    pub visitor: Vec<String>,
    /// Columns that hold the time.
    pub time: Vec<String>,
    /// Columns that hold the name of the event.
    pub event: Vec<String>,
    /// Columns that hold the URL, path or screen name.
    pub page: Vec<String>,
    /// Columns that hold the amount of the event.
    pub value: Vec<String>,
    /// Columns that hold the log's own session id.
    pub session: Vec<String>,
    /// Columns that hold the channel that a visit came through.
    pub source: Vec<String>,
    /// Columns that hold the medium: email, cpc, organic.
    pub medium: Vec<String>,
    /// Columns that hold the name of the campaign.
    pub campaign: Vec<String>,
}

impl Roles {
    /// The names that the user gave for a role, best first.
    pub fn named(&self, role: Role) -> &[String] {
        match role {
            Role::Visitor => &self.visitor,
            Role::Time => &self.time,
            Role::Event => &self.event,
            Role::Page => &self.page,
            Role::Value => &self.value,
            Role::Session => &self.session,
            Role::Source => &self.source,
            Role::Medium => &self.medium,
            Role::Campaign => &self.campaign,
        }
    }

    /// Whether the user said that a file need not have the role.
    pub fn may_be_none(&self, role: Role) -> bool {
        self.named(role).iter().any(|name| name == "none")
    }
}

/// What a column can be to clickpath.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Who it was: every log must have it.
    Visitor,
    /// When it was: every log must have it.
    Time,
    /// What happened: the name of the event.
    Event,
    /// Where it happened: a URL, a path or the name of a screen.
    Page,
    /// An amount, such as the revenue of a purchase.
    Value,
    /// The log's own session id.
    Session,
    /// The channel that a visit came through. Only breakdowns and session rules ask for it and for the two that follow.
    Source,
    /// The medium: email, cpc, organic.
    Medium,
    /// The name of the campaign.
    Campaign,
}

impl Role {
    /// The roles that an event is made of.
    pub const ALL: [Role; 6] = [Role::Visitor, Role::Time, Role::Event, Role::Page, Role::Value, Role::Session];

    /// Its name as a flag, in SQL and in reports: `visitor`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Visitor => "visitor",
            Role::Time => "time",
            Role::Event => "event",
            Role::Page => "page",
            Role::Value => "value",
            Role::Session => "session",
            Role::Source => "source",
            Role::Medium => "medium",
            Role::Campaign => "campaign",
        }
    }

    pub(super) fn use_as(self) -> UseAs {
        match self {
            Role::Visitor | Role::Session => UseAs::Ids,
            Role::Event | Role::Page | Role::Source | Role::Medium | Role::Campaign => UseAs::Names,
            Role::Time | Role::Value => UseAs::Values,
        }
    }

    /// Common names of such a column, best first. Names of one group are equally good: two of them in one file are ambiguous.
    ///
    /// A session column is never guessed: in some systems that name holds the visitor.
    pub fn guesses(self) -> &'static [&'static [&'static str]] {
        match self {
            Role::Visitor => &[
                &["visitor_id", "visitor", "visitorid"],
                &["user_pseudo_id", "distinct_id", "anonymous_id", "anonymousid", "domain_userid", "fullvisitorid"],
                &["client_id", "clientid", "cookie_id", "cookie", "device_id", "amplitude_id"],
                &["user_id", "userid", "user", "uid", "customer_id", "person_id"],
                &["ip", "ip_address", "client_ip", "remote_addr", "remote_host", "host"],
            ],
            Role::Time => &[
                &["ts", "timestamp", "time"],
                &["event_timestamp", "event_time", "eventtime", "datetime", "date_time"],
                &["derived_tstamp", "collector_tstamp", "original_timestamp", "occurred_at", "created_at"],
                &["client_event_time", "received_at", "date"],
            ],
            Role::Event => &[&["event", "event_name", "eventname"], &["event_type", "action", "activity"]],
            Role::Page => &[
                &["page"],
                &["page_path", "page_urlpath", "path"],
                &["page_location", "page_url", "url", "current_url"],
                &["uri", "request", "screen_name"],
            ],
            Role::Value => &[&["value", "revenue"], &["event_value", "purchase_value", "order_value", "amount"]],
            Role::Session => &[],
            Role::Source => &[
                &["channel", "acquisition_channel", "channel_grouping", "default_channel_group"],
                &["utm_source", "traffic_source", "session_source", "source"],
                &["referrer_domain", "referring_domain"],
            ],
            Role::Medium => &[&["utm_medium", "traffic_medium", "session_medium", "medium"]],
            Role::Campaign => &[&["utm_campaign", "traffic_campaign", "session_campaign", "campaign", "campaign_name"]],
        }
    }
}

/// Which columns the questions of a run read beside the visitor and the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Whether the names of events are read.
    pub event: bool,
    /// Whether pages are read.
    pub page: bool,
    /// For questions that need pages only where names do not tell the page views: the names that would. As soon as the log has one of
    /// each list, pages are of no use to them.
    pub views: Vec<Vec<String>>,
    /// Whether amounts are read.
    pub value: bool,
    /// Whether the log's own session ids are read.
    pub session: bool,
    /// A question names events, or pages: a log without that column cannot answer it.
    pub event_required: bool,
    /// The same for pages.
    pub page_required: bool,
    /// Names of the columns whose values break answers down or cut sessions.
    pub dimensions: Vec<String>,
    /// Those of them that every file must have, be it in its pages; only those of [`TOUCHES`] need not be there.
    pub dimensions_required: Vec<String>,
    /// Sessions are to be cut by campaigns: a log that can have none cannot be cut so.
    pub campaign_required: bool,
    /// Conditions on single events, on columns by name.
    pub conditions: Vec<Condition>,
    /// Only events that fulfil this are used.
    pub filter: Option<Expression>,
    /// Columns that are made of others, those first that others are made of.
    pub derived: Vec<Derived>,
}

impl Scan {
    /// Whether pages are read, be it in the beginning.
    pub fn reads_pages(&self) -> bool {
        self.page || !self.views.is_empty()
    }

    /// The names of the columns that questions, the filter and derived columns name, beside those of roles.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let is_role = |name: &str| Role::ALL.iter().any(|role| role.name().eq_ignore_ascii_case(name));
        let compared = self.conditions.iter().filter_map(|condition| match condition {
            Condition::Compare { column, .. } => Some(column.as_str()),
            Condition::Sql(_) => None,
        });
        let sql = self.sql().flat_map(Expression::columns).map(String::as_str).filter(move |name| !is_role(name));
        self.dimensions.iter().map(String::as_str).chain(compared).chain(sql)
    }

    /// The SQL expressions that may be evaluated.
    fn sql(&self) -> impl Iterator<Item = &Expression> {
        let conditions = self.conditions.iter().filter_map(|condition| match condition {
            Condition::Sql(expression) => Some(expression),
            Condition::Compare { .. } => None,
        });
        conditions.chain(&self.filter).chain(self.derived.iter().map(|derived| &derived.expression))
    }

    /// Whether a column of this name is made of others.
    pub fn derives(&self, name: &str) -> bool {
        self.derived.iter().any(|derived| derived.name.eq_ignore_ascii_case(name))
    }

    /// Whether SQL names a role.
    pub fn asks(&self, role: Role) -> bool {
        self.sql().flat_map(Expression::columns).any(|name| role.name().eq_ignore_ascii_case(name))
    }

    /// Whether a role is read.
    pub fn reads(&self, role: Role) -> bool {
        let read = match role {
            Role::Visitor | Role::Time => true,
            Role::Event => self.event || self.event_required,
            Role::Page => self.reads_pages() || self.page_required,
            Role::Value => self.value,
            Role::Session => self.session,
            // They are read as dimensions.
            Role::Source | Role::Medium | Role::Campaign => {
                self.dimensions.iter().filter_map(|name| Touch::named(name)).any(|touch| touch.role == role)
            }
        };
        read || self.asks(role)
    }

    /// Whether every file must have a role.
    pub fn requires(&self, role: Role) -> bool {
        match role {
            Role::Visitor | Role::Time => true,
            Role::Event => self.event_required,
            Role::Page => self.page_required,
            Role::Value | Role::Session | Role::Source | Role::Medium | Role::Campaign => false,
        }
    }
}

/// The columns of one file, by their place in the batches that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What to ask the source for.
    pub wanted: Vec<Wanted>,
    pub visitor: usize,
    pub time: usize,
    pub event: Option<usize>,
    pub page: Option<usize>,
    pub value: Option<usize>,
    pub session: Option<usize>,
    /// Nothing for those that the file need not have and lacks.
    pub dimensions: Vec<Option<Dimension>>,
    /// The columns that each condition looks at.
    pub conditions: Vec<Vec<Seen>>,
    /// The columns that the filter looks at.
    pub(super) filter: Vec<Seen>,
    pub(super) layout: Layout,
}

/// Where the values of a dimension are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The place of its column in the batches that are read.
    pub place: usize,
    /// The parameter of the URLs in this column that is meant; if there is none, the column itself.
    pub parameter: Option<&'static str>,
}

/// A column as a condition sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its place in the batches that are read.
    pub place: usize,
    /// The role whose values are meant: its times are times, its pages are normalised. None: the values as they stand in the file.
    pub role: Option<Role>,
}

impl Mapping {
    /// Finds the columns that `scan` needs among the `columns` of a file.
    pub fn new(columns: &[String], roles: &Roles, scan: &Scan) -> Result<Mapping> {
        let file = columns.len();
        let columns = &with_derived(columns, &scan.derived)?[..];
        let mut wanted = Vec::new();
        let mut want = |column: Option<usize>, use_as| column.map(|column| place(&mut wanted, column, use_as));
        let required = |role| find(columns, roles, role)?.ok_or_else(|| missing(columns, role));
        let visitor = required(Role::Visitor)?;
        let time = required(Role::Time)?;
        let optional = |role, needed: bool| if needed { find(columns, roles, role) } else { Ok(None) };
        for (role, needed) in [(Role::Event, scan.event_required), (Role::Page, scan.page_required)] {
            if needed && !roles.may_be_none(role) && find(columns, roles, role)?.is_none() {
                return Err(missing(columns, role));
            }
        }
        let visitor = want(Some(visitor), UseAs::Ids).unwrap_or_default();
        let time = want(Some(time), UseAs::Values).unwrap_or_default();
        let event = want(optional(Role::Event, scan.event)?, UseAs::Names);
        let page = want(optional(Role::Page, scan.reads_pages())?, UseAs::Names);
        let value = want(optional(Role::Value, scan.value)?, UseAs::Values);
        let session = want(optional(Role::Session, scan.session)?, UseAs::Ids);
        let dimensions = scan.dimensions.iter().map(|name| {
            let found = dimension(columns, roles, name, scan.dimensions_required.contains(name))?;
            Ok(found
                .map(|(column, parameter)| Dimension { place: place(&mut wanted, column, UseAs::Names), parameter }))
        });
        let dimensions = dimensions.collect::<Result<_>>()?;
        if scan.campaign_required && !touches::any(columns, roles)? {
            return Err(missing_campaign(columns));
        }
        let visible = Visible { columns, known: columns.len(), roles };
        let conditions = scan.conditions.iter().map(|condition| match condition {
            Condition::Compare { column, .. } => {
                Ok(vec![Seen { place: place(&mut wanted, by_name(columns, column)?, UseAs::Values), role: None }])
            }
            Condition::Sql(expression) => visible.seen(&mut wanted, expression),
        });
        let conditions = conditions.collect::<Result<_>>()?;
        let filter = scan.filter.as_ref().map(|filter| visible.seen(&mut wanted, filter)).transpose()?;
        let filter = filter.unwrap_or_default();
        let layout = Layout::new(&mut wanted, file, &visible, &scan.derived)?;
        Ok(Mapping { wanted, visitor, time, event, page, value, session, dimensions, conditions, filter, layout })
    }
}

impl Mapping {
    /// The place of the time among the columns that are read. Nothing if some columns are derived: then those that are read have other
    /// places.
    pub fn time_as_read(&self) -> Option<usize> {
        self.layout.is_plain().then_some(self.time)
    }

    /// The same for the page, if nothing but the page is read from its column.
    pub fn page_alone(&self) -> Option<usize> {
        let page = self.page?;
        let roles = [Some(self.visitor), Some(self.time), self.event, self.value, self.session].into_iter().flatten();
        let dimensions = self.dimensions.iter().flatten().map(|dimension| dimension.place);
        let seen = self.conditions.iter().flatten().chain(&self.filter).map(|seen| seen.place);
        let alone = !roles.chain(dimensions).chain(seen).any(|place| place == page);
        (alone && self.layout.is_plain()).then_some(page)
    }

    /// The place of a role, if it is read and the file has it.
    pub fn role(&self, role: Role) -> Option<usize> {
        match role {
            Role::Visitor => Some(self.visitor),
            Role::Time => Some(self.time),
            Role::Event => self.event,
            Role::Page => self.page,
            Role::Value => self.value,
            Role::Session => self.session,
            Role::Source | Role::Medium | Role::Campaign => None,
        }
    }

    /// Each role or dimension that is read and the name of its column, for people.
    pub fn roles(&self, columns: &[String], scan: &Scan) -> Vec<(String, String)> {
        let column = |at: usize| self.layout.column(at, &self.wanted, columns.len());
        let name = |at: usize| {
            let derived = |number: usize| scan.derived[number].name.clone();
            columns.get(column(at)).cloned().unwrap_or_else(|| derived(column(at) - columns.len()))
        };
        let roles = Role::ALL.iter().filter_map(|role| Some((role.name().to_owned(), name(self.role(*role)?))));
        let roles: Vec<_> = roles.collect();
        let dimensions = scan.dimensions.iter().zip(&self.dimensions);
        let dimensions = dimensions.filter_map(|(dimension, found)| {
            let Dimension { place, parameter } = (*found)?;
            let column = name(place);
            Some((dimension.clone(), parameter.map_or(column.clone(), |parameter| format!("{parameter} of {column}"))))
        });
        let new: Vec<_> = dimensions.filter(|(_, column)| roles.iter().all(|(_, known)| known != column)).collect();
        [roles, new].concat()
    }
}

/// The column of a dimension, and the parameter of its URLs that is meant; nothing if it is not there and need not be.
fn dimension(
    columns: &[String],
    roles: &Roles,
    name: &str,
    required: bool,
) -> Result<Option<(usize, Option<&'static str>)>> {
    let Some(touch) = Touch::named(name) else {
        return Ok(Some((by_name(columns, name)?, None)));
    };
    match touch.find(columns, roles)? {
        None if required => Err(missing(columns, touch.role)),
        found => Ok(found),
    }
}

/// The place of a column among those that are wanted.
pub(super) fn place(wanted: &mut Vec<Wanted>, column: usize, use_as: UseAs) -> usize {
    wanted.iter().position(|known| known.column == column).unwrap_or_else(|| {
        wanted.push(Wanted { column, use_as });
        wanted.len() - 1
    })
}

/// The column of `role`: the first that the user named and that is there, or the best guess.
pub fn find(columns: &[String], roles: &Roles, role: Role) -> Result<Option<usize>> {
    let names = roles.named(role);
    for name in names {
        match position(columns, name) {
            _ if name == "none" => return Ok(None),
            Some(column) => return Ok(Some(column)),
            None => {}
        }
    }
    match names {
        [] => guess(columns, role),
        [name] => by_name(columns, name).map(Some),
        _ => Err(Error::mapping(format!(
            "there is none of the columns {}; the columns are {}",
            list(names),
            list(columns)
        ))
        .hint(format!("name the {} of this file too, with another --{0} COLUMN", role.name()))),
    }
}

fn guess(columns: &[String], role: Role) -> Result<Option<usize>> {
    for group in role.guesses() {
        let found: Vec<usize> =
            (0..columns.len()).filter(|&at| group.contains(&plain(&columns[at]).as_str())).collect();
        match found[..] {
            [] => continue,
            [column] => return Ok(Some(column)),
            _ => {
                let names: Vec<&str> = found.iter().map(|&at| columns[at].as_str()).collect();
                return Err(Error::mapping(format!(
                    "the {} is ambiguous: the columns {} all look like it",
                    role.name(),
                    list(&names)
                ))
                .hint(format!("say which with --{} {}", role.name(), names[0])));
            }
        }
    }
    Ok(None)
}

/// Lower case, with blanks, points and hyphens as underscores: `Visitor ID` is `visitor_id`.
fn plain(name: &str) -> String {
    name.trim().trim_start_matches('$').to_lowercase().replace([' ', '-', '.'], "_")
}

/// The column called `name`; letters may be large or small if no name is exactly this.
pub fn position(columns: &[String], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column == name);
    exact.or_else(|| columns.iter().position(|column| column.eq_ignore_ascii_case(name)))
}

/// The column called `name`, or an error with near misses.
pub fn by_name(columns: &[String], name: &str) -> Result<usize> {
    position(columns, name).ok_or_else(|| {
        let error = Error::mapping(format!("there is no column {name:?}; the columns are {}", list(columns)));
        match nearest(name, columns.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near:?}?")),
            None => error,
        }
    })
}

fn missing(columns: &[String], role: Role) -> Error {
    let error = Error::mapping(format!("no column looks like the {}; the columns are {}", role.name(), list(columns)));
    match columns {
        [only] if only.contains([',', ';', '\t', '|']) => {
            error.hint("the file has a single column: is the delimiter right? say it with --delimiter")
        }
        _ => error.hint(format!("name it with --{} COLUMN", role.name())),
    }
}

/// Names as a list for a message, at most 40 of them.
fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(40).map(|name| format!("{:?}", name.as_ref())).collect();
    let rest = names.len().saturating_sub(40);
    if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
}
