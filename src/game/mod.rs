//! Preference games, solved exactly.
//!
//! A game is a matrix of P(i ≻ j) over options; its margins are A = 2P − 1. Self-play approaches the **minimax winner**
//! (von Neumann winner, maximal lottery): argmax_p min_q Σ p_i q_j P(i ≻ j), the symmetric Nash equilibrium.
//!
//! - [`PreferenceMatrix`]: a game, read from CSV ([`read`](mod@read)) or counted from rankings.
//! - [`solve`](mod@solve): minimax winner (linear program), Condorcet, Copeland, Borda, Bradley–Terry,
//!   exploitability.
//! - [`dynamics`]: Hedge against itself, its optimistic form, extragradient.
//! - [`nash_md`]: self-play against a mixture with a reference policy; [`regression`]: SPPO and REBEL.
//! - [`report`](mod@report): a table of all solutions; [`methods`]: a table of the result of every method.

use std::path::PathBuf;

pub mod dynamics;
pub mod methods;
pub mod nash_md;
pub mod read;
pub mod regression;
pub mod report;
pub mod solve;

/// P(i ≻ j) over named options: each P(i, j) + P(j, i) = 1, each P(i, i) = ½.
#[derive(Clone, Debug, PartialEq)]
pub struct PreferenceMatrix {
    names: Vec<String>,
    /// Row-major, `[n, n]`.
    p: Vec<f64>,
}

/// An error of a game.
#[derive(Debug, thiserror::Error)]
pub enum GameError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the file is wrong.
    #[error("{origin}, line {line}: {why}")]
    Line {
        /// The file.
        origin: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong, and how to fix it.
        why: String,
    },
    /// The whole matrix is wrong.
    #[error("{origin}: {why}")]
    Matrix {
        /// The file's name, or "matrix".
        origin: String,
        /// What is wrong, and how to fix it.
        why: String,
    },
    /// The linear program failed.
    #[error("the linear program of the minimax winner failed: {0}")]
    Solver(String),
}

/// Largest difference of P(i, j) + P(j, i) from 1. Files contain rounded decimals.
const TOLERANCE: f64 = 1e-6;

/// Names of the built-in games.
pub const BUILTIN: [&str; 3] = ["cycle", "condorcet_is_not_borda", "rock_paper_scissors"];

/// A built-in game: a voting cycle (2 voters abc, 2 bca, 1 cab), a Condorcet winner that is not the Borda winner (3 abc,
/// 2 bca), or rock-paper-scissors. `None` for any other name.
pub fn builtin(name: &str) -> Option<PreferenceMatrix> {
    let voters: &[(f64, &[&str])] = match name {
        "cycle" => &[(2.0, &["a", "b", "c"]), (2.0, &["b", "c", "a"]), (1.0, &["c", "a", "b"])],
        "condorcet_is_not_borda" => &[(3.0, &["a", "b", "c"]), (2.0, &["b", "c", "a"])],
        "rock_paper_scissors" => {
            let names = ["rock", "paper", "scissors"].map(String::from).to_vec();
            let p = vec![0.5, 0.0, 1.0, 1.0, 0.5, 0.0, 0.0, 1.0, 0.5];
            return Some(PreferenceMatrix { names, p });
        }
        _ => return None,
    };
    let rankings: Vec<_> =
        voters.iter().map(|(n, r)| (*n, r.iter().map(ToString::to_string).collect())).collect();
    PreferenceMatrix::from_rankings(&rankings).ok()
}

impl PreferenceMatrix {
    /// A matrix `[n, n]` of P(i ≻ j), row-major; `origin` names it in errors.
    ///
    /// # Errors
    /// [`GameError::Matrix`]: there are fewer than two options, a name is repeated, a probability is out of range, or a
    /// pair does not add up to 1.
    pub fn new(names: Vec<String>, mut p: Vec<f64>, origin: &str) -> Result<Self, GameError> {
        let n = names.len();
        let fail = |why: String| Err(GameError::Matrix { origin: origin.into(), why });
        if n < 2 {
            let header = "name them in a header such as `a,b,c`, or begin with `count,ranking`";
            return fail(format!("it has {n} options, but a game needs at least 2; {header}"));
        }
        if names.iter().any(String::is_empty) {
            return fail("an option has no name; give every column a name in the header".into());
        }
        if p.len() != n * n {
            return fail(format!("it has {} entries for {n} options; expected {}", p.len(), n * n));
        }
        if let Some(twice) = (0..n).find(|&i| names[..i].contains(&names[i])) {
            return fail(format!("the option `{}` is named twice; give each its own name", names[twice]));
        }
        for i in 0..n {
            for j in 0..=i {
                let (ij, ji) = (p[i * n + j], p[j * n + i]);
                let (a, b) = (&names[i], &names[j]);
                if let Some(bad) = [ij, ji].iter().find(|x| !(0.0..=1.0).contains(*x)) {
                    return fail(format!("P between {a} and {b} is {bad}; expected a number from 0 to 1"));
                }
                if (ij + ji - 1.0).abs() > TOLERANCE {
                    let why = if i == j {
                        format!("P({a}, {a}) is {ij}; write 0.5, because an option ties with itself")
                    } else {
                        format!("P({a}, {b}) + P({b}, {a}) = {ij} + {ji}; they must add up to 1")
                    };
                    return fail(why);
                }
                // Make the margins exactly antisymmetric.
                p[j * n + i] = 1.0 - ij;
                if i == j {
                    p[i * n + j] = 0.5;
                }
            }
        }
        Ok(Self { names, p })
    }

