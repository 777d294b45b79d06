//! The policy: its episodes in the task, its worst episodes, and its episodes under disturbances.

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

/// Share of the episodes that count as the worst.
pub const WORST: f64 = 0.05;
/// Largest number of worst episodes in the list.
const LISTED: usize = 5;

/// Number of points of the training curve.
const POINTS: usize = 150;

/// Figures about the policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFigures {
    /// The result that the configuration asks for.
    pub result: TrainedResult,
    /// A description of the result.
    pub kind: String,
    /// Its recorded return at the end of the run, and the number of episodes.
    pub recorded: Option<(Estimate, usize)>,
    /// If the oracle has a constraint: the share of those episodes that kept it.
    pub constraint_kept: Option<f64>,
    /// Environment steps and mean return of the sampling policy during training, evenly thinned.
    pub training: Vec<(u64, f64)>,
    /// Its figures in this audit's episodes.
    #[serde(serialize_with = "found")]
    pub nominal: Found<Nominal>,
}

/// Figures of the result's episodes, with its most likely actions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Nominal {
    /// Return of each episode, in order.
    pub returns: Vec<f64>,
    /// Mean return.
    pub mean_return: Estimate,
    /// Standard deviation of the returns.
    pub spread: f64,
    /// Return of the policy with which the run began, in the same episodes.
    pub initial: Option<Estimate>,
    /// Mean length in steps.
    pub length: f64,
    /// Share of episodes that the task itself ended.
    pub terminated: f64,
    /// The listed worst episodes, worst first.
    pub worst: Vec<WorstEpisode>,
    /// Mean return of the worst twentieth, at least one episode.
    pub worst_mean: f64,
    /// Safety costs, if the task has any.
    pub cost: Option<Cost>,
    /// The result under each disturbance.
    pub disturbed: Vec<Disturbed>,
}

/// One of the worst episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WorstEpisode {
    /// Seed of its initial state.
    pub seed: u64,
    /// Its number, from 0.
    pub episode: usize,
    /// Its task return.
    pub task_return: f64,
    /// Its number of steps.
    pub steps: usize,
}

/// Safety costs of the episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Mean total cost of an episode.
    pub mean: Estimate,
    /// Share of episodes with any cost.
    pub any: f64,
    /// The largest acceptable cost, as a person stated.
    pub limit: Option<f64>,
    /// Share of episodes above the limit.
    pub above: Option<f64>,
}

/// The result under a disturbance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disturbed {
    /// The disturbance.
    pub by: Disturbance,
    /// The part of the loop that it changes.
    pub part: &'static str,
    /// Its description.
    pub name: String,
    /// The return under it.
    pub mean_return: Estimate,
    /// That return minus the undisturbed one, paired by state if the states are the same.
    pub difference: Estimate,
}

impl PolicyFigures {
    /// The figures of a run's result; `step` is called after each disturbance.
    pub fn collect(
        recorded: &Recorded,
        players: &Players,
        options: &Options,
        step: &mut dyn FnMut(),
    ) -> Self {
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

/// At most [`POINTS`] rows, including the latest.
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
        let changed = roll(policies, &by.apply(&factory, &rollout), seed)?.returns();
        let mean_return = Estimate::from_values(&changed);
        let difference = if other {
            let (a, b) = (mean_return, Estimate::from_values(&returns));
            Estimate { mean: a.mean - b.mean, half_width: a.half_width.hypot(b.half_width) }
        } else {
            Estimate::from_values(&changed.iter().zip(&returns).map(|(a, b)| a - b).collect::<Vec<_>>())
        };
        disturbed.push(Disturbed { by, part: by.part(), name: by.name(&spec), mean_return, difference });
    }
    let initial = match players.initial() {
        Some(player) => {
            Some(Estimate::from_values(&roll(&player.policies, &factory, options.seed)?.returns()))
        }
        None => None,
    };
    let limit = options.about.policy.cost_limit;
    Ok(Nominal { initial, disturbed, ..Nominal::new(&rollout, options.seed, limit) })
}

impl Nominal {
    /// The figures of undisturbed episodes.
    pub fn new(rollout: &Rollout, seed: u64, limit: Option<f64>) -> Self {
        let returns = rollout.returns();
        let n = returns.len();
        let share = |count: usize| count as f64 / n.max(1) as f64;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| returns[a].total_cmp(&returns[b]));
        order.truncate(((WORST * n as f64).ceil() as usize).max(1));
        let bad = |&episode: &usize| WorstEpisode {
            seed,
            episode,
            task_return: returns[episode],
            steps: rollout.episodes[episode].len(),
        };
        let costs: Vec<f64> =
            rollout.episodes.iter().map(|e| e.costs.iter().map(|&c| f64::from(c)).sum()).collect();
        let cost = costs.iter().any(|c| *c != 0.0).then(|| Cost {
            mean: Estimate::from_values(&costs),
            any: share(costs.iter().filter(|c| **c > 0.0).count()),
            limit,
            above: limit.map(|limit| share(costs.iter().filter(|c| **c > limit).count())),
        });
        Self {
            mean_return: Estimate::from_values(&returns),
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

    /// The gain in return over the policy with which the run began.
    pub fn gain(&self) -> Option<f64> {
        self.initial.map(|initial| self.mean_return.mean - initial.mean)
    }
}
