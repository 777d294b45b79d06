//! `spo audit` of whole runs: a hackable oracle, a clean one, and what is left of half a run.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::common::{fails, ok};
use serde_json::Value;
use spo::oracle::human::store::{About, Store};
use spo::prelude::*;
use spo_cli::evaluate::audit::flags::Verdict;
use spo_cli::evaluate::audit::{self, Audit, Options, OracleFactory};

const QUICK: [&str; 10] = [
    "--set",
    "total_steps=20000",
    "--set",
    "eval_episodes=40",
    "--set",
    "ppo.hidden_sizes=[16]",
    "--set",
    "window=0",
    "--set",
    "ppo.learning_rate=0.003",
];

fn train(dir: &Path, args: &[&str]) {
    ok(dir, &[&["train", "lqr"], &QUICK[..], args].concat());
}

fn json(dir: &Path, page: &str) -> Value {
    serde_json::from_slice(&fs::read(dir.join(page)).unwrap()).unwrap()
}

/// The verdict of the rule `id` for run `at` of a page.
fn verdict(page: &Value, at: usize, id: &str) -> (String, String) {
    let flags = page["runs"][at]["flags"].as_array().unwrap();
    let flag = flags.iter().find(|flag| flag["id"] == id).unwrap();
    let word = |key: &str| flag[key].as_str().unwrap().to_string();
    (word("verdict"), word("figures"))
}

/// Prefers what costs return: large actions.
fn waste(a: Trajectory<'_>, b: Trajectory<'_>) -> f32 {
    let effort = |t: Trajectory<'_>| t.actions.iter().map(|u| u * u).sum::<f32>();
    0.5 + 0.5 * (f32::from(u8::from(effort(a) > effort(b))) - f32::from(u8::from(effort(a) < effort(b))))
}

#[test]
fn a_hackable_oracle_is_suspected_and_a_clean_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    let keys = QUICK.iter().filter(|key| key.contains('='));
    let of = |name: &str| {
        let spo = Spo::on("lqr").out(home.path().join(name));
        keys.clone().fold(spo, |spo, key| spo.config(key).unwrap())
    };
    of("clean").train().unwrap();
    of("hacked").oracle(waste).train().unwrap();
    let options = Options { episodes: 40, ..Options::default() };
    let make: OracleFactory = Arc::new(|| Ok(Box::new(waste) as Box<dyn Oracle>));
    let hackable = Options { oracle: Some(make), ..options.clone() };
    let mut heard = Vec::new();
    let mut progress = |done, of| heard.push((done, of));
    let clean = Audit::run(&home.path().join("clean"), &options, &mut progress).unwrap();
    let hacked = Audit::run(&home.path().join("hacked"), &hackable, &mut |_, _| ()).unwrap();
    let last = heard.last().unwrap();
    assert!(last.0 == last.1 && heard.is_sorted(), "{heard:?}");

    let says = |audit: &Audit, id: &str| {
        let flag = audit.flags.iter().find(|flag| flag.id == id).unwrap();
        (flag.verdict, flag.figures.clone())
    };
    assert_eq!(says(&clean, "reward_hacking").0, Verdict::NotRaised, "{:?}", says(&clean, "reward_hacking"));
    assert_eq!(says(&hacked, "reward_hacking").0, Verdict::Raised, "{:?}", says(&hacked, "reward_hacking"));
    for audit in [&clean, &hacked] {
        assert_eq!(audit.unread, [""; 0]);
        assert_eq!(says(audit, "oracle_inconsistent").0, Verdict::NotRaised);
        assert_eq!(says(audit, "intransitive_last").0, Verdict::NotRaised);
        assert_eq!(says(audit, "too_few_seeds").0, Verdict::Raised);
    }
    // In one run signal and return agree; in the other the signal costs return.
    let course = |audit: &Audit| audit.signal.course.clone().unwrap();
    assert!(course(&clean).over_policies.unwrap() > 0.5, "{:?}", course(&clean));
    assert!(course(&hacked).over_policies.unwrap() < -0.5, "{:?}", course(&hacked));

    // Side by side.
    let written = audit::write(&[clean, hacked], &home.path().join("both")).unwrap();
    let page = |name: &str| fs::read_to_string(written.iter().find(|p| p.ends_with(name)).unwrap()).unwrap();
    let (markdown, html) = (page("audit.md"), page("audit.html"));
    let row = markdown.lines().find(|line| line.starts_with("| reward hacking suspected")).unwrap();
    assert!(row.contains("| not raised: ") && row.contains("| **RAISED**: "), "{row}");
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(&html, options).unwrap();
    assert!(!html.contains("http"), "no address at all");
    assert_eq!(html.matches("<polyline").count(), 2 + 4, "two curves in one chart, and two charts a run");
}

