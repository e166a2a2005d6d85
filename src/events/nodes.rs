//! What stands at one place of a path: a page, a group, or an event name.

use std::hash::{Hash, Hasher};

use globset::{Glob, GlobBuilder, GlobMatcher};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};

/// Which names make the nodes of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// The page for page views, the event name for everything else.
    #[default]
    Auto,
    /// The page of every event; events without one have no node.
    Page,
    /// The name of every event.
    Event,
}

/// How events become nodes: two questions with equal rules share one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeRule {
    /// Whether pages, event names or both make nodes.
    pub kind: NodeKind,
    /// Tried in order on each page or event name; the first match names the node.
    pub groups: Vec<Group>,
    /// Names of the events that are page views.
    pub page_views: Vec<String>,
}

/// One line of `--group`: names that a pattern matches become one node.
#[derive(Clone, Debug)]
pub struct Group {
    text: String,
    pattern: Pattern,
    name: String,
}

#[derive(Clone, Debug)]
enum Pattern {
    Glob(Box<GlobMatcher>),
    Regex(Regex),
    /// `depth:2`: the first two folders of every page.
    Depth(usize),
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Group {}

impl Hash for Group {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Group {
    /// Reads `GLOB = NAME`, `re:REGEX = NAME` (`$1` in the name is the first capture), or `depth:N`.
    pub fn parse(text: &str) -> Result<Group> {
        if let Some(depth) = text.trim().strip_prefix("depth:") {
            let depth = depth.trim().parse().ok().filter(|depth| *depth > 0);
            let depth =
                depth.ok_or_else(|| Error::question(format!("--group {text:?}: depth: needs a number from 1")))?;
            return Ok(Group { text: text.to_owned(), pattern: Pattern::Depth(depth), name: String::new() });
        }
        let (pattern, name) = text.rsplit_once(" = ").or_else(|| text.rsplit_once('=')).ok_or_else(|| {
            Error::question(format!("--group {text:?} has no name"))
                .hint("write a pattern and a name: --group '/product/* = Product'")
        })?;
        Self::new(pattern.trim(), name.trim())
    }

    /// The group `name` of all names that `pattern` (a glob, or `re:` and a regular expression) matches.
    pub fn new(pattern: &str, name: &str) -> Result<Group> {
        let text = format!("{pattern} = {name}");
        if name.is_empty() {
            return Err(Error::question(format!("--group {text:?} has no name"))
                .hint("write a pattern and a name: --group '/product/* = Product'; --hide takes nodes out of paths"));
        }
        let pattern = match pattern.strip_prefix("re:") {
            Some(regex) => Pattern::Regex(
                Regex::new(regex.trim()).map_err(|error| Error::question(format!("--group {text:?}: {error}")))?,
            ),
            None => Pattern::Glob(Box::new(glob(pattern)?.compile_matcher())),
        };
        Ok(Group { text, pattern, name: name.to_owned() })
    }

    /// The node's name if the group takes `name`.
    fn node(&self, name: &str) -> Option<String> {
        match &self.pattern {
            Pattern::Glob(glob) => glob.is_match(name).then(|| self.name.clone()),
            Pattern::Regex(regex) => regex.captures(name).map(|captures| {
                let mut node = String::new();
                captures.expand(&self.name, &mut node);
                // A node without a name would be no node: what captured nothing keeps its own.
                if node.is_empty() { name.to_owned() } else { node }
            }),
            Pattern::Depth(depth) => {
                let end = name.match_indices('/').nth(*depth).filter(|_| name.starts_with('/'));
                end.map(|(at, _)| name[..at].to_owned())
            }
        }
    }

    /// As the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A glob over names: `*` stands for any text, slashes too; `?` for one character.
pub fn glob(pattern: &str) -> Result<Glob> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map_err(|error| Error::question(format!("{pattern:?} is not a pattern: {}", error.kind())))
}

/// Which events are page views in this log.
#[derive(Clone, Debug)]
pub struct PageViews {
    by_event: Vec<bool>,
    /// The log has none of the names, so every event with a page is one.
    every_page: bool,
}

impl PageViews {
    /// Looks for the events called `names` among the `events` of a log; if it has none, every event with a page is a view.
    pub fn new(names: &[String], events: &Dictionary) -> Self {
        let by_event: Vec<bool> = (0..events.len() as Code)
            .map(|code| code != MISSING && names.iter().any(|name| name == events.name(code)))
            .collect();
        let every_page = !by_event.contains(&true);
        PageViews { by_event, every_page }
    }

    /// Whether an event is a page view, by the codes of its name and its page in this log.
    #[inline]
    pub fn contains(&self, event: Code, page: Code) -> bool {
        self.by_event[event as usize] || (self.every_page && page != MISSING)
    }

    /// Whether the log has page views at all, given whether it has pages.
    pub fn any(&self, pages: &Dictionary) -> bool {
        !self.every_page || pages.len() > 1
    }

