//! Compares losses with finite differences and targets with numbers by hand, and checks the properties of an update.

use super::super::{Experience, LearnerBatch};
use super::*;
use rand::RngExt;
use spo_envs::ActionSpace;

const OBS: usize = 3;
const DIM: usize = 2;

fn config() -> SacConfig {
    SacConfig {
        hidden_sizes: vec![12, 8],
        minibatch_size: 20,
        buffer_size: 50,
        learning_starts: 30,
        ..SacConfig::default()
    }
}

fn learner(config: SacConfig) -> Sac {
    let action = ActionSpace::uniform(DIM, -2.0, 2.0);
    let spec = Spec { id: "test".into(), obs_dim: OBS, action, horizon: 9, dt: 0.0 };
    Sac::new(&spec, config, 1)
}

/// An episode of `steps` steps, of its own numbers.
struct Made {
    obs: Vec<f32>,
    latents: Vec<f32>,
    scores: Vec<f32>,
}

fn made(steps: usize, seed: u64) -> Made {
    let mut rng = stream(seed, Stream("test"), 0, 0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    Made { obs: draw((steps + 1) * OBS), latents: draw(steps * DIM), scores: draw(steps) }
}

impl Made {
    fn update(&self, sac: &mut Sac, iteration: u64) -> UpdateMetrics {
        let (obs, final_obs) = self.obs.split_at(self.obs.len() - OBS);
        let episode = Experience {
            obs,
            final_obs,
            latents: &self.latents,
            log_probs: &self.scores,
            terminated: iteration.is_multiple_of(2),
        };
        let batch = LearnerBatch { episodes: vec![episode], per_state: 1 };
        let context = UpdateContext { seed: 0, iteration, progress: 0.0 };
        sac.update(UpdateInput::new(&batch, &self.scores, context))
    }
}

/// A learner with a full replay and a minibatch drawn.
fn drawn(config: SacConfig) -> Sac {
    let mut sac = learner(config);
    made(60, 2).update(&mut sac, 0);
    let Sac { engine, replay, .. } = &mut sac;
    engine.draw(replay, DIM, &mut stream(5, Stream("test"), 0, 0));
    sac
}

/// Compares a gradient with differences of a loss; a few may be bent by a kink of max(·, 0) or of the smaller critic.
#[track_caller]
fn same_slopes(
    sac: &mut Sac,
    gradient: &[f32],
    weights: fn(&mut Sac) -> &mut Vec<f32>,
    loss: fn(&mut Sac) -> f64,
) {
    let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
    assert!(norm > 0.05, "nothing to compare");
    let h = 4e-3;
    let mut bent = 0;
    for (i, &g) in gradient.iter().enumerate() {
        let mut by = |step: f32| {
            weights(sac)[i] += step;
            let value = loss(sac);
            weights(sac)[i] -= step;
            value
        };
        let slope = (8.0 * (by(h) - by(-h)) - (by(2.0 * h) - by(-2.0 * h))) / (12.0 * f64::from(h));
        bent += usize::from((slope - f64::from(g)).abs() > 2e-3 * f64::from(norm).max(0.5));
    }
    assert!(bent <= gradient.len() / 25, "{bent} of {} slopes disagree", gradient.len());
}

#[test]
fn the_critics_gradient_is_that_of_finite_differences() {
    let mut sac = drawn(config());
    let loss = |sac: &mut Sac| {
        sac.engine.improve_critics(&mut sac.networks, None);
        f64::from(sac.networks.critics[1].loss) / 20.0
    };
    sac.engine.look_ahead(&sac.networks, &sac.replay, &sac.template.normalizer.scale());
    loss(&mut sac);
    let gradient = sac.networks.critics[1].online.gradient.clone();
    same_slopes(&mut sac, &gradient, |sac| &mut sac.networks.critics[1].online.params, loss);
}

#[test]
fn the_actors_gradient_is_that_of_finite_differences_at_the_same_noise() {
    // A temperature that makes entropy and value weigh alike.
    let mut sac = drawn(SacConfig { temperature: Temperature::Fixed(0.3), ..config() });
    let loss = |sac: &mut Sac| {
        sac.engine.look_ahead(&sac.networks, &sac.replay, &sac.template.normalizer.scale());
        sac.engine.improve_critics(&mut sac.networks, None);
        f64::from(sac.engine.differentiate_actor(&mut sac.networks)[1])
    };
    loss(&mut sac);
    let gradient = sac.networks.actor.gradient.clone();
    same_slopes(&mut sac, &gradient, |sac| &mut sac.networks.actor.params, loss);
}

#[test]
fn the_temperature_goes_up_below_the_target_entropy_and_down_above() {
    // L = −log α · (log π + H̄) with H̄ = −2: at log π = 1.5, entropy −1.5, the slope is −(1.5 − 2) = 0.5.
    assert_eq!(update::temperature_slope(-1.5, 2), 0.5);
    // At log π = 3 the policy is too narrow: the slope is −1, α rises.
    assert_eq!(update::temperature_slope(-3.0, 2), -1.0);
    let mut sac = learner(SacConfig { learning_rate: 0.01, ..config() });
    made(60, 2).update(&mut sac, 0);
    // A first policy is near σ = 1: its entropy is above −2 nats, so α falls, by Adam a little at each update.
    let alpha = sac.networks.temperature();
    assert!((0.5..0.6).contains(&alpha), "60 steps of 0.01 from log α = 0: {alpha}");
}

#[test]
fn targets_by_hand() {
    let mut sac = drawn(SacConfig { temperature: Temperature::Fixed(0.3), score_scale: 2.0, ..config() });
    // Constant critics are enough: all weights are 0 except the last bias.
    for (critic, value) in sac.networks.critics.iter_mut().zip([5.0, 4.0]) {
        critic.target.fill(0.0);
        *critic.target.last_mut().unwrap() = value;
    }
    sac.engine.look_ahead(&sac.networks, &sac.replay, &sac.template.normalizer.scale());
    let mut ends = 0;
    for (row, target, next_log_prob) in sac.engine.blocks.iter().flat_map(update::Block::aimed) {
        // y = r + 0.99 (min(5, 4) − 0.3 log π), or r alone at the episode's end.
        let alive = sac.replay.bootstraps[row];
        let expected = sac.replay.scores[row] + alive * 0.99 * (4.0 - 0.3 * next_log_prob);
        assert!((target - expected).abs() < 1e-5, "{target} against {expected}");
        ends += usize::from(alive == 0.0);
    }
    assert!(sac.replay.bootstraps.iter().filter(|b| **b == 0.0).count() == 1, "one end, met {ends} times");
}

#[test]
fn targets_follow_the_critics_by_tau() {
    let mut critic = Critic::new(vec![1.0, 2.0]);
    critic.online.params = vec![3.0, 2.0];
    // 0.9 · 1 + 0.1 · 3 = 1.2
    critic.follow(0.1);
    assert!((critic.target[0] - 1.2).abs() < 1e-6 && critic.target[1] == 2.0);
}

#[test]
fn warm_up_acts_uniformly_and_learns_nothing() {
    let mut sac = learner(config());
    let first = sac.policy();
    assert_eq!(sac.acting(), Acting::Uniform);
    let losses = made(20, 3).update(&mut sac, 0);
    assert_eq!((losses.policy_loss, losses.epochs), (0.0, 0.0));
    assert!(sac.policy() == first && sac.acting() == Acting::Uniform);
    // Ten more make 30: ten updates of 20 rows from 30 steps.
    let losses = made(10, 4).update(&mut sac, 1);
    assert!((losses.epochs - 10.0 * 20.0 / 30.0).abs() < 1e-5);
    assert!(sac.policy() != first && sac.acting() == Acting::Sample);
}

#[test]
fn fractions_of_an_update_add_up() {
    let mut sac = learner(SacConfig { updates_per_step: 0.25, learning_starts: 0, ..config() });
    let made = made(5, 3);
    // 5, 10, 15, 20 steps: 1, 2, 3, 5 updates are due.
    for (iteration, due) in [1, 2, 3, 5].into_iter().enumerate() {
        made.update(&mut sac, iteration as u64);
        assert_eq!(sac.networks.updates, due);
    }
}

#[test]
fn a_saved_learner_goes_on_bit_for_bit_and_a_foreign_state_is_refused() {
    let config = SacConfig { normalize_obs: true, ..config() };
    let mut sac = learner(config.clone());
    made(40, 3).update(&mut sac, 0);
    let mut copy = learner(config.clone());
    copy.load(&sac.save()).unwrap();
    for sac in [&mut sac, &mut copy] {
        // Past the replay's capacity.
        made(30, 4).update(sac, 1);
    }
    assert!(sac.save() == copy.save());
    let mut other = learner(SacConfig { buffer_size: 20, ..config });
    assert!(other.load(&sac.save()).unwrap_err().contains("`replay.obs` has 150 numbers"));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let with = |threads: usize| {
        let mut sac = learner(SacConfig { minibatch_size: 300, buffer_size: 400, ..config() });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| made(40, 3).update(&mut sac, 0));
        sac.save()
    };
    assert!(with(1) == with(3));
}

