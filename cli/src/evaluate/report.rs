//! What an experiment's runs gave: figures with intervals, tables and pictures.
//!
//! - [`Report::of`]: the runs that are there, and which are missing or failed.
//! - [`runs`]: the two tables that all the rest is made of, `runs.csv` and `curves.csv`.
//! - [`figures`]: interquartile means, shares of the skyline, probabilities of improvement.
//! - A [`tournament`] of each task's runs, where the experiment measures them against each other.
//! - [`write`](mod@write): the files; `readme` is the text, `pictures`, `positions` and `headline` are drawn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::evaluate::experiment::{Cell, Experiment, ExperimentError, Metric, RECORD};
use crate::evaluate::plot::PlotError;
use crate::evaluate::tournament::{self, Player, Setting, Standing, concentration};
use runs::CurvePoint;
use spo::base::tensors::FileError;
use spo::game::PreferenceMatrix;
use spo::oracle::OracleEvents;
use spo::policy::policy_file;
use spo::train::run::files;
use spo::train::{self, Summary, TrainError};

pub mod figures;
mod headline;
mod pictures;
mod positions;
mod readme;
pub mod runs;
pub mod write;

/// What can go wrong with a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No experiment's directory.
    #[error(
        "{0} has no {RECORD}, so it is not the directory of an experiment; `spo experiment FILE.toml --out {0}` makes one"
    )]
    NoExperiment(PathBuf),
    /// Its record.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A run's metrics, or the picture.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A run with another configuration than the experiment's.
    #[error(
        "{dir}: its `{key}` is {there}, the experiment's {planned}; move the run away, or run the experiment again"
    )]
    Foreign {
        /// The run.
        dir: PathBuf,
        /// The first key that differs.
        key: String,
        /// Its value in the run.
        there: String,
        /// Its value in the experiment.
        planned: String,
    },
    /// A summary that lacks what the experiment measures.
    #[error("{dir}: its summary has no {metric}; run it again with this version")]
    Metric {
        /// The run.
        dir: PathBuf,
        /// What the experiment measures.
        metric: &'static str,
    },
    /// The runs of a task cannot play each other.
    #[error("the tournament of {task}: {why}")]
    Tournament {
        /// The task; the experiment's directory where it has no name.
        task: String,
        /// Why.
        why: String,
    },
    /// Nothing to report.
    #[error("no run in {0} has ended yet")]
    Empty(PathBuf),
}

/// An experiment and its runs.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it is.
    pub dir: PathBuf,
    /// Of the directory's record.
    pub experiment: Experiment,
    /// In the experiment's order.
    pub cells: Vec<CellReport>,
    /// Seeds, by cell, of planned runs that have not ended and have not failed.
    pub missing: Vec<(String, Vec<u64>)>,
    /// Runs that failed, each with its last error.
    pub failed: Vec<(String, String)>,
    /// The win rates of each task's runs against each other, where the experiment measures them so and the runs are there.
    pub games: Vec<(String, PreferenceMatrix)>,
}

/// A cell and its runs that ended.
#[derive(Clone, Debug)]
pub struct CellReport {
    /// The cell.
    pub cell: Cell,
    /// In order of their seeds.
    pub runs: Vec<RunReport>,
}

/// A run that ended: a row of `runs.csv` and its points in `curves.csv`.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// Its seed.
    pub seed: u64,
    /// What the experiment measures.
    pub score: f64,
    /// What it measures besides, in the order of the experiment's `also`.
    pub also: Vec<f64>,
    /// Mean task return of the result over the evaluation episodes.
    pub eval_return_mean: f64,
    /// Half width of its 95 % interval (Student's t over episodes).
    pub eval_return_ci95: f64,
    /// Training return at as many environment steps as every run of the task made whose curve is drawn.
    pub at_steps: Option<f64>,
    /// At as many queries as every one of them asked that asks any.
    pub at_queries: Option<f64>,
    /// Environment steps of training.
    pub env_steps: u64,
    /// Comparisons asked.
    pub queries: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Where the learner computed.
    pub device: String,
    /// The program's commit, as far as it knew.
    pub commit: Option<String>,
    /// At most [`runs::POINTS`] points.
    pub curve: Vec<CurvePoint>,
    /// Where its trajectories of the tournament ended, where there was one: (x, y), the first two observations.
    pub positions: Vec<[f32; 2]>,
}

impl Report {
    /// Of the runs in an experiment's directory, those of seeds beyond the plan's among them; where no run is there, of the
    /// tables that an earlier report left. `progress` hears how far the tournaments are.
    ///
    /// # Errors
    /// [`ReportError`]: no experiment, a damaged file, a run of another configuration, no run at all.
    pub fn of(dir: &Path, progress: &mut dyn FnMut(usize, usize)) -> Result<Self, ReportError> {
        let record = dir.join(RECORD);
        if !record.exists() {
            return Err(ReportError::NoExperiment(dir.into()));
        }
        let experiment = Experiment::from_file(&record, false)?;
        let mut report = Self {
            dir: dir.into(),
            cells: Vec::new(),
            missing: Vec::new(),
            failed: Vec::new(),
            games: Vec::new(),
            experiment,
        };
        let cells = report.experiment.cells(&record)?;
        if !runs::any_ended(dir, &cells) {
            if !dir.join(runs::RUNS).exists() {
                return Err(ReportError::Empty(dir.into()));
            }
            report.read_tables(cells)?;
            report.read_positions()?;
            return Ok(report);
        }
        let summaries = report.read_directories(cells)?;
        let measures = report.measures();
        let mut played = BTreeMap::new();
        if measures.iter().any(|metric| metric.is_played()) {
            for task in report.tasks().into_iter().map(String::from).collect::<Vec<_>>() {
                report.play(&task, &mut played, progress)?;
            }
        }
        report.measure(&measures, &summaries, &played)?;
        Ok(report)
    }

