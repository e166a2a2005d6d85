//! What all questions share: session rules, node rules, conventions, grain and segments.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::facts::By;
use super::like::Like;
use super::named::NamedSteps;
use super::step::{Pattern, nowhere, parse_pattern};
use super::{Notes, select};
use crate::error::{Error, Result, nearest};
use crate::frame::Expression;
use crate::ids::MISSING;
use crate::journeys::{
    CampaignRule, Condition, Group, Names, Needs, NodeKind, NodeRule, Repeats, SECOND, SessionRule, TimeoutEdge, Unit,
};
use crate::units::Span;

/// Event names that are page views, unless told otherwise.
pub const PAGE_VIEWS: [&str; 12] = [
    "page_view",
    "pageview",
    "$pageview",
    "page",
    "Page View",
    "Page Viewed",
    "Viewed Page",
    "Loaded a Page",
    "page viewed",
    "[Amplitude] Page Viewed",
    "screen_view",
    "$screen",
];

/// Event names that never make or break a bounce, unless told otherwise.
pub const PASSIVE: [&str; 6] = ["session_start", "first_visit", "user_engagement", "page_ping", "scroll", "heartbeat"];

/// What makes a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// Each session is a journey.
    Session,
    /// Everything a visitor did is one journey.
    Visitor,
}

impl Grain {
    /// What the journeys are, for titles.
    pub fn journeys(self) -> &'static str {
        match self {
            Grain::Session => "sessions",
            Grain::Visitor => "whole visitors",
        }
    }
}

/// When a session bounces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Bounce {
    /// It has exactly one page view and otherwise only passive events.
    #[default]
    PageView,
    /// It has one event of any kind.
    SingleEvent,
}

/// How sessions are cut and what counts as a page view, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Sessions")]
pub struct SessionSpec {
    /// The longest gap inside a session [default: 30m; off with --session]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
    /// Whether a gap of exactly the timeout starts a new session [default: exceeds]
    #[arg(long, value_name = "EDGE")]
    pub timeout_edge: Option<TimeoutEdge>,
    /// The longest time from the first to the last event of a session [default: none]
    #[arg(long, value_name = "DURATION")]
    pub max_duration: Option<Span>,
    /// The most events of a session [default: none]
    #[arg(long, value_name = "N")]
    pub max_events: Option<u32>,
    /// Start a new session where the local date changes, in --tz; --split-at-midnight=false forbids it again where --like sets it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub split_at_midnight: Option<bool>,
    /// Start a new session where the source, the medium or the campaign changes, by the columns of --source, --medium and
    /// --campaign or the utm_ parameters of pages [default: false; without a rule true]
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub split_on_campaign: Option<CampaignRule>,
    /// Name of an event that starts a new session (repeatable) [default: none]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "one_or_many")]
    pub split_on: Vec<String>,
    /// Name of an event that is a page view (repeatable) [default: the common ones]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "one_or_many")]
    pub page_view: Vec<String>,
    /// Name of an event that never makes or breaks a bounce (repeatable) [default: the common ones]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "one_or_many")]
    pub passive: Vec<String>,
    /// When a session bounces [default: page-view]
    #[arg(long, value_name = "RULE")]
    pub bounce: Option<Bounce>,
}

/// What the nodes of a path are, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Nodes")]
pub struct NodeSpec {
    /// What stands at one place of a path [default: auto]
    #[arg(long, value_name = "KIND")]
    pub node: Option<NodeKind>,
    /// Pages or events that become one node: 'GLOB = NAME', 're:REGEX = NAME' or depth:N (repeatable; the first match wins)
    #[arg(long, value_name = "GROUP")]
    pub group: Vec<GroupSpec>,
    /// What becomes of a node that is repeated in a row [default: collapse-first]
    #[arg(long, value_name = "RULE")]
    pub repeats: Option<Repeats>,
    /// Collapse the repeats of this node only (repeatable)
    #[arg(long, value_name = "NODE")]
    #[serde(deserialize_with = "one_or_many")]
    pub collapse: Vec<String>,
    /// Take this node out of all paths; its events still count (repeatable)
    #[arg(long, value_name = "NODE")]
    #[serde(deserialize_with = "one_or_many")]
    pub hide: Vec<String>,
}

