//! Checks that every built-in device computes the same numbers as the host.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo_envs::Checked;

use super::rollout::{Rollout, Streams};
use super::scores::win_proportions;
use super::*;
use crate::base::device::Device as Place;
use crate::base::device::burn::{present, to_host, vector};
use crate::learner::ppo::burn::DevicePpo;
use crate::learner::ppo::{NormalizeScores, Ppo, PpoConfig, ScoreTraits};
use crate::learner::{Learner, LearnerBatch, UpdateContext, UpdateInput, UpdateMetrics};
use crate::oracle::MeteredOracle;
use crate::oracle::returns::TaskReturn;
use crate::rollout::Windows;
use crate::scorer::opponents::Opponents;
use crate::scorer::self_play::{Placement, SelfPlay};
use crate::scorer::{Batch, Scorer};

/// The tasks that are given by equations.
const TASKS: [&str; 8] =
    ["pendulum", "mountain_car", "cartpole_swing_up", "acrobot", "reacher", "point", "point_goal", "lqr"];

/// Burn's devices that are built in and there.
fn devices() -> Vec<Device> {
    present(&["flex", "wgpu"])
}

fn matrix(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

/// The largest difference of two lists, in units of the larger of 1 and the numbers.
fn gap(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let relative = |(x, y): (&f32, &f32)| (x - y).abs() / x.abs().max(1.0);
    a.iter().zip(b).map(relative).fold(0.0, |worst, gap| if gap.is_nan() { f32::NAN } else { gap.max(worst) })
}

#[test]
fn noise_is_a_function_of_its_place_and_normal() {
    let noise = Noise::new(7);
    let mut first: Option<Vec<f32>> = None;
    for device in devices() {
        let all = to_host(noise.uniform(0, 1000, &device));
        assert!(all.iter().all(|u| (0.0..1.0).contains(u)));
        // In parts, in any order.
        assert_eq!(to_host(noise.uniform(400, 600, &device)), all[400..]);
        assert_eq!(*first.get_or_insert(all.clone()), all, "another device has other bits");
        let count = 40_000;
        let normal: Vec<f64> = to_host(noise.normal(count, &device)).into_iter().map(f64::from).collect();
        let moment = |power: i32| normal.iter().map(|z| z.powi(power)).sum::<f64>() / count as f64;
        // Five standard errors: of the mean 1/√n, of the second moment √2/√n, of the fourth √96/√n.
        let error = 5.0 / (count as f64).sqrt();
        assert!(moment(1).abs() < error && (moment(2) - 1.0).abs() < 2f64.sqrt() * error);
        assert!((moment(4) - 3.0).abs() < 96f64.sqrt() * error, "{}", moment(4));
        // A step's draws and the next one's.
        let lag: f64 = normal.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / count as f64;
        assert!(lag.abs() < error);
    }
}

/// 200 steps of all tasks from the device's own initial states: each step from the same state on the host, and of those that
/// keep small errors small the whole way from the same start.
#[test]
fn every_task_steps_as_on_the_host() {
    let (states, per_state, steps) = (3, 2, 200);
    for device in devices() {
        for id in TASKS {
            let task = task(&format!("{id}@{steps}")).unwrap();
            let spec = task.spec().clone();
            assert_eq!(&spec, Checked::new(spo_envs::make(&format!("{id}@{steps}")).unwrap()).spec());
            let count = states * per_state;
            let mut state = task.start(states, per_state, &Noise::new(3), &device);
            let starts: Vec<Vec<f32>> = state.iter().map(|c| to_host(c.0.clone())).collect();
            for column in &starts {
                column.chunks(per_state).for_each(|copies| assert_eq!(copies[0], copies[1], "{id}"));
            }
            let numbers = |columns: &[Vec<f32>], n: usize| -> Vec<f64> {
                let all: Vec<f64> = columns.iter().map(|c| f64::from(c[n])).collect();
                // LQR is set by its first number, with all steps left.
                if id == "lqr" { all[..1].to_vec() } else { all }
            };
            let mut envs: Vec<_> = (0..count).map(|_| spo_envs::make(id).unwrap()).collect();
            let mut obs = vec![0.0; spec.obs_dim];
            envs.iter_mut()
                .enumerate()
                .for_each(|(n, env)| env.restore(&numbers(&starts, n), &mut obs).unwrap());
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let (mut worst, mut drift) = (0f32, 0f32);
            for _ in 0..steps.min(if id == "lqr" { 10 } else { steps }) {
                let dim = spec.action.dim();
                let actions: Vec<f32> = (0..count * dim).map(|_| rng.random_range(-2.5..2.5)).collect();
                let before: Vec<Vec<f32>> = state.iter().map(|c| to_host(c.0.clone())).collect();
                let stepped = task.step(state, matrix(&actions, dim, &device));
                state = stepped.state;
                let (seen, rewards) = (to_host(task.observe(&state)), to_host(stepped.reward));
                let costs = stepped.cost.map(to_host);
                let ended = stepped.terminated.map(to_host);
                for n in 0..count {
                    let (seen, action) =
                        (&seen[n * spec.obs_dim..][..spec.obs_dim], &actions[n * dim..][..dim]);
                    let step = envs[n].step(action, &mut obs);
                    drift = drift.max(gap(&obs, seen)).max(gap(&[step.reward], &rewards[n..n + 1]));
                    if id != "lqr" {
                        let mut env = spo_envs::make(id).unwrap();
                        env.restore(&numbers(&before, n), &mut obs).unwrap();
                        let step = env.step(action, &mut obs);
                        worst = worst.max(gap(&obs, seen)).max(gap(&[step.reward], &rewards[n..n + 1]));
                        assert_eq!(step.cost, costs.as_ref().map_or(0.0, |c| c[n]), "{id}");
                        assert_eq!(step.terminated, ended.as_ref().is_some_and(|e| e[n] == 1.0), "{id}");
                    }
                }
            }
            println!("{device:?} {id}: {worst:e} a step, {drift:e} over {steps} steps");
            assert!(worst < 1e-5, "{id}: a step differs by {worst:e}");
            // Rounding grows along the way of what can fall over.
            if ["mountain_car", "point", "point_goal", "lqr"].contains(&id) {
                assert!(drift < 1e-5, "{id}: drifted by {drift:e}");
            }
        }
    }
}

fn config() -> PpoConfig {
    PpoConfig {
        hidden_sizes: vec![16, 16],
        epochs: 3,
        minibatch_size: 1 << 20,
        normalize_scores: NormalizeScores::On,
        ..PpoConfig::default()
    }
}

fn on_host(id: &str) -> Ppo {
    let spec = spo_envs::make(id).unwrap().spec().clone();
    Ppo::new(&spec, config(), ScoreTraits::default(), Place::Cpu, 5)
}

fn on_device(id: &str, device: &Device) -> DevicePpo {
    let spec = spo_envs::make(id).unwrap().spec().clone();
    DevicePpo::on(&spec, config(), ScoreTraits::default(), device.clone(), 5)
}

fn rolled_out(id: &str, device: &Device) -> (DevicePpo, Rollout) {
    let ppo = on_device(id, device);
    let streams = Streams { resets: Noise::new(1), actions: Noise::new(2) };
    let rollout = Rollout::collect(&*task(id).unwrap(), &ppo.actor(), (2, 4), &streams, device);
    (ppo, rollout)
}

#[test]
fn a_rollout_is_one_of_the_policy() {
    for device in devices() {
        let (ppo, rollout) = rolled_out("reacher@30", &device);
        let all = rollout.copy_to_host(0..8);
        assert_eq!(rollout.steps(), 240);
        assert_eq!(
            all,
            rolled_out("reacher@30", &device).1.copy_to_host(0..8),
            "the same keys, another rollout"
        );
        let policy = ppo.policy();
        for episode in &all.episodes {
            let expected = policy.log_probs(&episode.obs, &episode.latents);
            assert!(gap(&expected, &episode.log_probs) < 1e-5);
            let clipped: Vec<f32> = episode.latents.iter().map(|u| u.clamp(-1.0, 1.0)).collect();
            assert!(gap(&clipped, &episode.actions) < 1e-6);
        }
        // Noise differs between trajectories of one state, which begin alike.
        let [a, b] = [0, 1].map(|n| &all.episodes[n]);
        assert_eq!(a.obs[..10], b.obs[..10]);
        assert_ne!(a.actions, b.actions);
    }
}

/// Six trajectories of at most seven steps in two groups, some of which end early or have equal returns.
fn made_up(device: &Device) -> Rollout {
    let lengths = [7, 3, 5, 2, 2, 1];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let alive: Vec<f32> =
        lengths.iter().flat_map(|&l| (0..7).map(move |t| f32::from(u8::from(t < l)))).collect();
    let rewards: Vec<f32> = alive.iter().map(|a| a * rng.random_range(0..3) as f32).collect();
    let obs: Vec<f32> = (0..6 * 7 * 2).map(|_| rng.random_range(-1.0..1.0)).collect();
    let latents: Vec<f32> = (0..6 * 7).map(|_| rng.random_range(-1.0..1.0)).collect();
    let cube =
        |values: &[f32], width: usize| -> Tensor<3> { matrix(values, width, device).reshape([6, 7, width]) };
    Rollout {
        obs: cube(&obs, 2),
        final_obs: matrix(&obs[..12], 2, device),
        actions: cube(&latents, 1),
        latents: cube(&latents, 1),
        log_probs: matrix(&[-1.2; 42], 7, device),
        rewards: matrix(&rewards, 7, device),
        costs: None,
        terminated: Some(vector(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0], device)),
        alive: Some(matrix(&alive, 7, device)),
        per_state: 3,
    }
}

