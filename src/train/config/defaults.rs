//! The default of every key.

use super::{
    Baseline, Config, EnvDevice, HeadKind, LearnerKind, NormalizeScores, Opponents, Output, Placement,
    PolicyLoss, Sampling, ScorerKind, Shape, Temperature, TrainedResult,
};
use crate::oracle::OracleSpec;

impl Default for Config {
    fn default() -> Self {
        Self {
            env: "pendulum".into(),
            seed: 0,
            total_steps: 500_000,
            init: String::new(),
            device: "cpu".into(),
            residence: EnvDevice::Auto,
            learner: LearnerKind::Ppo,
            scorer: ScorerKind::SelfPlay,
            oracle: OracleSpec::default(),
            opponents: Opponents::Group,
            optimism: false,
            extragradient: false,
            anchor: 0.0,
            placement: Placement::Spread,
            window: 10,
            budget: 0,
            kl_penalty: 0.0,
            log_comparisons: false,
            safety_oracle: None,
            multiplier_init: 1.0,
            multiplier_rate: 0.1,
            multiplier_min: 0.1,
            multiplier_max: 5.0,
            unsafe_limit: 0.05,
            states: 8,
            trajectories_per_state: 4,
            head: HeadKind::ClippedGaussian,
            hidden: vec![64, 64],
            initial_log_std: 0.0,
            normalize_obs: true,
            normalize_scores: NormalizeScores::Auto,
            baseline: Baseline::Critic,
            normalize_advantage: true,
            discount: 0.99,
            gae_lambda: 0.95,
            policy_loss: PolicyLoss::Ppo,
            eta: 1.0,
            learning_rate: 5e-4,
            learning_rate_decay: true,
            epochs: 10,
            minibatch: 256,
            clip: 0.2,
            target_kl: 0.0,
            entropy_bonus: 0.0,
            value_weight: 0.5,
            max_grad_norm: 0.5,
            // Haarnoja et al. 2018, table 1: replay, one update a step, τ. SB3 waits 100 steps, CleanRL 5,000.
            replay: 1_000_000,
            updates_per_step: 1.0,
            learning_starts: 1_000,
            tau: 0.005,
            temperature: Temperature::Auto,
            score_scale: 1.0,
            relabel: false,
            search_noise: 0.03,
            top_directions: 4,
            // Chosen on Pendulum; the models of B-Pref and imitation are experiments/reward_*.toml.
            reward_hidden: vec![64, 64],
            reward_ensemble: 1,
            reward_output: Output::Linear,
            reward_clip: 0.0,
            reward_regularization: 0.0,
            reward_normalize: true,
            reward_standardize: true,
            reward_learning_rate: 1e-3,
            reward_minibatch: 64,
            reward_epochs: 10,
            reward_first_epochs: 0,
            reward_stop_accuracy: 0.97,
            reward_restart: false,
            reward_dataset: 5_000,
            reward_held_out: 0.1,
            reward_every: 1,
            query_sampling: Sampling::Uniform,
            queries_per_round: 0,
            query_schedule: Shape::Constant,
            query_first_share: 0.0,
            pretrain_steps: 0,
            log_reward_model: false,
            rlhf_rounds: 0,
            rlhf_deployed: 4,
            reward_split: false,
            result: TrainedResult::Last,
            snapshots: 64,
            validation_episodes: 16,
            eval_episodes: 100,
            checkpoint_every: 5,
        }
    }
}

impl Config {
    /// The defaults of a learner.
    ///
    /// SAC's are those of Stable-Baselines3's and CleanRL's SAC (networks, learning rate, γ, τ and replay of Haarnoja et
    /// al. 2018, table 1), the steps of RL Baselines3 Zoo for Pendulum, and the paper's form of self-play: whole
    /// trajectories against a queue of ten, one trajectory an iteration.
    ///
    /// ARS's were chosen on HalfCheetah-v5, whole trajectories within a group of 16: a linear policy, as in Mania et al. 2018.
    pub fn of(learner: LearnerKind) -> Self {
        let ppo = Self::default();
        match learner {
            LearnerKind::Ppo => ppo,
            LearnerKind::Sac => Self {
                learner,
                total_steps: 20_000,
                opponents: Opponents::Queue(10),
                window: 0,
                states: 1,
                trajectories_per_state: 1,
                hidden: vec![256, 256],
                normalize_obs: false,
                learning_rate: 3e-4,
                minibatch: 256,
                checkpoint_every: 20,
                ..ppo
            },
            LearnerKind::Ars => Self {
                learner,
                total_steps: 1_000_000,
                window: 0,
                states: 1,
                trajectories_per_state: 16,
                hidden: Vec::new(),
                learning_rate: 0.02,
                ..ppo
            },
        }
    }

    /// The defaults of a learner where people are the oracle: five or six pairs of whole trajectories an iteration, a
    /// long step from each since they are dear, a budget of half an hour, and a checkpoint every time.
    pub fn of_people(learner: LearnerKind) -> Self {
        let others = Self::of(learner);
        Self {
            opponents: Opponents::Sampled(1),
            window: 0,
            budget: 300,
            states: 2,
            trajectories_per_state: 4,
            learning_rate: if learner == LearnerKind::Ppo { 2e-3 } else { others.learning_rate },
            checkpoint_every: 1,
            ..others
        }
    }

    /// The defaults of a learner where a language model is asked: as for people, with a budget of more comparisons, two
    /// requests each.
    pub fn of_llm(learner: LearnerKind) -> Self {
        Self { budget: 1000, ..Self::of_people(learner) }
    }
}
