//! Policies as safetensors, for other programs and for `spo eval`.
//!
//! A file holds a mixture of M policies (M = 1 but for an averaged result), one along the first axis:
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `actor.{l}.weight` | `[M, in, out]` | layer l: y = x · weight + bias, tanh between layers |
//! | `actor.{l}.bias` | `[M, out]` | |
//! | `actor.log_std` | `[M, action_dim]` | Gaussian heads only |
//! | `obs.mean`, `obs.std` | `[M, obs_dim]` | x = clip((obs − mean) / std, −10, 10) |
//! | `action.low`, `action.high` | `[action_dim]` | continuous actions only |
//!
//! All are float32. The metadata holds `format` = `spo-policy`, `version`, `env` and `head`: `tanh_gaussian`
//! (action = mid + half · tanh(y)), `clipped_gaussian` (clip(mid + half · y)) or `categorical` (softmax(y)).

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use spo_envs::ActionSpace;

use crate::normalizer::MIN_VAR;
use crate::policy::{Activation, Head, Mlp, Normalizer, Policy};
use crate::tensors::{FileError, FileKind, TensorFile};

const KIND: FileKind = FileKind { format: "spo-policy", version: "1" };

/// Writes a mixture of policies trained on `env`.
///
/// # Errors
/// [`FileError`] where it cannot be written.
pub fn save(path: &Path, env: &str, policies: &[Policy]) -> Result<(), FileError> {
    let first = &policies[0];
    let mut file = TensorFile::new(&KIND);
    file.meta("env", env);
    file.meta("head", head_name(first.head));
    let count = policies.len();
    let mut offset = 0;
    for (layer, (inputs, outputs)) in first.mlp.layers().enumerate() {
        let stack =
            |from: usize, n: usize| policies.iter().flat_map(|p| p.params[from..from + n].to_vec()).collect();
        file.add(
            &format!("actor.{layer}.weight"),
            &[count, inputs, outputs],
            stack(offset, inputs * outputs),
        );
        offset += inputs * outputs;
        file.add(&format!("actor.{layer}.bias"), &[count, outputs], stack(offset, outputs));
        offset += outputs;
    }
    if let ActionSpace::Continuous { low, high } = &first.action {
        let log_std = policies.iter().flat_map(|p| p.params[offset..].to_vec()).collect();
        file.add("actor.log_std", &[count, low.len()], log_std);
        file.add("action.low", &[low.len()], low.clone());
        file.add("action.high", &[high.len()], high.clone());
    }
    let inputs = first.mlp.inputs();
    let mean = policies.iter().flat_map(|p| p.normalizer.mean.iter().map(|&m| m as f32)).collect();
    file.add("obs.mean", &[count, inputs], mean);
    file.add("obs.std", &[count, inputs], policies.iter().flat_map(|p| p.normalizer.std()).collect());
    file.write(path)
}

/// Reads a mixture of policies and the name of its environment.
///
/// # Errors
/// [`FileError`]: unreadable, damaged, not such a file.
pub fn load(path: &Path) -> Result<(String, Vec<Policy>), FileError> {
    let bytes = crate::tensors::read(path)?;
    let (tensors, meta) = crate::tensors::open(path, &bytes, &KIND)?;
    let damaged = |why: &str| FileError::Damaged { path: path.into(), why: why.to_string() };
    let env = meta.get("env").cloned().ok_or_else(|| damaged("no `env` in its metadata"))?;
    let head = meta
        .get("head")
        .and_then(|h| head_of(h))
        .ok_or_else(|| damaged("no known `head` in its metadata"))?;
    decode(&tensors, head).map(|policies| (env, policies)).map_err(|why| damaged(&why))
}

fn decode(tensors: &SafeTensors<'_>, head: Head) -> Result<Vec<Policy>, String> {
    let get = |name: &str| crate::tensors::floats(tensors, name);
    let mut layers = Vec::new();
    while tensors.names().iter().any(|n| **n == format!("actor.{}.weight", layers.len())) {
        let layer = layers.len();
        layers.push((get(&format!("actor.{layer}.weight"))?, get(&format!("actor.{layer}.bias"))?));
    }
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
        return Err("no tensor `actor.0.weight`".into());
    };
    let ([count, inputs, _], [_, outputs]) = (&first.0.0[..], &last.1.0[..]) else {
        return Err("`actor.0.weight` is not [M, in, out]".into());
    };
    let hidden: Vec<usize> =
        layers[..layers.len() - 1].iter().map(|l| l.1.0.last().copied().unwrap_or(0)).collect();
    let mlp = Mlp::new(*inputs, &hidden, *outputs, Activation::Tanh);
    let (mean, std) = (get("obs.mean")?.1, get("obs.std")?.1);
    let action = match head {
        Head::Categorical => ActionSpace::Discrete(*outputs),
        _ => ActionSpace::Continuous { low: get("action.low")?.1, high: get("action.high")?.1 },
    };
    let log_std = if head == Head::Categorical { Vec::new() } else { get("actor.log_std")?.1 };
    let expected = *count * (mlp.params() + Policy::log_stds(head, *outputs));
    let stored = layers.iter().map(|(w, b)| w.1.len() + b.1.len()).sum::<usize>() + log_std.len();
    if stored != expected || mean.len() != count * inputs || std.len() != count * inputs || action.dim() == 0
    {
        return Err("its tensors do not fit together".into());
    }
    let part = |values: &[f32], m: usize| {
        let n = values.len() / count;
        values[m * n..(m + 1) * n].to_vec()
    };
    Ok((0..*count)
        .map(|m| Policy {
            params: layers
                .iter()
                .flat_map(|(w, b)| [part(&w.1, m), part(&b.1, m)].concat())
                .chain(part(&log_std, m))
                .collect(),
            mlp: mlp.clone(),
            normalizer: Normalizer {
                count: 1.0,
                mean: part(&mean, m).into_iter().map(f64::from).collect(),
                var: part(&std, m).into_iter().map(|s| f64::from(s).powi(2) - MIN_VAR).collect(),
            },
            head,
            action: action.clone(),
        })
        .collect())
}

const HEADS: [(&str, Head); 3] = [
    ("tanh_gaussian", Head::TanhGaussian),
    ("clipped_gaussian", Head::ClippedGaussian),
    ("categorical", Head::Categorical),
];

fn head_name(head: Head) -> &'static str {
    HEADS.iter().find(|(_, h)| *h == head).map_or("", |(name, _)| name)
}

fn head_of(name: &str) -> Option<Head> {
    HEADS.iter().find(|(n, _)| *n == name).map(|(_, head)| *head)
}

/// A description of a policy file's tensors, one line each, for `spo export`.
///
/// # Errors
/// As [`load`].
pub fn describe(path: &Path) -> Result<Vec<String>, FileError> {
    let bytes = crate::tensors::read(path)?;
    let (tensors, meta): (SafeTensors<'_>, HashMap<String, String>) =
        crate::tensors::open(path, &bytes, &KIND)?;
    let mut lines: Vec<String> = tensors.iter().map(|(name, t)| format!("{name} {:?}", t.shape())).collect();
    lines.sort();
    lines.push(format!("head {}", meta.get("head").map_or("?", String::as_str)));
    Ok(lines)
}
