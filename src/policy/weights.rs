//! A network's weights and their Adam state, on the host.

use crate::base::simd::{AdamStep, adam};
use crate::policy::state::LearnerState;

/// Adam's ε (Kingma & Ba 2015; the default of PyTorch, which CleanRL's and SB3's SAC, B-Pref and imitation use).
const ADAM_EPSILON: f64 = 1e-8;

/// Weights, their gradient and Adam's moments.
pub(crate) struct Weights {
    pub params: Vec<f32>,
    pub gradient: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Weights {
    pub fn new(params: Vec<f32>) -> Self {
        let zeros = vec![0.0; params.len()];
        Self { gradient: zeros.clone(), first: zeros.clone(), second: zeros, params }
    }

    /// Makes the `time`-th step of Adam, counted from 1.
    pub fn step(&mut self, time: u64, rate: f64) {
        let step = AdamStep::new(time, rate, ADAM_EPSILON, 1.0);
        adam(step, &self.gradient, &mut self.first, &mut self.second, &mut self.params);
    }

    fn parts(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("params", &self.params), ("adam.moment_1", &self.first), ("adam.moment_2", &self.second)]
    }

    /// Saves everything except the gradient in `state`, under `name`.
    pub fn save(&self, name: &str, state: &mut LearnerState) {
        for (part, values) in self.parts() {
            state.tensors.insert(format!("{name}.{part}"), values.clone());
        }
    }

    /// Loads what [`save`](Self::save) wrote.
    pub fn load(&mut self, name: &str, state: &LearnerState) -> Result<(), String> {
        let length = self.params.len();
        let get = |part: &str| state.tensor(&format!("{name}.{part}"), length).map(<[f32]>::to_vec);
        (self.params, self.first, self.second) =
            (get("params")?, get("adam.moment_1")?, get("adam.moment_2")?);
        Ok(())
    }
}
