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
pub use batch::{Columns, EventBatch, Keys, Number, Visit, VisitMut};
pub(crate) use columns::{Mapping, by_name, find, position};
pub use columns::{Role, Roles, Scan, TOUCHES};
pub use decode::Reading;
pub(crate) use decode::{Decoder, Tally, sane};
pub use derived::Derived;
pub(crate) use derived::with_derived;
pub(crate) use names::Dictionaries;
pub(crate) use nodes::NodeTable;
pub use nodes::{Group, NodeKind, NodeRule, PageViews, glob};
pub use page::PageRule;
pub use predicate::{Comparison, Condition};
pub use raw::{Origin, RawBatch, Reason, Reject, SHOWN, TextOrigin, UseAs, Wanted, shown};
pub(crate) use texts::micros;
pub use timestamp::{Clock, ClockNotes, DAY, SECOND, epoch, instant, local};
