//! The iterated reward model as a scorer: it learns where a reward explains the preferences, and lives through
//! teachers that say nothing and models that diverge.

use std::path::Path;

use spo::base::stats;
use spo::prelude::*;

fn by_return(a: Trajectory, b: Trajectory) -> f32 {
    let (a, b) = (a.task_return(), b.task_return());
    if a == b { 0.5 } else { f32::from(u8::from(a > b)) }
}

fn training(seed: u64, oracle: impl Oracle + 'static, keys: &[&str]) -> Outcome {
    let mut training = Spo::on("lqr").oracle(oracle).seed(seed);
    let own =
        ["scorer=reward_model", "window=5", "baseline=group", "eval_episodes=200", "ppo.minibatch_size=128"];
    for key in own.iter().chain(keys) {
        training = training.config(key).unwrap();
    }
    training.train().unwrap()
}

#[test]
fn a_reward_model_closes_most_of_the_gap_to_the_optimum() {
    let keys =
        ["total_steps=24000", "budget=1000", "reward_model.fit_every=3", "reward_model.hidden_sizes=[32]"];
    let returns = |oracle: fn(Trajectory, Trajectory) -> f32| -> Vec<f64> {
        (0..5).map(|seed| training(seed, oracle, &keys).summary.eval_return_mean).collect()
    };
    // The control: the same learner, states and budget, but an oracle that tells it nothing.
    let (learned, control) = (returns(by_return), returns(|_, _| 0.5));
    // The mean of −P x² over x uniform in [−1, 1].
    let optimum = spo_envs::tasks::optimal_return(1.0) / 3.0;
    println!("learned {learned:.3?}, control {control:.3?}, optimum {optimum:.3}");
    let low = stats::mean(&learned) - stats::ci95(&learned);
    assert!(control.iter().all(|c| *c < low), "a control reaches the 95 % interval, from {low}");
    // Doing nothing costs 10 x², ten thirds on average.
    let closed = (stats::mean(&learned) + 10.0 / 3.0) / (optimum + 10.0 / 3.0);
    assert!(closed > 0.9, "only {closed:.2} of the gap between doing nothing and the optimum");
}

#[test]
fn the_budget_is_spread_and_the_fit_is_reported() {
    let outcome = training(0, by_return, &["total_steps=3200", "budget=100", "reward_model.fit_every=2"]);
    let asked: Vec<u64> = outcome.records.iter().map(|r| r.queries).collect();
    assert_eq!(asked, [20, 20, 40, 40, 60, 60, 80, 80, 100, 100]);
    for r in &outcome.records {
        let fitted = r.iteration % 2 == 1;
        assert_eq!(
            (r.reward_loss.is_some(), r.reward_accuracy.is_some()),
            (fitted, fitted),
            "{}",
            r.iteration
        );
        assert!(r.reward_calibration.is_none_or(|c| (0.0..=0.5).contains(&c)));
    }
    let counts = outcome.summary.reward_model.unwrap();
    assert_eq!((counts.rounds, counts.unanswered, counts.restarts), (5, 0, 0));
    assert!(!outcome.summary.budget_spent, "a spent budget does not end the training");
}

/// Says nothing.
struct Mute;

impl Oracle for Mute {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(vec![Answer::Abstain; pairs.len()])
    }
}

#[test]
fn a_teacher_that_says_nothing_and_a_model_that_diverges_are_counted() {
    let mute = training(0, Mute, &["total_steps=1600", "result=best"]);
    let counts = mute.summary.reward_model.unwrap();
    assert_eq!((counts.rounds, counts.unanswered), (5, 5));
    assert!(mute.records.iter().all(|r| r.score_mean == 0.0 && r.reward_loss.is_none() && r.abstained > 0));

    let wild = ["total_steps=1600", "reward_model.learning_rate=1e30", "reward_model.ensemble_size=2"];
    let diverged = training(0, by_return, &wild);
    let counts = diverged.summary.reward_model.unwrap();
    assert_eq!((counts.rounds, counts.restarts), (5, 20), "two networks, twice each a round");
    assert!(diverged.records.iter().all(|r| r.score_mean == 0.0 && r.reward_accuracy.is_none()));
}

#[test]
fn on_a_voting_cycle_the_reward_model_ends_in_a_corner() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/game.toml");
    let mut config = Config::from_file(&path).unwrap();
    config.scorer = ScorerKind::RewardModel;
    config.result = TrainedResult::Last;
    config.total_steps = 40_000;
    for key in ["reward_model.epochs=2", "reward_model.dataset_size=500", "reward_model.hidden_sizes=[16]"] {
        config.set(key).unwrap();
    }
    let outcome = Spo::with(config).train().unwrap();
    let probabilities = outcome.policies[0].probabilities(&[1.0]).unwrap();
    // The minimax winner is (0.6, 0.2, 0.2).
    assert!(probabilities.iter().any(|p| *p > 0.9), "{probabilities:?}");
}

#[test]
fn the_presets_of_the_field_are_configurations() {
    for name in ["plain", "pebble", "imitation"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("configs/reward_{name}.toml"));
        let config = Config::from_file(&path).unwrap();
        config.validate().unwrap();
        assert_eq!(config.scorer, ScorerKind::RewardModel);
    }
}

#[test]
fn episodes_too_long_for_a_checkpoint_are_refused() {
    let config = Config { scorer: ScorerKind::RewardModel, ..Config::default() };
    let action = spo_envs::ActionSpace::uniform(1, -1.0, 1.0);
    let spec =
        |horizon| spo_envs::Spec { id: "long".into(), obs_dim: 1, action: action.clone(), horizon, dt: 0.0 };
    config.validate_on(&spec(1 << 24)).unwrap();
    let message = config.validate_on(&spec((1 << 24) + 1)).unwrap_err().to_string();
    assert!(message.contains("at most 16777216 steps an episode"), "{message}");
}
