//! Replies that are kept, and so neither paid for twice nor drawn anew.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{kill_midway, ok};
use crate::llm::model::{Model, Reply};
use crate::llm::{asked, by_distance, train, trained};

#[test]
fn no_request_is_paid_for_twice() {
    let model = Model::start(by_distance(1.0));
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("replies.sqlite");
    let text = |name: &str, cache: &str| {
        format!("llm(base_url={},model={name},key_env=none,cache={cache})", model.url())
    };
    let kept = file.display().to_string();
    let pairs = [(2.0, 1.0), (4.0, 3.0)];
    let (first, _) = asked(&text("m", &kept), &pairs);
    let first = first.unwrap();
    assert_eq!(model.take(), 4);
    let (second, happened) = asked(&text("m", &kept), &pairs);
    assert_eq!((second.unwrap(), model.take()), (first.clone(), 0));
    assert_eq!(happened, BTreeMap::from([("cached".to_string(), 4)]));
    // Another model, and none to keep: asked.
    assert_eq!((asked(&text("n", &kept), &pairs).0.unwrap(), model.take()), (first.clone(), 4));
    assert_eq!((asked(&text("m", "none"), &pairs).0.unwrap(), model.take()), (first, 4));
}

#[test]
fn runs_share_replies_and_a_killed_one_goes_on_as_if_nothing_had_happened() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // It never gives the same answer twice: only what is kept can make two runs the same.
    let drawn = Arc::new(AtomicUsize::new(0));
    let draws = drawn.clone();
    let model = Model::start(move |_| {
        std::thread::sleep(Duration::from_millis(20));
        let n = draws.fetch_add(1, Ordering::Relaxed) as f64;
        Reply::first((n * 0.618_034).fract().clamp(0.01, 0.99))
    });
    let metrics = |run: &str| fs::read(dir.join(run).join("metrics.csv")).unwrap();
    for (kill, after) in [(0, 5), (1, 250)] {
        let out = format!("killed-{kill}");
        let seed = kill.to_string();
        let mut command = train(dir, &model, &out, &["--seed", &seed]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        kill_midway(command, &dir.join(&out), Duration::from_millis(after));
        ok(dir, &["train", "--resume", &out]);
        assert!(model.take() > 0);
        let whole = format!("whole-{kill}");
        let told = trained(train(dir, &model, &whole, &["--seed", &seed]));
        assert!(metrics(&out) == metrics(&whole), "{out}");
        assert_eq!(model.take(), 0, "all of it was known: {told}");
        assert!(told["stdout"].as_str().unwrap().contains(" cached"), "{told}");
    }
}
