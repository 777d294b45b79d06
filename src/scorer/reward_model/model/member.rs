//! One network of the ensemble: its loss, gradient and fit.

use rand::Rng;
use rand::seq::SliceRandom;

use super::assess::{correct, sigmoid};
use super::{Comparison, Output, RewardModelConfig, Segment};
use crate::base::random::{Stream, stream};
use crate::base::simd::sum_of_squares;
use crate::policy::mlp::{Mlp, Tape};
use crate::policy::normalizer::Scale;
use crate::policy::state::LearnerState;
use crate::policy::weights::Weights;

/// What all members share: the shape of r(s, a) and how its inputs are made.
pub(super) struct Network {
    pub mlp: Mlp,
    pub output: Output,
    /// Differences of sums are clipped to ± this.
    pub clip: Option<f32>,
    /// Weight of the mean square of sums.
    pub regularization: f64,
    /// Normalisation of the inputs; `None` before the first fit, or if inputs are not normalised.
    pub scale: Option<Scale>,
    pub obs_dim: usize,
    pub action_dim: usize,
    /// The number of options of a discrete action, which the network sees as a one-hot vector.
    pub options: Option<usize>,
}

/// Reused buffers of inputs, outputs and gradients; they are not reallocated once they are large enough.
#[derive(Default)]
pub(super) struct Buffers {
    raw: Vec<f32>,
    /// `[rows, inputs]`
    inputs: Vec<f32>,
    tape: Tape,
    /// r of each row.
    rewards: Vec<f32>,
    d_output: Vec<f32>,
}

/// Sums over the comparisons of a minibatch or an epoch.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub loss: f64,
    /// The number of comparisons without ties plus verdicts, and how many of these were predicted correctly.
    pub decided: u64,
    pub right: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.decided += other.decided;
        self.right += other.right;
    }
}

impl Network {
    /// Appends a segment's rows `[obs | action]`, as the task gave them.
    pub fn append(&self, segment: Segment<'_>, rows: &mut Vec<f32>) {
        let steps = segment.obs.chunks_exact(self.obs_dim);
        for (obs, action) in steps.zip(segment.actions.chunks_exact(self.action_dim)) {
            rows.extend_from_slice(obs);
            match self.options {
                None => rows.extend_from_slice(action),
                Some(n) => rows.extend((0..n).map(|option| f32::from(u8::from(action[0] == option as f32)))),
            }
        }
    }

    /// Makes `inputs` from `raw`.
    fn scale(&self, buffers: &mut Buffers) {
        let Buffers { raw, inputs, .. } = buffers;
        inputs.clear();
        inputs.extend_from_slice(raw);
        if let Some(scale) = &self.scale {
            scale.apply(raw, inputs);
        }
    }

    /// Makes the inputs of one segment.
    pub fn encode(&self, segment: Segment<'_>, buffers: &mut Buffers) {
        buffers.raw.clear();
        self.append(segment, &mut buffers.raw);
        self.scale(buffers);
    }

    /// r of each row of the inputs.
    pub fn rewards(&self, params: &[f32], buffers: &mut Buffers) -> Vec<f32> {
        self.forward(params, buffers);
        buffers.rewards.clone()
    }

    fn forward(&self, params: &[f32], buffers: &mut Buffers) {
        let Buffers { inputs, tape, rewards, .. } = buffers;
        rewards.clear();
        rewards.extend_from_slice(self.mlp.forward(params, inputs, tape));
        if self.output == Output::Tanh {
            rewards.iter_mut().for_each(|r| *r = r.tanh());
        }
    }

    /// Writes the gradient of the comparisons' mean loss to `gradient`; returns sums over the comparisons.
    ///
    /// L = −p log σ(d) − (1 − p) log σ(−d) = log(1 + e^d) − p d and ∂L/∂d = σ(d) − p, with d the sum A of rewards over a
    /// less that B over b (Christiano et al. 2017, equation 1).
    ///
    /// A cost model with verdicts s adds −log σ(s A) − log σ(s B) (Dai et al. 2023, section 3.2), and a
    /// regularisation w adds w (A² + B²) / 2, as in their code.
    pub fn differentiate<'c>(
        &self,
        params: &[f32],
        batch: impl ExactSizeIterator<Item = &'c Comparison<'c>> + Clone,
        buffers: &mut Buffers,
        gradient: &mut [f32],
    ) -> Sums {
        let count = batch.len() as f64;
        buffers.raw.clear();
        for c in batch.clone() {
            self.append(c.a, &mut buffers.raw);
            self.append(c.b, &mut buffers.raw);
        }
        self.scale(buffers);
        self.forward(params, buffers);
        let Buffers { inputs, tape, rewards, d_output, .. } = buffers;
        d_output.clear();
        let mut sums = Sums::default();
        let mut rest = &rewards[..];
        for c in batch {
            let (a, tail) = rest.split_at(c.a.obs.len() / self.obs_dim);
            let (b, tail) = tail.split_at(c.b.obs.len() / self.obs_dim);
            rest = tail;
            let totals = [a, b].map(|r| r.iter().map(|&r| f64::from(r)).sum::<f64>());
            let whole = totals[0] - totals[1];
            let gap = self.clip.map_or(whole, |clip| whole.clamp(-f64::from(clip), f64::from(clip)));
            let p = f64::from(c.p);
            sums.loss += softplus(gap) - p * gap;
            if let Some(correct) = correct(whole, c.p) {
                sums.decided += 1;
                sums.right += u64::from(correct);
            }
            let slope = if gap == whole { sigmoid(gap) - p } else { 0.0 };
            let sides = [(a, slope), (b, -slope)].into_iter().zip(totals).zip(c.signs);
            for (((rewards, mut slope), total), sign) in sides {
                if sign != 0.0 {
                    let sign = f64::from(sign);
                    sums.loss += softplus(-sign * total);
                    sums.decided += 1;
                    sums.right += u64::from(sign * total > 0.0);
                    slope -= sign * sigmoid(-sign * total);
                }
                sums.loss += 0.5 * self.regularization * total * total;
                slope += self.regularization * total;
                d_output.extend(std::iter::repeat_n((slope / count) as f32, rewards.len()));
            }
        }
        if self.output == Output::Tanh {
            d_output.iter_mut().zip(&*rewards).for_each(|(d, r)| *d *= 1.0 - r * r);
        }
        gradient.fill(0.0);
        self.mlp.backward(params, inputs, d_output, tape, Some(gradient), false);
        sums
    }
}

