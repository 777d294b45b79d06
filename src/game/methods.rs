//! Where each method ends on a game: RLHF, self-play and its successors, side by side.
//!
//! All are exact: no sampling, no network, so that what differs is the method.

use std::fmt;

use serde::Serialize;

use super::dynamics::{SelfPlayRun, hedge_step, normalized};
use super::nash_md::Anchor;
use super::{GameError, PreferenceMatrix, solve::winners};

/// λ of the reward model's penalised policy: the price of a nat of KL to the uniform policy, in units of its score.
const RLHF_PENALTY: f64 = 0.1;
/// η of what is run for its last iterate, in margins: within reach of 1, the largest of them.
const STEP: f64 = 0.5;
/// τ of Nash-MD's anchor, in win rates.
const ANCHOR: f64 = 0.01;
/// η of Nash-MD, in win rates: a step errs by about η², and the anchor takes ητ back.
const ANCHORED_STEP: f64 = 0.1;
/// Options whose weights a table has room for; of more options it names the heaviest.
const COLUMNS: usize = 6;

/// Iterations of a dynamic: 10,000 for small games, fewer where each costs more than its share of a second.
fn iterations(options: usize) -> usize {
    (30_000_000 / (options * options)).clamp(1_000, 10_000)
}

/// Where one method ends.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Method {
    /// The method, and which of its iterates.
    pub name: String,
    /// Its mixture of options, `[n]`; none where it has none, as where Bradley–Terry scores are infinite.
    pub mixture: Option<Vec<f64>>,
    /// What a best reply gains against it, in margins.
    pub exploitability: Option<f64>,
    /// Total variation to the minimax winner.
    pub minimax_distance: Option<f64>,
}

/// What `spo game --dynamics` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Methods {
    /// Names.
    pub options: Vec<String>,
    /// The minimax winner's weights.
    pub minimax_winner: Vec<f64>,
    /// The Borda winners, by name.
    pub borda: Vec<String>,
    /// Iterations of each dynamic.
    pub iterations: usize,
    /// A row each.
    pub methods: Vec<Method>,
}

impl PreferenceMatrix {
    /// Runs every method. All self-play begins at [`uneven`](Self::uneven) weights.
    ///
    /// # Errors
    /// [`GameError::Solver`].
    pub fn methods(&self) -> Result<Methods, GameError> {
        let n = self.len();
        let iterations = iterations(n);
        let borda = winners(&self.borda());
        let minimax_winner = self.minimax_winner()?;
        let slow = hedge_step(n, iterations);
        let anchor = Anchor { reference: self.uniform(), strength: ANCHOR };
        let start = || self.uneven();

        // Scores fitted to all pairs rank as Borda scores do, infinite or not: at the fit, Σ_j σ(s_i − s_j) = Σ_j P(i ≻ j).
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
        // A step of margins is two of win rates.
        both("SPPO", self.sppo(iterations, 2.0 * slow, start()));
        both("REBEL", self.rebel(iterations, 2.0 * slow, start()));
        both("optimistic", self.optimistic(iterations, STEP, start()));
        both("extragradient", self.extragradient(iterations, STEP, start()));
        let nash_md = self.nash_md(iterations, ANCHORED_STEP, start(), &anchor).last;
        rows.push((format!("Nash-MD, anchor {ANCHOR}, last"), Some(nash_md)));
        rows.push(("minimax winner".to_string(), Some(minimax_winner.clone())));

        let distance = |mixture: &Vec<f64>| {
            0.5 * mixture.iter().zip(&minimax_winner).map(|(p, q)| (p - q).abs()).sum::<f64>()
        };
        let methods = rows.into_iter().map(|(name, mixture)| Method {
            name,
            // Rounding may put it just below 0 at an equilibrium.
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
    /// The weights of a row, `[n]` under each other or by name.
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
            "{} iterations each, from weights (1, 2, …, n) / sum. Exploitability: the margin that a best reply gains.",
            self.iterations
        )?;
        writeln!(f, "RLHF fits Bradley-Terry to all pairs. REBEL's exact fit is a step of Hedge.")
    }
}
