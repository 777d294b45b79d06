//! The reward or self-play signal: the scores that trained a policy, compared with the task's return.
//!
//! The run's scorer, from its latest checkpoint, scores new trajectories of the run's policies; trajectories from one
//! initial state form a group. The task return of the same trajectories shows whether the scorer agrees with the task, if
//! the task's return is meant as the truth.

use serde::Serialize;

use super::players::Players;
use super::recorded::Recorded;
use super::{Estimate, Found, Judge, Options, found};
use crate::evaluate::tournament::{self, Player, Setting, Standing, Tournament};
use spo::base::stats;
use spo::oracle::check::cycle;
use spo::oracle::{Oracle, OracleEvents, Queries};
use spo::policy::{Acting, Head};
use spo::rollout::{self, EnvFactory, Phase, Request, Rollout, Trajectory};
use spo::train::ModelCounts;
use spo::train::config::ScorerKind;
use spo::train::run::Run;

/// Number of fits in the mean of a reward model's recent figures.
const RECENT: usize = 10;

/// Sizes of the rollout and the query: initial states, trajectories per policy and state, past policies. The first one
/// within the limit is used.
const SIZES: [Size; 4] = [
    Size { states: 32, per_state: 3, past: 7 },
    Size { states: 16, per_state: 2, past: 4 },
    Size { states: 8, per_state: 2, past: 2 },
    Size { states: 4, per_state: 2, past: 2 },
];

#[derive(Clone, Copy)]
struct Size {
    states: usize,
    per_state: usize,
    past: usize,
}

/// Figures about the signal.
#[derive(Clone, Debug, Serialize)]
pub struct Signal {
    /// The scorer.
    pub scorer: ScorerKind,
    /// The reward model, if there is one.
    pub model: Option<ModelFigures>,
    /// Scores and returns of the run's policies, with sampled actions as in training.
    #[serde(serialize_with = "found")]
    pub course: Found<Course>,
    /// The same with their most likely actions, as in an evaluation. A policy over options is always sampled.
    #[serde(serialize_with = "found")]
    pub likeliest: Found<Course>,
    /// The result against earlier policies and other runs, compared by the oracle.
    #[serde(serialize_with = "found")]
    pub met: Found<Matches>,
    /// If the oracle is a game over options: the total variation distance of the result to the minimax winner.
    pub minimax_distance: Option<f64>,
    /// If the oracle is a game over options: the margin 2P − 1 of a best response against the result.
    pub game_exploitability: Option<f64>,
}

/// A reward model's fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ModelFigures {
    /// Number of iterations with a fit.
    pub fits: usize,
    /// Cross-entropy of the latest fit, in nats per comparison.
    pub loss: Option<f32>,
    /// Share of held-out comparisons that it predicts correctly.
    pub accuracy: Option<f32>,
    /// Its expected calibration error.
    pub calibration: Option<f32>,
    /// Mean accuracy of the latest ten fits, each on its held-out comparisons.
    pub recent_accuracy: Option<Estimate>,
    /// Counts over the whole run.
    pub counts: Option<ModelCounts>,
}

/// Scores and returns of the run's policies.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Course {
    /// The policies, oldest first, the result last.
    pub moments: Vec<PolicyScore>,
    /// The result minus the initial policy, and minus the earlier policy with the highest return.
    pub drifts: Vec<Drift>,
    /// Spearman's correlation of mean score and mean return, over the policies.
    pub over_policies: Option<f64>,
    /// The same correlation among the result's own trajectories from one state, the mean over states.
    pub within_result: Option<Estimate>,
    /// Number of initial states.
    pub states: usize,
    /// Number of trajectories per policy and state.
    pub per_state: usize,
    /// Number of comparisons for the scores.
    pub asked: u64,
}

/// A policy of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PolicyScore {
    /// Its name.
    pub policy: String,
    /// Mean total score of its trajectories, in groups with those of all policies.
    pub score: Estimate,
    /// Their mean task return.
    pub task_return: Estimate,
}

