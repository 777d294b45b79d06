//! Win proportions by hand: group, sample and queue; whole trajectories and windows; any length.

use spo::oracle::MeteredOracle;
use spo::prelude::*;
use spo::rollout::{Episode, Rollout};
use spo::scorer::opponents::Opponents;
use spo::scorer::self_play::{Placement, SelfPlay};
use spo::scorer::{Batch, Purpose, Scorer};

fn episode(rewards: &[f32]) -> Episode {
    let t = rewards.len();
    Episode {
        obs: vec![0.0; t],
        final_obs: vec![0.0],
        actions: vec![0.0; t],
        latents: vec![0.0; t],
        log_probs: vec![0.0; t],
        rewards: rewards.to_vec(),
        costs: vec![0.0; t],
        terminated: false,
        start: None,
    }
}

fn by_return(a: Trajectory, b: Trajectory) -> f32 {
    let (a, b) = (a.task_return(), b.task_return());
    if a == b { 0.5 } else { f32::from(u8::from(a > b)) }
}

fn scorer(opponents: Opponents, placement: Placement, window: Option<usize>) -> SelfPlay {
    SelfPlay::new(MeteredOracle::new(Box::new(by_return), None), opponents, placement, window)
}

fn score(scorer: &mut SelfPlay, rollout: &Rollout, iteration: u64) -> Vec<f32> {
    scorer.score(&Batch::training(rollout, 0, iteration)).unwrap().scores
}

/// The scores' sum over each episode.
fn totals(scores: &[f32], rollout: &Rollout) -> Vec<f32> {
    assert_eq!(scores.len(), rollout.steps());
    rollout.per_episode(scores).map(|own| own.iter().sum()).collect()
}

fn near(a: &[f32], b: &[f32]) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-6), "{a:?} is not {b:?}");
}

#[test]
fn groups_do_not_mix_and_scores_sum_to_the_win_proportion_whatever_the_length() {
    // State 1: returns 1, 3, 2 of lengths 1, 3, 2. State 2: 10, 10, 0: a tie at the top.
    let rollout = Rollout {
        episodes: [&[1.0][..], &[1.0, 1.0, 1.0], &[0.0, 2.0], &[10.0], &[5.0, 5.0], &[0.0]]
            .map(episode)
            .to_vec(),
        per_state: 3,
    };
    let expected = [0.0, 1.0, 0.5, 0.75, 0.75, 0.0];
    let mut spread = scorer(Opponents::Group, Placement::Spread, None);
    let scores = score(&mut spread, &rollout, 0);
    near(&scores, &[0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.25, 0.25, 0.75, 0.375, 0.375, 0.0]);
    near(&totals(&scores, &rollout), &expected);
    assert_eq!(spread.queries().asked, 6, "3 · 2 / 2 comparisons a state");
    let last = score(&mut scorer(Opponents::Group, Placement::Last, None), &rollout, 0);
    near(&last, &[0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.75, 0.0, 0.75, 0.0]);
}

#[test]
fn win_proportions_move_with_their_trajectories() {
    let returns = [4.0, 1.0, 3.0, 2.0, 5.0];
    let rollout = |order: &[usize]| Rollout {
        episodes: order.iter().map(|&i| episode(&[returns[i], 0.0])).collect(),
        per_state: 5,
    };
    let order = [3, 0, 4, 1, 2];
    let straight = rollout(&[0, 1, 2, 3, 4]);
    let permuted = rollout(&order);
    let a = totals(&score(&mut scorer(Opponents::Group, Placement::Spread, None), &straight, 0), &straight);
    let b = totals(&score(&mut scorer(Opponents::Group, Placement::Spread, None), &permuted, 0), &permuted);
    near(&order.map(|i| a[i]), &b);
    near(&[a.iter().sum()], &[2.5]);
}

