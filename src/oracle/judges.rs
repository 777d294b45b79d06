//! Judges that look at actions and positions rather than at the task reward.

use rand::Rng;

use super::structure::{Structure, Utility};
use super::{Answer, Oracle, OracleError, Pair, returns::hard};
use crate::rollout::Trajectory;

/// The trajectory with the smaller effort Σ u² wins.
pub struct Effort;

impl Oracle for Effort {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        Ok(pairs.iter().map(|p| Answer::Prefer(hard(-effort(p.a), -effort(p.b)))).collect())
    }

    fn structure(&self) -> Structure<'_> {
        Structure { utility: Some(Utility::Other(Box::new(|t| -effort(t)))), ..Structure::default() }
    }
}

/// Σ u²
fn effort(t: Trajectory<'_>) -> f64 {
    t.actions.iter().map(|&u| f64::from(u).powi(2)).sum()
}

/// An intransitive judge of final positions: the trajectory that ends a little further around the circle wins.
///
/// With φ = θ_a − θ_b of the final (x, y), the first two observations: P = ½ (1 + sin φ). Each direction loses to the
/// one a quarter turn further, and no direction is best: the minimax winner is spread around the circle.
pub struct Cyclic;

impl Oracle for Cyclic {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        pairs
            .iter()
            .map(|p| match (p.a.final_obs, p.b.final_obs) {
                ([xa, ya, ..], [xb, yb, ..]) => {
                    let phi = ya.atan2(*xa) - yb.atan2(*xb);
                    Ok(Answer::Prefer(0.5 * (1.0 + phi.sin())))
                }
                _ => Err(OracleError::Failed(
                    "`cyclic` reads x and y from the first two observations, but this environment has only one".into(),
                )),
            })
            .collect()
    }
}
