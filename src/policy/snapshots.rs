//! Snapshots of the policy during a run. `result = "best"` chooses among them, `"average"` mixes them.

use crate::policy::Policy;

/// At most `capacity` policies, evenly spaced over the iterations so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshots {
    capacity: usize,
    /// Iterations between two snapshots. It doubles when the store is full.
    pub stride: u64,
    /// The policies, oldest first.
    pub policies: Vec<Policy>,
}

impl Snapshots {
    /// An empty store; the capacity is at least two.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(2), stride: 1, policies: Vec::new() }
    }

    /// Offers the policy of an iteration. The store keeps it if a snapshot is due.
    pub fn offer(&mut self, iteration: u64, policy: impl FnOnce() -> Policy) {
        if !iteration.is_multiple_of(self.stride) {
            return;
        }
        if self.policies.len() == self.capacity {
            let mut place = 0;
            self.policies.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.stride *= 2;
            if !iteration.is_multiple_of(self.stride) {
                return;
            }
        }
        self.policies.push(policy());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Activation, Head, Mlp, Normalizer};
    use spo_envs::ActionSpace;

    #[test]
    fn snapshots_stay_evenly_spaced() {
        let mut store = Snapshots::new(4);
        for iteration in 0..20 {
            store.offer(iteration, || Policy {
                mlp: Mlp::new(1, &[], 1, Activation::Tanh),
                params: vec![iteration as f32],
                normalizer: Normalizer::identity(1),
                head: Head::Categorical,
                action: ActionSpace::Discrete(1),
            });
        }
        let kept: Vec<f32> = store.policies.iter().map(|p| p.params[0]).collect();
        // Full with 0 1 2 3. At 4 every other one is dropped: 0 2 4 6; at 8: 0 4 8 12; at 16: 0 8 16.
        assert_eq!(kept, [0.0, 8.0, 16.0]);
        assert_eq!(store.stride, 8);
    }
}
