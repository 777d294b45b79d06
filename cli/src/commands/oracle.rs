//! `spo oracle`.

use std::process::ExitCode;

use spo::Config;
use spo::oracle::{self, OracleEvents, check};
use spo::policy::Acting;
use spo::rollout::{self, Phase, Request};
use spo::train::{Trainer, registered};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List the judges and decorators
    List,
    /// Ask an oracle about trajectories of random actions, and check whether it keeps the contract
    Check(Check),
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  spo oracle check 'bradley_terry=50 | mistake=0.1' pendulum
  spo oracle check 'exec:python3 judge.py' point
  spo oracle check 'exec(data=file):./judge' HalfCheetah-v5@200 --window 20 --json
  spo oracle check llm point --trajectories 5 --base-url http://127.0.0.1:8000/v1 --model NAME

The check asks about all pairs of N trajectories from one state in both orders, in one order twice more, and about each
trajectory against itself: 2 N (N - 1) + N comparisons. The exit code is 1 if the contract is broken: an answer is outside
[0, 1], P(a, b) + P(b, a) is not 1, P(a, a) is not 1/2, or random answers favour the first or second place.")]
pub struct Check {
    /// A judge and decorators, as for `spo train --oracle`
    oracle: String,
    /// Environment (`spo envs` lists them)
    #[arg(default_value = "pendulum")]
    env: String,
    /// Number of trajectories from one initial state
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(2..=1000))]
    trajectories: u64,
    /// Show only the first STEPS steps of each trajectory; 0 shows all
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    window: usize,
    /// Seed of the trajectories and of the oracle's random draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: super::llm::Model,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List => list(),
        Verb::Check(check) => run_check(check),
    }
}

/// Lists all judges and decorators; `spo oracles` prints the same list.
pub fn list() -> anyhow::Result<ExitCode> {
    let mut text = String::from("Judges:\n");
    let entries = oracle::registry();
    let line = |e: &oracle::parse::Entry| format!("  {:<30}{}\n", e.form, e.about);
    text.extend(entries.iter().filter(|e| !e.decorator).map(line));
    text +=
        "\nDecorators of simulated teachers, each after a `|`, from the inside out (defaults of B-Pref):\n";
    text.extend(entries.iter().filter(|e| e.decorator).map(line));
    text += "\nExamples:\n  \
             --oracle return\n  \
             --oracle 'bradley_terry=50 | mistake=0.1 | labels'\n  \
             --oracle '0.7*return + 0.3*effort'\n  \
             --oracle game:cycle          (with the environment options-3)\n  \
             --oracle 'exec:python3 examples/judges/return.py'\n  \
             --oracle 'llm(base_url=http://127.0.0.1:8000/v1,model=NAME,cot=true)'\n\n\
             A program in any language is an oracle: docs/oracle-protocol.md says what it reads and writes, and\n\
             `spo oracle check` tests it. A language model can be an oracle too: docs/llm.md. So can any Rust closure: see examples/custom_oracle.rs.\n";
    super::print(&text)
}

fn run_check(args: &Check) -> anyhow::Result<ExitCode> {
    let mut oracle = args.model.join(args.oracle.parse()?)?.build()?;
    let factory = registered(&args.env)?;
    let notes = OracleEvents::default();
    oracle.prepare(factory()?.spec(), &notes)?;
    // Make a trainer, only to get an untrained policy for the task.
    let config = Config { env: args.env.clone(), ..Config::default() };
    let constant = |_: rollout::Trajectory<'_>, _: rollout::Trajectory<'_>| 0.5;
    let policy = Trainer::new(config, factory.clone(), Box::new(constant), None)?.policy();
    let request = Request {
        seed: args.seed,
        phase: Phase::Train,
        iteration: 0,
        states: 1,
        per_state: args.trajectories as usize,
        acting: Acting::Uniform,
    };
    let rollout = rollout::collect(&[policy], &factory, &request)?;
    let steps = |all: usize| if args.window == 0 { all } else { all.min(args.window) };
    let shown: Vec<_> = rollout.episodes.iter().map(|e| e.window(0, steps(e.len()))).collect();
    let report = check::check(&mut *oracle, &shown, &notes, args.seed)?;
    let text = if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    super::print(&text)?;
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
