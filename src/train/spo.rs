//! A training in a few lines.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use spo_envs::{Env, EnvError};

use crate::oracle::Oracle;
use crate::policy::Policy;
use crate::rollout::EnvFactory;
use crate::train::config::{Config, ConfigError};
use crate::train::run::Run;
use crate::train::{Record, Summary, TrainError, Trainer, registered};

/// Builds a training: environment, oracle, configuration.
///
/// ```
/// use spo::prelude::*;
///
/// let outcome = Spo::on("lqr")
///     .oracle(|a: Trajectory, b: Trajectory| (a.task_return() > b.task_return()) as u8 as f32)
///     .config("total_steps=2000")?
///     .config("eval_episodes=10")?
///     .train()?;
/// assert_eq!(outcome.summary.eval_episodes, 10);
/// # Ok::<(), TrainError>(())
/// ```
pub struct Spo {
    config: Config,
    factory: Option<EnvFactory>,
    oracle: Option<Box<dyn Oracle>>,
    out: Option<PathBuf>,
}

/// What a training leaves behind.
pub struct Outcome {
    /// Figures of the evaluation.
    pub summary: Summary,
    /// The trained result, a uniform mixture.
    pub policies: Vec<Policy>,
    /// One row an iteration.
    pub records: Vec<Record>,
}

impl Spo {
    /// A training on the registry's task `env`, else by the defaults.
    pub fn on(env: &str) -> Self {
        Self::with(Config { env: env.into(), ..Config::default() })
    }

    /// A training by a configuration.
    pub fn with(config: Config) -> Self {
        Self { config, factory: None, oracle: None, out: None }
    }

    /// Trains on a task of one's own instead of one in the registry.
    #[must_use]
    pub fn env<E: Env + 'static>(mut self, make: impl Fn() -> E + Send + Sync + 'static) -> Self {
        self.factory = Some(Arc::new(move || Ok::<Box<dyn Env>, EnvError>(Box::new(make()))));
        self
    }

    /// Asks this oracle instead of the configuration's.
    #[must_use]
    pub fn oracle(mut self, oracle: impl Oracle + 'static) -> Self {
        self.oracle = Some(Box::new(oracle));
        self
    }

    /// The seed.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Sets a configuration key, as [`Config::set`] does.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key and the mend.
    pub fn config(mut self, assignment: &str) -> Result<Self, ConfigError> {
        self.config.set(assignment)?;
        Ok(self)
    }

    /// Writes a run directory.
    #[must_use]
    pub fn out(mut self, dir: impl Into<PathBuf>) -> Self {
        self.out = Some(dir.into());
        self
    }

    /// Trains to the end and evaluates.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn train(self) -> Result<Outcome, TrainError> {
        let Self { config, factory, oracle, out } = self;
        let factory = factory.map_or_else(|| registered(&config.env), Ok)?;
        let oracle = oracle.map_or_else(|| config.oracle.build(), Ok)?;
        let mut records = Vec::new();
        if let Some(dir) = out {
            let mut run = Run::create(&dir, config, factory, oracle)?;
            let summary = run.train(&mut |record, _| {
                records.push(*record);
                ControlFlow::Continue(())
            })?;
            let summary = summary.expect("nothing broke the training off");
            let (_, policies) =
                crate::policy::policy_file::load(&dir.join(crate::train::run::files::POLICY))?;
            return Ok(Outcome { summary, policies, records });
        }
        let mut trainer = Trainer::new(config, factory, oracle, None)?;
        while !trainer.done() {
            let Some((record, _)) = trainer.step()? else { break };
            records.push(record);
        }
        let policies = trainer.result()?;
        Ok(Outcome { summary: trainer.summary(&policies)?, policies, records })
    }
}
