//! The geometric mixture of two policies as one policy: the opponent of Nash-MD (Munos et al. 2024).
//!
//! π^{1−β} μ^{β}, normalised at every observation, is a linear mixture of the logits of options, or of the precisions and
//! precision-weighted means of Gaussians. So the mixture is a network with both networks side by side, whose last layer
//! adds their outputs.

use crate::policy::{Head, Mlp, Policy};

impl Policy {
    /// The mixture of this policy with a share β of `reference`. `None` if their heads, depths or activations differ, or
    /// if the network gives the standard deviation, as in SAC.
    ///
    /// It is exact unless an observation is clipped, at ten standard deviations from its mean.
    pub fn mixed_with(&self, reference: &Self, share: f32) -> Option<Self> {
        let depth = self.mlp.layers().len();
        if self.head != reference.head
            || self.head == Head::SquashedGaussian
            || self.mlp.activation() != reference.mlp.activation()
            || depth != reference.mlp.layers().len()
        {
            return None;
        }
        let [own_spread, its_spread] = [self, reference].map(|p| &p.params[p.mlp.params()..]);
        let precision = |log_std: f32| (-2.0 * log_std).exp();
        let precisions: Vec<(f32, f32)> = (own_spread.iter().zip(its_spread))
            .map(|(own, its)| ((1.0 - share) * precision(*own), share * precision(*its)))
            .collect();
        // The weights of both networks in output `o`.
        let parts = |o: usize| match precisions.get(o) {
            Some((own, its)) => [own / (own + its), its / (own + its)],
            None => [1.0 - share, share],
        };
        // Converts an observation normalised for this policy into one normalised for `reference`: x ↦ scale x + shift.
        let (own, its) = (self.normalizer.scale(), reference.normalizer.scale());
        let seen: Vec<(f32, f32)> = (0..self.mlp.inputs())
            .map(|i| (own.std[i] / its.std[i], (own.mean[i] - its.mean[i]) / its.std[i]))
            .collect();

        let (mut params, mut hidden) = (Vec::new(), Vec::new());
        let mut rest = [&self.params[..], &reference.params[..]];
        for (layer, sides) in self.mlp.layers().zip(reference.mlp.layers()).enumerate() {
            let ((own_in, own_out), (its_in, its_out)) = sides;
            let (first, last) = (layer == 0, layer + 1 == depth);
            let rows = if first { own_in } else { own_in + its_in };
            let columns = if last { own_out } else { own_out + its_out };
            let (mut weight, mut bias) = (vec![0.0; rows * columns], vec![0.0; columns]);
            for (side, (inputs, outputs)) in [(own_in, own_out), (its_in, its_out)].into_iter().enumerate() {
                let (weights, tail) = rest[side].split_at(inputs * outputs);
                let (biases, tail) = tail.split_at(outputs);
                rest[side] = tail;
                for o in 0..outputs {
                    let part = if last { parts(o)[side] } else { 1.0 };
                    let column = if last || side == 0 { o } else { own_out + o };
                    bias[column] += part * biases[o];
                    for i in 0..inputs {
                        let row = if first || side == 0 { i } else { own_in + i };
                        let (scale, shift) = if first && side == 1 { seen[i] } else { (1.0, 0.0) };
                        weight[row * columns + column] += part * scale * weights[i * outputs + o];
                        bias[column] += part * shift * weights[i * outputs + o];
                    }
                }
            }
            params.extend(weight);
            params.extend(bias);
            if !last {
                hidden.push(columns);
            }
        }
        params.extend(precisions.iter().map(|(own, its)| -0.5 * (own + its).ln()));
        let mlp = Mlp::new(self.mlp.inputs(), &hidden, self.mlp.outputs(), self.mlp.activation());
        Some(Self { mlp, params, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Stream, stream};
    use crate::policy::{Activation, Normalizer};
    use rand::RngExt;
    use spo_envs::ActionSpace;

    fn policy(head: Head, hidden: &[usize], number: u64) -> Policy {
        let mut rng = stream(number, Stream("test"), 0, 0);
        let mlp = Mlp::new(2, hidden, 3, Activation::Tanh);
        let count = mlp.params() + Policy::log_stds(head, 3);
        let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-0.8..0.8)).collect::<Vec<f32>>();
        let action = match head {
            Head::Categorical => ActionSpace::Discrete(3),
            _ => ActionSpace::uniform(3, -1.0, 1.0),
        };
        let params = draw(count);
        let mean: Vec<f64> = draw(2).into_iter().map(f64::from).collect();
        let normalizer = Normalizer { count: 9.0, mean, var: vec![0.5 + number as f64, 2.0] };
        Policy { mlp, params, normalizer, head, action }
    }

    const OBS: [f32; 2] = [0.7, -1.2];

    /// log π^{1−β} μ^{β} up to a constant per observation: the differences between latents are exact.
    #[test]
    fn log_probabilities_mix_linearly_up_to_a_constant() {
        for head in [Head::Categorical, Head::ClippedGaussian] {
            for hidden in [&[5, 4][..], &[]] {
                let (own, reference) = (policy(head, hidden, 1), policy(head, hidden, 2));
                let latents: Vec<Vec<f32>> = match head {
                    Head::Categorical => (0..3).map(|o| vec![o as f32]).collect(),
                    _ => vec![vec![0.0; 3], vec![0.5, -0.3, 0.2], vec![-1.0, 0.1, 2.0], vec![1.0, 1.0, -1.0]],
                };
                for share in [0.0, 0.25, 1.0] {
                    let mixed = own.mixed_with(&reference, share).unwrap();
                    let gap = |u: &Vec<f32>| {
                        let [p, q, m] = [&own, &reference, &mixed].map(|p| p.log_probs(&OBS, u)[0]);
                        m - (1.0 - share) * p - share * q
                    };
                    let gaps: Vec<f32> = latents.iter().map(gap).collect();
                    let same = gaps.iter().all(|g| (g - gaps[0]).abs() < 1e-4);
                    assert!(same, "{head:?} {hidden:?} {share}: {gaps:?}");
                }
            }
        }
    }

    #[test]
    fn gaussians_by_hand() {
        // N(0, 1) and N(3, ½²) in equal shares: precisions ½ and 2, mean 3 · 2 / 2.5 = 2.4, variance 1 / 2.5.
        let of = |mean: f32, std: f32| Policy {
            mlp: Mlp::new(1, &[], 1, Activation::Tanh),
            params: vec![0.0, mean, std.ln()],
            normalizer: Normalizer::identity(1),
            head: Head::TanhGaussian,
            action: ActionSpace::uniform(1, -1.0, 1.0),
        };
        let mixed = of(0.0, 1.0).mixed_with(&of(3.0, 0.5), 0.5).unwrap();
        assert!((mixed.params[1] - 2.4).abs() < 1e-6);
        assert!((mixed.params[2] - 0.5 * 0.4f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn policies_of_different_form_are_not_mixed() {
        let deep = policy(Head::Categorical, &[5, 4], 1);
        assert!(deep.mixed_with(&policy(Head::Categorical, &[5], 2), 0.5).is_none());
        assert!(deep.mixed_with(&policy(Head::ClippedGaussian, &[5, 4], 2), 0.5).is_none());
    }
}
