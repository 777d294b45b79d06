//! Costs, violations and λ of each of the three sources of costs, computed by hand; a saved part continues as before.

use spo_envs::{ActionSpace, Spec};

use super::components;
use crate::oracle::{OracleEvents, Queries};
use crate::rollout::{Episode, Rollout};
use crate::scorer::Batch;
use crate::scorer::safety::{Safety, SafetyScored, share_unsafe};
use crate::train::config::{Config, ScorerKind};

const STEPS: usize = 4;

fn spec() -> Spec {
    let action = ActionSpace::uniform(1, -1.0, 1.0);
    Spec { id: "test".into(), obs_dim: 1, action, horizon: STEPS, dt: 0.0 }
}

fn safety(keys: &[&str]) -> Safety {
    let mut config = Config::default();
    for key in ["safety.oracle=cost=2"].iter().chain(keys) {
        config.set(key).unwrap();
    }
    // Whole trajectories.
    match config.scorer {
        ScorerKind::SelfPlay => config.self_play.window = 0,
        ScorerKind::RewardModel => config.reward_model.segment_length = 0,
        ScorerKind::LlmDirect | ScorerKind::TaskReward => (),
    }
    config.validate().unwrap();
    components::safety(&config, &spec(), &OracleEvents::default(), None).unwrap().unwrap()
}

/// Episodes with these costs, two from each state. The observation of a step is its cost.
fn rollout(costs: &[[f32; STEPS]]) -> Rollout {
    let episode = |costs: &[f32; STEPS]| Episode {
        obs: costs.to_vec(),
        final_obs: vec![0.0],
        actions: vec![0.0; 4],
        rewards: vec![1.0; 4],
        costs: costs.to_vec(),
        ..Episode::default()
    };
    Rollout { episodes: costs.iter().map(episode).collect(), per_state: 2 }
}

fn score(safety: &mut Safety, rollout: &Rollout, iteration: u64) -> SafetyScored {
    safety.score(&Batch::training(rollout, 0, iteration)).unwrap()
}

const UNSAFE: [f32; STEPS] = [1.0, 1.0, 1.0, 0.0];
const SAFE: [f32; STEPS] = [0.0; 4];

#[test]
fn self_play_by_hand() {
    let mut safety = safety(&["unsafe_limit=0.2"]);
    let SafetyScored { costs, report } = score(&mut safety, &rollout(&[UNSAFE, SAFE, SAFE, SAFE]), 0);
    // The first loses to the second; the other two tie. Each win proportion is paid out over four steps.
    assert_eq!(costs, [[0.0; 4], [-0.25; 4], [-0.125; 4], [-0.125; 4]].concat());
    let queries = safety.queries();
    assert_eq!((queries.asked, queries.tied, queries.verdicts), (2, 1, 4));
    // One of four is unsafe and the limit is a fifth: log λ = 0.1 · 1 · (0.25 − 0.2).
    assert_eq!(report.unsafe_share, Some(0.25));
    assert!((report.multiplier - 0.005f64.exp()).abs() < 1e-12);
    let report = score(&mut safety, &rollout(&[SAFE; 4]), 1).report;
    let log = 0.005 - 0.1 * 0.005f64.exp() * 0.2;
    assert!((report.multiplier.ln() - log).abs() < 1e-12);
}

#[test]
fn the_tasks_own_costs_by_hand() {
    let mut safety = safety(&["scorer=task_reward"]);
    let SafetyScored { costs, report } = score(&mut safety, &rollout(&[UNSAFE, SAFE]), 0);
    assert_eq!(costs, [UNSAFE, SAFE].concat());
    // (3 + 0) / 2 − 2 = −0.5
    assert!((report.multiplier - (-0.05f64).exp()).abs() < 1e-12);
    assert_eq!((report.unsafe_share, safety.queries()), (Some(0.5), Queries::default()));
}

#[test]
fn where_nothing_is_judged_the_multiplier_stays() {
    let nothing = Rollout { episodes: Vec::new(), per_state: 2 };
    for scorer in ["scorer=self_play", "scorer=task_reward", "scorer=reward_model"] {
        let mut safety = safety(&[scorer]);
        let SafetyScored { costs, report } = score(&mut safety, &nothing, 0);
        assert_eq!(costs, [0.0; 0], "{scorer}");
        assert_eq!((report.multiplier, report.unsafe_share), (1.0, None), "{scorer}");
    }
    // An oracle that never answers: there is no cost model, so costs are 0.
    let mut mute = safety(&["scorer=reward_model", "safety.oracle=cost=2 | skip=1000"]);
    let SafetyScored { costs, report } = score(&mut mute, &rollout(&[UNSAFE, SAFE]), 0);
    assert_eq!(costs, [0.0; 8]);
    assert_eq!((report.multiplier, report.unsafe_share, report.cost_loss), (1.0, None, None));
    assert_eq!(share_unsafe(&[None, None]), None);
    assert_eq!(share_unsafe(&[Some(true), None, Some(false), Some(true)]), Some(1.0 / 3.0));
}

fn modelled() -> Safety {
    let fit = [
        "reward_model.hidden_sizes=[8]",
        "reward_model.epochs=60",
        "reward_model.minibatch_size=8",
        "reward_model.learning_rate=0.01",
    ];
    let rounds = ["scorer=reward_model", "queries_per_round=60", "reward_model.fit_every=3"];
    safety(&[&fit[..], &rounds].concat())
}

#[test]
fn a_cost_model_knows_the_limit_and_its_mean_is_over_the_newest() {
    let mut safety = modelled();
    let mixed = rollout(&[UNSAFE, SAFE, [1.0; 4], [0.0, 1.0, 0.0, 0.0]]);
    let SafetyScored { costs, report } = score(&mut safety, &mixed, 0);
    assert!(report.cost_loss.is_some() && safety.queries().verdicts == 120);
    assert_eq!(report.unsafe_share, Some(0.5), "{costs:?}");
    let mean = mixed.totals(&costs).iter().sum::<f64>() / 4.0;
    assert!((report.multiplier.ln() - 0.1 * mean).abs() < 1e-9, "log λ = 0.1 · 1 · (mean − 0)");
    for iteration in 1..40 {
        score(&mut safety, &mixed, iteration);
    }
    assert_eq!(safety.save().unwrap().recent.len(), 128);
}

#[test]
fn a_saved_safety_part_continues() {
    type Fresh = fn() -> Safety;
    let (played, given): (Fresh, Fresh) =
        (|| safety(&["opponents=queue=3"]), || safety(&["scorer=task_reward"]));
    for fresh in [played, modelled, given] {
        let (mut whole, mut halves) = (fresh(), fresh());
        for iteration in 0..5 {
            let mut rows = [UNSAFE, SAFE, [1.0; 4], SAFE];
            rows.rotate_left(iteration % 4);
            let rollout = rollout(&rows[..2]);
            let at = iteration as u64;
            assert_eq!(score(&mut whole, &rollout, at), score(&mut halves, &rollout, at));
            let state = halves.save().unwrap();
            halves = fresh();
            halves.load(state).unwrap();
        }
        assert_eq!((whole.queries(), whole.save().unwrap()), (halves.queries(), halves.save().unwrap()));
    }
}
