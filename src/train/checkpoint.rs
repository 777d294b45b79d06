//! Checkpoints: everything that a run needs to continue as if it had never stopped, in one file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::base::tensors::{self, FileError, FileKind, TensorFile};
use crate::learner::LearnerState;
use crate::oracle::Queries;
use crate::policy::shape::PolicyShape;
use crate::policy::snapshots::Snapshots;
use crate::policy::{Normalizer, Policy};
use crate::rollout::steps::per_episode;
use crate::rollout::{Episode, Start};
use crate::scorer::safety::SafetyState;
use crate::scorer::{ModelCounts, ScorerState};

const KIND: FileKind = FileKind { format: "spo-checkpoint", version: "6" };

/// The state of a run between two iterations.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Iterations done.
    pub iteration: u64,
    /// Environment steps done.
    pub env_steps: u64,
    /// Seconds of training so far, over all its processes.
    pub seconds: f64,
    /// Whether the budget of comparisons ended the training.
    pub budget_spent: bool,
    /// Bytes of `metrics.csv` that belong to the iterations done.
    pub metrics_bytes: u64,
    /// Bytes of `timings.csv`, likewise.
    pub timings_bytes: u64,
    /// Bytes of `reward_model.csv`, likewise; 0 without one.
    pub reward_model_bytes: u64,
    /// Counts of the reward model, where there is one.
    pub model_counts: Option<ModelCounts>,
    /// The policy of the last iteration done.
    pub policy: Policy,
    /// Weights, optimiser, observation statistics.
    pub learner: LearnerState,
    /// Counts, kept trajectories, reward model.
    pub scorer: ScorerState,
    /// λ and the scorer of costs, where there are costs.
    pub safety: Option<SafetyState>,
    /// Policies kept so far.
    pub snapshots: Snapshots,
}

/// What does not fit float32: counters and double-precision statistics, as JSON in the metadata.
#[derive(Serialize, Deserialize)]
struct Header {
    iteration: u64,
    env_steps: u64,
    seconds: f64,
    budget_spent: bool,
    metrics_bytes: u64,
    timings_bytes: u64,
    #[serde(default)]
    reward_model_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_counts: Option<ModelCounts>,
    policy: PolicyShape,
    policy_stats: Normalizer,
    learner: NetworkHeader,
    #[serde(flatten)]
    scorer: ScorerHeader,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    safety: Option<SafetyHeader>,
    snapshot_stride: u64,
    snapshot_stats: Vec<Normalizer>,
}

/// A [`ScorerState`] but for the values of its tensors.
#[derive(Serialize, Deserialize)]
struct ScorerHeader {
    model: Option<NetworkHeader>,
    queries: Queries,
    log_bytes: u64,
    terminated: Vec<bool>,
    lengths: Vec<usize>,
    starts: Vec<Option<Start>>,
}

/// A [`SafetyState`], likewise.
#[derive(Serialize, Deserialize)]
struct SafetyHeader {
    multiplier: f64,
    recent: Vec<f64>,
    scorer: ScorerHeader,
}

/// A [`LearnerState`] but for the values of its tensors.
#[derive(Serialize, Deserialize)]
struct NetworkHeader {
    tensors: Vec<String>,
    counters: BTreeMap<String, u64>,
    normalizer: Normalizer,
    score_stats: Normalizer,
}

impl NetworkHeader {
    fn new(state: &LearnerState) -> Self {
        Self {
            tensors: state.tensors.keys().cloned().collect(),
            counters: state.counters.clone(),
            normalizer: state.normalizer.clone(),
            score_stats: state.score_stats.clone(),
        }
    }

    /// The state, its tensors as `get` has them.
    fn state(self, get: impl Fn(&str) -> Result<Vec<f32>, String>) -> Result<LearnerState, String> {
        Ok(LearnerState {
            tensors: (self.tensors.into_iter())
                .map(|name| get(&name).map(|values| (name, values)))
                .collect::<Result<_, _>>()?,
            counters: self.counters,
            normalizer: self.normalizer,
            score_stats: self.score_stats,
        })
    }
}

