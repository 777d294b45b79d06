//! A report as Markdown, CSV and SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::figures::{Estimate, Improvement, Line};
use super::{Report, ReportError, RunReport, measures, positions};
use crate::evaluate::experiment::Metric;
use crate::evaluate::plot::{self, Curve, Figure, Row, Sheet};
use spo::base::tensors::{FileError, write_atomically};

/// Writes a report's files into a folder, which is made, and returns their paths: `report.md`, `report.csv`, `runs.csv`,
/// `report.svg` unless no run has a return; where there are other measures than the return, `measures.svg`, and of more than one `measures.csv`; where runs played each other,
/// `tournament-TASK.csv`; where their final headings are measured, `positions.csv` and `positions.svg`.
///
/// # Errors
/// [`ReportError::File`], [`ReportError::Plot`].
pub fn write(report: &Report, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(out).map_err(|source| FileError::Write { path: out.into(), source })?;
    let lines = report.lines();
    let mut files = vec![
        ("report.md".to_string(), report.markdown(&lines)),
        ("report.csv".into(), csv(lines.iter().map(LineRow::of))),
        ("runs.csv".into(), csv(report.run_rows())),
    ];
    if !report.experiment.also.is_empty() {
        files.push(("measures.csv".into(), csv(report.measure_rows())));
    }
    if measures::any(report) {
        files.push((measures::PICTURE.into(), measures::picture(report, &lines)?));
    }
    for (task, game) in &report.games {
        let name = if task.is_empty() { "tournament.csv".into() } else { format!("tournament-{task}.csv") };
        files.push((name, game.to_csv()));
    }
    if report.measures().contains(&Metric::Concentration) {
        files.push((positions::TABLE.into(), csv(positions::rows(report))));
        files.push((positions::PICTURE.into(), positions::picture(report)?));
    }
    let mut written = Vec::new();
    for (name, text) in files {
        let path = out.join(name);
        write_atomically(&path, text.as_bytes())?;
        written.push(path);
    }
    if report.has_returns() {
        let picture = out.join("report.svg");
        plot::sheet(&report.sheet(), &picture)?;
        written.push(picture);
    }
    Ok(written)
}

/// A row of `report.csv`.
#[derive(Serialize)]
struct LineRow<'a> {
    cell: &'a str,
    seeds: String,
    iqm: f64,
    iqm_low: Option<f64>,
    iqm_high: Option<f64>,
    mean: f64,
    mean_ci95: f64,
    skyline_share: Option<f64>,
    skyline_share_low: Option<f64>,
    skyline_share_high: Option<f64>,
    train_return_at_equal_steps: Option<f64>,
    train_return_at_equal_queries: Option<f64>,
    env_steps: f64,
    queries: f64,
    seconds: f64,
}

impl<'a> LineRow<'a> {
    fn of(line: &'a Line) -> Self {
        let value = |e: Option<Estimate>| e.map(|e| e.value);
        let bounds = |e: Option<Estimate>| {
            let interval = e.and_then(|e| e.interval);
            (interval.map(|i| i.low), interval.map(|i| i.high))
        };
        let ((iqm_low, iqm_high), (share_low, share_high)) = (bounds(Some(line.iqm)), bounds(line.share));
        Self {
            cell: &line.cell,
            seeds: ranges(&line.seeds),
            iqm: line.iqm.value,
            iqm_low,
            iqm_high,
            mean: line.mean,
            mean_ci95: line.ci95,
            skyline_share: value(line.share),
            skyline_share_low: share_low,
            skyline_share_high: share_high,
            train_return_at_equal_steps: value(line.at_steps),
            train_return_at_equal_queries: value(line.at_queries),
            env_steps: line.env_steps,
            queries: line.queries,
            seconds: line.seconds,
        }
    }
}

/// A row of `runs.csv`.
#[derive(Serialize)]
struct RunRow<'a> {
    cell: &'a str,
    seed: u64,
    score: f64,
    eval_return_mean: f64,
    eval_return_ci95: f64,
    env_steps: u64,
    queries: u64,
    seconds: f64,
    device: &'a str,
    commit: &'a str,
}

/// A row of `measures.csv`.
#[derive(Serialize)]
struct MeasureRow<'a> {
    cell: &'a str,
    seed: u64,
    measure: Metric,
    value: f64,
}

fn csv(rows: impl Iterator<Item = impl Serialize>) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.serialize(row).expect("plain values, into memory");
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

impl Report {
    fn all_runs(&self) -> impl Iterator<Item = &RunReport> {
        self.cells.iter().flat_map(|c| &c.runs)
    }