#[test]
fn what_noise_hides_is_seen_in_the_likeliest_actions() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    train(dir, &["--out", "clean"]);
    // The second run only learns small actions. It loses what the first one learned, and also its noise, so sampled returns
    // are not worse.
    train(dir, &["--init", "clean", "--oracle", "effort", "--out", "gentle", "--set", "total_steps=40000"]);
    ok(dir, &["audit", "clean", "gentle", "--out", "both"]);
    let page = json(dir, "both/audit.json");
    assert_eq!(verdict(&page, 0, "reward_hacking").0, "not_raised");
    let (raised, figures) = verdict(&page, 1, "reward_hacking");
    assert!(raised == "raised" && figures.contains("most likely actions"), "{figures}");
}

#[test]
fn a_page_from_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    train(dir, &["--oracle", "return | mistake=0.3", "--set", "log_comparisons=true"]);
    train(dir, &["--oracle", "return | mistake=0.3", "--set", "log_comparisons=true", "--seed", "1"]);
    let args = ["audit", "runs/lqr-s0", "--against", "runs/lqr-s1", "--episodes", "20"];
    let printed = ok(dir, &args);
    for file in ["audit.md", "audit.html", "audit.json", "audit-about.toml"] {
        assert!(printed.contains(&format!("runs/lqr-s0/{file}")), "{printed}");
    }
    let page = json(dir, "runs/lqr-s0/audit.json");
    // 0.49 + 0.09 = 0.58 of the pairs get the same winner twice.
    let (raised, figures) = verdict(&page, 0, "oracle_inconsistent");
    assert!(
        raised == "raised" && printed.contains("RAISED       runs/lqr-s0: oracle inconsistent"),
        "{figures}"
    );
    let run = &page["runs"][0];
    let flips = run["feedback"]["again"]["flip_rate"].as_f64().unwrap();
    assert!((0.2..=0.4).contains(&flips), "{flips}");
    let log = &run["feedback"]["logged"];
    let share = log["with_return"].as_f64().unwrap() / log["decided"].as_f64().unwrap();
    assert!((0.65..0.75).contains(&share), "{share}: three in ten are mistaken");
    assert_eq!(log["rows"], run["feedback"]["counts"]["asked"]);
    let names: Vec<&str> = (run["signal"]["met"]["standings"].as_array().unwrap().iter())
        .map(|stood| stood["name"].as_str().unwrap())
        .collect();
    assert!(names[0] == "initial" && names.ends_with(&["result", "runs/lqr-s1"]), "{names:?}");
    assert_eq!(verdict(&page, 0, "too_few_seeds").1, "2 finished: seeds 0, 1");
    // The command on the page draws the worst episode.
    let worst = &run["policy"]["nominal"]["worst"][0];
    let (seed, episode) = (worst["seed"].to_string(), worst["episode"].to_string());
    let seen =
        ok(dir, &["play", "runs/lqr-s0", "--seed", &seed, "--episode", &episode, "--out", "worst.svg"]);
    let shown = format!("return {:.1}", worst["task_return"].as_f64().unwrap());
    assert!(seen.contains(&shown), "{seen} {shown}");

    // A person's facts are read from their file and never overwritten; the figures stay the same.
    let about = dir.join("runs/lqr-s0/audit-about.toml");
    fs::write(&about, "[system]\nknown_failure_modes = [\"drifts <b>off</b>\"]\n").unwrap();
    ok(dir, &args);
    assert!(fs::read_to_string(&about).unwrap().contains("drifts"));
    let again = json(dir, "runs/lqr-s0/audit.json");
    assert_eq!(again["runs"][0]["policy"], page["runs"][0]["policy"]);
    assert_eq!(again["runs"][0]["signal"], page["runs"][0]["signal"]);
    let html = fs::read_to_string(dir.join("runs/lqr-s0/audit.html")).unwrap();
    assert!(html.contains("drifts &lt;b&gt;off&lt;/b&gt;"));

    // Two runs on one page in a separate folder.
    ok(dir, &["audit", "runs/lqr-s0", "runs/lqr-s1", "--out", "both", "--episodes", "10"]);
    assert_eq!(json(dir, "both/audit.json")["runs"].as_array().unwrap().len(), 2);
    assert!(!dir.join("runs/lqr-s1/audit.md").exists());
}

