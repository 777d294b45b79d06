//! The result of each method on a game: RLHF, self-play and its successors.
//!
//! All are computed exactly, without sampling and without networks, so that only the method differs.

use std::fmt;

use serde::Serialize;

use super::dynamics::{SelfPlayRun, hedge_step, normalized};
use super::nash_md::KlPenalty;
use super::{GameError, PreferenceMatrix, solve::winners};

/// λ of the KL-penalised RLHF policy: the penalty per nat of KL to the uniform policy, in units of the score.
const RLHF_PENALTY: f64 = 0.1;
/// η of the dynamics whose last iterate counts, in margins, of which the largest is 1.
const STEP: f64 = 0.5;
/// τ of Nash-MD, the weight of its KL regularisation, in win rates.
const NASH_MD_TAU: f64 = 0.01;
/// η of Nash-MD, in win rates: a step has an error of about η², and the regularisation corrects ητ of it.
const NASH_MD_STEP: f64 = 0.1;
/// A table shows the weights of up to this many options; of more options it shows those with the largest weights.
const COLUMNS: usize = 6;

/// Iterations of a dynamic: 10,000 for small games, fewer for large ones, so that the run stays short.
fn iterations(options: usize) -> usize {
    (30_000_000 / (options * options)).clamp(1_000, 10_000)
}

/// The result of one method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Method {
    /// The method, and which of its iterates.
    pub name: String,
    /// Its mixture of options, `[n]`; `None` if there is none, because the Bradley–Terry scores are infinite.
    pub mixture: Option<Vec<f64>>,
    /// The margin of a best response against it.
    pub exploitability: Option<f64>,
    /// Total variation distance to the minimax winner.
    pub minimax_distance: Option<f64>,
}

/// The output of `spo game --dynamics`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Methods {
    /// Names of the options.
    pub options: Vec<String>,
    /// The minimax winner's weights.
    pub minimax_winner: Vec<f64>,
    /// The Borda winners, by name.
    pub borda: Vec<String>,
    /// Iterations of each dynamic.
    pub iterations: usize,
    /// The results, one per method.
    pub methods: Vec<Method>,
}

impl PreferenceMatrix {
    /// Runs every method. Self-play begins at [`uneven`](Self::uneven) weights.
    ///
    /// # Errors
    /// [`GameError::Solver`] if the linear program fails.
    pub fn methods(&self) -> Result<Methods, GameError> {
        let n = self.len();
        let iterations = iterations(n);
        let borda = winners(&self.borda());
        let minimax_winner = self.minimax_winner()?;
        let slow = hedge_step(n, iterations);
        let penalty = KlPenalty { reference: self.uniform(), tau: NASH_MD_TAU };
        let start = || self.uneven();

        // Scores fitted to all pairs have the same order as Borda scores, even if they are infinite: at the maximum,
        // Σ_j σ(s_i − s_j) = Σ_j P(i ≻ j).
        let best: Vec<f64> =
            (0..n).map(|i| if borda.contains(&i) { 1.0 / borda.len() as f64 } else { 0.0 }).collect();
        let penalised = self.bradley_terry().map(|scores| {
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            normalized(scores.iter().map(|s| ((s - top) / RLHF_PENALTY).exp()).collect())
        });
        let mut rows = vec![
            ("RLHF, best response".to_string(), Some(best)),
            (format!("RLHF, KL penalty {RLHF_PENALTY}"), penalised),
        ];
        let mut both = |name: &str, run: SelfPlayRun| {
            rows.push((format!("{name}, average"), Some(run.average)));
            rows.push((format!("{name}, last"), Some(run.last)));
        };
        both("Hedge", self.hedge(iterations, slow, start()));
        // A step η in margins equals 2η in win rates.
        both("SPPO", self.sppo(iterations, 2.0 * slow, start()));
        both("REBEL", self.rebel(iterations, 2.0 * slow, start()));
        both("optimistic", self.optimistic(iterations, STEP, start()));
        both("extragradient", self.extragradient(iterations, STEP, start()));
        let nash_md = self.nash_md(iterations, NASH_MD_STEP, start(), &penalty).last;
        rows.push((format!("Nash-MD, anchor {NASH_MD_TAU}, last"), Some(nash_md)));
        rows.push(("minimax winner".to_string(), Some(minimax_winner.clone())));

        let distance = |mixture: &Vec<f64>| {
            0.5 * mixture.iter().zip(&minimax_winner).map(|(p, q)| (p - q).abs()).sum::<f64>()
        };
        let methods = rows.into_iter().map(|(name, mixture)| Method {
            name,
            // Rounding can make it slightly negative at an equilibrium.
            exploitability: mixture.as_ref().map(|m| self.exploitability(m).max(0.0)),
            minimax_distance: mixture.as_ref().map(distance),
            mixture,
        });
        Ok(Methods {
            methods: methods.collect(),
            options: self.names().to_vec(),
            borda: borda.iter().map(|&i| self.names()[i].clone()).collect(),
            iterations,
            minimax_winner,
        })
    }
}

impl Methods {
    /// The weights of a row: all `[n]` in columns, or the largest three with names.
    fn weights(&self, mixture: &[f64], width: usize) -> String {
        if mixture.len() <= COLUMNS {
            return mixture.iter().map(|w| format!("{w:>width$.4}  ")).collect();
        }
        let mut order: Vec<usize> = (0..mixture.len()).collect();
        order.sort_by(|&i, &j| mixture[j].total_cmp(&mixture[i]));
        let heaviest = |&i: &usize| format!("{} {:.3}", self.options[i], mixture[i]);
        order.iter().take(3).map(heaviest).collect::<Vec<_>>().join(", ") + "  "
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.methods.iter().map(|m| m.name.chars().count()).max().unwrap_or(0);
        let width = self.options.iter().map(|o| o.chars().count()).max().unwrap_or(0).max(6);
        let header: String = match self.options.len() {
            0..=COLUMNS => self.options.iter().map(|o| format!("{o:>width$}  ")).collect(),
            _ => "heaviest options  ".into(),
        };
        let rows: Vec<String> = (self.methods.iter())
            .map(|m| m.mixture.as_ref().map_or("infinite scores".into(), |w| self.weights(w, width)))
            .collect();
        let second = rows.iter().map(|r| r.chars().count()).max().unwrap_or(0).max(header.chars().count());
        writeln!(f, "{:<first$}  {header:<second$}exploitability  to minimax winner", "method")?;
        for (m, weights) in self.methods.iter().zip(rows) {
            let figure = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.6}"));
            let (gain, far) = (figure(m.exploitability), figure(m.minimax_distance));
            writeln!(f, "{:<first$}  {weights:<second$}{gain:>14}  {far:>17}", m.name)?;
        }
        writeln!(f, "\nBorda winner    {}", self.borda.join(", "))?;
        writeln!(
            f,
            "{} iterations each, from weights (1, 2, …, n) / sum. Exploitability: the margin of a best response.",
            self.iterations
        )?;
        writeln!(
            f,
            "RLHF fits Bradley-Terry to all pairs. With an exact fit, a step of REBEL is a step of Hedge."
        )
    }
}
