//! What is asked and kept, and when; relabelling; failures; a saved scorer.

use rand::RngExt;
use spo_envs::ActionSpace;

use super::queries::{Sampling, choose};
use super::schedule::Shape;
use super::*;
use crate::base::random::stream;
use crate::oracle::Oracle;
use crate::rollout::Rollout;
use crate::scorer::reward_model::model::assess::sigmoid;

fn config() -> RewardModelConfig {
    RewardModelConfig {
        segment_length: 3,
        hidden_sizes: vec![16],
        ensemble_size: 3,
        learning_rate: 3e-3,
        minibatch_size: 16,
        epochs: 20,
        first_epochs: 20,
        stop_accuracy: 1.0,
        dataset_size: 100,
        held_out_share: 0.2,
        ..RewardModelConfig::default()
    }
}

fn schedule() -> Schedule {
    Schedule {
        shape: Shape::Constant,
        first_share: 0.0,
        per_round: Some(40),
        every: 1,
        budget: None,
        trajectories: 4,
        iteration_steps: 32,
        total_steps: 320,
        pretrain_steps: 0,
        rounds: 0,
    }
}

fn spec() -> Spec {
    Spec { id: "test".into(), obs_dim: 1, action: ActionSpace::uniform(1, -1.0, 1.0), horizon: 8, dt: 0.0 }
}

/// Four episodes of 8 steps (the last of two) whose reward is x − u².
fn rollout(iteration: u64) -> Rollout {
    let mut rng = stream(1, Stream("test"), iteration, 0);
    let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let episodes = [8, 8, 8, 2].map(|steps| {
        let (obs, actions) = (draw(steps), draw(steps));
        let rewards = obs.iter().zip(&actions).map(|(x, u)| x - u * u).collect();
        Episode { final_obs: draw(1), costs: vec![0.0; steps], obs, actions, rewards, ..Episode::default() }
    });
    Rollout { episodes: episodes.into(), per_state: 2 }
}

fn by_return(a: Trajectory<'_>, b: Trajectory<'_>) -> f32 {
    f32::from(u8::from(a.task_return() > b.task_return()))
}

fn scorer(
    oracle: impl Oracle + 'static,
    config: RewardModelConfig,
    schedule: Schedule,
    replay: Option<usize>,
) -> IteratedRewardModel {
    let oracle = MeteredOracle::new(Box::new(oracle), schedule.budget);
    IteratedRewardModel::new(oracle, &spec(), config, schedule, replay, 0)
}

fn score(scorer: &mut IteratedRewardModel, iteration: u64) -> Scored {
    scorer.score(&Batch::training(&rollout(iteration), 0, iteration)).unwrap()
}

#[test]
fn predicted_rewards_go_with_the_tasks_on_trajectories_not_seen() {
    let mut scorer = scorer(by_return, config(), schedule(), None);
    let report = (0..8).map(|iteration| score(&mut scorer, iteration)).last().unwrap().model.unwrap();
    let unseen = rollout(99);
    let scores = scorer.score(&Batch::validation(&unseen, 0)).unwrap().scores;
    let rewards: Vec<f64> = unseen.episodes.iter().flat_map(|e| &e.rewards).map(|&r| r.into()).collect();
    let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
    let (mean, spread) = (crate::base::stats::mean, crate::base::stats::std_dev);
    let covariance: f64 =
        rewards.iter().zip(&scores).map(|(r, s)| (r - mean(&rewards)) * (s - mean(&scores))).sum();
    let correlation = covariance / rewards.len() as f64 / spread(&rewards) / spread(&scores);
    assert!(correlation > 0.9, "{correlation}");
    assert_eq!(report.counts, ModelCounts { rounds: 8, unanswered: 0, restarts: 0 });
    // Validation asks nobody and is not remembered.
    assert_eq!((scorer.queries().asked, scorer.episodes.len()), (320, 32));
}