    /// What the runs are measured by: the metric, then what is shown besides.
    fn measures(&self) -> Vec<Metric> {
        std::iter::once(self.experiment.metric).chain(self.experiment.also.clone()).collect()
    }

    /// Lets the runs of a task play each other by their oracle; `played` has each run's standing by its name.
    fn play(
        &mut self,
        task: &str,
        played: &mut BTreeMap<String, (Standing, f64)>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), ReportError> {
        let task_of = |c: &&mut CellReport| c.cell.task == task && !c.runs.is_empty();
        let Some(first) = self.cells.iter_mut().find(task_of) else { return Ok(()) };
        let called = if task.is_empty() { self.dir.display().to_string() } else { task.into() };
        let fail = |why: String| ReportError::Tournament { task: called.clone(), why };
        let (env, oracle) = (first.cell.config.env.clone(), first.cell.config.oracle.clone());
        let begin = || -> Result<_, TrainError> {
            let factory = train::registered(&env)?;
            let mut judge = oracle.build()?;
            judge.prepare(factory()?.spec(), &OracleEvents::default())?;
            Ok((factory, judge))
        };
        let (factory, judge) = begin().map_err(|e| fail(e.to_string()))?;
        let mut players = Vec::new();
        for name in self.cells.iter().filter(|c| c.cell.task == task).flat_map(CellReport::names) {
            let (_, policies) = policy_file::load(&self.dir.join(&name).join(files::POLICY))?;
            players.push(Player { name, policies });
        }
        let (tournament, standings) =
            tournament::play(&players, &factory, judge, &Setting::default(), progress)
                .and_then(|t| t.standings().map(|s| (t, s)).map_err(Into::into))
                .map_err(|e| fail(e.to_string()))?;
        let mut rollouts = tournament.rollouts.iter();
        for run in self.cells.iter_mut().filter(|c| c.cell.task == task).flat_map(|c| &mut c.runs) {
            let ends = rollouts.next().map(|r| &r.episodes[..]).unwrap_or_default();
            run.positions = ends.iter().filter_map(|e| e.final_obs.first_chunk().copied()).collect();
        }
        for (standing, rollout) in standings.into_iter().zip(&tournament.rollouts) {
            played.insert(standing.name.clone(), (standing, concentration(rollout)));
        }
        self.games.push((task.into(), tournament.game));
        Ok(())
    }

    fn measure(
        &mut self,
        measures: &[Metric],
        summaries: &[Summary],
        played: &BTreeMap<String, (Standing, f64)>,
    ) -> Result<(), ReportError> {
        let mut summaries = summaries.iter();
        for cell in &mut self.cells {
            let names = cell.names();
            for ((run, name), summary) in cell.runs.iter_mut().zip(names).zip(&mut summaries) {
                let value = |metric: &Metric| {
                    metric.of(summary, played.get(&name)).ok_or_else(|| ReportError::Metric {
                        dir: self.dir.join(&name),
                        metric: metric.title(),
                    })
                };
                run.also = measures.iter().map(value).collect::<Result<_, _>>()?;
                run.score = run.also.remove(0);
            }
        }
        Ok(())
    }

    fn all_runs(&self) -> impl Iterator<Item = &RunReport> {
        self.cells.iter().flat_map(|c| &c.runs)
    }

    /// Whether any run has a return: a game over options has preferences alone.
    fn has_returns(&self) -> bool {
        self.all_runs().any(|run| !run.curve.is_empty())
    }

    /// Whether costs are measured.
    fn has_costs(&self) -> bool {
        self.measures().contains(&Metric::EvalCost)
    }

    /// The missing runs, `CELL SEEDS` each.
    pub fn missing_runs(&self) -> Vec<String> {
        self.missing.iter().map(|(cell, seeds)| format!("{cell} {}", write::ranges(seeds))).collect()
    }

    /// The tasks, in the experiment's order; one without a name where the base names it.
    pub fn tasks(&self) -> Vec<&str> {
        in_order(self.cells.iter().map(|c| c.cell.task.as_str()))
    }

    /// The methods, in the experiment's order.
    pub fn methods(&self) -> Vec<&str> {
        in_order(self.cells.iter().map(|c| c.cell.method.as_str()))
    }

    /// The cell of a task and a method, if it has runs.
    pub fn cell(&self, task: &str, method: &str) -> Option<&CellReport> {
        self.cells.iter().find(|c| c.cell.task == task && c.cell.method == method && !c.runs.is_empty())
    }
}

impl CellReport {
    /// The names of its runs, `CELL-SEED`.
    pub fn names(&self) -> Vec<String> {
        self.runs.iter().map(|run| self.cell.at(run.seed).name).collect()
    }

    /// What its runs scored.
    pub fn scores(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.score).collect()
    }
}

fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
