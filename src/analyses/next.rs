//! What comes next: a node or the end, by how often.

use std::cmp::Reverse;

use serde::Serialize;

use crate::dictionary::Dictionary;
use crate::ids::{Code, MISSING};
use crate::reports::set_apart;

/// What stands for a node where a journey ends: no node has this code.
pub const END: Code = MISSING;

/// The name of what stands there.
const END_NAME: &str = "(end)";

/// What stands for all that is not shown by name.
pub const OTHER: &str = "(other)";

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// A node, the `(end)`, or all `(other)`.
    pub node: String,
    /// How often it does.
    pub count: u64,
}

impl Next {
    /// Nodes and the end with their counts: the `most` frequent by name, and the rest in one.
    pub fn list(mut nodes: Vec<(Code, u64)>, names: &Dictionary, most: usize) -> Vec<Next> {
        let name = |code: Code| if code == END { END_NAME } else { names.name(code) };
        nodes.sort_unstable_by_key(|&(code, count)| (Reverse(count), code != END, name(code)));
        let (named, rest) = nodes.split_at(most.min(nodes.len()));
        let next = |&(code, count): &(Code, u64)| Next { node: shown(code, name(code)), count };
        let mut list: Vec<Next> = named.iter().map(next).collect();
        if !rest.is_empty() {
            list.push(Next { node: OTHER.to_owned(), count: rest.iter().map(|(_, count)| count).sum() });
        }
        list
    }
}

/// The name of what comes next, told apart from our own labels.
fn shown(code: Code, name: &str) -> String {
    if code == END { name.to_owned() } else { set_apart(&set_apart(name, END_NAME), OTHER).into_owned() }
}