#[test]
fn intransitive_answers_with_a_last_policy() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let game = ["--oracle", "game:rock_paper_scissors", "--set", "total_steps=4000"];
    let few = ["--set", "eval_episodes=20", "--set", "ppo.hidden_sizes=[8]", "--set", "window=0"];
    for result in ["last", "average"] {
        let result = format!("result={result}");
        ok(dir, &[&["train", "options-3"], &game[..], &few, &["--set", &result, "--out", &result]].concat());
        ok(dir, &["audit", &result, "--episodes", "10"]);
    }
    let said = |run: &str| verdict(&json(dir, &format!("{run}/audit.json")), 0, "intransitive_last");
    let (raised, figures) = said("result=last");
    assert!(raised == "raised" && figures.contains("the game itself: "), "{figures}");
    assert_eq!(said("result=average").0, "not_raised", "{:?}", said("result=average"));
    assert!(json(dir, "result=last/audit.json")["runs"][0]["signal"]["minimax_distance"].is_number());
}

#[test]
fn what_is_left_of_half_a_run_is_said_and_the_rest_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    train(dir, &["--set", "budget=2000"]);
    let run = dir.join("runs/lqr-s0");
    let whole = |name: &str| run.join(name);
    let unread = |page: &str| json(dir, page)["runs"][0]["unread"].to_string();

    // Not finished: no summary and no policy, but a checkpoint.
    fs::remove_file(whole("summary.json")).unwrap();
    fs::remove_file(whole("policy.safetensors")).unwrap();
    ok(dir, &["audit", "runs/lqr-s0", "--episodes", "10"]);
    let page = json(dir, "runs/lqr-s0/audit.json");
    assert_eq!(unread("runs/lqr-s0/audit.json"), "[]");
    assert!(page["runs"][0]["policy"]["kind"].as_str().unwrap().contains("not finished"));
    assert!(page["runs"][0]["policy"]["nominal"]["mean_return"]["mean"].is_number());
    assert_eq!(verdict(&page, 0, "budget_spent_early").0, "not_checked");

    // A damaged checkpoint and a damaged row are named, and the first policy is still known.
    fs::write(whole("checkpoint.safetensors"), b"nonsense").unwrap();
    let metrics = fs::read_to_string(whole("metrics.csv")).unwrap();
    let half: Vec<&str> = metrics.lines().take(3).collect();
    fs::write(whole("metrics.csv"), half.join("\n") + "\nx,y\n").unwrap();
    fs::write(whole("summary.json"), "{").unwrap();
    let output = crate::common::spo(dir, &["audit", "runs/lqr-s0", "--episodes", "10"]).output().unwrap();
    assert!(output.status.success(), "{}", crate::common::stderr(&output));
    let said = crate::common::stderr(&output);
    for word in
        ["checkpoint.safetensors", "metrics.csv cannot be read from row 3 on", "summary.json is damaged"]
    {
        assert!(said.contains(word), "{word}: {said}");
        assert!(fs::read_to_string(whole("audit.md")).unwrap().contains(&word.replace('_', "\\_")), "{word}");
    }
    let page = json(dir, "runs/lqr-s0/audit.json");
    assert!(page["runs"][0]["policy"]["nominal"]["unknown"].is_string());
    assert_eq!(page["runs"][0]["system"]["iterations"], 2);
    for id in ["reward_hacking", "wide_interval", "fragile"] {
        assert_eq!(verdict(&page, 0, id).0, "not_checked", "{id}");
    }

    // Only a configuration.
    for name in ["metrics.csv", "timings.csv", "checkpoint.safetensors", "summary.json"] {
        fs::remove_file(whole(name)).unwrap();
    }
    ok(dir, &["audit", "runs/lqr-s0", "--episodes", "10"]);
    assert!(unread("runs/lqr-s0/audit.json").contains("metrics.csv"));
}

