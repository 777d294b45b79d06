//! Episodes as pictures: every task in every format, what the camera sees, and wrong words.

use std::fs;
use std::io::BufReader;
use std::path::Path;

use crate::common::{fails, ok};
use serde_json::Value;
use spo::base::random::{Stream, stream};
use spo_cli::evaluate::play::{RecordedFrame, Recording, Role, Scene};
use spo_envs::{Frame, Shape, registry};

/// An SVG's document, with every animation's number of values checked against `values`.
#[track_caller]
fn svg(path: &Path, values: usize) -> String {
    let text = fs::read_to_string(path).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    assert!(!text.contains("<script") && !text.contains("href"), "it loads nothing else");
    let moving =
        document.descendants().filter(|n| n.tag_name().name() == "animate" && !n.has_attribute("keyTimes"));
    let counts: Vec<usize> = moving.map(|n| n.attribute("values").unwrap().split(';').count()).collect();
    assert!(!counts.is_empty(), "something moves");
    assert!(counts.iter().all(|&n| n == values), "{}: {counts:?} are not all {values}", path.display());
    text
}

/// Width, height and delays of a GIF; decodes every frame.
#[track_caller]
fn gif(path: &Path) -> (u16, u16, Vec<u16>) {
    let mut decoder = gif::DecodeOptions::new().read_info(fs::File::open(path).unwrap()).unwrap();
    let mut delays = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        delays.push(frame.delay);
    }
    (decoder.width(), decoder.height(), delays)
}

#[track_caller]
fn png(path: &Path) -> (u32, u32) {
    let mut reader = png::Decoder::new(BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|p| *p != pixels[0]), "{} is blank", path.display());
    (info.width, info.height)
}

#[test]
fn every_task_is_drawn_in_every_format() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    for entry in registry() {
        let id = entry.id;
        // Without the MuJoCo library, its tasks are skipped.
        let Ok(mut env) = entry.make() else { continue };
        let (dt, horizon) = (env.spec().dt, env.spec().horizon);
        env.reset(&mut stream(0, Stream("test"), 0, 0), &mut vec![0.0; env.spec().obs_dim]);
        if env.frame().shapes.is_empty() {
            assert!(fails(dir, &["play", id]).contains("cannot be drawn"), "{id}");
            continue;
        }
        // 7 steps, a picture every 3: after 0, 3, 6 and 7, or up to an early end.
        let most = 1 + horizon.min(7).div_ceil(3);
        let quick = ["--steps", "7", "--every", "3", "--size", "240", "--seed", "5"];
        let play = |out: &str| ok(dir, &[&["play", id, "--out", out], &quick[..]].concat());
        play("recording.gif");
        let (width, height, delays) = gif(&dir.join("recording.gif"));
        let frames = delays.len();
        assert!(width == 240 && (2..=most).contains(&frames), "{id}: {frames} frames of {width} pixels");

        // In real time, with an error of at most 0.01 s, and the last frame stays for a second.
        let period = if dt > 0.0 { 3.0 * dt } else { 0.5 };
        let seconds = delays.iter().map(|&d| f32::from(d)).sum::<f32>() / 100.0;
        assert!((seconds - 1.0 - period * frames as f32).abs() < 0.011, "{id}: {seconds} s");

        let printed = play("recording.svg");
        assert!(printed.starts_with(&format!("recording.svg: {id}, {frames} pictures over ")), "{printed}");
        let text = svg(&dir.join("recording.svg"), frames + (1.0 / period).ceil() as usize);
        let clock = if dt > 0.0 { "t 0.00 s · return 0.0" } else { "step 0 · return 0.0" };
        assert!(text.contains(&format!(">{id}</text>")) && text.contains(clock), "{id}: no {clock}");

        play(id);
        let files = fs::read_dir(dir.join(id)).unwrap().count();
        assert_eq!(files, frames, "{id}");
        for index in 0..frames {
            let path = dir.join(id).join(format!("frame-{index:04}.png"));
            assert_eq!(png(&path), (240, u32::from(height)), "{id}");
        }
    }
}

