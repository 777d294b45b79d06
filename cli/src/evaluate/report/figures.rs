//! Figures over seeds and tasks, each with its 95 % interval of a stratified bootstrap.

use super::{CellReport, Report, RunReport};
use spo::base::stats::{self, Interval, Resampling, iqm, probability_of_improvement};

/// A figure and its interval. There is no interval if nothing varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its interval.
    pub interval: Option<Interval>,
}

/// A line of the table of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The cell's name.
    pub cell: String,
    /// The seeds whose runs have ended.
    pub seeds: Vec<u64>,
    /// Their scores.
    pub scores: Vec<f64>,
    /// Interquartile mean of the scores.
    pub iqm: Estimate,
    /// Their mean.
    pub mean: f64,
    /// Half width of the mean's interval (Student's t).
    pub ci95: f64,
    /// Interquartile means of the other metrics.
    pub also: Vec<Estimate>,
    /// The score on a scale where the untrained policy is 0 and the skyline is 1.
    pub share: Option<Estimate>,
    /// Interquartile mean of the training return at the number of environment steps that all drawn cells of the task reach.
    pub at_steps: Option<Estimate>,
    /// The same at the number of queries that all drawn cells with queries reach.
    pub at_queries: Option<Estimate>,
    /// Mean environment steps.
    pub env_steps: f64,
    /// Mean queries.
    pub queries: f64,
    /// Mean seconds of training.
    pub seconds: f64,
}

/// The steps and queries that all cells of a task whose curves are drawn reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Environment steps.
    pub steps: u64,
    /// Queries; 0 if no cell makes queries.
    pub queries: u64,
}

/// A method over several tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Overall {
    /// Its name.
    pub method: String,
    /// The number of tasks with this method and the skyline.
    pub tasks: usize,
    /// Interquartile mean of the shares of the skyline, over tasks and seeds.
    pub share: Estimate,
}

/// The probability that a run of one method is better than a run of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Improvement {
    /// The first method.
    pub method: String,
    /// The second method.
    pub over: String,
    /// The task; `None` for all tasks that have both.
    pub task: Option<String>,
    /// The number of tasks.
    pub tasks: usize,
    /// The probability.
    pub probability: Estimate,
}

fn estimate(strata: &[Vec<f64>], statistic: impl Fn(&[Vec<f64>]) -> f64) -> Estimate {
    Estimate { value: statistic(strata), interval: Resampling::default().interval(strata, &statistic) }
}

impl Report {
    /// The steps and queries that all drawn cells of the task reach.
    pub fn reach(&self, task: &str) -> Reach {
        let pictured = self.pictured();
        let of_task = |c: &&CellReport| c.cell.task == task && pictured.contains(&c.cell.method.as_str());
        let runs: Vec<&RunReport> = self.cells.iter().filter(of_task).flat_map(|c| &c.runs).collect();
        let least = |of: fn(&RunReport) -> u64| runs.iter().map(|run| of(run)).filter(|&n| n > 0).min();
        Reach {
            steps: least(|run| run.env_steps).unwrap_or(0),
            queries: least(|run| run.queries).unwrap_or(0),
        }
    }

    /// The table of cells that have runs.
    pub fn lines(&self) -> Vec<Line> {
        self.cells.iter().filter(|c| !c.runs.is_empty()).map(|c| self.line(c)).collect()
    }

    fn line(&self, cell: &CellReport) -> Line {
        let at = |of: fn(&RunReport) -> Option<f64>| {
            let returns: Option<Vec<f64>> = cell.runs.iter().map(of).collect();
            returns.map(|returns| estimate(&[returns], |s| iqm(&s[0])))
        };
        let mean =
            |of: &dyn Fn(&RunReport) -> f64| stats::mean(&cell.runs.iter().map(of).collect::<Vec<_>>());
        let scores = cell.scores();
        let task = cell.cell.task.as_str();
        Line {
            cell: cell.cell.name.clone(),
            seeds: cell.runs.iter().map(|run| run.seed).collect(),
            iqm: estimate(std::slice::from_ref(&scores), |s| iqm(&s[0])),
            mean: stats::mean(&scores),
            ci95: stats::ci95(&scores),
            also: (0..self.experiment.also.len())
                .map(|i| estimate(&[cell.runs.iter().map(|run| run.also[i]).collect()], |s| iqm(&s[0])))
                .collect(),
            share: self.share(&cell.cell.method, &[task]),
            at_steps: at(|run| run.at_steps),
            at_queries: at(|run| run.at_queries),
            env_steps: mean(&|run| run.env_steps as f64),
            queries: mean(&|run| run.queries as f64),
            seconds: mean(&|run| run.seconds),
            scores,
        }
    }

