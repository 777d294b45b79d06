//! Whether a run's environments step on the learner's device.

use burn::tensor;
use spo_envs::Env;

use super::TrainError;
use crate::base::device::burn::adapter;
use crate::device::Device;
use crate::device::burn::{Task, check_memory, task};
use crate::learner::ppo::burn::DevicePpo;
use crate::train::config::{Config, EnvDevice, LearnerKind};

/// The task and the device that its environments step on. Otherwise they step on the host: `Err` has the reason, if the
/// learner computes on a GPU or the configuration asks for the device.
type Choice = Result<(Box<dyn Task>, tensor::Device), Option<&'static str>>;

/// Chooses by the configuration, the task and the learner's device.
///
/// # Errors
/// [`TrainError::EnvDevice`] if the configuration demands the device and that is not possible,
/// [`DeviceError::TooMany`](crate::device::DeviceError::TooMany).
pub(super) fn choose(config: &Config, env: &dyn Env, device: &Device) -> Result<Choice, TrainError> {
    let wanted = match config.env_device {
        EnvDevice::Device => true,
        EnvDevice::Auto => config.device.starts_with("wgpu"),
        EnvDevice::Host => false,
    };
    if !wanted {
        return Ok(Err(None));
    }
    let learns = config.learner == LearnerKind::Ppo
        && DevicePpo::supports(env.spec(), &config.ppo, config.score_traits());
    let why = match (config.host_alone(), device) {
        (Some(why), _) => why,
        (None, Device::Burn(device)) if learns => {
            if env.has_equations() {
                let task = task(&config.env).expect("a task of equations is known by its name");
                if let Some(adapter) = adapter(device) {
                    let shape = (config.rollout.num_states, config.rollout.trajectories_per_state);
                    let widest = config.ppo.hidden_sizes.iter().copied().max().unwrap_or(1);
                    check_memory(shape, widest, task.spec(), &adapter)?;
                }
                return Ok(Ok((task, device.clone())));
            }
            "the task is not one of equations, which alone run on a GPU; `spo envs` marks them"
        }
        (None, _) => "the learner computes on the host, has a categorical policy, or baseline=group",
    };
    match config.env_device {
        EnvDevice::Device => Err(TrainError::EnvDevice(why)),
        EnvDevice::Auto | EnvDevice::Host => Ok(Err(Some(why))),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use spo_envs::Spec;

    use crate::base::device::burn::present;
    use crate::device::burn::{Burn, Column, Noise, Stepped};
    use crate::oracle::MeteredOracle;
    use crate::oracle::returns::TaskReturn;
    use crate::rollout::RolloutConfig;
    use crate::scorer::opponents::Opponents;
    use crate::scorer::self_play::{Placement, SelfPlay};
    use crate::train::{Trainer, registered};

    use super::*;

    /// A task whose device is lost.
    struct Lost(Spec);

    impl Task for Lost {
        fn spec(&self) -> &Spec {
            &self.0
        }

        fn start(&self, _: usize, _: usize, _: &Noise, _: &tensor::Device) -> Vec<Column> {
            panic!("the device is lost")
        }

        fn observe(&self, _: &[Column]) -> Tensor<2> {
            unreachable!()
        }

        fn step(&self, _: Vec<Column>, _: Tensor<2>) -> Stepped {
            unreachable!()
        }
    }

    #[test]
    fn a_lost_device_leaves_the_last_whole_iteration() {
        for device in present(&["flex"]) {
            let mut config = Config { env: "point".into(), device: "flex".into(), ..Config::default() };
            config.env_device = EnvDevice::Device;
            config.rollout = RolloutConfig { num_states: 2, trajectories_per_state: 3 };
            config.ppo.minibatch_size = 60;
            let mut trainer =
                Trainer::new(config.clone(), registered("point").unwrap(), Box::new(TaskReturn), None)
                    .unwrap();
            trainer.step().unwrap().unwrap();
            let before = trainer.checkpoint().unwrap();
            let spec = spo_envs::make("point").unwrap().spec().clone();
            let learner =
                DevicePpo::on(&spec, config.ppo.clone(), config.score_traits(), device, config.seed);
            let oracle = MeteredOracle::new(Box::new(TaskReturn), None);
            let scorer = SelfPlay::new(oracle, Opponents::Group, Placement::Spread, None);
            trainer.backend = Box::new(Burn::new(Box::new(Lost(spec)), learner, scorer.into()));
            trainer.restore(before.clone()).unwrap();
            let error = trainer.step().unwrap_err();
            let lost = "the device is lost";
            assert!(matches!(&error, TrainError::DeviceLost { iteration: 2, why } if why == lost), "{error}");
            assert!(error.to_string().contains("spo train --resume"), "{error}");
            assert!(trainer.checkpoint().unwrap() == before);
        }
    }
}