    /// The page views among events by name alone; `None` if every event with a page is one.
    pub fn by_event(&self) -> Option<&[bool]> {
        (!self.every_page).then_some(&self.by_event)
    }
}

/// The nodes of one rule: their names, and the node of every event and page.
#[derive(Debug)]
pub struct NodeTable {
    names: Dictionary,
    of_event: Vec<Code>,
    of_page: Vec<Code>,
    kind: NodeKind,
    views: PageViews,
    /// Groups that no name fell into.
    unused: Vec<String>,
}

impl NodeTable {
    pub fn new(rule: &NodeRule, events: &Dictionary, pages: &Dictionary) -> Self {
        let mut names = Dictionary::default();
        let mut used = vec![false; rule.groups.len()];
        let mut node = |name: &str| {
            let mut groups = rule.groups.iter().enumerate();
            match groups.find_map(|(number, group)| Some((number, group.node(name)?))) {
                Some((number, group)) => {
                    used[number] = true;
                    names.intern(&group)
                }
                None => names.intern(name),
            }
        };
        let mut codes = |from: &Dictionary, used: bool| -> Vec<Code> {
            let name = |code| if code == MISSING || !used { MISSING } else { node(from.name(code)) };
            (0..from.len() as Code).map(name).collect()
        };
        let of_event = codes(events, rule.kind != NodeKind::Page);
        let of_page = codes(pages, rule.kind != NodeKind::Event);
        let unused =
            rule.groups.iter().zip(used).filter(|(_, used)| !used).map(|(group, _)| group.text.clone()).collect();
        let views = PageViews::new(&rule.page_views, events);
        NodeTable { of_event, of_page, names, kind: rule.kind, views, unused }
    }

    pub fn names(&self) -> &Dictionary {
        &self.names
    }

    /// The groups that no name of the log fell into, as written.
    pub fn unused_groups(&self) -> impl Iterator<Item = &str> {
        self.unused.iter().map(String::as_str)
    }

    /// Appends the node of each event to `nodes`. A column that was not read is empty.
    pub fn nodes(&self, events: &[Code], pages: &[Code], nodes: &mut Vec<Code>) {
        nodes.reserve(events.len().max(pages.len()));
        match (self.kind, events.is_empty(), pages.is_empty()) {
            (NodeKind::Event, ..) | (_, _, true) => nodes.extend(events.iter().map(|&e| self.of_event[e as usize])),
            (NodeKind::Page, ..) | (_, true, _) => nodes.extend(pages.iter().map(|&p| self.of_page[p as usize])),
            (NodeKind::Auto, ..) => {
                nodes.extend(events.iter().zip(pages).map(|(&event, &page)| self.auto(event, page)));
            }
        }
    }

    #[inline]
    fn auto(&self, event: Code, page: Code) -> Code {
        let use_page = page != MISSING && self.views.contains(event, page);
        if use_page { self.of_page[page as usize] } else { self.of_event[event as usize] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(names: &[&str]) -> Dictionary {
        let mut dictionary = Dictionary::default();
        for name in names {
            dictionary.intern(name);
        }
        dictionary
    }

    fn names(rule: &NodeRule, events: &[Code], pages: &[Code]) -> Vec<String> {
        let table = NodeTable::new(rule, &dictionary(&["page_view", "buy"]), &dictionary(&["/", "/p/1", "/p/2/x"]));
        let mut nodes = Vec::new();
        table.nodes(events, pages, &mut nodes);
        nodes.into_iter().map(|node| table.names().name(node).to_owned()).collect()
    }

    #[test]
    fn auto_takes_pages_of_page_views_and_names_of_the_rest() {
        let rule = NodeRule { page_views: vec!["page_view".into()], ..NodeRule::default() };
        assert_eq!(names(&rule, &[1, 2, 1], &[2, 2, 0]), ["/p/1", "buy", "page_view"]);
        let pages = NodeRule { kind: NodeKind::Page, ..rule.clone() };
        assert_eq!(names(&pages, &[1, 2, 1], &[2, 2, 0]), ["/p/1", "/p/1", ""]);
        let events = NodeRule { kind: NodeKind::Event, ..rule };
        assert_eq!(names(&events, &[1, 2, 1], &[2, 2, 0]), ["page_view", "buy", "page_view"]);
    }

    #[test]
    fn without_page_view_events_every_event_with_a_page_is_one() {
        let rule = NodeRule { page_views: vec!["pageview".into()], ..NodeRule::default() };
        assert_eq!(names(&rule, &[1, 2], &[1, 0]), ["/", "buy"]);
    }

    #[test]
    fn groups_are_ordered() {
        let groups =
            ["/p/2/* = Two", "re:^/p/(\\d+) = P$1", "b* = Buy"].map(|text| Group::parse(text).unwrap()).to_vec();
        let rule = NodeRule { groups, page_views: vec!["page_view".into()], ..NodeRule::default() };
        assert_eq!(names(&rule, &[1, 1, 1, 2], &[1, 2, 3, 0]), ["/", "P1", "Two", "Buy"]);
    }

    #[test]
    fn depth_folds_pages() {
        let rule =
            NodeRule { groups: vec![Group::parse("depth:1").unwrap()], kind: NodeKind::Page, ..NodeRule::default() };
        assert_eq!(names(&rule, &[1, 1], &[1, 3]), ["/", "/p"]);
    }

    #[test]
    fn a_group_without_a_name_is_refused() {
        assert!(Group::parse("/p/*").unwrap_err().advice().is_some());
        assert!(Group::parse("/p/* = ").unwrap_err().advice().is_some());
        assert!(Group::parse("re:( = x").is_err());
        assert!(Group::parse("depth:0").is_err());
    }
}
