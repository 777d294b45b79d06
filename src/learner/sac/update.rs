//! One gradient update of critics, actor and temperature.
//!
//! It has three parts, each divided among threads: the targets and the actor's own actions, by blocks of rows; the two
//! critics, one thread each; the actor's gradient, by blocks of rows that are added in a fixed order. So the result does not
//! depend on the number of threads. Buffers are reused.

use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::networks::{Critic, Networks};
use super::replay::Replay;
use super::{SacConfig, Temperature};
use crate::policy::mlp::{Mlp, Tape};
use crate::policy::{LOG_SQRT_2PI, LOG_STD_BOUNDS, Scale};

/// Rows in a block: the usual minibatch of 256 has two blocks.
const BLOCK: usize = 128;

/// The number of figures of an update.
pub(super) const FIGURES: usize = 4;

/// Mean losses of critics and actor, entropy and temperature.
pub(super) type Figures = [f32; FIGURES];

/// The loops of an update, and their buffers.
pub(super) struct Engine {
    pub(super) blocks: Vec<Block>,
    /// The blocks' rows together, for the critics.
    batch: Batch,
    minibatch: usize,
    learning_rate: f64,
    discount: f32,
    tau: f32,
    learn_temperature: bool,
}

/// What the critics learn from, `rows` rows.
#[derive(Default)]
pub(super) struct Batch {
    /// (s, a) as it was and (s, ã) as the actor would, `[rows, obs_dim + action_dim]`.
    taken: Vec<f32>,
    fresh: Vec<f32>,
    /// y, `[rows]`.
    targets: Vec<f32>,
}

/// Some rows of the minibatch.
#[derive(Default)]
pub(super) struct Block {
    /// Rows of the replay buffer.
    rows: Vec<usize>,
    /// Standard Gaussian, `[rows, action_dim]`: of the actor's actions in s and in s'.
    noise: Vec<f32>,
    next_noise: Vec<f32>,
    /// Normalised, `[rows, obs_dim]`.
    obs: Vec<f32>,
    next_obs: Vec<f32>,
    /// (s, a) as it was, (s, ã) as the actor would, (s', ã'): `[rows, obs_dim + action_dim]`.
    taken: Vec<f32>,
    fresh: Vec<f32>,
    next: Vec<f32>,
    /// The actor's actions in s, and in s'.
    draws: Draws,
    next_draws: Draws,
    /// y, `[rows]`.
    targets: Vec<f32>,
    actor_tape: Tape,
    tape: Tape,
    d_output: Vec<f32>,
    /// ∂L/∂ of the actor's weights, over these rows.
    gradient: Vec<f32>,
    /// Sum over the rows of α log π − min Q.
    loss: f32,
}

/// Squashed Gaussian actions.
#[derive(Default)]
struct Draws {
    /// a = tanh u, u = μ + σ ε, `[rows, action_dim]`.
    actions: Vec<f32>,
    /// σ ε; 0 in `free` where log σ is at a bound, so that no gradient goes through it.
    deviations: Vec<f32>,
    free: Vec<f32>,
    /// log π(a), `[rows]`.
    log_probs: Vec<f32>,
}

impl Draws {
    /// From the actor's outputs [μ | log σ] and noise ε.
    ///
    /// log π(a) = Σ log N(u; μ, σ) − log(1 − tanh² u), and log(1 − tanh² u) = 2 (log 2 − u − log(1 + e^(−2u)))
    /// (Haarnoja et al. 2018, appendix C; the second form stays finite where tanh rounds to 1).
    fn draw(&mut self, outputs: &[f32], noise: &[f32], dim: usize) {
        for column in [&mut self.actions, &mut self.deviations, &mut self.free, &mut self.log_probs] {
            column.clear();
        }
        for (row, noise) in outputs.chunks_exact(2 * dim).zip(noise.chunks_exact(dim)) {
            let (means, log_stds) = row.split_at(dim);
            let mut log_prob = 0.0;
            for ((mean, &raw), e) in means.iter().zip(log_stds).zip(noise) {
                let log_std = raw.clamp(LOG_STD_BOUNDS.0, LOG_STD_BOUNDS.1);
                let deviation = log_std.exp() * e;
                let u = mean + deviation;
                let log_slope = 2.0 * (std::f32::consts::LN_2 - u - softplus(-2.0 * u));
                log_prob -= 0.5 * e * e + log_std + LOG_SQRT_2PI + log_slope;
                self.actions.push(u.tanh());
                self.deviations.push(deviation);
                self.free.push(if raw == log_std { 1.0 } else { 0.0 });
            }
            self.log_probs.push(log_prob);
        }
    }
}

