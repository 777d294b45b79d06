//! Keys of version 0.1, which had no sections. They are still read, with a warning that gives the new name.

use crate::learner::LearnerKind;
use crate::scorer::ScorerKind;

/// Pairs of an old and a new name; `LEARNER` means the section of the learner in use.
const RENAMED: [(&str, &str); 69] = [
    ("residence", "env_device"),
    ("opponents", "self_play.opponents"),
    ("optimism", "self_play.optimism"),
    ("extragradient", "self_play.extragradient"),
    ("anchor", "self_play.mixture_coef"),
    ("placement", "self_play.placement"),
    ("kl_penalty", "kl_coef"),
    ("safety_oracle", "safety.oracle"),
    ("multiplier_init", "safety.lagrange_init"),
    ("multiplier_rate", "safety.lagrange_lr"),
    ("multiplier_min", "safety.lagrange_min"),
    ("multiplier_max", "safety.lagrange_max"),
    ("unsafe_limit", "safety.unsafe_limit"),
    ("states", "rollout.num_states"),
    ("trajectories_per_state", "rollout.trajectories_per_state"),
    ("head", "ppo.head"),
    ("hidden", "LEARNER.hidden_sizes"),
    ("initial_log_std", "ppo.log_std_init"),
    ("normalize_obs", "LEARNER.normalize_obs"),
    ("normalize_scores", "ppo.normalize_scores"),
    ("baseline", "ppo.baseline"),
    ("normalize_advantage", "ppo.normalize_advantage"),
    ("discount", "LEARNER.discount"),
    ("gae_lambda", "ppo.gae_lambda"),
    ("policy_loss", "ppo.policy_loss"),
    ("eta", "ppo.eta"),
    ("learning_rate", "LEARNER.learning_rate"),
    ("learning_rate_decay", "ppo.learning_rate_decay"),
    ("epochs", "ppo.epochs"),
    ("minibatch", "LEARNER.minibatch_size"),
    ("clip", "ppo.clip"),
    ("target_kl", "ppo.target_kl"),
    ("entropy_bonus", "ppo.entropy_coef"),
    ("value_weight", "ppo.value_coef"),
    ("max_grad_norm", "ppo.max_grad_norm"),
    ("replay", "sac.buffer_size"),
    ("updates_per_step", "sac.updates_per_step"),
    ("learning_starts", "sac.learning_starts"),
    ("tau", "sac.tau"),
    ("temperature", "sac.temperature"),
    ("score_scale", "sac.score_scale"),
    ("relabel", "sac.relabel"),
    ("search_noise", "ars.noise_std"),
    ("top_directions", "ars.top_directions"),
    ("reward_hidden", "reward_model.hidden_sizes"),
    ("reward_ensemble", "reward_model.ensemble_size"),
    ("reward_output", "reward_model.output"),
    ("reward_clip", "reward_model.logit_clip"),
    ("reward_regularization", "reward_model.regularization_coef"),
    ("reward_normalize", "reward_model.normalize_inputs"),
    ("reward_standardize", "reward_model.standardize_rewards"),
    ("reward_learning_rate", "reward_model.learning_rate"),
    ("reward_minibatch", "reward_model.minibatch_size"),
    ("reward_epochs", "reward_model.epochs"),
    ("reward_first_epochs", "reward_model.first_epochs"),
    ("reward_stop_accuracy", "reward_model.stop_accuracy"),
    ("reward_restart", "reward_model.restart"),
    ("reward_dataset", "reward_model.dataset_size"),
    ("reward_held_out", "reward_model.held_out_share"),
    ("reward_every", "reward_model.fit_every"),
    ("query_sampling", "reward_model.query_sampling"),
    ("queries_per_round", "reward_model.queries_per_round"),
    ("query_schedule", "reward_model.query_schedule"),
    ("query_first_share", "reward_model.query_first_share"),
    ("pretrain_steps", "reward_model.pretrain_steps"),
    ("log_reward_model", "reward_model.log_predictions"),
    ("rlhf_rounds", "reward_model.rlhf_rounds"),
    ("rlhf_deployed", "reward_model.deployed_policies"),
    ("reward_split", "reward_model.split"),
];

/// The new name of an old key, in a run of this learner and scorer.
pub(super) fn renamed(old: &str, learner: LearnerKind, scorer: ScorerKind) -> Option<String> {
    if old == "window" {
        // One key set both the windows of self-play and the segments of a reward model.
        let models = scorer == ScorerKind::RewardModel;
        return Some(if models { "reward_model.segment_length" } else { "self_play.window" }.into());
    }
    let (_, new) = RENAMED.iter().find(|(name, _)| *name == old)?;
    Some(new.replace("LEARNER", learner.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::keys;

    #[test]
    fn every_new_name_is_a_key() {
        for (old, _) in RENAMED {
            let known = LearnerKind::ALL.iter().any(|&learner| {
                let new = renamed(old, learner, ScorerKind::SelfPlay).unwrap();
                keys::find(&new).is_some()
            });
            assert!(known, "{old}");
        }
        let of_model = renamed("window", LearnerKind::Ppo, ScorerKind::RewardModel).unwrap();
        assert_eq!(of_model, "reward_model.segment_length");
        assert!(keys::find(&of_model).is_some());
        assert_eq!(renamed("hidden", LearnerKind::Sac, ScorerKind::SelfPlay).unwrap(), "sac.hidden_sizes");
        assert_eq!(renamed("hiden", LearnerKind::Sac, ScorerKind::SelfPlay), None);
    }
}
