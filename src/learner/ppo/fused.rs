//! The update on the host: forward, loss, backward and Adam in fused loops over buffers that are never given back.
//!
//! A minibatch is cut into blocks of rows, and actor and critic are apart: each (network, block) is a task with a
//! gradient of its own. Tasks run on as many threads as there are, and their gradients are added in order, so the
//! result does not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::objective::{
    ADAM_EPSILON, AdamMoments, Columns, Engine, FIGURES, Figures, LOG_SQRT_2PI, Objective, UNIT_ENTROPY,
};
use crate::mlp::{Mlp, Tape};
use crate::policy::Head;
use crate::simd::{AdamStep, adam, sum_of_squares};

/// Rows a block: its activations stay in a core's cache.
const BLOCK: usize = 256;

/// Multiplications of a minibatch below which waking another thread costs more than it saves.
const WORTH_SHARING: usize = 200_000;

/// Weights and optimiser in host memory.
pub(super) struct FusedEngine {
    objective: Objective,
    params: Vec<f32>,
    moments: AdamMoments,
    gradient: Vec<f32>,
    tasks: Vec<Task>,
}

/// One network on one block of rows, and its buffers.
#[derive(Default)]
struct Task {
    critic: bool,
    rows: Range<usize>,
    tape: Tape,
    obs: Vec<f32>,
    d_output: Vec<f32>,
    /// 1 / σ
    inverse_std: Vec<f32>,
    /// Of the task's own network.
    gradient: Vec<f32>,
    /// Sums over the rows.
    figures: Figures,
}

impl FusedEngine {
    pub(super) fn new(objective: Objective, params: Vec<f32>) -> Self {
        let gradient = vec![0.0; params.len()];
        Self { objective, params, moments: AdamMoments::default(), gradient, tasks: Vec::new() }
    }

    /// Leaves the gradient of one minibatch in `self.gradient` and returns its figures.
    fn differentiate(&mut self, columns: &Columns, order: &[usize]) -> Figures {
        let Self { objective, params, gradient, tasks, .. } = self;
        let (objective, params) = (&*objective, &params[..]);
        let networks = 1 + usize::from(objective.critic.is_some());
        let blocks = order.len().div_ceil(BLOCK);
        tasks.resize_with(networks * blocks, Task::default);
        for (at, task) in tasks.iter_mut().enumerate() {
            let from = at / networks * BLOCK;
            (task.critic, task.rows) = (at % networks == 1, from..(from + BLOCK).min(order.len()));
        }
        if order.len() * params.len() < WORTH_SHARING {
            tasks.iter_mut().for_each(|task| task.run(objective, params, columns, order));
        } else {
            tasks.par_iter_mut().with_max_len(1).for_each(|task| task.run(objective, params, columns, order));
        }
        gradient.fill(0.0);
        let mut figures = [0.0; FIGURES];
        for task in tasks {
            let from = if task.critic { objective.actor_params() } else { 0 };
            gradient[from..].iter_mut().zip(&task.gradient).for_each(|(sum, g)| *sum += g);
            figures.iter_mut().zip(task.figures).for_each(|(sum, f)| *sum += f);
        }
        figures.iter_mut().for_each(|f| *f /= order.len() as f32);
        if objective.head != Head::Categorical {
            let log_std = &params[objective.actor.params()..objective.actor_params()];
            figures[2] = log_std.iter().sum::<f32>() + UNIT_ENTROPY * log_std.len() as f32;
        }
        figures[5] = sum_of_squares(gradient).sqrt();
        figures
    }

    fn step(&mut self, columns: &Columns, order: &[usize], rate: f64) -> Figures {
        let figures = self.differentiate(columns, order);
        let scale = (self.objective.max_grad_norm / (figures[5] + 1e-6)).min(1.0);
        self.moments.first.resize(self.params.len(), 0.0);
        self.moments.second.resize(self.params.len(), 0.0);
        self.moments.time += 1;
        let step = AdamStep::new(self.moments.time, rate, ADAM_EPSILON, scale);
        adam(step, &self.gradient, &mut self.moments.first, &mut self.moments.second, &mut self.params);
        figures
    }
}

impl Task {
    fn run(&mut self, objective: &Objective, params: &[f32], columns: &Columns, order: &[usize]) {
        let (actor, critic) = params.split_at(objective.actor_params());
        let rows = &order[self.rows.clone()];
        let width = objective.actor.inputs();
        self.obs.clear();
        rows.iter().for_each(|&i| self.obs.extend_from_slice(&columns.obs[i * width..(i + 1) * width]));
        self.figures = [0.0; FIGURES];
        let own = if self.critic { critic } else { actor };
        self.gradient.clear();
        self.gradient.resize(own.len(), 0.0);
        match &objective.critic {
            Some(mlp) if self.critic => {
                self.value_loss(mlp, own, objective.value_weight / order.len() as f32, columns, rows);
            }
            _ => self.policy_loss(objective, own, 1.0 / order.len() as f32, columns, rows),
        }
    }