/// How the result differs from an earlier policy, state by state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drift {
    /// The earlier policy.
    pub from: String,
    /// Score of the result minus that of the earlier policy.
    pub score: Estimate,
    /// Task return of the result minus that of the earlier policy.
    pub task_return: Estimate,
    /// Number of states.
    pub states: usize,
}

/// The result of a tournament of the run's policies and others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Matches {
    /// The standing of each policy: the run's policies, oldest first, then the result, then the others.
    pub standings: Vec<MatchStanding>,
    /// The largest margin 2P − 1 by which another policy beats the result.
    pub exploitability: Estimate,
    /// The policy that beats it by this margin.
    pub by: String,
    /// A cycle of policies: each is preferred to the next and the last to the first, all with intervals above ½. Empty if
    /// there is none.
    pub cycle: Vec<String>,
    /// Number of policies of the run, without the others.
    pub own: usize,
    /// Number of initial states.
    pub states: usize,
    /// Number of comparisons.
    pub queries: Queries,
}

/// The standing of one policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MatchStanding {
    /// Its name.
    pub name: String,
    /// Mean win rate against the others.
    pub win_rate: f64,
    /// Share of comparisons that the result wins against it; ½ for the result itself.
    pub result_wins: Estimate,
    /// Its weight in the minimax winner of all policies.
    pub minimax_weight: f64,
}

impl Signal {
    /// The figures of a run.
    pub fn collect(recorded: &mut Recorded, players: &Players, judge: &Judge, options: &Options) -> Self {
        let scorer = recorded.config.scorer;
        let summary = recorded.summary.as_ref();
        Self {
            scorer,
            model: (scorer == ScorerKind::RewardModel).then(|| model(recorded)),
            course: course(recorded, players, judge, (options.seed, Acting::Sample)),
            likeliest: likeliest(recorded, players, judge, options.seed),
            met: match scorer {
                ScorerKind::TaskReward => {
                    Err("there is no oracle: the scorer is the task's own reward".into())
                }
                _ => tournament(players, judge, options.seed),
            },
            minimax_distance: summary.and_then(|s| s.minimax_distance),
            game_exploitability: summary.and_then(|s| s.exploitability),
        }
    }
}

fn model(recorded: &Recorded) -> ModelFigures {
    let fits: Vec<_> = recorded.records.iter().filter(|r| r.reward_loss.is_some()).collect();
    let accuracies: Vec<f64> = fits.iter().filter_map(|r| r.reward_accuracy.map(f64::from)).collect();
    let recent = &accuracies[accuracies.len().saturating_sub(RECENT)..];
    ModelFigures {
        fits: fits.len(),
        loss: fits.last().and_then(|r| r.reward_loss),
        accuracy: fits.iter().rev().find_map(|r| r.reward_accuracy),
        calibration: fits.iter().rev().find_map(|r| r.reward_calibration),
        recent_accuracy: (recent.len() > 1).then(|| Estimate::from_values(recent)),
        counts: recorded.summary.as_ref().and_then(|s| s.reward_model),
    }
}

/// Scores of the run's policies with their most likely actions.
fn likeliest(recorded: &Recorded, players: &Players, judge: &Judge, seed: u64) -> Found<Course> {
    let result = players.result.as_ref().map_err(Clone::clone)?;
    if result.policies.iter().any(|p| p.head == Head::Categorical) {
        return Err("a policy over options is always sampled".into());
    }
    course(recorded, players, judge, (seed, Acting::Mode))
}