#[test]
fn a_run_plays_the_episodes_that_eval_counts() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let quick = [
        "--set",
        "total_steps=2000",
        "--set",
        "eval_episodes=5",
        "--set",
        "ppo.hidden_sizes=[8]",
        "--set",
        "window=0",
    ];
    // A mixture of policies; each episode uses one of them.
    ok(dir, &[&["train", "lqr", "--set", "result=average", "--out", "run"], &quick[..]].concat());
    for how in [&[][..], &["--sample"]] {
        let eval = ok(dir, &[&["eval", "run", "--episodes", "2", "--json"], how].concat());
        let eval: Value = serde_json::from_str(&eval).unwrap();
        let returns = ["0", "1"].map(|episode| {
            ok(dir, &[&["play", "run", "--episode", episode, "--every", "4"], how].concat());
            let text = svg(&dir.join("run/episode.svg"), 4 + 2);
            let title = text.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
            title.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        });
        let mean = eval["eval_return_mean"].as_f64().unwrap();
        // Both are printed with one decimal.
        assert!((0.5 * (returns[0] + returns[1]) - mean).abs() <= 0.05, "{returns:?} against {mean}");
        assert_ne!(returns[0], returns[1]);
    }
    let printed = ok(dir, &["play", "run/policy.safetensors"]);
    assert!(printed.starts_with("lqr.svg: lqr, 11 pictures"), "{printed}");
    let same = fs::read(dir.join("lqr.svg")).unwrap();
    ok(dir, &["play", "run", "--out", "again.svg"]);
    assert_eq!(same, fs::read(dir.join("again.svg")).unwrap());

    let games = ["--set", "total_steps=512", "--set", "eval_episodes=5", "--oracle", "game:votes.csv"];
    fs::write(dir.join("votes.csv"), "count,ranking\n3,a>b>c\n2,b>c>a\n").unwrap();
    ok(dir, &[&["train", "options-3", "--out", "game", "--set", "window=0"], &games[..]].concat());
    assert!(fails(dir, &["play", "game"]).contains("`options-3` cannot be drawn"));
}

#[test]
fn a_seed_is_an_episode_and_a_folder_holds_one_film() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let recording = |name: &str, seed: &str| {
        ok(dir, &["play", "acrobot", "--steps", "30", "--seed", seed, "--out", name]);
        fs::read(dir.join(name)).unwrap()
    };
    assert_eq!(recording("a.svg", "1"), recording("b.svg", "1"));
    assert_ne!(recording("a.svg", "1"), recording("b.svg", "2"));
    assert!(ok(dir, &["play", "pendulum", "--steps", "2"]).starts_with("pendulum.svg"));

    let frames = || {
        let mut names: Vec<_> =
            fs::read_dir(dir.join("recording.d")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    ok(dir, &["play", "pendulum", "--steps", "5", "--out", "recording.d/"]);
    assert_eq!(frames().len(), 6);
    fs::write(dir.join("recording.d/notes"), "mine").unwrap();
    ok(dir, &["play", "pendulum", "--steps", "2", "--out", "recording.d/"]);
    assert_eq!(frames(), ["frame-0000.png", "frame-0001.png", "frame-0002.png", "notes"]);
}

#[test]
fn a_wrong_word_gets_the_mend() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    fs::write(dir.join("file"), "").unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
    for (args, expected) in [
        (
            &["play", "pendulum", "--out", "swing.mp4"][..],
            "ends in .svg or .gif, or a name without an extension",
        ),
        (&["play", "options-3"], "`options-3` cannot be drawn"),
        (&["play", "pendulom"], "did you mean `pendulum`?"),
        (&["play", "runs/none"], "no run, policy file or environment `runs/none`"),
        (&["play", "empty"], "empty is not a run"),
        (&["play", "file"], "file is damaged"),
        (&["play", "pendulum", "--out", "none/swing.svg"], "cannot write none/swing.svg"),
        (&["play", "pendulum", "--out", "file/swing.gif"], "cannot write file/swing.gif"),
        (&["play", "pendulum", "--out", "file"], "cannot write file"),
        (&["play", "pendulum", "--every", "0"], "--every"),
        (&["play", "pendulum", "--size", "20"], "--size"),
    ] {
        let message = fails(dir, args);
        assert!(message.contains(expected), "spo {args:?}: {message}");
        assert!(!message.contains("--resume"), "spo {args:?}: {message}");
    }
    assert_eq!(fs::read_dir(dir).unwrap().count(), 2, "a refused recording leaves nothing behind");
}

