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
//! [`lagrange`] has λ's update, [`advantage::price`](crate::learner::advantage::price) what the learner makes of it. Each of the
//! three is one line of a configuration, so a difference is one of method.

use std::collections::VecDeque;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spo_envs::Spec;

use crate::TrainError;
use crate::base::random::{Stream, stream};
use crate::oracle::{MeteredOracle, Oracle, OracleError, OracleEvents, OracleSpec, Queries, SafetyQuery};
use crate::rollout::{Episode, Rollout};
use crate::scorer::reward_model::{IteratedRewardModel, RewardModelConfig};
use crate::scorer::self_play::{SelfPlay, SelfPlayConfig};
use crate::scorer::{Batch, Scorer, ScorerState};
use crate::train::config::{Config, ScorerKind};
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

/// The safety part of a training.
pub(crate) struct Safety {
    costs: Source,
    multiplier: Lagrange,
    /// d
    limit: f64,
    /// Of this iteration's trajectories; none where nobody said.
    unsafe_share: Option<f64>,
}

/// Where costs come from.
enum Source {
    Played(SelfPlay),
    Modelled {
        model: Box<IteratedRewardModel>,
        /// Predicted costs of the newest trajectories, oldest first.
        recent: VecDeque<f64>,
    },
    /// By the task.
    Given,
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
    /// The safety part of a configuration, where it trains safely; `log` is where its oracle's answers are logged.
    pub fn new(
        config: &Config,
        spec: &Spec,
        notes: &OracleEvents,
        log: Option<(&Path, u64)>,
    ) -> Result<Option<Self>, TrainError> {
        let Some(mut judge) = config.safety_judge()?.filter(|_| config.safety.trains()) else {
            return Ok(None);
        };
        judge.prepare(spec, notes)?;
        let limit = match config.scorer {
            ScorerKind::SelfPlay => config.safety.unsafe_limit,
            ScorerKind::TaskReward => judge.structure().cost_limit.unwrap_or(0.0),
            _ => 0.0,
        };
        let mut counted = MeteredOracle::new(judge, Some(config.budget).filter(|&b| b > 0)).of_safety();
        if let Some((path, keep)) = log.filter(|_| config.scorer != ScorerKind::TaskReward) {
            counted.log_to(path, keep)?;
        }
        let costs = match config.scorer {
            ScorerKind::SelfPlay => {
                let SelfPlayConfig { opponents, placement, optimism, .. } = config.self_play;
                let played = SelfPlay::new(counted, opponents, placement, config.self_play.window_steps());
                Source::Played(played.optimistic(optimism))
            }
            ScorerKind::TaskReward => Source::Given,
            _ => {
                // A cost has a zero of its own, and is known before anything else.
                let own = RewardModelConfig { standardize_rewards: false, ..config.reward_model.clone() };
                let mut schedule = config.query_schedule(spec.horizon);
                schedule.pretrain_steps = 0;
                let model =
                    IteratedRewardModel::new(counted, spec, own, schedule, None, config.seed).of_costs();
                Source::Modelled { model: Box::new(model), recent: VecDeque::new() }
            }
        };
        let bounds = [config.safety.lagrange_min, config.safety.lagrange_max];
        let multiplier = Lagrange::new(config.safety.lagrange_init, config.safety.lagrange_lr, bounds);
        Ok(Some(Self { costs, multiplier, limit, unsafe_share: None }))
    }

    /// As [`Scorer::meet`].
    pub fn meet(&mut self, opponents: &Rollout) {
        if let Source::Played(played) = &mut self.costs {
            played.meet(opponents.clone());
        }
    }

