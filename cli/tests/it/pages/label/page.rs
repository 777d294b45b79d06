//! In a real browser: somebody labels a whole training with keys and mouse, and the policy learns from it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::annotator::{right_answer, shown};
use crate::common::{ok, spo};
use crate::pages::chromium::Browser;
use crate::pages::process::{Process, address_of, wait_for};

/// The point robot with the defaults for people, except a small budget.
fn train(dir: &Path, args: &[&str]) -> Process {
    let all = [&["train", "point", "--seed", "1", "--set", "eval_episodes=10"], args].concat();
    Process(spo(dir, &all).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Opens the page for a person, with replays at `speed`.
fn arrive(browser: &mut Browser, url: &str, name: &str, speed: u32) {
    browser.open(&format!("http://{url}"));
    browser.eval(&format!("localStorage.clear(); localStorage.setItem('speed', '{speed}')"));
    browser.open(&format!("http://{url}"));
    browser.wait_for("document.getElementById('hello').open");
    browser.type_text(name);
    browser.click("#hello .primary");
}

const THERE: &str = "document.body.dataset.pair !== '' && document.body.dataset.pair !== undefined";
const WATCHED: &str =
    "document.body.dataset.watched === 'true' && !document.querySelector('[data-answer]').disabled";

fn pair(browser: &mut Browser) -> i64 {
    browser.eval("document.body.dataset.pair").as_str().and_then(|p| p.parse().ok()).unwrap_or(-1)
}

/// Answers the pair on the page, by mouse or by key, and waits until the pair is gone.
fn say(browser: &mut Browser, answer: &str, by_mouse: bool) {
    let before = pair(browser);
    browser.wait_for(WATCHED);
    match (by_mouse, answer) {
        (true, _) => browser.click(&format!("[data-answer={answer}]")),
        (_, "left") => browser.key("ArrowLeft", 37),
        (_, "right") => browser.key("ArrowRight", 39),
        (_, "tie") => browser.key("t", 84),
        _ => browser.key("c", 67),
    }
    browser.wait_for(&format!("document.body.dataset.pair !== '{before}'"));
}

#[test]
fn somebody_labels_a_training_and_the_policy_learns_from_it() {
    let Some(mut browser) = Browser::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let (dir, run) = (home.path(), home.path().join("run"));
    let mut trainer = train(
        dir,
        &["--oracle", "human(wait=forever)", "--set", "budget=50", "--out", "run", "--listen", "127.0.0.1:0"],
    );
    let (_, url) = address_of(&mut trainer);
    browser.look(720, 600, 1.0, "light");
    arrive(&mut browser, &url, "Ana", 1);

    // At real speed first: no answer before both replays were watched.
    browser.wait_for(THERE);
    let first = pair(&mut browser);
    assert_eq!(
        browser.eval("[...document.querySelectorAll('[data-answer]')].every((b) => b.disabled)"),
        true
    );
    browser.key("ArrowLeft", 37);
    browser.click("[data-answer=left]");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(pair(&mut browser), first);
    // Moving to the end is not enough; every part must be seen.
    browser.eval("time.value = 1000; time.dispatchEvent(new Event('input'))");
    assert_eq!(browser.eval("document.body.dataset.watched"), "false");
    browser.eval(
        "for (let t = 0; t <= 1000; t += 10) { time.value = t; time.dispatchEvent(new Event('input')) }",
    );
    browser.wait_for(WATCHED);
    assert_eq!(browser.eval("document.getElementById('clock').textContent"), "5.0 s");

    // A wrong answer is undone: the same pair again, on the same sides, to be watched again.
    let before = shown(&run, first, "Ana");
    let right = right_answer(&run, "point", &before);
    say(&mut browser, if right == "left" { "right" } else { "left" }, false);
    browser.key("z", 90);
    browser.wait_for(&format!("document.body.dataset.pair === '{first}'"));
    assert_eq!(shown(&run, first, "Ana"), before);

    // Faster from now on.
    browser.eval("localStorage.setItem('speed', '40')");
    browser.reload();
    let mut labels = 0;
    while trainer.0.try_wait().unwrap().is_none() {
        if browser.eval(THERE) != true {
            std::thread::sleep(std::time::Duration::from_millis(10));
            continue;
        }
        let place = pair(&mut browser);
        let answer = right_answer(&run, "point", &shown(&run, place, "Ana"));
        say(&mut browser, answer, labels % 2 == 0);
        labels += 1;
    }
    assert!(trainer.0.wait().unwrap().success());
    let sources =
        "performance.getEntriesByType('resource').every((e) => new URL(e.name).origin === location.origin)";
    assert_eq!(browser.eval(sources), true, "nothing comes from elsewhere");
    assert!((44..=50).contains(&labels), "{labels}");

    // The clicks agree with the true return.
    let keys = [
        "opponents=sampled=1",
        "window=0",
        "budget=50",
        "num_states=2",
        "learning_rate=0.002",
        "checkpoint_every=1",
    ];
    let set: Vec<&str> = keys.iter().flat_map(|key| ["--set", key]).collect();
    let mut whole = train(dir, &[&["--oracle", "return", "--out", "whole"], &set[..]].concat());
    assert!(whole.0.wait().unwrap().success());
    let metrics = |run: &str| fs::read_to_string(dir.join(run).join("metrics.csv")).unwrap();
    assert_eq!(metrics("run"), metrics("whole"));

    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let learned = summary["eval_return_mean"].as_f64().unwrap();
    let column = metrics("run").lines().next().unwrap().split(',').position(|c| c == "return_mean").unwrap();
    let began: f64 = metrics("run").lines().nth(1).unwrap().split(',').nth(column).unwrap().parse().unwrap();
    // Metres from the origin; 11.5 is the maximum in 5 s.
    assert!(began < 3.0 && learned > 5.0, "from {began} m to {learned} m");
}

#[test]
fn two_people_at_a_time_and_a_server_that_goes_away_for_a_while() {
    let Some(mut ana) = Browser::start() else { return };
    let Some(mut ben) = Browser::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let (dir, run) = (home.path(), home.path().join("run"));
    let _trainer =
        train(dir, &["--oracle", "human(wait=forever, votes=2)", "--out", "run", "--listen", "off"]);
    wait_for(|| run.join("config.toml").exists());
    let serve = |listen: &str| {
        let mut server = spo(dir, &["label", "run", "--listen", listen]);
        Process(server.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let mut server = serve("127.0.0.1:0");
    let (address, url) = address_of(&mut server);
    arrive(&mut ana, &url, "Ana", 40);
    arrive(&mut ben, &url, "Ben", 40);
    ana.wait_for(THERE);
    ben.wait_for(THERE);
    // One person always answers left; the other one first answers "can't tell", then left too.
    ana.wait_for(WATCHED);
    server.end();
    ana.key("ArrowLeft", 37);
    ana.wait_for("document.getElementById('message').textContent.includes('Your answers are safe')");
    let _server = serve(&address.to_string());
    let first = pair(&mut ana);
    ana.wait_for(&format!("document.body.dataset.pair !== '{first}'"));
    say(&mut ben, "cant_tell", true);
    for _ in 0..3 {
        say(&mut ana, "left", false);
        say(&mut ben, "left", true);
    }
    ana.wait_for("document.getElementById('people').children.length === 2");
    ana.wait_for("document.getElementById('agreement').textContent.includes('of 3')");
    ok(dir, &["label", "run", "--export", "labels.csv"]);
    assert_eq!(fs::read_to_string(dir.join("labels.csv")).unwrap().lines().count(), 1 + 8);
}

#[test]
fn it_fits_a_desk_and_a_phone_by_day_and_by_night() {
    let Some(mut browser) = Browser::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let question = "Which robot gets further from where it started?";
    let mut trainer = train(
        dir,
        &["--oracle", "human", "--out", "point-s1", "--listen", "127.0.0.1:0", "--question", question],
    );
    let (_, url) = address_of(&mut trainer);
    arrive(&mut browser, &url, "Ana", 8);
    browser.wait_for(THERE);
    say(&mut browser, "left", true);
    browser.wait_for(THERE);
    browser.wait_for("document.getElementById('mine').textContent === '1'");
    browser.wait_for(WATCHED);
    browser.eval("if (document.getElementById('play').classList.contains('playing')) document.getElementById('play').click()");
    browser.eval("time.value = 800; time.dispatchEvent(new Event('input'))");
    for (name, width, height, scheme) in [
        ("light", 1180, 900, "light"),
        ("dark", 1180, 900, "dark"),
        ("phone", 390, 844, "dark"),
        ("narrow", 320, 640, "light"),
    ] {
        browser.look(width, height, if width < 600 { 2.0 } else { 1.0 }, scheme);
        let wide = browser.eval("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{name}: {wide} pixels");
        browser.eval("scrollTo(0, 0)");
        // Both replays and the two main answers are on the screen at once, without scrolling.
        let lowest =
            browser.eval("document.querySelector('[data-answer=right]').getBoundingClientRect().bottom");
        assert!(lowest.as_f64().unwrap() <= f64::from(height), "{name}: {lowest}");
        let drawn = "(() => { const c = document.getElementById('left'); const d = c.getContext('2d') \
                     .getImageData(0, 0, c.width, c.height).data; \
                     return new Set(new Uint32Array(d.buffer)).size; })()";
        assert!(browser.eval(drawn).as_u64().unwrap() > 4, "{name} is blank");
        // SPO_SCREENSHOTS=FOLDER saves screenshots.
        if let Some(folder) = std::env::var_os("SPO_SCREENSHOTS") {
            browser.screenshot(&Path::new(&folder).join(format!("label-{name}.png")));
        }
    }
}