/// A group as text, or in a job file as `{ match = "/product/*", name = "Product" }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GroupSpec {
    /// As in the flag: `GLOB = NAME`, `re:REGEX = NAME` or `depth:N`.
    Text(String),
    /// As a table: what to match, and the node that it becomes.
    Pair {
        /// A glob, or `re:` and a regular expression.
        r#match: String,
        /// The name of the node.
        name: String,
    },
}

impl From<&str> for GroupSpec {
    fn from(text: &str) -> Self {
        GroupSpec::Text(text.to_owned())
    }
}

impl GroupSpec {
    fn group(&self) -> Result<Group> {
        match self {
            GroupSpec::Text(text) => Group::parse(text),
            GroupSpec::Pair { r#match, name } => Group::new(r#match, name),
        }
    }
}

/// What a question looks at, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct ScopeSpec {
    /// What makes a journey [default: by the question]
    #[arg(long, value_name = "GRAIN")]
    pub grain: Option<Grain>,
    /// Answer once more for each value of this column (its first one in a journey, or last:COLUMN), or of first_channel,
    /// first_medium, first_campaign, entry_page, exit_page, session_number, new_or_returning, weekday, hour, day, week or
    /// month (repeatable)
    #[arg(long, value_name = "COLUMN")]
    #[serde(deserialize_with = "one_or_many")]
    pub by: Vec<String>,
    /// Only the journeys whose facts fulfil this SQL: columns of the log and the facts that `sessions` writes
    #[arg(long, value_name = "SQL")]
    pub journeys: Option<String>,
    /// Only the journeys among whose nodes this pattern occurs: `start >> /cart > !support* > (pay | order)`, `a >[10m] b > end`
    #[arg(long, value_name = "PATTERN")]
    pub matching: Option<String>,
    /// Only the events that fulfil this SQL: journeys are made of what is left. A flag of the input for a single question
    #[arg(skip)]
    #[serde(rename = "where")]
    pub only: Option<String>,
    /// Take the defaults of all options from another system: ga4, ua, adobe, mixpanel, amplitude, posthog, matomo, plausible, umami,
    /// clickhouse or retentioneering; some have modes, as clickhouse:strict_order. What else is asked wins
    #[arg(long, value_name = "SYSTEM")]
    pub like: Option<Like>,
}

/// All that questions share, as written.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CommonSpec {
    /// How sessions are cut and what counts as a page view.
    #[command(flatten)]
    pub sessions: SessionSpec,
    /// What the nodes of a path are.
    #[command(flatten)]
    pub nodes: NodeSpec,
    /// The grain, the breakdowns, and the choice of events and journeys.
    #[command(flatten)]
    pub scope: ScopeSpec,
}

impl CommonSpec {
    /// The names of the shared fields in a question's table of a job file.
    pub fn fields() -> Vec<String> {
        [fields::<SessionSpec>(), fields::<NodeSpec>(), fields::<ScopeSpec>()].concat()
    }

    /// Takes the shared fields out of a question's table in a job file; what the table leaves open comes from `self`.
    pub fn take_from(&self, table: &mut toml::Table) -> Result<CommonSpec> {
        Ok(CommonSpec {
            sessions: overlay(&self.sessions, table)?,
            nodes: overlay(&self.nodes, table)?,
            scope: overlay(&self.scope, table)?,
        })
    }

    /// Settles the shared rules for a question of this name. `own_sessions`: the log has its own session id.
    pub fn resolve_for(&self, question: &'static str, own_sessions: bool) -> Result<Common> {
        let Some(mut like) = self.scope.like.clone() else { return self.resolve(own_sessions) };
        like.check(question)?;
        if own_sessions {
            like.leave_sessions();
        }
        let with_defaults = CommonSpec {
            sessions: like.fill(question, &self.sessions)?,
            nodes: like.fill(question, &self.nodes)?,
            scope: like.fill(question, &self.scope)?,
        };
        let campaign_asked = asks_campaign(&self.sessions);
        Ok(Common { question, like: Some(like), campaign_asked, ..with_defaults.resolve(own_sessions)? })
    }