    /// Mean training return of the task's first iterations, whose policies have not learned yet.
    fn untrained(&self, task: &str) -> f64 {
        let of_task = self.cells.iter().filter(|c| c.cell.task == task);
        let first = of_task.flat_map(|c| &c.runs).filter_map(|run| run.curve.first());
        stats::mean(&first.map(|r| r.return_mean).collect::<Vec<_>>())
    }

    /// The interquartile mean over tasks and seeds of (score − untrained) / (skyline − untrained), where the skyline is the
    /// interquartile mean of its runs. The bootstrap resamples the skyline's runs too. `None` without a skyline, or if the
    /// skyline has learned nothing.
    fn share(&self, method: &str, tasks: &[&str]) -> Option<Estimate> {
        let skyline = self.experiment.skyline.as_deref()?;
        if self.experiment.metric.is_a_loss() || method == skyline {
            return None;
        }
        let scores = |method| -> Option<Vec<Vec<f64>>> {
            tasks.iter().map(|task| Some(self.cell(task, method)?.scores())).collect()
        };
        let (own, top) = (scores(method)?, scores(skyline)?);
        let from: Vec<f64> = tasks.iter().map(|task| self.untrained(task)).collect();
        if top.iter().zip(&from).any(|(top, from)| iqm(top) <= *from) {
            return None;
        }
        let shares = |strata: &[Vec<f64>]| {
            let (own, top) = strata.split_at(tasks.len());
            let of_task = |((own, top), from): ((&Vec<f64>, &Vec<f64>), &f64)| {
                let scale = iqm(top) - from;
                own.iter().map(|score| (score - from) / scale).collect::<Vec<_>>()
            };
            iqm(&own.iter().zip(top).zip(&from).flat_map(of_task).collect::<Vec<_>>())
        };
        Some(estimate(&[own, top].concat(), shares))
    }

    /// Each method's share of the skyline over the tasks that have both; empty for a single task.
    pub fn overall(&self) -> Vec<Overall> {
        let Some(skyline) = self.experiment.skyline.as_deref().filter(|_| self.tasks().len() > 1) else {
            return Vec::new();
        };
        (self.methods().into_iter())
            .filter_map(|method| {
                let has =
                    |task: &&str| self.cell(task, method).is_some() && self.cell(task, skyline).is_some();
                let tasks: Vec<&str> = self.tasks().into_iter().filter(has).collect();
                let share = if tasks.is_empty() { None } else { self.share(method, &tasks) };
                Some(Overall { method: method.into(), tasks: tasks.len(), share: share? })
            })
            .collect()
    }

    /// Each reference method against each other method: over all tasks that have both, then for each task.
    pub fn improvements(&self) -> Vec<Improvement> {
        let mut all = Vec::new();
        for method in &self.experiment.reference {
            for over in self.methods().into_iter().filter(|over| over != method) {
                let both = |task: &&str| self.cell(task, method).is_some() && self.cell(task, over).is_some();
                let tasks: Vec<&str> = self.tasks().into_iter().filter(both).collect();
                let mut push = |task: Option<&str>, tasks: &[&str]| {
                    all.push(Improvement {
                        method: method.clone(),
                        over: over.into(),
                        task: task.map(String::from),
                        tasks: tasks.len(),
                        probability: self.improvement(method, over, tasks),
                    });
                };
                match tasks.len() {
                    0 => {}
                    1 => push(Some(tasks[0]), &tasks),
                    _ => {
                        push(None, &tasks);
                        tasks.iter().for_each(|task| push(Some(task), &[task]));
                    }
                }
            }
        }
        all
    }

    fn improvement(&self, method: &str, over: &str, tasks: &[&str]) -> Estimate {
        let sign = if self.experiment.metric.is_a_loss() { -1.0 } else { 1.0 };
        let scores = |method: &str| {
            let cells = tasks.iter().filter_map(|task| self.cell(task, method));
            cells.map(|c| c.scores().iter().map(|s| sign * s).collect()).collect::<Vec<Vec<f64>>>()
        };
        let strata = [scores(method), scores(over)].concat();
        estimate(&strata, |s| probability_of_improvement(&s[..tasks.len()], &s[tasks.len()..]))
    }
}
