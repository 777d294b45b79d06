//! Experiments: tasks × methods × seeds from one file, each a run in a directory of its own.
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

/// The name of the file in an experiment's directory that says what its runs are.
pub const RECORD: &str = "experiment.toml";

/// Most curves in a panel of a report.
pub const MOST_PICTURED: usize = 6;

/// An experiment, its quick form applied or left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What its directory is called; the file's name if left out.
    #[serde(default)]
    pub name: String,
    /// In a line.
    pub title: String,
    /// What it asks.
    pub question: String,
    /// What was found; the report begins with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub finding: String,
    /// How it is run; the runner writes it into the record of an experiment's directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Of every cell that has none of its own.
    pub seeds: Seeds,
    /// What its runs are measured by.
    #[serde(default)]
    pub metric: Metric,
    /// What the report shows of them besides, a column each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Metric>,
    /// The method whose score is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skyline: Option<String>,
    /// The methods that are compared with the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<String>,
    /// The methods whose curves the report draws, at most six; the skyline, `reference` and the first others if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictured: Vec<String>,
    /// Families of methods that differ in how many comparisons they ask: the report draws a family's scores against its
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
    /// Names from `tasks`; none where the base names the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Names from `methods`.
    pub methods: Vec<String>,
    /// Of these cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// Keys of these cells, over all others.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub set: Table,
}

/// What the quick form changes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quick {
    /// Of every cell.
    seeds: Option<Seeds>,
    /// Keys of every cell, over all others.
    #[serde(default)]
    set: Table,
    /// Instead of the cells of the long form.
    #[serde(default)]
    cells: Vec<Product>,
}

/// Seeds of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number of seeds such as 5, or a list of them such as [0, 1, 2]")]
pub enum Seeds {
    /// From 0 on.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// One by one.
    pub fn list(&self) -> Vec<u64> {
        match self {
            Self::Count(n) => (0..*n).collect(),
            Self::List(seeds) => seeds.clone(),
        }
    }
}

/// A task by a method: what is repeated over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// `TASK-METHOD`, or `METHOD` where no task is named.
    pub name: String,
    /// The task's name; empty where none is named.
    pub task: String,
    /// The method's name.
    pub method: String,
    /// Seeds, in order.
    pub seeds: Vec<u64>,
    /// Every key, with seed 0.
    pub config: Config,
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

/// What can be wrong with an experiment.
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
        /// What is wrong, and the mend.
        why: String,
    },
    /// A cell that no run can be made of.
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
