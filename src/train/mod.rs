//! Training: a run in memory, its configuration, its directory. The loop itself is in `iteration`.

use std::path::Path;
use std::sync::Arc;

use spo_envs::EnvError;

use crate::oracle::{MeteredOracle, Oracle, OracleEvents, Queries};
use crate::policy::Policy;
use crate::policy::snapshots::Snapshots;
use crate::rollout::EnvFactory;
use crate::rollout::latest_replay::LatestReplay;
use crate::scorer::HeldOut;
use crate::scorer::safety::Safety;
use crate::train::checkpoint::Checkpoint;
use crate::train::config::Config;
use any_backend::AnyBackend;
use state::RunState;

mod any_backend;
pub mod checkpoint;
mod components;
pub mod config;
#[cfg(feature = "burn")]
mod env_device;
mod error;
mod iteration;
mod opponent_rollout;
mod record;
pub mod reference;
mod result;
mod rounds;
pub mod run;
#[cfg(test)]
mod safety_tests;
mod spo;
mod state;
pub mod tensorboard;

pub use crate::scorer::ModelCounts;
pub use error::TrainError;
pub use record::{Record, Summary, Timing};
pub use result::{evaluate, evaluation};
pub use spo::{Outcome, Spo};

/// Where comparisons are logged: a file each, and the bytes of it to keep.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a> {
    /// Of the oracle.
    pub comparisons: (&'a Path, u64),
    /// Of the safety oracle.
    pub safety: (&'a Path, u64),
}

/// A run in memory.
pub struct Trainer {
    run: RunState,
    backend: Box<dyn AnyBackend>,
}

/// A factory of the registry's task `id`.
///
/// # Errors
/// [`EnvError::Unknown`].
pub fn registered(id: &str) -> Result<EnvFactory, EnvError> {
    spo_envs::make(id)?;
    let id = id.to_string();
    Ok(Arc::new(move || spo_envs::make(&id)))
}

impl Trainer {
    /// A run at its beginning. `logs` are where comparisons are logged, the oracle's and the safety oracle's: files and the
    /// bytes of them to keep.
    ///
    /// # Errors
    /// [`TrainError`]: a value out of range, a device that is not there, a log that cannot be opened.
    pub fn new(
        config: Config,
        factory: EnvFactory,
        oracle: Box<dyn Oracle>,
        logs: Option<Logs<'_>>,
    ) -> Result<Self, TrainError> {
        let budget = config.budget_limit();
        Self::with_budget(config, factory, oracle, logs, budget)
    }

    /// As [`new`](Self::new), with another budget of the oracle than the configuration's, to look into a run.
    pub(crate) fn with_budget(
        config: Config,
        factory: EnvFactory,
        mut oracle: Box<dyn Oracle>,
        logs: Option<Logs<'_>>,
        budget: Option<u64>,
    ) -> Result<Self, TrainError> {
        let env = factory()?;
        let spec = env.spec().clone();
        config.validate_on(&spec)?;
        let events = OracleEvents::default();
        oracle.prepare(&spec, &events)?;
        let structure = oracle.structure();
        let (game, constraint) = (structure.preference_matrix(), structure.constraint);
        drop(structure);
        let mut metered = MeteredOracle::new(oracle, budget);
        if let Some(Logs { comparisons: (path, keep), .. }) = logs {
            metered.log_to(path, keep)?;
        }
        let safety = components::safety(&config, &spec, &events, logs.map(|logs| logs.safety))?;
        let (backend, on_host) = components::backend(&config, &factory, &*env, metered, safety)?;
        let snapshots = Snapshots::new(config.snapshots);
        let run = RunState {
            reference: backend.learner().policy(),
            fresh: (config.rlhf_rounds() > 0).then(|| backend.learner().save()),
            config,
            factory,
            horizon: spec.horizon,
            snapshots,
            game,
            constraint,
            iteration: 0,
            env_steps: 0,
            seconds: 0.0,
            budget_spent: false,
            latest_replay: None,
            model_counts: None,
            held_out: Vec::new(),
            events,
            on_host,
        };
        Ok(Self { run, backend })
    }

    /// The run's configuration.
    pub fn config(&self) -> &Config {
        &self.run.config
    }

    /// A snapshot of the present policy.
    pub fn policy(&self) -> Policy {
        self.backend.learner().policy()
    }

    /// What has been asked of the oracle so far.
    pub fn queries(&self) -> Queries {
        self.backend.scorer().queries()
    }

    /// The policies kept so far.
    pub fn snapshots(&self) -> &Snapshots {
        &self.run.snapshots
    }

    /// What happens on the way to the oracle's answers, as it happens.
    pub fn notes(&self) -> &OracleEvents {
        &self.run.events
    }

    /// The last iteration's first group of trajectories, for people who watch; `None` before the first.
    pub fn latest_replay(&self) -> Option<&LatestReplay> {
        self.run.latest_replay.as_ref()
    }

    /// What the last iteration's fit of a reward model predicts of held-out comparisons, where there was one.
    pub fn held_out(&self) -> &[HeldOut] {
        &self.run.held_out
    }

    /// Why environments step on the host, where the learner computes on a GPU; `None` otherwise.
    pub fn on_host(&self) -> Option<&'static str> {
        self.run.on_host
    }

    /// Environment steps so far.
    pub fn env_steps(&self) -> u64 {
        self.run.env_steps
    }

    /// Whether the next iteration, at full length, would pass the total steps, or the budget is spent.
    ///
    /// The first iteration is always made.
    pub fn done(&self) -> bool {
        let Self { run, .. } = self;
        let sides = 1 + u64::from(run.config.self_play.rolls_out_opponents());
        let trajectories = run.config.rollout.trajectories();
        let deployed = if run.begins_round() { run.config.reward_model.deployed_policies as u64 } else { 0 };
        let most = (sides + deployed) * (trajectories * run.horizon) as u64;
        run.budget_spent || (run.iteration > 0 && run.env_steps + most > run.config.total_steps)
    }

    /// One iteration; `None` where the budget of comparisons does not cover it, which ends the training.
    ///
    /// # Errors
    /// [`TrainError`] of environment, oracle, device or a divergence.
    pub fn step(&mut self) -> Result<Option<(Record, Timing)>, TrainError> {
        self.backend.iterate(&mut self.run)
    }

    /// The state between two iterations; the run directory fills in its files' lengths.
    ///
    /// # Errors
    /// Where the log of comparisons cannot be made durable.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        let (policy, learner) = self.backend.saved();
        let parts = self.backend.parts();
        Ok(Checkpoint {
            iteration: self.run.iteration,
            env_steps: self.run.env_steps,
            seconds: self.run.seconds,
            budget_spent: self.run.budget_spent,
            metrics_bytes: 0,
            timings_bytes: 0,
            reward_model_bytes: 0,
            model_counts: self.run.model_counts,
            policy,
            learner,
            scorer: parts.scorer.save()?,
            safety: parts.safety.map(Safety::save).transpose()?,
            snapshots: self.run.snapshots.clone(),
        })
    }

    /// Continues from a checkpoint of the same configuration.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where it is of another network.
    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        reference::fits(&checkpoint.policy, &self.policy()).map_err(|why| {
            TrainError::Checkpoint(format!("{why}; the run's config.toml has been changed"))
        })?;
        let parts = self.backend.parts();
        parts.learner.load(&checkpoint.learner).map_err(TrainError::Checkpoint)?;
        parts.scorer.load(checkpoint.scorer).map_err(TrainError::Checkpoint)?;
        if let Some(safety) = parts.safety {
            let state = checkpoint.safety.ok_or("it has no safety part".to_string());
            state.and_then(|state| safety.load(state)).map_err(TrainError::Checkpoint)?;
        }
        self.run.snapshots = checkpoint.snapshots;
        self.run.iteration = checkpoint.iteration;
        self.run.env_steps = checkpoint.env_steps;
        self.run.seconds = checkpoint.seconds;
        self.run.budget_spent = checkpoint.budget_spent;
        self.run.model_counts = checkpoint.model_counts;
        Ok(())
    }
}
