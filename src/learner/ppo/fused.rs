//! The update on the host: forward pass, loss, backward pass and Adam in fused loops over reused buffers.
//!
//! A minibatch is divided into blocks of rows. Each pair of a network and a block is a task with its own gradient. Tasks run on
//! all threads, and their gradients are added in a fixed order, so the result does not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::objective::{ADAM_EPSILON, AdamMoments, Columns, Engine, FIGURES, Figures, Objective};
use super::regression::{self, PolicyLoss};
use crate::base::simd::{AdamStep, adam, sum_of_squares};
use crate::policy::mlp::{Mlp, Tape};
use crate::policy::{Head, LOG_SQRT_2PI, UNIT_ENTROPY};

/// Rows in a block, so few that the activations fit into a core's cache.
const BLOCK: usize = 256;

/// With fewer multiplications in a minibatch, waking another thread costs more than it saves.
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
    /// 0 the actor, then the critics.
    network: usize,
    rows: Range<usize>,
    tape: Tape,
    obs: Vec<f32>,
    d_output: Vec<f32>,
    /// 1 / σ
    inverse_std: Vec<f32>,
    /// log π − log π_old of each row.
    log_ratios: Vec<f32>,
    /// ∂L/∂ of these.
    slopes: Vec<f32>,
    /// Of each row's options.
    entropies: Vec<f32>,
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

    /// Writes the gradient of one minibatch to `self.gradient` and returns the figures of the minibatch.
    fn differentiate(&mut self, columns: &Columns, order: &[usize]) -> Figures {
        let Self { objective, params, gradient, tasks, .. } = self;
        let (objective, params) = (&*objective, &params[..]);
        let networks = 1 + objective.critics;
        let blocks = order.len().div_ceil(BLOCK);
        tasks.resize_with(networks * blocks, Task::default);
        for (at, task) in tasks.iter_mut().enumerate() {
            let from = at / networks * BLOCK;
            (task.network, task.rows) = (at % networks, from..(from + BLOCK).min(order.len()));
        }
        let shared = order.len() * params.len() >= WORTH_SHARING;
        let regression = (objective.policy_loss != PolicyLoss::Ppo).then(|| {
            each(tasks, shared, |task| task.measure(objective, params, columns, order));
            regress(objective, columns, order, tasks)
        });
        each(tasks, shared, |task| task.run(objective, params, columns, order));
        gradient.fill(0.0);
        let mut figures = [0.0; FIGURES];
        for task in tasks {
            gradient[task.weights(objective)].iter_mut().zip(&task.gradient).for_each(|(sum, g)| *sum += g);
            figures.iter_mut().zip(task.figures).for_each(|(sum, f)| *sum += f);
        }
        figures.iter_mut().for_each(|f| *f /= order.len() as f32);
        if let Some(loss) = regression {
            figures[0] = loss;
        }
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

/// Calls a function with every task, on all threads if this is worth it.
fn each(tasks: &mut [Task], shared: bool, work: impl Fn(&mut Task) + Send + Sync) {
    if shared {
        tasks.par_iter_mut().with_max_len(1).for_each(work);
    } else {
        tasks.iter_mut().for_each(work);
    }
}

/// The loss of a regression, after its tasks have computed their log ratios. Writes the slope of every row to its task.
fn regress(objective: &Objective, columns: &Columns, order: &[usize], tasks: &mut [Task]) -> f32 {
    let (members, places) = columns.trajectories.within(order);
    let mut ratios = vec![0.0; members.len()];
    let rows = || tasks.iter().flat_map(|task| &task.log_ratios);
    places.iter().zip(rows()).for_each(|(&at, log_ratio)| ratios[at] += f64::from(*log_ratio));
    let scores: Vec<f32> = members.iter().map(|&m| columns.trajectories.scores[m]).collect();
    let (kind, eta) = (objective.policy_loss, f64::from(objective.eta));
    let (loss, slopes) = regression::loss(kind, &ratios, &scores, columns.trajectories.per_state, eta);
    for task in tasks {
        task.slopes.clear();
        task.slopes.extend(places[task.rows.clone()].iter().map(|&at| slopes[at] as f32));
    }
    loss as f32
}

impl Task {
    /// Those of its network.
    fn weights(&self, objective: &Objective) -> Range<usize> {
        match self.network {
            0 => 0..objective.actor_params(),
            critic => objective.critic_weights(critic - 1),
        }
    }

    /// The policy's outputs for the rows, and their log ratios.
    fn measure(&mut self, objective: &Objective, params: &[f32], columns: &Columns, order: &[usize]) {
        self.gather(objective, columns, order);
        self.log_ratios(objective, &params[..objective.actor_params()], columns, &order[self.rows.clone()]);
    }

    fn gather(&mut self, objective: &Objective, columns: &Columns, order: &[usize]) {
        let width = objective.actor.inputs();
        self.obs.clear();
        for &i in &order[self.rows.clone()] {
            self.obs.extend_from_slice(&columns.obs[i * width..(i + 1) * width]);
        }
        self.figures = [0.0; FIGURES];
    }

    /// The loss and its gradient on the rows; of a regression, after [`measure`](Self::measure).
    fn run(&mut self, objective: &Objective, params: &[f32], columns: &Columns, order: &[usize]) {
        let rows = &order[self.rows.clone()];
        let measured = objective.policy_loss != PolicyLoss::Ppo;
        if !measured {
            self.gather(objective, columns, order);
        }
        let own = &params[self.weights(objective)];
        self.gradient.clear();
        self.gradient.resize(own.len(), 0.0);
        match &objective.critic {
            Some(mlp) if self.network > 0 => {
                let targets = &columns.targets[self.network - 1];
                self.value_loss(mlp, own, objective.value_coef / order.len() as f32, targets, rows);
            }
            _ => {
                let weight = 1.0 / order.len() as f32;
                if !measured {
                    self.log_ratios(objective, own, columns, rows);
                    self.surrogate(objective.clip, weight, columns, rows);
                }
                self.policy_gradient(objective, own, objective.entropy_coef * weight, columns, rows);
            }
        }
    }

    /// c_v ½ (V − target)², `weight` = c_v / minibatch.
    fn value_loss(&mut self, mlp: &Mlp, params: &[f32], weight: f32, targets: &[f32], rows: &[usize]) {
        let values = mlp.forward(params, &self.obs, &mut self.tape);
        self.d_output.clear();
        for (v, &i) in values.iter().zip(rows) {
            let error = v - targets[i];
            self.figures[1] += 0.5 * error * error;
            self.d_output.push(weight * error);
        }
        mlp.backward(params, &self.obs, &self.d_output, &mut self.tape, Some(&mut self.gradient), false);
    }

    /// Leaves log ratios, and in `d_output` the options' log-probabilities or z = (u − μ) / σ.
    fn log_ratios(&mut self, objective: &Objective, params: &[f32], columns: &Columns, rows: &[usize]) {
        let mlp = &objective.actor;
        let outputs = mlp.outputs();
        let (params, log_std) = params.split_at(mlp.params());
        let out = mlp.forward(params, &self.obs, &mut self.tape);
        self.d_output.clear();
        self.d_output.extend_from_slice(out);
        self.inverse_std.clear();
        self.inverse_std.extend(log_std.iter().map(|l| (-l).exp()));
        let log_scale = log_std.iter().sum::<f32>() + LOG_SQRT_2PI * outputs as f32;
        self.log_ratios.clear();
        self.entropies.clear();
        for (d, &i) in self.d_output.chunks_exact_mut(outputs).zip(rows) {
            let log_prob = if objective.head == Head::Categorical {
                log_softmax(d);
                self.entropies.push(-d.iter().map(|l| l.exp() * l).sum::<f32>());
                d[columns.latents[i] as usize]
            } else {
                let latents = &columns.latents[i * outputs..(i + 1) * outputs];
                for ((d, u), inverse) in d.iter_mut().zip(latents).zip(&self.inverse_std) {
                    *d = (u - *d) * inverse;
                }
                -0.5 * d.iter().map(|z| z * z).sum::<f32>() - log_scale
            };
            self.log_ratios.push(log_prob - columns.log_probs[i]);
        }
    }

    /// The slopes of the clipped surrogate, `weight` = 1 / minibatch.
    fn surrogate(&mut self, clip: f32, weight: f32, columns: &Columns, rows: &[usize]) {
        self.slopes.clear();
        for (log_ratio, &i) in self.log_ratios.iter().zip(rows) {
            self.slopes.push(clipped(clip, *log_ratio, columns.advantages[i], &mut self.figures) * weight);
        }
    }

    /// From the slopes to the gradient, with the entropy `bonus` of one row.
    fn policy_gradient(
        &mut self,
        objective: &Objective,
        params: &[f32],
        bonus: f32,
        columns: &Columns,
        rows: &[usize],
    ) {
        let mlp = &objective.actor;
        let (outputs, mlp_params) = (mlp.outputs(), mlp.params());
        let (d_params, d_log_std) = self.gradient.split_at_mut(mlp_params);
        let per_row = self.d_output.chunks_exact_mut(outputs).zip(&self.slopes).zip(&self.log_ratios);
        for (at, ((d, &slope), &log_ratio)) in per_row.enumerate() {
            let ratio = log_ratio.exp();
            self.figures[3] += ratio - 1.0 - log_ratio;
            self.figures[4] += f32::from(u8::from((ratio - 1.0).abs() > objective.clip));
            if objective.head == Head::Categorical {
                let (choice, entropy) = (columns.latents[rows[at]] as usize, self.entropies[at]);
                self.figures[2] += entropy;
                // ∂ log π(choice) / ∂ logit = [j = choice] − p,  ∂ H / ∂ logit = −p (log p + H)
                for (j, d) in d.iter_mut().enumerate() {
                    let p = d.exp();
                    let d_entropy = -p * (*d + entropy);
                    *d = slope * (f32::from(u8::from(j == choice)) - p) - bonus * d_entropy;
                }
            } else {
                // ∂ log π / ∂ μ = z / σ,  ∂ log π / ∂ log σ = z² − 1
                for ((d, inverse), d_log_std) in d.iter_mut().zip(&self.inverse_std).zip(&mut *d_log_std) {
                    *d_log_std += slope * (*d * *d - 1.0) - bonus;
                    *d *= slope * inverse;
                }
            }
        }
        let params = &params[..mlp_params];
        mlp.backward(params, &self.obs, &self.d_output, &mut self.tape, Some(d_params), false);
    }
}

/// From logits to log-probabilities.
fn log_softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = max + x.iter().map(|l| (l - max).exp()).sum::<f32>().ln();
    x.iter_mut().for_each(|l| *l -= log_sum);
}

/// Adds one row's loss and returns ∂(−min(ρ A, clip(ρ) A)) / ∂ log ρ.
fn clipped(clip: f32, log_ratio: f32, advantage: f32, figures: &mut Figures) -> f32 {
    let ratio = log_ratio.exp();
    let (free, bound) = (ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage);
    figures[0] -= free.min(bound);
    if free <= bound { -free } else { 0.0 }
}

impl Engine for FusedEngine {
    fn params(&self) -> Vec<f32> {
        self.params.clone()
    }

    fn epoch(&mut self, columns: &Columns, minibatches: &[&[usize]], rate: f64) -> Vec<Figures> {
        // Run inside the thread pool, so that it is woken only once for all minibatches.
        rayon::scope(|_| minibatches.iter().map(|rows| self.step(columns, rows, rate)).collect())
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
