//! The loop: rollout → oracle → win rates → scores → advantages → update → record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use spo_envs::{ActionSpace, EnvError};

use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError, LearnerKind, ScorerKind, TrainedResult};
use crate::device::{self, DeviceError};
use crate::divergence;
use crate::game::PreferenceMatrix;
use crate::initial::{self, InitialError};
use crate::learner::{Learner, Moment, Steps, ppo::Ppo, sac::Sac};
use crate::newest::Newest;
use crate::opponents::Opponents;
use crate::oracle::time_share::TimeShare;
use crate::oracle::{Counted, Notes, Oracle, OracleError};
use crate::policy::{Acting, Policy};
use crate::rollout::{self, EnvFactory, Phase, Request, Rollout};
use crate::scorer::reward_model::IteratedRewardModel;
use crate::scorer::{
    Batch, ModelReport, Scorer, llm_direct::LlmDirect, relabelled::Relabelled, self_play::SelfPlay,
    task_reward::TaskReward,
};
use crate::snapshots::Snapshots;
use crate::stats;
use crate::tensors::FileError;

/// What can end a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The initial policy.
    #[error(transparent)]
    Initial(#[from] InitialError),
    /// The oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file of the run directory.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint of another configuration.
    #[error("the checkpoint does not fit this run: {0}")]
    Checkpoint(String),
    /// A score is not finite.
    #[error(
        "the scores diverged at iteration {iteration}: the first is {value}; with a reward model, lower \
         reward_learning_rate or set reward_normalize=true"
    )]
    Score {
        /// The iteration.
        iteration: u64,
        /// The first score that is not.
        value: f32,
    },
    /// The weights or losses are no longer finite.
    #[error(
        "training diverged at iteration {iteration}: {what} is {value}; lower learning_rate or clip, or raise minibatch"
    )]
    Diverged {
        /// The iteration.
        iteration: u64,
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: f32,
    },
}

/// One row of `metrics.csv`: nothing in it depends on the clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// Comparisons asked so far.
    pub queries: u64,
    /// Of them answered.
    pub answered: u64,
    /// Of them ties.
    pub tied: u64,
    /// Of them abstentions.
    pub abstained: u64,
    /// Mean task return of this iteration's (sampled) trajectories.
    pub return_mean: f64,
    /// Their standard deviation.
    pub return_std: f64,
    /// Their mean length in steps.
    pub length_mean: f64,
    /// Mean over trajectories of their summed scores: the mean win proportion.
    pub score_mean: f64,
    /// Their standard deviation: the spread of win proportions.
    pub score_spread: f64,
    /// Entropy of the policy, in nats.
    pub entropy: f32,
    /// KL(old ‖ new).
    pub approx_kl: f32,
    /// Share of ratios clipped.
    pub clip_fraction: f32,
    /// The clipped surrogate.
    pub policy_loss: f32,
    /// The critic's loss.
    pub value_loss: f32,
    /// Gradient norm before clipping.
    pub grad_norm: f32,
    /// Passes over the data.
    pub epochs: f32,
    /// The price of a nat of entropy.
    #[serde(default)]
    pub temperature: f32,
    /// Cross-entropy of the reward model's fit, in nats a comparison; empty in an iteration without a fit.
    #[serde(default)]
    pub reward_loss: Option<f32>,
    /// Share of held-out comparisons that the reward model predicts right, likewise.
    #[serde(default)]
    pub reward_accuracy: Option<f32>,
    /// The reward model's expected calibration error on held-out comparisons, likewise.
    #[serde(default)]
    pub reward_calibration: Option<f32>,
    /// KL(π ‖ π₀) in nats a step, from the policy that acted to the initial one, at states that it visited.
    #[serde(default)]
    pub kl_to_init: f64,
}

/// Wall-clock seconds of an iteration's phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// From 1.
    pub iteration: u64,
    /// Stepping and acting.
    pub rollout: f64,
    /// Oracle and win proportions.
    pub score: f64,
    /// The learner.
    pub update: f64,
    /// All of training so far.
    pub seconds: f64,
}