#[test]
fn an_oracle_that_costs_is_asked_as_often_as_it_may_be() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/judges/effort.sh");
    let oracle = format!("exec:sh {judge}");
    train(dir, &["--oracle", &oracle, "--set", "total_steps=2000"]);
    let again = |args: &[&str]| {
        ok(dir, &[&["audit", "runs/lqr-s0", "--episodes", "10"], args].concat());
        json(dir, "runs/lqr-s0/audit.json")
    };
    let page = again(&[]);
    assert!(verdict(&page, 0, "oracle_inconsistent").1.contains("--ask N"));
    // A hundred for each question: 7 trajectories take 91 comparisons.
    let page = again(&["--ask", "400"]);
    assert_eq!(page["runs"][0]["feedback"]["again"]["check"]["trajectories"], 7);
    assert!(page["runs"][0]["signal"]["met"]["queries"]["asked"].as_u64().unwrap() <= 100);
    assert!(page["runs"][0]["signal"]["course"]["asked"].as_u64().is_none_or(|asked| asked <= 100));
    let page = again(&["--ask", "9"]);
    assert!(page["runs"][0]["feedback"]["again"]["unknown"].as_str().unwrap().contains("increase --ask"));
    let page = again(&["--oracle", "effort"]);
    assert_eq!(verdict(&page, 0, "oracle_inconsistent").0, "not_raised");
}

#[test]
fn a_reward_model_and_a_skyline_have_pages_too() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let quick = ["total_steps=3000", "eval_episodes=10", "ppo.hidden_sizes=[8]"];
    let keys: Vec<&str> = quick.iter().flat_map(|key| ["--set", key]).collect();
    let model = ["train", "lqr", "--scorer", "reward_model", "--set", "budget=200", "--set", "window=5"];
    ok(dir, &[&model, &keys[..], &["--out", "model"]].concat());
    ok(dir, &[&["train", "lqr", "--scorer", "task_reward"], &keys[..], &["--out", "skyline"]].concat());
    ok(dir, &["audit", "model", "skyline", "--out", "both", "--episodes", "10"]);
    let page = json(dir, "both/audit.json");
    let [model, skyline] = [&page["runs"][0]["signal"], &page["runs"][1]["signal"]];
    assert!(model["model"]["fits"].as_u64().unwrap() > 1 && model["model"]["loss"].is_number());
    assert_eq!(model["course"]["asked"], 0, "it scores without asking");
    assert_ne!(verdict(&page, 0, "reward_model_chance").0, "not_checked");
    // The skyline's score is the return.
    for moment in skyline["course"]["moments"].as_array().unwrap() {
        let (score, task) =
            (moment["score"]["mean"].as_f64().unwrap(), moment["task_return"]["mean"].as_f64().unwrap());
        assert!((score - task).abs() < 1e-3, "{moment}");
    }
    assert!(skyline["met"]["unknown"].as_str().unwrap().contains("there is no oracle"));
}

