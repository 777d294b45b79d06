use super::*;
use spo::oracle::parse;
use spo::policy::{Activation, Head, Normalizer};
use spo::rollout::{Episode, Trajectory};
use spo::train::registered;

/// Players that choose once, with these probabilities of a, b and c.
fn players(chances: &[[f32; 3]]) -> Vec<Player> {
    let spec = registered("options-3").unwrap()().unwrap().spec().clone();
    let mlp = Policy::network(&spec, Head::Categorical, &[], Activation::Tanh);
    let with = |p: &[f32; 3]| {
        // One layer on the constant input: weights 0, and the logits as its bias.
        let params = [[0.0; 3], p.map(f32::ln)].concat();
        assert_eq!(params.len(), mlp.params());
        let normalizer = Normalizer::identity(1);
        Policy { mlp: mlp.clone(), params, normalizer, head: Head::Categorical, action: spec.action.clone() }
    };
    let name = |i: usize| ["x", "y", "z", "u"][i].to_string();
    chances.iter().enumerate().map(|(i, p)| Player { name: name(i), policies: vec![with(p)] }).collect()
}

const SURE: [[f32; 3]; 3] = [[1.0, 1e-30, 1e-30], [1e-30, 1.0, 1e-30], [1e-30, 1e-30, 1.0]];

fn options() -> EnvFactory {
    registered("options-3").unwrap()
}

fn setting(states: usize, per_state: usize) -> Setting {
    Setting { states, per_state, seed: 7 }
}

#[test]
fn pure_players_play_the_game_itself() {
    // P(a ≻ b) = 3/5, P(b ≻ c) = 4/5, P(c ≻ a) = 3/5: 2 voters abc, 2 bca, 1 cab.
    let mut heard = Vec::new();
    let mut progress = |done, of| heard.push((done, of));
    let oracle = parse("game:cycle").unwrap();
    let t = play(&players(&SURE), &options(), oracle, &setting(2, 3), &mut progress).unwrap();
    for (i, j, p) in [(0, 1, 0.6), (1, 2, 0.8), (2, 0, 0.6)] {
        assert!((t.game.p(i, j) - p).abs() < 1e-6);
    }
    assert!(t.half_widths.iter().all(|half| *half < 1e-6), "equal in every state");
    assert_eq!(heard, (1..=6).map(|done| (done, 6)).collect::<Vec<_>>(), "rollouts and pairs");
    // 3 pairs of players, 2 states, 3 · 2 pairs of trajectories.
    assert_eq!(t.queries.asked, 3 * 2 * 6);
    let standings = t.standings().unwrap();
    // a: wins .6 and .4; c beats it by .2. b: .4 and .8; a by .2. c: .6 and .2; b by .6.
    let expected = [("x", 0.5, 0.2, "z"), ("y", 0.6, 0.2, "x"), ("z", 0.4, 0.6, "y")];
    for (s, (name, win_rate, exploitability, by)) in standings.iter().zip(expected) {
        assert_eq!((s.name.as_str(), s.by.as_str()), (name, by));
        assert!((s.win_rate - win_rate).abs() < 1e-6 && (s.exploitability - exploitability).abs() < 1e-6);
    }
    // The minimax winner of a cycle weighs each by the margin of the other two: .6, .2, .2.
    for (s, weight) in standings.iter().zip([0.6, 0.2, 0.2]) {
        assert!((s.minimax_weight - weight).abs() < 1e-6);
    }
    let elo: Vec<f64> = standings.iter().map(|s| s.elo.unwrap()).collect();
    assert!((elo.iter().sum::<f64>() - 3000.0).abs() < 1e-6 && elo[1] > elo[0] && elo[0] > elo[2]);
}

#[test]
fn a_mixture_ties_with_itself() {
    // Two equal players with different random numbers: rock-paper-scissors, a third each.
    let third = [1.0 / 3.0; 3];
    let oracle = parse("game:rock_paper_scissors").unwrap();
    let all = players(&[third, third, [1.0, 1e-30, 1e-30]]);
    let t = play(&all, &options(), oracle, &setting(20, 20), &mut |_, _| {}).unwrap();
    // 400 draws a side: a win rate's standard error is below √(2/3) / 2 · √(2 / 400) = 0.029.
    for (i, j) in [(0, 1), (0, 2), (1, 2)] {
        assert!((t.game.p(i, j) - 0.5).abs() < 4.0 * 0.029, "{}", t.game.p(i, j));
    }
}

/// An oracle that always abstains.
struct Silent;

impl Oracle for Silent {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(vec![Answer::Abstain; pairs.len()])
    }
}

#[test]
fn invalid_tournaments_are_errors() {
    let why = |players: &[Player], oracle: Box<dyn Oracle>| {
        play(players, &options(), oracle, &setting(1, 2), &mut |_, _| {}).unwrap_err().to_string()
    };
    let cycle = || parse("game:cycle").unwrap();
    assert!(why(&players(&SURE[..1]), cycle()).contains("at least 2"));
    let mut twice = players(&SURE);
    twice[1].name = "x".into();
    assert!(why(&twice, cycle()).contains("`x` is named twice"));
    let failing = |_: Trajectory<'_>, _: Trajectory<'_>| 2.0;
    assert!(why(&players(&SURE), Box::new(failing)).contains("expected P(a ≻ b) in [0, 1]"));
    let why = why(&players(&SURE), Box::new(Silent));
    assert!(why.contains("abstained from all 2 comparisons of x with y"), "{why}");
}

#[test]
fn concentration_by_hand() {
    let at = |angle: f32| Episode {
        obs: vec![],
        final_obs: vec![3.0 * angle.cos(), 3.0 * angle.sin(), 9.0],
        actions: vec![],
        latents: vec![],
        log_probs: vec![],
        rewards: vec![],
        costs: vec![],
        terminated: false,
        start: None,
    };
    let of = |angles: &[f32]| {
        concentration(&Rollout { episodes: angles.iter().map(|&t| at(t)).collect(), per_state: 1 })
    };
    let (half, quarter) = (std::f32::consts::PI, std::f32::consts::FRAC_PI_2);
    assert!((of(&[0.3, 0.3]) - 1.0).abs() < 1e-6);
    assert!(of(&[0.0, half]) < 1e-6);
    assert!((of(&[0.0, quarter]) - 0.5f64.sqrt()).abs() < 1e-6, "|(1, 1)| / 2");
    assert!(of(&[0.0, quarter, half, -quarter]) < 1e-6);
}

#[test]
fn an_interval_is_over_states_and_not_over_comparisons() {
    let (won, lost, none) = (Answer::Prefer(1.0), Answer::Prefer(0.0), Answer::Abstain);
    // Means of three states: 1, ½ and 0; s = ½, and t of two degrees of freedom 4.302653.
    let answers = [won, none, won, lost, lost, lost];
    assert!((half_width(&answers, 2) - 4.302_653 * 0.5 / 3f64.sqrt()).abs() < 1e-6);
    // States without answers do not count, and one state alone gives no interval.
    assert_eq!(half_width(&[won, won, none, none], 2), f64::INFINITY);
    assert_eq!(half_width(&[won, lost], 2), f64::INFINITY);
}
