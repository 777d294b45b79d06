//! Experiments: tasks × methods × seeds from one file. Each combination is a run in its own directory.
//!
//! ```toml
//! title = "Pendulum from comparisons"
//! question = "How close do comparisons alone come to the task's own reward?"
//! seeds = 5                          # 0 to 4; or a list
//! skyline = "skyline"                # the method that the report counts as 1
//! reference = ["group"]              # the method that it compares with the others
//!
//! [base]                             # keys of every run, as in `spo train --config`
//! total_steps = 500_000
//! [tasks.pendulum]                   # keys here override those above
//! env = "pendulum"
//! [methods.group]
//! [methods.skyline]
//! scorer = "task_reward"
//!
//! [[cells]]                          # each of the tasks by each of the methods
//! tasks = ["pendulum"]
//! methods = ["group", "skyline"]
//!
//! [quick]                            # what `--quick` changes
//! set = { total_steps = 100_000 }
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Table;

use spo::TrainError;
use spo::train::config::{Config, ConfigError};

mod metric;
mod plan;
mod read;

pub use metric::Metric;
pub use plan::runs;

/// The file in an experiment's directory that records the experiment.
pub const RECORD: &str = "experiment.toml";

/// The largest number of curves in a panel of a report.
pub const MOST_PICTURED: usize = 6;

/// An experiment, in its long or its quick form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The name of its directory; by default the name of the file.
    #[serde(default)]
    pub name: String,
    /// Its title, in one line.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// The finding, which the report begins with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub finding: String,
    /// The command that ran it; written into the record of the directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// The seeds of every cell without its own.
    pub seeds: Seeds,
    /// The metric of its runs.
    #[serde(default)]
    pub metric: Metric,
    /// Other metrics in the report, a column for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Metric>,
    /// The method whose score is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skyline: Option<String>,
    /// The methods that are compared with the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<String>,
    /// The methods whose curves the report draws, at most six; by default the skyline, `reference` and the first others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictured: Vec<String>,
    /// Families of methods that differ only in the number of comparisons. The report draws a family's scores against its
    /// comparisons as one line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headline: BTreeMap<String, Vec<String>>,
    /// Keys of every run.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub base: Table,
    /// Keys by task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, Table>,
    /// Keys by method.
    pub methods: BTreeMap<String, Table>,
    /// Which tasks go with which methods.
    pub cells: Vec<Product>,
    #[serde(default, skip_serializing)]
    quick: Option<Quick>,
}

/// Each of some tasks by each of some methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Names from `tasks`; empty if the section `base` sets the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Names from `methods`.
    pub methods: Vec<String>,
    /// The seeds of these cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// Keys of these cells, which override all others.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub set: Table,
}

/// What the quick form changes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quick {
    /// The seeds of every cell.
    seeds: Option<Seeds>,
    /// Keys of every cell, which override all others.
    #[serde(default)]
    set: Table,
    /// The cells, instead of those of the long form.
    #[serde(default)]
    cells: Vec<Product>,
}

/// Seeds of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of seeds such as 5, or a list of them such as [0, 1, 2]")]
pub enum Seeds {
    /// This many seeds, from 0 on.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// The seeds as a list.
    pub fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(n) => (0..*n).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

/// A task and a method, which are repeated over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// `TASK-METHOD`, or `METHOD` if no task is named.
    pub name: String,
    /// The task's name; empty if none is named.
    pub task: String,
    /// The method's name.
    pub method: String,
    /// Seeds, in order.
    pub seeds: Vec<u64>,
    /// Every key, with seed 0.
    pub config: Config,
    /// Old names of keys in its parts, each with the new name.
    pub old_names: Vec<String>,
}

/// A cell at a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// `CELL-SEED`: its directory within the experiment's.
    pub name: String,
    /// Every key.
    pub config: Config,
}

/// A part of a plan, for several machines: every n-th run from the i-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// n.
    pub of: usize,
}

/// An error in an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The file, or a key of a run in it.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A part of it.
    #[error("{path}: {part}: {why}")]
    Part {
        /// The file.
        path: PathBuf,
        /// The section or key.
        part: String,
        /// What is wrong and what to change.
        why: String,
    },
    /// A cell whose configuration is invalid.
    #[error("{path}: cell `{cell}`: {source}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// Its name.
        cell: String,
        /// Why.
        source: Box<TrainError>,
    },
}
