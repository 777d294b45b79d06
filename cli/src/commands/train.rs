//! `spo train`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::evaluate::plot;
use anyhow::{Context, bail};
use spo::oracle::human::Human;
use spo::oracle::human::oracle::OnProgress;
use spo::oracle::{Oracle, OracleError};
use spo::train::config::{Config, ScorerKind};
use spo::train::run::{Run, files};
use spo::train::tensorboard::Events;
use spo::train::{Summary, TrainError, registered};

use super::label::{self, People, Ready};
use super::llm;
use super::progress::Progress;

#[derive(clap::Args, Default)]
#[command(after_help = "\
Examples:
  spo train pendulum --seed 1
  spo train lqr --oracle effort --set total_steps=100000
  spo train pendulum --opponents queue=128 --set self_play.window=0
  spo train pendulum --scorer reward_model --set budget=2000
  spo train pendulum --scorer reward_model --init runs/pendulum-s0 --set kl_coef=0.01
  spo train pendulum --scorer reward_model --set reward_model.rlhf_rounds=3 --set budget=5000     iterated RLHF
  spo train point_goal --safety-oracle cost=2      safe self-play
  spo train --config mine.toml --seed 2 --out runs/queue-2
  spo train --resume runs/queue-2
  spo train pendulum --device wgpu --set num_states=1024 --set minibatch_size=65536      on a GPU, including environments
  spo train point --oracle human --question 'Which one gets further away?'
  spo train point --oracle llm --base-url http://127.0.0.1:8000/v1 --model NAME
  spo train pendulum --tensorboard                then: tensorboard --logdir runs

`spo watch RUN` shows a run live.
`spo config` explains every key. --set takes its full name, or its short name (--set clip=0.1) if that is unique.
`spo train --show-config` prints the configuration of a run.")]
pub struct Args {
    /// Environment (`spo envs` lists them)
    env: Option<String>,
    /// The oracle that compares: a judge and decorators (`spo oracles` lists them)
    #[arg(long)]
    oracle: Option<String>,
    /// The oracle for safety, such as cost=25: it says which trajectory is safer and whether one is safe (docs/safety.md)
    #[arg(long, value_name = "ORACLE")]
    safety_oracle: Option<String>,
    /// ppo; sac: off-policy, for continuous actions; or ars: random search in the weights, for comparisons of long
    /// trajectories
    #[arg(long)]
    learner: Option<String>,
    /// self_play; reward_model: a baseline fitted to the same answers; llm_direct: a language model's ratings; or
    /// task_reward: the skyline
    #[arg(long)]
    scorer: Option<String>,
    /// The opponents of a trajectory: group, sampled=M or queue=B
    #[arg(long)]
    opponents: Option<String>,
    /// Begin from the latest policy of a run, or from a policy file, instead of random weights
    #[arg(long, value_name = "RUN")]
    init: Option<String>,
    /// Where the learner computes: cpu, or a Burn backend: flex, ndarray, wgpu (`spo devices`); with --resume, a run may
    /// change its device
    #[arg(long)]
    device: Option<String>,
    /// The adapter for wgpu, by its number in `spo devices`
    #[arg(long, value_name = "N")]
    device_index: Option<usize>,
    /// Seed of every random stream
    #[arg(long)]
    seed: Option<u64>,
    /// A TOML file of configuration keys
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one configuration key; may be repeated, and has priority over the file
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The run's directory [default: runs/ENV-sSEED]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue a run that was killed or stopped
    #[arg(long, value_name = "DIR", conflicts_with_all = ["env", "oracle", "safety_oracle", "learner", "scorer", "opponents", "init", "seed", "config", "set", "out", "base_url", "model"])]
    resume: Option<PathBuf>,
    /// Also write TensorBoard's event files into the run's directory; a resumed run that has them continues them
    #[arg(long)]
    tensorboard: bool,
    /// Print the configuration and do not train
    #[arg(long)]
    show_config: bool,
    /// Stop at a checkpoint when standard input ends: for a parent process that may crash
    #[arg(long, hide = true)]
    stop_at_eof: bool,
    #[command(flatten)]
    model: llm::Model,
    #[command(flatten)]
    page: label::Page,
    /// Labels of an earlier run (`spo label RUN --export FILE`): they answer the same pairs
    #[arg(long, value_name = "FILE", help_heading = "People (--oracle human)")]
    labels: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let resumed = args.resume.is_some();
    let config = match &args.resume {
        Some(dir) => {
            let own = Run::config_of(dir)?;
            let device = device_of(&args)?.unwrap_or_else(|| own.device.clone());
            Config { device, ..own }
        }
        None => configure(&args)?,
    };
    // Report errors of the configuration before making a directory.
    config.validate()?;
    if args.show_config {
        return super::print(&config.to_toml());
    }
    let factory = registered(&config.env)?;
    let human = people_of(&config, &args)?;
    let stop = stop_on_signal()?;
    let mut progress = Progress::new(config.total_steps);
    let dir = match (&args.resume, &args.out) {
        (Some(dir), _) | (None, Some(dir)) => dir.clone(),
        (None, None) => free_directory(&config),
    };
    // A human oracle needs a database in the run's directory, so make the directory first.
    let (oracle, server): (Box<dyn Oracle>, _) = match human {
        None => (config.oracle.build()?, None),
        Some(human) => {
            config.validate_on(factory()?.spec())?;
            let ready = Ready::new(&args.page, args.labels.as_deref())?;
            if !resumed {
                Run::make_directory(&dir)?;
            }
            let mut notice = progress.notice();
            let on_progress: OnProgress = Box::new(move |s| {
                notice(&format!("waiting for people: {} of {} pairs answered", s.done, s.pairs));
            });
            let People { oracle, server } =
                label::people(&dir, &config, (human, &args.page), ready, on_progress, stop.clone())?;
            (Box::new(oracle), server)
        }
    };
    spo::device::open(&config.device)?;
    let mut run = if resumed {
        if args.device.is_some() {
            // The run now belongs to this device.
            Run::prepare(&dir, &config)?;
        }
        Run::resume(&dir, factory, oracle)?
    } else {
        Run::create(&dir, config.clone(), factory, oracle)?
    };
    let verb = if resumed { "resuming" } else { "training in" };
    eprintln!("{verb} {}: {} from {}", dir.display(), config.env, describe_teacher(&config));
    if let Some(why) = run.trainer().on_host() {
        eprintln!("environments run on the host and not on {}: {why}", config.device);
    }

