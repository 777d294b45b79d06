//! Winners of a game by the rules of social choice.

use microlp::{ComparisonOp, OptimizationDirection, Problem};

use super::{GameError, PreferenceMatrix};

/// Scores with a smaller difference tie.
const TIE: f64 = 1e-9;

impl PreferenceMatrix {
    /// The minimax winner p `[n]`: max v subject to Σ_i p_i A_ij ≥ v for every j, Σ p = 1, p ≥ 0. Its value v is 0.
    ///
    /// If there are several, it is one of them.
    ///
    /// # Errors
    /// [`GameError::Solver`] if the linear program fails.
    pub fn minimax_winner(&self) -> Result<Vec<f64>, GameError> {
        let n = self.len();
        // Very small margins are below the solver's tolerance, but a Condorcet winner is exact.
        if let Some(winner) = self.condorcet() {
            return Ok((0..n).map(|i| if i == winner { 1.0 } else { 0.0 }).collect());
        }
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        let p: Vec<_> = (0..n).map(|_| problem.add_var(0.0, (0.0, 1.0))).collect();
        let v = problem.add_var(1.0, (-1.0, 1.0));
        for j in 0..n {
            let mut row: Vec<_> = (0..n).filter(|&i| i != j).map(|i| (p[i], self.margin(i, j))).collect();
            row.push((v, -1.0));
            problem.add_constraint(&row[..], ComparisonOp::Ge, 0.0);
        }
        let total: Vec<_> = p.iter().map(|&var| (var, 1.0)).collect();
        problem.add_constraint(&total[..], ComparisonOp::Eq, 1.0);
        let solution = (problem.solve())
            .map_err(|e| GameError::Solver(e.to_string()))?
            .into_solution()
            .map_err(|_| GameError::Solver("the solver found no solution".into()))?;
        // Within the solver's tolerance a weight may be slightly negative.
        let weights: Vec<f64> = p.iter().map(|&var| solution.var_value(var).max(0.0)).collect();
        let sum: f64 = weights.iter().sum();
        Ok(weights.into_iter().map(|w| w / sum).collect())
    }

    /// The Condorcet winner: the option that beats every other one, if there is one.
    pub fn condorcet(&self) -> Option<usize> {
        let beats_all = |i: usize| (0..self.len()).all(|j| i == j || self.margin(i, j) > TIE);
        (0..self.len()).find(|&i| beats_all(i))
    }

    /// Copeland scores `[n]`: the number of pairwise wins, where a tie counts half.
    pub fn copeland(&self) -> Vec<f64> {
        let result = |a: f64| {
            if a > TIE {
                1.0
            } else if a < -TIE {
                0.0
            } else {
                0.5
            }
        };
        (0..self.len())
            .map(|i| (0..self.len()).filter(|&j| j != i).map(|j| result(self.margin(i, j))).sum())
            .collect()
    }

    /// Borda scores `[n]`: the mean win rate against the others.
    pub fn borda(&self) -> Vec<f64> {
        let others = (self.len() - 1) as f64;
        (0..self.len())
            .map(|i| (0..self.len()).filter(|&j| j != i).map(|j| self.p(i, j)).sum::<f64>() / others)
            .collect()
    }

    /// Bradley–Terry scores `[n]` fitted to all pairs equally, mean 0: the maximum of
    /// Σ_{i≠j} P(i ≻ j) log σ(s_i − s_j), by Newton's method.
    ///
    /// `None` if the maximum is at infinity, because some options never lose to any other (Ford 1957).
    pub fn bradley_terry(&self) -> Option<Vec<f64>> {
        let n = self.len();
        if !self.strongly_connected() {
            return None;
        }
        let likelihood = |s: &[f64]| -> f64 {
            let pairs = (0..n).flat_map(|i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)));
            pairs.map(|(i, j)| -self.p(i, j) * (s[j] - s[i]).exp().ln_1p()).sum()
        };
        let mut s = vec![0.0_f64; n];
        for _ in 0..200 {
            let win = |i: usize, j: usize| 1.0 / (1.0 + (s[j] - s[i]).exp());
            let gradient: Vec<f64> =
                (0..n).map(|i| (0..n).filter(|&j| j != i).map(|j| self.p(i, j) - win(i, j)).sum()).collect();
            if gradient.iter().all(|g: &f64| g.abs() < 1e-12) {
                break;
            }
            // The Hessian is a graph Laplacian. The added constant makes it regular and keeps the mean at 0.
            let mut hessian = vec![1.0; n * n];
            for i in 0..n {
                for j in (0..n).filter(|&j| j != i) {
                    let w = win(i, j) * win(j, i);
                    hessian[i * n + j] -= w;
                    hessian[i * n + i] += w;
                }
            }
            let direction = solve_linear(hessian, gradient);
            let here = likelihood(&s);
            // Halve a step that overshoots, since the likelihood is concave. The tolerance allows for rounding.
            let next = (0..60).map(|k| 0.5f64.powi(k)).find_map(|h| {
                let next: Vec<f64> = s.iter().zip(&direction).map(|(x, d)| x + h * d).collect();
                (likelihood(&next) >= here - 1e-12 * here.abs()).then_some(next)
            });
            match next {
                Some(next) => s = next,
                None => break,
            }
        }
        let mean = s.iter().sum::<f64>() / n as f64;
        Some(s.into_iter().map(|x| x - mean).collect())
    }

    /// Whether every option can be reached from every other one along pairs with P > 0.
    fn strongly_connected(&self) -> bool {
        let reaches_all = |edge: &dyn Fn(usize, usize) -> bool| {
            let (mut seen, mut stack) = (vec![false; self.len()], vec![0]);
            while let Some(i) = stack.pop() {
                if !std::mem::replace(&mut seen[i], true) {
                    stack.extend((0..self.len()).filter(|&j| j != i && edge(i, j)));
                }
            }
            seen.into_iter().all(|s| s)
        };
        reaches_all(&|i, j| self.p(i, j) > 0.0) && reaches_all(&|i, j| self.p(j, i) > 0.0)
    }
}

/// The options with the highest score.
pub fn winners(scores: &[f64]) -> Vec<usize> {
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (0..scores.len()).filter(|&i| scores[i] > best - TIE).collect()
}

/// Solves M x = b by elimination; M `[n, n]` is row-major and positive definite.
fn solve_linear(mut m: Vec<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for k in 0..n {
        for i in k + 1..n {
            let factor = m[i * n + k] / m[k * n + k];
            for j in k..n {
                m[i * n + j] -= factor * m[k * n + j];
            }
            b[i] -= factor * b[k];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| m[i * n + j] * b[j]).sum();
        b[i] = (b[i] - known) / m[i * n + i];
    }
    b
}
