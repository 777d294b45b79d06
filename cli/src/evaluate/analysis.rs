//! Analyses of runs that learn from a reward model, after Bai et al. 2022, "Training a Helpful and Harmless Assistant with
//! Reinforcement Learning from Human Feedback".
//!
//! - [`bins`]: how often the model predicts held-out comparisons correctly, by the difference of the two scores (calibration)
//!   and by the lower of the two scores.
//! - [`reward_vs_kl`]: the reward against √KL(π ‖ π₀), the distance from the reference policy, and a line fitted to it.
//! - [`over_optimisation`]: the scores by two models of different halves of the comparisons, and where they diverge.
//!
//! Runs that differ only in their seed form one [`Analysis`].

use std::path::{Path, PathBuf};

use crate::evaluate::plot::{self, PlotError};
use bins::Bin;
use over_optimisation::Round;
use reward_vs_kl::RewardVsKl;
use spo::base::stats;
use spo::scorer::HeldOut;
use spo::train::config::Config;
use spo::train::run::{Run, files};

pub mod bins;
pub mod over_optimisation;
mod panels;
pub mod reward_vs_kl;
mod summary;
mod table;
mod write;

pub use write::{redraw, write};

/// The analysis of runs that differ only in their seed.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The task, and the keys in which these runs differ from the others.
    pub name: String,
    /// Their configuration, with seed 0.
    pub config: Config,
    /// The number of runs.
    pub runs: usize,
    /// For each run that recorded them, the held-out comparisons as predicted in a round.
    pub held_out: Vec<Vec<HeldOut>>,
    /// Bins by the difference of the two scores.
    pub by_gap: Vec<Bin>,
    /// Bins by the lower of the two scores.
    pub by_lower_score: Vec<Bin>,
    /// Reward against KL, for each run.
    pub reward_vs_kl: Vec<RewardVsKl>,
    /// The scores by both models, for each round of each run that splits its comparisons.
    pub rounds: Vec<Round>,
}

/// The options of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Bins of held-out comparisons, of equal counts.
    pub bins: usize,
    /// The round whose predictions are used; `None` for the last round of each run.
    pub round: Option<u64>,
}

impl Default for Question {
    fn default() -> Self {
        Self { bins: 10, round: None }
    }
}

/// Analyzes the runs in `dirs`. Runs that differ only in their seed are analyzed together, in order of first appearance.
///
/// # Errors
/// [`PlotError`]: a directory that holds no run, a table that cannot be read, a run without rows.
pub fn analyze(dirs: &[PathBuf], question: Question) -> Result<Vec<Analysis>, PlotError> {
    plot::alike(dirs)?.into_iter().map(|those| Analysis::new(those, question)).collect()
}

impl Analysis {
    fn new(those: plot::Alike, question: Question) -> Result<Self, PlotError> {
        let (mut held_out, mut reward_vs_kl, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
        for dir in &those.dirs {
            let (seed, records) = (Run::config_of(dir)?.seed, plot::records(dir)?);
            rounds.extend(over_optimisation::rounds(seed, &records));
            reward_vs_kl.push(RewardVsKl::new(seed, &records, is_fixed(&those.config)));
            let rows = predicted(dir, question.round)?;
            if !rows.is_empty() {
                held_out.push(rows);
            }
        }
        Ok(Self {
            name: those.name,
            config: those.config,
            runs: those.dirs.len(),
            by_gap: bins::by_gap(&held_out, question.bins),
            by_lower_score: bins::by_lower_score(&held_out, question.bins),
            held_out,
            reward_vs_kl,
            rounds,
        })
    }

    /// The last round of each run.
    pub fn last_rounds(&self) -> impl Iterator<Item = &Round> {
        let last = self.rounds.iter().map(|round| round.round).max();
        self.rounds.iter().filter(move |round| Some(round.round) == last)
    }
}

/// Whether all scores of a round are by the same model.
fn is_fixed(config: &Config) -> bool {
    config.rlhf_rounds() > 0
}

/// The predictions of a round of a run, by default the last one. Empty if the run did not record them.
fn predicted(dir: &Path, round: Option<u64>) -> Result<Vec<HeldOut>, PlotError> {
    let path = dir.join(files::REWARD_MODEL);
    // The file is empty if the run has not fitted a model yet.
    if path.metadata().map_or(true, |m| m.len() == 0) {
        return Ok(Vec::new());
    }
    let mut rows: Vec<HeldOut> = plot::rows(&path)?;
    let round = round.or_else(|| rows.last().map(|row| row.round));
    rows.retain(|row| Some(row.round) == round);
    Ok(rows)
}

/// A mean over runs, and half its 95 % interval (Student's t).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverRuns {
    /// The mean.
    pub mean: f64,
    /// Half of its 95 % interval; 0 for a single run.
    pub half: f64,
}

impl OverRuns {
    /// From one number for each run; `None` without runs.
    pub fn from_values(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self { mean: stats::mean(values), half: stats::ci95(values) })
    }
}
