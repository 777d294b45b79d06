//! `spo report`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::evaluate::report::{Report, write};

use super::progress;

#[derive(clap::Args)]
#[command(after_help = "\
Reads the runs of `spo experiment` in a directory and writes

  README.md    question, commands, commit, what is missing or failed; for each cell the interquartile mean with its
               bootstrap interval, its share of the skyline, returns at equal steps and equal queries, costs;
               probabilities of improvement. The text above a marked line is yours and is kept.
  runs.csv     one row per run: every figure of the tables
  curves.csv   at most 100 points per run, if runs have returns
  report.csv   the table of cells
  report.svg   training returns against steps and against queries, of at most six methods (`pictured` in the experiment)

and, if the experiment has the data for them,

  measures.svg        each method's interquartile mean and interval of what is measured other than the return
  headline.svg        scores against the number of comparisons, a line for each family of methods in [headline]
  tournament-TASK.csv the win rates of the task's runs by its oracle, a preference matrix for `spo game`
  positions.csv/.svg  where the trajectories ended, if `concentration` is measured

Without the run directories, as in a fresh clone, it reads runs.csv, curves.csv and positions.csv instead and
gives the same report. It can also be called while the experiment runs.

Examples:
  spo report results/pendulum
  spo report results/credit --out /tmp/credit")]
pub struct Args {
    /// An experiment's directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where the report goes [default: DIR]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let bar = progress::plain();
    let report = Report::read(&args.dir, &mut |done, of| progress::show(&bar, done, of))?;
    bar.finish_and_clear();
    let out = args.out.as_ref().unwrap_or(&args.dir);
    let written = write::write(&report, out)?;
    for (name, why) in &report.failed {
        eprintln!("failed: {name}: {why}");
    }
    if !report.missing.is_empty() {
        eprintln!("missing: {}", report.missing_runs().join("; "));
    }
    super::print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())
}
