//! Raw columns → events: roles, row predicates, node inputs. Names become codes here, once per distinct name.

mod account;
mod batch;
mod columns;
mod decode;
mod derived;
mod names;
mod nodes;
mod page;
mod predicate;
mod raw;
mod sql;
mod texts;
mod timestamp;

pub use account::{Account, FirstReject};
pub use batch::{Columns, EventBatch, IdArena, Keys};
pub use columns::{FIRST_CHANNEL, Mapping, Role, Roles, Scan, Seen, by_name, find, position};
pub use decode::{Decoder, Reading, Tally};
pub use derived::{Derived, with_derived};
pub use names::Dictionaries;
pub use nodes::{Group, NodeKind, NodeRule, NodeTable, PageViews, glob};
pub use page::PageRule;
pub use predicate::{Comparison, Condition};
pub use raw::{Origin, RawBatch, Reason, Reject, SHOWN, TextOrigin, UseAs, Wanted, shown};
pub use timestamp::{Clock, ClockNotes, DAY, SECOND, epoch, instant};
