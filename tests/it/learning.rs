//! SPO learns: on the task whose optimal policy is known, from comparisons alone.

use spo::base::stats;
use spo::prelude::*;

fn train(seed: u64, oracle: impl Oracle + 'static) -> f64 {
    let mut training = Spo::on("lqr").oracle(oracle).seed(seed);
    for key in ["total_steps=24000", "window=0", "baseline=group", "eval_episodes=200", "minibatch_size=128"]
    {
        training = training.config(key).unwrap();
    }
    training.train().unwrap().summary.eval_return_mean
}

/// The mean of −P x² over x uniform in [−1, 1]: a third of that at 1, with P = 1.618….
fn optimum() -> f64 {
    spo_envs::tasks::optimal_return(1.0) / 3.0
}

/// That the returns of several seeds are above the control's by their intervals, and near the optimum.
fn assert_learned(learned: &[f64], control: &[f64]) {
    println!("learned {learned:.3?}, control {control:.3?}, optimum {:.3}", optimum());
    let low = stats::mean(learned) - stats::ci95(learned);
    let high = stats::mean(control) + stats::ci95(control);
    assert!(low > high, "the 95 % intervals meet: {low} against {high}");
    // Doing nothing costs 10 x², ten thirds on average.
    let closed = (stats::mean(learned) + 10.0 / 3.0) / (optimum() + 10.0 / 3.0);
    assert!(closed > 0.9, "only {closed:.2} of the gap between doing nothing and the optimum");
}

#[test]
fn comparisons_of_returns_close_most_of_the_gap_to_the_optimum() {
    let judged = |a: Trajectory, b: Trajectory| {
        let (a, b) = (a.task_return(), b.task_return());
        if a == b { 0.5 } else { f32::from(u8::from(a > b)) }
    };
    let learned: Vec<f64> = (0..5).map(|seed| train(seed, judged)).collect();
    // The control: the same learner, states and budget, but an oracle that tells it nothing.
    let control: Vec<f64> = (0..5).map(|seed| train(seed, |_: Trajectory, _: Trajectory| 0.5)).collect();
    assert_learned(&learned, &control);
}

#[test]
fn the_preference_decides_what_is_learned() {
    // An oracle that prefers the worse return teaches the worse policy.
    let inverted = |a: Trajectory, b: Trajectory| f32::from(u8::from(a.task_return() < b.task_return()));
    assert!(train(0, inverted) < -10.0 / 3.0);
}

/// Returns of a learner on that task over five seeds.
fn returns(learner: &str, keys: &[&str], total_steps: &str) -> Vec<f64> {
    (0..5)
        .map(|seed| {
            let mut training = Spo::on("lqr").config(learner).unwrap().seed(seed);
            for key in keys.iter().chain(&["eval_episodes=200", total_steps]) {
                training = training.config(key).unwrap();
            }
            training.train().unwrap().summary.eval_return_mean
        })
        .collect()
}

#[test]
fn random_search_learns_from_comparisons_of_whole_trajectories() {
    let groups = ["num_states=8", "trajectories_per_state=4", "top_directions=16"];
    let steps = ["learning_rate=0.1", "noise_std=0.1", "normalize_obs=false"];
    let returns = |total_steps| returns("learner=ars", &[groups, steps].concat(), total_steps);
    // The control: the same learner after its first step.
    let (learned, control) = (returns("total_steps=24000"), returns("total_steps=1"));
    assert_learned(&learned, &control);
}

#[test]
fn soft_actor_critic_learns_by_the_task_reward() {
    let keys = [
        "scorer=task_reward",
        "sac.hidden_sizes=32,32",
        "learning_rate=0.001",
        "minibatch_size=64",
        "learning_starts=200",
    ];
    let returns = |total_steps| returns("learner=sac", &keys, total_steps);
    // The control: the same learner before its first update but for a few.
    let (learned, control) = (returns("total_steps=3000"), returns("total_steps=210"));
    assert_learned(&learned, &control);
}
