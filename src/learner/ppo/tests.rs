//! Compares the gradient with finite differences and the engines with each other, and checks the properties of an update.

use super::*;
use crate::base::device;
use crate::learner::{Costs, Experience};
use rand::RngExt;
use spo_envs::ActionSpace;

const HEADS: [Head; 2] = [Head::ClippedGaussian, Head::Categorical];

/// Whether there are costs.
const COSTS: ScoreTraits = ScoreTraits { known_scale: true, costs: true };
const NO_COSTS: ScoreTraits = ScoreTraits { known_scale: true, costs: false };

/// Every head with every loss, PPO's without costs and with them.
fn cases() -> impl Iterator<Item = (Head, PpoConfig, ScoreTraits)> {
    let losses = [PolicyLoss::Ppo, PolicyLoss::Sppo, PolicyLoss::Rebel];
    HEADS.into_iter().flat_map(move |head| {
        let alone = losses.map(|loss| (with_loss(loss), NO_COSTS));
        let safe = (config(), COSTS);
        alone.into_iter().chain([safe]).map(move |(config, scores)| (head, config, scores))
    })
}

fn config() -> PpoConfig {
    PpoConfig { hidden_sizes: vec![5, 4], entropy_coef: 0.03, ..PpoConfig::default() }
}

/// PPO's with a critic, the others' without.
fn with_loss(policy_loss: PolicyLoss) -> PpoConfig {
    let baseline = if policy_loss == PolicyLoss::Ppo { Baseline::Critic } else { Baseline::Group };
    PpoConfig { policy_loss, baseline, eta: 0.7, ..config() }
}

/// Every engine that is built in and runs on the host.
fn devices() -> Vec<Device> {
    ["cpu", "flex"]
        .into_iter()
        .filter(|name| device::is_built(name))
        .map(|name| device::open(name).unwrap())
        .collect()
}

fn learner(head: Head, device: Device) -> Ppo {
    learner_of(head, config(), NO_COSTS, device)
}

fn learner_of(head: Head, config: PpoConfig, scores: ScoreTraits, device: Device) -> Ppo {
    let action =
        if head == Head::Categorical { ActionSpace::Discrete(3) } else { ActionSpace::uniform(2, -1.0, 1.0) };
    let spec = Spec { id: "test".into(), obs_dim: 3, action, horizon: 9, dt: 0.0 };
    let mut ppo = Ppo::new(&spec, config, scores, device, 1);
    // Away from the near-zero last layer, where gradients would vanish.
    let mut rng = stream(2, Stream("test"), 0, 0);
    let params: Vec<f32> = ppo.engine.params().iter().map(|p| p + rng.random_range(-0.3..0.3)).collect();
    ppo.engine.load(&params, &AdamMoments::default());
    ppo
}

fn columns(head: Head, rows: usize) -> Columns {
    let mut rng = stream(3, Stream("test"), 0, 0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let latents = match head {
        Head::Categorical => (0..rows).map(|i| (i % 3) as f32).collect(),
        _ => draw(2 * rows),
    };
    // Ratios on both sides of the clip range.
    let log_probs =
        draw(rows).iter().map(|x| x * 0.5 - if head == Head::Categorical { 1.1 } else { 2.5 }).collect();
    let (obs, advantages) = (draw(3 * rows), draw(rows));
    let targets = vec![draw(rows), draw(rows)];
    // Trajectories of 3 and 1 steps in turn, two from each state; their win proportions are of either sign about ½.
    let of_row: Vec<usize> = (0..rows).map(|row| row / 4 * 2 + usize::from(row % 4 == 3)).collect();
    let scores = draw(rows / 2).iter().map(|x| 0.5 + 0.5 * x).collect();
    let trajectories = Trajectories { of_row, scores, per_state: 2 };
    Columns { obs, latents, log_probs, advantages, targets, trajectories }
}

fn order(rows: usize) -> Vec<usize> {
    (0..rows).collect()
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let on_each =
        |case: (Head, PpoConfig, ScoreTraits)| devices().into_iter().map(move |d| (case.clone(), d));
    for ((head, config, scores), device) in cases().flat_map(on_each) {
        let (loss, costs) = (config.policy_loss, scores.costs);
        let mut ppo = learner_of(head, config, scores, device);
        let columns = columns(head, 16);
        let at = ppo.engine.params();
        let gradient = ppo.engine.loss_and_gradient(&columns, &order(16)).1;
        let mut value = |params: &[f32]| {
            ppo.engine.load(params, &AdamMoments::default());
            f64::from(ppo.engine.loss_and_gradient(&columns, &order(16)).0)
        };
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 0.1, "{head:?}: nothing to compare");
        for i in 0..at.len() {
            let h = 1e-2;
            let mut shifted = |by: f32| {
                let mut p = at.clone();
                p[i] += by;
                value(&p)
            };
            // Fourth order, so that float32's rounding and not the step decides the error.
            let difference = (8.0 * (shifted(h) - shifted(-h)) - (shifted(2.0 * h) - shifted(-2.0 * h)))
                / (12.0 * f64::from(h));
            let error = (difference - f64::from(gradient[i])).abs();
            assert!(
                error < 2e-3 * f64::from(norm).max(1.0),
                "{head:?}, {loss:?}, costs: {costs}, weight {i}: {difference} against {}",
                gradient[i]
            );
        }
    }
}

