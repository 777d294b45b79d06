//! Which pairs of segments a round compares.

use rand::{Rng, RngExt};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rollout::Episode;
use crate::scorer::reward_model::model::{RewardModel, assess::sigmoid};
use crate::scorer::reward_model::segment;

/// How pairs are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// At random.
    #[default]
    Uniform,
    /// Among ten times as many random pairs, those with the largest standard deviation of P(a ≻ b) over the members of the
    /// ensemble (Christiano et al. 2017, section 2.2.4; B-Pref).
    Disagreement,
    /// Among ten times as many random pairs, those with the largest mean entropy of P(a ≻ b) over the members of the ensemble
    /// (B-Pref).
    Entropy,
}

/// Candidates for each query (`large_batch` in B-Pref).
const CANDIDATES: usize = 10;

/// Steps `from..to` of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The number of the episode, as the caller numbers them.
    pub episode: u64,
    /// First step.
    pub from: usize,
    /// The step after the last.
    pub to: usize,
}

/// `count` pairs of segments of `length` steps (or whole trajectories), each from two different trajectories of `pool`. Empty
/// if `pool` has fewer than two. A shorter trajectory is taken whole. With an untrained model the choice is random.
pub fn choose(
    pool: &[(u64, &Episode)],
    count: usize,
    length: Option<usize>,
    sampling: Sampling,
    model: &RewardModel,
    rng: &mut impl Rng,
) -> Vec<[Clip; 2]> {
    if pool.len() < 2 {
        return Vec::new();
    }
    let at_random = sampling == Sampling::Uniform || !model.is_trained();
    let drawn = if at_random { count } else { CANDIDATES * count };
    let pairs: Vec<[(usize, usize, usize); 2]> = (0..drawn).map(|_| draw(pool, length, rng)).collect();
    let chosen = if at_random { pairs } else { best(pool, pairs, count, sampling, model) };
    let clip = |(place, from, to): (usize, usize, usize)| Clip { episode: pool[place].0, from, to };
    chosen.into_iter().map(|pair| pair.map(clip)).collect()
}

/// Two segments as (place in the pool, from, to).
fn draw(pool: &[(u64, &Episode)], length: Option<usize>, rng: &mut impl Rng) -> [(usize, usize, usize); 2] {
    let first = rng.random_range(0..pool.len());
    let other = rng.random_range(0..pool.len() - 1);
    // Any trajectory except the first of the pair.
    let second = if other < first { other } else { other + 1 };
    [first, second].map(|place| {
        let steps = pool[place].1.len();
        let width = length.map_or(steps, |length| length.min(steps));
        let from = rng.random_range(0..=steps - width);
        (place, from, from + width)
    })
}

/// The `count` pairs with the highest values; among equal values, earlier pairs come first.
fn best(
    pool: &[(u64, &Episode)],
    pairs: Vec<[(usize, usize, usize); 2]>,
    count: usize,
    sampling: Sampling,
    model: &RewardModel,
) -> Vec<[(usize, usize, usize); 2]> {
    // For each trajectory and member, the sums of the first n predicted rewards, n from 0.
    let sums: Vec<Vec<Vec<f64>>> = pool
        .par_iter()
        .map(|(_, e)| {
            model.member_rewards(segment(&e.trajectory())).iter().map(|r| running_sums(r)).collect()
        })
        .collect();
    let members = sums.first().map_or(0, Vec::len);
    let value = |pair: &[(usize, usize, usize); 2]| {
        let p: Vec<f64> = (0..members)
            .map(|m| {
                let [a, b] = pair.map(|(place, from, to)| sums[place][m][to] - sums[place][m][from]);
                sigmoid(a - b)
            })
            .collect();
        match sampling {
            Sampling::Entropy => p.iter().map(|&p| entropy(p)).sum::<f64>() / members as f64,
            _ => crate::base::stats::std_dev(&p),
        }
    };
    let values: Vec<f64> = pairs.par_iter().map(value).collect();
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    order.into_iter().take(count).map(|i| pairs[i]).collect()
}

fn running_sums(rewards: &[f32]) -> Vec<f64> {
    let sums = rewards.iter().scan(0.0, |sum, &r| {
        *sum += f64::from(r);
        Some(*sum)
    });
    std::iter::once(0.0).chain(sums).collect()
}

/// −p log p − (1 − p) log(1 − p), in nats.
fn entropy(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    term(p) + term(1.0 - p)
}
