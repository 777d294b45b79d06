//! Safety: a second oracle, costs by its answers, and the price λ that they have beside what is better.
//!
//! What a step costs and when a policy violates the constraint J_C ≤ d is each scorer's counterpart:
//!
//! | scorer | cost of a step | J_C − d |
//! |---|---|---|
//! | `self_play`: safe self-play | minus its share of the win proportion for *safer* | share of the iteration's trajectories that are judged unsafe, less `unsafe_limit` |
//! | `reward_model`: Safe RLHF (Dai et al. 2023) | predicted by a cost model of the same oracle's answers | mean predicted cost of the last 128 trajectories, less 0 |
//! | `task_reward`: PPO-Lagrangian | the task's own | mean cost of the iteration's trajectories, less the limit of `cost=LIMIT` |
//!
//! [`lagrange`] has λ's update, [`advantage::price`](crate::learner::advantage::price) how the learner uses it. Each of the three
//! is one line of a configuration, so a difference between them is one of method.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::random::Stream;
use crate::oracle::{Oracle, OracleError, OracleSpec, Queries, SafetyQuery};
use crate::rollout::Episode;
use crate::scorer::reward_model::IteratedRewardModel;
use crate::scorer::self_play::SelfPlay;
use crate::scorer::{Batch, Scored, Scorer, ScorerState};
use lagrange::Lagrange;

pub mod lagrange;

/// Trajectories whose costs the mean of Safe RLHF is over.
const RECENT: usize = 128;

/// Safety's section of a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SafetyConfig {
    /// Which of two trajectories is safer, and whether one is safe: `cost=25`, with decorators. Empty trains without
    /// safety.
    #[serde(with = "crate::oracle::spec::optional")]
    #[schemars(with = "String")]
    pub oracle: Option<OracleSpec>,
    /// λ before the first iteration.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Dai et al. 2023: 1"))]
    pub lagrange_init: f64,
    /// η of the update log λ += η λ (J_C − d), in the inverse of J_C's unit.
    #[schemars(extend("exclusiveMinimum" = 0), extend("source" = "Dai et al. 2023: 0.1"))]
    pub lagrange_lr: f64,
    /// λ never falls below it, so that a policy that was safe for long reacts quickly when it becomes unsafe.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub lagrange_min: f64,
    /// λ never rises above it. 0 trains without safety, and the safety oracle judges the evaluation only.
    #[schemars(range(min = 0), extend("source" = "Dai et al. 2023: 5"))]
    pub lagrange_max: f64,
    /// Self-play: d, the share of trajectories that may be unsafe.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub unsafe_limit: f64,
}

impl Default for SafetyConfig {
    fn default() -> Self {
        Self {
            oracle: None,
            lagrange_init: 1.0,
            lagrange_lr: 0.1,
            lagrange_min: 0.1,
            lagrange_max: 5.0,
            unsafe_limit: 0.05,
        }
    }
}

impl SafetyConfig {
    /// Whether training weighs costs against scores.
    pub fn trains(&self) -> bool {
        self.oracle.is_some() && self.lagrange_max > 0.0
    }

    /// The oracle that judges safety, if there is one.
    ///
    /// # Errors
    /// An oracle that cannot be made, or that does not say what is safe.
    pub fn judge(&self) -> Result<Option<Box<dyn Oracle>>, OracleError> {
        let Some(spec) = &self.oracle else { return Ok(None) };
        let mut judge = spec.build()?;
        judge.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
        Ok(Some(judge))
    }
}

/// The safety part of a training: costs, the constraint on them, and their price λ.
pub(crate) struct Safety {
    source: CostSource,
    multiplier: Lagrange,
    /// d
    limit: f64,
    /// Predicted costs of the newest trajectories, oldest first, of a cost model.
    recent: VecDeque<f64>,
}

/// Where costs come from.
pub(crate) enum CostSource {
    /// Minus a win proportion for *safer*, by an oracle of safety.
    WinProportion(SelfPlay),
    /// A model of costs, fitted to an oracle's answers about safety.
    CostModel(Box<IteratedRewardModel>),
    /// The task.
    Task,
}

/// The costs of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SafetyScored {
    /// The cost of every step, `[Σ T]`.
    pub costs: Vec<f32>,
    /// Figures for the record.
    pub report: SafetyReport,
}

/// Figures of an iteration's safety.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SafetyReport {
    /// λ, after its step.
    pub multiplier: f64,
    /// The share of the trajectories that are unsafe, by where the costs come from; `None` where nothing was judged.
    pub unsafe_share: Option<f64>,
    /// The cost model's loss, where this iteration fitted one.
    pub cost_loss: Option<f32>,
}

