//! An iteration whose environments are on the learner's device.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use spo_envs::{ActionSpace, Env, Spec};

use super::record::Seen;
use super::{Record, Timing, TrainError, Trainer};
use crate::base::random::{Stream, stream};
use crate::device::rollout::{self, Noise, Rollout, Streams, Task, host};
use crate::device::{self, DeviceError};
use crate::learner::{Learner, LearnerState, Moment};
use crate::oracle::OracleError;
use crate::rollout::kl;
use crate::scorer::Batch;
use crate::train::config::{Config, EnvDevice};

/// What a run on a device has beside its learner.
pub(super) struct Resident {
    task: Box<dyn Task>,
    /// The learner before the iteration at hand.
    kept: Option<LearnerState>,
}

impl Resident {
    /// The learner's state before the iteration that lost the device.
    pub fn kept(&self) -> Option<&LearnerState> {
        self.kept.as_ref()
    }
}

/// The task on the learner's device; where the environments step on the host although a GPU computes, why.
///
/// # Errors
/// [`TrainError::EnvDevice`] with `env_device=device` where that cannot be, [`DeviceError::TooMany`].
pub(super) fn place(
    config: &Config,
    env: &dyn Env,
    learner: &mut dyn Learner,
) -> Result<(Option<Resident>, Option<&'static str>), TrainError> {
    let device = learner.on_device().map(|learner| learner.device());
    let adapter = device.as_ref().and_then(device::adapter);
    let wanted = match config.env_device {
        EnvDevice::Device => true,
        EnvDevice::Auto => config.device.starts_with("wgpu"),
        EnvDevice::Host => false,
    };
    if !wanted {
        return Ok((None, None));
    }
    let why = match (config.host_alone(), device) {
        (Some(why), _) => why,
        (None, None) => "the learner computes on the host, has a categorical policy, or baseline=group",
        (None, Some(_)) if !env.has_equations() => "the task is not one of equations, which `spo envs` marks",
        (None, Some(_)) => {
            let task = resident::task(&config.env).expect("a task of equations is known by its name");
            if let Some(adapter) = adapter {
                fits(config, task.spec(), &adapter)?;
            }
            return Ok((Some(Resident { task, kept: None }), None));
        }
    };
    match config.env_device {
        EnvDevice::Device => Err(TrainError::EnvDevice(why)),
        _ => Ok((None, Some(why))),
    }
}

/// Whether the largest tensor of a rollout fits into one of the device's buffers.
fn fits(config: &Config, spec: &Spec, adapter: &device::Adapter) -> Result<(), DeviceError> {
    let ActionSpace::Continuous { low, .. } = &spec.action else { return Ok(()) };
    let (steps, k) = (spec.horizon, config.rollout.trajectories_per_state);
    let widest = config.ppo.hidden_sizes.iter().copied().max().unwrap_or(1);
    let numbers = (steps * spec.obs_dim.max(low.len())).max(widest).max(steps * resident::AT_ONCE.min(k));
    let (asked, each) = (config.rollout.num_states * k, 4 * numbers as u64);
    // Rows are counted by int32.
    let countable = (i32::MAX as usize / steps) as u64;
    let fit = (adapter.largest_buffer / each).min(countable) as usize / k * k;
    if asked <= fit {
        return Ok(());
    }
    Err(DeviceError::TooMany {
        asked,
        needs: asked as u64 * each,
        adapter: adapter.name.clone(),
        largest: adapter.largest_buffer,
        fit,
    })
}

impl Trainer {
    /// [`step`](Self::step) on the device.
    pub(super) fn step_on_device(&mut self) -> Result<Option<(Record, Timing)>, TrainError> {
        match device::caught(|| self.iterate()) {
            Ok(iterated) => {
                self.resident.iter_mut().for_each(|resident| resident.kept = None);
                iterated
            }
            Err(why) => Err(TrainError::DeviceLost { iteration: self.iteration + 1, why }),
        }
    }

    fn iterate(&mut self) -> Result<Option<(Record, Timing)>, TrainError> {
        let start = Instant::now();
        let config = &self.config;
        let (seed, iteration) = (config.seed, self.iteration);
        let moment = Moment { seed, iteration, progress: self.progress() };
        let resident = self.resident.as_mut().expect("a run on a device has its task there");
        let learner = self.learner.on_device().expect("a run on a device has a learner that can");
        let (policy, before) = learner.snapshot();
        resident.kept = Some(before);
        let device = learner.device();
        let noise = |name| Noise::new(stream(seed, Stream(name), iteration, 0).next_u64());
        let streams = Streams { resets: noise("g.reset"), actions: noise("g.action") };
        let shape = (config.rollout.num_states, config.rollout.trajectories_per_state);
        let rollout = Rollout::collect(&*resident.task, &learner.actor(), shape, &streams, &device);
        // What is timed is done, not queued.
        let steps = rollout.steps();
        let rolled_out = start.elapsed().as_secs_f64();

        let scored = match self.scorer.score_on_device(&rollout) {
            Some(scored) => scored,
            None => {
                let all = rollout.to_host(0..shape.0 * shape.1);
                let scores = self.scorer.score(&Batch { rollout: &all, seed, iteration });
                let lengths: Vec<usize> = all.episodes.iter().map(|e| e.len()).collect();
                scores.map(|scores| table(&scores, &lengths, rollout.dims().1, &device))
            }
        };
        let scores = match scored {
            Err(OracleError::Budget { .. }) => {
                self.budget_spent = true;
                return Ok(None);
            }
            other => other?,
        };
        let seen = seen(&rollout, &scores, steps);
        if !seen.score_mean.is_finite() {
            return Err(TrainError::Score { iteration: iteration + 1, value: seen.score_mean as f32 });
        }
        let scored = start.elapsed().as_secs_f64();

        let losses = learner.learn(&rollout, scores, moment);
        let first = rollout.to_host(0..rollout.per_state);
        let kl_to_init = kl::on_visited(&policy, &self.initial, &first);
        let seen = Seen { kl_to_init, ..seen };
        self.snapshots.offer(iteration, || policy);
        self.finish(steps, seen, losses, [rolled_out, scored], start).map(Some)
    }
}

