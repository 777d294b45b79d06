//! Backends: where an iteration's trajectories are made, scored and learned from.
//!
//! - `host`: environments on all cores, any learner and any scorer;
//! - `burn` (with a feature of Burn's): environments on the learner's own device, thousands at once.
//!
//! The training loop is written once over the trait [`Backend`]. The devices themselves are in
//! [`base::device`](crate::base::device).

pub use crate::base::device::{Adapter, Device, DeviceError, NAMES, adapters, is_built, open};

use spo_envs::EnvError;

use crate::learner::{Learner, LearnerState, UpdateContext, UpdateMetrics};
use crate::oracle::OracleError;
use crate::policy::Policy;
use crate::rollout::latest_replay::LatestReplay;
use crate::rollout::{Request, RolloutStats};
use crate::scorer::safety::{Safety, SafetyReport};
use crate::scorer::{Batch, HeldOut, ModelReport, Scorer};

#[cfg(feature = "burn")]
pub(crate) mod burn;
pub(crate) mod host;

/// What can go wrong in a backend.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// An oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A score is not finite: the first of them.
    #[error("a score is {0}")]
    Score(f32),
    /// The device went away, or ran out of memory. The message of the libraries below.
    #[error("the device failed: {0}")]
    DeviceLost(String),
}

/// The trajectories of an iteration.
pub(crate) struct Collected<R> {
    /// S · K trajectories, where the backend keeps them.
    pub rollout: R,
    /// The learner's policy while they were made.
    pub policy: Policy,
    /// Environment steps.
    pub steps: u64,
}

/// The scores of an iteration's trajectories, and what is reported of them.
pub(crate) struct ScoredRollout<S> {
    /// What the update learns from.
    pub scores: S,
    /// The state of the scorer's model, where it learns one.
    pub model: Option<ModelReport>,
    /// What this iteration's fit predicts of held-out comparisons.
    pub held_out: Vec<HeldOut>,
    /// Where costs are weighed.
    pub safety: Option<SafetyReport>,
}

/// Figures of scored trajectories.
pub(crate) struct Overview {
    /// For the record.
    pub stats: RolloutStats,
    /// For people who watch; `None` where the trajectories cannot be made again.
    pub latest_replay: Option<LatestReplay>,
}

/// The parts of a training that a checkpoint holds.
pub(crate) struct Parts<'a> {
    pub learner: &'a mut dyn Learner,
    pub scorer: &'a mut dyn Scorer,
    pub safety: Option<&'a mut Safety>,
}

/// Where an iteration happens. Trajectories and scores are of the backend's own types, so that they can stay on a device.
pub(crate) trait Backend: Send {
    /// An iteration's trajectories.
    type Rollout;
    /// Their scores.
    type Scores;

    /// The learner.
    fn learner(&self) -> &dyn Learner;

    /// The scorer.
    fn scorer(&self) -> &dyn Scorer;

    /// The safety part, where costs are weighed.
    fn safety(&self) -> Option<&Safety>;

    /// All three, to be changed.
    fn parts(&mut self) -> Parts<'_>;

    /// The learner's part of a checkpoint; where the device was lost, of the last whole iteration.
    fn saved(&self) -> (Policy, LearnerState);

    /// The trajectories of an iteration, by the learner's policy.
    fn rollout(
        &mut self,
        request: &Request,
        context: UpdateContext,
    ) -> Result<Collected<Self::Rollout>, BackendError>;

    /// The scores of a batch.
    fn score(
        &mut self,
        batch: &Batch<'_, Self::Rollout>,
    ) -> Result<ScoredRollout<Self::Scores>, BackendError>;

    /// Figures of scored trajectories of an iteration, from 1; an error where a score is not finite.
    fn overview(
        &self,
        iteration: u64,
        collected: &Collected<Self::Rollout>,
        scored: &ScoredRollout<Self::Scores>,
        reference: &Policy,
    ) -> Result<Overview, BackendError>;

    /// One update of the learner.
    fn update(
        &mut self,
        rollout: &Self::Rollout,
        scored: &ScoredRollout<Self::Scores>,
        context: UpdateContext,
    ) -> Result<UpdateMetrics, BackendError>;
}
