//! `spo experiment`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::evaluate::experiment::{Cell, Experiment, Planned, RECORD, Shard, runs};
use anyhow::{Context, bail};
use spo::base::tensors::write_atomically;
use spo::train::config::Config;
use spo::train::run::{Run, files};

mod board;
mod runner;

use runner::Ending;

#[derive(clap::Args)]
#[command(after_help = "\
The file lists tasks, methods, and the cells that combine them. Each cell runs once for each seed, in a process and a \
directory of its own, DIR/CELL-SEED. Finished runs are skipped; a run that was stopped continues from its checkpoint. A run \
that fails does not stop the others: it is named at the end, and the exit code is 1. Run the command again to try it again. \
Ctrl-C stops every run at a checkpoint.

  title = \"Pendulum from comparisons\"
  question = \"How close do comparisons alone come to the task's own reward?\"
  seeds = 5                     0 to 4; or a list
  metric = \"eval_return\"        what a run is measured by; also = [...] for more columns of the report
  skyline = \"skyline\"           the method that the report counts as 1
  reference = [\"group\"]         the method that it compares with the others
  pictured = [\"group\"]          the methods whose curves it draws, at most six; by default the first six
  [base]                        keys of every run (`spo config` lists them)
  total_steps = 500_000
  [tasks.pendulum]              keys here override those above
  env = \"pendulum\"
  [methods.group]
  [methods.skyline]
  scorer = \"task_reward\"
  [[cells]]                     each task by each method; may be repeated, with `seeds` and `set` of its own
  tasks = [\"pendulum\"]
  methods = [\"group\", \"skyline\"]
  [headline]                    lines of a picture of scores against the number of comparisons
  self-play = [\"group\"]         methods that differ in how many comparisons they ask
  [quick]                       what --quick changes: seeds, set, [[quick.cells]] instead of [[cells]]
  set = { total_steps = 100_000 }

Examples:
  spo experiment experiments/pendulum.toml --list
  spo experiment experiments/pendulum.toml --quick         a smaller form, into results/pendulum-quick
  spo experiment experiments/pendulum.toml --jobs 4
  spo experiment experiments/pendulum.toml --cells queue,group --seeds 0-2
  spo experiment experiments/credit.toml --shard 2/8       the second of eight machines' part
  spo report results/pendulum                              tables and curves of the finished runs")]
pub struct Args {
    /// The experiment
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Number of runs at the same time, each on its share of the cores [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Only the I-th of N parts of the runs, to use N machines
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Use the smaller form in the file's section [quick]
    #[arg(long)]
    quick: bool,
    /// Only these seeds, such as 0,1 or 0-4; seeds beyond the file's are run as well
    #[arg(long, value_name = "LIST")]
    seeds: Option<String>,
    /// Only these cells, by name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    cells: Vec<String>,
    /// Where the runs go [default: results/NAME, results/NAME-quick]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the runs and the state of each, and run nothing
    #[arg(long, visible_alias = "dry-run")]
    list: bool,
}

/// The state of a run before this call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has no directory yet.
    New,
    /// It was stopped before its end.
    Cut,
    /// It ended in an error.
    Failed,
    Done,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let experiment = Experiment::from_file(&args.file, args.quick)?;
    let cells = experiment.cells(&args.file)?;
    for cell in &cells {
        cell.check(&args.file)?;
    }
    let old_names: BTreeSet<String> = cells.iter().flat_map(|cell| cell.old_names.clone()).collect();
    super::warn_of_old_names(&old_names.into_iter().collect::<Vec<_>>());
    let plan = selected(cells, args)?;
    let plan = args.shard.map_or(plan.clone(), |shard| shard.select(plan));
    let suffix = if args.quick { "-quick" } else { "" };
    let dir = (args.out.clone())
        .unwrap_or_else(|| Path::new("results").join(format!("{}{suffix}", experiment.name)));
    let states = plan.iter().map(|run| state(&dir, run)).collect::<anyhow::Result<Vec<_>>>()?;
    if args.list {
        return list(&dir, &plan, &states);
    }
    record(&dir, experiment, args)?;
    let done = states.iter().filter(|s| **s == State::Done).count();
    let todo: Vec<Planned> =
        plan.into_iter().zip(&states).filter(|(_, s)| **s != State::Done).map(|(run, _)| run).collect();
    for run in &todo {
        let dir = dir.join(&run.name);
        if !has_begun(&dir) {
            Run::prepare(&dir, &run.config)?;
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores, usize::from).min(todo.len()).max(1);
    eprintln!("{}: {} runs, {done} done before, {jobs} at a time", dir.display(), done + todo.len());
    let endings = runner::run_all(&dir, &todo, jobs, (cores / jobs).max(1))?;
    finish(&dir, done, &todo, &endings)
}

/// The runs of the named cells and seeds.
fn selected(mut cells: Vec<Cell>, args: &Args) -> anyhow::Result<Vec<Planned>> {
    if let Some(unknown) = args.cells.iter().find(|name| !cells.iter().any(|c| c.name == **name)) {
        let names: Vec<&str> = cells.iter().map(|c| c.name.as_str()).collect();
        bail!(
            "--cells {unknown}: {} has no such cell; expected some of {}",
            args.file.display(),
            names.join(", ")
        );
    }
    if !args.cells.is_empty() {
        cells.retain(|c| args.cells.contains(&c.name));
    }
    if let Some(text) = &args.seeds {
        let seeds = seeds(text).with_context(|| format!("--seeds {text}"))?;
        cells.iter_mut().for_each(|c| c.seeds = seeds.clone());
    }
    Ok(runs(&cells))
}

/// `0,1,5-7`, without repetition.
fn seeds(text: &str) -> anyhow::Result<Vec<u64>> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        match (from.trim().parse::<u32>(), to.trim().parse::<u32>()) {
            (Ok(from), Ok(to)) if from <= to && to - from < 10_000 => all.extend((from..=to).map(u64::from)),
            _ => bail!("`{part}` is not a seed or a range of seeds; expected a list such as 0,1 or 0-4"),
        }
    }
    Ok(all.into_iter().collect())
}

fn state(dir: &Path, run: &Planned) -> anyhow::Result<State> {
    let dir = dir.join(&run.name);
    if has_begun(&dir) {
        check_same(&dir, &run.config)?;
    }
    let has = |file: &str| dir.join(file).exists();
    Ok(match (has(files::SUMMARY), has(files::ERROR), has_begun(&dir)) {
        (true, ..) => State::Done,
        (_, true, _) => State::Failed,
        (.., true) => State::Cut,
        _ => State::New,
    })
}

/// Whether the directory holds a run whose files must not be overwritten.
fn has_begun(dir: &Path) -> bool {
    let has = |file: &str| dir.join(file).metadata().is_ok_and(|m| m.len() > 0);
    has(files::METRICS) || has(files::SUMMARY)
}

/// Refuses the directory of a run with another configuration.
fn check_same(dir: &Path, planned: &Config) -> anyhow::Result<()> {
    match planned.difference(&Run::config_of(dir)?) {
        None => Ok(()),
        Some((key, planned, there)) => bail!(
            "{}: its `{key}` is {there}, the experiment's {planned}; move the run away, choose another folder with \
             --out, or set the key back",
            dir.display()
        ),
    }
}

fn list(dir: &Path, plan: &[Planned], states: &[State]) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    for (run, state) in plan.iter().zip(states) {
        let how = match state {
            State::New => "not started",
            State::Cut => "stopped",
            State::Failed => "failed",
            State::Done => "done",
        };
        text += &format!("{how:<13}{}\n", dir.join(&run.name).display());
    }
    let steps: u64 = plan.iter().map(|run| run.config.total_steps).sum();
    text += &format!("{} runs, {:.1}M environment steps\n", plan.len(), steps as f64 / 1e6);
    super::print(&text)
}

/// Writes the record of the experiment into `dir`, for the report.
fn record(dir: &Path, mut experiment: Experiment, args: &Args) -> anyhow::Result<()> {
    let quick = if args.quick { " --quick" } else { "" };
    let out = args.out.as_ref().map(|out| format!(" --out {}", out.display())).unwrap_or_default();
    let command = format!("spo experiment {}{quick}{out}", args.file.display());
    std::fs::create_dir_all(dir).with_context(|| format!("cannot write {}", dir.display()))?;
    let path = dir.join(RECORD);
    // Run from its own record, an experiment keeps the command of its file.
    let own = path.canonicalize().is_ok_and(|path| args.file.canonicalize().is_ok_and(|file| file == path));
    if !own {
        experiment.command = command;
        write_atomically(&path, experiment.to_toml().as_bytes())?;
    }
    Ok(())
}

fn finish(dir: &Path, before: usize, todo: &[Planned], endings: &[Ending]) -> anyhow::Result<ExitCode> {
    let count = |of: fn(&Ending) -> bool| endings.iter().filter(|e| of(e)).count();
    let done = before + count(|e| *e == Ending::Done);
    let (failed, open) = (count(|e| matches!(e, Ending::Failed(_))), count(|e| *e == Ending::Stopped));
    for (run, ending) in todo.iter().zip(endings) {
        if let Ending::Failed(why) = ending {
            eprintln!("failed: {}: {why}", run.name);
        }
    }
    let total = before + todo.len();
    super::print(&format!("{done} of {total} runs done, {failed} failed, {open} to do\n"))?;
    if open > 0 {
        eprintln!("stopped at checkpoints; the same command continues the experiment");
        // 128 + SIGINT, as in shells.
        return Ok(ExitCode::from(130));
    }
    super::print(&format!("tables and curves: spo report {}\n", dir.display()))?;
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
