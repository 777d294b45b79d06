//! The policies of a run, from the first one to the result, and those of other runs.

use std::path::Path;

use super::recorded::Recorded;
use super::{Found, Options};
use crate::evaluate::tournament::Player;
use spo::policy::Policy;
use spo::policy::policy_file;
use spo::rollout::EnvFactory;
use spo::train::config::{Config, EnvDevice, TrainedResult};
use spo::train::run::{Run, files};
use spo::train::{Trainer, registered};
use spo::{oracle, rollout};

/// Largest number of snapshots that an audit uses: evenly spaced, including the first and the latest.
const MOST: usize = 7;

/// The policies that an audit compares.
pub struct Players {
    /// The task.
    pub factory: Found<EnvFactory>,
    /// The trained result; the latest policy if the run has not finished.
    pub result: Found<Player>,
    /// What the result is, as text.
    pub kind: String,
    /// Policies from the training, oldest first, each with the iteration that it began.
    pub past: Vec<(u64, Player)>,
    /// The results of other runs.
    pub others: Vec<Player>,
}

impl Players {
    /// Loads the policies. What cannot be read is noted in `recorded`.
    pub fn load(recorded: &mut Recorded, options: &Options) -> Self {
        let known = || registered(&recorded.config.env).map_err(|e| e.to_string());
        let factory = options.factory.clone().map_or_else(known, Ok);
        let factory = recorded.note(factory);
        let trainer = factory.clone().and_then(|factory| {
            let nobody = Box::new(|_: rollout::Trajectory<'_>, _: rollout::Trajectory<'_>| 0.5);
            Run::open_at_checkpoint_with(&recorded.dir, factory, (nobody, 0)).map_err(|e| e.to_string())
        });
        let trainer = recorded.note(trainer);
        let past = match (&trainer, &factory) {
            (Ok(trainer), _) => snapshots(trainer),
            (Err(_), Ok(factory)) => untrained(&recorded.config, factory).into_iter().collect(),
            (Err(_), Err(_)) => Vec::new(),
        };
        let (result, kind) = result(recorded, &trainer);
        let result = result.and_then(|policies| {
            factory.as_ref().map_err(Clone::clone).and_then(|factory| fits(&policies, factory))?;
            Ok(Player { name: "result".into(), policies })
        });
        let result = recorded.note(result);
        let mut others = Vec::new();
        for path in &options.against {
            let other = other(path, &recorded.config.env).and_then(|player| {
                factory.as_ref().map_err(Clone::clone).and_then(|f| fits(&player.policies, f))?;
                Ok(player)
            });
            others.extend(recorded.note(other.map_err(|why| format!("--against {}: {why}", path.display()))));
        }
        Self { factory, result, kind, past, others }
    }

    /// At most `most` past policies, evenly spaced, including the first and the latest, followed by the result.
    ///
    /// # Errors
    /// The reason why there is no result.
    pub fn course(&self, most: usize) -> Found<Vec<Player>> {
        let result = self.result.clone()?;
        let past = evenly(self.past.len(), most).into_iter().map(|at| self.past[at].1.clone());
        Ok(past.chain([result]).collect())
    }

    /// The policy with which the run began, if it is known.
    pub fn initial(&self) -> Option<&Player> {
        self.past.first().filter(|(iteration, _)| *iteration == 0).map(|(_, player)| player)
    }
}

fn snapshots(trainer: &Trainer) -> Vec<(u64, Player)> {
    let kept = trainer.snapshots();
    let player = |at: usize| {
        let iteration = at as u64 * kept.stride;
        (iteration, Player { name: named(iteration), policies: vec![kept.policies[at].clone()] })
    };
    evenly(kept.policies.len(), MOST).into_iter().map(player).collect()
}

fn named(iteration: u64) -> String {
    if iteration == 0 { "initial".into() } else { format!("iteration {iteration}") }
}

/// At most `most` evenly spaced numbers from 0 to n − 1, including both ends.
fn evenly(n: usize, most: usize) -> Vec<usize> {
    let count = n.min(most);
    match count {
        0 => Vec::new(),
        1 => vec![0],
        _ => (0..count).map(|k| (k * (n - 1) + (count - 1) / 2) / (count - 1)).collect(),
    }
}

/// The policy with which a configuration begins; `None` if it came from another run, which may no longer exist.
fn untrained(config: &Config, factory: &EnvFactory) -> Option<(u64, Player)> {
    if !config.init.is_empty() {
        return None;
    }
    let config =
        Config { device: spo::device::NAMES[0].into(), env_device: EnvDevice::Host, ..config.clone() };
    let nobody: Box<dyn oracle::Oracle> =
        Box::new(|_: rollout::Trajectory<'_>, _: rollout::Trajectory<'_>| 0.5);
    let trainer = Trainer::new(config, factory.clone(), nobody, None).ok()?;
    Some((0, Player { name: named(0), policies: vec![trainer.policy()] }))
}

/// The policies of the result, and a description.
fn result(recorded: &Recorded, trainer: &Found<Trainer>) -> (Found<Vec<Policy>>, String) {
    let path = recorded.dir.join(files::POLICY);
    if path.exists() {
        let policies = policy_file::load(&path).map(|(_, policies)| policies).map_err(|e| e.to_string());
        let kind = match (recorded.config.result, &policies) {
            (TrainedResult::Last, _) => "the last policy".to_string(),
            (TrainedResult::Best, _) => "the snapshot with the most wins against the others".into(),
            (TrainedResult::Average, Ok(all)) => format!("the uniform mixture of {} snapshots", all.len()),
            (TrainedResult::Average, Err(_)) => "the uniform mixture of snapshots".into(),
        };
        return (policies, kind);
    }
    let newest = trainer
        .as_ref()
        .map(|t| vec![t.policy()])
        .map_err(|why| format!("there is no {}, and no policy from a checkpoint: {why}", files::POLICY));
    (newest, "the latest policy of a run that has not finished".into())
}

fn other(path: &Path, env: &str) -> Found<Player> {
    let file = if path.is_dir() { path.join(files::POLICY) } else { path.to_path_buf() };
    let (of, policies) = policy_file::load(&file).map_err(|e| e.to_string())?;
    if of != env {
        return Err(format!("it was trained on `{of}`, this run on `{env}`"));
    }
    Ok(Player { name: path.display().to_string(), policies })
}

/// Checks that policies can act in a task.
fn fits(policies: &[Policy], factory: &EnvFactory) -> Found<()> {
    let env = factory().map_err(|e| e.to_string())?;
    let spec = env.spec();
    let fits = |p: &Policy| p.mlp.inputs() == spec.obs_dim && p.action == spec.action;
    if policies.iter().all(fits) {
        return Ok(());
    }
    Err(format!("its shapes do not match `{}`", spec.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_with_both_ends() {
        assert_eq!(evenly(0, 7), [0; 0]);
        assert_eq!(evenly(1, 7), [0]);
        assert_eq!(evenly(3, 7), [0, 1, 2]);
        assert_eq!(evenly(64, 4), [0, 21, 42, 63]);
        assert_eq!(evenly(10, 2), [0, 9]);
    }
}
