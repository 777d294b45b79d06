//! Loss by hand, gradient by differences, fits and their failures.

use rand::{RngExt, SeedableRng};

use super::member::{Buffers, Network};
use super::*;

fn config() -> RewardModelConfig {
    RewardModelConfig {
        hidden_sizes: vec![16],
        ensemble_size: 2,
        learning_rate: 3e-3,
        minibatch_size: 16,
        epochs: 30,
        first_epochs: 30,
        stop_accuracy: 1.0,
        ..RewardModelConfig::default()
    }
}

fn spec(action: ActionSpace) -> Spec {
    Spec { id: "test".into(), obs_dim: 2, action, horizon: 5, dt: 0.0 }
}

fn network(hidden: &[usize], output: Output, clip: Option<f32>) -> Network {
    // tanh, so that no kink bends a difference.
    let mlp = Mlp::new(3, hidden, 1, Activation::Tanh);
    let (obs_dim, action_dim) = (2, 1);
    Network { mlp, output, clip, regularization: 0.0, scale: None, obs_dim, action_dim, options: None }
}

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// The mean loss and its gradient.
fn differentiate(network: &Network, params: &[f32], batch: &[Comparison<'_>]) -> (f64, Vec<f32>) {
    let mut gradient = vec![9.0; params.len()];
    let sums = network.differentiate(params, batch.iter(), &mut Buffers::default(), &mut gradient);
    (sums.loss / batch.len() as f64, gradient)
}

#[test]
fn the_loss_by_hand() {
    // r = x₁ + 2 x₂ − u + ½: no hidden layer. a: two steps, 1 and 2; b: one step, 4: d = (1.5 + 2.5) − 4.5 = −½.
    let params = [1.0, 2.0, -1.0, 0.5];
    let a = Segment { obs: &[1.0, 0.0, 0.0, 1.5], actions: &[0.0, 1.0] };
    let b = Segment { obs: &[2.0, 1.0], actions: &[0.0] };
    let linear = network(&[], Output::Linear, None);
    let loss = |network: &Network, p: f32| {
        differentiate(network, &params, &[Comparison { a, b, p, signs: [0.0; 2] }])
    };
    // a wins: log(1 + e^½) = 0.9741; b wins: log(1 + e^−½) = 0.4741; a tie: their mean.
    for (p, expected) in [(1.0, 0.974_077), (0.0, 0.474_077), (0.5, 0.724_077), (0.8, 0.874_077)] {
        assert!((loss(&linear, p).0 - expected).abs() < 1e-5, "{p}");
    }
    // ∂L/∂bias = (σ(−½) − p) (2 − 1) steps, ∂L/∂w₂ = (σ(−½) − p) (1.5 − 1).
    let slope = 0.377_541 - 1.0;
    let gradient = loss(&linear, 1.0).1;
    assert!((gradient[3] - slope).abs() < 1e-5 && (gradient[1] - 0.5 * slope).abs() < 1e-5);
    // Cut to ± 0.1: log(1 + e^0.1), and no slope.
    let (cut, gradient) = loss(&network(&[], Output::Linear, Some(0.1)), 1.0);
    assert!((cut - 0.1f64.exp().ln_1p()).abs() < 1e-6);
    assert_eq!(gradient, [0.0; 4]);
    // tanh 1.5 + tanh 2.5 − tanh 4.5 = 0.905148 + 0.986614 − 0.999753 = 0.892009: log(1 + e^−0.892009).
    let (bounded, _) = loss(&network(&[], Output::Tanh, None), 1.0);
    assert!((bounded - (-0.892_009f64).exp().ln_1p()).abs() < 1e-5, "{bounded}");
}

#[test]
fn the_loss_of_a_cost_model_by_hand() {
    // The sums of the test above: A = 4, B = 4.5. b costs more and is unsafe, a is safe.
    let params = [1.0, 2.0, -1.0, 0.5];
    let a = Segment { obs: &[1.0, 0.0, 0.0, 1.5], actions: &[0.0, 1.0] };
    let b = Segment { obs: &[2.0, 1.0], actions: &[0.0] };
    let mut linear = network(&[], Output::Linear, None);
    let batch = [Comparison { a, b, p: 0.0, signs: [-1.0, 1.0] }];
    let (loss, gradient) = differentiate(&linear, &params, &batch);
    // −log σ(½) − log σ(−4) − log σ(4.5) = 0.474077 + 4.018150 + 0.011048
    assert!((loss - 4.503_275).abs() < 1e-5, "{loss}");
    // ∂L/∂A = σ(−½) + σ(4) = 0.377541 + 0.982014, ∂L/∂B = −σ(−½) − σ(−4.5) = −0.377541 − 0.010987; the bias is in two
    // steps of a and one of b.
    assert!((gradient[3] - (2.0 * 1.359_555 - 0.388_528)).abs() < 1e-5, "{gradient:?}");
    // 0.1 (4² + 4.5²) / 2 = 1.8125, and 0.1 A and 0.1 B to the slopes.
    linear.regularization = 0.1;
    let (loss, gradient) = differentiate(&linear, &params, &batch);
    assert!((loss - 6.315_775).abs() < 1e-5, "{loss}");
    assert!((gradient[3] - (2.0 * 1.759_555 + 0.061_472)).abs() < 1e-5, "{gradient:?}");
}

#[test]
fn a_cost_model_finds_the_boundary_that_comparisons_leave_open() {
    // Costs x₁ − x₂, unsafe above ½: comparisons alone know no zero.
    let data = questions(300, 5);
    let sign = |obs: &[f32]| if obs[0] - obs[1] > 0.5 { 1.0 } else { -1.0 };
    let mut model = RewardModel::new(&spec(ActionSpace::uniform(1, -1.0, 1.0)), config(), 0);
    model.observe(Segment { obs: &data.0, actions: &data.1 });
    let judged: Vec<_> = (comparisons(&data).into_iter())
        .map(|c| Comparison { signs: [sign(c.a.obs), sign(c.b.obs)], ..c })
        .collect();
    model.fit(&judged);
    let cost = |x: [f32; 2]| model.rewards(Segment { obs: &x, actions: &[0.0] })[0];
    assert!(cost([0.8, 0.1]) > 0.0 && cost([0.4, -0.4]) > 0.0 && cost([0.9, -0.9]) > cost([0.4, -0.4]));
    assert!(cost([0.3, 0.1]) < 0.0 && cost([-0.2, -0.4]) < 0.0 && cost([-0.5, 0.5]) < cost([0.3, 0.1]));
}

#[test]
fn the_gradient_is_the_derivative_of_the_loss() {
    let (obs, actions) = (numbers(40, 1), numbers(20, 2));
    let segment =
        |from: usize, to: usize| Segment { obs: &obs[2 * from..2 * to], actions: &actions[from..to] };
    // Of unlike lengths, with soft labels, ties and certainties.
    let batch: Vec<Comparison<'_>> = [1.0, 0.0, 0.5, 0.3]
        .into_iter()
        .enumerate()
        .map(|(i, p)| {
            let (a, b) = (segment(5 * i, 5 * i + 2), segment(5 * i + 2, 5 * i + 5));
            Comparison { a, b, p, signs: [0.0; 2] }
        })
        .collect();
    // Of costs the first is unsafe and nobody said of the second, and so on.
    let signs = [[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0], [-1.0, -1.0]];
    let of_costs: Vec<_> = batch.iter().zip(signs).map(|(c, signs)| Comparison { signs, ..*c }).collect();
    for (output, clip, regularization, batch) in [
        (Output::Linear, None, 0.0, &batch),
        (Output::Tanh, None, 0.0, &batch),
        (Output::Linear, Some(5.0), 0.0, &batch),
        (Output::Linear, None, 0.3, &of_costs),
        (Output::Tanh, None, 0.0, &of_costs),
    ] {
        let network = Network { regularization, ..network(&[20, 7], output, clip) };
        let params = numbers(network.mlp.params(), 3);
        let (_, gradient) = differentiate(&network, &params, batch);
        let h = 1e-2;
        for (i, &exact) in gradient.iter().enumerate() {
            let by = |step: f32| {
                let mut shifted = params.clone();
                shifted[i] += step;
                differentiate(&network, &shifted, batch).0
            };
            let slope = (8.0 * (by(h) - by(-h)) - (by(2.0 * h) - by(-2.0 * h))) / (12.0 * f64::from(h));
            assert!(
                (slope - f64::from(exact)).abs() < 1e-3,
                "{output:?}, weight {i}: {slope} against {exact}"
            );
        }
    }
}

/// Random one-step segments, preferred by x₁ − x₂.
fn questions(n: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let obs = numbers(4 * n, seed);
    let value = |x: &[f32]| x[0] - x[1];
    let p = obs.chunks(4).map(|x| f32::from(u8::from(value(&x[..2]) > value(&x[2..])))).collect();
    (obs, vec![0.0; 2 * n], p)
}

fn comparisons<'a>((obs, actions, p): &'a (Vec<f32>, Vec<f32>, Vec<f32>)) -> Vec<Comparison<'a>> {
    let side = |at: usize| Segment { obs: &obs[2 * at..2 * at + 2], actions: &actions[at..at + 1] };
    let one = |(i, &p): (usize, &f32)| Comparison { a: side(2 * i), b: side(2 * i + 1), p, signs: [0.0; 2] };
    p.iter().enumerate().map(one).collect()
}