/// How well the trained result does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean task return over the evaluation episodes.
    pub eval_return_mean: f64,
    /// Half width of its 95 % interval (Student's t over episodes).
    pub eval_return_ci95: f64,
    /// Evaluation episodes.
    pub eval_episodes: usize,
    /// Environment steps of training.
    pub env_steps: u64,
    /// Comparisons asked.
    pub queries: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Environment steps a second of training.
    pub steps_per_second: f64,
    /// The run's seed.
    pub seed: u64,
    /// Where the learner computed.
    pub device: String,
    /// The environment.
    pub env: String,
    /// Which policy was evaluated: last, best or average.
    pub result: TrainedResult,
    /// Whether training ended because the budget of comparisons was spent.
    pub budget_spent: bool,
    /// What happened to the reward model, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_model: Option<ModelCounts>,
    /// Where the oracle is a game over options: total variation between the result and the game's minimax winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimax_distance: Option<f64>,
    /// Likewise: what a best reply gains against the result, in margins 2P − 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploitability: Option<f64>,
    /// Where the oracle puts a constraint above all else: the share of evaluation episodes that keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint_kept: Option<f64>,
    /// The program's commit, as far as it knows; see [`COMMIT`](crate::run::COMMIT).
    #[serde(default)]
    pub commit: Option<String>,
    /// What happened on the way to the oracle's answers since the last start or resumption, counted by kind, such as
    /// `restarts` of a program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, u64>,
}

/// Counts of a reward model over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCounts {
    /// Rounds of comparisons.
    pub rounds: u64,
    /// Of them those without a single answer, after which the model stayed as it was.
    pub unanswered: u64,
    /// Networks that diverged and were given fresh weights.
    pub restarts: u64,
}

