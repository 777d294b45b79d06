//! `spo envs`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use spo_envs::{ActionSpace, registry, trace};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Step a task through a recorded trajectory and print what it gave, in the same form
    ///
    /// The file is JSON with `env`, `init` (such as {"state": [0.1, 0.2]}) and `actions`, one list a step. The output
    /// has `obs`, `rewards` and `terminated` of this simulator, so that it can be held against another's.
    Trace {
        /// The trajectory
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        None => super::print(&list()?),
        Some(Verb::Trace { file }) => {
            let name = || file.display().to_string();
            let text = std::fs::read_to_string(file).with_context(name)?;
            let recorded: trace::Trace = serde_json::from_str(&text).with_context(name)?;
            let ours = trace::replay(&recorded).with_context(name)?;
            super::print(&(serde_json::to_string(&ours)? + "\n"))
        }
    }
}

fn list() -> anyhow::Result<String> {
    let mut text =
        format!("{:<20}{:>5}  {:<10}{:>8}{:>7}  about\n", "environment", "obs", "action", "horizon", "dt");
    for entry in registry() {
        let env = (entry.make)();
        let spec = env.spec();
        let action = match &spec.action {
            ActionSpace::Continuous { low, .. } => format!("{} real", low.len()),
            ActionSpace::Discrete(n) => format!("{n} options"),
        };
        let dt = if spec.dt > 0.0 { format!("{}", spec.dt) } else { "-".into() };
        text += &format!(
            "{:<20}{:>5}  {:<10}{:>8}{:>7}  {}\n",
            entry.id, spec.obs_dim, action, spec.horizon, dt, entry.about
        );
    }
    Ok(text)
}