#[test]
fn answers_beyond_the_dataset_and_episodes_that_nobody_needs_are_forgotten() {
    let mut scorer = scorer(by_return, RewardModelConfig { dataset_size: 60, ..config() }, schedule(), None);
    for iteration in 0..40 {
        score(&mut scorer, iteration);
    }
    assert_eq!((scorer.answered.len(), scorer.counts.answers), (60, 1600));
    // 60 answers are of the last two rounds, whose pool is the newest 100 trajectories, and 104 at most.
    assert!((100..=104).contains(&scorer.episodes.len()), "{}", scorer.episodes.len());
    // A fifth is held out.
    assert_eq!(scorer.answered.iter().filter(|a| a.part == Part::HeldOut).count(), 12);
    // Segments of three steps, or a shorter episode whole; never two of one trajectory.
    for Answered { clips: [a, b], .. } in &scorer.answered {
        assert!(a.episode != b.episode);
        for clip in [a, b] {
            let steps = scorer.episodes[&clip.episode].len();
            assert!(clip.to - clip.from == steps.min(3) && clip.to <= steps);
        }
    }
}

#[test]
fn disagreement_and_entropy_take_the_best_of_ten_times_as_many() {
    let mut scorer = scorer(by_return, config(), schedule(), None);
    score(&mut scorer, 0);
    let pool: Vec<(u64, &Episode)> = scorer.episodes.iter().map(|(n, e)| (*n, e)).collect();
    let of = |count: usize, sampling: Sampling| {
        choose(&pool, count, Some(3), sampling, &scorer.model, &mut stream(5, Stream("query"), 0, 0))
    };
    // P(a ≻ b) by each member, straight from the rewards of the two segments.
    let p = |[a, b]: [Clip; 2]| -> Vec<f64> {
        let sums = |clip: Clip| -> Vec<f64> {
            let t = scorer.episodes[&clip.episode].window(clip.from, clip.to);
            let each = scorer.model.member_rewards(segment(&t));
            each.iter().map(|r| r.iter().map(|&r| f64::from(r)).sum()).collect()
        };
        sums(a).into_iter().zip(sums(b)).map(|(a, b)| sigmoid(a - b)).collect()
    };
    let entropy = |p: Vec<f64>| -> f64 {
        p.iter().map(|p| -p * p.ln() - (1.0 - p) * (1.0 - p).ln()).sum::<f64>() / p.len() as f64
    };
    let spread = |p: Vec<f64>| crate::base::stats::std_dev(&p);
    let candidates = of(70, Sampling::Uniform);
    for (sampling, value) in
        [(Sampling::Disagreement, &spread as &dyn Fn(Vec<f64>) -> f64), (Sampling::Entropy, &entropy)]
    {
        let chosen: Vec<f64> = of(7, sampling).into_iter().map(|pair| value(p(pair))).collect();
        let mut all: Vec<f64> = candidates.iter().map(|&pair| value(p(pair))).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        assert!(chosen.iter().zip(&all).all(|(x, y)| (x - y).abs() < 1e-9), "{chosen:?} of {all:?}");
        assert!(all[0] > all[7], "they differ");
    }
    assert!(
        choose(&pool[..1], 5, None, Sampling::Uniform, &scorer.model, &mut stream(0, Stream("query"), 0, 0))
            .is_empty()
    );
}

/// Never says anything.
struct Mute;

impl Oracle for Mute {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(vec![Answer::Abstain; pairs.len()])
    }
}

#[test]
fn unanswered_rounds_are_counted_and_score_as_before() {
    let mut mute = scorer(Mute, config(), schedule(), None);
    let mut report = ModelReport::default();
    for iteration in 0..3 {
        let scored = score(&mut mute, iteration);
        assert_eq!(scored.scores, [0.0; 26]);
        report = scored.model.unwrap();
    }
    assert_eq!((report.counts.rounds, report.counts.unanswered, report.loss), (3, 3, None));
    assert_eq!((mute.queries().abstained, mute.counts.answers), (120, 0));
}

#[test]
fn a_spent_budget_leaves_the_model_as_it_is() {
    let schedule = Schedule { budget: Some(60), ..schedule() };
    let mut scorer = scorer(by_return, config(), schedule, Some(1000));
    score(&mut scorer, 0);
    assert!(score(&mut scorer, 1).renewed.is_some());
    let model = scorer.model.save();
    let Scored { scores, renewed, .. } = score(&mut scorer, 2);
    assert_eq!(scorer.queries().asked, 60, "40 and 20");
    assert!(scorer.model.save().tensors == model.tensors && scores.iter().any(|s| *s != 0.0));
    assert_eq!(renewed, None, "every score is what it was before");
}

