//! `spo mujoco`.

use std::path::PathBuf;
use std::process::ExitCode;

use spo_envs::mujoco;

#[derive(clap::Args)]
#[command(after_help = "\
The library is looked for at the path in the environment variable SPO_MUJOCO, and without it at
$XDG_CACHE_HOME/spo/mujoco/3.17.0/libmujoco.so.3.17.0, with ~/.cache where XDG_CACHE_HOME is not set.")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Put the library into the user's cache: pip fetches its wheel, which is checked by its sha256
    Install {
        /// Take the library out of this wheel, without a network
        #[arg(long, value_name = "FILE.whl")]
        from: Option<PathBuf>,
    },
    /// Say which library is found and whether it works
    Check,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Install { from } => {
            let path = mujoco::install(from.as_deref())?;
            let mut text = format!("MuJoCo {} is at {}\n", mujoco::VERSION, path.display());
            if std::env::var_os("SPO_MUJOCO").is_some_and(|named| !named.is_empty()) {
                text += "but SPO_MUJOCO is set and comes first; unset it to use this one\n";
            }
            super::print(&text)
        }
        Verb::Check => {
            let report = mujoco::check()?;
            let by = if report.found.from_variable { "named by SPO_MUJOCO" } else { "installed" };
            let sum = if report.published { "as published" } else { "not that of the published wheel" };
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
