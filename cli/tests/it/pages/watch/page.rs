//! In a real browser: a run's curve grows while it trains, and its newest trajectories play.

use std::path::Path;
use std::process::Stdio;

use crate::common::{ok, spo};
use crate::pages::chromium::Browser;
use crate::pages::process::{Process, address_of, wait_for};

fn watch(dir: &Path, runs: &[&str]) -> (Process, String) {
    let args = [&["watch"], runs, &["--listen", "127.0.0.1:0"]].concat();
    let mut server = Process(spo(dir, &args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let (_, url) = address_of(&mut server);
    (server, format!("http://{url}"))
}

/// Trains a pendulum until it is killed, or for `steps` if given.
fn train(dir: &Path, out: &str, seed: &str, steps: Option<&str>) -> Process {
    let total = format!("total_steps={}", steps.unwrap_or("1000000000"));
    let args =
        ["train", "pendulum", "--seed", seed, "--out", out, "--set", &total, "--set", "eval_episodes=20"];
    let child = spo(dir, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Process(child)
}

const ITERATION: &str = "Number(document.body.dataset.iteration || 0)";
const POINTS: &str = "Number(document.body.dataset.points)";

fn number(browser: &mut Browser, script: &str) -> f64 {
    browser.eval(script).as_f64().unwrap()
}

#[test]
fn a_curve_grows_while_a_run_trains_and_its_newest_trajectories_play() {
    let Some(mut browser) = Browser::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    // Watch the run before its directory exists.
    let (_server, url) = watch(dir, &["run"]);
    browser.look(1180, 1000, 1.0, "light");
    browser.open(&url);
    browser.wait_for("document.querySelector('#runs .chip')?.dataset.state === 'not_begun'");
    browser.wait_for("document.getElementById('which').textContent.includes('No trajectories yet')");
    browser.eval("localStorage.setItem('speed', '40')");
    browser.reload();

    let mut trainer = train(dir, "run", "0", None);
    browser.wait_for("document.querySelector('#runs .chip')?.dataset.state === 'training'");
    browser.wait_for(&format!("{POINTS} >= 5"));
    let before = number(&mut browser, POINTS);
    browser.wait_for(&format!("{POINTS} >= {}", before + 5.0));
    // The values under the pointer are shown.
    let at = "(() => { const r = document.querySelector('#charts .main canvas').getBoundingClientRect(); \
              return [r.x + r.width * 0.6, r.y + r.height / 2]; })()";
    let at = browser.eval(at);
    browser.call(
        "Input.dispatchMouseEvent",
        serde_json::json!({ "type": "mouseMoved", "x": at[0], "y": at[1] }),
    );
    browser.wait_for("document.querySelector('#charts .main .tip')?.textContent.includes('run')");

    // Four trajectories from one state, best to worst. They play, and newer ones replace them.
    browser.wait_for("document.querySelectorAll('#trajectories figure').length === 4");
    let ordered = "(() => { const wins = [...document.querySelectorAll('#trajectories figure')].map((f) => +f.dataset.wins); \
                   return wins.every((w, i) => w >= 0 && w <= 1 && (i === 0 || w <= wins[i - 1])); })()";
    assert_eq!(browser.eval(ordered), true);
    let words = browser.eval("document.querySelector('#trajectories .score').textContent");
    assert!(words.as_str().unwrap().starts_with("wins "), "{words}");
    let iteration = number(&mut browser, ITERATION);
    browser.wait_for(&format!("{ITERATION} > {iteration}"));

    // A paused replay stays even if newer ones arrive; the button shows the latest.
    browser.key(" ", 32);
    browser.wait_for("!document.getElementById('play').classList.contains('playing')");
    let iteration = number(&mut browser, ITERATION);
    browser.eval("time.value = 500; time.dispatchEvent(new Event('input'))");
    assert_eq!(browser.eval("document.getElementById('clock').textContent"), "5.0 s");
    browser.wait_for("!document.getElementById('newer').hidden");
    assert_eq!(number(&mut browser, ITERATION), iteration);
    browser.click("#newer");
    browser.wait_for(&format!("{ITERATION} > {iteration}"));

    // Switch to queries and back.
    browser.key("q", 81);
    assert_eq!(browser.eval("document.getElementById('by-queries').ariaPressed"), "true");
    browser.wait_for(
        "document.querySelector('[data-figure=queries] figcaption')?.textContent.startsWith('Environment')",
    );
    browser.click("#by-steps");

    // After a kill the run is shown as stopped, and its curves stay.
    trainer.end();
    browser.wait_for("document.querySelector('#runs .chip')?.dataset.state === 'stopped'");
    browser.wait_for("document.querySelector('#runs .note')?.textContent.includes('spo train --resume run')");
    assert_eq!(browser.eval("document.querySelectorAll('#trajectories figure').length"), 4);
    let sources =
        "performance.getEntriesByType('resource').every((e) => new URL(e.name).origin === location.origin)";
    assert_eq!(browser.eval(sources), true, "nothing comes from elsewhere");
}

#[test]
fn several_runs_fit_a_desk_and_a_phone_by_day_and_by_night() {
    let Some(mut browser) = Browser::start() else { return };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    assert!(train(dir, "pendulum-s1", "1", Some("60000")).0.wait().unwrap().success());
    ok(
        dir,
        &["train", "pendulum", "--scorer", "task_reward", "--out", "skyline", "--set", "total_steps=40000"],
    );
    let _trainer = train(dir, "pendulum-s0", "0", None);
    wait_for(|| dir.join("pendulum-s0/newest.safetensors").exists());
    std::fs::create_dir(dir.join("damaged")).unwrap();
    std::fs::write(dir.join("damaged/config.toml"), "learning_rat = 1\n").unwrap();
    let (mut server, url) = watch(dir, &["pendulum-s0", "pendulum-s1", "skyline", "damaged", "later"]);
    browser.look(1180, 1000, 1.0, "light");
    browser.open(&url);
    let states = "[...document.querySelectorAll('#runs .chip')].map((c) => c.dataset.state).join()";
    browser.wait_for(&format!("{states} === 'training,finished,finished,damaged,not_begun'"));
    browser.wait_for("document.querySelectorAll('#trajectories figure').length === 4");
    browser.wait_for(
        "document.querySelector('#runs .note')?.textContent.includes('did you mean `learning_rate`?')",
    );
    browser.wait_for(&format!("{POINTS} >= 40"));
    // The replays of another run; if the scores are task rewards, there are no win proportions.
    browser.eval("whose.value = 2; whose.dispatchEvent(new Event('change'))");
    browser.wait_for(
        "document.querySelectorAll('#trajectories figure').length === 4 && !document.querySelector('#trajectories [data-wins]')",
    );
    browser.eval("whose.value = 0; whose.dispatchEvent(new Event('change'))");
    browser.wait_for("document.querySelectorAll('#trajectories [data-wins]').length === 4");
    // A click hides a run's curves, another shows them.
    browser.click("#runs li:nth-child(2) .run");
    browser.wait_for("document.querySelector('#runs li:nth-child(2) .run')?.ariaPressed === 'false'");
    browser.click("#runs li:nth-child(2) .run");
    browser.wait_for("document.querySelector('#runs li:nth-child(2) .run')?.ariaPressed === 'true'");
    browser.eval("if (document.getElementById('play').classList.contains('playing')) document.getElementById('play').click()");
    browser.eval("time.value = 300; time.dispatchEvent(new Event('input'))");
    for (name, width, height, scheme) in [
        ("light", 1180, 1000, "light"),
        ("dark", 1180, 1000, "dark"),
        ("phone", 390, 844, "dark"),
        ("narrow", 320, 640, "light"),
    ] {
        browser.look(width, height, if width < 600 { 2.0 } else { 1.0 }, scheme);
        let wide = browser.eval("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{name}: {wide} pixels");
        for canvas in ["#charts .main canvas", "#trajectories canvas"] {
            let drawn = format!(
                "(() => {{ const c = document.querySelector('{canvas}'); const d = c.getContext('2d') \
                 .getImageData(0, 0, c.width, c.height).data; \
                 return new Set(new Uint32Array(d.buffer)).size; }})()"
            );
            assert!(browser.eval(&drawn).as_u64().unwrap() > 4, "{name}: {canvas} is blank");
        }
        // SPO_SCREENSHOTS=FOLDER saves screenshots.
        if let Some(folder) = std::env::var_os("SPO_SCREENSHOTS") {
            for (part, top) in [("", "scrollTo(0, 0)"), ("-below", "scrollTo(0, document.body.scrollHeight)")]
            {
                browser.eval(top);
                browser.screenshot(&Path::new(&folder).join(format!("watch-{name}{part}.png")));
            }
        }
    }
    // The page says that the server is gone, and keeps its curves.
    server.end();
    browser.wait_for("document.getElementById('link').dataset.state === 'lost'");
    assert!(number(&mut browser, POINTS) >= 40.0);
}
