//! The parts of a training that take more than the configuration: the safety part and the backend.

use std::path::Path;

use spo_envs::{Env, Spec};

use super::any_backend::AnyBackend;
use super::reference::{self, InitialError};
use super::{TrainError, config};
use crate::device;
use crate::device::host::Host;
use crate::learner::Learner;
use crate::oracle::{MeteredOracle, OracleError, OracleEvents};
use crate::rollout::EnvFactory;
use crate::scorer::safety::Safety;
use crate::scorer::safety::lagrange::Lagrange;
use config::Config;

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
    let metered = || -> Result<MeteredOracle, OracleError> {
        let mut metered = MeteredOracle::new(judge, config.budget_limit()).of_safety();
        if let Some((path, keep)) = log {
            metered.log_to(path, keep)?;
        }
        Ok(metered)
    };
    let limit = config.cost_limit(cost_limit);
    let source = config.make_cost_source(spec, metered)?;
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
            use crate::device::burn::Burn;
            use crate::learner::ppo::burn::DevicePpo;

            let scorer = config.make_device_scorer(spec, oracle);
            let mut learner =
                DevicePpo::on(spec, config.ppo.clone(), config.score_traits(), device, config.seed);
            start(config, &mut learner)?;
            return Ok((Box::new(Burn::new(task, learner, scorer)), None));
        }
        Err(why) => why,
    };
    #[cfg(not(feature = "burn"))]
    let on_host = None;
    let mut learner = config.make_learner(spec, device);
    start(config, &mut *learner)?;
    let reference = learner.policy();
    let (factory, kl_coef) = (factory.clone(), config.kl_coef);
    let scorer = config.make_scorer(spec, oracle);
    Ok((Box::new(Host { factory, learner, scorer, safety, reference, kl_coef }), on_host))
}
