//! Experiments: every cell and seed once, whatever is killed or fails in between; and what their report says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{fails, ok, spo, stderr, stdout, wait_for_file};
use spo::train::config::Config;
use spo_cli::evaluate::experiment::{Experiment, Shard, runs};
use spo_cli::evaluate::report::Report;

const TINY: &str = r#"
title = "Tiny"
question = "Does it run?"
seeds = 2
skyline = "skyline"
reference = ["group"]
[base]
env = "lqr"
total_steps = 2_000
eval_episodes = 5
ppo.hidden_sizes = [8]
self_play.window = 0
[methods.group]
[methods.skyline]
scorer = "task_reward"
[[cells]]
methods = ["group", "skyline"]
[quick]
seeds = 1
set = { total_steps = 1_000 }
"#;

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
}

#[test]
fn every_cell_runs_once_and_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    write(dir, "tiny.toml", TINY);
    let listed = ok(dir, &["experiment", "tiny.toml", "--list"]);
    assert!(listed.contains("not started  results/tiny/group-0") && listed.contains("4 runs"), "{listed}");
    assert!(!dir.join("results").exists(), "a list runs nothing");
    assert!(ok(dir, &["experiment", "tiny.toml"]).contains("4 of 4 runs done, 0 failed"));
    for run in ["group-0", "group-1", "skyline-0", "skyline-1"] {
        assert!(dir.join("results/tiny").join(run).join("summary.json").exists(), "{run}");
        assert!(!dir.join("results/tiny").join(run).join("checkpoint.safetensors").exists(), "{run}");
    }
    // The very run that `spo train` makes.
    let keys = ["total_steps=2000", "eval_episodes=5", "ppo.hidden_sizes=[8]", "window=0"];
    let set: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
    ok(dir, &[&["train", "lqr", "--seed", "1", "--out", "alone"][..], &set].concat());
    let bytes = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    assert_eq!(bytes("results/tiny/group-1"), bytes("alone"));

    // What is done is left alone, and a cell more is one run more.
    let modified = |run: &str| {
        fs::metadata(dir.join("results/tiny").join(run).join("summary.json")).unwrap().modified().unwrap()
    };
    let before = modified("group-0");
    let again =
        spo(dir, &["experiment", "tiny.toml", "--seeds", "0-2", "--cells", "group"]).output().unwrap();
    assert!(stderr(&again).contains("3 runs, 2 done before"), "{}", stderr(&again));
    assert!(stderr(&again).contains("done: group-2  (1 of 1)"), "{}", stderr(&again));
    assert_eq!(modified("group-0"), before);
    assert!(ok(dir, &["experiment", "tiny.toml", "--list"]).contains("done         results/tiny/group-0"));

    let printed = ok(dir, &["report", "results/tiny"]);
    assert!(printed.contains("results/tiny/README.md"), "{printed}");
    let text = fs::read_to_string(dir.join("results/tiny/README.md")).unwrap();
    for part in [
        "# Tiny",
        "Does it run?",
        "spo experiment tiny.toml\n",
        "5 runs ended",
        "| group | 0-2 |",
        "device `cpu`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let svg = fs::read_to_string(dir.join("results/tiny/report.svg")).unwrap();
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains("training return") && svg.contains("comparisons"));
    assert_eq!(fs::read_to_string(dir.join("results/tiny/runs.csv")).unwrap().lines().count(), 1 + 5);
    // The record is an experiment itself, and the same runs give the same report.
    ok(dir, &["experiment", "results/tiny/experiment.toml", "--out", "results/tiny"]);
    ok(dir, &["report", "results/tiny", "--out", "copy"]);
    for file in ["README.md", "report.csv", "report.svg"] {
        let read = |folder: &str| fs::read(dir.join(folder).join(file)).unwrap();
        assert_eq!(read("results/tiny"), read("copy"), "{file}");
    }

    // From the tables alone, as in a fresh clone, it is the same report; what its author wrote above it stays.
    let files = ["README.md", "report.csv", "report.svg", "runs.csv", "curves.csv", "experiment.toml"]
        .map(String::from);
    let folder = dir.join("results/tiny");
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    fs::write(folder.join("README.md"), text.replace("Does it run?", "By hand.")).unwrap();
    ok(dir, &["report", "results/tiny"]);
    let read = || files.clone().map(|file| fs::read(folder.join(file)).unwrap());
    let of_runs = read();
    for entry in fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        fs::rename(entry.path(), dir.join(entry.file_name())).unwrap();
    }
    for file in ["report.csv", "report.svg"] {
        fs::remove_file(folder.join(file)).unwrap();
    }
    ok(dir, &["report", "results/tiny"]);
    assert!(of_runs == read());
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(text.starts_with("# Tiny\n\nBy hand.\n\n<!--") && !text.contains("Does it run?"), "{text}");
    let runs = fs::read_to_string(folder.join("runs.csv")).unwrap();
    fs::write(folder.join("runs.csv"), runs.replace("skyline,1", "skylin,1")).unwrap();
    assert!(fails(dir, &["report", "results/tiny"]).contains("experiment.toml has no cell `skylin`"));
    fs::write(folder.join("runs.csv"), runs.replace("skyline,1,", "skyline,one,")).unwrap();
    assert!(fails(dir, &["report", "results/tiny"]).contains("its column `seed` has \"one\""));

    assert!(ok(dir, &["experiment", "tiny.toml", "--quick"]).contains("2 of 2 runs done"));
    let quick = Config::from_file(&dir.join("results/tiny-quick/group-0/config.toml")).unwrap();
    assert_eq!(quick.total_steps, 1_000);
    ok(dir, &["report", "results/tiny-quick"]);
    let text = fs::read_to_string(dir.join("results/tiny-quick/README.md")).unwrap();
    assert!(text.contains("spo experiment tiny.toml --quick\n"), "{text}");
}

