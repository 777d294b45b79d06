//! Which keys are a single learner's or scorer's.

use super::LearnerKind;

/// Keys that some learners use and others do not.
pub(super) const OWN_KEYS: [(&[LearnerKind], &[&str]); 4] = [
    (
        &[LearnerKind::Ppo],
        &[
            "head",
            "initial_log_std",
            "baseline",
            "normalize_scores",
            "normalize_advantage",
            "gae_lambda",
            "policy_loss",
            "eta",
            "kl_penalty",
            "safety_oracle",
            "learning_rate_decay",
            "epochs",
            "clip",
            "target_kl",
            "entropy_bonus",
            "value_weight",
            "max_grad_norm",
        ],
    ),
    (
        &[LearnerKind::Sac],
        &["replay", "updates_per_step", "learning_starts", "tau", "temperature", "score_scale", "relabel"],
    ),
    (&[LearnerKind::Ars], &["search_noise", "top_directions"]),
    (&[LearnerKind::Ppo, LearnerKind::Sac], &["discount", "minibatch"]),
];

/// Keys that PPO's own policy loss alone uses.
pub(super) const CLIPPED_KEYS: [&str; 5] =
    ["normalize_scores", "discount", "gae_lambda", "clip", "value_weight"];

/// Keys that the reward model alone uses.
pub(super) const REWARD_KEYS: [&str; 25] = [
    "reward_hidden",
    "reward_ensemble",
    "reward_output",
    "reward_clip",
    "reward_regularization",
    "reward_normalize",
    "reward_standardize",
    "reward_learning_rate",
    "reward_minibatch",
    "reward_epochs",
    "reward_first_epochs",
    "reward_stop_accuracy",
    "reward_restart",
    "reward_dataset",
    "reward_held_out",
    "reward_every",
    "query_sampling",
    "queries_per_round",
    "query_schedule",
    "query_first_share",
    "pretrain_steps",
    "reward_split",
    "log_reward_model",
    "rlhf_rounds",
    "rlhf_deployed",
];

/// Keys of a schedule of comparisons that rounds of RLHF, which have one of their own, do not follow.
pub(super) const SCHEDULE_KEYS: [&str; 6] = [
    "reward_every",
    "reward_restart",
    "queries_per_round",
    "query_schedule",
    "query_first_share",
    "pretrain_steps",
];

/// Keys that a run with a safety oracle alone uses.
pub(super) const SAFETY_KEYS: [&str; 5] =
    ["multiplier_init", "multiplier_rate", "multiplier_min", "multiplier_max", "unsafe_limit"];
