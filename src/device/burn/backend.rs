//! Burn's backend.

use burn::tensor::{Device, Tensor, TensorData};

use super::rollout::{Rollout, Streams};
use super::scores::win_proportions;
use super::task::Task;
use crate::base::device::burn::{catch_panic, to_host};
use crate::device::{Backend, BackendError, Collected, Overview, Parts, ScoredRollout};
use crate::learner::ppo::burn::DevicePpo;
use crate::learner::{Learner, LearnerState, UpdateContext, UpdateMetrics};
use crate::policy::Policy;
use crate::rollout::{Episode, Request, RolloutStats, kl, steps::per_episode};
use crate::scorer::safety::Safety;
use crate::scorer::self_play::SelfPlay;
use crate::scorer::task_reward::TaskReward;
use crate::scorer::{Batch, Scored, Scorer};

/// PPO on a Burn device, with the task's environments there too.
pub(crate) struct Burn {
    task: Box<dyn Task>,
    learner: DevicePpo,
    scorer: DeviceScorer,
    /// Policy and learner before the iteration under way: what is left of them if the device is lost.
    before: Option<(Policy, LearnerState)>,
}

/// How trajectories on the device are scored.
pub(crate) enum DeviceScorer {
    /// There: win proportions within groups, where the longer return wins.
    ByReturn(SelfPlay),
    /// There: by the task's rewards.
    TaskReward(TaskReward),
    /// On the host, to which they travel.
    OnHost(Box<dyn Scorer>),
}

impl From<SelfPlay> for DeviceScorer {
    fn from(mut scorer: SelfPlay) -> Self {
        if scorer.compares_within_groups_alone() && scorer.oracle().by_return() {
            Self::ByReturn(scorer)
        } else {
            Self::OnHost(Box::new(scorer))
        }
    }
}

impl DeviceScorer {
    /// The scorer as the host sees it.
    fn on_host(&self) -> &dyn Scorer {
        match self {
            Self::ByReturn(scorer) => scorer,
            Self::TaskReward(scorer) => scorer,
            Self::OnHost(scorer) => &**scorer,
        }
    }

    /// The same, to be changed.
    fn on_host_mut(&mut self) -> &mut dyn Scorer {
        match self {
            Self::ByReturn(scorer) => scorer,
            Self::TaskReward(scorer) => scorer,
            Self::OnHost(scorer) => &mut **scorer,
        }
    }

    /// The scores of a batch, `[N, T]`, and what is reported beside them.
    fn score(&mut self, batch: &Batch<'_, Rollout>) -> Result<(Tensor<2>, Scored), BackendError> {
        let rollout = batch.rollout;
        match self {
            Self::ByReturn(scorer) if batch.opponents.is_none() => {
                let (scores, decided) = win_proportions(rollout, scorer.windows(), scorer.placement());
                scorer.oracle().count_derived(decided)?;
                Ok((scores, Scored::default()))
            }
            Self::TaskReward(_) => Ok((rollout.rewards.clone(), Scored::default())),
            Self::ByReturn(_) | Self::OnHost(_) => {
                let (count, steps) = rollout.dims();
                let all = rollout.copy_to_host(0..count);
                let scored = self.on_host_mut().score(&batch.with_rollout(&all))?;
                let lengths = all.episodes.iter().map(Episode::len);
                Ok((table(per_episode(&scored.scores, lengths), steps, &rollout.rewards.device()), scored))
            }
        }
    }
}

impl Burn {
    /// A learner whose environments are of `task`, on its own device.
    pub fn new(task: Box<dyn Task>, learner: DevicePpo, scorer: DeviceScorer) -> Self {
        Self { task, learner, scorer, before: None }
    }
}

/// The result of `f`, or that the device was lost.
fn guarded<T>(f: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    catch_panic(f).unwrap_or_else(|why| Err(BackendError::DeviceLost(why)))
}

impl Backend for Burn {
    type Rollout = Rollout;
    type Scores = Tensor<2>;

    fn learner(&self) -> &dyn Learner {
        &self.learner
    }

    fn scorer(&self) -> &dyn Scorer {
        self.scorer.on_host()
    }

    fn safety(&self) -> Option<&Safety> {
        None
    }