/// log(1 + eˣ)
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Row by row `[obs | action]`.
fn concat(to: &mut Vec<f32>, obs: &[f32], actions: &[f32], dim: usize) {
    to.clear();
    let width = obs.len() * dim / actions.len();
    for (obs, action) in obs.chunks_exact(width).zip(actions.chunks_exact(dim)) {
        to.extend_from_slice(obs);
        to.extend_from_slice(action);
    }
}

impl Engine {
    pub fn new(config: &SacConfig) -> Self {
        let mut blocks = Vec::new();
        blocks.resize_with(config.minibatch_size.div_ceil(BLOCK), Block::default);
        Self {
            blocks,
            batch: Batch::default(),
            minibatch: config.minibatch_size,
            learning_rate: config.learning_rate,
            discount: config.discount,
            tau: config.tau,
            learn_temperature: config.temperature == Temperature::Auto,
        }
    }

    /// Draws a minibatch and makes one update (in the order of SB3: α of before the update throughout).
    pub fn update(
        &mut self,
        networks: &mut Networks,
        replay: &Replay,
        scale: &Scale,
        rng: &mut impl Rng,
    ) -> Figures {
        self.draw(replay, networks.actor_mlp.outputs() / 2, rng);
        networks.updates += 1;
        let (time, rate) = (networks.updates, self.learning_rate);
        let alpha = networks.temperature();
        self.look_ahead(networks, replay, scale);
        self.improve_critics(networks, Some((time, rate)));
        let [value_loss, policy_loss, entropy] = self.differentiate_actor(networks);
        networks.actor.step(time, rate);
        if self.learn_temperature {
            networks.log_temperature.gradient[0] =
                temperature_slope(entropy, networks.actor_mlp.outputs() / 2);
            networks.log_temperature.step(time, rate);
        }
        [value_loss, policy_loss, entropy, alpha]
    }

    /// The minibatch's rows, with replacement, and its noise.
    pub(super) fn draw(&mut self, replay: &Replay, dim: usize, rng: &mut impl Rng) {
        let mut left = self.minibatch;
        for block in &mut self.blocks {
            let rows = left.min(BLOCK);
            left -= rows;
            block.rows.clear();
            block.rows.extend((0..rows).map(|_| rng.random_range(0..replay.len())));
            for noise in [&mut block.noise, &mut block.next_noise] {
                noise.clear();
                noise.extend((0..rows * dim).map(|_| rng.sample::<f32, _>(StandardNormal)));
            }
        }
    }

    /// Targets of the critics, and what the actor would do.
    pub(super) fn look_ahead(&mut self, networks: &Networks, replay: &Replay, scale: &Scale) {
        let discount = self.discount;
        self.blocks.par_iter_mut().with_max_len(1).for_each(|block| {
            block.gather(replay, scale);
            block.act(networks);
            block.aim(networks, replay, discount);
        });
        let Batch { taken, fresh, targets } = &mut self.batch;
        for (whole, of) in [
            (taken, (|b| &b.taken) as fn(&Block) -> &Vec<f32>),
            (fresh, |b| &b.fresh),
            (targets, |b| &b.targets),
        ] {
            whole.clear();
            self.blocks.iter().for_each(|block| whole.extend_from_slice(of(block)));
        }
    }

    /// Each critic towards the targets by one step of Adam, its target after it, and then its values and slopes at the
    /// actor's actions. Without a step (its time and rate), the gradient is left and nothing moves.
    pub(super) fn improve_critics(&self, networks: &mut Networks, step: Option<(u64, f64)>) {
        let mlp = &networks.critic_mlp;
        networks.critics.par_iter_mut().with_max_len(1).for_each(|critic| {
            critic.differentiate(mlp, &self.batch);
            if let Some((time, rate)) = step {
                critic.online.step(time, rate);
                critic.follow(self.tau);
            }
            critic.evaluate(mlp, &self.batch.fresh);
        });
    }

