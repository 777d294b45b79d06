//! Where a run stands, and that looking disturbs nobody.

use std::fs;

use spo::train::registered;
use spo::train::run::{Run, files};
use spo_cli::web::watch::status::{RunState, Status};

use super::{news, steps, train, watch};

#[test]
fn a_run_is_not_begun_training_stopped_finished_failed_or_damaged() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    let is = |rows: bool, damage: Option<&str>| {
        let found = Status::read(&run, rows, damage);
        (found.state, found.note)
    };
    let (word, note) = is(false, None);
    assert!(word == RunState::NotBegun && note.contains("run/config.toml does not exist yet"), "{note}");
    train(home.path(), "lqr", "run", &[]);
    let path = |name: &str| run.join(name);
    let summary = fs::read(path(files::SUMMARY)).unwrap();
    assert_eq!(is(true, None), (RunState::Finished, String::new()));
    assert_eq!(Status::read(&run, true, None).summary.unwrap().eval_episodes, 3);

    fs::write(path(files::SUMMARY), &summary[..20]).unwrap();
    let (word, note) = is(true, None);
    assert!(word == RunState::Damaged && note.contains("summary.json is damaged"), "{note}");
    fs::remove_file(path(files::SUMMARY)).unwrap();
    let (word, note) = is(true, None);
    assert!(
        word == RunState::Stopped && note.contains("spo train --resume") && note.contains("run`"),
        "{note}"
    );
    assert_eq!(is(false, None).0, RunState::NotBegun);
    fs::write(path(files::ERROR), "the disk is full\n").unwrap();
    assert_eq!(is(true, None), (RunState::Failed, "the disk is full".into()));
    {
        // Lock the run as a trainer does.
        let held = fs::File::open(path(files::METRICS)).unwrap();
        held.lock().unwrap();
        assert_eq!(is(true, None), (RunState::Training, String::new()));
        assert_eq!(Run::is_trained(&run), Some(true));
    }
    assert_eq!(Run::is_trained(&run), Some(false));
    let (word, note) = is(true, Some("no number"));
    assert!(word == RunState::Damaged && note.contains("metrics.csv is damaged: no number"), "{note}");

    // A damaged row in the middle: the page shows the rows before it.
    let text = fs::read_to_string(path(files::METRICS)).unwrap();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines[2] = "2,many\n";
    fs::write(path(files::METRICS), lines.concat()).unwrap();
    let (_server, http) = watch(&[&run]);
    for cursor in [String::new(), news(http, "")["cursor"].as_str().unwrap().into()] {
        let found = news(http, &cursor);
        assert_eq!(found["state"], "damaged");
        assert!(found["note"].as_str().unwrap().contains("metrics.csv is damaged"), "{found}");
        assert_eq!(steps(&found).len(), usize::from(cursor.is_empty()));
    }
    fs::write(path(files::METRICS), "x".repeat(5000)).unwrap();
    assert_eq!(news(http, "")["state"], "damaged");
    fs::write(path(files::CONFIG), "env = 3").unwrap();
    let found = news(http, "");
    assert!(
        found["state"] == "damaged" && found["note"].as_str().unwrap().contains("config.toml"),
        "{found}"
    );
}

#[test]
fn who_looks_whether_a_run_is_trained_keeps_nobody_from_training_it() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let looked = run.clone();
    let looker = std::thread::spawn(move || {
        for _ in 0..400 {
            Run::is_trained(&looked);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    for _ in 0..20 {
        let nobody = |_: spo::rollout::Trajectory<'_>, _: spo::rollout::Trajectory<'_>| 0.5;
        Run::resume(&run, registered("lqr").unwrap(), Box::new(nobody)).unwrap();
    }
    looker.join().unwrap();
}
