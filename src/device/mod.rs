//! Backends: where the rollout, the scores and the update of an iteration are computed.
//!
//! - `host`: environments on all cores, any learner and any scorer;
//! - `burn` (with a feature of Burn's): environments on the learner's own device, thousands at once.
//!
//! The training loop is written once over the trait `Backend`. The devices themselves are in
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

/// An error of a backend.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// An oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// A score is not finite; this is the first such score.
    #[error("a score is {0}")]
    Score(f32),
    /// The device was lost or ran out of memory; this is the message of its library.
    #[error("the device failed: {0}")]
    DeviceLost(String),
}

/// The trajectories of an iteration.
pub(crate) struct Collected<R> {
    /// S · K trajectories, in the memory of the backend.
    pub rollout: R,
    /// The learner's policy at that time.
    pub policy: Policy,
    /// Environment steps.
    pub steps: u64,
}

/// The scores of an iteration's trajectories, and what is reported with them.
pub(crate) struct ScoredRollout<S> {
    /// What the update learns from.
    pub scores: S,
    /// The state of the scorer's model, if it learns one.
    pub model: Option<ModelReport>,
    /// What the model predicts of held-out comparisons, if it was fitted in this iteration.
    pub held_out: Vec<HeldOut>,
    /// Figures of safety, if the run trains with costs.
    pub safety: Option<SafetyReport>,
}

/// Figures of scored trajectories.
pub(crate) struct Overview {
    /// For the record.
    pub stats: RolloutStats,
    /// A replay for people who watch; `None` if the trajectories cannot be reproduced.
    pub latest_replay: Option<LatestReplay>,
}

/// The parts of a run that a checkpoint stores.
pub(crate) struct Parts<'a> {
    pub learner: &'a mut dyn Learner,
    pub scorer: &'a mut dyn Scorer,
    pub safety: Option<&'a mut Safety>,
}

/// Computes an iteration. Trajectories and scores have the backend's own types, so that they can stay on a device.
pub(crate) trait Backend: Send {
    /// An iteration's trajectories.
    type Rollout;
    /// Their scores.
    type Scores;

    /// The learner.
    fn learner(&self) -> &dyn Learner;

    /// The scorer.
    fn scorer(&self) -> &dyn Scorer;

    /// The safety part, if the run trains with costs.
    fn safety(&self) -> Option<&Safety>;

    /// Mutable access to all three.
    fn parts(&mut self) -> Parts<'_>;

    /// The learner's part of a checkpoint. If the device was lost, it is from the last complete iteration.
    fn saved(&self) -> (Policy, LearnerState);

    /// Rolls out the learner's policy.
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

    /// The figures of scored trajectories; `iteration` is from 1. An error if a score is not finite.
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