    if args.stop_at_eof {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            stop.store(true, Ordering::Relaxed);
        });
    }
    run.warn_by(progress.warning());
    if args.tensorboard || (resumed && Events::are_in(&dir)) {
        run.write_events()?;
    }
    progress.watch(run.trainer().events());
    progress.start(run.trainer().env_steps());
    let trained = run.train(&mut |record, timing| {
        progress.show(record, timing);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    progress.finish();
    let trained = match trained {
        Err(TrainError::Oracle(OracleError::Stopped)) => Ok(None),
        other => other,
    };
    if human.is_some() && matches!(trained, Ok(Some(_))) {
        label::finish(&dir)?;
    }
    drop(server);
    let kept = || match dir.join(files::CHECKPOINT).exists() {
        true => format!("the latest checkpoint is in {}", dir.display()),
        false => format!("{} has no checkpoint yet", dir.display()),
    };
    match trained.with_context(kept)? {
        None => {
            eprintln!("stopped at a checkpoint; continue with\n  spo train --resume {}", dir.display());
            // 128 + SIGINT, as shells do.
            Ok(ExitCode::from(130))
        }
        Some(summary) => finish(&dir, &summary),
    }
}

/// The settings of a human oracle; `None` if the oracle is not human.
fn people_of(config: &Config, args: &Args) -> anyhow::Result<Option<Human>> {
    let asked = config.scorer != ScorerKind::TaskReward;
    match config.oracle.human().filter(|_| asked) {
        Some(human) => Ok(Some(*human)),
        None if args.labels.is_some() || args.page != label::Page::default() => {
            bail!("--listen, --question and --labels need --oracle human")
        }
        None => Ok(None),
    }
}

fn configure(args: &Args) -> anyhow::Result<Config> {
    let mut assignments = args.set.clone();
    for (key, value) in [
        ("env", &args.env),
        ("learner", &args.learner),
        ("oracle", &args.oracle),
        ("safety.oracle", &args.safety_oracle),
        ("scorer", &args.scorer),
        ("self_play.opponents", &args.opponents),
        ("init", &args.init),
        ("device", &device_of(args)?),
    ] {
        assignments.extend(value.as_ref().map(|value| format!("{key}={value}")));
    }
    let (mut config, warnings) = Config::gather(args.config.as_deref(), &assignments)?;
    super::warn_of_old_names(&warnings);
    config.seed = args.seed.unwrap_or(config.seed);
    config.oracle = args.model.join(config.oracle)?;
    Ok(config)
}

/// The value of the key `device` for `--device` and `--device-index`.
fn device_of(args: &Args) -> anyhow::Result<Option<String>> {
    match (args.device.as_deref(), args.device_index) {
        (Some("wgpu"), Some(index)) => Ok(Some(format!("wgpu:{index}"))),
        (_, Some(_)) => bail!("--device-index needs --device wgpu"),
        (device, None) => Ok(device.map(String::from)),
    }
}

fn describe_teacher(config: &Config) -> String {
    let safely = match &config.safety.oracle {
        Some(oracle) if config.safety.trains() => format!(", safe by `{oracle}`"),
        _ => String::new(),
    };
    let opponents = match config.scorer == ScorerKind::SelfPlay {
        true => format!(", opponents {}", config.self_play.opponents),
        false => String::new(),
    };
    config.scorer.signal(&config.oracle.to_string()) + &opponents + &safely
}

/// `runs/ENV-sSEED`, or the first one with a suffix `-2`, `-3`, … that holds no run.
fn free_directory(config: &Config) -> PathBuf {
    let name = format!("{}-s{}", config.env, config.seed);
    let taken = |dir: &Path| dir.join(files::CONFIG).exists();
    let first = Path::new("runs").join(&name);
    if !taken(&first) {
        return first;
    }
    (2..).map(|n| Path::new("runs").join(format!("{name}-{n}"))).find(|dir| !taken(dir)).unwrap_or(first)
}

/// A flag that the first Ctrl-C or SIGTERM sets. A second one ends the process immediately.
fn stop_on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping after this iteration; press Ctrl-C again to stop immediately");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

fn finish(dir: &Path, s: &Summary) -> anyhow::Result<ExitCode> {
    // Without an iteration there is nothing to plot.
    if s.queries == 0 && s.budget_spent {
        bail!(
            "the budget does not cover the first iteration's comparisons, so nothing was learned; increase `budget`"
        );
    }
    let curve = dir.join("curves.svg");
    plot::runs(&[dir.to_path_buf()], &curve)?;
    let mut text = String::new();
    if s.budget_spent {
        text += &format!(
            "training ended after {} environment steps because the budget of comparisons was spent\n",
            s.env_steps
        );
    }
    if let Some(model) = s.reward_model {
        text += &format!(
            "reward model: {} rounds, {} of them without answers; {} diverged networks reset\n",
            model.rounds, model.unanswered, model.restarts
        );
    }
    let note = |(kind, n): (&String, &u64)| match kind.as_str() {
        "microdollars" => format!("${:.4}", *n as f64 / 1e6),
        _ => format!("{n} {kind}"),
    };
    let notes = match s.notes.iter().map(note).collect::<Vec<_>>() {
        none if none.is_empty() => String::new(),
        some => format!("oracle      {}\n", some.join(", ")),
    };
    let cost = match (s.eval_cost_mean, s.eval_cost_ci95) {
        (Some(mean), Some(ci95)) => format!("cost        {mean:.2} ± {ci95:.2}{}\n", unsafe_share(s)),
        _ => String::new(),
    };
    let of_safety = s.safety_queries.map(|n| format!(" and {n} about safety")).unwrap_or_default();
    text += &format!(
        "return      {:.1} ± {:.1}  (95 % interval over {} evaluation episodes)\n{cost}\
         queries     {}{of_safety}\n{}\
         steps       {} in {:.1} s, {:.0} steps/s on {}\n\
         run         {}\n\
         curve       {}\n",
        s.eval_return_mean,
        s.eval_return_ci95,
        s.eval_episodes,
        s.queries,
        notes,
        s.env_steps,
        s.seconds,
        s.steps_per_second,
        s.device,
        dir.display(),
        curve.display()
    );
    super::print(&text)
}

fn unsafe_share(s: &Summary) -> String {
    s.eval_unsafe_share
        .map(|share| format!("  ({:.0} % of the episodes unsafe)", 100.0 * share))
        .unwrap_or_default()
}
