//! What the questions about nodes share.

use serde_json::{Map, Value, json};

use super::Notes;
use super::common::{Common, Grain};
use super::step::nowhere;
use crate::error::Result;
use crate::journeys::{Names, Needs, NodeKind, Unit, View};

/// What the questions about nodes share: which journeys they read, and what stands at the places of a path.
#[derive(Clone, Debug)]
pub struct PathScope {
    /// What makes a journey.
    pub grain: Grain,
    /// The other rules that all questions share.
    pub common: Common,
}

impl PathScope {
    /// Sessions, unless another grain was given.
    pub fn new(common: Common) -> PathScope {
        PathScope { grain: common.grain.unwrap_or(Grain::Session), common }
    }

    /// The rules as they are printed. Those of sessions are not in force where a whole visitor is one journey.
    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::from_iter([("grain".to_owned(), json!(self.grain))]);
        if self.grain == Grain::Session {
            rules.extend(self.common.session_rules());
        }
        rules.extend(self.common.node_rules());
        rules.extend(self.common.by_rule());
        rules
    }

    pub(super) fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        needs.add(Needs::of_nodes(&self.common.nodes));
        if self.grain == Grain::Session {
            needs.add(self.common.session_needs());
        }
        needs
    }

    /// What makes a journey, in the numbers of a run.
    pub fn unit(&self, names: &Names, notes: &mut Notes) -> Result<Unit> {
        self.common.unit(self.grain, names, notes)
    }

    /// What a path shows of a journey. Warns of names and groups that the log has no use for.
    pub fn view(&self, names: &Names, notes: &mut Notes) -> Result<View> {
        let Common { nodes, repeats, collapse, hide, conventions, .. } = &self.common;
        let number = names.nodes(nodes)?;
        let known = names.node_names(number);
        for name in hide.iter().chain(collapse).filter(|name| known.code(name).is_none()) {
            notes.warn(nowhere("node", name, known.iter()));
        }
        for group in names.unused_groups(number) {
            notes.warn(format!("the group {group:?} takes no page and no event of the log"));
        }
        if nodes.kind == NodeKind::Auto {
            conventions.warn(names, notes);
        }
        View::new(names, nodes, *repeats, collapse, hide)
    }
}
