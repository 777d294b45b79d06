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
//! One iteration of [`train`]:
//!
//! 1. [`rollout`]: K trajectories from each of S initial states, by the present [`policy`] or by perturbed ones.
//! 2. [`scorer::opponents`]: each trajectory is compared with its group, a sample of it, or a queue of earlier ones.
//! 3. [`oracle`]: P(a ≻ b) for each pair, by a closure, a program, a language model, or people.
//! 4. [`scorer`]: each trajectory's win proportion, paid out over its steps. Baselines take its place: a
//!    [`scorer::reward_model`] fitted to the same answers, a language model's ratings, or the task's own reward.
//! 5. [`learner::advantage`]: against the group's mean and spread, or by a critic. With [`scorer::safety`], a second oracle
//!    judges what is safe, and the advantages of costs are weighed against the others.
//! 6. [`learner`]: an update of the policy: on-policy (PPO, or the regressions of SPPO and REBEL), from a replay (SAC), or
//!    along random directions in its weights (ARS, which needs no step 5). A price on the KL keeps the policy near a
//!    [reference policy](train::reference).
//! 7. [`train::run`]: a row of metrics, a checkpoint now and then, and the latest trajectories for people who watch.
//!
//! Steps 1 to 6 are those of a backend in [`device`]: the host's, or Burn's, on which they stay on a GPU, environments
//! included.
//!
//! In theory this is Hedge against its own iterates, whose average approaches the minimax winner of the
//! preferences; [`game`] solves small cases exactly.
//!
//! # Folders
//!
//! Each folder imports only those before it in this list:
//!
//! | | |
//! |---|---|
//! | [`base`] | random streams, statistics, SIMD loops, tensor files, devices |
//! | [`game`] | preference matrices: minimax winner, dynamics |
//! | [`policy`] | actor, critic, normaliser, policy file, mixtures of policies |
//! | [`rollout`] | trajectories, their steps and windows; KL to a reference |
//! | [`oracle`] | judges and decorators; programs, language models, people |
//! | [`learner`] | PPO, SAC, ARS; advantages |
//! | [`scorer`] | self-play, reward model, task reward, ratings; opponents, safety |
//! | [`device`] | where an iteration happens: on the host, or on a Burn device |
//! | [`train`] | the loop, run directory, checkpoint, configuration |
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
