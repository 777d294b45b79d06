//! `spo report`.

use std::path::PathBuf;
use std::process::ExitCode;

use spo::report::{Report, write};

#[derive(clap::Args)]
#[command(after_help = "\
Reads what `spo experiment` left in a directory and writes

  report.md    question, commands, commit, what is missing or failed; for each cell the interquartile mean with its
               bootstrap interval, its share of the skyline, returns at equal steps and equal queries, costs;
               probabilities of improvement
  report.csv   the table of cells
  runs.csv     one row a run
  report.svg   training returns against steps and against queries

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
    let report = Report::of(&args.dir)?;
    let out = args.out.as_ref().unwrap_or(&args.dir);
    write::write(&report, out)?;
    for (name, why) in &report.failed {
        eprintln!("failed: {name}: {why}");
    }
    if !report.missing.is_empty() {
        eprintln!("missing: {}", report.missing_runs().join("; "));
    }
    let paths = write::FILES.map(|name| format!("{}\n", out.join(name).display()));
    super::print(&paths.concat())
}
