//! What every judge and decorator promises, and what each one does.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo::oracle::time_share::TimeShare;
use spo::oracle::{MeteredOracle, SafetyQuery, parse, registry};
use spo::prelude::*;
use spo::rollout::Episode;

/// An episode of two-dimensional observations and one-dimensional actions with these rewards.
fn episode(rewards: &[f32], rng: &mut ChaCha8Rng) -> Episode {
    let t = rewards.len();
    let mut noise = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    Episode {
        obs: noise(2 * t),
        final_obs: noise(2),
        actions: noise(t),
        latents: vec![0.0; t],
        log_probs: vec![0.0; t],
        rewards: rewards.to_vec(),
        costs: rewards.iter().map(|r| f32::from(u8::from(*r > 1.0))).collect(),
        terminated: false,
        start: None,
    }
}

fn ask(text: &str, a: &Episode, b: &Episode, seed: u64) -> Answer {
    let pair = [Pair { a: a.trajectory(), b: b.trajectory() }];
    parse(text).unwrap().compare(&pair, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()[0]
}

/// Descriptions that between them use every entry of the registry.
const ALL: [&str; 16] = [
    "return",
    "bradley_terry=2",
    "effort",
    "cyclic",
    "ring=1",
    "time_share=0.2-0.6",
    "cost=2",
    "cost | mistake=0.3",
    "0.3*game:a>b>c + 0.7*game:b>c>a",
    "0.7*return + 0.3*effort",
    "return | mistake=0.3",
    "return | skip",
    "return | equal",
    "return | myopic",
    "bradley_terry | labels",
    "game:cycle",
];

#[test]
fn every_oracle_is_antisymmetric_in_range_and_repeatable() {
    for entry in registry() {
        let name = entry.form.split(['=', ':', '*']).next().unwrap().trim_start_matches("W");
        // Programs, people and language models are tested in files of their own.
        if name == "exec" || name.starts_with("human") || name.starts_with("llm") {
            continue;
        }
        assert!(name.is_empty() || ALL.iter().any(|text| text.contains(name)), "{name} is not tested");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for text in ALL {
        for round in 0..50 {
            let mut draw = || {
                let rewards: Vec<f32> = (0..4).map(|_| rng.random_range(0.0..2.0)).collect();
                let mut e = episode(&rewards, &mut rng);
                if text.contains("game:") {
                    e.actions[0] = rng.random_range(0..3) as f32;
                }
                e
            };
            let (a, b) = (draw(), draw());
            // The same draws for both orders: a mistake about (a, b) is one about (b, a).
            let (ab, ba) = (ask(text, &a, &b, round), ask(text, &b, &a, round));
            assert_eq!(ab, ask(text, &a, &b, round), "{text} differs from itself");
            match (ab, ba) {
                (Answer::Prefer(p), Answer::Prefer(q)) => {
                    assert!((0.0..=1.0).contains(&p), "{text}: {p}");
                    // A drawn label is antisymmetric in distribution, not draw by draw.
                    if !text.contains("labels") {
                        assert!((p + q - 1.0).abs() < 1e-5, "{text}: {p} + {q}");
                    }
                }
                (Answer::Abstain, Answer::Abstain) => {}
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}

#[test]
fn judges_by_hand() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (good, bad) = (episode(&[1.0, 2.0], &mut rng), episode(&[1.0, 1.0], &mut rng));
    assert_eq!(ask("return", &good, &bad, 0), Answer::Prefer(1.0));
    assert_eq!(ask("return", &good, &good, 0), Answer::Prefer(0.5));
    // σ((3 − 2) / 2) = 0.62246.
    let Answer::Prefer(p) = ask("bradley_terry=2", &good, &bad, 0) else { panic!() };
    assert!((p - 0.622_459).abs() < 1e-5);
    let (mut lazy, mut busy) = (good.clone(), good.clone());
    (lazy.actions, busy.actions) = (vec![0.1, 0.1], vec![0.1, -0.2]);
    assert_eq!(ask("effort", &lazy, &busy, 0), Answer::Prefer(1.0));
    // 3/4 of the raters look at returns, 1/4 at effort: 0.75 · ½ + 0.25 · 1.
    assert_eq!(ask("3*return + 1*effort", &lazy, &busy, 0), Answer::Prefer(0.625));
    // Ends at 0°, 90°, 180°: each a quarter turn ahead of the one before, and no best among three.
    let at = |x: f32, y: f32| Episode { final_obs: vec![x, y], ..good.clone() };
    assert_eq!(ask("cyclic", &at(0.0, 1.0), &at(1.0, 0.0), 0), Answer::Prefer(1.0));
    let ring = [at(1.0, 0.0), at(-0.5, 0.866), at(-0.5, -0.866)];
    for i in 0..3 {
        let Answer::Prefer(p) = ask("cyclic", &ring[(i + 1) % 3], &ring[i], 0) else { panic!() };
        assert!(p > 0.9, "a cycle");
    }
    let option = |i: f32| Episode { actions: vec![i, 0.0], ..good.clone() };
    assert_eq!(ask("game:rock_paper_scissors", &option(1.0), &option(0.0), 0), Answer::Prefer(1.0));
    let (seven, zero) = (option(7.0), option(0.0));
    let asked = [Pair { a: seven.trajectory(), b: zero.trajectory() }];
    let error = parse("game:cycle").unwrap().compare(&asked, &mut rng).unwrap_err().to_string();
    assert!(error.contains("options 0 to 2") && error.contains("options-3"), "{error}");
}

#[test]
fn verdicts_of_safety_by_hand() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let costing =
        |costs: [f32; 2], rng: &mut ChaCha8Rng| Episode { costs: costs.into(), ..episode(&[0.0; 2], rng) };
    let (cheap, dear) = (costing([1.0, 0.0], &mut rng), costing([1.0, 1.0], &mut rng));
    assert_eq!(ask("cost=1", &cheap, &dear, 0), Answer::Prefer(1.0));
    let shown = [&cheap, &dear].map(|e| SafetyQuery { trajectory: e.trajectory(), share: 1.0 });
    let verdicts = |text: &str| {
        let mut judge = MeteredOracle::new(parse(text).unwrap(), None);
        judge.verdicts(&shown, &mut ChaCha8Rng::seed_from_u64(7))
    };
    assert_eq!(verdicts("cost=1").unwrap(), [Some(true), Some(false)]);
    assert_eq!(verdicts("cost=1 | labels | equal").unwrap(), [Some(true), Some(false)]);
    assert_eq!(verdicts("cost=1 | mistake=1").unwrap(), [Some(false), Some(true)]);
    assert_eq!(verdicts("cost").unwrap(), [Some(true); 2], "25");
    for text in ["return", "0.5*cost + 0.5*return", "exec:judge", "effort | mistake"] {
        assert!(verdicts(text).unwrap_err().to_string().contains("does not say what is safe"), "{text}");
    }
}

#[test]
fn decorators_by_hand() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (a, b) = (episode(&[0.0, 0.0, 3.0], &mut rng), episode(&[5.0, 0.0, 0.0], &mut rng));
    assert_eq!(ask("return", &a, &b, 0), Answer::Prefer(0.0));
    // γ = ½: 3 against 5/4, the latest step at weight 1.
    assert_eq!(ask("return | myopic=0.5", &a, &b, 0), Answer::Prefer(1.0));
    assert_eq!(ask("return | myopic=1", &a, &b, 0), Answer::Prefer(0.0));
    // Mean return 4, difference 2: equal where ε > ½.
    assert_eq!(ask("return | equal=0.6", &a, &b, 0), Answer::Prefer(0.5));
    assert_eq!(ask("return | equal=0.4", &a, &b, 0), Answer::Prefer(0.0));
    // The better return, 5, is below ε · 4 where ε > 1.25.
    assert_eq!(ask("return | skip=1.3", &a, &b, 0), Answer::Abstain);
    assert_eq!(ask("return | skip=1.2", &a, &b, 0), Answer::Prefer(0.0));
    assert_eq!(ask("return | mistake=1", &a, &b, 0), Answer::Prefer(1.0));
    assert_eq!(ask("return | mistake=0", &a, &b, 0), Answer::Prefer(0.0));
    assert_eq!(
        ask("return | equal=9 | mistake=1 | labels", &a, &b, 0),
        Answer::Prefer(0.5),
        "a tie stays a tie"
    );
}

/// Share of 4000 answers that are 1, each from its own draw.
fn share_of_ones(text: &str, a: &Episode, b: &Episode) -> f64 {
    let pairs = vec![Pair { a: a.trajectory(), b: b.trajectory() }; 4000];
    let answers = parse(text).unwrap().compare(&pairs, &mut ChaCha8Rng::seed_from_u64(3)).unwrap();
    answers.iter().filter(|x| **x == Answer::Prefer(1.0)).count() as f64 / 4000.0
}

#[test]
fn rates_are_as_asked() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (a, b) = (episode(&[1.0], &mut rng), episode(&[0.0], &mut rng));
    // Standard error √(p (1 − p) / 4000) < 0.008: four of them.
    assert!((share_of_ones("return | mistake=0.3", &a, &b) - 0.7).abs() < 0.032);
    assert!((share_of_ones("bradley_terry=1 | labels", &a, &b) - 0.731).abs() < 0.032);
    // 0.731 · 0.9 + 0.269 · 0.1
    assert!((share_of_ones("bradley_terry=1 | labels | mistake", &a, &b) - 0.685).abs() < 0.032);
}

#[test]
fn a_misspelt_description_is_refused_with_the_mend() {
    for (text, expected) in [
        ("retrun", "did you mean `return`?"),
        ("game:a>b>a", "ranks `a` twice"),
        ("game:a>", "an option has no name"),
        ("ring=0", "`ring` is 0; expected more than 0"),
        ("time_share", "expected shares such as 0.3-0.5"),
        ("time_share=0.5", "expected shares such as 0.3-0.5"),
        ("time_share=0.6-0.5", "`time_share` is 0.5; expected at least 0.6 and at most 1"),
        ("return | mistaek=0.1", "did you mean `mistake`?"),
        ("return | mistake=1.5", "at least 0 and at most 1"),
        ("return | mistake=x", "expected a number"),
        ("bradley_terry=0", "more than 0"),
        ("bradley_terry=NaN", "more than 0"),
        ("-1*return + 1*effort", "at least 0"),
        ("0*return + 1*effort", "more than 0"),
        ("return | return", "no decorator `return`"),
        ("game:chess", "one of cycle"),
        ("game:/no/such.csv", "/no/such.csv"),
        ("", "no judge ``"),
        ("return |", "no decorator ``"),
    ] {
        let message = parse(text).err().unwrap_or_else(|| panic!("{text} passed")).to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn the_door_counts_checks_limits_and_logs() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (a, b) = (episode(&[1.0], &mut rng), episode(&[0.0], &mut rng));
    let pair = Pair { a: a.trajectory(), b: b.trajectory() };
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.csv");

    let mut door = MeteredOracle::new(parse("return | skip=0.1 | equal=0.1").unwrap(), Some(5));
    door.log_to(&log, 0).unwrap();
    door.ask(&[pair, Pair { a: pair.b, b: pair.b }, Pair { a: pair.a, b: pair.a }], &mut rng).unwrap();
    let q = door.queries();
    // Mean return (1+0+0+0+1+1)/6 = ½: b against b is skipped, a against a ties.
    assert_eq!((q.asked, q.answered, q.tied, q.abstained), (3, 2, 1, 1));
    let kept = door.sync_log().unwrap();
    let error = door.ask(&[pair; 3], &mut rng).unwrap_err().to_string();
    assert_eq!(error, "the budget of 5 comparisons is spent: 3 asked, 3 more needed");
    assert_eq!(door.queries(), q, "a batch that is not asked is not counted");
    door.ask(&[pair; 2], &mut rng).unwrap();
    let rows = || std::fs::read_to_string(&log).unwrap();
    assert_eq!(
        rows(),
        "query,steps_a,steps_b,task_return_a,task_return_b,p_a_wins\n\
         0,1,1,1.0,0.0,1\n1,1,1,0.0,0.0,\n2,1,1,1.0,1.0,0.5\n3,1,1,1.0,0.0,1\n4,1,1,1.0,0.0,1\n"
    );
    // Taken up at the checkpoint's length: the later rows are gone.
    let mut again = MeteredOracle::new(parse("return").unwrap(), None);
    again.log_to(&log, kept).unwrap();
    assert_eq!(rows().lines().count(), 4);

    let mut wild = MeteredOracle::new(Box::new(|_: Trajectory, _: Trajectory| f32::NAN), None);
    assert!(wild.ask(&[pair], &mut rng).unwrap_err().to_string().contains("answered NaN for pair 0"));
    assert!(door.log_to(dir.path(), 0).unwrap_err().to_string().contains("cannot write the log"));
}

#[test]
fn decorators_keep_the_constraint_and_drop_what_no_longer_holds() {
    let constraint = Some(TimeShare { low: 0.3, high: 0.5 });
    for text in [
        "time_share=0.3-0.5",
        "time_share=0.3-0.5 | mistake=0.1",
        "time_share=0.3-0.5 | skip | equal | myopic | labels | mistake",
    ] {
        assert_eq!(parse(text).unwrap().structure().constraint, constraint, "{text}");
    }
    assert_eq!(parse("0.5*time_share=0.3-0.5 + 0.5*return").unwrap().structure().constraint, None);
    let knows = |text: &str| {
        let oracle = parse(text).unwrap();
        let structure = oracle.structure();
        let cost_limit = structure.cost_limit.is_some();
        (structure.utility.is_some(), structure.class.is_some(), structure.game.is_some(), cost_limit)
    };
    assert_eq!(knows("return"), (true, false, false, false));
    assert_eq!(knows("effort"), (true, false, false, false));
    assert_eq!(knows("cost=2"), (true, false, false, true));
    assert_eq!(knows("game:cycle"), (false, true, true, false));
    assert_eq!(knows("0.5*game:cycle + 0.5*game:cycle"), (false, true, true, false));
    for decorator in ["mistake", "labels"] {
        for judge in ["return", "effort", "cost=2"] {
            assert_eq!(knows(&format!("{judge} | {decorator}")), (false, false, false, false));
        }
        assert_eq!(knows(&format!("game:cycle | {decorator}")), (false, false, true, false));
    }
    for decorator in ["skip", "equal", "myopic"] {
        for judge in ["return", "effort", "cost=2", "game:cycle"] {
            assert_eq!(knows(&format!("{judge} | {decorator}")), (false, false, false, false));
        }
    }
}

#[test]
fn a_population_of_rankings_is_the_game_of_their_votes() {
    // 2 abc, 2 bca, 1 cab: the built-in voting cycle.
    let votes = "0.4*game:a>b>c + 0.4*game:b>c>a + 0.2*game:c>a>b";
    let game = |text: &str| parse(text).unwrap().structure().preference_matrix();
    let (population, cycle) = (game(votes).unwrap(), spo::game::builtin("cycle").unwrap());
    for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
        assert!((population.p(i, j) - cycle.p(i, j)).abs() < 1e-12, "{i} {j}");
    }
    // Its minimax winner is (.6, .2, .2): the uniform mixture is ½ (.267 + .133 + .133) away.
    assert!((population.minimax_distance(&[1.0 / 3.0; 3]).unwrap() - 4.0 / 15.0).abs() < 1e-6);
    // A flip with probability 0.1 shrinks each margin by 1 − 2 · 0.1; labels change no expectation.
    let noisy = game(&format!("{votes} | mistake=0.1 | labels")).unwrap();
    assert!((noisy.margin(0, 1) - 0.8 * cycle.margin(0, 1)).abs() < 1e-12);
    // No game: raters of other options, of trajectories, or who abstain.
    for text in ["game:a>b + game:a>b>c", "game:a>b + return", "return", "game:cycle | skip"] {
        assert_eq!(game(text), None, "{text}");
    }
}