    /// Settles the shared rules. `own_sessions`: the log has its own session id.
    pub fn resolve(&self, own_sessions: bool) -> Result<Common> {
        let sessions = &self.sessions;
        let fallback = 30 * 60 * SECOND;
        let timeout = sessions.timeout.map(|span| span.0).or((!own_sessions).then_some(fallback));
        let page_views = or_default(&sessions.page_view, &PAGE_VIEWS);
        let sql = |text: &Option<String>| text.as_deref().map(Expression::parse).transpose();
        if self.scope.grain == Some(Grain::Visitor) {
            By::refuse_session_facts(&self.scope.by)?;
        }
        let by = &self.scope.by;
        if let Some(twice) = by.iter().enumerate().find_map(|(at, name)| by[..at].contains(name).then_some(name)) {
            return Err(Error::question(format!("{twice:?} breaks the answer down twice")).hint("take one of them out"));
        }
        Ok(Common {
            sessions: SessionRule {
                timeout,
                edge: sessions.timeout_edge.unwrap_or_default(),
                max_duration: sessions.max_duration.map(|span| span.0),
                max_events: sessions.max_events,
                split_at_midnight: sessions.split_at_midnight.unwrap_or_default(),
                split_on_campaign: sessions.split_on_campaign.unwrap_or_default(),
                split_on: sessions.split_on.clone(),
                own: own_sessions,
                fallback,
            },
            campaign_asked: asks_campaign(sessions),
            conventions: Conventions {
                given: [&sessions.page_view[..], &sessions.passive[..]].concat(),
                page_views: page_views.clone(),
                passive: or_default(&sessions.passive, &PASSIVE),
                bounce: sessions.bounce.unwrap_or_default(),
            },
            nodes: NodeRule {
                kind: self.nodes.node.unwrap_or_default(),
                groups: self.nodes.group.iter().map(GroupSpec::group).collect::<Result<_>>()?,
                page_views,
            },
            repeats: self.nodes.repeats.unwrap_or_default(),
            collapse: self.nodes.collapse.clone(),
            hide: self.nodes.hide.clone(),
            grain: self.scope.grain,
            by: self.scope.by.clone(),
            matching: self
                .scope
                .matching
                .as_deref()
                .map(|text| parse_matching(text, &NamedSteps::default()))
                .transpose()?,
            journeys: sql(&self.scope.journeys).map_err(|error| error.within("--journeys"))?,
            only: sql(&self.scope.only).map_err(|error| error.within("where"))?,
            steps: NamedSteps::default(),
            question: "",
            like: None,
        })
    }
}

/// Whether the user, and no preset, wants sessions cut by campaigns.
fn asks_campaign(sessions: &SessionSpec) -> bool {
    sessions.split_on_campaign.is_some_and(|rule| rule != CampaignRule::Never)
}

fn or_default(given: &[String], default: &[&str]) -> Vec<String> {
    if given.is_empty() { default.iter().map(|&name| name.to_owned()).collect() } else { given.to_vec() }
}

/// Names that settle what an event means to sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Conventions {
    /// Names of the events that are page views.
    pub page_views: Vec<String>,
    /// Names of the events that never make or break a bounce.
    pub passive: Vec<String>,
    /// When a session bounces.
    pub bounce: Bounce,
    /// Those of the names that the user gave.
    given: Vec<String>,
}

impl Conventions {
    /// Warns of given names that the log does not have: page views are then told by other means, and numbers change.
    pub fn warn(&self, names: &Names, notes: &mut Notes) {
        for name in self.given.iter().filter(|name| names.events.code(name).is_none()) {
            notes.warn(nowhere("event", name, names.events.iter()));
        }
    }
}