#[test]
fn replay_is_scored_by_the_newest_model() {
    let schedule = Schedule { every: 2, ..schedule() };
    let mut scorer = scorer(by_return, config(), schedule, Some(60));
    let first = score(&mut scorer, 0);
    assert_eq!(first.renewed.unwrap(), first.scores);
    let Scored { scores: second, renewed, .. } = score(&mut scorer, 1);
    assert_eq!(renewed, None, "no round, no other model");
    let Scored { scores: third, renewed, .. } = score(&mut scorer, 2);
    let all = renewed.unwrap();
    // 60 steps are in replay: this iteration's 26, the last one's 26, and 8 of the one before, whose last episodes
    // have 2 and 8 steps.
    assert_eq!(all.len(), 26 + 26 + 2 + 8);
    assert_eq!(all[all.len() - 26..], third[..]);
    assert!(all[10..36] != second[..], "the second iteration's by the first model");
    // Without a replay there is nothing to renew.
    let mut on_policy =
        super::tests::scorer(by_return, super::tests::config(), super::tests::schedule(), None);
    assert_eq!(score(&mut on_policy, 0).renewed, None);
}

#[test]
fn pre_training_pays_novelty_and_asks_nobody() {
    let schedule = Schedule { pretrain_steps: 27, ..schedule() };
    let mut scorer = scorer(by_return, config(), schedule, Some(1000));
    let novel = score(&mut scorer, 0).scores;
    let states: Vec<f32> = rollout(0).episodes.iter().flat_map(|e| e.obs.clone()).collect();
    let distances = novelty::log_distances(&states.chunks(1).collect::<Vec<_>>(), 26);
    let spread = crate::base::stats::std_dev(&distances.iter().map(|&d| f64::from(d)).collect::<Vec<_>>());
    assert!(novel.iter().zip(&distances).all(|(n, d)| (f64::from(*n) - f64::from(*d) / spread).abs() < 1e-4));
    // 26 steps are done, 27 wanted: the second iteration explores as well.
    let second = score(&mut scorer, 1);
    assert_eq!((scorer.queries().asked, second.renewed), (0, None));
    assert!(!second.reward_scale_changed);
    let third = score(&mut scorer, 2);
    assert!(third.reward_scale_changed, "from novelties to rewards");
    assert_eq!(scorer.queries().asked, 40);
    assert_eq!(third.renewed.unwrap().len(), 3 * 26, "novelties are replaced");
    assert!(!score(&mut scorer, 3).reward_scale_changed);
}

#[test]
fn a_saved_scorer_goes_on() {
    let config = RewardModelConfig { query_sampling: Sampling::Disagreement, ..config() };
    let schedule = Schedule { pretrain_steps: 20, every: 2, ..schedule() };
    let fresh = || scorer(by_return, config.clone(), schedule, Some(70));
    let (mut whole, mut halves) = (fresh(), fresh());
    for iteration in 0..7 {
        assert_eq!(score(&mut whole, iteration), score(&mut halves, iteration), "{iteration}");
        let state = halves.save().unwrap();
        halves = fresh();
        halves.load(state).unwrap();
    }
    assert_eq!(whole.queries(), halves.queries());

    let mut state = halves.save().unwrap();
    state.episodes.truncate(3);
    assert!(fresh().load(state.clone()).unwrap_err().contains("steps that it does not hold"));
    state.model = None;
    assert!(fresh().load(state).unwrap_err().contains("no reward model"));
}

