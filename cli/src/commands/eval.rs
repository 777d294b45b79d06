//! `spo eval`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::evaluate::best_of::{BestOf, RankedBy, best_of};
use anyhow::{Context, bail};
use spo::base::stats;
use spo::policy::policy_file;
use spo::policy::{Acting, Policy};
use spo::rollout::EnvFactory;
use spo::train;
use spo::train::config::ScorerKind;
use spo::train::run::{Run, files};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  spo eval runs/pendulum-s0
  spo eval runs/pendulum-s0 --episodes 1000 --seed 7
  spo eval runs/pendulum-s0 --sample --json
  spo eval runs/pendulum-s0 --best-of 16           rejection sampling")]
pub struct Args {
    /// The run's directory, or a policy file
    run: PathBuf,
    /// Evaluation episodes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..))]
    episodes: u32,
    /// Seed of the initial states
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Sample actions from the policy instead of taking its mode
    #[arg(long)]
    sample: bool,
    /// Rejection sampling: the best of N sampled trajectories from each state, by the run's reward model if it has one,
    /// otherwise by the true return
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    best_of: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The trained policies of a run directory or policy file, and their environment.
pub fn policies_of(run: &Path) -> anyhow::Result<(String, Vec<Policy>)> {
    let path = if run.is_dir() { run.join(files::POLICY) } else { run.to_path_buf() };
    if run.is_dir() && !path.exists() {
        if run.join(files::CONFIG).exists() {
            bail!("{} has not finished; continue it with `spo train --resume {0}`", run.display());
        }
        bail!("{} is not a run: it has no {}; `spo train` makes one", run.display(), files::CONFIG);
    }
    Ok(policy_file::load(&path)?)
}

/// Like [`policies_of`], with the environment itself. Checks that the policies fit it.
pub fn trained(run: &Path) -> anyhow::Result<(String, Vec<Policy>, EnvFactory)> {
    let (env, policies) = policies_of(run)?;
    let factory = train::registered(&env).with_context(|| run.display().to_string())?;
    let spec = factory()?.spec().clone();
    let fits = |p: &Policy| p.mlp.inputs() == spec.obs_dim && p.action == spec.action;
    if !policies.iter().all(fits) {
        bail!("{}: the policy's shapes do not match `{env}`", run.display());
    }
    Ok((env, policies, factory))
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (env, policies, factory) = trained(&args.run)?;
    let acting = if args.sample { Acting::Sample } else { Acting::Mode };
    let returns = train::evaluate(&policies, &factory, args.seed, args.episodes as usize, acting)?;
    let (mean, ci95) = (stats::mean(&returns), stats::ci95(&returns));
    let picked =
        args.best_of.map(|count| rejection_sampling(args, count, &policies, &factory)).transpose()?;
    if args.json {
        let mut json = serde_json::json!({
            "env": env, "eval_return_mean": mean, "eval_return_ci95": ci95,
            "eval_episodes": returns.len(), "seed": args.seed,
        });
        if let (Some(all), Some(picked)) = (json.as_object_mut(), picked) {
            all.insert("rejection_sampling".into(), serde_json::to_value(picked)?);
        }
        return super::print(&format!("{json}\n"));
    }
    let mut text = format!(
        "{env}: return {mean:.1} ± {ci95:.1} (95 % interval over {} episodes, seed {})\n",
        returns.len(),
        args.seed
    );
    if let Some(BestOf { best_of, ranked_by, best_return_mean, best_return_ci95, sampled_return_mean }) =
        picked
    {
        let by = match ranked_by {
            RankedBy::RewardModel => "by the run's reward model",
            RankedBy::TrueReturn => "by the true return",
        };
        text += &format!(
            "best of {best_of} {by}: return {best_return_mean:.1} ± {best_return_ci95:.1} (95 % interval over {} states); \
             mean of all samples {sampled_return_mean:.1}\n",
            args.episodes
        );
    }
    super::print(&text)
}

/// Rejection sampling: the best of `count`, by the run's reward model if it has one.
fn rejection_sampling(
    args: &Args,
    count: u32,
    policies: &[Policy],
    factory: &EnvFactory,
) -> anyhow::Result<BestOf> {
    let has_model = args.run.is_dir() && Run::config_of(&args.run)?.scorer == ScorerKind::RewardModel;
    let mut judge = has_model.then(|| Run::open_at_checkpoint(&args.run)).transpose()?;
    let size = (args.seed, args.episodes as usize, count as usize);
    Ok(best_of(policies, factory, judge.as_mut(), size)?)
}