    /// Counts rankings, each with its number of voters; the best option comes first. P(i ≻ j) is the share of voters who
    /// rank i above j. Options that a ranking omits tie for its last place.
    ///
    /// # Errors
    /// [`GameError::Matrix`]: there are no voters, a count is not positive, or a ranking names an option twice.
    pub fn from_rankings(rankings: &[(f64, Vec<String>)]) -> Result<Self, GameError> {
        let fail = |why: String| Err(GameError::Matrix { origin: "rankings".into(), why });
        let mut names: Vec<String> = rankings.iter().flat_map(|(_, r)| r.clone()).collect();
        names.sort();
        names.dedup();
        let n = names.len();
        let mut p = vec![0.0; n * n];
        let mut voters = 0.0;
        for (count, ranking) in rankings {
            if !(*count > 0.0 && *count <= 1e9) {
                return fail(format!(
                    "`{}` has {count} voters; expected a number above 0 and at most 1e9",
                    ranking.join(">")
                ));
            }
            if let Some(twice) = (0..ranking.len()).find(|&i| ranking[..i].contains(&ranking[i])) {
                return fail(format!(
                    "`{}` ranks `{}` twice; name each option once",
                    ranking.join(">"),
                    ranking[twice]
                ));
            }
            let rank = |i: usize| ranking.iter().position(|r| *r == names[i]).unwrap_or(ranking.len());
            for i in 0..n {
                for j in 0..n {
                    p[i * n + j] += count
                        * match rank(i).cmp(&rank(j)) {
                            std::cmp::Ordering::Less => 1.0,
                            std::cmp::Ordering::Equal => 0.5,
                            std::cmp::Ordering::Greater => 0.0,
                        };
                }
            }
            voters += count;
        }
        p.iter_mut().for_each(|x| *x /= voters);
        Self::new(names, p, "rankings")
    }

    /// The weighted mean Σ_m w_m P_m(i ≻ j) of games with the same options; the weights are normalised to sum 1. `None`
    /// if the options differ or no weight is positive.
    pub fn mixed(games: &[(f64, Self)]) -> Option<Self> {
        let (_, first) = games.first()?;
        let total: f64 = games.iter().map(|(weight, _)| weight).sum();
        let same = games.iter().all(|(weight, game)| *weight >= 0.0 && game.names == first.names);
        if !same || total <= 0.0 {
            return None;
        }
        let entry = |k: usize| games.iter().map(|(weight, game)| weight * game.p[k]).sum::<f64>() / total;
        let p = (0..first.p.len()).map(entry).collect();
        Some(Self { names: first.names.clone(), p })
    }

    /// The reversed game, with P(j ≻ i) in place of P(i ≻ j).
    pub fn flipped(mut self) -> Self {
        self.p.iter_mut().for_each(|p| *p = 1.0 - *p);
        self
    }

    /// Total variation ½ Σ_i |p_i − q_i| between a mixture of options and the minimax winner.
    ///
    /// # Errors
    /// [`GameError::Solver`].
    pub fn minimax_distance(&self, mixture: &[f64]) -> Result<f64, GameError> {
        let winner = self.minimax_winner()?;
        Ok(0.5 * mixture.iter().zip(winner).map(|(p, q)| (p - q).abs()).sum::<f64>())
    }

    /// Number of options n.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Always false: a game has at least two options.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The options' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// P(i ≻ j).
    pub fn p(&self, i: usize, j: usize) -> f64 {
        self.p[i * self.len() + j]
    }

    /// A_ij = 2 P(i ≻ j) − 1.
    pub fn margin(&self, i: usize, j: usize) -> f64 {
        2.0 * self.p(i, j) - 1.0
    }

    /// A p: each option's margin against the mixture p, `[n]`.
    pub fn margins_against(&self, mixture: &[f64]) -> Vec<f64> {
        (0..self.len())
            .map(|i| mixture.iter().enumerate().map(|(j, q)| q * self.margin(i, j)).sum())
            .collect()
    }

    /// P p: each option's win rate against the mixture p, `[n]`.
    pub fn win_rates_against(&self, mixture: &[f64]) -> Vec<f64> {
        self.margins_against(mixture).into_iter().map(|margin| 0.5 + 0.5 * margin).collect()
    }

    /// max_i (A p)_i: the margin of a best response against p. It is 0 at a minimax winner, and never below.
    pub fn exploitability(&self, mixture: &[f64]) -> f64 {
        self.margins_against(mixture).into_iter().fold(f64::NEG_INFINITY, f64::max)
    }
}
