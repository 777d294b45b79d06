//! Tasks that a device steps by their equations, many environments at once.

use burn::tensor::{Device, Tensor};
use spo_envs::dynamics::{Draw, Dynamics, Transition};
use spo_envs::{Spec, WithDynamics, with_dynamics};

use super::column::Column;
use super::noise::Noise;

/// The results of a step of N environments.
pub(crate) struct Stepped {
    /// A column a number of the state.
    pub state: Vec<Column>,
    /// `[N]`
    pub reward: Tensor<1>,
    /// `[N]`, of a task with costs.
    pub cost: Option<Tensor<1>>,
    /// 1 for the episodes that ended, `[N]`, for a task whose episodes can end early.
    pub terminated: Option<Tensor<1>>,
}

/// A task on a device. The columns of a state are as many as its numbers, each `[N]`.
pub(crate) trait Task: Send {
    /// Shapes, bounds and horizon.
    fn spec(&self) -> &Spec;

    /// S initial states, K copies of each side by side: N = S · K.
    fn start(&self, states: usize, per_state: usize, noise: &Noise, device: &Device) -> Vec<Column>;

    /// The observations, `[N, obs_dim]`.
    fn observe(&self, state: &[Column]) -> Tensor<2>;

    /// One step with actions `[N, action_dim]`.
    fn step(&self, state: Vec<Column>, action: Tensor<2>) -> Stepped;
}

/// The task named `id` on a device; `None` if it is not defined by equations.
pub(crate) fn task(id: &str) -> Option<Box<dyn Task>> {
    with_dynamics(id, Batch)
}

struct Batch;

impl WithDynamics for Batch {
    type Output = Box<dyn Task>;

    fn with<D: Dynamics<S, A, O> + 'static, const S: usize, const A: usize, const O: usize>(
        self,
        dynamics: D,
        spec: Spec,
    ) -> Box<dyn Task> {
        Box::new(Batched { dynamics, spec })
    }
}

struct Batched<D, const S: usize, const A: usize, const O: usize> {
    dynamics: D,
    spec: Spec,
}

/// Draws for S states, each for all K environments of its state.
struct Draws<'a> {
    noise: &'a Noise,
    device: &'a Device,
    states: usize,
    per_state: usize,
    /// Counters used.
    used: usize,
}

impl Draw<Column> for Draws<'_> {
    fn unit(&mut self) -> Column {
        let drawn = self.noise.uniform(self.used, self.states, self.device);
        self.used += self.states;
        Column(drawn.reshape([self.states, 1]).repeat_dim(1, self.per_state).reshape([-1]))
    }

    fn within(&mut self, low: f64, high: f64) -> Column {
        self.unit() * (high - low) + low
    }

    fn fixed(&mut self, value: f64) -> Column {
        Column(Tensor::full([self.states * self.per_state], value, self.device))
    }
}

/// As many columns as the equations have numbers.
fn columns<const N: usize>(columns: Vec<Column>) -> [Column; N] {
    columns.try_into().expect("as many columns as the equations have numbers")
}

impl<D: Dynamics<S, A, O>, const S: usize, const A: usize, const O: usize> Task for Batched<D, S, A, O> {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn start(&self, states: usize, per_state: usize, noise: &Noise, device: &Device) -> Vec<Column> {
        self.dynamics.start(&mut Draws { noise, device, states, per_state, used: 0 }).into()
    }

    fn observe(&self, state: &[Column]) -> Tensor<2> {
        let seen = self.dynamics.observe(&columns::<S>(state.to_vec()));
        Tensor::stack(seen.map(|column| column.0).to_vec(), 1)
    }

    fn step(&self, state: Vec<Column>, action: Tensor<2>) -> Stepped {
        let [rows, _] = action.dims();
        let action =
            std::array::from_fn(|i| Column(action.clone().slice([0..rows, i..i + 1]).reshape([rows])));
        let Transition { state, reward, cost, terminated } = self.dynamics.step(columns(state), action);
        Stepped {
            state: state.into(),
            reward: reward.0,
            cost: cost.map(|cost| cost.0),
            terminated: terminated.map(|ended| ended.0),
        }
    }
}