/// A run in memory.
pub struct Trainer {
    config: Config,
    factory: EnvFactory,
    horizon: usize,
    learner: Box<dyn Learner>,
    /// π₀
    initial: Policy,
    scorer: Box<dyn Scorer>,
    snapshots: Snapshots,
    /// What the oracle plays, where it is a game over options.
    game: Option<PreferenceMatrix>,
    /// What the oracle demands of a whole trajectory.
    constraint: Option<TimeShare>,
    iteration: u64,
    env_steps: u64,
    seconds: f64,
    budget_spent: bool,
    newest: Option<Newest>,
    notes: Notes,
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
    /// A run at its beginning. `log` is where comparisons are logged: a file and the bytes of it to keep.
    ///
    /// # Errors
    /// [`TrainError`]: a value out of range, a device that is not there, a log that cannot be opened.
    pub fn new(
        config: Config,
        factory: EnvFactory,
        mut oracle: Box<dyn Oracle>,
        log: Option<(&std::path::Path, u64)>,
    ) -> Result<Self, TrainError> {
        let spec = factory()?.spec().clone();
        config.validate_on(&spec)?;
        let notes = Notes::default();
        oracle.prepare(&spec, &notes)?;
        let device = device::open(&config.device)?;
        let mut learner: Box<dyn Learner> = match config.learner {
            LearnerKind::Ppo => {
                let discrete = matches!(spec.action, ActionSpace::Discrete(_));
                Box::new(Ppo::new(&spec, config.ppo(discrete), device, config.seed))
            }
            LearnerKind::Sac => Box::new(Sac::new(&spec, config.sac(), config.seed)),
        };
        if !config.init.is_empty() {
            let source = std::path::Path::new(&config.init);
            let policy = initial::load(source, &config.env, config.normalize_obs)?;
            initial::fits(&policy, &learner.policy()).map_err(|why| InitialError::new(source, why))?;
            learner.start_from(&policy);
        }
        let (game, constraint) = (oracle.game(), oracle.constraint());
        let mut counted = Counted::new(oracle, Some(config.budget).filter(|&b| b > 0));
        if let Some((path, keep)) = log {
            counted.log_to(path, keep)?;
        }
        let window = Some(config.window).filter(|&w| w > 0);
        let scorer: Box<dyn Scorer> = match config.scorer {
            ScorerKind::SelfPlay => match config.opponents {
                Opponents::Queue(size) if config.relabel => {
                    Box::new(Relabelled::new(counted, size, config.placement, window, config.replay))
                }
                opponents => Box::new(
                    SelfPlay::new(counted, opponents, config.placement, window).optimistic(config.optimism),
                ),
            },
            ScorerKind::RewardModel => {
                let replay = (config.learner == LearnerKind::Sac).then_some(config.replay);
                let queries = config.queries(spec.horizon);
                let model = config.reward_model();
                Box::new(IteratedRewardModel::new(counted, &spec, model, queries, replay, config.seed))
            }
            ScorerKind::LlmDirect => Box::new(LlmDirect::new(counted, config.placement)),
            ScorerKind::TaskReward => Box::new(TaskReward),
        };
        let snapshots = Snapshots::new(config.snapshots);
        Ok(Self {
            config,
            factory,
            horizon: spec.horizon,
            initial: learner.policy(),
            learner,
            scorer,
            snapshots,
            game,
            constraint,
            iteration: 0,
            env_steps: 0,
            seconds: 0.0,
            budget_spent: false,
            newest: None,
            notes,
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

    /// What happens on the way to the oracle's answers, as it happens.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The last iteration's first group of trajectories, for those who watch; `None` before the first.
    pub fn newest(&self) -> Option<&Newest> {
        self.newest.as_ref()
    }

    /// Environment steps so far.
    pub fn env_steps(&self) -> u64 {
        self.env_steps
    }

    /// Whether the next iteration, at full length, would pass the total steps, or the budget is spent.
    ///
    /// The first iteration is always made.
    pub fn done(&self) -> bool {
        let sides = 1 + u64::from(self.config.anchor > 0.0);
        let trajectories = self.config.states * self.config.trajectories_per_state;
        let most = sides * (trajectories * self.horizon) as u64;
        self.budget_spent || (self.iteration > 0 && self.env_steps + most > self.config.total_steps)
    }

    /// One iteration; `None` where the budget of comparisons does not cover it, which ends the training.
    ///
    /// # Errors
    /// [`TrainError`] of environment, oracle or a divergence.
    pub fn step(&mut self) -> Result<Option<(Record, Timing)>, TrainError> {
        let start = Instant::now();
        let config = &self.config;
        let policy = self.learner.policy();
        let request = Request {
            seed: config.seed,
            phase: Phase::Train,
            iteration: self.iteration,
            states: config.states,
            per_state: config.trajectories_per_state,
            acting: self.learner.acting(),
        };
        self.snapshots.offer(self.iteration, || policy.clone());
        let rollout = rollout::collect(std::slice::from_ref(&policy), &self.factory, &request)?;
        let mut opposing = 0;
        if config.anchor > 0.0 {
            let anchored = policy.anchored(&self.initial, config.anchor);
            let opponent = anchored.expect("a policy mixes with the one that it began as");
            let request = Request { phase: Phase::Oppose, ..request };
            let opponents = rollout::collect(&[opponent], &self.factory, &request)?;
            opposing = opponents.steps() as u64;
            self.scorer.meet(opponents);
        }
        let rolled_out = start.elapsed().as_secs_f64();

        let batch = Batch { rollout: &rollout, seed: config.seed, iteration: self.iteration };
        let score = |scorer: &mut dyn Scorer| Ok((scorer.score(&batch)?, scorer.rescore(&batch)?));
        let (scores, renewed) = match score(&mut *self.scorer) {
            Err(OracleError::Budget { .. }) => {
                self.budget_spent = true;
                return Ok(None);
            }
            other => other?,
        };
        if let Some(&value) = scores.iter().chain(renewed.iter().flatten()).find(|s| !s.is_finite()) {
            return Err(TrainError::Score { iteration: self.iteration + 1, value });
        }
        let scored = start.elapsed().as_secs_f64();

        let progress = self.env_steps as f64 / config.total_steps as f64;
        let moment = Moment { seed: config.seed, iteration: self.iteration, progress };
        let penalised = (config.kl_penalty > 0.0)
            .then(|| divergence::penalised(&scores, &rollout, &self.initial, config.kl_penalty));
        let mut own = penalised.as_ref().unwrap_or(&scores).as_slice();
        if let Some(renewed) = &renewed {
            let past;
            (past, own) = renewed.split_at(renewed.len() - scores.len());
            self.learner.relabel(past);
        }
        if self.scorer.changed_kind() {
            self.learner.forget_values(moment);
        }
        let losses = self.learner.update(&Steps::from(&rollout), own, moment);
        let kl_to_init = divergence::on_visited(&policy, &self.initial, &rollout);
        self.iteration += 1;
        self.newest = Newest::of(self.iteration, &rollout, &scores);
        self.env_steps += rollout.steps() as u64 + opposing;
        self.seconds += start.elapsed().as_secs_f64();
        for (what, value) in [
            ("policy_loss", losses.policy_loss),
            ("value_loss", losses.value_loss),
            ("grad_norm", losses.grad_norm),
        ] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { iteration: self.iteration, what, value });
            }
        }
        let timing = Timing {
            iteration: self.iteration,
            rollout: rolled_out,
            score: scored - rolled_out,
            update: start.elapsed().as_secs_f64() - scored,
            seconds: self.seconds,
        };
        Ok(Some((Record { kl_to_init, ..self.record(&rollout, &scores, losses) }, timing)))
    }

