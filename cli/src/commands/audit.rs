//! `spo audit`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::evaluate::audit::flags::Verdict;
use crate::evaluate::audit::{self, About, Audit, Options, about};
use anyhow::bail;
use spo::oracle::OracleSpec;

use super::progress;

#[derive(clap::Args)]
#[command(after_help = "\
Writes one page, as audit.md, audit.html and audit.json, with everything that Casper et al. 2023 ask a run to disclose:

  the feedback   who answered, how pairs were chosen, what was asked; a second query: agreement, both orders, cycles, noise
  the signal     scores of the run's policies against their task returns; over-optimisation; exploitability
  the policy     returns, worst episodes, other starts, noisy observations, other dynamics, costs
  the system     seeds, commit, device, configuration

The page raises flags by stated rules: reward hacking suspected, oracle inconsistent, intransitive answers with one last
policy, too few seeds and more (docs/audit.md). If a part is not available, the page says why.

Facts that only a person knows are read from audit-about.toml. The first call writes this file for you to fill in; it never
overwrites one.

Querying a built-in oracle is free, so the audit always queries it again. A program or a language model answers at most
--ask N comparisons. People are never asked again. A closure of a Rust program is not part of a run's directory: name an
equivalent oracle with --oracle.

Examples:
  spo audit runs/pendulum-s0
  spo audit runs/clean-s0 runs/hacked-s0 --out compared
  spo audit runs/pendulum-s0 --against runs/pendulum-s1 --against runs/pendulum-s2
  spo audit runs/point-s0 --about point.toml --episodes 200
  spo audit runs/judged-s0 --ask 20000                     the oracle is a program")]
pub struct Args {
    /// A run's directory; several runs are shown side by side
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Facts that only a person knows, one file per run in order [default: audit-about.toml in the run's directory]
    #[arg(long, value_name = "FILE.toml")]
    about: Vec<PathBuf>,
    /// Folder for the page [default: the first run's directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another run of the task, or a policy file, as an opponent of the result; may be repeated
    #[arg(long, value_name = "RUN")]
    against: Vec<PathBuf>,
    /// Evaluation episodes, without and with each disturbance
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    episodes: u32,
    /// Seed of the audit's initial states and random draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Most comparisons that the audit may ask a program or a language model; with 0 it asks none
    #[arg(long, value_name = "N", default_value_t = 0)]
    ask: u64,
    /// The oracle to query, if it is not the run's own: a judge and decorators, as for `spo train --oracle`
    #[arg(long)]
    oracle: Option<String>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.about.len() > args.runs.len() {
        bail!(
            "--about is given {} times for {} runs; give at most one file per run",
            args.about.len(),
            args.runs.len()
        );
    }
    if let Some(text) = &args.oracle {
        // Check the oracle's text before rolling out anything.
        text.parse::<OracleSpec>()?.build()?;
    }
    let mut audits = Vec::with_capacity(args.runs.len());
    for (at, dir) in args.runs.iter().enumerate() {
        let options = options(args, dir, args.about.get(at))?;
        let bar = progress::plain();
        let audit = Audit::run(dir, &options, &mut |done, of| progress::show(&bar, done, of))?;
        bar.finish_and_clear();
        audits.push(audit);
    }
    let out = args.out.as_ref().unwrap_or(&args.runs[0]);
    let mut written = audit::write(&audits, out)?;
    if args.about.is_empty() {
        for dir in &args.runs {
            written.extend(About::write_template(args.out.as_ref().unwrap_or(dir))?);
        }
    }
    let mut text = String::new();
    for audit in &audits {
        for why in &audit.unread {
            eprintln!("cannot read {}: {why}", audit.run);
        }
        for flag in &audit.flags {
            let mark = if flag.verdict == Verdict::Raised { "RAISED" } else { flag.verdict.words() };
            text += &format!("{mark:<12} {}: {}: {}\n", audit.run, flag.name, flag.figures);
        }
    }
    text.extend(written.iter().map(|path| format!("{}\n", path.display())));
    super::print(&text)
}

fn options(args: &Args, dir: &Path, about: Option<&PathBuf>) -> anyhow::Result<Options> {
    let beside = [Some(dir), args.out.as_deref()].into_iter().flatten().map(|d| d.join(about::FILE));
    let about = match about.cloned().or_else(|| beside.into_iter().find(|path| path.is_file())) {
        Some(path) => About::read(&path)?,
        None => About::default(),
    };
    let spec = args.oracle.as_deref().map(str::parse::<OracleSpec>).transpose()?;
    let oracle = spec.map(|spec| -> audit::OracleFactory { Arc::new(move || spec.build()) });
    Ok(Options {
        episodes: args.episodes as usize,
        seed: args.seed,
        ask: args.ask,
        oracle,
        factory: None,
        against: args.against.clone(),
        about,
    })
}