/// Scores of the run's policies by the run's scorer.
fn course(recorded: &Recorded, players: &Players, judge: &Judge, of: (u64, Acting)) -> Found<Course> {
    let factory = players.factory.clone()?;
    let asks = matches!(recorded.config.scorer, ScorerKind::SelfPlay | ScorerKind::LlmDirect);
    let mut why = String::new();
    // A scorer without an oracle is free. For others, take the largest size within the limit.
    for size in SIZES {
        let oracle: Box<dyn Oracle> = if asks {
            judge.oracle(&factory, &OracleEvents::default())?
        } else {
            Box::new(|_: Trajectory<'_>, _: Trajectory<'_>| 0.5)
        };
        let mut trainer =
            Run::open_at_checkpoint_with(&recorded.dir, factory.clone(), (oracle, judge.most()))
                .map_err(|e| e.to_string())?;
        let course = players.course(size.past)?;
        let (names, rollout) = together(&course, &factory, size, of)?;
        let before = trainer.queries().asked;
        match trainer.judge(&rollout) {
            Ok(scores) => {
                let asked = trainer.queries().asked - before;
                return Ok(Course { asked, ..Course::new(&names, &rollout, &scores) });
            }
            Err(e) => why = e.to_string(),
        }
        if judge.limit.is_none() {
            break;
        }
    }
    Err(why)
}

/// Trajectories of all players from the same states, ordered by state, then by player.
fn together(
    players: &[Player],
    factory: &EnvFactory,
    size: Size,
    (seed, acting): (u64, Acting),
) -> Found<(Vec<String>, Rollout)> {
    // The most likely actions from a state are always the same, so one trajectory is enough.
    let (states, per_state) = match acting {
        Acting::Mode => (2 * size.states, 1),
        _ => (size.states, size.per_state),
    };
    let request = Request { seed, phase: Phase::Evaluate, iteration: 2, states, per_state, acting };
    let mut each = Vec::with_capacity(players.len());
    for player in players {
        let rollout = rollout::collect(&player.policies, factory, &request).map_err(|e| e.to_string())?;
        each.push(rollout.episodes);
    }
    let group = |s: usize| each.iter().flat_map(move |e| &e[s * per_state..(s + 1) * per_state]);
    let episodes = (0..states).flat_map(group).cloned().collect();
    let names = players.iter().map(|p| p.name.clone()).collect();
    Ok((names, Rollout { episodes, per_state: per_state * players.len() }))
}

impl Course {
    /// The figures from the players' scores. Within a group, they are ordered by player.
    pub fn new(names: &[String], rollout: &Rollout, scores: &[f64]) -> Self {
        let (n, returns) = (names.len(), rollout.returns());
        let per_state = rollout.per_state / n;
        let states = returns.len() / rollout.per_state;
        // [player][state]
        let means = |values: &[f64]| -> Vec<Vec<f64>> {
            let of = |p: usize, s: usize| {
                stats::mean(&values[s * rollout.per_state + p * per_state..][..per_state])
            };
            (0..n).map(|p| (0..states).map(|s| of(p, s)).collect()).collect()
        };
        let (score, task_return) = (means(scores), means(&returns));
        let moments: Vec<PolicyScore> = (0..n)
            .map(|p| PolicyScore {
                policy: names[p].clone(),
                score: Estimate::from_values(&score[p]),
                task_return: Estimate::from_values(&task_return[p]),
            })
            .collect();
        let own = |values: &[f64], s: usize| {
            values[s * rollout.per_state + (n - 1) * per_state..][..per_state].to_vec()
        };
        let within: Vec<f64> =
            (0..states).filter_map(|s| stats::spearman(&own(scores, s), &own(&returns, s))).collect();
        let of = |f: &dyn Fn(&PolicyScore) -> f64| moments.iter().map(f).collect::<Vec<f64>>();
        Self {
            drifts: drifts(names, &score, &task_return),
            over_policies: (n > 2)
                .then(|| stats::spearman(&of(&|m| m.score.mean), &of(&|m| m.task_return.mean)))
                .flatten(),
            within_result: (within.len() > 1).then(|| Estimate::from_values(&within)),
            moments,
            states,
            per_state,
            asked: 0,
        }
    }
}