    /// Computes the gradient of the actor's weights; returns the means of the losses and of the entropy.
    pub(super) fn differentiate_actor(&mut self, networks: &mut Networks) -> [f32; 3] {
        let (alpha, rows) = (networks.temperature(), self.minibatch as f32);
        let Networks { actor_mlp, actor, critics, .. } = networks;
        let (params, critics) = (&actor.params[..], &*critics);
        self.blocks.par_iter_mut().with_max_len(1).enumerate().for_each(|(at, block)| {
            block.differentiate_actor(actor_mlp, params, critics, at * BLOCK, alpha, 1.0 / rows);
        });
        actor.gradient.copy_from_slice(&self.blocks[0].gradient);
        for block in &self.blocks[1..] {
            actor.gradient.iter_mut().zip(&block.gradient).for_each(|(sum, g)| *sum += g);
        }
        let sum = |of: fn(&Block) -> f32| self.blocks.iter().map(of).sum::<f32>() / rows;
        let log_prob = sum(|b| b.draws.log_probs.iter().sum());
        [(critics[0].loss + critics[1].loss) / (2.0 * rows), sum(|b| b.loss), -log_prob]
    }
}

/// ∂L/∂ log α of L = −log α · E[log π + H̄], with the target entropy H̄ = −dim(A) (Haarnoja et al. 2018b, equation 18
/// and appendix D; log α in place of α as in SB3).
pub(super) fn temperature_slope(entropy: f32, dim: usize) -> f32 {
    entropy + dim as f32
}

impl Block {
    /// Copies rows from the replay buffer, with normalised observations, and s next to a.
    fn gather(&mut self, replay: &Replay, scale: &Scale) {
        let (width, dim) = (replay.obs.len() / replay.len(), replay.actions.len() / replay.len());
        for (to, from) in [(&mut self.obs, &replay.obs), (&mut self.next_obs, &replay.next_obs)] {
            to.resize(self.rows.len() * width, 0.0);
            for (&row, to) in self.rows.iter().zip(to.chunks_exact_mut(width)) {
                scale.apply(&from[row * width..(row + 1) * width], to);
            }
        }
        self.taken.clear();
        for (&row, obs) in self.rows.iter().zip(self.obs.chunks_exact(width)) {
            self.taken.extend_from_slice(obs);
            self.taken.extend_from_slice(&replay.actions[row * dim..(row + 1) * dim]);
        }
    }

    /// The actor's actions in s and s'; the tape in s is kept for the backward pass.
    fn act(&mut self, networks: &Networks) {
        let (mlp, params) = (&networks.actor_mlp, &networks.actor.params[..]);
        let dim = mlp.outputs() / 2;
        self.next_draws.draw(mlp.forward(params, &self.next_obs, &mut self.tape), &self.next_noise, dim);
        self.draws.draw(mlp.forward(params, &self.obs, &mut self.actor_tape), &self.noise, dim);
        concat(&mut self.next, &self.next_obs, &self.next_draws.actions, dim);
        concat(&mut self.fresh, &self.obs, &self.draws.actions, dim);
    }

    /// y = r + γ (1 − terminated) (min_i Q'_i(s', ã') − α log π(ã' | s')) (Haarnoja et al. 2018, equations 3 and 8,
    /// with the smaller of two critics).
    fn aim(&mut self, networks: &Networks, replay: &Replay, discount: f32) {
        let alpha = networks.temperature();
        let mlp = &networks.critic_mlp;
        let [first, second] = &networks.critics;
        self.targets.clear();
        self.targets.extend_from_slice(mlp.forward(&first.target, &self.next, &mut self.tape));
        let other = mlp.forward(&second.target, &self.next, &mut self.tape);
        let next = self.next_draws.log_probs.iter().zip(other).zip(&self.rows);
        for (target, ((log_prob, other), &row)) in self.targets.iter_mut().zip(next) {
            let value = target.min(*other) - alpha * log_prob;
            *target = replay.scores[row] + discount * replay.bootstraps[row] * value;
        }
    }

