//! The loop: rollout → oracle → win rates → scores → advantages → update → record.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use spo_envs::EnvError;

use crate::device;
use crate::game::PreferenceMatrix;
use crate::learner::{
    Costs, Learner, LearnerState, Moment, Steps,
    ars::Ars,
    ppo::{Ppo, ScoreTraits},
    sac::Sac,
};
use crate::oracle::time_share::TimeShare;
use crate::oracle::{MeteredOracle, Oracle, OracleError, OracleEvents, Queries};
use crate::policy::Policy;
use crate::policy::snapshots::Snapshots;
use crate::rollout::kl;
use crate::rollout::latest_replay::LatestReplay;
use crate::rollout::{self, EnvFactory, Phase, Request};
use crate::scorer::opponents::Opponents;
use crate::scorer::reward_model::IteratedRewardModel;
use crate::scorer::safety::Safety;
use crate::scorer::{
    Batch, HeldOut, Scorer,
    llm_direct::LlmDirect,
    relabelled::Relabelled,
    self_play::{SelfPlay, SelfPlayConfig},
    task_reward::TaskReward,
};
use crate::train::checkpoint::Checkpoint;
use crate::train::config::{Config, LearnerKind, ScorerKind};
use reference::InitialError;

pub mod checkpoint;
pub mod config;
mod error;
#[cfg(feature = "burn")]
mod on_device;
mod opponent_rollout;
mod record;
pub mod reference;
mod result;
mod rounds;
pub mod run;
mod spo;
pub mod tensorboard;