/// log(1 + eˣ) without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// A network's weights and the state of Adam.
pub(super) struct Member {
    pub weights: Weights,
    /// Steps of Adam.
    time: u64,
    /// Whether a fit has succeeded.
    pub trained: bool,
}

/// The outcome of a member's fit.
pub(super) struct Fitted {
    /// Mean loss of the last epoch; `None` if the member diverged twice.
    pub loss: Option<f32>,
    pub restarts: u64,
}

impl Member {
    /// Fresh weights as PyTorch initialises them, which B-Pref and imitation use unchanged; `turn` selects the random stream.
    pub fn fresh(mlp: &Mlp, seed: u64, turn: u64, place: u64) -> Self {
        let weights = mlp.init_uniform(&mut stream(seed, Stream("reward"), turn, place));
        Self { weights: Weights::new(weights), time: 0, trained: false }
    }

    /// The `fit`-th fit of the member in `place`, from 0.
    pub fn fit(
        &mut self,
        network: &Network,
        config: &RewardModelConfig,
        comparisons: &[Comparison<'_>],
        seed: u64,
        (fit, place): (u64, u64),
    ) -> Fitted {
        // A fit uses fresh weights up to three times. Turn 0 is for the first weights of the run.
        let fresh = |turn: u64| Self::fresh(&network.mlp, seed, 3 * fit + turn, place);
        if config.restarts() && fit > 0 {
            *self = fresh(0);
        }
        let epochs = config.passes(fit == 0);
        for attempt in 0..2 {
            let mut rng = stream(seed, Stream("r.order"), 3 * fit + attempt, place);
            if let Some(loss) = self.passes(network, config, comparisons, epochs, &mut rng) {
                self.trained = true;
                return Fitted { loss: Some(loss), restarts: attempt };
            }
            *self = fresh(1 + attempt);
        }
        Fitted { loss: None, restarts: 2 }
    }

    /// Makes passes over the comparisons, at most `epochs`, until enough are predicted correctly. Returns the mean loss of the
    /// last pass, or `None` if a number is no longer finite.
    fn passes(
        &mut self,
        network: &Network,
        config: &RewardModelConfig,
        comparisons: &[Comparison<'_>],
        epochs: usize,
        rng: &mut impl Rng,
    ) -> Option<f32> {
        let mut order: Vec<usize> = (0..comparisons.len()).collect();
        let (mut buffers, mut sums) = (Buffers::default(), Sums::default());
        for _ in 0..epochs {
            order.shuffle(rng);
            sums = Sums::default();
            for rows in order.chunks(config.minibatch_size) {
                let batch = rows.iter().map(|&row| &comparisons[row]);
                let Weights { params, gradient, .. } = &mut self.weights;
                sums.add(network.differentiate(params, batch, &mut buffers, gradient));
                self.time += 1;
                self.weights.step(self.time, config.learning_rate);
            }
            if !(sums.loss.is_finite() && sum_of_squares(&self.weights.params).is_finite()) {
                return None;
            }
            if sums.decided > 0 && sums.right as f64 / sums.decided as f64 > f64::from(config.stop_accuracy) {
                break;
            }
        }
        Some((sums.loss / comparisons.len() as f64) as f32)
    }

    pub fn save(&self, place: usize, state: &mut LearnerState) {
        self.weights.save(&format!("reward.{place}"), state);
        state.counters.insert(format!("reward.{place}.adam.time"), self.time);
        state.counters.insert(format!("reward.{place}.trained"), u64::from(self.trained));
    }

    pub fn load(&mut self, place: usize, state: &LearnerState) -> Result<(), String> {
        self.weights.load(&format!("reward.{place}"), state)?;
        self.time = state.counter(&format!("reward.{place}.adam.time"))?;
        self.trained = state.counter(&format!("reward.{place}.trained"))? != 0;
        Ok(())
    }
}
