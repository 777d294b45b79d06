//! **spo** trains policies from pairwise comparisons. It implements Self-Play Preference Optimization (SPO): Swamy, Dann,
//! Kidambi, Wu & Agarwal, "A Minimaximalist Approach to RLHF" (ICML 2024). SPO needs no reward model and no adversary
//! that is trained. It compares trajectories of the current policy with each other, and the share of its comparisons that a
//! trajectory wins is its reward.
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
//! # Terms
//!
//! - A **policy** chooses an action for every observation of an environment.
//! - A **trajectory** is one episode: its observations, actions and rewards.
//! - An **oracle** compares two trajectories a and b. Its answer is P(a ≻ b), the probability that a is preferred to b:
//!   1 prefers a, 0 prefers b, ½ is a tie. An oracle may also abstain.
//! - The **win proportion** of a trajectory is the mean of its answers over the trajectories that it was compared with.
//!
//! # The algorithm
//!
//! [`train`] repeats this iteration until the environment steps or the comparisons of the run are used up:
//!
//! 1. [`rollout`]: the current [`policy`] acts in the environment. It makes K trajectories from each of S initial states.
//!    Trajectories from the same initial state form a group.
//! 2. [`scorer::opponents`] selects the trajectories that each trajectory is compared with: all others of its group, a
//!    random sample of the group, or a queue of trajectories from earlier iterations.
//! 3. [`oracle`] answers the comparisons. It can be a closure, a rule on the task's rewards, a separate program, a language
//!    model, or people who look at replays.
//! 4. [`scorer`] turns the answers into a score for each step, which replaces the reward. Self-play divides the win
//!    proportion of a trajectory among its steps. For comparison there are also a reward model that is fitted to the same
//!    kind of answers, ratings by a language model, and the task's own reward.
//! 5. [`learner`] updates the policy with these scores. PPO first turns them into advantages ([`learner::advantage`]), with a
//!    critic or with the mean of the group. SAC learns from a replay buffer of past steps. ARS searches along random
//!    directions in the space of the weights. The policy losses of SPPO and REBEL can replace PPO's own.
//! 6. [`train::run`] writes a row of metrics and, every few iterations, a checkpoint. A run that was stopped continues from its
//!    newest checkpoint with the same results.
//!
//! Two additions can be switched on in the configuration. With [`scorer::safety`], a second oracle judges which
//! trajectories are safer, and a Lagrange multiplier weighs costs against scores. With `kl_coef`, the policy pays a price
//! for its distance from a reference policy, [`train::reference`].
//!
//! # Modules
//!
//! From the bottom up. A module uses only modules above it in this list:
//!
//! | module | content |
//! |---|---|
//! | [`base`] | random streams, statistics, tables and files of tensors, vector arithmetic, devices |
//! | [`game`] | small games that are solved exactly, to check the theory |
//! | [`policy`] | neural networks, observation statistics, policy files |
//! | [`rollout`] | trajectories, how they are made and cut into windows, KL to a reference policy |
//! | [`oracle`] | who compares trajectories, and the count of comparisons |
//! | [`learner`] | PPO, SAC and ARS |
//! | [`scorer`] | answers to scores, for self-play and for the baselines |
//! | [`device`] | where an iteration is computed: on the host, or environments included on a GPU (with a feature for Burn) |
//! | [`train`] | configuration, the training loop, checkpoints, the directory of a run |
//!
//! # Theory
//!
//! The policy plays a zero-sum game against itself, and the win proportion is its gain in this game. The update approximates
//! the Hedge algorithm, so the average of the policies of all iterations approaches the minimax winner of the game: the
//! policy that no other policy beats more than half the time. It exists even when preferences are cyclic, where no reward
//! function can describe them. [`game`] computes it exactly for small games.
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
