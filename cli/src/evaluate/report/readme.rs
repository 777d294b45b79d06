//! The text of a report: a `README.md`. Its upper part is written by the author, its lower part is generated here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::figures::{Estimate, Improvement, Line};
use super::write::{number, ranges, whole};
use super::{Report, RunReport, headline, pictures, positions};

/// Name of the file.
pub(super) const FILE: &str = "README.md";

/// The line between the two parts.
const MARK: &str = "<!-- `spo report` writes what is below this line; what is above it is yours. -->";

impl Report {
    /// The text for a folder. The text above the mark is kept from the existing file, or from the file in the runs' folder.
    pub(super) fn readme(&self, lines: &[Line], out: &Path) -> String {
        let there = |dir: &Path| std::fs::read_to_string(dir.join(FILE)).ok();
        let e = &self.experiment;
        let above = match there(out).or_else(|| there(&self.dir)) {
            Some(text) => text.split(MARK).next().unwrap_or_default().trim_end().to_string(),
            None => {
                format!("# {}\n\n{}\n\n{}", e.title, e.question.trim(), e.finding.trim()).trim_end().into()
            }
        };
        format!("{above}\n\n{MARK}\n\n{}", self.markdown(lines))
    }

    fn markdown(&self, lines: &[Line]) -> String {
        let mut text = self.provenance();
        if !self.experiment.headline.is_empty() {
            let _ = writeln!(text, "![what comparisons buy]({})\n\n{HEADLINE}", headline::PICTURE);
        }
        for task in self.tasks() {
            self.table(task, lines, &mut text);
        }
        self.overall_table(&mut text);
        improvements(&self.improvements(), &mut text);
        if self.has_positions() {
            let _ = writeln!(text, "![final positions]({})\n\n{}\n", positions::PICTURE, positions::CAPTION);
        }
        if self.has_measures() {
            let _ = writeln!(text, "![what was measured]({})\n\n{MEASURED}", pictures::MEASURES);
        }
        if self.has_returns() {
            let _ = writeln!(text, "![training returns]({})\n\n{}", pictures::CURVES, self.about_curves());
        }
        text += NOTES;
        if self.measures().iter().any(|metric| metric.is_played()) {
            text += PLAYED;
        }
        text
    }

    fn about_curves(&self) -> String {
        let (pictured, all) = (self.pictured().len(), self.methods().len());
        let rest = if pictured < all { " The other methods are in the table." } else { "" };
        format!(
            "Training returns of the sampling policy, mean over seeds and its 95 % interval, against environment steps and \
             against comparisons. A method without comparisons is a dashed line there, at its return at the end.{rest}\n"
        )
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
        let commit = count(&|run| run.commit.clone().unwrap_or_else(|| "not recorded".into()));
        let device = count(&|run| format!("`{}`", run.device));
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
        // Leave out columns without a value.
        let share = lines.iter().any(|line| line.share.is_some());
        let steps = lines.iter().any(|line| line.at_steps.is_some());
        let queries = steps && reach.queries > 0;
        let mut header = vec!["cell".to_string(), "seeds".into(), format!("{metric}, IQM"), "mean".into()];
        header.extend(self.experiment.also.iter().map(|metric| format!("{}, IQM", metric.title())));
        header.extend(share.then(|| "share of skyline".into()));
        header.extend(steps.then(|| format!("training return at {} steps", whole(reach.steps as f64))));
        header.extend(queries.then(|| format!("at {} queries", whole(reach.queries as f64))));
        header.extend(["env steps", "queries", "seconds"].map(String::from));
        row(&header, text);
        row(&vec!["---".to_string(); header.len()], text);
        for line in lines {
            let mut cells = vec![line.cell.clone(), ranges(&line.seeds), shown(&line.iqm)];
            cells.push(format!("{} ± {}", number(line.mean), number(line.ci95)));
            cells.extend(line.also.iter().map(shown));
            cells.extend(share.then(|| line.share.as_ref().map_or_else(|| "-".into(), shown)));
            cells.extend(steps.then(|| line.at_steps.as_ref().map_or_else(|| "-".into(), shown)));
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

const HEADLINE: &str = "\
After training: interquartile mean over seeds and its 95 % interval, against the number of comparisons.\n";

const MEASURED: &str = "Interquartile means over seeds and their 95 % intervals.\n";

const NOTES: &str = "\
IQM: the mean without the lowest and highest quarter of the runs. In brackets, 95 % intervals of a stratified bootstrap \
over seeds, 10,000 draws (Agarwal et al. 2021); from five seeds or fewer they are too narrow. ±: half width of Student's \
interval of the mean. Share of skyline: 0 is the untrained policy's return, 1 the skyline's. The training return at equal \
steps or queries is the IQM, with sampled actions, over the last tenth before the largest number that all drawn methods reach. \
P(better): the probability that a run of the method does better than a run of the other; a tie counts half.\n";

const PLAYED: &str = "\
The runs of a task played each other: trajectories of sampled actions from 16 states, 8 of each run from each, compared by \
the task's oracle. The runs were not trained against each other. The largest of several measured margins is a little too \
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
