//! All solutions of a game in one table.

use std::fmt;

use serde::Serialize;

use super::dynamics::hedge_step;
use super::{GameError, PreferenceMatrix, solve::winners};

/// Iterations of the dynamics in a report: 100,000 for small games, fewer for large ones, so that the run stays short.
fn iterations(options: usize) -> usize {
    (300_000_000 / (options * options)).clamp(1_000, 100_000)
}

/// One winner, or several that tie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Winner {
    /// The only winner.
    One(String),
    /// All winners of a tie.
    Tied(Vec<String>),
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => write!(f, "{name}"),
            Self::Tied(names) => write!(f, "{} (tied)", names.join(", ")),
        }
    }
}

/// The output of `spo game`. Lists are in the order of `options`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GameReport {
    /// Names of the options.
    pub options: Vec<String>,
    /// The minimax winner's weights.
    pub minimax_winner: Vec<f64>,
    /// The Condorcet winner, if there is one.
    pub condorcet: Option<String>,
    /// The Copeland winner.
    pub copeland: Winner,
    /// Pairwise wins.
    pub copeland_scores: Vec<f64>,
    /// The Borda winner.
    pub borda: Winner,
    /// Mean win rates.
    pub borda_scores: Vec<f64>,
    /// Bradley–Terry scores; `None` if they are infinite.
    pub bradley_terry: Option<Vec<f64>>,
    /// The margin of a best response against the Borda winner, which a Bradley–Terry reward model chooses.
    pub exploitability_of_borda: f64,
    /// The margin of a best response against the minimax winner: 0 up to rounding.
    pub exploitability_of_minimax_winner: f64,
    /// Iterations of the two dynamics below.
    pub iterations: usize,
    /// The margin of a best response against the average of Hedge's iterates.
    pub exploitability_of_hedge_average: f64,
    /// The margin of a best response against the last iterate of optimistic Hedge.
    pub exploitability_of_optimistic_last: f64,
}

impl PreferenceMatrix {
    /// Solves the game.
    ///
    /// # Errors
    /// [`GameError::Solver`] if the linear program fails.
    pub fn report(&self) -> Result<GameReport, GameError> {
        let n = self.len();
        let (copeland_scores, borda_scores) = (self.copeland(), self.borda());
        let borda_winners = winners(&borda_scores);
        let named = |which: &[usize]| match which {
            [only] => Winner::One(self.names()[*only].clone()),
            many => Winner::Tied(many.iter().map(|&i| self.names()[i].clone()).collect()),
        };
        let mut borda_policy = vec![0.0; n];
        borda_winners.iter().for_each(|&i| borda_policy[i] = 1.0 / borda_winners.len() as f64);
        let minimax_winner = self.minimax_winner()?;
        let iterations = iterations(n);
        let hedge = self.hedge(iterations, hedge_step(n, iterations), self.uniform());
        Ok(GameReport {
            options: self.names().to_vec(),
            condorcet: self.condorcet().map(|i| self.names()[i].clone()),
            copeland: named(&winners(&copeland_scores)),
            copeland_scores,
            borda: named(&borda_winners),
            borda_scores,
            bradley_terry: self.bradley_terry(),
            exploitability_of_borda: self.exploitability(&borda_policy),
            exploitability_of_minimax_winner: self.exploitability(&minimax_winner),
            exploitability_of_hedge_average: self.exploitability(&hedge.average),
            exploitability_of_optimistic_last: self
                .exploitability(&self.optimistic(iterations, 0.1, self.uneven()).last),
            iterations,
            minimax_winner,
        })
    }
}

impl fmt::Display for GameReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.options.iter().map(|o| o.chars().count()).max().unwrap_or(0).max(6);
        writeln!(f, "{:<width$}  minimax winner  Copeland  Borda   Bradley-Terry", "option")?;
        for (i, option) in self.options.iter().enumerate() {
            let bt = self.bradley_terry.as_ref().map_or("-".into(), |s| format!("{:+.4}", s[i]));
            writeln!(
                f,
                "{option:<width$}  {:>14.4}  {:>8}  {:.4}  {bt:>13}",
                self.minimax_winner[i], self.copeland_scores[i], self.borda_scores[i]
            )?;
        }
        writeln!(f, "\nCondorcet winner  {}", self.condorcet.as_deref().unwrap_or("none"))?;
        writeln!(f, "Copeland winner   {}", self.copeland)?;
        writeln!(f, "Borda winner      {}", self.borda)?;
        if self.bradley_terry.is_none() {
            writeln!(f, "Bradley-Terry     infinite: some options never lose to any other")?;
        }
        writeln!(f, "\nexploitability (margin of a best response)")?;
        writeln!(f, "  minimax winner              {:.6}", self.exploitability_of_minimax_winner.abs())?;
        writeln!(f, "  Borda winner                {:.6}", self.exploitability_of_borda)?;
        writeln!(
            f,
            "  Hedge, average of {:<8} {:.6}",
            self.iterations, self.exploitability_of_hedge_average
        )?;
        writeln!(
            f,
            "  optimistic, last of {:<6} {:.6}",
            self.iterations, self.exploitability_of_optimistic_last
        )
    }
}
