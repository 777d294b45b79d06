//! The state of a run that does not depend on its backend.

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

/// A run without its learner and its scorer, which belong to the backend.
pub(super) struct RunState {
    pub config: Config,
    pub factory: EnvFactory,
    /// The largest number of steps of an episode.
    pub horizon: usize,
    /// The reference policy π₀.
    pub reference: Policy,
    /// The learner at the start, with π₀: every round of RLHF starts from it again.
    pub fresh: Option<LearnerState>,
    pub snapshots: Snapshots,
    /// The game that the oracle plays, if it is one over options.
    pub game: Option<PreferenceMatrix>,
    /// The oracle's constraint on a whole trajectory, if it has one.
    pub constraint: Option<TimeShare>,
    /// Iterations done.
    pub iteration: u64,
    pub env_steps: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    pub budget_spent: bool,
    pub latest_replay: Option<LatestReplay>,
    /// The counts of the reward model after the last iteration.
    pub model_counts: Option<ModelCounts>,
    /// What the reward model predicts of held-out comparisons, if it was fitted in the last iteration.
    pub held_out: Vec<HeldOut>,
    pub events: OracleEvents,
    /// The reason why environments step on the host although the learner computes on a GPU, if that is so.
    pub on_host: Option<&'static str>,
}
