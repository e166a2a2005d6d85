//! A panic is a fault of ours: it becomes an error that says so, never a trace of the stack.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;

use crate::error::{Error, Result};
use crate::sync::lock;

/// What panicked last and where. A panic that a reader of a damaged file catches is overwritten or never looked at.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Runs the program; a panic in any of its threads becomes an [`ErrorKind::Bug`](crate::error::ErrorKind::Bug).
pub fn guarded<T>(program: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::set_hook(Box::new(|panic| {
        *lock(&LAST) = panic.to_string();
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(program));
    result.unwrap_or_else(|_| {
        let what = lock(&LAST).clone();
        Err(Error::bug(format!("clickpath is at fault: {what}"))
            .hint("please report it with the command line; nothing half-written was left behind"))
    })
}
