//! `spo report`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::evaluate::report::{Report, write};

use super::progress;

#[derive(clap::Args)]
#[command(after_help = "\
Reads what `spo experiment` left in a directory and writes

  report.md    question, commands, commit, what is missing or failed; for each cell the interquartile mean with its
               bootstrap interval, its share of the skyline, returns at equal steps and equal queries, costs;
               probabilities of improvement
  report.csv   the table of cells
  runs.csv     one row a run
  report.svg   training returns against steps and against queries, where runs have returns

and, where the experiment measures runs against each other or more than one thing of them,

  measures.csv        every measure of every run
  measures.svg        each method's interquartile mean and interval, also of a single measure that is no return
  tournament-TASK.csv the win rates of the task's runs by its oracle, a preference matrix for `spo game`
  positions.csv/.svg  where the trajectories ended, where `concentration` is measured

It may be called while the experiment runs. The same runs give the same figures.

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
    let report = Report::of(&args.dir, &mut |done, of| progress::show(&bar, done, of))?;
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
