//! The reference policy π₀, which a run starts from: another run's policy, or random weights.

use std::path::{Path, PathBuf};

use spo_envs::ActionSpace;

use crate::policy::policy_file;
use crate::policy::{Activation, Policy};
use crate::train::TrainError;
use crate::train::checkpoint::Checkpoint;
use crate::train::run::{Run, files};

/// A policy that cannot be the reference policy.
#[derive(Debug, thiserror::Error)]
#[error("init: {path}: {why}")]
pub struct ReferenceError {
    path: PathBuf,
    why: String,
}

impl ReferenceError {
    /// An error of the policy at `path`; `why` says what is wrong and what to change.
    pub(crate) fn new(path: &Path, why: impl ToString) -> Self {
        Self { path: path.into(), why: why.to_string() }
    }
}

/// Loads the newest policy of the run in a directory, or the policy in a file, for a run on `env`. `normalizes` is whether that
/// run normalises observations. The policy's observation statistics are rounded as in a file.
///
/// # Errors
/// [`ReferenceError`]: not a run or a policy file, a damaged file, a mixture of policies, a policy for another task, or
/// observation statistics that cannot be continued.
pub fn load(source: &Path, env: &str, normalizes: bool) -> Result<Policy, ReferenceError> {
    let fail = |why: String| ReferenceError::new(source, why);
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
            "it is a mixture of {count} policies; give the directory of a run to use its last policy"
        )));
    };
    // A file without a count has a count of 1: the first rollout would replace its statistics almost entirely.
    if normalizes && policy.normalizer.count <= 1.0 {
        let why = "it does not normalise observations, or does not give the count of its statistics; set normalize_obs=false";
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

/// The network, head and actions of a policy, for error messages.
fn shape(policy: &Policy) -> String {
    let sizes: Vec<String> = std::iter::once(policy.mlp.inputs())
        .chain(policy.mlp.layers().map(|(_, outputs)| outputs))
        .map(|n| n.to_string())
        .collect();
    let activation = match policy.mlp.activation() {
        Activation::Tanh => "tanh",
        Activation::Relu => "relu",
    };
    let actions = match &policy.action {
        ActionSpace::Discrete(options) => format!("{options} options"),
        ActionSpace::Continuous { low, high } => {
            let bounds: Vec<String> = low.iter().zip(high).map(|(l, h)| format!("{l} to {h}")).collect();
            format!("actions from {}", bounds.join(", "))
        }
    };
    format!("{} {activation}, head {}, {actions}", sizes.join("-"), policy_file::head_name(policy.head))
}

/// Checks that `policy` has the same shape as `own`, the policy that the configuration makes.
///
/// # Errors
/// A description of the difference.
pub(crate) fn fits(policy: &Policy, own: &Policy) -> Result<(), String> {
    let same = policy.mlp == own.mlp && policy.head == own.head && policy.action == own.action;
    if same && policy.params.len() == own.params.len() {
        return Ok(());
    }
    Err(format!("it is {}; this run's policy is {}", shape(policy), shape(own)))
}