    fn run_rows(&self) -> impl Iterator<Item = RunRow<'_>> {
        let runs = self.cells.iter().flat_map(|c| c.runs.iter().map(|run| (c.cell.name.as_str(), run)));
        runs.map(|(cell, run)| RunRow {
            cell,
            seed: run.seed,
            score: run.score,
            eval_return_mean: run.summary.eval_return_mean,
            eval_return_ci95: run.summary.eval_return_ci95,
            env_steps: run.summary.env_steps,
            queries: run.summary.queries,
            seconds: run.summary.seconds,
            device: &run.summary.device,
            commit: run.summary.commit.as_deref().unwrap_or_default(),
        })
    }

    fn measure_rows(&self) -> impl Iterator<Item = MeasureRow<'_>> {
        let measures = self.measures();
        let runs = self.cells.iter().flat_map(|c| c.runs.iter().map(|run| (c.cell.name.as_str(), run)));
        runs.flat_map(move |(cell, run)| {
            let values = std::iter::once(run.score).chain(run.also.clone());
            let row = |(measure, value)| MeasureRow { cell, seed: run.seed, measure, value };
            measures.clone().into_iter().zip(values).map(row)
        })
    }

    /// One row of panels a task, one colour a method.
    /// Whether any run has a return: a game over options has preferences alone.
    fn has_returns(&self) -> bool {
        self.all_runs().any(|run| run.records.iter().any(|r| r.return_mean != 0.0))
    }

    fn sheet(&self) -> Sheet {
        let methods = self.methods();
        let curve = |task: &str, entry: usize| {
            let cell = self.cell(task, methods[entry])?;
            Some(Curve {
                entry,
                scorer: cell.cell.config.scorer,
                runs: cell.runs.iter().map(|run| run.records.clone()).collect(),
            })
        };
        let rows = self.tasks().into_iter().map(|task| Row {
            title: if task.is_empty() { "task return".into() } else { format!("{task}: task return") },
            figure: Figure::TaskReturn,
            curves: (0..methods.len()).filter_map(|entry| curve(task, entry)).collect(),
        });
        let rows = rows.filter(|row| !row.curves.is_empty()).collect();
        Sheet { legend: methods.iter().map(ToString::to_string).collect(), rows }
    }

    fn markdown(&self, lines: &[Line]) -> String {
        let e = &self.experiment;
        let mut text = format!("# {}\n\n{}\n\n", e.title, e.question.trim());
        if !e.finding.is_empty() {
            text += &format!("{}\n\n", e.finding.trim());
        }
        text += &self.provenance();
        for task in self.tasks() {
            self.table(task, lines, &mut text);
        }
        self.overall_table(&mut text);
        improvements(&self.improvements(), &mut text);
        if self.measures().contains(&Metric::Concentration) {
            text += &format!("![final positions]({})\n\n{}\n\n", positions::PICTURE, positions::CAPTION);
        }
        if measures::any(self) {
            text += &format!(
                "![what was measured]({})\n\nInterquartile means over seeds and their 95 % intervals.\n\n",
                measures::PICTURE
            );
        }
        if self.has_returns() {
            text += "![training returns](report.svg)\n\nTraining returns of the sampling policy, mean over seeds and \
                     its 95 % interval, against environment steps and against queries; a method that asks nobody is \
                     drawn there dashed, at the level where it ended.\n\n";
        }
        text += NOTES;
        if !self.games.is_empty() {
            text += PLAYED;
        }
        text
    }

    fn provenance(&self) -> String {
        let e = &self.experiment;
        let count = |of: &dyn Fn(&RunReport) -> String| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            self.all_runs().for_each(|run| *counts.entry(of(run)).or_default() += 1);
            let named = |(name, n): (&String, &usize)| {
                if counts.len() > 1 { format!("{name} ({n} runs)") } else { name.clone() }
            };
            counts.iter().map(named).collect::<Vec<_>>().join(", ")
        };
        let commit = count(&|run| run.summary.commit.clone().unwrap_or_else(|| "not recorded".into()));
        let device = count(&|run| format!("`{}`", run.summary.device));
        let mut text = format!(
            "```sh\n{}\nspo report {}\n```\n\n{} runs ended; commit {commit}; device {device}.",
            e.command,
            self.dir.display(),
            self.all_runs().count(),
        );
        if !self.missing.is_empty() {
            let missing: usize = self.missing.iter().map(|(_, seeds)| seeds.len()).sum();
            let planned = missing + self.failed.len() + self.all_runs().count();
            let runs = self.missing_runs().join("; ");
            let _ = write!(text, " **Missing**, {missing} of {planned} runs: {runs}.");
        }
        text += "\n\n";
        for (name, why) in &self.failed {
            let _ = writeln!(text, "- **Failed**: {name}: {why}");
        }
        if !self.failed.is_empty() {
            text += "\n";
        }
        text
    }

    fn table(&self, task: &str, lines: &[Line], text: &mut String) {
        let of_task =
            |line: &&Line| self.cells.iter().any(|c| c.cell.name == line.cell && c.cell.task == task);
        let lines: Vec<&Line> = lines.iter().filter(of_task).collect();
        if lines.is_empty() {
            return;
        }
        if !task.is_empty() {
            let _ = writeln!(text, "## {task}\n");
        }
        let reach = self.reach(task);
        let metric = self.experiment.metric.title();
        // Columns that no line fills are left out.
        let share = lines.iter().any(|line| line.share.is_some());
        let queries = reach.queries > 0;
        let mut header = vec!["cell".to_string(), "seeds".into(), format!("{metric}, IQM"), "mean".into()];
        header.extend(self.experiment.also.iter().map(|metric| format!("{}, IQM", metric.title())));
        header.extend(share.then(|| "share of skyline".into()));
        header.push(format!("training return at {} steps", whole(reach.steps as f64)));
        header.extend(queries.then(|| format!("at {} queries", whole(reach.queries as f64))));
        header.extend(["env steps", "queries", "seconds"].map(String::from));
        row(&header, text);
        row(&vec!["---".to_string(); header.len()], text);
        for line in lines {
            let mut cells = vec![line.cell.clone(), ranges(&line.seeds), shown(&line.iqm)];
            cells.push(format!("{} ± {}", number(line.mean), number(line.ci95)));
            cells.extend(line.also.iter().map(shown));
            cells.extend(share.then(|| line.share.as_ref().map_or_else(|| "-".into(), shown)));
            cells.push(line.at_steps.as_ref().map_or_else(|| "-".into(), shown));
            cells.extend(queries.then(|| line.at_queries.as_ref().map_or_else(|| "-".into(), shown)));
            cells.extend([whole(line.env_steps), whole(line.queries), whole(line.seconds)]);
            row(&cells, text);
        }
        text.push('\n');
    }

    fn overall_table(&self, text: &mut String) {
        let overall = self.overall();
        if overall.is_empty() {
            return;
        }
        *text += "## Over tasks\n\n";
        row(&["method", "tasks", "share of skyline, IQM"].map(String::from), text);
        row(&["---", "---", "---"].map(String::from), text);
        for o in overall {
            row(&[o.method, o.tasks.to_string(), shown(&o.share)], text);
        }
        text.push('\n');
    }
}

