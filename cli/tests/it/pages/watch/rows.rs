//! Rows of the metrics: each one once, and all again if the file was replaced.

use std::fs;
use std::io::Write;

use serde_json::Value;
use spo::train::run::files;
use spo_cli::web::watch::rows::{self, Cursor};

use super::{news, steps, train, watch};

/// A `metrics.csv` with `rows` rows of 640 steps each; another `seed` gives another run.
fn metrics(rows: u64, seed: u64) -> String {
    let mut text = String::from(
        "iteration,env_steps,queries,answered,tied,abstained,return_mean,return_std,length_mean,score_mean,\
         score_spread,entropy,approx_kl,clip_fraction,policy_loss,value_loss,grad_norm,epochs,temperature,reward_loss,\
         reward_accuracy,reward_calibration\n",
    );
    for i in 1..=rows {
        let return_mean = -1000.0 / (i + seed) as f64;
        text += &format!(
            "{i},{},{},1,0,0,{return_mean},12.5,200,0.5,0.25,1.5,0.01,0,0,0,1,4,0,,{},\n",
            640 * i,
            48 * i,
            if i % 2 == 0 { "0.75" } else { "" }
        );
    }
    text
}

#[test]
fn rows_come_once_as_they_are_written_and_again_after_the_file_was_replaced() {
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("run");
    train(home.path(), "lqr", "run", &[]);
    let path = run.join(files::METRICS);
    let all = metrics(6, 0);
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    fs::write(&path, lines[..3].concat()).unwrap();
    let (_server, http) = watch(&[&run]);

    let first = news(http, "");
    assert_eq!(steps(&first), [640, 1280]);
    let rows = &first["rows"];
    // −1000 / 2, and the accuracy of every other iteration
    assert_eq!(rows["task_return"].as_array().unwrap()[1], -500.0);
    assert_eq!((&rows["accuracy"][0], &rows["accuracy"][1]), (&Value::Null, &0.75.into()));
    assert_eq!(
        (&rows["queries"][1], &rows["spread"][1], &rows["kl"][1]),
        (&96.into(), &0.25.into(), &0.01.into())
    );
    let cursor = first["cursor"].as_str().unwrap();
    assert_eq!(steps(&news(http, cursor)), [0; 0]);

    // One and a half rows.
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let (half, rest) = lines[4].split_at(9);
    file.write_all([lines[3], half].concat().as_bytes()).unwrap();
    let second = news(http, cursor);
    assert_eq!((steps(&second), &second["reset"]), (vec![1920], &false.into()));
    file.write_all(rest.as_bytes()).unwrap();
    let third = news(http, second["cursor"].as_str().unwrap());
    assert_eq!((steps(&third), &third["reset"]), (vec![2560], &false.into()));

    // Truncated to a checkpoint and then the same rows again: nothing is new. Only truncated, or of another run: the page
    // reads everything again.
    let cursor = third["cursor"].as_str().unwrap();
    fs::write(&path, lines[..6].concat()).unwrap();
    let grown = news(http, cursor);
    assert_eq!((steps(&grown), &grown["reset"]), (vec![3200], &false.into()));
    fs::write(&path, lines[..2].concat()).unwrap();
    let cut = news(http, cursor);
    assert_eq!((steps(&cut), &cut["reset"]), (vec![640], &true.into()));
    fs::write(&path, metrics(6, 3)).unwrap();
    let other = news(http, cursor);
    assert_eq!((steps(&other).len(), &other["reset"]), (6, &true.into()));
    fs::remove_file(&path).unwrap();
    let gone = news(http, cursor);
    assert_eq!((steps(&gone).len(), &gone["reset"]), (0, &true.into()));
}

#[test]
fn a_long_run_comes_thinned_and_in_parts() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("metrics.csv");
    fs::write(&path, metrics(150_000, 0)).unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    let (mut cursor, mut all, mut parts) = (Cursor::default(), Vec::new(), 0);
    loop {
        let news = rows::after(&path, cursor, 1000).unwrap();
        assert!(news.columns.steps.len() <= 1000 && news.damage.is_none());
        all.extend(news.columns.steps);
        (cursor, parts) = (news.cursor, parts + 1);
        if !news.more {
            break;
        }
        assert!(parts < 10);
    }
    assert_eq!(parts, bytes.div_ceil(8 << 20));
    assert_eq!(all.last(), Some(&(640 * 150_000)));
    assert!(all.len() > 900 && all.is_sorted());
    assert_eq!(cursor.to_string().split('-').next().unwrap(), bytes.to_string());
}
