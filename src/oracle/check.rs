//! A test of an oracle on trajectories: is it symmetric, repeatable and in range, and are its preferences transitive?
//!
//! It asks about all pairs of N trajectories in both orders, about the first order twice more, and about each trajectory
//! against itself: 2 N (N − 1) + N comparisons. The reversed pairs come in reverse order, so that an oracle that mixes up
//! the pairs of a batch is found too.

use std::fmt;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::events::OracleEvents;
use super::pairs::all_pairs;
use super::{Answer, Oracle, OracleError, Pair};
use crate::base::stats;
use crate::rollout::Trajectory;

pub mod cycle;

/// Largest |P(a, b) + P(b, a) − 1| that may be a rounding error.
const ROUNDING: f64 = 1e-4;
/// Most standard errors between a mean of random answers and its expected value: by chance, one in 30,000 is farther.
const CHANCE: f64 = 4.0;

/// What the test found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Number of trajectories.
    pub trajectories: usize,
    /// Number of comparisons.
    pub comparisons: usize,
    /// Whether the same question with the same random numbers gets the same answer. If not, a run with this oracle cannot
    /// be repeated either, and a resumed one may differ.
    pub repeatable: bool,
    /// Whether answers depend on the random numbers.
    pub random: bool,
    /// Pairs that were answered twice, with different random numbers, and those of them with the same winner (or a tie)
    /// both times.
    pub repeated: (u64, u64),
    /// Smallest and largest answer; `None` without any answer.
    pub range: Option<(f32, f32)>,
    /// Answers that are not probabilities.
    pub out_of_range: u64,
    /// Largest |P(a, b) + P(b, a) − 1|.
    pub asymmetry: f64,
    /// Mean of P(a, b) + P(b, a) − 1, which is above 0 if the first place is preferred; and its standard error.
    pub position_bias: (f64, f64),
    /// Pairs that are answered in one order only.
    pub one_sided_abstentions: usize,
    /// Largest |P(a, a) − ½|.
    pub self_preference: f64,
    /// Cyclic trios: each of the three loses to the next.
    pub cyclic_trios: usize,
    /// Number of trios.
    pub trios: usize,
    /// Kendall's coefficient of consistence: 1 without a cyclic trio, 0 with the largest possible number of them.
    pub consistence: Option<f64>,
    /// A shortest cycle: each beats the next, and the last beats the first.
    pub cycle: Option<Vec<usize>>,
    /// Share of comparisons without an answer.
    pub abstained: f64,
    /// Share of answers that are ties.
    pub tied: f64,
    /// Microseconds per comparison.
    pub microseconds: f64,
    /// Events while the oracle answered, by kind.
    pub notes: std::collections::BTreeMap<String, u64>,
    /// Rules that the oracle breaks.
    pub violations: Vec<String>,
    /// What is allowed, but good to know before a long run.
    pub warnings: Vec<String>,
}

