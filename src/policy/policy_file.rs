//! Policy files: safetensors for other programs and for `spo eval`.
//!
//! A file holds a mixture of M policies along the first axis (M = 1 unless the run's result is an average):
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `actor.{l}.weight` | `[M, in, out]` | layer l: y = x · weight + bias, the activation between layers |
//! | `actor.{l}.bias` | `[M, out]` | |
//! | `actor.log_std` | `[M, action_dim]` | heads `tanh_gaussian` and `clipped_gaussian` |
//! | `obs.mean`, `obs.std` | `[M, obs_dim]` | x = clip((obs − mean) / std, −10, 10) |
//! | `obs.count` | `[M]` | number of observations in these statistics, for further training |
//! | `action.low`, `action.high` | `[action_dim]` | continuous actions only |
//!
//! All are float32. The metadata holds `format` = `spo-policy`, `version`, `env`, `activation` (`tanh` or `relu`) and
//! `head`: `tanh_gaussian` (action = mid + half · tanh(y)), `clipped_gaussian` (clip(mid + half · y)),
//! `squashed_gaussian` (mid + half · tanh(μ), y = [μ | log σ]) or `categorical` (softmax(y)).

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use spo_envs::ActionSpace;

use crate::base::tensors::{FileError, FileKind, TensorFile};
use crate::policy::normalizer::MIN_VAR;
use crate::policy::{Activation, Head, Mlp, Normalizer, Policy};

const KIND: FileKind = FileKind { format: "spo-policy", version: "2" };

/// Writes a mixture of policies trained on `env`.
///
/// # Errors
/// [`FileError::Write`] if it cannot be written.
pub fn save(path: &Path, env: &str, policies: &[Policy]) -> Result<(), FileError> {
    let first = &policies[0];
    let mut file = TensorFile::new(&KIND);
    file.meta("env", env);
    file.meta("activation", name_in(&ACTIVATIONS, first.mlp.activation()));
    file.meta("head", name_in(&HEADS, first.head));
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
        let log_std: Vec<f32> = policies.iter().flat_map(|p| p.params[offset..].to_vec()).collect();
        if !log_std.is_empty() {
            file.add("actor.log_std", &[count, low.len()], log_std);
        }
        file.add("action.low", &[low.len()], low.clone());
        file.add("action.high", &[high.len()], high.clone());
    }
    let inputs = first.mlp.inputs();
    let mean = policies.iter().flat_map(|p| p.normalizer.mean.iter().map(|&m| m as f32)).collect();
    file.add("obs.mean", &[count, inputs], mean);
    file.add("obs.std", &[count, inputs], policies.iter().flat_map(|p| p.normalizer.std()).collect());
    file.add("obs.count", &[count], policies.iter().map(|p| p.normalizer.count as f32).collect());
    file.write(path)
}

/// Reads a mixture of policies and the name of its environment.
///
/// # Errors
/// [`FileError`] if it cannot be read, is damaged or is not a policy file.
pub fn load(path: &Path) -> Result<(String, Vec<Policy>), FileError> {
    let bytes = crate::base::tensors::read(path)?;
    let (tensors, meta) = crate::base::tensors::open(path, &bytes, &KIND)?;
    let damaged = |why: &str| FileError::Damaged { path: path.into(), why: why.to_string() };
    let env = meta.get("env").cloned().ok_or_else(|| damaged("its metadata has no `env`"))?;
    let head = meta
        .get("head")
        .and_then(|h| parse_name(&HEADS, h))
        .ok_or_else(|| damaged("its metadata has no known `head`"))?;
    let activation = meta
        .get("activation")
        .and_then(|a| parse_name(&ACTIVATIONS, a))
        .ok_or_else(|| damaged("its metadata has no known `activation`"))?;
    decode(&tensors, head, activation).map(|policies| (env, policies)).map_err(|why| damaged(&why))
}