#[test]
fn log_probabilities_are_those_of_the_squashed_action() {
    // One dimension, μ = 0.3, σ = 0.5: ∫ π(a) da = 1 over (−1, 1), by the rule of midpoints in ε.
    let (mean, std) = (0.3f32, 0.5f32);
    let outputs = [mean, std.ln()];
    let area: f64 = (0..20_000)
        .map(|i| {
            let action = (i as f32 + 0.5) / 10_000.0 - 1.0;
            let noise = (action.atanh() - mean) / std;
            f64::from(update::log_prob(&outputs, &[noise])).exp() / 10_000.0
        })
        .sum();
    assert!((area - 1.0).abs() < 1e-3, "{area}");
    // Far out, where tanh rounds to 1, it is still a number: −log(1 − tanh² u) ≈ 2 u − 2 log 2.
    let far = update::log_prob(&[30.0, 0.0], &[0.0]);
    assert!((far - (60.0 - 2.0 * std::f32::consts::LN_2 - 0.918_938_5)).abs() < 1e-4, "{far}");
}

#[test]
fn reset_critics_leave_the_policy_as_it_was() {
    let mut sac = drawn(config());
    made(40, 3).update(&mut sac, 1);
    let (actor, before) = (sac.networks.actor.params.clone(), sac.networks.critics[0].online.params.clone());
    sac.reset_critics(UpdateContext { seed: 0, iteration: 2, progress: 0.0 });
    assert_eq!(sac.networks.actor.params, actor);
    let [one, other] = &sac.networks.critics;
    assert!(one.online.params != before && one.online.params != other.online.params);
    // The bound of a fresh layer is 1/√inputs; targets begin as their networks, Adam without moments.
    let bound = 1.0 / ((OBS + DIM) as f32).sqrt();
    for critic in [one, other] {
        assert_eq!(critic.target, critic.online.params);
        assert!(critic.online.params.iter().all(|w| w.abs() <= bound));
    }
    assert!(made(40, 4).update(&mut sac, 3).value_loss.is_finite());
}
