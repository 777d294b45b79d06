//! The parts of a training, made from its configuration: a scorer, a learner, a safety part, a backend.
//!
//! Every choice is a `match` over all kinds, so that a new kind does not compile before it has its place here.

use std::path::Path;

use spo_envs::{Env, Spec};

use super::any_backend::AnyBackend;
use super::reference::{self, InitialError};
use super::{TrainError, config};
use crate::device::host::Host;
use crate::device::{self, Device};
use crate::learner::ppo::{Ppo, ScoreTraits};
use crate::learner::{Learner, ars::Ars, sac::Sac};
use crate::oracle::{MeteredOracle, OracleEvents};
use crate::rollout::EnvFactory;
use crate::scorer::opponents::Opponents;
use crate::scorer::reward_model::{IteratedRewardModel, RewardModelConfig};
use crate::scorer::safety::lagrange::Lagrange;
use crate::scorer::safety::{CostSource, Safety};
use crate::scorer::self_play::{SelfPlay, SelfPlayConfig};
use crate::scorer::{Scorer, llm_direct::LlmDirect, relabelled::Relabelled, task_reward::TaskReward};
use config::{Config, ConfigError, LearnerKind, ScorerKind};

fn self_play(config: &Config, oracle: MeteredOracle) -> SelfPlay {
    let SelfPlayConfig { opponents, placement, optimism, .. } = config.self_play;
    SelfPlay::new(oracle, opponents, placement, config.self_play.window_steps()).optimistic(optimism)
}

fn scorer(config: &Config, spec: &Spec, oracle: MeteredOracle) -> Box<dyn Scorer> {
    let SelfPlayConfig { opponents, placement, .. } = config.self_play;
    let replay = (config.learner == LearnerKind::Sac).then_some(config.sac.buffer_size);
    match config.scorer {
        ScorerKind::SelfPlay => match (opponents, replay.filter(|_| config.sac.relabel)) {
            (Opponents::Queue(size), Some(replay)) => {
                Box::new(Relabelled::new(oracle, size, placement, config.self_play.window_steps(), replay))
            }
            (Opponents::Group | Opponents::Sampled(_) | Opponents::Queue(_), _) => {
                Box::new(self_play(config, oracle))
            }
        },
        ScorerKind::RewardModel => {
            let schedule = config.query_schedule(spec.horizon);
            let model = config.reward_model.clone();
            Box::new(IteratedRewardModel::new(oracle, spec, model, schedule, replay, config.seed))
        }
        ScorerKind::LlmDirect => Box::new(LlmDirect::new(oracle, placement)),
        ScorerKind::TaskReward => Box::new(TaskReward),
    }
}

/// What PPO must know of the scores.
pub(super) fn score_traits(config: &Config) -> ScoreTraits {
    ScoreTraits { known_scale: config.scorer.known_scale(), costs: config.safety.trains() }
}

fn learner(config: &Config, spec: &Spec, device: Device) -> Box<dyn Learner> {
    match config.learner {
        LearnerKind::Ppo => {
            Box::new(Ppo::new(spec, config.ppo.clone(), score_traits(config), device, config.seed))
        }
        LearnerKind::Sac => Box::new(Sac::new(spec, config.sac.clone(), config.seed)),
        LearnerKind::Ars => Box::new(Ars::new(spec, config.ars.clone(), config.seed)),
    }
}

/// Gives the learner the configuration's initial policy, where it names one.
fn start(config: &Config, learner: &mut dyn Learner) -> Result<(), TrainError> {
    if config.init.is_empty() {
        return Ok(());
    }
    let source = Path::new(&config.init);
    let policy = reference::load(source, &config.env, config.normalizes_obs())?;
    reference::fits(&policy, &learner.policy()).map_err(|why| InitialError::new(source, why))?;
    learner.start_from(&policy);
    Ok(())
}

