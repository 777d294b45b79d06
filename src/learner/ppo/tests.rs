//! The loss against finite differences, the update against its promises.

use super::*;
use rand::RngExt;
use spo_envs::ActionSpace;

fn config(head: Head) -> PpoConfig {
    let mut config = crate::Config { hidden: vec![5, 4], ..crate::Config::default() }.ppo(false);
    config.head = head;
    config.entropy_bonus = 0.03;
    config
}

fn learner(head: Head) -> Ppo {
    let action =
        if head == Head::Categorical { ActionSpace::Discrete(3) } else { ActionSpace::uniform(2, -1.0, 1.0) };
    let spec = Spec { id: "test".into(), obs_dim: 3, action, horizon: 9, dt: 0.0 };
    let mut ppo = Ppo::new(&spec, config(head), Device::flex(), 1);
    // Away from the near-zero last layer, where gradients would vanish.
    let mut rng = stream(2, Stream("test"), 0, 0);
    let params: Vec<f32> =
        to_vec(ppo.params.clone()).iter().map(|p| p + rng.random_range(-0.3..0.3)).collect();
    ppo.params = vector(&params, &ppo.device);
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
    Columns { obs: draw(3 * rows), latents, log_probs, advantages: draw(rows), targets: draw(rows) }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    for head in [Head::ClippedGaussian, Head::Categorical] {
        let ppo = learner(head);
        let columns = columns(head, 16);
        let order: Vec<usize> = (0..16).collect();
        let value = |params: &[f32]| {
            let params = vector(params, &ppo.device).autodiff();
            let (loss, _) = ppo.loss(&params, ppo.rows(&columns, &order));
            f64::from(to_vec(loss.inner())[0])
        };
        let params = ppo.params.clone().autodiff().require_grad();
        let (loss, _) = ppo.loss(&params, ppo.rows(&columns, &order));
        let gradient = to_vec(params.grad(&loss.backward()).unwrap());
        let at = to_vec(ppo.params.clone());
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 0.1, "{head:?}: nothing to compare");
        for i in 0..at.len() {
            let h = 1e-2;
            let shifted = |by: f32| {
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
                "{head:?}, weight {i}: {difference} against {}",
                gradient[i]
            );
        }
    }
}

#[test]
fn the_global_norm_is_clipped_over_all_weights_at_once() {
    // With the first Adam step every weight moves by the learning rate whatever the norm, so look at its moment:
    // m = (1 − β₁) g, and |g| = max_grad_norm after clipping.
    let mut ppo = learner(Head::ClippedGaussian);
    ppo.config.max_grad_norm = 1e-3;
    let columns = columns(Head::ClippedGaussian, 16);
    let rows = ppo.rows(&columns, &(0..16).collect::<Vec<_>>());
    let figures = to_vec(ppo.step(rows, 1e-3));
    assert!(figures[5] > 1e-2, "the norm before clipping is reported");
    let moment = to_vec(ppo.adam_state.as_ref().unwrap().momentum.moment_1.clone());
    let norm = moment.iter().map(|m| m * m).sum::<f32>().sqrt();
    assert!((norm - 0.1 * 1e-3).abs() < 1e-7, "{norm}");
}

#[test]
fn host_and_device_agree_on_the_network() {
    let ppo = learner(Head::ClippedGaussian);
    let columns = columns(Head::ClippedGaussian, 16);
    let rows = ppo.rows(&columns, &(0..16).collect::<Vec<_>>());
    let params = ppo.params.clone().autodiff();
    let device: Vec<f32> =
        forward(&ppo.template.mlp, &params, 0, rows.obs).into_data().iter::<f32>().collect();
    let host = to_vec(ppo.params.clone());
    let mut scratch = ppo.template.mlp.scratch();
    for (row, expected) in columns.obs.chunks_exact(3).zip(device.chunks_exact(2)) {
        for (a, b) in ppo.template.mlp.forward(&host, row, &mut scratch).iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
    }
}

#[test]
fn a_saved_learner_goes_on_bit_for_bit_and_a_foreign_state_is_refused() {
    let columns = columns(Head::ClippedGaussian, 32);
    let order: Vec<usize> = (0..32).collect();
    let mut ppo = learner(Head::ClippedGaussian);
    let first = ppo.rows(&columns, &order);
    ppo.step(first, 1e-3);
    let mut copy = learner(Head::ClippedGaussian);
    copy.load(&ppo.save()).unwrap();
    for learner in [&mut ppo, &mut copy] {
        let rows = learner.rows(&columns, &order);
        learner.step(rows, 1e-3);
    }
    assert_eq!(ppo.save(), copy.save());
    let mut foreign = ppo.save();
    foreign.params.pop();
    assert!(copy.load(&foreign).unwrap_err().contains("`params` has"));
}

#[test]
fn a_target_kl_stops_the_epochs() {
    let mut ppo = learner(Head::ClippedGaussian);
    (ppo.config.target_kl, ppo.config.learning_rate, ppo.config.minibatch) = (1e-4, 0.05, 4);
    let columns = columns(Head::ClippedGaussian, 16);
    let episode = Experience {
        obs: &columns.obs,
        final_obs: &[0.0; 3],
        latents: &columns.latents,
        log_probs: &columns.log_probs,
        terminated: false,
    };
    let steps = Steps { episodes: vec![episode], per_state: 1 };
    let losses = ppo.update(&steps, &columns.targets, Moment { seed: 0, iteration: 0, progress: 0.0 });
    assert_eq!(losses.epochs, 1.0);
    assert!(losses.approx_kl > 1e-4);
}
