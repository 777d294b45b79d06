//! `spo tournament`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::evaluate::tournament::{Player, Setting, Standing, Tournament, concentration, play};
use anyhow::{Context, bail};
use serde_json::json;
use spo::base::tensors::write_atomically;
use spo::oracle::{OracleEvents, OracleSpec};
use spo::rollout::EnvFactory;
use spo::train::run::Run;

use super::eval::trained;
use super::progress;

#[derive(clap::Args)]
#[command(after_help = "\
The trained result of every run plays against every other one: the oracle compares their trajectories from the same initial \
states, with sampled actions. The table shows for each run:

  win rate        the mean win rate against the others
  exploitability  the largest margin 2P - 1 by which another run beats it; negative if none does
  minimax         its weight in the minimax winner, the mixture of runs that no run beats
  Elo             Elo rating with mean 1000; a dash if some runs never lose to the others
  concentration   1 if all episodes end in the same direction from the origin, 0 if in all directions (first two observations)

Examples:
  spo tournament runs/point-*
  spo tournament runs/pendulum-s0 runs/pendulum-s1 --oracle effort
  spo tournament runs/point-* --out game.csv && spo game game.csv")]
pub struct Args {
    /// Run directories, or policy files together with --oracle
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// The oracle that compares [default: the runs' own oracle]
    #[arg(long)]
    oracle: Option<String>,
    /// Initial states
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    states: u32,
    /// Trajectories of each run from each state; a pair of runs is compared STATES x K (K - 1) times
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    per_state: u32,
    /// Seed of states, actions and answers
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the win rates as a preference matrix, for `spo game`
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (env, factory, players) = players(&args.runs)?;
    let spec = match &args.oracle {
        Some(text) => text.parse()?,
        None => own_oracle(&args.runs)?,
    };
    let mut judge = spec.build()?;
    judge.prepare(factory()?.spec(), &OracleEvents::default())?;
    let setting =
        Setting { states: args.states as usize, per_state: args.per_state as usize, seed: args.seed };
    let bar = progress::plain();
    let tournament =
        play(&players, &factory, judge, &setting, &mut |done, of| progress::show(&bar, done, of))?;
    bar.finish_and_clear();
    if let Some(out) = &args.out {
        write_atomically(out, tournament.game.to_csv().as_bytes())?;
    }
    let standings = tournament.standings()?;
    super::print(&if args.json {
        in_json(&env, &spec.to_string(), args.seed, &tournament, &standings)
    } else {
        table(&tournament, &standings)
    })
}

/// The runs' results and their common task.
fn players(runs: &[PathBuf]) -> anyhow::Result<(String, EnvFactory, Vec<Player>)> {
    let mut players: Vec<Player> = Vec::new();
    let mut task: Option<(String, EnvFactory)> = None;
    for path in runs {
        let name = path.display().to_string().trim_end_matches('/').to_string();
        let (env, policies, factory) = trained(path)?;
        let (first, _) = task.get_or_insert((env.clone(), factory));
        if *first != env {
            bail!(
                "{} was trained on `{first}`, {name} on `{env}`; a tournament needs runs of one task",
                players[0].name
            );
        }
        players.push(Player { name, policies });
    }
    let (env, factory) = task.context("no run is named")?;
    Ok((env, factory, players))
}

/// The oracle with which all runs were trained.
fn own_oracle(runs: &[PathBuf]) -> anyhow::Result<OracleSpec> {
    let mut own: Option<OracleSpec> = None;
    for run in runs {
        if !run.is_dir() {
            bail!(
                "{} is not a run's directory, so it names no oracle; choose one with --oracle",
                run.display()
            );
        }
        let spec = Run::config_of(run)?.oracle;
        let first = own.get_or_insert(spec.clone());
        if *first != spec {
            let one = runs[0].display();
            bail!(
                "{one} was trained with `{first}`, {} with `{spec}`; choose one with --oracle",
                run.display()
            );
        }
    }
    own.context("no run is named")
}

fn table(tournament: &Tournament, standings: &[Standing]) -> String {
    let width = standings.iter().map(|s| s.name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = format!(
        "{:<width$}  win rate  exploitability  minimax   Elo  concentration  beaten most by\n",
        "run"
    );
    for (s, rollout) in standings.iter().zip(&tournament.rollouts) {
        let elo = s.elo.map_or("-".into(), |elo| format!("{elo:.0}"));
        text += &format!(
            "{:<width$}  {:>8.3}  {:>14.3}  {:>7.3}  {elo:>4}  {:>13.3}  {}\n",
            s.name,
            s.win_rate,
            s.exploitability,
            s.minimax_weight,
            concentration(rollout),
            s.by
        );
    }
    let q = tournament.queries;
    text + &format!("{} comparisons, {} tied, {} abstained\n", q.asked, q.tied, q.abstained)
}

fn in_json(env: &str, oracle: &str, seed: u64, tournament: &Tournament, standings: &[Standing]) -> String {
    let players: Vec<_> = (standings.iter().zip(&tournament.rollouts))
        .map(|(s, rollout)| {
            json!({
                "run": s.name, "win_rate": s.win_rate, "exploitability": s.exploitability, "by": s.by,
                "minimax_weight": s.minimax_weight, "elo": s.elo, "concentration": concentration(rollout),
            })
        })
        .collect();
    let all = json!({
        "env": env, "oracle": oracle, "seed": seed, "queries": tournament.queries, "players": players,
    });
    format!("{all:#}\n")
}
