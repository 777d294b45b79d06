//! How far a run is, whatever backend it trains on.

use super::config::Config;
use crate::game::PreferenceMatrix;
use crate::learner::LearnerState;
use crate::oracle::OracleEvents;
use crate::oracle::time_share::TimeShare;
use crate::policy::Policy;
use crate::policy::snapshots::Snapshots;
use crate::rollout::EnvFactory;
use crate::rollout::latest_replay::LatestReplay;
use crate::scorer::{HeldOut, ModelCounts};

/// A run but for its learner and its scorer, which the backend has.
pub(super) struct RunState {
    pub config: Config,
    pub factory: EnvFactory,
    /// Most steps of an episode.
    pub horizon: usize,
    /// π₀
    pub reference: Policy,
    /// The learner as it started with π₀, where every round of RLHF starts from it again.
    pub fresh: Option<LearnerState>,
    pub snapshots: Snapshots,
    /// The game that the oracle plays, if it is one over options.
    pub game: Option<PreferenceMatrix>,
    /// The oracle's constraint on a whole trajectory, if it has one.
    pub constraint: Option<TimeShare>,
    /// Iterations done.
    pub iteration: u64,
    pub env_steps: u64,
    /// Of training.
    pub seconds: f64,
    pub budget_spent: bool,
    pub latest_replay: Option<LatestReplay>,
    /// Of the reward model, after the last iteration.
    pub model_counts: Option<ModelCounts>,
    /// What the last iteration's fit of a reward model predicts of held-out comparisons.
    pub held_out: Vec<HeldOut>,
    pub events: OracleEvents,
    /// Why environments step on the host, where they could be expected to step on a GPU.
    pub on_host: Option<&'static str>,
}