/// All that questions share, as meant.
#[derive(Clone, Debug)]
pub struct Common {
    /// When a new session starts.
    pub sessions: SessionRule,
    /// Whether it was asked, and not taken from another system, that campaigns cut them: then the log must have some.
    pub campaign_asked: bool,
    /// What events mean to sessions: page views, passive events, bounces.
    pub conventions: Conventions,
    /// How events become nodes.
    pub nodes: NodeRule,
    /// What becomes of a node that is repeated in a row.
    pub repeats: Repeats,
    /// Names of the only nodes whose repeats collapse; all do if it is empty.
    pub collapse: Vec<String>,
    /// Names of the nodes that are taken out of all paths.
    pub hide: Vec<String>,
    /// The grain if it was given; each question has its own default.
    pub grain: Option<Grain>,
    /// The columns and facts that break the answer down, as written; empty if nothing does.
    pub by: Vec<String>,
    /// Only these journeys are looked at.
    pub journeys: Option<Expression>,
    /// Only journeys in which it occurs are looked at.
    pub(crate) matching: Option<Pattern>,
    /// Only these events are looked at.
    pub only: Option<Expression>,
    /// The steps that the job has named.
    pub steps: NamedSteps,
    /// The name of the question, if it is like another system's.
    pub question: &'static str,
    /// The system whose defaults are in force.
    pub like: Option<Like>,
}

fn parse_matching(text: &str, named: &NamedSteps) -> Result<Pattern> {
    parse_pattern(text, named).map_err(|error| error.within("--matching"))
}

impl Common {
    /// The same where a job has named steps.
    pub fn with_steps(self, named: &NamedSteps) -> Result<Common> {
        let matching = self.matching.as_ref().map(|pattern| parse_matching(&pattern.to_string(), named)).transpose()?;
        Ok(Common { matching, steps: named.clone(), ..self })
    }

    /// What must be read to break the question down and to choose its events and journeys.
    pub fn scope_needs(&self) -> Needs {
        let mut needs = By::needs(&self.by);
        if let Some(expression) = &self.journeys {
            needs.add(select::needs(expression));
        }
        if let Some(pattern) = &self.matching {
            pattern.needs(&self.nodes, &mut needs);
        }
        if let Some(expression) = &self.only {
            let only = Condition::sql(expression);
            needs.scan.conditions.push(only.clone());
            needs.only = Some(only);
        }
        needs
    }

    /// What must be read to cut the sessions.
    pub fn session_needs(&self) -> Needs {
        let mut needs = Needs::of_sessions(&self.sessions);
        needs.scan.campaign_required = self.campaign_asked;
        needs
    }

    /// The choice of events and journeys, and the system that the question is like, if there are any, as they are printed.
    pub fn choice_rules(&self) -> Map<String, Value> {
        let choices = [("where", &self.only), ("journeys", &self.journeys)];
        let rule = |(name, sql): (&str, &Option<Expression>)| Some((name.to_owned(), json!(sql.as_ref()?.text())));
        let mut rules: Map<String, Value> = choices.into_iter().filter_map(rule).collect();
        if let Some(pattern) = &self.matching {
            rules.insert("matching".into(), json!(pattern.to_string()));
            // It is about nodes, whatever the question is about.
            rules.extend(self.node_rules());
        }
        rules.extend(self.like.iter().flat_map(|like| like.rules(self.question)));
        rules
    }

    /// The session rules as they are printed.
    pub fn session_rules(&self) -> Map<String, Value> {
        let rule = &self.sessions;
        let mut rules = Map::new();
        if rule.own {
            rules.insert("session".into(), json!("own id"));
        }
        rules.insert("timeout".into(), rule.timeout.map_or(Value::Null, |micros| json!(Span(micros))));
        rules.insert("timeout_edge".into(), json!(rule.edge));
        if let Some(longest) = rule.max_duration {
            rules.insert("max_duration".into(), json!(Span(longest)));
        }
        if let Some(most) = rule.max_events {
            rules.insert("max_events".into(), json!(most));
        }
        if rule.split_at_midnight {
            rules.insert("split_at_midnight".into(), json!(true));
        }
        if rule.split_on_campaign != CampaignRule::Never {
            rules.insert("split_on_campaign".into(), json!(rule.split_on_campaign));
        }
        if !rule.split_on.is_empty() {
            rules.insert("split_on".into(), json!(rule.split_on));
        }
        rules
    }

