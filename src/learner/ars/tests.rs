//! Update steps computed by hand, and compared with the slope of the score.

use super::super::{Experience, LearnerBatch};
use super::*;
use spo_envs::ActionSpace;

const OBS: usize = 3;
const DIM: usize = 2;
const NOW: UpdateContext = UpdateContext { seed: 7, iteration: 4, progress: 0.0 };

fn learner(top_directions: usize) -> Ars {
    let action = ActionSpace::uniform(DIM, -2.0, 2.0);
    let spec = Spec { id: "test".into(), obs_dim: OBS, action, horizon: 9, dt: 0.0 };
    let config = ArsConfig {
        hidden_sizes: vec![],
        learning_rate: 0.1,
        noise_std: 0.5,
        top_directions,
        normalize_obs: true,
    };
    Ars::new(&spec, config, 1)
}

/// An update with trajectories of two steps, each with half of the total score.
fn update(ars: &mut Ars, totals: &[f32]) -> UpdateMetrics {
    let obs = [1.0, 2.0, 3.0, 3.0, 2.0, 1.0];
    let episode = Experience {
        obs: &obs,
        final_obs: &obs[..OBS],
        latents: &[0.0; 2 * DIM],
        log_probs: &[0.0; 2],
        terminated: false,
    };
    let batch = LearnerBatch { episodes: vec![episode; totals.len()], per_state: totals.len() };
    let scores: Vec<f32> = totals.iter().flat_map(|total| [0.5 * total; 2]).collect();
    ars.update(UpdateInput::new(&batch, &scores, NOW))
}

/// How far the weights have moved from those of `before`.
fn moved(ars: &Ars, before: &Policy) -> Vec<f32> {
    ars.policy.params.iter().zip(&before.params).map(|(now, before)| now - before).collect()
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f32]) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?}\n{b:?}");
}

#[test]
fn explorers_are_pairs_about_the_policy_and_others_in_another_iteration() {
    let ars = learner(2);
    let theta = &ars.policy;
    let perturbed_policies = ars.perturbed_policies(6, NOW).unwrap();
    assert_eq!(perturbed_policies.len(), 6);
    let network = theta.mlp.params();
    for (pair, both) in perturbed_policies.chunks_exact(2).enumerate() {
        let [plus, minus] = both else { unreachable!() };
        let delta = ars.direction(pair, NOW);
        assert_eq!(delta.len(), network);
        for (at, d) in delta.iter().enumerate() {
            assert!((plus.params[at] - theta.params[at] - 0.5 * d).abs() < 1e-6);
            assert!((plus.params[at] + minus.params[at] - 2.0 * theta.params[at]).abs() < 1e-6);
        }
        // The search does not change the policy's standard deviations.
        assert_eq!(plus.params[network..], [0.5f32.ln(); DIM]);
    }
    assert!(perturbed_policies[0] != perturbed_policies[2]);
    assert!(
        ars.perturbed_policies(2, UpdateContext { iteration: 5, ..NOW }).unwrap()[0] != perturbed_policies[0]
    );
}

#[test]
fn a_step_by_hand() {
    // Totals (1, 0) and (½, ½): of spread √⅛; the second direction's difference is none.
    let mut ars = learner(2);
    let (before, delta) = (ars.policy(), ars.direction(0, NOW));
    let losses = update(&mut ars, &[1.0, 0.0, 0.5, 0.5]);
    let step: Vec<f32> = delta.iter().map(|d| d / (2.0 * 0.125f32.sqrt())).collect();
    let expected: Vec<f32> = step.iter().map(|s| 0.1 * s).chain([0.0; DIM]).collect();
    assert_close(&moved(&ars, &before), &expected);
    let norm = step.iter().map(|s| s * s).sum::<f32>().sqrt();
    assert!((losses.grad_norm - norm).abs() < 1e-5 && (losses.policy_loss + 0.5).abs() < 1e-6);
    // ‖0.1 g‖² / (2 · 0.5²)
    assert!((losses.approx_kl - 0.02 * norm * norm).abs() < 1e-5);
    assert_eq!(ars.policy.normalizer.mean, [2.0; OBS]);

    // The best direction alone, here the second, backwards: (½, ¼) is left out, and (0, 1) has a spread of ½.
    let mut ars = learner(1);
    let (before, delta) = (ars.policy(), ars.direction(1, NOW));
    update(&mut ars, &[0.5, 0.25, 0.0, 1.0]);
    let expected: Vec<f32> = delta.iter().map(|d| -0.1 * 2.0 * d).chain([0.0; DIM]).collect();
    assert_close(&moved(&ars, &before), &expected);
}

#[test]
fn where_all_score_alike_nothing_moves() {
    let mut ars = learner(4);
    let before = ars.policy();
    let losses = update(&mut ars, &[0.5; 8]);
    assert_eq!((ars.policy.params.clone(), losses.grad_norm), (before.params, 0.0));
}

/// For a linear score s = g · θ, E[(s₊ − s₋) δ] = 2ν g: many directions together follow g.
#[test]
fn many_directions_follow_the_slope() {
    let slope = [0.3f32, -1.0, 0.5, 0.0, 2.0, 0.7, -0.4, 1.1];
    let mut ars = learner(4000);
    let before = ars.policy();
    let perturbed_policies = ars.perturbed_policies(8000, NOW).unwrap();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let totals: Vec<f32> = perturbed_policies.iter().map(|policy| dot(&slope, &policy.params)).collect();
    update(&mut ars, &totals);
    let step = &moved(&ars, &before)[..slope.len()];
    let cosine = dot(step, &slope) / (dot(step, step) * dot(&slope, &slope)).sqrt();
    assert!(cosine > 0.995, "{cosine}: {step:?}");
}

#[test]
fn it_goes_on_from_what_it_saved_and_refuses_another_shape() {
    let mut ars = learner(2);
    update(&mut ars, &[1.0, 0.0, 0.5, 0.5]);
    let state = ars.save();
    let mut other = learner(2);
    other.load(&state).unwrap();
    assert!(other.policy() == ars.policy());
    let mut short = state.clone();
    short.tensors.get_mut("params").unwrap().pop();
    assert!(other.load(&short).unwrap_err().contains("`params` has 9 numbers, this configuration needs 10"));
}
