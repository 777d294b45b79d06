//! `spo label`, and the code that `spo train --oracle human` shares with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::web::label::Server;
use anyhow::{Context, bail};
use spo::oracle::human::Human;
use spo::oracle::human::oracle::OnProgress;
use spo::oracle::human::store::About;
use spo::oracle::human::table::Label;
use spo::oracle::human::{HumanOracle, Store, table};
use spo::train::config::Config;
use spo::train::registered;
use spo::train::run::{Run, files};

use super::site;

/// The environment variable for the token of a server on an address other than localhost.
const TOKEN: &str = "SPO_LABEL_TOKEN";

/// Options of the page: its address and its question.
#[derive(clap::Args, Default, PartialEq, Eq)]
#[command(next_help_heading = "People (--oracle human)")]
pub struct Page {
    /// Address of the page: HOST:PORT, or `off` to serve it with `spo label` instead [default: localhost, port 7878 or the
    /// next free one]. Any address other than localhost needs a token: SPO_LABEL_TOKEN, or else a random one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The question for people [default: which one does better at the environment's task]
    #[arg(long, value_name = "TEXT")]
    question: Option<String>,
}

#[derive(clap::Args)]
#[command(after_help = "\
`spo train ENV --oracle human` serves the same page. Use this command to label while no trainer runs, to serve the page from \
a separate process, or to export and import labels. Labels are in RUN/labels.sqlite.

Examples:
  spo label runs/point-s0
  spo label runs/point-s0 --listen 192.0.2.7:7878      for other people: give them the printed address with its token
  spo label runs/point-s0 --export labels.csv          one row per label; `-` prints them
  spo label runs/point-s0 --import labels.csv          these labels answer the same pairs
  spo train point --oracle human --labels labels.csv   the same, for a new run with the same seed

Keys: left and right arrow (or 1 and 2), t for a tie, c for can't tell, space to play, z to undo an answer.")]
pub struct Args {
    /// The run's directory
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Write all labels to a CSV file instead of serving the page
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Import the labels of a CSV file instead of serving the page
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    import: Option<PathBuf>,
    #[command(flatten)]
    page: Page,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let config = Run::config_of(&args.run)?;
    let mut store = match config.oracle.human() {
        Some(human) => Store::create(&args.run, &about(&args.run, &config, *human, &args.page)?)?,
        None => Store::open(&args.run)?,
    };
    if let Some(path) = &args.export {
        let labels = store.export(path)?;
        eprintln!("wrote {labels} labels to {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.import {
        let done = store.import(&table::read(path)?)?;
        return super::print(&format!("imported {} labels; {} were already there\n", done.new, done.known));
    }
    let Some(server) = serve(&args.run, &config.env, Ready::new(&args.page, None)?.socket)? else {
        bail!("with --listen off there is nothing to do; omit it");
    };
    // The first Ctrl-C stops the server: every label is already in the database.
    site::until_ctrl_c()?;
    drop(server);
    eprintln!("\nall labels are in {}", args.run.join(spo::oracle::human::store::FILE).display());
    Ok(ExitCode::SUCCESS)
}

/// Resources that may be missing or in use. They are acquired before anything is written.
pub struct Ready {
    /// The page's socket, and its host name if it has one; `None` if the page is off.
    socket: Option<(TcpListener, Option<String>)>,
    labels: Vec<Label>,
}

impl Ready {
    pub fn new(page: &Page, labels: Option<&Path>) -> anyhow::Result<Self> {
        let labels = labels.map(table::read).transpose()?.unwrap_or_default();
        if page.listen.as_deref() == Some("off") {
            return Ok(Self { socket: None, labels });
        }
        Ok(Self { socket: Some(site::listen(page.listen.as_deref())?), labels })
    }
}

/// Serves the page of a run and prints its address; `None` if the page is off.
fn serve(
    dir: &Path,
    env: &str,
    socket: Option<(TcpListener, Option<String>)>,
) -> anyhow::Result<Option<Server>> {
    let Some((listener, name)) = socket else { return Ok(None) };
    let make = registered(env)?;
    let (access, url) = site::access(listener.local_addr()?, name, TOKEN)?;
    let base = env.split('@').next().unwrap_or(env);
    let about = spo_envs::registry().iter().find(|e| e.id == base).map_or("", |e| e.about);
    let server = Server::start(listener, access, Store::open(dir)?, make, about.into())
        .context("cannot serve the page")?;
    eprintln!("label at {url}");
    Ok(Some(server))
}

/// The description of a run in its database.
fn about(dir: &Path, config: &Config, human: Human, page: &Page) -> anyhow::Result<About> {
    let run = dir.canonicalize().unwrap_or_else(|_| dir.into());
    let before = if dir.join(spo::oracle::human::store::FILE).exists() {
        Some(Store::open(dir)?.about()?)
    } else {
        None
    };
    let question = page.question.clone().or(before.map(|b| b.question)).unwrap_or_default();
    Ok(About {
        run: run.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        env: config.env.clone(),
        question: question.trim().into(),
        votes: human.votes,
        budget: config.budget,
    })
}

/// A run's human oracle and its page.
pub struct People {
    pub oracle: HumanOracle,
    pub server: Option<Server>,
}

/// Makes the human oracle of the run in `dir` and serves its page.
pub fn people(
    dir: &Path,
    config: &Config,
    (human, page): (Human, &Page),
    ready: Ready,
    on_progress: OnProgress,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<People> {
    let mut store = Store::create(dir, &about(dir, config, human, page)?)?;
    if !ready.labels.is_empty() {
        let done = store.import(&ready.labels)?;
        eprintln!("imported {} labels; {} were already there", done.new, done.known);
    }
    let server = serve(dir, &config.env, ready.socket)?;
    Ok(People { oracle: HumanOracle::new(store, human, on_progress, stop), server })
}

/// Tells the page that the run has finished.
pub fn finish(dir: &Path) -> anyhow::Result<()> {
    if dir.join(spo::oracle::human::store::FILE).exists() && dir.join(files::SUMMARY).exists() {
        Store::open(dir)?.set_trainer(spo::oracle::human::store::Trainer::Finished)?;
    }
    Ok(())
}
