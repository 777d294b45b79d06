//! The trained result of a run: which policy it is, and how well it does.

use spo_envs::EnvError;

use super::{Summary, TrainError, Trainer};
use crate::base::random::Stream;
use crate::base::stats;
use crate::game::PreferenceMatrix;
use crate::oracle::{Oracle, OracleError};
use crate::policy::{Acting, Head, Policy};
use crate::rollout::{self, EnvFactory, Phase, Request, Rollout};
use crate::scorer::Batch;
use crate::scorer::safety;
use crate::train::config::TrainedResult;

impl Trainer {
    /// The trained result, as a mixture of policies.
    ///
    /// # Errors
    /// [`TrainError`] of the validation episodes that `best` asks for.
    pub fn result(&mut self) -> Result<Vec<Policy>, TrainError> {
        match self.run.config.result {
            TrainedResult::Last => Ok(vec![self.policy()]),
            TrainedResult::Average => Ok(self.run.snapshots.policies.clone()),
            TrainedResult::Best => self.best(),
        }
    }

    /// The total score of each trajectory by the run's scorer; nothing is learned from them.
    ///
    /// # Errors
    /// The oracle's, where the scorer asks it.
    pub fn judge(&mut self, rollout: &Rollout) -> Result<Vec<f64>, TrainError> {
        let batch = Batch::validation(rollout, self.run.config.seed);
        Ok(rollout.totals(&self.backend.parts().scorer.score(&batch)?.scores))
    }

    /// The snapshot (or the last policy) with the highest mean score when all are scored as one group on the
    /// same validation states.
    fn best(&mut self) -> Result<Vec<Policy>, TrainError> {
        let mut candidates = self.run.snapshots.policies.clone();
        candidates.push(self.policy());
        let (states, count) = (self.run.config.validation_episodes, candidates.len());
        let request = Request {
            seed: self.run.config.seed,
            phase: Phase::Validate,
            iteration: self.run.iteration,
            states,
            per_state: 1,
            acting: Acting::Sample,
        };
        let mut each = Vec::with_capacity(count);
        for policy in &candidates {
            each.push(rollout::collect(std::slice::from_ref(policy), &self.run.factory, &request)?.episodes);
        }
        let episodes = (0..states).flat_map(|s| each.iter().map(move |e| e[s].clone())).collect();
        let mut totals = vec![0.0; count];
        for (at, score) in self.judge(&Rollout { episodes, per_state: count })?.into_iter().enumerate() {
            totals[at % count] += score;
        }
        let best = (1..count).fold(0, |best, i| if totals[i] >= totals[best] { i } else { best });
        Ok(vec![candidates.swap_remove(best)])
    }

    /// The share of evaluation episodes that a judge takes for unsafe; these verdicts are not counted.
    fn share_unsafe(
        &self,
        mut judge: Box<dyn Oracle>,
        evaluated: &Rollout,
    ) -> Result<Option<f64>, TrainError> {
        judge.prepare((self.run.factory)()?.spec(), &self.run.events)?;
        let mut rng = Batch::validation(evaluated, self.run.config.seed).stream(Stream("oracle"), 0);
        let judge = judge.safety_judge().ok_or(OracleError::NoSafetyJudge)?;
        Ok(safety::share_unsafe(&judge.verdicts(&safety::whole(&evaluated.episodes), &mut rng)?))
    }

    /// Evaluates a result and sums the run up.
    ///
    /// # Errors
    /// [`TrainError`] of the task or, where there is a safety oracle, of that.
    pub fn summary(&self, result: &[Policy]) -> Result<Summary, TrainError> {
        let request = evaluation(result, self.run.config.seed, self.run.config.eval_episodes, Acting::Mode);
        let evaluated = rollout::collect(result, &self.run.factory, &request)?;
        let returns = evaluated.returns();
        let kept = self.run.constraint.map(|constraint| {
            let kept = evaluated.episodes.iter().filter(|e| constraint.keeps(e.trajectory())).count();
            kept as f64 / evaluated.episodes.len() as f64
        });
        let costs = evaluated.total_costs();
        let judge = self.run.config.safety_judge()?;
        let judged = judge.is_some();
        let unsafe_share = judge.map(|judge| self.share_unsafe(judge, &evaluated)).transpose()?.flatten();
        let solved = self.run.game.as_ref().and_then(|game| against_the_game(game, result));
        Ok(Summary {
            eval_return_mean: stats::mean(&returns),
            eval_return_ci95: stats::ci95(&returns),
            eval_episodes: returns.len(),
            env_steps: self.run.env_steps,
            queries: self.queries().asked,
            seconds: self.run.seconds,
            steps_per_second: self.run.env_steps as f64 / self.run.seconds.max(1e-9),
            seed: self.run.config.seed,
            device: self.run.config.device.clone(),
            env: self.run.config.env.clone(),
            result: self.run.config.result,
            budget_spent: self.run.budget_spent,
            reward_model: self.run.model_counts,
            minimax_distance: solved.map(|(distance, _)| distance),
            exploitability: solved.map(|(_, exploitability)| exploitability),
            constraint_kept: kept,
            eval_cost_mean: judged.then(|| stats::mean(&costs)),
            eval_cost_ci95: judged.then(|| stats::ci95(&costs)),
            eval_unsafe_share: unsafe_share,
            safety_queries: self.backend.safety().map(|safety| {
                let queries = safety.queries();
                queries.asked + queries.verdicts
            }),
            commit: crate::train::run::COMMIT.map(String::from),
            notes: self.run.events.counts(),
        })
    }
}

/// Distance of a mixture of policies to the game's minimax winner, and its exploitability; none where they are of
/// other options.
fn against_the_game(game: &PreferenceMatrix, result: &[Policy]) -> Option<(f64, f64)> {
    let mut mixture = vec![0.0; game.len()];
    for policy in result {
        // The one state of a choice among options.
        let probabilities = || policy.probabilities(&[1.0]).filter(|p| p.len() == mixture.len());
        let chosen = if policy.mlp.inputs() == 1 { probabilities()? } else { return None };
        mixture.iter_mut().zip(chosen).for_each(|(m, p)| *m += f64::from(p) / result.len() as f64);
    }
    Some((game.minimax_distance(&mixture).ok()?, game.exploitability(&mixture)))
}

/// Task returns of the episodes of an [`evaluation`].
///
/// # Errors
/// What the task reports.
pub fn evaluate(
    policies: &[Policy],
    factory: &EnvFactory,
    seed: u64,
    episodes: usize,
    acting: Acting,
) -> Result<Vec<f64>, EnvError> {
    let request = evaluation(policies, seed, episodes, acting);
    Ok(rollout::collect(policies, factory, &request)?.returns())
}

/// The rollout of `episodes` that evaluates a mixture of policies; states and draws depend on `seed` alone.
///
/// A categorical policy is always sampled: its mode is another policy.
pub fn evaluation(policies: &[Policy], seed: u64, episodes: usize, acting: Acting) -> Request {
    let discrete = policies.iter().any(|p| p.head == Head::Categorical);
    let acting = if discrete { Acting::Sample } else { acting };
    Request { seed, phase: Phase::Evaluate, iteration: 0, states: episodes, per_state: 1, acting }
}