impl ScorerHeader {
    fn new(state: &ScorerState) -> Self {
        let ScorerState { queries, log_bytes, ref episodes, answers: _, ref model } = *state;
        Self {
            model: model.as_ref().map(NetworkHeader::new),
            queries,
            log_bytes,
            terminated: episodes.iter().map(|e| e.terminated).collect(),
            lengths: episodes.iter().map(Episode::len).collect(),
            starts: episodes.iter().map(|e| e.start).collect(),
        }
    }

    /// The state, its tensors as `get` has them.
    fn state(self, get: impl Fn(&str) -> Result<Vec<f32>, String>) -> Result<ScorerState, String> {
        let mut episodes: Vec<Episode> = (self.terminated.iter().zip(&self.starts))
            .map(|(&terminated, &start)| Episode { terminated, start, ..Episode::default() })
            .collect();
        let total: usize = self.lengths.iter().sum();
        for name in COLUMNS {
            let values = get(&format!("episodes.{name}"))?;
            let rows = if name == "final_obs" { episodes.len() } else { total };
            let width = values.len().checked_div(rows).unwrap_or(0);
            if width * rows != values.len() || episodes.len() != self.lengths.len() {
                return Err(format!("`episodes.{name}` does not fit the lengths of the episodes"));
            }
            let lengths = self.lengths.iter().map(|n| width * if name == "final_obs" { 1 } else { *n });
            for (episode, own) in episodes.iter_mut().zip(per_episode(&values, lengths)) {
                *column_mut(episode, name) = own.to_vec();
            }
        }
        let model = self.model.map(|model| model.state(|name| get(&format!("model.{name}")))).transpose()?;
        let (queries, log_bytes) = (self.queries, self.log_bytes);
        Ok(ScorerState { queries, log_bytes, episodes, answers: get("answers")?, model })
    }
}

/// Names and values of a scorer's tensors.
fn tensors_of(state: &ScorerState) -> Vec<(String, Vec<f32>)> {
    let named = |(name, values): (&String, &Vec<f32>)| (format!("model.{name}"), values.clone());
    let mut all: Vec<_> = state.model.iter().flat_map(|model| &model.tensors).map(named).collect();
    all.push(("answers".into(), state.answers.clone()));
    all.extend(COLUMNS.map(|name| {
        let values = state.episodes.iter().flat_map(|e| column(e, name).clone()).collect();
        (format!("episodes.{name}"), values)
    }));
    all
}

/// The columns of an episode, by name.
const COLUMNS: [&str; 7] = ["obs", "final_obs", "actions", "latents", "log_probs", "rewards", "costs"];