/// A safety part's part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafetyState {
    /// λ
    pub multiplier: f64,
    /// Costs that a mean is over, oldest first.
    pub recent: Vec<f64>,
    /// Of the scorer of costs.
    pub scorer: ScorerState,
}

impl Safety {
    /// Costs from `source`, whose J_C should not be above `limit`, at a price that begins with `multiplier`.
    pub fn new(source: CostSource, multiplier: Lagrange, limit: f64) -> Self {
        Self { source, multiplier, limit, recent: VecDeque::new() }
    }

    /// The costs of a batch; and λ takes its step by how far the trajectories violate the constraint.
    pub fn score(&mut self, batch: &Batch<'_>) -> Result<SafetyScored, OracleError> {
        let rollout = batch.rollout;
        let mut cost_loss = None;
        let (costs, unsafe_share, constrained) = match &mut self.source {
            CostSource::WinProportion(scorer) => {
                let costs = scorer.score(batch)?.scores.iter().map(|share| -share).collect();
                let mut rng = batch.stream(Stream("oracle"), 2);
                let verdicts = scorer.oracle().verdicts(&whole(&rollout.episodes), &mut rng)?;
                let unsafe_share = share_unsafe(&verdicts);
                (costs, unsafe_share, unsafe_share)
            }
            CostSource::CostModel(model) => {
                let Scored { scores: costs, model: report, .. } = model.score(batch)?;
                cost_loss = report.and_then(|report| report.loss);
                let mut unsafe_share = None;
                if model.model().is_trained() {
                    let totals = rollout.totals(&costs);
                    unsafe_share = share_above(&totals, 0.0);
                    self.recent.extend(totals);
                    let excess = self.recent.len().saturating_sub(RECENT);
                    self.recent.drain(..excess);
                }
                (costs, unsafe_share, mean(self.recent.make_contiguous()))
            }
            CostSource::Task => {
                let costs = rollout.episodes.iter().flat_map(|e| &e.costs).copied().collect();
                let totals = rollout.total_costs();
                (costs, share_above(&totals, self.limit), mean(&totals))
            }
        };
        self.multiplier.step(constrained.map(|cost| cost - self.limit));
        let report = SafetyReport { multiplier: self.multiplier.value(), unsafe_share, cost_loss };
        Ok(SafetyScored { costs, report })
    }

    /// What the safety oracle was asked.
    pub fn queries(&self) -> Queries {
        match &self.source {
            CostSource::WinProportion(scorer) => scorer.queries(),
            CostSource::CostModel(model) => model.queries(),
            CostSource::Task => Queries::default(),
        }
    }

    /// Everything that a checkpoint must hold.
    pub fn save(&mut self) -> Result<SafetyState, OracleError> {
        let scorer = match &mut self.source {
            CostSource::WinProportion(scorer) => scorer.save()?,
            CostSource::CostModel(model) => model.save()?,
            CostSource::Task => ScorerState::default(),
        };
        let recent = self.recent.iter().copied().collect();
        Ok(SafetyState { multiplier: self.multiplier.value(), recent, scorer })
    }

    /// Continues from a checkpoint.
    pub fn load(&mut self, state: SafetyState) -> Result<(), String> {
        self.multiplier.restore(state.multiplier);
        self.recent = state.recent.into();
        match &mut self.source {
            CostSource::WinProportion(scorer) => scorer.load(state.scorer),
            CostSource::CostModel(model) => model.load(state.scorer),
            CostSource::Task => Ok(()),
        }
    }
}

/// Queries about whole episodes.
pub(crate) fn whole(episodes: &[Episode]) -> Vec<SafetyQuery<'_>> {
    episodes.iter().map(|e| SafetyQuery { trajectory: e.trajectory(), share: 1.0 }).collect()
}

/// The share of unsafe verdicts; `None` without a verdict.
pub(crate) fn share_unsafe(verdicts: &[Option<bool>]) -> Option<f64> {
    let judged: Vec<f64> = verdicts.iter().flatten().map(|safe| f64::from(u8::from(!safe))).collect();
    mean(&judged)
}

/// The share of numbers above a limit; `None` without a number.
fn share_above(numbers: &[f64], limit: f64) -> Option<f64> {
    mean(&numbers.iter().map(|n| f64::from(u8::from(*n > limit))).collect::<Vec<_>>())
}

/// The mean; `None` of no numbers.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| crate::base::stats::mean(numbers))
}