fn improvements(all: &[Improvement], text: &mut String) {
    if all.is_empty() {
        return;
    }
    *text += "## Probability of improvement\n\n";
    row(&["method", "over", "task", "P(better)"].map(String::from), text);
    row(&["---", "---", "---", "---"].map(String::from), text);
    for i in all {
        let task = i.task.clone().unwrap_or_else(|| format!("all {}", i.tasks));
        row(&[i.method.clone(), i.over.clone(), task, shown(&i.probability)], text);
    }
    text.push('\n');
}

const NOTES: &str = "\
IQM: the mean without the lowest and highest quarter of the runs. In brackets, 95 % intervals of a stratified bootstrap \
over seeds, 10,000 draws (Agarwal et al. 2021); from five seeds or fewer they are too narrow. ±: half width of Student's \
interval of the mean. Share of skyline: 0 is the untrained policy's return, 1 the skyline's. The training return at equal \
steps or queries is that of the sampling policy over the last tenth before as much as every cell of the table has, IQM. \
P(better): a run of the method does better than a run of the other, ties counted half.\n";

const PLAYED: &str = "\
The runs of a task played each other: trajectories of sampled actions from 16 states, 8 of each run from each, compared by \
the task's oracle. A run never met the others while it trained. The largest of several measured margins is a little too \
large: a margin's standard error is about 0.03.\n";

fn row(cells: &[String], text: &mut String) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn shown(e: &Estimate) -> String {
    match e.interval {
        Some(i) => format!("{} [{}, {}]", number(e.value), number(i.low), number(i.high)),
        None => number(e.value),
    }
}

/// About four digits.
pub(crate) fn number(x: f64) -> String {
    let decimals = match x.abs() {
        a if a >= 1000.0 => 0,
        a if a >= 10.0 => 1,
        a if a >= 1.0 || a == 0.0 => 2,
        _ => 3,
    };
    format!("{x:.decimals$}")
}

/// 1234567.8 as "1,234,568".
pub(crate) fn whole(x: f64) -> String {
    let digits = format!("{x:.0}");
    let from = digits.len() % 3;
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && i % 3 == from {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// 0, 1, 2, 5 as "0-2, 5".
pub(super) fn ranges(seeds: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for &seed in seeds {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == seed => *last = seed,
            _ => spans.push((seed, seed)),
        }
    }
    let span = |(from, to): &(u64, u64)| if from == to { format!("{from}") } else { format!("{from}-{to}") };
    spans.iter().map(span).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_read() {
        assert_eq!([1234567.8, 999.4, 1000.0, 12.0].map(whole), ["1,234,568", "999", "1,000", "12"]);
        assert_eq!(
            [-158.123, 2538.17, 0.0123, 1.5, 0.0].map(number),
            ["-158.1", "2538", "0.012", "1.50", "0.00"]
        );
        assert_eq!(ranges(&[0, 1, 2, 5]), "0-2, 5");
        assert_eq!(ranges(&[3]), "3");
    }
}
