//! Defaults that depend on the learner and on who answers.

use super::Config;
use crate::learner::LearnerKind;
use crate::oracle::OracleSpec;
use crate::scorer::opponents::Opponents;

impl Config {
    /// The defaults of a learner.
    ///
    /// SAC's run is that of RL Baselines3 Zoo for Pendulum, with the paper's form of self-play: whole trajectories against
    /// a queue of ten, one trajectory an iteration. ARS compares whole trajectories within a group of 16.
    pub fn for_learner(learner: LearnerKind) -> Self {
        let mut config = Self { learner, ..Self::default() };
        match learner {
            LearnerKind::Ppo => {}
            LearnerKind::Sac => {
                config.total_steps = 20_000;
                config.checkpoint_every = 20;
                config.self_play.opponents = Opponents::Queue(10);
                config.compare_whole_trajectories();
                (config.rollout.num_states, config.rollout.trajectories_per_state) = (1, 1);
            }
            LearnerKind::Ars => {
                config.total_steps = 1_000_000;
                config.compare_whole_trajectories();
                (config.rollout.num_states, config.rollout.trajectories_per_state) = (1, 16);
            }
        }
        config
    }

    /// The defaults of a learner where `oracle` answers.
    ///
    /// Answers of people and of language models cost time and money: five or six pairs of whole trajectories an iteration, a
    /// longer step from each, and a checkpoint every time. The budget of people is half an hour of work; that of a language
    /// model is 1000 comparisons, of two requests each.
    pub fn preset(learner: LearnerKind, oracle: &OracleSpec) -> Self {
        let mut config = Self::for_learner(learner);
        let budget = if oracle.asks_people() {
            300
        } else if oracle.asks_language_model() {
            1000
        } else {
            return config;
        };
        config.budget = budget;
        config.checkpoint_every = 1;
        config.self_play.opponents = Opponents::Sampled(1);
        config.compare_whole_trajectories();
        (config.rollout.num_states, config.rollout.trajectories_per_state) = (2, 4);
        config.ppo.learning_rate = 2e-3;
        config
    }

    fn compare_whole_trajectories(&mut self) {
        self.self_play.window = 0;
        self.reward_model.segment_length = 0;
    }
}
