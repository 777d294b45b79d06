//! Makes the cells and runs of an experiment.

use std::path::Path;

use spo_envs::EnvError;
use toml::Table;

use super::{Cell, Experiment, ExperimentError, Planned, Product, Shard};
use spo::train::config::{Config, Layer};
use spo::{TrainError, train};

impl Experiment {
    /// The cells, in the order of the file; `path` names the experiment in errors.
    ///
    /// # Errors
    /// [`ExperimentError`]: keys that are not allowed together, or two cells with the same name.
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
        // Keys for several methods may belong to sections that some of the methods do not use.
        let part = |keys, skips_unused| Layer { keys, origin: &origin, skips_unused };
        let layers = [
            part(&self.base, true),
            part(self.tasks.get(task).unwrap_or(&none), true),
            part(self.methods.get(method).unwrap_or(&none), false),
            part(&product.set, true),
        ];
        let (config, old_names) = Config::from_layers(&layers)?;
        let seeds = product.seeds.as_ref().unwrap_or(&self.seeds).list();
        Ok(Cell { name, task: task.into(), method: method.into(), seeds, config, old_names })
    }
}

impl Cell {
    /// Checks that its runs can start: keys are in range, and task, oracle and device are known.
    ///
    /// # Errors
    /// [`ExperimentError::Cell`]. A simulator that is not installed is reported only by the runs.
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

/// Every run of the cells, ordered by seed, so that an experiment that is stopped early has all cells for its first seeds.
pub fn runs(cells: &[Cell]) -> Vec<Planned> {
    let most = cells.iter().map(|c| c.seeds.len()).max().unwrap_or(0);
    let round = |place: usize| cells.iter().filter_map(move |c| c.seeds.get(place).map(|&seed| c.at(seed)));
    (0..most).flat_map(round).collect()
}

impl Shard {
    /// The shard's part of the runs. Together, all shards have all runs.
    pub fn select(self, runs: Vec<Planned>) -> Vec<Planned> {
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