#[test]
fn win_proportions_are_those_of_the_host() {
    for device in devices() {
        for rollout in [made_up(&device), rolled_out("pendulum@50", &device).1] {
            let all = rollout.copy_to_host(0..rollout.dims().0);
            for window in [None, Some(1), Some(2), Some(3), Some(20), Some(1000)] {
                for placement in [Placement::Spread, Placement::Last] {
                    let counted = MeteredOracle::new(Box::new(TaskReturn), None);
                    let mut scorer = SelfPlay::new(counted, Opponents::Group, placement, window);
                    let expected = scorer.score(&Batch::training(&all, 0, 0)).unwrap().scores;
                    let (scores, decided) = win_proportions(&rollout, Windows::new(window), placement);
                    let rows = to_host(scores);
                    let steps = rollout.dims().1;
                    let mut own = Vec::new();
                    for (row, episode) in rows.chunks(steps).zip(&all.episodes) {
                        own.extend_from_slice(&row[..episode.len()]);
                        assert!(row[episode.len()..].iter().all(|s| *s == 0.0), "paid after the end");
                    }
                    let what = format!("{window:?} {placement:?}");
                    assert!(gap(&expected, &own) < 1e-6, "{what}\n{expected:?}\n{own:?}");
                    let queries = scorer.queries();
                    assert_eq!((decided.asked, decided.tied), (queries.asked, queries.tied), "{what}");
                }
            }
        }
    }
}

