//! Tasks given by equations, which are written once for the host and for a device.

use std::ops::{Add, Div, Mul, Neg, Sub};

use rand::{Rng, RngExt};

use crate::env::{Env, EnvError, Frame, Spec, Step};

/// The number type of the equations: one number on the host, or on a device a column with one number per environment.
///
/// A condition is 1 where it holds and 0 where it does not.
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
    /// 1 where x < limit, else 0.
    fn below(self, limit: f64) -> Self;
    /// 1 where x > limit, else 0.
    fn above(self, limit: f64) -> Self;
    /// `yes` where the condition `self` holds, `no` elsewhere.
    fn choose(self, yes: Self, no: Self) -> Self;
    /// The angle in [−π, π), like Gymnasium's `angle_normalize`.
    fn wrap(self) -> Self;
    /// The angle without whole turns on a device, where they would cost precision; unchanged on the host.
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

/// The random draws of an initial state.
pub trait Draw<R> {
    /// Uniform in [0, 1).
    fn unit(&mut self) -> R;
    /// Uniform in [low, high).
    fn within(&mut self, low: f64, high: f64) -> R;
    /// The same value in every environment.
    fn fixed(&mut self, value: f64) -> R;
}

/// Draws from a random generator on the host.
struct HostDraw<'a>(&'a mut dyn Rng);

impl Draw<f64> for HostDraw<'_> {
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

/// The outcome of one step of the equations.
pub struct Transition<R, const S: usize> {
    /// The new state.
    pub state: [R; S],
    /// The task reward.
    pub reward: R,
    /// The safety cost; `None` if the task has none.
    pub cost: Option<R>,
    /// 1 where the episode ended, else 0; `None` if the task never ends by itself.
    pub terminated: Option<R>,
}

impl<R, const S: usize> Transition<R, S> {
    /// For a task without costs whose episodes end only at the time limit.
    pub fn new(state: [R; S], reward: R) -> Self {
        Self { state, reward, cost: None, terminated: None }
    }
}

/// A task's equations. A state has S numbers, a continuous action A, an observation O.
pub trait Dynamics<const S: usize, const A: usize, const O: usize>: Send {
    /// How many numbers set a state and what they are, for error messages.
    const STATE: &'static str;

    /// Shapes, bounds and horizon.
    fn spec(&self) -> Spec;

    /// An initial state.
    fn start<R: Real>(&self, draw: &mut impl Draw<R>) -> [R; S];

    /// The state for the numbers of a trace's `init`; `None` if there are too many or too few.
    fn state_from(&self, numbers: &[f64]) -> Option<[f64; S]> {
        numbers.try_into().ok()
    }

    /// The observation of a state.
    fn observe<R: Real>(&self, state: &[R; S]) -> [R; O];

    /// One step, with an action that may lie outside the bounds.
    fn step<R: Real>(&self, state: [R; S], action: [R; A]) -> Transition<R, S>;

    /// A state as lines and circles.
    fn frame(&self, state: &[f64; S]) -> Frame;
}

/// A task given by equations, on the host in double precision.
pub(crate) struct HostEnv<D, const S: usize, const A: usize, const O: usize> {
    dynamics: D,
    spec: Spec,
    state: [f64; S],
}

impl<D: Dynamics<S, A, O>, const S: usize, const A: usize, const O: usize> HostEnv<D, S, A, O> {
    pub fn new(dynamics: D) -> Self {
        Self { spec: dynamics.spec(), dynamics, state: [0.0; S] }
    }

    fn observe(&self, obs: &mut [f32]) {
        obs.copy_from_slice(&self.dynamics.observe(&self.state).map(|v| v as f32));
    }
}

impl<D: Dynamics<S, A, O>, const S: usize, const A: usize, const O: usize> Env for HostEnv<D, S, A, O> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.state = self.dynamics.start(&mut HostDraw(rng));
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        let finite = |state: &[f64; S]| state.iter().all(|x| x.is_finite());
        let state = self.dynamics.state_from(state).filter(finite);
        self.state =
            state.ok_or_else(|| EnvError::State { id: self.spec.id.clone(), want: D::STATE.into() })?;
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let action = std::array::from_fn(|i| f64::from(action[i]));
        let Transition { state, reward, cost, terminated } = self.dynamics.step(self.state, action);
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