#[test]
fn a_failed_cell_is_named_and_stops_no_other() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // No options on `lqr`: it fails in its first iteration.
    let text = TINY.replace("[methods.group]", "[methods.broken]\noracle = \"game:cycle\"\n[methods.group]");
    let text = text.replace("methods = [\"group\"", "methods = [\"broken\", \"group\"");
    write(dir, "tiny.toml", &text);
    let output = spo(dir, &["experiment", "tiny.toml", "--jobs", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("4 of 6 runs done, 2 failed, 0 to do"), "{}", stdout(&output));
    let named = "failed: broken-1: results/tiny/broken-1 has no checkpoint yet: the game has options 0 to 2";
    assert!(stderr(&output).lines().any(|line| line.starts_with(named)), "{}", stderr(&output));
    ok(dir, &["report", "results/tiny"]);
    let report = fs::read_to_string(dir.join("results/tiny/README.md")).unwrap();
    assert!(report.contains("- **Failed**: broken-0: results/tiny/broken-0 has no"), "{report}");
    assert!(ok(dir, &["experiment", "tiny.toml", "--list"]).contains("failed       results/tiny/broken-0"));

    // After the correction it runs: it has no files that could be lost.
    write(dir, "tiny.toml", &text.replace("oracle = \"game:cycle\"", "oracle = \"effort\""));
    assert!(ok(dir, &["experiment", "tiny.toml"]).contains("6 of 6 runs done, 0 failed"));
    assert!(!dir.join("results/tiny/broken-0/error.txt").exists());

    // A key changed under runs that are done.
    write(dir, "tiny.toml", &TINY.replace("hidden_sizes = [8]", "hidden_sizes = [9]"));
    let message = fails(dir, &["experiment", "tiny.toml"]);
    assert!(
        message.contains("results/tiny/group-0: its `ppo.hidden_sizes` is 8, the experiment's 9"),
        "{message}"
    );
}

/// Two runs of a second or so each.
fn slow() -> String {
    TINY.replace("2_000", "200_000").replace("seeds = 2", "seeds = 1\nname = \"slow\"")
}

fn start(dir: &Path, out: &str) -> std::process::Child {
    let mut command = spo(dir, &["experiment", "slow.toml", "--jobs", "2", "--out", out]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    for run in ["group-0", "skyline-0"] {
        wait_for_file(&mut child, &dir.join(out).join(run).join("metrics.csv"));
    }
    child
}

#[test]
fn stopped_or_killed_it_goes_on_to_the_same_bytes() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    write(dir, "slow.toml", &slow());
    ok(dir, &["experiment", "slow.toml", "--out", "whole"]);
    let same = |out: &str| {
        for run in ["group-0", "skyline-0"] {
            let bytes = |out: &str| fs::read(dir.join(out).join(run).join("metrics.csv")).unwrap();
            assert!(bytes("whole") == bytes(out), "{out}/{run} differs");
        }
    };

    let child = start(dir, "stopped");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("the same command continues the experiment"), "{}", stderr(&output));
    assert!(dir.join("stopped/group-0/checkpoint.safetensors").exists());
    let listed = ok(dir, &["experiment", "slow.toml", "--out", "stopped", "--list"]);
    assert!(listed.contains("stopped      stopped/group-0"), "{listed}");
    ok(dir, &["experiment", "slow.toml", "--out", "stopped"]);
    same("stopped");

    // Killed outright, its runs stop by themselves, and soon.
    let mut child = start(dir, "killed");
    child.kill().unwrap();
    child.wait().unwrap();
    let goes_on =
        || spo(dir, &["experiment", "slow.toml", "--out", "killed"]).output().unwrap().status.success();
    assert!((0..100).any(|_| goes_on()), "the runs of a killed experiment do not stop");
    same("killed");
}

