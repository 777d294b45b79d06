//! Policies against each other: win rates by an oracle, and what each concedes to those that it never met in training.
//!
//! The win rates are a game over the policies, to which all of [`game`](spo::game) applies: its minimax winner is the
//! mixture of them that none of them beats.

use spo_envs::EnvError;

use spo::base::random::{Stream, stream};
use spo::game::{GameError, PreferenceMatrix};
use spo::oracle::{Answer, MeteredOracle, Oracle, OracleError, Pair, Queries};
use spo::policy::{Acting, Policy};
use spo::rollout::{self, EnvFactory, Phase, Request, Rollout};

/// A trained result that plays.
#[derive(Clone, Debug)]
pub struct Player {
    /// What it is called; no two alike.
    pub name: String,
    /// Its policies, of which each trajectory is by one.
    pub policies: Vec<Policy>,
}

/// From where, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Initial states S, the same for all.
    pub states: usize,
    /// Trajectories K of each player from each state, of sampled actions: a pair of players is compared S · K (K − 1)
    /// times.
    pub per_state: usize,
    /// Of states, actions and answers.
    pub seed: u64,
}

impl Default for Setting {
    fn default() -> Self {
        Self { states: 16, per_state: 8, seed: 0 }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Tournament {
    /// Mean P(i ≻ j) over the comparisons of player i with player j.
    pub game: PreferenceMatrix,
    /// Half width of the 95 % interval of each P(i ≻ j), `[n, n]`: Student's t over initial states, whose comparisons are
    /// not independent; infinite where fewer than two states have answers.
    pub half_widths: Vec<f64>,
    /// Each player's trajectories.
    pub rollouts: Vec<Rollout>,
    /// What was asked.
    pub queries: Queries,
}

/// How one player stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its mean win rate against the others.
    pub win_rate: f64,
    /// The largest margin 2P − 1 by which another beats it: what it concedes to policies that it never met. Below 0
    /// where it beats all of them.
    pub exploitability: f64,
    /// Who beats it by that.
    pub by: String,
    /// Its weight in the minimax winner of the players.
    pub minimax_weight: f64,
    /// Elo rating, of mean 1000: 400 / ln 10 a unit of the Bradley–Terry fit. None where the fit is infinite, since
    /// some players never lose to the rest.
    pub elo: Option<f64>,
}

/// What can end a tournament.
#[derive(Debug, thiserror::Error)]
pub enum TournamentError {
    /// The environment.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// Too few players, or two of one name.
    #[error(transparent)]
    Game(#[from] GameError),
    /// Not one answer on a pair of players.
    #[error("the oracle abstained from all {asked} comparisons of {a} with {b}")]
    Unanswered {
        /// The one.
        a: String,
        /// The other.
        b: String,
        /// Comparisons.
        asked: usize,
    },
}

/// Lets every player play every other one; `progress` hears how many of how many rollouts and pairs are done.
///
/// Trajectories from one state are compared, no two of them drawn with the same noise.
///
/// # Errors
/// [`TournamentError`].
pub fn play(
    players: &[Player],
    factory: &EnvFactory,
    oracle: Box<dyn Oracle>,
    setting: &Setting,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Tournament, TournamentError> {
    let n = players.len();
    let names: Vec<String> = players.iter().map(|p| p.name.clone()).collect();
    // Names and their number are checked before hours of play.
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
            let met = meet(&rollouts[i], &rollouts[j]);
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

/// Of the mean of answers, `per_state` of each state in turn.
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

/// The k-th of one against the l-th of the other, k ≠ l, state by state: the k-th of both draw the same numbers.
fn meet<'a>(a: &'a Rollout, b: &'a Rollout) -> Vec<Pair<'a>> {
    let groups = a.episodes.chunks(a.per_state).zip(b.episodes.chunks(b.per_state));
    let of_state = |(a, b): (&'a [rollout::Episode], &'a [rollout::Episode])| {
        let pairs =
            (0..a.len()).flat_map(move |k| (0..b.len()).filter(move |&l| l != k).map(move |l| (k, l)));
        pairs.map(move |(k, l)| Pair { a: a[k].trajectory(), b: b[l].trajectory() })
    };
    groups.flat_map(of_state).collect()
}

impl Tournament {
    /// How each player stands, in the order in which they were given.
    ///
    /// # Errors
    /// [`GameError::Solver`].
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

/// How much the final positions of a rollout, the first two observations, lie in one direction from their origin: the
/// mean resultant length |mean e^{iθ}|, 1 where all headings are equal, about 0 where they are spread around a ring
/// (Mardia & Jupp 2000, eq. 2.3.4).
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