impl Report {
    /// Whether the oracle keeps all rules.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

/// One round of answers; those that are not probabilities are apart.
struct Round {
    answers: Vec<Option<f32>>,
    wild: Vec<(usize, f32)>,
}

/// Tests `oracle`, which was prepared with `events`, on at least two trajectories.
///
/// # Errors
/// The oracle's own errors, and [`OracleError::Count`].
pub fn check(
    oracle: &mut dyn Oracle,
    trajectories: &[Trajectory<'_>],
    events: &OracleEvents,
    seed: u64,
) -> Result<Report, OracleError> {
    let n = trajectories.len();
    let met = all_pairs(&(0..n).collect::<Vec<_>>());
    let pair = |&(i, j): &(usize, usize)| Pair { a: trajectories[i], b: trajectories[j] };
    let forward: Vec<_> = met.iter().map(pair).collect();
    let backward: Vec<_> = met.iter().rev().map(|&(i, j)| pair(&(j, i))).collect();
    let with_itself: Vec<_> = (0..n).map(|i| pair(&(i, i))).collect();

    let (start, mut asked) = (Instant::now(), 0);
    let mut ask = |pairs: &[Pair<'_>], seed: u64| {
        asked += pairs.len();
        round(oracle, pairs, seed)
    };
    let first = ask(&forward, seed)?;
    let mut swapped = ask(&backward, seed)?;
    swapped.answers.reverse();
    let again = ask(&forward, seed)?;
    let other = ask(&forward, seed + 1)?;
    let own = ask(&with_itself, seed)?;
    let seconds = start.elapsed().as_secs_f64();

    let repeatable = first.answers == again.answers;
    let random = repeatable && first.answers != other.answers;
    let all = [&first, &swapped, &again, &other, &own];
    let given: Vec<f32> = all.iter().flat_map(|round| round.answers.iter().flatten().copied()).collect();
    let sums: Vec<f64> = (first.answers.iter().zip(&swapped.answers))
        .filter_map(|(p, q)| Some(f64::from((*p)?) + f64::from((*q)?) - 1.0))
        .collect();
    let largest = |gaps: &mut dyn Iterator<Item = f64>| gaps.map(f64::abs).fold(0.0, f64::max);
    // The mean preference of both orders; `None` for a pair without an answer.
    let prefer = |at: usize| match (first.answers[at], swapped.answers[at]) {
        (Some(p), Some(q)) => Some(0.5 * (f64::from(p) + 1.0 - f64::from(q))),
        (Some(p), None) => Some(f64::from(p)),
        (None, Some(q)) => Some(1.0 - f64::from(q)),
        (None, None) => None,
    };
    let twice = first.answers.iter().zip(&other.answers).filter_map(|(p, q)| Some(((*p)?, (*q)?)));
    let winner = |p: f32| (p > 0.5) as i8 - (p < 0.5) as i8;
    let mut beats = vec![vec![false; n]; n];
    for (at, &(i, j)) in met.iter().enumerate() {
        if let Some(p) = prefer(at) {
            beats[i][j] = p > 0.5 + ROUNDING;
            beats[j][i] = p < 0.5 - ROUNDING;
        }
    }
    let cyclic_trios = cycle::trios(&beats);
    let mut report = Report {
        trajectories: n,
        comparisons: asked,
        repeatable,
        random,
        repeated: twice.fold((0, 0), |(n, same), (p, q)| (n + 1, same + u64::from(winner(p) == winner(q)))),
        range: (given.iter().copied().reduce(f32::min)).zip(given.iter().copied().reduce(f32::max)),
        out_of_range: all.iter().map(|round| round.wild.len() as u64).sum(),
        asymmetry: largest(&mut sums.iter().copied()),
        position_bias: (stats::mean(&sums), stats::std_dev(&sums) / (sums.len().max(1) as f64).sqrt()),
        one_sided_abstentions: (first.answers.iter().zip(&swapped.answers))
            .filter(|(p, q)| p.is_some() != q.is_some())
            .count(),
        self_preference: largest(&mut own.answers.iter().flatten().map(|&p| f64::from(p) - 0.5)),
        cyclic_trios,
        trios: n * (n - 1) * n.saturating_sub(2) / 6,
        consistence: cycle::consistence(n, cyclic_trios),
        cycle: cycle::shortest(&beats),
        abstained: 1.0 - given.len() as f64 / asked.max(1) as f64,
        tied: given.iter().filter(|p| **p == 0.5).count() as f64 / given.len().max(1) as f64,
        microseconds: 1e6 * seconds / asked.max(1) as f64,
        notes: events.counts(),
        violations: Vec::new(),
        warnings: Vec::new(),
    };
    report.judge(&met, all.iter().find_map(|round| round.wild.first().copied()), &sums);
    Ok(report)
}

fn round(oracle: &mut dyn Oracle, pairs: &[Pair<'_>], seed: u64) -> Result<Round, OracleError> {
    let answers = oracle.compare(pairs, &mut ChaCha8Rng::seed_from_u64(seed))?;
    if answers.len() != pairs.len() {
        return Err(OracleError::Count { asked: pairs.len(), got: answers.len() });
    }
    let mut round = Round { answers: Vec::with_capacity(answers.len()), wild: Vec::new() };
    for (at, answer) in answers.into_iter().enumerate() {
        round.answers.push(match answer {
            Answer::Prefer(p) if (0.0..=1.0).contains(&p) => Some(p),
            Answer::Prefer(p) => {
                round.wild.push((at, p));
                None
            }
            Answer::Abstain => None,
        });
    }
    Ok(round)
}

impl Report {
    fn judge(&mut self, met: &[(usize, usize)], wild: Option<(usize, f32)>, sums: &[f64]) {
        let fixed = self.repeatable && !self.random;
        let mut broken = |holds: bool, what: String| {
            if !holds {
                self.violations.push(what);
            }
        };
        if let Some((at, p)) = wild {
            broken(
                false,
                format!(
                    "{} answers are not probabilities, the first is {p} for pair {at}",
                    self.out_of_range
                ),
            );
        }
        if let Some(rejected) = self.notes.get("rejected") {
            broken(false, format!("{rejected} answers of the program are not probabilities"));
        }
        broken(
            !fixed || self.asymmetry <= ROUNDING,
            match sums.iter().position(|s| s.abs() == self.asymmetry).and_then(|at| met.get(at)) {
                Some((i, j)) => format!(
                    "P(a, b) + P(b, a) differs from 1 by up to {:.3}, as for trajectories {i} and {j}",
                    self.asymmetry
                ),
                None => String::new(),
            },
        );
        let (bias, error) = self.position_bias;
        broken(
            fixed || bias.abs() <= CHANCE * error + ROUNDING,
            format!(
                "the {} place is preferred: P(a, b) + P(b, a) - 1 is {bias:.3} ± {error:.3} on average",
                if bias > 0.0 { "first" } else { "second" }
            ),
        );
        broken(
            !fixed || self.one_sided_abstentions == 0,
            format!("{} pairs are answered in one order and not in the other", self.one_sided_abstentions),
        );
        broken(
            !fixed || self.self_preference <= ROUNDING,
            format!("a trajectory against itself differs from 1/2 by up to {:.3}", self.self_preference),
        );
        let mut warn = |doubtful: bool, what: &str| {
            if doubtful {
                self.warnings.push(what.into());
            }
        };
        warn(
            !self.repeatable,
            "the same question gets different answers, so neither the same seed nor a resumed run gives the same result",
        );
        warn(self.abstained > 0.5, "most pairs get no answer");
        warn(self.tied > 0.9, "nearly all answers are ties, so there is little to learn from");
        warn(
            self.cycle.is_some() && fixed,
            "preferences go in circles, so there is no single best policy; use the average one (--set result=average)",
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let kind = match (self.repeatable, self.random) {
            (false, _) => "no: the same question gets different answers",
            (true, true) => "random, repeatable with the same seed",
            (true, false) => "yes",
        };
        let range = match self.range {
            Some((low, high)) => format!("{low} to {high}"),
            None => "no answer".into(),
        };
        writeln!(f, "asked          {} comparisons of {} trajectories", self.comparisons, self.trajectories)?;
        writeln!(f, "deterministic  {kind}")?;
        let (pairs, same) = self.repeated;
        if pairs > 0 {
            writeln!(
                f,
                "repeats        {} of {pairs} pairs asked twice get the same winner",
                percent(same as f64 / pairs as f64)
            )?;
        }
        writeln!(f, "range          {range}")?;
        let (bias, error) = self.position_bias;
        match self.repeatable && !self.random {
            true => writeln!(
                f,
                "antisymmetry   P(a, b) + P(b, a) differs from 1 by at most {:.1e}",
                self.asymmetry
            )?,
            false => writeln!(
                f,
                "antisymmetry   P(a, b) + P(b, a) differs from 1 by {bias:.3} ± {error:.3} on average"
            )?,
        }
        writeln!(f, "itself         P(a, a) differs from 1/2 by at most {:.1e}", self.self_preference)?;
        write!(f, "transitivity   {} of {} trios go in circles", self.cyclic_trios, self.trios)?;
        if let Some(cycle) = &self.cycle {
            let names: Vec<String> = cycle.iter().chain(cycle.first()).map(usize::to_string).collect();
            write!(f, ", such as {}", names.join(" > "))?;
        }
        writeln!(f, "\nabstains       {}", percent(self.abstained))?;
        writeln!(f, "ties           {}", percent(self.tied))?;
        writeln!(f, "speed          {:.1} µs per comparison", self.microseconds)?;
        for (kind, count) in &self.notes {
            writeln!(f, "{kind:<15}{count}")?;
        }
        self.warnings.iter().try_for_each(|what| writeln!(f, "note: {what}"))?;
        self.violations.iter().try_for_each(|what| writeln!(f, "VIOLATION: {what}"))?;
        writeln!(f, "{}", if self.holds() { "the contract holds" } else { "the contract is broken" })
    }
}