#[test]
fn shards_partition_the_runs() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tiny.toml");
    fs::write(&path, TINY.replace("seeds = 2", "seeds = [3, 1, 4, 15, 9]")).unwrap();
    let cells = Experiment::from_file(&path, false).unwrap().cells(&path).unwrap();
    let all: Vec<String> = runs(&cells).into_iter().map(|run| run.name).collect();
    assert_eq!(all[..3], ["group-3", "skyline-3", "group-1"], "first seeds first");
    for of in [1, 2, 3, 7, 20] {
        let mut seen = BTreeSet::new();
        for index in 1..=of {
            for run in (Shard { index, of }).select(runs(&cells)) {
                assert_eq!(run.config.seed.to_string(), run.name.rsplit('-').next().unwrap());
                assert!(seen.insert(run.name.clone()), "{} is in two shards of {of}", run.name);
            }
        }
        assert_eq!(seen, all.iter().cloned().collect(), "{of} shards");
    }
}

/// A run that ended with this score, its return along the way that of `returns`.
fn fake(dir: &Path, name: &str, config: &Config, score: f64, returns: &[f64], queries: u64) {
    let run = dir.join(name);
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("config.toml"), config.to_toml()).unwrap();
    let summary = serde_json::json!({
        "eval_return_mean": score, "eval_return_ci95": 1.0, "eval_episodes": 5, "env_steps": 100 * returns.len(),
        "queries": queries, "seconds": 2.0, "steps_per_second": 1.0, "seed": config.seed, "device": "cpu",
        "env": config.env, "result": "last", "budget_spent": false, "commit": "abc1234",
    });
    fs::write(run.join("summary.json"), summary.to_string()).unwrap();
    let mut metrics = "iteration,env_steps,queries,answered,tied,abstained,return_mean,return_std,length_mean,score_mean,\
                       score_spread,entropy,approx_kl,clip_fraction,policy_loss,value_loss,grad_norm,epochs,temperature\n"
        .to_string();
    for (i, value) in returns.iter().enumerate() {
        let asked = queries * (i as u64 + 1) / returns.len() as u64;
        metrics += &format!(
            "{},{},{asked},{asked},0,0,{value},0,1,0.5,0.1,1,0.01,0,0,0,1,1,0\n",
            i + 1,
            100 * (i + 1)
        );
    }
    fs::write(run.join("metrics.csv"), metrics).unwrap();
}

