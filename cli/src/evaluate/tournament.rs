//! Tournaments of policies: win rates by an oracle, and the exploitability of each policy by opponents that it did not
//! meet in training.
//!
//! The win rates form a game over the policies, as in [`game`](spo::game). Its minimax winner is the mixture of policies
//! that no policy beats.

use spo_envs::EnvError;

use spo::base::random::{Stream, stream};
use spo::game::{GameError, PreferenceMatrix};
use spo::oracle::{Answer, MeteredOracle, Oracle, OracleError, Pair, Queries};
use spo::policy::{Acting, Policy};
use spo::rollout::{self, EnvFactory, Phase, Request, Rollout};

/// A trained result that takes part.
#[derive(Clone, Debug)]
pub struct Player {
    /// Its name, which must be unique.
    pub name: String,
    /// Its mixture of policies; each trajectory uses one of them.
    pub policies: Vec<Policy>,
}

/// The size and seed of a tournament.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Number of initial states S, the same for all players.
    pub states: usize,
    /// Number of trajectories K per player and state, with sampled actions. A pair of players is compared S · K (K − 1)
    /// times.
    pub per_state: usize,
    /// Seed of states, actions and answers.
    pub seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self { states: 16, per_state: 8, seed: 0 }
    }
}

/// The result of a tournament.
#[derive(Clone, Debug)]
pub struct Tournament {
    /// Mean P(i ≻ j) over the comparisons of player i with player j.
    pub game: PreferenceMatrix,
    /// Half width of the 95 % interval of each P(i ≻ j), `[n, n]`: Student's t over initial states, because comparisons
    /// from one state are not independent. Infinite if fewer than two states have answers.
    pub half_widths: Vec<f64>,
    /// Each player's trajectories.
    pub rollouts: Vec<Rollout>,
    /// Counts of comparisons.
    pub queries: Queries,
}

/// The standing of a player.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its mean win rate against the others.
    pub win_rate: f64,
    /// The largest margin 2P − 1 by which another player beats it; negative if it beats all of them.
    pub exploitability: f64,
    /// The player that beats it by this margin.
    pub by: String,
    /// Its weight in the minimax winner of the players.
    pub minimax_weight: f64,
    /// Elo rating with mean 1000: 400 / ln 10 per unit of the Bradley–Terry fit. `None` if the fit is infinite, because
    /// some players never lose to the others.
    pub elo: Option<f64>,
}

/// An error of a tournament.
#[derive(Debug, thiserror::Error)]
pub enum TournamentError {
    /// The environment failed.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The oracle failed.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// There are too few players, or two have the same name.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The oracle gave no answer for a pair of players.
    #[error("the oracle abstained from all {asked} comparisons of {a} with {b}")]
    Unanswered {
        /// The first player.
        a: String,
        /// The second player.
        b: String,
        /// Number of comparisons.
        asked: usize,
    },
}

