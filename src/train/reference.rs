//! The reference policy π₀, which a run starts from: another run's policy, or its own first weights.

use std::path::{Path, PathBuf};

use crate::policy::Policy;
use crate::policy::policy_file;
use crate::train::TrainError;
use crate::train::checkpoint::Checkpoint;
use crate::train::run::{Run, files};

/// A policy that cannot be the initial one.
#[derive(Debug, thiserror::Error)]
#[error("init: {path}: {why}")]
pub struct InitialError {
    path: PathBuf,
    why: String,
}

impl InitialError {
    /// Of the policy at `path`: what is wrong, and the mend.
    pub(crate) fn new(path: &Path, why: impl ToString) -> Self {
        Self { path: path.into(), why: why.to_string() }
    }
}

/// The newest policy of the run in a directory, or that of a policy file, for a run on `env` that normalises
/// observations or not. Its statistics are rounded as in a file.
///
/// # Errors
/// [`InitialError`]: no such run, a damaged file, a mixture, another task, statistics that cannot be continued.
pub fn load(source: &Path, env: &str, normalizes: bool) -> Result<Policy, InitialError> {
    let fail = |why: String| InitialError::new(source, why);
    let (task, mut policies) = if source.is_dir() {
        let (task, policy) = newest(source).map_err(|e| fail(e.to_string()))?;
        (task, vec![policy])
    } else {
        policy_file::load(source).map_err(|e| fail(e.to_string()))?
    };
    let name = |id: &str| id.split('@').next().unwrap_or_default().to_string();
    if name(&task) != name(env) {
        return Err(fail(format!("its policy is for `{task}`; this run is on `{env}`")));
    }
    let count = policies.len();
    let (Some(policy), 1) = (policies.pop(), count) else {
        return Err(fail(format!(
            "it is a mixture of {count} policies; name a run, whose last one is taken"
        )));
    };
    // A file that does not say so counts one: the first rollout would outweigh it.
    if normalizes && policy.normalizer.count <= 1.0 {
        let why = "its observations are not normalised, or by unknown counts; set normalize_obs=false";
        return Err(fail(why.into()));
    }
    Ok(policy)
}

/// The policy of a run's newest checkpoint, and its task.
fn newest(dir: &Path) -> Result<(String, Policy), TrainError> {
    let config = Run::config_of(dir)?;
    let policy = Checkpoint::load(&dir.join(files::CHECKPOINT), config.snapshots)?.policy;
    let normalizer = policy_file::stored(&policy.normalizer);
    Ok((config.env, Policy { normalizer, ..policy }))
}

/// Its network, head and actions, for a message.
fn shape(policy: &Policy) -> String {
    let sizes: Vec<String> = std::iter::once(policy.mlp.inputs())
        .chain(policy.mlp.layers().map(|(_, outputs)| outputs))
        .map(|n| n.to_string())
        .collect();
    let activation = format!("{:?}", policy.mlp.activation()).to_lowercase();
    format!("{} {activation}, head {:?}, {:?}", sizes.join("-"), policy.head, policy.action)
}

/// Whether `policy` can stand in for `own`, which a configuration makes.
///
/// # Errors
/// How they differ.
pub(crate) fn fits(policy: &Policy, own: &Policy) -> Result<(), String> {
    let same = policy.mlp == own.mlp && policy.head == own.head && policy.action == own.action;
    if same && policy.params.len() == own.params.len() {
        return Ok(());
    }
    Err(format!("it is {}; this run's policy is {}", shape(policy), shape(own)))
}