#[test]
fn rounds_ask_about_deployed_trajectories_alone_and_split_the_answers() {
    let config = RewardModelConfig { split: true, ..config() };
    let schedule = Schedule { rounds: 2, budget: Some(101), per_round: None, ..schedule() };
    let fresh = || scorer(by_return, config.clone(), schedule, None);
    let (mut whole, mut halves) = (fresh(), fresh());
    for iteration in 0..4 {
        let (own, deployed) = (rollout(iteration), rollout(50 + iteration));
        let deployed = (iteration % 2 == 0).then_some(&deployed);
        let batch = Batch { deployed, ..Batch::training(&own, 0, iteration) };
        let scored = whole.score(&batch).unwrap();
        assert_eq!(scored, halves.score(&batch).unwrap(), "{iteration}");
        // Half of the budget at first, all of it in the end; what is scored is not kept.
        let (asked, kept, held_out) = if iteration < 2 { (50, 4, 10) } else { (101, 8, 20) };
        assert_eq!((whole.queries().asked, whole.episodes.len()), (asked, kept));
        let of = |part: Part| whole.answered.iter().filter(|a| a.part == part).count();
        assert_eq!(of(Part::HeldOut), held_out);
        assert!(of(Part::Train) - of(Part::Other) <= 1, "halves");
        // Only a round's fit predicts, and both models score every iteration.
        let rows = if iteration % 2 == 0 { held_out } else { 0 };
        assert!(
            scored.held_out.len() == rows && scored.held_out.iter().all(|r| r.round == 1 + iteration / 2)
        );
        let report = scored.model.unwrap();
        assert!(report.split.unwrap().train != report.split.unwrap().test);
        assert_eq!(report.loss.is_some(), iteration % 2 == 0);

        let state = halves.save().unwrap();
        halves = fresh();
        halves.load(state).unwrap();
    }
    // The scores are those of the trajectories that were asked about, less their mean a step: 0 over all of them.
    let asked: Vec<Episode> = whole.episodes.values().rev().take(4).cloned().collect();
    let split = whole.split.as_ref().unwrap().scores(&whole.model, &asked).unwrap();
    assert!(split.train.abs() < 1e-4 && split.test.abs() < 1e-4, "{split:?}");

    let mut state = halves.save().unwrap();
    state.model.as_mut().unwrap().tensors.remove("other.levels");
    assert!(fresh().load(state).unwrap_err().contains("levels"));
}

/// Costs are the rewards' negatives, and at most 4 of them are safe.
struct Frugal;

impl Oracle for Frugal {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn rand::Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|pair| Answer::Prefer(by_return(pair.a, pair.b))).collect())
    }

    fn safety_judge(&mut self) -> Option<&mut dyn crate::oracle::SafetyJudge> {
        Some(self)
    }
}

impl crate::oracle::SafetyJudge for Frugal {
    fn verdicts(
        &mut self,
        shown: &[crate::oracle::SafetyQuery<'_>],
        _: &mut dyn rand::Rng,
    ) -> Result<Vec<Option<bool>>, OracleError> {
        Ok(shown.iter().map(|e| Some(-e.trajectory.task_return() <= 4.0 * e.share)).collect())
    }
}

#[test]
fn a_cost_model_is_asked_for_verdicts_and_goes_on() {
    let fresh = || {
        scorer(Frugal, RewardModelConfig { standardize_rewards: false, ..config() }, schedule(), None)
            .of_costs()
    };
    let (mut whole, mut halves) = (fresh(), fresh());
    for iteration in 0..6 {
        assert_eq!(score(&mut whole, iteration), score(&mut halves, iteration), "{iteration}");
        let state = halves.save().unwrap();
        halves = fresh();
        halves.load(state).unwrap();
    }
    let queries = halves.queries();
    assert_eq!((queries.asked, queries.verdicts), (240, 480), "of both sides of every pair");
    // A longer return costs less; of 8 steps, 4 is the limit.
    let unseen = rollout(99);
    let costs = whole.score(&Batch::validation(&unseen, 0)).unwrap().scores;
    let mut right = 0;
    for (e, own) in unseen.episodes.iter().zip(unseen.per_episode(&costs)) {
        let allowed = 4.0 * e.len() as f64 / 8.0;
        right += usize::from((own.iter().sum::<f32>() > 0.0) == (-e.trajectory().task_return() > allowed));
    }
    assert!(right >= 3, "{right} of 4: {costs:?}");
    // Without its signs it is no cost model's.
    let mut state = halves.save().unwrap();
    state.model.as_mut().unwrap().tensors.remove("signs");
    assert!(fresh().load(state).unwrap_err().contains("it has no `signs`"));
}
