//! Locks that go on after a panic elsewhere: the panic itself ends the run and is reported.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the lock guarded, once nobody shares it any more.
pub fn unlocked<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
