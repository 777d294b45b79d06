//! Policies that learn from a model: by its ratings, by a reward model, by comparisons.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{fails, spo, stderr};
use crate::llm::model::{Asked, Model, Reply};
use crate::llm::{train, trained};

#[test]
fn ratings_are_scores_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let rated = |asked: &Asked| {
        assert!(asked.prompt().ends_with("Score="), "{}", asked.prompt());
        let [distance] = asked.distances()[..] else { panic!("one trajectory") };
        // 0 m is a 2, 1 m a 3, …
        let score = (2.0 + distance).clamp(1.0, 9.0);
        let (low, share) = (score.floor(), score.fract());
        let (lower, upper) = (low.to_string(), (low + 1.0).to_string());
        let said = if share > 0.5 { &upper } else { &lower };
        Reply::chat(said, &[(&lower, 1.0 - share), (&upper, share.max(1e-9))])
    };
    let model = Model::start(rated);
    let told = trained(train(dir, &model, "run", &["--scorer", "llm_direct", "--set", "num_states=3"]));
    assert!(told["stderr"].as_str().unwrap().contains("from ratings by `llm("), "{told}");
    // 12 trajectories an iteration of 50 steps each: 6 iterations in 4,000 steps, a query a trajectory.
    let mut table = csv::Reader::from_path(dir.join("run/metrics.csv")).unwrap();
    let rows: Vec<BTreeMap<String, f64>> = table
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.unwrap().into_iter().map(|(k, v)| (k, v.parse().unwrap_or(f64::NAN))).collect())
        .collect();
    let last = rows.last().unwrap();
    assert_eq!((rows.len(), last["queries"], last["answered"], last["abstained"]), (6, 72.0, 72.0, 0.0));
    for row in &rows {
        // The return is the distance gained, to three digits what the model reads: (2 + d − 5.5) / 4.5.
        let expected = (row["return_mean"] - 3.5) / 4.5;
        assert!((row["score_mean"] - expected).abs() < 0.05, "{} {expected}", row["score_mean"]);
    }

    for (args, expected) in [
        (&["--oracle", "return"][..], "`oracle` is return; expected a language model alone"),
        (&["--oracle", "llm(base_url=http://h/v1,model=m) | labels"], "expected a language model alone"),
        (&["--oracle", "llm"], "`base_url` is missing"),
        (&["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "window=5"], "rates whole trajectories"),
        (
            &["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "log_comparisons=true"],
            "compares nothing",
        ),
        (&["--oracle", "llm(base_url=http://h/v1,model=m)", "--set", "result=best"], "last or average"),
    ] {
        let message =
            fails(dir, &[&["train", "point", "--out", "no", "--scorer", "llm_direct"], args].concat());
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(!dir.join("no").exists(), "{args:?}: a refused run makes no directory");
    }
}

#[test]
fn a_reward_model_is_fitted_to_the_soft_labels() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // Always ¾ for the farther: no fit can be surer, and its loss has the entropy of ¾ as its floor.
    let model = Model::start(|asked| {
        let [first, second] = asked.distances()[..] else { panic!("{}", asked.prompt()) };
        Reply::first(if first > second { 0.75 } else { 0.25 })
    });
    let keys = [
        "log_comparisons=true",
        "total_steps=20000",
        "queries_per_round=20",
        "reward_model.learning_rate=0.003",
    ];
    let mut more = vec!["--scorer", "reward_model"];
    keys.iter().for_each(|key| more.extend(["--set", *key]));
    trained(train(dir, &model, "run", &more));
    let mut asked = 0;
    for row in csv::Reader::from_path(dir.join("run/comparisons.csv")).unwrap().deserialize() {
        let row: BTreeMap<String, f64> = row.unwrap();
        assert!([0.25, 0.5, 0.75].contains(&row["p_a_wins"]), "{row:?}");
        asked += 1;
    }
    assert!(asked >= 500, "{asked}");
    let losses: Vec<f64> = csv::Reader::from_path(dir.join("run/metrics.csv"))
        .unwrap()
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.unwrap()["reward_loss"].parse().unwrap())
        .collect();
    let entropy = -(0.75_f64 * 0.75_f64.ln() + 0.25 * 0.25_f64.ln());
    let last = losses.last().unwrap();
    assert!(*last > entropy - 0.01 && *last < 2.0_f64.ln() - 0.03, "{last} against {entropy}");
}

/// `examples/llm_server.py`, which ends with the test.
struct Simulated(std::process::Child, String);

impl Simulated {
    fn start() -> Option<Self> {
        use std::io::{BufRead, BufReader};
        let server = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("examples/llm_server.py");
        let child = Command::new("python3").arg(server).args(["--port", "0"]).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            println!("SKIPPED: python3 is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening at ").unwrap().to_string();
        Some(Self(child, url))
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_simulated_model_teaches_the_point_robot() {
    let Some(server) = Simulated::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let run = |name: &str, oracle: &str, more: &[&str]| -> f64 {
        let flags = ["train", "point", "--oracle", oracle, "--base-url", &server.1, "--model", "simulated"];
        let all = [&flags[..], &["--out", name, "--set", "eval_episodes=10"], more].concat();
        let mut command = spo(dir, &all);
        let output = command.env_remove("OPENAI_API_KEY").output().unwrap();
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let summary = fs::read(dir.join(name).join("summary.json")).unwrap();
        serde_json::from_slice::<Value>(&summary).unwrap()["eval_return_mean"].as_f64().unwrap()
    };
    // 11.6 m is the farthest there is, 1.0 m what an untrained policy comes to.
    let learned = run("compared", "llm(cache=replies.sqlite)", &["--set", "budget=300"]);
    assert!(learned > 6.0, "{learned}");
    let learned =
        run("rated", "llm(cache=replies.sqlite)", &["--scorer", "llm_direct", "--set", "budget=300"]);
    assert!(learned > 6.0, "{learned}");
    // The other interface, and a chain of thought, for a few iterations.
    let both = "llm(cache=none,api=completions,cot=true)";
    assert!(run("completed", both, &["--set", "budget=20"]).is_finite());
}
