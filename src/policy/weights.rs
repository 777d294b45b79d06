//! The weights of a network that Adam moves, on the host.

use crate::base::simd::{AdamStep, adam};
use crate::policy::state::LearnerState;

/// Adam's ε (Kingma & Ba 2015; the default of PyTorch, and so of CleanRL's and SB3's SAC, of B-Pref and of imitation).
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

    /// The `time`-th step of Adam, from 1.
    pub fn step(&mut self, time: u64, rate: f64) {
        let step = AdamStep::new(time, rate, ADAM_EPSILON, 1.0);
        adam(step, &self.gradient, &mut self.first, &mut self.second, &mut self.params);
    }

    fn parts(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("params", &self.params), ("adam.moment_1", &self.first), ("adam.moment_2", &self.second)]
    }

    /// Puts all but the gradient into `state`, under `name`.
    pub fn save(&self, name: &str, state: &mut LearnerState) {
        for (part, values) in self.parts() {
            state.tensors.insert(format!("{name}.{part}"), values.clone());
        }
    }

    /// Goes on from what [`save`](Self::save) put there.
    pub fn load(&mut self, name: &str, state: &LearnerState) -> Result<(), String> {
        let length = self.params.len();
        let get = |part: &str| state.tensor(&format!("{name}.{part}"), length).map(<[f32]>::to_vec);
        (self.params, self.first, self.second) =
            (get("params")?, get("adam.moment_1")?, get("adam.moment_2")?);
        Ok(())
    }
}