    fn record(&self, rollout: &Rollout, scores: &[f32], losses: crate::learner::Losses) -> Record {
        let mut rest = scores;
        let totals: Vec<f64> = (rollout.episodes.iter())
            .map(|e| {
                let (own, tail) = rest.split_at(e.len());
                rest = tail;
                own.iter().map(|&s| f64::from(s)).sum()
            })
            .collect();
        let returns = rollout.returns();
        let queries = self.scorer.queries();
        let model = self.scorer.model_report().unwrap_or_default();
        Record {
            iteration: self.iteration,
            env_steps: self.env_steps,
            queries: queries.asked,
            answered: queries.answered,
            tied: queries.tied,
            abstained: queries.abstained,
            return_mean: stats::mean(&returns),
            return_std: stats::std_dev(&returns),
            length_mean: rollout.steps() as f64 / rollout.episodes.len() as f64,
            score_mean: stats::mean(&totals),
            score_spread: stats::std_dev(&totals),
            entropy: losses.entropy,
            approx_kl: losses.approx_kl,
            clip_fraction: losses.clip_fraction,
            policy_loss: losses.policy_loss,
            value_loss: losses.value_loss,
            grad_norm: losses.grad_norm,
            epochs: losses.epochs,
            temperature: losses.temperature,
            reward_loss: model.loss,
            reward_accuracy: model.accuracy,
            reward_calibration: model.calibration,
            kl_to_init: 0.0,
        }
    }

    /// The trained result, as a mixture of policies.
    ///
    /// # Errors
    /// [`TrainError`] of the validation episodes that `best` asks for.
    pub fn result(&mut self) -> Result<Vec<Policy>, TrainError> {
        match self.config.result {
            TrainedResult::Last => Ok(vec![self.learner.policy()]),
            TrainedResult::Average => Ok(self.snapshots.policies.clone()),
            TrainedResult::Best => self.best(),
        }
    }

    /// What the run's scorer makes of trajectories that nothing is learned from: the total score of each.
    ///
    /// # Errors
    /// The oracle's, where the scorer asks it.
    pub fn judge(&mut self, rollout: &Rollout) -> Result<Vec<f64>, TrainError> {
        let batch = Batch { rollout, seed: self.config.seed, iteration: Batch::VALIDATION };
        let scores = self.scorer.score(&batch)?;
        let mut rest = &scores[..];
        let totals = rollout.episodes.iter().map(|e| {
            let (own, tail) = rest.split_at(e.len());
            rest = tail;
            own.iter().map(|&s| f64::from(s)).sum()
        });
        Ok(totals.collect())
    }

    /// The snapshot (or the last policy) with the highest mean score when all are scored as one group on the
    /// same validation states.
    fn best(&mut self) -> Result<Vec<Policy>, TrainError> {
        let mut candidates = self.snapshots.policies.clone();
        candidates.push(self.learner.policy());
        let (states, count) = (self.config.validation_episodes, candidates.len());
        let request = Request {
            seed: self.config.seed,
            phase: Phase::Validate,
            iteration: self.iteration,
            states,
            per_state: 1,
            acting: Acting::Sample,
        };
        let mut each = Vec::with_capacity(count);
        for policy in &candidates {
            each.push(rollout::collect(std::slice::from_ref(policy), &self.factory, &request)?.episodes);
        }
        let episodes = (0..states).flat_map(|s| each.iter().map(move |e| e[s].clone())).collect();
        let mut totals = vec![0.0; count];
        for (at, score) in self.judge(&Rollout { episodes, per_state: count })?.into_iter().enumerate() {
            totals[at % count] += score;
        }
        let best = (1..count).fold(0, |best, i| if totals[i] >= totals[best] { i } else { best });
        Ok(vec![candidates.swap_remove(best)])
    }