/// The result (the last player) minus the first player over all states, and minus the earlier player with the highest
/// return. The latter is chosen on the states with even numbers and measured on the others, to avoid selection bias.
fn drifts(names: &[String], score: &[Vec<f64>], task_return: &[Vec<f64>]) -> Vec<Drift> {
    let Some(result) = names.len().checked_sub(1).filter(|n| *n > 0) else { return Vec::new() };
    let drift = |from: usize, states: &dyn Fn(usize) -> bool| {
        let less = |values: &[Vec<f64>]| -> Vec<f64> {
            let pairs = values[result].iter().zip(&values[from]).enumerate();
            pairs.filter(|(s, _)| states(*s)).map(|(_, (a, b))| a - b).collect()
        };
        let (score, task_return) = (less(score), less(task_return));
        Drift {
            from: names[from].clone(),
            states: score.len(),
            score: Estimate::from_values(&score),
            task_return: Estimate::from_values(&task_return),
        }
    };
    let mut drifts = vec![drift(0, &|_| true)];
    let on_even = |p: usize| stats::mean(&task_return[p].iter().copied().step_by(2).collect::<Vec<_>>());
    let peak = (1..result).fold(0, |best, p| if on_even(p) > on_even(best) { p } else { best });
    if peak > 0 && on_even(peak) > on_even(result) {
        drifts.push(drift(peak, &|s| s % 2 == 1));
    }
    drifts
}

fn tournament(players: &Players, judge: &Judge, seed: u64) -> Found<Matches> {
    let factory = players.factory.clone()?;
    let mut least = 0;
    for size in SIZES {
        let mut all = players.course(size.past)?;
        let own = all.len();
        all.extend(players.others.iter().cloned());
        if all.len() < 2 {
            return Err("there is no other policy: the run has no snapshot, and --against names none".into());
        }
        least =
            (all.len() * (all.len() - 1) / 2 * size.states * size.per_state * (size.per_state - 1)) as u64;
        if least > judge.most() {
            continue;
        }
        let oracle = judge.oracle(&factory, &OracleEvents::default())?;
        let setting = Setting { states: size.states, per_state: size.per_state, seed };
        let played = tournament::play(&all, &factory, oracle, &setting, &mut |_, _| ());
        let played = played.map_err(|e| e.to_string())?;
        let standings = played.standings().map_err(|e| e.to_string())?;
        return Ok(Matches { states: size.states, ..Matches::new(&played, standings, own) });
    }
    Err(judge.too_expensive(least))
}

impl Matches {
    /// The figures of a tournament whose first `own` players are the run's policies, with the result as the last of them.
    pub fn new(played: &Tournament, standings: Vec<Standing>, own: usize) -> Self {
        let (game, result) = (&played.game, own - 1);
        let half = |i: usize, j: usize| played.half_widths[i * game.len() + j];
        let beats: Vec<Vec<bool>> =
            (0..own).map(|i| (0..own).map(|j| i != j && game.p(i, j) - half(i, j) > 0.5).collect()).collect();
        let cycle = cycle::shortest(&beats).unwrap_or_default();
        let by = game.names().iter().position(|name| *name == standings[result].by).unwrap_or(result);
        let stood = |(i, s): (usize, Standing)| MatchStanding {
            name: s.name,
            win_rate: s.win_rate,
            result_wins: Estimate { mean: game.p(result, i), half_width: half(result, i) },
            minimax_weight: s.minimax_weight,
        };
        Self {
            exploitability: Estimate { mean: game.margin(by, result), half_width: 2.0 * half(by, result) },
            by: game.names()[by].clone(),
            cycle: cycle.into_iter().map(|i| game.names()[i].clone()).collect(),
            standings: standings.into_iter().enumerate().map(stood).collect(),
            own,
            states: 0,
            queries: played.queries,
        }
    }
}
