//! `spo envs`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use spo_envs::{ActionSpace, EnvError, Spec, registry, trace};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  spo envs                             lists all environments
  spo envs trace pendulum.json         steps one through a recorded trajectory")]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Step a task through a recorded trajectory and print the result in the same form
    ///
    /// The file is JSON with `env`, `init` (such as {"state": [0.1, 0.2]}) and `actions`, one list per step. The output
    /// has `obs`, `rewards` and `terminated` of this simulator, to compare with another one. The state of a MuJoCo task is
    /// {"qpos": [..], "qvel": [..]}, and also {"target": [..]} if the task draws a target.
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
        format!("{:<26}{:>5}  {:<10}{:>8}{:>7}  about\n", "environment", "obs", "action", "horizon", "dt");
    let mut missing = None;
    for entry in registry() {
        let mut id = entry.id.to_string();
        let row = match entry.make() {
            Ok(env) => {
                id += if env.has_equations() { " *" } else { "" };
                row(env.spec())
            }
            // List a task even if its simulator is missing, and print once how to install it.
            Err(e @ EnvError::Mujoco { .. }) => {
                missing.get_or_insert(e);
                format!("{:>5}  {:<10}{:>8}{:>7}", "-", "-", "-", "-")
            }
            Err(e) => return Err(e.into()),
        };
        text += &format!("{id:<26}{row}  {}\n", entry.about);
    }
    text += "\n* can also run on a GPU (docs/devices.md)\nid@N is a task with episodes of N steps, such as pendulum@100\n";
    if let Some(e) = missing {
        text += &format!("missing numbers: {e}\n");
    }
    Ok(text)
}

fn row(spec: &Spec) -> String {
    let action = match &spec.action {
        ActionSpace::Continuous { low, .. } => format!("{} real", low.len()),
        ActionSpace::Discrete(n) => format!("{n} options"),
    };
    let dt = if spec.dt > 0.0 { format!("{}", spec.dt) } else { "-".into() };
    format!("{:>5}  {action:<10}{:>8}{dt:>7}", spec.obs_dim, spec.horizon)
}