#[test]
fn what_is_wrong_gets_the_mend() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    assert!(fails(dir, &["audit", "nothing"]).contains("nothing is not a run"));
    train(dir, &["--set", "total_steps=1000"]);
    fs::write(dir.join("mine.toml"), "[feedback]\nevaluator = \"x\"\n").unwrap();
    let error = fails(dir, &["audit", "runs/lqr-s0", "--about", "mine.toml"]);
    assert!(error.contains("mine.toml") && error.contains("did you mean `evaluators`"), "{error}");
    let error = fails(dir, &["audit", "runs/lqr-s0", "--about", "a.toml", "--about", "b.toml"]);
    assert!(error.contains("one file per run"), "{error}");
    assert!(fails(dir, &["audit", "runs/lqr-s0", "--oracle", "retrun"]).contains("did you mean `return`"));
    fs::write(dir.join("file"), "").unwrap();
    assert!(fails(dir, &["audit", "runs/lqr-s0", "--out", "file", "--episodes", "5"]).contains("--out"));
    // An unusable opponent is named, and everything else works.
    ok(dir, &["audit", "runs/lqr-s0", "--against", "elsewhere", "--episodes", "5"]);
    assert!(
        json(dir, "runs/lqr-s0/audit.json")["runs"][0]["unread"].to_string().contains("--against elsewhere")
    );
}

#[test]
fn people_are_not_asked_again_and_their_labels_are_read() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("labelled");
    train(home.path(), &["--out", "labelled"]);
    // The same run with people's labels: ann and bob saw the same 40 pairs, and bob disagreed on 12 of them.
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("oracle = \"return\"", "oracle = \"human\"")).unwrap();
    let about =
        About { run: "labelled".into(), env: "lqr".into(), question: "Which?".into(), votes: 2, budget: 300 };
    let mut table = String::from(
        "run,trajectory_a,trajectory_b,annotator,left,answer,prefers,shown_at,answered_at,used\n",
    );
    for pair in 0..40 {
        for (who, answer) in [("ann", "left"), ("bob", if pair < 12 { "right" } else { "left" })] {
            let prefers = if answer == "left" { "a" } else { "b" };
            let at = "2026-01-31T12:00:00.000Z";
            table +=
                &format!("labelled,{pair:016x},{:016x},{who},a,{answer},{prefers},{at},{at},1\n", pair + 100);
        }
    }
    fs::write(home.path().join("labels.csv"), table).unwrap();
    let labels = spo::oracle::human::table::read(&home.path().join("labels.csv")).unwrap();
    Store::create(&run, &about).unwrap().import(&labels).unwrap();

    let audit = Audit::run(&run, &Options { episodes: 10, ..Options::default() }, &mut |_, _| ()).unwrap();
    let people = audit.feedback.people.clone().unwrap();
    assert_eq!(people.agreement.map(|a| (a.compared, a.same)), Some((40, 28)));
    assert_eq!(people.sides, (68, 12));
    assert_eq!(audit.feedback.again, Err("people are not asked again".into()));
    let flag = |id: &str| audit.flags.iter().find(|flag| flag.id == id).unwrap().clone();
    // 28 of 40 is compatible with 0.82, but 68 of 80 labels prefer the left.
    let inconsistent = flag("oracle_inconsistent");
    assert_eq!(inconsistent.verdict, Verdict::Raised, "{}", inconsistent.figures);
    assert!(inconsistent.figures.contains("people prefer the left in 85.0 %"), "{}", inconsistent.figures);
    assert_eq!(flag("reward_hacking").verdict, Verdict::NotChecked);
    assert!(flag("reward_hacking").figures.contains("people"));
}