    /// The cost of every step, `[Σ T]`; and λ takes its step by how far the trajectories violate the constraint.
    pub fn score(&mut self, batch: &Batch<'_>) -> Result<Vec<f32>, OracleError> {
        let episodes = &batch.rollout.episodes;
        let (costs, violation) = match &mut self.costs {
            Source::Played(played) => {
                let costs = played.score(batch)?.iter().map(|share| -share).collect();
                let mut rng = stream(batch.seed, Stream("oracle"), batch.iteration, 2);
                let verdicts = played.oracle().verdicts(&whole(episodes), &mut rng)?;
                self.unsafe_share = share_unsafe(&verdicts);
                (costs, self.unsafe_share.map(|share| share - self.limit))
            }
            Source::Modelled { model, recent } => {
                let costs = model.score(batch)?;
                if model.model().is_trained() {
                    let totals = totals(episodes, &costs);
                    self.unsafe_share = share_above(&totals, 0.0);
                    recent.extend(totals);
                    let excess = recent.len().saturating_sub(RECENT);
                    recent.drain(..excess);
                }
                (costs, mean(recent.make_contiguous()).map(|mean| mean - self.limit))
            }
            Source::Given => {
                let costs = episodes.iter().flat_map(|e| &e.costs).copied().collect();
                let totals = batch.rollout.total_costs();
                self.unsafe_share = share_above(&totals, self.limit);
                (costs, mean(&totals).map(|mean| mean - self.limit))
            }
        };
        self.multiplier.step(violation);
        Ok(costs)
    }

    /// λ
    pub fn multiplier(&self) -> f64 {
        self.multiplier.value()
    }

    /// The share of this iteration's trajectories that are unsafe, by what the costs come from.
    pub fn unsafe_share(&self) -> Option<f64> {
        self.unsafe_share
    }

    /// The cost model's loss, where this iteration fitted one.
    pub fn cost_loss(&self) -> Option<f32> {
        self.scorer().and_then(|scorer| scorer.model_report()?.loss)
    }

    /// What the safety oracle was asked.
    pub fn queries(&self) -> Queries {
        self.scorer().map(Scorer::queries).unwrap_or_default()
    }

    fn scorer(&self) -> Option<&dyn Scorer> {
        match &self.costs {
            Source::Played(played) => Some(played),
            Source::Modelled { model, .. } => Some(&**model),
            Source::Given => None,
        }
    }

    pub fn save(&mut self) -> Result<SafetyState, OracleError> {
        let (recent, scorer) = match &mut self.costs {
            Source::Played(played) => (Vec::new(), played.save()?),
            Source::Modelled { model, recent } => (recent.iter().copied().collect(), model.save()?),
            Source::Given => (Vec::new(), ScorerState::default()),
        };
        Ok(SafetyState { multiplier: self.multiplier.value(), recent, scorer })
    }

    pub fn load(&mut self, state: SafetyState) -> Result<(), String> {
        self.multiplier.restore(state.multiplier);
        match &mut self.costs {
            Source::Played(played) => played.load(state.scorer),
            Source::Modelled { model, recent } => {
                *recent = state.recent.into();
                model.load(state.scorer)
            }
            Source::Given => Ok(()),
        }
    }
}

/// Whole episodes to be judged.
pub(crate) fn whole(episodes: &[Episode]) -> Vec<SafetyQuery<'_>> {
    episodes.iter().map(|e| SafetyQuery { trajectory: e.trajectory(), share: 1.0 }).collect()
}

/// Of those with a verdict; none where there is none.
pub(crate) fn share_unsafe(verdicts: &[Option<bool>]) -> Option<f64> {
    let judged: Vec<f64> = verdicts.iter().flatten().map(|safe| f64::from(u8::from(!safe))).collect();
    mean(&judged)
}

/// Of numbers above a limit.
fn share_above(numbers: &[f64], limit: f64) -> Option<f64> {
    mean(&numbers.iter().map(|n| f64::from(u8::from(*n > limit))).collect::<Vec<_>>())
}

/// None of nothing.
fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| crate::base::stats::mean(numbers))
}

/// The sum of what each episode's steps cost.
fn totals(episodes: &[Episode], costs: &[f32]) -> Vec<f64> {
    let mut rest = costs;
    let total = |e: &Episode| {
        let (own, tail) = rest.split_at(e.len());
        rest = tail;
        own.iter().map(|&c| f64::from(c)).sum()
    };
    episodes.iter().map(total).collect()
}

#[cfg(test)]
mod tests;
