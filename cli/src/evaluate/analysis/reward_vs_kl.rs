//! The reward against √KL(π ‖ π₀), about a line in Bai et al. 2022 (section 4.3).

use spo::base::stats::Line;
use spo::train::Record;

/// An iteration of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The round of RLHF; 0 if the run does not use rounds.
    pub round: u64,
    /// The iteration, from 1.
    pub iteration: u64,
    /// Environment steps so far.
    pub env_steps: u64,
    /// √KL(π ‖ π₀) of whole trajectories, in √nats. Their KL is the KL per step times their mean length.
    pub root_kl: f64,
    /// Mean summed score, if one model gave all scores of the round.
    pub score: Option<f64>,
    /// Mean task return.
    pub task_return: f64,
}

/// A kind of reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reward {
    /// The score that the policy is trained on.
    Score,
    /// The task's own return.
    Return,
}

impl Reward {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Return => "return",
        }
    }

    /// Its value in an iteration.
    pub fn value(self, step: &Step) -> Option<f64> {
        match self {
            Self::Score => step.score,
            Self::Return => Some(step.task_return),
        }
    }
}

/// A line fitted to the iterations of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The round.
    pub round: u64,
    /// The reward.
    pub reward: Reward,
    /// The number of iterations.
    pub rows: usize,
    /// The line, a function of √KL.
    pub line: Line,
}

/// The reward of a run against the distance from its reference policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardVsKl {
    /// The run's seed.
    pub seed: u64,
    /// Its iterations.
    pub steps: Vec<Step>,
    /// The lines of each round. A round that stays at π₀ has none.
    pub fits: Vec<Fit>,
}

impl RewardVsKl {
    /// From a run's metrics. `fixed` says whether all scores of a round are by one model; otherwise they cannot be compared and
    /// are left out.
    pub fn new(seed: u64, records: &[Record], fixed: bool) -> Self {
        let step = |r: &Record| Step {
            round: r.rlhf_round,
            iteration: r.iteration,
            env_steps: r.env_steps,
            root_kl: root_kl(r),
            score: fixed.then_some(r.score_mean),
            task_return: r.return_mean,
        };
        let steps: Vec<Step> = records.iter().map(step).collect();
        let rounds = steps.chunk_by(|a, b| a.round == b.round);
        let fits = rounds.flat_map(|round| {
            [Reward::Score, Reward::Return].into_iter().filter_map(move |reward| {
                let point = |s: &Step| Some((s.root_kl, reward.value(s)?));
                let points: Vec<(f64, f64)> = round.iter().filter_map(point).collect();
                let line = Line::through(&points)?;
                Some(Fit { round: round[0].round, reward, rows: points.len(), line })
            })
        });
        Self { seed, fits: fits.collect(), steps }
    }

    /// The iterations of the last round.
    pub fn last_round(&self) -> &[Step] {
        let rounds = self.steps.chunk_by(|a, b| a.round == b.round);
        rounds.last().unwrap_or(&[])
    }

    /// The line of the last round.
    pub fn last_fit(&self, reward: Reward) -> Option<&Fit> {
        let round = self.steps.last()?.round;
        self.fits.iter().find(|fit| fit.round == round && fit.reward == reward)
    }
}

/// √KL(π ‖ π₀) of an iteration's whole trajectories.
pub(super) fn root_kl(r: &Record) -> f64 {
    (r.kl_to_init * r.length_mean).max(0.0).sqrt()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row of the metrics: of a round, and with the numbers that an analysis reads.
    pub fn record(iteration: u64, round: u64, kl_to_init: f64, score: f64, task_return: f64) -> Record {
        let json = format!(
            r#"{{"iteration":{iteration},"env_steps":{},"queries":0,"answered":0,"tied":0,"abstained":0,
            "return_mean":{task_return},"return_std":0,"length_mean":100,"score_mean":{score},"score_spread":0,
            "entropy":0,"approx_kl":0,"clip_fraction":0,"policy_loss":0,"value_loss":0,"grad_norm":0,"epochs":1,
            "kl_to_init":{kl_to_init},"rlhf_round":{round}}}"#,
            100 * iteration
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn each_round_has_its_own_line() {
        // Trajectories of 100 steps: 0, 0.01 and 0.04 nats a step are √KL of 0, 1 and 2.
        let records = [
            record(1, 1, 0.0, 0.0, -9.0),
            record(2, 1, 0.01, 3.0, -9.0),
            record(3, 2, 0.0, 1.0, 1.0),
            record(4, 2, 0.01, 3.0, 3.0),
            record(5, 2, 0.04, 5.0, 4.0),
        ];
        let curve = RewardVsKl::new(7, &records, true);
        let roots: Vec<f64> = curve.last_round().iter().map(|s| s.root_kl).collect();
        assert!(roots.iter().zip([0.0, 1.0, 2.0]).all(|(r, e)| (r - e).abs() < 1e-12), "{roots:?}");
        assert_eq!(curve.fits.len(), 4, "{:?}", curve.fits);
        // The score is 1 + 2 √KL; the return 1, 3, 4 has slope 3/2 and R² 27/28.
        let score = curve.last_fit(Reward::Score).unwrap();
        assert!(
            (score.line.slope - 2.0).abs() < 1e-9 && (score.line.r2 - 1.0).abs() < 1e-9 && score.rows == 3
        );
        let line = curve.last_fit(Reward::Return).unwrap().line;
        assert!((line.slope - 1.5).abs() < 1e-9 && (line.r2 - 27.0 / 28.0).abs() < 1e-9);
        // Scores by a model that changes do not form a line. A run that stays at π₀ has no line.
        let curve = RewardVsKl::new(7, &records, false);
        assert!(curve.last_fit(Reward::Score).is_none() && curve.last_fit(Reward::Return).is_some());
        assert!(RewardVsKl::new(7, &records[..1], true).fits.is_empty());
    }
}
