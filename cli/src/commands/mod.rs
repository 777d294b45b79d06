//! The command line: one file per verb.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod analyze;
mod audit;
mod config;
mod devices;
mod envs;
mod eval;
mod experiment;
mod export;
mod game;
mod label;
mod llm;
mod mujoco;
mod oracle;
mod play;
mod plot;
mod progress;
mod report;
mod site;
mod tournament;
mod train;
mod watch;

/// Self-play preference optimization: learns policies from pairwise comparisons, without a reward model.
///
/// Without a command it trains the default experiment: Pendulum, from comparisons of returns.
#[derive(Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

const EXAMPLES: &str = "\
Examples:
  spo                                       train the default experiment
  spo train pendulum --seed 3               another seed
  spo train point --oracle cyclic --set result=average
  spo train pendulum --oracle 'bradley_terry=50 | mistake=0.1' --opponents sampled=2
  spo train --resume runs/pendulum-s0       continue after a kill or Ctrl-C
  spo plot runs/pendulum-s*                 curves over seeds
  spo watch runs/pendulum-s*                live curves and replays in the browser
  spo experiment experiments/pendulum.toml && spo report results/pendulum
  spo mujoco install && spo train HalfCheetah-v5@200
  spo tournament runs/point-*               trained policies play each other
  spo analyze runs/pendulum-s*              is the reward model calibrated, and is it over-optimised?
  spo play runs/pendulum-s0                 draw an episode
  spo audit runs/pendulum-s0                one page with everything that a run should disclose
  spo train point --oracle human            you compare, on a page in the browser
  spo train point --oracle llm --base-url http://127.0.0.1:8000/v1 --model NAME
  spo game votes.csv                        solve a preference matrix exactly";

#[derive(Subcommand)]
enum Verb {
    /// Train a policy from comparisons
    Train(Box<train::Args>),
    /// Train every cell of an experiment over its seeds
    Experiment(experiment::Args),
    /// Tables and curves of an experiment's runs
    Report(report::Args),
    /// Evaluate a run's trained policy
    Eval(eval::Args),
    /// Write a page with everything that a run should disclose, and raise flags by stated rules
    Audit(audit::Args),
    /// Let trained runs play each other: win rates, exploitability, Elo
    Tournament(tournament::Args),
    /// Plot runs: return, win-proportion spread, entropy and KL against steps and queries
    Plot(plot::Args),
    /// Analyse reward models: calibration, reward against KL, over-optimisation
    Analyze(analyze::Args),
    /// Draw an episode of a run or an environment: animated SVG or GIF, or a folder of PNGs
    Play(play::Args),
    /// Serve the page where people compare a run's trajectories; export and import labels
    Label(label::Args),
    /// Serve a page of live curves and replays of runs
    Watch(watch::Args),
    /// Explain the configuration keys: meaning, type, range, default, source
    Config(config::Args),
    /// List the environments, or step one through a recorded trajectory
    Envs(envs::Args),
    /// List the devices on which a learner can compute: backends, adapters, drivers, limits
    #[command(after_help = "\
Examples:
  spo devices
  spo train pendulum --device flex
  spo train pendulum --device wgpu --device-index 1")]
    Devices,
    /// Install MuJoCo's library for the tasks of Gymnasium and DM Control, or check it
    Mujoco(mujoco::Args),
    /// List the judges and decorators for --oracle
    #[command(after_help = "\
Examples:
  spo oracles
  spo train lqr --oracle effort
  spo train pendulum --oracle 'bradley_terry=50 | mistake=0.1'")]
    Oracles,
    /// Test whether an oracle keeps its contract: antisymmetry, range, repeatability, transitivity, speed
    Oracle(oracle::Args),
    /// Solve a preference matrix: minimax winner, Condorcet, Copeland, Borda, Bradley-Terry
    Game(game::Args),
    /// Write a run's policy as safetensors
    Export(export::Args),
    /// Print a shell completion script
    #[command(after_help = "\
Examples:
  spo completions bash > ~/.local/share/bash-completion/completions/spo
  spo completions fish > ~/.config/fish/completions/spo.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the command. An error is printed to stderr, and the exit code is 1.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.verb {
        None => train::run(train::Args::default()),
        Some(Verb::Train(args)) => train::run(*args),
        Some(Verb::Experiment(args)) => experiment::run(&args),
        Some(Verb::Report(args)) => report::run(&args),
        Some(Verb::Eval(args)) => eval::run(&args),
        Some(Verb::Audit(args)) => audit::run(&args),
        Some(Verb::Tournament(args)) => tournament::run(&args),
        Some(Verb::Plot(args)) => plot::run(&args),
        Some(Verb::Analyze(args)) => analyze::run(&args),
        Some(Verb::Play(args)) => play::run(&args),
        Some(Verb::Label(args)) => label::run(&args),
        Some(Verb::Watch(args)) => watch::run(&args),
        Some(Verb::Config(args)) => config::run(&args),
        Some(Verb::Envs(args)) => envs::run(&args),
        Some(Verb::Devices) => devices::run(),
        Some(Verb::Mujoco(args)) => mujoco::run(&args),
        Some(Verb::Oracles) => oracle::list(),
        Some(Verb::Oracle(args)) => oracle::run(&args),
        Some(Verb::Game(args)) => game::run(&args),
        Some(Verb::Export(args)) => export::run(&args),
        Some(Verb::Completions { shell }) => completions(shell),
    };
    match done {
        Ok(code) => code,
        // The reader closed the pipe, for example `head`. This is not an error.
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}", error_chain(&e));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes, without causes that its text already contains.
fn error_chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "spo", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Warns about keys that have a new name.
pub(crate) fn warn_of_old_names(warnings: &[String]) {
    const SHOWN: usize = 4;
    if warnings.is_empty() {
        return;
    }
    let more = warnings.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    let listed = warnings[..warnings.len() - more].join(", ");
    eprintln!(
        "warning: old names of keys still work in this version, but not in the next: {listed}{rest}\n  \
         docs/configuration.md lists them; `spo train --show-config` prints a run's configuration in the new form"
    );
}

/// Writes to stdout. A closed pipe is an error and not a panic.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
