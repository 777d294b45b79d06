//! The command as a user types it, right and wrong.

use std::fs;

use crate::common::{fails, ok};
use serde_json::Value;

const QUICK: [&str; 8] = [
    "--set",
    "total_steps=2000",
    "--set",
    "eval_episodes=5",
    "--set",
    // An old name: the hidden layers of the learner, whichever it is.
    "hidden=[8]",
    "--set",
    "window=0",
];

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &QUICK].concat()
}

fn with_model<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let set = keys.iter().flat_map(|key| ["--set", key]);
    ["train", "--scorer", "reward_model"].into_iter().chain(set).collect()
}

fn regressing<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let own = ["policy_loss=sppo", "baseline=group", "window=0", "normalize_advantage=false"];
    ["train"].into_iter().chain(own.iter().chain(keys).flat_map(|key| ["--set", key])).collect()
}

#[test]
fn a_run_from_training_to_export() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for seed in ["0", "1"] {
        let printed = ok(dir, &with(&["train", "lqr", "--seed", seed]));
        for figure in ["return ", "queries ", "steps/s", "runs/lqr-s", "curves.svg"] {
            assert!(printed.contains(figure), "{printed}");
        }
    }
    let run = dir.join("runs/lqr-s0");
    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    for key in [
        "eval_return_mean",
        "eval_return_ci95",
        "eval_episodes",
        "env_steps",
        "queries",
        "seconds",
        "steps_per_second",
        "seed",
    ] {
        assert!(summary[key].is_number(), "{key}: {summary}");
    }
    assert_eq!((&summary["device"], &summary["env_steps"]), (&"cpu".into(), &1920.into()));
    // 6 iterations × 8 states × 4 · 3 / 2 comparisons
    assert_eq!(summary["queries"], 6 * 8 * 6);
    assert_eq!(fs::read_to_string(run.join("metrics.csv")).unwrap().lines().count(), 1 + 6);

    // The same seed again, in a directory of its own: the same bytes.
    ok(dir, &with(&["train", "lqr"]));
    let metrics = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("runs/lqr-s0"), metrics("runs/lqr-s0-2"));
    assert_ne!(metrics("runs/lqr-s0"), metrics("runs/lqr-s1"));

    let eval: Value =
        serde_json::from_str(&ok(dir, &["eval", "runs/lqr-s0", "--episodes", "5", "--json"])).unwrap();
    assert_eq!(eval["eval_return_mean"], summary["eval_return_mean"], "the same policy, states and seed");
    assert!(ok(dir, &["eval", "runs/lqr-s0", "--sample"]).starts_with("lqr: return -"));

    ok(dir, &["plot", "runs/lqr-s0", "runs/lqr-s1", "--out", "both.svg"]);
    ok(dir, &["plot", "runs/lqr-s0", "--out", "one.png"]);
    let svg = fs::read_to_string(dir.join("both.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("2 seeds") && svg.contains("<polygon"));
    assert!(fs::read(dir.join("one.png")).unwrap().starts_with(b"\x89PNG"));

    let printed = ok(dir, &["export", "runs/lqr-s0", "--out", "policy.safetensors"]);
    assert!(printed.contains("actor.0.weight [1, 2, 8]") && printed.contains("obs.std [1, 2]"), "{printed}");
    assert!(ok(dir, &["eval", "policy.safetensors"]).starts_with("lqr: return"));
}

#[test]
fn other_scorers_opponents_and_results_train_too() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for (name, args) in [
        ("skyline", &["--scorer", "task_reward"][..]),
        ("queue", &["--opponents", "queue=5"]),
        ("sampled", &["--opponents", "sampled=2", "--set", "placement=last"]),
        ("best", &["--set", "result=best", "--set", "head=tanh_gaussian"]),
        ("sac", &["--learner", "sac", "--set", "learning_starts=500", "--set", "minibatch_size=32"]),
        ("ars", &["--learner", "ars", "--set", "ars.hidden_sizes=[8]", "--set", "top_directions=2"]),
        ("searched model", &["--set", "learner=ars", "--scorer", "reward_model", "--set", "window=5"]),
        ("relabelled", &["--set", "relabel=true", "--set", "learner=sac", "--set", "minibatch_size=32"]),
        ("model", &["--scorer", "reward_model", "--set", "baseline=group", "--set", "window=5"]),
        ("explorer", &["--scorer", "reward_model", "--set", "pretrain_steps=640"]),
        ("model of a budget", &["--scorer", "reward_model", "--set", "budget=99", "--set", "learner=sac"]),
        ("sppo", &regressing(&["eta=0.5"])[1..]),
        ("rebel", &regressing(&["policy_loss=rebel", "scorer=reward_model", "kl_coef=0.01"])[1..]),
        ("optimistic", &["--set", "optimism=true", "--set", "window=5"]),
        ("extragradient", &["--set", "extragradient=true", "--oracle", "return | labels"]),
        ("anchored", &["--set", "mixture_coef=0.2", "--set", "kl_coef=0.01"]),
        ("group", &["--set", "baseline=group", "--oracle", "0.5*return + 0.5*effort | labels"]),
    ] {
        let all = [with(&["train", "lqr", "--out", name]), args.to_vec()].concat();
        let printed = ok(dir, &all);
        assert!(printed.contains("return "), "{name}: {printed}");
        assert_eq!(printed.contains("queries     0"), name == "skyline", "{printed}");
    }
    // Rejection sampling, by the model that there is or by the truth.
    for (run, by) in [("model", "reward_model"), ("skyline", "true_return"), ("group", "true_return")] {
        let eval = ["eval", run, "--best-of", "16", "--episodes", "50", "--json"];
        let all: Value = serde_json::from_str(&ok(dir, &eval)).unwrap();
        let picked = &all["rejection_sampling"];
        assert_eq!((&picked["ranked_by"], &picked["best_of"]), (&by.into(), &16.into()));
        let [best, any] =
            ["best_return_mean", "sampled_return_mean"].map(|key| picked[key].as_f64().unwrap());
        assert!(best > any, "{run}: {picked}");
    }
    assert!(
        ok(dir, &["eval", "model", "--best-of", "4"]).contains("best of 4 by the run's reward model: return")
    );
    let none = ["train", "lqr", "--out", "none", "--set", "budget=10", "--set", "total_steps=2e3"];
    assert!(fails(dir, &none).contains("so nothing was learned; increase `budget`"));
    // A budget of 8 · 6 comparisons an iteration, for three of them.
    let printed = ok(dir, &with(&["train", "lqr", "--out", "budget", "--set", "budget=150"]));
    assert!(printed.contains("training ended after 960"), "{printed}");
    assert!(printed.contains("queries     144"), "{printed}");
}