impl Checkpoint {
    /// Writes the checkpoint in place of the one at `path`, whole or not at all.
    ///
    /// # Errors
    /// [`FileError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let header = Header {
            iteration: self.iteration,
            env_steps: self.env_steps,
            seconds: self.seconds,
            budget_spent: self.budget_spent,
            metrics_bytes: self.metrics_bytes,
            timings_bytes: self.timings_bytes,
            reward_model_bytes: self.reward_model_bytes,
            model_counts: self.model_counts,
            policy: PolicyShape::new(&self.policy),
            policy_stats: self.policy.normalizer.clone(),
            learner: NetworkHeader::new(&self.learner),
            scorer: ScorerHeader::new(&self.scorer),
            safety: self.safety.as_ref().map(|safety| SafetyHeader {
                multiplier: safety.multiplier,
                recent: safety.recent.clone(),
                scorer: ScorerHeader::new(&safety.scorer),
            }),
            snapshot_stride: self.snapshots.stride,
            snapshot_stats: self.snapshots.policies.iter().map(|p| p.normalizer.clone()).collect(),
        };
        let mut file = TensorFile::new(&KIND);
        file.meta("header", &serde_json::to_string(&header).expect("plain numbers"));
        let mut add = |name: &str, values: Vec<f32>| file.add(name, &[values.len()], values);
        self.learner
            .tensors
            .iter()
            .for_each(|(name, values)| add(&format!("learner.{name}"), values.clone()));
        add("policy", self.policy.params.clone());
        add("snapshots", self.snapshots.policies.iter().flat_map(|p| p.params.clone()).collect());
        tensors_of(&self.scorer).into_iter().for_each(|(name, values)| add(&name, values));
        for (name, values) in self.safety.iter().flat_map(|safety| tensors_of(&safety.scorer)) {
            add(&format!("safety.{name}"), values);
        }
        file.write(path)
    }

    /// Reads a checkpoint; `capacity` is the most snapshots that the run keeps.
    ///
    /// # Errors
    /// [`FileError`]: unreadable, damaged, not a checkpoint.
    pub fn load(path: &Path, capacity: usize) -> Result<Self, FileError> {
        let bytes = tensors::read(path)?;
        let (tensors, meta) = tensors::open(path, &bytes, &KIND)?;
        let header = meta.get("header").map_or("", String::as_str);
        serde_json::from_str(header)
            .map_err(|e| e.to_string())
            .and_then(|header| Self::decode(header, &tensors, capacity))
            .map_err(|why| FileError::Damaged { path: path.into(), why })
    }

    fn decode(h: Header, tensors: &SafeTensors<'_>, capacity: usize) -> Result<Self, String> {
        let get = |name: &str| tensors::floats(tensors, name).map(|(_, values)| values);
        let policy = h.policy.policy(get("policy")?, h.policy_stats)?;
        let weights = get("snapshots")?;
        let each = weights.len().checked_div(h.snapshot_stats.len()).unwrap_or(0);
        let mut snapshots = Snapshots::new(capacity);
        snapshots.stride = h.snapshot_stride.max(1);
        if each * h.snapshot_stats.len() != weights.len() {
            return Err("`snapshots` does not fit the number of its snapshots".into());
        }
        snapshots.policies = (h.snapshot_stats.into_iter().enumerate())
            .map(|(m, stats)| h.policy.policy(weights[m * each..(m + 1) * each].to_vec(), stats))
            .collect::<Result<_, _>>()?;
        let learner = h.learner.state(|name| get(&format!("learner.{name}")))?;
        let scorer = h.scorer.state(get)?;
        let safety = h.safety.map(|SafetyHeader { multiplier, recent, scorer }| {
            let scorer = scorer.state(|name| get(&format!("safety.{name}")))?;
            Ok::<_, String>(SafetyState { multiplier, recent, scorer })
        });
        Ok(Self {
            iteration: h.iteration,
            env_steps: h.env_steps,
            seconds: h.seconds,
            budget_spent: h.budget_spent,
            metrics_bytes: h.metrics_bytes,
            timings_bytes: h.timings_bytes,
            reward_model_bytes: h.reward_model_bytes,
            model_counts: h.model_counts,
            policy,
            learner,
            scorer,
            safety: safety.transpose()?,
            snapshots,
        })
    }
}

fn column<'a>(e: &'a Episode, name: &str) -> &'a Vec<f32> {
    match name {
        "obs" => &e.obs,
        "final_obs" => &e.final_obs,
        "actions" => &e.actions,
        "latents" => &e.latents,
        "log_probs" => &e.log_probs,
        "rewards" => &e.rewards,
        _ => &e.costs,
    }
}

fn column_mut<'a>(e: &'a mut Episode, name: &str) -> &'a mut Vec<f32> {
    match name {
        "obs" => &mut e.obs,
        "final_obs" => &mut e.final_obs,
        "actions" => &mut e.actions,
        "latents" => &mut e.latents,
        "log_probs" => &mut e.log_probs,
        "rewards" => &mut e.rewards,
        _ => &mut e.costs,
    }
}
