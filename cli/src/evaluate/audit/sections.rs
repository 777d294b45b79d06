//! The four sections of a run's page: one per file. This file holds their types.

mod feedback;
mod policy;
mod signal;
mod system;

use super::document::{Cell, Chart};
use super::{Audit, Found};
use crate::evaluate::report::write::whole;

/// A section of a page.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lead: &'static str,
    pub(super) facts: Vec<(&'static str, Cell)>,
    pub(super) parts: Vec<Part>,
}

/// A part of a section, below its facts.
pub(super) enum Part {
    Grid(Grid),
    Chart(Chart),
    Code { caption: &'static str, text: String },
}

/// A table with a row for each key.
pub(super) struct Grid {
    pub(super) caption: &'static str,
    pub(super) key: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<Cell>)>,
    pub(super) note: String,
}

impl Part {
    /// The name by which the same part of several runs is recognised.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Grid(grid) => grid.caption,
            Self::Chart(chart) => &chart.title,
            Self::Code { caption, .. } => caption,
        }
    }
}

/// Task, seed and state of a run.
pub(super) fn line(audit: &Audit) -> String {
    let s = &audit.system;
    let state = match (s.ended, s.env_steps) {
        (true, steps) => format!("finished after {} steps", whole(steps as f64)),
        (false, 0) => "not begun".into(),
        (false, steps) => {
            format!("not finished: {} of {} steps", whole(steps as f64), whole(s.total_steps as f64))
        }
    };
    format!("{}, seed {}, {state}", audit.env, s.seed)
}

/// The four sections, in order.
pub(super) fn all(audit: &Audit) -> [Section; 4] {
    [feedback::section(audit), signal::section(audit), policy::section(audit), system::section(audit)]
}

fn text(words: impl Into<String>) -> Cell {
    Cell::Text(words.into())
}

fn figure(words: impl Into<String>) -> Cell {
    Cell::Figure(words.into())
}

fn missing(why: &str) -> Cell {
    Cell::Missing(why.into())
}

/// A text that a person wrote.
fn stated(words: &str) -> Cell {
    if words.trim().is_empty() { missing("not stated") } else { text(words.trim()) }
}

fn listed(sentences: &[String]) -> Cell {
    stated(&sentences.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).collect::<Vec<_>>().join("; "))
}

fn or_why<T>(found: &Found<T>, show: impl FnOnce(&T) -> String) -> Cell {
    match found {
        Ok(value) => text(show(value)),
        Err(why) => missing(why),
    }
}
