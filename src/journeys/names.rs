//! What a question needs before reading, and what it finds when all names are known.

use chrono_tz::Tz;

use super::{CampaignRule, Condition, NodeKind, NodeRule, SessionRule, TOUCHES};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::events::{NodeTable, Scan};

/// What a question needs, said before the first byte is read. The union of all needs is what is read.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Columns and conditions.
    pub scan: Scan,
    /// The rules of the sessions that it looks at.
    pub sessions: Vec<SessionRule>,
    /// The rules of the nodes that it looks at.
    pub nodes: Vec<NodeRule>,
    /// The only events that the question looks at, if not all. It is one of the conditions of the scan.
    pub only: Option<Condition>,
    /// Whether visitors are shown by their ids.
    pub ids: bool,
}

impl Needs {
    /// What the nodes of a rule are made of.
    pub fn of_nodes(rule: &NodeRule) -> Needs {
        let scan = Scan {
            event: rule.kind != NodeKind::Page,
            page: rule.kind != NodeKind::Event,
            event_required: rule.kind == NodeKind::Event,
            page_required: rule.kind == NodeKind::Page,
            ..Scan::default()
        };
        Needs { scan, nodes: vec![rule.clone()], ..Needs::default() }
    }

    /// Sessions by a rule. Sources, media and campaigns are read where a log has them.
    pub fn of_sessions(rule: &SessionRule) -> Needs {
        let named = !rule.split_on.is_empty();
        let campaigns = if rule.split_on_campaign == CampaignRule::Never { &[][..] } else { &TOUCHES };
        let scan = Scan {
            session: rule.own,
            event: named,
            event_required: named,
            dimensions: campaigns.iter().map(|touch| touch.dimension.to_owned()).collect(),
            ..Scan::default()
        };
        Needs { scan, sessions: vec![rule.clone()], ..Needs::default() }
    }

    /// The values of some dimensions, which every file must have.
    pub fn of_dimensions(names: &[String]) -> Needs {
        let (dimensions, dimensions_required) = (names.to_vec(), names.to_vec());
        Needs { scan: Scan { dimensions, dimensions_required, ..Scan::default() }, ..Needs::default() }
    }

    /// Adds what another question needs; equal rules and columns are shared. What only one question looks at stays its own.
    pub fn add(&mut self, other: Needs) {
        fn union<T: PartialEq>(into: &mut Vec<T>, from: Vec<T>) {
            for item in from {
                if !into.contains(&item) {
                    into.push(item);
                }
            }
        }
        self.scan.event |= other.scan.event;
        self.scan.page |= other.scan.page;
        self.scan.value |= other.scan.value;
        self.scan.session |= other.scan.session;
        self.scan.event_required |= other.scan.event_required;
        self.scan.page_required |= other.scan.page_required;
        union(&mut self.scan.views, other.scan.views);
        self.scan.campaign_required |= other.scan.campaign_required;
        union(&mut self.scan.dimensions, other.scan.dimensions);
        union(&mut self.scan.dimensions_required, other.scan.dimensions_required);
        union(&mut self.scan.conditions, other.scan.conditions);
        union(&mut self.sessions, other.sessions);
        union(&mut self.nodes, other.nodes);
        self.ids |= other.ids;
    }
}

/// All names and rules of a run, known when everything has been read. Questions are bound to it.
#[derive(Debug)]
pub struct Names {
    /// The names of events, by code.
    pub events: Dictionary,
    /// The pages, by code.
    pub pages: Dictionary,
    dimensions: Vec<(String, Dictionary)>,
    conditions: Vec<Condition>,
    sessions: Vec<SessionRule>,
    node_rules: Vec<NodeRule>,
    node_tables: Vec<NodeTable>,
    /// First and last time of a used event, in µs.
    pub span: Option<(i64, i64)>,
    /// The zone of local dates and hours.
    pub zone: Tz,
}

impl Names {
    /// The names and rules of a run in the zone UTC: `dimensions` in the order of those in `needs`; `span` as in the field.
    pub fn new(
        needs: &Needs,
        events: Dictionary,
        pages: Dictionary,
        dimensions: Vec<Dictionary>,
        span: Option<(i64, i64)>,
    ) -> Self {
        let node_tables = needs.nodes.iter().map(|rule| NodeTable::new(rule, &events, &pages)).collect();
        Names {
            dimensions: needs.scan.dimensions.iter().cloned().zip(dimensions).collect(),
            conditions: needs.scan.conditions.clone(),
            sessions: needs.sessions.clone(),
            node_rules: needs.nodes.clone(),
            node_tables,
            events,
            pages,
            span,
            zone: Tz::UTC,
        }
    }

    /// The number of a session rule that a question needed.
    pub fn session(&self, rule: &SessionRule) -> Result<usize> {
        number(&self.sessions, rule, "a session rule")
    }

    /// The number of a node rule that a question needed.
    pub fn nodes(&self, rule: &NodeRule) -> Result<usize> {
        number(&self.node_rules, rule, "a node rule")
    }

    /// The bit of a condition that a question needed.
    pub fn condition(&self, condition: &Condition) -> Result<usize> {
        number(&self.conditions, condition, "a condition")
    }

    /// The number of a dimension that a question needed.
    pub fn dimension(&self, name: &str) -> Result<usize> {
        let found = self.dimensions.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| Error::bug(format!("the dimension {name:?} was bound but not needed")))
    }

    /// The names of the nodes of rule number `rule`.
    pub fn node_names(&self, rule: usize) -> &Dictionary {
        self.node_tables[rule].names()
    }

    /// The groups of node rule number `rule` that no name of the log fell into.
    pub fn unused_groups(&self, rule: usize) -> impl Iterator<Item = &str> {
        self.node_tables[rule].unused_groups()
    }

    /// The values of dimension number `dimension`.
    pub fn dimension_names(&self, dimension: usize) -> &Dictionary {
        &self.dimensions[dimension].1
    }

    /// Whether some event has a source, a medium or a campaign, as far as they are read.
    pub fn have_campaigns(&self) -> bool {
        let is_touch = |name: &str| TOUCHES.iter().any(|touch| touch.dimension == name);
        self.dimensions.iter().any(|(name, values)| is_touch(name) && values.iter().next().is_some())
    }

    /// All session rules of the run.
    pub fn session_rules(&self) -> &[SessionRule] {
        &self.sessions
    }

    pub(super) fn node_tables(&self) -> &[NodeTable] {
        &self.node_tables
    }
}

fn number<T: PartialEq>(all: &[T], one: &T, what: &str) -> Result<usize> {
    all.iter().position(|known| known == one).ok_or_else(|| Error::bug(format!("{what} was bound but not needed")))
}
