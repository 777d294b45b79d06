//! `spo mujoco`.

use std::path::PathBuf;
use std::process::ExitCode;

use spo_envs::mujoco;

#[derive(clap::Args)]
#[command(after_help = "\
spo loads the MuJoCo library from the path in the environment variable SPO_MUJOCO. If it is not set, the path is
$XDG_CACHE_HOME/spo/mujoco/3.17.0/libmujoco.so.3.17.0, with ~/.cache if XDG_CACHE_HOME is not set.

Examples:
  spo mujoco install                           downloads the library with pip
  spo mujoco install --from FILE.whl           installs it without a network
  spo mujoco check
  spo train HalfCheetah-v5@200                 a task that needs it")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Install the library in the user's cache: pip downloads its wheel, and its sha256 is checked
    Install {
        /// Install the library from this wheel, without a network
        #[arg(long, value_name = "FILE.whl")]
        from: Option<PathBuf>,
    },
    /// Print which library is used and whether it works
    Check,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Install { from } => {
            let path = mujoco::install(from.as_deref())?;
            let mut text = format!("MuJoCo {} is at {}\n", mujoco::VERSION, path.display());
            if std::env::var_os("SPO_MUJOCO").is_some_and(|named| !named.is_empty()) {
                text += "but SPO_MUJOCO is set and has priority; unset it to use this library\n";
            }
            super::print(&text)
        }
        Verb::Check => {
            let report = mujoco::check()?;
            let by = if report.found.from_variable { "from SPO_MUJOCO" } else { "installed" };
            let sum = if report.published { "as published" } else { "different from the published wheel" };
            super::print(&format!(
                "library  {} ({by})\nversion  {}\nsha256   {} ({sum})\nworks    {} made a step\n",
                report.found.path.display(),
                report.version,
                report.sum,
                report.stepped,
            ))
        }
    }
}