/// Lets every player play against every other one. `progress` receives the number of finished rollouts and pairs, and
/// their total.
///
/// The oracle compares trajectories from the same state that were drawn with different random numbers.
///
/// # Errors
/// [`TournamentError`] if the players are not valid, or the environment or the oracle fails.
pub fn play(
    players: &[Player],
    factory: &EnvFactory,
    oracle: Box<dyn Oracle>,
    setting: &Setting,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tournament, TournamentError> {
    let n = players.len();
    let names: Vec<String> = players.iter().map(|p| p.name.clone()).collect();
    // Check the names before a long computation.
    PreferenceMatrix::new(names.clone(), vec![0.5; n * n], "tournament")?;
    let request = Request {
        seed: setting.seed,
        phase: Phase::Evaluate,
        iteration: 0,
        states: setting.states,
        per_state: setting.per_state,
        acting: Acting::Sample,
    };
    let (mut done, of) = (0, n + n * (n - 1) / 2);
    let mut rollouts = Vec::with_capacity(n);
    for player in players {
        rollouts.push(rollout::collect(&player.policies, factory, &request)?);
        done += 1;
        progress(done, of);
    }
    let mut counted = MeteredOracle::new(oracle, None);
    let (mut p, mut half_widths) = (vec![0.5; n * n], vec![0.0; n * n]);
    for i in 0..n {
        for j in i + 1..n {
            let met = pairs(&rollouts[i], &rollouts[j]);
            let answers =
                counted.ask(&met, &mut stream(setting.seed, Stream("tourney"), i as u64, j as u64))?;
            let won: Vec<f64> = (answers.iter())
                .filter_map(|answer| match answer {
                    Answer::Prefer(p) => Some(f64::from(*p)),
                    Answer::Abstain => None,
                })
                .collect();
            if won.is_empty() {
                let (a, b) = (names[i].clone(), names[j].clone());
                return Err(TournamentError::Unanswered { a, b, asked: met.len() });
            }
            p[i * n + j] = spo::base::stats::mean(&won);
            p[j * n + i] = 1.0 - p[i * n + j];
            half_widths[i * n + j] = half_width(&answers, met.len() / setting.states);
            half_widths[j * n + i] = half_widths[i * n + j];
            done += 1;
            progress(done, of);
        }
    }
    let game = PreferenceMatrix::new(names, p, "tournament")?;
    Ok(Tournament { game, half_widths, rollouts, queries: counted.queries() })
}

/// Half width of the interval of the mean answer; each state has `per_state` consecutive answers.
fn half_width(answers: &[Answer], per_state: usize) -> f64 {
    let of_state = |answers: &[Answer]| {
        let (mut sum, mut given) = (0.0, 0);
        for answer in answers {
            if let Answer::Prefer(p) = answer {
                (sum, given) = (sum + f64::from(*p), given + 1);
            }
        }
        (given > 0).then(|| sum / f64::from(given))
    };
    let means: Vec<f64> = answers.chunks(per_state.max(1)).filter_map(of_state).collect();
    if means.len() < 2 { f64::INFINITY } else { spo::base::stats::ci95(&means) }
}

/// Pairs the k-th trajectory of `a` with the l-th of `b` from the same state, k ≠ l, because the k-th trajectories of both
/// use the same random numbers.
fn pairs<'a>(a: &'a Rollout, b: &'a Rollout) -> Vec<Pair<'a>> {
    let groups = a.episodes.chunks(a.per_state).zip(b.episodes.chunks(b.per_state));
    let of_state = |(a, b): (&'a [rollout::Episode], &'a [rollout::Episode])| {
        let pairs =
            (0..a.len()).flat_map(move |k| (0..b.len()).filter(move |&l| l != k).map(move |l| (k, l)));
        pairs.map(move |(k, l)| Pair { a: a[k].trajectory(), b: b[l].trajectory() })
    };
    groups.flat_map(of_state).collect()
}

impl Tournament {
    /// The standing of each player, in the given order.
    ///
    /// # Errors
    /// [`GameError::Solver`] if the linear program fails.
    pub fn standings(&self) -> Result<Vec<Standing>, GameError> {
        let game = &self.game;
        let (win_rates, minimax, scores) = (game.borda(), game.minimax_winner()?, game.bradley_terry());
        let standing = |i: usize| {
            let others = (0..game.len()).filter(|&j| j != i);
            let worst = others.max_by(|&a, &b| game.margin(a, i).total_cmp(&game.margin(b, i)));
            let worst = worst.expect("a game has at least two options");
            Standing {
                name: game.names()[i].clone(),
                win_rate: win_rates[i],
                exploitability: game.margin(worst, i),
                by: game.names()[worst].clone(),
                minimax_weight: minimax[i],
                elo: scores.as_ref().map(|s| 1000.0 + 400.0 / std::f64::consts::LN_10 * s[i]),
            }
        };
        Ok((0..game.len()).map(standing).collect())
    }
}

/// How concentrated the directions of the final positions (the first two observations) are: the mean resultant length
/// |mean e^{iθ}|. It is 1 if all directions are equal, and about 0 if they are spread around a ring (Mardia & Jupp 2000,
/// eq. 2.3.4).
pub fn concentration(rollout: &Rollout) -> f64 {
    let headings = rollout.episodes.iter().filter_map(|e| match e.final_obs[..] {
        [x, y, ..] => Some(f64::from(y).atan2(f64::from(x))),
        _ => None,
    });
    let (mut c, mut s, mut n) = (0.0, 0.0, 0.0);
    headings.for_each(|t| (c, s, n) = (c + t.cos(), s + t.sin(), n + 1.0));
    if n == 0.0 { 0.0 } else { f64::hypot(c / n, s / n) }
}

#[cfg(test)]
mod tests;