#[test]
fn windows_are_compared_one_by_one_and_an_early_end_forgoes_the_rest() {
    // Windows of 2: first (1, 3), second (5, 1), third (nothing, 9): the shorter loses, wins, and loses for its end.
    let rollout = Rollout {
        episodes: [&[1.0, 0.0, 5.0, 0.0][..], &[3.0, 0.0, 1.0, 0.0, 9.0]].map(episode).to_vec(),
        per_state: 2,
    };
    let mut windowed = scorer(Opponents::Group, Placement::Spread, Some(2));
    let scores = score(&mut windowed, &rollout, 0);
    // Three windows: each pays a third of its proportion, a sixth a step; the last step of five is a window alone.
    near(&scores, &[0.0, 0.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 0.0, 0.0, 1.0 / 3.0]);
    near(&totals(&scores, &rollout), &[1.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(windowed.queries().asked, 3);

    // Where going on is worth less than nothing, the end wins the third window, and its last step is paid for it.
    let costly = Rollout {
        episodes: [&[1.0, 0.0, 5.0, 0.0][..], &[3.0, 0.0, 1.0, 0.0, -9.0]].map(episode).to_vec(),
        per_state: 2,
    };
    let scores = score(&mut scorer(Opponents::Group, Placement::Spread, Some(2)), &costly, 0);
    near(&scores, &[0.0, 0.0, 1.0 / 6.0, 1.0 / 6.0 + 1.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0, 0.0, 0.0, 0.0]);

    // Of three, two have ended: they tie in the third window without being asked.
    let rollout = Rollout {
        episodes: [&[1.0, 0.0][..], &[2.0, 0.0], &[3.0, 0.0, 1.0]].map(episode).to_vec(),
        per_state: 3,
    };
    let mut windowed = scorer(Opponents::Group, Placement::Last, Some(2));
    let scores = score(&mut windowed, &rollout, 0);
    near(&totals(&scores, &rollout), &[0.5 * (0.0 + 0.25), 0.5 * (0.5 + 0.25), 0.5 * (1.0 + 1.0)]);
    assert_eq!((windowed.queries().asked, windowed.queries().tied), (3 + 2, 0));
}

#[test]
fn a_sample_of_opponents_asks_less_and_stays_in_range() {
    let rollout = Rollout { episodes: (0..8).map(|i| episode(&[i as f32])).collect(), per_state: 8 };
    let mut sampled = scorer(Opponents::Sampled(2), Placement::Last, None);
    let scores = score(&mut sampled, &rollout, 0);
    assert!(sampled.queries().asked <= 16);
    assert_eq!((scores[0], scores[7]), (0.0, 1.0), "the worst loses all it is asked, the best wins all");
    let again = score(&mut scorer(Opponents::Sampled(2), Placement::Last, None), &rollout, 0);
    assert_eq!(scores, again, "the same draws");
}

#[test]
fn the_queue_is_compared_before_it_moves_and_forgets_the_oldest() {
    let rollout = |returns: &[f32]| Rollout {
        episodes: returns.iter().map(|&r| episode(&[r])).collect(),
        per_state: 1,
    };
    let mut queue = scorer(Opponents::Queue(3), Placement::Last, None);
    // The first iteration fills the queue with itself; nobody meets himself: 1, 2, 3 → 0, ½, 1.
    near(&score(&mut queue, &rollout(&[1.0, 2.0, 3.0]), 0), &[0.0, 0.5, 1.0]);
    // 2.5 against 1, 2, 3; then the queue is 2, 3, 2.5.
    near(&score(&mut queue, &rollout(&[2.5]), 1), &[2.0 / 3.0]);
    near(&score(&mut queue, &rollout(&[2.2]), 2), &[1.0 / 3.0]);
    assert_eq!(queue.queries().asked, 6 + 3 + 3);
    let state = queue.save().unwrap();
    let returns: Vec<f32> = state.episodes.iter().map(|e| e.rewards[0]).collect();
    assert_eq!(returns, [3.0, 2.5, 2.2]);
    let mut resumed = scorer(Opponents::Queue(3), Placement::Last, None);
    resumed.load(state).unwrap();
    near(&score(&mut resumed, &rollout(&[2.7]), 3), &[2.0 / 3.0]);
    assert_eq!(resumed.queries().asked, 15);
}

#[test]
fn abstentions_count_for_nobody() {
    struct Shy;
    impl Oracle for Shy {
        fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
            // Says nothing of the trajectory with return 0.
            Ok(pairs
                .iter()
                .map(|p| match p.a.task_return() * p.b.task_return() {
                    0.0 => Answer::Abstain,
                    _ => Answer::Prefer(by_return(p.a, p.b)),
                })
                .collect())
        }
    }
    let rollout = Rollout { episodes: [&[0.0][..], &[1.0], &[2.0]].map(episode).to_vec(), per_state: 3 };
    let mut shy =
        SelfPlay::new(MeteredOracle::new(Box::new(Shy), None), Opponents::Group, Placement::Last, None);
    near(&shy.score(&Batch::training(&rollout, 0, 0)).unwrap().scores, &[0.5, 0.0, 1.0]);
    assert_eq!((shy.queries().asked, shy.queries().abstained), (3, 2));
}

/// By return, without declaring it: every pair is asked.
struct Undeclared;

impl Oracle for Undeclared {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|p| Answer::Prefer(by_return(p.a, p.b))).collect())
    }
}