    /// Refuses a grain for a question that always answers for both.
    pub fn refuse_grain(&self, question: &str) -> Result<()> {
        if self.grain.is_none() {
            return Ok(());
        }
        Err(Error::question(format!("{question} answers for sessions and for visitors, so it takes no grain"))
            .hint("leave --grain out"))
    }

    /// The breakdown and the choice of events and journeys, as far as there are any, as they are printed.
    pub fn by_rule(&self) -> Map<String, Value> {
        let by = (!self.by.is_empty()).then(|| ("by".to_owned(), json!(self.by)));
        by.into_iter().chain(self.choice_rules()).collect()
    }

    /// What makes a journey of `grain`, in the numbers of a run. Warns as [`session`](Self::session) does.
    pub fn unit(&self, grain: Grain, names: &Names, notes: &mut Notes) -> Result<Unit> {
        match grain {
            Grain::Visitor => Ok(Unit::Visitor),
            Grain::Session => self.session(names, notes).map(Unit::Session),
        }
    }

    /// The number of the session rule in a run. Warns of rules that split nothing because the log has nothing that they are about.
    pub fn session(&self, names: &Names, notes: &mut Notes) -> Result<usize> {
        let unknown = |name: &&String| names.events.code(name).is_none_or(|code| code == MISSING);
        for name in self.sessions.split_on.iter().filter(unknown) {
            notes.warn(nowhere("event", name, names.events.iter()));
        }
        if self.campaign_asked && !names.have_campaigns() {
            notes.warn("no event has a source, a medium or a campaign: no session is cut by one".to_owned());
        }
        names.session(&self.sessions)
    }

    /// The node rules as they are printed.
    pub fn node_rules(&self) -> Map<String, Value> {
        let mut rules = self.node_rule();
        rules.insert("repeats".into(), json!(self.repeats));
        if !self.collapse.is_empty() {
            rules.insert("collapse".into(), json!(self.collapse));
        }
        if !self.hide.is_empty() {
            rules.insert("hide".into(), json!(self.hide));
        }
        rules
    }

    /// How events become nodes, as it is printed.
    pub fn node_rule(&self) -> Map<String, Value> {
        let mut rule = Map::new();
        rule.insert("node".into(), json!(self.nodes.kind));
        if !self.nodes.groups.is_empty() {
            let groups: Vec<&str> = self.nodes.groups.iter().map(Group::text).collect();
            rule.insert("group".into(), json!(groups));
        }
        rule
    }
}

/// Reads `"a"` and `["a", "b"]` alike: in a job file one name need not be a list.
pub fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(name) => vec![name],
        Written::Many(names) => names,
    })
}

/// The names of the fields of a spec.
pub fn fields<S: Default + Serialize>() -> Vec<String> {
    match serde_json::to_value(S::default()) {
        Ok(Value::Object(fields)) => fields.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// Reads a spec from a table, whose unknown keys are errors with near misses.
pub fn from_table<S: Default + Serialize + DeserializeOwned>(table: toml::Table) -> Result<S> {
    let known = fields::<S>();
    if let Some(unknown) = table.keys().find(|key| !known.contains(key)) {
        return Err(unknown_key(unknown, known.iter().map(String::as_str)));
    }
    S::deserialize(table).map_err(|error| Error::question(error.message().to_owned()))
}

/// The error for a key that means nothing, with the nearest known one as a hint.
pub fn unknown_key<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let error = Error::question(format!("unknown key {key:?}"));
    match nearest(key, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near:?}?")),
        None => error.hint(format!("known keys are {}", known.join(", "))),
    }
}

/// `base` with the fields that `table` has for it, which are taken out of the table.
fn overlay<S: Default + Serialize + DeserializeOwned>(base: &S, table: &mut toml::Table) -> Result<S> {
    let mut merged = toml::Table::try_from(base).map_err(|error| Error::bug(error.to_string()))?;
    for field in fields::<S>() {
        if let Some(value) = table.remove(&field) {
            merged.insert(field, value);
        }
    }
    from_table(merged)
}
