//! `spo analyze`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::evaluate::analysis::{self, Question};

#[derive(clap::Args)]
#[command(after_help = "\
The analyses of Bai et al. 2022 (RLHF) for finished runs. Runs that differ only in their seed are analyzed together, with \
means and 95 % intervals. DIR gets the files for which there is data:

  calibration.csv        held-out comparisons by the difference of their scores: how often the side
                         that the model predicts wins, and how often it should
  accuracy_by_score.csv  the same by the lower of the two scores: is the model wrong if both are high?
  reward_by_kl.csv       score and return of every iteration against the root of KL(policy || reference
                         policy) of whole trajectories
  lines.csv              the least-squares line through each round of these, with its R2
  over_optimisation.csv  the policy's score by its own model and by a model of the other half of the
                         comparisons, and the point from which only the first still rises
  analysis.svg, .png     a picture of all of these

The first two need reward_model.log_predictions=true, the score needs reward_model.rlhf_rounds above 0, and the last needs reward_model.split=true. The \
command reports what a run lacks. docs/rlhf.md has the rules.

Examples:
  spo train pendulum --scorer reward_model --set reward_model.rlhf_rounds=5 --set budget=5000 \\
      --set reward_model.log_predictions=true --set reward_model.split=true
  spo analyze runs/pendulum-s*
  spo analyze results/rlhf/pendulum-* --out results/rlhf/pendulum-analysis
  spo analyze --redraw results/rlhf-quick/analysis/point-split")]
pub struct Args {
    /// Run directories
    #[arg(required_unless_present = "redraw", value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the tables and pictures go
    #[arg(long, value_name = "DIR", default_value = "analysis")]
    out: PathBuf,
    /// Draw the picture again from the tables of an earlier analysis, without the runs
    #[arg(long, value_name = "DIR", conflicts_with_all = ["runs", "out"])]
    redraw: Option<PathBuf>,
    /// Bins of held-out comparisons
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    bins: u32,
    /// Held-out comparisons as this round of the reward model predicted them [default: the last]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    round: Option<u64>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let paths = |written: Vec<PathBuf>| {
        written.iter().map(|path| format!("{}\n", path.display())).collect::<String>()
    };
    if let Some(dir) = &args.redraw {
        return super::print(&paths(analysis::redraw(dir)?));
    }
    let question = Question { bins: args.bins as usize, round: args.round };
    let all = analysis::analyze(&args.runs, question)?;
    let written = analysis::write(&all, &args.out)?;
    let summaries: String = all.iter().map(ToString::to_string).collect();
    super::print(&format!("{summaries}{}", paths(written)))
}
