//! Exact answers of small preference games, and what a file of one may not be.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use spo::game::dynamics::hedge_step;
use spo::game::solve::winners;
use spo::game::{BUILTIN, PreferenceMatrix, builtin};

fn exact() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/games.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["games"].as_array().unwrap().clone()
}

fn game(answer: &Value) -> PreferenceMatrix {
    let name = answer["name"].as_str().unwrap();
    builtin(name).unwrap_or_else(|| panic!("{name} is built in"))
}

fn floats(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn every_exact_answer_comes_out() {
    let answers = exact();
    assert_eq!(answers.len(), BUILTIN.len());
    for answer in &answers {
        let game = game(answer);
        let name = |i: usize| game.names()[i].clone();
        for (i, row) in answer["margins"].as_array().unwrap().iter().enumerate() {
            for (j, margin) in floats(row).into_iter().enumerate() {
                assert!((game.margin(i, j) - margin).abs() < 1e-12);
            }
        }
        let winner = game.minimax_winner().unwrap();
        for (p, q) in winner.iter().zip(floats(&answer["minimax_winner"])) {
            assert!((p - q).abs() < 1e-9, "{winner:?}");
        }
        assert!(game.exploitability(&winner).abs() < 1e-9);
        assert_eq!(game.condorcet().map(name).as_deref(), answer["condorcet"].as_str());
        for (rule, scores) in [("copeland", game.copeland()), ("borda", game.borda())] {
            if let Some(expected) = answer[rule].as_str() {
                let best: Vec<String> = winners(&scores).into_iter().map(name).collect();
                assert_eq!(best, [expected], "{rule}");
            }
        }
        if answer.get("bradley_terry_uniform_pairs").is_some() {
            let expected = floats(&answer["bradley_terry_uniform_pairs"]);
            // b beats c always in the second game, but loses to a: the scores are finite all the same.
            for (s, e) in game.bradley_terry().unwrap().iter().zip(expected) {
                assert!((s - e).abs() < 5e-3, "{s} against {e}");
            }
        }
    }
}

#[test]
fn hedge_keeps_its_bound_and_reproduces_the_figures() {
    let cycle = &exact()[0];
    for (t, measured) in cycle["hedge"]["measured"].as_object().unwrap() {
        let t: usize = t.parse().unwrap();
        let step = hedge_step(3, t);
        let e = game(cycle).exploitability(&game(cycle).hedge(t, step, game(cycle).uniform()).average);
        assert!(e <= step, "{e} passes the bound {step}");
        assert!((e - measured.as_f64().unwrap()).abs() < 6e-5, "T = {t}: {e}");
    }
    let condorcet = &exact()[1];
    for (step, times) in condorcet["hedge_constant_step_exploitability_times_T"].as_object().unwrap() {
        let run = game(condorcet).hedge(20_000, step.parse().unwrap(), game(condorcet).uniform());
        let e = game(condorcet).exploitability(&run.average) * 20_000.0;
        assert!((e - times.as_f64().unwrap()).abs() < 0.01, "step {step}: {e}");
        assert!(run.last[0] > 1.0 - 1e-9, "the last iterate goes to the Condorcet winner");
    }
}

#[test]
fn the_last_iterate_of_a_cycle_converges_only_with_optimism() {
    let game = builtin("cycle").unwrap();
    assert!(game.exploitability(&game.hedge(10_000, 0.1, game.uniform()).last) > 0.05);
    let optimistic = game.optimistic(100_000, 0.1, vec![0.5, 0.3, 0.2]);
    assert!(game.exploitability(&optimistic.last) < 1e-5);
}

fn random_game(n: usize, rng: &mut ChaCha8Rng) -> PreferenceMatrix {
    let mut p = vec![0.5; n * n];
    for i in 0..n {
        for j in 0..i {
            p[i * n + j] = rng.random_range(0.0..1.0);
            p[j * n + i] = 1.0 - p[i * n + j];
        }
    }
    PreferenceMatrix::new((0..n).map(|i| i.to_string()).collect(), p, "random").unwrap()
}

#[test]
fn random_games_have_an_unexploitable_winner_that_moves_with_the_names() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for n in [2, 3, 5, 8, 13, 21, 2, 3, 5, 8] {
        let game = random_game(n, &mut rng);
        let winner = game.minimax_winner().unwrap();
        assert!(game.exploitability(&winner).abs() < 1e-7);
        assert!((winner.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        if let Some(condorcet) = game.condorcet() {
            assert!(winner[condorcet] > 1.0 - 1e-7);
        }
        // Rotate the options by one: the winner of a generic game is unique and rotates with them.
        let turn = |i: usize| (i + 1) % n;
        let p = (0..n * n).map(|at| game.p(turn(at / n), turn(at % n))).collect();
        let turned = PreferenceMatrix::new((0..n).map(|i| i.to_string()).collect(), p, "turned").unwrap();
        for (i, w) in turned.minimax_winner().unwrap().into_iter().enumerate() {
            assert!((w - winner[turn(i)]).abs() < 1e-6);
        }
        for (i, s) in turned.borda().into_iter().enumerate() {
            assert!((s - game.borda()[turn(i)]).abs() < 1e-12);
        }
    }
}

#[test]
fn bradley_terry_recovers_its_own_scores_and_says_when_they_are_infinite() {
    let s: [f64; 4] = [1.5, 0.2, -0.3, -1.4];
    let p = (0..16).map(|at| 1.0 / (1.0 + (s[at % 4] - s[at / 4]).exp())).collect();
    let game = PreferenceMatrix::new(["a", "b", "c", "d"].map(String::from).to_vec(), p, "bt").unwrap();
    for (fit, truth) in game.bradley_terry().unwrap().iter().zip(s) {
        assert!((fit - truth).abs() < 1e-8);
    }
    let order = PreferenceMatrix::from_csv("a,b\n0.5,1\n0,0.5\n".as_bytes(), "order").unwrap();
    assert_eq!(order.bradley_terry(), None);
}

#[test]
fn both_forms_of_file_are_read() {
    let cycle = builtin("cycle").unwrap();
    let votes = "count,ranking\n2,a>b>c\n2, b > c > a\n1,c>a>b\n";
    assert_eq!(PreferenceMatrix::from_csv(votes.as_bytes(), "votes").unwrap(), cycle);
    let named = ",a,b,c\na,,0.6,0.4\nb,0.4,,0.8\nc,0.6,0.2,\n";
    let bare = "a,b,c\n0.5,0.6,0.4\n0.4,0.5,0.8\n0.6,0.2,0.5\n";
    for text in [named, bare] {
        let read = PreferenceMatrix::from_csv(text.as_bytes(), "matrix").unwrap();
        for at in 0..9 {
            assert!((read.p(at / 3, at % 3) - cycle.p(at / 3, at % 3)).abs() < 1e-12);
        }
    }
    // A voter who ranks only b ties a and c last.
    let partial = PreferenceMatrix::from_csv("count,ranking\n1,b\n1,a>c>b\n".as_bytes(), "partial").unwrap();
    assert_eq!([partial.p(0, 1), partial.p(0, 2), partial.p(1, 2)], [0.5, 0.75, 0.5]);
}

#[test]
fn a_bad_file_gives_its_place_and_what_to_change() {
    for (text, expected) in [
        ("", "0 options"),
        ("a\n0.5\n", "at least 2"),
        ("a,b\n0.5,0.5\n", "write one row per option"),
        ("a,b\n0.5,x\n0.5,0.5\n", "line 2: `x` under b is not a number"),
        ("a,b\n0.5,0.6\n0.6,0.5\n", "must add up to 1"),
        ("a,b\n0.5,1.6\n-0.6,0.5\n", "from 0 to 1"),
        ("a,b\n0.5,NaN\nNaN,0.5\n", "from 0 to 1"),
        ("a,b\n0.4,0.5\n0.5,0.5\n", "ties with itself"),
        ("a,a\n0.5,0.5\n0.5,0.5\n", "named twice"),
        ("a,b\n0.5,0.5,0.5\n0.5,0.5\n", "line 2: the row has 3 cells; expected 2"),
        (",a,b\nb,0.5,0.5\na,0.5,0.5\n", "line 2: the row is named `b`; expected `a`"),
        ("count,ranking\n", "0 options"),
        ("count,ranking\ntwo,a>b\n", "line 2: `two` is not a number of voters"),
        ("count,ranking\n-1,a>b\n", "above 0 and at most"),
        ("count,ranking\n1e308,a>b\n", "above 0 and at most"),
        ("a,b,\n0.5,0.5,0.5\n0.5,0.5,0.5\n0.5,0.5,0.5\n", "has no name"),
        ("count,ranking\n1,a>a\n", "ranks `a` twice"),
        ("count,ranking\n1,a>>b\n", "line 2: an option's name is empty"),
    ] {
        let message = PreferenceMatrix::from_csv(text.as_bytes(), "votes.csv").unwrap_err().to_string();
        assert!(message.contains(expected), "{text:?} gave: {message}");
        assert!(message.contains("votes.csv"), "{message}");
    }
    let binary = [0xff, 0xfe, 0x00, b',', b'\n', 0x80];
    assert!(PreferenceMatrix::from_csv(&binary[..], "binary").is_err());
    assert!(
        PreferenceMatrix::from_csv_path("/no/such.csv".as_ref())
            .unwrap_err()
            .to_string()
            .contains("/no/such.csv")
    );
}

/// The claim of the theory, in one table: RLHF to the Borda winner, self-play to the minimax winner.
#[test]
fn rlhf_goes_to_the_borda_winner_and_self_play_to_the_minimax_winner() {
    for name in ["cycle", "condorcet_is_not_borda"] {
        let table = builtin(name).unwrap().methods().unwrap();
        let row = |method: &str| table.methods.iter().find(|m| m.name == method).unwrap();
        assert_eq!(row("RLHF, best response").mixture, Some(vec![0.0, 1.0, 0.0]));
        assert!(row("RLHF, KL penalty 0.1").mixture.as_ref().unwrap()[1] > 0.9);
        for method in ["RLHF, best response", "RLHF, KL penalty 0.1"] {
            assert!(row(method).minimax_distance > Some(0.7) && row(method).exploitability > Some(0.15));
        }
        for method in ["Hedge, average", "SPPO, average", "REBEL, average"] {
            // √(2 ln 3 / T) from a uniform start; this one costs log(6) for log(3).
            assert!(
                row(method).exploitability < Some(1.3 * hedge_step(3, table.iterations)),
                "{name} {method}"
            );
        }
        let near = |m: &str| row(m).mixture.clone().unwrap();
        for (hedge, rebel) in near("Hedge, last").iter().zip(near("REBEL, last")) {
            assert!((hedge - rebel).abs() < 1e-9, "with an exact fit, REBEL is Hedge");
        }
    }
}

#[test]
fn last_iterates_converge_with_optimism_extragradient_or_an_anchor_and_not_without() {
    for name in BUILTIN {
        let table = builtin(name).unwrap().methods().unwrap();
        let row = |method: &str| table.methods.iter().find(|m| m.name.starts_with(method)).unwrap();
        for method in ["optimistic, last", "extragradient, last"] {
            assert!(row(method).exploitability < Some(1e-9), "{name}: {method}");
            assert!(row(method).minimax_distance < Some(1e-9), "{name}: {method}");
        }
        assert!(row("Nash-MD").exploitability < Some(0.01), "{name}: {:?}", row("Nash-MD"));
        // They circle where there is a cycle.
        for method in ["Hedge, last", "SPPO, last", "REBEL, last"] {
            let away = row(method).exploitability > Some(0.02);
            assert_eq!(away, name != "condorcet_is_not_borda", "{name}: {:?}", row(method));
        }
    }
}

#[test]
fn the_published_tables_are_what_the_command_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/results/games/README.md");
    let published = std::fs::read_to_string(path).unwrap();
    for name in ["cycle", "condorcet_is_not_borda"] {
        let table = builtin(name).unwrap().methods().unwrap().to_string();
        assert!(
            published.contains(&table),
            "results/games/README.md has another table for {name} than\n{table}"
        );
    }
}

#[test]
fn infinite_bradley_terry_scores_are_a_row_without_a_mixture() {
    let order = PreferenceMatrix::from_csv("a,b\n0.5,1\n0,0.5\n".as_bytes(), "order").unwrap();
    let table = order.methods().unwrap();
    assert_eq!(table.methods[0].mixture, Some(vec![1.0, 0.0]));
    assert_eq!(table.methods[1].mixture, None);
    assert!(table.to_string().contains("infinite scores"));
}
