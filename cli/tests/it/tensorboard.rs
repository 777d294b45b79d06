//! Event files for TensorBoard: what they say of a run, once each step, whatever happened to the run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::{kill_midway, ok, spo};
use spo::train::{Record, Summary};

const KEYS: [&str; 5] =
    ["total_steps=30000", "eval_episodes=3", "ppo.hidden_sizes=[8]", "checkpoint_every=7", "window=0"];

fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let set = KEYS.iter().flat_map(|key| ["--set", key]);
    [&["train", "lqr", "--out", out], &set.collect::<Vec<_>>()[..], more].concat()
}

/// Fields of a protobuf message: their number, and a varint or fixed value, or bytes.
fn fields(mut data: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn number(data: &mut &[u8]) -> u64 {
        let end = data.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let (own, rest) = data.split_at(end);
        *data = rest;
        own.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
    }
    let mut found = Vec::new();
    while !data.is_empty() {
        let key = number(&mut data);
        let length = match key & 7 {
            0 => 0,
            1 => 8,
            2 => number(&mut data) as usize,
            _ => 4,
        };
        let value = if key & 7 == 0 { number(&mut data) } else { 0 };
        let (own, rest) = data.split_at(length);
        data = rest;
        found.push((key >> 3, value, own));
    }
    found
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Records of a file; the last may be cut short.
fn records(mut data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while data.len() >= 16 {
        let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(data[..8].try_into().unwrap()) as usize;
        assert_eq!(word(8), masked(&data[..8]));
        if data.len() < 16 + length {
            break;
        }
        assert_eq!(word(12 + length), masked(&data[12..12 + length]));
        found.push(&data[12..12 + length]);
        data = &data[16 + length..];
    }
    found
}

/// A step and its named values.
type Event = (u64, Vec<(String, f32)>);

/// What TensorBoard shows of a folder: files by name, and a start takes back the steps from its own on.
fn events(dir: &Path) -> Vec<Event> {
    let mut files: Vec<_> = (fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()))
        .filter(|path| path.to_string_lossy().contains("tfevents"))
        .collect();
    files.sort();
    let mut all: Vec<Event> = Vec::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        for (place, record) in records(&bytes).into_iter().enumerate() {
            let fields = fields(record);
            let step = fields.iter().find(|f| f.0 == 2).map_or(0, |f| f.1);
            let (kind, _, what) = *fields.last().unwrap();
            match kind {
                3 => assert!(what == b"brain.Event:2" && place == 0),
                7 => all.retain(|event| event.0 < step),
                _ => all.push((step, self::fields(what).iter().map(|value| scalar(value.2)).collect())),
            }
        }
    }
    all
}

fn scalar(value: &[u8]) -> (String, f32) {
    let fields = fields(value);
    let number = f32::from_le_bytes(fields[1].2.try_into().unwrap());
    (String::from_utf8(fields[0].2.into()).unwrap(), number)
}

/// Every row of the metrics once, and the evaluation at the end.
fn check(run: &Path) {
    let events = events(run);
    let rows: Vec<Record> = csv::Reader::from_path(run.join("metrics.csv"))
        .unwrap()
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(events.len(), rows.len() + 1);
    for ((step, values), row) in events.iter().zip(&rows) {
        let value = |tag: &str| values.iter().find(|v| v.0 == tag).map(|v| v.1);
        assert_eq!(*step, row.env_steps);
        assert_eq!(value("rollout/return_mean"), Some(row.return_mean as f32));
        assert_eq!(value("rollout/win_rate_spread"), Some(row.score_spread as f32));
        assert_eq!(value("train/entropy"), Some(row.entropy));
        assert_eq!(value("train/kl"), Some(row.approx_kl));
        assert_eq!(value("oracle/queries"), Some(row.queries as f32));
        assert_eq!(value("reward_model/loss"), None);
    }
    let summary: Summary = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let (step, values) = events.last().unwrap();
    assert_eq!(*step, summary.env_steps);
    let expected =
        [("eval/return_mean", summary.eval_return_mean), ("eval/return_ci95", summary.eval_return_ci95)];
    assert_eq!(*values, expected.map(|(tag, value)| (tag.to_string(), value as f32)));
}

#[test]
fn every_step_is_there_once_whenever_a_run_was_killed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    ok(dir, &train("whole", &["--tensorboard"]));
    check(&dir.join("whole"));
    for wait in [40, 150] {
        let run = dir.join(format!("killed-{wait}"));
        let name = run.file_name().unwrap().to_str().unwrap();
        kill_midway(spo(dir, &train(name, &["--tensorboard"])), &run, Duration::from_millis(wait));
        // It has event files or was killed before the first: asked for or not, it goes on with them.
        let more: &[&str] = if wait == 40 { &["--tensorboard"] } else { &[] };
        let had = wait == 40 || !events(&run).is_empty();
        ok(dir, &[&["train", "--resume", name], more].concat());
        if had {
            check(&run);
        }
        // All is said: nothing is said twice.
        ok(dir, &["train", "--resume", name, "--tensorboard"]);
        check(&run);
    }

    // Begun without: the rows so far come at once. The metrics know nothing of it.
    ok(dir, &train("without", &[]));
    assert!(events(&dir.join("without")).is_empty());
    let metrics = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("without"), metrics("whole"));
    ok(dir, &["train", "--resume", "without", "--tensorboard"]);
    check(&dir.join("without"));
}

#[test]
fn what_a_scorer_or_learner_has_not_is_left_out() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let short = ["--set", "total_steps=3000", "--tensorboard"];
    ok(dir, &train("model", &[&["--scorer", "reward_model", "--set", "window=5"], &short[..]].concat()));
    let sac = ["train", "lqr", "--out", "sac", "--learner", "sac", "--scorer", "task_reward"];
    let few = ["--set", "eval_episodes=2", "--set", "minibatch_size=32", "--set", "learning_starts=500"];
    ok(dir, &[&sac[..], &few[..], &short[..]].concat());
    let tags = |run: &str| {
        let events = events(&dir.join(run));
        events.into_iter().flat_map(|e| e.1).map(|v| v.0).collect::<std::collections::BTreeSet<_>>()
    };
    let model = tags("model");
    assert!(model.contains("reward_model/accuracy") && model.contains("rollout/score_spread"), "{model:?}");
    assert!(!model.contains("rollout/win_rate_spread"), "{model:?}");
    let sac = tags("sac");
    assert!(
        sac.contains("train/temperature") && !sac.contains("train/kl") && !sac.contains("oracle/queries"),
        "{sac:?}"
    );
}
