//! The parts of a training, made from its configuration: a scorer, a learner, a safety part, a backend.
//!
//! Every choice is a `match` over all kinds, so that a new kind does not compile before it has its place here.

use std::path::Path;

use spo_envs::{ActionSpace, Env, Spec};

use super::any_backend::AnyBackend;
use super::reference::{self, InitialError};
use super::{TrainError, config};
use crate::device::host::Host;
use crate::device::{self, Device};
use crate::learner::{Learner, ars::Ars, ppo::Ppo, sac::Sac};
use crate::oracle::{MeteredOracle, OracleEvents};
use crate::rollout::EnvFactory;
use crate::scorer::opponents::Opponents;
use crate::scorer::reward_model::{IteratedRewardModel, QueryConfig};
use crate::scorer::safety::lagrange::Lagrange;
use crate::scorer::safety::{CostSource, Safety};
use crate::scorer::self_play::SelfPlay;
use crate::scorer::{Scorer, llm_direct::LlmDirect, relabelled::Relabelled, task_reward::TaskReward};
use config::{Config, ConfigError, LearnerKind, ScorerKind};

/// Steps a compared window; `None` compares whole trajectories.
fn window(config: &Config) -> Option<usize> {
    Some(config.window).filter(|&w| w > 0)
}

fn self_play(config: &Config, oracle: MeteredOracle) -> SelfPlay {
    SelfPlay::new(oracle, config.opponents, config.placement, window(config)).optimistic(config.optimism)
}

fn scorer(config: &Config, spec: &Spec, oracle: MeteredOracle) -> Box<dyn Scorer> {
    match config.scorer {
        ScorerKind::SelfPlay => match config.opponents {
            Opponents::Queue(size) if config.relabel => {
                Box::new(Relabelled::new(oracle, size, config.placement, window(config), config.replay))
            }
            Opponents::Group | Opponents::Sampled(_) | Opponents::Queue(_) => {
                Box::new(self_play(config, oracle))
            }
        },
        ScorerKind::RewardModel => {
            let replay = (config.learner == LearnerKind::Sac).then_some(config.replay);
            let queries = config.queries(spec.horizon);
            let model = config.reward_model();
            Box::new(IteratedRewardModel::new(oracle, spec, model, queries, replay, config.seed))
        }
        ScorerKind::LlmDirect => Box::new(LlmDirect::new(oracle, config.placement)),
        ScorerKind::TaskReward => Box::new(TaskReward),
    }
}

fn learner(config: &Config, spec: &Spec, device: Device) -> Box<dyn Learner> {
    match config.learner {
        LearnerKind::Ppo => {
            let discrete = matches!(spec.action, ActionSpace::Discrete(_));
            Box::new(Ppo::new(spec, config.ppo(discrete), device, config.seed))
        }
        LearnerKind::Sac => Box::new(Sac::new(spec, config.sac(), config.seed)),
        LearnerKind::Ars => Box::new(Ars::new(spec, config.ars(), config.seed)),
    }
}

/// Gives the learner the configuration's initial policy, where it names one.
fn start(config: &Config, learner: &mut dyn Learner) -> Result<(), TrainError> {
    if config.init.is_empty() {
        return Ok(());
    }
    let source = Path::new(&config.init);
    let policy = reference::load(source, &config.env, config.normalize_obs)?;
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
    let Some(mut judge) = config.safety_judge()?.filter(|_| config.is_safe()) else { return Ok(None) };
    judge.prepare(spec, events)?;
    let cost_limit = judge.cost_limit();
    let metered = || -> Result<MeteredOracle, TrainError> {
        let budget = Some(config.budget).filter(|&b| b > 0);
        let mut metered = MeteredOracle::new(judge, budget).of_safety();
        if let Some((path, keep)) = log {
            metered.log_to(path, keep)?;
        }
        Ok(metered)
    };
    let (source, limit) = match config.scorer {
        ScorerKind::SelfPlay => {
            (CostSource::WinProportion(self_play(config, metered()?)), config.unsafe_limit)
        }
        ScorerKind::RewardModel => {
            // A cost has a zero of its own, and is known before anything else.
            let mut queries = QueryConfig { standardize: false, ..config.queries(spec.horizon) };
            queries.schedule.pretrain_steps = 0;
            let model = config.reward_model();
            let model =
                IteratedRewardModel::new(metered()?, spec, model, queries, None, config.seed).of_costs();
            (CostSource::CostModel(Box::new(model)), 0.0)
        }
        ScorerKind::TaskReward => (CostSource::Task, cost_limit.unwrap_or(0.0)),
        ScorerKind::LlmDirect => {
            return Err(ConfigError::Range {
                key: "scorer",
                value: config.scorer.to_string(),
                expected: "self_play, reward_model or task_reward with a safety_oracle",
            }
            .into());
        }
    };
    let bounds = [config.multiplier_min, config.multiplier_max];
    let multiplier = Lagrange::new(config.multiplier_init, config.multiplier_rate, bounds);
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
            let mut learner = DevicePpo::on(spec, config.ppo(false), device, config.seed);
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
    let (factory, kl_penalty) = (factory.clone(), config.kl_penalty);
    let scorer = scorer(config, spec, oracle);
    Ok((Box::new(Host { factory, learner, scorer, safety, reference, kl_penalty }), on_host))
}
