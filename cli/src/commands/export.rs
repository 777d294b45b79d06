//! `spo export`.

use std::path::PathBuf;
use std::process::ExitCode;

use spo::policy::policy_file;
use spo::train::run::files;

#[derive(clap::Args)]
#[command(after_help = "\
Writes a run's policy as safetensors. The tensors are float32, with M policies along the first axis (M = 1 unless the run's
result is an average):

  actor.{l}.weight  [M, in, out]   y = x . weight + bias, the activation (tanh or relu) between layers
  actor.{l}.bias    [M, out]
  actor.log_std     [M, action]    heads tanh_gaussian and clipped_gaussian
  obs.mean, obs.std [M, obs]       x = clip((obs - mean) / std, -10, 10)
  action.low, .high [action]       action = mid + half * tanh(y), or clip(mid + half * y);
                                   squashed_gaussian: mid + half * tanh(first half of y)

The file's metadata names head and activation.

Examples:
  spo export runs/pendulum-s0
  spo export runs/pendulum-s0 --out swing.safetensors
  spo play swing.safetensors                       policy files work where runs do")]
pub struct Args {
    /// The run's directory
    run: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "policy.safetensors")]
    out: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (env, policies) = super::eval::policies_of(&args.run)?;
    policy_file::save(&args.out, &env, &policies)?;
    let mut text =
        format!("{} of {} on {env}:\n", args.out.display(), args.run.join(files::POLICY).display());
    for line in policy_file::describe(&args.out)? {
        text += &format!("  {line}\n");
    }
    super::print(&text)
}
