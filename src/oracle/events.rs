//! What happened while an oracle answered, such as restarts of a program: counted by kind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Events of one process, shared between the oracle that counts them and the code that shows them.
///
/// They are not in `metrics.csv`: how often a program crashed does not describe what was learned.
#[derive(Clone, Debug, Default)]
pub struct OracleEvents(Arc<Mutex<BTreeMap<&'static str, EventCount>>>);

/// Events of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCount {
    /// How many.
    pub count: u64,
    /// A description of the latest one.
    pub latest: String,
}

impl OracleEvents {
    /// Counts one event of a kind, such as `restarts`, with a description.
    pub fn add(&self, kind: &'static str, description: impl Into<String>) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = events.entry(kind).or_default();
        event.count += 1;
        event.latest = description.into();
    }

    /// Counts `n` events of a kind without a description, such as tokens. They are shown at the end of a run only.
    pub fn count(&self, kind: &'static str, n: u64) {
        if n > 0 {
            let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let event = events.entry(kind).or_default();
            // A server may send any number.
            event.count = event.count.saturating_add(n);
        }
    }

    /// Moves the counts of `other` here; does nothing if both are the same.
    pub fn take_over(&self, other: &Self) {
        if Arc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let theirs = std::mem::take(&mut *other.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, event) in theirs {
            let own = events.entry(kind).or_default();
            *own = EventCount { count: own.count.saturating_add(event.count), latest: event.latest };
        }
    }

    /// All events so far, by kind.
    pub fn all(&self) -> BTreeMap<&'static str, EventCount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of events of each kind.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.all().into_iter().map(|(kind, event)| (kind.to_string(), event.count)).collect()
    }
}