#[test]
fn sorting_gives_what_all_pairs_give() {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    // Few distinct rewards, so that there are ties; lengths from 1 to 6.
    let mut iteration = || Rollout {
        episodes: (0..12)
            .map(|_| {
                let steps = rng.random_range(1..7);
                episode(&(0..steps).map(|_| rng.random_range(0..3) as f32).collect::<Vec<_>>())
            })
            .collect(),
        per_state: 4,
    };
    let rollouts: Vec<Rollout> = (0..4).map(|_| iteration()).collect();
    for opponents in [Opponents::Group, Opponents::Queue(7), Opponents::Queue(30)] {
        for window in [None, Some(2)] {
            let of = |oracle: Box<dyn Oracle>| {
                SelfPlay::new(MeteredOracle::new(oracle, None), opponents, Placement::Spread, window)
            };
            let mut sorted = of(Box::new(spo::oracle::returns::TaskReturn));
            let mut asked = of(Box::new(Undeclared));
            for (at, rollout) in rollouts.iter().enumerate() {
                let at = at as u64;
                assert_eq!(score(&mut sorted, rollout, at), score(&mut asked, rollout, at), "{opponents}");
                assert_eq!(sorted.queries(), asked.queries(), "{opponents}, windows of {window:?}");
            }
        }
    }
}

/// What it wraps, without its declarations.
struct Plain(Box<dyn Oracle>);

