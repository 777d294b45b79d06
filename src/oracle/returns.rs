//! Simulated teachers that see the task return.

use rand::Rng;

use super::structure::{Structure, Utility};
use super::{Answer, Oracle, OracleError, Pair};

/// The larger return wins; equal returns tie.
pub struct TaskReturn;

impl Oracle for TaskReturn {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|p| Answer::Prefer(hard(p.a.task_return(), p.b.task_return()))).collect())
    }

    fn structure(&self) -> Structure<'_> {
        Structure { utility: Some(Utility::TaskReturn), ..Structure::default() }
    }
}

/// 1 if a > b, 0 if a < b, ½ if neither.
pub(super) fn hard(a: f64, b: f64) -> f32 {
    if a > b {
        1.0
    } else if a < b {
        0.0
    } else {
        0.5
    }
}

/// P(a ≻ b) = σ((R_a − R_b) / temperature), Bradley & Terry 1952.
pub struct BradleyTerry {
    /// In units of return. A small one makes answers certain, a large one makes them a coin flip.
    pub temperature: f64,
}

impl Oracle for BradleyTerry {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs
            .iter()
            .map(|p| {
                let gap = (p.a.task_return() - p.b.task_return()) / self.temperature;
                Answer::Prefer((1.0 / (1.0 + (-gap).exp())) as f32)
            })
            .collect())
    }
}
