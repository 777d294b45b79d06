"""Steps a second of HalfCheetah-v5 in Gymnasium on one thread: python3 gymnasium_stepping.py"""

import time

import gymnasium
import numpy as np

EPISODE, ROUNDS = 1000, 20

env = gymnasium.make("HalfCheetah-v5")
actions = np.random.default_rng(0).uniform(-1, 1, (EPISODE, 6)).astype(np.float32)
spent = 0.0
for seed in range(ROUNDS):
    env.reset(seed=seed)
    begun = time.perf_counter()
    for action in actions:
        env.step(action)
    spent += time.perf_counter() - begun
print(f"HalfCheetah-v5, 1 thread: gymnasium {ROUNDS * EPISODE / spent:.0f} steps/s")