/// The safety part, where the configuration trains safely. `log` is where its oracle's answers are logged, and how many bytes of
/// the file to keep.
pub(super) fn safety(
    config: &Config,
    spec: &Spec,
    events: &OracleEvents,
    log: Option<(&Path, u64)>,
) -> Result<Option<Safety>, TrainError> {
    let Some(mut judge) = config.safety_judge()?.filter(|_| config.safety.trains()) else { return Ok(None) };
    judge.prepare(spec, events)?;
    let cost_limit = judge.structure().cost_limit;
    let metered = || -> Result<MeteredOracle, TrainError> {
        let mut metered = MeteredOracle::new(judge, config.budget_limit()).of_safety();
        if let Some((path, keep)) = log {
            metered.log_to(path, keep)?;
        }
        Ok(metered)
    };
    let (source, limit) = match config.scorer {
        ScorerKind::SelfPlay => {
            (CostSource::WinProportion(self_play(config, metered()?)), config.safety.unsafe_limit)
        }
        ScorerKind::RewardModel => {
            // A cost has a zero of its own, and is known before anything else.
            let model = RewardModelConfig { standardize_rewards: false, ..config.reward_model.clone() };
            let mut schedule = config.query_schedule(spec.horizon);
            schedule.pretrain_steps = 0;
            let model =
                IteratedRewardModel::new(metered()?, spec, model, schedule, None, config.seed).of_costs();
            (CostSource::CostModel(Box::new(model)), 0.0)
        }
        ScorerKind::TaskReward => (CostSource::Task, cost_limit.unwrap_or(0.0)),
        ScorerKind::LlmDirect => {
            return Err(ConfigError::Range {
                key: "scorer".into(),
                value: config.scorer.to_string(),
                expected: "self_play, reward_model or task_reward with safety.oracle".into(),
            }
            .into());
        }
    };
    let bounds = [config.safety.lagrange_min, config.safety.lagrange_max];
    let multiplier = Lagrange::new(config.safety.lagrange_init, config.safety.lagrange_lr, bounds);
    Ok(Some(Safety::new(source, multiplier, limit)))
}

/// Where a run's iterations happen, and, where environments could be expected to step on the learner's GPU, why they do not.
type Chosen = (Box<dyn AnyBackend>, Option<&'static str>);

/// The backend of a configuration.
pub(super) fn backend(
    config: &Config,
    factory: &EnvFactory,
    env: &dyn Env,
    oracle: MeteredOracle,
    safety: Option<Safety>,
) -> Result<Chosen, TrainError> {
    let (spec, device) = (env.spec(), device::open(&config.device)?);
    #[cfg(feature = "burn")]
    let on_host = match super::env_device::choose(config, env, &device)? {
        Ok((task, device)) => {
            use crate::device::burn::{Burn, DeviceScorer};
            use crate::learner::ppo::burn::DevicePpo;

            let scorer = match config.scorer {
                ScorerKind::SelfPlay => self_play(config, oracle).into(),
                ScorerKind::TaskReward => DeviceScorer::TaskReward(TaskReward),
                ScorerKind::RewardModel | ScorerKind::LlmDirect => {
                    DeviceScorer::OnHost(scorer(config, spec, oracle))
                }
            };
            let mut learner =
                DevicePpo::on(spec, config.ppo.clone(), score_traits(config), device, config.seed);
            start(config, &mut learner)?;
            return Ok((Box::new(Burn::new(task, learner, scorer)), None));
        }
        Err(why) => why,
    };
    #[cfg(not(feature = "burn"))]
    let on_host = None;
    let mut learner = learner(config, spec, device);
    start(config, &mut *learner)?;
    let reference = learner.policy();
    let (factory, kl_coef) = (factory.clone(), config.kl_coef);
    let scorer = scorer(config, spec, oracle);
    Ok((Box::new(Host { factory, learner, scorer, safety, reference, kl_coef }), on_host))
}