fn decode(tensors: &SafeTensors<'_>, head: Head, activation: Activation) -> Result<Vec<Policy>, String> {
    let get = |name: &str| crate::base::tensors::floats(tensors, name);
    let mut layers = Vec::new();
    while tensors.names().iter().any(|n| **n == format!("actor.{}.weight", layers.len())) {
        let layer = layers.len();
        layers.push((get(&format!("actor.{layer}.weight"))?, get(&format!("actor.{layer}.bias"))?));
    }
    let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
        return Err("it has no tensor `actor.0.weight`".into());
    };
    let ([count, inputs, _], [_, outputs]) = (&first.0.0[..], &last.1.0[..]) else {
        return Err("`actor.0.weight` is not [M, in, out]".into());
    };
    let hidden: Vec<usize> =
        layers[..layers.len() - 1].iter().map(|l| l.1.0.last().copied().unwrap_or(0)).collect();
    let mlp = Mlp::new(*inputs, &hidden, *outputs, activation);
    let (mean, std) = (get("obs.mean")?.1, get("obs.std")?.1);
    // Older files have no count.
    let seen = if tensors.names().contains(&"obs.count") { get("obs.count")?.1 } else { vec![1.0; *count] };
    let action = match head {
        Head::Categorical => ActionSpace::Discrete(*outputs),
        _ => ActionSpace::Continuous { low: get("action.low")?.1, high: get("action.high")?.1 },
    };
    let log_stds = Policy::log_stds(head, *outputs);
    let log_std = if log_stds == 0 { Vec::new() } else { get("actor.log_std")?.1 };
    let expected = *count * (mlp.params() + log_stds);
    let stored = layers.iter().map(|(w, b)| w.1.len() + b.1.len()).sum::<usize>() + log_std.len();
    let statistics = mean.len() == count * inputs && std.len() == count * inputs && seen.len() == *count;
    if stored != expected || !statistics || Policy::outputs_for(head, &action) != Some(*outputs) {
        return Err("the shapes of its tensors do not match each other".into());
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
            normalizer: rounded(seen[m], part(&mean, m), part(&std, m)),
            head,
            action: action.clone(),
        })
        .collect())
}

fn rounded(count: f32, mean: Vec<f32>, std: Vec<f32>) -> Normalizer {
    Normalizer {
        count: count.into(),
        mean: mean.into_iter().map(f64::from).collect(),
        var: std.into_iter().map(|s| f64::from(s).powi(2) - MIN_VAR).collect(),
    }
}

/// The statistics after rounding to the file's precision.
pub(crate) fn stored(statistics: &Normalizer) -> Normalizer {
    let mean = statistics.mean.iter().map(|&m| m as f32).collect();
    rounded(statistics.count as f32, mean, statistics.std().collect())
}

/// The name of a head in files and messages.
pub(crate) fn head_name(head: Head) -> &'static str {
    name_in(&HEADS, head)
}

const HEADS: [(&str, Head); 4] = [
    ("tanh_gaussian", Head::TanhGaussian),
    ("clipped_gaussian", Head::ClippedGaussian),
    ("squashed_gaussian", Head::SquashedGaussian),
    ("categorical", Head::Categorical),
];

const ACTIVATIONS: [(&str, Activation); 2] = [("tanh", Activation::Tanh), ("relu", Activation::Relu)];

fn name_in<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| name)
}

fn parse_name<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

/// Describes a policy file's tensors, one line each, for `spo export`.
///
/// # Errors
/// The same as [`load`].
pub fn describe(path: &Path) -> Result<Vec<String>, FileError> {
    let bytes = crate::base::tensors::read(path)?;
    let (tensors, meta): (SafeTensors<'_>, HashMap<String, String>) =
        crate::base::tensors::open(path, &bytes, &KIND)?;
    let mut lines: Vec<String> = tensors.iter().map(|(name, t)| format!("{name} {:?}", t.shape())).collect();
    lines.sort();
    for key in ["head", "activation"] {
        lines.push(format!("{key} {}", meta.get(key).map_or("?", String::as_str)));
    }
    Ok(lines)
}
