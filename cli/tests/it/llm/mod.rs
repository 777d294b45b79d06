//! A language model as oracle, against a server on loopback that behaves like the public ones.
//!
//! - `answers`: what is asked of a model and made of its words; `failures`: where it gives none.
//! - `cache`: replies that are kept; `key`: what must never be.
//! - `training`: policies that learn from a model; `command`: how one is named.

mod answers;
mod cache;
mod command;
mod failures;
mod key;
mod model;
mod training;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::common::{spo, stderr, stdout};
use model::{Asked, Model, Reply};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use spo::oracle::{OracleEvents, parse};
use spo::prelude::*;
use spo::rollout::Episode;

/// A step of the point robot that ends so far out.
fn episode(distance: f32) -> Episode {
    Episode {
        obs: vec![0.0; 4],
        final_obs: vec![distance, 0.0, 0.0, 0.0],
        actions: vec![0.5, 0.0],
        rewards: vec![-distance],
        costs: vec![0.0],
        ..Episode::default()
    }
}

fn point() -> Spec {
    spo_envs::make("point").unwrap().spec().clone()
}

/// The oracle's text, with further options.
fn text(model: &Model, more: &str) -> String {
    format!("llm(base_url={},model=m,key_env=none,cache=none{more})", model.url())
}

/// Answers to these pairs of final distances, and what happened on the way.
fn asked(text: &str, pairs: &[(f32, f32)]) -> (Result<Vec<Answer>, OracleError>, BTreeMap<String, u64>) {
    let episodes: Vec<[Episode; 2]> = pairs.iter().map(|&(a, b)| [episode(a), episode(b)]).collect();
    let pairs: Vec<Pair<'_>> =
        episodes.iter().map(|[a, b]| Pair { a: a.trajectory(), b: b.trajectory() }).collect();
    let (mut oracle, notes) = (parse(text).unwrap(), OracleEvents::default());
    let answers = oracle
        .prepare(&point(), &notes)
        .and_then(|()| oracle.compare(&pairs, &mut ChaCha8Rng::seed_from_u64(0)));
    (answers, notes.counts())
}

#[track_caller]
fn prefers(answer: Answer, expected: f64) {
    let Answer::Prefer(p) = answer else { panic!("an abstention") };
    assert!((f64::from(p) - expected).abs() < 1e-6, "{p} is not {expected}");
}

/// A judge by final distances, that makes the first place so many nats likelier.
fn by_distance(bias: f64) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let [first, second] = asked.distances()[..] else { panic!("{}", asked.prompt()) };
        Reply::first(1.0 / (1.0 + (second - first - bias).exp()))
    }
}

/// A short training by a model, told by flags.
fn train(dir: &Path, model: &Model, out: &str, more: &[&str]) -> Command {
    let url = model.url();
    let flags = ["train", "point", "--base-url", &url, "--model", "m", "--out", out];
    let mut args: Vec<&str> = flags.to_vec();
    for key in ["budget=0", "total_steps=4000", "ppo.hidden_sizes=[8]", "eval_episodes=2"] {
        args.extend(["--set", key]);
    }
    if !more.contains(&"--oracle") {
        args.extend(["--oracle", "llm(cache=replies.sqlite,price_in=1)"]);
    }
    args.extend(more);
    let mut command = spo(dir, &args);
    command.env_remove("OPENAI_API_KEY");
    command
}

#[track_caller]
fn trained(mut command: Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    json!({ "stdout": stdout(&output), "stderr": stderr(&output) })
}
