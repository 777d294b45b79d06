//! `spo watch`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::web::watch::{self, MOST_RUNS};
use anyhow::{Context, bail};
use spo::train::run::files;

use super::site;

/// The environment variable for the token of a server on an address other than localhost.
const TOKEN: &str = "SPO_WATCH_TOKEN";

#[derive(clap::Args)]
#[command(after_help = "\
Serves a page with curves of return, spread of win proportions, entropy, KL and queries, against steps or queries. It also \
shows the latest trajectories from one state, best to worst, with their win proportions. The page only reads the runs' \
directories: trainers need not run. A run that does not exist yet appears when it begins.

Examples:
  spo watch runs/pendulum-s0
  spo watch runs/pendulum-s*                            several runs, one line each
  spo watch runs/pendulum-s0 --listen 192.0.2.7:7878    for other people: give them the printed address with its token

Keys: space to play, s for the speed, left and right arrow to move in time, q to switch between steps and queries.")]
pub struct Args {
    /// Run directories
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Address of the page: HOST:PORT [default: localhost, port 7878 or the next free one]. Any address other than
    /// localhost needs a token: SPO_WATCH_TOKEN, or else a random one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.runs.len() > MOST_RUNS {
        bail!("{} runs are too many for one page; expected at most {MOST_RUNS}", args.runs.len());
    }
    if let Some(file) = args.runs.iter().find(|run| run.exists() && !run.is_dir()) {
        bail!("{} is not a run's directory", file.display());
    }
    let socket = site::listen(args.listen.as_deref())?;
    for run in args.runs.iter().filter(|run| !run.join(files::CONFIG).exists()) {
        eprintln!("{} is not a run yet; the page will show it when it begins", run.display());
    }
    let (access, url) = site::access(socket.0.local_addr()?, socket.1, TOKEN)?;
    let server = watch::serve(socket.0, access, args.runs.clone()).context("cannot serve the page")?;
    eprintln!("watch at {url}");
    site::until_ctrl_c()?;
    drop(server);
    Ok(ExitCode::SUCCESS)
}