/// Scores `[Σ T]` of trajectories one after the other as rows `[N, T]` that end in zeros.
fn table(scores: &[f32], lengths: &[usize], steps: usize, device: &Device) -> Tensor<2> {
    let mut rows = vec![0.0; lengths.len() * steps];
    let mut rest = scores;
    for (row, &length) in rows.chunks_exact_mut(steps).zip(lengths) {
        let (own, tail) = rest.split_at(length);
        row[..length].copy_from_slice(own);
        rest = tail;
    }
    Tensor::from_data(TensorData::new(rows, [lengths.len(), steps]), device)
}

/// What the trajectories were: six numbers travel.
fn seen(rollout: &Rollout, scores: &Tensor<2>, steps: u64) -> Seen {
    let count = rollout.dims().0;
    let totals = |t: &Tensor<2>| -> Tensor<1> { t.clone().sum_dim(1).reshape([count]) };
    let mean_and_spread = |of: Tensor<1>| {
        let mean = of.clone().mean();
        let spread = (of - mean.clone()).square().mean().sqrt();
        [mean, spread]
    };
    let [return_mean, return_std] = mean_and_spread(totals(&rollout.rewards));
    let [score_mean, score_spread] = mean_and_spread(totals(scores));
    let mut columns = vec![return_mean, return_std, score_mean, score_spread];
    columns.extend(rollout.costs.as_ref().map(|costs| totals(costs).mean()));
    let read: Vec<f64> = host(Tensor::cat(columns, 0)).into_iter().map(f64::from).collect();
    Seen {
        return_mean: read[0],
        return_std: read[1],
        length_mean: steps as f64 / count as f64,
        score_mean: read[2],
        score_spread: read[3],
        cost_mean: read.get(4).copied().unwrap_or(0.0),
        kl_to_init: 0.0,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::device::rollout::{Column, Stepped};
    use crate::oracle::returns::TaskReturn;
    use crate::rollout::RolloutConfig;
    use crate::train::registered;

    /// A task whose device goes away.
    struct Lost(Spec);

    impl Task for Lost {
        fn spec(&self) -> &Spec {
            &self.0
        }

        fn start(&self, _: usize, _: usize, _: &Noise, _: &Device) -> Vec<Column> {
            panic!("the device is lost")
        }

        fn observe(&self, _: &[Column]) -> Tensor<2> {
            unreachable!()
        }

        fn step(&self, _: Vec<Column>, _: Tensor<2>) -> Stepped {
            unreachable!()
        }
    }

    fn config() -> Config {
        let mut config = Config { env: "point".into(), device: "flex".into(), ..Config::default() };
        config.env_device = EnvDevice::Device;
        config.rollout = RolloutConfig { num_states: 2, trajectories_per_state: 3 };
        config.ppo.minibatch_size = 60;
        config
    }

    #[test]
    fn a_lost_device_leaves_the_last_whole_iteration() {
        let mut trainer =
            Trainer::new(config(), registered("point").unwrap(), Box::new(TaskReturn), None).unwrap();
        trainer.step().unwrap().unwrap();
        let before = trainer.checkpoint().unwrap();
        let spec = spo_envs::make("point").unwrap().spec().clone();
        trainer.resident.as_mut().unwrap().task = Box::new(Lost(spec));
        let error = trainer.step().unwrap_err();
        assert!(
            matches!(&error, TrainError::DeviceLost { iteration: 2, why } if why == "the device is lost")
        );
        assert!(error.to_string().contains("spo train --resume"), "{error}");
        assert!(trainer.checkpoint().unwrap() == before);
    }

    #[test]
    fn too_many_environments_are_refused_with_how_many_fit() {
        let adapter = device::Adapter {
            name: "small".into(),
            kind: "GPU",
            api: "Vulkan".into(),
            driver: String::new(),
            largest_buffer: 4 * 50 * 4 * 100,
            workgroup: 1,
        };
        let spec = spo_envs::make("point").unwrap().spec().clone();
        // 50 steps of 4 numbers: 100 trajectories fill the buffer, 33 whole groups of 3.
        let with = |num_states| {
            let mut config = config();
            config.rollout.num_states = num_states;
            config
        };
        let fitting = with(33);
        fits(&fitting, &spec, &adapter).unwrap();
        let error = fits(&with(34), &spec, &adapter).unwrap_err();
        assert!(matches!(error, DeviceError::TooMany { asked: 102, fit: 99, .. }), "{error}");
    }
}