    /// Evaluates a result and sums the run up.
    ///
    /// # Errors
    /// [`TrainError::Env`].
    pub fn summary(&self, result: &[Policy]) -> Result<Summary, TrainError> {
        let request = evaluation(result, self.config.seed, self.config.eval_episodes, Acting::Mode);
        let evaluated = rollout::collect(result, &self.factory, &request)?;
        let returns = evaluated.returns();
        let kept = self.constraint.map(|constraint| {
            let kept = evaluated.episodes.iter().filter(|e| constraint.keeps(e.trajectory())).count();
            kept as f64 / evaluated.episodes.len() as f64
        });
        let solved = self.game.as_ref().and_then(|game| against_the_game(game, result));
        Ok(Summary {
            eval_return_mean: stats::mean(&returns),
            eval_return_ci95: stats::ci95(&returns),
            eval_episodes: returns.len(),
            env_steps: self.env_steps,
            queries: self.scorer.queries().asked,
            seconds: self.seconds,
            steps_per_second: self.env_steps as f64 / self.seconds.max(1e-9),
            seed: self.config.seed,
            device: self.config.device.clone(),
            env: self.config.env.clone(),
            result: self.config.result,
            budget_spent: self.budget_spent,
            reward_model: self.scorer.model_report().map(|r| {
                let ModelReport { rounds, unanswered, restarts, .. } = r;
                ModelCounts { rounds, unanswered, restarts }
            }),
            minimax_distance: solved.map(|(distance, _)| distance),
            exploitability: solved.map(|(_, exploitability)| exploitability),
            constraint_kept: kept,
            commit: crate::run::COMMIT.map(String::from),
            notes: self.notes.counts(),
        })
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
            learner: self.learner.save(),
            scorer: self.scorer.save()?,
            snapshots: self.snapshots.clone(),
        })
    }

    /// Goes on from a checkpoint of the same configuration.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where it is of another network.
    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        self.learner.load(&checkpoint.learner).map_err(TrainError::Checkpoint)?;
        self.scorer.load(checkpoint.scorer).map_err(TrainError::Checkpoint)?;
        self.snapshots = checkpoint.snapshots;
        self.iteration = checkpoint.iteration;
        self.env_steps = checkpoint.env_steps;
        self.seconds = checkpoint.seconds;
        self.budget_spent = checkpoint.budget_spent;
        Ok(())
    }
}

/// Distance of a mixture of policies to the game's minimax winner, and its exploitability; none where they are of
/// other options.
fn against_the_game(game: &PreferenceMatrix, result: &[Policy]) -> Option<(f64, f64)> {
    let mut mixture = vec![0.0; game.len()];
    for policy in result {
        // The one state of a choice among options.
        let probabilities = || policy.probabilities(&[1.0]).filter(|p| p.len() == mixture.len());
        let chosen = if policy.mlp.inputs() == 1 { probabilities()? } else { return None };
        mixture.iter_mut().zip(chosen).for_each(|(m, p)| *m += f64::from(p) / result.len() as f64);
    }
    Some((game.minimax_distance(&mixture).ok()?, game.exploitability(&mixture)))
}

/// Task returns of the episodes of an [`evaluation`].
///
/// # Errors
/// What the task reports.
pub fn evaluate(
    policies: &[Policy],
    factory: &EnvFactory,
    seed: u64,
    episodes: usize,
    acting: Acting,
) -> Result<Vec<f64>, EnvError> {
    let request = evaluation(policies, seed, episodes, acting);
    Ok(rollout::collect(policies, factory, &request)?.returns())
}

/// The rollout of `episodes` that evaluates a mixture of policies; states and draws depend on `seed` alone.
///
/// A categorical policy is always sampled: its mode is another policy.
pub fn evaluation(policies: &[Policy], seed: u64, episodes: usize, acting: Acting) -> Request {
    let discrete = policies.iter().any(|p| p.head == crate::policy::Head::Categorical);
    let acting = if discrete { Acting::Sample } else { acting };
    Request { seed, phase: Phase::Evaluate, iteration: 0, states: episodes, per_state: 1, acting }
}
