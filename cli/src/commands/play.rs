//! `spo play`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::evaluate::play::{self, Format, Recording, Scene};
use anyhow::bail;
use rand::RngExt;
use spo::base::random::{Stream, stream};
use spo::policy::Acting;
use spo::train::run::files;
use spo::{rollout, train};
use spo_envs::{ActionSpace, Checked, EnvError};

#[derive(clap::Args)]
#[command(after_help = "\
Draws an episode. A run or a policy file shows the trained policy, in the same episodes as `spo eval`. The name of an \
environment shows random actions. The name of the output decides the format:

  FILE.svg   animated lines, sharp at any size, for a page or a README
  FILE.gif   an animation in pixels, which every program can show
  FOLDER     frame-0000.png and so on, to make your own video

The picture shows the whole motion, or follows a figure that moves far.

Examples:
  spo play runs/pendulum-s0                        writes runs/pendulum-s0/episode.svg
  spo play runs/pendulum-s0 --out swing.gif
  spo play policy.safetensors --episode 3 --sample --out frames/
  spo play acrobot --seed 7 --steps 100            random actions, writes acrobot.svg")]
pub struct Args {
    /// A run's directory, a policy file, or the name of an environment
    #[arg(value_name = "RUN|ENV|POLICY")]
    what: PathBuf,
    /// The output: a file .svg or .gif, or a folder of PNGs [default: RUN/episode.svg or ENV.svg]
    #[arg(long, value_name = "FILE|FOLDER")]
    out: Option<PathBuf>,
    /// Seed of the initial state and of random actions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of the episode, from 0
    #[arg(long, default_value_t = 0)]
    episode: u32,
    /// Sample actions from the policy instead of taking its mode
    #[arg(long)]
    sample: bool,
    /// End after this many steps
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Steps between two pictures [default: real time at about 25 pictures a second]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,
    /// Width in pixels
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(200..=4000))]
    size: u32,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // Check the output's name before simulating anything.
    args.out.as_deref().map(Format::from_path).transpose()?;
    let recording = match is_env(&args.what) {
        Some(id) => random(&id, args)?,
        None => trained(args)?,
    };
    let out = args.out.clone().unwrap_or_else(|| {
        if args.what.is_dir() && is_env(&args.what).is_none() {
            return args.what.join("episode.svg");
        }
        // Some characters of an environment's name are not allowed in file names.
        PathBuf::from(format!("{}.svg", recording.env.replace(['/', '\\'], "-")))
    });
    play::write(&Scene::new(&recording, args.size), &out)?;
    let (frames, period) = (recording.frames.len(), recording.period());
    let task_return = recording.frames.last().map_or(0.0, |s| s.task_return);
    super::print(&format!(
        "{}: {}, {frames} pictures over {:.1} s, return {task_return:.1}\n",
        out.display(),
        recording.env,
        frames as f32 * period,
    ))
}

/// The environment that an argument names, unless there is a run or file with that name.
fn is_env(what: &Path) -> Option<String> {
    let id = what.to_str()?;
    let taken = what.is_file() || what.join(files::CONFIG).exists();
    (!taken && spo_envs::make(id).is_ok()).then(|| id.to_string())
}

/// Records an episode of the trained policy: rolls it out as in an evaluation, then replays it.
fn trained(args: &Args) -> anyhow::Result<Recording> {
    if !args.what.exists() {
        bail!("{}", no_such_input(&args.what));
    }
    let (_, policies, factory) = super::eval::trained(&args.what)?;
    let acting = if args.sample { Acting::Sample } else { Acting::Mode };
    let index = args.episode as usize;
    let request = train::evaluation(&policies, args.seed, index + 1, acting);
    let mut env = Checked::new(factory()?);
    let episode = rollout::episode(&policies, &mut env, &request, index)?;
    let actions = episode.actions.chunks(env.spec().action.dim()).map(<[f32]>::to_vec);
    record(args, &mut env, &request, actions)
}

/// Records an episode with actions drawn uniformly within their bounds.
fn random(id: &str, args: &Args) -> anyhow::Result<Recording> {
    let mut env = Checked::new(spo_envs::make(id)?);
    let request = train::evaluation(&[], args.seed, args.episode as usize + 1, Acting::Sample);
    let mut rng = stream(args.seed, Stream("play"), 0, u64::from(args.episode));
    let space = env.spec().action.clone();
    let actions = std::iter::repeat_with(move || match &space {
        ActionSpace::Discrete(options) => vec![rng.random_range(0..*options) as f32],
        ActionSpace::Continuous { low, high } => {
            low.iter().zip(high).map(|(&low, &high)| rng.random_range(low..=high)).collect()
        }
    });
    record(args, &mut env, &request, actions)
}

fn record(
    args: &Args,
    env: &mut Checked,
    request: &rollout::Request,
    actions: impl Iterator<Item = Vec<f32>>,
) -> anyhow::Result<Recording> {
    let every = args.every.map_or_else(|| play::frame_interval(env.spec().dt), |n| n as usize);
    let most = args.steps.map_or(usize::MAX, |n| n as usize);
    let mut resets = request.resets(args.episode as usize);
    Ok(Recording::record(env, &mut resets, actions.take(most), every)?)
}

fn no_such_input(what: &Path) -> String {
    let name = what.display();
    match spo_envs::make(&what.to_string_lossy()) {
        Err(EnvError::Unknown { nearest: Some(near), .. }) => {
            format!("there is no run, policy file or environment `{name}`; did you mean `{near}`?")
        }
        _ => {
            format!("there is no run, policy file or environment `{name}`; `spo envs` lists the environments")
        }
    }
}