impl Oracle for Plain {
    fn compare(&mut self, pairs: &[Pair<'_>], rng: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        self.0.compare(pairs, rng)
    }
}

#[test]
fn counting_kinds_gives_what_all_pairs_give() {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let choices = Rollout {
        episodes: (0..40)
            .map(|_| Episode { actions: vec![rng.random_range(0..3) as f32], ..episode(&[0.0]) })
            .collect(),
        per_state: 20,
    };
    for text in
        ["game:cycle", "0.5*game:a>b>c + 0.5*game:b>c>a", "0.2*game:a>b>c + 0.8*game:rock_paper_scissors"]
    {
        let oracle = || spo::oracle::parse(text).unwrap();
        let mut counted =
            SelfPlay::new(MeteredOracle::new(oracle(), None), Opponents::Group, Placement::Last, None);
        let plain = MeteredOracle::new(Box::new(Plain(oracle())), None);
        let mut asked = SelfPlay::new(plain, Opponents::Group, Placement::Last, None);
        near(&score(&mut counted, &choices, 0), &score(&mut asked, &choices, 0));
        assert_eq!(counted.queries(), asked.queries(), "{text}");
        assert_eq!(counted.queries().asked, 2 * 190);
        // Against a queue, the last iteration's trajectories, and given opponents as well.
        let plain = || MeteredOracle::new(Box::new(Plain(oracle())), None);
        for opponents in [Opponents::Queue(30), Opponents::Group] {
            let of = |oracle| {
                let optimistic = opponents == Opponents::Group;
                SelfPlay::new(oracle, opponents, Placement::Last, None).optimistic(optimistic)
            };
            let (mut counted, mut asked) = (of(MeteredOracle::new(oracle(), None)), of(plain()));
            for iteration in 0..3 {
                near(&score(&mut counted, &choices, iteration), &score(&mut asked, &choices, iteration));
            }
            let batch = Batch { opponents: Some(&choices), ..Batch::training(&choices, 0, 3) };
            near(&counted.score(&batch).unwrap().scores, &asked.score(&batch).unwrap().scores);
            assert_eq!(counted.queries(), asked.queries(), "{text}");
        }
    }
    // Options that the game has not, and a population that tells other kinds apart, are asked pair by pair.
    let class = |text: &str, of: &Episode| {
        let oracle = spo::oracle::parse(text).unwrap();
        oracle.structure().class.and_then(|class| class(of.trajectory()))
    };
    assert!(class("game:cycle", &choices.episodes[0]).is_some());
    assert_eq!(class("0.5*game:cycle + 0.5*return", &choices.episodes[0]), None);
    let far = Episode { actions: vec![3.0], ..episode(&[0.0]) };
    assert_eq!(class("game:cycle", &far), None);
    // A budget ends what it does not cover, and nothing is counted.
    let few = MeteredOracle::new(spo::oracle::parse("game:cycle").unwrap(), Some(379));
    let mut few = SelfPlay::new(few, Opponents::Group, Placement::Last, None);
    let batch = Batch::training(&choices, 0, 0);
    assert!(matches!(few.score(&batch), Err(OracleError::Budget { asked: 0, next: 380, .. })));
}

#[test]
fn optimism_pays_twice_the_present_less_the_past() {
    let mut scorer = scorer(Opponents::Group, Placement::Last, None).optimistic(true);
    let mut play = |purpose: Purpose, rewards: &[&[f32]]| {
        let rollout = Rollout { episodes: rewards.iter().map(|r| episode(r)).collect(), per_state: 2 };
        let batch = Batch { purpose, ..Batch::validation(&rollout, 0) };
        totals(&scorer.score(&batch).unwrap().scores, &rollout)
    };
    let iteration = |iteration: u64| Purpose::Training { iteration };
    // There is no past yet: 1 loses to 3, 5 to 7.
    near(&play(iteration(0), &[&[1.0], &[3.0], &[5.0], &[7.0]]), &[0.0, 1.0, 0.0, 1.0]);
    // Groups (2, 6) and (4, 4); of 1, 3, 5, 7 they beat ¼, ¾ and ½: 2·0 − ¼, 2·1 − ¾, 2·½ − ½.
    near(&play(iteration(1), &[&[2.0], &[6.0], &[4.0], &[4.0]]), &[-0.25, 1.25, 0.5, 0.5]);
    // A validation looks at nothing before it and leaves nothing behind.
    near(&play(Purpose::Validation, &[&[9.0], &[8.0]]), &[1.0, 0.0]);
    // Of 2, 6, 4, 4: 5 beats ¾ and 3 beats ¼.
    near(&play(iteration(2), &[&[5.0], &[3.0]]), &[2.0 - 0.75, -0.25]);
}

#[test]
fn opponents_that_are_given_are_met_by_the_trajectories_of_their_state_alone() {
    let rollout =
        |rewards: &[&[f32]]| Rollout { episodes: rewards.iter().map(|r| episode(r)).collect(), per_state: 2 };
    // 1 and 3 meet 2 and 3; 9 and 5 meet 6 and 5, window by window where there are two.
    for (window, expected) in [(None, [0.0, 0.75, 1.0, 0.25]), (Some(1), [0.0, 0.75, 1.0, 0.25])] {
        let mut scorer = scorer(Opponents::Group, Placement::Last, window);
        for iteration in 0..2 {
            let opponents = rollout(&[&[2.0], &[3.0], &[6.0], &[5.0]]);
            let own = rollout(&[&[1.0], &[3.0], &[9.0], &[5.0]]);
            let batch = Batch { opponents: Some(&opponents), ..Batch::training(&own, 0, iteration) };
            near(&totals(&scorer.score(&batch).unwrap().scores, &own), &expected);
        }
        assert_eq!(scorer.queries().asked, 2 * 4 * 2);
        // They are of one iteration: the next meets its own group.
        let own = rollout(&[&[1.0], &[3.0]]);
        near(&totals(&score(&mut scorer, &own, 2), &own), &[0.0, 1.0]);
    }
}
