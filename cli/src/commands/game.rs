//! `spo game`.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use spo::game::PreferenceMatrix;

#[derive(clap::Args)]
#[command(after_help = "\
Solves a preference matrix exactly. The file is a matrix of P(row beats column), with the options' names in its header:

  ,rock,paper,scissors
  rock,0.5,0,1
  paper,1,0.5,0
  scissors,0,1,0.5

or a list of rankings, each with its number of voters:

  count,ranking
  3,a>b>c
  2,b>c>a

Examples:
  spo game votes.csv
  spo game votes.csv --json
  spo game cycle                  a built-in game: cycle, condorcet_is_not_borda or rock_paper_scissors
  spo game cycle --dynamics       the results of RLHF, self-play and its successors")]
pub struct Args {
    /// A preference matrix or rankings, as CSV; or the name of a built-in game
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Print the results of RLHF, self-play and its successors: each method's mixture, the margin of a best response
    /// against it, and its distance to the minimax winner
    #[arg(long)]
    dynamics: bool,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let builtin = args.file.to_str().and_then(spo::game::builtin);
    let matrix = match builtin {
        Some(matrix) => matrix,
        None => PreferenceMatrix::from_csv_path(&args.file)?,
    };
    let file = || args.file.display().to_string();
    if args.dynamics {
        show(&matrix.methods().with_context(file)?, args.json)
    } else {
        show(&matrix.report().with_context(file)?, args.json)
    }
}

fn show(report: &(impl Serialize + Display), json: bool) -> anyhow::Result<ExitCode> {
    let text = if json { serde_json::to_string_pretty(report)? + "\n" } else { report.to_string() };
    super::print(&text)
}