fn trained(config: RewardModelConfig) -> (RewardModel, Fit) {
    let data = questions(300, 5);
    let mut model = RewardModel::new(&spec(ActionSpace::uniform(1, -1.0, 1.0)), config, 0);
    model.observe(Segment { obs: &data.0, actions: &data.1 });
    let fit = model.fit(&comparisons(&data));
    (model, fit)
}

#[test]
fn a_fit_predicts_comparisons_that_it_has_not_seen() {
    let (model, fit) = trained(config());
    let held_out = questions(200, 6);
    let of = assess::Assessment::new(&model.predict(&comparisons(&held_out)));
    assert!(of.accuracy.unwrap() > 0.95 && of.calibration.unwrap() < 0.1, "{of:?}");
    assert!(fit.loss.unwrap() < 0.2 && fit.restarts == 0, "{fit:?}");
    // The members are two, begun apart; the reward is their mean.
    let at = Segment { obs: &[0.3, -0.4], actions: &[0.0] };
    let each = model.member_rewards(at);
    assert!(each[0] != each[1] && each.len() == 2);
    assert!((model.rewards(at)[0] - 0.5 * (each[0][0] + each[1][0])).abs() < 1e-6);
}

#[test]
fn an_untrained_model_says_zero_and_passes_end_once_enough_is_right() {
    let model = RewardModel::new(&spec(ActionSpace::uniform(1, -1.0, 1.0)), config(), 0);
    assert_eq!(model.rewards(Segment { obs: &[1.0; 6], actions: &[1.0; 3] }), [0.0; 3]);
    // A stop at any accuracy: one pass, as a single epoch gives.
    let (stopped, _) = trained(RewardModelConfig { stop_accuracy: 1e-6, ..config() });
    let (single, _) = trained(RewardModelConfig { first_epochs: 1, ..config() });
    assert_eq!(stopped.save(), single.save());
}

