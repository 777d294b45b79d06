//! Trained policies against each other: by the command, and in the report of an experiment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::{fails, ok};
use serde_json::Value;

const EXPERIMENT: &str = r#"
title = "Ring"
question = "Who is exploited?"
seeds = 2
metric = "held_out_exploitability"
also = ["win_rate", "concentration"]
reference = ["average"]
[base]
env = "point"
oracle = "ring=4"
total_steps = 6_400
rollout.num_states = 4
eval_episodes = 5
ppo.hidden_sizes = [8]
self_play.window = 0
snapshots = 4
[methods.average]
result = "average"
[methods.skyline]
scorer = "task_reward"
[[cells]]
methods = ["average", "skyline"]
"#;

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = (fs::read_dir(dir).unwrap())
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_report_measures_runs_against_each_other_as_the_command_does() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("ring.toml"), EXPERIMENT).unwrap();
    ok(dir, &["experiment", "ring.toml"]);
    let printed = ok(dir, &["report", "results/ring"]);
    let results = dir.join("results/ring");
    let expected = [
        "README.md",
        "curves.csv",
        "experiment.toml",
        "measures.svg",
        "positions.csv",
        "positions.svg",
        "report.csv",
        "report.svg",
        "runs.csv",
        "tournament.csv",
    ];
    assert_eq!(files(&results), expected);
    assert!(
        expected.iter().filter(|name| **name != "experiment.toml").all(|name| printed.contains(name)),
        "{printed}"
    );

    let picture = fs::read_to_string(results.join("measures.svg")).unwrap();
    let (_, names) = picture.split_once("average").unwrap();
    // Two methods by exploitability and other figures: one dot per method in each panel.
    let titles = ["exploitability by the other runs", "win rate against", "concentration of"];
    let panels: usize = titles.iter().map(|title| picture.matches(title).count()).sum();
    assert!(names.contains("skyline") && picture.contains("concentration of final headings"), "{picture}");
    assert_eq!(picture.matches("<circle").count(), 2 * panels);

    let names = ["average-0", "average-1", "skyline-0", "skyline-1"];
    let paths: Vec<String> = names.iter().map(|name| format!("results/ring/{name}")).collect();
    let mut args = vec!["tournament"];
    args.extend(paths.iter().map(String::as_str));
    let table = ok(dir, &[&args[..], &["--out", "game.csv"]].concat());
    assert!(table.contains("win rate") && table.contains("results/ring/average-1"), "{table}");
    // 6 pairs of runs, 16 states, 8 · 7 pairs of trajectories.
    assert!(table.contains("5376 comparisons"), "{table}");
    let json: Value = serde_json::from_str(&ok(dir, &[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["queries"]["asked"], 5376);

    // The report has the same figures as the command.
    let mut runs = csv::Reader::from_path(results.join("runs.csv")).unwrap();
    let rows: Vec<BTreeMap<String, String>> = runs.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), names.len());
    for (i, (name, row)) in names.iter().zip(&rows).enumerate() {
        let player = &json["players"][i];
        assert_eq!(format!("{}-{}", row["cell"], row["seed"]), *name);
        for measure in ["held_out_exploitability", "win_rate", "concentration"] {
            let value: f64 = row[measure].parse().unwrap();
            let key = if measure == "held_out_exploitability" { "exploitability" } else { measure };
            assert!((player[key].as_f64().unwrap() - value).abs() < 1e-9, "{name} {measure}");
        }
    }
    // Their win rates are a valid game file.
    let [game, reported] = [dir.join("game.csv"), results.join("tournament.csv")]
        .map(|path| spo::game::PreferenceMatrix::from_csv_path(&path).unwrap());
    for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
        assert_eq!(game.p(i, j), reported.p(i, j));
    }
    assert!(ok(dir, &["game", "game.csv"]).contains("results/ring/skyline-0"));
    let ends = fs::read_to_string(results.join("positions.csv")).unwrap();
    assert_eq!(ends.lines().count(), 1 + 4 * 16 * 8);

    let report = fs::read_to_string(results.join("README.md")).unwrap();
    for part in
        ["exploitability by the other runs, IQM", "win rate against the other runs, IQM", "positions.svg"]
    {
        assert!(report.contains(part), "{part}: {report}");
    }
    // Without the runs, the tables give the same report.
    let read = || expected.map(|name| fs::read(results.join(name)).unwrap());
    let of_runs = read();
    for name in names {
        fs::rename(results.join(name), dir.join(name)).unwrap();
    }
    ok(dir, &["report", "results/ring"]);
    assert!(of_runs == read());
}

#[test]
fn a_constraint_is_measured_where_the_oracle_has_one() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // A whole episode in the disc is impossible, but a part of it is not.
    for (oracle, kept) in [("time_share=0-1", 1.0), ("time_share=1-1", 0.0)] {
        let out = format!("kept-{kept}");
        let args = ["train", "point", "--oracle", oracle, "--out", &out, "--set", "total_steps=6400"];
        ok(dir, &[&args[..], &["--set", "window=0", "--set", "eval_episodes=5"]].concat());
        let summary: Value =
            serde_json::from_slice(&fs::read(dir.join(&out).join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["constraint_kept"], kept, "{oracle}");
    }
    let text = EXPERIMENT.replace("[\"win_rate\", \"concentration\"]", "[\"constraint_kept\"]");
    fs::write(dir.join("ring.toml"), text).unwrap();
    ok(dir, &["experiment", "ring.toml", "--cells", "skyline"]);
    let why = fails(dir, &["report", "results/ring"]);
    assert!(why.contains("skyline-0") && why.contains("no share that keeps the constraint"), "{why}");
}

#[test]
fn runs_that_cannot_meet_say_why() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let train = |env: &str, oracle: &str, out: &str| {
        let keys = ["total_steps=1000", "num_states=1", "eval_episodes=2", "ppo.hidden_sizes=[4]"];
        let set: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
        ok(dir, &[&["train", env, "--oracle", oracle, "--out", out][..], &set].concat());
    };
    train("lqr", "return", "a");
    train("lqr", "effort", "b");
    train("point", "return", "c");
    let fails = |args: &[&str], part: &str| {
        let why = fails(dir, &[&["tournament"], args].concat());
        assert!(why.contains(part), "{args:?}: {why}");
    };
    fails(&["a"], "2 values required");
    fails(&["a", "c"], "a was trained on `lqr`, c on `point`; a tournament needs runs of one task");
    fails(&["a", "b"], "a was trained with `return`, b with `effort`; choose one with --oracle");
    fails(&["a", "a"], "the option `a` is named twice");
    fails(&["a", "nowhere"], "nowhere");
    fails(&["a", "b/policy.safetensors"], "so it names no oracle");
    fails(&["a", "b", "--oracle", "retrun"], "return");
    fails(&["a", "b", "--oracle", "game:cycle"], "game");
    fails(&["a", "b", "--oracle", "human"], "human");
    fails(&["a", "b", "--oracle", "return", "--per-state", "1"], "2..=10000");
    fails(&["a", "b", "--oracle", "return", "--out", "no/such/folder.csv"], "no/such/folder.csv");
    // Another oracle may compare them.
    assert!(ok(dir, &["tournament", "a", "b/policy.safetensors", "--oracle", "effort"]).contains("b/policy"));
}
