"""Pairwise preference learning on Pendulum with `imitation`, at the settings and budget of its tutorial.

    preferences.py SEED

200 comparisons of fragments of 100 steps, a Bradley-Terry reward network, PPO by Stable-Baselines3. Prints one line
of JSON: the Unix time when training ended, environment steps up to then, and the true return of the policy, whose
evaluation is not timed.
"""

import json
import os
import sys
import time

import gymnasium as gym
import numpy as np
import torch
from imitation.algorithms import preference_comparisons as pc
from imitation.policies.base import FeedForward32Policy, NormalizeFeaturesExtractor
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util.networks import RunningNorm
from imitation.util.util import make_vec_env
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))

COMPARISONS = 200
EVALUATION_EPISODES = 50


class Counted(gym.Wrapper):
    steps = 0

    def step(self, action):
        Counted.steps += 1
        return self.env.step(action)


def main(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    venv = make_vec_env("Pendulum-v1", rng=rng, post_wrappers=[lambda env, _: Counted(env)])
    reward = BasicRewardNet(venv.observation_space, venv.action_space, normalize_input_layer=RunningNorm)
    agent = PPO(
        policy=FeedForward32Policy,
        policy_kwargs=dict(
            features_extractor_class=NormalizeFeaturesExtractor,
            features_extractor_kwargs=dict(normalize_class=RunningNorm),
        ),
        env=venv,
        seed=seed,
        n_steps=2048 // venv.num_envs,
        batch_size=64,
        ent_coef=0.01,
        learning_rate=2e-3,
        clip_range=0.1,
        gae_lambda=0.95,
        gamma=0.97,
        n_epochs=10,
        device="cpu",
    )
    trainer = pc.PreferenceComparisons(
        pc.AgentTrainer(algorithm=agent, reward_fn=reward, venv=venv, exploration_frac=0.05, rng=rng),
        reward,
        num_iterations=5,
        fragmenter=pc.RandomFragmenter(warning_threshold=0, rng=rng),
        preference_gatherer=pc.SyntheticGatherer(rng=rng),
        reward_trainer=pc.BasicRewardTrainer(
            preference_model=pc.PreferenceModel(reward), loss=pc.CrossEntropyRewardLoss(), epochs=3, rng=rng
        ),
        fragment_length=100,
        transition_oversampling=1,
        initial_comparison_frac=0.1,
        allow_variable_horizon=False,
        initial_epoch_multiplier=4,
        query_schedule="hyperbolic",
    )
    trainer.train(total_timesteps=5_000, total_comparisons=COMPARISONS)
    ended, steps = time.time(), Counted.steps
    returns, _ = evaluate_policy(agent.policy, venv, EVALUATION_EPISODES)
    print(json.dumps({"ended": ended, "env_steps": steps, "comparisons": COMPARISONS, "return": float(returns)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
