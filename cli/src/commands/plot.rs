//! `spo plot`.

use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(after_help = "\
Runs that differ only in their seed make one curve: their mean, with the 95 % interval of the mean shaded.

Examples:
  spo plot runs/pendulum-s*
  spo plot runs/group-* runs/queue-* --out compared.png")]
pub struct Args {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The picture; its name ends in .svg or .png
    #[arg(long, value_name = "FILE", default_value = "curves.svg")]
    out: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    crate::evaluate::plot::runs(&args.runs, &args.out)?;
    super::print(&format!("{}\n", args.out.display()))
}
