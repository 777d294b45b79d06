//! The policy: what it does in the task, at its worst, and where something goes otherwise than in training.

use serde::Serialize;

use super::disturbance::{self, Disturbance};
use super::players::Players;
use super::recorded::Recorded;
use super::{Estimate, Found, Options, found};
use spo::base::stats;
use spo::policy::{Acting, Policy};
use spo::rollout::{self, EnvFactory, Rollout};
use spo::train::config::TrainedResult;
use spo::train::{self, Record};

/// Share of the episodes that are called the worst.
pub const WORST: f64 = 0.05;
/// Most of them that are listed.
const LISTED: usize = 5;

/// Points of a training's curve.
const POINTS: usize = 150;

/// What is known of the policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFigures {
    /// Which policy the configuration makes the result.
    pub result: TrainedResult,
    /// What it is, in words.
    pub kind: String,
    /// Its return at the end of the run, as recorded, and over how many episodes.
    pub recorded: Option<(Estimate, usize)>,
    /// Where the oracle puts a constraint above all else: the share of those episodes that kept to it.
    pub constraint_kept: Option<f64>,
    /// Environment steps and the mean return of the sampling policy on the way, thinned evenly.
    pub training: Vec<(u64, f64)>,
    /// What it did in this audit's episodes.
    #[serde(serialize_with = "found")]
    pub nominal: Found<Nominal>,
}

/// Episodes of the result, its mode acting.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Nominal {
    /// Of each episode, in order.
    pub returns: Vec<f64>,
    /// Their mean.
    pub mean_return: Estimate,
    /// Their standard deviation.
    pub spread: f64,
    /// The policy that the run began with, in the same episodes.
    pub initial: Option<Estimate>,
    /// Mean length in steps.
    pub length: f64,
    /// Share that ended for a reason of the task.
    pub terminated: f64,
    /// The worst twentieth, worst first: all that are listed.
    pub worst: Vec<Bad>,
    /// Mean return of the worst twentieth, one episode at least.
    pub worst_mean: f64,
    /// Safety costs, where the task has any.
    pub cost: Option<Cost>,
    /// The same states, something else otherwise.
    pub disturbed: Vec<Disturbed>,
}

/// An episode that went badly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bad {
    /// Seed of its state.
    pub seed: u64,
    /// Which of the seed's episodes, from 0.
    pub episode: usize,
    /// Its task return.
    pub task_return: f64,
    /// Its steps.
    pub steps: usize,
}

/// Safety costs of the episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Mean over episodes of their summed costs.
    pub mean: Estimate,
    /// Share of episodes with any.
    pub any: f64,
    /// What is acceptable, as a person stated.
    pub limit: Option<f64>,
    /// Share of episodes above it.
    pub above: Option<f64>,
}

/// The result under a disturbance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disturbed {
    /// Which.
    pub by: Disturbance,
    /// Which part of the loop it changes.
    pub part: &'static str,
    /// In words.
    pub name: String,
    /// Its returns.
    pub mean_return: Estimate,
    /// Less those of the undisturbed episodes: state by state, where the states are the same.
    pub difference: Estimate,
}

impl PolicyFigures {
    /// Of a run's result; `step` is told of each disturbance.
    pub fn of(recorded: &Recorded, players: &Players, options: &Options, step: &mut dyn FnMut()) -> Self {
        let summary = recorded.summary.as_ref();
        Self {
            result: recorded.config.result,
            kind: players.kind.clone(),
            recorded: summary.map(|s| {
                let of = Estimate { mean: s.eval_return_mean, half_width: s.eval_return_ci95 };
                (of, s.eval_episodes)
            }),
            constraint_kept: summary.and_then(|s| s.constraint_kept),
            training: thinned(&recorded.records),
            nominal: nominal(players, options, step),
        }
    }
}

/// At most [`POINTS`] rows, the newest among them.
fn thinned(records: &[Record]) -> Vec<(u64, f64)> {
    let stride = records.len().div_ceil(POINTS).max(1);
    let rows = records.iter().rev().step_by(stride).map(|r| (r.env_steps, r.return_mean));
    let mut points: Vec<_> = rows.collect();
    points.reverse();
    points
}

fn nominal(players: &Players, options: &Options, step: &mut dyn FnMut()) -> Found<Nominal> {
    let factory = players.factory.clone()?;
    let policies = &players.result.as_ref().map_err(Clone::clone)?.policies;
    let roll = |policies: &[Policy], factory: &EnvFactory, seed: u64| -> Found<Rollout> {
        let request = train::evaluation(policies, seed, options.episodes, Acting::Mode);
        rollout::collect(policies, factory, &request).map_err(|e| e.to_string())
    };
    let rollout = roll(policies, &factory, options.seed)?;
    let returns = rollout.returns();
    let spec = factory().map_err(|e| e.to_string())?.spec().clone();
    let mut disturbed = Vec::new();
    for by in disturbance::ALL {
        step();
        if !by.applies(&spec) {
            continue;
        }
        let other = by == Disturbance::OtherStates;
        let seed = options.seed.wrapping_add(u64::from(other));
        let changed = roll(policies, &by.on(&factory, &rollout), seed)?.returns();
        let mean_return = Estimate::of(&changed);
        let difference = if other {
            let (a, b) = (mean_return, Estimate::of(&returns));
            Estimate { mean: a.mean - b.mean, half_width: a.half_width.hypot(b.half_width) }
        } else {
            Estimate::of(&changed.iter().zip(&returns).map(|(a, b)| a - b).collect::<Vec<_>>())
        };
        disturbed.push(Disturbed { by, part: by.part(), name: by.name(&spec), mean_return, difference });
    }
    let initial = match players.initial() {
        Some(player) => Some(Estimate::of(&roll(&player.policies, &factory, options.seed)?.returns())),
        None => None,
    };
    let limit = options.about.policy.cost_limit;
    Ok(Nominal { initial, disturbed, ..Nominal::of(&rollout, options.seed, limit) })
}

impl Nominal {
    /// Of episodes, nothing disturbed.
    pub fn of(rollout: &Rollout, seed: u64, limit: Option<f64>) -> Self {
        let returns = rollout.returns();
        let n = returns.len();
        let share = |count: usize| count as f64 / n.max(1) as f64;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| returns[a].total_cmp(&returns[b]));
        order.truncate(((WORST * n as f64).ceil() as usize).max(1));
        let bad = |&episode: &usize| Bad {
            seed,
            episode,
            task_return: returns[episode],
            steps: rollout.episodes[episode].len(),
        };
        let costs: Vec<f64> =
            rollout.episodes.iter().map(|e| e.costs.iter().map(|&c| f64::from(c)).sum()).collect();
        let cost = costs.iter().any(|c| *c != 0.0).then(|| Cost {
            mean: Estimate::of(&costs),
            any: share(costs.iter().filter(|c| **c > 0.0).count()),
            limit,
            above: limit.map(|limit| share(costs.iter().filter(|c| **c > limit).count())),
        });
        Self {
            mean_return: Estimate::of(&returns),
            spread: stats::std_dev(&returns),
            initial: None,
            length: share(rollout.steps()),
            terminated: share(rollout.episodes.iter().filter(|e| e.terminated).count()),
            worst: order.iter().take(LISTED).map(bad).collect(),
            worst_mean: stats::mean(&order.iter().map(|&e| returns[e]).collect::<Vec<_>>()),
            cost,
            disturbed: Vec::new(),
            returns,
        }
    }

    /// What the result gained over the policy that the run began with.
    pub fn gain(&self) -> Option<f64> {
        self.initial.map(|initial| self.mean_return.mean - initial.mean)
    }
}