#[test]
fn an_update_is_that_of_the_host() {
    for device in devices() {
        for (id, rollout) in
            [("lqr", made_up(&device)), ("pendulum@50", rolled_out("pendulum@50", &device).1)]
        {
            let all = rollout.copy_to_host(0..rollout.dims().0);
            let (scores, _) = win_proportions(&rollout, Windows::new(Some(5)), Placement::Spread);
            let rows = to_host(scores.clone());
            let steps = rollout.dims().1;
            let flat: Vec<f32> =
                rows.chunks(steps).zip(&all.episodes).flat_map(|(row, e)| row[..e.len()].to_vec()).collect();
            let context = UpdateContext { seed: 0, iteration: 0, progress: 0.25 };
            let (mut ours, mut theirs) = (on_host(id), on_device(id, &device));
            let mut losses = [UpdateMetrics::default(); 2];
            for _ in 0..2 {
                losses[0] = ours.update(UpdateInput::new(&LearnerBatch::from(&all), &flat, context));
                losses[1] = theirs.update_on_device(&rollout.learner_batch(), scores.clone(), context);
            }
            let (ours, theirs) = (ours.save(), theirs.save());
            let weights = gap(&ours.tensors["params"], &theirs.tensors["params"]);
            println!("{device:?} {id}: weights within {weights:e}, {losses:?}");
            assert!(weights < 1e-4, "{id}: weights differ by {weights:e}");
            let [a, b] = losses;
            let figures = |l: UpdateMetrics| {
                [l.policy_loss, l.value_loss, l.entropy, l.approx_kl, l.clip_fraction, l.grad_norm, l.epochs]
            };
            assert!(gap(&figures(a), &figures(b)) < 1e-3, "{a:?} {b:?}");
            for (ours, theirs) in
                [(ours.normalizer, theirs.normalizer), (ours.score_stats, theirs.score_stats)]
            {
                assert_eq!(ours.count, theirs.count);
                let narrow = |v: &[f64]| v.iter().map(|&x| x as f32).collect::<Vec<_>>();
                assert!(gap(&narrow(&ours.mean), &narrow(&theirs.mean)) < 1e-5);
                assert!(gap(&narrow(&ours.var), &narrow(&theirs.var)) < 1e-5);
            }
        }
    }
}

#[test]
fn columns_choose_and_wrap_as_numbers_do() {
    use spo_envs::dynamics::Real;
    for device in devices() {
        let values = [-7.0f32, -3.2, -0.5, 0.0, 0.5, 3.2, 7.0];
        let column = || Column(vector(&values, &device));
        let each = |f: fn(f64) -> f64| values.map(|v| f(f64::from(v)) as f32);
        assert!(gap(&to_host(column().wrap().0), &each(Real::wrap)) < 1e-5);
        assert_eq!(to_host(column().above(0.0).0), each(|x| Real::above(x, 0.0)));
        assert_eq!(to_host(column().below(0.5).0), each(|x| Real::below(x, 0.5)));
        let chosen = column().above(0.0).choose(column(), column() * 0.0);
        assert_eq!(to_host(chosen.0), values.map(|v| v.max(0.0)));
    }
}
