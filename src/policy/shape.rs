//! What a policy is like, without its numbers: enough to read it from a file.

use serde::{Deserialize, Serialize};
use spo_envs::ActionSpace;

use super::{Activation, Head, Mlp, Normalizer, Policy};

/// Network, head and action space of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyShape {
    /// Numbers in an observation.
    pub inputs: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Outputs of the network.
    pub outputs: usize,
    /// Between layers.
    pub activation: Activation,
    /// The action head.
    pub head: Head,
    /// Bounds of the action space, or the number of options.
    pub action: ActionSpace,
}

impl PolicyShape {
    /// The shape of a policy.
    pub fn new(policy: &Policy) -> Self {
        let mut hidden: Vec<usize> = policy.mlp.layers().map(|(_, outputs)| outputs).collect();
        hidden.pop();
        Self {
            inputs: policy.mlp.inputs(),
            hidden,
            outputs: policy.mlp.outputs(),
            activation: policy.mlp.activation(),
            head: policy.head,
            action: policy.action.clone(),
        }
    }

    /// A policy of this shape with these weights and statistics.
    ///
    /// # Errors
    /// Sizes that do not fit each other.
    pub fn policy(&self, params: Vec<f32>, normalizer: Normalizer) -> Result<Policy, String> {
        let outputs = Policy::outputs_for(self.head, &self.action);
        if self.outputs == 0 || outputs != Some(self.outputs) || self.inputs == 0 || self.hidden.contains(&0)
        {
            return Err("the sizes of its policy do not fit each other".into());
        }
        let mlp = Mlp::new(self.inputs, &self.hidden, self.outputs, self.activation);
        let expected = mlp.params() + Policy::log_stds(self.head, self.outputs);
        if params.len() != expected {
            return Err(format!("its policy has {} weights; its network needs {expected}", params.len()));
        }
        if [normalizer.mean.len(), normalizer.var.len()] != [self.inputs; 2] {
            return Err(format!("its statistics are not of {} numbers", self.inputs));
        }
        Ok(Policy { mlp, params, normalizer, head: self.head, action: self.action.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_from_its_shape_and_wrong_sizes_are_named() {
        let mlp = Mlp::new(3, &[4], 2, Activation::Tanh);
        let params = vec![0.5; mlp.params() + 2];
        let policy = Policy {
            mlp,
            params: params.clone(),
            normalizer: Normalizer::identity(3),
            head: Head::ClippedGaussian,
            action: ActionSpace::uniform(2, -1.0, 1.0),
        };
        let shape = PolicyShape::new(&policy);
        let again: PolicyShape = serde_json::from_str(&serde_json::to_string(&shape).unwrap()).unwrap();
        assert_eq!(again.policy(params.clone(), Normalizer::identity(3)), Ok(policy));
        let why = shape.policy(vec![0.5; 3], Normalizer::identity(3)).unwrap_err();
        assert!(why.contains("has 3 weights; its network needs 28"), "{why}");
        assert!(shape.policy(params.clone(), Normalizer::identity(4)).unwrap_err().contains("3 numbers"));
        let wide = PolicyShape { outputs: 5, ..shape };
        assert!(wide.policy(params, Normalizer::identity(3)).unwrap_err().contains("do not fit each other"));
    }
}