#[test]
fn the_host_loops_and_burn_give_one_loss_and_one_gradient() {
    // 700 rows are three blocks of the host's.
    for (head, config, scores) in cases() {
        let (loss, columns) = (config.policy_loss, columns(head, 700));
        let mut learners =
            devices().into_iter().map(|device| learner_of(head, config.clone(), scores, device));
        let mut ours = learners.next().unwrap();
        // Without the feature `flex` there is nothing to compare with.
        let Some(mut burn) = learners.next() else { return };
        let ((a, x), (b, y)) = (
            ours.engine.loss_and_gradient(&columns, &order(700)),
            burn.engine.loss_and_gradient(&columns, &order(700)),
        );
        assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{head:?}, {loss:?}: {a} against {b}");
        for (x, y) in x.iter().zip(&y) {
            assert!((x - y).abs() < 1e-5, "{head:?}, {loss:?}: {x} against {y}");
        }
        for (a, b) in [ours.engine, burn.engine]
            .map(|mut e| e.epoch(&columns, &order(700).chunks(100).collect::<Vec<_>>(), 1e-3))
            .windows(2)
            .flat_map(|w| w[0].iter().zip(&w[1]))
        {
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-4, "{head:?}: figures {a} against {b}");
            }
        }
    }
}

#[test]
fn the_global_norm_is_clipped_over_all_weights_at_once() {
    // The first Adam step moves every weight by the learning rate with any gradient norm, so look at the moment:
    // m = (1 − β₁) g, and |g| = max_grad_norm after clipping.
    for device in devices() {
        let config = PpoConfig { max_grad_norm: 1e-3, ..config() };
        let mut engine = learner_of(Head::ClippedGaussian, config, NO_COSTS, device).engine;
        let figures = engine.epoch(&columns(Head::ClippedGaussian, 16), &[&order(16)], 1e-3);
        assert!(figures[0][5] > 1e-2, "the norm before clipping is reported");
        let norm = engine.moments().first.iter().map(|m| m * m).sum::<f32>().sqrt();
        assert!((norm - 0.1 * 1e-3).abs() < 1e-7, "{norm}");
    }
}

#[test]
fn a_saved_learner_goes_on_bit_for_bit_and_a_foreign_state_is_refused() {
    for device in devices() {
        let columns = columns(Head::ClippedGaussian, 32);
        let mut ppo = learner(Head::ClippedGaussian, device.clone());
        ppo.engine.epoch(&columns, &[&order(32)], 1e-3);
        let mut copy = learner(Head::ClippedGaussian, device);
        copy.load(&ppo.save()).unwrap();
        for learner in [&mut ppo, &mut copy] {
            learner.engine.epoch(&columns, &[&order(32)], 1e-3);
        }
        assert_eq!(ppo.save(), copy.save());
        let mut foreign = ppo.save();
        foreign.tensors.get_mut("params").unwrap().pop();
        assert!(copy.load(&foreign).unwrap_err().contains("`params` has"));
        foreign.tensors.remove("params");
        assert!(copy.load(&foreign).unwrap_err().contains("it has no `params`"));
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let columns = columns(Head::ClippedGaussian, 2000);
    let with = |threads: usize| {
        let mut ppo = learner(Head::ClippedGaussian, Device::Cpu);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| ppo.engine.epoch(&columns, &order(2000).chunks(1000).collect::<Vec<_>>(), 1e-3));
        ppo.engine.params()
    };
    assert_eq!(with(1), with(3));
}

const START: UpdateContext = UpdateContext { seed: 0, iteration: 0, progress: 0.0 };