pub use error::TrainError;
use record::Seen;
pub use record::{ModelCounts, Record, Summary, Timing};
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
    config: Config,
    factory: EnvFactory,
    horizon: usize,
    learner: Box<dyn Learner>,
    /// π₀
    initial: Policy,
    /// The learner that is to make something of π₀, where every round of RLHF begins with it.
    fresh: Option<LearnerState>,
    scorer: Box<dyn Scorer>,
    /// Where costs are weighed too.
    safety: Option<Safety>,
    snapshots: Snapshots,
    /// What the oracle plays, where it is a game over options.
    game: Option<PreferenceMatrix>,
    /// What the oracle demands of a whole trajectory.
    constraint: Option<TimeShare>,
    iteration: u64,
    env_steps: u64,
    seconds: f64,
    budget_spent: bool,
    newest: Option<LatestReplay>,
    notes: OracleEvents,
    /// The task, where its environments are on the learner's device.
    #[cfg(feature = "burn")]
    resident: Option<resident::Resident>,
    /// Why they are not, where they could be expected to be.
    on_host: Option<&'static str>,
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

    /// As [`new`](Self::new), with another budget of the oracle than the configuration's: of one who looks into the run.
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
        let notes = OracleEvents::default();
        oracle.prepare(&spec, &notes)?;
        let device = device::open(&config.device)?;
        let mut learner: Box<dyn Learner> = match config.learner {
            LearnerKind::Ppo => {
                let scores =
                    ScoreTraits { known_scale: config.scorer.known_scale(), costs: config.safety.trains() };
                Box::new(Ppo::new(&spec, config.ppo.clone(), scores, device, config.seed))
            }
            LearnerKind::Sac => Box::new(Sac::new(&spec, config.sac.clone(), config.seed)),
            LearnerKind::Ars => Box::new(Ars::new(&spec, config.ars.clone(), config.seed)),
        };
        if !config.init.is_empty() {
            let source = Path::new(&config.init);
            let policy = reference::load(source, &config.env, config.normalizes_obs())?;
            reference::fits(&policy, &learner.policy()).map_err(|why| InitialError::new(source, why))?;
            learner.start_from(&policy);
        }
        let fresh = (config.rlhf_rounds() > 0).then(|| learner.save());
        let structure = oracle.structure();
        let (game, constraint) = (structure.preference_matrix(), structure.constraint);
        drop(structure);
        let mut counted = MeteredOracle::new(oracle, budget);
        if let Some(Logs { comparisons: (path, keep), .. }) = logs {
            counted.log_to(path, keep)?;
        }
        let safety = Safety::new(&config, &spec, &notes, logs.map(|logs| logs.safety))?;
        let SelfPlayConfig { placement, optimism, .. } = config.self_play;
        let window = config.self_play.window_steps();
        let scorer: Box<dyn Scorer> = match config.scorer {
            ScorerKind::SelfPlay => match config.self_play.opponents {
                Opponents::Queue(size) if config.learner == LearnerKind::Sac && config.sac.relabel => {
                    Box::new(Relabelled::new(counted, size, placement, window, config.sac.buffer_size))
                }
                opponents => {
                    Box::new(SelfPlay::new(counted, opponents, placement, window).optimistic(optimism))
                }
            },
            ScorerKind::RewardModel => {
                let replay = (config.learner == LearnerKind::Sac).then_some(config.sac.buffer_size);
                let schedule = config.query_schedule(spec.horizon);
                let model = config.reward_model.clone();
                Box::new(IteratedRewardModel::new(counted, &spec, model, schedule, replay, config.seed))
            }
            ScorerKind::LlmDirect => Box::new(LlmDirect::new(counted, placement)),
            ScorerKind::TaskReward => Box::new(TaskReward),
        };
        let snapshots = Snapshots::new(config.snapshots);
        #[cfg(feature = "burn")]
        let (resident, on_host) = resident::place(&config, &*env, &mut *learner)?;
        #[cfg(not(feature = "burn"))]
        let on_host = None;
        Ok(Self {
            config,
            factory,
            horizon: spec.horizon,
            initial: learner.policy(),
            fresh,
            learner,
            scorer,
            safety,
            snapshots,
            game,
            constraint,
            iteration: 0,
            env_steps: 0,
            seconds: 0.0,
            budget_spent: false,
            newest: None,
            notes,
            #[cfg(feature = "burn")]
            resident,
            on_host,
        })
    }

    /// The run's configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A snapshot of the present policy.
    pub fn policy(&self) -> Policy {
        self.learner.policy()
    }

    /// What has been asked of the oracle so far.
    pub fn queries(&self) -> Queries {
        self.scorer.queries()
    }

    /// The policies kept so far.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// What happens on the way to the oracle's answers, as it happens.
    pub fn notes(&self) -> &OracleEvents {
        &self.notes
    }

    /// The last iteration's first group of trajectories, for those who watch; `None` before the first.
    pub fn newest(&self) -> Option<&LatestReplay> {
        self.newest.as_ref()
    }

    /// What the last iteration's fit of a reward model predicts of held-out comparisons, where there was one.
    pub fn held_out(&self) -> &[HeldOut] {
        self.scorer.held_out()
    }

    /// Why environments step on the host, where the learner computes on a GPU; `None` otherwise.
    pub fn on_host(&self) -> Option<&'static str> {
        self.on_host
    }

    /// Environment steps so far.
    pub fn env_steps(&self) -> u64 {
        self.env_steps
    }

    /// Whether the next iteration, at full length, would pass the total steps, or the budget is spent.
    ///
    /// The first iteration is always made.
    pub fn done(&self) -> bool {
        let sides = 1 + u64::from(self.config.self_play.rolls_out_opponents());
        let trajectories = self.config.rollout.trajectories();
        let deployed =
            if self.begins_round() { self.config.reward_model.deployed_policies as u64 } else { 0 };
        let most = (sides + deployed) * (trajectories * self.horizon) as u64;
        self.budget_spent || (self.iteration > 0 && self.env_steps + most > self.config.total_steps)
    }

    /// One iteration; `None` where the budget of comparisons does not cover it, which ends the training.
    ///
    /// # Errors
    /// [`TrainError`] of environment, oracle or a divergence.
    pub fn step(&mut self) -> Result<Option<(Record, Timing)>, TrainError> {
        #[cfg(feature = "burn")]
        if self.resident.is_some() {
            return self.step_on_device();
        }
        let start = Instant::now();
        if self.begins_round() {
            self.begin_round()?;
        }
        let config = &self.config;
        let policy = self.learner.policy();
        let request = Request {
            seed: config.seed,
            phase: Phase::Train,
            iteration: self.iteration,
            states: config.rollout.num_states,
            per_state: config.rollout.trajectories_per_state,
            acting: self.learner.acting(),
        };
        self.snapshots.offer(self.iteration, || policy.clone());
        let progress = self.progress();
        let moment = Moment { seed: config.seed, iteration: self.iteration, progress };
        let rollout = match self.learner.perturbed_policies(request.states * request.per_state, moment) {
            Some(each) => rollout::collect_each(&each, &self.factory, &request)?,
            None => rollout::collect(std::slice::from_ref(&policy), &self.factory, &request)?,
        };
        let opponents = match self.opposition(&policy, &rollout, request, moment) {
            Err(TrainError::Oracle(OracleError::Budget { .. })) => {
                self.budget_spent = true;
                return Ok(None);
            }
            other => other?,
        };
        let opposing = opponents.as_ref().map_or(0, |opponents| opponents.steps() as u64);
        if let Some(opponents) = opponents {
            self.safety.iter_mut().for_each(|safety| safety.meet(&opponents));
            self.scorer.meet(opponents);
        }
        let config = &self.config;
        let rolled_out = start.elapsed().as_secs_f64();

        let batch = Batch { rollout: &rollout, seed: config.seed, iteration: self.iteration };
        let score = |scorer: &mut dyn Scorer, safety: Option<&mut Safety>| {
            let costs = safety.map(|safety| safety.score(&batch)).transpose()?;
            Ok((scorer.score(&batch)?, scorer.rescore(&batch)?, costs))
        };
        let (scores, renewed, costs) = match score(&mut *self.scorer, self.safety.as_mut()) {
            Err(OracleError::Budget { .. }) => {
                self.budget_spent = true;
                return Ok(None);
            }
            other => other?,
        };
        let mut all = scores.iter().chain(renewed.iter().flatten()).chain(costs.iter().flatten());
        if let Some(&value) = all.find(|s| !s.is_finite()) {
            return Err(TrainError::Score { iteration: self.iteration + 1, value });
        }
        let scored = start.elapsed().as_secs_f64();

        // With costs, half of the price is theirs (Dai et al. 2023, appendix B).
        let half = if costs.is_some() { 0.5 * config.kl_coef } else { config.kl_coef };
        let penalise = |scores: &Vec<f32>, price: f32| {
            (price != 0.0).then(|| kl::penalised(scores, &rollout, &self.initial, price))
        };
        let (penalised, charged) = (penalise(&scores, half), costs.as_ref().and_then(|c| penalise(c, -half)));
        let mut own = penalised.as_ref().unwrap_or(&scores).as_slice();
        if let Some(renewed) = &renewed {
            let past;
            (past, own) = renewed.split_at(renewed.len() - scores.len());
            self.learner.relabel(past);
        }
        if self.scorer.changed_kind() {
            self.learner.forget_values(moment);
        }
        let weighed = self.safety.as_ref().zip(charged.as_ref().or(costs.as_ref()));
        let weighed =
            weighed.map(|(safety, costs)| Costs { scores: costs, multiplier: safety.multiplier() as f32 });
        let steps = Steps { costs: weighed, ..Steps::from(&rollout) };
        let losses = self.learner.update(&steps, own, moment);
        let kl_to_init = kl::on_visited(&policy, &self.initial, &rollout);
        let seen = Seen { kl_to_init, ..Seen::of(&rollout, &scores) };
        self.newest = LatestReplay::from_rollout(self.iteration + 1, &rollout, &scores);
        self.finish(rollout.steps() as u64 + opposing, seen, losses, [rolled_out, scored], start).map(Some)
    }

    /// The state between two iterations; the run directory fills in its files' lengths.
    ///
    /// # Errors
    /// Where the log of comparisons cannot be made durable.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        Ok(Checkpoint {
            iteration: self.iteration,
            env_steps: self.env_steps,
            seconds: self.seconds,
            budget_spent: self.budget_spent,
            metrics_bytes: 0,
            timings_bytes: 0,
            reward_model_bytes: 0,
            learner: self.learner_state(),
            scorer: self.scorer.save()?,
            safety: self.safety.as_mut().map(Safety::save).transpose()?,
            snapshots: self.snapshots.clone(),
        })
    }

    /// The learner's, of the last whole iteration where its device is lost.
    fn learner_state(&self) -> LearnerState {
        #[cfg(feature = "burn")]
        if let Some(kept) = self.resident.as_ref().and_then(resident::Resident::kept) {
            return kept.clone();
        }
        self.learner.save()
    }

    /// Goes on from a checkpoint of the same configuration.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where it is of another network.
    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        self.learner.load(&checkpoint.learner).map_err(TrainError::Checkpoint)?;
        self.scorer.load(checkpoint.scorer).map_err(TrainError::Checkpoint)?;
        if let Some(safety) = &mut self.safety {
            let state = checkpoint.safety.ok_or("it has no safety part".to_string());
            state.and_then(|state| safety.load(state)).map_err(TrainError::Checkpoint)?;
        }
        self.snapshots = checkpoint.snapshots;
        self.iteration = checkpoint.iteration;
        self.env_steps = checkpoint.env_steps;
        self.seconds = checkpoint.seconds;
        self.budget_spent = checkpoint.budget_spent;
        Ok(())
    }
}
