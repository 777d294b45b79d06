//! `spo watch`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::web::watch::{self, MOST_RUNS};
use anyhow::{Context, bail};
use spo::train::run::files;

use super::site;

/// The variable that may hold the token of a server beyond loopback.
const TOKEN: &str = "SPO_WATCH_TOKEN";

#[derive(clap::Args)]
#[command(after_help = "\
Curves of return, spread of win proportions, entropy, KL and queries, against steps or queries; and the newest \
trajectories of one state side by side, best to worst, with the win proportion of each. The page is read from the runs' \
directories: trainers need not run, and need not know. A run that is not there yet shows once it is.

Examples:
  spo watch runs/pendulum-s0
  spo watch runs/pendulum-s*                            several, each a line
  spo watch runs/pendulum-s0 --listen 192.0.2.7:7878    for others, by the address with the token that it prints

Keys: space to play, s for the speed, left and right arrow to wind, q for queries in place of steps.")]
pub struct Args {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where the page is served: HOST:PORT [default: loopback, port 7878 or the next free one]. Beyond loopback a token
    /// is demanded, SPO_WATCH_TOKEN or one drawn at random
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.runs.len() > MOST_RUNS {
        bail!("{} runs are more than anybody tells apart; expected at most {MOST_RUNS}", args.runs.len());
    }
    if let Some(file) = args.runs.iter().find(|run| run.exists() && !run.is_dir()) {
        bail!("{} is no run's directory", file.display());
    }
    let socket = site::listen(args.listen.as_deref())?;
    for run in args.runs.iter().filter(|run| !run.join(files::CONFIG).exists()) {
        eprintln!("{} is no run yet; it shows once it is", run.display());
    }
    let (access, url) = site::access(socket.0.local_addr()?, socket.1, TOKEN)?;
    let server = watch::serve(socket.0, access, args.runs.clone()).context("cannot serve the page")?;
    eprintln!("watch at {url}");
    site::until_ctrl_c()?;
    drop(server);
    Ok(ExitCode::SUCCESS)
}
