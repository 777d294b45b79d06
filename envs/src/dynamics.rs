//! Tasks by their equations, written once for the host and for a device.

use std::ops::{Add, Div, Mul, Neg, Sub};

use rand::{Rng, RngExt};

use crate::env::{Env, EnvError, Frame, Spec, Step};

/// What equations are written in: a number on the host, or a column of them, one an environment, on a device.
///
/// A condition is 1 where it holds and 0 where not.
pub trait Real:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// sin x
    fn sin(self) -> Self;
    /// cos x
    fn cos(self) -> Self;
    /// √x
    fn sqrt(self) -> Self;
    /// |x|
    fn abs(self) -> Self;
    /// The nearest number within the bounds.
    fn clamp(self, low: f64, high: f64) -> Self;
    /// Whether x < limit.
    fn below(self, limit: f64) -> Self;
    /// Whether x > limit.
    fn above(self, limit: f64) -> Self;
    /// `yes` where the condition `self` holds, `no` elsewhere.
    fn choose(self, yes: Self, no: Self) -> Self;
    /// An angle in [−π, π), as Gymnasium's `angle_normalize`.
    fn wrap(self) -> Self;
    /// An angle, less whole turns where they would cost precision.
    fn unwind(self) -> Self;

    /// x²
    fn square(self) -> Self {
        self.clone() * self
    }

    /// √(x² + y²)
    fn hypot(self, y: Self) -> Self {
        (self.square() + y.square()).sqrt()
    }
}

impl Real for f64 {
    fn sin(self) -> Self {
        self.sin()
    }
    fn cos(self) -> Self {
        self.cos()
    }
    fn sqrt(self) -> Self {
        self.sqrt()
    }
    fn abs(self) -> Self {
        self.abs()
    }
    fn clamp(self, low: f64, high: f64) -> Self {
        self.clamp(low, high)
    }
    fn below(self, limit: f64) -> Self {
        f64::from(u8::from(self < limit))
    }
    fn above(self, limit: f64) -> Self {
        f64::from(u8::from(self > limit))
    }
    fn choose(self, yes: Self, no: Self) -> Self {
        if self == 0.0 { no } else { yes }
    }
    fn wrap(self) -> Self {
        use std::f64::consts::PI;
        (self + PI).rem_euclid(2.0 * PI) - PI
    }
    fn unwind(self) -> Self {
        self
    }
    fn hypot(self, y: Self) -> Self {
        self.hypot(y)
    }
}

/// Where initial states come from.
pub trait Draw<R> {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> R;
    /// Uniform in [low, high).
    fn within(&mut self, low: f64, high: f64) -> R;
    /// The same everywhere.
    fn fixed(&mut self, value: f64) -> R;
}

/// Draws of a generator on the host.
struct Drawn<'a>(&'a mut dyn Rng);

impl Draw<f64> for Drawn<'_> {
    fn unit(&mut self) -> f64 {
        self.0.random()
    }
    fn within(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }
    fn fixed(&mut self, value: f64) -> f64 {
        value
    }
}

/// Where a step led.
pub struct Moved<R, const S: usize> {
    /// The new state.
    pub state: [R; S],
    /// The task reward.
    pub reward: R,
    /// The safety cost, of a task that has one.
    pub cost: Option<R>,
    /// Whether the episode ended, of a task that can.
    pub terminated: Option<R>,
}

impl<R, const S: usize> Moved<R, S> {
    /// Of a task without costs whose episodes end by the clock alone.
    pub fn new(state: [R; S], reward: R) -> Self {
        Self { state, reward, cost: None, terminated: None }
    }
}

/// A task's equations: S numbers of state, A of a continuous action, O of observation.
pub trait Dynamics<const S: usize, const A: usize, const O: usize>: Send {
    /// How many numbers set a state, and what they are.
    const STATE: &'static str;

    /// Shapes, bounds and horizon.
    fn spec(&self) -> Spec;

    /// An initial state.
    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; S];

    /// The state that the numbers of a trace's `init` set; `None` where they are too many or too few.
    fn given(&self, numbers: &[f64]) -> Option<[f64; S]> {
        numbers.try_into().ok()
    }

    /// What is seen of a state.
    fn observe<R: Real>(&self, state: &[R; S]) -> [R; O];

    /// One step, with an action that may lie outside the bounds.
    fn step<R: Real>(&self, state: [R; S], action: [R; A]) -> Moved<R, S>;

    /// A state as lines and circles.
    fn frame(&self, state: &[f64; S]) -> Frame;
}

/// A task on the host, in double precision.
pub(crate) struct Simulated<D, const S: usize, const A: usize, const O: usize> {
    dynamics: D,
    spec: Spec,
    state: [f64; S],
}

impl<D: Dynamics<S, A, O>, const S: usize, const A: usize, const O: usize> Simulated<D, S, A, O> {
    pub fn new(dynamics: D) -> Self {
        Self { spec: dynamics.spec(), dynamics, state: [0.0; S] }
    }

    fn observe(&self, obs: &mut [f32]) {
        obs.copy_from_slice(&self.dynamics.observe(&self.state).map(|v| v as f32));
    }
}

impl<D: Dynamics<S, A, O>, const S: usize, const A: usize, const O: usize> Env for Simulated<D, S, A, O> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = self.dynamics.start(&mut Drawn(rng));
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let finite = |state: &[f64; S]| state.iter().all(|x| x.is_finite());
        let state = self.dynamics.given(state).filter(finite);
        self.state =
            state.ok_or_else(|| EnvError::State { id: self.spec.id.clone(), want: D::STATE.into() })?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let action = std::array::from_fn(|i| f64::from(action[i]));
        let Moved { state, reward, cost, terminated } = self.dynamics.step(self.state, action);
        self.state = state;
        self.observe(obs);
        Step {
            reward: reward as f32,
            cost: cost.unwrap_or(0.0) as f32,
            terminated: terminated == Some(1.0),
            truncated: false,
        }
    }

    fn has_equations(&self) -> bool {
        true
    }

    fn frame(&self) -> Frame {
        self.dynamics.frame(&self.state)
    }
}

/// One classical Runge–Kutta step of y' = f(y) over `dt`.
pub(crate) fn rk4<R: Real, const N: usize>(y: [R; N], dt: f64, f: impl Fn([R; N]) -> [R; N]) -> [R; N] {
    let along = |k: &[R; N], h: f64| std::array::from_fn(|i| y[i].clone() + k[i].clone() * h);
    let k1 = f(y.clone());
    let k2 = f(along(&k1, dt / 2.0));
    let k3 = f(along(&k2, dt / 2.0));
    let k4 = f(along(&k3, dt));
    std::array::from_fn(|i| {
        let [k1, k2, k3, k4] = [&k1, &k2, &k3, &k4].map(|k| k[i].clone());
        y[i].clone() + (k1 + k2 * 2.0 + k3 * 2.0 + k4) * (dt / 6.0)
    })
}