/// Two episodes of one step each from one state, both at the same observation.
fn pair(columns: &Columns) -> LearnerBatch<'_> {
    let experience = |at: usize| Experience {
        obs: &columns.obs[..3],
        final_obs: &[0.0; 3],
        latents: &columns.latents[2 * at..2 * at + 2],
        log_probs: &columns.log_probs[at..at + 1],
        terminated: true,
    };
    LearnerBatch { episodes: vec![experience(0), experience(1)], per_state: 2 }
}

#[test]
fn advantages_are_those_of_the_scores_less_those_of_the_costs() {
    let some = columns(Head::ClippedGaussian, 4);
    for baseline in [Baseline::Group, Baseline::Critic] {
        let config = PpoConfig { baseline, ..config() };
        let ppo = learner_of(Head::ClippedGaussian, config, COSTS, Device::Cpu);
        let of = |costs: [f32; 2]| {
            let costs = Costs { scores: &costs, multiplier: 3.0 };
            let batch = pair(&some);
            ppo.columns(&UpdateInput { costs: Some(costs), ..UpdateInput::new(&batch, &[1.0, 0.0], START) })
        };
        // At equal states the advantages differ as the scores do: ±1 at unit spread. The first is better and costs more:
        // (1 − 3) / 4; costs less: (1 + 3) / 4; the same: ¼, with any prediction of the critic for the costs.
        for (costs, expected) in [([5.0, 2.0], -0.5), ([2.0, 5.0], 1.0), ([2.0, 2.0], 0.25)] {
            let columns = of(costs);
            let a = &columns.advantages;
            assert!((a[0] - expected).abs() < 1e-4 && (a[1] + expected).abs() < 1e-4, "{baseline:?}: {a:?}");
            if baseline == Baseline::Critic {
                // Terminated after a step: the targets are what was given.
                let near =
                    |t: &[f32], given: [f32; 2]| t.iter().zip(given).all(|(t, g)| (t - g).abs() < 1e-5);
                assert!(near(&columns.targets[0], [1.0, 0.0]) && near(&columns.targets[1], costs));
            }
        }
    }
}

#[test]
fn a_learner_with_costs_goes_on_and_takes_no_state_without_them() {
    let with_costs = || {
        let config = PpoConfig { normalize_scores: NormalizeScores::On, ..config() };
        learner_of(Head::ClippedGaussian, config, COSTS, Device::Cpu)
    };
    let some = columns(Head::ClippedGaussian, 4);
    let costs = Costs { scores: &[30.0, 10.0], multiplier: 0.5 };
    let update = |ppo: &mut Ppo, iteration: u64| {
        let (batch, context) = (pair(&some), UpdateContext { iteration, ..START });
        ppo.update(UpdateInput { costs: Some(costs), ..UpdateInput::new(&batch, &[1.0, 0.0], context) })
    };
    let (mut ppo, mut copy) = (with_costs(), with_costs());
    update(&mut ppo, 0);
    // Means of each signal's own: (1 + 0) / 2, (30 + 10) / 2.
    assert_eq!(ppo.score_stats.mean, [0.5, 20.0]);
    copy.load(&ppo.save()).unwrap();
    assert_eq!(update(&mut ppo, 1), update(&mut copy, 1));
    assert_eq!(ppo.save(), copy.save());
    let alone = learner(Head::ClippedGaussian, Device::Cpu);
    assert!(copy.load(&alone.save()).unwrap_err().contains("`params` has"));
    let mut foreign = ppo.save();
    foreign.score_stats = Normalizer::identity(1);
    assert!(copy.load(&foreign).unwrap_err().contains("scores with costs"));
}

#[test]
fn a_target_kl_stops_the_epochs() {
    let mut ppo = learner(Head::ClippedGaussian, Device::Cpu);
    (ppo.config.target_kl, ppo.config.learning_rate, ppo.config.minibatch_size) = (1e-4, 0.05, 4);
    let columns = columns(Head::ClippedGaussian, 16);
    let episode = Experience {
        obs: &columns.obs,
        final_obs: &[0.0; 3],
        latents: &columns.latents,
        log_probs: &columns.log_probs,
        terminated: false,
    };
    let batch = LearnerBatch { episodes: vec![episode], per_state: 1 };
    let losses = ppo.update(UpdateInput::new(&batch, &columns.targets[0], START));
    assert_eq!(losses.epochs, 1.0);
    assert!(losses.approx_kl > 1e-4);
}
