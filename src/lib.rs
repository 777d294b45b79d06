//! **spo** learns policies from pairwise comparisons alone: Self-Play Preference Optimization of Swamy, Dann,
//! Kidambi, Wu & Agarwal, "A Minimaximalist Approach to RLHF" (ICML 2024). No reward model, no adversary: each
//! trajectory's win proportion is its reward.
//!
//! ```no_run
//! use spo::prelude::*;
//!
//! let effort = |t: Trajectory| t.actions.iter().map(|u| u * u).sum::<f32>();
//! let gentle = move |a: Trajectory, b: Trajectory| (effort(a) < effort(b)) as u8 as f32;
//! let run = Spo::on("pendulum").oracle(gentle).seed(0).train()?;
//! println!("{:.1} ± {:.1}", run.summary.eval_return_mean, run.summary.eval_return_ci95);
//! # Ok::<(), spo::TrainError>(())
//! ```
//!
//! # The algorithm on one page
//!
//! One iteration, in [`train`]:
//!
//! 1. [`rollout`]: K trajectories from each of S initial states, under the present [`policy`] or under policies about it.
//! 2. [`opponents`]: whom each is compared with — its group, a sample of it, or a queue of earlier ones.
//! 3. [`oracle`]: P(a ≻ b) for each pair; a closure will do, a language model, and people at a page of `spo train
//!    --oracle human`.
//! 4. [`scorer`]: each trajectory's win proportion, paid out over its steps. Baselines stand in its place: the reward of
//!    a [`reward_model`] fitted to the same answers, a language model's ratings, or the task's own.
//! 5. [`advantage`]: against the group's mean and spread, or by a critic. With [`safety`], a second oracle says who is
//!    safer, and the advantages of what that costs are held against these at a price.
//! 6. [`learner`]: an update of the policy: on-policy (PPO, or the regressions of SPPO and REBEL), on a [`device`] of
//!    choice, from a replay (SAC), or along random directions in its weights (ARS, which needs no step 5); from its own first
//!    weights or an [`initial`] policy, and held to it at a price.
//! 7. [`run`]: a row of metrics, a checkpoint now and then, and the [`newest`] trajectories for those who watch.
//!
//! Where the device is a GPU, steps 1 to 6 can stay on it, environments included: `resident` (with a feature of Burn's).
//!
//! Over tasks, methods and seeds, an [`experiment`] names its runs, and its report says with [`stats`] what they gave. A
//! [`tournament`] lets trained policies play each other, an audit says on one page what a run should disclose, and an `analysis`
//! asks whether a reward model's scores mean what they say, and where a policy makes too much of them.
//!
//! In theory this is Hedge against its own iterates, whose average approaches the minimax winner of the
//! preferences; [`game`] solves small cases exactly.
#![warn(missing_docs)]

pub mod base;
pub mod device;
pub mod game;
pub mod learner;
pub mod oracle;
pub mod policy;
pub mod rollout;
pub mod scorer;
pub mod train;

pub use train::config::Config;
pub use train::{Outcome, Spo, TrainError};

/// What a program that trains needs in scope.
pub mod prelude {
    pub use crate::oracle::{Answer, Oracle, OracleError, Pair};
    pub use crate::rollout::Trajectory;
    pub use crate::scorer::opponents::Opponents;
    pub use crate::train::config::{Config, ScorerKind, TrainedResult};
    pub use crate::{Outcome, Spo, TrainError};
    pub use spo_envs::{ActionSpace, Env, Spec, Step};
}