    fn parts(&mut self) -> Parts<'_> {
        Parts { learner: &mut self.learner, scorer: self.scorer.on_host_mut(), safety: None }
    }

    fn saved(&self) -> (Policy, LearnerState) {
        self.before.clone().unwrap_or_else(|| self.learner.snapshot())
    }

    fn rollout(&mut self, request: &Request, _: UpdateContext) -> Result<Collected<Rollout>, BackendError> {
        guarded(|| {
            let (policy, state) = self.learner.snapshot();
            self.before = Some((policy.clone(), state));
            let (shape, streams) = ((request.states, request.per_state), Streams::new(request));
            let device = self.learner.device();
            let rollout = Rollout::collect(&*self.task, &self.learner.actor(), shape, &streams, device);
            // What is timed is done, not queued.
            let steps = rollout.steps();
            Ok(Collected { rollout, policy, steps })
        })
    }

    fn score(&mut self, batch: &Batch<'_, Rollout>) -> Result<ScoredRollout<Tensor<2>>, BackendError> {
        let (scores, Scored { model, held_out, .. }) = guarded(|| self.scorer.score(batch))?;
        Ok(ScoredRollout { scores, model, held_out, safety: None })
    }

    fn overview(
        &self,
        _: u64,
        collected: &Collected<Rollout>,
        scored: &ScoredRollout<Tensor<2>>,
        reference: &Policy,
    ) -> Result<Overview, BackendError> {
        guarded(|| {
            let rollout = &collected.rollout;
            let stats = stats(rollout, &scored.scores, collected.steps);
            if !stats.score_mean.is_finite() {
                return Err(BackendError::Score(stats.score_mean as f32));
            }
            let first = rollout.copy_to_host(0..rollout.per_state);
            let kl_to_init = kl::on_visited(&collected.policy, reference, &first);
            Ok(Overview { stats: RolloutStats { kl_to_init, ..stats }, latest_replay: None })
        })
    }

    fn update(
        &mut self,
        rollout: &Rollout,
        scored: &ScoredRollout<Tensor<2>>,
        context: UpdateContext,
    ) -> Result<UpdateMetrics, BackendError> {
        guarded(|| {
            let batch = rollout.learner_batch();
            let metrics = self.learner.update_on_device(&batch, scored.scores.clone(), context);
            self.before = None;
            Ok(metrics)
        })
    }
}

/// The scores of trajectories one after the other as rows `[N, T]` that end in zeros.
fn table<'s>(parts: impl Iterator<Item = &'s [f32]>, steps: usize, device: &Device) -> Tensor<2> {
    let mut rows = Vec::new();
    for (n, own) in parts.enumerate() {
        rows.extend_from_slice(own);
        rows.resize((n + 1) * steps, 0.0);
    }
    let count = rows.len() / steps;
    Tensor::from_data(TensorData::new(rows, [count, steps]), device)
}

/// What the trajectories were like, but for the divergence: five numbers travel.
fn stats(rollout: &Rollout, scores: &Tensor<2>, steps: u64) -> RolloutStats {
    let count = rollout.dims().0;
    let totals = |t: &Tensor<2>| -> Tensor<1> { t.clone().sum_dim(1).reshape([count]) };
    let mean_and_spread = |each: Tensor<1>| {
        let mean = each.clone().mean();
        let spread = (each - mean.clone()).square().mean().sqrt();
        [mean, spread]
    };
    let [return_mean, return_std] = mean_and_spread(totals(&rollout.rewards));
    let [score_mean, score_spread] = mean_and_spread(totals(scores));
    let mut columns = vec![return_mean, return_std, score_mean, score_spread];
    columns.extend(rollout.costs.as_ref().map(|costs| totals(costs).mean()));
    let read: Vec<f64> = to_host(Tensor::cat(columns, 0)).into_iter().map(f64::from).collect();
    RolloutStats {
        return_mean: read[0],
        return_std: read[1],
        length_mean: steps as f64 / count as f64,
        score_mean: read[2],
        score_spread: read[3],
        cost_mean: read.get(4).copied().unwrap_or(0.0),
        kl_to_init: 0.0,
    }
}
