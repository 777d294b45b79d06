//! What happened on the way to an oracle's answers: counted by kind, the latest of each in words.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Incidents of one process, shared between the oracle that notes them and whoever shows them.
///
/// Nothing of it enters `metrics.csv`: how often a program died says nothing of what was learned.
#[derive(Clone, Debug, Default)]
pub struct OracleEvents(Arc<Mutex<BTreeMap<&'static str, Note>>>);

/// Incidents of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// How many.
    pub count: u64,
    /// The latest, in words.
    pub latest: String,
}

impl OracleEvents {
    /// Counts one incident of a kind, such as `restarts`.
    pub fn add(&self, kind: &'static str, what: impl Into<String>) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = notes.entry(kind).or_default();
        note.count += 1;
        note.latest = what.into();
    }

    /// Counts `n` of a kind without words, such as tokens: for the end of a run, and nothing is shown as it happens.
    pub fn count(&self, kind: &'static str, n: u64) {
        if n > 0 {
            let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let note = notes.entry(kind).or_default();
            // What a server counts may be anything.
            note.count = note.count.saturating_add(n);
        }
    }

    /// Takes over what another's has counted, unless it is the same.
    pub fn take_over(&self, other: &Self) {
        if Arc::ptr_eq(&self.0, &other.0) {
            return;
        }
        let theirs = std::mem::take(&mut *other.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, note) in theirs {
            let own = notes.entry(kind).or_default();
            *own = Note { count: own.count.saturating_add(note.count), latest: note.latest };
        }
    }

    /// All so far, by kind.
    pub fn all(&self) -> BTreeMap<&'static str, Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many of each kind.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.all().into_iter().map(|(kind, note)| (kind.to_string(), note.count)).collect()
    }
}