#[test]
fn games_tasks_and_oracles_are_listed_and_solved() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("votes.csv"), "count,ranking\n3,a>b>c\n2,b>c>a\n").unwrap();
    let report: Value = serde_json::from_str(&ok(dir, &["game", "votes.csv", "--json"])).unwrap();
    assert_eq!(report["minimax_winner"][0], 1.0);
    assert_eq!(
        (&report["condorcet"], &report["copeland"], &report["borda"]),
        (&"a".into(), &"a".into(), &"b".into())
    );
    assert!((report["bradley_terry"][1].as_f64().unwrap() - 0.617).abs() < 1e-3);
    assert!((report["exploitability_of_borda"].as_f64().unwrap() - 0.2).abs() < 1e-9);
    assert!(ok(dir, &["game", "votes.csv"]).contains("Condorcet winner  a"));
    let table: Value =
        serde_json::from_str(&ok(dir, &["game", "votes.csv", "--dynamics", "--json"])).unwrap();
    assert_eq!(table["methods"][0]["mixture"][1], 1.0);
    assert!(ok(dir, &["game", "cycle", "--dynamics"]).contains("optimistic, last"));

    for entry in spo_envs::registry() {
        assert!(ok(dir, &["envs"]).contains(entry.id));
    }
    let trace = r#"{"env":"Pendulum-v1","init":{"state":[1.0,0.0]},"actions":[[0.5],[-0.5]],"mark":7}"#;
    fs::write(dir.join("trace.json"), trace).unwrap();
    let ours: Value = serde_json::from_str(&ok(dir, &["envs", "trace", "trace.json"])).unwrap();
    assert_eq!((ours["obs"].as_array().unwrap().len(), &ours["mark"]), (2, &7.into()));
    for entry in spo::oracle::registry() {
        assert!(ok(dir, &["oracles"]).contains(entry.form));
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(dir, &["completions", shell]).contains("spo"));
    }
    assert!(ok(dir, &["train", "--help"]).contains("spo train --resume"));
}

