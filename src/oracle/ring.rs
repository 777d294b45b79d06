//! The intransitive preference over final positions of the paper's Ant.

use std::f64::consts::{FRAC_PI_4, TAU};

use rand::Rng;

use super::{Answer, Oracle, OracleError, Pair};
use crate::rollout::Trajectory;

/// Swamy et al. 2024, as its re-implementation (kingsleykimm/SPO-paper) has it, on the final (x, y), the first two
/// observations: f(a, b) = 0.3 · dist + 0.7 · ang, where dist = 1 if both radii are above `radius` or a's is the larger,
/// and ang = 1 if a lies less than an eighth of a turn clockwise of b.
///
/// That f is not a preference: f(a, b) + f(b, a) is seldom 1. Here P = ½ (1 + f(a, b) − f(b, a)). The farther position
/// wins a little, the one just clockwise wins more, so no position is best: the minimax winner is spread around a ring.
pub struct Ring {
    /// In the unit of the positions. Beyond it, farther is not better. The paper: 10.
    pub radius: f64,
}

impl Ring {
    fn f(&self, (ra, ta): (f64, f64), (rb, tb): (f64, f64)) -> f64 {
        let dist = (ra > self.radius && rb > self.radius) || ra > rb;
        // (θ_a − θ_b) mod 2π in (−π/4, 0) mod 2π.
        let turn = (ta - tb).rem_euclid(TAU);
        let ang = turn > TAU - FRAC_PI_4 && turn < TAU;
        0.3 * f64::from(u8::from(dist)) + 0.7 * f64::from(u8::from(ang))
    }
}

impl Oracle for Ring {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        pairs
            .iter()
            .map(|p| {
                let (a, b) = (polar(p.a)?, polar(p.b)?);
                Ok(Answer::Prefer((0.5 * (1.0 + self.f(a, b) - self.f(b, a))) as f32))
            })
            .collect()
    }
}

/// Radius and angle of the final position.
fn polar(t: Trajectory<'_>) -> Result<(f64, f64), OracleError> {
    match t.final_obs {
        [x, y, ..] => Ok((f64::from(*x).hypot(f64::from(*y)), f64::from(*y).atan2(f64::from(*x)))),
        _ => Err(OracleError::Failed(
            "`ring` reads x and y from the first two observations, but this environment has only one".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P that a trajectory that ends at `a` is preferred to one that ends at `b`.
    fn p(a: [f32; 2], b: [f32; 2]) -> f32 {
        let at = |end| Trajectory {
            obs: &[],
            final_obs: end,
            actions: &[],
            rewards: &[],
            costs: &[],
            origin: None,
        };
        let pair = [Pair { a: at(&a), b: at(&b) }];
        let mut rng = crate::base::random::stream(0, crate::base::random::Stream("test"), 0, 0);
        match (Ring { radius: 10.0 }).compare(&pair, &mut rng).unwrap()[0] {
            Answer::Prefer(p) => p,
            Answer::Abstain => panic!("it always answers"),
        }
    }

    #[test]
    fn positions_by_hand() {
        let (east, north_east, north) = ([5.0, 0.0], [4.0, 4.0], [0.0, 5.0]);
        // Nearly the same direction, a hair clockwise, and nearer: ½ (1 + 0.7 − 0.3) = 0.7.
        assert!((p([4.9, -0.01], east) - 0.7).abs() < 1e-6);
        // Farther and clockwise: ½ (1 + 1).
        assert_eq!(p([5.5, -0.01], east), 1.0);
        // Half a turn and a quarter are too much to count; the radius alone decides: ½ (1 + 0.3) = 0.65.
        assert!((p([-6.0, 0.0], east) - 0.65).abs() < 1e-6);
        assert!((p(north_east, north) - 0.65).abs() < 1e-6, "an eighth is the open end");
        // Beyond the radius both have the 0.3, and it cancels: direction alone.
        assert_eq!(p([30.0, 0.0], [-20.0, 0.0]), 0.5);
        assert!((p([20.0, -0.1], [30.0, 0.0]) - 0.85).abs() < 1e-6, "½ (1 + 0.3 + 0.7 − 0.3)");
        assert_eq!(p(east, east), 0.5);
        // Across the cut of atan2 at the negative x axis: −179° is 2° counterclockwise of 179°.
        assert!((p([-5.0, 0.05], [-5.0, -0.05]) - 0.85).abs() < 1e-6);
    }

    #[test]
    fn eight_around_the_ring_beat_each_other_in_turn() {
        let at = |i: usize| {
            let angle = -(i as f64) * 0.99 * FRAC_PI_4;
            [(20.0 * angle.cos()) as f32, (20.0 * angle.sin()) as f32]
        };
        for i in 0..8 {
            assert!((p(at(i + 1), at(i)) - 0.85).abs() < 1e-6);
            assert_eq!(p(at(i + 1), at(i)) + p(at(i), at(i + 1)), 1.0);
        }
    }
}