#[test]
fn a_member_that_diverges_is_begun_anew_and_left_out() {
    let (model, fit) = trained(RewardModelConfig { learning_rate: 1e30, ..config() });
    assert_eq!(fit, Fit { loss: None, restarts: 4 }, "two members, twice each");
    assert!(!model.is_trained());
    assert_eq!(model.rewards(Segment { obs: &[1.0, 2.0], actions: &[0.5] }), [0.0]);
    let finite = |state: &LearnerState| state.tensors.values().flatten().all(|x| x.is_finite());
    assert!(finite(&model.save()));
}

#[test]
fn a_restart_forgets_and_a_warm_start_does_not() {
    let data = questions(100, 7);
    let again = |restart: bool, rounds: usize| {
        let (mut model, _) = trained(RewardModelConfig { restart, ..config() });
        let losses: Vec<Option<f32>> = (0..rounds).map(|_| model.fit(&comparisons(&data)).loss).collect();
        (losses, model)
    };
    let (warm, _) = again(false, 2);
    let (cold, _) = again(true, 2);
    assert!(warm[1] < warm[0] && warm[0] < cold[0], "{warm:?} {cold:?}");
}

#[test]
fn options_are_seen_one_by_one() {
    // Three options, one state: 1 beats 2 beats 0. No number in between explains it but a number each.
    let mut model = RewardModel::new(&spec(ActionSpace::Discrete(3)), config(), 0);
    let one = |option: &'static [f32; 1]| Segment { obs: &[0.0, 0.0], actions: option };
    let [zero, first, second] = [one(&[0.0]), one(&[1.0]), one(&[2.0])];
    model.observe(first);
    let pairs = [(first, second), (second, zero), (first, zero)];
    let all: Vec<Comparison<'_>> =
        pairs.iter().cycle().take(60).map(|&(a, b)| Comparison { a, b, p: 1.0, signs: [0.0; 2] }).collect();
    model.fit(&all);
    let [r0, r1, r2] = [zero, first, second].map(|s| model.rewards(s)[0]);
    assert!(r1 > r2 && r2 > r0, "{r0} {r1} {r2}");
}

#[test]
fn a_saved_model_goes_on() {
    let (mut model, _) = trained(config());
    let mut other = RewardModel::new(&spec(ActionSpace::uniform(1, -1.0, 1.0)), config(), 0);
    other.load(&model.save()).unwrap();
    let data = questions(50, 8);
    assert_eq!(model.fit(&comparisons(&data)), other.fit(&comparisons(&data)));
    assert_eq!(model.save(), other.save());
    let mut wider = RewardModel::new(&spec(ActionSpace::uniform(2, -1.0, 1.0)), config(), 0);
    assert!(wider.load(&model.save()).unwrap_err().contains("observation statistics"));
}