    /// L = E[α log π(ã) − min_i Q_i(s, ã)] (Haarnoja et al. 2018, equation 12), `weight` a row, through ã = tanh(μ + σ ε):
    ///
    /// ∂ log π/∂μ = 2 ã, ∂ log π/∂ log σ = 2 ã σ ε − 1; ∂ã/∂μ = 1 − ã², ∂ã/∂ log σ = (1 − ã²) σ ε.
    ///
    /// `from` is the block's first row within the critics' values.
    fn differentiate_actor(
        &mut self,
        mlp: &Mlp,
        params: &[f32],
        critics: &[Critic; 2],
        from: usize,
        alpha: f32,
        weight: f32,
    ) {
        let dim = mlp.outputs() / 2;
        let width = mlp.inputs() + dim;
        self.d_output.clear();
        self.loss = 0.0;
        for (row, log_prob) in self.draws.log_probs.iter().enumerate() {
            let [a, b] = critics.each_ref().map(|c| c.values[from + row]);
            let smaller = &critics[usize::from(b < a)];
            self.loss += alpha * log_prob - a.min(b);
            let slopes = &smaller.slopes[(from + row) * width + mlp.inputs()..][..dim];
            let own = row * dim..(row + 1) * dim;
            let actions = &self.draws.actions[own.clone()];
            for (action, slope) in actions.iter().zip(slopes) {
                self.d_output.push(weight * (alpha * 2.0 * action - (1.0 - action * action) * slope));
            }
            let means = self.d_output.len() - dim;
            for (i, at) in own.enumerate() {
                let d_mean = self.d_output[means + i];
                self.d_output
                    .push(self.draws.free[at] * (d_mean * self.draws.deviations[at] - weight * alpha));
            }
        }
        self.gradient.clear();
        self.gradient.resize(params.len(), 0.0);
        mlp.backward(
            params,
            &self.obs,
            &self.d_output,
            &mut self.actor_tape,
            Some(&mut self.gradient),
            false,
        );
    }
}

impl Critic {
    /// L = E[½ (Q(s, a) − y)²]
    fn differentiate(&mut self, mlp: &Mlp, batch: &Batch) {
        let params = &self.online.params;
        let values = mlp.forward(params, &batch.taken, &mut self.tape);
        self.d_output.clear();
        self.loss = 0.0;
        for (value, target) in values.iter().zip(&batch.targets) {
            let error = value - target;
            self.loss += 0.5 * error * error;
            self.d_output.push(error / batch.targets.len() as f32);
        }
        self.online.gradient.fill(0.0);
        let gradient = Some(&mut self.online.gradient[..]);
        mlp.backward(params, &batch.taken, &self.d_output, &mut self.tape, gradient, false);
    }

    /// Q(s, ã) and its slopes, at what the actor would do.
    fn evaluate(&mut self, mlp: &Mlp, fresh: &[f32]) {
        let params = &self.online.params;
        self.values.clear();
        self.values.extend_from_slice(mlp.forward(params, fresh, &mut self.tape));
        self.d_output.clear();
        self.d_output.resize(self.values.len(), 1.0);
        self.slopes.clear();
        let slopes = mlp.backward(params, fresh, &self.d_output, &mut self.tape, None, true);
        self.slopes.extend_from_slice(slopes);
    }
}

#[cfg(test)]
impl Block {
    /// Row of replay, target and log π(ã') of each row.
    pub(super) fn aimed(&self) -> impl Iterator<Item = (usize, f32, f32)> + '_ {
        let rows = self.rows.iter().zip(&self.targets).zip(&self.next_draws.log_probs);
        rows.map(|((&row, &target), &log_prob)| (row, target, log_prob))
    }
}

/// log π of the action that the network's `outputs` and the `noise` give.
#[cfg(test)]
pub(super) fn log_prob(outputs: &[f32], noise: &[f32]) -> f32 {
    let mut draws = Draws::default();
    draws.draw(outputs, noise, noise.len());
    draws.log_probs[0]
}