/// A figure one metre wide that runs at 5 m/s over a floor, for `seconds`, in frames of 0.05 s.
fn run(seconds: usize, floor: f32, scenery: &[Shape]) -> Recording {
    let still = |i: usize| {
        let x = 0.25 * i as f32;
        let mut shapes = vec![Shape::Line { from: [-floor, 0.0], to: [floor, 0.0], width: 0.02 }];
        shapes.extend(scenery);
        shapes.push(Shape::Line { from: [x - 0.4, 0.5], to: [x + 0.4, 0.5], width: 0.2 });
        RecordedFrame { frame: Frame { shapes }, step: i, task_return: 0.0, cost: 0.0 }
    };
    Recording { env: "runner".into(), dt: 0.05, every: 1, frames: (0..seconds * 20).map(still).collect() }
}

/// Positions of a shape's ends in the picture.
fn ends(scene: &Scene, actor: usize, still: usize) -> [[f32; 2]; 2] {
    let [dx, dy] = scene.offset(still);
    match scene.actors[actor].at(still) {
        Some(Shape::Line { from, to, .. }) => [from, to].map(|[x, y]| [x + dx, y + dy]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_camera_follows_a_figure_that_runs_far() {
    for floor in [20.0, 80.0, 1e6] {
        let recording = run(10, floor, &[]);
        let scene = Scene::new(&recording, 480);
        assert_eq!((scene.frames(), scene.camera.len()), (200, 200));
        for still in 0..200 {
            let [[left, y], [right, _]] = ends(&scene, 1, still);
            assert!(
                (0.5 * (left + right) - 240.0).abs() < 1.0,
                "floor {floor}, still {still}: {left} to {right}"
            );
            assert!(right - left > 80.0, "not a speck");
            assert!(y > scene.header && y < scene.size[1] as f32);
        }
        // The floor is always under the figure, and no longer than the visible region or its own length.
        let [[_, y], [_, figure]] = [ends(&scene, 0, 0)[0], ends(&scene, 1, 0)[0]];
        assert!(y > figure && y < scene.size[1] as f32, "the floor is at {y}, the figure at {figure}");
        let pixels_per_metre = (ends(&scene, 1, 0)[1][0] - ends(&scene, 1, 0)[0][0]) / 0.8;
        let length = ends(&scene, 0, 0).map(|[x, _]| x);
        assert!(length[1] - length[0] < 54.0 * pixels_per_metre, "{length:?}");
        // Vertical grid lines pass by, so that the motion is visible.
        let upright = scene.grid.iter().filter(|[a, b]| a[0] == b[0]).count();
        assert!(upright > 40, "{upright}");
    }
}

#[test]
fn the_window_stays_where_the_way_is_short_or_leads_through_an_arena() {
    let goal = Shape::Circle { centre: [45.0, 1.0], radius: 0.5 };
    for (recording, metres) in [(run(1, 1e6, &[]), 5.75), (run(10, 1e6, &[goal]), 50.75)] {
        let scene = Scene::new(&recording, 480);
        assert_eq!((scene.camera.len(), scene.actors[0].role), (1, Role::Scenery));
        // From half a metre left of the start to half a metre right of the end.
        let (first, last) = (
            ends(&scene, scene.actors.len() - 1, 0),
            ends(&scene, scene.actors.len() - 1, recording.frames.len() - 1),
        );
        let width = last[1][0] - first[0][0];
        assert!(
            first[0][0] > 0.0 && last[1][0] < 480.0 && width > 0.8 * 480.0,
            "{metres} m: {first:?}, {last:?}"
        );
    }
}

#[test]
fn what_comes_and_goes_or_is_not_finite_is_left_out_where_it_is_not() {
    let mut recording = run(1, 1e6, &[]);
    for (i, still) in recording.frames.iter_mut().enumerate() {
        match i % 3 {
            0 => still.frame.shapes.push(Shape::Circle { centre: [0.0, 1.0], radius: 0.1 }),
            1 => still.frame.shapes.push(Shape::Circle { centre: [f32::NAN, 1.0], radius: 0.1 }),
            _ => {}
        }
    }
    let scene = Scene::new(&recording, 480);
    let ball = &scene.actors[2];
    assert!((0..20).all(|i| ball.at(i).is_some() == (i % 3 == 0)));

    let home = tempfile::tempdir().unwrap();
    for name in ["recording.svg", "recording.gif", "recording"] {
        spo_cli::evaluate::play::write(&scene, &home.path().join(name)).unwrap();
    }
    assert!(svg(&home.path().join("recording.svg"), 40).contains("values=\"visible;hidden;hidden;visible"));
    assert_eq!(gif(&home.path().join("recording.gif")).2.len(), 20);
}