#[test]
fn a_wrong_argument_gives_a_clear_error_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("bad.toml"), "seed = 1\nlearning_rat = 0.1\n").unwrap();
    fs::write(dir.join("type.toml"), "[rollout]\nnum_states = \"many\"\n").unwrap();
    fs::write(dir.join("broken.toml"), "seed = = 3\n").unwrap();
    fs::write(dir.join("bad.json"), "{\"env\": 3}").unwrap();
    fs::write(dir.join("bad.csv"), "a,b\n0.5,0.9\n0.9,0.5\n").unwrap();
    fs::write(dir.join("file"), "").unwrap();
    for (args, expected) in [
        (&["train", "pendulom"][..], "did you mean `pendulum`?"),
        (&["train", "--oracle", "retrun"], "did you mean `return`?"),
        (&["train", "--device", "gpu"], "expected one of cpu, flex, ndarray, wgpu"),
        (&["train", "--opponents", "queue=none"], "expected `group`, `sampled=4` or `queue=128`"),
        (&["train", "--scorer", "reward"], "self_play"),
        (&["train", "--config", "none.toml"], "cannot read the configuration none.toml"),
        (&["train", "--config", "bad.toml"], "did you mean `learning_rate`?"),
        (&["train", "--config", "bad.toml"], "bad.toml, line 2"),
        (&["train", "--config", "type.toml"], "type.toml, line 2: `rollout.num_states` is many"),
        (&["train", "--config", "broken.toml"], "broken.toml"),
        (&["train", "--set", "learning_rat=1"], "did you mean `learning_rate`?"),
        (&["train", "--set", "learning_rate=fast"], "learning_rate"),
        (
            &["train", "--set", "learning_rate=-1"],
            "`ppo.learning_rate` is -1; expected a finite number above 0",
        ),
        (&["train", "--set", "num_states=0"], "`rollout.num_states` is 0"),
        (&["train", "--set", "num_states=-3"], "states"),
        (&["train", "--set", "states"], "expected KEY=VALUE"),
        (&["train", "--set", "trajectories_per_state=1"], "at least 2, or a queue"),
        (&["train", "--set", "baseline=group"], "set ppo.baseline=critic"),
        (
            &["train", "--set", "num_states=1000000000000"],
            "fewer: an iteration keeps all its steps in memory",
        ),
        (&["train", "--set", "hidden_sizes=[64, 99999999]"], "whole numbers from 1 to 16384"),
        (&["train", "--set", "normalize_scores=maybe"], "expected `auto`, `true` or `false`"),
        (&["train", "--seed=-1"], "--seed"),
        (
            &["train", "--seed", "18446744073709551615"],
            "`seed` is 18446744073709551615; expected at most 2^63 - 1",
        ),
        (&["train", "--learner", "sca"], "expected one of ppo, sac, ars"),
        (&["train", "options-3", "--learner", "sac"], "SAC and ARS need continuous actions"),
        (
            &["train", "--learner", "sac", "--device", "flex"],
            "expected cpu with the learners `sac` and `ars`",
        ),
        (&["train", "--learner", "sac", "--set", "clip=0.1"], "the learner `sac` does not use `ppo.clip`"),
        (&["train", "--set", "policy_loss=sppo"], "expected group with ppo.policy_loss sppo and rebel"),
        (&["train", "--set", "policy_loss=dpo"], "policy_loss"),
        (&["train", "--set", "eta=2"], "the policy loss `ppo` does not use `ppo.eta`"),
        (&regressing(&["window=10"]), "compares whole trajectories only"),
        (&regressing(&["normalize_advantage=true"]), "which fit scores as they are"),
        (&regressing(&["scorer=task_reward"]), "self_play with ppo.policy_loss=sppo"),
        (&regressing(&["clip=0.1"]), "the policy loss `sppo` does not use `ppo.clip`"),
        (&regressing(&["eta=0"]), "`ppo.eta` is 0"),
        (&regressing(&["kl_coef=0.1"]), "0 with ppo.policy_loss=sppo"),
        (&regressing(&["trajectories_per_state=1"]), "which compare within a group"),
        (
            &["train", "--opponents", "queue=3", "--set", "optimism=true"],
            "a queue holds earlier iterations already",
        ),
        (
            &["train", "--set", "mixture_coef=0.1", "--set", "extragradient=true"],
            "without optimism or extragradient",
        ),
        (
            &["train", "--learner", "sac", "--set", "extragradient=true"],
            "false, except for self-play with ppo",
        ),
        (
            &["train", "--set", "mixture_coef=2"],
            "`self_play.mixture_coef` is 2; expected a finite number from 0 to 1",
        ),
        (
            &["train", "--opponents", "queue=3", "--set", "mixture_coef=0.1"],
            "0, except for self-play with ppo",
        ),
        (&["train", "--set", "tau=0.1"], "the learner `ppo` does not use `sac.tau`"),
        (&["train", "--learner", "sac", "--set", "tau=0"], "above 0 and at most 1"),
        (&["train", "--learner", "sac", "--set", "temperature=warm"], "expected `auto` or a number"),
        (&["train", "--learner", "sac", "--set", "temperature=-1"], "`sac.temperature` is -1"),
        (&["train", "--learner", "sac", "--set", "buffer_size=10"], "as many steps as a minibatch"),
        (&["train", "--learner", "sac", "--set", "total_steps=500"], "nothing is learned"),
        (
            &["train", "--learner", "sac", "--set", "relabel=true", "--scorer", "task_reward"],
            "against a queue",
        ),
        (&["train", "--learner", "sac", "--opponents", "group", "--set", "relabel=true"], "against a queue"),
        (
            &["train", "--learner", "ars", "--set", "trajectories_per_state=5"],
            "whose trajectories come in pairs",
        ),
        (&["train", "--learner", "ars", "--set", "noise_std=0"], "`ars.noise_std` is 0"),
        (&["train", "--learner", "ars", "--set", "top_directions=0"], "`ars.top_directions` is 0"),
        (
            &["train", "--learner", "ars", "--set", "minibatch_size=64"],
            "the learner `ars` does not use `ppo.minibatch_size`",
        ),
        (&["train", "--set", "noise_std=0.1"], "the learner `ppo` does not use `ars.noise_std`"),
        (&["train", "options-3", "--learner", "ars"], "SAC and ARS need continuous actions"),
        (&["train", "--scorer", "reward"], "reward_model"),
        (&["train", "--set", "reward_model.epoch=3"], "did you mean `reward_model.epochs`?"),
        (
            &["train", "--set", "reward_model.epochs=3"],
            "the scorer `self_play` does not use `reward_model.epochs`",
        ),
        (
            &["train", "--scorer", "task_reward", "--set", "query_sampling=entropy"],
            "the scorer `task_reward` does not use `reward_model.query_sampling`",
        ),
        (&with_model(&["query_sampling=disagreement"]), "or set reward_model.ensemble_size=3"),
        (&with_model(&["query_sampling=guess"]), "query_sampling"),
        (&with_model(&["reward_model.output=relu"]), "reward_model.output"),
        (
            &with_model(&["reward_model.ensemble_size=0"]),
            "`reward_model.ensemble_size` is 0; expected a whole number from 1 to 100",
        ),
        (&with_model(&["reward_model.hidden_sizes=[0]"]), "whole numbers from 1 to 16384"),
        (
            &with_model(&["reward_model.learning_rate=nan"]),
            "`reward_model.learning_rate` is not a finite number",
        ),
        (&with_model(&["reward_model.held_out_share=1"]), "at least 0 and below 1"),
        (&with_model(&["reward_model.fit_every=0"]), "`reward_model.fit_every` is 0"),
        (&with_model(&["queries_per_round=1000000"]), "a whole number from 0 to 100000"),
        (&with_model(&["query_first_share=1.5", "budget=10"]), "a finite number from 0 to 1"),
        (&with_model(&["query_first_share=0.5"]), "0 without a budget to spread"),
        (&with_model(&["query_schedule=hyperbolic", "budget=10", "queries_per_round=3"]), "constant without"),
        (&with_model(&["pretrain_steps=500000"]), "or nothing is ever asked"),
        (&with_model(&["relabel=true", "learner=sac"]), "are always renewed (reward_model)"),
        (&with_model(&["rlhf_rounds=3"]), "0 without a budget for the rounds to share"),
        (&with_model(&["rlhf_rounds=3", "budget=2"]), "as many rounds as the budget has comparisons"),
        (
            &with_model(&["rlhf_rounds=3", "budget=9999"]),
            "`reward_model.dataset_size` is 5000; expected at least the budget",
        ),
        (
            &with_model(&["rlhf_rounds=1", "budget=100001"]),
            "at most 100000 comparisons for each of reward_model.rlhf_rounds",
        ),
        (&with_model(&["rlhf_rounds=20", "budget=99"]), "must hold deployed_policies + 2 iterations"),
        (&with_model(&["rlhf_rounds=1", "budget=9", "learner=sac"]), "a replay buffer would outlive a round"),
        (
            &with_model(&["rlhf_rounds=1", "budget=9", "deployed_policies=0"]),
            "`reward_model.deployed_policies` is 0",
        ),
        (
            &with_model(&["rlhf_rounds=1", "budget=9", "reward_model.fit_every=2"]),
            "the schedule of reward_model.rlhf_rounds does not use `reward_model.fit_every`",
        ),
        (
            &with_model(&["deployed_policies=2"]),
            "the scorer without reward_model.rlhf_rounds does not use `reward_model.deployed_policies`",
        ),
        (
            &with_model(&["reward_model.split=true"]),
            "`reward_model.split` is true; expected false without reward_model.rlhf_rounds",
        ),
        (
            &with_model(&["log_predictions=true", "reward_model.held_out_share=0"]),
            "where no answers are held out",
        ),
        (
            &["train", "--set", "rlhf_rounds=3"],
            "the scorer `self_play` does not use `reward_model.rlhf_rounds`",
        ),
        (&["train", "--resume", "nowhere"], "nowhere/config.toml"),
        (&["train", "--out", "file/run"], "cannot write file/run"),
        (&["eval", "nowhere"], "nowhere"),
        (&["eval", "bad.csv"], "bad.csv is damaged"),
        (&["plot", "nowhere"], "nowhere/config.toml"),
        (&["game", "bad.csv"], "must add up to 1"),
        (&["game", "none.csv"], "cannot read none.csv"),
        (&["envs", "trace", "bad.json"], "bad.json"),
        (&["export", "nowhere"], "nowhere"),
        (&["fly"], "unrecognized subcommand"),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
        assert!(message.matches("os error").count() <= 1, "spo {args:?} says it twice: {message}");
    }
    assert!(!dir.join("runs").exists(), "a refused run makes no directory");

    ok(dir, &with(&["train", "lqr", "--out", "taken"]));
    let message = fails(dir, &with(&["train", "lqr", "--out", "taken"]));
    assert!(message.contains("holds a run already") && message.contains("--resume"), "{message}");
    assert!(fails(dir, &["plot", "taken", "--out", "curve.gif"]).contains(".svg or .png"));
}

#[test]
fn keys_left_out_take_the_defaults_of_the_learner_wherever_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("sac.toml"), "learner = \"sac\"\n[sac]\ntau = 0.01\n").unwrap();
    fs::write(dir.join("states.toml"), "rollout.num_states = 4\n").unwrap();
    let shown = |args: &[&str]| ok(dir, &[&["train", "--show-config"], args].concat());
    let by_file = shown(&["--config", "sac.toml", "--set", "num_states=4"]);
    for key in
        ["tau = 0.01", "num_states = 4", "minibatch_size = 256", "window = 0", "opponents = \"queue=10\""]
    {
        assert!(by_file.lines().any(|line| line.starts_with(key)), "{key}: {by_file}");
    }
    for args in [
        &["--set", "num_states=4", "--set", "learner=sac", "--set", "tau=0.01"][..],
        &["--set", "tau=0.01", "--set", "num_states=4", "--learner", "sac"],
        &["--config", "states.toml", "--set", "tau=0.01", "--set", "learner=sac"],
    ] {
        assert_eq!(shown(args), by_file, "{args:?}");
    }
    assert!(shown(&["--learner", "sac", "--set", "temperature=0.2"]).contains("temperature = \"0.2\""));
}