    /// c_v ½ (V − target)², `weight` = c_v / minibatch.
    fn value_loss(&mut self, mlp: &Mlp, params: &[f32], weight: f32, columns: &Columns, rows: &[usize]) {
        let values = mlp.forward(params, &self.obs, &mut self.tape);
        self.d_output.clear();
        for (v, &i) in values.iter().zip(rows) {
            let error = v - columns.targets[i];
            self.figures[1] += 0.5 * error * error;
            self.d_output.push(weight * error);
        }
        mlp.backward(params, &self.obs, &self.d_output, &mut self.tape, Some(&mut self.gradient), false);
    }

    /// The clipped surrogate and the entropy, `weight` = 1 / minibatch.
    fn policy_loss(
        &mut self,
        objective: &Objective,
        params: &[f32],
        weight: f32,
        columns: &Columns,
        rows: &[usize],
    ) {
        let mlp = &objective.actor;
        let (outputs, mlp_params) = (mlp.outputs(), mlp.params());
        let bonus = objective.entropy_bonus * weight;
        let (params, log_std) = params.split_at(mlp_params);
        let out = mlp.forward(params, &self.obs, &mut self.tape);
        self.d_output.clear();
        self.d_output.extend_from_slice(out);
        self.inverse_std.clear();
        self.inverse_std.extend(log_std.iter().map(|l| (-l).exp()));
        let log_scale = log_std.iter().sum::<f32>() + LOG_SQRT_2PI * outputs as f32;
        let (d_params, d_log_std) = self.gradient.split_at_mut(mlp_params);
        for (d, &i) in self.d_output.chunks_exact_mut(outputs).zip(rows) {
            let (old, advantage) = (columns.log_probs[i], columns.advantages[i]);
            if objective.head == Head::Categorical {
                log_softmax(d);
                let choice = columns.latents[i] as usize;
                let entropy = -d.iter().map(|l| l.exp() * l).sum::<f32>();
                self.figures[2] += entropy;
                let slope = clipped(objective.clip, d[choice] - old, advantage, &mut self.figures) * weight;
                // ∂ log π(choice) / ∂ logit = [j = choice] − p,  ∂ H / ∂ logit = −p (log p + H)
                for (j, d) in d.iter_mut().enumerate() {
                    let p = d.exp();
                    let d_entropy = -p * (*d + entropy);
                    *d = slope * (f32::from(u8::from(j == choice)) - p) - bonus * d_entropy;
                }
            } else {
                let latents = &columns.latents[i * outputs..(i + 1) * outputs];
                // From means to z = (u − μ) / σ.
                for ((d, u), inverse) in d.iter_mut().zip(latents).zip(&self.inverse_std) {
                    *d = (u - *d) * inverse;
                }
                let log_prob = -0.5 * d.iter().map(|z| z * z).sum::<f32>() - log_scale;
                let slope = clipped(objective.clip, log_prob - old, advantage, &mut self.figures) * weight;
                // ∂ log π / ∂ μ = z / σ,  ∂ log π / ∂ log σ = z² − 1
                for ((d, inverse), d_log_std) in d.iter_mut().zip(&self.inverse_std).zip(&mut *d_log_std) {
                    *d_log_std += slope * (*d * *d - 1.0) - bonus;
                    *d *= slope * inverse;
                }
            }
        }
        mlp.backward(params, &self.obs, &self.d_output, &mut self.tape, Some(d_params), false);
    }
}

/// From logits to log-probabilities.
fn log_softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = max + x.iter().map(|l| (l - max).exp()).sum::<f32>().ln();
    x.iter_mut().for_each(|l| *l -= log_sum);
}

/// Adds one row's figures and returns ∂(−min(ρ A, clip(ρ) A)) / ∂ log ρ.
fn clipped(clip: f32, log_ratio: f32, advantage: f32, figures: &mut Figures) -> f32 {
    let ratio = log_ratio.exp();
    let (free, bound) = (ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage);
    figures[0] -= free.min(bound);
    figures[3] += ratio - 1.0 - log_ratio;
    figures[4] += f32::from(u8::from((ratio - 1.0).abs() > clip));
    if free <= bound { -free } else { 0.0 }
}

impl Engine for FusedEngine {
    fn params(&self) -> Vec<f32> {
        self.params.clone()
    }

    fn epoch(&mut self, columns: &Columns, order: &[usize], minibatch: usize, rate: f64) -> Vec<Figures> {
        // Once within the pool, a minibatch's tasks are shared without waking it anew.
        rayon::scope(|_| order.chunks(minibatch).map(|chunk| self.step(columns, chunk, rate)).collect())
    }

    fn moments(&self) -> AdamMoments {
        self.moments.clone()
    }

    fn load(&mut self, params: &[f32], moments: &AdamMoments) {
        self.params = params.to_vec();
        self.moments = moments.clone();
    }

    #[cfg(test)]
    fn loss_and_gradient(&mut self, columns: &Columns, order: &[usize]) -> (f32, Vec<f32>) {
        let figures = self.differentiate(columns, order);
        (self.objective.loss(&figures), self.gradient.clone())
    }
}
