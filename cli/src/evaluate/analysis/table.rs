//! The tables of an analysis. They are written from runs, and can be read to draw the picture again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Analysis;
use super::bins::Bin;
use super::over_optimisation::{Round, Step};
use super::reward_vs_kl::{Fit, Reward, RewardVsKl, Step as KlStep};
use crate::evaluate::plot::{self, PlotError};
use spo::base::stats::Line;
use spo::train::config::Config;

pub(super) const CALIBRATION: &str = "calibration.csv";
pub(super) const ACCURACY: &str = "accuracy_by_score.csv";
pub(super) const REWARD_BY_KL: &str = "reward_by_kl.csv";
pub(super) const LINES: &str = "lines.csv";
pub(super) const OVER_OPTIMISATION: &str = "over_optimisation.csv";

/// A row of `calibration.csv` and `accuracy_by_score.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct BinRow {
    pub runs: String,
    pub bin: usize,
    pub comparisons: usize,
    pub mean: f64,
    pub expected: f64,
    pub observed: f64,
    pub low: f64,
    pub high: f64,
}

/// A row of `reward_by_kl.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct KlRow {
    pub runs: String,
    pub seed: u64,
    pub round: u64,
    pub iteration: u64,
    pub env_steps: u64,
    pub root_kl: f64,
    pub score: Option<f64>,
    pub task_return: f64,
}

/// A row of `lines.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct LineRow {
    pub runs: String,
    pub seed: u64,
    pub round: u64,
    pub reward: String,
    pub iterations: usize,
    pub intercept: f64,
    pub slope: f64,
    pub r2: f64,
}

/// A row of `over_optimisation.csv`.
#[derive(Serialize, Deserialize)]
pub(super) struct OverOptimisationRow {
    pub runs: String,
    pub seed: u64,
    pub round: u64,
    pub iteration: u64,
    pub env_steps: u64,
    pub root_kl: f64,
    pub task_return: f64,
    pub train_score: f64,
    pub test_score: f64,
    pub train_mean: Option<f64>,
    pub test_mean: Option<f64>,
    pub parted: bool,
}

/// The rows of a table; empty if the file does not exist, because the analysis had no rows for it.
fn rows<T: serde::de::DeserializeOwned>(dir: &Path, name: &str) -> Result<Vec<T>, PlotError> {
    let path = dir.join(name);
    if path.exists() { plot::rows(&path) } else { Ok(Vec::new()) }
}

/// The analyses whose tables are in `dir`, with the data that a picture needs.
///
/// # Errors
/// [`PlotError`]: no table, or one that cannot be read.
pub(super) fn read(dir: &Path) -> Result<Vec<Analysis>, PlotError> {
    let reward_vs_kl: Vec<KlRow> = plot::rows(&dir.join(REWARD_BY_KL))?;
    let lines: Vec<LineRow> = rows(dir, LINES)?;
    let over_optimisation: Vec<OverOptimisationRow> = rows(dir, OVER_OPTIMISATION)?;
    let (by_gap, by_score): (Vec<BinRow>, Vec<BinRow>) = (rows(dir, CALIBRATION)?, rows(dir, ACCURACY)?);
    let mut names: Vec<&String> = reward_vs_kl.iter().map(|row| &row.runs).collect();
    names.dedup();
    let of_name = |name: &&String| {
        let own = reward_vs_kl.iter().filter(|row| row.runs == **name).collect::<Vec<_>>();
        let reward_vs_kl: Vec<RewardVsKl> = (own.chunk_by(|a, b| a.seed == b.seed))
            .map(|rows| RewardVsKl {
                seed: rows[0].seed,
                steps: rows.iter().map(|row| kl_step(row)).collect(),
                fits: (lines.iter())
                    .filter(|line| line.runs == **name && line.seed == rows[0].seed)
                    .map(fit)
                    .collect(),
            })
            .collect();
        let own = over_optimisation.iter().filter(|row| row.runs == **name).collect::<Vec<_>>();
        Analysis {
            name: (*name).clone(),
            config: Config::default(),
            runs: reward_vs_kl.len(),
            held_out: Vec::new(),
            by_gap: by_gap.iter().filter(|row| row.runs == **name).map(bin).collect(),
            by_lower_score: by_score.iter().filter(|row| row.runs == **name).map(bin).collect(),
            reward_vs_kl,
            rounds: own.chunk_by(|a, b| (a.seed, a.round) == (b.seed, b.round)).map(round).collect(),
        }
    };
    Ok(names.iter().map(of_name).collect())
}

fn bin(row: &BinRow) -> Bin {
    Bin {
        place: row.bin,
        count: row.comparisons,
        key: row.mean,
        expected: row.expected,
        observed: row.observed,
        low: row.low,
        high: row.high,
    }
}

fn kl_step(row: &KlRow) -> KlStep {
    KlStep {
        round: row.round,
        iteration: row.iteration,
        env_steps: row.env_steps,
        root_kl: row.root_kl,
        score: row.score,
        task_return: row.task_return,
    }
}

fn fit(row: &LineRow) -> Fit {
    let reward = if row.reward == Reward::Score.name() { Reward::Score } else { Reward::Return };
    let line = Line { intercept: row.intercept, slope: row.slope, r2: row.r2 };
    Fit { round: row.round, reward, rows: row.iterations, line }
}

fn round(rows: &[&OverOptimisationRow]) -> Round {
    let step = |row: &&OverOptimisationRow| Step {
        iteration: row.iteration,
        env_steps: row.env_steps,
        root_kl: row.root_kl,
        task_return: row.task_return,
        train: row.train_score,
        test: row.test_score,
        train_mean: row.train_mean,
        test_mean: row.test_mean,
    };
    // The first full window ends where the first mean is.
    let window = rows.iter().position(|row| row.train_mean.is_some()).map_or(0, |at| at + 1);
    Round {
        seed: rows[0].seed,
        round: rows[0].round,
        window,
        steps: rows.iter().map(step).collect(),
        diverge_at: rows.iter().position(|row| row.parted),
    }
}
