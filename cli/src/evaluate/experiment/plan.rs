//! From an experiment to its cells and runs.

use std::path::Path;

use spo_envs::EnvError;
use toml::Table;

use super::{Cell, Experiment, ExperimentError, Planned, Product, Shard};
use spo::train::config::{Config, Layer};
use spo::{TrainError, train};

impl Experiment {
    /// The cells, in the file's order; `path` names the experiment in errors.
    ///
    /// # Errors
    /// [`ExperimentError`]: keys that do not go together, two cells of one name.
    pub fn cells(&self, path: &Path) -> Result<Vec<Cell>, ExperimentError> {
        let mut cells: Vec<Cell> = Vec::new();
        let none = String::new();
        for product in &self.cells {
            let tasks = if product.tasks.is_empty() { std::slice::from_ref(&none) } else { &product.tasks };
            for (task, method) in tasks.iter().flat_map(|t| product.methods.iter().map(move |m| (t, m))) {
                let cell = self.cell(product, task, method, path)?;
                if cells.iter().any(|c| c.name == cell.name) {
                    let why = "it is there twice; give the method another name where its keys differ".into();
                    let part = format!("[[cells]] {}", cell.name);
                    return Err(ExperimentError::Part { path: path.into(), part, why });
                }
                cells.push(cell);
            }
        }
        Ok(cells)
    }

    fn cell(
        &self,
        product: &Product,
        task: &str,
        method: &str,
        path: &Path,
    ) -> Result<Cell, ExperimentError> {
        let name = if task.is_empty() { method.to_string() } else { format!("{task}-{method}") };
        let origin = format!("{}: cell `{name}`", path.display());
        let none = Table::new();
        // What holds for many methods may name sections that some of them do not use.
        let part = |keys, skips_unused| Layer { keys, origin: &origin, skips_unused };
        let layers = [
            part(&self.base, true),
            part(self.tasks.get(task).unwrap_or(&none), true),
            part(self.methods.get(method).unwrap_or(&none), false),
            part(&product.set, true),
        ];
        let config = Config::from_layers(&layers)?;
        let seeds = product.seeds.as_ref().unwrap_or(&self.seeds).list();
        Ok(Cell { name, task: task.into(), method: method.into(), seeds, config })
    }
}

impl Cell {
    /// Whether its runs can begin: keys in range, task, oracle and device known.
    ///
    /// # Errors
    /// [`ExperimentError::Cell`]. A simulator that is not installed is left to the runs to say.
    pub fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        let valid = || -> Result<(), TrainError> {
            self.config.validate()?;
            self.config.oracle.build()?;
            spo::device::open(&self.config.device)?;
            match train::registered(&self.config.env) {
                Ok(factory) => Ok(self.config.validate_on(factory()?.spec())?),
                Err(EnvError::Mujoco { .. }) => Ok(()),
                Err(e) => Err(e.into()),
            }
        };
        valid().map_err(|source| ExperimentError::Cell {
            path: path.into(),
            cell: self.name.clone(),
            source: Box::new(source),
        })
    }

    /// The cell at a seed.
    pub fn at(&self, seed: u64) -> Planned {
        Planned { name: format!("{}-{seed}", self.name), config: Config { seed, ..self.config.clone() } }
    }
}

/// Every run of the cells, first seeds first: what is there when an experiment is broken off is whole comparisons.
pub fn runs(cells: &[Cell]) -> Vec<Planned> {
    let most = cells.iter().map(|c| c.seeds.len()).max().unwrap_or(0);
    let round = |place: usize| cells.iter().filter_map(move |c| c.seeds.get(place).map(|&seed| c.at(seed)));
    (0..most).flat_map(round).collect()
}

impl Shard {
    /// Its part of the runs; the parts of all shards make up the whole.
    pub fn of(self, runs: Vec<Planned>) -> Vec<Planned> {
        runs.into_iter().skip(self.index - 1).step_by(self.of).collect()
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parsed {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected I/N such as 1/4, I from 1 to N".into()),
        }
    }
}
