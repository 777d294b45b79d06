//! How the cost of an environment step grows with each size of a run, others at the default experiment's.
//!
//! `cargo bench --bench growth -- FOLDER` writes `growth.csv` and `growth.svg` there; with `draw FOLDER` it draws the picture
//! again from the table. Microseconds a step, by phase, medians over iterations; each axis is walked with all else as in
//! `spo train pendulum`.

use std::path::{Path, PathBuf};

use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use spo::Config;
use spo::oracle::Oracle;
use spo::rollout::Trajectory;
use spo::train::{Timing, Trainer, registered};
use spo_cli::evaluate::plot::palette;

/// One point of one axis.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    axis: String,
    value: usize,
    cores: usize,
    rollout_us: f64,
    score_us: f64,
    update_us: f64,
    total_us: f64,
}

const ITERATIONS: usize = 7;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds a step of a run by `config`; a closure judges on the axes that end with `closure`.
fn measure(axis: &'static str, value: usize, cores: usize, config: Config) -> Row {
    let steps = config.rollout.trajectories();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("threads");
    let timings: Vec<(Timing, f64)> = pool.install(|| {
        let by_return =
            |a: Trajectory<'_>, b: Trajectory<'_>| f32::from(u8::from(a.task_return() > b.task_return()));
        let judge: Box<dyn Oracle> = match axis.ends_with("closure") {
            true => Box::new(by_return),
            false => config.oracle.build().expect("an oracle"),
        };
        let factory = registered(&config.env).expect("a task");
        let horizon = factory().expect("a task").spec().horizon;
        let mut trainer =
            Trainer::new(Config { total_steps: i64::MAX as u64, ..config }, factory, judge, None)
                .expect("a valid configuration");
        (0..ITERATIONS)
            .map(|_| {
                let (_, timing) = trainer.step().expect("an iteration").expect("no budget");
                (timing, (steps * horizon) as f64)
            })
            .collect()
    });
    // The first iteration grows the buffers and fills the queue.
    let per_step = |phase: fn(&Timing) -> f64| {
        median(timings[1..].iter().map(|(t, steps)| phase(t) / steps * 1e6).collect())
    };
    let (rollout_us, score_us, update_us) =
        (per_step(|t| t.rollout), per_step(|t| t.score), per_step(|t| t.update));
    let row = Row {
        axis: axis.into(),
        value,
        cores,
        rollout_us,
        score_us,
        update_us,
        total_us: rollout_us + score_us + update_us,
    };
    println!(
        "{axis:<32}{value:>6}  {cores} cores  rollout {rollout_us:.3}  score {score_us:.3}  update {update_us:.3} µs a step"
    );
    row
}

fn main() {
    // `cargo bench` itself passes --bench.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let folder = args.last().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let picture = folder.join("growth.svg");
    if args.first().is_some_and(|first| first == "draw") {
        let mut csv = csv::Reader::from_path(folder.join("growth.csv")).expect("a table");
        let rows: Vec<Row> = csv.deserialize().collect::<Result<_, _>>().expect("rows of a table");
        return plot(&rows, &picture).expect("a picture");
    }
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let base = |changes: &[String]| Config::gather(None, changes).expect("known keys").0;
    let mut rows = Vec::new();
    let mut walk = |axis: &'static str, values: &[usize], keys: &[&str]| {
        rows.extend(values.iter().map(|&value| {
            let changes: Vec<String> = keys.iter().map(|key| key.replace('?', &value.to_string())).collect();
            measure(axis, value, all, base(&changes))
        }));
    };
    let one_state = "rollout.num_states=1";
    walk("states", &[1, 4, 16, 64, 256], &["rollout.num_states=?"]);
    let group = [one_state, "rollout.trajectories_per_state=?"];
    walk("trajectories_per_state", &[2, 8, 32, 128, 512], &group);
    walk("trajectories_per_state, closure", &[2, 8, 32, 128, 512], &group);
    walk("horizon", &[25, 50, 100, 200, 400, 800], &["env=pendulum@?"]);
    walk("hidden width", &[16, 32, 64, 128, 256, 512], &["ppo.hidden_sizes=?,?"]);
    walk("queue", &[8, 32, 128, 512, 2048], &["self_play.opponents=queue=?", "self_play.window=0"]);
    walk("minibatch", &[32, 64, 128, 256, 1024, 6400], &["ppo.minibatch_size=?"]);
    rows.extend((1..=all).map(|cores| measure("cores", cores, cores, base(&[]))));

    let mut csv = csv::Writer::from_path(folder.join("growth.csv")).expect("a writable folder");
    rows.iter().for_each(|row| csv.serialize(row).expect("a row"));
    csv.flush().expect("a writable folder");
    plot(&rows, &picture).expect("a picture");
}

/// One panel an axis, both scales logarithmic.
fn plot(rows: &[Row], path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    plotters::style::register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| "an unreadable font")?;
    let mut axes: Vec<&str> = rows.iter().map(|r| r.axis.as_str()).collect();
    axes.dedup();
    let root = SVGBackend::new(path, (1100, 554)).into_drawing_area();
    root.fill(&WHITE)?;
    let phases = ["update", "rollout", "score", "total"];
    let colors = [palette::COLORS[0], palette::COLORS[1], palette::COLORS[2], palette::COLORS[6]];
    let (legend, panels) = root.split_vertically(34);
    for (place, (name, color)) in phases.into_iter().zip(colors).enumerate() {
        let x = 20 + 110 * place as i32;
        legend.draw(&PathElement::new([(x, 18), (x + 24, 18)], color.stroke_width(3)))?;
        legend.draw(&Text::new(name, (x + 32, 11), ("sans-serif", 14)))?;
    }
    let short = |x: &f64| format!("{}", (x * 1e6).round() / 1e6);
    let top = rows.iter().map(|r| r.total_us).fold(0.0, f64::max) * 2.0;
    for (axis, panel) in axes.iter().zip(panels.split_evenly((2, axes.len().div_ceil(2)))) {
        let own: Vec<&Row> = rows.iter().filter(|r| r.axis == *axis).collect();
        let (first, last) = (own[0].value as f64, own[own.len() - 1].value as f64);
        let mut chart = ChartBuilder::on(&panel)
            .margin(8)
            .caption(format!("µs a step by {axis}"), ("sans-serif", 13))
            .x_label_area_size(24)
            .y_label_area_size(44)
            .build_cartesian_2d((first * 0.9..last * 1.1).log_scale(), (0.001..top).log_scale())?;
        chart
            .configure_mesh()
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&short)
            .y_label_formatter(&short)
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(227, 230, 234))
            .draw()?;
        for (phase, color) in colors.into_iter().enumerate() {
            let cost = |r: &Row| [r.update_us, r.rollout_us, r.score_us, r.total_us][phase];
            let points = own.iter().map(|r| (r.value as f64, cost(r).max(0.001)));
            chart.draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(2))?;
        }
    }
    root.present()?;
    Ok(())
}