#[test]
fn the_figures_of_a_report_by_hand() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let tasks = "[tasks.easy]\nenv = \"lqr\"\n[tasks.hard]\nenv = \"pendulum\"\n";
    let text =
        TINY.replace("seeds = 2", "seeds = 5").replace("[methods.group]", &format!("{tasks}[methods.group]"));
    write(
        dir,
        "experiment.toml",
        &text.replace("methods = [\"group\"", "tasks = [\"easy\", \"hard\"]\nmethods = [\"group\""),
    );
    let path = dir.join("experiment.toml");
    let cells = Experiment::from_file(&path, false).unwrap().cells(&path).unwrap();
    let group = [[2.0, 4.0, 6.0, 8.0, 100.0], [12.0; 5]];
    for cell in &cells {
        for seed in 0..5 {
            // One run is missing.
            if (cell.name.as_str(), seed) == ("hard-skyline", 4) {
                continue;
            }
            let planned = cell.at(seed);
            let own = &group[usize::from(cell.task == "hard")];
            let (score, queries) = if cell.method == "group" { (own[seed as usize], 400) } else { (10.0, 0) };
            // Untrained, each is at 0; group goes on for longer.
            let returns: &[f64] = if queries > 0 { &[0.0, 1.0, 3.0, 9.0] } else { &[0.0, 5.0] };
            fake(dir, &planned.name, &planned.config, score, returns, queries);
        }
    }
    let report = Report::read(dir, &mut |_, _| {}).unwrap();
    assert_eq!(report.missing, [("hard-skyline".to_string(), vec![4])]);
    let lines = report.lines();
    let easy = &lines[0];
    assert_eq!((easy.cell.as_str(), easy.seeds.len()), ("easy-group", 5));
    // (4 + 6 + 8) / 3, and 120 / 5.
    assert_eq!((easy.iqm.value, easy.mean), (6.0, 24.0));
    // Above 0, of the skyline's 10.
    assert!((easy.share.unwrap().value - 0.6).abs() < 1e-12);
    // The skyline made 200 steps; group's return was 1 there, and 9 at its own 400 queries, which it alone asks.
    assert_eq!((easy.at_steps.unwrap().value, easy.at_queries.unwrap().value), (1.0, 9.0));
    assert_eq!((easy.env_steps, easy.queries, easy.seconds), (400.0, 400.0, 2.0));
    let interval = easy.iqm.interval.unwrap();
    assert!(2.0 <= interval.low && interval.low < 6.0 && 6.0 < interval.high && interval.high <= 100.0);
    let skyline = &lines[1];
    assert_eq!((skyline.share, skyline.at_queries), (None, None));

    // 100 alone beats 10 on the easy task: 5 pairs of 25; on the hard one every pair; (0.2 + 1) / 2 over both.
    let improvements: Vec<_> =
        report.improvements().into_iter().map(|i| (i.over, i.task, i.probability.value)).collect();
    let over = || "skyline".to_string();
    let expected =
        [(over(), None, 0.6), (over(), Some("easy".into()), 0.2), (over(), Some("hard".into()), 1.0)];
    assert_eq!(improvements, expected);
    // Shares .2 .4 .6 .8 10 and five of 1.2; of ten, two go at each end: (.6 + .8 + 4 · 1.2) / 6.
    let overall = report.overall();
    assert_eq!((overall.len(), overall[0].tasks), (1, 2));
    assert!((overall[0].share.value - 6.2 / 6.0).abs() < 1e-12);

    let printed = stderr(&spo(dir, &["report", "."]).output().unwrap());
    assert!(printed.contains("missing: hard-skyline 4"), "{printed}");
    let text = fs::read_to_string(dir.join("README.md")).unwrap();
    for part in [
        "**Missing**, 1 of 20 runs: hard-skyline 4",
        "commit abc1234",
        "| easy-group | 0-4 | 6.00 [",
        "| group | skyline | all 2 | 0.600 [",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let table = fs::read_to_string(dir.join("report.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with("easy-group,0-4,6.0,"), "{table}");

    let mut other = cells[0].at(0).config;
    other.ppo.hidden_sizes = vec![9];
    fake(dir, "easy-group-0", &other, 1.0, &[0.0], 1);
    assert!(fails(dir, &["report", "."]).contains("its `ppo.hidden_sizes` is 9, the experiment's 8"));
    write(dir, "easy-group-0/summary.json", "{}");
    fs::write(dir.join("easy-group-0/config.toml"), cells[0].at(0).config.to_toml()).unwrap();
    assert!(fails(dir, &["report", "."]).contains("summary.json is damaged: missing field"));
}

#[test]
fn a_bad_file_is_refused_with_a_clear_error() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    write(dir, "tiny.toml", TINY);
    write(dir, "one.toml", "env = \"lqr\"\n");
    write(dir, "file", "");
    for (from, to, expected) in [
        ("question", "questoin", "unknown key `questoin`, did you mean `question`?"),
        ("seeds = 2", "seeds = \"two\"", "expected a number of seeds such as 5"),
        ("seeds = 2", "seeds = 0", "seeds: 0 seeds; expected 1 to 10000"),
        ("seeds = 2", "seeds = [1, 1]", "seeds: seed 1 is listed twice"),
        ("seeds = 2", "seeds = -1", "expected a number of seeds"),
        ("skyline = \"skyline\"", "skyline = \"skylin\"", "skyline: no `skylin`, did you mean `skyline`?"),
        (
            "hidden_sizes",
            "hiden_sizes",
            "[base] ppo.hiden_sizes: unknown key `ppo.hiden_sizes`, did you mean `ppo.hidden_sizes`?",
        ),
        ("sizes = [8]", "sizes = \"wide\"", "[base] ppo.hidden_sizes: `ppo.hidden_sizes` is wide; expected"),
        ("ppo.hidden_sizes = [8]", "seed = 3", "[base] seed: an experiment's seeds are listed under `seeds`"),
        (
            "scorer = \"task_reward\"",
            "scorer = \"reward\"",
            "[methods.skyline] scorer: `scorer` is reward; expected one of self_play",
        ),
        ("[methods.group]", "[methods.gruop]", "[[cells]] methods: no `group`, did you mean `gruop`?"),
        ("[methods.group]", "[methods.group]\n[methods.spare]", "[methods.spare]: it is in no cell"),
        ("[methods.group]", "[methods.\"a/b\"]\n[methods.group]", "a directory is named after it"),
        (
            "[methods.group]",
            "[methods.group]\nlearning_rate = -1.0",
            "cell `group`: `ppo.learning_rate` is -1",
        ),
        ("[methods.group]", "[methods.group]\nlearner = \"sac\"\nclip = 0.1", "does not use `ppo.clip`"),
        ("env = \"lqr\"", "env = \"lqt\"", "did you mean `lqr`?"),
        ("env = \"lqr\"", "oracle = \"retrun\"", "did you mean `return`?"),
        ("set = {", "sets = {", "did you mean `set`?"),
        (
            "methods = [\"group\", \"skyline\"]",
            "methods = [\"group\", \"group\", \"skyline\"]",
            "it is there twice",
        ),
        ("methods = [\"group\", \"skyline\"]", "methods = []", "name at least one method"),
        ("title = ", "title = = ", "bad.toml"),
    ] {
        let text = TINY.replace(from, to);
        assert_ne!(text, TINY, "{from}");
        write(dir, "bad.toml", &text);
        let message = fails(dir, &["experiment", "bad.toml"]);
        assert!(message.contains(expected) && message.contains("bad.toml"), "{to}: {message}");
    }
    for (args, expected) in [
        (&["experiment", "none.toml"][..], "cannot read the configuration none.toml"),
        (&["experiment", "one.toml"], "it is the configuration of one run: `spo train --config one.toml`"),
        (
            &["train", "--config", "tiny.toml"],
            "it is an experiment of several runs: `spo experiment tiny.toml`",
        ),
        (&["experiment", "tiny.toml", "--shard", "3/2"], "expected I/N such as 1/4"),
        (&["experiment", "tiny.toml", "--shard", "0/2"], "expected I/N such as 1/4"),
        (&["experiment", "tiny.toml", "--jobs", "0"], "--jobs"),
        (&["experiment", "tiny.toml", "--seeds", "4-2"], "`4-2` is not a seed or a range of seeds"),
        (&["experiment", "tiny.toml", "--seeds", "x"], "`x` is not a seed"),
        (&["experiment", "tiny.toml", "--cells", "grup"], "no such cell; expected some of group, skyline"),
        (&["experiment", "tiny.toml", "--out", "file/x"], "cannot write file/x"),
        (&["report", "."], "it is not the directory of an experiment"),
        (&["report", "nowhere"], "nowhere has no experiment.toml"),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
    }
    write(dir, "slow.toml", TINY.split("[quick]").next().unwrap());
    assert!(fails(dir, &["experiment", "slow.toml", "--quick"]).contains("has no quick form"));
    assert!(!dir.join("results").exists(), "a refused experiment makes no directory");

    fs::create_dir(dir.join("empty")).unwrap();
    write(dir, "empty/experiment.toml", TINY);
    assert!(fails(dir, &["report", "empty"]).contains("no run in empty has ended yet"));
    // Two machines, or two terminals, on one run.
    ok(dir, &["experiment", "tiny.toml", "--cells", "group", "--seeds", "0"]);
    let held = fs::OpenOptions::new().write(true).open(dir.join("results/tiny/group-0/metrics.csv")).unwrap();
    held.lock().unwrap();
    assert!(
        fails(dir, &["train", "--resume", "results/tiny/group-0"])
            .contains("another process trains this run")
    );
}

#[test]
fn every_experiment_of_the_repository_can_run() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments"));
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.extension().is_none_or(|e| e != "toml") || !text.contains("[[cells]]") {
            continue;
        }
        for quick in [false, true] {
            let experiment = Experiment::from_file(&path, quick).unwrap();
            for cell in experiment.cells(&path).unwrap() {
                // Another build has the devices that this one lacks.
                if spo::device::is_built(&cell.config.device) {
                    cell.check(&path).unwrap();
                }
            }
        }
        seen += 1;
    }
    assert!(seen > 0);
}
